"""A formula is given out only when its numbers agree with those of the gradient, for lengths and data of its own."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from gradcli.autodiff.differences import random_direction
from gradcli.autodiff.vjp import vjp
from gradcli.engine.execute.run import execute
from gradcli.errors import GradcliError
from gradcli.evaluation.interpret import Interpreter
from gradcli.formula import probes
from gradcli.formula.algebra.factors import too_long
from gradcli.formula.lengths import Lengths, Wanted
from gradcli.formula.probes import Data, give
from gradcli.formula.write.forms import Form, Named, code_of, in_order, text
from gradcli.graph.dtypes import FLOAT64
from gradcli.graph.node import Node, input_node, toposort
from gradcli.graph.op import OPS
from gradcli.language.instructions import Script
from gradcli.language.kinds import NUMBER
from gradcli.language.parse import parse
from gradcli.language.unparse import written
from gradcli.machine.limits import TIME_LIMIT, having
from gradcli.ops.elementwise import to
from gradcli.ops.linalg import inv, solve

_CLOSE = 1e-7
# So many roundings may add up.
_ROUNDINGS = 16
# How far a point is moved to see whether the derivative goes on beside it, how much it may then change, and how much
# more it may be beside a kink.
_STEP, _CHANGE, _LARGE = 1e-7, 1e-4, 1e4
# How a formula compares with the gradient at a point, and what is beside the point.
_EQUAL, _OTHER, _UNDEFINED = "equal", "other", "undefined"
_STEADY, _BROKEN, _KINK = "steady", "broken", "kink"
# Where a formula breaks of which no part alone does.
_SOMEWHERE = "one of its divisors is 0"
# More parts of a formula than this are not searched for the place where it breaks.
_MOST_FORMS = 300
# Nor are those that are written with more steps.
_LONGEST = 100
# Nobody reads a formula of more steps, and to compare it would take minutes.
_MOST_STEPS = 3000
# Elements of a value that is differentiated to compare: more take gigabytes, and seconds to be written.
_MOST_ELEMENTS = 1 << 24


class Verdict(NamedTuple):
    """What came out: on how much data a formula was compared, and whether it was ever wrong.

    `undefined` tells where it has no number although the gradient has one, `smooth` whether the derivative goes on
    there and `breaks` at how many points it was so. At a kink, where any value between those beside is right, a formula
    may choose another (`other_choice`). `not_for` are lengths, 1 or 0, for which the derivative has another form.
    """

    compared: int
    wrong: bool
    undefined: tuple[str, ...]
    smooth: bool
    other_choice: bool
    not_for: tuple[int, ...] = ()
    breaks: int = 0

    def better_than(self, other: Verdict) -> bool:
        """Whether a formula is worth its greater length."""
        if self.wrong or other.wrong:
            return not self.wrong
        return self.breaks < other.breaks or other.smooth > self.smooth


def verify(script: Script, lengths: Lengths, formula: Named, wanted: Wanted) -> Verdict:
    """Compare a formula with the gradient, at random points and at those where formulas tend to break."""
    shown = parse(text(formula))
    if sum(len(statement.code) for statement in shown.statements) > _MOST_STEPS:
        raise too_long()
    comparison = _Comparison(script, shown, wanted)
    compared, breaks, smooth, other_choice = 0, 0, False, False
    undefined: dict[str, None] = {}
    for data, is_random in _data(script, lengths, wanted):
        found = comparison.at(data).result
        beside = comparison.beside(data) if found in (_OTHER, _UNDEFINED) else None
        if found == _EQUAL:
            compared += is_random
        elif beside is None:
            continue
        elif found == _OTHER and (beside == _STEADY or is_random and beside == _KINK):
            return Verdict(compared, True, (), False, False)
        elif found == _OTHER and beside == _KINK:
            other_choice = True
        else:
            breaks += 1
            smooth |= beside != _KINK
            undefined.update(dict.fromkeys(_places(formula, data)))
    if len(undefined) > 1:
        undefined.pop(_SOMEWHERE, None)
    return Verdict(compared, False, tuple(undefined), smooth, other_choice, _not_for(comparison, lengths), breaks)


def _not_for(comparison: _Comparison, lengths: Lengths) -> tuple[int, ...]:
    """Lengths for which a formula does not hold: dimensions of 1 may vanish or be broadcast, and 0 leaves nothing."""
    found = []
    for size in probes.SMALLEST if lengths.unknown() else ():
        data = itertools.islice(probes.random(lengths, probes.sample(lengths, (size,)), size), 2)
        if any(comparison.at(one).result == _OTHER and comparison.beside(one) == _STEADY for one in data):
            found.append(size)
    return tuple(found)


def _data(script: Script, lengths: Lengths, wanted: Wanted) -> Iterator[tuple[Data, bool]]:
    """Inputs, and whether they are random."""
    for count, sizes in enumerate(probes.LENGTHS if lengths.unknown() else probes.LENGTHS[:1]):
        known = probes.sample(lengths, sizes)
        yield from ((data, True) for data in probes.random(lengths, known, count))
        yield from ((data, False) for data in probes.special(script, lengths, known, wanted.wrt))


class _GradientGraph(NamedTuple):
    """The graph of a gradient for inputs of some shapes, None where it is 0.

    `vector` is the array that stands for the vector of the request, `seed` that of the last pass; `close` says how
    closely a formula must agree.
    """

    leaves: dict[str, Node]
    value: Node
    gradient: Node | None
    vector: Any
    seed: Any
    close: float = _CLOSE

    def with_vector(self, data: Data, wanted: Wanted) -> Data:
        """The inputs of the formula."""
        return data if wanted.vector is None or self.vector is None else {**data, wanted.vector: self.vector}


class _FormulaGraph(NamedTuple):
    """The graph of a formula for inputs of some shapes."""

    leaves: dict[str, Node]
    result: Node


class _Compared(NamedTuple):
    result: str | None
    gradient: Any
    formula: Any
    close: float = _CLOSE


# Where the gradient cannot be computed.
_NOTHING = _Compared(None, np.full((), np.nan), None)


class _Comparison:
    """A formula beside the gradient that it should be. Graphs are built once for inputs of the same shapes."""

    def __init__(self, script: Script, formula: Script, wanted: Wanted) -> None:
        self.script, self.formula, self.wanted = script, formula, wanted
        self._graphs: dict[Any, tuple[_GradientGraph | None, _FormulaGraph | None]] = {}

    def at(self, data: Data) -> _Compared:
        """How they compare at a point; no result where the gradient has no finite element."""
        form = tuple([(name, array.shape, array.dtype) for name, array in data.items()])
        if form not in self._graphs:
            self._graphs[form] = self._built(data)
        graph, formula = self._graphs[form]
        try:
            if graph is None:
                return _NOTHING
            gradient = _gradient_of(graph, data, self.wanted)
        except GradcliError:
            return _NOTHING
        if gradient.size and not np.isfinite(gradient).any():
            return _Compared(None, gradient, None)
        if formula is None:
            # A formula that is refused whatever its numbers are is none.
            return _Compared(_OTHER, gradient, None, graph.close)
        found = _number_of(formula, graph.with_vector(data, self.wanted), graph.seed, self.wanted)
        if found is None:
            result = _UNDEFINED
        elif found.shape != gradient.shape or not _agrees(found, gradient, graph.close):
            result = _OTHER
        else:
            result = _UNDEFINED if np.any(~np.isfinite(found) & np.isfinite(gradient)) else _EQUAL
        return _Compared(result, gradient, found, graph.close)

    def _built(self, data: Data) -> tuple[_GradientGraph | None, _FormulaGraph | None]:
        """The graphs of the gradient and of the formula, None where one is refused."""
        try:
            graph = _gradient_graph(self.script, data, self.wanted)
        except GradcliError:
            return None, None
        try:
            return graph, _formula_graph(self.formula, graph.with_vector(data, self.wanted))
        except GradcliError:
            return graph, None

    def beside(self, data: Data) -> str | None:
        """What is beside a point where they differ.

        The gradient goes on steadily; or the formula alone does not, which breaks there; or there is a kink that both
        know. None where the gradient consists of rounding errors, at a matrix that is nearly singular, say. At the edge
        of what the function is defined for, the side within counts.
        """
        there = self.at(data)
        wrt = self.wanted.wrt
        away = random_direction(np.random.default_rng(11), data[wrt].shape)
        scale = np.abs(there.gradient[np.isfinite(there.gradient)]).max(initial=1.0)
        change = max(_CHANGE, 2 * there.close) * scale
        steps = [step * way for way in (away, np.abs(away)) for step in (_STEP, -_STEP)]
        sides = [self.at({**data, wrt: (data[wrt] + step).astype(data[wrt].dtype)}) for step in steps]
        sides = [side for side in sides if not np.isnan(side.gradient).any()] or sides[:2]
        if all(_is_steady(there.gradient, side.gradient, change) for side in sides):
            if self._is_noise(there, data):
                return None
            same = there.formula is None or there.formula.shape != there.gradient.shape
            return (
                _STEADY if same or all(_is_steady(there.formula, side.formula, change) for side in sides) else _BROKEN
            )
        known = all(side.result == _EQUAL and np.all(np.abs(side.gradient) <= _LARGE * scale) for side in sides)
        return _KINK if known else None

    def _is_noise(self, there: _Compared, data: Data) -> bool:
        """Whether the two differ by no more than the gradient does from one number to the next: by its roundings."""
        if there.result != _OTHER or there.formula is None or there.formula.shape != there.gradient.shape:
            return False
        wrt = self.wanted.wrt
        nearby = [data[wrt] + step * np.spacing(data[wrt]) for step in (-2, -1, 1, 2)]
        with np.errstate(all="ignore"):
            off = [np.abs(self.at({**data, wrt: x}).gradient - there.gradient) for x in nearby]
            differs = np.abs(there.formula - there.gradient)
            # Where it is no number, it says nothing.
            return 0 < np.fmax.reduce(differs, None, initial=0.0) <= _ROUNDINGS * np.fmax.reduce(off, None, initial=0.0)


def _is_steady(there: Any, beside: Any, change: float) -> bool:
    """Whether what is finite hardly changes."""
    if np.shape(there) != np.shape(beside):
        return False
    finite = np.isfinite(there)
    return bool(np.all(np.abs(beside[finite] - there[finite]) <= change))


def _gradient_graph(script: Script, data: Data, wanted: Wanted) -> _GradientGraph:
    leaves = {n: input_node(a, requires_grad=n == wanted.wrt) for n, a in data.items()}
    value = Interpreter(script.source, leaves).run(script)
    if value.size > _MOST_ELEMENTS:
        raise GradcliError(f"{value.size:,} elements are too many to be compared")
    x, node = leaves[wanted.wrt], value
    rng = np.random.default_rng(7)
    seed: Any = None
    told: Any = None
    for order in range(1, wanted.order + 1):
        if not node.requires_grad:
            return _GradientGraph(leaves, value, None, told, np.ones(value.shape if wanted.order == 1 else x.shape))
        random = (wanted.jacobian and order == wanted.order) or (order == 1 and wanted.vector is not None)
        seed = rng.uniform(0.5, 1.5, node.shape) if random else np.ones(node.shape)
        vector = input_node(np.asarray(seed, node.dtype))
        found = vjp([node], [vector], [x]).get(x)
        if found is None:
            return _GradientGraph(leaves, value, None, told, seed if order == wanted.order else np.ones(x.shape))
        if order == 1 and wanted.vector is not None and not (wanted.jacobian and wanted.order == 1):
            told = np.asarray(seed)
        node = found
    # The script may ask for less precision.
    rough = max(float(np.finfo(n.dtype).eps) for n in toposort([value]) if n.is_floating)
    return _GradientGraph(leaves, value, node, told, seed, max(_CLOSE, _ROUNDINGS * rough))


def _gradient_of(graph: _GradientGraph, data: Data, wanted: Wanted) -> Any:
    """The gradient at a point; GradcliError where it cannot be computed."""
    x = graph.leaves[wanted.wrt]
    if graph.gradient is None:
        return np.zeros(x.shape)
    give(graph.leaves, data)
    gradient, result = execute([graph.gradient, graph.value])
    # Where the value is undefined, or at a pole, so is its derivative, whatever the rules give.
    if not np.isfinite(result).all():
        gradient = np.full(x.shape, np.nan if np.isnan(result).any() else np.inf)
    return gradient


def _formula_graph(script: Script, data: Data) -> _FormulaGraph:
    leaves = {name: input_node(array) for name, array in data.items()}
    node: Node = to(Interpreter(script.source, leaves).run(script), FLOAT64)
    return _FormulaGraph(leaves, node)


def _number_of(formula: _FormulaGraph, data: Data, seed: Any, wanted: Wanted) -> Any:
    """The formula's numbers, for a Jacobian multiplied with the vector; None where it cannot be computed."""
    give(formula.leaves, data)
    try:
        # It may take longer than the gradient, which did not take too long.
        with having(TIME_LIMIT, None):
            (found,) = execute([formula.result])
    except GradcliError:
        return None
    if not wanted.jacobian or seed is None:
        return found
    if found.shape == seed.shape == data[wanted.wrt].shape or not seed.ndim:
        return found * seed
    with np.errstate(all="ignore"):
        return np.tensordot(seed, found, seed.ndim) if found.shape[: seed.ndim] == seed.shape else found


