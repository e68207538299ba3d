"""The command as its users run it: in a process of its own, or in this one where only the words matter."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import gradcli
from gradcli.cli import run

COMMAND = [sys.executable, "-m", "gradcli"]
# The folder that holds the package under test, in a checkout as well as in site-packages.
_HOME = str(Path(gradcli.__file__).resolve().parents[1])


def environment(**variables: str) -> dict[str, str]:
    """This process's variables, with UTF-8 everywhere, warnings as errors, and `variables` on top."""
    path = os.pathsep.join(filter(None, [_HOME, os.environ.get("PYTHONPATH")]))
    base = {**os.environ, "PYTHONPATH": path, "PYTHONIOENCODING": "utf-8", "PYTHONWARNINGS": "error"}
    base.pop("COLUMNS", None)
    return {**base, **variables}


class Done(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str


def process(*words: str | bytes, stdin: bytes = b"", **variables: str) -> Done:
    """A process of its own, in the current directory."""
    done = subprocess.run(
        [*COMMAND, *words], input=stdin, capture_output=True, timeout=120, env=environment(**variables), check=False
    )
    return Done(done.returncode, done.stdout.decode(), done.stderr.decode())


def shell(line: str, **variables: str) -> Done:
    """A line of sh in which $G is the command."""
    env = environment(PYTHON=sys.executable, **variables)
    done = subprocess.run(
        ["sh", "-c", line.replace("$G", '"$PYTHON" -m gradcli')], capture_output=True, timeout=120, env=env, check=False
    )
    return Done(done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))


def call(monkeypatch: pytest.MonkeyPatch, *words: str, stdin: bytes = b"") -> Done:
    """The same without a process: standard streams in memory."""
    streams: dict[str, Any] = {
        name: io.TextIOWrapper(io.BytesIO(stdin if name == "stdin" else b""), encoding="utf-8")
        for name in ("stdin", "stdout", "stderr")
    }
    with monkeypatch.context() as patch:
        for name, stream in streams.items():
            patch.setattr(sys, name, stream)
        code = run(list(words))
    texts = []
    for name in ("stdout", "stderr"):
        streams[name].flush()
        texts.append(streams[name].buffer.getvalue().decode("utf-8", "backslashreplace"))
    return Done(code, *texts)


def ended_by(number: int) -> int:
    """The exit code of a process that a signal has ended: 130 for Ctrl-C, a death by the signal for others."""
    return 128 + number if number == signal.SIGINT else -number


def leftovers(directory: str | Path = ".") -> list[str]:
    """Every file and folder below a directory."""
    root = Path(directory)
    return sorted(str(path.relative_to(root)) for path in root.rglob("*"))
