"""NumPy's products, and its functions of matrices."""

from __future__ import annotations

from typing import Any

from gradcli.errors import GradcliError
from gradcli.graph.arguments import as_node
from gradcli.libraries.numpy_arguments import as_axes, as_axis, as_floating, in_dtype, ops, plain, rows


def _dot(a: Any, b: Any) -> Any:
    x, y = as_node(a), as_node(b)
    if not x.ndim or not y.ndim:
        return ops.mul(x, y)
    if x.ndim < 2 or y.ndim <= 2:
        return ops.matmul(x, y)
    return ops.tensordot(x, y, ((x.ndim - 1,), (y.ndim - 2,)))


def _vdot(a: Any, b: Any) -> Any:
    return ops.dot(ops.reshape(a, -1), ops.reshape(b, -1))


def _outer(a: Any, b: Any) -> Any:
    return ops.outer(ops.reshape(a, -1), ops.reshape(b, -1))


def _outer_of_vectors(x1: Any, x2: Any) -> Any:
    if as_node(x1).ndim != 1 or as_node(x2).ndim != 1:
        raise GradcliError("numpy.linalg.outer takes vectors", hint="numpy.outer flattens its arguments")
    return ops.outer(x1, x2)


def _tensordot(a: Any, b: Any, axes: Any) -> Any:
    if isinstance(axes, list | tuple) and len(axes) == 2:
        axes = tuple([tuple(part) if isinstance(part, list | tuple) else (part,) for part in axes])
    return ops.tensordot(a, b, axes)


def _einsum(subscripts: Any, operands: Any, dtype: Any) -> Any:
    if not isinstance(subscripts, str):
        raise GradcliError(
            "numpy.einsum takes its subscripts as text here", hint="for example, numpy.einsum('ij,j', A, x)"
        )
    return ops.einsum(subscripts, *[in_dtype(x, dtype) for x in operands])


def _cross(a: Any, b: Any, axisa: Any, axisb: Any, axisc: Any, axis: Any) -> Any:
    first, second, last = (axisa, axisb, axisc) if axis is None else (axis, axis, axis)
    x, y = as_node(a), as_node(b)
    turned = [ops.movedim(v, as_axis(at, v.ndim), -1) for v, at in ((x, first), (y, second))]
    if any(v.shape[-1] != 3 for v in turned):
        raise GradcliError("numpy.cross takes vectors of 3 elements here")
    found = ops.linalg_cross(*turned)
    return ops.movedim(found, -1, as_axis(last, found.ndim))


def _trace(a: Any, offset: Any, axis1: Any, axis2: Any, dtype: Any) -> Any:
    x = in_dtype(a, dtype)
    if x.ndim < 2:
        raise GradcliError(f"numpy.trace needs at least 2 dimensions, the array has shape {x.shape}")
    return ops.sum(ops.diagonal(x, offset, as_axis(axis1, x.ndim), as_axis(axis2, x.ndim)), -1)


# Matrices -------------------------------------------------------------------------------------------------------------


def _norm(x: Any, ord: Any, axis: Any, keepdims: Any) -> Any:
    node = as_floating(x)
    axes = None if axis is None else as_axes(axis, node.ndim)
    if axes is None and ord is not None and node.ndim > 2:
        raise GradcliError("numpy.linalg.norm with ord= takes a vector or a matrix", hint="axis= says which axes")
    return ops.linalg_norm(node, ord, axes, keepdims)


def _vector_norm(x: Any, axis: Any, keepdims: Any, ord: Any) -> Any:
    node = as_floating(x)
    return ops.vector_norm(node, ord, None if axis is None else as_axes(axis, node.ndim), keepdims)


def _matrix_norm(x: Any, keepdims: Any, ord: Any) -> Any:
    return ops.matrix_norm(as_floating(x), ord, keepdim=keepdims)


def _solve(a: Any, b: Any) -> Any:
    """Unlike PyTorch, where it may be a batch of them, only a `b` of one dimension is a vector."""
    matrix, right = as_floating(a), as_floating(b)
    if right.ndim == 1:
        return ops.squeeze(ops.solve(matrix, ops.unsqueeze(right, -1)), -1)
    return ops.solve(matrix, ops.reshape(right, (1,) * (matrix.ndim - right.ndim) + right.shape))


