"""The files that a script imports, found and read: which may be, and what is said where one may not.

Only files whose names end in .grad are read, symbolic links followed first, and only below the folder of the file that
imports them or below a folder that is allowed. Nothing of any other file is told, not even whether it exists.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from typing import Any, NamedTuple

from gradcli.errors import GradcliError, Texts, WorkError, escaped, quoted, utf8_text
from gradcli.language.instructions import Import, Script
from gradcli.language.script_builder import STANDARD
from gradcli.machine.limits import having
from gradcli.machine.regular import open_regular

_ENDING = ".grad"
#: What the library of gradcli is called where a file is named.
STANDARD_TEXT = STANDARD + _ENDING
# No definitions that somebody has written are longer, nest deeper or come from more files.
_LONGEST = 1 << 20
_LONGEST_TOGETHER = 1 << 22
_DEEPEST = 16
_MOST = 64


class Importing(NamedTuple):
    """From where files are imported: the folder of the expression, as it is found and as it is called.

    `allowed` are folders below which any file is; where `nearby`, those below the folder of the importing file are too.
    """

    folder: str
    shown: str
    allowed: tuple[str, ...]
    nearby: bool


#: None where no files are imported, which is so unless somebody says otherwise.
_IMPORTING: ContextVar[Importing | None] = ContextVar("gradcli_importing", default=None)


def importing(
    folder: str, allowed: Sequence[str] = (), *, shown: str = "", nearby: bool = True
) -> AbstractContextManager[None]:
    """Within a block of this expressions import files, the expression itself being taken to lie in `folder`."""
    found = tuple([_real(one) for one in allowed])
    return having(_IMPORTING, Importing(_real(folder), shown, found, nearby))


def _real(folder: str) -> str:
    """A folder as it is found; one below which nothing can be, where the current one has been removed."""
    try:
        return os.path.realpath(folder)
    except FileNotFoundError:
        return os.devnull


def importing_from(imports: Any) -> AbstractContextManager[None]:
    """Within a block of this expressions import files of the folder that a caller has given, if one is."""
    if imports is None:
        return nullcontext()
    if not isinstance(imports, str | os.PathLike) or not isinstance(folder := os.fspath(imports), str):
        raise GradcliError("imports must be the path of a folder")
    return importing(folder)


def gathered(script: Script, read: Callable[[str], Script]) -> tuple[Texts, list[Script]]:
    """The text of a script with those of all files that it needs, and the script of each: `read` parses one.

    A file stands behind those that it imports.
    """
    files = _Files(read)
    place = _IMPORTING.get()
    targets = files.add_all(script, script.source, place.folder if place else "", place.shown if place else "", ())
    texts = Texts.of([script.source, *files.texts], ["", *files.names], [targets, *files.imports])
    return texts, [script, *files.scripts]


class _Files:
    """The files that have been read."""

    def __init__(self, read: Callable[[str], Script]) -> None:
        self.read = read
        self.place = _IMPORTING.get()
        self.texts: list[str] = []
        self.names: list[str] = []
        self.imports: list[tuple[int, ...]] = []
        self.scripts: list[Script] = []
        self.numbers: dict[str, int] = {}

    def add_all(self, script: Script, source: str, folder: str, shown: str, chain: tuple[str, ...]) -> tuple[int, ...]:
        """The numbers of the parts that the imports of a script mean, which stands in `folder`, called `shown`.

        `chain` are the files that led here. They are at most so many, so that this may recurse.
        """
        numbers = []
        for one in script.imports:
            try:
                numbers.append(self._add(one, folder, shown, chain))
            except GradcliError as error:
                if error.source is None:
                    error.source, error.span = source, one.place
                raise
        return tuple(numbers)

    def _add(self, one: Import, folder: str, shown: str, chain: tuple[str, ...]) -> int:
        """The number of the part that is imported, which is read unless it has been."""
        path, name = self._find(one.target, folder, shown)
        if path in chain:
            circle = [os.path.basename(link) for link in (*chain[chain.index(path) :], path)]
            told = f"{circle[0]} imports {', which imports '.join(circle[1:])}"
            raise GradcliError(f"circular import: {escaped(told)}")
        if path in self.numbers:
            return self.numbers[path]
        if len(chain) >= _DEEPEST:
            raise GradcliError(f"imports are nested more than {_DEEPEST} deep")
        if len(self.texts) + len(chain) >= _MOST:
            raise GradcliError(f"more than {_MOST} files are imported")
        text = _text_of(path, one.target)
        if sum(map(len, self.texts)) + len(text) > _LONGEST_TOGETHER:
            raise GradcliError(f"the files that are imported have more than {_LONGEST_TOGETHER >> 20} MiB together")
        # Errors say in which file they are.
        source = Texts.of([text], [name], [()])
        try:
            script = self.read(text)
        except GradcliError as error:
            error.source = source
            raise
        imports = self.add_all(script, source, os.path.dirname(path), os.path.dirname(name), (*chain, path))
        self.texts.append(text)
        self.names.append(name)
        self.imports.append(imports)
        self.scripts.append(script)
        self.numbers[path] = len(self.texts)
        return self.numbers[path]

    def _find(self, target: str, folder: str, shown: str) -> tuple[str, str]:
        """The path of what a file in `folder` imports, and what it is called; GradcliError where that may not be."""
        if target in (STANDARD, STANDARD_TEXT):
            return _standard(), STANDARD_TEXT
        if not target.endswith(_ENDING) or "\0" in target:
            hint = f"definitions stand in files whose names end in {_ENDING}; {STANDARD} is the library of gradcli"
            raise GradcliError(f"{quoted(target)} cannot be imported", hint=hint)
        if self.place is None or not (self.place.nearby or self.place.allowed):
            hint = f"--allow-import DIR allows it, imports=DIR in Python; {STANDARD} can be imported everywhere"
            raise GradcliError("no files are imported here", hint=hint)
        path = os.path.realpath(os.path.join(folder, target))
        within = [*self.place.allowed, *([folder] if self.place.nearby else [])]
        if not any(path.startswith(os.path.join(one, "")) for one in within):
            where = "the folder of what imports it" if self.place.nearby else "every folder that is allowed"
            raise GradcliError(f"{quoted(target)} lies outside {where}", hint="--allow-import DIR allows a folder")
        if not path.endswith(_ENDING):
            raise GradcliError(f"{quoted(target)} is a link to a file whose name does not end in {_ENDING}")
        return path, escaped(os.path.normpath(os.path.join(shown, target)))


def standard_text() -> str:
    """The library of gradcli in its own language."""
    return _text_of(_standard(), STANDARD)


def standard_names() -> list[str]:
    """The functions that it has."""
    return re.findall(r"^([^\W_]\w*)\(", standard_text(), re.MULTILINE)


def _standard() -> str:
    return os.path.join(os.path.dirname(os.path.realpath(__file__)), STANDARD_TEXT)


def _text_of(path: str, target: str) -> str:
    """The text of a file of definitions."""
    what = f"cannot import {quoted(target)}"
    try:
        with open(open_regular(path), "rb") as file:
            data = file.read(_LONGEST + 1)
    except OSError as error:
        raise WorkError(f"{what}: {error.strerror or error}") from None
    if len(data) > _LONGEST:
        raise WorkError(f"{what}: it is too long", hint=f"at most {_LONGEST >> 20} MiB are read")
    return utf8_text(data, what)
