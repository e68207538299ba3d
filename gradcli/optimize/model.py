"""The text of a model taken apart: what is observed, left of "=", and what is fitted to it, right of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from gradcli.errors import GradcliError, Span, Texts
from gradcli.language.instructions import Script
from gradcli.language.lalr import tables
from gradcli.language.parse import EXPRESSION, parse
from gradcli.language.tokens import tokens

_HINT = "write what is observed left of = and the model right of it, as in y = a*exp(-b*t) + c"


class Model(NamedTuple):
    """`observed = predicted`, each a script of its own; places in both are those in `source`."""

    source: str
    observed: Script
    predicted: Script
    #: Where what is observed stands, and where the model does.
    left: Span
    right: Span


def split_model(source: str) -> Model:
    """The two sides of a model; statements before the last one belong to both. GradcliError where it has no sides."""
    start, equals, compared = _last_statement(source)
    if not equals:
        hint = _HINT if compared is None else "a model has a single ="
        span = compared or _trimmed(source, start, len(source))
        raise GradcliError("the model has no =", source=source, span=span, hint=hint)
    if len(equals) > 1:
        hint = "only one equation is fitted; define other names before it, as in k = b*t; y = a*exp(-k)"
        raise GradcliError("the model has several =", source=source, span=(equals[1], equals[1] + 1), hint=hint)
    place = equals[0]
    left, right = _trimmed(source, start, place), _trimmed(source, place + 1, len(source))
    for span, what in ((left, "left"), (right, "right")):
        if span[0] == span[1]:
            raise GradcliError(f"nothing stands {what} of =", source=source, span=(place, place + 1), hint=_HINT)
    with _as_part_of(source):
        # Blanks keep every place where it is, in files that are imported as well.
        observed = parse(source[:place] + " " * (len(source) - place), EXPRESSION)
        predicted = parse(source[:start] + " " * (place + 1 - start) + source[place + 1 :], EXPRESSION)
    source = observed.source.with_first(source) if isinstance(observed.source, Texts) else source
    return Model(source, observed._replace(source=source), predicted._replace(source=source), left, right)


def _last_statement(source: str) -> tuple[int, list[int], Span | None]:
    """Where the last statement starts, the places of = in it outside of brackets, and that of an ==."""
    start, depth, begun = 0, 0, True
    equals: list[int] = []
    compared = None
    for kind, text, place in tokens(source, tables()):
        if kind in ("SEMICOLON", "NEWLINE"):
            begun = False
        elif kind != "$END":
            if not begun:
                # Another one: what came before was followed by more than blanks.
                start, begun, equals, compared = place, True, [], None
            depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(text, 0)
            if kind == "EQUAL" and not depth:
                equals.append(place)
            elif text == "==":
                compared = (place, place + 2)
    return start, equals, compared


def _trimmed(source: str, start: int, end: int) -> Span:
    text = source[start:end]
    begin = start + len(text) - len(text.lstrip())
    return begin, max(begin, start + len(text.rstrip()))


@contextmanager
def _as_part_of(source: str) -> Iterator[None]:
    """Within this block errors are about a part of this text, at the places that the part has there."""
    try:
        yield
    except GradcliError as error:
        if not isinstance(error.source, Texts):
            error.source = source
        elif not error.source.parts[0].name:
            error.source = error.source.with_first(source)
        raise
