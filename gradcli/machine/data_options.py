"""How data is read, beside what its file says; it holds for the context that a command runs in."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from contextvars import ContextVar

from gradcli.machine.limits import having

#: Whether missing values become NaN; else they are errors. `--missing nan` sets it.
MISSING_AS_NAN: ContextVar[bool] = ContextVar("gradcli_missing_as_nan", default=False)

#: What is told of what was read, such as columns that were left out; None where nobody wants to know.
TELL: ContextVar[Callable[[str], None] | None] = ContextVar("gradcli_tell", default=None)


def missing_as_nan(wanted: bool) -> AbstractContextManager[None]:
    """Within a block of this missing values become NaN, or are errors."""
    return having(MISSING_AS_NAN, wanted)


def tell(text: str) -> None:
    """Tell something of what was read."""
    told = TELL.get()
    if told is not None:
        told(text)
