"""Losses of probabilities, margins and distances, in the steps that PyTorch takes."""

# Rows are laid out by hand.
# fmt: off

from __future__ import annotations

import math
from typing import Any

import numpy as np

from gradcli.errors import GradcliError, SizeError
from gradcli.graph.arguments import as_choice, as_flag, as_function, as_int, as_node, as_number, normalize_axis
from gradcli.graph.infer import broadcast_shapes, cast
from gradcli.graph.native_forms import NativeChecked
from gradcli.graph.node import Node, constant, fitted, make
from gradcli.ops.batching import sums
from gradcli.ops.create import zeros_like
from gradcli.ops.elementwise import clamp_min, eq, exp, log, logical_and, minimum, mul, ne, neg, sqrt, sub, where, xlogy
from gradcli.ops.family import apply, call, composite, elementwise, floating, floats
from gradcli.ops.kernels import native
from gradcli.ops.loss import REDUCTIONS, class_pick, reduced, refuse_tracked
from gradcli.ops.notation import spelling
from gradcli.ops.one_step import one_step
from gradcli.ops.reduce import norm, sum_
from gradcli.ops.rewrites import numbers
from gradcli.ops.shape import reshape, unsqueeze


def _same_shape(name: str, x: Node, y: Node) -> None:
    if x.shape != y.shape:
        raise SizeError("{}(): target has shape {}, input {}: they must be equal", name, y.shape, x.shape,
                        argument="target")


_minus = elementwise(
    "_minus", np.subtract, args="input, other", dtype="number", batching=sums(0, 1), signs=(1, -1),
    grad_fn=lambda node: ("SubBackward1", node.inputs[:1]), doc="Difference from a number inside an operation.",
    vjp=lambda g, out, x, y: (g, None), simplify=numbers.difference, cost=1.0, native=lambda v, x, y: x - y,
)


# Probabilities --------------------------------------------------------------------------------------------------------


def _refuse_others(x: Any) -> None:
    if not ((x >= 0) & (x <= 1)).all():
        hint = "binary_cross_entropy_with_logits() takes any numbers"
        raise GradcliError("binary_cross_entropy() takes probabilities, the input is not between 0 and 1", hint=hint)


def _cross_entropies(out: Any, x: Any, y: Any) -> None:
    _refuse_others(x)
    np.subtract(1, y, out=out)
    out *= np.maximum(np.log1p(-x), -100)
    out += y * np.maximum(np.log(x), -100)
    np.negative(out, out=out)


def _cross_entropies_formula(c: Any, s: Any) -> Any:
    """-(y*log(x) + (1 - y)*log(1 - x))."""
    (x, y), axes = c.aligned(s.inputs, s.shapes, len(s.shape))
    rest, one = c.add((1, c.number(1)), (-1, y)), c.number(1)
    return c.closed(c.add((-1, c.times(y, c.fn("log", x))), (-1, c.times(rest, c.fn("log", c.add((1, one), (-1, x)))))),
                    axes)


cross_entropies = elementwise(
    "_cross_entropies", into=_cross_entropies, dtype="float", args="input, target",
    doc="Cross-entropy of two probabilities each, logarithms below -100 taken for that.", domain=(0.1, 0.9),
    grad_fn="BinaryCrossEntropyBackward0", formula=_cross_entropies_formula,
    native=NativeChecked(native.cross_entropies, lambda node: (0, _refuse_others)),
    vjp=lambda g, out, x, y: (
        g * ((x - y) / clamp_min((1 - x) * x, 1e-12)), g * (call("log1p", -x) - log(x))
    ),
    textbook=lambda g, out, x, y: (g * (x - y) / ((1 - x) * x), g * (log(1 - x) - log(x))),
)


def _bce(input: Any, target: Any, weight: Any, reduction: Any) -> Node:
    x, y = floats(input, target)
    _same_shape("binary_cross_entropy", x, y)
    losses = cross_entropies(x, y)
    if weight is not None:
        refuse_tracked(weight, "weight", "binary_cross_entropy")
        losses = mul(losses, cast(as_node(weight), losses.dtype))
        if losses.shape != x.shape:
            raise SizeError("weight has shape {}, the input {}", as_node(weight).shape, x.shape, argument="weight")
    return one_step("BinaryCrossEntropyBackward0", reduced(losses, reduction), x, y)


