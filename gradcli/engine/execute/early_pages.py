"""Memory of results, taken from the system while another thread is busy compiling what will fill it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from gradcli.engine.execute.threads import beside

# Bytes of an array worth the while, of the smallest pages, and of what is done before the next look at the clock: less
# than a millisecond's work.
_LARGE = 1 << 22
_PAGE = 1 << 12
_TOGETHER = 1 << 22


@contextmanager
def pages_taken(arrays: Sequence[Any], threads: int) -> Iterator[None]:
    """Within this block, a thread of its own writes into each page of these arrays, which hold nothing yet: the system
    clears the pages that it gives out, which takes as long as filling them."""
    large = [array.reshape(-1).view(np.uint8) for array in arrays if array.nbytes >= _LARGE]
    if threads < 2 or not large:
        yield
        return
    ended: list[bool] = []

    def take() -> None:
        for array in large:
            for start in range(0, array.size, _TOGETHER):
                if ended:
                    return
                array[start : start + _TOGETHER : _PAGE] = 0

    # Nothing is written any more once the block is left.
    with beside(take):
        try:
            yield
        finally:
            ended.append(True)
