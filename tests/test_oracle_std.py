"""The library in the language itself against PyTorch: the values of every function, and their gradients."""

# Matrices have the letters that books give them.
# ruff: noqa: N803, N806

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import gradcli as gc
from gradcli.reference.standard import definitions
from tests.oracle import torch

pytestmark = pytest.mark.oracle
F = torch.nn.functional
RNG = np.random.default_rng(61)


def normal(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape)


def positive(*shape: int) -> np.ndarray:
    return RNG.uniform(0.5, 1.5, size=shape)


def spd(n: int) -> np.ndarray:
    root = normal(n, n)
    return root @ root.T + n * np.eye(n)


def cell(kind: str, gates: int) -> Callable[..., Any]:
    def run(x: Any, h: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any, c: Any = None) -> Any:
        made = getattr(torch.nn, kind)(x.shape[1], h.shape[1]).double()
        given = {"weight_ih": w_ih, "weight_hh": w_hh, "bias_ih": b_ih, "bias_hh": b_hh}
        found = torch.func.functional_call(made, given, (x, h if c is None else (h, c)))
        return found if c is None else found[0] * 2 + found[1]

    return run


def cells(gates: int) -> dict[str, np.ndarray]:
    shapes = {"x": (3, 4), "h": (3, 2), "w_ih": (2 * gates, 4), "w_hh": (2 * gates, 2), "b_ih": (2 * gates,)}
    return {name: normal(*shape) for name, shape in shapes.items()} | {"b_hh": normal(2 * gates)}


def focal(a: Any, b: Any) -> Any:
    p = torch.sigmoid(a)
    p_t = p * b + (1 - p) * (1 - b)
    loss = F.binary_cross_entropy_with_logits(a, b, reduction="none") * (1 - p_t) ** 2
    return ((0.25 * b + 0.75 * (1 - b)) * loss).mean()


def haversine(a: Any, b: Any, c: Any, d: Any) -> Any:
    def place(lat: Any, lon: Any) -> Any:
        lat, lon = torch.deg2rad(lat), torch.deg2rad(lon)
        return torch.stack([lat.cos() * lon.cos(), lat.cos() * lon.sin(), lat.sin()])

    return 6371.0088 * torch.acos(place(a, b) @ place(c, d))


def black_scholes(s: Any, k: Any, t: Any, r: Any, v: Any) -> Any:
    d = (torch.log(s / k) + (r + v**2 / 2) * t) / (v * t.sqrt())
    cdf = torch.distributions.Normal(0.0, 1.0).cdf
    return s * cdf(d) - k * torch.exp(-r * t) * cdf(d - v * t.sqrt())


def kalman_update(m: Any, P: Any, z: Any, H: Any, R: Any) -> Any:
    S = H @ P @ H.T + R
    K = P @ H.T @ torch.linalg.inv(S)
    d = z - H @ m
    found = -(d @ torch.linalg.inv(S) @ d + torch.logdet(2 * np.pi * S)) / 2
    return (m + K @ d).sum() + ((P - K @ H @ P) ** 2).sum() + found


def ema(x: Any, a: Any) -> Any:
    found = [x[0]]
    for row in x[1:]:
        found.append((1 - a) * found[-1] + a * row)
    return torch.stack(found)


