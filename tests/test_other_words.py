"""Names that other languages and libraries have: each is one of gradcli's too, or is told what to write instead."""

from __future__ import annotations

import re

import numpy as np
import pytest

import gradcli as gc
from gradcli.errors import GradcliError, UnknownNameError
from gradcli.evaluation.other_words import _WRITTEN_OUT, function_meant
from gradcli.graph.op import OPS

X = np.ones((3, 4))
# What NumPy, JAX, MATLAB, Julia, Mathematica, TensorFlow and Keras call functions, and what the hint names.
MEANT = """
ln:log; log_e:log; Log:log; lg:log10; pow2:square; sqr:square; power:pow; exp10:10**x; cbrt:np.cbrt; sec:1/cos(x)
coth:1/tanh(x); arctg:atan; ArcTan:arctan; tg:tan; atan2d:atan2(y, x); sind:sin(deg2rad(x)); signum:sign
step:heaviside; UnitStep:heaviside; degrees:rad2deg; radians:deg2rad; Abs:abs; Sqrt:sqrt; Erf:erf; rint:round
around:round; mod:remainder; rem:fmod; idivide:floor_divide; floor_div:floor_divide; plus:add; times:mul; minus:sub
rdivide:div; mmul:mm; mtimes:matmul; mldivide:solve; LinearSolve:solve; hcat:hstack; vcat:vstack; horzcat:hstack
vertcat:vstack; append:cat; join:cat; permutedims:permute; circshift:roll; reverse:flip; repmat:tile
repelem:repeat_interleave; expand_dims:unsqueeze; ctranspose:x.mH; accumarray:index_add; gather_nd:x[i, j]
scatter_nd:index_put; boolean_mask:masked_select; top_k:topk; sorted:sort; cast:to; astype:to
convert_to_tensor:tensor; stop_gradient:detach; to_float:x.float(); avg:mean; average:mean; Mean:mean
reduce_mean:mean; reduce_sum:sum; reduce_max:max; reduce_logsumexp:logsumexp; reduce_variance:var(x, correction=0)
reduce_all:all; total:sum; Total:sum; product:prod; variance:var; StandardDeviation:std; stddev:std
rms:sqrt(mean(x**2)); mad:mean(abs(x - mean(x))); sumsq:sum(x**2); ptp:np.ptp; nanmax:np.nanmax; nanstd:np.nanstd
percentile:np.percentile; interp:np.interp; logspace:logspace; log_sum_exp:logsumexp; lse:logsumexp
softargmax:softmax; logistic:sigmoid; swish:silu; hard_sigmoid:hardsigmoid; ReLU:relu; determinant:det; Det:det
Inverse:inverse; Tr:trace; eig:eigh; eigvals:eigvalsh; Eigenvalues:eigvalsh; chol:cholesky; rank:matrix_rank
expm:matrix_exp; MatrixExp:matrix_exp; PseudoInverse:pinv; sqrtm:eigh(A); kronecker:kron; mse:mse_loss
mean_squared_error:mse_loss; mae:l1_loss; huber:huber_loss; binary_crossentropy:binary_cross_entropy
categorical_crossentropy:-sum(t*log(y), -1); kl_divergence:kl_div; hinge:relu(1 - y*x); dense:linear
max_pool:max_pool2d; avg_pool:avg_pool2d; conv:conv1d; batch_normalization:batch_norm
layer_normalization:layer_norm; l2_normalize:normalize; identity:eye; IdentityMatrix:eye; DiagonalMatrix:diag
diag_part:diagonal; range:arange; ndgrid:meshgrid; uniform:rand; normal:normal; random:rand; randint:randint
clip_by_value:clamp; ifelse:where; If:where; gammaln:lgamma; LogGamma:lgamma; psi:digamma
PolyGamma:polygamma; gamma:exp(lgamma(x)); beta:lgamma; betaln:scipy.special.betaln; besseli:i0(x)
nnz:count_nonzero; length:x.shape[0]; size:x.shape; ndims:x.ndim; bitand:bitwise_and
bitxor:bitwise_xor; histogram:histc; pdist2:cdist; trapz:trapz; cumtrapz:cumulative_trapezoid
squareplus:jax.nn.squareplus; concat:concat; arctan:arctan; polyval:std
"""
PAIRS = [pair.strip().partition(":") for line in MEANT.splitlines() for pair in line.split(";") if pair]


@pytest.mark.parametrize("name, meant", [(name, meant) for name, _, meant in PAIRS])
def test_a_name_of_others_is_there_or_told(name: str, meant: str) -> None:
    if OPS.function(name) is not None:
        assert name == meant
        return
    for text in (f"{name}(x)", f"x.{name}()")[: 1 if "x." in meant else 2]:
        with pytest.raises(GradcliError) as caught:
            gc.evaluate(text, {"x": X})
        assert caught.value.hint is not None and meant in caught.value.hint
        assert "did you mean" not in caught.value.hint


