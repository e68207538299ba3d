"""Dask: connecting to a scheduler or starting one here, what its workers compute with, and work that is under way."""

from __future__ import annotations

import contextlib
import queue
import re
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar

from gradcli.cluster.local import START, close, started
from gradcli.cluster.worker import attempted, differing, facts
from gradcli.engine.native.choice import engine_in_use
from gradcli.errors import GradcliError, WorkError
from gradcli.machine.undisturbed import undisturbed

# Seconds to wait for the scheduler and for its first worker, and for another one when all have gone.
_CONNECT = 10.0
_PATIENCE = 15.0
_CLOSE = 3.0
# What takes longer to answer than it can be busy hangs: a process that was stopped keeps its connections.
_SILENCE = 60.0
# Until the scheduler knows of a worker that has died.
_PAUSE = 0.1
_MOST_PORT = 65535
_LONGEST = 200
_LOCAL = re.compile(r"local:([0-9]{1,9})")
_ADDRESS = re.compile(r"(?!local:)([a-z]+://)?([^\s/:]+|\[[0-9a-fA-F:.]+\]):[0-9]{1,5}")
_INSTALL = 'pip install "gradcli[dask]"'
_CERTIFICATES = (
    "set DASK_DISTRIBUTED__COMM__TLS__CA_FILE, DASK_DISTRIBUTED__COMM__TLS__CLIENT__CERT and "
    "DASK_DISTRIBUTED__COMM__TLS__CLIENT__KEY to the files of the cluster"
)
K = TypeVar("K")

# Those of Dask and of what it is built on.
_TALKERS = ("distributed", "tornado", "asyncio")


class Cluster:
    """A connection to a scheduler; `notes` is what the user should know of its workers.

    `kept` says what there is of the work when it is broken off.
    """

    def __init__(self, client: Any, address: str, patience: float, kept: str) -> None:
        self.client = client
        self.address = address
        self.patience = patience
        self.kept = kept
        self.notes: list[str] = []
        self._deserted: float | None = None

    def threads(self) -> int:
        """How many parts the workers can do at a time. WorkError when there have been no workers for a while."""
        # A client that connects anew has lost what it asked for.
        if self.client.status != "running":
            raise self.lost()
        try:
            counts: dict[str, int] = self.client.nthreads(callback_timeout=_SILENCE)
        except (OSError, ValueError, RuntimeError, TimeoutError):
            raise self.lost() from None
        # Nobody has looked for as long as results were written: others may be on their way.
        now = time.monotonic()
        self._deserted = None if counts else self._deserted or now
        if self._deserted and now - self._deserted > self.patience:
            hint = f"lack of memory is the usual reason; {self.kept}"
            raise WorkError(f"all workers of {self.address} are gone", hint=hint)
        return sum(counts.values())

    def lost(self) -> WorkError:
        """The error for a scheduler that does not answer any more."""
        return WorkError(f"the connection to the scheduler {self.address} is lost", hint=self.kept)

    def check(self) -> None:
        """Refuse workers that would not give the same results, and note what might change the last bits."""
        engine = engine_in_use()
        ours, machine = facts(engine, False)
        answers = self._answers(facts, engine, True)
        for address, answer in answers.items():
            if isinstance(answer, BaseException):
                reason = f"{type(answer).__name__}: {answer}"
                missing = isinstance(answer, ImportError)
                message = f"the worker {address} has no gradcli" if missing else f"the worker {address}: {reason}"
                raise WorkError(message, hint="install the same version of gradcli where the workers run")
            if answer[0] != ours:
                hint = "install the same versions everywhere: results would differ in their bits"
                if answer[0][:-1] == ours[:-1]:
                    hint += "; or compute with --engine numpy, which every worker has"
                raise WorkError(differing(dict(ours), dict(answer[0]), f"the worker {address}"), hint=hint)
        if any(answer[1] != machine for answer in answers.values()):
            self.notes.append("some workers have another processor: results may differ from those here in the last bit")

    def _answers(self, question: Callable[..., Any], *words: Any) -> dict[str, Any]:
        """What each worker answers, or its failure; those that die meanwhile are left out."""
        from distributed.comm import CommClosedError

        end = time.monotonic() + self.patience
        while True:
            try:
                answers: dict[str, Any] = self.client.run(
                    question, *words, on_error="return", callback_timeout=_SILENCE
                )
            except TimeoutError:
                message = f"not all workers of {self.address} answer within {_SILENCE:.0f} seconds"
                raise WorkError(message, hint="one that hangs must be ended and started anew") from None
            lost = any(isinstance(answer, CommClosedError) for answer in answers.values())
            if not lost or time.monotonic() > end:
                return answers
            time.sleep(_PAUSE)


