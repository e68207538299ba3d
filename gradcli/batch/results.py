"""An expression planned for the shapes and dtypes of an item; the next items of the same kind use the plan again."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from gradcli.batch.job import Job
from gradcli.engine.execute.bounds import check_duration
from gradcli.engine.execute.threads import get_num_threads
from gradcli.errors import GradcliError
from gradcli.evaluation.compiled import Compiled
from gradcli.evaluation.finite import Several, Tally
from gradcli.evaluation.request import Request, prepare, vector_for, vector_form
from gradcli.evaluation.values import specs_of
from gradcli.language.instructions import Script
from gradcli.render.json import to_json
from gradcli.storage import Edges, streaming

# Values of at most so many elements stand in the line of results.
SMALL_VALUE = 100
# Results of more bytes are written while they are computed.
_STREAMED = 64 << 20


class Output(NamedTuple):
    """A result that becomes a file: its place among the roots, and its name after the item's."""

    root: int
    name: str


class ItemPlan:
    """A job on inputs of certain forms: a plan, and what of an item's line of results is known beforehand.

    `outputs` become files, `streamed` of them while they are computed; `sums` are the gradients to add up, `value` the
    root that is recorded (-1 for none). `names` are those of the roots. `note` says why there are no gradients.
    """

    def __init__(self, job: Job, script: Script, arrays: dict[str, Any], vector: Any) -> None:
        request = prepare(script, specs_of(arrays), job.wrt, vector_form(vector))
        self.note = request.note
        names = request.targets
        written = _written(job, request)
        summed = [n for n in request.wanted if job.accumulate and n in job.shared]
        value = request.roots[0]
        needed = [k for k, name in enumerate(names) if name in written or name.removesuffix(".grad") in summed]
        if 0 not in needed and (math.prod(value.shape) <= SMALL_VALUE or not needed):
            needed.insert(0, 0)
        roots = [request.roots[k] for k in needed]
        at = {names[k]: place for place, k in enumerate(needed)}
        self.names = list(at)
        self.outputs = [Output(at[name], name) for name in names if name in written]
        self.sums = [(name, at[f"{name}.grad"]) for name in summed]
        self.value = 0 if 0 in needed and math.prod(value.shape) <= SMALL_VALUE else -1
        shapes = {name: list(root.shape) for name, root in zip(names, request.roots, strict=True)}
        self.head = f'"dtype": "{value.dtype}", "shapes": {to_json(shapes)}'
        kept = {place for _, place in self.sums}
        self.streamed = [k for k, root in enumerate(roots) if root.nbytes > _STREAMED and k not in kept]
        vector = None if vector is None else vector_for(request, vector)
        files = request.files(arrays, vector)
        self._compiled = Compiled(request, files, roots=roots, streamed=frozenset(self.streamed))
        self._compiled.hold({name: arrays[name] for name in job.shared}, vector)
        check_duration(self._compiled.program, get_num_threads(), job.time_limit)
        if not files and not self.streamed:
            self._compiled.settle(arrays, job.repeats)

    def compute(self, arrays: Mapping[str, Any], paths: dict[int, str], threads: int) -> list[Any]:
        """The roots for an item; `paths` says where the streamed ones are written, by root."""
        if not self.streamed:
            return self._compiled.run(arrays, threads=threads)
        program = self._compiled.program
        forms = {k: (program.shapes[k], program.values[program.roots[k]].dtype) for k in self.streamed}
        with streaming([(path, *forms[k]) for k, path in paths.items()]) as files:
            # What nobody asked for is not kept.
            sinks: dict[int, Any] = {k: Edges(*form) for k, form in forms.items()}
            sinks |= {k: Several([file], Tally()) for k, file in zip(paths, files, strict=True)}
            return self._compiled.run(arrays, sinks=sinks, threads=threads)


def _written(job: Job, request: Request) -> set[str]:
    """The results that become files."""
    written = {"value"} if job.saved.value else set()
    for name in request.wanted:
        wanted = job.saved.grads or name in job.saved.names
        if wanted and not (job.accumulate and name in job.shared):
            written.add(f"{name}.grad")
    for name in job.saved.names:
        if name not in request.wanted:
            hint = request.note or "the value does not depend on it, or it is not a floating-point input"
            raise GradcliError(f"{name}.grad is None: there is no gradient to write", hint=hint)
    return written
