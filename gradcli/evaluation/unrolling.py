"""Loops, which unroll into the graph: a function is called again and again, on what it gave before.

`iterate(f, x, n)` calls f n times, first on x; `fold(f, init, xs)` calls it for each row of xs, on what it gave before
and that row, and `scan` keeps what it gives at each. Each is a generator: it yields the arguments of a call and is sent
what the call gives, so that whoever carries the calls out need not recurse.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, NamedTuple

from gradcli.errors import GradcliError, SizeError
from gradcli.graph.arguments import Literal, as_int, kind_of
from gradcli.graph.node import Node
from gradcli.graph.op import OPS
from gradcli.graph.signature import Signature

Turns = Generator[tuple[Any, ...], Any, Any]


class Loop(NamedTuple):
    """A loop of the language: its arguments, and what those beside the function give: the calls, and their number."""

    signature: Signature
    turns: Callable[..., Turns]
    count: Callable[..., int]


def _iterate(x: Any, n: Any) -> Turns:
    carried, several = _carried(x)
    for _ in range(_times(x, n)):
        carried = _next(several, carried, (yield carried))
    return carried if several else carried[0]


def _fold(init: Any, xs: Any) -> Turns:
    carried, several = _carried(init)
    for row in _rows(xs):
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


def _rows(xs: Any) -> Any:
    """The rows, each as a tuple of the arguments that it is."""
    return zip(*(_parts(x) for x in (xs if isinstance(xs, tuple) else (xs,))), strict=True)


def _parts(x: Any) -> Any:
    return x if isinstance(x, Literal) else OPS["unbind"](x, 0)


def _times(x: Any, n: Any) -> int:
    count = as_int(n, "n")
    if count < 0:
        raise GradcliError(f"iterate() goes through a loop 0 times or more, not {count}", argument="n")
    return count


def loop_named(name: str) -> Loop:
    """The loop of a name of `gradcli.language.constants.LOOPS`."""
    if name == "iterate":
        return Loop(Signature(name, "f, x, n"), _iterate, _times)
    turns = _fold if name == "fold" else _scan
    return Loop(Signature(name, "f, init, xs"), turns, lambda init, xs: _length(xs))
