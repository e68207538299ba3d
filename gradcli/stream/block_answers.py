"""Records that came together, answered together: each has the very answer that it has alone.

To convert, compute and write takes longer to be called than for a few numbers. Where records are alike, as in most
streams, each of these is done once for all of them; what is unusual in any is left to those who go one by one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import chain
from json.encoder import encode_basestring_ascii as quoted
from typing import Any

import numpy as np

from gradcli.errors import GradcliError
from gradcli.stream.blocks import FEW, Block
from gradcli.stream.fields import FieldReader, passed_on
from gradcli.stream.plan_cache import Plans, RecordPlan

#: So many are looked at together at first: what takes long for one is told of before the others.
_AT_FIRST = 64
# Whole numbers up to here are the same whatever floating-point type they go through first.
_EXACT = 2.0**53
# What every reader of JSON reads alike.
_EXACT_KINDS = {int, str, bool, type(None)}


class BlockAnswers:
    """Answers blocks with the plans that single records have."""

    def __init__(self, reader: FieldReader, plans: Plans) -> None:
        self._reader, self._plans = reader, plans
        self._at_once = _AT_FIRST

    def pieces(self, block: Block) -> Iterator[tuple[slice, tuple[RecordPlan, bytes] | None]]:
        """Which lines of a block come next, with their plan and answers, or None where each is to go alone."""
        start, count = 0, len(block.fields)
        while start < count:
            some = slice(start, min(count, start + self._at_once))
            start = some.stop
            yield some, self._answered(block.fields[some], block)

    def _answered(self, records: list[dict[str, Any]], block: Block) -> tuple[RecordPlan, bytes] | None:
        if len(records) < FEW:
            return None
        try:
            arrays = {name: self._array([one[name] for one in records], block) for name in self._reader.names}
            heads = self._heads(records, block)
        except (KeyError, ValueError, TypeError, OverflowError, RecursionError, MemoryError):
            return None
        if heads is None or any(array is None for array in arrays.values()):
            return None
        try:
            first = {name: array[0, ...] for name, array in arrays.items()}
            plan, given = self._plans.find(first)
            if given is not first:
                # The next records may have other masks.
                return None
            self._at_once = plan.at_once
            answers = plan.answers(heads, arrays, len(records))
        except (GradcliError, MemoryError):
            return None
        return None if answers is None else (plan, answers)

    def _array(self, values: list[Any], block: Block) -> Any:
        """The values of a field, one after the other, None where each has to be looked at."""
        dtype = self._reader.floats
        array = np.array(values)
        if dtype.kind != "f" or array.dtype.kind not in "fiu" or not array.size:
            return None
        # Of NaN neither holds.
        if not (array.max() < _EXACT and array.min() > -_EXACT):
            return None
        # NumPy makes numbers of truth values that stand beside numbers.
        if block.truths and bool in set(map(type, _leaves(values))):
            return None
        return array if array.dtype == dtype else array.astype(dtype)

    def _heads(self, records: list[dict[str, Any]], block: Block) -> list[str | list[str]] | None:
        """The beginnings of all answers: what they have in common, and what they have not, by turns."""
        first, names, own = records[0], self._reader.names, self._reader.own
        passing = [key for key in first if key not in own]
        if len(passing) > 1 or len(first) > len(names) + len(passing):
            keys = tuple(first)
            if any(tuple(one) != keys for one in records):
                return None
        elif set(map(len, records)) != {len(first)}:
            return None
        found: list[str | list[str]] = ["{"]
        for key in passing:
            column = [one[key] for one in records]
            kinds = set(map(type, column))
            if not kinds <= _EXACT_KINDS and not block.exact:
                return None
            found += [f"{quoted(key)}: ", _texts(column, kinds), ", "]
        return found


def _texts(column: list[Any], kinds: set[type]) -> list[str]:
    """What `passed_on` gives for each; the shortcuts are for what is all of one kind."""
    if kinds == {int} or (kinds == {float} and all(map(math.isfinite, column))):
        return list(map(repr, column))
    return list(map(quoted if kinds == {str} else passed_on, column))


def _leaves(values: Any) -> Any:
    """All numbers in lists that are nested equally deep."""
    while values and isinstance(values[0], list):
        values = list(chain.from_iterable(values))
    return values
