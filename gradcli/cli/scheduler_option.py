"""`--scheduler`: where else the work is done."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from gradcli.cli.printing import note

if TYPE_CHECKING:
    from gradcli.cli.asked import Asked
    from gradcli.cluster import Dealer
    from gradcli.engine.plan.program import Program
    from gradcli.evaluation.request import Request


class Elsewhere:
    """A cluster that was asked for, by the address of its scheduler."""

    __slots__ = ("address", "threads", "quiet")

    def __init__(self, address: str, threads: int | None, quiet: bool) -> None:
        self.address = address
        self.threads = threads
        self.quiet = quiet

    @contextlib.contextmanager
    def dealer(
        self, request: Request, asked: Asked, program: Program, inputs: dict[str, Any], sinks: dict[int, Any]
    ) -> Iterator[Dealer]:
        """What runs the passes of a program on the cluster, within this block."""
        from gradcli.cli.signals import stopping_cleanly
        from gradcli.cluster import Dealer, connected

        # Workers that were started here end with the command, and what was dealt is taken back.
        with stopping_cleanly(), connected(self.address, self.threads) as cluster:
            if not self.quiet:
                for text in cluster.notes:
                    note(text)
            yield Dealer(cluster, request.recipe(asked.wanted), program, inputs, frozenset(sinks))
