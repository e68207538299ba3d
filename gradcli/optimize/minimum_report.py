"""A minimum as text, and as one JSON object."""

from __future__ import annotations

from collections.abc import Iterator

from gradcli.errors import counted
from gradcli.optimize.minimum import Minimum
from gradcli.render.json import json_pieces
from gradcli.render.marks import Heading
from gradcli.render.text import Style, tensor_pieces
from gradcli.tensors.tensor import Tensor


def minimum_text(found: Minimum, style: Style, ending: bool = True) -> Iterator[str]:
    """The value, the parameters, and how it came to its end, parted by blank lines."""
    yield from tensor_pieces(found.value.value(), style=style)
    for name, tensor in found.parameters.items():
        yield "\n\n"
        yield from [Heading(name), "\n"]
        yield from tensor_pieces(tensor.value(), style=style)
    if ending:
        yield f"\n\n{_ending(found)}"


def _ending(found: Minimum) -> str:
    how = "converged" if found.converged else "stopped"
    counts = f"{counted(found.steps, 'step')} and {counted(found.evaluations, 'evaluation')}"
    return f"{found.method} {how} after {counts}: {found.reason}"


def minimum_json(found: Minimum) -> Iterator[str]:
    """One line of strict JSON, piece by piece."""
    return json_pieces(
        {
            "value": found.value.value(),
            "dtype": str(found.value.dtype),
            "parameters": _arrays(found.parameters),
            "grads": None if found.grads is None else _arrays(found.grads),
            "method": found.method,
            "converged": found.converged,
            "reason": found.reason,
            "steps": found.steps,
            "evaluations": found.evaluations,
            "gradient_norm": found.gradient_norm,
        }
    )


def _arrays(tensors: dict[str, Tensor]) -> dict[str, object]:
    return {name: tensor.value() for name, tensor in tensors.items()}
