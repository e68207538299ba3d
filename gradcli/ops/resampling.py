"""Means of windows and interpolation: linear maps along dimensions, each element of a result made of a few."""

# Rows are laid out by hand.
# fmt: off

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from gradcli.errors import GradcliError, SizeError, counted
from gradcli.graph.arguments import as_choice, as_flag, as_int, as_node, as_number
from gradcli.graph.dtypes import INT64
from gradcli.graph.node import Node, make
from gradcli.graph.op import Blocking, Op, Params, Shape
from gradcli.ops.batching import LINEAR
from gradcli.ops.convolution import batched, over_space, per_dimension
from gradcli.ops.elementwise import abs_, sign
from gradcli.ops.family import call, composite, float_node, primitive
from gradcli.ops.formulas import arithmetic
from gradcli.ops.kernels.taps import Map, map_into, mapped, width_of
from gradcli.ops.notation import spelling
from gradcli.ops.reduce import mean
from gradcli.ops.shape import squeeze, unsqueeze

# The operation --------------------------------------------------------------------------------------------------------


# The places that a map looks at are a table, which takes 8 bytes for each of them.
_MOST_PLACES = 1 << 26
# And several times as much until it is one.
_PLACE = 40


def check_tables(maps: Sequence[Map]) -> None:
    for one in maps:
        if one[2] * width_of(one) > _MOST_PLACES:
            message = "{} elements, each made of {}, look at more than {} places of one dimension"
            raise SizeError(message, one[2], width_of(one), _MOST_PLACES)


def table_bytes(node: Node) -> int:
    """What the tables of a map take while they are made: places, weights, and where there are some. A map that is
    turned is made of the other one."""
    places = sum(one[2] * width_of(one) for one in node.params["maps"])
    return places * _PLACE * (2 if node.params.get("turned") else 1)


def _infer(inputs: tuple[Node, ...], params: Params) -> tuple[Shape, np.dtype]:
    x, maps = inputs[0], params["maps"]
    check_tables(maps)
    lengths = tuple(one[1] if params["turned"] else one[2] for one in maps)
    return (*x.shape[: x.ndim - len(maps)], *lengths), x.dtype


def _cost(node: Node) -> float:
    at = 1 if node.params["turned"] else 2
    return max(1.0, sum(one[2] * width_of(one) / max(1, one[at]) for one in node.params["maps"]))


def _grad_fn(node: Node) -> tuple[str, tuple[Node, ...]]:
    name = node.params["name"]
    return f"{name}BackwardBackward0" if node.params["turned"] else f"{name}Backward0", node.inputs


def _text(w: Any, c: Any) -> Any:
    """The means of windows that other operations are made of."""
    (kind, *_), maps = c.params["maps"][0], c.params["maps"]
    if c.params["turned"] or kind not in ("window", "adaptive"):
        raise GradcliError("interpolation has no short formula")
    if kind == "adaptive":
        return spelling.of_network(w, f"adaptive_avg_pool{len(maps)}d", c.args, tuple([one[2] for one in maps]))
    space, lengths, *windows = zip(*[one[1:] for one in maps], strict=True)
    size, step, pad, (with_pad, *_) = windows
    return spelling.of_network(
        w, f"avg_pool{len(maps)}d", c.args, size, step, pad, is_longer(space, lengths, size, step, pad), with_pad,
        *(() if c.params["divisor"] is None else (c.params["divisor"],)),
    )


resample: Op = primitive(
    "_resample", lambda x, maps, turned, divisor, name: mapped(x, maps, turned, divisor), _infer, family="network",
    into=lambda out, x, maps, turned, divisor, name: map_into(out, x, maps, turned, divisor),
    doc="Maps along the last dimensions, or their adjoints.", grad_fn=_grad_fn,
    vjp=lambda g, out, x, turned, **params: (make(resample, (g,), {**params, "turned": not turned}),), batching=LINEAR,
    blocking=Blocking(lambda node, dim: (dim,) if dim < node.ndim - len(node.params["maps"]) else None), cost=_cost,
    tables=table_bytes, formula=arithmetic.none("means of windows and interpolation have no short formula"), text=_text,
)


