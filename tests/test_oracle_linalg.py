"""Products, einsum, diagonals and linear algebra against a live PyTorch: values, two orders of gradients, the chain."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest

from gradcli.autodiff.vjp import backward_function, shown, vjp
from gradcli.engine.execute.run import execute
from gradcli.errors import GradcliError
from gradcli.graph import layout
from gradcli.graph.node import Node, constant, input_node
from gradcli.graph.op import OPS
from tests.half import units_off, weights
from tests.oracle import torch

pytestmark = pytest.mark.oracle

#: Ways to hand over an array: how each side sees it, and whether the shape must have something for it.
VIEWS: dict[str, tuple[Callable[[Any], Any], Callable[[Node], Node]]] = {
    "plain": (lambda x: x, lambda x: x),
    "mT": (lambda x: x.mT, lambda x: OPS["mT"](x)),
    "reversed": (
        lambda x: x.permute(tuple(range(x.ndim))[::-1]),
        lambda x: OPS["permute"](x, tuple(range(x.ndim))[::-1]),
    ),
    "expanded": (lambda x: x[:1].expand(x.shape), lambda x: OPS["expand"](OPS["getitem"](x, slice(0, 1)), x.shape)),
    "sliced": (lambda x: x[1:], lambda x: OPS["getitem"](x, slice(1, None))),
}


def possible(view: str, shape: tuple[int, ...]) -> bool:
    return not (view == "mT" and len(shape) < 2 or view in ("expanded", "sliced") and (not shape or not shape[0]))


def torch_chain(function: Any) -> Any:
    if function is None:
        return None
    name = function.name().split("::")[-1]
    return (name, *((torch_chain(f), number) for f, number in function.next_functions))


def our_chain(node: Node | None) -> Any:
    if node is None:
        return None
    name, edges = backward_function(node)
    return (name, *((our_chain(i), number) for i, number in edges))


def long_strides(shape: Sequence[int], strides: Sequence[int] | None) -> list[int]:
    """The strides that matter: those of dimensions longer than 1, where the tensor has elements."""
    own = layout.contiguous(tuple(shape)) if strides is None else strides
    return [st for n, st in zip(shape, own, strict=True) if n != 1] if 0 not in shape else []


def compare(
    theirs: Callable[..., Any],
    ours: Callable[..., Node],
    arrays: list[np.ndarray],
    views: Sequence[str],
    tracked: Sequence[bool],
    with_strides: bool = True,
) -> None:
    """Both sides on the same arrays: value, chain, layout, and gradients of first and second order."""
    leaves_t = [torch.tensor(a, requires_grad=r) for a, r in zip(arrays, tracked, strict=True)]
    leaves = [input_node(a, requires_grad=r) for a, r in zip(arrays, tracked, strict=True)]
    try:
        expected = theirs(*(VIEWS[v][0](x) for v, x in zip(views, leaves_t, strict=True)))
    except (RuntimeError, IndexError):
        with pytest.raises(GradcliError):
            ours(*(VIEWS[v][1](x) for v, x in zip(views, leaves, strict=True)))
        return
    node = ours(*(VIEWS[v][1](x) for v, x in zip(views, leaves, strict=True)))
    assert (our_chain(shown(node)[0]) if node.requires_grad else None) == torch_chain(expected.grad_fn)
    if with_strides:
        assert long_strides(node.shape, node.strides) == long_strides(expected.shape, expected.stride())
    value = execute([node])[0]
    assert value.shape == tuple(expected.shape)
    np.testing.assert_allclose(value, expected.detach().numpy(), rtol=1e-9, atol=1e-11)
    if expected.requires_grad:
        asked = [(t, n) for t, n in zip(leaves_t, leaves, strict=True) if n.requires_grad]
        compare_gradients(expected, node, [t for t, _ in asked], [n for _, n in asked])
    if all(tracked) and set(views) == {"plain"}:
        compare_in_half(theirs, ours, [a.astype(np.float16) for a in arrays])


def compare_in_half(theirs: Callable[..., Any], ours: Callable[..., Node], arrays: list[np.ndarray]) -> None:
    """Value and gradients in float16: no further from float64 than PyTorch's and one unit of the last place."""

    def torchs(dtype: Any) -> list[np.ndarray]:
        leaves = [torch.tensor(a, dtype=dtype, requires_grad=True) for a in arrays]
        value = theirs(*leaves)
        vector = torch.tensor(weights(tuple(value.shape), 4), dtype=dtype)
        return [x.detach().numpy() for x in (value, *torch.autograd.grad(value, leaves, vector))]

    exact = torchs(torch.float64)
    try:
        others = [1 + units_off(x, right) for x, right in zip(torchs(torch.float16), exact, strict=True)]
    except RuntimeError:
        # PyTorch has no float16 here.
        others = [1.0] * len(exact)
    leaves = [input_node(a, requires_grad=True) for a in arrays]
    node = ours(*leaves)
    found = vjp([node], [constant(weights(node.shape, 4))], leaves)
    got = execute([node, *(found[leaf] for leaf in leaves)])
    for mine, right, allowed in zip(got, exact, others, strict=True):
        assert mine.dtype == np.float16
        assert units_off(mine, right) <= allowed + 1e-3


