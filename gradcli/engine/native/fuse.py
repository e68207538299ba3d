"""A pass with its steps gathered into groups, each of which one native function computes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from gradcli.engine.native.code_length import CodeLength, Written
from gradcli.engine.native.expressions import LINE
from gradcli.engine.native.group import group_of
from gradcli.engine.native.loop_steps import Check, LoopStep
from gradcli.engine.native.lowering import Lowering
from gradcli.engine.native.overwritten import read_later, written_over
from gradcli.engine.native.step import NativeStep
from gradcli.engine.native.ways import FOR_EACH, Way, alone, ways
from gradcli.engine.plan.block_sizes import times_as_long
from gradcli.engine.plan.buffers import Buffers
from gradcli.engine.plan.passes import UFUNC, Cut, Pass, Step, Sum

#: Bytes of results of which no cache holds anything when they are looked at.
_LARGE = 1 << 24
#: Instructions of one function: its parts are looked at together, and the registers of all are dealt out at once.
_LONGEST = 4_000
#: Those of a pass, each of which takes about 0.05 ms to make: always so many, more if there is enough to compute with
#: them (work in elements, as a pass counts it), but never more than the last.
_FEW, _WORK_OF_ONE, _MOST = 4_000, 100_000, 20_000


def fused(one: Pass, borrowed: dict[int, int]) -> Pass | None:
    """The same pass with native steps, or None where nothing of it is native. `borrowed` is the program's."""
    room = max(_FEW, min(_MOST, int(one.work / _WORK_OF_ONE)))
    found: list[tuple[int, _Rebuilt]] = []
    known: dict[Any, Written] = {}
    reader, over = Lowering(one), written_over(one, borrowed)
    widest = reader.largest(Lowering.places, 0)

    def written(rebuilt: _Rebuilt) -> Pass | None:
        """The pass, if it is not too much code and does not keep too much."""
        most = rebuilt.way.most and max(rebuilt.way.most, FOR_EACH * widest)
        made = rebuilt.result(most)
        return made if made is not None and _length(made) <= 2 * room else None

    for way in ways(widest):
        reader.begin()
        code = CodeLength(reader, room, way.unrolled, known)
        runs = _without_idle(one, list(_runs(one, reader, way, code)))
        groups = [run.items for run in runs if isinstance(run, _Stretch)]
        own = [run.items for run in runs if isinstance(run, _Stretch) and run.way is way]
        if not groups or not way.worth_it(reader, own, code.lines):
            continue
        if _is_whole(runs):
            # No other way takes more steps.
            made = written(_Rebuilt(one, reader, runs, way, over))
            if made is not None:
                return made
        elif not one.transposed:
            found.append((sum(map(_taken, groups)), _Rebuilt(one, reader, runs, way, over)))
    # What takes as many steps as another one comes first, unless reading and writing its arrays is too much code.
    for _, rebuilt in sorted(found, key=lambda item: -item[0]):
        made = written(rebuilt)
        if made is not None:
            return made
    return None


def _taken(items: Sequence[LoopStep]) -> int:
    """How many steps are taken from NumPy, for which views are none."""
    return sum(not item.step.node.op.blocking.view for item in items)


def _length(one: Pass) -> int:
    """Lines of code."""
    return sum(step.text.count("\n") for step in one.steps if isinstance(step, NativeStep))


class _Stretch:
    """Neighbouring steps that are native, and the views between them; `way` is how their function is written."""

    def __init__(self, way: Way) -> None:
        self.way = way
        self.items: list[LoopStep] = []
        self.sums: list[Sum] = []
        self.views: list[Step] = []
        self.covers: list[Step | Sum] = []
        self.checks: list[Check] = []
        #: Instructions.
        self.length = 0


