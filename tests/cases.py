"""One table of expressions that drives the gradient check, the comparison with PyTorch and the recorded figures.

Elementwise rows generate their own cases from their signature and sampling domain; the others are listed here, with
the shapes of their inputs. A test asserts that every operation occurs.
"""

# Cases are laid out by hand.
# fmt: off

from __future__ import annotations

import re
import zlib
from typing import Any, NamedTuple

import numpy as np

import gradcli.ops  # noqa: F401
from gradcli.graph.op import OPS, Op
from gradcli.ops.homes import HOMES

Domain = tuple[float, float]


class Case(NamedTuple):
    """An expression, and for each of its inputs a shape and where its elements are drawn from.

    A domain is an interval, "square" for a well-conditioned matrix, "positive" for a positive definite one, or
    a tuple of integers, for integer inputs.
    """

    expression: str
    inputs: dict[str, tuple[tuple[int, ...], Any]]

    def __str__(self) -> str:
        shapes = ",".join("x".join(map(str, shape)) or "0d" for shape, _ in self.inputs.values())
        return f"{self.expression}-{shapes}"

    def arrays(self, dtype: str = "float64") -> dict[str, np.ndarray]:
        """The inputs, the same at every run."""
        rng = np.random.default_rng(zlib.crc32(str(self).encode()))
        return {name: _draw(rng, shape, domain, dtype) for name, (shape, domain) in self.inputs.items()}


def _draw(rng: np.random.Generator, shape: tuple[int, ...], domain: Any, dtype: str) -> np.ndarray:
    if domain == "square":
        return (rng.uniform(-1, 1, shape) + 2 * np.eye(shape[-1])).astype(dtype)
    if domain == "positive":
        a = rng.uniform(-1, 1, shape)
        return (a @ np.swapaxes(a, -1, -2) + shape[-1] * np.eye(shape[-1])).astype(dtype)
    if domain == "mask":
        return rng.integers(0, 2, shape).astype(bool)
    if isinstance(domain, str) and domain.startswith("class"):
        return rng.integers(0, int(domain[5:]), shape)
    low, high = domain
    return rng.uniform(low, high, shape).astype(dtype)


D: Domain = (-2.0, 2.0)
P: Domain = (0.5, 2.0)


def _x(expression: str, shape: tuple[int, ...] = (2, 3), domain: Any = D, **others: Any) -> Case:
    return Case(expression, {"x": (shape, domain), **others})


def _elementwise(name: str, op: Op) -> list[Case]:
    tensors = op.signature.required
    domains = op.domain if isinstance(op.domain[0], tuple) else (op.domain,) * len(tensors)
    letters = "xyz"[: len(tensors)]
    call = f"{name}({', '.join(letters)})"
    shapes = {
        1: [((2, 3),), ((),), ((0, 3),)],
        2: [((2, 3), (3,)), ((2, 1), (1, 3)), ((), (2, 3)), ((3,), ()), ((0, 3), (1, 3))],
        3: [((2, 3), (3,), (2, 1)), ((), (2, 3), (3,))],
    }[len(tensors)]
    if name not in EVERY_SHAPE:
        # The rules of shapes are the same for all.
        shapes = shapes[:1]
    return [
        Case(call, {letter: (s, d) for letter, s, d in zip(letters, shape, domains, strict=True)}) for shape in shapes
    ]


#: Those that are tried with every combination of shapes.
EVERY_SHAPE = {*HOMES["elementwise"].split(), *HOMES["special"].split()}
#: Elementwise rows whose operands are no plain floats, or whose values central differences cannot follow.
BY_HAND = {
    "detach", "clamp", "where", "bitwise_and", "bitwise_or", "bitwise_not", "polygamma", "masked_fill", "to",
    "bitwise_xor", "bitwise_left_shift", "bitwise_right_shift", "frexp", "mvlgamma", "threshold",
    "heaviside", "hardsigmoid", "rrelu", "nextafter", "gcd", "lcm",
}


