"""Where files are written: what a path stands for, temporary names beside the final ones, all or nothing."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from gradcli.errors import GradcliError, WorkError
from gradcli.storage.header import DTYPE_NAMES, DType, shown
from gradcli.storage.urls import is_url, local_path

#: What network file systems answer that do not know `fsync`.
UNKNOWN_SYNC = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP)


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
        if status is not None and (
            not stat.S_ISREG(status.st_mode) or found is None or not os.path.samestat(status, found)
        ):
            # A pipe, a device, or an open file that has no name any more (/dev/fd/3).
            return Target(path, real, None, None)
        if status is not None and not os.access(real, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    return Target(
        path, real, _temporary(os.path.dirname(real)), None if status is None else stat.S_IMODE(status.st_mode)
    )


def _temporary(folder: str) -> str:
    # Short and of one length: the name of the target may be as long as the file system allows.
    return os.path.join(folder, f".gradcli-{os.getpid()}-{os.urandom(6).hex()}.tmp")


def _remote_target(url: str) -> Target:
    # Imported here: only what goes to URLs needs it.
    import tempfile

    if url.endswith("/"):
        raise GradcliError(f"{shown(url)} names a folder", hint="name an object in it")
    return Target(url, url, _temporary(tempfile.gettempdir()), 0o600)


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


def refuse_duplicates(targets: Sequence[Target]) -> None:
    """Refuse two arrays for one place, devices excepted."""
    seen: set[str] = set()
    for target in targets:
        if target.temporary is None and target.path != "-":
            continue
        if target.real in seen:
            raise GradcliError(f"two arrays cannot both be written to {_named(target.path)}")
        seen.add(target.real)


def refuse_dtype(dtype: DType) -> None:
    """Refuse what no file of ours can hold."""
    if dtype.newbyteorder("=").name not in DTYPE_NAMES:
        raise GradcliError(f"{dtype} cannot be written; supported are {', '.join(DTYPE_NAMES)}")


def _named(path: str) -> str:
    return "standard output" if path == "-" else shown(path)


@contextlib.contextmanager
def writing(path: str) -> Iterator[None]:
    """Within this block a failure of the system is one to write `path`; that a reader has left is passed on."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        message = f"cannot write {_named(path)}: {error.strerror or error}"
        raise UnwritableError(message, hint=_write_hint(path, error)) from None


def _write_hint(path: str, error: OSError) -> str | None:
    parent = os.path.dirname(path) or "."
    if error.errno == errno.ENOENT and not os.path.isdir(parent):
        return f"the directory {shown(parent)} does not exist"
    if error.errno == errno.EISDIR:
        return "name a file in that directory"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS) and not os.access(parent, os.W_OK):
        return f"the directory {shown(parent)} is not writable"
    return None


@contextlib.contextmanager
def replacing(targets: Sequence[Target]) -> Iterator[None]:
    """Rename all temporary files to their final names after this block, or remove them all when it fails.

    Those that go to URLs are sent there first: until the last of them has arrived, nothing has changed anywhere.
    """
    files = [(target, target.temporary) for target in targets if target.temporary is not None]
    try:
        yield
        remote = [(temporary, target.real) for target, temporary in files if is_url(target.real)]
        if remote:
            from gradcli.storage.remote import publish

            publish(remote)
        for target, temporary in files:
            with writing(target.path):
                if is_url(target.real):
                    os.unlink(temporary)
                else:
                    os.replace(temporary, target.real)
    except BaseException:
        for _, temporary in files:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
        raise


def create(target: Target, temporary: str) -> int:
    """The descriptor of the new temporary file, for writing and reading."""
    # The umask decides about the permissions of a new file; an existing one keeps its own.
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    descriptor = os.open(temporary, flags, 0o666)
    try:
        if target.mode is not None:
            os.chmod(temporary, target.mode)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def sync(descriptor: int) -> None:
    """Wait until a file is on the disk, where the file system knows how to say so."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in UNKNOWN_SYNC:
            raise
