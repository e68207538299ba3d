"""Changes in place: which tensors see them, which are refused."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import gradcli as gc


def leaf() -> Any:
    x = gc.tensor([1.0, 2.0], requires_grad=True)
    (x**2).sum().backward()
    return x


@pytest.mark.parametrize(
    "clear",
    [
        lambda x: x.grad.zero_(),
        lambda x: x.grad.data.zero_(),
        lambda x: x.grad.detach().zero_(),
        lambda x: x.grad.data.detach().data.zero_(),
        lambda x: gc.detach(x.grad).zero_(),
        lambda x: x.grad.data.fill_(0),
        lambda x: x.grad.data.mul_(0),
        lambda x: x.grad.data.copy_(gc.zeros(2)),
    ],
)
def test_gradients_are_cleared_in_every_way_of_the_old_tutorials(clear: Callable[[Any], Any]) -> None:
    x = leaf()
    clear(x)
    assert x.grad.tolist() == [0.0, 0.0]
    (x**2).sum().backward()
    assert x.grad.tolist() == [2.0, 4.0]


def subtract(x: Any) -> None:
    x.data -= 0.5 * x.grad


@pytest.mark.parametrize(
    "step",
    [
        subtract,
        lambda x: x.data.sub_(0.5 * x.grad),
        lambda x: x.data.add_(x.grad, alpha=-0.5),
        lambda x: x.data.sub_(x.grad.data, alpha=0.5),
        lambda x: x.detach().sub_(0.5 * x.grad),
        lambda x: x.data.copy_(x.data - 0.5 * x.grad),
        lambda x: x.data.zero_(),
        lambda x: gc.no_grad()(lambda: x.sub_(0.5 * x.grad))(),
    ],
)
def test_a_step_of_descent_in_every_way_of_the_old_tutorials(step: Callable[[Any], Any]) -> None:
    x = leaf()
    step(x)
    assert x.tolist() == [0.0, 0.0] and x.is_leaf and x.requires_grad and x.grad.tolist() == [2.0, 4.0]
    x.grad.data.zero_()
    (x**2 + x).sum().backward()
    assert x.grad.tolist() == [1.0, 1.0]


def test_detached_tensors_share_their_elements() -> None:
    x = gc.tensor([1.0, 2.0], requires_grad=True)
    d, e = x.detach(), x.data.detach()
    d += 1
    assert x.tolist() == d.tolist() == e.tolist() == [2.0, 3.0] and not d.requires_grad
    with gc.no_grad():
        x.mul_(2)
    assert x.tolist() == d.tolist() == e.tolist() == [4.0, 6.0]
    copied = x.data.clone()
    copied.zero_()
    assert x.tolist() == [4.0, 6.0]
    tracked = x.detach().requires_grad_()
    d.zero_()
    assert tracked.tolist() == [0.0, 0.0] and tracked.requires_grad
    y = tracked * 2
    d.fill_(7)
    assert y.tolist() == [0.0, 0.0], "a graph built earlier keeps its meaning"


def test_many_detached_tensors() -> None:
    """What each adds to a tensor's books does not grow with their number, and those that are gone leave nothing."""
    x = gc.ones(2)
    started = time.process_time()
    kept = [x.detach() for _ in range(30_000)]
    assert time.process_time() - started < 5
    x.fill_(3)
    assert kept[0].tolist() == kept[-1].tolist() == [3.0, 3.0]
    y = gc.ones(2)
    for _ in range(100):
        y.detach()
    assert y.node.views is not None and len(y.node.views) < 130


@pytest.mark.parametrize(
    ("index", "value", "expected"),
    [
        (0, 9, [[9, 9, 9], [3, 4, 5]]),
        ((1, 2), 9, [[0, 1, 2], [3, 4, 9]]),
        ((slice(None), 1), [7.0, 8.0], [[0, 7, 2], [3, 8, 5]]),
        ((..., slice(None, None, 2)), [7.0, 8.0], [[7, 1, 8], [7, 4, 8]]),
        ([1, 0], [[1.0, 1.0, 1.0], [2.0, 2.0, 2.0]], [[2, 2, 2], [1, 1, 1]]),
        ((slice(1, None), [0, 2]), 9, [[0, 1, 2], [9, 4, 9]]),
        ((1, [True, False, True]), 9, [[0, 1, 2], [9, 4, 9]]),
        (..., 9, [[9, 9, 9], [9, 9, 9]]),
        ((-1, None), [[7.0, 8.0, 9.0]], [[0, 1, 2], [7, 8, 9]]),
    ],
)
def test_elements_are_assigned(index: Any, value: Any, expected: Any) -> None:
    x, y = (gc.arange(6.0).reshape(2, 3).clone() for _ in range(2))
    x[index] = value if isinstance(value, int) else gc.tensor(value)
    y.reshape(3, 2).reshape(2, 3)[index] = np.array(value, np.float64)
    assert x.tolist() == y.tolist() == expected and x.dtype == gc.float32


