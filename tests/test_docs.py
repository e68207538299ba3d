"""The README and the docs say what is so: every console and Python block runs and prints what is written there."""

from __future__ import annotations

import doctest
import importlib
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from gradcli.cli.main import cli
from gradcli.graph.op import OPS
from tests.terminal import ROOT, environment, run_session

PAGES = ["README.md", *sorted(str(p.relative_to(ROOT)) for p in (ROOT / "docs").glob("*.md"))]
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# What a block may be marked as. "console" and "python" run, "sh" is for commands that change the user's machine,
# "text" for what is no code.
_KINDS = {"console", "python", "sh", "text"}


class Block(NamedTuple):
    """A fenced block of a page."""

    kind: str
    text: str
    line: int


def _blocks(text: str) -> list[Block]:
    return [Block(m[1], m[2], text.count("\n", 0, m.start()) + 2) for m in _FENCE.finditer(text)]


def _steps(block: Block) -> list[tuple[str, str]]:
    """Each command of a console block with the output written below it."""
    steps: list[tuple[str, str]] = []
    for line in block.text.splitlines(keepends=True):
        if line.startswith("$ "):
            steps.append((line[2:].rstrip("\n"), ""))
        elif (line.startswith("> ") or line == ">\n") and steps and not steps[-1][1]:
            steps[-1] = (f"{steps[-1][0]}\n{line[2:].rstrip()}", "")
        else:
            assert steps, f"line {block.line}: a console block starts with a prompt"
            steps[-1] = (steps[-1][0], steps[-1][1] + line)
    return steps


def _run_python(block: Block, page: str, names: dict[str, Any]) -> None:
    test = doctest.DocTestParser().get_doctest(block.text, names, page, page, block.line - 1)
    assert test.examples, f"{page}, line {block.line}: a Python block without >>> is not tested; mark it as text"
    report: list[str] = []
    runner = doctest.DocTestRunner(verbose=False)
    runner.run(test, out=report.append, clear_globs=False)
    # The names that a block defines are there in the next one.
    names.update(test.globs)
    assert not runner.failures, "".join(report)


# Pages whose commands start clusters.
_SLOW = {"docs/cluster.md"}


