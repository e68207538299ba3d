"""Definitions from files: what they mean where they are imported, who may import what, and what is said of mistakes."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import gradcli as gc
from gradcli.errors import GradcliError
from gradcli.evaluation.names import free_names, may_draw
from gradcli.evaluation.request import prepare
from gradcli.evaluation.values import specs_of
from gradcli.graph.dtypes import DTYPES
from gradcli.graph.op import OPS
from gradcli.language.constants import CONSTANTS, LOOPS
from gradcli.language.importing import importing
from gradcli.language.instructions import Script
from gradcli.language.parse import parse, unparse
from gradcli.reference.standard import definitions
from gradcli.repl.session import Session
from tests.command import call

SECRET = "root:$6$secret"
DEFS = """\
import "lib/base.grad" as b
# shared by several expressions
g = 9.81
_hidden = 4
half, _ = (0.5, 7)
sq(x) = b.twice(x)*x
fall(t, k=g) = {s = sq(t); half*k*s/_hidden*4/2}
several(a, s) = (a + s, s*2)
needs(w) = w*scale
broken(x) = nothing(x)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write("defs.grad", DEFS)
    write("lib/base.grad", "twice(x) = 2*x\nname = 1\n")
    return tmp_path


def write(path: str, text: str | bytes) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_bytes(text.encode() if isinstance(text, str) else text)


def value(text: str, **inputs: object) -> object:
    return gc.evaluate(text, inputs, imports=".").value.tolist()


def told(text: str, **inputs: object) -> str:
    with pytest.raises(GradcliError) as caught:
        gc.evaluate(text, inputs, imports=".")
    return caught.value.render()


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    "text, expected",
    [
        ('import "defs.grad"; fall(x)', 9.81 * 4 / 2),
        ('import "defs.grad"\nfall(x, k=g/2) + g', 19.62),
        ('import "defs.grad" as d; d.fall(x, 2) + d.half', 4.5),
        ('import "lib/base.grad" as l; import "defs.grad"; l.twice(sq(x)) + l.name', 17),
        # What a file defines is its own, whatever the expression calls so.
        ('import "defs.grad"; sq(x) = 100; g = 2; fall(x)/9.81 + sq(x) + g', 104),
        ('import "defs.grad"; f(g) = g + 1; f(x)', 3),
        ('import "defs.grad"; f(t, k=g) = {half = t*k; half}; f(x)', 19.62),
        ('import "defs.grad"; iterate(sq, x, 2)', 128),
        ('import "defs.grad" as d; iterate(d.sq, x, 2)', 128),
        ('import "defs.grad" as d; fold(d.several, (0, x), (ones(2),))[0]', None),
        # A file reads inputs, as expressions do.
        ('import "defs.grad"; needs(x)', 6),
    ],
)
def test_what_a_file_defines_can_be_used(text: str, expected: float | None) -> None:
    inputs = {"x": 2.0} | ({"scale": 3.0} if "needs" in text else {})
    if expected is None:
        assert "defs.several() takes 2 arguments, got 3" in told(text, **inputs)
    else:
        assert value(text, **inputs) == pytest.approx(expected, rel=1e-6)


@pytest.mark.usefixtures("folder")
def test_gradients_and_text_are_those_of_the_definitions_written_out() -> None:
    text = 'import "defs.grad" as d; y = d.fall(x); y*d.g'
    imported = gc.evaluate(text, {"x": 2.0}, imports=".")
    written = gc.evaluate("g = 9.81; sq(x) = (2*x)*x; y = 0.5*g*sq(x)/4*4/2; y*g", {"x": 2.0})
    assert imported.grads["x"].item() == written.grads["x"].item()
    with importing("."):
        script = parse(text)
        assert unparse(script) == text
        assert unparse(parse('import "defs.grad"; f(x, k=g) = fall(x); f(x) + iterate(sq, x, 2)')).startswith(
            'import "defs.grad"; f(x, k=g) = fall(x); f(x) + iterate('
        )
    # What is not used is not there.
    names = [statement.name or statement.names[0] for statement in script.statements[: script.borrowed]]
    assert names == ["base.twice", "defs.g", "defs._hidden", "defs.half", "defs.sq", "defs.fall"]


