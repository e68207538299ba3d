"""First and second derivatives where factors are zero, elements equal and matrices singular, as PyTorch has them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gradcli.autodiff.vjp import vjp
from gradcli.engine.execute.run import execute
from gradcli.errors import GradcliError
from gradcli.graph.node import constant
from tests.cases import Case
from tests.gradients import build, weighted
from tests.oracle import torch
from tests.test_oracle import WITHOUT_DERIVATIVE
from tests.test_special_points import CASES, FILLINGS, filled
from tests.torch_side import evaluate, tensors

pytestmark = [pytest.mark.oracle, pytest.mark.filterwarnings("ignore:.*degrees of freedom", "ignore:index_reduce")]


# Which of equal elements PyTorch names is another in each row.
UNSETTLED = ("kthvalue",)
# Where rounding decides: whether a correlation of 1 is clamped, which of equal singular values or eigenvalues is which,
# and what LAPACK leaves of a singular matrix. `tests/oracle` and `test_decompositions.py` hold these to matrices that
# have a derivative, and to what is said of others.
ROUNDED = ("corrcoef", "svd", "eigh", "eigvalsh", "qr(", "'nuc'", "_ex(", "lu_", "lstsq")
# The same of singular matrices only, whose derivatives are quotients by what should be 0.
ROUNDED_IF_SINGULAR = ("linalg_lu(", "cond(")


def _is_singular(x: np.ndarray) -> bool:
    return int(np.linalg.matrix_rank(x)) < min(x.shape[-2:])


def _ours(case: Case, arrays: dict[str, np.ndarray]) -> list[list[np.ndarray]]:
    value, leaves = build(case.expression, arrays)
    tracked = [leaf for leaf in leaves.values() if leaf.requires_grad]
    levels, outputs = [], [value]
    for seed in (1, 2):
        sums = [weighted(node, seed) for node in outputs if node.requires_grad]
        found = vjp(sums, [constant(np.ones(())) for _ in sums], tracked)
        outputs = [found.get(leaf, constant(np.zeros(leaf.shape))) for leaf in tracked]
        levels.append(execute(outputs))
    return levels


def _weighted(value: Any, seed: int) -> Any:
    weights = np.random.default_rng(seed).uniform(0.5, 1.5, tuple(value.shape))
    return (value * torch.tensor(weights)).sum()


def _theirs(case: Case, arrays: dict[str, np.ndarray]) -> list[list[np.ndarray]]:
    inputs = tensors(arrays)
    tracked = [t for t in inputs.values() if t.requires_grad]
    value = evaluate(case.expression, inputs)
    if not torch.isfinite(value).all():
        return []
    levels, outputs = [], [value]
    for seed in (1, 2):
        sums = [_weighted(y, seed) for y in outputs if y.requires_grad]
        try:
            found = torch.autograd.grad(sum(sums), tracked, create_graph=True, allow_unused=True) if sums else tracked
        except RuntimeError as error:
            # PyTorch has no second derivative of products of several zeros, nor of some losses and distances at all.
            assert seed == 2 and ("Double backward is unsupported" in str(error) or "is not implemented" in str(error))
            break
        outputs = [torch.zeros_like(t) if g is None or not sums else g for t, g in zip(tracked, found, strict=True)]
        levels.append([y.numpy(force=True) for y in outputs])
    return levels


@pytest.mark.parametrize("point", FILLINGS)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_derivatives(case: Case, point: str) -> None:
    if any(mark in case.expression for mark in (*WITHOUT_DERIVATIVE, *UNSETTLED, *ROUNDED)):
        return
    arrays = filled(case, point)
    if any(mark in case.expression for mark in ROUNDED_IF_SINGULAR) and _is_singular(arrays["x"]):
        return
    try:
        theirs = _theirs(case, arrays)
    except torch.linalg.LinAlgError:
        # Here the logarithm of a determinant of 0 has derivatives, which are not finite; and rounding decides whether
        # a matrix on the border is positive definite.
        if not any(word in case.expression for word in ("logdet", "cholesky")):
            with pytest.raises(GradcliError):
                _ours(case, arrays)
        return
    except RuntimeError as refused:
        # Probabilities outside 0 to 1.
        assert "should be between 0 and 1" in str(refused)
        with pytest.raises(GradcliError):
            execute([build(case.expression, arrays)[0]])
        return
    for order, (got, expected) in enumerate(zip(_ours(case, arrays), theirs, strict=False), 1):
        for ours, wanted in zip(got, expected, strict=True):
            # Where PyTorch's is not finite, a number is no mistake: the check decides that.
            known = np.isfinite(wanted)
            np.testing.assert_allclose(
                np.where(known, ours, 0), np.where(known, wanted, 0), rtol=1e-7, atol=1e-9, err_msg=f"order {order}"
            )
