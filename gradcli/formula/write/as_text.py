"""Formulas as text of the language."""

from __future__ import annotations

from typing import Any

from gradcli.formula.write.forms import Form
from gradcli.formula.write.naming import Named
from gradcli.language.unparse import written

_Code = list[tuple[str, Any, int, int]]


def code_of(root: Form, names: dict[Form, str]) -> _Code:
    """The instructions of a form; parts with names are taken by name, the root itself is not."""
    code: _Code = []
    stack: list[tuple[Form, bool]] = [(root, False)]
    while stack:
        form, ready = stack.pop()
        if form in names and form is not root:
            code.append(("name", names[form], 0, 0))
        elif ready or not form.parts:
            code.append((form.op, form.arg, 0, 0))
        else:
            stack.append((form, True))
            stack.extend((part, False) for part in reversed(form.parts))
    return code


def text(formula: Named) -> str:
    """A formula on one line: its named parts as statements, then the whole."""
    names = formula.names
    statements = [f"{name} = {written(code_of(form, names))}" for name, form in formula.parts]
    return "; ".join([*statements, written(code_of(formula.result, names))])
