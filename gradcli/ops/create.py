"""Rows that create tensors: filled, counted, and random ones, drawn as PyTorch's generator draws them."""

# Rows are laid out by hand.
# fmt: off

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import numpy as np

from gradcli.errors import GradcliError
from gradcli.graph.arguments import Literal, as_int, as_node, as_number, holds_nodes, list_array
from gradcli.graph.dtypes import BOOL, DEFAULT_DTYPE, FLOAT64, INT64
from gradcli.graph.infer import cast
from gradcli.graph.node import Node, constant, fitted, make
from gradcli.graph.op import Blocking, Params, Shape
from gradcli.machine.limits import having
from gradcli.ops.family import composite, primitive, to_dtype
from gradcli.ops.formulas import arithmetic, places
from gradcli.ops.notation import latex_pieces as pieces
from gradcli.ops.notation import spelling, typeset
from gradcli.ops.shape import permuted, sizes

if TYPE_CHECKING:
    from gradcli.ops.random import Generator

#: The generator that rand() and randn() draw from; `manual_seed` and `--seed` put a new one here.
GENERATOR: ContextVar[Generator | None] = ContextVar("gradcli_generator", default=None)


# So many numbers are counted at a time.
_PIECE = 2**16


def _float_dtype(dtype: Any) -> np.dtype:
    return to_dtype(dtype) or DEFAULT_DTYPE.get()


def _shape(size: Any) -> Shape:
    lengths = sizes(size, "a length")
    if any(n < 0 for n in lengths):
        raise GradcliError(f"a shape has no negative lengths, got {tuple(lengths)}")
    return tuple(lengths)


def _infer(inputs: tuple[Node, ...], params: Params) -> tuple[Shape, np.dtype]:
    return params["shape"], params["dtype"]


def _filled(shape: Shape, value: Any, dtype: np.dtype) -> Node:
    return make(filled, (), {"shape": shape, "value": value, "dtype": dtype})


def _full(size: Any, fill_value: Any, dtype: Any) -> Node:
    if not isinstance(fill_value, bool | int | float):
        raise GradcliError("full() needs a number to fill with", hint="for example, full((2, 3), 7.)")
    target = to_dtype(dtype)
    if target is None:
        target = BOOL if isinstance(fill_value, bool) else INT64 if isinstance(fill_value, int) else DEFAULT_DTYPE.get()
    return _filled(_shape(size), fitted(fill_value, target).item(), target)


def _like(input: Any, value: float, dtype: Any) -> Node:
    x = as_node(input)
    return _filled(x.shape, value, to_dtype(dtype) or x.dtype)


def _full_like(input: Any, fill_value: Any, dtype: Any) -> Node:
    x = as_node(input)
    return _full(x.shape, fill_value, x.dtype if dtype is None else dtype)


def _eye(n: Any, m: Any, dtype: Any) -> Node:
    rows = as_int(n, "n")
    columns = rows if m is None else as_int(m, "m")
    return make(eye, (), {"shape": _shape((rows, columns)), "dtype": _float_dtype(dtype)})


