"""Shapes that are known in part: which lengths an expression forces to be equal, and graphs for sample lengths.

Unknown lengths stand for themselves: the graph is built for three sets of sample lengths, large primes, and a number
in the graph that differs between them is a function of the lengths, found by comparison (`Lengths.read`).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from gradcli.errors import GradcliError, SizeError
from gradcli.evaluation.interpret import Interpreter
from gradcli.formula.algebra.algebra import Algebra
from gradcli.formula.algebra.terms import Open, Size
from gradcli.graph.dtypes import FLOAT64
from gradcli.graph.node import INPUT, Node
from gradcli.language.instructions import Script
from gradcli.language.parse import refuse_unused

SAMPLES = 3
_FIRST_PRIME = 1009
# Products of more lengths than this are not looked for in a number.
_MOST_FACTORS = 4


class Given(NamedTuple):
    """An input: its lengths are numbers, or words (equal words are equal lengths)."""

    name: str
    shape: tuple[int | str, ...]
    dtype: np.dtype


class Lengths:
    """The unknown lengths of inputs, those that must be equal merged into one; sample values for them."""

    def __init__(self, givens: Sequence[Given]) -> None:
        self.givens = list(givens)
        words = dict.fromkeys(n for g in givens for n in g.shape if isinstance(n, str))
        self.same: dict[str, int | str] = {word: word for word in words}

    def of(self, length: int | str) -> int | str:
        """A length, or the word that stands for all that are equal to it."""
        while isinstance(length, str) and self.same[length] != length:
            length = self.same[length]
        return length

    def unknown(self) -> list[str]:
        return [word for word in self.same if self.of(word) == word]

    def shape(self, given: Given) -> tuple[int | str, ...]:
        return tuple([self.of(n) for n in given.shape])

    def merge(self, a: int | str, b: int | str) -> bool:
        a, b = self.of(a), self.of(b)
        if a == b or (isinstance(a, int) and isinstance(b, int)):
            return False
        old, new = (a, b) if isinstance(b, int) else (b, a)
        assert isinstance(old, str)
        self.same[old] = new
        return True

    def sample(self, number: int) -> dict[str, int]:
        """A prime for each unknown length, in each sample another."""
        unknown = self.unknown()
        odd = itertools.count(_FIRST_PRIME, 2)
        primes = (n for n in odd if all(n % d for d in range(3, math.isqrt(n) + 1, 2)))
        own = itertools.islice(primes, number * len(unknown), (number + 1) * len(unknown))
        # One sample is even: what is rounded when it is halved must not look like a formula.
        return dict(zip(unknown, [2 * p if number == 1 else p for p in own], strict=True))

    def build(self, script: Script, sample: dict[str, int], tracked: Sequence[str]) -> tuple[Node, dict[str, Node]]:
        """The graph of a script's value for sample lengths, and its inputs."""
        leaves = {}
        for given in self.givens:
            shape = tuple([sample[n] if isinstance(n, str) else n for n in self.shape(given)])
            leaves[given.name] = Node(INPUT, (), {"name": given.name}, shape, given.dtype, given.name in tracked)
        interpreter = Interpreter(script.source, leaves)
        value = interpreter.run(script)
        refuse_unused(leaves, interpreter.used, script)
        return value, leaves

    def fit(self, script: Script) -> Node:
        """Merge lengths until the script can be built, and give its value; GradcliError when no merging helps."""
        while True:
            sample = self.sample(0)
            try:
                return self.build(script, sample, ())[0]
            except GradcliError as error:
                if not self._merge_for(error, script, sample):
                    raise _in_words(error, sample) from None

    def _merge_for(self, error: GradcliError, script: Script, sample: dict[str, int]) -> bool:
        """Merge the lengths that an error is about, if that removes it."""
        words = {n: word for word, n in sample.items()}
        sizes: Sequence[Any] = ()
        if isinstance(error, SizeError):
            sizes = error.sizes
            if error.unequal is not None and self.merge(*[words.get(n, n) for n in error.unequal]):
                return True
        before = dict(self.same)
        shapes = itertools.combinations([g.shape for g in self.givens], 2)
        alike = [list(zip(a, b, strict=True)) for a, b in shapes if len(a) == len(b)]
        for pairs in itertools.chain(_candidates(sizes, words), alike):
            changed = [self.merge(a, b) for a, b in pairs if isinstance(a, str) and isinstance(b, str)]
            if any(changed):
                try:
                    self.build(script, self.sample(0), ())
                    return True
                except GradcliError as other:
                    if other.span != error.span or _complaint(other) != _complaint(error):
                        return True
            self.same = dict(before)
        return False


