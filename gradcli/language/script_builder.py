"""The instructions of each alternative of the grammar, put one behind the other while a text is read."""

from __future__ import annotations

import re
from collections.abc import Container
from typing import Any

from gradcli.errors import GradcliError, Span
from gradcli.language.constants import LOOP_WORDS, LOOPS, PREFIXES
from gradcli.language.instructions import THROWN_AWAY, Import, Instr, Statement
from gradcli.language.tokens import imported_hint

_MAX_DIGITS = 4300
_CONSTANTS = frozenset({"None", "True", "False"})
_BODY = "write f(x) = {y = 2*x; y + 1}: statements, and at last the value"
_INDEXED = "write index_put(x, [i], v) or where(mask, v, x), whose result is a new tensor"
# Calls that are statements in Python, and what there is for them here.
_SEED = "leave it out: --seed 0 starts the random numbers anew"
_NEEDLESS = {
    **dict.fromkeys(("manual_seed", "seed", "PRNGKey"), _SEED),
    "backward": "leave it out: gradients stand below the value, and --wrt names the inputs that have one",
    "requires_grad_": "leave it out: --wrt names the inputs whose gradients are wanted",
    **dict.fromkeys(("retain_grad", "register_hook"), "leave it out: `gradcli steps` shows the gradients of all steps"),
    "zero_grad": "leave it out: gradients are computed anew each time",
    "set_default_dtype": "leave it out: --dtype names the dtype of literals",
    "print": "leave it out: the value of the last statement is printed",
}
#: The library that is written in the language itself: the one thing that is imported without quotes.
STANDARD = "std"
# What follows the prefix of imported names, or of a library.
_MEMBER = r"\s*\.\s*[^\W\d]"
# Steps whose values are never tuples.
_NO_TUPLES = frozenset({"number", "string", "ellipsis", "unary", "binary", "compare", "list", "slice"})


class _Arguments:
    """The arguments of a call while they are read.

    Keywords with where they start, how much code there is after each argument, and the place of the first.
    """

    __slots__ = ("positional", "keywords", "ends", "first")

    def __init__(self) -> None:
        self.positional = 0
        self.ends: list[int] = []
        self.first: Span = (0, 0)
        self.keywords: dict[str, int] = {}

    def packed(self, name: str) -> tuple[str, int, tuple[str, ...]]:
        return name, self.positional, tuple(self.keywords)


