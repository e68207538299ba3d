"""Reading files: how they are opened, and their data taken into memory that a lying header cannot make us take."""

from __future__ import annotations

import contextlib
import glob
import io
import os
from collections.abc import Iterator
from typing import IO

import numpy as np

from gradcli.errors import LimitError, WorkError, closest
from gradcli.machine.endings import ending_of
from gradcli.machine.limits import LARGE, MEMORY_LIMIT, hint_of_limit, show_bytes
from gradcli.machine.memory import available_memory
from gradcli.storage.header import Array, Header, printable, promise, shown, truncated
from gradcli.storage.pipes import fill


@contextlib.contextmanager
def reading(path: str) -> Iterator[None]:
    """Within this block a failure of the system is one to read `path`."""
    try:
        yield
    except OSError as error:
        raise WorkError(f"cannot read {shown(path)}: {error.strerror or error}") from None
    except MemoryError:
        raise WorkError(f"not enough memory to read {shown(path)}") from None


def open_file(path: str) -> io.BufferedReader:
    """A file opened for reading; a WorkError that names its neighbour where it does not exist."""
    try:
        return open(path, "rb")
    except FileNotFoundError as error:
        hint = _nowhere(path) or _neighbour(path)
        raise WorkError(f"cannot read {shown(path)}: {error.strerror}", hint=hint) from None
    except IsADirectoryError as error:
        hint = "name a file in that folder; `gradcli batch` takes all of them"
        raise WorkError(f"cannot read {shown(path)}: {error.strerror}", hint=hint) from None
    except ValueError:
        # A NUL character, or one that the file system cannot encode.
        raise WorkError(f"cannot read {shown(path)}: no file can have this name") from None


def _nowhere(path: str) -> str | None:
    """Where a link leads that leads to nothing: its name is right, and no other is meant."""
    with contextlib.suppress(OSError, ValueError):
        return f"it is a link to {shown(os.readlink(path))}, which does not exist"
    return None


def _neighbour(path: str) -> str | None:
    """The array file in the same directory whose name is closest, or who takes many files."""
    if glob.has_magic(path):
        return "an input is one file; `gradcli batch` takes patterns"
    directory, name = os.path.split(path)
    with contextlib.suppress(OSError, ValueError), os.scandir(directory or ".") as entries:
        # Directories of a million files exist; a hint is not worth walking them.
        names = [entry.name for entry, _ in zip(entries, range(1000), strict=False)]
        # By the names alone, since all files are alike in their endings; of two the one with the same ending.
        stem, ending = os.path.splitext(name)
        arrays = sorted((n for n in names if ending_of(n)), key=lambda n: n.endswith(ending))
        stems = {os.path.splitext(found)[0]: found for found in arrays}
        close = closest(stem, list(stems))
        return None if close is None else f"did you mean {printable(stems[close])!r}?"
    return None


def most_read() -> int:
    """The largest file that is read into memory at once: larger ones are opened."""
    limit = MEMORY_LIMIT.get()
    return LARGE if limit is None else min(LARGE, limit)


def receive(stream: IO[bytes], header: Header) -> Array:
    """The data of a stream as bytes; memory grows as they come, since the header may promise what never does."""
    data = np.empty(min(header.nbytes, LARGE), np.uint8)
    found = fill(stream, data.data)
    while found == data.size < header.nbytes:
        # In steps of an eighth: reallocation moves pages instead of copying them, and little is ever unused.
        data.resize(min(header.nbytes, found + max(LARGE, found // 8)), refcheck=False)
        found += fill(stream, data.data[found:])
    if found < header.nbytes:
        raise truncated(header, found)
    return data


def finish(data: Array, header: Header) -> Array:
    """Bytes just read, as the array that the header describes; in place."""
    array = data.view(header.dtype).reshape(header.shape, order="F" if header.fortran_order else "C")
    check_booleans(array, header)
    if array.dtype.isnative:
        return array
    return array.byteswap(inplace=True).view(array.dtype.newbyteorder("="))


def check_booleans(array: Array, header: Header) -> None:
    """Refuse booleans whose bytes are not 0 or 1."""
    # NumPy takes a boolean byte on trust, and computes nonsense from a 2.
    if array.dtype.kind == "b" and array.size and int(array.view(np.uint8).max()) > 1:
        raise WorkError(f"{shown(header.path)} is corrupt: its booleans are neither 0 nor 1")


def check_memory(
    header: Header, hint: str | None = "a regular .npy file in native byte order is mapped instead"
) -> None:
    """Refuse an array that has to be held in memory and cannot be; `hint` says what need not be."""
    check_limit(header.nbytes, shown(header.path))
    # Asking costs more than a small array is worth.
    available = available_memory() if header.nbytes > LARGE else None
    if available is not None and header.nbytes > available:
        message = f"{shown(header.path)} does not fit into memory: {promise(header)}, {available} are available"
        raise WorkError(message, hint=hint)


def check_limit(size: int, name: str) -> None:
    """Refuse to hold something of `size` bytes that is more than `MEMORY_LIMIT`."""
    limit = MEMORY_LIMIT.get()
    if limit is not None and size > limit:
        message = f"{name} needs {show_bytes(size)}, {show_bytes(limit)} of memory may be used"
        raise LimitError(message, hint=hint_of_limit())
