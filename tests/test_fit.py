"""`gradcli.fit`: NIST's certified values, SciPy's curve_fit, and what is said of models that cannot be fitted."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy.optimize import curve_fit

import gradcli as gc
from gradcli.errors import GradcliError, WorkError
from tests import nist

T = np.linspace(0, 4, 60)
Y = 2.5 * np.exp(-1.3 * T) + 0.5 + np.random.default_rng(7).normal(0, 0.05, T.size)
SIGMA = np.linspace(0.02, 0.09, T.size)
MODEL, START = "y = a*exp(-b*t) + c", {"a": 1, "b": 1, "c": 0}


def decay(t: np.ndarray, a: float, b: float, c: float) -> np.ndarray:
    return a * np.exp(-b * t) + c


def numbers(tensors: dict[str, Any]) -> np.ndarray:
    return np.concatenate([tensor.numpy().reshape(-1) for tensor in tensors.values()])


def digits(found: Any, certified: Any) -> float:
    """To how many digits numbers agree, the worst of them: NIST's logarithmic relative error."""
    worst = np.max(np.abs(np.asarray(found) - certified) / np.abs(certified))
    return -math.log10(max(worst, 1e-16))


# NIST -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("start", [0, 1])
@pytest.mark.parametrize("name", nist.NAMES)
def test_certified_values(name: str, start: int) -> None:
    problem = nist.problem(name)
    found = gc.fit(problem.model, problem.data, problem.starts[start])
    assert digits(numbers(found.parameters), list(problem.params.values())) > 9
    # What is left of Lanczos1 is the rounding of its data, 1e-13 of them, of which float64 has three digits.
    least = 2 if name == "Lanczos1" else 9
    assert digits(numbers(found.errors), list(problem.errors.values())) > least
    assert digits(found.statistics.chi_square, problem.sum_of_squares) > least
    assert digits(found.statistics.residual_std, problem.residual_std) > least
    assert found.reason and found.notes == ()


def test_all_of_the_collection_is_there() -> None:
    assert len(nist.NAMES) == 27
    assert nist.problem("Nelson").model == "log(y) = b1 - b2*x1 * exp(-b3*x2)"
    assert nist.problem("Thurber").params["b1"] == 1.2881396800e03


# SciPy ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", ["linear", "soft_l1", "huber", "cauchy"])
@pytest.mark.parametrize("absolute", [False, True])
@pytest.mark.parametrize("sigma", [None, SIGMA, 0.05])
def test_as_curve_fit(loss: str, absolute: bool, sigma: Any) -> None:
    y = Y.copy()
    y[[5, 30]] += 1
    found = gc.fit(MODEL, {"y": y, "t": T}, START, sigma=sigma, absolute_sigma=absolute, loss=loss)
    tight = {"ftol": 1e-14, "xtol": 1e-14, "gtol": 1e-14, "x_scale": "jac"}
    each = np.broadcast_to(sigma, T.shape) if sigma is not None else None
    params, covariance = curve_fit(
        decay, T, y, [1, 1, 0], each, absolute, method="trf", loss=loss, jac=_decay_slopes, **tight
    )
    assert np.allclose(numbers(found.parameters), params, rtol=1e-7)
    assert np.allclose(found.covariance.numpy(), covariance, rtol=1e-6)
    assert np.allclose(numbers(found.errors), np.sqrt(np.diag(covariance)), rtol=1e-6)


def _decay_slopes(t: np.ndarray, a: float, b: float, c: float) -> np.ndarray:
    return np.stack([np.exp(-b * t), -a * t * np.exp(-b * t), np.ones_like(t)], 1)


def test_bounds_as_curve_fit() -> None:
    bounds = {"b": (0, 1.2), "c": (None, 10)}
    found = gc.fit(MODEL, {"y": Y, "t": T}, START, bounds=bounds)
    low, high = [-np.inf, 0, -np.inf], [np.inf, 1.2, 10]
    params, covariance = curve_fit(
        decay, T, Y, [1, 1, 0], bounds=(low, high), jac=_decay_slopes, ftol=1e-14, xtol=1e-14, gtol=1e-14
    )
    assert found.parameters["b"].item() == 1.2
    assert np.allclose(numbers(found.parameters), params, rtol=1e-6)
    assert np.allclose(found.covariance.numpy(), covariance, rtol=1e-5)
    assert found.notes == ("b stands at its bound 1.2: its standard error does not take that into account",)


