"""An interpreter that remembers which node each step of the source made, how that is written and what it is called."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from gradcli.errors import Place, Span
from gradcli.evaluation.interpret import Interpreter
from gradcli.evaluation.request import Request
from gradcli.graph.arguments import Literal
from gradcli.graph.node import INPUT, Node, Number
from gradcli.language.instructions import Instr, Script, Statement

#: Instructions, in which a name may also be a node.
Code = tuple[Instr, ...]

# Within it PyTorch tracks nothing, where `detach` begins with what is tracked.
_UNTRACKED = "no_grad"
# Loops of no more operations are told turn by turn.
_MOST_UNROLLED = 10_000
# Numbers made of more instructions than this are shown as what they come to.
_LONGEST_NUMBER = 32


class OwnCall(NamedTuple):
    """A call of one of the expression's own functions: the how-manieth of this name."""

    function: str
    number: int


class Made(NamedTuple):
    """What is known of a node from the source: the code that made it, over the nodes it was made of (none where no
    step of the source stands for it alone), its place in a text, if it has one, and the call that it was made in."""

    code: Code
    text: str
    place: Span | None
    call: OwnCall | None


class Recorder(Interpreter):
    """Carries a script out and keeps a record of it."""

    def __init__(self, source: str, inputs: Mapping[str, Node]) -> None:
        super().__init__(source, inputs)
        #: Nodes in the order in which they were made.
        self.made: dict[Node, Made] = {}
        #: The names that nodes were given, each its first one.
        self.given: dict[Node, str] = {}
        #: Nodes made within `no_grad(…)`.
        self.untracked: set[Node] = set()
        #: How often each of the expression's own functions was called.
        self.calls: dict[str, int] = {}
        # The code of each value on the stack that is no node.
        self._codes: list[Code | None] = []
        # The calls that are known by the names within them, which are kept so that no other has their identity.
        self._running: dict[int, tuple[dict[str, Any], OwnCall]] = {}
        self._call: OwnCall | None = None
        # The code of each loop that is under way.
        self._loops: dict[int, Code] = {}
        # How many nodes there were when the argument of a call was begun with, by its first and its last instruction.
        self._begun: dict[int, int] = {}
        self._begins: dict[int, list[int]] = {}
        self._noted: set[int] = set()
        self._order: list[Node] = []

    def carry_out(self, statement: Statement) -> Any:
        value = super().carry_out(statement)
        for name in statement.bound:
            self._give(name, self.names[name])
        return value

    def final(self, value: Any, span: Span, dtype: np.dtype | None = None) -> Node:
        node = super().final(value, span, dtype)
        if node is not value and node not in self.made:
            # The code of the value that was on the stack last.
            self.made[node] = Made(self._codes[0] or (), self.source, span, None)
        return node

    def _push(self, value: Any, place: Span) -> None:
        super()._push(value, place)
        del self._codes[len(self._values) - 1 :]
        self._codes.append(None)
        source = place.source if isinstance(place, Place) else self.source
        for node, _ in nodes_of(value):
            if node.op is not INPUT and node not in self.made:
                self.made[node] = Made((), source, place, self._call)
                self._order.append(node)

    def _step(self, step: Instr, local: dict[str, Any] | None) -> None:
        self._call = None if local is None else self._call_of(step, local)
        first = len(self._values) - popped(step)
        operands = self._codes_from(first)
        before = len(self.made)
        for call in self._begins.get(id(step), ()):
            self._begun[call] = before
        super()._step(step, local)
        if step.op == "store":
            assert local is not None
            for name in step.arg:
                if name in local:
                    self._give(name, local[name])
            return
        value = self._values[-1]
        code: Code = (*operands, step)
        if step.op == "name":
            # What is met under a name was made elsewhere: rows of a loop, say.
            for node in self._order[before:]:
                self.made[node] = self.made[node]._replace(place=None)
        else:
            self._note(value, code, before)
        if not isinstance(value, Node):
            own = step.op == "name" and local is not None and step.arg in local
            long = isinstance(value, Number) and len(code) > _LONGEST_NUMBER
            self._codes[-1] = _literal(value) if own or long else code
        if id(step) in self._begun:
            self.untracked.update(self._order[self._begun.pop(id(step)) : before])

    def _codes_from(self, first: int) -> Code:
        """The code of the values on the stack from a place on."""
        found = zip(self._values[first:], self._codes[first : len(self._values)], strict=True)
        codes = (_reference(value) if isinstance(value, Node) else code or _literal(value) for value, code in found)
        return tuple([step for code in codes for step in code])

    def _note(self, value: Any, code: Code, before: int) -> None:
        """Note how the nodes are written that a step has made."""
        if len(self.made) == before:
            return
        for node, part in nodes_of(value):
            if node in self.made and not self.made[node].code:
                self.made[node] = self.made[node]._replace(code=code + part)

    def _give(self, name: str, value: Any) -> None:
        for node, part in nodes_of(value):
            if node.op is not INPUT:
                self.given.setdefault(node, name + "".join(f".{step.arg}" for step in part if step.op == "attribute"))

    def _loop(self, step: Instr) -> Any:
        first = len(self._values) - popped(step)
        code = self._codes_from(first)
        frame = super()._loop(step)
        assert frame.loop is not None
        if frame.loop.number * frame.loop.cost <= _MOST_UNROLLED:
            # Turn by turn, as in PyTorch.
            frame.loop.outside = None
        self._loops[id(frame.loop)] = (*code, step)
        return frame

    def _turn(self, frames: list[Any]) -> None:
        loop, count, before = frames[-1].loop, len(frames), len(self.made)
        known = self._running.get(id(frames[-2].names))
        self._call = None if known is None else known[1]
        super()._turn(frames)
        if len(frames) < count:
            self._note(self._values[-1], self._loops.pop(id(loop)), before)

    def _call_of(self, step: Instr, local: dict[str, Any]) -> OwnCall:
        known = self._running.get(id(local))
        if known is None:
            found = (name for name, own in self.functions.items() if own.code and own.code[0] is step)
            name = next(found, "")
            self.calls[name] = self.calls.get(name, 0) + 1
            known = self._running[id(local)] = local, OwnCall(name, self.calls[name])
        return known[1]

    def _execute(self, code: list[Instr]) -> Any:
        for body in (code, *(own.code for own in self.functions.values())):
            if id(body) not in self._noted:
                self._noted.add(id(body))
                for place, step in enumerate(body):
                    if step.op == "call" and step.arg[0] == _UNTRACKED:
                        self._begins.setdefault(id(body[_beginning(body, place)]), []).append(id(step))
        return super()._execute(code)


