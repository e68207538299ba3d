"""A minimum as text, and as one JSON object."""

from __future__ import annotations

from collections.abc import Iterator

from gradcli.errors import counted
from gradcli.optimize.checkpoint import packed
from gradcli.optimize.minimum import Minimum
from gradcli.render.json import json_pieces
from gradcli.render.marks import Heading
from gradcli.render.text import Style, tensor_pieces


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
    numbers = packed(found)
    return json_pieces({"value": numbers["value"], "dtype": str(found.value.dtype), **numbers})
