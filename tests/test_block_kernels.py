"""Block kernels, `into(out, *arrays, **params)`: against plain formulas in wider types, and their kernels' own bits.

The plain kernel of most rows is made of the block kernel, so that both are held against the formulas of
`kernel_formulas`: the same bits, or so many units in the last place.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pytest

import gradcli.ops  # noqa: F401
from gradcli.errors import GradcliError
from gradcli.graph.op import OPS, Op
from gradcli.ops.kernels import picking
from gradcli.ops.kernels.inplace import scratches
from gradcli.ops.kernels.running import running
from tests.kernel_formulas import FORMULAS, WIDE, Formula

# Those whose results are as many as their operands; contractions have tests of their own.
ROWS = sorted(
    {op for op in OPS.values() if op.into is not None and op.family in ("elementwise", "loss")}, key=lambda op: op.name
)
# No kernel computes in float16; it is converted.
FLOATS = ("float32", "float64")
INTEGERS = ("int8", "uint8", "int32", "int64", "uint64")

# How many arrays, where that is not the number of arguments without a default.
ARITY = {
    "_cast": 1,
    "_operand": 1,
    "to": 1,
    "clamp": 3,
    "_hardtanh": 2,
    "masked_fill": 2,
    "rsub": 2,
    "mse_loss": 2,
    "huber_loss": 2,
    "smooth_l1_loss": 2,
    "polygamma": 1,
}
# The parameters that rows are tried with, and the dtypes of their arrays, where these are not those of the row's rule.
NONE = {"reduction": "none"}
PARAMS: dict[str, list[dict[str, Any]]] = {
    "_cast": [{"dtype": np.dtype(d)} for d in ("bool", "uint8", "int64", "float16", "float32", "float64")],
    "_operand": [{"dtype": np.dtype("float16")}],
    "to": [{"dtype": np.dtype(d)} for d in ("float32", "int32")],
    "round": [{"decimals": d} for d in (0, 2, -1, 40)],
    "masked_fill": [{"value": v} for v in (0.0, 2.0)],
    "leaky_relu": [{"negative_slope": s} for s in (0.01, 0.0, 1.0, 1.5, -0.3)],
    "_leaky_relu": [{"negative_slope": s} for s in (0.01, 0.0, -0.3)],
    "_hardtanh": [{"low": -1.0, "high": 1.0}, {"low": 0.0, "high": 6.0}],
    "hardtanh": [{"min_val": 0.0, "max_val": 6.0}, {"min_val": 0.5, "max_val": 300.0}],
    "elu": [{"alpha": 1.0, "scale": 1.0}, {"alpha": 0.3, "scale": 1.0}, {"alpha": 1.6732632, "scale": 1.0507009}],
    "_elu_slope": [{"low": 1.0, "high": 0.0, "closed": False}, {"low": 0.3, "high": 2.0, "closed": True}],
    "softplus": [{"beta": 1.0, "threshold": 20.0}, {"beta": 2.0, "threshold": 5.0}],
    "gelu": [{"approximate": "none"}, {"approximate": "tanh"}],
    "polygamma": [{"n": 1}, {"n": 2}],
    "mse_loss": [NONE, {"reduction": "sum"}],
    "_floored": [{"least": least, "variance": variance} for least in (1e-6, 0.5) for variance in (True, False)],
    "huber_loss": [{**NONE, "delta": d} for d in (1.0, 0.3, math.inf)],
    "smooth_l1_loss": [{**NONE, "beta": b} for b in (1.0, 0.3)],
    "binary_cross_entropy_with_logits": [
        {**NONE, "weighted": False, "pos_weighted": False},
        {**NONE, "weighted": True, "pos_weighted": True},
        {"reduction": "mean", "weighted": False, "pos_weighted": False},
    ],
}
ONLY_FLOATS = {
    "_threshold",
    "_leaky_relu",
    "_hardtanh",
    "mse_loss",
    "huber_loss",
    "smooth_l1_loss",
    "binary_cross_entropy_with_logits",
}
CONVERSIONS = {"_cast", "_operand", "to"}
DIVISIONS = {"floor_divide", "_div_floor", "_div_trunc", "remainder", "fmod"}


class Trial(NamedTuple):
    """A row with its parameters and the dtypes of its arrays."""

    op: Op
    params: dict[str, Any]
    dtypes: tuple[str, ...]

    def __str__(self) -> str:
        shown = ",".join(f"{k}={v}" for k, v in self.params.items())
        return f"{self.op.name}({shown})-{self.dtypes[-1]}"

    def kernel(self, arrays: list[Any]) -> Any:
        assert self.op.kernel is not None
        with np.errstate(all="ignore"):
            return np.asarray(self.op.kernel(*arrays, **self.params))

    def into(self, out: Any, arrays: list[Any]) -> None:
        assert self.op.into is not None
        with np.errstate(all="ignore"):
            self.op.into(out, *arrays, **self.params)


def _dtypes(op: Op) -> tuple[str, ...]:
    if op.dtype_rule == "float" or op.name in ONLY_FLOATS:
        return FLOATS
    if op.dtype_rule == "number":
        return (*FLOATS, *INTEGERS)
    return (*FLOATS, *INTEGERS, "bool", *(["float16"] if op.name in CONVERSIONS else []))


def _arity(op: Op, params: dict[str, Any]) -> int:
    if "weighted" in params:
        return 2 + params["weighted"] + params["pos_weighted"]
    return ARITY.get(op.name, len(op.signature.required))


def trials() -> Iterator[Trial]:
    for op in ROWS:
        for params in PARAMS.get(op.name, [{}]):
            for dtype in _dtypes(op):
                dtypes = (dtype,) * _arity(op, params)
                yield Trial(op, params, ("bool", *dtypes[1:]) if op.dtype_rule == "select" else dtypes)


TRIALS = list(trials())

# Values ---------------------------------------------------------------------------------------------------------------


def special(dtype: str) -> np.ndarray:
    """Where functions change: zeros of both signs, ties, ends of the type, infinities, NaN."""
    if dtype == "bool":
        return np.array([False, True])
    if dtype in INTEGERS:
        info = np.iinfo(dtype)
        return np.array(
            [0, 1, 2, 3, 7, 100, info.max, info.max - 1, info.min, *([-1, -2, -7] if info.min else [])], dtype
        )
    info = np.finfo(dtype)
    small = [info.smallest_subnormal, info.tiny, info.eps, 0.25, 0.5, 1, 1 + info.eps, 1.5, 2, 2.5, 3, 5.7, 7, 14.25]
    large = [20, 20.5, 38, 88.5, 103, 710, 745, 2.0**12, 2.0**12 + 1, 2.0**26, 2.0**53, info.max / 4, info.max, np.inf]
    with np.errstate(over="ignore"):
        sizes = np.array([0.0, *small, *large, np.nan]).astype(dtype)
    return np.concatenate([sizes, -sizes])


def combined(trial: Trial) -> list[np.ndarray]:
    """All pairs of special values, or as many of several, and then random ones."""
    rng = np.random.default_rng(len(str(trial)))
    values = [special(d) for d in trial.dtypes]
    if len(values) <= 2:
        columns = [g.ravel() for g in np.meshgrid(*values, indexing="ij")]
    else:
        columns = [rng.choice(v, 4000) for v in values]
    return _valid(trial, [np.concatenate([c, drawn(rng, d, 3000)]) for c, d in zip(columns, trial.dtypes, strict=True)])


def drawn(rng: np.random.Generator, dtype: str, size: Any) -> np.ndarray:
    """Numbers of both signs and of several sizes."""
    if dtype == "bool":
        return rng.random(size) < 0.5
    if dtype in INTEGERS:
        return rng.integers(0 if dtype[0] == "u" else -100, 100, size).astype(dtype)
    scale = 10.0 ** rng.integers(-2, 3, size)
    return (rng.normal(size=size) * scale).astype(dtype)


def _valid(trial: Trial, arrays: list[np.ndarray]) -> list[np.ndarray]:
    """Without what kernels refuse, or the processor: zero as integer divisor, negative integer exponents, min // -1."""
    name = trial.op.name
    if arrays[-1].dtype.kind in "iu" and name in DIVISIONS:
        arrays[1] = np.where(arrays[1] == 0, 3, arrays[1]).astype(arrays[1].dtype)
        arrays[0] = np.maximum(arrays[0], np.iinfo(arrays[0].dtype).min + 1)
    if arrays[-1].dtype.kind in "iu" and name == "pow":
        arrays[1] = np.where(arrays[1] > 5, 5, np.maximum(arrays[1], 0)).astype(arrays[1].dtype)
    if "weighted" in trial.params:
        # The formula's products do not overflow or vanish on the way.
        arrays = [np.where(np.abs(a) < 0.1, 0, np.clip(a, -5, 5)).astype(a.dtype) for a in arrays]
    if name == "_cross_entropies":
        arrays[0] = np.clip(np.nan_to_num(np.abs(arrays[0])), 0, 1)
        arrays[1] = np.clip(arrays[1], -5, 5)
    if trial.params.get("variance"):
        arrays[0] = np.abs(arrays[0])
    if name in CONVERSIONS and trial.params["dtype"].kind in "biu":
        # What does not fit is up to the processor.
        arrays[0] = np.clip(np.nan_to_num(arrays[0].astype(np.float64)), 0, 100).astype(arrays[0].dtype)
    return arrays


