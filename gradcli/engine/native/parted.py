"""Elements of several operands beside each other as an item: each place looks for its own, or takes long stretches."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np

from gradcli.engine.native import lane_forms
from gradcli.engine.native.loop_steps import LoopStep, beside_axis
from gradcli.engine.native.strides import Shape, dense
from gradcli.engine.plan.block_sizes import fills_vectors
from gradcli.engine.plan.passes import Pass, Step
from gradcli.graph.native_forms import NativeParts, Part, Span

#: Places that are put together of parts: where there is a loop, each part is looked at for each place.
_MOST_PARTS = 32
#: Places are counted in 32 bits.
_MOST_PLACES = (1 << 31) - (1 << 10)
#: More stretches than these take longer than a copy.
_MOST_SPANS = 8


class _PartsReader(Protocol):
    """What is asked of `Lowering`."""

    one: Pass
    source: dict[int, int]
    takes_spans: bool

    def rest(self, slot: int) -> Shape: ...
    def shared(self, slot: int) -> bool: ...
    def leading(self, slot: int) -> int: ...


def parted(reader: _PartsReader, step: Step, native: NativeParts) -> LoopStep | None:
    """The item of a row that puts elements beside each other along a dimension; None where that is the blocked one, or
    they come from too many places."""
    node, axis = step.node, reader.one.slots[step.out][1]
    if reader.takes_spans and math.prod(reader.rest(step.out)) > _MOST_PARTS:
        stretches = native.stretches(node, _MOST_SPANS)
        if stretches is not None and stretches[0] != axis:
            item = _in_spans(reader, step, beside_axis(stretches[0], axis), stretches[1])
            if item is not None:
                return item
    found = native.parts(node)
    return None if found is None or found[0] == axis else _in_parts(reader, step, beside_axis(found[0], axis), found[1])


def _in_parts(reader: _PartsReader, step: Step, at: int, order: Sequence[Part]) -> LoopStep | None:
    """Each part is there at each place, which takes one of them."""
    if sum(part is not None for part in order) > _MOST_PARTS:
        return None
    space = reader.rest(step.out)
    parts = list(dict.fromkeys(part for part in order if part is not None))
    operands, shifts = [], []
    for number, place in parts:
        slot = step.inputs[number]
        if reader.shared(slot):
            return None
        own = reader.rest(slot)
        steps = dense(own) if len(own) == len(space) else (*dense(own)[:at], 0, *dense(own)[at:])
        operands.append((slot, (*steps[:at], 0, *steps[at + 1 :])))
        shifts.append(place * steps[at])
    chosen = [None if part is None else parts.index(part) for part in order]
    form = lane_forms.chosen(chosen, step.node.dtype)
    return LoopStep(step, space, tuple(operands), step.out, dense(space), form, along=at, shifts=tuple(shifts))


def _in_spans(reader: _PartsReader, step: Step, at: int, found: Sequence[Span]) -> LoopStep | None:
    """Each operand is there for a stretch of places."""
    space = reader.rest(step.out)
    if not found or len(found) >= sum(span.stop - span.start for span in found) or step.node.dtype.itemsize < 4:
        return None
    if math.prod(space) > _MOST_PLACES:
        return None
    slots = (*step.inputs, step.out)
    if any(reader.shared(slot) or reader.leading(reader.source.get(slot, slot)) > 1 for slot in slots):
        return None
    # Where lines are short, those behind each other are one.
    inner = 1 if fills_vectors(space[-1]) else math.prod(space[at + 1 :])
    operands, shifts, spans = [], [], []
    for start, stop, number, first in found:
        own = reader.rest(step.inputs[number])
        if len(own) != len(space):
            return None
        steps = dense(_joined(own, at, inner))
        operands.append((step.inputs[number], steps))
        shifts.append((first - start) * inner * steps[at])
        spans.append((start * inner, stop * inner))
    space = _joined(space, at, inner)
    form = _form_of(spans, step.node.dtype)
    item = LoopStep(step, space, tuple(operands), step.out, dense(space), form, along=at, shifts=tuple(shifts))
    return replace(item, spans=tuple(spans))


def _joined(lengths: Shape, at: int, inner: int) -> Shape:
    """The lengths with the dimensions behind this one, which have so many places, as part of it."""
    return lengths if inner == 1 else (*lengths[:at], lengths[at] * inner)


def _form_of(spans: Sequence[tuple[int, int]], dtype: np.dtype) -> Callable[..., Any]:
    """The operand whose stretch a place is in."""

    def at_place(v: Any, *values: Any) -> Any:
        *parts, place = values
        result = v.constant(0, dtype)
        for (start, stop), part in zip(spans, parts, strict=True):
            result = v.select((place >= start) & (place < stop), part, result)
        return result

    return at_place
