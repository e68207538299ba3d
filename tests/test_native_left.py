"""What is native and what is left to NumPy: of whole expressions, and of rows in the shapes that passes have."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import pytest

from gradcli.engine.execute.run import known_value, op_by_op, run
from gradcli.engine.native.choice import ENGINE, chosen, chosen_lines
from gradcli.engine.native.step import NativeStep
from gradcli.engine.plan.passes import Cut
from gradcli.engine.plan.planner import plan
from gradcli.engine.plan.program import Program, Sizes
from gradcli.errors import GradcliError
from gradcli.graph.measured import UnmeasuredError
from gradcli.graph.node import Node, constant, make
from gradcli.graph.op import OPS, WHOLE
from tests.gradients import build
from tests.native_support import same_bits
from tests.sampling import by_turns
from tests.test_engine_blocks import agree, with_gradients
from tests.test_every_operation import INPUTS, NAMES, sound

#: Small enough for tests; there are several blocks all the same, and rows that are no whole number of vectors.
SMALL = 700
BLOCKS = Sizes(small=SMALL, block_bytes=1 << 12, least=1 << 6, elements=1 << 9, little=0)
ROWS = 1201
WIDTHS = (3, 10, 64, 100, 300)


def left(program: Program) -> list[str]:
    """What NumPy computes of large operands, in the blocks of a native pass or in passes that are not native."""
    found = [
        step.node.op.name
        for stage in program.stages
        for step in stage.whole
        if max(node.size for node in (step.node, *step.node.inputs)) > SMALL
        and not step.node.op.blocking.view
        and chosen_lines(program, step) is None
    ]
    for one in [chosen(program, one) for stage in program.stages for one in stage.passes]:
        steps = [step for step in one.steps if not isinstance(step, Cut | NativeStep)]
        found += [step.node.op.name for step in steps if not (one.fused and step.node.op.blocking.view)]
    return found


def both(roots: Sequence[Node], sizes: Sizes = BLOCKS) -> tuple[list[Any], list[Any], list[str]]:
    """The arrays of NumPy's engine and of the native one, and what is left of the latter."""
    program = plan(list(roots), sizes=sizes)
    arrays = [known_value(leaf) for leaf in program.leaves]
    ENGINE.set("numpy")
    expected = run(program, arrays, threads=1)
    ENGINE.set("native")
    return run(program, arrays, threads=2), expected, left(program)


@cache
def drawn(shape: tuple[int, ...], dtype: str, seed: int = 0) -> np.ndarray:
    values = np.random.default_rng(seed).normal(0.1, 1, shape)
    return values > 0.2 if dtype == "bool" else (values * (1 if dtype[0] == "f" else 20)).astype(dtype)


# Expressions of which nothing is left, value and gradients ------------------------------------------------------------