binary_cross_entropy = composite(
    "binary_cross_entropy", _bce, args="input, target, weight=None, reduction='mean'", family="loss",
    domain=(0.1, 0.9), doc="Cross-entropy of probabilities: minus the logarithm of the input where the target is 1.",
    words=("bce",),
)


def _kl_div(input: Any, target: Any, reduction: Any, log_target: bool) -> Node:
    x, t = floats(input, target)
    losses = mul(exp(t), sub(t, x)) if log_target else sub(xlogy(t, t), mul(t, x))
    if reduction == "batchmean":
        if not x.ndim:
            raise GradcliError("reduction='batchmean' needs a dimension of batches", argument="reduction")
        return sum_(losses) / max(1, x.shape[0])
    as_choice(reduction, "reduction", (*REDUCTIONS, "batchmean"))
    return reduced(losses, reduction)


kl_div = composite(
    "kl_div", _kl_div, args="input, target, reduction: kl_reduction='mean', log_target=False", family="loss",
    doc="Kullback-Leibler divergence of the target from the input, which are logarithms of probabilities.",
    words=("kullbackleiblerdivergence", "kldivergence"),
)


def _poisson(input: Any, target: Any, log_input: bool, full: bool, eps: Any, reduction: Any) -> Node:
    x, t = floats(input, target)
    small = as_number(eps, "eps")
    losses = sub(exp(x), mul(t, x)) if log_input else sub(x, mul(t, log(call("_plus", x, small))))
    if full:
        half = call("_times", log(call("_times", t, 2 * math.pi)), 0.5)
        stirling = sub(mul(t, log(t)), t) + half
        losses = losses + call("masked_fill", stirling, t <= 1, 0.0)
    return reduced(losses, reduction)


poisson_nll_loss = composite(
    "poisson_nll_loss", _poisson, args="input, target, log_input=True, full=False, eps=1e-8, reduction='mean'",
    family="loss", domain=(0.5, 2.0),
    doc="Minus the log-probability of a count (target) that is Poisson distributed; the input is the logarithm "
    "of its mean.",
)


def _floor_kernel(out: Any, x: Any, least: float, variance: bool) -> None:
    if variance and (x < 0).any():
        raise GradcliError("gaussian_nll_loss(): a variance is negative", argument="var")
    np.maximum(x, x.dtype.type(least), out=out)


floored = elementwise(
    "_floored", into=_floor_kernel, args="input, least=0.0, variance=False", dtype="float",
    doc="The input, but not below a number; the gradient is that of the input all the same.", grad_fn="CloneBackward0",
    vjp=lambda g, out, x, least, variance: (g,), batching=sums(0), native=native.floored,
    formula=lambda c, s: s.inputs[0], text=spelling.floored,
)


def _gaussian(input: Any, target: Any, var: Any, full: bool, eps: Any, reduction: Any) -> Node:
    x, t, v = floats(input, target, var)
    small = as_number(eps, "eps")
    if small <= 0:
        raise GradcliError(f"eps must be positive, got {small}", argument="eps")
    if v.ndim and v.shape != x.shape:
        if x.shape[:-1] == v.shape:
            v = unsqueeze(v, -1)
        elif x.ndim != v.ndim or sum(a != b for a, b in zip(x.shape, v.shape, strict=True)) != 1:
            raise SizeError("var has shape {}, the input {}", v.shape, x.shape, argument="var")
    width = apply(floored, v, least=small, variance=True)
    losses = mul(log(width) + sub(x, t) ** 2 / width, 0.5)
    return reduced(losses + 0.5 * math.log(2 * math.pi) if full else losses, reduction)


gaussian_nll_loss = composite(
    "gaussian_nll_loss", _gaussian, args="input, target, var: tensor, full=False, eps=1e-6, reduction='mean'",
    family="loss", domain=(0.5, 2.0),
    doc="Minus the logarithm of the density of a normal variable (target) with mean input and variance var.",
)


