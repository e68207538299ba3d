"""Functions over rows: `each(f, xs)` calls f once, on stand-ins, and what it gives becomes the results for all rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gradcli.errors import GradcliError, SizeError
from gradcli.graph.arguments import Literal, as_node
from gradcli.graph.node import Node
from gradcli.ops.create import GENERATOR
from gradcli.ops.lifting import over_rows, row_of, rows_of

SAME_NUMBERS = "{} builds what is done with a row once, so that all rows would have the same random numbers"


class Rows:
    """The arguments of a function over rows: those of tensors along their first dimension, all as many. What has no
    dimension is shared.

    `arguments` has a stand-in for a row of each, and whatever else was given.
    """

    def __init__(self, given: Sequence[Any]) -> None:
        stacked = [as_node(x) if isinstance(x, Literal | np.ndarray) else x for x in given]
        mapped = {k: x for k, x in enumerate(stacked) if isinstance(x, Node) and x.ndim}
        if not mapped:
            have = "" if not given else ": there is nothing with dimensions among the arguments"
            raise GradcliError(f"each() has no rows{have}", hint="a number, or what f names, is shared")
        first = min(mapped)
        self.count = mapped[first].shape[0]
        for k, x in mapped.items():
            if x.shape[0] != self.count:
                hint = "what is the same for every row is named in the function, not given to it"
                message, counts = "the numbers of rows differ: {} and {}", (self.count, x.shape[0])
                raise SizeError(message, *counts, unequal=counts, hint=hint, argument=argument_name(k))
        self.arguments = [row_of(x, x.requires_grad) if k in mapped else x for k, x in enumerate(stacked)]
        self._given = {self.arguments[k]: rows_of(x) for k, x in mapped.items()}
        self._drawn = last_draw()

    def stacked(self, result: Any) -> Any:
        """What the function gives for one row, for all of them: one tensor, or a tuple of several."""
        if last_draw() is not self._drawn:
            hint = "draw them for all rows before, as in each(f, x, randn(…))"
            raise GradcliError(SAME_NUMBERS.format("each()"), hint=hint)
        several = isinstance(result, tuple)
        found = over_rows([as_node(part) for part in (result if several else (result,))], self._given, (self.count,))
        return (type(result)(*found) if hasattr(result, "_fields") else tuple(found)) if several else found[0]


def argument_name(number: int) -> str:
    """What an argument behind the function is called in messages."""
    return ("xs", "ys", "zs")[number] if number < 3 else f"xs{number + 1}"


def last_draw() -> Any:
    """What was drawn last from the stream of random numbers."""
    generator = GENERATOR.get()
    return generator and generator.last
