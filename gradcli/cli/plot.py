"""`gradcli plot`: an expression of one number and its derivatives, drawn."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from gradcli.cli import options
from gradcli.cli.asked import Asked
from gradcli.cli.options import CommonOptions
from gradcli.cli.output_files import refuse_read
from gradcli.cli.printing import is_colored, note, standard_output, write_text
from gradcli.errors import GradcliError, own_text, quoted
from gradcli.evaluation.input_value import InputValue, is_file, split_outside

if TYPE_CHECKING:
    from gradcli.plotting.curves import Curves
    from gradcli.plotting.terminal import Screen

HELP = """Plot EXPR and its derivative against one input.

One input holds the points, and EXPR is evaluated at each: x=-3:3 is 400 points from -3 to 3, x=-3:3:50 is 50 points.
Where the value is a vector, each of its elements is a curve.

The plot is drawn with characters in the terminal, or written to an SVG or PNG file, which needs
pip install "gradcli[plot]".

\b
Examples:
  gradcli plot 'tanh(x)' x=-3:3
  gradcli plot 'a*x**3 - x' x=-2:2 'a=[1,2,3]' --derivatives 2 -o cubics.svg
"""

# Points of a range that does not tell how many.
_POINTS = 400
_MOST_POINTS = 10_000_000
_FORMATS = {".svg": "svg", ".png": "png"}


@options.command("plot", HELP)
@options.wrt("Input to plot against [default: the one with more than one element].", "NAME")
@options.number("--derivatives", "Number of derivatives to plot, 0 to 4 [default: 1].", 0, 4, 1)
@options.output("Write to FILE.svg or FILE.png instead of the terminal.")
@options.choice("--format", ["svg", "png"], "File format [default: from the extension of FILE].", into="form")
@options.number("--width", "Width of the plot [default: that of the terminal].", 20, 1000, metavar="COLUMNS")
@options.number("--height", "Height of the plot [default: that of the terminal].", 6, 1000, metavar="ROWS")
@options.flag("--ascii", "Use ASCII characters only [default: where the terminal has no others].", "plain")
@options.json("Print the points as one JSON object on one line.")
@options.source
@options.dtype()
@options.quiet()
def plot_command(
    common: CommonOptions,
    derivatives: int,
    output: str | None,
    form: str | None,
    width: int | None,
    height: int | None,
    plain: bool,
) -> None:
    options.tell_of_engine()
    asked = Asked(common._replace(wrt=None), written=Range.written)
    wrt, ranges = common.wrt, [value.name for value in asked.values if isinstance(value, Range)]
    if wrt is None and len(ranges) == 1:
        # What is written as a range is meant as the points, whatever else has several elements.
        (wrt,) = ranges
    form = _form(output, form, common.as_json)
    refuse_read([output], asked.sources)
    from gradcli.plotting.curves import curves

    # Points of a large file are read: whoever plots them wants to see them all.
    found = curves(asked.script, asked.arrays(), wrt, derivatives)
    if form is not None:
        from gradcli.cli.signals import stopping_cleanly
        from gradcli.plotting.figure import figure, title_of
        from gradcli.storage.writing import save_document

        picture = figure(found, title_of(own_text(asked.script.source)), form)
        with stopping_cleanly():
            save_document(output or "-", picture, text=form == "svg")
    else:
        write_text(_json(found) if common.as_json else plot_of(found, width, height, plain))
    if found.note and not common.quiet:
        note(found.note)


class Range(InputValue):
    """FROM:TO or FROM:TO:COUNT, and the points that it stands for."""

    __slots__ = ()

    @classmethod
    def written(cls, name: str, value: str) -> InputValue:
        """The range, or what any other VALUE stands for."""
        parts = [] if is_file(value) else split_outside(value)
        if len(parts) not in (2, 3):
            return InputValue.written(name, value)
        start = 0
        for part in parts:
            with _as_typed(value, (_Moved(0, start, len(part)),)):
                InputValue.written(name, part)
            start += len(part) + 1
        count = parts[2] if len(parts) == 3 else str(_POINTS)
        if not re.fullmatch(r"\s*\d{1,9}\s*", count) or not 2 <= int(count) <= _MOST_POINTS:
            hint = f"for example, {name}=-3:3:200; from 2 to {_MOST_POINTS:,}"
            raise GradcliError(f"in the value of {name}: {quoted(count)} is not a number of points", hint=hint)
        return cls(name, None, value)

    def load(self, dtype: str | None) -> Any:
        """The points."""
        assert self.text is not None
        first, last, *counts = split_outside(self.text)
        front, between = "linspace((", "), ("
        made = f"{front}{first}{between}{last}), {int(counts[0]) if counts else _POINTS})"
        ends = (
            _Moved(len(front), 0, len(first)),
            _Moved(len(front) + len(first) + len(between), len(first) + 1, len(last)),
        )
        with _as_typed(self.text, ends):
            return InputValue(self.name, None, made).load(dtype)


class _Moved(NamedTuple):
    """Where a piece of a text begins, where it was typed, and how long it is."""

    begin: int
    typed: int
    length: int


@contextmanager
def _as_typed(text: str, pieces: Sequence[_Moved]) -> Iterator[None]:
    """Within this block errors point into what was typed: those in no one of the pieces to all of it."""
    try:
        yield
    except GradcliError as error:
        if error.span is not None:
            begin, end = error.span
            within = [piece for piece in pieces if piece.begin <= begin and end <= piece.begin + piece.length + 1]
            moved = [(begin - piece.begin + piece.typed, end - piece.begin + piece.typed) for piece in within]
            error.source, error.span = text, (moved or [(0, len(text))])[0]
        raise


def _form(output: str | None, form: str | None, as_json: bool) -> str | None:
    """What kind of picture is asked for; None for characters or JSON."""
    if as_json:
        if output is not None or form is not None:
            raise GradcliError("--json cannot be combined with a picture", hint="leave -o and --format out")
        return None
    if output is None or form is not None:
        return form
    return form_of(output, "name it FILE.svg or FILE.png, or give --format svg or --format png")


def form_of(path: str, hint: str) -> str:
    """The kind of picture that the end of a name tells."""
    found = _FORMATS.get(os.path.splitext(path)[1].lower())
    if found is None:
        raise GradcliError(f"{path!r} has no known extension", hint=hint)
    return found


def _json(found: Curves) -> str:
    from gradcli.render.json import to_json

    # In the dtype of the computation, which has fewer digits.
    value, *derivatives = [curve.y.astype(curve.dtype) for curve in found.curves]
    x = found.x.astype(found.dtype)
    named = {"curves": list(found.members)} if found.members else {}
    return to_json({"input": found.name, "x": x, **named, "value": value, "derivatives": derivatives})


def plot_of(found: Curves, width: int | None = None, height: int | None = None, plain: bool = False) -> str:
    """Curves in characters, as large as the terminal unless told otherwise."""
    from gradcli.plotting.terminal import plot_text

    best = screen()
    best = best._replace(width=width or best.width, height=height or best.height, plain=plain or best.plain)
    return plot_text(found, best)


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
