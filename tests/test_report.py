"""Reports: one file of valid HTML without anything from elsewhere, in which nothing of the input is markup."""

from __future__ import annotations

import json
import math
import re
from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gradcli as gc
from gradcli.optimize.course import Course
from gradcli.optimize.minimum_report import minimum_json
from gradcli.plotting.curves import Curve
from gradcli.reporting.charts import curve_picture, histogram
from gradcli.reporting.distribution import distribution
from gradcli.reporting.layered_layout import layered
from gradcli.reporting.markup import element
from gradcli.reporting.mathml import mathml
from tests.command import call

LOSS = "z = y*(X@w); loss = mean(log(1 + exp(-z))) + sum(log(v))"
GIVEN = ["X=[[1,2],[3,4],[5,6]]", "y=[1.,-1,1]", "w=[0.5,0]", "v=[0.,1]"]


class Page(HTMLParser):
    """The elements of a page, which must be balanced, and its attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def all(self, name: str) -> list[str]:
        """The values of an attribute, wherever it stands."""
        return [value or "" for key, value in self.attributes if key == name]


Report = Callable[..., str]


@pytest.fixture
def report(monkeypatch: pytest.MonkeyPatch) -> Report:
    """The page of a command."""

    def made(*words: str) -> str:
        done = call(monkeypatch, "report", "-q", *words, "-o", "-")
        assert (done.code, done.err) == (0, "")
        return done.out

    return made


def test_page(report: Report) -> None:
    text = report(LOSS, *GIVEN)
    page = Page(text)
    assert page.tags.count("style") == page.tags.count("script") == 1
    assert {"math", "svg", "table"} <= set(page.tags)
    # Links lead to places of the page, every place has a name of its own, and every reference its place.
    names = page.all("id")
    assert len(names) == len(set(names))
    references = [link.removeprefix("#") for link in page.all("href")]
    references += [*page.all("aria-labelledby"), *page.all("aria-describedby")]
    assert set(references) <= set(names)
    assert "http" not in text.replace("http-equiv", "") and "url(" not in text.replace("url(#tip)", "")
    # Styles and scripts of the policy are those that are there, and there are no others.
    (policy,) = (value for value in page.all("content") if "default-src" in value)
    assert policy.startswith("default-src 'none'; ")
    for tag in ("style", "script"):
        (content,) = re.findall(f"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        assert f"{tag}-src 'sha256-{b64encode(sha256(content.encode()).digest()).decode()}'" in policy
    assert not [name for name, _ in page.attributes if name == "style" or name.startswith("on")]


def test_contents(report: Report) -> None:
    text = report("y = exp(x); loss = sum(y*sin(y))", "x=[0.,1]")
    # Value and gradient, the steps, the check and the plan.
    assert "tensor([ 1.3818, -5.6202])" in text
    assert "Memory and plan</h2>" in text and "[b &gt; 0] is 1 where the condition holds" in text
    assert re.search(r" = threshold\(", report("sum(relu(x)**2)", "x=[1,2]")) and " = _" not in text
    assert 'alttext="d loss/d ' in text and "Both branches added" in text
    assert "gradients agree with central differences" in text and '<th scope="row">x.grad</th>' in text
    assert "held at the peak" in text
    assert text.count('class="node ') == text.count('class="node-card"') == 5


def test_not_finite(report: Report) -> None:
    text = report(LOSS, *GIVEN)
    assert "<mark>-inf</mark>" in text and "<mark>inf</mark>" in text
    made = re.search(r"Not finite: made by (\w+) = log\(v\)", text)
    assert made is not None
    assert f"Not finite: made by LogBackward0: d {made[1]}/d v = 1/v" in text
    # What is given so is not blamed on an operation, and where the derivative alone has none, the function is named.
    assert "Not finite: the input x is given so" in report("sum(x*2)", "x=[nan,1]")
    assert re.search(r"Not finite: made by SqrtBackward0", report("sum(sqrt(x))", "x=[0.,1]"))
    assert "Not finite" not in report("sum(x*2)", "x=[1.,2]")


def test_nothing_of_the_input_is_markup(report: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    name = "<img src=q onerror=alert(1)>&\"'.npy"
    np.save(name, np.ones(3))
    source = "# </script><script>alert(1)</script> \u202e\nö1 = einsum('i,i->i', x, x); sum(ö1)*(1 < 2)"
    text = report(source, f"x=@{name}")
    page = Page(text)
    assert page.tags.count("script") == 1 and "img" not in page.tags
    assert "&lt;img src=q onerror=alert(1)&gt;&amp;&quot;&#x27;.npy" in text
    assert "# &lt;/script&gt;&lt;script&gt;alert(1)&lt;/script&gt; \\u202e" in text and "\u202e" not in text


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("x", "x=2"), "The pass starts with"),
        (("2+3",), "Nothing is differentiated"),
        (("x**2", "x=[1,2]"), "so no gradient was computed"),
        (("x**2", "x=[1,2]", "--grad-output", "1"), "x.grad"),
        (("sum(x)", "x=zeros(0)"), "0 elements"),
        (("f(t) = t*x; iterate(f, x, 200)", "x=1"), "140 steps left out"),
        (("+".join(f"x{k}" for k in range(201)), *(f"x{k}=1" for k in range(201)), "--wrt", "x0"), "is not drawn"),
    ],
)
def test_kinds(report: Report, words: tuple[str, ...], told: str) -> None:
    text = report(*words)
    Page(text)
    assert told in text


def test_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = call(monkeypatch, "report", "x", "x=1")
    assert done.code == 2 and "missing option '-o'" in done.err
    # What the report is about is never written over.
    data = tmp_path / "x.npy"
    np.save(data, np.ones(2))
    before = data.read_bytes()
    done = call(monkeypatch, "report", "sum(x)", f"x={data}", "-o", str(data))
    assert done.code == 2 and "a report is an HTML file" in done.err and data.read_bytes() == before
    target = tmp_path / "page.html"
    assert call(monkeypatch, "report", "inv(x)", "x=zeros(2,2)", "-o", str(target)).code == 2
    assert not target.exists()


def test_runs(report: Report, tmp_path: Path) -> None:
    minimum = {"value": 0.5, "dtype": "float32", "parameters": {"<w>": [1, "NaN"], "odd": {}}, "grads": {"<w>": [0, 1]}}
    (tmp_path / "fit.json").write_text(json.dumps(minimum | {"method": "adam", "converged": False, "steps": 3}))
    values = [100, "Infinity", *range(20, 3000)]
    steps = [json.dumps({"step": k, "value": value}) for k, value in enumerate(values)]
    (tmp_path / "trace.jsonl").write_text("\n".join(steps))
    good = {"item": "<b>mon", "value": 1.25, "dtype": "float32", "shapes": {"value": []}, "seconds": 0.5}
    bad = {"item": "tue", "error": {"message": "no <array>"}}
    (tmp_path / "results.jsonl").write_text("\n".join(map(json.dumps, (good, bad))))
    names = [str(tmp_path / name) for name in ("fit.json", "trace.jsonl", "results.jsonl")]
    text = report(*(word for name in names for word in ("--from", name)))
    page = Page(text)
    assert "adam did not converge after 3 steps" in text and "tensor([1., <mark>nan</mark>])" in text
    assert "b" not in page.tags and "<h3>&lt;w&gt;.grad</h3>" in text
    assert "2,982 steps; the value goes from 100 to 2999, it is not finite at 1 step." in text
    assert text.count('y2="180" class="bad"') == 1
    assert '<th scope="row">&lt;b&gt;mon</th><td>1.25</td><td>float32</td><td>value []</td><td>0.5</td>' in text
    assert '<tr class="bad"><th scope="row">tue</th><td>no &lt;array&gt;</td>' in text and "2 items, 1 failed." in text
    (tmp_path / "trace.jsonl").write_text("\n".join(json.dumps({"step": k, "value": "NaN"}) for k in range(3)))
    text = report("--from", names[1])
    assert "3 steps; the value is finite at none of them." in text and "from nan" not in text


@pytest.mark.parametrize(
    ("line", "words", "error"),
    [
        ("{", (), "is not JSON"),
        ("[1]", (), "is not a record of a run: '[1]'"),
        ('{"step": 1, "value": null}', (), "is not a record of a run"),
        ("", (), "there are no results in"),
        ("{}", ("x", "x=1"), "--from cannot be combined with an expression"),
        ("{}", ("--seed", "1"), "--from cannot be combined with --seed"),
    ],
)
def test_what_is_no_run(
    line: str, words: tuple[str, ...], error: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "run.jsonl").write_text(line)
    done = call(monkeypatch, "report", *words, "--from", str(tmp_path / "run.jsonl"), "-o", "-")
    assert done.code == 2 and done.out == "" and error in done.err.split("\n")[0]


def test_from_python(report: Report, tmp_path: Path) -> None:
    target = tmp_path / "page.html"
    page = gc.report(LOSS, {"X": [[1, 2], [3, 4], [5, 6]], "y": [1, -1, 1], "w": [0.5, 0], "v": [0, 1]}, path=target)
    assert page == target.read_text("utf-8") and repr(page) == f"<Page of {len(page):,} characters>"
    # What the command tells besides is how the inputs were written.
    assert re.sub('<p class="derived">given as .*?</p>', "", report(LOSS, *GIVEN)).count("<article") == page.count(
        "<article"
    )
    assert "Not finite: made by LogBackward0" in page
    steps: list[Any] = []
    found = gc.minimize("(x - 3)**4", {"x": 0}, "x", watch=steps.append)
    page = gc.report(runs=[found, steps])
    Page(page)
    assert "lbfgs converged after" in page and f"{len(steps)} steps; the value goes from" in page
    (tmp_path / "fit.json").write_text("".join(minimum_json(found)))
    told = re.search("<main>.*</main>", report("--from", str(tmp_path / "fit.json")), re.DOTALL)
    assert told is not None and told[0] in gc.report(runs=found)
    assert told[0] in gc.report(runs=tmp_path / "fit.json")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "there is nothing to report"),
        ({"expression": "x", "runs": "fit.json"}, "runs cannot be combined with an expression"),
        ({"runs": 3}, "there is nothing to report of an int"),
        ({"runs": []}, "runs is empty"),
        ({"expression": 3}, "the expression must be a string"),
        ({"expression": "x", "inputs": {"x": 1}, "path": "x.npy"}, "a report is an HTML file, not 'x.npy'"),
        ({"expression": "x", "inputs": {"x": 1}, "precision": 31}, "precision must be an integer from 0 to 30"),
        ({"expression": "x*y", "inputs": {"x": 1}, "path": "no.html"}, "unknown name 'y'"),
        ({"expression": "x*y", "inputs": {"x": 1}}, "hint: add it to the inputs: {'y': ...}"),
        ({"expression": "x", "inputs": {"x": 1}, "wrt": "r.html"}, "hint: path='r.html' names the file"),
    ],
)
def test_errors_in_python(given: dict[str, Any], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(gc.GradcliError, match=re.escape(message)):
        gc.report(**given)
    assert list(tmp_path.iterdir()) == []


def test_elements() -> None:
    assert element("p", str(element("b")) + "", "<") == "<p>&lt;b&gt;&lt;/b&gt;&lt;</p>"
    assert element("a", data_x='"><script>') == '<a data-x="&quot;&gt;&lt;script&gt;"></a>'


@pytest.mark.parametrize(
    ("latex", "shown"),
    [
        (r"\frac{\partial w}{\partial z} = -\frac{1}{4}", "∂w∂z=−14"),
        (r"X^{\top}\left(y \odot \sigma_{1, i}\right)", "X⊤(y⊙σ1,i)"),
        (r"\begin{cases} x & \text{if } x \geq 0 \\ 0 & \text{otherwise} \end{cases}", "{xif x≥00otherwise"),
        (r"\left\lVert \bar{\mathrm{my\_w}} \right\rVert_{2}", "‖my_w¯‖2"),
        (r"\mathbf{1}^{\top} \log\Gamma\left(x\right) \cdot 10^{-5}", "𝟏⊤logΓ(x)·10−5"),
        (r"\text{<b>}", "&lt;b&gt;"),
        # What is not known, or has no end, is shown as text.
        (r"\unknown{x}", None),
        (r"\frac{1", None),
        ("{" * 100 + "x" + "}" * 100, None),
    ],
)
def test_mathml(latex: str, shown: str | None) -> None:
    found = mathml(latex, "x")
    assert (None if found is None else re.sub("<.*?>", "", found)) == shown
    if found is not None:
        Page(found)


def test_names_that_look_the_same(report: Report) -> None:
    text = report("x_1 = x*2; x1 = x_1 + 1; x1*x_1", "x=3")
    assert "<mtext>x_1</mtext>" in text and "<mtext>x1</mtext>" in text


def test_distribution() -> None:
    found = distribution(np.array([np.nan, np.inf, -np.inf, -np.inf, -1e308, 1e308, 0, 1], np.float64))
    assert (found.nan, found.infinite, found.minus_infinite) == (1, 1, 2)
    assert sum(found.bins) == 4 and found.bins[0] == found.bins[-1] == 1
    # So near to one another that half their distance is none.
    for pair in ([5e-324, 0.0], [-5e-324, 0.0], [5e-324, 1e-323]):
        found = distribution(np.array(pair))
        assert sum(found.bins) == 2 and "<svg" in str(histogram(found, "x"))
        curve = Curve("value", np.array(pair))
        assert "nan" not in str(curve_picture(curve, np.array([0.0, 1.0])))
    # Over several parts.
    x = np.random.default_rng(0).normal(size=(300, 100))
    found = distribution(x)
    assert found.bins == tuple(np.histogram(x, 24)[0]) and found.mean == pytest.approx(x.mean())


def test_perfect_end_is_not_marked() -> None:
    course = Course()
    for step, value in enumerate([1.0, 0.001, 0.0]):
        course.add(step, value, value)
    curves = course.curves()
    assert curves is not None
    assert [curve.title for curve in curves.curves] == ["log10 of the value", "log10 of the largest gradient element"]
    assert all('class="bad"' not in str(curve_picture(curve, curves.x)) for curve in curves.curves)
    course.add(3, math.inf, math.nan)
    curves = course.curves()
    assert curves is not None
    assert all(str(curve_picture(curve, curves.x)).count('class="bad"') == 1 for curve in curves.curves)


def test_layout_has_no_overlaps_and_leads_down() -> None:
    rng = np.random.default_rng(1)
    edges = sorted({(int(rng.integers(0, k)), k) for k in range(1, 60) for _ in range(2)})
    widths = rng.uniform(40, 200, 60).tolist()
    found = layered(widths, edges, 80)
    for source, target in edges:
        assert found.rows[source] < found.rows[target]
    for row in set(found.rows):
        boxes = sorted((found.centres[k][0], widths[k]) for k in range(60) if found.rows[k] == row)
        for (x, width), (other, wide) in zip(boxes, boxes[1:], strict=False):
            assert x + width / 2 < other - wide / 2
    ends = [(x - w / 2, x + w / 2) for (x, _), w in zip(found.centres, widths, strict=True)]
    assert min(a for a, _ in ends) >= -1e-6 and max(b for _, b in ends) <= found.width + 1e-6
