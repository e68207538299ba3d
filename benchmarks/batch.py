"""`gradcli batch` beside the same loop written by hand with PyTorch and with HIPS autograd, and beside `cp`.

Prints ratios of whole loops, one contender after the other in every round; results are compared first. Loops are timed
within their processes, without the imports; their processor time, which others on the machine disturb less, is printed
too. `--scale 0.1` is a tenth of the files.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from engine_measure import median, print_table
from record import Record, add_option, summary

EXPRESSION = "mean(2*(3*x+7)**2)"

# A loop by hand: the names of the files are read beforehand, as one would.
_LOOP = """
import glob, json, os, resource, sys, time
import numpy as np
{imports}
source, target = sys.argv[1:]
paths = sorted(glob.glob(os.path.join(source, "*.npy")))
{prepare}
before, start = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
for path in paths:
    stem = os.path.join(target, os.path.basename(path)[:-4])
    {body}
    np.save(stem + ".value.npy", value)
    np.save(stem + ".x.grad.npy", gradient)
seconds = time.perf_counter() - start
after = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps([seconds, after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime]))
"""
_HAND = {
    "torch eager": (
        "torch",
        "import torch",
        "torch.set_num_threads(1)",
        """
    x = torch.from_numpy(np.load(path)).requires_grad_()
    result = (2 * (3 * x + 7) ** 2).mean()
    result.backward()
    value, gradient = result.detach().numpy(), x.grad.numpy()""",
    ),
    "HIPS autograd": (
        "autograd",
        "import autograd.numpy as anp\nfrom autograd import value_and_grad",
        "function = value_and_grad(lambda x: anp.mean(2 * (3 * x + 7) ** 2))",
        "value, gradient = function(np.load(path))",
    ),
}


class Times(NamedTuple):
    """Of each round: seconds of the loop, of the processor in it, and of the whole process."""

    loop: list[float]
    processor: list[float]
    process: list[float]


def main() -> None:
    """Both sections, or the one that is named."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("section", nargs="?", choices=["small", "large"])
    options.add_argument("--scale", type=float, default=1.0)
    options.add_argument("--repeat", type=int, default=5)
    options.add_argument("--tmp", help="where the files are made")
    add_option(options)
    given = options.parse_args()
    record = Record(given.json, 2 if given.section is None else 1)
    for name, run in (("small", print_small), ("large", print_large)):
        if given.section in (None, name):
            with tempfile.TemporaryDirectory(dir=given.tmp) as folder:
                run(Path(folder), given.scale, given.repeat, record)


def print_small(folder: Path, scale: float, repeat: int, record: Record) -> None:
    """Thousands of files of 1,000 float32 each; values and gradients are written."""
    count = max(10, int(10_000 * scale))
    make(folder / "in", count, 1000)
    contenders: dict[str, Callable[[Path], tuple[float, float]]] = {
        "gradcli": lambda out: by_command(folder / "in", out, "--save", "both"),
        "gradcli --no-sync": lambda out: by_command(folder / "in", out, "--save", "both", "--no-sync"),
    }
    for name, (package, *parts) in _HAND.items():
        if importlib.util.find_spec(package) is None:
            print(f"{name} is left out: {package} is not installed")
        else:
            contenders[name] = by_hand(folder / "in", parts)
    compare(folder, contenders)
    report(f"{count:,} files of 1,000 float32", count, measure(folder, contenders, repeat, True), record)


def print_large(folder: Path, scale: float, repeat: int, record: Record) -> None:
    """Files of 20 MB, beside a copy of the same bytes."""
    count = max(4, int(200 * scale))
    make(folder / "in", count, 5_000_000)
    contenders: dict[str, Callable[[Path], tuple[float, float]]] = {
        "cp": lambda out: by_copy(folder / "in", out, False),
        "gradcli --no-sync": lambda out: by_command(folder / "in", out, "--no-sync"),
        "gradcli": lambda out: by_command(folder / "in", out),
        "cp and sync": lambda out: by_copy(folder / "in", out, True),
    }
    report(f"{count} files of 20 MB", count, measure(folder, contenders, repeat, False), record)


