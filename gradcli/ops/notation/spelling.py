"""Calls as text of the language: the usual way, and that of reductions, joins, places and losses.

Each function takes a writer, w, and a call, c (`Arranger` and `CallOfForms` in `gradcli.formula.write.arrange`), and
gives a form.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gradcli.language.kinds import BOOLEAN, EXACT, NUMBER, REAL, together

Text = Callable[[Any, Any], Any]


def usual(w: Any, c: Any) -> Any:
    """An operator between its operands, or name(operands, parameters that differ from the usual ones).

    Whole numbers, which are dimensions and places, are given by place where everything before them is, other
    parameters with a default by keyword.
    """
    f = w.forms
    if c.op.symbol is not None:
        op = "unary" if len(c.args) == 1 else "binary"
        return f.make(op, c.op.symbol, c.args, c.kind)
    front, words = arguments(w, c)
    return f.call(c.name, front, c.kind, **words)


def arguments(w: Any, c: Any) -> tuple[list[Any], dict[str, Any]]:
    """The arguments of a call by place and by keyword."""
    signature = c.op.signature
    defaults, by_word = signature.defaults, signature.by_word
    rest = iter(c.args)
    front: list[Any] = []
    words: dict[str, Any] = {}
    complete = True
    for name in signature.names:
        if name not in c.params:
            operand = next(rest, None)
            complete = complete and operand is not None
            front += [operand] if operand is not None else []
        elif name not in defaults and name in by_word:
            words[name] = w.literal(c.params[name])
        elif name not in defaults:
            front.append(w.literal(c.params[name]))
        elif c.params[name] == defaults[name]:
            complete = False
        elif complete and name not in by_word and _is_place(c.params[name]):
            front.append(w.literal(c.params[name]))
        else:
            words[name] = w.literal(c.params[name])
            complete = False
    return [*front, *rest], {name: words[name] for name in c.params if name in words}


def _is_place(value: Any) -> bool:
    return isinstance(value, int | tuple) and not isinstance(value, bool)


def real(w: Any, c: Any) -> Any:
    """The usual way, for what computes floating-point numbers whatever it is given."""
    return usual(w, c._replace(kind=REAL))


def every(*names: str) -> Text:
    """All of these parameters by place, usual or not."""
    return lambda w, c: w.forms.call(c.name, [*c.args, *(w.literal(c.params[n]) for n in names)], c.kind)


def connective(symbol: str) -> Text:
    """An operator where all operands are booleans, a function elsewhere."""

    def write(w: Any, c: Any) -> Any:
        if any(x.kind != BOOLEAN for x in c.args):
            return usual(w, c)
        return w.forms.make("binary" if len(c.args) > 1 else "unary", symbol, c.args, c.kind)

    return write


def where(w: Any, c: Any) -> Any:
    """Numbers to choose from are of the dtype that the result has."""
    condition, *values = c.args
    kind = together(values)
    if kind == REAL:
        return usual(w, c._replace(kind=kind))
    values = [_precise(w, x) for x in values]
    kind = together(values)
    return usual(w, c._replace(args=[condition, *values], kind=kind if kind == REAL else EXACT))


def _precise(w: Any, form: Any) -> Any:
    """A number that the language would round to float32, in the dtype of the inputs."""
    inner = form.parts[0] if form.op == "unary" else form
    if form.kind != NUMBER or (inner.op == "number" and isinstance(inner.arg, int)):
        return form
    return w.forms.call("tensor", [form], dtype=w.dtype())


def conversion(w: Any, c: Any) -> Any:
    """x.to(dtype)."""
    return w.forms.method(c.args[0], "to", [w.forms.name(str(c.params["dtype"]), NUMBER)], REAL)


# Reductions -----------------------------------------------------------------------------------------------------------


def reduced(
    w: Any, c: Any, kind: str | None = None, settings: Sequence[Any] = (), usually: Mapping[str, Any] = {}
) -> Any:
    """name(tensor, settings, dims), without dims where they are all; `usually` tells what a default of None means."""
    dims = _dims(w, c)
    defaults = {**c.op.signature.defaults, **usually, "dim": c.params["dim"]}
    words = {k: w.literal(whole_number(v)) for k, v in c.params.items() if defaults.get(k, v) != v}
    front = [c.args[0], *settings, *([dims] if dims is not None else [])]
    return w.forms.call(c.name, front, kind or (REAL if c.args[0].kind == REAL else EXACT), **words)


def _dims(w: Any, c: Any) -> Any:
    """The dims of a reduction, None for all of them."""
    dims = c.params["dim"]
    if dims is None or len(dims) == len(c.shapes[0]):
        return None
    return w.literal(dims[0] if len(dims) == 1 else dims)


def whole_number(value: Any) -> Any:
    """2.0 as 2."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def reduced_to(kind: str | None, **usually: Any) -> Text:
    """A reduction to integers or booleans, or one whose default of None means something."""
    return lambda w, c: reduced(w, c, kind, usually=usually)


