"""What a program needs from outside: the names that it does not define itself."""

from __future__ import annotations

from collections.abc import Sequence

from gradcli.errors import GradcliError, did_you_mean
from gradcli.evaluation.interpret import unknown_function
from gradcli.graph.dtypes import DTYPES
from gradcli.graph.node import OPS
from gradcli.language.parse import Instr, Program, Statement
from gradcli.language.unused import unused_input
from gradcli.tensors.functions import CONSTANTS

_KNOWN = frozenset({"None", "True", "False", *CONSTANTS, *DTYPES})


def free_names(program: Program, given: Sequence[str] = ()) -> list[str]:
    """The inputs of a program in the order of their appearance; a constant such as `e` is one only where it is given.

    GradcliError where a function is called that does not exist.
    """
    known = _KNOWN - set(given)
    functions: dict[str, list[Statement]] = {}
    for statement in program.statements:
        if statement.kind == "define":
            functions.setdefault(statement.name, []).append(statement)
    assigned = {name for statement in program.statements for name in statement.names}
    found: dict[str, None] = {}
    bound: set[str] = set()
    entered: set[str] = set()
    for statement in program.statements:
        if statement.kind == "define":
            continue
        # What a function reads beside its parameters is looked up when it is called.
        waiting: list[tuple[list[Instr], set[str]]] = [(statement.code, bound)]
        while waiting:
            code, local = waiting.pop()
            for step in code:
                if step.op == "name" and step.arg not in local and step.arg not in known:
                    found.setdefault(step.arg)
                elif step.op == "call":
                    name = step.arg[0]
                    if name in functions and name not in entered:
                        entered.add(name)
                        waiting += [(body.code, assigned | set(body.params)) for body in functions[name]]
                    elif name not in functions and (name not in OPS or not OPS[name].public):
                        error = unknown_function(name, step.start, [*found, *assigned, *given], list(functions))
                        error.source = program.source
                        raise error
        bound.update(statement.names)
    return list(found)


def check_wanted(wanted: Sequence[str], names: Sequence[str]) -> None:
    """Refuse to differentiate what is no input."""
    for name in wanted:
        if name not in names:
            known = did_you_mean(name, list(names)) or f"the inputs are {', '.join(names) or 'none'}"
            raise GradcliError(f"there is no input {name!r} to differentiate", hint=known)


def choose_names(program: Program, shared: Sequence[str], asked: Sequence[str] | None) -> list[str]:
    """The inputs that each record gives: those asked for, or all that are not shared."""
    needed = free_names(program, [*shared, *(asked or ())])
    for name in (*shared, *(asked or ())):
        if name not in needed:
            raise unused_input(name, program)
    left = [name for name in needed if name not in shared]
    if asked is not None:
        both = [name for name in asked if name in shared]
        if both:
            raise GradcliError(f"the input {both[0]!r} is given twice", hint="it comes with the records, or with all")
        missing = [name for name in left if name not in asked]
        if missing:
            hint = f"add it to --name, or give it a value, as in {missing[0]}=ones(2,2)"
            raise GradcliError(f"no record gives the input {missing[0]!r}", hint=hint)
        return list(asked)
    if not left:
        hint = "use a name, as in 'sum(x**2)' for lines like {\"x\": [1, 2]}"
        raise GradcliError("the expression needs nothing from the records", hint=hint)
    return left
