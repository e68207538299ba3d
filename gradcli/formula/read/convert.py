"""From graphs to terms: every operation of a graph, and of its derivatives, as a product, a sum or a function."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from gradcli.errors import GradcliError
from gradcli.formula.algebra.terms import ONE, Algebra, Factor, Labels, NodeTerm, Open, Size, Term, WholeArg, value_of
from gradcli.formula.lengths import LengthReader
from gradcli.graph.node import CONSTANT, INPUT, Node, toposort


class Application(NamedTuple):
    """A node with its lengths as terms, and the formulas of its inputs."""

    name: str
    params: dict[str, Any]
    shape: tuple[Size, ...]
    dtype: np.dtype
    inputs: tuple[NodeTerm, ...]
    shapes: tuple[tuple[Size, ...], ...]
    nodes: tuple[Node, ...]


# Numbers that the rules compute once, as a person writes them.
_KNOWN = {
    math.log(2.0): ("log", 2, 1),
    math.log(10.0): ("log", 10, 1),
    2 / math.sqrt(math.pi): ("sqrt_pi", 2, 1),
    -2 / math.sqrt(math.pi): ("sqrt_pi", -2, 1),
    1 / math.sqrt(2 * math.pi): ("sqrt_2pi", 1, 1),
    math.pi: ("pi", 1, 1),
    -math.pi: ("pi", -1, 1),
    math.e: ("e", 1, 1),
    2 * math.pi: ("pi", 2, 1),
}
#: Sums, with the signs of their operands.
SUMS = {"add": (1, 1), "sub": (1, -1), "rsub": (-1, 1), "_plus": (1, 1)}


#: What gives the formula of an operation that is not simply a function of its name.
Handler = Callable[["Converter", Application], NodeTerm]


class Converter:
    """Turns the graphs for all samples into terms, side by side."""

    def __init__(self, algebra: Algebra, reader: LengthReader, handlers: Mapping[str, Handler]) -> None:
        self.algebra = algebra
        self.reader = reader
        self.handlers = handlers

    def convert(self, samples: Sequence[Sequence[Node]]) -> list[tuple[NodeTerm, tuple[Size, ...]]]:
        """The formulas and shapes of roots, given for each sample."""
        orders = [toposort(roots) for roots in samples]
        if len({len(order) for order in orders}) > 1:
            raise depends_on_lengths()
        skipped = _inner_sums(orders[0], samples[0])
        values: dict[Node, NodeTerm] = {}
        shapes: dict[Node, tuple[Size, ...]] = {}
        for nodes in zip(*orders, strict=True):
            first = nodes[0]
            if any(n.op.name != first.op.name for n in nodes):
                raise depends_on_lengths()
            shapes[first] = self.reader.read([n.shape for n in nodes])
            if first not in skipped:
                values[first] = self._value(nodes, values, shapes)
        return [(values[root], shapes[root]) for root in samples[0]]

    def _value(
        self, nodes: tuple[Node, ...], values: dict[Node, NodeTerm], shapes: dict[Node, tuple[Size, ...]]
    ) -> NodeTerm:
        node = nodes[0]
        if node.op is INPUT:
            return self.own(self.algebra.intern("var", node.params["name"], (), shapes[node]))
        if node.op is CONSTANT:
            return self._constant(nodes, shapes[node])
        if node.op.name in SUMS or node.op.name == "neg":
            return self._sum(node, values, shapes)
        params = {key: self.reader.read([n.params[key] for n in nodes]) for key in node.params}
        step = Application(
            node.op.name,
            params,
            shapes[node],
            node.dtype,
            tuple([values[i] for i in node.inputs]),
            tuple([shapes[i] for i in node.inputs]),
            node.inputs,
        )
        handler = self.handlers.get(step.name)
        if handler is not None:
            return handler(self, step)
        if node.op.family in ("elementwise", "special", "activation"):
            return self.elementwise(step)
        if step.name.startswith("_"):
            raise GradcliError(f"there is no formula for the operation {step.name[1:]}")
        return self.call(step.name, step)

    # Leaves -----------------------------------------------------------------------------------------------------------

    def own(self, term: Term) -> NodeTerm:
        """A term as a node's value, its axes in order; lengths of 1 are left out."""
        if 1 not in term.sizes:
            return NodeTerm(term, tuple([(k,) for k in range(term.rank)]))
        labels = tuple([self.algebra.fresh() for _ in term.sizes])
        free = [label for label, n in zip(labels, term.sizes, strict=True) if n != 1]
        inner, own = self.algebra.prod(ONE, [Factor(term, labels, ONE)], free)
        return NodeTerm(inner, tuple([(own.index(k),) if k in own else () for k in labels]))

    def _constant(self, nodes: tuple[Node, ...], shape: tuple[Size, ...]) -> NodeTerm:
        node = nodes[0]
        data = node.params["value"]
        if "number" in node.params or not data.ndim:
            numbers = [n.params.get("number", n.params["value"].item()) for n in nodes]
            return NodeTerm(self.number(self.reader.read(numbers)).term, ((),) * len(shape))
        if not data.size:
            return NodeTerm(self.number(0).term, ((),) * len(shape))
        if any(not np.array_equal(data, n.params["value"], equal_nan=data.dtype.kind == "f") for n in nodes):
            raise GradcliError(
                "a constant of the expression depends on the lengths", hint="give shapes in numbers, as in x:3,4"
            )
        if np.all(data == data.flat[0]):
            return NodeTerm(self.number(plain(data.flat[0])).term, ((),) * len(shape))
        key = (data.dtype.str, data.shape, data.tobytes())
        return self.own(self.algebra.intern("const", key, (), shape))

    def number(self, value: Any) -> Open:
        """A number as a term: exact where it has a short decimal form, by name where it is a known one."""
        algebra = self.algebra
        if isinstance(value, Term):
            return Open(value, ())
        if isinstance(value, bool | int):
            return algebra.number(int(value))
        if not math.isfinite(value):
            word = Open(algebra.intern("const", "nan" if math.isnan(value) else "inf"), ())
            return algebra.scaled(-1, word) if value == -math.inf else word
        known = _KNOWN.get(value)
        if known is None:
            return algebra.number(Fraction(repr(value)))
        name, number, _ = known
        if name in ("pi", "e"):
            return algebra.scaled(number, Open(algebra.intern("const", name), ()))
        if name == "log":
            return Open(algebra.intern("fn", ("log", ()), (Factor(algebra.number(number).term, (), ONE),), ()), ())
        pi = algebra.scaled(2 if name == "sqrt_2pi" else 1, Open(algebra.intern("const", "pi"), ()))
        return algebra.scaled(number, algebra.power(pi, Fraction(-1, 2)))

    # Element by element -----------------------------------------------------------------------------------------------

    def aligned(
        self, values: Sequence[NodeTerm], shapes: Sequence[tuple[Size, ...]], rank: int
    ) -> tuple[list[Open], list[Labels]]:
        """Operands at the labels of their common shape, and those labels for each of its axes."""
        values = self.in_one_structure(list(values), shapes, rank)
        labels: list[Labels] = []
        for k in range(rank):
            longest = max((len(group_of(v, k - rank)) for v in values), default=0)
            labels.append(tuple([self.algebra.fresh() for _ in range(longest)]))
        opens = []
        for value in values:
            names = [0] * value.term.rank
            for k in range(-len(value.axes), 0):
                for own, label in zip(value.axes[k], labels[k], strict=bool(value.axes[k])):
                    names[own] = label
            opens.append(Open(value.term, tuple(names)))
        return opens, labels

    def in_one_structure(self, values: list[NodeTerm], shapes: Sequence[tuple[Size, ...]], rank: int) -> list[NodeTerm]:
        """Where an axis is made of several in one operand and of one in another, it becomes one everywhere."""
        for k in range(-rank, 0):
            found = {tuple([v.term.sizes[i] for i in group_of(v, k)]) for v in values if group_of(v, k)}
            if len(found) > 1:
                values = [
                    self.whole(v, s) if len(group_of(v, k)) > 1 else v for v, s in zip(values, shapes, strict=True)
                ]
        return values

    def whole(self, value: NodeTerm, shape: tuple[Size, ...]) -> NodeTerm:
        """A value with one axis of its own for each axis of the node, by a reshape in the formula."""
        groups = tuple([group for group in value.axes if group])
        full = tuple([n for n, group in zip(shape, value.axes, strict=True) if group])
        found = self.own(self.algebra.intern("call", ("reshape", ()), (WholeArg(value.term, groups, full),), full))
        axes = iter(found.axes)
        return NodeTerm(found.term, tuple([next(axes) if group else () for group in value.axes]))

    def closed(self, open_: Open, labels: Sequence[Labels]) -> NodeTerm:
        """An open term as a value with these labels on its axes."""
        place = {label: k for k, label in enumerate(open_.labels)}
        axes = []
        for group in labels:
            present = [k for k in group if k in place]
            if present and len(present) < len(group):
                # A part of a merged axis is broadcast: it is written out.
                return self.closed(self._filled_up(open_, group), labels)
            axes.append(tuple([place[k] for k in present]))
        return NodeTerm(open_.term, tuple(axes))

    def _filled_up(self, open_: Open, group: Labels) -> Open:
        raise GradcliError("a merged dimension is broadcast in part: there is no short formula for this")

    def elementwise(self, step: Application) -> NodeTerm:
        opens, labels = self.aligned(step.inputs, step.shapes, len(step.shape))
        params = tuple([(key, value) for key, value in step.params.items()])
        return self.closed(self.algebra.fn(step.name.lstrip("_"), opens, params), labels)

    def _sum(self, node: Node, values: dict[Node, NodeTerm], shapes: dict[Node, tuple[Size, ...]]) -> NodeTerm:
        """A chain of sums and differences at once."""
        parts: list[tuple[int, Node]] = []
        stack = [(1, node)]
        while stack:
            sign, at = stack.pop()
            if at in values:
                parts.append((sign, at))
                continue
            signs = SUMS.get(at.op.name, (-1, -1))
            stack += [(sign * s, child) for s, child in zip(signs, at.inputs, strict=False)][::-1]
        opens, labels = self.aligned([values[p] for _, p in parts], [shapes[p] for _, p in parts], node.ndim)
        return self.closed(self.algebra.add([(s, o) for (s, _), o in zip(parts, opens, strict=True)]), labels)

    def power(self, value: NodeTerm, exponent: Any) -> NodeTerm:
        labels = tuple(range(value.term.rank))
        if value_of(value.term) == 0 and exponent < 0:
            infinite = self.number(math.inf)
            return NodeTerm(infinite.term, ((),) * len(value.axes))
        return self.closed(self.algebra.power(Open(value.term, labels), exponent), value.axes)

    # Products ---------------------------------------------------------------------------------------------------------

    def contract(
        self,
        a: NodeTerm,
        b: NodeTerm,
        shared: tuple[int, int],
        kept: Sequence[tuple[int, int | None]],
        shapes: tuple[tuple[Size, ...], ...],
    ) -> NodeTerm:
        """The sum of products over an axis of each; `kept` are the axes of the result: (operand 0 or 1, axis).

        An axis that both operands have in the result is given as (2, axis).
        """
        if structure_of(a, shared[0]) != structure_of(b, shared[1]):
            a, b = (
                self.whole(v, s) if len(v.axes[d]) > 1 else v for v, s, d in zip((a, b), shapes, shared, strict=True)
            )
        names: list[dict[int, int]] = [{}, {}]
        length = a.axes[shared[0]] or b.axes[shared[1]]
        summed = [self.algebra.fresh() for _ in length]
        for table, group in zip(names, (a.axes[shared[0]], b.axes[shared[1]]), strict=True):
            table.update(zip(group, summed, strict=bool(group)))
        labels: list[Labels] = []
        for operand, axis in kept:
            assert axis is not None
            group = a.axes[axis] if operand in (0, 2) else b.axes[axis]
            other = b.axes[axis] if operand == 2 else ()
            fresh = tuple([self.algebra.fresh() for _ in (group or other)])
            if operand in (0, 2):
                names[0].update(zip(group, fresh, strict=bool(group)))
            if operand in (1, 2):
                names[1].update(zip(b.axes[axis], fresh, strict=bool(b.axes[axis])))
            labels.append(fresh)
        factors = [
            Factor(v.term, tuple([table[k] for k in range(v.term.rank)]), ONE)
            for v, table in zip((a, b), names, strict=True)
        ]
        if not length:
            # Both are the same all along: so many times their product.
            factors.append(Factor(self.algebra.size(shapes[0][shared[0]]).term, (), ONE))
        free = {k for group in labels for k in group}
        return self.closed(self.algebra.prod(ONE, factors, free), labels)

    def summed(self, value: NodeTerm, dims: Sequence[int], shape: tuple[Size, ...], keepdim: bool) -> NodeTerm:
        labels = tuple(range(1, value.term.rank + 1))
        gone = {k + 1 for d in dims for k in value.axes[d]}
        factors = [Factor(value.term, tuple([-k if k in gone else k for k in labels]), ONE)]
        factors += [Factor(self.algebra.size(shape[d]).term, (), ONE) for d in dims if not value.axes[d]]
        open_ = self.algebra.prod(ONE, factors, {k for k in labels if k not in gone})
        place = {label: k for k, label in enumerate(open_.labels)}
        groups = [() if d in dims else group for d, group in enumerate(value.axes) if keepdim or d not in dims]
        return NodeTerm(open_.term, tuple([tuple([place[k + 1] for k in group if k + 1 in place]) for group in groups]))

    # Whole tensors ----------------------------------------------------------------------------------------------------

    def call(
        self, name: str, step: Application, params: dict[str, Any] | None = None, shape: tuple[Size, ...] | None = None
    ) -> NodeTerm:
        """A function of whole tensors."""
        args = tuple([WholeArg(v.term, v.axes, s) for v, s in zip(step.inputs, step.shapes, strict=True)])
        settings = tuple((step.params if params is None else params).items())
        return self.own(self.algebra.intern("call", (name, settings), args, step.shape if shape is None else shape))

    def arange(self, length: Size, label: int) -> Open:
        term = self.algebra.intern("call", ("arange", (("length", length),)), (), (length,))
        return Open(term, (label,))


