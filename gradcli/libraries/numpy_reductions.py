"""NumPy's functions that take in an axis, several, or all: sums, moments, extremes; running sums, differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gradcli.errors import GradcliError
from gradcli.graph.arguments import as_flag, as_int, as_node, as_number
from gradcli.graph.node import Node, constant
from gradcli.libraries.numpy_arguments import as_axes, as_axis, as_floating, in_dtype, ops, rows

Answer = Callable[..., Any]


def _over(reduce: Answer, a: Node, axis: Any, keepdims: Any, **more: Any) -> Any:
    """A reduction of PyTorch's over all axes, one or several; over none of them where `axis` is (), unlike PyTorch."""
    if axis is None:
        return reduce(a, None, keepdim=keepdims, **more)
    axes = as_axes(axis, a.ndim)
    if axes:
        return reduce(a, axes, keepdim=keepdims, **more)
    # A new axis of length 1 makes single elements of what is reduced.
    return reduce(ops.unsqueeze(a, -1), (-1,), **more)


def _reduction(reduce: Answer) -> Answer:
    def answer(a: Any, axis: Any, keepdims: Any = False, dtype: Any = None) -> Any:
        return _over(reduce, in_dtype(a, dtype), axis, keepdims)

    return answer


def _of_arrays(make: Answer, then: Answer) -> Answer:
    """A reduction of what is made of the array first."""
    reduce = _reduction(then)

    def answer(a: Any, axis: Any, keepdims: Any = False, dtype: Any = None) -> Any:
        return reduce(make(in_dtype(a, dtype)), axis, keepdims)

    return answer


def _spread(reduce: Answer) -> Answer:
    """Variance or standard deviation, divided by n unless `ddof` says otherwise."""

    def answer(a: Any, axis: Any, dtype: Any, ddof: Any, keepdims: Any, mean: Any, correction: Any) -> Any:
        if mean is not None:
            raise GradcliError("the mean is computed along with it", hint="leave mean= out", argument="mean")
        less = as_number(ddof if correction is None else correction, "ddof")
        return _over(reduce, as_floating(a, dtype), axis, keepdims, correction=less)

    return answer


def _arg(find: Answer) -> Answer:
    def answer(a: Any, axis: Any, keepdims: Any = False) -> Any:
        x = as_node(a)
        return find(x, None if axis is None else as_axis(axis, x.ndim), keepdims)

    return answer


def _running(run: Answer) -> Answer:
    """A running sum or product, of the flattened array without an axis."""

    def answer(a: Any, axis: Any, dtype: Any) -> Any:
        x = in_dtype(a, dtype)
        flat = ops.reshape(x, -1) if axis is None else x
        return run(flat, 0 if axis is None else as_axis(axis, x.ndim))

    return answer


def _extreme_of_numbers(reduce: Answer, none: float) -> Answer:
    """The largest or smallest of what is no NaN, which is what remains where there is nothing else."""

    def answer(a: Any, axis: Any, keepdims: Any) -> Any:
        x = as_node(a)
        if not x.is_floating:
            return _over(reduce, x, axis, keepdims)
        missing = ops.isnan(x)
        found = _over(reduce, ops.where(missing, none, x), axis, keepdims)
        return ops.where(_over(ops.all, missing, axis, keepdims), float("nan"), found)

    return answer


def _spread_of_numbers(root: bool) -> Answer:
    """The variance of what is no NaN, or its root."""

    def answer(a: Any, axis: Any, dtype: Any, ddof: Any, keepdims: Any, mean: Any, correction: Any) -> Any:
        if mean is not None:
            raise GradcliError("the mean is computed along with it", hint="leave mean= out", argument="mean")
        x = as_floating(a, dtype)
        there = ~ops.isnan(x)
        away = ops.where(there, x - _over(ops.nanmean, x, axis, True), 0)
        count = _over(ops.sum, there, axis, keepdims) - as_number(ddof if correction is None else correction, "ddof")
        variance = _over(ops.sum, away**2, axis, keepdims) / ops.where(count > 0, count, float("nan"))
        return ops.sqrt(variance) if root else variance

    return answer


def _range(a: Any, axis: Any, keepdims: Any) -> Any:
    x = as_node(a)
    return _over(ops.amax, x, axis, keepdims) - _over(ops.amin, x, axis, keepdims)


