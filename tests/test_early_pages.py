"""Memory of results that is taken from the system while the code for them is made."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence

import numpy as np
import pytest

import gradcli as gc
from gradcli.engine.execute import run
from gradcli.engine.execute.early_pages import pages_taken
from gradcli.engine.native.processor import missing
from gradcli.evaluation.evaluate import _kept

SIZE = 1 << 24


def test_each_page_is_written_while_the_block_lasts() -> None:
    array = np.full((4, SIZE // 4), 7, np.uint8)
    pages = array.reshape(-1)[::4096]
    with pages_taken([np.full(9, 7, np.uint8), array], 2):
        ends = time.monotonic() + 60
        while pages.any() and time.monotonic() < ends:
            time.sleep(0.001)
    assert not pages.any() and np.count_nonzero(array == 7) == SIZE - len(pages)


def test_nothing_is_written_afterwards() -> None:
    array = np.empty(SIZE, np.uint8)
    for _ in range(50):
        with contextlib.suppress(KeyboardInterrupt), pages_taken([array], 2):
            raise KeyboardInterrupt
        array[:] = 7
        assert array.all()
    time.sleep(0.02)
    assert array.all()


def test_one_thread_is_one_thread() -> None:
    array = np.full(SIZE, 7, np.uint8)
    with pages_taken([array], 1):
        time.sleep(0.02)
    assert array.all()


@pytest.mark.skipif(missing() is not None, reason="llvmlite is not installed")
@pytest.mark.parametrize("expression", ["sum(sigmoid(x)*2)", "p = exp(x); mean(x*p)/mean(p)"])
def test_only_what_holds_nothing_is_taken(expression: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the second one, the gradient's memory holds `exp(x)` between two passes."""
    given: list[np.ndarray] = []

    @contextlib.contextmanager
    def spoilt(arrays: Sequence[np.ndarray], threads: int) -> Iterator[None]:
        for array in arrays:
            array[...] = np.nan
        given.extend(arrays)
        yield

    x = np.random.default_rng(0).standard_normal(4_000_000)
    gc.set_engine("numpy")
    expected = gc.evaluate(expression, {"x": x}).grads["x"].numpy()
    _kept.clear()
    gc.set_engine("native")
    monkeypatch.setattr(run, "pages_taken", spoilt)
    found = gc.evaluate(expression, {"x": x}).grads["x"].numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-18)
    assert len(given) == (1 if "p" not in expression else 0)
    gc.evaluate(expression, {"x": x + 1}).grads["x"].numpy()
    assert len(given) <= 1
