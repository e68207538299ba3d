"""`gradcli.report`: an expression and its inputs in, or runs that are over, and a page to share out."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from os import PathLike
from typing import Any

from gradcli.errors import GradcliError, quoted
from gradcli.graph.arguments import kind_of
from gradcli.optimize.course import Course
from gradcli.optimize.iterate import Iterate
from gradcli.optimize.minimum import Minimum
from gradcli.optimize.minimum_report import minimum_json
from gradcli.reporting.gathering import findings
from gradcli.reporting.markup import ENDINGS, check_ending
from gradcli.reporting.page import records_page, report_page
from gradcli.reporting.run_records import RunRecords, read_records
from gradcli.storage.writing import save_document
from gradcli.walkthrough.computation_steps import recorded

_MOST_DIGITS = 30


class Page(str):
    """An HTML file as a string; it loads nothing from elsewhere."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self):,} characters>"


def report(
    expression: str | None = None,
    inputs: Mapping[str, Any] | None = None,
    wrt: Iterable[str] | str | None = None,
    grad_output: Any = None,
    *,
    runs: Any = None,
    path: str | PathLike[str] | None = None,
    precision: int = 4,
    imports: str | PathLike[str] | None = None,
) -> Page:
    """Show a computation as one HTML page, as `gradcli report` does.

    The arguments are those of `evaluate`; `precision` is the number of digits after the point. Instead of an
    expression, `runs` can be given, one or several: a result of `minimize`, a list of the steps that its `watch`
    received, or the name of a file that `gradcli minimize --json`, its `--trace` or `gradcli batch` has written. With a
    `path`, which ends in .html or .htm, the page is written to that file, whole or not at all. Raises GradcliError.

    >>> import gradcli as gc
    >>> page = gc.report("w = sum(3*x)", {"x": [1, 2]})
    >>> "gradients agree with central differences" in page
    True
    """
    target = None if path is None else _target(path)
    if isinstance(wrt, str) and wrt.lower().endswith(ENDINGS):
        raise GradcliError(f"wrt is the name of an input, not {quoted(wrt)}", hint=f"path={wrt!r} names the file")
    if type(precision) is not int or not 0 <= precision <= _MOST_DIGITS:
        raise GradcliError(f"precision must be an integer from 0 to {_MOST_DIGITS}, got {precision!r}")
    if runs is None:
        if expression is None:
            raise GradcliError("there is nothing to report", hint="give an expression or runs")
        found = recorded(expression, inputs, wrt, grad_output, imports)
        page = report_page(findings(found, {}, ()), precision)
    else:
        if not all(given is None for given in (expression, inputs, wrt, grad_output, imports)):
            raise GradcliError("runs cannot be combined with an expression", hint="runs are over")
        page = records_page(_records(runs), precision)
    if target is not None:
        save_document(target, page.encode())
    return Page(page)


def _target(path: Any) -> str:
    """The name of the file that is to be written."""
    name = os.fspath(path) if isinstance(path, str | PathLike) else path
    if not isinstance(name, str):
        raise GradcliError(f"the path must be the name of a file, got {kind_of(path)}")
    check_ending(name)
    return name


def _records(runs: Any) -> RunRecords:
    """The records of one run, or of several."""
    several = list(runs) if isinstance(runs, list | tuple) and not _are_steps(runs) else [runs]
    paths = [os.fspath(run) for run in several if isinstance(run, str | PathLike)]
    found = read_records(paths) if paths else RunRecords([])
    for run in several:
        if isinstance(run, Minimum):
            found.names.append(f"minimize, {run.method}")
            found.minima.append(json.loads("".join(minimum_json(run))))
        elif _are_steps(run):
            found.names.append(f"step {run[0].number:,} to {run[-1].number:,}")
            found.courses.append((found.names[-1], _course(run)))
        elif not isinstance(run, str | PathLike):
            hint = "a run is what minimize returns, a list of the steps that its watch was given, or the name of a file"
            raise GradcliError(f"there is nothing to report of {kind_of(run)}", hint=hint)
    if not several:
        raise GradcliError("there is nothing to report: runs is empty")
    return found


def _are_steps(run: Any) -> bool:
    return isinstance(run, list | tuple) and bool(run) and all(isinstance(step, Iterate) for step in run)


def _course(steps: Sequence[Iterate]) -> Course:
    course = Course()
    for step in steps:
        course.add(step.number, step.value, step.gradient_norm)
    return course
