"""What holds for the context that a command runs in: how much memory and time may be used, and how data is read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import TypeVar

T = TypeVar("T")

#: How many bytes may be used, inputs included; None for most of what is free. `--memory-limit` sets it.
MEMORY_LIMIT: ContextVar[int | None] = ContextVar("gradcli_memory_limit", default=None)

#: Bytes of the largest array that is read into memory at once, where no limit asks for less: larger files are opened.
#: So the plan looks at parts of larger arrays as at those of files, and the results have the same bits.
LARGE = 64 << 20

#: Seconds that a program may be expected to take; None for any number. The command sets an hour, `--yes` none.
TIME_LIMIT: ContextVar[float | None] = ContextVar("gradcli_time_limit", default=None)
HOUR = 3600.0

#: Whether missing values become NaN; else they are errors. `--missing nan` sets it.
MISSING_AS_NAN: ContextVar[bool] = ContextVar("gradcli_missing_as_nan", default=False)

#: What is told of what was read, such as columns that were left out; None where nobody wants to know.
TELL: ContextVar[Callable[[str], None] | None] = ContextVar("gradcli_tell", default=None)

#: Whether the command has an option that sets `MEMORY_LIMIT`. Sessions, some commands and Python have none.
HAS_LIMIT: ContextVar[bool] = ContextVar("gradcli_has_limit", default=False)

#: What may be done about it where too much is needed, and there is the option.
HINT_OF_LIMIT = "--memory-limit sets another limit"


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


def hint_of_limit(*others: str) -> str | None:
    """What may be done where too much memory is needed: `others`, and the option, if the command has it.

    >>> hint_of_limit("fewer iterations need less"), hint_of_limit()
    ('fewer iterations need less', None)
    """
    return "; ".join([*others, *([HINT_OF_LIMIT] if HAS_LIMIT.get() else [])]) or None


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


def missing_as_nan(wanted: bool) -> AbstractContextManager[None]:
    """Within a block of this missing values become NaN, or are errors."""
    return having(MISSING_AS_NAN, wanted)


def tell(text: str) -> None:
    """Tell something of what was read."""
    told = TELL.get()
    if told is not None:
        told(text)
