"""The linear maps of a network, and attention."""

# Rows are laid out by hand.
# fmt: off

from __future__ import annotations

import math
from typing import Any

import numpy as np

from gradcli.errors import GradcliError, SizeError
from gradcli.graph.arguments import as_node, as_number
from gradcli.graph.dtypes import BOOL, FLOAT64
from gradcli.graph.infer import cast
from gradcli.graph.node import Node, constant
from gradcli.ops.elementwise import eq, where
from gradcli.ops.family import call, composite, floats
from gradcli.ops.matmul import common, matmul, mm
from gradcli.ops.one_step import one_step
from gradcli.ops.reduce import all_, amax
from gradcli.ops.shape import expand, reshape, t, transpose, unsqueeze, view

# Linear maps ----------------------------------------------------------------------------------------------------------


def _linear(input: Any, weight: Any, bias: Any) -> Node:
    x, w, *rest = common((input, weight, *([] if bias is None else [bias])), "linear()")
    if not x.ndim or w.ndim not in (1, 2) or x.shape[-1] != w.shape[-1]:
        raise SizeError(
            "linear(): the input has shape {}, weight {}: their last lengths must be equal", x.shape, w.shape,
            unequal=(x.shape[-1], w.shape[-1]) if x.ndim and w.ndim in (1, 2) else None,
        )
    if not rest or w.ndim == 1:
        result = matmul(x, t(w))
        return result + rest[0] if rest else result
    (b,) = rest
    rows = x if x.ndim == 2 else view(x, (math.prod(x.shape[:-1]), x.shape[-1])) if x.strides is None else reshape(
        x, (math.prod(x.shape[:-1]), x.shape[-1])
    )
    turned = t(w)
    result = one_step("AddmmBackward0", mm(rows, turned) + b, b, rows, turned)
    if result.shape != (rows.shape[0], w.shape[0]):
        raise SizeError("bias has shape {}, it needs {}", b.shape, w.shape[:1], argument="bias")
    return result if x.ndim == 2 else view(result, (*x.shape[:-1], w.shape[0]))


linear = composite(
    "linear", _linear, family="network", args="input, weight, bias=None", doc="`input @ weight.T + bias`.",
    example="input:2 weight:2 bias:1", words=("dense",),
)


def _bilinear(input1: Any, input2: Any, weight: Any, bias: Any) -> Node:
    x, y, w, *rest = common((input1, input2, weight, *([] if bias is None else [bias])), "bilinear()")
    fits = w.ndim == 3 and x.ndim and x.ndim == y.ndim and x.shape[:-1] == y.shape[:-1]
    if not fits or w.shape[1:] != (x.shape[-1], y.shape[-1]):
        raise SizeError("bilinear(): inputs of shape {} and {} do not fit to weight {}", x.shape, y.shape, w.shape)
    first, second = (view(v, (math.prod(v.shape[:-1]), v.shape[-1])) for v in (x, y))
    value = call("einsum", "bi,oij,bj->bo", first, w, second)
    result = one_step("TrilinearBackward0", value, first, w, second)
    result = view(result, (*x.shape[:-1], w.shape[0]))
    return result + rest[0] if rest else result


bilinear = composite(
    "bilinear", _bilinear, family="network", args="input1, input2, weight, bias=None",
    doc="Weighted products of all pairs of elements of two vectors: `input1 @ weight[k] @ input2 + bias[k]`.",
    example="input1:3x3 input2:3x3 weight:2x3x3",
)


# Attention ------------------------------------------------------------------------------------------------------------


def _safe_softmax(scores: Node) -> Node:
    """The softmax along the last dimension, zero for rows that are wholly masked."""
    nothing = eq(amax(scores, [-1], True), -math.inf) if scores.shape[-1] else all_(scores, [-1], True)
    chances = call("softmax", where(nothing, 0.0, scores), -1)
    return one_step("SafeSoftmaxBackward0", where(nothing, 0.0, chances), scores)


def _mask(attn_mask: Any, is_causal: bool, q: Node, k: Node) -> Node | None:
    """What is added to the scores."""
    if is_causal:
        if attn_mask is not None:
            raise GradcliError("attn_mask cannot be combined with is_causal", argument="attn_mask")
        rows, columns = (call("arange", n) for n in (q.shape[-2], k.shape[-2]))
        allowed = unsqueeze(rows, 1) >= columns
    elif attn_mask is None:
        return None
    else:
        allowed = as_node(attn_mask)
        if allowed.dtype != BOOL:
            return cast(allowed, q.dtype)
    return where(allowed, constant(np.zeros((), q.dtype)), constant(np.asarray(-np.inf, q.dtype)))


