"""Code pasted from other libraries: behind `np.` every function means what NumPy means, and unknown names say so."""

from __future__ import annotations

import inspect
import math
import re
from typing import Any

import numpy as np
import pytest

import gradcli as gc
from gradcli.errors import GradcliError
from gradcli.evaluation.names import free_names
from gradcli.language import modules
from gradcli.language.parse import parse, unparse
from gradcli.libraries.numpy_names import numpy_names, numpy_row
from gradcli.libraries.torch_names import torch_function
from tests.command import call

INPUTS: dict[str, np.ndarray] = {
    "x": np.array([[0.5, -1.25, 2.0, 3.5], [1.0, 0.25, -0.75, 2.25], [4.0, 1.5, 0.125, -2.0]]),
    "y": np.array([[1.0, 2.0, 0.5, 1.5], [2.5, 1.0, 3.0, 0.5], [0.25, 4.0, 2.0, 1.0]]),
    "u": np.array([0.1, 0.7, -0.3, 0.9]),
    "v": np.array([1.0, 2.5, 0.25, 3.0]),
    "A": np.array([[4.0, 1.0, 0.5], [1.0, 3.0, 0.25], [0.5, 0.25, 2.0]]),
    "B": np.array([[1.0, 2.0], [0.5, -1.0], [3.0, 0.25]]),
    "C": np.arange(24.0).reshape(2, 3, 4) / 7,
    "n": np.array([[1.0, np.nan, 2.0, 3.0], [np.nan, 4.0, 0.5, np.nan], [2.0, 1.0, np.nan, 5.0]]),
    "k": np.array([[3, 0, 1], [2, 5, 7]]),
    "m": np.array([[True, False], [True, True]]),
}