def resampled(x: Node, maps: Sequence[Map], name: str, divisor: int | None = None) -> Node:
    """The maps applied to the last dimensions, under PyTorch's name for the backward function."""
    return make(resample, (x,), {"maps": tuple(maps), "turned": False, "divisor": divisor, "name": name})


def as_plane(x: Node, count: int, function: Any) -> Node:
    """What PyTorch does with a single dimension: a row is made a picture of one line for a while."""
    return squeeze(function(unsqueeze(x, -2)), -2) if count == 1 else function(x)


# Means of windows -----------------------------------------------------------------------------------------------------


def pooled_length(n: int, size: int, step: int, pad: int, dilation: int, ceil: bool) -> int:
    """How many windows there are; with `ceil` also one that starts within the input and ends beyond it."""
    rest = n + 2 * pad - dilation * (size - 1) - 1
    count = (rest + (step - 1 if ceil else 0)) // step + 1
    return count - 1 if ceil and (count - 1) * step >= n + pad else count


def is_longer(space: Shape, lengths: Shape, size: Shape, step: Shape, pad: Shape, within: Shape | None = None) -> bool:
    """Whether there are as many windows as `ceil_mode` makes."""
    rows = zip(space, size, step, pad, within or (1,) * len(space), strict=True)
    return lengths != tuple([pooled_length(*row, False) for row in rows])


def window(
    name: str, x: Node, count: int, kernel_size: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool
) -> tuple[Shape, Shape, Shape, Shape, Shape]:
    """The lengths of windows, steps, padding, steps within windows and how many there are, for each dimension."""
    size = per_dimension(kernel_size, "kernel_size", count, 1)
    given = stride is None or (isinstance(stride, list | tuple) and not stride)
    step = size if given else per_dimension(stride, "stride", count, 1)
    pad, within = per_dimension(padding, "padding", count), per_dimension(dilation, "dilation", count, 1)
    if any(2 * p > k for p, k in zip(pad, size, strict=True)):
        raise GradcliError(f"padding {pad} is more than half of the windows {size}", argument="padding")
    rows = zip(x.shape[-count:], size, step, pad, within, strict=True)
    lengths = tuple(pooled_length(n, k, s, p, d, ceil_mode) for n, k, s, p, d in rows)
    if any(m < 1 for m in lengths):
        raise SizeError("{}(): windows of {} are larger than the padded input {}", name, size, x.shape[-count:])
    return size, step, pad, within, lengths


def spatial(x: Node, count: int, name: str) -> Node:
    batched(x, count, name)
    if not all(x.shape[-count:]):
        raise SizeError("{}() has no elements to take a window of in shape {}", name, x.shape)
    return x


def _avg_pool(count: int) -> Any:
    name = f"avg_pool{count}d"

    def build(
        input: Any, kernel_size: Any, stride: Any, padding: Any, ceil_mode: bool, count_include_pad: bool,
        divisor_override: Any = None,
    ) -> Node:
        # As in PyTorch means of this dtype are integers, cut off.
        given = as_node(input)
        x = spatial(given if given.dtype == INT64 else float_node(input, name), count, name)
        size, step, pad, _, lengths = window(name, x, count, kernel_size, stride, padding, 1, ceil_mode)
        divisor = None if divisor_override is None else as_int(divisor_override, "divisor_override")
        if divisor == 0:
            raise GradcliError("divisor_override must not be 0", argument="divisor_override")
        rows = zip(x.shape[-count:], lengths, size, step, pad, strict=True)
        maps = [("window", n, m, k, s, p, count_include_pad) for n, m, k, s, p in rows]
        label = "AvgPool3D" if count == 3 else "AvgPool2D"
        if count == 1:
            maps.insert(0, ("window", 1, 1, 1, 1, 0, count_include_pad))
        return as_plane(x, count, lambda plane: resampled(plane, maps, label, divisor))

    return build


