"""Formulas of what picks and places elements: diagonals, slices, indices and classes, written with 0 and 1."""

from __future__ import annotations

from functools import partial, reduce
from typing import TYPE_CHECKING, Any

import numpy as np

from gradcli.errors import GradcliError
from gradcli.ops.formulas.reductions import summed

if TYPE_CHECKING:
    from gradcli.ops.formulas.interface import Application, Labelled, Size, TermMaker, Value

# Diagonals ------------------------------------------------------------------------------------------------------------


def trace(c: TermMaker, s: Application) -> Value:
    return summed(c, _diagonal(c, s, 0, 0, 1), [0], s.shapes[0])


def diagonal(c: TermMaker, s: Application) -> Value:
    return _diagonal(c, s, s.params["offset"], s.params["dim1"], s.params["dim2"])


def _diagonal(c: TermMaker, s: Application, offset: int, dim1: int, dim2: int) -> Value:
    (value,), (shape,) = s.inputs, s.shapes
    first, second = value.axes[dim1], value.axes[dim2]
    if offset or shape[dim1] != shape[dim2] or len(first) > 1 or len(second) > 1:
        if not s.shape:
            raise GradcliError("the trace of a matrix that is not square has no short formula")
        return c.call(s, "diagonal", {"offset": offset, "dim1": dim1, "dim2": dim2})
    labels = list(c.fresh(value.rank))
    if first and second:
        labels[second[0]] = labels[first[0]]
    axes = value.named(labels)
    rest = [group for k, group in enumerate(axes) if k not in (dim1, dim2)]
    return c.product([value.at(labels)], [*rest, axes[dim1] or axes[dim2]])


def on_diagonal(c: TermMaker, s: Application) -> Value:
    (value,) = s.inputs
    offset, dim1, dim2 = s.params["offset"], s.params["dim1"], s.params["dim2"]
    last = value.axes[-1]
    if s.shape[dim1] != s.shape[dim2]:
        raise GradcliError("the diagonal of a matrix that is not square has no short formula")
    if offset or len(last) > 1:
        return c.call(s, "diag_embed", {"offset": offset, "dim1": dim1, "dim2": dim2})
    labels = c.fresh(value.rank)
    (column,) = c.fresh(1)
    *groups, own = value.named(labels)
    (row,) = own or c.fresh(1)
    rest = iter(groups)
    ends = {min(dim1, dim2): (row,), max(dim1, dim2): (column,)}
    axes = [ends[k] if k in ends else next(rest) for k in range(len(s.shape))]
    return c.product([value.at(labels), c.eye(s.shape[dim1], row, column)], axes)


def eye(c: TermMaker, s: Application) -> Value:
    if s.shape[0] != s.shape[1]:
        return c.call(s, "eye", {"shape": s.shape})
    row, column = c.fresh(2)
    return c.closed(c.eye(s.shape[0], row, column), [(row,), (column,)])


# Slices ---------------------------------------------------------------------------------------------------------------


def selected(c: TermMaker, s: Application, dim: int, index: int) -> Value:
    (value,), (shape,) = s.inputs, s.shapes
    if not value.axes[dim]:
        return value.without((dim,))
    return c.call(s, "select", {"dim": dim, "index": index}, [n for k, n in enumerate(shape) if k != dim])


def sliced(c: TermMaker, s: Application) -> Value:
    (value,), dim = s.inputs, s.params["dim"]
    if not value.axes[dim]:
        return value
    if s.shape[dim] != 1:
        return c.call(s, "slice")
    one = selected(c, s, dim, s.params["start"])
    return one.with_axes([*one.axes[:dim], (), *one.axes[dim:]])


