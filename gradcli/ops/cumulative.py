"""Rows along a line of numbers: running extremes and sums of exponentials, differences, slopes and areas."""

# Rows are laid out by hand.
# fmt: off

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from gradcli.errors import GradcliError, SizeError
from gradcli.graph.arguments import as_int, as_node, as_number, axis_of, normalize_axis
from gradcli.graph.dtypes import BOOL, FLOAT64, INT64
from gradcli.graph.native_forms import NativeRunning
from gradcli.graph.node import Node, make, make_results
from gradcli.graph.op import Blocking, Op
from gradcli.ops import accumulators
from gradcli.ops.blocking import except_along
from gradcli.ops.create import filled
from gradcli.ops.elementwise import clone, eq, exp, ne, where
from gradcli.ops.family import call, composite, floating, primitive
from gradcli.ops.gather import selecting_vjp
from gradcli.ops.kernels import native
from gradcli.ops.reduce import cumsum, recurrence_of, sum_
from gradcli.ops.shape import cat, cut, flip, narrow, reshape, view

# Each is three nodes of the graph.
_MOST_TIMES = 10_000

# Running extremes -----------------------------------------------------------------------------------------------------


def _running_extreme(extreme: Any) -> Any:
    def kernel(x: Any, dim: int, wanted: tuple[bool, ...] = (True, True)) -> Any:
        if not x.ndim:
            return x, np.zeros((), np.int64)
        values = extreme.accumulate(x, axis=dim)
        # Which zero comes last shows in its sign.
        signed = x.dtype.kind == "f" and not values.all()
        if not (wanted[1] or signed):
            return values, None
        # Of equal ones the last, and of the NaN too: nothing but another NaN comes after them.
        hit = x == values
        if x.dtype.kind == "f":
            hit |= x != x
        place = np.arange(x.shape[dim]).reshape([-1 if k == dim else 1 for k in range(x.ndim)])
        indices = np.maximum.accumulate(hit * place, axis=dim)
        return np.take_along_axis(x, indices, dim) if signed else values, indices

    return kernel


def _running(name: str, extreme: Any, word: str) -> Op:
    def build(input: Any, dim: Any) -> Any:
        x = as_node(input)
        return make_results(op, (x,), {"dim": normalize_axis(dim, x.ndim)})

    op: Op = primitive(
        name, _running_extreme(extreme),
        lambda inputs, params: ((inputs[0].shape, inputs[0].dtype), (inputs[0].shape, INT64)), family="reduction",
        args="input, dim", build=build, results=("values", "indices"), skips=True, vjp=selecting_vjp,
        blocking=Blocking(except_along), doc=f"The {word} up to each position, and its index, the last of equal ones.",
        example=(f"{name}(input, 0).values", "input:1"),
    )
    return op


cummax = _running("cummax", np.maximum, "maximum")
cummin = _running("cummin", np.minimum, "minimum")


# Running sum of exponentials ------------------------------------------------------------------------------------------


def _apart(a: Node, b: Node) -> Node:
    """The difference; of equal infinities it is 0."""
    return where(eq(a, b), 0, a - b)


def _logcumsumexp_vjp(g: Node, out: Node, x: Node, dim: int) -> tuple[Node]:
    """A recurrence from the end with the parts that what came before has in each sum: none is above 1."""
    if not x.ndim or not x.shape[dim]:
        return (g,)
    length = x.shape[dim]
    parts = exp(_apart(narrow(out, dim, 0, length - 1), narrow(out, dim, 1, length)))
    last = tuple([1 if k == dim else n for k, n in enumerate(x.shape)])
    end = make(filled, (), {"shape": last, "value": 0, "dtype": x.dtype})
    return (exp(_apart(x, out)) * recurrence_of(g, cat([parts, end], dim), dim, True),)


def _logcumsumexp_textbook(g: Node, out: Node, x: Node, dim: int) -> tuple[Node]:
    if not x.ndim:
        return (g,)
    return (exp(x) * flip(cumsum(flip(g * exp(-out), (dim,)), dim), (dim,)),)


def _logcumsumexp(input: Any, dim: Any) -> Node:
    x = floating(input)
    return make(logcumsumexp, (x,), {"dim": normalize_axis(dim, x.ndim)})


_LANES = accumulators.lanes_of(lambda v, dtype: v.constant(-math.inf, FLOAT64), native.logaddexp)
logcumsumexp: Op = primitive(
    "logcumsumexp",
    lambda x, dim: np.logaddexp.accumulate(x.astype(np.float64), axis=dim).astype(x.dtype) if x.ndim else x,
    family="reduction", args="input, dim", build=_logcumsumexp, doc="`log(cumsum(exp(input)))` without overflow.",
    vjp=_logcumsumexp_vjp, blocking=Blocking(except_along), native=NativeRunning(_LANES), cost=60.0,
    textbook=_logcumsumexp_textbook, example=("logcumsumexp(input, 0)", "input:1"),
)


