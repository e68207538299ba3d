"""NumPy's functions that go element by element: ufuncs, which are rows for the most part, and others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gradcli.errors import GradcliError
from gradcli.graph.arguments import as_int, as_node
from gradcli.graph.infer import cast
from gradcli.libraries.foreign_function import names_and_rows
from gradcli.libraries.numpy_arguments import LibraryRow, as_floating, in_dtype, ops, rows

#: The rows that mean what a ufunc does, by its name.
SAME = names_and_rows("""
    add subtract=sub multiply=mul divide=div true_divide=div floor_divide remainder mod=remainder fmod negative=neg
    positive absolute=abs abs fabs=abs hypot power=pow pow float_power square sqrt exp exp2 expm1 log log2 log10
    log1p logaddexp logaddexp2 sin cos tan arcsin=asin asin arccos=acos acos arctan=atan atan arctan2=atan2 atan2 sinh
    cosh tanh arcsinh=asinh asinh arccosh=acosh acosh arctanh=atanh atanh deg2rad radians=deg2rad rad2deg
    degrees=rad2deg equal=eq not_equal=ne less=lt less_equal=le greater=gt greater_equal=ge logical_and logical_or
    logical_xor logical_not isnan isinf isfinite bitwise_and bitwise_or bitwise_xor bitwise_not invert=bitwise_not
    bitwise_invert=bitwise_not left_shift=bitwise_left_shift bitwise_left_shift right_shift=bitwise_right_shift
    bitwise_right_shift maximum minimum fmax fmin copysign nextafter ldexp frexp floor ceil trunc rint=round
    conjugate=clone conj=clone