def _listed() -> list[Case]:
    cases: list[Case] = []
    arithmetic = (
        "x + 2|2 + x|x - 2|2 - x|x * 2|2 * x|x / 2|2 / x|x % 2|x ** 2|x ** 3|x ** 0|x ** 1|x ** -1|x ** -2|x ** 0.5"
        "|2 ** x|x ** 1.7|-x|+x|abs(x)|fmod(x, 1.1)|remainder(x, 1.1)|xlogy(x, 2)|xlogy(2, x)|x.clamp(0.8, 1.5)"
        "|x.clamp(min=1)|x.clamp(max=1)|clip(x, 0.8, 1.5)|where(x > 1, x, 2.)|where(x > 1, 0., x)|add(x, x, alpha=3)"
        "|sub(x, x, alpha=3)|sub(x, 2)|rsub(x, 2)|square(x)|clone(x)|contiguous(x)|x.double()|x.type_as(x)|to(x, float64)"
        "|2*(3*x+7)**2|x*x*x|x/x|exp(-x**2/2)|sin(x)*cos(x) + tanh(x)/x|round(x, decimals=2)"
    )
    cases += [_x(e, domain=P) for e in arithmetic.split("|")]
    cases += [
        _x(e, domain=P, y=((2, 3), P))
        for e in "x // y|x % y|x ** y|x / y|x - y|x * y + x|div(x, y, rounding_mode='floor')|div(x, y, rounding_mode='trunc')|lerp(x, y, 0.3)|lerp(x, y, 0.7)|clamp(x, y, y + 0.3)|clamp(x, min=y)|clamp(x, max=y)|max(x, y)|min(x, y)|where(x > y, x, y)|where((x > y) & (x < 1.5), x, y)|~(x > y)|(x > y) | (x == y)|div(x, 0.3, rounding_mode='trunc')|clamp_min(x, 1)|clamp_max(x, 1)".split(
            "|"
        )
    ]
    reductions = "sum mean prod amax amin var std logsumexp norm".split()
    for name in reductions:
        if name != "logsumexp":
            cases += [_x(f"{name}(x)"), _x(f"{name}(x)", (4,))]
        cases += [_x(f"{name}(x, dim=1)"), _x(f"{name}(x, dim=0, keepdim=True)")]
        if name != "prod":
            cases += [_x(f"{name}(x, dim=(0, 2))", (2, 3, 2)), _x(f"{name}(x, dim=(0, 1), keepdim=True)", (2, 3, 2))]
    cases += [
        _x(e)
        for e in "x.sum()|x.mean(1)|x.max()|x.min()|max(x, 0).values|min(x, 1).values|x.max(1, True).values|max(x, 0)[0]|var(x, correction=0)|std(x, 1, False)|var(x, unbiased=False)|norm(x, 1)|norm(x, 3)|norm(x, inf)|norm(x, -inf)|norm(x, 0)|norm(x, 1.5, 0)|norm(x, 2, (0, 1))|norm(x, 'fro')|norm(x, 0.5, 1)|sum(x, dtype=float64)|mean(x, 0, True)|prod(x, 0, True)|cumsum(x, 0)|cumsum(x, 1)|cumprod(x, 0)|cumprod(x, -1)|sum(x, ())|logsumexp(x, (0, 1))|logsumexp(x, 1)".split(
            "|"
        )
    ]
    for name in ("sum", "mean", "prod", "cumsum", "cumprod", "amax", "logsumexp"):
        cases.append(_x(f"{name}(x, 0)", ()))
    shapes = "x.reshape(3, 2)|x.reshape(-1)|x.T.reshape(-1)|x.view(-1)|x.view(3, -1)|x.flatten()|flatten(x, 0, 1)|x.T.flatten()|x.unsqueeze(0).squeeze()|x.unsqueeze(0).squeeze(0)|x.squeeze(0)|x.unsqueeze(1)|x.unsqueeze(-1)|x.permute(1, 0)|permute(x, (1, 0))|x.transpose(0, 1)|swapaxes(x, 0, 1)|x.T|x.mT|x.t()|x.expand(4, 2, 3)|x.expand(-1, 3)|broadcast_to(x, (4, 2, 3))|cat([x, x])|cat([x, 2*x], 1)|cat([x, x, x], dim=-1)|stack([x, x])|stack([x, x], dim=2)|x.flip(0)|flip(x, (0, 1))|x.roll(1)|x.roll(1, 0)|roll(x, (1, 2), (0, 1))|tile(x, (2, 2))|x.tile(2)|x.repeat(2, 2)|x.repeat(2, 1, 1)|movedim(x, 0, 1)|x.T.contiguous()|(x.T * 2).reshape(-1)|(x.T + x.T).view(2, 3).reshape(-1)|x.T.T.view(-1)|x.reshape(1, 6).expand(2, 6)"
    cases += [_x(e) for e in shapes.split("|") if "view(2, 3).reshape" not in e]
    cases += [
        _x("x.flatten(1)", (2, 3, 2)),
        _x("x.flatten(0, 1)", (2, 3, 2)),
        _x("x.flatten()", ()),
        _x("x.flatten()", (3,)),
        _x("x.squeeze()", (1, 3, 1)),
        _x("x.squeeze((0, 2))", (1, 3, 1)),
        _x("x.mT", (2, 2, 3)),
        _x("x.permute(2, 0, 1).reshape(4, 3)", (2, 3, 2)),
        _x("x.permute(2, 0, 1).reshape(2, 6)", (2, 3, 2)),
        _x("x.transpose(0, 1).flatten(0, 1)", (2, 3, 2)),
        _x("x.expand(3, 4)", (3, 1)),
        _x("x.expand(3, 4).reshape(-1)", (3, 1)),
    ]
    indexing = "x[0]|x[1:]|x[:]|x[...]|x[None]|x[0, 1]|x[0, 1:3]|x[:, 0]|x[[0, 1]]|x[[0, 0, 1]]|x[[0, 1], [1, 2]]|x[:, [0, 2]]|x[:, [2, 2]]|x[0:2]|x[0, None]|x[..., 0]|x[::2]|x[:, ::2]|x[None, :, [0, 1]]|x[0, [0, 1]]|x[-1]|x[1, ...]|x[..., None]|x[[-1, 0]]|x[1:1]|x.select(1, 2)|x[1:, 1:]|x.T[1:]|x[argmax(x, 0), [0, 1, 2]]|x[:, :]|x[:, :, None]"
    cases += [_x(e) for e in indexing.split("|")]
    cases += [
        _x("x[[0, 1], :, [1, 0]]", (2, 3, 2)),
        _x("x[:, [0, 1], [1, 0]]", (2, 3, 2)),
        _x("x[[[0, 1], [1, 0]], 1:]"),
        _x("index_select(x, 1, t)", t=((2,), "class3")),
        _x("x[..., 0, :]", (2, 3, 2)),
    ]
    untracked = "x > 0|x == x|(x > 0) & (x < 1)|~(x > 0)|(x > 1) | (x < 0)|argmax(x)|argmin(x, 1)|argmax(x, 0, True)|all(x)|any(x, 0)|count_nonzero(x)|isnan(x)|x.long()|x.int()|x.bool()|ones_like(x)|zeros_like(x)|full_like(x, 3)|logical_not(x)|ones(2, 3)|zeros((2,))|full((2,), 3.5)|eye(2)|eye(2, 3)|arange(4)|arange(1, 4, 0.5)|linspace(0, 1, 5)|ones(2, dtype=float64)|max(x, 0).indices|tensor([[1., 2.]])|logical_and(x, x)|logical_or(x, x)|logical_xor(x, x)"
    cases += [_x(e, domain=D) for e in untracked.split("|")]
    return cases


