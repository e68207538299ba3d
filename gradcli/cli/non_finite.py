"""What is told of results that hold NaN or infinities: a note, or with --fail-on-nan an error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gradcli.evaluation.finite import Tally


class Tallies:
    """Counts the elements of results that are not finite, unless nobody wants to know.

    With `all`, every element of every result; else those that are computed anyway.
    """

    def __init__(self, quiet: bool, fail: bool, dealt: bool) -> None:
        """`dealt` says that other processes may write into files past those who count here."""
        self.all = fail
        self._wanted = fail or not quiet
        self._dealt = dealt

    def of_file(self) -> Tally | None:
        """What counts a result on its way into a file; None where it is counted at the end, or not at all."""
        return self.of_pieces() if self._wanted and not self._dealt else None

    def of_pieces(self) -> Tally:
        """What counts a result whose pieces all pass through this process."""
        from gradcli.evaluation.finite import Tally

        return Tally()

    def note(self, results: Mapping[str, Any]) -> str | None:
        """What there is to tell of the results, whole or where they went. WorkError where they have to be finite."""
        if not self._wanted:
            return None
        from gradcli.evaluation.finite import count, refuse, told

        found = {}
        for name, array in results.items():
            if hasattr(array, "indices"):
                # The rest was not even computed.
                found[f"what is shown of {name}"] = count(array.kept)
            else:
                found[name] = count(array)
        if self.all:
            refuse(found)
        return told(found)