def _svd(a: Any, full_matrices: Any, compute_uv: Any) -> Any:
    x = as_floating(a)
    return ops.linalg_svd(x, full_matrices) if compute_uv else ops.svdvals(x)


def _qr(a: Any, mode: Any) -> Any:
    found = ops.linalg_qr(as_floating(a), mode)
    return found[1] if mode == "r" else found


def _pinv(a: Any, rcond: Any, rtol: Any) -> Any:
    return ops.pinv(as_floating(a), rtol=rcond if rtol is None else rtol)


def _matrix_rank(tol: Any, rtol: Any, **matrix: Any) -> Any:
    (a,) = matrix.values()
    return ops.matrix_rank(as_floating(a), atol=tol, rtol=0.0 if tol is not None else rtol)


def _lstsq(a: Any, b: Any, rcond: Any) -> Any:
    right = as_floating(b)
    if right.ndim > 1:
        return ops.lstsq(as_floating(a), right, rcond, driver="gelsd")
    found = ops.lstsq(as_floating(a), ops.unsqueeze(right, -1), rcond, driver="gelsd")
    return found._replace(solution=ops.squeeze(found.solution, -1))


ROWS = {
    **rows("a, b, out=None", dot=_dot, outer=_outer),
    **rows("a, b", vdot=_vdot, inner=plain("inner"), kron=plain("kron")),
    **rows("a, b, axes=2", tensordot=_tensordot),
    **rows("x1, x2, *, axes=2", linalg__tensordot=lambda x1, x2, axes: _tensordot(x1, x2, axes)),
    **rows("subscripts, *operands, out=None, optimize=None, dtype=None", einsum=_einsum),
    **rows("a, b, axisa=-1, axisb=-1, axisc=-1, axis=None", cross=_cross),
    **rows("x1, x2, *, axis=-1", linalg__cross=lambda x1, x2, axis: _cross(x1, x2, -1, -1, -1, axis)),
    **rows("x1, x2, *, axis=-1", linalg__vecdot=lambda x1, x2, axis: ops.vecdot(x1, x2, dim=axis)),
    **rows("x1, x2", linalg__matmul=plain("matmul"), linalg__outer=_outer_of_vectors),
    **rows("a, offset=0, axis1=0, axis2=1, dtype=None, out=None", trace=_trace),
    **rows("x, *, offset=0, dtype=None", linalg__trace=lambda x, offset, dtype: _trace(x, offset, -2, -1, dtype)),
    **rows("x, N=None, increasing=False", vander=plain("vander")),
    **rows("x, ord=None, axis=None, keepdims=False", linalg__norm=_norm),
    **rows("x, *, axis=None, keepdims=False, ord=2", linalg__vector_norm=_vector_norm),
    **rows("x, *, keepdims=False, ord='fro'", linalg__matrix_norm=_matrix_norm),
    **rows("a", linalg__inv=plain("inv", real=True), linalg__det=plain("det", real=True)),
    **rows("a", linalg__slogdet=plain("slogdet", real=True)),
    **rows("a, b", linalg__solve=_solve),
    **rows("a, *, upper=False", linalg__cholesky=lambda a, upper: ops.cholesky(as_floating(a), upper)),
    **rows("a, UPLO='L'", linalg__eigh=plain("eigh", real=True)),
    **rows("a, UPLO='L'", linalg__eigvalsh=plain("eigvalsh", real=True)),
    **rows("a, full_matrices=True, compute_uv=True, hermitian=False", linalg__svd=_svd),
    **rows("x", linalg__svdvals=plain("svdvals", real=True)),
    **rows("a, mode='reduced'", linalg__qr=_qr),
    **rows("a, rcond=None, hermitian=False, *, rtol=None", linalg__pinv=_pinv),
    **rows("A, tol=None, hermitian=False, *, rtol=None", linalg__matrix_rank=_matrix_rank),
    **rows("x, p=None", linalg__cond=plain("cond", real=True)),
    **rows("a, n", linalg__matrix_power=plain("matrix_power")),
    **rows("arrays, *, out=None", linalg__multi_dot=plain("multi_dot")),
    **rows("a, b, rcond=None", linalg__lstsq=_lstsq),
    **rows("a, b, axes=None", linalg__tensorsolve=plain("tensorsolve")),
    **rows("a, ind=2", linalg__tensorinv=plain("tensorinv")),
}
