"""Uses of gradcli that type checkers know about. Each line that ends in `# error` must be refused, and no other.

`.ci/typing.py` reads it with mypy and pyright; it is never run.
"""

from typing import Any, Literal, assert_type

import numpy as np

import gradcli as gc

x = gc.ones(2, 3, requires_grad=True)
array = np.ones(3)

# What tensors are and have.
assert_type(x, gc.Tensor)
assert_type(x.shape, tuple[int, ...])
assert_type(x.ndim, int)
assert_type(x.dtype, np.dtype[Any])
assert_type(x.size(), tuple[int, ...])
assert_type(x.size(0), int)
assert_type(x.grad, gc.Tensor | None)
assert_type(x.item(), bool | int | float)
assert_type(x.requires_grad, bool)
assert_type(x.numel(), int)
assert_type(len(x), int)
assert_type(x.T, gc.Tensor)
assert_type(x.value().shape, tuple[Any, ...])
for row in x:
    assert_type(row, gc.Tensor)
if x.grad_fn is not None:
    assert_type(x.grad_fn.name(), str)
print(x.names)  # error
x.shape = (3, 2)  # error
x.size("0")  # error

# Functions and methods.
assert_type(gc.softmax(x, 0), gc.Tensor)
assert_type(gc.softmax(x, axis=0), gc.Tensor)
assert_type(x.softmax(0, dtype="float64"), gc.Tensor)
gc.softmx(x)  # error
x.softmx(0)  # error
gc.softmax(x)  # error
gc.softmax(x, dims=0)  # error
gc.softmax(x, dim=0, axis=0)  # error
gc.softmax(x, "0")  # error
gc.softmax(x, [0, 1])  # error
gc.softmax("x", 0)  # error
gc.softmax(x, 0, dtype="flot64")  # error
assert_type(x.sum(), gc.Tensor)
assert_type(x.sum(0, True), gc.Tensor)
assert_type(x.sum((0, 1), keepdim=True), gc.Tensor)
assert_type(x.sum(axis=0, keepdims=True), gc.Tensor)
assert_type(x.sum(0, keepdims=True), gc.Tensor)
assert_type(gc.sum([[1, 2], [3, 4]], dim=[0, 1], dtype=gc.float64), gc.Tensor)
x.sum(0, keepdims=1)  # error
x.sum(0, True, gc.float64)  # error
x.sum(0.5)  # error
x.mean(dtype=1)  # error
assert_type(gc.logsumexp(x, 0), gc.Tensor)
assert_type(gc.clamp(x, max=1.0), gc.Tensor)
assert_type(gc.where(x > 0, x, 0), gc.Tensor)
assert_type(gc.cat([x, x], dim=1), gc.Tensor)
gc.cat(x)  # error
assert_type(gc.einsum("ij,kj->ik", x, x), gc.Tensor)
gc.einsum(x, x)  # error
assert_type(x.reshape(-1), gc.Tensor)
assert_type(x.reshape((3, 2)), gc.Tensor)
assert_type(gc.reshape(x, shape=[3, 2]), gc.Tensor)
gc.reshape(x, shape=["3"])  # error
x.reshape("3")  # error
assert_type(gc.subtract(x, 1, alpha=2), gc.Tensor)
gc.gelu(x, approximate="exact")  # error
gc.mse_loss(x, x, "median")  # error
gc.div(x, 2, rounding_mode="up")  # error
gc.exp(x, x)  # error
x.exp(x)  # error
assert_type(x.add_(1), gc.Tensor)
assert_type(x.subtract_(x), gc.Tensor)
x.sum_()  # error

# Several results.
assert_type(x.max(), gc.Tensor)
assert_type(x.max(0).values, gc.Tensor)
assert_type(gc.min(x, axis=1, keepdims=True).indices, gc.Tensor)
assert_type(gc.max(x, x), gc.Tensor)
values, indices = gc.max(x, 0)
assert_type(indices, gc.Tensor)
sign, logarithm = gc.slogdet(gc.eye(2))
assert_type(logarithm, gc.Tensor)
assert_type(gc.slogdet(gc.eye(2)).sign, gc.Tensor)
print(x.max().values)  # error
print(gc.slogdet(gc.eye(2)).log)  # error

