"""Files that get their names together: all results or none, whatever fails and whoever asks to stop."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence

from gradcli.errors import GradcliError
from gradcli.machine.endings import is_url
from gradcli.machine.temporary import allow_open, create_temporary, sweep, temporary_name
from gradcli.machine.undisturbed import undisturbed
from gradcli.storage.file_array import Descriptor
from gradcli.storage.pipes import write_all
from gradcli.storage.target import Target, named, sync, unwritable, writing


class Together:
    """What is being written: files under temporary names, and what cannot be renamed and so is written at last.

    `patient`: that a reader has stopped listening is no reason to leave out the files.
    """

    def __init__(self, patient: bool = False) -> None:
        self._files: list[tuple[Target, str]] = []
        self._last: list[tuple[Target, Callable[[], object]]] = []
        self._open: list[Descriptor] = []
        self._patient = patient

    def add(self, targets: Sequence[Target]) -> None:
        """Take on targets, none of which may be there already; what killed runs have left beside them is removed."""
        refuse_duplicates([*(target for target, _ in self._files), *targets])
        files = [(target, target.temporary) for target in targets if target.temporary is not None]
        self._files += files
        allow_open(len(self._files))
        for folder in {os.path.dirname(temporary) for _, temporary in files}:
            sweep(folder)

    def create(self, target: Target) -> Descriptor:
        """The new temporary file of a target, locked until it has got its name."""
        assert target.temporary is not None
        descriptor = Descriptor(create_temporary(target.temporary, target.mode))
        self._open.append(descriptor)
        return descriptor

    def write(self, target: Target, blocks: Iterable[memoryview]) -> None:
        """Write the whole temporary file of a target, and wait until it is on the disk."""
        with writing(target.path):
            descriptor = self.create(target)
            with open(descriptor.number, "wb", buffering=0, closefd=False) as file:
                for block in blocks:
                    write_all(file, block)
            sync(descriptor.number)

    def at_last(self, target: Target, write: Callable[[], object]) -> None:
        """Write what is no file when all files are on the disk."""
        self._last.append((target, write))

    def finish(self) -> None:
        """Write what comes last, and give all files their names. They must be on the disk."""
        for target, write in self._last:
            try:
                with writing(target.path):
                    write()
            except BrokenPipeError:
                if not self._patient:
                    raise
        if os.name == "nt":
            # No open file can be renamed there.
            self._open.clear()
        remote = [(temporary, target.real) for target, temporary in self._files if is_url(target.real)]
        with contextlib.ExitStack() as stack:
            commit = None
            if remote:
                from gradcli.storage.remote import sending

                commit = stack.enter_context(sending(remote))
            with undisturbed():
                # Until the last of them has arrived, nothing has changed anywhere.
                if commit is not None:
                    commit()
                local = [(target, temporary) for target, temporary in self._files if not is_url(target.real)]
                give_names([(temporary, target.real, target.path) for target, temporary in local])
                for temporary, _ in remote:
                    _remove(temporary)
        self._open.clear()

    def abandon(self) -> None:
        """Remove the temporary files."""
        for _, temporary in self._files:
            with contextlib.suppress(OSError):
                # The space on the disk comes back now: whoever caught the error may keep the file open.
                os.truncate(temporary, 0)
            _remove(temporary)


@contextlib.contextmanager
def together(patient: bool = False) -> Iterator[Together]:
    """Files that are written within this block get their names behind it; when it fails, nothing remains of them.

    Signals that come while names are given wait until that is done.
    """
    files = Together(patient)
    try:
        yield files
        files.finish()
    except BaseException:
        files.abandon()
        raise


def refuse_duplicates(targets: Sequence[Target]) -> None:
    """Refuse two results for one place, devices excepted."""
    seen: set[str] = set()
    for target in targets:
        if target.temporary is None and target.path != "-":
            continue
        if target.real in seen:
            raise GradcliError(f"two arrays cannot both be written to {named(target.path)}")
        seen.add(target.real)


def give_names(files: Sequence[tuple[str, str, str]]) -> None:
    """Rename (temporary, new, as users call it) files; when one of them cannot be, those before it are taken back."""
    backups: list[str | None] = []
    at_work = ""
    try:
        for temporary, new, path in files:
            at_work = path
            backup = _backup(new) if len(files) > 1 else None
            try:
                os.replace(temporary, new)
            except OSError:
                _remove(backup)
                raise
            backups.append(backup)
    except BaseException as error:
        for (_, new, _), backup in zip(files, backups, strict=False):
            with contextlib.suppress(OSError):
                if backup == "":
                    os.unlink(new)
                elif backup is not None:
                    os.replace(backup, new)
        if isinstance(error, OSError):
            raise unwritable(at_work, error) from None
        raise
    for backup in backups:
        _remove(backup)


def _backup(path: str) -> str | None:
    """Another name for the file that is going to be replaced: "" where there is none, None where it can have none."""
    if not os.path.lexists(path):
        return ""
    name = temporary_name(os.path.dirname(path))
    try:
        os.link(path, name)
    except OSError:
        return None
    return name


def _remove(path: str | None) -> None:
    if path:
        with contextlib.suppress(OSError):
            os.unlink(path)
