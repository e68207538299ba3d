"""The picture that is asked for of a request."""

from __future__ import annotations

from gradcli.drawing.drawing import Drawing
from gradcli.drawing.graphs import backward, forward, gradient
from gradcli.drawing.plans import plan_drawing
from gradcli.engine.plan.planner import plan
from gradcli.errors import GradcliError
from gradcli.evaluation.request import Request
from gradcli.graph.node import Node

#: What can be drawn of an expression.
WHAT = ("forward", "backward", "grad", "plan")


def draw(request: Request, what: str, simplified: bool | None = None, files: frozenset[Node] = frozenset()) -> Drawing:
    """The picture of a request; `simplified` is for "forward" and "grad", and by default only the latter is.

    `files` are the leaves that are read from files, which a plan goes through in blocks whatever their size. Raises
    GradcliError where there is nothing to draw.
    """
    try:
        if what == "forward":
            return forward(request, simplified is True)
        if what == "backward":
            return backward(request)
        if what == "grad":
            return gradient(request, simplified is not False)
        return plan_drawing(plan(request.roots, files=files), ["value", *(f"{n}.grad" for n in request.wanted)])
    except GradcliError as error:
        error.source = request.source if error.source is None else error.source
        raise
