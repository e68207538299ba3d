"""Activations: figures of PyTorch 2.13, extreme values, derivatives at kinks, and types."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from gradcli.autodiff.vjp import vjp
from gradcli.engine.execute.run import execute
from gradcli.errors import GradcliError
from gradcli.graph.node import constant
from gradcli.ops.kernels.erf import normal_cdf
from tests.cases import Case
from tests.gradients import build, errors


def derivatives(expression: str, x: Any, orders: int) -> list[np.ndarray]:
    """The value and so many derivatives of an elementwise expression of x."""
    node, leaves = build(expression, {"x": np.asarray(x)})
    results = [node]
    for _ in range(orders):
        ones = constant(np.ones(results[-1].shape, results[-1].dtype))
        results.append(vjp([results[-1]], [ones], [leaves["x"]])[leaves["x"]])
    return execute(results)


# Value, first and second derivative in double precision at -3, 0.5 and 6.
FIGURES: dict[str, list[list[float]]] = {
    "sigmoid(x)": [
        [0.04742587317756678, 0.6224593312018546, 0.9975273768433653],
        [0.04517665973091214, 0.2350037122015945, 0.002466509291359931],
        [0.040891574660943474, -0.05755679485232075, -0.0024543117953801886],
    ],
    "logsigmoid(x)": [
        [-3.048587351573742, -0.4740769841801067, -0.0024756851377304495],
        [0.9525741268224333, 0.37754066879814546, 0.0024726231566347748],
        [-0.04517665973091214, -0.2350037122015945, -0.002466509291359931],
    ],
    "relu(x)": [[0.0, 0.5, 6.0], [0.0, 1.0, 1.0], [0.0, 0.0, 0.0]],
    "relu6(x)": [[0.0, 0.5, 6.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]],
    "leaky_relu(x, 0.2)": [[-0.6000000000000001, 0.5, 6.0], [0.2, 1.0, 1.0], [0.0, 0.0, 0.0]],
    "elu(x)": [[-0.950212931632136, 0.5, 6.0], [0.049787068367863944, 1.0, 1.0], [0.049787068367863944, 0.0, 0.0]],
    "elu(x, 0.3)": [
        [-0.2850638794896408, 0.5, 6.0],
        [0.014936120510359183, 1.0, 1.0],
        [0.014936120510359183, 0.0, 0.0],
    ],
    "selu(x)": [
        [-1.6705687287671118, 0.5253504936777402, 6.304205924132883],
        [0.08753061208026487, 1.0507009873554805, 1.0507009873554805],
        [0.08753061208026487, 0.0, 0.0],
    ],
    "silu(x)": [
        [-0.14227761953270035, 0.3112296656009273, 5.985164261060192],
        [-0.08810410601516962, 0.7399611873026519, 1.0123264325915249],
        [-0.032321404521006174, 0.4412290269770286, -0.00979285218956127],
    ],
    "mish(x)": [
        [-0.1456474612756246, 0.3752452113048951, 5.999926634065252],
        [-0.09339311453232084, 0.8864243753577273, 1.0001341405062103],
        [-0.03992871324212924, 0.46805337784488654, -0.000242857626120053],
    ],
    "softplus(x)": [
        [0.04858735157374206, 0.9740769841801067, 6.00247568513773],
        [0.04742587317756679, 0.6224593312018546, 0.9975273768433652],
        [0.04517665973091214, 0.2350037122015945, 0.002466509291359931],
    ],
    "softplus(x, 2.0, 5.0)": [
        [0.0012378425688652247, 0.6566308437591114, 6.0],
        [0.0024726231566347748, 0.7310585786300049, 1.0],
        [0.004933018582720096, 0.3932238664829637, 0.0],
    ],
    "softsign(x)": [
        [-0.75, 0.3333333333333333, 0.8571428571428571],
        [0.0625, 0.4444444444444444, 0.020408163265306117],
        [0.03125, -0.5925925925925926, -0.005830903790087463],
    ],
    "hardtanh(x, -4.0, 1.0)": [[-3.0, 0.5, 1.0], [1.0, 1.0, 0.0], [0.0, 0.0, 0.0]],
    "gelu(x)": [
        [-0.00404969409489031, 0.34573123063700656, 5.999999994080474],
        [-0.01194564720418392, 0.8674951246561629, 1.0000000354687093],
        [-0.031022938883566054, 0.616114321837524, -2.0658001689399173e-07],
    ],
    "gelu(x, approximate='tanh')": [
        [-0.0036373920817729943, 0.34571400982514394, 5.9999999999156035],
        [-0.011584166630969648, 0.8673699035346424, 1.0000000007709977],
        [-0.03176765888607492, 0.615506895115985, -6.824247144948227e-09],
    ],
}


@pytest.mark.parametrize("expression", FIGURES)
def test_figures(expression: str) -> None:
    got = derivatives(expression, [-3.0, 0.5, 6.0], 2)
    np.testing.assert_allclose(got, FIGURES[expression], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("expression", FIGURES)
def test_finite_differences_away_from_kinks(expression: str, order: int) -> None:
    for domain in ((-0.9, -0.1), (1.1, 2.9)):
        case = Case(expression, {"x": ((4,), domain)})
        assert errors(expression, case.arrays(), order) == []


@pytest.mark.parametrize(
    ("expression", "at", "slope"),
    [
        ("relu(x)", 0.0, 0.0),
        ("relu(x)", math.nan, 1.0),
        ("relu(x)", math.inf, 1.0),
        ("leaky_relu(x)", 0.0, 0.01),
        ("hardtanh(x)", 1.0, 0.0),
        ("hardtanh(x)", -1.0, 0.0),
        ("relu6(x)", 6.0, 0.0),
        ("relu6(x)", 0.0, 0.0),
        ("elu(x)", 0.0, 1.0),
        ("elu(x)", math.nan, 1.0),
        ("selu(x)", 0.0, 1.7580993408473766),
        ("softsign(x)", 0.0, 1.0),
    ],
)
def test_slopes_at_kinks(expression: str, at: float, slope: float) -> None:
    assert derivatives(expression, [at], 1)[1].tolist() == [slope]


@pytest.mark.parametrize("expression", ["relu(x)", "leaky_relu(x)", "hardtanh(x)", "relu6(x)"])
def test_second_derivatives_of_piecewise_linear_functions_are_zeros(expression: str) -> None:
    assert derivatives(expression, [-2.0, 0.0, 0.5, 7.0], 2)[2].tolist() == [0.0] * 4


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_no_overflow_and_no_lost_digits(dtype: str) -> None:
    x = np.array([-1e30, -1000, -80, -1e-30, 0, 1e-30, 80, 1000, 1e30], dtype)
    exact = np.array(x, np.float64)
    tail = np.exp(-np.abs(exact))
    sigmoid = np.where(exact < 0, tail, 1) / (1 + tail)
    expected = {
        "sigmoid(x)": (sigmoid, sigmoid * (1 - sigmoid)),
        "logsigmoid(x)": (np.minimum(exact, 0) - np.log1p(tail), np.where(exact < 0, 1, tail) / (1 + tail)),
        "softplus(x, threshold=1e9)": (np.maximum(exact, 0) + np.log1p(tail), sigmoid),
        "elu(x)": (np.where(exact > 0, exact, np.expm1(np.minimum(exact, 0))), np.where(exact > 0, 1, tail)),
        "silu(x)": (exact * sigmoid, None),
        "mish(x)": (exact * np.tanh(np.maximum(exact, 0) + np.log1p(tail)), None),
    }
    for expression, (value, slope) in expected.items():
        # Above 88 the exponential is infinite in single precision: that is what the threshold of softplus is for.
        keep = slice(None) if "softplus" not in expression else slice(0, 7)
        got = derivatives(expression, x, 1)
        np.testing.assert_allclose(got[0][keep], value[keep], rtol=1e-6, atol=1e-38, err_msg=expression)
        if slope is not None:
            relative = 1e-6 if expression != "sigmoid(x)" else 1e-5
            np.testing.assert_allclose(got[1][keep], slope[keep], rtol=relative, atol=1e-34, err_msg=expression)
        assert np.isfinite(got[1]).all()


def test_half_precision_keeps_its_digits() -> None:
    x = np.array([-4.0, -2.0], np.float16)
    np.testing.assert_allclose(derivatives("gelu(x, approximate='tanh')", x, 0)[0], [-7.02e-05, -0.0454], rtol=1e-2)
    np.testing.assert_allclose(derivatives("gelu(x)", x, 0)[0], [-0.0001267, -0.0455], rtol=1e-2)


# The normal distribution function -------------------------------------------------------------------------------------


# Computed with 40 digits.
EXACT = {
    -37.5: 4.605353009581955e-308,
    -20.3: 6.429244467698346e-92,
    -8.0: 6.220960574271784e-16,
    -5.7: 5.990371401063528e-09,
    -3.3: 0.0004834241423837775,
    -1.0: 0.15865525393145705,
    -0.6: 0.2742531177500736,
    -0.1: 0.460172162722971,
    0.1: 0.539827837277029,
    0.7: 0.758036347776927,
    2.5: 0.9937903346742238,
    5.0: 0.9999997133484281,
}


def test_the_normal_distribution_function_is_exact() -> None:
    np.testing.assert_allclose(normal_cdf(np.array(list(EXACT))), list(EXACT.values()), rtol=1e-15)
    # The C library's error function sees the argument rounded, which shows in the far tail only.
    x = np.concatenate([np.linspace(-6, 8, 20001), [0.6629126, -0.6629126, 5.656854, -5.656854, 0.0]])
    expected = np.array([math.erfc(-v * math.sqrt(0.5)) / 2 for v in x.tolist()])
    np.testing.assert_allclose(normal_cdf(x), expected, rtol=1e-14)
    # In single precision most results are correctly rounded.
    single = x.astype(np.float32)
    expected = np.array([math.erfc(-v * math.sqrt(0.5)) / 2 for v in single.tolist()])
    off = np.testing.assert_array_max_ulp(normal_cdf(single), expected.astype(np.float32), 4)
    assert np.mean(off) < 0.5


def test_the_normal_distribution_function_elsewhere() -> None:
    with np.errstate(all="ignore"):
        ends = normal_cdf(np.array([np.inf, -np.inf, 1e300, -1e300, np.nan]))
    np.testing.assert_array_equal(ends, [1, 0, 1, 0, np.nan])
    assert normal_cdf(np.zeros((2, 0))).shape == (2, 0)
    assert normal_cdf(np.array(0.0)).shape == ()
    y = np.random.default_rng(0).normal(size=(300, 70))
    # Block by block, transposed or one by one: the same bits.
    assert np.array_equal(normal_cdf(y.T), normal_cdf(y).T)
    assert all(normal_cdf(y[k, k]) == normal_cdf(y)[k, k] for k in range(70))


# Softmax --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_softmax_far_from_zero(dtype: str) -> None:
    x = np.array([[1000.0, 1001.0, -1e30], [-2000.0, -2000.0, -2000.0]], dtype)
    soft, logs = (derivatives(f"{name}(x, 1)", x, 0)[0] for name in ("softmax", "log_softmax"))
    np.testing.assert_allclose(soft, [[0.2689414213699951, 0.7310585786300049, 0], [1 / 3] * 3], rtol=1e-6)
    np.testing.assert_allclose(logs, [[-1.3132616875182228, -0.3132616875182228, -1e30], [-math.log(3)] * 3], rtol=1e-6)


def test_softmax_over_many_elements_keeps_its_digits() -> None:
    x = np.zeros((3_000_001, 1), np.float32)
    np.testing.assert_allclose(derivatives("softmax(x, 0)", x, 0)[0][0], 1 / 3_000_001, rtol=1e-6)


def test_softmax_of_no_and_of_one_element() -> None:
    assert derivatives("softmax(x, 1)", np.zeros((3, 0)), 1)[1].shape == (3, 0)
    assert derivatives("softmax(x, 0)", np.zeros((0, 3)), 0)[0].shape == (0, 3)
    assert derivatives("softmax(x, 0)", np.array(2.0), 1) == [pytest.approx(1.0), pytest.approx(0.0)]
    assert derivatives("log_softmax(x, -1)", np.array(2.0), 1) == [pytest.approx(0.0), pytest.approx(0.0)]


# Types and refusals ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "dtype", "result"),
    [
        ("relu(x)", "int32", "int32"),
        ("relu6(x)", "uint8", "uint8"),
        ("hardtanh(x)", "int64", "int64"),
        ("sigmoid(x)", "int64", "float32"),
        ("softsign(x)", "int32", "float32"),
        ("gelu(x)", "float16", "float16"),
        ("softmax(x, 0, dtype=float64)", "float32", "float64"),
        ("sigmoid(x)", "bool", "float32"),
    ],
)
def test_result_types(expression: str, dtype: str, result: str) -> None:
    node, _ = build(expression, {"x": np.array([0, 1, 1]).astype(dtype)})
    assert node.dtype == result
    assert execute([node])[0].dtype == result


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("relu(x > 0)", "not defined for booleans"),
        ("hardtanh(x, 2., 1.)", "greater than max_val"),
        ("gelu(x, approximate='cosh')", "use 'none' or 'tanh'"),
        ("softmax(x)", "needs 'dim'"),
        ("softmax(x, 1)", "out of range"),
        ("leaky_relu(x, x)", "must be a number"),
        ("elu(x, beta=1)", "no argument 'beta'"),
    ],
)
def test_refusals(expression: str, message: str) -> None:
    with pytest.raises(GradcliError) as refusal:
        execute([build(expression, {"x": np.ones(3)})[0]])
    assert message in refusal.value.render()
