"""Shorter forms of functions: by parity, by what is known of comparisons, and of exp, log, where and sign alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from gradcli.formula.algebra.algebra import Algebra
from gradcli.formula.algebra.terms import Factor, Open, Term, WholeArg, placed, value_of
from gradcli.graph.op import OPS, Op
from gradcli.ops.activation import log_softmax, relu, softmax
from gradcli.ops.elementwise import bitwise_not, exp, gt, log, sign, where
from gradcli.ops.reduce import logsumexp


def argument(part: Factor | Open) -> Open:
    """The argument of a function of one argument."""
    ((inner, own, _),) = part.term.args
    return Open(inner, tuple([part.labels[k] for k in own]))


def is_function(part: Factor | Open, op: Op) -> bool:
    """Whether a term is that function of others, element by element or of whole tensors."""
    return part.term.head in ("fn", "call") and bool(part.term.data[0] == op.name)


def is_indicator(term: Term) -> bool:
    """Whether a term holds only zeros and ones."""
    if term.head != "fn":
        return False
    op = OPS.get(term.data[0])
    if op is None:
        return bool(term.data[0] == "one_hot")
    return op.indicator or (op.dtype_rule == "integral" and all(is_indicator(f.term) for f in term.args))


def exponentials_along(term: Term) -> int | None:
    """The dimension of x where a term is the sum of exp(x) along one dimension."""
    if term.head != "prod" or term.data != 1 or len(term.args) != 1:
        return None
    ((inner, own, power),) = term.args
    summed = [k for k, label in enumerate(own) if label >= term.rank]
    if not is_function(Open(inner, ()), exp) or power != 1 or len(summed) != 1 or len(set(own)) < len(own):
        return None
    return summed[0] if inner.args[0].term.rank == inner.rank else None


def along(algebra: Algebra, op: Op, dim: Any, exponential: Term, sizes: tuple[Any, ...]) -> Term:
    """A function of x along a dimension, given exp(x)."""
    ((x, labels, _),) = exponential.args
    whole = WholeArg(x, tuple([(labels.index(k),) for k in range(x.rank)]), exponential.sizes)
    return algebra.intern("call", (op.name, (("dim", dim),)), (whole,), sizes)


def exp_rule(algebra: Algebra, u: Open) -> Open | None:
    """exp(log_softmax(x)) and exp(x - logsumexp(x)) are softmax(x); exp(0) is 1; exp(log(x)) is x."""
    if value_of(u.term) == 0:
        return algebra.number(1)
    if is_function(u, log):
        return argument(u)
    if is_function(u, log_softmax):
        return Open(algebra.intern("call", (softmax.name, u.term.data[1]), u.term.args, u.term.sizes), u.labels)
    if u.term.head != "add" or len(u.term.args) != 2:
        return None
    parts = placed(u.term, u.labels)
    for total, x in (parts, parts[::-1]):
        if is_function(total, logsumexp) and total.power == -1 and x.power == 1:
            return _softmax_of(algebra, total, x)
    return None


def _softmax_of(algebra: Algebra, total: Factor, x: Factor) -> Open | None:
    (whole,) = total.term.args
    dims = dict(total.term.data[1])["dim"]
    if whole.term is not x.term or len(dims) != 1 or any(len(a) != 1 for a in whole.axes):
        return None
    outer = [a[0] for k, a in enumerate(whole.axes) if k not in dims]
    if tuple([x.labels[k] for k in outer]) != total.labels:
        return None
    term = algebra.intern("call", (softmax.name, (("dim", dims[0]),)), (whole,), whole.shape)
    return Open(term, tuple([x.labels[a[0]] for a in whole.axes]))


def log_rule(algebra: Algebra, u: Open) -> Open | None:
    """log(1) is 0, log(exp(x)) is x, log(sum(exp(x), dim)) is logsumexp(x, dim)."""
    if value_of(u.term) == 1:
        return algebra.number(0)
    if is_function(u, exp):
        return argument(u)
    dim = exponentials_along(u.term)
    if dim is not None:
        ((exponential, own, _),) = u.term.args
        sizes = (*exponential.sizes[:dim], *exponential.sizes[dim + 1 :])
        total = along(algebra, logsumexp, (dim,), exponential, sizes)
        return Open(total, tuple([u.labels[k] for k in own if k < u.term.rank]))
    return None


def where_rule(algebra: Algebra, condition: Open, a: Open, b: Open) -> Open | None:
    """A choice between something tame and 0 is a product; numbers come out."""
    if a == b:
        return a
    known = value_of(condition.term)
    if known is not None:
        return a if known else b
    if value_of(b.term) == 0 and a.term.tame:
        return algebra.times(condition, a)
    if value_of(a.term) == 0 and b.term.tame:
        return algebra.times(negated(algebra, condition), b)
    for value, other, first in ((a, b, True), (b, a, False)):
        if value_of(other.term) == 0 and value.term.head == "prod" and value.term.data != 1:
            number = value.term.data
            inner = algebra.scaled(1 / number, value)
            chosen = algebra.fn(where.name, [condition, inner, other] if first else [condition, other, inner])
            return algebra.scaled(number, chosen)
    return None


def negated(algebra: Algebra, condition: Open) -> Open:
    """The opposite of a condition. (A comparison with NaN has none, but neither has the derivative.)"""
    known = value_of(condition.term)
    if known is not None:
        return algebra.number(0 if known else 1)
    op = OPS.get(condition.term.data[0]) if condition.term.head == "fn" else None
    if op is not None and op.opposite is not None:
        args = [Open(f.term, tuple([condition.labels[k] for k in f.labels])) for f in condition.term.args]
        return algebra.fn(op.opposite, args)
    return algebra.fn(bitwise_not.name, [condition])


def _compared(algebra: Algebra, op: Op, a: Open, b: Open) -> Open | None:
    """relu(x) > 0 where x > 0; 1 - x > 0 where x < 1."""
    assert op.mirrored is not None
    if value_of(b.term) != 0:
        return None
    if op is gt and is_function(a, relu):
        return algebra.fn(op.name, [argument(a), b])
    if a.term.head == "prod" and a.term.data != 1 and value_of(a.term) is None:
        name = op.name if a.term.data > 0 else op.mirrored
        return algebra.fn(name, [algebra.scaled(1 / a.term.data, a), b])
    if a.term.head != "add" or len(a.term.args) != 2:
        return None
    # With a factor in front, the other side would be a fraction, which is rounded.
    first, second = sorted(placed(a.term, a.labels), key=lambda p: (value_of(p.term) is not None, -p.power))
    if abs(first.power) != 1 or (abs(second.power) != 1 and value_of(second.term) is None):
        return None
    other = algebra.scaled(-second.power * first.power, Open(second.term, second.labels))
    return algebra.fn(op.name if first.power > 0 else op.mirrored, [Open(first.term, first.labels), other])


def sign_rule(algebra: Algebra, u: Open) -> Open | None:
    """The sign of a positive multiple; sign(0) is 0."""
    number = value_of(u.term)
    if number is not None:
        return algebra.number((number > 0) - (number < 0))
    if u.term.head == "prod" and u.term.data not in (1, -1):
        return algebra.fn(sign.name, [algebra.scaled(1 / abs(u.term.data), u)])
    return None


def _by_parity(algebra: Algebra, op: Op, u: Open) -> Open | None:
    """f(-x) is f(x), or -f(x)."""
    if op.parity == "odd" and value_of(u.term) == 0:
        return algebra.number(0)
    if u.term.head != "prod" or u.term.data >= 0:
        return None
    positive = algebra.fn(op.name, [algebra.scaled(-1, u)])
    return positive if op.parity == "even" else algebra.scaled(-1, positive)


# Each is about the one function that it names.
_RULES: dict[Op, Callable[..., Open | None]] = {exp: exp_rule, log: log_rule, where: where_rule, sign: sign_rule}


def function_rule(algebra: Algebra, name: str, args: Sequence[Open], params: tuple[Any, ...]) -> Open | None:
    """A shorter form of a function, by what is known of it."""
    op = OPS.get(name)
    if op is None or params:
        return None
    if op in _RULES:
        return _RULES[op](algebra, *args)
    if op.mirrored is not None and op.mirrored != name:
        return _compared(algebra, op, *args)
    return _by_parity(algebra, op, *args) if op.parity is not None else None
