"""A line of JSON: the fields that are inputs become arrays, the others pass through."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from json import JSONDecodeError, JSONDecoder, dumps
from json.encoder import encode_basestring_ascii as quoted
from typing import Any, NamedTuple

import numpy as np

from gradcli.engine.execute.run import execute
from gradcli.errors import GradcliError, WorkError, did_you_mean, told_of
from gradcli.graph.arguments import list_array
from gradcli.graph.dtypes import BOOL, DEFAULT_DTYPE, DTYPES
from gradcli.graph.node import fitted
from gradcli.graph.op import OPS
from gradcli.machine.composed import composed
from gradcli.render.json import to_json
from gradcli.storage.formats.json_data import NON_FINITE, json_kind
from gradcli.storage.formats.source import missing_value

# What the answer itself has; a field of an earlier answer gives way.
_ANSWER = ("value", "grads")
# And what the report of an error has.
_REPORT = ("file", "line", "error")


class Record(NamedTuple):
    """What came in: the arrays by name, or an error; `head` is the beginning of the answer, up to its own fields.

    `fields` are all fields of a line, of which those that are not its `own` pass through. `whole` is the report of an
    error that an earlier command has written: it passes through.
    """

    head: str
    arrays: dict[str, Any]
    error: GradcliError | None = None
    fields: dict[str, Any] | None = None
    own: tuple[str, ...] = ()
    whole: str | None = None

    def report_head(self, with_file: bool) -> str:
        """The beginning of a report, whose own fields take the place of the record's; `file` only where it has one."""
        if self.fields is None:
            return self.head
        return _head(self.fields, (*self.own, *(_REPORT if with_file else _REPORT[1:])))


class FieldReader:
    """Reads lines with the fields `names`; numbers become `dtype`, or the default dtype where that is None."""

    def __init__(self, names: Sequence[str], dtype: str | None) -> None:
        self.names = list(names)
        self._composes = not all(map(str.isascii, names))
        #: The fields that do not pass through.
        self.own = (*names, *_ANSWER)
        self.dtype = None if dtype is None else DTYPES[dtype]
        #: What plain numbers become at once where it is a floating-point type; the others look at each.
        self.floats = self.dtype if self.dtype is not None else DEFAULT_DTYPE.get()
        self._decode = JSONDecoder().raw_decode

    def known(self, keys: Sequence[str]) -> list[str]:
        """Names of fields: those of inputs as expressions have them, unless there is one already."""
        if not self._composes:
            return list(keys)
        return [name if (name := composed(key)) in self.names and name not in keys else key for key in keys]

    def replaced(self, names: Sequence[str]) -> list[str]:
        """Of names that are no inputs, those whose place the answer's own fields take."""
        return [name for name in names if name in _ANSWER and name not in self.names]

    def read(self, text: str) -> Record:
        """The record of a line that is not blank; the caller silences NumPy's warnings."""
        try:
            fields, end = self._decode(text)
            if end != len(text):
                raise GradcliError(f"this is not JSON: more follows after the value (column {end + 1})")
        except GradcliError as error:
            return Record("{", {}, error)
        except (ValueError, RecursionError, MemoryError) as error:
            return Record("{", {}, _not_json(error))
        if type(fields) is not dict:
            if len(self.names) != 1 or not isinstance(fields, list | int | float):
                example = ", ".join([f'"{name}": [1, 2]' for name in self.names])
                hint = f"a line is an object, as in {{{example}}}"
                return Record("{", {}, GradcliError(f"this is {json_kind(fields)}, not an object", hint=hint))
            fields = {self.names[0]: fields}
        return self.record(fields)

    def record(self, fields: dict[str, Any]) -> Record:
        """The record of fields that have been read."""
        if self._composes:
            fields = dict(zip(self.known(tuple(fields)), fields.values(), strict=True))
        try:
            return self._record(fields)
        except MemoryError as error:
            return Record("{", {}, _not_json(error))
        except GradcliError as error:
            if isinstance(fields.get("error"), str | dict) and not any(name in fields for name in self.names):
                whole = _head(fields, ()).removesuffix(", ") + "}"
                report = fields["error"]
                message = report.get("message") if isinstance(report, dict) else report
                told = f"an earlier command reports: {message if isinstance(message, str) else report}"
                return Record("", {}, GradcliError(told), whole=whole)
            return Record("", {}, error, fields, self.own)

    def _record(self, fields: dict[str, Any]) -> Record:
        arrays = {}
        for name in self.names:
            if name not in fields:
                raise GradcliError(f"the field {name!r} is missing", hint=_close(name, tuple(fields)))
            value = fields[name]
            try:
                array: Any = np.array(value)
            except (ValueError, TypeError, OverflowError, RecursionError):
                array = self._carefully(value, name)
            else:
                if self.floats.kind == "f" and array.dtype.kind in "fiu":
                    if array.dtype is not self.floats:
                        array = array.astype(self.floats)
                elif array.dtype is not BOOL or self.dtype is not None:
                    array = self._carefully(value, name)
            arrays[name] = array
        if len(fields) == len(arrays):
            return Record("{", arrays)
        return Record(_head(fields, self.own, strict=True), arrays, None, fields, self.own)

    def _carefully(self, value: Any, name: str) -> Any:
        """The array of a value with anything unusual in it: words for numbers that are not finite, huge integers."""
        with told_of(f"in the field {name}"):
            numbers, shape = _numbers(value)
            if self.dtype is not None:
                if not shape:
                    return fitted(numbers[0], self.dtype)
                return execute([OPS["tensor"](numbers, self.dtype)])[0].reshape(shape)
            if numbers and all(type(item) is bool for item in numbers):
                return np.array(numbers, BOOL).reshape(shape)
            return np.array([fitted(item, self.floats) for item in numbers], self.floats).reshape(shape)


