"""One pass over the data: blocks dealt to threads, partial results combined in an order of their own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from gradcli.engine.execute.pass_frame import PassFrame
from gradcli.engine.execute.threads import Failures, deal, in_vain, shares
from gradcli.engine.plan.passes import GROUPS_WAITING, PLAIN, Pass, Sum
from gradcli.machine.blas import one_thread
from gradcli.ops.kernels.inplace import aligned

# Neighbouring blocks whose partial results are added up by one thread before they are kept: so few are kept at once.
_MOST_GROUPS = 256
_PARTIAL_BYTES = 1 << 26
# Bytes of those that may wait in any case, and seconds after which a thread that waits looks whether it still has to.
_WAITING_BYTES, _SECONDS = 1 << 20, 0.05
# Groups that one thread does one after the other: as many as fill some pages, if there are no more sums than so many.
_MOST_TOGETHER, _PAGES, _FEW_SUMS = 16, 1 << 22, 1 << 9
# Of fewer blocks, it takes longer to get ready for several in one call than is gained.
_MANY = 32
# What native code may compute in one call, in elements of the cheapest operations, since Ctrl-C counts between calls:
# less than a tenth of a second. And bytes that the states of all its blocks may take.
_WORK_AT_ONCE, _STATES_AT_ONCE = 1 << 26, 1 << 18
# Larger than any temporary array of a block.
_WARM = 1 << 24

Progress = Callable[[int], None]


class PassRun(NamedTuple):
    """A pass and its arrays: `values` holds those of the program by number, `sinks` takes the place of those that are
    written as files. So many threads compute it, and so many blocks `together`, in one call."""

    one: Pass
    values: list[Any]
    sinks: dict[int, Any]
    threads: int = 1
    together: int = 1


def run_pass(
    one: Pass, values: list[Any], sinks: dict[int, Any], threads: int, progress: Progress | None, again: bool = False
) -> None:
    """Fill the arrays that a pass writes, and set the results of its reductions in `values`.

    `values` holds the arrays of the program by number, `sinks` takes the place of those that are written as files.
    `progress` is told of each block how many rows it had. `again` says that the pass has been run before, and that
    there is memory to spare.
    """
    run = PassRun(one, values, sinks, one.threads(threads))
    wanted = wanted_blocks(one, sinks)
    if wanted is not None:
        # Nobody looks at the rest.
        rows = [(block * one.rows, min(one.length, (block + 1) * one.rows)) for block in wanted]
        _deal(run, len(rows), lambda worker, k: worker.run(*rows[k]))
        return
    if again:
        # Getting ready for several blocks takes longer than one run gains.
        run = run._replace(together=blocks_together(one))
    total = _Joined(one.sums, run.threads)
    take, begin = (total.add, total.wait) if one.sums else (_drop, None)
    run_groups(run, range(group_count(one)), take, progress, begin)
    finish_sums(one, values, [total.state])


def _drop(k: int, state: Any) -> None:
    """There is nothing to join."""


class _Joined:
    """The partial results of groups, joined in their order as soon as all before them are there: few are kept."""

    def __init__(self, sums: list[Sum], threads: int) -> None:
        self.sums = sums
        self.state: Any = None
        self.waiting: dict[int, Any] = {}
        self.reached = 0
        #: So many groups may be done after the first that is not.
        self.most = max(GROUPS_WAITING * threads, _WAITING_BYTES // (_sum_bytes(sums) + 1))
        self.changed = threading.Condition()

    def wait(self, k: int, in_vain: Callable[[], bool]) -> None:
        """Wait until a group may be begun: where the thread that does the one before is slow, the results of all after
        it would be kept."""
        with self.changed:
            while k > self.reached + self.most and not in_vain():
                self.changed.wait(_SECONDS)

    def add(self, k: int, state: Any) -> None:
        with self.changed:
            self.waiting[k] = state
            while self.reached in self.waiting:
                following = self.waiting.pop(self.reached)
                if following is not None:
                    self.state = following if self.state is None else _merged(self.sums, self.state, following)
                self.reached += 1
            self.changed.notify_all()


def run_groups(
    run: PassRun,
    groups: range,
    take: Callable[[int, Any], None],
    progress: Progress | None = None,
    begin: Callable[[int, Callable[[], bool]], None] | None = None,
) -> None:
    """Do some neighbouring groups of the blocks of a pass; `take(k, state)` is given the partial results of each, by
    its place among them (None: no blocks), in whatever order they come. `begin(k, in_vain)` comes back when a group may
    be begun, or when that is in vain."""
    one = run.one
    blocks, per_group = one.blocks, _group_size(one)
    failures: Failures = []
    starts = shares(len(groups), run.threads, _neighbours(one, run.sinks), run.together // per_group)

    def blocks_of(first: int, last: int) -> range:
        return range(min(blocks, first * per_group), min(blocks, last * per_group))

    def do(worker: _Worker, piece: int) -> None:
        some = range(starts[piece], starts[piece + 1])
        if begin is not None:
            begin(some[0], lambda: in_vain(failures, piece))
        found = worker.partials(blocks_of(groups[some[0]], groups[some[-1]] + 1))
        for k in some:
            state: list[Any] | None = None
            for block in blocks_of(groups[k], groups[k] + 1):
                if failures and in_vain(failures, piece):
                    return
                partial = next(found)
                state = partial if state is None else _merged(one.sums, state, partial)
                if progress is not None:
                    progress(min(one.rows, one.length - block * one.rows))
            take(k, state)

    _deal(run, len(starts) - 1, do, failures)


def _deal(run: PassRun, count: int, do: Callable[[_Worker, int], Any], failures: Failures | None = None) -> None:
    """Do so many pieces of a pass, each thread with a worker of its own."""
    compile_pass(run.one, run.together)
    native = run.one.wholly_native
    if not native:
        # The C library gives large freed memory back to the system, and takes page after page anew for the next
        # temporary array, unless it has once seen a larger one come and go: then it keeps what is smaller.
        np.empty(_WARM, np.uint8)
    # Threads inherit what is set here.
    with nullcontext() if native else one_thread(), np.errstate(all="ignore"):
        deal(count, run.threads, lambda: partial(do, _Worker(run)), failures)


def compile_pass(one: Pass, together: int = 1) -> None:
    """Make the machine code of native steps, before threads would all do it at once."""
    if not one.fused:
        return
    from gradcli.engine.native.call import loaded

    for step in one.steps:
        if not isinstance(step, PLAIN):
            loaded(step.text)
    if together > 1:
        from gradcli.engine.native.block_loop import LOOP

        loaded(LOOP)


def finish_sums(one: Pass, values: list[Any], states: list[Any]) -> None:
    """Set the results of the reductions, from the partial results of all groups in order."""
    if not one.sums:
        return
    with np.errstate(all="ignore"):
        total = states[0]
        for state in states[1:]:
            if state is not None:
                total = _merged(one.sums, total, state)
        for item, state in zip(one.sums, total, strict=True):
            result = item.accumulate.finish(state, item.node)
            values[item.value] = result if item.node.op.results else np.asarray(result)


def wanted_blocks(one: Pass, sinks: dict[int, Any]) -> list[int] | None:
    """The blocks that matter, where all results are kept only in part; None where all do."""
    kept = [(sinks.get(write.value), write.axis) for write in one.writes]
    if one.sums or not all(hasattr(sink, "indices") for sink, _ in kept):
        return None
    return sorted({int(index) // one.rows for sink, axis in kept if sink is not None for index in sink.indices(axis)})


def group_count(one: Pass) -> int:
    """How many partial results are kept: it depends on the shapes alone, so that the bits do."""
    if not one.sums:
        return one.blocks
    return max(1, min(one.blocks, _MOST_GROUPS, _PARTIAL_BYTES // _sum_bytes(one.sums)))


def _sum_bytes(sums: list[Sum]) -> int:
    """Bytes of the partial results of a group, about."""
    return sum(max(1, item.node.size) for item in sums) * 8


def _group_size(one: Pass) -> int:
    """Blocks in a group."""
    return -(-one.blocks // group_count(one))


def blocks_together(one: Pass) -> int:
    """How many neighbouring blocks may be computed in one call: several, if all steps are native and there are many."""
    if one.blocks < _MANY or not one.wholly_native or any(step.checks for step in one.steps):
        return 1
    from gradcli.engine.native.call import stride_of

    short = _WORK_AT_ONCE * one.blocks // (int(one.work) + 1)
    small = _STATES_AT_ONCE // (sum(map(stride_of, one.steps)) + 1)
    return max(1, min(_MOST_TOGETHER, short, small))


def _neighbours(one: Pass, sinks: dict[int, Any]) -> int:
    """Neighbouring groups that one thread does: two threads that begin the same page of new memory both clear it."""
    written = max((one.slots[write.slot][0].nbytes for write in one.writes if write.value not in sinks), default=0)
    # Those of groups that are done early wait for the others.
    if not written or sum(item.node.size for item in one.sums) > _FEW_SUMS:
        return 1
    return min(_MOST_TOGETHER, -(-_PAGES * group_count(one) // written))


def group_rows(one: Pass, groups: range) -> tuple[int, int]:
    """The rows that neighbouring groups go through."""
    rows = _group_size(one) * one.rows
    return min(one.length, groups.start * rows), min(one.length, groups.stop * rows)


def _merged(sums: list[Sum], a: list[Any], b: list[Any]) -> list[Any]:
    return [item.accumulate.merge(x, y) for item, x, y in zip(sums, a, b, strict=True)]


class _Worker:
    """Computes blocks in one thread, with scratch buffers of its own."""

    def __init__(self, work: PassRun) -> None:
        one = work.one
        self.one = one
        self.work = work
        self.scratch = [aligned(size * one.rows) for size in one.buffers]
        self.frames: dict[int, PassFrame] = {}
        #: Whether blocks of all lengths have the same frame: native code where they lie knows of no length.
        self.alike = not one.buffers and one.wholly_native

    def partials(self, blocks: range) -> Iterator[list[Any]]:
        """Compute these blocks; gives the partial results of the reductions of each."""
        one = self.one
        while blocks:
            begin = blocks.start * one.rows
            # The last one of all may be shorter.
            count = min(self.work.together, len(blocks), (one.length - begin) // one.rows)
            loop = self._frame(one.rows).loop if count > 1 else None
            if loop is None:
                count = 1
                yield self.run(begin, min(one.length, begin + one.rows))
            else:
                yield from loop.run(begin, count)
            blocks = blocks[count:]

    def run(self, begin: int, end: int) -> list[Any]:
        """Compute the rows from `begin` to `end`; gives the partial results of the reductions."""
        return self._frame(self.one.rows if self.alike else end - begin).run(begin, end)

    def _frame(self, rows: int) -> PassFrame:
        frame = self.frames.get(rows)
        if frame is None:
            one, values, sinks, _, together = self.work
            frame = PassFrame(one, values, sinks, self.scratch, rows, together if rows == one.rows else 1)
            self.frames[rows] = frame
        return frame
