"""Order: sorted elements, the largest, those of a rank, and where values stand among sorted ones."""

# Rows are laid out by hand.
# fmt: off

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from gradcli.errors import GradcliError, SizeError
from gradcli.graph.arguments import as_choice, as_flag, as_int, as_node, as_number, normalize_axis
from gradcli.graph.dtypes import BOOL, INT64
from gradcli.graph.infer import in_one_dtype
from gradcli.graph.native_forms import Dims
from gradcli.graph.node import Batched, Node, Operands, make, make_results
from gradcli.graph.op import WHOLE, Batching, Blocking, Op, Params
from gradcli.ops.batching import expanded, viewed, written_out
from gradcli.ops.blocking import except_along
from gradcli.ops.elementwise import clamp_max, detach, eq, isnan, logical_not, to, where
from gradcli.ops.family import call, composite, elementwise_layout, float_node, primitive
from gradcli.ops.gather import gathered, index_node, placed, selecting_vjp, take
from gradcli.ops.kernels import orders
from gradcli.ops.notation import spelling
from gradcli.ops.reduce import check_count, reduced_shape, reduction, sum_
from gradcli.ops.shape import reshape, unsqueeze

INT32 = np.dtype(np.int32)


def _lined(x: Any, dim: int) -> Any:
    """The array with a dimension last, its elements side by side; one without dimensions has one of them."""
    return np.ascontiguousarray(np.moveaxis(x, dim, -1)) if x.ndim else x.reshape(1)


def _back(found: Any, x: Any, dim: int) -> Any:
    return np.moveaxis(found, -1, dim) if x.ndim else found.reshape(())


def _along(input: Any, dim: Any) -> tuple[Node, int]:
    x = as_node(input)
    return x, normalize_axis(dim, x.ndim)


def _reduced_vjp(g: Any, out: Any, x: Node, dim: int, keepdim: bool, **how: Any) -> tuple[Node | None]:
    if g.values is None or not x.ndim:
        return (g.values,)
    there, back = (n if keepdim else unsqueeze(n, dim) for n in (out.indices, g.values))
    return (placed(back, there, x.shape, dim),)


# Sorted ---------------------------------------------------------------------------------------------------------------


def _sort_kernel(x: Any, dim: int, descending: bool, name: str, wanted: tuple[bool, ...] = (True, True)) -> Any:
    lined = _lined(x, dim)
    values = orders.sorted_values(lined, descending) if wanted == (True, False) else None
    if values is not None:
        return _back(values, x, dim), None
    order = orders.order(lined, descending)
    picked = orders.taken(lined, order) if wanted[0] else None
    return None if picked is None else _back(picked, x, dim), _back(order, x, dim)


def _sort(input: Any, dim: Any, descending: Any, stable: Any) -> Any:
    x, axis = _along(input, dim)
    # All sorting is stable; PyTorch only calls it another way where that is asked for.
    name = "SortBackward0" if stable is None else "SortBackward1"
    if stable is not None:
        as_flag(stable, "stable")
    return make_results(sort, (x,), {"dim": axis, "descending": as_flag(descending, "descending"), "name": name})


def _topk_kernel(
    x: Any, k: int, dim: int, largest: bool, sorted: bool, wanted: tuple[bool, ...] = (True, True)
) -> Any:
    lined = _lined(x, dim)
    order = orders.first(lined, k, largest, sorted)
    return _back(orders.taken(lined, order), x, dim), _back(order, x, dim)


def _topk_infer(inputs: tuple[Node, ...], params: Params) -> Any:
    x, dim = inputs[0], params["dim"]
    shape = (*x.shape[:dim], params["k"], *x.shape[dim + 1 :]) if x.ndim else ()
    return (shape, x.dtype), (shape, INT64)


def _topk(input: Any, k: Any, dim: Any, largest: Any, sorted: Any) -> Any:
    x, axis = _along(input, dim)
    number, length = as_int(k, "k"), x.shape[axis] if x.ndim else 1
    if not (1 if not x.ndim else 0) <= number <= length:
        raise SizeError("topk() takes {} of the {} elements of dimension {}", number, length, axis, argument="k")
    flags = {"largest": as_flag(largest, "largest"), "sorted": as_flag(sorted, "sorted")}
    return make_results(topk, (x,), {"k": number, "dim": axis, **flags})


