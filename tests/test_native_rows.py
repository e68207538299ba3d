"""The native forms of rows: each against the formula that its block kernel is held against, and in passes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from gradcli.engine.native.lowering import DTYPES
from gradcli.engine.native.processor import missing
from gradcli.graph.native_forms import NativeChecked
from gradcli.graph.op import OPS, Op
from gradcli.ops.blocking import aligned
from gradcli.ops.kernels.one_text import FormKernel
from tests.kernel_formulas import FORMULAS, WIDE
from tests.native_support import ArrayFunction, same_bits
from tests.test_block_kernels import EXPONENTS, TRIALS, Trial, combined, distance, judge, shown, special

pytestmark = pytest.mark.skipif(missing() is not None, reason="llvmlite is not installed")

#: Rows that are not native, with the reason.
NOT_NATIVE = {
    "_operand": "float16 is converted by NumPy",
    "_whole_numbers": "refuses what is no whole number",
    "_checked": "refuses what is no probability",
    "polygamma": "ten powers of any order",
    "mvlgamma": "several of lgamma",
    **dict.fromkeys(("sinc", "_sinc_slope"), "one of two expansions, by size"),
    **dict.fromkeys(("i0", "i0e", "i1", "i1e", "_bessel_i"), "one of two series, with a hundred terms"),
    **dict.fromkeys(("erfcx", "_erfcx", "log_ndtr"), "a continued fraction of a hundred steps"),
    **dict.fromkeys(("ndtri", "erfinv"), "one of three quotients of polynomials"),
    **dict.fromkeys(("nextafter", "_next_half"), "the bits as integers"),
    **dict.fromkeys(("gcd", "lcm"), "as many steps as Euclid takes"),
    "frexp": "two results of different types",
}
#: What integers need a known number for: a kernel may have something to say about others.
NUMBERS = {"pow", "floor_divide", "_div_floor", "_div_trunc", "remainder", "fmod"}


def form_of(op: Op, params: dict[str, Any], numbers: dict[int, float] | None = None) -> Any:
    """A row's native form with its parameters; some operands are known numbers."""
    known = numbers or {}

    def form(v: Any, *values: Any) -> Any:
        given = [x.known(known[k]) if k in known else x for k, x in enumerate(values)]
        form = op.native.form if isinstance(op.native, NativeChecked) else op.native
        return form(v, *given, **params)

    return form


def native_trials() -> list[Trial]:
    return [
        trial
        for trial in TRIALS
        if trial.op.name not in NOT_NATIVE
        and all(np.dtype(d) in DTYPES for d in trial.dtypes)
        and np.dtype(trial.params.get("dtype", "float32")) in DTYPES
        and trial.params.get("reduction", "none") == "none"
        # A negative one is refused.
        and not trial.params.get("variance", False)
        and not (trial.op.name in NUMBERS and np.dtype(trial.dtypes[-1]).kind in "iu")
    ]


@pytest.mark.parametrize("trial", native_trials(), ids=str)
def test_formula(trial: Trial) -> None:
    arrays = combined(trial)
    got = ArrayFunction(form_of(trial.op, trial.params), *trial.dtypes)(*arrays)
    wrong = judge(FORMULAS[trial.op.name], trial, got, arrays)
    assert not np.any(wrong), shown(wrong, got, arrays)


# Rows whose kernel is a function of NumPy -----------------------------------------------------------------------------

#: Rounded once, or not at all: the same bits.
EXACT = [
    *("_scaled", "_times", "add", "_plus", "sub", "_minus", "mul", "div", "_over", "neg", "abs", "sqrt", "reciprocal"),
    *("detach", "_alias", "_apart", "eq", "ne", "lt", "le", "gt", "ge", "isnan", "isinf", "isfinite"),
    *("signbit", "isposinf", "isneginf"),
    *("bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_not", "bitwise_left_shift", "bitwise_right_shift"),
    *("logical_and", "logical_or", "logical_xor", "logical_not"),
]
#: Within so many units in the last place of the exact function.
ELEMENTARY = {
    **dict.fromkeys(("exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sin", "cos", "tan", "asin", "acos"), 1),
    **dict.fromkeys(("atan", "atan2"), 1),
    **dict.fromkeys(("sinh", "cosh", "tanh", "asinh", "acosh", "atanh"), 2),
}


