"""The gradients of an expression against central differences: `gradcli check`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from copy import deepcopy
from typing import Any, NamedTuple

import numpy as np

from gradcli.autodiff.differences import random_direction, unit_vector
from gradcli.autodiff.vjp import vjp
from gradcli.check.slopes import EDGE, KINK, OK, SYMMETRIC, UNDEFINED, WRONG, Slope, Tolerance, compare
from gradcli.check.suspects import FirstNonFinite, Suspect, origin, suspects
from gradcli.engine.execute.bounds import check_free
from gradcli.engine.execute.run import execute, known_value, run
from gradcli.engine.plan.planner import plan
from gradcli.errors import GradcliError, written_in
from gradcli.evaluation.measuring import at_hand
from gradcli.evaluation.request import Request, prepare
from gradcli.evaluation.values import specs_of, to_array
from gradcli.graph.dtypes import DEFAULT_DTYPE, FLOAT32, FLOAT64
from gradcli.graph.node import Node, constant, toposort
from gradcli.language.instructions import Script
from gradcli.language.parse import parse
from gradcli.machine.limits import having
from gradcli.ops.create import GENERATOR

# Inputs of up to so many elements are checked entry by entry.
_ENTRIES = 256
# Bytes that are held for each element of an input: gradients, directions, points on either side, all in float64.
_HELD = 64
# How badly off each verdict is.
_SEVERITY = {OK: 0, EDGE: 1, KINK: 2, WRONG: 3}
# Matrices that are symmetric but for rounding.
_SYMMETRIC = 1e-9
# Weights of results and directions are drawn at random, the same at every run.
_SEED = 20


class Row(NamedTuple):
    """How the derivative for one input compares.

    `entries` is how many were moved one by one (0: all together, along one direction); `worst` the slope with the
    worst verdict, or else the largest error, and `place` the entry that it is of, None for the direction.
    """

    name: str
    shape: tuple[int, ...]
    entries: int
    worst: Slope
    place: tuple[int, ...] | None
    largest: float
    relative: float

    @property
    def verdict(self) -> str:
        return self.worst.verdict


class Report(NamedTuple):
    """The rows, the operations that are wrong or not smooth, and notes for people."""

    order: int
    rows: list[Row]
    suspects: list[Suspect]
    notes: list[str]

    @property
    def ok(self) -> bool:
        """Whether no derivative is wrong."""
        return all(row.verdict != WRONG for row in self.rows)


def check(
    expression: str | Script,
    inputs: Mapping[str, Any],
    wrt: Iterable[str] | None = None,
    order: int = 1,
    atol: float = 1e-7,
    rtol: float = 1e-5,
    literals: Collection[str] = (),
) -> Report:
    """Compare every gradient of an expression with central differences, in float64.

    A value that is no scalar is weighted at random and added up. `order=2` compares the gradient's gradient. What is
    not finite in the inputs' own dtypes is noted, with where it comes from; that of `literals` is float32. Raises
    GradcliError.
    """
    script = parse(expression) if isinstance(expression, str) else expression
    given = {name: to_array(value) for name, value in inputs.items()}
    arrays = {name: wide(array) for name, array in given.items()}
    drawn_from = deepcopy(GENERATOR.get())
    # First of all, so that mistakes are told in terms of what is checked.
    with having(DEFAULT_DTYPE, FLOAT64), written_in(script.source), at_hand(script.source, arrays):
        request = prepare(script, specs_of(arrays), wrt, gradients_needed=False)
    with np.errstate(all="ignore"), written_in(script.source):
        found = _origin(script, given, wrt, literals, drawn_from)
    try:
        # Differences of what is not finite are no reason for a warning: their verdict says so.
        with having(DEFAULT_DTYPE, FLOAT64), np.errstate(all="ignore"), written_in(script.source):
            report = _check(request, arrays, order, atol, rtol)
    except NotFiniteError as error:
        if found is not None:
            error.span, error.hint = found.span, f"{found.what}; choose other inputs"
        raise
    if found is None or any(suspect.slope.verdict == UNDEFINED for suspect in report.suspects):
        return report
    return report._replace(notes=[found.told(script.source), *report.notes])


class NotFiniteError(GradcliError):
    """A value or derivative at a point where there are no differences."""


def _origin(
    script: Script,
    given: Mapping[str, np.ndarray],
    wrt: Iterable[str] | None,
    literals: Collection[str],
    drawn_from: Any,
) -> FirstNonFinite | None:
    """Where something not finite comes from in the dtypes that `gradcli eval` computes in."""
    arrays = {n: a.astype(np.float32) if n in literals and a.dtype.kind == "f" else a for n, a in given.items()}
    # The same numbers are drawn as for the check.
    with having(DEFAULT_DTYPE, FLOAT32), having(GENERATOR, drawn_from), at_hand(script.source, arrays):
        return origin(prepare(script, specs_of(arrays), wrt, gradients_needed=False), arrays, given)


def wide(array: np.ndarray) -> np.ndarray:
    """An array in double precision, where it has floating-point numbers."""
    return array.astype(np.float64) if array.dtype.kind == "f" else array


def _check(request: Request, arrays: dict[str, np.ndarray], order: int, atol: float, rtol: float) -> Report:
    largest = max(arrays.values(), key=lambda array: array.size, default=None)
    if largest is not None:
        check_free(largest.size * _HELD, f"checking an input of {largest.size:,} elements")
    value = request.roots[0]
    if not value.is_floating:
        raise GradcliError(f"the value is {value.dtype} and has no gradient")
    if not request.names:
        raise GradcliError("no input can be differentiated", hint="only floating-point inputs have gradients")
    for name, leaf in request.leaves.items():
        leaf.params["data"] = arrays[name]
    leaves = {name: request.leaves[name] for name in request.names}
    rng = np.random.default_rng(_SEED)
    levels = [[value]]
    for _ in range(order - 1):
        _, gradients = _derived(levels[-1], list(leaves.values()), rng)
        # Those that are not tracked too: a rule may have lost its own derivative.
        levels.append([g for g in gradients if g is not None])
    _refuse_infinite(levels)
    outputs = levels[-1]
    tol, notes = _tolerance(outputs, atol, rtol)
    # What the expression detaches, or takes for an index, has no slope: it stays what it is while the inputs move.
    frozen = [node for node in toposort([value]) if (node.op.same or node.op.recast) and node.op.vjp is None]
    line = _Line(outputs, leaves, frozen, rng)
    rows = [_row(line, name, tol, rng) for name in leaves]
    found: list[Suspect] = []
    if any(row.verdict in (WRONG, KINK) for row in rows):
        known = {leaf: leaf.params["data"] for leaf in request.leaves.values()}
        found = suspects(outputs, known, tol, _SEED)
        if order > 1 and (not found or all(row.verdict != WRONG for row in rows)):
            # What jumps may stand in no derivative: what bends below it does, where the user has written it.
            below = suspects([node for level in levels for node in level], known, tol, _SEED)
            found = [suspect for suspect in below if suspect.span is not None] or below
    return Report(order, rows, found, notes)


#: What derivatives are called, by their order.
DERIVATIVES = ("value", "gradient", "second derivative", "third derivative", "fourth derivative")


def _refuse_infinite(levels: Sequence[Sequence[Node]]) -> None:
    arrays = iter(execute([node for level in levels for node in level]))
    for what, level in zip(DERIVATIVES, levels, strict=False):
        finite = [np.isfinite(next(arrays)).all() for _ in level]
        if not all(finite):
            message = f"the {what} is not finite here: there are no differences"
            raise NotFiniteError(message, hint="choose other inputs")


def _derived(
    outputs: Sequence[Node], leaves: Sequence[Node], rng: np.random.Generator
) -> tuple[list[np.ndarray], list[Node | None]]:
    """Weights for each output, and the gradients of their weighted sum: of the value itself where that is a number."""
    weights = [rng.uniform(0.5, 1.5, node.shape) for node in outputs]
    if [node.shape for node in outputs] == [()]:
        weights = [np.ones(())]
    found = vjp(outputs, [constant(w.astype(y.dtype)) for y, w in zip(outputs, weights, strict=True)], leaves)
    return weights, [found.get(leaf) for leaf in leaves]


def _tolerance(outputs: Sequence[Node], atol: float, rtol: float) -> tuple[Tolerance, list[str]]:
    """Tolerances for the lowest precision that the expression itself asks for."""
    dtypes = {node.dtype for node in toposort(outputs) if node.is_floating and node.requires_grad}
    lowest = min(dtypes, key=lambda dtype: dtype.itemsize, default=FLOAT64)
    if lowest == FLOAT64:
        return Tolerance(atol, rtol), []
    epsilon = float(np.finfo(lowest).eps)
    wide = epsilon ** (1 / 2)
    note = f"the expression computes in {lowest}: differences are rough, and errors up to {wide:.0e} are accepted"
    return Tolerance(max(atol, wide), max(rtol, wide), epsilon), [note]


class _Line:
    """The weighted sum of the outputs as a function of the inputs, one of which moves."""

    def __init__(
        self, outputs: Sequence[Node], leaves: Mapping[str, Node], frozen: Sequence[Node], rng: np.random.Generator
    ) -> None:
        self.weights, gradients = _derived(outputs, list(leaves.values()), rng)
        self.inputs = {name: leaf.params["data"] for name, leaf in leaves.items()}
        wanted = [g for g in gradients if g is not None]
        values = iter(execute([*wanted, *frozen]))
        self.gradients = {
            name: np.zeros(leaf.shape) if g is None else next(values)
            for (name, leaf), g in zip(leaves.items(), gradients, strict=True)
        }
        held = {node: next(values) for node in frozen}
        self._program = plan(outputs, stop=lambda node: node in held)
        own = {leaf: name for name, leaf in leaves.items()}
        self._places = {own[leaf]: k for k, leaf in enumerate(self._program.leaves) if leaf in own}
        self._arrays = [held[x] if x in held else known_value(x) for x in self._program.leaves]

    def values(self, name: str, direction: np.ndarray, t: float) -> list[np.ndarray]:
        """The outputs at `input + t*direction`."""
        arrays = list(self._arrays)
        if name in self._places:
            arrays[self._places[name]] = np.asarray(self.inputs[name] + t * direction)
        return [np.asarray(y, np.float64) for y in run(self._program, arrays)]

    def compare(self, name: str, direction: np.ndarray, size: float, tol: Tolerance) -> Slope:
        """The derivative along a direction beside differences."""
        moves = direction != 0
        gradient = self.gradients[name].astype(np.float64)
        claimed = float(np.sum(gradient[moves] * direction[moves]))

        def values(t: float) -> list[np.ndarray]:
            try:
                return self.values(name, direction, t)
            except GradcliError:
                # Beside the point an operation may not be defined, such as the Cholesky factor.
                return [np.full(w.shape, np.nan) for w in self.weights]

        return compare(values, self.weights, claimed, size, tol)


def _row(line: _Line, name: str, tol: Tolerance, rng: np.random.Generator) -> Row:
    gradient = line.gradients[name]
    shape = gradient.shape
    if not gradient.size:
        return Row(name, shape, 0, Slope(0.0, 0.0, OK), None, 0.0, 0.0)
    direction = random_direction(rng, shape)
    data = line.inputs[name]
    whole = line.compare(name, direction, _size(data), tol)
    places = np.arange(gradient.size)
    if gradient.size > _ENTRIES:
        if whole.verdict == OK:
            return Row(name, shape, 0, whole, None, whole.error, whole.relative)
        places = _culprits(line, name, direction, tol)
    slopes = []
    for place in places:
        slopes.append(line.compare(name, unit_vector(shape, int(place)), abs(float(data.reshape(-1)[place])), tol))
    worst = max(range(len(slopes)), key=lambda k: (_SEVERITY[slopes[k].verdict], _sortable(slopes[k].error)))
    index = tuple(int(k) for k in np.unravel_index(int(places[worst]), shape)) if shape else ()
    finite = [s for s in slopes if s.verdict in (OK, WRONG)] or [slopes[worst]]
    largest = max((s.error for s in finite), key=_sortable)
    relative = max((s.relative for s in finite), key=_sortable)
    row = Row(name, shape, len(slopes), slopes[worst], index, largest, relative)
    if row.verdict == WRONG and _is_symmetric(data) and _is_symmetric(gradient):
        slope = line.compare(name, direction + np.swapaxes(direction, -1, -2), _size(data), tol)
        if slope.verdict == OK:
            # As for the Cholesky factor, which reads one triangle and has the derivative of both.
            slope = slope._replace(verdict=SYMMETRIC)
            return Row(name, shape, 0, slope, None, slope.error, slope.relative)
    if whole.verdict == WRONG and row.verdict == OK:
        # Each entry is fine and all together are not: it is the whole that is reported.
        return row._replace(worst=whole, place=None, largest=whole.error, relative=whole.relative)
    return row


def _is_symmetric(array: np.ndarray) -> bool:
    if array.ndim < 2 or array.shape[-1] != array.shape[-2]:
        return False
    return bool(np.allclose(array, np.swapaxes(array, -1, -2), rtol=_SYMMETRIC, atol=_SYMMETRIC))


def _culprits(line: _Line, name: str, direction: np.ndarray, tol: Tolerance) -> np.ndarray:
    """Entries of a large input for which the derivative is off: the direction is halved until few are left."""
    places = np.arange(direction.size)
    data = line.inputs[name].reshape(-1)
    while len(places) > 1:
        halves = np.array_split(places, 2)
        for half in halves:
            part = np.zeros(direction.shape)
            part.reshape(-1)[half] = direction.reshape(-1)[half]
            if line.compare(name, part, _size(data[half]), tol).verdict != OK:
                places = half
                break
        else:
            # It takes several entries together; a handful stands for them.
            return places[:1]
    return places


def _size(data: np.ndarray) -> float:
    return float(np.median(np.abs(data)))


def _sortable(error: float) -> float:
    return error if error == error else np.inf
