"""Items dealt to threads of this process, their outcomes given back in order."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Generator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Protocol

from gradcli.batch.job import Chunks, Job, Part, Task
from gradcli.batch.work import Common, Worker
from gradcli.engine.execute.threads import begun
from gradcli.errors import WorkError
from gradcli.machine.blas import one_thread

# How many chunks may be done before the one that is waited for.
_AHEAD = 64


class Executor(Protocol):
    """Whatever does chunks of items, here or elsewhere.

    `parts` gives the part of every chunk, in order. When `stopped` is set it may give one that is not complete, and
    ends. Closing the iterator ends the work. `Worker.do` is what does a chunk; all that goes in and out can be pickled.
    """

    def parts(self, job: Job, chunks: Chunks, stopped: threading.Event) -> Generator[Part, None, None]: ...


@dataclass
class Threads:
    """An executor of so many threads. Small items are done side by side, large ones by all threads together."""

    count: int

    def parts(self, job: Job, chunks: Chunks, stopped: threading.Event) -> Generator[Part, None, None]:
        """See `Executor`."""
        ahead = 2 * self.count if job.accumulate else _AHEAD
        common = Common(job)
        waiting: SimpleQueue[tuple[Future[Part], Sequence[Task]] | None] = SimpleQueue()
        over = threading.Event()

        def work() -> None:
            worker = None
            while (taken := waiting.get()) is not None:
                try:
                    worker = worker or Worker(job, common, self.count, self.count)
                    taken[0].set_result(worker.do(taken[1], lambda: over.is_set() or stopped.is_set()))
                except BaseException as error:
                    taken[0].set_exception(error)

        under_way: deque[Future[Part]] = deque()
        with one_thread():
            started = begun(work, self.count)
            if not started:
                raise WorkError("the system allows no more threads")
            try:
                while True:
                    while len(under_way) < ahead and not stopped.is_set() and (tasks := next(chunks, None)) is not None:
                        under_way.append(Future())
                        waiting.put((under_way[-1], tasks))
                    if not under_way:
                        return
                    yield under_way.popleft().result()
            finally:
                over.set()
                for _ in started:
                    waiting.put(None)
                for ended in started:
                    ended.acquire()