# Distances ------------------------------------------------------------------------------------------------------------


def _pairwise_distance(x1: Any, x2: Any, p: Any, eps: Any, keepdim: bool) -> Node:
    a, b = floats(x1, x2)
    difference = call("_plus", sub(a, b), as_number(eps, "eps"))
    if not difference.ndim:
        raise SizeError("pairwise_distance() takes vectors, got shapes {} and {}", a.shape, b.shape)
    return one_step("NormBackward1", norm(difference, as_number(p, "p"), -1, keepdim), difference)


pairwise_distance = composite(
    "pairwise_distance", _pairwise_distance, args="x1, x2, p: number=2.0, eps=1e-6, keepdim=False", family="loss",
    doc="The norms of the differences of two lists of vectors.",
)


def _cosine_similarity(x1: Any, x2: Any, dim: Any, eps: Any) -> Node:
    a, b = floats(x1, x2)
    shape = broadcast_shapes([a.shape, b.shape])
    axis, small = normalize_axis(dim, len(shape)), as_number(eps, "eps")
    a, b = (x if x.shape == shape else call("expand", x, shape) for x in (a, b))

    def unit(x: Node) -> Node:
        return x / apply(floored, norm(x, 2, axis, True), least=small, variance=False)

    return sum_(mul(unit(a), unit(b)), [axis] if shape else None)


cosine_similarity = composite(
    "cosine_similarity", _cosine_similarity, args="x1, x2, dim=1, eps=1e-8", family="loss",
    doc="The cosines of the angles between vectors along a dimension.",
    example="x1:2 x2:2",
)


def _normalize(input: Any, p: Any, dim: Any, eps: Any) -> Node:
    x = floating(input)
    length = clamp_min(norm(x, as_number(p, "p"), dim, True), as_number(eps, "eps"))
    return x / call("expand", length, x.shape)


normalize = composite(
    "normalize", _normalize, args="input, p: number=2.0, dim: dims=1, eps=1e-12", family="loss",
    doc="Vectors along a dimension divided by their norm.", example="input:2", words=("unitnormalize", "l2normalize"),
)


# Margins --------------------------------------------------------------------------------------------------------------


def _hinge_embedding(input: Any, target: Any, margin: Any, reduction: Any) -> Node:
    x, t = floats(input, target)
    least = constant(fitted(as_number(margin, "margin"), x.dtype))
    beyond = clamp_min(sub(least, x), 0)
    return reduced(where(ne(t, 1), beyond, zeros_like(beyond)) + where(ne(t, -1), x, zeros_like(x)), reduction)


hinge_embedding_loss = composite(
    "hinge_embedding_loss", _hinge_embedding, args="input, target, margin=1.0, reduction='mean'", family="loss",
    doc="The input, a distance, where the target is 1, and `max(0, margin - input)` where it is -1.",
)


def _cosine_embedding(input1: Any, input2: Any, target: Any, margin: Any, reduction: Any) -> Node:
    a, b = floats(input1, input2)
    t = as_node(target)
    if t.ndim > 1 or t.ndim + 1 != a.ndim or a.ndim != b.ndim:
        raise SizeError("cosine_embedding_loss() takes a target of a dimension less than both inputs, got {}, {}, {}",
                        a.shape, b.shape, t.shape, argument="target")
    small = 1e-12
    lengths = mul(*(call("_plus", sum_(mul(x, x), [-1]), small) for x in (a, b)))
    cosine = sum_(mul(a, b), [-1]) / sqrt(lengths)
    apart = clamp_min(apply(_minus, cosine, as_number(margin, "margin")), 0)
    near = sub(constant(np.ones(cosine.shape, cosine.dtype)), cosine)
    return reduced(where(eq(t, 1), near, zeros_like(near)) + where(eq(t, -1), apart, zeros_like(apart)), reduction)


