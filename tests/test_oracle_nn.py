"""Activations, losses and the generator against PyTorch, live: what the shared table of cases does not reach.

Extreme and special values at both orders, half precision, broadcasting, mixed dtypes, every shape of a classification,
and the same random numbers to the last bit.
"""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

import gradcli as gc
from gradcli.autodiff.vjp import vjp
from gradcli.engine.execute.run import execute
from gradcli.errors import GradcliError
from gradcli.graph.node import constant
from gradcli.graph.op import OPS
from gradcli.ops.random import Generator
from gradcli.tensors.tensor import Tensor
from tests.gradients import build
from tests.oracle import torch
from tests.torch_side import chain, evaluate, tensors

pytestmark = [pytest.mark.oracle, pytest.mark.filterwarnings("ignore:Using a target size")]

# Below the smallest normal number PyTorch itself is not consistent.
EXACT = {"float32": {"rtol": 2e-6, "atol": 1e-38}, "float64": {"rtol": 4e-14, "atol": 1e-307}}


def _gradients(expression: str, arrays: dict[str, np.ndarray], of: str = "x") -> list[np.ndarray]:
    """The value and the first two derivatives of an expression's sum."""
    node, leaves = build(expression, arrays)
    results = [node]
    for _ in range(2):
        ones = constant(np.ones(results[-1].shape, results[-1].dtype))
        results.append(vjp([results[-1]], [ones], [leaves[of]])[leaves[of]])
    return execute(results)


def _torch_gradients(expression: str, arrays: dict[str, np.ndarray], of: str = "x") -> list[np.ndarray]:
    theirs = tensors(arrays)
    results = [evaluate(expression, theirs)]
    for _ in range(2):
        results.append(torch.autograd.grad(results[-1].sum(), theirs[of], create_graph=True)[0])
    return [r.detach().numpy() for r in results]


# Activations ----------------------------------------------------------------------------------------------------------

ACTIVATIONS = [
    "sigmoid(x)",
    "logsigmoid(x)",
    "relu(x)",
    "relu6(x)",
    "leaky_relu(x)",
    "leaky_relu(x, -0.3)",
    "elu(x)",
    "elu(x, 0.3)",
    "selu(x)",
    "silu(x)",
    "softplus(x)",
    "softplus(x, 2.0, 5.0)",
    "softplus(x, -1.0)",
    "hardtanh(x)",
    "hardtanh(x, -0.5, 3.0)",
    "gelu(x, approximate='tanh')",
    "gelu(x)",
    "mish(x)",
    "softsign(x)",
]
EXTREME = [
    0.0,
    -0.0,
    1e-30,
    -1e-30,
    1e-3,
    -1e-3,
    0.5,
    -0.5,
    1.0,
    -1.0,
    3.0,
    -3.0,
    6.0,
    15.0,
    -15.0,
    19.9,
    20.1,
    -40.0,
    60.0,
    -80.0,
    1000.0,
    -1000.0,
    1e18,
    -1e18,
    1e30,
    np.inf,
    -np.inf,
    np.nan,
]


# Functions of a network, their tensors by the names below, and their other arguments.
OF_INTEGERS = [
    ("conv2d", "xw", (None, 2, 1)),
    ("conv2d", "xw", (None, 1, 1)),
    ("conv_transpose2d", "xw", ()),
    ("linear", "xv", ()),
    ("max_pool2d", "x", (2, 1, 1)),
    ("avg_pool2d", "x", (3, 1, 1)),
    ("avg_pool2d", "x", (2, None, 0, False, True, -3)),
    ("interpolate", "x", (None, 2, "nearest")),
    ("conv2d", "xw", (None, 1, 0, 2)),
    ("adaptive_avg_pool2d", "x", (2,)),
    ("interpolate", "x", (None, 2, "bilinear")),
    ("lp_pool2d", "x", (2, 2)),
]