def _adaptive_avg_pool(count: int) -> Any:
    name = f"adaptive_avg_pool{count}d"

    def build(input: Any, output_size: Any) -> Node:
        x = spatial(float_node(input, name), count, name)
        lengths = wanted_lengths(output_size, x.shape[-count:])
        if all(m == 1 for m in lengths):
            return as_plane(x, count, lambda plane: mean(plane, [*range(-max(count, 2), 0)], True))
        maps = [("adaptive", n, m) for n, m in zip(x.shape[-count:], lengths, strict=True)]
        if count == 1:
            maps.insert(0, ("adaptive", 1, 1))
        return as_plane(x, count, lambda plane: resampled(plane, maps, f"AdaptiveAvgPool{max(count, 2)}D"))

    return build


def wanted_lengths(output_size: Any, lengths: Shape) -> Shape:
    """One number for each dimension, None for the length that it has."""
    values = list(output_size) if isinstance(output_size, list | tuple) else [output_size] * len(lengths)
    if len(values) == 1:
        values *= len(lengths)
    if len(values) != len(lengths):
        numbers = counted(len(lengths), "number")
        raise GradcliError(f"output_size needs {numbers}, got {len(values)}", argument="output_size")
    found = tuple(n if v is None else as_int(v, "output_size") for n, v in zip(lengths, values, strict=True))
    if min(found) < 0:
        raise GradcliError(f"output_size cannot be negative, got {found}", argument="output_size")
    return found


def _lp_pool(count: int) -> Any:
    average = _avg_pool(count)

    def build(input: Any, norm_type: Any, kernel_size: Any, stride: Any, ceil_mode: bool) -> Node:
        order, size = as_number(norm_type, "norm_type"), per_dimension(kernel_size, "kernel_size", count, 1)
        if order == 0:
            raise GradcliError("norm_type must not be 0", argument="norm_type")
        means = average(float_node(input, f"lp_pool{count}d") ** order, size, stride, 0, ceil_mode, True)
        return (sign(means) * call("relu", abs_(means)) * math.prod(size)) ** (1.0 / order)

    return build


# One dimension after the other: in this order they are listed.
(
    (avg_pool1d, adaptive_avg_pool1d, lp_pool1d),
    (avg_pool2d, adaptive_avg_pool2d, lp_pool2d),
    (avg_pool3d, adaptive_avg_pool3d, lp_pool3d),
) = zip(
    over_space(
        "avg_pool{}d", _avg_pool,
        "input, kernel_size: lengths, stride: lengths=None, padding: lengths=0, ceil_mode=False,"
        " count_include_pad=True",
        "The mean of each window, along {words}.", ("avg_pool{}d(input, 2)", "input:{dims}"),
        ", divisor_override: int=None",
    ),
    over_space(
        "adaptive_avg_pool{}d", _adaptive_avg_pool, "input, output_size: lengths",
        "The mean of each of output_size windows of about equal length, along {words}.",
        ("adaptive_avg_pool{}d(input, 2)", "input:{dims}"),
    ),
    over_space(
        "lp_pool{}d", _lp_pool,
        "input, norm_type: number, kernel_size: lengths, stride: lengths=None, ceil_mode=False",
        "The norm of each window, along {words}.", ("lp_pool{}d(input, 2, 2)", "input:{dims}"),
    ),
    strict=True,
)


# Interpolation --------------------------------------------------------------------------------------------------------

# By the mode: the map, how many dimensions, and PyTorch's word for it.
_MODES = {
    "nearest": ("nearest", (1, 2, 3), "UpsampleNearest"),
    "nearest-exact": ("nearest-exact", (1, 2, 3), "UpsampleNearestExact"),
    "linear": ("linear", (1,), "UpsampleLinear"),
    "bilinear": ("linear", (2,), "UpsampleBilinear"),
    "bicubic": ("cubic", (2,), "UpsampleBicubic"),
    "trilinear": ("linear", (3,), "UpsampleTrilinear"),
    "area": ("adaptive", (1, 2, 3), "AdaptiveAvgPool"),
}


