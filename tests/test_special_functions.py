"""Error functions, lgamma, digamma and polygamma: figures of mpmath, special values, and no SciPy."""

from __future__ import annotations

import math

import numpy as np
import pytest

import gradcli
from gradcli.engine.execute.run import execute
from gradcli.errors import GradcliError
from tests.command import process
from tests.gradients import build

INF, NAN = math.inf, math.nan
# Correctly rounded, from mpmath with 400 digits and more.
EXACT: dict[str, dict[float, float]] = {
    "erf": {
        1e-300: 1.1283791670955126e-300,
        1e-10: 1.1283791670955126e-10,
        0.1: 0.1124629160182849,
        0.3: 0.3286267594591274,
        0.4999: 0.5204119951613866,
        0.5: 0.5204998778130465,
        0.75: 0.7111556336535151,
        1: 0.8427007929497149,
        2: 0.9953222650189527,
        3.5: 0.9999992569016276,
        5.5: 0.9999999999999927,
        -0.2: -0.22270258921047847,
        -1.7: -0.9837904585907745,
    },
    "erfc": {
        1e-10: 0.999999999887162,
        0.1: 0.887537083981715,
        0.5: 0.4795001221869535,
        1: 0.15729920705028513,
        2: 0.004677734981047266,
        5: 1.537459794428035e-12,
        10: 2.088487583762545e-45,
        15: 7.212994172451207e-100,
        20: 5.395865611607901e-176,
        26: 5.663192408856143e-296,
        26.5: 2.2109076642637343e-307,
        -0.3: 1.3286267594591274,
        -2: 1.9953222650189528,
        -5: 1.9999999999984626,
    },
    "lgamma": {
        1e-300: 690.7755278982137,
        1e-05: 11.512919692895826,
        0.1: 2.252712651734206,
        0.5: 0.5723649429247001,
        0.75: 0.20328095143129538,
        0.99999999: 5.772156760265731e-09,
        1.00000001: -5.772156531688512e-09,
        1.25: -0.09827183642181316,
        1.4999: -0.12078588195849393,
        1.5: -0.12078223763524522,
        1.99999999: -4.227843293043373e-09,
        2.00000001: 4.227843357536779e-09,
        2.5: 0.2846828704729192,
        3.2: 0.8854048271549091,
        5: 3.1780538303479458,
        7.9: 8.32426586800881,
        8: 8.525161361065415,
        12.5: 18.734347511936445,
        100.25: 360.28455963776423,
        10000000000.0: 220258509288.81058,
        1e300: 6.897755278982137e302,
        -1e-300: 690.7755278982137,
        -0.25: 1.589575312551186,
        -0.75: 1.5757045971498584,
        -1.5: 0.860047015376481,
        -3.75: -1.3172679424463636,
        -10.1: -13.0209732710115,
        -100.5: -364.90096830942736,
        -1000.3: -5912.844034778521,
    },
    "digamma": {
        1e-300: -9.999999999999999e299,
        1e-05: -100000.57719921567,
        0.1: -10.423754940411076,
        0.5: -1.9635100260214235,
        0.99: -0.5937863040555952,
        1: -0.5772156649015329,
        1.25: -0.22745353337626542,
        1.4616: -3.110625123034165e-05,
        1.46163214496836: -2.2410766695906462e-15,
        1.47: 0.008066489011364869,
        1.75: 0.24747245354686118,
        2: 0.42278433509846713,
        5.5: 1.6110931485817512,
        9.9: 2.2411803166063815,
        10: 2.251752589066721,
        33.3: 3.490467238520243,
        10000000000.0: 23.025850929890456,
        1e300: 690.7755278982137,
        -1e-300: 9.999999999999999e299,
        -0.25: 2.9141391202135276,
        -0.75: -2.894120200042932,
        -1.3: 2.8825405488661673,
        -7.6: 1.071732116277544,
        -100.4: 5.634899350648233,
    },
    "polygamma 1": {
        0.05: 401.53235734211506,
        0.5: 4.934802200544679,
        1: 1.6449340668482264,
        1.5: 0.9348022005446793,
        3: 0.39493406684822646,
        9.5: 0.11099728846909904,
        30: 0.033895060357739946,
        123.4: 0.008136651610865263,
        -0.3: 13.945160267805722,
        -2.7: 14.769375845132314,
    },
    "polygamma 2": {
        0.05: -16002.108158021943,
        0.5: -16.82879664423432,
        1: -2.4041138063191885,
        1.5: -0.82879664423432,
        3: -0.15411380631918858,
        9.5: -0.012307845807709338,
        30: -0.0011487652037286,
        123.4: -6.620473419231093e-05,
        -0.3: 67.63908119988317,
        -2.7: -68.9329390232638,
    },
    "polygamma 3": {
        0.05: 960005.388322313,
        0.5: 97.40909103400244,
        1: 6.493939402266829,
        1.5: 1.4090910340024372,
        3: 0.11893940226682916,
        9.5: 0.0027267288350372493,
        30: 7.78600366473613e-05,
        123.4: 1.077357827078302e-06,
        -0.3: 766.6198904191685,
        -2.7: 768.9626351155225,
    },
    "polygamma 8": {
        0.05: -2.0643840000026044e16,
        0.5: -20644899.96176004,
        1: -40400.97839874763,
        1.5: -1059.9617600414265,
        3: -2.2283987476348854,
        9.5: -0.00011290928874974375,
        30: -8.757097753984775e-09,
        123.4: -9.681200724416713e-14,
        -0.3: 2047468708.477271,
        -2.7: -2047472534.342203,
    },
    "polygamma 40": {
        0.05: -1.79421668242242e101,
        0.5: -1.794216682422424e60,
        1: -8.159152832482688e47,
        1.5: -4.919301571242758e40,
        3: -2.2370562304678765e28,
        9.5: -67962068.05302335,
        30: -3.042973522079723e-13,
        123.4: -5.315539948210086e-38,
        -0.3: 2.2370393559400477e69,
        -2.7: -2.2370393559400987e69,
    },
    "polygamma 170": {
        0.5: -INF,
        1: -7.257415615307999e306,
        1.5: -5.612762894906297e276,
        3: -1.8751993239525576e225,
        30: -1.8821151408239853e54,
        123.4: -2.356519920770005e-51,
        1000: -4.642275481885541e-206,
        -2.7: -INF,
    },
}
# In units of the last place: the worst of 800 random numbers for each interval is 10, beside a zero of lgamma below 0.
WORST = 4


