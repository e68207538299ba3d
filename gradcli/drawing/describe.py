"""How a node of the graph looks in a picture: its parameters, its operands' names, its place in the source."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradcli.drawing.drawing import Edge, Vertex, short_form
from gradcli.errors import Place
from gradcli.graph.node import CONSTANT, INPUT, RESULT, Node

#: Parameters that say how a node is named in the chain, or how it is computed.
INTERNAL = frozenset({"name", "axis_given", "copy", "fused", "packed", "positive", "vector"})
_LONGEST = 40
_LONGEST_PLACE = 200
# Elements of a constant array that a picture has room for.
_MOST_SHOWN = 6


def is_inlined(node: Node) -> bool:
    """Whether a node is a constant that is written into its users' boxes."""
    return node.op is CONSTANT and node.size == 1


def operand_names(node: Node) -> list[str]:
    """A name for each operand: the signature's where it has one for each of them, numbers otherwise."""
    required = node.op.signature.required
    if len(node.inputs) <= len(required):
        return required[: len(node.inputs)]
    return [str(k) for k in range(len(node.inputs))]


def ports(node: Node) -> tuple[str, ...]:
    """The names to write where edges arrive; none where there is nothing to confuse."""
    drawn = [not is_inlined(child) for child in node.inputs]
    if sum(drawn) < 2 or node.op.commutative:
        return ()
    return tuple(name if there else "" for name, there in zip(operand_names(node), drawn, strict=True))


def details(node: Node) -> tuple[str, ...]:
    """Constant operands and parameters, as `name=value`."""
    if node.op is INPUT:
        return (short_form(node.dtype, node.shape),)
    if node.op is CONSTANT:
        value = node.params["value"]
        form = short_form(node.dtype, node.shape)
        return (form, _array(value)) if 1 < node.size <= _MOST_SHOWN else (form,)
    operands = zip(operand_names(node), node.inputs, strict=True)
    lines = [f"{name}={_number(child)}" for name, child in operands if is_inlined(child)]
    if node.op.repeated is not None:
        return (*lines, f"{node.op.repeated(node).iterations:,} iterations")
    defaults = node.op.signature.defaults
    for name, value in node.params.items():
        shown = f"({value[0]},)" if name == "shape" and len(value) == 1 else _parameter(value)
        if shown is None or name in INTERNAL:
            continue
        default = defaults.get(name)
        if type(default) is not type(value) or default != value:
            lines.append(f"{name}={shown}")
    return tuple(lines)


def title(node: Node) -> str:
    """What stands in bold in a node's box."""
    if node.op is INPUT:
        return str(node.params.get("name") or "grad-output")
    if node.op is CONSTANT:
        return _number(node) if node.size == 1 else "constant"
    return node.op.plain_name


def place(node: Node, source: str) -> str:
    """The part of the source that a node was made for."""
    if node.span is None:
        return ""
    start, end = node.span
    source = node.span.source if isinstance(node.span, Place) else source
    # Cut before anything looks at it: nested places may all be long.
    text = " ".join(source[start : min(end, start + _LONGEST_PLACE)].split())
    return f"{text}…" if end - start > _LONGEST_PLACE else text


def vertex(node: Node, source: str, kind: str, family: str) -> Vertex:
    """The box of an operation or a leaf."""
    where, dtype = place(node, source), str(node.dtype)
    return Vertex(kind, title(node), details(node), ports(node), family, where, node.shape, dtype)


def arrow(source: int, target: int, value: Node, operand: int = 0, shape: tuple[int | str, ...] | None = None) -> Edge:
    """The arrow of a value, of which a step sees the given shape; one of several results is called by its name."""
    label = short_form(value.dtype, value.shape if shape is None else shape)
    output = value.params["index"] if value.op is RESULT else None
    if output is not None:
        label = f"{value.inputs[0].op.name_of_result(output)} {label}"
    return Edge(source, target, operand, label, value.shape, str(value.dtype), output)


def _number(node: Node) -> str:
    value = node.params["value"].reshape(()).item()
    return repr(value) if isinstance(value, bool) else f"{value:.6g}"


def _array(value: np.ndarray) -> str:
    words = [repr(v) if isinstance(v, bool) else f"{v:.4g}" for v in value.reshape(-1).tolist()]
    return ", ".join(words)


def _parameter(value: Any) -> str | None:
    """A parameter as text, None for one that tells a reader nothing."""
    if value is None or value is False or value == ():
        return None
    if isinstance(value, np.dtype):
        return str(value)
    if isinstance(value, str | bool | int | float):
        text = repr(value) if isinstance(value, str) else f"{value}"
    elif isinstance(value, tuple) and all(isinstance(v, int | slice | type(None) | type(Ellipsis)) for v in value):
        text = ", ".join(_index(v) for v in value)
        text = text if len(value) == 1 or any(isinstance(v, slice) for v in value) else f"({text})"
    else:
        return None
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"


def _index(item: Any) -> str:
    if isinstance(item, slice):
        bounds = [("" if bound is None else str(bound)) for bound in (item.start, item.stop, item.step)]
        return ":".join(bounds if item.step not in (None, 1) else bounds[:2])
    return "..." if item is Ellipsis else str(item)
