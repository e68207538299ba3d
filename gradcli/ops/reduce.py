"""Reductions over all dimensions, one or several, and running sums and products."""

# Rows are laid out by hand.
# fmt: off

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gradcli.errors import GradcliError, SizeError, quoted
from gradcli.graph.arguments import as_flag, as_node, as_number, normalize_axes, normalize_axis
from gradcli.graph.dtypes import BOOL, FLOAT64, INT64
from gradcli.graph.infer import cast
from gradcli.graph.native_forms import Lanes, NativeRunning, NativeSteps
from gradcli.graph.node import Node, make, make_results
from gradcli.graph.op import OPS, Accumulate, Blocking, Op, Params, Shape
from gradcli.ops import accumulators
from gradcli.ops.batching import ALONG, LINEAR, SUMMED, written
from gradcli.ops.blocking import aligned, except_along, kept, over_dims
from gradcli.ops.elementwise import abs_, eq, exp, isnan, log, maximum, minimum, ne, sign, to, where
from gradcli.ops.family import Row, call, float_node, floating, primitive, to_dtype
from gradcli.ops.formulas import reductions
from gradcli.ops.kernels.running import running
from gradcli.ops.moments import MOMENTS, STD, VAR
from gradcli.ops.notation import numpy_sources, spelling, typeset
from gradcli.ops.rewrites import sums_and_means
from gradcli.ops.shape import cat, expand, flip, movedim, narrow, reshape, unsqueeze

ARGS = "input, dim=None, keepdim=False"
ONE_DIM = "input, dim: dim=None, keepdim=False"
TYPED = "input, dim=None, keepdim=False, *, dtype=None"


def reduced_shape(shape: Shape, dim: tuple[int, ...], keepdim: Any) -> Shape:
    """The shape after reducing `dim`."""
    if keepdim:
        return tuple(1 if k in dim else n for k, n in enumerate(shape))
    return tuple(n for k, n in enumerate(shape) if k not in dim)


def restore(g: Node, x: Node, dim: tuple[int, ...], keepdim: Any) -> Node:
    """A reduction's result with the reduced dimensions as length 1 again, so that it broadcasts against `x`."""
    return g if keepdim or not dim or not g.shape and not x.shape else reshape(g, reduced_shape(x.shape, dim, True))


def count(x: Node, dim: Sequence[int]) -> int:
    """How many elements of `x` one result takes in."""
    return math.prod(x.shape[d] for d in dim)


def reduction(
    name: str, kernel: Callable[..., Any], *, args: str = ARGS, result: Callable[[np.dtype], np.dtype] = lambda d: d,
    floating: bool = False, nonempty: bool = False, accumulate: Accumulate | None = None, lower: Any = None, **row: Any,
) -> Op:
    """A row that reduces `dim`; `floating` refuses integers, `nonempty` refuses to reduce no elements."""
    usual: Row = {
        "build": lambda input, dim, keepdim: reduce_node(op, input, dim, keepdim, floating, nonempty),
        "infer": lambda inputs, params: (
            reduced_shape(inputs[0].shape, params["dim"], params["keepdim"]), result(inputs[0].dtype)
        ),
        "blocking": Blocking(kept, over_dims if accumulate is not None else None, accumulate, lower),
        "text": spelling.reduced,
        "formula": reductions.reduction(),
    }
    op: Op = primitive(name, kernel, family="reduction", args=args, **{**usual, **row})
    return op


def check_count(name: str, x: Node, axes: tuple[int, ...]) -> None:
    if not count(x, axes):
        raise SizeError("{}() of no elements has no value (the tensor has shape {})", name, x.shape)


def reduce_node(
    op: Op, input: Any, dim: Any, keepdim: Any, floating: bool = False, nonempty: bool = False, **params: Any
) -> Node:
    """The node of a reduction row with its dimensions normalized."""
    x = float_node(input, op.name) if floating else as_node(input)
    axes = normalize_axes(dim, x.ndim)
    if nonempty:
        check_count(op.name, x, axes)
    # PyTorch distinguishes x.sum() from x.sum(dim=None) only by how it was called; None is taken as not given.
    return make(op, (x,), {"dim": axes, "keepdim": bool(keepdim), "axis_given": dim is not None, **params})


# Kernels. Floats are accumulated in float64 and rounded once. ---------------------------------------------------------


def _sum(x: Any, dim: Any, keepdim: Any, axis_given: bool) -> Any:
    if x.dtype.kind == "f":
        return (np.add.reduce(x, axis=dim, keepdims=keepdim, dtype=np.float64) + 0.0).astype(x.dtype)
    return np.add.reduce(x, axis=dim, keepdims=keepdim, dtype=np.int64)


