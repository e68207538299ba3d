"""Whether a program fits into memory, and how long it would take: asked before anything is computed."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence, Set
from functools import lru_cache, partial
from typing import Any, NamedTuple

import numpy as np

from gradcli.engine.native.choice import choosing, chosen, chosen_lines, compiler_memory, kept_memory
from gradcli.engine.plan.leaf_views import leaf_of
from gradcli.engine.plan.passes import Cut
from gradcli.engine.plan.program import SMALL, Program, WholeStep, work_of
from gradcli.errors import GradcliError, LimitError
from gradcli.graph.dtypes import FLOAT64
from gradcli.graph.native_forms import NativeAdded
from gradcli.graph.node import INPUT, Node
from gradcli.machine.limits import HAS_LIMIT, HOUR, MEMORY_LIMIT, hint_of_limit, show_bytes

# What is used of the free memory without being told.
_SHARE = 0.8
# What was free is not asked for again within so many nanoseconds, by who needs less than this part of it.
_MOMENT, _LITTLE = 100_000_000, 16


class Memory(NamedTuple):
    """The most bytes that are held at once beside the leaves, and what the compiler takes of its own."""

    held: int
    compiler: int


def memory_of(program: Program, threads: int, streamed: frozenset[int], repeats: float = 0) -> Memory:
    """What a program needs as the chosen engine runs it, for so many times as far as is known; asked at each run."""
    key = threads, streamed, repeats, *choosing()
    known = program.needs.get(key)
    if known is None:
        held = program.memory(threads, streamed, partial(chosen, program), partial(_own, program, threads))
        held += kept_memory(program, repeats)
        known = program.needs[key] = Memory(held, compiler_memory(program, repeats))
    return known


def _own(program: Program, threads: int, step: WholeStep) -> int:
    """The bytes that a whole operation takes beside its result: for its tables, or where elements are added up."""
    lines = chosen_lines(program, step)
    if lines is not None:
        return lines.memory(threads) * min(threads, lines.ranges(threads))
    node, form = step.node, step.node.op.native
    if node.op.tables is not None:
        return node.op.tables(node)
    added = form.rule(node) if isinstance(form, NativeAdded) else None
    # NumPy does so in double precision, along the first dimension all at once.
    return 0 if added is None or added[0] or node.dtype == FLOAT64 else node.size * FLOAT64.itemsize


def check_memory(
    program: Program, given: Sequence[Any], threads: int, streamed: frozenset[int], repeats: float = 0
) -> None:
    """Refuse a program that needs more than `MEMORY_LIMIT`, or than most of what the machine has left.

    `given` are the leaves and views of them, and perhaps further values.
    """
    limit = MEMORY_LIMIT.get()
    inputs = _held_inputs(program, given[: program.given], streamed, limit is not None)
    memory = memory_of(program, threads, streamed, repeats)
    held = memory.held + sum(size for size, _ in inputs)
    if held < SMALL and limit is None:
        return
    needed = held + memory.compiler
    if limit is None and _is_plenty(needed):
        return
    limit = usable_memory()
    if limit is None or needed <= limit:
        return
    # What an operation gives in one piece is held, even where it goes to a file.
    whole = {step.out for stage in program.stages for step in stage.whole}
    written = {program.origin.get(n, n) for n in (program.values[number] for number in streamed - whole)}
    made = [node for node in program.held(streamed) if node not in written]
    if held <= limit:
        message = f"{show_bytes(held)} and the compiler's {show_bytes(memory.compiler)} are needed"
        hint = hint_of_limit("--engine numpy needs no compiler")
        raise GradcliError(f"{message}, {show_bytes(limit)} of memory may be used", hint=hint)
    results = {program.origin.get(n, n) for n in (program.values[number] for number in set(program.roots) - whole)}
    raise _too_large(made, [*inputs, _buffers(program, threads)], results, needed, limit)


def check_free(size: int, name: str) -> None:
    """Refuse what takes about so many bytes beside arrays, if that is more than may be used."""
    if size < SMALL and MEMORY_LIMIT.get() is None:
        return
    limit = usable_memory()
    if limit is not None and size > limit:
        raise GradcliError(f"{name} needs about {show_bytes(size)}, {show_bytes(limit)} of memory may be used")


def usable_memory() -> int | None:
    """How many bytes may be used: as set, or most of what is free; None where nobody knows."""
    limit = MEMORY_LIMIT.get()
    if limit is not None:
        return limit
    # Imported here: small inputs need none of it.
    from gradcli.machine.memory import available_memory

    free = available_memory()
    return None if free is None else int(free * _SHARE)


def _is_plenty(needed: int) -> bool:
    """Whether so many bytes are little of what was free just now: to ask each time takes as long as 100,000 sums."""
    free = _free_at(time.monotonic_ns() // _MOMENT)
    return free is not None and needed <= free // _LITTLE


@lru_cache(maxsize=1)
def _free_at(moment: int) -> int | None:
    from gradcli.machine.memory import available_memory

    return available_memory()


def _buffers(program: Program, threads: int) -> tuple[int, str]:
    passes = [chosen(program, one) for one in program.passes]
    size = max((one.scratch(threads) for one in passes), default=0)
    return size, f"the buffers of {threads} threads" if threads > 1 else "the buffers of a thread"


def _held_inputs(
    program: Program, given: Sequence[Any], streamed: frozenset[int], all_of_them: bool
) -> list[tuple[int, str]]:
    """Size and name of inputs in memory: files and parts that some operation needs whole, and, if asked, what is there
    already.

    Of the free memory nothing more is taken for those.
    """
    if not (all_of_them or program.views) and all(isinstance(array, np.ndarray) for array in given):
        return []
    whole = program.needed_whole(streamed)
    found = []
    for k, array in enumerate(given):
        if k >= len(program.leaves):
            # Results count among what the program holds.
            own = not isinstance(array, np.ndarray) or not array.flags.c_contiguous
            if k in whole and own and k not in program.roots:
                name = leaf_of(program.values[k]).params.get("name") or "a constant"
                of = name if isinstance(array, np.ndarray) else array.path
                found.append((array.nbytes, f"a part of {of}, which is needed whole,"))
        elif not isinstance(array, np.ndarray):
            if k in whole:
                found.append((array.nbytes, f"{array.path}, which is needed whole,"))
        elif all_of_them and program.leaves[k].op is INPUT:
            found.append((_size(array), f"the input {program.leaves[k].params.get('name') or '--grad-output'}"))
    return found


def _size(array: np.ndarray) -> int:
    """What the elements of an array take, each once however often it is repeated."""
    lengths = (n for n, stride in zip(array.shape, array.strides, strict=True) if stride)
    return array.itemsize * math.prod(lengths) if array.size else 0


def _too_large(
    made: Sequence[Node], others: Sequence[tuple[int, str]], results: Set[Node], needed: int, limit: int
) -> LimitError:
    """The error that names what takes most: arrays that are made, and inputs and buffers."""
    held = sorted(made, key=lambda node: node.nbytes, reverse=True)
    parts = [*((node.nbytes, describe(node)) for node in held), *others]
    # Of two that are as large, the file: it is what can be told apart.
    parts.sort(key=lambda part: (-part[0], not part[1].endswith("whole,")))
    size, name = parts[0]
    have = f"{show_bytes(limit)} of memory may be used"
    if size > limit:
        message = f"{name} {'need' if name.startswith('the buffers') else 'needs'} {show_bytes(size)}, {have}"
    else:
        named = " and ".join(f"{name.rstrip(',')} ({show_bytes(size)})" for size, name in parts[:2])
        message = f"this needs {show_bytes(needed)} at once, {have}; the largest parts are {named}"
    hint, largest = hint_of_limit(), held[0] if held and name == describe(held[0]) else None
    if name.startswith("the buffers") and not name.endswith("a thread"):
        hint = hint_of_limit(f"fewer {'--' if HAS_LIMIT.get() else ''}threads need less")
    elif largest is not None and largest.op.repeated is not None:
        hint = hint_of_limit("fewer iterations need less, and without gradients nothing is kept")
    error = LimitError(message, span=held[0].span if held else None, hint=hint)
    error.for_result = largest in results
    return error


def describe(node: Node) -> str:
    """What a node is, for messages."""
    if node.op.repeated is not None:
        loop = node.op.repeated(node)
        return f"what a loop of {loop.iterations:,} iterations keeps of each ({show_bytes(loop.kept)})"
    if node.op.results:
        return f"what {node.op.plain_name}() gives"
    article = "an" if node.dtype.kind == "i" else "a"
    return f"{article} {node.dtype} tensor of shape {node.shape}"


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
        f"this is expected to take {_show(seconds)}, most of it for {node.op.plain_name}() with {describe(largest)}",
        span=node.span,
        hint="--yes computes it anyway",
    )


def expected_seconds(program: Program, threads: int) -> float:
    """About how long a program takes, from the number of elements and what the operations cost."""
    passes = sum(one.work / one.threads(threads) for one in program.passes)
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