# Each is evaluated by gradcli, and by Python with NumPy.
PASTED = """
np.std(x); np.std(x, axis=0); np.std(x, 1, ddof=1, keepdims=True); np.std(x, axis=(0, 1)); np.std(k); np.var(x)
np.var(x, axis=-1, keepdims=True); np.var(x, 0, ddof=1); np.var(C, axis=(0, 2)); np.var(x, correction=1); np.sum(x)
np.sum(x, axis=0); np.sum(x, axis=(0, 1), keepdims=True); np.sum(k); np.sum(x, axis=()); np.sum(m); np.prod(x, 1)
np.prod(k, axis=0); np.mean(x, axis=1, keepdims=True); np.mean(k); np.mean(m); np.max(x, axis=0); np.min(x, axis=1)
np.amax(x); np.amin(C, axis=(0, 2)); np.ptp(x, axis=1); np.ptp(x); np.argmax(x, axis=1); np.argmin(x)
np.all(m, axis=0); np.any(m); np.count_nonzero(k, axis=0); np.count_nonzero(x); np.cumsum(x); np.cumsum(x, axis=1)
np.cumprod(x, axis=0); np.cumprod(v); np.nansum(n); np.nansum(n, axis=0); np.nanmean(n, axis=1)
np.nanprod(n, axis=0); np.nanmax(n, axis=0); np.nanmin(n); np.nanmax(x, axis=1); np.nanstd(n); np.nanvar(n, axis=0)
np.nanvar(n, axis=1, ddof=1, keepdims=True); np.nanmin(k); np.nanmedian(n); np.nanmedian(n, axis=0)
np.nanquantile(n, 0.3, axis=1); np.nanpercentile(n, 30); np.average(x); np.average(x, axis=1, weights=v)
np.average(x, weights=y); np.average(x, 0, y, keepdims=True); np.median(x); np.median(x, axis=0)
np.median(C, axis=(0, 2), keepdims=True); np.median(v, keepdims=True); np.median(k); np.quantile(x, 0.3)
np.quantile(x, [0.1, 0.5], axis=0); np.quantile(C, 0.9, axis=(1, 2), keepdims=True)
np.quantile(x, 0.4, axis=1, method='lower'); np.quantile(x, [0.25, 0.75], keepdims=True); np.quantile(v, u[0])
np.percentile(x, 30); np.percentile(x, [10, 50], axis=-1, method='midpoint'); np.percentile(x, 70, method='higher')
np.diff(x); np.diff(x, axis=0); np.diff(v, n=2); np.diff(v, prepend=0, append=v)
np.ediff1d(v, to_begin=1, to_end=[2, 3]); np.gradient(v); np.gradient(v, 2.0); np.gradient(x, axis=0)
np.gradient(x)[1]; np.gradient(x, 0.5, 2)[0]; np.gradient(np.sin(v), np.cumsum(v))
np.gradient(x, 2, axis=(0, 1))[1]; np.gradient(v, edge_order=2); np.trapezoid(y); np.trapezoid(x, v)
np.trapezoid(x, dx=0.5, axis=0); np.trapezoid(v, x=u); np.cov(x); np.cov(x, rowvar=False); np.cov(u, v)
np.cov(x, bias=True); np.cov(x, ddof=0); np.corrcoef(x); np.corrcoef(u, v); np.corrcoef(x, rowvar=False); np.cov(v)
np.cov(x, y); np.sort(x); np.sort(x, axis=0); np.sort(x, axis=None); np.argsort(x)
np.argsort(x, axis=0, kind='stable'); np.argsort(x, axis=None); np.searchsorted(np.sort(v), u)
np.searchsorted(np.sort(v), v, side='right'); np.digitize(x, np.sort(v)); np.digitize(v, np.sort(v), right=True)
np.interp(u, np.sort(v), v); np.interp(x, np.sort(v), u, left=-1, right=9); np.interp(v, np.sort(v), u)
np.reshape(x, (4, 3)); np.reshape(x, -1); np.ravel(x); np.squeeze(x[:1]); np.squeeze(x[:1], axis=0)
np.expand_dims(x, 0); np.expand_dims(x, axis=(0, -1)); np.transpose(x); np.transpose(C, (2, 0, 1))
np.permute_dims(C, (1, 0, 2)); np.matrix_transpose(C); np.linalg.matrix_transpose(x); np.swapaxes(C, 0, 2)
np.moveaxis(C, 0, -1); np.flip(x); np.flip(x, axis=1); np.flipud(x); np.fliplr(x); np.rot90(x); np.rot90(x, 3)
np.rot90(C, 1, axes=(1, 2)); np.roll(x, 1); np.roll(x, (1, 2), axis=(0, 1)); np.broadcast_to(v, (2, 4))
np.broadcast_arrays(x, v)[1]; np.concatenate([x, y]); np.concatenate((x, y), axis=1)
np.concatenate([x, v], axis=None); np.concat([x, y], axis=1); np.stack([u, v]); np.stack((u, v), axis=-1)
np.hstack([x, y]); np.hstack((u, v)); np.vstack([x, v]); np.vstack([u, v]); np.dstack([x, y]); np.dstack([u, v])
np.column_stack([u, v]); np.column_stack((x, y)); np.hstack(C); np.vstack(C); np.stack(C); np.append(x, y)
np.append(x, y, axis=0); np.append(u, 1); np.block([[A, B], [B.T, np.ones((2, 2))]]); np.block([u, v])
np.split(x, 3)[1]; np.split(x, [1, 3], axis=1)[1]; np.split(v, 2)[0]; np.array_split(v, 3)[2]
np.array_split(x, 2)[0]; np.hsplit(x, 2)[1]; np.hsplit(v, 2)[1]; np.vsplit(x, [1])[1]; np.dsplit(C, 2)[0]
np.unstack(x)[1]; np.unstack(C, axis=1)[2]; np.tile(v, 2); np.tile(x, (2, 1)); np.repeat(v, 2)
np.repeat(x, 2, axis=1); np.repeat(x, [1, 0, 2], axis=0); np.repeat(x, 3); np.pad(v, 1); np.pad(x, (1, 2))
np.pad(x, ((1, 0), (0, 2)), constant_values=5); np.pad(x, ((1, 2),), mode='constant'); np.meshgrid(u, v)[0]
np.meshgrid(u, v[:2], indexing='ij')[1]; np.meshgrid(u, v[:3])[1]; np.take(x, 2); np.take(x, [0, 2], axis=1)
np.take(x, k, axis=None); np.take_along_axis(x, np.argsort(x, axis=1), axis=1)
np.take_along_axis(x, np.argsort(x, axis=0), 0); np.tril(x); np.triu(x, k=1); np.diag(v); np.diag(x, 1)
np.diagflat(B, 1); np.diagonal(C); np.diagonal(x, 1); np.diagonal(C, 0, 1, 2); np.linalg.diagonal(C, offset=-1)
np.size(x)*v; np.size(x, 1)*v; np.shape(x)[1]*v; np.ndim(C)*v; np.atleast_1d(v[0]); np.atleast_2d(v)
np.atleast_3d(x); np.atleast_3d(v); np.clip(x, 0, 2); np.clip(x, None, v); np.clip(x, min=-1, max=1)
np.where(x > 0, x, y); np.where(m, 1.5, B[:2]); np.round(x); np.round(x*3.14159, 2); np.around(x, decimals=1)
np.nan_to_num(n); np.nan_to_num(n, nan=7); np.isclose(x, y); np.isclose(n, n, equal_nan=True)
np.allclose(x, x + 1e-12); np.array_equal(n, n); np.array_equal(n, n, equal_nan=True); np.array_equal(x, v)
np.angle(x); np.angle(x, deg=True); np.real(x); np.i0(v); np.sinc(x); np.fix(x); np.dot(x, v); np.dot(u, v)
np.dot(x, y.T); np.dot(C, v); np.vdot(x, y); np.inner(x, y); np.inner(u, v); np.outer(u, v); np.outer(x, u)
np.kron(A, B); np.kron(u, v); np.tensordot(x, y); np.tensordot(x, y, axes=([0], [0]))
np.tensordot(C, x, axes=(2, 1)); np.tensordot(C, x, 0); np.linalg.tensordot(x, y, axes=2)
np.einsum('ij,kj->ik', x, y); np.einsum('ii', A, optimize=True); np.cross(A, A + 1); np.cross(A, A.T, axis=0)
np.linalg.cross(A, A + 1); np.linalg.vecdot(x, y); np.linalg.matmul(x, y.T); np.linalg.outer(u, v); np.trace(x)
np.trace(C, 1, 1, 2); np.linalg.trace(C); np.vander(v); np.vander(v, 3, True); np.linalg.norm(x)
np.linalg.norm(x, 2); np.linalg.norm(x, axis=1); np.linalg.norm(x, ord=1); np.linalg.norm(v, 1)
np.linalg.norm(C, axis=(1, 2)); np.linalg.norm(C); np.linalg.norm(x, 'nuc'); np.linalg.norm(x, -2)
np.linalg.norm(x, np.inf); np.linalg.norm(v, np.inf, keepdims=True); np.linalg.norm(x, 'fro', keepdims=True)
np.linalg.norm(v, 0); np.linalg.norm(k); np.linalg.vector_norm(x); np.linalg.vector_norm(x, axis=1, ord=1)
np.linalg.matrix_norm(C); np.linalg.matrix_norm(x, ord=2); np.linalg.inv(A); np.linalg.det(A)
np.linalg.slogdet(A)[1]; np.linalg.slogdet(A).logabsdet; np.linalg.solve(A, B); np.linalg.solve(A, B[:, 0])
np.linalg.solve(np.stack([A, A + A.T, 3*A]), A + 1); np.linalg.cholesky(A)
np.linalg.solve(np.stack([A, 2*A, A + 1]), A); np.linalg.cholesky(A, upper=True); np.linalg.eigh(A)[0]
np.linalg.eigvalsh(A); np.linalg.eigvalsh(A + B[0, 1]*A, UPLO='U'); np.linalg.svd(x, compute_uv=False)
np.linalg.svd(x).S; np.linalg.svdvals(x); np.abs(np.linalg.svd(x, full_matrices=False)[0])
np.abs(np.linalg.qr(B).R); np.abs(np.linalg.qr(B, mode='r')); np.linalg.pinv(x); np.linalg.matrix_rank(x)
np.linalg.matrix_rank(x, tol=2.5); np.linalg.cond(A); np.linalg.cond(A, 1); np.linalg.matrix_power(A, 3)
np.linalg.multi_dot([x, y.T, A]); np.linalg.lstsq(B, A[0], rcond=None)[0]; np.linalg.lstsq(B, A)[0]
np.linalg.lstsq(B, A)[1]; np.linalg.lstsq(B, A[0])[1]; np.linalg.lstsq(B, A)[3]; np.linalg.lstsq(A, B)[1]
np.linalg.tensorinv(np.reshape(np.kron(A, A), (3, 3, 9)), ind=2); np.linalg.tensorsolve(A, v[:3]); np.outer(v, 2.0)
np.array([1.5, 2])*v[:2]; np.asarray(x); np.copy(x); np.zeros((2, 3)); np.zeros(3) + u[:3]
np.ones((2,), dtype=np.float64); np.full((2, 2), 7.5); np.full(2, 3); np.ones_like(x); np.zeros_like(k)
np.full_like(x, 2, shape=(2,)); np.eye(3); np.eye(2, 3, k=1); np.eye(3, k=-1); np.identity(2); np.arange(5)
np.arange(1, 7, 2); np.arange(0, 1, 0.25); np.linspace(0, 1, 5); np.linspace(0, 1, num=4, endpoint=False)
np.logspace(0, 2, 3); np.astype(x, np.int32); np.asanyarray(x); np.float32(x); np.float64(k); np.int64(x)
np.bool_(x); np.int8(v); np.half(v); np.pi*x; np.e*x; -np.inf*x; x[:, np.newaxis]; np.euler_gamma*v; x.sum(axis=0)
x.mean(-1); x.T; x.reshape(2, 6); x.reshape((4, 3)); x.sum(axis=1, keepdims=True); x.cumsum(axis=1); x.prod(axis=0)
x.argmax(axis=1); C.swapaxes(0, 2); x.ravel(); x.flatten(); x.clip(0, 1); x.ndim*v; x.shape[0]*v; v.dot(u)
x.transpose(); x.all(); x.any(axis=0); x.trace(); x.squeeze()
np.sqrt(np.sum((x - np.mean(x, axis=0, keepdims=True))**2, axis=-1)); (x - np.mean(x, axis=0))/np.std(x, axis=0)
np.exp(x - np.max(x, axis=1, keepdims=True))/np.sum(np.exp(x - np.max(x, axis=1, keepdims=True)), axis=1, keepdims=True)
"""
TEXTS = [text.strip() for line in PASTED.splitlines() for text in line.split(";") if text.strip()]


