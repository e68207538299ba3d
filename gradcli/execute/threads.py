"""Pieces of work dealt to threads: each takes the next one as soon as it is done with the last."""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable
from contextvars import ContextVar, copy_context
from typing import Any

from gradcli.errors import GradcliError

#: How many threads to use; None for as many as there are processors. `set_num_threads` and `--threads` set it.
THREADS: ContextVar[int | None] = ContextVar("gradcli_threads", default=None)


def get_num_threads() -> int:
    """How many threads compute: as set, or as GRADCLI_THREADS says, or one for each processor."""
    chosen = THREADS.get()
    if chosen is not None:
        return chosen
    given = os.environ.get("GRADCLI_THREADS", "").strip()
    if not given:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if not given.isdecimal() or not 1 <= int(given) <= 1024:
        raise GradcliError(f"GRADCLI_THREADS must be a whole number from 1 to 1024, it is {given!r}")
    return int(given)


def set_num_threads(number: int) -> None:
    """Compute with so many threads; results are the same bits for any number.

    >>> import gradcli as gc
    >>> gc.set_num_threads(gc.get_num_threads())
    """
    if not isinstance(number, int) or isinstance(number, bool) or not 1 <= number <= 1024:
        raise GradcliError(f"the number of threads must be a whole number from 1 to 1024, got {number!r}")
    THREADS.set(number)


def deal(count: int, threads: int, start: Callable[[], Callable[[int], None]]) -> None:
    """Do the pieces of work 0 to `count - 1`, each in one of so many threads.

    `start()` is called once in every thread and gives the function that does a piece. After a failure no piece is
    begun any more; of several failures that of the first piece is raised.
    """
    pieces = itertools.count()
    failures: list[tuple[int, BaseException]] = []

    def work() -> None:
        do = start()
        # Taking a number from a counter is one step of the interpreter: no two threads get the same.
        while not failures and (piece := next(pieces)) < count:
            try:
                do(piece)
            except BaseException as error:
                failures.append((piece, error))
                raise

    def helper() -> None:
        try:
            work()
        except BaseException as error:
            if not failures:
                failures.append((count, error))

    # The caller's context: settings made there hold here too.
    helpers: list[Any] = [
        threading.Thread(target=copy_context().run, args=(helper,), daemon=True) for _ in range(min(threads, count) - 1)
    ]
    for thread in helpers:
        thread.start()
    try:
        work()
    except BaseException as error:
        if not failures:
            failures.append((count, error))
    finally:
        for thread in helpers:
            thread.join()
    if failures:
        raise min(failures, key=lambda failure: failure[0])[1]
