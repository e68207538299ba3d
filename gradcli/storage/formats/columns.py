"""Which columns of a table are meant, by name or by number."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from typing import NamedTuple

from gradcli.errors import GradcliError, WorkError
from gradcli.machine.limits import tell
from gradcli.storage.formats.source import Source
from gradcli.storage.header import printable, unknown_key


class Chosen(NamedTuple):
    """The columns to read, by number; `single` is one that was named, and becomes a vector."""

    columns: list[int]
    single: bool


def chosen(source: Source, names: Sequence[str], numeric: Sequence[bool], texts: Sequence[str]) -> Chosen:
    """The columns that the key means, or all that are numeric: the others are left out with a note.

    `texts` says for each that is not numeric what it holds, for when it is named.
    """
    if source.key is None:
        found = [j for j, number in enumerate(numeric) if number]
        if not found:
            raise WorkError(f"{source.name} has no numeric columns")
        left = [f"{names[j]!r}" for j, number in enumerate(numeric) if not number]
        if left:
            more = f" and {len(left) - 10} more" if len(left) > 10 else ""
            listed = ", ".join(left[:10]) + more
            tell(f"{source.name}: left out {listed}, which {'is' if len(left) == 1 else 'are'} not numeric")
        return Chosen(found, False)
    columns = [_find(source, part, names) for part in _parts(source.key, names)]
    for j in columns:
        if not numeric[j]:
            raise GradcliError(f"{source.name}: the column {printable(names[j])!r} holds {texts[j]}")
    return Chosen(columns, len(columns) == 1)


def _parts(key: str, names: Sequence[str]) -> list[str]:
    """The names in a key; quotes as in CSV stand around one that has a comma."""
    if key in names:
        return [key]
    try:
        return next(csv.reader([key], strict=True), []) or [""]
    except csv.Error:
        return key.split(",")


def _find(source: Source, name: str, names: Sequence[str]) -> int:
    """The number of a column; a name goes before a number."""
    count = names.count(name)
    if count > 1:
        hint = f"choose one by its number, as in {source.name}:{names.index(name)}"
        raise GradcliError(f"{source.name} has {count} columns called {printable(name)!r}", hint=hint)
    if count:
        return names.index(name)
    if name.isascii() and name.isdigit() and len(name) < 10 and int(name) < len(names):
        return int(name)
    stripped = name.strip()
    if stripped != name:
        return _find(source, stripped, names)
    raise unknown_key(source.name, "column", name, names, "there are")
