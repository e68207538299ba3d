"""What is measured beside the engine's cases: operations, random expressions, loops, streams, batches, the start."""

from __future__ import annotations

import statistics
from typing import NamedTuple

from charts import Bar, bars, curve, dots
from measured_engine import LEVEL, by_panel
from measurements import Document, Row, listed, milliseconds, plain, ratio, table, wrapped

#: Colours of bars.
OWN, OTHER = 0, 1
#: By how much somebody has to be faster to be ahead.
_MORE = f"{LEVEL - 1:.0%}"
#: Contenders that compute nothing.
_BARE = {"json", "orjson", "cp", "cp and sync"}
#: One library that two benchmarks name differently.
_SAME = {"torch eager": "PyTorch", "autograd": "HIPS autograd"}
#: What of a random expression counts as slower than NumPy.
_BOUNDS = (0.8, 0.95, 1.0)


def operation(row: Row) -> str:
    return f"{row['operation']}, {row['size']}"


def operations_plot(document: Document) -> str:
    names = {"value": "value", "gradients": "with all gradients"}
    found = {
        (row["dtype"], operation(row), names[row["what"]]): value
        for row in document.rows
        if (value := ratio(row, "PyTorch", "gradcli")) is not None
    }
    return dots(
        "Operations one by one: PyTorch's time over that of gradcli",
        "times as long, best rounds",
        list(dict.fromkeys(operation(row) for row in document.rows)),
        {"value": 0, "with all gradients": 3},
        by_panel(found),
        {1: "as fast"},
    )


def operations_table(document: Document) -> str:
    cells: dict[tuple[str, str], dict[str, list[str]]] = {}
    for row in document.rows:
        value = ratio(row, "PyTorch", "gradcli")
        shown = cells.setdefault((row["operation"], row["size"]), {"value": [], "gradients": []})
        shown[row["what"]].append("–" if value is None else f"{value:.2f}")
    rows = [[*key, *(" / ".join(shown[what]) for what in ("value", "gradients"))] for key, shown in cells.items()]
    header = ["operation", "size", "value, float32 / float64", "with gradients, float32 / float64"]
    return table(header, rows, left=2)


def operations_ahead(document: Document) -> str:
    """Where PyTorch is ahead, the furthest first."""
    found = [(row, value) for row in document.rows if (value := ratio(row, "PyTorch", "gradcli")) is not None]
    ahead = sum(value > LEVEL for _, value in found)
    slower: dict[str, list[float]] = {}
    for row, value in found:
        if value < 1 / LEVEL:
            slower.setdefault(operation(row), []).append(value)
    summary = (
        f"In {len(found)} comparisons of values and gradients in both dtypes, gradcli is ahead in {ahead} and PyTorch "
        f"in {sum(map(len, slower.values()))}; the others are within {LEVEL - 1:.0%}. Where PyTorch is ahead, its time "
        "divided by that of gradcli is:"
    )
    lines = [wrapped(summary), ""]
    for name, values in sorted(slower.items(), key=lambda item: min(item[1])):
        shown = " to ".join(dict.fromkeys(f"{value:.2f}" for value in (min(values), max(values))))
        lines.append(f"- {name}: {shown}")
    return "\n".join(lines if slower else [*lines, "- none"])


def operations_in_short(document: Document) -> str:
    found = [value for row in document.rows if (value := ratio(row, "PyTorch", "gradcli")) is not None]
    slower = sum(value < 1 / LEVEL for value in found)
    return f"One operation alone: PyTorch is more than {_MORE} ahead in {slower} of {len(found)} comparisons."


def random_ratios(document: Document) -> list[float]:
    """NumPy's time over that of native code, by medians, where anything is native."""
    found = [ratio(row, "NumPy", "native", "median") for row in document.rows]
    return [value for value in found if value is not None]


def random_in_short(document: Document) -> str:
    found = random_ratios(document)
    return (
        f"Native code compared with NumPy's blocks: {statistics.median(found):.2f} times as fast (median of "
        f"{len(found)} random expressions), more than {_MORE} slower in {sum(value < 1 / LEVEL for value in found)} "
        "of them."
    )


def random_plot(document: Document) -> str:
    return curve(
        "Random expressions: time of NumPy's blocks divided by that of native code, in ascending order",
        "times as long",
        "share of the expressions",
        random_ratios(document),
        {1: "as fast"},
    )


def random_said(document: Document) -> str:
    found = sorted(random_ratios(document))
    slower = ", ".join(f"{sum(v < bound for v in found) / len(found):.1%} are below {bound}" for bound in _BOUNDS)
    compiled = statistics.median(row["first"] for row in document.rows if row["measured"])
    worst = [row for row in document.rows if row["measured"]]
    worst.sort(key=lambda row: ratio(row, "NumPy", "native", "median") or 0)
    summary = (
        f"Of {len(document.rows)} expressions, {len(found)} have native steps. Of their ratios, {slower}; the median "
        f"is {statistics.median(found):.2f}, the geometric mean {statistics.geometric_mean(found):.2f}. The median "
        f"time of the first native call, including compilation, is {plain(compiled * 1e3)} ms. The lowest ratios:"
    )
    lines = [wrapped(summary), ""]
    for row in worst[:3]:
        value = ratio(row, "NumPy", "native", "median")
        lines.append(f"- {value:.2f}: `{row['case']}`")
    return "\n".join(lines)


