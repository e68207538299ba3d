"""One item: its files read, its results computed and written, its line made."""

from __future__ import annotations

import contextlib
import operator
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from json.encoder import encode_basestring_ascii as quoted
from typing import Any

import numpy as np

from gradcli.batch.job import Job, Outcome, Part, Task
from gradcli.batch.journal import UNFINISHED
from gradcli.batch.results import ItemPlan
from gradcli.batch.small_files import ItemReader, write_new
from gradcli.engine.native.choice import using
from gradcli.errors import GradcliError, LimitError, WorkError, written_in
from gradcli.evaluation.compiled import Kept
from gradcli.evaluation.finite import all_finite, count, remarked
from gradcli.evaluation.measuring import Preliminary, settled
from gradcli.evaluation.names import may_draw
from gradcli.evaluation.values import InputSpec, settle
from gradcli.language.parse import parse
from gradcli.machine.endings import split_key
from gradcli.machine.limits import HINT_OF_LIMIT, LARGE, limited, missing_as_nan
from gradcli.render.json import to_json
from gradcli.storage import Edges, FileArray
from gradcli.storage.header import shown
from gradcli.storage.target import UnwritableError

# File systems allow so many bytes in a name.
_LONGEST_NAME = 255
# So many kinds of items keep their plans.
_MOST_PLANS = 64
# Threads that hand the interpreter's lock to each other at every call of the system or of NumPy take longer together
# than one alone: items of fewer seconds are done by one thread at a time, a chunk each; no turn is longer than that.
_BRIEF = 0.0005
_LONGEST_TURN = 0.1
# The roots; the files as (result, name, size) and as (temporary name, name); what is not finite.
_Results = tuple[list[Any], list[tuple[str, str, int]], tuple[tuple[str, str], ...], str | None]


class Common:
    """What all workers of a process have together: the shared inputs, loaded once, and the turns of large items and of
    brief ones."""

    def __init__(self, job: Job) -> None:
        settle(job.dtype, job.seed)
        with limited(job.limit), missing_as_nan(job.missing):
            self.shared = {name: value.load(job.dtype) for name, value in job.shared.items()}
            # In float64: the value decides later what it is rounded to.
            self.vector = job.grad_output.load("float64") if job.grad_output is not None else None
        self.gate = threading.Lock()
        self.turn = threading.Lock()


#: What helps where a process does not find what another one has found.
SAME_FILES = "workers must see the same files at the same paths as the client"


