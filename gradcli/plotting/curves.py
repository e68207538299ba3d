"""An expression and its derivatives as functions of one number, at the points of an input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from gradcli.autodiff.vjp import gradients_of
from gradcli.errors import GradcliError, written_in
from gradcli.evaluation.compiled import Compiled
from gradcli.evaluation.interpret import Interpreter
from gradcli.evaluation.measuring import at_hand
from gradcli.evaluation.request import Request, check_wanted, leaf_of
from gradcli.evaluation.values import InputSpec
from gradcli.graph.dtypes import BOOL, FLOAT64
from gradcli.graph.node import Node, constant, toposort
from gradcli.language.instructions import Script
from gradcli.language.parse import refuse_unused
from gradcli.ops.index import getitem

#: Points that are computed one by one, where an expression makes a tensor of each of them.
MOST_ONE_BY_ONE = 20_000
#: So many curves are drawn in one frame.
MOST_CURVES = 10
# Numbers closer than this cannot be told apart in a plot.
_NARROWEST = 1e-300

# Families whose operations only arrange numbers; what all others do to one number is not what is done to many.
_ARRANGING = ("elementwise", "shape", "index", "diagonal", "create", "leaf")


class Curve(NamedTuple):
    """One line of a plot: what it shows, and its height at each point, computed in `dtype`.

    Of a family, `y` has a row for each of its members. `marks` are points beside the line, in rows for their places,
    heights and, where these are known, their uncertainties; `band` has the heights below and above the line between
    which it may as well lie. Of `logarithms`, -inf stands for a 0.
    """

    title: str
    y: np.ndarray
    dtype: np.dtype = FLOAT64
    marks: np.ndarray | None = None
    band: np.ndarray | None = None
    logarithms: bool = False

    def heights(self) -> np.ndarray:
        """What has to be seen. Where there are marks, their lowest and highest, and those of the line and its band."""
        if self.marks is None:
            return self.y
        _, heights, *bars = self.marks
        ends = [end for bar in bars for end in (heights - bar, heights + bar)]
        parts = [self.y, heights, *ends, *(() if self.band is None else self.band)]
        known = np.concatenate([part[np.isfinite(part)] for part in parts])
        return np.array([known.min(), known.max()]) if known.size else known


class Curves(NamedTuple):
    """The points along `name`, in ascending order, and the lines over them; `note` says what is missing.

    `members` are the names of the curves of a family.
    """

    name: str
    x: np.ndarray
    curves: list[Curve]
    note: str | None
    dtype: np.dtype = FLOAT64
    members: tuple[str, ...] = ()


def curves(script: Script, inputs: Mapping[str, Any], wrt: str | None = None, derivatives: int = 1) -> Curves:
    """The expression at every point of one input, and its first `derivatives` derivatives.

    The input that `wrt` names, or else the only one with more than one element, holds the points; in the expression
    it stands for one of them at a time. A vector at each point is a family of curves. GradcliError when the expression
    takes the points together, or gives more than a few numbers for each.
    """
    name = points_of(inputs, wrt)
    x = np.asarray(inputs[name]).reshape(-1)
    x = x[order_of(name, x)]
    with written_in(script.source):
        one = _graph(script, inputs, name, ())
        members = _members(one, inputs)
        points = np.repeat(x[:, None], len(members), 1) if members else x
        together = None if one.mixed else _graph(script, inputs, name, points.shape)
        held = {other: np.asarray(array) for other, array in inputs.items() if other != name}
        if together is None or together.mixed or not _alike(one.value, together.value):
            if x.size > MOST_ONE_BY_ONE:
                hint = f"at most {MOST_ONE_BY_ONE:,} points"
                raise GradcliError(f"{x.size:,} points are too many to be computed one by one", hint=hint)
            arrays = _one_by_one(_compiled(one, derivatives, held, len(members)), name, x)
            if members:
                arrays = list(np.reshape(arrays, (len(members), -1, x.size)).swapaxes(0, 1))
        else:
            found = _compiled(together, derivatives, held).run({name: points})
            arrays = [np.broadcast_to(np.asarray(array), points.shape).T for array in found]
    return drawn(name, x, arrays, derivatives)._replace(members=members)


def drawn(name: str, x: np.ndarray, arrays: Sequence[Any], derivatives: int) -> Curves:
    """The curves through points in ascending order: a value and such derivatives as there are."""
    # A rule may give a number where the function has none, as 1/x for log(x) of a negative x.
    heights = [np.where(np.isnan(arrays[0]), np.nan, np.asarray(y, np.float64)) for y in arrays]
    dtypes = [np.asarray(y).dtype for y in arrays]
    titles = ["value", f"d/d{name}", *(f"d{k}/d{name}{k}" for k in range(2, len(arrays)))]
    lines = [Curve(titles[k], y, dtypes[k]) for k, y in enumerate(heights)]
    note = None
    if len(lines) <= derivatives:
        floating = x.dtype.kind == "f"
        why = f"the value is not differentiable with respect to {name}" if floating else f"{name} is {x.dtype}"
        note = f"{why}, so there is no derivative to plot"
    if not np.isfinite(heights[0]).any():
        note = "the value is not finite at any of the points"
    return Curves(name, np.asarray(x, np.float64), lines, note, x.dtype)


def points_of(inputs: Mapping[str, Any], wrt: str | None) -> str:
    """The name of the input that holds the points."""
    if wrt is not None:
        check_wanted(wrt, list(inputs), "plot against")
        return wrt
    several = [name for name, array in inputs.items() if array.size != 1]
    if not several:
        raise GradcliError("no input holds points to plot against", hint="for example, x=-3:3")
    if len(several) > 1:
        raise too_many(several, f"--wrt {several[0]} plots against {several[0]}, and takes the others as they are")
    return several[0]


def too_many(names: list[str], hint: str) -> GradcliError:
    """The error for several inputs that could hold the points."""
    what = f"a plot is against one input, and {' and '.join(names[:3])} have more than one element each"
    return GradcliError(what, hint=hint)


def order_of(name: str, x: np.ndarray) -> np.ndarray:
    """Where the points lie that can be drawn, in ascending order; GradcliError when they are no range."""
    order = np.argsort(x, kind="stable")
    order = order[np.isfinite(x[order])] if x.dtype.kind == "f" else order
    # Thirds: the difference of the ends may be infinite.
    if x.dtype == BOOL or len(order) < 2 or float(x[order[-1]]) / 3 - float(x[order[0]]) / 3 < _NARROWEST:
        raise GradcliError(f"{name} holds no range of points", hint=f"for example, {name}=linspace(-3,3,400)")
    return order


class _AtPoints(NamedTuple):
    """The value for points `x` of a shape; `mixed` says whether operations see other shapes than that one."""

    source: str
    leaves: dict[str, Node]
    x: Node
    value: Node
    mixed: bool


def _graph(script: Script, inputs: Mapping[str, Any], name: str, shape: tuple[int, ...]) -> _AtPoints:
    leaves = {}
    for other, array in inputs.items():
        points = other == name
        form = InputSpec(other, shape if points else array.shape, array.dtype)
        leaves[other] = leaf_of(form, points and array.dtype.kind == "f")
    interpreter = Interpreter(script.source, leaves)
    fixed = {other: array for other, array in inputs.items() if other != name}
    with at_hand(script.source, fixed, "{}, which is another at every point"):
        value = interpreter.run(script)
    refuse_unused(leaves, interpreter.used, script)
    return _AtPoints(script.source, leaves, leaves[name], value, _check(value, leaves[name], shape))


def _members(graph: _AtPoints, inputs: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of the curves of a family: by the elements of an input that they are made from, or by their place."""
    if graph.value.size == 1:
        return ()
    vectors = [leaf for leaf in graph.leaves.values() if leaf is not graph.x and leaf.shape == graph.value.shape]
    if len(vectors) == 1 and not _check(graph.value, vectors[0], graph.value.shape):
        name = vectors[0].params["name"]
        return tuple([f"{name}={float(number):.6g}" for number in np.asarray(inputs[name])])
    return tuple([f"[{k}]" for k in range(graph.value.size)])


