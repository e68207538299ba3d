"""Neighbouring phases that go through the lines of a row together: all of them with one line, then with the next one.

So a line is in the nearest cache when a later phase comes to it, and memory for one line is enough.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from gradcli.engine.native.group import Group
from gradcli.engine.native.loop_steps import LoopStep
from gradcli.engine.native.phases import Phase

#: Shorter lines take longer with what there is to compute of each of them alone than they spare.
_LEAST = 32


def nests(group: Group) -> list[list[Phase]]:
    """The phases of a group in their order, those together that go through lines together."""
    found: list[list[Phase]] = []
    made: dict[int, LoopStep] = {}
    together = False
    for phase in group.phases:
        together = together and phase.space[:1] == found[-1][0].space[:1] and _keeps_to_lines(group, phase, made)
        if together:
            found[-1].append(phase)
        else:
            found.append([phase])
            made = {}
            # Whether others may join it.
            together = _keeps_to_lines(group, phase, made)
        made |= {item.out: item for item in phase.items if item.out >= 0}
    return list(_worth_it(found))


def _worth_it(runs: list[list[Phase]]) -> Iterator[list[Phase]]:
    for run in runs:
        if len(run) > 1 and max(math.prod(phase.space[1:]) for phase in run) >= _LEAST:
            yield run
        else:
            yield from ([phase] for phase in run)


def _keeps_to_lines(group: Group, phase: Phase, made: dict[int, LoopStep]) -> bool:
    """Whether items look at nothing of other lines that one of the same run makes, or that is written over."""
    if not phase.space:
        return False
    for item in phase.items:
        if item.table is not None or (item.out >= 0 and 0 in item.reduced):
            return False
        for slot, strides, shift in item.reads:
            own = made[slot].strides[0] if slot in made else math.prod(item.space[1:]) if slot in group.lost else None
            elsewhere = item.along == 0 if item.spans else shift
            if own is not None and (elsewhere or not own or strides[0] != own):
                return False
    return True
