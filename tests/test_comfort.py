"""What makes the command quick to use: an expression alone, help by name, hints."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import click
import pytest

from gradcli.cli.main import cli
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


# Man pages ------------------------------------------------------------------------------------------------------------

MAN = Path(__file__).parents[1] / "docs" / "man"
PAGES = ["gradcli", *(f"gradcli-{name}" for name in cli.commands)]


@pytest.mark.parametrize("name", PAGES)
def test_man_pages(name: str) -> None:
    """That they are current is checked with the other pages, by tests/test_docs.py."""
    lines = (MAN / f"{name}.1").read_text(encoding="utf-8").splitlines()
    headings = [line.removeprefix(".SH ") for line in lines if line.startswith(".SH ")]
    wanted = ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS", "SEE ALSO"]
    assert [heading for heading in headings if heading in wanted] == wanted
    # Whatever begins with a point or an apostrophe is a command of roff, and only these are meant.
    macros = {line.split()[0] for line in lines if line[:1] in (".", "'")}
    assert macros <= {'.\\"', ".TH", ".SH", ".PP", ".TP", ".B", ".nf", ".fi"}
    assert lines.count(".nf") == lines.count(".fi")
    command = cli.commands.get(name.removeprefix("gradcli-"), cli)
    options = {option for param in command.params if isinstance(param, click.Option) for option in param.opts}
    text = "\n".join(lines).replace("\\-", "-")
    assert all(option in text for option in options)
    if shutil.which("groff"):
        done = subprocess.run(
            ["groff", "-man", "-Tutf8", "-ww", str(MAN / f"{name}.1")], capture_output=True, text=True, check=True
        )
        assert done.stderr == "" and len(done.stdout) > 500


def test_every_man_page_is_of_a_command() -> None:
    assert sorted(page.name for page in MAN.iterdir()) == sorted(f"{name}.1" for name in PAGES)