def _mean(x: Any, dim: Any, keepdim: Any, axis_given: bool) -> Any:
    n = x.size if len(dim) == x.ndim else math.prod([x.shape[d] for d in dim])
    total = np.add.reduce(x, axis=dim, keepdims=keepdim, dtype=np.float64) + 0.0
    # An operator, not a ufunc: on a single number it takes a tenth of the time.
    return (total / n).astype(x.dtype)


def _prod(x: Any, dim: Any, keepdim: Any, axis_given: bool) -> Any:
    result = np.multiply.reduce(x, axis=dim, keepdims=keepdim, dtype=accumulators.wide_dtype(x.dtype))
    return result.astype(_whole_result(x.dtype), copy=False)


def _var(x: Any, dim: Any, keepdim: Any, axis_given: bool, correction: float) -> Any:
    degrees = max(0.0, math.prod(x.shape[d] for d in dim) - correction)
    return np.true_divide(_moments_kernel(x, dim, keepdim)[1], degrees).astype(x.dtype)


def _logsumexp(x: Any, dim: Any, keepdim: Any, axis_given: bool) -> Any:
    if not x.size:
        return np.full(reduced_shape(x.shape, dim, keepdim), -np.inf, x.dtype)
    high = np.maximum.reduce(x, axis=dim, keepdims=True)
    # An infinite maximum is the answer, and would give inf - inf below.
    shift = np.where(np.isfinite(high), high, x.dtype.type(0))
    total = np.add.reduce(np.exp(x - shift), axis=dim, keepdims=True, dtype=np.float64)
    return (np.log(total) + shift).astype(x.dtype).reshape(reduced_shape(x.shape, dim, keepdim))


def _norm(x: Any, dim: Any, keepdim: Any, axis_given: bool, p: float) -> Any:
    terms = accumulators.norm_terms(x, p)
    if math.isinf(p):
        extreme = np.maximum if p > 0 else np.minimum
        return (extreme.reduce(terms, axis=dim, keepdims=keepdim, initial=0.0 if p > 0 else np.inf)).astype(x.dtype)
    return accumulators.norm_of(accumulators.sum_wide(terms, dim, keepdim), p).astype(x.dtype)


def _extreme(ufunc: Any) -> Any:
    return lambda x, dim, keepdim, axis_given: ufunc.reduce(x, axis=dim, keepdims=keepdim) if dim else x


def _arg(function: Any) -> Any:
    def kernel(x: Any, dim: Any, keepdim: Any, axis_given: bool) -> Any:
        if not axis_given:
            result = np.asarray(function(x.reshape(-1)))
            return result.reshape((1,) * x.ndim) if keepdim else result
        # Along the dimension of a 0-dim tensor, which is none at all, there is one place.
        return function(x, axis=dim[0], keepdims=keepdim) if dim else np.zeros(x.shape, np.int64)

    return kernel


# Rules ----------------------------------------------------------------------------------------------------------------


def _var_vjp(g: Node, out: Node, x: Node, dim: Any, keepdim: Any, axis_given: bool, correction: float) -> tuple[Node]:
    degrees = count(x, dim) - correction
    centred = x - mean(x, dim, True) if dim else x - x
    if degrees <= 0 and not axis_given:
        # Without a degree of freedom the variance is infinite or NaN, and so is its slope.
        return (restore(g, x, dim, keepdim) * where(eq(centred, 0), math.nan, math.inf),)
    # With `dim`, PyTorch divides by a negative number here.
    scale = 2.0 / degrees if degrees else math.inf
    return (restore(g, x, dim, keepdim) * (centred * scale),)


def _share_extreme(g: Node, out: Node, x: Node, dim: Any, keepdim: Any, axis_given: bool) -> tuple[Node]:
    """All elements equal to the extreme one share the gradient evenly."""
    full = restore(out, x, dim, keepdim)
    mask = to(where(isnan(full), isnan(x), eq(x, full)), x.dtype)
    return (restore(g, x, dim, keepdim) * (mask / sum_(mask, dim, True)),)


def _prod_vjp(g: Node, out: Node, x: Node, dim: Any, keepdim: Any, axis_given: bool) -> tuple[Node]:
    """The product of all the others: from the left times from the right, so that zeros need no division."""
    if not x.ndim:
        return (g,)
    flat, axis = (x, dim[0]) if len(dim) == 1 else (reshape(x, (-1,)), 0)
    others = _before(flat, axis) * flip(_before(flip(flat, (axis,)), axis), (axis,))
    return (restore(g, x, dim, keepdim) * reshape(others, x.shape),)


def _before(x: Node, axis: int) -> Node:
    """The product of the elements before each one."""
    return cumprod(shifted(x, axis, -1, 1.0), axis) if x.shape[axis] else x


