"""Where results are written: the -o options."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from gradcli.errors import GradcliError, WorkError, did_you_mean

if TYPE_CHECKING:
    from gradcli.evaluation import Result
    from gradcli.storage.header import Array

_STANDARD_OUTPUT = "-"
_ALSO_STANDARD_OUTPUT = ("/dev/stdout", "/dev/fd/1", "/proc/self/fd/1")


class Outputs:
    """Single targets with their paths, and folders that take all results."""

    __slots__ = ("targets", "folders")

    def __init__(self, options: tuple[str, ...], names: list[str], wrt: list[str] | None) -> None:
        """`names` are the inputs, `wrt` those to differentiate (None: not known before their dtypes are)."""
        self.targets: dict[str, str] = {}
        self.folders: list[str] = []
        known = ["value", *(f"{name}.grad" for name in names)]
        for option in options:
            target, equals, path = option.partition("=")
            if not equals and (option.endswith(("/", os.sep)) or os.path.isdir(option)):
                self.folders.append(option)
            elif not equals or not path:
                hint = "write -o x.grad=FILE, -o value=FILE or -o FOLDER/"
                raise GradcliError(f"cannot understand -o {option}", hint=hint)
            elif target not in known:
                hint = did_you_mean(target, known) or f"there are {', '.join(known)}"
                raise GradcliError(f"there is no result {target!r} to write", hint=hint)
            elif target in self.targets:
                raise GradcliError(f"{target} is written twice", hint="give each -o target once")
            elif wrt is not None and target != "value" and target.removesuffix(".grad") not in wrt:
                raise GradcliError(f"{target} is not computed", hint="--wrt names the inputs to differentiate")
            else:
                self.targets[target] = _STANDARD_OUTPUT if path in _ALSO_STANDARD_OUTPUT else path
        if list(self.targets.values()).count(_STANDARD_OUTPUT) > 1:
            raise GradcliError("only one result can go to standard output")

    @property
    def standard_output(self) -> bool:
        """Whether standard output carries an array, and so no text."""
        return _STANDARD_OUTPUT in self.targets.values()

    def __bool__(self) -> bool:
        return bool(self.targets or self.folders)

    def check(self) -> None:
        """Refuse, before anything is computed, what can already be seen not to be writable."""
        if self.targets:
            from gradcli.storage import check_writable

            check_writable(list(self.targets.values()))
        for folder in self.folders:
            with _creating(folder):
                if not os.path.isdir(folder):
                    missing = _missing(folder)
                    parent = os.path.dirname(missing[0]) or "."
                    if os.path.lexists(missing[0]) or not os.path.isdir(parent):
                        raise WorkError(f"cannot create the folder {folder}: {missing[0]} is not a folder")
                    if not os.access(parent, os.W_OK):
                        raise WorkError(f"cannot create the folder {folder}: {parent} is not writable")

    def write(self, result: Result) -> None:
        """Write everything that was asked for, or nothing."""
        from gradcli.cli.signals import stopping_cleanly
        from gradcli.storage import save_all

        arrays: dict[str, Array | None] = {"value": result.value.value()}
        for name, gradient in (result.grads or {}).items():
            arrays[f"{name}.grad"] = None if gradient is None else gradient.value()
        items = self._items(arrays)
        with stopping_cleanly(), self._created_folders():
            try:
                save_all(items)
            except BrokenPipeError:
                # That nobody reads standard output any more is no reason to leave out the files.
                save_all([(path, array) for path, array in items if path != _STANDARD_OUTPUT])

    def _items(self, results: dict[str, Array | None]) -> list[tuple[str, Array]]:
        """What to write where; asking by name for a result that there is not is an error."""
        items: list[tuple[str, Array]] = []
        for target, path in self.targets.items():
            array = results.get(target)
            if array is None:
                raise GradcliError(f"{target} is None: there is no gradient to write", hint=_no_gradient(results))
            items.append((path, array))
        for folder in self.folders:
            items += [(os.path.join(folder, f"{t}.npy"), array) for t, array in results.items() if array is not None]
        return items

    @contextlib.contextmanager
    def _created_folders(self) -> Iterator[None]:
        """Make the folders that do not exist, and take them away again when the block fails."""
        created: list[str] = []
        try:
            for folder in self.folders:
                for directory in _missing(folder):
                    with _creating(folder):
                        os.mkdir(directory)
                    created.append(directory)
            yield
        except BaseException:
            for directory in reversed(created):
                with contextlib.suppress(OSError):
                    os.rmdir(directory)
            raise


def _no_gradient(results: dict[str, Array | None]) -> str:
    """Why there may be no gradient."""
    value = results["value"]
    if len(results) == 1 and value is not None and value.size != 1:
        return "for a value that is no scalar give --grad-output 1"
    return "the value does not depend on it, or it is no floating-point input"


def _missing(folder: str) -> list[str]:
    """The directories to create for `folder`, outermost first."""
    missing = []
    path = folder.rstrip("/" + os.sep)
    while path and not os.path.isdir(path):
        missing.append(path)
        path = os.path.dirname(path)
    return missing[::-1]


@contextlib.contextmanager
def _creating(folder: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise WorkError(f"cannot create the folder {folder}: {error.strerror or error}") from None
    except ValueError:
        raise WorkError(f"cannot create the folder {folder}: no file can have this name") from None
