"""The memory of large arrays that nobody needs any more is used again, and nobody else's is."""

from __future__ import annotations

import resource
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import gradcli as gc
from gradcli.machine.kept_memory import MOST_KEPT, forget, lent
from gradcli.machine.limits import limited
from tests.command import environment

SIZE = 1 << 22


def gradient(x: np.ndarray) -> np.ndarray:
    grads = gc.evaluate("sum(x*x)", {"x": x}).grads
    assert grads is not None and grads["x"] is not None
    return grads["x"].detach().numpy()


def test_results_live_where_dropped_ones_were() -> None:
    forget()
    x = np.arange(SIZE + 5, dtype=np.float32)
    first = gradient(x)
    part, place = first[7:9], first.ctypes.data
    del first
    other = gradient(x + 1)
    assert np.array_equal(part, [14, 16]) and other.ctypes.data != place, "a part of it is still needed"
    assert np.array_equal(other, 2 * (x + 1)) and other.ctypes.data % 64 == 0
    del part
    again = gradient(x + 2)
    assert again.ctypes.data == place and np.array_equal(again, 2 * (x + 2))


def test_nothing_is_kept_where_memory_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    forget()
    with limited(1 << 28):
        places = [gradient(np.ones(SIZE, np.float32)).base for _ in range(2)]
    del places
    found = lent(4 * SIZE)
    assert found is not None and not found.kept
    for limit in ("RLIMIT_AS", "RLIMIT_DATA"):
        most = {getattr(resource, limit): 1 << 40}
        monkeypatch.setattr(
            resource, "getrlimit", lambda which, most=most: (most.get(which, resource.RLIM_INFINITY),) * 2
        )
        assert lent(SIZE) is None


def test_little_is_kept_and_the_last_first() -> None:
    forget()
    held = [lent(MOST_KEPT // 4 + k * SIZE) for k in range(5)]
    kept = held[0].kept if held[0] is not None else []
    sizes = [len(one.pages) for one in held if one is not None]
    while held:
        del held[0]
    assert [len(pages) for pages in kept] == sizes[-3:]
    large = lent(MOST_KEPT + 1)
    del large
    assert [len(pages) for pages in kept] == sizes[-3:], "what is too large drives nothing out"
    forget()
    assert not kept


def test_few_single_pages_are_kept_beside_what_is_larger() -> None:
    forget()
    size = 1 << 20
    held = [lent(size) for _ in range(20)]
    large = lent(SIZE)
    assert large is not None
    kept, first = large.kept, [one.pages for one in held if one is not None][-16:]
    del large
    while held:
        del held[0]
    assert kept[1:] == first and len(kept[0]) == SIZE, "the last sixteen, and nothing else is driven out"
    again = lent(size)
    assert again is not None and again.pages is first[-1]


def test_an_array_may_outlive_all_names() -> None:
    code = "import numpy, gradcli.machine.kept_memory as k; numpy.last = numpy.asarray(k.lent(1 << 22))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment(), check=True)
    assert done.stderr == ""


def test_no_two_threads_are_given_the_same() -> None:
    def used(mark: int) -> bool:
        for _ in range(100):
            array = np.asarray(lent(SIZE))
            array[::4096] = mark
            if not (array[::4096] == mark).all():
                return False
            del array
        return True

    with ThreadPoolExecutor(6) as pool:
        assert all(pool.map(used, range(6)))
    forget()
