"""Gradients of shared inputs added up over the items, in an order that no number of threads changes."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator
from typing import Any

import numpy as np

from gradcli.batch.journal import HIDDEN, RESULTS, Folder, lines_of
from gradcli.machine.regular import open_regular
from gradcli.storage import save_all

#: What the file beside the results is called that keeps them.
SUMS = "sums"
# A file of sums has a line of JSON and then the numbers.
_LONGEST_LINE = 1 << 20


class Sums:
    """Sums in float64 of the gradients of the first `items` items, by input; each part holds those of a few items.

    Parts are made of the same neighbouring items and are added in their order, whoever computes them.
    """

    def __init__(self) -> None:
        self.items = 0
        self.totals: dict[str, Any] = {}
        self.dtypes: dict[str, str] = {}

    def add(self, part: dict[str, tuple[Any, str]], items: int) -> None:
        """Add the sums of the next items, each with the dtype of the gradients; up to `items` are in then."""
        with np.errstate(all="ignore"):
            for name, (array, dtype) in part.items():
                self.dtypes[name] = dtype
                if name in self.totals:
                    self.totals[name] += array
                else:
                    self.totals[name] = array
        self.items = items

    def store(self, folder: Folder) -> None:
        """Keep the sums for a run that goes on from here."""
        shapes = {name: list(array.shape) for name, array in self.totals.items()}
        head = json.dumps({"items": self.items, "shapes": shapes, "dtypes": self.dtypes}).encode() + b"\n"
        arrays = [np.ascontiguousarray(array).reshape(-1).view(np.uint8).data for array in self.totals.values()]
        folder.replace(SUMS, [head, *arrays])


def stored(path: str) -> Sums:
    """The sums that an earlier run has kept in the folder `path`; empty ones when there are none to go on with."""
    sums = Sums()
    try:
        with open(open_regular(os.path.join(path, HIDDEN, SUMS)), "rb") as file:
            head = json.loads(file.readline(_LONGEST_LINE))
            totals = {}
            for name, shape in head["shapes"].items():
                data = file.read(8 * math.prod(shape))
                totals[name] = np.frombuffer(data, np.float64).reshape(shape).copy()
            sums.items, sums.totals, sums.dtypes = int(head["items"]), totals, dict(head["dtypes"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return Sums()
    return sums


def write_sums(folder: Folder, sums: Sums) -> dict[str, str]:
    """Write every sum as OUT/NAME.grad.npy, rounded once to its dtype; the paths by name."""
    paths = {name: os.path.join(folder.path, f"{name}.grad.npy") for name in sums.totals}
    with np.errstate(all="ignore"):
        save_all([(paths[name], array.astype(sums.dtypes[name])) for name, array in sums.totals.items()])
    return paths


def sum_of_values(path: str) -> tuple[float, int] | None:
    """The sum of all values in a folder's results and how many they are; None where some value is no number.

    The sum is exact before it is rounded, so its order does not matter.
    """
    count = 0

    def values() -> Iterator[float]:
        nonlocal count
        for _, _, line in lines_of(os.path.join(path, RESULTS)):
            if "error" not in line:
                count += 1
                yield float(line["value"])

    try:
        # The words for what is not finite are those that float() reads.
        return math.fsum(values()), count
    except (TypeError, ValueError, OverflowError):
        return None
