"""Vectors and matrices as rows of numbers, for spreadsheets."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from gradcli.render.parts import MOST


def table_pieces(array: Any, mark: str = ",") -> Iterator[str]:
    """The lines of an array of up to two dimensions, or of one in a file, `mark` between numbers; piece by piece.

    A vector is a number a line. Numbers have the fewest digits that give the same bits in their own dtype; True is 1.

    >>> "".join(table_pieces(np.array([[0.1, 2], [np.inf, 3]], np.float32)))
    '0.1,2.0\\ninf,3.0\\n'
    """
    step = max(1, MOST // max(1, math.prod(array.shape[1:])))
    for start in range(0, array.shape[0] if array.shape else 1, step):
        block = np.atleast_1d(array[start : start + step] if array.shape else array[()])
        if block.dtype.kind == "b":
            block = block.astype(np.uint8)
        # Words of NumPy's: of less than double precision, Python would write digits that are not there.
        short = block.dtype.kind == "f" and block.dtype.itemsize < 8
        words = block.astype("U32") if short else block
        rows = (words[:, None] if words.ndim == 1 else words).tolist()
        yield "".join([f"{mark.join(map(str, row))}\n" for row in rows])
