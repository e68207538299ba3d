"""A line on standard error that tells how far a long evaluation has come."""

from __future__ import annotations

import time
from typing import IO

# Nobody needs a progress line for what is over in a moment.
_DELAY = 1.0
_INTERVAL = 0.1


class ProgressLine:
    """Told (bytes done, bytes in all) after each step, it shows share, rate and time left once a second has passed."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._start = time.monotonic()
        self._shown = 0.0

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        elapsed = now - self._start
        if elapsed < _DELAY or now - self._shown < _INTERVAL or not total:
            return
        self._shown = now
        left = elapsed * (total - done) / max(done, 1)
        rate = done / elapsed / 1e9
        self._stream.write(f"\r{done / total:4.0%}  {rate:.2f} GB/s  {left:.0f} s left \x1b[K")
        self._stream.flush()

    def close(self) -> None:
        """Wipe the line."""
        if self._shown:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