def told(word: str) -> str:
    """An unknown length as a user knows it: by its own word, or as a length of an input."""
    name, dot, axis = word.partition(".")
    return f"{name}.shape[{axis}]" if dot else word


def _in_words(error: GradcliError, sample: dict[str, int]) -> GradcliError:
    """An error about sample lengths in terms of the lengths that they stand for."""

    def named(size: object) -> object:
        if isinstance(size, tuple):
            shown = [str(named(n)) for n in size]
            return f"({', '.join(shown)}{',' if len(shown) == 1 else ''})"
        if not isinstance(size, int) or size < _FIRST_PRIME:
            return size
        rest, factors = size, []
        for word, n in sample.items():
            while rest % n == 0:
                rest //= n
                factors.append(told(word))
        return "*".join([*([str(rest)] if rest != 1 else []), *factors]) if factors else size

    if isinstance(error, SizeError):
        message = error.template.format(*map(named, error.sizes))
        if message != error.message:
            error.message = message
            error.hint = "give shapes in numbers, as in x:3,4"
    return error


def _complaint(error: GradcliError) -> object:
    """What an error says but for the sizes."""
    if not isinstance(error, SizeError):
        return error.message
    return error.template, [text for text in error.sizes if isinstance(text, str)]


def _candidates(sizes: Sequence[Any], words: dict[int, str]) -> Iterator[list[tuple[int | str, int | str]]]:
    """Lengths to merge, from the sizes that an error tells of."""
    shapes: list[list[int | str]] = [[words.get(n) or n for n in size] for size in sizes if isinstance(size, tuple)]
    for a, b in itertools.combinations(shapes, 2):
        if len(a) == len(b):
            yield list(zip(a, b, strict=True))
    for shape in shapes:
        if len(shape) > 1:
            yield [(shape[-2], shape[-1])]
    lengths = [n for size in sizes for n in (size if isinstance(size, tuple) else [size])]
    for pair in itertools.combinations(dict.fromkeys(words[n] for n in lengths if n in words), 2):
        yield [pair]


class LengthReader:
    """Reads numbers that depend on lengths: from their values in all samples to terms."""

    def __init__(self, algebra: Algebra, samples: Sequence[dict[str, int]]) -> None:
        self.algebra = algebra
        self._known: dict[tuple[Any, ...], Any] = {}
        words = list(samples[0])
        counts = range(1, (_MOST_FACTORS if len(words) < 12 else 2) + 1)
        chosen = (c for k in counts for c in itertools.combinations_with_replacement(words, k))
        self._products = [(c, [math.prod(s[w] for w in c) for s in samples]) for c in chosen]

    def read(self, values: Sequence[Any]) -> Any:
        """A parameter of a node, in the samples: itself where it is always the same, else with terms for numbers."""
        first = values[0]
        if isinstance(first, tuple | list):
            return tuple([self.read(items) for items in zip(*values, strict=True)])
        if isinstance(first, int | float) and not isinstance(first, bool) and any(v != first for v in values):
            return first if all(v != v for v in values) else self.size(values)
        return first

    def size(self, values: Sequence[int | float]) -> Size:
        """The term that has these values."""
        key = tuple(values)
        if key not in self._known:
            self._known[key] = self._solve(key)
        return self._known[key]

    def _solve(self, values: tuple[Any, ...]) -> Size:
        if all(v == values[0] for v in values):
            return values[0]
        for inverted in (False, True):
            try:
                targets = [1 / Fraction(v) if inverted else Fraction(v) for v in values]
            except (ZeroDivisionError, ValueError, OverflowError):
                break
            for words, products in self._products:
                line = _line(products, targets)
                if line is not None:
                    return self._term(words, *line, inverted)
        if all(isinstance(v, int) for v in values):
            for (a, p), (b, q) in itertools.combinations(self._products[:200], 2):
                if all(v == m + n for v, m, n in zip(values, p, q, strict=True)):
                    one = Fraction(1)
                    return self.algebra.add([(one, self._product(a)), (one, self._product(b))]).term
        hint = "give shapes in numbers, as in x:3,4"
        raise GradcliError("a number in the derivative depends on the lengths in a way that has no formula", hint=hint)

    def _product(self, words: tuple[str, ...]) -> Open:
        dims = [Open(self.algebra.intern("dim", word), ()) for word in words]
        return self.algebra.times(*dims)

    def _term(self, words: tuple[str, ...], slope: Fraction, start: Fraction, inverted: bool) -> Size:
        line = self.algebra.add([(slope, self._product(words)), (start, self.algebra.number(1))])
        return self.algebra.power(line, -1).term if inverted else line.term