def test_there_are_enough_of_them() -> None:
    assert len(PAIRS) > 130


def test_words_are_no_names_and_stand_once() -> None:
    names = {name.replace("_", "").lower() for name in OPS.functions()}
    words = [word for op in {id(op): op for op in OPS.functions().values()}.values() for word in op.words]
    plain = [word.replace("_", "").lower() for word in words]
    assert sorted(plain) == sorted(set(plain)) and not set(plain) & names
    written = [line.partition(":")[0].strip() for line in _WRITTEN_OUT.strip().splitlines()]
    assert sorted(written) == sorted(set(written)) and not set(written) & (names | set(plain))


# What takes other tensors, or is no tensor.
LEFT_OUT = ("shape", "ndim", "[i", "lstsq", "conv", "pool", "one_hot")


def test_what_is_written_instead_is_an_expression() -> None:
    inputs = {"x": np.array([[1.5, 2.0], [3.0, 1.2]]), "y": np.array([[2.0, 1.0], [4.0, 0.5]]), "A": np.eye(2)}
    inputs |= {"a": np.array(2.0), "b": np.array(3.0), "t": np.array([1, 0]), "w": np.ones((1, 1, 1))}
    inputs |= {"xp": np.array([0.0, 1.0]), "fp": np.array([0.0, 2.0])}
    for line in _WRITTEN_OUT.strip().splitlines():
        text = line.partition(":")[2].strip().partition(" for ")[0].partition(" or ")[0]
        if text.startswith("leave") or any(
            word in text for word in ("shape", "ndim", "[i", "lstsq", "conv", "pool", "one_hot")
        ):
            continue
        text = text.replace("rand(n)", "rand(3)").replace("(1/n)", "(1/3)").replace("n*", "5*")
        used = {n: v for n, v in inputs.items() if re.search(rf"\b{n}\b", text) and n not in ("w",)}
        assert gc.evaluate(text, used, wrt=[]).value.numpy().size


VALUES = {
    "PI": "write pi",
    "Inf": "write inf",
    "NaN": "write nan",
    "Infinity": "write inf",
    "true": "write True",
    "null": "write None",
    "x.to(complex64)": "complex numbers are not supported",
    "tf.reduce_sum(x)": "leave it out; the prefixes of libraries are torch, nn, F, np, jnp, jax, scipy and math",
    "linalg.norm(x)": "write torch.linalg or np.linalg",
    "lax.stop_gradient(x)": "write jax.lax",
    "K*x": "add it to the inputs: {'K': ...}",
    "E": "did you mean 'e'?",
}


@pytest.mark.parametrize("text", VALUES)
def test_a_value_of_others_is_told(text: str) -> None:
    with pytest.raises(UnknownNameError) as caught:
        gc.evaluate(text, {"x": X})
    assert caught.value.hint == VALUES[text]


CALLS = {
    "x.transpose(1, 0, 2)": "permute puts all dimensions in an order, as in x.permute(1, 0, 2)",
    "x.transpose((1, 0))": "permute puts all dimensions in an order, as in x.permute(1, 0, 2)",
    "x.std(ddof=1)": "write correction=, whose default is 1; np.std and np.var have ddof=, which is 0",
    "log(x, 10)": "write log(x)/log(b) for another base; log2 and log10 have theirs",
    "x.log(base=2)": "write log(x)/log(b) for another base; log2 and log10 have theirs",
    "x.to(torch.complex64)": "complex numbers are not supported",
    "torch.numel(x)": "write x.numel()",
    "torch.conj2(x)": "did you mean torch.conj?",
    "import std as s; s.frob(x)": "`gradcli ops std.grad` lists what there is",
    "import std as s; s.rmsee(x)": "did you mean 'rmse'?",
    "x.length": "write x.shape[0]",
    "x.backward()": "leave it out: --wrt names the inputs whose gradients are wanted",
    "x.cpu()": "leave it out",
    "x.device": "leave it out: everything is computed on the CPU",
    "x.at[0].set(3)": "write index_put(x, [i], v), whose result is a new tensor",
    "norm2(x)": "write norm(x)",
    "norm1(x)": "write norm(x, 1)",
    "x + vector(1)": "leave it out: a number is added to every element",
}


@pytest.mark.parametrize("text", CALLS)
def test_a_call_of_others_is_told(text: str) -> None:
    with pytest.raises(GradcliError) as caught:
        gc.evaluate(text, {"x": X})
    assert caught.value.hint == CALLS[text]


def test_what_nobody_calls_so_is_no_word() -> None:
    assert function_meant("sofmax") == "did you mean 'softmax'?"
    assert function_meant("xyzzy") is None
