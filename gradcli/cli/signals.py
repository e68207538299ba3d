"""Interrupts while files are being written: the only time when there is something to clean up."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator

from gradcli.machine.undisturbed import handled_by

# Cleaning up may take so long, in seconds; whoever asks again after that does not want to wait.
_PATIENCE = 1.0


class Stopped(KeyboardInterrupt):
    """A signal asked the command to stop. `code` tells which as `subprocess` does: negative, but for Ctrl-C."""

    def __init__(self, signum: int) -> None:
        super().__init__()
        self.code = 128 + signum if signum == signal.SIGINT else -signum


@contextlib.contextmanager
def stopping_cleanly() -> Iterator[None]:
    """Within this block the first signal that ends a process raises `Stopped`, so that unfinished files are removed."""
    came: list[float] = []

    def stop(signum: int, frame: object) -> None:
        came.append(time.monotonic())
        if len(came) == 1:
            raise Stopped(signum)
        if came[-1] - came[0] > _PATIENCE:
            _leave(signum)

    with handled_by(stop):
        yield


@contextlib.contextmanager
def stopping_later(stop: Callable[[], None]) -> Iterator[list[int]]:
    """Within this block the first signal that ends a process calls `stop`; the list then holds its number."""
    came: list[int] = []

    def note(signum: int, frame: object) -> None:
        if came:
            # Whoever asks twice does not want to wait; what is recorded is whole at any moment.
            _leave(signum)
        came.append(signum)
        stop()

    with handled_by(note):
        yield came


def _leave(signum: int) -> None:
    """End the process at once, as the signal does where nobody takes care of it."""
    if signum != signal.SIGINT:
        signal.signal(signum, signal.SIG_DFL)
        os.kill(os.getpid(), signum)
    os._exit(128 + signum)