counted, truth, spread = reduced_to(EXACT), reduced_to(BOOLEAN), reduced_to(None, correction=1)


def norm(w: Any, c: Any) -> Any:
    """norm(x, p, dims): the order is told where it is not 2, and before dims."""
    order, rest = c.params["p"], {key: value for key, value in c.params.items() if key != "p"}
    told = order != 2 or _dims(w, c) is not None
    return reduced(w, c._replace(params=rest), settings=[w.literal(whole_number(order))] if told else [])


# Places and shapes ----------------------------------------------------------------------------------------------------


def reshape(w: Any, c: Any) -> Any:
    """x.reshape(shape); what was reshaped is reshaped at once."""
    form = c.args[0]
    inner = form.parts[0] if form.op == "method" and form.arg[0] == c.name else form
    return w.forms.method(inner, c.name, w.shape(c.shape), form.kind)


def viewed(w: Any, c: Any) -> Any:
    """x.reshape(shape), for what has that name in PyTorch's chain only."""
    return w.forms.method(c.args[0], "reshape", w.shape(c.shape) or [w.literal(())], c.kind)


def squeezed(w: Any, c: Any) -> Any:
    """squeeze(x, dims)."""
    kept: list[int] = []
    for dim, length in enumerate(c.shapes[0]):
        if len(kept) < len(c.shape) and length == c.shape[len(kept)]:
            kept.append(dim)
    gone = tuple([dim for dim in range(len(c.shapes[0])) if dim not in kept])
    return w.forms.call(c.name, [c.args[0], w.literal(gone[0] if len(gone) == 1 else gone)], c.kind)


def unsqueezed(w: Any, c: Any) -> Any:
    """unsqueeze(x, dim)."""
    before = c.shapes[0]
    dim = next((k for k, n in enumerate(before) if c.shape[k] != n), len(before))
    return w.forms.call(c.name, [c.args[0], w.literal(dim)], c.kind)


def floored(w: Any, c: Any) -> Any:
    """clamp_min(x, least)."""
    return w.forms.call("clamp_min", [*c.args, w.literal(c.params["least"])], c.kind)


def filled(w: Any, c: Any) -> Any:
    """full((lengths), value, dtype)."""
    lengths = w.forms.sequence([w.size(n) for n in c.shape], "tuple")
    dtype = w.forms.name(str(c.params["dtype"]), NUMBER)
    return w.forms.call("full", [lengths, w.literal(c.params["value"])], c.kind, dtype=dtype)


def tiled(w: Any, c: Any) -> Any:
    """tile(x, repeats), which takes what repeat does."""
    return w.forms.call("tile", [c.args[0], w.literal(c.params["repeats"])], c.kind)


def select(w: Any, c: Any) -> Any:
    """x[:, index]; by name where the index is a length or the dimension far behind."""
    f, dim, index = w.forms, c.params["dim"], c.params["index"]
    if not isinstance(index, int) or dim > 3:
        return f.call(c.name, [c.args[0], f.number(dim), w.literal(index)], c.kind)
    return f.index(c.args[0], [f.everything()] * dim + [w.literal(index)])


def sliced(w: Any, c: Any) -> Any:
    """x[:, start:stop:step], without what is so anyway."""
    f, dim = w.forms, c.params["dim"]
    usually = {"start": 0, "stop": c.shapes[0][dim], "step": 1}
    bounds = [None if c.params[k] == v else w.literal(c.params[k]) for k, v in usually.items()]
    return f.index(c.args[0], [f.everything()] * dim + [f.slice(*bounds)])


def embedded(w: Any, c: Any) -> Any:
    """Zeros before and after, joined to a tensor."""
    f, dim, start = w.forms, c.params["dim"], c.params["start"]
    after = w.literal(c.params["after"])
    sizes = [w.size(n) for n in c.shapes[0]]

    def zeros(count: Any) -> Any:
        return f.call("zeros", [count if k == dim else n for k, n in enumerate(sizes)], dtype=w.dtype())

    pieces = [c.args[0]]
    if start != 0:
        pieces.insert(0, zeros(w.literal(start)))
    if not (after.op == "number" and after.arg == 0):
        pieces.append(zeros(after))
    if len(pieces) == 1:
        return c.args[0]
    return f.call("cat", [f.sequence(pieces), *([f.number(dim)] if dim else [])], c.kind)


def indexed(w: Any, c: Any) -> Any:
    """x[:, indices]."""
    items = [w.forms.everything()] * (max(c.params["dims"]) + 1)
    for dim, index in zip(c.params["dims"], c.args[1:], strict=True):
        items[dim] = index
    return w.forms.index(c.args[0], items)