def _value(name: str, x: np.ndarray) -> np.ndarray:
    function, *order = name.split()
    with np.errstate(all="raise", under="ignore", over="ignore"):
        return execute([build(f"{function}({', '.join([*order, 'x'])})", {"x": x})[0]])[0]


@pytest.mark.parametrize("name", EXACT)
def test_figures(name: str) -> None:
    exact = np.array(list(EXACT[name].values()))
    got = _value(name, np.array(list(EXACT[name])))
    np.testing.assert_array_max_ulp(got, exact, WORST)


@pytest.mark.parametrize(("dtype", "wider"), [("float32", "float64"), ("float16", "float32")])
@pytest.mark.parametrize("name", EXACT)
def test_narrower_types_are_rounded_once(name: str, dtype: str, wider: str) -> None:
    x = np.array([value for value in EXACT[name] if abs(value) < 60000]).astype(dtype)
    got = _value(name, x)
    assert got.dtype == dtype
    with np.errstate(all="ignore"):
        assert np.array_equal(got, _value(name, x.astype(wider)).astype(dtype), equal_nan=True)


ENDS = [0.0, -0.0, INF, -INF, NAN, -1.0, -4.0, 1e308, -1e308]
AT_ENDS: dict[str, list[float]] = {
    "erf": [0.0, -0.0, 1, -1, NAN, -0.8427007929497149, -0.9999999845827421, 1, -1],
    "erfc": [1, 1, 0, 2, NAN, 1.842700792949715, 1.9999999845827421, 0, 2],
    "lgamma": [INF, INF, INF, INF, NAN, INF, INF, INF, INF],
    "digamma": [-INF, INF, INF, NAN, NAN, NAN, NAN, 709.1962086421661, NAN],
    "polygamma 1": [INF, INF, 0, NAN, NAN, INF, INF, 1e-308, INF],
    "polygamma 2": [-INF, -INF, -0.0, -INF, NAN, -INF, -INF, -0.0, -INF],
    "polygamma 3": [INF, INF, 0, INF, NAN, INF, INF, 0, INF],
}


@pytest.mark.parametrize("name", AT_ENDS)
def test_at_poles_and_at_infinity(name: str) -> None:
    got, expected = _value(name, np.array(ENDS)), np.array(AT_ENDS[name])
    np.testing.assert_allclose(got, expected, rtol=4e-16)
    assert np.array_equal(np.signbit(got), np.signbit(expected)) or np.isnan(expected).any()


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_erfc_is_one_at_zero(dtype: str) -> None:
    assert _value("erfc", np.array([0.0, -0.0], dtype)).tolist() == [1, 1]
    near = np.array([1e-17, -1e-17, 0.25, -0.25])
    assert np.array_equal(_value("erfc", near), 1 - _value("erf", near))


def test_near_their_zeros_no_digits_are_lost() -> None:
    for step in (1e-4, 1e-9, 1e-15):
        # The slopes there are -0.577... and 0.422..., the second derivatives 1.64... and 0.64...
        one, two = _value("lgamma", np.array([1 + step, 2 + step]))
        a, b = (1 + step) - 1, (2 + step) - 2
        assert one == pytest.approx(-0.5772156649015329 * a + 0.8224670334241132 * a**2, rel=1e-8)
        assert two == pytest.approx(0.42278433509846713 * b + 0.3224670334241132 * b**2, rel=1e-8)


def test_derivatives_to_any_order() -> None:
    x = gradcli.tensor(np.array([0.7, 2.5, -1.3]), requires_grad=True)
    y = x.lgamma()
    for order in range(5):
        (y,) = gradcli.grad(y.sum(), x, create_graph=True)
        assert np.array_equal(y.value(), gradcli.polygamma(order, x).value())


def test_orders_that_are_none() -> None:
    assert np.array_equal(_value("polygamma 0", np.array([0.3])), _value("digamma", np.array([0.3])))
    with pytest.raises(GradcliError, match="order of 0 or more"):
        _value("polygamma -1", np.ones(1))
    with pytest.raises(GradcliError, match="up to order 170"):
        _value("polygamma 171", np.ones(1))


def test_scipy_is_not_looked_for(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "scipy").mkdir()
    (tmp_path / "scipy" / "__init__.py").write_text("raise SystemExit('SciPy is imported')\n")
    monkeypatch.chdir(tmp_path)
    expression = "sum(erf(x) + erfc(x) + lgamma(x) + digamma(x) + polygamma(3, x) + gelu(x))"
    done = process("eval", expression, "x=[0.5, 1.5]")
    assert (done.code, done.err) == (0, "")