def test_numbers_are_converted_to_the_elements_that_they_become() -> None:
    x = gc.zeros(3, dtype=gc.int64)
    x[0], x[1:] = 2.7, gc.tensor([-1.2, 3.9])
    assert x.tolist() == [2, -1, 3]


@pytest.mark.parametrize(
    ("index", "value", "message"),
    [
        (5, 1, "index 5 is out of range"),
        (0, [1.0, 2.0], r"a value of shape \(2,\) does not fit a place of shape \(3,\)"),
        ([0, 5], 1, "index 5 is out of range"),
        ("a", 1, "a string"),
        (0, "a", "a"),
        (0, None, "None"),
    ],
)
def test_an_assignment_that_fails_changes_nothing(index: Any, value: Any, message: str) -> None:
    x = gc.ones(2, 3)
    row = x[0]
    with pytest.raises((gc.GradcliError, TypeError), match=message):
        x[index] = gc.tensor(value) if isinstance(value, list) else value
    assert x.tolist() == [[1, 1, 1]] * 2 and row.tolist() == [1, 1, 1]


def test_views_change_with_what_they_are_views_of() -> None:
    x = gc.arange(6.0).reshape(2, 3).clone()
    row, column, flat, twice, pieces = x[0], x[:, 1], x.reshape(-1), x.T[1:], x.unbind(1)
    row *= 10
    column.zero_()
    flat[5] = 7
    twice[1, 1] += 1
    pieces[0][1] = 5
    assert x.tolist() == [[0, 0, 20], [5, 0, 8]]
    assert row.tolist() == [0, 0, 20] and twice.tolist() == [[0, 0], [20, 8]] and flat.tolist() == [0, 0, 20, 5, 0, 8]
    copied, picked = x.clone(), x[[0]]
    copied[0], picked[0] = 1, 1
    assert row.tolist() == [0, 0, 20]


def test_an_index_without_dimensions_is_a_view_as_an_integer_is() -> None:
    x = gc.arange(6.0).reshape(2, 3).clone()
    i = x.sum(1).argmax()
    row, same, other = x[i], x[i], x[gc.tensor(0)]
    row.mul_(10)
    x[i] += 1
    x[np.array(0)].add_(100)
    x[gc.tensor(-1), i] -= 1
    assert x.tolist() == [[100, 101, 102], [31, 40, 51]] and row.tolist() == same.tolist() == [31, 40, 51]
    assert other.tolist() == [100, 101, 102]
    w = gc.ones(2, requires_grad=True)
    y = w * 1
    y[gc.tensor(1)] = 3 * w[0]
    assert y.grad_fn.name() == "CopySlices"
    y.sum().backward()
    assert w.grad.tolist() == [4.0, 0.0]


def test_a_range_is_an_index() -> None:
    x = gc.arange(6.0).reshape(2, 3).clone()
    assert x[range(2), gc.tensor([0, 2])].tolist() == [0, 5]
    x[range(1), 1:] = gc.tensor(range(7, 9))
    assert x.tolist() == [[0, 7, 8], [3, 4, 5]]
    for numbers in (range(2**40), range(2**70)):
        with pytest.raises(gc.GradcliError, match="memory may be used"):
            x[numbers]


def test_gradients_flow_through_what_was_assigned() -> None:
    x = gc.tensor([1.0, 2.0, 3.0], requires_grad=True)
    y = gc.zeros(2, 3)
    view = y[1]
    y[0] = x**2
    y[0, 2] = 5
    view += y[0]
    assert "CopySlices" in repr(y) and "AsStridedBackward0" in repr(view) and y.requires_grad and not y.is_leaf
    assert y.tolist() == [[1, 4, 5], [1, 4, 5]]
    (y * gc.tensor([[1.0], [10.0]])).sum().backward()
    assert x.grad.tolist() == [22.0, 44.0, 0.0]