def compare_gradients(expected: Any, node: Node, leaves_t: list[Any], leaves: list[Node]) -> None:
    rng = np.random.default_rng(3)
    seed = rng.uniform(0.5, 1.5, node.shape)
    first_t = torch.autograd.grad(expected, leaves_t, torch.tensor(seed), create_graph=True)
    found = vjp([node], [constant(seed)], leaves)
    weights = [rng.uniform(0.5, 1.5, n.shape) for n in leaves]
    total_t = sum((g * torch.tensor(w)).sum() for g, w in zip(first_t, weights, strict=True))
    for g, leaf in zip(first_t, leaves, strict=True):
        np.testing.assert_allclose(execute([found[leaf]])[0], g.detach().numpy(), rtol=1e-7, atol=1e-9)
    if not total_t.requires_grad:
        return
    parts = [OPS["sum"](found[n] * constant(w)) for n, w in zip(leaves, weights, strict=True)]
    total = sum(parts[1:], parts[0])
    second_t = torch.autograd.grad(total_t, leaves_t, allow_unused=True)
    second = vjp([total], [constant(np.ones(()))], leaves) if total.requires_grad else {}
    for g, leaf in zip(second_t, leaves, strict=True):
        got = execute([second[leaf]])[0] if leaf in second else np.zeros(leaf.shape)
        wanted = np.zeros(leaf.shape) if g is None else g.numpy()
        np.testing.assert_allclose(got, wanted, rtol=1e-6, atol=1e-8)


def subsets(count: int) -> Iterator[tuple[bool, ...]]:
    return itertools.product((True, False), repeat=count)


# Products -------------------------------------------------------------------------------------------------------------

# Lengths of 1 stand where their strides, which gradcli does not keep, decide nothing in PyTorch.
SHAPES = [(3,), (0,), (2, 3), (3, 3), (1, 3), (3, 1), (0, 3), (3, 0), (2, 3, 3), (1, 3, 3), (4, 2, 3, 3), (1, 2, 3, 3)]
SHAPES += [(2, 1, 3, 3), (2, 0, 3), (0, 3, 3), (), (2, 2, 3)]


