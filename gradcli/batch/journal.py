"""The folder of results: its lock, its lines, and how finished items get into it so that no crash loses them.

OUT/results.jsonl          a line for each finished item, in the order of the items
OUT/.gradcli/run.json      what was computed (see `gradcli.batch.manifest`)
OUT/.gradcli/lock          held while a run is at work
OUT/.gradcli/unfinished/   files under temporary names
OUT/.gradcli/more.jsonl    lines that belong between others of results.jsonl, until the end of the run
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
from array import array
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any

from gradcli.errors import WorkError, unable_to
from gradcli.machine.regular import open_regular
from gradcli.storage.header import shown
from gradcli.storage.target import UnwritableError, sync, take_lock, writing
from gradcli.storage.together import give_names

RESULTS = "results.jsonl"
HIDDEN = ".gradcli"
UNFINISHED = os.path.join(HIDDEN, "unfinished")
_MORE = "more.jsonl"
_BLOCK = 1 << 20
# A folder that others write into is emptied so often before it is left to the next run.
_TIMES = 100


class Folder:
    """A folder of results, held by this run alone until it is closed."""

    def __init__(self, path: str) -> None:
        """Make the folder if need be, take its lock, and remove what a killed run has left unfinished.

        Where there are no locks, others may be at work on what is unfinished: it stays.
        """
        self.path = path
        self._beginning = os.path.join(path, "")
        self.hidden = os.path.join(path, HIDDEN)
        self.unfinished = os.path.join(path, UNFINISHED)
        self._lock = -1
        with unable_to(f"write into the folder {shown(path)}"):
            os.makedirs(self.hidden, exist_ok=True)
            self._lock = open_regular(os.path.join(self.hidden, "lock"), os.O_RDWR | os.O_CREAT)
        try:
            self._alone = take_lock(self._lock, shown(path), "choose another folder")
            with unable_to(f"write into the folder {shown(path)}"):
                os.makedirs(self.unfinished, exist_ok=True)
                self._sweep()
        except BaseException:
            os.close(self._lock)
            raise

    def file(self, name: str) -> str:
        """A file of ours beside the results."""
        return os.path.join(self.hidden, name)

    def close(self) -> None:
        """Remove what is unfinished, and let others in.

        Workers elsewhere that have not yet heard of the end may still make files, until their folder is gone.
        """
        for _ in range(_TIMES):
            with contextlib.suppress(OSError):
                self._sweep()
                os.rmdir(self.unfinished)
                break
        os.close(self._lock)

    def _sweep(self) -> None:
        if not self._alone:
            return
        for name in os.listdir(self.unfinished):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(self.unfinished, name))

    def replace(self, name: str, parts: Sequence[bytes | memoryview]) -> None:
        """Write a file of ours, wholly or not at all."""
        temporary = os.path.join(self.unfinished, name)
        with writing(self.file(name)):
            with open(temporary, "wb") as file:
                for part in parts:
                    file.write(part)
                file.flush()
                sync(file.fileno())
            os.replace(temporary, self.file(name))

    def sync(self, names: Sequence[str]) -> None:
        """Wait until the contents of finished files, under their temporary names, are on the disk."""
        syncfs = _syncfs()
        with writing(self.path):
            if syncfs is None:
                for name in names:
                    _synced(os.path.join(self.unfinished, name), os.O_RDWR, sync)
            else:
                _synced(self.unfinished, os.O_RDONLY, syncfs)

    def sync_names(self) -> None:
        """Wait until the names of the results are on the disk too, where the system knows how to."""
        if os.name == "posix":
            _synced(self.path, os.O_RDONLY, sync)

    def settle(self, files: Sequence[tuple[str, str]]) -> None:
        """Give the finished files of an item their names, all of them or none."""
        places = ((temporary, self._beginning + name) for temporary, name in files)
        give_names([(f"{self.unfinished}{os.sep}{temporary}", place, place) for temporary, place in places])


def _synced(path: str, flags: int, wait: Callable[[int], int | None]) -> None:
    """Let `wait` bring what is behind a path to the disk; it may answer as the system does, -1 for a failure."""
    descriptor = os.open(path, flags)
    try:
        if wait(descriptor):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
    finally:
        os.close(descriptor)


@cache
def _syncfs() -> Callable[[int], int] | None:
    """Linux's call that writes out a whole file system; thousands of small files take one wait instead of as many."""
    try:
        return ctypes.CDLL(None, use_errno=True).syncfs
    except (OSError, AttributeError, TypeError):
        return None


