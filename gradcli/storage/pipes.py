"""Bytes from and to anything that is open, in pieces: short reads, interrupts, non-blocking pipes."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

# One system call reads or writes at most this much: Ctrl-C waits for no longer.
_CHUNK = 8 << 20
# What lines are looked for in at a time.
_SOME = 1 << 16


def fill(stream: Any, view: memoryview) -> int:
    """Read from a binary stream into `view` until it is full or the stream ends; the number of bytes read."""
    found = 0
    while found < len(view):
        with view[found : found + _CHUNK] as piece:
            count = stream.readinto(piece)
        if count is None:
            _wait(stream, writing=False)
        elif count == 0:
            break
        else:
            found += count
    return found


def take(stream: Any, size: int) -> bytes:
    """Up to `size` bytes; fewer only at the end of the stream."""
    data = bytearray(size)
    with memoryview(data) as view:
        found = fill(stream, view)
    return bytes(data[:found])


def each_line(stream: Any, longest: int) -> Iterator[bytes]:
    """The lines of a binary stream as they come, without their line breaks. What is longer than `longest` bytes comes
    in pieces, all but the last of them longer than that."""
    raw = getattr(stream, "raw", stream)
    begun = io.BytesIO()
    while (data := raw.read(_SOME)) != b"":
        if data is None:
            _wait(raw, writing=False)
            continue
        for line in data.splitlines(keepends=True):
            begun.write(line)
            if line.endswith(b"\n") or begun.tell() > longest:
                yield begun.getvalue().removesuffix(b"\n")
                begun = io.BytesIO()
    if begun.tell():
        yield begun.getvalue()


def write_all(stream: Any, view: memoryview) -> None:
    """Write all of `view` to an unbuffered binary stream."""
    written = 0
    while written < len(view):
        count = stream.write(view[written : written + _CHUNK])
        if count is None:
            _wait(stream, writing=True)
        else:
            written += count


class HandedOn(io.RawIOBase):
    """What a library writes a file into, and what is handed on from there: a stream that cannot go back.

    With `copied`, whoever writes uses its memory again.
    """

    def __init__(self, copied: bool = False) -> None:
        self._parts: list[memoryview] = []
        self._size = 0
        self._copied = copied

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        part = memoryview(bytes(data) if self._copied else data)
        self._parts.append(part)
        self._size += part.nbytes
        return part.nbytes

    def tell(self) -> int:
        return self._size

    def taken(self) -> list[memoryview]:
        """What has been written since this was last asked for."""
        parts, self._parts = self._parts, []
        return parts


def _wait(stream: Any, writing: bool) -> None:
    """Wait for a pipe that a process at its other end has switched to non-blocking mode."""
    import select

    select.select([] if writing else [stream], [stream] if writing else [], [])
