"""The LALR(1) tables of the grammar: made by Lark, kept as JSON in the user's own cache directory.

Importing Lark and building takes 0.1 s, reading the tables back a millisecond. Nothing in the cache is executed, and
it is read only where no other user can have written; whatever is wrong with it, the tables are built again.
"""

from __future__ import annotations

import os
import re
from functools import lru_cache
from typing import Any, NamedTuple

from gradcli.machine.own_cache import read_cached, write_cached

# Part of the file name: raise it when the meaning of the stored tables changes.
_FORMAT = 1
_START = "program"
# A cache that is longer is none of ours.
_LONGEST = 1 << 24


class Tables(NamedTuple):
    """What the parser runs on.

    `states` map a symbol to a step: n > 0 shifts it and goes to state n, n < 0 reduces by rule ~n, absent is an error.
    Parsing begins in state 0; shifting "$END" ends it. A rule is (what it makes, how many symbols it takes, the name
    of its action or ""). `reached` keeps the states that the parser finds by following several steps.
    """

    pattern: re.Pattern[str]
    ignored: frozenset[str]
    states: list[dict[str, int]]
    rules: list[tuple[str, int, str]]
    reached: dict[tuple[int, str, str], int]


@lru_cache(maxsize=1)
def tables() -> Tables:
    """The tables of `expression.lark`, from the cache or built anew."""
    grammar = _grammar()
    data = _read(grammar)
    if data is None:
        data = _build(grammar)
        _write(grammar, data)
    pattern = "|".join(f"(?P<{name}>{regexp})" for name, regexp in data["terminals"])
    # The last group takes what is no token, so that every character of the source is in some match.
    regexp = re.compile(pattern + "|(?P<STRAY>(?s:.))")
    return Tables(regexp, frozenset(data["ignored"]), data["states"], data["rules"], {})


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


def _name(grammar: str) -> str:
    """The file for the tables of this grammar."""
    from zlib import crc32

    return f"expression-{crc32(grammar.encode()):08x}-{_FORMAT}.json"


def _read(grammar: str) -> dict[str, Any] | None:
    """The tables in the cache, if they are of this grammar."""
    import json

    body = read_cached(_name(grammar), _LONGEST)
    if body is None:
        return None
    try:
        stored = json.loads(body)
        return stored["tables"] if stored["grammar"] == grammar else None
    # Recursion: JSON nested without end. The cache only saves time, so no damage to it may ever stop the work.
    except (ValueError, LookupError, TypeError, RecursionError):
        return None


def _write(grammar: str, data: dict[str, Any]) -> None:
    import json

    write_cached(_name(grammar), json.dumps({"grammar": grammar, "tables": data}, separators=(",", ":")).encode())
