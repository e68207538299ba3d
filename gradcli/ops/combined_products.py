"""Products of matrices that are added to another tensor, their chains and powers, cross and Kronecker products."""

# Rows are laid out by hand.
# fmt: off

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from gradcli.errors import GradcliError, SizeError
from gradcli.graph.arguments import as_int, as_node, as_number, normalize_axis
from gradcli.graph.dtypes import INT64
from gradcli.graph.infer import broadcast_shapes
from gradcli.graph.native_forms import Dims
from gradcli.graph.node import Node, make
from gradcli.graph.op import WHOLE, Blocking, Op, Params, Shape
from gradcli.ops.elementwise import clone, mul, where
from gradcli.ops.family import call, composite, primitive
from gradcli.ops.linalg import WELL_CONDITIONED, inv, square
from gradcli.ops.matmul import bmm, common, matmul, mm, mv, outer
from gradcli.ops.reduce import cumprod, sum_
from gradcli.ops.shape import cat, expand, flip, m_t, permuted, reshape, roll, unsafe_view, unsqueeze, view

# Products added to a tensor -------------------------------------------------------------------------------------------


def _steps(product: Callable[[Node, Node], Node], node: Node) -> Node:
    """The same as the operations that it stands for, which can be cut into blocks."""
    x, a, b = node.inputs
    alpha, beta = node.params["alpha"], node.params["beta"]
    found = product(a, b)
    found = found if alpha == 1 else found * alpha
    # Without a share of it the tensor is not looked at, whatever it holds.
    return found if beta == 0 else (x if beta == 1 else x * beta) + found


def _factor(value: Any, name: str, dtype: np.dtype) -> float | int:
    return as_number(value, name) if dtype.kind == "f" else as_int(value, name)


def _added(
    name: str, words: tuple[str, str], ndims: tuple[int, int], shape: Callable[[Shape, Shape], Shape],
    kernel: Callable[[Any, Any], Any], product: Callable[[Node, Node], Node],
    pull: Callable[[Node, Node, Node], tuple[Callable[[], Node], Callable[[], Node]]], doc: str, example: str,
) -> Op:
    """`beta*input + alpha*product(a, b)`; `pull(g, a, b)` gives the gradients of the product."""

    def computed(x: Any, a: Any, b: Any, beta: Any, alpha: Any) -> Any:
        found = kernel(a, b)
        found = found if alpha == 1 else found * alpha
        return found if beta == 0 else x * beta + found

    def infer(inputs: tuple[Node, ...], params: Params) -> tuple[Shape, np.dtype]:
        x, a, b = inputs
        fits = (a.ndim, b.ndim) == ndims and (ndims[0] < 3 or a.shape[0] == b.shape[0])
        if not fits or (name != "addr" and a.shape[-1] != b.shape[max(b.ndim - 2, 0)]):
            raise SizeError("shapes {} and {} do not fit for the product in {}()", a.shape, b.shape, name)
        result = shape(a.shape, b.shape)
        if x.ndim > len(result) or any(m not in (1, n) for m, n in zip(x.shape[::-1], result[::-1], strict=False)):
            raise SizeError("{}() adds a product of shape {} to a tensor of shape {}", name, result, x.shape)
        return result, a.dtype

    def build(input: Any, a: Any, b: Any, beta: Any, alpha: Any) -> Node:
        x, left, right = common((input, a, b), f"{name}()")
        params = {"beta": _factor(beta, "beta", x.dtype), "alpha": _factor(alpha, "alpha", x.dtype)}
        return make(op, (x, left, right), params)

    def vjp(g: Node, out: Node, x: Node, a: Node, b: Node, beta: Any, alpha: Any) -> tuple[Node | None, ...]:
        scaled = g if alpha == 1 else g * alpha
        to_a, to_b = pull(scaled, a, b)
        to_x = g if beta == 1 else g * beta
        return to_x, to_a() if a.requires_grad else None, to_b() if b.requires_grad else None

    op: Op = primitive(
        name, computed, infer, family="contraction", args=f"input, {words[0]}, {words[1]}, *, beta: number=1, alpha=1",
        build=build, vjp=vjp, doc=doc, blocking=Blocking(WHOLE.follow, lower=lambda node: _steps(product, node)),
        example=(f"{name}(input, {', '.join(words)})", example), in_place=True,
        cost=lambda node: max(1.0, node.inputs[1].shape[-1] / 8),
    )
    return op


