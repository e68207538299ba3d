"""The lines of earlier sessions, in a file of the user's own; without one, a session goes on all the same."""

from __future__ import annotations

import contextlib
import os

from gradcli.machine.own_cache import own_folder
from gradcli.machine.regular import open_regular

_KEPT = 1000
_LARGE = 1 << 20


def history_path() -> str | None:
    """Where the lines are kept, or None where there is no place for them."""
    folder = own_folder("XDG_STATE_HOME", "~/.local/state")
    return None if folder is None else os.path.join(folder, "history")


class History:
    """Lines that are read once and added to; nothing that goes wrong with the file is ever reported."""

    def __init__(self, path: str | None) -> None:
        self.path = path
        self.lines = self._read()

    def _read(self) -> list[str]:
        if self.path is None:
            return []
        try:
            with open(open_regular(self.path, own=True), "rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(0, size - _LARGE))
                data = file.read(_LARGE)
        except (OSError, ValueError):
            return []
        lines = [line for line in data.decode("utf-8", "replace").split("\n") if line.strip()]
        if size > _LARGE:
            from gradcli.errors import GradcliError
            from gradcli.storage.writing import save_document

            with contextlib.suppress(OSError, GradcliError):
                save_document(self.path, "".join(f"{line}\n" for line in lines[-_KEPT:]).encode())
        return ["".join(c if c.isprintable() else " " for c in line) for line in lines[-_KEPT:]]

    def add(self, line: str) -> None:
        """Add a line, unless it is empty or the one before it."""
        if not line.strip() or (self.lines and self.lines[-1] == line):
            return
        self.lines.append(line)
        if self.path is None:
            return
        with contextlib.suppress(OSError, ValueError, RecursionError):
            # The last of a folder that lies in too many others. What one types is nobody else's business.
            os.makedirs(os.path.dirname(self.path), mode=0o700, exist_ok=True)
            descriptor = open_regular(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600, own=True)
            with open(descriptor, "wb", buffering=0) as file:
                file.write(f"{line}\n".encode("utf-8", "replace"))