# Differences ----------------------------------------------------------------------------------------------------------


def _part(x: Node, dim: int, start: int | None, stop: int | None = None) -> Node:
    """A slice along a dimension, also where it is all of it."""
    first, last, _ = slice(start, stop).indices(x.shape[dim])
    return cut(x, dim, first, max(first, last))


def _line(value: Any, dim: Any, name: str) -> tuple[Node, int]:
    x = as_node(value)
    return x, axis_of(x, dim, name)


def _diff(input: Any, n: Any, dim: Any, prepend: Any, append: Any) -> Node:
    x, axis = _line(input, dim, "diff")
    times = as_int(n, "n")
    if times < 0:
        raise GradcliError(f"diff() takes differences so many times, got {times}", argument="n")
    ends = [None if end is None else as_node(end) for end in (prepend, append)]
    if not times:
        return clone(x)
    if any(end is not None for end in ends):
        x = cat([part for part in (ends[0], x, ends[1]) if part is not None], axis)
    times = min(times, x.shape[axis])
    if times > _MOST_TIMES:
        raise GradcliError(f"diff() takes differences at most {_MOST_TIMES:,} times, got {times:,}", argument="n")
    for _ in range(times):
        after, before = _part(x, axis, 1), _part(x, axis, 0, -1)
        x = ne(after, before) if x.dtype == BOOL else after - before
    return x


diff = composite(
    "diff", _diff, args="input, n: int=1, dim: dim=-1, prepend: tensor=None, append: tensor=None", family="reduction",
    doc="Differences of neighbours along a dimension, n times; prepend and append are joined to its ends first.",
    example=("diff(input)", "input:1"),
)


# Slopes ---------------------------------------------------------------------------------------------------------------


def _even_slopes(x: Node, dim: int, step: float, order: int) -> Node:
    """At even distances."""
    def over(y: Node, number: float) -> Node:
        return call("_over", y, number)

    def times(y: Node, number: float) -> Node:
        return call("_times", y, number)

    middle = over(over(_part(x, dim, 2) - _part(x, dim, 0, -2), step), 2)
    near = [_part(x, dim, k, k + 1) for k in range(order + 1)]
    far = [_part(x, dim, -1 - k, None if not k else -k) for k in range(order + 1)]
    if order == 1:
        return cat([over(near[1] - near[0], step), middle, over(far[0] - far[1], step)], dim)
    first = times(near[0], -1.5) + times(near[1], 2) - times(near[2], 0.5)
    last = times(far[0], 1.5) - times(far[1], 2) + times(far[2], 0.5)
    return cat([over(first, step), middle, over(last, step)], dim)


def _uneven_slopes(x: Node, dim: int, places: Node, order: int) -> Node:
    """At given places: by the parabola through three neighbours, or the line through two at the ends."""
    steps = reshape(_part(places, 0, 1) - _part(places, 0, 0, -1), [-1 if k == dim else 1 for k in range(x.ndim)])
    one, two = _part(steps, dim, 0, -1), _part(steps, dim, 1)

    def through(start: int, stop: int, weights: tuple[Node, Node, Node]) -> Node:
        parts = [_part(x, dim, start + k, stop + k or None) for k in range(3)]
        return weights[0] * parts[0] + weights[1] * parts[1] + weights[2] * parts[2]

    middle = through(0, -2, (-two / (one * (one + two)), (two - one) / (one * two), one / (two * (one + two))))
    if order == 1:
        first = (_part(x, dim, 1, 2) - _part(x, dim, 0, 1)) / _part(steps, dim, 0, 1)
        last = (_part(x, dim, -1) - _part(x, dim, -2, -1)) / _part(steps, dim, -1)
        return cat([first, middle, last], dim)
    a, b = _part(steps, dim, 0, 1), _part(steps, dim, 1, 2)
    first = through(0, 1, (-(2 * a + b) / (a * (a + b)), (a + b) / (a * b), -a / (b * (a + b))))
    a, b = _part(steps, dim, -2, -1), _part(steps, dim, -1)
    last = through(-3, -2, (b / (a * (a + b)), -(b + a) / (a * b), (2 * b + a) / (b * (a + b))))
    return cat([first, middle, last], dim)


