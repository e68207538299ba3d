"""What cannot be carried out ends with the right exit code and one clear report, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import re
import resource
import select
import shlex
import signal
import subprocess
import sys
import time
import unicodedata
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np
import pytest

import gradcli as gc
from gradcli.cli.main import cli
from gradcli.cli.options import Picture
from gradcli.engine.execute import run
from gradcli.engine.native.choice import using
from gradcli.errors import GradcliError
from gradcli.graph import node
from gradcli.graph.dtypes import DTYPES
from gradcli.graph.op import OPS
from gradcli.tensors.tensor import call as call_op
from tests import bad_files
from tests.command import COMMAND, Done, call, ended_by, environment, leftovers, process, shell
from tests.terminal import ROOT


class Row(NamedTuple):
    """A request of the table, and what it must come to."""

    line: str
    err: str
    code: int

    @property
    def words(self) -> list[str]:
        words = shlex.split(self.line)
        return words[1:] if words[:1] == ["gradcli"] else ["eval", *words]


def _table() -> list[Row]:
    text = (Path(__file__).parent / "bad_requests.txt").read_text("utf-8")
    return [Row(line, err, int(code)) for line, err, code in re.findall(r"^\$ (.*)\n((?s:.*?))^\[(\d)\]$", text, re.M)]


TABLE = _table()


@pytest.fixture(autouse=True)
def own_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def failed(done: Done, code: int = 2) -> str:
    """The report of a command that failed as it should: nothing on standard output, one message, no traceback."""
    assert (done.code, done.out) == (code, ""), done
    assert done.err.startswith("gradcli: ") and done.err.endswith("\n")
    assert "Traceback" not in done.err and "Warning" not in done.err and "internal error" not in done.err
    assert all(c.isprintable() or c == "\n" for c in done.err)
    return done.err.removeprefix("gradcli: ").removesuffix("\n")


# The table ------------------------------------------------------------------------------------------------------------


def test_the_table_is_read_whole() -> None:
    assert len(TABLE) == (Path(__file__).parent / "bad_requests.txt").read_text("utf-8").count("\n$ ") > 160


def test_a_pipe_is_read_once() -> None:
    """Who opens it again waits for a writer that never comes."""
    os.mkfifo("pipe")
    for words in (
        ("x + y", "x=@pipe", "y=@./pipe"),
        ("x", "x=@pipe", "--grad-output", "@pipe"),
        ("-f", "pipe", "x=@pipe"),
    ):
        assert failed(process("eval", *words)).startswith("only one thing can be read from the pipe ")
    done = process("fit", "y = a*x", "x=@pipe", "y=@pipe", "--params", "a=1")
    assert failed(done) == "only one thing can be read from the pipe pipe"


def test_letters_and_accents_of_inputs_are_one_character(monkeypatch: pytest.MonkeyPatch) -> None:
    for words in (
        ("eval", "\u00e9 + 1", "e\u0301=3", "--no-grad"),
        ("eval", "\u00e9 + 1", "e\u0301=3", "--show", "value", "--wrt", "e\u0301"),
        ("eval", "4*\u00e9", "e\u0301=3", "--only", "e\u0301.grad"),
    ):
        assert call(monkeypatch, *words).out.partition(",")[0].rstrip(")\n") == "tensor(4."
    assert call(monkeypatch, "eval", "4*\u00e9", "e\u0301=3", "-q", "-o", "e\u0301.grad=g.npy").code == 0
    assert np.load("g.npy") == 4
    fit = ("minimize", "(\u00e9 - 3)**2", "e\u0301=0.0", "--bounds", "e\u0301=:2", "--method", "l-bfgs-b", "--json")
    assert json.loads(call(monkeypatch, *fit).out)["parameters"] == {"\u00e9": 2.0}


@pytest.mark.parametrize("name", ["\u00e9", "e\u0301", "\u03b1"])
def test_shapes_of_inputs_with_names_that_are_not_ascii(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = unicodedata.normalize("NFC", name)
    assert call(monkeypatch, "derive", f"{plain}**2", f"{name}:0").out == f"2*{plain}\n"
    assert call(monkeypatch, "derive", "x**2", "\u00b2:0").code == 2


def test_hints_name_no_option_that_a_command_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    wide = "sum(sort(x[:, None]*ones(1, 10**10)).values)"
    for words in (("check", wide, "x=[1, 2]"), ("plot", "sort(x*ones(10**12)).values[0]", "x=-3:3")):
        assert "memory may be used" in (told := failed(call(monkeypatch, *words))) and "--" not in told
    assert "--memory-limit" in failed(call(monkeypatch, "eval", wide, "x=[1, 2]"))
    with pytest.raises(GradcliError, match="memory may be used") as met:
        gc.evaluate("x.expand(2**40, 3) + 1", {"x": [1, 2, 3]})
    assert met.value.hint is None


def test_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    bad_files.make()
    before = leftovers()
    wrong = []
    for row in TABLE:
        done = call(monkeypatch, *row.words)
        if done != (row.code, "", row.err):
            wrong.append(f"$ {row.line}\n{done.err}{done.out}[{done.code}]")
    assert not wrong, "\n\n".join(wrong)
    assert leftovers() == before


@pytest.mark.parametrize("row", TABLE[:: len(TABLE) // 20], ids=lambda row: row.line)
def test_the_table_in_real_processes(row: Row) -> None:
    bad_files.make()
    before = leftovers()
    assert process(*row.words) == (row.code, "", row.err)
    assert leftovers() == before


def test_the_table_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    bad_files.make()
    for row in TABLE:
        done = call(monkeypatch, row.words[0], "--json", *row.words[1:])
        assert (done.code, done.out, done.err.count("\n")) == (row.code, "", 1), row.line
        error = json.loads(done.err)["error"]
        assert sorted(error) == ["hint", "message", "span"]
        lines = row.err.removeprefix("gradcli: ").splitlines()
        if "json" not in error["message"]:
            assert error["message"] == lines[0]
            assert (error["span"] is None) == (re.search(r"^ +\^+$", row.err, re.M) is None), row.line
            assert (f"hint: {error['hint']}" == lines[-1]) if error["hint"] else not lines[-1].startswith("hint: ")


def test_errors_as_json() -> None:
    done = process("eval", "x + y", "x=1", "--json")
    assert (done.code, done.out) == (2, "")
    assert json.loads(done.err) == {
        "error": {
            "message": "unknown name 'y'",
            "span": [4, 5],
            "hint": "give it a value on the command line, as in y=ones(2,2)",
        }
    }
    # After "--" this is an expression: x subtracted twice.
    assert process("eval", "--", "--jso", "x=1").err.startswith("gradcli: unknown name 'jso'")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["frob"], "no such command 'frob'"),
        (["eval"], "missing argument 'EXPR'"),
        (["eval", "x", "x=1", "--frob"], "no such option"),
        (["eval", "--x", "x=1"], "no such option"),
        (["eval", "x", "x=1", "--seed", "a"], "invalid value for '--seed': 'a'"),
        (["eval", "x", "x=1", "--dtype", "int99"], "invalid value for '--dtype': 'int99'"),
        (["eval", "x", "x=1", "--precision", "99"], "invalid value for '--precision': 99"),
        (["eval", "x", "x=1", "--precision", "-1"], "invalid value for '--precision': -1"),
        (["eval", "x", "x=1", "-o"], "option '-o' requires an argument"),
    ],
)
def test_options_that_click_refuses(words: list[str], message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = failed(call(monkeypatch, *words)).splitlines()
    assert lines[0].startswith(message) and lines[1].startswith("hint: `gradcli") and len(lines) == 2


def test_paths_that_are_taken_for_expressions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("data", "sum"):
        Path(name).write_text("1")
    os.mkdir("folder")
    usual = "hint: a value is a number, a list, a call such as ones(2,2), or a file: @PATH, x.npy or x.csv"
    for words, hint in [
        (["x", "x=data"], "hint: a file is written with an @: x=@data"),
        (["x", "x=sum"], "hint: a file is written with an @: x=@sum"),
        (["x", "x=folder"], "hint: folder is a folder: name a file in it; `gradcli batch` takes all of them"),
        (["x", "x=nowhere"], usual),
        (["x", "x=-"], "hint: a .npy on standard input is written x=@-"),
        (["x", "x=[1, 2]", "--grad-output", "-"], "hint: a .npy on standard input is written --grad-output @-"),
        (["x", "x=[1, 2]", "--grad-output", "data"], "hint: a file is written with an @: --grad-output @data"),
        (["data"], "hint: the expression in a file is read with -f data"),
        (["@data"], "hint: the expression in a file is read with -f data"),
        (["data", "data=[1, 2]", "--hessian"], "hint: reduce it, as in sum(...)"),
        (["x", "x", "=", "1"], "hint: no spaces stand around =, as in x=3"),
        (["X", "x=1"], "hint: did you mean 'x'?"),
        (["x", "data.csv"], "hint: inputs are written NAME=VALUE, as in x=data.csv"),
        (["x", "x=1", "--native"], "hint: write --engine native"),
        (["x", "x=1", "--engin", "numpy"], "hint: did you mean '--engine'?"),
        (["x", "x=1,2"], "hint: a list is written in brackets: x='[1,2]'"),
    ]:
        assert failed(call(monkeypatch, "eval", *words)).splitlines()[-1] == hint, words
    for words in (["help", "softplus"], ["softplus", "x=1"]):
        assert failed(call(monkeypatch, *words)).endswith("hint: `gradcli ops softplus` explains the operation")


VALUED = [
    (name, option.opts[-1])
    for name, command in cli.commands.items()
    for option in command.get_params(click.Context(command, help_option_names=["-h", "--help"]))
    # A picture is shown in the terminal where no file follows.
    if isinstance(option, click.Option) and not option.is_flag and not isinstance(option, Picture)
]


@pytest.mark.parametrize(("name", "option"), VALUED)
def test_options_without_their_value(name: str, option: str, monkeypatch: pytest.MonkeyPatch) -> None:
    told = f"option '{option}' requires an argument\nhint: `gradcli {name} --help` shows what it takes"
    assert failed(call(monkeypatch, name, option)) == told


# Text that is meant to do harm ----------------------------------------------------------------------------------------

STRANGE = {
    "x\x1b[31mred": "unexpected character U+001B\n  x?[31mred\n   ^",
    "x +\x07 2": "unexpected character U+0007\n  x +? 2\n     ^",
    "x\u202e + 2": "unexpected character U+202E\n  x? + 2\n   ^",
    "x\udcff": "the byte 0xFF is not UTF-8\n  x?\n   ^\nhint: write the expression in UTF-8",
    "\t\tx $": "unexpected character '$'\n    x $\n      ^",
    "y = 3 *\nz = 2; y": "the line is incomplete\n  y = 3 *\n         ^\n"
    "hint: put parentheses around an expression that continues on the next line",
    "变量 + $": "unexpected character '$'\n  变量 + $\n         ^",
    "'\x1b]0;title\x07' + x": "expected a tensor or a number, got a string\n  '?]0;title?' + x\n               ^",
}


@pytest.mark.parametrize("expression", STRANGE)
def test_strange_characters(expression: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert failed(call(monkeypatch, "eval", expression, "x=1")) == STRANGE[expression]


def test_nothing_reaches_the_terminal_raw(monkeypatch: pytest.MonkeyPatch) -> None:
    evil = "\x1b[2J\x07\r\u202e"
    for words in (
        [f"x{evil}"],
        ["x", f"x{evil}=1"],
        ["x", f"x=@{evil}"],
        ["x", f"x={evil}.npy"],
        ["x", f"x={evil}.npz:{evil}"],
        ["-f", evil],
        ["x", "x=1", "-o", f"value={evil}/a.npy"],
        ["x", "x=1", "-o", evil],
        ["x", "x=1", f"--{evil}"],
        ["x", "x=1", "--wrt", evil],
        ["x", "x=1", "--dtype", evil],
        ["x", "x=1", "-o", f"{evil}=a.npy"],
        ["x", "x=1", "--grad-output", evil],
        [f"x.to('{evil}')", "x=1"],
        [f"einsum('{evil}', x)", "x=1"],
    ):
        done = call(monkeypatch, "eval", *words)
        failed(done, done.code)
        assert done.code in (1, 2), words
    assert leftovers() == []


def test_bytes_that_are_no_text() -> None:
    told = "the byte 0xFF is not UTF-8\n  x + ?\n      ^\nhint: write the expression in UTF-8"
    assert failed(process("eval", b"x + \xff", "x=1")) == told
    assert failed(process("eval", "x", b"x=@\xff.npy"), 1) == "cannot read ?.npy: No such file or directory"
    assert failed(process("eval", "x", b"x=@\xff.npy", LC_ALL="C", PYTHONIOENCODING="ascii"), 1)
    Path("bad.txt").write_bytes(b"x + 1 # \xe9\n")
    assert failed(process("eval", "-f", "bad.txt", "x=1"), 1) == "cannot read bad.txt: it is not UTF-8 text (line 1)"


def test_huge_expressions_and_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("sum.txt").write_text("+".join(["x"] * 30_000))
    assert call(monkeypatch, "eval", "-f", "sum.txt", "x=1", "--no-grad").out == "tensor(30000.)\n"
    for text in (
        "(" * 200_000,
        ")" * 200_000,
        "-" * 200_000,
        "x" * 200_000,
        "9" * 200_000,
        "[" * 200_000,
        "x." * 100_000,
        "1e" * 100_000,
        "f(" * 100_000,
        "x[" * 100_000,
        "'" + "a" * 200_000,
        "[" * 200_000 + "1" + "]" * 200_000,
        "@" * 200_000,
        "x y" * 70_000,
    ):
        Path("huge.txt").write_text(text)
        start = time.process_time()
        report = failed(call(monkeypatch, "eval", "-f", "huge.txt"))
        assert len(report) < 1500 and time.process_time() - start < 10, text[:10]
    for text, value in {"9e4000": "tensor(inf)", "10.0**10**10": "tensor(inf)", "2**-10**9": "tensor(0.)"}.items():
        told = "" if "inf" not in value else "note: value is infinite: `gradcli check` names the operation\n"
        assert call(monkeypatch, "eval", text) == (0, value + "\n", told), text[:10]
    assert failed(call(monkeypatch, "eval", "9" * 4000)).startswith(
        "the number written here does not fit into float32\n"
    )
    assert failed(call(monkeypatch, "eval", "10**10**10")).startswith("** of integers that are too large")
    report = failed(call(monkeypatch, "eval", f"x[{'9' * 4000}]", "x=[1]"))
    assert report.startswith("an index must fit into int64\n  x[999")
    assert call(monkeypatch, "eval", f"x[:{'9' * 4000}]", "x=[1]", "--no-grad").out == "tensor([1.])\n"


def test_an_endless_expression_file() -> None:
    assert failed(process("eval", "-f", "/dev/zero"), 1) == (
        "/dev/zero is too long for an expression\nhint: at most 64 MB are read"
    )


# Memory ---------------------------------------------------------------------------------------------------------------

TOO_LARGE = {
    "ones(100000, 100000, 100000)": "a float32 tensor of shape (100000, 100000, 100000) needs 4 PB",
    "zeros(10**15)": "a float32 tensor of shape (1000000000000000,) needs 4 PB",
    "zeros(10**6, 10**18)": "a tensor of shape (1000000, 1000000000000000000) is too large to be addressed",
    "zeros(0, 2**62)": "a tensor of shape (0, 4611686018427387904) is too large to be addressed",
    "x.expand(2**60, 2)[0]": "a tensor of shape (1152921504606846976, 2) is too large to be addressed",
    "arange(1e20)": "a tensor of shape (1e+20,) is too large to be addressed",
    "sum(arange(10**15))": "an int64 tensor of shape (1000000000000000,) needs 8 PB",
    "rand(10**8, 10**8)": "a float32 tensor of shape (100000000, 100000000) needs 40 PB",
    "eye(10**9)": "a float32 tensor of shape (1000000000, 1000000000) needs 4 EB",
    "det(x @ x.T)": "a float32 tensor of shape (9000000, 9000000) needs 324 TB",
    "outer(x[:, 0], x[:, 0])": "a float32 tensor of shape (9000000, 9000000) needs 324 TB",
    "x[:, :1].expand(9000000, 9000000) + 1": "a float32 tensor of shape (9000000, 9000000) needs 324 TB",
    "x.repeat(10**7, 1)": "a float32 tensor of shape (90000000000000, 2) needs 720 TB",
    "einsum('ik,jk->ij', x, x)": "a float32 tensor of shape (9000000, 9000000) needs 324 TB",
}


@pytest.mark.parametrize("expression", TOO_LARGE)
def test_too_large_for_this_machine(expression: str) -> None:
    x = np.zeros(() if "2**60" in expression else (9000000, 2), np.float32)
    inputs = {"x": x} if "x" in expression.replace("exp", "") else {}
    start = time.process_time()
    with pytest.raises(GradcliError) as caught:
        gc.evaluate(expression, inputs, wrt=())
    assert time.process_time() - start < 5
    lines = caught.value.render().splitlines()
    assert lines[0].startswith(TOO_LARGE[expression]), lines
    assert lines[0].endswith(("to be addressed", "of memory may be used")) and "^" in lines[2]


def test_too_large_for_this_machine_but_not_to_be_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    start = time.process_time()
    done = call(monkeypatch, "eval", "eye(3).repeat(10**6, 10**6) + zeros(3*10**6, 1)", "--no-grad")
    assert done.code == 2 and "needs 36 TB" in done.err
    done = call(monkeypatch, "eval", "x[:, None]*x", "x=arange(3000000, dtype=float32)", "--no-grad")
    assert done.out.startswith("tensor([[0.0000e+00") and time.process_time() - start < 20


def test_small_arrays_that_are_too_large_together(monkeypatch: pytest.MonkeyPatch) -> None:
    gigabyte = 10**9
    monkeypatch.setattr("gradcli.machine.memory.available_memory", lambda: gigabyte)
    # What was free a moment ago is remembered.
    monkeypatch.setattr("gradcli.engine.execute.bounds._free_at", lambda moment: gigabyte)
    # 100 arrays of 80 MB, all of them needed until the end.
    many = "stack([" + ", ".join(f"x*{k}" for k in range(2, 102)) + "])"
    with pytest.raises(GradcliError) as caught:
        gc.evaluate(many, {"x": np.zeros(20000000, np.float32)}, wrt=())
    assert caught.value.message == "a float32 tensor of shape (100, 20000000) needs 8 GB, 800 MB of memory may be used"
    # Sorting needs whole arrays, and all of these until the last sum.
    held = " + ".join(f"sort(x*{k}).values" for k in range(2, 22))
    report = failed(call(monkeypatch, "eval", f"sum({held})", "x=zeros(20000000)", "--no-grad"))
    assert re.match(
        r"this needs \d\.\d+ GB at once, 800 MB of memory may be used; the largest parts are what sort\(\) gives",
        report,
    )
    # In blocks nothing is held but the input.
    values = "; ".join(f"y{k} = x*{k}" for k in range(2, 22))
    used = " + ".join(f"sum(y{k}*y{k + 1})*sum(y{k})" for k in range(2, 21))
    assert call(monkeypatch, "eval", f"{values}; {used}", "x=zeros(20000000)", "--no-grad").out == "tensor(0.)\n"
    # One after the other they fit.
    passing = "sum(x" + "*2" * 100 + ")"
    assert call(monkeypatch, "eval", passing, "x=zeros(20000000)", "--no-grad").out == "tensor(0.)\n"


def test_views_take_no_memory() -> None:
    x = node.input_node(np.ones((2, 1, 3), np.float32))
    views = [
        OPS["view"](x, 3, 2),
        OPS["squeeze"](x),
        OPS["unsqueeze"](x, 0),
        OPS["permute"](x, 2, 1, 0),
        OPS["expand"](x, 2, 5, 3),
        OPS["getitem"](x, (slice(0, 1),)),
        OPS["select"](x, 0, 1),
        OPS["getitem"](x, ...),
        OPS["detach"](x),
        OPS["unfold"](x, 2, 2, 1),
        OPS["reshape"](OPS["permute"](x, 2, 1, 0), 3, 2),
    ]
    assert {*(view.op.name for view in views), "_unsafe_view", "_one_step", "_again", "_overwritten", "_apart"} == {
        op.name for op in OPS.values() if op.blocking.view
    }
    for view in views:
        assert np.shares_memory(run.execute([view])[0], x.params["data"]), view


# Streams --------------------------------------------------------------------------------------------------------------


def test_a_reader_that_leaves() -> None:
    for _ in range(8):
        assert shell("$G eval x x=1 | true; echo", PYTHONUNBUFFERED="1") == (0, "\n", "")
    # The exit code itself, also where megabytes are still to come.
    for what in ("--json", "-o value=-", "", "--help", "-o value=- -o x.grad=g.npy"):
        done = shell(
            f"{{ $G eval 'x*1' 'x=zeros(300000)' --grad-output 1 {what}; echo $? >&2; }} | head -c 1 >/dev/null"
        )
        assert (done.code, done.err.splitlines()[-1], "Traceback" in done.err) == (0, "0", False), (what, done)


def test_a_reader_that_leaves_costs_no_file() -> None:
    done = shell("$G eval 'sum(x)' 'x=zeros(300000)' -o x.grad=- -o value=v.npy | true")
    assert done == (0, "", "") and leftovers() == ["v.npy"]


def test_closed_streams() -> None:
    assert shell("$G eval x x=1 --no-grad 2>&-") == (0, "tensor(1.)\n", "")
    assert shell("$G eval x x=1 --no-grad <&-") == (0, "tensor(1.)\n", "")
    assert shell("$G eval 'x*1' 'x=[1,2]' --progress 2>&-").out.startswith("tensor([1., 2.]")
    assert shell("$G eval 'x +' x=1 2>&-") == (2, "", "")
    assert shell("$G eval x x=1 >&-") == (1, "", "gradcli: standard output is closed\n")
    assert shell("$G eval x x=1 -o value=- >&-") == (1, "", "gradcli: standard output is closed\n")
    assert shell("$G eval x x=@- <&-") == (1, "", "gradcli: standard input is closed\n")
    assert shell("$G eval -f - <&-") == (1, "", "gradcli: standard input is closed\n")
    assert shell("$G eval x x=1 -q -o value=v.npy >&- <&- 2>&-") == (0, "", "") and np.load("v.npy") == 1
    assert shell("$G eval 'x +' x=1 --json 2>/dev/full") == (2, "", "")


@pytest.mark.parametrize("name", [name for name in cli.commands if name not in ("repl", "stream", "batch")])
def test_every_command_needs_standard_output(name: str) -> None:
    words = {
        "fit": "'y = a*x' 'x=[1,2,3]' 'y=[1,2,4]' --params a=1",
        "minimize": "'x**2' x=1.0",
        "plot": "x x=0:1",
        "derive": "'x**2' x:0",
        "report": "x x=1 -o -",
        "ops": "relu",
        "help": "",
        "completion": "zsh",
        "cache": "",
    }
    assert shell(f"$G {name} {words.get(name, 'x x=1')} >&-") == (1, "", "gradcli: standard output is closed\n")


def test_the_version_needs_standard_output() -> None:
    assert shell("$G -V >&-") == (1, "", "gradcli: standard output is closed\n")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("fit 'y = a*x' 'y=[1,2]' 'x=[0,1]' --params a=1 --sigma x", "sigma holds 1 number that is not above 0"),
        ("stream a+b --format csv", "the row has 1 cell for 2 inputs: a, b"),
        ("eval 'interpolate(x, [1, 2])' 'x=ones(1,1,3)'", "size needs one number, got 2"),
        ("eval 'adaptive_avg_pool1d(x, [1, 2])' 'x=ones(1,1,3)'", "output_size needs 1 number, got 2"),
        ("eval 'interpolate(x, scale_factor=[1, 2])' 'x=ones(1,1,3)'", "scale_factor needs 1 number, got 2"),
    ],
)
def test_one_is_not_several(words: str, told: str) -> None:
    assert told in shell(f"echo 1 | $G {words}").err


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk() -> None:
    report = "gradcli: cannot write standard output: No space left on device\n"
    for what in ("eval x x=1", "eval 'x*1' 'x=zeros(2000)' --no-grad -o value=-", "--help", "--version"):
        assert shell(f"$G {what} >/dev/full") == (1, "", report), what
    for size in (1, 300000):
        done = shell(f"$G eval 'x*1' 'x=zeros({size})' --no-grad --json >/dev/full")
        assert done.code == 1 and json.loads(done.err)["error"]["message"] == report[9:-1]
    done = process("eval", "x", "x=1", "-o", "x.grad=g.npy", "-o", "value=/dev/full")
    assert done == (1, "", "gradcli: cannot write /dev/full: No space left on device\n")
    assert leftovers() == []


def test_a_disk_that_fills_up_while_files_are_written() -> None:
    # A limit on the size of files stands in for the disk.
    done = shell("ulimit -f 100; $G eval 'sum(x)' 'x=zeros(300000)' -o value=v.npy -o x.grad=g.npy -o new/deep/")
    assert done == (1, "", "gradcli: cannot write g.npy: File too large\n")
    assert leftovers() == []


# Interrupts -----------------------------------------------------------------------------------------------------------


def started(*words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        env=environment(),
    )


def wait_for(process: subprocess.Popen[str], sign: str) -> None:
    """Wait until the process has loaded something whose path contains `sign`."""
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        if sign in Path(f"/proc/{process.pid}/maps").read_text():
            return
        time.sleep(0.001)
    raise AssertionError(f"{sign} was never loaded")


needs_proc = pytest.mark.skipif(not os.path.exists("/proc/self/maps"), reason="needs /proc")
LONG = "y = x; " + "y = sin(y) + y; " * 3000 + "sum(y)"


@needs_proc
@pytest.mark.parametrize("delay", [0.0, 0.01, 0.03, 0.06, 0.1, 0.2, 1.0])
def test_interrupt(delay: float) -> None:
    """During the imports, while the graph is built and in the middle of the computation."""
    Path("long.txt").write_text(LONG)
    work = started("eval", "-f", "long.txt", "x=ones(1000000)", "-o", "value=v.npy", "--threads", "2")
    wait_for(work, "_multiarray_umath")
    time.sleep(delay)
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    work.send_signal(signal.SIGINT)
    out, err = work.communicate(timeout=300)
    assert (work.returncode, out, err) == (130, "", "")
    # The whole would take much longer.
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before < 5
    assert leftovers() == ["long.txt"]


def test_interrupt_at_start_up() -> None:
    # A library that loads slowly.
    Path("numpy").mkdir()
    Path("numpy/__init__.py").write_text("import time\nopen('here', 'w').close()\ntime.sleep(30)\n")
    work = subprocess.Popen(
        [*COMMAND, "eval", "x", "x=1"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
    )
    while not os.path.exists("here"):
        assert work.poll() is None
        time.sleep(0.01)
    work.send_signal(signal.SIGINT)
    assert (*work.communicate(timeout=300), work.returncode) == ("", "", 130)


def test_interrupt_before_its_own_handler_is_there() -> None:
    """The entry brings in nothing that Python has not loaded itself, and then waits for the interrupt."""
    script = """
