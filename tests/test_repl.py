"""Interactive sessions: what they answer, as scripts, and typed on a real pseudo-terminal."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from gradcli.errors import GradcliError
from gradcli.repl.commands import COMMANDS
from gradcli.repl.history import History, history_path
from gradcli.repl.session import Session, Typed
from tests.command import call, environment, leftovers, process, shell
from tests.talking import PROMPT, READLINE, Talk, talk

SESSIONS = Path(__file__).with_name("repl_sessions.txt").read_text("utf-8")
TITLES = re.findall(r"^== (.*) ==$", SESSIONS, re.M)


@pytest.fixture(autouse=True)
def own_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def run(session: Session, text: str) -> str:
    """What a session answers, errors included."""
    try:
        reply = session.run(text)
    except GradcliError as error:
        return error.render()
    return "\n".join(filter(None, [reply.text, f"note: {reply.note}" if reply.note else ""]))


def answers(session: Session, *lines: str) -> list[str]:
    return [run(session, line) for line in lines]


# Sessions -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("title", TITLES)
def test_sessions(title: str) -> None:
    np.save("data.npy", np.array([1.0, 2.0, 3.0]))
    written = SESSIONS.partition(f"== {title} ==\n\n")[2].partition("\n== ")[0].rstrip("\n").splitlines()
    session, shown, lines = Session(), [], Typed()
    typed = [line for line in written if line.startswith(("> ", ". "))]
    assert len(typed) > 5
    for line in typed:
        # Whether a prompt asks for more is part of the answer.
        shown.append((". " if lines.is_open else "> ") + line[2:])
        text = lines.add(line[2:])
        if text is not None:
            shown += run(session, text).splitlines()
    assert shown == written


@pytest.mark.parametrize(
    ("expression", "inputs"),
    [
        ("mean(2*(3*x+7)**2)", ["x=ones(2,2)"]),
        ("h = tanh(x@W); -mean(log(softmax(h@V, dim=1)[:, 0]))", ["x=ones(8,4)", "W=ones(4,5)", "V=ones(5,3)"]),
        ("f(t) = t*exp(-t); sum(f(x))/sum(x)", ["x=linspace(0,1,5)"]),
        ("x > 1", ["x=[1,2]"]),
        ("x*i", ["x=[1,2]", "i=arange(2)"]),
    ],
)
def test_answers_are_those_of_eval(monkeypatch: pytest.MonkeyPatch, expression: str, inputs: list[str]) -> None:
    session = Session()
    assert answers(session, *inputs) == [""] * len(inputs)
    assert session.run(expression).text + "\n" == call(monkeypatch, "eval", expression, *inputs).out


def test_memory() -> None:
    session = Session()
    run(session, "x = 2")
    run(session, "big = expand(x, (100000,100000,100000))*x")
    told = run(session, "big")
    assert told.startswith("a float32 tensor of shape (100000, 100000, 100000) needs 4 PB")
    # It comes in one piece, which no file would help with, and a session has no option for the limit.
    assert told.endswith("  big = expand(x, (100000,100000,100000))*x\n                                         ^")
    assert "memory may be used" in (told := run(session, "y = ones(2**40)")) and "hint" not in told
    told = run(session, "sort(expand(x, (2**30, 2**20))).values")
    assert told.endswith("hint: its sum or mean needs no memory; `gradcli eval -o` writes large results to files")
    assert run(session, ":value x") == "tensor(2.)"


def test_sessions_have_settings_of_their_own() -> None:
    one, other = Session(), Session()
    answers(one, ":dtype float64", ":precision 1")
    assert (run(one, "[1]"), run(other, "[1]")) == ("tensor([1.], dtype=float64)", "tensor([1.])")


def test_a_session_leaves_when_asked() -> None:
    for word in ("exit", "quit", "exit()", "quit()", ":quit"):
        assert Session().run(word).over
    session = Session()
    run(session, "exit = 3")
    assert session.run("exit") == ("tensor(3.)", None, False)


def test_long_sessions() -> None:
    """Values made from values made from values."""
    session = Session()
    run(session, "x = 1")
    run(session, "y = x")
    for _ in range(3000):
        run(session, "y = y + x")
    assert run(session, ":grad y") == "x.grad\ntensor(3001.)"


def test_help_is_the_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    session = Session()
    for line in (":help softplus", ":ops softplus"):
        assert run(session, line) + "\n" == call(monkeypatch, "ops", "softplus").out
    monkeypatch.setenv("COLUMNS", "80")
    assert run(session, ":ops products") + "\n" == call(monkeypatch, "ops", "products").out
    assert run(session, ":ops") + "\n" == call(monkeypatch, "ops").out


def test_every_command_is_in_the_help() -> None:
    session = Session()
    shown = run(session, ":help")
    assert run(session, "help") == shown
    for name, (arguments, does, _) in COMMANDS.items():
        assert re.search(rf"^:{name} {re.escape(arguments)} +{re.escape(does)}$", shown, re.M) or not arguments
        assert run(session, f":help :{name}") == f":{name} {arguments}".rstrip() + f"\n{does}"


# Pictures -------------------------------------------------------------------------------------------------------------


def test_graphs(monkeypatch: pytest.MonkeyPatch) -> None:
    session = Session()
    answers(session, "x = [1, 2]", "y = x**2")
    assert run(session, ":graph y").startswith("digraph gradcli {")
    for what in ("forward", "backward", "grad", "plan"):
        assert run(session, f":graph {what} {what}.json sum(y)") == ""
        assert json.loads(Path(f"{what}.json").read_text())["what"] == what
    names = [node["name"] for node in json.loads(Path("forward.json").read_text())["nodes"]]
    assert names == ["x", "pow", "sum", "value"]
    # What was made earlier stands where it was written.
    places = [node["source"] for node in json.loads(Path("forward.json").read_text())["nodes"]]
    assert places == [None, "**", "sum(y)", None]
    assert run(session, ":graph a.mmd y") == "" and Path("a.mmd").read_text().startswith("flowchart TB\n")
    words = call(monkeypatch, "graph", "sum(x**2)", "x=[1,2]", "--what", "grad").out
    assert re.sub('tooltip=".*?"', "", run(session, ":graph grad sum(y)")) == re.sub('tooltip=".*?"', "", words.strip())


def test_plots(monkeypatch: pytest.MonkeyPatch) -> None:
    session = Session()
    # In any order, in any shape, and through other names.
    answers(session, "x = [[2, -2, 0], [1, -1, 0.5]]", "y = x**2")
    monkeypatch.setenv("COLUMNS", "80")
    inputs = ("x=[[2,-2,0],[1,-1,0.5]]", "--width", "80", "--height", "24")
    assert run(session, ":plot y*2") + "\n" == call(monkeypatch, "plot", "x**2*2", *inputs).out
    assert run(session, ":plot y.svg y") == "" and Path("y.svg").read_text("utf-8").startswith("<?xml")
    assert run(session, ":plot y.png y") == "" and Path("y.png").read_bytes().startswith(b"\x89PNG")
    assert run(session, ":plot arange(3) + sum(x)*0").startswith("the value is not made from x")
    run(session, "i = arange(4)")
    assert run(session, ":plot i**2").endswith("note: i is int64, so there is no derivative to plot")
    run(session, "a = ones(2,3)")
    assert run(session, ":plot x*a").startswith("a plot is against one input, and x and a have")
    run(session, ":wrt a")
    assert run(session, ":plot x*a") == "a holds no range of points\nhint: for example, a=linspace(-3,3,400)"


# Completion -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "length", "words"),
    [
        ("softp", 5, ["softplus"]),
        ("mean(2*alp", 3, ["alpha", "alpha_beta"]),
        ("x.sha", 3, []),
        ("x.soft", 4, ["softmax", "softplus", "softsign"]),
        (":pl", 3, [":plan", ":plot"]),
        (":grad alp", 3, ["alpha", "alpha_beta"]),
        ("squa", 4, ["square", "squared"]),
        ("", 0, []),
        ("3", 0, []),
        ("x+", 0, []),
    ],
)
def test_completion(before: str, length: int, words: list[str]) -> None:
    session = Session()
    answers(session, "alpha = 1", "alpha_beta = 2", "squared(t) = t**2")
    found_length, found = session.completions(before)
    assert set(words) <= set(found) and (not words or found_length == length)
    assert all(word.startswith(before[len(before) - found_length :]) for word in found)
    if length == 0:
        assert found == []


# Scripts --------------------------------------------------------------------------------------------------------------


def test_a_script() -> None:
    done = process("repl", stdin=b"x = ones(2,2)\nsum(\n  x**2\n)\n")
    assert done == (
        0,
        "tensor(4., grad_fn=<SumBackward0>)\n\nSumBackward0\n└─ PowBackward0\n   └─ AccumulateGrad x\n\n"
        "x.grad\ntensor([[2., 2.],\n        [2., 2.]])\n",
        "",
    )


def test_a_script_goes_on_after_mistakes() -> None:
    done = process("repl", stdin="x = 1\n\n# δ\nx +\r\ny\n:value x\n:nothing\n".encode())
    assert done == (
        1,
        "tensor(1.)\n",
        "gradcli: line 4: the expression is incomplete\n  x +\n     ^\n"
        "gradcli: line 5: unknown name 'y'\n  y\n  ^\nhint: give it a value, as in y=ones(2,2)\n"
        "gradcli: line 7: there is no command :nothing\nhint: :help lists the commands\n",
    )


def test_colors_of_a_script() -> None:
    lines, plain = b"x = 2.\n:grad x*3\n\nx + yy\n", process("repl", stdin=b"x = 2.\n:grad x*3\n\nx + yy\n")
    colored = process("repl", "--color", "always", stdin=lines)
    assert colored == (
        1,
        "\x1b[1mx.grad\x1b[0m\ntensor(3.)\n",
        "\x1b[1;31mgradcli:\x1b[0m line 4: unknown name 'yy'\n  x + yy\n\x1b[1;31m      ^^\x1b[0m\n"
        "\x1b[1;36mhint:\x1b[0m give it a value, as in yy=ones(2,2)\n",
    )
    assert process("repl", stdin=lines, FORCE_COLOR="1") == colored
    assert plain.out == "x.grad\ntensor(3.)\n" and "\x1b" not in plain.err
    assert process("repl", "--color", "never", stdin=lines, FORCE_COLOR="1") == plain
    assert process("repl", stdin=lines, FORCE_COLOR="1", NO_COLOR="1") == plain


def test_ends_of_scripts() -> None:
    assert process("repl", stdin=b"") == (0, "", "")
    assert process("repl", stdin=b"\xef\xbb\xbf:value 1") == (0, "tensor(1.)\n", "")
    assert process("repl", stdin=b":value 1\n:quit\n:value 2\n") == (0, "tensor(1.)\n", "")
    done = process("repl", stdin=b":value 1\n(1 +\n2")
    assert (done.code, done.out) == (1, "tensor(1.)\n") and done.err.startswith("gradcli: line 2: '(' is never closed")
    done = process("repl", stdin=b":value 1\n\xff\n")
    assert done == (1, "tensor(1.)\n", "gradcli: standard input is not UTF-8 text (line 2)\n")
    done = process("repl", stdin=b"x = 1\nsum(x)\n", PYTHONIOENCODING="ascii")
    assert (done.code, done.err) == (0, "") and done.out.isascii() and "`- AccumulateGrad x" in done.out


def test_what_a_script_writes_to_may_be_closed() -> None:
    line = "(echo ':value 1'; sleep 0.1; for i in 1 2 3 4 5 6 7 8; do echo ':value zeros(3000)'; done) | $G repl"
    done = shell(f"{line} | head -1")
    assert (done.out, done.err) == ("tensor(1.)\n", "")
    assert shell("echo ':value 1' | $G repl >&-").err == "gradcli: standard output is closed\n"
    assert shell("$G repl <&-").err == "gradcli: standard input is closed\n"
    # Nobody listens to errors, and the session goes on.
    assert shell("printf 'y\\n:value 1\\n' | $G repl 2>&-").out == "tensor(1.)\n"


def test_a_script_that_cannot_be_read() -> None:
    done = shell("$G repl 0>written")
    assert (done.code, done.err) == (1, "gradcli: cannot read standard input: Bad file descriptor\n")
    done = shell(f"head -c {(64 << 20) + 1} /dev/zero | tr '\\0' ' ' | $G repl")
    assert (done.code, done.err) == (1, "gradcli: line 1 of standard input is longer than 64 MB\n")


@pytest.mark.skipif(sys.platform == "win32", reason="a folder in use cannot be removed there")
def test_a_folder_that_is_gone(tmp_path: Path) -> None:
    (tmp_path / "f.grad").write_text("f(x) = x + 1")
    gone = "mkdir gone; cd gone; rmdir ../gone;"
    script = f'x = 2\\n:value x\\nx = @a.npy\\nimport "f.grad"\\nimport "{tmp_path}/f.grad"\\n:value f(x)\\n'
    done = shell(f"{gone} printf '{script}' | $G repl --allow-import {tmp_path}")
    assert (done.code, done.out) == (1, "tensor(2.)\ntensor(3.)\n")
    assert "line 3: cannot read a.npy: " in done.err and "line 4: cannot import 'f.grad': " in done.err
    done = shell(f"{gone} $G minimize 'x**2' x=1 --checkpoint c.npz")
    assert done == (1, "", "gradcli: the current folder does not exist any more\nhint: change to another one\n")


def test_scripts_read_nothing_of_earlier_sessions(tmp_path: Path) -> None:
    assert process("repl", stdin=b":value 1\n").code == 0
    assert leftovers(tmp_path) == ["work"]


# Histories ------------------------------------------------------------------------------------------------------------


def test_history(tmp_path: Path) -> None:
    path = str(tmp_path / "some" / "where" / "history")
    first = History(path)
    for line in ("x = 1", "x = 1", "  ", "δ = 2"):
        first.add(line)
    assert Path(path).read_text("utf-8") == "x = 1\nδ = 2\n" and History(path).lines == ["x = 1", "δ = 2"]
    assert os.stat(path).st_mode & 0o777 == 0o600 and os.stat(os.path.dirname(path)).st_mode & 0o777 == 0o700
    Path(path).write_bytes(b"a\xff\x1b[31m\n\n" + b"b\n" * 600_000)
    lines = History(path).lines
    assert len(lines) == 1000 and os.path.getsize(path) < 10_000 and History(path).lines == lines
    Path(path).write_bytes(b"a\xff\x1b[31m\n")
    assert History(path).lines == ["a\ufffd [31m"]


@pytest.mark.parametrize("kind", ["pipe", "folder", "device", "link"])
def test_whatever_stands_in_the_place_of_the_history(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "history"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        (tmp_path / "mine").write_text("x = 1\n")
        path.symlink_to("/dev/zero" if kind == "device" else tmp_path / "mine")
    history = History(str(path))
    assert history.lines == (["x = 1"] if kind == "link" else [])
    history.add("y = 2")
    # Whoever keeps the history elsewhere has made the link.
    assert kind != "link" or (tmp_path / "mine").read_text() == "x = 1\ny = 2\n"


def test_history_where_there_is_no_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    deep = "/none" + "/y" * 1500
    for path in (None, str(tmp_path), str(tmp_path / "file" / "history"), "/proc/none/history", "\0", deep):
        history = History(path)
        history.add("x = 1")
        assert history.lines == ["x = 1"]
    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert history_path() == str(tmp_path / ".local/state/gradcli/history")


# On a terminal --------------------------------------------------------------------------------------------------------

HELLO = ":help lists the commands, Ctrl-D exits"


@pytest.fixture(params=["prompt_toolkit", "readline"])
def typing(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Talk]:
    """A session that is typed to, with and without prompt_toolkit."""
    with typed(tmp_path, request.param) as session:
        yield session


@contextmanager
def typed(tmp_path: Path, reader: str, **variables: str) -> Iterator[Talk]:
    with talk("repl", **_variables(tmp_path, reader), **variables) as session:
        session.prompt = PROMPT if reader == "prompt_toolkit" else READLINE
        session.wait_for(HELLO)
        session.wait_for(session.prompt)
        yield session


def _variables(tmp_path: Path, reader: str) -> dict[str, str]:
    if reader == "prompt_toolkit":
        return {}
    absent = tmp_path / "absent"
    absent.mkdir(exist_ok=True)
    (absent / "prompt_toolkit.py").write_text("raise ImportError('not here')\n")
    return {"PYTHONPATH": os.pathsep.join([str(absent), environment()["PYTHONPATH"]]), "INPUTRC": os.devnull}


needs_terminals = pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")


@needs_terminals
def test_typing(typing: Talk) -> None:
    typing.type("x = ones(2,2)\r")
    typing.wait_for(typing.prompt)
    typing.type("mean(2*(3*x+7)**2)\r")
    typing.wait_for("tensor(200., grad_fn=<MeanBackward0>)")
    typing.wait_for("[30., 30.]])")
    typing.wait_for(typing.prompt)
    # A mistake, with its place, in colours.
    typing.type("x + yy\r")
    assert "unknown name 'yy'" in typing.wait_for("hint: give it a value, as in yy=ones(2,2)")
    assert re.search(r"\n  x \+ yy\s*\n\x1b\[1;31m      \^\^\x1b\[0m", typing.everything.replace("\r", ""))
    typing.wait_for(typing.prompt)
    # A bracket is open: the prompt asks for more.
    typing.type("sum(\r")
    typing.wait_for(typing.prompt.replace(">", "."))
    typing.type("x)\r")
    typing.wait_for("tensor(4., grad_fn=<SumBackward0>)")
    typing.wait_for(typing.prompt)
    typing.type("\x04")
    assert typing.end()[0] == 0


@needs_terminals
@pytest.mark.parametrize(
    ("reader", "variable"), [("prompt_toolkit", "NO_COLOR=1"), ("readline", "NO_COLOR=1"), ("readline", "TERM=dumb")]
)
def test_errors_without_colors(reader: str, variable: str, tmp_path: Path) -> None:
    name, _, setting = variable.partition("=")
    with typed(tmp_path, reader, **{name: setting}) as typing:
        typing.type("1 + yy\r")
        typing.wait_for("as in yy=ones(2,2)")
        assert "\n  1 + yy\n      ^^\nhint: give it" in typing.everything.replace("\r", "")


@needs_terminals
def test_keys(typing: Talk) -> None:
    # Ctrl-C forgets the line, also one that goes on.
    typing.type("x = (1 +\r")
    typing.wait_for(typing.prompt.replace(">", "."))
    typing.type("2")
    typing.wait_for("2")
    typing.type_until("\x03", typing.prompt)
    # Tab completes.
    typing.type("softpl\t")
    typing.wait_for("us")
    typing.type("(0) + 1\r")
    typing.wait_for("tensor(1.6931)")
    typing.wait_for(typing.prompt)
    # The arrow brings back what was typed before.
    typing.type("\x1b[A*2\r")
    typing.wait_for("tensor(2.6931)")
    typing.wait_for(typing.prompt)
    typing.type(":quit\r")
    assert typing.end()[0] == 0


@needs_terminals
def test_lines_that_are_pasted_together(typing: Talk) -> None:
    """Terminals mark what is pasted: line breaks in it do not end the line."""
    typing.type("\x1b[200~x = [1,\r2]\r:value x*2\ry = 3\r:grad x*nope\r:value x*y\x1b[201~")
    typing.wait_for(":value x*y")
    typing.type("\r")
    typing.wait_for("tensor([2., 4.])")
    typing.wait_for("unknown name 'nope'")
    typing.wait_for("tensor([3., 6.])")
    typing.wait_for(typing.prompt)
    typing.type("\x04")
    assert typing.end()[0] == 0


@needs_terminals
def test_an_interrupt_stops_a_computation(typing: Talk) -> None:
    typing.type("x = 1\r")
    typing.wait_for(typing.prompt)
    typing.type("y = 2; sum(sin(arange(300000.)[:, None]*arange(1000000.)*x))\r")
    typing.wait_for("*x))")
    # Until the computation has begun, the key only ends an empty line.
    typing.type_until("\x03", typing.prompt)
    # What the line assigned before is forgotten with it.
    typing.type(":value y\r")
    typing.wait_for("unknown name 'y'")
    typing.type(":value 3*x\r")
    typing.wait_for("tensor(3.)")
    typing.wait_for(typing.prompt)
    typing.type("\x04")
    assert typing.end()[0] == 0


@needs_terminals
@pytest.mark.parametrize("reader", ["prompt_toolkit", "readline"])
def test_lines_of_earlier_sessions(tmp_path: Path, reader: str) -> None:
    for keys, shown in (("1 + 41\r", "tensor(42.)"), ("\x1b[A + 1\r", "tensor(43.)")):
        with typed(tmp_path, reader) as session:
            session.type(keys)
            session.wait_for(shown)
            session.wait_for(session.prompt)
            session.type("\x04")
            assert session.end()[0] == 0
    assert (tmp_path / "state/gradcli/history").read_text() == "1 + 41\n1 + 41 + 1\n"


@needs_terminals
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_session_that_is_ended_removes_its_unfinished_files(typing: Talk, number: int) -> None:
    typing.type("x = ones(50000000)\r")
    typing.wait_for(typing.prompt)
    typing.type(":save large.npy x\r")
    end = time.monotonic() + 60
    while not any(name.endswith(".tmp") for name in os.listdir(".")):
        assert time.monotonic() < end
    os.kill(typing.pid, number)
    assert typing.end()[0] == -number
    assert [name for name in os.listdir(".") if name.endswith(".tmp")] == []