def make(folder: Path, count: int, elements: int) -> None:
    """Files of random numbers, brought to the disk."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    numbers = rng.standard_normal(elements).astype(np.float32)
    for k in range(count):
        np.save(folder / f"{k:05}.npy", np.roll(numbers, k))
    os.sync()


def by_command(source: Path, target: Path, *options: str) -> tuple[float, float]:
    """The seconds that `gradcli batch` needs, and those of the processor less what it takes to start."""
    command = [sys.executable, "-m", "gradcli", "batch", EXPRESSION, f"x={source}/*.npy", "-o", str(target)]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([*command, "--json", *options], stdout=subprocess.PIPE, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return json.loads(done.stdout)["seconds"], used


def by_hand(source: Path, parts: Sequence[str]) -> Callable[[Path], tuple[float, float]]:
    """The same for a loop written by hand."""
    imports, prepare, body = parts
    script = _LOOP.format(imports=imports, prepare=prepare, body=body.strip())

    def run(target: Path) -> tuple[float, float]:
        command = [sys.executable, "-c", script, str(source), str(target)]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
        seconds, processor = json.loads(done.stdout)
        return seconds, processor

    return run


def by_copy(source: Path, target: Path, sync: bool) -> tuple[float, float]:
    """The same for `cp`."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(["cp", "-r", str(source), str(target)], check=True)
    if sync:
        subprocess.run(["sync", "-f", str(target)], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return time.perf_counter() - start, used


def measure(
    folder: Path, contenders: dict[str, Callable[[Path], tuple[float, float]]], repeat: int, kept: bool
) -> dict[str, Times]:
    """Whole loops in turn, each into a new folder.

    `kept` says that the folders stay until the end: ext4 is slow to make files for a while after many were deleted.
    """
    times = {name: Times([], [], []) for name in contenders}
    for number in range(repeat):
        for name, run in contenders.items():
            out = folder / f"{name}-{number}"
            out.mkdir()
            os.sync()
            start = time.perf_counter()
            seconds, processor = run(out)
            times[name].process.append(time.perf_counter() - start)
            times[name].loop.append(seconds)
            times[name].processor.append(processor)
            if not kept:
                shutil.rmtree(out)
    return times


def compare(folder: Path, contenders: dict[str, Callable[[Path], tuple[float, float]]]) -> None:
    """Say where the results of two contenders differ."""
    for name, run in contenders.items():
        out = folder / name
        out.mkdir()
        run(out)
    ours = folder / "gradcli"
    files = sorted(path.name for path in ours.glob("*.npy"))
    for name in contenders:
        worst = 0.0
        for file in files:
            a, b = np.load(ours / file), np.load(folder / name / file)
            worst = max(worst, float(np.max(np.abs(a - b) / np.maximum(np.abs(a), 1e-3))))
        print(f"{name}: {len(files)} files, largest relative difference {worst:.1e}")
        if not worst < 1e-5:
            raise SystemExit(f"{name} differs")


def report(title: str, count: int, times: dict[str, Times], record: Record) -> None:
    """A table of the rates and of the ratios to the first contender: by the best rounds, and by the median ones."""
    record.add({name: summary(one.loop) for name, one in times.items()}, title=title, files=count)
    base = next(iter(times.values()))
    rows = []
    for name, (loop, processor, process) in times.items():
        ratios = [
            f"{min(a) / min(b):.2f} / {median(a) / median(b):.2f}"
            for a, b in ((loop, base.loop), (processor, base.processor), (process, base.process))
        ]
        rows.append([name, f"{count / min(loop):.0f}", *ratios])
    print_table([f"{title}, files/s", "best", "loop", "processor", "process"], rows)


if __name__ == "__main__":
    main()
