"""An expression planned for the shapes and dtypes of an item; the next items of the same kind use the plan again."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any, NamedTuple

import numpy as np

from gradcli.batch.job import Job
from gradcli.engine.execute.closure import bound
from gradcli.engine.execute.memory_limit import check_memory
from gradcli.engine.execute.run import run
from gradcli.engine.execute.threads import get_num_threads
from gradcli.engine.execute.time_limit import check_duration
from gradcli.engine.plan.planner import plan
from gradcli.errors import GradcliError
from gradcli.evaluation.request import Request, prepare, vector_for, vector_form
from gradcli.evaluation.values import InputSpec
from gradcli.language.parse import Script
from gradcli.machine.limits import limited
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
    nbytes: int


class ItemPlan:
    """A job on inputs of certain forms: a plan, and what of an item's line of results is known beforehand.

    `outputs` become files, `streamed` of them while they are computed; `sums` are the gradients to add up, `value` the
    root that is recorded (-1 for none). `note` says why there are no gradients.
    """

    __slots__ = ("outputs", "streamed", "sums", "value", "head", "note", "_program", "_places", "_leaves", "_function")

    def __init__(self, job: Job, script: Script, arrays: dict[str, Any], vector: Any) -> None:
        request = _request(job, script, arrays, vector_form(vector))
        self.note = request.note
        names = ["value", *(f"{name}.grad" for name in request.wanted)]
        written = _written(job, request)
        self.sums: list[tuple[str, int]] = []
        summed = [n for n in request.wanted if job.accumulate and n in job.shared]
        value = request.roots[0]
        needed = [k for k, name in enumerate(names) if name in written or name.removesuffix(".grad") in summed]
        if 0 not in needed and (math.prod(value.shape) <= SMALL_VALUE or not needed):
            needed.insert(0, 0)
        roots = [request.roots[k] for k in needed]
        at = {names[k]: place for place, k in enumerate(needed)}
        self.outputs = [Output(at[name], name, roots[at[name]].nbytes) for name in names if name in written]
        self.sums = [(name, at[f"{name}.grad"]) for name in summed]
        self.value = 0 if 0 in needed and math.prod(value.shape) <= SMALL_VALUE else -1
        shapes = {name: list(root.shape) for name, root in zip(names, request.roots, strict=True)}
        self.head = f'"dtype": "{value.dtype}", "shapes": {to_json(shapes)}'
        kept = {place for _, place in self.sums}
        self.streamed = [k for k, root in enumerate(roots) if root.nbytes > _STREAMED and k not in kept]
        self._plan(request, roots, arrays, None if vector is None else vector_for(request, vector))
        check_duration(self._program, get_num_threads(), job.time_limit)

    def _plan(self, request: Request, roots: list[Any], arrays: dict[str, Any], vector: Any) -> None:
        files = request.files(arrays, vector)
        self._program = plan(roots, files=files, streamed=frozenset(self.streamed))
        self._leaves = request.arrays_for(self._program, arrays, vector)
        names = {leaf: name for name, leaf in request.leaves.items()}
        self._places = [(k, names[leaf]) for k, leaf in enumerate(self._program.leaves) if leaf in names]
        self._function: Callable[[Sequence[Any]], list[Any]] | None = None
        if not files and not self.streamed:
            self._function = bound(self._program)

    def check(self, limit: int | None) -> None:
        """Refuse what needs more memory than that, where `compute` would not find out."""
        if self._function is not None:
            with limited(limit):
                check_memory(self._program, self._leaves, 1, frozenset())

    def compute(
        self, arrays: dict[str, Any], paths: dict[int, str], threads: int, limit: int | None, progress: Any = None
    ) -> list[Any]:
        """The roots for an item; `paths` says where the streamed ones are written, by root."""
        leaves = self._leaves
        for place, name in self._places:
            leaves[place] = arrays[name]
        if self._function is not None:
            return self._function(leaves)
        with limited(limit):
            return self._run(leaves, paths, threads, progress)

    def _run(self, leaves: list[Any], paths: dict[int, str], threads: int, progress: Any) -> list[Any]:
        program = self._program
        if not self.streamed:
            return run(program, leaves, threads=threads, progress=progress)
        forms = {k: (program.shapes[k], program.values[program.roots[k]].dtype) for k in self.streamed}
        with ExitStack() as stack:
            files = stack.enter_context(streaming([(path, *forms[k]) for k, path in paths.items()]))
            # What nobody asked for is not kept.
            sinks: dict[int, Any] = {k: Edges(*form) for k, form in forms.items()}
            sinks.update(zip(paths, files, strict=True))
            return run(program, leaves, sinks=sinks, threads=threads, progress=progress)


def _request(job: Job, script: Script, arrays: dict[str, Any], vector: bool | InputSpec) -> Request:
    """The graphs; no gradients are made that nobody wants."""
    forms = [InputSpec(name, tuple(array.shape), array.dtype, _is_packed(array)) for name, array in arrays.items()]
    try:
        return prepare(script, forms, job.wrt, vector)
    except GradcliError as error:
        error.source = script.source if error.source is None else error.source
        raise


def _written(job: Job, request: Request) -> set[str]:
    """The results that become files."""
    written = {"value"} if job.saved.value else set()
    for name in request.wanted:
        if job.saved.has_grad(name) and not (job.accumulate and name in job.shared):
            written.add(f"{name}.grad")
    for name in job.saved.names:
        if name not in request.wanted:
            hint = request.note or "the value does not depend on it, or it is no floating-point input"
            raise GradcliError(f"{name}.grad is None: there is no gradient to write", hint=hint)
    return written


def _is_packed(array: Any) -> bool:
    """Whether the elements of an array, or of a file, lie in row-major order."""
    return bool(array.flags.c_contiguous if isinstance(array, np.ndarray) else array.c_contiguous)
