"""Items dealt to threads of this process, their outcomes given back in order."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from contextvars import copy_context
from dataclasses import dataclass
from typing import Any, Protocol

from gradcli.batch.job import Job, Part, Task
from gradcli.batch.work import Common, Worker
from gradcli.engine.execute.threads import start_most
from gradcli.errors import WorkError
from gradcli.machine.blas import one_thread

# How many chunks may be done before the one that is waited for.
_AHEAD = 64


class Executor(Protocol):
    """Whatever does chunks of items, here or elsewhere.

    `parts` gives the part of every chunk, in order. When `stopped` is set it may give one that is not complete, and
    ends. Closing the iterator ends the work. `Worker.do` is what does a chunk; all that goes in and out can be pickled.
    """

    def parts(
        self, job: Job, chunks: Iterator[Sequence[Task]], stopped: threading.Event
    ) -> Generator[Part, None, None]: ...


@dataclass
class Threads:
    """An executor of so many threads. Small items are done side by side, large ones by all threads together."""

    count: int

    def parts(
        self, job: Job, chunks: Iterator[Sequence[Task]], stopped: threading.Event
    ) -> Generator[Part, None, None]:
        """See `Executor`."""
        ahead = 2 * self.count if job.accumulate else _AHEAD
        desk = _Desk(chunks, stopped, ahead)
        common = Common(job)

        def work() -> None:
            try:
                worker = Worker(job, common, self.count, self.count)
                while (taken := desk.take()) is not None:
                    desk.give(taken[0], worker.do(taken[1], desk.is_over))
            except BaseException as error:
                desk.fail(error)

        # A context of its own for each: settings that were made here hold there too.
        threads: list[Any] = [
            threading.Thread(target=copy_context().run, args=(work,), daemon=True) for _ in range(self.count)
        ]
        with one_thread():
            started = start_most(threads)
            if not started:
                raise WorkError("the system allows no more threads")
            try:
                with closing(desk.collect()) as parts:
                    yield from parts
            finally:
                desk.end()
                for thread in started:
                    thread.join()


class _Desk:
    """Where threads take chunks and leave parts."""

    def __init__(self, chunks: Iterator[Sequence[Task]], stopped: threading.Event, ahead: int) -> None:
        self._chunks = chunks
        self._stopped = stopped
        self._ahead = ahead
        lock = threading.RLock()
        self._lock = threading.Condition(lock)
        self._done = threading.Condition(lock)
        self._taken = 0
        self._given = 0
        self._parts: dict[int, Part] = {}
        self._failure: BaseException | None = None
        self._empty = False
        self._ended = False

    def is_over(self) -> bool:
        """Whether nothing more is wanted."""
        return self._ended or self._stopped.is_set()

    def take(self) -> tuple[int, Sequence[Task]] | None:
        """The next chunk and its number; None when there is nothing more to do."""
        with self._lock:
            while not self._is_dealt() and self._taken - self._given >= self._ahead:
                self._lock.wait()
            chunk = None if self._is_dealt() else next(self._chunks, None)
            if chunk is None:
                self._empty = True
                self._lock.notify_all()
                self._done.notify_all()
                return None
            self._taken += 1
            return self._taken - 1, chunk

    def give(self, number: int, part: Part) -> None:
        """Leave what a chunk has come to."""
        with self._lock:
            self._parts[number] = part
            self._done.notify_all()

    def fail(self, error: BaseException) -> None:
        """Report that a thread cannot go on."""
        with self._lock:
            self._failure = self._failure or error
            self._done.notify_all()

    def end(self) -> None:
        """Let no chunk be begun any more."""
        with self._lock:
            self._ended = True
            self._lock.notify_all()

    def collect(self) -> Generator[Part, None, None]:
        """The parts in order, until all are there or a thread fails."""
        while True:
            with self._lock:
                while self._given not in self._parts and not self._is_last() and self._failure is None:
                    self._done.wait()
                part = self._parts.pop(self._given, None)
                if part is None:
                    if self._failure is not None:
                        raise self._failure
                    return
                self._given += 1
                self._lock.notify_all()
            yield part

    def _is_dealt(self) -> bool:
        return self._empty or self.is_over()

    def _is_last(self) -> bool:
        return self._is_dealt() and self._given >= self._taken
