"""The parts of a page on runs: the minimum, the course of its value, a table of items."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from gradcli.errors import counted, escaped, shortened
from gradcli.optimize.course import Course
from gradcli.reporting.charts import curve_picture, histogram
from gradcli.reporting.distribution import distribution
from gradcli.reporting.markup import Markup, element, joined
from gradcli.reporting.run_records import RunRecords, number, tensor
from gradcli.reporting.tensors import NARROW, Printer, table

# Rows of the table of items; those that failed come first where there are more.
_MOST_ITEMS = 1000
_LONGEST_CELL = 200


def run_sections(found: RunRecords, precision: int) -> list[tuple[str, str, Markup]]:
    """The parts that there is something to tell of: what each is called in links, its title and its content."""
    printer = Printer(precision)
    parts = []
    if found.minima:
        parts.append(("minimum", "Minimum", joined(*(_minimum(one, printer) for one in found.minima))))
    if found.courses:
        several = len(found.courses) > 1
        courses = [_course(course, name if several else "") for name, course in found.courses]
        parts.append(("course", "Course", joined(*courses)))
    if found.items:
        parts.append(("items", "Items", _items(found.items)))
    return parts


def _minimum(record: dict[str, Any], printer: Printer) -> Markup:
    dtype = record.get("dtype")
    grads = record.get("grads")
    cards = [_card("value", record["value"], dtype, printer, first=True)]
    for name, value in record["parameters"].items():
        cards.append(_card(name, value, dtype, printer))
        if isinstance(grads, dict) and name in grads:
            cards.append(_card(f"{name}.grad", grads[name], dtype, printer))
    return joined(element("p", _ending(record), class_="note"), element("div", *cards, class_="cards"))


def _ending(record: dict[str, Any]) -> str:
    """How a run ended, in a sentence."""
    verb = "converged" if record.get("converged") is True else "did not converge"
    words = f"{_cell(record.get('method'))} {verb} after {_cell(record.get('steps'))} steps"
    words += f" and {_cell(record.get('evaluations'))} evaluations"
    reason = record.get("reason")
    return f"{words}: {_cell(reason)}." if reason else f"{words}."


def _card(name: str, value: Any, dtype: Any, printer: Printer, first: bool = False) -> Markup:
    array = tensor(value, dtype)
    if array is None:
        return element("article", element("h3", name), element("pre", _cell(value)), class_="card")
    spread = distribution(array)
    shown = [histogram(spread, name), element("p", str(spread), class_="spread")] if array.size > 1 else []
    printed = printer.tensor(array, columns=NARROW)
    return element("article", element("h3", name), printed, *shown, class_="card first" if first else "card")


def _course(course: Course, name: str) -> Markup:
    """The value and the gradient from step to step."""
    title = element("h3", escaped(name)) if name else None
    curves = course.curves()
    if curves is None:
        return joined(title, element("p", "There is only one step, and nothing to plot.", class_="note"))
    many, values = len(course.steps), course.values
    broken = int(np.count_nonzero(~np.isfinite(np.array(values))))
    said = [f"{counted(many, 'step')}; the value goes from {values[0]:.6g} to {values[-1]:.6g}"]
    said += [f"it is not finite at {counted(broken, 'step')}"] if broken else []
    if broken == many:
        said = [f"{counted(many, 'step')}; the value is finite at none of them"]
    pictures = [joined(element("h3", one.title), curve_picture(one, curves.x)) for one in curves.curves]
    return joined(title, element("p", f"{', '.join(said)}.", class_="bad" if broken else None), *pictures)


def _items(items: list[dict[str, Any]]) -> Markup:
    failed = [item for item in items if "error" in item]
    values = [number(item.get("value")) for item in items]
    known = np.array([value for value in values if value is not None])
    told = counted(len(items), "item") + (f", {len(failed):,} failed" if failed else "")
    shown = items if len(items) <= _MOST_ITEMS else [*failed, *(item for item in items if "error" not in item)]
    shown = shown[:_MOST_ITEMS]
    if len(shown) < len(items):
        told += f"; the table has {len(shown):,} of them, those that failed first"
    spread = distribution(known)
    picture = (
        (histogram(spread, "values"), element("p", f"Values: {spread}", class_="spread")) if known.size > 1 else ()
    )
    heads = ("item", "value", "dtype", "shapes", "seconds")
    return joined(
        element("p", f"{told}.", class_="bad" if failed else None),
        *picture,
        table(heads, [_row(item) for item in shown], [_is_bad(item) for item in shown]),
    )


def _row(item: dict[str, Any]) -> tuple[str, ...]:
    error = item.get("error")
    value = number(item.get("value"))
    if "error" in item:
        shown = _cell(error.get("message") if isinstance(error, dict) else error)
    else:
        shown = _cell(item.get("value")) if value is None else f"{value:.6g}"
    shapes = item.get("shapes")
    forms = ", ".join(f"{name} {shape}" for name, shape in shapes.items()) if isinstance(shapes, dict) else ""
    return _cell(item["item"]), shown, _cell(item.get("dtype")), _cell(forms), _cell(item.get("seconds"))


def _is_bad(item: dict[str, Any]) -> bool:
    value = number(item.get("value"))
    return "error" in item or (value is not None and not math.isfinite(value))


def _cell(value: Any) -> str:
    return "" if value is None else shortened(escaped(str(value)), _LONGEST_CELL)
