"""First evaluations in new processes: planned, compiled and run, by blocks of NumPy, native code that is made, and
native code that is kept from before.

    python benchmarks/engine_first.py [--only abcf] [--rounds 5] [--scale 1] [--dtype float32] [--threads 0]

Processor time in milliseconds of the whole process and, as ratios, time by the clock as well, the best of so many
rounds, in turn. Modules are imported and LLVM is loaded before the clock starts; `LLVM` says how long the latter takes.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from engine_cases import CASES, cases
from engine_measure import Options, Shares, print_table
from engine_more import MORE, more
from engine_peers import gradcli_run
from record import Record, add_option

import gradcli as gc
from gradcli.engine.native.choice import why_not

NUMPY, MADE, KEPT = "blocks of NumPy", "native, made", "native, kept code"


def measure(folder: str, engine: str, threads: int) -> None:
    """In a process of its own: print seconds for loading LLVM and for an evaluation."""
    given = json.loads(Path(folder, "case.json").read_text(encoding="utf-8"))
    inputs = {name: np.load(Path(folder, f"{name}.npy")) for name in given["inputs"]}
    if threads:
        gc.set_num_threads(threads)
    start = time.process_time()
    if engine == "native" and why_not() is not None:
        sys.exit(f"no native engine: {why_not()}")
    loaded, begun = time.process_time(), time.perf_counter()
    gradcli_run(given["expression"], inputs, tuple(given["wrt"]), engine)()
    print(loaded - start, time.process_time() - loaded, time.perf_counter() - begun)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=CASES + MORE, help="letters of the cases and the ten more")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--scale", type=float, default=1.0, help="a factor for all sizes")
    parser.add_argument("--dtype", choices=("float32", "float64"), default="float32")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--tmp", help="folder for the inputs")
    parser.add_argument("--run", nargs=2, metavar=("FOLDER", "ENGINE"), help=argparse.SUPPRESS)
    add_option(parser)
    given = parser.parse_args()
    if given.run:
        measure(*given.run, given.threads)
        return
    record = Record(given.json)
    options = Options(given.scale, 1, given.only, 0, 0, None, math.inf, record, Shares(math.inf, 1))
    rows = []
    for works in (cases, more):
        for work in works(options, np.dtype(given.dtype)):
            with tempfile.TemporaryDirectory(dir=given.tmp) as folder:
                about = {"expression": work.expression, "inputs": list(work.inputs), "wrt": work.wrt}
                Path(folder, "case.json").write_text(json.dumps(about), encoding="utf-8")
                for name, array in work.inputs.items():
                    np.save(Path(folder, f"{name}.npy"), array)
                times, clock, loading = in_turn(folder, given.rounds, given.threads)
            record.add(
                {name: {"min": seconds, "clock": clock[name]} for name, seconds in times.items()},
                case=work.name,
                dtype=given.dtype,
                llvm=loading,
            )
            rows.append([work.name, *(f"{s * 1e3:.1f}" for s in times.values()), f"{loading * 1e3:.1f}"])
            rows[-1] += [f"{one[name] / one[NUMPY]:.2f}" for one in (times, clock) for name in (MADE, KEPT)]
    ratios = [f"{name} / NumPy{by}" for by in ("", " by the clock") for name in ("made", "kept")]
    print_table(["ms", NUMPY, MADE, KEPT, "LLVM", *ratios], rows)


def in_turn(folder: str, rounds: int, threads: int) -> tuple[dict[str, float], dict[str, float], float]:
    """The least seconds of each way to compute, of the processor and by the clock, and of loading LLVM; the cache is a
    folder beside the inputs."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment["XDG_CACHE_HOME"] = str(Path(folder, "cache"))
    found: dict[str, list[list[float]]] = {NUMPY: [], MADE: [], KEPT: []}
    for number in range(rounds + 1):
        for name, seen in found.items():
            if name == MADE:
                for kept in Path(folder, "cache", "gradcli").glob("native-*"):
                    kept.unlink()
            engine = "numpy" if name == NUMPY else "native"
            command = [sys.executable, __file__, f"--threads={threads}", "--run", folder, engine]
            said = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
            if said.returncode:
                sys.exit(said.stderr)
            # The first round writes bytecode and the parser's cache.
            if number:
                seen.append([float(word) for word in said.stdout.split()])
    loading, processor, clock = (
        {name: min(times[k] for times in seen) for name, seen in found.items()} for k in range(3)
    )
    return processor, clock, loading[MADE]


if __name__ == "__main__":
    main()