def embedded(c: TermMaker, s: Application) -> Value:
    """Zeros with a tensor put in: by a condition on the place, or joined from pieces."""
    (value,), (shape,) = s.inputs, s.shapes
    dim, start, stop, step = (s.params[k] for k in ("dim", "start", "stop", "step"))
    one, length = shape[dim] == 1, s.shape[dim]
    if value.axes[dim] and not one and step == 1:
        after = c.add((1, c.length(length)), (-1, c.length(stop))).term
        return c.call(s, "embed", {"dim": dim, "start": start, "after": after})
    if len(value.axes[dim]) > 1 and not one:
        value = c.whole(value, shape)
    labels = c.fresh(value.rank)
    (place,) = c.fresh(1)
    axes = list(value.named(labels))
    if one:
        mask = _one_hot(c, c.number(start), length, place)
    elif axes[dim]:
        count = c.arange(shape[dim], axes[dim][0])
        mask = _one_hot(c, c.add((1, c.number(start)), (step, count)), length, place)
    else:
        mask = _within(c, c.arange(length, place), start, stop, step, length)
    axes[dim] = (place,)
    return c.product([value.at(labels), mask], axes)


def _one_hot(c: TermMaker, index: Labelled, length: Size, label: int) -> Labelled:
    """1 where a place, counted along `label`, is the index."""
    return c.fn("one_hot", index, c.arange(length, label))


def _within(c: TermMaker, place: Labelled, start: Size, stop: Size, step: int, length: Size) -> Labelled:
    """True for the places of a slice."""
    conditions = []
    if start != 0:
        conditions.append(c.fn("ge", place, c.number(start)))
    if stop != length:
        conditions.append(c.fn("lt", place, c.number(stop)))
    if step != 1:
        rest = c.fn("remainder", c.add((1, place), (-1, c.number(start))), c.number(step))
        conditions.append(c.fn("eq", rest, c.number(0)))
    return reduce(partial(c.fn, "bitwise_and"), conditions) if conditions else c.number(1)


# Indices --------------------------------------------------------------------------------------------------------------


def indexed(c: TermMaker, s: Application) -> Value:
    return c.call(s, "index", {"dims": s.params["dims"], "rank": len(s.shapes[0])})


def index_added(c: TermMaker, s: Application) -> Value:
    """Elements put at lists of indices and added up: sums over one-hot matrices."""
    g, *indices = s.inputs
    dims, shape = s.params["dims"], s.shapes[0]
    picked = max(len(i.axes) for i in indices)
    at = dims[0] if dims == tuple(range(dims[0], dims[0] + len(dims))) else 0
    if any(len(group) > 1 for group in g.axes[at : at + picked]):
        g = c.whole(g, shape)
    along = g.without((*range(at), *range(at + picked, len(g.axes))))
    opens, inner = c.aligned([along, *indices], [shape[at : at + picked], *s.shapes[1:]], picked)
    labels = [own or other for own, other in zip(opens[0].labels, c.fresh(g.rank), strict=True)]
    factors = [g.at(labels)]
    places = dict(zip(dims, [(k,) for k in c.fresh(len(dims))], strict=True))
    for dim, index in zip(dims, opens[1:], strict=True):
        length = s.shape[dim]
        wrapped = index if _never_negative(index.term) else c.fn("remainder", index, c.length(length))
        factors.append(_one_hot(c, wrapped, length, *places[dim]))
    factors += [c.length(shape[at + k]) for k, group in enumerate(inner) if not group]
    groups = g.named(labels)
    rest = iter([*groups[:at], *groups[at + picked :]])
    return c.product(factors, [places[d] if d in places else next(rest) for d in range(len(s.shape))])


def _never_negative(term: Any) -> bool:
    if term.head == "const" and isinstance(term.data, tuple):
        dtype, _, data = term.data
        return bool(np.all(np.frombuffer(data, dtype) >= 0))
    if term.head == "prod":
        return not term.args and bool(term.data >= 0)
    return term.head == "call" and term.data[0] in ("argmax", "argmin")


# Windows --------------------------------------------------------------------------------------------------------------


def folded(c: TermMaker, s: Application) -> Value:
    """Windows put where they were taken, and added up: a sum over a one-hot matrix."""
    (value,), (shape,), dim = s.inputs, s.shapes, s.params["dim"]
    if len(value.axes[dim]) > 1 or len(value.axes[-1]) > 1:
        value = c.whole(value, shape)
    labels = c.fresh(value.rank)
    axes = list(value.named(labels))
    (window,), (inside,) = axes[dim] or c.fresh(1), axes[-1] or c.fresh(1)
    (place,) = c.fresh(1)
    there = c.add((s.params["step"], c.arange(shape[dim], window)), (1, c.arange(shape[-1], inside)))
    axes[dim] = (place,)
    return c.product([value.at(labels), _one_hot(c, there, s.shape[dim], place)], axes[:-1])


