"""Memory of large arrays, kept for the next ones when they are dropped: the system clears each page that it gives out,
which takes about as long as filling it.

What is kept is marked as free: the system takes it back whenever it runs short, and counts it as available. Single
pages are not, of which few are kept: marking one takes a tenth as long as filling it.
"""

from __future__ import annotations

import mmap
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import cache

#: Bytes that are kept at most, and those in single pages.
MOST_KEPT, _MOST_SINGLE = 1 << 29, 1 << 25
# The size of large pages.
_PAGE = 1 << 21


class Lent:
    """So many bytes as NumPy's `asarray` takes them; when no array needs them any more, their pages are kept."""

    __slots__ = ("__array_interface__", "kept", "pages")

    def __init__(self, size: int, pages: mmap.mmap, kept: list[mmap.mmap]) -> None:
        import ctypes

        self.pages, self.kept = pages, kept
        place = ctypes.addressof(ctypes.c_char.from_buffer(pages))
        self.__array_interface__ = {"version": 3, "typestr": "|u1", "shape": (size,), "data": (place, False)}

    def __del__(self, ends: Callable[[], bool] = sys.is_finalizing) -> None:
        # Modules of an interpreter that ends have no names any more. What is too large would drive all others out.
        if ends() or len(self.pages) > MOST_KEPT:
            return
        if len(self.pages) > _PAGE:
            try:
                self.pages.madvise(mmap.MADV_FREE)
            except OSError:
                # The system has another kind of memory here.
                return
        self.kept.append(self.pages)
        while sum(map(len, self.kept.copy())) > MOST_KEPT:
            del self.kept[:1]
        single = [pages for pages in self.kept.copy() if len(pages) == _PAGE]
        for pages in single[: -_MOST_SINGLE // _PAGE]:
            # Another thread may have taken it.
            with suppress(ValueError):
                self.kept.remove(pages)


@cache
def _kept() -> list[mmap.mmap]:
    """The pages of arrays that were dropped, the last ones last."""
    return []


def lent(size: int) -> Lent | None:
    """Memory for an array of so many bytes; None where it is to be had from NumPy."""
    if not hasattr(mmap, "MADV_FREE") or _is_limited():
        return None
    whole, kept = -(-size // _PAGE) * _PAGE, _kept()
    for pages in reversed(kept.copy()):
        # Another thread may have taken it: each of these steps is one of the interpreter.
        if len(pages) == whole:
            try:
                kept.remove(pages)
            except ValueError:
                continue
            return Lent(size, pages, kept)
    try:
        pages = mmap.mmap(-1, whole, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except OSError:
        forget()
        return None
    # A system that has none gives small ones.
    with suppress(OSError, AttributeError):
        pages.madvise(mmap.MADV_HUGEPAGE)
    return Lent(size, pages, kept)


def forget() -> None:
    """Give back what is kept."""
    _kept().clear()


def _is_limited() -> bool:
    """Whether a `ulimit -v` or `-d` counts what is kept."""
    import resource

    limits = (resource.RLIMIT_AS, resource.RLIMIT_DATA)
    return any(resource.getrlimit(limit)[0] != resource.RLIM_INFINITY for limit in limits)
