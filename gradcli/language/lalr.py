"""The LALR(1) tables of the grammar: made by Lark, kept as JSON in the user's own cache directory.

Importing Lark and building takes 0.1 s, reading the tables back a millisecond. Nothing in the cache is executed, and
it is read only where no other user can have written; whatever is wrong with it, the tables are built again.
"""

from __future__ import annotations

import os
import re
import sys
import time
from functools import lru_cache
from typing import Any, NamedTuple

from gradcli.machine.regular import open_regular

# Part of the file name: raise it when the meaning of the stored tables changes.
_FORMAT = 1
_START = "program"
# A cache that is longer is none of ours.
_LONGEST = 1 << 24
_TEMPORARY = re.compile(r"expression-[0-9a-f]{8}-[0-9]+\.json\.[0-9a-f]+")
# Writing takes milliseconds; whose file is so old, in seconds, is not at it any more.
_ABANDONED = 3600


class Tables(NamedTuple):
    """What the parser runs on.

    `states` map a symbol to a step: n > 0 shifts it and goes to state n, n < 0 reduces by rule ~n, absent is an error.
    Parsing begins in state 0; shifting "$END" ends it. A rule is (what it makes, how many symbols it takes, the name
    of its action or "").
    """

    pattern: re.Pattern[str]
    ignored: frozenset[str]
    states: list[dict[str, int]]
    rules: list[tuple[str, int, str]]


@lru_cache(maxsize=1)
def tables() -> Tables:
    """The tables of `expression.lark`, from the cache or built anew."""
    grammar = _grammar()
    path = _cache_path(grammar)
    data = _read(path, grammar) if path else None
    if data is None:
        data = _build(grammar)
        if path:
            _write(path, grammar, data)
    pattern = "|".join(f"(?P<{name}>{regexp})" for name, regexp in data["terminals"])
    # The last group takes what is no token, so that every character of the source is in some match.
    return Tables(re.compile(pattern + "|(?P<STRAY>(?s:.))"), frozenset(data["ignored"]), data["states"], data["rules"])


def _grammar() -> str:
    """The text of the grammar: within the package when installed, beside it in a source checkout."""
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    installed = os.path.join(package, "grammar", "expression.lark")
    checkout = os.path.join(os.path.dirname(package), "grammar", "expression.lark")
    with open(installed if os.path.exists(installed) else checkout, encoding="utf-8") as file:
        return file.read()


def _build(grammar: str) -> dict[str, Any]:
    """The tables as plain data, from Lark's own serialized form (that of `Lark.save`)."""
    # Imported here: needed once a machine, and three times as slow as the rest of a start without NumPy.
    from lark import Lark
    from lark.grammar import Rule
    from lark.lexer import TerminalDef

    lark = Lark(grammar, parser="lalr", lexer="basic", start=_START)
    data, memo = lark.memo_serialize([TerminalDef, Rule])
    table = data["parser"]["parser"]
    rules = {key: rule for key, rule in memo.items() if rule["__type__"] == "Rule"}
    rule_numbers = {key: number for number, key in enumerate(rules)}
    start = table["start_states"][_START]
    state_numbers = {state: i for i, state in enumerate(sorted(table["states"], key=lambda s: (s != start, s)))}

    def step(action: int, argument: Any) -> int:
        return ~rule_numbers[argument["@"]] if action else state_numbers[argument]

    states = [
        {str(table["tokens"][symbol]): step(*entry) for symbol, entry in table["states"][state].items()}
        for state in state_numbers
    ]
    # Lark stops by comparing with its end state; a shift of the end to a state of its own is one rule less.
    states[state_numbers[table["end_states"][_START]]]["$END"] = len(states)
    states.append({})
    return {
        "terminals": [[terminal.name, terminal.pattern.to_regexp()] for terminal in lark.terminals],
        "ignored": list(lark.ignore_tokens),
        "states": states,
        "rules": [[str(r["origin"]["name"]), len(r["expansion"]), r["alias"] or ""] for r in rules.values()],
    }


def _cache_path(grammar: str) -> str | None:
    """The file for the tables of this grammar, or None where there is no place for one."""
    from zlib import crc32

    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA", "")
    elif sys.platform == "darwin":
        base = os.path.expanduser("~/Library/Caches")
    else:
        base = os.environ.get("XDG_CACHE_HOME", "")
        if not os.path.isabs(base):
            base = os.path.expanduser("~/.cache")
    if not os.path.isabs(base):
        return None
    return os.path.join(base, "gradcli", f"expression-{crc32(grammar.encode()):08x}-{_FORMAT}.json")


def _is_private(status: os.stat_result) -> bool:
    """Whether only this user can have written a file or directory. Windows keeps its own watch over a profile."""
    return sys.platform == "win32" or (status.st_uid == os.geteuid() and not status.st_mode & 0o022)


def _read(path: str, grammar: str) -> dict[str, Any] | None:
    """The tables in the cache, when they are whole, of this grammar and this user's own."""
    import json
    from zlib import crc32

    try:
        if not _is_private(os.stat(os.path.dirname(path))):
            return None
        with open(open_regular(path), encoding="utf-8") as file:
            # The open file is asked, not its name, which another file may have taken meanwhile.
            if not _is_private(os.fstat(file.fileno())):
                return None
            checksum, body = file.read(_LONGEST).split("\n", 1)
        if checksum != f"{crc32(body.encode()):08x}":
            return None
        stored = json.loads(body)
        return stored["tables"] if stored["grammar"] == grammar else None
    # Recursion: JSON nested without end. The cache only saves time, so no damage to it may ever stop the work.
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return None


def _write(path: str, grammar: str, data: dict[str, Any]) -> None:
    """Put the tables into the cache, whole or not at all; a cache that cannot be written is left alone."""
    import json
    from zlib import crc32

    directory = os.path.dirname(path)
    temporary = f"{path}.{os.urandom(6).hex()}"
    body = json.dumps({"grammar": grammar, "tables": data}, separators=(",", ":"))
    try:
        os.makedirs(directory, mode=0o700, exist_ok=True)
        if not _is_private(os.stat(directory)):
            return
        _sweep(directory)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError:
        return
    try:
        with open(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(f"{crc32(body.encode()):08x}\n{body}")
        os.replace(temporary, path)
    except OSError:
        _remove(temporary)


def _sweep(directory: str) -> None:
    """Remove what processes that were killed while they wrote have left."""
    for name in os.listdir(directory):
        path = os.path.join(directory, name)
        if _TEMPORARY.fullmatch(name) and time.time() - os.lstat(path).st_mtime > _ABANDONED:
            _remove(path)


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        return
