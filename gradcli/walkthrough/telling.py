"""From a request and its record to its steps: what is to be told is chosen first, and only that is computed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gradcli.autodiff.vjp import vjp
from gradcli.engine.execute.run import execute
from gradcli.errors import GradcliError, did_you_mean, quoted, written_in
from gradcli.evaluation.compiled import Compiled
from gradcli.evaluation.request import Request
from gradcli.graph.infer import cast
from gradcli.graph.node import INPUT, Node, constant
from gradcli.machine.limits import HINT_OF_LIMIT
from gradcli.storage.file_array import in_memory
from gradcli.walkthrough.local_formulas import formula_of
from gradcli.walkthrough.outline import Outline, function_name
from gradcli.walkthrough.recording import Recorded
from gradcli.walkthrough.step_types import Arrival, BackwardStep, ForwardStep, Passed
from gradcli.walkthrough.told_walkthrough import Walkthrough

#: Of more steps than this the first ones and the last ones are told.
MOST_STEPS = 60

# All that is told of is in memory at once.
_FEWER = "gradcli steps --only NAMES computes fewer; --memory-limit sets another limit"


@dataclass(eq=False)
class _Backward:
    """A backward function that is told of: the steps that are its results, alone as graphs over leaves, the gradients
    that arrive at them, and the graph of what each operand is given."""

    node: Node
    results: list[Node]
    graphs: list[Node]
    leaves: dict[Node, Node]
    seeds: list[Node]
    given: dict[Node, Node] = field(default_factory=dict)


def told(found: Recorded, only: Iterable[str] | None = None) -> Walkthrough:
    """The steps of a request whose record was kept; `only` names those that are told of."""
    with written_in(found.request.source):
        return _Teller(found.request, Outline(found.request, found.record), only).tell(found.inputs, found.vector)


class _Teller:
    def __init__(self, request: Request, outline: Outline, only: Iterable[str] | None) -> None:
        self.request = request
        self.outline = outline
        self.chosen = _chosen(outline, only)
        self.alone = only is not None
        self.totals = self._totals()
        #: What begins the names in formulas of gradients, and of what is not called by a single word.
        self.letters = [_unused(letter, outline.names.values()) for letter in "gp"]
        #: The results of each backward function that a gradient comes to, in the order of the steps.
        self.results: dict[Node, list[Node]] = {}
        for step in outline.order:
            function = outline.function_of(step)
            if function is not None and step in self.totals:
                self.results.setdefault(function, []).append(step)
        self.functions = self._functions()
        #: How many functions give something to each step and input: of those that are not told of, all that are theirs.
        known = {function.node: function.given for function in self.functions}
        self.branches = Counter(
            operand
            for node, steps in self.results.items()
            for operand in (known[node] if node in known else outline.operands(steps))
        )

    def _totals(self) -> dict[Node, Node]:
        """The gradient that arrives at each step and input, as a graph."""
        seed = _seed(self.request)
        tracked = [node for node in (*self.outline.inputs, *self.outline.order) if node.requires_grad]
        return {} if seed is None else vjp([self.outline.value], [seed], tracked)

    def tell(self, inputs: Mapping[str, Any], vector: Any) -> Walkthrough:
        outline = self.outline
        arrays = self._computed(inputs, vector)
        parts = self._parts(arrays)
        steps = [node for node in (*outline.inputs, *outline.order) if node in self.chosen]
        every = len(outline.order) + len(outline.inputs)
        names = {outline.names[node]: node.ndim for node in (*outline.inputs, *outline.order)}
        unreached = [name for name in self.request.names if self.request.leaves[name] not in self.totals]
        return Walkthrough(
            self.request.source,
            outline.names.get(outline.value, ""),
            [self._step(node, arrays) for node in steps],
            self._backward(arrays, parts),
            note=self.request.note or self._why_nothing(),
            skipped=0 if self.alone else every - len(steps),
            gap=len(outline.inputs) + MOST_STEPS // 2 - 1,
            calls=outline.calls,
            ranks=names,
            unreached=tuple(unreached),
        )

    def _why_nothing(self) -> str | None:
        if self.totals:
            return None
        what = "the value depends on no input that is" if self.request.names else "nothing is"
        return f"{what} differentiated: there is no backward pass"

    # What is told -----------------------------------------------------------------------------------------------------

    def _functions(self) -> list[_Backward]:
        """The backward functions in the order in which they run."""
        found = []
        for node, results in reversed(self.results.items()):
            operands = self.outline.operands(results) if self.alone else ()
            if any(step in self.chosen for step in results) or (
                self.alone and any(operand in self.chosen and operand in self.totals for operand in operands)
            ):
                found.append(self._alone(node, results))
        return found

    def _alone(self, node: Node, results: list[Node]) -> _Backward:
        graphs, leaves = self.outline.alone(results)
        seeds = [Node(INPUT, (), {"data": None, "name": None}, r.shape, r.dtype, False) for r in results]
        targets = [operand for operand in leaves if operand in self.totals]
        found = vjp(graphs, seeds, [leaves[operand] for operand in targets])
        given = {t: cast(found[leaves[t]], t.dtype) for t in targets if leaves[t] in found}
        return _Backward(node, results, graphs, leaves, seeds, given)

    # Numbers ----------------------------------------------------------------------------------------------------------

    def _computed(self, inputs: Mapping[str, Any], vector: Any) -> dict[tuple[Node, str], Any]:
        """The values of nodes, and the gradients that arrive at them: all by one program."""
        request = self.request
        values = dict.fromkeys(node for node in self.outline.order if node in self.chosen)
        gradients: dict[Node, None] = {}
        for function in self.functions:
            values.update(dict.fromkeys(function.leaves))
            gradients.update(dict.fromkeys((*function.results, *function.given)))
        gradients.update(dict.fromkeys(node for node in self.totals if node in self.chosen))
        leaves = {leaf: inputs[name] for name, leaf in request.leaves.items()}
        roots = {(node, "value"): node for node in values if node not in leaves}
        roots |= {(node, "grad"): self.totals[node] for node in gradients}
        found: dict[tuple[Node, str], Any] = {(leaf, "value"): array for leaf, array in leaves.items()}
        if roots:
            compiled = Compiled(request, request.files(inputs, vector), roots=list(roots.values()))
            try:
                found |= zip(roots, compiled.run(inputs, vector), strict=True)
            except GradcliError as error:
                error.hint = _FEWER if error.hint == HINT_OF_LIMIT else error.hint
                raise
        return found

    def _parts(self, arrays: Mapping[tuple[Node, str], Any]) -> dict[tuple[Node, Node], Any]:
        """What each function gives to each operand: the whole gradient where there is no other branch."""
        for function in self.functions:
            for operand, leaf in function.leaves.items():
                leaf.params["data"] = in_memory(arrays[operand, "value"])
            for result, seed in zip(function.results, function.seeds, strict=True):
                seed.params["data"] = arrays[result, "grad"]
        found = {}
        roots = {}
        for function in self.functions:
            for operand, graph in function.given.items():
                if self.branches[operand] == 1:
                    found[function.node, operand] = arrays[operand, "grad"]
                else:
                    roots[function.node, operand] = graph
        return found | dict(zip(roots, execute(list(roots.values())), strict=True))

    # Words ------------------------------------------------------------------------------------------------------------

    def _step(self, node: Node, arrays: Mapping[tuple[Node, str], Any]) -> ForwardStep:
        outline = self.outline
        value = arrays[node, "value"]
        if node.op is INPUT:
            return ForwardStep(outline.names[node], "", (), "", None, (), value, None, node.requires_grad, True)
        return ForwardStep(
            outline.names[node],
            outline.expression(node),
            outline.code(node),
            outline.source(node),
            outline.span(node),
            tuple([outline.names[operand] for operand in outline.operands([node])]),
            value,
            outline.grad_fn(node),
            outline.is_tracked(node),
            False,
            outline.call(node),
        )

    def _backward(
        self, arrays: Mapping[tuple[Node, str], Any], parts: Mapping[tuple[Node, Node], Any]
    ) -> list[BackwardStep | Arrival]:
        outline = self.outline
        found: list[BackwardStep | Arrival] = []
        if outline.value in self.totals and (outline.value in self.chosen):
            found.append(self._arrival(outline.value, arrays, 0))
        last = {operand: function.node for function in self.functions for operand in function.given}
        for function in self.functions:
            passed = [self._passed(function, operand, parts[function.node, operand]) for operand in function.given]
            names = tuple([outline.names[result] for result in function.results])
            found.append(BackwardStep(function_name(function.node), names, passed))
            for operand in function.given:
                if last[operand] is function.node and operand is not outline.value:
                    found.append(self._arrival(operand, arrays, self.branches[operand]))
        return found

    def _arrival(self, node: Node, arrays: Mapping[tuple[Node, str], Any], branches: int) -> Arrival:
        return Arrival(self.outline.names[node], arrays[node, "grad"], branches, node.op is INPUT)

    def _passed(self, function: _Backward, operand: Node, part: Any) -> Passed:
        names = self.outline.names
        others = [names[operand] for operand in function.leaves if not names[operand].isidentifier()]
        seeds = {f"{self.letters[0]}{k}": f"{names[result]}.grad" for k, result in enumerate(function.results)}
        parts = {f"{self.letters[1]}{k}": name for k, name in enumerate(others)}
        own = dict(zip(others, parts, strict=True))
        for node, leaf in function.leaves.items():
            leaf.params["name"] = own.get(names[node], names[node])
        operands = list(function.leaves.values())
        found = formula_of(function.graphs, list(seeds), function.seeds, function.leaves[operand], operands, part)
        return Passed(names[operand], part, found[0], seeds | parts, found[1])


def _unused(letter: str, taken: Iterable[str]) -> str:
    """Such a letter, or several, that no name consists of together with a number."""
    used = {name.rstrip("0123456789") for name in taken}
    while letter in used:
        letter *= 2
    return letter


def _seed(request: Request) -> Node | None:
    """What the backward pass starts with; None where there is none."""
    value = request.roots[0]
    if not request.names or request.note is not None or not value.requires_grad:
        return None
    if request.vector is not None:
        return cast(request.vector, value.dtype)
    return constant(np.ones(value.shape, value.dtype))


def _chosen(outline: Outline, only: Iterable[str] | None) -> set[Node]:
    """The inputs and steps that are told of."""
    every = [*outline.inputs, *outline.order]
    if only is None:
        if len(outline.order) <= MOST_STEPS:
            return set(every)
        return {*outline.inputs, *outline.order[: MOST_STEPS // 2], *outline.order[-MOST_STEPS // 2 :]}
    known = {outline.names[node]: node for node in every}
    wanted = list(only)
    for name in wanted:
        if name not in known:
            few = ", ".join(list(known)[:10])
            hint = did_you_mean(name, list(known)) or f"choose from {few}{', …' if len(known) > 10 else ''}"
            raise GradcliError(f"there is no step {quoted(name)}", hint=hint)
    return {known[name] for name in wanted}
