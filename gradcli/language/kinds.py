"""What a part of a formula evaluates to: a number, which takes any dtype; booleans; exact integers; real numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

NUMBER, BOOLEAN, EXACT, REAL = "number", "boolean", "exact", "real"


def together(parts: Sequence[Any]) -> str:
    """What comes out of arithmetic on these."""
    kinds = {part.kind for part in parts}
    for kind in (REAL, EXACT, BOOLEAN):
        if kind in kinds:
            return kind
    return NUMBER
