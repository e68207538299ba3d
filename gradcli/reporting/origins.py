"""Where NaN and infinities come from, told by the steps of a computation."""

from __future__ import annotations

from gradcli.evaluation.finite import count
from gradcli.walkthrough import board_words as words
from gradcli.walkthrough.step_types import Arrival, BackwardStep, Told


def origins(told: Told) -> dict[str, str]:
    """The tensors and gradients (`x.grad`) that are not finite, each with what made it so, in words."""
    found: dict[str, str] = {}
    known = {step.name for step in told.forward}
    for step in told.forward:
        if not count(step.value):
            continue
        before = next((found[name] for name in step.operands if name in found), None)
        if step.is_input:
            found[step.name] = f"the input {step.name} is given so"
        elif before is None and not known.issuperset(step.operands):
            found[step.name] = "made in a step that is left out"
        else:
            found[step.name] = before or f"made by {words.statement(step)}"
    for item in told.backward:
        if isinstance(item, BackwardStep):
            found.update({name: why for name, why in _passed(item, found).items() if name not in found})
        elif f"{item.target}.grad" not in found and count(item.total):
            found[f"{item.target}.grad"] = _arrived(item)
    return found


def _passed(function: BackwardStep, found: dict[str, str]) -> dict[str, str]:
    """What a backward function passes on that is not finite."""
    before = next((found[f"{name}.grad"] for name in function.results if f"{name}.grad" in found), None)
    made = {}
    for passed in function.passed:
        if count(passed.part):
            formula = words.derivative(passed, function.results[0])
            made[f"{passed.target}.grad"] = before or f"made by {function.name}{f': {formula}' if formula else ''}"
    return made


def _arrived(item: Arrival) -> str:
    if not item.branches:
        return "the backward pass starts with it"
    return "made by adding branches" if item.branches > 1 else "made in a step that is left out"
