"""Pictures of an expression's graph, of its gradients and of its chain of backward functions."""

from __future__ import annotations

from collections.abc import Sequence

from gradcli.autodiff.vjp import Edge, backward_function, shown
from gradcli.drawing.describe import arrow, is_inlined, place, vertex
from gradcli.drawing.drawing import Drawing, Vertex, short_form
from gradcli.engine.simplify import simplify
from gradcli.errors import GradcliError
from gradcli.evaluation.request import Request
from gradcli.graph.node import CONSTANT, INPUT, RESULT, Node, SeveralResults, toposort


def forward(request: Request, simplified: bool = False) -> Drawing:
    """The graph of the value: as it was written, or as it is simplified before it is planned."""
    roots = simplify(request.roots[:1], None, {}) if simplified else request.roots[:1]
    order = toposort(roots)
    families = {node: node.op.family for node in order}
    return _operations("forward", request.source, order, families, roots, ["value"])


def gradient(request: Request, simplified: bool = False) -> Drawing:
    """The graph of the gradients, with whatever of the value's graph they need."""
    if not request.wanted:
        why = request.note or "the value depends on no floating-point input, so there is no gradient to draw"
        raise GradcliError(why, hint="its forward graph can be drawn")
    roots = simplify(request.roots, None, {}) if simplified else request.roots
    own = frozenset(toposort(roots[:1]))
    order = toposort(roots[1:])
    families = {node: "" if node in own else "gradient" for node in order}
    names = [f"{name}.grad" for name in request.wanted]
    return _operations("grad", request.source, order, families, roots[1:], names)


def _operations(
    what: str, source: str, order: Sequence[Node], families: dict[Node, str], roots: Sequence[Node], names: list[str]
) -> Drawing:
    """Every operation once, and a box for each result."""
    drawing = Drawing(what, [], [], [])
    numbers: dict[Node, int] = {}
    alone = set(roots)
    for node in order:
        if is_inlined(node) and node not in alone:
            continue
        if node.op is RESULT:
            numbers[node] = numbers[node.inputs[0]]
            continue
        numbers[node] = len(drawing.vertices)
        family = families[node]
        drawing.vertices.append(vertex(node, source, kind_of(node, family), "" if family == "gradient" else family))
        for k, child in enumerate(node.inputs):
            if child in numbers and not is_inlined(child):
                drawing.edges.append(arrow(numbers[child], numbers[node], child, k))
    for root, name in zip(roots, names, strict=True):
        add_output(drawing, numbers[root], root, name)
    return drawing


def kind_of(node: Node, family: str = "") -> str:
    """What the box of an operation or a leaf stands for."""
    if node.op is INPUT:
        return "input" if node.requires_grad else "data"
    if node.op is CONSTANT:
        return "constant"
    return "gradient" if family == "gradient" else "op"


def add_output(drawing: Drawing, source: int, value: Node, name: str) -> None:
    """The box of a result and the arrow that leads to it."""
    form = short_form(value.dtype, value.shape)
    drawing.vertices.append(Vertex("output", name, (form,), shape=value.shape, dtype=str(value.dtype)))
    drawing.edges.append(arrow(source, len(drawing.vertices) - 1, value))


def backward(request: Request) -> Drawing:
    """The chain of backward functions, from the inputs down to the value, under PyTorch's names."""
    value = request.roots[0]
    root, _ = shown(value)
    if root is None:
        hint = "it must depend on a floating-point input; its forward graph can be drawn"
        raise GradcliError("the value is not tracked, so it has no backward graph", hint=hint)
    drawing = Drawing("backward", [], [], [])
    numbers: dict[Node, int] = {}
    for node, name, children in _functions(root):
        if node.op is INPUT:
            form = (short_form(node.dtype, node.shape),)
            label = str(node.params.get("name") or "input")
            drawing.vertices.append(Vertex("input", label, form, shape=node.shape, dtype=str(node.dtype)))
            drawing.edges.append(arrow(len(drawing.vertices) - 1, len(drawing.vertices), node))
        numbers[node] = len(drawing.vertices)
        where = place(node, request.source)
        drawing.vertices.append(Vertex("function", name, source=where, shape=node.shape, dtype=str(node.dtype)))
        for k, (child, number) in enumerate(children):
            if child is not None:
                given = child.result(number) if isinstance(child, SeveralResults) else child
                drawing.edges.append(arrow(numbers[child], numbers[node], given, k))
    add_output(drawing, numbers[root], value, "value")
    return drawing


def _functions(root: Node) -> list[tuple[Node, str, list[Edge]]]:
    """Every tracked step, those behind it first, with its name and its edges."""
    found = {root: backward_function(root)}
    order: list[Node] = []
    stack = [(root, iter(found[root][1]))]
    while stack:
        node, edges = stack[-1]
        child = next((child for child, _ in edges if child is not None and child not in found), None)
        if child is None:
            order.append(node)
            stack.pop()
        else:
            found[child] = backward_function(child)
            stack.append((child, iter(found[child][1])))
    return [(node, *found[node]) for node in order]
