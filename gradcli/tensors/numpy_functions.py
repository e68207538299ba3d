"""NumPy's functions of tensors: NumPy's arguments in NumPy's order, answered with the operations of the registry.

Where NumPy means something else than PyTorch by a name or an argument, NumPy's meaning counts here; what has none is
refused, so that nothing is computed that a reader of NumPy's documentation would not expect.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from gradcli.errors import GradcliError
from gradcli.graph.arguments import as_int, as_node
from gradcli.graph.dtypes import check_dtype
from gradcli.graph.infer import cast
from gradcli.graph.node import Node
from gradcli.graph.op import OPS, Op
from gradcli.graph.signature import Signature
from gradcli.ops.create import full, full_like, ones_like, zeros_like
from gradcli.ops.diagonal import diagonal, trace, tril, triu
from gradcli.ops.einsum import einsum
from gradcli.ops.elementwise import abs_, clamp, clone, isnan, mul, ne, reciprocal, round_, sign, where
from gradcli.ops.linalg import det, inv
from gradcli.ops.matmul import matmul, outer, tensordot
from gradcli.ops.more_elementwise import heaviside
from gradcli.ops.reduce import all_, amax, amin, any_, argmax, argmin, count_nonzero, cumprod, cumsum, mean, prod, sum_
from gradcli.ops.shape import (
    cat,
    expand,
    flip,
    movedim,
    permute,
    reshape,
    roll,
    squeeze,
    stack,
    tile,
    transpose,
    unsqueeze,
)

# Names that NumPy has beside that of the row: `fabs` is for numbers that are not complex.
_MORE_UFUNCS = {"rint": round_, "conjugate": clone, "fabs": abs_}

# Arguments that ask for another way of computing or storing, with the values that ask for nothing.
_FIXED: dict[str, tuple[Any, ...]] = {
    "out": (None,),
    "initial": (None,),
    "where": (None, True),
    "order": ("C", "K"),
    "copy": (None, True),
    "casting": ("same_kind",),
    "subok": (None, True, False),
    "device": (None, "cpu"),
}

_HINT = "use gradcli's functions, or x.detach().numpy()"


class _Row(NamedTuple):
    """A function: its arguments, as NumPy has them, and what answers those that are not fixed."""

    text: str
    answer: Callable[..., Any]


def numpy_function(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What a function of NumPy gives for nodes; GradcliError where gradcli has no answer of the same meaning."""
    name = _name_of(function)
    row = _ROWS.get(name)
    if row is None:
        raise GradcliError(f"numpy.{name} has no gradient here", hint=_HINT)
    signature = Signature(f"numpy.{name}", row.text)
    given = dict(zip(signature.names, signature.bind(args, kwargs), strict=True))
    for word in given.keys() & _FIXED.keys():
        value = given.pop(word)
        if not any(value is same or (isinstance(value, str) and value == same) for same in _FIXED[word]):
            raise GradcliError(f"numpy.{name} with {word}= has no gradient here", hint=_HINT, argument=word)
    return row.answer(**given)


