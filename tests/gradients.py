"""The gradient checker: gradients against central differences, to any order, entry by entry."""

from __future__ import annotations

import numpy as np

from gradcli.autodiff.vjp import vjp
from gradcli.engine.execute.run import execute
from gradcli.evaluation.interpret import Interpreter
from gradcli.graph.node import Node, constant, input_node
from gradcli.language.parse import parse

STEP = 1e-5


def build(expression: str, arrays: dict[str, np.ndarray]) -> tuple[Node, dict[str, Node]]:
    """The graph of an expression over tracked inputs."""
    leaves = {n: input_node(a, requires_grad=a.dtype.kind == "f", name=n) for n, a in arrays.items()}
    return Interpreter(expression, leaves).run(parse(expression)), leaves


def weighted(node: Node, seed: int) -> Node:
    """A scalar that every element of `node` contributes to with a weight of its own."""
    weights = np.random.default_rng(seed).uniform(0.5, 1.5, node.shape)
    from gradcli.graph.op import OPS

    return OPS["sum"](node * constant(weights))


def errors(expression: str, arrays: dict[str, np.ndarray], order: int) -> list[str]:
    """What is wrong with the derivative of the given order; empty when it agrees with central differences."""

    total, leaves = build(expression, arrays)
    total = weighted(total, 1)
    for level in range(order - 1):
        total = _next_order(total, leaves, level)
    tracked = [n for n, leaf in leaves.items() if leaf.requires_grad]
    found = vjp([total], [constant(np.ones(()))], [leaves[n] for n in tracked]) if total.requires_grad else {}
    problems = []
    for name in tracked:
        gradient = found.get(leaves[name])
        got = np.zeros(arrays[name].shape) if gradient is None else execute([gradient])[0]
        expected = _differences(total, leaves[name])
        if got.shape != expected.shape:
            problems.append(f"d/d{name}: shape {got.shape} instead of {expected.shape}")
        elif not np.allclose(got, expected, rtol=2e-5, atol=1e-6 * max(1.0, np.abs(expected).max(initial=0.0))):
            problems.append(f"d/d{name}: {got.tolist()} instead of {expected.tolist()}")
    return problems


def _next_order(total: Node, leaves: dict[str, Node], level: int) -> Node:
    tracked = [leaf for leaf in leaves.values() if leaf.requires_grad]
    found = vjp([total], [constant(np.ones(()))], tracked) if total.requires_grad else {}
    result: Node = constant(np.zeros(()))
    for k, leaf in enumerate(tracked):
        if leaf in found:
            result = result + weighted(found[leaf], 10 * (level + 1) + k)
    return result


def _differences(total: Node, leaf: Node) -> np.ndarray:
    """Of a scalar, by an input, whose data is moved: what the graph is made of does not depend on it."""
    array = leaf.params["data"]
    result = np.zeros(array.shape)
    for place in np.ndindex(*array.shape):
        ends = []
        for sign in (1, -1):
            moved = array.copy()
            moved[place] += sign * STEP
            leaf.params["data"] = moved
            ends.append(float(execute([total])[0]))
        result[place] = (ends[0] - ends[1]) / (2 * STEP)
    leaf.params["data"] = array
    return result