class Worker:
    """Does items, one after the other, in one thread. Large ones are done with `threads` threads, one at a time.

    The items' paths are relative to `base`, if there is one.
    """

    def __init__(self, job: Job, common: Common, threads: int = 1, jobs: int = 1, base: str = "") -> None:
        self.job = job
        self.common = common
        self.threads = threads
        self.limit = None if job.limit is None else job.limit // jobs
        self._base = base
        self._script = parse(job.source)
        self._readers = [(name, ItemReader()) for name in job.varying]
        self._arrays: dict[str, Any] = {name: common.shared.get(name) for name in job.names}
        self._plans: Kept[ItemPlan | Preliminary] = Kept(_MOST_PLANS)
        self._last: tuple[list[Any], ItemPlan] | None = None
        self._place = os.path.join(job.folder, UNFINISHED)
        self._token = ""
        # The least that one of the last chunk's items took.
        self._seconds = 0.0

    def do(self, tasks: Sequence[Task], stopped: Callable[[], bool]) -> Part:
        """Do neighbouring items; failures are told in their outcomes; results that cannot be written end the part."""
        outcomes: list[Outcome] = []
        sums: dict[str, Any] = {}
        # A cluster may have the same items done again, by this worker too, while the first files lie there.
        self._token = f"{os.getpid():x}-{os.urandom(4).hex()}"
        with self._settings(), contextlib.ExitStack() as turn:
            if self._seconds < _BRIEF and self.common.turn.acquire(timeout=_LONGEST_TURN):
                turn.callback(self.common.turn.release)
            start = time.perf_counter()
            ends = [start]
            for task in tasks:
                if stopped():
                    return Part(outcomes, sums, False)
                if ends[-1] - start > _LONGEST_TURN:
                    turn.close()
                try:
                    outcomes.append(self._item(task, sums))
                except UnwritableError as error:
                    return Part(outcomes, sums, False, error)
                except (GradcliError, MemoryError) as error:
                    outcomes.append(self._failed(task, error))
                ends.append(time.perf_counter())
        self._seconds = min(map(operator.sub, ends[1:], ends), default=0.0)
        return Part(outcomes, sums)

    @contextlib.contextmanager
    def _settings(self) -> Iterator[None]:
        """What holds while items are done."""
        job = self.job
        with np.errstate(all="ignore"), limited(self.limit), missing_as_nan(job.missing), using(job.engine):
            yield

    def try_on(self, task: Task) -> str | None:
        """Plan for the form of an item and compute nothing; a note on why there are no gradients, if so."""
        with self._settings():
            try:
                for (name, reader), path in zip(self._readers, task.paths, strict=True):
                    self._arrays[name] = self._read(reader, path)[0]
                return self._prepared()[0].note
            except LimitError as error:
                raise self._told(error) from None

    def _item(self, task: Task, sums: dict[str, Any]) -> Outcome:
        start = time.perf_counter()
        described, nbytes, large = [], 0, False
        for (name, reader), path in zip(self._readers, task.paths, strict=True):
            array, size, changed = self._read(reader, path)
            self._arrays[name] = array
            large = large or (size > LARGE and isinstance(array, FileArray))
            nbytes += size
            described.append(f'{quoted(name)}: {{"path": {quoted(path)}, "size": {size}, "mtime_ns": {changed}}}')
        prepared, given = self._prepared()
        if large or prepared.streamed:
            with self.common.gate, limited(self.job.limit):
                results, written, files, remark = self._results(task, prepared, given, self.threads)
        else:
            results, written, files, remark = self._results(task, prepared, given, 1)
        for name, root in prepared.sums:
            if name in sums:
                np.add(sums[name][0], results[root], out=sums[name][0])
            else:
                sums[name] = (np.array(results[root], np.float64), results[root].dtype.name)
        value = "null" if prepared.value < 0 else to_json(results[prepared.value])
        nbytes += sum(size for _, _, size in written)
        outputs = ", ".join(
            [f'{quoted(name)}: {{"path": {quoted(path)}, "size": {size}}}' for name, path, size in written]
        )
        line = (
            f'{{"item": {quoted(task.stem)}, "value": {value}, {prepared.head}, "outputs": {{{outputs}}}, '
            f'"inputs": {{{", ".join(described)}}}, "seconds": {time.perf_counter() - start:.6f}}}'
        )
        return Outcome(task.number, line, files, nbytes, remark=remark)

    def _read(self, reader: ItemReader, path: str) -> tuple[Any, int, int]:
        """The array of a file, found from the folder that its path is relative to."""
        if not self._base:
            return reader.read(path)
        found = os.path.join(self._base, path)
        try:
            return reader.read(found)
        except GradcliError as error:
            error.message = error.message.replace(os.path.join(self._base, ""), "")
            if not os.path.exists(split_key(found)[0]):
                # Whoever has listed it has seen it.
                error.hint = SAME_FILES
            raise

    def _results(self, task: Task, prepared: ItemPlan, given: Mapping[str, Any], threads: int) -> _Results:
        names = [f"{task.stem}.{output.name}.npy" for output in prepared.outputs]
        self._refuse_long(names)
        files = tuple([(f"{self._token}-{task.number:x}-{k}", name) for k, name in enumerate(names)])
        place = self._place
        pairs = zip(prepared.outputs, files, strict=True)
        streamed = {o.root: os.path.join(place, t) for o, (t, _) in pairs if o.root in prepared.streamed}
        written = []
        try:
            results = prepared.compute(given, streamed, threads)
            remark = self._remark(prepared, results)
            for output, (temporary, name) in zip(prepared.outputs, files, strict=True):
                path = f"{place}{os.sep}{temporary}"
                try:
                    new = output.root not in streamed
                    size = write_new(path, results[output.root]) if new else os.stat(path).st_size
                except OSError as error:
                    raise UnwritableError(f"cannot write {shown(path)}: {error.strerror or error}") from None
                written.append((output.name, name, size))
        except GradcliError as error:
            for temporary, name in files:
                path = os.path.join(place, temporary)
                # What the user knows is where the result was to go.
                error.message = error.message.replace(path, os.path.join(self.job.folder, name))
                with contextlib.suppress(OSError):
                    os.unlink(path)
            raise
        return results, written, files, remark

    def _remark(self, prepared: ItemPlan, results: Sequence[Any]) -> str | None:
        """Which results are not finite; WorkError where they have to be."""
        if not prepared.streamed and all(map(all_finite, results)):
            return None
        # Of those that nobody asked for only the edges were kept.
        arrays = zip(prepared.names, results, strict=True)
        found = {name: count(array) for name, array in arrays if not isinstance(array, Edges)}
        return remarked(found, self.job.fail_on_nan)

    def _refuse_long(self, names: Sequence[str]) -> None:
        """Refuse names that no file can have, which concerns one item: what cannot be written ends the run."""
        for name in names:
            if len(name) * 4 > _LONGEST_NAME and len(os.fsencode(name)) > _LONGEST_NAME:
                path = shown(os.path.join(self.job.folder, name))
                raise WorkError(f"cannot write {path}: the name is longer than {_LONGEST_NAME} bytes")

    def _prepared(self) -> tuple[ItemPlan, Mapping[str, Any]]:
        """The plan for the arrays at hand, an earlier one where they are of the same kind, and what it is given."""
        arrays = [self._arrays[name] for name in self.job.varying]
        last = self._last
        # Files that are alike are read into the same array.
        if last is not None and all(map(operator.is_, arrays, last[0])):
            return last[1], self._arrays
        key = [(InputSpec.of("", array), isinstance(array, FileArray)) for array in arrays]
        plan, measured = settled(self._plans, key, self._script.source, self._arrays, self._plan)
        if measured:
            return plan, {**self._arrays, **measured}
        self._last = arrays, plan
        return plan, self._arrays

    def _plan(self) -> ItemPlan:
        job = self.job
        if job.seed is not None:
            # The generator stands where it does after the literals, as for `gradcli eval`.
            settle(job.dtype, job.seed)
            for value in job.shared.values():
                if value.text is not None and may_draw(value.text):
                    value.load(job.dtype)
        with written_in(self._script.source):
            return ItemPlan(job, self._script, self._arrays, self.common.vector)

    def _told(self, error: GradcliError) -> GradcliError:
        """An error as it is told: who was refused memory may use all of it without others at the same time."""
        if isinstance(error, LimitError):
            shared = self.limit != self.job.limit
            error.hint = f"fewer --threads leave more to each item; {HINT_OF_LIMIT}" if shared else HINT_OF_LIMIT
        return error

    def _failed(self, task: Task, error: GradcliError | MemoryError) -> Outcome:
        told = self._told(error) if isinstance(error, GradcliError) else WorkError("not enough memory for this")
        report = to_json(told.report())
        return Outcome(task.number, f'{{"item": {quoted(task.stem)}, "error": {report}}}', (), 0, told)
