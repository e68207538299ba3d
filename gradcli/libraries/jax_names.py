"""What JAX and SciPy have beside NumPy's functions: `jax.nn`, `jax.scipy.special`, some of `jax.lax`; and `math`."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from gradcli.errors import GradcliError
from gradcli.graph.arguments import as_flag, as_int
from gradcli.graph.dtypes import DEFAULT_DTYPE
from gradcli.graph.infer import cast
from gradcli.libraries.foreign_function import LibraryFunction, names_and_rows
from gradcli.libraries.numpy_arguments import HARMLESS, LibraryRow, as_axes, as_axis, as_dtype, as_floating, ops, rows

_HINT = "leave it out, or write it with gradcli's own functions"
_NO_MASK = {**HARMLESS, "where": (None,), "return_sign": (False,)}


def _each(row: str) -> Callable[..., Any]:
    """The row of this name, of real numbers."""
    return lambda **given: getattr(ops, row)(*[as_floating(x) for x in given.values()])


def _same(text: str, names: str) -> dict[str, LibraryRow]:
    """Functions that are rows, element by element."""
    return {name: LibraryRow(text, _each(row), "elementwise") for name, row in names_and_rows(names).items()}


def _along(row: str) -> Callable[..., Any]:
    """A row along an axis, several, or, where it is None, all at once."""

    def answer(x: Any, axis: Any) -> Any:
        node = as_floating(x)
        axes = as_axes(axis, node.ndim)
        if len(axes) == 1:
            return getattr(ops, row)(node, axes[0])
        rest = [d for d in range(node.ndim) if d not in axes]
        order = (*rest, *axes)
        turned = ops.permute(node, order) if node.ndim else node
        flat = ops.reshape(turned, [*(node.shape[d] for d in rest), -1])
        back = ops.reshape(getattr(ops, row)(flat, -1), turned.shape)
        return ops.permute(back, [order.index(d) for d in range(node.ndim)]) if node.ndim else back

    return answer


def _logsumexp(a: Any, axis: Any, b: Any, keepdims: Any) -> Any:
    if b is not None:
        raise GradcliError("there are no weights b= here", hint="write logsumexp(a + log(b))", argument="b")
    x = as_floating(a)
    return ops.logsumexp(x, as_axes(axis, x.ndim), keepdims)


def _gelu(x: Any, approximate: Any) -> Any:
    """Unlike PyTorch's, the approximation by tanh unless told otherwise."""
    return ops.gelu(as_floating(x), approximate="tanh" if as_flag(approximate, "approximate") else "none")


def _glu(x: Any, axis: Any) -> Any:
    node = as_floating(x)
    return ops.glu(node, as_axis(axis, node.ndim))


def _one_hot(x: Any, num_classes: Any, dtype: Any, axis: Any) -> Any:
    if axis != -1:
        raise GradcliError("jax.nn.one_hot puts the classes last here", argument="axis")
    # Unlike PyTorch, where they are refused, places out of range have no one at all.
    same = ops.eq(ops.unsqueeze(x, -1), ops.arange(as_int(num_classes, "num_classes")))
    return cast(same, as_dtype(dtype) or DEFAULT_DTYPE.get())


def _standardize(x: Any, axis: Any, epsilon: Any) -> Any:
    node = as_floating(x)
    axes = as_axes(axis, node.ndim)
    mean = ops.mean(node, axes, True)
    return (node - mean) * ops.rsqrt(ops.var(node, axes, correction=0, keepdim=True) + epsilon)


def _squareplus(x: Any, b: Any) -> Any:
    node = as_floating(x)
    return (node + ops.sqrt(ops.square(node) + b)) / 2


def _betaln(a: Any, b: Any) -> Any:
    x, y = as_floating(a), as_floating(b)
    return ops.lgamma(x) + ops.lgamma(y) - ops.lgamma(x + y)


def _log(x: Any, base: Any) -> Any:
    return ops.log(x) if base is None else ops.log(x) / ops.log(base)


