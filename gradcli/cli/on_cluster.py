"""`--scheduler`: where else the work is done."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from gradcli.cli.printing import note

if TYPE_CHECKING:
    from gradcli.cluster import Cluster


@contextlib.contextmanager
def cluster_at(address: str, threads: int | None, quiet: bool) -> Iterator[Cluster]:
    """The cluster that was asked for, within this block; notes tell what there is to know of its workers."""
    from gradcli.cluster import connected

    with connected(address, threads) as cluster:
        for text in cluster.notes if not quiet else ():
            note(text)
        yield cluster