def numpy_ufunc(ufunc: Any, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What a ufunc of NumPy gives for nodes."""
    name = ufunc.__name__
    if method == "__call__" and not kwargs:
        if name in _OWN_UFUNCS:
            return _OWN_UFUNCS[name](*args)
        op = _MORE_UFUNCS.get(name) or OPS.get(name) or _by_numpy().get(name)
        if op is not None:
            return op(*args)
    raise GradcliError(f"numpy.{name} has no gradient here", hint=_HINT)


@cache
def _by_numpy() -> dict[str, Op]:
    """The rows whose kernel is a ufunc, or computes what one does, by NumPy's name."""
    return {op.numpy: op for op in OPS.values() if op.numpy is not None and op.public}


def _name_of(function: Any) -> str:
    """The name below `numpy`, such as sum or linalg.inv."""
    module = getattr(function, "__module__", None) or ""
    return f"{module}.{function.__name__}".removeprefix("numpy.")


# Arguments ------------------------------------------------------------------------------------------------------------


def _axis(axis: Any, ndim: int) -> int:
    """An axis counted from the left; in NumPy a tensor without dimensions has none."""
    axis = as_int(axis, "axis")
    if not -ndim <= axis < ndim:
        raise GradcliError(f"axis {axis} is out of range for an array of {ndim} dimensions", argument="axis")
    return axis % ndim


def _axes(axis: Any, ndim: int) -> tuple[int, ...]:
    """One axis or several, each once."""
    axes = tuple([_axis(a, ndim) for a in (axis if isinstance(axis, tuple | list) else (axis,))])
    if len(set(axes)) != len(axes):
        raise GradcliError(f"axis {max(axes, key=axes.count)} appears twice", argument="axis")
    return axes


def _dtype(dtype: Any) -> np.dtype | None:
    """NumPy's meaning of a dtype: float is float64, int is int64."""
    if dtype is None:
        return None
    try:
        found = np.dtype(dtype)
    except (TypeError, ValueError):
        raise GradcliError("dtype must name a dtype such as float64", argument="dtype") from None
    check_dtype(found)
    return found


def _in_dtype(a: Any, dtype: Any) -> Node:
    target = _dtype(dtype)
    return as_node(a) if target is None else cast(as_node(a), target)


def _sequence(arrays: Any, name: str) -> list[Node]:
    if not isinstance(arrays, tuple | list) or not arrays:
        raise GradcliError(f"numpy.{name} takes a list of arrays", hint=f"as in numpy.{name}([x, y])")
    return [as_node(a) for a in arrays]


# Reductions -----------------------------------------------------------------------------------------------------------


def _reduction(op: Op) -> Callable[..., Any]:
    """A reduction over all axes, one or several; over none of them where `axis` is (), unlike PyTorch."""

    def answer(a: Any, axis: Any, keepdims: Any = False, dtype: Any = None) -> Any:
        x = _in_dtype(a, dtype)
        if axis is None:
            return op(x, None, keepdims)
        axes = _axes(axis, x.ndim)
        # A new axis of length 1 makes single elements of what is reduced.
        return op(x, axes, keepdims) if axes else op(unsqueeze(x, -1), (-1,))

    return answer


def _counted(op: Op) -> Callable[..., Any]:
    return lambda a, axis, keepdims: _reduction(sum_)(ne(a, 0), axis, keepdims)


def _arg(op: Op) -> Callable[..., Any]:
    def answer(a: Any, axis: Any, keepdims: Any) -> Any:
        x = as_node(a)
        return op(x, None if axis is None else _axis(axis, x.ndim), keepdims)

    return answer


def _running(op: Op) -> Callable[..., Any]:
    """A running sum or product, of the flattened array without an axis."""

    def answer(a: Any, axis: Any, dtype: Any) -> Any:
        x = _in_dtype(a, dtype)
        flat = reshape(x, -1) if axis is None else x
        return op(flat, 0 if axis is None else _axis(axis, x.ndim))

    return answer


# Shapes ---------------------------------------------------------------------------------------------------------------


def _squeeze(a: Any, axis: Any) -> Any:
    x = as_node(a)
    axes = [d for d in range(x.ndim) if x.shape[d] == 1] if axis is None else _axes(axis, x.ndim)
    long = [d for d in axes if x.shape[d] != 1]
    if long:
        raise GradcliError(f"axis {long[0]} has length {x.shape[long[0]]} and cannot be squeezed", argument="axis")
    return reshape(x, tuple([n for d, n in enumerate(x.shape) if d not in axes]))


def _transpose(a: Any, axes: Any) -> Any:
    x = as_node(a)
    order = tuple(reversed(range(x.ndim))) if axes is None else _axes(axes, x.ndim)
    if len(order) != x.ndim:
        raise GradcliError(f"numpy.transpose needs each of the {x.ndim} axes once", argument="axes")
    return permute(x, order)


def _swapaxes(a: Any, axis1: Any, axis2: Any) -> Any:
    x = as_node(a)
    return transpose(x, _axis(axis1, x.ndim), _axis(axis2, x.ndim))


def _moveaxis(a: Any, source: Any, destination: Any) -> Any:
    x = as_node(a)
    return movedim(x, _axes(source, x.ndim), _axes(destination, x.ndim))


def _flip(m: Any, axis: Any) -> Any:
    x = as_node(m)
    return flip(x, tuple(range(x.ndim)) if axis is None else _axes(axis, x.ndim))


def _roll(a: Any, shift: Any, axis: Any) -> Any:
    """Shifts and axes are paired as NumPy broadcasts them; those of one axis add up."""
    x = as_node(a)
    shifts = [as_int(s, "shift") for s in (shift if isinstance(shift, tuple | list) else (shift,))]
    if axis is None:
        return roll(x, sum(shifts))
    axes = [_axis(d, x.ndim) for d in (axis if isinstance(axis, tuple | list) else (axis,))]
    count = len(axes) if len(shifts) == 1 else len(shifts)
    if len(axes) not in (1, count):
        raise GradcliError(f"{len(shifts)} shifts and {len(axes)} axes do not fit", hint="one of them, or as many")
    totals: dict[int, int] = {}
    for d, s in zip(axes * (count if len(axes) == 1 else 1), shifts * (count if len(shifts) == 1 else 1), strict=True):
        totals[d] = totals.get(d, 0) + s
    return roll(x, tuple(totals.values()), tuple(totals)) if totals else x


def _broadcast_to(array: Any, shape: Any) -> Any:
    lengths = shape if isinstance(shape, tuple | list) else (shape,)
    if any(as_int(n, "shape") < 0 for n in lengths):
        raise GradcliError("a shape has no negative lengths", argument="shape")
    return expand(array, tuple(lengths))


def _concatenate(arrays: Any, axis: Any, dtype: Any) -> Any:
    parts = _sequence(arrays, "concatenate")
    if axis is None:
        parts, axis = [reshape(x, -1) for x in parts], 0
    if len({x.ndim for x in parts}) > 1:
        raise GradcliError("numpy.concatenate needs arrays of as many dimensions each")
    at = _axis(axis, parts[0].ndim)
    rest = {(*x.shape[:at], *x.shape[at + 1 :]) for x in parts}
    if len(rest) > 1:
        raise GradcliError("numpy.concatenate needs arrays of equal lengths along the other axes")
    return _in_dtype(cat(parts, at), dtype)


def _stack(arrays: Any, axis: Any, dtype: Any) -> Any:
    parts = _sequence(arrays, "stack")
    return _in_dtype(stack(parts, _axis(axis, parts[0].ndim + 1)), dtype)


# Others ---------------------------------------------------------------------------------------------------------------


def _where(condition: Any, x: Any, y: Any) -> Any:
    if x is None or y is None:
        raise GradcliError("numpy.where with a condition alone has no gradient here", hint=_HINT)
    return where(condition, x, y)


def _clip(a: Any, a_min: Any, a_max: Any, min: Any, max: Any) -> Any:
    if (a_min is not None and min is not None) or (a_max is not None and max is not None):
        raise GradcliError("numpy.clip got a bound twice")
    return clamp(a, a_min if min is None else min, a_max if max is None else max)


def _trace(a: Any, offset: Any, axis1: Any, axis2: Any, dtype: Any) -> Any:
    x = _in_dtype(a, dtype)
    if x.ndim < 2:
        raise GradcliError(f"numpy.trace needs at least 2 dimensions, the array has shape {x.shape}")
    return sum_(diagonal(x, offset, _axis(axis1, x.ndim), _axis(axis2, x.ndim)), -1)


def _dot(a: Any, b: Any) -> Any:
    x, y = as_node(a), as_node(b)
    if not x.ndim or not y.ndim:
        return mul(x, y)
    if x.ndim < 2 or y.ndim <= 2:
        return matmul(x, y)
    return tensordot(x, y, ((x.ndim - 1,), (y.ndim - 2,)))


def _outer(a: Any, b: Any) -> Any:
    return outer(reshape(a, -1), reshape(b, -1))


def _einsum(subscripts: Any, operands: Any, optimize: Any, dtype: Any) -> Any:
    if not isinstance(subscripts, str):
        raise GradcliError("numpy.einsum takes its subscripts as text here", hint="as in numpy.einsum('ij,j', A, x)")
    return einsum(subscripts, *[_in_dtype(x, dtype) for x in operands])


def _full_like(a: Any, fill_value: Any, dtype: Any, shape: Any) -> Any:
    x = as_node(a)
    number = fill_value.item() if isinstance(fill_value, np.generic) else fill_value
    return full(x.shape if shape is None else shape, number, dtype=_dtype(dtype) or x.dtype)


def _like(number: int) -> Callable[[Op], Callable[..., Any]]:
    return lambda op: lambda a, dtype, shape: _full_like(a, number, dtype, shape)


def _sign(x: Any) -> Any:
    """Unlike PyTorch's, which is 0 there, NumPy's sign of NaN is NaN."""
    node = as_node(x)
    signs = sign(node)
    return where(isnan(node), node, signs) if node.is_floating else signs


def _reciprocal(x: Any) -> Any:
    node = as_node(x)
    if not node.is_floating:
        hint = "convert it first, as in x.float()"
        raise GradcliError("numpy.reciprocal of integers rounds, and has no gradient here", hint=hint)
    return reciprocal(node)


def _heaviside(x: Any, values: Any) -> Any:
    """Unlike PyTorch's, which is 0 there, NumPy's step at NaN is NaN."""
    node = as_node(x)
    return where(isnan(node), node, heaviside(node, values))


#: Ufuncs that mean something else than the row.
_OWN_UFUNCS: dict[str, Callable[..., Any]] = {
    **{str(op.numpy): f for op, f in ((sign, _sign), (reciprocal, _reciprocal))},
    heaviside.name: _heaviside,
}

_SUMS = "a, axis=None, dtype=None, out=None, keepdims=False, initial=None, where=None"
_EXTREMES = "a, axis=None, out=None, keepdims=False, initial=None, where=None"
_TESTS = "a, axis=None, out=None, keepdims=False, *, where=None"
_ARGS = "a, axis=None, out=None, *, keepdims=False"
_RUNNING = "a, axis=None, dtype=None, out=None"
_LIKE = "dtype=None, order='K', subok=None, shape=None, *, device=None"


def _named(text: str, answer: Callable[[Op], Callable[..., Any]], *ops: Op) -> dict[str, _Row]:
    """Functions with the same arguments, by what their rows are called in NumPy."""
    return {str(op.numpy): _Row(text, answer(op)) for op in ops}


def _plain(op: Op) -> Callable[..., Any]:
    """The arguments of the row, in its order."""
    return lambda **given: op(*given.values())


_ROWS: dict[str, _Row] = {
    **_named(_SUMS, _reduction, sum_, prod),
    **_named("a, axis=None, dtype=None, out=None, keepdims=False, *, where=None", _reduction, mean),
    **_named(_EXTREMES, _reduction, amax, amin),
    "max": _Row(_EXTREMES, _reduction(amax)),
    "min": _Row(_EXTREMES, _reduction(amin)),
    **_named(_TESTS, _reduction, all_, any_),
    **_named("a, axis=None, *, keepdims=False", _counted, count_nonzero),
    **_named(_ARGS, _arg, argmax, argmin),
    **_named(_RUNNING, _running, cumsum, cumprod),
    **_named("A, reps", _plain, tile),
    **_named("m, k=0", _plain, tril, triu),
    **_named("a", _plain, inv, det),
    **_named("arrays, axis=0, out=None, *, dtype=None, casting='same_kind'", lambda op: _concatenate, cat),
    **_named("arrays, axis=0, out=None, *, dtype=None, casting='same_kind'", lambda op: _stack, stack),
    **_named("condition, x=None, y=None", lambda op: _where, where),
    **_named("m, axis=None", lambda op: _flip, flip),
    **_named("a, shift, axis=None", lambda op: _roll, roll),
    **_named("a, axis=None", lambda op: _squeeze, squeeze),
    **_named("array, shape, subok=None", lambda op: _broadcast_to, expand),
    **_named("a, offset=0, axis1=0, axis2=1, dtype=None, out=None", lambda op: _trace, trace),
    **_named("a, b, out=None", lambda op: _outer, outer),
    **_named("subscripts, *operands, out=None, optimize=None, dtype=None", lambda op: _einsum, einsum),
    **_named(f"a, {_LIKE}", _like(1), ones_like),
    **_named(f"a, {_LIKE}", _like(0), zeros_like),
    **_named(f"a, fill_value, {_LIKE}", lambda op: _full_like, full_like),
    # What is called otherwise here, or means more in NumPy.
    "reshape": _Row("a, shape, order='C', *, copy=None", lambda a, shape: reshape(a, shape)),
    "transpose": _Row("a, axes=None", _transpose),
    "swapaxes": _Row("a, axis1, axis2", _swapaxes),
    "moveaxis": _Row("a, source, destination", _moveaxis),
    "dot": _Row("a, b, out=None", _dot),
    "clip": _Row("a, a_min=None, a_max=None, out=None, *, min=None, max=None", _clip),
}
