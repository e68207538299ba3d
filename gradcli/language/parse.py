"""Source text to a script of flat postfix code, and back: nothing here recurses, and no tree is built.

The loop in `parse` runs the LALR(1) tables of `grammar/expression.lark` and calls one method of `_Builder` for each
aliased alternative of the grammar. An LR parser reduces in postfix order, so a method only appends its instruction.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from typing import Any, NamedTuple

from gradcli.errors import GradcliError, Span, closest
from gradcli.language.lalr import Tables, tables
from gradcli.language.tokens import Token, tokens, unexpected

_MAX_DIGITS = 4300
_CONSTANTS = frozenset({"None", "True", "False"})
#: The name of a value that is unpacked and not needed.
THROWN_AWAY = "_"
# Steps whose values are never tuples.
_NO_TUPLES = frozenset({"number", "string", "ellipsis", "unary", "binary", "list", "slice"})


class Instr(NamedTuple):
    """One step of a stack machine; `start` and `end` are its place in the source.

    op, arg and what it pops, before it pushes one value:
    number (int or float), name (str), string (str), ellipsis (None): nothing;
    unary (operator): 1; binary (operator): 2, the place being the operator; attribute (name): 1;
    call (name, positional, keyword names): the arguments, keywords last; method (the same): those and the receiver
    below them; list, tuple (length): the elements; slice (three flags: has start, stop, step): what is present;
    index (number of items, at least 1): the items and the receiver below them.
    """

    op: str
    arg: Any
    start: int
    end: int


class Statement(NamedTuple):
    """`names = code`, `name(params) = code` or a final `code`, by `kind`: "assign", "define" or "expression".

    `name_spans` are the places of `names`, or of `name` and then `params`.
    """

    kind: str
    code: list[Instr]
    span: Span
    names: tuple[str, ...] = ()
    name: str = ""
    params: tuple[str, ...] = ()
    name_spans: tuple[Span, ...] = ()

    @property
    def bound(self) -> tuple[str, ...]:
        """The names that stand for something afterwards: among several, `_` throws its value away."""
        return tuple([name for name in self.names if name != THROWN_AWAY or len(self.names) == 1])


class Script(NamedTuple):
    """The statements of a source text, the last of them the expression to evaluate."""

    source: str
    statements: list[Statement]


def parse(source: str, *, value: bool = True) -> Script:
    """The script of a source text; a GradcliError with the place of the first mistake when it is not one.

    Without `value` the last statement need not be an expression.

    >>> [(step.op, step.arg) for step in parse("2*x + 1").statements[-1].code]
    [('number', 2), ('name', 'x'), ('binary', '*'), ('number', 1), ('binary', '+')]
    """
    lalr = tables()
    states = lalr.states
    builder = _Builder(source)
    rules = [(origin, size, getattr(builder, action) if action else None) for origin, size, action in lalr.rules]
    stack = [0]
    values: list[Any] = [None]
    starts = [0]
    reached: dict[tuple[int, str, str], int] = {}
    previous: Token | None = None
    end = 0
    for token in tokens(source, lalr):
        kind, text, start = token
        while (step := states[stack[-1]].get(kind, 0)) < 0:
            origin, size, action = rules[~step]
            first = len(stack) - size
            v, at = values[first:], starts[first:] or [end]
            del stack[first:], values[first:], starts[first:]
            place = stack[-1], origin, kind
            state = reached.get(place) or reached.setdefault(place, _reach(lalr, *place))
            stack.append(state)
            values.append(action(v, at, end) if action else v[0] if v else None)
            starts.append(at[0])
        if not step:
            raise unexpected(source, token, previous)
        stack.append(step)
        values.append(text)
        starts.append(start)
        previous = token
        end = start + len(text)
    return Script(source, builder.finished(value))


def _reach(lalr: Tables, below: int, symbol: str, kind: str) -> int:
    """The state after `symbol` on top of `below`, past the levels of precedence that it only passes before `kind`."""
    state = lalr.states[below][symbol]
    while (step := lalr.states[state].get(kind, 0)) < 0:
        symbol, size, action = lalr.rules[~step]
        if size != 1 or action:
            break
        state = lalr.states[below][symbol]
    return state


class _Arguments:
    """The arguments of a call while they are read."""

    __slots__ = ("positional", "keywords")

    def __init__(self) -> None:
        self.positional = 0
        self.keywords: dict[str, None] = {}

    def packed(self, name: str) -> tuple[str, int, tuple[str, ...]]:
        return name, self.positional, tuple(self.keywords)


class _Builder:
    """One method an aliased alternative of the grammar, which emits its instruction.

    `v` holds the values of its symbols: the text of a terminal, or what the symbol's own method returned; `at` holds
    where they start, and the last of them ends at `end`.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        self.code: list[Instr] = []
        self.statements: list[Statement] = []

    def error(self, message: str, span: Span, hint: str | None = None) -> GradcliError:
        return GradcliError(message, source=self.source, span=span, hint=hint)

    def name(self, v: list[Any], at: list[int], end: int) -> None:
        self.code.append(Instr("name", v[0], at[0], end))

    def number(self, v: list[Any], at: list[int], end: int) -> None:
        text = v[0].replace("_", "")
        if not text.isdigit():
            value: int | float = float(text)
        elif len(text) <= _MAX_DIGITS:
            value = int(text)
        else:
            raise self.error(
                f"the number has {len(text)} digits; an integer can have {_MAX_DIGITS}",
                (at[0], end),
                "write it with an exponent: 1e100",
            )
        self.code.append(Instr("number", value, at[0], end))

    def string(self, v: list[Any], at: list[int], end: int) -> None:
        self.code.append(Instr("string", v[0][1:-1], at[0], end))

    def ellipsis(self, v: list[Any], at: list[int], end: int) -> None:
        self.code.append(Instr("ellipsis", None, at[0], end))

    def binary(self, v: list[Any], at: list[int], end: int) -> None:
        self.code.append(Instr("binary", v[1], at[1], at[1] + len(v[1])))

    def unary(self, v: list[Any], at: list[int], end: int) -> None:
        self.code.append(Instr("unary", v[0], at[0], end))

    def group(self, v: list[Any], at: list[int], end: int) -> None:
        """Parentheses leave nothing but the place where they start."""

    def call(self, v: list[Any], at: list[int], end: int) -> None:
        self.code.append(Instr("call", v[2].packed(v[0]), at[0], end))

    def method(self, v: list[Any], at: list[int], end: int) -> None:
        self.code.append(Instr("method", v[4].packed(v[2]), at[2], end))

    def attribute(self, v: list[Any], at: list[int], end: int) -> None:
        self.code.append(Instr("attribute", v[2], at[2], end))

    def index(self, v: list[Any], at: list[int], end: int) -> None:
        self.code.append(Instr("index", v[2], at[1], end))

    def index_comma(self, v: list[Any], at: list[int], end: int) -> None:
        """An index with a comma at its end: x[i,] is x[(i,)], which matters where i is a tuple."""
        if v[2] == 1 and self.code[-1].op not in _NO_TUPLES:
            self.code.append(Instr("tuple", 1, self.code[-1].start, end))
        self.index(v, at, end)

    def bound(self, v: list[Any], at: list[int], end: int) -> bool:
        return True

    def slice(self, v: list[Any], at: list[int], end: int) -> None:
        has_start, has_stop, has_step = (bool(bound) for bound in [*v[::2], None][:3])
        self.code.append(Instr("slice", (has_start, has_stop, has_step), at[0] if has_start else at[1], end))

    def count_first(self, v: list[Any], at: list[int], end: int) -> int:
        return 1

    def count_next(self, v: list[Any], at: list[int], end: int) -> int:
        count: int = v[0]
        return count + 1

    def tuple_empty(self, v: list[Any], at: list[int], end: int) -> None:
        self.code.append(Instr("tuple", 0, at[0], end))

    def tuple_one(self, v: list[Any], at: list[int], end: int) -> None:
        self.code.append(Instr("tuple", 1, at[0], end))

    def tuple_more(self, v: list[Any], at: list[int], end: int) -> None:
        self.code.append(Instr("tuple", 1 + v[3], at[0], end))

    def list_empty(self, v: list[Any], at: list[int], end: int) -> None:
        self.code.append(Instr("list", 0, at[0], end))

    def list_more(self, v: list[Any], at: list[int], end: int) -> None:
        self.code.append(Instr("list", v[1], at[0], end))

    def arguments_none(self, v: list[Any], at: list[int], end: int) -> _Arguments:
        return _Arguments()

    def argument_first(self, v: list[Any], at: list[int], end: int) -> _Arguments:
        return self._argument(_Arguments(), v[0], at[0], end)

    def argument_next(self, v: list[Any], at: list[int], end: int) -> _Arguments:
        return self._argument(v[0], v[2], at[2], end)

    def keyword(self, v: list[Any], at: list[int], end: int) -> str:
        name: str = v[0]
        self._check_assignable(name, (at[0], at[0] + len(name)))
        return name

    def _argument(self, arguments: _Arguments, keyword: str | None, start: int, end: int) -> _Arguments:
        if keyword is not None:
            if keyword in arguments.keywords:
                raise self.error(f"the keyword {keyword!r} appears twice", (start, start + len(keyword)))
            arguments.keywords[keyword] = None
        elif arguments.keywords:
            raise self.error(
                "a positional argument follows a keyword argument", (start, end), "put the keyword arguments last"
            )
        else:
            arguments.positional += 1
        return arguments

    def _check_assignable(self, name: str, span: Span) -> None:
        if name in _CONSTANTS:
            raise self.error(f"{name} cannot be assigned to", span)

    def head(self, v: list[Any], at: list[int], end: int) -> Statement:
        """The statement that begins with the code read so far and "="; its own code is still to come."""
        code, self.code = self.code, []
        start = at[0]
        span = start, start + len(self.source[start : at[1]].rstrip())
        last = code[-1]
        if last.op == "call" and last.start == start:
            return self._definition(code, span)
        if last.op == "tuple" and last.start == start and last.arg:
            code.pop()
        if not all(step.op == "name" for step in code):
            raise self.error("only a name can be assigned to", span, "use == to compare")
        seen = set()
        for step in code:
            place = step.start, step.end
            self._check_assignable(step.arg, place)
            if step.arg in seen and step.arg != THROWN_AWAY:
                hint = f"what is not needed is unpacked to {THROWN_AWAY}"
                raise self.error(f"the name {step.arg!r} is assigned twice", place, hint)
            seen.add(step.arg)
        spans = tuple((step.start, step.end) for step in code)
        return Statement("assign", [], span, names=tuple(step.arg for step in code), name_spans=spans)

    def _definition(self, code: list[Instr], span: Span) -> Statement:
        name, positional, keywords = code.pop().arg
        if keywords or len(code) != positional or not all(step.op == "name" for step in code):
            raise self.error(
                "the parameters of a function are plain names", span, "write f(t) = t**2, or == to compare"
            )
        spans = [(span[0], span[0] + len(name)), *((step.start, step.end) for step in code)]
        params = tuple(step.arg for step in code)
        seen: set[str] = set()
        for i, (param, place) in enumerate(zip((name, *params), spans, strict=True)):
            self._check_assignable(param, place)
            if param in seen:
                raise self.error(f"the parameter {param!r} appears twice", place)
            if i:
                seen.add(param)
        return Statement("define", [], span, name=name, params=params, name_spans=tuple(spans))

    def assignment(self, v: list[Any], at: list[int], end: int) -> None:
        statement: Statement = v[0]
        self.statements.append(statement._replace(code=self.code, span=(statement.span[0], end)))
        self.code = []

    def result(self, v: list[Any], at: list[int], end: int) -> None:
        self.statements.append(Statement("expression", self.code, (at[0], end)))
        self.code = []

    def bare_tuple(self, v: list[Any], at: list[int], end: int) -> None:
        raise self.error("a tuple is written in parentheses", (at[0], end), "write (a, b)")

    def finished(self, value: bool) -> list[Statement]:
        """All statements, once no expression but the last is known to be in vain, and that one to be there."""
        if not self.statements:
            raise GradcliError("the expression is empty")
        *before, last = self.statements
        for statement in before:
            if statement.kind == "expression":
                raise self.error(
                    "the value of this expression is not used",
                    statement.span,
                    "assign it to a name, or put brackets around an expression that goes on in the next line",
                )
        if value and last.kind != "expression":
            what = "an assignment" if last.kind == "assign" else "a definition"
            raise self.error(f"the last statement is {what}; end with the expression to evaluate", last.span)
        return self.statements


