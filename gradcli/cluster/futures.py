"""Work that is under way on a cluster: what has ended, what became of it, and taking it back."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from gradcli.cluster.scheduler import Cluster, cancelled_errors
from gradcli.cluster.worker import Failed
from gradcli.errors import WorkError

# Seconds between two looks at whether there are any workers left.
_PATIENCE = 1.0


def answers(cluster: Cluster, running: Sequence[Any]) -> Iterator[tuple[Any, Any]]:
    """The futures that have ended, each with what it has come to; a failure is raised.

    Waits a while for one if there is none. One that was lost with its worker is being done again.
    """
    for future in _finished(cluster, running):
        answer = _answer_of(cluster, future)
        if isinstance(answer, Failed):
            raise answer.error()
        if answer is not None:
            yield future, answer
            future.release()


def _finished(cluster: Cluster, running: Sequence[Any]) -> list[Any]:
    """The futures that have ended, waiting for one if there is none; an empty list after a while."""
    from distributed import wait

    try:
        with cluster.client.as_current():
            return list(wait(running, timeout=_PATIENCE, return_when="FIRST_COMPLETED").done)
    except TimeoutError:
        # Nothing yet: does anybody still work at it?
        cluster.threads()
        return []
    except cancelled_errors():
        raise cluster.lost() from None


def _answer_of(cluster: Cluster, future: Any) -> Any:
    """What a future has come to; None when it was lost with its worker and is being done again."""
    from distributed import KilledWorker
    from distributed.comm import CommClosedError

    try:
        return future.result(timeout=_PATIENCE)
    except TimeoutError:
        cluster.threads()
        return None
    except KilledWorker as error:
        hint = "they may have run out of memory: give each more of it, or fewer threads"
        raise WorkError(f"a part of the work has ended {error.allowed_failures + 1} workers", hint=hint) from None
    except (*cancelled_errors(), CommClosedError):
        raise cluster.lost() from None
    except Exception as error:
        reason = f"{type(error).__name__}: {error}".partition("\n")[0]
        hint = "install the same version of gradcli where the workers run"
        raise WorkError(f"a worker cannot do its part: {reason}", hint=hint) from None


def cancel(cluster: Cluster, futures: Sequence[Any]) -> None:
    """Take back what is under way."""
    with contextlib.suppress(Exception):
        cluster.client.cancel(list(futures), force=True)
