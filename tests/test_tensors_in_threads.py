"""Threads that read a tensor at the moment at which it starts from its values, and that change it meanwhile."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import gradcli as gc


@pytest.fixture(autouse=True)
def _often_switched() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def together(jobs: list[Callable[[], Any]]) -> list[Any]:
    """What functions give that are called at the same moment, each in a thread of its own."""
    found: list[Any] = [None] * len(jobs)
    start = threading.Barrier(len(jobs))

    def call(number: int, job: Callable[[], Any]) -> None:
        start.wait()
        try:
            found[number] = job()
        except BaseException as error:  # noqa: BLE001  (whatever it is, the test is to say it)
            found[number] = error

    threads = [threading.Thread(target=call, args=pair) for pair in enumerate(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


@pytest.mark.parametrize("changes", [1, 3, 20])
def test_a_tensor_that_was_changed_is_read_by_many_at_once(changes: int) -> None:
    """It was taken apart by one of them, who started from its values, while others read it."""
    for _ in range(60):
        x, v = gc.zeros(8), 0.0
        tail, table = x[1:], x.reshape(2, 4)
        for _ in range(changes):
            x += 1
            x *= 0.5
            v = (v + 1) * 0.5
        y, z = x * 3 + 1, x[2:] * 2
        assert together(
            [
                x.tolist,
                x.tolist,
                y.tolist,
                lambda x=x: (x + 1).tolist(),
                tail.tolist,
                z.tolist,
                lambda x=x, table=table: (table.sum(0) + x[:4]).tolist(),
            ]
        ) == [[n] * k for n, k in ((v, 8), (v, 8), (v * 3 + 1, 8), (v + 1, 8), (v, 7), (v * 2, 6), (v * 3, 4))]
        first = x[0]
        x += 1
        assert tail.tolist() == [v + 1] * 7 and table.tolist() == [[v + 1] * 4] * 2 and first.item() == v + 1


def test_views_that_are_made_while_a_tensor_is_first_read_are_views_of_it() -> None:
    for _ in range(200):
        x = gc.zeros(4) + 1
        _, first, rest = together([x.tolist, lambda x=x: x[0], lambda x=x: x.reshape(2, 2)[1]])
        x *= 5
        assert first.item() == 5 and rest.tolist() == [5, 5]


def test_a_tensor_is_read_while_it_is_changed() -> None:
    x = gc.zeros(4)
    part = x[1:]

    def write() -> None:
        for _ in range(300):
            x.add_(1)

    def read(tensor: Any) -> list[list[float]]:
        return [(tensor + 0).tolist() for _ in range(100)] + [tensor.tolist() for _ in range(100)]

    _, whole, parts, _ = together([write, lambda: read(x), lambda: read(part), lambda: read(x.reshape(2, 2))])
    for seen in (whole, parts):
        assert not isinstance(seen, BaseException), seen
        assert all(len(set(values)) == 1 and values[0] in range(301) for values in seen)
    assert x.tolist() == [300.0] * 4 and part.tolist() == [300.0] * 3
    x.zero_()
    assert part.tolist() == [0.0] * 3
