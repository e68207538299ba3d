"""What a benchmark measures, as JSON: where, when and with which versions, and a row as soon as it is there.

`docs/performance.py` makes tables and plots of these files. A file is replaced as a whole with each row, so one that
was cut short holds all that was measured until then.

    {"benchmark": …, "command": …, "started": …, "ended": …, "machine": {…}, "versions": {…}, "rows": [{…}, …]}

Where it is known how many rows a whole run has, `wanted` says so.

A row says what it is about in words of its benchmark. What was measured stands in `measured`, by contender: `min` and
`median` of so many `rounds` in seconds, or `max` and `median` of a rate; who could not take part, in `failed`.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

_PACKAGES = ("gradcli", "numpy", "scipy", "llvmlite", "torch", "jax", "autograd", "orjson")
# What changes a measurement without being in its command.
_VARIABLES = ("GLIBC_TUNABLES", "GRADCLI_ENGINE", "GRADCLI_THREADS", "OMP_NUM_THREADS", "OPENBLAS_CORETYPE")


def add_option(parser: argparse.ArgumentParser) -> None:
    """The option that every benchmark has."""
    parser.add_argument("--json", metavar="FILE", help="write what is measured to a file as well")


class Record:
    """A file that grows row by row, to so many; with no path, nothing."""

    def __init__(self, path: str | None, rows: int | None = None) -> None:
        self._path = None if path is None else Path(path)
        if path is None:
            return
        self._document: dict[str, Any] = {
            "benchmark": Path(sys.argv[0]).stem,
            "command": _command(),
            "started": _now(),
            "ended": _now(),
            "machine": machine(),
            "versions": versions(),
            "environment": {name: os.environ[name] for name in _VARIABLES if name in os.environ},
            **({} if rows is None else {"wanted": rows}),
            "rows": [],
        }
        self._write()

    def add(self, measured: Mapping[str, Any], **about: Any) -> None:
        """A row: what it is about, and what was measured of each contender."""
        if self._path is None:
            return
        self._document["rows"].append({**about, "measured": dict(measured)})
        self._document["ended"] = _now()
        self._document["machine"]["load at the end"] = _load()
        self._write()

    def _write(self) -> None:
        assert self._path is not None
        beside = self._path.with_name(f"{self._path.name}.part")
        head = {name: value for name, value in self._document.items() if name != "rows"}
        # A row a line, so that two files can be compared.
        lines = ",\n".join(f"  {json.dumps(row, ensure_ascii=False)}" for row in self._document["rows"])
        text = json.dumps(head, ensure_ascii=False, indent=1)[:-2]
        beside.write_text(f'{text},\n "rows": [\n{lines}\n ]\n}}\n', encoding="utf-8")
        beside.replace(self._path)


def summary(values: Sequence[float]) -> dict[str, float]:
    """Least and median of some rounds, with as many digits as mean anything."""
    ordered = sorted(values)
    rounded = [float(f"{value:.4g}") for value in (ordered[0], ordered[len(ordered) // 2])]
    return {"min": rounded[0], "median": rounded[1], "rounds": len(ordered)}


def machine() -> dict[str, Any]:
    """What is measured on."""
    pages, size = (os.sysconf(name) for name in ("SC_PHYS_PAGES", "SC_PAGE_SIZE"))
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory in GB": round(pages * size / 1e9),
        "system": f"{platform.system()} {platform.machine()}",
        "load at the start": _load(),
        "load at the end": _load(),
    }


def versions() -> dict[str, str]:
    """Of Python and of what is installed."""
    found = {"Python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    here = Path(__file__).resolve().parent
    words = ["git", "-C", str(here), "rev-parse", "--short", "HEAD"]
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False)
    except OSError:
        return found
    return {**found, "commit": done.stdout.strip()} if done.returncode == 0 else found


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _load() -> float:
    """How many processes wanted a processor in the last minute, ours included."""
    return round(os.getloadavg()[0], 1)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")


def _command() -> str:
    """The command line as one would type it, without where the result goes."""
    words = sys.argv[1:]
    kept = [w for k, w in enumerate(words) if not w.startswith("--json") and (k == 0 or words[k - 1] != "--json")]
    return " ".join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *kept])
