"""The client's side: the groups of a pass dealt to workers, their partial results merged here in their order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradcli.cluster.fingerprint import fingerprint, versions
from gradcli.cluster.scheduler import Cluster, dealt
from gradcli.cluster.transfer import piece_of
from gradcli.cluster.worker import Done, PassPart, Results, Work, compute, hold
from gradcli.engine.execute.given_values import packed_value
from gradcli.engine.execute.run import threaded
from gradcli.engine.execute.run_pass import finish_sums, group_count, group_rows, wanted_blocks
from gradcli.engine.execute.threads import get_num_threads
from gradcli.engine.native.choice import chosen, engine_in_use
from gradcli.engine.plan.passes import Pass
from gradcli.engine.plan.program import Program
from gradcli.evaluation.request import Recipe
from gradcli.graph.node import INPUT
from gradcli.storage import FileArray
from gradcli.storage.file_array import Origin

Told = Callable[[int], None] | None

# Bytes that a part reads and writes: much more than it costs to send it.
_PART_BYTES = 64 << 20
# Parts for each thread of the workers, that all be busy until the end; and how many of them are under way at a time.
_PARTS = 4
_AHEAD = 2
# Arrays of more bytes are sent to each worker once, not with each part.
_INLINE = 1 << 16


class Dealer:
    """Runs passes on a cluster: the `runner` of `gradcli.engine.execute.run.run`.

    `program` is the plan of the request that `recipe` describes, or of those of its roots that `roots` names by their
    positions, with the positions `streamed` among them of those that are written block by block; `inputs` are its data,
    by name.
    """

    def __init__(
        self,
        cluster: Cluster,
        recipe: Recipe,
        program: Program,
        inputs: Mapping[str, Any],
        streamed: frozenset[int],
        roots: Sequence[int] | None = None,
    ) -> None:
        self.cluster = cluster
        self.recipe = recipe
        self.program = program
        self.streamed = streamed
        self.roots = None if roots is None else tuple(roots)
        self.inputs = {name: array for name, array in inputs.items() if isinstance(array, FileArray)}
        found = {name: array.origin() for name, array in self.inputs.items()}
        self.origins: dict[str, Origin] = {name: origin for name, origin in found.items() if origin is not None}
        #: What the workers were told of the plan and of the one without conditions.
        self._works: dict[bool, Any] = {}

    def __call__(self, program: Program, one: Pass, values: list[Any], sinks: dict[int, Any], told: Told) -> None:
        """Run a pass."""
        # As the workers run it: native blocks may be longer, and other rows are theirs then.
        ready = chosen(program, one)
        if wanted_blocks(ready, sinks) is not None or ready.blocks == 1:
            threaded(get_num_threads())(program, one, values, sinks, told)
            return
        number, found = next(k for k, each in enumerate(program.passes) if each is one), self._found(program)
        for _, shared in one.shared:
            if shared not in found:
                packed_value(program, values, shared)
        pieces = _Dealt(ready, number, values, sinks, told, found)
        futures = {k: self.cluster.client.submit(hold, piece_of(values[k]), pure=False) for k in pieces.large}
        try:
            self._deal(pieces, self._work(program), futures)
        finally:
            for future in futures.values():
                future.release()
        finish_sums(ready, values, pieces.states)

    def _found(self, program: Program) -> set[int]:
        """The arrays that workers have by themselves: constants, inputs in files that they can read, and parts of
        these."""
        leaves = enumerate(program.leaves)
        found = {k for k, leaf in leaves if leaf.op is not INPUT or leaf.params["name"] in self.origins}
        for view in program.views:
            if found.issuperset(view.inputs):
                found.add(view.out)
        return found

    def _work(self, program: Program) -> Any:
        """What the workers are told of the plan: a future of it."""
        fallback = program is not self.program
        if fallback not in self._works:
            given = tuple(self.inputs), tuple(self.origins.items()), self.roots, tuple(sorted(self.streamed))
            plan = fallback, tuple(program.sizes)
            work = Work(self.recipe, *given, *plan, versions(), fingerprint(program), engine_in_use())
            self._works[fallback] = self.cluster.client.submit(hold, work, pure=False)
        return self._works[fallback]

    def _deal(self, one: _Dealt, work: Any, held: dict[int, Any]) -> None:
        """Keep the workers busy until all parts are done; whatever ends this early ends the parts too."""
        threads, numbers = max(1, self.cluster.threads()), tuple(held)
        parts = ((groups, (compute, work, one.part(groups), numbers, *held.values())) for groups in one.ranges(threads))
        for groups, done in dealt(self.cluster, parts, lambda: threads * _AHEAD, lambda: False):
            one.take(groups, done)


@dataclass
class _Dealt:
    """One pass on its way: what its parts need, and what has come back."""

    one: Pass
    number: int
    values: list[Any]
    sinks: dict[int, Any]
    told: Told
    found: set[int]

    def __post_init__(self) -> None:
        one, sinks = self.one, self.sinks
        self.states: list[Any] = [None] * group_count(one)
        self.results = {w.value: _results(sinks[w.value], w.axis) for w in one.writes if w.value in sinks}
        shared = sorted({number for _, number in one.shared if number not in self.found})
        #: The arrays that every part needs whole: those that are sent with each, and to each worker once.
        self.small = [number for number in shared if self.values[number].nbytes <= _INLINE]
        self.large = [number for number in shared if self.values[number].nbytes > _INLINE]

    def ranges(self, threads: int) -> Iterator[range]:
        """The groups, in ranges of neighbours that make up a part each."""
        count = len(self.states)
        parts = max(_PARTS * threads, self.one.traffic // _PART_BYTES)
        size = max(1, count // parts)
        return (range(start, min(count, start + size)) for start in range(0, count, size))

    def part(self, groups: range) -> PassPart:
        """What a worker is told of a part; it holds the slices of all arrays that only the client has."""
        begin, end = group_rows(self.one, groups)
        pieces = {number: piece_of(self.values[number]) for number in self.small}
        for cut in self.one.cuts:
            if cut.value not in self.found and begin < end:
                pieces[cut.value] = piece_of(self.values[cut.value], cut.axis, begin, end)
        return PassPart(self.number, groups.start, groups.stop, pieces, self.results)

    def take(self, groups: range, done: Done) -> None:
        """Take what a worker has sent: partial results, and pieces of results that it could not write itself."""
        self.states[groups.start : groups.stop] = [_own(state) for state in done.states]
        for number, axis, start, block in done.pieces:
            if number in self.sinks:
                self.sinks[number].write(axis, start, block)
            else:
                stop = start + block.shape[axis]
                np.copyto(self.values[number][(slice(None),) * axis + (slice(start, stop),)], block)
        if self.told is not None:
            begin, end = group_rows(self.one, groups)
            self.told(end - begin)


def _results(sink: Any, axis: int) -> Results:
    """Where the pieces of a result go."""
    if hasattr(sink, "indices"):
        return Results(rows=tuple(sink.indices(axis).tolist()))
    sinks = getattr(sink, "sinks", [sink])
    if all(hasattr(each, "place") for each in sinks):
        return Results(places=tuple([each.place for each in sinks]))
    return Results()


def _own(state: Any) -> Any:
    """Partial results that may be written over when they are merged: what has been received may not."""
    if isinstance(state, np.ndarray):
        return state if state.flags.writeable else state.copy()
    return type(state)(map(_own, state)) if isinstance(state, list | tuple) else state
