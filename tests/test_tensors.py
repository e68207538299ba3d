"""Tensors from Python: tracking, backward, modes, NumPy beside them, and prints."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import gradcli as gc


def leaf(*values: float) -> Any:
    return gc.tensor([float(v) for v in values], requires_grad=True)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("derive", "; `gradcli derive` is a command only"),
        ("Parameter", "; gc.tensor(data, requires_grad=True) is one"),
        # Like others by chance alone, and slips.
        ("foo", ""),
        ("torch", ""),
        ("plit", "; did you mean 'split'?"),
        ("foor", "; did you mean 'floor'?"),
        ("flor", "; did you mean 'floor'?"),
        ("meam", "; did you mean 'mean'?"),
        ("sni", "; did you mean 'sin'?"),
        ("sofplus", "; did you mean 'softplus'?"),
    ],
)
def test_what_the_package_does_not_have(name: str, hint: str) -> None:
    with pytest.raises(AttributeError) as caught:
        getattr(gc, name)
    assert str(caught.value) == f"module 'gradcli' has no attribute {name!r}{hint}"


def test_backward_accumulates() -> None:
    x = gc.ones(2, 2, requires_grad=True)
    w = (2 * (3 * x + 7) ** 2).mean()
    w.backward()
    assert x.grad.tolist() == [[30.0, 30.0], [30.0, 30.0]]
    w.backward()
    assert x.grad.tolist() == [[60.0, 60.0], [60.0, 60.0]]
    assert not x.grad.requires_grad and x.grad.is_leaf


def test_backward_with_a_vector() -> None:
    x = leaf(1, 2, 3)
    (x**2).backward(gc.tensor([1.0, 10.0, 100.0]))
    assert x.grad.tolist() == [2.0, 40.0, 600.0]


def test_backward_refuses() -> None:
    with pytest.raises(gc.GradcliError, match=r"shape \(3,\) needs a vector"):
        (leaf(1, 2, 3) * 2).backward()
    with pytest.raises(gc.GradcliError, match="does not depend on anything|does not"):
        gc.ones(2).sum().backward()
    with pytest.raises(gc.GradcliError, match="must be equal"):
        (leaf(1, 2, 3) * 2).backward(gc.ones(2))


def test_leaves_and_results() -> None:
    x = leaf(1, 2)
    y = x * 2
    assert x.is_leaf and x.grad_fn is None and x.requires_grad
    assert not y.is_leaf and y.requires_grad and y.grad_fn.name() == "MulBackward0"
    assert y.grad_fn is not None and y.grad_fn == y.grad_fn
    assert repr(y.grad_fn).startswith("<MulBackward0 object at 0x")
    ((first, number), second) = y.grad_fn.next_functions
    assert first.name() == "AccumulateGrad" and number == 0 and second == (None, 0)
    assert first.variable is x
    assert gc.ones(2).is_leaf and gc.ones(2).grad_fn is None


def test_detach_and_modes() -> None:
    x = leaf(1, 2)
    d = (x * 2).detach()
    assert not d.requires_grad and d.is_leaf and d.tolist() == [2.0, 4.0]
    with gc.no_grad():
        y = x * 2
        assert not y.requires_grad and not gc.is_grad_enabled()
        with gc.enable_grad():
            assert (x * 2).requires_grad
        assert not (x * 2).requires_grad
    assert (x * 2).requires_grad and gc.is_grad_enabled()

    @gc.no_grad()
    def double(t: Any) -> Any:
        return t * 2

    assert not double(x).requires_grad


def test_mode_is_restored_after_an_exception() -> None:
    with pytest.raises(ZeroDivisionError), gc.no_grad():
        raise ZeroDivisionError
    assert gc.is_grad_enabled()


def test_gradient_through_detached_parts() -> None:
    x = leaf(3)
    (x * x.detach()).sum().backward()
    assert x.grad.tolist() == [3.0]


def test_retain_grad() -> None:
    x = leaf(1, 2)
    y = x * 3
    y.retain_grad()
    assert y.retains_grad
    (y**2).sum().backward()
    assert y.grad.tolist() == [6.0, 12.0]
    assert x.grad.tolist() == [18.0, 36.0]
    with pytest.raises(gc.GradcliError):
        gc.ones(2).retain_grad()


def test_requires_grad_() -> None:
    x = gc.ones(2)
    assert x.requires_grad_() is x and x.requires_grad
    with pytest.raises(gc.GradcliError, match="only a leaf"):
        (x * 2).requires_grad_(False)
    with pytest.raises(gc.GradcliError, match="only floating-point"):
        gc.tensor([1, 2], requires_grad=True)


def test_grad() -> None:
    x, y = leaf(2), leaf(5)
    z = x * y
    gx, gy = gc.grad(z, [x, y], gc.ones(1))
    assert (gx.item(), gy.item()) == (5.0, 2.0)
    assert x.grad is None
    with pytest.raises(gc.GradcliError, match="does not depend"):
        gc.grad((x * 2).sum(), y)
    assert gc.grad((x * 2).sum(), [x, y], allow_unused=True)[1] is None


def test_third_derivative() -> None:
    x = gc.tensor(2.0, requires_grad=True)
    value = x**5
    for expected in (80.0, 160.0, 240.0, 240.0):
        (value,) = gc.grad(value, x, create_graph=True)
        assert value.item() == expected


def test_create_graph_in_backward() -> None:
    x = gc.tensor(3.0, requires_grad=True)
    (x**3).backward(create_graph=True)
    assert x.grad.requires_grad
    (second,) = gc.grad(x.grad, x)
    assert second.item() == 18.0


def test_training_loop() -> None:
    w = leaf(0.0)
    for _ in range(100):
        loss = ((w * 2 - 6) ** 2).sum()
        loss.backward()
        with gc.no_grad():
            w -= 0.1 * w.grad
        w.grad.zero_()
    assert w.item() == pytest.approx(3.0)
    assert w.requires_grad and w.is_leaf


def test_in_place_change_of_a_tracked_leaf_is_refused() -> None:
    w = leaf(1)
    with pytest.raises(gc.GradcliError, match="in place"):
        w += 1


def test_values_are_fixed_when_written() -> None:
    array = np.array([1.0, 2.0])
    x = gc.tensor(array, requires_grad=True)
    y = x * array
    array[:] = 100
    assert y.tolist() == [1.0, 4.0]
    with pytest.raises(ValueError, match="read-only"):
        y.detach().numpy()[0] = 7


@pytest.mark.parametrize("function", [np.sin, np.exp, np.sqrt, np.log1p, np.absolute, np.arctan])
def test_numpy_functions_keep_the_gradient(function: Any) -> None:
    x = leaf(0.5, 1.5)
    y = function(x)
    assert isinstance(y, gc.Tensor) and y.requires_grad
    np.testing.assert_allclose(y.value(), function(np.array([0.5, 1.5], np.float32)), rtol=1e-6)


@pytest.mark.parametrize(
    "mixed",
    [
        lambda a, x: a * x,
        lambda a, x: x * a,
        lambda a, x: a + x,
        lambda a, x: a - x,
        lambda a, x: a / x,
        lambda a, x: a**x,
        lambda a, x: a @ x,
        lambda a, x: x @ a,
        lambda a, x: a > x,
        lambda a, x: np.maximum(a, x),
        lambda a, x: np.hypot(a, x),
        lambda a, x: np.matmul(a, x),
        lambda a, x: np.where(a > 1, x, a),
        lambda a, x: np.sum(x),
        lambda a, x: np.mean(x, axis=0),
        lambda a, x: np.concatenate([x, x]),
        lambda a, x: np.max(x, axis=0),
        lambda a, x: a[0] * x,
        lambda a, x: np.float64(2) * x,
    ],
)
def test_a_numpy_array_beside_a_tensor(mixed: Any) -> None:
    a = np.array([1.5, 2.0])
    x = gc.tensor(np.array([0.5, 1.0]), requires_grad=True)
    y = mixed(a, x)
    assert isinstance(y, gc.Tensor)
    assert y.requires_grad or y.dtype == bool
    plain = mixed(a, np.array([0.5, 1.0]))
    np.testing.assert_allclose(y.value(), plain)


@pytest.mark.parametrize(
    "loss",
    [
        np.asarray,
        np.array,
        float,
        lambda x: x.numpy(),
        np.unique,
        np.repeat,
        np.fft.fft,
        lambda x: np.add.reduce(x),
        lambda x: np.add(x, 1, out=np.zeros(2)),
        lambda x: np.stack([x, np.ones(2)]).sum() if False else np.unwrap(x),
    ],
)
def test_what_would_lose_a_gradient_is_refused(loss: Any) -> None:
    with pytest.raises((gc.GradcliError, TypeError)):
        loss(leaf(1, 2))


def test_numpy_and_dlpack_of_untracked_tensors() -> None:
    x = gc.tensor([[1, 2], [3, 4]])
    assert np.asarray(x).tolist() == [[1, 2], [3, 4]]
    for dtype in "?bBhilefd":
        assert np.asarray(gc.tensor(np.ones(2, dtype))).dtype == np.array(gc.tensor(np.ones(2, dtype))).dtype == dtype
    assert np.asarray(x, np.float32).dtype == np.float32
    assert np.from_dlpack(x).tolist() == [[1, 2], [3, 4]]
    with pytest.raises(gc.GradcliError, match="gradient would be lost"):
        leaf(1).__dlpack__()


def test_scalars() -> None:
    x = gc.tensor(2.5)
    assert (x.item(), float(x), int(x), bool(x)) == (2.5, 2.5, 2, True)
    assert [1, 2, 3][gc.tensor(1)] == 2
    with pytest.raises(gc.GradcliError, match="one element"):
        gc.ones(2).item()
    with pytest.raises(gc.GradcliError, match="one element"):
        bool(gc.ones(2))


def test_formats() -> None:
    x = gc.tensor(3.14159, requires_grad=True)
    assert (f"{x}", f"{x * 2:.3f}") == ("3.141590118408203", "6.283")
    assert (f"{gc.tensor(3)}", f"{gc.tensor(3):03d}") == ("3", "003")
    assert (str(x), f"{gc.tensor([1.5])}") == ("tensor(3.1416, requires_grad=True)", "tensor([1.5000])")
    for wrong in (gc.tensor([1.5]), gc.ones(2, 2)):
        with pytest.raises(TypeError, match="unsupported format string"):
            f"{wrong:.2f}"


def test_an_empty_list_of_dimensions() -> None:
    x = gc.tensor([[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]])
    for name in ("all", "any"):
        found = getattr(x, name)(())
        assert found.dtype == bool and found.tolist() == [[False, True, True], [True, True, True]]
    for name in ("sum", "mean", "amax", "amin", "var", "std", "count_nonzero"):
        assert getattr(x, name)(dim=()).tolist() == getattr(x, name)().tolist()


def test_index_select_keeps_the_dimension() -> None:
    x = gc.tensor([[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]], requires_grad=True)
    for index in (2, -1, gc.tensor(2), gc.tensor([2]), [2]):
        assert gc.index_select(x, 1, index).tolist() == [[2.0], [5.0]]
    gc.index_select(x, 0, gc.tensor(1)).sum().backward()
    assert x.grad.tolist() == [[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]]
    with pytest.raises(gc.GradcliError, match="a vector of indices"):
        gc.index_select(x, 0, [[1]])
    with pytest.raises(gc.GradcliError, match="out of range"):
        gc.index_select(x, 0, 2)


@pytest.mark.parametrize("correction", [3, 4, 6.5])
def test_no_degrees_of_freedom(correction: float) -> None:
    x = gc.tensor([1.0, 2.0, 3.0], requires_grad=True)
    y = x.var(correction=correction)
    y.backward()
    assert y.item() == np.inf
    np.testing.assert_array_equal(x.grad.value(), [np.inf, np.nan, np.inf])


def test_what_a_tensor_falls_into_has_the_backward_function_of_unbind() -> None:
    first, second = gc.tensor([1.0, 2.0], requires_grad=True) * 2
    assert first.grad_fn.name() == second.grad_fn.name() == "UnbindBackward0"
    with pytest.raises(TypeError, match="0-dim"):
        iter(gc.tensor(1.0))
    assert sum(1 for _ in zip(gc.zeros(100_001), range(3), strict=False)) == 3, "more than unbind() makes"


def test_grad_has_the_arguments_of_pytorch() -> None:
    x, y = gc.ones(2, requires_grad=True), gc.ones(3, requires_grad=True)
    first, second = gc.grad((x * 3).sum(), [x, y], only_inputs=True, materialize_grads=True)
    assert first.tolist() == [3.0, 3.0] and second.tolist() == [0.0, 0.0, 0.0]
    # By position too: outputs, inputs, grad_outputs, retain_graph, create_graph, only_inputs, allow_unused.
    assert gc.grad(x.sum(), [x, y], None, True, False, True, True)[1] is None
    with pytest.raises(gc.GradcliError, match="materialize_grads"):
        gc.grad(x.sum(), [x, y], allow_unused=False, materialize_grads=True)


def test_tensors_like_another() -> None:
    x = gc.zeros(2, 3, dtype=gc.float64)
    for like, draw in ((gc.rand_like, gc.rand), (gc.randn_like, gc.randn)):
        gc.manual_seed(1)
        found = like(x), like(x, dtype=gc.float32, requires_grad=True)
        gc.manual_seed(1)
        assert found[0].tolist() == draw(2, 3, dtype=gc.float64).tolist() and found[0].dtype == gc.float64
        assert found[1].tolist() == draw(2, 3).tolist() and found[1].requires_grad
        with pytest.raises(gc.GradcliError, match="floating-point numbers, not int64"):
            like(gc.tensor([1, 2]))
    assert gc.tensor([1, 2]).type_as(x).dtype == gc.float64


def test_methods_that_take_their_arguments_in_another_order() -> None:
    """The first argument of where() is the condition, the tensor itself the second one; the same of polygamma."""
    x = gc.tensor([1.0, 2.0, 3.0], requires_grad=True)
    y = x.where(x > 1.5, x.sum())
    assert y.tolist() == [6.0, 2.0, 3.0] and x.where(other=0, condition=x < 2).tolist() == [1.0, 0.0, 0.0]
    y.sum().backward()
    assert x.grad.tolist() == [1.0, 2.0, 2.0]
    assert x.polygamma(1).tolist() == gc.polygamma(1, x).tolist()
    assert gc.evaluate("x.where(x > 1.5, 7) + x.polygamma(1)*0", {"x": x}).value.tolist() == [7.0, 2.0, 3.0]
    with pytest.raises(gc.GradcliError, match="needs booleans, not float32"):
        x.where(x, 0)
    with pytest.raises(gc.GradcliError, match=r"where\(\) needs 'other'"):
        x.where(x > 1)
    assert "x.where(y, z)" in str(x.where.__doc__) and "x.polygamma(1)" in str(x.polygamma.__doc__)


def test_iteration_and_indexing() -> None:
    x = gc.arange(6).reshape(2, 3)
    assert [row.tolist() for row in x] == [[0, 1, 2], [3, 4, 5]] and len(x) == 2
    assert x[1, 2].item() == 5 and x[:, 1].tolist() == [1, 4] and x[..., -1].tolist() == [2, 5]
    assert x[gc.tensor([1, 0])].tolist() == [[3, 4, 5], [0, 1, 2]] and x[np.array([1])].tolist() == [[3, 4, 5]]


def test_pairs() -> None:
    values, indices = gc.tensor([[1.0, 5.0], [7.0, 2.0]]).max(1)
    assert values.tolist() == [5.0, 7.0] and indices.tolist() == [1, 0]


def test_copy_and_pickle() -> None:
    x = leaf(1, 2)
    for other in (copy.deepcopy(x), copy.copy(x), pickle.loads(pickle.dumps(x))):
        assert other is not x and other.tolist() == [1.0, 2.0] and other.requires_grad
    with pytest.raises(gc.GradcliError, match="only leaf"):
        copy.deepcopy(x * 2)


def test_unknown_names() -> None:
    with pytest.raises(AttributeError, match="did you mean 'softmax'"):
        gc.sofmax  # noqa: B018
    with pytest.raises(AttributeError, match="did you mean 'softmax'"):
        gc.ones(2).sofmax  # noqa: B018
    assert not hasattr(gc.ones(2), "_cast") and "softmax" in dir(gc) and "softmax" in dir(gc.ones(2))
    with pytest.raises(gc.GradcliError, match=r"gradcli.tensor\(data\)"):
        gc.Tensor([1, 2])


def test_what_pytorch_has_elsewhere_is_told() -> None:
    for name, hint in {"nn": "in the package itself", "optim": "gc.minimize", "device": "on the CPU"}.items():
        with pytest.raises(AttributeError, match=hint):
            getattr(gc, name)
    with pytest.raises(AttributeError, match="on the CPU"):
        gc.ones(2).cuda()


def test_tensors_of_other_libraries_are_named_with_what_to_do() -> None:
    class Tensor:
        __module__ = "torch._tensor"

        def __array__(self) -> np.ndarray:
            return np.ones(2)

    for refused in (lambda: gc.exp(Tensor()), lambda: gc.evaluate("sum(x)", {"x": Tensor()})):
        with pytest.raises(gc.GradcliError, match=r"a torch\.Tensor\n?.*numpy\.asarray"):
            refused()


def test_default_dtype() -> None:
    assert gc.get_default_dtype() == gc.float32
    gc.set_default_dtype(gc.float64)
    try:
        assert gc.tensor([1.0]).dtype == gc.float64 and gc.ones(1).dtype == gc.float64
    finally:
        gc.set_default_dtype(gc.float32)
    with pytest.raises(gc.GradcliError):
        gc.set_default_dtype(gc.int64)


def test_deep_graphs() -> None:
    x = leaf(1)
    y = x
    for _ in range(30_000):
        y = y + x
    y.backward()
    assert x.grad.item() == 30_001.0


def test_shared_work_is_done_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from gradcli.graph.op import OPS

    calls = []
    kernel = OPS["exp"].kernel
    assert kernel is not None
    monkeypatch.setattr(OPS["exp"], "kernel", lambda x: (calls.append(1), kernel(x))[1])
    x = leaf(1, 2)
    y = gc.exp(x)
    (y * y + y).sum().backward()
    assert len(calls) == 1


SEED_PRINTS = """\
tensor([[1., 1.],
        [1., 1.]], requires_grad=True)
