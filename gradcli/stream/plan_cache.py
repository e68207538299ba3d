"""An expression planned for the shapes and dtypes of a record; the next records of the same kind use the plan again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from gradcli.evaluation.compiled import Compiled, Kept
from gradcli.evaluation.names import may_draw
from gradcli.evaluation.request import prepare, vector_for
from gradcli.evaluation.values import specs_of
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

    def __init__(self, job: RecordJob, arrays: dict[str, Any]) -> None:
        request = prepare(job.script, specs_of({**job.shared, **arrays}), job.wanted, job.vector is not None)
        self.note = request.note
        self._compiled = Compiled(request)
        self._compiled.hold(job.shared, None if job.vector is None else vector_for(request, job.vector))
        self._compiled.settle(arrays)
        self._writer: JsonWriter | NpyWriter
        if job.targets is None:
            self._writer = JsonWriter(request)
        else:
            self._writer = NpyWriter(request.roots, request.targets, job.targets)

    def answer(self, head: str, arrays: dict[str, Any], add: Add) -> None:
        """Compute the answer to a record of this kind, and hand it to `add`; the caller silences NumPy's warnings."""
        self._writer.write(head, self._compiled.run(arrays), add)


class Plans:
    """The plans that are at hand."""

    def __init__(self, job: RecordJob) -> None:
        self._job = job
        source = job.script.source
        # Random numbers are drawn when a plan is made, so it is for one record.
        most = max(_LEAST_PLANS, min(_MOST_PLANS, _MOST_CHARACTERS // max(1, len(source))))
        self._kept: Kept[RecordPlan] = Kept(0 if may_draw(source) else most)

    def find(self, arrays: dict[str, Any]) -> RecordPlan:
        """The plan for a record's arrays. GradcliError where the expression cannot take them."""
        # Strides, because the order of the elements in memory is part of a plan.
        key = [(array.shape, array.dtype, array.strides) for array in arrays.values()]
        return self._kept.find(key, lambda: RecordPlan(self._job, arrays))


def results_of(job: RecordJob, names: Sequence[str]) -> list[str]:
    """The results that a job may have."""
    return ["value", *(f"{name}.grad" for name in ((*names, *job.shared) if job.wanted is None else job.wanted))]
