"""Parts that occur several times get a name and are written once; formulas as text of the language."""

from __future__ import annotations

from collections.abc import Collection
from itertools import count
from typing import Any, NamedTuple

from gradcli.formula.write.forms import Form, in_order
from gradcli.graph.op import OPS
from gradcli.language.kinds import NUMBER
from gradcli.language.unparse import written

# Shorter parts are as easily read twice as under a name.
_SHORTEST = 5
_NAMES = ["r", "s", "t", "u", "v", "w", "z", "q", "h", "k", "l", "m"]
_NAMED = frozenset({"binary", "call", "method", "unary"})


class Named(NamedTuple):
    """A formula: parts with names, in an order in which they can be computed, and the form of the whole."""

    parts: list[tuple[str, Form]]
    result: Form

    @property
    def names(self) -> dict[Form, str]:
        return {form: name for name, form in self.parts}


def named(root: Form, taken: Collection[str]) -> Named:
    """Give names to what occurs more than once."""
    order = in_order([root])
    uses: dict[Form, int] = {}
    for form in order:
        for part in form.parts:
            uses[part] = uses.get(part, 0) + 1
    sizes: dict[Form, int] = {}
    chosen: list[Form] = []
    for form in order:
        size = 1 + sum(sizes[part] for part in form.parts)
        if form is not root and uses[form] > 1 and size >= _SHORTEST and form.op in _NAMED and form.kind != NUMBER:
            chosen.append(form)
            size = 1
        sizes[form] = size
    known = set(taken)
    parts = []
    for form in chosen:
        name = _name(form, known)
        known.add(name)
        parts.append((name, form))
    return Named(parts, root)


def _name(form: Form, known: Collection[str]) -> str:
    op = OPS.get(form.arg[0]) if form.op == "call" else None
    candidates = ([op.letter] if op is not None and op.letter else []) + _NAMES
    free = [name for name in candidates if name not in known]
    return free[0] if free else next(name for k in count(1) if (name := f"t{k}") not in known)


def code_of(root: Form, names: dict[Form, str]) -> list[tuple[str, Any, int, int]]:
    """The instructions of a form; parts with names are taken by name, the root itself is not."""
    code: list[tuple[str, Any, int, int]] = []
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
