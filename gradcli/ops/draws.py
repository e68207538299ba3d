"""Rows that draw random numbers beyond rand() and randn(): whole ones, orders, distributions, coin tosses."""

# Rows are laid out by hand.
# fmt: off

from __future__ import annotations

import math
from typing import Any

import numpy as np

from gradcli.errors import GradcliError, SizeError
from gradcli.graph.arguments import as_flag, as_int, as_node, as_number
from gradcli.graph.dtypes import BOOL, DEFAULT_DTYPE, FLOAT32, FLOAT64, INT64
from gradcli.graph.infer import broadcast_shapes, cast
from gradcli.graph.node import Node, constant, fitted, make
from gradcli.graph.op import Blocking, Op
from gradcli.ops.blocking import ALIGNED, batch
from gradcli.ops.create import randn, reserved, reserved_for
from gradcli.ops.elementwise import detach, lt
from gradcli.ops.family import composite, float_node, primitive, to_dtype
from gradcli.ops.formulas import arithmetic
from gradcli.ops.kernels.drawn_numbers import by_weight
from gradcli.ops.one_step import one_step
from gradcli.ops.shape import sizes

# One exchange after the other, so many take a minute.
_LONGEST = 10**8
_DEVIATION = "a standard deviation is not negative"

# Whole numbers --------------------------------------------------------------------------------------------------------


def _ends(name: str, low: Any, high: Any, dtype: np.dtype) -> tuple[int, int]:
    """The ends of whole numbers, the second one excluded, all of which a dtype holds."""
    first, end = as_int(low, "low"), as_int(high, "high")
    if first >= end:
        raise GradcliError(f"{name}() draws from low up to but not including high: there is none from {first} to {end}")
    least, most = _range(dtype)
    for number in (first, end - 1):
        if not least <= number <= most:
            raise GradcliError(f"{name}() gets to {number}, which does not fit into {dtype}", argument="dtype")
    if dtype.kind != "f":
        return first, end
    within = _exact_end(first, 1, dtype), _exact_end(end, -1, dtype)
    if within[0] >= within[1]:
        raise GradcliError(f"{name}() draws from {first} up to {end}: {dtype} has no number between", argument="dtype")
    return within


def _exact_end(end: int, inward: int, dtype: np.dtype) -> int:
    """An end that what lies just within it is not rounded beyond, where not every whole number is one of a dtype."""
    beside = int(dtype.type(end + inward))
    if (beside - end) * inward >= (inward < 0):
        return end
    return beside + inward * 2 ** (abs(end + inward).bit_length() - 1 - np.finfo(dtype).nmant)


def _range(dtype: np.dtype) -> tuple[float, float]:
    if dtype == BOOL:
        return 0, 1
    limits: Any = np.finfo(dtype) if dtype.kind == "f" else np.iinfo(dtype)
    return limits.min, limits.max


def _lengths(size: Any, name: str) -> tuple[int, ...]:
    if not isinstance(size, list | tuple):
        raise GradcliError(f"{name}() takes its lengths as a tuple", hint=f"for example, {name}(0, 10, (3,))")
    lengths = tuple(sizes(size, "a length"))
    if any(n < 0 for n in lengths):
        raise GradcliError(f"a shape has no negative lengths, got {lengths}", argument="size")
    return lengths


def _randint(low: Any, high: Any, size: Any, dtype: Any) -> Node:
    target = to_dtype(dtype) or INT64
    if size is None:
        # With one end alone it is the upper one.
        low, high, size = 0, low, high
    ends = _ends("randint", low, high, target)
    return reserved("randint", _lengths(size, "randint"), target, ends)


def _randint_like(input: Any, low: Any, high: Any, dtype: Any) -> Node:
    x = as_node(input)
    target = to_dtype(dtype) or x.dtype
    first, end = (0, low) if high is None else (low, high)
    ends = _ends("randint_like", first, end, target)
    return reserved_for(x, "randint", target, ends)


def _randperm(n: Any, dtype: Any) -> Node:
    count, target = as_int(n, "n"), to_dtype(dtype) or INT64
    if not 0 <= count <= _LONGEST:
        raise GradcliError(f"randperm() orders from 0 to {_LONGEST:,} numbers, got {count:,}", argument="n")
    # From there on not every whole number is one of a floating-point type.
    most = 2.0 ** (np.finfo(target).nmant + 1) if target.kind == "f" else _range(target)[1]
    if target == BOOL or count - 1 > most:
        raise GradcliError(f"randperm() of {count} numbers does not fit into {target}", argument="dtype")
    return reserved("randperm", (count,), target)


