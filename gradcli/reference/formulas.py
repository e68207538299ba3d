"""The formula of each operation's derivative, for the reference of the operations."""

from __future__ import annotations

from typing import NamedTuple

from gradcli.errors import GradcliError
from gradcli.formula.derivation import derive
from gradcli.formula.lengths import Given, Wanted
from gradcli.formula.write.as_text import text
from gradcli.graph.dtypes import DTYPES, FLOAT64
from gradcli.graph.op import Op
from gradcli.language.parse import parse

#: What the gradient of the result is called in the formulas.
GRADIENT = "g"

# How operations are called that take more than tensors, or tensors of other dimensions than their family: the
# expression, and for each tensor its number of dimensions, with its dtype where that is no floating-point.
_CALLS = {
    "to": ("input.to(float16)", "input:0"),
    "where": ("where(condition, input, other)", "condition:0:bool input:0 other:0"),
    "clamp": ("clamp(input, min, max)", "input:0 min:0 max:0"),
    "polygamma": ("polygamma(1, input)", "input:0"),
    "masked_fill": ("masked_fill(input, mask, 0)", "input:0 mask:0:bool"),
    "softmax": ("softmax(input, 0)", "input:1"),
    "log_softmax": ("log_softmax(input, 0)", "input:1"),
    "cumsum": ("cumsum(input, 0)", "input:1"),
    "cumprod": ("cumprod(input, 0)", "input:1"),
    "mv": ("mv(input, vec)", "input:2 vec:1"),
    "bmm": ("bmm(input, mat2)", "input:3 mat2:3"),
    "dot": ("dot(input, tensor)", "input:1 tensor:1"),
    "vdot": ("vdot(input, other)", "input:1 other:1"),
    "outer": ("outer(input, vec2)", "input:1 vec2:1"),
    "inner": ("inner(input, other)", "input:1 other:1"),
    "einsum": ("einsum('ij,jk->ik', a, b)", "a:2 b:2"),
    "slogdet": ("slogdet(input).logabsdet", "input:2"),
    "diag_embed": ("diag_embed(input)", "input:1"),
    "diag": ("diag(input)", "input:1"),
    "view": ("input.view(-1)", "input:2"),
    "reshape": ("input.reshape(-1)", "input:2"),
    "unsqueeze": ("unsqueeze(input, 0)", "input:1"),
    "permute": ("permute(input, 1, 0)", "input:2"),
    "movedim": ("movedim(input, 0, 1)", "input:2"),
    "expand": ("expand(input, 2, -1)", "input:1"),
    "repeat": ("repeat(input, 2)", "input:1"),
    "tile": ("tile(input, 2)", "input:1"),
    "flip": ("flip(input, 0)", "input:1"),
    "roll": ("roll(input, 1)", "input:1"),
    "cat": ("cat([a, b])", "a:1 b:1"),
    "stack": ("stack([a, b])", "a:1 b:1"),
    "select": ("select(input, 0, 1)", "input:2"),
    "index_select": ("index_select(input, 0, index)", "input:1 index:1:int64"),
    "getitem": ("input[0]", "input:2"),
    "nll_loss": ("nll_loss(input, target)", "input:2 target:1:int64"),
    "layer_norm": ("layer_norm(input, input.shape)", "input:1"),
}
# Dimensions of the tensors of all others, by family.
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


def formulas(op: Op) -> Formulas | None:
    """The formulas of an operation, None where one is not known; for one number of dimensions where it takes any."""
    names = op.signature.required
    usual = f"{op.name}({', '.join(names)})", " ".join(f"{name}:{_DIMENSIONS.get(op.family, 2)}" for name in names)
    call, tensors = _CALLS.get(op.name, usual)
    givens = [_given(*tensor.split(":")) for tensor in tensors.split()]
    tracked = [given.name for given in givens if given.dtype.kind == "f"]
    alone = len(givens) == 1 and not givens[0].shape
    found: dict[str, str] = {}
    try:
        for name in tracked:
            wanted = Wanted(name) if alone else Wanted(name, vector=GRADIENT)
            found["" if alone else name] = text(derive(parse(call), givens, wanted).formula)
    except GradcliError:
        return None
    return Formulas(call, found, call == usual[0])


def _given(name: str, dimensions: str, dtype: str = "") -> Given:
    shape = tuple([f"{name}{k}" for k in range(int(dimensions))])
    return Given(name, shape, DTYPES[dtype] if dtype else FLOAT64)
