"""What tells one run from another: runs that are described alike give the same, so that one goes on with the other."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any, NamedTuple

from gradcli.errors import GradcliError
from gradcli.evaluation.input_value import InputValue
from gradcli.machine.endings import split_key

# What differs, in the words of the command line, where it is not an option of the same name.
_WORDS = {
    "gradcli": "another version of gradcli",
    "expression": "another expression",
    "inputs": "other shared inputs",
    "varying": "other inputs",
    "data": "other inputs",
    "command": "another command",
}


class Earlier(NamedTuple):
    """What an earlier run has left in a place: `holds` is what that is, `way_out` what to do if it is in the way.

    `described` is what the run says of itself, None where nothing does; `there` whether it has left anything.
    """

    place: str
    holds: str
    way_out: str
    described: Mapping[str, Any] | None
    there: bool

    def goes_on(self, described: Mapping[str, Any], resume: bool, overwrite: bool) -> bool:
        """Whether the run that is described so goes on with this one: it is the same, and `resume` asks for that.

        GradcliError where two runs would be mixed, unless `overwrite` says that the old one goes.
        """
        difference = _difference(self.described, described) if resume else ""
        if difference is None:
            return True
        if overwrite or not self.there:
            return False
        if not resume:
            hint = f"--resume continues it, {self.way_out}"
            raise GradcliError(f"{self.place} holds {self.holds} of another run", hint=hint)
        if not difference:
            message = (
                f"{self.place} holds {self.holds.removeprefix('the ')}, and it is unknown which run they belong to"
            )
            raise GradcliError(message, hint=self.way_out)
        raise GradcliError(f"the run in {self.place} had {difference}", hint=self.way_out)


def identity(value: InputValue) -> Any:
    """A literal is its text, a file its path, size and time of change."""
    return value.text if value.path is None else {"path": value.path, **stat_of(value.path)}


def size_of(spec: str) -> int:
    """The size of a file, 0 when it cannot be told."""
    return max(0, stat_of(spec)["size"])


def stat_of(spec: str) -> dict[str, int]:
    """The size and the time of change of a file, -1 when it cannot be told."""
    try:
        status = os.stat(split_key(spec)[0])
    except (OSError, ValueError):
        return {"size": -1, "mtime_ns": -1}
    return {"size": status.st_size, "mtime_ns": status.st_mtime_ns}


def _difference(old: Mapping[str, Any] | None, new: Mapping[str, Any]) -> str | None:
    """What was different in an earlier run, in words; None for nothing, "" when there is no telling."""
    new = json.loads(json.dumps(new))
    if old is None:
        return ""
    if old == new:
        return None
    different = [key for key in new if old.get(key) != new[key]] or [key for key in old if key not in new]
    return " and ".join(_WORDS.get(key) or f"another --{key.replace('_', '-')}" for key in different)