FORMS = {
    "x": (9001,),
    "y": (9001,),
    "X": (ROWS, 20),
    "Y": (ROWS, 20),
    "C": (ROWS, 3),
    "c": (3,),
    "w": (20,),
    "u": (ROWS, 1),
    "r": (1, 20),
    "H": (ROWS, 256),
    "D": (300, 1, 32),
    "m": (9, 32),
    "t": (ROWS,),
    "W": (20, 7),
    "T": (ROWS, 4, 5),
    "Z": (10, ROWS),
    "Q": (3, ROWS, 4),
    "P": (3, ROWS),
    "V": (40, ROWS),
    "G": (300, ROWS),
    "J": (2, ROWS, 50),
    "K": (2, 3, ROWS, 2, 3),
    "q": (4,),
    "E": (30, 4),
    "F": (50, 12),
    "B": (5, 50, 3),
    "L": (70,),
    "S": (5, 100),
    "N": (ROWS, 100),
    # Places to look at: so many of them.
    "i": (ROWS,),
    "j": (ROWS, 3),
    "k": (7,),
    "l": (9001,),
}
#: How many places there are to choose from.
PLACES = {"i": 30, "j": 30, "k": 20, "l": 70}
NOTHING_LEFT = [
    # The benchmark's, and those of the same kind.
    "mean(2*(3*x + 7)**2)",
    "sum(sigmoid(x)*tanh(y))",
    "mean(log1p(exp(-t*(X @ w))))",
    "mean(logsumexp(X, 1) - sum(X*Y, 1))",
    "sum(x/sum(exp(x)))",
    "sum(((X - mean(X, 0))/std(X, 0))**2)",
    "sum(where(x > 0, x*exp(-x), sin(x)/2) * y)",
    "sum(sqrt(sum((C - c)**2, 1) + 0.01))",
    "var(x*y) + mean(abs(x - y))",
    "gelu(x)",
    "gelu(x, approximate='tanh')",
    "layer_norm(H, (256,))",
    "layer_norm(X, (20,), w, w).sum()",
    "layer_norm(T, (4, 5))",
    "huber_loss(x, y)",
    "sum(logsumexp(-sum((D - m)**2, 2), 1))",
    # Activations and losses.
    *[f"sum({name}(x)*y)" for name in ("sigmoid", "logsigmoid", "relu", "leaky_relu", "elu", "selu", "hardtanh")],
    *[f"sum({name}(x)*y)" for name in ("relu6", "silu", "softplus", "softsign", "mish", "erf", "erfc", "tanh")],
    *["sum(abs(x)*y)", "sum(log1p(x)*y)"],
    "sum(softplus(x, 2.0, 5.0))",
    "mse_loss(x, y)",
    "smooth_l1_loss(x, y, beta=0.5)",
    "l1_loss(x, y)",
    "binary_cross_entropy_with_logits(x, sigmoid(y))",
    "cross_entropy(X, argmax(Y, 1))",
    "cross_entropy(X, argmax(Y, 1), weight=exp(w).detach(), ignore_index=3)",
    "cross_entropy(X, argmax(Y, 1), label_smoothing=0.1)",
    "cross_entropy(X, softmax(Y, 1))",
    "cross_entropy(T, argmax(T, 1))",
    "nll_loss(X, argmax(Y, 1), reduction='none')",
    # Softmax and its kin, over rows and over columns.
    "sum(softmax(X, 1)*Y)",
    "sum(log_softmax(H, -1)*H)",
    "sum(softmax(X, 0)*Y)",
    "sum(logsumexp(X, 0)*w)",
    "logsumexp(x, 0)",
    # Reductions.
    *[f"sum({name}(X, {dim})**2)" for name in ("sum", "mean", "amax", "std", "var") for dim in (0, 1)],
    "sum(prod(X, 1)**2)",
    *[f"sum(norm(X, {p}, {dim}))" for p in (1, 2, 3, "inf") for dim in (0, 1)],
    "sum(max(X, 1).values*t)",
    # Powers, rounding, selection, quotients.
    "sum(x**3 + abs(x)**0.5 + 2**x + abs(x)**y)",
    "sum(x % y + x // y + fmod(x, y) + div(x, y, rounding_mode='trunc'))",
    "sum(clamp(x, 0, 1) + clamp(x, y, 1) + maximum(x, 0.5)*minimum(x, y))",
    "sum(lerp(x, y, 0.3) + xlogy(x, exp(y)) + logaddexp(x, y) + atan2(x, y) + hypot(x, y))",
    "sum(masked_fill(x, y > 0, 2.0) + where(y > 0, x, 1.0))",
    "sum((floor(x) + round(y, decimals=2) + sign(x))*y)",
    "sum((x > y).to('float32')*x + (x < 0.5).to('int32'))",
    # Broadcasting.
    "sum(X*r + w + u)",
    "sum(w.expand(1201, 20)*X)",
    # Places of a row.
    "sum(X[:, 3]*t)",
    "sum(X[:, 2:9:3]**2)",
    "sum(flip(X, 1)*Y)",
    "sum(cumsum(X, 1)**2)",
    "sum(roll(X, 3, 1)*Y)",
    "sum(cat([C, C*2], 1)**2)",
    "sum(stack([t, t*2], 1)**2)",
    "sum(T.permute(0, 2, 1)**2)",
    "sum(cumprod(X, 1)**2)",
    "sum(X[:, [3, 1, 1, -2]]**2)",
    "sum(repeat(C.detach(), 1, 2)*cat([C, C], 1))",
    # Elements at places that are data, and sums there.
    *["sum(L[l]*x)", "sum(exp(L)[l]**2)", "L[l]", "sum(E[i]**2)", "sum(F[i]*F[i])", "sum(B[:, i]**2)"],
    *["sum(index_select(F, 0, i)*t.unsqueeze(1))", "sum(E[j]**3)", "sum((L*2)[l] > 0)", "mean((L[l] - y)**2)"],
    *["sum(X.detach()[:, k]*Y[:, :7])", "sum(N.detach()[:, k]**2)", "sum(softmax(X, 1).detach()[:, k])"],
    "sum(S[i % 5]**2)",
    *["sum(index_add(F, 0, i % 50, F[i])**2)", "sum(scatter_add(exp(L), 0, l % 70, x)**2)", "sum(N[i]**2)"],
    # Cut along another dimension than the first.
    "Z*3",
    "sum(Z*t)",
    "sum(Q*q)",
    "Q*t.unsqueeze(1)",
    *["sum(softmax(Z, 0)*Z)", "sum(softmax(Q, 2)*Q)", "sum(softmax(Q, 0)*t.unsqueeze(1))", "sum(softmax(V, 0)*V)"],
    *["sum(softmax(G, 0)*G)", "sum(softmax(J, 2)*J)", "layer_norm(J, (50,)).sum()"],
    *["sum(std(Z, 1)**2)", "sum(mean(Q, 1)*q)", "sum(amax(Q, 1)*q)", "sum(norm(V, 2, 0)*t)", "sum(max(Z, 0).values*t)"],
    *["sum(sum(Q*Q, (0, 2))**2)", "sum(K.sum((0, 3))**2)", "argmax(Z, 1)", "argmax(V, 0)"],
    *["sum(cumsum(Z, 0)**2)", "sum(cumsum(Q, 2)**2)", "sum(flip(Z, 0)*Z)", "sum(roll(Z, 3, 0)*Z)"],
    *["sum(Z[[1, 1, 3]]**2)", "sum(V[3:9:2]**2)", "sum(V[3]*t)", "sum(Q[:, :, 1]*t)", "sum(J[1]**2)"],
    *["cat([P, P*2, Z], 0).sum()", "sum(stack([t, t*2], 0)**2)", "sum(K.permute(2, 0, 1, 3, 4)**2)"],
    "sum((K*2).permute(2, 0, 1, 3, 4).reshape(1201, 36)**2)",
    "sum(cross_entropy(Q.permute(1, 2, 0), argmax(Q.permute(1, 2, 0)*2, 1)))",
    "sum((Z > 0).to('float32')*Z)",
]


