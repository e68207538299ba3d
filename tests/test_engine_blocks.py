"""What runs in blocks and what whole, at sizes that are cut in earnest, and that both give what is right."""

from __future__ import annotations

import re
from functools import cache

import numpy as np
import pytest

import gradcli as gc
from gradcli.autodiff.vjp import vjp
from gradcli.engine.execute.run import known_value, op_by_op, run
from gradcli.engine.plan.planner import plan
from gradcli.engine.plan.program import DEFAULT_SIZES, Program, Sizes
from gradcli.evaluation.compiled import Compiled
from gradcli.evaluation.request import prepare
from gradcli.evaluation.values import InputSpec
from gradcli.graph.node import INPUT, Node, constant
from gradcli.language.parse import parse
from tests.gradients import build, weighted

# However little there is to compute.
BLOCKS = Sizes(little=0)
ROWS = 70_001
SHAPES: dict[str, tuple[int, ...]] = {
    "x": (ROWS,),
    "y": (ROWS,),
    "v": (3,),
    "w": (20,),
    "X": (ROWS, 20),
    "Y": (ROWS, 20),
    "r": (1, 20),
    "u": (ROWS, 1),
    "W": (20, 7),
    "V": (7, 3),
    "Z": (10, ROWS),
    "A": (300, 500),
    "B": (500, 400),
    "T": (30, 40, 200),
    "M": (3000, 5, 5),
    "L": (4, 40_000),
    "P": (64, 3, 40, 40),
    "K": (4, 3, 5, 5),
    "Q": (20, 5, 30, 30),
    "S": (100, 30, 30),
}

# Of none of these, value and gradients, is anything large computed whole; views of leaves are.
IN_BLOCKS = [
    # The six of the benchmark.
    "mean(2*(3*x + 7)**2)",
    "sum(sigmoid(x)*tanh(y))",
    "mean(log1p(exp(-y*(X @ w))))",
    "mean(logsumexp(X, 1) - sum(X*Y, 1))",
    "sum(x/sum(exp(x)))",
    "sum(((X - mean(X, 0))/std(X, 0))**2)",
    # One element after the other, and broadcasting.
    "sum(where(x > y, x, -y))",
    "sum(clamp(x, -1, 1)*maximum(x, y))",
    "mean(abs(x)**3 - exp(-x**2))",
    "sum((x > y).to('float32')*x*y)",
    "sum(gelu(x)*silu(y) + erf(x))",
    "sum(X*r + w)",
    "sum(X*u)",
    "sum(Z*y)",
    "sum(outer(v, y)**2)",
    "sum(w.expand(70001, 20)*X)",
    "x*3 - y",
    "X*w",
    # Reductions over the other dimensions, and over the one that is cut.
    "sum(sum(X, 1)**2)",
    "sum(mean(X, 0)**2)",
    "sum(amax(X, 1)*x)",
    "sum(amin(X, 0))",
    "amax(x)",
    "var(x)",
    "sum(std(X, 0)*w)",
    "sum(var(X, 1))",
    "norm(x)",
    "sum(norm(X, dim=1))",
    "sum((X - X.mean(1, keepdim=True))**2)",
    "layer_norm(X, (20,)).sum()",
    "sum(sum(T, (0, 2))**2)",
    # Softmax and its kin over the other dimension, and over the one that is cut.
    "sum(softmax(X, 1)*Y)",
    "sum(log_softmax(X, -1)*Y)",
    "sum(softmax(X, 0)*Y)",
    "sum(logsumexp(X, 0)*w)",
    "logsumexp(x, 0)",
    "mse_loss(x, y)",
    "binary_cross_entropy_with_logits(x, sigmoid(y))",
    # Products of matrices: rows free, columns free, rows summed up.
    "sum(relu(X @ W) @ V)",
    "sum(softmax(relu(X @ W) @ V, 1)[:, 0])",
    "sum((X.T @ Y)**2)",
    "sum((Z @ X)**2)",
    "sum((y @ X)**2)",
    "sum((X.T @ y)**2)",
    "x @ y",
    "dot(2*x, exp(y))",
    "sum((A @ B)**2)",
    "sum((M @ M)**2)",
    "sum(einsum('ni,ni->n', X, Y)**2)",
    "sum(einsum('ni,nj->ij', X, Y)**2)",
    "sum(einsum('ik,kj->ij', A, B))",
    "einsum('n,n->', x, y)",
    # Indices and shapes that keep the dimension.
    "sum(X[:, 3]*y)",
    "sum(X[:, 2:5]**2)",
    "sum(X[:, None, :]*W.T)",
    "sum(x.reshape(70001, 1)**2)",
    "sum(X.reshape(70001, 4, 5).sum(2)**2)",
    "sum(X.flatten()**3)",
    "sum(X.T*y)",
    "sum(T.permute(2, 0, 1)**2)",
    "sum(cat([X, Y], 1)**2)",
    "sum(stack([x, y])**2)",
    "sum(flip(X, 1)*Y)",
    "sum(cumsum(X, 1)**2)",
    "sum(det(M) + inv(M).sum((1, 2)))",
    # Over the members of a batch: what cannot be cut along a picture, and all that goes along with it.
    "sum(conv2d(P, K)**2)",
    "sum(max_pool2d(relu(conv2d(pad(P, (1, 1)), K, stride=2)), 2))",
    "sum(conv_transpose2d(P, K.transpose(0, 1), stride=2)**2)",
    "sum(conv1d(T, K.flatten()[:240].reshape(2, 40, 3))**2)",
    "sum(avg_pool2d(P, 3, 2)*adaptive_max_pool2d(P, 19))",
    "sum(lp_pool2d(P, 2., 2) + adaptive_avg_pool2d(P, 20)**2)",
    "sum(interpolate(P, scale_factor=2., mode='bilinear')**2)",
    "sum(interpolate(P, size=(9, 9), mode='area')**2)",
    "sum(fold(im2col(P, 3), (40, 40), 3)**2)",
    "sum(scaled_dot_product_attention(S, 2*S, S)**2)",
    "sum(scaled_dot_product_attention(Q, 2*Q, Q, is_causal=True)**2)",
    "sum((Q @ Q)**2)",
    "sum(instance_norm(relu(P))**2)",
    "sum(grid_sample(P, stack([P, P], -1)[:, 0])**2)",
    # Rows of their own: in order, along a line, and at places that are data.
    "sum(sort(X, 1).values*Y)",
    "sum(topk(X, 3, 1).values**2) + sum(median(X, 1).values**2)",
    "sum(cummax(X, 1).values*logcumsumexp(Y, 1))",
    "sum(gather(Y, 1, argsort(X, 1))*X)",
    "sum(scatter(X, 1, argsort(Y, 1), Y)**2)",
    "sum(W[(x > 0).long()]*x[:, None])",
    "sum(embedding((x > 0).long(), W)*x[:, None])",
    "sum(cross_entropy(X, (x > 0).long(), reduction='none')*x)",
]