SQUARE = {"x": ((3, 3), "square")}
LINEAR = [
    Case("x @ y", {"x": ((2, 3), D), "y": ((3, 4), D)}), Case("x @ y", {"x": ((2, 3), D), "y": ((3,), D)}),
    Case("x @ y", {"x": ((3,), D), "y": ((3, 2), D)}), Case("x @ y", {"x": ((3,), D), "y": ((3,), D)}),
    Case("x @ y", {"x": ((2, 2, 3), D), "y": ((3, 2), D)}), Case("x @ y", {"x": ((2, 3), D), "y": ((2, 3, 2), D)}),
    Case("x @ y", {"x": ((2, 2, 3), D), "y": ((2, 3, 2), D)}), Case("x @ y", {"x": ((2, 1, 2, 3), D), "y": ((2, 3, 2), D)}),
    Case("x @ y", {"x": ((2, 2, 3), D), "y": ((3,), D)}), Case("x @ y", {"x": ((3,), D), "y": ((2, 3, 2), D)}),
    Case("x @ y", {"x": ((1, 2, 3), D), "y": ((2, 3, 2), D)}), Case("x @ y", {"x": ((0, 3), D), "y": ((3, 2), D)}),
    Case("x.T @ y", {"x": ((3, 2), D), "y": ((3, 4), D)}), Case("matmul(x, y)", {"x": ((2, 3), D), "y": ((3, 4), D)}),
    Case("mm(x, y)", {"x": ((2, 3), D), "y": ((3, 4), D)}), Case("mv(x, y)", {"x": ((2, 3), D), "y": ((3,), D)}),
    Case("bmm(x, y)", {"x": ((2, 2, 3), D), "y": ((2, 3, 2), D)}), Case("dot(x, y)", {"x": ((3,), D), "y": ((3,), D)}),
    Case("vdot(x, y)", {"x": ((3,), D), "y": ((3,), D)}), Case("inner(x, y)", {"x": ((2, 3), D), "y": ((3,), D)}),
    Case("inner(x, y)", {"x": ((2, 3), D), "y": ((4, 3), D)}), Case("tensordot(x, y, 1)", {"x": ((2, 3), D), "y": ((3, 4), D)}),
    Case("tensordot(x, y, 2)", {"x": ((4, 2, 3), D), "y": ((2, 3, 2), D)}), Case("diag_embed(x)", {"x": ((2, 3), D)}),
    Case("outer(x, y)", {"x": ((3,), D), "y": ((2,), D)}), Case("x @ x.T", {"x": ((2, 3), D)}),
    Case("trace(x)", SQUARE), Case("diag(x)", SQUARE), Case("diag(x)", {"x": ((3,), D)}), Case("diag(x, 1)", SQUARE),
    Case("diagonal(x)", SQUARE), Case("diagonal(x, 1, 1, 2)", {"x": ((2, 3, 3), D)}), Case("x.tril()", SQUARE),
    Case("x.triu(1)", SQUARE), Case("tril(x, -1)", {"x": ((2, 3), D)}), Case("inv(x)", SQUARE),
    Case("inv(x)", {"x": ((2, 2, 2), "square")}), Case("det(x)", SQUARE), Case("det(x)", {"x": ((2, 2, 2), "square")}),
    Case("logdet(x)", {"x": ((3, 3), "positive")}), Case("slogdet(x).logabsdet", SQUARE), Case("slogdet(x)[1]", SQUARE),
    Case("slogdet(x).sign", SQUARE), Case("cholesky(x + x.T)", {"x": ((3, 3), "positive")}),
    Case("cholesky(x + x.T, upper=True)", {"x": ((3, 3), "positive")}),
    Case("solve(x, y)", {**SQUARE, "y": ((3,), D)}), Case("solve(x, y)", {**SQUARE, "y": ((3, 2), D)}),
    Case("solve(x, y)", {"x": ((2, 2, 2), "square"), "y": ((2, 2), D)}),
    Case("einsum('ij,jk->ik', x, y)", {"x": ((2, 3), D), "y": ((3, 2), D)}), Case("einsum('ij->ji', x)", {"x": ((2, 3), D)}),
    Case("einsum('ij->', x)", {"x": ((2, 3), D)}), Case("einsum('i,i->', x, y)", {"x": ((3,), D), "y": ((3,), D)}),
    Case("einsum('bij,bjk->bik', x, y)", {"x": ((2, 2, 3), D), "y": ((2, 3, 2), D)}), Case("einsum('ii->i', x)", SQUARE),
    Case("einsum('ij,ij->i', x, y)", {"x": ((2, 3), D), "y": ((2, 3), D)}), Case("einsum('i,j->ij', x, y)", {"x": ((3,), D), "y": ((2,), D)}),
    Case("einsum('ij,j', x, y)", {"x": ((2, 3), D), "y": ((3,), D)}), Case("einsum('...ij,...jk->...ik', x, y)", {"x": ((2, 2, 3), D), "y": ((3, 2), D)}),
    Case("einsum('ij,jk,kl->il', x, y, z)", {"x": ((2, 3), D), "y": ((3, 2), D), "z": ((2, 2), D)}),
    Case("einsum('ii', x)", SQUARE),
]

