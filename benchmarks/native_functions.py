"""Largest errors of the elementary functions of the native code, and time an element, beside others'.

`python benchmarks/native_functions.py [NAME ...] [--quick]` prints a Markdown table. Errors are in units of the last
place, over points of every exponent and hard ones (tests/native_reference.py): those of float32 against the function
in float64, those of float64 against mpmath. Times are of 65,536 numbers of ordinary size, contenders in turn, the least
of many rounds, on one thread. PyTorch is left out where it is not installed, glibc's libmvec without AVX-512 too.
"""

from __future__ import annotations

import argparse
import ctypes
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from engine_measure import print_table

sys.path.insert(0, str(Path(__file__).parents[1]))

from gradcli.engine.native.builder import VectorBuilder  # noqa: E402
from gradcli.engine.native.processor import host  # noqa: E402
from tests.native_reference import REFERENCES, exact_values, points, ulps  # noqa: E402
from tests.native_support import AVX2, ArrayFunction  # noqa: E402

Array = np.ndarray
Contender = Callable[..., Any]
SIZE = 65_536
#: Where the times are taken; -4 to 4 unless named.
ORDINARY = {
    "exp": (-10, 10), "exp2": (-10, 10), "expm1": (-10, 10), "sigmoid": (-10, 10), "softplus": (-10, 10),
    "log": (1e-3, 1e3), "log2": (1e-3, 1e3), "log10": (1e-3, 1e3), "log1p": (-0.9, 10), "sin": (-30, 30),
    "cos": (-30, 30), "tan": (-30, 30), "asin": (-1, 1), "acos": (-1, 1), "atanh": (-1, 1), "acosh": (1, 9),
    "pow": (0.1, 9),
}  # fmt: skip
NUMPY = {
    "sigmoid": lambda x, out: np.divide(1, 1 + np.exp(-x), out=out),
    "softplus": lambda x, out: np.logaddexp(x, 0, out=out),
}
LIBMVEC = "libmvec.so.1"


def _numpy(name: str) -> Contender | None:
    special = REFERENCES[name].special
    return NUMPY.get(name, special if isinstance(special, np.ufunc) else None)


def _torch(name: str) -> Contender | None:
    """On arrays, without copying; slower than it could be by less than 0.1 ns an element."""
    try:
        import torch
    except ImportError:
        return None
    torch.set_num_threads(1)
    if name == "cbrt":
        return None
    if name == "softplus":
        return lambda x, out: np.copyto(out, torch.nn.functional.softplus(torch.from_numpy(x)).numpy())
    function = getattr(torch, name)
    return lambda *x, out: function(*map(torch.from_numpy, x), out=torch.from_numpy(out))


def _libmvec(name: str, dtype: Any) -> ArrayFunction | None:
    """The function of glibc that takes vectors of 512 bits."""
    try:
        known = hasattr(ctypes.CDLL(LIBMVEC, ctypes.RTLD_GLOBAL), _symbol(name, dtype))
    except OSError:
        return None
    if not known or "+avx512f" not in host().features.split(","):
        return None
    symbol = "@" + _symbol(name, dtype)

    def call(v: VectorBuilder, *x: Any) -> Any:
        kind = x[0].type
        v.declarations[symbol] = f"declare {kind} {symbol}({', '.join([kind] * len(x))})"
        return v.emit(f"call {kind} {symbol}({', '.join(each.typed for each in x)})", x[0].dtype)

    return ArrayFunction(call, *[dtype] * REFERENCES[name].operands, lanes=16 if dtype is np.float32 else 8)


def _symbol(name: str, dtype: Any) -> str:
    lanes, end = (16, "f") if dtype is np.float32 else (8, "")
    return f"_ZGVeN{lanes}{'v' * REFERENCES[name].operands}_{name}{end}"


def _into(function: ArrayFunction) -> Contender:
    """Without the copies that pad arrays of any length."""
    return lambda *x, out: function.call(*(each.ctypes.data for each in x), out.ctypes.data, len(out))


def _errors(name: str, dtype: Any, contenders: dict[str, Contender], quick: bool) -> dict[str, float]:
    count = (1 << 18 if quick else 1 << 22) if dtype is np.float32 else (1 << 11 if quick else 20_000)
    operands = points(name, dtype, count, seed=3)
    whole = len(operands[0]) // 16 * 16
    operands = [x[:whole].copy() for x in operands]
    got = {}
    for kind, function in contenders.items():
        got[kind] = np.empty(whole, dtype)
        with np.errstate(all="ignore"):
            function(*operands, out=got[kind])
    if dtype is np.float64:
        exact = exact_values(name, operands)
        return {kind: ulps(values, exact).max() for kind, values in got.items()}
    wide = ArrayFunction(getattr(VectorBuilder, name), *[np.float64] * len(operands))
    true = wide(*(x.astype(np.float64) for x in operands))
    return {kind: float(_float32_errors(values, true).max()) for kind, values in got.items()}


def _float32_errors(got: Array, true: Array) -> Array:
    with np.errstate(all="ignore"):
        unit = np.ldexp(1.0, np.maximum(np.frexp(true)[1] - 1, -126) - 23)
        nearest = true.astype(np.float32)
        same = (got == nearest) | (np.isnan(got) & np.isnan(nearest))
        return np.where(same & ~np.isfinite(nearest), 0, np.where(np.isfinite(got), np.abs(got - true) / unit, np.inf))


def _times(name: str, dtype: Any, contenders: dict[str, Contender], rounds: int) -> dict[str, float]:
    rng = np.random.default_rng(1)
    operands = [rng.uniform(*ORDINARY.get(name, (-4, 4)), SIZE).astype(dtype) for _ in range(REFERENCES[name].operands)]
    out, best = np.empty(SIZE, dtype), dict.fromkeys(contenders, np.inf)
    for _ in range(rounds):
        for kind, function in contenders.items():
            start = time.perf_counter()
            function(*operands, out=out)
            best[kind] = min(best[kind], time.perf_counter() - start)
    return {kind: seconds / SIZE * 1e9 for kind, seconds in best.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--quick", action="store_true", help="fewer points and rounds")
    options = parser.parse_args()
    np.seterr(all="ignore")
    rows = []
    for name in options.names or REFERENCES:
        for dtype in (np.float32, np.float64):
            native = [
                ArrayFunction(getattr(VectorBuilder, name), *[dtype] * REFERENCES[name].operands, processor=p)
                for p in (None, AVX2)
            ]
            found: dict[str, Contender | None] = {
                "gradcli": _into(native[0]),
                "NumPy": _numpy(name),
                "PyTorch": _torch(name),
            }
            glibc = _libmvec(name, dtype)
            found["libmvec"] = glibc and _into(glibc)
            contenders = {kind: function for kind, function in found.items() if function is not None}
            errors = _errors(name, dtype, contenders, options.quick)
            times = _times(name, dtype, {**contenders, "AVX2": _into(native[1])}, 60 if options.quick else 400)
            rows.append(
                [f"{name}, {np.dtype(dtype).name}"]
                + [f"{errors[kind]:.3g}" if kind in errors else "–" for kind in found]
                + [f"{times[kind]:.2f}" if kind in times else "–" for kind in (*found, "AVX2")]
            )
            print(" | ".join(rows[-1]), file=sys.stderr, flush=True)
    kinds = ["gradcli", "NumPy", "PyTorch", "libmvec"]
    print_table(["", *kinds, *(f"{kind}, ns" for kind in kinds), "gradcli as AVX2, ns"], rows)


if __name__ == "__main__":
    main()
