"""Long sweeps: some values stand for all in the quick run, and the others run with `-m slow`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest


def sampled(values: Iterable[Any], every: int, first: int = 0) -> list[Any]:
    """Parameters of a test, of which the quick run has one in so many, all over the list."""
    return [v if k % every == first else pytest.param(v, marks=pytest.mark.slow) for k, v in enumerate(values)]
