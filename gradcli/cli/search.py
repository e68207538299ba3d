"""What `gradcli minimize` is asked for, as a run: what tells it from others, and the files that it leaves."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from gradcli.cli.asked import Asked, refuse_unseeded
from gradcli.cli.output_files import Outputs, refuse_read
from gradcli.cli.plot import form_of
from gradcli.errors import GradcliError, own_text
from gradcli.evaluation.input_value import InputValue
from gradcli.machine.endings import is_url, split_key

if TYPE_CHECKING:
    from gradcli.optimize.logbook import Logbook
    from gradcli.optimize.methods import Method
    from gradcli.optimize.minimum import Minimum
    from gradcli.plotting.curves import Curves


@dataclass(frozen=True, eq=False)
class Search:
    """What is searched for, and how: `more` are options beside those of the method, None where they are not given."""

    asked: Asked
    inputs: dict[str, Any]
    parameters: list[str]
    method: Method
    settings: dict[str, Any]
    more: dict[str, Any]
    limits: tuple[str, ...]

    def run(self, watch: Any, resume: Any) -> Minimum:
        """Do it."""
        from gradcli.optimize.minimum import minimize

        script, method = self.asked.script, self.method.name
        given = {name: value for name, value in {**self.settings, **self.more}.items() if value is not None}
        return minimize(script, self.inputs, self.parameters, method=method, **given, watch=watch, resume=resume)

    @cached_property
    def described(self) -> dict[str, Any]:
        """What it is, but for how long it may take: equal descriptions lead the same way.

        Files are described as they are when this is first looked at, before the search begins.
        """
        from gradcli import __version__
        from gradcli.machine.limits import MISSING_AS_NAN

        settings = {name: value for name, value in self.settings.items() if name != self.method.steps}
        return {
            "gradcli": __version__,
            "command": "minimize",
            "expression": self.asked.script.source,
            "data": {value.name: _identity(value, self.inputs[value.name]) for value in self.asked.values},
            "wrt": self.parameters,
            "method": self.method.name,
            **settings,
            **self.more,
            "bounds": sorted(self.limits),
            "missing": MISSING_AS_NAN.get(),
        }


def _identity(value: InputValue, array: Any) -> dict[str, Any]:
    """What tells an input from others: what does not lie in a file is known by its contents."""
    from gradcli.evaluation.identity import identity

    form = {"shape": list(array.shape), "dtype": str(array.dtype)}
    if value.path is None or is_url(value.path) or os.path.isfile(split_key(value.path)[0]):
        return {"is": identity(value), **form}
    from hashlib import sha256

    import numpy as np

    return {"sha256": sha256(np.ascontiguousarray(array).data).hexdigest(), **form}


class Recording(NamedTuple):
    """What is kept of the steps, and what becomes of what earlier runs have kept."""

    trace: str | None
    checkpoint: str | None
    plot: str | None
    resume: bool
    overwrite: bool

    def check(self, method: Method, asked: Asked) -> None:
        """Refuse a checkpoint of what cannot be resumed."""
        from gradcli.optimize.methods import METHODS

        if self.checkpoint is None:
            if self.resume:
                hint = "name the checkpoint of the earlier run"
                raise GradcliError("--resume needs --checkpoint", hint=hint)
            return
        if method.scipy:
            own = ", ".join([name for name, other in METHODS.items() if not other.scipy])
            what = f"--checkpoint does not apply to {method.name}, which is SciPy's"
            raise GradcliError(what, hint=f"it applies to {own}")
        refuse_unseeded(asked.script.source, asked.values, asked.common.seed)

    def folders(self, targets: Outputs) -> list[str]:
        """The folders for results that something lies in before there are any."""
        own = {_folder(path) for path in (self.trace, self.checkpoint) if path is not None}
        return [folder for folder in targets.folders if os.path.realpath(folder) in own]

    def logbook(self, search: Search) -> Logbook:
        """What the steps are told to, with what an earlier run of the same kind has left there."""
        from gradcli.optimize.checkpoint import Checkpoint
        from gradcli.optimize.course import Course
        from gradcli.optimize.logbook import Logbook
        from gradcli.optimize.trace import Trace

        trace, checkpoint = Trace(self.trace) if self.trace is not None else None, None
        if self.checkpoint is not None:
            from gradcli.machine.limits import MEMORY_LIMIT

            if trace is not None and not trace.is_file:
                hint = "for example, --trace steps.jsonl"
                raise GradcliError("the trace of a resumed run must be a file", hint=hint)
            # How much memory there is decides in which blocks a file is read.
            more = {"trace": trace is not None, "plot": self.plot is not None, "memory_limit": MEMORY_LIMIT.get()}
            described = {**search.described, **more}
            checkpoint = Checkpoint(self.checkpoint, described, search.settings[search.method.steps])
        logbook = Logbook(trace, checkpoint, Course() if self.plot is not None else None)
        logbook.look_back(self.resume, self.overwrite)
        return logbook


def check_places(search: Search, targets: Outputs, kept: Recording) -> None:
    """Refuse, before anything is computed, what cannot be written, or is in the place of another run's results."""
    from gradcli.batch.manifest import described
    from gradcli.evaluation.identity import Earlier
    from gradcli.graph.dtypes import FLOAT64
    from gradcli.storage.header import shown
    from gradcli.storage.target import check_folder, find_target

    targets.check()
    own = list(filter(None, (kept.trace, kept.checkpoint, kept.plot)))
    _refuse_same([*targets.targets.values(), *own])
    _refuse_taken(own, targets.folders, search)
    refuse_read(own, search.asked.sources)
    arrays = {name: search.inputs[name] for name in search.parameters}
    forms = {name: (array.shape, array.dtype) for name, array in arrays.items()}
    # Whatever its dtype, the value is a number.
    targets.check_forms({"value": ((), FLOAT64), **forms})
    way_out = "--overwrite removes its results first; or choose another folder"
    for folder in targets.folders:
        old = described(folder)
        there = old is not None or any(os.path.lexists(os.path.join(folder, name)) for name in _names(search))
        earlier = Earlier(shown(folder.rstrip("/" + os.sep) or folder), "the results", way_out, old, there)
        earlier.goes_on(search.described, kept.resume, kept.overwrite)
    if kept.plot:
        from gradcli.plotting.figure import require

        require(form_of(kept.plot, "name it FILE.svg or FILE.png"))
        if _folder(kept.plot) not in map(os.path.realpath, targets.folders):
            check_folder(find_target(kept.plot))


