"""Pieces of LaTeX and how they are put together: signs before products, no brackets in products of products."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

# How tightly a piece binds. A product of matrices or with numbers needs no brackets beside the sign of a product
# element by element.
COMPARISON, SUM, HADAMARD, PRODUCT, FRACTION, POWER, ATOM = 1, 6, 7, 8, 9, 10, 11

_NAMES = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau upsilon phi chi psi "
    "omega Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega"
)
_GREEK = frozenset(_NAMES.split())
#: Letters of other alphabets that TeX has by name, two of them in another shape.
LETTERS = dict(zip("αβγδεζηθικλμνξπρστυφχψωΓΔΘΛΞΠΣΥΦΨΩ", _NAMES.split(), strict=True))
LETTERS |= {"ε": "varepsilon", "φ": "varphi"}

# The operators of the language, and how tightly they bind: comparisons unless said otherwise.
_OPERATORS = {
    "==": "=",
    "!=": r"\neq",
    "<=": r"\leq",
    ">=": r"\geq",
    "&": r"\land",
    "|": r"\lor",
    "%": r"\bmod",
    "^": r"\oplus",
    "<<": r"\ll",
    ">>": r"\gg",
}
_LEVEL = {"+": SUM, "-": SUM, "<<": 5, ">>": 5, "&": 4, "^": 3, "|": 2, "%": PRODUCT}


class Matrix(NamedTuple):
    """A factor in a product of matrices, and its transpose."""

    text: str
    turned: str


class LatexPiece(NamedTuple):
    """LaTeX without its sign, how tightly it binds, and the number of dimensions as far as it is known."""

    text: str
    level: int
    rank: int
    minus: bool = False
    #: For a vector that stands for a matrix of equal columns.
    column: bool = False
    #: Of a product: numbers in front, then matrices, or factors that are multiplied element by element.
    numbers: tuple[str, ...] = ()
    matrices: tuple[Matrix, ...] = ()
    elements: tuple[str, ...] = ()
    #: The function's name, which a power is written at.
    head: str = ""
    symmetric: bool = False
    #: Of a list: its elements.
    cells: tuple[str, ...] = ()


def symbol(name: str) -> str:
    """A name: single and Greek letters in italics, words upright, digits and what follows an underscore below."""
    base, _, index = name.strip("_").partition("_")
    match = re.fullmatch(r"(.*?)(\d*)", base)
    assert match is not None
    word, digits = match.groups()
    below = [digits] if digits else []
    below += [
        part if part.isascii() and part.isdigit() or len(part) == 1 and part.isascii() else _upright(part)
        for part in index.split("_")
        if part
    ]
    if not word:
        return _upright(name)
    shown = word if len(word) == 1 and word.isascii() else rf"\{word}" if word in _GREEK else _upright(word)
    return f"{shown}_{{{', '.join(below)}}}" if below else shown


class Symbols:
    """How names are written beside one another: as `symbol` says, or as in the source where two would look the same."""

    def __init__(self, names: Iterable[str]) -> None:
        alike: dict[str, list[str]] = {}
        for name in dict.fromkeys(names):
            alike.setdefault(symbol(name), []).append(name)
        self._as_in_source = {name for several in alike.values() if len(several) > 1 for name in several}

    def __call__(self, name: str) -> str:
        if name not in self._as_in_source:
            return symbol(name)
        escaped = name.replace("_", r"\_")
        return rf"\mathtt{{{escaped}}}" if name.isascii() else rf"\text{{{escaped}}}"


def _upright(word: str) -> str:
    if word in LETTERS:
        return rf"\{LETTERS[word]}"
    escaped = word.replace("_", r"\_")
    return rf"\mathrm{{{escaped}}}" if word.isascii() else rf"\text{{{escaped}}}"


def number(value: int | float) -> LatexPiece:
    mantissa, found, exponent = repr(value).partition("e")
    if not found:
        return LatexPiece(mantissa, ATOM, 0)
    power = f"10^{{{int(exponent)}}}"
    return LatexPiece(power, POWER, 0) if mantissa == "1" else LatexPiece(rf"{mantissa} \cdot {power}", PRODUCT, 0)


def escaped(text: str) -> str:
    return re.sub(r"([#$%&_{}])", r"\\\1", re.sub(r"[\\^~]", "", text)).replace("->", r"$\to$")


def with_index(text: str, index: str) -> str:
    """One more index below: TeX takes no two."""
    match = re.fullmatch(r"(.*_\{(?:[^{}]|\{[^{}]*\})*)\}", text)
    return f"{match[1]}, {index}}}" if match else f"{text}_{{{index}}}"


def signed(piece: LatexPiece) -> str:
    if not piece.minus:
        return piece.text
    return f"-{piece.text}" if piece.level >= HADAMARD else rf"-\left({piece.text}\right)"


def is_word(command: str) -> bool:
    r"""Whether a command is a function's name, whose powers are written as in \\sin^2 x, and no letter."""
    return re.fullmatch(r"\\[a-z]+", command) is not None and command[1:] not in _GREEK