def pasted(text: str, inputs: dict[str, np.ndarray] = INPUTS) -> np.ndarray:
    """What gradcli makes of a text."""
    given = {name: array for name, array in inputs.items() if re.search(rf"(?<![\w.]){name}\b(?!\s*=[^=])", text)}
    return gc.evaluate(text, given, wrt=[]).value.numpy()


@pytest.mark.parametrize("text", TEXTS)
def test_a_line_of_numpy_means_the_same(text: str) -> None:
    expected = np.asarray(eval(text, {"np": np, **INPUTS}))  # noqa: S307
    found = pasted(text)
    assert found.shape == expected.shape
    assert found.dtype.kind == expected.dtype.kind
    np.testing.assert_allclose(found, expected, 1e-6 if found.dtype.itemsize < 8 else 1e-12, 1e-12)


# What a float32 does not hold, infinities, and integers: what NumPy computes, and in which dtype.
EXACT = """
np.median([1, np.inf, np.inf]); np.median([-np.inf, 1, 2, np.inf]); np.median([-np.inf, -np.inf, 1, np.inf])
np.median([-np.inf, np.inf]); np.nanmedian([np.nan, 1, np.inf, np.inf]); np.median([1, np.nan])
np.round(np.array([125, 135, -155, 7], dtype=int), -1); np.round(np.array([12, 250], dtype=np.uint8), 1)
np.array([3000000000], dtype=int); np.array((1.7, -2.5), dtype=int); np.asarray([0.1], dtype=float)
np.interp([1, 2, 3, 0.5], [0, 1, 2, 2], [5, 6, 7, 8]); np.interp([0, 1, 2, np.nan], [0, 1, 2], [3, np.inf, np.inf])
np.interp([-1, 0, 1, 5], [-np.inf, 0, np.inf], [1, 2, 3]); np.interp([0, 0.5, 1], [0, 1], [np.inf, 3])
np.digitize([0.5, 1, 2.5, 3, 4, np.nan], [3, 2, 1]); np.digitize([0.5, 1, 3, 4], [3, 2, 1], right=True)
np.digitize([1, 2], [1, 1]); np.block([[[1, 2], [3, 4]], [[5, 6], [7, 8]]]); np.block([[[1]], [[2]]])
np.block([[np.ones((2, 2, 2))], [np.zeros((2, 1, 2))]]); np.block([[[np.ones(2), 3]]]); np.block(3)
np.zeros(2, float); np.arange(250, 256, dtype=np.uint8); np.linspace(0, 255, 4, dtype=np.uint8)
"""


