"""What is written to standard output and, beside the answer, to standard error; the one place that knows colours."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from contextvars import ContextVar
from typing import Any, TextIO

from gradcli.errors import WorkError, escaped
from gradcli.render.marks import Carets, Heading, Marked, Tree

#: What --color says: auto, always or never.
COLOR: ContextVar[str] = ContextVar("COLOR", default="auto")

# For terminals and pipes that know no more than ASCII.
_PLAIN = str.maketrans({"└": "`", "├": "|", "│": "|", "─": "-", "↑": "^", "…": "...", "±": "+-", "χ": "chi", "²": "^2"})
# What terminals are told to show: bold and six colours, which every theme has chosen to be readable.
_BOLD, _RED, _CYAN, _STRONG_CYAN = "1", "1;31", "36", "1;36"
_STYLES: dict[type[str], str] = {Heading: _BOLD, Tree: _CYAN, Carets: _RED}


# Colours --------------------------------------------------------------------------------------------------------------


def is_colored(stream: Any) -> bool:
    """Whether a text stream is written to in colours: on terminals, unless the user has said something else."""
    chosen = COLOR.get()
    if chosen != "auto":
        return chosen == "always"
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    # Who has not said what the terminal is has one that may know nothing, but for the newer consoles of Windows.
    knows = os.environ.get("TERM", "dumb") != "dumb" or "WT_SESSION" in os.environ
    return bool(knows and stream is not None and stream.isatty())


def _painted(text: str, style: str | None) -> str:
    """A text in a style, line by line: what cuts lines off, such as a pager, leaves none without its end."""
    if style is None:
        return text
    return "\n".join([f"\x1b[{style}m{line}\x1b[0m" if line else line for line in text.split("\n")])


def _pieces_of(text: str) -> Sequence[str]:
    return text.pieces if isinstance(text, Marked) else [text]


# Standard error -------------------------------------------------------------------------------------------------------


def note(text: str) -> None:
    """Write a note."""
    label = _painted("note:", _STRONG_CYAN) if is_colored(sys.stderr) else "note:"
    tell(f"{label} {escaped(text)}")


def report(label: str, text: str) -> None:
    """Write an error: its lines, after a label. In colours are the label, the carets, and the word before the hint."""
    if sys.stderr is not None and not sys.stderr.encoding.lower().startswith("utf"):
        # One column, like the dots: the carets below must not shift.
        text = text.replace("…", "~")
    if is_colored(sys.stderr):
        first, *lines = text.split("\n")
        label = _painted(label, _RED) if label else ""
        text = "\n".join([first, *map(_painted_line, lines)])
    tell(f"{label} {text}" if label else text)


def _painted_line(line: str) -> str:
    if "^" in line and not line.strip(" ^"):
        return _painted(line, _STYLES[Carets])
    return _painted("hint:", _STRONG_CYAN) + line[5:] if line.startswith("hint: ") else line


def tell(text: str) -> None:
    """Write something to standard error, which nobody needs to read."""
    if sys.stderr is None:
        return
    try:
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()
    except OSError:
        # The answer matters more than what is told beside it.
        return


# Standard output ------------------------------------------------------------------------------------------------------


def standard_output() -> TextIO:
    """Standard output, if there is one."""
    if sys.stdout is None or sys.stdout.closed:
        raise WorkError("standard output is closed")
    return sys.stdout


def write_text(text: str) -> None:
    """Write a result to standard output, as `write_pieces` does."""
    write_pieces(_pieces_of(text))


def write_pieces(pieces: Iterable[str]) -> None:
    """Write a result to standard output piece by piece, in ASCII where that knows no more, in colours if wanted."""
    stdout = standard_output()
    colored = is_colored(stdout)
    for piece in pieces:
        text = _painted(piece, _STYLES.get(type(piece))) if colored else piece
        try:
            text.encode(stdout.encoding or "utf-8")
        except UnicodeEncodeError:
            text = text.translate(_PLAIN)
        stdout.write(text)
    stdout.write("\n")


def write_pages(text: str) -> None:
    """Write a long text: on a terminal that it does not fit on, through the user's pager, chosen as git chooses it."""
    stdout = standard_output()
    pager = next((os.environ[name] for name in ("GRADCLI_PAGER", "PAGER") if name in os.environ), None)
    talking = stdout.isatty() and sys.stdin is not None and sys.stdin.isatty()
    if not talking or (pager is not None and pager.strip() in ("", "cat")) or not _is_long(text):
        write_text(text)
        return
    import signal

    import click

    stdout.flush()
    # Where the user has chosen nothing, less shows colours and leaves the text where it is.
    chosen = {"LESS": os.environ.get("LESS", "FRX"), "LV": os.environ.get("LV", "-c")}
    os.environ.update(chosen if pager is None else {**chosen, "PAGER": pager})
    # Ctrl-C is a key of the pager: whoever left before it would leave it alone with the terminal.
    before = signal.signal(signal.SIGINT, lambda number, frame: None)
    try:
        colored = is_colored(stdout)
        painted = [_painted(piece, _STYLES.get(type(piece))) for piece in _pieces_of(text)]
        click.echo_via_pager("".join(painted) if colored else text, color=colored)
    except (OSError, ValueError):
        # No program that can be started, or quotes that do not match.
        write_text(text)
    finally:
        signal.signal(signal.SIGINT, before)


def _is_long(text: str) -> bool:
    """Whether a text has more lines than the terminal."""
    import shutil

    return text.count("\n") + 2 > shutil.get_terminal_size().lines
