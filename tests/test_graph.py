"""Pictures of graphs: what is in them, that every format is well-formed, and what happens without Graphviz."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

import numpy as np
import pytest

from gradcli.drawing.drawing import Drawing, Edge, Vertex
from gradcli.drawing.graphviz import COLORS, dot, laid_out
from gradcli.drawing.mermaid import mermaid
from tests.command import call, environment, leftovers, process
from tests.talking import talk

EXAMPLE = ("graph", "mean(2*(3*x+7)**2)", "x=ones(2,2)")
NETWORK = ("graph", "h = tanh(x@W); -mean(log(softmax(h@V, dim=1)[:, 0]))", "x=ones(8,4)", "W=ones(4,5)", "V=ones(5,3)")
LARGE = ("graph", "mean(log1p(exp(-y*(X@w))))", "X=zeros(200000,5)", "y=zeros(200000)", "w=zeros(5)", "--wrt", "w")


@pytest.fixture(autouse=True)
def own_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def picture(monkeypatch: pytest.MonkeyPatch, *words: str) -> dict[str, Any]:
    """What a request draws, as data."""
    done = call(monkeypatch, *words, "--format", "json")
    assert (done.code, done.err) == (0, ""), done
    return json.loads(done.out)


def arrows(drawn: dict[str, Any]) -> list[tuple[str, str, str]]:
    """The arrows, by the names of the boxes at their ends and by what is written on them."""
    names = [node["name"] for node in drawn["nodes"]]
    return [(names[e["from"]], names[e["to"]], e["label"]) for e in drawn["edges"]]


def named(drawn: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = [node for node in drawn["nodes"] if node["name"] == name]
    return found


# What is drawn --------------------------------------------------------------------------------------------------------


def test_the_expression(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = picture(monkeypatch, *EXAMPLE)
    assert arrows(drawn) == [
        ("x", "mul", "f32[2, 2]"),
        ("mul", "add", "f32[2, 2]"),
        ("add", "pow", "f32[2, 2]"),
        ("pow", "mul", "f32[2, 2]"),
        ("mul", "mean", "f32[2, 2]"),
        ("mean", "value", "f32[]"),
    ]
    assert [n["kind"] for n in drawn["nodes"]] == ["input", "op", "op", "op", "op", "op", "output"]
    assert (named(drawn, "pow")["details"], named(drawn, "add")["details"]) == (["exponent=2"], ["other=7"])
    assert named(drawn, "mean")["source"] == "mean(2*(3*x+7)**2)"


def test_a_shared_node_is_drawn_once(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = picture(monkeypatch, "graph", "y = sin(x); y*y + y", "x=2")
    assert [n["name"] for n in drawn["nodes"]] == ["x", "sin", "mul", "add", "value"]
    assert sorted(arrows(drawn))[:4] == [
        ("add", "value", "f32[]"),
        ("mul", "add", "f32[]"),
        ("sin", "add", "f32[]"),
        ("sin", "mul", "f32[]"),
    ]
    assert len(drawn["edges"]) == 6


def test_operands_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = picture(monkeypatch, "graph", "(a - b)@c + a", "a=ones(2,2)", "b=ones(2,2)", "c=ones(2,2)")
    assert (named(drawn, "sub")["operands"], named(drawn, "mm")["operands"]) == (["input", "other"], ["input", "mat2"])
    assert named(drawn, "add")["operands"] == []
    # A number is written into the box, and no arrow leads to its place.
    drawn = picture(monkeypatch, "graph", "where(a > 0, 1, b)", "a=ones(2)", "b=ones(2)")
    assert named(drawn, "where")["operands"] == ["condition", None, "other"]
    assert "input=1" in named(drawn, "where")["details"]


def test_inputs_that_are_not_differentiated_and_constants(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = picture(monkeypatch, "graph", "sum(x*[1, 2.5] + i)", "x=ones(2)", "i=arange(2)")
    assert {n["name"]: n["kind"] for n in drawn["nodes"]} == {
        "x": "input",
        "constant": "constant",
        "mul": "op",
        "i": "data",
        "cast": "op",
        "add": "op",
        "sum": "op",
        "value": "output",
    }
    assert named(drawn, "constant")["details"] == ["f32[2]", "1, 2.5"]
    assert ("i", "cast", "i64[2]") in arrows(drawn)
    assert arrows(picture(monkeypatch, "graph", "2 + 3")) == [("5", "value", "f32[]")]
    assert arrows(picture(monkeypatch, "graph", "x", "x=1")) == [("x", "value", "f32[]")]


def test_the_chain_is_the_one_that_eval_prints(monkeypatch: pytest.MonkeyPatch) -> None:
    for words in (EXAMPLE, NETWORK, ("graph", "y = sin(x); y*y + y*detach(y)", "x=2")):
        drawn = picture(monkeypatch, *words, "--what", "backward")
        chain = json.loads(call(monkeypatch, "eval", *words[1:], "--json").out)["graph"]
        expected = []
        for row in chain:
            expected += [(chain[k]["name"], row["name"]) for k in row["next"] if k is not None]
            if row["name"] == "AccumulateGrad":
                expected.append((row["variable"], "AccumulateGrad"))
        expected.append((chain[0]["name"], "value"))
        assert sorted(a[:2] for a in arrows(drawn)) == sorted(expected)


def test_the_gradients(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = picture(monkeypatch, *EXAMPLE, "--what", "grad")
    assert [n["name"] for n in drawn["nodes"] if n["kind"] == "output"] == ["x.grad"]
    assert {n["name"] for n in drawn["nodes"] if n["kind"] == "op"} == {"mul", "add"}
    assert "gradient" in {n["kind"] for n in drawn["nodes"]}
    assert picture(monkeypatch, *EXAMPLE, "--what", "grad", "--simplify") == drawn
    made = picture(monkeypatch, *EXAMPLE, "--what", "grad", "--no-simplify")
    # As the rules make it: with the ones that the chain rule begins with.
    assert len(drawn["nodes"]) == 5 < len(made["nodes"])
    assert "expand" in {n["name"] for n in made["nodes"]} - {n["name"] for n in drawn["nodes"]}
    both = picture(monkeypatch, *NETWORK, "--what", "grad", "--wrt", "W,V")
    assert [n["name"] for n in both["nodes"] if n["kind"] == "output"] == ["W.grad", "V.grad"]
    vector = picture(monkeypatch, "graph", "x**2", "x=[1,2]", "--what", "grad", "--grad-output", "1")
    assert named(vector, "grad-output")["kind"] == "data"


def test_the_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = picture(monkeypatch, *LARGE, "--what", "plan")
    plan = json.loads(call(monkeypatch, "explain", *LARGE[1:], "--json").out)
    passes = [one for stage in plan["stages"] for one in stage["passes"]]
    assert len(drawn["groups"]) == len(passes) >= 1
    assert drawn["groups"][0].startswith(f"pass 1: 200,000 rows in {passes[0]['blocks']} blocks of ")
    steps = [step["op"] for one in passes for step in one["steps"] if "op" in step]
    assert sorted(n["name"] for n in drawn["nodes"] if n["group"] is not None) == sorted(s.lstrip("_") for s in steps)
    assert ("X", "mv", "f32[i:j, 5]") in arrows(drawn)
    assert [n["name"] for n in drawn["nodes"] if n["kind"] == "output"] == ["value", "w.grad"]
    small = picture(monkeypatch, *EXAMPLE, "--what", "plan")
    assert small["groups"] == [] and len(small["nodes"]) > 4


def test_every_kind_has_colors() -> None:
    assert {"input", "data", "constant", "op", "gradient", "function", "output"} <= set(COLORS)


# Formats --------------------------------------------------------------------------------------------------------------


class Dot(NamedTuple):
    """What a text in Graphviz's language says."""

    labels: dict[str, str]
    edges: list[tuple[str, str, str]]
    ports: dict[str, set[str]]


