"""From a schedule to a program: arrays numbered, stages put together, memory lent from one array to another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gradcli.engine.plan.node_kinds import LEAF, WHOLE
from gradcli.engine.plan.pass_builder import PassBuilder
from gradcli.engine.plan.pass_nodes import PassNodes
from gradcli.engine.plan.passes import UFUNC, Cut, Pass, Step
from gradcli.engine.plan.program import Program, Sizes, Stage, Surroundings, whole_step
from gradcli.engine.plan.schedule import Schedule
from gradcli.graph.native_forms import NativeLookup, NativeParts, Span
from gradcli.graph.node import RESULT, Node


def assemble(
    schedule: Schedule,
    planned: Sequence[PassNodes],
    roots: Sequence[Node],
    shapes: list[tuple[int, ...]],
    originals: dict[Node, Node],
    sizes: Sizes,
) -> Program:
    views = set(schedule.views)
    found = [node for node in schedule.order if schedule.kind[node] == LEAF and node not in views]
    leaves = [originals.get(node, node) for node in found]
    values = [*found, *schedule.views]
    numbers = {node: k for k, node in enumerate(values)}
    given = len(values)

    def number(node: Node) -> int:
        found = numbers.get(node)
        if found is None:
            found = numbers[node] = len(values)
            values.append(node)
        return found

    stages: list[Stage] = []
    last_level = max([one.level for one in planned] + [schedule.level[n] for n in schedule.order])
    wholes: list[list[Node]] = [[] for _ in range(last_level + 1)]
    blocked: list[list[PassNodes]] = [[] for _ in wholes]
    for node in schedule.order:
        if schedule.kind[node] == WHOLE:
            wholes[schedule.level[node]].append(node)
    for one in planned:
        blocked[one.level].append(one)
    for nodes, ones in zip(wholes, blocked, strict=True):
        whole = [whole_step(node, number) for node in nodes]
        built = [PassBuilder(schedule, one, number, sizes).build() for one in ones]
        stages.append(Stage(whole, built, []))
    root_numbers = [number(root) for root in roots]
    surrounded = _surrounded(stages, values, root_numbers)
    _note_ends(stages, set(root_numbers), given, surrounded)
    # What goes to a file has no memory to lend.
    lenders = [number for number, root in zip(root_numbers, roots, strict=True) if root in schedule.held]
    shown = [whole_step(view, numbers.__getitem__) for view in schedule.views]
    parts, borrowed = frozenset([view.out for view in shown]), _borrowed(stages, values, lenders)
    known = leaves, shown, values, stages, root_numbers, shapes, parts, sizes
    return Program(*known, reads_files=bool(schedule.files), borrowed=borrowed, surrounded=surrounded, origin=originals)


def _surrounded(stages: list[Stage], values: list[Node], roots: list[int]) -> dict[int, Surroundings]:
    """Arrays that passes make and whole operations put zeros around, before the first row and behind the last one: made
    among zeros, they need not be copied."""
    written = {write.value for stage in stages for one in stage.passes for write in one.writes} - set(roots)
    found: dict[int, dict[int, Span]] = {}
    for step in (step for stage in stages for step in stage.whole):
        native = step.node.op.native
        if len(step.inputs) != 1 or step.inputs[0] not in written or not isinstance(native, NativeParts):
            continue
        dim, spans = native.spans(step.node) or (0, [])
        if dim == 0 and len(spans) == 1 and spans[0].stop - spans[0].start == step.node.inputs[0].shape[0]:
            found.setdefault(step.inputs[0], {})[step.out] = spans[0]
    surrounded = {}
    for number, shown in found.items():
        if len(shown) > 1 and not shown.keys().isdisjoint(roots):
            # Results have memory of their own.
            continue
        before = max(span.start for span in shown.values())
        behind = max(values[out].shape[0] - span.stop for out, span in shown.items())
        surrounded[number] = Surroundings(before, behind, {out: span.start for out, span in shown.items()})
    return surrounded


def _note_ends(stages: list[Stage], roots: set[int], given: int, surrounded: Mapping[int, Surroundings]) -> None:
    """Note after which stage each kept array is not needed any more; arrays behind views stay."""
    last: dict[int, int] = {}
    base = {out: number for number, around in surrounded.items() for out in around.shown}
    for at, stage in enumerate(stages):
        for step in stage.whole:
            for number in step.inputs:
                last[number] = at
            if step.node.op.blocking.view and step.node.op is not RESULT:
                base[step.out] = step.inputs[0]
        for one in stage.passes:
            for number in [c.value for c in one.cuts] + [value for _, value in one.shared]:
                last[number] = at
    for view, number in reversed(base.items()):
        last[number] = max(last.get(number, 0), last.get(view, 0))
        if view in roots:
            roots.add(number)
    for number, at in last.items():
        if number >= given and number not in roots:
            stages[at].done.append(number)


def _borrowed(stages: list[Stage], values: list[Node], roots: list[int]) -> dict[int, int]:
    """Arrays kept between passes that can live where a result of the same form will be written in their last pass."""
    found: dict[int, int] = {}
    writers = {
        write.value: (at, one) for at, stage in enumerate(stages) for one in stage.passes for write in one.writes
    }
    whole = {number for stage in stages for step in stage.whole for number in step.inputs}
    for at, stage in enumerate(stages):
        for number in stage.done:
            if number not in writers or number in whole:
                continue
            for root in roots:
                one = writers[root][1] if root in writers and writers[root][0] == at else None
                if one is None or root in found.values() or _seen_elsewhere(stage, one, number):
                    continue
                if _fits(one, number, root, values):
                    found[number] = root
                    break
    return found


def _seen_elsewhere(stage: Stage, one: Pass, number: int) -> bool:
    """Whether another pass of the stage, or every block of this one, looks at an array as well."""
    others = (cut.value for other in stage.passes if other is not one for cut in other.cuts)
    return number in others or any(number == value for other in stage.passes for _, value in other.shared)


def _reads_around(node: Node) -> bool:
    """Whether native code reads other places of the operands than that which it writes, in an order of its own."""
    return node.op.family == "contraction" or isinstance(node.op.native, NativeLookup)


def _fits(one: Pass, number: int, root: int, values: list[Node]) -> bool:
    """Whether `root` is written over `number` only after the last look at the same place of it."""
    a, b = values[number], values[root]
    cuts = [cut for cut in one.cuts if cut.value == number]
    if (a.shape, a.dtype) != (b.shape, b.dtype) or len(cuts) != 1:
        return False
    write = next(w for w in one.writes if w.value == root)
    steps = [(k, step) for k, step in enumerate(one.steps) if isinstance(step, Step)]
    writers = [k for k, step in steps if step.out == write.slot or step.lent == root]
    if not writers or cuts[0].buffer >= 0 or cuts[0].axis != write.axis:
        return False
    if any(_reads_around(one.steps[k].node) for k in writers):
        return False
    at = writers[0]
    shown = {cuts[0].slot}
    for _, step in steps:
        if step.node.op.blocking.view and shown.intersection(step.inputs):
            shown.add(step.out)
    if any(step.node.op.results and shown.intersection(step.inputs) for _, step in steps):
        # Native code computes each of several results where it is asked for.
        return False
    if any(other.slot in shown for other in one.writes):
        # It is copied into another result, at the end of the block.
        return False
    users = [k for k, step in enumerate(one.steps) if not isinstance(step, Cut) and shown.intersection(step.inputs)]
    # A ufunc reads each place before it writes it, other kernels do not.
    own = one.steps[at]
    in_place = isinstance(own, Step) and own.kind == UFUNC
    return all(k < at or (k == at and in_place) for k in users)
