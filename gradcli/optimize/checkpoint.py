"""What a run keeps on the disk, so that another one goes on with it to the same bits after it was killed."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from gradcli.errors import GradcliError, WorkError
from gradcli.evaluation.identity import Earlier
from gradcli.optimize.iterate import Iterate
from gradcli.optimize.minimum import Minimum
from gradcli.storage.bundle import find_bundle_target, load_bundle, save_bundle
from gradcli.storage.header import shown
from gradcli.storage.target import check_folder, writing
from gradcli.tensors.functions import from_numpy
from gradcli.tensors.tensor import Tensor

# A checkpoint is written at most so often, in seconds, and takes no more than this share of the time.
_SECONDS = 1.0
_SHARE = 0.05
_KEYS = {"state", "limit", "trace", "course", "minimum"}


class Checkpoint:
    """A file with the state of a run after one of its steps, and the description of that run.

    `limit` is the most steps it may take, which is no part of the description: more may follow later.
    """

    def __init__(self, path: str, described: Mapping[str, Any], limit: int) -> None:
        self._path = path
        self._described = dict(described)
        self._limit = limit
        self._due = time.monotonic() + _SECONDS

    def earlier(self, resume: bool, overwrite: bool) -> dict[str, Any] | None:
        """What the same run has kept before, where this one goes on with it.

        GradcliError where another run's would be lost, WorkError for a file that is damaged or no checkpoint.
        """
        target = find_bundle_target(self._path)
        check_folder(target)
        there = os.path.exists(target.real)
        if there and overwrite and not resume:
            return None
        found = self._read() if there else None
        way_out = "--overwrite starts over; or name another file"
        earlier = Earlier(shown(self._path), "the checkpoint", way_out, found and found["run"], there)
        if found is None or not earlier.goes_on(self._described, resume, overwrite):
            return None
        kept: dict[str, Any] = found["kept"]
        state, minimum = kept["state"], kept["minimum"]
        steps = minimum["steps"] if state is None else state["step"]
        if steps > self._limit:
            hint = "allow as many; or --overwrite starts over"
            raise GradcliError(f"{shown(self._path)} is {steps:,} steps on, and {self._limit:,} are allowed", hint=hint)
        if self._limit != kept["limit"] and minimum is not None and minimum["steps"] == kept["limit"]:
            # Where the old limit has ended it, there is more to do now.
            kept["minimum"] = None
        return None if state is None and kept["minimum"] is None else kept

    def _read(self) -> dict[str, Any]:
        found = load_bundle(self._path)
        try:
            run, kept = found["run"], found["kept"]
            steps = [int(kept[name][key]) for name, key in (("state", "step"), ("minimum", "steps")) if kept[name]]
            if isinstance(run, dict) and kept.keys() == _KEYS and steps:
                return found
        except (TypeError, KeyError, AttributeError, ValueError):
            pass
        raise WorkError(f"{shown(self._path)} is not the checkpoint of a run", hint="name another file")

    def discard(self) -> None:
        """Remove what another run has kept: what it tells of is about to go."""
        with writing(self._path), contextlib.suppress(FileNotFoundError):
            os.unlink(find_bundle_target(self._path).real)

    def is_due(self, step: Iterate) -> bool:
        """Whether a step is to be kept: it is time, or no other comes."""
        return step.number == step.total or time.monotonic() >= self._due

    @contextlib.contextmanager
    def paced(self) -> Iterator[None]:
        """The longer it takes to keep a step within this block, the later the next one is due."""
        begun = time.monotonic()
        yield
        now = time.monotonic()
        self._due = now + max(_SECONDS, (now - begun) / _SHARE)

    def write(self, **kept: Any) -> None:
        """Keep what there is to keep, in the place of what was kept before."""
        save_bundle(self._path, {"run": self._described, "kept": {**kept, "limit": self._limit}})


def packed(found: Minimum) -> dict[str, Any]:
    """A minimum as numbers and arrays."""
    return _converted(vars(found), Tensor.value)


def unpacked(kept: Mapping[str, Any]) -> Minimum:
    """The minimum that `packed` has made numbers and arrays of."""
    return Minimum(**_converted(kept, from_numpy))


def _converted(fields: Mapping[str, Any], convert: Callable[[Any], Any]) -> dict[str, Any]:
    """The fields of a minimum, its tensors converted."""
    named = {
        key: fields[key] and {name: convert(x) for name, x in fields[key].items()} for key in ("parameters", "grads")
    }
    return {**fields, "value": convert(fields["value"]), **named}
