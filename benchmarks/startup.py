"""How long the command takes to start: whole processes, interleaved, as ratios to `python -c 'import numpy'`.

    python benchmarks/startup.py [repetitions]

Run it with the interpreter that gradcli is installed for. The parser's tables are cached after the first run.
"""

import argparse
import os
import shutil
import subprocess
import sys
import time

from record import Record, add_option, summary

HEADLINE = ["eval", "mean(2*(3*x+7)**2)", "x=ones(2,2)"]
SCRIPT = shutil.which("gradcli", path=os.path.dirname(sys.executable))
GRADCLI = [SCRIPT] if SCRIPT else [sys.executable, "-m", "gradcli"]
COMMANDS = {
    "import numpy": [sys.executable, "-c", "import numpy"],
    "bare python": [sys.executable, "-c", "pass"],
    "eval, the headline example": [*GRADCLI, *HEADLINE],
    "eval, as JSON": [*GRADCLI, *HEADLINE, "--json"],
    "eval, a syntax error": [*GRADCLI, "eval", "mean(2*("],
    "--help": [*GRADCLI, "--help"],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repetitions", nargs="?", type=int, default=21)
    add_option(parser)
    given = parser.parse_args()
    # An installation has bytecode; a checkout writes it in the first round unless told not to.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for repetition in range(given.repetitions + 1):
        for name, command in COMMANDS.items():
            start = time.perf_counter()
            subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
            if repetition:
                times[name].append(time.perf_counter() - start)
    record = Record(given.json)
    record.add({name: summary(values) for name, values in times.items()})
    base = sorted(times["import numpy"])
    print(f"{given.repetitions} interleaved repetitions; time over that of `import numpy`")
    print(f"{'':30s} {'minimum':>8s} {'median':>8s}")
    for name, values in times.items():
        values.sort()
        middle = len(values) // 2
        print(f"{name:30s} {values[0] / base[0]:8.2f} {values[middle] / base[middle]:8.2f}")


if __name__ == "__main__":
    main()
