"""Code pasted from PyTorch: each line is evaluated by PyTorch and by gradcli, values and gradients."""

from __future__ import annotations

import re

import numpy as np
import pytest

import gradcli as gc
from gradcli.graph.arguments import Library
from gradcli.graph.op import OPS
from gradcli.libraries.namespaces import function_in
from gradcli.libraries.torch_names import torch_names
from tests.oracle import torch

pytestmark = pytest.mark.oracle

INPUTS: dict[str, np.ndarray] = {
    "x": np.array([[0.5, -1.25, 2.0, 3.5], [1.0, 0.25, -0.75, 2.25], [4.0, 1.5, 0.125, -2.0]]),
    "y": np.array([[1.0, 2.0, 0.5, 1.5], [2.5, 1.0, 3.0, 0.5], [0.25, 4.0, 2.0, 1.0]]),
    "v": np.array([1.0, 2.5, 0.25, 3.0]),
    "A": np.array([[4.0, 1.0, 0.5], [1.0, 3.0, 0.25], [0.5, 0.25, 2.0]]),
    "B": np.array([[1.0, 2.0], [0.5, -1.0], [3.0, 0.25]]),
    "C": np.arange(24.0).reshape(1, 2, 3, 4) / 7,
    "k": np.array([3, 0, 1]),
}

PASTED = """
torch.exp(x); torch.std(x); torch.std(x, 0, unbiased=False); torch.var(x, dim=1, keepdim=True)
torch.mean(x, dim=-1); torch.sum(x, dim=(0, 1)); torch.max(x, dim=1)[0]; torch.max(x, dim=1).values
torch.amax(x, 1); torch.logsumexp(x, dim=1); torch.norm(x); torch.norm(x, 1); torch.norm(x, 2); torch.linalg.norm(x)
torch.linalg.norm(x, 2); torch.linalg.norm(x, 1); torch.linalg.norm(x, dim=1); torch.linalg.vector_norm(x, 1)
torch.linalg.matrix_norm(x, 'nuc'); torch.linalg.inv(A); torch.linalg.det(A); torch.det(A)
torch.linalg.slogdet(A)[1]; torch.linalg.slogdet(A).logabsdet; torch.linalg.solve(A, B); torch.linalg.cholesky(A)
torch.linalg.svdvals(x); torch.linalg.eigvalsh(A); torch.inverse(A); torch.linalg.cross(A, A + v[:3])
torch.linalg.diagonal(A); torch.linalg.vander(v, N=3); torch.linalg.matmul(A, B)
torch.linalg.multi_dot([A, B, B.T]); torch.linalg.matrix_power(A, 2); torch.matrix_exp(A); torch.linalg.pinv(B)
torch.special.expit(x); torch.special.gammaln(y); torch.special.psi(y); torch.special.erf(x)
torch.special.xlogy(y, y); torch.special.softmax(x, 1); torch.special.logsumexp(x, 0); torch.special.i1e(x)
torch.special.ndtr(x); torch.special.sinc(x); torch.special.polygamma(1, y); torch.special.round(x, decimals=1)
torch.special.entr(y); torch.special.log1p(y); F.relu(x, inplace=False); F.gelu(x); F.gelu(x, approximate='tanh')
F.softplus(x); F.softplus(x, beta=2); F.silu(x); F.softmax(x, dim=-1); F.log_softmax(x, dim=1); F.sigmoid(x)
F.tanh(x); F.elu(x, 0.5); F.leaky_relu(x, 0.2); F.hardtanh(x); F.mse_loss(x, y); F.mse_loss(x, y, reduction='sum')
F.l1_loss(x, y); F.smooth_l1_loss(x, y); F.huber_loss(x, y, delta=0.5); F.cross_entropy(x, k)
F.nll_loss(F.log_softmax(x, dim=1), k); F.binary_cross_entropy_with_logits(x, torch.sigmoid(y))
F.normalize(x, dim=0); F.cosine_similarity(x, y, dim=0); F.pad(x, (1, 2)); F.one_hot(k, num_classes=5)
F.linear(x, y); F.layer_norm(x, (4,)); F.conv2d(C, C.transpose(0, 1)[:, :, :2, :2].transpose(0, 1))
F.avg_pool2d(C, 2); F.max_pool2d(C, (2, 2)); F.unfold(C, kernel_size=(2, 2))
F.interpolate(C, scale_factor=2, mode='nearest'); F.dropout(x, p=0.5, training=False); nn.functional.relu(x)
torch.nn.functional.mish(x); nn.functional.logsigmoid(x); torch.nn.functional.glu(x, dim=1)
torch.cat([x, y], dim=1); torch.cat((x, y)); torch.stack([x, y], dim=-1); torch.hstack((x, y))
torch.where(x > 0, x, y); torch.concat([x, y]); torch.concatenate((x, y), dim=1); torch.split(x, 2, dim=1)[1]
torch.chunk(x, 3)[2]; torch.unbind(x)[1]; torch.clamp(x, min=0); torch.clip(x, -1, 1); torch.pow(x, 2); torch.abs(x)
torch.square(x); torch.rsqrt(y); torch.lerp(x, y, 0.3); torch.matmul(x, y.T); torch.mm(A, B); torch.mv(x, v)
torch.dot(v, v); torch.outer(v, v); torch.einsum('ij,kj->ik', x, y); torch.bmm(C[0], C[0].transpose(1, 2))
torch.tensordot(x, y, dims=2); torch.kron(A, B); torch.trace(A); torch.diag(v); torch.tril(A)
torch.cumsum(x, dim=1); torch.cumprod(x, 0); torch.sort(x, dim=1)[0]; torch.topk(x, 2)[0]; torch.argsort(x)
torch.flip(x, [0]); torch.quantile(x, 0.3); torch.median(x); torch.gather(x, 1, torch.argsort(x))
torch.roll(x, 1, 0); torch.permute(C, (3, 2, 1, 0)); torch.zeros(2, 3, device='cpu') + x[0, 0]; torch.ones_like(x)
torch.eye(3, dtype=torch.float64) @ A; torch.arange(4) * v; torch.full((2,), 1.5) * v[:2]
torch.linspace(0, 1, steps=4, dtype=torch.float64) + v; torch.zeros((2, 2), requires_grad=False) + x[0, 0]
torch.pi * x; torch.e * x; x.to(torch.float32); torch.inf * y; x.sum(dim=0); x.mean(-1); x.T; x.transpose(0, 1)
x.reshape(2, 6); x.view(-1); x.permute(1, 0); x.std(); x.var(0); x.max(dim=1)[0]; x.pow(2).sum().sqrt()
x.unsqueeze(0); x.clamp(min=0); x.flatten(); x.norm(); x.t(); x.detach() * x
torch.sqrt(torch.sum((x - y) ** 2, dim=-1))
-torch.mean(torch.sum(F.softmax(y, dim=1) * F.log_softmax(x, dim=1), dim=1))
torch.logsumexp(x - torch.max(x, dim=1, keepdim=True).values, dim=1)
torch.nn.functional.cross_entropy(x, k, reduction='none')
"""
TEXTS = [text.strip() for line in PASTED.splitlines() for text in line.split(";") if text.strip()]


