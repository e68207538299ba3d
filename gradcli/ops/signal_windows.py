"""Rows that create tensors by a rule: windows of signal processing, powers in a row, places in triangles."""

# Rows are laid out by hand.
# fmt: off

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from gradcli.errors import GradcliError
from gradcli.graph.arguments import as_flag, as_int, as_number
from gradcli.graph.dtypes import DEFAULT_DTYPE, FLOAT64, INT64
from gradcli.graph.infer import cast
from gradcli.graph.node import Node, make
from gradcli.graph.op import Op, Params, Shape
from gradcli.ops.bessel import i0
from gradcli.ops.create import arange, check_ends, linspace, ones, zeros
from gradcli.ops.elementwise import clamp_min, cos, minimum, sqrt
from gradcli.ops.family import composite, primitive, to_dtype
from gradcli.ops.formulas import arithmetic
from gradcli.ops.notation import spelling
from gradcli.ops.overlay import narrow

# Windows --------------------------------------------------------------------------------------------------------------


def _window(name: str, rule: Callable[..., Node], doc: str, more: str = "") -> Op:
    words = [part.partition(":")[0].strip() for part in more.split(",") if part.strip()]

    def build(window_length: Any, periodic: Any, *rest: Any) -> Node:
        *terms, dtype = rest
        count, target = as_int(window_length, "window_length"), to_dtype(dtype) or DEFAULT_DTYPE.get()
        if target.kind != "f":
            raise GradcliError(f"{name}() has floating-point numbers, not {target}", argument="dtype")
        if count < 0:
            raise GradcliError(f"a window has no negative length, got {count}", argument="window_length")
        numbers = [as_number(term, word) for term, word in zip(terms, words, strict=True)]
        if count < 2:
            return ones(count, dtype=target) if count else zeros(0, dtype=target)
        # One that is repeated ends before it begins anew.
        longer = count + as_flag(periodic, "periodic")
        return narrow(rule(arange(longer, dtype=target), longer, *numbers), 0, 0, count)

    return composite(
        name, build, args=f"window_length: columns, periodic=True, {more}*, dtype=None".replace(",*", ", *"),
        family="create", doc=f"{doc} With periodic it is one of a period, else symmetrical.",
        example=(f"{name}(5)", ""),
    )


def _hamming(n: Node, count: int, alpha: float, beta: float) -> Node:
    return cos(n * (2 * math.pi / (count - 1))) * -beta + alpha


def _blackman(n: Node, count: int) -> Node:
    angle = n * (math.pi / (count - 1))
    return cos(angle * 4) * 0.08 - cos(angle * 2) * 0.5 + 0.42


def _bartlett(n: Node, count: int) -> Node:
    rising = n * (2 / (count - 1))
    return minimum(rising, rising * -1 + 2)


def _kaiser(n: Node, count: int, beta: float) -> Node:
    middle = (count - 1) / 2
    inside = clamp_min(1 - ((n - middle) / middle) ** 2, 0)
    return i0(sqrt(inside) * beta) / i0(zeros((), dtype=n.dtype) + beta)


hann_window = _window("hann_window", lambda n, count: _hamming(n, count, 0.5, 0.5), "Hann's window, a raised cosine.")
hamming_window = _window(
    "hamming_window", _hamming, "Hamming's window, `alpha - beta*cos(…)`.", "alpha: number=0.54, beta: number=0.46, "
)
blackman_window = _window("blackman_window", _blackman, "Blackman's window, of two cosines.")
bartlett_window = _window("bartlett_window", _bartlett, "Bartlett's window, a triangle.")
kaiser_window = _window("kaiser_window", _kaiser, "Kaiser's window, of Bessel functions.", "beta: number=12.0, ")

# Powers in a row ------------------------------------------------------------------------------------------------------


def _logspace(start: Any, end: Any, steps: Any, base: Any, dtype: Any) -> Node:
    target, number = to_dtype(dtype) or DEFAULT_DTYPE.get(), as_number(base, "base")
    if target.kind != "f":
        raise GradcliError(f"logspace() has floating-point numbers, not {target}", hint="convert them, as in .long()")
    return cast(number ** linspace(start, end, steps, dtype=FLOAT64), target)


logspace = composite(
    "logspace", _logspace, args="start, end, steps, base: number=10.0, *, dtype=None", family="create",
    doc="Numbers whose logarithms are evenly spaced: `base**start` to `base**end`, both included.", numpy="logspace",
)

# So many places are written at a time.
_PIECE = 2**16

# Places in triangles --------------------------------------------------------------------------------------------------


def _bounds(rows: int, columns: int, offset: int, lower: bool) -> tuple[int, int, int]:
    """The rows that have places in a triangle, from the first to behind the last one, and how many places."""
    if lower:
        first, full = min(rows, max(0, -offset)), min(rows, max(0, columns - offset - 1))
        full = max(first, full)
        widths = (first + offset + 1, full + offset)
        count = (full - first) * sum(widths) // 2 + (rows - full) * columns
        return (first, rows, count) if columns else (0, 0, 0)
    full = min(rows, max(0, 1 - offset))
    last = max(full, min(rows, columns - offset))
    widths = (columns - full - offset, columns - last + 1 - offset)
    return (0, last, full * columns + (last - full) * sum(widths) // 2) if columns else (0, 0, 0)


def _places(shape: Shape, rows: tuple[int, int], columns: int, offset: int, lower: bool, dtype: np.dtype) -> Any:
    found, at = np.empty(shape, dtype), 0
    # Rows of some thousand places at a time.
    step = max(1, _PIECE // max(1, columns))
    for start in range(*rows, step):
        numbers = np.arange(start, min(start + step, rows[1]))
        edge = np.clip(numbers + offset + lower, 0, columns)
        widths = edge if lower else columns - edge
        count = int(widths.sum())
        found[0, at : at + count] = np.repeat(numbers, widths)
        within = np.arange(count) - np.repeat(np.cumsum(widths) - widths, widths)
        found[1, at : at + count] = within if lower else within + np.repeat(edge, widths)
        at += count
    return found


def _infer(inputs: tuple[Node, ...], params: Params) -> tuple[Shape, np.dtype]:
    return params["shape"], params["dtype"]


def _triangle(name: str, lower: bool, doc: str) -> Op:
    def build(row: Any, col: Any, offset: Any, dtype: Any) -> Node:
        rows, columns, place = as_int(row, "row"), as_int(col, "col"), as_int(offset, "offset")
        target = to_dtype(dtype) or INT64
        if rows < 0 or columns < 0:
            raise GradcliError(f"{name}() needs lengths that are not negative, got {rows} and {columns}")
        first, last, count = _bounds(rows, columns, place, lower)
        check_ends(name, target, *(last - 1, columns - 1)[: 2 * count])
        how = {"rows": (first, last), "columns": columns, "offset": place, "lower": lower}
        return make(op, (), {"shape": (2, count), "dtype": target, **how})

    op: Op = primitive(
        name, _places, _infer, family="create", args="row: columns, col: columns, offset: place=0, *, dtype=None",
        build=build, doc=doc, example=(f"{name}(3, 3)", ""), text=spelling.of_triangle,
        formula=arithmetic.none("indices have no formula", "give them as an input"),
    )
    return op


tril_indices = _triangle(
    "tril_indices", True, "The indices of the lower triangle of a matrix, rows above columns, row by row."
)
triu_indices = _triangle(
    "triu_indices", False, "The indices of the upper triangle of a matrix, rows above columns, row by row."
)