class Recorded(NamedTuple):
    """A request with the record of how it was built, and the data of its inputs."""

    script: Script
    request: Request
    record: Recorder
    inputs: dict[str, Any]
    vector: Any


class Recorders:
    """Makes interpreters that keep records, and has the last one."""

    last: Recorder

    def make(self, source: str, inputs: Mapping[str, Node]) -> Recorder:
        self.last = Recorder(source, inputs)
        return self.last


def popped(step: Instr) -> int:
    """How many values a step takes from the stack, as `Instr` tells."""
    op, arg = step.op, step.arg
    if op in ("call", "method"):
        return int(arg[1]) + len(arg[2]) + (op == "method")
    if op in ("list", "tuple"):
        return int(arg)
    if op == "index" or op == "compare":
        return (arg if op == "index" else len(arg)) + 1
    if op == "slice":
        return sum(arg)
    return {"unary": 1, "attribute": 1, "store": 1, "binary": 2, "conditional": 3}.get(op, 0)


def _beginning(code: list[Instr], end: int) -> int:
    """Where the arguments of the step at `end` begin."""
    needed, at = popped(code[end]), end
    while needed:
        at -= 1
        needed += popped(code[at]) - (code[at].op != "store")
    return at


def nodes_of(value: Any) -> Iterator[tuple[Node, Code]]:
    """The nodes among a value and its parts, each with the instructions that choose it."""
    if isinstance(value, Node):
        yield value, ()
    elif isinstance(value, tuple):
        fields = getattr(value, "_fields", None)
        for k, part in enumerate(value):
            if isinstance(part, Node):
                yield part, (_instr("attribute", fields[k]),) if fields else (_instr("number", k), _instr("index", 1))


def _reference(node: Node) -> Code:
    return (_instr("name", node),)


def _literal(value: Any) -> Code:
    """A value as code of its own."""
    if isinstance(value, Node):
        return _reference(value)
    if isinstance(value, bool) or value is None:
        return (_instr("name", str(value)),)
    if isinstance(value, Number):
        # Of NaN neither holds.
        number = _instr("name", "nan") if value != value else _instr("number", abs(value))
        return (number, _instr("unary", "-")) if value < 0 else (number,)
    if isinstance(value, str):
        return (_instr("string", value),)
    if isinstance(value, tuple | list):
        kind = "list" if isinstance(value, Literal) else "tuple"
        return (*(step for part in value for step in _literal(part)), _instr(kind, len(value)))
    return (_instr("name", "…"),)


def _instr(op: str, arg: Any) -> Instr:
    return Instr(op, arg, 0, 0)