def test_a_start_on_its_bound_in_float32() -> None:
    """The bound is rounded as the start is."""
    bounds = {"b": (0.1, None)}
    found = gc.fit(MODEL, {"y": Y, "t": T}, {**START, "b": 0.1}, bounds=bounds, dtype="float32")
    assert found.parameters["b"].item() > 1


def test_sigma_may_be_the_name_of_an_input() -> None:
    named = gc.fit(MODEL, {"y": Y, "t": T, "s": SIGMA}, START, sigma="s")
    given = gc.fit(MODEL, {"y": Y, "t": T}, START, sigma=SIGMA)
    assert np.array_equal(numbers(named.parameters), numbers(given.parameters))


# What a fit tells -----------------------------------------------------------------------------------------------------


def test_statistics_of_a_line() -> None:
    """Against the textbook's formulas of a straight line."""
    x = np.arange(10.0)
    y = 3 * x + 1 + np.array([1, -1, 2, 0, -2, 1, 0, -1, 1, -1])
    found = gc.fit("y = m*x + n", {"x": x, "y": y}, {"m": 0, "n": 0})
    m, n = np.polyfit(x, y, 1)
    left = y - m * x - n
    rss = left @ left
    assert np.allclose([found.parameters["m"].item(), found.parameters["n"].item()], [m, n], rtol=1e-12)
    assert np.allclose(found.residuals.numpy(), left)
    quality = found.statistics
    assert (quality.observations, quality.degrees_of_freedom) == (10, 8)
    assert math.isclose(quality.chi_square, rss) and math.isclose(quality.reduced_chi_square, rss / 8)
    assert math.isclose(quality.residual_std, math.sqrt(rss / 8))
    assert math.isclose(quality.r_squared, np.corrcoef(x, y)[0, 1] ** 2)
    assert math.isclose(quality.aic, 10 * math.log(rss / 10) + 4)
    spread = np.sum((x - x.mean()) ** 2)
    assert math.isclose(found.errors["m"].item(), math.sqrt(rss / 8 / spread), rel_tol=1e-12)
    correlation = -x.mean() / math.sqrt(spread / 10 + x.mean() ** 2)
    assert np.allclose(found.correlation.numpy(), [[1, correlation], [correlation, 1]])
    low, high = found.band()
    at = np.sqrt(rss / 8 * (1 / 10 + (x - x.mean()) ** 2 / spread))
    assert np.allclose(high.numpy() - found.predict().numpy(), 2.306004135 * at)
    assert np.allclose(low.numpy() + high.numpy(), 2 * found.predict().numpy())
    assert np.allclose(found.prediction_errors().numpy(), at)


def test_predictions_at_other_inputs() -> None:
    found = gc.fit(MODEL, {"y": Y, "t": T}, START)
    t = np.array([[0.0, 10.0], [2.5, 4.0]])
    assert np.allclose(found.predict({"t": t}).numpy(), decay(t, *numbers(found.parameters)))
    assert found.predict({"t": 1}).shape == ()
    with pytest.raises(GradcliError, match="the model takes no input 'y'"):
        found.predict({"y": 3})
    with pytest.raises(GradcliError, match="a share between 0 and 1"):
        found.band(level=95)


def test_parameters_of_any_shape() -> None:
    data = {"y": 1 + 2 * T - 3 * T**2, "X": np.stack([T**0, T, T**2], 1)}
    found = gc.fit("y = X@w", data, {"w": [0, 0, 0]})
    assert np.allclose(found.parameters["w"].numpy(), [1, 2, -3]) and found.labels == ["w[0]", "w[1]", "w[2]"]
    found = gc.fit("y = w[0,0] + w[0,1]*t + w[1,0]*t**2 + w[1,1]*sin(t)", {"y": Y, "t": T}, {"w": np.ones((2, 2))})
    assert found.labels == ["w[0,0]", "w[0,1]", "w[1,0]", "w[1,1]"] and found.errors["w"].shape == (2, 2)
    # As many parameters as observations, which the Jacobian comes from the other side for.
    exact = gc.fit("y = w*t", {"y": [1, 2, 3], "t": [1, 2, 4]}, {"w": [1, 1, 1]})
    assert exact.parameters["w"].tolist() == [1, 1, 0.75] and exact.notes[0].startswith(
        "there are no more observations"
    )
    assert np.isinf(numbers(exact.errors)).all() and np.isinf(exact.covariance.numpy()).all()


