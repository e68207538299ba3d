"""Writing .npy files: all of them, whole, or none."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import stat
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from gradcli.errors import GradcliError, WorkError
from gradcli.storage.header import DTYPE_NAMES, Array, shown
from gradcli.storage.stream import write_all


def save(path: str, array: Array) -> None:
    """Write `array` to the .npy file `path` ("-" is standard output), wholly or not at all."""
    save_all([(path, array)])


def save_all(items: list[tuple[str, Array]]) -> None:
    """Write every (path, array), or none: all are on the disk under temporary names before the first is renamed.

    Pipes, devices and standard output ("-") cannot be renamed; they are written between the two steps. A failure is
    a WorkError, except that BrokenPipeError is passed on: whoever reads our output has stopped listening. Only
    another process that changes the directories between two renames can leave some files new and others not.
    """
    targets = [_target(path, np.asarray(array)) for path, array in items]
    _refuse_duplicates(targets)
    files = [(target, target.temporary) for target in targets if target.temporary is not None]
    try:
        for target, temporary in files:
            with _writing(target.path):
                _write_temporary(target, temporary)
        for target in targets:
            if target.temporary is None:
                with _writing(target.path):
                    _write_directly(target)
        for target, temporary in files:
            with _writing(target.path):
                os.replace(temporary, target.real)
    except BaseException:
        for _, temporary in files:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
        raise


def check_writable(paths: list[str]) -> None:
    """Refuse paths that cannot be written ("-" is standard output), as far as that can be told without writing."""
    targets = [_target(path, np.empty(0, np.uint8)) for path in paths]
    _refuse_duplicates(targets)
    for target in targets:
        if target.path == "-":
            _refuse_terminal(_open_standard_output(), "standard output")
        elif target.temporary is not None:
            with _writing(target.path):
                parent = os.path.dirname(target.real)
                # Listing is not asked for, only whether a file can be made there.
                os.stat(os.path.join(parent, ""))
                if not os.access(parent, os.W_OK | os.X_OK):
                    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


@contextlib.contextmanager
def _writing(path: str) -> Iterator[None]:
    name = "standard output" if path == "-" else shown(path)
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise WorkError(f"cannot write {name}: {error.strerror or error}", hint=_write_hint(path, error)) from None


def _write_hint(path: str, error: OSError) -> str | None:
    parent = os.path.dirname(path) or "."
    if error.errno == errno.ENOENT and not os.path.isdir(parent):
        return f"the directory {shown(parent)} does not exist"
    if error.errno == errno.EISDIR:
        return "name a file in that directory"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS) and not os.access(parent, os.W_OK):
        return f"the directory {shown(parent)} is not writable"
    return None


class _Target(NamedTuple):
    """Where an array goes: `temporary` and then `real`, or straight to `path` where nothing can be renamed."""

    path: str
    array: Array
    real: str
    temporary: str | None
    mode: int | None


def _target(path: str, array: Array) -> _Target:
    """Find out how `path` can be written, and refuse what cannot be, before anything is."""
    if array.dtype.newbyteorder("=").name not in DTYPE_NAMES:
        raise GradcliError(f"{array.dtype} cannot be written; supported are {', '.join(DTYPE_NAMES)}")
    if path in ("-", "/dev/stdout"):
        return _Target("-", array, "-", None, None)
    with _writing(path):
        status = _status(path)
        if path.endswith(os.sep) or (status is not None and stat.S_ISDIR(status.st_mode)):
            raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
        real = os.path.realpath(path)
        found = _status(real)
        if status is not None and (
            not stat.S_ISREG(status.st_mode) or found is None or not os.path.samestat(status, found)
        ):
            # A pipe, a device, or an open file that has no name any more (/dev/fd/3).
            return _Target(path, array, real, None, None)
        if status is not None and not os.access(real, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    # Short and of one length: the name of the target may be as long as the file system allows.
    temporary = os.path.join(os.path.dirname(real), f".gradcli-{os.getpid()}-{os.urandom(6).hex()}.tmp")
    return _Target(path, array, real, temporary, None if status is None else stat.S_IMODE(status.st_mode))


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


def _refuse_duplicates(targets: list[_Target]) -> None:
    seen: set[str] = set()
    for target in targets:
        if target.temporary is None and target.path != "-":
            continue
        if target.real in seen:
            name = "standard output" if target.path == "-" else shown(target.path)
            raise GradcliError(f"two arrays cannot both be written to {name}")
        seen.add(target.real)


def _write_temporary(target: _Target, temporary: str) -> None:
    # The umask decides about the permissions of a new file; an existing one keeps its own.
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    with open(os.open(temporary, flags, 0o666), "wb", buffering=0) as file:
        if target.mode is not None:
            os.chmod(temporary, target.mode)
        _write(file, target.array)
        try:
            os.fsync(file.fileno())
        except OSError as error:
            # Some network file systems do not know fsync.
            if error.errno not in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP):
                raise


def _write_directly(target: _Target) -> None:
    if target.path != "-":
        with open(os.open(target.path, os.O_WRONLY), "wb", buffering=0) as file:
            _refuse_terminal(file, shown(target.path))
            _write(file, target.array)
        return
    stdout = _open_standard_output()
    _refuse_terminal(stdout, "standard output")
    stdout.flush()
    # Past the buffer: what is left in it after a failure would fail once more when the interpreter exits.
    stream = stdout.buffer
    _write(getattr(stream, "raw", stream), target.array)
    stream.flush()


def _open_standard_output() -> Any:
    if sys.stdout is None or sys.stdout.closed:
        raise WorkError("standard output is closed")
    return sys.stdout


def _refuse_terminal(stream: Any, name: str) -> None:
    if stream.isatty():
        raise GradcliError(f"{name} is a terminal, and a .npy is not text", hint="redirect it with >, or pipe it on")


def _write(stream: Any, array: Array) -> None:
    for block in _blocks(array):
        write_all(stream, block)


def _blocks(array: Array) -> Iterator[memoryview]:
    """The bytes of the .npy file, without a second copy of the array in memory."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, np.lib.format.header_data_from_array_1_0(array))
    yield memoryview(header.getvalue())
    if array.flags.c_contiguous:
        yield array.reshape(-1).view(np.uint8).data
    elif array.flags.f_contiguous:
        yield array.T.reshape(-1).view(np.uint8).data
    else:
        flags = ["external_loop", "buffered", "zerosize_ok"]
        for block in np.nditer(array, flags=flags, buffersize=1 << 16, order="C"):  # type: ignore[call-overload]
            yield memoryview(block.tobytes())
