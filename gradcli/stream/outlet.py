"""Where answers go: gathered while more work is at hand, and written before anybody waits."""

from __future__ import annotations

from time import monotonic
from typing import Any

from gradcli.storage.pipes import write_all

_MOST = 1 << 16
# Nobody has to wait longer than this for an answer that is there, in seconds.
_LONGEST = 0.05


class Outlet:
    """Writes to an open binary stream, past its buffer."""

    def __init__(self, stream: Any) -> None:
        self._raw = getattr(stream, "raw", stream)
        self._parts: list[bytes] = []
        self._size = 0
        self._written = monotonic()

    def add(self, data: bytes) -> None:
        """Take an answer; it is written now or soon, before more input is waited for (see `Source`)."""
        self._parts.append(data)
        self._size += len(data)
        if self._size > _MOST or monotonic() - self._written > _LONGEST:
            self.flush()

    def flush(self) -> None:
        """Write what has been gathered. OSError when that fails."""
        if self._parts:
            data = b"".join(self._parts)
            self._parts.clear()
            self._size = 0
            write_all(self._raw, memoryview(data))
            self._written = monotonic()