randint = composite(
    "randint", _randint, args="low: limit, high: lengths|limit, size: lengths=None, *, dtype=None", family="create",
    draws=True, example=("randint(0, 10, (3,))", ""),
    doc="Random integers from low up to but not including high, or below the only one given: `randint(10, (3,))`. For "
    "a seed they are PyTorch's.",
)
randint_like = composite(
    "randint_like", _randint_like, args="input, low: limit, high: limit=None, *, dtype=None", family="create",
    draws=True,
    doc="Random integers in the shape and dtype of a tensor.", example=("randint_like(input, 0, 10)", "input:1"),
)
randperm = composite(
    "randperm", _randperm, args="n, *, dtype=None", family="create", draws=True,
    doc="0 to n - 1 in a random order, for a seed the same as PyTorch's.",
)

# What is asked of tensors of probabilities and deviations ------------------------------------------------------------


def _checked_kernel(x: Any, most: float, what: str) -> Any:
    wrong = x[~((x >= 0) & (x <= most))]
    if wrong.size:
        raise GradcliError(f"{what}, got {wrong.flat[0]:g}")
    return x


checked = primitive(
    "_checked", _checked_kernel, family="create", args="input, most, what", blocking=ALIGNED, refuses=True,
    doc="A tensor whose elements lie between 0 and another number.", formula=lambda c, s: s.inputs[0],
)


def _checked(x: Node, most: float, what: str) -> Node:
    return make(checked, (detach(x),), {"most": most, "what": what})


# Normal and uniform ---------------------------------------------------------------------------------------------------


def _deviation(std: Any) -> float:
    number = as_number(std, "std")
    if not number >= 0:
        raise GradcliError(f"{_DEVIATION}, got {number:g}", argument="std")
    return number


def _number(node: Node) -> Any:
    return node.params["number"]


def _normal(mean: Any, std: Any, size: Any, dtype: Any) -> Node:
    center, spread = as_node(mean), as_node(std)
    if center.weak and spread.weak:
        if size is None:
            raise GradcliError("normal() of two numbers needs lengths", hint="for example, normal(0, 1, (2, 3))")
        target = to_dtype(dtype) or DEFAULT_DTYPE.get()
        if target.kind != "f":
            raise GradcliError(f"normal() draws floating-point numbers, not {target}", argument="dtype")
        terms = as_number(_number(center), "mean"), _deviation(_number(spread))
        return reserved("normal", _lengths(size, "normal"), target, terms)
    if size is not None or dtype is not None:
        raise GradcliError("normal() takes lengths and a dtype with two numbers: a tensor has its own", argument="size")
    if spread.weak:
        center = float_node(center, "normal")
        drawn = reserved("normal", center.shape, center.dtype, (0.0, _deviation(_number(spread))))
        return one_step("NormalBackward1", drawn + detach(center), center, flat=True)
    spread = float_node(spread, "normal")
    deviations = _checked(spread, math.inf, _DEVIATION)
    if center.weak:
        drawn = randn(spread.shape, dtype=spread.dtype) * deviations
        drawn = drawn + constant(fitted(_number(center), spread.dtype))
        return one_step("NormalBackward2", drawn, spread, flat=True)
    center = float_node(center, "normal")
    shape = broadcast_shapes([center.shape, spread.shape])
    stretched = cast(randn(shape, dtype=center.dtype) * deviations, center.dtype)
    return one_step("NormalBackward3", stretched + detach(center), center, spread, flat=True)


def _within(input: Any, name: str, kind: str, *terms: float) -> Node:
    """Numbers drawn in the place of a tensor's elements."""
    x = float_node(input, f"{kind}_")
    return one_step(f"{name}Backward0", reserved_for(x, kind, x.dtype, terms), x, flat=True)


def _uniform_within(input: Any, low: Any, high: Any) -> Node:
    x = as_node(input)
    start, end = as_number(low, "low"), as_number(high, "high")
    most = _range(x.dtype)[1] if x.is_floating else math.inf
    if not (abs(start) <= most and abs(end) <= most and 0 <= end - start <= most):
        raise GradcliError(f"uniform_() draws from one number up to a larger one, got {start:g} and {end:g}")
    return _within(x, "Uniform", "uniform", start, end)


