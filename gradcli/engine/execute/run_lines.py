"""Lines added up at places in native code, ranges of places dealt to threads."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np

from gradcli.engine.execute.threads import Failures, deal, in_vain
from gradcli.engine.native.added_lines import ARGUMENTS, AddedLines
from gradcli.engine.native.call import loaded


def run_lines(lines: AddedLines, threads: int, memory: Callable[[int], Any], *inputs: Any, **params: Any) -> Any:
    """What the operation's kernel gives; `memory` gives so many bytes."""
    node = lines.node
    places, start = _plain(inputs[lines.places]), None if lines.start is None else _plain(inputs[lines.start])
    terms, step = _in_lines(inputs[lines.terms], inputs[lines.places].ndim, lines.width)
    out = memory(node.nbytes).view(node.dtype).reshape(node.shape)
    function = loaded(lines.text if step else lines.text_of_alike)[1]
    length, ranges = lines.length(threads), lines.ranges(threads)
    wrap, taken = node.shape[0] * lines.wraps, [0] * ranges
    failures: Failures = []

    def worker() -> Callable[[int], None]:
        own, table = memory(lines.memory(threads)), (ctypes.c_int64 * len(ARGUMENTS))()

        def do(k: int) -> None:
            first = min(k * length, node.shape[0])
            here = min(length, node.shape[0] - first)
            begin, sums = first * lines.width * node.dtype.itemsize, here * lines.width
            before, after = 0 if start is None else start.ctypes.data + begin, out.ctypes.data + begin
            for done in range(0, places.size, lines.together):
                if in_vain(failures, k):
                    return
                count = min(lines.together, places.size - done)
                begun, ended = sums if done == 0 else 0, sums if done + count == places.size else 0
                addresses = places.ctypes.data + done * places.itemsize, terms.ctypes.data + done * step
                table[:] = [*addresses, before, after, step, count, first, wrap, begun, ended, 0]
                function(ctypes.addressof(table), here, own.ctypes.data)
                taken[k] += table[-1]

        return do

    deal(ranges, threads, worker, failures=failures)
    if sum(taken) != places.size and lines.check is not None:
        # Some are where nothing is.
        lines.check(places)
    return out


def _in_lines(terms: Any, lead: int, width: int) -> tuple[Any, int]:
    """The terms in one piece, and the bytes from each line to the next: 0 where all are the same, as in the gradient of
    a sum, and only the first is there."""
    if not any(terms.strides[:lead]):
        return _plain(terms[(0,) * lead]), 0
    return _plain(terms), width * terms.itemsize


def _plain(array: Any) -> Any:
    """An array as native code takes it."""
    return np.require(array, requirements=("C", "A"))
