"""Text in pieces that end with a row: read as it comes, inflated no further than it is needed."""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator
from typing import IO, Any

import numpy as np

from gradcli.errors import WorkError
from gradcli.storage.formats.source import Source, not_understood

_GZIP = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"
# The first piece tells what the others are like: it is small.
_FIRST = 1 << 16
_PIECE = 1 << 23
# A row of more bytes is none. zlib makes a thousand bytes of one.
LONGEST_ROW = 64 << 20
_FOREIGN = {
    b"\xff\xfe": ("is UTF-16 text", "convert it, as in iconv -f UTF-16 -t UTF-8"),
    b"\xfe\xff": ("is UTF-16 text", "convert it, as in iconv -f UTF-16 -t UTF-8"),
    b"PK\x03\x04": ("is an archive, not text", "unpack it first; a spreadsheet is saved as CSV"),
    b"\xd0\xcf\x11\xe0": ("is an old spreadsheet, not text", "save it as CSV"),
    b"BZh": ("is compressed with bzip2", "unpack it on the way, as in x=<(bzcat FILE)"),
    b"\xfd7zXZ": ("is compressed with xz", "unpack it first, with unxz"),
    b"\x28\xb5\x2f\xfd": ("is compressed with zstd", "unpack it first, with unzstd"),
}


def text_of(source: Source) -> Any:
    """The text of a file, to be read, inflated where it is compressed with gzip, whatever its name."""
    file: Any = source.file
    buffered = file if hasattr(file, "peek") else io.BufferedReader(file)
    if buffered.peek(2)[:2] != _GZIP:
        return buffered
    import gzip

    return gzip.GzipFile(fileobj=buffered)


def read_some(source: Source, file: IO[bytes], size: int) -> bytes:
    """Up to `size` bytes of text, fewer only at its end; WorkError where what is compressed is damaged."""
    import gzip

    parts: list[bytes] = []
    left = size
    try:
        while left and (data := file.read(left)):
            parts.append(data)
            left -= len(data)
    except EOFError:
        raise WorkError(f"{source.name} is truncated: it ends inside what is compressed") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise WorkError(f"{source.name} is corrupt: {error}") from None
    return b"".join(parts)


def pieces(source: Source) -> Iterator[bytes]:
    """The text, in pieces of whole rows; the last one may lack its line break."""
    file = text_of(source)
    rest = b""
    size = _FIRST
    first = True
    while data := read_some(source, file, size):
        if first:
            first = False
            for beginning, (reason, what) in _FOREIGN.items():
                if data.startswith(beginning):
                    not_understood(source, reason, what)
            data = data.removeprefix(_BOM)
        data = rest + data
        end = _end_of_rows(data)
        if not end and len(data) > LONGEST_ROW:
            hint = "a quote may not be closed" if b'"' in data else None
            not_understood(source, f"has a row of more than {LONGEST_ROW >> 20} MB", hint)
        if end:
            yield data[:end]
        rest = data[end:]
        size = max(_PIECE, len(rest)) if end else max(_FIRST, len(rest))
    if rest:
        yield rest


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
