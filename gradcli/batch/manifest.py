"""What identifies a run, and which items an earlier run of the same kind has finished."""

from __future__ import annotations

import contextlib
import json
import os
from array import array
from itertools import islice
from typing import Any, NamedTuple

from gradcli import __version__
from gradcli.batch.items import Items
from gradcli.batch.job import Job
from gradcli.batch.journal import HIDDEN, RESULTS, Folder, lines_of
from gradcli.errors import GradcliError
from gradcli.evaluation.identity import Earlier, identity, stat_of
from gradcli.machine.endings import is_url, split_key
from gradcli.machine.regular import open_regular
from gradcli.storage.header import shown
from gradcli.storage.target import writing

_NAME = "run.json"
_LINES = (RESULTS, os.path.join(HIDDEN, "more.jsonl"))
# What the names of results end with.
_ENDINGS = (".value.npy", ".grad.npy")


class Finished(NamedTuple):
    """What a resumed run need not do again.

    The first `first` items stand in the first `length` bytes of results.jsonl. Where that is not all, `places` has the
    place of each line as `Journal` wants it.
    """

    first: int
    length: int
    places: array[int] | None

    def has(self, index: int) -> bool:
        """Whether an item is finished."""
        return index < self.first if self.places is None else self.places[index] >= 0

    def total(self) -> int:
        """How many items are finished."""
        return self.first if self.places is None else sum(place >= 0 for place in self.places)


def describe(job: Job) -> dict[str, Any]:
    """What makes a run: equal descriptions and equal files of an item give equal results."""
    return {
        "gradcli": __version__,
        "expression": job.source,
        "inputs": {name: identity(value) for name, value in job.shared.items()},
        "varying": list(job.varying),
        "wrt": None if job.wrt is None else list(job.wrt),
        "grad_output": None if job.grad_output is None else identity(job.grad_output),
        "dtype": job.dtype,
        "seed": job.seed,
        "save": [job.saved.value, job.saved.grads, list(job.saved.names)],
        "accumulate": job.accumulate,
        "fail_on_nan": job.fail_on_nan,
        "missing": job.missing,
        "engine": job.engine,
        "repeats": job.repeats,
    }


def repeats_of(path: str, items: Items, resume: bool) -> int:
    """How many items decide what computes small ones: all of them, or as many as there were when a run was begun that
    goes on."""
    before = (described(path) or {}).get("repeats") if resume else None
    return before if isinstance(before, int) else len(items.stems)


def record(folder: Folder, job: Job) -> None:
    """Write down what this run computes."""
    folder.replace(_NAME, [json.dumps(describe(job), indent=1).encode(), b"\n"])


def is_continued(path: str, job: Job, resume: bool, overwrite: bool) -> bool:
    """Whether a run goes on with that in the folder `path`: it is of the same kind, and `resume` asks for that.

    GradcliError where the results of two runs would be mixed, unless `overwrite` says that the old ones go.
    """
    way_out = "--overwrite removes its results first; or choose another folder"
    earlier = Earlier(shown(path), "the results", way_out, described(path), _has_results(path))
    return earlier.goes_on(describe(job), resume, overwrite)


def _has_results(path: str) -> bool:
    """Whether an earlier run has recorded anything in a folder, or left results whose record is gone."""
    for name in _LINES:
        with contextlib.suppress(OSError, ValueError):
            if os.lstat(os.path.join(path, name)).st_size:
                return True
    with contextlib.suppress(OSError, ValueError), os.scandir(path) as entries:
        return any(entry.name.endswith(_ENDINGS) and entry.is_file() for entry in entries)
    return False


def remove_results(path: str) -> None:
    """Remove the files of all results that an earlier run has recorded in the folder `path`."""
    names = []
    for name in _LINES:
        for _, _, line in lines_of(os.path.join(path, name)):
            outputs = line.get("outputs")
            names += [f"{line['item']}.{result}.npy" for result in outputs] if isinstance(outputs, dict) else []
    old = described(path)
    if old is not None and old.get("accumulate") and isinstance(old.get("inputs"), dict):
        names += [f"{name}.grad.npy" for name in old["inputs"]]
    for name in names:
        # Whoever wrote these lines: nothing goes but results in this very folder.
        if name.endswith(_ENDINGS) and os.path.basename(name) == name:
            with writing(os.path.join(path, name)), contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(path, name))


def finished(path: str, job: Job, items: Items) -> Finished:
    """What an earlier run of the same kind has left in the folder `path` that this one would compute again."""
    numbers = {stem: index for index, stem in enumerate(items.stems)}
    places = array("q", [-1]) * len(items.stems)
    first = length = 0
    for file, name in enumerate(_LINES):
        for start, end, line in lines_of(os.path.join(path, name)):
            index = numbers.get(line["item"])
            if index is None or not _is_good(path, line, items, index, job):
                continue
            if file == 0 and index == first and start == length:
                first, length = index + 1, end
            places[index] = 2 * start + file
    if places.count(-1) == len(places) - first:
        return Finished(first, length, None)
    return Finished(first, length, places)


def length_of(path: str, items: int) -> int:
    """How many bytes the first lines of a folder's results take."""
    ends = (end for _, end, _ in lines_of(os.path.join(path, RESULTS)))
    return next(islice(ends, items - 1, None), 0)


def place_of(path: str) -> str:
    """The file in a folder that says what run its results are of."""
    return os.path.join(path, HIDDEN, _NAME)


def described(path: str) -> dict[str, Any] | None:
    """What the run in a folder says of itself; None when it says nothing."""
    try:
        with open(open_regular(place_of(path)), "rb") as file:
            found = json.loads(file.read())
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _is_good(path: str, line: dict[str, Any], items: Items, index: int, job: Job) -> bool:
    """Whether an item was finished without an error, from the files that are there now, and its results are there."""
    inputs, outputs = line.get("inputs"), line.get("outputs")
    if "error" in line or not isinstance(inputs, dict) or not isinstance(outputs, dict):
        return False
    paths = zip(job.varying, items.paths(index), strict=True)
    if any(inputs.get(name) != {"path": spec, **stat_of(spec)} for name, spec in paths):
        return False
    try:
        return all(os.stat(os.path.join(path, o["path"])).st_size == o["size"] for o in outputs.values())
    except (OSError, ValueError, KeyError, TypeError):
        return False


def refuse_own_inputs(items: Items, job: Job) -> None:
    """Refuse items from the folder of results, which the next run would take for items, and results in their place."""
    if is_url(job.folder):
        hint = "name a folder of this machine"
        raise GradcliError(f"the results of a batch cannot go to a URL: {shown(job.folder)}", hint=hint)
    place = os.path.realpath(job.folder)
    for name, paths in items.inputs.items():
        # Of thousands of files there are few folders.
        for folder in {os.path.dirname(split_key(paths[index])[0]) for index in range(len(items.stems))}:
            if os.path.realpath(folder or ".") == place:
                message = f"the results cannot go into {job.folder}, which holds the files of {name}"
                raise GradcliError(message, hint="the next run would take the results for items: choose another folder")
    for name, value in job.shared.items():
        if value.path is None or not value.path.endswith(_ENDINGS):
            continue
        if os.path.dirname(os.path.realpath(value.path)) == place:
            hint = "choose another folder, or rename the file"
            raise GradcliError(f"{name} is {shown(value.path)}, where results are written", hint=hint)
