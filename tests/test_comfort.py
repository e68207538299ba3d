"""What makes the command quick to use: an expression alone, help by name, hints."""

from __future__ import annotations

import pytest

from tests.command import process


@pytest.mark.parametrize(
    "words",
    [
        ("mean(x)", "x=1"),
        ("-x", "x=3"),
        ("--", "-x", "x=3"),
        ("2", "--json"),
        ("--json", "x+1", "x=3"),
        ("--dtype=float64", "x+1", "x=3"),
        ("-f", "-", "x=3"),
        ("x;x",),
        ("x.sum()", "x=[1,2]", "--wrt", "z", "--json"),
    ],
)
def test_an_expression_alone_means_eval(words: tuple[str, ...]) -> None:
    alone, told = process(*words, stdin=b"x*2"), process("eval", *words, stdin=b"x*2")
    assert alone == told and (told.code == 0 or told.err)


@pytest.mark.parametrize("words", [("evl", "x", "x=1"), ("frob",), ("--frob",), ("help", "frob"), ("x", "x=1")])
def test_a_name_in_first_place_is_a_command(words: tuple[str, ...]) -> None:
    done = process(*words)
    assert (done.code, done.out) == (2, "") and "hint: " in done.err


def test_help_by_name() -> None:
    assert process("help") == process("--help") == process()
    for name in ("eval", "ops", "help"):
        done = process("help", name)
        assert done == process(name, "--help") and done.out.startswith(f"Usage: gradcli {name} ")
    assert process("-V") == process("--version")
