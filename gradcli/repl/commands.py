"""The commands of an interactive session, which begin with a colon."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from gradcli.errors import GradcliError, closest, did_you_mean
from gradcli.graph.dtypes import DTYPES
from gradcli.graph.node import INPUT, RESULT, Node
from gradcli.repl.answers import Answers, Reply
from gradcli.repl.workspace import Evaluated, files_below, inputs_below

if TYPE_CHECKING:
    from gradcli.plotting.curves import Curves

_FILE = re.compile(r"[^()\[\]]*\.[A-Za-z]\w*")
_PICTURES = {".svg": "svg", ".png": "png"}


def graph(session: Answers, rest: str) -> Reply:
    """`:graph [WHAT] [FILE] EXPR`: the picture in a file, or as DOT."""
    from gradcli.drawing.picture import ENDINGS, WHAT, draw, format_of, picture
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


_INTRODUCTION = """\
x = ones(2,2)       an input: a number, a list, a tensor
X = @data.npy       an input from a file
y = 3*x + 7         a value made from inputs; gradients go through it
f(t) = t**2         a function
mean(f(y))          an expression: its value, its chain of backward functions, its gradients
"""


_COLUMN = 26


def command(session: Answers, text: str) -> Reply:
    """Carry out a command, given without its colon."""
    word, _, rest = text.partition(" ")
    rest = rest.strip()
    if word not in COMMANDS:
        raise _no_command(word)
    return COMMANDS[word][2](session, rest)


def _no_command(word: str) -> GradcliError:
    close = closest(word, list(COMMANDS))
    return GradcliError(
        f"there is no command :{word}", hint=f"did you mean :{close}?" if close else ":help lists the commands"
    )


def _help(session: Answers, name: str) -> Reply:
    from gradcli.reference.entries import entry, find
    from gradcli.reference.listing import entry_text

    if name.startswith(":"):
        if name[1:] not in COMMANDS:
            raise _no_command(name[1:])
        arguments, does, _ = COMMANDS[name[1:]]
        return Reply(f"{name} {arguments}".rstrip() + f"\n{does}")
    if name:
        return Reply(entry_text(entry(find(name))))
    lines = [f":{word} {arguments}".ljust(_COLUMN) + does for word, (arguments, does, _) in COMMANDS.items()]
    return Reply(_INTRODUCTION + "\n" + "\n".join(lines))


def _ops(session: Answers, name: str) -> Reply:
    from gradcli.reference.entries import table_named, tables
    from gradcli.reference.listing import list_text

    table = table_named(name) if name else None
    if name and table is None:
        return _help(session, name)
    known = tables()
    return Reply(list_text(known if table is None else {table: known[table]}, session.screen().width))


def _names(session: Answers, rest: str) -> Reply:
    workspace = session.workspace
    rows: list[tuple[str, str]] = []
    for name, value in workspace.names.items():
        if not isinstance(value, Node):
            rows.append((name, str(value)))
            continue
        chosen = value.requires_grad and (session.wrt is None or name in session.wrt)
        made_by = value.inputs[0].op if value.op is RESULT else value.op
        kind = ("input, differentiated" if chosen else "input") if value.op is INPUT else f"value of {made_by.name}"
        rows.append((name, f"{value.dtype} {value.shape}, {kind.replace('value of _', 'value of ')}"))
    width = max((len(name) for name, _ in rows), default=0)
    lines = [f"{name:{width}}  {text}" for name, text in rows]
    return Reply("\n".join([*lines, *workspace.functions.values()]) or "there are no names yet")


def _wrt(session: Answers, rest: str) -> Reply:
    if rest == "all" and "all" not in session.workspace.names:
        session.wrt = None
    elif rest:
        names = [name.strip() for name in rest.split(",")]
        session.check_names(names)
        session.wrt = names
    else:
        return Reply("all inputs" if session.wrt is None else ", ".join(session.wrt))
    return Reply()


def _grad(session: Answers, rest: str) -> Reply:
    return session.gradient_text(session.expression(rest, "grad"))


def _value(session: Answers, rest: str) -> Reply:
    return Reply(session.value_text(session.expression(rest, "value")))


def _plan(session: Answers, rest: str) -> Reply:
    from gradcli.engine.execute.threads import get_num_threads
    from gradcli.engine.plan_report import plan_text
    from gradcli.evaluation.compiled import Compiled

    outcome = session.expression(rest, "plan")
    request = session.request(outcome, outcome.node(), ones=True)
    program = Compiled(request, files_below(request.roots)).program
    return Reply(plan_text(program, request.targets, get_num_threads()))


def _save(session: Answers, rest: str) -> Reply:
    from gradcli.storage import check_writable, save

    path, _, text = rest.partition(" ")
    if not path or not text.strip():
        raise GradcliError(":save needs a file and an expression", hint="as in :save y.npy 3*x + 7")
    check_writable([path])
    outcome = session.expression(text.strip(), "save")
    array = session.arrays(outcome, [outcome.node()])[0]
    save(path, np.asarray(array))
    return Reply()


def _delete(session: Answers, rest: str) -> Reply:
    names = rest.replace(",", " ").split()
    known = [*session.workspace.names, *session.workspace.functions]
    for name in names:
        if name not in known:
            hint = did_you_mean(name, known) or ":names lists them"
            raise GradcliError(f"there is no name {name!r}", hint=hint)
    if not names:
        raise GradcliError(":delete needs a name", hint="as in :delete x")
    for name in names:
        session.workspace.delete(name)
    session.wrt = None if session.wrt is None else [name for name in session.wrt if name not in names] or None
    return Reply()


def _dtype(session: Answers, rest: str) -> Reply:
    from gradcli.tensors.functions import get_default_dtype, set_default_dtype

    if not rest:
        return Reply(str(get_default_dtype()))
    if rest not in DTYPES or DTYPES[rest].kind != "f":
        raise GradcliError(f"{rest!r} is no floating-point type", hint="there are float16, float32 and float64")
    set_default_dtype(DTYPES[rest])
    return Reply()


def _seed(session: Answers, rest: str) -> Reply:
    from gradcli.tensors.functions import manual_seed

    manual_seed(_number(rest, "seed", -(2**63), 2**64 - 1))
    return Reply()


def _precision(session: Answers, rest: str) -> Reply:
    if not rest:
        return Reply(str(session.style.precision))
    session.style = session.style._replace(precision=_number(rest, "precision", 0, 30))
    return Reply()


def _quit(session: Answers, rest: str) -> Reply:
    return Reply(over=True)


def _number(text: str, what: str, least: int, most: int) -> int:
    try:
        value = int(text)
    except ValueError:
        raise GradcliError(f":{what} needs a whole number", hint=f"as in :{what} 3") from None
    if not least <= value <= most:
        raise GradcliError(f"{value} is out of range", hint=f"it must lie between {least} and {most}")
    return value


#: Each command with its arguments, what it does, and who does it.
COMMANDS: dict[str, tuple[str, str, Callable[[Answers, str], Reply]]] = {
    "help": ("[NAME]", "this, or an operation: :help softplus", _help),
    "ops": ("[FAMILY]", "the operations, as in :ops activations", _ops),
    "names": ("", "the inputs, values and functions there are", _names),
    "wrt": ("[NAMES]", "differentiate by these inputs only, as in :wrt x,y; by all with :wrt all", _wrt),
    "grad": ("EXPR", "only the gradients of an expression; of one that is no scalar, those of its sum", _grad),
    "value": ("EXPR", "only the value of an expression", _value),
    "plan": ("EXPR", "how an expression and its gradients would be computed", _plan),
    "graph": ("[WHAT] [FILE] EXPR", "the forward, backward or grad graph, or the plan, as a.svg or DOT", graph),
    "plot": ("[FILE] EXPR", "a function of the points of an input and its derivative, here or as SVG or PNG", plot),
    "save": ("FILE EXPR", "write the value of an expression as .npy", _save),
    "delete": ("NAMES", "forget names", _delete),
    "dtype": ("[NAME]", "the element type of numbers and lists from here on, as in :dtype float64", _dtype),
    "seed": ("NUMBER", "start the random numbers anew", _seed),
    "precision": ("[DIGITS]", "digits after the point", _precision),
    "quit": ("", "leave; so does Ctrl-D", _quit),
}
