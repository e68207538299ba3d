"""The steps of a computation, forward and backward: what every form of them is written from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from gradcli.errors import Span
from gradcli.formula.one_operation import LocalDerivative
from gradcli.walkthrough.recording import Code, OwnCall


class ForwardStep(NamedTuple):
    """A tensor on the way to the value: an input, or what an operation gives.

    `expression` is the operation over the names of its operands, `code` the same as instructions where the source has
    words for it; `source` is the part of the source that it belongs to, and `span` its place where that is the
    expression itself and no file that it imports. `operands` are the names of what it is made of. `grad_fn` is what
    PyTorch prints. `value` is an array, or one in a file.
    """

    name: str
    expression: str
    code: Code
    source: str
    span: Span | None
    operands: tuple[str, ...]
    value: Any
    grad_fn: str | None
    requires_grad: bool
    is_input: bool
    call: OwnCall | None = None


class Passed(NamedTuple):
    """What a backward function passes on to one of its operands: `part`, an array.

    `derivative` is the formula of the local derivative, None where there is none, and `why` says why. `words` has what
    some of the names in it stand for: `w.grad` is the gradient that arrives at w, `s.values` one of several results.
    """

    target: str
    part: Any
    derivative: LocalDerivative | None
    words: Mapping[str, str]
    why: str = ""


class BackwardStep(NamedTuple):
    """A backward function: it takes the gradients that have arrived at the results and passes theirs to the operands.

    `name` is PyTorch's.
    """

    name: str
    results: tuple[str, ...]
    passed: list[Passed]


class Arrival(NamedTuple):
    """A gradient that is complete: all of the `branches` that lead to a step or an input have added to it."""

    target: str
    total: Any
    branches: int
    is_input: bool


@dataclass(eq=False, repr=False)
class Told:
    """A computation step by step: forward, then backward from the value to the inputs.

    `source` is the expression, `value` the name of its value. `forward` has the inputs and the steps, `backward`
    functions and arrivals in the order in which they happen, the first of them being the gradient that the pass starts
    with. `note` says why there is no backward pass. `unreached` are the inputs that no gradient comes to.

    `skipped` says how many steps are left out because there are many, `gap` after which place of `forward`. `calls`
    counts the calls of the expression's own functions, `ranks` has the number of dimensions of all that formulas name.
    """

    source: str
    value: str
    forward: list[ForwardStep]
    backward: list[BackwardStep | Arrival]
    note: str | None = None
    unreached: tuple[str, ...] = ()
    skipped: int = 0
    gap: int = 0
    calls: Mapping[str, int] = field(default_factory=dict)
    ranks: Mapping[str, int] = field(default_factory=dict)

    def results(self) -> dict[str, Any]:
        """The value and the gradients of the inputs, as far as they are told of, by name."""
        found = {step.name: step.value for step in self.forward if step.name == self.value}
        arrivals = (item for item in self.backward if isinstance(item, Arrival) and item.is_input)
        return found | {f"{item.target}.grad": item.total for item in arrivals}

    def leaves_out_after(self, place: int) -> bool:
        """Whether it is told after the step at a place of `forward` that some are left out."""
        return self.skipped > 0 and place == self.gap
