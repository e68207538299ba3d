"""What a worker does: it makes the same plan as the client, and runs some groups of the blocks of one pass."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import copy_context
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar

import numpy as np

from gradcli.cluster.fingerprint import fingerprint, processor, versions
from gradcli.cluster.transfer import Piece, blank, placed
from gradcli.engine.execute.given_values import packed_value, values_of
from gradcli.engine.execute.run_pass import PassRun, group_rows, run_groups
from gradcli.engine.native.choice import chosen, engine_in_use, using
from gradcli.engine.plan.passes import Pass
from gradcli.engine.plan.program import Sizes
from gradcli.errors import GradcliError, WorkError
from gradcli.evaluation.compiled import Compiled
from gradcli.evaluation.request import Recipe
from gradcli.graph.node import INPUT
from gradcli.machine.blas import always_one_thread
from gradcli.machine.limits import limited
from gradcli.storage.file_array import FileArray, Origin
from gradcli.storage.file_sink import Helper, SharedFile
from gradcli.storage.opening import open_array

# Plans that a worker keeps, with the files they read.
_MOST_KEPT = 4
K = TypeVar("K")
V = TypeVar("V")


class Work(NamedTuple):
    """What all parts of a run have in common, in plain words.

    `files` are the inputs that are read block by block, `origins` those among them that workers find themselves;
    `roots` are the places of those roots that are computed, None for all; `streamed` those among them that are written
    so. `fallback` asks for the plan without conditions, `sizes` are those of the plan.
    """

    recipe: Recipe
    files: tuple[str, ...]
    origins: tuple[tuple[str, Origin], ...]
    roots: tuple[int, ...] | None
    streamed: tuple[int, ...]
    fallback: bool
    sizes: tuple[int, ...]
    versions: tuple[tuple[str, str], ...]
    fingerprint: str
    engine: str


class Results(NamedTuple):
    """Where pieces of a result go: into files that other processes can open, or back to the client.

    `rows` are the only ones of which anything is wanted; None for all.
    """

    places: tuple[SharedFile, ...] = ()
    rows: tuple[int, ...] | None = None


class PassPart(NamedTuple):
    """Some groups of pass number `number`; `pieces` are arrays by their numbers in the program, or parts of them."""

    number: int
    start: int
    stop: int
    pieces: dict[int, Piece]
    results: dict[int, Results]


class Done(NamedTuple):
    """Partial results of the groups, and pieces of results: (number, axis, start, block)."""

    states: list[Any]
    pieces: list[tuple[int, int, int, Any]]


def hold(thing: Any) -> Any:
    """Keep something on a worker, for the parts that need it; the scheduler can have it made again."""
    return thing


def facts(engine: str, tried: bool) -> tuple[tuple[tuple[str, str], ...], tuple[str, ...]]:
    """What this process would compute with, asked for that engine; whoever will do so has `tried` it."""
    with using(engine):
        return (*versions(), ("the engine", engine_in_use(tried))), processor()


def attempted(work: Callable[..., Any], *arguments: Any) -> Any:
    """What a piece of work comes to, or an error that doing it again would not mend, to be raised at home.

    In a context of its own, since the default dtype is set in it.
    """
    try:
        return copy_context().run(work, *arguments)
    except GradcliError as error:
        kind = WorkError if isinstance(error, WorkError) else GradcliError
        return kind(error.message, span=error.span, hint=error.hint)
    except MemoryError:
        return WorkError("a worker does not have enough memory for its part", hint="use fewer threads on each worker")


def kept(most: int, make: Callable[[K], V]) -> Callable[[K], V]:
    """A function that keeps the last `most` results of another; what several threads ask for at once is made once."""
    found, lock = lru_cache(maxsize=most)(make), threading.Lock()

    def once(asked: K) -> V:
        with lock:
            return found(asked)

    return once


def compute(work: Work, part: PassPart, numbers: tuple[int, ...], *held: Piece) -> Done:
    """Do one part; `numbers` says which arrays `held` are."""
    always_one_thread()
    prepared = _prepared(work)
    with using(work.engine):
        one = chosen(prepared.program, prepared.passes[part.number])
    values = prepared.values_for(one, {**dict(zip(numbers, held, strict=True)), **part.pieces})
    begin, end = group_rows(one, range(part.start, part.stop))
    sinks: dict[int, Any] = {}
    kept: list[tuple[int, int]] = []
    sent: list[tuple[int, int, int, Any]] = []
    for write in one.writes:
        if write.value in part.results:
            sinks[write.value] = _Sent(write.value, part.results[write.value], sent)
        else:
            node = prepared.program.values[write.value]
            values[write.value] = blank(node.shape, node.dtype)
            kept.append((write.value, write.axis))
    states: list[Any] = [None] * (part.stop - part.start)
    run_groups(PassRun(one, values, sinks), range(part.start, part.stop), states.__setitem__)
    for number, axis in kept:
        rows = (slice(None),) * axis + (slice(begin, end),)
        sent.append((number, axis, begin, np.ascontiguousarray(values[number][rows])))
    return Done(states, sent)


class _Prepared:
    """A plan made anew on this worker, and the files that it reads."""

    def __init__(self, work: Work) -> None:
        if work.versions != versions():
            raise WorkError(differing(dict(work.versions), dict(versions())))
        request = work.recipe.prepare()
        read = frozenset(request.leaf(name) for name in work.files)
        roots = None if work.roots is None else [request.roots[k] for k in work.roots]
        streamed, sizes = frozenset(work.streamed), Sizes(*work.sizes)
        program = Compiled(request, read, roots=roots, streamed=streamed, sizes=sizes).program
        self.program = program.fallback() if work.fallback and program.fallback is not None else program
        if fingerprint(self.program) != work.fingerprint:
            hint = "install the same version of gradcli everywhere"
            raise WorkError("a worker plans this expression differently from the client", hint=hint)
        self.passes: list[Pass] = self.program.passes
        files = {name: _found(origin) for name, origin in work.origins}
        leaves = [(leaf.op is INPUT, leaf.params) for leaf in self.program.leaves]
        data = [files.get(params["name"] or "") if given else params["value"] for given, params in leaves]
        self._leaves = values_of(self.program, data)
        self._whole: dict[int, Any] = {}
        self._lock = threading.Lock()

    def values_for(self, one: Pass, pieces: dict[int, Piece]) -> list[Any]:
        """The program's arrays, as far as a pass needs them."""
        values = list(self._leaves)
        for number, piece in pieces.items():
            values[number] = placed(piece)
        for _, number in one.shared:
            if isinstance(values[number], FileArray):
                with self._lock:
                    if number not in self._whole:
                        self._whole[number] = values[number].load()
                    values[number] = self._whole[number]
            elif values[number] is not None:
                packed_value(self.program, values, number)
        return values