def lines_of(path: str) -> Iterator[tuple[int, int, dict[str, Any]]]:
    """Each whole line of a file of results: where it begins and ends, and what it says.

    A torn last line, and whatever else is no record, is passed over; a file that does not exist has no lines.
    """
    try:
        file = open(open_regular(path), "rb", buffering=_BLOCK)  # noqa: SIM115
    except FileNotFoundError:
        return
    except OSError as error:
        raise WorkError(f"cannot read {shown(path)}: {error.strerror or error}") from None
    with file:
        end = 0
        for line in file:
            start, end = end, end + len(line)
            if not line.endswith(b"\n"):
                return
            try:
                record = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(record, dict) and isinstance(record.get("item"), str):
                yield start, end, record


class Journal:
    """The lines of a run: appended to results.jsonl while they follow each other, kept aside while they do not.

    `first` items are finished and stand at the beginning of results.jsonl, in `length` bytes. Where others are
    finished too, `places` has for each item where its line begins: twice the offset, plus 1 in the file for more
    lines; -1 for none.
    """

    def __init__(self, folder: Folder, length: int, places: array[int] | None) -> None:
        self.folder = folder
        self.places = places
        results, more = os.path.join(folder.path, RESULTS), folder.file(_MORE)
        self._path = results if places is None else more
        with writing(self._path):
            if places is None:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(more)
            self._file = open_regular(self._path, os.O_RDWR | os.O_CREAT)
            if places is not None:
                # What follows a torn line would be lost with it.
                length = max((end for _, end, _ in lines_of(more)), default=0)
            os.ftruncate(self._file, length)
            os.lseek(self._file, length, os.SEEK_SET)
        self._size = length

    def append(self, lines: Sequence[tuple[int, str]]) -> None:
        """Add lines, each with the index of its item: all of them or none."""
        data = "".join([f"{line}\n" for _, line in lines]).encode("ascii")
        view, written = memoryview(data), 0
        try:
            while written < len(data):
                written += os.write(self._file, view[written:])
        except OSError as error:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, self._size)
                os.lseek(self._file, self._size, os.SEEK_SET)
            raise UnwritableError(f"cannot write {shown(self._path)}: {error.strerror or error}") from None
        if self.places is not None:
            at = self._size
            for index, line in lines:
                self.places[index] = 2 * at + 1
                at += len(line) + 1
        self._size += len(data)

    def finish(self) -> None:
        """Bring the lines to the disk, all in the order of the items."""
        try:
            if self.places is not None:
                self._merge(self.places)
            with writing(self._path):
                sync(self._file)
                self.folder.sync_names()
        finally:
            os.close(self._file)

    def _merge(self, places: array[int]) -> None:
        results, more = os.path.join(self.folder.path, RESULTS), self.folder.file(_MORE)
        temporary = os.path.join(self.folder.unfinished, RESULTS)
        with writing(results):
            with contextlib.ExitStack() as stack:
                if not os.path.exists(results):
                    open(results, "wb").close()
                sources = [stack.enter_context(open(path, "rb")) for path in (results, more)]
                target = stack.enter_context(open(temporary, "wb", buffering=_BLOCK))
                for place in places:
                    if place >= 0:
                        source = sources[place % 2]
                        if source.tell() != place // 2:
                            source.seek(place // 2)
                        target.write(source.readline())
                target.flush()
                sync(target.fileno())
            os.replace(temporary, results)
            os.unlink(more)
