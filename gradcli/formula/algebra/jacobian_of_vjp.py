"""Jacobians, read off from products with a vector: where the vector stands as a factor, it is taken away."""

from __future__ import annotations

from fractions import Fraction

from gradcli.errors import GradcliError
from gradcli.formula.algebra.algebra import Algebra
from gradcli.formula.algebra.terms import ONE, Factor, Labels, NodeTerm, Open, Sizes, Term, placed, value_of

_NONE = "the Jacobian has no short formula"
_HINT = "--grad-output v gives its product with a vector v"
# A number, factors, and the labels that the vector had.
_WithoutVector = tuple[Fraction, list[Factor], Labels]


def jacobian_of(algebra: Algebra, product: NodeTerm, shape: Sizes, seed_shape: Sizes) -> tuple[NodeTerm, Sizes, bool]:
    """The Jacobian from its product with the vector "?": its value, its shape, and whether it is only the diagonal."""
    if any(len(group) > 1 for group in product.axes):
        raise GradcliError(_NONE, hint=_HINT)
    if value_of(product.term) == 0:
        diagonal = not seed_shape or seed_shape == shape
        full = shape if diagonal else (*seed_shape, *shape)
        return NodeTerm(product.term, ((),) * len(full)), full, diagonal
    if not seed_shape:
        return _without_scalar(algebra, product), shape, True
    columns = [algebra.fresh() for _ in shape]
    names = {own: column for column, group in zip(columns, product.axes, strict=True) for own in group}
    rows = [algebra.fresh() for _ in seed_shape]
    addends = _addends(algebra, product.term, tuple([names[k] for k in range(product.term.rank)]))
    parts = [_without_vector(factor, addend) for factor, addend in addends]
    if seed_shape == shape and all(labels == tuple(columns) for _, _, labels in parts):
        total = algebra.add([(1, algebra.prod(number, factors, {*columns})) for number, factors, _ in parts])
        return _closed(total, columns), shape, True
    total = algebra.add([(1, _full(algebra, part, rows, columns, seed_shape)) for part in parts])
    return _closed(total, [*rows, *columns]), (*seed_shape, *shape), False


def _without_scalar(algebra: Algebra, product: NodeTerm) -> NodeTerm:
    one = algebra.number(1)
    names = tuple(range(1, product.term.rank + 1))
    parts = []
    for number, factors in _addends(algebra, product.term, names):
        rest = [f for f in factors if not _is_seed(f.term)]
        if any(_holds(f.term) for f in rest):
            raise GradcliError(_NONE, hint=_HINT)
        parts.append((1, algebra.prod(number, rest or [Factor(*one, ONE)], set(names))))
    total = algebra.add(parts)
    place = {label: k for k, label in enumerate(total.labels)}
    return NodeTerm(total.term, tuple([tuple([place[k + 1] for k in g if k + 1 in place]) for g in product.axes]))


def _is_seed(term: Term) -> bool:
    return term.head == "var" and term.data == "?"


def _addends(algebra: Algebra, term: Term, labels: Labels) -> list[tuple[Fraction, list[Factor]]]:
    """A term as a sum of products, multiplied out as far as the vector lies in sums."""
    done: list[tuple[Fraction, list[Factor]]] = []
    waiting = [(ONE, [Factor(term, labels, ONE)])]
    while waiting:
        number, factors = waiting.pop()
        found = (k for k, f in enumerate(factors) if f.power == 1 and f.term.head in ("add", "prod") and _holds(f.term))
        at = next(found, None)
        if at is None:
            done.append((number, factors))
            continue
        inner, own, _ = factors[at]
        pieces = placed(inner, own, algebra.fresh)
        rest = [*factors[:at], *factors[at + 1 :]]
        if inner.head == "prod":
            waiting.append((number * inner.data, [*rest, *pieces]))
        else:
            sizes = dict(zip(own, inner.sizes, strict=True))
            for p in pieces:
                # A sum over a label that an addend lacks counts the places; ones keep it.
                lost = [k for k in sizes if k not in p.labels and k not in labels]
                ones = [Factor(algebra.intern("ones", None, (), (sizes[k],)), (k,), ONE) for k in lost]
                waiting.append((number * p.power, [*rest, Factor(p.term, p.labels, ONE), *ones]))
        if len(waiting) + len(done) > 1000:
            raise GradcliError(_NONE, hint=_HINT)
    return done


def _holds(term: Term) -> bool:
    """Whether the vector is part of a term."""
    seen: set[Term] = set()
    stack = [term]
    while stack:
        at = stack.pop()
        if _is_seed(at):
            return True
        if at not in seen:
            seen.add(at)
            stack.extend(a.term for a in at.args)
    return False


def _without_vector(number: Fraction, factors: list[Factor]) -> _WithoutVector:
    """A product without the vector, and the labels that the vector had."""
    vectors = [f for f in factors if _is_seed(f.term)]
    if len(vectors) != 1 or vectors[0].power != 1 or any(_holds(f.term) for f in factors if f not in vectors):
        raise GradcliError(_NONE, hint=_HINT)
    return number, [f for f in factors if f is not vectors[0]], vectors[0].labels


def _full(algebra: Algebra, part: _WithoutVector, rows: list[int], columns: list[int], seed_shape: Sizes) -> Open:
    """A product with the vector's labels as new axes; where one is an axis of the input too, on the diagonal."""
    number, factors, labels = part
    renamed: dict[int, int] = {}
    eyes = []
    for row, label, n in zip(rows, labels, seed_shape, strict=True):
        if label in columns or label in renamed:
            eyes.append(Factor(algebra.intern("eye", None, (), (n, n)), (row, renamed.get(label, label)), ONE))
        else:
            renamed[label] = row
    moved = [Factor(f.term, tuple([renamed.get(k, k) for k in f.labels]), f.power) for f in factors]
    return algebra.prod(number, [*moved, *eyes], {*rows, *columns})


def _closed(total: Open, labels: list[int]) -> NodeTerm:
    place = {label: k for k, label in enumerate(total.labels)}
    return NodeTerm(total.term, tuple([(place[k],) if k in place else () for k in labels]))