normal: Op = composite(
    "normal", _normal, args="mean: tensor, std: tensor=1.0, size: lengths=None, *, dtype=None", family="create",
    draws=True, example=("normal(mean, 2.)", "mean:1"), domain=(0.5, 2.0),
    doc="Normal random numbers of a mean and a standard deviation, which are tensors, or two numbers with lengths: "
    "`normal(0, 1, (2, 3))`. For a seed they are PyTorch's; their gradients are 0.",
)
normal_within = composite(
    "_normal_within",
    lambda input, mean, std: _within(input, "Normal", "normal", as_number(mean, "mean"), _deviation(std)),
    args="input, mean=0, std=1", family="create", draws=True, doc="Normal numbers in the place of a tensor's.",
)
uniform_within = composite(
    "_uniform_within", _uniform_within, args="input, low=0, high=1", family="create", draws=True,
    doc="Uniform numbers in the place of a tensor's.",
)

# In the place of others -----------------------------------------------------------------------------------------------


def _largest(dtype: np.dtype) -> int:
    """The largest number that is drawn where there is no other end: up to it a dtype holds all whole ones."""
    return 2 ** (np.finfo(dtype).nmant + 1) if dtype.kind == "f" else int(_range(dtype)[1])


def _random_within(input: Any, bounds: Any) -> Node:
    x = as_node(input)
    if len(bounds) > 2:
        raise GradcliError(f"random_() draws between two bounds, got {len(bounds)}")
    two = None
    if not bounds:
        # However many numbers of 32 bits there are, each is made of one word.
        ends, two = (0, _largest(x.dtype) + 1), x.dtype.itemsize == 8
    elif bounds[-1] is None:
        first, last = _ends("random_", bounds[0], _largest(x.dtype), x.dtype)
        ends = first, last + 1
    else:
        low, high = (0, *bounds)[-2:]
        ends = _ends("random_", low, high, x.dtype)
    number = 2 - len(bounds)
    return one_step(f"RandomBackward{number}", reserved_for(x, "randint", x.dtype, (*ends, two)), x, flat=True)


def _positive(value: Any, name: str) -> float:
    number = as_number(value, name)
    if not number > 0:
        raise GradcliError(f"{name} must be larger than 0, got {number:g}", argument=name)
    return number


def _geometric_within(input: Any, p: Any) -> Node:
    x, chance = as_node(input), as_number(p, "p")
    if x.dtype == BOOL:
        raise GradcliError("geometric_() draws numbers, not booleans")
    if not 0 < chance < 1:
        raise GradcliError(f"p is a probability between 0 and 1, got {chance:g}", argument="p")
    return one_step("GeometricBackward0", reserved_for(x, "geometric", x.dtype, (chance,)), x, flat=True)


random_within = composite(
    "_random_within", _random_within, args="input, bounds", family="create", draws=True,
    doc="Whole numbers in the place of a tensor's.",
)
exponential_within = composite(
    "_exponential_within",
    lambda input, lambd: _within(input, "Exponential", "exponential", _positive(lambd, "lambd")),
    args="input, lambd=1", family="create", draws=True, doc="Exponential numbers in the place of a tensor's.",
)
geometric_within = composite(
    "_geometric_within", _geometric_within, args="input, p", family="create", draws=True,
    doc="Numbers of trials in the place of a tensor's elements.",
)
cauchy_within = composite(
    "_cauchy_within",
    lambda input, median, sigma: _within(
        input, "Cauchy", "cauchy", as_number(median, "median"), _positive(sigma, "sigma")
    ),
    args="input, median=0, sigma=1", family="create", draws=True,
    doc="Numbers of Cauchy's distribution in the place of a tensor's.",
)
log_normal_within = composite(
    "_log_normal_within",
    lambda input, mean, std: _within(
        input, "LogNormal", "log_normal", as_number(mean, "mean"), _positive(std, "std")
    ),
    args="input, mean=1, std=2", family="create", draws=True,
    doc="Numbers with normal logarithms in the place of a tensor's.",
)

# Coin tosses ----------------------------------------------------------------------------------------------------------


