"""A line on standard error that tells how far a long evaluation has come."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING

from gradcli.cli.options import CommonOptions
from gradcli.cli.printing import note

if TYPE_CHECKING:
    from gradcli.cluster import Cluster

# Nobody needs a progress line for what is over in a moment.
_DELAY = 1.0
_INTERVAL = 0.1
_BAR = 20


class ProgressLine:
    """Told (bytes done, bytes in all) after each step, it shows share, rate and time left once a second has passed."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._start = time.monotonic()
        self._shown = 0.0
        self._length = 0
        self._before = 0

    def __call__(self, done: int, total: int) -> None:
        if total and (elapsed := self._due()):
            left = elapsed * (total - done) / max(done, 1)
            rate = done / elapsed / 1e9
            self._show(f"{done / total:4.0%}  {rate:.2f} GB/s  {left:.0f} s left")

    def items(self, finished: int, total: int, nbytes: int) -> None:
        """Told how many items are finished, were at the start or since then, and the bytes gone through for them."""
        if elapsed := self._due(finished):
            done = finished - self._before
            rate, left = done / elapsed, elapsed * (total - finished) / max(done, 1)
            bar = "#" * (_BAR * finished // total)
            text = f"[{bar:.<{_BAR}}] {finished}/{total}  {rate:.0f} items/s  {nbytes / elapsed / 1e9:.2f} GB/s"
            self._show(f"{text}  {left:.0f} s left")

    def steps(self, done: int, total: int | None, value: float, norm: float | None) -> None:
        """Told how many steps are done, of how many where that is known, and where the last has led to."""
        if elapsed := self._due(done):
            left = "" if total is None else f"  {elapsed * (total - done) / max(done - self._before, 1):.0f} s left"
            slope = "" if norm is None else f"  gradient {norm:.3g}"
            self._show(f"step {done}{'' if total is None else f'/{total}'}  value {value:.6g}{slope}{left}")

    def _due(self, begun: int | None = None) -> float:
        """How many seconds it has taken, where it is time to show something, else 0; `begun` is what was done before,
        at the first call."""
        now = time.monotonic()
        if begun is not None and not self._shown:
            self._shown, self._before = now, begun
        elapsed = now - self._start
        if elapsed < _DELAY or now - self._shown < _INTERVAL:
            return 0.0
        self._shown = now
        return elapsed

    def close(self) -> None:
        """Wipe the line."""
        if self._length:
            self._show("")
            self._show("")

    def _show(self, text: str) -> None:
        """Put a text in the place of the last one; blanks wipe the rest, which works on any terminal."""
        with contextlib.suppress(OSError, ValueError):
            # A line that wraps could not be taken back.
            text = text[: max(0, os.get_terminal_size(self._stream.fileno()).columns - 1)]
        try:
            self._stream.write("\r" + text.ljust(self._length))
            self._stream.flush()
        except (OSError, ValueError):
            # Nobody is watching any more.
            return
        self._length = len(text)


@contextlib.contextmanager
def progress_line(progress: bool | None, quiet: bool) -> Iterator[ProgressLine | None]:
    """What is told of each step done within this block, or None when nobody is watching."""
    stream = sys.stderr
    if quiet or progress is False or stream is None or (progress is None and not stream.isatty()):
        yield None
        return
    with contextlib.closing(ProgressLine(stream)) as line:
        yield line


@contextlib.contextmanager
def cluster_at(common: CommonOptions, kept: str = "nothing has been written") -> Iterator[Cluster]:
    """The cluster that was asked for, within this block; notes tell what there is to know of its workers.

    When it is gone, the error says what is `kept`.
    """
    from gradcli.cluster import connected

    assert common.scheduler is not None
    with connected(common.scheduler, common.threads, kept=kept) as cluster:
        for text in cluster.notes if not common.quiet else ():
            note(text)
        yield cluster
