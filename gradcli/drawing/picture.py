"""The picture that is asked for of a request, and its bytes in any format."""

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
ENDINGS = {".dot": "dot", ".gv": "dot", ".mmd": "mermaid", ".mermaid": "mermaid"}
ENDINGS |= {f".{form}": form for form in ("svg", "png", "json")}


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


def format_of(path: str) -> str:
    """The format that the ending of a file asks for; DOT where there is none, GradcliError where it is unknown."""
    ending = os.path.splitext(path)[1].lower()
    if ending and ending not in ENDINGS:
        hint = f"give --format, or an extension such as {', '.join(ENDINGS)}"
        raise GradcliError(f"{path!r} has no known extension", hint=hint)
    return ENDINGS.get(ending, "dot")


def picture(drawing: Drawing, form: str, direction: str = "TB") -> tuple[bytes, str | None]:
    """The bytes of a picture, and a note where whoever shows it may refuse."""
    if form in ("svg", "png"):
        return laid_out(drawing, form, direction), None
    if form == "dot":
        return dot(drawing, direction).encode("utf-8"), None
    if form == "json":
        return (to_json(_as_data(drawing)) + "\n").encode("utf-8"), None
    text = mermaid(drawing, direction)
    note = "this is more than Mermaid draws unless its maxEdges and maxTextSize are raised; DOT has no limit"
    large = len(drawing.edges) > USUAL_EDGES or len(text) > USUAL_LENGTH
    return text.encode("utf-8"), note if large else None


def _as_data(drawing: Drawing) -> dict[str, Any]:
    """Vertices, edges and groups, for programs that draw for themselves."""
    nodes = [
        {"id": k, **v._asdict(), "operands": [o or None for o in v.operands]}
        | {"family": v.family or None, "source": v.source or None}
        for k, v in enumerate(drawing.vertices)
    ]
    names = ("from", "to", "operand", "label", "shape", "dtype")
    edges = [
        dict(zip(names, edge, strict=False)) | ({} if edge.output is None else {"output": edge.output})
        for edge in drawing.edges
    ]
    return {"what": drawing.what, "nodes": nodes, "edges": edges, "groups": drawing.groups}