def shifted(x: Node, axis: int, step: int, fill: float = 0.0) -> Node:
    """In the place of each element the next one along `axis` (`step` 1) or the one before (-1), a number at the end."""
    length = x.shape[axis]
    if not length:
        return x
    end = call("full", tuple(1 if k == axis else n for k, n in enumerate(x.shape)), fill, dtype=x.dtype)
    rest = narrow(x, axis, max(step, 0), length + min(step, 0))
    return cat([rest, end] if step > 0 else [end, rest], axis)


def norm_vjp(g: Node, out: Node, x: Node, dim: Any, keepdim: Any, axis_given: bool, p: float) -> tuple[Node | None]:
    g, out = restore(g, x, dim, keepdim), restore(out, x, dim, keepdim)
    if p == 0:
        return (None,)
    if p == 1:
        return (g * sign(x),)
    if math.isinf(p):
        return (sign(x) * (g * _share(abs_(x), out, dim)),)
    if p == 2:
        return (g * where(eq(out, 0), 0, x / out),)
    # Even powers are smooth at 0.
    slope = x ** (p - 1) if p > 0 and p % 2 == 0 else where(eq(x, 0), 0, sign(x) * abs_(x) ** (p - 1))
    return (slope * where(eq(out, 0), 0, g / out ** (p - 1)),)


def _cumprod_vjp(g: Node, out: Node, x: Node, dim: int) -> tuple[Node]:
    """What comes before each factor times what is summed up after it: products only, so that zeros are no exception."""
    if not (x.ndim and x.size):
        return (g,)
    return (_before(x, dim) * recurrence_of(g, shifted(x, dim, 1), dim, True),)


# As people write them -------------------------------------------------------------------------------------------------


def _prod_whole(g: Node, out: Node, x: Node, dim: Any, keepdim: Any, axis_given: bool) -> tuple[Node]:
    """The product of all others."""
    if not x.ndim:
        return (g,)
    lined = movedim(x, dim[0], -1) if len(dim) == 1 else reshape(x, (-1,))
    others = _others(lined, lambda spread: prod(spread, -1))
    back = movedim(others, -1, dim[0]) if len(dim) == 1 else reshape(others, x.shape)
    return (restore(g, x, dim, keepdim) * back,)


def _others(x: Node, product: Callable[[Node], Node]) -> Node:
    """A product over the last dimension, for each element with a 1 in its place: a row for each of them."""
    chosen = eq(call("eye", x.shape[-1], dtype=x.dtype), 1)
    return product(where(chosen, 1, unsqueeze(x, -2)))


def _cumprod_textbook(g: Node, out: Node, x: Node, dim: int) -> tuple[Node]:
    if not x.ndim:
        return (g,)
    return (flip(cumsum(flip(g * out, (dim,)), dim), (dim,)) / x,)


def _cumprod_whole(g: Node, out: Node, x: Node, dim: int) -> tuple[Node]:
    """The sum over the later products of each without its own factor."""
    if not x.ndim:
        return (g,)
    lined, weights = movedim(x, dim, -1), movedim(g, dim, -1)
    later = call("triu", _others(lined, lambda spread: cumprod(spread, -1)))
    return (movedim(sum_(later * unsqueeze(weights, -2), -1), -1, dim),)


def _norm_textbook(
    g: Node, out: Node, x: Node, dim: Any, keepdim: Any, axis_given: bool, p: float
) -> tuple[Node | None]:
    g, out = restore(g, x, dim, keepdim), restore(out, x, dim, keepdim)
    if p in (0, 1):
        return norm_vjp(g, out, x, dim, True, axis_given, p)
    if p == 2:
        return (g * (x / out),)
    if math.isinf(p):
        return (g * sign(x) * _share(abs_(x), out, dim),)
    return (g * sign(x) * abs_(x) ** (p - 1) / out ** (p - 1),)


def _share(x: Node, extreme: Node, dim: Any) -> Node:
    """The part of each element in an extreme: equal ones share it evenly."""
    mask = to(eq(x, extreme), x.dtype)
    return mask / sum_(mask, list(dim), True) if dim else mask


def _extreme_textbook(g: Node, out: Node, x: Node, dim: Any, keepdim: Any, axis_given: bool) -> tuple[Node]:
    return (restore(g, x, dim, keepdim) * _share(x, restore(out, x, dim, keepdim), dim),)


def _std_textbook(
    g: Node, out: Node, x: Node, dim: Any, keepdim: Any, axis_given: bool, correction: float
) -> tuple[Node]:
    centred = x - mean(x, list(dim), True) if dim else x - x
    return (restore(g / out, x, dim, keepdim) * centred / (count(x, dim) - correction),)


