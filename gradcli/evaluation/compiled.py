"""A request planned once, and run on whatever inputs of its forms come: behind all that evaluates expressions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

import numpy as np

from gradcli.engine.execute.closure import Computing
from gradcli.engine.execute.given_values import values_of
from gradcli.engine.execute.run import Progress, Runner, run
from gradcli.engine.execute.small import computing
from gradcli.engine.plan.planner import plan
from gradcli.engine.plan.program import DEFAULT_SIZES, Sizes
from gradcli.errors import written_in
from gradcli.evaluation.request import Request
from gradcli.graph.measured import is_measured
from gradcli.graph.node import Node
from gradcli.machine.limits import MEMORY_LIMIT

T = TypeVar("T")


class Compiled:
    """The program of a request, or of some of its `roots`.

    `files` are the leaves that are read block by block, `streamed` the places of the roots that are written so; with
    these, and a limit of memory, nothing is kept to save time, unless `sizes` say what is. Any number of threads may
    run it.
    """

    def __init__(
        self,
        request: Request,
        files: frozenset[Node] = frozenset(),
        *,
        roots: Sequence[Node] | None = None,
        streamed: frozenset[int] = frozenset(),
        sizes: Sizes | None = None,
    ) -> None:
        self.request = request
        with written_in(request.source):
            if sizes is None and (files or streamed) and MEMORY_LIMIT.get() is not None:
                sizes = DEFAULT_SIZES.frugal()
            roots = request.roots if roots is None else roots
            self.program = plan(roots, files=files, streamed=streamed, sizes=sizes)
        leaves = self.program.leaves
        #: What is the same at every run: constants, and what is held.
        self._leaves = [request.given[leaf] if leaf in request.given else leaf.params.get("value") for leaf in leaves]
        names = {leaf: name for name, leaf in request.leaves.items()}
        measured = {leaf: leaf.params["name"] for leaf in leaves if is_measured(leaf)}
        names |= measured
        self._measured = {
            name: np.broadcast_to(np.zeros((), leaf.dtype), leaf.shape) for leaf, name in measured.items()
        }
        self._places = [(k, names[leaf]) for k, leaf in enumerate(leaves) if leaf in names]
        self._vector = next((k for k, leaf in enumerate(leaves) if leaf is request.vector), None)
        self._direct: Computing | None = None

    def hold(self, inputs: Mapping[str, Any], vector: Any = None) -> None:
        """Use this data at every run from here on: it need not be given any more."""
        for place, name in self._places:
            if name in inputs:
                self._leaves[place] = inputs[name]
        self._places = [(place, name) for place, name in self._places if name not in inputs]
        if self._vector is not None:
            self._leaves[self._vector] = vector

    def settle(self, inputs: Mapping[str, Any], repeats: float) -> None:
        """Check once that there is memory enough, on inputs like those to come, of which there are so many as far as is
        known: a small program asks no more then.

        What is held stays the same, and the caller silences NumPy's warnings from here on.
        """
        given = {place for place, _ in self._places}
        fixed = {k: array for k, array in enumerate(self._leaves) if k not in given and array is not None}
        direct = computing(self.program, fixed, repeats) if self.program.takes_leaves else None
        if direct is not None:
            with written_in(self.request.source):
                from gradcli.engine.execute.bounds import check_memory

                leaves = self.leaves({**self._measured, **inputs})
                check_memory(self.program, values_of(self.program, leaves), 1, frozenset(), repeats)
            self._direct = direct

    def run(
        self,
        inputs: Mapping[str, Any],
        vector: Any = None,
        *,
        sinks: dict[int, Any] | None = None,
        threads: int | None = None,
        progress: Progress | None = None,
        runner: Runner | None = None,
    ) -> list[Any]:
        """The arrays of the roots; see `gradcli.engine.execute.run.run` for what else can be given."""
        leaves = self.leaves(inputs, vector)
        with written_in(self.request.source):
            if self._direct is not None:
                return self._direct.once(leaves)
            return run(self.program, leaves, sinks=sinks, threads=threads, progress=progress, runner=runner)

    @property
    def takes_many(self) -> bool:
        """Whether `many` computes many at once, so that is quicker than `run` for each."""
        return self._direct is not None

    def many(self, inputs: Mapping[str, Any], count: int) -> list[Any]:
        """The same as `run`, for so many inputs at once: arrays have a dimension in front, and so have the results."""
        assert self._direct is not None
        leaves, once = self.leaves(inputs), self._direct.once
        with written_in(self.request.source):
            if self._direct.many is not None:
                return self._direct.many(leaves, count)
            program, places = self.program, [place for place, _ in self._places]
            dtypes = [program.values[number].dtype for number in program.roots]
            found = [np.empty((count, *shape), dtype) for shape, dtype in zip(program.shapes, dtypes, strict=True)]
            one = leaves.copy()
            for k in range(count):
                for place in places:
                    one[place] = leaves[place][k, ...]
                for array, result in zip(found, once(one), strict=True):
                    array[k] = result
            return found

    def leaves(self, inputs: Mapping[str, Any], vector: Any = None) -> list[Any]:
        """The data of the program's leaves."""
        leaves = self._leaves.copy()
        for place, name in self._places:
            leaves[place] = inputs[name]
        if vector is not None and self._vector is not None:
            leaves[self._vector] = vector
        return leaves


class Kept(Generic[T]):
    """What was compiled last, by the kinds of inputs that it is for: at most so many. Any number of threads may ask."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._found: dict[tuple[Any, ...], T] = {}
        #: What was found last, and for which kind: most look for the same again.
        self._last: tuple[list[Any], T] | None = None

    def find(self, key: list[Any], make: Callable[[], T]) -> T:
        """What is kept for this kind, or else made now."""
        last = self._last
        if last is not None and key == last[0]:
            return last[1]
        kind = tuple(key)
        found = self._found.pop(kind, None) or make()
        if self._most:
            if len(self._found) >= self._most:
                # Another thread may be at it.
                self._found.pop(next(iter(self._found)), None)
            # The latest stands last.
            self._found[kind] = found
            self._last = key, found
        return found

    def clear(self) -> None:
        """Forget everything."""
        self._found.clear()
        self._last = None