SYMMETRIC = {"x": ((3, 3), "positive")}
PAIR = {**SQUARE, "y": ((3, 2), D)}
TALL, WIDE = {"x": ((3, 2), D)}, {"x": ((2, 3), D)}
THREE = {"x": ((2, 2), D), "y": ((2, 3), D), "z": ((3, 2), D)}
DECOMPOSITIONS = [
    Case("addmm(x, y, z, beta=0.5, alpha=2)", THREE), Case("addmm(x, y, z)", {**THREE, "x": ((2,), D)}),
    Case("addmv(x, y, z, alpha=3)", {"x": ((2,), D), "y": ((2, 3), D), "z": ((3,), D)}),
    Case("addr(x, y, z, beta=2)", {"x": ((2, 3), D), "y": ((2,), D), "z": ((3,), D)}),
    Case("addbmm(x, y, z)", {"x": ((2, 2), D), "y": ((2, 2, 3), D), "z": ((2, 3, 2), D)}),
    Case("baddbmm(x, y, z, beta=0.5)", {"x": ((2, 1, 2), D), "y": ((2, 2, 3), D), "z": ((2, 3, 2), D)}),
    Case("cross(x, y, 1)", {"x": ((2, 3), D), "y": ((2, 3), D)}), Case("linalg_cross(x, y, dim=0)", {"x": ((3, 2), D), "y": ((3, 1), D)}),
    Case("vecdot(x, y)", {"x": ((2, 3), D), "y": ((3,), D)}), Case("vecdot(x, y, dim=0)", {"x": ((3,), D), "y": ((3,), D)}),
    Case("kron(x, y)", {"x": ((2, 3), D), "y": ((2,), D)}), Case("multi_dot([x, y, z])", THREE),
    Case("multi_dot([x, y, z])", {**THREE, "x": ((2,), D), "z": ((3,), D)}), Case("chain_matmul(x, y)", {"x": ((2, 3), D), "y": ((3, 2), D)}),
    Case("matrix_power(x, 3)", SQUARE), Case("matrix_power(x, -2)", SQUARE), Case("matrix_power(x, 1)", SQUARE),
    Case("linalg_vander(x)", {"x": ((3,), D)}), Case("linalg_vander(x, N=4)", {"x": ((2, 2), D)}),
    Case("linalg_diagonal(x, offset=1)", {"x": ((2, 3, 3), D)}), Case("matrix_exp(x)", SQUARE), Case("matrix_exp(x)", {"x": ((2, 2, 2), D)}),
    Case("solve_triangular(x, y, upper=True)", PAIR), Case("solve_triangular(x, y.T, upper=False, left=False, unitriangular=True)", PAIR),
    Case("triangular_solve(y, x).solution", PAIR), Case("triangular_solve(y, x, transpose=True).solution", PAIR),
    Case("cholesky_solve(y, tril(x))", PAIR), Case("cholesky_solve(y, triu(x), upper=True)", PAIR), Case("cholesky_inverse(tril(x))", SQUARE),
    Case("cholesky_ex(x + x.T).L", SYMMETRIC), Case("inv_ex(x).inverse", SQUARE), Case("solve_ex(x, y).result", PAIR),
    Case("linalg_svd(x).S", WIDE), Case("abs(linalg_svd(x, full_matrices=False).Vh)", WIDE), Case("abs(svd(x).U)", TALL),
    Case("svdvals(x)", {"x": ((2, 2, 3), D)}), Case("eigh(x + x.T).eigenvalues", SYMMETRIC), Case("abs(eigh(x + x.T).eigenvectors)", SYMMETRIC),
    Case("eigvalsh(x + x.T, UPLO='U')", SYMMETRIC), Case("abs(linalg_qr(x).Q)", TALL), Case("abs(linalg_qr(x).R)", WIDE), Case("abs(qr(x).R)", SQUARE),
    Case("lu_factor(x).LU", SQUARE), Case("lu_factor_ex(x).LU", TALL), Case("lu(x)[0]", SQUARE), Case("linalg_lu(x).U", WIDE), Case("linalg_lu(x).L", TALL),
    Case("linalg_lu(x).P", SQUARE), Case("lu_unpack(lu_factor(x).LU, lu_factor(x).pivots).L", SQUARE), Case("linalg_lu_solve(x, lu_factor(x).pivots, y)", PAIR),
    Case("lu_solve(y, x, lu_factor(x).pivots)", PAIR), Case("pinv(x)", TALL), Case("pinv(x + x.T, hermitian=True)", SYMMETRIC), Case("pinverse(x)", WIDE),
    Case("lstsq(x, y).solution", {**TALL, "y": ((3,), D)}), Case("lstsq(x, y, driver='gels').residuals", {**TALL, "y": ((3, 2), D)}),
    Case("householder_product(x, y)", {**TALL, "y": ((2,), D)}), Case("ormqr(x, y, z)", {**TALL, "y": ((2,), D), "z": ((3, 2), D)}),
    Case("ormqr(x, y, z, False, True)", {**TALL, "y": ((2,), D), "z": ((2, 3), D)}),
    Case("tensorsolve(x, y)", {"x": ((2, 1, 2), D), "y": ((2, 1), D)}), Case("tensorinv(x, ind=1)", {"x": ((2, 2, 1), D)}),
    Case("vector_norm(x, 4, 1)", WIDE), Case("matrix_norm(x)", WIDE), Case("matrix_norm(x, 2, (0, 1), True)", WIDE), Case("matrix_norm(x, 1)", WIDE),
    Case("linalg_norm(x, 'nuc')", TALL), Case("linalg_norm(x, -inf)", WIDE), Case("norm(x, 'nuc')", WIDE),
    Case("cond(x)", SQUARE), Case("cond(x, 'nuc')", SQUARE), Case("matrix_rank(x)", TALL), Case("renorm(x, 2, 0, 1.5)", WIDE), Case("renorm(x, 1, 1, 0.5)", TALL),
    Case("cdist(x, y)", {**TALL, "y": ((2, 2), D)}), Case("cdist(x, y, 1)", {**TALL, "y": ((2, 2), D)}), Case("pdist(x, 4)", TALL),
    Case("dist(x, y + 4)", {**TALL, "y": ((2,), D)}), Case("dist(x, y, inf)", {**TALL, "y": ((2,), D)}),
]

NN = [
    *(_x(f"{name}(x)") for name in ("relu", "leaky_relu", "elu", "selu", "gelu", "silu", "mish", "softplus", "softsign", "hardtanh")),
    _x("leaky_relu(x, 0.2)"), _x("elu(x, 0.7)"), _x("gelu(x, approximate='tanh')"), _x("softplus(x, 2., 1.)"),
    _x("hardtanh(x, -0.5, 0.7)"), _x("softmax(x, 0)"), _x("softmax(x, dim=1)"), _x("log_softmax(x, 1)"), _x("softmax(x, -1)[0]"),
    _x("softmax(x, 0)", ()), _x("log_softmax(x, 0)", (3,)), _x("softmax(x, 1, dtype=float64)"),
    *(_x(f"{loss}(x, y{reduction})", y=((2, 3), D)) for loss in ("mse_loss", "l1_loss", "huber_loss")
      for reduction in ("", ", reduction='sum'", ", reduction='none'")),
    _x("huber_loss(x, y, delta=0.5)", y=((2, 3), D)), _x("cross_entropy(x, t)", t=((2,), "class3")),
    _x("cross_entropy(x, t, reduction='none')", t=((2,), "class3")), _x("cross_entropy(x, t, reduction='sum')", t=((2,), "class3")),
    _x("cross_entropy(x, t, label_smoothing=0.1)", t=((2,), "class3")), _x("cross_entropy(x, t)", (2, 3, 2), t=((2, 2), "class3")),
    _x("cross_entropy(x, t)", (3,), t=((), "class3")), _x("cross_entropy(x, y)", y=((2, 3), (0.1, 1.0))),
    _x("smooth_l1_loss(x, y)", y=((2, 3), D)), _x("smooth_l1_loss(x, y, beta=0.5)", y=((2, 3), D)), _x("relu6(x)"),
    _x("masked_fill(x, x > 1, 3)"), _x("polygamma(1, x)", domain=(0.5, 3.0)), _x("polygamma(2, x)", domain=(0.5, 3.0)),
    _x("cross_entropy(x, t)", (2, 3, 2, 2), t=((2, 2, 2), "class3")), _x("cross_entropy(x, t, reduction='none')", (2, 3, 2), t=((2, 2), "class3")),
    _x("cross_entropy(x, y, reduction='none', label_smoothing=0.2)", y=((2, 3), (0.1, 1.0))),
    _x("cross_entropy(x, t, ignore_index=1)", (4, 3), t=((4,), "class3")),
    _x("binary_cross_entropy_with_logits(x, y)", y=((2, 3), (0.1, 0.9))),
    _x("binary_cross_entropy_with_logits(x, y, reduction='sum')", y=((2, 3), (0.1, 0.9))),
    _x("layer_norm(x, (3,))"), _x("layer_norm(x, (3,), w, b)", w=((3,), D), b=((3,), D)), _x("layer_norm(x, (2, 3))"),
    _x("nll_loss(log_softmax(x, 1), t)", t=((2,), "class3")),
]

