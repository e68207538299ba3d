"""Check with mypy and pyright that they refuse the lines of a file which end in `# error`, and no others.

The file is the first argument. gradcli is found as it is from the current folder: there, or installed.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

page = Path(sys.argv[1])


def by_mypy(page: Path) -> Iterator[tuple[int, str]]:
    options = ["--strict", "--no-error-summary", "--hide-error-context", f"--cache-dir={os.devnull}"]
    command = [sys.executable, "-m", "mypy", *options, str(page)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    for line in done.stdout.splitlines():
        found = re.match(r"(.*):(\d+): error: (.*)", line)
        if found and Path(found[1]).resolve() == page:
            yield int(found[2]), found[3]
    if done.returncode not in (0, 1):
        raise SystemExit(f"mypy fails: {done.stdout}{done.stderr}")


def by_pyright(page: Path) -> Iterator[tuple[int, str]]:
    command = [sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable, str(page)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        report = json.loads(done.stdout)
    except ValueError:
        raise SystemExit(f"pyright of the extra `lint` fails: {done.stdout}{done.stderr}") from None
    for entry in report["generalDiagnostics"]:
        if entry["severity"] == "error":
            yield entry["range"]["start"]["line"] + 1, entry["message"]


lines = page.read_text(encoding="utf-8").splitlines()
wanted = {number for number, line in enumerate(lines, 1) if line.endswith("# error")}
failed = False
for checker in (by_mypy, by_pyright):
    name = checker.__name__.removeprefix("by_")
    with TemporaryDirectory() as folder:
        # Apart from gradcli, so that where the file stands does not decide which gradcli is found.
        copy = Path(folder).resolve() / page.name
        copy.write_bytes(page.read_bytes())
        found = dict(checker(copy))
    for number in sorted(found.keys() ^ wanted):
        failed = True
        print(f"{page}:{number}: {name}: {found.get(number, 'this should be refused')}")
    print(f"{name} refuses {len(found.keys() & wanted)} of {len(wanted)} lines of {page}")
sys.exit(failed)