def test_a_result_changed_without_tracking_keeps_its_gradient() -> None:
    x = gc.ones(3, requires_grad=True)
    y = x * 2
    row = y[:2]
    with gc.no_grad():
        row.fill_(7)
        y[2] = 5
    assert y.tolist() == [7, 7, 5] and y.requires_grad and y.grad_fn.name() == "MulBackward0"
    (y * y).sum().backward()
    assert x.grad.tolist() == [28.0, 28.0, 20.0]


@pytest.mark.parametrize(
    ("operator", "expected"),
    [("iadd", 15), ("isub", 9), ("imul", 36), ("ifloordiv", 4), ("imod", 0), ("ipow", 1728), ("iand", 0), ("ior", 15)]
    + [("ixor", 15), ("ilshift", 96), ("irshift", 1)],
)
def test_operators_that_change_their_operand(operator: str, expected: int) -> None:
    x = gc.tensor([12, 5])
    first = x[:1]
    assert getattr(first, f"__{operator}__")(3) is first and x.tolist() == [expected, 5]
    y = gc.tensor([4.0])
    same = y
    y /= 2
    y **= 2
    assert same is y and same.tolist() == [4.0]


def test_a_result_that_was_not_tracked_is_changed_beside_a_leaf_of_its_elements() -> None:
    x = gc.ones(3, requires_grad=True)
    with gc.no_grad():
        y = x * 2
    leaf = y.detach().requires_grad_()
    y += 1
    assert y.tolist() == leaf.tolist() == [3, 3, 3] and leaf.is_leaf and leaf.requires_grad and not y.requires_grad


def test_views_of_a_leaf() -> None:
    x = gc.ones(2, 3, requires_grad=True)
    row = x[0]
    for change in (lambda: row.zero_(), lambda: x.__setitem__(0, 5), lambda: x.T.add_(1)):
        with pytest.raises(gc.GradcliError, match="leaf that requires grad cannot be changed in place"):
            change()
    with gc.no_grad():
        x[0] = 5
        x[1].mul_(3)
    assert x.tolist() == [[5, 5, 5], [3, 3, 3]] and x.is_leaf and row.tolist() == [5, 5, 5]


def test_places_that_show_one_element_several_times() -> None:
    x = gc.ones(3, 1)
    for view in (x.expand(3, 2), gc.arange(4.0).unfold(0, 2, 1)):
        kept = view[0]
        with pytest.raises(gc.GradcliError, match="cannot be changed in place"):
            view[0] = 2
        assert kept.tolist() == [1, 1] or kept.tolist() == [0, 1]
    assert x.expand(1, 3, 1).squeeze(0).add_(1).tolist() == [[2.0]] * 3 and x.tolist() == [[2.0]] * 3


def test_a_loop_that_reads_what_it_has_written() -> None:
    """Takes as many steps as there are, not their square."""
    y = gc.zeros(1500)
    y[0] = 1
    started = time.process_time()
    for k in range(1, 1500):
        y[k] = y[k - 1].item() + 1
    assert y.sum().item() == 1500 * 1501 / 2 and time.process_time() - started < 10


@pytest.mark.parametrize("steps", [400])
def test_what_is_changed_in_each_step_of_a_loop_takes_no_longer_in_the_last_one(steps: int) -> None:
    """A momentum is never looked at itself, rows are changed one by one, a sum is read after each change."""
    w, m, x = gc.zeros(3, requires_grad=True), gc.zeros(3), gc.zeros(steps, 2)
    started = time.process_time()
    for _ in range(steps):
        ((w - 1) ** 2).sum().backward()
        with gc.no_grad():
            m.mul_(0.5).add_(w.grad)
            w.sub_(0.1 * m)
            w.grad.zero_()
    row = x[3]
    for k in range(steps):
        row += 1
        assert float(x.sum()) == 2 * k + 2
    for line in x:
        line += 1
    assert (w - 1).abs().max() < 1e-6 and x.sum().item() == 4 * steps
    assert time.process_time() - started < 20


@pytest.mark.parametrize("steps", [300])
def test_what_is_written_was_made_of_what_is_changed(steps: int) -> None:
    """What is exchanged, or chosen by a mask, leads back to what the tensor was before."""
    x, y = gc.arange(30.0), gc.arange(100.0)
    started = time.process_time()
    for k in range(steps):
        j = k % 29
        if x[j] < x[j + 1]:
            first = x[j].clone()
            x[j] = x[j + 1]
            x[j + 1] = first
        y[y > 0] -= 1
    expected = list(range(30))
    for k in range(steps):
        j = k % 29
        if expected[j] < expected[j + 1]:
            expected[j], expected[j + 1] = expected[j + 1], expected[j]
    assert x.tolist() == expected and y.abs().sum() == 0
    assert time.process_time() - started < 8


