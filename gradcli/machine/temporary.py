"""Temporary files beside their targets: locked as long as somebody works on them, so that later runs know the others.

What a killed process leaves has a name of ours and no lock. Whoever writes into the same folder next removes it.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
import time
import zlib
from itertools import islice

try:
    import fcntl
except ImportError:
    # Windows has no such locks, and lets nobody remove an open file.
    fcntl = None  # type: ignore[assignment]

_NAME = re.compile(r"\.gradcli-(?P<host>[0-9a-f]{8})-[0-9]+-[0-9a-f]{12}\.tmp")
# Looking through a folder may not take longer than writing the result.
_MOST_LOOKED_AT = 100_000
# Some network file systems tell machines nothing of each other's locks. A file of another one is left alone for so
# long after it was last written to, in seconds.
_ELSEWHERE = 86_400
_FLAGS = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
# Files that may be open beside the temporary ones.
_SPARE = 128


def temporary_name(folder: str) -> str:
    """A new name for a file in a folder."""
    # Short and of one length: the name of the target may be as long as the file system allows.
    return os.path.join(folder, f".gradcli-{_host()}-{os.getpid()}-{os.urandom(6).hex()}.tmp")


def _host() -> str:
    name = os.uname().nodename if hasattr(os, "uname") else ""
    return f"{zlib.crc32(name.encode('utf-8', 'replace')):08x}"


def create_temporary(path: str, mode: int | None) -> int:
    """The descriptor of a new file, for writing and reading, which holds the lock until it is closed.

    The umask decides about permissions where `mode` is None.
    """
    while True:
        # Nobody may open a file in between that is to be private.
        descriptor = os.open(path, _FLAGS | os.O_CREAT | os.O_EXCL, 0o666 if mode is None else 0o600)
        try:
            if mode is not None:
                os.chmod(path if os.name == "nt" else descriptor, mode)
            if fcntl is None:
                return descriptor
            try:
                # Waits for nobody but who is just about to remove it, having found it without a lock.
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            except OSError:
                # A file system without locks: nobody else can take one either.
                return descriptor
            if os.path.lexists(path):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def sweep(folder: str) -> None:
    """Remove what killed processes of this user have left in a folder."""
    if fcntl is None:
        return
    with contextlib.suppress(OSError), os.scandir(folder or ".") as entries:
        for entry in islice(entries, _MOST_LOOKED_AT):
            found = _NAME.fullmatch(entry.name)
            if found is not None:
                with contextlib.suppress(OSError):
                    _remove_unheld(entry.path, found["host"] == _host())


def _remove_unheld(path: str, ours: bool) -> None:
    """Remove a file that nobody works on; OSError for one that somebody does."""
    descriptor = os.open(path, _FLAGS | getattr(os, "O_NONBLOCK", 0))
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
            return
        if not ours and time.time() - status.st_mtime < _ELSEWHERE:
            return
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # It may have got its name meanwhile.
        if os.path.samestat(status, os.lstat(path)):
            os.unlink(path)
    finally:
        os.close(descriptor)


def allow_open(count: int) -> None:
    """See to it that so many files can be open at once, as far as the system lets us."""
    try:
        import resource
    except ImportError:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = count + _SPARE
    if soft != resource.RLIM_INFINITY and soft < needed:
        with contextlib.suppress(OSError, ValueError):
            most = needed if hard == resource.RLIM_INFINITY else min(hard, needed)
            resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))
