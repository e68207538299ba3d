"""Simplified and planned graphs give what one operation after the other gives: infinities, NaN and signed zeros too."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st

from gradcli.autodiff.vjp import vjp
from gradcli.engine.execute.run import known_value, op_by_op, run
from gradcli.engine.plan.planner import plan
from gradcli.engine.plan.program import Program, Sizes
from gradcli.engine.simplify import simplify
from gradcli.errors import GradcliError
from gradcli.evaluation.interpret import Interpreter
from gradcli.graph.node import Node, constant, input_node, toposort
from gradcli.graph.op import OPS
from gradcli.language.parse import parse
from gradcli.ops.rewrites import simplifier
from gradcli.ops.rewrites.simplifier import Condition, holds
from tests.gradients import build

# Rows and columns are small beside a matrix.
TINY = Sizes(12, 24, 1, 1, little=0)
ROWS, COLUMNS = 12, 4
ANY = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=150)


@pytest.fixture
def everything_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Factors are taken out of sums and products of a few elements."""
    monkeypatch.setattr(simplifier, "_SMALL", 12)
    monkeypatch.setattr(simplifier, "_FEW", 4)


class Run(NamedTuple):
    """What the engine computed, and whether it had to give up its first plan."""

    arrays: list[np.ndarray]
    fell_back: bool
    program: Program


def roots_of(expression: str, arrays: dict[str, np.ndarray], gradients: bool = True) -> list[Node]:
    value, leaves = build(expression, arrays)
    if not gradients or not value.requires_grad:
        return [value]
    tracked = [leaf for leaf in leaves.values() if leaf.requires_grad]
    seed = constant(np.full(value.shape, 0.75, value.dtype))
    return [value, *vjp([value], [seed], tracked).values()]


def planned(roots: list[Node], sizes: Sizes = TINY, threads: int = 1) -> Run:
    program = plan(roots, sizes=sizes)
    fallen: list[Program] = []
    again = program.fallback
    if again is not None:

        def fallback(again: Callable[[], Program] = again) -> Program:
            fallen.append(again())
            return fallen[-1]

        program.fallback = fallback
    results = run(program, [known_value(leaf) for leaf in program.leaves], threads=threads)
    assert all(other.conditions is None and other.fallback is None for other in fallen)
    return Run(results, bool(fallen), program)


def same_specials(got: np.ndarray, expected: np.ndarray) -> None:
    """NaN, infinities and the signs of zeros are in the same places."""
    assert got.shape == expected.shape and got.dtype == expected.dtype
    np.testing.assert_array_equal(np.isnan(got), np.isnan(expected))
    np.testing.assert_array_equal(np.isposinf(got), np.isposinf(expected))
    np.testing.assert_array_equal(np.isneginf(got), np.isneginf(expected))
    zero = (got == 0) & (expected == 0)
    np.testing.assert_array_equal(np.signbit(got) & zero, np.signbit(expected) & zero)


def close(got: np.ndarray, expected: np.ndarray, rtol: float) -> None:
    finite = np.isfinite(expected)
    scale = float(np.max(np.abs(expected), initial=0.0, where=finite))
    np.testing.assert_allclose(got[finite], expected[finite], rtol=rtol, atol=rtol * scale)


# Any expression -------------------------------------------------------------------------------------------------------