def _whole(round_number: Callable[[float], int], row: str) -> Callable[..., Any]:
    """Of a number an integer, which may be a length."""
    return lambda x: round_number(x) if isinstance(x, int | float) else getattr(ops, row)(x)


_NN = {
    **_same(
        "x",
        "relu relu6 sigmoid silu swish=silu selu mish soft_sign=softsign log_sigmoid=logsigmoid hard_tanh=hardtanh "
        "hard_sigmoid=hardsigmoid hard_silu=hardswish hard_swish=hardswish tanh",
    ),
    "softplus": LibraryRow("x", lambda x: ops.logaddexp(as_floating(x), 0), "elementwise"),
    **rows("x, approximate=True", gelu=_gelu),
    **rows(
        "x, negative_slope=0.01", leaky_relu=lambda x, negative_slope: ops.leaky_relu(as_floating(x), negative_slope)
    ),
    **rows("x, alpha=1.0", elu=lambda x, alpha: ops.elu(as_floating(x), alpha)),
    **rows("x, alpha=1.0", celu=lambda x, alpha: ops.celu(as_floating(x), alpha)),
    **rows("x, b=4", squareplus=_squareplus),
    **rows("x, axis=-1", glu=_glu),
    **rows("x, axis=-1, where=None", softmax=_along("softmax"), log_softmax=_along("log_softmax")),
    **rows("x, axis=-1, epsilon=1e-5, where=None", standardize=_standardize),
    **rows("a, axis=None, b=None, keepdims=False, return_sign=False, where=None", logsumexp=_logsumexp),
    **rows("x, num_classes, *, dtype=None, axis=-1", one_hot=_one_hot),
}
_SPECIAL = {
    **_same(
        "x",
        "expit=sigmoid logit erf erfc erfinv erfcx gammaln=lgamma digamma psi=digamma i0 i0e i1 i1e ndtr ndtri "
        "log_ndtr entr exp2 expm1 log1p log_expit=logsigmoid sinc",
    ),
    **_same("x, y", "xlogy xlog1py"),
    **rows("n, x", polygamma=lambda n, x: ops.polygamma(as_int(n, "n"), as_floating(x))),
    **rows("a, d", multigammaln=lambda a, d: ops.mvlgamma(as_floating(a), as_int(d, "d"))),
    **rows("x, axis=None", softmax=_along("softmax"), log_softmax=_along("log_softmax")),
    **rows("a, axis=None, b=None, keepdims=False, return_sign=False", logsumexp=_logsumexp),
    **rows("a, b", betaln=_betaln),
}
_LAX = {
    **rows("x", stop_gradient=lambda x: ops.detach(x)),
    **_same("x", "rsqrt logistic=sigmoid erf erfc exp log lgamma"),
}
_MATH = {
    **_same(
        "x",
        "sqrt exp exp2 expm1 log2 log10 log1p sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh fabs=abs "
        "degrees=rad2deg radians=deg2rad isnan isinf isfinite erf erfc lgamma",
    ),
    **_same("x, y", "atan2 hypot pow fmod copysign"),
    **rows("x", floor=_whole(math.floor, "floor"), ceil=_whole(math.ceil, "ceil"), trunc=_whole(math.trunc, "trunc")),
    "log": LibraryRow("x, base=None", _log, "elementwise"),
}
_FOLDERS: dict[str, dict[str, LibraryRow]] = {
    "jax.nn": _NN,
    "jax.lax": _LAX,
    "jax.scipy.special": _SPECIAL,
    "scipy.special": _SPECIAL,
    "math": _MATH,
}


def other_function(place: str) -> LibraryFunction | None:
    """The function of a place such as `jax.nn.gelu`; None where there is none."""
    folder, _, name = place.rpartition(".")
    row = _FOLDERS.get(folder, {}).get(name)
    return None if row is None else LibraryFunction(place, row.text, row.answer, _NO_MASK, _HINT, row.family)


def other_names(folder: str) -> list[str]:
    """All names of a folder."""
    return list(_FOLDERS[folder])
