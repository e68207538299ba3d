"""JSON for programs: values, arrays and the graph of backward functions, strictly by the standard."""

from __future__ import annotations

import math
from json import dumps
from json.encoder import encode_basestring_ascii
from typing import Any

import numpy as np

from gradcli.render.text import GraphNode, Label, input_label

# Wide enough for every float that NumPy writes out.
_FLOAT_WORD = "S32"
_CONSTANTS = {None: "null", True: "true", False: "false"}
_NON_FINITE = {"nan": '"NaN"', "inf": '"Infinity"', "-inf": '"-Infinity"'}


def to_json(value: Any) -> str:
    """Strict JSON, on one line, of dicts, lists, tuples, strings, numbers, booleans, None and NumPy arrays and scalars.

    Arrays become nested lists and 0-dim arrays bare numbers. Floats are written with the fewest digits that give the
    same bits in their own dtype, always with a point or an exponent; those that are not finite become the strings
    "NaN", "Infinity" and "-Infinity". Keys are strings, and the output is ASCII. TypeError for anything else.
    Containers are walked recursively: their nesting is the caller's, never an input's; arrays may have any shape.

    >>> to_json({"value": np.array([0.1, 30, np.nan], np.float32), "shape": (3,)})
    '{"value": [0.1, 30.0, "NaN"], "shape": [3]}'
    """
    if isinstance(value, str):
        return encode_basestring_ascii(value)
    if value is None or value is True or value is False:
        return _CONSTANTS[value]
    if isinstance(value, int):
        return int.__repr__(value)
    if isinstance(value, list | tuple):
        return "[" + ", ".join([to_json(v) for v in value]) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join([f"{encode_basestring_ascii(k)}: {to_json(v)}" for k, v in value.items()]) + "}"
    if isinstance(value, np.ndarray | np.generic):
        return _array_json(np.asarray(value))
    if isinstance(value, float):
        return float.__repr__(value) if math.isfinite(value) else _NON_FINITE[float.__repr__(value)]
    raise TypeError(f"{type(value).__name__} has no JSON")


def _array_json(array: np.ndarray) -> str:
    """Nested lists of an array, or a bare number."""
    if array.dtype.kind not in "biuf":
        raise TypeError(f"arrays of {array.dtype} have no JSON")
    if array.ndim == 0:
        # As below, without NumPy's detour: most values are single numbers.
        number = array[()]
        return to_json(float(str(number)) if array.dtype.kind == "f" and array.dtype.itemsize < 8 else number.item())
    if array.dtype.kind == "f":
        if array.dtype.itemsize < 8:
            # NumPy writes the fewest digits for the dtype at hand; as doubles they keep those in Python's notation.
            array = array.astype(_FLOAT_WORD).astype(np.float64)
        if not np.isfinite(array).all():
            words = array.astype(object)
            for special, word in ((np.isnan, "NaN"), (np.isposinf, "Infinity"), (np.isneginf, "-Infinity")):
                words[special(array)] = word
            array = words
    return dumps(array.tolist())


def graph_json(root: GraphNode, *, label: Label = input_label) -> list[dict[str, Any]]:
    """Every backward function that `root` reaches, as rows for `to_json`, numbered as a walk from the root meets them.

    The walk is depth first, a function before those behind it, operands from the left. A row has `id` (its place in
    the list), `name` and `next`, the ids behind its operands with None for an untracked one; an `AccumulateGrad` also
    has `variable`, what `label` gives for it.
    """
    ids: dict[GraphNode, int] = {}
    edges: list[list[GraphNode | None]] = []
    stack = [root]
    while stack:
        node = stack.pop()
        if node in ids:
            continue
        ids[node] = len(ids)
        children = [child for child, _ in node.next_functions]
        edges.append(children)
        stack.extend(child for child in reversed(children) if child is not None)
    rows: list[dict[str, Any]] = []
    for (node, number), children in zip(ids.items(), edges, strict=True):
        row: dict[str, Any] = {"id": number, "name": node.name()}
        if row["name"] == "AccumulateGrad":
            row["variable"] = label(node)
        row["next"] = [None if child is None else ids[child] for child in children]
        rows.append(row)
    return rows
