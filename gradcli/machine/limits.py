"""How much memory and time may be used, and how sizes are told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import TypeVar

T = TypeVar("T")

#: How many bytes may be used, inputs included; None for most of what is free. `--memory-limit` sets it.
MEMORY_LIMIT: ContextVar[int | None] = ContextVar("gradcli_memory_limit", default=None)

#: Seconds that a program may be expected to take; None for any number. The command sets an hour, `--yes` none.
TIME_LIMIT: ContextVar[float | None] = ContextVar("gradcli_time_limit", default=None)
HOUR = 3600.0

#: What may be done about it where too much is needed.
HINT = "write large results to files with -o; --memory-limit sets another limit"


@contextmanager
def having(variable: ContextVar[T], value: T) -> Iterator[None]:
    """Within this block a variable of the context has a value of its own."""
    token = variable.set(value)
    try:
        yield
    finally:
        variable.reset(token)


def limited(limit: int | None) -> AbstractContextManager[None]:
    """Within a block of this so many bytes may be used."""
    return having(MEMORY_LIMIT, limit)


def show_bytes(count: int) -> str:
    """A size for people.

    >>> show_bytes(4_000_000_000)
    '4 GB'
    """
    size = float(count)
    for unit in ("bytes", "kB", "MB", "GB", "TB", "PB", "EB"):
        if size < 999.5 or unit == "EB":
            return f"{size:.3g} {unit}"
        size /= 1000
    raise AssertionError
