"""Losses and layer normalization: figures of PyTorch 2.13, derivatives, chains, targets of every kind, refusals."""

from __future__ import annotations

import math
import re
import warnings
from typing import Any

import numpy as np
import pytest

import gradcli as gc
from gradcli.autodiff.vjp import backward_function, shown, vjp
from gradcli.engine.execute.run import execute
from gradcli.errors import GradcliError
from gradcli.graph.node import Node, constant, input_node
from gradcli.graph.op import OPS
from tests.cases import Case
from tests.gradients import build, errors

X = np.array([[0.5, -1.0, 2.0], [1.5, 0.25, -0.75]])
INPUTS: dict[str, np.ndarray] = {
    "x": X,
    "y": np.array([[0.2, 0.3, 0.5], [0.6, 0.1, 0.3]]),
    "t": np.array([2, 0]),
    "v": np.array([0.5, 1.0, 2.0]),
    "ignored": np.array([-100, 0]),
    "gone": np.array([-100, -100]),
    "s": np.array(1),
    "k": np.array([[0, 1], [2, 2]]),
    "p": np.arange(12.0).reshape(2, 3, 2) / 10,
    "q": np.arange(12.0).reshape(2, 3, 2, 1) / 10,
    "k4": np.zeros((2, 2, 1), int),
    "e": np.zeros((0, 3)),
    "te": np.zeros(0, int),
}


def inputs(dtype: str = "float64") -> dict[str, np.ndarray]:
    return {n: a.astype(dtype) if a.dtype.kind == "f" else a for n, a in INPUTS.items()}


def value(expression: str, dtype: str = "float64") -> np.ndarray:
    return execute([build(expression, inputs(dtype))[0]])[0]


def gradient(expression: str, of: str, arrays: dict[str, np.ndarray]) -> np.ndarray:
    node, leaves = build(expression, arrays)
    return execute([vjp([node], [constant(np.ones(node.shape, node.dtype))], [leaves[of]])[leaves[of]]])[0]


def chain(expression: str) -> str:
    def show(node: Node | None) -> str:
        if node is None:
            return "None"
        name, edges = backward_function(node)
        short = {"AccumulateGrad": "A"}.get(name, name.replace("Backward", "B"))
        return f"{short}({', '.join(show(e) for e, _ in edges)})" if edges else short

    return show(shown(build(expression, inputs("float32"))[0])[0])


# Value, and gradient with respect to x.
FIGURES: dict[str, tuple[Any, list[Any]]] = {
    "cross_entropy(x, t)": (
        0.28599195303219055,
        [
            [0.08764519607001835, 0.019556286635343725, -0.10720148270536206],
            [-0.14077982942446754, 0.10291830199882578, 0.03786152742564176],
        ],
    ),
    "cross_entropy(x, t, reduction='sum')": (
        0.5719839060643811,
        [
            [0.1752903921400367, 0.03911257327068745, -0.21440296541072412],
            [-0.2815596588489351, 0.20583660399765155, 0.07572305485128351],
        ],
    ),
    "cross_entropy(x, t, weight=v.detach())": (
        0.2591835592071704,
        [
            [0.14023231371202935, 0.03129005861654996, -0.1715223723285793],
            [-0.05631193176978702, 0.04116732079953031, 0.015144610970256704],
        ],
    ),
    "cross_entropy(x, t, weight=v.detach(), label_smoothing=0.2)": (
        0.5140653452650785,
        [
            [0.11521295423602693, 0.0020158870651708002, -0.11722884130119766],
            [0.008671553091603123, 0.02547860634607173, -0.03415015943767484],
        ],
    ),
    "cross_entropy(x, y)": (
        1.2859919530321906,
        [
            [-0.012354803929981659, -0.13044371336465627, 0.14279851729463794],
            [0.05922017057553247, 0.05291830199882577, -0.11213847257435824],
        ],
    ),
    "cross_entropy(x, y, weight=v, label_smoothing=0.1)": (
        1.6287778523143486,
        [
            [0.06732488658972526, -0.12474417873201014, 0.05741929214228491],
            [0.22187384008512465, 0.042966940365472855, -0.26484078045059756],
        ],
    ),
    "nll_loss(x, t)": (-1.75, [[0.0, 0.0, -0.5], [-0.5, 0.0, 0.0]]),
    "nll_loss(x, t, weight=v.detach())": (-1.9, [[0.0, 0.0, -0.8], [-0.2, 0.0, 0.0]]),
    "mse_loss(x, y)": (
        0.9941666666666666,
        [[0.09999999999999999, -0.43333333333333335, 0.5], [0.3, 0.049999999999999996, -0.35]],
    ),
    "mse_loss(x, v, reduction='sum')": (13.125, [[0.0, -4.0, 0.0], [2.0, -1.5, -5.5]]),
    "l1_loss(x, y)": (
        0.8666666666666667,
        [
            [0.16666666666666666, -0.16666666666666666, 0.16666666666666666],
            [0.16666666666666666, 0.16666666666666666, -0.16666666666666666],
        ],
    ),
    "huber_loss(x, y, delta=0.5)": (
        0.32187499999999997,
        [
            [0.049999999999999996, -0.08333333333333333, 0.08333333333333333],
            [0.08333333333333333, 0.024999999999999998, -0.08333333333333333],
        ],
    ),
    "smooth_l1_loss(x, v, beta=2.0)": (
        0.5234375,
        [[0.0, -0.16666666666666666, 0.0], [0.08333333333333333, -0.0625, -0.16666666666666666]],
    ),
    "binary_cross_entropy_with_logits(x, y)": (
        0.8047483977862996,
        [
            [0.07040988853364243, -0.0051764297716674805, 0.06346617966298039],
            [0.036262412698940615, 0.07702941681429969, 0.0034702168041011727],
        ],
    ),
    "binary_cross_entropy_with_logits(x, y, weight=v.detach(), pos_weight=3 * v.detach())": (
        1.7886430139578204,
        [
            [0.03205877202683668, -0.07828228763466796, 0.02759659097419605],
            [0.013570568254311391, 0.06243530017715961, -0.3326489159794941],
        ],
    ),
    "layer_norm(x, (3,))": (
        [
            [0.0, -1.2247407889290967, 1.2247407889290967],
            [1.2674929643309851, -0.09053521173792756, -1.176957752593058],
        ],
        [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]],
    ),
    "layer_norm(x, (2, 3), eps=0.5)": (
        [
            [0.06428243465332249, -1.0928013891064827, 1.2213662584131275],
            [0.8356716504931925, -0.12856486930664504, -0.8999540851465152],
        ],
        [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]],
    ),
    "layer_norm(x, (3,), v, v)[0]": (
        [0.5, -0.22474078892909666, 4.449481577858194],
        [[-0.544329239524043, 0.27216189813396796, 0.2721673413900749], [0.0, 0.0, 0.0]],
    ),
}


