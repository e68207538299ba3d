"""The answer of an evaluation as text or as one JSON object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gradcli.errors import GradcliError
from gradcli.render.json import graph_json, to_json
from gradcli.render.text import Style, format_chain, format_tensor

if TYPE_CHECKING:
    from gradcli.evaluation import Result

# A number as an object, its digits, and the whole text once more.
_BYTES_PER_NUMBER = 100
_LARGE = 1_000_000


def answer_text(result: Result, style: Style | None = None) -> str:
    """The value, the chain of backward functions and the gradients, parted by blank lines."""
    value, grad_fn = result.value, result.grad_fn
    parts = [
        format_tensor(
            value.value(), grad_fn=grad_fn.name() if grad_fn else None, requires_grad=value.requires_grad, style=style
        )
    ]
    if grad_fn is not None:
        parts.append(format_chain(grad_fn))
    for name, gradient in (result.grads or {}).items():
        shown = "None" if gradient is None else format_tensor(gradient.value(), style=style)
        parts.append(f"{name}.grad\n{shown}")
    for name, tensor in result.derivatives.items():
        parts.append(f"{name}\n{format_tensor(tensor.value(), style=style)}")
    return "\n\n".join(parts)


def answer_json(result: Result) -> str:
    """One line of strict JSON; non-finite numbers are the strings "NaN", "Infinity" and "-Infinity"."""
    value, grad_fn = result.value, result.grad_fn
    shown = [value, *result.derivatives.values(), *(g for g in (result.grads or {}).values() if g is not None)]
    check_size(sum(tensor.numel() for tensor in shown))
    grads: dict[str, Any] | None = None
    if result.grads is not None:
        grads = {name: None if g is None else g.value() for name, g in result.grads.items()}
    return to_json(
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


def check_size(count: int) -> None:
    """Refuse to write out more numbers than there is memory for their text."""
    if count < _LARGE:
        return
    from gradcli.storage.memory import available_memory

    available = available_memory()
    if available is not None and count * _BYTES_PER_NUMBER > available:
        raise GradcliError(f"{count:,} numbers are too many for JSON", hint="write them to a file: -o value=FILE")