def depends_on_lengths() -> GradcliError:
    return GradcliError("the derivative has another form for other lengths", hint="give shapes in numbers, as in x:3,4")


def plain(number: Any) -> Any:
    return number.item()


def group_of(value: NodeTerm, axis: int) -> Labels:
    """The term's axes in an axis counted from the right."""
    return value.axes[axis] if -axis <= len(value.axes) else ()


def structure_of(value: NodeTerm, axis: int) -> tuple[Size, ...]:
    return tuple([value.term.sizes[k] for k in value.axes[axis]])


def _inner_sums(order: Sequence[Node], roots: Sequence[Node]) -> set[Node]:
    """Sums that are only a part of one other sum of the same shape."""
    users: dict[Node, list[Node]] = {}
    for node in order:
        for child in node.inputs:
            users.setdefault(child, []).append(node)
    is_sum = {n for n in order if n.op.name in SUMS or n.op.name == "neg"}
    kept = set(roots)
    return {
        n
        for n in is_sum
        if n not in kept and len(users[n]) == 1 and users[n][0] in is_sum and users[n][0].shape == n.shape
    }


def without_axes(value: NodeTerm, dims: tuple[int, ...]) -> NodeTerm:
    return NodeTerm(value.term, tuple([g for k, g in enumerate(value.axes) if k not in dims]))
