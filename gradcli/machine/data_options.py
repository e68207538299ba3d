"""How data is read, beside what its file says; it holds for the context that a command runs in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

#: Whether missing values become NaN; else they are errors. `--missing nan` sets it.
MISSING_AS_NAN: ContextVar[bool] = ContextVar("gradcli_missing_as_nan", default=False)

#: What is told of what was read, such as columns that were left out; None where nobody wants to know.
TELL: ContextVar[Callable[[str], None] | None] = ContextVar("gradcli_tell", default=None)


@contextmanager
def missing_as_nan(wanted: bool) -> Iterator[None]:
    """Within this block missing values become NaN, or are errors."""
    token = MISSING_AS_NAN.set(wanted)
    try:
        yield
    finally:
        MISSING_AS_NAN.reset(token)


def tell(text: str) -> None:
    """Tell something of what was read."""
    told = TELL.get()
    if told is not None:
        told(text)