cosine_embedding_loss = composite(
    "cosine_embedding_loss", _cosine_embedding, args="input1, input2, target, margin=0.0, reduction='mean'",
    family="loss",
    doc="1 minus the cosine of two vectors where the target is 1, `max(0, cosine - margin)` where it is -1.",
    example="input1:2 input2:2 target:1:int64",
)


def _margin_ranking(input1: Any, input2: Any, target: Any, margin: Any, reduction: Any) -> Node:
    a, b, t = floats(input1, input2, target)
    losses = clamp_min(call("_plus", mul(neg(t), sub(a, b)), as_number(margin, "margin")), 0)
    return reduced(losses, reduction)


margin_ranking_loss = composite(
    "margin_ranking_loss", _margin_ranking, args="input1, input2, target, margin=0.0, reduction='mean'", family="loss",
    doc="`max(0, -target*(input1 - input2) + margin)` for a target of 1 or -1.",
)


def _rows_of(name: str, x: Node, target: Any, classes: int) -> tuple[Node, Node]:
    """Input and integer targets as matrices of one row for each sample, of `classes` targets or a vector of them."""
    t = as_node(target)
    if t.dtype.kind not in "iu":
        raise GradcliError(f"{name}() takes class indices as target, got {t.dtype}", argument="target")
    if x.ndim > 2 or not x.size:
        raise SizeError("{}() takes (batch, classes) or (classes), got shape {}", name, x.shape)
    rows = reshape(x, (-1, x.shape[-1] if x.ndim else 1))
    shape = rows.shape if classes else rows.shape[:1]
    if t.size != math.prod(shape) or (x.ndim == 2 and t.shape != shape):
        raise SizeError("{}(): target has shape {}, the input {}", name, t.shape, x.shape, argument="target")
    return rows, reshape(t, shape)


def _multi_margin(input: Any, target: Any, p: Any, margin: Any, weight: Any, reduction: Any) -> Node:
    x = floating(input)
    rows, t = _rows_of("multi_margin_loss", x, target, 0)
    order, least = as_int(p, "p"), as_number(margin, "margin")
    if order not in (1, 2):
        raise GradcliError(f"p must be 1 or 2, got {order}", argument="p")
    own = make(class_pick, (rows, t), {"ignore_index": -1})
    beyond = call("relu", least - unsqueeze(own, 1) + rows)
    beyond = beyond if order == 1 else beyond**2
    if weight is not None:
        refuse_tracked(weight, "weight", "multi_margin_loss")
        w = cast(as_node(weight), x.dtype)
        if w.shape != rows.shape[1:]:
            raise SizeError("weight has shape {}, there are {} classes", w.shape, rows.shape[1], argument="weight")
        beyond = beyond * unsqueeze(call("index_select", w, 0, t), 1)
    other = ne(call("arange", rows.shape[1]), unsqueeze(t, 1))
    losses = sum_(where(other, beyond, zeros_like(beyond)), [1]) / rows.shape[1]
    single = losses if x.ndim == 2 else reshape(losses, ())
    return one_step("MultiMarginLossBackward0", reduced(single, reduction), x)


multi_margin_loss = composite(
    "multi_margin_loss", _multi_margin, args="input, target, p: int=1, margin=1.0, weight=None, reduction='mean'",
    family="loss",
    doc="By how much the scores of other classes come within margin of that of the target, a class index.",
    example="input:2 target:1:int64",
)


def _multilabel_margin(input: Any, target: Any, reduction: Any) -> Node:
    x = floating(input)
    rows, t = _rows_of("multilabel_margin_loss", x, target, 1)
    classes = rows.shape[1]
    # A negative index ends the list of targets.
    there = eq(call("cumsum", call("long", t < 0), 1), 0)
    safe = where(there, t, call("zeros_like", t))
    places = call("arange", rows.shape[0])
    own = call("getitem", rows, (unsqueeze(places, 1), safe))
    among = logical_and(eq(unsqueeze(safe, 2), call("arange", classes)), unsqueeze(there, 2))
    others = logical_and(unsqueeze(there, 2), call("logical_not", unsqueeze(call("any", among, 1), 1)))
    beyond = call("relu", 1 - unsqueeze(own, 2) + unsqueeze(rows, 1))
    losses = sum_(where(others, beyond, zeros_like(beyond)), [1, 2]) / classes
    single = losses if x.ndim == 2 else reshape(losses, ())
    return one_step("MultilabelMarginLossBackward0", reduced(single, reduction), x)


