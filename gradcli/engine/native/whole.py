"""A program of small operations as native functions of the whole request, between what is left to NumPy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from gradcli.engine.native.choice import MOST_KEPT
from gradcli.engine.native.code_length import CodeLength
from gradcli.engine.native.group import Group, group_of
from gradcli.engine.native.loop_steps import Check, LoopStep
from gradcli.engine.native.whole_function import WholeFunction
from gradcli.engine.native.whole_lowering import WholeLowering
from gradcli.engine.plan.program import Program, WholeStep
from gradcli.graph.node import Node

#: Lines of code, each of which takes about a tenth of a millisecond to make.
_LONGEST = 4_000
#: Operations that take as long as to bring arrays to a function and back.
_CALL = 2


@dataclass(eq=False)
class NativePart:
    """Operations that one function computes. `covers` are those that are native, `views` show what others have."""

    covers: list[WholeStep] = field(default_factory=list)
    items: list[LoopStep] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    group: Group | None = None
    function: WholeFunction | None = None
    text: str = ""


@dataclass(eq=False)
class WholeRequest:
    """`parts` are functions and operations of NumPy in turn. `nodes` say what values are like, by number: those of the
    program, and others that only functions know. `source` tells of values, by number, that show those of
    another one in their order; `wanted` are those that somebody looks at beside the functions that make them."""

    parts: list[NativePart | WholeStep]
    nodes: list[Node]
    source: dict[int, int]
    wanted: set[int]


def whole_request(program: Program) -> WholeRequest | None:
    """How a small program is computed natively, None where NumPy alone is as fast."""
    if not program.direct or program.conditions or len(program.stages) != 1:
        return None
    left: set[int] = set()
    while True:
        # Read anew: items look at what those show that are left to NumPy now.
        reader = WholeLowering(program)
        natives = _natives(program, reader, left)
        _drop_what_gains_nothing(program, reader, natives)
        parts = list(_in_turn(program, natives))
        native = [part for part in parts if isinstance(part, NativePart) and part.items]
        # Parts of what is there do not count: those of files are there before.
        own = [[step.out for step in part.covers if step.out not in program.parts] for part in native]
        counted = [sum(len(natives[number][0]) for number in numbers) for numbers in own]
        if sum(counted) <= _CALL * sum(map(bool, counted)):
            return None
        wanted = _wanted(program, reader, parts)
        slow = {out for part in native for out in _write(part, reader, wanted).slow}
        if not slow:
            break
        left.update(number for number, (items, _) in natives.items() if slow.intersection(item.out for item in items))
    if sum(part.function.bytes for part in native if part.function is not None) > MOST_KEPT:
        return None
    return WholeRequest(parts, [node for node, _ in reader.one.slots], reader.source, wanted)


def _write(part: NativePart, reader: WholeLowering, wanted: set[int]) -> WholeFunction:
    part.group = group_of(reader, part.items, wanted, {})
    part.function = WholeFunction(part.group)
    part.text = part.function.module()
    return part.function


def functions_of(program: Program) -> list[NativePart]:
    """The functions of a small program, none where NumPy computes it all."""
    found = whole_request(program)
    return [] if found is None else [part for part in found.parts if isinstance(part, NativePart) and part.items]


_Natives = dict[int, tuple[list[LoopStep], list[Check]]]


def _natives(program: Program, reader: WholeLowering, left: set[int]) -> _Natives:
    """What the native operations do, by their numbers, until there is too much code; some are `left` to NumPy."""
    code = CodeLength(reader, _LONGEST, False)
    found: _Natives = {}
    for step in program.stages[0].whole:
        for items in reader.forms(step) if step.out not in left else ():
            length = code.of(items)
            if length is not None and length <= code.room:
                code.room -= length
                found[step.out] = items, reader.checks
                break
            reader.forget(step.out)
        reader.checks = []
    return found


def _drop_what_gains_nothing(program: Program, reader: WholeLowering, natives: _Natives) -> None:
    """Leave to NumPy what it need not copy, since only NumPy looks at it, and operations some of whose results it has
    to make anyway."""
    whole = program.stages[0].whole
    users: dict[int, list[int]] = {}
    for step in whole:
        for number in step.inputs:
            users.setdefault(number, []).append(step.out)
    for step in reversed(whole):
        if step.out not in natives:
            continue
        used = users.get(step.out, [])
        natively = [user for user in used if user in natives]
        if step.node.op.results and len(natively) < len(used):
            for number in (step.out, *natively):
                del natives[number]
                reader.forget(number)
        is_copied = step.node.op.blocking.view and natives.get(step.out, ([], []))[0]
        if is_copied and used and not natively and step.out not in program.roots:
            del natives[step.out]
            reader.forget(step.out)


def _in_turn(program: Program, natives: _Natives) -> Iterator[NativePart | WholeStep]:
    """The operations of NumPy as early as they can be had, and what is native between them."""
    ready = set(range(program.given))
    left = list(program.stages[0].whole)
    while left:
        for native in (False, True):
            part, later = NativePart(), []
            for step in left:
                if (step.out in natives) != native or not ready.issuperset(step.inputs):
                    later.append(step)
                    continue
                ready.add(step.out)
                if not native:
                    yield step
                    continue
                items, checks = natives[step.out]
                part.covers.append(step)
                part.items += items
                part.checks += checks
            left = later
            if part.covers:
                yield part


def _wanted(program: Program, reader: WholeLowering, parts: list[NativePart | WholeStep]) -> set[int]:
    """The values that somebody else than their maker looks at."""
    numbers = list(program.roots)
    maker: dict[int, NativePart] = {}
    for part in parts:
        if isinstance(part, WholeStep):
            numbers += part.inputs
            continue
        maker.update({item.out: part for item in part.items})
        used = [slot for item in part.items for slot, _ in item.operands]
        numbers += [slot for slot in used if maker.get(slot) is not part]
        numbers += [check.slot for check in part.checks]
    return {reader.source.get(number, number) for number in numbers}
