"""The picture that is asked for of a request, in any format: which one a file name asks for, and its bytes."""

from __future__ import annotations

import os
from typing import Any

from gradcli.drawing.drawing import Drawing
from gradcli.drawing.graphs import backward, forward, gradient
from gradcli.drawing.graphviz import dot, laid_out
from gradcli.drawing.mermaid import USUAL_EDGES, USUAL_LENGTH, mermaid
from gradcli.drawing.plans import plan_drawing
from gradcli.errors import GradcliError, written_in
from gradcli.evaluation.compiled import Compiled
from gradcli.evaluation.request import Request
from gradcli.graph.node import Node
from gradcli.render.json import to_json

#: What can be drawn of an expression.
WHAT = ("forward", "backward", "grad", "plan")


def draw(request: Request, what: str, simplified: bool | None = None, files: frozenset[Node] = frozenset()) -> Drawing:
    """The picture of a request; `simplified` is for "forward" and "grad", and by default only the latter is.

    `files` are the leaves that are read from files, which a plan goes through in blocks whatever their size. Raises
    GradcliError where there is nothing to draw.
    """
    if what == "plan":
        return plan_drawing(Compiled(request, files).program, request.targets)
    with written_in(request.source):
        if what == "forward":
            return forward(request, simplified is True)
        return backward(request) if what == "backward" else gradient(request, simplified is not False)


def drawing_json(drawing: Drawing) -> dict[str, Any]:
    """Vertices, edges and groups as dicts and lists, for `gradcli.render.json.to_json`."""
    nodes = [
        {
            "id": number,
            "kind": vertex.kind,
            "name": vertex.title,
            "details": list(vertex.details),
            "operands": [name or None for name in vertex.ports],
            "family": vertex.family or None,
            "source": vertex.place or None,
            "shape": None if vertex.shape is None else list(vertex.shape),
            "dtype": vertex.dtype,
            "group": vertex.group,
        }
        for number, vertex in enumerate(drawing.vertices)
    ]
    edges = [
        {
            "from": edge.source,
            "to": edge.target,
            "operand": edge.operand,
            "label": edge.label,
            "shape": None if edge.shape is None else list(edge.shape),
            "dtype": edge.dtype,
        }
        | ({} if edge.output is None else {"output": edge.output})
        for edge in drawing.edges
    ]
    return {"what": drawing.what, "nodes": nodes, "edges": edges, "groups": drawing.groups}


ENDINGS = {
    ".dot": "dot",
    ".gv": "dot",
    ".mmd": "mermaid",
    ".mermaid": "mermaid",
    ".svg": "svg",
    ".png": "png",
    ".json": "json",
}


def format_of(path: str) -> str:
    """The format that the ending of a file asks for; DOT where there is none, GradcliError where it is unknown."""
    ending = os.path.splitext(path)[1].lower()
    if ending and ending not in ENDINGS:
        raise GradcliError(
            f"{path!r} tells no format", hint=f"give --format, or an ending such as {', '.join(ENDINGS)}"
        )
    return ENDINGS.get(ending, "dot")


def picture(drawing: Drawing, form: str, direction: str = "TB") -> tuple[bytes, str | None]:
    """The bytes of a picture, and a note where whoever shows it may refuse."""
    if form in ("svg", "png"):
        return laid_out(drawing, form, direction), None
    if form == "dot":
        return dot(drawing, direction).encode("utf-8"), None
    if form == "json":
        return (to_json(drawing_json(drawing)) + "\n").encode("utf-8"), None
    text = mermaid(drawing, direction)
    note = None
    if len(drawing.edges) > USUAL_EDGES or len(text) > USUAL_LENGTH:
        note = "this is more than Mermaid draws unless its maxEdges and maxTextSize are raised; DOT has no limit"
    return text.encode("utf-8"), note