def padded(w: Any, c: Any) -> Any:
    """name(x, lengths before and after each dimension from the last one on, mode or value)."""
    ends = dict(zip(c.params["dims"], c.params["pads"], strict=True))
    lengths = [n for dim in range(len(c.shapes[0]) - 1, min(ends) - 1, -1) for n in ends.get(dim, (0, 0))]
    more = {k: w.literal(c.params[k]) for k in ("mode", "value") if c.params.get(k, 0) != 0}
    return w.forms.call(c.name, [c.args[0], w.literal(tuple(lengths))], REAL, **more)


def placed(w: Any, c: Any) -> Any:
    """scatter_add(zeros, dim, index, x)."""
    zeros = w.forms.call("zeros", [w.size(n) for n in c.shape], dtype=w.dtype())
    x, index = c.args
    return w.forms.call("scatter_add", [zeros, w.literal(c.params["dim"]), index, x], c.kind)


def put(w: Any, c: Any) -> Any:
    """scatter(x, dim, index, source), or put(x, index, source) without a dimension."""
    x, index, source = c.args
    if c.params["dim"] is None:
        words = {"accumulate": w.literal(True)} if c.params["add"] else {}
        return w.forms.call("put", [x, index, source], c.kind, **words)
    name = "scatter_add" if c.params["add"] else "scatter"
    return w.forms.call(name, [x, w.literal(c.params["dim"]), index, source], c.kind)


def lines_added(w: Any, c: Any) -> Any:
    """index_add(x, 0, index, source)."""
    x, index, source = c.args
    return w.forms.call("index_add", [x, w.literal(0), index, source], c.kind)


def last(w: Any, c: Any) -> Any:
    """Whether a number that is put at each index stays there: gather(scatter(0, dim, index, 0, 1, …), dim, index)."""
    f, dim, (index,) = w.forms, c.params["dim"], c.args
    own = f.call("arange", [f.method(index, "numel", [])], EXACT)
    own = own if len(c.shape) == 1 else f.method(own, "reshape", w.shape(c.shape), EXACT)
    zeros = f.call("zeros", [w.literal(n) for n in c.params["shape"]], EXACT, dtype=f.name("int64", NUMBER))
    there = [] if dim is None else [w.literal(dim)]
    put = f.call("put" if dim is None else "scatter", [zeros, *there, index, own], EXACT)
    back = f.call("take" if dim is None else "gather", [put, *there, index], EXACT)
    return f.binary("==", back, own, BOOLEAN)


def joined(w: Any, c: Any) -> Any:
    """name([tensors], dim)."""
    return real(w, c._replace(args=[w.forms.sequence(c.args)]))


# Creation -------------------------------------------------------------------------------------------------------------


def of_length(*ends: str) -> Text:
    """name(ends, length): a vector of numbers."""
    return lambda w, c: w.forms.call(c.name, [*(w.literal(c.params[e]) for e in ends), w.size(c.shape[0])], EXACT)


def of_lengths(w: Any, c: Any) -> Any:
    """name(rows, columns)."""
    return w.forms.call(c.name, [w.size(n) for n in c.shape], EXACT)


def of_triangle(w: Any, c: Any) -> Any:
    """name(rows, columns, offset), without the rows that have no places."""
    lengths = (c.params["rows"][1], c.params["columns"], c.params["offset"])
    return w.forms.call(c.name, [w.literal(n) for n in lengths], EXACT)


def of_network(w: Any, name: str, args: Sequence[Any], *settings: Any) -> Any:
    """name(args, settings)."""
    return w.forms.call(name, [*args, *map(w.literal, settings)])


def drawn(w: Any, c: Any) -> Any:
    """rand(lengths), randint(low, high, lengths) and the like."""
    state = c.params["state"]
    name = w.forms.name(str(c.params["dtype"]), NUMBER)
    # The only length of randperm() is its number.
    size = c.shape[0] if state.kind == "randperm" else c.shape
    return w.forms.call(state.kind, [*map(w.literal, state.terms), w.literal(size)], REAL, dtype=name)


# Losses ---------------------------------------------------------------------------------------------------------------


def weighted(w: Any, c: Any, count: int, *optional: str) -> Any:
    """`count` operands, the optional ones after them by keyword, then parameters that are not usual."""
    front, words = arguments(w, c._replace(args=c.args[:count]))
    given = dict(zip(optional, c.args[count:], strict=False))
    return w.forms.call(c.name, front, REAL, **given, **words)


def flagged(count: int, **flags: str) -> Text:
    """An operation whose `flags` say which optional operands there are, by their names."""
    return lambda w, c: weighted(w, c, count, *(name for flag, name in flags.items() if c.params[flag]))