def _logsumexp_textbook(g: Node, out: Node, x: Node, dim: Any, keepdim: Any, axis_given: bool) -> tuple[Node]:
    g = restore(g, x, dim, keepdim)
    if len(dim) == 1 and x.ndim:
        return (g * call("softmax", x, dim[0]),)
    return (g * exp(x - restore(out, x, dim, keepdim)),)


# Rows -----------------------------------------------------------------------------------------------------------------


def _typed(op_name: str) -> Row:
    """`dtype=` converts before summing; integers are summed as int64, and are that dtype again.

    With `dim`, PyTorch's chain has a name of its own.
    """

    def build(input: Any, dim: Any, keepdim: Any, dtype: Any) -> Node:
        target = to_dtype(dtype)
        if target is not None and target.kind != "f" and target != INT64:
            return cast(build(cast(as_node(input), target), dim, keepdim, None), target)
        x = as_node(input) if target is None else cast(as_node(input), target)
        if op_name == "prod" and isinstance(dim, list | tuple) and not dim:
            hint = "without dim, all elements are multiplied"
            raise GradcliError("prod() needs a dimension to multiply along, got none", hint=hint, argument="dim")
        if op_name == "prod" and dim is not None and x.ndim:
            for axis in reversed(normalize_axes(dim, x.ndim)):
                x = reduce_node(prod, x, axis, keepdim)
            return x
        return reduce_node(OPS[op_name], x, dim, keepdim, op_name == "mean")

    return {
        "build": build, "args": TYPED, "numpy": op_name,
        "grad_fn": lambda node: (f"{op_name.title()}Backward{int(node.params['axis_given'])}", node.inputs),
    }


def _whole_result(dtype: np.dtype) -> np.dtype:
    return dtype if dtype.kind == "f" else INT64


sum_ = reduction(
    "sum", _sum, **_typed("sum"), result=_whole_result, words=("total",), doc="Sum.",
    vjp=lambda g, out, x, dim, keepdim, axis_given: (expand(restore(g, x, dim, keepdim), x.shape),),
    accumulate=accumulators.SUM, batching=SUMMED, formula=reductions.total, latex=typeset.total,
    simplify=sums_and_means.total, cost=1.0,
)
mean = reduction(
    "mean", _mean, **_typed("mean"), words=("average", "avg"), doc="Mean.",
    vjp=lambda g, out, x, dim, keepdim, axis_given: (
        expand(restore(g, x, dim, keepdim), x.shape) / max(1, count(x, dim)),
    ),
    accumulate=accumulators.MEAN, batching=LINEAR, formula=reductions.mean, simplify=sums_and_means.total, cost=1.0,
)
prod = reduction(
    "prod", _prod, **_typed("prod"), result=_whole_result, words=("product",), doc="Product.", vjp=_prod_vjp,
    accumulate=accumulators.by_ufunc(np.multiply, accumulators.wide_dtype, accumulators.PRODUCT_LANES),
    textbook=lambda g, out, x, dim, keepdim, axis_given: (
        restore(g, x, dim, keepdim) * (restore(out, x, dim, keepdim) / x),
    ),
    textbook_whole=_prod_whole, latex=typeset.product,
)
def _extreme_of(name: str, accumulate: Accumulate, ufunc: Any, word: str) -> Op:
    return reduction(
        name, _extreme(ufunc), nonempty=True, vjp=_share_extreme, accumulate=accumulate,
        doc=f"{word}; equal elements share the gradient evenly.", textbook=_extreme_textbook, latex=f"\\{name[1:]}",
        numpy=name, cost=1.0, simplify=sums_and_means.extreme_of_chosen,
    )


amax = _extreme_of("amax", accumulators.MAXIMUM, np.maximum, "Maximum")
amin = _extreme_of("amin", accumulators.MINIMUM, np.minimum, "Minimum")


def _lower_logsumexp(node: Node) -> Node | None:
    """The steps of the kernel as operations. The bound holds infinite maxima away from inf - inf."""
    x, dim = node.inputs[0], node.params["dim"]
    if not x.size:
        # Nothing has no maximum, and the logarithm of its sum is -inf.
        return None
    largest = float(np.finfo(x.dtype).max)
    shift = call("clamp", amax(x, dim, True), -largest, largest)
    total = log(sum_(exp(x - shift), dim, True)) + shift
    return reshape(total, node.shape)