def _joined_rows(a: Any, b: Any) -> Any:
    """The sum of the products of a batch, as one product."""
    return np.moveaxis(a, 0, 1).reshape(a.shape[1], -1) @ b.reshape(-1, b.shape[2])


def _sum_of_products(a: Node, b: Node) -> Node:
    count, rows, inner = a.shape
    return mm(reshape(permuted(a, (1, 0, 2)), (rows, count * inner)), reshape(b, (count * inner, b.shape[2])))


addmm = _added(
    "addmm", ("mat1", "mat2"), (2, 2), lambda a, b: (a[0], b[1]), np.matmul, mm,
    lambda g, a, b: (lambda: mm(g, m_t(b)), lambda: mm(m_t(a), g)),
    "`beta*input + alpha*(mat1 @ mat2)`, of matrices.", "input:2 mat1:2 mat2:2",
)
addmv = _added(
    "addmv", ("mat", "vec"), (2, 1), lambda a, b: a[:1], np.matmul, mv,
    lambda g, a, b: (lambda: outer(g, b), lambda: mv(m_t(a), g)),
    "`beta*input + alpha*(mat @ vec)`, of a matrix and a vector.", "input:1 mat:2 vec:1",
)
addr = _added(
    "addr", ("vec1", "vec2"), (1, 1), lambda a, b: a + b, lambda a, b: a[:, None] * b, outer,
    lambda g, a, b: (lambda: mv(g, b), lambda: mv(m_t(g), a)),
    "`beta*input + alpha*outer(vec1, vec2)`.", "input:2 vec1:1 vec2:1",
)
baddbmm = _added(
    "baddbmm", ("batch1", "batch2"), (3, 3), lambda a, b: (*a[:2], b[2]), np.matmul, bmm,
    lambda g, a, b: (lambda: bmm(g, m_t(b)), lambda: bmm(m_t(a), g)),
    "`beta*input + alpha*(batch1 @ batch2)`, of batches of matrices.", "input:2x2x2 batch1:2x2x3 batch2:2x3x2",
)
addbmm = _added(
    "addbmm", ("batch1", "batch2"), (3, 3), lambda a, b: (a[1], b[2]), _joined_rows, _sum_of_products,
    lambda g, a, b: (lambda: matmul(g, m_t(b)), lambda: matmul(m_t(a), g)),
    "`beta*input + alpha*sum(batch1 @ batch2, 0)`, of batches of matrices.", "input:2x2 batch1:2x2x3 batch2:2x3x2",
)


# Cross products and products of vectors -------------------------------------------------------------------------------


def _cross_kernel(a: Any, b: Any, dim: int) -> Any:
    after, second = (1, 2, 0), (2, 0, 1)
    return a.take(after, dim) * b.take(second, dim) - a.take(second, dim) * b.take(after, dim)


def _crossed(a: Node, b: Node, dim: int) -> Node:
    return make(linalg_cross, (a, b), {"dim": dim})


def _cross_follow(node: Node, dim: int) -> Dims | None:
    # Not those that broadcast to more dimensions: the kernel takes equally many of both.
    return None if dim == node.params["dim"] else tuple([dim if x.shape[dim] != 1 else None for x in node.inputs])


def _cross_steps(node: Node) -> Node:
    (a, b), dim = node.inputs, node.params["dim"]
    return roll(a, -1, dim) * roll(b, -2, dim) - roll(a, -2, dim) * roll(b, -1, dim)


def _cross_operands(input: Any, other: Any, name: str) -> tuple[Node, Node]:
    a, b = common((input, other), f"{name}()")
    if a.ndim != b.ndim or not a.ndim:
        raise SizeError("{}() takes tensors of as many dimensions, got shapes {} and {}", name, a.shape, b.shape)
    return a, b


def _cross_along(a: Node, b: Node, dim: int, name: str) -> Node:
    if a.shape[dim] != 3 or b.shape[dim] != 3:
        raise SizeError(
            "{}() needs 3 elements along dimension {}, the tensors have shapes {} and {}", name, dim, a.shape, b.shape
        )
    return _crossed(a, b, dim)


def _linalg_cross(input: Any, other: Any, dim: Any) -> Node:
    a, b = _cross_operands(input, other, "linalg_cross")
    return _cross_along(a, b, normalize_axis(dim, a.ndim), "linalg_cross")