# Comparison -----------------------------------------------------------------------------------------------------------


def same_bits(got: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Where two arrays agree in every bit; a NaN is a NaN."""
    if got.dtype.kind != "f":
        return got == expected
    return np.where(np.isnan(expected), np.isnan(got), (got == expected) & (np.signbit(got) == np.signbit(expected)))


def distance(got: np.ndarray, expected: np.ndarray, scale: Any = 0.0, signed: bool = True) -> np.ndarray:
    """How many units in the last place `got` is off; infinite where one is NaN or a zero has the other sign."""
    info = np.finfo(got.dtype)
    near = expected.astype(got.dtype)
    size = np.fmin(np.fmax(np.abs(near), np.asarray(scale).astype(got.dtype)), info.max)
    # Infinity counts as the next number after the largest.
    beyond = expected.dtype.type(info.max) * (1 + expected.dtype.type(info.epsneg))
    a, b = (np.clip(v.astype(expected.dtype), -beyond, beyond) for v in (got, expected))
    # What follows the largest number is infinity.
    unit = np.where(size > 1, 2 * np.spacing(size / 2), np.spacing(size))
    off = np.abs(a - b) / unit.astype(expected.dtype)
    off = np.where(np.isnan(expected) & np.isnan(got), 0, off)
    return np.where(np.isnan(off) | (signed & (near == 0) & (np.signbit(got) != np.signbit(expected))), np.inf, off)


def shown(wrong: np.ndarray, got: np.ndarray, arrays: list[np.ndarray]) -> str:
    places = np.flatnonzero(wrong)
    cases = "; ".join(f"{[a.ravel()[k] for a in arrays]} gives {got.ravel()[k]!r}" for k in places[:6])
    return f"{len(places)} wrong: {cases}"


# Tests ----------------------------------------------------------------------------------------------------------------


def test_every_block_kernel_has_a_formula_and_parameters() -> None:
    assert {op.name for op in ROWS} == set(FORMULAS)
    for op in ROWS:
        assert op.kernel is not None
        params = [n for n in op.signature.names if n not in op.signature.required]
        assert op.name in PARAMS or not params or op.name in ARITY, f"{op.name} needs parameters to be tried with"


def judge(formula: Formula, trial: Trial, got: np.ndarray, arrays: list[Any]) -> np.ndarray:
    """Where a result is wrong."""
    with np.errstate(all="ignore"):
        expected = np.asarray(formula.function(*arrays, **trial.params))
        if got.dtype.kind != "f" or expected.dtype == got.dtype and formula.ulps == 0:
            wrong = ~same_bits(got, expected)
            return wrong if formula.signed or got.dtype.kind != "f" else wrong & ~((got == 0) & (expected == 0))
        expected = expected.astype(WIDE[got.dtype.name])
        scale = formula.scale(*arrays, **trial.params) if formula.scale is not None else 0.0
        allowed = formula.ulps(*arrays, **trial.params) if callable(formula.ulps) else formula.ulps
        off = distance(got, expected, scale, formula.signed)
        lost = formula.vanishing * np.finfo(got.dtype).tiny
        return (off > allowed + 0.001) & ~(np.abs(got - expected) < lost)


@pytest.mark.parametrize("trial", TRIALS, ids=str)
def test_formula_layouts_and_operands_of_lower_dimension(trial: Trial) -> None:
    _follows_its_formula(trial)
    if trial.params.get("reduction", "none") == "none":
        _goes_with_any_layout(trial)
        _stretches_operands(trial)


def _follows_its_formula(trial: Trial) -> None:
    arrays = combined(trial)
    for got in (trial.kernel(arrays), _into(trial, arrays)):
        wrong = judge(FORMULAS[trial.op.name], trial, got, arrays)
        assert not np.any(wrong), shown(wrong, got, arrays)


def _into(trial: Trial, arrays: list[Any], out: Any = None) -> Any:
    """The result written into an array filled with something else; nothing but `out` may change."""
    before = [a.copy() for a in arrays]
    plain = trial.kernel(arrays)
    out = np.empty(plain.shape, plain.dtype) if out is None else out
    assert out.shape == plain.shape
    out[...] = np.ones((), out.dtype)
    trial.into(out, arrays)
    assert all(a.tobytes() == b.tobytes() for a, b in zip(arrays, before, strict=True))
    return out


# Shapes and layouts ---------------------------------------------------------------------------------------------------

SHAPE = (6, 35)


def _layouts(array: np.ndarray) -> list[np.ndarray]:
    """The same elements in row-major and column-major order, and with gaps in two ways."""
    gaps = np.repeat(np.repeat(array, 2, 0), 3, 1)[::2, ::3]
    return [array, np.asfortranarray(array), gaps, np.ascontiguousarray(array[::-1, ::-1])[::-1, ::-1]]


def _goes_with_any_layout(trial: Trial) -> None:
    rng = np.random.default_rng(7)
    arrays = _valid(trial, [drawn(rng, d, SHAPE) for d in trial.dtypes])
    expected = trial.kernel(arrays)
    forms = [_layouts(a) for a in arrays]
    for k, out in enumerate(_layouts(np.empty_like(expected))):
        for got in (_into(trial, arrays, out), _into(trial, [f[k] for f in forms], out)):
            assert _near(got, expected), trial
        assert _near(trial.kernel([f[k] for f in forms]), expected), trial
    _goes_with_columns(trial, rng)
    # What lies in the gaps of a result is not touched.
    wide = np.full((12, 105), 42, expected.dtype)
    _into(trial, arrays, wide[::2, ::3])
    wide[::2, ::3] = 42
    assert np.all(wide == np.asarray(42).astype(wide.dtype))


def _goes_with_columns(trial: Trial, rng: np.random.Generator) -> None:
    """To columns, and from one to another; they are long enough for NumPy to go through them in vectors."""
    arrays = _valid(trial, [drawn(rng, d, 300) for d in trial.dtypes])
    expected = trial.kernel(arrays)
    columns = [np.repeat(a[:, None], 9, 1)[:, 4] for a in arrays]
    for given in (arrays, columns):
        for before in (0, 1):
            out = np.full((300, 300), before, expected.dtype)[:, 7]
            trial.into(out, given)
            assert _near(out, expected), trial


def test_functions_of_numpy_write_columns() -> None:
    """Those that are kernels as they are, in the precisions that they have."""
    rows = [op for op in OPS.values() if isinstance(op.kernel, np.ufunc) and op.into is None]
    for op in rows:
        for dtype in (*FLOATS, "int64", "bool"):
            if np.dtype(dtype).char * op.kernel.nin in {types.partition("->")[0] for types in op.kernel.types}:
                kernel = op.kernel
                direct = replace(op, into=lambda out, *arrays, kernel=kernel: kernel(*arrays, out=out))
                _goes_with_columns(Trial(direct, {}, (dtype,) * op.kernel.nin), np.random.default_rng(3))


def _near(got: np.ndarray, expected: np.ndarray) -> bool:
    """The same bits, or two units: NumPy has other loops for arrays with gaps, whose exponentials may differ."""
    if got.dtype.kind != "f":
        return got.dtype == expected.dtype and bool(np.all(got == expected))
    with np.errstate(all="ignore"):
        return got.dtype == expected.dtype and bool(np.all(distance(got, expected.astype(WIDE[got.dtype.name])) <= 2))


def _stretches_operands(trial: Trial) -> None:
    rng = np.random.default_rng(11)
    for shapes in _shapes(len(trial.dtypes)):
        drawings = [np.asarray(drawn(rng, d, s)) for d, s in zip(trial.dtypes, shapes, strict=True)]
        arrays = [np.asarray(a) for a in _valid(trial, drawings)]
        common = np.broadcast_shapes(*shapes)
        out = _into(trial, arrays, np.empty(common, trial.kernel(arrays).dtype))
        stretched = [np.ascontiguousarray(np.broadcast_to(a, common)) for a in arrays]
        if trial.op.name != "pow":
            # A single exponent may be a square or a root.
            assert _near(out, trial.kernel(stretched)), (trial, shapes)
        assert _near(out, trial.kernel(arrays)), (trial, shapes)
        assert not np.any(judge(FORMULAS[trial.op.name], trial, out, stretched)), (trial, shapes)


def _shapes(count: int) -> Iterator[tuple[tuple[int, ...], ...]]:
    """Scalars, rows and columns in every place, and empty arrays."""
    small: list[tuple[int, ...]] = [(), (1, 35), (6, 1), (1, 1)]
    yield from (((),) * count, ((0, 35),) * count, ((3,),) * count)
    if count == 1:
        return
    for k in range(count):
        for shape in small:
            yield tuple(shape if k == j else SHAPE for j in range(count))
            yield tuple(SHAPE if k == j else shape for j in range(count))
    yield ((6, 1), (1, 35), *[(1, 1)] * (count - 2))


@pytest.mark.parametrize("trial", [t for t in TRIALS if t.dtypes[-1] == "float32"], ids=str)
def test_many_elements_are_computed_in_pieces(trial: Trial) -> None:
    if trial.params.get("reduction", "none") != "none":
        return
    rng = np.random.default_rng(13)
    arrays = _valid(trial, [drawn(rng, d, (401, 399)) for d in trial.dtypes])
    expected = _into(trial, arrays)
    assert np.array_equal(trial.kernel(arrays), expected, equal_nan=expected.dtype.kind == "f")
    turned = trial.kernel([a.T for a in arrays])
    assert np.array_equal(turned, expected.T, equal_nan=expected.dtype.kind == "f")
    if len(arrays) > 1:
        numbers = [np.asarray(a[0, 0]) for a in arrays[1:]]
        assert _near(trial.kernel([arrays[0], *numbers]), _into(trial, [arrays[0], *numbers]))


# Rows with ways of their own ------------------------------------------------------------------------------------------


EXPONENTS = [
    0,
    1,
    2,
    3,
    4,
    5,
    8,
    31,
    -1,
    -2,
    -3,
    -4,
    -7,
    0.5,
    -0.5,
    1.5,
    -1.5,
    2.5,
    1 / 3,
    -0.1,
    1e30,
    2.0**53,
    math.inf,
    -math.inf,
    math.nan,
]


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("exponent", EXPONENTS)
def test_powers_to_a_number(dtype: str, exponent: float) -> None:
    trial = Trial(OPS["pow"], {}, (dtype, dtype))
    rng = np.random.default_rng(3)
    x = np.concatenate([special(dtype), drawn(rng, dtype, 3000)])
    with np.errstate(all="ignore"):
        y = np.asarray(exponent, dtype)
        wide = WIDE[dtype]
        if abs(exponent) == 0.5:
            # As PyTorch takes these: roots, of minus zero too.
            expected = np.sqrt(x.astype(wide)) ** (1 if exponent > 0 else -1)
        else:
            expected = np.power(x.astype(wide), y.astype(wide))
        off = distance(_into(trial, [x, y]), expected.astype(wide))
        if exponent == -2:
            # Squares that are subnormal or overflow lose what their reciprocals would have.
            tiny = np.finfo(dtype).tiny
            off = np.where((np.abs(expected) < tiny) | (np.abs(x * x) < tiny), 0, off)
    assert np.max(off) <= 2.5, x[off.argmax()]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["floor_divide", "remainder", "fmod"])
def test_quotients_near_whole_numbers(name: str, dtype: str) -> None:
    rng = np.random.default_rng(5)
    trial = Trial(OPS[name], {}, (dtype, dtype))
    y = drawn(rng, dtype, 200_000)
    n = np.rint(10.0 ** rng.uniform(0, 9, len(y))).astype(dtype) * rng.choice([-1, 1], len(y)).astype(dtype)
    with np.errstate(all="ignore"):
        product = n * y
        near = np.nextafter(product, rng.choice([-np.inf, np.inf], len(y)).astype(dtype))
    for x in (product, near, np.nextafter(near, product), np.rint(y * 10)):
        for divisor in (y, np.rint(y), np.asarray(y[0]), np.asarray(3.0, dtype), np.asarray(-0.1, dtype)):
            got = _into(trial, [x, divisor])
            assert not np.any(judge(FORMULAS[name], trial, got, [x, divisor])), (name, divisor)


def test_whole_numbers_as_exponents() -> None:
    trial = Trial(OPS["pow"], {}, ("float64", "float64"))
    x, y = np.linspace(-3, 3, 61)[:, None], np.arange(-4.0, 5.0)
    with np.errstate(all="ignore"):
        expected = np.power(x.astype(np.longdouble), y.astype(np.longdouble))
        off = distance(_into(trial, [x, y]), expected)
    assert np.max(off) <= 2


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_conversion_to_float16(dtype: str) -> None:
    """NumPy's own is exact but slow: at all float16 numbers, half-way between them, and beside both."""
    numbers = np.arange(1 << 16, dtype=np.uint16).view(np.float16).astype(dtype)
    with np.errstate(all="ignore"):
        middles = (numbers[:-1] + numbers[1:]) / 2
        exact = np.concatenate([numbers, middles])
        x = np.concatenate([exact, *(np.nextafter(exact, exact.dtype.type(end)) for end in (-np.inf, np.inf))])
        for arrays in (x, x[::-1], x[:7], x[5]):
            got, expected = _conversion(arrays), arrays.astype(np.float16)
            assert np.all(same_bits(got, expected))


def _conversion(x: Any) -> np.ndarray:
    half = np.dtype(np.float16)
    out = np.empty(np.shape(x), half)
    kernel, into = OPS["_cast"].kernel, OPS["_cast"].into
    assert kernel is not None and into is not None
    into(out, np.asarray(x), dtype=half)
    assert np.all(same_bits(np.asarray(kernel(np.asarray(x), dtype=half)), out))
    return out


def test_integers_that_are_refused() -> None:
    ones = np.ones(3, np.int64)
    for name in sorted(DIVISIONS):
        with pytest.raises(GradcliError, match="division by zero"):
            Trial(OPS[name], {}, ("int64", "int64")).into(ones.copy(), [ones, ones * 0])
    with pytest.raises(GradcliError, match="negative powers"):
        Trial(OPS["pow"], {}, ("int64", "int64")).into(ones.copy(), [ones, -ones])


def test_scratch_arrays_begin_cache_lines_and_are_laid_out_alike() -> None:
    for order in ("C", "F"):
        like = np.empty((300, 70), np.float32, order=order)
        arrays = scratches(like, 3)
        assert all(a.ctypes.data % 64 == 0 and a.strides == like.strides and a.dtype == like.dtype for a in arrays)
        for k, a in enumerate(arrays):
            a[...] = k
        assert [float(a.min()) for a in arrays] == [float(a.max()) for a in arrays] == [0.0, 1.0, 2.0]


def test_a_wrong_result_is_seen() -> None:
    x = np.array([1.0, -0.0, np.nan, np.inf, 3.0], np.float32)
    trial = Trial(OPS["rsqrt"], {}, ("float32",))
    right = trial.kernel([x])
    for k, value in ((0, 1 + 4e-7), (1, np.inf), (2, 0.0), (3, -0.0), (4, np.nan)):
        wrong = right.copy()
        wrong[k] = value
        assert judge(FORMULAS["rsqrt"], trial, wrong, [x]).tolist() == [j == k for j in range(5)]
    assert not np.any(judge(FORMULAS["rsqrt"], trial, right, [x]))
    assert same_bits(np.array([0.0, np.nan, 1]), np.array([-0.0, np.nan, 1])).tolist() == [False, True, True]


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int64"])
def test_columns_are_negated_into_columns(dtype: str) -> None:
    """NumPy 2.4 steps through a column wrongly, where what it writes is one too."""
    for width in (2, 3, 4, 8, 16):
        x = np.arange(1, 9 * width + 1).astype(dtype).reshape(9, width)
        out = np.zeros_like(x)
        for k in range(width):
            assert OPS["neg"].into is not None
            OPS["neg"].into(out[:, k : k + 1], x[:, k : k + 1])
        assert (out == 0 - x).all()


@pytest.mark.parametrize("shape", [(9000, 4), (3, 7000, 2), (4, 9000), (20_000,)])
def test_places_and_running_sums_go_through_many_rows_piece_by_piece(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    x, y = (rng.standard_normal(shape).astype(np.float32) for _ in range(2))
    for dim in range(len(shape)):
        index = rng.integers(0, shape[dim], shape)
        assert np.array_equal(picking.picked(x, index, dim), np.take_along_axis(x, index, dim))
        sums, rest = x.astype(np.float64), list(np.indices(shape, sparse=True))
        rest[dim] = index
        np.add.at(sums, tuple(rest), y)
        total = np.empty_like(x)
        assert picking.added_along(total, x, index, y, dim)
        assert np.array_equal(total, sums.astype(np.float32))
        for view in (x, np.asfortranarray(x)):
            out = np.empty_like(view)
            running(np.add, out, view, dim)
            assert np.array_equal(out, np.cumsum(x, dim, np.float64).astype(np.float32))


def test_numpy_is_given_one_dtype_to_combine() -> None:
    """Arrays of files and of other processes have copies of NumPy's dtypes, which takes it many times as long."""
    seen = []

    class Recorder:
        @staticmethod
        def at(total: Any, places: Any, values: Any) -> None:
            seen.append((total.dtype, values.dtype))
            np.add.at(total, places, values)

    for dtype in ("f4", "f8", "i8", "?"):
        own, places = np.dtype(dtype), np.array([4, 0, 4])
        total, values = (np.ones(size, own.newbyteorder("=")) for size in (5, 3))
        assert total.dtype is not values.dtype
        total[:] = 0
        picking.combine_at(Recorder, total, places, values)
        picking.combine_at(Recorder, total, places, np.ones(3, np.int8 if dtype != "?" else own))
        assert total[4] == (4 if dtype != "?" else True) and total.dtype == own
    assert all(a is b for a, b in seen)
