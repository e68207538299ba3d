"""Formulas of what picks and places elements: diagonals, slices, indices and classes, written with 0 and 1."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from gradcli.errors import GradcliError
from gradcli.formula.algebra.terms import ONE, Factor, NodeTerm, Open, Size, Term, value_of
from gradcli.formula.read.convert import Application, Converter, Handler, without_axes


def _trace(c: Converter, s: Application) -> NodeTerm:
    return c.summed(_diagonal_of(c, s, 0, 0, 1), [0], (s.shapes[0][0],), False)


def _diagonal(c: Converter, s: Application) -> NodeTerm:
    return _diagonal_of(c, s, s.params["offset"], s.params["dim1"], s.params["dim2"])


def _diagonal_of(c: Converter, s: Application, offset: int, dim1: int, dim2: int) -> NodeTerm:
    (value,), (shape,) = s.inputs, s.shapes
    first, second = value.axes[dim1], value.axes[dim2]
    if offset or shape[dim1] != shape[dim2] or len(first) > 1 or len(second) > 1:
        if not s.shape:
            raise GradcliError("the trace of a matrix that is not square has no short formula")
        return c.call("diagonal", s, {"offset": offset, "dim1": dim1, "dim2": dim2})
    labels = list(range(1, value.term.rank + 1))
    if first and second:
        labels[second[0]] = labels[first[0]]
    open_ = c.algebra.prod(ONE, [Factor(value.term, tuple(labels), ONE)], labels)
    groups = [g for k, g in enumerate(value.axes) if k not in (dim1, dim2)] + [first or second]
    named = [tuple([labels[k] for k in g]) for g in groups]
    return c.closed(open_, named)


def _on_diagonal(c: Converter, s: Application) -> NodeTerm:
    (value,) = s.inputs
    offset, dim1, dim2 = s.params["offset"], s.params["dim1"], s.params["dim2"]
    last = value.axes[-1]
    if offset or s.shape[dim1] != s.shape[dim2] or len(last) > 1:
        if s.shape[dim1] != s.shape[dim2]:
            raise GradcliError("the diagonal of a matrix that is not square has no short formula")
        return c.call("diag_embed", s, {"offset": offset, "dim1": dim1, "dim2": dim2})
    n = s.shape[dim1]
    labels = [c.algebra.fresh() for _ in range(value.term.rank)]
    other = c.algebra.fresh()
    own = labels[last[0]] if last else c.algebra.fresh()
    eye = Factor(c.algebra.intern("eye", None, (), (n, n)), (own, other), ONE)
    open_ = c.algebra.prod(ONE, [Factor(value.term, tuple(labels), ONE), eye], [*labels, own, other])
    rest = iter([tuple([labels[k] for k in g]) for g in value.axes[:-1]])
    ends = {min(dim1, dim2): (own,), max(dim1, dim2): (other,)}
    return c.closed(open_, [ends[k] if k in ends else next(rest) for k in range(len(s.shape))])


def _eye(c: Converter, s: Application) -> NodeTerm:
    if s.shape[0] == s.shape[1]:
        return c.own(c.algebra.intern("eye", None, (), s.shape))
    return c.call("eye", s, {"shape": s.shape})


def select(c: Converter, s: Application) -> NodeTerm:
    dim = s.params["dim"]
    if not s.inputs[0].axes[dim]:
        return without_axes(s.inputs[0], (dim,))
    return c.call("select", s, {"dim": dim, "index": s.params["index"]})


def _slice(c: Converter, s: Application) -> NodeTerm:
    dim, start = s.params["dim"], s.params["start"]
    if s.shape[dim] == 1 and s.inputs[0].axes[dim]:
        shape = tuple([n for k, n in enumerate(s.shape) if k != dim])
        one = c.call("select", s, {"dim": dim, "index": start}, shape)
        return NodeTerm(one.term, (*one.axes[:dim], (), *one.axes[dim:]))
    return s.inputs[0] if not s.inputs[0].axes[s.params["dim"]] else c.call("slice", s)


def _one_hot(c: Converter, index: Open, length: Size, label: int) -> Open:
    """1 where a place, counted along `label`, is the index."""
    return c.algebra.fn("one_hot", [index, c.arange(length, label)])


def _embed(c: Converter, s: Application) -> NodeTerm:
    """Zeros with a tensor put in: by a condition on the place, or joined from pieces."""
    (value,) = s.inputs
    dim, start, stop, step = (s.params[k] for k in ("dim", "start", "stop", "step"))
    group = value.axes[dim]
    one = s.shapes[0][dim] == 1
    if group and not one and step == 1:
        return c.call("embed", s, {"dim": dim, "start": start, "stop": stop, "length": s.shape[dim]})
    labels = [c.algebra.fresh() for _ in range(value.term.rank)]
    place = c.algebra.fresh()
    open_ = Open(value.term, tuple(labels))
    if one:
        mask = _one_hot(c, c.number(start), s.shape[dim], place)
    elif group:
        if len(group) > 1:
            return _embed(c, s._replace(inputs=(c.whole(value, s.shapes[0]),)))
        count = c.arange(s.shapes[0][dim], labels[group[0]])
        mask = _one_hot(c, c.algebra.add([(1, c.number(start)), (step, count)]), s.shape[dim], place)
    else:
        mask = _range(c, c.arange(s.shape[dim], place), start, stop, step, s.shape[dim])
    summed = {labels[k] for k in group}
    free = [k for k in (*labels, place) if k not in summed]
    result = c.algebra.prod(ONE, [Factor(*open_, ONE), Factor(*mask, ONE)], free)
    named = [(place,) if k == dim else tuple([labels[i] for i in g]) for k, g in enumerate(value.axes)]
    return c.closed(result, named)


def _range(c: Converter, place: Open, start: Size, stop: Size, step: int, length: Size) -> Open:
    """True for the places of a slice."""
    algebra = c.algebra
    conditions = []
    if start != 0:
        conditions.append(algebra.fn("ge", [place, c.number(start)]))
    if stop != length:
        conditions.append(algebra.fn("lt", [place, c.number(stop)]))
    if step != 1:
        rest = algebra.fn("remainder", [algebra.add([(1, place), (-1, c.number(start))]), algebra.number(step)])
        conditions.append(algebra.fn("eq", [rest, algebra.number(0)]))
    result = conditions[0] if conditions else algebra.number(1)
    for condition in conditions[1:]:
        result = algebra.fn("bitwise_and", [result, condition])
    return result


def _index(c: Converter, s: Application) -> NodeTerm:
    return c.call("index", s, {"dims": s.params["dims"], "rank": len(s.shapes[0])})


def _index_add(c: Converter, s: Application) -> NodeTerm:
    """Elements put at lists of indices and added up: sums over one-hot matrices."""
    g, *indices = s.inputs
    dims, rank = s.params["dims"], len(s.shape)
    picked = max(len(i.axes) for i in indices)
    at = dims[0] if dims == tuple(range(dims[0], dims[0] + len(dims))) else 0
    if any(len(group) > 1 for group in g.axes[at : at + picked]):
        g = c.whole(g, s.shapes[0])
    rest = without_axes(g, (*range(at), *range(at + picked, len(g.axes))))
    opens, labels = c.aligned([rest, *indices], [s.shapes[0][at : at + picked], *s.shapes[1:]], picked)
    outer = {k: c.algebra.fresh() for k in range(g.term.rank)}
    inner = {own: label for own, label in zip(range(g.term.rank), opens[0].labels, strict=True) if label}
    names = [inner.get(k, 0) or outer[k] for k in range(g.term.rank)]
    factors = [Factor(g.term, tuple(names), ONE)]
    places = {}
    for dim, index in zip(dims, opens[1:], strict=True):
        length = s.shape[dim]
        places[dim] = c.algebra.fresh()
        known = _never_negative(index.term)
        wrapped = index if known else c.algebra.fn("remainder", [index, c.algebra.size(length)])
        factors.append(Factor(*_one_hot(c, wrapped, length, places[dim]), ONE))
    others = iter([tuple([names[k] for k in group]) for group in (*g.axes[:at], *g.axes[at + picked :])])
    named = [(places[d],) if d in places else next(others) for d in range(rank)]
    sizes = [c.algebra.size(s.shapes[0][at + k]) for k in range(picked) if not labels[k]]
    factors += [Factor(*n, ONE) for n in sizes]
    return c.closed(c.algebra.prod(ONE, factors, {k for group in named for k in group}), named)


def _never_negative(term: Term) -> bool:
    if term.head == "const" and isinstance(term.data, tuple):
        dtype, shape, data = term.data
        return bool(np.all(np.frombuffer(data, dtype) >= 0))
    number = value_of(term)
    return (number is not None and number >= 0) or (term.head == "call" and term.data[0] in ("argmax", "argmin"))


def _class_put(c: Converter, s: Application) -> NodeTerm:
    """Values at the target classes: a product with the one-hot matrix of the targets."""
    axis = min(1, len(s.shape) - 1)
    opens, labels = c.aligned(s.inputs, s.shapes, len(s.shape) - 1)
    place = c.algebra.fresh()
    factors = [Factor(*opens[0], ONE), Factor(*_one_hot(c, opens[1], s.shape[axis], place), ONE)]
    ignored = _not_ignored(c, s, opens[1])
    if ignored is not None:
        factors.append(Factor(*ignored, ONE))
    named = [*labels[:axis], (place,), *labels[axis:]]
    return c.closed(c.algebra.prod(ONE, factors, {k for group in named for k in group}), named)


def _not_ignored(c: Converter, s: Application, target: Open) -> Open | None:
    """Targets with the index that is left out. (Unless it was chosen, none is: the formula is for classes.)"""
    if s.params["ignore_index"] == -100:
        return None
    return c.algebra.fn("ne", [target, c.number(s.params["ignore_index"])])


def _class_pick(c: Converter, s: Application) -> NodeTerm:
    axis = min(1, len(s.shapes[0]) - 1)
    x, target = s.inputs
    if any(len(g) > 1 for v in s.inputs for g in v.axes):
        x, target = (c.whole(v, sh) for v, sh in zip(s.inputs, s.shapes, strict=True))
    if not x.axes[axis]:
        return without_axes(x, (axis,))
    rest = without_axes(x, (axis,))
    rest_shape = tuple([n for k, n in enumerate(s.shapes[0]) if k != axis])
    opens, labels = c.aligned([rest, target], [rest_shape, s.shapes[1]], len(s.shape))
    place = c.algebra.fresh()
    own = x.axes[axis][0]
    names = tuple([place if k == own else label for k, label in enumerate(opens[0].labels)])
    factors = [Factor(x.term, names, ONE), Factor(*_one_hot(c, opens[1], s.shapes[0][axis], place), ONE)]
    ignored = _not_ignored(c, s, opens[1])
    if ignored is not None:
        factors.append(Factor(*ignored, ONE))
    return c.closed(c.algebra.prod(ONE, factors, {k for g in labels for k in g}), labels)


def _class_factors(c: Converter, s: Application) -> NodeTerm:
    """The weight of each target, 1 where none is given."""
    opens, labels = c.aligned(s.inputs[:1], s.shapes[:1], len(s.shape))
    ignored = _not_ignored(c, s, opens[0])
    factors = [Factor(*ignored, ONE)] if ignored is not None else []
    if len(s.inputs) > 1:
        weight, place = s.inputs[1], c.algebra.fresh()
        names = (place,) * weight.term.rank
        factors += [Factor(weight.term, names, ONE)]
        if names:
            factors.append(Factor(*_one_hot(c, opens[0], s.shapes[1][0], place), ONE))
    return c.closed(c.algebra.prod(ONE, factors, {k for g in labels for k in g}), labels)


def _arange(c: Converter, s: Application) -> NodeTerm:
    start, step = s.params["start"], s.params["step"]
    label = c.algebra.fresh()
    count = c.arange(s.shape[0], label)
    open_ = c.algebra.add([(1, c.number(start)), (Fraction(repr(step)), count)])
    return c.closed(open_, [(label,)])


PLACES: dict[str, Handler] = {
    "trace": _trace,
    "diagonal": _diagonal,
    "_diagonal_back": _on_diagonal,
    "diag_embed": _on_diagonal,
    "eye": _eye,
    "select": select,
    "_slice": _slice,
    "_embed": _embed,
    "_index": _index,
    "_index_add": _index_add,
    "_class_put": _class_put,
    "_class_pick": _class_pick,
    "_class_factors": _class_factors,
    "arange": _arange,
}