NUMBERS = ["2", "3", "0.5", "-1", "0", "-0.0", "1", "-7", "0.1", "1e3", "inf", "nan"]
LEAVES = ["x", "y", "s", "r", "c"]
UNARY = [
    "-({})",
    "abs({})",
    "relu({})",
    "tanh({})",
    "exp(tanh({}))",
    "({})**2",
    "sqrt(abs({}))",
    "sign({})",
    "({})/3",
    "2*({})",
    "({})*-0.25",
    "({}) - 1",
    "1 - ({})",
    "0*({})",
    "({})/4",
    "3/({})",
    "clamp({}, -2, 3)",
]
BINARY = ["({}) + ({})", "({}) - ({})", "({})*({})", "({})/({})", "maximum({}, {})", "where(x > y, {}, {})"]
REDUCED = [
    "sum({})",
    "mean({})",
    "sum({}, 0)",
    "sum({}, 1, keepdim=True)",
    "mean({}, 0, keepdim=True)",
    "amax({})",
    "sum({}, (0, 1))",
    "sum(sum({}, 1))",
    "var({})",
    "norm({})",
    "logsumexp(tanh({}), 1, keepdim=True)",
    "sum(({0} - mean({0}, 0))**2, 0) + {0}",
    "sum(({0})@y.T)",
    "mean(x@({0}).T, 1, keepdim=True)",
    "sum(({0}).T@y, 0)",
    "sum(({0})@({0}).T)*({0})",
    "sum(expand({}, 7, 12, 4), (0, 2))",
    "mean(expand(sum({}, 0, keepdim=True), 12, 4))",
]
EXPRESSIONS = st.recursive(
    st.sampled_from(["x", "y", *LEAVES]),
    lambda inner: st.one_of(
        st.builds(lambda form, a: form.format(a), st.sampled_from(UNARY), inner),
        st.builds(lambda form, a, b: form.format(a, b), st.sampled_from(BINARY), inner, inner),
        st.builds(lambda form, n, a: form.format(n, a), st.sampled_from(BINARY[:5]), st.sampled_from(NUMBERS), inner),
        st.builds(lambda form, a: form.format(f"({a}) + 0*x"), st.sampled_from(REDUCED), inner),
    ),
    max_leaves=6,
)
SPECIAL = [np.inf, -np.inf, np.nan, 0.0, -0.0, 5e-324, -2.2e-308, 1.0, -1.0, 1.5, -3.0, 0.125]


@st.composite
def arrays(draw: st.DrawFn, elements: list[float]) -> dict[str, np.ndarray]:
    shapes = {"x": (ROWS, COLUMNS), "y": (ROWS, COLUMNS), "s": (), "r": (COLUMNS,), "c": (ROWS, 1)}
    seed = draw(st.integers(0, 999))
    rng = np.random.default_rng(seed)
    found = {}
    for name, shape in shapes.items():
        found[name] = np.asarray(rng.uniform(0.3, 3, shape) * rng.choice([-1, 1], shape))
        for _ in range(draw(st.integers(0, 2))):
            place = tuple(int(rng.integers(0, n)) for n in shape)
            found[name][place] = draw(st.sampled_from(elements))
    return found


