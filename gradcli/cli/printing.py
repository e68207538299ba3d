"""Notes on standard error, beside the answer."""

from __future__ import annotations

import sys

from gradcli.errors import escaped


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
