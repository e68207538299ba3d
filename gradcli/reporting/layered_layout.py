"""Where the boxes of a graph stand: in rows by the longest path that leads to them, so that few arrows cross."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

Point = tuple[float, float]

_GAP = 28.0
# The room that an arrow takes which passes a row.
_PASSING = 14.0
_SWEEPS = 6


class GraphLayout(NamedTuple):
    """The size of the picture, the row of each box and its centre, and the points that each arrow passes, the centres
    of the boxes at its ends among them."""

    width: float
    height: float
    rows: list[int]
    centres: list[Point]
    paths: list[list[Point]]


def layered(widths: Sequence[float], edges: Sequence[tuple[int, int]], row_height: float) -> GraphLayout:
    """Places for boxes of some widths; every edge leads from a box to a later one.

    >>> layered([40, 40, 40], [(0, 2), (1, 2)], 50).centres
    [(20.0, 25.0), (88.0, 25.0), (54.0, 75.0)]
    """
    ranks = _ranks(len(widths), edges)
    sizes, row_of = list(widths), list(ranks)
    chains = []
    for source, target in edges:
        # An arrow over several rows has a place in each of them.
        between = range(len(sizes), len(sizes) + ranks[target] - ranks[source] - 1)
        sizes += [_PASSING] * len(between)
        row_of += range(ranks[source] + 1, ranks[target])
        chains.append([source, *between, target])
    rows: list[list[int]] = [[] for _ in range(max(ranks, default=-1) + 1)]
    for node, row in enumerate(row_of):
        rows[row].append(node)
    above: list[list[int]] = [[] for _ in sizes]
    below: list[list[int]] = [[] for _ in sizes]
    for chain in chains:
        for a, b in zip(chain, chain[1:], strict=False):
            below[a].append(b)
            above[b].append(a)
    _order(rows, above, below)
    x = _columns(rows, sizes, above, below)
    left = min((x[k] - sizes[k] / 2 for k in range(len(sizes))), default=0.0)
    right = max((x[k] + sizes[k] / 2 for k in range(len(sizes))), default=0.0)
    points = [(x[k] - left, row_height * (row_of[k] + 0.5)) for k in range(len(sizes))]
    paths = [[points[k] for k in chain] for chain in chains]
    return GraphLayout(right - left, row_height * len(rows), ranks, points[: len(widths)], paths)


def _ranks(count: int, edges: Sequence[tuple[int, int]]) -> list[int]:
    """The row of each box; what nothing leads to stands just above the first box that it leads to."""
    ranks = [0] * count
    for source, target in sorted(edges, key=lambda edge: edge[1]):
        ranks[target] = max(ranks[target], ranks[source] + 1)
    reached = {target for _, target in edges}
    nearest: dict[int, int] = {}
    for source, target in edges:
        if source not in reached:
            nearest[source] = min(nearest.get(source, ranks[target]), ranks[target])
    for source, rank in nearest.items():
        ranks[source] = rank - 1
    return ranks


def _order(rows: list[list[int]], above: list[list[int]], below: list[list[int]]) -> None:
    """Order each row by the middle of the neighbours in the row before, downwards and upwards in turn."""
    place = {node: float(k) for row in rows for k, node in enumerate(row)}
    for sweep in range(_SWEEPS):
        down = sweep % 2 == 0
        near = above if down else below
        for row in rows if down else reversed(rows):
            middles = {node: _mean([place[other] for other in near[node]], place[node]) for node in row}
            row.sort(key=lambda node: middles[node])
            place.update({node: float(k) for k, node in enumerate(row)})


def _columns(
    rows: list[list[int]], sizes: Sequence[float], above: list[list[int]], below: list[list[int]]
) -> list[float]:
    """The x of each place: near the middle of its neighbours, in the order of its row and without touching."""
    x = [0.0] * len(sizes)
    for row in rows:
        for node, at in zip(row, _apart(row, [0.0] * len(row), sizes), strict=True):
            x[node] = at
    for sweep in range(2 * _SWEEPS + 1):
        down = sweep % 2 == 0
        near = above if down else below
        for row in rows if down else reversed(rows):
            wished = [_mean([x[other] for other in near[node]], x[node]) for node in row]
            for node, at in zip(row, _apart(row, wished, sizes), strict=True):
                x[node] = at
    return x


def _apart(row: Sequence[int], wished: Sequence[float], sizes: Sequence[float]) -> list[float]:
    """The places in a row that are nearest to those wished for: neighbours that would touch move together."""
    offsets, end = [], 0.0
    for node in row:
        offsets.append(end + sizes[node] / 2)
        end += sizes[node] + _GAP
    groups: list[tuple[float, int]] = []
    for wish, offset in zip(wished, offsets, strict=True):
        total, count = wish - offset, 1
        while groups and groups[-1][0] / groups[-1][1] >= total / count:
            before = groups.pop()
            total, count = total + before[0], count + before[1]
        groups.append((total, count))
    starts = [total / count for total, count in groups for _ in range(count)]
    return [start + offset for start, offset in zip(starts, offsets, strict=True)]


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise
