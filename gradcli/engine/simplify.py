"""A smaller graph with the same values: common work once, numbers merged, operations that change nothing left out.

What an infinity, NaN, a signed zero or an empty tensor leads to stays as it is. Numbers are merged (`2*(3*g)` becomes
`6*g`) only where they are of ordinary size, so that nothing overflows or vanishes that did not do so before;
intermediate results that would have overflowed may stay finite.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gradcli.engine.factor import Condition, about_mean, hoisted, is_small, product_of_equals, scaled, summed_product
from gradcli.graph.dtypes import is_wider
from gradcli.graph.infer import broadcast_shapes
from gradcli.graph.node import CONSTANT, INPUT, Node, constant, make, toposort
from gradcli.graph.op import OPS, Op, Params, Shape
from gradcli.ops.blocking import aligned

# Numbers of this size may change places with other factors.
_MOVABLE = (1.0, 2.0**10)
# What has this many times fewer elements is cheap beside the rest.
_FEW = 16
# Numbers are merged within these bounds.
_ORDINARY = (2.0**-60, 2.0**60)
# Constants up to this many elements are computed once, when the graph is simplified.
_FOLDED = 64
# Results of these are the values of their operand.
_SAME_VALUES = frozenset({"detach", "clone", "_alias", "_row_major"})
# Reshapes without another effect.
_RESHAPES = frozenset({"view", "_unsafe_view", "_reshape_alias", "squeeze", "unsqueeze"})
_STRETCHES = _RESHAPES | {"expand", "_filled"}
_CASTS = frozenset({"_cast", "_operand", "to"})
_MATRIX_PRODUCTS = frozenset({"mm", "bmm"})
_PRODUCTS = frozenset({"mul", "_scaled", "_times"})
_QUOTIENTS = frozenset({"div", "_over"})

Rule = Callable[["_Simplifier", Op, tuple[Node, ...], Params], Node | None]


def simplify(
    roots: Sequence[Node],
    stop: Callable[[Node], bool] | None = None,
    leaves: dict[Node, Node] | None = None,
    conditions: list[Condition] | None = None,
) -> list[Node]:
    """Graphs with the values of `roots`.

    Nodes for which `stop` holds become inputs; `leaves`, if given, takes up which input stands for which node. With
    `conditions` small factors are taken out of large products, on conditions that are added to the list.
    """
    simplifier = _Simplifier(conditions)
    for node in toposort(roots, stop):
        if node.inputs and stop is not None and stop(node):
            leaf = Node(INPUT, (), {}, node.shape, node.dtype, False)
            simplifier.done[node] = leaf
            if leaves is not None:
                leaves[leaf] = node
        else:
            simplifier.visit(node)
    return [simplifier.done[root] for root in roots]


class _Simplifier:
    """Rebuilds a graph from the leaves up; equal nodes are found by what they are made of."""

    __slots__ = ("done", "known", "conditions")

    def __init__(self, conditions: list[Condition] | None) -> None:
        self.conditions = conditions
        self.done: dict[Node, Node] = {}
        self.known: dict[Any, Node] = {}

    def visit(self, node: Node) -> None:
        if node.op is INPUT:
            self.done[node] = node
            return
        if node.op is CONSTANT:
            value = node.params["value"]
            key = (CONSTANT, value.dtype, value.shape, value.tobytes()) if value.size <= _FOLDED else id(value)
            self.done[node] = self.known.setdefault(key, node)
            return
        inputs = tuple([self.done[child] for child in node.inputs])
        result = self.build(node.op, inputs, node.params, node.shape)
        if result.span is None:
            result.span = node.span
        self.done[node] = result

    def build(self, op: Op, inputs: tuple[Node, ...], params: Params, shape: Shape | None = None) -> Node:
        """The node of an operation, simplified, or the equal one that was built before."""
        name = op.name
        if op.family == "elementwise":
            inputs = _without_expansion(inputs)
        elif op.blocking.follow is aligned and len(inputs) > 1:
            inputs = _of_one_shape(inputs)
        elif "axis_given" in params and params["keepdim"]:
            # One form of each reduction, so that equal ones are found.
            return self._in_shape(
                self.build(op, inputs, {**params, "keepdim": False}), shape or _kept(inputs[0], params)
            )
        rule = _RULES.get(name)
        if rule is not None:
            found = rule(self, op, inputs, params)
            if found is not None:
                return self._in_shape(found, shape)
        if op.family == "reduction" and op.blocking.accumulate is not None and not name.startswith("arg"):
            params = {**params, "axis_given": True}
        key = self._key(op, inputs, params)
        known = self.known.get(key)
        if known is None:
            known = make(op, inputs, params)
            known.requires_grad = False
            if inputs and known.size <= _FOLDED and name != "expand" and all(i.op is CONSTANT for i in inputs):
                known = _folded(known)
            self.known[key] = known
        return self._in_shape(known, shape)

    def call(self, name: str, *inputs: Node, **params: Any) -> Node:
        return self.build(OPS[name], inputs, params)

    def number(self, value: float, like: Node) -> Node:
        """A constant in the dtype of a node."""
        node = constant(value, like.dtype)
        data = node.params["value"]
        return self.known.setdefault((CONSTANT, data.dtype, data.shape, data.tobytes()), node)

    def _in_shape(self, node: Node, shape: Shape | None) -> Node:
        """What was simplified on smaller operands, in the shape that it had."""
        if shape is None or node.shape == shape:
            return node
        if node.size == math.prod(shape):
            return self.build(OPS["view"], (node,), {"shape": shape})
        return self.build(OPS["expand"], (node,), {"shape": shape})

    @staticmethod
    def _key(op: Op, inputs: tuple[Node, ...], params: Params) -> Any:
        # The nodes themselves, not their addresses: a node that nothing holds leaves its address to the next one.
        if op.commutative and id(inputs[0]) > id(inputs[1]):
            inputs = (inputs[1], inputs[0])
        if not params:
            return op, *inputs
        # repr tells -0.0 from 0.0 and True from 1, which compare equal.
        return op, *inputs, *((k, v if type(v) is tuple else repr(v)) for k, v in params.items())


def _kept(x: Node, params: Params) -> Shape:
    """The shape of a reduction that keeps its dimensions."""
    return tuple(1 if k in params["dim"] else n for k, n in enumerate(x.shape))


def _folded(node: Node) -> Node:
    assert node.op.kernel is not None
    with np.errstate(all="ignore"):
        try:
            value = np.asarray(node.op.kernel(*(i.params["value"] for i in node.inputs), **node.params))
        except Exception:
            # It is reported where it is computed, with its place in the source.
            return node
    return constant(value)


def _without_expansion(inputs: tuple[Node, ...]) -> tuple[Node, ...]:
    """Operands before they were stretched: elementwise operations broadcast by themselves."""
    return tuple([_unstretched(i) if i.op.name in _STRETCHES else i for i in inputs])


def _of_one_shape(inputs: tuple[Node, ...]) -> tuple[Node, ...]:
    """The same where the result is a sum of all elements, so that their number must stay."""
    bare = _without_expansion(inputs)
    return bare if broadcast_shapes([i.shape for i in bare]) == broadcast_shapes([i.shape for i in inputs]) else inputs


def _unstretched(node: Node) -> Node:
    while True:
        if node.op.name == "_filled":
            return _scalar_of(node)
        if node.op.name not in _STRETCHES:
            return node
        base = node.inputs[0]
        # Of the reshapes only those that put lengths of 1 in front, which broadcasting does as well.
        if node.op.name != "expand" and (1,) * (node.ndim - base.ndim) + base.shape != node.shape:
            return node
        node = base


def _scalar_of(node: Node) -> Node:
    """The number that a tensor is filled with."""
    return constant(node.params["value"], node.dtype) if node.size else node


def number_of(node: Node) -> float | None:
    """The value of a floating-point constant of one element."""
    if node.op is CONSTANT and node.dtype.kind == "f" and node.params["value"].size == 1:
        return float(node.params["value"].reshape(()))
    return None


def _is_ordinary(value: float) -> bool:
    return _ORDINARY[0] <= abs(value) <= _ORDINARY[1]


# Rules: each gives a simpler node of the same values (the shape is mended by the caller), or None. -------------------


def _operand(s: _Simplifier, op: Op, inputs: tuple[Node, ...], params: Params) -> Node | None:
    return inputs[0]


def _same_shape(s: _Simplifier, op: Op, inputs: tuple[Node, ...], params: Params) -> Node | None:
    return inputs[0] if params["shape"] == inputs[0].shape else None


def _reshape(s: _Simplifier, op: Op, inputs: tuple[Node, ...], params: Params) -> Node | None:
    x, shape = inputs[0], params["shape"]
    if x.shape == shape:
        return x
    base = x.inputs[0] if x.op.name in _RESHAPES else x
    if base.shape == shape:
        return base
    if base.op.name == "expand" and base.inputs[0].size == 1:
        return _stretched(s, base.inputs[0], shape)
    if op.name == "view" and base is x:
        return None
    return s.build(OPS["view"], (base,), {"shape": shape})


def _stretched(s: _Simplifier, number: Node, shape: Shape) -> Node:
    """A number stretched to one shape is the same stretched to another."""
    return s.build(OPS["expand"], (s.build(OPS["view"], (number,), {"shape": ()}),), {"shape": shape})


def _expand(s: _Simplifier, op: Op, inputs: tuple[Node, ...], params: Params) -> Node | None:
    x, shape = inputs[0], params["shape"]
    if x.shape == shape:
        return x
    if x.op.name == "expand":
        return s.build(op, (x.inputs[0],), params)
    return None


def _permute(s: _Simplifier, op: Op, inputs: tuple[Node, ...], params: Params) -> Node | None:
    x, dims = inputs[0], params["dims"]
    if dims == tuple(range(len(dims))):
        return x
    if x.op is op:
        return s.build(op, x.inputs, {**params, "dims": tuple(x.params["dims"][d] for d in dims)})
    if x.op.name == "expand" and x.inputs[0].size == 1:
        return _stretched(s, x.inputs[0], tuple(x.shape[d] for d in dims))
    return None


def _cast(s: _Simplifier, op: Op, inputs: tuple[Node, ...], params: Params) -> Node | None:
    x, dtype = inputs[0], params["dtype"]
    if x.dtype == dtype:
        return x
    if x.op.name in _CASTS and dtype.kind == "f" and is_wider(x.dtype, x.inputs[0].dtype):
        # What lies between changes no number.
        return s.build(op, x.inputs, params)
    return None


def _neg(s: _Simplifier, op: Op, inputs: tuple[Node, ...], params: Params) -> Node | None:
    x = inputs[0]
    if x.op is op:
        return x.inputs[0]
    if x.op.name == "mul":
        factor, rest = _split(x)
        # The sign of a NaN apart, -(c*x) and (-c)*x are the same bits.
        return None if factor is None else s.call("mul", rest, s.number(-factor, x))
    return None


def _split(node: Node) -> tuple[float | None, Node]:
    """A product as its number and the rest."""
    for k in (1, 0):
        factor = number_of(node.inputs[k])
        if factor is not None and factor != 0 and node.inputs[1 - k].op is not CONSTANT:
            return factor, node.inputs[1 - k]
    return None, node


def _mul(s: _Simplifier, op: Op, inputs: tuple[Node, ...], params: Params) -> Node | None:
    for k in (1, 0):
        x, factor = inputs[1 - k], number_of(inputs[k])
        if factor is None or x.op is CONSTANT:
            continue
        if factor == 1 and x.dtype == inputs[k].dtype:
            return x
        if x.op.name == "neg" and factor != 0:
            return s.call("mul", x.inputs[0], s.number(-factor, x))
        merged = _merge(s, x, factor) or scaled(s, "mul", x, inputs[k])
        return merged if merged is not None else s.call("mul", x, inputs[k]) if op.name != "mul" else None
    if op.name != "mul":
        return s.call("mul", *inputs)
    return _float_up(s, "mul", inputs) or scaled(s, "mul", *inputs) or scaled(s, "mul", *inputs[::-1])


def _float_up(s: _Simplifier, name: str, inputs: tuple[Node, ...]) -> Node | None:
    """`(c*x)*y` as `c*(x*y)`, `(c*x)/y` as `c*(x/y)`: numbers meet at the top, and below equal parts are found."""
    for k in (0, 1) if name == "mul" else (0,):
        x = inputs[k]
        if x.op.name != "mul" or is_small(x, inputs[1 - k].size):
            continue
        factor, rest = _split(x)
        if factor is not None and _MOVABLE[0] <= abs(factor) <= _MOVABLE[1]:
            inner = s.call(name, *(rest if i == k else other for i, other in enumerate(inputs)))
            return s.call("mul", inner, s.number(factor, x))
        if name == "mul" and factor is not None and _ORDINARY[0] <= abs(factor) <= 1:
            other = inputs[1 - k]
            if 0 < other.size * _FEW <= rest.size:
                # A number times a row costs nothing next to a number times a matrix.
                return s.call("mul", rest, s.call("mul", other, s.number(factor, x)))
    return None


def _merge(s: _Simplifier, x: Node, factor: float) -> Node | None:
    """`factor * x` where `x` is itself a product with, or a quotient by, a number."""
    if not _is_ordinary(factor):
        return None
    if x.op.name == "mul":
        inner, rest = _split(x)
        if inner is not None and _is_ordinary(inner) and _is_ordinary(inner * factor):
            return s.call("mul", rest, s.number(inner * factor, x))
    if x.op.name == "div":
        divisor = number_of(x.inputs[1])
        if divisor and _is_ordinary(divisor) and _is_ordinary(factor / divisor):
            return s.call("mul", x.inputs[0], s.number(factor / divisor, x))
        dividend = number_of(x.inputs[0])
        if dividend and _is_ordinary(dividend) and _is_ordinary(dividend * factor):
            return s.call("div", s.number(dividend * factor, x), x.inputs[1])
    return None


def _div(s: _Simplifier, op: Op, inputs: tuple[Node, ...], params: Params) -> Node | None:
    x, divisor = inputs[0], number_of(inputs[1])
    if divisor is None or x.op is CONSTANT or x.dtype != inputs[1].dtype:
        if op.name != "div":
            return s.call("div", *inputs)
        return _float_up(s, "div", inputs) or scaled(s, "div", *inputs)
    if divisor == 1:
        return x
    exact = math.isfinite(divisor) and divisor != 0 and math.frexp(divisor)[0] in (0.5, -0.5) and _is_ordinary(divisor)
    if exact:
        return s.call("mul", x, s.number(1 / divisor, x))
    if x.op.name == "mul" and _is_ordinary(divisor):
        inner, rest = _split(x)
        if inner is not None and _is_ordinary(inner) and _is_ordinary(inner / divisor):
            return s.call("mul", rest, s.number(inner / divisor, x))
    return s.call("div", *inputs) if op.name != "div" else None


def _add(s: _Simplifier, op: Op, inputs: tuple[Node, ...], params: Params) -> Node | None:
    a, b = inputs
    if b.op.name == "neg" and b.dtype.kind == "f":
        return s.call("sub", a, b.inputs[0])
    if a.op.name == "neg" and a.dtype.kind == "f":
        return s.call("sub", b, a.inputs[0])
    return s.call("add", a, b) if op.name != "add" else None


def _sub(s: _Simplifier, op: Op, inputs: tuple[Node, ...], params: Params) -> Node | None:
    a, b = inputs
    if b.op.name == "neg" and b.dtype.kind == "f":
        return s.call("add", a, b.inputs[0])
    # x - 0 keeps the sign of a zero, x + 0 does not.
    zero = number_of(b)
    if zero == 0 and math.copysign(1.0, zero) > 0 and a.dtype == b.dtype:
        return a
    return None


def _rsub(s: _Simplifier, op: Op, inputs: tuple[Node, ...], params: Params) -> Node | None:
    return s.call("sub", inputs[1], inputs[0])


def _pow(s: _Simplifier, op: Op, inputs: tuple[Node, ...], params: Params) -> Node | None:
    # The kernel computes a square in the same way.
    x, exponent = inputs[0], number_of(inputs[1])
    if exponent == 2 and x.dtype.kind == "f" and inputs[1].ndim == 0:
        return s.call("mul", x, x)
    return None


def _sum(s: _Simplifier, op: Op, inputs: tuple[Node, ...], params: Params) -> Node | None:
    """`sum(c*x)` is `c*sum(x)`, where this can neither overflow earlier nor turn the sign of a zero."""
    x = inputs[0]
    if x.op.name == "permute":
        dims = x.params["dims"]
        left = [dims[d] for d in range(x.ndim) if d not in params["dim"]]
        if left == sorted(left):
            return s.build(op, x.inputs, {**params, "dim": tuple(sorted(dims[d] for d in params["dim"]))})
    if x.op.name in _RESHAPES and len(params["dim"]) == x.ndim and x.inputs[0].ndim:
        # All elements, in whatever order.
        return s.build(op, x.inputs, {**params, "dim": tuple(range(x.inputs[0].ndim))})
    if x.op.name in _MATRIX_PRODUCTS and x.size:
        return summed_product(s, op, x, params)
    if x.op.name not in ("mul", "div", "neg", "sub") or not x.size or x.dtype.kind != "f":
        return None
    out = about_mean(s, op, x, params) or hoisted(s, op, x, params)
    if out is not None or x.op.name != "mul":
        return out
    factor, rest = _split(x)
    if factor is None or not 1 <= factor <= _ORDINARY[1] or rest.shape != x.shape:
        return None
    total = s.build(op, (rest,), params)
    return s.call("mul", total, s.number(factor, total))


def _exp(s: _Simplifier, op: Op, inputs: tuple[Node, ...], params: Params) -> Node | None:
    """`exp(x - logsumexp(x))` is a softmax; its steps are shared with those of the logsumexp."""
    x = inputs[0]
    if x.op.name != "sub":
        return None
    data, total = x.inputs
    kept = total
    while total.op.name in _RESHAPES:
        total = total.inputs[0]
    if total.op.name != "logsumexp" or total.inputs[0] is not data or not data.size:
        return None
    dim = total.params["dim"]
    if kept.shape != tuple(1 if k in dim else n for k, n in enumerate(data.shape)):
        return None
    lowered = total.op.blocking.lower
    return None if lowered is None else _softmax_steps(s, data, dim)


def _softmax_steps(s: _Simplifier, x: Node, dim: tuple[int, ...]) -> Node:
    """As in `lower` of logsumexp, so that equal steps are found to be equal."""
    over = {"dim": dim, "keepdim": True, "axis_given": True}
    largest = float(np.finfo(x.dtype).max)
    high = s.build(OPS["amax"], (x,), over)
    shift = s.build(OPS["clamp"], (high, s.number(-largest, x), s.number(largest, x)), {})
    powers = s.call("exp", s.call("sub", x, shift))
    return s.call("div", powers, s.build(OPS["sum"], (powers,), over))


_RULES: dict[str, Rule] = {
    **dict.fromkeys(_SAME_VALUES, _operand),
    **dict.fromkeys(_RESHAPES, _reshape),
    **dict.fromkeys(_PRODUCTS, _mul),
    **dict.fromkeys(_QUOTIENTS, _div),
    "expand": _expand,
    "permute": _permute,
    **dict.fromkeys(_CASTS, _cast),
    "neg": _neg,
    "add": _add,
    "_plus": _add,
    "sub": _sub,
    "rsub": _rsub,
    "pow": _pow,
    "sum": _sum,
    "mean": _sum,
    "exp": _exp,
    **dict.fromkeys(_MATRIX_PRODUCTS, product_of_equals),
}
