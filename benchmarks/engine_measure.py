"""What the sections of engine.py share: options, interleaved timing, ratios, Markdown tables."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from record import Record

Run = Callable[[], Any]
Times = dict[str, list[float]]

#: Between two contenders: threads that wait for more work spin for some milliseconds.
_PAUSE = 0.02
#: Rounds that there are in any case, unless the time of a whole run is limited.
FEW = 3
_CHUNK = 1 << 28


class Shares:
    """The time of a whole run: each row gets an equal part of what is left, so that none is cut off."""

    def __init__(self, seconds: float, rows: int) -> None:
        self._end, self._rows = time.perf_counter() + seconds, rows
        #: Rounds of each comparison that there are in any case.
        self.least = FEW if seconds == math.inf else 1

    def take(self) -> float:
        """Until when the next row may last, its preparation included."""
        now, rows = time.perf_counter(), max(self._rows, 1)
        self._rows -= 1
        return now + (self._end - now) / rows


class Options(NamedTuple):
    """What the command line says."""

    scale: float
    repeat: int
    only: str
    count: int
    seed: int
    tmp: str | None
    #: Of rounds, for each comparison; a few there are in any case.
    seconds: float
    record: Record
    shares: Shares

    def size(self, count: int) -> int:
        """A size of the benchmark, scaled; a multiple of 100, so that it can be split into rows."""
        return max(100, int(count * self.scale) // 100 * 100)


def warm(nbytes: int) -> None:
    """Touch and free memory: pages that the machine has not given out for a while cost many times as much."""
    held = [np.ones(_CHUNK // 8) for _ in range(nbytes // _CHUNK + 1)]
    del held


def interleave(
    contenders: Mapping[str, Run],
    repeat: int,
    memory: int = 0,
    seconds: float = math.inf,
    far: float = math.inf,
    least: int = FEW,
) -> Times:
    """The times of each contender, one after the other in every round. Results are dropped outside the clock.

    Rounds end after so many `seconds`, but there are at least so many; who takes `far` times as long as the first
    contender sits out all but a few.
    """
    times: Times = {name: [] for name in contenders}
    first = next(iter(times))
    warm(memory)
    began = time.perf_counter()
    for done in range(repeat):
        if done >= least and time.perf_counter() - began > seconds:
            break
        for name, run in contenders.items():
            if done >= FEW and min(times[name]) > far * min(times[first]):
                continue
            time.sleep(_PAUSE)
            start = time.perf_counter()
            result = run()
            times[name].append(time.perf_counter() - start)
            del result
    return times


def repeated(run: Run, calls: int) -> Run:
    """A function that calls another so many times."""
    if calls == 1:
        return run

    def several() -> None:
        for _ in range(calls):
            run()

    return several


def median(values: Sequence[float]) -> float:
    return sorted(values)[len(values) // 2]


def ratio(times: Times, name: str, base: str = "gradcli") -> str:
    """The time of a contender over that of `base`: of the minima, and of the medians."""
    if name not in times:
        return "–"
    a, b = times[name], times[base]
    return f"{min(a) / min(b):.2f} / {median(a) / median(b):.2f}"


def milliseconds(values: Sequence[float]) -> str:
    return f"{min(values) * 1e3:.3g} / {median(values) * 1e3:.3g}"


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A Markdown table, the first column left-aligned."""
    widths = [max(len(row[k]) for row in [header, *rows]) for k in range(len(header))]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    for row in [header, rule, *rows]:
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        print("| " + " | ".join(cells) + " |", flush=True)
    print(flush=True)
