"""The items of a batch dealt to a cluster: chunks of neighbours, their parts given back in order."""

from __future__ import annotations

import contextlib
import os
import threading
import uuid
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from gradcli.batch.job import Chunks, Job, Part, Task
from gradcli.batch.work import SAME_FILES, Common, Worker
from gradcli.cluster.scheduler import Cluster, dealt
from gradcli.cluster.worker import hold, kept
from gradcli.errors import WorkError
from gradcli.evaluation.input_value import InputValue
from gradcli.machine.blas import always_one_thread

# Chunks that are under way or wait for an earlier one, for each thread of the workers.
_AHEAD = 4
# Runs of which a worker keeps plans.
_MOST_KEPT = 2


@dataclass(frozen=True)
class Run:
    """A job on the workers: its paths are absolute, but for the items', which are relative to `base`.

    The `token` tells it from others.
    """

    job: Job = field(compare=False)
    base: str = field(compare=False)
    token: str


class Workers(NamedTuple):
    """An `Executor` of batches: each worker does a chunk in each of its threads.

    Workers read the items' files and write into the folder of results, which they must see at the same places.
    """

    cluster: Cluster

    def parts(self, job: Job, chunks: Chunks, stopped: threading.Event) -> Generator[Part, None, None]:
        """The part of every chunk, in order."""
        client = self.cluster.client
        run = client.submit(hold, _run_of(job), pure=False)
        work = enumerate((do_items, run, tuple(tasks)) for tasks in chunks)
        done: dict[int, Part] = {}
        given = 0
        parts = dealt(self.cluster, work, lambda: max(1, self.cluster.threads()) * _AHEAD - len(done), stopped.is_set)
        try:
            with contextlib.closing(parts):
                for number, part in parts:
                    done[number] = part
                    while given in done:
                        given += 1
                        yield done.pop(given - 1)
        finally:
            run.release()


def _run_of(job: Job) -> Run:
    """The job for processes that may be anywhere."""

    def everywhere(value: InputValue | None) -> InputValue | None:
        return value if value is None or value.path is None else value._replace(path=os.path.abspath(value.path))

    shared = {name: everywhere(value) or value for name, value in job.shared.items()}
    elsewhere = job._replace(folder=os.path.abspath(job.folder), shared=shared, grad_output=everywhere(job.grad_output))
    return Run(elsewhere, os.getcwd(), uuid.uuid4().hex)


class _Crew:
    """What a worker process keeps for a run: what its threads share, and those who have nothing to do."""

    def __init__(self, run: Run) -> None:
        self.common = Common(run.job)
        self.idle: list[Worker] = []


_crew = kept(_MOST_KEPT, _Crew)


def do_items(run: Run, tasks: Sequence[Task]) -> Part:
    """Do a chunk of items, in a process of the cluster."""
    from distributed import get_worker

    always_one_thread()
    # The client has made it: who does not see it is on another file system.
    if not os.path.isdir(run.job.folder):
        raise WorkError(f"a worker does not see the folder {run.job.folder}", hint=SAME_FILES)
    try:
        crew = _crew(run)
    except WorkError as error:
        raise WorkError(f"on a worker: {error.message}", hint=error.hint or SAME_FILES) from None
    threads = int(get_worker().state.nthreads)
    try:
        # One step of the interpreter: no two threads get the same.
        worker = crew.idle.pop()
    except IndexError:
        worker = Worker(run.job, crew.common, threads, threads, run.base)
    try:
        return worker.do(tasks, lambda: False)
    finally:
        crew.idle.append(worker)
