"""Elementwise operations beyond the first ones: figures of mpmath, PyTorch's dropout, bits, and what is refused."""

from __future__ import annotations

import math
from typing import Any

import mpmath
import numpy as np
import pytest

import gradcli as gc
from gradcli.engine.native.choice import using
from gradcli.errors import GradcliError
from tests.gradients import errors

mpmath.mp.dps = 40


def _ncdf(x: Any) -> Any:
    return mpmath.erfc(-x / mpmath.sqrt(2)) / 2


def _log_ncdf(x: Any) -> Any:
    return mpmath.log1p(-_ncdf(-x)) if x > 0 else mpmath.log(_ncdf(x))


def _quantile(p: Any) -> Any:
    if 0.01 < p < 0.99:
        return mpmath.sqrt(2) * mpmath.erfinv(2 * p - 1)
    tail = min(p, 1 - p)
    start = -mpmath.sqrt(-2 * mpmath.log(tail))
    x = mpmath.findroot(lambda z: mpmath.log(_ncdf(z)) - mpmath.log(tail), start)
    return x if p < 0.5 else -x


def _multigamma(x: Any) -> Any:
    return sum(mpmath.loggamma(x - mpmath.mpf(k) / 2) for k in range(3)) + 1.5 * mpmath.log(mpmath.pi)


