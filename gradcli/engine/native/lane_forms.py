"""What an item of a loop computes of the values at a place, for the builder of vectors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gradcli.engine.native.vectors import FLOAT64, INT64
from gradcli.graph.native_forms import Lanes
from gradcli.graph.node import Node


def chosen(order: list[int | None], dtype: np.dtype) -> Callable[..., Any]:
    """The operand of that number at each place."""

    def at_place(v: Any, *values: Any) -> Any:
        *parts, place = values
        zero = v.constant(0, dtype)
        if place.number is not None:
            number = order[place.number]
            return zero if number is None else parts[number]
        result = zero
        for at, number in enumerate(order):
            if number is not None:
                result = v.select(place == at, parts[number], result)
        return result

    return at_place


def picked(dtype: np.dtype) -> Lanes:
    """A sum of which all terms but one are 0."""
    return Lanes(
        start=lambda v, _: [v.constant(0, dtype)],
        add=lambda v, state, x: [state[0] + x],
        merge=lambda v, a, b: [a[0] + b[0]],
        result=lambda v, state, count, node: state[0],
    )


def first(v: Any, x: Any) -> Any:
    return x


def product(v: Any, x: Any, y: Any) -> Any:
    """A product as exact as the sum that takes it in."""
    wide = FLOAT64 if x.dtype.kind == "f" else INT64
    return v.cast(x, wide) * v.cast(y, wide)


def of_row(native: Any, node: Node, params: dict[str, Any]) -> Callable[..., Any]:
    """A row's native form with its parameters, but those that only shapes are made of, and told which operands are
    numbers of the expression."""
    plain = {name: value for name, value in params.items() if name != "shape"}
    numbers = {k: child.params["value"].item() for k, child in enumerate(node.inputs) if child.weak}

    def number(v: Any, x: Any, value: Any) -> Any:
        # A half stands in exp(-x*x/2), and in the functions that have this for a derivative: as part of the code, what
        # both need is computed once. Other numbers are data, so that the same code is kept for all of them.
        return v.constant(value, x.dtype) if abs(value) == 0.5 else x.known(value)

    def with_numbers(v: Any, *values: Any) -> Any:
        return native(v, *[number(v, x, numbers[k]) if k in numbers else x for k, x in enumerate(values)], **plain)

    return with_numbers
