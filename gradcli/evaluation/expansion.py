"""How many operations the calls to an expression's own functions come to: known before any is carried out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from gradcli.errors import GradcliError, Span
from gradcli.graph.op import OPS, Op
from gradcli.language.instructions import Instr, Statement

#: So many are not carried out: what twenty functions come to that each call the one before twice.
TOO_MANY = 2**20
# Larger counts are not told apart: their digits would take more memory than the functions.
_UNCOUNTED = 10**300

_NAMED = "what is called twice can be called once and given a name, as in y = f(x); y + y"

# Steps that make no node.
_FREE = frozenset(
    {"number", "name", "prefix", "library", "string", "ellipsis", "slice", "list", "tuple", "store", "function"}
)


class _Coded(Protocol):
    """A function as it is written, or as it is called."""

    @property
    def code(self) -> list[Instr]: ...


def check_expansion(statements: Sequence[Statement]) -> None:
    """Refuse statements whose calls never end or go too far; GradcliError names the function.

    Nothing is left out for a condition, so a count of what is written is exact but for loops, and a circle never ends.
    """
    functions: dict[str, Statement] = {}
    costs: dict[str, int] = {}
    spent = 0
    for statement in statements:
        if statement.kind == "define":
            if statement.name in functions:
                costs.clear()
            functions[statement.name] = statement
        for call in _calls(statement.at_once, functions):
            spent += _cost(call.arg[0], functions, costs)
            check_count(spent, call.arg[0], (call.start, call.end))


def check_count(count: int, name: str, place: Span, hint: str = _NAMED) -> None:
    """Refuse so many operations, to which the calls of a function come."""
    if count >= TOO_MANY:
        shown = str(count) if count < 10**9 else f"{float(min(count, _UNCOUNTED)):.3g}"
        message = f"with {name}() the expression has {shown} operations; 2**20 are too many"
        raise GradcliError(message, span=place, hint=hint)


def cost_of(name: str, functions: Mapping[str, _Coded]) -> int:
    """How many operations a call comes to, without what loops in it do."""
    return _cost(name, functions, {}) if name in functions else 1


def _calls(code: Sequence[Instr], functions: Mapping[str, _Coded]) -> list[Instr]:
    return [step for step in code if step.op in ("call", "function") and step.arg[0] in functions]


def _cost(name: str, functions: Mapping[str, _Coded], costs: dict[str, int]) -> int:
    """What a call comes to; `costs` has what is known of other functions."""
    waiting, entered = [name], set()
    while waiting:
        top = waiting[-1]
        if top in costs:
            waiting.pop()
            continue
        entered.add(top)
        code = functions[top].code
        calls = _calls(code, functions)
        unknown = [call for call in calls if call.arg[0] not in costs]
        for call in unknown:
            if call.arg[0] in entered:
                raise GradcliError(f"{call.arg[0]}() calls itself without end", span=(call.start, call.end))
        if unknown:
            waiting += dict.fromkeys(call.arg[0] for call in unknown)
            continue
        # A function that only calls others takes its time, too.
        own = max(1, sum(step.op not in _FREE for step in code) - sum(call.op == "call" for call in calls))
        costs[top] = min(own + sum(costs[call.arg[0]] for call in calls), _UNCOUNTED)
        entered.discard(top)
    return costs[name]


def may_draw_in(function: Op | _Coded, functions: Mapping[str, _Coded]) -> bool:
    """Whether a function may draw random numbers, or one that it calls."""
    if isinstance(function, Op):
        return function.draws
    waiting, seen = [function.code], set[str]()
    while waiting:
        for step in waiting.pop():
            name = step.arg[0] if step.op in ("call", "method", "function") else ""
            if name in functions and step.op != "method":
                if name not in seen:
                    seen.add(name)
                    waiting.append(functions[name].code)
            elif name and (op := OPS.function(name)) is not None and op.draws:
                return True
    return False
