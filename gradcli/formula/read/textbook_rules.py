"""Derivative rules for people: where a rule guards single points or avoids overflow, the textbook's formula instead.

The rules of `gradcli.ops` choose a value where a function has a kink or a pole and never divide by zero. A formula to
read leaves that out, so it may be undefined (nan) at such points: a norm at 0, a product with a zero in it. Where the
derivative exists all the same, as that of a product, there are rules without the quotient: longer, for when the short
formula turns out to break.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from gradcli.graph.node import CONSTANT, Node, make, toposort
from gradcli.graph.op import OPS, Op
from gradcli.ops.reduce import restore
from gradcli.ops.shape import m_t


def _prod(g: Node, out: Node, x: Node, dim: Any, keepdim: Any, axis_given: bool) -> tuple[Node]:
    return (restore(g, x, dim, keepdim) * (restore(out, x, dim, keepdim) / x),)


def _cumprod(g: Node, out: Node, x: Node, dim: int) -> tuple[Node]:
    if not x.ndim:
        return (g,)
    flip, cumsum = OPS["flip"], OPS["cumsum"]
    return (flip(cumsum(flip(g * out, (dim,)), dim), (dim,)) / x,)


def _norm(g: Node, out: Node, x: Node, dim: Any, keepdim: Any, axis_given: bool, p: float) -> tuple[Node | None]:
    g, out = restore(g, x, dim, keepdim), restore(out, x, dim, keepdim)
    if p == 0:
        return (None,)
    if p == 2:
        return (g * (x / out),)
    sign, size = OPS["sign"](x), OPS["abs"](x)
    if p == 1:
        return (g * sign,)
    if math.isinf(p):
        return (g * sign * _share(size, out, dim),)
    return (g * sign * size ** (p - 1) / out ** (p - 1),)


def _share(x: Node, extreme: Node, dim: Any) -> Node:
    """The part of each element in an extreme: equal ones share it evenly."""
    mask = OPS["to"](OPS["eq"](x, extreme), x.dtype)
    return mask / OPS["sum"](mask, list(dim), True) if dim else mask


def _std(g: Node, out: Node, x: Node, dim: Any, keepdim: Any, axis_given: bool, correction: float) -> tuple[Node]:
    degrees = math.prod(x.shape[d] for d in dim) - correction
    centred = x - OPS["mean"](x, list(dim), True) if dim else x - x
    return (restore(g / out, x, dim, keepdim) * centred / degrees,)


def _extreme(g: Node, out: Node, x: Node, dim: Any, keepdim: Any, axis_given: bool) -> tuple[Node]:
    return (restore(g, x, dim, keepdim) * _share(x, restore(out, x, dim, keepdim), dim),)


def _greater(name: str, halved: bool = False) -> Callable[..., tuple[Node, Node]]:
    """Where one operand is the larger; between two that vary, half of the gradient at ties: (1 + sign(x - y))/2.

    The half matters where both have the same slope there, so that the larger one is smooth.
    """

    def rule(g: Node, out: Node, x: Node, y: Node) -> tuple[Node, Node]:
        if not halved and not (x.requires_grad and y.requires_grad):
            return OPS["where"](OPS[name](x, y), g, 0), OPS["where"](OPS[name](y, x), g, 0)
        sign = OPS["sign"](x - y) if name == "gt" else OPS["sign"](y - x)
        return g * ((1 + sign) / 2), g * ((1 - sign) / 2)

    return rule


def _gate(condition: Callable[..., Node]) -> Callable[..., tuple[Node]]:
    return lambda g, out, x, **params: (OPS["where"](condition(x, **params), g, 0),)


def _pow(g: Node, out: Node, x: Node, y: Node) -> tuple[Node | None, Node | None]:
    if y.weak:
        p = y.params["number"]
        return (g * 0 if p == 0 else g * (p * x ** (p - 1))), None
    return g * (y * x ** (y - 1)), g * (out * OPS["log"](x))


def _logsumexp(g: Node, out: Node, x: Node, dim: Any, keepdim: Any, axis_given: bool) -> tuple[Node]:
    g = restore(g, x, dim, keepdim)
    if len(dim) == 1 and x.ndim:
        return (g * OPS["softmax"](x, dim[0]),)
    return (g * OPS["exp"](x - restore(out, x, dim, keepdim)),)


def _softplus(g: Node, out: Node, x: Node, beta: float, threshold: float) -> tuple[Node]:
    slope = g * OPS["sigmoid"](x * beta)
    # Beyond the usual threshold the sigmoid is 1 to nine digits.
    return (slope if threshold >= 20 else OPS["where"](x * beta > threshold, g, slope),)


def _elu(g: Node, out: Node, x: Node, alpha: float, scale: float) -> tuple[Node]:
    return (g * OPS["where"](x > 0, scale, alpha * scale * OPS["exp"](x)),)


def _leak(g: Node, out: Node, x: Node, negative_slope: float) -> tuple[Node]:
    return (g * OPS["where"](x > 0, 1.0, negative_slope),)


def _inverse(g: Node, out: Node, a: Node) -> tuple[Node]:
    back = m_t(out)
    return (-OPS["matmul"](back, OPS["matmul"](g, back)),)


def _spread(g: Node) -> Node:
    result: Node = OPS["reshape"](g, (*g.shape, 1, 1))
    return result


def _det(g: Node, out: Node, a: Node) -> tuple[Node]:
    return (_spread(g * out) * m_t(OPS["inv"](a)),)


def _log_size(g: Node, out: Node, a: Node) -> tuple[Node]:
    return (_spread(g) * m_t(OPS["inv"](a)),)


def _atan2(g: Node, out: Node, y: Node, x: Node) -> tuple[Node, Node]:
    square = y * y + x * x
    return g * x / square, -g * y / square


def _window(x: Node, min_val: float, max_val: float) -> Node:
    return OPS["logical_and"](x > min_val, x < max_val)


Rule = Callable[..., "tuple[Node | None, ...]"]

#: By the name of the operation.
RULES: dict[str, Rule] = {
    "prod": _prod,
    "cumprod": _cumprod,
    "norm": _norm,
    "std": _std,
    **dict.fromkeys(["amax", "amin", "max", "min"], _extreme),
    "maximum": _greater("gt"),
    "minimum": _greater("lt"),
    "relu": _gate(lambda x: x > 0),
    "hardtanh": _gate(_window),
    "leaky_relu": _leak,
    "elu": _elu,
    "pow": _pow,
    "xlogy": lambda g, out, x, y: (g * OPS["log"](y), g * (x / y)),
    "logsumexp": _logsumexp,
    "softplus": _softplus,
    "det": _det,
    "atan2": _atan2,
}


def _others(x: Node, product: Callable[[Node], Node]) -> Node:
    """A product over the last dimension, for each element with a 1 in its place: a row for each of them."""
    chosen = OPS["eq"](OPS["eye"](x.shape[-1], dtype=x.dtype), 1)
    return product(OPS["where"](chosen, 1, OPS["unsqueeze"](x, -2)))


def _whole_prod(g: Node, out: Node, x: Node, dim: Any, keepdim: Any, axis_given: bool) -> tuple[Node]:
    """The product of all others."""
    if not x.ndim:
        return (g,)
    lined = OPS["movedim"](x, dim[0], -1) if len(dim) == 1 else OPS["reshape"](x, (-1,))
    others = _others(lined, lambda spread: OPS["prod"](spread, -1))
    back = OPS["movedim"](others, -1, dim[0]) if len(dim) == 1 else OPS["reshape"](others, x.shape)
    return (restore(g, x, dim, keepdim) * back,)


def _whole_cumprod(g: Node, out: Node, x: Node, dim: int) -> tuple[Node]:
    """The sum over the later products of each without its own factor."""
    if not x.ndim:
        return (g,)
    lined, weights = OPS["movedim"](x, dim, -1), OPS["movedim"](g, dim, -1)
    later = OPS["triu"](_others(lined, lambda spread: OPS["cumprod"](spread, -1)))
    total = OPS["sum"](later * OPS["unsqueeze"](weights, -2), -1)
    return (OPS["movedim"](total, -1, dim),)


def _whole_pow(g: Node, out: Node, x: Node, y: Node) -> tuple[Node | None, Node | None]:
    """A power of 0 does not change with its exponent."""
    if y.weak:
        return _pow(g, out, x, y)
    return g * (y * x ** (y - 1)), g * make(_clone(OPS["xlogy"], _whole_xlogy, "_xlogy"), (out, x), {})


def _whole_xlogy(g: Node, out: Node, x: Node, y: Node) -> tuple[Node, Node]:
    """Where x is a power of y: with y it vanishes faster than the logarithm grows."""
    return g * OPS["log"](OPS["where"](OPS["eq"](y, 0), 1, y)), g * (x / y)


#: Instead of those above where these are undefined although the derivative exists.
WHOLE_RULES: dict[str, Rule] = {
    **RULES,
    "maximum": _greater("gt", halved=True),
    "minimum": _greater("lt", halved=True),
    "prod": _whole_prod,
    "cumprod": _whole_cumprod,
    "pow": _whole_pow,
}


def _clone(op: Op, vjp: Any, name: str | None = None) -> Op:
    """An operation with another rule, for graphs that are not computed."""
    return replace(op, name=name or op.name, vjp=vjp, public=False)


def readable(roots: Sequence[Node], rules: Mapping[str, Rule] = RULES) -> tuple[list[Node], dict[Node, Node]]:
    """The graphs with rules for people, and the new node for each; inputs stay as they are."""
    clones = {name: _clone(OPS[name], rule) for name, rule in rules.items()}
    done: dict[Node, Node] = {}
    for node in toposort(roots):
        if not node.inputs:
            done[node] = node
            continue
        inputs = tuple([done[child] for child in node.inputs])
        found = _logarithm_of_determinant(node, inputs)
        if found is None:
            op = clones.get(node.op.name, node.op)
            found = Node(op, inputs, node.params, node.shape, node.dtype, node.requires_grad, node.weak)
        done[node] = found
    return [done[root] for root in roots], done


def _logarithm_of_determinant(node: Node, inputs: tuple[Node, ...]) -> Node | None:
    """log|det| as one operation: the pair it is taken from, and the nan that stands for a negative determinant."""
    if node.op.name == "_part" and inputs[0].op.name == "_slogdet" and node.params["index"] == 1:
        matrix = inputs[0].inputs[0]
        op = _clone(OPS["det"], _log_size, "_logabsdet")
        return make(op, (matrix,), {})
    if node.op.name == "where" and inputs[2].op.name == "_logabsdet" and _is_nan(inputs[1]):
        condition = inputs[0]
        if condition.op.name == "eq" and condition.inputs[0].op.name == "_part":
            op = _clone(OPS["det"], _log_size, "logdet")
            return make(op, inputs[2].inputs, {})
    return None


def _is_nan(node: Node) -> bool:
    return node.op is CONSTANT and node.shape == () and bool(node.params["value"] != node.params["value"])