logsumexp: Op = reduction(
    "logsumexp", _logsumexp, lower=_lower_logsumexp, words=("lse",), doc="`log(sum(exp(input)))` without overflow.",
    build=lambda input, dim, keepdim: reduce_node(logsumexp, floating(input), dim, keepdim),
    vjp=lambda g, out, x, dim, keepdim, axis_given: (
        restore(g, x, dim, keepdim) * exp(x - restore(out, x, dim, keepdim)),
    ),
    textbook=_logsumexp_textbook, latex=typeset.along, source=numpy_sources.LOG_SUM_EXP,
)


def _spread(name: str, kernel: Any, doc: str, vjp: Any, accumulate: Accumulate, **row: Any) -> Op:
    def build(input: Any, dim: Any, unbiased: Any, keepdim: Any, correction: Any) -> Node:
        # As in PyTorch, a boolean in second place means `unbiased`.
        if isinstance(dim, bool):
            dim, unbiased = None, dim
        if correction is None:
            correction = 1 if unbiased is None else int(as_flag(unbiased, "unbiased"))
        return reduce_node(op, input, dim, keepdim, floating=True, correction=as_number(correction, "correction"))

    op: Op = reduction(
        name, kernel, args="input, dim=None, unbiased=None, keepdim=False, *, correction=None", build=build, doc=doc,
        vjp=vjp, accumulate=accumulate, text=spelling.spread, numpy=name, **row,
    )
    return op


var = _spread("var", _var, "Variance, with n - correction (1 unless given) in the denominator.", _var_vjp,
              VAR, words=("variance",))
std = _spread(
    "std", lambda x, **params: np.sqrt(_var(x.astype(np.float64), **params)).astype(x.dtype),
    "Standard deviation, the root of var; its gradient at 0 is 0.",
    # At zero the root has no slope; PyTorch takes 0 for it.
    lambda g, out, x, **params: _var_vjp(where(eq(out, 0), 0, g / (2 * out)), out, x, **params), STD,
    textbook=_std_textbook, words=("stdev", "stddev", "standarddeviation"),
)


def nuclear_norm(x: Any, dim: Any, keepdim: bool) -> Node:
    """The sum of the singular values of the matrices along two dimensions."""
    if as_node(x).ndim < 2:
        raise SizeError("the nuclear norm is one of matrices, the tensor has shape {}", as_node(x).shape)
    return call("matrix_norm", x, "nuc", (-2, -1) if dim is None else dim, keepdim)


def _norm_build(input: Any, p: Any, dim: Any, keepdim: Any) -> Node:
    if isinstance(p, str):
        if p == "nuc":
            return nuclear_norm(input, dim, keepdim)
        if p != "fro":
            raise GradcliError(f"norm() has no order {quoted(p)}", hint="use a number, inf, -inf, 'fro' or 'nuc'")
        p = 2
    p = 2 if p is None else p
    return reduce_node(norm, input, dim, keepdim, floating=True, p=as_number(p, "p"))


norm = reduction(
    "norm", _norm, args="input, p=2, dim=None, keepdim=False", build=_norm_build, vjp=norm_vjp,
    doc="Vector p-norm; p may be inf, -inf or 0.", grad_fn="LinalgVectorNormBackward0", accumulate=accumulators.NORM,
    textbook=_norm_textbook, text=spelling.norm, latex=typeset.norm, source=numpy_sources.NORM,
)


def _truth(name: str, ufunc: Any, doc: str, lanes: Lanes) -> Op:
    def build(input: Any, dim: Any, keepdim: Any) -> Node:
        # Over an empty list of dimensions each element is looked at alone; the other reductions take all.
        if isinstance(dim, list | tuple) and not dim:
            return ne(input, 0)
        return reduce_node(op, input, dim, keepdim)

    op: Op = reduction(
        name, lambda x, dim, keepdim, axis_given: ufunc.reduce(x, axis=dim, keepdims=keepdim), build=build, doc=doc,
        result=lambda d: BOOL, accumulate=accumulators.by_ufunc(ufunc, lanes=lanes), text=spelling.truth,
        numpy=name,
    )
    return op


all_ = _truth("all", np.logical_and, "True if all elements are nonzero.", accumulators.ALL_LANES)
any_ = _truth("any", np.logical_or, "True where one is not zero.", accumulators.ANY_LANES)
count_nonzero: Op = reduction(
    "count_nonzero",
    lambda x, dim, keepdim, axis_given: np.add.reduce(x != 0, axis=dim, keepdims=keepdim, dtype=np.int64),
    result=lambda d: INT64, args="input, dim=None", doc="Number of nonzero elements.",
    build=lambda input, dim: reduce_node(count_nonzero, input, dim, False), accumulate=accumulators.COUNT,
    text=spelling.counted, numpy="count_nonzero", words=("nnz",),
)