@pytest.mark.usefixtures("folder")
def test_another_process_needs_no_files() -> None:
    with importing("."):
        request = prepare(parse('import "defs.grad"; fall(x)'), specs_of({"x": np.float32(2)}))
    os.remove("defs.grad")
    again = pickle.loads(pickle.dumps(request.recipe(None))).prepare()
    assert [root.op for root in again.roots] == [root.op for root in request.roots]
    assert again.source == request.source and again.roots[0].span == request.roots[0].span


@pytest.mark.usefixtures("folder")
def test_a_file_that_changes_is_read_again() -> None:
    assert value('import "lib/base.grad"; twice(x)', x=1.0) == 2
    write("lib/base.grad", "twice(x) = 2*x + 1")
    # Without leave nothing is imported, not even what a plan is kept for.
    with pytest.raises(GradcliError, match="the value of this expression is not used"):
        gc.evaluate('import "lib/base.grad"; twice(x)\ntwice(x) = 2*x\nname = 1\n', {"x": 1.0})
    assert value('import "lib/base.grad"; twice(x)', x=1.0) == 3


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    "text, lines",
    [
        (
            'import "defs.grad"; 1 + needs(x)',
            ["unknown name 'scale'", "  defs.grad, line 9, column 14:", "  needs(w) = w*scale", "               ^^^^^"],
        ),
        (
            'import "defs.grad" as d; d.broken(x)',
            ["unknown function 'nothing'", "  defs.grad, line 10, column 13:", "  broken(x) = nothing(x)"],
        ),
        (
            'import "defs.grad"; fall(x, 1, 2)',
            ["defs.fall() takes 2 arguments, got 3", '  import "defs.grad"; fall(x, 1, 2)'],
        ),
        (
            'import "defs.grad"; fal(x)',
            [
                "unknown function 'fal'",
                '  import "defs.grad"; fal(x)',
                "  " + " " * 20 + "^^^",
                "hint: did you mean 'fall'?",
            ],
        ),
        (
            'import "defs.grad" as d; d._hiden',
            ["defs.grad does not define '_hiden'", '  import "defs.grad" as d; d._hiden', "  " + " " * 25 + "^^^^^^^^"],
        ),
        ('import "defs.grad" as d; d(x)', ["d stands for defs.grad and has no value"]),
        ('import "defs.grad" as d; d + x', ["d stands for defs.grad and has no value"]),
        ('import "defs.grad" as d; d.f(t) = t; x', ["d.f cannot be assigned to"]),
        ('import "defs.grad" as d; import "lib/base.grad" as d; x', ["two imports are called 'd'"]),
        ('x; import "defs.grad"', ["imports come first"]),
        ("import defs.grad; x", ["unexpected '.'", "  import defs.grad; x", "             ^"]),
        ('from "defs.grad"; x', ["unexpected 'from'", '  from "defs.grad"; x', "  ^^^^", "hint: write import"]),
        ("import defs; x", ["defs cannot be imported"]),
        ('1 + import "defs.grad"', ["unexpected 'import'"]),
        ('import "defs.grad"', ["the expression is empty", "hint: write it after the imports"]),
        ('import "circle.grad"; x', ["circular import: circle.grad imports round.grad, which imports circle.grad"]),
        (
            'import "expression.grad"; x',
            ["an imported file holds definitions, not expressions", "  expression.grad, line 2"],
        ),
        ('import "twice.grad"; x', ["'f' is defined twice", "  twice.grad, line 2, column 1:", "  f(x) = 2", "  ^"]),
        ('import "wrong.grad"; x', ["unmatched ')'", "  wrong.grad, line 1, column 8:", "  f(x) = )"]),
        (
            'import "far.grad"; x',
            ["cannot import 'not.grad': No such file or directory", "  far.grad, line 1, column 8:"],
        ),
        (
            'import "defs.grad"; import "other.grad"; sq(x)',
            ["'sq' is defined by defs.grad and other.grad", '  import "defs.grad"; import "other.grad"; sq(x)'],
        ),
        # Whoever reads the file has not this relu in mind.
        ('import "other.grad"; relu(x) = -x; rel(x)', ["other.grad uses a 'relu' that is not this one"]),
    ],
)
def test_mistakes_are_shown_where_they_are(text: str, lines: list[str]) -> None:
    write("circle.grad", 'import "round.grad"')
    write("round.grad", 'import "circle.grad"')
    write("expression.grad", "a = 1\na + 1")
    write("twice.grad", "f(x) = 1\nf(x) = 2")
    write("wrong.grad", "f(x) = )")
    write("far.grad", 'import "not.grad"')
    write("other.grad", "sq(x) = x\nrel(x) = relu(x)")
    shown = told(text, x=2.0).split("\n")
    assert shown[0].startswith(lines[0])
    for line in lines[1:]:
        assert any(one.startswith(line) for one in shown), shown


