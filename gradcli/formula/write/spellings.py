"""How functions are written in the language: those element by element, and those of whole tensors."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, Protocol

from gradcli.formula.algebra.terms import Size, Term
from gradcli.formula.write.forms import BOOLEAN, EXACT, NUMBER, REAL, Form, Forms, together

_SYMBOLS = {
    "gt": ">",
    "ge": ">=",
    "lt": "<",
    "le": "<=",
    "eq": "==",
    "ne": "!=",
    "bitwise_and": "&",
    "bitwise_or": "|",
    "remainder": "%",
    "floor_divide": "//",
    "pow": "**",
}
_BOOLEAN = frozenset(
    {
        "isnan",
        "isinf",
        "isfinite",
        "logical_and",
        "logical_or",
        "logical_xor",
        "logical_not",
        "bitwise_and",
        "bitwise_or",
        "bitwise_not",
        "gt",
        "ge",
        "lt",
        "le",
        "eq",
        "ne",
        "one_hot",
    }
)
_LOGICAL = {"logical_and": "bitwise_and", "logical_or": "bitwise_or", "logical_not": "bitwise_not"}
_POSITIONAL = {"_clamp_min": "clamp_min", "_clamp_max": "clamp_max"}
# Parameters that are written first, and those of the usual value, which are left out.
_FIRST = frozenset({"polygamma"})
_USUAL = {
    ("softplus", "beta"): 1.0,
    ("softplus", "threshold"): 20.0,
    ("leaky_relu", "negative_slope"): 0.01,
    ("elu", "alpha"): 1.0,
    ("hardtanh", "min_val"): -1.0,
    ("hardtanh", "max_val"): 1.0,
    ("round", "decimals"): 0,
    ("gelu", "approximate"): "none",
}
_SELU = (1.6732632423543772, 1.0507009873554805)


class Writer(Protocol):
    """What writes the terms that a call is made of: see `Arranger`."""

    forms: Forms

    def size(self, length: Size) -> Form:
        """A length as a number."""

    def shape(self, shape: tuple[Size, ...]) -> list[Form]:
        """A shape as arguments."""

    def dtype(self) -> Form:
        """The dtype of the results."""


def FUNCTIONS(a: Writer, name: str, args: Sequence[Form], params: dict[str, Any]) -> Form:  # noqa: N802
    """A function element by element."""
    f = a.forms
    name = _POSITIONAL.get(name, name)
    kind = BOOLEAN if name in _BOOLEAN else _kind(name, args)
    if name == "where" and kind != REAL:
        args = [args[0], *(_precise(a, x) for x in args[1:])]
        kind = together(args[1:])
        kind = EXACT if kind == NUMBER else kind
    if name == "one_hot":
        # The place is compared with the index, unless the index has axes of its own before it.
        if args[0].kind == NUMBER:
            args = args[::-1]
        return f.make("binary", "==", args, BOOLEAN)
    if name in _LOGICAL and all(x.kind == BOOLEAN for x in args):
        name = _LOGICAL[name]
    if name in _SYMBOLS:
        return f.make("binary", _SYMBOLS[name], args, kind)
    if name == "bitwise_not":
        return f.make("unary", "~", args, kind)
    if name == "to":
        return f.method(args[0], "to", [f.name(str(params["dtype"]), NUMBER)], REAL)
    if name == "elu" and (params["alpha"], params["scale"]) == _SELU:
        return f.call("selu", args)
    if name == "masked_fill":
        return f.call("masked_fill", [args[1], args[0], f.number(params["value"])])
    words = {
        key: _literal(a, value)
        for key, value in params.items()
        if _USUAL.get((name, key)) != value and (name, key) != ("elu", "scale")
    }
    if name in _FIRST:
        return f.call(name, [*words.values(), *args], kind)
    return f.call(name, args, kind, **words)


def _kind(name: str, args: Sequence[Form]) -> str:
    kind = together(args[1:] if name == "where" else args)
    return kind if kind != BOOLEAN else EXACT


def _precise(a: Writer, form: Form) -> Form:
    """A number that the language would round to float32, in the dtype of the inputs."""
    f = a.forms
    if form.kind != NUMBER or (form.op == "number" and isinstance(form.arg, int)):
        return form
    if form.op == "unary" and form.parts[0].op == "number" and isinstance(form.parts[0].arg, int):
        return form
    return f.call("tensor", [form], dtype=a.dtype())


def _literal(a: Writer, value: Any) -> Form:
    f = a.forms
    if isinstance(value, Term):
        return a.size(value)
    if value is None or isinstance(value, bool):
        return f.name(str(value), NUMBER)
    if isinstance(value, str):
        return f.string(value)
    if isinstance(value, tuple):
        return f.sequence([_literal(a, v) for v in value], "tuple")
    if isinstance(value, float) and not math.isfinite(value):
        word = f.name("nan" if math.isnan(value) else "inf", NUMBER)
        return f.neg(word) if value < 0 else word
    return f.number(Fraction(repr(value)) if isinstance(value, float) else value)


_Write = Callable[[Writer, list[Form], dict[str, Any], Term], Form]


def _dims(a: Writer, dims: tuple[int, ...] | None, rank: int) -> Form | None:
    """The dims of a reduction, None for all of them."""
    if dims is None or len(dims) == rank:
        return None
    return a.forms.number(dims[0]) if len(dims) == 1 else _literal(a, dims)


def _reduction(name: str, kind: str | None = None) -> _Write:
    def write(a: Writer, args: list[Form], params: dict[str, Any], term: Term) -> Form:
        f = a.forms
        dims = _dims(a, params["dim"], len(term.args[0].shape))
        words: dict[str, Form] = {}
        front = [args[0]]
        if name == "norm":
            if params["p"] != 2 or dims is not None:
                front.append(_literal(a, _whole_number(params["p"])))
        elif "correction" in params and params["correction"] != 1:
            words["correction"] = _literal(a, _whole_number(params["correction"]))
        if dims is not None:
            front.append(dims)
        found = args[0].kind if args[0].kind == REAL else EXACT
        return f.call(name, front, kind or found, **words)

    return write


def _whole_number(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _plain(name: str, *keys: str, kind: str | None = None) -> _Write:
    """A function whose parameters are written in this order."""
    return lambda a, args, params, term: a.forms.call(
        name, [*args, *(_literal(a, params[k]) for k in keys)], kind or args[0].kind
    )


def _field(name: str, field: str) -> _Write:
    return lambda a, args, params, term: a.forms.attribute(a.forms.call(name, args), field)


def _reshape(a: Writer, args: list[Form], params: dict[str, Any], term: Term) -> Form:
    form = args[0]
    # What was reshaped is reshaped at once.
    inner = form.parts[0] if form.op == "method" and form.arg[0] == "reshape" else form
    return a.forms.method(inner, "reshape", a.shape(term.sizes), form.kind)


def _select(a: Writer, args: list[Form], params: dict[str, Any], term: Term) -> Form:
    f = a.forms
    dim = params["dim"]
    items = [f.everything()] * dim + [_literal(a, params["index"])]
    if isinstance(params["index"], Term) or dim > 3:
        return f.call("select", [args[0], f.number(dim), _literal(a, params["index"])], args[0].kind)
    return f.index(args[0], items)


def _slice(a: Writer, args: list[Form], params: dict[str, Any], term: Term) -> Form:
    f, dim = a.forms, params["dim"]
    start, stop, step = params["start"], params["stop"], params["step"]
    length = term.args[0].shape[dim]
    piece = f.slice(
        None if start == 0 else _literal(a, start),
        None if stop == length else _literal(a, stop),
        None if step == 1 else _literal(a, step),
    )
    return f.index(args[0], [f.everything()] * dim + [piece])


def _embed(a: Writer, args: list[Form], params: dict[str, Any], term: Term) -> Form:
    """Zeros before and after, joined to a tensor."""
    f, dim, start, stop = a.forms, params["dim"], params["start"], params["stop"]
    length = params["length"]
    sizes = a.shape(term.args[0].shape) if term.rank > 1 else []
    if len(sizes) != term.rank and term.rank > 1:
        sizes = [a.size(n) for n in term.args[0].shape]

    def zeros(count: Form) -> Form:
        lengths = [count if k == dim else n for k, n in enumerate(sizes or [count])]
        return f.call("zeros", lengths, dtype=a.dtype())

    pieces = [args[0]]
    if start != 0:
        pieces.insert(0, zeros(_literal(a, start)))
    if stop != length:
        pieces.append(zeros(f.binary("-", _literal(a, length), _literal(a, stop), NUMBER)))
    if len(pieces) == 1:
        return args[0]
    return f.call("cat", [f.sequence(pieces), *([f.number(dim)] if dim else [])], args[0].kind)


def _index(a: Writer, args: list[Form], params: dict[str, Any], term: Term) -> Form:
    f, dims = a.forms, params["dims"]
    items = [f.everything()] * (max(dims) + 1)
    for dim, index in zip(dims, args[1:], strict=True):
        items[dim] = index
    return f.index(args[0], items)


def _joined(name: str) -> _Write:
    def write(a: Writer, args: list[Form], params: dict[str, Any], term: Term) -> Form:
        f = a.forms
        return f.call(name, [f.sequence(args), *([f.number(params["dim"])] if params["dim"] else [])])

    return write


def _arange(a: Writer, args: list[Form], params: dict[str, Any], term: Term) -> Form:
    return a.forms.call("arange", [a.size(params["length"])], EXACT)


def _solve(a: Writer, args: list[Form], params: dict[str, Any], term: Term) -> Form:
    words = {} if params["left"] else {"left": a.forms.name("False", NUMBER)}
    return a.forms.call("solve", args, REAL, **words)


def _cholesky(a: Writer, args: list[Form], params: dict[str, Any], term: Term) -> Form:
    words = {"upper": a.forms.name("True", NUMBER)} if params["upper"] else {}
    return a.forms.call("cholesky", args, REAL, **words)


def _triangle(name: str) -> _Write:
    return lambda a, args, params, term: a.forms.call(
        name, [*args, *([_literal(a, params["diagonal"])] if params["diagonal"] else [])], args[0].kind
    )


def _roll(a: Writer, args: list[Form], params: dict[str, Any], term: Term) -> Form:
    dims = [] if params["dims"] is None else [_literal(a, params["dims"])]
    return a.forms.call("roll", [*args, _literal(a, params["shifts"]), *dims], args[0].kind)


def _loss(name: str) -> _Write:
    def write(a: Writer, args: list[Form], params: dict[str, Any], term: Term) -> Form:
        words = {}
        rest = list(args[2:])
        if params.pop("weighted", False) or (name == "nll_loss" and rest):
            words["weight"] = rest.pop(0)
        if params.pop("pos_weighted", False):
            words["pos_weight"] = rest.pop(0)
        for key, usual in (("reduction", "mean"), ("ignore_index", -100), ("delta", 1.0), ("beta", 1.0)):
            if key in params and params[key] != usual:
                words[key] = _literal(a, params[key])
        return a.forms.call(name, args[:2], REAL, **words)

    return write


def _layer_norm(a: Writer, args: list[Form], params: dict[str, Any], term: Term) -> Form:
    f = a.forms
    words = {}
    rest = list(args[1:])
    for flag, key in (("scaled", "weight"), ("shifted", "bias")):
        if params[flag]:
            words[key] = rest.pop(0)
    if params["eps"] != 1e-5:
        words["eps"] = _literal(a, params["eps"])
    return f.call("layer_norm", [args[0], f.sequence([a.size(n) for n in params["shape"]], "tuple")], REAL, **words)


def _linspace(a: Writer, args: list[Form], params: dict[str, Any], term: Term) -> Form:
    return a.forms.call(
        "linspace", [_literal(a, params["start"]), _literal(a, params["end"]), a.size(term.sizes[0])], EXACT
    )


def _eye(a: Writer, args: list[Form], params: dict[str, Any], term: Term) -> Form:
    return a.forms.call("eye", [a.size(n) for n in params["shape"]], EXACT)


CALLS: dict[str, _Write] = {
    **{name: _reduction(name) for name in ("prod", "amax", "amin", "var", "std", "logsumexp", "norm")},
    **{name: _reduction(name, BOOLEAN) for name in ("all", "any")},
    **{name: _reduction(name, EXACT) for name in ("count_nonzero", "argmax", "argmin")},
    **{name: _plain(name, "dim", kind=REAL) for name in ("softmax", "log_softmax")},
    **{name: _plain(name, "dim") for name in ("cumsum", "cumprod")},
    **{name: _plain(name) for name in ("inv", "det", "logdet")},
    **{
        name: _loss(name)
        for name in ("mse_loss", "huber_loss", "smooth_l1_loss", "nll_loss", "binary_cross_entropy_with_logits")
    },
    "slogdet_sign": _field("slogdet", "sign"),
    "slogdet_logabsdet": _field("slogdet", "logabsdet"),
    "flip": _plain("flip", "dims"),
    "repeat": _plain("tile", "repeats"),
    "diagonal": _plain("diagonal", "offset", "dim1", "dim2"),
    "diag_embed": _plain("diag_embed", "offset", "dim1", "dim2"),
    "reshape": _reshape,
    "select": _select,
    "slice": _slice,
    "_slice": _slice,
    "embed": _embed,
    "index": _index,
    "cat": _joined("cat"),
    "stack": _joined("stack"),
    "arange": _arange,
    "linspace": _linspace,
    "eye": _eye,
    "solve": _solve,
    "cholesky": _cholesky,
    "tril": _triangle("tril"),
    "triu": _triangle("triu"),
    "roll": _roll,
    "layer_norm": _layer_norm,
}