def _runs(one: Pass, reader: Lowering, way: Way, code: CodeLength) -> Iterator[_Stretch | Step | Sum]:
    """The steps in order, runs of native ones together, until there is too much code. Products of matrices that do not
    go with the others are functions of their own."""
    run, takes = _Stretch(way), way.takes
    for step in one.steps:
        if isinstance(step, Cut):
            continue
        if reader.is_view(step):
            assert isinstance(step, Step)
            run.views.append(step)
            continue
        if isinstance(step, Sum) and step.like >= 0:
            run.sums.append(step)
            run.covers.append(step)
            continue
        items = reader.read(step)
        length = code.of(items) if items is not None and all(takes(reader, item) for item in items) else None
        # What is computed where it is asked for is computed nowhere else.
        enough = length is not None and (length <= code.room or any(slot in reader.apart for slot in step.inputs))
        if items is None or length is None or not enough:
            yield from _ended(run)
            yield _apart(reader, step) or step
            run, reader.checks = _Stretch(way), []
            continue
        if run.items and run.length + length > _LONGEST:
            yield from _ended(run)
            run = _Stretch(way)
        code.room -= length
        run.length += length
        run.covers.append(step)
        if isinstance(step, Step) and step.node.op.results:
            reader.apart[step.out] = step
            continue
        run.items += items
        run.checks += reader.checks
        reader.checks = []
        if isinstance(step, Sum):
            run.sums.append(step)
    yield from _ended(run)


def _ended(run: _Stretch) -> Iterator[_Stretch | Step | Sum]:
    if run.items:
        yield run
    else:
        plain: list[Step | Sum] = [*run.views, *run.sums]
        yield from plain


def _apart(reader: Lowering, step: Step | Sum) -> _Stretch | None:
    """A step that is a function of its own."""
    found = alone(reader, step)
    if found is None:
        return None
    run = _Stretch(found[0])
    run.items, run.checks, run.covers = [found[1]], found[2], [step]
    return run


def _without_idle(one: Pass, runs: list[_Stretch | Step | Sum]) -> list[_Stretch | Step | Sum]:
    """The same without views that nobody looks at, since products look at what these show."""
    used = {write.slot for write in one.writes}
    found: list[_Stretch | Step | Sum] = []
    for run in reversed(runs):
        if isinstance(run, Step) and run.node.op.blocking.view and run.out not in used:
            continue
        found.append(run)
        if isinstance(run, _Stretch):
            used.update(slot for item in run.items for slot, _ in item.operands)
            used.update(check.slot for check in run.checks)
            used.update(slot for view in run.views for slot in view.inputs)
        else:
            used.update(run.inputs)
    return found[::-1]


def _touched(item: LoopStep) -> set[int]:
    return {item.out, *(slot for slot, _ in item.operands)}


def _is_whole(runs: list[Any]) -> bool:
    return len(runs) == 1 and isinstance(runs[0], _Stretch)


