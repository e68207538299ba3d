"""The answer of an evaluation as text or as one JSON object: all of it, some of its parts, or one tensor."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from gradcli.render.marks import Heading, Tree
from gradcli.render.text import Style, format_chain, tensor_pieces

if TYPE_CHECKING:
    from gradcli.evaluation.result import Result
    from gradcli.tensors.tensor import Tensor


def answer_text(
    result: Result, style: Style | None = None, parts: Collection[str] | None = None, tree: bool = True
) -> Iterator[str]:
    """The value, the chain of backward functions and the gradients, parted by blank lines; piece by piece.

    With `parts`, those that are named: "value", "graph", "grads" and the kinds of further derivatives; what there is
    none of is None then. The chain is left out of the whole without `tree`. All is computed before the first piece is
    given.
    """
    sections: list[Iterable[str]] = []
    if parts is None or "value" in parts:
        sections.append(tensor_text(result, "value", style))
    if tree if parts is None else "graph" in parts:
        if result.grad_fn is not None:
            sections.append([Tree(format_chain(result.grad_fn))])
        elif parts is not None:
            sections.append(["None"])
    titles = [*(f"{name}.grad" for name in result.grads or {}), *result.derivatives]
    chosen = [title for title in titles if parts is None or part_of(title) in parts]
    for title in chosen:
        sections.append(itertools.chain([Heading(title), "\n"], tensor_text(result, title, style)))
    if parts is not None and "grads" in parts and result.grads is None:
        sections.append(["None"])
    return _parted(sections)


def _parted(sections: Iterable[Iterable[str]]) -> Iterator[str]:
    for k, section in enumerate(sections):
        if k:
            yield "\n\n"
        yield from section


def part_of(target: str) -> str:
    """The part of an answer that a result belongs to."""
    kind = target.rpartition(".")[2]
    return "grads" if kind == "grad" else kind


def tensor_of(result: Result, target: str) -> Tensor | None:
    """The tensor of a result by its name; None for a gradient that there is none of."""
    if target == "value":
        return result.value
    if part_of(target) == "grads":
        return (result.grads or {}).get(target.removesuffix(".grad"))
    return result.derivatives[target]


def tensor_text(result: Result, target: str, style: Style | None = None) -> Iterable[str]:
    """A tensor as it stands in the whole answer; it is computed before the first piece is given."""
    tensor = tensor_of(result, target)
    if tensor is None:
        return ["None"]
    if target != "value":
        return tensor_pieces(tensor.value(), style=style)
    name = result.grad_fn.name() if result.grad_fn else None
    return tensor_pieces(tensor.value(), grad_fn=name, requires_grad=tensor.requires_grad, style=style)


def answer_json(result: Result, parts: Collection[str] | None = None) -> Iterator[str]:
    """One line of strict JSON, piece by piece; non-finite numbers are the strings "NaN", "Infinity" and "-Infinity".

    `parts` are those of `answer_text`. All is computed before the first piece is given.
    """
    from gradcli.render.json import graph_json, json_pieces

    value, grad_fn = result.value, result.grad_fn
    found: dict[str, Any] = {}
    if parts is None or "value" in parts:
        found |= {"value": value.value(), "shape": list(value.shape), "dtype": str(value.dtype)}
    if parts is None or "graph" in parts:
        found |= {"grad_fn": grad_fn.name() if grad_fn else None, "graph": graph_json(grad_fn) if grad_fn else []}
    if parts is None or "grads" in parts:
        grads = result.grads
        found["grads"] = grads and {name: None if g is None else g.value() for name, g in grads.items()}
    return json_pieces(found | _derivatives_json(result, parts))


def tensor_json(result: Result, target: str) -> Iterator[str]:
    """The numbers of one result."""
    from gradcli.render.json import json_pieces

    tensor = tensor_of(result, target)
    return json_pieces(None if tensor is None else tensor.value())


def _derivatives_json(result: Result, parts: Collection[str] | None) -> dict[str, Any]:
    """`jacobian`, `hessian`, `jvp` and `hvp`, as far as they were asked for: by input, the Hessian by two."""
    found: dict[str, Any] = {}
    for target, tensor in result.derivatives.items():
        if parts is not None and part_of(target) not in parts:
            continue
        names, _, kind = target.rpartition(".")
        place = found
        keys = [kind, *(names.split(",") if names else [])]
        for key in keys[:-1]:
            place = place.setdefault(key, {})
        place[keys[-1]] = tensor.value()
    return found
