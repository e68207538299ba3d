"""Signatures written as text in the rows: how a caller's arguments find their names."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from gradcli.errors import GradcliError, did_you_mean

if TYPE_CHECKING:
    from inspect import Parameter

# NumPy's words for two arguments that PyTorch names otherwise; both are understood everywhere.
_SYNONYMS = {"axis": "dim", "keepdims": "keepdim"}
_WORDS = {"None": None, "True": True, "False": False, "inf": float("inf")}
_REQUIRED = object()
_KIND = r":\s*[\w|]+\s*(=?)\s*"


class Signature:
    """The arguments of an operation, from a text such as ``input, dim=None, *, correction=1``.

    A name with a star before it takes all further positional arguments, given one by one or as one list. Names
    after a bare star are given by keyword only. An argument whose default is True or False takes nothing else. A word
    after a colon says what an argument holds, for readers and type checkers, where its name does not: `index: int`, or
    several with a bar between them. The text is read at the first call, so that a table of hundreds of rows costs
    nothing at start-up.

    >>> Signature("sum", "input, dim=None, keepdim=False").bind((1,), {"axis": 0})
    [1, 0, False]
    """

    __slots__ = ("_names", "_defaults", "_flags", "_kinds", "_star", "_positional", "function", "_text")

    def __init__(self, function: str, text: str) -> None:
        self.function = function
        self._text = text
        self._names: list[str] | None = None

    @property
    def text(self) -> str:
        """The arguments as people read them, without the words on what they hold."""
        # What a star takes may be nothing, and has no default in Python.
        return re.sub(_KIND, r"\1", self._text).replace("=(),", ",")

    def _read(self) -> list[str]:
        names: list[str] = []
        self._kinds: dict[str, str] = {}
        defaults: list[Any] = []
        self._star: str | None = None
        self._positional = -1
        for part in filter(None, (p.strip() for p in self._text.split(","))):
            name, _, default = (word.strip() for word in part.partition("="))
            name, _, kind = (word.strip() for word in name.partition(":"))
            if name == "*":
                self._positional = len(names)
                continue
            if name.startswith("*"):
                name = name[1:]
                self._star = name
                self._positional = len(names) + 1
            if kind:
                self._kinds[name] = kind
            names.append(name)
            defaults.append(_literal(default) if default else _REQUIRED)
        if self._positional < 0:
            self._positional = len(names)
        self._defaults = defaults
        self._flags = [k for k, default in enumerate(defaults) if isinstance(default, bool)]
        self._names = names
        return names

    @property
    def names(self) -> list[str]:
        """The argument names in order."""
        return self._names if self._names is not None else self._read()

    @property
    def required(self) -> list[str]:
        """The names that have no default: for most operations its tensors."""
        names = self.names
        return [n for n, d in zip(names, self._defaults, strict=True) if d is _REQUIRED and n != self._star]

    @property
    def defaults(self) -> dict[str, Any]:
        """The default of every argument that has one."""
        names = self.names
        return {n: d for n, d in zip(names, self._defaults, strict=True) if d is not _REQUIRED}

    @property
    def star(self) -> str | None:
        """The name that takes all further arguments, if there is one."""
        return self._star if self.names else None

    @property
    def by_word(self) -> list[str]:
        """The names of arguments that are given by keyword only."""
        return self.names[self._positional :]

    @property
    def parameters(self) -> list[Parameter]:
        """The arguments as `inspect` has them, annotated with the word that the text says of them, if it does."""
        # Imported here: only who asks for help needs it.
        from inspect import Parameter

        found = []
        for at, (name, default) in enumerate(zip(self.names, self._defaults, strict=True)):
            by_word = Parameter.KEYWORD_ONLY if at >= self._positional else Parameter.POSITIONAL_OR_KEYWORD
            kind = Parameter.VAR_POSITIONAL if name == self._star else by_word
            value = Parameter.empty if default is _REQUIRED or name == self._star else default
            found.append(Parameter(name, kind, default=value, annotation=self._kinds.get(name, Parameter.empty)))
        return found

    @property
    def synonyms(self) -> dict[str, str]:
        """The further words that are understood, and the arguments that they mean."""
        return {word: name for word, name in _SYNONYMS.items() if name in self.names and word not in self.names}

    def canonical(self, word: str) -> str:
        """The name of the argument that a keyword means: `dim` where NumPy's `axis` is written."""
        return word if word in self.names else _SYNONYMS.get(word, word)

    def bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Any]:
        """The argument values in the order of the names, defaults filled in."""
        names = self.names
        if not kwargs and len(args) == len(names) and self._star is None and self._positional == len(names):
            return self._checked(list(args))
        values = list(self._defaults)
        args = self._gather(args, names)
        if len(args) > self._positional:
            many = f"at most {self._positional} arguments"
            takes = {0: "no positional argument", 1: "1 argument"}.get(self._positional, many)
            raise self._error(f"takes {takes}, got {len(args)}")
        values[: len(args)] = args
        given = set(names[: len(args)])
        for word, value in kwargs.items():
            name = self.canonical(word)
            if name not in names:
                numpys = next((other for other, own in _SYNONYMS.items() if own == word and other in names), word)
                hint = did_you_mean(numpys, names) or f"it takes {', '.join(names)}"
                raise GradcliError(f"{self.function}() has no argument {word!r}", hint=hint, argument=word)
            at = names.index(name)
            if name in given:
                raise GradcliError(f"{self.function}() got {word!r} twice", argument=word)
            given.add(name)
            values[at] = value if name != self._star or isinstance(value, list | tuple) else (value,)
        for name, value in zip(names, values, strict=True):
            if value is _REQUIRED:
                raise self._error(f"needs {name!r}")
        return self._checked(values)

    def _checked(self, values: list[Any]) -> list[Any]:
        """The values, if those that must be True or False are."""
        for at in self._flags:
            if not isinstance(values[at], bool):
                # NumPy's own boolean is no Python one.
                if type(values[at]).__name__ != "bool":
                    name = self.names[at]
                    raise GradcliError(f"{self.function}(): {name} must be True or False", argument=name)
                values[at] = bool(values[at])
        return values

    def _gather(self, args: tuple[Any, ...], names: list[str]) -> tuple[Any, ...]:
        """Put the arguments of the starred name into one tuple; a single list stands for itself."""
        if self._star is None:
            return args
        at = names.index(self._star)
        rest = args[at:]
        if not rest:
            return args
        if len(rest) == 1 and isinstance(rest[0], list | tuple):
            rest = tuple(rest[0])
        return (*args[:at], rest)

    def _error(self, message: str) -> GradcliError:
        return GradcliError(f"{self.function}() {message}", hint=f"write {self.function}({self.text})")


def _literal(text: str) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    if text[0] in "'\"":
        return text[1:-1]
    if text == "()":
        return ()
    number = float(text)
    return int(number) if text.lstrip("-").isdigit() else number