def _alike(one: Node, other: Node) -> bool:
    """Whether two graphs have the same steps: a number that is made of the shape of the points differs between both."""
    first, second = toposort([one]), toposort([other])
    return len(first) == len(second) and all(map(_same_step, first, second))


def _same_step(one: Node, other: Node) -> bool:
    if one.op is not other.op or one.params.keys() != other.params.keys():
        return False
    return all(_same(value, other.params[key]) for key, value in one.params.items())


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray):
        # The same number for every point.
        return bool(np.array_equal(np.broadcast_to(one, other.shape) if not one.shape else one, other, equal_nan=True))
    return bool(one == other)


def _compiled(graph: _AtPoints, derivatives: int, held: Mapping[str, Any], members: int = 0) -> Compiled:
    """Value and derivatives, one after the other for each member of a family, with the other inputs in place."""
    values: list[Node] = [getitem(graph.value, k) for k in range(members)] if members else [graph.value]
    found = [derivatives_of(value, graph.x, derivatives) for value in values]
    if any(found):
        zero = constant(np.zeros(graph.x.shape, graph.x.dtype))
        found = [some or [zero] * derivatives for some in found]
    roots = [root for value, some in zip(values, found, strict=True) for root in (value, *some)]
    compiled = Compiled(Request(graph.source, graph.leaves, None, roots, [graph.x.params["name"]], [], None))
    compiled.hold(dict(held))
    return compiled


