"""Tensors taken apart, brought together, turned and padded: what the tables of cases do not say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import gradcli as gc
from gradcli.errors import GradcliError
from gradcli.graph.node import SeveralResults, toposort
from tests.command import call

X = np.arange(12.0).reshape(3, 4)


def leaf(array: Any = X) -> gc.Tensor:
    return gc.tensor(array, requires_grad=True)


# Several results ------------------------------------------------------------------------------------------------------


def test_pieces_have_one_backward_function() -> None:
    x = leaf()
    first, second, third = x.split([1, 2, 1], 1)
    (edge, number), (other, place) = (
        (first * third[:, :1]).grad_fn.next_functions[0],
        (second * 2).grad_fn.next_functions[0],
    )
    assert edge == other and (number, place) == (0, 1)
    assert [type(y) for y in (x.chunk(2), x.unbind(), gc.meshgrid(x[0], x[1]))] == [tuple] * 3


@pytest.mark.parametrize("wanted", [[0], [2], [0, 2], [1, 2], [0, 1, 2]])
@pytest.mark.parametrize("function", [lambda x: x.split((1, 2, 1), 1), lambda x: x.unbind(0)])
def test_gradients_of_some_of_the_pieces(function: Any, wanted: list[int]) -> None:
    x = leaf()
    parts = function(x)
    (found,) = gc.grad([(parts[k] ** 2).sum() for k in wanted], x)
    expected = np.zeros_like(X)
    places = [np.s_[:, :1], np.s_[:, 1:3], np.s_[:, 3:]] if parts[0].ndim == 2 else [0, 1, 2]
    for k in wanted:
        expected[places[k]] = 2 * X[places[k]]
    np.testing.assert_array_equal(found.numpy(), expected)


@pytest.mark.parametrize("function", [lambda x: x.split(3, 1)[1], lambda x: x.unbind(1)[2] * x.unbind(1)[0]])
def test_jacobians_of_pieces(function: Any) -> None:
    jacobian = gc.jacobian(function, leaf()).numpy()
    rows = [gc.grad(y, x)[0].numpy() for x in [leaf()] for y in function(x).reshape(-1)]
    np.testing.assert_array_equal(jacobian.reshape(len(rows), 3, 4), np.stack(rows))


def test_what_is_not_looked_at_is_not_computed() -> None:
    x = gc.zeros(100_000, 3)
    last = x.unbind()[-1]
    assert sum(isinstance(node, SeveralResults) for node in toposort([last.node])) == 1
    assert last.tolist() == [0.0] * 3
    with pytest.raises(GradcliError, match="would make 100,001 tensors"):
        gc.zeros(100_001).unbind()


def test_the_command_unpacks_and_numbers_them(monkeypatch: pytest.MonkeyPatch) -> None:
    items = ["x=[1, 2, 3, 4]", "--no-grad"]
    assert call(monkeypatch, "eval", "a, b, c = tensor_split(x, [1, 3]); a*c + b", *items).out == "tensor([6., 7.])\n"
    done = call(monkeypatch, "eval", "chunk(x, 2)", *items)
    assert done.code == 2 and "hint: choose one with [0] to [1]" in done.err
    done = call(monkeypatch, "eval", "a, b = split(x, 1); a", *items)
    assert done.code == 2 and "2 names are assigned 4 values" in done.err
    done = call(monkeypatch, "eval", "split(x, 2)[2]", *items)
    assert done.code == 2 and "index 2 is out of range for length 2" in done.err


def test_places_have_to_be_known() -> None:
    assert [part.tolist() for part in gc.tensor_split(gc.arange(4), gc.tensor([1, 3]))] == [[0], [1, 2], [3]]
    with pytest.raises(GradcliError, match="known before anything is computed"):
        gc.tensor_split(gc.arange(4), gc.arange(2) + 1)


# Padding --------------------------------------------------------------------------------------------------------------

PADS = [(2, 1), (-1, 3), (0, -2), (3, 3)]


@pytest.mark.parametrize("pads", PADS)
@pytest.mark.parametrize("mode", ["constant", "reflect", "replicate", "circular"])
def test_padding_in_every_mode(mode: str, pads: tuple[int, int]) -> None:
    line = np.arange(1.0, 5.0)
    left, right = (max(0, -n) for n in pads)
    kept = line[left : 4 - right] if mode in ("constant", "circular") else line
    ends = [max(0, n) for n in pads]
    names = {"replicate": "edge", "circular": "wrap"}
    expected = np.pad(kept, ends, mode=names.get(mode, mode))
    if mode in ("reflect", "replicate"):
        expected = expected[left : len(expected) - right]
    x = leaf(line[None])
    got = gc.pad(x, pads, mode)
    np.testing.assert_array_equal(got.detach().numpy()[0], expected)
    weights = np.arange(1.0, len(expected) + 1)
    (found,) = gc.grad((got * weights).sum(), x)
    np.testing.assert_array_equal(found.numpy()[0], [weights[expected == v].sum() for v in line])


@pytest.mark.parametrize(
    "expression",
    [
        "pad(x, (4, 0), 'reflect')",
        "pad(x, (5, 0), 'circular')",
        "pad(x, (1, 1), 'mirror')",
        "pad(x, (1,))",
        "pad(x, (1, 1), 'reflect', 2)",
        "pad(x, (-2, -3))",
        "pad(x[0], (1, 1), 'reflect')",
        "pad(x[:, :0], (1, 0), 'replicate')",
        "unfold(x, 1, 5, 1)",
        "unfold(x, 1, 2, 0)",
        "hsplit(x, 3)",
        "split(x, 0)",
        "split(x, [1, 1])",
        "chunk(x, 0)",
        "as_strided(x, (3, 3), (4, 2))",
        "as_strided(x.T, (2,), (1,))",
        "sum_to_size(x, 2)",
        "combinations(x)",
        "combinations(zeros(100_000))",
        "meshgrid(x, x[0])",
        "block_diag(unsqueeze(x, 0))",
        "rot90(x, 1, (0, 0))",
        "fill(x, x)",
    ],
)
def test_refused_in_a_sentence(expression: str, monkeypatch: pytest.MonkeyPatch) -> None:
    done = call(monkeypatch, "eval", expression, f"x={X.tolist()}")
    assert done.code == 2 and done.err.startswith("gradcli: ") and "^" in done.err, done


def test_filling_in_place_stays_tracked() -> None:
    x = leaf()
    y = x.clone().zero_()
    assert y.requires_grad and y.grad_fn is not None and y.grad_fn.name() == "ZeroBackward0"
    assert gc.grad((y * x).sum(), x)[0].tolist() == np.zeros((3, 4)).tolist()
    z = (x * 1).fill_(2)
    assert z.grad_fn is not None and z.grad_fn.name() == "FillBackward2"
    number = gc.tensor(3.0, requires_grad=True)
    w = (x * 1).fill_(number)
    assert w.grad_fn is not None and w.grad_fn.name() == "FillBackward3" and w.tolist() == [[3.0] * 4] * 3
    assert gc.grad((w * x).sum(), number)[0].item() == pytest.approx(X.sum())


@pytest.mark.parametrize(
    ("shape", "wrap", "places"),
    [
        ((3, 3), False, [0, 4, 8]),
        ((2, 5), True, [0, 6]),
        ((5, 2), False, [0, 3]),
        ((8, 2), True, [0, 3, 6, 9, 12, 15]),
        ((2, 2, 2), False, [0, 7]),
        ((0, 2), True, []),
        ((2, 0), False, []),
    ],
)
def test_a_diagonal_is_filled(shape: tuple[int, ...], wrap: bool, places: list[int]) -> None:
    x = gc.zeros(shape)
    assert x.fill_diagonal_(5, wrap) is x
    assert [k for k, n in enumerate(x.reshape(-1).tolist()) if n == 5] == places


def test_a_diagonal_is_filled_in_what_is_tracked_or_a_view() -> None:
    x = leaf()
    y = x * 2
    block = y[:, 1:]
    block.T.fill_diagonal_(1.5)
    assert y.grad_fn is not None and y.grad_fn.name() == "CopySlices"
    assert block[0, 0].item() == block[1, 1].item() == y[2, 3].item() == 1.5
    wanted = np.full((3, 4), 2.0)
    wanted[[0, 1, 2], [1, 2, 3]] = 0
    assert gc.grad(y.sum(), x)[0].tolist() == wanted.tolist()
    assert gc.tensor([[1, 2], [3, 4]]).fill_diagonal_(7.9).tolist() == [[7, 2], [3, 7]]
    for refused, message in (
        (lambda: x.fill_diagonal_(1), "leaf that requires grad"),
        (lambda: gc.zeros(2).fill_diagonal_(1), "at least 2 dimensions"),
        (lambda: gc.zeros(2, 2, 3).fill_diagonal_(1), "equal lengths"),
        (lambda: gc.zeros(2, 2).fill_diagonal_(gc.tensor(1.0)), "takes a number"),  # type: ignore[arg-type]
    ):
        with pytest.raises(gc.GradcliError, match=message):
            refused()
