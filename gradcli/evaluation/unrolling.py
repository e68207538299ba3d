"""Loops: a function is called again and again, on what it gave before, and all calls unroll into the graph.

`iterate(f, x, n)` calls f n times, first on x; `fold(f, init, xs)` calls it for each row of xs, on what it gave before
and that row, and `scan` keeps what it gives at each. `each(f, xs)` is no loop in the graph: f is called once, on a
stand-in for a row, and its operations are those of all rows together. Each is a generator: it yields the arguments of a
call and is sent what the call gives, so that whoever carries the calls out need not recurse.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from itertools import repeat
from typing import Any, NamedTuple

from gradcli.errors import GradcliError, SizeError
from gradcli.evaluation.stack_machine import OwnFunction
from gradcli.graph.arguments import Literal, as_int, kind_of
from gradcli.graph.node import Node
from gradcli.graph.op import OPS, Op
from gradcli.graph.signature import Signature
from gradcli.ops.each import Rows, argument_name

Turns = Generator[tuple[Any, ...], Any, Any]


_SIGNATURES = {
    "iterate": Signature("iterate", "f, x, n"),
    "fold": Signature("fold", "f, init, xs"),
    "scan": Signature("scan", "f, init, xs"),
}


class Loop(NamedTuple):
    """A loop of the language: the function that it calls, how often, and the calls."""

    function: Op | OwnFunction
    number: int
    turns: Turns


def signature_of(name: str, given: int = 0) -> Signature:
    """What a loop of `gradcli.language.constants.LOOPS` takes, of which so many arguments are given."""
    if name == "each":
        return Signature(name, ", ".join(["f", *(argument_name(k) for k in range(max(1, given - 1)))]))
    return _SIGNATURES[name]


def loop_of(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Loop:
    """The loop of this name with these arguments; nothing has been called yet."""
    function, *rest = signature_of(name, len(args) + len(kwargs)).bind(args, kwargs)
    if not isinstance(function, OwnFunction | Op):
        hint = f"as in f(y) = y/2 + 1/y; {name}(f, …)"
        raise GradcliError(f"{name}() takes the name of a function first", hint=hint, argument="f")
    if name == "each":
        return Loop(function, 1, _each(Rows(_spread(rest))))
    init, through = rest
    if name == "iterate":
        count = _times(through)
        return Loop(function, count, _fold(init, repeat((), count)))
    turns = _fold(init, _rows(through)) if name == "fold" else _scan(init, through)
    return Loop(function, _length(through), turns)


def _fold(init: Any, rows: Iterable[tuple[Any, ...]]) -> Turns:
    carried, several = _carried(init)
    for row in rows:
        carried = _next(several, carried, (yield (*carried, *row)))
    return carried if several else carried[0]


def _scan(init: Any, xs: Any) -> Turns:
    carried, several = _carried(init)
    kept: list[tuple[Any, ...]] = []
    for row in _rows(xs):
        given = yield (*carried, *row)
        parts = given if isinstance(given, tuple) else (given,)
        if len(parts) < len(carried):
            raise GradcliError(f"the function gives {len(parts)} of the {len(carried)} values that it carries on")
        carried = _next(several, carried, parts[: len(carried)] if several else parts[0])
        # What is carried on is kept where the function gives nothing else.
        kept.append(parts[len(carried) :] or parts)
    if not kept:
        raise SizeError("scan() needs one row or more, got shape {}", getattr(_first(xs), "shape", (0,)))
    if len({len(parts) for parts in kept}) > 1:
        raise GradcliError("the function gives now more values, now less")
    return (*carried, *(OPS["stack"](Literal(column)) for column in zip(*kept, strict=True)))


def _each(rows: Rows) -> Turns:
    return rows.stacked((yield tuple(rows.arguments)))


def _spread(xs: list[Any]) -> list[Any]:
    """The arguments, those that are results of an operation, or another tuple of tensors, one by one."""
    found: list[Any] = []
    for x in xs:
        found += x if isinstance(x, tuple) and all(isinstance(part, Node) for part in x) else [x]
    return found


def _carried(value: Any) -> tuple[tuple[Any, ...], bool]:
    """The values that go from one call to the next, and whether they are several."""
    return (value, True) if isinstance(value, tuple) else ((value,), False)


def _next(several: bool, carried: tuple[Any, ...], given: Any) -> tuple[Any, ...]:
    if not several:
        if isinstance(given, tuple):
            raise GradcliError(f"the function gives {len(given)} values and is called with one")
        return (given,)
    if not isinstance(given, tuple) or len(given) != len(carried):
        have = f"{len(given)} values" if isinstance(given, tuple) else "one value"
        raise GradcliError(f"the function gives {have}, {len(carried)} are carried on")
    return given


def _first(xs: Any) -> Any:
    return xs[0] if isinstance(xs, tuple) and xs else xs


def _length(xs: Any) -> int:
    """How many rows there are to go through: those of one tensor or list, or of several of the same length."""
    lengths = []
    for x in xs if isinstance(xs, tuple) else (xs,):
        if isinstance(x, Node) and x.ndim:
            lengths.append(x.shape[0])
        elif isinstance(x, Literal):
            lengths.append(len(x))
        else:
            what = "a tensor without dimensions" if isinstance(x, Node) else kind_of(x)
            raise GradcliError(f"there are no rows to go through in {what}", argument="xs")
    if len(set(lengths)) != 1:
        raise GradcliError(f"the numbers of rows differ: {', '.join(map(str, lengths)) or 'none'}", argument="xs")
    return lengths[0]


def _rows(xs: Any) -> Iterator[tuple[Any, ...]]:
    """The rows, each as a tuple of the arguments that it is; taken apart when the first one is asked for."""
    parts = xs if isinstance(xs, tuple) else (xs,)
    yield from zip(*(x if isinstance(x, Literal) else OPS["unbind"](x, 0) for x in parts), strict=True)


def _times(n: Any) -> int:
    count = as_int(n, "n")
    if count < 0:
        raise GradcliError(f"iterate() goes through a loop 0 times or more, not {count}", argument="n")
    return count
