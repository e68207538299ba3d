"""What a script needs from outside: the names that it does not define itself."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from gradcli.errors import GradcliError, quoted, written_in
from gradcli.graph.dtypes import DTYPES
from gradcli.graph.op import OPS
from gradcli.language.constants import CONSTANTS, LOOPS
from gradcli.language.instructions import LOOKS_UP, Instr, Script, Statement

_KNOWN = frozenset({"None", "True", "False", *CONSTANTS, *DTYPES})


def may_draw(text: str) -> bool:
    """Whether a text may draw random numbers: it has the name of an operation that does."""
    return any(_draws(word) for word in set(re.findall(r"[^\W\d]\w*", text)))


def draws(text: str) -> bool:
    """Whether a text calls an operation that draws random numbers."""
    return any(_draws(word) for word in re.findall(r"\b(\w+)\s*\(", text))


def _draws(name: str) -> bool:
    op = OPS.function(name)
    return op is not None and op.draws


def free_names(script: Script, given: Sequence[str] = ()) -> list[str]:
    """The inputs of a script in the order of their appearance; a constant such as `e` is one only where it is given.

    GradcliError where a function is called that does not exist.
    """
    known = _KNOWN - set(given)
    functions: dict[str, list[Statement]] = {}
    for statement in script.statements:
        if statement.kind == "define":
            functions.setdefault(statement.name, []).append(statement)
    assigned = {name for statement in script.statements for name in statement.bound}
    found: dict[str, None] = {}
    bound: set[str] = set()
    entered: set[str] = set()
    for statement in script.statements:
        # What a function reads beside its parameters is looked up when it is called.
        waiting: list[tuple[list[Instr], set[str]]] = [(statement.at_once, bound)]
        while waiting:
            code, local = waiting.pop()
            for step in code:
                if step.op == "store":
                    local.update(step.arg)
                needs = step.op in ("name", "call", "function") or (step.op == "prefix" and step.arg in given)
                if not needs:
                    continue
                is_name = step.op in LOOKS_UP
                name = step.arg if is_name else step.arg[0]
                if not is_name and name in functions:
                    if name not in entered:
                        entered.add(name)
                        waiting += [(body.code, assigned | set(body.params)) for body in functions[name]]
                elif is_name or (step.op == "function" and name not in OPS and name not in LOOPS):
                    # What stands first in `fold(x, …)` is an input where that is PyTorch's operation.
                    if name not in local and name not in known:
                        found.setdefault(name)
                elif name not in LOOPS and OPS.function(name) is None:
                    with written_in(script.source):
                        raise unknown_function(
                            name, step.start, [*found, *assigned, *given], writable(functions, script.offered)
                        )
        bound.update(statement.bound)
    return list(found)


def writable(functions: Iterable[str], offered: Iterable[str]) -> list[str]:
    """The functions that an expression may call: its own, and what is imported by the names that it has here."""
    return [*(name for name in functions if "." not in name), *offered]


def unknown_function(name: str, start: int, names: Iterable[str], defined: Iterable[str]) -> GradcliError:
    """The error for a call to what is no function, at `start`; `names` are what has values, `defined` functions."""
    place = (start, start + len(name))
    if name in names or name in CONSTANTS:
        return GradcliError(f"{name!r} is not a function", span=place, hint=f"write {name}*(...) to multiply")
    if name in LOOPS:
        hint = f"define a function that calls it, as in f(y) = {name}(…)"
        return GradcliError(f"{name}() is a loop: none can go through it", span=place, hint=hint)
    # Imported here: only who has mistaken a name wants to know.
    from gradcli.evaluation.other_words import function_meant

    hint = function_meant(name, [*LOOPS, *defined]) or "functions have PyTorch's names, such as exp or sum"
    return GradcliError(f"unknown function {quoted(name)}", span=place, hint=hint)