def used(expression: str, values: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    words = expression.replace("exp", "").replace("max", "").replace("clamp", "")
    for word in (
        "relu",
        "tanh",
        "sqrt",
        "sign",
        "abs",
        "where",
        "sum",
        "mean",
        "var",
        "norm",
        "log",
        "keepdim",
        "expand",
        "True",
    ):
        words = words.replace(word, "")
    return {name: array for name, array in values.items() if name in words}


@ANY
@given(EXPRESSIONS, arrays(SPECIAL))
def test_special_values(everything_is_large: None, expression: str, values: dict[str, np.ndarray]) -> None:
    roots = roots_of(expression, used(expression, values))
    done = planned(roots)
    for got, expected in zip(done.arrays, op_by_op(roots), strict=True):
        same_specials(got, expected)
        close(got, expected, 1e-9)


@ANY
@given(EXPRESSIONS, arrays([0.0, -0.0, 1.0]), st.sampled_from([(0, 4), (12, 0), (0, 0), (1, 1), (1, 4), (12, 1)]))
def test_empty_tensors_and_lengths_of_one(
    everything_is_large: None, expression: str, values: dict[str, np.ndarray], shape: tuple[int, int]
) -> None:
    rows, columns = shape
    cut = {
        "x": values["x"][:rows, :columns],
        "y": values["y"][:rows, :columns],
        "s": values["s"],
        "r": values["r"][:columns],
        "c": values["c"][:rows],
    }
    try:
        roots = roots_of(expression, used(expression, cut))
    except GradcliError:
        # An extreme of nothing, or lengths that do not fit each other.
        reject()
    for got, expected in zip(planned(roots).arrays, op_by_op(roots), strict=True):
        same_specials(got, expected)
        close(got, expected, 1e-9)


PRODUCTS = st.recursive(
    st.sampled_from(["x", "x", "y", "s", "r", "c"]),
    lambda inner: st.one_of(
        st.builds("({})*({})".format, inner, inner),
        st.builds("({})/({})".format, inner, inner),
        st.builds("{}*({})".format, st.sampled_from(["3", "0.7", "1e3", "0.001", "-5", "1e-9"]), inner),
        st.builds("({})/{}".format, inner, st.sampled_from(["3", "0.7", "8", "-5", "1e9"])),
        st.builds("-({})".format, inner),
        st.builds("sum(({})*x, {}, keepdim=True)".format, inner, st.sampled_from(["0", "1", "(0, 1)"])),
    ),
    max_leaves=6,
)


@ANY
@given(PRODUCTS, st.sampled_from(["float32", "float64"]), st.integers(0, 99))
def test_products_lose_a_few_bits_at_most(everything_is_large: None, expression: str, dtype: str, seed: int) -> None:
    """Nothing cancels here: every number is as good as before."""
    rng = np.random.default_rng(seed)
    shapes = {"x": (ROWS, COLUMNS), "y": (ROWS, COLUMNS), "s": (), "r": (COLUMNS,), "c": (ROWS, 1)}
    values = {name: np.asarray(rng.uniform(0.5, 2, shape), dtype) for name, shape in shapes.items()}
    roots = roots_of(expression, used(expression, values), gradients=False)
    (got,), (expected,) = planned(roots).arrays, op_by_op(roots)
    np.testing.assert_allclose(got, expected, rtol=40 * float(np.finfo(dtype).eps), atol=0)


@ANY
@given(PRODUCTS, st.lists(st.sampled_from([-38, -30, -20, 0, 20, 30, 38]), min_size=5, max_size=5), st.integers(0, 9))
def test_huge_and_tiny_scales(everything_is_large: None, expression: str, scales: list[int], seed: int) -> None:
    """What overflows or vanishes did so before; what did so only on the way may be as in higher precision."""
    rng = np.random.default_rng(seed)
    shapes = {"x": (ROWS, COLUMNS), "y": (ROWS, COLUMNS), "s": (), "r": (COLUMNS,), "c": (ROWS, 1)}
    values = {
        name: np.asarray(rng.uniform(1, 3, shape) * 10.0**scale, np.float32)
        for (name, shape), scale in zip(shapes.items(), scales, strict=True)
    }
    narrow = used(expression, values)
    (got,) = planned(roots_of(expression, narrow, gradients=False)).arrays
    (before,) = op_by_op(roots_of(expression, narrow, gradients=False))
    wide = {name: array.astype(np.float64) for name, array in narrow.items()}
    (exact,) = op_by_op(roots_of(expression, wide, gradients=False))
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        exact = exact.astype(np.float32)
        tiny = 4 * float(np.finfo(np.float32).smallest_subnormal)
        fine = [
            (got == other) | (np.isnan(got) & np.isnan(other)) | (np.abs(got - other) <= 1e-4 * np.abs(other) + tiny)
            for other in (before, exact)
        ]
        between = (np.minimum(np.abs(before), np.abs(exact)) <= np.abs(got)) & (
            np.abs(got) <= np.maximum(np.abs(before), np.abs(exact))
        )
    assert np.all(fine[0] | fine[1] | between)


# Conditions -----------------------------------------------------------------------------------------------------------

# Programs that take a factor out of a sum, with inputs that allow it and others that do not.
HOISTED = ["sum(x/s)", "sum(x*r, 0)", "sum((x*y)/s)", "sum(-(x/r))", "sum(x*s*3)", "sum(x/sum(exp(x)))", "sum((x/s)/s)"]
ORDINARY = {"s": [2.0, -0.3, 1e3], "r": [[1.0, 2.0, -3.0, 4.0]], "c": [np.linspace(0.5, 2, ROWS)[:, None]]}
EXTREME = [0.0, -0.0, np.inf, -np.inf, np.nan, 1e-60, 1e60, 5e-324, -1e300]


@pytest.mark.parametrize("expression", HOISTED)
def test_ordinary_factors_are_taken_out(expression: str, everything_is_large: None) -> None:
    rng = np.random.default_rng(0)
    for s in ORDINARY["s"]:
        values = {
            "x": rng.normal(size=(ROWS, COLUMNS)),
            "y": rng.normal(size=(ROWS, COLUMNS)),
            "s": np.array(s),
            "r": np.array(ORDINARY["r"][0]),
            "c": ORDINARY["c"][0],
        }
        roots = roots_of(expression, used(expression, values))
        done = planned(roots)
        assert done.program.conditions and done.program.fallback is not None and not done.fell_back, expression
        for got, expected in zip(done.arrays, op_by_op(roots), strict=True):
            close(got, expected, 1e-12)


@pytest.mark.parametrize("value", EXTREME, ids=str)
@pytest.mark.parametrize("expression", [e for e in HOISTED if "exp" not in e])
def test_extreme_factors_are_left_where_they_are(expression: str, value: float, everything_is_large: None) -> None:
    rng = np.random.default_rng(0)
    values = {
        "x": rng.normal(size=(ROWS, COLUMNS)),
        "y": rng.normal(size=(ROWS, COLUMNS)),
        "s": np.array(value),
        "r": np.array([1.0, value, -3.0, 4.0]),
        "c": np.full((ROWS, 1), 2.0),
    }
    values["c"][3] = value
    roots = roots_of(expression, used(expression, values))
    done = planned(roots)
    assert done.fell_back, expression
    for got, expected in zip(done.arrays, op_by_op(roots), strict=True):
        same_specials(got, expected)
        close(got, expected, 1e-12)


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan, 1e308])
def test_sums_that_are_not_finite_are_computed_again(value: float, everything_is_large: None) -> None:
    x = np.ones((ROWS, COLUMNS))
    x[3, 1] = x[5, 1] = value
    for expression in ("sum(x/s)", "mean(x*s)"):
        roots = roots_of(expression, {"x": x, "s": np.array(1e3)})
        done = planned(roots)
        assert done.fell_back
        for got, expected in zip(done.arrays, op_by_op(roots), strict=True):
            same_specials(got, expected)


