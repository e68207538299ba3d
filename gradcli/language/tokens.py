"""The tokens of a source text with their brackets matched, and what to say where a token cannot stand."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gradcli.errors import GradcliError
from gradcli.language.lalr import Tables

# Kind, text, and where it starts.
Token = tuple[str, str, int]

_OPENS = frozenset({"LPAR", "LSQB", "LBRACE"})
_CLOSES = {"RPAR": "(", "RSQB": "[", "RBRACE": "{"}
# Tokens that end an operand and those that begin one: side by side, something between them is missing.
_ENDS = frozenset({"NAME", "NUMBER", "STRING", "ELLIPSIS", "RPAR", "RSQB"})
_BEGINS = frozenset({"NAME", "NUMBER", "STRING", "ELLIPSIS", "LPAR", "LSQB", "TILDE"})
_OPERATORS = frozenset({"SIGN", "PRODUCT", "POWER", "AMPERSAND", "PIPE", "CARET", "SHIFT"})
_BEFORE_STARS = frozenset({"COMMA", "LPAR", "SEMICOLON", "NEWLINE"})
_CONDITION = "write a if condition else b"
_WORDS = {
    "and": "use & for 'and'",
    "or": "use | for 'or'",
    "not": "use ~ for 'not'",
    "if": _CONDITION,
    "else": _CONDITION,
    "elif": _CONDITION,
    "import": 'imports come first: import "defs.grad"; f(x)',
    "from": 'write import "defs.grad": all that it defines can be used then',
}
_REPEATED = "iterate(f, x, n), fold and scan repeat a function; each(f, X) goes row by row"
_KNOWN = "leave the line out: torch., F., np. and jnp. are known without an import"
# What begins a statement of Python that has another form here, or none.
_STATEMENTS = {
    "def": "write f(t) = ..., or f(t) = {...} with several statements",
    "lambda": "give the function a name: f(t) = ...",
    "for": _REPEATED,
    "while": _REPEATED,
    "with": "leave it out: --no-grad computes the value alone, and nothing goes back through detach(x)",
    "return": "the last statement is the value",
    "print": "leave it out: the value of the last statement is printed",
    "del": "leave it out: names take no room",
    "from": _KNOWN,
}
_LIBRARIES = ("torch", "numpy", "jax", "scipy", "math")
_STRAY_HINTS = {
    **dict.fromkeys("×·∙⋅∗✕✖", "use * to multiply"),
    **dict.fromkeys("÷∕⁄", "use / to divide"),
    **dict.fromkeys("−–—‐‑‒", "use the minus sign of the keyboard: -"),
    **dict.fromkeys("⁰¹²³⁴⁵⁶⁷⁸⁹ⁿ⁻⁺", "use ** for powers"),
    **dict.fromkeys("“”„‘’‚«»`´", "use plain quotes: ' or \""),
    **dict.fromkeys("\u00a0\u2007\u2009\u200a\u200b\u202f\u3000", "use a plain space"),
    "≤": "use <=",
    "≥": "use >=",
    "≠": "use !=",
    "√": "use sqrt(...)",
    "…": "use ...",
    "!": "use ~ for 'not'",
    "∞": "use inf",
    "∧": "use &",
    "∨": "use |",
    "¬": "use ~",
    "，": "use a plain comma",
    "（": "use plain brackets",
    "）": "use plain brackets",
}
_LONGEST_SHOWN = 40
_LONGEST_MODULE = 200


def tokens(source: str, tables: Tables) -> Iterator[Token]:
    """The tokens and then an "$END", without blanks, comments and the line ends inside brackets."""
    ignored = tables.ignored
    plain = source.isascii()
    opened: list[int] = []
    for match in tables.pattern.finditer(source):
        kind = match.lastgroup or ""
        if kind in ignored:
            continue
        token = kind, match.group(), match.start()
        if kind in _OPENS:
            opened.append(token[2])
        elif kind in _CLOSES:
            _close(source, token, opened)
        elif kind == "NEWLINE":
            if opened and source[opened[-1]] != "{":
                continue
        elif kind == "NAME":
            if not plain:
                _check_name(source, token)
        elif kind == "STRAY":
            raise _stray(source, token[2])
        elif kind == "SEMICOLON" and opened and source[opened[-1]] != "{":
            bracket = source[opened[-1]]
            hint = f"close the {bracket!r} before it"
            raise GradcliError("unexpected ';'", source=source, span=match.span(), hint=hint)
        yield token
    if opened:
        position = opened[-1]
        raise GradcliError(f"{source[position]!r} is never closed", source=source, span=(position, position + 1))
    yield "$END", "", len(source)


def open_brackets(line: str, tables: Tables, depth: int = 0) -> int:
    """How many brackets are still to be closed after a line, `depth` having been before it.

    None are where there is a mistake: more lines would not mend it.
    """
    for match in tables.pattern.finditer(line):
        depth += (match.lastgroup in _OPENS) - (match.lastgroup in _CLOSES)
        if depth < 0 or match.lastgroup == "STRAY":
            return 0
    return depth


def _close(source: str, token: Token, opened: list[int]) -> None:
    """Take the bracket that `token` closes from `opened`."""
    kind, text, start = token
    if not opened:
        raise GradcliError(f"unmatched {text!r}", source=source, span=(start, start + 1))
    opening = source[opened.pop()]
    if opening != _CLOSES[kind]:
        raise GradcliError(f"{text!r} does not match {opening!r}", source=source, span=(start, start + 1))


def _check_name(source: str, token: Token) -> None:
    """Refuse what counts as a word to a regular expression and is no letter: the superscript in x²."""
    _, text, start = token
    if not text.isidentifier():
        # One character at a time: asking longer and longer beginnings would take quadratic time.
        raise _stray(source, start + next((i for i, c in enumerate(text) if not f"a{c}".isidentifier()), 0))


def _stray(source: str, position: int) -> GradcliError:
    character = source[position]
    if character in "'\"":
        transposed = character == "'" and re.search(r"[\w\])]$", source[:position])
        hint = "A.T is the transpose" if transposed else None
        return GradcliError("the string is never closed", source=source, span=(position, position + 1), hint=hint)
    if "\udc80" <= character <= "\udcff":
        # How Python hands on a byte of the command line that is no character.
        told = f"the byte 0x{ord(character) & 0xFF:02X} is not UTF-8"
        return GradcliError(told, source=source, span=(position, position + 1), hint="write the expression in UTF-8")
    combined = _combined(source, position)
    shown = repr(character) if character.isprintable() and combined is None else f"U+{ord(character):04X}"
    hint = combined or _STRAY_HINTS.get(character)
    return GradcliError(f"unexpected character {shown}", source=source, span=(position, position + 1), hint=hint)


def _combined(source: str, position: int) -> str | None:
    """A hint where a character is an accent of the one before it, which macOS keeps apart in the names of files."""
    # Imported here: only mistakes need it.
    from unicodedata import combining, normalize

    if not combining(source[position]):
        return None
    whole = normalize("NFC", source[max(position - 1, 0) : position + 1])
    return (
        f"write {whole} as one character, not as a letter and an accent"
        if len(whole) == 1 and position
        else ("names have no accents that are characters of their own")
    )


def unexpected(source: str, token: Token, previous: Token | None) -> GradcliError:
    """The error for a token that cannot stand where it does, after `previous`."""
    kind, text, start = token
    end = previous[2] + len(previous[1]) if previous else 0
    if kind == "$END":
        return GradcliError("the expression is incomplete", source=source, span=(end, end))
    if kind == "NEWLINE":
        hint: str | None = "put parentheses around an expression that continues on the next line"
        return GradcliError("the line is incomplete", source=source, span=(end, end), hint=hint)
    # A line end that was no token is one inside brackets.
    hint = "is a bracket above it not closed?" if "\n" in source[end:start] else _hint(token, previous)
    if text == "." and re.search(r"\bimport[ \t]+\w+[ \t]*$", source[:start]):
        hint = 'the name of a file stands in quotes: import "defs.grad"'
    if previous and previous[1] in _STATEMENTS and kind in _BEGINS and kind != "STRING":
        text, start = previous[1], previous[2]
        hint = _STATEMENTS[text]
    if text == "for" and previous and previous[0] in _ENDS:
        hint = _REPEATED
    if text == "(" and previous and previous[1] == ")":
        # Imported here: only mistakes need it.
        from gradcli.language.modules import module_called

        hint = module_called(source[max(start - _LONGEST_MODULE, 0) : start]) or hint
    if text in ("^", "*", "/") and previous and previous[1] == ".":
        hint = f"write {'**' if text == '^' else text}: operators go element by element"
    if previous and previous[1] == "from" and kind == "STRING":
        start, text, hint = previous[2], "from", _WORDS["from"]
    if previous and previous[1] == "not" and kind in _BEGINS:
        text, start, hint = "not", previous[2], _WORDS["not"]
    return GradcliError(f"unexpected {_shown(text)}", source=source, span=(start, start + len(text)), hint=hint)


def imported_hint(target: str) -> str:
    """What to write in place of an import that names no file."""
    if target.split(".")[0] in _LIBRARIES:
        return _KNOWN
    return 'the name of a file stands in quotes, and ends in .grad: import "defs.grad"'


def _shown(text: str) -> str:
    return repr(text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "…")


def _hint(token: Token, previous: Token | None) -> str | None:
    """What was probably meant, when that can be told from the token and the one before it."""
    kind, text, start = token
    if text in _WORDS:
        return _WORDS[text]
    if kind in ("LBRACE", "RBRACE"):
        return "braces hold the statements of a function; use ( ) to group and [ ] for lists"
    if text == "*" and (previous is None or previous[0] in _BEFORE_STARS):
        return "unpacking has no star: give each value a name, or _ where it is not needed"
    if previous is None:
        return None
    before, left, left_start = previous
    if before == "IMPORT":
        return 'the name of a file follows: import "defs.grad"'
    adjacent = left_start + len(left) == start
    if kind == "EQUAL":
        return "write it in full: x = x + 1" if before in _OPERATORS and adjacent else "use == to compare"
    if text in "&|" and left == text:
        return f"use a single {text}"
    if before in _ENDS and kind in _BEGINS:
        return _missing_operator(kind, text, before, left, adjacent)
    return None


def _missing_operator(kind: str, text: str, before: str, left: str, adjacent: bool) -> str:
    """The hint for two operands side by side."""
    if before == "NUMBER" and adjacent and (text[0] == "_" or left.endswith("_")):
        return "an underscore in a number stands between two digits, as in 1_000"
    if before == "NUMBER" and adjacent and kind == "NUMBER" and left[:2] in ("0b", "0B", "0o", "0O"):
        return (
            "the digits of a binary number are 0 and 1"
            if left[1] in "bB"
            else "the digits of an octal number are 0 to 7"
        )
    if before == "NUMBER" and kind == "NAME":
        if left == "0" and adjacent and text[0] in "xXoObB":
            return "write the number in decimal"
        if text in ("j", "J") and adjacent:
            return "complex numbers are not supported"
        if left.endswith(".") and adjacent:
            return f"put the number in brackets: ({left[:-1]}).{text}"[:80]
        return f"write {left}*{text}" if len(left + text) <= _LONGEST_SHOWN else "use * to multiply"
    if before == "NUMBER" and kind == "LPAR":
        return f"write {left}*(...)" if len(left) <= _LONGEST_SHOWN else "use * to multiply"
    if kind == "LPAR":
        return "only a name can be called; use * to multiply"
    if before in ("RPAR", "RSQB") and kind in ("NAME", "NUMBER"):
        return "use * to multiply"
    return "an operator or a comma is missing in between"