def inputs_of(expression: str, dtype: str) -> dict[str, np.ndarray]:
    return {
        name: chosen_places(name) if name in PLACES else drawn(FORMS[name], dtype, ord(name))
        for name in arrays_named(expression)
    }


def chosen_places(name: str) -> np.ndarray:
    """Places, some of them counted from the end."""
    return np.random.default_rng(ord(name)).integers(-PLACES[name], PLACES[name], FORMS[name])


def arrays_named(expression: str) -> list[str]:
    return [name for name in FORMS if re.search(rf"(?<![.\w']){name}\b(?!\w)", expression)]


@pytest.mark.parametrize(("expression", "dtype"), by_turns(NOTHING_LEFT, ["float32", "float64"]))
def test_nothing_is_left(expression: str, dtype: str) -> None:
    got, expected, rest = both(with_gradients(expression, inputs_of(expression, dtype)))
    assert rest == []
    agree(got, expected, 1e-4 if dtype == "float32" else 1e-11)


def test_integers_and_booleans_too() -> None:
    x, y = drawn((9001,), "int32"), drawn((9001,), "int32", 1)
    for expression in (
        "sum(x*y - x)",
        "sum((x & y) | ~x)",
        "any((x > y) & (y != 3))",
        "x // 3 + x % -7",
        "amax(x + y)",
    ):
        value, _ = build(expression, {"x": x, "y": y})
        (got,), (expected,), rest = both([value])
        assert rest == [] and np.array_equal(got, expected), expression


