"""Attention with many heads, as PyTorch's function has it: projections, heads, masks and what comes out."""

# Rows are laid out by hand.
# fmt: off

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np

from gradcli.errors import GradcliError, SizeError
from gradcli.graph.arguments import as_flag, as_int, as_node, as_number
from gradcli.graph.dtypes import BOOL
from gradcli.graph.infer import cast
from gradcli.graph.node import Node, constant
from gradcli.ops.attention import attention, dropped, linear
from gradcli.ops.elementwise import where
from gradcli.ops.family import call, composite, floats
from gradcli.ops.matmul import bmm
from gradcli.ops.reduce import mean
from gradcli.ops.shape import cat, expand, narrow, reshape, squeeze, transpose, unsqueeze, view


def _forward(*values: Any) -> Any:
    given = SimpleNamespace(**dict(zip(multi_head_attention_forward.signature.names, values, strict=True)))
    name = "multi_head_attention_forward"
    q, k, v = floats(given.query, given.key, given.value)
    alone = q.ndim == 2
    if alone:
        q, k, v = (unsqueeze(x, 1) for x in (q, k, v))
    heads = as_int(given.num_heads, "num_heads")
    if q.ndim != 3 or k.ndim != 3 or v.ndim != 3 or k.shape[:2] != v.shape[:2] or k.shape[1] != q.shape[1]:
        raise SizeError("{}(): query {}, key {} and value {} do not fit", name, q.shape, k.shape, v.shape)
    if q.shape[2] != as_int(given.embed_dim_to_check, "embed_dim_to_check") or heads < 1 or q.shape[2] % heads:
        raise SizeError("{}(): {} elements of a query do not divide into {} heads", name, q.shape[2], heads)
    if given.static_k is not None or given.static_v is not None:
        raise GradcliError(f"{name}() does not know static_k and static_v", argument="static_k")
    (length, batch, size), width = q.shape, q.shape[2] // heads
    q, k, v = _projected(given, q, k, v)
    masks = [_as_numbers(given.attn_mask, q, "attn_mask"), _padding(given.key_padding_mask, q, batch, k.shape[0])]
    if given.is_causal and given.attn_mask is None:
        raise GradcliError("is_causal needs attn_mask", argument="is_causal")
    more = [(given.bias_k, given.bias_v)] if given.bias_k is not None and given.bias_v is not None else []
    if as_flag(given.add_zero_attn, "add_zero_attn"):
        more.append((np.zeros(size), np.zeros(size)))
    for one, two in more:
        k, v = (cat([x, expand(reshape(floats(x, b)[1], (1, 1, size)), (1, batch, size))], 0)
                for x, b in ((k, one), (v, two)))
        masks = [m and call("pad", m, (0, 1)) for m in masks]
    q, k, v = (transpose(reshape(x, (x.shape[0], batch * heads, width)), 0, 1) for x in (q, k, v))
    mask = _joined(masks, batch, heads, length, k.shape[1])
    chance = as_number(given.dropout_p, "dropout_p") if given.training else 0.0
    if not given.need_weights:
        split = [reshape(x, (batch, heads, *x.shape[1:])) for x in (q, k, v)]
        together = mask and reshape(mask, (batch, heads, *mask.shape[1:]))
        result = attention(*split, together, chance)
        moved = reshape(call("permute", result, (2, 0, 1, 3)), (length * batch, size))
        return _out(given, moved, (length, batch, size), alone), None
    scores = bmm(q * math.sqrt(1 / width), transpose(k, -2, -1))
    weights = call("softmax", scores if mask is None else mask + scores, -1)
    if chance:
        weights = dropped(weights, chance)
    moved = reshape(transpose(bmm(weights, v), 0, 1), (length * batch, size))
    shown = view(weights, (batch, heads, *weights.shape[1:]))
    shown = mean(shown, [1]) if given.average_attn_weights else shown
    return _out(given, moved, (length, batch, size), alone), squeeze(shown, 0) if alone else shown


def _projected(given: SimpleNamespace, q: Node, k: Node, v: Node) -> tuple[Node, ...]:
    size = q.shape[2]
    biases: list[Any] = [None] * 3
    if given.in_proj_bias is not None:
        biases = _thirds(as_node(given.in_proj_bias), size, "in_proj_bias")
    if given.use_separate_proj_weight:
        weights = [given.q_proj_weight, given.k_proj_weight, given.v_proj_weight]
        if any(w is None for w in weights):
            raise GradcliError("use_separate_proj_weight needs q_proj_weight, k_proj_weight and v_proj_weight")
    elif given.in_proj_weight is None:
        raise GradcliError("in_proj_weight is needed", argument="in_proj_weight")
    else:
        if given.query is given.key is given.value:
            return _projected_at_once(given, q)
        weights = _thirds(as_node(given.in_proj_weight), size, "in_proj_weight")
    return tuple(linear(x, w, b) for x, w, b in zip((q, k, v), weights, biases, strict=True))


