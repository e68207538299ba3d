"""What is said of steps in words, the same in every form of them."""

from __future__ import annotations

from gradcli.errors import counted, escaped, shortened
from gradcli.formula.write.forms import code_of
from gradcli.language.unparse import written
from gradcli.walkthrough.step_types import Arrival, ForwardStep, Passed, Told

_SEVERAL = {2: "both", 3: "all three"}


def derivative(passed: Passed, result: str) -> str:
    """The local derivative by an operand, or what the operand is given: `d w/d z = 1/4`, `w.grad = X.T@y.grad`."""
    if passed.derivative is None:
        return ""
    named = passed.derivative.formula
    parts = [(name, code_of(form, named.names)) for name, form in named.parts]
    formula = _renamed(code_of(named.result, named.names), passed)
    if named.result.op == "binary" and named.result.arg in ("<", "<=", ">", ">=", "==", "!=", "&", "|"):
        formula = f"({formula})"
    left = f"{passed.target}.grad" if passed.derivative.product else f"d {result}/d {passed.target}"
    where = ", ".join(f"{name} = {_renamed(code, passed)}" for name, code in parts)
    return f"{left} = {formula}{f', where {where}' if where else ''}"


def _renamed(code: list[tuple[str, object, int, int]], passed: Passed) -> str:
    return escaped(
        written([(op, passed.words.get(str(arg), arg) if op == "name" else arg, 0, 0) for op, arg, _, _ in code])
    )


def statement(step: ForwardStep) -> str:
    """A step as a statement: `y = a + 7`; with the words of the source where it is only a part of what they mean."""
    if step.is_input or not step.expression:
        return step.name
    also = shortened(" ".join(step.source.split())) if not step.code else ""
    return f"{step.name} = {step.expression}{f'  (of {escaped(also)})' if also else ''}"


def call_of(step: ForwardStep, told: Told) -> str:
    """The call of one of the expression's own functions that a step was made in; "" where there is none."""
    if step.call is None:
        return ""
    count = told.calls.get(step.call.function, 1)
    return f"in {step.call.function}" + (f", call {step.call.number} of {count}" if count > 1 else "")


def joining(arrival: Arrival) -> str:
    """What becomes of the branches that meet: "" where there is only one."""
    if arrival.branches < 2:
        return ""
    many = _SEVERAL.get(arrival.branches, f"all {arrival.branches}")
    return f"{many} branches added"


def left_out(told: Told) -> str:
    """How many steps are not told of; "" where all are."""
    if not told.skipped:
        return ""
    return f"{counted(told.skipped, 'step')} left out: --only NAMES shows those that it names"