# Padding --------------------------------------------------------------------------------------------------------------


def padded(c: TermMaker, s: Application) -> Value:
    return c.call(s, "pad")


def padded_back(c: TermMaker, s: Application) -> Value:
    """What lies around a tensor added to where it was taken from: a sum over one-hot matrices."""
    (value,), (shape,), dims, mode = s.inputs, s.shapes, s.params["dims"], s.params["mode"]
    if any(len(value.axes[d]) > 1 for d in dims):
        value = c.whole(value, shape)
    labels = c.fresh(value.rank)
    axes = list(value.named(labels))
    factors = [value.at(labels)]
    for dim, (left, right) in zip(dims, s.params["pads"], strict=True):
        (outside,), (place,), length = axes[dim] or c.fresh(1), c.fresh(1), s.shape[dim]
        there = c.add((1, c.arange(shape[dim], outside)), (-1, c.number(left)))
        factors.append(_one_hot(c, _taken_from(c, mode, there, length, left, right), length, place))
        axes[dim] = (place,)
    return c.product(factors, axes)


def _taken_from(c: TermMaker, mode: str, there: Labelled, length: Size, left: int, right: int) -> Labelled:
    """Which element stands in a place that is counted from the first of them."""
    last = c.add((1, c.length(length)), (-1, c.number(1)))
    if mode == "replicate":
        return c.fn("minimum", c.fn("maximum", there, c.number(0)), last)
    if mode == "reflect":
        inside = c.fn("abs", c.add((1, last), (-1, c.fn("abs", there))))
        return c.add((1, last), (-1, inside))
    first = max(0, -left)
    rest = c.add((1, c.length(length)), (-1, c.number(first + max(0, -right))))
    turned = c.fn("remainder", c.add((1, there), (-1, c.number(first))), rest)
    return c.add((1, c.number(first)), (1, turned))


# Classes --------------------------------------------------------------------------------------------------------------


def class_put(c: TermMaker, s: Application) -> Value:
    """Values at the target classes: a product with the one-hot matrix of the targets."""
    axis = min(1, len(s.shape) - 1)
    (values, target), labels = c.aligned(s.inputs, s.shapes, len(s.shape) - 1)
    (place,) = c.fresh(1)
    factors = [values, _one_hot(c, target, s.shape[axis], place), *_not_ignored(c, s, target)]
    return c.product(factors, [*labels[:axis], (place,), *labels[axis:]])


def class_pick(c: TermMaker, s: Application) -> Value:
    (x, target), (shape, target_shape) = s.inputs, s.shapes
    axis = min(1, len(shape) - 1)
    if any(len(group) > 1 for v in s.inputs for group in v.axes):
        x, target = c.whole(x, shape), c.whole(target, target_shape)
    rest = x.without((axis,))
    if not x.axes[axis]:
        return rest
    rest_shape = [n for k, n in enumerate(shape) if k != axis]
    (others, classes), labels = c.aligned([rest, target], [rest_shape, target_shape], len(s.shape))
    (place,) = c.fresh(1)
    names = list(others.labels)
    names[x.axes[axis][0]] = place
    factors = [x.at(names), _one_hot(c, classes, shape[axis], place), *_not_ignored(c, s, classes)]
    return c.product(factors, labels)


def class_factors(c: TermMaker, s: Application) -> Value:
    """The weight of each target, 1 where none is given."""
    (target,), labels = c.aligned(s.inputs[:1], s.shapes[:1], len(s.shape))
    factors = _not_ignored(c, s, target)
    for weight in s.inputs[1:]:
        places = c.fresh(1) * weight.rank
        factors.append(weight.at(places))
        factors += [_one_hot(c, target, s.shapes[1][0], place) for place in places]
    return c.product(factors, labels)


def _not_ignored(c: TermMaker, s: Application, target: Labelled) -> list[Labelled]:
    """Targets but those with the index that is left out. (Unless it was chosen, none is: the formula is of classes.)"""
    ignored = s.params["ignore_index"]
    return [] if ignored == -100 else [c.fn("ne", target, c.number(ignored))]