def _arg_reduction(name: str, function: Any, word: str) -> Op:
    def build(input: Any, dim: Any, keepdim: Any) -> Node:
        x = as_node(input)
        # A vector is flat already, and can be gone through in blocks.
        axis = None if dim is None and x.ndim != 1 else normalize_axis(0 if dim is None else dim, x.ndim)
        return reduce_node(op, x, axis, keepdim, nonempty=True)

    def flat(node: Node) -> Node | None:
        if node.params["axis_given"]:
            return None
        found = build(reshape(node.inputs[0], (-1,)), 0, False)
        return reshape(found, node.shape)

    extreme = accumulators.first_extreme(np.maximum if word == "maximum" else np.minimum, function)
    op: Op = reduction(
        name, _arg(function), result=lambda d: INT64, build=build, args=ONE_DIM,
        doc=f"Index of the {word}, the first of equal ones; in the flattened tensor without dim.",
        blocking=Blocking(
            lambda node, dim: kept(node, dim) if node.params["axis_given"] else None,
            lambda node: over_dims(node) if node.params["axis_given"] else [], extreme,
        ),
        batching=written(flat), formula=reductions.reduction(flat=True), simplify=sums_and_means.place_of_extreme,
        text=spelling.counted, numpy=name,
    )
    return op


argmax = _arg_reduction("argmax", np.argmax, "maximum")
argmin = _arg_reduction("argmin", np.argmin, "minimum")


# Rows of so many elements are compared faster as a whole than each column is searched.
_LONG_RUN = 64


def _lies_in_long_runs(x: Any, dim: int) -> bool:
    """Whether long runs of elements that lie side by side in memory do so along another dimension."""
    runs = (n for k, n in enumerate(x.shape) if k != dim and x.strides[k] == x.itemsize)
    return max(runs, default=0) >= _LONG_RUN


def _first_extreme(extreme: Any, arg: Any) -> Any:
    """Largest or smallest elements along a dimension and where the first of them are."""

    def kernel(x: Any, dim: tuple[int, ...], keepdim: bool, wanted: tuple[bool, ...] = (True, True)) -> Any:
        if not dim:
            return x, np.zeros(x.shape, np.int64)
        if not wanted[1] and _lies_in_long_runs(x, dim[0]):
            values = extreme.reduce(x, axis=dim, keepdims=keepdim)
            # Which zero or NaN comes first shows in its sign.
            if x.dtype.kind != "f" or ((values != 0) & (values == values)).all():
                return values, None
        index = arg(x, axis=dim[0], keepdims=True)
        picked = np.take_along_axis(x, index, dim[0]) if wanted[0] else None
        return tuple([r if r is None or keepdim else r.squeeze(dim) for r in (picked, index)])

    return kernel


def _first_extreme_vjp(g: Any, out: Any, x: Node, dim: tuple[int, ...], keepdim: bool) -> tuple[Node]:
    if not dim:
        return (g.values,)
    places = reshape(call("arange", x.shape[dim[0]]), tuple(-1 if k == dim[0] else 1 for k in range(x.ndim)))
    here = eq(places, restore(out.indices, x, dim, keepdim))
    return (where(here, restore(g.values, x, dim, keepdim), 0),)


def _infer_extreme(inputs: tuple[Node, ...], params: Params) -> Any:
    shape = reduced_shape(inputs[0].shape, params["dim"], params["keepdim"])
    return (shape, inputs[0].dtype), (shape, INT64)


def _extreme_row(name: str, ufunc: Any, pairwise: Op, arg: Any, word: str) -> Op:
    def build(input: Any, dim: Any, keepdim: Any) -> Any:
        x = as_node(input)
        if isinstance(dim, Node | np.ndarray | float):
            return pairwise(x, dim)
        if dim is None:
            return reduce_node(op, x, None, keepdim, nonempty=True)
        axes = normalize_axes(normalize_axis(dim, x.ndim), x.ndim)
        check_count(name, x, axes)
        return make_results(along, (x,), {"dim": axes, "keepdim": bool(keepdim)})

    kernel = _first_extreme(ufunc, arg)
    along = primitive(
        f"_{name}", kernel, _infer_extreme, family="reduction", args="input, dim, keepdim=False",
        results=("values", "indices"), skips=True, vjp=_first_extreme_vjp, grad_fn=f"{name.capitalize()}Backward0",
        blocking=Blocking(kept, over_dims, accumulators.extreme_and_place(ufunc, kernel)),
        doc=f"The {word} along a dimension, and the index of the first of equal ones.",
        formula=reductions.extreme(f"a{name}", f"arg{name}"),
    )
    op: Op = reduction(
        name, _extreme(ufunc), args="input, dim: dim|operand=None, keepdim=False", build=build, vjp=_share_extreme,
        grad_fn=f"{name.capitalize()}Backward1", nonempty=True,
        doc=f"The {word} of all (equal elements share the gradient evenly); with dim, the pair (values, indices); "
        f"with a tensor in second place, the elementwise {word}.",
        accumulate=accumulators.MAXIMUM if ufunc is np.maximum else accumulators.MINIMUM,
        formula=reductions.reduction(f"a{name}"), textbook=_extreme_textbook,
    )
    return op