def _cross(input: Any, other: Any, dim: Any) -> Node:
    a, b = _cross_operands(input, other, "cross")
    if dim is not None:
        return _cross_along(a, b, normalize_axis(dim, a.ndim), "cross")
    found = next((k for k in range(a.ndim) if a.shape[k] == 3), None)
    if found is None:
        raise SizeError("cross() finds no dimension of 3 elements in shapes {} and {}", a.shape, b.shape)
    return _cross_along(a, b, found, "cross")


def _vecdot(x: Any, y: Any, dim: Any) -> Node:
    a, b = common((x, y), "vecdot()")
    if a.ndim == b.ndim == 1 and a.shape == b.shape:
        normalize_axis(dim, 1)
        return call("vdot", a, b)
    product = mul(a, b)
    if not a.ndim or not b.ndim:
        raise SizeError("vecdot() needs vectors, got shapes {} and {}", a.shape, b.shape)
    return sum_(product, normalize_axis(dim, product.ndim))


def _kron(input: Any, other: Any) -> Node:
    a, b = as_node(input), as_node(other)
    ndim = max(a.ndim, b.ndim)
    one, two = ((1,) * (ndim - x.ndim) + x.shape for x in (a, b))
    left = make(unsafe_view, (a,), {"shape": tuple(n for length in one for n in (length, 1))})
    right = make(unsafe_view, (b,), {"shape": tuple(n for length in two for n in (1, length))})
    return make(unsafe_view, (mul(left, right),), {"shape": tuple(m * n for m, n in zip(one, two, strict=True))})


linalg_cross: Op = primitive(
    "linalg_cross", _cross_kernel,
    lambda inputs, params: (broadcast_shapes([i.shape for i in inputs]), inputs[0].dtype), family="contraction",
    args="input, other, *, dim=-1", build=_linalg_cross, torch="linalg.cross",
    doc="Cross product of vectors of 3 elements along a dimension.",
    vjp=lambda g, out, a, b, dim: (_crossed(b, g, dim), _crossed(g, a, dim)),
    grad_fn="LinalgCrossBackward0", blocking=Blocking(_cross_follow, lower=_cross_steps),
    example="input:2x3 other:2x3",
)
cross = composite(
    "cross", _cross, family="contraction", args="input, other, dim: dim=None",
    doc="Cross product of vectors of 3 elements, without dim along the first dimension of length 3.",
    example="input:2x3 other:2x3",
)
vecdot = composite(
    "vecdot", _vecdot, family="contraction", args="x: tensor, y: tensor, *, dim=-1", torch="linalg.vecdot",
    doc="Dot products of the vectors along a dimension.",
)
kron = composite(
    "kron", _kron, family="contraction", args="input, other", numpy="kron",
    words=("kronecker",), doc="Kronecker product: the second tensor times each element of the first, side by side.",
)


# Chains and powers ----------------------------------------------------------------------------------------------------


def _multi_dot(tensors: Any, name: str = "multi_dot") -> Node:
    if not tensors:
        raise GradcliError(f"{name}() needs at least one tensor")
    factors = common(tuple(tensors) if isinstance(tensors, list | tuple) else (tensors,), f"{name}()")
    if len(factors) < 2:
        return factors[0]
    first, last = factors[0], factors[-1]
    shape = (first.shape[:-1] if first.ndim == 2 else ()) + (last.shape[1:] if last.ndim == 2 else ())
    factors[0] = unsqueeze(first, 0) if first.ndim == 1 else first
    factors[-1] = unsqueeze(last, -1) if last.ndim == 1 else last
    for x in factors:
        if x.ndim != 2:
            raise SizeError("{}() takes matrices, and vectors at its ends, got shape {}", name, x.shape)
    for x, y in pairwise(factors):
        if x.shape[1] != y.shape[0]:
            raise SizeError("shapes {} and {} do not fit for {}()", x.shape, y.shape, name)
    return make(view, (_in_best_order(factors),), {"shape": shape})


# The best order is looked for among so many factors at most, which takes the third power of their number.
_MANY = 100


