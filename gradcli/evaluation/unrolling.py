"""Loops: a function is called again and again, on what it gave before.

`iterate(f, x, n)` calls f n times, first on x; `fold(f, init, xs)` calls it for each row of xs, on what it gave before
and that row, and `scan` keeps what it gives at each. `each(f, xs)` is no loop in the graph: f is called once, on a
stand-in for a row, and its operations are those of all rows together. Each is a generator: it yields the arguments of a
call and is sent what the call gives, so that whoever carries the calls out need not recurse.

Short loops unroll into the graph. Of long ones all turns are one operation (`looped`) as soon as what is carried on
keeps its form: the function is called on leaves, and what it gives is the graph of a turn.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Generator, Iterator
from typing import Any

from gradcli.errors import GradcliError, SizeError
from gradcli.evaluation.stack_machine import OwnFunction
from gradcli.evaluation.turn_number import form_of, is_plain
from gradcli.graph.arguments import Literal, as_int, kind_of
from gradcli.graph.node import Node
from gradcli.graph.op import Op
from gradcli.graph.signature import Signature
from gradcli.ops.each import Rows, argument_name
from gradcli.ops.shape import stack
from gradcli.ops.splitting import unbind

Turns = Generator[tuple[Any, ...], Any, Any]
_Kept = list[tuple[Any, ...]]

#: A loop of so many operations is long: planning them all would take longer than all else.
LONG = 1024
# What is carried on changes its form once or twice: a number becomes a tensor, and what is not tracked is.
_ATTEMPTS = 4

_SIGNATURES = {
    "iterate": Signature("iterate", "f, x, n"),
    "fold": Signature("fold", "f, init, xs"),
    "scan": Signature("scan", "f, init, xs"),
}


class Loop:
    """A loop of the language: the function that it calls, how often, and the calls."""

    def __init__(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """The loop of this name with these arguments; nothing has been called yet."""
        self.function, *rest = signature_of(name, len(args) + len(kwargs)).bind(args, kwargs)
        if not isinstance(self.function, OwnFunction | Op):
            hint = f"for example, f(y) = y/2 + 1/y; {name}(f, …)"
            raise GradcliError(f"{name}() takes the name of a function first", hint=hint, argument="f")
        #: Which nodes there are outside of the function that it may see; None for a loop that has to unroll.
        self.outside: Callable[[], Container[Node]] | None = None
        #: Whether the function is at work on leaves: that it fails does not count then.
        self.trying = False
        #: How many operations a turn comes to, what loops in it do aside; whoever carries the loop out knows.
        self.cost = 1
        #: How many operations of loops in turns that are done at once stand for more turns than were carried out.
        self.further = 0
        # What the loops of the expression had come to before the call under way, and those of the last call.
        self._before = self._inner = 0
        if name == "each":
            self.number, self._turns = 1, _each(Rows(_spread(rest)))
            return
        init, through = rest
        self.number = _times(through) if name == "iterate" else _length(through)
        self._xs = () if name == "iterate" else through if isinstance(through, tuple) else (through,)
        self._scans = name == "scan"
        self._turns = self._through(init)

    def turn(self, given: Any, count: int) -> tuple[Any, ...]:
        """The arguments of the next call, `given` being what the last one gave; all loops have come to `count`.

        StopIteration has at the end what the loop gives.
        """
        self._inner, self._before = count - self._before, count
        return self._turns.send(given)

    def _through(self, init: Any) -> Turns:
        several = isinstance(init, tuple)
        carried = init if several else (init,)
        kept: _Kept = []
        columns: list[Node] | None = None
        rows = self._rows()
        tried: set[Any] = set()
        for number in range(self.number):
            form = self._form(carried, tried) if self._is_long(number) else None
            if form is not None:
                tried.add(form)
                rest = yield from self._at_once(carried, several, number, kept)
                if rest is not None:
                    carried, columns = rest
                    break
            given = yield (*carried, *next(rows))
            carried, more = self._parted(several, carried, given)
            kept.append(more)
        last = carried if several else carried[0]
        if not self._scans:
            return last
        if not self.number:
            raise SizeError("scan() needs one row or more, got shape {}", getattr(self._xs[0], "shape", (0,)))
        if len({len(parts) for parts in kept}) > 1:
            raise GradcliError("the function gives now more values, now less")
        if columns is None:
            columns = [stack(Literal(column)) for column in zip(*kept, strict=True)]
        return (*carried, *columns)

    def _rows(self) -> Iterator[tuple[Any, ...]]:
        """The rows, each as a tuple of the arguments that it is; taken apart when the first one is asked for."""
        if not self._xs:
            while True:
                yield ()
        yield from zip(*(x if isinstance(x, Literal) else unbind(x, 0) for x in self._xs), strict=True)

    def _parted(self, several: bool, carried: tuple[Any, ...], given: Any) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """What a call has given that is carried on, and what is kept of it."""
        if not self._scans:
            return _next(several, carried, given), ()
        parts = given if isinstance(given, tuple) else (given,)
        if len(parts) < len(carried):
            raise GradcliError(f"the function gives {len(parts)} of the {len(carried)} values that it carries on")
        # What is carried on is kept where the function gives nothing else.
        return _next(several, carried, parts[: len(carried)] if several else parts[0]), parts[len(carried) :] or parts

    # Long loops -------------------------------------------------------------------------------------------------------

    def _is_long(self, number: int) -> bool:
        # What loops in a turn come to is known after the first.
        return self.outside is not None and self.number * (self.cost + (self._inner if number else 0)) >= LONG

    def _form(self, carried: tuple[Any, ...], tried: set[Any]) -> Any:
        """The form of what is carried on, if it is worth the attempt to do all turns from here on at once."""
        if len(tried) == _ATTEMPTS or not all(map(is_plain, self._xs)):
            return None
        if not all(is_plain(value) or type(value) in (int, float) for value in carried):
            return None
        form = tuple([form_of(value) for value in carried])
        return None if form in tried else form

    def _at_once(self, carried: tuple[Any, ...], several: bool, number: int, kept: _Kept) -> Any:
        """What is carried out and kept by all turns from `number` on, as one operation; None where it cannot be."""
        from gradcli.evaluation.rest_of_loop import Rest

        rest = Rest(carried, self._xs, number, self.number - number)
        while rest.leaves is not None:
            self.trying = True
            given = yield (*rest.leaves, *(row.leaf for row in rest.rows))
            self.trying = False
            if given is None:
                return None
            onward, more = self._parted(several, rest.leaves, given)
            rest.look(onward, more)
        assert self.outside is not None
        found = rest.results(kept, self.outside()) if rest.alike else None
        if found is not None:
            self.further += (rest.times - 1) * self._inner
        return found


def signature_of(name: str, given: int = 0) -> Signature:
    """What a loop of `gradcli.language.constants.LOOPS` takes, of which so many arguments are given."""
    if name == "each":
        return Signature(name, ", ".join(["f", *(argument_name(k) for k in range(max(1, given - 1)))]))
    return _SIGNATURES[name]


def _each(rows: Rows) -> Turns:
    return rows.stacked((yield tuple(rows.arguments)))


def _spread(xs: list[Any]) -> list[Any]:
    """The arguments, those that are results of an operation, or another tuple of tensors, one by one."""
    spread = (x if isinstance(x, tuple) and all(isinstance(part, Node) for part in x) else (x,) for x in xs)
    return [part for parts in spread for part in parts]


def _next(several: bool, carried: tuple[Any, ...], given: Any) -> tuple[Any, ...]:
    if not several:
        if isinstance(given, tuple):
            if len(given) == 1:
                hint = "a comma at the end makes a tuple: write y for (y,)"
                raise GradcliError("the function gives a tuple of one value and is called with the value", hint=hint)
            raise GradcliError(f"the function gives {len(given)} values and is called with one")
        return (given,)
    if not isinstance(given, tuple) or len(given) != len(carried):
        have = f"{len(given)} values" if isinstance(given, tuple) else "one value"
        raise GradcliError(f"the function gives {have}, {len(carried)} are carried on")
    return given


def _length(xs: Any) -> int:
    """How many rows there are to go through: those of one tensor or list, or of several of the same length."""
    lengths = []
    for x in xs if isinstance(xs, tuple) else (xs,):
        if isinstance(x, Node) and x.ndim:
            lengths.append(x.shape[0])
        elif isinstance(x, Literal):
            lengths.append(len(x))
        else:
            what = "a 0-dim tensor" if isinstance(x, Node) else kind_of(x)
            raise GradcliError(f"there are no rows in {what}", argument="xs")
    if len(set(lengths)) != 1:
        raise GradcliError(f"the numbers of rows differ: {', '.join(map(str, lengths)) or 'none'}", argument="xs")
    return lengths[0]


def _times(n: Any) -> int:
    count = as_int(n, "n")
    if count < 0:
        raise GradcliError(f"iterate() needs 0 or more iterations, got {count}", argument="n")
    return count