@pytest.mark.parametrize("text", [text.strip() for line in EXACT.splitlines() for text in line.split(";") if text])
def test_a_line_of_numpy_means_the_same_to_the_last_bit(text: str) -> None:
    with np.errstate(invalid="ignore"):
        expected = np.asarray(eval(text, {"np": np}))  # noqa: S307
    found = pasted(text)
    np.testing.assert_array_equal(found, expected)
    assert "dtype" not in text and "float" not in text or found.dtype == expected.dtype


UFUNCS = sorted(name for name in numpy_names() if isinstance(getattr(np, name, None), np.ufunc))


@pytest.mark.parametrize("name", UFUNCS)
def test_a_ufunc_of_numpy_means_the_same(name: str) -> None:
    one = getattr(np, name).nin == 1
    for first, second in (("x", "y"), ("k", "k"), ("m", "m")):
        text = f"np.{name}({first})" if one else f"np.{name}({first}, {second if name != 'ldexp' else 'k[0, 0]'})"
        try:
            with np.errstate(all="ignore"):
                expected = eval(text, {"np": np, **INPUTS})  # noqa: S307
        except (TypeError, ValueError):
            # NumPy itself refuses.
            continue
        for part in range(len(expected)) if isinstance(expected, tuple) else [None]:
            wanted = np.asarray(expected if part is None else expected[part])
            try:
                found = pasted(text if part is None else f"{text}[{part}]")
            except gc.GradcliError:
                assert first != "x", text
                continue
            # NumPy computes with booleans in float16.
            rtol = 1e-3 if wanted.dtype == np.float16 else 1e-5
            np.testing.assert_allclose(found.astype(float), wanted.astype(float), rtol, rtol / 10, err_msg=text)