@contextlib.contextmanager
def connected(
    address: str, threads: int | None = None, patience: float = _PATIENCE, kept: str = "nothing has been written"
) -> Iterator[Cluster]:
    """A connection to the scheduler at `address`, or to `local:N`: N worker processes here with `threads` in all.

    Without any worker it is given up after `patience` seconds. WorkError when nobody answers, when there are no
    workers or when their versions are not ours; `kept` says then what there is of the work.
    """
    try:
        # An interrupt would come up inside of a module half read, which may be told as something else.
        with undisturbed():
            import dask
            import distributed
    except ImportError:
        raise GradcliError("--scheduler needs Dask, which is not installed", hint=_INSTALL) from None
    except (OSError, ValueError) as error:
        # It reads its settings at once.
        raise WorkError(f"cannot load Dask: {_on_one_line(error)}") from None
    import warnings

    local = _LOCAL.fullmatch(address)
    if local is None:
        address = _checked(address)
    settings = {
        # Parts carry their slices of arrays with them.
        "distributed.admin.large-graph-warning-threshold": "1TB",
        # Nobody else is where the workers are ours: it can only take long.
        "distributed.comm.timeouts.connect": f"{_CONNECT if local is None else START:.0f}s",
    }
    with warnings.catch_warnings(), _quiet(), dask.config.set(settings), contextlib.ExitStack() as stack:
        # Dask's advice is for those who program it.
        warnings.simplefilter("ignore")
        if local is not None:
            client = stack.enter_context(started(int(local[1]), threads))
        else:
            _refuse_without_keys(address)
            _knock(address)
            client = _greeted(address)
            stack.callback(close, client, _CLOSE)
            _wait_for_workers(client, address)
        cluster = Cluster(client, address, patience, kept)
        try:
            cluster.check()
            yield cluster
        except GradcliError:
            raise
        except Exception as error:
            # Whatever Dask says when it is asked without a connection.
            if client.status == "running" and not isinstance(error, distributed.comm.CommClosedError):
                raise
            raise cluster.lost() from None


def cancelled_errors() -> tuple[type[BaseException], ...]:
    """What a future raises that was forgotten with its scheduler: one or the other, by the version of Dask."""
    import asyncio
    from concurrent.futures import CancelledError

    return asyncio.CancelledError, CancelledError


def _on_one_line(error: Exception) -> str:
    """What an error of Dask says, as far as it goes on a line."""
    text = " ".join(str(error).split())
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _checked(address: str) -> str:
    """The address in full; GradcliError when it cannot be one."""
    hint = "write it as tcp://host:8786, or local:4 for four worker processes on this machine"
    if not _ADDRESS.fullmatch(address):
        raise GradcliError(f"{address!r} is not the address of a scheduler", hint=hint)
    found = address if "://" in address else f"tcp://{address}"
    if int(found.rpartition(":")[2]) > _MOST_PORT or not _is_spoken(found.partition("://")[0]):
        raise GradcliError(f"{address!r} is not the address of a scheduler", hint=hint)
    return found


def _is_spoken(scheme: str) -> bool:
    """Whether Dask knows a way of talking by this name."""
    from distributed.comm.registry import get_backend

    try:
        # Within this process there is no other scheduler.
        return get_backend(scheme) is not None and scheme != "inproc"
    except ValueError:
        return False


def _greeted(address: str) -> Any:
    """A client of a scheduler that has answered: Dask waits for ever for a peer that accepts and says nothing."""
    from distributed import Client
    from distributed.comm import CommClosedError

    class Quiet(Client):  # type: ignore[misc]
        def __del__(self) -> None:
            # One that never came to be would wait for its peer, to be closed; others are closed before.
            pass

    # Whatever was there first: a client, or the reason why there is none.
    outcome: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def connect() -> None:
        try:
            outcome.put(Quiet(address, timeout=_CONNECT, set_as_default=False))
        except Exception as error:
            # What it is depends on what the peer said.
            outcome.put(error)

    threading.Thread(target=connect, daemon=True).start()
    try:
        found = outcome.get(timeout=_CONNECT)
    except queue.Empty:
        raise _unreachable(address, f"it does not answer within {_CONNECT:.0f} seconds") from None
    if isinstance(found, CommClosedError):
        raise _unreachable(address, "it closed the connection")
    if isinstance(found, OSError | TimeoutError):
        raise _unreachable(address, str(found).partition("\n")[0])
    if isinstance(found, Exception):
        raise _unreachable(address, "what answers there is not a Dask scheduler of a compatible version")
    return found


