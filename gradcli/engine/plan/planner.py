"""From graphs to a program: which operations are computed whole, which in blocks, in how many passes over the data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache

from gradcli.engine.plan.leaf_views import views_of_leaves
from gradcli.engine.plan.program import DEFAULT_SIZES, Program, Sizes, Stage, whole_step, work_of
from gradcli.engine.simplify import simplify
from gradcli.graph.half_precision import in_single
from gradcli.graph.node import CONSTANT, INPUT, Node, toposort, with_inputs
from gradcli.machine.limits import LARGE
from gradcli.ops.rewrites.simplifier import Condition

# Rewriting operations in simpler ones may uncover others to rewrite; deeper nesting does not occur.
_MOST_ROUNDS = 4
# Elements of what is made of something large, and so mostly goes through the same blocks, from which on it is rewritten
# too: a pass in which one operation is left to NumPy takes several times as long, and what is smaller takes no time.
_FEW = 1 << 9


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
    block, `streamed` the numbers of roots that are written so: what is computed, and in which order, does not depend on
    them. Pure: nothing is computed but constants.
    """
    sizes = sizes or DEFAULT_SIZES
    roots = in_single(roots, toposort(roots, stop), stop)
    program = _planned(roots, stop, files, streamed, sizes, True)
    if program.conditions:
        # Made once: data for which a condition does not hold may come again and again.
        program.fallback = cache(lambda: _planned(roots, stop, files, streamed, sizes, False))
    return program


def _planned(
    roots: Sequence[Node],
    stop: Callable[[Node], bool] | None,
    files: frozenset[Node],
    streamed: frozenset[int],
    sizes: Sizes,
    conditional: bool,
) -> Program:
    originals: dict[Node, Node] = {}
    smaller = simplify(roots, stop, originals)
    shapes = [root.shape for root in roots]
    order = toposort(smaller)
    read = frozenset(node for node in order if originals.get(node, node) in files)
    # What is repeated or in another order is no work, but to be written.
    if max([sum(map(work_of, order)), *(root.size for root in smaller)]) <= sizes.little:
        return _direct(smaller, order, shapes, originals, read, sizes)
    for _ in range(_MOST_ROUNDS):
        simpler = lower(smaller, sizes.small)
        if simpler is None:
            break
        smaller, order = simpler, toposort(simpler)
    if all(node.size <= sizes.small for node in order):
        return _direct(smaller, order, shapes, originals, read, sizes)
    conditions: list[Condition] = []
    factored = simplify(smaller, None, None, conditions) if conditional else smaller
    program = _in_passes(factored, shapes, originals, files, streamed, sizes, conditions)
    if program is None:
        # Some condition would be known too late.
        program = _in_passes(smaller, shapes, originals, files, streamed, sizes, [])
    assert program is not None
    return program


def _in_passes(
    roots: Sequence[Node],
    shapes: list[tuple[int, ...]],
    originals: dict[Node, Node],
    files: frozenset[Node],
    streamed: frozenset[int],
    sizes: Sizes,
    conditions: list[Condition],
) -> Program | None:
    """The program in passes; None where an array that a condition is about is in blocks only."""
    # Imported here: small programs have no passes.
    from gradcli.engine.plan.assemble import assemble
    from gradcli.engine.plan.cheapest import cheapest
    from gradcli.engine.plan.flatten import flatten
    from gradcli.engine.plan.merge import merge

    originals, order = dict(originals), toposort(roots)
    now = {node: node for node in order}
    while (found := flatten(roots, order, sizes.small) or merge(roots, order, sizes.small)) is not None:
        roots, became = found
        order = toposort(roots)
        for node, new in became.items():
            originals.setdefault(new, originals.get(node, node))
        now = {node: became[last] for node, last in now.items() if last in became}
    read = frozenset(node for node in order if originals.get(node, node) in files)
    schedule, passes = cheapest(order, roots, [roots[k] for k in streamed], sizes, read)
    # What is no longer part of the graph does not matter.
    needed = {condition: now[condition.node] for condition in conditions if condition.node in now}
    if any(schedule.only_in_blocks(node) for node in needed.values()):
        return None
    program = assemble(schedule, passes, roots, shapes, originals, sizes)
    if conditions:
        numbers = {node: k for k, node in enumerate(program.values)}
        program.conditions = [(numbers[node], condition) for condition, node in needed.items()]
    return program


def _direct(
    roots: Sequence[Node],
    order: Sequence[Node],
    shapes: list[tuple[int, ...]],
    originals: dict[Node, Node],
    files: frozenset[Node],
    sizes: Sizes,
) -> Program:
    """The program where there is little to compute: one operation after the other; of files, and of what may come from
    one, no more is read than what it looks at."""
    parts = views_of_leaves(order)
    leaves = [node for node in order if _is_leaf(node)]
    as_files = bool(files) or any(leaf.nbytes > LARGE for leaf in leaves)
    views = parts if as_files else []
    apart = {*leaves, *views}
    computed = [node for node in order if node not in apart]
    numbers = {node: k for k, node in enumerate((*leaves, *views, *computed))}
    shown, whole = ([whole_step(node, numbers.__getitem__) for node in nodes] for nodes in (views, computed))
    originals_of, found = [originals.get(leaf, leaf) for leaf in leaves], [numbers[root] for root in roots]
    stage, of_leaves = Stage(whole, [], []), frozenset([numbers[part] for part in parts])
    known = originals_of, shown, list(numbers), [stage], found, shapes, of_leaves, sizes
    return Program(*known, direct=True, reads_files=bool(files))


def _is_leaf(node: Node) -> bool:
    return node.op is INPUT or node.op is CONSTANT


def lower(roots: Sequence[Node], small: int) -> list[Node] | None:
    """The roots with large operations written in simpler ones, which can be cut and share work; None without any."""
    replaced: dict[Node, Node] = {}
    of_large: set[Node] = set()
    for node in toposort(roots):
        follows = not of_large.isdisjoint(node.inputs)
        if follows or node.size > small:
            of_large.add(node)
        rule = node.op.blocking.lower
        if rule is not None and max([node.size, *(i.size for i in node.inputs)]) > (_FEW if follows else small):
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
