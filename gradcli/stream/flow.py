"""Bytes as they come: from a pipe, a terminal or a file, and cut into lines; and where answers go."""

from __future__ import annotations

import select
from collections.abc import Callable, Iterator
from time import monotonic
from typing import Any

from gradcli.errors import GradcliError
from gradcli.storage.formats.pieces import refuse_foreign
from gradcli.storage.header import shown
from gradcli.storage.loading import reading
from gradcli.storage.pipes import write_all

# What one system call reads at most; a pipe holds no more.
_CHUNK = 1 << 16
#: Characters of JSON take several times their size in memory once they are read.
LONGEST_LINE = 64 << 20
# How files begin that are read in other ways than as lines.
_ELSEWHERE = {
    b"\x93NUMPY": (".npy data", "--format npy reads it"),
    b"PK\x03\x04": ("an archive", "name .npz files as words, or in lines for --format npz"),
    b"\x1f\x8b": ("compressed", "unpack it on the way, as in zcat"),
}


class Inlet:
    """A stream of bytes that takes what is there; `before_waiting` is called before each look for more."""

    def __init__(self, stream: Any, path: str, before_waiting: Callable[[], None]) -> None:
        """`stream` is open for reading bytes; `path` names it in messages, "-" for standard input."""
        self.path = path
        self._raw = getattr(stream, "raw", stream)
        self._before_waiting = before_waiting
        self._chunk = b""
        self._at = 0

    def chunk(self) -> bytes:
        """The bytes that are there, at least one; none at the end."""
        if self._at < len(self._chunk):
            rest = self._chunk[self._at :]
            self._chunk, self._at = b"", 0
            return rest
        data: bytes = self._wait(lambda: self._raw.read(_CHUNK))
        return data

    def _wait(self, read: Callable[[], Any]) -> Any:
        """What a look for more gives."""
        self._before_waiting()
        with reading(self.path):
            while (found := read()) is None:
                # A process at the other end has switched the pipe to non-blocking mode.
                select.select([self._raw], [], [])
        return found

    def at_end(self) -> bool:
        """Whether nothing more comes."""
        if self._at == len(self._chunk):
            self._chunk, self._at = self.chunk(), 0
        return not self._chunk

    def skip(self, expected: bytes) -> bool:
        """Go past these bytes if they are what comes next and are there already; whether it was so."""
        if not self._chunk.startswith(expected, self._at):
            return False
        self._at += len(expected)
        return True

    def readinto(self, view: memoryview) -> int:
        """Fill a part of `view`, as files do; 0 at the end."""
        if self._at == len(self._chunk) and len(view) >= _CHUNK:
            count: int = self._wait(lambda: self._raw.readinto(view))
            return count
        if self.at_end():
            return 0
        count = min(len(view), len(self._chunk) - self._at)
        view[:count] = self._chunk[self._at : self._at + count]
        self._at += count
        return count


def lines(
    source: Inlet, longest: int = LONGEST_LINE, clean: Callable[[str], str] = str.strip
) -> Iterator[str | GradcliError]:
    """Each line as text, `clean` of white space around it, or what is wrong with it. Takes the memory of one line."""
    for found in whole_lines(source, longest):
        if isinstance(found, GradcliError):
            yield found
        else:
            yield from texts(found, clean)


def whole_lines(source: Inlet, longest: int = LONGEST_LINE) -> Iterator[bytes | GradcliError]:
    """The lines that are there, without the last line break, or what is wrong with one."""
    first = True
    begun: list[bytes] = []
    size = 0
    while data := source.chunk():
        if first:
            first = False
            refuse_foreign(shown(source.path), data, _ELSEWHERE)
            data = data.removeprefix(b"\xef\xbb\xbf")
        if begun and (end := data.find(b"\n")) >= 0:
            begun.append(data[:end])
            size += end
            yield _too_long(longest) if size > longest else b"".join(begun)
            begun.clear()
            size = 0
            data = data[end + 1 :]
        if (end := data.rfind(b"\n")) >= 0:
            yield data[:end]
            data = data[end + 1 :]
        if data:
            size += len(data)
            if size > longest:
                # The rest of it is read only to find the next line.
                begun[:] = [b""]
            else:
                begun.append(data)
    if begun:
        yield _too_long(longest) if size > longest else b"".join(begun)


def texts(data: bytes, clean: Callable[[str], str] = str.strip) -> Iterator[str | GradcliError]:
    """Lines as text, or what is wrong with one."""
    try:
        yield from map(clean, data.decode().split("\n"))
    except UnicodeDecodeError as error:
        if b"\n" not in data:
            yield GradcliError(f"the line is not UTF-8 text (byte {error.start + 1})")
        else:
            for line in data.split(b"\n"):
                yield from texts(line, clean)


def _too_long(longest: int) -> GradcliError:
    return GradcliError(f"the line is longer than {longest >> 20} MB", hint="large arrays come as .npy: --format npy")


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
