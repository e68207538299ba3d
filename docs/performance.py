"""Tables, plots and sentences of the pages of figures, from what the benchmarks have measured.

`python docs/performance.py` writes them, `python docs/performance.py --check` exits with 1 where page and measurement
differ. `python benchmarks/all.py` measures anew, into docs/measured/*.json.

In a page a block stands between two marks, `<!-- measured: NAME -->` and `<!-- end -->`. No number in one is written by
hand, nor who is ahead.
"""

from __future__ import annotations

import argparse
import re
import statistics
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import measured_engine as engine
import measured_rest as rest
from measurements import Document, documents, listed, wrapped

DOCS = Path(__file__).resolve().parent
MEASURED = DOCS / "measured"
PAGES = ("performance.md", "figures.md", "../README.md")
MODES = {"engine": "as installed", "engine-hugepages": "with huge pages for everyone"}
#: Processes that wanted a processor before the start: with fewer, the machine was quiet.
_QUIET = 1.5
_MARKS = re.compile(r"(<!-- measured: ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
_NAMES = {
    "Python": "Python",
    "numpy": "NumPy",
    "llvmlite": "llvmlite",
    "torch": "PyTorch",
    "jax": "jax",
    "autograd": "HIPS autograd",
}


def main() -> int:
    """Write what is made of the measurements or compare it; the number of the exit code."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--check", action="store_true", help="compare only; exit with 1 on a difference")
    check: bool = options.parse_args().check
    stale = []
    for path, text in made(documents(MEASURED)):
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(path.name)
        if not check:
            path.write_text(text, encoding="utf-8")
    if check and stale:
        print(f"out of date: {', '.join(stale)}; run `python docs/performance.py`", file=sys.stderr)
    return 1 if check and stale else 0


def made(found: Mapping[str, Document]) -> Iterator[tuple[Path, str]]:
    """All files that are made: where they are, and their text."""
    for name, picture in pictures(found).items():
        yield MEASURED / f"{name}.svg", picture
    texts = blocks(found)
    for name in PAGES:
        page = (DOCS / name).resolve()
        old = page.read_text(encoding="utf-8")
        yield (
            page,
            _MARKS.sub(lambda match: match[1] + (f"\n{text}\n\n" if (text := texts[match[2]]) else "") + match[3], old),
        )


def pictures(found: Mapping[str, Document]) -> dict[str, str]:
    """The plots."""
    return {
        **{name: engine.peers_plot(found[name], mode) for name, mode in MODES.items()},
        "memcpy": engine.memcpy_plot(found["engine"]),
        "operations": rest.operations_plot(found["operations"]),
        "random": rest.random_plot(found["random"]),
        "loops": rest.loops_plot(found["loops"]),
        "rates": rest.rates_plot(found["stream"], found["batch"]),
        "startup": rest.startup_plot(found["startup"]),
    }


def blocks(found: Mapping[str, Document]) -> dict[str, str]:
    """What stands between the marks of the pages."""
    texts = {
        "in-short": in_short(found),
        "machine": machine(found),
        "cases": engine.cases_table(found["engine"]),
        "brief": busy(found),
        "distance": engine.distance(found["engine"]),
        "operations": rest.operations_table(found["operations"]),
        "operations-ahead": rest.operations_ahead(found["operations"]),
        "random": rest.random_said(found["random"]),
        "loops": rest.loops_table(found["loops"]),
        "rates": rest.rates_table(found["stream"], found["batch"]),
        "startup": rest.startup_table(found["startup"]),
    }
    others = ("hand-blocked", "op by op", *engine.LIBRARIES)
    for name, mode in MODES.items():
        texts[f"{name}-standing"] = engine.standing(found[name], mode)
        texts[name] = engine.engine_table(found[name], "gradcli", ("new memory", "blocks of NumPy", *engine.LIBRARIES))
        texts[f"{name}-numpy"] = engine.engine_table(found[name], "blocks of NumPy", others)
    return texts


def in_short(found: Mapping[str, Document]) -> str:
    """A line for each of what was measured."""
    lines = (
        *(engine.in_short(found[name], mode) for name, mode in MODES.items()),
        rest.random_in_short(found["random"]),
        rest.operations_in_short(found["operations"]),
        rest.loops_in_short(found["loops"]),
        rest.startup_in_short(found["startup"]),
    )
    said = "\n".join(wrapped(line, "- ") for line in lines)
    return f"{said}\n\n{rest.rates_in_short(found['stream'], found['batch'])}"


def machine(found: Mapping[str, Document]) -> str:
    """The machine, the versions, and how much it was disturbed."""
    heads = [document.head for document in found.values()]
    first, last = min(head["started"] for head in heads), max(head["ended"] for head in heads)
    where, installed = found["engine"].head["machine"], found["engine"].head["versions"]
    versions = ", ".join(f"{shown} {installed[name]}" for name, shown in _NAMES.items() if name in installed)
    load = max(head["machine"][f"load at the {end}"] for head in heads for end in ("start", "end"))
    own = {f"{row['case']} {row['dtype']}": row["measured"]["gradcli"] for row in found["engine"].rows}
    apart = {name: one["median"] / one["min"] - 1 for name, one in own.items()}
    most = max(apart, key=lambda name: apart[name])
    lines = (
        f"From {first} to {last}, first to last measurement.",
        f"{where['processor']}, {where['cores']} cores, {where['memory in GB']} GB, {where['system']}.",
        f"{versions}.",
        f"Up to {load:g} processes and threads, including these, competed for the {where['cores']} cores. The median "
        f"round of gradcli took {statistics.median(apart.values()):.0%} longer than its best one in the median case, "
        f"and {apart[most]:.0%} longer in {most}, where they differ most. Another run gives other figures.",
    )
    if load > 2 * where["cores"]:
        lines += (
            "So the machine was not quiet, and this does not affect all libraries equally: threads that wait for each "
            "other after each step, as PyTorch's do, lose more.",
        )
    missing = [
        f"{wanted - len(document.rows)} of {wanted} rows of {f'the cases {MODES[name]}' if name in MODES else name}"
        for name, document in found.items()
        if (wanted := document.head.get("wanted", 0)) > len(document.rows)
    ]
    if missing:
        lines += (f"Not reached within the time limit: {listed(missing)}.",)
    return "\n".join(wrapped(line, "- ") for line in lines)


def busy(found: Mapping[str, Document]) -> str:
    """Whether the plot of the cases is of a machine that did other work; nothing when it was quiet."""
    where = found["engine"].head["machine"]
    load = where["load at the start"]
    if load < _QUIET:
        return ""
    return wrapped(
        f"It was measured on a busy machine: before the start, {load:g} processes and threads competed for the "
        f"{where['cores']} cores."
    )


if __name__ == "__main__":
    sys.exit(main())
