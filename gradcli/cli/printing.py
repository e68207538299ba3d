"""Notes on standard error, beside the answer."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TextIO

from gradcli.errors import WorkError, escaped

# For terminals and pipes that know no more than ASCII.
_PLAIN = str.maketrans({"└": "`", "├": "|", "│": "|", "─": "-", "↑": "^", "…": "..."})


def note(text: str) -> None:
    """Write a note."""
    tell(f"note: {escaped(text)}")


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


def standard_output() -> TextIO:
    """Standard output, if there is one."""
    if sys.stdout is None or sys.stdout.closed:
        raise WorkError("standard output is closed")
    return sys.stdout


def write_text(text: str) -> None:
    """Write a result to standard output, in ASCII where that knows no more."""
    write_pieces([text])


def write_pieces(pieces: Iterable[str]) -> None:
    """Write a result to standard output piece by piece, in ASCII where that knows no more."""
    stdout = standard_output()
    for text in pieces:
        try:
            text.encode(stdout.encoding)
        except UnicodeEncodeError:
            text = text.translate(_PLAIN)
        stdout.write(text)
    stdout.write("\n")
