"""The user's own cache directory: files that save time, read only where nobody else can have written them.

Whatever is wrong with a file, or with the directory, it is as if it were not there.
"""

from __future__ import annotations

import os
import re
import stat
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple
from zlib import crc32

from gradcli.machine.regular import open_regular

# What gradcli puts there.
_OURS = re.compile(r"expression-[0-9a-f]{8}-\d+\.json|native-[0-9a-f]{64}\.o")


def cache_folder() -> str | None:
    """Where the files are, or None where there is no place for them."""
    mac = sys.platform == "darwin"
    return own_folder("", "~/Library/Caches") if mac else own_folder("XDG_CACHE_HOME", "~/.cache")


def own_folder(variable: str, usual: str) -> str | None:
    """Our folder in the one that a variable names, or in the usual one; None where there is no place for it."""
    base = os.environ.get("LOCALAPPDATA" if sys.platform == "win32" else variable, "")
    if sys.platform != "win32" and not os.path.isabs(base):
        base = os.path.expanduser(usual)
    return os.path.join(base, "gradcli") if os.path.isabs(base) else None


def read_cached(name: str, longest: int) -> bytes | None:
    """What is kept under a name, when it is whole, of at most so many bytes, and this user's own."""
    folder = cache_folder()
    if folder is None:
        return None
    try:
        if not _is_private(os.stat(folder)):
            return None
        with open(open_regular(os.path.join(folder, name)), "rb") as file:
            # The open file is asked, not its name, which another file may have taken meanwhile.
            if not _is_private(os.fstat(file.fileno())):
                return None
            checksum, _, body = file.read(longest).partition(b"\n")
    except OSError:
        return None
    return body if checksum == _checksum(body) else None


def write_cached(name: str, body: bytes) -> None:
    """Keep it under a name, whole or not at all; a directory that cannot be written is left alone."""
    folder = cache_folder()
    if folder is None:
        return
    from gradcli.machine.temporary import create_temporary, sweep, temporary_name

    temporary = temporary_name(folder)
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        if not _is_private(os.stat(folder)):
            return
        sweep(folder)
        with open(create_temporary(temporary, 0o600), "wb") as file:
            file.write(_checksum(body) + b"\n" + body)
        os.replace(temporary, os.path.join(folder, name))
    except (OSError, RecursionError):
        # The latter of a folder that lies in too many others.
        with suppress(OSError):
            os.unlink(temporary)


class CachedFile(NamedTuple):
    """A file of the cache."""

    path: str
    size: int
    changed: float


def kept_files(prefix: str = "") -> list[CachedFile]:
    """The files of the cache whose names begin so, the latest first. OSError where nobody can look into the folder."""
    try:
        with os.scandir(cache_folder() or os.devnull) as all_there:
            entries = [entry for entry in all_there if entry.name.startswith(prefix) and _OURS.fullmatch(entry.name)]
    except (FileNotFoundError, NotADirectoryError):
        return []
    found = []
    for entry in entries:
        # Another process may have removed it.
        with suppress(FileNotFoundError):
            status = entry.stat(follow_symlinks=False)
            if stat.S_ISREG(status.st_mode):
                found.append(CachedFile(entry.path, status.st_size, status.st_mtime))
    return sorted(found, key=lambda kept: -kept.changed)


def is_trusted() -> bool:
    """Whether files are kept in the folder of the cache, and read from there, if there is such a folder."""
    folder = cache_folder()
    try:
        return folder is None or _is_private(os.stat(folder))
    except OSError:
        return True


def keep_newest(prefix: str, most: int) -> None:
    """Where there are more than so many files whose names begin so, remove the oldest: a quarter more than need be.

    To sort them takes as long as what they save, so it is done seldom.
    """
    folder = cache_folder()
    try:
        count = sum(name.startswith(prefix) for name in os.listdir(folder or os.devnull))
    except OSError:
        return
    if count > most:
        with suppress(OSError):
            _remove(kept_files(prefix)[most - most // 4 :])


def clear() -> None:
    """Remove all that gradcli has put there. OSError where something stays."""
    from gradcli.machine.temporary import sweep

    folder = cache_folder()
    if folder is not None:
        _remove(kept_files())
        # What killed processes have left.
        sweep(folder)


def _checksum(body: bytes) -> bytes:
    return f"{crc32(body):08x}".encode()


def _is_private(status: os.stat_result) -> bool:
    """Whether only this user can have written a file or directory. Windows keeps its own watch over a profile."""
    return sys.platform == "win32" or (status.st_uid == os.geteuid() and not status.st_mode & 0o022)


def _remove(files: Sequence[CachedFile]) -> None:
    """Remove all of them that can be removed; OSError where there are others."""
    failure: OSError | None = None
    for kept in files:
        try:
            os.unlink(kept.path)
        except FileNotFoundError:
            # Another process was faster.
            continue
        except OSError as error:
            failure = failure or error
    if failure is not None:
        raise failure