def dtypes_of(op: Op) -> list[str]:
    floats = [] if op.dtype_rule in ("integral", "logical") else ["float32", "float64"]
    whole = op.name != "_over" and op.dtype_rule in ("promote", "number", "integral", "bool")
    integers = ["int8", "uint8", "int16", "int32", "int64"] if whole else []
    booleans = ["bool"] if whole and op.dtype_rule != "number" or op.dtype_rule == "logical" else []
    if op.symbol in ("<<", ">>"):
        booleans = []
    return floats + integers + booleans


def pairs(op: Op, dtype: str) -> list[np.ndarray]:
    """All special values, or all pairs of them, and others."""
    rng = np.random.default_rng(len(op.name))
    count = len(op.signature.required)
    values = np.array([0, 1, -1, -7, 32767, -32768], "int16") if dtype == "int16" else special(dtype)
    grid = np.meshgrid(*[values] * count, indexing="ij")
    wide = [rng.normal(size=2000) * 10.0 ** rng.integers(-2, 3, 2000) for _ in range(count)]
    more = [x > 0 if dtype == "bool" else np.rint(x).clip(-99, 99).astype(dtype) for x in wide]
    if np.dtype(dtype).kind == "f":
        more = [x.astype(dtype) for x in wide]
    return [np.concatenate([g.ravel(), x]) for g, x in zip(grid, more, strict=True)]


@pytest.mark.parametrize("name,dtype", [(name, dtype) for name in EXACT for dtype in dtypes_of(OPS[name])])
def test_exact(name: str, dtype: str) -> None:
    op = OPS[name]
    arrays = pairs(op, dtype)
    got = ArrayFunction(form_of(op, {}), *[dtype] * len(arrays))(*arrays)
    with np.errstate(all="ignore"):
        expected = op.kernel(*arrays)
    assert same_bits(got, expected), shown(got != expected, got, arrays)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ELEMENTARY)
def test_elementary(name: str, dtype: str) -> None:
    op = OPS[name]
    arrays = pairs(op, dtype)
    got = ArrayFunction(form_of(op, {}), *[dtype] * len(arrays))(*arrays)
    with np.errstate(all="ignore"):
        off = distance(got, op.kernel(*[x.astype(WIDE[dtype]) for x in arrays]))
    assert np.max(off) <= ELEMENTARY[name] + 0.01, shown(off > ELEMENTARY[name] + 0.01, got, arrays)


# Rows with one text for both ------------------------------------------------------------------------------------------

#: What those with parameters are tried with.
TRIED: dict[str, dict[str, Any]] = {
    "nan_to_num": {"nan": 1.0, "posinf": 2.0, "neginf": 3.0},
    "isclose": {"rtol": 1e-5, "atol": 1e-8, "equal_nan": True},
    **dict.fromkeys(("addcmul", "addcdiv"), {"value": 3}),
    "celu": {"alpha": 0.7},
    **dict.fromkeys(("softshrink", "hardshrink"), {"lambd": 0.5}),
    "threshold": {"threshold": 1, "value": 2},
    "rrelu": {"slope": 0.2},
    "logit": {"eps": 0.1},
}
ONE_TEXT = sorted(op.name for op in {*OPS.values()} if isinstance(op.kernel, FormKernel))


