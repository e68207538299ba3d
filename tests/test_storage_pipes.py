"""Arrays through standard input, standard output and pipes, in real processes."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from gradcli.errors import GradcliError
from gradcli.storage import Header, load, save
from gradcli.storage.pipes import each_line
from tests.command import COMMAND
from tests.sampling import by_turns
from tests.storage_support import SHAPES, environment, failure, npy, numbers, run, same, with_header
from tests.storage_support import own_directory as own_directory


@pytest.mark.parametrize(
    ("shape", "dtype"), by_turns([(shape,) for shape in SHAPES], ["float32", ">f8", "bool", "int16"])
)
def test_reads_a_pipe(shape: tuple[int, ...], dtype: str) -> None:
    array = np.asarray(numbers(shape, "bool").astype(dtype), order="F")
    done = run("a = load('-')\nsave('b.npy', a)\nprint(a.dtype.isnative, a.shape)", input=npy(array))
    assert done.stdout.decode() == f"True {shape}\n", done
    assert np.array_equal(np.load("b.npy"), array)


def test_reads_a_slow_pipe() -> None:
    array = numbers((50,), "float64")
    reading, writing = os.pipe()

    def trickle() -> None:
        for byte in npy(array):
            os.write(writing, bytes([byte]))
        os.close(writing)

    thread = threading.Thread(target=trickle)
    thread.start()
    # What bash makes of <(command).
    assert same(load(f"/dev/fd/{reading}"), array)
    thread.join()
    os.close(reading)


def test_reads_a_pipe_that_does_not_block() -> None:
    array = numbers((300_000,), "float64")
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    code = "import sys\nfrom gradcli.storage import *\nprint(load('-').sum())"
    command = [sys.executable, "-c", code]
    process = subprocess.Popen(command, stdin=reading, stdout=subprocess.PIPE, env=environment())
    os.close(reading)
    with os.fdopen(writing, "wb") as file:
        data = npy(array)
        for start in range(0, len(data), 1 << 20):
            time.sleep(0.2)
            file.write(data[start : start + (1 << 20)])
    assert float(process.communicate(timeout=300)[0]) == array.sum()


_MINIMUM = {"value": 0.0, "dtype": "float32", "parameters": {"x": 0.0}, "grads": {"x": 0.0}, "method": "lbfgs"}
_MINIMUM |= {"converged": True, "reason": "the gradient is zero", "steps": 2, "evaluations": 3, "gradient_norm": 0.0}


@pytest.mark.parametrize(
    ("words", "text", "code", "out"),
    [
        (["repl"], "x = 2\n|:value x\n:va|lue 3*x\n:value 4", 0, "tensor(2.)\ntensor(6.)\ntensor(4.)\n"),
        (["eval", "-f", "-", "x=3", "--only", "value"], "2*|x\n", 0, "tensor(6., grad_fn=<MulBackward0>)\n"),
        (
            ["report", "--from", "-", "-o", "r.html"],
            f"{json.dumps(_MINIMUM)[:20]}|{json.dumps(_MINIMUM)[20:]}\n",
            0,
            "",
        ),
    ],
)
def test_reads_text_from_a_pipe_that_does_not_block(words: list[str], text: str, code: int, out: str) -> None:
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    command = subprocess.Popen([*COMMAND, *words], stdin=reading, stdout=subprocess.PIPE, env=environment())
    os.close(reading)
    with os.fdopen(writing, "wb", buffering=0) as file:
        for piece in text.split("|"):
            # What comes late is not the end.
            time.sleep(0.5)
            file.write(piece.encode())
    assert (command.communicate(timeout=300)[0].decode(), command.returncode) == (out, code)


@pytest.mark.parametrize("size", [1, 3, 70_000])
def test_lines_come_whole_or_in_pieces(size: int) -> None:
    class Pipe(io.BytesIO):
        def read(self, most: int | None = -1) -> bytes:
            return super().read(min(size, most or 0))

    text = b"a\r\n\nb\rc\n" + b"d" * 10 + b"\n" + b"e" * 11 + b"\n" + b"f" * 25
    pieces = [b"a\r", b"", b"b\rc", b"d" * 10, b"e" * 11, b"f" * 25]
    assert list(each_line(Pipe(text), 100)) == pieces
    cut = list(each_line(Pipe(text), 10))
    # Whoever has a piece that is too long knows it.
    assert cut[:4] == pieces[:4] and len(cut[4]) > 10 and b"".join(cut) == b"".join(pieces)


def test_reads_a_named_pipe() -> None:
    os.mkfifo("pipe.npy")
    array = numbers((3, 4), "float32")
    writer = threading.Thread(target=lambda: Path("pipe.npy").write_bytes(npy(array)))
    writer.start()
    assert same(load("pipe.npy"), array)
    writer.join()


def test_redirected_standard_input_is_a_file() -> None:
    first, second = np.arange(9 << 20, dtype=np.float64), numbers((3,), "int8")
    with open("a.npy", "wb") as file:
        np.save(file, first)
        np.save(file, second)
    with open("a.npy", "rb") as file:
        done = run("a, b = load('-'), load('-')\nprint(a.flags.writeable, a[-1], b.tolist())", stdin=file)
    assert done.stdout.decode() == f"False {first[-1]} {second.tolist()}\n", done


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"", "standard input is empty"),
        (npy(np.zeros(5))[:-1], "standard input is truncated: its header declares (5,) float64 = 40 bytes, 39 are"),
        (npy(np.zeros(5)) + b"\n", "standard input continues after the array: its header declares (5,) float64 = 40"),
        (b"1 2 3", "standard input is not a .npy file"),
        (b"PK\x03\x04" + bytes(99), "standard input is an .npz archive, not a .npy file"),
        (npy(np.zeros(5, "c8")), "standard input holds complex numbers"),
    ],
)
def test_wrong_standard_input(data: bytes, line: str) -> None:
    code = "try: load('-')\nexcept Exception as error: print(type(error).__name__, error)"
    done = run(code, input=data)
    assert done.stdout.decode().startswith(f"WorkError {line}"), done
    assert done.stderr == b""


def test_standard_input_closed_or_a_terminal() -> None:
    code = "\ntry: load('-')\nexcept Exception as error: print(type(error).__name__, error)"
    assert run("sys.stdin = None" + code).stdout == b"WorkError standard input is closed\n"
    master, slave = os.openpty()
    assert run(code, stdin=slave).stdout.startswith(b"GradcliError standard input is a terminal")
    name = os.ttyname(slave)
    assert failure(lambda: load(name), GradcliError) == f"{name} is a terminal, not a file"
    os.close(master)
    os.close(slave)


def test_standard_input_replaced_by_a_stream_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(npy(np.ones(3)))))
    assert same(load("-"), np.ones(3))


@pytest.mark.parametrize("count", [10**9, 10**12])
def test_a_lying_pipe_takes_no_memory(count: int) -> None:
    data = with_header(f"{{'descr': '<f8', 'fortran_order': False, 'shape': ({count},)}}", bytes(1000))
    done = run(
        """
        import resource
        from tests.peak import own_peak
        before = own_peak()
        resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
        try: load("-")
        except Exception as error: print(type(error).__name__, error)
        print(own_peak() - before < 20_000_000)
        """,
        input=data,
    )
    line, small = done.stdout.decode().splitlines()[0], done.stdout.decode().splitlines()[-1]
    assert line.startswith("WorkError standard input ") and f"({count},) float64 = {8 * count} bytes" in line, done
    assert small == "True"


def test_a_pipe_that_ends_early_has_cost_what_it_held() -> None:
    received = 70 << 20
    data = with_header("{'descr': '|u1', 'fortran_order': False, 'shape': (2000000000,)}", bytes(received))
    done = run(
        """
        from tests.peak import own_peak
        before = own_peak()
        try: load("-")
        except Exception as error: print(type(error).__name__, error)
        print(own_peak() - before)
        """,
        input=data,
    )
    line, peak = done.stdout.decode().splitlines()
    assert line.startswith("WorkError standard input is truncated") and line.endswith(f"{received} are there"), done
    assert int(peak) < 3 * received


def test_an_honest_pipe_is_held_once() -> None:
    size = 300 << 20
    producer = f"import sys, numpy as np; np.save(sys.stdout.buffer, np.ones({size}, np.uint8))"
    with subprocess.Popen([sys.executable, "-u", "-c", producer], stdout=subprocess.PIPE) as process:
        done = run(
            """
            from tests.peak import own_peak
            before = own_peak()
            a = load("-")
            print(int(a.sum()), own_peak() - before)
            """,
            stdin=process.stdout,
        )
    total, peak = map(int, done.stdout.split())
    assert total == size and peak < 1.1 * size


@pytest.mark.parametrize("path", ["-", "/dev/stdout"])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_writes_standard_output(path: str, unbuffered: str) -> None:
    code = f"import sys, numpy as np\nfrom gradcli.storage import *\nprint('text')\nsave('{path}', np.arange(99999.0))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, env={**environment(), "PYTHONUNBUFFERED": unbuffered}
    )
    assert done.stdout == b"text\n" + npy(np.arange(99999.0)), done.stderr


def test_standard_output_is_appended_to() -> None:
    with open("out", "wb") as file:
        file.write(b"before")
        file.flush()
        code = "import numpy as np\nfrom gradcli.storage import *\nsave('-', np.ones(3)); save('-', np.zeros(3))"
        subprocess.run([sys.executable, "-c", code], stdout=file, env=environment(), check=True)
    assert Path("out").read_bytes() == b"before" + npy(np.ones(3)) + npy(np.zeros(3))


def test_standard_output_replaced_by_a_stream_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(stream))
    save("-", np.ones(3))
    assert stream.getvalue() == npy(np.ones(3))
    monkeypatch.setattr(sys, "stdout", None)
    assert failure(lambda: save("-", np.ones(3))) == "standard output is closed"


def test_a_reader_that_went_away() -> None:
    save("a.npy", np.zeros(2))
    reading, writing = os.pipe()
    os.close(reading)
    code = """
        try: save_all([("a.npy", np.ones(2)), ("-", np.ones(1_000_000))])
        except BrokenPipeError: sys.stderr.write("broken")
        """
    command = "import sys, numpy as np\nfrom gradcli.storage import *\n" + textwrap.dedent(code)
    done = subprocess.run([sys.executable, "-c", command], stdout=writing, stderr=subprocess.PIPE, env=environment())
    os.close(writing)
    # Nothing is left in a buffer that would fail again at exit.
    assert done.stderr == b"broken" and done.returncode == 0
    assert os.listdir() == ["a.npy"] and same(np.load("a.npy"), np.zeros(2))


def test_standard_output_full_or_a_terminal() -> None:
    code = """
        try: save_all([("a.npy", np.ones(2)), ("-", np.ones(2))])
        except Exception as error: sys.stderr.write(f"{type(error).__name__} {error}")
        """
    command = "import sys, numpy as np\nfrom gradcli.storage import *\n" + textwrap.dedent(code)
    with open("/dev/full", "wb") as full:
        done = subprocess.run([sys.executable, "-c", command], stdout=full, stderr=subprocess.PIPE, env=environment())
    assert done.stderr == b"UnwritableError cannot write standard output: No space left on device"
    assert done.returncode == 0
    master, slave = os.openpty()
    done = subprocess.run([sys.executable, "-c", command], stdout=slave, stderr=subprocess.PIPE, env=environment())
    assert done.stderr.startswith(b"GradcliError standard output is a terminal")
    name = os.ttyname(slave)
    assert failure(lambda: save(name, np.ones(2)), GradcliError).startswith(f"{name} is a terminal")
    os.close(master)
    os.close(slave)
    assert os.listdir() == []


def test_writes_to_a_pipe_that_does_not_block() -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    code = "import numpy as np\nfrom gradcli.storage import *\nsave('-', np.arange(300000.0))"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=writing, env=environment())
    os.close(writing)
    time.sleep(0.5)
    with os.fdopen(reading, "rb") as file:
        assert file.read() == npy(np.arange(300000.0))
    assert process.wait(timeout=300) == 0


def test_header_is_an_immutable_record() -> None:
    header = Header("a.npy", (2, 3), np.dtype("<f4"), False, 128)
    assert header.nbytes == 24
    with pytest.raises(AttributeError):
        header.offset = 0  # type: ignore[misc]