def test_changes_within_a_function_of_rows() -> None:
    """Values that are not there yet are not asked for."""

    def f(row: Any) -> Any:
        total = gc.zeros(2)
        for _ in range(40):
            total += row
        total[0] = 5
        return total

    assert gc.each(f, gc.tensor([[1.0, 2.0], [3.0, 4.0]])).tolist() == [[5.0, 80.0], [5.0, 160.0]]


def test_a_graph_built_before_a_change_keeps_its_values() -> None:
    """Also where the changed tensor has been computed first."""
    x = gc.tensor([1.0, 2.0], requires_grad=True)
    y = x * 2
    z = y * y
    y.mul_(3)
    assert y.tolist() == [6.0, 12.0] and z.tolist() == [4.0, 16.0]
    z.sum().backward()
    assert x.grad.tolist() == [8.0, 16.0]


def test_the_variable_of_a_changed_leaf_is_the_leaf() -> None:
    x = gc.tensor([1.0, 2.0], requires_grad=True)
    y = x * 3
    with gc.no_grad():
        x.mul_(2)
    assert y.grad_fn.next_functions[0][0].variable is x
    y.sum().backward()
    assert x.tolist() == [2.0, 4.0] and x.grad.tolist() == [3.0, 3.0]


def test_data_is_replaced() -> None:
    x = leaf()
    new = gc.tensor([5.0, 6.0, 7.0])
    old = x.detach()
    x.data = new
    assert x.tolist() == [5.0, 6.0, 7.0] and x.requires_grad and x.is_leaf
    new.zero_()
    old.fill_(9)
    assert x.tolist() == [0.0, 0.0, 0.0]
    with pytest.raises(gc.GradcliError, match="can only be set to a tensor"):
        x.data = 5
    with pytest.raises(gc.GradcliError, match="tracked result"):
        (x * 2).data = new


def test_backward_adds_to_the_gradient_in_place() -> None:
    x = leaf()
    g, d = x.grad, x.grad.data
    (x**2).sum().backward()
    assert x.grad is g and g.tolist() == d.tolist() == [4.0, 8.0]


def test_changes_of_many_kinds() -> None:
    x = gc.ones(2)
    assert x.fill_(3).mul_(2).add_(2).div_(2).pow_(2) is x
    assert x.tolist() == [16.0, 16.0] and x.sqrt_().neg_().clamp_(-3, 3).abs_().tolist() == [3.0, 3.0]
    y = gc.tensor([1, 2])
    assert y.copy_(gc.tensor([3.7, 4])).tolist() == [3, 4] and y.dtype == gc.int64
    assert gc.ones(2, 2).copy_(gc.tensor([1.0, 2.0]), non_blocking=True).tolist() == [[1.0, 2.0], [1.0, 2.0]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x: x.add_(1), "a leaf that requires grad cannot be changed in place"),
        (lambda x: x.zero_(), "a leaf that requires grad cannot be changed in place"),
        (lambda x: gc.ones(2).add_(gc.ones(3, 2)), r"shape \(2,\) cannot take values of shape \(3, 2\)"),
        (lambda x: gc.tensor([1, 2]).add_(0.5), "int64 cannot take values of float32"),
        (lambda x: gc.ones(2).copy_(gc.ones(3)), r"shape \(3,\) does not fit a place of shape \(2,\)"),
    ],
)
def test_what_cannot_be_changed(change: Callable[[Any], Any], message: str) -> None:
    with pytest.raises(gc.GradcliError, match=message):
        change(leaf())


def test_the_data_of_a_result_is_not_changed_behind_its_gradient() -> None:
    y = leaf() * 2
    d = y.data
    with pytest.raises(gc.GradcliError, match="the data of a tracked result"):
        d.zero_()
    assert y.tolist() == d.tolist() == [2.0, 4.0]


