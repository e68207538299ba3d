"""Source text to a script of flat postfix code, and back: nothing here recurses, and no tree is built.

The loop in `_built` runs the LALR(1) tables of `grammar/expression.lark` and calls one method of `ScriptBuilder` for
each aliased alternative of the grammar. An LR parser reduces in postfix order, so a method only appends its
instruction.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from functools import lru_cache
from typing import Any

from gradcli.errors import GradcliError, Span, Texts, closest
from gradcli.language.instructions import LOOKS_UP, Instr, Script, Statement
from gradcli.language.lalr import Tables, tables
from gradcli.language.script_builder import ScriptBuilder
from gradcli.language.tokens import Token, tokens, unexpected

# Longer definitions are read anew each time: keeping them would cost more memory than it saves time.
_LONGEST_KEPT = 50_000


#: What a text may end with: something that has a value, an expression alone, or anything.
COMPUTATION, EXPRESSION, ANYTHING = ("expression", "assign"), ("expression",), ("expression", "assign", "define")


def parse(source: str, last: tuple[str, ...] = COMPUTATION) -> Script:
    """The script of a source text; a GradcliError with the place of the first mistake when it is not one.

    `last` has the kinds of statements that it may end with. The value is that of the last one, an assignment's as well.

    >>> [(step.op, step.arg) for step in parse("2*x + 1").statements[-1].code]
    [('number', 2), ('name', 'x'), ('binary', '*'), ('number', 1), ('binary', '+')]
    """
    text = source.text(0) if isinstance(source, Texts) else source
    builder = _built(text)
    script = Script(text, builder.finished(last), tuple(builder.imports))
    if not script.imports:
        return script
    # Imported here: few expressions import anything.
    from gradcli.language.linking import linked

    return linked(source, script, _definitions)


def imports_first(source: str) -> tuple[dict[str, str], str]:
    """What a text imports, as it is written, by prefix or name, and the text with blanks for that."""
    found, rest = {}, source
    for one in _built(source).imports:
        start, end = one.span
        found[one.prefix or one.target] = source[start:end]
        rest = rest[:start] + " " * (end - start) + rest[end:]
    return found, rest


def _definitions(source: str) -> Script:
    """The script of a text that only defines something."""
    return _kept(source) if len(source) <= _LONGEST_KEPT else _read(source)


def _read(source: str) -> Script:
    builder = _built(source)
    return Script(source, builder.definitions(), tuple(builder.imports))


#: Many expressions may import the same.
_kept = lru_cache(maxsize=8)(_read)


def _built(source: str) -> ScriptBuilder:
    """What the statements of one text come to."""
    lalr = tables()
    states, rules, reached = lalr.states, lalr.rules, lalr.reached
    builder = ScriptBuilder(source)
    stack = [0]
    values: list[Any] = [None]
    starts = [0]
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
            values.append(getattr(builder, action)(v, at, end) if action else v[0] if v else None)
            starts.append(at[0])
        if not step:
            raise unexpected(source, token, previous)
        stack.append(step)
        values.append(text)
        starts.append(start)
        previous = token
        end = start + len(text)
    return builder


def _reach(lalr: Tables, below: int, symbol: str, kind: str) -> int:
    """The state after `symbol` on top of `below`, past the levels of precedence that it only passes before `kind`."""
    state = lalr.states[below][symbol]
    while (step := lalr.states[state].get(kind, 0)) < 0:
        symbol, size, action = lalr.rules[~step]
        if size != 1 or action:
            break
        state = lalr.states[below][symbol]
    return state


def unparse(script: Script) -> str:
    """The canonical text of a script: one line, as few parentheses as possible.

    >>> unparse(parse("y = (3 * x) ; mean( 2*((y+7)**2), )"))
    'y = 3*x; mean(2*(y + 7)**2)'
    """
    # Imported here: evaluating an expression does not print it.
    from gradcli.language.unparse import written

    parts = []
    for one in script.imports:
        quote = "'" if '"' in one.target else '"'
        parts.append(f"import {quote}{one.target}{quote}" + (f" as {one.prefix}" if one.prefix else ""))
    names = {called: name for name, called in script.offered.items()}
    for statement in script.statements[script.borrowed :]:
        statement = _as_written(statement, names) if names else statement
        left = ", ".join(statement.names)
        if statement.kind == "define":
            plain = statement.params[: len(statement.params) - len(statement.defaults)]
            rest = zip(statement.params[len(plain) :], statement.defaults, strict=True)
            left = f"{statement.name}({', '.join([*plain, *(f'{name}={written(code)}' for name, code in rest)])})"
        parts.append((f"{left} = " if left else "") + _body(statement.code, written))
    return "; ".join(parts)


def _as_written(statement: Statement, names: dict[str, str]) -> Statement:
    """A statement with what it imports under the names that these have there."""

    def written(code: list[Instr]) -> list[Instr]:
        found = []
        for step in code:
            if step.op == "name":
                step = step._replace(arg=names.get(step.arg, step.arg))
            elif step.op in ("call", "function"):
                step = step._replace(arg=(names.get(step.arg[0], step.arg[0]), *step.arg[1:]))
            found.append(step)
        return found

    defaults = tuple(written(code) for code in statement.defaults)
    return statement._replace(code=written(statement.code), defaults=defaults)


def _body(code: list[Instr], written: Callable[[list[Instr]], str]) -> str:
    """The text of a code, in braces where it has statements."""
    parts, start = [], 0
    for place, step in enumerate(code):
        if step.op == "store":
            parts.append(f"{', '.join(step.arg)} = {written(code[start:place])}")
            start = place + 1
    value = written(code[start:])
    return f"{{{'; '.join([*parts, value])}}}" if parts else value


def refuse_unused(given: Iterable[str], used: Container[str], script: Script) -> None:
    """Refuse the first input that is given and not used."""
    for name in given:
        if name not in used:
            raise unused_input(name, script)


def refuse_imported(given: Iterable[str], script: Script) -> None:
    """Refuse the first input whose name the expression uses for what it imports."""
    for name in given:
        if name in script.offered and (place := _use_of(script.offered[name], script)):
            hint = f'rename one, or import with a prefix: import "…" as a; a.{name}'
            message = f"{name!r} is an input, and here it is {script.offered[name]}, which is imported"
            raise GradcliError(message, source=script.source, span=place, hint=hint)


def _use_of(name: str, script: Script) -> Span | None:
    """Where the expression itself reads a name."""
    codes = [statement.code for statement in script.statements[script.borrowed :]]
    return next(((s.start, s.end) for code in codes for s in code if s.op == "name" and s.arg == name), None)


def unused_input(name: str, script: Script) -> GradcliError:
    """The error for an input that `script` never reads, with the place and the name that may have been meant."""
    span, hint = _own_meaning(name, script)
    if hint is None:
        read = {
            step.arg: (step.start, step.end)
            for statement in script.statements
            for step in statement.code[::-1]
            if step.op in LOOKS_UP
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
