"""Files that gradcli opens by itself: regular ones, so that a pipe or a device in their place can hang nobody."""

from __future__ import annotations

import errno
import os
import stat

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
