"""From graphs to terms: every operation of a graph, and of its derivatives, as a product, a sum or a function."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np

from gradcli.errors import GradcliError
from gradcli.formula.algebra.algebra import Algebra
from gradcli.formula.algebra.terms import IN_NUMBERS, ONE, Factor, Labels, NodeTerm, Open, Size, Sizes, Term, WholeArg
from gradcli.formula.lengths import LengthReader
from gradcli.graph.dtypes import is_half
from gradcli.graph.node import CONSTANT, INPUT, RESULT, Node, SeveralResults, part_of, toposort, with_inputs
from gradcli.graph.op import Op
from gradcli.ops.create import arange
from gradcli.ops.elementwise import log
from gradcli.ops.formulas.interface import Application, TermMaker
from gradcli.ops.formulas.reshapes import reshaped
from gradcli.ops.linalg import logarithm_of_determinant
from gradcli.ops.shape import reshape

# Numbers that the rules compute once, as a person writes them: a constant times a number, or a function of one.
_KNOWN: dict[float, tuple[str | Op, int]] = {
    math.log(2.0): (log, 2),
    math.log(10.0): (log, 10),
    2 / math.sqrt(math.pi): ("sqrt_pi", 2),
    -2 / math.sqrt(math.pi): ("sqrt_pi", -2),
    1 / math.sqrt(2 * math.pi): ("sqrt_2pi", 1),
    math.pi: ("pi", 1),
    -math.pi: ("pi", -1),
    math.e: ("e", 1),
    2 * math.pi: ("pi", 2),
}


class Converter(TermMaker):
    """Turns the graphs for all samples into terms, side by side; `TermMaker` says what its methods for rows do."""

    def __init__(self, algebra: Algebra, reader: LengthReader) -> None:
        self.algebra = algebra
        self.reader = reader

    def convert(self, samples: Sequence[Sequence[Node]]) -> list[tuple[NodeTerm, Sizes]]:
        """The formulas and shapes of roots, given for each sample."""
        orders = [toposort(roots) for roots in samples]
        if len({len(order) for order in orders}) > 1:
            raise depends_on_lengths()
        skipped = _inner_sums(orders[0], samples[0])
        values: dict[Node, NodeTerm] = {}
        shapes: dict[Node, Sizes] = {}
        for nodes in zip(*orders, strict=True):
            first = nodes[0]
            if any(n.op.name != first.op.name for n in nodes):
                raise depends_on_lengths()
            shapes[first] = self.reader.read([n.shape for n in nodes])
            if first not in skipped and not isinstance(first, SeveralResults):
                values[first] = self._value(nodes, values, shapes)
        return [(values[root], shapes[root]) for root in samples[0]]

    def _value(self, nodes: tuple[Node, ...], values: dict[Node, NodeTerm], shapes: dict[Node, Sizes]) -> NodeTerm:
        node = nodes[0]
        if node.op is INPUT:
            return self.own(self.algebra.intern("var", node.params["name"], (), shapes[node]))
        if node.op is CONSTANT:
            return self._constant(nodes, shapes[node])
        if node.op.signs is not None:
            return self._sum(node, values, shapes)
        shape, dtype, name = shapes[node], node.dtype, None
        if node.op is RESULT:
            nodes, name = _made_by(nodes)
            node = nodes[0]
        if node.op.repeated is not None:
            count, hint = node.op.repeated(node).iterations, f"a loop of fewer iterations may have one; {IN_NUMBERS}"
            raise GradcliError(f"a loop of {count:,} iterations has no formula", hint=hint)
        params = {key: self.reader.read([n.params[key] for n in nodes]) for key in node.params}
        inputs = tuple([values[i] for i in node.inputs])
        given = tuple([shapes[i] for i in node.inputs])
        return self._applied(Application(node.op, params, shape, dtype, inputs, given, node.inputs, name))

    def _applied(self, step: Application) -> NodeTerm:
        """By what is known of the operation as a function, or as its row says."""
        op = step.op
        if op.powers is not None:
            return self._product(step)
        if op.same or (op.recast and not _rounds(step)):
            return step.inputs[0]
        formula: Callable[..., Any] | None = reshaped if op.reshapes else op.formula
        if formula is not None:
            return formula(self, step)
        if not op.public:
            raise GradcliError(f"there is no formula for the operation {op.name[1:]}", hint=IN_NUMBERS)
        # One of several results is written as such.
        return self.call(step, step.result and f"{op.name}.{step.result}")

    # Terms ------------------------------------------------------------------------------------------------------------

    def fresh(self, count: int) -> Labels:
        return tuple([self.algebra.fresh() for _ in range(count)])

    def length(self, size: Size) -> Open:
        return self.algebra.size(size)

    def arange(self, length: Size, label: int) -> Open:
        term = self.algebra.intern("call", (arange.name, (("length", length),)), (), (length,))
        return Open(term, (label,))

    def ones(self, length: Size, label: int) -> Open:
        return Open(self.algebra.intern("ones", None, (), (length,)), (label,))

    def eye(self, length: Size, row: int, column: int) -> Open:
        return Open(self.algebra.intern("eye", None, (), (length, length)), (row, column))

    def fn(self, name: str, *args: Open) -> Open:
        return self.algebra.fn(name, args)

    def add(self, *addends: tuple[Any, Open]) -> Open:
        return self.algebra.add(addends)

    def times(self, *factors: Open) -> Open:
        return self.algebra.times(*factors)

    def raised(self, base: Open, exponent: Any) -> Open:
        return self.algebra.power(base, exponent)

    # Leaves -----------------------------------------------------------------------------------------------------------

    def own(self, term: Term) -> NodeTerm:
        """A term as a node's value, its axes in order; lengths of 1 are left out."""
        if 1 not in term.sizes:
            return NodeTerm(term, tuple([(k,) for k in range(term.rank)]))
        labels = self.fresh(term.rank)
        free = [label for label, n in zip(labels, term.sizes, strict=True) if n != 1]
        inner, own = self.algebra.prod(ONE, [Factor(term, labels, ONE)], free)
        return NodeTerm(inner, tuple([(own.index(k),) if k in own else () for k in labels]))

    def filled(self, number: Any, rank: int) -> NodeTerm:
        return NodeTerm(self.number(number).term, ((),) * rank)

    def _constant(self, nodes: tuple[Node, ...], shape: Sizes) -> NodeTerm:
        node = nodes[0]
        data = node.params["value"]
        if "number" in node.params or not data.ndim:
            numbers = [n.params.get("number", n.params["value"].item()) for n in nodes]
            return self.filled(self.reader.read(numbers), len(shape))
        if not data.size:
            return self.filled(0, len(shape))
        if any(not np.array_equal(data, n.params["value"], equal_nan=data.dtype.kind == "f") for n in nodes):
            hint = "give shapes in numbers, as in x:3,4"
            raise GradcliError("a constant of the expression depends on the lengths", hint=hint)
        if np.all(data == data.flat[0]):
            return self.filled(data.flat[0].item(), len(shape))
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
        name, number = known
        if name in ("pi", "e"):
            return algebra.scaled(number, Open(algebra.intern("const", name), ()))
        if isinstance(name, Op):
            return Open(algebra.intern("fn", (name.name, ()), (Factor(algebra.number(number).term, (), ONE),), ()), ())
        pi = algebra.scaled(2 if name == "sqrt_2pi" else 1, Open(algebra.intern("const", "pi"), ()))
        return algebra.scaled(number, algebra.power(pi, Fraction(-1, 2)))

    # Element by element -----------------------------------------------------------------------------------------------

    def aligned(
        self, values: Sequence[NodeTerm], shapes: Sequence[Sequence[Size]], rank: int
    ) -> tuple[list[Open], list[Labels]]:
        values = self.in_one_structure(values, shapes, rank)
        labels = [self.fresh(max((len(group_of(v, k)) for v in values), default=0)) for k in range(-rank, 0)]
        opens = []
        for value in values:
            names = [0] * value.term.rank
            for k in range(-len(value.axes), 0):
                for own, label in zip(value.axes[k], labels[k], strict=bool(value.axes[k])):
                    names[own] = label
            opens.append(Open(value.term, tuple(names)))
        return opens, labels

    def in_one_structure(
        self, values: Sequence[NodeTerm], shapes: Sequence[Sequence[Size]], rank: int
    ) -> Sequence[NodeTerm]:
        for k in range(-rank, 0):
            found = {tuple([v.term.sizes[i] for i in group_of(v, k)]) for v in values if group_of(v, k)}
            if len(found) > 1:
                pairs = zip(values, shapes, strict=True)
                values = [self.whole(v, s) if len(group_of(v, k)) > 1 else v for v, s in pairs]
        return values

    def whole(self, value: NodeTerm, shape: Sequence[Size]) -> NodeTerm:
        groups = tuple([group for group in value.axes if group])
        full = tuple([n for n, group in zip(shape, value.axes, strict=True) if group])
        argument = WholeArg(value.term, groups, full)
        found = self.own(self.algebra.intern("call", (reshape.name, ()), (argument,), full))
        axes = iter(found.axes)
        return NodeTerm(found.term, tuple([next(axes) if group else () for group in value.axes]))

    def closed(self, open_: Open, labels: Sequence[Labels]) -> NodeTerm:
        place = {label: k for k, label in enumerate(open_.labels)}
        axes = []
        for group in labels:
            present = [k for k in group if k in place]
            if present and len(present) < len(group):
                raise GradcliError("a merged dimension is broadcast in part: there is no short formula for this")
            axes.append(tuple([place[k] for k in present]))
        return NodeTerm(open_.term, tuple(axes))

    def function(self, step: Application, name: str | None = None) -> NodeTerm:
        opens, labels = self.aligned(step.inputs, step.shapes, len(step.shape))
        return self.closed(self.algebra.fn(name or step.op.name, opens, tuple(step.params.items())), labels)

    def _sum(self, node: Node, values: dict[Node, NodeTerm], shapes: dict[Node, Sizes]) -> NodeTerm:
        """A chain of sums and differences at once."""
        parts: list[tuple[int, Node]] = []
        stack = [(1, node)]
        while stack:
            sign, at = stack.pop()
            if at in values:
                parts.append((sign, at))
                continue
            stack += [(sign * s, child) for s, child in zip(at.op.signs or (), at.inputs, strict=True)][::-1]
        opens, labels = self.aligned([values[p] for _, p in parts], [shapes[p] for _, p in parts], node.ndim)
        return self.closed(self.algebra.add([(s, o) for (s, _), o in zip(parts, opens, strict=True)]), labels)

    def _product(self, step: Application) -> NodeTerm:
        powers = zip(step.inputs, step.op.powers or (), strict=True)
        values = [value if p == 1 else self.power(value, p) for value, p in powers]
        return self.product(*self.aligned(values, step.shapes, len(step.shape)))

    def product(self, factors: Sequence[Open], axes: Sequence[Labels]) -> NodeTerm:
        free = {k for group in axes for k in group}
        return self.closed(self.algebra.prod(ONE, [Factor(*factor, ONE) for factor in factors], free), axes)

    def power(self, value: NodeTerm, exponent: Any) -> NodeTerm:
        if value.number == 0 and exponent < 0:
            return self.filled(math.inf, len(value.axes))
        return self.closed(self.raised(value.at(range(value.rank)), exponent), value.axes)

    # Whole tensors ----------------------------------------------------------------------------------------------------

    def call(
        self,
        step: Application,
        name: str | None = None,
        params: dict[str, Any] | None = None,
        shape: Sequence[Size] | None = None,
    ) -> NodeTerm:
        args = tuple([WholeArg(v.term, v.axes, s) for v, s in zip(step.inputs, step.shapes, strict=True)])
        settings = tuple((step.params if params is None else params).items())
        sizes = step.shape if shape is None else tuple(shape)
        return self.own(self.algebra.intern("call", (name or step.op.name, settings), args, sizes))