def test_what_is_observed_may_be_computed() -> None:
    y = np.exp(1 - 2 * T)
    found = gc.fit("log(y) = p + q*t", {"y": y, "t": T}, {"p": 0, "q": 0})
    assert np.allclose(numbers(found.parameters), [1, -2], rtol=1e-12)
    # Statements before belong to both sides.
    found = gc.fit("s = 2; f(z) = s*z\nf(y) = f(p + q*t)", {"y": 1 - T, "t": T}, {"p": 0, "q": 0})
    assert np.allclose(numbers(found.parameters), [1, -1], rtol=1e-12)
    # A circle: nothing is observed but that the distances are all the same.
    angle = np.linspace(0, 6, 20)
    data = {"x": 3 + 2 * np.cos(angle), "z": 1 + 2 * np.sin(angle)}
    found = gc.fit("0 = sqrt((x - p)**2 + (z - q)**2) - r", data, {"p": 0, "q": 0, "r": 1})
    assert np.allclose(numbers(found.parameters), [3, 1, 2])


def test_what_is_drawn() -> None:
    found = gc.fit(MODEL, {"y": Y, "t": T}, START, sigma=SIGMA)
    curves = found.curves()
    assert curves.name == "t" and [curve.title for curve in curves.curves] == ["y", "residuals"]
    fitted, left = curves.curves
    assert (curves.x[0], curves.x[-1]) == (0, 4) and np.allclose(fitted.y, decay(curves.x, *numbers(found.parameters)))
    assert fitted.marks is not None and np.array_equal(fitted.marks[:2], [T, Y]) and np.allclose(fitted.marks[2], SIGMA)
    low, high = found.band({"t": curves.x})
    assert fitted.band is not None and np.array_equal(fitted.band, [low.numpy(), high.numpy()])
    assert left.marks is not None and np.array_equal(left.marks[1], found.residuals.numpy()) and not left.y.any()
    single = gc.fit("0 = exp(b) - 2", {}, {"b": 1}).curves()
    assert single.name == "observation" and single.x.tolist() == [0.5, 1.5] and single.curves[0].band is None


def test_a_model_of_one_number_is_the_same_for_all_data() -> None:
    found = gc.fit("y = m", {"y": [1, 2, 6]}, {"m": 0})
    assert math.isclose(found.parameters["m"].item(), 3) and found.predict().shape == (3,)
    assert math.isclose(found.errors["m"].item(), math.sqrt(14 / 2 / 3))


def test_float32_where_it_is_asked_for() -> None:
    found = gc.fit(MODEL, {"y": Y, "t": T}, START, dtype="float32")
    precise = gc.fit(MODEL, {"y": Y, "t": T}, START)
    assert np.allclose(numbers(found.parameters), numbers(precise.parameters), rtol=1e-4)
    assert not np.array_equal(numbers(found.parameters), numbers(precise.parameters))


@pytest.mark.parametrize("size", [1e-30, 1e-19, 1e-9, 1e9, 1e19, 1e30])
def test_nothing_depends_on_how_large_the_data_are(size: float) -> None:
    found = gc.fit(MODEL, {"y": size * Y, "t": T}, {"a": size, "b": 1, "c": 0})
    usual = gc.fit(MODEL, {"y": Y, "t": T}, START)
    factors = np.array([size, 1, size])
    assert np.allclose(numbers(found.parameters), factors * numbers(usual.parameters), rtol=1e-10, atol=0)
    assert np.allclose(numbers(found.errors), factors * numbers(usual.errors), rtol=1e-10, atol=0)
    assert math.isclose(found.statistics.chi_square, size**2 * usual.statistics.chi_square)
    assert math.isclose(found.statistics.residual_std, size * usual.statistics.residual_std)
    assert math.isclose(found.statistics.r_squared, usual.statistics.r_squared)
    assert math.isclose(found.statistics.aic, T.size * math.log(found.statistics.chi_square / T.size) + 6)
    assert np.allclose(found.residuals.numpy(), size * usual.residuals.numpy(), rtol=1e-9, atol=1e-9 * size)
    robust = gc.fit(MODEL, {"y": size * Y, "t": T}, {"a": size, "b": 1, "c": 0}, loss="huber", f_scale=0.03 * size)
    other = gc.fit(MODEL, {"y": Y, "t": T}, START, loss="huber", f_scale=0.03)
    assert np.allclose(numbers(robust.errors), factors * numbers(other.errors), rtol=1e-8, atol=0)
    absolute = gc.fit(MODEL, {"y": Y, "t": T}, START, sigma=size, absolute_sigma=True)
    unit = gc.fit(MODEL, {"y": Y, "t": T}, START, sigma=1, absolute_sigma=True)
    assert np.allclose(numbers(absolute.errors), size * numbers(unit.errors), rtol=1e-10, atol=0)


