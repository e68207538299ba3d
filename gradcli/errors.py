"""The one exception of gradcli, and how it is shown: a line, the place with carets, a hint."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate
from typing import NamedTuple

Span = tuple[int, int]

# A caret line longer than this is unreadable on any terminal: only a window around the place is shown.
_WINDOW = 100
# What a message quotes from the input may be a megabyte long; its beginning and end tell enough.
_LONGEST = 400
_LONGEST_QUOTED = 60
# Of names up to this length one is a slip of another if it is one slip away, of longer ones by how much they are alike.
_SHORT, _LIKE = 6, 0.7


class Place(tuple[int, int]):
    """A span that knows its text, for what was written before the text at hand."""

    source: str

    def __new__(cls, span: Span, source: str) -> Place:
        place = super().__new__(cls, span)
        place.source = source
        return place


class TextPart(NamedTuple):
    """One of several texts in one: where it starts, the name of its file (an expression has none), and which of the
    parts each of its imports means."""

    start: int
    name: str
    imports: tuple[int, ...] = ()


class Texts(str):
    """A text and those of the files that it imports, one behind the other: a place in it is a place in one of them."""

    parts: tuple[TextPart, ...]

    @classmethod
    def of(cls, texts: Sequence[str], names: Sequence[str], imports: Sequence[tuple[int, ...]]) -> Texts:
        """The texts together; the first is the expression."""
        made = cls("\n".join(texts))
        starts = accumulate((len(text) + 1 for text in texts[:-1]), initial=0)
        made.parts = tuple(map(TextPart, starts, names, imports))
        return made

    def with_first(self, text: str) -> Texts:
        """The same with another expression of the same length."""
        made = Texts(text + self[len(text) :])
        made.parts = self.parts
        return made

    def text(self, number: int) -> str:
        """The text of one of the parts."""
        later = self.parts[number + 1 :]
        return str(self[self.parts[number].start : later[0].start - 1 if later else len(self)])

    def part_at(self, place: int) -> int:
        """The number of the part in which a place lies."""
        return sum(part.start <= place for part in self.parts) - 1


class GradcliError(RuntimeError):
    """A request that is wrong (exit code 2).

    `source` is the text of the request and `span` the half-open range of it that is wrong; both are optional. A `span`
    without `source` is completed by a caller that knows the text. `argument` is the name of the wrong argument, for a
    caller that knows its position.

    >>> print(GradcliError("unknown name 'y'", source="x + y", span=(4, 5), hint="did you mean x?").render())
    unknown name 'y'
      x + y
          ^
    hint: did you mean x?
    """

    exit_code = 2

    def __init__(
        self,
        message: str,
        *,
        source: str | None = None,
        span: Span | None = None,
        hint: str | None = None,
        argument: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.source = source
        self.span = span
        self.hint = hint
        self.argument = argument

    def report(self) -> dict[str, object]:
        """The error for programs, as JSON has it."""
        found: dict[str, object] = {"message": self.message, "span": self.span, "hint": self.hint}
        if self.span is not None and isinstance(self._source, Texts):
            file, _, span = located(self._source, self.span)
            found |= {"span": span, "file": file} if file else {}
        return found

    @property
    def _source(self) -> str | None:
        return self.span.source if isinstance(self.span, Place) else self.source

    def render(self) -> str:
        """The message, the place in the source with carets under it, and the hint."""
        lines = [_one_line(self.message)]
        if self._source is not None and self.span is not None:
            lines += quote(self._source, self.span)
        if self.hint:
            lines.append(f"hint: {_one_line(self.hint)}")
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.render()


class written_in:  # noqa: N801  (it reads as a word of the `with` statement)
    """Within this block errors are about this text: those that know no other one are completed with it."""

    __slots__ = ("source",)

    def __init__(self, source: str) -> None:
        self.source = source

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if isinstance(error, GradcliError) and error.source is None:
            error.source = self.source


@contextmanager
def told_of(what: str) -> Iterator[None]:
    """Within this block messages begin with what they are about."""
    try:
        yield
    except GradcliError as error:
        error.message = f"{what}: {error.message}"
        raise


class WorkError(GradcliError):
    """The request was fine and the work failed: a file, the disk or the machine (exit code 1)."""

    exit_code = 1


class LimitError(GradcliError):
    """More memory is needed than may be used."""

    #: Whether most of it is for a result, which need not be held where it is written to a file.
    for_result = False


class UnknownNameError(GradcliError):
    """A name in an expression that stands for nothing."""


class SizeError(GradcliError):
    """Shapes and lengths that do not fit: `sizes` are those that the message tells of, in the place of its braces.

    `unequal` are two lengths that would have to be equal.

    >>> SizeError("shape {} holds {} elements", (2, 3), 6).message
    'shape (2, 3) holds 6 elements'
    """

    def __init__(
        self,
        template: str,
        *sizes: object,
        hint: str | None = None,
        argument: str | None = None,
        unequal: tuple[int, int] | None = None,
    ) -> None:
        super().__init__(template.format(*sizes), hint=hint, argument=argument)
        self.template = template
        self.sizes = sizes
        self.unequal = unequal


@contextmanager
def unable_to(what: str) -> Iterator[None]:
    """Within this block a failure of the system is one to do `what`."""
    try:
        yield
    except OSError as error:
        raise WorkError(f"cannot {what}: {error.strerror or error}") from None
    except ValueError:
        raise WorkError(f"cannot {what}: no file can have this name") from None


def utf8_text(data: bytes, what: str, encoding: str = "utf-8") -> str:
    """Bytes as text; WorkError where they are none, `what` being what fails then."""
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise WorkError(f"{what}: it is not UTF-8 text (line {line})") from None


def quoted(text: str) -> str:
    """A text of the user's in quotes, for a message: its beginning, where it is long."""
    return repr(shortened(text))