def test_what_has_no_conditions_is_planned_once(everything_is_large: None) -> None:
    program = plan(roots_of("sum(x/s)", {"x": np.ones((ROWS, COLUMNS)), "s": np.array(1e3)}), sizes=TINY)
    assert program.fallback is not None and program.fallback() is program.fallback()


def test_what_would_be_known_too_late_is_left_alone(everything_is_large: None) -> None:
    """A factor for each row, and a sum for each row: both are there in blocks only."""
    x = np.random.default_rng(0).normal(size=(60, COLUMNS))
    for c in (2.0, np.inf, 0.0):
        roots = roots_of("mean(x*exp(c), 1)", {"x": x, "c": np.full((60, 1), c)})
        done = planned(roots)
        assert done.program.conditions is None and done.program.fallback is None
        for got, expected in zip(done.arrays, op_by_op(roots), strict=True):
            same_specials(got, expected)
            close(got, expected, 1e-12)


def test_a_sum_of_products_is_never_minus_zero(everything_is_large: None) -> None:
    roots = roots_of("relu(sum(x@y.T))", {"x": np.ones((12, 1)), "y": -np.ones((12, 1))})
    for got, expected in zip(planned(roots).arrays, op_by_op(roots), strict=True):
        same_specials(got, expected)


def test_real_sizes_too() -> None:
    x = np.arange(1.0, 70_002)
    for s, falls in {2.0: False, 0.0: True, np.inf: True, np.nan: True, 1e-200: True}.items():
        roots = roots_of("sum(x/s)", {"x": x, "s": np.array(s)})
        for threads in (1, 3):
            done = planned(roots, Sizes(little=0), threads)
            assert done.fell_back == falls
            for got, expected in zip(done.arrays, op_by_op(roots), strict=True):
                same_specials(got, expected)
                close(got, expected, 1e-12)


