"""A real scheduler and real workers, as processes of their own."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.command import PATIENCE, environment

_DASK = [sys.executable, "-m"]


class Workers:
    """A scheduler, and workers that can be started and killed one by one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        file = folder / "scheduler.json"
        command = [*_DASK, "distributed.cli.dask_scheduler", "--port", "0", "--no-dashboard"]
        command += ["--scheduler-file", str(file)]
        self.processes = [self._start("scheduler", command)]
        self.address = self._address(file)

    def _address(self, file: Path) -> str:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            try:
                return str(json.loads(file.read_text())["address"])
            except (OSError, ValueError):
                time.sleep(0.05)
        raise AssertionError((self.folder / "scheduler.log").read_text())

    def add(self, home: Path | None = None) -> None:
        """Start a worker, with the gradcli in `home` if that is given."""
        command = [*_DASK, "distributed.cli.dask_worker", self.address, "--no-nanny", "--no-dashboard"]
        self.processes.append(self._start(f"worker{len(self.processes)}", [*command, "--nthreads", "1"], home))

    def wait(self) -> None:
        """Wait until all workers are there: a command gives up early on a cluster that has none."""
        from distributed import Client

        with Client(self.address, timeout=PATIENCE, set_as_default=False) as client:
            client.wait_for_workers(len(self.processes) - 1, timeout=PATIENCE)

    def _start(self, name: str, command: list[str], home: Path | None = None) -> subprocess.Popen[bytes]:
        # Dask's own processes: what they are warned of is not gradcli's.
        foreign = {"PYTHONWARNINGS": "default"}
        env = environment(**foreign) if home is None else environment(PYTHONPATH=str(home), **foreign)
        with open(self.folder / f"{name}.log", "wb") as log:
            # What is found in the current folder would go before PYTHONPATH.
            return subprocess.Popen(command, stdout=log, stderr=log, env=env, cwd=self.folder)

    def stop(self) -> None:
        """Kill them all."""
        for process in self.processes:
            process.kill()
            process.wait()


@contextmanager
def cluster(folder: Path, workers: int) -> Iterator[Workers]:
    """A scheduler with so many workers that are there, for the time of the block."""
    folder.mkdir(exist_ok=True)
    started = Workers(folder)
    try:
        for _ in range(workers):
            started.add()
        if workers:
            started.wait()
        yield started
    finally:
        started.stop()
