"""Where results are written: the -o options."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from gradcli.cli.printing import note
from gradcli.cli.shown import inputs_of, result_in_full
from gradcli.errors import GradcliError, WorkError, did_you_mean, unable_to
from gradcli.machine.composed import composed
from gradcli.machine.endings import is_url, local_path, split_key
from gradcli.machine.limits import MEMORY_LIMIT

if TYPE_CHECKING:
    from gradcli.evaluation.finite import Tally
    from gradcli.storage.file_array import FileArray
    from gradcli.storage.together import Together

# Shape and dtype of a result, those of several by name, and names with paths.
Form = tuple[tuple[int, ...], Any]
Forms = dict[str, Form]
Items = list[tuple[str, str]]

# Results of more bytes are written while they are computed.
_LARGE = 64 << 20
# Of results that are only shown in part, parts of so many elements are kept in place of all.
_MOST_SHOWN = 1 << 16
_STANDARD_OUTPUT = "-"
_ALSO_STANDARD_OUTPUT = ("/dev/stdout", "/dev/fd/1", "/proc/self/fd/1")


def refuse_read(paths: Sequence[str | None], sources: Sequence[str | None]) -> None:
    """Refuse a picture, or what is kept beside results, in the place of a file that is read: nobody wants that in place
    of data."""
    read = {os.path.realpath(split_key(path)[0]) for path in sources if path is not None and not is_url(path)}
    for path in paths:
        if path and path != _STANDARD_OUTPUT and os.path.isfile(path) and os.path.realpath(path) in read:
            raise GradcliError(f"{path} is an input of this command and would be overwritten", hint="name another file")


class Outputs:
    """Single targets with their paths, and folders that take all results."""

    def __init__(
        self, options: tuple[str, ...], names: list[str], wrt: list[str] | None, more: list[str], value: bool = True
    ) -> None:
        """`names` are the inputs, `wrt` those to differentiate (None: not known before their dtypes are), `more` what
        can be written besides the gradients, and the value where there is one."""
        self.targets: dict[str, str] = {}
        self.folders: list[str] = []
        known = [*(["value"] if value else []), *(f"{name}.grad" for name in names), *more]
        for option in options:
            target, equals, path = option.partition("=")
            target = result_in_full(composed(target))
            if not equals and (option.endswith(("/", os.sep)) or os.path.isdir(option)):
                self.folders.append(local_path(option))
            elif not equals or not path:
                first = known[1::-1] if value else known[:2]
                hint = f"write {', '.join(f'-o {name}=FILE' for name in first)} or -o FOLDER/"
                raise GradcliError(f"cannot understand -o {option}", hint=hint)
            elif target not in known:
                hint = did_you_mean(target, known) or f"choose from {', '.join(known)}"
                raise GradcliError(f"there is no result {target!r} to write", hint=hint)
            elif target in self.targets:
                raise GradcliError(f"{target} is written twice", hint="give each -o target once")
            elif wrt is not None and not set(inputs_of(target)) <= set(wrt):
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

    def refuse_beside(self, as_json: bool, plot: str | None, picture: str) -> None:
        """Refuse two things that cannot both go to standard output; `plot` is empty where it is drawn there."""
        if plot == "" and as_json:
            raise GradcliError("--json cannot be combined with a plot", hint=f"write it to a file: --plot {picture}")
        if self.standard_output and (as_json or plot == ""):
            what, hint = "--json" if as_json else "a plot", "write the array to a file"
            raise GradcliError(f"{what} and an array cannot both go to standard output", hint=hint)

    def check(self) -> None:
        """Refuse, before anything is computed, what can already be seen not to be writable."""
        if self.targets:
            from gradcli.storage import check_writable

            check_writable(list(self.targets.values()))
        for folder in self.folders:
            with unable_to(f"create the folder {folder}"):
                if is_url(folder):
                    from gradcli.storage.remote import check_remote

                    check_remote(folder)
                elif not os.path.isdir(folder):
                    missing = _missing(folder)
                    parent = os.path.dirname(missing[0]) or "."
                    if os.path.lexists(missing[0]) or not os.path.isdir(parent):
                        raise WorkError(f"cannot create the folder {folder}: {missing[0]} is not a folder")
                    if not os.access(parent, os.W_OK):
                        raise WorkError(f"cannot create the folder {folder}: {parent} is not writable")

    @contextlib.contextmanager
    def opened(self, forms: Forms, summary: bool, tallies: Tallies) -> Iterator[Opened]:
        """Places for results of the given shapes and dtypes, written wholly when the block ends well, or not at all.

        With `summary`, large results that go nowhere else are kept only as far as their print shows them. `tallies`
        gives what counts the elements of results that are written piece by piece.
        """
        items = self._items(forms)
        if not items and all(_size(form) <= _most_kept(forms) for form in forms.values()):
            yield Opened({}, [], None, {})
            return
        from gradcli.evaluation.finite import Several, Tally
        from gradcli.storage import Edges, spooling, streaming

        with self._writing(items, forms) as files:
            streamed, spooled, shown = self._pieces(items, forms, summary)
            with (
                streaming([(path, *forms[name]) for name, path in streamed], files) as opened,
                spooling([(path, *forms[name]) for name, path in spooled.items()]) as spools,
            ):
                sinks: dict[str, Any] = {}
                held: dict[str, FileArray] = {}
                for name, sink in zip([*(name for name, _ in streamed), *spooled], [*opened, *spools], strict=True):
                    held[name] = sink
                    sinks[name] = Several([*(sinks[name].sinks if name in sinks else ()), sink], tallies.of_file())
                for name in shown:
                    edges = Edges(*forms[name])
                    # What is not shown is only computed where it is counted.
                    sinks[name] = Several([edges], Tally()) if tallies.all else edges
                yield Opened(sinks, [item for item in items if item not in streamed], files, held)

    def in_pieces(self, forms: Forms) -> set[str]:
        """The results that `opened` has a place for that takes them piece by piece, beside text with a summary."""
        streamed, spooled, shown = self._pieces(self._items(forms), forms, summary=True)
        return {*(name for name, _ in streamed), *spooled, *shown}

    def _pieces(self, items: Items, forms: Forms, summary: bool) -> tuple[Items, dict[str, str], list[str]]:
        """The results that are not kept: those written while they are computed, with their paths, those written when
        all is there, with a path of each, and those of which a summary is all that is wanted."""
        from gradcli.storage import can_stream

        most, written = _most_kept(forms), {name for name, _ in items}
        streamed = [(name, path) for name, path in items if _size(forms[name]) > most and can_stream(path)]
        shown = [name for name, form in forms.items() if summary and name not in written and _is_cut(form, most)]
        return streamed, _spooled(items, streamed, forms, most), shown

    def check_forms(self, forms: Forms) -> None:
        """Refuse results of these shapes and dtypes that cannot be written as they are asked for."""
        from gradcli.storage import check_encodable

        for name, path in self._items(forms):
            check_encodable(path, name, *forms[name])

    def save(
        self,
        results: dict[str, Any],
        documents: dict[str, bytes],
        stale: Sequence[str] = (),
        apart: Collection[str] = (),
    ) -> None:
        """Write results that are in memory, and documents by path: all of them, or none; files that are stale go.

        Folders do without what is `apart`.
        """
        from gradcli.storage import save_all
        from gradcli.storage.writing import save_document

        forms = {name: (array.shape, array.dtype) for name, array in results.items()}
        items = self._items(forms, apart)
        folders = [os.path.dirname(path) for path in documents]
        with self._writing(items, forms, folders) as files:
            save_all([(path, results[name]) for name, path in items], files, [name for name, _ in items])
            for path, data in documents.items():
                save_document(path, data, files)
        for path in stale:
            with contextlib.suppress(FileNotFoundError), unable_to(f"remove {path}"):
                os.unlink(path)

    @contextlib.contextmanager
    def _writing(self, items: Items, forms: Forms, folders: Sequence[str] = ()) -> Iterator[Together]:
        """Files that get their names when the block ends well; the folders are made for them, and further ones."""
        from gradcli.cli.signals import stopping_cleanly
        from gradcli.storage import check_encodable, check_writable
        from gradcli.storage.together import together

        # That nobody reads standard output any more is no reason to leave out the files.
        with stopping_cleanly(), created([*self.folders, *folders]), together(patient=True) as files:
            check_writable([path for _, path in items])
            for name, path in items:
                check_encodable(path, name, *forms[name])
            yield files

    def _items(self, forms: Forms, apart: Collection[str] = ()) -> Items:
        """What to write where; asking by name for a result that there is not is an error."""
        for target in self.targets:
            if target not in forms:
                if not target.endswith(".grad"):
                    raise GradcliError(f"{target} is not computed", hint="the input is not differentiated")
                raise GradcliError(f"{target} is None: there is no gradient to write", hint=_no_gradient(forms))
        names = [name for name in forms if name not in apart]
        folders = [(name, os.path.join(folder, f"{name}.npy")) for folder in self.folders for name in names]
        return [*self.targets.items(), *folders]


class Opened(NamedTuple):
    """The places that are ready: `sinks` takes large results piece by piece; `items` are written at the end, from the
    files of those results that are `held` in some, else from memory."""

    sinks: dict[str, Any]
    items: Items
    files: Together | None
    held: dict[str, FileArray]

    def write(self, results: dict[str, Any]) -> None:
        """Write what was not written piece by piece; all files get their names together."""
        if self.items:
            from gradcli.storage import save_all

            names = [name for name, _ in self.items]
            found = {**results, **self.held}
            save_all([(path, found[name]) for name, path in self.items], self.files, names)


@contextlib.contextmanager
def created(folders: Sequence[str]) -> Iterator[None]:
    """Make the folders that do not exist, and take them away again when the block fails."""
    from gradcli.machine.undisturbed import undisturbed

    made: list[str] = []
    try:
        for folder in folders:
            for directory in _missing(folder):
                with unable_to(f"create the folder {folder}"), undisturbed():
                    os.mkdir(directory)
                    made.append(directory)
        yield
    except BaseException:
        for directory in reversed(made):
            with contextlib.suppress(OSError):
                os.rmdir(directory)
        raise


def _size(form: Form) -> int:
    return math.prod(form[0]) * int(form[1].itemsize)


def _is_cut(form: Form, most: int) -> bool:
    """Whether a result is shown in part, and that part takes little: of many short dimensions it is nearly all."""
    return _size(form) > most and math.prod([min(n, 6) for n in form[0]]) <= _MOST_SHOWN


def _most_kept(forms: Forms) -> int:
    """The size of the largest result that is kept in memory, wherever it goes."""
    limit = MEMORY_LIMIT.get()
    # Where little memory may be used, large ones stream as long as there are some.
    return _LARGE if limit is None or sum(map(_size, forms.values())) <= limit // 2 else min(_LARGE, limit // 16)


def _spooled(items: Items, streamed: Items, forms: Forms, most: int) -> dict[str, str]:
    """The results that are too large for memory and go to other formats only, with a path of each."""
    from gradcli.machine.memory import available_memory
    from gradcli.storage import can_spool

    room = MEMORY_LIMIT.get() or available_memory()
    if room is None or sum(map(_size, forms.values())) <= room // 2:
        return {}
    written = {name for name, _ in streamed}
    found = [(name, path) for name, path in items if name not in written and _size(forms[name]) > most]
    return {name: path for name, path in found if can_spool(path)}


def _no_gradient(forms: Forms) -> str:
    """Why there may be no gradient."""
    if len(forms) == 1 and math.prod(forms["value"][0]) != 1:
        return "for a non-scalar value, give --grad-output 1"
    return "the value does not depend on it, or it is not a floating-point input"


def _missing(folder: str) -> list[str]:
    """The directories to create for `folder`, outermost first."""
    missing: list[str] = []
    if is_url(folder):
        # An object store has no folders.
        return missing
    path = folder.rstrip("/" + os.sep)
    while path and not os.path.isdir(path):
        missing.append(path)
        path = os.path.dirname(path)
    return missing[::-1]


# What is told of results that hold NaN or infinities: a note, or with --fail-on-nan an error --------------------------


class Tallies:
    """Counts the elements of results that are not finite, unless nobody wants to know.

    With `all`, every element of every result; else those that are computed anyway.
    """

    def __init__(self, quiet: bool, fail: bool, dealt: bool) -> None:
        """`dealt` says that other processes may write into files past those who count here."""
        self.all = fail
        self._wanted = fail or not quiet
        self._dealt = dealt

    def of_file(self) -> Tally | None:
        """What counts a result on its way into a file; None where it is counted at the end, or not at all."""
        from gradcli.evaluation.finite import Tally

        return Tally() if self._wanted and not self._dealt else None

    def note(self, results: Mapping[str, Any]) -> str | None:
        """What there is to tell of the results, whole or where they went. WorkError where they have to be finite."""
        if not self._wanted:
            return None
        from gradcli.evaluation.finite import WHO_KNOWS, count, remarked

        found = {}
        for name, array in results.items():
            if hasattr(array, "indices"):
                # The rest was not even computed.
                found[f"what is shown of {name}"] = count(array.kept)
            else:
                found[name] = count(array)
        text = remarked(found, self.all)
        return None if text is None else f"{text}: {WHO_KNOWS}"


def note_on(results: Mapping[str, Any], quiet: bool) -> None:
    """Say which results that are shown hold NaN or infinities."""
    remark = Tallies(quiet, False, False).note(results)
    if remark:
        note(remark)
