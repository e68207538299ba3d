"""Pictures looked at in places between their elements, grids of such places, and channels made into places."""

# Rows are laid out by hand.
# fmt: off

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product
from typing import Any

from gradcli.errors import GradcliError, SizeError
from gradcli.graph.arguments import as_choice, as_flag, as_int, as_node
from gradcli.graph.node import Node
from gradcli.ops.elementwise import detach, eq, floor, logical_and, round_, where
from gradcli.ops.family import call, composite, floats
from gradcli.ops.gather import gathered
from gradcli.ops.one_step import one_step
from gradcli.ops.shape import expand, permuted, reshape, sizes, stack, unsqueeze

# Grids ----------------------------------------------------------------------------------------------------------------

# Keys' cubic convolution, with PyTorch's constant.
_CUBIC = -0.75


def _grid_sample(input: Any, grid: Any, mode: Any, padding_mode: Any, align_corners: Any) -> Node:
    x, places = floats(input, grid)
    how = as_choice(mode, "mode", ("bilinear", "nearest", "bicubic"))
    beyond = as_choice(padding_mode, "padding_mode", ("zeros", "border", "reflection"))
    corners = align_corners is not None and as_flag(align_corners, "align_corners")
    count = x.ndim - 2
    if count not in (2, 3) or places.ndim != x.ndim or places.shape[-1] != count or places.shape[0] != x.shape[0]:
        raise SizeError("grid_sample() takes (batch, channels, …) of 4 or 5 dimensions and a grid of as many, got {}"
                        " and {}", x.shape, places.shape)
    if how == "bicubic" and count != 2:
        raise GradcliError("mode='bicubic' needs 4 dimensions", argument="mode")
    if not all(x.shape[2:]):
        raise SizeError("grid_sample() has nothing to look at in shape {}", x.shape)
    lengths = x.shape[2:]
    # The grid tells the places of the last dimension first.
    at = [_unscaled(call("select", places, -1, count - 1 - k), n, corners) for k, n in enumerate(lengths)]
    if how == "bicubic":
        result = _cubic(x, at, beyond, corners)
    else:
        at = [_inside(c, n, beyond, corners) for c, n in zip(at, lengths, strict=True)]
        result = _nearest(x, at) if how == "nearest" else _linear(x, at)
    return one_step(f"GridSampler{count}DBackward0", result, x, places, flat=True)


def _unscaled(place: Node, length: int, corners: bool) -> Node:
    """From -1 … 1 to the numbers of elements."""
    return (place + 1) * ((length - 1) / 2) if corners else ((place + 1) * length - 1) / 2


def _inside(place: Node, length: int, beyond: str, corners: bool) -> Node:
    """A place beyond the ends moved to the border, or reflected."""
    if beyond == "zeros":
        return place
    if beyond == "reflection":
        place = _reflected(place, length, corners)
    # At the ends themselves the gradient is 0, and what is no number is at the first.
    return where(place > 0, where(place >= length - 1, float(length - 1), place), 0.0)


def _reflected(place: Node, length: int, corners: bool) -> Node:
    low, span = (0.0, length - 1) if corners else (-0.5, length)
    if span == 0:
        return call("zeros_like", place)
    way = place - low
    way = where(way < 0, -way, way)
    turns = floor(detach(way) / span)
    rest = way - turns * span
    return where(eq(call("remainder", turns, 2), 0), rest, span - rest) + low


def _taken(x: Node, at: Sequence[Node]) -> Node:
    """The elements at integers, 0 for those beyond the ends, as (batch, channels, *places)."""
    (batch, channels, *lengths), there, flat = x.shape, None, None
    for place, length in zip(at, lengths, strict=True):
        within = logical_and(place >= 0, place <= length - 1)
        there = within if there is None else logical_and(there, within)
        index = call("long", where(within, place, 0.0))
        flat = index if flat is None else flat * length + index
    assert there is not None and flat is not None
    # One index for all dimensions of a picture: members of a batch have nothing to do with each other.
    count = math.prod(flat.shape[1:])
    spread = expand(reshape(flat, (batch, 1, count)), (batch, channels, count))
    found = gathered(reshape(x, (batch, channels, math.prod(lengths))), 2, spread)
    return where(unsqueeze(there, 1), reshape(found, (batch, channels, *flat.shape[1:])), 0.0)


def _nearest(x: Node, at: Sequence[Node]) -> Node:
    return _taken(x, [round_(detach(place)) for place in at])


def _linear(x: Node, at: Sequence[Node]) -> Node:
    first = [floor(detach(place)) for place in at]
    part = [place - before for place, before in zip(at, first, strict=True)]
    result = None
    for corner in product((0, 1), repeat=len(at)):
        weights = [p if c else 1 - p for p, c in zip(part, corner, strict=True)]
        weight = math.prod(weights[1:], start=weights[0])
        term = _taken(x, [f + c for f, c in zip(first, corner, strict=True)]) * unsqueeze(weight, 1)
        result = term if result is None else result + term
    assert result is not None
    return result


def _cubic(x: Node, at: Sequence[Node], beyond: str, corners: bool) -> Node:
    first = [floor(detach(place)) for place in at]
    weights = [_cubic_weights(place - before) for place, before in zip(at, first, strict=True)]
    result = None
    for row, column in product(range(4), repeat=2):
        places = [
            detach(_inside(f + (k - 1), n, beyond, corners))
            for f, k, n in zip(first, (row, column), x.shape[2:], strict=True)
        ]
        term = _taken(x, places) * unsqueeze(weights[0][row] * weights[1][column], 1)
        result = term if result is None else result + term
    assert result is not None
    return result


