"""A curve fit from the shell, against SciPy's curve_fit: whole processes, interleaved, and the ratio of their times.

    python benchmarks/fit.py [repetitions]

Run it with the interpreter that gradcli is installed for, on data of 200 and of 200,000 observations.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

REPETITIONS = int(sys.argv[1]) if len(sys.argv) > 1 else 11
SCRIPT = shutil.which("gradcli", path=os.path.dirname(sys.executable))
GRADCLI = [SCRIPT] if SCRIPT else [sys.executable, "-m", "gradcli"]
FIT = [*GRADCLI, "fit", "y = a*exp(-b*t) + c", "y=y.npy", "t=t.npy", "--params", "a=1,b=1,c=0"]
CURVE_FIT = """
import numpy as np
from scipy.optimize import curve_fit
params, covariance = curve_fit(
    lambda t, a, b, c: a*np.exp(-b*t) + c, np.load("t.npy"), np.load("y.npy"), p0=[1, 1, 0], method="trf"
)
print(params, np.sqrt(np.diag(covariance)), covariance)
"""
COMMANDS = {"curve_fit": [sys.executable, "-c", CURVE_FIT], "gradcli fit": FIT}


def main() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    print(f"{REPETITIONS} interleaved repetitions; seconds, and the ratio to curve_fit")
    print(f"{'observations':>12s} {'curve_fit':>10s} {'gradcli fit':>12s} {'ratio':>6s}   (medians)")
    for count in (200, 200_000):
        with tempfile.TemporaryDirectory() as folder:
            t = np.linspace(0, 4, count)
            np.save(Path(folder, "t.npy"), t)
            np.save(Path(folder, "y.npy"), 2.5 * np.exp(-1.3 * t) + np.random.default_rng(0).normal(0.5, 0.05, count))
            times: dict[str, list[float]] = {name: [] for name in COMMANDS}
            for repetition in range(REPETITIONS + 1):
                for name, command in COMMANDS.items():
                    start = time.perf_counter()
                    subprocess.run(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, check=True)
                    if repetition:
                        times[name].append(time.perf_counter() - start)
        scipy, gradcli = (sorted(values)[len(values) // 2] for values in times.values())
        print(f"{count:12,d} {scipy:10.3f} {gradcli:12.3f} {gradcli / scipy:6.2f}")


if __name__ == "__main__":
    main()