def test_numbers_are_no_conditions(everything_is_large: None) -> None:
    """What is known when it is planned needs no look later on."""
    for expression in ("sum(2*x)", "mean(x/3)", "sum(x*x)", "sum(x + 1)"):
        program = plan(roots_of(expression, {"x": np.ones((ROWS, COLUMNS))}), sizes=TINY)
        assert all(condition.bound == 0 for _, condition in program.conditions or ())


def test_what_a_condition_asks() -> None:
    node = constant(np.zeros(3))
    for bound, good, bad in [
        (0.0, [[1e308, -1e308, 0.0], []], [[1, np.inf], [np.nan], [-np.inf]]),
        (2.0**30, [[1.0, -1.0], [2.0**30, -(2.0**-30)], []], [[0.0], [2.0**31], [-(2.0**-31)], [np.nan], [np.inf, 1]]),
    ]:
        for array in good:
            assert holds(Condition(node, bound), np.array(array))
        for array in bad:
            assert not holds(Condition(node, bound), np.array(array))


# What is simplified ---------------------------------------------------------------------------------------------------


def names(expression: str, **shapes: tuple[int, ...]) -> list[str]:
    """The operations that are left of an expression."""
    value, _ = build(expression, {name: np.ones(shape) for name, shape in shapes.items()})
    return [node.op.name for node in toposort(simplify([value])) if node.inputs]


@pytest.mark.parametrize(
    ("expression", "left"),
    [
        ("2*(3*x)", ["mul"]),
        ("(2*x)/5", ["mul"]),
        ("-(-x)", []),
        ("-(2*x)", ["mul"]),
        ("x*1", []),
        ("x/1", []),
        ("x/4", ["mul"]),
        ("x/3", ["div"]),
        ("x - 0", []),
        ("x + -x", ["sub"]),
        ("x**2", ["mul"]),
        ("x.reshape(6).reshape(2, 3)", []),
        ("x.T.T", []),
        ("x.detach().clone().contiguous()", []),
        ("x.double()", []),
        ("exp(x) + exp(x)", ["exp", "add"]),
        ("sum(2*x)", ["sum", "mul"]),
        ("sum(-2*x)", ["sum", "mul", "add"]),
        ("sum(0.5*x)", ["mul", "sum"]),
        ("sum(x.T)", ["sum"]),
        ("sum(expand(x, 1000000, 2, 3))", ["sum", "mul"]),
        ("mean(expand(x, 1000000, 2, 3), (0, 1))", ["view", "mean"]),
        ("sum(1.5*repeat_interleave(x, 1000000))", ["sum", "mul"]),
        ("tensor(2).expand(2, 3).T + x.T", ["permute", "add"]),
        ("x*0", ["mul"]),
        ("x + 0", ["add"]),
        ("0 - x", ["sub"]),
        ("1e300*(1e300*x)", ["mul", "mul"]),
        ("1e-300*(1e-300*x)", ["mul", "mul"]),
        ("x*(1/0)*0", ["mul", "mul"]),
        ("x*y - y*x", ["mul", "sub"]),
        # Results of one operation are folded like any other constant.
        ("s, l = slogdet([[2., 1], [1, 3]]); s*l*x", ["mul"]),
        ("v, i = max([[1, 2], [3, 0]], 1); x*sum(v*i)", ["mul"]),
        ("argmax([1, 2, 3])*x", ["mul"]),
        # One search finds the largest elements and their places.
        ("argmax(x, 0) + max(x, 0).indices", ["_max", "_result", "add"]),
        ("v, _ = min(x, 1); v*argmin(x, -1)", ["_min", "_result", "_result", "_cast", "mul"]),
        ("argmax(x)", ["argmax"]),
    ],
)
def test_what_is_left(expression: str, left: list[str]) -> None:
    shapes = {"x": (2, 3), "y": (2, 3)} if "y" in expression else {"x": (2, 3)}
    assert names(expression, **shapes) == left