_prepared = kept(_MOST_KEPT, _Prepared)


def _found(origin: Origin) -> FileArray:
    """A file that the client has seen, opened here."""
    hint = "workers must see the same files at the same paths as the client"
    try:
        # Opened there without being read, here too, whatever its size.
        with limited(0):
            opened = open_array(origin.path)
    except WorkError as error:
        raise WorkError(f"on a worker: {error.message}", hint=error.hint or hint) from None
    found = opened.origin() if isinstance(opened, FileArray) else None
    if not isinstance(opened, FileArray) or found is None or found.stamp != origin.stamp:
        raise WorkError(f"a worker sees another file at {origin.path} than the client", hint=hint)
    return opened


def differing(ours: dict[str, str], theirs: dict[str, str], where: str = "a worker") -> str:
    """What to say of versions that are not the same."""
    found = [f"{name} {theirs.get(name, 'none')}" for name in ours if ours[name] != theirs.get(name)]
    here = [f"{name} {ours[name]}" for name in ours if ours[name] != theirs.get(name)]
    return f"{where} has {', '.join(found)}, the client has {', '.join(here)}"


class _Sent:
    """Takes the pieces of a result: into its files where they can be reached, and to the client otherwise."""

    def __init__(self, number: int, results: Results, sent: list[tuple[int, int, int, Any]]) -> None:
        self.number = number
        self.sent = sent
        self.rows = None if results.rows is None else np.asarray(results.rows)
        try:
            self._helpers = [Helper(place) for place in results.places]
        except OSError:
            # A folder of the client's own machine.
            self._helpers = []

    def write(self, axis: int, start: int, block: Any) -> None:
        """Take a block."""
        if self.rows is not None:
            low, high = np.searchsorted(self.rows, (start, start + block.shape[axis]))
            if low == high:
                return
        if self._helpers and all(helper.write(axis, start, block) for helper in self._helpers):
            return
        # The block's memory is used again.
        self.sent.append((self.number, axis, start, np.array(block)))
