"""What a picture of a graph shows: vertices and edges in one neutral structure that every format is written from."""

from __future__ import annotations

from typing import Any, NamedTuple

Shape = tuple[int, ...]


class Vertex(NamedTuple):
    """A box of the picture: an "input", "data" that is not differentiated, a "constant", an "op", a "gradient", which
    is an operation of the backward pass, a "function" of the chain, or an "output".

    `details` are the lines below the name, `operands` the names of the operands where their order matters, each empty
    where no arrow leads to it. `family` is the operation's family, `source` the part of the source that it stands for.
    `group` counts `Drawing.groups`, whose titles may have several lines.
    """

    kind: str
    name: str
    details: tuple[str, ...] = ()
    operands: tuple[str, ...] = ()
    family: str = ""
    source: str = ""
    shape: Shape | None = None
    dtype: str | None = None
    group: int | None = None


class Edge(NamedTuple):
    """An arrow from one vertex to another, by their numbers; `operand` says which operand of the target it is.

    `output` is the number of the result, where the source has several.
    """

    source: int
    target: int
    operand: int
    label: str
    shape: Shape | None = None
    dtype: str | None = None
    output: int | None = None


class Drawing(NamedTuple):
    """A picture: what is drawn, boxes, arrows, and the titles of the frames around boxes."""

    what: str
    vertices: list[Vertex]
    edges: list[Edge]
    groups: list[str]


_SHORT = {f"{kind}{n}": f"{kind[0]}{n}" for kind in ("float", "int") for n in (8, 16, 32, 64)} | {"uint8": "u8"}


def short_form(dtype: Any, shape: tuple[Any, ...]) -> str:
    """Dtype and shape in a few letters, for the edges.

    >>> short_form("float32", (2, 3))
    'f32[2, 3]'
    """
    name = str(dtype)
    return f"{_SHORT.get(name, name)}[{', '.join(map(str, shape))}]"