def test_every_name_is_tried() -> None:
    tried = set(re.findall(r"np\.([\w.]+)", PASTED)) | set(UFUNCS)
    again = {"trapz", "row_stack", "acos", "bool", "double", "float16", "int16", "int32", "int_", "single"}
    kinds = {name for name in numpy_names() if re.fullmatch(r"u?int\d+", name)}
    assert set(numpy_names()) - tried <= again | kinds


@pytest.mark.parametrize("name", sorted(set(numpy_names()) - set(UFUNCS)))
def test_the_arguments_are_those_of_numpy(name: str) -> None:
    function: Any = np
    for part in name.split("."):
        function = getattr(function, part, None)
    # The first argument of `arange` has no name in all versions, and `einsum` has names for none.
    if not callable(function) or isinstance(function, type) or name in ("arange", "einsum"):
        return
    try:
        known = inspect.signature(function)
    except ValueError:
        # Older versions of NumPy do not tell those of what is written in C.
        return
    row = numpy_row(name)
    assert row is not None
    words = [p.strip().partition("=")[0] for p in row.text.split(",")]
    words = [w.lstrip("*") or w for w in words]
    keyword_only = words[words.index("*") + 1 :] if "*" in words else []
    known_by_all = ("newshape", "kwargs", "interpolation", "like", "ndmin", "ndmax", "constant_values")
    expected = [p for p in known.parameters.values() if p.name not in known_by_all]
    assert [w for w in words if w not in ("*", *known_by_all)] == [p.name for p in expected]
    if not any(p.kind is p.VAR_POSITIONAL for p in expected):
        only = [w for w in keyword_only if w not in known_by_all]
        assert only == [p.name for p in expected if p.kind is p.KEYWORD_ONLY]