def _attention(
    query: Any, key: Any, value: Any, attn_mask: Any, dropout_p: Any, is_causal: bool, scale: Any, enable_gqa: bool
) -> Node:
    q, k, v = floats(query, key, value)
    if min(q.ndim, k.ndim, v.ndim) < 2 or q.shape[-1] != k.shape[-1] or k.shape[-2] != v.shape[-2]:
        raise SizeError("scaled_dot_product_attention(): query {}, key {} and value {} do not fit", q.shape, k.shape,
                        v.shape)
    chance = as_number(dropout_p, "dropout_p")
    if not 0 <= chance <= 1:
        raise GradcliError(f"dropout_p must lie between 0 and 1, got {chance}", argument="dropout_p")
    factor = 1 / math.sqrt(max(1, q.shape[-1])) if scale is None else as_number(scale, "scale")
    mask = _mask(attn_mask, is_causal, q, k)
    given = q, k, v
    if enable_gqa:
        k, v = (_heads(x, q) for x in (k, v))
    weights = _weights(q, k, mask, factor)
    if chance:
        weights = dropped(weights, chance)
    result = matmul(weights, v)
    # PyTorch has one operation for what its own code for processors can do.
    fused = q.ndim == k.ndim == v.ndim == 4 and q.shape[-1] == v.shape[-1] and not chance and min(q.shape) > 0
    if fused and (mask is None or not mask.requires_grad):
        return one_step("ScaledDotProductFlashAttentionForCpuBackward0", result, *given)
    return result


def dropped(weights: Node, chance: float) -> Node:
    """Elements set to 0 by chance, the others made larger for that; the numbers are PyTorch's for a seed."""
    if chance == 1:
        return weights * call("zeros_like", weights)
    kept = call("rand", weights.shape, dtype=FLOAT64) < 1 - chance
    return weights * (cast(kept, weights.dtype) / (1 - chance))


def _weights(q: Node, k: Node, mask: Node | None, factor: float) -> Node:
    root = math.sqrt(abs(factor))
    scores = matmul(call("_times", q, math.copysign(root, factor)), call("_times", transpose(k, -2, -1), root))
    return _safe_softmax(scores if mask is None else scores + mask)


def _heads(x: Node, q: Node) -> Node:
    """Each head as often as there are heads of the query for it."""
    if x.ndim < 3 or q.ndim < 3 or not x.shape[-3] or q.shape[-3] % x.shape[-3]:
        raise SizeError("enable_gqa needs a multiple of the heads of key and value, got {} and {}", q.shape, x.shape)
    times = q.shape[-3] // x.shape[-3]
    stretched = expand(unsqueeze(x, -3), (*x.shape[:-2], times, *x.shape[-2:]))
    return reshape(stretched, (*x.shape[:-3], x.shape[-3] * times, *x.shape[-2:]))


attention = composite(
    "scaled_dot_product_attention", _attention, family="network",
    args="query, key, value, attn_mask: tensor=None, dropout_p=0.0, is_causal=False, scale: number=None,"
    " enable_gqa=False",
    doc="`softmax(query @ key.mT * scale + attn_mask) @ value`; fully masked rows give zeros.",
    example="query:2x3x3 key:2x3x3 value:2x3x3",
)


# Losses after a linear map --------------------------------------------------------------------------------------------


def _linear_cross_entropy(
    input: Any, linear_weight: Any, target: Any, linear_bias: Any, weight: Any, reduction: Any, ignore_index: Any,
    label_smoothing: Any, options: Any,
) -> Node:
    x, w, *rest = floats(input, linear_weight, *([] if linear_bias is None else [linear_bias]))
    if x.ndim not in (1, 2) or w.ndim < 2 or x.shape[-1] != w.shape[-1] or (w.ndim > 2 and x.ndim == 1):
        raise SizeError("linear_cross_entropy(): input of shape {} and weight {} do not fit", x.shape, w.shape)
    rows = w if w.ndim == 2 else reshape(w, (math.prod(w.shape[:-1]), w.shape[-1]))
    (b,) = rest or (None,)
    if b is not None and b.shape != w.shape[:-1]:
        raise SizeError("linear_bias has shape {}, it needs {}", b.shape, w.shape[:-1], argument="linear_bias")
    logits = linear(x, rows, b if b is None or b.ndim == 1 else reshape(b, (-1,)))
    logits = reshape(logits, (*x.shape[:-1], *w.shape[:-1]))
    ignored = -100 if ignore_index is None else ignore_index
    return call("cross_entropy", logits, target, weight, ignored, reduction, label_smoothing)


linear_cross_entropy = composite(
    "linear_cross_entropy", _linear_cross_entropy, family="network",
    args="input, linear_weight: tensor, target, *, linear_bias: tensor=None, weight=None, reduction='mean',"
    " ignore_index: int=None, label_smoothing=0.0, options: data=None",
    doc="Cross-entropy of a linear map of the input and target classes; `options` is PyTorch's and changes nothing.",
    example="input:2 linear_weight:2 target:1:int64",
)
softmin = composite(
    "softmin", lambda input, dim, dtype: call("softmax", call("neg", as_node(input)), dim, dtype), family="network",
    args="input, dim, dtype=None", doc="softmax of minus the input.", example=("softmin(input, 0)", "input:1"),
)