@pytest.mark.parametrize("left", SHAPES, ids=str)
def test_matmul(left: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    for right in SHAPES:
        for views in itertools.product(VIEWS, list(VIEWS)[:4]):
            if possible(views[0], left) and possible(views[1], right):
                for tracked in subsets(2):
                    arrays = [rng.random(left), rng.random(right)]
                    compare(torch.matmul, OPS["matmul"], arrays, views, tracked)


@pytest.mark.parametrize("name", ["dot", "vdot", "mm", "mv", "bmm", "outer", "ger", "inner"])
def test_products(name: str) -> None:
    rng = np.random.default_rng(1)
    shapes = [(3,), (2,), (0,), (1,), (2, 3), (3, 3), (3, 2), (2, 3, 3), (2, 2, 3), ()]
    for left, right in itertools.product(shapes, shapes):
        for views in (("plain", "plain"), ("mT", "mT"), ("plain", "reversed")):
            if possible(views[0], left) and possible(views[1], right):
                for tracked in subsets(2):
                    arrays = [np.asarray(rng.random(left)), np.asarray(rng.random(right))]
                    compare(getattr(torch, name), OPS[name], arrays, views, tracked)


@pytest.mark.parametrize("dims", [0, 1, 2, ([0], [0]), ([-1], [0]), ([0, 1], [1, 0])], ids=str)
def test_tensordot(dims: Any) -> None:
    rng = np.random.default_rng(2)
    shapes = [(3,), (1,), (2, 3), (3, 3), (3, 2), (2, 3, 3), (3, 1), ()]
    for left, right in itertools.product(shapes, shapes):
        for tracked in subsets(2):
            arrays = [np.asarray(rng.random(left)), np.asarray(rng.random(right))]
            compare(
                lambda a, b: torch.tensordot(a, b, dims),
                lambda a, b: OPS["tensordot"](a, b, dims),
                arrays,
                ("plain", "plain"),
                tracked,
            )


EINSUM = [
    ("ij,jk->ik", (2, 3), (3, 4)),
    ("ij->ji", (2, 3)),
    ("ij->", (2, 3)),
    ("i,i->", (3,), (3,)),
    ("ij->ij", (2, 3)),
    ("bij,bjk->bik", (2, 3, 4), (2, 4, 5)),
    ("ij,ij->i", (2, 3), (2, 3)),
    ("ii->i", (3, 3)),
    ("i,j->ij", (3,), (2,)),
    ("ij,j->i", (2, 3), (3,)),
    ("ii", (3, 3)),
    ("ij,jk", (2, 3), (3, 4)),
    ("iij->j", (3, 3, 2)),
    ("iji->j", (3, 2, 3)),
    ("iii->i", (3, 3, 3)),
    ("...ij,...jk->...ik", (2, 2, 3), (3, 4)),
    ("...ij,...jk->...ik", (5, 2, 3), (5, 3, 4)),
    ("...ij,...jk", (1, 2, 3), (5, 3, 4)),
    ("b...->...", (2, 3, 4)),
    ("...->", (2, 3)),
    ("...i->i...", (2, 3, 4)),
    ("ij,jk,kl->il", (2, 3), (3, 4), (4, 5)),
    ("ij,jk,kl", (2, 3), (3, 4), (4, 5)),
    ("i,i,i->i", (3,), (3,), (3,)),
    ("i,j,k->", (2,), (3,), (4,)),
    ("ij,kl->", (2, 3), (4, 5)),
    ("ij,kj->ik", (2, 3), (4, 3)),
    ("ij,ji->", (2, 3), (3, 2)),
    ("bi,ij,bj->b", (2, 3), (3, 4), (2, 4)),
    ("Ab,bA->b", (2, 3), (3, 2)),
    ("bA,Ab", (2, 3), (3, 2)),
    ("aB", (2, 3)),
    (" i j , j k -> k i", (2, 3), (3, 4)),
    ("i...,i...->...", (2, 3), (2, 3)),
    ("ij,jk->ik", (2, 3), (1, 4)),
    (",->", (), ()),
    ("i,->i", (3,), ()),
    ("ij,jk->ik", (0, 3), (3, 4)),
    ("ij,jk->ik", (2, 0), (0, 4)),
    ("ij->i", (2, 0)),
    ("abc,abd->acd", (2, 3, 4), (2, 3, 5)),
    ("abcd,aecd->abe", (2, 3, 4, 5), (2, 2, 4, 5)),
    ("ijk->k", (2, 3, 4)),
    ("ii,ij->j", (3, 3), (3, 4)),
    ("iij,jkk->ik", (2, 2, 3), (3, 2, 2)),
    ("...,...->...", (2, 3), (3,)),
    ("i->", (3,)),
    ("ab,cd,ac,bd->", (2, 3), (2, 3), (2, 2), (3, 3)),
    ("ab,bc,cd,de->ae", (2, 3), (3, 2), (2, 3), (3, 2)),
    ("a...,b...->ab", (2, 3), (4, 3)),
    ("ab,cb,db->acd", (2, 3), (2, 3), (4, 3)),
    ("a,ab,abc->abc", (2,), (2, 3), (2, 3, 4)),
    ("ij,jk->ik", (2, 3), (4, 5)),
    ("ii", (2, 3)),
    ("ij,jk->iz", (2, 3), (3, 4)),
    ("ij,jk->iik", (2, 3), (3, 4)),
    ("ij", (2,)),
    ("ij,jk", (2, 3)),
    ("i1", (2, 3)),
    ("i..j", (2, 3)),
    ("i...j...", (2, 3)),
    ("...i", ()),
    ("ij->...ij", (2, 3)),
    ("ij->ji->", (2, 3)),
]


@pytest.mark.parametrize("case", EINSUM, ids=lambda case: case[0])
def test_einsum(case: tuple[Any, ...]) -> None:
    equation, *shapes = case
    rng = np.random.default_rng(4)
    for views in itertools.product(("plain", "mT", "reversed", "expanded"), repeat=len(shapes)):
        if (len(shapes) > 2 and len(set(views)) > 1) or not all(map(possible, views, shapes)):
            continue
        # The array is stored the other way round, so that its view has the shape that the equation wants.
        stored = [
            s[::-1] if v == "reversed" else (*s[:-2], *s[:-3:-1]) if v == "mT" else s
            for v, s in zip(views, shapes, strict=True)
        ]
        for tracked in subsets(len(shapes)):
            arrays = [np.asarray(rng.random(s)) for s in stored]
            compare(
                lambda *x: torch.einsum(equation, *x), lambda *x: OPS["einsum"](equation, *x), arrays, views, tracked
            )


# Matrices -------------------------------------------------------------------------------------------------------------

EYE: Callable[[Node], Node] = lambda x: constant(np.eye(x.shape[-1], dtype=x.dtype))  # noqa: E731
MATRIX: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "inv": (torch.linalg.inv, OPS["inv"]),
    "det": (torch.linalg.det, OPS["det"]),
    "logdet": (torch.logdet, OPS["logdet"]),
    "logabsdet": (lambda x: torch.linalg.slogdet(x)[1], lambda x: OPS["slogdet"](x).logabsdet),
    "signed": (
        lambda x: torch.linalg.slogdet(x)[1] * torch.linalg.slogdet(x)[0],
        lambda x: OPS["slogdet"](x)[1] * OPS["slogdet"](x)[0],
    ),
    "cholesky": (
        lambda x: torch.linalg.cholesky(x @ x.mT + torch.eye(x.shape[-1], dtype=x.dtype)),
        lambda x: OPS["cholesky"](x @ OPS["mT"](x) + EYE(x)),
    ),
    "cholesky upper": (
        lambda x: torch.linalg.cholesky(x @ x.mT + torch.eye(x.shape[-1], dtype=x.dtype), upper=True),
        lambda x: OPS["cholesky"](x @ OPS["mT"](x) + EYE(x), upper=True),
    ),
    "tril": (torch.tril, OPS["tril"]),
    "triu": (lambda x: x.triu(1), lambda x: OPS["triu"](x, 1)),
    "trace": (torch.trace, OPS["trace"]),
    "diag": (torch.diag, OPS["diag"]),
    "diag -1": (lambda x: torch.diag(x, -1), lambda x: OPS["diag"](x, -1)),
    "diagonal": (torch.diagonal, OPS["diagonal"]),
    "diagonal 1": (lambda x: torch.diagonal(x, 1, -1, -2), lambda x: OPS["diagonal"](x, 1, -1, -2)),
    "diagonal 9": (lambda x: torch.diagonal(x, 9), lambda x: OPS["diagonal"](x, 9)),
    "diagonal, reshaped": (lambda x: torch.diagonal(x).reshape(-1), lambda x: OPS["reshape"](OPS["diagonal"](x), -1)),
    "diag_embed": (torch.diag_embed, OPS["diag_embed"]),
    "diag_embed -1": (lambda x: torch.diag_embed(x, -1, 0, 1), lambda x: OPS["diag_embed"](x, -1, 0, 1)),
}