@pytest.mark.parametrize("dtype", ["int64", "int32", "uint8", "bool"])
@pytest.mark.parametrize(("name", "names", "rest"), OF_INTEGERS)
def test_integers_stay_integers(name: str, names: str, rest: tuple[Any, ...], dtype: str) -> None:
    """Where PyTorch computes with integers its numbers come out, or a sentence that says what to write."""
    rng = np.random.default_rng(0)
    forms = {"x": (2, 2, 4, 4), "w": (2, 2, 2, 2), "v": (3, 4)}
    arrays = [rng.integers(0 if dtype in ("uint8", "bool") else -9, 9, forms[n]).astype(dtype) for n in names]
    try:
        theirs = getattr(torch.nn.functional, name)(*map(torch.from_numpy, arrays), *rest)
    except RuntimeError:
        theirs = None
    try:
        ours = getattr(gc, name)(*map(gc.from_numpy, arrays), *rest).numpy()
    except gc.GradcliError as error:
        assert error.hint is not None and ".float()" in error.hint
        assert theirs is None or name in ("lp_pool2d", "interpolate")
    else:
        assert ours.dtype == dtype
        assert theirs is None or (theirs.numpy().dtype == ours.dtype and np.array_equal(theirs.numpy(), ours))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("expression", ACTIVATIONS)
def test_extreme_values_to_second_order(expression: str, dtype: str) -> None:
    x = np.array(EXTREME, dtype)
    got, expected = _gradients(expression, {"x": x}), _torch_gradients(expression, {"x": x})
    if expression == "gelu(x)" and dtype == "float32":
        # PyTorch's vectorized error function is off by 1e-7; double precision tells what it means.
        expected = _torch_gradients(expression, {"x": x.astype(np.float64)})
    for order, (ours, theirs) in enumerate(zip(got, expected, strict=True)):
        tolerance = dict(EXACT[dtype])
        if order or "gelu" in expression:
            # Differences of nearly equal numbers: PyTorch's own digits end here.
            tolerance["atol"] = {"float32": 1e-6, "float64": 5e-15}[dtype]
            # Where PyTorch's own formula overflows to NaN, a number is no mistake.
            theirs = np.where(np.isnan(theirs) & np.isfinite(x), ours, theirs)
        np.testing.assert_allclose(ours, theirs, **tolerance, err_msg=f"order {order}")
    signs = np.signbit(got[0][:2]), np.signbit(expected[0][:2])
    assert signs[0].tolist() == signs[1].tolist()


@pytest.mark.parametrize("expression", ACTIVATIONS)
def test_gradients_are_tracked_where_pytorch_tracks_them(expression: str) -> None:
    node, leaves = build(expression, {"x": np.ones(2, np.float32)})
    gradient = vjp([node], [constant(np.ones(2, np.float32))], [leaves["x"]])[leaves["x"]]
    assert gradient.requires_grad


@pytest.mark.parametrize("expression", [*ACTIVATIONS, "softmax(x, 0)", "log_softmax(x, 0)"])
def test_half_precision(expression: str) -> None:
    x = np.linspace(-8, 8, 101).astype(np.float16)
    node, _ = build(expression, {"x": x})
    expected = evaluate(expression, tensors({"x": x})).detach().numpy()
    assert execute([node])[0].dtype == np.float16
    np.testing.assert_allclose(execute([node])[0], expected, rtol=1.5e-3, atol=2e-5)


