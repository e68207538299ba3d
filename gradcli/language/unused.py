"""What to say of an input that an expression does not use: on a command line it is mostly a slip of the pen."""

from __future__ import annotations

from collections.abc import Container, Iterable

from gradcli.errors import GradcliError, Span, closest
from gradcli.language.parse import Script


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
