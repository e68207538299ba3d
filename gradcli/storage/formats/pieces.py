"""Text in pieces that end with a row: read as it comes, inflated no further than it is needed."""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator, Mapping
from typing import IO, Any

import numpy as np

from gradcli.errors import WorkError
from gradcli.storage.formats.source import Source, not_understood

_GZIP = b"\x1f\x8b"
# To zlib: the largest window, in a file of gzip.
_GZIP_WINDOW = 31
_PACKED = 1 << 16
_BOM = b"\xef\xbb\xbf"
_FIRST = 1 << 16
#: So much at once stays in the cache of a processor.
IN_CACHE = 1 << 19
# A row of more bytes is none. zlib makes a thousand bytes of one.
LONGEST_ROW = 64 << 20
# How files begin that hold no text in UTF-8, what they are, and what to do.
_FOREIGN = {
    b"\xff\xfe": ("UTF-16 text", "convert it, as in iconv -f UTF-16 -t UTF-8"),
    b"\xfe\xff": ("UTF-16 text", "convert it, as in iconv -f UTF-16 -t UTF-8"),
    b"PK\x03\x04": ("an archive", "unpack it first; a spreadsheet is saved as CSV"),
    b"\xd0\xcf\x11\xe0": ("an old spreadsheet", "save it as CSV"),
    b"BZh": ("compressed with bzip2", "unpack it on the way, as in x=<(bzcat FILE)"),
    b"\xfd7zXZ": ("compressed with xz", "unpack it first, with unxz"),
    b"\x28\xb5\x2f\xfd": ("compressed with zstd", "unpack it first, with unzstd"),
}


def refuse_foreign(name: str, data: bytes, others: Mapping[bytes, tuple[str, str]] | None = None) -> None:
    """Refuse a file that begins with `data` where that is the beginning of something else than text.

    `others` are asked first: beginnings that mean something else to the caller.
    """
    for beginning, (kind, hint) in (*(others or {}).items(), *_FOREIGN.items()):
        if data.startswith(beginning):
            raise WorkError(f"{name} is {kind}, not lines of UTF-8 text", hint=hint)


def text_of(source: Source) -> Any:
    """The text of a file, to be read, inflated where it is compressed with gzip, whatever its name."""
    file: Any = source.file
    buffered = file if hasattr(file, "peek") else io.BufferedReader(file)
    return _Inflated(buffered) if buffered.peek(2)[:2] == _GZIP else buffered


class _Inflated:
    """What a file of gzip holds. Python's own reader inflates a few thousand bytes at a time, and takes longer."""

    __slots__ = ("_file", "_inflater", "_rest")

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._inflater = zlib.decompressobj(_GZIP_WINDOW)
        self._rest = b""

    def read(self, size: int) -> bytes:
        """Up to `size` bytes, none at the end; EOFError where that comes too early."""
        while True:
            if self._inflater.eof:
                # Another one may follow, and zeros may fill up the file.
                self._rest = self._inflater.unused_data.lstrip(b"\0")
                while not self._rest:
                    if not (data := self._file.read(_PACKED)):
                        return b""
                    self._rest = data.lstrip(b"\0")
                self._inflater = zlib.decompressobj(_GZIP_WINDOW)
            if not (data := self._rest or self._file.read(_PACKED)):
                raise EOFError
            found = self._inflater.decompress(data, size)
            self._rest = self._inflater.unconsumed_tail
            if found:
                return found


def read_some(source: Source, file: IO[bytes], size: int) -> bytes:
    """Up to `size` bytes of text, fewer only at its end; WorkError where what is compressed is damaged."""
    parts: list[bytes] = []
    left = size
    try:
        while left and (data := file.read(left)):
            parts.append(data)
            left -= len(data)
    except EOFError:
        raise WorkError(f"{source.name} is truncated: it ends inside what is compressed") from None
    except zlib.error as error:
        raise WorkError(f"{source.name} is corrupt: {str(error).rpartition(': ')[2]}") from None
    return b"".join(parts)


class Pieces(Iterator[bytes]):
    """The text, in pieces of whole rows; the last one may lack its line break.

    The first piece is small: it tells what the others are like. They have about `size` bytes.
    """

    def __init__(self, source: Source) -> None:
        self.size = IN_CACHE
        self._source = source
        self._file: Any = None
        self._rest = b""
        self._next = _FIRST

    def __next__(self) -> bytes:
        while data := self._read():
            whole = self._rest + data
            end = _end_of_rows(whole)
            if end:
                self._rest = whole[end:]
                self._next = max(self.size, len(self._rest))
                return whole[:end]
            if len(whole) > LONGEST_ROW:
                hint = "a quote may not be closed" if b'"' in whole else None
                not_understood(self._source, f"has a row of more than {LONGEST_ROW >> 20} MB", hint)
            self._rest = whole
            self._next = max(_FIRST, len(whole))
        rest, self._rest = self._rest, b""
        if not rest:
            raise StopIteration
        return rest

    def _read(self) -> bytes:
        """What comes next, whatever it is."""
        if self._file is not None:
            return read_some(self._source, self._file, self._next)
        self._file = text_of(self._source)
        data = read_some(self._source, self._file, self._next)
        refuse_foreign(self._source.name, data)
        return data.removeprefix(_BOM)


def _end_of_rows(data: bytes) -> int:
    """Where the last whole row ends: behind a line break that is not within quotes; 0 where there is none."""
    if b'"' not in data:
        end = data.rfind(b"\n") + 1
        # Line breaks of old Macs.
        return end or (data.rfind(b"\r", 0, len(data) - 1) + 1)
    codes = np.frombuffer(data, np.uint8)
    breaks = np.flatnonzero(codes == 10)
    if not breaks.size:
        return 0
    within = np.logical_xor.accumulate(codes == 34)
    outside = breaks[~within[breaks]]
    return int(outside[-1]) + 1 if outside.size else 0
