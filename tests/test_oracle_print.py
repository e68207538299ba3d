"""The printing of tensors against a live PyTorch, over thousands of random arrays and settings."""

from __future__ import annotations

import os
import random
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from gradcli.render.text import Style, format_tensor

# Where GRADCLI_ORACLE=1 (continuous integration) a missing PyTorch is a failure, elsewhere the oracle is optional.
if os.environ.get("GRADCLI_ORACLE") == "1":
    import torch
else:
    torch = pytest.importorskip("torch")

pytestmark = pytest.mark.oracle

FLOATS = ["float16", "float32", "float64"]
INTEGERS = ["uint8", "int8", "int16", "int32", "int64"]
LENGTHS_1D = [0, 1, 2, 3, 5, 8, 9, 10, 11, 12, 13, 14, 17, 20, 30, 50, 100, 999, 1000, 1001, 2000]
SPECIAL = [[np.nan], [np.inf], [-np.inf, np.inf], [np.nan, np.inf, -np.inf], [0.0], [-0.0]]
# The limits at which the notation changes, from both sides.
LIMITS = [1e-4, 9.9e-5, 1e8, 1.1e8, 0.1, 1.0, 100.0, 1000.0, 1000.5, 99999.99999, 0.99999999]


@pytest.fixture(autouse=True)
def settings() -> Iterator[None]:
    """Leave PyTorch's print settings as they were, and let no NumPy warning pass."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield
    torch.set_printoptions(profile="default")


def random_shape(rng: random.Random) -> tuple[int, ...]:
    ndim = rng.choice([0, 1, 1, 1, 2, 2, 2, 3, 3, 4])
    if ndim == 1:
        return (rng.choice(LENGTHS_1D),)
    lengths = [1, 2, 5, 6, 7, 8, 20, 40, 700] if rng.random() < 0.15 else [0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 12]
    shape = [rng.choice(lengths) for _ in range(ndim)]
    if rng.random() < 0.9:
        shape = [n or 1 for n in shape]
    while np.prod(shape) > 30_000:
        shape[shape.index(max(shape))] //= 3
    return tuple(shape)


def random_floats(rng: random.Random, shape: tuple[int, ...]) -> np.ndarray:
    """Floats of one of the kinds that print differently: magnitudes, integers, limits, special values."""
    gen = np.random.default_rng(rng.getrandbits(32))
    normal = gen.standard_normal(shape)
    match rng.randrange(8):
        case 0:
            array = normal
        case 1:
            array = normal * 10.0 ** rng.uniform(-30, 30)
        case 2:
            array = np.round(normal * 10.0 ** rng.uniform(0, 10))
        case 3:
            array = 10.0 ** gen.uniform(-rng.choice([1, 3, 4, 5, 30]), rng.choice([1, 2, 3, 8, 9, 30]), shape)
        case 4:
            array = gen.choice([0.0, -0.0, 1.0, 2.0, -3.0], shape)
        case 5:
            array = np.round(normal, rng.randrange(6))
        case 6:
            array = normal * 10.0 ** rng.choice([-4, -5, -3, 8, 7, -40, -310, -45])
        case _:
            array = gen.choice(rng.sample(LIMITS, rng.randint(1, 4)), shape) * rng.choice([1, -1])
    if rng.random() < 0.25:
        array = np.where(gen.random(shape) < rng.choice([0.1, 0.5, 1.0]), gen.choice(rng.choice(SPECIAL), shape), array)
    return np.asarray(array)


def random_array(rng: random.Random) -> np.ndarray:
    shape = random_shape(rng)
    dtype = rng.choice(FLOATS * 4 + ["float32"] * 4 + INTEGERS + ["bool"])
    if dtype in FLOATS:
        with np.errstate(all="ignore"):
            return random_floats(rng, shape).astype(dtype)
    gen = np.random.default_rng(rng.getrandbits(32))
    if dtype == "bool":
        return np.asarray(gen.random(shape) < rng.choice([0.5, 1.0, 0.0]))
    limits = np.iinfo(dtype)
    most = min(limits.max, rng.choice([1, 9, 10, 100, 10**4, 10**9, 10**18]))
    return np.asarray(gen.integers(max(limits.min, -most), most, size=shape, dtype=dtype, endpoint=True))


def random_style(rng: random.Random) -> Style:
    return Style(
        precision=rng.choice([4, 4, 4, *range(1, 11)]),
        threshold=rng.choice([1000, 1000, 1000, 50, 5, 0]),
        edgeitems=rng.choice([3, 3, 3, 1, 2, 0, 5]),
        linewidth=rng.choice([80, 80, 80, 40, 120, 10]),
    )


def as_torch(array: np.ndarray) -> Any:
    return (
        torch.from_numpy(array.copy())
        if array.ndim
        else torch.tensor(array.item(), dtype=getattr(torch, str(array.dtype)))
    )


def check(array: np.ndarray, style: Style, tracked: str) -> None:
    """Compare one print; `tracked` is "", "leaf" (requires_grad=True) or "result" (grad_fn=<…>)."""
    tensor = as_torch(array)
    grad_fn = None
    if tracked:
        tensor.requires_grad_()
    if tracked == "result":
        tensor = tensor * 1
        grad_fn = tensor.grad_fn.name()
    torch.set_printoptions(**style._asdict())
    expected = repr(tensor).replace("torch.", "")
    printed = format_tensor(array, grad_fn=grad_fn, requires_grad=bool(tracked), style=style)
    assert printed == expected, f"{array.dtype} {array.shape} {style} {tracked}"


@pytest.mark.parametrize("seed", range(10))
def test_random_arrays_print_alike(seed: int) -> None:
    rng = random.Random(seed)
    for case in range(300):
        array = random_array(rng)
        tracked = rng.choice(["", "leaf", "result"]) if array.dtype.kind == "f" else ""
        # Every other array is printed with the settings that nearly everyone uses.
        check(array, Style() if case % 2 else random_style(rng), tracked)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("exponent", range(-8, 12))
def test_the_limits_of_the_notations(dtype: str, exponent: int) -> None:
    for mantissa in (1.0, 1.5, 9.9995, 9.99995, 9.999999):
        with np.errstate(over="ignore"):
            one = np.array([mantissa * 10.0**exponent]).astype(dtype)
            pair = np.array([mantissa * 10.0**exponent, 1.0]).astype(dtype)
        for array in (one, -one, pair, one[0], np.nextafter(one, 0), np.nextafter(pair, 0)):
            check(np.asarray(array), Style(), "")


def test_every_width_of_row_wraps_alike() -> None:
    for n in range(1, 60):
        for dtype in ("float32", "float64", "int32"):
            for tracked in ("", "leaf", "result") if dtype != "int32" else ("",):
                check(np.full((2, n), 7, dtype), Style(), tracked)
                check(np.full(n, 7, dtype) * (1.5 if dtype != "int32" else 1), Style(), tracked)
