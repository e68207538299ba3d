"""The commands of an interactive session, which begin with a colon."""

from __future__ import annotations

import os
import re
from collections.abc import Callable

import numpy as np

from gradcli.errors import GradcliError, closest, did_you_mean
from gradcli.graph.dtypes import DTYPES
from gradcli.graph.node import INPUT, RESULT, Node
from gradcli.plotting.curves import Curves, all_together, derivatives_of, drawn, order_of, too_many
from gradcli.plotting.terminal import plot_text
from gradcli.repl.answers import Answers, Reply
from gradcli.repl.workspace import Evaluated, files_below, inputs_below

_FILE = re.compile(r"[^()\[\]]*\.[A-Za-z]\w*")
_PICTURES = {".svg": "svg", ".png": "png"}


def graph(session: Answers, rest: str) -> Reply:
    """`:graph [WHAT] [FILE] EXPR`: the picture in a file, or as DOT."""
    from gradcli.drawing.picture import ENDINGS, WHAT, draw, format_of, picture
    from gradcli.storage.writing import save_document

    word, _, text = rest.partition(" ")
    what = word if word in WHAT and (text.strip() or word not in session.workspace.names) else None
    text = text.strip() if what else rest
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
    from gradcli.storage.writing import save_document

    path, text = _file(rest, tuple(_PICTURES))
    found = _curves(session, session.expression(text, "plot"))
    if not path:
        return Reply(plot_text(found, session.screen()), found.note)
    form = _PICTURES[os.path.splitext(path)[1].lower()]
    save_document(path, figure(found, title_of(text), form))
    return Reply(note=found.note)


def _curves(session: Answers, outcome: Evaluated) -> Curves:
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
    several = {str(leaf.params["name"]): leaf for leaf in inputs_below(value) if leaf.size != 1}
    names = list(several)
    chosen = [name for name in names if name in (session.wrt or ())]
    if not several:
        raise GradcliError("there are no points to plot against", hint="for example, x = linspace(-3,3,400)")
    if len(several) > 1 and len(chosen) != 1:
        raise too_many(names, f"`:wrt {names[0]}` plots against {names[0]}")
    return several[chosen[0] if len(chosen) == 1 else names[0]]


def _file(text: str, endings: tuple[str, ...]) -> tuple[str | None, str]:
    """The file that a text begins with, if its ending is one of these, and the rest."""
    word, _, rest = text.partition(" ")
    rest = rest.strip()
    if word.lower().endswith(endings):
        return word, rest
    if _FILE.fullmatch(word) and rest[:1].isalpha():
        raise GradcliError(f"{word!r} has no known extension", hint=f"choose from {', '.join(endings)}")
    return None, text


_INTRODUCTION = """\
x = ones(2,2)       an input: a number, a list, a tensor
X = @data.npy       an input from a file
y = 3*x + 7         a value made from inputs; gradients go through it
f(t) = t**2         a function
mean(f(y))          an expression: its value, its backward graph, its gradients
"""
_COLUMN = 26


def command(session: Answers, text: str) -> Reply:
    """Carry out a command, given without its colon."""
    word, _, rest = text.partition(" ")
    return _known(word)[2](session, rest.strip())


def _known(word: str) -> _Command:
    if word in COMMANDS:
        return COMMANDS[word]
    close = closest(word, list(COMMANDS))
    hint = f"did you mean :{close}?" if close else ":help lists the commands"
    raise GradcliError(f"there is no command :{word}", hint=hint)


def _help(session: Answers, name: str) -> Reply:
    from gradcli.reference.entries import entry, entry_text, find
    from gradcli.reference.other_names import foreign, foreign_text

    if name.startswith(":"):
        arguments, does, _ = _known(name[1:])
        return Reply(f"{name} {arguments}".rstrip() + f"\n{does}")
    if name:
        elsewhere = foreign(name)
        return Reply(entry_text(entry(find(name))) if elsewhere is None else foreign_text(elsewhere))
    lines = [f":{word} {arguments}".ljust(_COLUMN) + does for word, (arguments, does, _) in COMMANDS.items()]
    return Reply(_INTRODUCTION + "\n" + "\n".join(lines))


def _ops(session: Answers, name: str) -> Reply:
    from gradcli.reference.entries import list_text, table_named, tables

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
    shown = [*workspace.imports.values(), *lines, *workspace.functions.values()]
    return Reply("\n".join(shown) or "there are no names yet")


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
        raise GradcliError(":save needs a file and an expression", hint="for example, :save y.npy 3*x + 7")
    check_writable([path])
    outcome = session.expression(text.strip(), "save")
    array = session.arrays(outcome, [outcome.node()])[0]
    save(path, np.asarray(array))
    return Reply()


def _delete(session: Answers, rest: str) -> Reply:
    names = rest.replace(",", " ").split()
    known = [*session.workspace.names, *session.workspace.functions, *session.workspace.imports]
    for name in names:
        if name not in known:
            hint = did_you_mean(name, known) or ":names lists them"
            raise GradcliError(f"there is no name {name!r}", hint=hint)
    if not names:
        raise GradcliError(":delete needs a name", hint="for example, :delete x")
    for name in names:
        session.workspace.delete(name)
    session.wrt = None if session.wrt is None else [name for name in session.wrt if name not in names] or None
    return Reply()


def _dtype(session: Answers, rest: str) -> Reply:
    from gradcli.tensors.functions import get_default_dtype, set_default_dtype

    if not rest:
        return Reply(str(get_default_dtype()))
    if rest not in DTYPES or DTYPES[rest].kind != "f":
        raise GradcliError(f"{rest!r} is not a floating-point type", hint="choose from float16, float32 and float64")
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


def _number(text: str, what: str, least: int, most: int) -> int:
    try:
        value = int(text)
    except ValueError:
        raise GradcliError(f":{what} needs an integer", hint=f"for example, :{what} 3") from None
    if not least <= value <= most:
        raise GradcliError(f"{value} is out of range", hint=f"it must lie between {least} and {most}")
    return value


_Command = tuple[str, str, Callable[[Answers, str], Reply]]
#: Each command with its arguments, what it does, and who does it.
COMMANDS: dict[str, _Command] = {
    "help": ("[NAME]", "show this, or an operation: :help softplus", _help),
    "ops": ("[FAMILY]", "list the operations, as in :ops activations", _ops),
    "names": ("", "list the inputs, values and functions", _names),
    "wrt": (
        "[NAMES]",
        "differentiate with respect to these inputs only, as in :wrt x,y, or all of them, :wrt all",
        _wrt,
    ),
    "grad": ("EXPR", "only the gradients of an expression; of a non-scalar value, those of its sum", Answers.grad),
    "value": ("EXPR", "only the value of an expression", Answers.value),
    "plan": ("EXPR", "the plan of an expression and its gradients", _plan),
    "graph": ("[WHAT] [FILE] EXPR", "draw the forward, backward or grad graph, or the plan, as a.svg or DOT", graph),
    "plot": (
        "[FILE] EXPR",
        "plot a function of the points of an input and its derivative, here or as SVG or PNG",
        plot,
    ),
    "save": ("FILE EXPR", "write the value of an expression as .npy", _save),
    "delete": ("NAMES", "forget names", _delete),
    "dtype": ("[NAME]", "the dtype of numbers and lists from now on, as in :dtype float64", _dtype),
    "seed": ("NUMBER", "set the seed of random numbers", _seed),
    "precision": ("[DIGITS]", "decimals in text", _precision),
    "quit": ("", "exit; so does Ctrl-D", lambda session, rest: Reply(over=True)),
}
