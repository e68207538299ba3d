"""Elements of several operands beside each other as an item: each place looks for its own, or takes long stretches."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np

from gradcli.engine.native import lane_forms
from gradcli.engine.native.loop_steps import LoopStep, Span, beside_axis
from gradcli.engine.native.strides import Shape, dense
from gradcli.engine.plan.block_sizes import fills_vectors
from gradcli.engine.plan.passes import Pass, Step
from gradcli.graph.native_forms import NativeParts

#: Places that are put together of parts: where there is a loop, each part is looked at for each place.
_MOST_PARTS = 32
#: More stretches than these take longer than a copy.
_MOST_SPANS = 8
#: The place of an element that stands somewhere: the number of an operand, and the place in it; None for a zero.
_Order = Sequence[tuple[int, int] | None]


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
    found, axis = native.parts(step.node), reader.one.slots[step.out][1]
    if found is None or found[0] == axis:
        return None
    at, order = beside_axis(found[0], axis), found[1]
    if math.prod(reader.rest(step.out)) > _MOST_PARTS and (item := _in_spans(reader, step, at, order)) is not None:
        return item
    return _in_parts(reader, step, at, order)


def _in_parts(reader: _PartsReader, step: Step, at: int, order: _Order) -> LoopStep | None:
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


def _in_spans(reader: _PartsReader, step: Step, at: int, order: _Order) -> LoopStep | None:
    """Each operand is there for a stretch of places."""
    found, space = spans_of(order) if reader.takes_spans else None, reader.rest(step.out)
    if not found or len(found) >= sum(part is not None for part in order) or step.node.dtype.itemsize < 4:
        return None
    slots = (*step.inputs, step.out)
    if any(reader.shared(slot) or reader.leading(reader.source.get(slot, slot)) > 1 for slot in slots):
        return None
    # Where lines are short, those behind each other are one.
    inner = 1 if fills_vectors(space[-1]) else math.prod(space[at + 1 :])
    operands, shifts, spans = [], [], []
    for span, number, first in found:
        own = reader.rest(step.inputs[number])
        if len(own) != len(space):
            return None
        steps = dense(_joined(own, at, inner))
        operands.append((step.inputs[number], steps))
        shifts.append((first - span.start) * inner * steps[at])
        spans.append(Span(span.start * inner, span.stop * inner))
    space = _joined(space, at, inner)
    form = _form_of(spans, step.node.dtype)
    item = LoopStep(step, space, tuple(operands), step.out, dense(space), form, along=at, shifts=tuple(shifts))
    return replace(item, spans=tuple(spans))


def _joined(lengths: Shape, at: int, inner: int) -> Shape:
    """The lengths with the dimensions behind this one, which have so many places, as part of it."""
    return lengths if inner == 1 else (*lengths[:at], lengths[at] * inner)


def spans_of(order: _Order) -> list[tuple[Span, int, int]] | None:
    """The stretches of places that have neighbouring elements of one operand, with its number and the place of the
    first element; None where they are many.

    >>> spans_of([None, (0, 5), (0, 6), (1, 0)])
    [(Span(start=1, stop=3), 0, 5), (Span(start=3, stop=4), 1, 0)]
    """
    found: list[tuple[Span, int, int]] = []
    for place, part in enumerate(order):
        if part is None:
            continue
        if found:
            span, number, first = found[-1]
            if span.stop == place and part == (number, first + place - span.start):
                found[-1] = span._replace(stop=place + 1), number, first
                continue
        if len(found) == _MOST_SPANS:
            return None
        found.append((Span(place, place + 1), *part))
    return found


def _form_of(spans: Sequence[Span], dtype: np.dtype) -> Callable[..., Any]:
    """The operand whose stretch a place is in."""

    def at_place(v: Any, *values: Any) -> Any:
        *parts, place = values
        result = v.constant(0, dtype)
        for span, part in zip(spans, parts, strict=True):
            result = v.select((place >= span.start) & (place < span.stop), part, result)
        return result

    return at_place
