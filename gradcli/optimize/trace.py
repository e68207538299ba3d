"""A file with a line for each step of a run, written as the run goes and cut back to where a resumed one begins."""

from __future__ import annotations

import contextlib
import errno
import os
import time
from hashlib import sha256
from typing import Any, NamedTuple

from gradcli.errors import GradcliError, WorkError, quoted
from gradcli.machine.endings import is_url
from gradcli.machine.regular import open_regular
from gradcli.machine.undisturbed import undisturbed
from gradcli.render.json import to_json
from gradcli.storage.header import shown
from gradcli.storage.pipes import write_all
from gradcli.storage.target import check_folder, find_target, sync, take_lock, writing

# Whoever follows the file sees lines that are at most so many seconds old, where steps take no longer.
_SECONDS = 0.5
_BYTES = 1 << 16


class Beginning(NamedTuple):
    """The beginning of a trace: its length in bytes and their SHA-256."""

    length: int
    digest: str


class Trace:
    """The lines of a run, in a file that no other run writes to."""

    def __init__(self, path: str) -> None:
        """Refuse what cannot be written, before anything is; the file is made by `open`."""
        self._target = find_target(path)
        if self._target.path == "-":
            hint = "name a file; /dev/stderr shows the lines as they come"
            raise GradcliError("--trace cannot go to standard output, where the result goes", hint=hint)
        if is_url(self._target.real):
            raise GradcliError(f"{quoted(path)} is not a file of this machine", hint="name a file")
        if self.is_file:
            check_folder(self._target)
        self._name = shown(path)
        self._file: Any = None
        self._waiting: list[str] = []
        self._size = self._length = 0
        self._digest = sha256()
        self._written = 0.0

    @property
    def is_file(self) -> bool:
        """Whether it is a file, not a pipe or a device, from which nothing can be taken back."""
        return self._target.temporary is not None

    def open(self, kept: Beginning | None, step: int) -> None:
        """Begin a new file, or go on behind what is kept of the trace up to a step, and take away the rest."""
        if not self.is_file:
            with writing(self._target.path):
                self._file = open(os.open(self._target.path, os.O_WRONLY), "wb", buffering=0)  # noqa: SIM115
            return
        with writing(self._target.path):
            self._file = self._opened(os.O_RDWR, 0)
            if kept is None:
                # A new file, not a shorter one: somebody may be reading the old one, this very run included.
                mode = 0o666 if self._target.mode is None else self._target.mode
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(self._target.real)
                new = self._opened(os.O_RDWR | os.O_CREAT | os.O_EXCL, mode)
                if new is None:
                    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
                self.close()
                self._file = new
            elif self._file is None or not self._has(kept):
                self.close()
                message = (
                    f"{self._name} does not hold the first {step} steps of this run, which the checkpoint continues"
                )
                raise WorkError(message, hint="--overwrite starts over")
            else:
                self._file.truncate(kept.length)

    def _opened(self, flags: int, mode: int) -> Any:
        """The file with its lock, where the system has such; None where there is none to open.

        WorkError when another run has it.
        """
        try:
            file = open(open_regular(self._target.real, flags, mode), "r+b", buffering=0)  # noqa: SIM115
        except FileNotFoundError:
            return None
        try:
            take_lock(file.fileno(), self._name, "name another file")
        except WorkError:
            file.close()
            raise
        return file

    def _has(self, kept: Beginning) -> bool:
        """Whether the file begins with what is kept, and is read up to there."""
        while self._length < kept.length:
            data = self._file.read(min(_BYTES, kept.length - self._length))
            if not data:
                return False
            self._digest.update(data)
            self._length += len(data)
        return self._digest.hexdigest() == kept.digest

    def add(self, line: dict[str, Any]) -> None:
        """Add the line of a step."""
        text = to_json(line)
        self._waiting.append(text)
        self._size += len(text)
        if self._size > _BYTES or time.monotonic() - self._written > _SECONDS:
            self._write()

    def _write(self) -> None:
        data = "".join([f"{line}\n" for line in self._waiting]).encode("ascii")
        self._waiting, self._size, self._written = [], 0, time.monotonic()
        if self._file is None or not data:
            return
        # No line is torn by Ctrl-C, but that a reader takes nothing is no reason to wait.
        with undisturbed() if self.is_file else contextlib.nullcontext(), writing(self._target.path):
            try:
                write_all(self._file, memoryview(data))
            except BrokenPipeError:
                # Nobody follows it any more.
                self._release()
                return
            self._digest.update(data)
            self._length += len(data)

    def kept(self) -> Beginning:
        """What is there now, on the disk."""
        self._write()
        with writing(self._target.path):
            sync(self._file.fileno())
        return Beginning(self._length, self._digest.hexdigest())

    def close(self) -> None:
        """Write what is left, and let others in."""
        try:
            self._write()
        finally:
            self._release()

    def _release(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
