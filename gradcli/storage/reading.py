"""Opening a file to read it, and what is said when that fails."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator

from gradcli.errors import WorkError, closest
from gradcli.machine.endings import ending_of
from gradcli.storage.header import printable, shown


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
        raise WorkError(f"cannot read {shown(path)}: {error.strerror}", hint=_neighbour(path)) from None
    except ValueError:
        # A NUL character, or one that the file system cannot encode.
        raise WorkError(f"cannot read {shown(path)}: no file can have this name") from None


def _neighbour(path: str) -> str | None:
    """The array file in the same directory whose name is closest."""
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