_STRING = r'"(?:[^"\\\n]|\\.)*"'
_ATTRIBUTES = rf"\w+=(?:{_STRING}|<.*>|[\w.#]+)(?:, \w+=(?:{_STRING}|<.*>|[\w.#]+))*"
_BOX = re.compile(rf"(n\d+) \[label=<(.*)>, (fillcolor={_STRING}, {_ATTRIBUTES})\];")
_ARROW = re.compile(rf"(n\d+) -> (n\d+)(?::(p\d+):[nw])? \[label=({_STRING})\];")
_TITLE = re.compile(r"label=<(.*)>; labeljust=l; labelloc=b; style=rounded;")
_SETTING = re.compile(rf"(?:(?:graph|node|edge) \[.*\];|(?:\w+=(?:{_STRING}|\w+); ?)+|subgraph cluster_\d+ {{|}})")


def read_dot(text: str) -> Dot:
    """Read the part of the language that is used here; whatever is not of it fails."""
    first, *lines, last = text.splitlines()
    assert (first, last) == ("digraph gradcli {", "}")
    found = Dot({}, [], {})
    for line in (line.strip() for line in lines):
        if box := _BOX.fullmatch(line):
            # Graphviz reads labels with an XML parser.
            label = ElementTree.fromstring(f"<X>{box[2]}</X>")
            texts = [text.replace("\xa0", " ").strip() for text in label.itertext()]
            found.labels[box[1]] = "|".join(filter(None, texts))
            found.ports[box[1]] = {cell.attrib["PORT"] for cell in label.iter("TD") if "PORT" in cell.attrib}
        elif arrow := _ARROW.fullmatch(line):
            assert arrow[1] in found.labels and arrow[2] in found.labels
            assert arrow[3] is None or arrow[3] in found.ports[arrow[2]]
            found.edges.append((arrow[1], arrow[2], arrow[4]))
        elif title := _TITLE.fullmatch(line):
            ElementTree.fromstring(f"<X>{title[1]}</X>")
        else:
            assert _SETTING.fullmatch(line), line
    return found


