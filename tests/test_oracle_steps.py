"""Every number of `gradcli steps` is the one that PyTorch has there: prints, functions in the order in which they run,
and the gradients that arrive at each."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import gradcli as gc
from gradcli.render.text import format_tensor
from gradcli.walkthrough.step_types import Arrival, BackwardStep
from gradcli.walkthrough.told_walkthrough import Walkthrough
from tests.torch_side import namespace, tensors

pytestmark = pytest.mark.oracle

RNG = np.random.default_rng(17)
X, W = RNG.normal(size=(4, 3)).astype("f4"), RNG.normal(size=3).astype("f4")

# Programs that Python runs as well.
PROGRAMS = [
    ("y = 3*x + 7; z = 2*y**2; w = mean(z)", {"x": np.ones((2, 2), "f4")}),
    ("y = x + 2; z = y*y*3; out = mean(z)", {"x": np.ones((2, 2), "f4")}),
    ("y = exp(x); w = y*sin(y)", {"x": np.float32(0.3)}),
    ("u = tanh(X@w); v = softmax(u, 0); w2 = sum(v*u*v)", {"X": X, "w": W}),
    ("y = 2/x - x.detach(); z = abs(y); w = sum(z.T@y)", {"x": X + 4}),
    ("y = x*2; y = y*x; y = y + x; w = mean(y)", {"x": W.astype("f8")}),
    ("a = x[:, 0]; b = x[1]; w = sum(a[:3]*b) + max(x)", {"x": X}),
    ("m = x > 0; y = where(m, x**2, -x); w = std(y)", {"x": X}),
    ("s = log_softmax(x, 1); w = cross_entropy(x, i) + sum(s[0])", {"x": X, "i": np.array([0, 2, 1, 1])}),
    ("v, i = sort(x, 1); w = sum(v*v + x)", {"x": X}),
    ("a, b, c = unbind(x, 1); w = sum(a*b) + mean(b)", {"x": X}),
    ("r = relu(x); w = sum(r/(1 + r)) + norm(x)", {"x": X}),
    ("y = addmv(w, x.T, x[:, 0]); z = mean(y.reshape(3, 1)@y.reshape(1, 3))", {"x": X, "w": W}),
    ("y = x.double(); z = y*x; w = logsumexp(z, (0, 1))", {"x": X}),
]


def run(source: str, arrays: dict[str, np.ndarray]) -> tuple[dict[str, Any], list[tuple[str, list[Any]]]]:
    """The names that PyTorch ends with, and its backward functions as they run, each with what arrives at it."""
    names: dict[str, Any] = {**namespace(), **tensors(arrays)}
    kept: dict[str, list[Any]] = {}
    for statement in source.split("; "):
        exec(statement, names)
        for name in statement.partition(" = ")[0].split(", "):
            kept.setdefault(name, []).append(names[name])
            if names[name].requires_grad:
                names[name].retain_grad()
    ran: list[tuple[str, list[Any]]] = []
    value = names[name]
    waiting, seen = [value.grad_fn], set()
    while waiting:
        function = waiting.pop()
        if function is None or function in seen or function.name().endswith("AccumulateGrad"):
            continue
        seen.add(function)

        def note(arrived: Any, of: str = function.name()) -> None:
            ran.append((of, [None if g is None else g.clone() for g in arrived]))

        function.register_prehook(note)
        waiting += [behind for behind, _ in function.next_functions]
    value.backward()
    steps = {f"{name}_{k + 1}" if k else name: tensor for name, made in kept.items() for k, tensor in enumerate(made)}
    return {name: names[name] for name in arrays} | steps, ran


def printed(tensor: Any) -> str:
    return repr(tensor).replace("dtype=torch.", "dtype=")


@pytest.mark.parametrize(("source", "arrays"), PROGRAMS)
def test_steps(source: str, arrays: dict[str, np.ndarray]) -> None:
    steps, ran = run(source, arrays)
    told = gc.steps(source, arrays)
    by_name = {step.name: step for step in told.forward}
    for name, tensor in steps.items():
        if name in by_name:
            step = by_name[name]
            shown = format_tensor(step.value, grad_fn=step.grad_fn, requires_grad=step.requires_grad)
            assert shown == printed(tensor), name
    arrivals = {item.target: item for item in told.backward if isinstance(item, Arrival)}
    for name, arrival in arrivals.items():
        if name in steps:
            assert np.allclose(arrival.total, steps[name].grad, rtol=1e-4, atol=1e-6), name
    tracked = {name for name, tensor in steps.items() if tensor.requires_grad and tensor.grad is not None}
    assert tracked & by_name.keys() <= arrivals.keys()
    functions = [item for item in told.backward if isinstance(item, BackwardStep)]
    assert [function.name for function in functions] == [name for name, _ in ran]
    for function, (_, arrived) in zip(functions, ran, strict=True):
        gradients = [arrivals[name].total for name in function.results]
        there = [gradient for gradient in arrived if gradient is not None]
        # Of several results PyTorch gives zeros for those that nothing depends on.
        there = there if len(there) == len(gradients) else [g for g in there if g.any()]
        for ours, theirs in zip(gradients, there, strict=True):
            assert np.allclose(ours, theirs, rtol=1e-4, atol=1e-6), function
    assert parts_add_up(told)


def parts_add_up(told: Walkthrough) -> bool:
    """Whether what functions pass on is what arrives."""
    sums: dict[str, Any] = {}
    for item in told.backward:
        if isinstance(item, BackwardStep):
            for passed in item.passed:
                sums[passed.target] = sums.get(passed.target, 0) + np.asarray(passed.part, "f8")
        elif item.branches and not np.allclose(sums[item.target], item.total, rtol=1e-4, atol=1e-6):
            return False
    return True
