"""Which operation of a graph has a derivative that differs from its differences, and which sits on a kink."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from gradcli.autodiff.differences import random_direction
from gradcli.autodiff.vjp import gradients_of
from gradcli.check.slopes import KINK, UNDEFINED, WRONG, Slope, Tolerance, compare
from gradcli.engine.execute.bounds import check_free
from gradcli.engine.execute.run import execute, op_by_op
from gradcli.errors import GradcliError, Span, located
from gradcli.evaluation.request import Request
from gradcli.graph.half_precision import pull, rounds, unrounded, widened
from gradcli.graph.infer import cast, sum_to
from gradcli.graph.node import RESULT, Node, SeveralResults, constant, input_node, make, toposort

# So many are named; the others mostly follow from them.
_MOST = 5


class Suspect(NamedTuple):
    """An operation that was checked on its own."""

    op: str
    operand: int
    slope: Slope
    span: Span | None


def suspects(outputs: Sequence[Node], known: Mapping[Node, np.ndarray], tol: Tolerance, seed: int) -> list[Suspect]:
    """The operations below `outputs` whose derivative is wrong, or not smooth, at the values that the graph has.

    `known` has the values of leaves. Each operation is moved along one random direction for each tracked operand.
    """
    steps = [node for node in toposort(outputs) if node.requires_grad and node.op is not RESULT]
    order = [node for node in steps if node.op.vjp is not None and node.inputs]
    needed = list(dict.fromkeys([child for node in order for child in (node, *node.inputs)]))
    for leaf, array in known.items():
        leaf.params["data"] = array
    values = dict(zip(needed, op_by_op(needed), strict=True))
    rng = np.random.default_rng(seed)
    found = [suspect for node in order for suspect in _check(node, values, tol, rng)]
    for verdict in (WRONG, UNDEFINED, KINK):
        some = [suspect for suspect in found if suspect.slope.verdict == verdict]
        if some:
            # One for each place in the source, and for each operation that has none.
            unique = {(s.op, s.span): s for s in reversed(some)}
            return list(reversed(unique.values()))[:_MOST]
    return []


def _check(node: Node, values: Mapping[Node, np.ndarray], tol: Tolerance, rng: np.random.Generator) -> list[Suspect]:
    arrays, found = [values[child] for child in node.inputs], _floating(node, values[node])
    if rounds(node):
        # Differences of rounded results would say nothing.
        node = unrounded(node, tuple([widened(child) for child in node.inputs]))
        arrays = [array.astype(child.dtype) for array, child in zip(arrays, node.inputs, strict=True)]
    kernel, params = node.op.kernel, node.params
    assert kernel is not None
    if not all(np.isfinite(value).all() for value in found) and all(np.isfinite(array).all() for array in arrays):
        return [Suspect(node.op.name, 0, Slope(math.nan, math.nan, UNDEFINED), node.span)]
    leaves = tuple([_leaf(child, array) for child, array in zip(node.inputs, arrays, strict=True)])
    weights = [rng.uniform(0.5, 1.5, value.shape).astype(node.dtype) for value in found]
    pulled = pull(make(node.op, leaves, params), _seeds(node, weights))
    suspected = []
    for k, (child, gradient) in enumerate(zip(leaves, pulled, strict=True)):
        if not child.requires_grad or not child.size:
            continue
        direction = random_direction(rng, child.shape).astype(child.dtype)
        claimed = 0.0
        if gradient is not None:
            (array,) = execute([cast(sum_to(gradient, child.shape), child.dtype)])
            claimed = float(np.sum(array.astype(np.float64) * direction))

        def moved(t: float, k: int = k, direction: np.ndarray = direction) -> Sequence[np.ndarray]:
            operands = [a + a.dtype.type(t) * direction if j == k else a for j, a in enumerate(arrays)]
            with np.errstate(all="ignore"):
                return [value.astype(np.float64) for value in _floating(node, kernel(*operands, **params))]

        size = float(np.abs(arrays[k]).max())
        size = size if np.isfinite(size) else 1.0
        try:
            slope = compare(moved, [w.astype(np.float64) for w in weights], claimed, size, tol)
        except GradcliError:
            # Beside the point the operation may not be defined, such as the Cholesky factor.
            continue
        if slope.verdict in (WRONG, KINK):
            suspected.append(Suspect(node.op.name, k, slope, node.span))
    return suspected


def _floating(node: Node, result: Any) -> list[np.ndarray]:
    """The floating-point ones of what an operation gives."""
    return [x for x in map(np.asarray, result if node.op.results else (result,)) if x.dtype.kind == "f"]


def _seeds(node: Node, weights: Sequence[np.ndarray]) -> Any:
    """Weights as gradients: of the result, or of those of several that have any."""
    if not isinstance(node, SeveralResults):
        return constant(weights[0])
    rest = iter(weights)
    return node.op.named(constant(next(rest)) if dtype.kind == "f" else None for _, dtype in node.forms)


def _leaf(child: Node, array: Any) -> Node:
    """An operand that stands alone; numbers and constants stay what they are."""
    return input_node(array, requires_grad=True) if child.requires_grad else child if child.weak else constant(array)


# Where NaN and infinities come from -----------------------------------------------------------------------------------


class FirstNonFinite(NamedTuple):
    """What is not finite first, as words, and its place in the source."""

    what: str
    span: Span | None

    def told(self, source: str) -> str:
        """On one line."""
        if self.span is None:
            return self.what
        text = source[slice(*self.span)]
        # Of an operator between two operands, the place is more telling than its sign.
        shown = len(text) > 2 and text.isprintable()
        if shown:
            return f"{self.what}: {text}"
        file, _, place = located(source, self.span)
        return f"{self.what}, at character {place[0] + 1}{f' of {file}' if file else ''}"


def origin(
    request: Request, arrays: Mapping[str, np.ndarray], given: Mapping[str, np.ndarray]
) -> FirstNonFinite | None:
    """Where what is not finite comes from; None where the value and its gradients are finite.

    `arrays` are the inputs in the dtypes of the request, `given` before they were rounded to these.
    """
    for name, leaf in request.leaves.items():
        leaf.params["data"] = arrays[name]
    value = request.roots[0]
    if not value.is_floating:
        return None
    gradients = gradients_of(value, [request.leaves[name] for name in request.names])
    if all(map(_is_finite, execute([value, *gradients.values()]))):
        return None
    for name, array in arrays.items():
        if not _is_finite(array):
            where = f" in {array.dtype}" if _is_finite(given[name]) else ""
            return FirstNonFinite(f"the input {name} holds {_which(array)}{where}", None)
    return _of_value(value) or _of_gradients(value)


def _of_value(value: Node) -> FirstNonFinite | None:
    """The first operation that makes something infinite of what is finite."""
    order = [node for node in toposort([value]) if not node.op.results]
    arrays = _computed(order)
    for node in order:
        operands = [arrays[child] for child in node.inputs if child in arrays]
        if node.inputs and not _is_finite(arrays[node]) and all(map(_is_finite, operands)):
            return FirstNonFinite(f"{_name(node)} gives {_which(arrays[node])} in {node.dtype}", node.span)
    return None


def _of_gradients(value: Node) -> FirstNonFinite | None:
    """The last operation whose result has a finite gradient, and an operand that has none."""
    order = [node for node in toposort([value]) if node.requires_grad and not node.op.results]
    found = gradients_of(value, order)
    arrays = _computed(list(found.values()))
    for node in reversed(order):
        if node not in found or not _is_finite(arrays[found[node]]):
            continue
        for child in node.inputs:
            if child in found and not _is_finite(arrays[found[child]]):
                which = _which(arrays[found[child]])
                return FirstNonFinite(f"the derivative of {_name(node)} gives {which} in {node.dtype}", node.span)
    return None


def _computed(nodes: list[Node]) -> dict[Node, Any]:
    """The arrays of nodes, all held at once."""
    check_free(sum(node.nbytes for node in nodes), "finding where NaN and infinities come from")
    return dict(zip(nodes, op_by_op(nodes), strict=True))


def _name(node: Node) -> str:
    return (node.inputs[0] if node.op is RESULT else node).op.name


def _is_finite(array: Any) -> bool:
    return array.dtype.kind != "f" or bool(np.isfinite(array).all())


def _which(array: np.ndarray) -> str:
    return "NaN" if np.isnan(array).any() else "an infinity"