EVERYWHERE = [-40.0, -7.25, -2.0, -0.3, -1e-9, 1e-300, 1e-5, 0.7, 1.0, 3.3, 9.0, 24.9, 25.1, 80.0, 600.0]
PROBABILITIES = [1e-300, 1e-20, 1e-5, 0.07, 0.2, 0.4999, 0.51, 0.8, 0.93, 0.99999]
#: The function, its arguments, and how many units in the last place it may be off.
FUNCTIONS: dict[str, tuple[Any, list[float], float]] = {
    "i0": (lambda x: mpmath.besseli(0, x), EVERYWHERE, 8),
    "i0e": (lambda x: mpmath.besseli(0, x) * mpmath.exp(-abs(x)), EVERYWHERE, 8),
    "i1": (lambda x: mpmath.besseli(1, x), EVERYWHERE, 8),
    "i1e": (lambda x: mpmath.besseli(1, x) * mpmath.exp(-abs(x)), EVERYWHERE, 8),
    "erfcx": (lambda x: mpmath.exp(x * x) * mpmath.erfc(x), [x for x in EVERYWHERE if x > -26] + [1e6], 5),
    "ndtr": (_ncdf, [x for x in EVERYWHERE if x > -38], 5),
    "log_ndtr": (
        lambda x: mpmath.log1p(-_ncdf(-x)) if x > 0 else mpmath.log(_ncdf(x)),
        [-1e5, -300.0, *EVERYWHERE[:-2]],
        5,
    ),
    "ndtri": (_quantile, PROBABILITIES, 6),
    "erfinv": (mpmath.erfinv, [-0.99999, -0.9, -1e-9, 1e-300, 0.1, 0.5, 0.85, 0.999], 6),
    "logit": (lambda p: mpmath.log(p / (1 - p)), PROBABILITIES, 5),
    "entr": (lambda x: -x * mpmath.log(x), [1e-300, 0.3, 2.0, 1e10], 3),
    "sinc": (lambda x: mpmath.sinc(mpmath.pi * x), [1e-9, 0.3, 0.9, 2.6, -7.3], 8),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_figures_of_mpmath(name: str) -> None:
    function, places, allowed = FUNCTIONS[name]
    found = getattr(gc, name)(gc.tensor(places, dtype=gc.float64)).value()
    for x, got in zip(places, found.tolist(), strict=True):
        exact = function(mpmath.mpf(x))
        if abs(exact) > 1e308:
            assert math.isinf(got)
        else:
            off = abs(mpmath.mpf(got) - exact) / math.ulp(float(exact))
            assert off <= allowed, f"{name}({x}) is {got}, {mpmath.nstr(exact, 20)}, off by {float(off)}"


def test_the_multivariate_gamma_function() -> None:
    x = [1.25, 2.0, 17.5]
    found = gc.mvlgamma(gc.tensor(x, dtype=gc.float64), 3).value()
    np.testing.assert_allclose(found, [float(_multigamma(mpmath.mpf(v))) for v in x], rtol=1e-14)


@pytest.mark.parametrize(
    ("name", "function", "x"),
    [
        ("sinc", lambda x: mpmath.sinc(mpmath.pi * x), 0.0),
        ("sinc", lambda x: mpmath.sinc(mpmath.pi * x), 0.4),
        ("sinc", lambda x: mpmath.sinc(mpmath.pi * x), 5.3),
        ("i1", lambda x: mpmath.besseli(1, x), 0.0),
        ("i0", lambda x: mpmath.besseli(0, x), 2.0),
        ("i0", lambda x: mpmath.besseli(0, x), 30.0),
        ("erfcx", lambda x: mpmath.exp(x * x) * mpmath.erfc(x), 0.5),
        ("erfcx", lambda x: mpmath.exp(x * x) * mpmath.erfc(x), 20.0),
        *[("log_ndtr", lambda x: mpmath.log(_ncdf(x)), x) for x in (-30.0, 3.0, 60.0, 1e9)],
        ("ndtri", _quantile, 0.3),
    ],
)
def test_derivatives_to_the_fourth_order(name: str, function: Any, x: float) -> None:
    leaf = gc.tensor(x, dtype=gc.float64, requires_grad=True)
    value = getattr(gc, name)(leaf)
    for order in range(1, 5):
        (value,) = gc.grad(value, leaf, create_graph=True)
        with mpmath.workdps(60):
            exact = float(mpmath.diff(function, mpmath.mpf(x), order))
        assert value.item() == pytest.approx(exact, rel=1e-11, abs=1e-12)


@pytest.mark.parametrize(
    "expression", ["hardsigmoid(x)", "rrelu(x)", "rrelu(x, 0.1, 0.9)", "heaviside(x, x)", "nextafter(x, 9)"]
)
@pytest.mark.parametrize("order", [1, 2])
def test_gradients_that_pytorch_has_not_exactly(expression: str, order: int) -> None:
    assert errors(expression, {"x": np.array([-3.7, -1.2, 0.4, 2.5])}, order) == []


def test_steps() -> None:
    x = gc.tensor([-4.0, -3.0, 0.0, 3.0, 5.0])
    assert gc.hardsigmoid(x).tolist() == [0.0, 0.0, 0.5, 1.0, 1.0]
    assert gc.heaviside(x, gc.tensor(0.25)).tolist() == [0.0, 0.0, 0.25, 1.0, 1.0]
    values = gc.tensor([1.0, 2.0, 3.0, 4.0, 5.0], requires_grad=True)
    gc.heaviside(x.requires_grad_(), values).sum().backward()
    assert x.grad is not None and x.grad.tolist() == [0] * 5
    assert values.grad is not None and values.grad.tolist() == [0, 0, 1, 0, 0]
    assert gc.threshold(gc.tensor([1, 2, 3]), 1.5, 7).tolist() == [7, 2, 3]
    assert gc.threshold(gc.tensor([1, 2, 3]), -math.inf, 7).tolist() == [1, 2, 3]


def test_closeness() -> None:
    x = gc.tensor([1.0, math.inf, math.nan, 2**53], dtype=gc.float64)
    assert gc.isclose(x, x).tolist() == [True, True, False, True]
    assert gc.isclose(x, x, equal_nan=True).tolist() == [True] * 4
    assert gc.isclose(gc.tensor([2**60]), gc.tensor([2**60 + 1]), 0, 0).tolist() == [False]
    assert bool(gc.allclose(x[:2], x[:2])) and not bool(gc.allclose(x, x))
    with pytest.raises(GradcliError, match="rtol must not be negative"):
        gc.isclose(x, x, -1)


# Dropout --------------------------------------------------------------------------------------------------------------

X = np.arange(1.0, 13.0).reshape(1, 3, 2, 2)
#: PyTorch 2.13's, for seed 0 and p = 0.3.
DROPPED: dict[str, tuple[dict[str, Any], list[float]]] = {
    "dropout": ({}, [0, 0, 3, 0, 5, 0, 7, 8, 9, 10, 11, 12]),
    "dropout2d": ({}, [0, 0, 0, 0, 0, 0, 0, 0, 9, 10, 11, 12]),
}


@pytest.mark.parametrize("name", DROPPED)
def test_dropout_has_pytorchs_numbers(name: str) -> None:
    words, kept = DROPPED[name]
    gc.manual_seed(0)
    x = gc.tensor(X, requires_grad=True)
    result = getattr(gc, name)(x, 0.3, **words)
    np.testing.assert_allclose(result.value().ravel(), np.array(kept) / 0.7)
    result.sum().backward()
    np.testing.assert_allclose(x.grad.value().ravel(), (np.array(kept) > 0) / 0.7)


def test_alpha_dropout_has_pytorchs_numbers() -> None:
    gc.manual_seed(0)
    found = gc.alpha_dropout(gc.tensor(X, dtype=gc.float32), 0.3, training=True).value().ravel()[:5]
    expected = [-1.059548258781433, -1.059548258781433, 3.036949872970581, -1.059548258781433, 4.758854866027832]
    np.testing.assert_array_equal(found, np.array(expected, "float32"))


def test_dropout_of_nothing_and_of_all() -> None:
    x = gc.tensor(X)
    assert gc.dropout(x, 0.0) is x and gc.dropout(x, 0.5, training=False) is x and gc.alpha_dropout(x) is x
    assert not gc.dropout(x, 1.0).value().any()
    for words, message in (({"p": 1.5}, "from 0 to 1"), ({"training": 1}, "True or False")):
        with pytest.raises(GradcliError, match=message):
            gc.dropout(x, **words)
    with pytest.raises(GradcliError, match="takes 4 or 5 dimensions"):
        gc.dropout3d(x[0])


# Operators ------------------------------------------------------------------------------------------------------------


def test_bits() -> None:
    x = gc.tensor([1, -5, 12])
    assert (x << 2).tolist() == [4, -20, 48] and (x >> 1).tolist() == [0, -3, 6] and (x ^ 7).tolist() == [6, -4, 11]
    assert (
        (1 << gc.tensor([3])).tolist() == [8] and (x << 64).tolist() == [0, 0, 0] and (x >> 64).tolist() == [0, -1, 0]
    )
    with pytest.raises(GradcliError, match="not for float32"):
        gc.tensor([1.5]) ^ 2


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("x + (1 << -1)", "by a negative number"),
        ("x + (1 << 10**9)", "too large"),
        ("x + (2.0 ^ 2)", "^ is defined for booleans and integers"),
        ("x << 2", "not for float32"),
    ],
)
def test_numbers_that_have_no_such_bits(expression: str, message: str) -> None:
    with pytest.raises(GradcliError) as error:
        gc.evaluate(expression, {"x": 1.0})
    assert message in str(error.value)