# Reductions -----------------------------------------------------------------------------------------------------------

REDUCTIONS = [
    *("sum(X{})", "prod(X{})", "amax(X{})", "amin(X{})", "any(X{})", "all(X{})", "count_nonzero(X{})"),
    *("mean(X{})", "var(X{})", "std(X{})", "norm(X, 1{})", "norm(X, 2{})", "norm(X, inf{})", "norm(X, -inf{})"),
    *("norm(X, 0{})", "norm(X, 4{})", "norm(X, 2.5{})", "argmax(X{})", "argmin(X{})", "max(X{}).values"),
    "min(X{}).indices",
]
FLOATS_ONLY = ("mean", "var", "std", "norm")


@pytest.mark.slow
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("form", REDUCTIONS)
def test_reductions(form: str, width: int) -> None:
    integers = [] if form.startswith(FLOATS_ONLY) else ["int8", "int64", "uint8", "bool"]
    for dtype in ("float32", "float64", *integers[:: 3 if width > 10 else 1]):
        for dim in (", 0", ", 1", "") if not form.startswith(("arg", "max", "min")) else (", 0", ", 1"):
            for array in _trial_arrays(width, dtype):
                value, _ = build(form.format(dim), {"X": array})
                (got,), (expected,), rest = both([value])
                assert rest == [] and got.dtype == expected.dtype and got.shape == expected.shape, (dtype, dim)
                if got.dtype.kind == "f":
                    # What cancels counts by its size.
                    rtol = 2e-7 if dtype == "float32" else 1e-13
                    # Products of another order round otherwise in the last bits of what is nearly zero.
                    atol = 1e-13 if "sum" in form or "mean" in form else 4 * np.finfo(dtype).smallest_subnormal
                    np.testing.assert_allclose(got, expected, rtol=rtol, atol=atol)
                else:
                    assert np.array_equal(got, expected), (dtype, dim)


def rows_for(width: int) -> int:
    """Many blocks of narrow rows, some tens of wide ones."""
    return ROWS if width < 100 else 241


def _trial_arrays(width: int, dtype: str) -> list[np.ndarray]:
    rows = rows_for(width)
    array = drawn((rows, width), dtype, width)
    if array.dtype.kind != "f":
        return [array]
    special = np.round(array)
    middle = rows * 3 // 4
    special[7, 1], special[middle, 0], special[middle, 2], special[rows - 1, 1] = np.nan, -np.inf, np.inf, np.nan
    return [array, np.round(array), special]


def test_the_first_of_equal_ones_in_any_block() -> None:
    """Also where it is in the rows that are left after whole vectors."""
    for seed in range(20):
        x = np.round(drawn((1301, 10), "float32", seed))
        for expression in ("argmax(x, 0)", "argmin(x, 0)", "argmax(x, 1)"):
            value, _ = build(expression, {"x": x})
            (got,), _, rest = both([value])
            function = np.argmin if "min" in expression else np.argmax
            assert rest == [] and np.array_equal(got, function(x, int(expression[-2])))


# Rows in all shapes ---------------------------------------------------------------------------------------------------

TWO = ["add", "div", "maximum", "lt", "atan2", "pow", "remainder", "xlogy"]
SHAPED = [("rows", "width"), ("rows", 1), (1, "width"), ("width",), ()]