def _interpolate(
    input: Any, size: Any, scale_factor: Any, mode: Any, align_corners: Any, recompute_scale_factor: Any
) -> Node:
    kind = as_choice(mode, "mode", tuple(_MODES))
    table, dims, word = _MODES[kind]
    x = as_node(input) if table.startswith("nearest") else float_node(input, "interpolate")
    count = x.ndim - 2
    if count not in (1, 2, 3):
        raise SizeError("interpolate() takes (batch, channels, …) with 1 to 3 more dimensions, got shape {}", x.shape)
    if count not in dims:
        raise SizeError("mode {} goes with {} dimensions, got shape {}", repr(kind), dims[0] + 2, x.shape)
    if not all(x.shape[2:]):
        raise SizeError("interpolate() has nothing to look at in shape {}", x.shape)
    corners = align_corners is not None and as_flag(align_corners, "align_corners")
    if align_corners is not None and table not in ("linear", "cubic"):
        raise GradcliError(f"align_corners cannot be combined with mode {kind!r}", argument="align_corners")
    lengths, factors = _target(x, count, size, scale_factor, recompute_scale_factor)
    if kind == "area":
        return _adaptive_avg_pool(count)(x, lengths)
    scales = [_scale(n, m, f, corners) for n, m, f in zip(x.shape[2:], lengths, factors, strict=True)]
    more = (corners,) if table in ("linear", "cubic") else ()
    maps = [(table, n, m, s, *more) for n, m, s in zip(x.shape[2:], lengths, scales, strict=True)]
    return resampled(x, maps, f"{word}{count}D")


def _target(
    x: Node, count: int, size: Any, scale_factor: Any, recompute: Any
) -> tuple[Shape, Sequence[float | None]]:
    """The lengths of the result, and the factors that places are computed with, None for those of the lengths."""
    again = recompute is not None and as_flag(recompute, "recompute_scale_factor")
    if (size is None) == (scale_factor is None):
        raise GradcliError("interpolate() needs size or scale_factor, and not both", argument="size")
    if size is not None:
        return per_dimension(size, "size", count, 1), [None] * count
    values = list(scale_factor) if isinstance(scale_factor, list | tuple) else [scale_factor] * count
    factors = [as_number(v, "scale_factor") for v in values]
    if len(factors) != count:
        numbers = counted(count, "number")
        raise GradcliError(f"scale_factor needs {numbers}, got {len(factors)}", argument="scale_factor")
    if not all(0 < f < math.inf for f in factors):
        raise GradcliError("scale_factor must be positive", argument="scale_factor")
    lengths = tuple(math.floor(n * f) for n, f in zip(x.shape[2:], factors, strict=True))
    if min(lengths) < 1:
        raise SizeError("nothing is left of shape {} at this scale", x.shape, argument="scale_factor")
    return lengths, [None] * count if again else factors


def _scale(n: int, m: int, factor: float | None, corners: bool) -> float:
    """How far places in the input are apart."""
    if corners:
        return (n - 1) / (m - 1) if m > 1 else 0.0
    return n / m if factor is None else 1.0 / factor


interpolate = composite(
    "interpolate", _interpolate, family="network",
    args="input, size: lengths=None, scale_factor: scale=None, mode: interpolation='nearest', align_corners: flag=None,"
    " recompute_scale_factor: flag=None",
    doc="Resized along all dimensions but batch and channels: nearest, linear, bilinear, bicubic, …",
    example=("interpolate(input, scale_factor=2)", "input:4"), words=("resize", "imresize"),
)
upsample_nearest = composite(
    "upsample_nearest", lambda input, size, scale: _interpolate(input, size, scale, "nearest", None, None),
    family="network", args="input, size: lengths=None, scale_factor: scale=None", doc="Resized by nearest elements.",
    example=("upsample_nearest(input, 4)", "input:4"),
)
upsample_bilinear = composite(
    "upsample_bilinear", lambda input, size, scale: _interpolate(input, size, scale, "bilinear", True, None),
    family="network", args="input, size: lengths=None, scale_factor: scale=None",
    doc="Resized bilinearly, with aligned corners.", example=("upsample_bilinear(input, 4)", "input:4"),
)
