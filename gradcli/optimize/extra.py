"""SciPy, where it is installed."""

from __future__ import annotations

import importlib
from typing import Any

from gradcli.errors import GradcliError

#: What becomes of a residual in its least squares: its square, or something that grows more slowly.
LOSSES = ("linear", "soft_l1", "huber", "cauchy")


def package(name: str, what: str) -> Any:
    """A module of SciPy; GradcliError says what needs it, and names the extra that brings it."""
    try:
        return importlib.import_module(name)
    except ImportError:
        hint = 'pip install "gradcli[fit]"'
        raise GradcliError(f"{what} needs SciPy, which is not installed", hint=hint) from None