def _folder(path: str) -> str:
    """The folder that a file lies in."""
    return os.path.realpath(os.path.dirname(path) or ".")


def _refuse_same(paths: list[str]) -> None:
    """Refuse a file that would be written as two things."""
    seen: set[str] = set()
    for path in paths:
        real = os.path.realpath(path)
        if real in seen and path != "-":
            raise GradcliError(f"{path} is named twice", hint="give each a file of its own")
        seen.add(real)


def _refuse_taken(paths: list[str], folders: list[str], search: Search) -> None:
    """Refuse what is kept of the steps in the place of results in a folder, or of that folder."""
    from gradcli.batch.manifest import place_of

    for folder in folders:
        about = place_of(folder)
        inside = [os.path.join(folder, name) for name in _names(search)]
        taken = {os.path.realpath(place) for place in (folder, os.path.dirname(about), about, *inside)}
        for path in paths:
            if os.path.realpath(path) in taken:
                hint = "give it a name of its own"
                raise GradcliError(f"{path} would be overwritten by -o {folder}", hint=hint)


def save(search: Search, targets: Outputs, plot: str | None, found: Minimum, curves: Curves | None) -> None:
    """Write all results, or none."""
    from gradcli.batch.manifest import place_of

    documents = {}
    if plot and curves is not None:
        from gradcli.plotting.figure import figure, title_of

        documents[plot] = figure(curves, title_of(own_text(search.asked.script.source)), form_of(plot, ""))
    local = [folder for folder in targets.folders if not is_url(folder)]
    documents |= {place_of(folder): f"{json.dumps(search.described, indent=1)}\n".encode() for folder in local}
    if targets or documents:
        arrays = {name: tensor.value() for name, tensor in found.parameters.items()}
        stale = [path for folder in local for path in _stale(folder, search)]
        targets.save({"value": found.value.value(), **arrays}, documents, stale)


def _names(search: Search) -> list[str]:
    """The files of the results in a folder."""
    return [f"{name}.npy" for name in ("value", *search.parameters)]


def _stale(folder: str, search: Search) -> list[str]:
    """The results of another run in a folder which this one has none of."""
    from gradcli.batch.manifest import described

    old = described(folder)
    names = old.get("wrt") if old is not None and old.get("command") == "minimize" else None
    found = [f"{name}.npy" for name in names if str(name).isidentifier()] if isinstance(names, list) else []
    return [os.path.join(folder, name) for name in found if name not in _names(search)]
