"""What must not be cut in two by a signal: it waits until that is done."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator

# The signals that people and systems end a process with.
_ENDING = tuple([getattr(signal, name) for name in ("SIGTERM", "SIGHUP", "SIGINT") if hasattr(signal, name)])


@contextlib.contextmanager
def handled_by(handler: Callable[[int, object], None]) -> Iterator[None]:
    """Let a function handle the signals that end a process within this block.

    Only the main thread can see to that; in any other one Python raises no exceptions for signals anyway.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    found = {number: signal.getsignal(number) for number in _ENDING}
    # Those that are ignored (SIGHUP below nohup) stay so.
    before = {number: old for number, old in found.items() if old not in (signal.SIG_IGN, None)}
    try:
        for number in before:
            signal.signal(number, handler)
        yield
    finally:
        # SIGINT is the last one: its handler may raise, as Python's own does.
        for number, old in before.items():
            signal.signal(number, old)


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Signals that come within this block take effect behind it, each once."""
    came: list[int] = []

    def note(signum: int, frame: object) -> None:
        if signum not in came:
            came.append(signum)

    try:
        with handled_by(note):
            yield
    finally:
        for number in came:
            signal.raise_signal(number)