sort: Op = primitive(
    "sort", _sort_kernel, lambda inputs, params: ((inputs[0].shape, inputs[0].dtype), (inputs[0].shape, INT64)),
    family="sorting", args="input, dim: dim=-1, descending=False, stable: flag=None", build=_sort,
    results=("values", "indices"), skips=True, vjp=selecting_vjp,
    grad_fn=lambda node: (node.params["name"], node.inputs), example=("sort(input, 0).values", "input:1"),
    doc="The pair (values, indices) of the elements in order along a dimension. Equal ones stay in their order, NaN "
    "comes after all numbers.",
    blocking=Blocking(except_along), cost=20.0, words=("sorted",), layout=elementwise_layout,
)
topk: Op = primitive(
    "topk", _topk_kernel, _topk_infer, family="sorting", args="input, k: int, dim: dim=-1, largest=True, sorted=True",
    build=_topk, results=("values", "indices"), skips=True, vjp=selecting_vjp, grad_fn="TopkBackward0",
    doc="The pair (values, indices) of the k largest elements along a dimension, or the smallest.",
    blocking=Blocking(except_along), cost=12.0, example=("topk(input, 2).values", "input:1"),
)
msort = composite(
    "msort", lambda input: sort(input, 0).values, family="sorting",
    doc="The elements in order along the first dimension.", example="input:1",
)
argsort = composite(
    "argsort", lambda input, dim, descending, stable: sort(input, dim, descending, stable).indices, family="sorting",
    args="input, dim: dim=-1, descending=False, stable: flag=None", numpy="argsort",
    doc="The indices that put the elements in order along a dimension.",
)


# Of a rank ------------------------------------------------------------------------------------------------------------


def _one_kernel(place: Callable[..., Any]) -> Any:
    """The element at a place along a dimension that a function of rows finds, and the place."""

    def kernel(x: Any, dim: int, keepdim: bool, wanted: tuple[bool, ...] = (True, True), **how: Any) -> Any:
        lined = _lined(x, dim)
        index = np.asarray(place(lined, **how))[..., None]
        found = np.take_along_axis(lined, index, -1), index
        return tuple([_back(r, x, dim) if keepdim or not x.ndim else r[..., 0] for r in found])

    return kernel


def _one_infer(inputs: tuple[Node, ...], params: Params) -> Any:
    x, dim = inputs[0], params["dim"]
    shape = reduced_shape(x.shape, (dim,), params["keepdim"]) if x.ndim else ()
    return (shape, x.dtype), (shape, INT64)


def _one_follow(node: Node, dim: int) -> Dims | None:
    own = node.params["dim"]
    if node.params["keepdim"]:
        return None if dim == own else (dim,)
    return (dim + (dim >= own),)


def _one_of(name: str, place: Callable[..., Any], doc: str, **row: Any) -> Op:
    """A row that picks an element along a dimension and tells where it is; `place` finds it in rows."""
    return primitive(
        name, _one_kernel(place), _one_infer, family="sorting", results=("values", "indices"), vjp=_reduced_vjp,
        doc=doc, blocking=Blocking(_one_follow), cost=12.0, **row,
    )


def _one_along(op: Op, input: Any, dim: Any, keepdim: Any, **how: Any) -> Any:
    x, axis = _along(input, dim)
    if x.ndim:
        check_count(op.plain_name, x, (axis,))
    return make_results(op, (x,), {"dim": axis, "keepdim": as_flag(keepdim, "keepdim"), **how})


def _kthvalue(input: Any, k: Any, dim: Any, keepdim: Any) -> Any:
    x, axis = _along(input, dim)
    rank, length = as_int(k, "k"), x.shape[axis] if x.ndim else 1
    if not 1 <= rank <= length:
        raise SizeError("kthvalue() has a k from 1 to {}, got {}", length, rank, argument="k")
    return _one_along(kthvalue, x, axis, keepdim, k=rank)


