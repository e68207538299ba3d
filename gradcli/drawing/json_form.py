"""Pictures as data, for programs that draw for themselves."""

from __future__ import annotations

from typing import Any

from gradcli.drawing.drawing import Drawing


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
