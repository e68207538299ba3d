"""Formulas of reshapes: axes in another order, stretched, taken apart and put together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gradcli.ops.formulas.interface import Application, Labels, Size, TermMaker, Value

#: Axes before and axes after that hold the same elements.
Run = tuple[Sequence[int], Sequence[int]]


def expanded(c: TermMaker, s: Application) -> Value:
    (x,) = s.inputs
    return x.with_axes([*[()] * (len(s.shape) - len(x.axes)), *x.axes])


def permuted(c: TermMaker, s: Application) -> Value:
    (x,) = s.inputs
    return x.with_axes([x.axes[d] for d in s.params["dims"]])


def reshaped(c: TermMaker, s: Application) -> Value:
    """Axes made of others, where the lengths of the term's own axes allow that."""
    (value,), (old,) = s.inputs, s.shapes
    runs = _runs(old, s.shape)
    broadcast = {k for k, n in enumerate(old) if n != 1 and not value.axes[k]}
    joined = [before for before, after in runs if len(after) == 1 and any(value.axes[k] for k in before)]
    value = _filled_up(c, value, [k for before in joined for k in before if k in broadcast], old)
    axes: list[Labels] = []
    for before, after in runs:
        flat = [k for axis in before for k in value.axes[axis]]
        if not flat:
            axes += [()] * len(after)
            continue
        gaps = any(k in broadcast and not value.axes[k] for k in before)
        parts = None if gaps else _split(c, [value.term.sizes[k] for k in flat], [s.shape[k] for k in after])
        if parts is None:
            return c.call(s, "reshape", {})
        axes += [tuple([flat[k] for k in part]) for part in parts]
    return value.with_axes(axes)


def _filled_up(c: TermMaker, value: Value, dims: Sequence[int], shape: Sequence[Size]) -> Value:
    """A value with axes for dimensions in which it is broadcast."""
    if not dims:
        return value
    labels, others = c.fresh(value.rank), c.fresh(len(dims))
    axes = list(value.named(labels))
    for dim, label in zip(dims, others, strict=True):
        axes[dim] = (label,)
    ones = [c.ones(shape[dim], label) for dim, label in zip(dims, others, strict=True)]
    return c.product([value.at(labels), *ones], axes)


def _runs(old: Sequence[Size], new: Sequence[Size]) -> list[Run]:
    """From the left as far as lengths agree, then from the right; what is left in the middle belongs together."""
    if list(old) == list(new):
        return [([k], [k]) for k in range(len(old))]
    runs: list[Run] = []
    i, j, p, q = 0, 0, len(old), len(new)
    while i < p or j < q:
        if i < p and j < q and old[i] == new[j]:
            runs.append(([i], [j]))
            i, j = i + 1, j + 1
        elif j < q and new[j] == 1:
            runs.append(([], [j]))
            j += 1
        elif i < p and old[i] == 1:
            runs.append(([i], []))
            i += 1
        else:
            tail: list[Run] = []
            while p > i and q > j and old[p - 1] == new[q - 1]:
                p, q = p - 1, q - 1
                tail.append(([p], [q]))
            return [*runs, (range(i, p), range(j, q)), *reversed(tail)]
    return runs


def _split(c: TermMaker, sizes: Sequence[Size], wanted: Sequence[Size]) -> list[list[int]] | None:
    """Consecutive runs of lengths with the wanted products."""
    result: list[list[int]] = []
    at = 0
    for goal in wanted:
        part: list[int] = []
        product, target = c.number(1), c.length(goal)
        while product.term is not target.term:
            if at == len(sizes):
                return None
            product = c.times(product, c.length(sizes[at]))
            part.append(at)
            at += 1
        result.append(part)
    return result if at == len(sizes) else None
