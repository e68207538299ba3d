"""Whether a program fits into memory: asked before anything is computed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gradcli.errors import GradcliError
from gradcli.node import INPUT, Node
from gradcli.plan.program import Program

# What is used of the free memory without being told.
_SHARE = 0.8
# Below this, asking for the memory that is left would cost more than it tells.
_SMALL = 1 << 26


def check_memory(
    program: Program, leaves: Sequence[Any], threads: int, streamed: frozenset[int], limit: int | None
) -> None:
    """Refuse a program that needs more than `limit` bytes, or than most of what the machine has left."""
    loaded = _loaded(program, leaves)
    needed = program.memory(threads, streamed) + sum(node.nbytes for node in loaded)
    if needed < _SMALL and (limit is None or needed <= limit):
        return
    if limit is None:
        # Imported here: small inputs need none of it.
        from gradcli.storage.memory import available_memory

        free = available_memory()
        limit = None if free is None else int(free * _SHARE)
    if limit is None or needed <= limit:
        return
    raise _too_large([*program.held(), *loaded], needed, limit)


def _loaded(program: Program, leaves: Sequence[Any]) -> list[Node]:
    """The files that some operation needs whole."""
    whole = program.whole_leaves()
    return [program.leaves[k] for k, leaf in enumerate(leaves) if k in whole and not isinstance(leaf, np.ndarray)]


def _too_large(parts: Sequence[Node], needed: int, limit: int) -> GradcliError:
    largest = sorted(parts, key=lambda node: node.nbytes, reverse=True)
    have = f"{show_bytes(limit)} of memory may be used"
    if largest[0].nbytes > limit:
        message = f"{describe(largest[0])} needs {show_bytes(largest[0].nbytes)}, {have}"
    else:
        named = " and ".join(f"{describe(node)} ({show_bytes(node.nbytes)})" for node in largest[:2])
        message = f"this needs {show_bytes(needed)} at once, {have}; the largest parts are {named}"
    hint = "write large results to files with -o; --memory-limit sets another limit"
    return GradcliError(message, span=largest[0].span, hint=hint)


def describe(node: Node) -> str:
    """What a node is, for messages."""
    if node.op is INPUT and node.params.get("name"):
        return f"the input {node.params['name']!r}, needed whole,"
    article = "an" if node.dtype.kind == "i" else "a"
    return f"{article} {node.dtype} tensor of shape {node.shape}"


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
