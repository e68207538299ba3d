"""What dealing work to a cluster costs and gains: the local engine beside 1 and 2 worker processes, interleaved.

    python benchmarks/cluster.py [rounds] [millions of rows]

Needs the extra `dask`. Every run is checked for the same bytes. Times are those of whole runs with the workers there
already; what starting them takes is told apart.
"""

from __future__ import annotations

import re
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from gradcli.cluster import Cluster, Dealer, connected
from gradcli.evaluation.compiled import Compiled
from gradcli.evaluation.request import prepare
from gradcli.evaluation.values import InputSpec
from gradcli.language.parse import parse
from gradcli.storage import FileArray, open_array, streaming

ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 7
ROWS = int(float(sys.argv[2]) * 1e6) if len(sys.argv) > 2 else 2_000_000
#: Expression, what to differentiate, results written to files by position.
CASES = {
    "much to compute, a number to send: mean(erf(tanh(X))*exp(-X*X)*log1p(X*X))": (
        "mean(erf(tanh(X))*exp(-X*X)*log1p(X*X))",
        [],
        [],
    ),
    "sums only: mean(log1p(exp(-y*(X@w)))), w.grad": ("mean(log1p(exp(-y*(X@w))))", ["w"], []),
    "a result as large as the file: sum(erf(X)*exp(-X*X)), X.grad": ("sum(erf(X)*exp(-X*X))", ["X"], [1]),
    "next to nothing to compute: sum(X*X), X.grad": ("sum(X*X)", ["X"], [1]),
}


def main() -> None:
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        random = np.random.default_rng(0)
        np.save(folder / "X.npy", random.standard_normal((ROWS, 20), dtype=np.float32))
        np.save(folder / "y.npy", np.sign(random.standard_normal(ROWS, dtype=np.float32)))
        np.save(folder / "w.npy", random.standard_normal(20, dtype=np.float32))
        ways: dict[str, Any] = {"local, 1 thread": 1, "local, 2 threads": 2}
        for count in (1, 2):
            start = time.perf_counter()
            ways[f"cluster, {count} worker{'s'[: count - 1]}"] = stack.enter_context(connected(f"local:{count}", count))
            print(f"connected to local:{count} after {time.perf_counter() - start:.1f} s")
        for title, case in CASES.items():
            measure(title, case, ways, folder)


def measure(title: str, case: tuple[str, list[str], list[int]], ways: dict[str, Any], folder: Path) -> None:
    times: dict[str, list[float]] = {way: [] for way in ways}
    results = set()
    for number in range(ROUNDS + 1):
        for way, how in ways.items():
            took, result = once(case, how, folder)
            results.add(result)
            # The first round fills caches.
            if number:
                times[way].append(took)
    print(f"\n{title}; {len(results)} result{'s'[: len(results) - 1]} to the byte, {ROUNDS} interleaved rounds")
    best = {way: min(found) for way, found in times.items()}
    for way, found in times.items():
        ratio = best["local, 1 thread"] / best[way]
        print(f"  {way:20s} {best[way]:7.3f} s at best, {sorted(found)[len(found) // 2]:7.3f} s median; {ratio:.2f}x")


def once(case: tuple[str, list[str], list[int]], how: int | Cluster, folder: Path) -> tuple[float, bytes]:
    text, wrt, written = case
    names = [name for name in ("X", "y", "w") if re.search(rf"\b{name}\b", text)]
    start = time.perf_counter()
    inputs = {name: open_array(str(folder / f"{name}.npy")) for name in names}
    forms = [InputSpec(name, array.shape, array.dtype) for name, array in inputs.items()]
    request = prepare(parse(text), forms, wrt)
    files = frozenset(request.leaves[name] for name, array in inputs.items() if isinstance(array, FileArray))
    compiled = Compiled(request, files, streamed=frozenset(written))
    targets = [(str(folder / "out.npy"), request.roots[k].shape, request.roots[k].dtype) for k in written]
    with streaming(targets) as sinks:
        dealer = None
        if isinstance(how, Cluster):
            dealer = Dealer(how, request.recipe(wrt), compiled.program, inputs, frozenset(written))
        found = compiled.run(
            inputs,
            sinks=dict(zip(written, sinks, strict=True)),
            threads=how if isinstance(how, int) else 1,
            runner=dealer,
        )
    took = time.perf_counter() - start
    kept = b"".join([array.tobytes() for array in found if isinstance(array, np.ndarray)])
    return took, kept + ((folder / "out.npy").read_bytes() if written else b"")


if __name__ == "__main__":
    main()
