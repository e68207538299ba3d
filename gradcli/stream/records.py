"""Where records come from: lines of JSON, rows of tables, .npy records, .npz archives; and what each gives."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from gradcli.errors import GradcliError, WorkError
from gradcli.evaluation.names import free_names
from gradcli.language.instructions import Script
from gradcli.language.parse import refuse_unused
from gradcli.machine.endings import is_url, local_path
from gradcli.render.json import to_json
from gradcli.storage import RecordReader, load_item
from gradcli.storage.header import shown
from gradcli.storage.loading import open_file, reading
from gradcli.storage.opening import standard_input
from gradcli.stream.blocks import Block, block_of
from gradcli.stream.fields import FieldReader, Record
from gradcli.stream.flow import Inlet, texts, whole_lines
from gradcli.stream.rows import row_records

STANDARD_INPUT = "-"
_FORMATS = {".npy": "npy", ".npz": "npz", ".csv": "csv", ".tsv": "tsv"}


class RecordPlace(NamedTuple):
    """Where a record stands: "line" or "record" and its number there, and the file unless it is standard input."""

    kind: str
    number: int
    path: str = STANDARD_INPUT

    def told(self, error: GradcliError) -> str:
        """What went wrong, and where."""
        return error.message if not self.number and shown(self.path) in error.message else self.told_at(error.message)

    def told_at(self, message: str) -> str:
        """A message, and where it belongs."""
        where = shown(self.path)
        if self.number:
            where = f"{self.kind} {self.number}" + ("" if self.path == STANDARD_INPUT else f" of {where}")
        return f"{where}: {message}"


Records = Iterator[tuple[RecordPlace, Record | Block]]


class Inputs(NamedTuple):
    """Where records come from: files in turn, each in the format that its name tells unless one is given."""

    paths: Sequence[str]
    names: Sequence[str]
    format: str | None
    dtype: str | None


def records(inputs: Inputs, fields: FieldReader, before_waiting: Callable[[], None], together: bool = False) -> Records:
    """Each record with its place; `before_waiting` is called before there may be none for a while.

    With `together` there are blocks of lines, too, each with the place of the first. A file that cannot be read counts
    as a record that failed; a WorkError when standard input cannot be.
    """
    for path in map(local_path, inputs.paths):
        form = inputs.format or _FORMATS.get(path[-4:].lower(), "json")
        if path == STANDARD_INPUT:
            source = Inlet(standard_input(form == "npy"), path, before_waiting)
            # Archives cannot be read from a pipe: their paths stand in its lines.
            items = _lines(source, lambda path: _item(path, inputs.names), False) if form == "npz" else None
            yield from items or _of(source, form, fields, together)
            continue
        if form == "npz":
            yield RecordPlace("file", 0, path), _item(path, inputs.names)
            continue
        try:
            # A failure to write, which comes up while more is looked for, is none to read.
            if is_url(path):
                hint = "fetch it in front of the pipe, as in curl URL | gradcli stream EXPR"
                raise WorkError(f"{shown(path)} is a URL: of those only .npz archives are read", hint=hint)
            with reading(path):
                file = open_file(path)
            with file:
                yield from _of(Inlet(file, path, before_waiting), form, fields, together)
        except GradcliError as error:
            yield RecordPlace("file", 0, path), Record(_named(path), {}, error)


def _of(source: Inlet, form: str, fields: FieldReader, together: bool) -> Records:
    if form in ("csv", "tsv"):
        rows = row_records(source, fields, f".{form}")
        return ((RecordPlace("line", number, source.path), record) for number, record in rows)
    return _arrays(source, fields.names) if form == "npy" else _lines(source, fields.read, together)


def _lines(source: Inlet, read: Callable[[str], Record], together: bool) -> Records:
    number = 1
    for found in whole_lines(source):
        block = block_of(found) if together and isinstance(found, bytes) else None
        if block is not None:
            yield RecordPlace("line", number, source.path), block
            number += len(block.fields)
            continue
        for line in texts(found) if isinstance(found, bytes) else (found,):
            if isinstance(line, GradcliError):
                yield RecordPlace("line", number, source.path), Record("{", {}, line)
            elif line:
                yield RecordPlace("line", number, source.path), read(line)
            number += 1


def _item(path: str, names: Sequence[str]) -> Record:
    try:
        return Record(_named(path), dict(zip(names, load_item(path, names), strict=True)))
    except GradcliError as error:
        return Record(_named(path), {}, error)


def _arrays(source: Inlet, names: Sequence[str]) -> Iterator[tuple[RecordPlace, Record]]:
    """Records of .npy, as many for each answer as there are names, in their order."""
    head = _named(source.path)
    reader = RecordReader(source)
    number = 0
    while True:
        number += 1
        arrays = {}
        place = RecordPlace("record", number, source.path)
        try:
            for name in names:
                array = reader.read()
                if array is None:
                    break
                arrays[name] = array
        except (GradcliError, MemoryError) as error:
            # Where the next one begins is not known.
            told = error if isinstance(error, GradcliError) else WorkError("not enough memory for the array")
            yield place, Record(head, {}, told)
            return
        if not arrays:
            return
        if len(arrays) < len(names):
            missing = names[len(arrays)]
            message = f"the last record has no array for {missing!r}: arrays come in the order {', '.join(names)}"
            yield place, Record(head, {}, WorkError(message))
            return
        yield place, Record(head, arrays)


def _named(path: str) -> str:
    """The beginning of an answer to what a file holds."""
    return "{" if path == STANDARD_INPUT else f'{{"file": {to_json(path)}, '


def choose_names(script: Script, shared: Sequence[str], asked: Sequence[str] | None) -> list[str]:
    """The inputs that each record gives: those asked for, or all that are not shared."""
    needed = free_names(script, [*shared, *(asked or ())])
    refuse_unused((*shared, *(asked or ())), needed, script)
    left = [name for name in needed if name not in shared]
    if asked is not None:
        both = [name for name in asked if name in shared]
        if both:
            hint = "give it with the records or for all of them, not both"
            raise GradcliError(f"the input {both[0]!r} is given twice", hint=hint)
        missing = [name for name in left if name not in asked]
        if missing:
            hint = f"add it to --name, or give it a value, as in {missing[0]}=ones(2,2)"
            raise GradcliError(f"no record gives the input {missing[0]!r}", hint=hint)
        return list(asked)
    if not left:
        hint = "use a name, as in 'sum(x**2)' for lines like {\"x\": [1, 2]}"
        raise GradcliError("the expression needs nothing from the records", hint=hint)
    return left
