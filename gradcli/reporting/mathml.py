"""Formulas as MathML, from the LaTeX that gradcli writes: its few commands, and nothing else."""

from __future__ import annotations

import re

from gradcli.ops.notation.latex_pieces import LETTERS
from gradcli.reporting.markup import Markup, element

_TOKEN = re.compile(r"\\[A-Za-z]+|\\.|\d+(?:\.\d+)?|\s+|.", re.DOTALL)
# Longer formulas are read as text; deeper ones would be too small to read.
_LONGEST = 3000
_DEEPEST = 60

_OPERATORS = "leftarrow cdot partial odot neq to times lor lnot ll leq land in gg geq colon circ bmod oplus prod sum"
_SIGNS = {sign: sign for sign in "+=,:;()[]<>|/!"} | {"-": "−", "*": "∗", "'": "′"}
_SIGNS |= {rf"\{name}": sign for name, sign in zip(_OPERATORS.split(), "←·∂⊙≠→×∨¬≪≤∧∈≫≥:∘%⊕∏∑", strict=True)}
_FENCES = {sign: sign for sign in "()[]|"} | {r"\{": "{", r"\}": "}", ".": ""}
_FENCES |= {r"\lVert": "‖", r"\rVert": "‖", r"\lvert": "|", r"\rvert": "|", r"\lfloor": "⌊", r"\rfloor": "⌋"}
_FENCES |= {r"\lceil": "⌈", r"\rceil": "⌉"}
_LETTERS = {rf"\{name}": letter for letter, name in LETTERS.items()} | {r"\epsilon": "ϵ", r"\phi": "ϕ"}
_SYMBOLS = _LETTERS | {r"\infty": "∞", r"\top": "⊤", r"\ldots": "…"}
_FUNCTIONS = "arccos arcsin arctan cos cosh det dim exp log max min sin sinh tan tanh"
_BLANKS = frozenset({r"\quad", r"\,", r"\ ", r"\;"})
_WORDS = frozenset({r"\mathrm", r"\text", r"\operatorname", r"\texttt", r"\mathtt"})
_BOLD = ((0x1D7CE, "0123456789"), (0x1D41A, "abcdefghijklmnopqrstuvwxyz"))
_ENVIRONMENTS = {"pmatrix": ("(", ")"), "cases": ("{", "")}


def mathml(latex: str, text: str) -> Markup | None:
    """A formula, with its text for those who cannot see it; None where it has what is not known here."""
    if len(latex) > _LONGEST:
        return None
    reader = _LatexReader(_TOKEN.findall(latex))
    try:
        content = reader.row()
        if reader.at < len(reader.tokens):
            return None
    except _UnreadableError:
        return None
    return element("math", content, displaystyle="true", alttext=text)


class _UnreadableError(Exception):
    """A command that is not known, or a formula without its end."""


