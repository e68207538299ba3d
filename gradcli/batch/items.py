"""Patterns, folders and lists of files as items: the files of several inputs matched by their stems."""

from __future__ import annotations

import os
from codecs import BOM_UTF8
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from gradcli.errors import GradcliError, WorkError, unable_to
from gradcli.machine.endings import ending_of, is_url, split_key

# What a folder is searched for first; without any of these, for all that can be read.
_ARRAYS = (".npy", ".npz")
_WILD = frozenset("*?[")
# A message names so many items, and says how many more there are.
_NAMED = 5
# A list of more bytes than this is no list of paths.
_LONGEST_LIST = 1 << 32


class Pattern(NamedTuple):
    """The files of an input, one for each item: `kind` is "glob", "folder" or "list", `key` an array in archives."""

    kind: str
    path: str
    key: str | None = None


def pattern_of(value: str) -> Pattern | None:
    """How a VALUE gives one file for each item; None for a plain file or a literal, which all items share.

    >>> pattern_of("data/*.npy")
    Pattern(kind='glob', path='data/*.npy', key=None)
    >>> pattern_of("ones(2, 2)")
    """
    if value.startswith("@@"):
        return Pattern("list", value[2:])
    named = value.startswith("@")
    path, key = split_key(value.removeprefix("@"))
    if path.endswith(("/", os.sep)) or (os.path.isdir(path) and (named or not _is_number(path))):
        return Pattern("folder", path)
    named = named or path.startswith(("/", "./", "../", "~/"))
    if path.startswith("~/"):
        path = os.path.expanduser(path)
    if (named or ending_of(path)) and not _WILD.isdisjoint(path) and not os.path.lexists(path):
        return Pattern("glob", path, key)
    return None


def _is_number(text: str) -> bool:
    """Whether this is rather a number or a constant than a folder of this name in the current one."""
    return text[:1].isdigit() or text in ("e", "pi", "inf", "nan")


class Paths:
    """The files of an input by item; kept as what they have in common around the stems where that is all there is."""

    def __init__(self, stems: Sequence[str], paths: Sequence[str]) -> None:
        self._stems = stems
        prefix, _, suffix = paths[0].rpartition(stems[0]) if paths else ("", "", "")
        common = all(path == f"{prefix}{stem}{suffix}" for stem, path in zip(stems, paths, strict=True))
        self._prefix, self._suffix = prefix, suffix
        self._paths = None if common else list(paths)

    def __getitem__(self, index: int) -> str:
        return f"{self._prefix}{self._stems[index]}{self._suffix}" if self._paths is None else self._paths[index]


class Items(NamedTuple):
    """What a batch goes through: the items' names in order, and the files of each input."""

    stems: list[str]
    inputs: dict[str, Paths]

    def paths(self, index: int) -> tuple[str, ...]:
        """The files of an item, one for each input."""
        return tuple([paths[index] for paths in self.inputs.values()])


def find_items(patterns: dict[str, Pattern]) -> Items:
    """The items that the patterns of several inputs have in common.

    They are in the order of the first list of files, or sorted where there is none. An item that some input lacks and
    two files of one stem are errors, as is a pattern without files.
    """
    found = {name: _by_stem(name, _files(pattern)) for name, pattern in patterns.items()}
    lists = [name for name, pattern in patterns.items() if pattern.kind == "list"]
    stems = list(found[lists[0]]) if lists else sorted(next(iter(found.values())))
    _refuse_gaps(found)
    return Items(stems, {name: Paths(stems, [paths[stem] for stem in stems]) for name, paths in found.items()})


