"""From graphs to a program: which operations are computed whole, which in blocks, in how many passes over the data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache

from gradcli.engine.plan.program import DEFAULT_SIZES, Program, Sizes, Stage, WholeStep, work_of
from gradcli.engine.simplify import simplify
from gradcli.graph.half_precision import in_single
from gradcli.graph.node import CONSTANT, INPUT, Node, toposort, with_inputs
from gradcli.ops.rewrites.simplifier import Condition

# Rewriting operations in simpler ones may uncover others to rewrite; deeper nesting does not occur.
_MOST_ROUNDS = 4


def plan(
    roots: Sequence[Node],
    *,
    stop: Callable[[Node], bool] | None = None,
    files: frozenset[Node] = frozenset(),
    streamed: frozenset[int] = frozenset(),
    sizes: Sizes | None = None,
) -> Program:
    """The program that computes `roots`, simplified, with common work done once.

    Nodes for which `stop` holds are leaves, like inputs and constants. `files` are leaves that are read block by
    block, `streamed` the numbers of roots that are written so. Pure: nothing is computed but constants.
    """
    sizes = sizes or DEFAULT_SIZES
    roots = in_single(roots, toposort(roots, stop), stop)
    conditions: list[Condition] = []
    program = _planned(roots, stop, files, streamed, sizes, conditions)
    if conditions and program.conditions is None:
        # Some condition would be known too late.
        return _planned(roots, stop, files, streamed, sizes, None)
    if conditions:
        # Made once: data for which a condition does not hold may come again and again.
        program.fallback = cache(lambda: _planned(roots, stop, files, streamed, sizes, None))
    return program


def _planned(
    roots: Sequence[Node],
    stop: Callable[[Node], bool] | None,
    files: frozenset[Node],
    streamed: frozenset[int],
    sizes: Sizes,
    conditions: list[Condition] | None,
) -> Program:
    originals: dict[Node, Node] = {}
    smaller = simplify(roots, stop, originals)
    shapes = [root.shape for root in roots]
    order = toposort(smaller)
    if not files and not streamed and sum(map(work_of, order)) <= sizes.little:
        return _direct(smaller, order, shapes, originals)
    for _ in range(_MOST_ROUNDS):
        simpler = lower(smaller, sizes.small)
        if simpler is None:
            break
        smaller, order = simpler, toposort(simpler)
    if all(node.size <= sizes.small for node in order):
        return _direct(smaller, order, shapes, originals)
    # Imported here: small programs have no passes.
    from gradcli.engine.plan.assemble import assemble
    from gradcli.engine.plan.axes import choose_axes
    from gradcli.engine.plan.compared import compared
    from gradcli.engine.plan.flatten import flatten
    from gradcli.engine.plan.merge import merge
    from gradcli.engine.plan.schedule import Schedule

    if conditions is not None:
        smaller = simplify(smaller, None, None, conditions)
        order = toposort(smaller)
    now = {node: node for node in order}
    while (found := flatten(smaller, order, sizes.small) or merge(smaller, order, sizes.small)) is not None:
        smaller, became = found
        order = toposort(smaller)
        for node, new in became.items():
            originals.setdefault(new, originals.get(node, node))
        now = {node: became[last] for node, last in now.items() if last in became}
    read = frozenset(node for node in order if originals.get(node, node) in files)
    axes = choose_axes(order, sizes.small)
    schedule = Schedule(order, axes, smaller, [smaller[k] for k in streamed], sizes.small, read)
    schedule.keep(compared(schedule))
    program = assemble(schedule, smaller, shapes, originals, read, bool(files or streamed), sizes)
    if conditions:
        program.conditions = _placed(program, conditions, now)
    return program


def _placed(program: Program, conditions: list[Condition], now: dict[Node, Node]) -> list[tuple[int, Condition]] | None:
    """Where the arrays that conditions are about will be found; None where one of them is in blocks only."""
    numbers = {node: k for k, node in enumerate(program.values)}
    # What is no longer part of the graph does not matter.
    needed = [condition for condition in dict.fromkeys(conditions) if condition.node in now]
    if any(now[condition.node] not in numbers for condition in needed):
        return None
    return [(numbers[now[condition.node]], condition) for condition in needed]


def _direct(
    roots: Sequence[Node], order: Sequence[Node], shapes: list[tuple[int, ...]], originals: dict[Node, Node]
) -> Program:
    """The program where there is little to compute: one operation after the other."""
    leaves = [node for node in order if _is_leaf(node)]
    computed = [node for node in order if not _is_leaf(node)]
    numbers = {node: k for k, node in enumerate((*leaves, *computed))}
    whole = [WholeStep(node, tuple([numbers[i] for i in node.inputs]), numbers[node]) for node in computed]
    originals_of = [originals.get(leaf, leaf) for leaf in leaves]
    return Program(
        originals_of, list(numbers), [Stage(whole, [], [])], [numbers[r] for r in roots], shapes, {}, True, {}
    )


def _is_leaf(node: Node) -> bool:
    return node.op is INPUT or node.op is CONSTANT


def lower(roots: Sequence[Node], small: int) -> list[Node] | None:
    """The roots with large operations written in simpler ones, which can be cut and share work; None without any."""
    replaced: dict[Node, Node] = {}
    for node in toposort(roots):
        rule = node.op.blocking.lower
        if rule is not None and max((i.size for i in node.inputs), default=0) > small:
            new = rule(node)
            if new is not None:
                operands = set(node.inputs)
                for step in toposort([new], stop=operands.__contains__):
                    # An error in it is one of the operation that was written.
                    if step not in operands and step.span is None:
                        step.span = node.span
                replaced[node] = new
    return simplify(substitute(roots, replaced)) if replaced else None


def substitute(
    roots: Sequence[Node], replaced: Mapping[Node, Node], operands: Mapping[Node, Node] | None = None
) -> list[Node]:
    """The graphs of `roots` with some nodes replaced by what is written with the operands of these; `operands` are
    nodes that have become others before."""
    done = dict(operands or {})
    for node in toposort(roots, stop=done.__contains__):
        if node in done:
            continue
        inputs = tuple([done[child] for child in node.inputs])
        if node in replaced:
            (done[node],) = substitute([replaced[node]], {}, dict(zip(node.inputs, inputs, strict=True)))
        else:
            done[node] = node if inputs == node.inputs else with_inputs(node, inputs)
    return [done[root] for root in roots]