@pytest.mark.parametrize("size", [1e-300, 1e-200, 1e200, 1e300])
def test_numbers_whose_squares_are_none(size: float) -> None:
    found = gc.fit("y = a*x", {"y": [size, 2 * size, 4 * size], "x": [1, 2, 3]}, {"a": size})
    assert math.isclose(found.parameters["a"].item(), size * 17 / 14)
    assert math.isclose(found.errors["a"].item(), size * math.sqrt((21 - 17**2 / 14) / 2 / 14), rel_tol=1e-12)
    found = gc.fit("y = a*x", {"y": [1, 2, 4], "x": np.array([1, 2, 3]) * size}, {"a": 1 / size})
    assert math.isclose(found.parameters["a"].item() * size, 17 / 14)


@pytest.mark.parametrize("size", [1e-310, 1e-200, 1e308])
def test_the_share_that_is_explained_where_sums_are_no_numbers(size: float) -> None:
    """The sum and the differences of numbers next to the largest one are infinite."""
    found = gc.fit("y = a + 0*x", {"y": np.array([1, 1, -1]) * size, "x": [1, 2, 3]}, {"a": 0})
    assert abs(found.statistics.r_squared) < 1e-9
    found = gc.fit("y = a*x", {"y": np.array([1, 1.7, -1]) * size, "x": [1, 1.6, -1]}, {"a": size})
    usual = gc.fit("y = a*x", {"y": [1, 1.7, -1], "x": [1, 1.6, -1]}, {"a": 1})
    assert math.isclose(found.statistics.r_squared, usual.statistics.r_squared, rel_tol=1e-9)


def test_integers_and_the_default_dtype_stay_what_they_are() -> None:
    counts = {"k": np.arange(5), "y": np.exp(np.arange(5) / 3)}
    found = gc.fit("y = exp(k/d)", counts, {"d": 2})
    assert math.isclose(found.parameters["d"].item(), 3, rel_tol=1e-12)
    assert gc.ones(1).dtype == np.float32


@pytest.mark.parametrize("dtype", ["u1", "i2", "i8", "f4"])
def test_integers_are_computed_with_in_float64(dtype: str) -> None:
    """As all else is: nothing wraps around, and negative powers are numbers."""
    x = np.array([1, 21, 41, 61, 101, 201]).astype(dtype)
    exact = x.astype("f8")
    for power in (-1, 1, 2, 20):
        found = gc.fit(f"y*3 = a*x**{power}", {"x": x, "y": exact**power}, {"a": 1})
        assert math.isclose(found.parameters["a"].item(), 3, rel_tol=1e-12)
        assert math.isclose(found.predict({"x": 300}).item(), 3 * 300.0**power, rel_tol=1e-12)
    found = gc.fit("y*3 = a*x", {"x": exact, "y": x}, {"a": 1})
    assert math.isclose(found.parameters["a"].item(), 3, rel_tol=1e-12)


def test_an_integer_that_is_an_index_stays_one() -> None:
    data = {"k": np.array([0, 1, 2, 0, 1, 2], "i8"), "n": np.array([200, 100, 250, 200, 100, 250], "u1")}
    found = gc.fit("y = a[k]*(n*2)", {**data, "y": data["n"] * [2.0, 4, 6, 2, 4, 6]}, {"a": [1, 1, 1]})
    np.testing.assert_allclose(found.parameters["a"].numpy(), [1, 2, 3])
    np.testing.assert_allclose(found.predict({"k": np.full(6, 2)}).numpy(), 6.0 * data["n"])


def test_many_observations() -> None:
    t = np.linspace(0, 4, 200_000)
    y = decay(t, 2, 1, 0.5) + np.random.default_rng(0).normal(0, 0.1, t.size)
    found = gc.fit(MODEL, {"y": y, "t": t}, START)
    assert np.all(np.abs(numbers(found.parameters) - [2, 1, 0.5]) < 5 * numbers(found.errors))


