"""Normalization over a batch, groups of channels, single channels and neighbouring channels."""

# Rows are laid out by hand.
# fmt: off

from __future__ import annotations

import math
from typing import Any

import numpy as np

from gradcli.errors import GradcliError, SizeError
from gradcli.graph.arguments import as_int, as_node, as_number
from gradcli.graph.dtypes import FLOAT32
from gradcli.graph.infer import cast
from gradcli.graph.node import Node
from gradcli.ops.elementwise import detach, mul, rsqrt
from gradcli.ops.family import call, composite, floating
from gradcli.ops.loss import refuse_tracked
from gradcli.ops.one_step import one_step
from gradcli.ops.reduce import mean, var
from gradcli.ops.shape import repeat, reshape, sizes, view


def _per_channel(value: Any, name: str, x: Node, channels: int) -> Node | None:
    """A vector with an element for each channel, in the dtype of the input."""
    if value is None:
        return None
    node = cast(as_node(value), x.dtype)
    if node.shape != (channels,):
        raise SizeError("{} has shape {}, it needs {}", name, node.shape, (channels,), argument=name)
    return node


def _scaled(x: Node, weight: Node | None, bias: Node | None, shape: tuple[int, ...]) -> Node:
    x = x if weight is None else x * reshape(weight, shape)
    return x if bias is None else x + reshape(bias, shape)


def _edges(*nodes: Node | None) -> list[Node]:
    """The operands of a step; what is not given is a number, whose edge leads nowhere."""
    return [as_node(0.0) if node is None else node for node in nodes]


def _standard(x: Node, dims: list[int], eps: float) -> Node:
    centred = x - mean(x, dims, True)
    return centred * rsqrt(mean(centred * centred, dims, True) + eps)


def _channels(x: Node, name: str) -> int:
    if x.ndim < 2:
        raise SizeError("{}() takes (batch, channels, …), got shape {}", name, x.shape)
    return x.shape[1]


def _batch_norm(
    input: Any, running_mean: Any, running_var: Any, weight: Any, bias: Any, training: bool, momentum: Any, eps: Any
) -> Node:
    x = floating(input)
    if x.ndim == 1 and not x.size:
        return call("clone", x)
    count = _channels(x, "batch_norm")
    if training and x.size == count and x.size:
        raise SizeError("batch_norm() needs more than one element of a channel to train, got shape {}", x.shape)
    return _normalized_batch(x, running_mean, running_var, weight, bias, training, as_number(eps, "eps"))


def _normalized_batch(
    x: Node, running_mean: Any, running_var: Any, weight: Any, bias: Any, training: Any, eps: Any
) -> Node:
    w, b = _per_channel(weight, "weight", x, x.shape[1]), _per_channel(bias, "bias", x, x.shape[1])
    given = {"running_mean": running_mean, "running_var": running_var}
    for name, value in given.items() if not training else ():
        refuse_tracked(value, name, "batch_norm")
    stats = [_per_channel(value, name, x, x.shape[1]) for name, value in given.items()]
    normal = _normalized(x, [0, *range(2, x.ndim)], None if training else stats, w, b, eps)
    return one_step("NativeBatchNormBackward0", normal, *_edges(x, w, b))


def _normalized(
    x: Node, dims: list[int], stats: list[Node | None] | None, weight: Node | None, bias: Node | None, eps: Any
) -> Node:
    """Normalized along dimensions, by the mean and the variance of each channel where these are given."""
    shape = (1, x.shape[1], *(1,) * (x.ndim - 2))
    if stats is None:
        return _scaled(_standard(x, dims, eps), weight, bias, shape)
    for name, node in zip(("running_mean", "running_var"), stats, strict=True):
        if node is None:
            raise GradcliError(f"{name} is needed unless training", argument=name)
    mean_of, var_of = (reshape(node, shape) for node in stats if node is not None)
    return _scaled((x - mean_of) * rsqrt(var_of + eps), weight, bias, shape)


def _running(x: Node, dims: list[int], running_mean: Any, running_var: Any, momentum: Any) -> dict[str, Node]:
    """The running statistics after a batch; there may be several rows of a channel, of which all count as much."""
    share, x, news = as_number(momentum, "momentum"), detach(x), {}
    for name, old, function in (("running_mean", running_mean, mean), ("running_var", running_var, var)):
        refuse_tracked(old, name, "batch_norm")
        if old is not None:
            found = function(x, dims)
            news[name] = as_node(old) * (1 - share) + (found if 0 in dims else mean(found, [0])) * share
    return news


def _batch_updates(
    input: Any, running_mean: Any, running_var: Any, weight: Any, bias: Any, training: bool, momentum: Any, eps: Any
) -> dict[str, Node]:
    x = floating(input)
    return _running(x, [0, *range(2, x.ndim)], running_mean, running_var, momentum) if training and x.size else {}


def _instance_updates(
    input: Any, running_mean: Any, running_var: Any, weight: Any, bias: Any, use_input_stats: bool, momentum: Any,
    eps: Any,
) -> dict[str, Node]:
    x = floating(input)
    return _running(x, [*range(2, x.ndim)], running_mean, running_var, momentum) if use_input_stats and x.size else {}


batch_norm = composite(
    "batch_norm", _batch_norm, family="network", updates=_batch_updates,
    args="input, running_mean: tensor, running_var: tensor, weight=None, bias=None, training=False, momentum=0.1,"
    " eps=1e-5",
    doc="Each channel normalized to mean 0 and variance 1, with the running ones unless training; in Python "
    "training updates these.",
    example=("batch_norm(input, detach(mean), detach(var))", "input:2 mean:1 var:1"), words=("batchnormalization",),
)