def test_a_sum_has_no_negative_zero() -> None:
    value, leaves = build("sum(-2*x, 0)", {"x": np.array([[0.0, 1.0, -np.inf], [-0.0, -1.0, 1.0]])})
    done = planned([value], Sizes(little=0), 1)
    (got,) = done.arrays
    assert got.tobytes() == np.array([0.0, 0.0, np.inf]).tobytes()


_SEARCHES = [f"{f}(x, {d}, {k})" for f in ("argmax", "argmin") for d in (0, 1) for k in (False, True)]


@pytest.mark.parametrize(
    "expression", [*_SEARCHES, "argmax(x[0], 0)", "argmin(x[0, 0])", "max(x, 0)[1] - argmax(x, 0)"]
)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int64", "bool"])
def test_places_of_extremes(expression: str, dtype: str) -> None:
    """Of constants, and of inputs in blocks: the first of equal elements, and NaN before all others."""
    x = np.random.default_rng(0).integers(-2, 3, (5, 7)).astype(dtype)
    if dtype.startswith("float"):
        x[[1, 3, 3], [2, 2, 4]] = np.nan
        x[2, 5:] = 0.0, -0.0
    leaf = input_node(x)
    value, folded = (Interpreter(expression, {"x": node}).run(parse(expression)) for node in (leaf, constant(x)))
    (expected,) = op_by_op([value])
    for roots in ([value], [folded]):
        (got,) = planned(roots).arrays
        np.testing.assert_array_equal(got, expected)
        assert got.dtype == expected.dtype == np.int64
    assert simplify([folded])[0].op.name == "constant"


def test_minus_zero_and_zero_are_different_numbers() -> None:
    x = np.array([0.0, -0.0, 1.0, -1.0, np.inf])
    for expression in (
        "x + 0",
        "x + -0.0",
        "x - 0",
        "x - -0.0",
        "0 - x",
        "-0.0 - x",
        "x*0",
        "x*-0.0",
        "-x + 0",
        "-(0*x)",
        "0/x",
        "x*0 + x*-0.0",
        "-0.0/x",
        "x/-1",
        "-(x/2)",
        "sum(x*0)",
        "sum(-(x*0))",
        "mean(-0.0*x)",
    ):
        values = {"x": x[:4] if "sum" in expression or "mean" in expression else x}
        roots = roots_of(expression, values)
        for got, expected in zip(planned(roots).arrays, op_by_op(roots), strict=True):
            same_specials(got, expected)


def test_simplifying_touches_nothing() -> None:
    value, leaves = build("sum(2*(3*x)/s - -x)", {"x": np.ones((3, 4)), "s": np.array(2.0)})
    order = toposort([value])
    before = [(node.op, node.inputs, dict(node.params), node.shape, node.span) for node in order]
    simplify([value], None, None, [])
    plan([value], sizes=TINY)
    assert [(node.op, node.inputs, dict(node.params), node.shape, node.span) for node in order] == before
    assert all(leaf.params["data"] is not None for leaf in leaves.values())


def test_numbers_that_nothing_holds_are_not_taken_for_each_other() -> None:
    roots = [OPS["neg"](OPS["full"]((2,), float(k))) for k in range(300)]
    for k, root in enumerate(simplify(roots)):
        np.testing.assert_array_equal(op_by_op([root])[0], [-k, -k])


@pytest.mark.parametrize(
    "loss",
    ["mse_loss(x, 0*x)", "huber_loss(x, 0*x)", "smooth_l1_loss(x, 0*x)", "binary_cross_entropy_with_logits(x, 0*x)"],
)
def test_losses_of_stretched_tensors_count_all_elements(loss: str) -> None:
    for stretched in ("s.expand(4, 3)", "r.expand(4, 3)", "s.expand(4, 3) + zeros(4, 3)"):
        for how in ("mean", "sum", "none"):
            text = f"x = {stretched}; 2*{loss[:-1]}, reduction='{how}')"
            values = {name: np.array(value) for name, value in (("s", 3.0), ("r", [1.0, 2.0, 3.0])) if name in text[:8]}
            roots = roots_of(text, values)
            for got, expected in zip(planned(roots).arrays, op_by_op(roots), strict=True):
                np.testing.assert_allclose(got, expected, rtol=1e-12)