def _gradient(input: Any, spacing: Any, dim: Any, edge_order: Any) -> tuple[Node, ...]:
    x, order = as_node(input), as_int(edge_order, "edge_order")
    if order not in (1, 2):
        raise GradcliError(f"gradient() needs an edge_order of 1 or 2, got {order}", argument="edge_order")
    given = range(x.ndim) if dim is None else dim if isinstance(dim, list | tuple) else [dim]
    axes = [normalize_axis(d, x.ndim) for d in given]
    for axis in axes:
        if not x.ndim or x.shape[axis] <= order:
            least = order + 1
            raise SizeError("gradient() needs at least {} elements along a dimension, got shape {}", least, x.shape)
    if isinstance(spacing, list | tuple) and len(spacing) != len(axes):
        raise GradcliError(f"gradient() needs a spacing for each of {len(axes)} dimensions", argument="spacing")
    steps = list(spacing) if isinstance(spacing, list | tuple) else [1.0 if spacing is None else spacing] * len(axes)
    return tuple([_slopes(x, axis, step, order) for axis, step in zip(axes, steps, strict=True)])


def _slopes(x: Node, axis: int, step: Any, order: int) -> Node:
    places = as_node(step)
    if places.weak:
        return _even_slopes(x, axis, as_number(step, "spacing"), order)
    if places.shape != (x.shape[axis],):
        message = "gradient() needs a place for each of {} elements, got shape {}"
        raise SizeError(message, x.shape[axis], places.shape, argument="spacing")
    return _uneven_slopes(x, axis, places, order)


gradient = composite(
    "gradient", _gradient, args="input, *, spacing: spacing=None, dim: dims=None, edge_order: int=1",
    family="reduction", doc="Slopes along each dimension by differences of neighbours, with an even spacing or at "
    "given coordinates, a vector for each dimension.",
    example=("gradient(input)[0]", "input:1"),
)


# Areas ----------------------------------------------------------------------------------------------------------------


def _widths(y: Node, x: Any, dim: int, name: str) -> Node:
    """The distances of the places `x` along `dim`, with the dimensions of `y`."""
    places = as_node(x)
    if places.ndim == 1 and y.ndim > 1:
        places = reshape(places, [-1 if k == dim else 1 for k in range(y.ndim)])
    elif 1 < places.ndim < y.ndim:
        places = view(places, (*(1,) * (y.ndim - places.ndim), *places.shape))
    if places.ndim < y.ndim or places.shape[dim - y.ndim] != y.shape[dim]:
        raise SizeError("{}() needs a place for each of {} elements, got shape {}", name, y.shape[dim], places.shape)
    axis = places.ndim - y.ndim + dim
    return _part(places, axis, 1) - _part(places, axis, 0, -1)


def _area(name: str, even: Callable[..., Node], uneven: Callable[..., Node]) -> Any:
    def build(y: Any, x: Any, dx: Any, dim: Any) -> Node:
        heights, axis = _line(y, dim, name)
        if x is not None:
            if dx is not None:
                raise GradcliError(f"{name}() takes places x or a step dx, not both", argument="dx")
            return uneven(heights, _widths(heights, x, axis, name), axis)
        return even(heights, 1.0 if dx is None else as_number(dx, "dx"), axis)

    return build


def _both_ends(y: Node, dim: int) -> Node:
    return _part(y, dim, 0, -1) + _part(y, dim, 1)


def _even_area(y: Node, step: float, dim: int) -> Node:
    if not y.shape[dim]:
        return sum_(y, dim)
    ends = call("select", y, dim, 0) + call("select", y, dim, -1)
    return call("_times", sum_(y, dim) - call("_times", ends, 0.5), step)


def _half(x: Node) -> Node:
    return call("_over", floating(x), 2)


_AREA = "y, x: operand=None, *, dx: number=None, dim: dim=-1"
trapezoid = composite(
    "trapezoid", _area("trapezoid", _even_area, lambda y, widths, dim: _half(sum_(_both_ends(y, dim) * widths, dim))),
    args=_AREA, family="reduction", aliases=("trapz",),
    doc="The integral along a dimension by the trapezoidal rule, at coordinates x or with spacing dx.",
    example="y:1", words=("integrate",),
)
cumulative_trapezoid = composite(
    "cumulative_trapezoid", _area(
        "cumulative_trapezoid", lambda y, step, dim: cumsum(call("_times", _both_ends(y, dim), step / 2), dim),
        lambda y, widths, dim: _half(cumsum(_both_ends(y, dim) * widths, dim)),
    ),
    args=_AREA, family="reduction", doc="The integral up to each point after the first by the trapezoidal rule.",
    example="y:1", words=("cumtrapz",),
)
