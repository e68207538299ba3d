"""Vectors of the native code, operation by operation: NumPy's results, to the bit."""

from __future__ import annotations

import math
import operator
import os
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gradcli.engine.native.builder import VectorBuilder
from gradcli.engine.native.processor import MachineCode, compiler_version, host, missing, object_code
from tests.native_support import ArrayFunction, module_text, other_processors, same_bits

FLOATS = [np.float32, np.float64]
INTEGERS = [np.int8, np.int16, np.int32, np.int64, np.uint8]
NUMBERS = FLOATS + INTEGERS
TYPES = [np.bool_, *NUMBERS]


def numbers(dtype: Any, count: int = 1003, seed: int = 0) -> np.ndarray:
    """Of every size, the special ones among them."""
    rng = np.random.default_rng(seed)
    dtype = np.dtype(dtype)
    if dtype.kind == "b":
        return rng.random(count) < 0.5
    if dtype.kind != "f":
        limits = np.iinfo(dtype)
        wide = rng.integers(limits.min, limits.max, count, dtype, endpoint=True)
        special = [0, 1, 2, limits.min, limits.max, limits.min + 1, limits.max - 1, 7]
        small = rng.integers(max(limits.min, -9), 9, count).astype(dtype)
    else:
        limits = np.finfo(dtype)
        wide = np.ldexp(rng.standard_normal(count), rng.integers(limits.minexp - 20, limits.maxexp - 3, count)).astype(
            dtype
        )
        special = [
            0.0,
            -0.0,
            np.inf,
            -np.inf,
            np.nan,
            limits.max,
            limits.tiny,
            limits.smallest_subnormal,
            0.5,
            1.5,
            2.5,
        ]
        small = (rng.integers(-99, 99, count) / 4).astype(dtype)
    x = np.where(rng.random(count) < 0.5, wide, small)
    places = rng.integers(0, count, count // 4)
    x[places] = rng.choice(np.array(special, dtype), len(places))
    return x


def check(body: Callable[..., Any], expected: Callable[..., Any], *operands: np.ndarray, lanes: int = 16) -> None:
    got = ArrayFunction(body, *(x.dtype for x in operands), lanes=lanes)(*operands)
    with np.errstate(all="ignore"):
        wanted = np.asarray(expected(*operands))
    assert got.dtype == wanted.dtype
    assert same_bits(got, wanted), [
        (*(x[i] for x in operands), got[i], wanted[i]) for i in np.flatnonzero(got != wanted)[:5]
    ]


@pytest.mark.parametrize("dtype", NUMBERS)
def test_arithmetic_and_comparisons(dtype: Any) -> None:
    x, y = numbers(dtype), numbers(dtype, seed=1)
    for name in ("add", "sub", "mul", "lt", "le", "gt", "ge", "eq", "ne"):
        apply = getattr(operator, name)
        check(lambda v, a, b, f=apply: f(a, b), apply, x, y)
    check(lambda v, a: 3 - a * 2 + 1, lambda a: (3 - a * 2 + 1).astype(dtype), x)
    check(lambda v, a: -a, lambda a: np.negative(a), x)


def floor_quotient(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """NumPy's where it is large; below that NumPy may be 1 off."""
    result = np.where(y == 0, x / y, np.floor_divide(x, y))
    for i in np.flatnonzero(np.isfinite(x) & (np.abs(x / y) < 2.0 ** np.finfo(x.dtype).nmant) & (result != 0)):
        if np.isfinite(y[i]):
            result[i] = math.floor(Fraction(float(x[i])) / Fraction(float(y[i])))
    return result


@pytest.mark.parametrize("dtype", FLOATS)
def test_quotients_of_floats(dtype: Any) -> None:
    x, y = numbers(dtype, 20_003), numbers(dtype, 20_003, seed=1)
    check(lambda v, a, b: a / b, np.divide, x, y)
    check(lambda v, a: 2 / a, lambda a: 2 / a, x)
    check(lambda v, a, b: v.fmod(a, b), np.fmod, x, y)
    check(lambda v, a, b: a % b, np.remainder, x, y)
    check(lambda v, a, b: a // b, floor_quotient, x, y)
    y = np.nan_to_num(y / 2048, posinf=1, neginf=-3)
    near = (y * np.random.default_rng(2).integers(-999, 999, 20_003)).astype(dtype)
    check(lambda v, a, b: a % b, np.remainder, near, y)
    check(lambda v, a, b: a // b, floor_quotient, near, y)


@pytest.mark.parametrize("dtype", INTEGERS)
def test_quotients_of_integers(dtype: Any) -> None:
    x, y = numbers(dtype), numbers(dtype, seed=1)
    check(lambda v, a, b: a // b, np.floor_divide, x, y)
    check(lambda v, a, b: a % b, np.remainder, x, y)
    check(lambda v, a, b: v.fmod(a, b), np.fmod, x, y)


@pytest.mark.parametrize("dtype", [np.bool_, *INTEGERS])
def test_bits(dtype: Any) -> None:
    x, y = numbers(dtype), numbers(dtype, seed=1)
    check(lambda v, a, b: a & b, np.bitwise_and, x, y)
    check(lambda v, a, b: a | b, np.bitwise_or, x, y)
    check(lambda v, a, b: a ^ b, np.bitwise_xor, x, y)
    check(lambda v, a: ~a, np.invert, x)
    if dtype is not np.bool_:
        check(lambda v, a, b: a << b, np.left_shift, x, y)
        check(lambda v, a, b: a >> b, np.right_shift, x, y)
        check(lambda v, a: (a << 3) >> 2, lambda a: (a << dtype(3)) >> dtype(2), x)


@pytest.mark.parametrize("dtype", FLOATS)
def test_functions_of_the_processor(dtype: Any) -> None:
    x, y, z = numbers(dtype), numbers(dtype, seed=1), numbers(dtype, seed=2)
    for name in ("floor", "ceil", "trunc", "rint", "sqrt"):
        check(lambda v, a, n=name: getattr(v, n)(a), getattr(np, name), x)
    check(lambda v, a: v.abs(a), np.abs, x)
    check(lambda v, a, b: v.copysign(a, b), np.copysign, x, y)
    check(lambda v, a: v.bits(v.bits(a) ^ 1, a.dtype), lambda a: (a.view(f"i{a.itemsize}") ^ 1).view(a.dtype), x)
    check(lambda v, a: v.clamp(a, -1.5, 2), lambda a: np.clip(a, dtype(-1.5), dtype(2)), x)
    moderate = np.isfinite(x) & np.isfinite(y) & np.isfinite(z)
    a, b, c = x[moderate], y[moderate], z[moderate]
    fused = ArrayFunction(lambda v, a, b, c: v.fma(a, b, c), dtype, dtype, dtype)(a, b, c)
    for i in range(0, len(a), 3):
        exact = _exact_fma(float(a[i]), float(b[i]), float(c[i]), dtype)
        assert fused[i] == exact


def _exact_fma(a: float, b: float, c: float, dtype: Any) -> Any:
    exact = Fraction(a) * Fraction(b) + Fraction(c)
    if dtype is np.float32:
        place = max(math.floor(math.log2(abs(exact))) if exact else 0, np.finfo(dtype).minexp) - np.finfo(dtype).nmant
        exact = round(exact / Fraction(2) ** place) * Fraction(2) ** place
    with np.errstate(over="ignore"):
        try:
            return dtype(float(exact))
        except OverflowError:
            return dtype(math.inf if exact > 0 else -math.inf)


@pytest.mark.parametrize("dtype", NUMBERS)
def test_choices(dtype: Any) -> None:
    x, y = numbers(dtype), numbers(dtype, seed=1)
    check(lambda v, a, b: v.maximum(a, b), lambda a, b: np.where((a > b) | (a != a), a, b), x, y)
    check(lambda v, a, b: v.minimum(a, b), lambda a, b: np.where((a < b) | (a != a), a, b), x, y)
    check(lambda v, a, b: v.select(a > b, a, 1), lambda a, b: np.where(a > b, a, dtype(1)), x, y)
    check(lambda v, a: v.abs(a), np.abs, x)
    got = ArrayFunction(lambda v, a, b: v.maximum(a, b), dtype, dtype)(x, y)
    assert np.array_equal(got, np.maximum(x, y), equal_nan=dtype in FLOATS)


@pytest.mark.parametrize("to", [*TYPES, np.uint16, np.uint32, np.uint64])
@pytest.mark.parametrize("dtype", TYPES)
def test_casts(dtype: Any, to: Any) -> None:
    x = numbers(dtype, 3003)
    if dtype in FLOATS and np.dtype(to).kind in "iu":
        limits = np.iinfo(to)
        edges = [
            limits.min,
            limits.max,
            limits.min - 0.75,
            limits.max + 0.75,
            limits.max + 1,
            2.0**31,
            -(2.0**31),
            2.0**63,
        ]
        x[:99] = np.resize(np.array(edges, dtype), 99)
        inside = np.isfinite(x) & (np.trunc(x) >= limits.min) & (np.trunc(x) < float(limits.max) + 1)
        got = ArrayFunction(lambda v, a: v.cast(a, np.dtype(to)), dtype)(x)
        assert np.array_equal(got[inside], x[inside].astype(to))
        # Beyond the range: the smallest number of the type that the processor converts to, or its lower bits.
        if to in (np.int32, np.int64):
            assert np.all(got[~inside] == limits.min)
    else:
        check(lambda v, a: v.cast(a, np.dtype(to)), lambda a: a.astype(to), x)


@pytest.mark.parametrize("lanes", [1, 4, 8, 16, 32])
def test_numbers_of_lanes_and_processors(lanes: int) -> None:
    x, y = numbers(np.float32), numbers(np.float64)

    def body(v: VectorBuilder, a: Any, b: Any) -> Any:
        wide = v.cast(a, np.dtype(np.float64))
        return v.select(v.cast(b, np.dtype(np.int8)) > 3, wide % 1.7, v.fma(wide, b, 0.1))

    wanted = ArrayFunction(body, np.float32, np.float64, lanes=16)(x, y)
    for processor in (None, *other_processors()):
        got = ArrayFunction(body, np.float32, np.float64, lanes=lanes, processor=processor)(x, y)
        assert same_bits(got, wanted)


def test_a_value_is_written_once() -> None:
    v = VectorBuilder(8)
    x, y = v.value("%x", np.dtype(np.float32)), v.value("%y", np.dtype(np.float32))
    assert (x + y * 2) is (x + y * 2)
    assert len(v.lines) == 2
    assert (x % y) is (x % y)
    with v.scope():
        inside = x - y
        assert inside is (x - y)
    assert inside is not (x - y)


def test_integers_of_both_signs_are_the_same_value() -> None:
    signed, unsigned = np.dtype(np.int8), np.dtype(np.uint8)

    def body(v: VectorBuilder, a: Any, b: Any) -> Any:
        low = (a + b) < 0
        high = (v.cast(a, unsigned) + v.cast(b, unsigned)) > 200
        return v.select(low, v.cast(high, signed), 5)

    x, y = numbers(np.int8), numbers(np.int8, seed=1)
    check(body, lambda a, b: np.where(a + b < 0, ((a + b).view(np.uint8) > 200).astype(np.int8), np.int8(5)), x, y)


def test_lanes_without_a_number_do_no_harm() -> None:
    """Those beyond the end of the data, of a load that leaves them out, may be anything."""

    def body(v: VectorBuilder, a: Any, n: Any) -> Any:
        def half(x: Any) -> Any:
            lanes = ", ".join(f"i1 {'true' if i < 8 else 'false'}" for i in range(16))
            return v.emit(f"select <16 x i1> <{lanes}>, {x.typed}, {x.type} poison", x.dtype)

        whole = half(n)
        return v.log(half(a)) + v.erf(half(a)) + v.cast(whole % whole + whole // whole, np.dtype(np.float64))

    x, n = np.linspace(1, 2, 32), np.arange(1, 33, dtype=np.int64)
    got = ArrayFunction(body, np.float64, np.int64)(x, n)
    wanted = ArrayFunction(lambda v, a: v.log(a) + v.erf(a) + 1, np.float64)(x)
    for start in (0, 16):
        assert np.array_equal(got[start : start + 8], wanted[start : start + 8])


def test_types_do_not_mix_without_a_cast() -> None:
    v = VectorBuilder(8)
    x, n = v.value("%x", np.dtype(np.float32)), v.value("%n", np.dtype(np.int32))
    for wrong in (lambda: x + n, lambda: x & x, lambda: n / n, lambda: v.value("%b", np.dtype(bool)) + 1):
        with pytest.raises(TypeError):
            wrong()
    with pytest.raises(ValueError, match=r"1\.5 is no int32"):
        n + 1.5
    with pytest.raises(TypeError, match="no vectors of float16"):
        v.load("%p", np.dtype(np.float16))


def test_machine_code_is_bytes_that_can_be_loaded_again() -> None:
    assert missing() is None
    assert host().name
    assert int(compiler_version().split(".")[0]) >= 20
    text, _ = module_text(lambda v, a: a * 3, [np.float32], 8)
    code = object_code(text)
    assert code == object_code(text)
    first, again = MachineCode(code), MachineCode(bytes(code))
    assert first.address("loop") != again.address("loop")
    with pytest.raises(KeyError):
        first.address("nothing")
    with pytest.raises(ValueError, match="LLVM refuses the code"):
        object_code("define void @loop() {")


@pytest.mark.parametrize(
    ("package", "reason"),
    [
        ("raise OSError('libLLVM is broken')", "llvmlite fails: libLLVM is broken"),
        ("raise ModuleNotFoundError('no llvmlite')", "llvmlite is not installed"),
        ("__version__ = '0.44.0'", "llvmlite fails: version 0.44.0 is too old, 0.45 is needed"),
    ],
)
def test_what_is_wrong_with_llvmlite_is_said(tmp_path: Path, package: str, reason: str) -> None:
    (tmp_path / "llvmlite").mkdir()
    (tmp_path / "llvmlite/__init__.py").write_text(package)
    (tmp_path / "llvmlite/binding.py").write_text("llvm_version_info = (15, 0, 7)")
    script = "from gradcli.engine.native.processor import host, missing\nprint(missing())\nhost()"
    path = f"{tmp_path}{os.pathsep}{Path(__file__).parents[1]}"
    done = subprocess.run(
        [sys.executable, "-c", script], env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True
    )
    assert done.stdout == f"{reason}\n"
    assert f"WorkError: no machine code: {reason}\nhint: pip install" in done.stderr
