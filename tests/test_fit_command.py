"""`gradcli fit` as its users run it: data from files, parameters with errors, files, pictures, and bad input."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from scipy.optimize import curve_fit

import gradcli as gc
from tests import nist
from tests.command import COMMAND, Done, call, environment, leftovers, process, shell

MODEL = "y = a*exp(-b*t) + c"
DATA = ("y=data.csv:y", "t=data.csv:t")
FIT = ("fit", MODEL, *DATA, "--params", "a=1,b=1,c=0")
T = np.linspace(0, 4, 40)
Y = np.round(2.5 * np.exp(-1.3 * T) + 0.5 + np.random.default_rng(3).normal(0, 0.05, T.size), 4)


@pytest.fixture(autouse=True)
def own_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rows = [f"{t},{y},{0.03 + t / 100}" for t, y in zip(T.tolist(), Y.tolist(), strict=True)]
    Path("data.csv").write_text("\n".join(["t,y,s", *rows]) + "\n", encoding="ascii")


def found(done: Done) -> dict[str, Any]:
    assert (done.code, done.err) == (0, ""), done
    return json.loads(done.out, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))


def scipy_fit(**options: Any) -> tuple[np.ndarray, np.ndarray]:
    model = lambda t, a, b, c: a * np.exp(-b * t) + c  # noqa: E731
    tight = {"ftol": 1e-14, "xtol": 1e-14, "gtol": 1e-14}
    return curve_fit(model, T, Y, [1, 1, 0], method="trf", **tight, **options)


def test_text() -> None:
    done = process(*FIT)
    assert (done.code, done.err) == (0, "")
    assert done.out == str(gc.fit(MODEL, {"y": Y, "t": T}, {"a": 1, "b": 1, "c": 0})) + "\n"
    assert done.out.startswith("a  2.489 ± 0.039  (1.6 %)\nb  1.309 ± 0.045  (3.4 %)\nc  0.503 ± 0.017  (3.5 %)\n")


def test_json_is_curve_fit() -> None:
    told = found(process(*FIT, "--json"))
    params, covariance = scipy_fit()
    assert list(told["parameters"]) == told["labels"] == ["a", "b", "c"]
    assert np.allclose(list(told["parameters"].values()), params, rtol=1e-6)
    assert np.allclose(told["covariance"], covariance, rtol=1e-5)
    assert np.allclose(list(told["errors"].values()), np.sqrt(np.diag(covariance)), rtol=1e-5)
    assert told["model"] == MODEL and told["start"] == {"a": 1, "b": 1, "c": 0}
    assert (told["observations"], told["degrees_of_freedom"], told["notes"]) == (40, 37, [])
    chi_square = told["chi_square"]
    assert math.isclose(told["reduced_chi_square"], chi_square / 37) and told["evaluations"] > 3
    assert math.isclose(told["aic"], 40 * math.log(chi_square / 40) + 6)
    assert math.isclose(told["r_squared"], 1 - chi_square / np.sum((Y - Y.mean()) ** 2), rel_tol=1e-12)
    assert "prediction" not in told


@pytest.mark.parametrize("absolute", [False, True])
@pytest.mark.parametrize(("word", "sigma"), [("s", 0.03 + T / 100), ("0.05", 0.05), ("s.npy", T + 1)])
def test_sigma(absolute: bool, word: str, sigma: Any) -> None:
    np.save("s.npy", T + 1)
    data = ("s=data.csv:s",) if word == "s" else ()
    told = found(process(*FIT, *data, "--sigma", word, "--json", *(["--absolute-sigma"] if absolute else [])))
    params, covariance = scipy_fit(sigma=np.broadcast_to(sigma, T.shape), absolute_sigma=absolute)
    assert np.allclose(list(told["parameters"].values()), params, rtol=1e-6)
    assert np.allclose(told["covariance"], covariance, rtol=1e-5)


@pytest.mark.parametrize("loss", ["soft_l1", "huber", "cauchy"])
def test_losses(loss: str) -> None:
    told = found(process(*FIT, "--loss", loss, "--f-scale", "0.04", "--json"))
    params, covariance = scipy_fit(loss=loss, f_scale=0.04)
    assert np.allclose(list(told["parameters"].values()), params, rtol=1e-6)
    assert np.allclose(told["covariance"], covariance, rtol=1e-5)


@pytest.mark.parametrize("start", [0, 1])
@pytest.mark.parametrize("name", ["MGH10", "Nelson", "Thurber"])
def test_certified_values_from_the_shell(name: str, start: int) -> None:
    problem = nist.problem(name)
    for key, column in problem.data.items():
        np.save(f"{key}.npy", column)
    params = ",".join(f"{key}={value!r}" for key, value in problem.starts[start].items())
    told = found(
        process("fit", problem.model, *[f"{key}={key}.npy" for key in problem.data], "--params", params, "--json")
    )
    assert np.allclose(list(told["parameters"].values()), list(problem.params.values()), rtol=1e-9)
    assert np.allclose(list(told["errors"].values()), list(problem.errors.values()), rtol=1e-9)
    assert math.isclose(told["chi_square"], problem.sum_of_squares, rel_tol=1e-9)


def test_parameters_in_lists_and_files() -> None:
    np.save("w.npy", np.zeros(2, np.float32))
    told = found(process("fit", "y = w[0] + w[1]*t + k[0]", *DATA, "k=[0]", "--params", "w=[1, 2]", "--json"))
    other = found(process("fit", "y = w[0] + w[1]*t", *DATA, "--params", "w=@w.npy", "--json"))
    assert np.allclose(told["parameters"]["w"], np.polyfit(T, Y, 1)[::-1])
    assert np.allclose(told["parameters"]["w"], other["parameters"]["w"], rtol=1e-12)
    assert told["labels"] == ["w[0]", "w[1]"]
    made = found(
        process("fit", "y = w[0] + w[1]*t + v", *DATA, "v=0", "--params", "w=zeros(2, dtype=float64)", "--json")
    )
    assert made["parameters"]["w"] == other["parameters"]["w"]
    both = found(
        process("fit", "y = w[0] + w[1]*t + v[0]*t**2", *DATA, "--params", "w=zeros(2, dtype=float64), v=[0]", "--json")
    )
    assert both["labels"] == ["w[0]", "w[1]", "v[0]"]
    told = found(process("fit", "y = p*t + w[0] + w[1]", *DATA, "w=[0,0]", "--params", "p=1", "--json"))
    assert list(told["parameters"]) == ["p"]


def test_a_model_from_a_file_and_data_from_a_pipe() -> None:
    Path("model.txt").write_text("k = b*t   # the decay\ny = a*exp(-k) + c\n", encoding="ascii")
    np.save("t.npy", T)
    words = "y=data.csv:y --params a=1,b=1 --params c=0 --json"
    told = found(shell(f"cat t.npy | $G fit -f model.txt t=@- {words}"))
    assert told["parameters"] == found(process(*FIT, "--json"))["parameters"]
    done = shell(f"$G fit -f - t=@- {words}")
    assert done.code == 2 and "only one thing can be read from standard input" in done.err


def test_files_of_float32_are_computed_in_float64() -> None:
    np.save("y.npy", Y.astype(np.float32))
    np.save("t.npy", T.astype(np.float32))
    words = ("fit", MODEL, "y=y.npy", "t=t.npy", "--params", "a=1,b=1,c=0")
    told = found(process(*words, "-o", "a=a.npy", "--json"))
    wanted = gc.fit(MODEL, {"y": Y.astype("f4"), "t": T.astype("f4")}, {"a": 1, "b": 1, "c": 0})
    assert told["parameters"]["a"] == wanted.parameters["a"].item() and np.load("a.npy").dtype == np.float64
    less = found(process(*words, "--dtype", "float32", "--json"))
    assert less["parameters"]["a"] != told["parameters"]["a"]
    assert math.isclose(less["parameters"]["a"], told["parameters"]["a"], rel_tol=1e-4)


# Results in files -----------------------------------------------------------------------------------------------------


def test_results_in_files() -> None:
    told = found(process(*FIT, "-o", "out/", "-o", "b=b.csv", "-o", "residuals=r.npy", "-o", "band=band.npy", "--json"))
    assert leftovers("out") == ["a.npy", "b.npy", "c.npy", "covariance.npy"]
    assert np.load("out/a.npy") == told["parameters"]["a"] and np.load("out/a.npy").shape == ()
    assert np.array_equal(np.load("out/covariance.npy"), told["covariance"])
    assert float(Path("b.csv").read_text(encoding="ascii")) == told["parameters"]["b"]
    prediction = told["prediction"]
    assert np.allclose(np.load("r.npy"), Y - prediction["value"])
    assert np.array_equal(np.load("band.npy"), [prediction["low"], prediction["high"]])
    assert math.isclose(np.sum(np.load("r.npy") ** 2), told["chi_square"])


def test_predictions() -> None:
    told = found(process(*FIT, "--at", "t=0:10:11", "--predict", "p.npy", "--json"))
    a, b, c = told["parameters"].values()
    t = np.linspace(0, 10, 11)
    assert told["prediction"]["at"] == {"t": t.tolist()}
    assert np.allclose(told["prediction"]["value"], a * np.exp(-b * t) + c)
    assert np.array_equal(np.load("p.npy"), told["prediction"]["value"])
    slopes = np.stack([np.exp(-b * t), -a * t * np.exp(-b * t), np.ones_like(t)], 1)
    errors = np.sqrt(np.sum(slopes @ np.array(told["covariance"]) * slopes, 1))
    assert np.allclose(told["prediction"]["error"], errors)
    # The quantile of Student's distribution for 37 degrees of freedom.
    assert np.allclose(told["prediction"]["high"], told["prediction"]["value"] + 2.026192463 * errors)
    done = process(*FIT, "--at", "t=1")
    assert done.out.endswith(
        "\nprediction\ntensor(1.1755, dtype=float64)\n\nstandard error\ntensor(0.0170, dtype=float64)\n"
    )


def test_quiet_and_standard_output() -> None:
    assert process(*FIT, "-q", "-o", "a=a.npy") == Done(0, "", "")
    assert shell(
        f"$G fit '{MODEL}' {' '.join(DATA)} --params a=1,b=1,c=0 -o a=- | $G eval 'a > 2' a=@- --no-grad"
    ) == Done(0, "tensor(True)\n", "")
    noted = process(*FIT, "--bounds", "b=0.5:1.2", "-o", "b=b.npy")
    assert noted.err == "note: b stands at its bound 1.2: its standard error does not take that into account\n"
    assert np.load("b.npy") == 1.2
    assert process(*FIT, "--bounds", "b=:1.2", "-q").err == ""


def test_pictures() -> None:
    done = process(*FIT, "--plot", "fit.svg", "-o", "a=a.npy", "--sigma", "0.05")
    assert (done.code, done.err) == (0, "")
    root = ElementTree.parse("fit.svg").getroot()
    assert root.tag.endswith("svg")
    assert process(*FIT, "--plot", "fit.png", "-q").code == 0
    assert Path("fit.png").read_bytes().startswith(b"\x89PNG")


def test_a_plot_in_the_terminal() -> None:
    done = process(*FIT, "--plot", COLUMNS="61", LINES="21", PYTHONIOENCODING="ascii")
    text, plot = done.out.split("\n\n     y\n")
    assert "a  2.489 +- 0.039" in text and "\nreduced chi^2 " in text and text.isascii()
    rows = plot.split("\n")
    assert [line.strip() for line in rows if "residuals" in line] == ["residuals"]
    # Forty points, some of them in the same place.
    assert 20 <= "".join(rows[: rows.index("     residuals")]).count("o") <= 40
    assert process(*FIT, "--plot", "--json").code == 2


def test_plots_of_models_that_are_no_function_of_one_input() -> None:
    several = process("fit", "y = a*t + b*u", *DATA, "u=data.csv:s", "--params", "a=1,b=1", "--plot")
    assert several.code == 0 and "observation" in several.out
    # The mean of the data is not that of the points between them.
    centred = process("fit", "y = a*(t - mean(t)) + b", *DATA, "--params", "a=1,b=1", "--plot")
    assert centred.code == 0 and "observation" in centred.out
    constant = process("fit", "y = m", "y=[1,2,4]", "--params", "m=1", "--plot")
    assert constant.code == 0 and "observation" in constant.out
    exact = process("fit", "y = m*x", "y=[1,2]", "x=[1,2]", "--params", "m=3", "--plot")
    assert exact.code == 0 and exact.out.startswith("m  1 ± 0\n")


# Bad input ------------------------------------------------------------------------------------------------------------

START = ("--params", "a=1,b=1,c=0")


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        ((), 2, "missing argument 'MODEL'"),
        ((MODEL, *DATA), 2, "no parameter is given"),
        ((MODEL, *DATA, "--params", "a,b"), 2, "--params: 'a,b' is not a parameter with a starting value"),
        ((MODEL, *DATA, "--params", "a=1 b=1,c=0"), 2, "--params: 'a=1 b=1' is more than one parameter"),
        ((MODEL, *DATA, "--params", "a=1,a=2"), 2, "--params: the parameter 'a' is given twice"),
        ((MODEL, *DATA, "--params", "a=1,b=,c=0"), 2, "--params: the parameter 'b' has no value"),
        ((MODEL, *DATA, "--params", "a=1,b=q,c=0"), 2, "in the value of b: unknown name 'q'"),
        ((MODEL, *DATA, "--params", "a=1,b=nan,c=0"), 2, "the starting value of a parameter must be finite"),
        ((MODEL, *DATA, "--params", "a=1,b=1"), 2, "unknown name 'c'"),
        ((MODEL, *DATA, *START, "--params", "d=1"), 2, "the parameter 'd' is never used"),
        ((MODEL, *DATA, "x=1", *START), 2, "the input 'x' is never used"),
        ((MODEL, *DATA, "b=1", *START), 2, "'b' is both an input and a parameter"),
        (("a*exp(-b*t)", *DATA, *START), 2, "the model has no ="),
        (("y = a = t", *DATA, *START), 2, "the model has several ="),
        (("y = ", *DATA, *START), 2, "nothing stands right of =\n  y =\n    ^\n"),
        (("y = a*exp(-b*t", *DATA, *START), 2, "'(' is never closed"),
        ((MODEL, "y=data.csv:z", "t=data.csv:t", *START), 2, "data.csv has no column 'z'"),
        ((MODEL, "y=none.csv:z", "t=data.csv:t", *START), 1, "cannot read none.csv"),
        ((MODEL, "y=[1,2,3]", "t=[1,2]", *START), 2, "the model has shape (2,), what is observed (3,)"),
        ((MODEL, "y=[1,2]", "t=[1,2]", *START), 2, "2 observations cannot determine 3 parameters"),
        ((MODEL, "y=[1,nan,3]", "t=[1,2,3]", *START), 2, "y holds 1 NaN among 3 elements"),
        ((MODEL, *DATA, *START, "--sigma", "u"), 2, "in the value of --sigma: unknown name 'u'"),
        ((MODEL, *DATA, *START, "--sigma", "-1"), 2, "sigma is not above 0"),
        ((MODEL, *DATA, *START, "--loss", "l1"), 2, "invalid value for '--loss'"),
        ((MODEL, *DATA, *START, "--f-scale", "0"), 2, "invalid value for '--f-scale'"),
        ((MODEL, *DATA, *START, "--f-scale", "2"), 2, "--f-scale is not for --loss linear, which has no scale"),
        ((MODEL, *DATA, *START, "--bounds", "a"), 2, "'a' is not the bounds of a parameter"),
        ((MODEL, *DATA, *START, "--bounds", "d=0:1"), 2, "bounds: there is no parameter 'd'"),
        ((MODEL, *DATA, *START, "--bounds", "a=2:"), 2, "a starts outside its bounds: 1 is not from 2 to inf"),
        ((MODEL, *DATA, *START, "--at", "u=1"), 2, "the model takes no input 'u'"),
        ((MODEL, *DATA, *START, "-o", "d=d.npy"), 2, "there is no result 'd' to write"),
        ((MODEL, *DATA, *START, "-o", "value=d.npy"), 2, "there is no result 'value' to write"),
        ((MODEL, *DATA, *START, "--predict", "no/p.npy"), 1, "cannot write no/p.npy"),
        ((MODEL, *DATA, *START, "--plot", "fit.gif"), 2, "'fit.gif' has no known extension"),
        ((MODEL, *DATA, *START, "-o", "a=-", "--json"), 2, "--json and an array cannot both go to standard output"),
        (
            ("y = a*b*exp(-t)", *DATA, "--params", "a=1,b=1", "-o", "a=a.npy"),
            1,
            "a and b cannot be determined separately",
        ),
        ((MODEL, *DATA, *START, "--max-evaluations", "2", "-o", "a=a.npy"), 1, "the fit did not converge"),
        (("y = covariance*t", *DATA, "--params", "covariance=1", "-o", "d/"), 2, "covariance is a parameter, and one"),
    ],
)
def test_mistakes(monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], code: int, told: str) -> None:
    done = call(monkeypatch, "fit", *words)
    assert (done.code, done.out) == (code, ""), done
    assert done.err.startswith('{"error": ' if "--json" in words else f"gradcli: {told}") and told in done.err
    assert leftovers() == ["data.csv"]
    if "--json" not in words:
        report = json.loads(call(monkeypatch, "fit", *words, "--json").err)["error"]
        assert report["message"].startswith(told.partition("\n")[0])


def test_all_results_or_none(monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkdir("taken.npy")
    done = call(monkeypatch, *FIT, "-o", "a=a.npy", "-o", "b=taken.npy", "--plot", "fit.svg")
    assert done.code == 1 and leftovers() == ["data.csv", "taken.npy"]
    done = call(monkeypatch, *FIT, "-o", "a=a.npy", "-o", "b=a.npy")
    assert done.code == 2 and leftovers() == ["data.csv", "taken.npy"]


def test_without_scipy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "scipy.optimize", None)
    done = call(monkeypatch, *FIT)
    assert done.code == 2
    assert done.err == 'gradcli: a fit needs SciPy, which is not installed\nhint: pip install "gradcli[fit]"\n'


@pytest.mark.skipif(not os.path.exists("/proc/self/maps"), reason="needs /proc")
def test_an_interrupt_leaves_nothing() -> None:
    """While the steps are taken, over many observations and through a narrow valley."""
    words = ["fit", "y = p*(q + x)**(-1/r)", "y=-40 + linspace(0, 10, 2_000_000)", "x=linspace(7, 24, 2_000_000)"]
    more = ["--params", "p=-2000,q=50,r=0.8", "-o", "out/", "--plot", "fit.png"]
    work = subprocess.Popen(
        [*COMMAND, *words, *more], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    )
    deadline = time.monotonic() + 300
    while "_lsq" not in Path(f"/proc/{work.pid}/maps").read_text(encoding="utf-8"):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    time.sleep(1)
    assert work.poll() is None
    work.send_signal(signal.SIGINT)
    out, err = work.communicate(timeout=300)
    assert (work.returncode, out, err) == (130, b"", b"")
    assert leftovers() == ["data.csv"]


def test_completion() -> None:
    def told(line: str) -> list[str]:
        return process(_GRADCLI_COMPLETE="bash_complete", COMP_LINE=line, COMP_POINT=str(len(line))).out.split()

    model = "gradcli fit 'y = a*exp(-b*t) + c' y=data.csv:y t=data.csv:t"
    assert told("gradcli fi") == ["fit"]
    assert told(f"{model.rpartition(' ')[0]} ") == ["a=", "b=", "t=", "c="]
    assert told(f"{model} --params ") == ["a=", "b=", "c="]
    assert told(f"{model} --params a=1,") == ["a=1,b=", "a=1,c="]
    assert told(f"{model} --loss hu") == ["huber"]
    assert told(f"{model} -o pred") == ["prediction="]


def test_help_tells_the_losses_and_loads_no_numpy() -> None:
    code = "import sys\nfrom gradcli.cli.main import run\nrun(['fit', '--help'])\nsys.exit('numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True)
    assert done.returncode == 0 and "--loss [linear|soft_l1|huber|cauchy]" in done.stdout