""")


def _sign(x: Any) -> Any:
    """Unlike PyTorch's, which is 0 there, NumPy's sign of NaN is NaN."""
    node = as_node(x)
    signs = ops.sign(node)
    return ops.where(ops.isnan(node), node, signs) if node.is_floating else signs


def _reciprocal(x: Any) -> Any:
    node = as_node(x)
    if not node.is_floating:
        hint = "convert it first, as in x.float()"
        raise GradcliError("numpy.reciprocal of integers rounds, and has no gradient here", hint=hint)
    return ops.reciprocal(node)


def _heaviside(x: Any, values: Any) -> Any:
    """Unlike PyTorch's, which is 0 there, NumPy's step at NaN is NaN."""
    node = as_node(x)
    return ops.where(ops.isnan(node), node, ops.heaviside(node, values))


def _cbrt(x: Any) -> Any:
    node = as_node(x)
    return ops.copysign(ops.abs(node) ** (1 / 3), node)


def _modf(x: Any) -> Any:
    """The part behind the point, which infinities do not have, and the part before it."""
    node = as_node(x)
    return ops.where(ops.isinf(node), ops.copysign(0, node), ops.frac(node)), ops.trunc(node)


def _matvec(x1: Any, x2: Any) -> Any:
    return ops.squeeze(ops.matmul(_matrix(x1), ops.unsqueeze(x2, -1)), -1)


def _vecmat(x1: Any, x2: Any) -> Any:
    return ops.squeeze(ops.matmul(ops.unsqueeze(x1, -2), _matrix(x2)), -2)


def _matrix(x: Any) -> Any:
    node = as_node(x)
    if node.ndim < 2:
        raise GradcliError(f"expected a matrix, got shape {node.shape}")
    return node


def _own(count: int, **answers: Callable[..., Any]) -> dict[str, tuple[int, Callable[..., Any]]]:
    return {name: (count, answer) for name, answer in answers.items()}


#: Ufuncs that mean something else than a row, or take no operands one by one: of how many operands, and what they give.
OWN = {
    **_own(1, sign=_sign, reciprocal=_reciprocal, cbrt=_cbrt, modf=_modf, signbit=lambda x: ops.copysign(1, x) < 0),
    **_own(2, heaviside=_heaviside, matmul=lambda a, b: ops.matmul(a, b), vecdot=lambda a, b: ops.vecdot(a, b)),
    **_own(2, matvec=_matvec, vecmat=_vecmat),
}
_NOT_ELEMENTWISE = frozenset({"matmul", "vecdot", "matvec", "vecmat"})
_ONE = "x, out=None, *, where=True, casting='same_kind', order='K', dtype=None, subok=True"
_TWO = "x1, x2, out=None, *, where=True, casting='same_kind', order='K', dtype=None, subok=True"


def ufunc_row(name: str) -> LibraryRow | None:
    """The ufunc of a name, which may be asked for a dtype; None where there is none."""
    family = "" if name in _NOT_ELEMENTWISE else "elementwise"
    if name in OWN:
        count, answer = OWN[name]
        return LibraryRow(_ONE if count == 1 else _TWO, _computed_in(answer), family)
    row = SAME.get(name)
    if row is None:
        return None
    op = getattr(ops, row)
    return LibraryRow(_ONE if len(op.signature.required) == 1 else _TWO, _computed_in(op), family)


def _computed_in(answer: Callable[..., Any]) -> Callable[..., Any]:
    def ufunc(dtype: Any, **operands: Any) -> Any:
        given = operands.values()
        return answer(*(given if dtype is None else [in_dtype(x, dtype) for x in given]))

    return ufunc


# Functions that are no ufuncs ----------------------------------------------------------------------------------------


def _clip(a: Any, a_min: Any, a_max: Any, min: Any, max: Any) -> Any:
    """Between two bounds, which have two names each."""
    if (a_min is not None and min is not None) or (a_max is not None and max is not None):
        raise GradcliError("numpy.clip got a bound twice")
    return ops.clamp(a, a_min if min is None else min, a_max if max is None else max)


def _where(condition: Any, x: Any, y: Any) -> Any:
    if x is None or y is None:
        raise GradcliError(
            "numpy.where with a condition alone has no gradient here", hint="for example, where(x > 0, x, 0)"
        )
    return ops.where(condition, x, y)


def _round(a: Any, decimals: Any) -> Any:
    x, digits = as_node(a), as_int(decimals, "decimals")
    if x.is_floating:
        return ops.round(x, decimals=digits)
    return x if digits >= 0 else cast(ops.round(ops.double(x), decimals=digits), x.dtype)


def _array_equal(a1: Any, a2: Any, equal_nan: Any) -> Any:
    x, y = as_node(a1), as_node(a2)
    if x.shape != y.shape:
        return False
    same = ops.eq(x, y)
    return ops.all(ops.logical_or(same, ops.logical_and(ops.isnan(x), ops.isnan(y))) if equal_nan else same)


def _interp(x: Any, xp: Any, fp: Any, left: Any, right: Any, period: Any) -> Any:
    """On the straight lines between known points; to their left and right the outermost values, unless given."""
    if period is not None:
        raise GradcliError("numpy.interp with period= has no gradient here", hint="use remainder(x, period)")
    at, places, values = as_floating(x), as_floating(xp), as_floating(fp)
    if places.ndim != 1 or places.shape != values.shape or not places.size:
        raise GradcliError("numpy.interp needs as many points as values, in one dimension")
    first, last = (ops.select(values, 0, k) for k in (0, -1))
    if places.size == 1:
        inside = first + 0 * at
    else:
        after = ops.clamp(ops.searchsorted(ops.detach(places), ops.detach(at), right=True), 1, places.size - 1)
        x0, x1 = ops.take(places, after - 1), ops.take(places, after)
        y0, y1 = ops.take(values, after - 1), ops.take(values, after)
        inside = _between(at, x0, x1, y0, y1)
    low, high = first if left is None else left, last if right is None else right
    before, beyond = at < ops.select(places, 0, 0), at > ops.select(places, 0, -1)
    return ops.where(before, low, ops.where(beyond, high, inside))


def _between(at: Any, x0: Any, x1: Any, y0: Any, y1: Any) -> Any:
    """On the line from one point to the next; where infinities leave none, what NumPy takes instead."""
    same = ops.eq(x0, x1)
    slope = (y1 - y0) / ops.where(same, 1, x1 - x0)
    line, back = y0 + slope * (at - x0), y1 + slope * (at - x1)
    level = ops.logical_and(ops.eq(y0, y1), ops.logical_not(ops.isnan(at)))
    back = ops.where(ops.logical_and(ops.isnan(back), level), y0, back)
    met = ops.where(ops.eq(at, x0), y0, ops.where(ops.eq(at, x1), y1, back))
    return ops.where(same, y1, ops.where(ops.isnan(line), met, line))


_CLOSE = "a, b, rtol=1e-05, atol=1e-08, equal_nan=False"

ROWS = {
    **rows("a, a_min=None, a_max=None, out=None, *, min=None, max=None", clip=_clip),
    **rows("condition, x=None, y=None", where=_where),
    **rows("a, decimals=0, out=None", round=_round, around=_round),
    **rows(
        "x, copy=True, nan=0.0, posinf=None, neginf=None", nan_to_num=lambda **given: ops.nan_to_num(*given.values())
    ),
    **rows(_CLOSE, isclose=lambda **given: ops.isclose(*given.values())),
    **rows(_CLOSE, allclose=lambda **given: ops.allclose(*given.values())),
    **rows("a1, a2, equal_nan=False", array_equal=_array_equal),
    **rows("x, xp, fp, left=None, right=None, period=None", interp=_interp),
    **rows("z, deg=False", angle=lambda z, deg: ops.rad2deg(ops.angle(z)) if deg else ops.angle(z)),
    **rows("val", real=lambda val: as_node(val)),
    **rows("x", i0=lambda x: ops.i0(x), sinc=lambda x: ops.sinc(x)),
    **rows("x, out=None", fix=lambda x: ops.trunc(x)),
}
