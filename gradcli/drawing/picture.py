"""Pictures in any format: which one a file name asks for, and its bytes."""

from __future__ import annotations

import os

from gradcli.drawing.drawing import Drawing
from gradcli.drawing.graphviz import dot, laid_out
from gradcli.drawing.json_form import drawing_json
from gradcli.drawing.mermaid import USUAL_EDGES, USUAL_LENGTH, mermaid
from gradcli.errors import GradcliError
from gradcli.render.json import to_json

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
