"""Reading: headers of files, arrays from files, archives, pipes and standard input."""

from __future__ import annotations

import io
import os
import re
import stat
import sys
from collections.abc import Callable
from typing import IO, Any, Literal, NamedTuple, TypeVar

import numpy as np

from gradcli.errors import GradcliError, WorkError
from gradcli.machine.endings import format_of, is_url, local_path, split_key
from gradcli.machine.limits import LARGE
from gradcli.storage.archive import archive_header, names_of, read_archive
from gradcli.storage.file_array import Descriptor, FileArray
from gradcli.storage.formats.dispatch import Codec, codec_of, reader_of
from gradcli.storage.formats.source import Source
from gradcli.storage.header import ARCHIVE_MAGICS, MAGIC, Array, Header, check_size, parse_header, promise, shown
from gradcli.storage.loading import check_booleans, check_memory, finish, most_read, open_file, reading, receive
from gradcli.storage.pipes import take

T = TypeVar("T")
U = TypeVar("U")

# A first line of numbers, or of names with something between them: neither a .npy nor JSON begins so.
_REST = rb"[^\x00-\x08\x0e-\x1f\x7f]*"
_ROW = re.compile(rb"[-+.0-9][-+.,;0-9eEnaifNAIF \t\r]*|[^\x00-\x20{\[\x7f-\xff]" + _REST + rb"[,;\t]" + _REST)


