"""The steps of a script on a stack of values: names looked up, operators, calls, attributes and indices."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, NamedTuple

from gradcli.engine.execute.run import execute
from gradcli.errors import GradcliError, Span, UnknownNameError, did_you_mean, quoted, shortened
from gradcli.evaluation.calculate import calculated
from gradcli.evaluation.turn_number import TurnNumber, as_leaf, computed, is_number
from gradcli.graph.arguments import Library, Literal, as_node, kind_of, normalize_axis
from gradcli.graph.dtypes import DEFAULT_DTYPE, DTYPES, FLOAT64
from gradcli.graph.node import INPUT, Node, Number
from gradcli.graph.op import OPS, Op
from gradcli.graph.signature import Signature
from gradcli.language.constants import CONSTANTS, LOOPS, PREFIXES
from gradcli.language.instructions import THROWN_AWAY, Instr
from gradcli.machine.limits import having
from gradcli.ops.elementwise import where
from gradcli.ops.homes import OPERATORS

_WORDS: dict[str, Any] = {"None": None, "True": True, "False": False}

_ATTRIBUTES: dict[str, Callable[[Node], Any]] = {
    "shape": lambda x: x.shape,
    "ndim": lambda x: x.ndim,
    "dtype": lambda x: x.dtype,
}

_QUERIES: dict[str, Callable[..., Any]] = {
    "numel": lambda x: x.size,
    "nelement": lambda x: x.size,
    "dim": lambda x: x.ndim,
    "ndimension": lambda x: x.ndim,
    "element_size": lambda x: x.dtype.itemsize,
    "size": lambda x, dim=None: x.shape if dim is None else x.shape[normalize_axis(dim, x.ndim)],
}


class OwnFunction(NamedTuple):
    """A function of the expression's own; `defaults` is what its last parameters are unless they are given."""

    name: str
    params: tuple[str, ...]
    defaults: dict[str, Any]
    code: list[Instr]