def test_operators_of_numbers() -> None:
    assert gc.evaluate("x + (1 + 2 << 3 & 25 ^ 2 | 4)", {"x": 0.0}).value.item() == (1 + 2 << 3 & 25 ^ 2 | 4)


# Conversions ----------------------------------------------------------------------------------------------------------


def test_to_in_all_its_forms() -> None:
    x = gc.tensor([[1.0, 2.0]], requires_grad=True)
    assert x.to("cpu") is x and x.to(gc.float32) is x and x.to(gc.ones(1)) is x
    for other in (
        x.to(gc.float64),
        x.to("cpu", gc.float64),
        x.to(dtype="float64", device="cpu"),
        x.to(gc.ones(1).double()),
    ):
        assert other.dtype == np.float64 and other.grad_fn.name() == "ToCopyBackward0"
    assert x.to(gc.float32, False, True) is not x and x.to("cpu", copy=True).grad_fn.name() == "ToCopyBackward0"
    image = gc.ones(2, 3, 4, 5).to(memory_format="channels_last")
    assert image.node.strides == (60, 1, 15, 3) and image.to(memory_format="contiguous_format").node.strides is None
    for call, message in (
        (lambda: x.to("cuda"), "there is no device 'cuda'"),
        (lambda: x.to("flot64"), "unknown dtype"),
        (lambda: x.to(), "takes a dtype, a device or a tensor"),
        (lambda: x.to(gc.float64, dtype=gc.float32), "twice"),
        (lambda: x.to(memory_format="channels_last"), "order of 4 dimensions"),
    ):
        with pytest.raises(GradcliError, match=message):
            call()


@pytest.mark.parametrize("engine", ["numpy", "native"])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_ldexp_of_infinite_exponents(engine: str, dtype: str) -> None:
    data = {"x": np.array([-1, 3, 0, -1, np.inf, 2], dtype), "y": np.array([-1, -1, -1, 1, 1, 1], dtype) * np.inf}
    with using(engine):
        found = gc.evaluate("ldexp(x, y)", data, grad_output=1)
    expected = [-0.0, 0.0, 0.0, -np.inf, np.inf, np.inf]
    np.testing.assert_array_equal(found.value.detach().numpy(), np.array(expected, dtype))
    assert found.grads["x"].tolist() == [0, 0, 0, np.inf, np.inf, np.inf]