def unparse(script: Script) -> str:
    """The canonical text of a script: one line, as few parentheses as possible.

    >>> unparse(parse("y = (3 * x) ; mean( 2*((y+7)**2), )"))
    'y = 3*x; mean(2*(y + 7)**2)'
    """
    # Imported here: evaluating an expression does not print it.
    from gradcli.language.unparse import written

    parts = []
    for statement in script.statements:
        left = ", ".join(statement.names)
        if statement.kind == "define":
            left = f"{statement.name}({', '.join(statement.params)})"
        parts.append((f"{left} = " if left else "") + written(statement.code))
    return "; ".join(parts)


def refuse_unused(given: Iterable[str], used: Container[str], script: Script) -> None:
    """Refuse the first input that is given and not used."""
    for name in given:
        if name not in used:
            raise unused_input(name, script)


def unused_input(name: str, script: Script) -> GradcliError:
    """The error for an input that `script` never reads, with the place and the name that may have been meant."""
    span, hint = _own_meaning(name, script)
    if hint is None:
        read = {
            step.arg: (step.start, step.end)
            for statement in script.statements
            for step in statement.code[::-1]
            if step.op == "name"
        }
        meant = next((other for other in read if other.lower() == name.lower()), None) or closest(name, list(read))
        span = None if meant is None else read[meant]
        hint = "leave it out, or use it in the expression" if meant is None else f"did you mean {meant!r}?"
    return GradcliError(f"the input {name!r} is never used", source=script.source, span=span, hint=hint)


def _own_meaning(name: str, script: Script) -> tuple[Span | None, str | None]:
    """Where the expression itself gives the name another meaning, and what to do about it."""
    for statement in script.statements:
        if statement.kind == "define" and name in statement.params:
            place = statement.name_spans[1 + statement.params.index(name)]
            return place, f"here {name!r} is an argument of {statement.name}(); leave the input out, or rename one"
        if statement.kind == "define" and name == statement.name:
            return statement.name_spans[0], "here it is a function; leave the input out, or rename one"
        if name in statement.names:
            place = statement.name_spans[statement.names.index(name)]
            return place, "here it gets a value of its own; leave the input out, or rename one"
    return None, None
