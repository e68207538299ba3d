"""Pictures as DOT, and as SVG or PNG by way of Graphviz."""

from __future__ import annotations

from gradcli.drawing.drawing import Drawing, Vertex
from gradcli.errors import GradcliError, WorkError

_FONT = "Helvetica,Arial,sans-serif"
_INK, _FAINT, _LINE = "#0f172a", "#64748b", "#94a3b8"

#: Fill and border by kind, or by an operation's family: light fills and dark borders, for a white page.
COLORS = {
    "input": ("#dbeafe", "#2563eb"),
    "data": ("#f1f5f9", "#64748b"),
    "constant": ("#f8fafc", "#94a3b8"),
    "output": ("#dcfce7", "#16a34a"),
    "gradient": ("#ffe4e6", "#e11d48"),
    "function": ("#f8fafc", "#475569"),
    "op": ("#ffffff", "#475569"),
    "reduction": ("#fef3c7", "#d97706"),
    "contraction": ("#ede9fe", "#7c3aed"),
    "linalg": ("#ede9fe", "#7c3aed"),
    "shape": ("#ecfeff", "#0891b2"),
    "index": ("#ecfeff", "#0891b2"),
    "diagonal": ("#ecfeff", "#0891b2"),
}

_RESOLUTION = 144

# The time that Graphviz takes grows fast with the boxes, and with the rows that all arrows pass: beyond the first
# length it is told to hurry, beyond the limits it would take minutes.
_HURRIED_LENGTH = 1500
_MOST_LENGTH = 40_000
_MOST_BOXES = 3000
_HURRY = "nslimit=1, nslimit1=1, mclimit=0.2, splines=line"


def color_class(vertex: Vertex) -> str:
    """The entry of COLORS for a vertex."""
    return vertex.family if vertex.kind == "op" and vertex.family in COLORS else vertex.kind


def dot(drawing: Drawing, direction: str = "TB", settings: str = "") -> str:
    """The picture in Graphviz's language, in time proportional to its size.

    `direction` is TB or LR, `settings` are further attributes of the graph.
    """
    more = f", {settings}" if settings else ""
    lines = [
        "digraph gradcli {",
        f'  graph [rankdir={direction}, bgcolor=white, fontname="{_FONT}", fontsize=10, nodesep=0.3, '
        f"ranksep=0.35{more}];",
        f'  node [shape=box, style="rounded,filled", fontname="{_FONT}", fontsize=12, fontcolor="{_INK}", '
        'margin="0.1,0.05", height=0.3, width=0.6];',
        f'  edge [color="{_LINE}", fontname="{_FONT}", fontsize=9, fontcolor="{_FAINT}", arrowsize=0.6];',
    ]
    members: dict[int | None, list[int]] = {}
    for number, vertex in enumerate(drawing.vertices):
        members.setdefault(vertex.group, []).append(number)
    for group, title in enumerate(drawing.groups):
        lines.append(f"  subgraph cluster_{group} {{")
        text = '<BR ALIGN="LEFT"/>'.join(escaped(line) for line in [*title.split("\n"), ""])
        lines.append(f"    label=<{text}>; labeljust=l; labelloc=b; style=rounded;")
        lines.append(f'    color="{_LINE}"; fontcolor="{_FAINT}";')
        lines += [f"    {_vertex(number, drawing.vertices[number], direction)}" for number in members.get(group, [])]
        lines.append("  }")
    lines += [f"  {_vertex(number, drawing.vertices[number], direction)}" for number in members.get(None, [])]
    inlet = "n" if direction == "TB" else "w"
    for edge in drawing.edges:
        port = f":p{edge.operand}:{inlet}" if drawing.vertices[edge.target].operands else ""
        lines.append(f"  n{edge.source} -> n{edge.target}{port} [label={quoted(' ' + edge.label)}];")
    lines.append("}")
    return "\n".join(lines) + "\n"


def _vertex(number: int, vertex: Vertex, direction: str) -> str:
    fill, border = COLORS[color_class(vertex)]
    label = _label_beside(vertex) if direction == "LR" and vertex.operands else _label(vertex)
    words = [f"label=<{label}>", f'fillcolor="{fill}"', f'color="{border}"']
    if vertex.kind == "output":
        words.append("penwidth=2")
    elif vertex.kind == "constant":
        words.append('style="rounded,filled,dashed"')
    words.append(f"tooltip={quoted(vertex.source or vertex.name)}")
    return f"n{number} [{', '.join(words)}];"


