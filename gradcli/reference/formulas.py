"""The formula of each operation's derivative, for the reference of the operations."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

from gradcli.errors import GradcliError, SizeError
from gradcli.evaluation.interpret import Interpreter
from gradcli.evaluation.measuring import at_hand
from gradcli.formula.derivation import derive
from gradcli.formula.formats import formatted
from gradcli.formula.lengths import Given, Wanted
from gradcli.graph.dtypes import DTYPES, FLOAT64
from gradcli.graph.measured import UnmeasuredError
from gradcli.graph.node import input_node
from gradcli.graph.op import Op
from gradcli.graph.signature import Signature
from gradcli.language.parse import parse

#: What the gradient of the result is called in the formulas.
GRADIENT = "g"

# Dimensions of the tensors of operations without an example, by family.
_DIMENSIONS = {"elementwise": 0, "activation": 0, "reduction": 1, "loss": 1}


class Formulas(NamedTuple):
    """The formulas for a call of an operation: what becomes of the gradient `g` of its result, by tensor.

    Of a function of one tensor, element by element, it is the derivative itself. `is_usual` is for calls with tensors
    and nothing else.
    """

    call: str
    by_tensor: dict[str, str]
    is_usual: bool

    @property
    def text(self) -> str:
        """The derivative, or a line `tensor: formula` for each tensor."""
        return "\n".join(f"{name}: {formula}" if name else formula for name, formula in self.by_tensor.items())


def formulas(op: Op, form: Literal["text", "latex"] = "text") -> Formulas | None:
    """The formulas of an operation, None where one is not known; for one number of dimensions where it takes any."""
    return _formulas_of(*_call_of(op), form)


def formulas_elsewhere(op: Op, name: str, signature: Signature) -> Formulas | None:
    """The formulas of a function of another library that is this operation, with other arguments and defaults.

    None where one is not known, or where they are called with more than tensors.
    """
    _, givens, is_usual = _call_of(op)
    names = signature.required
    if not is_usual or len(names) != len(givens):
        return None
    renamed = [given._replace(name=word) for word, given in zip(names, givens, strict=True)]
    return _formulas_of(f"{name}({', '.join(names)})", renamed, False, "text")


def _formulas_of(call: str, givens: list[Given], is_usual: bool, form: Literal["text", "latex"]) -> Formulas | None:
    tracked = [given.name for given in givens if given.dtype.kind == "f"]
    alone = len(givens) == 1 and not givens[0].shape
    found: dict[str, str] = {}
    try:
        for name in tracked:
            wanted = Wanted(name) if alone else Wanted(name, vector=GRADIENT)
            script = parse(call)
            found["" if alone else name] = formatted(form, script, [(derive(script, givens, wanted), wanted)])
    except UnmeasuredError:
        found = {"": "no formula: its shape depends on the data"}
    except SizeError:
        return None
    except GradcliError as error:
        found = {"": error.message if error.message.startswith("no formula") else f"no formula: {error.message}"}
    return Formulas(call, found, is_usual)


def is_tracked(op: Op) -> bool:
    """Whether an operation that is written with others has a gradient: found by trying a call of it."""
    if op.family == "create":
        return False
    call, givens, _ = _call_of(op)
    shapes = {given.name: tuple(n if isinstance(n, int) else 2 for n in given.shape) for given in givens}
    arrays = {given.name: np.ones(shapes[given.name], given.dtype) for given in givens}
    leaves = {name: input_node(array, requires_grad=array.dtype.kind == "f") for name, array in arrays.items()}
    with at_hand(call, {}):
        result = Interpreter(call, leaves).carry_out(parse(call).statements[-1])
    return any(part.requires_grad for part in (result if isinstance(result, tuple) else (result,)))


def _call_of(op: Op) -> tuple[str, list[Given], bool]:
    """The call that an operation is explained by, its tensors, and whether it has tensors and nothing else."""
    names = op.signature.required
    usual = f"{op.name}({', '.join(names)})", " ".join(f"{name}:{_DIMENSIONS.get(op.family, 2)}" for name in names)
    call, tensors = op.example or usual
    return call, [_given(*tensor.split(":")) for tensor in tensors.split()], call == usual[0]


def _given(name: str, dimensions: str, dtype: str = "") -> Given:
    # A number of dimensions of any length, or lengths as in 2x3 and 2x.
    shape: tuple[int | str, ...] = tuple([int(n) for n in dimensions.split("x") if n])
    if "x" not in dimensions:
        shape = tuple([f"{name}{k}" for k in range(int(dimensions))])
    return Given(name, shape, DTYPES[dtype] if dtype else FLOAT64)
