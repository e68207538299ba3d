"""Notes on standard error, beside the answer."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from gradcli.errors import WorkError, escaped

# For terminals and pipes that know no more than ASCII.
PLAIN = str.maketrans({"└": "`", "├": "|", "│": "|", "─": "-", "↑": "^", "…": "..."})


def note(text: str) -> None:
    """Write a note."""
    if sys.stderr is None:
        return
    try:
        sys.stderr.write(f"note: {escaped(text)}\n")
        sys.stderr.flush()
    except OSError:
        # The answer matters more than a note that nobody reads.
        return


def write_text(text: str) -> None:
    """Write a result to standard output, in ASCII where that knows no more."""
    write_pieces([text])


def write_pieces(pieces: Iterable[str]) -> None:
    """Write a result to standard output piece by piece, in ASCII where that knows no more."""
    if sys.stdout is None:
        raise WorkError("standard output is closed")
    for text in pieces:
        try:
            text.encode(sys.stdout.encoding)
        except UnicodeEncodeError:
            text = text.translate(PLAIN)
        sys.stdout.write(text)
    sys.stdout.write("\n")
