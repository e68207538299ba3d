"""Long sweeps: some values stand for all in the quick run, and the others run with `-m slow`."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import pytest


def sampled(values: Iterable[Any], every: int, first: int = 0) -> list[Any]:
    """Parameters of a test, of which the quick run has one in so many, all over the list."""
    return [v if k % every == first else pytest.param(v, marks=pytest.mark.slow) for k, v in enumerate(values)]


def by_turns(values: Iterable[Any], kinds: Collection[Any]) -> list[Any]:
    """Each value, or each tuple of them, with each of some kinds: the quick run has one kind of each, by turns."""
    found = []
    for k, value in enumerate(values):
        several = value if isinstance(value, tuple) else (value,)
        for n, kind in enumerate(kinds):
            found.append(pytest.param(*several, kind, marks=[] if n == k % len(kinds) else [pytest.mark.slow]))
    return found