def test_elements_are_added_and_written_in_place() -> None:
    x, messages = gc.zeros(3), gc.tensor([1.0, 2.0, 4.0], requires_grad=True)
    assert x.index_add_(0, gc.tensor([0, 2, 0]), messages) is x
    assert x.tolist() == [5.0, 0.0, 2.0] and x.grad_fn.name() == "IndexAddBackward0"
    (x * gc.tensor([1.0, 2.0, 3.0])).sum().backward()
    assert messages.grad.tolist() == [1.0, 3.0, 1.0]
    hot = gc.zeros(2, 3).scatter_(1, gc.tensor([[2], [0]]), 1.0)
    assert hot.tolist() == [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]
    assert hot.cumsum_(1).tril_().tolist() == [[0.0, 0.0, 0.0], [1.0, 1.0, 0.0]]
    assert gc.zeros(2).index_put_((gc.tensor([1]),), gc.tensor(4.0), accumulate=True).tolist() == [0.0, 4.0]
    counts = gc.tensor([1, 2])
    assert counts.scatter_add_(0, gc.tensor([0, 0]), gc.tensor([1, 1])).tolist() == [3, 2] and counts.dtype == gc.int64
    with pytest.raises(gc.GradcliError, match="a leaf that requires grad cannot be changed in place"):
        leaf().index_fill_(0, gc.tensor([0]), 1.0)


def test_operations_with_a_result_of_another_shape_do_not_change_in_place() -> None:
    for name in ("sum_", "matmul_", "reshape_", "nonsense_", "_cast_", "__"):
        assert not hasattr(gc.ones(2), name)


def test_a_leaf_that_has_changed_still_gets_the_gradient_of_an_earlier_graph() -> None:
    x = gc.tensor([1.0, 2.0], requires_grad=True)
    before = (x**2).sum()
    x.data.add_(10)
    (before + (3 * x).sum()).backward()
    assert x.grad.tolist() == [5.0, 7.0], "2*x of then, and 3"
    x.grad.data.zero_()
    before.backward(inputs=[x, x])
    assert x.grad.tolist() == [2.0, 4.0]
    before.backward(inputs=x)
    assert x.grad.tolist() == [4.0, 8.0]


def test_what_is_detached_need_not_be_computed_again() -> None:
    tensor = gc.tensor([1.0, 2.0]) * 3
    assert tensor.tolist() == [3.0, 6.0]
    shown = tensor.detach()
    assert shown.numpy().base is tensor.numpy().base
    tensor.mul_(2)
    assert shown.tolist() == tensor.tolist() == [6.0, 12.0]


