"""How long a program would take: asked before anything is computed, so that nobody waits for what will not end."""

from __future__ import annotations

import math

from gradcli.engine.execute.memory_limit import describe
from gradcli.engine.plan.program import Cut, Program
from gradcli.engine.plan.schedule import work_of
from gradcli.errors import GradcliError
from gradcli.graph.node import Node
from gradcli.machine.limits import HOUR

# What one element of the cheapest operations costs a thread, in seconds.
_SECONDS = 4e-10


def check_duration(program: Program, threads: int, limit: float | None) -> None:
    """Refuse a program that is expected to take more than `limit` seconds, and name the operation that takes most."""
    if limit is None:
        return
    seconds = expected_seconds(program, threads)
    if seconds <= limit:
        return
    node = max(_computed(program), key=work_of)
    node = program.origin.get(node, node)
    largest = max((node, *node.inputs), key=lambda tensor: tensor.size)
    raise GradcliError(
        f"this is expected to take {_show(seconds)}, most of it for {node.op.name.lstrip('_')}() with "
        f"{describe(largest)}",
        span=node.span,
        hint="--yes computes it all the same",
    )


def expected_seconds(program: Program, threads: int) -> float:
    """About how long a program takes, from the number of elements and what the operations cost."""
    passes = sum(one.work / one.threads(threads) for stage in program.stages for one in stage.passes)
    whole = sum(work_of(step.node) for stage in program.stages for step in stage.whole)
    return (passes + whole) * _SECONDS


def _computed(program: Program) -> list[Node]:
    """Whatever there is to compute."""
    nodes = [step.node for stage in program.stages for step in stage.whole]
    for stage in program.stages:
        for one in stage.passes:
            nodes += [step.node for step in one.steps if not isinstance(step, Cut)]
    return nodes


def _show(seconds: float) -> str:
    """A long time for people.

    >>> _show(9000), _show(1e6), _show(1e10)
    ('about 3 hours', 'about 12 days', 'about 317 years')
    """
    for size, unit in ((365 * 24 * HOUR, "years"), (24 * HOUR, "days")):
        if seconds >= 2 * size:
            return f"about {seconds / size:.0f} {unit}" if seconds < 1e6 * size else "longer than a million years"
    return f"about {math.ceil(seconds / HOUR)} hours"