@pytest.mark.parametrize("text", TEXTS)
def test_a_line_of_pytorch_means_the_same(text: str) -> None:
    used = [name for name in INPUTS if re.search(rf"(?<![\w.]){name}\b(?!\s*=[^=])", text)]
    tracked = [name for name in used if INPUTS[name].dtype.kind == "f"]
    leaves = {name: torch.tensor(INPUTS[name], requires_grad=name in tracked) for name in used}
    scope = {"torch": torch, "F": torch.nn.functional, "nn": torch.nn, **leaves}
    expected = eval(text, scope)  # noqa: S307
    wrt = tracked if expected.requires_grad else []
    vector = np.ones(tuple(expected.shape)) if wrt else None
    found = gc.evaluate(text, {name: INPUTS[name] for name in used}, wrt=wrt, grad_output=vector)
    assert tuple(found.value.shape) == tuple(expected.shape)
    assert str(found.value.dtype) == str(expected.dtype).removeprefix("torch.")
    rtol = 1e-5 if expected.dtype == torch.float32 else 1e-9
    np.testing.assert_allclose(found.value.detach().numpy(), expected.detach().numpy(), rtol, 1e-10)
    if wrt:
        grads = torch.autograd.grad(expected, [leaves[n] for n in wrt], torch.ones_like(expected), allow_unused=True)
        for name, grad in zip(wrt, grads, strict=True):
            wanted = np.zeros(INPUTS[name].shape) if grad is None else grad.numpy()
            np.testing.assert_allclose(found.grads[name].numpy(), wanted, rtol, 1e-9, err_msg=name)


FOLDERS = {
    "torch": torch,
    "torch.nn.functional": torch.nn.functional,
    "torch.linalg": torch.linalg,
    "torch.special": torch.special,
}


@pytest.mark.parametrize("folder", FOLDERS)
def test_what_has_a_prefix_is_there_in_pytorch(folder: str) -> None:
    assert [name for name in torch_names(folder) if not hasattr(FOLDERS[folder], name)] == []


def test_every_row_is_found_at_its_place() -> None:
    for name, op in OPS.functions().items():
        place = f"torch.{op.torch or name}"
        folder, _, last = place.rpartition(".")
        if name == op.name and folder != "torch.Tensor":
            assert function_in(Library(folder), last).op is op


# What `torch` itself calls with other arguments than `nn.functional`, or has as a relic that refuses.
OTHERWISE = """
    adaptive_max_pool1d alpha_dropout batch_norm binary_cross_entropy_with_logits cholesky cond cosine_embedding_loss
    ctc_loss dropout embedding embedding_bag feature_alpha_dropout hinge_embedding_loss instance_norm kl_div lstsq
    margin_ranking_loss matrix_rank no_grad poisson_nll_loss put solve triplet_margin_loss
"""


@pytest.mark.parametrize("folder", ["torch", "torch.nn.functional", "torch.linalg", "torch.special"])
def test_what_pytorch_has_there_too_is_found(folder: str) -> None:
    names = {name for name in OPS.functions() if callable(getattr(FOLDERS[folder], name, None))}
    assert names - set(torch_names(folder)) <= set(OTHERWISE.split() if folder == "torch" else ())
