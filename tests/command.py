"""The command as its users run it: in a process of its own, or in this one where only the words matter."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import gradcli
from gradcli.cli.main import run
from tests import warm, warm_client

#: Seconds until a process that has not ended hangs: on a busy machine each takes many times as long.
PATIENCE = 300.0
COMMAND = [sys.executable, "-m", "gradcli"]
# The folder that holds the package under test, in a checkout as well as in site-packages.
_HOME = str(Path(gradcli.__file__).resolve().parents[1])


def environment(**variables: str) -> dict[str, str]:
    """This process's variables, with UTF-8 everywhere, warnings as errors, and `variables` on top."""
    path = os.pathsep.join(filter(None, [_HOME, os.environ.get("PYTHONPATH")]))
    base = {**os.environ, "PYTHONPATH": path, "PYTHONIOENCODING": "utf-8", "PYTHONWARNINGS": "error"}
    for name in ("COLUMNS", "PYTHONUNBUFFERED"):
        base.pop(name, None)
    return {**base, **variables}


class Done(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str


def process(*words: str | bytes, stdin: bytes = b"", **variables: str) -> Done:
    """A process of its own, in the current directory, split off a warm one where nobody can tell."""
    if warm.can_serve(variables):
        return _warm_process([os.fsencode(word) for word in words], stdin, environment(**variables))
    env = environment(**variables)
    done = subprocess.run([*COMMAND, *words], input=stdin, capture_output=True, timeout=PATIENCE, env=env, check=False)
    return Done(done.returncode, done.stdout.decode(), done.stderr.decode())


def _warm_process(words: list[bytes], stdin: bytes, variables: dict[str, str]) -> Done:
    (give, given), (out, write_out), (err, write_err) = os.pipe(), os.pipe(), os.pipe()
    taken = {os.fsencode(name): os.fsencode(value) for name, value in variables.items()}
    connection = warm_client.ask(warm.address(), words, os.getcwdb(), taken, (give, write_out, write_err))
    for number in (give, write_out, write_err):
        os.close(number)
    # Who takes longer is ended by closing the connection.
    watch = threading.Timer(PATIENCE, connection.shutdown, [socket.SHUT_RDWR])
    watch.start()
    with ThreadPoolExecutor(3) as pool:
        pool.submit(_write, given, stdin)
        texts = list(pool.map(_read, (out, err)))
    code = os.waitstatus_to_exitcode(warm_client.status(connection))
    watch.cancel()
    return Done(code, *texts)


def _write(number: int, data: bytes) -> None:
    with contextlib.suppress(BrokenPipeError), open(number, "wb") as stream:
        stream.write(data)


def _read(number: int) -> str:
    with open(number, "rb") as stream:
        return stream.read().decode()


def shell(line: str, **variables: str) -> Done:
    """A line of sh in which $G is the command."""
    env = environment(PYTHON=sys.executable, **variables)
    command = ["sh", "-c", line.replace("$G", '"$PYTHON" -m gradcli')]
    done = subprocess.run(command, capture_output=True, timeout=PATIENCE, env=env, check=False)
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