def _arange(start: Any, end: Any, step: Any, dtype: Any) -> Node:
    if end is None:
        start, end = 0, start
    for value in (start, end, step):
        if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(fitted(value, FLOAT64)):
            raise GradcliError("arange() needs finite numbers", hint="for example, arange(5) or arange(0, 1, 0.1)")
        if isinstance(value, int) and not -(2**63) <= value < 2**63:
            raise GradcliError("arange() counts in int64: a number is too large", hint="write it as 1e20")
    if step == 0 or (end - start) / step < 0:
        raise GradcliError(f"arange() never gets from {start} to {end} in steps of {step}")
    if not math.isfinite((end - start) / step):
        raise GradcliError(f"arange() from {start} to {end} in steps of {step} has too many numbers")
    whole = all(isinstance(v, int) for v in (start, end, step))
    target = to_dtype(dtype) or (INT64 if whole else DEFAULT_DTYPE.get())
    length = -((start - end) // step) if whole else math.ceil((end - start) / step)
    check_ends("arange", target, *((start, start + step * (length - 1)) if length else ()))
    return make(arange, (), {"shape": (int(length),), "start": start, "step": step, "dtype": target})


def _counted(length: int, dtype: np.dtype, counter: Any, values: Callable[[Any], Any]) -> Any:
    """`values` of 0, 1, 2, … in a dtype, a piece at a time, so that the wide numbers take little memory."""
    result = np.empty(length, dtype)
    for first in range(0, length, _PIECE):
        last = min(length, first + _PIECE)
        result[first:last] = values(np.arange(first, last, dtype=counter))
    return result


def _arange_kernel(shape: Shape, start: Any, step: Any, dtype: np.dtype) -> Any:
    counter = np.int64 if isinstance(start, int) and isinstance(step, int) else np.float64
    return _counted(shape[0], dtype, counter, lambda count: start + step * count)


def _linspace_kernel(shape: Shape, start: float, end: float, dtype: np.dtype) -> Any:
    steps = shape[0] - 1
    width = np.float64(end) - start
    # A step that vanishes is none: the numbers are divided first, as NumPy does.
    tiny = steps > 0 and width / steps == 0
    result = _counted(
        shape[0], dtype, np.float64,
        lambda count: (count / steps * width if tiny else count * (width / max(1, steps))) + start,
    )
    if steps > 0:
        result[-1] = end
    return result


def _linspace(start: Any, end: Any, steps: Any, dtype: Any) -> Node:
    first, last = as_number(start, "start"), as_number(end, "end")
    shape, target = _shape((as_int(steps, "steps"),)), _float_dtype(dtype)
    check_ends("linspace", target, *(first, last)[: shape[0]])
    return make(linspace, (), {"shape": shape, "start": first, "end": last, "dtype": target})


def check_ends(name: str, dtype: np.dtype, *ends: float) -> None:
    """Refuse numbers in a row of which the first or the last is none of an integer type."""
    if dtype.kind not in "iu":
        return
    for number in ends:
        if not (math.isfinite(number) and np.iinfo(dtype).min <= math.trunc(number) <= np.iinfo(dtype).max):
            raise GradcliError(f"{name}() gets to {number}, which does not fit into {dtype}", argument="dtype")


def generator() -> Generator:
    """What draws random numbers: that of `manual_seed`, or one with a seed of the operating system's."""
    found = GENERATOR.get()
    if found is None:
        from gradcli.ops.random import Generator

        found = Generator(None)
        GENERATOR.set(found)
    return found


def reserved(kind: str, shape: Shape, dtype: np.dtype, terms: tuple[Any, ...] = (), scattered: bool = False) -> Node:
    """Random numbers of a kind. The place in the stream is taken now, in the order of the text; the numbers are made
    when they are needed."""
    state = generator().reserve(kind, math.prod(shape), dtype, terms, scattered)
    return make(drawn, (), {"shape": shape, "dtype": dtype, "state": state})


def reserved_for(x: Node, kind: str, dtype: np.dtype, terms: tuple[Any, ...] = ()) -> Node:
    """Random numbers for the elements of a tensor, in the order in which these lie in memory, as PyTorch draws them."""
    if x.strides is None:
        return reserved(kind, x.shape, dtype, terms)
    strides = x.strides
    order = sorted(range(x.ndim), key=lambda d: -strides[d])
    numbers = reserved(kind, tuple(x.shape[d] for d in order), dtype, terms, scattered=True)
    return permuted(numbers, tuple(order.index(d) for d in range(x.ndim)))


def _floats_only(name: str, target: np.dtype) -> np.dtype:
    if target.kind != "f":
        raise GradcliError(f"{name}() draws floating-point numbers, not {target}")
    return target


def _draw(kind: str) -> Any:
    return lambda size, dtype: reserved(kind, _shape(size), _floats_only(kind, _float_dtype(dtype)))


def _draw_like(kind: str) -> Any:
    def build(input: Any, dtype: Any) -> Node:
        x = as_node(input)
        return reserved_for(x, kind, _floats_only(kind, x.dtype if dtype is None else _float_dtype(dtype)))

    return build


def _tensor(data: Any, dtype: Any) -> Node:
    target = to_dtype(dtype)
    if isinstance(data, int | float):
        whole = isinstance(data, int) and not isinstance(data, bool)
        return constant(fitted(data, target or (INT64 if whole else as_node(data).dtype)))
    if target is not None and type(data) in (list, tuple, Literal) and not holds_nodes(data):
        return constant(_list_in(data, target))
    node = as_node(data)
    return node if target is None else cast(node, target)


def _list_in(data: Sequence[Any], target: np.dtype) -> np.ndarray:
    """A nested list of numbers in a dtype, without a detour through a narrower one."""
    with having(DEFAULT_DTYPE, FLOAT64):
        wide = list_array(data, exact=True)
    with np.errstate(all="ignore"):
        array = wide.astype(target)
        if target.kind in "iu" and not (np.trunc(wide) == array).all():
            raise GradcliError(f"the list holds a number that does not fit into {target}")
    return array


filled = primitive(
    "_filled", lambda shape, value, dtype: np.full(shape, value, dtype), _infer, family="create",
    args="shape, value, dtype", doc="A filled tensor.", blocking=Blocking(lambda node, dim: ()),
    formula=arithmetic.filled, native=lambda v, value, dtype: v.constant(value, dtype), text=spelling.filled,
)
drawn = primitive(
    "_drawn", lambda shape, dtype, state: state.numbers().reshape(shape), _infer, family="create",
    args="shape, dtype, state", doc="Random numbers from a place in the generator's stream.",
    formula=arithmetic.none("random numbers have no formula", "give them as an input"), draws=True, text=spelling.drawn,
)
tensor = composite(
    "tensor", _tensor, args="data, dtype=None", family="create",
    doc="A tensor from a list or a number. In an expression integers become float32 too (or what --dtype says): "
    "`tensor([0, 1], dtype=int64)` keeps them.",
    latex=typeset.first, numpy="asarray", words=("array", "converttotensor"),
)
ones = composite(
    "ones", lambda size, dtype: _filled(_shape(size), 1, _float_dtype(dtype)), args="*size, dtype=None",
    family="create", doc="Ones.", latex=lambda w, form, parts: pieces.ones(max(form.arg[1], 1)), numpy="ones",
)
zeros = composite(
    "zeros", lambda size, dtype: _filled(_shape(size), 0, _float_dtype(dtype)), args="*size, dtype=None",
    family="create", doc="Zeros.", numpy="zeros",
)
full = composite(
    "full", _full, args="size, fill_value, *, dtype=None", family="create", doc="A tensor filled with one number.",
    latex=lambda w, form, parts: pieces.to_rank(parts[1], len(form.parts[0].parts)), numpy="full",
)
ones_like = composite(
    "ones_like", lambda input, dtype: _like(input, 1, dtype), args="input, *, dtype=None", family="create",
    doc="Ones in the shape of a tensor.", latex=lambda w, form, parts: pieces.ones(parts[0].rank), numpy="ones_like",
)
zeros_like = composite(
    "zeros_like", lambda input, dtype: _like(input, 0, dtype), args="input, *, dtype=None", family="create",
    doc="Zeros in the shape of a tensor.", latex=typeset.zeros_like, numpy="zeros_like",
)
full_like = composite(
    "full_like", _full_like, args="input, fill_value, *, dtype=None", family="create",
    doc="One number in the shape of a tensor.", latex=lambda w, form, parts: pieces.to_rank(parts[1], parts[0].rank),
    numpy="full_like",
)
eye = primitive(
    "eye", lambda shape, dtype: np.eye(*shape, dtype=dtype), _infer, family="create", args="n, m=None, *, dtype=None",
    build=_eye,
    words=("identity", "identitymatrix"),
    doc="Ones on the diagonal, zeros elsewhere.", formula=places.eye, text=spelling.of_lengths, latex=typeset.identity,
    numpy="eye",
)
arange = primitive(
    "arange", _arange_kernel, _infer, family="create", args="start, end=None, step=1, *, dtype=None", build=_arange,
    words=("range", "seq"),
    doc="Numbers from start up to but not including end; from 0 if one number is given. Integers are int64.",
    formula=arithmetic.arange, text=spelling.of_length(), numpy="arange",
)
linspace = primitive(
    "linspace", _linspace_kernel, _infer, family="create", args="start, end, steps, *, dtype=None", build=_linspace,
    doc="Evenly spaced numbers, both ends included.", text=spelling.of_length("start", "end"), numpy="linspace",
    latex=typeset.of_all(),
)
rand = composite(
    "rand", _draw("rand"), args="*size, dtype=None", family="create",
    doc="Uniform random numbers in [0, 1), for a seed the same as PyTorch's.", draws=True,
    words=("random", "uniform", "randomuniform"),
)
randn = composite(
    "randn", _draw("randn"), args="*size, dtype=None", family="create",
    doc="Standard normal random numbers, for a seed the same as PyTorch's.",
    draws=True, words=("randomnormal",),
)
rand_like = composite(
    "rand_like", _draw_like("rand"), args="input, *, dtype=None", family="create", draws=True,
    doc="Uniform random numbers in [0, 1) in the shape of a tensor.",
)
randn_like = composite(
    "randn_like", _draw_like("randn"), args="input, *, dtype=None", family="create", draws=True,
    doc="Standard normal random numbers in the shape of a tensor.",
)