def _refuse_without_keys(address: str) -> None:
    """Refuse `tls://` where Dask has been given no certificates: GradcliError."""
    from distributed.security import Security

    if not address.startswith("tls://"):
        return
    try:
        context = Security().get_connection_args("client")["ssl_context"]
    except (OSError, ValueError) as error:
        raise WorkError(f"cannot read the certificates for {address}: {error}", hint=_CERTIFICATES) from None
    if context is None:
        raise GradcliError(f"{address} needs certificates, and Dask's settings name none", hint=_CERTIFICATES)


def _knock(address: str) -> None:
    """Find out at once that nobody listens there: Dask would go on trying until the time is up."""
    import socket

    scheme, _, place = address.partition("://")
    host, _, port = place.rpartition(":")
    if scheme not in ("tcp", "tls", "ws", "wss"):
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT).close()
    except UnicodeError:
        raise _unreachable(address, "no machine can have this name") from None
    except OSError as error:
        raise _unreachable(address, getattr(error, "strerror", None) or str(error)) from None


def _unreachable(address: str, reason: str) -> WorkError:
    hint = "`dask scheduler` starts one and prints its address; --scheduler local:4 needs none"
    return WorkError(f"cannot reach the scheduler {address}: {reason}", hint=hint)


def _wait_for_workers(client: Any, address: str) -> None:
    try:
        client.wait_for_workers(1, timeout=_CONNECT)
    except (OSError, TimeoutError):
        hint = f"`dask worker {address}` starts one"
        raise WorkError(f"the scheduler {address} has no workers", hint=hint) from None


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Within this block Dask logs nothing: what matters is told by errors of our own."""
    import logging

    # Dask gives some of its loggers levels of their own.
    known = [name for name in logging.root.manager.loggerDict if name.startswith(tuple(f"{t}." for t in _TALKERS))]
    loggers = [logging.getLogger(name) for name in (*_TALKERS, *known)]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


# Seconds between two looks at whether there are any workers left.
_LOOK = 1.0


def dealt(
    cluster: Cluster, work: Iterator[tuple[K, tuple[Any, ...]]], most: Callable[[], int], over: Callable[[], bool]
) -> Generator[tuple[K, Any], None, None]:
    """What pieces of work come to, each with its name, as they end; `most` says how many may be under way.

    A piece is a function and its arguments; one that was lost with its worker is done again, a failure is raised.
    Whatever ends this early, `over` or the caller, takes back what is under way.
    """
    running: dict[Any, K] = {}
    seconds = _LOOK
    try:
        while not over():
            free = most() - len(running)
            for name, (function, *arguments) in islice(work, max(0, free)):
                running[cluster.client.submit(attempted, function, *arguments, pure=False)] = name
            if not running:
                return
            for future in _finished(cluster, list(running)):
                answer = _answer_of(cluster, future, seconds)
                # Each time it is fetched anew, and what is large takes its time.
                seconds = _LOOK if answer is not None else 2 * seconds
                if isinstance(answer, GradcliError):
                    raise answer
                if answer is not None:
                    yield running.pop(future), answer
                    future.release()
    finally:
        if running:
            with contextlib.suppress(Exception):
                cluster.client.cancel(list(running), force=True)


def _finished(cluster: Cluster, running: Sequence[Any]) -> list[Any]:
    """The futures that have ended, waiting for one if there is none; an empty list after a while."""
    from distributed import wait

    try:
        with cluster.client.as_current():
            return list(wait(running, timeout=_LOOK, return_when="FIRST_COMPLETED").done)
    except TimeoutError:
        # Nothing yet: does anybody still work at it?
        cluster.threads()
        return []
    except cancelled_errors():
        raise cluster.lost() from None


def _answer_of(cluster: Cluster, future: Any, seconds: float) -> Any:
    """What a future has come to; None when it is not there in time, lost with its worker and being done again."""
    from distributed import KilledWorker
    from distributed.comm import CommClosedError

    try:
        return future.result(timeout=seconds)
    except TimeoutError:
        cluster.threads()
        return None
    except KilledWorker as error:
        hint = "they may have run out of memory: give each more memory, or fewer threads"
        raise WorkError(f"a part of the work has killed {error.allowed_failures + 1} workers", hint=hint) from None
    except (*cancelled_errors(), CommClosedError):
        raise cluster.lost() from None
    except Exception as error:
        if cluster.client.status != "running":
            raise cluster.lost() from None
        reason = f"{type(error).__name__}: {error}".partition("\n")[0]
        hint = "install the same version of gradcli where the workers run"
        raise WorkError(f"a worker cannot do its part: {reason}", hint=hint) from None
