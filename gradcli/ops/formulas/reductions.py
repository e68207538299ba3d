"""Formulas of reductions and of products of vectors and matrices: sums are products over fewer axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gradcli.ops.formulas.arithmetic import Formula
    from gradcli.ops.formulas.interface import Application, Labels, Size, TermMaker, Value


def total(c: TermMaker, s: Application) -> Value:
    return summed(c, s.inputs[0], s.params["dim"], s.shapes[0], bool(s.params["keepdim"]))


def mean(c: TermMaker, s: Application) -> Value:
    value = total(c, s)
    labels = c.fresh(value.rank)
    lengths = [c.raised(c.length(s.shapes[0][d]), -1) for d in s.params["dim"]]
    return c.product([value.at(labels), *lengths], value.named(labels))


def summed(c: TermMaker, value: Value, dims: Sequence[int], shape: Sequence[Size], keepdim: bool = False) -> Value:
    """The sum over axes; where the value is broadcast, so many times itself."""
    labels = c.fresh(value.rank)
    times = [c.length(shape[d]) for d in dims if not value.axes[d]]
    groups = enumerate(value.named(labels))
    axes = [() if d in dims else group for d, group in groups if keepdim or d not in dims]
    return c.product([value.at(labels), *times], axes)


def reduction(name: str | None = None, flat: bool = False) -> Formula:
    """A call; with `flat`, one over all axes in one unless an axis was given."""

    def formula(c: TermMaker, s: Application) -> Value:
        dims = s.params["dim"]
        params = {k: v for k, v in s.params.items() if k not in ("keepdim", "axis_given", "dim")}
        if flat and not s.params["axis_given"]:
            value = c.call(s, name, {"dim": None, **params}, ())
        else:
            value = c.call(s, name, {"dim": dims, **params}, [n for k, n in enumerate(s.shapes[0]) if k not in dims])
        if not s.params["keepdim"]:
            return value
        # With the axes again that were reduced.
        rest = iter(value.axes)
        return value.with_axes([() if k in dims else next(rest) for k in range(len(s.shapes[0]))])

    return formula


def extreme(values: str, indices: str) -> Formula:
    """The extremes along a dimension and their places, by the operations that give one of both."""

    return lambda c, s: reduction(values if s.result == "values" else indices)(c, s)


#: An axis of a product: which one it is in the left operand and in the right one, None where it is in the other alone.
Pair = tuple[int | None, int | None]


def contraction(shared: tuple[int, int], *kept: Pair) -> Formula:
    """The sum over an axis of both; `kept` are the axes of the result."""
    return lambda c, s: _contract(c, s, shared, kept)


def batched_product(c: TermMaker, s: Application) -> Value:
    """Matrices side by side, along axes that are made in one way of those of the terms."""
    batches = [v.without((1, 2)) for v in s.inputs]
    alike = c.in_one_structure(batches, [shape[:1] for shape in s.shapes], 1)
    if any(a.term is not b.term for a, b in zip(alike, batches, strict=True)):
        s = s._replace(inputs=tuple([c.whole(v, shape) for v, shape in zip(s.inputs, s.shapes, strict=True)]))
    return _contract(c, s, (2, 1), ((0, 0), (1, None), (None, 2)))


def _contract(c: TermMaker, s: Application, shared: tuple[int, int], kept: tuple[Pair, ...]) -> Value:
    values = list(s.inputs)
    lengths = [[v.term.sizes[k] for k in v.axes[d]] for v, d in zip(values, shared, strict=True)]
    if lengths[0] != lengths[1]:
        values = [
            c.whole(v, shape) if len(v.axes[d]) > 1 else v for v, shape, d in zip(values, s.shapes, shared, strict=True)
        ]
    names: tuple[dict[int, int], dict[int, int]] = ({}, {})

    def named(pair: Pair) -> Labels:
        groups = [() if d is None else v.axes[d] for v, d in zip(values, pair, strict=True)]
        labels = c.fresh(max(map(len, groups)))
        for table, group in zip(names, groups, strict=True):
            table.update(zip(group, labels, strict=bool(group)))
        return labels

    summed = named(shared)
    axes = [named(pair) for pair in kept]
    factors = [v.at([table[k] for k in range(v.rank)]) for v, table in zip(values, names, strict=True)]
    # Where both are the same all along, it is so many times their product.
    return c.product(factors if summed else [*factors, c.length(s.shapes[0][shared[0]])], axes)