def _tossed(p: Any, shape: tuple[int, ...], like: Node | None = None) -> Node:
    """Where a uniform number is below a probability: that of a number is drawn in double precision."""
    chance = as_node(p)
    if chance.weak:
        number = as_number(_number(chance), "p")
        if not 0 <= number <= 1:
            raise GradcliError(f"p is a probability, from 0 to 1, got {number:g}", argument="p")
        drawn = reserved("rand", shape, FLOAT64) if like is None else reserved_for(like, "rand", FLOAT64)
        return lt(drawn, number)
    chance = float_node(chance, "bernoulli")
    dtype = FLOAT64 if chance.dtype == FLOAT64 else FLOAT32
    drawn = reserved("rand", shape, dtype) if like is None else reserved_for(like, "rand", dtype)
    return lt(drawn, cast(_checked(chance, 1, "a probability lies between 0 and 1"), dtype))


def _bernoulli(input: Any, p: Any) -> Node:
    x = as_node(input)
    if p is None:
        x = float_node(x, "bernoulli")
        return one_step("BernoulliBackward0", cast(_tossed(x, x.shape), x.dtype), x, flat=True)
    return cast(_tossed(p, x.shape), x.dtype)


def _bernoulli_within(input: Any, p: Any) -> Node:
    x, chance = as_node(input), as_node(p)
    if broadcast_shapes([x.shape, chance.shape]) != x.shape:
        raise SizeError("probabilities of shape {} do not fit a tensor of shape {}", chance.shape, x.shape)
    tossed = cast(_tossed(p, x.shape, x), x.dtype)
    if chance.weak:
        return one_step("BernoulliBackward2", tossed, x, flat=True)
    return one_step("BernoulliBackward1", tossed, x, chance, flat=True)


bernoulli = composite(
    "bernoulli", _bernoulli, args="input, p: number=None", family="create", draws=True, domain=(0.1, 0.9),
    doc="1 with the probability that each element is, or with p in the shape of a tensor, else 0. For a seed they are "
    "PyTorch's; the gradient is 0.",
    example=("bernoulli(input)", "input:1"),
)
bernoulli_within = composite(
    "_bernoulli_within", _bernoulli_within, args="input, p: tensor=0.5", family="create", draws=True,
    doc="Coin tosses in the place of a tensor's elements.",
)

# By weight ------------------------------------------------------------------------------------------------------------

# Of so many the places are whole numbers of single precision.
_MOST_WEIGHTS = 2**24


def _multinomial(input: Any, num_samples: Any, replacement: Any) -> Node:
    x, count = float_node(input, "multinomial"), as_int(num_samples, "num_samples")
    if not 1 <= x.ndim <= 2:
        raise SizeError("multinomial() takes a vector of weights or a matrix of rows, got shape {}", x.shape)
    if x.shape[-1] > _MOST_WEIGHTS:
        raise GradcliError(f"multinomial() draws from up to {_MOST_WEIGHTS:,} weights, got {x.shape[-1]:,}")
    if count < 1:
        raise GradcliError(f"num_samples must be positive, got {count}", argument="num_samples")
    again = as_flag(replacement, "replacement")
    if not again and count > x.shape[-1]:
        hint = "with replacement=True they may come again"
        raise GradcliError(f"{count} different ones cannot be drawn from {x.shape[-1]} weights", hint=hint)
    again = again and count > 1
    drawn = (
        reserved("rand", (*x.shape[:-1], count), FLOAT64) if again else reserved_for(x, "exponential", x.dtype, (1.0,))
    )
    return make(chosen, (detach(x), drawn), {"count": count, "again": again})


chosen: Op = primitive(
    "_by_weight", by_weight, lambda inputs, params: ((*inputs[0].shape[:-1], params["count"]), INT64), family="create",
    args="input, drawn, count, again", doc="Indices by weight, from random numbers.", blocking=Blocking(batch(1)),
    refuses=True,
    formula=arithmetic.none("random numbers have no formula", "give them as an input"), draws=True, cost=20.0,
)
multinomial = composite(
    "multinomial", _multinomial, args="input, num_samples: int, replacement=False", family="create", draws=True,
    doc="Indices of the last dimension, drawn with the probabilities that its weights have, each once or with "
    "replacement. For a seed they are PyTorch's.",
    example=("multinomial(input, 2)", "input:1"),
)