# Values only: these have no gradients.
VALUES_IN_BLOCKS = [
    "searchsorted(w, x)",
    "argmax(x)",
    "argmin(X, 0)",
    "any(x > 3)",
    "all(X > -9, 0)",
    "count_nonzero(x > 0)",
    "x > y",
]

# What is computed whole for each of these, without gradients.
WHOLE = {
    "sum(inv(A[:, :300] + 20*eye(300)))": {"inv", "eye"},
    "cumsum(x, 0)": {"cumsum"},
    "sum(cumprod(1 + X/99999, 0)**2)": {"cumprod"},
    "sum(flip(x, 0)*y)": {"flip"},
    "sum(roll(X, 1, 0)*Y)": {"roll"},
    "sum(cat([X, Y], 0)**2)": {"cat"},
    "sum(tril(A)**2)": {"tril"},
    "slogdet(A[:, :300] + 20*eye(300))[1]": {"slogdet", "eye"},
    "sort(x, 0).values": {"sort", "_result"},
    "topk(x, 9).values": {"topk"},
    "median(x)": {"median"},
    "gather(x, 0, argsort(y))": {"sort", "_result"},
    "scatter(x, 0, argsort(y), y)": {"sort", "_result", "_put_along"},
}
# Along the batch everything goes in one pass, and nothing of the size of a result is ever there.
ONE_PASS = [e for e in IN_BLOCKS if re.match(r"sum\((conv|max_pool|fold|scaled)", e)]


@cache
def drawn(name: str, dtype: str) -> np.ndarray:
    rng = np.random.default_rng(ord(name))
    return rng.normal(0.1, 1, SHAPES[name]).astype(dtype)


def arrays_of(expression: str, dtype: str) -> dict[str, np.ndarray]:
    return {name: drawn(name, dtype) for name in SHAPES if re.search(rf"(?<![.\w]){name}\b", expression)}


def whole_steps(program: Program) -> set[str]:
    """The names of operations on large arrays that run whole, views of leaves left out."""
    assert not program.direct
    seen = set(range(len(program.leaves)))
    found = set()
    for stage in program.stages:
        for step in stage.whole:
            if step.node.op.blocking.view and step.inputs[0] in seen:
                seen.add(step.out)
            elif step.node.op.name == "expand" and step.node.inputs[0].size <= DEFAULT_SIZES.small:
                # A result of few numbers repeated is a view of these.
                continue
            elif max([step.node.size, *(program.values[k].size for k in step.inputs)]) > DEFAULT_SIZES.small:
                found.add(step.node.op.name)
    return found


def with_gradients(expression: str, arrays: dict[str, np.ndarray]) -> list[Node]:
    value, leaves = build(expression, arrays)
    roots = [value]
    if value.requires_grad:
        total = value if value.size == 1 else weighted(value, 1)
        roots += vjp([total], [constant(np.ones((), total.dtype))], list(leaves.values())).values()
    return roots


def agree(got: list[np.ndarray], expected: list[np.ndarray], eps: float) -> None:
    for mine, theirs in zip(got, expected, strict=True):
        assert mine.shape == theirs.shape and mine.dtype == theirs.dtype
        scale = float(np.max(np.abs(theirs), initial=0.0))
        np.testing.assert_allclose(mine, theirs, rtol=eps, atol=eps * max(1.0, scale))


