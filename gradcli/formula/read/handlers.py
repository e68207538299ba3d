"""Formulas of arithmetic, reshapes, reductions and products, where they are more than a function of that name."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from gradcli.errors import GradcliError
from gradcli.formula.algebra.terms import ONE, Factor, Labels, NodeTerm, Open, Size, value_of
from gradcli.formula.read.convert import Application, Converter, Handler, without_axes
from gradcli.formula.read.places import PLACES, select
from gradcli.graph.dtypes import is_half

_SAME = frozenset({"detach", "clone", "_alias", "_row_major"})
_RESHAPES = frozenset({"view", "_unsafe_view", "_reshape_alias", "squeeze", "unsqueeze"})
_PRODUCTS = frozenset({"mul", "_scaled", "_times"})
_RANDOM = frozenset({"_drawn"})
_REDUCTIONS = frozenset(
    {
        "prod",
        "amax",
        "amin",
        "max",
        "min",
        "var",
        "std",
        "logsumexp",
        "norm",
        "all",
        "any",
        "count_nonzero",
        "argmax",
        "argmin",
    }
)


def _identity(c: Converter, s: Application) -> NodeTerm:
    return s.inputs[0]


def _cast(c: Converter, s: Application) -> NodeTerm:
    """A conversion is left out unless it rounds; and rounding to float16 where it is the end of an operation."""
    source = s.nodes[0].dtype
    if is_half(s.dtype) and source.kind == "f" and s.name != "to":
        return s.inputs[0]
    if s.dtype.kind == "f" and (source.kind != "f" or source.itemsize <= s.dtype.itemsize):
        return s.inputs[0]
    if s.dtype.kind in "iu" and source.kind in "biu":
        return s.inputs[0]
    return c.elementwise(s._replace(name="to", params={"dtype": s.params["dtype"]}))


def _mul(c: Converter, s: Application) -> NodeTerm:
    opens, labels = c.aligned(s.inputs, s.shapes, len(s.shape))
    return c.closed(c.algebra.times(*opens), labels)


def _div(c: Converter, s: Application) -> NodeTerm:
    return _mul(c, s._replace(inputs=(s.inputs[0], c.power(s.inputs[1], -1))))


def _power_of(exponent: Fraction) -> Callable[[Converter, Application], NodeTerm]:
    return lambda c, s: c.power(s.inputs[0], exponent)


def _pow(c: Converter, s: Application) -> NodeTerm:
    exponent = value_of(s.inputs[1].term)
    if exponent is not None:
        return c.power(s.inputs[0], exponent)
    return c.elementwise(s)


def _fill(c: Converter, s: Application) -> NodeTerm:
    return NodeTerm(c.number(s.params["value"]).term, ((),) * len(s.shape))


def _expand(c: Converter, s: Application) -> NodeTerm:
    (value,) = s.inputs
    lead = len(s.shape) - len(value.axes)
    return NodeTerm(value.term, (*((),) * lead, *value.axes))


def _permute(c: Converter, s: Application) -> NodeTerm:
    return NodeTerm(s.inputs[0].term, tuple([s.inputs[0].axes[d] for d in s.params["dims"]]))


def _reshape(c: Converter, s: Application) -> NodeTerm:
    """Axes taken apart and put together, where the lengths of the term's own axes allow that."""
    (value,), (old,) = s.inputs, s.shapes
    blocks = _blocks(old, s.shape, s.nodes[0].shape)
    axes: list[Labels] = []
    fits = True
    for before, after in blocks:
        if len(after) == 1 and any(value.axes[k] for k in before):
            value = _with_ones(c, value, [k for k in before if not value.axes[k] and old[k] != 1], old)
        groups = [value.axes[k] for k in before]
        flat = [k for g in groups for k in g]
        if not flat:
            axes += [()] * len(after)
            continue
        if any(not g and old[k] != 1 for g, k in zip(groups, before, strict=True)):
            fits = False
            break
        split = _split([value.term.sizes[k] for k in flat], [s.shape[k] for k in after], c)
        if split is None:
            fits = False
            break
        axes += [tuple([flat[i] for i in part]) for part in split]
    if fits:
        return NodeTerm(value.term, tuple(axes))
    return c.call("reshape", s, {})


