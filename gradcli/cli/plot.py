"""`gradcli plot`: an expression of one number and its derivatives, drawn."""

from __future__ import annotations

import os
import re
import shutil
import sys
from typing import TYPE_CHECKING

import click

from gradcli.cli import options
from gradcli.cli.asked import Asked
from gradcli.cli.printing import is_colored, note, standard_output
from gradcli.errors import GradcliError, quoted
from gradcli.evaluation.input_value import InputValue, is_file, split_at_colons

if TYPE_CHECKING:
    from gradcli.plotting.curves import Curves
    from gradcli.plotting.terminal import Screen

HELP = """Plot EXPR and its derivative against one input.

The input with more than one element holds the points; in EXPR it stands for one of them at a time. x=-3:3 are 400
points from -3 to 3, x=-3:3:50 are 50 of them. A vector at each point is a family of curves.

The plot is made of characters, or is written to a file: SVG and PNG need pip install "gradcli[plot]".

\b
Examples:
  gradcli plot 'tanh(x)' x=-3:3
  gradcli plot 'a*x**3 - x' x=-2:2 'a=[1,2,3]' --derivatives 2 -o cubics.svg
  gradcli plot 'sum(w*sin(x*w))' x=0:2*pi:200 'w=[1,2,3]'
"""

# Points of a range that does not tell how many.
_POINTS = 400
_MOST_POINTS = 10_000_000
_FORMATS = {".svg": "svg", ".png": "png"}


@options.command("plot", HELP)
@click.option(
    "--wrt",
    shell_complete=options.completed("names"),
    metavar="NAME",
    help="The input to plot against [default: the one with more than one element].",
)
@click.option(
    "--derivatives", type=click.IntRange(0, 4), default=1, metavar="N", help="Derivatives to plot, 0 to 4 [default: 1]."
)
@click.option("-o", "--output", metavar="FILE", type=click.Path(), help="Write FILE.svg or FILE.png instead.")
@click.option("--format", "form", type=click.Choice(["svg", "png"]), help="[default: by the ending of FILE]")
@click.option("--width", type=click.IntRange(20, 1000), metavar="COLUMNS", help="[default: the terminal's]")
@click.option("--height", type=click.IntRange(6, 1000), metavar="ROWS", help="[default: the terminal's]")
@click.option("--ascii", "plain", is_flag=True, help="Only ASCII characters [default: where there are no others].")
@options.json("The points as one JSON object on one line.")
@options.source
@options.dtype()
@options.quiet()
def plot_command(
    items: tuple[str, ...],
    wrt: str | None,
    derivatives: int,
    output: str | None,
    form: str | None,
    width: int | None,
    height: int | None,
    plain: bool,
    as_json: bool,
    source: str | None,
    dtype: str | None,
    quiet: bool,
) -> None:
    first = 1 if source is None else 0
    ranges = {k: made for k, item in enumerate(items) if k >= first and (made := _range(item)) is not None}
    asked = Asked(tuple([ranges.get(k, item) for k, item in enumerate(items)]), source, dtype=dtype)
    if wrt is None and len(ranges) == 1:
        # What is written as a range is meant as the points, whatever else has several elements.
        (made,) = ranges.values()
        wrt = made.partition("=")[0].strip()
    form = _form(output, form, as_json)
    from gradcli.plotting.curves import curves

    # Points of a large file are read: whoever plots them wants to see them all.
    found = curves(asked.script, asked.arrays(), wrt, derivatives)
    if form is not None:
        from gradcli.cli.signals import stopping_cleanly
        from gradcli.plotting.figure import figure, title_of
        from gradcli.storage.document import save_document

        picture = figure(found, title_of(asked.script.source), form)
        with stopping_cleanly():
            save_document(output or "-", picture, text=form == "svg")
    else:
        sys.stdout.write(_json(found) if as_json else _text(found, width, height, plain))
    if found.note and not quiet:
        note(found.note)


def _range(item: str) -> str | None:
    """NAME=FROM:TO or NAME=FROM:TO:COUNT in the words of the language; None for any other item."""
    name, equals, value = item.partition("=")
    if not equals or not name.strip().isidentifier() or is_file(value):
        return None
    parts = split_at_colons(value)
    if len(parts) not in (2, 3):
        return None
    for part in parts:
        InputValue.written(name.strip(), part)
    count = parts[2] if len(parts) == 3 else str(_POINTS)
    if not re.fullmatch(r"\s*\d{1,9}\s*", count) or not 2 <= int(count) <= _MOST_POINTS:
        raise GradcliError(
            f"in the value of {name.strip()}: {quoted(count)} is no number of points",
            hint=f"as in {name.strip()}=-3:3:200; from 2 to {_MOST_POINTS:,}",
        )
    return f"{name}=linspace(({parts[0]}), ({parts[1]}), {int(count)})"


def _form(output: str | None, form: str | None, as_json: bool) -> str | None:
    """What kind of picture is asked for; None for characters or JSON."""
    if as_json:
        if output is not None or form is not None:
            raise GradcliError("--json and a picture contradict each other", hint="leave -o and --format out")
        return None
    if output is None or form is not None:
        return form
    found = _FORMATS.get(os.path.splitext(output)[1].lower())
    if found is None:
        raise GradcliError(
            f"{output!r} tells no format", hint="name it FILE.svg or FILE.png, or give --format svg or --format png"
        )
    return found


def _json(found: Curves) -> str:
    from gradcli.render.json import to_json

    # In the dtype of the computation, which has fewer digits.
    value, *derivatives = [curve.y.astype(curve.dtype) for curve in found.curves]
    x = found.x.astype(found.dtype)
    named = {"curves": list(found.members)} if found.members else {}
    return to_json({"input": found.name, "x": x, **named, "value": value, "derivatives": derivatives}) + "\n"


def _text(found: Curves, width: int | None, height: int | None, plain: bool) -> str:
    from gradcli.plotting.terminal import plot_text

    best = screen()
    chosen = best._replace(width=width or best.width, height=height or best.height, plain=plain or best.plain)
    return plot_text(found, chosen) + "\n"


def screen() -> Screen:
    """What a plot may use of standard output."""
    from gradcli.plotting.terminal import SIGNS, Screen

    stdout = standard_output()
    size = shutil.get_terminal_size((80, 24))
    try:
        SIGNS.encode(stdout.encoding)
        plain = False
    except UnicodeEncodeError:
        plain = True
    # One column less, so that no terminal wraps; one row less for the prompt.
    return Screen(max(20, size.columns - 1), max(6, size.lines - 1), is_colored(stdout), plain)
