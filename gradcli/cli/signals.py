"""Interrupts while files are being written: the only time when there is something to clean up."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any, NoReturn


class Stopped(KeyboardInterrupt):
    """A signal asked the command to stop; `code` is the exit code that tells which."""

    def __init__(self, signum: int) -> None:
        super().__init__()
        self.code = 128 + signum


@contextlib.contextmanager
def stopping_cleanly() -> Iterator[None]:
    """Within this block the signals that end a process raise `Stopped`, so that unfinished files are removed."""
    if threading.current_thread() is not threading.main_thread():
        # Signals belong to the main thread.
        yield
        return
    names = ("SIGINT", "SIGTERM", "SIGHUP")
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    # What is being ignored (SIGHUP below nohup) stays so.
    before: dict[int, Any] = {n: signal.getsignal(n) for n in numbers if signal.getsignal(n) != signal.SIG_IGN}
    try:
        for number in before:
            signal.signal(number, _stop)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def stopping_later(stop: Callable[[], None]) -> Iterator[list[int]]:
    """Within this block the first signal that ends a process calls `stop`; the list then holds its number."""
    came: list[int] = []
    names = ("SIGINT", "SIGTERM", "SIGHUP")
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    before: dict[int, Any] = {n: signal.getsignal(n) for n in numbers if signal.getsignal(n) != signal.SIG_IGN}

    def note(signum: int, frame: object) -> None:
        if came:
            # Whoever asks twice does not want to wait; what is recorded is whole at any moment.
            os._exit(128 + signum)
        came.append(signum)
        stop()

    try:
        for number in before:
            signal.signal(number, note)
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _stop(signum: int, frame: object) -> NoReturn:
    raise Stopped(signum)