@pytest.mark.parametrize("name", MATRIX)
def test_matrices(name: str) -> None:
    rng = np.random.default_rng(5)
    shapes = [(3, 3), (2, 3, 3), (1, 1), (2, 2, 4, 4), (0, 0), (2, 0, 0), (0, 2, 2), (2, 3), (3, 2), (2, 4, 3), (3,)]
    for shape, view in itertools.product(shapes, ("plain", "mT")):
        if possible(view, shape):
            array = rng.random(shape)
            if len(shape) > 1 and shape[-1] == shape[-2]:
                array = array + 2 * np.eye(shape[-1])
            compare(*MATRIX[name], [array], (view,), (True,))
            compare(*MATRIX[name], [array], (view,), (False,))


@pytest.mark.parametrize("left", [True, False])
@pytest.mark.parametrize("matrices", [(3, 3), (2, 3, 3), (1, 3, 3), (4, 2, 3, 3), (0, 0), (2, 2)], ids=str)
def test_solve(matrices: tuple[int, ...], left: bool) -> None:
    rng = np.random.default_rng(6)
    rights = [(3,), (3, 3), (3, 2), (2, 3), (2, 3, 3), (2, 3, 2), (1, 3), (1, 3, 2), (4, 1, 3, 2), (4, 2, 3), (0, 2)]
    rights += [(), (2,)]
    for right, view, tracked in itertools.product(rights, ("plain", "mT"), subsets(2)):
        if possible(view, right):
            arrays = [rng.random(matrices) + 2 * np.eye(matrices[-1]), np.asarray(rng.random(right))]
            compare(
                lambda a, b: torch.linalg.solve(a, b, left=left),
                lambda a, b: OPS["solve"](a, b, left=left),
                arrays,
                (view, view),
                tracked,
            )