class ScriptBuilder:
    """One method an aliased alternative of the grammar, which emits its instruction.

    `v` holds the values of its symbols: the text of a terminal, or what the symbol's own method returned; `at` holds
    where they start, and the last of them ends at `end`.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        self.code: list[Instr] = []
        self.statements: list[Statement] = []
        # Of the body that is being read: the code of its statements, and the last of them if that is an expression.
        self.body_code: list[Instr] = []
        self.body_value: Statement | None = None
        self.defined: set[str] = set()
        self.imports: list[Import] = []
        self.prefixes: dict[str, str] = {}
        # Prefixes whose name is still to come, by where they start.
        self.begun: dict[int, str] = {}
        # Those of the last call.
        self.arguments = _Arguments()

    def error(self, message: str, span: Span, hint: str | None = None) -> GradcliError:
        return GradcliError(message, source=self.source, span=span, hint=hint)

    def import_names(self, v: list[Any], at: list[int], end: int) -> None:
        place = at[1], at[1] + len(v[1])
        target = v[1][1:-1] if v[1][0] in "'\"" else v[1]
        if target == v[1] and target != STANDARD:
            raise self.error(f"{target} cannot be imported", place, imported_hint(target))
        if self.statements:
            hint = "put it before everything else"
            raise self.error("imports come first", (at[0], end), hint)
        prefix = v[3] if len(v) > 2 else ""
        if prefix:
            where = at[3], at[3] + len(prefix)
            self._check_assignable(prefix, where)
            if prefix in self.prefixes:
                raise self.error(f"two imports are called {prefix!r}", where)
            self.prefixes[prefix] = target
        self.imports.append(Import(target, prefix, place, (at[0], end)))

    def name(self, v: list[Any], at: list[int], end: int) -> None:
        if v[0] in self.prefixes:
            if re.compile(_MEMBER).match(self.source, end) is None:
                raise self._no_value(v[0], at[0])
            self.begun[at[0]] = v[0]
            return
        is_prefix = v[0] in PREFIXES and re.compile(_MEMBER).match(self.source, end) is not None
        self.code.append(Instr("prefix" if is_prefix else "name", v[0], at[0], end))

    def number(self, v: list[Any], at: list[int], end: int) -> None:
        text = v[0].replace("_", "")
        if text[1:2] in ("x", "X", "b", "B", "o", "O"):
            value: int | float = int(text, 0)
        elif not text.isdigit():
            value = float(text)
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

    def chain_first(self, v: list[Any], at: list[int], end: int) -> list[tuple[str, int]]:
        return [(v[1], at[1])]

    def chain_next(self, v: list[Any], at: list[int], end: int) -> list[tuple[str, int]]:
        operators: list[tuple[str, int]] = v[0]
        operators.append((v[1], at[1]))
        return operators

    def comparison(self, v: list[Any], at: list[int], end: int) -> None:
        operators: list[tuple[str, int]] = v[0]
        if len(operators) == 1:
            ((symbol, start),) = operators
            self.code.append(Instr("binary", symbol, start, start + len(symbol)))
        else:
            self.code.append(Instr("compare", tuple(symbol for symbol, _ in operators), at[0], end))

    def conditional(self, v: list[Any], at: list[int], end: int) -> None:
        self.code.append(Instr("conditional", None, at[0], end))

    def unary(self, v: list[Any], at: list[int], end: int) -> None:
        self.code.append(Instr("unary", v[0], at[0], end))

    def group(self, v: list[Any], at: list[int], end: int) -> None:
        """Parentheses leave nothing but the place where they start."""

    def _no_value(self, prefix: str, start: int) -> GradcliError:
        message = f"{prefix} stands for {self.prefixes[prefix]} and has no value"
        return self.error(
            message, (start, start + len(prefix)), f"follow it with a dot and a name, as in {prefix}.f(x)"
        )

    def call(self, v: list[Any], at: list[int], end: int) -> None:
        if v[0] in self.prefixes:
            raise self._no_value(v[0], at[0])
        self.arguments = v[2]
        if (v[0] in LOOPS or v[0] in LOOP_WORDS) and v[2].positional and v[0] not in self.defined:
            self._name_function(v[2])
        self.code.append(Instr("call", v[2].packed(v[0]), at[0], end))

    def _name_function(self, arguments: _Arguments) -> None:
        """The first argument of a loop is a function, if it is a name."""
        place = arguments.ends[0] - 1
        step = self.code[place]
        if step.op == "name" and (step.start, step.end) == arguments.first:
            self.code[place] = Instr("function", (step.arg,), step.start, step.end)

    def method(self, v: list[Any], at: list[int], end: int) -> None:
        if at[0] in self.begun:
            self.call([f"{self.begun.pop(at[0])}.{v[2]}", "(", v[4]], at, end)
            return
        self.code.append(Instr("method", v[4].packed(v[2]), at[2], end))

    def attribute(self, v: list[Any], at: list[int], end: int) -> None:
        if at[0] in self.begun:
            self.code.append(Instr("name", f"{self.begun.pop(at[0])}.{v[2]}", at[0], end))
            return
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
            arguments.keywords[keyword] = start
        elif arguments.keywords:
            raise self.error(
                "a positional argument follows a keyword argument", (start, end), "put the keyword arguments last"
            )
        else:
            arguments.positional += 1
        if not arguments.ends:
            arguments.first = start, end
        arguments.ends.append(len(self.code))
        return arguments

    def _check_assignable(self, name: str, span: Span) -> None:
        if name in _CONSTANTS:
            raise self.error(f"{name} cannot be assigned to", span)
        if "." in name:
            raise self.error(f"{name} cannot be assigned to", span, "a name that is assigned has no dot")

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
            indexed = any(step.op == "index" for step in code)
            raise self.error("only a name can be assigned to", span, _INDEXED if indexed else "use == to compare")
        seen = set()
        for step in code:
            place = step.start, step.end
            self._check_assignable(step.arg, place)
            if step.arg in seen and step.arg != THROWN_AWAY:
                hint = f"unpack values that are not needed to {THROWN_AWAY}"
                raise self.error(f"the name {step.arg!r} is assigned twice", place, hint)
            seen.add(step.arg)
        spans = tuple((step.start, step.end) for step in code)
        return Statement("assign", [], span, names=tuple(step.arg for step in code), name_spans=spans)

    def _definition(self, code: list[Instr], span: Span) -> Statement:
        name, positional, keywords = code.pop().arg
        ends = self.arguments.ends
        if code and code[0].op == "function":
            # What is being defined is called like a loop.
            code[0] = Instr("name", code[0].arg[0], code[0].start, code[0].end)
        given = [code[start:end] for start, end in zip([0, *ends], ends, strict=False)]
        if not all(len(one) == 1 and one[0].op == "name" for one in given[:positional]):
            raise self.error("the parameters of a function must be names", span, "write f(t) = t**2, or == to compare")
        spans = [(span[0], span[0] + len(name)), *((one[0].start, one[0].end) for one in given[:positional])]
        spans += [(start, start + len(word)) for word, start in self.arguments.keywords.items()]
        params = (*(one[0].arg for one in given[:positional]), *keywords)
        seen: set[str] = set()
        for i, (param, place) in enumerate(zip((name, *params), spans, strict=True)):
            self._check_assignable(param, place)
            if param in seen:
                raise self.error(f"the parameter {param!r} appears twice", place)
            if i:
                seen.add(param)
        defaults = tuple(given[positional:])
        self.defined.add(name)
        return Statement("define", [], span, name=name, params=params, name_spans=tuple(spans), defaults=defaults)

    def assignment(self, v: list[Any], at: list[int], end: int) -> None:
        statement: Statement = v[0]
        self.statements.append(statement._replace(code=self.code, span=(statement.span[0], end)))
        self.code = []

    def definition(self, v: list[Any], at: list[int], end: int) -> None:
        if v[0].kind != "define":
            raise self.error("braces hold the statements of a function", (at[1], at[1] + 1), _BODY)
        self.assignment(v, at, end)

    def opening(self, v: list[Any], at: list[int], end: int) -> None:
        self.body_code, self.body_value = [], None

    def local_result(self, v: list[Any], at: list[int], end: int) -> None:
        self._check_vain()
        self.body_value = Statement("expression", self.code, (at[0], end))
        self.code = []

    def local_assignment(self, v: list[Any], at: list[int], end: int) -> None:
        self._check_vain()
        statement: Statement = v[0]
        if statement.kind == "define":
            raise self.error(
                "a function cannot be defined inside another one", statement.span, "put it before this one"
            )
        self.body_code += [*self.code, Instr("store", statement.names, *statement.span)]
        self.code = []

    def body(self, v: list[Any], at: list[int], end: int) -> None:
        """The code of all the statements between braces, the value at its end."""
        if self.body_value is None:
            raise self.error("the braces end without a value", (end - 1, end), _BODY)
        self.code = [*self.body_code, *self.body_value.code]

    def _check_vain(self) -> None:
        if self.body_value is not None:
            raise self._in_vain(self.body_value)

    def _in_vain(self, statement: Statement) -> GradcliError:
        last = statement.code[-1]
        hint = _NEEDLESS.get(last.arg[0]) if last.op in ("call", "method") else None
        hint = hint or "assign it to a name, or put parentheses around an expression that continues on the next line"
        return self.error("the value of this expression is not used", statement.span, hint)

    def result(self, v: list[Any], at: list[int], end: int) -> None:
        self.statements.append(Statement("expression", self.code, (at[0], end)))
        self.code = []

    def bare_tuple(self, v: list[Any], at: list[int], end: int) -> None:
        raise self.error("a tuple is written in parentheses", (at[0], end), "write (a, b)")

    def definitions(self) -> list[Statement]:
        """All statements of a text that only defines something."""
        for statement in self.statements:
            if statement.kind == "expression":
                hint = "f(x) = …, or a name with a value"
                raise self.error("an imported file holds definitions, not expressions", statement.span, hint)
        return self.statements

    def finished(self, last: Container[str]) -> list[Statement]:
        """All statements, once no expression but the last is known to be in vain, and that one is of a kind in `last`.

        There may be none beside what is imported where the last may be a definition.
        """
        if not self.statements:
            if self.imports and "define" in last:
                return []
            raise GradcliError("the expression is empty", hint="write it after the imports" if self.imports else None)
        *before, ending = self.statements
        for statement in before:
            if statement.kind == "expression":
                raise self._in_vain(statement)
        if ending.kind not in last:
            what = "an assignment" if ending.kind == "assign" else "a definition"
            raise self.error(f"the last statement is {what}; end with the expression to evaluate", ending.span)
        return self.statements
