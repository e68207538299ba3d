"""The engine beside the libraries: value and all gradients of the cases of `benchmarks/engine.py`."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

from charts import dots
from measurements import Document, Row, listed, milliseconds, plain, ratio, ratios, short, size, table, wrapped

#: The libraries in the order of the tables, with their colours.
LIBRARIES = {"torch eager": 1, "torch.compile": 2, "jax.jit": 3, "HIPS autograd": 4}
#: Nobody is ahead by less than this.
LEVEL = 1.1
GOAL = 1.5
#: What the plots call the cases.
NAMES = {
    "(a)": "mean of squares",
    "(b)": "sigmoid times tanh",
    "(c)": "logistic regression",
    "(d)": "cross entropy",
    "(e)": "sum of shares",
    "(f)": "standardized columns",
    "(g)": "where of two branches",
    "(h)": "distances to a point",
    "(i)": "variance and deviation",
    "(j)": "network of two layers",
    "(k)": "gelu",
    "(l)": "layer norm",
    "(m)": "softmax attention",
    "(n)": "Huber loss",
    "(o)": "chain of 200 operations",
    "(p)": "mixture of Gaussians",
}
_BELOW = " Below 1, a case reads more than it writes, or the copy was disturbed more."


def cases_table(document: Document) -> str:
    """What the letters mean."""
    seen: dict[str, list[str]] = {}
    for row in document.rows:
        shapes = ", ".join(f"{name} {size(shape)}" for name, shape in row["inputs"].items())
        seen.setdefault(row["case"], [label(row), f"`{short(row['expression'])}`", shapes, ", ".join(row["wrt"])])
    return table(["case", "expression", "inputs", "gradients of"], sorted(seen.values()), left=4)


def peers_plot(document: Document, mode: str) -> str:
    """A mark for each library, by the best rounds."""
    found = {
        (row["dtype"], label(row), name): value
        for row in document.rows
        for name in LIBRARIES
        if (value := ratio(row, name, "gradcli")) is not None
    }
    return dots(
        f"Time of others divided by that of gradcli, {mode}: right of 1, gradcli is ahead",
        "times as long",
        sorted({label(row) for row in document.rows}),
        LIBRARIES,
        by_panel(found),
        {1: "as fast", GOAL: "1.5 times as long"},
    )


def memcpy_plot(document: Document) -> str:
    """How far each case is from copying as much memory."""
    found = {
        ("best rounds", label(row), row["dtype"]): value
        for row in document.rows
        if (value := ratio(row, "gradcli", "memcpy")) is not None
    }
    rows = sorted({label(row) for row in document.rows})
    title = "Time of gradcli over that of copying as many bytes as inputs and gradients have"
    return dots(title, "times as long", rows, {"float32": 0, "float64": 1}, by_panel(found), {1: "a copy"})


def label(row: Row) -> str:
    return f"{row['case']} {NAMES.get(row['case'], short(row['expression']))}"


def by_panel(found: Mapping[tuple[str, str, str], float]) -> dict[str, dict[tuple[str, str], float]]:
    """The numbers of each panel."""
    panels: dict[str, dict[tuple[str, str], float]] = {}
    for (panel, row, name), value in found.items():
        panels.setdefault(panel, {})[row, name] = value
    return panels


def engine_table(document: Document, base: str, others: Sequence[str]) -> str:
    """Times of `base` and how many times as long the others take, by the best rounds and by the median ones."""
    rows = [row for row in document.rows if base in row["measured"]]
    others = [name for name in others if any(name in row["measured"] for row in rows)]
    header = ["", "dtype", f"{base}, ms", "over memcpy", *others]
    cells = [
        [
            row["case"],
            row["dtype"],
            milliseconds(row["measured"][base]),
            ratios(row, base, "memcpy"),
            *(ratios(row, name, base) for name in others),
        ]
        for row in rows
    ]
    return table(header, cells, left=2)


def in_short(document: Document, mode: str) -> str:
    """The fastest of the others in one line."""
    best = best_of_others(document)
    ahead = sum(value < 1 / LEVEL for value in best)
    return (
        f"Value and all gradients of large arrays, {mode}: the fastest of the others takes {min(best):.2f} to "
        f"{max(best):.2f} times as long, with a median of {statistics.median(best):.2f}; it is ahead in {ahead} of "
        f"{len(best)} comparisons."
    )


def best_of_others(document: Document) -> list[float]:
    """Of each row the time of the fastest library over that of gradcli."""
    return [min(found.values()) for row in document.rows if (found := others(row))]


def standing(document: Document, mode: str) -> str:
    """Who is ahead where, and who is level: by the best rounds, with the median ones beside them."""
    best = best_of_others(document)
    reached = sum(value >= GOAL for value in best)
    ahead = sum(value < 1 / LEVEL for value in best)
    first = (
        f"{mode[0].upper()}{mode[1:]}, the fastest of the others takes {statistics.median(best):.2f} times as long as "
        f"gradcli (median of {len(best)} comparisons). It takes at least {GOAL} times as long in {reached} of them and "
        f"is ahead of gradcli in {ahead}."
    )
    lines = [wrapped(first), ""]
    for name in LIBRARIES:
        found = sorted(
            (value, k) for k, row in enumerate(document.rows) if (value := others(row).get(name)) is not None
        )
        places = {
            "ahead of gradcli in": [k for value, k in found if value < 1 / LEVEL],
            "level in": [k for value, k in found if 1 / LEVEL <= value <= LEVEL],
        }
        said = [f"{word} {told(document, name, rows)}" for word, rows in places.items() if rows]
        lines.append(wrapped(f"{name}: {'; '.join(said) or 'never ahead, never level'}.", "- "))
    absent = sorted({(name, row["case"], why) for row in document.rows for name, why in row["failed"].items()})
    if absent:
        lines.append(wrapped(f"Left out: {'; '.join(f'{name} in {case}, {why}' for name, case, why in absent)}.", "- "))
    return "\n".join(lines)


def others(row: Row) -> dict[str, float]:
    """The times of the libraries over that of gradcli."""
    return {name: value for name in LIBRARIES if (value := ratio(row, name, "gradcli")) is not None}


def told(document: Document, name: str, places: Sequence[int]) -> str:
    """Cases, with the time of a library over that of gradcli."""
    rows = [document.rows[k] for k in places]
    return listed([f"{row['case']} {row['dtype']} ({ratios(row, name, 'gradcli')})" for row in rows])


def distance(document: Document) -> str:
    """How far from a copy of memory."""
    found = {
        f"{row['case']} {row['dtype']}": value
        for row in document.rows
        if (value := ratio(row, "gradcli", "memcpy")) is not None
    }
    near = [name for name, value in found.items() if value <= GOAL]
    first = ", ".join(f"{plain(value)} in {name}" for name, value in found.items() if name.startswith("(a)"))
    below = any(value < 1 for value in found.values())
    new = [
        f"{plain(value)} in {row['case']} {row['dtype']}"
        for row in document.rows
        if row["case"] == "(a)" and (value := ratio(row, "new memory", "memcpy")) is not None
    ]
    far = max(found, key=lambda name: found[name])
    return wrapped(
        f"The time divided by that of a copy is {first}; the largest is {plain(found[far])} in {far}. It is at most "
        f"{GOAL} in {len(near)} of {len(found)} cases. The copy takes its turn in each round, reads one half of the "
        "bytes and writes the other, into memory that has been written before, and its best round counts."
        f"{_BELOW if below else ''}{f' In new memory it is {listed(new)}.' if new else ''}"
    )