NETWORKS = [
    _x("conv1d(x, w, b, padding=1)", (2, 2, 4), w=((3, 2, 2), D), b=((3,), D)),
    _x("conv2d(x, w, stride=2, padding=1, groups=2)", (1, 2, 4, 5), w=((2, 1, 2, 3), D)),
    _x("conv2d(x, w, padding='same')", (2, 3, 3), w=((2, 2, 1, 3), D)),
    _x("conv3d(x, w, dilation=2)", (1, 1, 3, 3, 4), w=((2, 1, 2, 2, 2), D)),
    _x("conv_transpose1d(x, w, b, stride=2, output_padding=1)", (2, 2, 3), w=((2, 2, 2), D), b=((2,), D)),
    _x("conv_transpose2d(x, w, stride=(2, 1), padding=1, dilation=2)", (1, 2, 3, 3), w=((2, 2, 2, 2), D)),
    _x("conv_transpose3d(x, w, groups=2)", (2, 2, 1, 2), w=((2, 1, 1, 2, 2), D)),
    _x("avg_pool1d(x, 2, padding=1)", (2, 1, 5)), _x("avg_pool2d(x, (2, 3), 2, 1, ceil_mode=True, count_include_pad=False)", (1, 2, 3, 4)),
    _x("avg_pool3d(x, 2, 1, divisor_override=3)", (1, 2, 2, 3)), _x("adaptive_avg_pool1d(x, 2)", (1, 2, 3)),
    _x("adaptive_avg_pool2d(x, (None, 3))", (2, 2, 5)), _x("adaptive_avg_pool2d(x, 1)", (2, 1, 2, 2)), _x("adaptive_avg_pool3d(x, 2)", (1, 2, 3, 2)),
    _x("lp_pool1d(x, 2, 2)", (1, 2, 4), P), _x("lp_pool2d(x, 3, 2)", (1, 1, 2, 4), P), _x("lp_pool3d(x, 1, 2)", (1, 1, 2, 2, 2), P),
    _x("max_pool1d(x, 3, 2, padding=1)", (2, 1, 5)), _x("max_pool2d(x, 2, 1, dilation=(1, 2))", (1, 2, 3, 3)),
    _x("max_pool2d(x, 2, return_indices=True)[0]", (1, 1, 3, 4)), _x("max_pool3d(x, 2, ceil_mode=True)", (1, 2, 3, 2)),
    _x("adaptive_max_pool1d(x, 2)", (1, 2, 3)), _x("adaptive_max_pool2d(x, (2, None))", (1, 1, 3, 2)), _x("adaptive_max_pool3d(x, 1)", (1, 1, 2, 2, 2)),
    _x("max_unpool1d(x, t, 2)", (1, 1, 2), t=((1, 1, 2), "class2")), _x("max_unpool2d(x, t, 2, output_size=(2, 3))", (1, 1, 1), t=((1, 1, 1), "class6")),
    _x("max_unpool3d(x, t, (1, 2, 1))", (1, 1, 1, 1), t=((1, 1, 1, 1), "class2")),
    _x("interpolate(x, size=5)", (1, 2, 3)), _x("interpolate(x, scale_factor=(1.5, 0.7), mode='nearest-exact')", (1, 1, 2, 3)),
    _x("interpolate(x, size=4, mode='linear')", (1, 2, 3)), _x("interpolate(x, size=(3, 2), mode='bilinear', align_corners=True)", (1, 1, 2, 3)),
    _x("interpolate(x, scale_factor=1.6, mode='bicubic')", (1, 1, 2, 2)), _x("interpolate(x, size=2, mode='trilinear')", (1, 1, 1, 2, 3)),
    _x("interpolate(x, size=2, mode='area')", (1, 1, 3, 3)), _x("upsample_nearest(x, 3)", (1, 1, 2)), _x("upsample_bilinear(x, scale_factor=2)", (1, 1, 2, 2)),
    _x("im2col(x, 2, padding=1, stride=2)", (1, 2, 2, 3)), _x("fold(x, (2, 3), 2, padding=(0, 1))", (1, 4, 4)),
    _x("batch_norm(x, None, None, w, b, True)", (3, 2), w=((2,), D), b=((2,), D)), _x("group_norm(x, 2, w)", (1, 4, 2), w=((4,), D)),
    _x("instance_norm(x, weight=w, bias=b)", (2, 2, 3), w=((2,), D), b=((2,), D)), _x("rms_norm(x, (3,), w)", w=((3,), D)),
    _x("rms_norm(x, (2, 3))"), _x("local_response_norm(x, 2, 0.5)", (1, 3, 2)), _x("local_response_norm(x, 3)", (1, 2, 2, 1)),
    _x("linear(x, w, b)", w=((2, 3), D), b=((2,), D)), _x("linear(x, w)", (3,), w=((2, 3), D)),
    _x("bilinear(x, y, w, b)", (2, 2), y=((2, 3), D), w=((1, 2, 3), D), b=((1,), D)),
    _x("scaled_dot_product_attention(x, y, z)", (1, 1, 2, 2), y=((1, 1, 3, 2), D), z=((1, 1, 3, 2), D)),
    _x("scaled_dot_product_attention(x, y, z, is_causal=True)", (1, 2, 2), y=((1, 2, 2), D), z=((1, 2, 3), D)),
    _x("multi_head_attention_forward(x, x, x, 2, 2, w, b, None, None, False, 0., y, None)[0]", (2, 1, 2), w=((6, 2), D), b=((6,), D), y=((2, 2), D)),
    _x("linear_cross_entropy(x, w, t)", w=((4, 3), D), t=((2,), "class4")), _x("softmin(x, 0)"),
    _x("grid_sample(x, y)", (1, 1, 2, 3), y=((1, 1, 2, 2), (-0.8, -0.4))),
    _x("grid_sample(x, y, 'bicubic', 'reflection', align_corners=True)", (1, 1, 2, 2), y=((1, 1, 1, 2), (0.2, 0.7))),
    _x("affine_grid(x, (1, 1, 2, 2))", (1, 2, 3)), _x("pixel_shuffle(x, 2)", (1, 4, 1, 2)), _x("pixel_unshuffle(x, 2)", (1, 1, 2, 4)),
    _x("channel_shuffle(x, 2)", (1, 4, 1)),
    _x("ctc_loss(log_softmax(x, 2), t + 1, (3, 3), (2, 1))", (3, 2, 3), t=((2, 2), "class2")),
    _x("binary_cross_entropy(x, y)", domain=(0.1, 0.9), y=((2, 3), (0.1, 0.9))), _x("kl_div(x, y, reduction='batchmean')", y=((2, 3), P)),
    _x("kl_div(x, y, log_target=True)", y=((2, 3), D)), _x("poisson_nll_loss(x, y, full=True)", y=((2, 3), (1.2, 2.5))),
    _x("poisson_nll_loss(x, y, log_input=False)", domain=P, y=((2, 3), P)),
    _x("gaussian_nll_loss(x, y, w, full=True)", y=((2, 3), D), w=((2, 3), P)), _x("hinge_embedding_loss(x, t, 0.5)", t=((2, 3), "class2")),
    _x("cosine_embedding_loss(x, y, t)", y=((2, 3), D), t=((2,), "class2")), _x("margin_ranking_loss(x, y, z, 0.1)", y=((2, 3), D), z=((2, 3), P)),
    _x("multi_margin_loss(x, t)", t=((2,), "class3")), _x("multi_margin_loss(x, t, p=2, reduction='none')", t=((2,), "class3")),
    _x("multilabel_margin_loss(x, t)", t=((2, 3), "class3")), _x("multilabel_soft_margin_loss(x, y)", y=((2, 3), (0.1, 0.9))),
    _x("triplet_margin_loss(x, y, z, swap=True)", y=((2, 3), D), z=((2, 3), D)), _x("triplet_margin_with_distance_loss(x, y, z)", y=((2, 3), D), z=((2, 3), D)),
    _x("pairwise_distance(x, y)", y=((2, 3), D)), _x("cosine_similarity(x, y)", y=((2, 3), D)), _x("normalize(x)"),
]


