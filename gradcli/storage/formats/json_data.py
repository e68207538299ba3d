"""JSON: a number, nested lists, a field of an object; records, one an object, are a table of their fields."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from gradcli.errors import GradcliError, WorkError, utf8_text
from gradcli.machine.endings import ending_of
from gradcli.render.json import json_pieces
from gradcli.storage.file_array import FileArray
from gradcli.storage.formats.columns import chosen
from gradcli.storage.formats.pieces import LONGEST_ROW, read_some, text_of
from gradcli.storage.formats.source import Source, missing_value, refuse_large
from gradcli.storage.header import MAX_DIMENSIONS, Array, printable, unknown_key
from gradcli.storage.loading import check_limit

#: Numbers that JSON has no notation for, as words.
NON_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_PIECE = 1 << 22
# A number takes about so many times the memory of its characters while it is read.
_BLOW_UP = 4


def names(source: Source) -> list[str]:
    """The fields of an object, or of the first of several; none where the file is so large that reading takes long."""
    if source.size is None or source.size > _PIECE:
        return []
    value = _value(source)
    first = value[0] if isinstance(value, list) and value else value
    return list(first) if isinstance(first, dict) else []


def _value(source: Source) -> Any:
    """What the whole file holds."""
    text = _text(source)
    return _lines(source, text) if ending_of(source.path).startswith((".jsonl", ".ndjson")) else _parse(source, text)


def load(source: Source) -> Array:
    """The array that the file holds under its key."""
    value = _value(source)
    if source.key is not None and not _are_records(value):
        value, source = _field(source, value), source._replace(key=None)
    elif isinstance(value, dict):
        names = [printable(str(name)) for name in value]
        hint = f"name one of them: {source.path}:{names[0]}" if names else None
        raise GradcliError(f"{source.name} holds an object with {', '.join(names[:20]) or 'no fields'}", hint=hint)
    return _records(source, value) if _are_records(value) else _array(source, value, "")


def _are_records(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(type(item) is dict for item in value)


def _text(source: Source) -> str:
    """The whole text; as much of it as may be held."""
    file = text_of(source)
    if source.size is not None:
        check_limit(source.size, source.name)
    parts: list[bytes] = []
    total = 0
    while data := read_some(source, file, _PIECE):
        total += len(data)
        refuse_large(source, ((total * _BLOW_UP,), np.dtype(np.uint8)))
        parts.append(data)
    whole = b"".join(parts)
    if not whole.strip():
        raise WorkError(f"{source.name} is empty")
    return utf8_text(whole, f"cannot read {source.name}", "utf-8-sig")


def _parse(source: Source, text: str, line: int | None = None) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        told = error.msg[:1].lower() + error.msg[1:]
        place = f"line {error.lineno if line is None else line}, column {error.colno}"
        raise WorkError(f"{source.name} is not JSON: {told} ({place})") from None
    except RecursionError:
        raise _too_deep(source) from None
    except ValueError:
        raise WorkError(f"{source.name}: an integer has more digits than can be read") from None


def _too_deep(source: Source) -> WorkError:
    return WorkError(f"{source.name} is nested too deeply: lists in lists are read to {MAX_DIMENSIONS} levels")


def _lines(source: Source, text: str) -> list[Any]:
    found = []
    for number, line in enumerate(text.split("\n"), 1):
        if len(line) > LONGEST_ROW:
            raise WorkError(f"{source.name}, line {number} is longer than {LONGEST_ROW >> 20} MB")
        if line.strip():
            found.append(_parse(source, line, number))
    kinds = {type(item) is dict for item in found}
    if len(kinds) > 1:
        other = next(k for k, item in enumerate(found) if (type(item) is dict) != (type(found[0]) is dict))
        raise WorkError(f"{source.name}: record {other + 1} is of another type than the first")
    return found


def _field(source: Source, value: Any) -> Any:
    """What an object holds under the key, or under its parts: grads.x is x in grads."""
    key = left = source.key or ""
    if not key:
        if type(value) is not dict:
            hint = "without the colon, the whole file is read"
            raise GradcliError(f"{source.name}: a key is missing after the colon", hint=hint)
        if "" not in value:
            raise unknown_key(source.name, "field", key, list(value), "it has")
        return value[""]
    while left:
        if type(value) is not dict:
            raise GradcliError(f"{source.name} has no field {printable(key)!r}: {json_kind(value)} has none")
        # The longest name goes first: a name may have points itself.
        cuts = [len(left), *(k for k in range(len(left) - 1, 0, -1) if left[k] == ".")]
        cut = next((cut for cut in cuts if left[:cut] in value), None)
        if cut is None:
            names = [f"{key.removesuffix(left)}{name}" for name in value]
            raise unknown_key(source.name, "field", key, names, "it has")
        value = value[left[:cut]]
        left = left[cut + 1 :]
    return value


def _records(source: Source, records: list[dict[str, Any]]) -> Array:
    """The chosen fields of records: a matrix of numbers, or one field with an array of it for each."""
    names = list(dict.fromkeys(name for record in records for name in record))
    firsts = [next((r[name] for r in records if r.get(name) is not None), None) for name in names]
    if source.key is None:
        kinds = [value is None or isinstance(value, int | float) or _is_word(value) for value in firsts]
    else:
        kinds = [not isinstance(value, dict | str) or _is_word(value) for value in firsts]
    held = [json_kind(value) for value in firsts]
    columns = chosen(source, names, kinds, held)
    named = [names[j] for j in columns.columns]
    arrays = [_array(source, [record.get(name) for record in records], f"{name}, record ") for name in named]
    if columns.single:
        return arrays[0]
    for name, array in zip(named, arrays, strict=True):
        if array.ndim != 1:
            raise GradcliError(f"{source.name}: the field {printable(name)!r} holds lists and is chosen alone")
    return np.stack(arrays, axis=1)


def _is_word(value: Any) -> bool:
    return isinstance(value, str) and value in NON_FINITE


def _array(source: Source, value: Any, prefix: str) -> Array:
    """Nested lists of numbers as an array: integers as int64, truth values as bool, the rest as float64."""
    shape = _shape(source, value)
    flat: list[Any] = [value]
    for depth, size in enumerate(shape):
        level = []
        for k, item in enumerate(flat):
            if not isinstance(item, list) or len(item) != size:
                place = _place(k, shape[:depth], prefix)
                found = f"a list of {len(item)}" if isinstance(item, list) else json_kind(item)
                raise WorkError(f"{source.name} is ragged: {place} is {found}, and the first is a list of {size}")
            level += item
        flat = level
    kinds = set(map(type, flat))
    if kinds <= {bool} and flat:
        return np.array(flat, np.bool_).reshape(shape)
    if kinds <= {int}:
        try:
            return np.array(flat, np.int64 if flat else np.float64).reshape(shape)
        except OverflowError:
            pass
    if not kinds <= {int, float}:
        flat = [_number(source, item, k, shape, prefix) for k, item in enumerate(flat)]
    try:
        return np.array(flat, np.float64).reshape(shape)
    except OverflowError:
        raise WorkError(f"{source.name} holds an integer that is larger than any float64") from None


def _shape(source: Source, value: Any) -> tuple[int, ...]:
    shape: list[int] = []
    while isinstance(value, list):
        if len(shape) == MAX_DIMENSIONS:
            raise _too_deep(source)
        shape.append(len(value))
        if not value:
            break
        value = value[0]
    return tuple(shape)


def _number(source: Source, item: Any, index: int, shape: tuple[int, ...], prefix: str) -> float:
    if isinstance(item, int | float) and not isinstance(item, bool):
        return item
    if isinstance(item, str) and item in NON_FINITE:
        return NON_FINITE[item]
    place = _place(index, shape, prefix)
    if item is None:
        return missing_value(f"{source.name}, {place}")
    raise WorkError(f"{source.name}: {place} is {json_kind(item)}, which is not a number")


def _place(index: int, shape: tuple[int, ...], prefix: str) -> str:
    """Where in nested lists an element stands."""
    numbers = [int(k) for k in np.unravel_index(index, shape)] if shape else []
    if prefix:
        first, *rest = numbers or [0]
        return f"{printable(prefix)}{first + 1}" + "".join(f"[{k}]" for k in rest)
    return f"element [{', '.join(map(str, numbers))}]" if numbers else "the value"


def json_kind(item: Any) -> str:
    """What a value of JSON is, for messages."""
    if isinstance(item, str):
        return f"the text {item[:40]!r}"
    names = {dict: "an object", list: "a list", bool: "a truth value", type(None): "null"}
    return names.get(type(item), "a number")


def encode(array: Array | FileArray, name: str, path: str) -> Iterator[memoryview]:
    """Nested lists, on one line."""
    for piece in json_pieces(array):
        yield memoryview(piece.encode("ascii"))
    yield memoryview(b"\n")