def _group_norm(input: Any, num_groups: Any, weight: Any, bias: Any, eps: Any) -> Node:
    x = floating(input)
    count, groups = _channels(x, "group_norm"), as_int(num_groups, "num_groups")
    if groups < 1 or count % groups:
        raise GradcliError(f"{count} channels do not divide into {groups} groups", argument="num_groups")
    w, b = _per_channel(weight, "weight", x, count), _per_channel(bias, "bias", x, count)
    rows = (x.shape[0], groups, math.prod(x.shape[1:]) // groups)
    normal = reshape(_standard(reshape(x, rows), [2], as_number(eps, "eps")), x.shape)
    shape = (1, count, *(1,) * (x.ndim - 2))
    return one_step("NativeGroupNormBackward0", _scaled(normal, w, b, shape), *_edges(x, w, b))


group_norm = composite(
    "group_norm", _group_norm, family="network", args="input, num_groups: int, weight=None, bias=None, eps=1e-5",
    doc="Each group of neighbouring channels normalized to mean 0 and variance 1, for each member of the batch.",
    example=("group_norm(input, 1)", "input:2"),
)


def _instance_norm(
    input: Any, running_mean: Any, running_var: Any, weight: Any, bias: Any, use_input_stats: bool, momentum: Any,
    eps: Any,
) -> Node:
    x = floating(input)
    count = _channels(x, "instance_norm")
    if use_input_stats and math.prod(x.shape[2:]) == 1:
        raise SizeError("instance_norm() needs more than one element of a channel, got shape {}", x.shape)
    given = {"running_mean": running_mean, "running_var": running_var, "weight": weight, "bias": bias}
    stats = [_per_channel(value, name, x, count) for name, value in given.items()]
    small, (mean_of, var_of, w, b) = as_number(eps, "eps"), stats
    for name in ("running_mean", "running_var") if not use_input_stats else ():
        refuse_tracked(given[name], name, "batch_norm")
    normal = _normalized(x, [*range(2, x.ndim)], None if use_input_stats else [mean_of, var_of], w, b, small)
    # PyTorch makes the batch part of the channels; here it stays, so that its members can go through one by one.
    rows = view(x, (1, x.shape[0] * count, *x.shape[2:]))
    step = one_step("NativeBatchNormBackward0", normal, *_edges(rows, *(n and repeat(n, x.shape[0]) for n in (w, b))))
    return one_step("ViewBackward0", step, step)


instance_norm = composite(
    "instance_norm", _instance_norm, family="network", updates=_instance_updates,
    args="input, running_mean: tensor=None, running_var: tensor=None, weight=None, bias=None, use_input_stats=True,"
    " momentum=0.1, eps=1e-5",
    doc="Each channel of each member of the batch normalized to mean 0 and variance 1.",
    example="input:3",
)


def _rms_norm(input: Any, normalized_shape: Any, weight: Any, eps: Any) -> Node:
    given = floating(input)
    # Squares of what float16 holds are beyond it.
    x = cast(given, FLOAT32) if given.dtype.itemsize == 2 else given
    shape = tuple(sizes(normalized_shape, "normalized_shape"))
    if not shape or x.shape[-len(shape) :] != shape:
        raise SizeError(
            "normalized_shape {} are not the last dimensions of shape {}", shape, x.shape, argument="normalized_shape"
        )
    small = float(np.finfo(x.dtype).eps) if eps is None else as_number(eps, "eps")
    squares = mean(x**2, [*range(-len(shape), 0)], True)
    normal = mul(x, rsqrt(call("_plus", squares, small)))
    if weight is None:
        return cast(normal, given.dtype)
    w = cast(as_node(weight), x.dtype)
    if w.shape != shape:
        raise SizeError("weight has shape {}, it needs {}", w.shape, shape, argument="weight")
    return cast(mul(normal, w), given.dtype)


rms_norm = composite(
    "rms_norm", _rms_norm, family="network", args="input, normalized_shape, weight=None, eps: number=None",
    doc="The last dimensions divided by the root of their mean square, then scaled.",
    example=("rms_norm(input, input.shape)", "input:1"),
)


def _local_response_norm(input: Any, size: Any, alpha: Any, beta: Any, k: Any) -> Node:
    x, width = floating(input), as_int(size, "size")
    if x.ndim < 3:
        raise SizeError("local_response_norm() takes at least 3 dimensions, got shape {}", x.shape)
    if width < 1:
        raise GradcliError(f"size must be at least 1, got {width}", argument="size")
    scale, exponent, start = as_number(alpha, "alpha"), as_number(beta, "beta"), as_number(k, "k")
    if not x.size:
        return x
    squares, ends = mul(x, x), (width // 2, (width - 1) // 2)
    if x.ndim == 3:
        padded = call("pad", call("unsqueeze", squares, 1), (0, 0, *ends))
        means = call("squeeze", call("avg_pool2d", padded, (width, 1), 1), 1)
    else:
        batch, channels, first, *rest = x.shape
        planes = view(squares, (batch, 1, channels, first, math.prod(rest)))
        padded = call("pad", planes, (0, 0, 0, 0, *ends))
        means = view(call("squeeze", call("avg_pool3d", padded, (width, 1, 1), 1), 1), x.shape)
    return x / (means * scale + start) ** exponent


local_response_norm = composite(
    "local_response_norm", _local_response_norm, family="network",
    args="input, size: int, alpha: number=1e-4, beta: number=0.75, k: number=1.0",
    doc="Each element divided by a power of the mean square of its neighbours in nearby channels.",
    example=("local_response_norm(input, 2)", "input:3"),
)
