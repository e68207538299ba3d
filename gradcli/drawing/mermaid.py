"""Pictures as Mermaid flowcharts, which GitHub, GitLab and many editors draw."""

from __future__ import annotations

from gradcli.drawing.drawing import Drawing, Vertex
from gradcli.drawing.graphviz import COLORS, color_class

#: Renderers of Mermaid refuse charts with more edges or characters than these, unless told otherwise.
USUAL_EDGES = 500
USUAL_LENGTH = 50_000
_PLAIN = frozenset(" .,_-+=/[]():*")


def mermaid(drawing: Drawing, direction: str = "TB") -> str:
    """The picture as a flowchart; `direction` is TB or LR."""
    lines = [f"flowchart {direction}"]
    members: dict[int | None, list[int]] = {}
    for number, vertex in enumerate(drawing.vertices):
        members.setdefault(vertex.group, []).append(number)
    for group, title in enumerate(drawing.groups):
        text = "<br>".join(escaped(line) for line in title.split("\n"))
        lines.append(f'  subgraph g{group}["{text}"]')
        lines += [f"    {_vertex(number, drawing.vertices[number])}" for number in members.get(group, [])]
        lines.append("  end")
    lines += [f"  {_vertex(number, drawing.vertices[number])}" for number in members.get(None, [])]
    for edge in drawing.edges:
        names = drawing.vertices[edge.target].operands
        label = f"{names[edge.operand]}: {edge.label}" if names else edge.label
        lines.append(f'  n{edge.source} -->|"{escaped(label)}"| n{edge.target}')
    for name in dict.fromkeys(color_class(vertex) for vertex in drawing.vertices):
        fill, border = COLORS[name]
        lines.append(f"  classDef {_class(name)} fill:{fill},stroke:{border},color:#0f172a")
    return "\n".join(lines) + "\n"


def _vertex(number: int, vertex: Vertex) -> str:
    text = "<br>".join([f"<b>{escaped(vertex.name)}</b>", *(escaped(line) for line in vertex.details)])
    return f'n{number}("{text}"):::{_class(color_class(vertex))}'


def _class(name: str) -> str:
    # Some words, such as "default" and "end", mean something to Mermaid.
    return f"c_{name}"


def escaped(text: str) -> str:
    """A text between quotes: all but letters, digits and harmless signs is written by its number."""
    return "".join(c if c.isalnum() or c in _PLAIN else f"#{ord(c)};" if c.isprintable() else " " for c in text)