class _Rebuilt:
    """The pass anew: what its steps hand on to each other has buffers."""

    def __init__(
        self, one: Pass, reader: Lowering, runs: list[_Stretch | Step | Sum], way: Way, over: dict[int, int]
    ) -> None:
        self.one = one
        self.way = way
        self.reader = reader
        self.runs = runs
        self.written = {write.slot for write in one.writes}
        row = {slot: math.prod(reader.rest(slot)) * one.slots[slot][0].dtype.itemsize for slot in self.written}
        #: Results that are larger than a cache, and of which each block begins with a line of it.
        self.large = {
            slot
            for slot in self.written
            if one.slots[slot][0].nbytes >= _LARGE and (one.blocks == 1 or row[slot] * one.rows % LINE == 0)
        }
        self.over = over
        self.in_place = {write.slot for write in one.writes if not write.streamed}

    def result(self, most: int) -> Pass | None:
        """The pass, or None if its functions keep more than so many bytes of some rows (0: any number)."""
        self._rename()
        wanted = self._wanted()
        functions = {id(run): self._function(run, wanted) for run in self.runs if isinstance(run, _Stretch)}
        if most and sum(function.states.bytes for function in functions.values()) > most:
            return None
        # Native code takes arrays in memory as they are; NumPy's as a file has them.
        plain = {slot for run in self.runs if isinstance(run, Step | Sum) for slot in run.inputs}
        read = [cut.file or (cut.gaps and cut.slot in plain) for cut in self.one.cuts]
        cuts = [cut if own else cut._replace(buffer=-1) for cut, own in zip(self.one.cuts, read, strict=True)]
        steps: list[Any] = [cut for cut in cuts if cut.buffer >= 0]
        for run in self.runs:
            if isinstance(run, Step | Sum):
                steps.append(run)
                continue
            steps.append(self._native(run, functions[id(run)]))
            steps += [view for view in run.views if view.out in wanted]
        steps, buffers = self._placed(steps)
        own = {step.slot: step for step in steps if isinstance(step, Cut)}
        cuts = [own.get(cut.slot, cut) for cut in cuts]
        # Blocks of two lengths, the usual one and that of the last, are bound apart.
        private = 2 * sum(step.states.bytes for step in steps if isinstance(step, NativeStep))
        made = self.one._replace(cuts=cuts, steps=steps, buffers=buffers, transposed=False, fused=True, own=private)
        return made._replace(rows=made.rows * self._longer())

    def _longer(self) -> int:
        """How many times as long as in the plan blocks are."""
        run, slots = self.runs[0], self.reader.one.slots
        if not _is_whole(self.runs) or not isinstance(run, _Stretch):
            return 1
        seen = max([1, *(slots[slot][0].nbytes for slot in (*self.written, *(cut.slot for cut in self.one.cuts)))])
        made = max((slots[item.out][0].nbytes for item in run.items if item.out >= 0), default=0)
        return times_as_long(self.one.blocks, seen, made)

    def _rename(self) -> None:
        """Results that are views of what a native step makes are made by it: the elements have the same order."""
        made = {item.out for run in self.runs if isinstance(run, _Stretch) for item in run.items}
        plain = {slot for run in self.runs if not isinstance(run, _Stretch) for slot in run.inputs}
        views = {self.reader.source[slot]: slot for slot in sorted(self.written) if slot in self.reader.source}
        names = {source: slot for source, slot in views.items() if source in made and self._alone(source, slot, plain)}
        order = [run.items if isinstance(run, _Stretch) else run for run in self.runs]
        for source, slot in [*names.items()]:
            if slot in self.over and read_later(order, source, self.over[slot], self.reader.source):
                del names[source]

        def named(item: LoopStep) -> LoopStep:
            if names.keys().isdisjoint(_touched(item)):
                return item
            operands = tuple([(names.get(slot, slot), strides) for slot, strides in item.operands])
            return replace(item, operands=operands, out=names.get(item.out, item.out))

        # A result may be cut along another dimension, and then a row of it does not lie in one piece.
        stretches = [run for run in self.runs if isinstance(run, _Stretch)]
        for own, item in [(run, item) for run in stretches for item in run.items]:
            over = own.way.crosses and named(item).out in self.over
            if named(item) is not item and (over or not own.way.takes(self.reader, named(item))):
                names = {source: slot for source, slot in names.items() if source not in _touched(item)}
        for run in self.runs:
            if isinstance(run, _Stretch):
                run.items = [named(item) for item in run.items]
                run.checks = [check._replace(slot=names.get(check.slot, check.slot)) for check in run.checks]
                run.views = [view for view in run.views if view.out not in names.values()]

    def _alone(self, source: int, slot: int, plain: set[int]) -> bool:
        """Whether nobody else, no step, view or result, needs what lies between a place and the one that it shows."""
        views = {view.out: view.inputs[0] for run in self.runs if isinstance(run, _Stretch) for view in run.views}
        chain = [slot]
        while chain[-1] != source:
            if chain[-1] not in views:
                return False
            chain.append(views[chain[-1]])
        others = {shown for view, shown in views.items() if view not in chain} | self.written
        return plain.isdisjoint(chain) and others.isdisjoint(chain[1:])

    def _wanted(self) -> set[int]:
        """The places that somebody looks at who is no native step, or is in another run, and what they are views of."""
        wanted = set(self.written)
        for run in self.runs:
            if not isinstance(run, _Stretch):
                wanted.update(run.inputs)
        views = [run for run in self.runs if isinstance(run, Step)]
        views += [view for run in self.runs if isinstance(run, _Stretch) for view in run.views]
        for step in sorted(views, key=lambda step: -step.out):
            if step.node.op.blocking.view and step.out in wanted:
                wanted.update(step.inputs)
        made_in = {item.out: k for k, run in enumerate(self.runs) if isinstance(run, _Stretch) for item in run.items}
        for k, run in enumerate(self.runs):
            if isinstance(run, _Stretch):
                used = {slot for item in run.items for slot, _ in item.operands}
                wanted.update(slot for slot in used if made_in.get(slot, k) != k)
                wanted.update(check.slot for check in run.checks)
        return wanted

    def _function(self, run: _Stretch, wanted: set[int]) -> Any:
        items = run.way.prepared(self.reader, run.items)
        large = self.large if run.way is self.way else ()
        return run.way.function(group_of(self.reader, items, wanted, self.over, large))

    def _native(self, run: _Stretch, function: Any) -> NativeStep:
        group, text = function.group, function.module()
        slots = tuple(group.inputs), tuple(group.outs), (-1,) * len(group.outs)
        return NativeStep(group, function.states, text, *slots, tuple(run.sums), tuple(run.covers), tuple(run.checks))

    def _placed(self, steps: list[Any]) -> tuple[list[Any], list[int]]:
        """The steps with scratch buffers, each free again after the last step that looks at it."""
        ends: dict[int, list[int]] = {}
        for slot, end in self._last_uses(steps).items():
            ends.setdefault(end, []).append(slot)
        buffers = Buffers()
        placed = []
        for at, step in enumerate(steps):
            ending = ends.get(at, [])
            if isinstance(step, Step) and step.kind == UFUNC:
                # NumPy's functions write over their own operands.
                over = [slot for slot in ending if slot in step.inputs and self._alike(slot, step.out)]
                for slot in over:
                    buffers.release(slot)
            placed.append(self._with_buffer(step, buffers))
            for slot in ending:
                buffers.release(slot)
        return placed, buffers.sizes

    def _alike(self, a: int, b: int) -> bool:
        left, right = self.one.slots[a][0], self.one.slots[b][0]
        return left.shape == right.shape and left.dtype == right.dtype

    def _last_uses(self, steps: list[Any]) -> dict[int, int]:
        last = dict.fromkeys(self.written, len(steps))
        for at, step in reversed(list(enumerate(steps))):
            if isinstance(step, Cut):
                continue
            for slot in step.inputs:
                end = last.get(step.out, at) if isinstance(step, Step) and step.node.op.blocking.view else at
                last[slot] = max(last.get(slot, -1), end, at)
        return last

    def _with_buffer(self, step: Any, buffers: Buffers) -> Any:
        if isinstance(step, Cut):
            return step._replace(buffer=self._take(step.slot, buffers))
        if isinstance(step, NativeStep):
            own = [-1 if slot in self.in_place else self._take(slot, buffers) for slot in step.outs]
            return step._replace(buffers=tuple(own))
        if isinstance(step, Step) and (step.buffer >= 0 or step.lent >= 0):
            return step._replace(buffer=self._take(step.out, buffers), lent=-1)
        return step

    def _take(self, slot: int, buffers: Buffers) -> int:
        return buffers.take(slot, max(1, self.one.slots[slot][0].nbytes // self.one.length))