def all_together(value: Node, x: Node) -> None:
    """Refuse a value that is not made from the points `x` element by element."""
    if value.shape == x.shape and not _check(value, x, x.shape):
        return
    hint = "`gradcli plot` also takes other expressions, one point at a time"
    raise GradcliError(f"the value is not made from {x.params['name']} element by element", hint=hint)


def derivatives_of(value: Node, x: Node, count: int) -> list[Node]:
    """The derivatives of a value by `x`, none if it has not even the first."""
    found: list[Node] = []
    last = value
    while len(found) < count:
        gradients = gradients_of(last, [x])
        if x not in gradients and not found:
            break
        # A derivative in which x no longer appears is constant.
        last = gradients[x] if x in gradients else constant(np.zeros(x.shape, x.dtype))
        found.append(last)
    return found


def _check(value: Node, x: Node, shape: tuple[int, ...]) -> bool:
    """Refuse a value that is no function of one number; say whether it takes more than elementwise operations."""
    depends = {x}
    mixed = False
    for node in toposort([value]):
        if not any(child in depends for child in node.inputs):
            continue
        depends.add(node)
        # Of a family the points may meet its members.
        if (node.shape != shape and (shape or node.shape != value.shape)) or node.op.family != "elementwise":
            mixed = True
        if not shape and node.op.family not in _ARRANGING and all(not child.shape for child in node.inputs):
            what = f"{node.op.plain_name} takes numbers together, and {x.params['name']} stands for one at a time"
            hint = "a plot is of a function of one number, applied to every point"
            raise GradcliError(what, span=node.span, hint=hint)
    if not shape and value.size != 1 and (value.ndim != 1 or not value.size or value.size > MOST_CURVES):
        hint = (
            f"choose one of its elements, or reduce it; up to {MOST_CURVES} numbers in a vector are a family of curves"
        )
        raise GradcliError(f"the value at each point has shape {value.shape}, not a single number", hint=hint)
    return mixed or value not in depends


def _one_by_one(compiled: Compiled, name: str, x: np.ndarray) -> list[np.ndarray]:
    """The roots at each point in turn."""
    results = [np.empty(x.size, root.dtype) for root in compiled.request.roots]
    for k in range(x.size):
        for result, array in zip(results, compiled.run({name: x[k : k + 1].reshape(())}), strict=True):
            result[k] = np.asarray(array).reshape(())
    return results
