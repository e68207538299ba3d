"""Lines that came together as objects: JSON is read once for all of them."""

from __future__ import annotations

import re
from functools import cached_property
from json import JSONDecoder
from typing import Any

from gradcli.errors import GradcliError
from gradcli.render.fast_json import fast_json

#: Fewer lines are done one by one.
FEW = 4
# Where one object follows another one: in a line of its own it is one of several.
_SEVERAL = re.compile(rb"\}\s*,\s*\{")
# What other readers of JSON than Python's round to a float.
_LONG = re.compile(rb"\d{19}")
_DECODE = JSONDecoder().decode


class Block:
    """The objects of neighbouring lines, one each, and the lines themselves. What holds for all is found out once."""

    def __init__(self, fields: list[dict[str, Any]], data: bytes) -> None:
        self.fields = fields
        self._data = data

    @cached_property
    def lines(self) -> list[str]:
        """The lines as text."""
        return [line.strip() for line in self._data.decode().split("\n")]

    @cached_property
    def truths(self) -> bool:
        """Whether there may be truth values."""
        return b"true" in self._data or b"false" in self._data

    @cached_property
    def exact(self) -> bool:
        """Whether integers are surely what they were, of any length."""
        return fast_json() is None or not _LONG.search(self._data)


def block_of(data: bytes) -> Block | None:
    """The objects that lines hold, one each; None where there may be anything else."""
    count = data.count(b"\n") + 1
    if count < FEW or data[:1] != b"{" or data.count(b"\n{") != count - 1:
        return None
    # Each line begins with an object. Where no other one can begin at the same level, and as many are read, each ends
    # where its line does.
    if data.count(b"{") != count and _SEVERAL.search(data):
        return None
    text = b"[%b]" % data.replace(b"\n", b",\n")
    fast = fast_json()
    try:
        found = _DECODE(text.decode()) if fast is None else fast.loads(text)
    except (ValueError, RecursionError, MemoryError, GradcliError):
        return None
    if len(found) != count or set(map(type, found)) != {dict}:
        return None
    return Block(found, data)