def shortened(text: str, most: int = _LONGEST_QUOTED) -> str:
    """A text of the user's, in a message or a hint say: its beginning, where it is long."""
    return text if len(text) <= most else f"{text[:most]}…"


def counted(count: int, what: str) -> str:
    """So many of something.

    >>> counted(1, "step"), counted(1200, "step")
    ('1 step', '1,200 steps')
    """
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _one_line(text: str) -> str:
    """A text that fits on a line and can be shown: what it quotes may hold anything."""
    if len(text) > _LONGEST:
        text = f"{text[: _LONGEST // 2]} … {text[-_LONGEST // 2 :]}"
    return _printable(text)


def _printable(text: str) -> str:
    """The text with a blank for each tab or special space, and "?" for what a terminal might obey or cannot show."""
    return "".join(c if c.isprintable() else " " if c.isspace() else "?" for c in text)


def escaped(text: str) -> str:
    r"""The text on one line, whatever a file may be called: escapes stand for what a terminal might obey.

    >>> print(escaped("a\nb\udcff.npy"))
    a\nb\xff.npy
    """
    return text if text.isprintable() else "".join(c if c.isprintable() else _escape(c) for c in text)


def _escape(character: str) -> str:
    code = ord(character)
    # Bytes that are no text are such halves of characters in Python.
    return f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else repr(character)[1:-1]


def _columns(text: str) -> int:
    """How many columns of a terminal the text takes."""
    if text.isascii():
        return len(text)
    from unicodedata import category, east_asian_width

    return sum(0 if category(c) in ("Mn", "Me") else 2 if east_asian_width(c) in "WF" else 1 for c in text)


def quote(source: str, span: Span) -> list[str]:
    """The source line that holds the start of `span`, and carets under the part of the span on that line.

    In a file that is imported, a line before says where that is.
    """
    file, source, span = located(source, span)
    start = max(0, min(span[0], len(source)))
    line_start = source.rfind("\n", 0, start) + 1
    line_end = source.find("\n", start)
    line_end = len(source) if line_end < 0 else line_end
    end = max(start + 1, min(span[1], line_end))
    left, right = line_start, line_end
    if right - left > _WINDOW:
        left = max(line_start, start - _WINDOW // 2)
        right = min(line_end, left + _WINDOW)
    before, under, after = (_printable(source[a:b]) for a, b in ((left, start), (start, end), (end, right)))
    before = ("…" if left > line_start else "") + before
    under = under[: right - start]
    after += "…" if right < line_end else ""
    carets = " " * _columns(before) + "^" * max(1, _columns(under))
    where = [f"  {_printable(file)}, {line_and_column(source, start)}:"] if file else []
    return [*where, f"  {before}{under}{after}".rstrip(), f"  {carets}"]


def located(source: str, span: Span) -> tuple[str, str, Span]:
    """The imported file in which a place is, "" for the expression itself, with the text there and the place in it."""
    if not isinstance(source, Texts):
        return "", source, span
    number = source.part_at(span[0])
    part = source.parts[number]
    return part.name, source.text(number), (span[0] - part.start, span[1] - part.start)


def own_text(source: str) -> str:
    """The text of an expression without those of the files that it imports."""
    return source.text(0) if isinstance(source, Texts) else source


def line_and_column(source: str, place: int) -> str:
    """Where a place is in the text of a file.

    >>> line_and_column("x = 1\\ny = z", 10)
    'line 2, column 5'
    """
    return f"line {source.count(chr(10), 0, place) + 1}, column {place - source.rfind(chr(10), 0, place)}"


def did_you_mean(name: str, known: list[str]) -> str | None:
    """A hint that names the closest of `known`, or None when nothing is close."""
    close = closest(name, known)
    return None if close is None else f"did you mean {close!r}?"


def closest(name: str, known: list[str]) -> str | None:
    """The one of `known` that `name` may be a slip of, or None."""
    # Imported here: difflib costs start-up time and is needed only once something is wrong.
    from difflib import get_close_matches

    name = name[:_WINDOW]
    for other in known:
        if other.casefold() == name.casefold():
            return other
    return next((other for other in get_close_matches(name, known, n=10) if _is_slip(name, other)), None)


def _is_slip(name: str, meant: str) -> bool:
    """Whether a name that is much like another may be a slip of it: among short ones, many are alike by chance."""
    from difflib import get_close_matches

    if name.startswith(meant) or meant.startswith(name):
        return True
    if max(len(name), len(meant)) > _SHORT:
        return bool(get_close_matches(name, [meant], cutoff=_LIKE))
    start = next(k for k in range(_SHORT) if name[k : k + 1] != meant[k : k + 1])
    a, b = name[start:], meant[start:]
    # A letter more, less or other, or two that have changed places.
    return a[1:] in (b, b[1:]) or a == b[1:] or (a[:2] == b[1::-1] and a[2:] == b[2:])
