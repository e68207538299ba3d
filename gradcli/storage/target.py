"""Where files are written: what a path stands for, whether it can be written, and whether by this run alone."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from typing import NamedTuple

from gradcli.errors import GradcliError, WorkError
from gradcli.machine.endings import FORMATS, ending_of, foreign_ending, format_of, is_url, local_path
from gradcli.machine.temporary import temporary_name
from gradcli.storage.header import DTYPE_NAMES, DType, shown

#: What network file systems answer that do not know `fsync`.
UNKNOWN_SYNC = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP)
# What a file that is replaced hands on. That it runs as its owner was said of another owner, and of other contents.
_PERMISSIONS = 0o777


class UnwritableError(WorkError):
    """The system failed to write a file."""


class Target(NamedTuple):
    """Where an array goes: `temporary` and then `real`, or straight to `path` where nothing can be renamed.

    What goes to a URL is a temporary file of this machine before it is sent there.
    """

    path: str
    real: str
    temporary: str | None
    mode: int | None


def find_array_target(path: str) -> Target:
    """Find out how `path` can be written as an array, and refuse what cannot be or promises what is not written."""
    file, _, key = path.rpartition(":")
    if key and promises_other_format(file):
        message = f"cannot write {shown(path)}: a result is a file of its own, not an entry of one"
        raise GradcliError(message, hint=f"name it {shown(file)}")
    if promises_other_format(path) and not is_written(path):
        name = shown(os.path.splitext(path)[0].removesuffix(".npy"))
        *most, last = [ending for row in FORMATS if row.writes for ending in row.endings]
        written = f"arrays are written as {', '.join(most)} or {last}"
        raise GradcliError(f"cannot write {shown(path)}: {written}", hint=f"name it {name}.npy")
    return find_target(path)


def is_written(path: str) -> bool:
    """Whether the ending of a name is that of a format which results can have."""
    row = format_of(path)
    return row is not None and row.writes and not path.lower().endswith(".gz")


def promises_other_format(path: str) -> bool:
    """Whether the ending of a name is that of a format other than .npy."""
    if path.endswith(".npy"):
        return False
    ending = ending_of(path)
    return ending != ".npy" if ending else foreign_ending(path) is not None


def find_target(path: str) -> Target:
    """Find out how `path` can be written, and refuse what cannot be, before anything is."""
    if path in ("-", "/dev/stdout"):
        return Target("-", "-", None, None)
    path = local_path(path)
    if is_url(path):
        return _remote_target(path)
    with writing(path):
        status = _status(path)
        if path.endswith(os.sep) or (status is not None and stat.S_ISDIR(status.st_mode)):
            raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
        real = os.path.realpath(path)
        found = _status(real)
        mode = None
        if status is not None:
            if not stat.S_ISREG(status.st_mode) or found is None or not os.path.samestat(status, found):
                # A pipe, a device, or an open file that has no name any more (/dev/fd/3).
                return Target(path, real, None, None)
            if not os.access(real, os.W_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            mode = status.st_mode & _PERMISSIONS
    return Target(path, real, temporary_name(os.path.dirname(real)), mode)


def _remote_target(url: str) -> Target:
    # Imported here: only what goes to URLs needs it.
    import tempfile

    if url.endswith("/"):
        raise GradcliError(f"{shown(url)} names a folder", hint="name an object in it")
    return Target(url, url, temporary_name(tempfile.gettempdir()), 0o600)


def _status(path: str) -> os.stat_result | None:
    """What `path` is, links followed; None when it does not exist."""
    if not path:
        raise GradcliError("a file name is empty")
    try:
        return os.stat(path)
    except FileNotFoundError:
        return None
    except ValueError:
        raise WorkError(f"cannot write {shown(path)}: no file can have this name") from None


def check_folder(target: Target) -> None:
    """Refuse a file that cannot be made since its folder is missing or not writable."""
    with writing(target.path):
        parent = os.path.dirname(target.real)
        # Listing is not asked for, only whether a file can be made there.
        os.stat(os.path.join(parent, ""))
        if not os.access(parent, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def refuse_dtype(dtype: DType) -> None:
    """Refuse what no file of ours can hold."""
    if dtype.newbyteorder("=").name not in DTYPE_NAMES:
        raise GradcliError(f"{dtype} cannot be written; supported are {', '.join(DTYPE_NAMES)}")


def named(path: str) -> str:
    """A place to write to, for messages."""
    return "standard output" if path == "-" else shown(path)


@contextlib.contextmanager
def writing(path: str) -> Iterator[None]:
    """Within this block a failure of the system is one to write `path`; that a reader has left is passed on."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise unwritable(path, error) from None


def unwritable(path: str, error: OSError) -> UnwritableError:
    """What is told of a failure of the system to write `path`."""
    return UnwritableError(f"cannot write {named(path)}: {error.strerror or error}", hint=_write_hint(path, error))


def _write_hint(path: str, error: OSError) -> str | None:
    parent = os.path.dirname(path) or "."
    if error.errno == errno.ENOENT and not os.path.isdir(parent):
        return f"the folder {shown(parent)} does not exist"
    if error.errno == errno.EISDIR:
        return "name a file in that folder"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS) and not os.access(parent, os.W_OK):
        return f"the folder {shown(parent)} is not writable"
    if error.errno == errno.EBUSY:
        return "a file that is mounted by itself cannot be replaced: mount its folder"
    return None


def sync(descriptor: int) -> None:
    """Wait until a file is on the disk, where the file system knows how to say so."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in UNKNOWN_SYNC:
            raise


def take_lock(descriptor: int, place: str, way_out: str) -> bool:
    """Take the lock of a file, until it is closed; whether there are such: not on Windows, nor on some network file
    systems. WorkError where another run has it, to which `way_out` is the alternative to waiting."""
    try:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        hint = f"wait for it to end, or {way_out}"
        raise WorkError(f"another run is writing to {place}", hint=hint) from None
    except (ImportError, OSError):
        return False
    return True