def _with_ones(c: Converter, value: NodeTerm, dims: list[int], shape: tuple[Size, ...]) -> NodeTerm:
    """A value with axes for dimensions in which it is broadcast."""
    if not dims:
        return value
    labels = {k: c.algebra.fresh() for k in range(value.term.rank)}
    factors = [Factor(value.term, tuple(labels.values()), ONE)]
    named = [tuple([labels[k] for k in group]) for group in value.axes]
    for dim in dims:
        named[dim] = (c.algebra.fresh(),)
        factors.append(Factor(c.algebra.intern("ones", None, (), (shape[dim],)), named[dim], ONE))
    return c.closed(c.algebra.prod(ONE, factors, {k for group in named for k in group}), named)


def _blocks(old: tuple[Size, ...], new: tuple[Size, ...], sample: Any) -> list[tuple[list[int], list[int]]]:
    """Runs of old and new axes that hold the same elements."""
    if list(old) == list(new):
        return [([k], [k]) for k in range(len(old))]
    blocks: list[tuple[list[int], list[int]]] = []
    i = j = 0
    while i < len(old) or j < len(new):
        if i < len(old) and j < len(new) and old[i] is new[j] or (i < len(old) and j < len(new) and old[i] == new[j]):
            blocks.append(([i], [j]))
            i, j = i + 1, j + 1
        elif j < len(new) and isinstance(new[j], int) and new[j] == 1:
            blocks.append(([], [j]))
            j += 1
        elif i < len(old) and isinstance(old[i], int) and old[i] == 1:
            blocks.append(([i], []))
            i += 1
        else:
            # From the right the same way; what is left in the middle belongs together.
            p, q = len(old), len(new)
            tail: list[tuple[list[int], list[int]]] = []
            while p > i and q > j and old[p - 1] == new[q - 1]:
                p, q = p - 1, q - 1
                tail.append(([p], [q]))
            return [*blocks, (list(range(i, p)), list(range(j, q))), *reversed(tail)]
    return blocks


def _split(sizes: list[Size], wanted: list[Size], c: Converter) -> list[list[int]] | None:
    """Consecutive runs of lengths with the wanted products."""
    result: list[list[int]] = []
    at = 0
    for goal in wanted:
        part: list[int] = []
        product = c.algebra.number(1)
        target = c.algebra.size(goal)
        while product.term is not target.term:
            if at == len(sizes):
                return None
            product = c.algebra.times(product, c.algebra.size(sizes[at]))
            part.append(at)
            at += 1
        result.append(part)
    return result if at == len(sizes) else None


def _sum(c: Converter, s: Application) -> NodeTerm:
    return c.summed(s.inputs[0], s.params["dim"], s.shapes[0], bool(s.params["keepdim"]))


def _mean(c: Converter, s: Application) -> NodeTerm:
    total = _sum(c, s)
    lengths = [c.algebra.power(c.algebra.size(s.shapes[0][d]), -1) for d in s.params["dim"]]
    open_ = c.algebra.times(Open(total.term, tuple(range(total.term.rank))), *lengths)
    # What turned out to be one number, as the mean of x - mean(x) does, no longer follows any dimension.
    known = set(open_.labels)
    return NodeTerm(open_.term, tuple([tuple([open_.labels.index(k) for k in g if k in known]) for g in total.axes]))


def _reduction(c: Converter, s: Application) -> NodeTerm:
    """One form of each reduction, without keepdim."""
    dims = s.params["dim"]
    kept = {k: v for k, v in s.params.items() if k not in ("keepdim", "axis_given", "dim")}
    everything = not s.params["axis_given"] if s.name.startswith("arg") else False
    shape = tuple([n for k, n in enumerate(s.shapes[0]) if k not in dims])
    if s.name in ("max", "min"):
        s = s._replace(name=f"a{s.name}")
    value = c.call(s.name, s, {"dim": None if everything else dims, **kept}, () if everything else shape)
    if not s.params["keepdim"]:
        return value
    rest = iter(value.axes)
    return NodeTerm(value.term, tuple([() if k in dims else next(rest) for k in range(len(s.shapes[0]))]))


def _mm(c: Converter, s: Application) -> NodeTerm:
    return c.contract(s.inputs[0], s.inputs[1], (1, 0), [(0, 0), (1, 1)], s.shapes)


def _mv(c: Converter, s: Application) -> NodeTerm:
    return c.contract(s.inputs[0], s.inputs[1], (1, 0), [(0, 0)], s.shapes)


def _dot(c: Converter, s: Application) -> NodeTerm:
    return c.contract(s.inputs[0], s.inputs[1], (0, 0), [], s.shapes)


