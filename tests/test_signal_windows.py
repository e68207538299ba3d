"""Windows, powers in a row, places in triangles, runs and counts: PyTorch 2.13's figures, and what is refused."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import gradcli as gc
from gradcli.errors import GradcliError


@pytest.mark.parametrize("offset", range(-6, 7))
@pytest.mark.parametrize(("rows", "columns"), [(0, 3), (3, 0), (1, 1), (3, 3), (2, 5), (5, 2), (400, 300)])
def test_places_in_triangles_are_those_of_numpy(rows: int, columns: int, offset: int) -> None:
    lower, upper = np.tril_indices(rows, offset, columns), np.triu_indices(rows, offset, columns)
    np.testing.assert_array_equal(gc.tril_indices(rows, columns, offset).numpy(), np.stack(lower))
    np.testing.assert_array_equal(gc.triu_indices(rows, columns, offset).numpy(), np.stack(upper))


def test_short_windows() -> None:
    for window in (gc.hann_window, gc.hamming_window, gc.blackman_window, gc.bartlett_window, gc.kaiser_window):
        assert window(0).shape == (0,) and window(1).tolist() == [1] and window(2).shape == (2,)


def test_runs_of_equal_elements() -> None:
    values, places, counts = gc.unique_consecutive(
        gc.tensor([[1, 1], [1, 1], [2, 1]]), return_inverse=True, return_counts=True, dim=0
    )
    assert (values.tolist(), places.tolist(), counts.tolist()) == ([[1, 1], [2, 1]], [0, 0, 1], [2, 1])
    values, places, counts = gc.unique_consecutive(gc.zeros(0), return_inverse=True, return_counts=True)
    assert (values.shape, places.shape, counts.shape) == ((0,), (0,), (0,))
    assert len(gc.unique_consecutive(gc.tensor([float("nan")] * 2)).tolist()) == 2


def test_weights_are_added_up() -> None:
    x = gc.tensor(np.array([1, 2, 1]))
    assert gc.bincount(x, gc.tensor([0.5, 1.0, 2.0])).dtype == np.float32
    assert gc.bincount(x, x).dtype == np.float64
    assert gc.bincount(x, gc.tensor([0.5, 1.0, 2.0]), 4).tolist() == [0, 2.5, 1, 0]
    weights = gc.tensor([0.5, 1.0, 2.0], requires_grad=True)
    gc.bincount(x, weights).square().sum().backward()
    assert weights.grad is not None and weights.grad.tolist() == [5, 2, 5]


FIRST_OF_EQUAL: dict[str, tuple[list[float], list[float]]] = {
    "unique(x)": ([3, 1, 3, 2], [30, 10, 0, 20]),
    "unique_consecutive(x)": ([3, 3, 1, 3], [10, 0, 20, 30]),
    "unique(x, dim=0)": ([2, 2, 1, 3], [20, 0, 10, 30]),
}


@pytest.mark.parametrize("call", FIRST_OF_EQUAL)
def test_the_gradient_of_what_is_there_once(call: str) -> None:
    elements, expected = FIRST_OF_EQUAL[call]
    # What else depends on x is added to it, and nothing is lost.
    for more in (0, 1):
        result = gc.evaluate(f"sum({call}*[10, 20, 30]) + {more}*sum(x)", {"x": np.array(elements, float)})
        assert result.grads is not None and (result.grads["x"] - more).tolist() == expected


REFUSED: dict[str, Callable[[], object]] = {
    "counts numbers from 0 on, got -1": lambda: gc.bincount(gc.tensor(np.array([1, -1]))),
    "has room for": lambda: gc.bincount(gc.tensor(np.array([10**12]))),
    "vector of integers, got float32": lambda: gc.bincount(gc.ones(2)),
    "may be used": lambda: gc.tril_indices(10**6, 10**6).tolist(),
    "no negative length": lambda: gc.hann_window(-1),
    "floating-point": lambda: gc.hann_window(3, dtype=gc.int64),
    "not for booleans": lambda: gc.gcd(gc.ones(2) > 0, gc.ones(2) > 0),
    r"lcm\(\) is defined for integers, not for float32": lambda: gc.lcm(gc.arange(3), 2.0),
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_has_no_answer_is_refused(message: str) -> None:
    with pytest.raises(GradcliError, match=message):
        REFUSED[message]()


def test_a_hint_says_how_to_count() -> None:
    for array, hint in ((np.array([-1]), "x.min()"), (np.ones(2), "x.long()"), (np.ones((2, 2), int), "x.flatten()")):
        with pytest.raises(GradcliError) as refused:
            gc.bincount(gc.tensor(array))
        assert hint in str(refused.value.hint)
