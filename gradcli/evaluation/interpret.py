"""From source text to graphs: statements and functions carried out on a stack, places kept for errors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from gradcli.errors import GradcliError, Span
from gradcli.evaluation.expansion import check_count, check_expansion, cost_of, may_draw_in
from gradcli.evaluation.stack_machine import OwnFunction, StackMachine, unpacked
from gradcli.graph.arguments import Literal, as_node, kind_of
from gradcli.graph.dtypes import BOOL, DEFAULT_DTYPE
from gradcli.graph.infer import cast
from gradcli.graph.node import Node, Number, constant, fitted
from gradcli.graph.op import OPS, Op
from gradcli.language.constants import LOOPS
from gradcli.language.instructions import Instr, Script, Statement
from gradcli.ops.create import tensor

if TYPE_CHECKING:
    from gradcli.evaluation.unrolling import Loop


_FEWER = "reduce the number of iterations"


class _Frame(NamedTuple):
    """A running piece of code: what is left of a statement, or of the body of a function called at `place`.

    A loop has no steps: it goes on when it is sent what its function gave, which lies on top of the stack. The first
    `depth` values there are others'.
    """

    steps: Iterator[Instr]
    names: dict[str, Any] | None
    place: Span
    loop: Loop | None = None
    depth: int = 0


class Interpreter(StackMachine):
    """Carries a script out; nothing recurses, so no nesting is too deep."""

    # How many operations loops have come to.
    _unrolled = 0

    def run(self, script: Script, dtype: np.dtype | None = None) -> Node:
        """The node of the last statement's value, in `dtype` if one is given."""
        check_expansion(script.statements)
        self.offered = script.offered
        for statement in script.statements:
            value = self.carry_out(statement)
        last = script.statements[-1]
        if len(last.names) > 1:
            hint = f"end with the one that is meant, as in {last.bound[0]}" if last.bound else None
            raise GradcliError(f"{len(last.names)} names are no value", span=last.span, hint=hint)
        return self.final(value, last.span, dtype)

    def carry_out(self, statement: Statement) -> Any:
        """Carry one statement out, and give its value: None for a definition."""
        if statement.kind == "define":
            values = [self._execute(code) for code in statement.defaults]
            given = statement.params[len(statement.params) - len(values) :]
            defaults = dict(zip(given, values, strict=True))
            self.functions[statement.name] = OwnFunction(statement.name, statement.params, defaults, statement.code)
            return None
        value = self._execute(statement.code)
        if statement.kind == "assign":
            place = statement.name_spans[0][0], statement.name_spans[-1][1]
            self.names.update(unpacked(statement.names, value, place))
        return value

    def final(self, value: Any, span: Span, dtype: np.dtype | None = None) -> Node:
        """The node of the value of a whole expression, which stands at `span`; an error if it is no tensor."""
        try:
            if isinstance(value, Node):
                return value if dtype is None else self._placed(cast(value, dtype), span)
            if isinstance(value, Number):
                return constant(fitted(value, dtype or (BOOL if isinstance(value, bool) else DEFAULT_DTYPE.get())))
            if isinstance(value, Literal):
                node: Node = as_node(value) if dtype is None else tensor(value, dtype)
                return node
        except GradcliError as error:
            error.span = error.span or span
            raise
        fields = " or ".join(f".{field}" for field in getattr(value, "_fields", ()))
        if not fields and isinstance(value, tuple) and any(isinstance(part, Node) for part in value):
            fields = f"[0] to [{len(value) - 1}]" if len(value) > 1 else "[0]"
        hint = f"choose one with {fields}" if fields else "leave out these quotes" if isinstance(value, str) else None
        raise GradcliError(f"the value of the expression is {kind_of(value)}, not a tensor", span=span, hint=hint)

    def _execute(self, code: list[Instr]) -> Any:
        frames = [_Frame(iter(code), None, (0, 0))]
        while True:
            frame = frames[-1]
            step = next(frame.steps, None)
            if step is None and frame.loop is None:
                frames.pop()
                if not frames:
                    self._places.pop()
                    return self._values.pop()
                # The result of a function stands where it was called.
                self._places[-1] = frame.place
                continue
            place = frame.place if step is None else (step.start, step.end)
            try:
                if step is None:
                    self._turn(frames)
                elif step.op == "call" and step.arg[0] in self.functions:
                    frames.append(self._enter(step))
                elif step.op == "call" and step.arg[0] in LOOPS and self._is_loop(*step.arg):
                    frames.append(self._loop(step))
                else:
                    self._step(step, frame.names)
            except Exception as error:
                if self._given_up(frames):
                    continue
                if isinstance(error, GradcliError):
                    error.span = error.span or place
                elif isinstance(error, OverflowError | ValueError | RecursionError | MemoryError):
                    raise GradcliError(f"this cannot be computed: {error}", span=place) from None
                raise

    def _enter(self, step: Instr) -> _Frame:
        """The frame of a call to a function that the expression defines."""
        name, positional, words = step.arg
        arguments, _ = self._pop(positional + len(words))
        keywords = dict(zip(words, arguments[positional:], strict=True))
        return _frame(self.functions[name], arguments[:positional], keywords, (step.start, step.end))

    def _is_loop(self, name: str, positional: int, words: tuple[str, ...]) -> bool:
        """Whether a call of a loop's name is one: an operation may have the name too, and takes no function."""
        given = positional + len(words)
        return name not in OPS or (given > 0 and isinstance(self._values[-given], OwnFunction | Op))

    def _loop(self, step: Instr) -> _Frame:
        """The frame of a loop; what it begins with, the function aside, is on the stack as if a call had given it."""
        # Imported here: few expressions have one.
        from gradcli.evaluation.unrolling import Loop, signature_of

        name, positional, words = step.arg
        place = step.start, step.end
        values, places = self._pop(positional + len(words))
        try:
            loop = Loop(name, tuple(values[:positional]), dict(zip(words, values[positional:], strict=True)))
        except GradcliError as error:
            error.span = error.span or self._argument_place(error, signature_of(name, len(values)), places, words)
            raise
        called = loop.function.name if isinstance(loop.function, OwnFunction) else ""
        self._unrolled += loop.number * cost_of(called, self.functions)
        check_count(self._unrolled, called or name, place, _FEWER)
        depth = len(self._values)
        self._push(None, place)
        loop.cost = cost_of(called, self.functions)
        if not may_draw_in(loop.function, self.functions):
            loop.outside = self._outside
        return _Frame(iter(()), None, place, loop, depth)

    def _outside(self) -> set[Node]:
        """The tensors that functions see beside their arguments."""
        defaults = [value for function in self.functions.values() for value in function.defaults.values()]
        waiting, found = [*self.names.values(), *defaults], set()
        while waiting:
            value = waiting.pop()
            if isinstance(value, Node):
                found.add(value)
            elif isinstance(value, tuple | list):
                waiting.extend(value)
        return found

    def _turn(self, frames: list[_Frame]) -> None:
        """Go on with the loop on top, with what its function gave last."""
        frame = frames[-1]
        loop = frame.loop
        assert loop is not None
        (given,), _ = self._pop(1)
        try:
            arguments = loop.turn(given, self._unrolled)
        except StopIteration as end:
            frames.pop()
            self._push(self._placed(end.value, frame.place), frame.place)
            self._unrolled += loop.further
            check_count(self._unrolled, loop.function.name, frame.place, _FEWER)
            return
        if isinstance(loop.function, OwnFunction):
            frames.append(_frame(loop.function, arguments, {}, frame.place))
        else:
            places = [frame.place] * len(arguments)
            self._push(self._apply(loop.function, list(arguments), places, (), frame.place), frame.place)

    def _given_up(self, frames: list[_Frame]) -> bool:
        """Whether what has failed was only an attempt to do all turns of a loop at once: it goes on one by one then."""
        tried = [k for k, frame in enumerate(frames) if frame.loop is not None and frame.loop.trying]
        if not tried:
            return False
        del frames[tried[-1] + 1 :]
        frame = frames[-1]
        del self._values[frame.depth :], self._places[frame.depth :]
        self._push(None, frame.place)
        return True


def _frame(function: OwnFunction, arguments: Sequence[Any], keywords: Mapping[str, Any], place: Span) -> _Frame:
    """The body of a function, with what its names stand for."""
    name, params = function.name, function.params
    if len(arguments) > len(params):
        expected = f"{len(params)} argument" + ("s" if len(params) != 1 else "")
        raise GradcliError(f"{name}() takes {expected}, got {len(arguments)}", span=place)
    left = params[len(arguments) :]
    for word in keywords:
        if word not in left:
            wrong = f"got {word!r} twice" if word in params else f"has no argument {word!r}"
            raise GradcliError(f"{name}() {wrong}", span=place)
    bound = {**function.defaults, **dict(zip(params, arguments, strict=False)), **keywords}
    missing = [param for param in left if param not in bound]
    if missing:
        raise GradcliError(f"{name}() needs {missing[0]!r}", span=place)
    return _Frame(iter(function.code), bound, place)
