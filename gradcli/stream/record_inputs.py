"""What each record gives: the inputs that a script reads and that are not shared."""

from __future__ import annotations

from collections.abc import Sequence

from gradcli.errors import GradcliError, did_you_mean
from gradcli.evaluation.names import free_names
from gradcli.language.parse import Script
from gradcli.language.unused import refuse_unused


def check_wanted(wanted: Sequence[str], names: Sequence[str]) -> None:
    """Refuse to differentiate what is no input."""
    for name in wanted:
        if name not in names:
            known = did_you_mean(name, list(names)) or f"the inputs are {', '.join(names) or 'none'}"
            raise GradcliError(f"there is no input {name!r} to differentiate", hint=known)


def choose_names(script: Script, shared: Sequence[str], asked: Sequence[str] | None) -> list[str]:
    """The inputs that each record gives: those asked for, or all that are not shared."""
    needed = free_names(script, [*shared, *(asked or ())])
    refuse_unused((*shared, *(asked or ())), needed, script)
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