def _cubic_weights(part: Node) -> list[Node]:
    """The weights of the four neighbours of a place that lies by this part between the second and the third."""
    a = _CUBIC

    def near(t: Node) -> Node:
        return ((a + 2) * t - (a + 3)) * t * t + 1

    def far(t: Node) -> Node:
        return ((a * t - 5 * a) * t + 8 * a) * t - 4 * a

    return [far(part + 1), near(part), near(1 - part), far(2 - part)]


grid_sample = composite(
    "grid_sample", _grid_sample, family="network",
    args="input, grid, mode: sampling='bilinear', padding_mode: beyond='zeros', align_corners: flag=None",
    doc="Images sampled at the coordinates of a grid, from -1 to 1 along each dimension, the last one first.",
    example="input:1x1x2x2 grid:1x1x2x2",
)


def _affine_grid(theta: Any, size: Any, align_corners: Any) -> Node:
    (matrices,) = floats(theta)
    shape = tuple(sizes(size, "size"))
    corners = align_corners is not None and as_flag(align_corners, "align_corners")
    count = len(shape) - 2
    if count not in (2, 3) or min(shape) < 1:
        raise SizeError("affine_grid() takes a size of 4 or 5 positive lengths, got {}", shape, argument="size")
    if matrices.shape != (shape[0], count, count + 1):
        raise SizeError("theta has shape {}, it needs {}", matrices.shape, (shape[0], count, count + 1),
                        argument="theta")
    # The places at both ends, which are those of corners or of the middle of the first and the last element.
    ends = [0.0 if n == 1 else 1.0 if corners else (n - 1) / n for n in shape[2:]]
    lines = [call("linspace", -end, end, n, dtype=matrices.dtype) for end, n in zip(ends, shape[2:], strict=True)]
    # Those of the last dimension come first, a 1 at the end.
    places = reversed(call("meshgrid", *lines))
    base = reshape(stack([*places, call("ones", shape[2:], dtype=matrices.dtype)], -1), (-1, count + 1))
    grid = call("matmul", base, call("transpose", matrices, 1, 2))
    return one_step("AffineGridGeneratorBackward0", reshape(grid, (shape[0], *shape[2:], count)), matrices)


affine_grid = composite(
    "affine_grid", _affine_grid, family="network", args="theta: tensor, size: canvas, align_corners: flag=None",
    doc="The grid for grid_sample of affine maps, a matrix for each member of the batch.",
    example=("affine_grid(theta, (1, 1, 2, 2))", "theta:1x2x3"),
)


# Channels -------------------------------------------------------------------------------------------------------------


def _planes(input: Any, name: str) -> Node:
    x = as_node(input)
    if x.ndim < 3:
        raise SizeError("{}() takes (…, channels, height, width), got shape {}", name, x.shape)
    return x


def _factor(value: Any, name: str) -> int:
    factor = as_int(value, name)
    if factor < 1:
        raise GradcliError(f"{name} must be at least 1, got {factor}", argument=name)
    return factor


def _pixel_shuffle(input: Any, upscale_factor: Any) -> Node:
    x, r = _planes(input, "pixel_shuffle"), _factor(upscale_factor, "upscale_factor")
    *batch, channels, height, width = x.shape
    if channels % (r * r):
        raise SizeError("{} channels do not divide into pictures of {}", channels, (r, r), argument="upscale_factor")
    split = reshape(x, (*batch, channels // (r * r), r, r, height, width))
    n = len(batch)
    moved = permuted(split, (*range(n), n, n + 3, n + 1, n + 4, n + 2))
    return one_step("PixelShuffleBackward0", reshape(moved, (*batch, channels // (r * r), height * r, width * r)), x)


def _pixel_unshuffle(input: Any, downscale_factor: Any) -> Node:
    x, r = _planes(input, "pixel_unshuffle"), _factor(downscale_factor, "downscale_factor")
    *batch, channels, height, width = x.shape
    if height % r or width % r:
        raise SizeError("a picture of {} does not divide into ones of {}", x.shape[-2:], (r, r),
                        argument="downscale_factor")
    split = reshape(x, (*batch, channels, height // r, r, width // r, r))
    n = len(batch)
    moved = permuted(split, (*range(n), n, n + 2, n + 4, n + 1, n + 3))
    return one_step("PixelUnshuffleBackward0", reshape(moved, (*batch, channels * r * r, height // r, width // r)), x)


def _channel_shuffle(input: Any, groups: Any) -> Node:
    x, parts = as_node(input), _factor(groups, "groups")
    if x.ndim < 3 or x.shape[1] % parts:
        raise SizeError("channel_shuffle() takes (batch, channels, …) of channels in {} groups, got shape {}", parts,
                        x.shape)
    split = reshape(x, (x.shape[0], parts, x.shape[1] // parts, *x.shape[2:]))
    return one_step("ChannelShuffleBackward0", reshape(call("transpose", split, 1, 2), x.shape), x)


pixel_shuffle = composite(
    "pixel_shuffle", _pixel_shuffle, family="network", torch="pixel_shuffle", args="input, upscale_factor: int",
    doc="Groups of channels rearranged into squares of elements.", example=("pixel_shuffle(input, 1)", "input:3"),
)
pixel_unshuffle = composite(
    "pixel_unshuffle", _pixel_unshuffle, family="network", torch="pixel_unshuffle", args="input, downscale_factor: int",
    doc="Squares of elements rearranged into groups of channels.", example=("pixel_unshuffle(input, 2)", "input:1x2x2"),
)
channel_shuffle = composite(
    "channel_shuffle", _channel_shuffle, family="network", torch="channel_shuffle", args="input, groups: int",
    doc="The channels of several groups interleaved.", example=("channel_shuffle(input, 2)", "input:1x2x3"),
)