def test_special_matrices() -> None:
    nan, inf = np.nan, np.inf
    functions: dict[str, Any] = {
        "det": torch.linalg.det,
        "logdet": torch.logdet,
        "inv": torch.linalg.inv,
        "cholesky": torch.linalg.cholesky,
        "slogdet": torch.linalg.slogdet,
    }
    matrices = [[[1, 2], [2, 4]], [[0, 0], [0, 0]], [[nan, 1], [1, 1]], [[1, 1], [1, nan]], [[inf, 1], [1, 1]]]
    for rows in [*matrices, [[-1, 0], [0, 1]]]:
        array = np.array(rows, np.float64)
        for name, function in functions.items():
            try:
                expected = function(torch.tensor(array))
            except RuntimeError:
                with pytest.raises(GradcliError):
                    execute([OPS[name](input_node(array))])
                continue
            result = OPS[name](input_node(array))
            pair = zip(expected, result, strict=True) if isinstance(result, tuple) else [(expected, result)]
            for wanted, node in pair:
                np.testing.assert_array_equal(execute([node])[0], wanted.numpy(), err_msg=f"{name} of {rows}")


def test_one_backward_function_behind_both_results_of_slogdet() -> None:
    pair = OPS["slogdet"](input_node(np.eye(2), requires_grad=True))
    (sign, first), (logarithm, second) = shown(pair.sign), shown(pair.logabsdet)
    assert sign is logarithm and (first, second) == (0, 1)


def test_elementwise_layout_follows_the_operands() -> None:
    rng = np.random.default_rng(8)
    for _ in range(2000):
        shape = tuple(int(n) for n in rng.integers(2, 5, rng.integers(1, 5)))
        sides = []
        for _ in range(2):
            # A dimension of 1 keeps its place, as its strides are not kept.
            own = tuple(1 if rng.random() < 0.3 else n for n in shape) if rng.random() < 0.5 else shape
            order = tuple(int(d) for d in rng.permutation(len(own))) if 1 not in own else tuple(range(len(own)))
            base = np.zeros([own[order.index(d)] for d in range(len(own))])
            sides.append((torch.tensor(base).permute(order), OPS["permute"](input_node(base), order)))
        expected, node = sides[0][0] * sides[1][0], OPS["mul"](sides[0][1], sides[1][1])
        assert long_strides(node.shape, node.strides) == long_strides(expected.shape, expected.stride())