MOVING = [
    *(_x(e) for e in (
        "split(x, 2, 1)[1]", "sum(split(x, 2, 1)[0]) * split(x, 2, 1)[1]", "split(x, [1, 2], dim=1)[1]", "unsafe_split(x, 1)[0]",
        "split_with_sizes(x, [2, 1], 1)[0]", "chunk(x, 2, 1)[1]", "unsafe_chunk(x, 2)[0]",
        "tensor_split(x, 2, 1)[0]", "tensor_split(x, (1, 2), -1)[2]", "hsplit(x, [1])[1]", "vsplit(x, 2)[0]", "unbind(x)[1]",
        "unbind(x, 1)[0] * unbind(x, 1)[2]", "hstack((x, x))", "vstack((x, x[0]))", "dstack((x, x))", "column_stack((x, x[:, 0]))",
        "block_diag(x, x[0])", "broadcast_tensors(x, x[0])[1]", "meshgrid(x[0], x[1], indexing='ij')[1]", "meshgrid(x[0], x[1], indexing='xy')[0]",
        "cartesian_prod(x[0], x[1])", "combinations(x[0])", "combinations(x[1], 2, with_replacement=True)", "x.view_as(x.T)",
        "x.expand_as(ones(2, 2, 3))", "x.reshape_as(ones(3, 2))", "x.unflatten(1, (-1, 1))", "x.ravel()", "x.T.ravel()",
        "x.sum_to_size(1, 3)", "fliplr(x)", "flipud(x)", "rot90(x)", "rot90(x, 2).ravel()", "rot90(x, -1)", "x.unfold(1, 2, 1)",
        "x.unfold(0, 1, 2)", "atleast_1d(x[0, 0])", "atleast_2d(x[0])", "atleast_3d(x)", "x.H", "x.mH", "adjoint(x)", "real(x)",
        "resolve_neg(x)", "diagflat(x[0], 1)", "as_strided(x, (2, 2), (1, 2), 1)", "fill(x, 2)", "fill(x, x[0, 0])",
        "pad(x, (1, 2))", "pad(x, (-1, 1, 1, 0), value=2.5)", "pad(x, (1, 2), mode='reflect')", "pad(x, (2, -1), mode='replicate')",
        "constant_pad_nd(x, (1, 0, 0, 2), 1.5)",
    )),
    _x("dsplit(x, 2)[1]", (2, 1, 2)), _x("pad(x, (1, 1, 0, 1), mode='replicate')", (2, 2, 2)),
]
DESCRIPTIVE = [
    *(_x(e) for e in (
        "nansum(x)", "nansum(where(x > 0, nan, x), 1)", "nanmean(where(x > 1, nan, x))", "nanmean(x)", "aminmax(x).min",
        "aminmax(x, dim=1).max", "aminmax(x, dim=0, keepdim=True).min", "var_mean(x)[0]", "var_mean(x, 1)[1]",
        "var_mean(x, (0, 1), correction=0)[0]", "std_mean(x, 1, False)[0]", "std_mean(x, 0, keepdim=True)[1]", "cov(x)", "cov(x[0])",
        "cov(x, correction=0, fweights=arange(3) + 1)", "corrcoef(x)", "cummax(x, 1).values", "cummin(x, 0).values", "cummax(x, 1).indices",
        "logcumsumexp(x, 0)", "logcumsumexp(x, -1)", "diff(x)", "diff(x, 2, 1)", "diff(x, 1, 0, x, x)", "gradient(x[0])[0]",
        "gradient(x, spacing=2., dim=(0, 1))[1]", "gradient(x, spacing=0.5, dim=1, edge_order=2)[0]", "trapezoid(x)",
        "trapz(x, dx=0.5, dim=0)", "cumulative_trapezoid(x, dx=2)",
    )),
    _x("cov(x, aweights=tensor([0.5, 1., 2.]))"), _x("gradient(x, spacing=(tensor([0., 1., 2.]),), dim=1, edge_order=2)[0]"),
    _x("trapezoid(x, w)", w=((3,), P)), _x("cumulative_trapezoid(x, y)", y=((2, 3), D)), _x("logcumsumexp(x, 0)", ()),
    _x("cummin(x, 0).values", ()),
]
POINTWISE = [
    _x("float_power(x, 2)", domain=P), _x("float_power(x, y)", domain=P, y=((3,), P)), _x("frexp(x).mantissa"),
    _x("frexp(x).exponent"), _x("positive(x)"), _x("conj(x)*x"), _x("resolve_conj(x)"), _x("copysign(x, -2)"),
    _x("nan_to_num(x, 1., 2., 3.)"), _x("isclose(x, x + 1e-9)"), _x("addcmul(x, x, x, value=0.3)"),
    _x("addcdiv(x, 2*x, 1 + x*x, value=3)", domain=P), _x("(x > 0) ^ (x > 1)"), _x("arange(6) ^ 3"), _x("arange(6) << 2"),
    _x("arange(60) >> 2"), _x("2*arange(3) << arange(3) & 7 | 1 ^ 9"), _x("threshold(x, 0.3, 2)"), _x("celu(x, 0.5)"),
    _x("softshrink(x, 0.2)"), _x("hardshrink(x, 0.2)"), _x("tanhshrink(x)"), _x("prelu(x, y)", y=((3,), P)),
    _x("prelu(x, y)", y=((), P)), _x("glu(x, 0)"), _x("glu(x, 1)", (2, 4)), _x("softmin(x, 1)"),
    _x("mvlgamma(x, 3)", domain=(2.5, 4.0)), _x("logit(x, 0.3)", domain=(0.1, 0.9)), _x("xlog1py(x, 2.)"),
    _x("xlog1py(2., x)", domain=P), _x("rsub(x, x, alpha=3)"), _x("masked_fill(x, x > 0, y)", y=((), D)),
    _x("index_select(x, 0, t)", (), t=((1,), "class1")),
]
#: Cases in which PyTorch's chain tells of copies in place, or of steps that are one operation here.
OTHER_CHAIN = [
    _x("quantile(x, 0.3, 1)"), _x("quantile(x, ones_like(x[0])*0.3, 0, True, interpolation='midpoint')"),
    _x("nanquantile(where(x > 1, nan, x), 0.6)"),
    _x("pad(x, (2, 1), mode='circular')"),
]