class _LatexReader:
    def __init__(self, tokens: list[str]) -> None:
        self.tokens = tokens
        self.at = 0
        self.depth = 0

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self, expected: str = "") -> str:
        token = self.peek()
        if not token or (expected and token != expected):
            raise _UnreadableError
        self.at += 1
        return token

    def row(self) -> Markup:
        """What stands in a line, up to whatever ends it."""
        self.depth += 1
        if self.depth > _DEEPEST:
            raise _UnreadableError
        parts: list[Markup] = []
        # Where an operand is expected, a minus is a sign.
        expected = True
        while self.peek() not in ("", "}", "&", r"\\", r"\right", r"\end"):
            token = self.peek()
            if token.isspace():
                self.at += 1
                continue
            if token == "-" and expected:
                parts.append(element("mo", _SIGNS[self.take()], form="prefix"))
            else:
                parts.append(self.with_scripts(self.atom()))
            expected = token in _SIGNS
        self.depth -= 1
        return element("mrow", *parts) if len(parts) != 1 else parts[0]

    def with_scripts(self, base: Markup) -> Markup:
        """A piece with what stands above and below it."""
        found: dict[str, Markup] = {}
        while self.peek() in ("^", "_"):
            sign = self.take()
            if sign in found:
                raise _UnreadableError
            found[sign] = self.argument()
        kind = {"": "", "_": "msub", "^": "msup"}.get("".join(found), "msubsup")
        parts = [found[sign] for sign in "_^" if sign in found]
        return element(kind, base, *parts) if kind else base

    def argument(self) -> Markup:
        """What is in braces, or one piece."""
        if self.peek() != "{":
            return self.atom()
        self.take("{")
        content = self.row()
        self.take("}")
        return content

    def atom(self) -> Markup:
        token = self.take()
        if token == "{":
            self.at -= 1
            return self.argument()
        if token[0].isdigit():
            return element("mn", token)
        if token in _SYMBOLS:
            return element("mi", _SYMBOLS[token])
        if token in _SIGNS:
            return element("mo", _SIGNS[token], stretchy="false" if token in "()[]|" else None)
        if token[0] == "\\" and token[1:] in _FUNCTIONS.split():
            return element("mi", token[1:])
        if token in _BLANKS:
            return element("mspace", width="1em" if token == r"\quad" else "0.25em")
        if token in _WORDS:
            word = self.word()
            kind = "mtext" if token in (r"\text", r"\texttt", r"\mathtt") else "mi"
            return element(kind, word, mathvariant="normal" if kind == "mi" and len(word) == 1 else None)
        if token in (r"\mathbf", r"\mathbb"):
            return element("mi", _bold(self.word()) if token == r"\mathbf" else "ℝ")
        if token == r"\frac":
            return element("mfrac", self.argument(), self.argument())
        if token == r"\sqrt":
            return element("msqrt", self.argument())
        if token == r"\bar":
            return element("mover", self.argument(), element("mo", "¯"), accent="true")
        if token == r"\left":
            return self.fenced()
        if token == r"\begin":
            return self.environment()
        if token.isalpha():
            return element("mi", token)
        raise _UnreadableError

    def fenced(self) -> Markup:
        opening, content = self.take(), self.row()
        self.take(r"\right")
        # Stretched to their own height they would stand apart from what is between them.
        tall = "<mfrac" in content or "<mtable" in content
        return element("mrow", _fence(opening, tall), content, _fence(self.take(), tall))

    def environment(self) -> Markup:
        """A matrix, or cases."""
        name = self.word()
        if name not in _ENVIRONMENTS:
            raise _UnreadableError
        rows, cells = [], [self.row()]
        while self.peek() != r"\end":
            if self.take() == "&":
                cells.append(self.row())
            else:
                rows.append(cells)
                cells = [self.row()]
        self.take()
        if self.word() != name:
            raise _UnreadableError
        lines = [element("mtr", *(element("mtd", cell) for cell in row)) for row in (*rows, cells)]
        opening, closing = (element("mo", sign) if sign else None for sign in _ENVIRONMENTS[name])
        return element("mrow", opening, element("mtable", *lines, class_=name), closing)

    def word(self) -> str:
        """A text in braces, as it is meant."""
        self.take("{")
        start, depth = self.at, 1
        while depth:
            depth += {"{": 1, "}": -1}.get(self.take(), 0)
        text = "".join(self.tokens[start : self.at - 1]).replace(r"$\to$", "→")
        return re.sub(r"\\([#$%&_{} ])", r"\1", text)


def _fence(token: str, tall: bool) -> Markup | None:
    if token not in _FENCES:
        raise _UnreadableError
    sign, stretchy = _FENCES[token], str(tall).lower()
    return element("mo", sign, stretchy=stretchy, lspace="0em", rspace="0em") if sign else None


def _bold(word: str) -> str:
    """Digits and small letters in bold, which Unicode has."""
    return word.translate({ord(c): first + k for first, row in _BOLD for k, c in enumerate(row)})
