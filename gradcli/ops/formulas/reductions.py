"""Formulas of reductions: sums are products over fewer axes, the others calls in one form each, without keepdim."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gradcli.ops.formulas.arithmetic import Formula
    from gradcli.ops.formulas.interface import Application, Size, TermMaker, Value


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
        return _kept(value, dims, len(s.shapes[0])) if s.params["keepdim"] else value

    return formula


def extreme(values: str, indices: str) -> Formula:
    """The extremes along a dimension and their places, by the operations that give one of both."""

    def formula(c: TermMaker, s: Application) -> Value:
        dims, shape = s.params["dim"], s.shapes[0]
        name = values if s.result == "values" else indices
        value = c.call(s, name, {"dim": dims}, [n for k, n in enumerate(shape) if k not in dims])
        return _kept(value, dims, len(shape)) if s.params["keepdim"] else value

    return formula


def _kept(value: Value, dims: Sequence[int], rank: int) -> Value:
    """With the axes again that were reduced."""
    rest = iter(value.axes)
    return value.with_axes([() if k in dims else next(rest) for k in range(rank)])