def in_brackets(piece: LatexPiece, needed: int) -> str:
    """A piece as an operand of what binds so tightly."""
    if piece.minus or piece.level < needed:
        return rf"\left({signed(piece)}\right)"
    return piece.text


def between_brackets(environment: str, text: str) -> str:
    return rf"\begin{{{environment}}} {text} \end{{{environment}}}"


def negated(piece: LatexPiece) -> LatexPiece:
    return piece._replace(minus=not piece.minus, head="")


def column(vector: LatexPiece) -> LatexPiece:
    """A vector as a matrix of equal columns."""
    return vector._replace(rank=2, column=True)


def ones(rank: int) -> LatexPiece:
    one = LatexPiece(r"\mathbf{1}", ATOM, min(rank, 1))
    return outer(one, one) if rank == 2 else one._replace(rank=rank)


def diagonal(vector: LatexPiece) -> LatexPiece:
    """The diagonal matrix of a vector, its sign and numbers in front."""
    numbers, inner = vector.numbers, vector._replace(minus=False)
    if numbers and vector.elements:
        inner = _elementwise((), vector.elements, 1, False, False)
    elif numbers and vector.matrices:
        inner = _product((), vector.matrices, 1, False)
    else:
        numbers = ()
    text = rf"\operatorname{{diag}}\left({inner.text}\right)"
    return _product(numbers, (Matrix(text, text),), 2, vector.minus)


def spread(piece: LatexPiece) -> LatexPiece:
    """A vector along the rows or columns of a matrix as that matrix."""
    one = ones(1)
    if piece.column:
        return outer(piece._replace(column=False, rank=1), one)
    return outer(one, piece) if piece.rank == 1 else piece


# Products -------------------------------------------------------------------------------------------------------------


def _parts(piece: LatexPiece) -> tuple[tuple[str, ...], tuple[Matrix, ...]]:
    """The numbers and matrices that a piece is the product of, but for its sign."""
    if piece.numbers or piece.matrices:
        return piece.numbers, piece.matrices
    if not piece.rank:
        return (in_brackets(piece._replace(minus=False), PRODUCT),), ()
    text = in_brackets(piece._replace(minus=False), FRACTION)
    return (), (Matrix(text, _turned(piece, text)),)


def _turned(piece: LatexPiece, text: str) -> str:
    if piece.symmetric:
        return text
    if piece.level == POWER:
        for end, turned in ((r"^{\top}", ""), (r"^{-\top}", "^{-1}"), ("^{-1}", r"^{-\top}")):
            if text.endswith(end):
                return text.removesuffix(end) + turned
    return text + r"^{\top}" if piece.level == ATOM or piece.level < FRACTION else rf"\left({text}\right)^{{\top}}"


