"""JSON for programs: values, arrays and the graph of backward functions, strictly by the standard."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import takewhile
from json import dumps
from json.encoder import encode_basestring_ascii
from typing import Any

import numpy as np

from gradcli.render.parts import parts_of, split_of
from gradcli.render.text import GraphNode, input_label

# Wide enough for every float that NumPy writes out.
_FLOAT_WORD = "S32"
# Items of a list that are written together.
_AT_ONCE = 256
# As Python's module writes them; JSON has no notation for them, and words in their place.
_NON_FINITE = re.compile("-?Infinity|NaN")


def to_json(value: Any) -> str:
    """Strict JSON, on one line, of dicts, lists, tuples, strings, numbers, booleans, None and NumPy arrays and scalars.

    Arrays become nested lists and 0-dim arrays bare numbers. Floats are written with the fewest digits that give the
    same bits in their own dtype, always with a point or an exponent; those that are not finite become the strings
    "NaN", "Infinity" and "-Infinity". Keys are strings, and the output is ASCII. TypeError for anything else.
    Containers are walked recursively: their nesting is the caller's, never an input's; arrays may have any shape.

    >>> to_json({"value": np.array([0.1, 30, np.nan], np.float32), "shape": (3,)})
    '{"value": [0.1, 30.0, "NaN"], "shape": [3]}'
    """
    if type(value) is np.ndarray and not value.ndim:
        return _number_json(value[()])
    return "".join(json_pieces(value))


def json_pieces(value: Any) -> Iterator[str]:
    """The text of `to_json`, piece by piece: of an array, or of one in a file, a few thousand elements are held."""
    if isinstance(value, list | tuple):
        yield "["
        for start in range(0, len(value), _AT_ONCE):
            if start:
                yield ", "
            yield from _items(value[start : start + _AT_ONCE])
        yield "]"
    elif isinstance(value, dict):
        yield "{"
        for k, (key, item) in enumerate(value.items()):
            yield f"{', ' if k else ''}{encode_basestring_ascii(key)}: "
            yield from json_pieces(item)
        yield "}"
    elif isinstance(value, np.generic):
        yield _number_json(value)
    elif hasattr(value, "shape"):
        yield from _array_pieces(value)
    else:
        yield _scalar_json(value)


def _items(some: Sequence[Any]) -> Iterator[str]:
    """Some items of a list, with commas between them: all at once where Python's own module knows them."""
    try:
        yield dumps(some, allow_nan=False)[1:-1]
    except (TypeError, ValueError):
        for k, item in enumerate(some):
            if k:
                yield ", "
            yield from json_pieces(item)


def _scalar_json(value: Any) -> str:
    if isinstance(value, float):
        # v - v is 0 for finite numbers only.
        return float.__repr__(value) if value - value == 0 else f'"{dumps(value)}"'
    if value is None or isinstance(value, str | int):
        return dumps(value)
    raise TypeError(f"{type(value).__name__} has no JSON")


def _number_json(number: Any) -> str:
    """A NumPy scalar. As for arrays, without NumPy's detour: most values are single numbers."""
    _check_dtype(number.dtype)
    short = number.dtype.kind == "f" and number.dtype.itemsize < 8
    return _scalar_json(float(str(number)) if short else number.item())


def _check_dtype(dtype: Any) -> None:
    if dtype.kind not in "biuf":
        raise TypeError(f"arrays of {dtype} have no JSON")


def _array_pieces(array: Any) -> Iterator[str]:
    """Nested lists of an array, or a bare number."""
    shape = tuple(array.shape)
    _check_dtype(array.dtype)
    if not shape:
        yield _number_json(array[()])
        return
    if 0 in shape:
        yield dumps(np.empty(shape).tolist())
        return
    begun = False
    for ranges, part in parts_of(array):
        axis = split_of(ranges, shape)
        lead = list(zip(ranges[axis::-1], shape[axis::-1], strict=True))
        # Of the lists that a part lies in, those begin with it where it lies at the beginning, from the inside out.
        opened = len(list(takewhile(lambda pair: pair[0].start == 0, lead)))
        closed = len(list(takewhile(lambda pair: pair[0].stop == pair[1], lead)))
        part = part.reshape(part.shape[axis:])
        if part.dtype.kind == "f" and part.dtype.itemsize < 8:
            # NumPy writes the fewest digits for the dtype at hand; as doubles they keep those in Python's notation.
            part = part.astype(_FLOAT_WORD).astype(np.float64)
        text = dumps(part.tolist())[1:-1]
        if "N" in text or "I" in text:
            text = _NON_FINITE.sub(r'"\g<0>"', text)
        yield f"{', ' if begun else ''}{'[' * opened}{text}{']' * closed}"
        begun = True


def graph_json(root: GraphNode) -> list[dict[str, Any]]:
    """Every backward function that `root` reaches, as rows for `to_json`, numbered as a walk from the root meets them.

    The walk is depth first, a function before those behind it, operands from the left. A row has `id` (its place in
    the list), `name` and `next`, the ids behind its operands with None for an untracked one; an `AccumulateGrad` also
    has `variable`, the name of its input. Where an operand is not the first result of its operation, `output_nr` has
    the number of the result for each.
    """
    ids: dict[GraphNode, int] = {}
    edges: list[tuple[tuple[GraphNode | None, int], ...]] = []
    stack = [root]
    while stack:
        node = stack.pop()
        if node in ids:
            continue
        ids[node] = len(ids)
        edges.append(node.next_functions)
        stack.extend(child for child, _ in reversed(edges[-1]) if child is not None)
    rows: list[dict[str, Any]] = []
    for (node, number), behind in zip(ids.items(), edges, strict=True):
        row: dict[str, Any] = {"id": number, "name": node.name()}
        if row["name"] == "AccumulateGrad":
            row["variable"] = input_label(node)
        row["next"] = [None if child is None else ids[child] for child, _ in behind]
        if any(output for _, output in behind):
            row["output_nr"] = [output for _, output in behind]
        rows.append(row)
    return rows