@pytest.mark.parametrize("shape", [(5, 3), (4, 3, 6)])
def test_training_updates_running_statistics(shape: tuple[int, ...]) -> None:
    x, mean, variance = gc.randn(*shape, requires_grad=True), gc.zeros(3), gc.ones(3)
    view, dims = mean[1:], tuple(k for k in range(len(shape)) if k != 1)
    gc.batch_norm(x, mean, variance, training=True, momentum=0.25)
    of_batch = x.detach().numpy()
    np.testing.assert_allclose(mean.numpy(), of_batch.mean(dims) / 4, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(variance.numpy(), of_batch.var(dims, ddof=1) / 4 + 0.75, rtol=1e-5)
    np.testing.assert_array_equal(view.numpy(), mean.numpy()[1:])
    assert not mean.requires_grad and not variance.requires_grad
    before = mean.tolist()
    gc.batch_norm(x, mean, variance)
    assert mean.tolist() == before


def test_training_by_instances_updates_running_statistics() -> None:
    x, mean, variance = gc.randn(4, 3, 6), gc.zeros(3), gc.ones(3)
    gc.instance_norm(x, mean, variance, momentum=0.5)
    np.testing.assert_allclose(mean.numpy(), x.numpy().mean((0, 2)) / 2, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(variance.numpy(), x.numpy().var(2, ddof=1).mean(0) / 2 + 0.5, rtol=1e-5)


def test_running_statistics_that_do_not_fit() -> None:
    with pytest.raises(gc.GradcliError, match=r"running_var has shape \(2,\), it needs \(3,\)"):
        gc.batch_norm(gc.randn(5, 3), gc.zeros(3), gc.ones(2), training=True)
    with pytest.raises(gc.GradcliError, match="no derivative with respect to running_mean"):
        gc.batch_norm(gc.randn(5, 3), gc.zeros(3, requires_grad=True), gc.ones(3), training=True)


@pytest.mark.parametrize("tracked", [False, True])
def test_rows_that_are_looked_up_are_shortened(tracked: bool) -> None:
    table = gc.tensor([[3.0, 4.0], [6.0, 8.0], [0.3, 0.4]], requires_grad=tracked)
    row = table[0]
    found = gc.embedding(gc.tensor([0, 2, 0]), table, max_norm=1.0)
    wanted = [[0.6, 0.8], [6, 8], [0.3, 0.4]]
    np.testing.assert_allclose(table.detach().numpy(), wanted, rtol=1e-6)
    np.testing.assert_allclose(row.detach().numpy(), wanted[0], rtol=1e-6)
    np.testing.assert_allclose(found.detach().numpy(), [wanted[0], wanted[2], wanted[0]], rtol=1e-6)
    if tracked:
        found.sum().backward()
        assert table.is_leaf and table.grad is not None
        assert table.grad.tolist() == [[2, 2], [0, 0], [1, 1]]


def set_far(x: Any) -> None:
    x[gc.tensor([9])] = 1


REFUSED_VALUES: dict[str, Callable[[Any], Any]] = {
    "index 5 is out of range": lambda x: x.index_fill_(0, gc.tensor([5]), 1.0),
    "index 7 is out of range": lambda x: x.index_copy_(0, gc.tensor([7]), gc.ones(1)),
    "index 9 is out of range": set_far,
    "index 8 is out of range": lambda x: x.scatter_(0, gc.tensor([8]), 1.0),
    "index 6 is out of range": lambda x: x.index_add_(0, gc.tensor([6]), gc.ones(1)),
    "the matrix is singular": lambda x: x.copy_(gc.solve(gc.zeros(3, 3), gc.ones(3))),
    "singular": lambda x: x.add_(gc.inv(gc.zeros(3, 3)).sum(0) * 2 + 1),
    "integer division by zero": lambda x: x.copy_(gc.ones(3, dtype=gc.int64) // gc.zeros(3, dtype=gc.int64)),
    "between 0 and 1": lambda x: x.bernoulli_(gc.tensor([2.0, 0.0, 0.0])),
}


@pytest.mark.parametrize("message", REFUSED_VALUES)
@pytest.mark.parametrize("tracked", [False, True])
@pytest.mark.parametrize("of_part", [False, True])
def test_a_change_whose_values_are_refused_changes_nothing(message: str, tracked: bool, of_part: bool) -> None:
    """It was reported by whoever looked at the tensor, each time anew: its elements were lost."""
    whole = gc.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    if tracked:
        whole.requires_grad_()
        whole = whole * 1
    x, part = (whole[0], whole[0, 1:]) if of_part else (whole[0].clone(), None)
    with pytest.raises(gc.GradcliError, match=message):
        REFUSED_VALUES[message](x)
    assert x.tolist() == [1, 2, 3] and whole.tolist() == [[1, 2, 3], [4, 5, 6]]
    x += 1
    assert x.tolist() == [2, 3, 4] and (part is None or part.tolist() == [3, 4])


def test_a_change_within_a_function_of_rows_has_no_values_yet() -> None:
    def placed(row: Any, k: Any) -> Any:
        y = row * 1
        y.index_fill_(0, k, 7.0)
        return y

    rows = gc.each(placed, gc.zeros(2, 3), gc.tensor([[2], [0]]))
    assert rows.tolist() == [[0, 0, 7], [7, 0, 0]]


def test_a_copy_of_every_other_row_is_none_of_what_it_was_taken_from() -> None:
    x = gc.ones(4, 2)
    flat = x[::2].detach().reshape(-1)
    with pytest.raises(gc.GradcliError, match="view"):
        x[::2].detach().view(-1)
    x += 1
    assert flat.tolist() == [1] * 4


PUT_THERE: dict[str, Callable[[gc.Tensor], None]] = {
    "a row": lambda x: x.__setitem__(0, 0.7),
    "a slice": lambda x: x.__setitem__(slice(0, 1), 0.7),
    "a mask": lambda x: x.__setitem__(x > -1, 0.7),
    "indices": lambda x: x.__setitem__(gc.tensor([0]), 0.7),
    "all": lambda x: x.__setitem__(..., 0.7),
    "a list": lambda x: x.__setitem__(0, [0.7, 0.7, 0.7]),
}


@pytest.mark.parametrize("name", PUT_THERE)
def test_numbers_keep_all_digits_of_what_they_are_put_into(name: str) -> None:
    x = gc.zeros(2, 3, dtype=gc.float64)
    PUT_THERE[name](x)
    assert x[0].tolist() == [0.7] * 3