def _files(pattern: Pattern) -> list[str]:
    """The files of a pattern, each once."""
    if pattern.kind == "list":
        return _listed(pattern.path)
    if is_url(pattern.path):
        hint = "list the URLs in a file, one per line, as in x=@@list.txt"
        raise GradcliError(f"URLs cannot be searched: {pattern.path}", hint=hint)
    if pattern.kind == "folder":
        with unable_to(f"read the folder {pattern.path}"), os.scandir(pattern.path) as entries:
            readable = [e.name for e in entries if ending_of(e.name) and not e.name.startswith(".")]
        if not readable:
            raise WorkError(f"the folder {pattern.path} holds no .npy files")
        names = [name for name in readable if name.endswith(_ARRAYS)] or readable
        return [os.path.join(pattern.path, name) for name in names]
    # A pattern without an ending matches folders, too.
    paths = [path for path in _matching(pattern.path) if ending_of(path) or not os.path.isdir(path)]
    if not paths:
        raise WorkError(f"no file matches {pattern.path}")
    return [f"{path}:{pattern.key}" for path in paths] if pattern.key is not None else paths


def _matching(pattern: str) -> list[str]:
    """What matches a pattern, all folders on the way having been read: `glob` leaves out those that it cannot read."""
    # Imported here: only patterns need it.
    from glob import glob

    parts = pattern.split("/")
    first = next(k for k, part in enumerate(parts) if not _WILD.isdisjoint(part))
    for k in range(first, len(parts)):
        before = parts[: k + 1] if parts[k] == "**" else parts[:k]
        for folder in glob("/".join([*before, ""]), recursive=True) if before else ["."]:
            _check_readable(folder, names=not _WILD.isdisjoint(parts[k]))
    return glob(pattern, recursive=True)


def _check_readable(folder: str, names: bool) -> None:
    """Refuse a folder that cannot be searched, for all its `names` or for a single one."""
    try:
        with unable_to(f"read the folder {folder}"):
            os.stat(os.path.join(folder, "."))
            if names:
                os.scandir(folder).close()
    except WorkError as error:
        error.hint = "a list of files, as in x=@@list.txt, says which are meant"
        raise


def _listed(path: str) -> list[str]:
    """The paths in a file, one a line; blank lines are left out."""
    from gradcli.storage.header import shown
    from gradcli.storage.loading import open_file, reading

    with reading(path), open_file(path) as file:
        data = file.read(_LONGEST_LIST)
    if b"\0" in data:
        raise WorkError(f"{shown(path)} is not a list of files: it holds bytes that no path can have")
    paths = [os.fsdecode(line) for line in data.removeprefix(BOM_UTF8).splitlines() if line.strip()]
    if not paths:
        raise WorkError(f"{shown(path)} lists no files")
    return [path.removeprefix("@") for path in paths]


def _by_stem(name: str, paths: Iterable[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    twice: list[str] = []
    for path in paths:
        stem = stem_of(path)
        twice += [stem] if stem in found else []
        found[stem] = path
    if twice:
        stem = twice[0]
        more = f", and {len(twice) - 1} more" if len(twice) > 1 else ""
        hint = f"items are named after their files without the extension; two files are called {stem}{more}"
        raise GradcliError(f"{name} has several files for the item {stem!r}", hint=hint)
    return found


def stem_of(path: str) -> str:
    """The item that a file belongs to: its name without the ending.

    >>> stem_of("data/mon.npy"), stem_of("data/mon.npz:x")
    ('mon', 'mon')
    """
    name = os.path.basename(split_key(path)[0])
    ending = ending_of(name)
    return name[: -len(ending)] if ending else os.path.splitext(name)[0]


def _refuse_gaps(found: dict[str, dict[str, str]]) -> None:
    """Refuse items that are not there for every input."""
    everything = set().union(*found.values())
    gaps = []
    for name, paths in found.items():
        missing = sorted(everything.difference(paths))
        if missing:
            more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
            gaps.append(f"{name} has no file for {', '.join(missing[:_NAMED])}{more}")
    if gaps:
        hint = "inputs are matched by their file names without the extension"
        raise GradcliError(f"the inputs have different items: {'; '.join(gaps)}", hint=hint)