max_ = _extreme_row("max", np.maximum, maximum, np.argmax, "maximum")
min_ = _extreme_row("min", np.minimum, minimum, np.argmin, "minimum")


# Running sums and products --------------------------------------------------------------------------------------------


# A long line is summed up in equal pieces of so many elements, at most and at least.
_PIECES = 1000, 64


def _in_pieces(node: Node) -> Node | None:
    """The running sum of a long line as those of its pieces, each of which goes on from all that is before it."""
    x, length = node.inputs[0], node.inputs[0].size
    most, least = _PIECES
    piece = next((k for k in range(most, least, -1) if length % k == 0), None)
    if piece is None or node.shape[node.params["dim"]] != length:
        return None
    pieces = length // piece
    lines = cast(reshape(x, (pieces, piece)), FLOAT64 if x.dtype.kind == "f" else INT64)
    ends = cumsum(sum_(lines, [1]), 0)
    before = cat([call("zeros", 1, dtype=ends.dtype), narrow(ends, 0, 0, pieces - 1)], 0)
    return reshape(cast(cumsum(lines, 1) + unsqueeze(before, 1), node.dtype), node.shape)


def _running(name: str, ufunc: Any, vjp: Any, doc: str, **row: Any) -> Op:
    def kernel(x: Any, dim: int) -> Any:
        out = np.empty(x.shape, _whole_result(x.dtype))
        running(ufunc, out, x, dim)
        return out

    def build(input: Any, dim: Any, dtype: Any) -> Node:
        target = to_dtype(dtype)
        x = as_node(input) if target is None else cast(as_node(input), target)
        result = make(op, (x,), {"dim": normalize_axis(dim, x.ndim)})
        return result if target is None else cast(result, target)

    op: Op = primitive(
        name, kernel, lambda inputs, params: (inputs[0].shape, _whole_result(inputs[0].dtype)), family="reduction",
        into=lambda out, x, dim: running(ufunc, out, x, dim), args="input, dim, *, dtype=None", build=build, doc=doc,
        vjp=vjp, numpy=name,
        blocking=Blocking(except_along, lower=_in_pieces if ufunc is np.add else None),
        batching=LINEAR if ufunc is np.add else None, cost=20.0, **row,
    )
    return op


def _running_from_end(x: Any, dim: int) -> Any:
    out = np.empty(x.shape, _whole_result(x.dtype))
    _into_from_end(out, x, dim)
    return out


def _into_from_end(out: Any, x: Any, dim: int) -> None:
    running(np.add, np.flip(out, dim), np.flip(x, dim), dim)


# Linear recurrences, of which the derivative of a running product is one ---------------------------------------------

# Steps that are taken one by one; longer lines are cut into pieces of so many that take them side by side.
_PIECE = 64
# Native code writes lines of so few elements out step by step.
_SHORT = 32


def _recurrence_kernel(b: Any, a: Any, dim: int, reverse: bool) -> Any:
    order = slice(None, None, -1 if reverse else 1)
    y = np.array(np.moveaxis(b, dim, 0)[order], np.float64, order="C")
    factors = np.moveaxis(np.broadcast_to(a, b.shape), dim, 0)[order].astype(np.float64, order="C")
    if len(y):
        _recur(y.reshape(len(y), -1), factors.reshape(len(y), -1))
    return np.moveaxis(y[order], 0, dim).astype(b.dtype)


def _recur(y: Any, a: Any) -> None:
    """`y[k] += a[k]*y[k - 1]` for each row in turn; `a` is overwritten by its running products within a piece."""
    count = len(y) // _PIECE if len(y) > 2 * _PIECE else 1
    size = len(y) // count
    pieces, factors = (z[: size * count].reshape(count, size, -1) for z in (y, a))
    for k in range(1, size):
        pieces[:, k] += factors[:, k] * pieces[:, k - 1]
        factors[:, k] *= factors[:, k - 1]
    if count > 1:
        # The last rows of the pieces are a recurrence of their own; then each piece takes what comes into it.
        ends = pieces[:, -1].copy()
        _recur(ends, factors[:, -1].copy())
        # What is nothing stays so, however large a product it meets.
        incoming = ends[:-1, None]
        factors[1:] *= incoming
        np.copyto(factors[1:], 0, where=incoming == 0)
        pieces[1:] += factors[1:]
        for k in range(size * count, len(y)):
            y[k] += a[k] * y[k - 1]


