"""Derivatives of every row at orders 1 to 3 where factors are zero, elements equal or missing, matrices singular.

Central differences decide where the function is smooth, PyTorch's conventions where it is not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import pytest

import gradcli as gc
from gradcli.check.compare import check
from gradcli.errors import GradcliError
from gradcli.graph.node import INPUT, toposort
from tests.cases import Case, all_cases
from tests.gradients import build
from tests.sampling import sampled

FILLINGS = {
    "zeros": np.zeros_like,
    "ones": np.ones_like,
    "gaps": lambda a: np.where(np.arange(a.size).reshape(a.shape) % 3 == 1, a, 0.0),
    "ties": lambda a: np.floor(np.arange(a.size) / 2 + 1).reshape(a.shape) / 2,
}


def filled(case: Case, point: str) -> dict[str, np.ndarray]:
    """The inputs of a case, their floats replaced."""
    fill = FILLINGS[point]
    return {n: fill(a) if a.dtype.kind == "f" else a for n, a in case.arrays().items()}


def _differentiable() -> Iterator[Case]:
    for case in all_cases():
        value, leaves = build(case.expression, case.arrays())
        used = {node for node in toposort([value]) if node.op is INPUT}
        if value.is_floating and any(leaf.is_floating for leaf in used):
            yield Case(case.expression, {n: d for n, d in case.inputs.items() if leaves[n] in used})


CASES = list(_differentiable())
# Where a function has a corner at the very point, PyTorch's derivatives are NaN: at order 1 of `hypot` and `xlogy`,
# at order 2 of the others. What it gives is compared in tests/test_oracle_points.py.
UNDEFINED = {("hypot", 1), ("xlogy", 1), ("atan2", 2)}
UNDEFINED |= {(name, 2) for name in ("norm", "vector_norm", "matrix_norm", "linalg_norm", "dist", "pdist", "renorm")}
# Where singular values or eigenvalues are equal, or a matrix lacks its rank, these have no derivatives, nor even values
# that go on beside the point.
JUMPING = re.compile(r"svd|eigh|eigvalsh|qr\(|lu\(|lu_factor|cholesky_ex|lstsq|pinv|'nuc'|cond\(|matrix_norm\(x, 2")
# Which of equal elements comes first is a choice, and where one of them goes when it is moved depends on it.
ORDERED = {"sort", "msort", "topk", "kthvalue", "median", "nanmedian", "mode"}
# The function or a derivative of it is not finite there, or the matrix has no inverse or no factor.
REFUSED = ("not finite here", "the matrix is singular", "not positive definite", "takes probabilities")
# Corners at the very point, by order, and lengths so small beside eps that no difference resolves what they do;
# tests/test_oracle_points.py and tests/oracle compare these with PyTorch.
CORNERS = {
    1: ("lp_pool3d", "poisson_nll_loss", "quantile", "nanquantile", "binary_cross_entropy"),
    2: ("triplet_margin", "pairwise_distance", "cosine_similarity", "normalize", "corrcoef", "binary_cross_entropy"),
    3: ("triplet_margin", "multi_head_attention", "binary_cross_entropy"),
}


@pytest.mark.parametrize("case", sampled(CASES, every=2), ids=str)
def test_first_derivatives(case: Case) -> None:
    _right(case, 1)


@pytest.mark.parametrize("case", sampled(CASES, every=3), ids=str)
def test_second_derivatives(case: Case) -> None:
    _right(case, 2)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=str)
def test_third_derivatives(case: Case) -> None:
    _right(case, 3)


def _right(case: Case, order: int) -> None:
    for point in FILLINGS:
        try:
            report = check(case.expression, filled(case, point), order=order)
        except GradcliError as error:
            assert any(words in str(error) for words in REFUSED), error
            continue
        if JUMPING.search(case.expression) or case.expression.startswith(CORNERS[order]):
            continue
        name = case.expression.split("(")[0]
        if name in ORDERED and order == 1:
            assert all(row.verdict != "wrong" or row.worst.claimed != 0 for row in report.rows)
        elif (name, order) in UNDEFINED and point in ("zeros", "gaps"):
            assert all(row.verdict != "wrong" or np.isnan(row.worst.claimed) for row in report.rows)
        else:
            assert report.ok, (point, report)


HIGHER = [
    ("prod(x)", [0.0, 0.0, 0.0, 3.0, 2.0]),
    ("prod(x)", [[0.0, 2.0], [0.0, 0.0]]),
    ("prod(x, 0)", [[0.0, 2.0], [0.0, 3.0]]),
    ("cumprod(x, 0)", [2.0, 0.0, 0.0, 3.0, 0.0]),
    ("cumprod(x, 1)", [[0.0, 0.0, 1.0], [2.0, 0.0, 0.0]]),
    ("norm(x, 4)", [0.0, 1.0, 2.0]),
    ("x**[3, 2, 1, 0]", [0.0, 0.0, 0.0, 2.0]),
    ("2**x", [0.0, 1.0]),
    ("det(x)", [[0.0] * 4] * 4),
    ("det(x)", [[1.0, 2.0, 3.0], [2.0, 4.0, 6.0], [1.0, 0.0, 1.0]]),
    ("det(x)", np.diag([1.0, 1.0, 1e-3, 0.0, 0.0])),
    ("det(x)", np.diag([1.0, 1e-8, 1e-8]) + 1e-9),
    ("var(x)", [1.0, 1.0, 1.0]),
    ("softmax(x, 0)", [1.0, 1.0, 1.0]),
    ("logaddexp(x, 0)", [0.0, 800.0, -800.0]),
]


@pytest.mark.parametrize(("expression", "x"), HIGHER, ids=lambda v: v if isinstance(v, str) else "")
@pytest.mark.parametrize("order", [2, 3, 4])
def test_high_orders(expression: str, x: list[float], order: int) -> None:
    report = check(expression, {"x": np.array(x)}, order=order)
    assert {row.verdict for row in report.rows} == {"ok"}, report


@pytest.mark.parametrize("order", [2, 3])
def test_powers_by_their_exponents(order: int) -> None:
    inputs = {"x": np.array([0.0, 1.0, 2.0, 0.5, 0.0]), "y": np.array([2.0, 0.0, 0.0, 1.0, 4.0])}
    assert check("x**y", inputs, order=order).ok


def test_a_long_product_and_its_running_ones() -> None:
    x = np.ones(1000)
    x[[300, 700]] = 0
    for expression in ("prod(x)", "sum(cumprod(x, 0))"):
        assert check(expression, {"x": x}).ok
        assert check(expression, {"x": x}, order=2).ok


def test_an_angle_at_the_origin_leaves_its_neighbours_alone() -> None:
    """The second derivative of atan2 is undefined there, but not that of a number times it by the number."""
    x = gc.tensor([0.0, 1.0], dtype="float64", requires_grad=True)
    s = gc.tensor(3.0, dtype="float64", requires_grad=True)
    first = gc.grad((s * gc.atan2(x, x)).sum(), [x, s], create_graph=True)
    second = gc.grad(first[0].sum() + first[1], [x, s])
    assert second[1].item() == 0.0
    assert np.isfinite(second[0].numpy()[1])
