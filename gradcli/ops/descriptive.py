"""Rows that describe data: sums and means without the NaN, two extremes or two moments at once, covariance."""

# Rows are laid out by hand.
# fmt: off

from __future__ import annotations

from typing import Any

from gradcli.errors import GradcliError, SizeError
from gradcli.graph.arguments import as_int, as_node, normalize_axis
from gradcli.graph.dtypes import BOOL, INT64
from gradcli.graph.infer import in_one_dtype
from gradcli.graph.node import Node, constant, make, make_results
from gradcli.graph.op import Blocking, Op, Params
from gradcli.ops.blocking import kept
from gradcli.ops.diagonal import diagonal
from gradcli.ops.elementwise import bitwise_not, clamp, clamp_min, isnan, sqrt, where
from gradcli.ops.family import composite, float_node, primitive, to_dtype
from gradcli.ops.matmul import mm
from gradcli.ops.one_step import one_step
from gradcli.ops.reduce import TYPED, amax, amin, check_count, mean, reduced_shape, std, sum_, var
from gradcli.ops.shape import squeeze, t, unsqueeze, view

# Without the NaN ------------------------------------------------------------------------------------------------------


def _nansum(input: Any, dim: Any, keepdim: Any, dtype: Any) -> Node:
    x, target = as_node(input), to_dtype(dtype)
    numbers = where(isnan(x), 0, x) if x.is_floating else x
    return one_step("NansumBackward0", sum_(numbers, dim, keepdim, dtype=target), x)


def _nanmean(input: Any, dim: Any, keepdim: Any, dtype: Any) -> Node:
    x = float_node(input, "nanmean")
    return nansum(x, dim, keepdim, dtype=dtype) / sum_(bitwise_not(isnan(x)), dim, keepdim)


nansum = composite(
    "nansum", _nansum, args=TYPED, family="reduction", doc="Sum of the elements that are not NaN.", numpy="nansum",
)
nanmean = composite(
    "nanmean", _nanmean, args=TYPED, family="reduction", doc="Mean of the elements that are not NaN.", numpy="nanmean",
)


# Two results that are reductions of their own -------------------------------------------------------------------------


def _two(name: str, ops: tuple[Op, Op], results: tuple[str, str], own: str | None, **row: Any) -> Op:
    """A row with the results of two reductions; the parameter `own` is for the first of them alone."""

    def params_of(index: int, params: Params) -> Params:
        return {key: value for key, value in params.items() if key != own or not index}

    def part(several: Node, index: int) -> Node:
        return make(ops[index], several.inputs, params_of(index, several.params))

    def kernel(x: Any, **params: Any) -> Any:
        return tuple([op.kernel(x, **params_of(k, params)) for k, op in enumerate(ops)])  # type: ignore[misc]

    def rule(which: str) -> Any:
        def vjp(g: Any, out: Any, x: Node, **params: Any) -> tuple[Node]:
            rules: list[Any] = [getattr(op, which) or op.vjp for op in ops]
            slopes = [
                found(h, y, x, **params_of(k, params))[0]
                for k, (found, h, y) in enumerate(zip(rules, g, out, strict=True)) if h is not None
            ]
            return (slopes[0] if len(slopes) == 1 else slopes[0] + slopes[1],)

        return vjp

    def infer(inputs: tuple[Node, ...], params: Params) -> Any:
        x = inputs[0]
        return ((reduced_shape(x.shape, params["dim"], params["keepdim"]), x.dtype),) * 2

    return primitive(
        name, kernel, infer, family="reduction", results=results, part=part, vjp=rule("vjp"), textbook=rule("textbook"),
        blocking=Blocking(kept), **row,
    )


def _aminmax(input: Any, dim: Any, keepdim: Any) -> Any:
    x = as_node(input)
    axes = tuple(range(x.ndim)) if dim is None else (normalize_axis(dim, x.ndim),) * min(x.ndim, 1)
    check_count("aminmax", x, axes)
    return make_results(aminmax, (x,), {"dim": axes, "keepdim": bool(keepdim), "axis_given": dim is not None})


def _spread(several: Op, single: Op) -> Any:
    def build(*arguments: Any) -> Any:
        found = single.build(*arguments)
        return make_results(several, found.inputs, found.params)

    return build


aminmax: Op = _two(
    "aminmax", (amin, amax), ("min", "max"), None, args="input, *, dim: dim=None, keepdim=False", build=_aminmax,
    doc="Minimum and maximum; equal elements share the gradient evenly.", example=("aminmax(input).max", "input:1"),
)
_SPREAD = "input, dim=None, unbiased=None, keepdim=False, *, correction=None"
var_mean: Op = _two(
    "var_mean", (var, mean), ("var", "mean"), "correction", args=_SPREAD, doc="Variance and mean.",
    build=lambda *arguments: _spread(var_mean, var)(*arguments), example=("var_mean(input).var", "input:1"),
)
std_mean: Op = _two(
    "std_mean", (std, mean), ("std", "mean"), "correction", args=_SPREAD, doc="Standard deviation and mean.",
    build=lambda *arguments: _spread(std_mean, std)(*arguments), example=("std_mean(input).std", "input:1"),
)


# Covariance -----------------------------------------------------------------------------------------------------------


def _weights(x: Node, value: Any, name: str, whole: bool) -> Node:
    weights = as_node(value)
    if weights.shape != x.shape[1:]:
        raise SizeError(
            "cov() needs as many {} as there are observations, {}, got shape {}", name, x.shape[1], weights.shape,
            argument=name,
        )
    if weights.is_floating == whole:
        kind = "integers" if whole else "floating-point numbers"
        raise GradcliError(f"{name} of cov() are {kind}, got {weights.dtype}", argument=name)
    return weights


def _cov(input: Any, correction: Any, fweights: Any, aweights: Any) -> Node:
    x, less = as_node(input), as_int(correction, "correction")
    if x.ndim > 2:
        raise SizeError("cov() takes a vector or a matrix with variables as rows, got shape {}", x.shape)
    if x.dtype == BOOL:
        raise GradcliError("cov() is not defined for booleans", hint="convert them first, as in x.float()")
    table = view(x, (1, -1)) if x.ndim < 2 else x
    often = None if fweights is None else _weights(table, fweights, "fweights", True)
    how = None if aweights is None else _weights(table, aweights, "aweights", False)
    weights = often if how is None else how if often is None else often * how
    if weights is None:
        total: Node = constant(table.shape[1], INT64)
        left: Node = constant(max(0, table.shape[1] - less), INT64)
    else:
        total = sum_(weights)
        taken = less * sum_(weights * how) / total if how is not None and less else less
        left = clamp_min(total - taken, 0)
    middle = sum_(table if weights is None else table * weights, 1) / total
    centred = table - unsqueeze(middle, 1)
    weighted = centred if weights is None else centred * weights
    return squeeze(mm(*in_one_dtype(centred, t(weighted))) / left)


def _corrcoef(input: Any) -> Node:
    c = cov(input)
    if not c.ndim:
        return c / c
    deviations = sqrt(diagonal(c))
    return clamp(c / view(deviations, (-1, 1)) / view(deviations, (1, -1)), -1, 1)


cov = composite(
    "cov", _cov, args="input, *, correction: int=1, fweights: counts=None, aweights: operand=None", family="reduction",
    doc="Covariances of the rows, each a variable; observations may be repeated (fweights) or weighted (aweights).",
    example="input:2",
)
corrcoef = composite(
    "corrcoef", _corrcoef, family="reduction", doc="Correlations of the rows, each a variable.",
    example=("corrcoef(input)", "input:2"), numpy="corrcoef",
)
