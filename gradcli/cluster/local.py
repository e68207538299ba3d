"""A cluster of processes on this machine: a scheduler in this process, and workers that end with it.

Whoever can talk to a scheduler or a worker can have it run code. So all of them listen on the loopback interface
alone, serve no HTTP, and take nobody who does not hold the key that was made for this run and never lies in a file
for longer than it is read: other users of the machine cannot connect either.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gradcli.errors import GradcliError, WorkError
from gradcli.machine.undisturbed import undisturbed

LOOPBACK = "127.0.0.1"

_MOST = 1024
# Seconds until one more worker is there: it has to load Dask first, and the processor may have other work to do.
START = 60.0
# Seconds that our own scheduler takes at most to end.
_CLOSE = 10.0
_LOOK = 0.1


@contextlib.contextmanager
def started(count: int, threads: int | None) -> Iterator[Any]:
    """A client of `count` workers, which have `threads` threads in all (default: one for each processor)."""
    from distributed import Client, SpecCluster

    if not 1 <= count <= _MOST:
        hint = "for example, --scheduler local:4, for four of them"
        raise GradcliError(f"there cannot be {count} worker processes", hint=hint)
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    # The modules that make keys are read here, and an interrupt would come up inside of one.
    with undisturbed():
        security = _throw_away()
    options = {"host": LOOPBACK, "port": 0, "protocol": "tls://", "security": security, "dashboard": False}
    with contextlib.ExitStack() as stack:
        try:
            spec = {"cls": without_http("Scheduler"), "options": options}
            # What is interrupted while it is made, nobody could close.
            with undisturbed():
                scheduler = SpecCluster(scheduler=spec, workers={}, security=security)
                stack.callback(close, scheduler, _CLOSE)
            each = max(1, (threads or processors) // count)
            workers = stack.enter_context(_processes(scheduler.scheduler_address, count, each, security))
            with undisturbed():
                client = Client(scheduler, set_as_default=False)
                stack.callback(close, client, _CLOSE)
        except (OSError, RuntimeError, TimeoutError) as error:
            raise WorkError(f"cannot start {count} worker processes: {error}") from None
        _wait(client, workers)
        yield client


def without_http(role: str) -> type[Any]:
    """Dask's class of that name, without the HTTP server that every scheduler and worker has, dashboard or not."""
    import distributed

    base: Any = getattr(distributed, role)
    return type(f"{role}WithoutHTTP", (base,), {"start_http_server": lambda *args, **kwargs: None})


def _throw_away() -> Any:
    """A key and a certificate for this run, which both ends of every connection must show."""
    from distributed.security import Security

    try:
        return Security.temporary()
    except ImportError:
        hint = 'pip install "gradcli[dask]"'
        raise GradcliError("--scheduler local:N needs the package cryptography", hint=hint) from None


@contextlib.contextmanager
def _processes(address: str, count: int, threads: int, security: Any) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Workers, killed at the end: nothing they do then is wanted."""
    command = [sys.executable, "-m", "gradcli.cluster.local_worker"]
    # The gradcli that runs here, wherever it was found.
    home = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join(filter(None, [home, os.environ.get("PYTHONPATH")]))
    keys = {"ca": security.tls_ca_file, "cert": security.tls_worker_cert, "key": security.tls_worker_key}
    # Through a pipe, which nobody else can read; it stays open, and its end tells a worker that this process is gone.
    task = json.dumps({"scheduler": address, "threads": threads, **keys}).encode() + b"\n"
    workers: list[subprocess.Popen[bytes]] = []
    pipe, null = subprocess.PIPE, subprocess.DEVNULL
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    try:
        for _ in range(count):
            # Of a session of their own: an interrupt from the keyboard is for the command alone.
            worker = subprocess.Popen(
                command, stdin=pipe, stdout=null, stderr=null, start_new_session=True, env=environment
            )
            workers.append(worker)
            assert worker.stdin is not None
            worker.stdin.write(task)
            worker.stdin.flush()
        yield workers
    finally:
        for worker in workers:
            with contextlib.suppress(ProcessLookupError):
                worker.send_signal(signal.SIGKILL)
        for worker in workers:
            worker.wait()
            with contextlib.suppress(OSError):
                assert worker.stdin is not None
                worker.stdin.close()


def _wait(client: Any, workers: list[subprocess.Popen[bytes]]) -> None:
    count, end = 0, time.monotonic() + START
    while (found := len(client.nthreads())) < len(workers):
        if found > count:
            count, end = found, time.monotonic() + START
        if any(worker.poll() is not None for worker in workers) or time.monotonic() > end:
            hint = f"`{sys.executable} -c 'import distributed'` may show why"
            raise WorkError("the worker processes do not start", hint=hint)
        time.sleep(_LOOK)


def close(thing: Any, timeout: float) -> None:
    """Close a client or a cluster; where nobody answers it is left alone."""
    with undisturbed(), contextlib.suppress(Exception):
        thing.close(timeout=timeout)