@pytest.mark.slow
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", TWO)
def test_broadcasting(name: str, width: int) -> None:
    lengths = {"rows": rows_for(width), "width": width, 1: 1}
    for dtype in ("float32", "float64"):
        for shape in SHAPED:
            other = tuple([lengths[n] for n in shape])
            x, y = np.abs(drawn((lengths["rows"], width), dtype)) + 0.5, np.abs(drawn(other, dtype, 1)) + 0.5
            for inputs in ((x, y), (y, x)):
                roots = [make(OPS[name], tuple([constant(np.asarray(a)) for a in inputs]))]
                (got,), (expected,), rest = both(roots)
                assert rest == [], (dtype, shape)
                agree([got], [expected], 1e-6 if dtype == "float32" else 1e-14)


@pytest.mark.parametrize("width", [1, 3, 20, 100])
def test_elements_anywhere_in_memory(width: int) -> None:
    """What a number is does not depend on how its array lies."""
    wide = drawn((2 * ROWS, 3 * width), "float32")
    plain = np.ascontiguousarray(wide[::2, ::3])
    value = None
    for array in (plain, np.asfortranarray(plain), wide[::2, ::3], plain[::-1].copy()[::-1]):
        x = constant(array)
        roots = [OPS["gelu"](x), OPS["sum"](x * x, 1), OPS["amax"](x, 0)]
        got, _, rest = both(roots)
        assert rest == []
        value = value or got
        assert all(same_bits(a, b) for a, b in zip(got, value, strict=True))


# What kernels refuse --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("expression", ["nll_loss(X, i)", "cross_entropy(X, i)", "nll_loss(X, i, reduction='none')"])
def test_classes_out_of_range(expression: str) -> None:
    """The kernel's own words, wherever the wrong one is."""
    for place, wrong in ((0, 20), (700, -1), (1200, 99)):
        i = np.arange(ROWS) % 20
        i[place] = wrong
        value, _ = build(expression, {"X": drawn((ROWS, 20), "float32"), "i": i})
        with pytest.raises(GradcliError, match=f"class {wrong} is out of range: there are 20 classes") as error:
            both([value])
        assert error.value.span is not None
    ENGINE.set("native")
    i = np.arange(ROWS) % 20
    i[5] = -100
    value, _ = build(expression, {"X": drawn((ROWS, 20), "float32"), "i": i})
    got, expected, rest = both([value])
    assert rest == []
    agree(got, expected, 1e-6)


@pytest.mark.parametrize("sizes", [BLOCKS, Sizes(small=1, little=0)])
@pytest.mark.parametrize("expression", ["binary_cross_entropy(x, y)", "binary_cross_entropy(2*x - x, y)"])
@pytest.mark.parametrize(("place", "wrong"), [(0, -0.25), (5000, 1.5), (9000, np.nan)])
def test_what_is_no_probability(expression: str, place: int, wrong: float, sizes: Sizes) -> None:
    """Complained of in the same words as by NumPy's engine, whether an input or computed."""
    inputs = {name: drawn((9001,), "float32", k) % 1 for k, name in enumerate("xy")}
    got, expected, rest = both(with_gradients(expression, inputs), sizes)
    assert rest == []
    agree(got, expected, 1e-5)
    inputs["x"][:2] = 0, 1
    agree(*both([build(expression, inputs)[0]], sizes)[:2], 1e-5)
    inputs["x"][place] = wrong
    words = []
    for engine in ("numpy", "native"):
        ENGINE.set(engine)
        program = plan(with_gradients(expression, inputs), sizes=sizes)
        with pytest.raises(GradcliError, match="the input is not between 0 and 1") as error:
            run(program, [known_value(leaf) for leaf in program.leaves])
        words.append((str(error.value), error.value.span))
    assert words[0] == words[1] and words[0][1] is not None