def loops_plot(document: Document) -> str:
    series = {"warm": "gradcli", "first run, compiling included": "gradcli, first run"}
    found = {
        ("", loop(row), shown): value
        for row in document.rows
        for shown, name in series.items()
        if (value := ratio(row, "PyTorch", name)) is not None
    }
    rows = [loop(row) for row in document.rows]
    title = "Loops with all gradients: PyTorch's time divided by that of gradcli"
    kinds = {name: 3 * k for k, name in enumerate(series)}
    return dots(title, "times as long", rows, kinds, by_panel(found), {1: "as fast"})


def loop(row: Row) -> str:
    return f"{row['turns']:,} × {row['loop']}"


def loops_in_short(document: Document) -> str:
    most = max(row["turns"] for row in document.rows)
    long = [value for row in document.rows if row["turns"] == most and (value := ratio(row, "PyTorch", "gradcli"))]
    first = [loop(row) for row in document.rows if (ratio(row, "PyTorch", "gradcli, first run") or 1) < 1 / LEVEL]
    ahead = f"It is ahead of a first run, including planning, in {listed(first)}."
    return (
        f"Loops of {most:,} iterations: PyTorch takes {plain(min(long))} to {plain(max(long))} times as long."
        f"{f' {ahead}' if first else ''}"
    )


def loops_table(document: Document) -> str:
    rows = []
    for row in document.rows:
        found = {name: one["min"] for name, one in row["measured"].items()}
        times = [f"{plain(found[name] * 1e3)} ms" for name in ("planning", "gradcli, first run", "gradcli")]
        turn = f"{plain(found['gradcli'] / row['turns'] * 1e6)} µs"
        faster = [plain(found["PyTorch"] / found[name]) for name in ("gradcli, first run", "gradcli")]
        theirs = f"{plain(found['PyTorch'] * 1e3)} ms"
        rows.append([row["loop"], f"{row['turns']:,}", *times, turn, f"{row['kept']} B", theirs, " / ".join(faster)])
    header = [
        "",
        "iterations",
        "plan",
        "first run",
        "again",
        "per iteration",
        "kept",
        "PyTorch",
        "ratio, first / again",
    ]
    return table(header, rows)


class Rates(NamedTuple):
    """Best rates of some contenders: an expression or what goes through, and what is counted."""

    what: str
    unit: str
    found: list[tuple[str, float]]


def rates(stream: Document, batch: Document) -> list[Rates]:
    """Of each expression of the streams, and of small and large files."""
    found = []
    for row in stream.rows:
        best = [(name, one["max"]) for name, one in row["measured"].items()]
        found.append(Rates(row["expression"], "records per second, 4 numbers each", best))
    for row in batch.rows:
        best = [(name, row["files"] / one["min"]) for name, one in row["measured"].items()]
        found.append(Rates(row["title"], "files per second", best))
    return found


def rates_in_short(stream: Document, batch: Document) -> str:
    """A table of the best rate of gradcli over that of each of the others."""
    found, bare = {}, set()
    for group in rates(stream, batch):
        own = max(rate for name, rate in group.found if name.startswith("gradcli"))
        theirs = {_SAME.get(name, name): own / rate for name, rate in group.found if not name.startswith("gradcli")}
        found[f"`{group.what}`" if "(" in group.what else group.what] = theirs
        bare |= theirs.keys() & _BARE
    names = list(dict.fromkeys(name for theirs in found.values() for name in theirs))
    rows = [
        [what, *(plain(theirs[name]) if name in theirs else "–" for name in names)] for what, theirs in found.items()
    ]
    without = f" {listed(sorted(bare))} only read and write and compute nothing." if bare else ""
    said = (
        f"Streams and batches: the best rate of gradcli divided by that of others; above 1, gradcli is ahead.{without}"
    )
    return f"{wrapped(said)}\n\n{table(['', *names], rows)}"


def rates_plot(stream: Document, batch: Document) -> str:
    found = []
    for group in rates(stream, batch):
        found.append(Bar(f"{group.what}, {group.unit}"))
        found += [Bar(name, rate, OWN if name.startswith("gradcli") else OTHER) for name, rate in group.found]
    title = "Streams and batches: throughput of the best rounds"
    return bars(title, found, rounded, {"gradcli": OWN, "others": OTHER})


def rates_table(stream: Document, batch: Document) -> str:
    """A table for each."""
    parts = []
    for group in rates(stream, batch):
        cells = [[name, rounded(rate)] for name, rate in group.found]
        parts.append(table([f"`{group.what}`" if "(" in group.what else group.what, group.unit], cells))
    return "\n\n".join(parts)


def rounded(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 100 else plain(rate)


def startup_plot(document: Document) -> str:
    (row,) = document.rows
    found = [Bar("milliseconds of a whole process, best rounds")]
    for name, one in row["measured"].items():
        kind = OTHER if name in ("import numpy", "bare python") else OWN
        found.append(Bar(name, one["min"] * 1e3, kind))
    return bars("Start-up", found, plain, {"gradcli": OWN, "Python": OTHER})


def startup_in_short(document: Document) -> str:
    (row,) = document.rows
    name = next(name for name in row["measured"] if name.startswith("eval"))
    return f"Start-up: `gradcli eval` takes {ratio(row, name, 'import numpy'):.2f} times as long as `import numpy`."


def startup_table(document: Document) -> str:
    (row,) = document.rows
    base = row["measured"]["import numpy"]
    rows = []
    for name, one in row["measured"].items():
        both = [f"{one[which] / base[which]:.2f}" for which in ("min", "median")]
        rows.append([name, milliseconds(one), " / ".join(both)])
    return table(["process", "ms", "over `import numpy`"], rows)
