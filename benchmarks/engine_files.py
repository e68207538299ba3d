"""Whole processes, from file to file: time and peak resident memory, beside the same script elsewhere, and `cp`."""

from __future__ import annotations

import importlib.util
import math
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from engine_measure import Options, Times, median, print_table, ratio

LAUNCHER = Path(__file__).with_name("engine_launch.py")
HEADLINE = "mean(2*(3*x+7)**2)"
LOGISTIC = "mean(log1p(exp(-y*(X@w))))"
NUMPY = [sys.executable, "-c", "import numpy"]
#: Files of gigabytes are gone through so many times.
_BIG_ROUNDS = 3
_CHUNK = 1 << 22

#: The headline example as a script: the paths of input and gradient are its arguments.
SCRIPTS = {
    "HIPS autograd": """
import sys
import autograd.numpy as np
from autograd import value_and_grad
value, gradient = value_and_grad(lambda x: np.mean(2 * (3 * x + 7) ** 2))(np.load(sys.argv[1]))
print(value)
np.save(sys.argv[2], gradient)
""",
    "torch eager": """
import sys
import numpy as np
import torch
x = torch.from_numpy(np.load(sys.argv[1])).requires_grad_()
value = (2 * (3 * x + 7) ** 2).mean()
value.backward()
print(value)
np.save(sys.argv[2], x.grad.numpy())
""",
    "jax.jit": """
import sys
import jax
import numpy as np
function = jax.jit(jax.value_and_grad(lambda x: (2 * (3 * x + 7) ** 2).mean()))
value, gradient = function(np.load(sys.argv[1]))
print(value)
np.save(sys.argv[2], np.asarray(gradient))
""",
}
_PACKAGES = {"HIPS autograd": "autograd", "torch eager": "torch", "jax.jit": "jax"}


class Measured(NamedTuple):
    times: Times
    #: The largest peak of resident memory of each.
    peaks: dict[str, int]


def launch(command: Sequence[str]) -> tuple[float, int]:
    """The seconds and the peak resident memory in bytes of a process."""
    # An installation has bytecode; a checkout writes it in the first run unless told not to.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    launcher = [sys.executable, "-I", "-S", str(LAUNCHER)]
    answer = subprocess.run([*launcher, *command], env=environment, stdout=subprocess.PIPE, text=True, check=True)
    seconds, peak = answer.stdout.split()
    return float(seconds), int(peak)


def measure(commands: Mapping[str, Sequence[str]], rounds: int, outputs: Sequence[Path]) -> Measured:
    """Processes in turn; what they write is deleted after each."""
    times: Times = {name: [] for name in commands}
    peaks = dict.fromkeys(commands, 0)
    for _ in range(rounds):
        for name, command in commands.items():
            seconds, peak = launch(command)
            times[name].append(seconds)
            peaks[name] = max(peaks[name], peak)
            for path in outputs:
                path.unlink(missing_ok=True)
    return Measured(times, peaks)


