"""A warm process: it has imported all of gradcli and splits off a process for each command, which need not start.

What it splits off is a process like any other: its own arguments, folder, variables, standard streams and end. Started
as a program, this file is that process; tests/warm_client.py asks it.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import gc
import importlib
import io
import os
import pkgutil
import select
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
import warnings
from pathlib import Path
from typing import Any, NamedTuple

CLIENT = Path(__file__).with_name("warm_client.py")
# What the interpreter and its libraries look at when they start.
_FOR_THE_START = ("PYTHON", "LANG", "LC_", "OMP_", "OPENBLAS_", "MKL_")


def can_serve(variables: dict[str, str]) -> bool:
    """Whether a command with these variables of its own need not start anew to see them."""
    return hasattr(os, "fork") and not any(name.startswith(_FOR_THE_START) for name in variables)


@functools.cache
def address() -> str:
    """Where the warm process of this one listens; started at the first question, gone with whoever asked it."""
    from tests.command import environment

    folder = tempfile.TemporaryDirectory(prefix="warm")
    path = os.path.join(folder.name, "s")
    server = subprocess.Popen(
        [sys.executable, __file__, path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment(),
        start_new_session=True,
    )
    assert server.stdin is not None and server.stdout is not None and server.stdout.readline() == b"ready\n"
    server.stdout.close()

    def stop() -> None:
        server.stdin.close()
        server.wait()
        folder.cleanup()

    atexit.register(stop)
    return path


def main(path: str) -> None:
    """Listen until standard input ends, and in each process that is split off, be the command."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(64)
    _import_everything()
    print("ready", flush=True)
    os.dup2(2, 1)
    gc.collect()
    gc.freeze()
    running: dict[int, _Running] = {}
    while True:
        waiting: list[Any] = [number for one in running.values() for number in (one.over, one.connection)]
        ready = select.select([listener, 0, *waiting], [], [])[0]
        if 0 in ready:
            break
        for over, one in list(running.items()):
            if one.connection in ready and over not in ready:
                # Nobody is left to be told.
                os.kill(one.child, signal.SIGKILL)
            if one.connection in ready or over in ready:
                one.end()
                del running[over]
        if listener in ready:
            one = _start(listener, running)
            running[one.over] = one
    listener.close()


class _Running(NamedTuple):
    """A command that has been split off, the pipe that is closed when it ends, and who is told how."""

    child: int
    over: int
    connection: socket.socket

    def end(self) -> None:
        """Wait for the command, which has ended or been killed, and tell."""
        status = os.waitpid(self.child, 0)[1]
        with contextlib.suppress(OSError):
            self.connection.sendall(b"%d\n" % status)
        self.connection.close()
        os.close(self.over)


def _import_everything() -> None:
    """Every module of gradcli, but for those whose extras start threads or are not there."""
    import gradcli

    for module in pkgutil.walk_packages(gradcli.__path__, "gradcli."):
        if not module.name.startswith(("gradcli.cluster", "gradcli.__main__")):
            importlib.import_module(module.name)
    # What fits, minimizes and draws takes as long to load as all of gradcli.
    for name in ("scipy.optimize", "scipy.special", "matplotlib.figure"):
        with contextlib.suppress(ImportError):
            importlib.import_module(name)


def _split() -> int:
    with warnings.catch_warnings():
        # NumPy's own threads, which it ends before.
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def _start(listener: socket.socket, running: dict[int, _Running]) -> _Running:
    """Split off the next command."""
    connection = listener.accept()[0]
    data, streams, _, _ = socket.recv_fds(connection, 1 << 16, 3)
    size, _, data = data.partition(b"\0")
    while len(data) < int(size):
        data += connection.recv(1 << 16)
    # Its other end is the command's alone, and closed when that ends.
    over, alive = os.pipe()
    child = _split()
    if child == 0:
        for number in (over, connection, listener, *running, *(one.connection for one in running.values())):
            os.close(number if isinstance(number, int) else number.detach())
        _become(streams, data)
    for number in (alive, *streams):
        os.close(number)
    return _Running(child, over, connection)


def _become(streams: list[int], data: bytes) -> None:
    """Be a command that has just been started, to its end."""
    count, folder, *fields = data.split(b"\0")
    try:
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        os.chdir(folder)
        os.environb.clear()
        os.environb.update(field.split(b"=", 1) for field in fields[int(count) :])  # type: ignore[misc]
        sys.argv = ["gradcli", *map(os.fsdecode, fields[: int(count)])]
        sys.stdin, sys.stdout, sys.stderr = _stream(0, "r"), _stream(1, "w"), _stream(2, "w")
        from gradcli.__main__ import main as command

        command()
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(99)


def _stream(number: int, mode: str) -> Any:
    """A standard stream as the interpreter makes it when it starts."""
    errors = "backslashreplace" if number == 2 else "strict"
    lines = number == 2 or os.isatty(number)
    raw = io.FileIO(number, mode, closefd=False)
    buffer = io.BufferedReader(raw) if mode == "r" else io.BufferedWriter(raw)
    stream = io.TextIOWrapper(buffer, encoding="utf-8", errors=errors, line_buffering=lines)
    setattr(sys, ("__stdin__", "__stdout__", "__stderr__")[number], stream)
    return stream


if __name__ == "__main__":
    main(sys.argv[1])