PLACES = [
    *(_x(e, i=((2, 3), "class2")) for e in ("gather(x, 0, i)", "take(x, i)", "x[i]", "x[:, i]", "x[i, i]", "x[None, i[0], 1]")),
    _x("gather(x, -1, i)", i=((2, 2), "class3")), _x("take_along_dim(x, i, 1)", i=((1, 2), "class3")),
    _x("embedding(i, x)", i=((3, 2), "class2")), _x("embedding_bag(i, x)", i=((2, 2), "class2")),
    _x("embedding_bag(i, x, t, mode='sum')", i=((3,), "class2"), t=((1,), "class1")),
    _x("one_hot(i, 3)*x[0]", i=((2,), "class3")), _x("repeat_interleave(x, 2)"), _x("repeat_interleave(x, 2, 1)"),
    _x("scatter(x, 0, i, y)", i=((2, 3), "class2"), y=((2, 3), D)), _x("scatter(x, 1, i, 2.5)", i=((2, 1), "class3")),
    _x("scatter_add(x, 0, i, y)", i=((2, 3), "class2"), y=((2, 3), D)),
    *(_x(f"scatter_reduce(x, 0, i, y, '{how}')", i=((3, 3), "class2"), y=((3, 3), D)) for how in ("mean", "prod", "amax")),
    _x("scatter_reduce(x, 0, i, y, 'prod', include_self=False)", i=((3, 3), "class2"), y=((3, 3), D)),
    _x("index_add(x, 1, i, y, alpha=2)", i=((2,), "class3"), y=((2, 2), D)),
    _x("index_copy(x, 1, i, y)", i=((1,), "class3"), y=((2, 1), D)), _x("index_fill(x, 1, i, 2)", i=((2,), "class3")),
    _x("index_fill(x, 0, i, y)", i=((1,), "class2"), y=((), D)),
    _x("index_reduce(x, 1, i, y, 'amin')", i=((3,), "class3"), y=((2, 3), D)),
    _x("index_put(x, (i, i), y)", i=((1,), "class2"), y=((1,), D)),
    _x("index_put(x, (i,), y, accumulate=True)", i=((2,), "class2"), y=((3,), D)), _x("put(x, i, y)", i=((2,), "class3"), y=((2,), D)),
    _x("slice_scatter(x, y, 1, 0, 3, 2)", y=((2, 2), D)), _x("select_scatter(x, y, 1, -1)", y=((2,), D)),
    _x("diagonal_scatter(x, y, 1)", y=((2,), D)), _x("narrow(x, 1, 1, 2)"), _x("narrow(x, 1, i, 2)", i=((), "class2")),
    _x("masked_scatter(x, m, y)", m=((2, 3), "mask"), y=((2, 3), D)),
]
ORDER = [
    _x("sort(x, 0).values"), _x("sort(x, descending=True)[0]"), _x("sort(x, stable=True)[0]", (4,)), _x("msort(x)"),
    _x("topk(x, 2).values"), _x("topk(x, 1, 0, largest=False)[0]"), _x("kthvalue(x, 2).values"), _x("kthvalue(x, 1, 0, True)[0]"),
    _x("median(x)"), _x("median(x, 1).values"), _x("nanmedian(x)"), _x("nanmedian(x, 0, True)[0]"), _x("mode(x).values"),
    *(_x(e) for e in ("isin(x, x[0])", "isin(x, x[0], invert=True)", "isin(arange(6), 2)", "x.short()", "x.char()", "x.new_zeros(2, 3)")),
    *(_x(e) for e in ("x.new_ones((2,), dtype=int64)", "x.new_full((2,), 3)", "x.new_tensor([1, 2])", "x.new_tensor([2.0, 3.0, 4.0])*x", "scalar_tensor(3)")),
    *(_x(e) for e in ("hann_window(6)", "hamming_window(5, False)", "hamming_window(4, True, 0.5, 0.4)", "blackman_window(5)", "bartlett_window(5, False)")),
    *(_x(e) for e in ("kaiser_window(4, True, 3.)", "logspace(0, 2, 4)", "logspace(-1, 1, 3, 2.)", "tril_indices(3, 4, 1)", "triu_indices(4, 3, -1)")),
    *(_x(e) for e in ("gcd(arange(6), arange(6) - 4)", "lcm(arange(6) - 4, arange(6))")),
    *(_x(e) for e in ("as_tensor(x)*2", "as_tensor(x, dtype=float64)*x", "x.half().new_tensor([1, 2])")), _x("x.byte()", domain=P),
    *(_x(e) for e in ("argsort(x)", "sort(x, 0).indices", "histc(x, 4, -2, 2)", "searchsorted(arange(3)*0.5, x)", "bucketize(x, arange(3)*0.5, right=True)")),
]
#: What is chosen by a mask, for those who have data while the graph is built.
CHOSEN = [_x(e) for e in ("x[x > 0]", "masked_select(x, x < 1)", "unique_consecutive(x)", "unique_consecutive(round(x), return_counts=True)[1]", "bincount(x[0].short()*x[0].short())", "bincount(x[0].short()*x[0].short(), x[1].detach(), 9)", "x[x[:, 0] > -2, 1:]", "x[nonzero(x[0] > -2)[:, 0] % 2]", "argwhere(x > 0)", "unique(x)", "x[:, [True, False, True]]")]