CASES: list[tuple[str, Callable[..., Any], dict[str, np.ndarray]]] = [
    ("h, c = lstm_cell(x, h, c, w_ih, w_hh, b_ih, b_hh); 2*h + c", cell("LSTMCell", 4), cells(4) | {"c": normal(3, 2)}),
    ("gru_cell(x, h, w_ih, w_hh, b_ih, b_hh)", cell("GRUCell", 3), cells(3)),
    ("rnn_cell(x, h, w_ih, w_hh, b_ih, b_hh)", cell("RNNCell", 1), cells(1)),
    (
        "swiglu(a, b, c, d)",
        lambda a, b, c, d: (F.silu(a @ b.T) * (a @ c.T)) @ d.T,
        {"a": normal(3, 4), "b": normal(5, 4), "c": normal(5, 4), "d": normal(4, 5)},
    ),
    ("focal_loss(a, b)", focal, {"a": normal(6), "b": np.array([0.0, 1, 1, 0, 1, 0])}),
    (
        "dice_loss(a, b)",
        lambda a, b: 1 - (2 * (a * b).sum() + 1) / (a.sum() + b.sum() + 1),
        {"a": positive(5), "b": positive(5)},
    ),
    (
        "pinball_loss(a, b, q=0.2)",
        lambda a, b: torch.where(b > a, 0.2 * (b - a), 0.8 * (a - b)).mean(),
        {"a": normal(7), "b": normal(7)},
    ),
    ("log_cosh_loss(a, b)", lambda a, b: (a - b).cosh().log().mean(), {"a": normal(7), "b": normal(7)}),
    (
        "charbonnier_loss(a, b, 0.1)",
        lambda a, b: torch.hypot(a - b, torch.tensor(0.1).double()).mean(),
        {"a": normal(7), "b": normal(7)},
    ),
    (
        "info_nce(a, b, 0.5)",
        lambda a, b: F.cross_entropy(F.cosine_similarity(a[:, None], b[None], -1) / 0.5, torch.arange(4)),
        {"a": normal(4, 3), "b": normal(4, 3)},
    ),
    (
        "normal_kl(a, b)",
        lambda a, b: torch.distributions.kl_divergence(
            torch.distributions.Normal(a, (b / 2).exp()), torch.distributions.Normal(0.0, 1.0)
        ).sum(),
        {"a": normal(4), "b": normal(4)},
    ),
    ("rmse(a, b)", lambda a, b: ((a - b) ** 2).mean().sqrt(), {"a": normal(5), "b": normal(5)}),
    ("mape(a, b)", lambda a, b: ((a - b).abs() / b.abs()).mean(), {"a": normal(5), "b": normal(5)}),
    ("r2_score(a, b)", lambda a, b: 1 - F.mse_loss(a, b) / b.var(correction=0), {"a": normal(5), "b": normal(5)}),
    (
        "psnr(a, b, 255)",
        lambda a, b: 20 * torch.log10(255 / ((a - b) ** 2).mean().sqrt()),
        {"a": normal(5), "b": normal(5)},
    ),
    (
        "cosine_distance(a, b)",
        lambda a, b: 1 - (a * b).sum(-1) / (a.norm(dim=-1) * b.norm(dim=-1)),
        {"a": normal(3, 4), "b": normal(3, 4)},
    ),
    (
        "mahalanobis(a, b, c)",
        lambda a, b, c: ((a - b) @ torch.linalg.inv(c) @ (a - b)).sqrt(),
        {"a": normal(3), "b": normal(3), "c": spd(3)},
    ),
    (
        "haversine(a, b, c, d)",
        haversine,
        {"a": np.array(52.5), "b": np.array(13.4), "c": np.array(48.1), "d": np.array(-11.6)},
    ),
    (
        "normal_pdf(a, b, c) + normal_log_pdf(a, b, c)",
        lambda a, b, c: (lambda p: p.exp() + p)(torch.distributions.Normal(b, c).log_prob(a)),
        {"a": normal(4), "b": normal(4), "c": positive(4)},
    ),
    (
        "normal_cdf(a, b, c)",
        lambda a, b, c: torch.distributions.Normal(b, c).cdf(a),
        {"a": normal(4), "b": normal(4), "c": positive(4)},
    ),
    ("black_scholes(s, k, t, r, v)", black_scholes, {name: positive() for name in "sktrv"}),
    (
        "rbf_kernel(a, b, 0.7)",
        lambda a, b: torch.exp(-(torch.cdist(a, b) ** 2) / 0.98),
        {"a": normal(3, 2), "b": normal(4, 2)},
    ),
    (
        "m, P = kalman_predict(m, P, A, Q); sum(m) + sum(P**2)",
        lambda m, P, A, Q: (A @ m).sum() + ((A @ P @ A.T + Q) ** 2).sum(),
        {"m": normal(3), "P": spd(3), "A": normal(3, 3), "Q": spd(3)},
    ),
    (
        "m, P, l = kalman_update(m, P, z, H, R); sum(m) + sum(P**2) + l",
        kalman_update,
        {"m": normal(3), "P": spd(3), "z": normal(2), "H": normal(2, 3), "R": spd(2)},
    ),
    ("ema(x, a)", ema, {"x": normal(5, 2), "a": np.array(0.3)}),
    ("discounted(x, a)", lambda x, a: (x * a ** torch.arange(5)).sum(), {"x": normal(5), "a": np.array(0.9)}),
    (
        "rosenbrock(x)",
        lambda x: sum(100 * (x[k + 1] - x[k] ** 2) ** 2 + (1 - x[k]) ** 2 for k in range(3)),
        {"x": normal(4)},
    ),
    ("rastrigin(x)", lambda x: 10 * len(x) + (x**2 - 10 * (2 * np.pi * x).cos()).sum(), {"x": normal(4)}),
    (
        "ackley(x)",
        lambda x: -20 * (-0.2 * (x @ x / 4).sqrt()).exp() - (2 * np.pi * x).cos().mean().exp() + 20 + np.e,
        {"x": normal(4)},
    ),
    ("himmelblau(x)", lambda x: (x[0] ** 2 + x[1] - 11) ** 2 + (x[0] + x[1] ** 2 - 7) ** 2, {"x": normal(2)}),
    ("polyval(a, x)", lambda a, x: a[0] * x**3 + a[1] * x**2 + a[2] * x + a[3], {"a": normal(4), "x": normal(3)}),
]


@pytest.mark.parametrize(("text", "theirs", "inputs"), CASES, ids=[text for text, _, _ in CASES])
def test_value_and_gradients(text: str, theirs: Callable[..., Any], inputs: dict[str, np.ndarray]) -> None:
    leaves = {name: torch.tensor(array, requires_grad=True) for name, array in inputs.items()}
    expected = theirs(**leaves)
    weights = torch.tensor(np.random.default_rng(1).normal(size=tuple(expected.shape)))
    expected.backward(weights)
    found = gc.evaluate(f"import std; {text}", inputs, grad_output=weights.numpy())
    np.testing.assert_allclose(found.value.detach().numpy(), expected.detach().numpy(), rtol=1e-9, atol=1e-12)
    for name, leaf in leaves.items():
        np.testing.assert_allclose(found.grads[name], leaf.grad.numpy(), rtol=1e-8, atol=1e-10, err_msg=name)


def test_every_function_is_compared() -> None:
    texts = " ".join(text for text, _, _ in CASES)
    assert [one.name for one in definitions() if f"{one.name}(" not in texts] == []
