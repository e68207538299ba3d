"""An expression planned for the shapes and dtypes of a record; the next records of the same kind use the plan again."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from gradcli.errors import GradcliError
from gradcli.evaluation.compiled import Compiled, Kept
from gradcli.evaluation.finite import all_finite, count, remarked
from gradcli.evaluation.measuring import Preliminary, settled
from gradcli.evaluation.names import may_draw
from gradcli.evaluation.request import prepare, refuse_no_vector, vector_for
from gradcli.evaluation.values import specs_of
from gradcli.language.instructions import Script
from gradcli.stream.writers import Add, JsonWriter, NpyWriter, TensorWriter

# How many plans are kept: the longer the expression, the fewer, since each holds its graph.
_MOST_PLANS = 1024
_LEAST_PLANS = 4
_MOST_CHARACTERS = 100_000
# Of records that are answered together, how many there are, and the elements of what is computed for all of them.
_MOST_AT_ONCE, _WORK_AT_ONCE = 4096, 1 << 20


class RecordJob(NamedTuple):
    """What is computed for each record.

    `shared` are the arrays of inputs that are the same for all records, `wanted` the inputs to differentiate (None:
    every floating-point one), `vector` that of the vector-Jacobian product. `targets` are the results to write as
    .npy (none: all of them), None for JSON, which has the `parts` of each answer, or the tensor `only` alone. With
    `fail_on_nan` results that are not finite are an error, with `remark` they are told of. With `per_row` there is a
    value and a gradient for each row of these inputs of a record.
    """

    script: Script
    shared: dict[str, Any]
    wanted: list[str] | None
    vector: Any
    targets: list[str] | None = None
    parts: Sequence[str] = ("value", "grads")
    only: str | None = None
    fail_on_nan: bool = False
    remark: bool = False
    per_row: Sequence[str] = ()


class RecordPlan:
    """A job on inputs of certain shapes and dtypes; `note` says why there are no gradients, if so."""

    def __init__(self, job: RecordJob, arrays: dict[str, Any]) -> None:
        forms, vector = specs_of({**job.shared, **arrays}), job.vector is not None
        request = prepare(job.script, forms, job.wanted, vector, per_row=job.per_row)
        if request.derivatives:
            hint = "give --grad-output, or reduce it, as in sum(...); `gradcli eval` gives Jacobians"
            raise GradcliError(f"the value of a row has shape {request.value.shape}, and no gradient", hint=hint)
        # Who asks for gradients alone gets them, or an error.
        self.note = None if job.only == "value" or "grads" not in job.parts else request.note
        if job.only not in (None, "value"):
            refuse_no_vector(request)
        self._names = _needed(job, request.targets)
        self._places = [request.targets.index(name) for name in self._names]
        self._count = len(request.roots)
        self._fail_on_nan = job.fail_on_nan
        floats = [k for k, place in enumerate(self._places) if request.roots[place].dtype.kind == "f"]
        self._looked_at = floats if job.fail_on_nan or job.remark else []
        self._compiled = Compiled(request, roots=[request.roots[place] for place in self._places])
        self._compiled.hold(job.shared, None if job.vector is None else vector_for(request, job.vector))
        self._compiled.settle(arrays, math.inf)
        self._work = sum(step.node.size for stage in self._compiled.program.stages for step in stage.whole)
        self._writer: JsonWriter | TensorWriter | NpyWriter
        if job.only is not None:
            self._writer = TensorWriter(request, job.only)
        elif job.targets is None:
            self._writer = JsonWriter(request, job.parts)
        else:
            self._writer = NpyWriter(request.roots, request.targets, job.targets)

    @property
    def at_once(self) -> int:
        """How many records are answered together: whoever waits for one does not wait long for the others."""
        return max(1, min(_MOST_AT_ONCE, _WORK_AT_ONCE // max(1, self._work)))

    def answers(self, heads: Sequence[str | list[str]], arrays: dict[str, Any], count: int) -> bytes | None:
        """The answers to so many records of this kind, whose arrays lie one after the other, or None where some are
        unusual; heads are what all have in common and what they have not, by turns."""
        if not isinstance(self._writer, JsonWriter) or not self._writer.takes_many or not self._compiled.takes_many:
            return None
        computed = self._compiled.many(arrays, count)
        if not all(np.isfinite(computed[k]).all() for k in self._looked_at):
            return None
        return self._writer.lines(heads, self._in_place(computed), count)

    def answer(self, head: str, arrays: Mapping[str, Any], add: Add) -> str | None:
        """Compute the answer to a record of this kind, and hand it to `add`; the caller silences NumPy's warnings.

        What is given tells which results are not finite; WorkError where they have to be.
        """
        computed = self._compiled.run(arrays) if self._places else []
        remark = None
        if not all(map(all_finite, [computed[k] for k in self._looked_at])):
            counted = {name: count(array) for name, array in zip(self._names, computed, strict=True)}
            remark = remarked(counted, self._fail_on_nan)
        self._writer.write(head, self._in_place(computed), add)
        return remark

    def _in_place(self, computed: list[Any]) -> list[Any]:
        """The arrays at the places of all roots, None for those that are not computed."""
        if len(computed) == self._count:
            return computed
        found: list[Any] = [None] * self._count
        for place, array in zip(self._places, computed, strict=True):
            found[place] = array
        return found


class Plans:
    """The plans that are at hand."""

    def __init__(self, job: RecordJob) -> None:
        self._job = job
        source = job.script.source
        # Random numbers are drawn when a plan is made, so it is for one record.
        most = max(_LEAST_PLANS, min(_MOST_PLANS, _MOST_CHARACTERS // max(1, len(source))))
        self._kept: Kept[RecordPlan | Preliminary] = Kept(0 if may_draw(source) else most)

    def find(self, arrays: dict[str, Any]) -> tuple[RecordPlan, Mapping[str, Any]]:
        """The plan for a record's arrays, and what it is given. GradcliError where the expression cannot take them."""
        # Strides, because the order of the elements in memory is part of a plan.
        key = [(array.shape, array.dtype, array.strides) for array in arrays.values()]
        job = self._job
        inputs = {**job.shared, **arrays} if job.shared else arrays
        plan, measured = settled(self._kept, key, job.script.source, inputs, lambda: RecordPlan(job, arrays))
        return plan, {**arrays, **measured} if measured else arrays


def _needed(job: RecordJob, names: Sequence[str]) -> list[str]:
    """Of the results of a request, those that are written."""
    if job.only is not None:
        return [name for name in names if name == job.only]
    if job.targets:
        return [name for name in names if name in job.targets]
    return [name for name in names if ("value" if name == "value" else "grads") in job.parts]


def results_of(job: RecordJob, names: Sequence[str]) -> list[str]:
    """The results that a job may have."""
    return ["value", *(f"{name}.grad" for name in ((*names, *job.shared) if job.wanted is None else job.wanted))]