def _in_best_order(factors: list[Node]) -> Node:
    """The product with the fewest multiplications of numbers."""
    if len(factors) > _MANY:
        return _in_best_order([_in_best_order(factors[k : k + _MANY]) for k in range(0, len(factors), _MANY)])
    lengths = [x.shape[0] for x in factors] + [factors[-1].shape[1]]
    # For each run of factors what it costs, and where it is divided: shorter runs first. Of equal places PyTorch takes
    # the last one among three factors, the first one among more.
    later = -1 if len(factors) == 3 else 1
    costs = {(k, k): (0, 0) for k in range(len(factors))}
    done: dict[tuple[int, int], Node] = {}
    for span in range(1, len(factors)):
        for start in range(len(factors) - span):
            stop = start + span
            ends = lengths[start] * lengths[stop + 1]
            cost, place = min(
                (costs[start, k][0] + costs[k + 1, stop][0] + ends * lengths[k + 1], later * k)
                for k in range(start, stop)
            )
            costs[start, stop] = cost, later * place
    waiting = [(0, len(factors) - 1)]
    while waiting:
        start, stop = run = waiting[-1]
        parts = [(start, costs[run][1]), (costs[run][1] + 1, stop)]
        missing = [] if start == stop else [part for part in parts if part not in done]
        if missing:
            waiting += missing[::-1]
            continue
        done[run] = factors[start] if start == stop else mm(done[parts[0]], done[parts[1]])
        waiting.pop()
    return done[0, len(factors) - 1]


# Powers beyond are products of as many matrices as the power has digits, and overflow or vanish.
_LARGEST_POWER = 2**31


def _matrix_power(input: Any, n: Any) -> Node:
    x, power = square(input, "matrix_power"), as_int(n, "n")
    if abs(power) >= _LARGEST_POWER:
        raise GradcliError(f"matrix_power() takes powers below {_LARGEST_POWER}, got {power}", argument="n")
    if power == 0:
        unit = expand(call("eye", x.shape[-1], dtype=x.dtype), x.shape)
        return where(call("ones", (), dtype="bool"), unit, x)
    if power < 0:
        x, power = inv(x), -power
        if power == 1:
            return x
    if power == 1:
        return clone(x)
    if power == 3:
        return matmul(matmul(x, x), x)
    result: Node | None = None
    while power:
        if power & 1:
            result = x if result is None else matmul(result, x)
        power >>= 1
        if power:
            x = matmul(x, x)
    assert result is not None
    return result


multi_dot = composite(
    "multi_dot", _multi_dot, family="contraction", args="tensors: tensors", torch="linalg.multi_dot",
    doc="Product of several matrices, in the order with the fewest multiplications; the first and the last may "
    "be vectors.",
    example=("multi_dot([a, b])", "a:2 b:2"),
)
chain_matmul = composite(
    "chain_matmul", lambda matrices: _multi_dot(list(matrices), "chain_matmul"), family="contraction", args="*matrices",
    doc="Product of several matrices, in the order with the fewest multiplications.",
    example="a:2 b:2",
)
matrix_power = composite(
    "matrix_power", _matrix_power, family="linalg", args="input, n", torch="linalg.matrix_power",
    domain=WELL_CONDITIONED, doc="A matrix to an integer power; negative powers are those of its inverse.",
    example=("matrix_power(input, 2)", "input:2"), numpy="linalg.matrix_power",
)


# Powers of numbers as matrices ----------------------------------------------------------------------------------------


def _powers(x: Node, count: int) -> Node:
    """`x**0` to `x**(count - 1)` along a new last dimension."""
    # Integers as in a product: int64.
    ones = call("ones", (*x.shape, min(count, 1)), dtype=x.dtype if x.is_floating else INT64)
    if count < 2:
        return ones
    repeated = expand(unsqueeze(x, -1), (*x.shape, count - 1))
    return cat([ones, cumprod(repeated, -1)], -1)


def _linalg_vander(x: Any, N: Any) -> Node:
    node = as_node(x)
    node = node if node.ndim else reshape(node, (1,))
    count = node.shape[-1] if N is None else as_int(N, "N")
    if count < 2:
        raise GradcliError(f"linalg_vander() needs at least 2 columns, got {count}", argument="N")
    return _powers(node, count)


def _vander(x: Any, N: Any, increasing: bool) -> Node:
    node = as_node(x)
    if node.ndim != 1:
        raise SizeError("vander() takes a vector, got shape {}", node.shape)
    count = node.shape[0] if N is None else as_int(N, "N")
    if count < 0:
        raise GradcliError(f"vander() cannot have {count} columns", argument="N")
    powers = _powers(node, count)
    return powers if increasing else flip(powers, (1,))


linalg_vander = composite(
    "linalg_vander", _linalg_vander, family="contraction", args="x, *, N: columns=None", torch="linalg.vander",
    doc="The powers of each element, from 0 on, along a new last dimension.", example="x:1",
)
vander = composite(
    "vander", _vander, family="contraction", args="x, N: int=None, increasing=False", example="x:1",
    doc="The powers of the elements of a vector, the highest first unless increasing.", numpy="vander",
)
