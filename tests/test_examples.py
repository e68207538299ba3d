"""Every example runs as its reader would run it and prints what is kept beside it in examples/expected/."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.terminal import ROOT, environment

FOLDER = ROOT / "examples"
EXAMPLES = sorted(path.name for path in FOLDER.iterdir() if path.suffix in (".sh", ".py"))


# Those that start clusters.
_SLOW = {"cluster.sh"}


@pytest.mark.parametrize("name", [pytest.param(n, marks=[pytest.mark.slow] if n in _SLOW else []) for n in EXAMPLES])
def test_example(name: str, tmp_path: Path) -> None:
    interpreter = "sh" if name.endswith(".sh") else "python3"
    work = tmp_path / "work"
    work.mkdir()
    env = environment(tmp_path / "commands")
    # The program is looked up on the PATH of the example, so through a shell.
    done = subprocess.run(
        ["sh", "-c", f'exec {interpreter} "$1"', "sh", str(FOLDER / name)],
        cwd=work,
        env=env,
        capture_output=True,
        encoding="utf-8",
        timeout=600,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (FOLDER / "expected" / f"{name}.txt").read_text(encoding="utf-8")


def test_every_expected_text_has_its_example() -> None:
    assert {p.name for p in (FOLDER / "expected").iterdir()} == {f"{name}.txt" for name in EXAMPLES}


@pytest.mark.parametrize("name", EXAMPLES)
def test_example_says_what_it_shows(name: str) -> None:
    text = (FOLDER / name).read_text(encoding="utf-8")
    first = [line for line in text.splitlines() if not line.startswith("#!")][0]
    assert first.startswith(("# ", '"""'))