@pytest.mark.usefixtures("folder")
def test_an_input_does_not_hide_what_is_imported() -> None:
    assert "'g' is an input, and here it is defs.g" in told('import "defs.grad"; g*x', x=1.0, g=3.0)
    assert value('import "defs.grad"; sq(x)', x=1.0, g=3.0) == 2
    assert value('import "defs.grad" as d; d.sq(g)', g=3.0) == 18


@pytest.mark.usefixtures("folder")
def test_constants_and_libraries_are_those_of_the_file() -> None:
    write("own.grad", "inf = 2\ntwice(x) = inf*x\narea(r, pi=pi) = pi*r**2 + e*0\nrel(x) = F.relu(x) + np.pi*0")
    inputs = {"x": 1.0, "e": 100.0, "pi": 3.0, "F": -5.0}
    expected = gc.evaluate("import std; ackley(x)", {"x": [1.0, 1.0]}).value.item()
    assert value("import std; ackley(x*[1, 1]) + 0*e*pi*F", **inputs) == pytest.approx(expected)
    assert value('import "own.grad"; twice(x)*e*pi', **inputs) == 600
    assert value('import "own.grad"; e = 7; area(x) + area(x, pi)', **inputs) == pytest.approx(np.pi + 3)
    assert value('import "own.grad"; rel(x) + F', **inputs) == -4


def _outside(path: Path) -> None:
    write(str(path.parent / "outside.grad"), SECRET)


HOSTILE: list[tuple[str, Callable[[Path], object], str]] = [
    ("secret.txt", lambda path: write("secret.txt", SECRET), "'secret.txt' cannot be imported"),
    ("/etc/shadow", lambda path: None, "'/etc/shadow' cannot be imported"),
    ("", lambda path: None, "'' cannot be imported"),
    ("a\0.grad", lambda path: None, r"'a\x00.grad' cannot be imported"),
    ("../outside.grad", _outside, "'../outside.grad' lies outside the folder of what imports it"),
    # Nobody learns whether there is such a file.
    ("../missing.grad", _outside, "'../missing.grad' lies outside the folder of what imports it"),
    ("/dev/null/x.grad", lambda path: None, "'/dev/null/x.grad' lies outside the folder of what imports it"),
    (
        "link.grad",
        lambda path: (_outside(path), os.symlink("../outside.grad", "link.grad")),
        "'link.grad' lies outside the folder of what imports it",
    ),
    (
        "up/outside.grad",
        lambda path: (_outside(path), os.symlink("..", "up")),
        "'up/outside.grad' lies outside the folder of what imports it",
    ),
    (
        "text.grad",
        lambda path: (write("secret.txt", SECRET), os.symlink("secret.txt", "text.grad")),
        "'text.grad' is a link to a file whose name does not end in .grad",
    ),
    (
        "loop.grad",
        lambda path: os.symlink("loop.grad", "loop.grad"),
        "cannot import 'loop.grad': it is a symbolic link",
    ),
    ("pipe.grad", lambda path: os.mkfifo("pipe.grad"), "cannot import 'pipe.grad': it is not a regular file"),
    ("folder.grad", lambda path: os.mkdir("folder.grad"), "cannot import 'folder.grad': it is not a regular file"),
    ("not.grad", lambda path: None, "cannot import 'not.grad': No such file or directory"),
    ("n" * 300 + ".grad", lambda path: None, "cannot import 'nnn"),
    (
        "long.grad",
        lambda path: write("long.grad", b"#" * (1 << 20) + b"\n"),
        "cannot import 'long.grad': it is too long",
    ),
    (
        "bytes.grad",
        lambda path: write("bytes.grad", b"a = 1\n\xff\xfe"),
        "cannot import 'bytes.grad': it is not UTF-8 text (line 2)",
    ),
]


