"""Convolutions at infinite kernels; maxima of windows: the first of equal elements, the last NaN, signs of zeros."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest

import gradcli as gc

KINDS = np.array([0.0, -0.0, 1.0, 2.0, -np.inf, np.nan])


def by_definition(x: np.ndarray, rows: list[range], columns: list[range]) -> list[tuple[float, int]]:
    """Element after element of each window."""
    found = []
    for window in product(rows, columns):
        best, at = -math.inf, window[0][0] * x.shape[1] + window[1][0]
        for row, column in product(*window):
            if x[row, column] > best or math.isnan(x[row, column]):
                best, at = float(x[row, column]), row * x.shape[1] + column
        found.append((best, at))
    return found


@pytest.mark.parametrize(
    ("expression", "wanted", "grad"),
    [
        ("unfold(x, 0, 2, 2**62)", [[1, 2]], [1, 1, 0]),
        ("conv1d(x[None, None], ones(1, 1, 3), stride=2**62)[0, 0]", [6], [1, 1, 1]),
        ("conv1d(x[None, None], ones(1, 1, 1), stride=2**62, dilation=2**62)[0, 0]", [1], [1, 0, 0]),
        ("im2col(x[None, None, None], (1, 1), 2**62, 0, 2**62)[0, 0]", [1], [1, 0, 0]),
        ("triu(x*ones(1, 3), -2**63)[0]", [1, 2, 3], [1, 1, 1]),
        ("tril(x*ones(1, 3), -2**63)[0]", [0, 0, 0], [0, 0, 0]),
    ],
)
def test_steps_beyond_the_end(expression: str, wanted: object, grad: list[int]) -> None:
    found = gc.evaluate(expression, {"x": [1, 2, 3]}, grad_output=1)
    assert found.value.tolist() == wanted and found.grads is not None and found.grads["x"].tolist() == grad


def sliding(length: int, size: int, step: int) -> list[range]:
    return [range(start, start + size) for start in range(0, length - size + 1, step)]


def adaptive(length: int, count: int) -> list[range]:
    return [range(k * length // count, -(-(k + 1) * length // count)) for k in range(count)]


@pytest.mark.parametrize("seed", range(12))
def test_ties_zeros_and_nan(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.choice(KINDS[: 5 + seed % 2], (5, 7))
    data = gc.tensor(x[None])
    for found, rows, columns in (
        (gc.max_pool2d(data, (2, 3), 1, return_indices=True), sliding(5, 2, 1), sliding(7, 3, 1)),
        (gc.adaptive_max_pool2d(data, (2, 3), return_indices=True), adaptive(5, 2), adaptive(7, 3)),
    ):
        expected = by_definition(x, rows, columns)
        values, places = (part.numpy().reshape(-1) for part in found)
        assert places.tolist() == [at for _, at in expected]
        # repr tells the zeros apart.
        assert [repr(float(v)) for v in values] == [repr(best) for best, _ in expected]
    alone = gc.max_pool2d(data, (2, 3), 1).numpy().reshape(-1)
    expected = by_definition(x, sliding(5, 2, 1), sliding(7, 3, 1))
    assert [repr(float(v)) for v in alone] == [repr(best) for best, _ in expected]


@pytest.mark.parametrize("pooling", ["max_pool1d(x, {})", "adaptive_max_pool1d(x, {})"])
@pytest.mark.parametrize("windows", ["2", "2, 1", "3, 2, 1", "3, 3, 1", "2, 2, 0, 2", "2, 3, 0, 2", "2, 1, 0, 3", "4"])
def test_an_element_has_the_gradients_of_all_windows_that_it_is_the_largest_of(pooling: str, windows: str) -> None:
    if "adaptive" in pooling and "," in windows:
        return
    x = np.random.default_rng(1).integers(0, 9, (3, 5, 12)).astype(float)
    x[0, 0, 3:8] = np.nan
    call = pooling.format(windows)
    flagged = call[:-1] + ", return_indices=True)"
    places = gc.evaluate(f"{flagged}.indices", {"x": x}, wrt=()).value.numpy().reshape(15, -1)
    wanted = np.concatenate([np.bincount(line, minlength=12) for line in places]).reshape(x.shape)
    assert np.array_equal(gc.evaluate(call, {"x": x}, grad_output=1).grads["x"], wanted)


@pytest.mark.parametrize("kernel", [3, np.inf])
@pytest.mark.parametrize("padding, dilation", [(0, 1), (1, 1), (1, 2), (4, 1)])
def test_the_gradient_of_a_convolution_spreads_each_result_over_its_window(
    padding: int, dilation: int, kernel: float
) -> None:
    rng = np.random.default_rng(padding)
    x, w = rng.standard_normal((2, 2, 9, 8)), rng.standard_normal((2, 2, 3, 3))
    # Nothing but its own element meets an infinite one: not the zeros around the results.
    w[0, 1, 0, 2] = kernel
    steps = f"padding={padding}, dilation={dilation}"
    found = gc.evaluate(f"sum(conv2d(x, w, {steps}))", {"x": x, "w": w}).grads["x"]
    around = np.zeros((2, 2, 9 + 2 * padding, 8 + 2 * padding))
    height, width = (n - 2 * dilation for n in around.shape[2:])
    for k, m in product(range(3), range(3)):
        around[:, :, k * dilation :, m * dilation :][:, :, :height, :width] += w[:, :, k, m].sum(0)[:, None, None]
    inside = slice(padding, -padding or None)
    assert np.allclose(found, around[:, :, inside, inside], rtol=1e-12)


@pytest.mark.parametrize("more", ["", ", padding=1, groups=2", ", stride=2", ", stride=(2, 1), dilation=2, padding=2"])
@pytest.mark.parametrize("space", [(5,), (5, 6), (3, 4, 3), (9, 70)])
def test_images_that_are_convolved_together_are_convolved_each(space: tuple[int, ...], more: str) -> None:
    if len(space) != 2 and "(" in more:
        more = ", stride=2, dilation=2, padding=2"
    rng = np.random.default_rng(len(space))
    groups = 2 if "groups" in more else 1
    x, w = rng.standard_normal((23, 4, *space)), rng.standard_normal((6, 4 // groups, *(3 for _ in space)))
    text = f"conv{len(space)}d(x, w{more})**2/2"
    whole, each = gc.evaluate(text, {"x": x, "w": w}, grad_output=1), []
    for image in x[:, None]:
        each.append(gc.evaluate(text, {"x": image, "w": w}, grad_output=1))
    assert np.allclose(
        whole.value.detach().numpy(), np.concatenate([one.value.detach().numpy() for one in each]), rtol=1e-12
    )
    assert np.allclose(whole.grads["x"], np.concatenate([one.grads["x"] for one in each]), rtol=1e-12, atol=1e-12)
    assert np.allclose(whole.grads["w"], sum(one.grads["w"] for one in each), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("channels", [0, 2])
def test_a_convolution_without_results_has_zeros_as_gradient(channels: int) -> None:
    inputs = {"x": np.ones((1, channels, 5, 5)), "w": np.ones((0, channels, 3, 3))}
    grads = gc.evaluate("sum(conv2d(x, w, padding=1))", inputs).grads
    assert np.array_equal(grads["x"], np.zeros((1, channels, 5, 5))) and grads["w"].shape == (0, channels, 3, 3)