def _label(vertex: Vertex) -> str:
    """A table: the operands' names where edges arrive, the title, and a line for each detail."""
    title = f"<B>{escaped(vertex.name)}</B>"
    cells = [f'<TD PORT="p{k}">&#160;{_small(name)}&#160;</TD>' for k, name in enumerate(vertex.operands) if name]
    span = f' COLSPAN="{len(cells)}"' if len(cells) > 1 else ""
    rows = ["".join(cells)] if cells else []
    rows.append(f"<TD{span}>{title}</TD>")
    rows += [f"<TD{span}>{_small(line)}</TD>" for line in vertex.details]
    return _table(rows)


def _label_beside(vertex: Vertex) -> str:
    """The same where arrows come from the left: the operands' names below each other, all else beside them."""
    cells = [f'<TD PORT="p{k}" ALIGN="LEFT">{_small(name)}</TD>' for k, name in enumerate(vertex.operands) if name]
    text = "<BR/>".join([f"<B>{escaped(vertex.name)}</B>", *(_small(line) for line in vertex.details)])
    cells[0] += f'<TD ROWSPAN="{len(cells)}">&#160;{text}</TD>'
    return _table(cells)


def _table(rows: list[str]) -> str:
    body = "".join(f"<TR>{row}</TR>" for row in rows)
    return f'<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="1">{body}</TABLE>'


def _small(text: str) -> str:
    return f'<FONT POINT-SIZE="9" COLOR="{_FAINT}">{escaped(text)}</FONT>'


def escaped(text: str) -> str:
    """A text inside an HTML-like label."""
    clean = "".join(c if c.isprintable() else " " for c in text)
    return clean.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")


def quoted(text: str) -> str:
    """A text as a quoted string, in which nothing means anything but itself."""
    clean = "".join(c if c.isprintable() else " " for c in text)
    return '"' + clean.replace("&", "&amp;").replace("\\", "\\\\").replace('"', '\\"') + '"'


def laid_out(drawing: Drawing, form: str, direction: str = "TB") -> bytes:
    """The picture as "svg" or "png"; GradcliError when it is too large, or when Graphviz is not there."""
    length = _length(drawing)
    if length > _MOST_LENGTH or len(drawing.vertices) > _MOST_BOXES:
        what = f"a picture of {len(drawing.vertices):,} boxes and {len(drawing.edges):,} arrows"
        raise GradcliError(f"{what} is too large for {form}", hint="--format dot or json writes a graph of any size")
    try:
        import graphviz
    except ImportError:
        raise _missing(form, "the Python package graphviz is") from None
    try:
        settings = [f"dpi={_RESOLUTION}"] if form == "png" else []
        settings += [_HURRY] if length > _HURRIED_LENGTH else []
        text = dot(drawing, direction, ", ".join(settings))
        return bytes(graphviz.Source(text).pipe(format=form, quiet=True))
    except graphviz.ExecutableNotFound:
        raise _missing(form, "Graphviz's program dot is") from None
    except graphviz.CalledProcessError as error:
        told = (error.stderr or b"").decode("utf-8", "replace").strip().splitlines()
        raise WorkError(f"Graphviz failed: {told[0] if told else error}", hint="--format dot needs nothing") from None
    except OSError as error:
        raise WorkError(f"cannot run Graphviz's program dot: {error.strerror or error}") from None


def _length(drawing: Drawing) -> int:
    """The rows that all arrows pass together, where each box stands below those that lead to it."""
    # Arrows come in the order of their targets, after all arrows into their sources.
    rows = [0] * len(drawing.vertices)
    for edge in drawing.edges:
        rows[edge.target] = max(rows[edge.target], rows[edge.source] + 1)
    return sum(rows[edge.target] - rows[edge.source] for edge in drawing.edges)


def _missing(form: str, what: str) -> WorkError:
    return WorkError(
        f"drawing {form} needs Graphviz, and {what} not installed",
        hint='pip install "gradcli[graph]", and the system package graphviz (apt install graphviz, '
        "brew install graphviz); --format dot and mermaid need neither",
    )
