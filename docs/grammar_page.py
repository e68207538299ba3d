"""`docs/grammar.md`: the grammar as EBNF, from `grammar/expression.lark`. `python docs/generate.py` writes it.

Lists, which are left-recursive for Lark, become repetitions; terminals become what they match, where that is short.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

GRAMMAR = Path(__file__).resolve().parent.parent / "grammar" / "expression.lark"
HEADER = """<!-- Written by docs/generate.py from grammar/expression.lark. Edit that file instead. -->

# The grammar

These rules define the syntax that [language.md](language.md) explains. `?` means optional, `*` any number, `+` at least
one, `|` an alternative; quoted text is literal, and `[0-9a-f]` is one of these characters. A letter is one of any
alphabet, or `_`. The longest terminal that matches is taken. `IGNORED` may appear between terminals; inside parentheses
and square brackets, so may line ends, which do not separate statements there. The parser's tables are made from
[the same rules](../grammar/expression.lark).

```text
"""

# Alternatives that are read for the sake of a better error.
_REFUSED = frozenset({"bare_tuple"})
_RULE = re.compile(r"^\??(\w+):(.*(?:\n[ \t]+.*)*)", re.MULTILINE)
_TERMINAL = re.compile(r"^([A-Z]+): /(.*)/$", re.MULTILINE)
_CLASSES = {r"[^\W\d]": "letter", r"\w": "(letter | digit)"}
_ESCAPES = {"n": "\\n", "t": "\\t", "f": "\\f", "r": "\\r"}
_WIDTH = 100
# What is longer has a line of its own.
_SHORT = 24


class _Rule(NamedTuple):
    name: str
    alternatives: list[list[str]]
    comment: str


def grammar_page() -> str:
    """The page."""
    text = GRAMMAR.read_text(encoding="utf-8")
    terminals = {name: _Pattern(pattern).alternatives() for name, pattern in _TERMINAL.findall(text)}
    short = {name: _grouped(forms) for name, forms in terminals.items() if _is_short(forms)}
    rules = list(_rules(text))
    # A rule that is one terminal is there for its action.
    short |= {
        rule.name: short[rule.alternatives[0][0]] for rule in rules if rule.alternatives in [[[t]] for t in short]
    }
    lines: list[str] = []
    for rule in rules:
        if rule.name not in short:
            lines += [f"/* {rule.comment} */"] if rule.comment else []
            lines += [*_laid_out(rule.name, _alternatives(rule, short)), ""]
    for name, forms in terminals.items():
        if name not in short:
            lines += _laid_out(name, forms)
    return HEADER + "\n".join(lines) + "\n```\n"


def _rules(text: str) -> Iterator[_Rule]:
    """The rules, each with the comment above it."""
    for match in _RULE.finditer(text):
        name, body = match.groups()
        if name.isupper():
            continue
        above = text[: match.start()].rstrip("\n").splitlines()
        comment = above[-1].removeprefix("// ") if text[: match.start()].endswith("\n") and above[-1:] else ""
        comment = comment if above and above[-1].startswith("//") and not text[: match.start()].endswith("\n\n") else ""
        alternatives = []
        for line in body.split("|") if "/" not in body else [body]:
            words, _, alias = line.partition("->")
            if alias.strip() not in _REFUSED:
                alternatives.append(words.split())
        yield _Rule(name, alternatives, comment.rstrip("."))


def _alternatives(rule: _Rule, short: dict[str, str]) -> list[str]:
    """The alternatives as they are written: those that begin with the rule itself are what may follow, repeatedly."""

    def written(words: list[str]) -> str:
        return " ".join(short.get(word, word) for word in words)

    first = [written(words) for words in rule.alternatives if words and words[0] != rule.name]
    more = [written(words[1:]) for words in rule.alternatives if words and words[0] == rule.name]
    first, more = list(dict.fromkeys(first)), list(dict.fromkeys(more))
    if [] in rule.alternatives:
        return [f"({' | '.join(first)})?" if len(first) > 1 or " " in first[0] else f"{first[0]}?"]
    if not more:
        return first
    start = first[0] if len(first) == 1 else f"({' | '.join(first)})"
    return [f"{start} ({more[0]})*"] if len(more) == 1 else [start, *(f"  {part}" for part in more)]


def _laid_out(name: str, alternatives: list[str]) -> list[str]:
    """A rule on one line, or an alternative a line."""
    repeated = [part.strip() for part in alternatives if part.startswith("  ")]
    if repeated:
        head, indent = f"{name} ::= {alternatives[0]} (", " " * (len(name) + 7)
        return [head + repeated[0], *(f"{indent}| {part}" for part in repeated[1:-1]), f"{indent}| {repeated[-1]})*"]
    line = f"{name} ::= {' | '.join(alternatives)}"
    if len(line) <= _WIDTH:
        return [line]
    return [f"{name} ::= {alternatives[0]}", *(f"{' ' * len(name)}   | {part}" for part in alternatives[1:])]


def _grouped(forms: list[str]) -> str:
    return f"({' | '.join(forms)})" if len(forms) > 1 else forms[0]


def _is_short(forms: list[str]) -> bool:
    """Whether a terminal is written where it stands: an operator, a word, a bracket."""
    form = " | ".join(forms)
    return len(form) <= _SHORT and re.search(r"[*+]", re.sub(r"\"[^\"]*\"", "", form)) is None


class _Pattern:
    """A regular expression of a terminal as EBNF; what must not follow is left out."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.place = 0

    def alternatives(self) -> list[str]:
        """What it matches, up to the end or the end of a group."""
        alternatives, parts = [], list[str]()
        while self.place < len(self.pattern) and self.pattern[self.place] != ")":
            if self._take("|"):
                alternatives.append(_joined(parts))
                parts = []
                continue
            part = self._part()
            repeated = re.compile(r"[?*+]?").match(self.pattern, self.place)
            assert repeated is not None
            self.place = repeated.end()
            parts.append(part + repeated.group())
        return [*alternatives, _joined(parts)]

    def _part(self) -> str:
        if self._take("(?!"):
            self.alternatives()
            self.place += 1
            return ""
        if self._take("(?:"):
            inside = " | ".join(self.alternatives())
            self.place += 1
            return f"({inside})"
        if self._take("\\b"):
            return ""
        for known, form in _CLASSES.items():
            if self._take(known):
                return form
        if self._take("["):
            end = self.pattern.index("]", self.place)
            body, self.place = self.pattern[self.place : end], end + 1
            plain = not body.startswith("^") and "\\" not in body and not re.search(r".-.", body) and len(body) < 4
            return f"({' | '.join(_quoted(c) for c in body)})" if plain else f"[{body}]"
        escaped = self._take("\\")
        character = self.pattern[self.place]
        self.place += 1
        return _quoted(_ESCAPES.get(character, character) if escaped else character)

    def _take(self, text: str) -> bool:
        found = self.pattern.startswith(text, self.place)
        self.place += len(text) * found
        return found


def _quoted(text: str) -> str:
    return f"'{text}'" if text == '"' else f'"{text}"'


def _joined(parts: list[str]) -> str:
    """Parts in a row, characters beside each other in the same quotes."""
    text = " ".join(filter(None, parts))
    while (shorter := re.sub(r'"([^" ]+)" "([^" ]+)"(?![?*+])', r'"\1\2"', text)) != text:
        text = shorter
    return text
