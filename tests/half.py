"""float16 held against float64: errors in units of the last place, as float16 has them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

LARGEST = float(np.finfo(np.float16).max)


def halves(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays with their floating-point numbers in float16."""
    with np.errstate(over="ignore"):
        return {n: a.astype(np.float16) if a.dtype.kind == "f" else a for n, a in arrays.items()}


def doubles(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays with their floating-point numbers in float64."""
    return {n: a.astype(np.float64) if a.dtype.kind == "f" else a for n, a in arrays.items()}


def weights(shape: tuple[int, ...], seed: int) -> np.ndarray:
    """A vector to multiply a Jacobian with, of numbers that float16 holds."""
    return np.asarray(np.random.default_rng(seed).uniform(0.5, 1.5, shape).astype(np.float16))


def units_off(got: np.ndarray, exact: np.ndarray, terms: float = 0.0) -> float:
    """The largest error, in units of the last place of the largest exact element, or of terms that may cancel.

    Exact numbers that float16 cannot hold are infinite; a NaN in the place of a number, or the other way round, is
    infinitely far off.
    """
    if not exact.size:
        return 0.0
    got, exact = got.astype(np.float64), exact.astype(np.float64)
    with np.errstate(all="ignore"):
        # Rounding to float16 and back leaves a number as it is, except for what becomes infinite.
        exact = np.where(np.isinf(exact.astype(np.float16)), np.sign(exact) * np.inf, exact)
        largest = np.max(np.abs(exact), initial=terms if np.isfinite(terms) else 0.0, where=np.isfinite(exact))
        same = (got == exact) | (np.isnan(got) & np.isnan(exact))
        off = np.where(same, 0.0, np.abs(got - exact) / float(np.spacing(np.float16(largest))))
    return float(np.max(np.where(np.isnan(off), np.inf, off)))
