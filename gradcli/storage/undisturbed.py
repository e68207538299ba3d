"""What must not be cut in two by a signal: it waits until that is done."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import Any

#: The signals that people and systems end a process with.
ENDING = tuple([getattr(signal, name) for name in ("SIGTERM", "SIGHUP", "SIGINT") if hasattr(signal, name)])


def handlers() -> dict[int, Any]:
    """What those signals do now; those that are ignored (SIGHUP below nohup) are left out."""
    found = {number: signal.getsignal(number) for number in ENDING}
    return {number: handler for number, handler in found.items() if handler not in (signal.SIG_IGN, None)}


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Signals that come within this block take effect behind it, each once.

    Only the main thread can see to that; in any other one Python raises no exceptions for signals anyway.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []

    def note(signum: int, frame: object) -> None:
        if signum not in came:
            came.append(signum)

    before = handlers()
    try:
        for number in before:
            signal.signal(number, note)
        yield
    finally:
        # SIGINT is the last one: its handler may raise, as Python's own does.
        for number, handler in before.items():
            signal.signal(number, handler)
        for number in came:
            signal.raise_signal(number)
