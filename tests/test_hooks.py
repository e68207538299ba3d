"""Functions that are told of gradients in a backward pass."""

from __future__ import annotations

import gc as garbage
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import gradcli as gc
from gradcli.errors import GradcliError, SizeError

Program = Callable[[Any, list[Any]], None]


def _leaf(lib: Any, values: Any = (1.0, -2.0, 3.0)) -> Any:
    return lib.tensor(values, requires_grad=True)


def of_a_result(lib: Any, seen: list[Any]) -> None:
    x = _leaf(lib)
    y = x * x
    y.register_hook(seen.append)
    x.register_hook(lambda g: seen.append(g * 2))
    (y * 3).sum().backward()
    seen.append(x.grad)


def another_gradient(lib: Any, seen: list[Any]) -> None:
    x = _leaf(lib)
    y = x * 2
    y.register_hook(lambda g: g.clamp(max=1.5))
    y.register_hook(lambda g: g * 10)
    y.retain_grad()
    (y * x).sum().backward()
    seen += [x.grad, y.grad]


def after_it_was_used(lib: Any, seen: list[Any]) -> None:
    x = _leaf(lib)
    y = x.exp()
    z = y.sum()
    y.register_hook(lambda g: g + 1)
    z.register_hook(lambda g: g * 2)
    z.backward()
    seen.append(x.grad)


def nobody_keeps_it(lib: Any, seen: list[Any]) -> None:
    x = _leaf(lib)
    y = x.tanh()
    y.register_hook(seen.append)
    z = (y * y).sum()
    del y
    garbage.collect()
    z.backward()
    seen.append(x.grad)


def removed(lib: Any, seen: list[Any]) -> None:
    x = _leaf(lib)
    twice = lambda g: g * 2  # noqa: E731
    first, second = x.register_hook(twice), x.register_hook(twice)
    first.remove()
    first.remove()
    x.sum().backward()
    seen.append(x.grad.clone())
    second.remove()
    with x.register_hook(lambda g: g * 100):
        x.sum().backward()
    x.sum().backward()
    seen.append(x.grad)


def each_pass_and_their_sum(lib: Any, seen: list[Any]) -> None:
    x = _leaf(lib)
    x.register_hook(lambda g: seen.append(g.clone()))
    for _ in range(2):
        (x * x + x).sum().backward()
    seen.append(x.grad)


def changed_in_place_since(lib: Any, seen: list[Any]) -> None:
    x = _leaf(lib)
    y = x * 2
    y.register_hook(lambda g: seen.append(g.clone()))
    y.mul_(5)
    y.register_hook(lambda g: seen.append(g.clone()))
    (y * y).sum().backward()
    seen.append(x.grad)


def a_leaf_that_is_trained(lib: Any, seen: list[Any]) -> None:
    x = _leaf(lib)
    x.register_hook(lambda g: g / 2)
    for _ in range(3):
        loss = (x * x).sum()
        loss.backward()
        with lib.no_grad():
            x -= 0.5 * x.grad
            x.grad = None
    seen.append(x.detach())


def a_leaf_that_was_changed_before_the_pass(lib: Any, seen: list[Any]) -> None:
    x = _leaf(lib)
    loss = (x + 1).sum()
    x.register_hook(lambda g: g * 3)
    with lib.no_grad():
        x.add_(1)
    loss.backward()
    seen.append(x.grad)


def by_grad(lib: Any, seen: list[Any]) -> None:
    x = _leaf(lib)
    y = x * x
    y.register_hook(lambda g: g * 3)
    x.register_hook(lambda g: g + 1)
    grad = lib.grad if lib is gc else lib.autograd.grad
    (first,) = grad((y * y).sum(), x, create_graph=True)
    (second,) = grad(first.sum(), x)
    seen += [first.detach(), second]


def graph_is_created(lib: Any, seen: list[Any]) -> None:
    x = _leaf(lib)
    y = x**3
    y.register_hook(lambda g: g * x)
    y.register_hook(lambda g: seen.append(g.requires_grad))
    y.sum().backward(create_graph=True)
    seen.append(x.grad.requires_grad)
    first, x.grad = x.grad, None
    first.sum().backward()
    seen += [first.detach(), x.grad]


def what_it_is_given(lib: Any, seen: list[Any]) -> None:
    x = _leaf(lib)
    y = x * x
    y.register_hook(lambda g: seen.extend([g.requires_grad, g.is_leaf, (g * x).requires_grad, g.grad_fn is None]))
    y.sum().backward()


def only_some_inputs(lib: Any, seen: list[Any]) -> None:
    x, w = _leaf(lib), _leaf(lib, [4.0, 5.0, 6.0])
    x.register_hook(lambda g: seen.append("x"))
    w.register_hook(lambda g: seen.append("w"))
    (x * w).sum().backward(inputs=[w])
    seen += [x.grad is None, w.grad]


