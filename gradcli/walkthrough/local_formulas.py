"""The formula of a local derivative, which is told only where the numbers agree with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gradcli.engine.execute.run import execute
from gradcli.errors import GradcliError
from gradcli.evaluation.interpret import Interpreter
from gradcli.formula.one_operation import LocalDerivative, local_derivative
from gradcli.formula.write.forms import text
from gradcli.graph.dtypes import FLOAT64
from gradcli.graph.node import CONSTANT, INPUT, Node, input_node, make, toposort
from gradcli.language.parse import parse

# Elements that a formula is compared on.
_MOST_COMPARED = 10_000
# How far it may be from the numbers, in units of the last place of their type.
_ROUNDINGS = 2**12

_ELSEWHERE = "no formula holds at these numbers"


def formula_of(
    results: Sequence[Node], names: Sequence[str], arriving: Sequence[Node], x: Node, leaves: Sequence[Node], part: Any
) -> tuple[LocalDerivative | None, str]:
    """The formula of the derivative of a step by its operand `x`, or None and why there is none.

    `names` are those of the gradients that arrive, `arriving` the leaves with their numbers, and `part` what the
    operand is given.
    """
    known = {leaf.params["name"]: leaf for leaf in leaves}
    general = _with_other_lengths(results, leaves)
    if general is not None:
        others, root = general
        try:
            found = local_derivative([root], names, others[leaves.index(x)], dict(zip(known, others, strict=True)))
            if _agrees(found, dict(zip(names, arriving, strict=True)), leaves, part):
                return found, ""
        except GradcliError:
            pass
    why = ""
    for whole in (False, True):
        try:
            found = local_derivative(results, names, x, known, whole)
        except GradcliError as error:
            return None, error.message
        many = sum(leaf.size for leaf in (*leaves, *results)) > _MOST_COMPARED
        if many or _agrees(found, dict(zip(names, arriving, strict=True)), leaves, part):
            return found, ""
        why = _ELSEWHERE
    return None, why


def _with_other_lengths(results: Sequence[Node], leaves: Sequence[Node]) -> tuple[list[Node], Node] | None:
    """The leaves of a product with lengths of 1 made longer, and the product of these; None where that is none.

    A matrix of one row is still a matrix to whoever reads the formula, and no vector to be squeezed.
    """
    lengths = {length for leaf in leaves for length in leaf.shape}
    steps = [node for node in toposort(results) if node not in leaves]
    products = [node.op.family == "contraction" for node in steps]
    if 1 not in lengths or len(results) > 1 or not any(products) or sum(leaf.size for leaf in leaves) > _MOST_COMPARED:
        return None
    other = max(lengths) + 1
    copies: dict[Node, Node] = {}
    for leaf in leaves:
        shape = tuple([other if length == 1 else length for length in leaf.shape])
        copies[leaf] = Node(INPUT, (), leaf.params, shape, leaf.dtype, leaf.requires_grad)
    try:
        for node, product in zip(steps, products, strict=True):
            if node.op is not CONSTANT and not product and node.op.family != "elementwise" and not node.op.same:
                return None
            inputs = tuple([copies[child] for child in node.inputs])
            copies[node] = make(node.op, inputs, node.params) if inputs else node
    except GradcliError:
        return None
    return [copies[leaf] for leaf in leaves], copies[results[0]]


def _agrees(found: LocalDerivative, arriving: dict[str, Node], leaves: Sequence[Node], part: Any) -> bool:
    """Whether a formula gives these numbers."""
    given = {leaf.params["name"]: leaf for leaf in leaves} | arriving
    wide = {name: input_node(_widened(leaf.params["data"])) for name, leaf in given.items()}
    shown = text(found.formula)
    try:
        (array,) = execute([Interpreter(shown, wide).run(parse(shown), FLOAT64)])
    except GradcliError:
        return False
    with np.errstate(all="ignore"):
        if not found.product:
            (seed,) = arriving.values()
            array = array * _widened(seed.params["data"])
        actual = _widened(part)
        close = _ROUNDINGS * float(np.finfo(part.dtype).eps)
        # Where all of it cancels, what is left are the roundings of what arrives.
        sides = [actual, *(_widened(seed.params["data"]) for seed in arriving.values())]
        scale = max(np.abs(side[np.isfinite(side)]).max(initial=0.0) for side in sides)
        array = np.broadcast_to(array, actual.shape) if array.ndim <= actual.ndim else array
        off = np.abs(array - actual) <= close * scale
    return bool(np.all(off | (array == actual) | (np.isnan(array) & np.isnan(actual))))


def _widened(array: Any) -> Any:
    return array.astype(np.float64) if array.dtype.kind == "f" else np.asarray(array)
