"""Elements at places along one dimension: picked, put and added up in the order of the places."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradcli.errors import SizeError


def check_places(index: Any, length: int, dim: int, least: int = 0) -> None:
    """Refuse indices below `least` and from `length` on."""
    if index.size and not (least <= index.min() and index.max() < length):
        worst = index.min() if index.min() < least else index.max()
        raise SizeError("index {} is out of range for dimension {} of length {}", int(worst), dim, length)


def flat_places(index: Any, shape: tuple[int, ...], dim: int) -> Any:
    """The places in a row-major array of a shape that `index` has along a dimension, at its own place along others.

    An index with fewer dimensions is the same for all places along the first ones.
    """
    lead = len(shape) - index.ndim
    check_places(index, shape[dim], dim)
    flat = np.zeros((1,) * len(shape), np.int64)
    stride = 1
    for d in reversed(range(len(shape))):
        if d == dim:
            along = index.astype(np.int64) * stride if stride != 1 else index
        else:
            length = index.shape[d - lead] if d >= lead else shape[d]
            flat = flat + (np.arange(length) * stride).reshape((-1, *(1,) * (len(shape) - d - 1)))
        stride *= shape[d]
    # Where nothing is there it is the sum that is empty.
    return flat + along if flat.size != 1 else along


def picked(x: Any, index: Any, dim: int) -> Any:
    """The element at each index."""
    if not x.ndim or not index.ndim:
        check_places(index, x.shape[dim] if x.ndim else 1, dim)
        return x.reshape(-1)[index.astype(np.int64)].reshape(index.shape)
    if index.ndim == 1 == x.ndim:
        check_places(index, len(x), dim)
        return x[index]
    return np.take(np.ascontiguousarray(x).reshape(-1), flat_places(index, x.shape, dim))


def added_up(shape: tuple[int, ...], flat: Any, values: Any) -> Any:
    """Zeros with values added at flat places, one after the other; floating-point numbers in float64, then rounded."""
    size = int(np.prod(shape, dtype=np.int64))
    flat, values = flat.reshape(-1), values.reshape(-1)
    if values.dtype.kind == "f":
        total = np.bincount(flat, values, size) if size else np.zeros(0)
        return total.astype(values.dtype).reshape(shape)
    out = np.zeros(size, values.dtype)
    np.add.at(out, flat, values)
    return out.reshape(shape)


def placed(g: Any, index: Any, shape: tuple[int, ...], dim: int) -> Any:
    """Zeros with each element added at its index."""
    if not shape or not index.ndim:
        check_places(index, shape[dim] if shape else 1, dim)
        return added_up(shape, np.broadcast_to(index, g.shape), g)
    return added_up(shape, np.broadcast_to(flat_places(index, shape, dim), g.shape), g)
