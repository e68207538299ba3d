"""Decompositions, systems, norms and distances: special matrices, what is refused, sizes beyond a block of columns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import gradcli as gc
from gradcli.errors import GradcliError

RNG = np.random.default_rng(7)


def value(expression: str, **inputs: Any) -> np.ndarray:
    return np.asarray(gc.evaluate(expression, inputs, wrt=()).value.value())


def gradient(expression: str, x: Any) -> np.ndarray:
    found = gc.evaluate(expression, {"x": np.asarray(x, np.float64)}).grads["x"]
    assert found is not None
    return np.asarray(found.value())


@pytest.mark.parametrize("shape", [(70, 70), (3, 40, 70), (2, 70, 40), (0, 3, 3), (2, 0, 3), (2, 3, 0)])
def test_lu_factors_multiply_to_the_matrix(shape: tuple[int, ...]) -> None:
    a = RNG.normal(size=shape)
    p, l, u = (value(f"linalg_lu(x).{name}", x=a) for name in "PLU")  # noqa: E741
    np.testing.assert_allclose(p @ l @ u, a, atol=1e-12)
    assert np.array_equal(np.triu(l, 1), np.zeros_like(l)) and np.array_equal(np.tril(u, -1), np.zeros_like(u))
    assert np.abs(l).max(initial=0) <= 1


@pytest.mark.parametrize("left", [True, False])
@pytest.mark.parametrize("upper", [True, False])
def test_triangles_of_several_blocks(left: bool, upper: bool) -> None:
    a = RNG.normal(size=(2, 70, 70)) + 20 * np.eye(70)
    b = RNG.normal(size=(70, 3) if left else (3, 70))
    x = value(f"solve_triangular(A, B, upper={upper}, left={left})", A=a, B=b)
    triangle = np.triu(a) if upper else np.tril(a)
    np.testing.assert_allclose(triangle @ x if left else x @ triangle, np.broadcast_to(b, x.shape), atol=1e-12)


def test_the_other_triangle_is_not_read() -> None:
    a = np.array([[2.0, np.nan], [1.0, 4.0]])
    np.testing.assert_allclose(
        value("solve_triangular(A, B, upper=False)", A=a, B=np.eye(2)), [[0.5, 0], [-0.125, 0.25]]
    )
    assert np.isfinite(value("eigvalsh(A)", A=np.array([[2.0, 7.0], [1.0, 4.0]]))).all()


@pytest.mark.parametrize(
    "expression", ["svdvals(x)", "linalg_svd(x).U", "eigvalsh(x)", "eigh(x).eigenvectors", "pinv(x)"]
)
def test_a_matrix_that_is_not_finite_gives_nan_and_leaves_the_others_alone(expression: str) -> None:
    a = np.stack([np.diag([3.0, 2.0, 1.0])] * 3)
    alone = value(expression, x=a[:1])
    a[1, 0, 1], a[2, 2, 2] = np.nan, np.inf
    found = value(expression, x=a)
    np.testing.assert_array_equal(found[:1], alone)
    assert np.isnan(found[1:]).all()


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("lu_factor(x).LU", "the matrix is singular"),
        ("inv_ex(x, check_errors=True).inverse", "the matrix is singular"),
        ("solve_ex(x, x, check_errors=True).result", "the matrix is singular"),
        ("cholesky_ex(x - 5, check_errors=True).L", "not positive definite"),
        ("lu_solve(x, x, [1, 3])", "pivots must lie between 1 and 2"),
        ("lu_unpack(x, [0, 1]).P", "pivots must lie between 1 and 2"),
        ("lu_unpack(x, [1., 2.]).P", "needs the pivots"),
        ("matrix_norm(x, 3)", "no norm of order 3"),
        ("matrix_norm(x, 'max')", "has no order 'max'"),
        ("linalg_norm(ones(2, 2, 2), 2)", "takes a vector or a matrix"),
        ("vector_norm(ones(0), inf)", "no elements"),
        ("cross(x, x)", "no dimension of 3 elements"),
        ("addmm(x, x, ones(3, 2))", "do not fit"),
        ("addmm(ones(3, 3), x, x)", "adds a product of shape (2, 2)"),
        ("multi_dot([x, ones(3, 2)])", "do not fit"),
        ("matrix_power(x, 2**40)", "powers below"),
        ("cdist(x, ones(2, 3))", "rows of equal length"),
        ("cdist(x, x, -1)", "order of 0 or more"),
        ("pinv(x, atol=[1., 2.])", "one bound for each matrix"),
        ("renorm(x, 0, 0, 1)", "positive order"),
        ("tensorsolve(x, ones(3))", "do not fit"),
        ("householder_product(ones(2, 3), ones(2))", "no fewer rows than columns"),
    ],
)
def test_refused_in_one_sentence(expression: str, words: str) -> None:
    with pytest.raises(GradcliError) as caught:
        value(expression, x=np.array([[1.0, 2.0], [2.0, 4.0]]))
    assert words in str(caught.value)


def test_where_a_matrix_is_singular() -> None:
    a = np.stack([np.eye(3), np.diag([1.0, 0.0, 2.0]), np.diag([4.0, 2.0, 0.0])])
    assert value("inv_ex(x).info", x=a).tolist() == value("lu_factor_ex(x).info", x=a).tolist() == [0, 2, 3]
    assert value("cholesky_ex(x).info", x=a).tolist() == [0, 2, 3]
    np.testing.assert_array_equal(value("inv_ex(x).inverse", x=a)[0], np.eye(3))
    assert (
        value("cond(x, 1)", x=a).tolist() == [1, np.inf, np.inf] and value("cond(x)", x=a[1:]).tolist() == [np.inf] * 2
    )
    assert value("matrix_rank(x)", x=a).tolist() == [3, 2, 2]


def test_least_squares_without_full_rank_are_the_shortest() -> None:
    a, b = np.outer([1.0, 2.0, 3.0], [1.0, -1.0]), np.array([1.0, 0.0, 2.0])
    np.testing.assert_allclose(value("lstsq(a, b).solution", a=a, b=b), np.linalg.pinv(a) @ b)
    assert value("lstsq(a, b).rank", a=a, b=b) == 1


def test_the_exponential_of_small_and_large_matrices() -> None:
    np.testing.assert_allclose(
        value("matrix_exp(x)", x=np.triu(np.ones((3, 3)), 1)), [[1, 1, 1.5], [0, 1, 1], [0, 0, 1]]
    )
    a = RNG.normal(size=(6, 6)) * 8
    values, vectors = np.linalg.eigh(a + a.T)
    expected = (vectors * np.exp(values)) @ vectors.T
    np.testing.assert_allclose(
        value("matrix_exp(x)", x=a + a.T), expected, rtol=1e-9, atol=1e-9 * np.abs(expected).max()
    )
    assert np.isnan(value("matrix_exp(x)", x=np.array([[np.inf, 0.0], [0.0, 1.0]]))).all()


def test_chains_are_multiplied_in_the_cheapest_order() -> None:
    # From the right only vectors arise; a chain of any length has an answer.
    tall = ", ".join(["ones(30, 30)/30"] * 130)
    np.testing.assert_allclose(value(f"multi_dot([{tall}, ones(30)])"), np.ones(30), rtol=1e-5)
    chain = gc.multi_dot([gc.ones(9, 1), gc.ones(1, 9), gc.ones(9, 2, requires_grad=True)]).grad_fn
    assert chain is not None and chain.next_functions[0][0].next_functions[1][0].name() == "MmBackward0"


def test_distances_keep_their_digits_where_rows_are_close() -> None:
    x = np.array([[1e8, 0.0], [1e8, 1.0]])
    assert value("cdist(x, x)", x=x).tolist() == [[0, 1], [1, 0]] and value("pdist(x)", x=x).tolist() == [1]
    assert gradient("sum(cdist(x, x))", x).tolist() == [[0, -2], [0, 2]]


@pytest.mark.oracle
@pytest.mark.parametrize(
    "expression",
    ["linalg_svd(x).U", "linalg_svd(x).S", "linalg_svd(x).Vh", "eigh(x).eigenvectors", "eigh(x).eigenvalues"],
)
def test_equal_values_have_the_gradients_that_pytorch_gives(expression: str) -> None:
    from tests.torch_side import evaluate, tensors

    weighted = f"sum({expression}*w)"
    arrays = {"x": np.eye(3), "w": np.arange(1.0, 4.0)}
    theirs = tensors(arrays)
    evaluate(weighted.replace("sum(", "torch_sum("), {**theirs, "torch_sum": lambda x: x.sum()}).backward()
    found = gc.evaluate(weighted, arrays).grads["x"]
    assert found is not None
    right = theirs["x"].grad.numpy()
    np.testing.assert_array_equal(np.isfinite(found.value()), np.isfinite(right))
    np.testing.assert_allclose(np.where(np.isfinite(right), found.value(), 0), np.where(np.isfinite(right), right, 0))