X, Y, V, K = (INPUTS[name] for name in "xyvk")
# What JAX and SciPy mean, written with NumPy and SciPy's formulas.
OTHERS = {
    "jnp.std(x, axis=0)": np.std(X, axis=0),
    "jnp.var(x)": np.var(X),
    "jnp.linalg.norm(x, 2)": np.linalg.norm(X, 2),
    "jax.numpy.sum(x, axis=1, keepdims=True)": np.sum(X, axis=1, keepdims=True),
    "jnp.where(x > 0, x, jnp.zeros_like(x))": np.maximum(X, 0),
    "jnp.float32(x).dtype == jnp.float32": np.array(True),
    "jax.nn.relu(x)": np.maximum(X, 0),
    "jax.nn.gelu(v)": V / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (V + 0.044715 * V**3))),
    "jax.nn.gelu(v, approximate=False)": [v / 2 * (1 + math.erf(v / 2**0.5)) for v in V],
    "jax.nn.softmax(x)": np.exp(X) / np.exp(X).sum(axis=-1, keepdims=True),
    "jax.nn.softmax(x, axis=(0, 1))": np.exp(X) / np.exp(X).sum(),
    "jax.nn.softmax(x, axis=None)": np.exp(X) / np.exp(X).sum(),
    "jax.nn.log_softmax(x, axis=0)": X - np.log(np.exp(X).sum(axis=0)),
    "jax.nn.softplus(x)": np.log1p(np.exp(X)),
    "jax.nn.leaky_relu(x)": np.where(X > 0, X, 0.01 * X),
    "jax.nn.elu(x, alpha=2)": np.where(X > 0, X, 2 * np.expm1(X)),
    "jax.nn.celu(x)": np.where(X > 0, X, np.expm1(X)),
    "jax.nn.swish(x)": X / (1 + np.exp(-X)),
    "jax.nn.soft_sign(x)": X / (1 + np.abs(X)),
    "jax.nn.log_sigmoid(x)": -np.log1p(np.exp(-X)),
    "jax.nn.hard_tanh(x)": np.clip(X, -1, 1),
    "jax.nn.hard_sigmoid(x)": np.clip(X + 3, 0, 6) / 6,
    "jax.nn.hard_swish(x)": X * np.clip(X + 3, 0, 6) / 6,
    "jax.nn.squareplus(x)": (X + np.sqrt(X**2 + 4)) / 2,
    "jax.nn.glu(x)": X[:, :2] / (1 + np.exp(-X[:, 2:])),
    "jax.nn.logsumexp(x)": np.log(np.exp(X).sum()),
    "jax.nn.logsumexp(x, axis=1)": np.log(np.exp(X).sum(1)),
    "jax.nn.standardize(x)": (X - X.mean(-1, keepdims=True)) / np.sqrt(X.var(-1, keepdims=True) + 1e-5),
    "jax.nn.one_hot(k, 4)": (K[..., None] == np.arange(4)) * 1.0,
    "jax.scipy.special.logsumexp(x, axis=0, keepdims=True)": np.log(np.exp(X).sum(0, keepdims=True)),
    "scipy.special.softmax(x)": np.exp(X) / np.exp(X).sum(),
    "scipy.special.log_softmax(x, axis=1)": X - np.log(np.exp(X).sum(1, keepdims=True)),
    "scipy.special.expit(x)": 1 / (1 + np.exp(-X)),
    "scipy.special.xlogy(y, y)": Y * np.log(Y),
    "scipy.special.gammaln(v + 1)": [math.lgamma(v + 1) for v in V],
    "scipy.special.betaln(v, 2)": -np.log(V * (V + 1)),
    "scipy.special.digamma(v + 1) - scipy.special.polygamma(0, v)": 1 / V,
    "jax.lax.rsqrt(v)": V**-0.5,
    "jax.lax.stop_gradient(v)": V,
    "math.sqrt(2)*v + math.log(8, 2)": np.sqrt(2) * V + 3,
    "math.pi*v - math.atan2(1, 1) + math.hypot(3, 4)": np.pi * (V - 0.25) + 5,
    "v.reshape(math.floor(2.5), -1)": V.reshape(2, 2),
    "math.erf(v) + math.fabs(-x[0])": [math.erf(v) + abs(x) for v, x in zip(V, X[0], strict=True)],
}


@pytest.mark.parametrize("text", OTHERS)
def test_a_line_of_jax_or_scipy_means_the_same(text: str) -> None:
    np.testing.assert_allclose(pasted(text), OTHERS[text], rtol=1e-9, atol=1e-12)


def test_gradients_go_through_pasted_code() -> None:
    grad = gc.evaluate("np.std(x)", {"x": X}).grads["x"].numpy()
    np.testing.assert_allclose(grad, (X - X.mean()) / (X.size * X.std()), rtol=1e-12)
    given = {"x": [0.5, 1.0, 1.0], "p": [0, 1, 1], "q": [1, 3, 4]}
    assert gc.evaluate("sum(np.interp(x, p, q))", given).grads["q"].tolist() == [0.5, 0.5, 2]
    assert gc.evaluate("np.digitize(x, b)", {"x": [0.5, 2.5], "b": [3, 2, 1]}, wrt=[]).value.tolist() == [3, 1]
    found = gc.evaluate("np.median(x)", {"x": [3.0, 1.0, 2.0, np.inf]}).grads["x"]
    assert found.tolist() == [0.5, 0, 0.5, 0]
    found = gc.evaluate("np.median(x)", {"x": [np.inf, 1.0, np.inf]}).grads["x"]
    assert found.tolist().count(1) == 1 and sum(found.tolist()) == 1
    assert gc.evaluate("jax.lax.stop_gradient(x)*x", {"x": 3.0}).grads["x"].item() == 3
    found = gc.evaluate("sum(np.interp(x, p, q))", {"x": [0.5], "p": [0, 1], "q": [1, 3]})
    assert found.grads["q"].tolist() == [0.5, 0.5]


