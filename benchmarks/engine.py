"""How fast the engine is, beside PyTorch, jax, HIPS autograd and NumPy: ratios, printed as Markdown tables.

    pip install . torch==2.13.0 jax "autograd[scipy]"
    python benchmarks/engine.py                         # everything
    python benchmarks/engine.py cases --hugepages       # one section, and its second table
    python benchmarks/engine.py cases mlp --scale 0.1   # a quick look at two
    python benchmarks/engine.py cases more --json FILE  # and a file for docs/performance.py

Sections: cases more shapes chain mlp products inv tiny random accuracy files big. `--only ab` takes some of the six
cases and the ten more. `files` and `big` write to a folder of their own in `--tmp`; `big` needs 20 GB there and takes
some minutes.

A figure is the time of a contender over that of gradcli, so above 1 gradcli is the faster one: first the ratio of the
minima, then that of the medians. Contenders run in one process, in turn, and give the value and all gradients as new
arrays. Results are compared first; that first call is not timed. Who takes four times as long as gradcli sits out all
but three rounds. gradcli goes through its public API, from text to arrays, but has kept the plan from then, and its
native code where llvmlite is installed; torch.compile (which needs a C++ compiler) and jax.jit their code. `over
memcpy` is the time of gradcli over that of copying memory: as many bytes read and written as inputs and gradients have,
into memory that is there already. `new memory` is gradcli where it asks the system for all memory, as all others do in
each round: else it uses that of results that were dropped. Nothing is asserted, and only ratios mean anything on a
machine that does other work as well.
"""

from __future__ import annotations

import argparse
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from engine_accuracy import print_accuracy
from engine_cases import CASES, cases, headline, headline_tape
from engine_files import print_big, print_files
from engine_measure import Options, Shares, interleave, milliseconds, print_table, ratio, repeated
from engine_more import MORE, more
from engine_peers import PEERS, Workload, contenders, copied, gradcli_run, in_new_memory, installed_peers
from engine_products import products
from engine_random import print_random
from engine_workloads import chain, inverses, perceptron
from record import Record, add_option, summary

import gradcli as gc

HEADLINE = "mean(2*(3*x+7)**2)"
HUGE_PAGES = "glibc.malloc.hugetlb=1"
LIBRARIES = tuple(PEERS)
#: Who is so many times slower than gradcli is seen to be so in a few rounds.
FAR = 4.0


def print_workloads(works: Iterable[Workload], options: Options, names: Iterable[str], calls: int = 1) -> None:
    """A table of a row a workload, computed so many times in a row; `names` are the contenders beside gradcli."""
    names = list(names)
    peers = {name: prepare for name, prepare in installed_peers().items() if name in names}
    rows, behind = [], []
    first: dict[str, list[float]] = {}
    for work in works:
        dtype = next(iter(work.inputs.values())).dtype.name
        end = options.shares.take()
        found = contenders(work, peers)
        size = sum(array.nbytes for array in work.inputs.values())
        runs = {name: repeated(run, calls) for name, run in found.runs.items()}
        if calls == 1:
            runs["memcpy"] = copied(work)
        if "gradcli" not in runs:
            continue
        if calls == 1:
            runs["new memory"] = in_new_memory(runs["gradcli"])
        seconds = min(options.seconds, end - time.perf_counter())
        times = interleave(runs, options.repeat, 8 * size, seconds, FAR, options.shares.least)
        options.record.add(
            {name: summary(values) for name, values in times.items()},
            case=work.name,
            expression=work.expression,
            dtype=dtype,
            inputs={name: list(array.shape) for name, array in work.inputs.items()},
            wrt=list(work.wrt),
            calls=calls,
            first={name: float(f"{seconds:.3g}") for name, seconds in found.first.items()},
            failed=found.failed,
        )
        for name, seconds in found.first.items():
            first.setdefault(name, []).append(seconds)
        over = [ratio(times, "gradcli", "memcpy"), ratio(times, "new memory")] if calls == 1 else []
        rows.append([work.name, dtype, milliseconds(times["gradcli"]), *over, *(ratio(times, name) for name in names)])
        ahead = {name: min(times[name]) / min(times["gradcli"]) for name in names if name in times}
        behind += [f"{work.name} {dtype}: {name} {value:.2f}" for name, value in ahead.items() if value < 1]
    print()
    print_table(["", "dtype", "gradcli, ms", *(["over memcpy", "new memory"] if calls == 1 else []), *names], rows)
    print("Below 1 (minima):", "; ".join(behind) or "nothing")
    slowest = ", ".join(f"{name} {max(seconds):.2g}" for name, seconds in first.items())
    print(f"Slowest first call, in seconds: {slowest}", flush=True)


