"""Formulas of products of vectors and matrices."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gradcli.ops.formulas.arithmetic import Formula
    from gradcli.ops.formulas.interface import Application, Labels, TermMaker, Value

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
