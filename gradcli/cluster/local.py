"""A cluster of processes on this machine: a scheduler in this process, and workers that end with it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gradcli.errors import GradcliError, WorkError

_MOST = 1024
# Seconds: a worker has to load Dask first, and many may have to share a processor.
_START = 60.0
_LOOK = 0.1


@contextlib.contextmanager
def started(count: int, threads: int | None) -> Iterator[Any]:
    """A client of `count` workers, which have `threads` threads in all (default: one for each processor)."""
    from distributed import Client, LocalCluster

    if not 1 <= count <= _MOST:
        raise GradcliError(
            f"there cannot be {count} worker processes", hint="as in --scheduler local:4, for four of them"
        )
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with contextlib.ExitStack() as stack:
        try:
            scheduler = LocalCluster(n_workers=0, processes=True, dashboard_address=None, silence_logs=False)
            stack.callback(_close, scheduler)
            workers = stack.enter_context(_processes(scheduler.scheduler_address, count, threads or processors))
            client = Client(scheduler, set_as_default=False)
        except (OSError, RuntimeError, TimeoutError) as error:
            raise WorkError(f"cannot start {count} worker processes: {error}") from None
        stack.callback(_close, client)
        _wait(client, workers)
        yield client


@contextlib.contextmanager
def _processes(address: str, count: int, threads: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Workers, killed at the end: nothing they do then is wanted."""
    command = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--no-nanny", "--no-dashboard"]
    command += ["--nthreads", str(max(1, threads // count)), "--memory-limit", "0", "--death-timeout", "10"]
    # The gradcli that runs here, wherever it was found.
    home = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join(filter(None, [home, os.environ.get("PYTHONPATH")]))
    workers: list[subprocess.Popen[bytes]] = []
    null = subprocess.DEVNULL
    try:
        for _ in range(count):
            # Of a session of their own: an interrupt from the keyboard is for the command alone.
            workers.append(
                subprocess.Popen(
                    command,
                    stdin=null,
                    stdout=null,
                    stderr=null,
                    start_new_session=True,
                    env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
                )  # fmt: skip
            )
        yield workers
    finally:
        for worker in workers:
            with contextlib.suppress(ProcessLookupError):
                worker.send_signal(signal.SIGKILL)
        for worker in workers:
            worker.wait()


def _wait(client: Any, workers: list[subprocess.Popen[bytes]]) -> None:
    end = time.monotonic() + _START
    while len(client.nthreads()) < len(workers):
        if any(worker.poll() is not None for worker in workers) or time.monotonic() > end:
            hint = f"`{sys.executable} -m distributed.cli.dask_worker --help` may tell why"
            raise WorkError("the worker processes do not start", hint=hint)
        time.sleep(_LOOK)


def _close(thing: Any) -> None:
    with contextlib.suppress(Exception):
        thing.close(timeout=1.0)
