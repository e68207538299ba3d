"""Shapes for inputs that were given none: matrices by capital letters, vectors otherwise, numbers where that fits."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from gradcli.errors import GradcliError
from gradcli.formula.lengths import Given, Lengths
from gradcli.graph.dtypes import FLOAT64
from gradcli.language.parse import Script

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
            lengths.fit(script)
            value, _ = lengths.build(script, lengths.sample(0), ())
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