def _average(a: Any, axis: Any, weights: Any, keepdims: Any) -> Any:
    x = as_node(a)
    if weights is None:
        return _over(ops.mean, as_floating(x), axis, keepdims)
    w = as_node(weights)
    if w.shape != x.shape:
        if axis is None or isinstance(axis, tuple | list) or w.ndim != 1:
            raise GradcliError("weights have the shape of the array, or one axis, which is given", argument="weights")
        at = as_axis(axis, x.ndim)
        if w.shape[0] != x.shape[at]:
            raise GradcliError(f"{w.shape[0]} weights for an axis of length {x.shape[at]}", argument="weights")
        w = ops.reshape(w, [w.shape[0] if d == at else 1 for d in range(x.ndim)])
    # Weights of one axis are as many as its elements, and count once for each of the others' places.
    whole = ops.expand(w, x.shape)
    return _over(ops.sum, x * whole, axis, keepdims) / _over(ops.sum, whole, axis, keepdims)


def _quantile(find: Answer, scale: float, name: str) -> Answer:
    """Quantiles of an axis, of several together, or of all."""

    def answer(a: Any, q: Any, axis: Any, method: Any, keepdims: Any, weights: Any = None) -> Any:
        if weights is not None:
            raise GradcliError(f"numpy.{name} takes no weights= here", argument="weights")
        x, axes = as_floating(a), as_axes(axis, as_node(a).ndim)
        rest = [d for d in range(x.ndim) if d not in axes]
        flat = ops.reshape(ops.permute(x, (*rest, *axes)) if x.ndim else x, [*(x.shape[d] for d in rest), -1])
        found = find(flat, _levels(q, scale, x.dtype), -1, interpolation=method)
        if not keepdims:
            return found
        lead = found.shape[: found.ndim - len(rest)]
        return ops.reshape(found, [*lead, *(1 if d in axes else x.shape[d] for d in range(x.ndim))])

    return answer


def _levels(q: Any, scale: float, dtype: np.dtype) -> Any:
    """What quantiles are asked for: numbers as they are written, arrays in the dtype of the data."""
    if isinstance(q, int | float):
        return q / scale
    if isinstance(q, list | tuple) and all(isinstance(level, int | float) for level in q):
        return constant((np.asarray(q, float) / scale).astype(dtype))
    return as_floating(q, dtype) / scale


def _median(find: Answer, name: str) -> Answer:
    quantile = _quantile(find, 1, name)

    def answer(a: Any, axis: Any, keepdims: Any) -> Any:
        below, found, above = (quantile(a, 0.5, axis, how, keepdims) for how in ("lower", "linear", "higher"))
        # Between infinities there is no way from one to the other, but a mean.
        return ops.where(ops.isfinite(found), found, (below + above) / 2)

    return answer


def _diff(a: Any, n: Any, axis: Any, prepend: Any, append: Any) -> Any:
    x = as_node(a)
    at = as_axis(axis, x.ndim)

    def beside(value: Any) -> Any:
        if value is None:
            return None
        node = as_node(value)
        return ops.expand(node, [1 if d == at else m for d, m in enumerate(x.shape)]) if not node.ndim else node

    return ops.diff(x, as_int(n, "n"), at, beside(prepend), beside(append))


def _ediff1d(ary: Any, to_end: Any, to_begin: Any) -> Any:
    flat = ops.reshape(ary, -1)
    ends = [None if end is None else ops.reshape(end, -1) for end in (to_begin, to_end)]
    return ops.cat([part for part in (ends[0], ops.diff(flat), ends[1]) if part is not None])


def _gradient(f: Any, varargs: Any, axis: Any, edge_order: Any) -> Any:
    """Slopes along all axes, or those that are given; one of them alone where there is one."""
    x = as_floating(f)
    axes = as_axes(axis, x.ndim)
    spacing = None if not varargs else varargs[0] if len(varargs) == 1 and len(axes) > 1 else list(varargs)
    if isinstance(spacing, list):
        if len(spacing) != len(axes):
            raise GradcliError(f"numpy.gradient takes one distance, or one for each of the {len(axes)} axes")
        # PyTorch takes numbers, or the places of all of them.
        if any(isinstance(as_node(s), Node) and as_node(s).ndim for s in spacing):
            spacing = [_places(s, x.shape[d]) for s, d in zip(spacing, axes, strict=True)]
        elif len(axes) == 1:
            spacing = spacing[0]
    found = ops.gradient(x, spacing=spacing, dim=axes, edge_order=edge_order)
    return found[0] if len(axes) == 1 else found


def _places(distance: Any, length: int) -> Node:
    node = as_node(distance)
    return node if node.ndim else ops.arange(length) * as_floating(node)


def _trapezoid(y: Any, x: Any, dx: Any, axis: Any) -> Any:
    values = as_node(y)
    at = as_axis(axis, values.ndim)
    return ops.trapezoid(values, dx=dx, dim=at) if x is None else ops.trapezoid(values, x, dim=at)