# Operators.
assert_type(2 * (3 * x + 7) ** 2, gc.Tensor)
assert_type(x @ array, gc.Tensor)
assert_type(array @ x, gc.Tensor)
assert_type(array - x, gc.Tensor)
assert_type(np.float64(2) * x, gc.Tensor)
assert_type(-x, gc.Tensor)
assert_type(x > 0, gc.Tensor)
assert_type(x == x, gc.Tensor)
assert_type(~(x > 0) & (x < 1), gc.Tensor)
assert_type(x[0], gc.Tensor)
assert_type(x[..., None, :2], gc.Tensor)
assert_type(x[[0, 1]], gc.Tensor)
x[0] = 1
x[..., None, :2] = x
x[[0, 1]] = array
x[0] = "1"  # error
x["0"] = 1  # error
x + "1"  # error
x["0"]  # error
x.random_(1, 2, 3)  # error
assert_type(x.random_(to=3).unsqueeze_(0), gc.Tensor)
x -= 0.5
assert_type(x, gc.Tensor)

# Hooks, and derivatives of one's own.
handle = x.register_hook(lambda gradient: gradient * 2)
handle.remove()
x.register_hook(1)  # error


class Straight(gc.Function):
    @staticmethod
    def forward(ctx: Any, x: gc.Tensor) -> gc.Tensor:
        ctx.save_for_backward(x)
        return x.round()

    @staticmethod
    def backward(ctx: Any, gradient: gc.Tensor) -> gc.Tensor:
        return gradient


Straight.apply(x)

# Making them.
assert_type(gc.tensor([1.0, 2.0], requires_grad=True), gc.Tensor)
assert_type(gc.zeros((2, 2), dtype=gc.float64), gc.Tensor)
assert_type(gc.zeros(2, 2, dtype=np.float32), gc.Tensor)
assert_type(gc.full([2], 1.0), gc.Tensor)
assert_type(gc.arange(0, 1, 0.1), gc.Tensor)
assert_type(gc.from_numpy(array), gc.Tensor)
assert_type(gc.float64, np.dtype[np.float64])
assert_type(gc.pi, float)
gc.ones(2, requires_gradient=True)  # error
gc.exp(x, requires_grad=True)  # error
gc.Tensor([1, 2])  # error
gc.zeros(2.5)  # error
gc.arange("3")  # error

# Gradients, requests, modes.
x.backward()
x.backward(gc.ones(2, 3), retain_graph=True)
x.backward(retain=True)  # error
assert_type(gc.grad(x.sum(), x), tuple[gc.Tensor | None, ...])
gc.grad(x.sum())  # error
gc.grad(2, x)  # error
gc.grad([x.sum()], [x, x], allow_unused=True)
result = gc.evaluate("sum(x**2)", {"x": array}, wrt="x")
assert_type(result, gc.Result)
assert_type(result.value, gc.Tensor)
assert_type(result.note, str | None)
result.grads["x"]  # error
if result.grads is not None:
    assert_type(result.grads["x"], gc.Tensor | None)
    result.grads["x"].sum()  # error
gc.evaluate("x", {"x": 1}, wrt=1)  # error
gc.evaluate("x", x=1)  # error
gc.evaluate("x", {"x": 1}, grad_output="1")  # error
with gc.no_grad():
    pass


@gc.no_grad()
def double(t: gc.Tensor) -> gc.Tensor:
    return t * 2


assert_type(double(x), gc.Tensor)
double(2)  # error
gc.set_num_threads("2")  # error
gc.set_default_dtype(gc.float64)
reduction: Literal["mean", "sum"] = "sum"
gc.l1_loss(x, x, reduction)
try:
    gc.evaluate("x")
except gc.GradcliError as error:
    assert_type(error.hint, str | None)