def one_of_several_results(lib: Any, seen: list[Any]) -> None:
    x = _leaf(lib, [[3.0, 1.0], [2.0, 5.0]])
    values = x.sort(1)[0]
    values.register_hook(lambda g: g * 7)
    first, second = values.unbind(0)
    second.register_hook(lambda g: g + 1)
    (first * 2 + second).sum().backward()
    seen.append(x.grad)


def changed_by_the_hook(lib: Any, seen: list[Any]) -> None:
    x = _leaf(lib)
    y = x * 2

    def change(g: Any) -> None:
        g.mul_(4)

    y.register_hook(change)
    (y * y).sum().backward()
    seen.append(x.grad)


def when_grad_is_there(lib: Any, seen: list[Any]) -> None:
    x, w = _leaf(lib), _leaf(lib, [4.0, 5.0, 6.0])

    def step(p: Any) -> None:
        seen.append(p.grad.clone())
        with lib.no_grad():
            p.sub_(p.grad)
        p.grad = None

    for p in (w, x):
        handle = p.register_post_accumulate_grad_hook(step)
    (x * w).sum().backward()
    seen += [x.grad is None, w.grad is None, x.detach().clone(), w.detach().clone()]
    handle.remove()
    (x * w).sum().backward()
    seen += [x.grad, w.grad]


PROGRAMS: list[Program] = [
    of_a_result, another_gradient, after_it_was_used, nobody_keeps_it, removed, each_pass_and_their_sum,
    changed_in_place_since, a_leaf_that_is_trained, a_leaf_that_was_changed_before_the_pass, by_grad, graph_is_created,
    what_it_is_given, only_some_inputs, one_of_several_results, changed_by_the_hook, when_grad_is_there,
]  # fmt: skip


@pytest.mark.oracle
@pytest.mark.filterwarnings("ignore:Using backward")
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_as_pytorch_has_it(program: Program) -> None:
    import torch

    ours: list[Any] = []
    theirs: list[Any] = []
    program(gc, ours)
    program(torch, theirs)
    if program is when_grad_is_there:
        # Which of two leaves has its gradient first is not said.
        ours[:2], theirs[:2] = (sorted(two, key=lambda t: float(t[0])) for two in (ours[:2], theirs[:2]))
    assert len(ours) == len(theirs)
    for mine, wanted in zip(ours, theirs, strict=True):
        if isinstance(wanted, torch.Tensor):
            assert str(mine) == str(wanted)
        else:
            assert mine == wanted


def test_gradients_are_changed_on_their_way() -> None:
    seen: list[Any] = []
    another_gradient(gc, seen)
    # y has the gradient x, cut at 1.5 and taken ten times, and x has that twice and y beside it.
    np.testing.assert_array_equal(seen[1].numpy(), [10, -20, 15])
    np.testing.assert_array_equal(seen[0].numpy(), [22, -44, 36])


def test_each_is_called_once_in_a_pass() -> None:
    x = _leaf(gc)
    y, calls = x, []
    for k in range(50):
        y = y * 1.01 + x
        y.register_hook(lambda g, k=k: calls.append((k, g.norm().item())))
    y.sum().backward()
    assert [k for k, _ in calls] == list(range(49, -1, -1))


def test_what_a_hook_raises_ends_the_pass_and_changes_no_grad() -> None:
    x, w = _leaf(gc), _leaf(gc)

    def fails(_: Any) -> None:
        raise KeyError("mine")

    w.register_hook(fails)
    with pytest.raises(KeyError, match="mine"):
        (x * w).sum().backward()
    assert x.grad is None and w.grad is None


@pytest.mark.parametrize(
    "answer, error, message",
    [
        (lambda g: 1, GradcliError, "a hook returns a tensor or None, got an int"),
        (lambda g: g.sum(), SizeError, r"a hook returned shape \(\) for a gradient of shape \(3,\)"),
        (lambda g: g.double(), GradcliError, "a hook returned float64 for a gradient of float32"),
    ],
)
def test_what_a_hook_may_not_return(answer: Any, error: type[Exception], message: str) -> None:
    x = _leaf(gc)
    x.register_hook(answer)
    with pytest.raises(error, match=message):
        x.sum().backward()


def test_refused() -> None:
    with pytest.raises(GradcliError, match="a hook needs a tensor that requires grad"):
        gc.ones(2).register_hook(print)
    with pytest.raises(GradcliError, match="a hook is a function of a tensor, got an int"):
        _leaf(gc).register_hook(3)  # type: ignore[arg-type]
    with pytest.raises(GradcliError, match="only a leaf has a .grad"):
        (_leaf(gc) * 2).register_post_accumulate_grad_hook(print)
