"""Products, einsum, diagonals and linear algebra: against NumPy, against central differences, and what they refuse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gradcli.autodiff.vjp import vjp
from gradcli.engine.execute.run import execute
from gradcli.errors import GradcliError
from gradcli.graph.node import Node, constant, input_node
from gradcli.graph.op import OPS

RNG = np.random.default_rng(20)


def call(name: str, *args: Any, **kwargs: Any) -> Any:
    return OPS[name](*(input_node(a) if isinstance(a, np.ndarray) else a for a in args), **kwargs)


def value(name: str, *args: Any, **kwargs: Any) -> np.ndarray:
    node = call(name, *args, **kwargs)
    array = execute([node])[0]
    assert array.shape == node.shape
    assert array.dtype == node.dtype
    return array


def regular(*shape: int) -> np.ndarray:
    return RNG.uniform(-1, 1, shape) + 2 * np.eye(shape[-1])


def refusal(name: str, *args: Any, **kwargs: Any) -> str:
    with pytest.raises(GradcliError) as caught:
        value(name, *args, **kwargs)
    return str(caught.value)


# Values ---------------------------------------------------------------------------------------------------------------

SHAPES = [(3,), (0,), (2, 3), (3, 3), (0, 3), (3, 0), (2, 3, 3), (1, 3, 3), (2, 1, 3), (4, 2, 3, 3), (2, 3, 1)]
SHAPES += [(2, 0, 3)]


@pytest.mark.parametrize("left", SHAPES)
@pytest.mark.parametrize("tracked", [False, True])
def test_matmul_is_numpy_matmul(left: tuple[int, ...], tracked: bool) -> None:
    for right in SHAPES:
        _matmul_is_numpy_matmul(left, right, tracked)


def _matmul_is_numpy_matmul(left: tuple[int, ...], right: tuple[int, ...], tracked: bool) -> None:
    a, b = RNG.standard_normal(left), RNG.standard_normal(right)
    x, y = input_node(a, requires_grad=tracked), input_node(b, requires_grad=tracked)
    try:
        expected = np.matmul(a, b)
    except ValueError:
        with pytest.raises(GradcliError, match="do not fit for @"):
            OPS["matmul"](x, y)
        return
    product = OPS["matmul"](x, y)
    assert product.shape == expected.shape
    np.testing.assert_allclose(execute([product])[0], expected, rtol=1e-12, atol=1e-12)


EQUATIONS = [
    ("ij,jk->ik", (2, 3), (3, 4)),
    ("ij,jk->ki", (2, 3), (3, 4)),
    ("ij,jk", (2, 3), (3, 4)),
    ("ij->ji", (2, 3)),
    ("ij->", (2, 3)),
    ("ij", (2, 3)),
    ("ba", (2, 3)),
    ("ii", (3, 3)),
    ("ii->i", (3, 3)),
    ("iij->j", (3, 3, 2)),
    ("iji->j", (3, 2, 3)),
    ("iii->i", (2, 2, 2)),
    ("i,j->ij", (3,), (2,)),
    ("i,i", (3,), (3,)),
    (",->", (), ()),
    ("i,->i", (3,), ()),
    ("bij,bjk->bik", (2, 3, 4), (2, 4, 5)),
    ("...ij,...jk->...ik", (2, 2, 3), (3, 4)),
    ("...ij,...jk", (5, 2, 3), (5, 3, 4)),
    ("b...->...b", (2, 3, 4)),
    ("...i,...i->...", (2, 3), (3,)),
    ("bA,Ab->b", (2, 3), (3, 2)),
    (" i j , j k -> i k ", (2, 3), (3, 4)),
    ("ij,jk,kl->il", (2, 3), (3, 4), (4, 5)),
    ("i,j,k->", (2,), (3,), (4,)),
    ("ab,cd,ac,bd->", (2, 3), (2, 3), (2, 2), (3, 3)),
    ("ij,kl->", (2, 3), (4, 5)),
    ("bi,ij,bj->b", (2, 3), (3, 4), (2, 4)),
    ("ij,jk->ik", (0, 3), (3, 4)),
    ("ij,jk->ik", (2, 0), (0, 4)),
    ("abcd,aecd->abe", (2, 3, 4, 5), (2, 2, 4, 5)),
    ("ii,ij->j", (3, 3), (3, 4)),
    ("ab,cb,db->acd", (2, 3), (2, 3), (4, 3)),
    ("aB", (2, 3)),
    ("iij,jkk->ik", (2, 2, 3), (3, 2, 2)),
]


@pytest.mark.parametrize("case", EQUATIONS, ids=lambda case: case[0])
def test_einsum_is_numpy_einsum(case: tuple[Any, ...]) -> None:
    equation, *shapes = case
    arrays = [RNG.standard_normal(s) for s in shapes]
    expected = np.einsum(equation.replace(" ", ""), *arrays)
    np.testing.assert_allclose(value("einsum", equation, *arrays), expected, rtol=1e-12, atol=1e-12)


def test_einsum_stretches_dimensions_of_one_as_pytorch_does() -> None:
    a, b = RNG.standard_normal((2, 1)), RNG.standard_normal((3, 4))
    np.testing.assert_allclose(value("einsum", "ij,jk->ik", a, b), a * b.sum(0))


@pytest.mark.parametrize("shape", [(3, 3), (2, 3, 3), (1, 1), (0, 0), (2, 0, 0), (0, 2, 2), (2, 2, 4, 4)])
def test_square_matrices_against_numpy(shape: tuple[int, ...]) -> None:
    a = regular(*shape)
    positive = a @ np.swapaxes(a, -1, -2) + np.eye(shape[-1])
    np.testing.assert_allclose(value("inv", a), np.linalg.inv(a), rtol=1e-10)
    np.testing.assert_allclose(value("det", a), np.linalg.det(a), rtol=1e-10)
    np.testing.assert_allclose(value("logdet", positive), np.log(np.linalg.det(positive)), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(value("cholesky", positive), np.linalg.cholesky(positive), rtol=1e-10)
    upper = value("cholesky", positive, upper=True)
    np.testing.assert_allclose(np.swapaxes(upper, -1, -2) @ upper, positive, rtol=1e-10)
    pair = call("slogdet", a)
    assert pair._fields == ("sign", "logabsdet")
    sign, logarithm = execute([pair.sign, pair.logabsdet])
    np.testing.assert_allclose(sign * np.exp(logarithm), np.linalg.det(a), rtol=1e-10)
    np.testing.assert_allclose(value("triu", a, 1), np.triu(a, 1))
    np.testing.assert_allclose(value("tril", a, diagonal=-1), np.tril(a, -1))


@pytest.mark.parametrize(
    ("matrices", "right", "vectors"),
    [
        ((3, 3), (3,), True),
        ((3, 3), (3, 2), False),
        ((2, 3, 3), (3,), True),
        ((2, 3, 3), (2, 3), True),
        ((2, 3, 3), (3, 2), False),
        ((2, 3, 3), (2, 3, 2), False),
        ((3, 3), (2, 3, 2), False),
        ((0, 0), (0, 2), False),
        ((4, 2, 3, 3), (1, 2, 3, 1), False),
    ],
)
def test_solve(matrices: tuple[int, ...], right: tuple[int, ...], vectors: bool) -> None:
    a, b = regular(*matrices), RNG.standard_normal(right)
    x = value("solve", a, b)
    found = (a @ x[..., None])[..., 0] if vectors else a @ x
    np.testing.assert_allclose(found, np.broadcast_to(b, found.shape), atol=1e-12)


def test_solve_from_the_right() -> None:
    a, b = regular(3, 3), RNG.standard_normal((2, 3))
    np.testing.assert_allclose(value("solve", a, b, left=False) @ a, b, atol=1e-12)


@pytest.mark.parametrize("offset", [-4, -1, 0, 2])
def test_diagonals_against_numpy(offset: int) -> None:
    a, v = RNG.standard_normal((2, 3, 4)), RNG.standard_normal(3)
    np.testing.assert_array_equal(value("diagonal", a, offset, 1, 2), np.diagonal(a, offset, 1, 2))
    np.testing.assert_array_equal(value("diagonal", a, offset, -1, 0), np.diagonal(a, offset, 2, 0))
    np.testing.assert_array_equal(value("diag", v, offset), np.diag(v, offset))
    np.testing.assert_array_equal(value("diag", a[0], offset), np.diag(a[0], offset))
    embedded = value("diag_embed", a, offset, 0, 2)
    np.testing.assert_array_equal(np.diagonal(embedded, offset, 0, 2), a)
    assert np.count_nonzero(embedded) == a.size


def test_products_of_other_dtypes() -> None:
    half = RNG.uniform(-1, 1, (40, 40)).astype(np.float16)
    exact = half.astype(np.float64) @ half.astype(np.float64)
    np.testing.assert_allclose(value("matmul", half, half), exact.astype(np.float16), rtol=2e-3, atol=1e-5)
    integers = np.arange(9).reshape(3, 3)
    assert value("matmul", integers, integers).tolist() == (integers @ integers).tolist()
    assert value("matmul", integers, np.eye(3, dtype=np.float32)).dtype == np.float32
    assert value("matmul", np.eye(3, dtype=np.float32), np.eye(3)).dtype == np.float64
    assert value("trace", integers.astype(np.int32)).dtype == np.int64
    for name, largest in (("inv", 1), ("det", 4), ("cholesky", 2)):
        assert value(name, np.diag(np.array([4, 1], np.float16))).max() == largest


def test_inner_outer_tensordot() -> None:
    a, b = RNG.standard_normal((2, 3)), RNG.standard_normal((4, 3))
    np.testing.assert_allclose(value("inner", a, b), np.inner(a, b))
    np.testing.assert_allclose(value("outer", a[0], b[0]), np.outer(a[0], b[0]))
    np.testing.assert_allclose(value("ger", a[0], b[0]), np.outer(a[0], b[0]))
    np.testing.assert_allclose(value("vdot", a[0], b[0]), a[0] @ b[0])
    np.testing.assert_allclose(value("tensordot", a, b, ([1], [1])), a @ b.T)
    np.testing.assert_allclose(value("tensordot", a, b.T, 1), a @ b.T)
    np.testing.assert_allclose(value("tensordot", a, b, 0), np.multiply.outer(a, b))


# Gradients ------------------------------------------------------------------------------------------------------------


def scalar(build: Any, leaves: list[Node], order: int) -> Node:
    """A weighted sum of the value for order 1, of its gradients for order 2, and so on."""
    rng = np.random.default_rng(7)
    total = build(*leaves)
    total = OPS["sum"](total * constant(rng.uniform(0.5, 1.5, total.shape)))
    for _ in range(order - 1):
        found = vjp([total], [constant(np.ones(()))], leaves)
        parts = [OPS["sum"](g * constant(rng.uniform(0.5, 1.5, g.shape))) for g in found.values()]
        total = sum(parts[1:], parts[0])
    return total


def check(build: Any, arrays: list[np.ndarray], order: int) -> None:
    leaves = [input_node(a, requires_grad=True) for a in arrays]
    total = scalar(build, leaves, order)
    found = vjp([total], [constant(np.ones(()))], leaves) if total.requires_grad else {}
    for k, array in enumerate(arrays):
        expected = np.zeros(array.shape)
        for place in np.ndindex(*array.shape):
            ends = []
            for step in (1e-5, -1e-5):
                moved = array.copy()
                moved[place] += step
                others = [input_node(moved if j == k else a, requires_grad=True) for j, a in enumerate(arrays)]
                ends.append(float(execute([scalar(build, others, order)])[0]))
            expected[place] = (ends[0] - ends[1]) / 2e-5
        got = execute([found[leaves[k]]])[0] if leaves[k] in found else np.zeros(array.shape)
        np.testing.assert_allclose(got, expected, rtol=2e-5, atol=1e-6 * max(1.0, np.abs(expected).max(initial=0)))


def op(name: str, *params: Any, **keywords: Any) -> Any:
    return lambda *inputs: OPS[name](*inputs, *params, **keywords)


def positive(name: str, **keywords: Any) -> Any:
    """A function of a matrix made positive definite first."""
    return lambda x: OPS[name](x @ OPS["mT"](x) + constant(np.eye(x.shape[-1])), **keywords)


GRADIENTS: dict[str, tuple[Any, list[tuple[int, ...]]]] = {
    "dot": (op("dot"), [(3,), (3,)]),
    "vdot": (op("vdot"), [(3,), (3,)]),
    "mv": (op("mv"), [(2, 3), (3,)]),
    "mm": (op("mm"), [(2, 3), (3, 2)]),
    "bmm": (op("bmm"), [(2, 2, 3), (2, 3, 2)]),
    "outer": (op("outer"), [(2,), (3,)]),
    "inner": (op("inner"), [(2, 3), (2, 3)]),
    "tensordot": (op("tensordot", 1), [(2, 3), (3, 2)]),
    "vm": (op("matmul"), [(3,), (3, 2)]),
    "fold": (op("matmul"), [(2, 2, 3), (3, 2)]),
    "fold left": (op("matmul"), [(2, 3), (2, 3, 2)]),
    "fold vector": (op("matmul"), [(2, 2, 3), (3,)]),
    "vector fold": (op("matmul"), [(3,), (2, 3, 2)]),
    "broadcast": (op("matmul"), [(2, 1, 2, 3), (2, 3, 2)]),
    "batch of one": (op("matmul"), [(1, 2, 3), (2, 3, 2)]),
    "square": (lambda x: x @ OPS["mT"](x), [(2, 3)]),
    "trace": (op("trace"), [(2, 3)]),
    "diag": (op("diag", 1), [(3, 3)]),
    "diag of vector": (op("diag", -1), [(3,)]),
    "diagonal": (op("diagonal", 1, 2, 0), [(3, 2, 3)]),
    "diag_embed": (op("diag_embed", 1, 0, 2), [(2, 2)]),
    "tril": (lambda x: OPS["tril"](x) ** 2, [(3, 3)]),
    "triu": (lambda x: OPS["triu"](x, 1) ** 2, [(2, 3, 3)]),
    "inv": (op("inv"), [(3, 3)]),
    "inv of batch": (op("inv"), [(2, 2, 2)]),
    "det": (op("det"), [(3, 3)]),
    "det of batch": (op("det"), [(2, 2, 2)]),
    "det 1": (op("det"), [(1, 1)]),
    "det 4": (op("det"), [(4, 4)]),
    "logdet": (positive("logdet"), [(3, 3)]),
    "slogdet": (lambda x: OPS["slogdet"](x).logabsdet, [(2, 2, 2)]),
    "signed": (lambda x: OPS["slogdet"](x).sign * OPS["slogdet"](x).logabsdet, [(3, 3)]),
    "cholesky": (positive("cholesky"), [(3, 3)]),
    "cholesky upper": (positive("cholesky", upper=True), [(2, 2, 2)]),
    "solve": (op("solve"), [(3, 3), (3, 2)]),
    "solve vector": (op("solve"), [(3, 3), (3,)]),
    "solve vectors": (op("solve"), [(2, 2, 2), (2, 2)]),
    "solve batch": (op("solve"), [(2, 2, 2), (2, 3)]),
    "solve stretched": (op("solve"), [(2, 2), (2, 2, 1)]),
    "solve right": (op("solve", left=False), [(2, 2), (3, 2)]),
}
GRADIENTS |= {
    f"einsum {equation}": ((lambda e: lambda *x: OPS["einsum"](e, *x))(equation), list(shapes))
    for equation, *shapes in EQUATIONS
    if max(np.prod(s, dtype=int) for s in shapes) <= 12
}


@pytest.mark.parametrize("name", GRADIENTS)
@pytest.mark.parametrize("order", [1, 2])
def test_gradient(name: str, order: int) -> None:
    build, shapes = GRADIENTS[name]
    matrices = name.split(" ")[0] in ("inv", "det", "slogdet", "signed", "solve", "cholesky", "logdet")
    arrays = [regular(*s) if matrices and k == 0 else RNG.uniform(-1.5, 1.5, s) for k, s in enumerate(shapes)]
    check(build, arrays, order)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("rank", [0, 1, 2])
def test_det_has_its_gradients_at_singular_matrices(rank: int, order: int) -> None:
    factor = RNG.uniform(-1, 1, (3, rank))
    check(op("det"), [factor @ RNG.uniform(-1, 1, (rank, 3))], order)


def test_third_derivative_of_det() -> None:
    check(op("det"), [regular(3, 3)], 3)


def test_gradient_of_det_at_a_singular_matrix_is_its_cofactors() -> None:
    x = input_node(np.array([[1.0, 2.0], [2.0, 4.0]]), requires_grad=True)
    gradient = vjp([OPS["det"](x)], [constant(1.0)], [x])[x]
    np.testing.assert_allclose(execute([gradient])[0], [[4, -2], [-2, 1]], atol=1e-12)


def test_the_sign_of_a_determinant_has_no_gradient() -> None:
    x = input_node(regular(3, 3), requires_grad=True)
    sign = OPS["slogdet"](x).sign
    assert sign.requires_grad
    gradient = vjp([sign], [constant(1.0)], [x]).get(x)
    assert gradient is None or not execute([gradient])[0].any()


def test_log_determinant_neither_overflows_nor_underflows() -> None:
    for scale in (1e-3, 1e3):
        x = input_node(np.eye(200) * scale, requires_grad=True)
        logarithm = OPS["logdet"](x)
        gradient = vjp([logarithm], [constant(1.0)], [x])[x]
        total, slope = execute([logarithm, gradient])
        np.testing.assert_allclose(total, 200 * np.log(scale))
        np.testing.assert_allclose(slope, np.eye(200) / scale)


# Special matrices and refusals ----------------------------------------------------------------------------------------


def test_singular_matrices() -> None:
    singular = np.array([[1.0, 2.0], [2.0, 4.0]])
    assert value("det", singular) == 0
    assert value("logdet", singular) == -np.inf
    assert [float(v) for v in execute(list(call("slogdet", singular)))] == [0, -np.inf]
    x = input_node(np.stack([singular, np.eye(2)]), requires_grad=True)
    slope = execute([vjp([OPS["logdet"](x)], [constant(np.ones(2))], [x])[x]])[0]
    assert np.isinf(slope[0]).all()
    np.testing.assert_allclose(slope[1], np.eye(2))
    assert refusal("inv", singular).startswith("the matrix is singular")
    assert refusal("solve", singular, np.ones(2)).startswith("the matrix is singular")
    assert np.isnan(value("logdet", -np.eye(3)))


def test_nan_stays_in_its_matrix() -> None:
    batch = np.stack([np.eye(2), np.array([[np.nan, 1], [1, 1]])])
    np.testing.assert_array_equal(value("det", batch), [1, np.nan])
    np.testing.assert_array_equal(value("inv", batch), [np.eye(2), np.full((2, 2), np.nan)])
    np.testing.assert_array_equal(value("solve", batch, np.ones(2)), [[1, 1], [np.nan, np.nan]])
    np.testing.assert_array_equal(execute(list(call("slogdet", batch))), [[1, 0], [0, np.nan]])


def test_cholesky_reads_one_triangle() -> None:
    a = np.array([[4.0, 99.0], [2.0, 5.0]])
    np.testing.assert_allclose(value("cholesky", a), [[2, 0], [1, 2]])
    np.testing.assert_allclose(value("cholesky", a.T, upper=True), [[2, 1], [0, 2]])


MESSAGES = [
    (("matmul", (2, 3), (4,)), "shapes (2, 3) and (4,) do not fit for @: 3 against 4"),
    (("matmul", (2, 3), (2, 3)), "shapes (2, 3) and (2, 3) do not fit for @: 3 against 2"),
    (("matmul", (2, 3, 4), (3, 4, 5)), "shapes (2, 3, 4) and (3, 4, 5) do not fit for @: batches (2,) against (3,)"),
    (("matmul", (2, 3), ()), "@ needs at least 1 dimension on both sides, got shapes (2, 3) and ()"),
    (("mm", (2, 3), (3,)), "mm() takes two matrices, got shapes (2, 3) and (3,)"),
    (("mv", (2, 3), (2,)), "shapes (2, 3) and (2,) do not fit for mv(): 3 against 2"),
    (("bmm", (2, 3, 4), (3, 4, 5)), "shapes (2, 3, 4) and (3, 4, 5) do not fit for bmm(): 2 against 3"),
    (("outer", (2, 3), (3,)), "outer() takes two vectors, got shapes (2, 3) and (3,)"),
    (("inv", (2, 3)), "inv() needs a square matrix or a batch of them, got shape (2, 3)"),
    (("det", (3,)), "det() needs a square matrix or a batch of them, got shape (3,)"),
    (("solve", (3, 3), (2, 3)), "shapes (3, 3) and (2, 3) do not fit for solve(): 3 against 2"),
    (("trace", (2, 3, 3)), "trace() takes a matrix, the tensor has shape (2, 3, 3)"),
    (("tril", (3,)), "tril() needs at least 2 dimensions, the tensor has shape (3,)"),
    (("diag", (2, 2, 2)), "diag() takes a vector or a matrix, the tensor has shape (2, 2, 2)"),
    (("tensordot", (2, 3), (3, 2)), "shapes (2, 3) and (3, 2) do not fit for tensordot(): 2 against 3"),
]


@pytest.mark.parametrize(("request_", "message"), MESSAGES, ids=lambda x: x[:40] if isinstance(x, str) else "")
def test_refused_shapes(request_: tuple[Any, ...], message: str) -> None:
    name, *shapes = request_
    assert refusal(name, *(np.ones(s) for s in shapes)).split("\n")[0] == message


EINSUM_MESSAGES = [
    ("ij,jk->ik", [(2, 3), (4, 5)], "'j' has size 3 in operand 1 and 4 in operand 2"),
    ("ii", [(2, 3)], "'i' has the sizes 2 and 3 in operand 1"),
    ("ij->iz", [(2, 3)], "'z' in the output is not in any operand"),
    ("ij->iij", [(2, 3)], "'i' appears more than once in the output 'iij'"),
    ("ij", [(2,)], "'ij' names 2 dimensions, operand 1 has 1 (shape (2,))"),
    ("i", [(2, 3)], "'i' names 1 dimension, operand 1 has 2 (shape (2, 3))"),
    ("ij,jk", [(2, 3)], "the equation 'ij,jk' is for 2 tensors, got 1 tensor"),
    ("i1", [(2, 3)], "'1' in 'i1'"),
    ("i..j", [(2, 3)], "more than one ellipsis, or an incomplete one, in 'i..j'"),
    ("...i,...i", [(2, 3), (4, 3)], "a dimension in the ellipsis has size 2 in operand 1 and 4 in operand 2"),
    ("ij->ji->", [(2, 3)], "'-' in 'ji->'"),
]


@pytest.mark.parametrize(("equation", "shapes", "message"), EINSUM_MESSAGES, ids=[m[0] for m in EINSUM_MESSAGES])
def test_refused_equations(equation: str, shapes: list[tuple[int, ...]], message: str) -> None:
    assert refusal("einsum", equation, *(np.ones(s) for s in shapes)).split("\n")[0] == f"einsum(): {message}"


def test_refused_dtypes_and_matrices() -> None:
    assert refusal("matmul", np.ones((2, 2), bool), np.ones((2, 2), bool)).startswith("@ is not defined for booleans")
    assert refusal("inv", np.ones((2, 2), np.int64)).startswith("inv() needs a floating-point tensor, got int64")
    assert refusal("cholesky", -np.eye(2)).startswith("the matrix is not positive definite")
    assert refusal("einsum", 3).startswith("einsum()")