def test_a_value_takes_the_place_of_a_library() -> None:
    assert gc.evaluate("F.T@x", {"F": np.eye(2), "x": np.ones(2)}, wrt=[]).value.tolist() == [1, 1]
    assert gc.evaluate("np = 3*x; np.sum()", {"x": np.ones(2)}, wrt=[]).value.item() == 6
    assert gc.evaluate("f(nn) = nn.sum(); f(x)", {"x": np.ones(2)}, wrt=[]).value.item() == 2
    assert free_names(parse("F*x + np.sum(y) + F.relu(z)")) == ["F", "x", "y", "z"]
    assert free_names(parse("F.relu(z)"), ["F"]) == ["F", "z"]
    assert unparse(parse("torch.nn.functional.relu( x ,) + np.pi")) == "torch.nn.functional.relu(x) + np.pi"


FUNCTIONAL = "torch.nn.functional"
# Message, hint and place of the error.
REFUSED = {
    "np.stdd(x)": ("gradcli has no numpy.stdd", "did you mean numpy.std?", "stdd"),
    "np.linalg.nrom(x)": ("gradcli has no numpy.linalg.nrom", "did you mean numpy.linalg.norm?", "nrom"),
    "F.softpuls(x)": (f"gradcli has no {FUNCTIONAL}.softpuls", f"did you mean {FUNCTIONAL}.softplus?", "softpuls"),
    "torch.softplus(x)": (
        "gradcli has no torch.softplus",
        f"write softplus(…), whose place in PyTorch is {FUNCTIONAL}.softplus",
        "softplus",
    ),
    "torch.pie*x": ("gradcli has no torch.pie", "did you mean torch.pi?", "pie"),
    "np.random.rand(2)*x": ("gradcli has no numpy.random", "rand(2, 3) and randn(2, 3) give random numbers", "random"),
    "jax.grad(x)": ("gradcli has no jax.grad", "gradients are what gradcli computes; --wrt names the inputs", "grad"),
    "f(c, r) = c + r; jax.lax.scan(f, 0, x)": (
        "'f' is a function",
        "call it, as in f(x); each, iterate, fold and scan take its name",
        "f",
    ),
    "jax.lax.scan(x)": ("gradcli has no jax.lax.scan", "write scan(f, init, xs)", "scan"),
    "jax.lax.cond(x)": (
        "gradcli has no jax.lax.cond",
        "write a if condition else b, or where(condition, a, b)",
        "cond",
    ),
    "scipy.stats.norm(x)": ("gradcli has no scipy.stats", "it knows scipy.special", "stats"),
    "np.sum + x": ("numpy.sum is a function", "call it, as in numpy.sum(x)", "sum"),
    "np.pi(x)": ("numpy.pi is not a function", None, "pi"),
    "np.linalg*x": ("expected a tensor or a number, got the library numpy.linalg", None, "*"),
    "np.linalg": ("the value of the expression is the library numpy.linalg, not a tensor", None, "np.linalg"),
    "np.sum(x, axis=2)": ("axis 2 is out of range for an array of 2 dimensions", None, "2"),
    "np.sum(x, out=x)": (
        "numpy.sum with out= has no gradient here",
        "use gradcli's functions, or x.detach().numpy()",
        "x",
    ),
    "np.std(x, dim=0)": ("numpy.std() has no argument 'dim'", "did you mean 'axis'?", "dim"),
    "np.split(x, 5)": (
        "3 elements cannot be split in 5 equal parts",
        "numpy.array_split takes any number, and places to split at are given as a list",
        "split(x, 5)",
    ),
    "torch.zeros(2, device='cuda')*x": ("torch.zeros takes no device= here", "leave it out", "device"),
    "np.asarray([300], dtype=np.uint8)*x": (
        "the list holds a number that does not fit into uint8",
        None,
        "asarray([300], dtype=np.uint8)",
    ),
    "np.array([2**31], dtype=np.int32)*x": (
        "the list holds a number that does not fit into int32",
        None,
        "array([2**31], dtype=np.int32)",
    ),
    "np.int8((1, 128))*x[0, :2]": ("the list holds a number that does not fit into int8", None, "int8((1, 128))"),
    "jnp.array(300, dtype=jnp.int8)*x": ("the number 300 does not fit into int8", None, "array(300, dtype=jnp.int8)"),
    "x[0, :2]*arange(3000000000, 3000000002, dtype=int32)": (
        "arange() gets to 3000000000, which does not fit into int32",
        None,
        "int32",
    ),
    "np.linspace(0, 256, 4, dtype=np.uint8)*x": (
        "linspace() gets to 256.0, which does not fit into uint8",
        None,
        "np.uint8",
    ),
    "np.block([[x], x])": (
        "numpy.block takes lists that are nested equally deep",
        "for example, [[A, B], [C, D]]",
        "block([[x], x])",
    ),
    "np.digitize(x, [1, 3, 2])*x": ("numpy.digitize takes bins that go up or down throughout", None, "[1, 3, 2]"),
    "torch.round(x.long(), decimals=1)": (
        "round() of integers takes no decimals",
        "convert it first, as in x.double(), or write np.round(x, decimals)",
        "1",
    ),
    "scipy.special.loggamma(x)": (
        "gradcli has no scipy.special.loggamma",
        "gammaln is the logarithm of the absolute value",
        "loggamma",
    ),
    "x.max(axis=0) + 1": (
        "expected a tensor or a number, got the pair .values, .indices",
        "choose one with .values",
        "+",
    ),
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_wrong_is_said_in_the_words_of_the_library(text: str) -> None:
    with pytest.raises(gc.GradcliError) as caught:
        gc.evaluate(text, {"x": X})
    message, hint, place = REFUSED[text]
    assert (caught.value.message, caught.value.hint) == (message, hint)
    assert caught.value.span is not None and text[slice(*caught.value.span)] == place


@pytest.mark.parametrize(
    ("expression", "hint"),
    [
        ("nn.ReLU()(x)", "nn.functional.relu(…)"),
        ("torch.nn.LeakyReLU(0.1)(x)", "nn.functional.leaky_relu(…)"),
        ("torch.nn.MSELoss(reduction='sum')(x, x)", "nn.functional.mse_loss(…)"),
        ("nn.CrossEntropyLoss()(x, x)", "nn.functional.cross_entropy(…)"),
        ("nn.BatchNorm1d(3)(x)", "nn.functional.batch_norm(…)"),
        ("nn.Linear(3, 2)(x)", "write x@W.T + b"),
        ("torch.nn.Sequential(nn.ReLU(), nn.Tanh())(x)", "write the calls one within the other"),
        ("nn.Flatten()(x)", "write x.flatten(1)"),
        ("nn.Foo()(x)", "modules hold parameters, which are inputs here: write the formula"),
        ("nn.Foo()", "modules hold parameters, which are inputs here: write the formula"),
        ("f(2)(x)", "only a name can be called"),
        ("a = nn.GELU(); a(x)", "nn.functional.gelu(…)"),
        ("nn.Linear(3, 2)", "write x@W.T + b"),
        ("nn.LSTM(3, 2)(x)", "modules hold parameters, which are inputs here: write the formula"),
        ("x[0] = 1; x", "write index_put(x, [i], v) or where(mask, v, x), whose result is a new tensor"),
        ("torch.manual_seed(0); x", "leave it out: --seed 0"),
        ("y = x*x; y.sum().backward(); y", "leave it out: gradients stand below the value"),
        ("f(t) = 2*t; iterate(f, x, x)", "write the number itself, or x.shape[0]"),
    ],
)
def test_hints_for_what_pytorch_writes_otherwise(expression: str, hint: str) -> None:
    with pytest.raises(GradcliError) as caught:
        gc.evaluate(expression, {"x": [1.0, 2.0]})
    assert caught.value.hint is not None and hint in caught.value.hint


def test_functions_of_modules_are_there() -> None:
    assert all(torch_function(f"torch.nn.functional.{name}") for name in modules._FUNCTIONS.split())


def test_leaves_made_in_an_expression_are_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    made = "f(t) = t*torch.ones(2, requires_grad=True); sum(iterate(f, x, 3))"
    done = call(monkeypatch, "eval", made, "x=1", "--only", "x.grad")
    assert done.code == 0 and done.err.count("requires_grad=True") == done.err.count("note:") == 1
    # What is an input has a gradient, and what is not asked for one needs none.
    for words in (("sum(x)", "x=torch.ones(2, requires_grad=True)"), ("x*torch.ones(1, requires_grad=False)", "x=1")):
        assert call(monkeypatch, "eval", *words).err == ""
