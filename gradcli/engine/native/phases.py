"""Which steps of a group share a loop: a phase goes once through a space, for each row or for a vector of rows."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from gradcli.engine.native.loop_steps import LoopStep
from gradcli.engine.native.strides import Shape, dense


@dataclass(eq=False)
class Phase:
    """Items that one loop computes, in an order in which each finds its operands. `reduced` are the dimensions of the
    space that reductions take in, from the end or not; None while there is no reduction."""

    space: Shape
    reduced: tuple[int, ...] | None = None
    items: list[LoopStep] = field(default_factory=list)
    from_end: bool = False

    def takes(self, item: LoopStep) -> bool:
        """Whether the item goes through the same loops."""
        if item.space != self.space:
            return False
        if item.out < 0 or item.lanes is None or self.reduced is None:
            return True
        return (self.reduced, self.from_end) == (item.reduced, item.from_end)

    def add(self, item: LoopStep) -> None:
        self.items.append(item)
        if item.out >= 0 and item.lanes is not None:
            self.reduced, self.from_end = item.reduced, item.from_end


def phases_of(items: Sequence[LoopStep], wanted: Collection[int], over: Mapping[int, int]) -> list[Phase]:
    """The phases of a group, each item as late as it can be had; `wanted` are the places that others look at, `over`
    has those that are written into the memory of another one, which nobody looks at in a later phase."""
    where = _earliest(items, over)
    where = _latest(items, where, wanted, set(over.values()))
    found: list[Phase] = []
    for number in sorted(set(where.values())):
        phase = Phase(next(item.space for item in items if where[item] == number))
        for item in items:
            if where[item] == number:
                phase.add(item)
        found.append(phase)
    return found


def _earliest(items: Sequence[LoopStep], over: Mapping[int, int]) -> dict[LoopStep, int]:
    """The first phase that each item can be in, given those that there are before it."""
    phases: list[Phase] = []
    where: dict[LoopStep, int] = {}
    made: dict[int, LoopStep] = {}
    read: dict[int, int] = {}
    for item in items:
        first = max(_first_phase(item, where, made), read.get(over.get(item.out, -1), 0))
        place = next((k for k in range(first, len(phases)) if phases[k].takes(item)), len(phases))
        if place == len(phases):
            phases.append(Phase(item.space))
        phases[place].add(item)
        where[item] = place
        for slot, strides, shift in item.reads:
            # What is read at other places than the loop is at may be overwritten by then, as what a product reads may:
            # for several rows together it comes after what the loop does with each of them.
            here = strides == dense(item.space) and not shift and slot != item.whole and not item.is_product
            here = here and not item.spans
            read[slot] = max(place + (not here), read.get(slot, 0))
        if item.out >= 0:
            made[item.out] = item
    return where


def _first_phase(item: LoopStep, where: dict[LoopStep, int], made: dict[int, LoopStep]) -> int:
    """Where all operands are there: in the loop that makes them, if they are used place by place, or after it."""
    first = 0
    for slot, strides in item.operands:
        if slot in made:
            maker = made[slot]
            there = in_step(maker, item, strides) and slot != item.whole
            first = max(first, where[maker] + (not there))
    return first


def in_step(maker: LoopStep, item: LoopStep, strides: Shape) -> bool:
    """Whether an item can use a value at the very place of the loop where it is made."""
    return maker.lanes is None and maker.space == item.space and strides == dense(item.space) and not item.spans


def _latest(
    items: Sequence[LoopStep], where: dict[LoopStep, int], wanted: Collection[int], lost: Collection[int]
) -> dict[LoopStep, int]:
    """Items that only later phases look at move there, if that takes no value along: fewer values are kept. What is in
    `lost` is not there for ever."""
    where = dict(where)
    users: dict[int, list[LoopStep]] = {}
    for item in items:
        for slot, _ in item.operands:
            users.setdefault(slot, []).append(item)
    made = {item.out: item for item in items if item.out >= 0}
    spaces: dict[int, Shape] = {place: item.space for item, place in where.items()}
    for item in reversed(items):
        if item.lanes is not None or item.out in wanted or item.out not in users:
            continue
        if any(slot in lost for slot, _ in item.operands):
            continue
        target = min(where[user] for user in users[item.out])
        if target == where[item] or spaces[target] != item.space:
            continue
        if not all(_uses_in_step(item, user) for user in users[item.out] if where[user] == target):
            continue
        if all(_lasts(slot, strides, item, where, made, users) for slot, strides in item.operands):
            where[item] = target
    return where


def _uses_in_step(maker: LoopStep, user: LoopStep) -> bool:
    if user.whole == maker.out:
        return False
    return all(in_step(maker, user, strides) for slot, strides in user.operands if slot == maker.out)


def _lasts(
    slot: int,
    strides: Shape,
    item: LoopStep,
    where: dict[LoopStep, int],
    made: dict[int, LoopStep],
    users: dict[int, list[LoopStep]],
) -> bool:
    """Whether an operand is kept beyond its loop anyhow, or can move along."""
    maker = made.get(slot)
    if maker is None or not maker.space or not in_step(maker, item, strides):
        return True
    if where[maker] < where[item]:
        return True
    return maker.lanes is None and all(user is item for user in users[slot])
