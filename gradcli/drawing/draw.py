"""The picture that is asked for of a request."""

from __future__ import annotations

from gradcli.drawing.drawing import Drawing
from gradcli.drawing.graphs import backward, forward, gradient
from gradcli.drawing.plans import plan_drawing
from gradcli.errors import written_in
from gradcli.evaluation.compiled import Compiled
from gradcli.evaluation.request import Request
from gradcli.graph.node import Node

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
