"""What runs have left behind: the JSON of a minimum, the trace of its steps, the results of a batch."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gradcli.errors import GradcliError, WorkError, quoted, unable_to
from gradcli.optimize.course import Course
from gradcli.storage.formats.json_data import NON_FINITE
from gradcli.storage.pipes import each_line

_STANDARD_INPUT = "-"
# Lines that are read of all files, and the length of each.
_MOST_LINES, _LONGEST_LINE = 1_000_000, 1 << 24
_HINT = "--from takes what gradcli minimize --json prints, a file of its --trace, or results.jsonl of gradcli batch"


@dataclass(eq=False)
class RunRecords:
    """The records of all files together: minima, the steps of each trace, items in their order."""

    names: list[str]
    minima: list[dict[str, Any]] = field(default_factory=list)
    courses: list[tuple[str, Course]] = field(default_factory=list)
    items: list[dict[str, Any]] = field(default_factory=list)


def read_records(paths: Iterable[str]) -> RunRecords:
    """The records of some files; "-" is standard input. WorkError or GradcliError where something is none."""
    found = RunRecords([])
    lines = 0
    for path in paths:
        name = "standard input" if path == _STANDARD_INPUT else path
        found.names.append(name)
        course = Course()
        for line in _lines(path, name):
            lines += 1
            if lines > _MOST_LINES or len(line) >= _LONGEST_LINE:
                raise WorkError(f"{name} is too long for a report", hint=f"it shows up to {_MOST_LINES:,} lines")
            if line.strip():
                _add(found, course, line, f"line {lines} of {name}" if len(found.names) == 1 else name)
        if course.steps:
            found.courses.append((name, course))
    if not (found.minima or found.courses or found.items):
        raise GradcliError(f"there are no results in {' and '.join(found.names)}", hint=_HINT)
    return found


def _lines(path: str, name: str) -> Iterable[bytes]:
    with unable_to(f"read {name}"):
        if path == _STANDARD_INPUT:
            yield from each_line(sys.stdin.buffer, _LONGEST_LINE)
            return
        with open(path, "rb") as file:
            yield from iter(lambda: file.readline(_LONGEST_LINE), b"")


def _add(found: RunRecords, course: Course, line: bytes, where: str) -> None:
    """Add a record to those of its kind."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        raise GradcliError(f"{where} is not JSON", hint=_HINT) from None
    kind = _kind(record)
    if kind == "item":
        found.items.append(record)
    elif kind == "minimum":
        found.minima.append(record)
    elif kind == "step":
        value = number(record["value"])
        assert value is not None
        course.add(record["step"], value, number(record.get("gradient_norm")))
    else:
        raise GradcliError(
            f"{where} is not a record of a run: {quoted(line.decode(errors='replace').strip())}", hint=_HINT
        )


def _kind(record: Any) -> str:
    if not isinstance(record, dict):
        return ""
    if isinstance(record.get("item"), str):
        return "item"
    if isinstance(record.get("parameters"), dict) and "value" in record:
        return "minimum"
    step = record.get("step")
    return "step" if type(step) is int and abs(step) < 1 << 62 and number(record.get("value")) is not None else ""


def number(value: Any) -> float | None:
    """A number of JSON, in which those that are not finite may be words; None for anything else."""
    if isinstance(value, str):
        return NON_FINITE.get(value)
    if type(value) not in (int, float) or abs(value) > sys.float_info.max:
        return None if type(value) is not float else value
    return float(value)


def tensor(value: Any, dtype: Any) -> np.ndarray | None:
    """Numbers in nested lists as an array; None where it is none."""
    try:
        array = np.asarray(value, np.float64)
    except (ValueError, TypeError, OverflowError):
        return None
    return array.astype(dtype) if dtype in ("float16", "float32") else array
