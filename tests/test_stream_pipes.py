"""`gradcli stream` between other processes: answers at once, interrupts, pipes that close, memory that stays flat."""

from __future__ import annotations

import io
import json
import os
import select
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gradcli.stream.flow import Outlet
from tests.command import COMMAND, environment, shell
from tests.peak import measured

WAIT = 300


@pytest.fixture(autouse=True)
def own_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def text(*records: Any) -> bytes:
    return "".join(f"{r if isinstance(r, str) else json.dumps(r)}\n" for r in records).encode()


@pytest.fixture
def talk() -> Iterator[Any]:
    """Starts the command with pipes at both ends."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*words: str) -> subprocess.Popen[bytes]:
        pipe = subprocess.PIPE
        started.append(
            subprocess.Popen([*COMMAND, "stream", *words], stdin=pipe, stdout=pipe, stderr=pipe, env=environment())
        )
        return started[-1]

    yield start
    for child in started:
        child.kill()
        for pipe in (child.stdin, child.stdout, child.stderr):
            assert pipe is not None
            pipe.close()
        child.wait()


def answer(child: subprocess.Popen[bytes]) -> bytes:
    """The next bytes that come, while nothing more goes in."""
    assert child.stdout is not None
    assert select.select([child.stdout], [], [], WAIT)[0], "no answer"
    return os.read(child.stdout.fileno(), 1 << 16)


def send(child: subprocess.Popen[bytes], data: bytes) -> None:
    assert child.stdin is not None
    os.write(child.stdin.fileno(), data)


def test_each_line_is_answered_at_once(talk: Any) -> None:
    child = talk("x + 1", "--no-grad")
    for k in range(3):
        send(child, f'{{"x": {k}}}\n'.encode())
        assert answer(child) == f'{{"value": {k + 1}.0, "grads": null}}\n'.encode()
    # Two lines and a piece of the next; the rest of it later.
    send(child, b"5\nbad\n[6")
    got = b""
    while got.count(b"\n") < 2:
        got += answer(child)
    assert b'"value": 6.0' in got and b'"line": 5' in got
    send(child, b", 7]")
    assert child.stdin is not None
    child.stdin.close()
    assert answer(child) == b'{"value": [7.0, 8.0], "grads": null}\n'
    assert child.wait(WAIT) == 1


def test_each_array_is_answered_at_once(talk: Any) -> None:
    child = talk("sum(x)", "--format", "npy", "--no-grad")
    record = io.BytesIO()
    np.save(record, np.arange(3.0))
    for _ in range(3):
        send(child, record.getvalue()[:100])
        send(child, record.getvalue()[100:])
        assert answer(child) == b'{"value": 3.0, "grads": null}\n'


def test_an_interrupt(talk: Any) -> None:
    child = talk("x", "--no-grad")
    send(child, b"1\n")
    assert answer(child) == b'{"value": 1.0, "grads": null}\n'
    child.send_signal(signal.SIGINT)
    assert child.wait(WAIT) == 130
    assert child.stderr is not None and child.stderr.read() == b""


def test_a_reader_that_has_seen_enough() -> None:
    Path("many.jsonl").write_bytes(b'{"x": [1, 2]}\n' * 100_000)
    done = shell("($G stream 'sum(x)' many.jsonl; echo $? > code) | head -n 2")
    assert (done.out.count("\n"), done.err) == (2, "")
    assert Path("code").read_text() == "0\n"


def test_a_reader_that_is_gone_before_there_is_much_to_read() -> None:
    """Here the write that fails comes up while more is looked for in a file."""
    Path("long.jsonl").write_bytes((b"[" + b"1, " * 5000 + b"1]\n") * 500)
    done = shell("($G stream 'sum(x)' long.jsonl --no-grad; echo $? > code) | head -c 1")
    assert (done.out, done.err) == ("{", "")
    assert Path("code").read_text() == "0\n"


def test_closed_and_strange_streams() -> None:
    assert shell("$G stream x < /dev/null") == (0, "", "")
    assert shell("$G stream x <&-") == (1, "", "gradcli: standard input is closed\n")
    assert shell("echo 1 | $G stream x >&-") == (1, "", "gradcli: standard output is closed\n")
    if os.path.exists("/dev/full"):
        done = shell("echo 1 | $G stream x > /dev/full")
        assert (done.code, done.err) == (1, "gradcli: cannot write standard output: No space left on device\n")


def test_an_input_that_does_not_block() -> None:
    """As a process at the other end of the pipe may have switched it."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    child = subprocess.Popen([*COMMAND, "stream", "x"], stdin=reading, stdout=subprocess.PIPE, env=environment())
    os.close(reading)
    try:
        for k in range(2):
            os.write(writing, b"%d\n" % k)
            assert answer(child) == b'{"value": %d.0, "grads": {"x": 1.0}}\n' % k
    finally:
        os.close(writing)
        assert child.communicate(timeout=WAIT)[0] == b""
    assert child.returncode == 0


def test_answers_are_not_kept_for_long_while_there_is_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """An expensive expression: the first answer does not wait for the last."""
    written: list[bytes] = []

    class Pipe(io.RawIOBase):
        def write(self, data: Any) -> int:
            written.append(bytes(data))
            return len(data)

    now = [0.0]
    monkeypatch.setattr("gradcli.stream.flow.monotonic", lambda: now[0])
    sink = Outlet(Pipe())
    sink.add(b"a")
    assert not written
    now[0] = 0.1
    sink.add(b"b")
    assert written == [b"ab"]
    sink.add(b"c" * 100_000)
    assert len(written) == 2


def _peak(lines_of_text: bytes, count: int) -> int:
    """The memory of a run over so many times these lines."""
    Path("lines.jsonl").write_bytes(lines_of_text * count)
    with open("answers.jsonl", "wb") as out:
        done = measured([*COMMAND, "stream", "sum(sin(x))", "lines.jsonl"], environment(), out)
    answers = Path("answers.jsonl").read_bytes()
    assert answers.count(b"\n") == lines_of_text.count(b"\n") * count
    return done.peak


def test_memory_does_not_grow_with_the_number_of_lines() -> None:
    """With errors among them, which leave exceptions behind."""
    block = text(
        *({"x": [k, 1], "id": k} for k in range(95)), *["bad", {"x": None}, {}, {"x": [[1], 2]}, {"x": [1, 2, 3]}]
    )
    few, many = _peak(block, 20), _peak(block, 1_000)
    assert many < few + 2_000_000