def _covered_by_hand(cases: list[Case]) -> set[str]:
    return {word for case in cases for word in re.findall(r"[A-Za-z_]\w*", case.expression)}


def all_cases() -> list[Case]:
    """Every case: the listed ones, and those that elementwise rows generate."""
    cases = [
        *_listed(),
        *LINEAR,
        *DECOMPOSITIONS,
        *NN,
        *NETWORKS,
        *MOVING,
        *DESCRIPTIVE,
        *POINTWISE,
        *OTHER_CHAIN,
        *PLACES,
        *ORDER,
    ]
    for name, op in OPS.items():
        if (
            op.public
            and op.name == name
            and op.family in ("elementwise", "special")
            and op.kernel is not None
            and name not in BY_HAND
        ):
            cases += _elementwise(name, op)
    unique = {str(case): case for case in cases}
    return list(unique.values())


#: Losses with weights, for which PyTorch gives no gradient.
WEIGHTED = [
    _x("cross_entropy(x, t, w.detach())", t=((2,), "class3"), w=((3,), P)),
    _x("cross_entropy(x, t, w.detach(), label_smoothing=0.2)", t=((2,), "class3"), w=((3,), P)),
    _x("cross_entropy(x, t, w.detach(), reduction='sum', label_smoothing=0.2)", t=((2,), "class3"), w=((3,), P)),
    _x("nll_loss(x, t, w.detach(), reduction='none')", t=((2,), "class3"), w=((3,), P)),
    _x("binary_cross_entropy_with_logits(x, y, pos_weight=w.detach())", y=((2, 3), (0.1, 0.9)), w=((3,), P)),
    _x("binary_cross_entropy_with_logits(x, y, w.detach())", y=((2, 3), (0.1, 0.9)), w=((3,), P)),
    _x("binary_cross_entropy(x, y, w.detach())", domain=(0.1, 0.9), y=((2, 3), (0.1, 0.9)), w=((3,), P)),
    _x("soft_margin_loss(x, y.detach())", y=((2, 3), D)), _x("multi_margin_loss(x, t, weight=w.detach())", t=((2,), "class3"), w=((3,), P)),
    _x("batch_norm(x, y.detach(), w.detach())", (3, 2), y=((2,), D), w=((2,), P)),
]


def detached_cases() -> list[Case]:
    """Values cut off from their inputs: no central difference agrees with their gradient, PyTorch's does."""
    return [_x("log(x)*x.detach()", domain=P), _x("detach(x)*x"), _x("detach(x)"), _x("x.half()"), _x("x.float()"),
            _x("embedding(i, x, padding_idx=0)", i=((4,), "class2")), _x("vander(x.detach(), 3)", (3,)), *WEIGHTED]


# Functions whose results are no figure to compare: drawn at random, or only another way to write indexing.
NOT_COMPARED = {
    *("randint", "randint_like", "randperm", "normal", "bernoulli", "multinomial", "rand", "randn", "rand_like", "randn_like", "getitem", "dropout", "alpha_dropout", "feature_alpha_dropout", "dropout1d", "dropout2d", "dropout3d"),
    # What they hold is left open.
    *("empty", "empty_like", "new_empty"),
    # PyTorch gives no tensor, no derivative, or one in float32: tests/test_pointwise.py has these.
    *("allclose", "equal", "heaviside", "hardsigmoid", "rrelu", "nextafter"),
}


def uncovered() -> set[str]:
    """The public operations that no case mentions by any of their names."""
    words = _covered_by_hand([*all_cases(), *detached_cases(), *CHOSEN])
    symbols = {
        "add",
        "sub",
        "mul",
        "div",
        "neg",
        "pow",
        "matmul",
        "eq",
        "ne",
        "lt",
        "gt",
        "bitwise_and",
        "bitwise_or",
        "bitwise_not",
        "bitwise_xor",
        "bitwise_left_shift",
        "bitwise_right_shift",
        "polygamma",
        "masked_fill",
    }
    missing = set()
    for name, op in OPS.items():
        if op.public and op.name == name and not ({op.name, *op.aliases} & (words | symbols)):
            missing.add(name)
    return missing - NOT_COMPARED
