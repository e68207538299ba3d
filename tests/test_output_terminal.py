"""Colours and pages: what a terminal shows, and what pipes never see."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from tests.command import process
from tests.talking import watch

CUBE = ("eval", "sum(x**3)", "x=[1, 2]", "--no-progress")
PLAIN = "tensor(9., grad_fn=<SumBackward0>)\n\nSumBackward0\n└─ PowBackward0\n   └─ AccumulateGrad x\n\nx.grad\n"
PLAIN += "tensor([ 3., 12.])\n"
COLORED = (
    "tensor(9., grad_fn=<SumBackward0>)\n\n\x1b[36mSumBackward0\x1b[0m\n\x1b[36m└─ PowBackward0\x1b[0m\n"
    "\x1b[36m   └─ AccumulateGrad x\x1b[0m\n\n\x1b[1mx.grad\x1b[0m\ntensor([ 3., 12.])\n"
)
_CODES = re.compile(r"\x1b\[[0-9;]*m")
# A pager that shows what it is given, and that it was there.
PAGER = "sed s/^/|/"

needs_terminals = pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")


@needs_terminals
def test_colors_on_a_terminal() -> None:
    assert watch(*CUBE) == (0, COLORED)
    assert watch(*CUBE, NO_COLOR="1") == (0, PLAIN)
    assert watch(*CUBE, NO_COLOR="") == (0, COLORED)
    assert watch(*CUBE, TERM="dumb") == (0, PLAIN)
    assert watch(*CUBE, "--color", "never") == (0, PLAIN)
    assert watch("--color", "never", *CUBE) == (0, PLAIN)
    assert watch(*CUBE, "--color", "always", NO_COLOR="1") == (0, COLORED)
    assert "\x1b" not in watch(*CUBE, "--json")[1]


def test_colors_in_a_pipe() -> None:
    assert process(*CUBE) == (0, PLAIN, "")
    assert process(*CUBE, "--color", "auto") == (0, PLAIN, "")
    assert process(*CUBE, "--color", "always") == (0, COLORED, "")
    assert process("--color", "always", *CUBE) == (0, COLORED, "")
    assert process(*CUBE, FORCE_COLOR="1") == (0, COLORED, "")
    assert process(*CUBE, FORCE_COLOR="1", NO_COLOR="1") == (0, PLAIN, "")
    assert process(*CUBE, "--color", "never", FORCE_COLOR="1") == (0, PLAIN, "")
    for words in (("--json",), ("--only", "x.grad"), ("--only", "x.grad", "--format", "csv")):
        assert process(*CUBE, *words, "--color", "always") == process(*CUBE, *words)
    done = process(*CUBE, "--color", "blue")
    assert done.code == 2 and "invalid value for '--color'" in done.err


def test_errors_and_notes() -> None:
    done = process("eval", "sum(x*zz)", "x=1", "--color", "always")
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        "\x1b[1;31mgradcli:\x1b[0m unknown name 'zz'\n  sum(x*zz)\n\x1b[1;31m        ^^\x1b[0m\n"
        "\x1b[1;36mhint:\x1b[0m give it a value on the command line, as in zz=ones(2,2)\n"
    )
    assert _CODES.sub("", done.err) == process("eval", "sum(x*zz)", "x=1").err
    assert process("eval", "sum(x*zz)", "x=1", "--json", "--color", "always").err.startswith('{"error"')
    done = process("eval", "x*2", "x=[1, 2]", "--color", "always")
    assert done.err.startswith("\x1b[1;36mnote:\x1b[0m the value has shape (2,)")


@pytest.mark.parametrize(
    ("words", "headings"),
    [
        (("explain", "mean(x**2)", "x=zeros(5000000)"), ["pass 1:"]),
        (("check", "sum(x**2)", "x=[1, 2]"), ["input  shape"]),
        (("ops", "products"), ["Products"]),
        (("ops", "softplus"), ["softplus(input"]),
        (("ops", "--help"), ["Usage:", "  Examples:", "Options:"]),
        (("--help",), ["Usage:", "Options:", "Compute:", "Many inputs:"]),
    ],
)
def test_headings(words: tuple[str, ...], headings: list[str]) -> None:
    done, plain = process("--color", "always", *words), process(*words)
    assert done.code == plain.code == 0 and "\x1b" not in plain.out
    assert _CODES.sub("", done.out) == plain.out
    for heading in headings:
        assert f"\x1b[1m{heading}" in done.out


@needs_terminals
def test_long_texts_are_paged(tmp_path: Path) -> None:
    words = ("ops", "--color", "never")
    plain = watch(*words, PAGER="cat")[1]
    assert plain.startswith("Arithmetic") and plain == watch(*words, PAGER="")[1]
    paged = "".join(f"|{line}\n" for line in plain.splitlines())
    assert watch(*words, PAGER=PAGER) == (0, paged)
    assert watch(*words, PAGER="false", GRADCLI_PAGER=PAGER) == (0, paged)
    assert watch(*words, PAGER=PAGER, GRADCLI_PAGER="cat") == (0, plain)
    # What fits, and what programs read, is not.
    assert "|" not in watch("ops", "products", "--color", "never", PAGER=PAGER)[1]
    assert watch("ops", "products", "--json", rows=5, PAGER=PAGER)[1].startswith("[{")
    # A program that is not there, and quotes that do not match.
    assert watch(*words, PAGER="/no/such/pager") == (0, plain)
    assert watch(*words, PAGER="'") == (0, plain)
    # One that ends before it has read anything.
    assert watch(*words, PAGER="true") == (0, "")
    assert watch("eval", "--help", PAGER=PAGER, NO_COLOR="1")[1].startswith("|Usage: gradcli eval")
    assert watch("eval", "--help", rows=500, PAGER=PAGER, NO_COLOR="1")[1].startswith("Usage: gradcli eval")


@needs_terminals
def test_colors_through_the_pager() -> None:
    code, shown = watch("ops", PAGER=PAGER)
    assert code == 0 and shown.startswith("|\x1b[1mArithmetic")
    assert "LESS=FRX" in watch("ops", PAGER="sh -c 'echo LESS=$LESS; cat >/dev/null'")[1]
    assert "LESS=S" in watch("ops", PAGER="sh -c 'echo LESS=$LESS; cat >/dev/null'", LESS="S")[1]


def test_a_pipe_is_never_paged() -> None:
    assert process("ops", PAGER=PAGER).out.startswith("Arithmetic")
    assert process("eval", "--help", GRADCLI_PAGER=PAGER).out.startswith("Usage")


# A search -------------------------------------------------------------------------------------------------------------


def test_search() -> None:
    done = process("ops", "--search", "Triangle")
    assert (done.code, done.err) == (0, "")
    # By description, and by the title of the family.
    assert {"triu", "trace", "tril"} <= set(re.findall(r"^  (\w+)\(", done.out, re.M))
    # By an alias; the list is that of the whole, as far as it goes.
    done = process("ops", "--search", "absolute")
    assert "  abs(input)" in done.out and set(done.out.splitlines()) <= {"", *process("ops").out.splitlines()}
    both = process("ops", "--search", "matrix inverse").out
    assert "  inverse(" in both or "  inv(" in both
    assert process("ops", "activation", "--search", "smooth").code in (0, 2)
    assert process("ops", "--search", "softplus", "--json").out.startswith('[{"name": ')


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--search", "sofplus"), "no operation mentions 'sofplus'\nhint: did you mean 'softplus'?"),
        (("--search", "zzzz"), "no operation mentions 'zzzz'\nhint: `gradcli ops` lists all operations"),
        (("--search", ""), "--search needs a word"),
        (("tril", "--search", "x"), "--search goes through all operations or a family\nhint: leave 'tril' out"),
    ],
)
def test_search_refused(words: tuple[str, ...], message: str) -> None:
    done = process("ops", *words)
    assert (done.code, done.out) == (2, "") and message in done.err