multilabel_margin_loss = composite(
    "multilabel_margin_loss", _multilabel_margin, args="input, target, reduction='mean'", family="loss",
    doc="By how much the scores of other classes come within 1 of those of the targets, a list that ends at a "
    "negative index.",
    example="input:2 target:2:int64",
)


def _multilabel_soft_margin(input: Any, target: Any, weight: Any, reduction: Any) -> Node:
    x, t = floats(input, target)
    _same_shape("multilabel_soft_margin_loss", x, t)
    if not x.ndim:
        raise GradcliError("multilabel_soft_margin_loss() needs a dimension of classes, the input has none")
    losses = neg(mul(t, call("logsigmoid", x)) + mul(1 - t, call("logsigmoid", neg(x))))
    if weight is not None:
        losses = mul(losses, cast(as_node(weight), losses.dtype))
    return reduced(sum_(losses, [-1]) / max(1, x.shape[-1]), reduction)


multilabel_soft_margin_loss = composite(
    "multilabel_soft_margin_loss", _multilabel_soft_margin, args="input, target, weight=None, reduction='mean'",
    family="loss", doc="The mean over the classes of the cross-entropy of the target and the sigmoid of the input.",
)


def _soft_margin(input: Any, target: Any, reduction: Any) -> Node:
    x, t = floats(input, target)
    _same_shape("soft_margin_loss", x, t)
    value = reduced(neg(call("logsigmoid", mul(x, t))), reduction)
    return one_step("SoftMarginLossBackward0", value, x, *((t,) if t.requires_grad else ()))


soft_margin_loss = composite(
    "soft_margin_loss", _soft_margin, args="input, target, reduction='mean'", family="loss",
    doc="`log(1 + exp(-target*input))` for a target of 1 or -1.",
)


def _triplet(
    anchor: Any, positive: Any, negative: Any, margin: Any, p: Any, eps: Any, swap: bool, reduction: Any
) -> Node:
    def distance(a: Any, b: Any) -> Node:
        return _pairwise_distance(a, b, p, eps, False)

    near, far = _triplet_distances(anchor, positive, negative, distance, swap)
    return reduced(clamp_min(sub(call("_plus", near, as_number(margin, "margin")), far), 0), reduction)


def _triplet_distances(anchor: Any, positive: Any, negative: Any, distance: Any, swap: bool) -> tuple[Node, Node]:
    near, far = as_node(distance(anchor, positive)), as_node(distance(anchor, negative))
    return near, minimum(far, as_node(distance(positive, negative))) if swap else far


def _triplet_with_distance(
    anchor: Any, positive: Any, negative: Any, distance_function: Any, margin: Any, swap: bool, reduction: Any
) -> Node:
    given = pairwise_distance if distance_function is None else as_function(distance_function)
    try:
        near, far = _triplet_distances(anchor, positive, negative, given, as_flag(swap, "swap"))
    except TypeError as error:
        raise GradcliError(f"distance_function does not take two tensors: {error}") from error
    return reduced(clamp_min(sub(near + as_number(margin, "margin"), far), 0), reduction)


triplet_margin_loss = composite(
    "triplet_margin_loss", _triplet, family="loss",
    args="anchor, positive, negative, margin=1.0, p: number=2, eps=1e-6, swap=False, reduction='mean'",
    doc="`max(0, d(anchor, positive) - d(anchor, negative) + margin)` for a distance d.",
)
triplet_margin_with_distance_loss = composite(
    "triplet_margin_with_distance_loss", _triplet_with_distance, family="loss",
    args="anchor, positive, negative, *, distance_function: function=None, margin=1.0, swap=False, reduction='mean'",
    doc="triplet_margin_loss with a custom distance, in Python a function of two tensors.",
)