def test_the_text_of_a_fit() -> None:
    x = np.arange(10.0)
    y = 3 * x + 1 + np.array([1, -1, 2, 0, -2, 1, 0, -1, 1, -1])
    assert repr(gc.fit("y = m*x + n", {"x": x, "y": y}, {"m": 0, "n": 0})) == TEXT


TEXT = """\
m  2.90 ± 0.14  (4.9 %)
n  1.44 ± 0.76  (53 %)

correlation
        m
n  -0.843

observations                 10
degrees of freedom           8
χ²                           13.2242
reduced χ²                   1.65303
residual standard deviation  1.2857
R²                           0.981335
AIC                          6.79467"""


# What cannot be fitted ------------------------------------------------------------------------------------------------

DATA: dict[str, Any] = {"y": Y, "t": T}


@pytest.mark.parametrize(
    ("model", "data", "params", "told"),
    [
        ("a*t", DATA, {"a": 1}, "the model has no ="),
        ("y == a*t", DATA, {"a": 1}, "the model has no ="),
        ("y = a*t; a", DATA, {"a": 1}, "the model has no ="),
        ("", DATA, {"a": 1}, "the model has no ="),
        ("y = a = t", DATA, {"a": 1}, "the model has several ="),
        ("= a*t", DATA, {"a": 1}, "nothing stands left of ="),
        ("y =", DATA, {"a": 1}, "nothing stands right of ="),
        ("y = a*", DATA, {"a": 1}, "the expression is incomplete"),
        ("y* = a", DATA, {"a": 1}, "the expression is incomplete"),
        ("a*y = t", DATA, {"a": 1}, "the observed values depend on the parameter 'a'"),
        ("y = a*t", DATA, {"a": 1, "b": 1}, "the parameter 'b' is never used"),
        ("y = a*t", {**DATA, "x": 1}, {"a": 1}, "the input 'x' is never used"),
        ("y = a*t", DATA, {"a": 1, "t": 1}, "'t' is both an input and a parameter"),
        ("y = a*t + q", DATA, {"a": 1}, "unknown name 'q'"),
        ("z = a*t", {"t": T}, {"a": 1}, "unknown name 'z'"),
        ("y = a*t", DATA, {}, "there is no parameter to fit"),
        ("y = a*t", DATA, {"a": []}, "the parameter 'a' has no elements"),
        ("y = a*t", DATA, {"a": math.nan}, "the starting value of a parameter must be finite"),
        ("y = a*t", {"y": [1, 2], "t": [1, 2, 3]}, {"a": 1}, "the model has shape (3,), what is observed (2,)"),
        ("y = a*t", {"y": [[1], [2]], "t": [1, 2]}, {"a": 1}, "the model has shape (2,), what is observed (2, 1)"),
        ("y = a*t + b", {"y": [1], "t": [1]}, {"a": 1, "b": 1}, "1 observation cannot determine 2 parameters"),
        ("y = a*t", {"y": [], "t": []}, {"a": 1}, "0 observations cannot determine 1 parameter"),
        ("y = a*t", {"y": [1, math.nan, math.inf], "t": [1, 2, 3]}, {"a": 1}, "y holds 1 NaN and 1 infinity among 3"),
        ("y = a*t", {"y": [1, 2, 3], "t": [1, math.nan, 3]}, {"a": 1}, "t holds 1 NaN among 3 elements"),
        ("log(y) = a*t", {"y": [1, -2, 3], "t": [1, 2, 3]}, {"a": 1}, "log(y) holds 1 NaN among 3 elements"),
        ("y = log(a)*t", DATA, {"a": -1}, "the model is NaN at the start, at 60 of 60 observations"),
        ("y = exp(a*t)", DATA, {"a": 1e6}, "the model is infinite at the start, at 59 of 60 observations"),
        ("y = floor(a) > t", DATA, {"a": 1}, "the model has no derivatives with respect to its parameters"),
    ],
)
def test_what_is_wrong_before_a_step(model: str, data: Any, params: Any, told: str) -> None:
    with pytest.raises(GradcliError) as caught:
        gc.fit(model, data, params)
    assert caught.value.message.startswith(told) and caught.value.exit_code == 2
    assert caught.value.source is None or caught.value.source == model