_MERMAID_TEXT = r"(?:\w|[ .,_\-+=/\[\]():*]|#\d+;|</?b>|<br>)*"
_MERMAID = re.compile(
    rf'flowchart (?:TB|LR)|subgraph g\d+\["{_MERMAID_TEXT}"\]|end|n\d+\("{_MERMAID_TEXT}"\):::c_\w+'
    rf'|n\d+ -->\|"{_MERMAID_TEXT}"\| n\d+|classDef c_\w+ fill:#\w{{6}},stroke:#\w{{6}},color:#\w{{6}}'
)


@pytest.mark.parametrize("words", [EXAMPLE, NETWORK, LARGE], ids=["example", "network", "large"])
@pytest.mark.parametrize("what", ["forward", "backward", "grad", "plan"])
@pytest.mark.parametrize("direction", ["down", "right"])
def test_dot_and_mermaid(monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], what: str, direction: str) -> None:
    words = (*words, "--what", what, "--direction", direction)
    drawn = picture(monkeypatch, *words)
    done = call(monkeypatch, *words)
    assert (done.code, done.err) == (0, "")
    read = read_dot(done.out)
    assert (len(read.labels), len(read.edges)) == (len(drawn["nodes"]), len(drawn["edges"]))
    for number, node in enumerate(drawn["nodes"]):
        assert node["name"] in read.labels[f"n{number}"].split("|")
    assert f"rankdir={'TB' if direction == 'down' else 'LR'}" in done.out
    lines = call(monkeypatch, *words, "--format", "mermaid").out.splitlines()
    assert all(_MERMAID.fullmatch(line.strip()) for line in lines), lines
    assert sum("-->" in line for line in lines) == len(drawn["edges"])
    assert sum(":::" in line for line in lines) == len(drawn["nodes"])


HOSTILE = [
    '"',
    "\\",
    '\\"',
    "]; evil [label=x",
    "<B>",
    "&amp;",
    "a\nb",
    "\x00\x1b[31m",
    "`x`",
    "%%{init}%%",
    "-->",
    "#35;",
    "\\N\\G",
    "end",
    "|",
    "'",
    "\u202e",
    "é漢δ",
    "</TABLE>>",
    "]]>",
    "<script>alert(1)</script>",
]