class StackMachine:
    """Carries single steps out on a stack of values, each of which has a place in the source."""

    def __init__(self, source: str, inputs: Mapping[str, Node]) -> None:
        self.source = source
        self.names: dict[str, Any] = dict(inputs)
        self.inputs = inputs
        self.functions: dict[str, OwnFunction] = {}
        self.used: set[str] = set()
        #: Names that are imported, for hints.
        self.offered: Mapping[str, str] = {}
        #: How names are given values, for those who ask.
        self.asking = "give it a value on the command line, as in {}=ones(2,2)"
        self._values: list[Any] = []
        # The place of each value on the stack, from its first character to its last.
        self._places: list[Span] = []

    def _pop(self, count: int) -> tuple[list[Any], list[Span]]:
        if not count:
            return [], []
        values, places = self._values[-count:], self._places[-count:]
        del self._values[-count:], self._places[-count:]
        return values, places

    def _push(self, value: Any, place: Span) -> None:
        self._values.append(value)
        self._places.append(place)

    def _step(self, step: Instr, local: dict[str, Any] | None) -> None:
        op, arg, start, end = step
        if op == "name":
            self._push(self._look_up(arg, local, (start, end)), (start, end))
        elif op == "binary":
            (a, b), (left, right) = self._pop(2)
            self._push(self._binary(arg, a, b, (start, end)), (left[0], right[1]))
        elif op == "number" or op == "string":
            self._push(arg, (start, end))
        elif op == "unary":
            (a,), (place,) = self._pop(1)
            self._push(self._unary(arg, a, (start, end)), (start, place[1]))
        elif op == "call":
            self._call_function(arg, (start, end))
        elif op == "method":
            self._call_method(arg, (start, end))
        elif op == "attribute":
            (a,), (place,) = self._pop(1)
            self._push(self._attribute(a, arg, (start, end)), (place[0], end))
        elif op == "index":
            items, _ = self._pop(arg)
            (a,), (place,) = self._pop(1)
            self._push(self._index(a, items, (start, end)), (place[0], end))
        elif op == "prefix":
            known = arg in self.names or (local is not None and arg in local)
            value = self._look_up(arg, local, (start, end)) if known else Library(PREFIXES[arg])
            self._push(value, (start, end))
        elif op == "library":
            self._push(Library(PREFIXES[arg]), (start, end))
        elif op == "function":
            self._push(self._function(arg[0], local, (start, end)), (start, end))
        elif op == "compare":
            self._push(self._chain(arg), (start, end))
        elif op == "conditional":
            self._push(self._choice((start, end)), (start, end))
        elif op == "store":
            (value,), _ = self._pop(1)
            assert local is not None
            local.update(unpacked(arg, value, (start, end)))
        elif op == "ellipsis":
            self._push(Ellipsis, (start, end))
        elif op == "slice":
            parts, _ = self._pop(sum(arg))
            given = iter(parts)
            self._push(slice(*(next(given) if present else None for present in arg)), (start, end))
        else:
            items, _ = self._pop(arg)
            self._push(Literal(map(as_leaf, items)) if op == "list" else tuple(items), (start, end))

    # Names ------------------------------------------------------------------------------------------------------------

    def _look_up(self, name: str, local: dict[str, Any] | None, place: Span) -> Any:
        if local is not None and name in local:
            return local[name]
        if name in self.names:
            value = self.names[name]
            if value is self.inputs.get(name):
                self.used.add(name)
            return value
        for known in (CONSTANTS, DTYPES, _WORDS):
            if name in known:
                return known[name]
        if name in self.functions or name in LOOPS or OPS.function(name) is not None:
            # What is imported has another name here than where it is written.
            written = self.source[slice(*place)]
            loops = "; each, iterate, fold and scan take its name" if name in self.functions else ""
            row = OPS.function(name)
            given = "2,2" if row is not None and row.args.startswith("*size") else "x"
            hint = self._member_meant(name, place) or f"call it, as in {written}({given}){loops}"
            raise GradcliError(f"{written!r} is a function", span=place, hint=hint)
        if name == THROWN_AWAY:
            hint = "values unpacked to _ are discarded: use another name"
            raise GradcliError(f"unknown name {quoted(name)}", span=place, hint=hint)
        from gradcli.evaluation.other_words import value_meant

        candidates = [*(local or ()), *self.names, *self.offered, *CONSTANTS]
        meant = self._member_meant(name, place) or value_meant(name, self.source.startswith(".", place[1]))
        meant = meant or did_you_mean(name, candidates)
        hint = meant or self.asking.format(shortened(name))
        raise UnknownNameError(f"unknown name {quoted(name)}", span=place, hint=hint)

    def _member_meant(self, name: str, place: Span) -> str | None:
        from gradcli.evaluation.other_words import member_meant

        return member_meant(name, self.source[place[1] :], self.offered)

    def _function(self, name: str, local: dict[str, Any] | None, place: Span) -> Any:
        """What a loop is to call, or else the first argument of the operation that has the name of the loop."""
        if name in self.functions:
            return self.functions[name]
        if name in (local or ()) or name in self.names:
            return self._look_up(name, local, place)
        op = OPS.function(name)
        if op is None:
            raise self._unknown_function(name, place, ())
        return op

    def _unknown_function(self, name: str, place: Span, names: Iterable[str]) -> GradcliError:
        from gradcli.evaluation.names import unknown_function, writable

        return unknown_function(name, place[0], names, writable(self.functions, self.offered))

    # Operations -------------------------------------------------------------------------------------------------------

    def _binary(self, symbol: str, a: Any, b: Any, place: Span) -> Any:
        if isinstance(a, TurnNumber) or isinstance(b, TurnNumber):
            if is_number(a) and is_number(b):
                return computed(partial(calculated, symbol), (a, b))
            a, b = as_leaf(a), as_leaf(b)
        if isinstance(a, Number) and isinstance(b, Number):
            return calculated(symbol, a, b)
        if symbol in ("==", "!=") and not (isinstance(a, Node | Literal) or isinstance(b, Node | Literal)):
            return calculated(symbol, a, b)
        return self._placed(OPS[OPERATORS[symbol, 2]](a, b), place)

    def _chain(self, operators: tuple[str, ...]) -> Any:
        """Comparisons of neighbours, all of which hold."""
        values, places = self._pop(len(operators) + 1)
        result: Any = None
        for k, symbol in enumerate(operators):
            start = self.source.find(symbol, places[k][1])
            place = start, start + len(symbol)
            try:
                held = self._binary(symbol, values[k], values[k + 1], place)
                result = held if k == 0 else self._binary("&", result, held, place)
            except GradcliError as error:
                error.span = error.span or place
                raise
        return result

    def _choice(self, place: Span) -> Any:
        """`a if c else b`: element by element where the condition is a tensor; both values have been computed."""
        (value, condition, other), places = self._pop(3)
        if isinstance(condition, TurnNumber):
            raise GradcliError("a choice that may be another one at each turn")
        if isinstance(condition, Number):
            return value if condition else other
        return self._apply(where, [condition, value, other], [places[1], places[0], places[2]], (), place)

    def _unary(self, symbol: str, a: Any, place: Span) -> Any:
        if symbol == "+":
            return a
        if isinstance(a, TurnNumber):
            return computed(partial(self._unary, symbol, place=place), (a,))
        if isinstance(a, bool) and symbol == "~":
            return not a
        if isinstance(a, Number):
            return -a if symbol == "-" else ~a if isinstance(a, int) else self._fold(OPS[OPERATORS[symbol, 1]], [a], {})
        return self._placed(OPS[OPERATORS[symbol, 1]](a), place)

    def _placed(self, result: Any, place: Span) -> Any:
        """Note the place in the source on the nodes that a step has made."""
        waiting = list(result) if isinstance(result, tuple) else [result]
        while waiting:
            node = waiting.pop()
            if isinstance(node, Node) and node.span is None and node.op is not INPUT:
                node.span = place
                waiting.extend(node.inputs)
        return result

    def _call_function(self, arg: tuple[str, int, tuple[str, ...]], place: Span) -> None:
        name, positional, words = arg
        op = OPS.function(name)
        if op is None and name == "numel" and positional == 1 and not words:
            # The only query that PyTorch has as a function too.
            self._call_method((name, 0, ()), place)
            return
        if op is None:
            raise self._unknown_function(name, place, self.names)
        values, places = self._pop(positional + len(words))
        self._push(self._apply(op, values, places, words, place), place)

    def _call_method(self, arg: tuple[str, int, tuple[str, ...]], place: Span) -> None:
        name, positional, words = arg
        values, places = self._pop(1 + positional + len(words))
        whole = (places[0][0], place[1])
        receiver = values[0]
        where = (place[0], place[0] + len(name))
        if isinstance(receiver, Library):
            # Imported here: few expressions have a prefix.
            from gradcli.libraries.namespaces import function_in, meant_by

            try:
                function: Any = function_in(receiver, name)
            except GradcliError as error:
                from gradcli.evaluation.other_words import surer, written_out

                error.span, error.hint = where, surer(error.hint, written_out(name))
                raise
            texts = [self.source[slice(*p)] for p in places[1:]]
            given = [meant_by(receiver, value, text) for value, text in zip(values[1:], texts, strict=True)]
            self._push(self._apply(function, given, places[1:], words, whole), whole)
            return
        if name in _QUERIES and isinstance(receiver, Node | Literal):
            try:
                query = _QUERIES[name](as_node(receiver), *values[1:])
            except (TypeError, IndexError):
                raise GradcliError(f"{name}() does not take these arguments", span=place) from None
            self._push(query, whole)
            return
        if not isinstance(receiver, Node | Literal | Number):
            raise GradcliError(f"only tensors have methods, this is {kind_of(receiver)}", span=where)
        op = OPS.method(name)
        if op is None:
            from gradcli.evaluation.other_words import function_meant

            hint = function_meant(name, _QUERIES)
            raise GradcliError(f"a tensor has no method {name!r}", span=where, hint=hint)
        self._push(self._apply(op, values, places, words, place), whole)

    def _apply(self, op: Op, values: list[Any], places: list[Span], words: tuple[str, ...], place: Span) -> Any:
        """An operation on values; an error in one argument is reported at that argument."""
        split = len(values) - len(words)
        if any(isinstance(v, TurnNumber) for v in values):
            if op.family != "elementwise" or words or not all(map(is_number, values)):
                raise GradcliError("an argument that is another number at each turn")
            return computed(lambda *numbers: self._fold(op, list(numbers), {}), values)
        keywords = dict(zip(words, values[split:], strict=True))
        try:
            if op.family == "elementwise" and values and all(isinstance(v, Number) for v in values):
                return self._fold(op, values[:split], keywords)
            return self._placed(op(*values[:split], **keywords), place)
        except GradcliError as error:
            error.span = error.span or self._argument_place(error, op.signature, places, words)
            if isinstance(op, Op):
                # Imported here, as are all other hints: only who has made a mistake wants to know.
                from gradcli.evaluation.other_words import call_meant

                error.hint = call_meant(op.name, split, words) or error.hint
            raise

    def _argument_place(
        self, error: GradcliError, signature: Signature, places: list[Span], words: tuple[str, ...]
    ) -> Span | None:
        """The place of the argument that an error is about, of a call whose last arguments are given by `words`."""
        split = len(places) - len(words)
        names = signature.names
        given = [signature.canonical(word) for word in words]
        if error.argument in words:
            return _word_place(self.source, error.argument, places[split + words.index(error.argument)], names)
        if error.argument in given:
            return places[split + given.index(error.argument)]
        if error.argument in names and names.index(error.argument) < split:
            return places[names.index(error.argument)]
        return None

    def _fold(self, op: Op, values: list[Any], keywords: dict[str, Any]) -> Any:
        """A function of numbers is a number, computed in double precision."""
        with having(DEFAULT_DTYPE, FLOAT64):
            node = op(*values, **keywords)
            if isinstance(node, Node):
                return execute([node])[0].item()
        # Several results are tensors.
        return op(*values, **keywords)

    def _attribute(self, value: Any, name: str, place: Span) -> Any:
        if isinstance(value, tuple) and name in getattr(value, "_fields", ()):
            return getattr(value, name)
        if isinstance(value, Library):
            from gradcli.libraries.namespaces import value_in

            try:
                return value_in(value, name)
            except GradcliError as error:
                from gradcli.evaluation.other_words import surer, value_meant

                error.hint = surer(error.hint, value_meant(name, False))
                raise
        if isinstance(value, Literal | Number) and not isinstance(value, bool):
            value = as_node(value)
        if not isinstance(value, Node):
            raise GradcliError(f"only tensors have attributes, this is {kind_of(value)}", span=place)
        if name in _ATTRIBUTES:
            return _ATTRIBUTES[name](value)
        op = OPS.function(name)
        if op is not None and op.attribute:
            return self._placed(op(value), place)
        if op is not None or name in _QUERIES:
            raise GradcliError(f"{name!r} is a method", span=place, hint=f"call it, as in x.{name}()")
        from gradcli.evaluation.other_words import function_meant

        hint = function_meant(name, _ATTRIBUTES)
        raise GradcliError(f"a tensor has no attribute {name!r}", span=place, hint=hint)

    def _index(self, value: Any, items: list[Any], place: Span) -> Any:
        # As in Python, x[(0, 1)] is x[0, 1]: only what stands beside a comma is an item of its own.
        index = items[0] if len(items) == 1 and isinstance(items[0], tuple) else tuple(items)
        if isinstance(value, Node):
            return self._placed(OPS["getitem"](value, index), place)
        if isinstance(value, list | tuple) and len(items) == 1 and isinstance(items[0], int | slice):
            try:
                picked = value[items[0]]
            except IndexError:
                raise GradcliError(f"index {items[0]} is out of range for length {len(value)}", span=place) from None
            except (TypeError, ValueError):
                raise GradcliError("the bounds of a slice must be integers, its step not 0", span=place) from None
            return Literal(picked) if isinstance(value, Literal) and isinstance(items[0], slice) else picked
        if isinstance(value, Literal):
            return self._placed(OPS["getitem"](as_node(value), index), place)
        if isinstance(value, tuple):
            raise GradcliError("a tuple is indexed by one integer or one slice", span=place)
        raise GradcliError("only tensors, lists and tuples can be indexed", span=place)


def unpacked(names: tuple[str, ...], value: Any, place: Span) -> dict[str, Any]:
    """What names stand for that are given a value, or each a part of it, at `place`; nothing that is thrown away."""
    if len(names) == 1:
        return {names[0]: value}
    parts = list(value) if isinstance(value, tuple | list) else None
    if parts is None or len(parts) != len(names):
        have = "one value" if parts is None else f"{len(parts)} values"
        fields = ", ".join(getattr(value, "_fields", ()))
        hint = f"write {fields} = …, and _ for what is not needed" if fields else None
        raise GradcliError(f"{len(names)} names are assigned {have}", span=place, hint=hint)
    return {name: part for name, part in zip(names, parts, strict=True) if name != THROWN_AWAY}


def _word_place(source: str, word: str, value: Span, known: list[str]) -> Span:
    """The place of a keyword argument's value, or of the keyword where that is what is wrong."""
    start = source.rfind(word, 0, value[0])
    return value if word in known or start < 0 else (start, start + len(word))
