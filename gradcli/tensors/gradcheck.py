"""Gradients of functions of tensors against central differences, with the conventions of torch.autograd.gradcheck."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from gradcli.autodiff.differences import sides, unit_vector
from gradcli.autodiff.jacobian import jacobians, pushed
from gradcli.autodiff.vjp import vjp
from gradcli.engine.execute.run import execute, known_value, run
from gradcli.engine.plan.planner import plan
from gradcli.errors import GradcliError
from gradcli.graph.arguments import as_flag, as_function, as_number
from gradcli.graph.dtypes import FLOAT64
from gradcli.graph.node import Node, constant, input_node
from gradcli.tensors.functions import grad
from gradcli.tensors.modes import enable_grad
from gradcli.tensors.tensor import Tensor, tensor_of

# Directions of the fast mode are the same at every run.
_SEED = 20


class _Subject:
    """A function of tensors as one of the arrays of its tracked inputs."""

    def __init__(self, func: Callable[..., Any], inputs: Any, atol: float = 0.0, rtol: float = 0.0) -> None:
        self.atol, self.rtol = atol, rtol
        self.func = as_function(func)
        self.inputs = _listed(inputs)
        self.tracked = [k for k, x in enumerate(self.inputs) if isinstance(x, Tensor) and x.requires_grad]
        if not self.tracked:
            raise GradcliError("gradcheck() needs an input that requires grad", hint="call x.requires_grad_() on it")
        self.nodes = [input_node(self.inputs[k].value(), requires_grad=True) for k in self.tracked]
        self.outputs = [y.node for y in self._call([tensor_of(node) for node in self.nodes]) if y.node.is_floating]

    def refuse_rough(self) -> None:
        """Refuse inputs for which differences say little."""
        for k, node in zip(self.tracked, self.nodes, strict=True):
            if node.dtype != FLOAT64:
                hint = "make it float64, as in x.double(), or differences are too rough"
                raise GradcliError(f"input {k} is {node.dtype}", hint=hint)

    def _call(self, tracked: Sequence[Tensor]) -> list[Tensor]:
        arguments = list(self.inputs)
        for k, tensor in zip(self.tracked, tracked, strict=True):
            arguments[k] = tensor
        with enable_grad():
            results = _listed(self.func(*arguments))
        if not all(isinstance(y, Tensor) for y in results):
            raise GradcliError("the function must give tensors")
        return results

    def differences(self, k: int, direction: np.ndarray, eps: float) -> np.ndarray:
        """Central differences of the elements of all outputs along a direction of an input."""
        return sides(partial(self._moved, k, direction), eps, np.subtract).slope

    def by_output(self, rows: np.ndarray) -> list[np.ndarray]:
        """What there is for each element of all outputs, output by output."""
        return np.split(rows, np.cumsum([y.size for y in self.outputs], dtype=int)[:-1])

    def _moved(self, k: int, direction: np.ndarray, t: float) -> np.ndarray:
        """The elements of all floating-point outputs; the function is called anew, as it may look at its inputs."""
        arrays: list[np.ndarray] = [node.params["data"] for node in self.nodes]
        arrays[k] = np.asarray((arrays[k] + t * direction).astype(arrays[k].dtype))
        results = self._call([tensor_of(input_node(a, requires_grad=True)) for a in arrays])
        found = execute([y.node for y in results if y.node.is_floating])
        return np.concatenate([np.zeros(0), *(y.reshape(-1) for y in found)])

    def agree(
        self, output: int, found: Sequence[np.ndarray], expected: Sequence[np.ndarray], kind: str, first: int = 0
    ) -> None:
        """Refuse Jacobians of an output, from that for input `first` on, that differ from the expected ones."""
        for k, (a, n) in enumerate(zip(found, expected, strict=True), first):
            close = np.isclose(a, n, rtol=self.rtol, atol=self.atol, equal_nan=True)
            if not close.all():
                row, column = (int(places[0]) for places in np.nonzero(~close))
                raise GradcliError(
                    f"Jacobian mismatch for output {output} with respect to input {self.tracked[k]}: at "
                    f"[{row}, {column}] the numerical one is {n[row, column]:.6g}, the {kind} one {a[row, column]:.6g}"
                )


def _listed(given: Any) -> list[Any]:
    """One or several of something, as a list."""
    return list(given) if isinstance(given, list | tuple) else [given]


# Differences of what is infinite or NaN are no news: the comparison says so.
@np.errstate(all="ignore")
def gradcheck(
    func: Callable[..., Any],
    inputs: Any,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_batched_grad: bool = False,
    check_forward_ad: bool = False,
    check_backward_ad: bool = True,
    fast_mode: bool = False,
) -> bool:
    """Whether the gradients of a function agree with central differences, for every input that requires grad.

    Elements agree within `atol + rtol*abs(difference)`. Inputs should be float64. `check_forward_ad` also compares
    Jacobian-vector products, and `check_batched_grad` the Jacobian that is computed at once; the fast mode compares one
    random product. A disagreement raises GradcliError, or returns False without `raise_exception`.

    >>> import gradcli as gc
    >>> gc.gradcheck(lambda x: (x**3).sum(), gc.tensor([1.0, 2.0], dtype=gc.float64).requires_grad_())
    True
    """
    eps, atol, rtol = as_number(eps, "eps"), as_number(atol, "atol"), as_number(rtol, "rtol")
    nondet_tol = as_number(nondet_tol, "nondet_tol")
    if not eps > 0:
        raise GradcliError(f"eps must be positive, got {eps}", argument="eps")
    as_flag(raise_exception, "raise_exception")
    batched = as_flag(check_batched_grad, "check_batched_grad")
    forward, backward = as_flag(check_forward_ad, "check_forward_ad"), as_flag(check_backward_ad, "check_backward_ad")
    fast = as_flag(fast_mode, "fast_mode")
    try:
        subject = _Subject(func, inputs, atol, rtol)
        subject.refuse_rough()
        if fast:
            _check_products(subject, eps, backward, forward)
        else:
            _check_entries(subject, eps, nondet_tol, backward, batched, forward)
    except GradcliError:
        if raise_exception:
            raise
        return False
    return True


def _check_entries(
    subject: _Subject, eps: float, nondet_tol: float, backward: bool, batched: bool, forward: bool
) -> None:
    """All entries of the Jacobians, found in each of the ways that are asked for."""
    numerical = [_numerical(subject, k, eps) for k in range(len(subject.nodes))]
    for j, output in enumerate(subject.outputs):
        expected = [columns[j] for columns in numerical]
        if backward:
            found = _analytical(output, subject.nodes)
            subject.agree(j, found, expected, "analytical")
            again = _analytical(output, subject.nodes)
            if any(np.abs(a - b).max(initial=0.0) > nondet_tol for a, b in zip(found, again, strict=True)):
                raise GradcliError(f"the gradient of output {j} is not the same each time (nondet_tol)")
        if batched:
            subject.agree(j, _at_once(output, subject.nodes), expected, "batched")
        if forward:
            subject.agree(j, _forward(output, subject.nodes), expected, "forward")


def _numerical(subject: _Subject, k: int, eps: float) -> list[np.ndarray]:
    """For each output the Jacobian for an input, of shape (elements of the output, elements of the input)."""
    x = subject.nodes[k]
    result = np.zeros((sum(y.size for y in subject.outputs), x.size))
    for place in range(x.size):
        result[:, place] = subject.differences(k, unit_vector(x.shape, place, x.dtype), eps)
    return subject.by_output(result)


def _analytical(output: Node, inputs: Sequence[Node]) -> list[np.ndarray]:
    """The Jacobians, a vector-Jacobian product for each element of the output; planned once."""
    result = [np.zeros((output.size, x.size)) for x in inputs]
    seed = input_node(np.zeros(output.shape, output.dtype))
    found = vjp([output], [seed], inputs)
    wanted = [k for k, x in enumerate(inputs) if x in found]
    program = plan([found[inputs[k]] for k in wanted])
    for row in range(output.size if wanted else 0):
        unit = unit_vector(output.shape, row, output.dtype)
        arrays = [unit if leaf is seed else known_value(leaf) for leaf in program.leaves]
        for k, array in zip(wanted, run(program, arrays), strict=True):
            result[k][row] = array.reshape(-1)
    return result


def _at_once(output: Node, inputs: Sequence[Node]) -> list[np.ndarray]:
    found = jacobians(output, inputs)
    values = iter(execute([j for j in found if j is not None]))
    return [
        np.zeros((output.size, x.size)) if j is None else next(values).reshape(output.size, x.size)
        for j, x in zip(found, inputs, strict=True)
    ]


def _forward(output: Node, inputs: Sequence[Node]) -> list[np.ndarray]:
    """The Jacobians, a product with each unit vector of the inputs."""
    result = [np.zeros((output.size, x.size)) for x in inputs]
    for x, columns in zip(inputs, result, strict=True):
        for place in range(x.size):
            (found,) = pushed([output], [x], [constant(unit_vector(x.shape, place, x.dtype))])
            if found is not None:
                columns[:, place] = execute([found])[0].reshape(-1)
    return result


def _check_products(subject: _Subject, eps: float, backward: bool, forward: bool) -> None:
    """One random product with each Jacobian from both sides, as the fast mode does."""
    rng = np.random.default_rng(_SEED)
    for k, x in enumerate(subject.nodes):
        direction = rng.standard_normal(x.shape)
        differences = subject.by_output(subject.differences(k, direction, eps))
        for j, output in enumerate(subject.outputs):
            weight = rng.standard_normal(output.shape).astype(output.dtype)
            expected = _product(weight, differences[j].reshape(output.shape))
            if backward:
                found = vjp([output], [constant(weight)], [x])
                gradient = execute([found[x]])[0] if x in found else np.zeros(x.shape)
                subject.agree(j, _product(gradient, direction), expected, "analytical", k)
            if forward:
                (tangent,) = pushed([output], [x], [constant(direction.astype(x.dtype))])
                moved = np.zeros(output.shape) if tangent is None else execute([tangent])[0]
                subject.agree(j, _product(weight, moved), expected, "forward", k)


def _product(a: np.ndarray, b: np.ndarray) -> list[np.ndarray]:
    """The product of vectors, as the Jacobian of one number by another."""
    return [np.asarray(np.sum(a * b)).reshape(1, 1)]


def gradgradcheck(
    func: Callable[..., Any],
    inputs: Any,
    grad_outputs: Any = None,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_batched_grad: bool = False,
    check_forward_ad: bool = False,
    fast_mode: bool = False,
) -> bool:
    """Whether second derivatives agree with central differences; see `gradcheck`.

    `grad_outputs` are the vectors of the first product, random by default.

    >>> import gradcli as gc
    >>> gc.gradgradcheck(lambda x: (x**3).sum(), gc.tensor([1.0, 2.0], dtype=gc.float64).requires_grad_())
    True
    """
    subject = _Subject(func, inputs)
    vectors = _vectors(subject, grad_outputs)
    return gradcheck(
        partial(_gradients, func, len(subject.inputs), subject.tracked),
        [*subject.inputs, *vectors],
        eps=eps,
        atol=atol,
        rtol=rtol,
        raise_exception=raise_exception,
        nondet_tol=nondet_tol,
        check_batched_grad=check_batched_grad,
        check_forward_ad=check_forward_ad,
        fast_mode=fast_mode,
    )


def _vectors(subject: _Subject, given: Any) -> list[Any]:
    """The vectors of the first product."""
    if given is None:
        rng = np.random.default_rng(_SEED)
        return [tensor_of(input_node(rng.standard_normal(y.shape), requires_grad=True)) for y in subject.outputs]
    vectors = _listed(given)
    if len(vectors) != len(subject.outputs):
        raise GradcliError(f"{len(subject.outputs)} outputs need as many grad_outputs, got {len(vectors)}")
    return vectors


def _gradients(func: Callable[..., Any], count: int, tracked: Sequence[int], *arguments: Any) -> tuple[Tensor, ...]:
    """The gradients of a function of the first `count` arguments by those that are tracked; the others are vectors."""
    floating = [y for y in _listed(func(*arguments[:count])) if y.node.is_floating]
    pairs = [(y, v) for y, v in zip(floating, arguments[count:], strict=True) if y.requires_grad]
    if not pairs:
        return ()
    targets = [arguments[k] for k in tracked]
    found = grad([y for y, _ in pairs], targets, [v for _, v in pairs], create_graph=True, allow_unused=True)
    return tuple(g for g in found if g is not None)