def _middle(x: Any) -> Any:
    """The lower one of two in the middle; the first NaN if there is one."""
    found = orders.at_rank(x, (x.shape[-1] - 1) // 2)
    if x.dtype.kind != "f":
        return found
    missing = x != x
    return np.where(missing.any(-1), missing.argmax(-1), found)


def _median_row(name: str, place: Callable[..., Any], doc: str) -> Op:
    """The median of all elements, or along a dimension."""

    def kernel(x: Any, dim: Any, keepdim: Any, axis_given: bool) -> Any:
        return x.reshape(-1)[place(np.ascontiguousarray(x).reshape(-1))] if x.size else np.asarray(np.nan, x.dtype)

    def build(input: Any, dim: Any, keepdim: Any) -> Any:
        return whole(input) if dim is None else _one_along(along, input, dim, keepdim)

    def whole(input: Any) -> Node:
        x = as_node(input)
        if not x.is_floating:
            check_count(name, x, tuple(range(x.ndim)))
        return make(op, (x,), {"dim": tuple(range(x.ndim)), "keepdim": False, "axis_given": False})

    along = _one_of(
        f"_{name}", place, f"The {name} along a dimension, and where it is.", args="input, dim, keepdim=False",
        grad_fn=f"{name.capitalize()}Backward1", formula=lambda c, s: c.call(s, f"{name}.{s.result}"),
    )
    op: Op = reduction(
        name, kernel, args="input, dim: dim=None, keepdim=False", build=build, doc=doc, vjp=_share_median,
        grad_fn=f"{name.capitalize()}Backward0", blocking=WHOLE, textbook=_median_textbook,
        text=lambda w, c: (spelling.usual if isinstance(c.params["dim"], int) else spelling.reduced)(w, c),
    )
    return op


def _median_textbook(g: Node, out: Node, x: Node, dim: Any, keepdim: Any, axis_given: bool) -> tuple[Node]:
    share = to(eq(x, out), x.dtype)
    return (g * share / sum_(share),)


def _share_median(g: Node, out: Node, x: Node, dim: Any, keepdim: Any, axis_given: bool) -> tuple[Node]:
    """All elements equal to the median share the gradient evenly."""
    share = to(where(isnan(out), isnan(x), eq(x, out)), x.dtype)
    return (g * (share / sum_(share)),)


kthvalue: Op = _one_of(
    "kthvalue", lambda x, k: orders.at_rank(x, k - 1),
    "The pair (values, indices) of the k-th smallest elements along a dimension, counted from 1; of equal ones the "
    "index is that in a stable order.",
    args="input, k: int, dim: dim=-1, keepdim=False", build=_kthvalue, example=("kthvalue(input, 1).values", "input:1"),
    grad_fn="KthvalueBackward0",
)
median = _median_row(
    "median", _middle,
    "The median, the lower one of two in the middle; equal elements share the gradient evenly. With dim the pair "
    "(values, indices). NaN if any element is.",
)
nanmedian = _median_row(
    "nanmedian", lambda x: orders.at_rank(x, np.maximum(np.count_nonzero(x == x, -1) - 1, 0) // 2),
    "The median of the elements that are not NaN; with dim the pair (values, indices).",
)
mode: Op = _one_of(
    "mode", orders.commonest,
    "The pair (values, indices) of the most frequent elements along a dimension, the smallest of equally "
    "frequent ones, and their last indices.",
    args="input, dim: dim=-1, keepdim=False", grad_fn="ModeBackward0",
    build=lambda input, dim, keepdim: _one_along(mode, input, dim, keepdim), example=("mode(input).values", "input:1"),
)


# Among sorted values --------------------------------------------------------------------------------------------------


def _searched(sequence: Any, values: Any, right: bool, dtype: Any) -> Any:
    side: Literal["left", "right"] = "right" if right else "left"
    if sequence.ndim == 1:
        return np.searchsorted(sequence, values, side).astype(dtype)
    count = math.prod(values.shape[:-1])
    rows, wanted = sequence.reshape(count, sequence.shape[-1]), values.reshape(count, values.shape[-1])
    found = np.empty(wanted.shape, dtype)
    for k, (row, value) in enumerate(zip(rows, wanted, strict=True)):
        found[k] = np.searchsorted(row, value, side)
    return found.reshape(values.shape)


def _searched_follow(node: Node, dim: int) -> Dims | None:
    sequence = node.inputs[0]
    if sequence.ndim > 1:
        return (dim, dim) if dim < node.ndim - 1 else (None, dim)
    return None, dim


def _searched_batch(node: Node, operands: Operands) -> Batched:
    """One sequence for all members as it is; else each in front of the values of its member, in one row of them."""
    (first, second), seed = written_out(operands)
    sequence, values = node.inputs
    wanted = values if second is None else second.node
    if first is not None:
        row = values.shape if sequence.ndim > 1 else (values.size,)
        wanted = viewed(expanded(wanted, (*seed, *values.shape)), (*seed, *row))
        sequence = expanded(first.node, (*seed, *sequence.shape))
    elif sequence.ndim > 1:
        sequence = expanded(sequence, (*seed, *sequence.shape))
    return Batched(viewed(make(node.op, (sequence, wanted), node.params), (*seed, *values.shape)), (None,) * node.ndim)


def _searchsorted(sorted_sequence: Any, values: Any, out_int32: Any, right: Any, side: Any, sorter: Any) -> Node:
    sequence, wanted = as_node(sorted_sequence), as_node(values)
    flag = as_flag(right, "right")
    if side is not None:
        chosen = as_choice(side, "side", ("left", "right")) == "right"
        if flag and not chosen:
            raise GradcliError("right=True cannot be combined with side='left'", argument="side")
        flag = chosen
    if not sequence.ndim or (sequence.ndim > 1 and sequence.shape[:-1] != wanted.shape[:-1]):
        hint = "one sequence for all values, or one for each row of them"
        raise SizeError("sequences of shape {} do not fit values of shape {}", sequence.shape, wanted.shape, hint=hint)
    if sorter is not None:
        order = index_node(sorter, "sorter")
        if order.shape != sequence.shape:
            raise SizeError("sorter has shape {}, the sequence {}", order.shape, sequence.shape, argument="sorter")
        sequence = gathered(sequence, sequence.ndim - 1, order)
    number = INT32 if as_flag(out_int32, "out_int32") else INT64
    return make(searched, tuple(in_one_dtype(sequence, wanted)), {"right": flag, "dtype": number})


searched: Op = primitive(
    "_searched", _searched, lambda inputs, params: (inputs[1].shape, params["dtype"]), family="sorting",
    args="sorted_sequence, values", doc="Where values belong in sorted sequences.", blocking=Blocking(_searched_follow),
    batching=Batching(_searched_batch), formula=lambda c, s: c.call(s, "searchsorted", {"right": s.params["right"]}),
)
searchsorted = composite(
    "searchsorted", _searchsorted, family="sorting",
    args="sorted_sequence: tensor, values: tensor, *, out_int32=False, right=False, side: side=None, "
    "sorter: tensor=None",
    doc="Where values belong in a sorted sequence, or in one for each row: the index of the first element that is not "
    "smaller, with right of the first that is larger.",
    example="sorted_sequence:1 values:1",
)
bucketize = composite(
    "bucketize",
    lambda input, boundaries, out_int32, right: _searchsorted(boundaries, input, out_int32, right, None, None),
    args="input, boundaries: tensor, *, out_int32=False, right=False", family="sorting",
    doc="The bucket of each element between sorted boundaries.",
    example="input:1 boundaries:1",
)


def _isin(elements: Any, test_elements: Any, assume_unique: Any, invert: Any) -> Node:
    sequence, x = in_one_dtype(reshape(as_node(test_elements), (-1,)), as_node(elements))
    as_flag(assume_unique, "assume_unique")
    there: Node = call("zeros", x.shape, dtype=BOOL)
    if sequence.size:
        # Looked up among sorted ones, not compared with each.
        known = sort(detach(sequence)).values
        places = _searchsorted(known, detach(x), False, False, None, None)
        there = eq(take(known, clamp_max(places, sequence.size - 1)), detach(x))
    return logical_not(there) if as_flag(invert, "invert") else there


isin = composite(
    "isin", _isin, args="elements: tensor, test_elements: tensor, *, assume_unique=False, invert=False",
    family="sorting", doc="Whether each element is among others; with invert, whether it is not.",
    example="elements:1 test_elements:1", numpy="isin",
)


def _histc(input: Any, bins: Any, min: Any, max: Any) -> Node:
    number = as_int(bins, "bins")
    if number < 1:
        raise GradcliError(f"bins must be positive, got {number}", argument="bins")
    low, high = as_number(min, "min"), as_number(max, "max")
    if not low <= high < np.inf or low == -np.inf:
        raise GradcliError(f"histc() needs finite ends, min below max, got {low:g} and {high:g}", argument="max")
    return make(histc, (float_node(input, "histc"),), {"bins": number, "min": low, "max": high})


def _histc_kernel(x: Any, bins: int, min: float, max: float) -> Any:
    if min == max:
        min, max = (float(x.min()), float(x.max())) if x.size else (0.0, 1.0)
        if not (np.isfinite(min) and np.isfinite(max)):
            raise GradcliError(f"the range of histc() is not finite: [{min:g}, {max:g}]", hint="give min and max")
        if min == max:
            # All are the same, and a neighbour on each side may not be another number.
            x, min, max = x - x.dtype.type(min), -1.0, 1.0
    if not np.spacing(np.fmax(abs(min), abs(max))) < (max - min) / bins < np.inf:
        raise GradcliError(f"{bins} bins between {min:g} and {max:g} have no width", hint="give other ends")
    return np.histogram(x.astype(np.float64), bins, (min, max))[0].astype(x.dtype)


histc: Op = primitive(
    "histc", _histc_kernel, lambda inputs, params: ((params["bins"],), inputs[0].dtype), family="sorting", build=_histc,
    args="input, bins: int=100, min: low=0, max: number=0",
    doc="How many elements lie in each of so many bins between min and max, or between the smallest and the largest.",
    words=("histogram",),
)