@pytest.mark.parametrize("expression", ["sum(L[l])", "sum(F[i]**2)", "sum(B[:, i])", "sum(exp(L)[l])", "F[i]"])
def test_places_out_of_range(expression: str) -> None:
    """Complained of in the same words as by NumPy's engine, before anything is made of what is not there."""
    name = "l" if "l" in expression else "i"
    for at, wrong in ((0, 71), (700, -72), (1200, 10**12)):
        inputs = inputs_of(expression, "float32")
        inputs[name][at] = wrong
        roots = with_gradients(expression, inputs)
        words = []
        for engine in ("numpy", "native"):
            ENGINE.set(engine)
            program = plan(roots, sizes=BLOCKS)
            with pytest.raises(GradcliError, match=f"index {wrong} is out of range") as error:
                run(program, [known_value(leaf) for leaf in program.leaves])
            words.append((str(error.value), error.value.span))
        assert words[0] == words[1] and words[0][1] is not None


@pytest.mark.parametrize("places", ["tensor([0, 70, 1]).long()", "tensor([0, -80, 1]).long()*ones(3).long()"])
@pytest.mark.parametrize("expression", ["x[{}]*2", "x.mT[:, {}]*2", "sum(x[{}]**2)", "embedding({}, x)*2"])
def test_places_out_of_range_that_are_computed_while_planning(expression: str, places: str) -> None:
    """Numbers of the expression that nobody looked at when it was read: they counted as looked at."""
    roots = with_gradients(expression.format(places), {"x": drawn((70, ROWS), "float64")})[:1]
    words = []
    for engine in ("numpy", "native"):
        ENGINE.set(engine)
        program = plan(roots, sizes=BLOCKS)
        with pytest.raises(GradcliError, match="index (70|-80) is out of range") as error:
            run(program, [known_value(leaf) for leaf in program.leaves])
        words.append(str(error.value))
    assert words[0] == words[1]


@pytest.mark.parametrize("expression", ["sum(index_add(x, 0, i, s))", "sum(index_put(x, (i,), s, accumulate=True))"])
def test_places_where_nothing_is(expression: str) -> None:
    inputs = {"x": np.zeros((0, ROWS)), "i": np.zeros(4, int), "s": drawn((4, ROWS), "float64")}
    program = plan(with_gradients(expression, inputs), sizes=BLOCKS)
    ENGINE.set("native")
    with pytest.raises(GradcliError, match="index 0 is out of range for dimension 0 of length 0"):
        run(program, [known_value(leaf) for leaf in program.leaves])


@pytest.mark.parametrize("expression", ["sum(L[l]*x)", "sum(F[i]**2)", "sum(B[:, i]**2)", "sum(E[j]**3)"])
def test_sums_at_places_have_the_same_bits_for_any_threads(expression: str) -> None:
    ENGINE.set("native")
    program = plan(with_gradients(expression, inputs_of(expression, "float32")), sizes=BLOCKS)
    leaves = [known_value(leaf) for leaf in program.leaves]
    first = [array.copy() for array in run(program, leaves, threads=1)]
    for threads in (2, 5):
        again = run(program, leaves, threads=threads)
        assert all(same_bits(a, b) for a, b in zip(first, again, strict=True))


@pytest.mark.parametrize(
    "expression", ["(2*X).T", "exp(X - amax(X, 1, True)).T", "quantile(X.T[:, :50], 0.3, 0).exp()"]
)
@pytest.mark.parametrize("shape", [(300, 200), (300, 5)])
def test_results_that_are_cut_along_another_dimension(expression: str, shape: tuple[int, int]) -> None:
    roots = with_gradients(expression, {"X": drawn(shape, "float32")})
    for sizes in (BLOCKS, TINY[1]):
        got, expected, _ = both(roots, sizes)
        agree(got, expected, 1e-5)


