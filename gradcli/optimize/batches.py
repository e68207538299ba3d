"""The objective over some of the rows of its data: every epoch deals all rows anew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gradcli.engine.execute.bounds import check_free, usable_memory
from gradcli.errors import GradcliError, did_you_mean, quoted
from gradcli.evaluation.values import InputSpec
from gradcli.graph.arguments import shown_value
from gradcli.language.instructions import Script
from gradcli.optimize.objective import Objective

# How much of the memory data from files may take to be held.
_SHARE = 0.25


class Batches:
    """`size` rows at a time of the inputs named in `rows`, in an order that the seed and the epoch decide.

    The last batch of an epoch has what is left, and a plan of its own. Within a batch, rows keep the order of the data.
    `steps` is how many batches there will be.
    """

    def __init__(
        self,
        script: Script,
        inputs: Mapping[str, Any],
        wrt: Sequence[str],
        rows: Sequence[str],
        size: int,
        seed: int,
        steps: int,
    ) -> None:
        self._count: int = inputs[rows[0]].shape[0]
        self._size = min(size, self._count)
        self._data = _at_hand({name: inputs[name] for name in rows}, steps * self._size / self._count)
        self._seed = seed
        self._of_epoch: tuple[int, np.ndarray] | None = None
        # A permutation, and what makes it.
        check_free(16 * self._count, f"the order of {self._count:,} rows")
        sizes = {self._size, self._count % self._size or self._size}
        try:
            self._plans = {n: Objective(script, inputs, wrt, pieces=self._pieces(n), steps=steps) for n in sizes}
        except GradcliError as error:
            # With all rows it was right.
            error.hint = (
                f"this is over {self._size} rows at a time: name every input that has as many rows as {rows[0]} in rows"
            )
            raise

    def value_and_gradient(self, vector: np.ndarray, number: int) -> tuple[float, np.ndarray]:
        """The value and the gradient over the batch of this number, counted from the first epoch on."""
        chosen = self._rows(number)
        data = {name: _rows_of(array, chosen) for name, array in self._data.items()}
        return self._plans[chosen.size].value_and_gradient(vector, data)

    def _pieces(self, size: int) -> dict[str, InputSpec]:
        return {name: InputSpec(name, (size, *array.shape[1:]), array.dtype) for name, array in self._data.items()}

    def _rows(self, number: int) -> np.ndarray:
        """The rows of a batch, in ascending order."""
        epoch, place = divmod(number, -(-self._count // self._size))
        if self._of_epoch is None or self._of_epoch[0] != epoch:
            self._of_epoch = epoch, np.random.default_rng([self._seed, epoch]).permutation(self._count)
        return np.sort(self._of_epoch[1][place * self._size : (place + 1) * self._size])


def check_batches(rows: Sequence[str], size: Any, seed: Any, inputs: Mapping[str, Any], wrt: Sequence[str]) -> None:
    """Refuse what cannot be dealt, and half of what dealing needs."""
    if size is None:
        raise GradcliError("rows needs batch_size, the number of rows in a batch")
    if not rows:
        raise GradcliError(
            "batch_size needs rows, the names of the inputs that are split into batches", hint="for example, rows X,y"
        )
    if isinstance(size, bool) or not isinstance(size, int) or size < 1:
        raise GradcliError(f"batch_size must be an integer from 1, got {shown_value(size)}")
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise GradcliError(f"seed must be an integer from 0, got {shown_value(seed)}")
    for name in rows:
        if name not in inputs:
            hint = did_you_mean(name, list(inputs)) or f"the inputs are {', '.join(inputs)}"
            raise GradcliError(f"rows: there is no input {quoted(name)}", hint=hint)
        if name in wrt:
            raise GradcliError(f"rows: {name!r} is a parameter, and changes as a whole")
        if not inputs[name].shape:
            raise GradcliError(f"rows: {name!r} is a single number and has no rows")
        count, other = inputs[rows[0]].shape[0], inputs[name].shape[0]
        if other != count:
            raise GradcliError(f"rows: {rows[0]} has {count:,} of them, {name} {other:,}: they must be equal")
    if not inputs[rows[0]].shape[0]:
        raise GradcliError(f"rows: {rows[0]} has none")


def _at_hand(data: dict[str, Any], epochs: float) -> dict[str, Any]:
    """The data, read once and for all from files that are gone through as a whole and take little of the memory."""
    files = {name: array for name, array in data.items() if not isinstance(array, np.ndarray)}
    limit = usable_memory() if files else None
    if epochs < 1 or limit is None or sum(array.nbytes for array in files.values()) > _SHARE * limit:
        return data
    return data | {name: array.load() for name, array in files.items()}


def _rows_of(array: Any, chosen: np.ndarray) -> np.ndarray:
    """Rows of an array in memory or in a file."""
    rows: np.ndarray = array.take(chosen, axis=0) if isinstance(array, np.ndarray) else array.rows(chosen)
    return rows
