"""Every case against PyTorch, live: values, dtypes, gradients at orders 1 and 2, names and edges, prints."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import gradcli
from gradcli.autodiff.vjp import vjp
from gradcli.engine.execute.run import execute
from gradcli.graph.dtypes import DTYPES
from gradcli.graph.node import constant
from gradcli.tensors.tensor import Tensor
from tests.cases import OTHER_CHAIN, Case, all_cases, detached_cases
from tests.gradients import build, weighted
from tests.oracle import torch
from tests.torch_side import chain, evaluate, tensors

pytestmark = [pytest.mark.oracle, pytest.mark.filterwarnings("ignore:index_reduce")]

CASES = [*all_cases(), *detached_cases()]
# PyTorch has no derivative for these; here it is zero, as that of any function flat almost everywhere.
WITHOUT_DERIVATIVE = ("floor_divide", "//")
# PyTorch has first derivatives only for these.
ONCE = ("cdist", "ctc_loss", "pdist", "multi_margin", "multilabel_margin", "scaled_dot_product")
TOLERANCE = {
    "float64": {"rtol": 1e-9, "atol": 1e-11},
    "float32": {"rtol": 2e-5, "atol": 2e-6},
    "float16": {"rtol": 2e-3, "atol": 2e-3},
}


def _same(got: np.ndarray, expected: Any) -> None:
    expected = expected.detach()
    assert got.shape == tuple(expected.shape)
    assert f"torch.{got.dtype}" == str(expected.dtype)
    if got.dtype.kind == "f":
        np.testing.assert_allclose(got, expected.numpy(force=True), **TOLERANCE[str(got.dtype)])
    else:
        np.testing.assert_array_equal(got, expected.numpy())


def _torch_gradients(total: Any, inputs: dict[str, Any], create: bool = False) -> dict[str, Any]:
    tracked = [n for n, t in inputs.items() if t.requires_grad]
    found = torch.autograd.grad(total, [inputs[n] for n in tracked], allow_unused=True, create_graph=create)
    return dict(zip(tracked, found, strict=True))


def _torch_weighted(value: Any, seed: int) -> Any:
    weights = np.random.default_rng(seed).uniform(0.5, 1.5, tuple(value.shape))
    return (value * torch.tensor(weights)).sum()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_value_gradient_chain_and_print(case: Case, dtype: str) -> None:
    arrays = case.arrays(dtype)
    theirs = tensors(arrays)
    expected = evaluate(case.expression, theirs)
    node, leaves = build(case.expression, arrays)
    value = Tensor(node)
    _same(value.value(), expected)
    if any(mark in case.expression for mark in WITHOUT_DERIVATIVE):
        return
    assert value.requires_grad == expected.requires_grad
    if case not in OTHER_CHAIN:
        assert chain(value.grad_fn) == chain(expected.grad_fn)
    if case not in OTHER_CHAIN and np.array_equal(value.value(), expected.detach().numpy(), equal_nan=True):
        assert repr(value) == repr(expected).replace("dtype=torch.", "dtype=")
    if expected.requires_grad:
        gradients = _torch_gradients(_torch_weighted(expected, 1), theirs)
        found = vjp([weighted(node, 1)], [constant(np.ones(()))], list(leaves.values()))
        for name, gradient in gradients.items():
            if gradient is None:
                # PyTorch says None where the slope is zero everywhere, as that of a sign is.
                assert leaves[name] not in found or not np.any(execute([found[leaves[name]]])[0])
            else:
                _same(execute([found[leaves[name]]])[0], gradient)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_second_order(case: Case) -> None:
    arrays = case.arrays()
    theirs = tensors(arrays)
    expected = evaluate(case.expression, theirs)
    if not expected.requires_grad or any(mark in case.expression for mark in (*WITHOUT_DERIVATIVE, *ONCE)):
        return
    first = _torch_gradients(_torch_weighted(expected, 1), theirs, create=True)
    parts = [_torch_weighted(g, k) for k, g in enumerate(first.values()) if g is not None and g.requires_grad]
    node, leaves = build(case.expression, arrays)
    tracked = [leaf for leaf in leaves.values() if leaf.requires_grad]
    found = vjp([weighted(node, 1)], [constant(np.ones(()))], tracked)
    if not parts:
        return
    second = _torch_gradients(sum(parts), theirs)
    ours = [
        weighted(found[leaves[n]], k) for k, (n, g) in enumerate(first.items()) if g is not None and g.requires_grad
    ]
    again = vjp(ours, [constant(np.ones(())) for _ in ours], tracked)
    for name, gradient in second.items():
        got = execute([again[leaves[name]]])[0] if leaves[name] in again else np.zeros(arrays[name].shape)
        want = torch.zeros(arrays[name].shape, dtype=torch.float64) if gradient is None else gradient
        _same(got, want)


SPECIAL = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    2.0,
    -3.0,
    1e-30,
    -1e-30,
    1e30,
    -1e30,
    88.0,
    -100.0,
    1000.0,
    np.inf,
    -np.inf,
    np.nan,
]


# PyTorch loses digits of these, takes numbers in float32, or signs of zeros depend on places: tests/test_pointwise.py
# has the true figures.
INEXACT = ("i0e", "i1", "i1e", "sinc", "erfcx", "log_ndtr", "logit", "rrelu", "hardsigmoid", "softshrink")
# Where PyTorch's own figures are this far from the true ones (checked against mpmath).
LESS_EXACT = {("gelu", "float32"): 2e-4, ("digamma", "float64"): 1e-8}


def elementwise_names() -> list[str]:
    from gradcli.graph.op import OPS

    families = ("elementwise", "activation", "special")
    return [
        name
        for name, op in OPS.items()
        if op.public
        and op.name == name
        and op.family in families
        and op.kernel is not None
        and op.signature.required == ["input"]
        and not op.results
        and name not in ("detach", "bitwise_not", "clamp", "to", "glu", *INEXACT)
    ]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", elementwise_names())
def test_special_values(name: str, dtype: str) -> None:
    x = np.array(SPECIAL, dtype)
    if name in ("lgamma", "digamma"):
        # At its poles PyTorch's trigamma is off by the rounding of a sine, where ours is infinite.
        x = x[~((x < 0) & (x == np.floor(x)))]
    if name == "gelu" and dtype == "float32":
        # PyTorch's vectorized erf gives NaN for gelu(inf); in float64 it is inf in both.
        x = x[~np.isinf(x)]
    theirs = tensors({"x": x})
    expected = evaluate(f"{name}(x)", theirs)
    ours = gradcli.tensor(x, requires_grad=True)
    got = getattr(gradcli, name)(ours) if name not in DTYPES else getattr(ours, name)()
    tolerance = {"rtol": 1e-5, "atol": 1e-37} if dtype == "float32" else {"rtol": 1e-10, "atol": 1e-300}
    tolerance["rtol"] = LESS_EXACT.get((name, dtype), tolerance["rtol"])
    np.testing.assert_allclose(got.value(), expected.detach().numpy(), **tolerance, err_msg="value")
    signs = np.signbit(expected.detach().numpy()[:2])
    if name == "gelu" and dtype == "float32":
        # Of -0. PyTorch gives 0. on processors without AVX-512, and -0. on others and in float64.
        signs = np.array([False, True])
    assert np.array_equal(np.signbit(got.value()[:2]), signs) or got.dtype.kind == "b"
    if expected.requires_grad:
        expected.backward(torch.ones_like(expected))
        got.backward(gradcli.ones_like(got))
        np.testing.assert_allclose(
            ours.grad.value(), theirs["x"].grad.numpy(force=True), **tolerance, err_msg="gradient"
        )


BINARY = [
    "x + y",
    "x - y",
    "x * y",
    "x / y",
    "x ** y",
    "x % y",
    "fmod(x, y)",
    "maximum(x, y)",
    "minimum(x, y)",
    "hypot(x, y)",
    "logaddexp(x, y)",
    "atan2(x, y)",
    "xlogy(x, y)",
    "where(x > y, x, y)",
    "x // y",
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("expression", BINARY)
def test_special_pairs(expression: str, dtype: str) -> None:
    x, y = (a.ravel() for a in np.meshgrid(np.array(SPECIAL, dtype), np.array(SPECIAL, dtype)))
    if expression in ("x % y", "fmod(x, y)"):
        # PyTorch's vectorized remainder gives NaN where the quotient overflows; the true one is finite.
        plain = np.isfinite(x) & np.isfinite(y) & (np.abs(x.astype("f8")) > 1e20 * np.abs(y.astype("f8")))
        x, y = x[~plain], y[~plain]
    theirs = tensors({"x": x, "y": y})
    expected = evaluate(expression, theirs)
    node, leaves = build(expression, {"x": x, "y": y})
    tolerance = {"rtol": 1e-5, "atol": 1e-37} if dtype == "float32" else {"rtol": 1e-10, "atol": 1e-300}
    np.testing.assert_allclose(execute([node])[0], expected.detach().numpy(), **tolerance, err_msg="value")
    if expression == "x // y":
        return
    gradients = torch.autograd.grad(expected.sum(), list(theirs.values()))
    found = vjp([node], [constant(np.ones(node.shape, dtype))], list(leaves.values()))
    for leaf, gradient in zip(leaves.values(), gradients, strict=True):
        np.testing.assert_allclose(execute([found[leaf]])[0], gradient.numpy(), **tolerance, err_msg="gradient")


PROMOTED = ["bool", "uint8", "int32", "int64", "float16", "float32", "float64"]


@pytest.mark.parametrize(
    "expression",
    [
        "x + y",
        "x * y",
        "x / y",
        "x - 1",
        "x * 2.5",
        "x + 2",
        "maximum(x, y)",
        "x ** 2",
        "where(x > 0, x, y)",
        "sum(x)",
        "exp(x)",
        "x > y",
        "cumsum(x, 0)",
        "prod(x)",
        "add(x, y, alpha=3)",
    ],
)
@pytest.mark.parametrize("first", PROMOTED)
@pytest.mark.parametrize("second", PROMOTED)
def test_promotion(expression: str, first: str, second: str) -> None:
    for shape in ((3,), ()):
        arrays = {"x": np.array([1, 0, 1]).astype(first), "y": np.ones(shape).astype(second)}
        try:
            expected = evaluate(expression, {n: torch.tensor(a) for n, a in arrays.items()})
        except RuntimeError:
            with pytest.raises(gradcli.GradcliError):
                build(expression, arrays)
            continue
        node, _ = build(expression, arrays)
        assert f"torch.{node.dtype}" == str(expected.dtype)
        assert np.allclose(execute([node])[0], expected.numpy(), rtol=1e-3)


@pytest.mark.parametrize("second", ["int64", "float16", "float32"])
def test_alpha_is_multiplied_with_in_the_common_dtype(second: str) -> None:
    x, y = gradcli.zeros(1, dtype="float64"), gradcli.tensor(np.array([3], second))
    assert gradcli.add(x, y, alpha=0.1).item() == -gradcli.sub(x, y, alpha=0.1).item() == 3 * 0.1


# Corners of single functions ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("correction", [2.5, 3, 4, 6])
@pytest.mark.parametrize("call", ["{}(x, correction={})", "{}(x, 0, correction={})"])
@pytest.mark.parametrize("name", ["var", "std"])
@pytest.mark.parametrize("x", [[1.0, 2.0, 4.0], [1.0, 2.0, 3.0], [2.0, 2.0, 2.0]])
@pytest.mark.filterwarnings("ignore:.*degrees of freedom")
def test_degrees_of_freedom(x: list[float], name: str, call: str, correction: float) -> None:
    expression = call.format(name, correction)
    arrays = {"x": np.array(x)}
    theirs = tensors(arrays)
    expected = evaluate(expression, theirs)
    (slope,) = torch.autograd.grad(expected, theirs["x"])
    node, leaves = build(expression, arrays)
    got, ours = execute([node, vjp([node], [constant(np.ones(()))], [leaves["x"]])[leaves["x"]]])
    np.testing.assert_allclose(got, expected.item(), rtol=1e-12)
    np.testing.assert_allclose(ours, slope.numpy(), rtol=1e-12)


@pytest.mark.parametrize("spec", ["", ".3f", "8.2e", "d"])
@pytest.mark.parametrize("value", [3.14159, 2, True, [1.5], [1.0, 2.0]])
def test_formats(value: Any, spec: str) -> None:
    def shown(x: Any) -> Any:
        try:
            return format(x, spec)
        except (TypeError, ValueError) as error:
            return type(error)

    assert shown(gradcli.tensor(value)) == shown(torch.tensor(value))


NOTHING = [
    *(
        f"{name}(x, {dim})"
        for name in ("logsumexp", "sum", "prod", "mean", "nansum", "amax", "median")
        for dim in (0, -1)
    ),
    *("logsumexp(x, (0, 1), keepdim=True)", "softmax(x, 0)", "log_softmax(x, -1)", "logcumsumexp(x, 0)", "vander(x)"),
    *(f"matrix_norm(x, {order})" for order in (1, -1, 2, -2, "inf", "-inf", "'nuc'", "'fro'")),
    *("linalg_norm(x, 2)", "linalg_norm(x, 1, keepdim=True)", "vector_norm(x, inf)", "cond(x, 1)", "cond(x)"),
]


# One of both refuses integers, or PyTorch has some number for the median of none.
OF_FLOATS = ("softmax", "log_softmax", "logcumsumexp", "cond", "median")


@pytest.mark.parametrize("dtype", ["float64", "int32"])
@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0), (2, 0, 0)])
@pytest.mark.parametrize("expression", NOTHING)
def test_what_nothing_comes_to(expression: str, shape: tuple[int, ...], dtype: str) -> None:
    arrays = {"x": np.zeros(shape, dtype)}
    if dtype == "int32" and expression.startswith(OF_FLOATS):
        return
    try:
        expected = evaluate(expression, tensors(arrays))
    except (IndexError, RuntimeError, TypeError):
        with pytest.raises(gradcli.GradcliError) as caught:
            gradcli.evaluate(expression, arrays, grad_output=None if dtype == "int32" else 1)
        assert caught.value.span is not None
        return
    expected = expected[0] if isinstance(expected, tuple) else expected
    found = gradcli.evaluate(expression + ("[0]" if "median" in expression else ""), arrays, wrt=[])
    _same(found.value.numpy(), expected)


@pytest.mark.parametrize("shape", [(), (2, 3), (0, 2)])
@pytest.mark.parametrize("name", ["all", "any", "sum", "mean", "count_nonzero", "var", "std", "amax", "amin"])
@pytest.mark.filterwarnings("ignore:.*degrees of freedom")
def test_no_dimensions(name: str, shape: tuple[int, ...]) -> None:
    x = np.arange(6.0)[: int(np.prod(shape))].reshape(shape)
    if name in ("amax", "amin") and not x.size:
        return
    _same(getattr(gradcli, name)(gradcli.tensor(x), dim=()).value(), getattr(torch, name)(torch.tensor(x), dim=()))


def test_index_select_by_one_index() -> None:
    x = np.arange(6.0).reshape(2, 3)
    for dim in (0, 1):
        got = gradcli.index_select(gradcli.tensor(x), dim, gradcli.tensor(1))
        _same(got.value(), torch.index_select(torch.tensor(x), dim, torch.tensor(1)))


REDUCTIONS = ["sum", "mean", "amax", "amin", "std", "var", "any", "all", "norm", "logsumexp", "count_nonzero"]
OTHERS = ["prod", "max", "min", "argmax", "argmin"]


@pytest.mark.filterwarnings("ignore:.*degrees of freedom:UserWarning")
@pytest.mark.parametrize("keepdim", [None, False, True])
@pytest.mark.parametrize("dim", [(), [], (0,), [1, 0], 1, -1, None])
@pytest.mark.parametrize("name", [*REDUCTIONS, *OTHERS, "squeeze", "cumsum", "cumprod"])
def test_dimensions_of_reductions(name: str, dim: Any, keepdim: bool | None) -> None:
    """What no dimension, several, or none given at all mean is for each function to say."""
    data = [[[1.0, -2.0, 0.0], [4.0, 0.5, -1.5]]]
    words = {"dim": dim, **({} if keepdim is None else {"keepdim": keepdim})}
    if dim is None:
        del words["dim"]
    try:
        expected = getattr(torch, name)(torch.tensor(data), **words)
    except (TypeError, RuntimeError):
        # gradcli also takes several dimensions where PyTorch does not; no dimensions it takes as PyTorch does.
        if isinstance(dim, tuple | list) and not dim and name in ("prod", "max", "min", "argmax", "argmin", "cumsum"):
            with pytest.raises(gradcli.GradcliError):
                getattr(gradcli, name)(gradcli.tensor(data), **words)
        return
    found = getattr(gradcli, name)(gradcli.tensor(data), **words)
    pairs = zip(found, expected, strict=True) if isinstance(found, tuple) else [(found, expected)]
    for ours, theirs in pairs:
        assert ours.shape == tuple(theirs.shape)
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-6)


@pytest.mark.parametrize("keepdim", [1, 0, 1.0, None, "yes", np.float64, [True]])
@pytest.mark.parametrize("name", [*REDUCTIONS[:10], *OTHERS])
def test_keepdim_is_true_or_false(name: str, keepdim: Any) -> None:
    with pytest.raises((TypeError, RuntimeError)):
        getattr(torch, name)(torch.ones(2, 3), dim=0, keepdim=keepdim)
    with pytest.raises(gradcli.GradcliError, match="keepdim must be True or False"):
        getattr(gradcli, name)(gradcli.ones(2, 3), dim=0, keepdim=keepdim)


@pytest.mark.parametrize("name", ["flip", "tile", "reshape", "permute", "expand", "repeat", "view"])
def test_lists_of_numbers_must_be_given(name: str) -> None:
    with pytest.raises(TypeError):
        getattr(torch.ones(2, 3), name)()
    with pytest.raises(gradcli.GradcliError, match="needs"):
        getattr(gradcli.ones(2, 3), name)()
    with pytest.raises(gradcli.GradcliError, match="needs 'size'"):
        gradcli.ones()
    assert gradcli.ones(()).shape == ()
