"""Indices in the language and from Python mean what they mean to NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import gradcli as gc
from gradcli.language.parse import parse, unparse

ARRAY = np.arange(12.0).reshape(3, 4)

# Tuples are the index itself, or a list of indices where they stand within one.
INDICES = [
    "A[(0,1)]",
    "A[((0,1))]",
    "A[(0,)]",
    "A[0,]",
    "A[-1,]",
    "A[(-1,)]",
    "A[()]",
    "A[(),]",
    "A[((),)]",
    "A[(),0]",
    "A[0,()]",
    "A[(0,1),]",
    "A[((0,1),)]",
    "A[((0,1),2)]",
    "A[(0,1),2]",
    "A[((0,1),(1,2))]",
    "A[(((0,1),(1,2)),)]",
    "A[[0,1]]",
    "A[[0,1],]",
    "A[[0,1],[1,2]]",
    "A[[(0,1),(1,2)]]",
    "A[([0,2],)]",
    "A[(0,[1,2])]",
    "A[[],]",
    "A[[[]]]",
    "A[[[],[]]]",
    "A[(None,0)]",
    "A[(0,None)]",
    "A[None,]",
    "A[(...,0)]",
    "A[...,]",
    "A[:,]",
    "A[1:,]",
    "A[1:,(0,1)]",
    "A[(1,2)][()]",
    "A[A.shape[0]-1,]",
    "A[(A.ndim,)]",
]


@pytest.mark.parametrize("text", INDICES)
def test_an_index_means_what_it_means_to_numpy(text: str) -> None:
    expected = eval(text, {"A": ARRAY})
    tensor = eval(text, {"A": gc.tensor(ARRAY)})
    for value in (tensor, gc.evaluate(text, {"A": ARRAY}).value, gc.evaluate(unparse(parse(text)), {"A": ARRAY}).value):
        assert value.shape == np.shape(expected), text
        np.testing.assert_array_equal(value.detach().numpy(), expected)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("t = (0, 1); A[t]", "A[0, 1]"),
        ("t = (0, 1); A[t,]", "A[[0, 1]]"),
        ("t = (0, 1); A[t, t]", "A[[0, 1], [0, 1]]"),
        ("p(x) = (x, 1); A[p(2)]", "A[2, 1]"),
        ("p(x) = (x, 1); A[p(2),]", "A[[2, 1]]"),
    ],
)
def test_a_tuple_under_a_name_is_an_index_as_one_written_out(text: str, same: str) -> None:
    assert gc.evaluate(text, {"A": ARRAY}).value.tolist() == gc.evaluate(same, {"A": ARRAY}).value.tolist()


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ((0, 1, 2), "too many indices: 3 for a tensor of 2 dimensions"),
        (((slice(0, 1), 0),), "a list for a tensor may hold only numbers"),
        (((None, 0),), "a list for a tensor may hold only numbers"),
        (((0.5, 1),), "a list of indices may hold only integers"),
        (((0, 1), (0, 1, 2)), "do not fit"),
        (((0,), (3, 4)), "index 4 is out of range for dimension 1"),
        ([[0], [0, 1]], "ragged list"),
    ],
)
def test_what_is_no_index_is_refused(index: Any, message: str) -> None:
    with pytest.raises(gc.GradcliError, match=message):
        gc.tensor(ARRAY)[index]


@pytest.mark.parametrize("index", ["full((2,), 1)", "ones(2, dtype=int64)", "zeros_like(A[:2, 0].long())"])
def test_a_filled_tensor_is_an_index(index: str) -> None:
    expected = ARRAY[[0, 0] if "zeros" in index else [1, 1]]
    for text in (f"A[{index}]", f"index_select(A, 0, {index})", f"A.mT[:, {index}].mT"):
        assert gc.evaluate(text, {"A": ARRAY}).value.tolist() == expected.tolist()
    with pytest.raises(gc.GradcliError, match="index 9 is out of range for dimension 0"):
        gc.evaluate("A[full((2,), 9)]", {"A": ARRAY})


def test_gradients_through_tuples() -> None:
    assert gc.evaluate("A[(0,1)]", {"A": ARRAY}).grads["A"].tolist() == (np.arange(12) == 1).reshape(3, 4).tolist()
    twice = gc.evaluate("sum(A[((0, 0), (1, 1))])", {"A": ARRAY}).grads["A"]
    assert twice.tolist() == (2.0 * (np.arange(12) == 1)).reshape(3, 4).tolist()


def test_counts_that_are_data() -> None:
    for counts in ([1, 0, 2], [0, 0, 3], [2, 2, 2]):
        data = {"x": np.array([1.0, 2.0, 4.0]), "j": np.array(counts)}
        result = gc.evaluate("sum(repeat_interleave(x, j)*2)", data)
        assert result.value.item() == 2 * np.repeat(data["x"], counts).sum()
        assert result.grads["x"].tolist() == [2 * n for n in counts]


@pytest.mark.parametrize(
    ("text", "value", "gradient"),
    [
        ("gather(x, 0, i)", 2, 1),
        ("scatter(x, 0, i, 3*x)", 6, 3),
        ("scatter_add(x, 0, i, 3*x)", 8, 4),
        ("scatter_reduce(x, 0, i, 3*x, 'sum')", 8, 4),
        ("scatter_reduce(x, 0, i, 3*x, 'amax')", 6, 3),
    ],
)
def test_places_of_a_number(text: str, value: float, gradient: float) -> None:
    result = gc.evaluate(text, {"x": np.array(2.0), "i": np.array(0)})
    assert result.grads is not None and result.grads["x"] is not None
    assert (result.value.item(), result.grads["x"].item()) == (value, gradient)


@pytest.mark.parametrize(("x", "index", "source"), [((3,), (0,), (0,)), ((3,), (0,), (2,)), ((2, 2), (0, 2), (2, 2))])
@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("scatter(x, 0, i, s)", "ScatterBackward0"),
        ("scatter_add(x, 0, i, s)", "ScatterAddBackward0"),
        ("scatter_reduce(x, 0, i, s, 'prod')", "ScatterReduceBackward0"),
    ],
)
def test_a_source_of_which_nothing_is_put_has_a_gradient_of_zeros(
    text: str, name: str, x: tuple[int, ...], index: tuple[int, ...], source: tuple[int, ...]
) -> None:
    result = gc.evaluate(text, {"x": np.ones(x), "i": np.zeros(index, int), "s": np.ones(source)}, grad_output=2)
    assert result.value.tolist() == np.ones(x).tolist() and result.grad_fn.name() == name
    assert result.grads["x"].tolist() == np.full(x, 2.0).tolist()
    assert result.grads["s"].tolist() == np.zeros(source).tolist()


def test_an_index_without_elements_may_have_any_shape() -> None:
    result = gc.evaluate("sum(scatter(x, 1, i, 5))", {"x": np.ones((2, 2)), "i": np.zeros((0, 3, 4), int)})
    assert result.value.item() == 4 and result.grads["x"].tolist() == [[1, 1], [1, 1]]