def write_normal(path: Path, shape: tuple[int, ...], dtype: type, change: Callable[[np.ndarray], np.ndarray]) -> None:
    """A .npy file of random numbers, written piece by piece and brought to the disk."""
    rng = np.random.default_rng(0)
    size = math.prod(shape)
    with path.open("wb") as file:
        header = {"descr": np.lib.format.dtype_to_descr(np.dtype(dtype)), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        for start in range(0, size, _CHUNK):
            file.write(change(rng.standard_normal(min(_CHUNK, size - start))).astype(dtype).tobytes())
        file.flush()
        os.fsync(file.fileno())


def gradcli_command(expression: str, inputs: Mapping[str, Path], wrt: str, output: Path) -> list[str]:
    values = [f"{name}={path}" for name, path in inputs.items()]
    command = [sys.executable, "-m", "gradcli", "eval", expression, *values]
    return [*command, "--wrt", wrt, "-o", f"{wrt}.grad={output}", "-q"]


def print_files(options: Options) -> None:
    """The headline example from file to file, 20 M float32, beside the same script with each library."""
    with tempfile.TemporaryDirectory(dir=options.tmp) as folder:
        x, g = Path(folder, "x.npy"), Path(folder, "g.npy")
        n = options.size(20_000_000)
        write_normal(x, (n,), np.float32, lambda part: part)
        commands: dict[str, Sequence[str]] = {"gradcli": gradcli_command(HEADLINE, {"x": x}, "x", g)}
        for name, script in SCRIPTS.items():
            if importlib.util.find_spec(_PACKAGES[name]) is None:
                print(f"{name} is left out: {_PACKAGES[name]} not installed")
                continue
            commands[name] = [sys.executable, "-c", script, str(x), str(g)]
        expected = 12 * (3 * np.load(x) + 7) / n
        for name, command in commands.items():
            launch(command)
            error = float(np.max(np.abs(np.load(g) - expected))) / float(np.max(expected))
            if not error < 1e-5:
                print(f"{name} differs: the gradient is off by {error:.1e}")
        commands |= {"import numpy": NUMPY, "cp": ["cp", str(x), str(g)], "cp and sync": _copy_and_sync(x, g)}
        found = measure(commands, options.repeat, [g])
    rows = [[name, ratio(found.times, name), _seconds(t), _mega(found.peaks[name])] for name, t in found.times.items()]
    print_table([f"{n / 1e6:g} M float32", "time / gradcli's", "s", "peak MB"], rows)


def print_big(options: Options) -> None:
    """6 GB in and 6 GB out, and logistic regression over a matrix of 4 GB, beside copies of the same bytes."""
    elements, rows = options.size(750_000_000), options.size(25_000_000)
    needed = elements * 8 * 3
    with tempfile.TemporaryDirectory(dir=options.tmp) as folder:
        free = shutil.disk_usage(folder).free
        if free < needed:
            print(f"Left out: {needed / 1e9:.0f} GB are needed in {folder}, {free / 1e9:.0f} GB are free")
            return
        names = ("x", "X", "y", "w", "g")
        path = {name: Path(folder, f"{name}.npy") for name in names}
        write_normal(path["x"], (elements,), np.float64, lambda part: part)
        first = _beside_copy(HEADLINE, {"x": path["x"]}, "x", path["g"])
        path["x"].unlink()
        write_normal(path["X"], (rows, 20), np.float64, lambda part: part)
        write_normal(path["y"], (rows,), np.float64, np.sign)
        write_normal(path["w"], (20,), np.float64, lambda part: part / 4)
        second = _beside_copy(LOGISTIC, {name: path[name] for name in "Xyw"}, "w", path["g"])
    titles = (f"{HEADLINE}, {elements * 8 / 1e9:.1f} GB in and out", f"{LOGISTIC}, {rows * 160 / 1e9:.1f} GB in")
    header = ["float64", "gradcli, s", "gradcli / cp", "gradcli / cp and sync", "peak MB over import numpy"]
    print_table(header, [[title, *cells] for title, cells in zip(titles, (first, second), strict=True)])


def _beside_copy(expression: str, inputs: Mapping[str, Path], wrt: str, output: Path) -> list[str]:
    """The cells of a row: gradcli's time, over that of copying its largest input, over that with a sync, memory."""
    largest = max(inputs.values(), key=lambda path: path.stat().st_size)
    copy = output.with_name("copy.npy")
    commands: dict[str, Sequence[str]] = {
        "cp": ["cp", str(largest), str(copy)],
        "gradcli": gradcli_command(expression, inputs, wrt, output),
        "cp and sync": _copy_and_sync(largest, copy),
        "import numpy": NUMPY,
    }
    found = measure(commands, _BIG_ROUNDS, [output, copy])
    over = _mega(found.peaks["gradcli"] - found.peaks["import numpy"])
    ratios = [ratio(found.times, "gradcli", name) for name in ("cp", "cp and sync")]
    return [_seconds(found.times["gradcli"]), *ratios, over]


def _copy_and_sync(source: Path, target: Path) -> list[str]:
    """As gradcli does, which brings its results to the disk before it gives them their names."""
    return ["sh", "-c", 'cp "$0" "$1" && sync "$1"', str(source), str(target)]


def _seconds(values: Sequence[float]) -> str:
    return f"{min(values):.3g} / {median(values):.3g}"


def _mega(count: int) -> str:
    return f"{count / 1e6:.0f}"