def _product(numbers: tuple[str, ...], matrices: tuple[Matrix, ...], rank: int, minus: bool) -> LatexPiece:
    """Numbers times matrices; a product of one is that one."""
    ordered = tuple(sorted(numbers, key=_place))
    texts = [*ordered, *(m.text for m in matrices)]
    text = texts[0]
    for following in texts[1:]:
        text += (r" \cdot " if following[:1].isdigit() else " ") + following
    level = PRODUCT if len(texts) > 1 else POWER
    return LatexPiece(text, level, rank, minus, numbers=ordered, matrices=matrices)


def _place(number: str) -> int:
    """Digits are written first, then symbols, functions of something last."""
    return 0 if number[:1].isdigit() else 2 if number.endswith(r"\right)") else 1


def scaled(a: LatexPiece, b: LatexPiece) -> LatexPiece:
    """A product with a number on either side."""
    minus, rank, is_column = a.minus != b.minus, max(a.rank, b.rank), a.column or b.column
    number, other = (a, b) if not a.rank else (b, a)
    if other.elements:
        numbers = (*_as_number(number, other), *other.numbers)
        return _elementwise(numbers, other.elements, rank, minus, is_column)
    numbers, matrices = _parts(other)
    more, inner = _parts(number)
    if inner and rank:
        more, inner = _as_number(number, other), ()
    return _product((*more, *numbers), (*inner, *matrices), rank, minus)._replace(column=is_column)


def _as_number(number: LatexPiece, other: LatexPiece) -> tuple[str, ...]:
    """A scalar as factors: a product of vectors in brackets beside another vector."""
    numbers, matrices = _parts(number)
    if not matrices:
        return numbers
    inner = _product((), matrices, 0, False)
    return (*numbers, rf"\left({inner.text}\right)")


def transposed(piece: LatexPiece) -> LatexPiece:
    if piece.rank < 2 or piece.column:
        return piece
    numbers, matrices = _parts(_without_elements(piece))
    turned = tuple([Matrix(m.turned, m.text) for m in reversed(matrices)])
    if len(turned) == 1 and not numbers:
        level = ATOM if not turned[0].text.endswith(r"\top}") and piece.level == POWER else POWER
        return LatexPiece(turned[0].text, level, piece.rank, piece.minus, matrices=turned)
    return _product(numbers, turned, piece.rank, piece.minus)


def _without_elements(piece: LatexPiece) -> LatexPiece:
    """A product element by element as one factor of a product of matrices, but for the numbers in front."""
    if not piece.elements:
        return piece
    product = r" \odot ".join(piece.elements)
    text = rf"\left({product}\right)"
    return piece._replace(elements=(), matrices=(Matrix(text, text + r"^{\top}"),))


def matrix_product(a: LatexPiece, b: LatexPiece) -> LatexPiece:
    """a @ b; a vector is a column, and a row where it stands on the left."""
    (m, left), (n, right) = _parts(_without_elements(a)), _parts(_without_elements(b))
    minus, numbers = a.minus != b.minus, (*m, *n)
    if a.rank == 1:
        if b.rank == 2:
            turned = tuple([Matrix(x.turned, x.text) for x in reversed(right)])
            return _product(numbers, (*turned, *left), 1, minus)
        left = tuple([Matrix(x.turned, x.text) for x in reversed(left)])
    return _product(numbers, (*left, *right), max(a.rank + b.rank - 2, 0), minus)


def outer(a: LatexPiece, b: LatexPiece) -> LatexPiece:
    """A column times a row."""
    (m, left), (n, right) = _parts(_without_elements(a)), _parts(_without_elements(b))
    turned = tuple([Matrix(x.turned, x.text) for x in reversed(right)])
    return _product((*m, *n), (*left, *turned), 2, a.minus != b.minus)


def hadamard(a: LatexPiece, b: LatexPiece) -> LatexPiece:
    numbers: tuple[str, ...] = ()
    elements: tuple[str, ...] = ()
    for piece in (a, b):
        if piece.elements:
            numbers, elements = (*numbers, *piece.numbers), (*elements, *piece.elements)
        elif piece.matrices:
            inner = _product((), piece.matrices, piece.rank, False)
            numbers, elements = (*numbers, *piece.numbers), (*elements, inner.text)
        else:
            elements = (*elements, in_brackets(piece._replace(minus=False), PRODUCT))
    return _elementwise(numbers, elements, max(a.rank, b.rank), a.minus != b.minus, a.column and b.column)


