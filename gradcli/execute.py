"""From graphs to arrays: each operation once, each array freed after its last use."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gradcli.errors import GradcliError
from gradcli.node import Node, toposort


Progress = Callable[[int, int], None]


def execute(roots: Sequence[Node], progress: Progress | None = None) -> list[np.ndarray]:
    """The arrays of `roots`. Work that several of them need is done once; no NumPy warning escapes.

    `progress` is told after each operation how many bytes of results are done, and how many there are in all.
    """
    ready: dict[Node, np.ndarray] = {}

    def is_known(node: Node) -> bool:
        value = _known_value(node)
        if value is not None:
            ready[node] = value
        return value is not None

    order = toposort(roots, stop=is_known)
    check_memory(order, ready)
    uses: dict[Node, int] = dict.fromkeys(roots, 1)
    for node in order:
        if node not in ready:
            for child in node.inputs:
                uses[child] = uses.get(child, 0) + 1
    done, total = 0, sum(n.nbytes for n in order if n not in ready) if progress is not None else 0
    with np.errstate(all="ignore"):
        for node in order:
            if node in ready:
                continue
            ready[node] = run(node, [ready[child] for child in node.inputs])
            for child in node.inputs:
                uses[child] -= 1
                if not uses[child]:
                    # The last user has run.
                    del ready[child]
            if progress is not None:
                done += node.nbytes
                progress(done, total)
    return [ready[root] for root in roots]


def run(node: Node, inputs: list[np.ndarray]) -> np.ndarray:
    """One operation on arrays; what its kernel refuses is reported at the node's place in the source."""
    assert node.op.kernel is not None
    try:
        return np.asarray(node.op.kernel(*inputs, **node.params))
    except GradcliError as error:
        if error.span is None:
            error.span = node.span
        raise
    except MemoryError:
        raise GradcliError(
            f"not enough memory for a {node.dtype} tensor of shape {node.shape} ({show_bytes(node.nbytes)})",
            span=node.span,
        ) from None


def _known_value(node: Node) -> np.ndarray | None:
    """The value of a leaf, or one that a live tensor has already been asked for."""
    if not node.inputs:
        data = node.params.get("data")
        return data if data is not None else node.params.get("value") if node.op.name == "constant" else None
    tensor: Any = node.tensor() if node.tensor is not None else None
    return None if tensor is None else tensor.known_value


def check_memory(order: Sequence[Node], ready: dict[Node, np.ndarray]) -> None:
    """Refuse, before anything is allocated, a graph with an array that cannot fit into the machine's memory."""
    largest = max((n for n in order if n not in ready), key=lambda n: n.nbytes, default=None)
    if largest is None or largest.nbytes < 1 << 26:
        return
    available = available_memory()
    if available is not None and largest.nbytes > available:
        raise GradcliError(
            f"a {largest.dtype} tensor of shape {largest.shape} needs {show_bytes(largest.nbytes)}, "
            f"{show_bytes(available)} of memory are available",
            span=largest.span,
        )


def available_memory() -> int | None:
    """The bytes of memory that this machine can still give, or None where it does not tell."""
    try:
        with open("/proc/meminfo", "rb") as file:
            for line in file:
                if line.startswith(b"MemAvailable:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError, AttributeError):
        return None


def show_bytes(count: int) -> str:
    """A size for people.

    >>> show_bytes(4_000_000_000)
    '4 GB'
    """
    size = float(count)
    for unit in ("bytes", "kB", "MB", "GB", "TB", "PB"):
        if size < 1000 or unit == "PB":
            return f"{size:.3g} {unit}"
        size /= 1000
    raise AssertionError