@pytest.mark.parametrize("dtype", ["uint8", "int32", "int64"])
@pytest.mark.parametrize(
    "expression", ["relu(x)", "sigmoid(x)", "softsign(x)", "relu6(x)", "hardtanh(x, 1, 3)", "hardtanh(x, 0.5, 2.7)"]
)
def test_integers(expression: str, dtype: str) -> None:
    x = np.array([0, 1, 2, 200]).astype(dtype)
    expected = evaluate(expression, tensors({"x": x})).numpy()
    got = execute([build(expression, {"x": x})[0]])[0]
    assert got.dtype == expected.dtype
    np.testing.assert_allclose(got, expected, rtol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
@pytest.mark.parametrize(
    "rows",
    [
        [[1000.0, -1000.0], [0.0, -0.0], [1e30, 1e30]],
        [[-np.inf, 1.0], [np.nan, 1.0]],
        [[np.inf, 1.0]],
        [[-np.inf, -np.inf]],
    ],
    ids=str,
)
@pytest.mark.parametrize("dim", [0, 1])
def test_softmax_of_special_values(name: str, rows: list[list[float]], dim: int, dtype: str) -> None:
    arrays = {"x": np.array(rows, dtype)}
    got, expected = (f(f"{name}(x, {dim})[0]", arrays) for f in (_gradients, _torch_gradients))
    for ours, theirs in zip(got, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-30)


@pytest.mark.parametrize("shape", [(), (0,), (0, 3), (3, 0), (1,), (2, 3, 4)])
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_softmax_of_shapes(name: str, shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    for dim in range(-max(1, len(shape)), max(1, len(shape))):
        got, expected = (f(f"{name}(x, {dim})", {"x": x}) for f in (_gradients, _torch_gradients))
        for ours, theirs in zip(got, expected, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-6)


# Losses ---------------------------------------------------------------------------------------------------------------

_RNG = np.random.default_rng(7)
INPUTS = {
    "x": _RNG.normal(size=(4, 3)),
    "y": _RNG.uniform(0.1, 1, (4, 3)),
    "v": _RNG.uniform(0.1, 1, 3),
    "u": _RNG.normal(size=3),
    "x3": _RNG.normal(size=(2, 3, 5)),
    "y3": _RNG.uniform(0.1, 1, (2, 3, 5)),
    "x4": _RNG.normal(size=(2, 3, 5, 2)),
    "x5": _RNG.normal(size=(2, 3, 2, 2, 2)),
    "e": np.zeros((0, 3)),
    "s": np.array(0.3),
    "c": _RNG.normal(size=(4, 1)),
    "i": np.array([0, 1, 2, 1]),
    "i3": _RNG.integers(0, 3, (2, 5)),
    "i4": _RNG.integers(0, 3, (2, 5, 2)),
    "i5": _RNG.integers(0, 3, (2, 2, 2, 2)),
    "ie": np.zeros(0, np.int64),
    "i0": np.array(2),
    "ii": np.array([-100, 1, 2, 0]),
    "gone": np.full(4, -100),
    "b": np.array([0, 1, 2, 1], np.uint8),
}
REDUCED = [
    f"{loss}, reduction='{reduction}')"
    for reduction in ("mean", "sum", "none")
    for loss in (
        "mse_loss(x, y",
        "mse_loss(x, v",
        "mse_loss(v, x",
        "mse_loss(x, c",
        "mse_loss(s, x",
        "mse_loss(x, s",
        "mse_loss(c, v",
        "mse_loss(e, e",
        "mse_loss(x, x",
        "l1_loss(x, y",
        "l1_loss(x, v",
        "l1_loss(c, v",
        "l1_loss(e, e",
        "huber_loss(x, y",
        "huber_loss(x, v, delta=0.4",
        "smooth_l1_loss(x, y",
        "smooth_l1_loss(x, v, beta=0.3",
        "smooth_l1_loss(x, y, beta=0.0",
        "cross_entropy(x, i",
        "cross_entropy(x, b",
        "cross_entropy(x, ii",
        "cross_entropy(x, i, ignore_index=1",
        "cross_entropy(x3, i3",
        "cross_entropy(x4, i4",
        "cross_entropy(x5, i5",
        "cross_entropy(v, i0",
        "cross_entropy(e, ie",
        "cross_entropy(x, y",
        "cross_entropy(x3, y3",
        "cross_entropy(v, u.detach()",
        "cross_entropy(x, y, weight=v",
        "cross_entropy(x, i, weight=v.detach()",
        "cross_entropy(x4, i4, weight=v.detach()",
        "cross_entropy(x3, y3, weight=v",
        "cross_entropy(x, i, label_smoothing=0.1",
        "cross_entropy(x, ii, label_smoothing=0.1",
        "cross_entropy(x, i, label_smoothing=1.0",
        "cross_entropy(x, ii, label_smoothing=0.1, weight=v.detach()",
        "cross_entropy(x3, i3, label_smoothing=0.1, weight=v.detach()",
        "cross_entropy(x4, i4, label_smoothing=0.3",
        "cross_entropy(v, i0, label_smoothing=0.1",
        "cross_entropy(x, y, label_smoothing=0.1",
        "cross_entropy(x, y, label_smoothing=0.1, weight=v",
        "cross_entropy(x.T, x.T.detach()",
        "cross_entropy(x, gone",
        "nll_loss(x, i",
        "nll_loss(x3, i3",
        "nll_loss(x4, i4",
        "nll_loss(x5, i5",
        "nll_loss(v, i0",
        "nll_loss(x, ii, weight=v.detach()",
        "binary_cross_entropy_with_logits(x, y",
        "binary_cross_entropy_with_logits(x, y.detach(), pos_weight=v.detach()",
        "binary_cross_entropy_with_logits(x, y, weight=v.detach()",
        "binary_cross_entropy_with_logits(e, e",
        "binary_cross_entropy_with_logits(x, y, weight=y.detach(), pos_weight=v.detach()",
    )
]
NORMS = [
    "layer_norm(x, (3,))",
    "layer_norm(x, [3], v)",
    "layer_norm(x, [3], None, v)",
    "layer_norm(x, (3,), v, u)",
    "layer_norm(e, (3,), v, u)",
    "layer_norm(x, (4, 3))",
    "layer_norm(x, (3,), v.detach(), u)",
    "layer_norm(x3, (3, 5), eps=0.1)",
    "layer_norm(1000*x + 3, (3,))",
]
MIXED = [
    "mse_loss(x.double(), y)",
    "mse_loss(x, y.double())",
    "mse_loss(x, i[:3])",
    "l1_loss(x, y.double())",
    "smooth_l1_loss(x, y.double())",
    "cross_entropy(x.double(), y)",
    "cross_entropy(x, y.double())",
    "binary_cross_entropy_with_logits(x, y.double())",
    "cross_entropy(x.T, i[:3])",
    "nll_loss(x.T, i[:3])",
    "mse_loss(x.T, y.T)",
    "mse_loss(x3[0], x3[0, 0])",
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("expression", [*REDUCED, *NORMS, *MIXED])
def test_losses(expression: str, dtype: str) -> None:
    arrays = {n: a.astype(dtype) if a.dtype.kind == "f" else a for n, a in INPUTS.items()}
    theirs = tensors(arrays)
    expected = evaluate(expression, theirs)
    node, leaves = build(expression, arrays)
    assert node.shape == tuple(expected.shape)
    assert f"torch.{node.dtype}" == str(expected.dtype)
    if expression not in ("cross_entropy(e, e, reduction='mean')",):
        assert chain(Tensor(node).grad_fn) == chain(expected.grad_fn)
    # The smallest of the two dtypes bounds what can agree.
    tolerance = {"rtol": 3e-5, "atol": 3e-6} if dtype == "float32" else {"rtol": 1e-10, "atol": 1e-12}
    np.testing.assert_allclose(execute([node])[0], expected.detach().numpy(), **tolerance)
    weights = np.random.default_rng(1).uniform(0.5, 1.5, node.shape).astype(node.dtype)
    names = [n for n, t in theirs.items() if t.requires_grad]
    first = torch.autograd.grad(
        (expected * torch.tensor(weights)).sum(), [theirs[n] for n in names], create_graph=True, allow_unused=True
    )
    found = vjp([node], [constant(weights)], [leaves[n] for n in names])
    for name, gradient in zip(names, first, strict=True):
        assert (leaves[name] in found) == (gradient is not None), name
        if gradient is not None:
            np.testing.assert_allclose(
                execute([found[leaves[name]]])[0], gradient.detach().numpy(), **tolerance, err_msg=name
            )
    if dtype == "float64":
        _compare_second_order(names, first, found, theirs, leaves, tolerance)


def _compare_second_order(names: Any, first: Any, found: Any, theirs: Any, leaves: Any, tolerance: Any) -> None:
    for name, gradient in zip(names, first, strict=True):
        if gradient is None or not gradient.requires_grad:
            continue
        weights = np.random.default_rng(2).uniform(0.5, 1.5, tuple(gradient.shape))
        ours = found[leaves[name]]
        second = torch.autograd.grad(
            (gradient * torch.tensor(weights)).sum(), [theirs[n] for n in names], allow_unused=True, retain_graph=True
        )
        again = vjp([ours], [constant(weights)], [leaves[n] for n in names])
        for other, expected in zip(names, second, strict=True):
            zero = np.zeros(leaves[other].shape)
            got = execute([again[leaves[other]]])[0] if leaves[other] in again else zero
            np.testing.assert_allclose(
                got, zero if expected is None else expected.numpy(force=True), **tolerance, err_msg=f"{name}, {other}"
            )


EXTREME_LOSSES = [
    "cross_entropy(x, t)",
    "cross_entropy(x, t, reduction='none')",
    "cross_entropy(x, t, label_smoothing=0.1)",
    "binary_cross_entropy_with_logits(x, z)",
    "binary_cross_entropy_with_logits(x, z, pos_weight=z.detach() + 1)",
    "huber_loss(x, z)",
    "smooth_l1_loss(x, z)",
    "mse_loss(x, z)",
    "l1_loss(x, z)",
    "cross_entropy(x, z)",
]
ROWS = [
    [1000.0, -1000.0, 0.0],
    [1e30, 1.0, 2.0],
    [-np.inf, 1.0, 2.0],
    [np.nan, 1.0, 2.0],
    [1e-30, -0.0, 88.0],
    [-100.0, 100.0, 60.0],
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("row", ROWS, ids=str)
@pytest.mark.parametrize("expression", EXTREME_LOSSES)
def test_losses_of_extreme_values(expression: str, row: list[float], dtype: str) -> None:
    arrays = {"x": np.array([row, [0.0, 1.0, 2.0]], dtype), "t": np.array([1, 2])}
    z = np.array([[0, 1, 0], [1, 0, 0]], dtype)
    theirs = tensors(arrays)
    expected = evaluate(expression, {**theirs, "z": torch.tensor(z)})
    node, leaves = build(expression, {**arrays, "z": z})
    np.testing.assert_allclose(execute([node])[0], expected.detach().numpy(), rtol=1e-6, err_msg="value")
    (gradient,) = torch.autograd.grad(expected.sum(), theirs["x"])
    found = vjp([node], [constant(np.ones(node.shape, dtype))], [leaves["x"]])
    np.testing.assert_allclose(
        execute([found[leaves["x"]]])[0], gradient.numpy(), rtol=2e-6, atol=1e-37, err_msg="gradient"
    )


REFUSED = [
    "mse_loss(x, y[:, :2])",
    "mse_loss(x, y, reduction='avg')",
    "huber_loss(x, y, delta=0.)",
    "smooth_l1_loss(x, y, beta=-1.)",
    "cross_entropy(x, i, label_smoothing=1.1)",
    "cross_entropy(x, y, ignore_index=1)",
    "cross_entropy(x, i[:2])",
    "cross_entropy(x, i + 5)",
    "cross_entropy(x, i - 1)",
    "cross_entropy(x, y[0])",
    "cross_entropy(s, i0)",
    "nll_loss(x, y)",
    "cross_entropy(x, i, weight=y[0, :2].detach())",
    "layer_norm(x, (4,))",
    "layer_norm(x, ())",
    "layer_norm(x, (3,), v[:2])",
    "binary_cross_entropy_with_logits(x, v)",
    "softmax(x, 2)",
    "hardtanh(x, 2., 1.)",
    "gelu(x, approximate='cosh')",
    "relu(x > 0)",
    "nll_loss(x, i, reduction='max')",
    "nll_loss(s, i0)",
]


@pytest.mark.parametrize("expression", REFUSED)
def test_what_pytorch_refuses_is_refused(expression: str) -> None:
    with pytest.raises((RuntimeError, ValueError, IndexError)):
        evaluate(expression, tensors(INPUTS))
    with pytest.raises(GradcliError):
        execute([build(expression, INPUTS)[0]])


# Special functions and the normal distribution ------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["erf", "erfc", "lgamma", "digamma"])
def test_special_functions_to_second_order(name: str) -> None:
    x = np.array(
        [
            0.0,
            -0.0,
            1e-30,
            -1e-30,
            0.1,
            0.5,
            1.0,
            1.5,
            2.0,
            3.7,
            10.0,
            30.0,
            -0.5,
            -1.5,
            -2.7,
            -1.0,
            -3.0,
            1e10,
            np.inf,
            -np.inf,
            np.nan,
        ]
    )
    got, expected = _gradients(f"{name}(x)", {"x": x}), _torch_gradients(f"{name}(x)", {"x": x})
    for order, (ours, theirs) in enumerate(zip(got, expected, strict=True)):
        # PyTorch's polygamma of order 2 is NaN at infinity, where the limit is 0.
        theirs = np.where(np.isinf(x) & (order == 2), ours, theirs)
        # At the poles below 0 its trigamma is as large as the rounding of a sine lets it be.
        theirs = np.where((x < 0) & (np.rint(x) == x) & (theirs > 1e30), np.inf, theirs)
        np.testing.assert_allclose(ours, theirs, rtol=2e-9, atol=1e-300, err_msg=f"order {order}")


# Random numbers -------------------------------------------------------------------------------------------------------

TYPES = {"float16": torch.float16, "float32": torch.float32, "float64": torch.float64}
SIZES = [*range(101), 1000, 4097, 32768, 32769, 65551]


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("kind", ["rand", "randn"])
def test_one_draw_of_any_size(kind: str, dtype: str) -> None:
    for size in SIZES:
        torch.manual_seed(size)
        expected = getattr(torch, kind)(size, dtype=TYPES[dtype]).numpy()
        got = Generator(size).reserve(kind, size, np.dtype(dtype)).numbers()
        assert got.dtype == expected.dtype
        assert np.array_equal(got, expected), f"{size} numbers"


@pytest.mark.parametrize("seed", [*range(12), 2**31, 2**32 + 7, 2**63, 2**64 - 1, -3, -(2**63)])
def test_draws_in_any_mix_and_order(seed: int) -> None:
    choose = random.Random(seed)
    torch.manual_seed(seed)
    generator = Generator(seed)
    draws, expected = [], []
    for _ in range(60):
        kind, dtype = choose.choice(["rand", "randn"]), choose.choice(list(TYPES))
        size = choose.choice([choose.randrange(20), choose.randrange(101), 1000])
        draws.append(generator.reserve(kind, size, np.dtype(dtype)))
        expected.append(getattr(torch, kind)(size, dtype=TYPES[dtype]).numpy())
    order = list(range(60))
    if seed % 2:
        choose.shuffle(order)
    for at in order:
        assert np.array_equal(draws[at].numbers(), expected[at]), f"draw {at}"


def test_rows_draw_in_the_order_of_the_text() -> None:
    from gradcli.ops.create import GENERATOR

    token = GENERATOR.set(Generator(5))
    try:
        node = OPS["randn"](3, 4) + OPS["rand"](4) * OPS["randn"](3, 1, dtype="float64")
    finally:
        GENERATOR.reset(token)
    torch.manual_seed(5)
    expected = torch.randn(3, 4) + torch.rand(4) * torch.randn(3, 1, dtype=torch.float64)
    np.testing.assert_allclose(execute([node])[0], expected.numpy(), rtol=1e-15)


def test_a_window_of_padding_alone_has_no_maximum() -> None:
    """PyTorch's gradient of one is written beside its memory."""
    with pytest.raises(gc.GradcliError, match="nothing but padding"):
        gc.evaluate("max_pool2d(x, 2, 1, 1, dilation=2)", {"x": np.ones((1, 4, 1))})
    assert gc.evaluate("max_pool2d(x, 2, 1, 1, dilation=2)", {"x": np.ones((1, 4, 2))}).value.shape == (1, 4, 2)


@pytest.mark.parametrize("padding", [0, 1])
def test_the_first_of_equal_maxima_is_taken(padding: int) -> None:
    x = np.array([[0.0, -0.0, np.nan, 2, -np.inf, -np.inf], [-0.0, 0.0, 1, np.nan, -np.inf, -np.inf]], np.float32)
    x = np.stack([x, -x, np.abs(x[:, ::-1])]).reshape(1, 3, 2, 6)
    values, places = torch.nn.functional.max_pool2d(torch.from_numpy(x), 2, 1, padding, return_indices=True)
    alone = gc.evaluate(f"max_pool2d(x, 2, 1, {padding})", {"x": x}, wrt=()).value.numpy()
    both = gc.evaluate(f"v, i = max_pool2d(x, 2, 1, {padding}, return_indices=True); v + 0*i", {"x": x}, wrt=())
    found = gc.max_pool2d(gc.tensor(x), 2, 1, padding, return_indices=True)
    np.testing.assert_array_equal(found[1].numpy(), places)
    for ours in (alone, found[0].numpy(), both.value.numpy()):
        np.testing.assert_array_equal(ours, values)
    known = ~np.isnan(alone)
    assert np.array_equal(np.signbit(alone[known]), np.signbit(values.numpy()[known]))
