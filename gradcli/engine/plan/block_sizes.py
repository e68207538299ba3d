"""How long the blocks of a pass are, and how they lie in memory; nothing of it depends on the machine."""

from __future__ import annotations

import math
from collections.abc import Sequence

from gradcli.engine.plan.node_kinds import BLOCK
from gradcli.engine.plan.pass_nodes import PassNodes
from gradcli.engine.plan.program import Sizes
from gradcli.engine.plan.schedule import Schedule
from gradcli.graph.native_forms import NativeAdded
from gradcli.graph.node import Node
from gradcli.ops.shape import permute

# As many bytes may a block of a matrix have.
_MATRIX_BYTES = 1 << 23
# Where elements are added up at places along a dimension before the blocked one, so many neighbours have places of
# their own: they are whole lines of the cache.
_PIECE = 64
# Blocks are made larger than they have to be only as far as there remain so many.
_ENOUGH = 16
# So many times as large are those of a pass that is one native function.
_LONGER = 4
# As many bytes of its largest value may such a function go through at once: only between two calls does Ctrl-C count.
_MOST_AT_ONCE = 1 << 28
# Up to this many elements beside the blocked dimension, blocks are laid out with that dimension innermost.
_NARROW = 64
# Elements of a vector in native code.
_LANES = 16
# Rows are laid side by side in groups of up to so many.
MOST_TILES = 64


def _cut_operands(schedule: Schedule, node: Node) -> list[tuple[Node, int]]:
    """Operands of a node that are cut, with the dimension."""
    found = zip(node.inputs, schedule.dims[node], strict=True)
    return [(child, d) for child, d in found if d is not None]


def block_length(schedule: Schedule, nodes: PassNodes) -> int:
    """The length of the dimension that is cut into blocks."""
    if nodes.blocks:
        node = nodes.blocks[0]
        return node.shape[schedule.axes[node][1]]
    child, d = _cut_operands(schedule, nodes.reductions[0])[0]
    return child.shape[d]


def block_rows(schedule: Schedule, order: Sequence[Node], inside: set[Node], length: int, sizes: Sizes) -> int:
    """How many rows a block has: by the widest value in it. It does not depend on the machine."""
    row_bytes = row_size = 1
    widest = 1
    matrix, piece = False, 1
    for node in order:
        if isinstance(node.op.native, NativeAdded) and node in inside and schedule.axes[node][1]:
            piece = max(piece, -(-_PIECE // math.prod(node.shape[schedule.axes[node][1] + 1 :])))
        product = node.op.family == "contraction"
        matrix = matrix or (product and node.ndim > 1 and not _of_batches(schedule, node))
        if node.op is permute:
            # Its operand in another order, element by element, as no other view: whoever uses it counts.
            continue
        for child, _ in [*_cut_operands(schedule, node), *([(node, 0)] if node in inside else [])]:
            if child.op.results:
                # Each of them counts by itself.
                continue
            if product and node.ndim == 1 and child.ndim == 2:
                # It is gone through once: only the vectors have to stay in the cache.
                widest = max(widest, child.nbytes // length)
                continue
            row_bytes = max(row_bytes, child.nbytes // length)
            row_size = max(row_size, child.size // length)
    least = -(-sizes.least // row_size)
    rows = max(sizes.block_bytes // row_bytes, least)
    # Larger ones as long as there remain enough to keep many threads busy.
    rows = max(rows, min(sizes.elements // row_size, length // _ENOUGH))
    if widest > row_bytes:
        many = min(_MATRIX_BYTES // widest, length // _ENOUGH)
        rows = min(rows, max(sizes.block_bytes // widest, many, least))
    rows = max(rows, min(piece, _MATRIX_BYTES // row_bytes))
    if matrix:
        # Not at any price: rows may be long.
        rows = max(rows, min(sizes.matrix_rows, _MATRIX_BYTES // row_bytes))
    if rows > MOST_TILES:
        rows -= rows % MOST_TILES
    return max(1, min(rows, length))


def times_as_long(blocks: int, seen: int, made: int) -> int:
    """How many times as long blocks may be of a pass that one native function goes through once: it needs no cache for
    them, and each begins and ends in Python. The largest array that is read or written has `seen` bytes, the largest
    value `made`, which had to fit the cache as well."""
    patient = _MOST_AT_ONCE * blocks // max(made, 1)
    return max(1, min(_LONGER, blocks // (2 * _ENOUGH)), min(made // seen, blocks // _ENOUGH, patient))


def fills_vectors(line: int) -> bool:
    """Whether so many neighbouring elements fill two thirds of the vectors that they are gone through in."""
    return line * 3 >= -(-line // _LANES) * _LANES * 2


def _of_batches(schedule: Schedule, node: Node) -> bool:
    """Whether it is the batches of a product that are cut: each matrix is whole."""
    return schedule.kind[node] == BLOCK and schedule.axes[node][1] < node.ndim - 2


def is_transposed(schedule: Schedule, order: Sequence[Node], inside: set[Node], length: int, rows: int) -> bool:
    """Whether blocks are laid out with the rows innermost: for few columns that are summed up or broadcast."""
    if rows < _NARROW:
        # Something else is wide, so that a block has few rows: these would be short lines.
        return False
    worth = False
    for node in order:
        if node.op.family == "contraction" or (node in inside and schedule.axes[node][1] != 0):
            return False
        wide = max((c for c in node.inputs), key=lambda c: c.size, default=node)
        width = wide.size // length if wide.shape[:1] == (length,) else 1
        if not 1 < width <= _NARROW:
            continue
        column = any(c.size == length and c.shape[:1] == (length,) and c.ndim == node.ndim for c in node.inputs)
        if node.op.family == "reduction" and node in inside or node.op.family == "elementwise" and column:
            worth = True
    return worth
