"""Tables read by gradcli and by NumPy's loadtxt, in turns: the time of the processor, as a ratio.

    python benchmarks/tables.py [MEGABYTES]

Arrays are compared first. Below 1 gradcli is faster.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from gradcli.storage import load

ROUNDS = 5


def seconds(read: Callable[[], Any]) -> float:
    """The time of the processor that one reading takes."""
    start = time.process_time()
    read()
    return time.process_time() - start


def ratio(path: str, dtype: Any) -> float:
    """The least time of gradcli over the least time of loadtxt."""

    def theirs() -> Any:
        return np.loadtxt(path, dtype, delimiter=",", ndmin=2)

    assert np.array_equal(load(path), theirs())
    rounds = [(seconds(lambda: load(path)), seconds(theirs)) for _ in range(ROUNDS)]
    return min(ours for ours, _ in rounds) / min(other for _, other in rounds)


def main() -> None:
    """Print a line for each form of cells and number of columns."""
    size = float(sys.argv[1]) if len(sys.argv) > 1 else 20.0
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        for form, width, dtype in (("%.6g", 8, np.float64), ("%.18e", 26, np.float64), ("%d", 6, np.int64)):
            for columns in (1, 2, 8, 50):
                rows = max(1, int(size * 1e6 / width / columns))
                path = os.path.join(folder, "data.csv")
                np.savetxt(path, rng.standard_normal((rows, columns)) * 1e4, form, ",")
                print(f"{form:6} {columns:3} columns: {ratio(path, dtype):.2f}", flush=True)


if __name__ == "__main__":
    main()