def _elementwise(
    numbers: tuple[str, ...], elements: tuple[str, ...], rank: int, minus: bool, is_column: bool
) -> LatexPiece:
    front = _product((*numbers, elements[0]), (), rank, False) if numbers else None
    text = r" \odot ".join([front.text if front else elements[0], *elements[1:]])
    return LatexPiece(text, HADAMARD, rank, minus, is_column, numbers, elements=elements)


def fraction(a: LatexPiece, b: LatexPiece, small: bool) -> LatexPiece:
    """a/b, with a slash where it is small; a matrix divided along its rows or columns is a product."""
    minus = a.minus != b.minus
    if a.rank == 2 and not a.column and (b.column or b.rank == 1):
        text = rf"\operatorname{{diag}}\left({b.text}\right)^{{-1}}"
        inverse = LatexPiece(text, POWER, 2, symmetric=True)
        result = matrix_product(inverse, a) if b.column else matrix_product(a, inverse)
        return result._replace(minus=minus)
    rank, is_column = max(a.rank, b.rank), a.column or b.column
    if small:
        above, below = in_brackets(a._replace(minus=False), PRODUCT), in_brackets(b._replace(minus=False), POWER)
        return LatexPiece(f"{above}/{below}", HADAMARD, rank, minus, is_column)
    text = rf"\frac{{{a.text}}}{{{b.text}}}"
    return LatexPiece(text, FRACTION, rank, minus, is_column)


# Operators ------------------------------------------------------------------------------------------------------------


def infix(operator: str, a: LatexPiece, b: LatexPiece) -> LatexPiece:
    """Sums, comparisons and conditions."""
    rank = max(a.rank, b.rank)
    both = a.column and (b.column or not b.rank) or b.column and not a.rank
    if rank > 1 and not both:
        a, b = spread(a), spread(b)
        rank = max(a.rank, b.rank)
    level = _LEVEL.get(operator, COMPARISON)
    if operator in "+-" and b.minus:
        operator, b = "-" if operator == "+" else "+", negated(b)
    left = signed(a) if level <= SUM and a.level >= level else in_brackets(a, level)
    right = signed(b) if level == COMPARISON and b.level > level else in_brackets(b, level + 1)
    text = f"{left} {_OPERATORS.get(operator, operator)} {right}"
    if level == COMPARISON:
        # 1 where it holds, 0 elsewhere.
        return LatexPiece(rf"\left[{text}\right]", ATOM, rank, column=both)
    return LatexPiece(text, level, rank, column=both)


def times(a: LatexPiece, b: LatexPiece) -> LatexPiece:
    """A product element by element; a vector along the rows or columns of a matrix is a diagonal matrix."""
    if not a.rank or not b.rank:
        return scaled(a, b)
    if a.column != b.column and {a.rank, b.rank} <= {1, 2}:
        vector, other = (a, b) if a.column else (b, a)
        bare = vector._replace(column=False, rank=1)
        return outer(bare, other) if other.rank == 1 else matrix_product(diagonal(bare), other)
    if {a.rank, b.rank} == {1, 2} and not a.column:
        vector, other = (a, b) if a.rank == 1 else (b, a)
        return matrix_product(other, diagonal(vector))
    return hadamard(a, b)


def to_rank(piece: LatexPiece, rank: int) -> LatexPiece:
    """A piece broadcast to so many dimensions: times ones."""
    if rank == 2 and piece.rank == 1 or piece.column:
        return spread(piece)
    if rank in (1, 2) and not piece.rank:
        return ones(rank) if piece.text == "1" and not piece.minus else scaled(piece, ones(rank))
    return piece._replace(rank=max(rank, piece.rank))