def test_no_name_breaks_out() -> None:
    vertices = [Vertex("op", text, (text, text), (text, text), source=text) for text in HOSTILE]
    edges = [Edge(k, (k + 1) % len(HOSTILE), k % 2, text) for k, text in enumerate(HOSTILE)]
    drawing = Drawing("forward", vertices, edges, [])
    for direction in ("TB", "LR"):
        read = read_dot(dot(drawing, direction))
        assert len(read.labels) == len(HOSTILE) == len(read.edges)
        for text, label in zip(HOSTILE, read.labels.values(), strict=True):
            clean = "".join(c if c.isprintable() else " " for c in text)
            assert clean.strip() in label
    lines = mermaid(drawing).splitlines()
    assert all(_MERMAID.fullmatch(line.strip()) for line in lines), lines
    grouped = Drawing("plan", [vertices[0]._replace(group=k) for k in range(len(HOSTILE))], [], HOSTILE)
    read_dot(dot(grouped))
    assert all(_MERMAID.fullmatch(line.strip()) for line in mermaid(grouped).splitlines())


def test_strings_of_the_expression(monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("graph", "einsum('ij,jk->ik', δ, y) # \"<&>\"", "δ=ones(2,2)", "y=ones(2,2)")
    read = read_dot(call(monkeypatch, *words).out)
    assert any("δ" in label for label in read.labels.values())
    done = process(*words, PYTHONIOENCODING="ascii")
    assert done.code == 0 and "δ" in done.out
    done = process(*words, "--format", "mermaid", PYTHONIOENCODING="ascii")
    assert done.code == 0 and "δ" in done.out


def test_files_and_their_endings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, start in {
        "a.dot": "digraph",
        "b.gv": "digraph",
        "c.mmd": "flowchart TB",
        "d.json": "{",
        "e": "digraph",
    }.items():
        assert call(monkeypatch, *EXAMPLE, "-o", name) == (0, "", "")
        assert Path(name).read_text().startswith(start)
    assert call(monkeypatch, *EXAMPLE, "-o", "a.dot", "--format", "mermaid").code == 0
    assert Path("a.dot").read_text().startswith("flowchart")
    assert leftovers() == ["a.dot", "b.gv", "c.mmd", "d.json", "e"]


def test_files_of_data_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    np.save("x.npy", np.ones((2, 3)))
    assert arrows(picture(monkeypatch, "graph", "sum(x)", "x=x.npy"))[0] == ("x", "sum", "f64[2, 3]")


def test_deep_graphs(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("deep.txt").write_text("sin(" * 3500 + "x" + ")" * 3500)
    for what in ("forward", "backward", "plan"):
        done = call(monkeypatch, "graph", "-f", "deep.txt", "x=1", "--what", what)
        assert done.code == 0 and done.out.count("->") >= 3500
    done = call(monkeypatch, "graph", "-f", "deep.txt", "x=1", "--format", "mermaid")
    assert done.err.startswith("note: this is more than Mermaid draws") and done.out.count("-->") == 3501
    assert call(monkeypatch, "graph", "-f", "deep.txt", "x=1", "--format", "mermaid", "-q").err == ""
    done = call(monkeypatch, "graph", "-f", "deep.txt", "x=1", "-o", "deep.svg")
    assert done == (
        2,
        "",
        "gradcli: a picture of 3,502 boxes and 3,501 arrows is too large for svg\n"
        "hint: --format dot or json writes a graph of any size\n",
    )


# Graphviz -------------------------------------------------------------------------------------------------------------

_SCRIPT = """#!/bin/sh
echo "$@" >words
cat >given
{does}
"""


@pytest.fixture
def fake_dot(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Something in the place of Graphviz's program, so that these tests need none."""
    folder = tmp_path / "bin"
    folder.mkdir()

    def does(line: str) -> None:
        (folder / "dot").write_text(_SCRIPT.format(does=line))
        (folder / "dot").chmod(0o755)

    monkeypatch.setenv("PATH", os.pathsep.join([str(folder), os.environ.get("PATH", os.defpath)]))
    return does


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a shell script")
def test_svg_and_png(monkeypatch: pytest.MonkeyPatch, fake_dot: Any) -> None:
    fake_dot("printf '\\211PNG drawn'")
    assert call(monkeypatch, *EXAMPLE, "-o", "x.svg") == (0, "", "")
    assert Path("x.svg").read_bytes() == b"\x89PNG drawn" and "-Tsvg" in Path("words").read_text()
    assert len(read_dot(Path("given").read_text()).edges) == 6
    assert call(monkeypatch, *EXAMPLE, "-o", "x.png") == (0, "", "")
    assert "-Tpng" in Path("words").read_text() and "dpi=144" in Path("given").read_text()
    assert process(*EXAMPLE, "--format", "svg", "-o", "y").code == 0
    # A pipe takes a PNG, a terminal does not.
    assert call(monkeypatch, *EXAMPLE, "--format", "png").out.endswith("PNG drawn")
    with talk(*EXAMPLE, "--format", "png") as terminal:
        code, shown = terminal.end()
    assert code == 2 and shown.startswith("gradcli: standard output is a terminal, and a PNG is not text")


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a shell script")
def test_what_graphviz_cannot_do_leaves_files_as_they_were(monkeypatch: pytest.MonkeyPatch, fake_dot: Any) -> None:
    Path("x.svg").write_text("old")
    fake_dot("echo 'Error: out of paint' >&2; exit 1")
    done = call(monkeypatch, *EXAMPLE, "-o", "x.svg")
    assert done == (1, "", "gradcli: Graphviz failed: Error: out of paint\nhint: --format dot needs nothing\n")
    assert Path("x.svg").read_text() == "old"
    assert not [name for name in leftovers() if name.startswith(".")]


HOW = 'hint: pip install "gradcli[graph]", and the system package graphviz'


def test_without_graphviz(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    done = call(monkeypatch, *EXAMPLE, "-o", "x.svg")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(
        "gradcli: drawing svg needs Graphviz, and Graphviz's program dot is not installed\n" + HOW
    )
    absent = tmp_path / "absent"
    absent.mkdir()
    (absent / "graphviz.py").write_text("raise ImportError('not here')\n")
    path = os.pathsep.join([str(absent), environment()["PYTHONPATH"]])
    done = process(*EXAMPLE, "-o", "x.png", PYTHONPATH=path, PYTHONDONTWRITEBYTECODE="1")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(
        "gradcli: drawing png needs Graphviz, and the Python package graphviz is not installed\n"
    )
    assert HOW in done.err and leftovers() == ["absent", "absent/graphviz.py"]


def test_graphviz_is_told_to_hurry(fake_dot: Any) -> None:
    def fan(count: int) -> Drawing:
        vertices = [Vertex("op", "f")] * count
        edges = [Edge(k, k + 1, 0, "") for k in range(count - 1)] + [Edge(0, k, 0, "") for k in range(2, count)]
        return Drawing("forward", vertices, sorted(edges, key=lambda e: e.target), [])

    fake_dot("echo drawn")
    assert laid_out(fan(20), "svg") == b"drawn\n" and "nslimit" not in Path("given").read_text()
    assert laid_out(fan(100), "svg") == b"drawn\n" and "nslimit" in Path("given").read_text()
    with pytest.raises(Exception, match="a picture of 400 boxes and 797 arrows is too large for svg"):
        laid_out(fan(400), "svg")


# What cannot be drawn -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ("-o", "picture.pdf"),
            "'picture.pdf' has no known extension\nhint: give --format, or an extension such as .dot, ",
        ),
        (("--json", "--format", "svg"), '{"error": {"message": "--json cannot be combined with --format svg"'),
    ],
)
def test_formats_that_are_none(monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], message: str) -> None:
    done = call(monkeypatch, *EXAMPLE, *options)
    assert (done.code, done.out) == (2, "") and done.err.removeprefix("gradcli: ").startswith(message)
    assert leftovers() == []


def test_places_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    done = call(monkeypatch, *EXAMPLE, "-o", "no/where.dot")
    assert done.code == 1 and done.err.startswith("gradcli: cannot write no/where.dot: ")
    done = call(monkeypatch, *EXAMPLE, "-o", ".")
    assert done.code == 1 and "Is a directory" in done.err
    assert call(monkeypatch, *EXAMPLE, "-o", "").err == "gradcli: a file name is empty\n"
    assert leftovers() == []