def _bmm(c: Converter, s: Application) -> NodeTerm:
    a, b = c.in_one_structure([without_axes(v, (1, 2)) for v in s.inputs], [s_[:1] for s_ in s.shapes], 1)
    if (a.term, b.term) != (s.inputs[0].term, s.inputs[1].term):
        inputs = tuple([c.whole(v, sh) for v, sh in zip(s.inputs, s.shapes, strict=True)])
        s = s._replace(inputs=inputs)
    return c.contract(s.inputs[0], s.inputs[1], (2, 1), [(2, 0), (0, 1), (1, 2)], s.shapes)


def _normal_cdf(c: Converter, s: Application) -> NodeTerm:
    """(1 + erf(x/sqrt(2)))/2."""
    (value,) = s.inputs
    labels = tuple(range(1, value.term.rank + 1))
    root = c.algebra.power(c.algebra.number(2), Fraction(-1, 2))
    error = c.algebra.fn("erf", [c.algebra.times(Open(value.term, labels), root)])
    half = Fraction(1, 2)
    open_ = c.algebra.add([(half, c.algebra.number(1)), (half, error)])
    return c.closed(open_, [tuple([labels[k] for k in g]) for g in value.axes])


def _cofactor(c: Converter, s: Application) -> NodeTerm:
    raise GradcliError("there is no short formula for this derivative of a determinant")


def _random(c: Converter, s: Application) -> NodeTerm:
    raise GradcliError("random numbers have no formula", hint="give them as an input")


def _layer_norm(c: Converter, s: Application) -> NodeTerm:
    return c.call("layer_norm", s, {**s.params, "shape": s.shape[len(s.shape) - s.params["dims"] :]})


def _part(c: Converter, s: Application) -> NodeTerm:
    (value,) = s.inputs
    if value.term.head == "call" and value.term.data[0] == "_slogdet":
        field = ("slogdet_sign", "slogdet_logabsdet")[s.params["index"]]
        return c.own(c.algebra.intern("call", (field, ()), value.term.args, value.term.sizes[1:]))
    return select(c, s._replace(params={"dim": 0, "index": s.params["index"]}))


def _pick(c: Converter, s: Application) -> NodeTerm:
    """max(x, dim).values, whose place is known from argmax."""
    name = "amax" if s.params["name"].startswith("Max") else "amin"
    inner = s._replace(name=name, inputs=s.inputs[:1], shapes=s.shapes[:1])
    return _reduction(
        c,
        inner._replace(
            params={
                "dim": (s.params["dim"],) if s.shapes[0] else (),
                "keepdim": s.params["keepdim"],
                "axis_given": True,
            }
        ),
    )


def _named(name: str, *keys: str) -> Callable[[Converter, Application], NodeTerm]:
    return lambda c, s: c.call(name, s, {k: s.params[k] for k in keys})


HANDLERS: dict[str, Handler] = {
    **dict.fromkeys(_SAME, _identity),
    **dict.fromkeys(_RESHAPES, _reshape),
    **dict.fromkeys(_PRODUCTS, _mul),
    **dict.fromkeys(_REDUCTIONS, _reduction),
    **dict.fromkeys(_RANDOM, _random),
    "_cast": _cast,
    "_operand": _cast,
    "to": _cast,
    "div": _div,
    "_over": _div,
    "pow": _pow,
    "_filled": _fill,
    "expand": _expand,
    "permute": _permute,
    "sum": _sum,
    "mean": _mean,
    "mm": _mm,
    "mv": _mv,
    "dot": _dot,
    "vdot": _dot,
    "bmm": _bmm,
    **PLACES,
    "_pick": _pick,
    "_normal_cdf": _normal_cdf,
    "_cofactor": _cofactor,
    "_cofactor_slope": _cofactor,
    "_part": _part,
    "layer_norm": _layer_norm,
    "_slogdet": lambda c, s: c.call("_slogdet", s),
    "_logabsdet": _named("slogdet_logabsdet"),
    "logdet": _named("logdet"),
    "det": _named("det"),
    "_inverse_limit": _named("inv"),
    "inv": _named("inv"),
    "sqrt": _power_of(Fraction(1, 2)),
    "rsqrt": _power_of(Fraction(-1, 2)),
    "reciprocal": _power_of(Fraction(-1)),
    "_div_floor": lambda c, s: c.elementwise(s._replace(name="floor_divide")),
    "softmax": lambda c, s: c.call("softmax", s) if s.shape else NodeTerm(c.algebra.number(1).term, ()),
    "log_softmax": lambda c, s: c.call("log_softmax", s) if s.shape else NodeTerm(c.algebra.number(0).term, ()),
}
