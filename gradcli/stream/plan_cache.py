"""An expression planned for the shapes and dtypes of a record; the next records of the same kind use the plan again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from gradcli.engine.execute.closure import bound
from gradcli.engine.execute.memory_limit import check_memory
from gradcli.engine.execute.run import run
from gradcli.engine.execute.threads import get_num_threads
from gradcli.engine.plan.planner import plan
from gradcli.errors import GradcliError
from gradcli.evaluation.request import prepare, vector_for
from gradcli.evaluation.values import InputSpec
from gradcli.language.parse import Script
from gradcli.stream.writers import Add, JsonWriter, NpyWriter

# How many plans are kept: the longer the expression, the fewer, since each holds its graph.
_MOST_PLANS = 1024
_LEAST_PLANS = 4
_MOST_CHARACTERS = 100_000


class RecordJob(NamedTuple):
    """What is computed for each record.

    `shared` are the arrays of inputs that are the same for all records, `wanted` the inputs to differentiate (None:
    every floating-point one), `vector` that of the vector-Jacobian product. `targets` are the results to write as
    .npy (none: all of them), None for JSON.
    """

    script: Script
    shared: dict[str, Any]
    wanted: list[str] | None
    vector: Any
    targets: list[str] | None = None


class RecordPlan:
    """A job on inputs of certain shapes and dtypes; `note` says why there are no gradients, if so."""

    __slots__ = ("note", "_program", "_function", "_leaves", "_places", "_writer")

    def __init__(self, job: RecordJob, arrays: dict[str, Any]) -> None:
        inputs = {**job.shared, **arrays}
        forms = [InputSpec(name, array.shape, array.dtype, array.flags.c_contiguous) for name, array in inputs.items()]
        try:
            request = prepare(job.script, forms, job.wanted, job.vector is not None)
            vector = None if job.vector is None else vector_for(request, job.vector)
            self._program = plan(request.roots)
            self._leaves = request.arrays_for(self._program, inputs, vector)
            check_memory(self._program, self._leaves, get_num_threads(), frozenset())
            self._writer: JsonWriter | NpyWriter
            if job.targets is None:
                tracked = bool(request.names) and request.note is None
                self._writer = JsonWriter(request.roots, request.names, request.wanted, tracked)
            else:
                results = ["value", *(f"{name}.grad" for name in request.wanted)]
                self._writer = NpyWriter(request.roots, results, job.targets)
        except GradcliError as error:
            error.source = job.script.source if error.source is None else error.source
            raise
        self.note = request.note
        self._function = bound(self._program)
        names = {request.leaves[name]: name for name in arrays}
        self._places = [(k, names[leaf]) for k, leaf in enumerate(self._program.leaves) if leaf in names]

    def answer(self, head: str, arrays: dict[str, Any], add: Add) -> None:
        """Compute the answer to a record of this kind, and hand it to `add`; the caller silences NumPy's warnings."""
        leaves = self._leaves
        for place, name in self._places:
            leaves[place] = arrays[name]
        function = self._function
        computed = run(self._program, leaves) if function is None else function(leaves)
        self._writer.write(head, computed, add)


class Plans:
    """The plans that are at hand, those used last."""

    __slots__ = ("_job", "_most", "_plans", "_key", "_last")

    def __init__(self, job: RecordJob) -> None:
        self._job = job
        source = job.script.source
        # Random numbers are drawn when a plan is made, so it is for one record.
        kept = max(_LEAST_PLANS, min(_MOST_PLANS, _MOST_CHARACTERS // max(1, len(source))))
        self._most = 0 if "rand" in source else kept
        self._plans: dict[Any, RecordPlan] = {}
        self._key: Any = None
        self._last: RecordPlan | None = None

    def find(self, arrays: dict[str, Any]) -> RecordPlan:
        """The plan for a record's arrays. GradcliError where the expression cannot take them."""
        # Strides, because the order of the elements in memory is part of a plan.
        key = [(array.shape, array.dtype, array.strides) for array in arrays.values()]
        if self._last is not None and key == self._key:
            return self._last
        place = tuple(key)
        found = self._plans.pop(place, None)
        if found is None:
            found = RecordPlan(self._job, arrays)
            if not self._most:
                return found
            if len(self._plans) >= self._most:
                del self._plans[next(iter(self._plans))]
        self._plans[place] = found
        self._key, self._last = key, found
        return found


def results_of(job: RecordJob, names: Sequence[str]) -> list[str]:
    """The results that a job may have."""
    return ["value", *(f"{name}.grad" for name in ((*names, *job.shared) if job.wanted is None else job.wanted))]