def _agrees(found: Any, actual: Any, close: float) -> bool:
    both = np.isfinite(found) & np.isfinite(actual)
    scale = np.abs(actual[both]).max(initial=1.0)
    return bool(np.all(np.abs(found[both] - actual[both]) <= close * scale))


# Where a formula breaks -----------------------------------------------------------------------------------------------


def _places(formula: Named, data: Data) -> Iterator[str]:
    """In words, the conditions under which parts of a formula have no number at this point."""
    told = False
    for form in _short_parts(formula.result)[:_MOST_FORMS]:
        if _is_finite(form, data) is False and all(_is_finite(part, data) is not False for part in form.parts):
            for condition in _conditions(form, data):
                told = True
                yield condition
    if not told:
        yield _SOMEWHERE


def _short_parts(root: Form) -> list[Form]:
    """The parts that a note could tell of; written out, what shares its own parts may be of any length."""
    lengths: dict[Form, int] = {}
    for form in in_order([root]):
        lengths[form] = 1 + sum(lengths[part] for part in form.parts)
    return [form for form, n in lengths.items() if n <= _LONGEST and form.op in ("binary", "call")]


def _conditions(form: Form, data: Data) -> Iterator[str]:
    if _inverts(form) and np.ndim(_array(form.parts[0], data)) >= 2:
        yield f"{_shown(form.parts[0])} is singular"
        return
    also, waiting = "", list(form.parts)
    if form.op == "binary":
        waiting = waiting[-1:] if form.arg == "/" else waiting[:1]
        if form.arg == "**" and form.parts[1].kind != NUMBER:
            also = f" and {_shown(form.parts[1])} is negative"
    while waiting:
        operand = waiting.pop()
        array = _array(operand, data)
        if array is None or array.all():
            continue
        if operand.op == "binary" and operand.arg in ("*", "**", "/"):
            waiting += operand.parts if operand.arg == "*" else operand.parts[:1]
        else:
            yield ("" if array.ndim == 0 else "an element of ") + f"{_shown(operand)} is 0{also}"


def _shown(form: Form) -> str:
    return written(code_of(form, {}))


def _array(form: Form, data: Data) -> Any:
    if form.op in ("tuple", "slice", "string"):
        return None
    try:
        return execute([_formula_graph(parse(_shown(form)), data).result])[0]
    except GradcliError:
        return None


def _is_finite(form: Form, data: Data) -> bool | None:
    """None for what is no tensor."""
    if form.op in ("tuple", "slice", "string", "list"):
        return None
    array = _array(form, data)
    if array is None:
        return False if _inverts(form) else None
    return bool(np.isfinite(array).all())


def _inverts(form: Form) -> bool:
    """Whether a part is refused where its matrix is singular: the inverse, and what is found without it."""
    return form.op == "call" and OPS.get(form.arg[0]) in (inv, solve)