@pytest.mark.parametrize(
    "expression", ["scatter_add(X, dim, i, Y)", "gather(X, dim, i)", "exp(scatter_add(2*X, dim, i, Y*Y))"]
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rows_are_added_up_at_places_with_the_bits_of_numpy(expression: str, dtype: str) -> None:
    """Rows of less than a vector, of several, of more places than sums; matrices along each dimension; a single sum."""
    rng = np.random.default_rng(0)
    for dim, shape, places in (
        *[(1, (ROWS, 3), 3), (1, (ROWS, 10), 12), (1, (ROWS, 20), 20), (1, (ROWS, 7), 33), (1, (ROWS, 1), 5)],
        *[(1, (ROWS, 4, 9), 6), (2, (ROWS, 4, 9), 40), (1, (ROWS, 3, 2), 4)],
    ):
        wide = tuple(places if d == dim else n for d, n in enumerate(shape))
        arrays = {"X": drawn(shape, dtype), "Y": drawn(wide, dtype, 1), "i": rng.integers(0, shape[dim], wide)}
        arrays["X"] = np.where(rng.random(shape) < 0.1, -0.0, arrays["X"]).astype(dtype)
        arrays["Y"][::50], arrays["Y"][::70] = np.inf, 1e30
        text = expression.replace("dim", str(dim))
        roots = with_gradients(text, {name: array for name, array in arrays.items() if name in text})
        got, expected, rest = both(roots)
        assert rest == []
        # Exponentials and reductions may round in another way.
        for mine, theirs in zip(got, expected, strict=True):
            assert same_bits(mine, theirs) if "exp" not in text else np.allclose(mine, theirs, 1e-5, equal_nan=True)


@pytest.mark.parametrize("expression", ["scatter_add(X, 1, i, X)", "gather(X, 1, i)"])
def test_places_out_of_range_of_a_row(expression: str) -> None:
    """Wherever it is in a vector, also in one that is not full; what lies behind its end does not count."""
    for width, row, column, wrong in (
        (5, 700, 3, -1),
        (5, ROWS - 1, 4, 10**12),
        (37, 700, 36, 37),
        (37, 0, 15, -(2**63)),
    ):
        i = np.zeros((ROWS, width), np.int64)
        i[row, column] = wrong
        roots = with_gradients(expression, {"X": drawn((ROWS, width), "float32"), "i": i})
        message = f"index {wrong} is out of range for dimension 1 of length {width}"
        with pytest.raises(GradcliError, match=message):
            both(roots)
        ENGINE.set("native")
        program = plan(roots, sizes=BLOCKS)
        with pytest.raises(GradcliError, match=message) as error:
            run(program, [known_value(leaf) for leaf in program.leaves])
        assert error.value.span is not None


def test_integers_by_zero_and_to_negative_powers() -> None:
    x, y = drawn((9001,), "int32"), drawn((9001,), "int32", 1)
    for expression in ("x // y", "x % y", "fmod(x, y)", "x**y"):
        value, _ = build(expression, {"x": x, "y": y})
        program = plan([value], sizes=BLOCKS)
        ENGINE.set("native")
        assert left(program) != []
        with pytest.raises(GradcliError, match="zero|negative"):
            run(program, [known_value(leaf) for leaf in program.leaves])


# Which rows there are -------------------------------------------------------------------------------------------------

#: Rows that run in blocks and have no native form, with the reason.
NOT_NATIVE = {
    **dict.fromkeys(("det", "inv", "slogdet", "solve", "cholesky"), "LAPACK's"),
    **dict.fromkeys(
        ("linalg_svd", "_svdvals", "eigh", "_eigvalsh", "linalg_qr", "inv_ex", "cholesky_ex", "pinv"), "LAPACK's"
    ),
    **dict.fromkeys(
        ("solve_triangular", "triangular_solve", "cholesky_solve", "cholesky_inverse"), "one row after the other"
    ),
    **dict.fromkeys(("lu_factor_ex", "linalg_lu", "linalg_lu_solve"), "one row after the other"),
    **dict.fromkeys(("matrix_exp", "householder_product", "ormqr"), "products of matrices and systems"),
    **dict.fromkeys(("_cofactor", "_cofactor_slope", "_cofactor_slopes", "_inverse_limit"), "LAPACK's"),
    **dict.fromkeys(
        ("tril", "triu", "diagonal", "diag_embed", "_diagonal_back"), "depends on places along two dimensions"
    ),
    "_each": "a graph, for one row after the other",
    **dict.fromkeys(("sort", "topk", "kthvalue", "_median", "_nanmedian", "mode", "_searched"), "NumPy's sorting"),
    **dict.fromkeys(("take", "_one_hot"), "the places are data"),
    **dict.fromkeys(("_scatter_reduced", "_last"), "the places are data"),
    **dict.fromkeys(("_slice_scatter", "_select_scatter"), "a copy, and one more of a part"),
    "_by_weight": "the places are data",
    "_whole_numbers": "refuses what is no whole number",
    "_checked": "refuses what is no probability or deviation",
    **dict.fromkeys(("_columns", "_from_columns", "unfold", "_fold", "_resample"), "windows of neighbouring places"),
    **dict.fromkeys(("_max_pool", "_max_unpool", "_pool_added", "_pool_picked"), "windows of neighbouring places"),
    "_pad_with_own_back": "places come several times",
    **dict.fromkeys(("cummax", "cummin", "aminmax", "var_mean", "std_mean", "_split"), "several results at once"),
    "lu_unpack": "several results at once",
    "frexp": "two results of different types",
    "_one_step": "an operation on places, one after the other",
    **dict.fromkeys(("_again", "_overwritten"), "left out where values are computed"),
    **dict.fromkeys(("view", "_unsafe_view", "_reshape_alias", "squeeze", "unsqueeze"), "nothing is computed"),
}


def test_every_row_that_runs_in_blocks_is_native_or_has_a_reason() -> None:
    without = set()
    for op in OPS.values():
        accumulate = op.blocking.accumulate
        reduces = accumulate is not None and accumulate.lanes is not None
        if op.kernel is not None and op.blocking is not WHOLE and not (op.native or reduces or op.blocking.lower):
            without.add(op.name)
    assert without == set(NOT_NATIVE)


# Every operation of the registry --------------------------------------------------------------------------------------

#: Blocks of a row or two, and one block.
TINY = [Sizes(small=1, block_bytes=64, least=1, elements=1, matrix_rows=1, little=0), Sizes(small=1, little=0)]


@cache
def usual_inputs() -> dict[str, np.ndarray]:
    return {name: op_by_op([build(text, {})[0]])[0] for name, text in INPUTS.items()}


def test_nothing_is_written_over_what_a_pass_copies_at_its_end() -> None:
    """The gradient of p was written where the heads side by side still were, of which a pass copies a view."""
    text = "multi_head_attention_forward(r, r, r, 2, 1, cat([p, p]), None, None, None, False, 0., p[:2], None)[0]"
    roots = with_gradients(text, {name: usual_inputs()[name].astype("float32") for name in ("r", "p")})
    for sizes in TINY:
        got, expected, _ = both(roots, sizes)
        agree(got, expected, 1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in NAMES if not OPS[name].draws])
def test_every_operation(name: str) -> None:
    """Value and gradients, whatever of it is native."""
    for text in sound(name):
        words = set(re.findall(r"\w+", text))
        for dtype in ("float32", "float64"):
            given = {k: a.astype(dtype) if a.dtype.kind == "f" else a for k, a in usual_inputs().items() if k in words}
            try:
                roots = with_gradients(text, given)
            except UnmeasuredError:
                # What has the shape of data is computed before there is a graph.
                continue
            for sizes in TINY:
                got, expected, _ = both(roots, sizes)
                for mine, theirs in zip(got, expected, strict=True):
                    # Some, such as windows, are float32 whatever they are given.
                    single = "float32" in (dtype, str(theirs.dtype))
                    agree([mine], [theirs], 1e-5 if single else 1e-12)
