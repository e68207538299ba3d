"""A strict reader of the LaTeX of formulas: what it accepts, TeX with amsmath typesets without an error."""

from __future__ import annotations

import re

_TOKEN = re.compile(r"\\[a-zA-Z]+|\\.|\s+|.", re.DOTALL)
#: Commands by what follows them.
_SYMBOLS = frozenset(
    [
        "cdot",
        "odot",
        "top",
        "circ",
        "infty",
        "neq",
        "leq",
        "geq",
        "land",
        "lor",
        "lnot",
        "bmod",
        "quad",
        "log",
        "exp",
        "sin",
        "cos",
        "tan",
        "sinh",
        "cosh",
        "tanh",
        "arcsin",
        "arccos",
        "arctan",
        "det",
        "dim",
        "max",
        "min",
        "prod",
        "alpha",
        "beta",
        "gamma",
        "delta",
        "epsilon",
        "varepsilon",
        "zeta",
        "eta",
        "theta",
        "iota",
        "kappa",
        "lambda",
        "mu",
        "nu",
        "xi",
        "pi",
        "rho",
        "sigma",
        "tau",
        "upsilon",
        "phi",
        "varphi",
        "chi",
        "psi",
        "omega",
        "Gamma",
        "Delta",
        "Theta",
        "Lambda",
        "Xi",
        "Pi",
        "Sigma",
        "Upsilon",
        "Phi",
        "Psi",
        "Omega",
    ]
)
_ARGUMENTS = {"frac": 2, "sqrt": 1, "mathbf": 1, "mathrm": 1, "operatorname": 1}
_DELIMITERS = {
    "(": ")",
    "[": "]",
    r"\lvert": r"\rvert",
    r"\lVert": r"\rVert",
    r"\lfloor": r"\rfloor",
    r"\lceil": r"\rceil",
}
#: The environments, with the most columns that each takes.
_COLUMNS = {"cases": 2, "pmatrix": 10}
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-=<>/,.:[]()")
# TeX nests groups no deeper than 255.
_DEEPEST = 120


class LatexError(Exception):
    """What TeX would stumble over."""


def check(text: str) -> None:
    """Raise LatexError unless a formula is well formed."""
    reader = _Reader([token for token in _TOKEN.findall(text) if not token.isspace() or "\n\n" in token], text)
    reader.items(None)
    reader.expect_end()


class _Reader:
    def __init__(self, tokens: list[str], text: str) -> None:
        self.tokens = tokens
        self.text = text
        self.at = 0
        self.depth = 0

    def fail(self, what: str) -> LatexError:
        return LatexError(f"{what}, token {self.at} of {self.text}")

    def next(self) -> str:
        if self.at == len(self.tokens):
            raise self.fail("the formula ends too early")
        self.at += 1
        return self.tokens[self.at - 1]

    def peek(self) -> str | None:
        return self.tokens[self.at] if self.at < len(self.tokens) else None

    def take(self, wanted: str) -> None:
        found = self.next()
        if found != wanted:
            raise self.fail(f"{wanted} is missing before {found}")

    def expect_end(self) -> None:
        if self.at < len(self.tokens):
            raise self.fail(f"{self.tokens[self.at]} closes nothing")

    def items(self, environment: str | None) -> int:
        """Everything up to what closes this group; how many things that was."""
        self.depth += 1
        if self.depth > _DEEPEST:
            raise self.fail("groups are nested too deeply")
        count, columns = 0, 1
        while (token := self.peek()) is not None and token not in ("}", r"\right", r"\end"):
            if token in ("&", r"\\"):
                columns = columns + 1 if token == "&" else 1
                if environment is None or columns > _COLUMNS[environment]:
                    raise self.fail(f"{token} has no place")
                self.at += 1
                continue
            self.atom()
            self.scripts()
            count += 1
        self.depth -= 1
        return count

    def scripts(self) -> None:
        seen = set()
        while (token := self.peek()) in ("^", "_"):
            if token in seen:
                raise self.fail(f"double {token}")
            seen.add(token)
            self.at += 1
            self.group()

    def group(self) -> None:
        self.take("{")
        if not self.items(None):
            raise self.fail("an empty group")
        self.take("}")

    def atom(self) -> None:
        token = self.next()
        name = token[1:]
        if token == "{":
            self.at -= 1
            self.group()
        elif token == r"\left":
            self.between()
        elif token == r"\begin":
            self.environment()
        elif token == r"\text":
            self.words()
        elif token.startswith("\\") and name in _ARGUMENTS:
            for _ in range(_ARGUMENTS[name]):
                self.group()
        elif token.startswith("\\"):
            if name not in _SYMBOLS and token != r"\_":
                raise self.fail(f"the command {token} is unknown")
        elif token not in _PLAIN:
            raise self.fail(f"the character {token!r} has no place")

    def between(self) -> None:
        opening = self.next()
        if opening not in _DELIMITERS:
            raise self.fail(f"{opening} is no delimiter")
        if not self.items(None):
            raise self.fail("nothing between the delimiters")
        self.take(r"\right")
        self.take(_DELIMITERS[opening])

    def environment(self) -> None:
        name = self.name()
        if name not in _COLUMNS:
            raise self.fail(f"the environment {name} is unknown")
        self.items(name)
        self.take(r"\end")
        if self.name() != name:
            raise self.fail(f"the environment {name} is never closed")

    def name(self) -> str:
        self.take("{")
        word = ""
        while (token := self.next()) != "}":
            word += token
        return word

    def words(self) -> None:
        """Text: letters of Latin alphabets, escaped signs, and an arrow in dollars."""
        self.take("{")
        while (token := self.next()) != "}":
            if token == "$":
                self.take(r"\to")
                self.take("$")
            elif token not in (r"\_", r"\#", r"\$", r"\%", r"\&", r"\{", r"\}") and (
                len(token) > 1 or token in "\\^_#&%{~" or ord(token) > 0x17F
            ):
                raise self.fail(f"{token!r} has no place in text")