@pytest.mark.parametrize("target, prepared, message", HOSTILE, ids=[message for _, _, message in HOSTILE])
def test_what_may_not_be_imported_is_refused(
    folder: Path, target: str, prepared: Callable[[Path], object], message: str
) -> None:
    prepared(folder)
    shown = told(f'import "{target}"; 1')
    assert shown.startswith(message), shown
    assert SECRET not in shown and "^" in shown


def test_a_file_that_may_not_be_read_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("gradcli.language.importing.open_regular", refuse)
    assert told('import "defs.grad"; 1').startswith("cannot import 'defs.grad': Permission denied")


@pytest.mark.usefixtures("folder")
def test_imports_are_bounded() -> None:
    for k in range(20):
        write(f"deep{k}.grad", f'import "deep{k + 1}.grad"')
    assert told('import "deep0.grad"; 1').startswith("imports are nested more than 16 deep")
    for k in range(65):
        write(f"many{k}.grad", f"f{k}(x) = x")
    text = "; ".join(f'import "many{k}.grad"' for k in range(65))
    assert told(f"{text}; 1").startswith("more than 64 files are imported")
    for k in range(5):
        write(f"large{k}.grad", "#" * 1_000_000)
    text = "; ".join(f'import "large{k}.grad"' for k in range(5))
    assert told(f"{text}; 1").startswith("the files that are imported have more than 4 MiB together")


@pytest.mark.usefixtures("folder")
def test_nothing_is_imported_unless_a_folder_is_given() -> None:
    for run in (
        lambda: gc.evaluate('import "defs.grad"; sq(x)', {"x": 1.0}),
        lambda: gc.minimize('import "defs.grad"; sq(x)', {"x": 1.0}, "x"),
        lambda: gc.fit('import "defs.grad"; y = sq(x)*a', {"x": [1.0], "y": [1.0]}, {"a": 1.0}),
        lambda: gc.evaluate("x", {"x": 'import "defs.grad"; sq(1)'}),
    ):
        with pytest.raises(GradcliError):
            run()
    with pytest.raises(GradcliError, match="no files are imported here"):
        gc.evaluate('import "not.grad"; x', {"x": 1.0})
    with pytest.raises(GradcliError, match="imports must be the path of a folder"):
        gc.evaluate("x", {"x": 1.0}, imports=3)  # type: ignore[arg-type]
    found = gc.minimize('import "defs.grad"; (sq(x) - 8)**2', {"x": 1.0}, "x", imports=".")
    assert found.parameters["x"].item() == pytest.approx(2, rel=1e-3)
    data = {"x": [1.0, 2.0, 3.0], "y": [2.0, 8.0, 18.1]}
    fitted = gc.fit('import "defs.grad"; sq(y) = a*sq(x)**2', data, {"a": 1.0}, imports=Path())
    assert fitted.parameters["a"].item() == pytest.approx(2.02, rel=1e-2)