def _projected_at_once(given: SimpleNamespace, x: Node) -> tuple[Node, ...]:
    """All three projections of one tensor, as PyTorch takes them apart."""
    weight = as_node(given.in_proj_weight)
    if weight.ndim != 2:
        raise SizeError("in_proj_weight has shape {}, it needs two dimensions", weight.shape, argument="in_proj_weight")
    both = linear(x, weight, given.in_proj_bias)
    if both.shape[2] != 3 * x.shape[2]:
        raise SizeError("in_proj_weight has {} rows, it needs {}", both.shape[2], 3 * x.shape[2],
                        argument="in_proj_weight")
    parts = unsqueeze(reshape(both, (*both.shape[:2], 3, x.shape[2])), 0)
    apart = call("contiguous", squeeze(transpose(parts, 0, -2), -2))
    return tuple(call("select", apart, 0, k) for k in range(3))


def _thirds(x: Node, size: int, name: str) -> list[Node]:
    if not x.ndim or x.shape[0] != 3 * size:
        raise SizeError("{} has shape {}, it needs {} rows", name, x.shape, 3 * size, argument=name)
    return [narrow(x, 0, k * size, (k + 1) * size) for k in range(3)]


def _as_numbers(mask: Any, q: Node, name: str) -> Node | None:
    """A mask as what is added to the scores: minus infinity where it is True."""
    if mask is None:
        return None
    node = as_node(mask)
    if node.dtype != BOOL:
        return cast(node, q.dtype)
    return where(node, constant(np.asarray(-np.inf, q.dtype)), constant(np.zeros((), q.dtype)))


def _padding(mask: Any, q: Node, batch: int, length: int) -> Node | None:
    numbers = _as_numbers(mask, q, "key_padding_mask")
    if numbers is not None and numbers.ndim == 1:
        numbers = unsqueeze(numbers, 0)
    if numbers is not None and numbers.shape != (batch, length):
        raise SizeError("key_padding_mask has shape {}, it needs {}", numbers.shape, (batch, length),
                        argument="key_padding_mask")
    return numbers


def _joined(masks: list[Node | None], batch: int, heads: int, length: int, keys: int) -> Node | None:
    """Both masks as one for each head of each member of the batch."""
    scores, padding = masks
    shape = (batch * heads, length, keys)
    if scores is not None:
        if scores.shape not in ((length, keys), shape):
            raise SizeError("attn_mask has shape {}, it needs {}", scores.shape, (length, keys), argument="attn_mask")
        scores = expand(scores, shape)
    if padding is None:
        return scores
    rows = reshape(expand(reshape(padding, (batch, 1, 1, keys)), (batch, heads, length, keys)), shape)
    return rows if scores is None else scores + rows


def _out(given: SimpleNamespace, rows: Node, shape: tuple[int, ...], alone: bool) -> Node:
    result = view(linear(rows, given.out_proj_weight, given.out_proj_bias), shape)
    return squeeze(result, 1) if alone else result


multi_head_attention_forward = composite(
    "multi_head_attention_forward", _forward, family="network",
    args="query, key, value, embed_dim_to_check: width, num_heads: width, in_proj_weight: tensor, in_proj_bias: tensor,"
    " bias_k: tensor, bias_v: tensor, add_zero_attn: flag, dropout_p: number, out_proj_weight: tensor,"
    " out_proj_bias: tensor, training=True, key_padding_mask: tensor=None, need_weights=True, attn_mask: tensor=None,"
    " use_separate_proj_weight=False, q_proj_weight: tensor=None, k_proj_weight: tensor=None,"
    " v_proj_weight: tensor=None, static_k: tensor=None, static_v: tensor=None, average_attn_weights=True,"
    " is_causal=False",
    doc="Multi-head attention of (length, batch, size), with its projections; gives the result and the mean weights.",
    example=(
        "multi_head_attention_forward(q, k, v, 1, 1, w, b, bk, bv, False, 0., o, c)[0]",
        "q:2x1x1 k:2x1x1 v:2x1x1 w:3x1 b:3x bk:1x bv:1x o:1x1 c:1x",
    ),
)