@pytest.mark.parametrize("expression", FIGURES)
def test_figures(expression: str) -> None:
    expected, slope = FIGURES[expression]
    np.testing.assert_allclose(value(expression), expected, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(gradient(expression, "x", inputs()), slope, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(value(expression, "float32"), expected, rtol=2e-6, atol=1e-6)


CHECKED = [
    "cross_entropy(x, t, weight=[0.5, 1.0, 1.5], ignore_index=1)",
    "cross_entropy(x, t, label_smoothing=0.3, reduction='none')",
    "cross_entropy(x, y, weight=w, label_smoothing=0.1)",
    "cross_entropy(x, y, reduction='sum')",
    "nll_loss(x * x, t)",
    "binary_cross_entropy_with_logits(x, y, weight=[0.5, 1.0, 1.5], pos_weight=[2.0, 1.0, 3.0])",
    "binary_cross_entropy_with_logits(x, y, pos_weight=[0.5, 1.0, 1.5], reduction='none')",
    "mse_loss(x, w)",
    "mse_loss(w, x, reduction='none')",
    "huber_loss(x, w, delta=0.7, reduction='sum')",
    "smooth_l1_loss(x, w, beta=0.3)",
    "smooth_l1_loss(x, y, beta=0.0)",
    "l1_loss(w, x)",
    "layer_norm(x, [3], None, w)",
    "layer_norm(x, [3], w, eps=0.1)",
    "layer_norm(x, (4, 3), y, x)",
]


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("expression", CHECKED)
def test_finite_differences(expression: str, order: int) -> None:
    shapes = {"x": ((4, 3), (-2.0, 2.0)), "y": ((4, 3), (0.1, 0.9)), "w": ((3,), (0.5, 1.5)), "t": ((4,), "class3")}
    used = {n: shape for n, shape in shapes.items() if re.search(rf"\b{n}\b", expression)}
    assert errors(expression, Case(expression, used).arrays(), order) == []


CHAINS = {
    "mse_loss(x, v)": "MseLossB0(A, ExpandB0(A))",
    "l1_loss(x, y)": "MeanB0(AbsB0(SubB0(A, A)))",
    "smooth_l1_loss(x, y, beta=0.)": "MeanB0(AbsB0(SubB0(A, A)))",
    "huber_loss(x, y.detach())": "HuberLossB0(A, None)",
    "cross_entropy(x, t)": "NllLossB0(LogSoftmaxB0(A))",
    "cross_entropy(p, k)": "NllLoss2DB0(ViewB0(LogSoftmaxB0(A)))",
    "cross_entropy(p, k, reduction='none')": "ViewB0(NllLoss2DB0(ViewB0(LogSoftmaxB0(A))))",
    "cross_entropy(q, k4)": "NllLoss2DB0(LogSoftmaxB0(A))",
    "cross_entropy(x, y)": "DivB1(NegB0(SumB0(MulB0(LogSoftmaxB0(A), A))))",
    "cross_entropy(x, y, v, label_smoothing=0.1)": (
        "DivB1(NegB0(SumB0(MulB0(MulB0(LogSoftmaxB0(A), AddB1(MulB1(A))), ViewB0(A)))))"
    ),
    "cross_entropy(x, t, label_smoothing=0.1)": (
        "AddB0(MulB1(NllLossB0(LogSoftmaxB0(A))), "
        "MulB1(DivB0(SumB0(MaskedFillB0(NegB0(SumB1(LogSoftmaxB0(A))))), None)))"
    ),
    "binary_cross_entropy_with_logits(x, y)": "BinaryCrossEntropyWithLogitsB0(A, A)",
    "layer_norm(x, (3,))": "NativeLayerNormB0(A, None, None)",
    "layer_norm(x, (3,), None, v)": "NativeLayerNormB0(A, None, A)",
}


@pytest.mark.parametrize("expression", CHAINS)
def test_chains(expression: str) -> None:
    assert chain(expression) == CHAINS[expression]


# Targets --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["[2, 0]", "t", "tensor([2, 0], dtype=int64)", "[2., 0.]"])
def test_class_indices_however_given(target: str) -> None:
    if target == "[2, 0]":
        # From Python a list of integers.
        assert execute([OPS["cross_entropy"](input_node(X), [2, 0])])[0] == pytest.approx(value("cross_entropy(x, t)"))
    assert value(f"cross_entropy(x, {target})") == pytest.approx(value("cross_entropy(x, t)"))


def test_a_list_in_the_shape_of_the_input_holds_probabilities() -> None:
    assert value("cross_entropy(x, [[0, 0, 1], [1, 0, 0]])") == pytest.approx(value("cross_entropy(x, t)"))


def test_one_class_index_for_one_vector() -> None:
    assert value("cross_entropy(v, 1)") == pytest.approx(value("cross_entropy(v, s)"))


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int32", "uint64"])
def test_any_integers_serve_as_class_indices(dtype: str) -> None:
    arrays = {**inputs(), "t": INPUTS["t"].astype(dtype)}
    assert execute([build("cross_entropy(x, t)", arrays)[0]])[0] == pytest.approx(value("cross_entropy(x, t)"))


def test_ignored_targets_count_for_nothing() -> None:
    row = {**inputs(), "x": X[1:], "t": INPUTS["t"][1:]}
    for extra in ("", ", label_smoothing=0.2", ", weight=v.detach()", ", label_smoothing=0.2, weight=v.detach()"):
        alone = execute([build(f"cross_entropy(x, t{extra})", row)[0]])[0]
        assert value(f"cross_entropy(x, ignored{extra})") == pytest.approx(alone)
    losses = value("cross_entropy(x, ignored, reduction='none')")
    assert losses[0] == 0
    assert not np.signbit(losses[0])
    assert gradient("cross_entropy(x, ignored)", "x", inputs())[0].tolist() == [0, 0, 0]


def test_with_all_targets_ignored_the_mean_is_nan_and_the_gradient_zero() -> None:
    assert np.isnan(value("cross_entropy(x, gone)"))
    assert value("cross_entropy(x, gone, reduction='sum')") == 0
    assert gradient("cross_entropy(x, gone)", "x", inputs()).tolist() == [[0, 0, 0]] * 2


@pytest.mark.parametrize(
    "loss",
    [
        "cross_entropy(e, te",
        "cross_entropy(e, e",
        "mse_loss(e, e",
        "l1_loss(e, e",
        "binary_cross_entropy_with_logits(e, e",
        "nll_loss(e, te",
    ],
)
def test_losses_of_nothing(loss: str) -> None:
    assert np.isnan(value(f"{loss})"))
    assert value(f"{loss}, reduction='sum')") == 0
    assert value(f"{loss}, reduction='none')").size == 0


def test_empty_dimensions() -> None:
    arrays = {"x": np.zeros((2, 3, 0)), "t": np.zeros((2, 0), int)}
    assert execute([build("cross_entropy(x, t, reduction='none')", arrays)[0]])[0].shape == (2, 0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert execute([build("layer_norm(x, (0,))", {"x": np.zeros((2, 0))})[0]])[0].shape == (2, 0)


# Extreme values -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_far_logits_neither_overflow_nor_lose_digits(dtype: str) -> None:
    arrays = {"x": np.array([[1000.0, -1000.0, 0.0], [1e30, 1.0, 2.0]], dtype), "t": np.array([1, 0])}
    losses = execute([build("cross_entropy(x, t, reduction='none')", arrays)[0]])[0]
    assert losses.tolist() == [2000, 0]
    arrays = {"x": np.array([-1000, -50, 0, 50, 1000], dtype), "y": np.array([1, 0, 0.5, 1, 0], dtype)}
    losses = execute([build("binary_cross_entropy_with_logits(x, y, reduction='none')", arrays)[0]])[0]
    np.testing.assert_allclose(losses, [1000, math.exp(-50), math.log(2), math.exp(-50), 1000], rtol=1e-6)
    slopes = gradient("binary_cross_entropy_with_logits(x, y, reduction='sum')", "x", arrays)
    np.testing.assert_allclose(slopes, [-1, math.exp(-50), 0, 0, 1], rtol=1e-6, atol=1e-21)


def test_a_probability_of_zero_spoils_only_its_own_class() -> None:
    arrays = {"x": np.array([[-np.inf, 1.0, 2.0]]), "t": np.array([1])}
    assert execute([build("cross_entropy(x, t)", arrays)[0]])[0] == pytest.approx(math.log1p(math.e))
    assert np.isfinite(gradient("cross_entropy(x, t)", "x", arrays)).all()


def test_huber_far_out_does_not_overflow() -> None:
    arrays = {"x": np.array([1e30, -1e30], np.float32), "y": np.zeros(2, np.float32)}
    assert execute([build("huber_loss(x, y)", arrays)[0]])[0] == np.float32(1e30)
    assert gradient("huber_loss(x, y, reduction='sum')", "x", arrays).tolist() == [1, -1]


# Refusals -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("cross_entropy(x, t + 1)", "class 3 is out of range: there are 3 classes"),
        ("cross_entropy(x, t - 1)", "class -1 is out of range"),
        ("cross_entropy(x, [7, 0])", "class 7 is out of range"),
        ("cross_entropy(x, [0.5, 1.])", "class indices must be integers"),
        ("cross_entropy(x, v)", "as in t.long(), or write tensor([0, 1], dtype=int64)"),
        ("cross_entropy(x, [t, t])", "target has shape (2, 2)"),
        ("cross_entropy(x, s)", "target has shape ()"),
        ("cross_entropy(x, y, ignore_index=1)", "probabilities"),
        ("cross_entropy(x, t, reduction='avg')", "'avg'"),
        ("cross_entropy(x, t, label_smoothing=1.5)", "between 0 and 1"),
        ("cross_entropy(sum(x), s)", "dimension of classes"),
        ("cross_entropy(x, t, weight=y[0, :2].detach())", "there are 3 classes"),
        ("mse_loss(x, p)", "do not fit"),
        ("huber_loss(x, y, delta=0)", "delta must be positive"),
        ("smooth_l1_loss(x, y, beta=-1)", "beta must be positive"),
        ("binary_cross_entropy_with_logits(x, v)", "they must be equal"),
        ("layer_norm(x, (2,))", "last dimensions"),
        ("layer_norm(x, ())", "last dimensions"),
        ("layer_norm(x, (3,), y)", "weight has shape (2, 3)"),
    ],
)
def test_refusals(expression: str, message: str) -> None:
    with pytest.raises(GradcliError) as refusal:
        value(expression)
    assert message in refusal.value.render()


def test_margins_are_taken_off_the_cosine() -> None:
    a = np.array([[1.0, 2.0], [-1.0, 3.0], [1.0, 1.0]])
    t = np.array([1, -1, -1])
    cosine = np.sum(a * (a + 1), 1) / np.sqrt(np.sum(a**2, 1) * np.sum((a + 1) ** 2, 1))
    expected = np.where(t == 1, 1 - cosine, np.maximum(0, cosine - 0.3))
    for first in ("a", "a*ones(3, 2)"):
        text = f"cosine_embedding_loss({first}, a + 1, t, 0.3, 'none')"
        np.testing.assert_allclose(gc.evaluate(text, {"a": a, "t": t}).value.detach().numpy(), expected, atol=1e-11)


def test_huber_loss_has_the_dtype_of_its_input() -> None:
    x, y = gc.tensor(np.array([1.5, -3], "f4"), requires_grad=True), gc.tensor(np.array([0.5, 1], "f8"))
    for reduction, expected in (("mean", 2.0), ("none", [0.5, 3.5])):
        loss = gc.huber_loss(x, y, reduction)
        assert (loss.dtype, loss.tolist(), loss.grad_fn.name()) == ("float32", expected, "HuberLossBackward0")