tensor([[3., 3.],
        [3., 3.]], grad_fn=<AddBackward0>)
tensor([[27., 27.],
        [27., 27.]], grad_fn=<MulBackward0>) tensor(27., grad_fn=<MeanBackward0>)
tensor([[4.5000, 4.5000],
        [4.5000, 4.5000]])
"""


def test_first_seed_example(capsys: pytest.CaptureFixture[str]) -> None:
    import gradcli as torch

    x = torch.ones(2, 2, requires_grad=True)
    print(x)
    y = x + 2
    print(y)
    z = y * y * 3
    out = z.mean()
    print(z, out)
    out.backward()
    print(x.grad)
    assert capsys.readouterr().out == SEED_PRINTS


def test_evaluate() -> None:
    result = gc.evaluate("sum(x*y)", {"x": [1, 2], "y": np.array([3.0, 4.0])}, wrt="x")
    assert result.value.item() == 11.0 and result.grad_fn.name() == "SumBackward0"
    assert result.grads["x"].tolist() == [3.0, 4.0] and result.grads["y"] is None
    assert gc.evaluate("x*2", {"x": [1, 2]}).grads is None
    assert gc.evaluate("x*2", {"x": [1, 2]}, grad_output=[1, 10]).grads["x"].tolist() == [2.0, 20.0]
    assert gc.evaluate("sum(x)", {"x": [1, 2]}, wrt=()).grads is None


def test_evaluate_takes_more_inputs_than_are_used() -> None:
    inputs = {"x": [1, 2], "spare": np.ones(3), "count": np.arange(2)}
    for _ in range(2):
        result = gc.evaluate("sum(x)", inputs)
        assert result.value.item() == 3.0 and result.grads["x"].tolist() == [1.0, 1.0]
        assert result.grads["spare"] is None and result.grads["count"] is None
    assert gc.evaluate("sum(x)", inputs, wrt=["spare"]).grads == {"x": None, "spare": None, "count": None}
    with pytest.raises(gc.GradcliError, match="unknown name 'y'"):
        gc.evaluate("sum(y)", inputs)


def test_arrays_of_another_byte_order_become_those_of_this_machine() -> None:
    x = np.array([1, 2], np.dtype("f4").newbyteorder())
    result = gc.evaluate("x[i]", {"x": x, "i": np.array([1, 0], np.dtype("i4").newbyteorder())})
    for got in (
        gc.tensor(x),
        gc.evaluate("x", {"x": x}, []).value,
        result.value.detach(),
        gc.evaluate("sum(x)", {"x": x}).grads["x"],
    ):
        assert got.dtype == "float32" and got.numpy().dtype.isnative
    assert gc.index_add(gc.ones(2), 0, gc.tensor([0, 1]), x).tolist() == [2, 3] and result.value.tolist() == [2, 1]


def test_a_tensor_is_not_equal_to_what_is_no_number() -> None:
    t = gc.tensor([1.0, 2.0])
    for other in (None, "a", {}, object()):
        assert (t == other) is (other == t) is False
        assert (t != other) is (other != t) is True
    assert t in [None, "a", t]
    with pytest.raises(gc.GradcliError, match="got a complex"):
        _ = t == 1j
