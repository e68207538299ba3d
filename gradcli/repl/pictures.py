"""The commands of an interactive session that draw: `:graph` and `:plot`."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import numpy as np

from gradcli.errors import GradcliError
from gradcli.graph.node import Node
from gradcli.repl.answers import Answers, Reply
from gradcli.repl.workspace import Evaluated, files_below, inputs_below

if TYPE_CHECKING:
    from gradcli.plotting.curves import Curves

_FILE = re.compile(r"[^()\[\]]*\.[A-Za-z]\w*")
_PICTURES = {".svg": "svg", ".png": "png"}


def graph(session: Answers, rest: str) -> Reply:
    """`:graph [WHAT] [FILE] EXPR`: the picture in a file, or as DOT."""
    from gradcli.drawing.draw import WHAT, draw
    from gradcli.drawing.picture import ENDINGS, format_of, picture
    from gradcli.storage.document import save_document

    what, text = _first_word(rest, WHAT)
    if text in WHAT and text not in session.workspace.names:
        what, text = text, ""
    path, text = _file(text, tuple(ENDINGS))
    outcome = session.expression(text, f"graph {what}" if what else "graph")
    request = session.request(outcome, outcome.node(), ones=True)
    drawing = draw(request, what or "forward", files=files_below(request.roots))
    data, note = picture(drawing, format_of(path) if path else "dot")
    if not path:
        return Reply(data.decode("utf-8").removesuffix("\n"), note)
    save_document(path, data)
    return Reply(note=note)


def plot(session: Answers, rest: str) -> Reply:
    """`:plot [FILE] EXPR`: an expression and its derivative against the points it is made from."""
    from gradcli.plotting.figure import figure, title_of
    from gradcli.plotting.terminal import plot_text
    from gradcli.storage.document import save_document

    path, text = _file(rest, tuple(_PICTURES))
    found = _curves(session, session.expression(text, "plot"))
    if not path:
        return Reply(plot_text(found, session.screen()), found.note)
    form = _PICTURES[os.path.splitext(path)[1].lower()]
    save_document(path, figure(found, title_of(text), form))
    return Reply(note=found.note)


def _curves(session: Answers, outcome: Evaluated) -> Curves:
    from gradcli.plotting.curves import all_together, derivatives_of, drawn, order_of

    value = outcome.node()
    leaf = _points(session, value)
    all_together(value, leaf)
    name = str(leaf.params["name"])
    x, *arrays = session.arrays(outcome, [leaf, value, *derivatives_of(value, leaf, 1)])
    points = np.asarray(x).reshape(-1)
    order = order_of(name, points)
    heights = [np.broadcast_to(np.asarray(y), leaf.shape).reshape(-1)[order] for y in arrays]
    return drawn(name, points[order], heights, 1)


def _points(session: Answers, value: Node) -> Node:
    """The input that a value is plotted against."""
    several = [leaf for leaf in inputs_below(value) if leaf.size != 1]
    chosen = [leaf for leaf in several if session.wrt is not None and leaf.params["name"] in session.wrt]
    names = [str(leaf.params["name"]) for leaf in several]
    if not several:
        raise GradcliError("there are no points to plot against", hint="as in x = linspace(-3,3,400)")
    if len(several) > 1 and len(chosen) != 1:
        raise GradcliError(
            f"a plot is against one input, and {' and '.join(names[:3])} have more than one element each",
            hint=f"`:wrt {names[0]}` plots against {names[0]}",
        )
    return chosen[0] if len(chosen) == 1 else several[0]


def _first_word(text: str, words: tuple[str, ...]) -> tuple[str | None, str]:
    word, _, rest = text.partition(" ")
    return (word, rest.strip()) if word in words and rest.strip() else (None, text)


def _file(text: str, endings: tuple[str, ...]) -> tuple[str | None, str]:
    """The file that a text begins with, if its ending is one of these, and the rest."""
    word, _, rest = text.partition(" ")
    rest = rest.strip()
    if word.lower().endswith(endings):
        return word, rest
    if _FILE.fullmatch(word) and rest[:1].isalpha():
        raise GradcliError(f"{word!r} tells no format", hint=f"there are {', '.join(endings)}")
    return None, text