def _covariance(m: Any, y: Any, rowvar: Any, bias: Any, ddof: Any, fweights: Any, aweights: Any, dtype: Any) -> Any:
    less = (0 if as_flag(bias, "bias") else 1) if ddof is None else as_int(ddof, "ddof")
    return ops.cov(_variables(m, y, rowvar, dtype), correction=less, fweights=fweights, aweights=aweights)


def _variables(m: Any, y: Any, rowvar: Any, dtype: Any) -> Any:
    """The variables as rows, those of a second array behind those of the first."""
    parts = [as_floating(part, dtype) for part in (m, y) if part is not None]
    if any(part.ndim > 2 for part in parts):
        raise GradcliError("the variables are the rows of a matrix")
    turned = [part if as_flag(rowvar, "rowvar") or part.ndim < 2 else ops.permute(part, (1, 0)) for part in parts]
    return turned[0] if len(turned) == 1 else ops.cat([ops.atleast_2d(part) for part in turned])


_SUMS = "a, axis=None, dtype=None, out=None, keepdims=False, initial=None, where=None"
_MEANS = "a, axis=None, dtype=None, out=None, keepdims=False, *, where=None"
_EXTREMES = "a, axis=None, out=None, keepdims=False, initial=None, where=None"
_TESTS = "a, axis=None, out=None, keepdims=False, *, where=None"
_SPREADS = "a, axis=None, dtype=None, out=None, ddof=0, keepdims=False, *, where=None, mean=None, correction=None"
_ARGS = "a, axis=None, out=None, *, keepdims=False"
_QUANTILES = "a, q, axis=None, out=None, overwrite_input=False, method='linear', keepdims=False, *, weights=None"
_MEDIANS = "a, axis=None, out=None, overwrite_input=False, keepdims=False"

ROWS = {
    **rows(_SUMS, sum=_reduction(ops.sum), prod=_reduction(ops.prod)),
    **rows(_SUMS, nansum=_reduction(ops.nansum)),
    **rows(_SUMS, nanprod=_of_arrays(lambda x: ops.where(ops.isnan(x), 1, x), ops.prod)),
    **rows(_MEANS, mean=_of_arrays(as_floating, ops.mean), nanmean=_of_arrays(as_floating, ops.nanmean)),
    **rows(_EXTREMES, max=_reduction(ops.amax), amax=_reduction(ops.amax)),
    **rows(_EXTREMES, min=_reduction(ops.amin), amin=_reduction(ops.amin)),
    **rows(_EXTREMES, nanmax=_extreme_of_numbers(ops.amax, -float("inf"))),
    **rows(_EXTREMES, nanmin=_extreme_of_numbers(ops.amin, float("inf"))),
    **rows("a, axis=None, out=None, keepdims=False", ptp=_range),
    **rows(_TESTS, all=_reduction(ops.all), any=_reduction(ops.any)),
    **rows("a, axis=None, *, keepdims=False", count_nonzero=_of_arrays(lambda x: ops.ne(x, 0), ops.sum)),
    **rows(_ARGS, argmax=_arg(ops.argmax), argmin=_arg(ops.argmin)),
    **rows("a, axis=None, dtype=None, out=None", cumsum=_running(ops.cumsum), cumprod=_running(ops.cumprod)),
    **rows(_SPREADS, std=_spread(ops.std), var=_spread(ops.var)),
    **rows(_SPREADS, nanstd=_spread_of_numbers(True), nanvar=_spread_of_numbers(False)),
    **rows("a, axis=None, weights=None, returned=False, *, keepdims=False", average=_average),
    **rows(_MEDIANS, median=_median(ops.quantile, "median"), nanmedian=_median(ops.nanquantile, "nanmedian")),
    **rows(_QUANTILES, quantile=_quantile(ops.quantile, 1, "quantile")),
    **rows(_QUANTILES, percentile=_quantile(ops.quantile, 100, "percentile")),
    **rows(_QUANTILES, nanquantile=_quantile(ops.nanquantile, 1, "nanquantile")),
    **rows(_QUANTILES, nanpercentile=_quantile(ops.nanquantile, 100, "nanpercentile")),
    **rows("a, n=1, axis=-1, prepend=None, append=None", diff=_diff),
    **rows("ary, to_end=None, to_begin=None", ediff1d=_ediff1d),
    **rows("f, *varargs=(), axis=None, edge_order=1", gradient=_gradient),
    **rows("y, x=None, dx=1.0, axis=-1", trapezoid=_trapezoid, trapz=_trapezoid),
    **rows(
        "m, y=None, rowvar=True, bias=False, ddof=None, fweights=None, aweights=None, *, dtype=None", cov=_covariance
    ),
    **rows(
        "x, y=None, rowvar=True, *, dtype=None",
        corrcoef=lambda x, y, rowvar, dtype: ops.corrcoef(_variables(x, y, rowvar, dtype)),
    ),
}