def _recurrence_vjp(g: Node, out: Node, b: Node, a: Node, dim: int, reverse: bool) -> tuple[Node, Node]:
    """The same recurrence from the other end."""
    step = -1 if reverse else 1
    to_b = recurrence_of(g, shifted(a, dim - b.ndim + a.ndim, step), dim, not reverse)
    return to_b, to_b * shifted(out, dim, -step)


def recurrence_of(b: Node, a: Node, dim: int, reverse: bool = False) -> Node:
    """The y with `y[k] = b[k] + a[k]*y[k - 1]` along a dimension, or with y[k + 1] from the end on."""
    return make(recurrence, (b, a), {"dim": dim, "reverse": reverse})


def _recurrence_steps(node: Node) -> Node | None:
    """Each place of a short line from the one before."""
    (b, a), dim = node.inputs, node.params["dim"]
    length = node.shape[dim]
    if not 0 < length <= _SHORT:
        return None
    terms, factors = cast(b, FLOAT64), cast(expand(a, b.shape), FLOAT64)
    found: dict[int, Node] = {}
    for place in reversed(range(length)) if node.params["reverse"] else range(length):
        term = call("select", terms, dim, place)
        before = next(reversed(found.values()), None)
        found[place] = term if before is None else term + call("select", factors, dim, place) * before
    return cast(call("stack", [found[place] for place in range(length)], dim), b.dtype)


recurrence = primitive(
    "_recurrence", _recurrence_kernel, family="reduction", args="input, factor",
    doc="A sum that is multiplied by a factor before each step.", vjp=_recurrence_vjp,
    grad_fn="CumprodBackwardBackward0", batching=ALONG,
    blocking=Blocking(lambda node, dim: None if dim == node.params["dim"] else aligned(node, dim)),
    native=NativeSteps(_recurrence_steps),
)
cumsum: Op = _running(
    "cumsum", np.add, lambda g, out, x, dim: (flip(cumsum(flip(g, (dim,)), dim), (dim,)) if x.ndim else g,),
    "Running sum along a dimension.", example=("cumsum(input, 0)", "input:1"), in_place=True,
    native=NativeRunning(accumulators.SUM_LANES, "_cumsum_from_end"),
)
# The simplifier puts it in the place of the running sum of what is flipped, and flipped back.
cumsum_from_end = primitive(
    "_cumsum_from_end", _running_from_end, lambda inputs, params: (inputs[0].shape, _whole_result(inputs[0].dtype)),
    family="reduction", public=False, args="input, dim", doc="The sum from each position on, along a dimension.",
    vjp=lambda g, out, x, dim: (cumsum(g, dim),), grad_fn="CumsumBackward0", batching=LINEAR,
    blocking=Blocking(except_along), cost=20.0, into=_into_from_end,
    native=NativeRunning(accumulators.SUM_LANES, "cumsum", from_end=True),
)
cumprod = _running(
    "cumprod", np.multiply, _cumprod_vjp, "Running product along a dimension.", textbook=_cumprod_textbook,
    textbook_whole=_cumprod_whole, example=("cumprod(input, 0)", "input:1"), in_place=True,
    native=NativeRunning(accumulators.PRODUCT_LANES),
)


# Mean and sum of squared deviations, and the sums that follow from them -----------------------------------------------
# The simplifier puts these in the place of sums of deviations from a mean: the data is not gone through once more.


def _moments_kernel(x: Any, dim: tuple[int, ...], keepdim: Any) -> Any:
    wide = x.astype(np.float64)
    mean = np.true_divide(np.add.reduce(wide, axis=dim, keepdims=True), math.prod(x.shape[d] for d in dim))
    return mean.squeeze(dim), np.add.reduce((wide - mean) ** 2, axis=dim, keepdims=keepdim)


def _about_kernel(mean: Any, point: Any, *squares: Any, count: int) -> Any:
    step = mean - point
    return (squares[0] + count * step * step if squares else count * step).astype(point.dtype)


moments = primitive(
    "_moments", _moments_kernel,
    lambda inputs, params: ((reduced_shape(inputs[0].shape, params["dim"], False), FLOAT64),) * 2, family="reduction",
    args="input, dim", doc="The mean and the sum of the squared deviations from it, in float64.",
    results=("mean", "squares"), blocking=Blocking(kept, over_dims, MOMENTS),
)
about = primitive(
    "_about", _about_kernel, lambda inputs, params: (inputs[1].shape, inputs[1].dtype), family="reduction",
    args="mean, point, squares=None, count=0",
    doc="The sum of the deviations from a point, or of their squares where that of those from the mean is given.",
)
