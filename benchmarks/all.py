"""Everything that the page of figures shows, measured into one folder within a limit of time.

    python benchmarks/all.py              # all of it, into docs/measured
    python benchmarks/all.py loops batch  # some of it
    python docs/performance.py            # then makes tables, plots and sentences of them

It takes an environment with gradcli's extras and the peers: pip install '.[jit,fast]' torch jax "autograd[scipy]",
and a C++ compiler for torch.compile. What is measured is the checkout that this file belongs to. One benchmark runs at
a time and has a part of the limit. Cases and operations share theirs equally, with fewer rounds where it is short. One
that is not done within its part is ended, and what it measured until then is kept, with a line that says how much is
missing; one that measured nothing leaves the file as it was.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
HUGE_PAGES = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}
_ENGINE = "engine.py cases more --repeat 9 --limit {seconds:.0f}"
#: Of the limit of a benchmark: what it plans with, the rest being for its imports and what it cannot foresee.
_PLANNED = 0.9
#: Not of an installation: without bytecode every process compiles anew; the others keep newer instructions from
#: OpenBLAS, NumPy's and SciPy's. They are dropped for every contender alike.
_DROPPED = ("PYTHONDONTWRITEBYTECODE", "OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")


class Benchmark(NamedTuple):
    """A script with its words, and for how many minutes of twenty it may run; what it leaves is for those after it."""

    words: str
    minutes: float
    environment: Mapping[str, str] = {}


#: By the names of their files; last those that make use of what is left.
BENCHMARKS = {
    "startup": Benchmark("startup.py 21", 0.7),
    "random": Benchmark("native_random.py --rounds 9", 1.6),
    "loops": Benchmark("loops.py", 1.3),
    "stream": Benchmark("stream.py --records 20000 --repeat 3", 1.9),
    "batch": Benchmark("batch.py --scale 0.2 --repeat 3", 1.6),
    "operations": Benchmark("operations.py --limit {seconds:.0f}", 2),
    "engine": Benchmark(_ENGINE, 6.3),
    "engine-hugepages": Benchmark(_ENGINE, 4.6, HUGE_PAGES),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}; default: all")
    parser.add_argument("--minutes", type=float, default=20.0, help="time limit in minutes for the whole set")
    parser.add_argument("--folder", type=Path, default=HERE.parent / "docs" / "measured")
    given = parser.parse_args()
    if unknown := set(given.names) - set(BENCHMARKS):
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}")
    given.folder.mkdir(exist_ok=True)
    failed, names = 0, given.names or list(BENCHMARKS)
    parts = [BENCHMARKS[name].minutes for name in names]
    last = time.monotonic() + sum(parts) * given.minutes / 20 * 60
    for k, name in enumerate(names):
        start = time.monotonic()
        limit = (last - start) * parts[k] / sum(parts[k:])
        count, end = measure(BENCHMARKS[name], limit, given.folder / f"{name}.json")
        failed += end != "done"
        print(f"{name}: {count} rows in {time.monotonic() - start:.0f} s, {end}", flush=True)
    return 1 if failed else 0


def measure(one: Benchmark, limit: float, target: Path) -> tuple[int, str]:
    """Run a benchmark; how many rows it has measured, and how it ended."""
    script, *words = one.words.format(seconds=_PLANNED * limit).split()
    # The checkout comes before what is installed.
    environment = {**os.environ, **one.environment, "PYTHONPATH": str(HERE.parent)}
    for name in _DROPPED:
        environment.pop(name, None)
    with tempfile.TemporaryDirectory() as folder:
        found, log = Path(folder, target.name), Path(folder, "log")
        with log.open("w") as output:
            child = subprocess.Popen(
                [sys.executable, str(HERE / script), *words, "--json", str(found)],
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                code = child.wait(limit)
                end = "done" if code == 0 else f"failed with {code}"
            except subprocess.TimeoutExpired:
                end = f"ended after {limit:.0f} s"
            finally:
                # Also when this process is interrupted: compilers that it started are of its group.
                stop(child)
        if not end.startswith("done"):
            print("".join(log.read_text(encoding="utf-8").splitlines(keepends=True)[-20:]), file=sys.stderr)
        if not found.exists():
            return 0, end
        text = found.read_text(encoding="utf-8")
        document = json.loads(text)
        count = len(document["rows"])
        if count < document.get("wanted", 0):
            end += f", {document['wanted'] - count} of {document['wanted']} rows are missing"
        if count:
            target.write_text(text, encoding="utf-8")
        return count, end


def stop(child: subprocess.Popen[bytes]) -> None:
    """End a process with all that it has started."""
    if child.poll() is None:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()


if __name__ == "__main__":
    sys.exit(main())
