"""A derived formula in the formats of the command."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gradcli.formula.derivation import Derived
from gradcli.formula.lengths import Wanted, told
from gradcli.formula.write.forms import Named, code_of, in_order, text
from gradcli.language.instructions import Script
from gradcli.language.parse import unparse
from gradcli.language.unparse import written
from gradcli.render.json import to_json


def formatted(form: str, script: Script, found: Sequence[tuple[Derived, Wanted]]) -> str:
    """Formulas as "text", "latex", "python" or "json"; where there are several, each with what it is."""
    if form == "python":
        modules = [_python(script, derived, wanted, len(found) > 1) for derived, wanted in found]
        # What several functions need stands once.
        return _BETWEEN.join(dict.fromkeys([part for module in modules for part in module.split(_BETWEEN)]))
    if form == "json":
        data = [as_json(script, derived, wanted) for derived, wanted in found]
        return to_json(data[0] if len(data) == 1 else {"grads": {one["wrt"]: one for one in data}})
    texts = [(text(derived.formula) if form == "text" else _latex(derived, wanted)) for derived, wanted in found]
    if len(found) == 1:
        return texts[0]
    sign = "" if form == "text" else "% "
    return "\n\n".join([f"{sign}{_heading(wanted)}\n{shown}" for (_, wanted), shown in zip(found, texts, strict=True)])


# Between the parts of a module.
_BETWEEN = "\n\n\n"


def _latex(derived: Derived, wanted: Wanted) -> str:
    from gradcli.formula.write.latex import latex

    ranks = {g.name: len(g.shape) for g in derived.lengths.givens}
    return latex(derived.formula, {**ranks, **({wanted.vector: derived.value_rank} if wanted.vector else {})})


def _python(script: Script, derived: Derived, wanted: Wanted, several: bool) -> str:
    from gradcli.formula.write.numpy_code import function

    name = f"gradient_{wanted.wrt}" if several else "gradient"
    return function(derived.formula, _title(script, wanted), _parameters(derived, wanted), name)


def _heading(wanted: Wanted) -> str:
    """What a formula is, as `gradcli eval` calls it."""
    if wanted.jacobian and wanted.order == 2:
        return f"{wanted.wrt},{wanted.wrt}.hessian"
    times = f", order {wanted.order}" if wanted.order > 1 else ""
    return f"{wanted.wrt}.{'jacobian' if wanted.jacobian else 'grad'}{times}"


def _title(script: Script, wanted: Wanted) -> str:
    what = "Jacobian" if wanted.jacobian else "gradient"
    times = "" if wanted.order == 1 else f", of order {wanted.order},"
    return f"The {what}{times} of {unparse(script)} with respect to {wanted.wrt}."


def _parameters(derived: Derived, wanted: Wanted) -> list[str]:
    names = [g.name for g in derived.lengths.givens]
    used = {f.arg for f in in_order([derived.formula.result]) if f.op == "name"}
    vector = [wanted.vector] if wanted.vector is not None else []
    return [name for name in (*names, *vector) if name in used]


def as_json(script: Script, derived: Derived, wanted: Wanted) -> dict[str, Any]:
    """The formula as data for JSON: its statements, shapes and graph."""
    formula: Named = derived.formula
    names = formula.names
    lengths = derived.lengths
    shapes = {g.name: [told(n) if isinstance(n, str) else n for n in lengths.shape(g)] for g in lengths.givens}
    order = in_order([formula.result])
    ids = {form: k for k, form in enumerate(order)}
    return {
        "expression": unparse(script),
        "wrt": wanted.wrt,
        "order": wanted.order,
        "jacobian": wanted.jacobian,
        "grad_output": wanted.vector,
        "formula": text(formula),
        "statements": [{"name": n, "expression": written(code_of(f, names))} for n, f in formula.parts],
        "result": written(code_of(formula.result, names)),
        "inputs": [{"name": g.name, "shape": shapes[g.name], "dtype": str(g.dtype)} for g in lengths.givens],
        "notes": derived.notes,
        "undefined_where": list(derived.undefined),
        "nodes": [{"id": ids[f], "op": f.op, "arg": f.arg, "inputs": [ids[p] for p in f.parts]} for f in order],
    }