@pytest.mark.parametrize("name,dtype", [(name, dtype) for name in ONE_TEXT for dtype in dtypes_of(OPS[name])])
def test_one_text_for_both(name: str, dtype: str) -> None:
    op, params = OPS[name], TRIED.get(name, {})
    arrays = pairs(op, dtype)
    arrays = arrays[: len(op.signature.required) - (name == "threshold") * 2]
    with np.errstate(all="ignore"):
        got = ArrayFunction(form_of(op, params), *[dtype] * len(arrays))(*arrays)
        expected = op.kernel(*arrays, **params)
    assert got.dtype == expected.dtype
    if expected.dtype.kind != "f":
        assert np.array_equal(got, expected), shown(got != expected, got, arrays)
    else:
        eps = float(np.finfo(expected.dtype).eps)
        np.testing.assert_allclose(got, expected, rtol=8 * eps, atol=2 * eps)


# Numbers of the expression --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_powers_to_a_number(dtype: str) -> None:
    """In the steps of the kernel where it has some, which are exact at their special points."""
    op, x = OPS["pow"], pairs(OPS["neg"], dtype)[0]
    for exponent in EXPONENTS:
        y = np.asarray(exponent, dtype)
        got = ArrayFunction(form_of(op, {}, {1: y.item()}), dtype, dtype)(x, np.broadcast_to(y, x.shape))
        with np.errstate(all="ignore"):
            expected = op.kernel(x, y)
            off = distance(got, np.power(x.astype(WIDE[dtype]), y.astype(WIDE[dtype])))
        if exponent in (0, 1, 2, 3, 4, -1, -2, -3, 0.5, -0.5, 1.5, -1.5):
            assert same_bits(got, expected), exponent
        else:
            assert np.max(off) <= 1.01, exponent


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "int64"])
@pytest.mark.parametrize("name", sorted(NUMBERS))
def test_integers_and_a_number(name: str, dtype: str) -> None:
    op, x = OPS[name], pairs(OPS["neg"], dtype)[0]
    for number in (1, 2, 3, 7, 100, *((0,) if name == "pow" else (-1, -2, -7) if dtype[0] == "i" else ())):
        y = np.asarray(number, dtype)
        got = ArrayFunction(form_of(op, {}, {1: number}), dtype, dtype)(x, np.broadcast_to(y, x.shape))
        with np.errstate(all="ignore"):
            expected = op.kernel(x, y)
        inside = (x != np.iinfo(dtype).min) | (number != -1) | (name != "_div_trunc")
        assert np.array_equal(got[inside], expected[inside]), number
    if name != "pow":
        with pytest.raises(NotImplementedError):
            ArrayFunction(form_of(op, {}, {1: 0}), dtype, dtype)
    with pytest.raises(NotImplementedError):
        ArrayFunction(form_of(op, {}), dtype, dtype)


@pytest.mark.parametrize("name", ["maximum", "minimum", "clamp_min", "clamp_max", "_clamp_min", "_clamp_max"])
def test_zeros_keep_their_sign_beside_a_number(name: str) -> None:
    x = np.array([0.0, -0.0, np.nan, np.inf, -np.inf, 1.5, -2.5] * 5, "float32")
    for number in (0.0, -0.0, 1.0, math.inf, math.nan):
        y = np.asarray(number, "float32")
        got = ArrayFunction(form_of(OPS[name], {}, {1: number}), "float32", "float32")(x, np.broadcast_to(y, x.shape))
        assert same_bits(got, OPS[name].kernel(x, y)), number


# Which there are ------------------------------------------------------------------------------------------------------


def test_every_elementwise_row_is_native_or_has_a_reason() -> None:
    tried = {trial.op.name for trial in native_trials()} | {*EXACT, *ELEMENTARY, *NUMBERS, *ONE_TEXT}
    rows = {op.name for op in OPS.values() if op.kernel is not None and op.blocking.follow is aligned}
    assert rows - {"expand"} == tried | set(NOT_NATIVE)
    assert not tried & set(NOT_NATIVE)
    for name in NOT_NATIVE:
        with pytest.raises((AttributeError, TypeError)):
            ArrayFunction(form_of(OPS[name], {}), "float32")