def print_cases(options: Options) -> None:
    works = (work for dtype in (np.float32, np.float64) for work in cases(options, dtype))
    print_workloads(works, options, ["blocks of NumPy", "hand-blocked", "op by op", *LIBRARIES])


def print_more(options: Options) -> None:
    works = (work for dtype in (np.float32, np.float64) for work in more(options, dtype))
    print_workloads(works, options, ["blocks of NumPy", *LIBRARIES])


def print_shapes(options: Options) -> None:
    n = options.size(20_000_000)
    rows = []
    for dtype in (np.float32, np.float64):
        x = np.random.default_rng(0).standard_normal(n).astype(dtype)
        shapes = {"flat": x, "(2, n/2)": x.reshape(2, -1), "(n/2, 2)": x.reshape(-1, 2)}
        runs = {name: gradcli_run(HEADLINE, {"x": array}, ("x",)) for name, array in shapes.items()}
        for run in runs.values():
            run()
        times = interleave(runs, options.repeat, memory=8 * x.nbytes)
        rows.append([x.dtype.name, *(ratio(times, name, "flat") for name in list(shapes)[1:])])
    print_table([f"time / that of a flat array of {n / 1e6:g} M", "(2, n/2)", "(n/2, 2)"], rows)


def print_chain(options: Options) -> None:
    print_workloads(chain(options), options, ["op by op", *LIBRARIES])


def print_perceptron(options: Options) -> None:
    print_workloads(perceptron(options), options, ["op by op", *LIBRARIES])


def print_products(options: Options) -> None:
    works = (work for dtype in (np.float32, np.float64) for work in products(options, dtype))
    print_workloads(works, options, ["op by op", *LIBRARIES])


def print_inverses(options: Options) -> None:
    # jax waits for itself forever here: its inverse needs both of two processors while something else has one.
    print_workloads(inverses(options), options, ["op by op", *(name for name in LIBRARIES if name != "jax.jit")])


def print_tiny(options: Options) -> None:
    x = np.ones((2, 2), np.float32)
    work = Workload("1,000 × (a) on 2 × 2", HEADLINE, {"x": x}, ("x",), headline, headline_tape)
    print_workloads([work], options, ["op by op", "HIPS autograd", "torch eager"], calls=1000)
    print()
    print_small(options)


#: Small requests: an expression and the shapes of its inputs.
SMALL = {
    HEADLINE: {"x": (2, 2)},
    "sum(sigmoid(x)*tanh(x))": {"x": (100,)},
    "mean(log1p(exp(-y*(X@w))))": {"X": (50, 4), "y": (50,), "w": (4,)},
    "mean((relu(X@A)@B - Y)**2)": {"X": (16, 8), "A": (8, 8), "B": (8, 2), "Y": (16, 2)},
    "mean(logsumexp(X, 1) - sum(X*Y, 1))": {"X": (20, 5), "Y": (20, 5)},
    "sum(((X - mean(X, 0))/std(X, 0))**2)": {"X": (500, 4)},
}


def print_small(options: Options) -> None:
    """1,000 evaluations by each engine: the time of native code over that of NumPy."""
    rng = np.random.default_rng(0)
    rows = []
    for expression, shapes in SMALL.items():
        inputs = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
        contenders = {engine: by_engine(engine, expression, inputs) for engine in ("numpy", "native")}
        for run in contenders.values():
            run()
        times = interleave(contenders, options.repeat)
        rows.append([expression, milliseconds(times["numpy"]), ratio(times, "native", "numpy")])
    print_table(["1,000 evaluations", "NumPy, ms", "native / NumPy"], rows)


