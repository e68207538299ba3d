"""From graphs to arrays: each operation once, each array freed after its last use."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gradcli.errors import GradcliError, WorkError
from gradcli.node import Node, toposort

#: Operations whose result is another look at the memory of their first operand.
VIEWS = frozenset(
    {"view", "squeeze", "unsqueeze", "permute", "expand", "_slice", "select", "_alias", "detach", "_reshape_alias"}
)
# Below this, asking for the memory that is left would cost more than it tells.
_SMALL = 1 << 26

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
        raise WorkError(
            f"not enough memory for {_described(node)} ({show_bytes(node.nbytes)})",
            span=node.span,
        ) from None


def _described(node: Node) -> str:
    article = "an" if node.dtype.kind == "i" else "a"
    return f"{article} {node.dtype} tensor of shape {node.shape}"


def _known_value(node: Node) -> np.ndarray | None:
    """The value of a leaf, or one that a live tensor has already been asked for."""
    if not node.inputs:
        data = node.params.get("data")
        return data if data is not None else node.params.get("value") if node.op.name == "constant" else None
    tensor: Any = node.tensor() if node.tensor is not None else None
    return None if tensor is None else tensor.known_value


def check_memory(order: Sequence[Node], ready: dict[Node, np.ndarray]) -> None:
    """Refuse, before anything is allocated, a graph whose arrays cannot be held in the machine's memory."""
    computed = [node for node in order if node not in ready]
    if sum(node.nbytes for node in computed) < _SMALL:
        return
    # Imported here: small inputs need none of it.
    from gradcli.storage.memory import available_memory

    available = available_memory()
    if available is None:
        return
    needed = _peak(computed, ready)
    if needed <= available:
        return
    largest = max((node for node in computed if node.op.name not in VIEWS), key=lambda node: node.nbytes)
    name = _described(largest)
    have = f"{show_bytes(available)} of memory are available"
    if largest.nbytes > available:
        message = f"{name} needs {show_bytes(largest.nbytes)}, {have}"
    else:
        message = f"this needs {show_bytes(needed)} at once, {have}; the largest part is {name}"
    raise GradcliError(message, span=largest.span)


def _peak(computed: Sequence[Node], ready: dict[Node, np.ndarray]) -> int:
    """The most bytes held at once when `computed` run in this order, each freed after its last use.

    What has no user in the list is a result and stays.
    """
    uses: dict[Node, int] = {}
    for node in computed:
        for child in node.inputs:
            uses[child] = uses.get(child, 0) + 1
    # A view keeps the array alive whose memory it shows.
    owners: dict[Node, Node] = {}
    views: dict[Node, int] = {}
    held = most = 0
    for node in computed:
        owner = node
        if node.op.name in VIEWS:
            owner = owners.get(node.inputs[0], node.inputs[0])
        owners[node] = owner
        views[owner] = views.get(owner, 0) + 1
        if owner is node:
            held += node.nbytes
            most = max(most, held)
        for child in node.inputs:
            uses[child] -= 1
            if not uses[child] and child not in ready:
                owner = owners[child]
                views[owner] -= 1
                if not views[owner] and owner not in ready:
                    held -= owner.nbytes
    return most


def show_bytes(count: int) -> str:
    """A size for people.

    >>> show_bytes(4_000_000_000)
    '4 GB'
    """
    size = float(count)
    for unit in ("bytes", "kB", "MB", "GB", "TB", "PB", "EB"):
        if size < 999.5 or unit == "EB":
            return f"{size:.3g} {unit}"
        size /= 1000
    raise AssertionError
