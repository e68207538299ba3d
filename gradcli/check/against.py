"""Derivatives that somebody has worked out, as formulas, against those of an expression: `gradcli check --against`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from gradcli.autodiff.vjp import gradients_of
from gradcli.check.check_report import cells, entries_of, table
from gradcli.check.compare import DERIVATIVES, wide
from gradcli.engine.execute.bounds import check_free
from gradcli.engine.execute.run import execute
from gradcli.errors import GradcliError, told_of, written_in
from gradcli.evaluation.interpret import Interpreter
from gradcli.evaluation.measuring import at_hand
from gradcli.evaluation.request import Request, prepare
from gradcli.evaluation.values import specs_of, to_array
from gradcli.graph.dtypes import DEFAULT_DTYPE, FLOAT64
from gradcli.graph.node import Node, constant
from gradcli.language.instructions import Script
from gradcli.machine.limits import having
from gradcli.render.json import to_json
from gradcli.render.marks import Marked

# Bytes that are held for each element of an input: both derivatives, errors, what is wrong.
_HELD = 64
# So many places are shown.
_MOST_SHOWN = 5


class Difference(NamedTuple):
    """A place where both differ."""

    place: tuple[int, ...]
    formula: float
    gradient: float


class Compared(NamedTuple):
    """How a formula compares with the derivative for an input; `differences` are the first of `wrong` places."""

    name: str
    shape: tuple[int, ...]
    wrong: int
    largest: float
    relative: float
    place: tuple[int, ...] | None
    differences: list[Difference]


class AgainstReport(NamedTuple):
    """What became of each input."""

    order: int
    rows: list[Compared]

    @property
    def ok(self) -> bool:
        """Whether all formulas are right."""
        return not any(row.wrong for row in self.rows)


def against(
    script: Script,
    formulas: Mapping[str | None, Script],
    inputs: Mapping[str, Any],
    wrt: Iterable[str] | None = None,
    order: int = 1,
    atol: float = 1e-7,
    rtol: float = 1e-5,
) -> AgainstReport:
    """Compare formulas by the name of the input, or one for all that have none of their own, with the derivatives.

    All is computed in float64. Of a value that is no scalar it is the gradient of its sum, of a higher order the
    gradient of the sum of the one before. GradcliError where a formula does not fit the input.
    """
    with having(DEFAULT_DTYPE, FLOAT64):
        arrays = {name: wide(to_array(value)) for name, value in inputs.items()}
        with written_in(script.source), at_hand(script.source, arrays):
            request = prepare(script, specs_of(arrays), wrt, gradients_needed=False)
            names = _compared(request, formulas, wrt is not None)
            largest = max(request.leaves[name].size for name in names)
            check_free(largest * _HELD, f"comparing {largest:,} elements")
            derivatives = [_derivative(request, name, order) for name in names]
        for name, leaf in request.leaves.items():
            leaf.params["data"] = arrays[name]
        roots = [_formula(formulas[name if name in formulas else None], request, name) for name in names]
        with np.errstate(all="ignore"):
            found = execute([*derivatives, *roots])
    both = zip(names, found[: len(names)], found[len(names) :], strict=True)
    return AgainstReport(order, [_row(name, gradient, formula, atol, rtol) for name, gradient, formula in both])


def _compared(request: Request, formulas: Mapping[str | None, Script], chosen: bool) -> list[str]:
    """The inputs to compare: those that are asked for, or that have a formula."""
    if not request.roots[0].is_floating:
        raise GradcliError(f"the value is {request.roots[0].dtype} and has no gradient")
    for name in formulas:
        if name is not None and name not in request.names:
            why = "--wrt does not name it" if chosen else f"it is {request.leaves[name].dtype}"
            raise GradcliError(f"the formula for {name!r} has no gradient to compare with", hint=why)
    names = request.names if None in formulas else [name for name in request.names if name in formulas]
    if not names:
        raise GradcliError("no input can be differentiated", hint="only floating-point inputs have gradients")
    if chosen and len(names) < len(request.names):
        missing = next(name for name in request.names if name not in names)
        raise GradcliError(f"there is no formula for {missing!r}", hint=f"for example, --against {missing}=FORMULA")
    return list(names)


def _derivative(request: Request, name: str, order: int) -> Node:
    leaf, last = request.leaves[name], request.roots[0]
    for _ in range(order):
        last = gradients_of(last, [leaf]).get(leaf) or constant(np.zeros(leaf.shape))
    return last


def _formula(script: Script, request: Request, name: str) -> Node:
    """The value of a formula of the same inputs, which fits the input that it is the derivative for."""
    leaf = request.leaves[name]
    with told_of(f"--against for {name}"), written_in(script.source):
        node = Interpreter(script.source, request.leaves).run(script)
        if node.shape not in ((), leaf.shape):
            hint = "a number stands for all elements"
            raise GradcliError(f"the formula has shape {node.shape}, {name} has {leaf.shape}", hint=hint)
        return node


def _row(name: str, gradient: np.ndarray, formula: np.ndarray, atol: float, rtol: float) -> Compared:
    gradient = np.asarray(gradient, np.float64)
    formula = np.broadcast_to(np.asarray(formula, np.float64), gradient.shape)
    with np.errstate(all="ignore"):
        error = np.abs(formula - gradient)
        size = np.maximum(np.abs(formula), np.abs(gradient))
        # Infinite of the same sign, and both without a number.
        same = (formula == gradient) | (np.isnan(formula) & np.isnan(gradient))
        error = np.where(same, 0.0, error)
        relative = np.where(error == 0, 0.0, error / size)
        wrong = ~same & ~(np.isfinite(size) & (error <= atol + rtol * size))
    if not gradient.size:
        return Compared(name, gradient.shape, 0, 0.0, 0.0, None, [])
    places = [tuple(map(int, place)) for place in np.argwhere(wrong)[:_MOST_SHOWN]]
    # What is no number is the worst.
    at = np.unravel_index(int(np.argmax(np.where(np.isnan(error), np.inf, error))), gradient.shape)
    worst = tuple(map(int, at))
    shown = [Difference(place, float(formula[place]), float(gradient[place])) for place in places]
    largest, most = float(error[worst]), float(relative[worst])
    return Compared(name, gradient.shape, int(np.count_nonzero(wrong)), largest, most, worst, shown)


def against_text(report: AgainstReport) -> Marked:
    """A table with a line for each input, the places that differ, and the verdict."""
    rows = [cells(row, entries_of(math.prod(row.shape)), "wrong" if row.wrong else "ok") for row in report.rows]
    lines = table("compared", rows)
    what = DERIVATIVES[report.order]
    for row in report.rows:
        if row.wrong:
            lines.append("")
            for found in row.differences:
                at = f" at {list(found.place)}" if found.place else ""
                given = f"the formula gives {found.formula:.9g}{at}"
                lines.append(f"{row.name}: {given}, the {what} is {found.gradient:.9g}")
            if row.wrong > len(row.differences):
                lines.append(f"{' ' * len(row.name)}  … {row.wrong} places in all")
    wrong = ", ".join(row.name for row in report.rows if row.wrong)
    verdict = f"formulas differ from {what}s: {wrong}" if wrong else f"formulas agree with {what}s"
    return Marked.of_lines([*lines, "", verdict])


def against_json(report: AgainstReport) -> str:
    """One line of strict JSON."""
    rows = [
        {"name": row.name, "shape": row.shape, "verdict": "wrong" if row.wrong else "ok", "wrong": row.wrong}
        | {"max_abs_error": row.largest, "max_rel_error": row.relative, "index": row.place}
        | {"differences": [{"index": d.place, "formula": d.formula, "gradient": d.gradient} for d in row.differences]}
        for row in report.rows
    ]
    return to_json({"ok": report.ok, "order": report.order, "inputs": rows})