def by_engine(engine: str, expression: str, inputs: dict[str, np.ndarray]) -> Callable[[], None]:
    def run() -> None:
        gc.set_engine(engine)
        for _ in range(1000):
            gc.evaluate(expression, inputs)

    return run


SECTIONS: dict[str, tuple[str, Callable[[Options], None]]] = {
    "cases": ("The six cases in memory", print_cases),
    "more": ("Ten more", print_more),
    "shapes": ("Shapes of (a): at most 1.5 wanted", print_shapes),
    "chain": ("A chain of 200 elementwise operations", print_chain),
    "mlp": ("A perceptron of three layers", print_perceptron),
    "products": ("Small products, attention, a mixture, all pairs", print_products),
    "inv": ("Inverses", print_inverses),
    "tiny": ("1,000 tiny evaluations: HIPS autograd / gradcli of 0.67 wanted", print_tiny),
    "random": ("Random expressions: op by op / engine, above 0.9 wanted", print_random),
    "accuracy": ("Errors of float32 sums, relative to math.fsum", print_accuracy),
    "files": ("Whole processes, from file to file", print_files),
    "big": ("Larger than memory need be", print_big),
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, usage="%(prog)s [options] [section…]"
    )
    parser.add_argument("sections", nargs="*", metavar="section", help="default: all")
    parser.add_argument("--scale", type=float, default=1.0, help="a factor for all sizes")
    parser.add_argument("--repeat", type=int, default=9, help="rounds of each comparison")
    parser.add_argument("--seconds", type=float, default=math.inf, help="for the rounds of each comparison")
    parser.add_argument("--limit", type=float, default=math.inf, help="seconds for all of cases and more together")
    add_option(parser)
    parser.add_argument("--only", default=CASES + MORE, help="letters of the cases and the ten more")
    parser.add_argument("--count", type=int, default=300, help="random expressions")
    parser.add_argument("--seed", type=int, default=0, help="of the random expressions")
    parser.add_argument("--tmp", help="folder for files")
    parser.add_argument(
        "--hugepages", action="store_true", help=f"cases, more and chain once more with {HUGE_PAGES} for everyone"
    )
    given = parser.parse_args()
    unknown = set(given.sections) - set(SECTIONS)
    if unknown:
        parser.error(f"no section {', '.join(sorted(unknown))}; there are {', '.join(SECTIONS)}")
    letters = {"cases": CASES, "more": MORE}
    every = "".join(letters.get(name, "") for name in given.sections or SECTIONS)
    # In both dtypes.
    rows = 2 * len(set(every) & set(given.only))
    record = Record(given.json, rows if given.sections and set(given.sections) <= set(letters) else None)
    shares = Shares(given.limit, rows)
    options = Options(
        given.scale, given.repeat, given.only, given.count, given.seed, given.tmp, given.seconds, record, shares
    )
    tunables = os.environ.get("GLIBC_TUNABLES")
    for name in given.sections or SECTIONS:
        title, show = SECTIONS[name]
        print(f"\n### {title}{f' ({tunables})' if tunables else ''}\n", flush=True)
        show(options)
    if given.hugepages:
        sections = [name for name in ("cases", "more", "chain") if name in (given.sections or SECTIONS)]
        again = [sys.executable, __file__, *sections, f"--scale={given.scale}", f"--repeat={given.repeat}"]
        again += [f"--seconds={given.seconds}", f"--limit={given.limit}", f"--only={given.only}"]
        if given.json is not None:
            path = Path(given.json)
            again += ["--json", str(path.with_stem(f"{path.stem}-hugepages"))]
        subprocess.run(again, env={**os.environ, "GLIBC_TUNABLES": HUGE_PAGES}, check=True)


if __name__ == "__main__":
    main()
