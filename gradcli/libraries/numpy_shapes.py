"""NumPy's functions that move elements: shapes and axes, arrays put together and taken apart, elements picked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gradcli.errors import GradcliError
from gradcli.graph.arguments import as_int, as_node
from gradcli.graph.node import CONSTANT, MAX_DIMENSIONS
from gradcli.libraries.numpy_arguments import as_arrays, as_axes, as_axis, as_lengths, in_dtype, ops, plain, rows


def _squeeze(a: Any, axis: Any) -> Any:
    x = as_node(a)
    axes = [d for d in range(x.ndim) if x.shape[d] == 1] if axis is None else as_axes(axis, x.ndim)
    long = [d for d in axes if x.shape[d] != 1]
    if long:
        raise GradcliError(f"axis {long[0]} has length {x.shape[long[0]]} and cannot be squeezed", argument="axis")
    return ops.reshape(x, tuple([n for d, n in enumerate(x.shape) if d not in axes]))


def _expand_dims(a: Any, axis: Any) -> Any:
    x = as_node(a)
    count = len(axis) if isinstance(axis, tuple | list) else 1
    axes, lengths = as_axes(axis, x.ndim + count), iter(x.shape)
    return ops.reshape(x, tuple([1 if d in axes else next(lengths) for d in range(x.ndim + count)]))


def _transpose(a: Any, axes: Any) -> Any:
    x = as_node(a)
    order = tuple(reversed(range(x.ndim))) if axes is None else as_axes(axes, x.ndim)
    if len(order) != x.ndim:
        raise GradcliError(f"numpy.transpose needs each of the {x.ndim} axes once", argument="axes")
    return ops.permute(x, order)


def _swapaxes(a: Any, axis1: Any, axis2: Any) -> Any:
    x = as_node(a)
    return ops.transpose(x, as_axis(axis1, x.ndim), as_axis(axis2, x.ndim))


def _matrix_transpose(x: Any) -> Any:
    return _swapaxes(x, -1, -2)


def _moveaxis(a: Any, source: Any, destination: Any) -> Any:
    x = as_node(a)
    return ops.movedim(x, as_axes(source, x.ndim), as_axes(destination, x.ndim))


def _flip(m: Any, axis: Any) -> Any:
    x = as_node(m)
    return ops.flip(x, as_axes(axis, x.ndim))


def _rot90(m: Any, k: Any, axes: Any) -> Any:
    x = as_node(m)
    return ops.rot90(x, as_int(k, "k"), (0, 1) if axes is None else as_axes(axes, x.ndim))


def _roll(a: Any, shift: Any, axis: Any) -> Any:
    """Shifts and axes are paired as NumPy broadcasts them; those of one axis add up."""
    x = as_node(a)
    shifts = [as_int(s, "shift") for s in (shift if isinstance(shift, tuple | list) else (shift,))]
    if axis is None:
        return ops.roll(x, sum(shifts))
    axes = [as_axis(d, x.ndim) for d in (axis if isinstance(axis, tuple | list) else (axis,))]
    count = len(axes) if len(shifts) == 1 else len(shifts)
    if len(axes) not in (1, count):
        raise GradcliError(f"{len(shifts)} shifts and {len(axes)} axes do not fit", hint="one of them, or as many")
    totals: dict[int, int] = {}
    for d, s in zip(axes * (count if len(axes) == 1 else 1), shifts * (count if len(shifts) == 1 else 1), strict=True):
        totals[d] = totals.get(d, 0) + s
    return ops.roll(x, tuple(totals.values()), tuple(totals)) if totals else x


# Together and apart ---------------------------------------------------------------------------------------------------


def _concatenate(arrays: Any, axis: Any, dtype: Any = None) -> Any:
    parts = as_arrays(arrays, "numpy.concatenate")
    if axis is None:
        parts, axis = [ops.reshape(x, -1) for x in parts], 0
    if len({x.ndim for x in parts}) > 1:
        raise GradcliError("numpy.concatenate needs arrays of as many dimensions each")
    at = as_axis(axis, parts[0].ndim)
    rest = {(*x.shape[:at], *x.shape[at + 1 :]) for x in parts}
    if len(rest) > 1:
        raise GradcliError("numpy.concatenate needs arrays of equal lengths along the other axes")
    return in_dtype(ops.cat(parts, at), dtype)


def _stack(arrays: Any, axis: Any, dtype: Any) -> Any:
    parts = as_arrays(arrays, "numpy.stack")
    return in_dtype(ops.stack(parts, as_axis(axis, parts[0].ndim + 1)), dtype)


def _stacked(name: str) -> Callable[..., Any]:
    """PyTorch's function of the same name stacks as NumPy's does."""
    return lambda tup, dtype=None: in_dtype(getattr(ops, name)(as_arrays(tup, f"numpy.{name}")), dtype)


def _block(arrays: Any) -> Any:
    """Innermost lists go along the last axis, those around them along the one before, and so on."""
    levels: list[list[Any]] = [[arrays]]
    while levels[-1] and all(isinstance(item, list) for item in levels[-1]):
        levels.append([item for row in levels[-1] for item in row])
    depth, leaves = len(levels) - 1, levels[-1]
    if any(isinstance(item, list) for item in leaves):
        raise GradcliError("numpy.block takes lists that are nested equally deep", hint="for example, [[A, B], [C, D]]")
    ndim = max([depth, *(as_node(x).ndim for x in leaves)])
    if ndim > MAX_DIMENSIONS:
        raise GradcliError(f"a list is nested more than {MAX_DIMENSIONS} levels deep")
    parts = [ops.reshape(x, (1,) * (ndim - as_node(x).ndim) + as_node(x).shape) for x in leaves]
    for axis, level in enumerate(reversed(levels[:-1]), 1):
        rest = iter(parts)
        parts = [_concatenate([next(rest) for _ in row], -axis) for row in level]
    return parts[0]


def _split(exact: bool, at: int | None = None) -> Callable[..., Any]:
    """In so many parts, equal ones if `exact`, or at the given places."""

    def answer(ary: Any, indices_or_sections: Any, axis: Any = at) -> Any:
        x, parts = as_node(ary), indices_or_sections
        if at is not None and x.ndim <= at:
            raise GradcliError(f"an array of {at + 1} or more dimensions is needed, this one has {x.ndim}")
        d = as_axis(axis, x.ndim)
        if isinstance(parts, list | tuple):
            return ops.tensor_split(x, tuple([as_int(p, "indices") for p in parts]), d)
        count = as_int(parts, "sections")
        if exact and (count <= 0 or x.shape[d] % count):
            hint = "numpy.array_split takes any number, and places to split at are given as a list"
            raise GradcliError(f"{x.shape[d]} elements cannot be split in {count} equal parts", hint=hint)
        return ops.tensor_split(x, count, d)

    return answer


def _hsplit(ary: Any, indices_or_sections: Any) -> Any:
    return _split(True)(ary, indices_or_sections, 1 if as_node(ary).ndim > 1 else 0)


def _unstack(x: Any, axis: Any) -> Any:
    node = as_node(x)
    return ops.unbind(node, as_axis(axis, node.ndim))


def _repeat(a: Any, repeats: Any, axis: Any) -> Any:
    x = as_node(a)
    return ops.repeat_interleave(x, repeats, None if axis is None else as_axis(axis, x.ndim))


def _pad(array: Any, pad_width: Any, mode: Any, constant_values: Any) -> Any:
    """Numbers of elements before and after: one for all axes, a pair, or a pair for each axis."""
    x = as_node(array)
    pairs = pad_width if isinstance(pad_width, list | tuple) else (pad_width,)
    if not any(isinstance(pair, list | tuple) for pair in pairs):
        pairs = [tuple(pairs) * (2 if len(pairs) == 1 else 1)]
    pairs = [tuple(p) * (2 if len(p) == 1 else 1) if isinstance(p, list | tuple) else (p, p) for p in pairs]
    if len(pairs) not in (1, x.ndim):
        raise GradcliError(f"pad_width has {len(pairs)} pairs for {x.ndim} axes", argument="pad_width")
    widths = [as_int(n, "pad_width") for pair in reversed(list(pairs) * (x.ndim // len(pairs))) for n in pair]
    if any(n < 0 for n in widths):
        raise GradcliError("pad_width has a negative number", argument="pad_width")
    if mode != "constant":
        hint = "nn.functional.pad has the modes 'reflect', 'replicate' and 'circular'"
        raise GradcliError(f"numpy.pad takes mode='constant' here, not {mode!r}", hint=hint, argument="mode")
    return ops.pad(x, widths, "constant", constant_values)


def _meshgrid(xi: Any, indexing: Any) -> Any:
    return ops.meshgrid(*[ops.reshape(x, -1) for x in xi], indexing=indexing)


# Elements -------------------------------------------------------------------------------------------------------------


def _take(a: Any, indices: Any, axis: Any, mode: Any) -> Any:
    if mode not in (None, "raise", "fill"):
        raise GradcliError(f"numpy.take has no mode={mode!r} here", hint="take indices within the array")
    x = as_node(a)
    flat, at = (ops.reshape(x, -1), 0) if axis is None else (x, as_axis(axis, x.ndim))
    return ops.getitem(flat, (*(slice(None),) * at, indices))


def _take_along_axis(arr: Any, indices: Any, axis: Any) -> Any:
    x = as_node(arr)
    return ops.take_along_dim(x, _whole(indices), None if axis is None else as_axis(axis, x.ndim))


def _whole(indices: Any) -> Any:
    """Indices written as a list: float32 like all literals."""
    return ops.long(as_node(indices)) if isinstance(indices, list | tuple) else indices


def _diagonal(a: Any, offset: Any, axis1: Any, axis2: Any) -> Any:
    x = as_node(a)
    if x.ndim < 2:
        raise GradcliError(f"numpy.diagonal needs at least 2 dimensions, the array has shape {x.shape}")
    return ops.diagonal(x, as_int(offset, "offset"), as_axis(axis1, x.ndim), as_axis(axis2, x.ndim))


def _sort(a: Any, axis: Any) -> Any:
    x = as_node(a)
    return ops.sort(ops.reshape(x, -1)).values if axis is None else ops.sort(x, as_axis(axis, x.ndim)).values


def _argsort(a: Any, axis: Any) -> Any:
    x = as_node(a)
    return ops.argsort(ops.reshape(x, -1)) if axis is None else ops.argsort(x, as_axis(axis, x.ndim), stable=True)


def _digitize(x: Any, bins: Any, right: Any) -> Any:
    """The number of the bin of each element: bins may go up or down."""
    edges = as_node(bins)
    if edges.ndim != 1:
        raise GradcliError(f"numpy.digitize takes bins of one dimension, not of shape {edges.shape}", argument="bins")
    up = ops.bucketize(x, edges, right=not right)
    if edges.size < 2:
        return up
    if edges.op is CONSTANT:
        steps = np.diff(edges.params["value"])
        if not ((steps >= 0).all() or (steps <= 0).all()):
            raise GradcliError("numpy.digitize takes bins that go up or down throughout", argument="bins")
    down = edges.size - ops.bucketize(x, ops.flip(edges, 0), right=not right)
    return ops.where(ops.select(edges, 0, 0) > ops.select(edges, 0, -1), down, up)


def _size(a: Any, axis: Any) -> Any:
    x = as_node(a)
    return x.size if axis is None else x.shape[as_axis(axis, x.ndim)]


_JOINED = "arrays, axis=0, out=None, *, dtype=None, casting='same_kind'"
_STACKED = "tup, *, dtype=None, casting='same_kind'"
_SPLIT = "ary, indices_or_sections"

ROWS = {
    **rows("a, shape, order='C', *, copy=None", reshape=lambda a, shape: ops.reshape(a, shape)),
    **rows("a, order='C'", ravel=lambda a: ops.reshape(a, -1)),
    **rows("a, axis=None", squeeze=_squeeze),
    **rows("a, axis", expand_dims=_expand_dims),
    **rows("a, axes=None", transpose=_transpose, permute_dims=_transpose),
    **rows("x", matrix_transpose=_matrix_transpose, linalg__matrix_transpose=_matrix_transpose),
    **rows("a, axis1, axis2", swapaxes=_swapaxes),
    **rows("a, source, destination", moveaxis=_moveaxis),
    **rows("m, axis=None", flip=_flip),
    **rows("m", flipud=plain("flipud"), fliplr=plain("fliplr")),
    **rows("m, k=1, axes=None", rot90=_rot90),
    **rows("a, shift, axis=None", roll=_roll),
    **rows("array, shape, subok=None", broadcast_to=lambda array, shape: ops.expand(array, as_lengths(shape))),
    **rows("*args, subok=None", broadcast_arrays=lambda args: ops.broadcast_tensors(*args)),
    **rows("*arys", atleast_1d=lambda arys: ops.atleast_1d(*arys), atleast_2d=lambda arys: ops.atleast_2d(*arys)),
    **rows("*arys", atleast_3d=lambda arys: ops.atleast_3d(*arys)),
    **rows(_JOINED, concatenate=_concatenate, concat=_concatenate, stack=_stack),
    **rows(_STACKED, hstack=_stacked("hstack"), vstack=_stacked("vstack"), row_stack=_stacked("vstack")),
    **rows("tup", dstack=_stacked("dstack"), column_stack=_stacked("column_stack")),
    **rows(
        "arr, values, axis=None", append=lambda arr, values, axis: _concatenate([as_node(arr), as_node(values)], axis)
    ),
    **rows("arrays", block=_block),
    **rows(f"{_SPLIT}, axis=0", split=_split(True), array_split=_split(False)),
    **rows(_SPLIT, hsplit=_hsplit, vsplit=_split(True, 0), dsplit=_split(True, 2)),
    **rows("x, *, axis=0", unstack=_unstack),
    **rows("A, reps", tile=plain("tile")),
    **rows("a, repeats, axis=None", repeat=_repeat),
    **rows("array, pad_width, mode='constant', *, constant_values=0", pad=_pad),
    **rows("*xi, copy=True, sparse=False, indexing='xy'", meshgrid=_meshgrid),
    **rows("a, indices, axis=None, out=None, mode=None", take=_take),
    **rows("arr, indices, axis=-1", take_along_axis=_take_along_axis),
    **rows("m, k=0", tril=plain("tril"), triu=plain("triu")),
    **rows("v, k=0", diag=plain("diag"), diagflat=plain("diagflat")),
    **rows("a, offset=0, axis1=0, axis2=1", diagonal=_diagonal),
    **rows("x, *, offset=0", linalg__diagonal=lambda x, offset: _diagonal(x, offset, -2, -1)),
    **rows("a, axis=-1, kind=None, order=None, *, stable=None", sort=_sort, argsort=_argsort),
    **rows(
        "a, v, side='left', sorter=None",
        searchsorted=lambda a, v, side, sorter: ops.searchsorted(a, v, side=side, sorter=sorter),
    ),
    **rows("x, bins, right=False", digitize=_digitize),
    **rows("a, axis=None", size=_size),
    **rows("a", shape=lambda a: as_node(a).shape, ndim=lambda a: as_node(a).ndim),
}