def test_commands_import_beside_their_expression(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write("sub/loss.txt", 'import "own.grad"; thrice(x)')
    write("sub/own.grad", "thrice(x) = 3*x")
    assert (
        call(monkeypatch, "eval", "-f", "sub/loss.txt", "x=2", "--only", "value").out.strip()
        == "tensor(6., grad_fn=<MulBackward0>)"
    )
    assert call(monkeypatch, "derive", 'import "defs.grad"; fall(x)').out == "9.81*x\n"
    assert "'g' is an input, and here" in call(monkeypatch, "derive", 'import "defs.grad"; g*x', "g=2").err
    nowhere = call(monkeypatch, "eval", "x", "x=2", "--allow-import", "nowhere")
    assert nowhere.code == 2 and "nowhere" in nowhere.err
    write("sub/up.txt", 'import "../defs.grad"; sq(x)')
    for words in (["sub/up.txt"], ["sub/up.txt", "--allow-import", "lib"]):
        assert call(monkeypatch, "eval", "-f", *words, "x=2").code == 2
    absolute = f'import "{folder}/defs.grad"; sq(x)'
    assert call(monkeypatch, "eval", absolute, "x=2", "--only", "value").code == 0
    monkeypatch.chdir("lib")
    assert call(monkeypatch, "eval", absolute, "x=2").code == 2
    assert call(monkeypatch, "eval", absolute, "x=2", "--allow-import", "..").code == 0
    monkeypatch.chdir("..")
    refused = call(monkeypatch, "eval", "-f", "sub/up.txt", "x=2")
    assert refused.code == 2 and "lies outside the folder of what imports it" in refused.err
    allowed = call(monkeypatch, "eval", "-f", "sub/up.txt", "x=2", "--allow-import", ".", "--only", "value")
    assert allowed.out.strip() == "tensor(8., grad_fn=<MulBackward0>)"
    # The error of a file for programs: its name, and the place in it.
    failed = call(monkeypatch, "eval", 'import "defs.grad"; needs(x)', "x=2", "--json")
    assert json.loads(failed.err)["error"] | {"hint": ""} == {
        "message": "unknown name 'scale'",
        "span": [DEFS.index("scale"), DEFS.index("scale") + 5],
        "hint": "",
        "file": "defs.grad",
    }


def test_streams_import_where_they_are_allowed_to(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["stream", 'import "defs.grad"; sq(x)']
    refused = call(monkeypatch, *words, stdin=b'{"x": 2}\n')
    assert refused.code == 2 and "no files are imported here" in refused.err
    done = call(monkeypatch, *words, "--allow-import", ".", stdin=b'{"x": 2}\n')
    assert json.loads(done.out)["value"] == 8


def test_batches_take_the_definitions_along(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkdir("items")
    np.save("items/a.npy", np.float32(2))
    words = ["batch", 'import "defs.grad"; sq(x)', "x=items/", "-o", "out", "--resume", "-q"]
    assert call(monkeypatch, *words).code == 0
    write("lib/base.grad", "twice(x) = 3*x")
    changed = call(monkeypatch, *words)
    assert changed.code == 2 and "another expression" in changed.err


@pytest.mark.usefixtures("folder")
def test_sessions_remember_what_they_import() -> None:
    session = Session()
    assert session.run('import "defs.grad"').text == ""
    assert session.run("x = 2").text == ""
    assert session.run("sq(x)").text.startswith("tensor(8., ")
    assert session.run('import "lib/base.grad" as b; b.twice(x)*g').text.startswith("tensor(39.2400, ")
    session.run("f(t) = sq(t) + b.name")
    assert session.run("f(x)").text.startswith("tensor(9., ")
    with pytest.raises(GradcliError, match="unknown name 'scale'\n  defs.grad, line 9"):
        session.run("needs(x)")
    with pytest.raises(GradcliError):
        session.run('import "not.grad"')
    assert session.run("sq(x)").text.startswith("tensor(8., ")
    assert "fall" in session.completions("fal")[1]
    assert session.run(":names").text.startswith('import "defs.grad"\nimport "lib/base.grad" as b\nx ')
    # What is imported is read anew for every line; what is not wanted any more can be forgotten.
    os.remove("lib/base.grad")
    with pytest.raises(GradcliError, match="cannot import"):
        session.run("x")
    session.run(":delete b defs.grad")
    with pytest.raises(GradcliError, match="unknown function 'sq'"):
        session.run("sq(x)")


def test_scripts_without_imports_are_as_before() -> None:
    assert parse("x + 1") == Script("x + 1", parse("x + 1").statements)
    # Words that only begin like those of the grammar.
    assert gc.evaluate("imported + ash", {"imported": 1.0, "ash": 2.0}).value.item() == 3


def test_the_library_gives_what_operations_do_not() -> None:
    script = parse("import std; rmse(x, 1)")
    names = [name for name in script.offered if name in OPS or name in LOOPS or name in CONSTANTS or name in DTYPES]
    assert names == [] and [one.name for one in definitions()] == list(script.offered)
    # It reads no inputs and draws nothing: whoever imports it gets what the arguments say.
    for one in definitions():
        params = [param.partition("=")[0].strip() for param in one.signature.partition("(")[2][:-1].split(",")]
        call = f"import std; {one.name}({', '.join(params)})"
        assert set(free_names(parse(call))) <= set(params), one.name
    assert not may_draw(script.source)


@pytest.mark.usefixtures("folder")
def test_the_library_is_found_whatever_files_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    write("std.grad", "rmse(x, y) = 0*x")
    for text in ("import std; rmse(x, 1)", 'import "std.grad"; rmse(x, 1)', "import std as s; s.rmse(x, 1)"):
        assert value(text, x=3.0) == 2
        assert gc.evaluate(text, {"x": 3.0}).value.item() == 2
    assert value('import "./std.grad"; rmse(x, 1)', x=3.0) == 0
    for text, hint in {
        "rmse(x, 1)": "std has it, as in import std; rmse(…)",
        "std.rmse(x, 1)": "std has it, as in import std; rmse(…)",
        "import std; std.rmse(x, 1)": "write rmse(…)",
        "import std as s; rmse(x, 1)": "write s.rmse(…)",
        "import std as s; std.rmse(x, 1)": "write s.rmse(…)",
        "import std; rmse": "call it, as in rmse(x)",
        "import std as s; s.rmse": "call it, as in s.rmse(x)",
        'import "./std.grad" as m; rmse(x, 1)': "write m.rmse(…)",
    }.items():
        assert f"hint: {hint}" in told(text, x=3.0)
    assert call(monkeypatch, "stream", "import std; rmse(x, 1)", "--only", "value", stdin=b'{"x": 3}\n').out == "2.0\n"
    assert "  mean(d + softplus(-2*d) - log(2))\n" in call(monkeypatch, "ops", "std.log_cosh_loss").out
    assert "rosenbrock(x)" in call(monkeypatch, "ops", "std.grad").out
    assert "`gradcli ops std.rosenbrock`" in call(monkeypatch, "ops", "rosenbrock").err
    assert call(monkeypatch, "ops", "std.rms").err.endswith("hint: did you mean 'rmse'?\n")


def test_a_library_has_its_prefix_unless_something_else_has_it(folder: Path) -> None:
    write("own.grad", "F = 2\nsum(t) = F.sum()*t\nspread(t) = np.std(t)\n")
    assert value('import "own.grad"; spread(x) + F.sum()', x=[1.0, 3.0]) == 3
    assert value('import "own.grad" as np; np.sum(x)', x=3.0) == 6
    assert value('import "own.grad"; np = 5; spread(x) + np', x=[1.0, 3.0]) == 6