@pytest.mark.parametrize("page", [pytest.param(p, marks=[pytest.mark.slow] if p in _SLOW else []) for p in PAGES])
def test_page(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    env = environment(tmp_path / "commands")
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    names: dict[str, Any] = {"__name__": "__main__"}
    for block in _blocks((ROOT / page).read_text(encoding="utf-8")):
        assert block.kind in _KINDS, f"{page}, line {block.line}: a block is marked as one of {sorted(_KINDS)}"
        if block.kind == "python":
            _run_python(block, page, names)
        elif block.kind == "console":
            steps = _steps(block)
            printed = run_session([command for command, _ in steps], folder, env)
            for (command, expected), actual in zip(steps, printed, strict=True):
                assert actual == expected, f"{page}, line {block.line}: $ {command}\n{actual}"


# docs/generate.py again and again in one process, which derives the formulas of all operations once: options come in,
# the exit code and what was said go out. A process of its own, as others of these tests add operations.
_GENERATOR = """
import contextlib, io, json, sys
sys.path.insert(0, "docs")
import generate
for line in sys.stdin:
    sys.argv = ["docs/generate.py", *line.split()]
    with contextlib.redirect_stdout(io.StringIO()) as said, contextlib.redirect_stderr(said):
        code = generate.main()
    print(json.dumps([code, said.getvalue()]), flush=True)
"""


# What is generated, each with a word that is in it and another one.
_GENERATED = [
    ("gradcli/ops/homes.py", "relu", "relux"),
    ("gradcli/__init__.pyi", "def sqrt", "def sqroot"),
    ("docs/operations.md", "sqrt", "sqroot"),
    ("docs/grammar.md", "bound ::=", "bounds ::="),
    ("docs/command.md", "--wrt NAMES", "--wrt THINGS"),
    ("docs/man/gradcli-eval.1", "wrt NAMES", "wrt THINGS"),
]


def _copy_what_is_generated(folder: Path) -> None:
    """With what generates it, and what that reads."""
    pages = [page for pattern in ("*.py", "*.md", "man/*") for page in (ROOT / "docs").glob(pattern)]
    others = ("gradcli/__init__.pyi", "gradcli/ops/homes.py", "grammar/expression.lark")
    for page in [*pages, *(ROOT / name for name in others)]:
        copy = folder / page.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(page.read_bytes())


def _make_stale(folder: Path) -> None:
    for name, old, new in _GENERATED:
        page = folder / name
        page.write_text(page.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")


def test_generated_pages_are_current_and_stale_ones_are_found(tmp_path: Path) -> None:
    """The check fails where a page and the code have drifted apart, and writing brings them together again."""
    _copy_what_is_generated(tmp_path)
    table = tmp_path / "gradcli/ops/homes.py"
    words, pipe, env = [sys.executable, "-c", _GENERATOR], subprocess.PIPE, environment(tmp_path / "commands")
    with subprocess.Popen(words, cwd=tmp_path, env=env, stdin=pipe, stdout=pipe, text=True) as generator:
        assert generator.stdin is not None and generator.stdout is not None

        def generate(options: str) -> list[Any]:
            print(options, file=generator.stdin, flush=True)
            return json.loads(generator.stdout.readline())

        assert generate("--check") == [0, ""]
        _make_stale(tmp_path)
        stale = ", ".join(Path(name).name for name, _, _ in _GENERATED)
        assert generate("--check") == [1, f"out of date: {stale}; run `python docs/generate.py`\n"]
        table.write_bytes((ROOT / "gradcli/ops/homes.py").read_bytes())
        assert generate("") == [0, ""] and generate("--check") == [0, ""]
        generator.stdin.close()
    _assert_current(tmp_path)


@pytest.mark.slow
def test_a_stale_table_of_rows_is_written_too(tmp_path: Path) -> None:
    """And then all else by another process, which derives all formulas anew."""
    _copy_what_is_generated(tmp_path)
    _make_stale(tmp_path)
    words, env = [sys.executable, "docs/generate.py"], environment(tmp_path / "commands")
    done = subprocess.run(words, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    _assert_current(tmp_path)


def _assert_current(folder: Path) -> None:
    """But for the places where another version of click ends its lines."""
    assert all(_letters(folder / name) == _letters(ROOT / name) for name, _, _ in _GENERATED)


def _letters(page: Path) -> str:
    return "".join(page.read_text(encoding="utf-8").split())


def test_every_command_has_its_help_in_the_docs() -> None:
    pages = "".join((ROOT / page).read_text(encoding="utf-8") for page in PAGES)
    assert sorted(re.findall(r"<!-- generated: gradcli ([\w-]+) --help -->", pages)) == sorted(cli.commands)


def test_every_operation_is_in_the_reference() -> None:
    listed = set(re.findall(r"`(\w+)\(", (ROOT / "docs/operations.md").read_text(encoding="utf-8")))
    assert {op.name for op in OPS.values() if op.public} <= listed


@pytest.mark.slow
def test_pictures_show_what_the_commands_print(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """But for the places where another version of click ends its lines."""
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    pictures = importlib.import_module("pictures")
    stale = [
        name
        for name, text in pictures.written(str(tmp_path)).items()
        if _shown(text) != _shown((ROOT / "docs" / name).read_text(encoding="utf-8"))
    ]
    assert not stale, "run `python docs/pictures.py`"


def _shown(picture: str) -> str:
    """The letters of a picture, or of a recording."""
    letters = re.findall(r">([^<]+)</text>", picture) or re.findall(r'"o", "(.*)"', picture)
    return "".join("".join(letters).split())


def test_links_lead_somewhere() -> None:
    for page in [*PAGES, "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"]:
        text = (ROOT / page).read_text(encoding="utf-8")
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            if not target.startswith(("http://", "https://", "#", "mailto:")):
                assert (ROOT / page).parent.joinpath(target.partition("#")[0]).exists(), f"{page}: {target}"
