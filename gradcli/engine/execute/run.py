"""From graphs to arrays: a plan is made, and run."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from gradcli.engine.execute.closure import Compute
from gradcli.engine.execute.early_pages import pages_taken
from gradcli.engine.execute.given_values import all_held, loaded, packed_value, values_of
from gradcli.engine.execute.new_arrays import new_array, new_memory, no_memory, put_together
from gradcli.engine.execute.small import computing
from gradcli.engine.execute.threads import check_num_threads, get_num_threads
from gradcli.engine.native.choice import chosen, chosen_lines, get_engine
from gradcli.engine.plan.planner import plan
from gradcli.engine.plan.program import DEFAULT_SIZES, SMALL, Program, Stage, WholeStep
from gradcli.engine.simplify import wanted_results
from gradcli.errors import GradcliError
from gradcli.graph.half_precision import in_single
from gradcli.graph.node import CONSTANT, INPUT, Node, toposort
from gradcli.machine.limits import MEMORY_LIMIT, TIME_LIMIT
from gradcli.ops.rewrites.simplifier import Condition, holds

if TYPE_CHECKING:
    from gradcli.engine.plan.passes import Pass

Progress = Callable[[int, int], None]
#: What runs a pass: `runner(program, pass, values, sinks, told)`, as `threaded` does it here.
Runner = Callable[[Program, "Pass", list[Any], dict[int, Any], Callable[[int], None] | None], None]


def execute(roots: Sequence[Node]) -> list[np.ndarray]:
    """The arrays of `roots`. Work that several of them need is done once; no NumPy warning escapes."""
    known = KnownOnce()
    order = toposort(roots, stop=known.has)
    if any(node.op is INPUT and not known.has(node) for node in order):
        hint = "use where() instead of if"
        what = "each() and jacobian() compute all rows at once"
        raise GradcliError(f"{what}: there is no value of one to look at", hint=hint)
    if all(node.size <= DEFAULT_SIZES.small for node in order):
        # Planning would cost more than it saves.
        return op_by_op(roots, order, known)
    program = plan(roots, stop=known.has)
    return run(program, [known[leaf] for leaf in program.leaves])


def run(
    program: Program,
    leaves: Sequence[Any],
    *,
    sinks: dict[int, Any] | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
    runner: Runner | None = None,
) -> list[Any]:
    """The arrays of a program's roots.

    `leaves` are arrays, or files that are read block by block. `sinks` take the place of roots, by their position:
    their `write(axis, start, block)` gets each piece, and the root's entry in the answer is the sink itself; those
    that have a `restart()` are told when all pieces come again. `progress` is told how many bytes of the work are done,
    and how many there are in all. `runner` does the passes in place of the threads of this process.
    """
    # Asked for in any case: a bad GRADCLI_THREADS or GRADCLI_ENGINE is an error for small inputs too.
    engine = get_engine()
    if program.direct and not (sinks or program.reads_files or progress) and MEMORY_LIMIT.get() is None:
        check_num_threads()
        function = _function(program, engine)
        if function is not None:
            with np.errstate(all="ignore"):
                return function(all_held(program, values_of(program, leaves)) if program.views else leaves)
    # Imported here: what is small is not asked how large it is.
    from gradcli.engine.execute.bounds import check_duration, check_memory

    count = threads or get_num_threads()
    streams = _streams(program, sinks or {})
    values = values_of(program, leaves)
    check_memory(program, values, count, frozenset(streams))
    check_duration(program, count, TIME_LIMIT.get())
    told = _Told(program, progress)
    # Files, a limit, and somebody who is told of progress, change no bits.
    function = _function(program, engine) if program.direct else None
    if function is not None:
        with np.errstate(all="ignore"):
            found = function(all_held(program, values))
        told.add(told.total)
        for k, sink in (sinks or {}).items():
            _copy(found[k], sink)
        return [(sinks or {}).get(k, array) for k, array in enumerate(found)]
    conditions = list(program.conditions or ())
    with np.errstate(all="ignore"):
        for stage in program.stages:
            if not _run_stage(program, stage, values, streams, told, conditions, runner or threaded(count), count):
                for sink in (sinks or {}).values():
                    if hasattr(sink, "restart"):
                        sink.restart()
                other, again = _without_conditions(program, leaves)
                return run(other, again, sinks=sinks, threads=threads, progress=progress, runner=runner)
    for k, sink in (sinks or {}).items():
        array, shape = values[program.roots[k]], program.shapes[k]
        if array is not None:
            # A file as it is, or what was needed as a whole.
            in_shape = array.reshape if isinstance(array, np.ndarray) else array.view
            _copy(array if array.shape == shape else in_shape(shape), sink)
    return [(sinks or {}).get(k, None) or _result(program, k, values) for k in range(len(program.roots))]


class _Together:
    """A value that is several results, each of which has a place of its own."""

    def __init__(self, sinks: list[Any]) -> None:
        self.parts = sinks
        if all(hasattr(sink, "indices") for sink in sinks):
            self.indices = lambda axis: np.unique(np.concatenate([sink.indices(axis) for sink in sinks]))

    def write(self, axis: int, start: int, block: Any) -> None:
        for sink in self.parts:
            sink.write(axis, start, block)


def _streams(program: Program, sinks: dict[int, Any]) -> dict[int, Any]:
    """What takes the pieces of each value, by number, but for those that are wanted in memory as well: as another
    result, or by what comes after their pass."""
    if not sinks:
        return {}
    found: dict[int, list[Any]] = {}
    for k, sink in sinks.items():
        number = program.roots[k]
        shape = program.values[number].shape
        found.setdefault(number, []).append(sink if sink.shape == shape else sink.view(shape))
    needed = {number for k, number in enumerate(program.roots) if k not in sinks}
    for stage in program.stages:
        needed.update(number for step in stage.whole for number in step.inputs)
        for one in stage.passes:
            # An input is there anyway, however it is read.
            needed.update(cut.value for cut in one.cuts if cut.value >= program.given)
            needed.update(number for _, number in one.shared)
    several = {number: parts for number, parts in found.items() if number not in needed}
    return {number: parts[0] if len(parts) == 1 else _Together(parts) for number, parts in several.items()}


def _copy(array: Any, sink: Any) -> None:
    """Write an array or a file into a sink: only what is looked at where that is a part, and, unless it lies in memory
    as it is written, some of it at a time."""
    in_memory = isinstance(array, np.ndarray)
    if not array.ndim or not array.size or (in_memory and array.flags.c_contiguous):
        sink.write(0, 0, array if in_memory else array.load())
        return
    # The outermost dimension of which several places make a block.
    fine = (k for k, n in enumerate(array.shape) if n > 1 and array.nbytes // n <= DEFAULT_SIZES.block_bytes)
    axis = next(fine, int(np.argmax(array.shape)))
    length = array.shape[axis]
    rows = max(1, DEFAULT_SIZES.block_bytes * length // array.nbytes)
    looked = sink.indices(axis) // rows if hasattr(sink, "indices") else np.arange(-(-length // rows))
    for start in (np.unique(looked) * rows).tolist():
        sink.write(axis, start, array[(*[slice(None)] * axis, slice(start, min(length, start + rows)))])


def _without_conditions(program: Program, leaves: Sequence[Any]) -> tuple[Program, list[Any]]:
    """The program to run where a condition does not hold, and the arrays of its leaves."""
    assert program.fallback is not None
    other, known = program.fallback(), dict(zip(program.leaves, leaves, strict=True))
    return other, [known[leaf] if leaf in known else leaf.params["value"] for leaf in other.leaves]


def _function(program: Program, engine: str) -> Compute | None:
    """What computes a list of operations that cannot run out of memory, by the engine of this name."""
    if engine in program.functions:
        return program.functions[engine]
    found = None
    if program.memory(1) < SMALL:
        fixed = {k: leaf.params["value"] for k, leaf in enumerate(program.leaves) if leaf.op is CONSTANT}
        found = computing(program, fixed, 0)
    program.functions[engine] = None if found is None else found.once
    return program.functions[engine]


def threaded(threads: int) -> Runner:
    """What runs a pass in so many threads of this process."""

    def runner(
        program: Program, one: Pass, values: list[Any], sinks: dict[int, Any], told: Callable[[int], None] | None
    ) -> None:
        from gradcli.engine.execute.early_code import next_compiled
        from gradcli.engine.execute.run_pass import compile_pass, run_pass

        for _, number in one.shared:
            packed_value(program, values, number)
        for cut in one.cuts:
            if cut.buffer < 0:
                loaded(values, cut.value)
        ready = chosen(program, one)
        if ready.fused and id(one) not in program.compiled:
            with pages_taken(_unfilled(program, one, values), threads):
                compile_pass(ready)
            program.compiled.add(id(one))
        again = id(one) in program.done and MEMORY_LIMIT.get() is None
        with next_compiled(program, one, threads):
            run_pass(ready, values, sinks, threads, told, again)
        program.done.add(id(one))

    return runner


def _unfilled(program: Program, one: Pass, values: list[Any]) -> list[Any]:
    """The arrays that a pass is the first to write into."""
    several = {*program.borrowed, *program.borrowed.values()}
    written = (values[write.value] for write in one.writes if write.value not in several)
    return [array for array in written if isinstance(array, np.ndarray)]


class _Told:
    """Adds up what is done."""

    def __init__(self, program: Program, progress: Progress | None) -> None:
        self.progress = progress
        self.lock = threading.Lock()
        self.done = 0
        self.total = 0
        if progress is not None:
            self.total += sum(one.traffic for one in program.passes)
            self.total += sum(step.node.nbytes for stage in program.stages for step in stage.whole)

    def of(self, one: Pass) -> Callable[[int], None] | None:
        """What is told of the rows that a pass has done."""
        if self.progress is None:
            return None
        row = one.traffic / max(1, one.length)
        return lambda rows: self.add(int(rows * row))

    def add(self, count: int) -> None:
        if self.progress is not None:
            with self.lock:
                self.done += count
                self.progress(min(self.done, self.total), self.total)


def _run_stage(
    program: Program,
    stage: Stage,
    values: list[Any],
    streams: dict[int, Any],
    told: _Told,
    conditions: list[tuple[int, Condition]],
    runner: Runner,
    threads: int,
) -> bool:
    """Run a stage; False when a condition of the program does not hold."""
    for step in stage.whole:
        if values[step.out] is None:
            inputs = [packed_value(program, values, k) for k in step.inputs]
            values[step.out] = _whole(program, step, inputs, threads)
        told.add(step.node.nbytes)
    if not _hold(values, conditions):
        return False
    for one in stage.passes:
        for write in one.writes:
            if values[write.value] is None and write.value not in streams:
                values[write.value] = new_array(program, write.value, values)
        runner(program, one, values, streams, told.of(one))
    fine = _hold(values, conditions)
    for number in stage.done:
        values[number] = None
    return fine


def _whole(program: Program, step: WholeStep, inputs: list[Any], threads: int) -> Any:
    """The result of an operation on whole arrays."""
    lines = chosen_lines(program, step)
    if lines is None:
        return compute(step.node, inputs, put_together(step.node))
    from gradcli.engine.execute.run_lines import run_lines

    return compute(step.node, inputs, partial(run_lines, lines, threads, new_memory))


def _hold(values: list[Any], conditions: list[tuple[int, Condition]]) -> bool:
    """Whether the conditions hold whose arrays are there by now; these are done with."""
    ready = [item for item in conditions if isinstance(values[item[0]], np.ndarray)]
    for item in ready:
        conditions.remove(item)
    return all(holds(condition, values[number]) for number, condition in ready)


def _result(program: Program, k: int, values: list[Any]) -> Any:
    array, shape = loaded(values, program.roots[k]), program.shapes[k]
    return array if array.shape == shape else array.reshape(shape)


def compute(node: Node, inputs: list[Any], kernel: Callable[..., Any] | None = None, **more: Any) -> Any:
    """One operation on whole arrays, by its kernel or another one; what that refuses is reported at the node's place in
    the source."""
    kernel = kernel or node.op.kernel
    assert kernel is not None
    try:
        result = kernel(*inputs, **node.params, **more)
        return result if node.op.results else np.asarray(result)
    except GradcliError as error:
        if error.span is None:
            error.span = node.span
        raise
    except MemoryError:
        raise no_memory(node) from None


def op_by_op(
    roots: Sequence[Node], order: Sequence[Node] | None = None, known: KnownOnce | None = None
) -> list[np.ndarray]:
    """The arrays of `roots`, one operation after the other on whole arrays, each freed after its last use."""
    known = KnownOnce() if known is None else known
    order = toposort(roots, stop=known.has) if order is None else order
    single = in_single(roots, order, known.has)
    if single is not roots:
        roots, order = single, toposort(single, stop=known.has)
    ready: dict[Node, Any] = {}
    wanted = wanted_results(order)
    uses: dict[Node, int] = dict.fromkeys(roots, 1)
    for node in order:
        value = known[node]
        if value is not None:
            ready[node] = value
            continue
        for child in node.inputs:
            uses[child] = uses.get(child, 0) + 1
    with np.errstate(all="ignore"):
        for node in order:
            if node in ready:
                continue
            more: dict[str, Any] = {"wanted": wanted[node]} if node in wanted else {}
            ready[node] = compute(node, [ready[child] for child in node.inputs], **more)
            for child in node.inputs:
                uses[child] -= 1
                if not uses[child]:
                    # The last user has run.
                    del ready[child]
    return [ready[root] for root in roots]


def known_value(node: Node) -> Any:
    """The value of a leaf, or one that was kept."""
    if node.value is not None:
        return node.value
    if not node.inputs:
        data = node.params.get("data")
        return data if data is not None else node.params.get("value") if node.op is CONSTANT else None
    return None


def is_known(node: Node) -> bool:
    """Whether a node needs not be computed."""
    return known_value(node) is not None


class KnownOnce(dict[Node, Any]):
    """The values of nodes as they were first asked for: another thread may find one in the middle of a plan."""

    def __missing__(self, node: Node) -> Any:
        value = self[node] = known_value(node)
        return value

    def has(self, node: Node) -> bool:
        """Whether a node needs not be computed."""
        return self[node] is not None
