"""Files that gradcli opens by itself: regular ones, so that no pipe or device in their place hangs anybody; locks."""

from __future__ import annotations

import errno
import os
import stat

from gradcli.errors import WorkError

_FLAGS = tuple([getattr(os, name, 0) for name in ("O_NONBLOCK", "O_NOCTTY", "O_CLOEXEC", "O_BINARY")])
_NO_LINKS = getattr(os, "O_NOFOLLOW", 0)


def open_regular(path: str, flags: int = os.O_RDONLY, mode: int = 0o666, *, own: bool = False) -> int:
    """The descriptor of a file. OSError where there is anything else, or a link to it.

    With `own` it must belong to this user, and a link is one that the user has made.
    """
    for flag in _FLAGS:
        flags |= flag
    try:
        descriptor = os.open(path, flags if own else flags | _NO_LINKS, mode)
    except OSError as error:
        if error.errno == errno.ELOOP and os.path.islink(path):
            raise OSError(error.errno, "it is a symbolic link") from None
        raise
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file")
        if own and hasattr(os, "geteuid") and status.st_uid != os.geteuid():
            raise PermissionError(errno.EPERM, "it belongs to another user")
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


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
