"""Plots: which curves they show, the characters they are made of, the files they are written to."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from gradcli.plotting.curves import Curve, Curves
from gradcli.plotting.scale import labels, limits, rounded, ticks
from gradcli.plotting.terminal import Screen, plot_text
from tests.command import COMMAND, call, environment, leftovers, process
from tests.talking import talk

TANH = ("plot", "tanh(x)", "x=linspace(-3,3,400)")


@pytest.fixture(autouse=True)
def own_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def points(monkeypatch: pytest.MonkeyPatch, *words: str) -> dict[str, Any]:
    done = call(monkeypatch, "plot", *words, "--json")
    assert (done.code, done.err) == (0, ""), done
    return json.loads(done.out)


# Numbers --------------------------------------------------------------------------------------------------------------


def test_value_and_derivatives(monkeypatch: pytest.MonkeyPatch) -> None:
    found = points(monkeypatch, "sin(x)", "x=linspace(-3,3,7)", "--dtype", "float64", "--derivatives", "4")
    x = np.linspace(-3, 3, 7)
    assert np.allclose(found["x"], x) and found["input"] == "x"
    assert np.allclose(found["value"], np.sin(x))
    expected = [np.cos(x), -np.sin(x), -np.cos(x), np.sin(x)]
    assert np.allclose(found["derivatives"], expected)


@pytest.mark.parametrize(
    ("words", "value", "derivative"),
    [
        # Elementwise, all points together.
        (("a*x**2", "x=[1,2,3]", "a=2"), [2, 8, 18], [4, 8, 12]),
        (("f(t) = t**2; f(x) + f(a)", "x=[1,2]", "a=2"), [5, 8], [2, 4]),
        (("where(x > 2, x, 0)", "x=[1,2,3]"), [0, 0, 3], [0, 0, 1]),
        # A tensor of its own for each point.
        (("sum(w*x)", "x=[1,2]", "w=[1,10,100]", "--wrt", "x"), [111, 222], [111, 111]),
        (("prod(stack([x, x + 1]))", "x=[1,2]"), [2, 6], [3, 5]),
        (("(x*[1, 2])[1]", "x=[1,2,3]"), [2, 4, 6], [2, 2, 2]),
        (("x*ones(1)", "x=[1,2,3]"), [1, 2, 3], [1, 1, 1]),
        (("norm(x*v)", "x=[1,2]", "v=[3,4]", "--wrt", "x"), [5, 10], [5, 5]),
    ],
)
def test_functions_of_one_number(
    monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], value: list[float], derivative: list[float]
) -> None:
    found = points(monkeypatch, *words)
    assert np.allclose(found["value"], value) and np.allclose(found["derivatives"], [derivative])


def test_points_are_put_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    np.save("x.npy", np.array([[3.0, 1.0], [np.inf, 2.0]]))
    found = points(monkeypatch, "x**2", "x=x.npy")
    assert (found["x"], found["value"]) == ([1, 2, 3], [1, 4, 9])


def test_numbers_have_the_digits_of_their_dtype(monkeypatch: pytest.MonkeyPatch) -> None:
    for words in (("x/10", "x=[1,3]"), ("sum(x*[0.05,0.05])", "x=[1,3]")):
        found = points(monkeypatch, *words)
        assert (found["value"], found["x"]) == ([0.1, 0.3], [1, 3])
    found = points(monkeypatch, "x/10", "x=[1,3]", "--dtype", "float64")
    assert found["value"] == [0.1, 0.3]
    assert points(monkeypatch, "x*2", "x=arange(3)", "--derivatives", "0")["value"] == [0, 2, 4]


def test_where_there_is_no_derivative(monkeypatch: pytest.MonkeyPatch) -> None:
    done = call(monkeypatch, "plot", "x**2", "x=arange(5)", "--json")
    assert done.err == "note: x is int64, so there is no derivative to plot\n"
    assert json.loads(done.out)["derivatives"] == []
    assert call(monkeypatch, "plot", "x**2", "x=arange(5)", "--json", "-q").err == ""
    assert call(monkeypatch, "plot", "x**2", "x=arange(5)", "--derivatives", "0", "--json").err == ""
    done = call(monkeypatch, "plot", "x > 1", "x=arange(5.)", "--json")
    assert done.err == "note: the value is not differentiable with respect to x, so there is no derivative to plot\n"


@pytest.mark.parametrize(
    ("expression", "points"), [("log(x)", "-2:-1:9"), ("x/0*[1, 2]", "1:2:9"), ("log(x) > 0", "-2:-1:9")]
)
def test_a_plot_with_nothing_in_it_says_so(expression: str, points: str, monkeypatch: pytest.MonkeyPatch) -> None:
    done = call(monkeypatch, "plot", expression, f"x={points}", "--derivatives", "0", "--json")
    told = "" if ">" in expression else "note: the value is not finite at any of the points\n"
    assert (done.code, done.err) == (0, told)
    # One point is enough.
    assert call(monkeypatch, "plot", "log(x)", "x=[-1, 0, 1]", "--derivatives", "0", "--json").err == ""


def test_a_constant_derivative_has_one_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    found = points(monkeypatch, "x**2", "x=[1,2]", "--derivatives", "4")
    assert found["derivatives"] == [[2, 4], [2, 2], [0, 0], [0, 0]]
    found = points(monkeypatch, "sum(x*w)", "x=[1,2]", "w=[1,2]", "--wrt", "x", "--derivatives", "2")
    assert found["derivatives"] == [[3, 3], [0, 0]]


def test_no_number_has_no_derivative(monkeypatch: pytest.MonkeyPatch) -> None:
    found = points(monkeypatch, "log(x)", "x=[-1,0,1]")
    assert found["value"] == ["NaN", "-Infinity", 0.0] and found["derivatives"] == [["NaN", "Infinity", 1.0]]


# Requests that cannot be carried out ----------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [("-o", "x.svg"), ("--format", "png")])
def test_json_is_no_picture(monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]) -> None:
    done = call(monkeypatch, "plot", "x", "x=[1,2]", *options, "--json")
    assert (done.code, done.out, leftovers()) == (2, "", [])
    assert json.loads(done.err)["error"]["message"] == "--json cannot be combined with a picture"


# Scales ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "f", [np.tan, lambda x: 1 / x, lambda x: x**-2, lambda x: 1 + np.tan(x) ** 2, lambda x: 1 / (x + 3.01)]
)
def test_poles_are_cut_off(f: Any) -> None:
    y = f(np.linspace(-3, 3, 400))
    low, high = limits(y)
    assert high - low < (y.max() - y.min()) / 3
    assert low <= np.quantile(y, 0.1) and np.quantile(y, 0.9) <= high


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.exp(-300 * x**2),
        lambda x: np.exp(7 * x),
        lambda x: x**15,
        lambda x: np.log(np.abs(x)),
        lambda x: np.sign(x) * (np.abs(x) > 2.9),
        np.sinc,
    ],
)
def test_peaks_are_not(f: Any) -> None:
    y = f(np.linspace(-3, 3, 400))
    assert limits(y) == (y.min(), y.max())


def test_limits() -> None:
    assert limits(np.array([1.0, 3.0, np.nan, np.inf])) == (1, 3)
    assert limits(np.array([np.nan, np.inf])) == (-1, 1)
    assert limits(np.zeros(3)) == (-1, 1) and limits(np.full(3, 8.0)) == (4, 12)
    low, high = limits(1 / np.linspace(-3, 3, 400))
    assert -20 < low < 0 < high < 20
    assert limits(np.array([-1e308, 1e308])) == (-1e300, 1e300)
    assert limits(np.linspace(0, 1, 100)) == (0, 1)


BOUNDS = [(0, 1), (-3, 3), (0.1, 0.13), (-1e300, 1e300), (1e-20, 3e-20), (999, 1001), (5e7, 9e7)]


@pytest.mark.parametrize("bounds", BOUNDS)
@pytest.mark.parametrize("most", [2, 5, 10])
def test_rounded_bounds(bounds: tuple[float, float], most: int) -> None:
    low, high, found = rounded(*bounds, 1 + 2 * most, most)
    assert low <= bounds[0] < bounds[1] <= high and high / 2 - low / 2 <= 1.4 * (bounds[1] / 2 - bounds[0] / 2)
    assert 2 <= len(found) <= max(most + 1, 5)
    if most > 2 and high < 1e299:
        assert (found[0], found[-1]) == (low, high)


def test_ticks_whole_rows_apart_are_preferred() -> None:
    assert rounded(0, 4, 5, 3) == (0, 4, [0, 2, 4])
    assert rounded(0, 4, 4, 2) == (0, 5, [0, 5])
    assert rounded(0.01, 0.97, 9, 3) == (0, 1, [0, 0.5, 1])


@pytest.mark.parametrize("bounds", BOUNDS)
@pytest.mark.parametrize("most", [2, 5, 10])
def test_ticks(bounds: tuple[float, float], most: int) -> None:
    low, high = bounds
    found = ticks(low, high, most)
    assert 2 <= len(found) <= max(most, 5)
    width = high / 2 - low / 2
    assert all(low - width * 1e-6 <= tick <= high + width * 1e-6 for tick in found)
    steps = [b / 2 - a / 2 for a, b in zip(found, found[1:], strict=False)]
    assert all(math.isclose(step, steps[0], rel_tol=1e-6) for step in steps)
    mantissa = float(f"{2 * steps[0]:.6e}".partition("e")[0])
    assert any(math.isclose(mantissa, m, rel_tol=1e-4) for m in (1, 2, 5, 10))
    texts = labels(found)
    assert len(set(texts)) == len(texts) and all(len(text) < 12 for text in texts)
    for text, tick in zip(texts, found, strict=True):
        assert math.isclose(float(text), tick, rel_tol=1e-6, abs_tol=width * 1e-6)


# Ranges and families --------------------------------------------------------------------------------------------------


def test_ranges(monkeypatch: pytest.MonkeyPatch) -> None:
    assert points(monkeypatch, "x", "x=-1:1:3") == points(monkeypatch, "x", "x=linspace(-1,1,3)")
    assert points(monkeypatch, "x", "x=2*(-1):[0,1][1]: 5") == points(monkeypatch, "x", "x=linspace(-2,1,5)")
    assert points(monkeypatch, "x", "x=3:1:3")["x"] == [1, 2, 3]
    found = points(monkeypatch, "sin(x)", "x=-pi:pi", "--dtype", "float64")
    assert np.allclose(found["x"], np.linspace(-np.pi, np.pi, 400))
    # A range holds the points, whatever else has several elements.
    assert points(monkeypatch, "sum(w*x)", "w=[1,10]", "x=1:2:2")["value"] == [11, 22]
    np.save("a.npy", np.arange(3.0))
    assert points(monkeypatch, "x", "x=a.npy")["x"] == [0, 1, 2]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("x", "x=-3:3:1"), "in the value of x: '1' is not a number of points"),
        (("x", "x=-3:3:1e9"), "in the value of x: '1e9' is not a number of points"),
        (("x", "x=-3:3:999999999"), "in the value of x: '999999999' is not a number of points"),
        (("x", "x=-3:"), "in the value of x: the expression is empty"),
        (("x", "x=-3:3+"), "in the value of x: the expression is incomplete"),
        (("x", "x=-3:q"), "in the value of x: unknown name 'q'"),
        (("x", "x=1:2:3:4"), "in the value of x: unexpected ':'"),
        (("x", "x=3:3"), "x holds no range of points"),
        (("x + y", "x=1:2", "y=1:2"), "a plot is against one input, and x and y have more than one element each"),
        (("x*ones(11)", "x=1:2"), "the value at each point has shape (11,), not a single number"),
        (("x*ones(0)", "x=1:2"), "the value at each point has shape (0,), not a single number"),
        (("x*a/sum(x)", "x=1:2", "a=[1,2]"), "sum takes numbers together"),
    ],
)
def test_ranges_and_families_that_are_wrong(words: tuple[str, ...], message: str) -> None:
    done = process("plot", *words)
    assert (done.code, done.out) == (2, "") and done.err.startswith(f"gradcli: {message}"), done


@pytest.mark.parametrize(
    ("words", "names", "value", "derivative"),
    [
        # Elementwise, all points together; named by the input that the curves are made from.
        (("a*x**2", "a=[1,2]"), ["a=1", "a=2"], [[1, 0, 1], [2, 0, 2]], [[-2, 0, 2], [-4, 0, 4]]),
        (("a*x/sum(a)", "a=[1,3]"), ["[0]", "[1]"], [[-0.25, 0, 0.25], [-0.75, 0, 0.75]], [[0.25] * 3, [0.75] * 3]),
        (("flip(a, 0)*x", "a=[1,2]"), ["[0]", "[1]"], [[-2, 0, 2], [-1, 0, 1]], [[2] * 3, [1] * 3]),
        # Point by point.
        (("stack([x, 1])",), ["[0]", "[1]"], [[-1, 0, 1], [1] * 3], [[1] * 3, [0] * 3]),
        (("cumsum(a*x, 0)", "a=[1,2]"), ["[0]", "[1]"], [[-1, 0, 1], [-3, 0, 3]], [[1] * 3, [3] * 3]),
        # What the points are made into does not depend on how many there are.
        (("x*x.numel() + a", "a=[1,2]"), ["a=1", "a=2"], [[0, 1, 2], [1, 2, 3]], [[1] * 3] * 2),
    ],
)
def test_families(
    words: tuple[str, ...], names: list[str], value: Any, derivative: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = points(monkeypatch, words[0], "x=-1:1:3", *words[1:])
    assert (found["curves"], found["x"]) == (names, [-1, 0, 1])
    assert np.allclose(found["value"], value) and np.allclose(found["derivatives"], [derivative])


def test_the_shape_of_all_points_is_not_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    assert points(monkeypatch, "x*x.numel()", "x=0:1:3")["value"] == [0, 0.5, 1]
    assert points(monkeypatch, "x + x.ndim", "x=0:1:3")["value"] == [0, 0.5, 1]
    assert points(monkeypatch, "x*ones_like(x)", "x=0:1:3")["value"] == [0, 0.5, 1]


def test_a_family_in_the_terminal() -> None:
    words = ("plot", "a*x", "x=-1:1", "a=[1,2,4]", "--derivatives", "0", "--height", "12", "--width", "60")
    text = process(*words).out
    ends = [line.split()[-1] for line in text.splitlines() if "a=" in line]
    assert ends == ["a=4", "a=2", "a=1"] and max(map(len, text.splitlines())) <= 60
    assert "a=2" in process(*words, "--ascii").out
    names = process("plot", "a*x", "x=-1:1", "a=ones(10)", "--height", "9").out
    assert names.count("a=1") > 1


def test_a_family_in_a_file() -> None:
    words = ("plot", "a*x", "x=-1:1", "a=[1,2,4]", "-o")
    assert process(*words, "a.svg") == process(*words, "b.svg") == (0, "", "")
    assert Path("a.svg").read_bytes() == Path("b.svg").read_bytes()
    one = process("plot", "x", "x=-1:1", "-o", "c.svg")
    assert one.code == 0 and Path("a.svg").stat().st_size > Path("c.svg").stat().st_size


# Characters -----------------------------------------------------------------------------------------------------------


def drawn(y: Any, columns: int, height: int, plain: bool = True) -> list[str]:
    """The rows of a plot of these heights, so many columns wide, without their margin."""
    y = np.asarray(y, np.float64)
    found = Curves("x", np.arange(len(y), dtype=np.float64), [Curve("value", y)], None)
    for width in range(columns, columns + 20):
        *rows, axis, _ = plot_text(found, Screen(width, height, plain=plain)).splitlines()[1:]
        if len(axis.strip()) == columns + 1:
            edge = axis.index("+" if plain else "└") + 1
            return [row[edge:].ljust(columns) for row in rows]
    raise AssertionError(f"no plot is {columns} columns wide")


def test_a_straight_line() -> None:
    rows = drawn([0, 1], 40, 24)
    places = [[k for k, c in enumerate(row) if c == "*"] for row in rows]
    assert all(places) and places[0][-1] == 39 and places[-1][0] == 0
    # From the top right to the bottom left, without a hole.
    assert sorted(k for row in places for k in row) == list(range(40))
    assert all(above[0] == below[-1] + 1 for above, below in zip(places, places[1:], strict=False))


def test_gaps() -> None:
    y = np.ones(21)
    y[5:10] = np.nan
    y[15] = np.inf
    (line,) = [row for row in drawn(y, 21, 9) if "*" in row]
    assert line == "*****     ***** *****"
    assert not any("*" in row for row in drawn([np.nan] * 5, 30, 9))
    # A point between two gaps is still seen.
    assert sum(row.count("*") for row in drawn([np.nan, 1, np.nan], 30, 9)) == 1


def test_more_points_than_columns() -> None:
    few, many = np.linspace(0, 20, 20_001), np.linspace(0, 20, 200_001)
    assert drawn(np.sin(few), 41, 16) == drawn(np.sin(many), 41, 16)
    # Up and down within a column: all that lies between is filled.
    rows = drawn(np.tile([0.0, 1.0], 50_000), 41, 16)
    assert all(row == "*" * 41 for row in rows)
    rows = drawn(np.tile([0.0, 1.0, np.nan], 50_000), 41, 16)
    assert all(row == "*" * 41 for row in rows)
    rows = drawn(np.tile([0.0, np.nan, 1.0, np.nan], 50_000), 41, 16)
    assert rows[0] == rows[-1] == "*" * 41 and not any("*" in row for row in rows[1:-1])


def test_a_pole_is_no_line() -> None:
    rows = drawn(1 / np.linspace(-3, 3, 400), 61, 24)
    left, right = [row[:30] for row in rows], [row[31:] for row in rows]
    half = len(rows) // 2
    assert not any("*" in row for row in left[:half]) and not any("*" in row for row in right[half + 1 :])
    assert "*" in left[-1] and "*" in right[0]


def test_braille_has_eight_dots_a_character() -> None:
    dots = sum((ord(c) - 0x2800).bit_count() for row in drawn([0, 1], 40, 12, False) for c in row if c > "\u2800")
    assert dots == 80


def test_the_whole_plot(monkeypatch: pytest.MonkeyPatch) -> None:
    done = call(monkeypatch, "plot", "x**2", "x=linspace(-2,2,200)", "--width", "40", "--height", "14", "--ascii")
    assert done == (0, Path(__file__).with_name("plot_expected.txt").read_text(), "")


@pytest.mark.parametrize("size", [(20, 6), (33, 7), (80, 24), (200, 60)])
@pytest.mark.parametrize("derivatives", ["0", "1", "4"])
def test_sizes(monkeypatch: pytest.MonkeyPatch, size: tuple[int, int], derivatives: str) -> None:
    words = ("--width", str(size[0]), "--height", str(size[1]), "--derivatives", derivatives)
    for e in ("x**3/7", "exp(x*40)", "x*0", "log(x)", "1e300*x**2"):
        done = call(monkeypatch, "plot", e, "x=linspace(-3,3,50)", *words, "--dtype", "float64")
        assert (done.code, done.err) == (0, "")
        lines = done.out.splitlines()
        assert all(line == line.rstrip() and len(line) <= max(size[0], 36) for line in lines), e
        # As high as was asked for, but for what cannot be shared evenly; and no curve without three rows.
        curves = int(derivatives) + 1
        assert size[1] - curves < len(lines) <= max(size[1], 5 * curves + 1)


def test_extreme_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    np.save("x.npy", np.array([-1.7e308, -1.0, 0.0, 1e-320, 1.7e308]))
    for e in ("x", "1/x", "x**3"):
        assert call(monkeypatch, "plot", e, "x=x.npy").err == "", e
    assert (
        call(monkeypatch, "plot", "x*0 + nan", "x=x.npy").err == "note: the value is not finite at any of the points\n"
    )
    np.save("x.npy", np.array([0.0, 1e-299]))
    assert call(monkeypatch, "plot", "x", "x=x.npy").err == ""


def test_where_there_is_only_ascii() -> None:
    for variables in ({"PYTHONIOENCODING": "ascii"}, {"PYTHONIOENCODING": "latin-1"}):
        done = process(*TANH, **variables)
        assert (done.code, done.err) == (0, "") and done.out.isascii() and "*" in done.out
    assert any("\u2800" < c < "\u28ff" for c in process(*TANH).out)


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")
def test_on_a_terminal() -> None:
    shown = {}
    for name, variables in {"color": {"NO_COLOR": ""}, "none": {"NO_COLOR": "1"}, "dumb": {"TERM": "dumb"}}.items():
        with talk(*TANH, **variables) as terminal:
            assert terminal.end()[0] == 0
            shown[name] = terminal.everything
    assert "\x1b[36m" in shown["color"] and "\x1b" not in shown["none"] + shown["dumb"]
    lines = shown["none"].splitlines()
    # Of the terminal's size, with a row left for the prompt.
    assert len(lines) == 23 and max(map(len, lines)) <= 80


# Files ----------------------------------------------------------------------------------------------------------------


def test_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    assert call(monkeypatch, *TANH, "-o", "a.svg") == (0, "", "")
    assert call(monkeypatch, *TANH, "-o", "a.png", "--derivatives", "2") == (0, "", "")
    assert Path("a.png").read_bytes().startswith(b"\x89PNG\r\n")
    assert ElementTree.parse("a.svg").getroot().tag.endswith("svg")
    once = Path("a.svg").read_bytes()
    assert call(monkeypatch, *TANH, "--format", "svg").out.encode() == once
    assert leftovers() == ["a.png", "a.svg"]


def test_titles_are_no_formulas(monkeypatch: pytest.MonkeyPatch) -> None:
    done = call(monkeypatch, "plot", "x # $\\frac$ <&> _^", "x=[1,2]", "-o", "a.svg")
    assert done == (0, "", "")
    ElementTree.parse("a.svg")


def test_places_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    done = call(monkeypatch, *TANH, "-o", "no/a.svg")
    assert done.code == 1 and done.err.startswith("gradcli: cannot write no/a.svg: ")
    assert leftovers() == []


def test_what_is_set_for_matplotlib_is_of_no_account() -> None:
    """The same bytes, and not a word of matplotlib's, whatever its variables and files say."""
    Path("rc").write_text("nonsense: 3\nbackend: Qt4Agg\nlines.linewidth: abc\naxes.facecolor: black\n")
    drawn = []
    for name, value in (
        ("NOTHING", ""),
        ("MPLBACKEND", "Qt4Agg"),
        ("MPLBACKEND", "module://nowhere"),
        ("MPLCONFIGDIR", "/dev/null"),
        ("MATPLOTLIBRC", "rc"),
    ):
        # A process of its own, which loads matplotlib.
        command = [*COMMAND, *TANH, "-o", "a.svg"]
        done = subprocess.run(command, env=environment(**{name: value}), capture_output=True, text=True, timeout=300)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), (name, value)
        drawn.append(Path("a.svg").read_bytes())
        assert drawn[-1] == drawn[0], (name, value)
        Path("a.svg").unlink()


def test_no_folder_for_matplotlib(tmp_path: Path) -> None:
    absent = tmp_path / "absent"
    absent.mkdir()
    (absent / "matplotlib.py").write_text("raise OSError('Matplotlib requires access to a writable cache directory')\n")
    path = os.pathsep.join([str(absent), environment()["PYTHONPATH"]])
    assert process(*TANH, "-o", "a.svg", PYTHONPATH=path) == (
        1,
        "",
        "gradcli: matplotlib fails: Matplotlib requires access to a writable cache directory\n"
        "hint: MPLCONFIGDIR names a folder that it may write to\n",
    )


def test_without_matplotlib(tmp_path: Path) -> None:
    absent = tmp_path / "absent"
    absent.mkdir()
    (absent / "matplotlib.py").write_text("raise ImportError('not here')\n")
    path = os.pathsep.join([str(absent), environment()["PYTHONPATH"]])
    assert process(*TANH, "-o", "a.svg", PYTHONPATH=path) == (
        1,
        "",
        "gradcli: a plot as svg needs matplotlib, which is not installed\n"
        'hint: pip install "gradcli[plot]"; without a file the plot is shown in the terminal\n',
    )
    assert process(*TANH, PYTHONPATH=path).code == 0