@lru_cache(maxsize=16)
def _close(name: str, fields: tuple[str, ...]) -> str | None:
    """A hint for a field that is missing: many lines may lack it."""
    return did_you_mean(name, list(fields[:100]))


def _not_json(error: Exception) -> GradcliError:
    if isinstance(error, MemoryError):
        return WorkError("not enough memory for the line")
    if isinstance(error, RecursionError):
        return GradcliError("this is nested too deeply")
    if isinstance(error, JSONDecodeError):
        told = error.msg[:1].lower() + error.msg[1:]
        hint = "each line is a JSON object of its own; --format csv reads a table" if not error.pos else None
        return GradcliError(f"this is not JSON: {told} (column {error.pos + 1})", hint=hint)
    return GradcliError("an integer has more digits than can be read")


def _numbers(value: Any) -> tuple[list[Any], tuple[int, ...]]:
    """The numbers of a nested list, and its shape."""
    if not isinstance(value, list):
        return [_number(value)], ()
    try:
        whole = np.array(value, dtype=object)
    except (ValueError, RecursionError):
        whole = None
    items: list[Any] = [] if whole is None else whole.ravel().tolist()
    if whole is None or any(isinstance(item, list) for item in items):
        list_array(value)
        raise GradcliError("ragged list: numbers and lists are mixed at one level")
    return [_number(item) for item in items], whole.shape


def _number(item: Any) -> Any:
    if isinstance(item, int | float):
        return item
    if isinstance(item, str) and item in NON_FINITE:
        return NON_FINITE[item]
    if item is None:
        return missing_value()
    raise GradcliError(f"{json_kind(item)} is not a number")


def _head(fields: dict[str, Any], without: Sequence[str], strict: bool = False) -> str:
    """The fields that pass through, as the beginning of an object; with `strict` each of them, or a GradcliError."""
    parts = ["{"]
    for key, item in fields.items():
        if key in without:
            continue
        try:
            text = passed_on(item)
        except RecursionError:
            if strict:
                raise GradcliError(f"the field {key!r} is nested too deeply") from None
            continue
        parts.append(f"{quoted(key)}: {text}, ")
    return "".join(parts)


def passed_on(item: Any) -> str:
    """The text of a field that passes through."""
    kind = type(item)
    if kind is str:
        return quoted(item)
    if kind is int:
        return repr(item)
    try:
        return dumps(item, allow_nan=False)
    except ValueError:
        return to_json(item)
