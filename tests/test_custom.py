"""Functions whose derivative a program states itself."""

from __future__ import annotations

import gc as garbage
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import gradcli as gc
from gradcli.errors import GradcliError, SizeError

Program = Callable[[Any, type], list[Any]]


def _leaf(lib: Any, values: Any = (1.0, -2.0, 3.0)) -> Any:
    return lib.tensor(values, requires_grad=True)


def _grad(lib: Any, *args: Any, **kwargs: Any) -> Any:
    return (lib.grad if lib is gc else lib.autograd.grad)(*args, **kwargs)


def exponential(lib: Any, function: type) -> list[Any]:
    class Exp(function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            result = x.exp()
            ctx.save_for_backward(result)
            return result

        @staticmethod
        def backward(ctx: Any, gradient: Any) -> Any:
            (result,) = ctx.saved_tensors
            return gradient * result

    x = _leaf(lib)
    y = Exp.apply(x)
    (first,) = _grad(lib, (y * y).sum(), x, create_graph=True)
    (second,) = _grad(lib, first.sum(), x, create_graph=True)
    (third,) = _grad(lib, second.sum(), x, retain_graph=True)
    (y * 2).sum().backward()
    name = y.grad_fn.name(), y.grad_fn.next_functions[0][0].name()[-14:], y.is_leaf, y.requires_grad
    return [y.detach(), first.detach(), second.detach(), third, x.grad, name]


def several(lib: Any, function: type) -> list[Any]:
    seen: list[Any] = []

    class Both(function):
        @staticmethod
        def forward(ctx: Any, x: Any, factor: float, y: Any) -> Any:
            ctx.save_for_backward(x, y)
            ctx.factor = factor
            seen.append(ctx.needs_input_grad)
            return x * y * factor, x + y

        @staticmethod
        def backward(ctx: Any, product: Any, total: Any) -> Any:
            x, y = ctx.saved_tensors
            return product * y * ctx.factor + total, None, product * x * ctx.factor + total

    x, y = _leaf(lib), _leaf(lib, [4.0, 5.0, 6.0])
    product, total = Both.apply(x, 2.5, y)
    seen.append((product.grad_fn.name(), str(product), str(total)))
    product.sum().backward(retain_graph=True)
    seen += [x.grad.clone(), y.grad.clone()]
    (product * total).sum().backward()
    Both.apply(x, 2.0, lib.ones(3))[1].sum().backward()
    return [*seen, x.grad, y.grad]


def two_ways_to_keep(lib: Any, function: type) -> list[Any]:
    class Scaled(function):
        @staticmethod
        def forward(x: Any, factor: Any) -> Any:
            return x * factor

        @staticmethod
        def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
            ctx.save_for_backward(inputs[1])

        @staticmethod
        def backward(ctx: Any, gradient: Any) -> Any:
            (factor,) = ctx.saved_tensors
            return gradient * factor * 10, None

    x = _leaf(lib)
    Scaled.apply(x, lib.tensor(2.0)).sum().backward()
    return [x.grad]


def without_a_gradient(lib: Any, function: type) -> list[Any]:
    class Sorted(function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            places = x.argsort()
            known = x.sign()
            ctx.mark_non_differentiable(known)
            ctx.save_for_backward(places, known)
            return x[places], places, known

        @staticmethod
        def backward(ctx: Any, gradient: Any, *others: Any) -> Any:
            places, known = ctx.saved_tensors
            back = gradient.new_zeros(3)
            back[places] = gradient
            return back * known

    x = _leaf(lib)
    values, places, known = Sorted.apply(x)
    (values * lib.tensor([1.0, 10.0, 100.0])).sum().backward()
    return [x.grad, places.requires_grad, known.requires_grad, places, known, values.detach()]


def nothing_depends_on_one(lib: Any, function: type) -> list[Any]:
    seen: list[Any] = []

    class Pair(function):
        @staticmethod
        def forward(ctx: Any, x: Any, zeros: bool) -> Any:
            ctx.set_materialize_grads(zeros)
            return x * 2, x * 3

        @staticmethod
        def backward(ctx: Any, first: Any, second: Any) -> Any:
            seen.append("None" if first is None else first.clone())
            return second * 3, None

    for zeros in (True, False):
        x = _leaf(lib)
        Pair.apply(x, zeros)[1].sum().backward()
        seen.append(x.grad)
    return seen


def an_argument_given_back(lib: Any, function: type) -> list[Any]:
    class Reversed(function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return x.view_as(x)

        @staticmethod
        def backward(ctx: Any, gradient: Any) -> Any:
            return -gradient

    x = _leaf(lib)
    (Reversed.apply(x * 2) * x).sum().backward()
    return [x.grad]


def by_way_of_arrays(lib: Any, function: type) -> list[Any]:
    class Cosine(function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            array = x.detach().numpy()
            ctx.sines = np.sin(array)
            return lib.from_numpy(np.cos(array))

        @staticmethod
        def backward(ctx: Any, gradient: Any) -> Any:
            return lib.from_numpy(-gradient.numpy() * ctx.sines)

    x = _leaf(lib)
    (Cosine.apply(x) ** 2).sum().backward()
    return [x.grad]


def broadcast(lib: Any, function: type) -> list[Any]:
    class Added(function):
        @staticmethod
        def forward(ctx: Any, x: Any, y: Any) -> Any:
            return x + y

        @staticmethod
        def backward(ctx: Any, gradient: Any) -> Any:
            return gradient, gradient.double()

    x, y = _leaf(lib), _leaf(lib, [[1.0], [2.0]])
    Added.apply(x, y).sum().backward()
    return [x.grad, y.grad]


def not_tracked(lib: Any, function: type) -> list[Any]:
    class Square(function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return x * x

    x = _leaf(lib)
    with lib.no_grad():
        inside = Square.apply(x)
    return [inside, Square.apply(x.detach()), inside.requires_grad]


def modes_within(lib: Any, function: type) -> list[Any]:
    seen: list[Any] = []

    class Looked(function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            seen.append((lib.is_grad_enabled(), (x * 2).requires_grad))
            return x * 2

        @staticmethod
        def backward(ctx: Any, gradient: Any) -> Any:
            seen.append((lib.is_grad_enabled(), gradient.requires_grad))
            return gradient * 2

    x = _leaf(lib)
    (Looked.apply(x) ** 2).sum().backward()
    _grad(lib, (Looked.apply(x) ** 2).sum(), x, create_graph=True)
    return seen


def with_hooks(lib: Any, function: type) -> list[Any]:
    class Twice(function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return x * 2

        @staticmethod
        def backward(ctx: Any, gradient: Any) -> Any:
            return gradient * 2

    x = _leaf(lib)
    y = Twice.apply(x)
    y.register_hook(lambda g: g + 1)
    y.retain_grad()
    (y * y).sum().backward()
    return [x.grad, y.grad]


PROGRAMS: list[Program] = [
    exponential, several, two_ways_to_keep, without_a_gradient, nothing_depends_on_one, an_argument_given_back,
    by_way_of_arrays, broadcast, not_tracked, modes_within, with_hooks,
]  # fmt: skip


@pytest.mark.oracle
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_as_pytorch_has_it(program: Program) -> None:
    import torch

    ours, theirs = program(gc, gc.Function), program(torch, torch.autograd.Function)
    assert len(ours) == len(theirs)
    for mine, wanted in zip(ours, theirs, strict=True):
        if isinstance(wanted, torch.Tensor):
            np.testing.assert_allclose(mine.numpy(), wanted.numpy(), rtol=1e-6)
            assert str(mine.dtype) == str(wanted.dtype).removeprefix("torch.")
        else:
            assert mine == wanted


def test_values_and_gradients_of_any_order() -> None:
    y, first, second, third, grad, name = exponential(gc, gc.Function)
    x = np.array([1, -2, 3])
    np.testing.assert_allclose(y.numpy(), np.exp(x), rtol=1e-6)
    for order, found in ((1, first), (2, second), (3, third)):
        np.testing.assert_allclose(found.numpy(), 2.0**order * np.exp(2 * x), rtol=1e-5)
    np.testing.assert_allclose(grad.numpy(), 2 * np.exp(x), rtol=1e-6)
    assert name == ("ExpBackward", "AccumulateGrad", False, True)


class Cube(gc.Function):
    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx: Any, gradient: Any) -> Any:
        (x,) = ctx.saved_tensors
        return gradient * 3 * x**2


def test_in_jacobians_and_loops_over_rows() -> None:
    x = gc.tensor([1.0, -2.0, 3.0])
    np.testing.assert_allclose(gc.jacobian(Cube.apply, x).numpy(), np.diag([3.0, 12.0, 27.0]))
    np.testing.assert_allclose(gc.hessian(lambda t: Cube.apply(t).sum(), x).numpy(), np.diag([6.0, -12.0, 18.0]))
    np.testing.assert_allclose(gc.jvp(Cube.apply, x, gc.ones(3))[1].numpy(), [3, 12, 27])
    np.testing.assert_allclose(gc.each(Cube.apply, x).numpy(), [1, -8, 27])
    assert gc.gradcheck(Cube.apply, gc.tensor([0.3, 1.2], dtype=gc.float64, requires_grad=True))


def test_looking_at_values_where_all_rows_are_computed_at_once() -> None:
    class Looks(gc.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return x * 2

        @staticmethod
        def backward(ctx: Any, gradient: Any) -> Any:
            return gradient * 2 if gradient.sum() > 0 else gradient

    with pytest.raises(GradcliError, match="there is no value of one to look at"):
        gc.jacobian(Looks.apply, gc.ones(3))


def test_what_was_saved_is_as_it_was() -> None:
    x = gc.tensor([2.0], requires_grad=True)
    y = Cube.apply(x)
    with gc.no_grad():
        x.fill_(100)
    y.backward()
    assert x.grad is not None and x.grad.tolist() == [12]


def test_half_precision() -> None:
    x = gc.tensor([2.0, 3.0], dtype=gc.float16, requires_grad=True)
    y = Cube.apply(x)
    y.sum().backward()
    assert y.dtype == gc.float16 and x.grad is not None and x.grad.dtype == gc.float16
    assert x.grad.tolist() == [12, 27]


def test_results_go_with_their_last_user() -> None:
    class Kept(gc.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            result = x.exp()
            ctx.save_for_backward(x, result)
            return result

    x = gc.ones(3, requires_grad=True)
    garbage.disable()
    try:
        y = Kept.apply(x)
        gone = weakref.ref(y.node)
        del y
        assert gone() is None
    finally:
        garbage.enable()


@pytest.mark.parametrize(
    "answer, error, message",
    [
        (lambda g: (g, g), GradcliError, r"Wrong.backward\(\) returned 2 gradients for 1 argument"),
        (lambda g: 1, GradcliError, r"Wrong.backward\(\) returns tensors or None, got an int"),
        (
            lambda g: g[:2],
            SizeError,
            r"Wrong.backward\(\) returned a gradient of shape \(2,\) for an argument of shape",
        ),
    ],
)
def test_what_backward_may_not_return(answer: Any, error: type[Exception], message: str) -> None:
    class Wrong(gc.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return x * 2

        @staticmethod
        def backward(ctx: Any, gradient: Any) -> Any:
            return answer(gradient)

    x = _leaf(gc)
    with pytest.raises(error, match=message):
        Wrong.apply(x).sum().backward()


def test_refused() -> None:
    class Bare(gc.Function):
        pass

    class Number(gc.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return 3

    class Saving(gc.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.save_for_backward(3)

    class OneWay(gc.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return x * 2

    x = _leaf(gc)
    with pytest.raises(GradcliError, match=r"a Function needs a forward\(\)"):
        Bare.apply(x)
    with pytest.raises(GradcliError, match=r"Number.forward\(\) returns tensors, got an int"):
        Number.apply(x)
    with pytest.raises(GradcliError, match=r"save_for_backward\(\) takes tensors, got an int"):
        Saving.apply(x)
    with pytest.raises(GradcliError, match=r"a Function that is differentiated needs a backward\(\)"):
        OneWay.apply(x).sum().backward()