import builtins, os, sys
before = set(sys.modules)
import gradcli.__main__ as entry
print(sorted(set(sys.modules) - before))
load = builtins.__import__
def interrupted(name, *rest):
    if name == "signal":
        raise KeyboardInterrupt
    return load(name, *rest)
builtins.__import__ = interrupted
sys.stdout.flush()
entry.main()
"""
    words = [sys.executable, "-S", "-c", f"import sys; sys.path[:0] = [{str(ROOT)!r}]{script}"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.stderr, done.returncode) == ("", 130)
    assert done.stdout == "['__future__', 'gc', 'gradcli', 'gradcli.__main__']\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_interrupt_while_files_are_written(number: signal.Signals) -> None:
    os.mkfifo("pipe")
    work = started("eval", "sum(x)", "x=ones(1000000)", "-o", "value=v.npy", "-o", "x.grad=pipe", "-o", "new/")
    # Opening its end lets the command begin to write, and then wait for someone to read.
    with open("pipe", "rb") as reader:
        reader.read(100)
        assert any(".tmp" in name for name in leftovers())
        work.send_signal(number)
        out, err = work.communicate(timeout=300)
    assert (work.returncode, out, err) == (ended_by(number), "", "")
    assert leftovers() == ["pipe"]


def test_interrupt_while_standard_input_is_read() -> None:
    reading, writing = os.pipe()
    work = subprocess.Popen(
        [*COMMAND, "eval", "-f", "-"],
        stdin=reading,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    # What it has taken out of the pipe it has read, and waits for more.
    os.write(writing, b"x +")
    while select.select([reading], [], [], 0)[0]:
        assert work.poll() is None
        time.sleep(0.01)
    os.close(reading)
    work.send_signal(signal.SIGINT)
    assert (*work.communicate(timeout=300), work.returncode) == ("", "", 130)
    os.close(writing)


@pytest.mark.parametrize(
    "words",
    [
        ["eval", "x*rate", "x=1", "rate=2"],
        ["eval", "x*rate", "x=1", "rate=2", "--no-grad"],
        ["eval", "x*rate", "x=1", "rate=2", "--wrt", "rates"],
        ["explain", "x*rate", "x=1", "rate=2"],
        ["check", "x*rate", "x=1", "rate=2"],
        ["derive", "x*rate", "x:0", "rate:0", "--wrt", "x"],
        ["graph", "x*rate", "x=1", "rate=2"],
        ["graph", "x*rate", "x=1", "rate=2", "--what", "plan"],
        ["plot", "x*rate", "x=linspace(0, 1, 5)", "rate=2"],
        ["batch", "x*rate", "x=*.npy", "rate=2", "-o", "results"],
        ["stream", "x*rate", "rate=2"],
    ],
    ids=" ".join,
)
def test_an_input_that_is_not_used_is_a_slip(monkeypatch: pytest.MonkeyPatch, words: list[str]) -> None:
    np.save("a.npy", np.ones(2))
    spare = "rates:0" if words[0] == "derive" else "rates=3"
    done = call(monkeypatch, *words, spare, stdin=b'{"x": 1}\n')
    assert (done.code, done.out) == (2, "")
    assert done.err == "gradcli: the input 'rates' is never used\n  x*rate\n    ^^^^\nhint: did you mean 'rate'?\n"


# Python's own words for values: no user writes them.
_PYTHON = re.compile(
    r"dtype\(|<class|<built|Node\(|array\(|Tensor\(|Op\(|object at|np\.\w+\(|NoneType|slice\(|a{100}|0{100}"
)


def test_values_are_named_as_users_write_them() -> None:
    for name in sorted(n for n, op in OPS.items() if op.public and n not in DTYPES):
        _names_values_as_users_write_them(name)


def _names_values_as_users_write_them(name: str) -> None:
    x = gc.tensor(np.arange(1.0, 7.0).reshape(2, 3))
    values = [
        np.dtype("float32"),
        np.float32,
        np.ones(3),
        x,
        len,
        {},
        {1},
        b"x",
        1j,
        "a" * 500,
        np.float64(2),
        ...,
        None,
        slice(1, 2),
        x.max(0),
        np.ones(2, complex),
        np.array(["a"]),
        np.array([None]),
        10**5000,
        [1, "a"],
        [None],
        range(3),
        np.True_,
        object(),
    ]
    op = OPS[name]
    needed = len(op.signature.required)
    calls = [([x] * k + [value], {}) for value in values for k in range(needed + 1)]
    calls += [([x] * needed, {word: value}) for value in values for word in op.signature.defaults]
    for args, words in calls:
        try:
            call_op(op, *args, **words)
        except GradcliError as error:
            assert _PYTHON.search(error.message) is None and len(error.message) < 250, (name, args, words)


@pytest.mark.parametrize("engine", ["numpy", "native"])
@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("relu(x)", 2),
        ("x**x", 4),
        ("mse_loss(x, 2*x)", 4),
        ("cdist(x, x)", 0),
        ("solve_triangular(x, x, upper=True)", 1),
    ],
)
def test_arrays_have_up_to_64_dimensions(expression: str, value: float, engine: str) -> None:
    """Of which NumPy's own broadcasting takes 32."""
    with using(engine):
        found = gc.evaluate(f"sum({expression})", {"x": np.full((1,) * 40, 2.0)})
    assert found.value.item() == value
    assert found.grads["x"].shape == (1,) * 40


def test_an_engine_has_a_name() -> None:
    for name in (np.ones(2), None, ["numpy"]):
        with pytest.raises(GradcliError, match="there is no engine"):
            gc.set_engine(name)