def test_places_are_those_in_the_model() -> None:
    with pytest.raises(GradcliError) as caught:
        gc.fit("k = 2; y = a*tt", DATA, {"a": 1})
    assert caught.value.render().split("\n")[1:3] == ["  k = 2; y = a*tt", "               ^^"]


@pytest.mark.parametrize(
    ("model", "params", "told"),
    [
        ("y = a*b*t", {"a": 1, "b": 1}, "a and b cannot be determined separately"),
        ("y = a*exp(-b*t + d) + c", {"a": 1, "b": 1, "c": 0, "d": 0}, "a and d cannot be determined separately"),
        ("y = w[0]*t + w[1]*t + c", {"w": [1, 2], "c": 0}, "w[0] and w[1] cannot be determined separately"),
        ("y = (a + b + c)*t + d", {"a": 1, "b": 1, "c": 0, "d": 0}, "a, b and c cannot be determined separately"),
        ("y = exp(-a*t)/exp(-a*t) + 0*b", {"a": 1, "b": 1}, "the model does not depend on b where the fit ends"),
        ("y = a*t + 0*b", {"a": 1, "b": 1}, "the model does not depend on b where the fit ends"),
        ("y = a*t + floor(b)", {"a": 1, "b": 1}, "the model does not depend on b where the fit ends"),
    ],
)
def test_parameters_that_the_data_do_not_tell_apart(model: str, params: dict[str, Any], told: str) -> None:
    with pytest.raises(WorkError) as caught:
        gc.fit(model, DATA, params)
    assert caught.value.message.startswith(told)


def test_a_fit_that_does_not_come_to_an_end() -> None:
    with pytest.raises(WorkError, match="the fit did not converge after"):
        gc.fit(MODEL, DATA, START, max_evaluations=3)


def test_a_minimum_that_is_none_is_noted() -> None:
    """Where the model ends, steps become shorter and shorter, and stop without having arrived."""
    found = gc.fit("y = where(a < 1.5, a, inf)*t", {"y": 2 * T[1:], "t": T[1:]}, {"a": 1})
    assert found.notes == (
        "the gradient is not zero where the fit stopped: this may not be a minimum; start from other values",
    )


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"sigma": 0}, "sigma is not above 0"),
        ({"sigma": -SIGMA}, "sigma holds 60 numbers that are not above 0"),
        ({"sigma": [1, 2]}, "sigma has shape (2,), what is observed (60,)"),
        ({"sigma": "s"}, "sigma: there is no input 's'"),
        ({"sigma": math.nan}, "sigma is NaN"),
        ({"bounds": {"q": (0, 1)}}, "bounds: there is no parameter 'q'"),
        ({"bounds": {"a": (2, 3)}}, "a starts outside its bounds: 1 is not from 2 to 3"),
        ({"bounds": {"a": (1, 1)}}, "bounds of a: no number is between 1 and 1"),
        ({"bounds": {"a": 3}}, "bounds of a must be a pair"),
        ({"bounds": {"a": (1, 2, 3)}}, "bounds of a must be a pair"),
        ({"f_scale": "1"}, "f_scale must be a number, got '1'"),
        ({"max_evaluations": 2.5}, "max_evaluations must be an integer"),
        ({"max_evaluations": 0}, "max_evaluations must be 1 at least"),
        ({"absolute_sigma": 1}, "absolute_sigma must be True or False"),
        ({"loss": "l1"}, "unknown loss 'l1'"),
        ({"f_scale": 0}, "f_scale must be a positive number"),
        ({"f_scale": 1e-200, "loss": "huber"}, "f_scale, 1e-200, is too small beside the data"),
        ({"sigma": 5e-324}, "sigma is too small, 4.94066e-324, to divide by"),
        ({"dtype": "int8"}, "unknown dtype 'int8'"),
    ],
)
def test_options_that_make_no_sense(options: dict[str, Any], told: str) -> None:
    with pytest.raises(GradcliError) as caught:
        gc.fit(MODEL, DATA, START, **options)
    assert caught.value.message.startswith(told)


def test_arguments_of_other_kinds() -> None:
    for model, data, params in ((3, DATA, START), (MODEL, [1], START), (MODEL, DATA, ["a"]), (MODEL, DATA, {"a": "x"})):
        with pytest.raises(GradcliError):
            gc.fit(model, data, params)  # type: ignore[arg-type]