class Look(NamedTuple):
    """What is known of an array before it is read; `streams` says that it is read block by block."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    c_contiguous: bool
    streams: bool


def look_at(spec: str) -> Look:
    """What `open_array` would give for the same `spec`, by its header alone; raises the same errors."""
    found = _opened(spec, lambda *archived: _look(archive_header(*archived), False), _look_ahead, _look_of)
    return _look(found.header, True) if isinstance(found, FileArray) else found


def _look_ahead(stream: IO[bytes], path: str) -> Look:
    header, regular = parse_header(stream, path), _is_regular(stream)
    if regular and path != "-":
        check_size(header, os.fstat(stream.fileno()).st_size)
    return _look(header, regular)


def _look_of(codec: Codec, source: Source) -> Look:
    """What is known of an array in another format; where only reading tells, it is read."""
    found = codec.look(source) if hasattr(codec, "look") else None
    if isinstance(found, Header):
        return _look(found, _is_regular(source.file))
    if found is None:
        if source.file.seekable():
            source.file.seek(0)
        array = codec.load(source)
        found = (array.shape, array.dtype)
    return Look(found[0], found[1].newbyteorder("="), True, False)


def _look(header: Header, regular: bool) -> Look:
    packed = not header.fortran_order or 0 in header.shape or sum(n != 1 for n in header.shape) < 2
    streams = regular and header.nbytes > LARGE and hasattr(os, "preadv")
    return Look(header.shape, header.dtype.newbyteorder("="), packed, streams)


def load(spec: str) -> Array:
    """The array in "a.npy", "dir/file.npz:key" or "-" (a .npy on standard input), in native byte order.

    The dtype is the file's; C or Fortran order is kept. Large regular files are mapped into memory, read-only.
    A file that cannot be read is a WorkError; a key that an archive does not have is a GradcliError. URLs such as
    s3://bucket/a.npy are read through fsspec.
    """
    found = load_unless_large(spec, _map)
    return found.load() if isinstance(found, FileArray) else found


def load_unless_large(spec: str, take_large: Callable[[IO[bytes], Header], T | None]) -> Array | T | FileArray:
    """The array that `spec` names, or what `take_large` makes of a regular file over `LARGE`, given with its header.

    It may decline with None. The file is open at the beginning of the data, and is to be left at its end. Of a .npy
    behind a URL it is the array that stays there, however small.
    """

    def decoded(codec: Codec, source: Source) -> Array | T:
        found = codec.load(source)
        return _taken(source.file, found, take_large) if isinstance(found, Header) else found

    return _opened(spec, read_archive, lambda stream, path: _read(stream, path, take_large), decoded)


def _opened(
    spec: str, archive: Callable[..., U], plain: Callable[[IO[bytes], str], U], other: Callable[[Codec, Source], U]
) -> U | FileArray:
    """What `archive(file, path, key)`, `plain(stream, path)` or, for another format, `other(codec, source)` makes of
    what `spec` names; a .npy behind a URL stays there."""
    path, key = split_key(local_path(spec))
    with reading(path):
        if is_url(path):
            from gradcli.storage.remote import opened

            return opened(path, key, archive, other)
        if path == "-":
            return plain(standard_input(), path)
        with open_file(path) as file:
            codec = _codec_of(file, path)
            if codec is not None:
                size = os.fstat(file.fileno()).st_size if _is_regular(file) else None
                return other(codec, Source(file, path, key, size))
            if file.seekable() and file.peek(4)[:4] in ARCHIVE_MAGICS:
                return archive(file, path, key)
            if key is not None:
                raise WorkError(f"{shown(path)} is not an .npz archive")
            return plain(file, path)


def _codec_of(file: io.BufferedReader, path: str) -> Codec | None:
    """What reads a file that is neither .npy nor .npz: by its name, or by its text where a pipe has none."""
    if file.isatty():
        raise GradcliError(f"{shown(path)} is a terminal, not a file")
    if not file.seekable():
        row = format_of(path)
        if row is not None and row.module is not None and not row.text:
            raise WorkError(f"{shown(path)} is not a regular file, which {row.endings[0]} has to be")
        return reader_of(path) or (reader_of("rows.txt") if _is_text(file) else None)
    # What is a .npy may be called whatever one likes.
    return None if file.peek(len(MAGIC))[: len(MAGIC)] == MAGIC else reader_of(path)


def _is_text(file: io.BufferedReader) -> bool:
    """Whether what comes through a pipe looks like numbers in rows; blocks until something comes."""
    beginning = file.peek(1)
    line = beginning.lstrip(b"\r\n").partition(b"\n")[0]
    return _ROW.fullmatch(line) is not None


def standard_input(array: bool = True) -> IO[bytes]:
    """Standard input for reading bytes; an `array` is nothing that can be typed."""
    if sys.stdin is None or sys.stdin.closed:
        raise WorkError("standard input is closed")
    if array and sys.stdin.isatty():
        raise GradcliError("standard input is a terminal: no .npy can be typed", hint="pipe one in, or redirect with <")
    return sys.stdin.buffer


def _read(stream: IO[bytes], path: str, take_large: Callable[[IO[bytes], Header], T | None]) -> Array | T:
    """Read the .npy that begins at the current position of a regular file, a pipe or any other stream."""
    if not _is_regular(stream):
        header = parse_header(stream, path)
        check_memory(header)
        data = receive(stream, header)
        if take(stream, 1):
            raise WorkError(f"{shown(path)} continues after the array: {promise(header)}, and more came")
        return finish(data, header)
    return _taken(stream, parse_header(stream, path, start=stream.tell()), take_large)


def _taken(stream: IO[bytes], header: Header, take_large: Callable[[IO[bytes], Header], T | None]) -> Array | T:
    """The data behind a header, read, or of a regular file as `take_large` gives it."""
    if _is_regular(stream):
        check_size(header, os.fstat(stream.fileno()).st_size)
        if header.nbytes > most_read() and (taken := take_large(stream, header)) is not None:
            return taken
    check_memory(header)
    return finish(receive(stream, header), header)


def _is_regular(stream: IO[bytes]) -> bool:
    try:
        return stat.S_ISREG(os.fstat(stream.fileno()).st_mode)
    except (OSError, ValueError):
        return False


def _map(file: IO[bytes], header: Header) -> Array | None:
    """The array of a large regular file as a read-only view of it; None where it cannot be mapped."""
    import mmap

    # Only files that NumPy did not write have data at odd addresses; arithmetic on those would be slow each time.
    if header.offset % header.dtype.itemsize:
        return None
    try:
        pages = mmap.mmap(file.fileno(), header.offset + header.nbytes, access=mmap.ACCESS_READ)
    except (OSError, ValueError):
        return None
    # The next array on a redirected standard input starts here.
    file.seek(header.offset + header.nbytes)
    order: Literal["C", "F"] = "F" if header.fortran_order else "C"
    array: Array = np.ndarray(header.shape, header.dtype, buffer=pages, offset=header.offset, order=order)
    check_booleans(array, header)
    if array.dtype.isnative:
        return array
    check_memory(header)
    return array.astype(array.dtype.newbyteorder("="))


def open_array(spec: str) -> FileArray | Array:
    """What `load` gives for the same `spec`, except that a large regular .npy file stays where it is.

    Byte order and alignment of the file do not matter. Raises the errors of `load`.
    """
    # Windows cannot read at a place without seeking.
    found = load_unless_large(spec, _open_large) if hasattr(os, "preadv") else load_unless_large(spec, _map)
    return found.load() if isinstance(found, FileArray) and found.nbytes <= most_read() else found


def _open_large(file: IO[bytes], header: Header) -> FileArray:
    opened = FileArray(Descriptor(os.dup(file.fileno())), header)
    # The next array on a redirected standard input starts here.
    file.seek(header.offset + header.nbytes)
    return opened


_MOST = 1000


def names_in(path: str) -> list[str]:
    """What can follow the path of a file and a colon, at most a thousand names; none where it cannot be told."""
    row = None if is_url(path) else format_of(path)
    # Nothing else than a file: a pipe would wait for its writer.
    if row is None or not row.keys or not os.path.isfile(path):
        return []
    try:
        with open(path, "rb") as file:
            if row.module is None:
                found = names_of(file, path)
            else:
                found = codec_of(row).names(Source(file, path, None, os.fstat(file.fileno()).st_size))
            return found[:_MOST]
    except (OSError, ValueError, GradcliError):
        return []
