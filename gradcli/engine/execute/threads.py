"""Pieces of work dealt to threads: each takes the next one as soon as it is done with the last."""

from __future__ import annotations

import _thread
import os
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from functools import lru_cache, partial
from typing import TYPE_CHECKING, NoReturn

from gradcli.errors import GradcliError, WorkError
from gradcli.graph.arguments import shown_value

if TYPE_CHECKING:
    from queue import SimpleQueue

# Seconds that a thread waits for more work.
_WHILE = 1.0
#: What a thread is to do, and the lock that it gives free then.
_Job = tuple[Callable[[], None], _thread.LockType]

#: The failures of pieces of work by their numbers; -1 is before all of them.
Failures = list[tuple[int, BaseException]]

#: How many threads to use; None for as many as there are processors. `set_num_threads` and `--threads` set it.
THREADS: ContextVar[int | None] = ContextVar("gradcli_threads", default=None)


def get_num_threads() -> int:
    """The number of threads, set with `set_num_threads` or GRADCLI_THREADS, or one for each processor."""
    chosen = THREADS.get()
    if chosen is not None:
        return chosen
    given = os.environ.get("GRADCLI_THREADS", "").strip()
    if not given:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if not given.isdecimal() or not 1 <= int(given) <= 1024:
        raise GradcliError(f"GRADCLI_THREADS must be an integer from 1 to 1024, got {given!r}")
    return int(given)


def check_num_threads() -> None:
    """Refuse a bad GRADCLI_THREADS, where nobody needs to know the number."""
    if THREADS.get() is None and "GRADCLI_THREADS" in os.environ:
        get_num_threads()


def set_num_threads(number: int) -> None:
    """Set the number of threads; results are the same, bit for bit, for any number.

    >>> import gradcli as gc
    >>> gc.set_num_threads(gc.get_num_threads())
    """
    if not isinstance(number, int) or isinstance(number, bool) or not 1 <= number <= 1024:
        shown = shown_value(number)
        raise GradcliError(f"the number of threads must be an integer from 1 to 1024, got {shown}")
    THREADS.set(number)


def in_vain(failures: Failures, piece: int) -> bool:
    """Whether nobody will look at what a piece of work comes to: one before it has failed, or Ctrl-C came."""
    return any(failed < piece for failed, _ in failures)


def shares(count: int, threads: int, least: int, most: int) -> array[int]:
    """The pieces of work 0 to `count - 1` in runs of neighbours: where each begins, and where the last one ends.

    A run is a part of what is left, but at least and at most so many pieces. Towards the end it is a single one, so
    that no thread has to wait for long.
    """
    starts = array("q", [0])
    several = least * max(0, count // least - threads)
    while starts[-1] < count:
        left = count - starts[-1]
        smallest = least if starts[-1] < several else 1
        starts.append(starts[-1] + min(left, max(smallest, min(most, left // (2 * threads)))))
    return starts


def deal(
    count: int, threads: int, start: Callable[[], Callable[[int], None]], failures: Failures | None = None
) -> None:
    """Do the pieces of work 0 to `count - 1`, each in one of so many threads.

    `start()` is called once in every thread and gives the function that does a piece. Where the system allows fewer
    threads, or has no memory for what they start with, those that there are do all pieces. After a failure only the
    pieces before it are begun, and the failure of the first piece is raised: which one that is does not depend on time.
    A piece that takes long may be left off where it is `in_vain`: `failures` are those of all threads.
    """
    failures = [] if failures is None else failures
    # Taking the next from this iterator is one step of the interpreter: no two threads get the same.
    dealt = iter(range(count))
    without_memory: list[MemoryError] = []

    def work() -> None:
        try:
            do = start()
        except MemoryError as error:
            # The others go on.
            without_memory.append(error)
            return
        for piece in dealt:
            if in_vain(failures, piece):
                return
            try:
                do(piece)
            except Exception as error:
                failures.append((piece, error))
                return

    def careful() -> None:
        try:
            work()
        except BaseException as error:
            # Ctrl-C is before all pieces: nobody begins another.
            failures.append((-1, error))

    started = begun(careful, min(threads, count) - 1)
    try:
        careful()
        for ended in started:
            ended.acquire()
    except BaseException as error:
        # Ctrl-C while others are still at work: they leave off, and nobody waits for them.
        failures.append((-1, error))
        raise
    if len(without_memory) == len(started) + 1:
        failures.append((count, without_memory[0]))
    if failures:
        _fail(min(failures, key=lambda failure: failure[0])[1], len(started))


def begun(work: Callable[[], None], threads: int) -> list[_thread.LockType]:
    """Let so many threads work, or as many as the system allows; for each a lock that it gives free at its end.

    `threading.Thread` would wait until each has begun, which takes as long as a block or two.
    """
    from queue import SimpleQueue

    locks: list[_thread.LockType] = []
    for _ in range(threads):
        ended = _thread.allocate_lock()
        ended.acquire()
        # The caller's context: settings made there hold there too.
        job = partial(copy_context().run, work), ended
        try:
            _waiting(os.getpid()).pop().put(job)
        except IndexError:
            jobs = SimpleQueue[_Job]()
            jobs.put(job)
            try:
                _thread.start_new_thread(_serve, (jobs,))
            except (RuntimeError, MemoryError):
                break
        locks.append(ended)
    return locks


@contextmanager
def beside(work: Callable[[], None]) -> Iterator[None]:
    """Within this block, a thread of its own does some work, if the system allows one; the block ends with it."""
    helpers = begun(work, 1)
    try:
        yield
    finally:
        for ended in helpers:
            ended.acquire()


@lru_cache(maxsize=1)
def _waiting(process: int) -> list[SimpleQueue[_Job]]:
    """Where threads of this process wait for work that have done some; none of them is there after a fork."""
    return []


def _serve(jobs: SimpleQueue[_Job]) -> None:
    """Work, and wait a while for more: a thread takes as long to start as a small pass."""
    from queue import Empty

    waiting = _waiting(os.getpid())
    while True:
        try:
            work, ended = jobs.get(timeout=_WHILE)
        except Empty:
            try:
                waiting.remove(jobs)
            except ValueError:
                # Some is on its way.
                continue
            return
        try:
            work()
            # Whoever goes on may need the memory of what it holds.
            del work
            waiting.append(jobs)
        finally:
            ended.release()


def _fail(failure: BaseException, helpers: int) -> NoReturn:
    if isinstance(failure, MemoryError) and helpers:
        hint = "fewer --threads need less"
        raise WorkError(f"not enough memory for {helpers + 1} threads", hint=hint) from None
    raise failure