def agrees_with_any_threads(program: Program, roots: list[Node], eps: float) -> None:
    """The results are those of one operation after the other, in the same bits for any number of threads."""
    leaves = [known_value(leaf) for leaf in program.leaves]
    got = run(program, leaves, threads=1)
    agree(got, op_by_op(roots), eps)
    assert [one.tobytes() for one in run(program, leaves, threads=3)] == [one.tobytes() for one in got]


@pytest.mark.parametrize("expression", [*IN_BLOCKS, *VALUES_IN_BLOCKS])
def test_nothing_runs_whole(expression: str) -> None:
    arrays = arrays_of(expression, "float32")
    roots = with_gradients(expression, arrays)
    assert len(roots) == 1 + (expression not in VALUES_IN_BLOCKS) * len(arrays)
    program = plan(roots, sizes=BLOCKS)
    assert whole_steps(program) == set()
    got = run(program, [known_value(leaf) for leaf in program.leaves], threads=2)
    # The gradients of products of matrices cancel more than most.
    agree(got, op_by_op(roots), 1e-4)


@pytest.mark.parametrize("expression", IN_BLOCKS[::4])
def test_nothing_runs_whole_in_double_precision(expression: str) -> None:
    arrays = arrays_of(expression, "float64")
    roots = with_gradients(expression, arrays)
    program = plan(roots, sizes=BLOCKS)
    assert whole_steps(program) == set()
    agree(run(program, [known_value(leaf) for leaf in program.leaves], threads=2), op_by_op(roots), 1e-11)


@pytest.mark.parametrize("expression", ONE_PASS)
def test_batches_go_through_in_one_pass_with_the_same_bits(expression: str) -> None:
    roots = with_gradients(expression, arrays_of(expression, "float32"))
    program = plan(roots, sizes=BLOCKS)
    assert [len(stage.passes) for stage in program.stages if stage.passes] == [1]
    one, three = (run(program, [known_value(leaf) for leaf in program.leaves], threads=count) for count in (1, 3))
    assert all(a.tobytes() == b.tobytes() for a, b in zip(one, three, strict=True))


@pytest.mark.parametrize("expression", WHOLE)
def test_what_runs_whole(expression: str) -> None:
    value, _ = build(expression, arrays_of(expression, "float64"))
    program = plan([value], sizes=BLOCKS)
    assert whole_steps(program) == WHOLE[expression]
    agree(run(program, [known_value(leaf) for leaf in program.leaves], threads=2), op_by_op([value]), 1e-11)


@pytest.mark.parametrize("engine", ["numpy", "native"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int32"])
def test_the_running_sum_of_a_long_line_goes_in_pieces(dtype: str, engine: str) -> None:
    gc.set_engine(engine)
    x = np.random.default_rng(0).integers(-9, 9, 200_000).astype(dtype)
    if dtype != "int32":
        x[[150_000, 160_500, 170_000]] = np.inf, -np.inf, 1
    program = plan([build("cumsum(x, 0)", {"x": x})[0]], sizes=BLOCKS)
    assert whole_steps(program) == {"view"}
    one, three = (run(program, [known_value(leaf) for leaf in program.leaves], threads=count)[0] for count in (1, 3))
    assert one.tobytes() == three.tobytes()
    with np.errstate(invalid="ignore"):
        expected = np.cumsum(x, dtype="i8" if dtype == "int32" else "f8")
    np.testing.assert_array_equal(one, expected.astype(one.dtype))


@pytest.mark.parametrize("rows", [60_000, 3 * ROWS])
@pytest.mark.parametrize("expression", ["y @ X", "X.T @ y", "Z @ X", "einsum('n,nij->ij', y, X)", "dot(y, exp(y))"])
def test_products_that_sum_up_a_long_dimension(expression: str, rows: int) -> None:
    """Also where one operand is small and the other is not."""
    rng = np.random.default_rng(0)
    shapes = {"y": (rows,), "Z": (3, rows), "X": (rows, 4, 5) if "ij" in expression else (rows, 20)}
    inputs = {name: rng.normal(size=shape) for name, shape in shapes.items() if name in expression}
    value, _ = build(expression, inputs)
    program = plan([value], sizes=BLOCKS)
    got = run(program, [known_value(leaf) for leaf in program.leaves], threads=2)
    agree(got, op_by_op([value]), 1e-11)


def test_a_scalar_result_of_many_elements_holds_next_to_nothing() -> None:
    forms = [InputSpec("x", (10**10,), np.dtype("float32")), InputSpec("y", (10**10,), np.dtype("float32"))]
    for expression in ("sum(exp(x)*y)", "dot(2*x, exp(y))", "norm(x - y)", "mean((x - mean(x))*(y - mean(y)))"):
        program = Compiled(prepare(parse(expression), forms, wrt=())).program
        assert all(leaf.op is not INPUT or leaf.params["data"] is None for leaf in program.leaves)
        assert program.memory(8) < 100e6, expression
