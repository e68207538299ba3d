"""All that a report tells, gathered: the steps, formulas of the gradients, the check, and how it would be planned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from gradcli.check.compare import Report, check
from gradcli.engine.execute.threads import get_num_threads
from gradcli.engine.plan_report import plan_text
from gradcli.errors import GradcliError
from gradcli.evaluation.compiled import Compiled
from gradcli.evaluation.request import Request
from gradcli.formula.derivation import derive
from gradcli.formula.lengths import Given, Wanted
from gradcli.formula.write.forms import text
from gradcli.formula.write.latex import latex
from gradcli.graph.node import toposort
from gradcli.language.instructions import Script
from gradcli.storage.file_array import in_memory
from gradcli.walkthrough.recording import Recorded
from gradcli.walkthrough.step_types import Told
from gradcli.walkthrough.telling import told

# Gradients for inputs of more elements are not checked: differences take a while, and everything in memory.
_MOST_CHECKED = 1_000_000

# Formulas are looked for of no larger graphs, as that takes long, and of no more inputs; longer ones nobody reads.
_MOST_NODES, _MOST_DERIVED, _LONGEST_FORMULA = 1000, 12, 600
# Lengths up to this one are numbers in formulas.
_LONGEST = 100


class Formula(NamedTuple):
    """A formula in the language, and as LaTeX, with remarks."""

    text: str
    latex: str
    notes: list[str]


@dataclass(eq=False)
class Findings:
    """What there is to tell. `given` has the inputs as they were written, `formulas` those of gradients by the input.

    `checked` is the report of the check, or why there is none.
    """

    told: Told
    given: Mapping[str, str]
    formulas: Mapping[str, Formula]
    checked: Report | str
    plan: str


def findings(recorded: Recorded, given: Mapping[str, str], literals: Sequence[str]) -> Findings:
    """Compute all of it; `given` has the inputs as they were written, of which `literals` are no files."""
    script, request, _, inputs, vector = recorded
    steps = told(recorded)
    program = Compiled(request, request.files(inputs, vector)).program
    return Findings(
        steps,
        given,
        {} if steps.skipped else _formulas(script, request, inputs),
        _checked(script, request, inputs, literals),
        plan_text(program, request.targets, get_num_threads()),
    )


def _formulas(script: Script, request: Request, inputs: Mapping[str, Any]) -> dict[str, Formula]:
    """Formulas of the gradients, for those inputs for which there is one."""
    if request.vector is not None or request.measured or len(toposort(request.roots)) > _MOST_NODES:
        return {}
    givens = [Given(name, _lengths(array.shape), array.dtype) for name, array in inputs.items()]
    ranks = {one.name: len(one.shape) for one in givens}
    found = {}
    for name in request.wanted[:_MOST_DERIVED]:
        try:
            derived = derive(script, givens, Wanted(name))
        except GradcliError:
            # It is told in numbers alone.
            continue
        written = text(derived.formula)
        if len(written) <= _LONGEST_FORMULA:
            found[name] = Formula(written, latex(derived.formula, ranks), derived.notes)
    return found


def _lengths(shape: Sequence[int]) -> tuple[int | str, ...]:
    """A shape in which large lengths are words: a formula is verified for some short ones."""
    return tuple([n if n <= _LONGEST else f"n{n}" for n in shape])


def _checked(script: Script, request: Request, inputs: Mapping[str, Any], literals: Sequence[str]) -> Report | str:
    """The gradients beside differences, or why there is nothing to compare."""
    if not request.names:
        return "Nothing is differentiated, so there is nothing to check."
    largest = max(array.size for array in inputs.values())
    if largest > _MOST_CHECKED:
        return f"An input has {largest:,} elements: `gradcli check` compares it with central differences."
    arrays = {name: in_memory(array) for name, array in inputs.items()}
    try:
        return check(script, arrays, request.names, literals=literals)
    except GradcliError as error:
        message = error.message[:1].upper() + error.message[1:]
        return f"{message}{f': {error.hint}' if error.hint else ''}."
