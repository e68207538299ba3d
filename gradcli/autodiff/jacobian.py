"""From graphs to the graphs of their Jacobians, and of products of Jacobians and Hessians with vectors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from gradcli.autodiff.vjp import gradients_of, vjp
from gradcli.errors import GradcliError
from gradcli.graph.infer import cast
from gradcli.graph.node import INPUT, Batched, Node, make, toposort
from gradcli.graph.op import Shape
from gradcli.ops import create
from gradcli.ops.batching import dense, unit_vectors
from gradcli.ops.lifting import batch
from gradcli.ops.shape import permuted

# What calling a kernel costs, in elements.
_CALL = 2000


def jacobians(output: Node, inputs: Sequence[Node]) -> list[Node | None]:
    """For each input the Jacobian of `output`, of shape `output.shape + input.shape`; None where there is none.

    One vector-Jacobian product is built, and all unit vectors are pushed through it at once; where the inputs have
    fewer elements than the output and it costs less, all unit vectors of the inputs are pushed forward instead.
    """
    if not output.requires_grad:
        return [None for _ in inputs]
    backward = _backward(output, inputs)
    if output.size <= sum(x.size for x in inputs):
        return backward
    forward = _forward(output, inputs)
    return forward if _cost(forward) < _cost(backward) else backward


def check_derivable(value: Node) -> None:
    """Refuse a value that has no derivatives of any kind."""
    if not value.is_floating:
        raise GradcliError(f"the value is {value.dtype} and has no derivatives")


def named_jacobians(output: Node, inputs: Mapping[str, Node]) -> dict[str, Node]:
    """The Jacobian for each input by its name, as in `x.jacobian`; zeros where the output does not depend on it."""
    found = zip(inputs.items(), jacobians(output, list(inputs.values())), strict=True)
    return {
        f"{name}.jacobian": filled((*output.shape, *x.shape), x.dtype) if block is None else block
        for (name, x), block in found
    }


def _backward(output: Node, inputs: Sequence[Node]) -> list[Node | None]:
    seed = placeholder(output)
    found = vjp([output], [seed], inputs)
    batches = batch(found.values(), {seed: unit_vectors(output.shape, filled(output.shape, output.dtype, 1))})
    return [_whole(found.get(x), batches, output.shape) for x in inputs]


def _forward(output: Node, inputs: Sequence[Node]) -> list[Node | None]:
    """By the vector-Jacobian product's own: it is linear in its vector, and its derivative there is the product with
    the Jacobian from the other side."""
    vector = tracked_ones(output)
    pulled = vjp([output], [vector], inputs)
    results: list[Node | None] = []
    for x in inputs:
        gradient = pulled.get(x)
        if gradient is None or not gradient.requires_grad:
            results.append(None)
            continue
        seed = placeholder(x)
        pushed = vjp([gradient], [seed], [vector]).get(vector)
        batches = {} if pushed is None else batch([pushed], {seed: unit_vectors(x.shape, filled(x.shape, x.dtype, 1))})
        whole = _whole(pushed, batches, x.shape)
        order = (*range(x.ndim, x.ndim + output.ndim), *range(x.ndim))
        results.append(None if whole is None else cast(permuted(whole, order), x.dtype))
    return results


def hessians(output: Node, inputs: Sequence[Node]) -> list[list[Node | None]]:
    """The blocks of the Hessian of a scalar, of shape `inputs[i].shape + inputs[j].shape`; None where there is none.

    Blocks below the diagonal are those above it with their dimensions exchanged.
    """
    found = gradients_of(output, inputs)
    blocks: list[list[Node | None]] = [[None] * len(inputs) for _ in inputs]
    for i, x in enumerate(inputs):
        gradient = found.get(x)
        if gradient is None:
            continue
        for j, block in enumerate(jacobians(gradient, inputs[i:]), i):
            blocks[i][j] = block
            if block is not None and j > i:
                blocks[j][i] = permuted(block, (*range(x.ndim, block.ndim), *range(x.ndim)))
    return blocks


def placeholder(like: Node) -> Node:
    """A leaf that stands for a vector until one is put in its place."""
    return Node(INPUT, (), {"data": None, "name": None}, like.shape, like.dtype, False)


def tracked_ones(like: Node) -> Node:
    """The vector at which a vector-Jacobian product is differentiated.

    Which one does not matter, but a rule may look at it: 0*log(0), for one, is taken for 0. What is left of it in a
    result is a constant, for no data will be given for it.
    """
    ones = filled(like.shape, like.dtype, 1)
    return Node(ones.op, (), ones.params, ones.shape, ones.dtype, True)


def _whole(node: Node | None, batches: dict[Node, Batched], seed: Shape) -> Node | None:
    """What a vector-Jacobian product became for all unit vectors; None where it does not depend on the vector."""
    return dense(batches[node], seed) if node is not None and node in batches else None


def _cost(roots: Iterable[Node | None]) -> float:
    """A rough measure of what computing graphs takes."""
    order = toposort([root for root in roots if root is not None])
    return sum(_CALL + node.size * node.cost for node in order if not node.op.blocking.view)


def filled(shape: Shape, dtype: Any, value: int = 0) -> Node:
    return make(create.filled, (), {"shape": shape, "value": value, "dtype": dtype})


def pushed(outputs: Sequence[Node], inputs: Sequence[Node], vectors: Sequence[Node]) -> list[Node | None]:
    """The product of the Jacobian with vectors, for each output: None where it depends on no input.

    A vector-Jacobian product is linear in its vector; its own product, taken there, comes from the other side.
    """
    weights = [tracked_ones(y) for y in outputs]
    return _along(vjp(outputs, weights, inputs), inputs, vectors, weights)


def curvature(output: Node, inputs: Sequence[Node], vectors: Sequence[Node]) -> list[Node | None]:
    """The product of the Hessian of a scalar with vectors, a part for each input; None where there is none."""
    first = vjp([output], [filled(output.shape, output.dtype, 1)], inputs)
    return _along(first, inputs, vectors, inputs)


def _along(
    gradients: dict[Node, Node], inputs: Sequence[Node], vectors: Sequence[Node], wrt: Sequence[Node]
) -> list[Node | None]:
    """The derivatives, by each of `wrt`, of the gradients of inputs along vectors."""
    pairs = [(gradients[x], v) for x, v in zip(inputs, vectors, strict=True) if x in gradients]
    found = vjp([g for g, _ in pairs], [v for _, v in pairs], wrt)
    return [found.get(x) for x in wrt]
