"""The value of an input as it is written on a command line: a file, or an expression without names."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from gradcli.errors import GradcliError, UnknownNameError, told_of
from gradcli.language.parse import EXPRESSION, parse
from gradcli.machine.endings import foreign_ending, is_data, is_url

if TYPE_CHECKING:
    from gradcli.storage import Look

# No expression begins like these.
_PATHS = ("@", "/", "./", "../", "~/")
_COLON = re.compile(":")
_HINT = "a value is a number, a list, a call such as ones(2,2), or a file: @PATH, x.npy or x.csv"


def is_file(value: str) -> bool:
    """Whether a VALUE names a file, and is no expression."""
    return value.startswith(_PATHS) or is_url(value) or is_data(value) or foreign_ending(value) is not None


def split_outside(text: str, mark: re.Pattern[str] = _COLON) -> list[str]:
    """The parts of a text between the signs that stand in no brackets and begin a `mark`.

    >>> split_outside("-1:x[0:2]:3")
    ['-1', 'x[0:2]', '3']
    """
    parts: list[str] = []
    begin = depth = 0
    for k, character in enumerate(text):
        depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(character, 0)
        if not depth and mark.match(text, k):
            parts.append(text[begin:k])
            begin = k + 1
    return [*parts, text[begin:]]


# Numbers with commas and parentheses.
_NUMBERS = re.compile(r"[\s\d.,eE+()-]*")
_LONGEST_READ, _LONGEST_SHOWN = 10_000, 60


class InputValue(NamedTuple):
    """The value of an input: a file (`path`) or an expression without free names (`text`)."""

    name: str
    path: str | None
    text: str | None

    @classmethod
    def written(cls, name: str, value: str) -> InputValue:
        """What a VALUE stands for; mistakes in it are reported before anything is read or computed."""
        if is_file(value):
            path = value.removeprefix("@")
            # Shells do that only where a word begins so.
            return cls(name, os.path.expanduser(path) if path.startswith("~/") else path, None)
        with _value_of(name, value):
            parse(value, EXPRESSION)
        return cls(name, None, value)

    def load(self, dtype: str | None) -> Any:
        """The array, read or computed, or the file opened when it is large; literals take `dtype` when one is given."""
        if self.path is not None:
            from gradcli.storage import open_array

            return open_array(self.path)
        from gradcli.evaluation.values import literal_array

        assert self.text is not None
        with _value_of(self.name, self.text):
            return literal_array(self.text, dtype)

    def look(self, dtype: str | None) -> Look:
        """What `load` would give, without its elements: of a file, only the header is read."""
        from gradcli.storage import Look, look_at

        if self.path is not None:
            return look_at(self.path)
        from gradcli.evaluation.values import literal_node

        assert self.text is not None
        with _value_of(self.name, self.text):
            node = literal_node(self.text, dtype)
        return Look(node.shape, node.dtype, node.strides is None, False)


@contextmanager
def _value_of(name: str, text: str) -> Iterator[None]:
    """Within this block errors are about the value of an input."""
    with told_of(f"in the value of {name}"):
        try:
            yield
        except UnknownNameError as error:
            error.hint = _meant_as_path(name, text) or _HINT
            raise
        except GradcliError as error:
            meant = _as_list(text)
            if meant is not None:
                shown = meant if len(meant) <= _LONGEST_SHOWN else "[...]"
                error.hint = f"a list is written in brackets: {_given(name)}'{shown}'"
            else:
                error.hint = _meant_as_path(name, text) or error.hint
            raise


def _given(name: str) -> str:
    """What stands before a value: the name of an input, or an option."""
    return f"{name}{' ' if name.startswith('-') else '='}"


def _meant_as_path(name: str, text: str) -> str | None:
    """A hint where what is no expression is the name of a file, or of standard input."""
    if text.strip() == "-":
        return f"a .npy on standard input is written {_given(name)}@-"
    if len(text) > _LONGEST_SHOWN or "\0" in text:
        return None
    if os.path.isfile(text):
        return f"a file is written with an @: {_given(name)}@{text}"
    if os.path.isdir(text):
        return f"{text} is a folder: name a file in it; `gradcli batch` takes all of them"
    return None


def _as_list(text: str) -> str | None:
    """The list that 1,2,3 or (1,2,3) is meant to be; None for a text that is neither.

    >>> _as_list("1, 2"), _as_list("((1, 2), (3, 4))"), _as_list("sum(1, 2)")
    ('[1, 2]', '[[1, 2], [3, 4]]', None)
    """
    if "," not in text or len(text) > _LONGEST_READ or _last(f"({text})") != "tuple":
        return None
    inner = text.strip()
    if _NUMBERS.fullmatch(inner):
        inner = inner.replace("(", "[").replace(")", "]")
    elif _last(inner) == "tuple":
        inner = f"[{inner[1:-1]}]"
    return inner if _last(inner) == "list" else f"[{inner}]"


def _last(text: str) -> str | None:
    """The last step of an expression, None where a text is none."""
    try:
        return parse(text, EXPRESSION).statements[-1].code[-1].op
    except GradcliError:
        return None