def _line(products: Sequence[int], values: Sequence[Fraction]) -> tuple[Fraction, Fraction] | None:
    """The slope and start of the line through all points, if there is one and its numbers are simple."""
    slope = (values[1] - values[0]) / (products[1] - products[0])
    # Quotients of floats are rounded; the simple number is what was meant.
    slope = slope.limit_denominator(1000) if slope else slope
    start = (values[0] - slope * products[0]).limit_denominator(1000)
    if not slope:
        return None
    pairs = zip(products, values, strict=True)
    close = all(math.isclose(float(slope * p + start), float(v), rel_tol=1e-14) for p, v in pairs)
    return (slope, start) if close else None


class Wanted(NamedTuple):
    """What is to be derived: with respect to an input, how often, and whether as a vector-Jacobian product.

    `vector` is the name of the vector that a value which is no scalar is multiplied with.
    """

    wrt: str
    order: int = 1
    jacobian: bool = False
    vector: str | None = None


# Shapes for inputs that were given none: matrices by capital letters, vectors otherwise, numbers where that fits ------


_MOST_TRIED = 200
_KINDS = ("a number", "a vector", "a matrix")
# What an input may be instead, for an example.
_OTHER = (1, 0, 1)
_PLURALS = ("numbers", "vectors", "matrices")


def with_rank(name: str, rank: int) -> tuple[str, ...]:
    """Unknown lengths, which no word of the user's can be."""
    return tuple([f"{name}.{k}" for k in range(rank)])


def completed(
    script: Script, givens: Sequence[Given], names: Sequence[str], scalar: bool
) -> tuple[list[Given], str | None]:
    """Inputs with those added that have no shape yet, and a remark on them.

    The first choice for which the expression can be built is taken; with `scalar`, rather one whose value is a number.
    """
    missing = [name for name in names if name not in {g.name for g in givens}]
    if not missing:
        return list(givens), None
    first: GradcliError | None = None
    fallback: tuple[int, ...] | None = None
    for ranks in itertools.islice(_choices(missing), _MOST_TRIED):
        lengths = Lengths([*givens, *_given(missing, ranks)])
        try:
            value = lengths.fit(script)
        except GradcliError as error:
            first = error if first is None else first
            continue
        if value.size == 1 or not scalar:
            return [*givens, *_given(missing, ranks)], _remark(missing, ranks)
        fallback = ranks if fallback is None else fallback
    if fallback is not None:
        return [*givens, *_given(missing, fallback)], _remark(missing, fallback)
    assert first is not None
    raise first


def _choices(names: Sequence[str]) -> Iterator[tuple[int, ...]]:
    usual = tuple([2 if name[:1].isupper() else 1 for name in names])
    tried = {usual}
    yield usual
    numbers = tuple([2 if name[:1].isupper() else 0 for name in names])
    # A lone small letter is a vector before it is a number; then the fewest departures from that.
    others = itertools.product(range(3), repeat=min(len(names), 5))
    rest = usual[5:]
    ranked = sorted(((*o, *rest) for o in others), key=lambda o: sum(abs(a - b) for a, b in zip(o, usual, strict=True)))
    for ranks in (numbers, *ranked):
        if ranks not in tried:
            tried.add(ranks)
            yield ranks


def _given(names: Sequence[str], ranks: Sequence[int]) -> list[Given]:
    return [Given(name, with_rank(name, rank), FLOAT64) for name, rank in zip(names, ranks, strict=True)]


def _remark(names: Sequence[str], ranks: Sequence[int]) -> str:
    """Which shapes were taken, in words."""
    parts = []
    for rank in sorted(set(ranks), reverse=True):
        alike = [name for name, r in zip(names, ranks, strict=True) if r == rank]
        if len(alike) == 1:
            parts.append(f"{alike[0]} as {_KINDS[rank]}")
        else:
            parts.append(f"{', '.join(alike[:-1])} and {alike[-1]} as {_PLURALS[rank]}")
    other = _OTHER[ranks[0]]
    return f"taking {', '.join(parts)}; NAME:SHAPE says otherwise, as {names[0]}:{other} for {_KINDS[other]}"
