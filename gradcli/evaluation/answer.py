"""The answer of an evaluation as text or as one JSON object."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from gradcli.render.json import graph_json, json_pieces
from gradcli.render.text import Style, format_chain, tensor_pieces

if TYPE_CHECKING:
    from gradcli.evaluation.result import Result


def answer_text(result: Result, style: Style | None = None) -> Iterator[str]:
    """The value, the chain of backward functions and the gradients, parted by blank lines; piece by piece.

    All is computed before the first piece is given.
    """
    value, grad_fn = result.value, result.grad_fn
    name, tracked = grad_fn.name() if grad_fn else None, value.requires_grad
    parts: list[Iterable[str]] = [tensor_pieces(value.value(), grad_fn=name, requires_grad=tracked, style=style)]
    if grad_fn is not None:
        parts.append(["\n\n", format_chain(grad_fn)])
    gradients = {f"{name}.grad": gradient for name, gradient in (result.grads or {}).items()}
    for title, tensor in {**gradients, **result.derivatives}.items():
        parts.append([f"\n\n{title}\n"])
        parts.append(["None"] if tensor is None else tensor_pieces(tensor.value(), style=style))
    return itertools.chain.from_iterable(parts)


def answer_json(result: Result) -> Iterator[str]:
    """One line of strict JSON, piece by piece; non-finite numbers are the strings "NaN", "Infinity" and "-Infinity".

    All is computed before the first piece is given.
    """
    value, grad_fn = result.value, result.grad_fn
    grads: dict[str, Any] | None = None
    if result.grads is not None:
        grads = {name: None if g is None else g.value() for name, g in result.grads.items()}
    return json_pieces(
        {
            "value": value.value(),
            "shape": list(value.shape),
            "dtype": str(value.dtype),
            "grad_fn": grad_fn.name() if grad_fn else None,
            "graph": graph_json(grad_fn) if grad_fn else [],
            "grads": grads,
            **_derivatives_json(result),
        }
    )


def _derivatives_json(result: Result) -> dict[str, Any]:
    """`jacobian`, `hessian`, `jvp` and `hvp`, as far as they were asked for: by input, the Hessian by two."""
    found: dict[str, Any] = {}
    for target, tensor in result.derivatives.items():
        names, _, kind = target.rpartition(".")
        place = found
        keys = [kind, *(names.split(",") if names else [])]
        for key in keys[:-1]:
            place = place.setdefault(key, {})
        place[keys[-1]] = tensor.value()
    return found
