"""A program of small operations as native functions of the whole request, between what is left to NumPy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from gradcli.engine.native.fuse import Code
from gradcli.engine.native.group import Group, group_of
from gradcli.engine.native.loop_steps import Check, LoopStep
from gradcli.engine.native.whole_function import WholeFunction, work_of
from gradcli.engine.native.whole_lowering import WholeLowering
from gradcli.engine.plan.program import Program, WholeStep
from gradcli.graph.node import Node

#: Tensors of more elements are left to NumPy, which takes longer for them than to be called.
_MOST_ELEMENTS = 1 << 13
#: And so are requests of more loops, counted in elements, such as products of larger matrices.
_MOST_WORK = 1 << 17
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
    if any(node.size > _MOST_ELEMENTS for node in program.values):
        return None
    reader = WholeLowering(program)
    parts = list(_in_turn(program, reader, _natives(program, reader)))
    native = [part for part in parts if isinstance(part, NativePart) and part.items]
    if sum(len(part.items) for part in native) <= _CALL * len(native):
        return None
    wanted = _wanted(program, reader, parts)
    for part in native:
        part.group = group_of(reader, part.items, wanted, {})
        if work_of(part.group) > _MOST_WORK:
            return None
        part.function = WholeFunction(part.group)
        part.text = part.function.module()
    return WholeRequest(parts, [node for node, _ in reader.one.slots], reader.source, wanted)


def functions_of(program: Program) -> list[NativePart]:
    """The functions of a small program, none where NumPy computes it all."""
    found = whole_request(program)
    return [] if found is None else [part for part in found.parts if isinstance(part, NativePart) and part.items]


def _natives(program: Program, reader: WholeLowering) -> dict[int, tuple[list[LoopStep], list[Check]]]:
    """What the native operations do, by their numbers, until there is too much code."""
    code = Code(reader, _LONGEST, False)
    found: dict[int, tuple[list[LoopStep], list[Check]]] = {}
    whole = program.stages[0].whole
    for step in whole:
        reader.checks = []
        for items in reader.forms(step):
            length = code.of(items)
            if length is not None and length <= code.room:
                code.room -= length
                found[step.out] = items, reader.checks
                break
    for step in whole:
        # One with several results is native where all that is asked for of it is.
        if step.node.op.results and step.out in found:
            users = [other.out for other in whole if step.out in other.inputs]
            if not all(user in found for user in users):
                for number in (step.out, *users):
                    found.pop(number, None)
    return found


def _in_turn(
    program: Program, reader: WholeLowering, natives: dict[int, tuple[list[LoopStep], list[Check]]]
) -> Iterator[NativePart | WholeStep]:
    """The operations of NumPy as early as they can be had, and what is native between them."""
    ready = set(range(len(program.leaves)))
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