def _made_by(results: tuple[Node, ...]) -> tuple[tuple[Node, ...], str | None]:
    """The operation that makes one of its several results, for each sample, and the name of that result, if it needs
    one."""
    parts = [part_of(n.inputs[0], n.params["index"]) for n in results]
    if parts[0] is not None:
        return tuple(filter(None, parts)), None
    made = tuple([n.inputs[0] for n in results])
    return made, made[0].op.name_of_result(results[0].params["index"])


def depends_on_lengths() -> GradcliError:
    return GradcliError("the derivative has another form for other lengths", hint="give shapes in numbers, as in x:3,4")


def group_of(value: NodeTerm, axis: int) -> Labels:
    """The term's axes in an axis counted from the right."""
    return value.axes[axis] if -axis <= len(value.axes) else ()


def _rounds(step: Application) -> bool:
    """Whether a conversion is shown: not where float16 is the end of an operation, and not where nothing is lost."""
    source, target = step.nodes[0].dtype, step.dtype
    if source.kind == target.kind == "f":
        return target.itemsize < source.itemsize and (step.op.public or not is_half(target))
    return target.kind == "b" or (target.kind != "f" and source.kind == "f")


def _inner_sums(order: Sequence[Node], roots: Sequence[Node]) -> set[Node]:
    """Sums that are only a part of one other sum of the same shape."""
    users: dict[Node, list[Node]] = {}
    for node in order:
        for child in node.inputs:
            users.setdefault(child, []).append(node)
    sums = {n for n in order if n.op.signs is not None}
    single = {n: users[n][0] for n in sums.difference(roots) if len(users[n]) == 1}
    return {n for n, user in single.items() if user in sums and user.shape == n.shape}


def readable(roots: Sequence[Node], whole: bool = False) -> list[Node]:
    """Graphs with derivative rules for people: where a rule guards single points or avoids overflow, the textbook's.

    The rules of `gradcli.ops` choose a value where a function has a kink or a pole and never divide by zero. A formula
    to read leaves that out, so it may be undefined (nan) at such points: a norm at 0, a product with a zero in it.
    Where the derivative exists all the same, as that of a product, there are with `whole` rules without the quotient:
    longer, for when the short formula turns out to break. Inputs stay as they are.
    """
    readable_ops: dict[Op, Op] = {}
    done: dict[Node, Node] = {}
    for node in toposort(roots):
        if not node.inputs:
            done[node] = node
            continue
        inputs = tuple([done[child] for child in node.inputs])
        found = logarithm_of_determinant(node, inputs)
        if found is None:
            op = node.op
            rule = (whole and op.textbook_whole) or op.textbook
            if rule is not None:
                op = readable_ops.setdefault(op, replace(op, vjp=rule))
            found = with_inputs(node, inputs, op)
        done[node] = found
    return [done[root] for root in roots]
