"""The one exception of gradcli, and how it is shown: a line, the place with carets, a hint."""

from __future__ import annotations

Span = tuple[int, int]

# A caret line longer than this is unreadable on any terminal: only a window around the place is shown.
_WINDOW = 100


class GradcliError(RuntimeError):
    """A request that cannot be carried out (exit code 2).

    `source` is the text the request came in and `span` the half-open range of it that is wrong; both are optional,
    and `span` without `source` is completed by whoever knows the text. `argument` names the argument of the call at
    fault, for those who know where it stands.

    >>> print(GradcliError("unknown name 'y'", source="x + y", span=(4, 5), hint="did you mean x?").render())
    unknown name 'y'
      x + y
          ^
    hint: did you mean x?
    """

    exit_code = 2

    def __init__(
        self, message: str, *, source: str | None = None, span: Span | None = None, hint: str | None = None,
        argument: str | None = None,
    ) -> None:  # fmt: skip
        super().__init__(message)
        self.message = message
        self.source = source
        self.span = span
        self.hint = hint
        self.argument = argument

    def render(self) -> str:
        """The message, the place in the source with carets under it, and the hint."""
        lines = [self.message]
        if self.source is not None and self.span is not None:
            lines += _caret_lines(self.source, self.span)
        if self.hint:
            lines.append(f"hint: {self.hint}")
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.render()


class WorkError(GradcliError):
    """The request was fine and the work failed: a file, the disk or the machine (exit code 1)."""

    exit_code = 1


def _caret_lines(source: str, span: Span) -> list[str]:
    """The source line that holds the start of `span`, and carets under the part of the span on that line."""
    start = max(0, min(span[0], len(source)))
    line_start = source.rfind("\n", 0, start) + 1
    line_end = source.find("\n", start)
    line_end = len(source) if line_end < 0 else line_end
    end = max(start + 1, min(span[1], line_end))
    left, right = line_start, line_end
    if right - left > _WINDOW:
        left = max(line_start, start - _WINDOW // 2)
        right = min(line_end, left + _WINDOW)
    # Control characters (tabs, escapes) would shift the carets or reach the terminal.
    shown = "".join(c if c.isprintable() else " " for c in source[left:right])
    prefix = "…" if left > line_start else ""
    suffix = "…" if right < line_end else ""
    carets = "^" * max(1, min(end, right) - start)
    return [f"  {prefix}{shown}{suffix}".rstrip(), "  " + " " * (len(prefix) + start - left) + carets]


def did_you_mean(name: str, known: list[str]) -> str | None:
    """A hint that names the closest of `known`, or None when nothing is close."""
    # Imported here: difflib costs start-up time and is needed only once something is wrong.
    from difflib import get_close_matches

    close = get_close_matches(name, known, n=1, cutoff=0.6)
    return f"did you mean {close[0]!r}?" if close else None
