"""Changes of shape in place: what the tensor shows, what its views go on to show, and what PyTorch 2.13 calls it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

import gradcli as gc
from gradcli.tensors.views import place_of

Change = Callable[[Any], Any]


def leaf() -> gc.Tensor:
    return gc.arange(6.0).reshape(2, 3).detach().clone().requires_grad_()


CHANGES: list[tuple[Change, tuple[int, ...], str]] = [
    (lambda x: x.t_(), (3, 2), "TBackward1"),
    (lambda x: x.transpose_(0, 1), (3, 2), "TransposeBackward1"),
    (lambda x: x.swapaxes_(0, -1), (3, 2), "TransposeBackward1"),
    (lambda x: x.swapdims_(1, 1), (2, 3), "TransposeBackward1"),
    (lambda x: x.unsqueeze_(1), (2, 1, 3), "UnsqueezeBackward1"),
    (lambda x: x.squeeze_(), (2, 3), "SqueezeBackward3"),
    (lambda x: x.squeeze_(0), (2, 3), "SqueezeBackward4"),
    (lambda x: x.squeeze_((0, 1)), (2, 3), "SqueezeBackward5"),
]


@pytest.mark.parametrize(("change", "shape", "name"), CHANGES)
def test_a_tracked_result_shows_another_view(change: Change, shape: tuple[int, ...], name: str) -> None:
    x = leaf()
    y = x * 1
    row, apart = y[1], y.detach()
    expected = change((x * 1).detach()).tolist()
    assert change(y) is y
    assert y.shape == shape and y.tolist() == expected and y.grad_fn is not None and y.grad_fn.name() == name
    assert [edge.name() for edge, _ in y.grad_fn.next_functions if edge] == ["MulBackward0"]
    assert row.tolist() == [3, 4, 5] and row.grad_fn is not None and row.grad_fn.name() == "AsStridedBackward0"
    assert [edge.name() for edge, _ in row.grad_fn.next_functions if edge] == [name]
    assert apart.shape == (2, 3) and apart.tolist() == [[0, 1, 2], [3, 4, 5]]
    weights = gc.arange(6.0).reshape(shape)
    (y * weights).sum().backward()
    gradient = x.grad
    assert gradient is not None and gradient.tolist() == gc.grad((change(x * 1) * weights).sum(), x)[0].tolist()
    y.mul_(2)
    row.add_(1)
    assert y.grad_fn.name() == "CopySlices" and row.tolist() == [7, 9, 11] and apart[1].tolist() == [7, 9, 11]


@pytest.mark.parametrize(("change", "shape", "name"), CHANGES)
def test_a_view_shows_another_one_of_what_it_is_a_view_of(change: Change, shape: tuple[int, ...], name: str) -> None:
    x = leaf()
    whole = x * 1
    part = whole[:]
    change(part)
    assert part.shape == shape and whole.shape == (2, 3) and whole.grad_fn.name() == "MulBackward0"
    assert part.grad_fn.name() == name
    whole.mul_(2)
    assert part.grad_fn.name() == "AsStridedBackward0" and part.shape == shape
    part.mul_(3)
    assert whole.grad_fn.name() == "CopySlices" and whole.tolist() == [[0, 6, 12], [18, 24, 30]]
    part.sum().backward()
    assert x.grad is not None and x.grad.tolist() == [[6, 6, 6], [6, 6, 6]]


@pytest.mark.parametrize(("change", "shape", "name"), CHANGES)
def test_a_leaf_stays_one(change: Change, shape: tuple[int, ...], name: str) -> None:
    x = leaf()
    row, data = x[1], x.detach()
    for refused, what in ((x, "a leaf that"), (x[:], "a view of a leaf")):
        with pytest.raises(gc.GradcliError, match=f"^{what}.*cannot be changed in place"):
            change(refused)
    with gc.no_grad():
        assert change(x) is x
        assert x.shape == shape and x.is_leaf and x.requires_grad
        x.mul_(2)
        row.add_(1)
    assert data.tolist() == [[0, 2, 4], [7, 9, 11]] and row.tolist() == [7, 9, 11] and sum(x.flatten().tolist()) == 33
    (x * 3).sum().backward()
    assert x.grad is not None and x.grad.shape == shape


def test_what_is_not_tracked() -> None:
    x = gc.arange(6.0).reshape(2, 3).clone()
    row, pair = x[1], x.detach()
    kept = x.numpy().base
    assert x.t_().numpy().base is kept and x.tolist() == [[0, 3], [1, 4], [2, 5]]
    x[0] = 9
    assert pair.tolist() == [[9, 1, 2], [9, 4, 5]] and row.tolist() == [9, 4, 5]
    row.unsqueeze_(0).fill_(7)
    assert x.tolist() == [[9, 7], [1, 7], [2, 7]] and row.shape == (1, 3)
    pair.unsqueeze_(0)
    x.unsqueeze_(-1).transpose_(0, 2).squeeze_()
    assert x.shape == (2, 3) and x.tolist() == pair[0].tolist()
    same = x[...]
    same.t_()[0, 0] = 4
    assert same.shape == (3, 2) and x[0, 0].item() == 4
    number = gc.tensor(3.0)
    assert number.t_().unsqueeze_(0).squeeze_().transpose_(0, -1) is number and number.shape == ()


def test_a_leaf_of_the_elements_of_another_tensor() -> None:
    x = gc.ones(2, 3)
    own = x.detach().requires_grad_()
    x.t_()[0] = 2
    assert own.tolist() == [[2, 1, 1], [2, 1, 1]]
    with gc.no_grad():
        own.unsqueeze_(0)[0, 1, 1] = 5
    assert x.tolist() == [[2, 2], [1, 5], [1, 1]]
    x.mul_(2)
    assert own.shape == (1, 2, 3) and own.is_leaf and own.tolist() == [[[4, 2, 2], [4, 10, 2]]]


def test_what_has_no_gradient_then_is_refused() -> None:
    x = leaf()
    y = x * 2
    tracked_ones = y, y[0], x[:]
    with gc.no_grad():
        for tracked in tracked_ones:
            with pytest.raises(gc.GradcliError, match="without tracking: its gradient would be wrong"):
                tracked.unsqueeze_(0)
        x.t_()
    with pytest.raises(gc.GradcliError, match=r"shape \(3, 2\).*had shape \(2, 3\)"):
        y.sum().backward()
    with pytest.raises(gc.GradcliError, match="vector or matrix"):
        gc.ones(1, 2, 3).t_()
    for name in ("permute_", "movedim_", "flatten_", "view_", "T_"):
        assert not hasattr(x, name)


def test_a_copy_stays_apart_after_changes() -> None:
    """Flattened, what is not in row-major order is copied, also when its values have been looked at."""
    for prepare in (lambda x: x, lambda x: x.requires_grad_().requires_grad_(False)):
        x = prepare(gc.ones(2, 3).T * 1)
        x.add_(1)
        assert x.tolist() == [[2, 2]] * 3
        x.flatten().zero_()
        assert x.tolist() == [[2, 2]] * 3


def test_a_loop_of_changes_takes_no_longer_at_its_end() -> None:
    x, started = gc.ones(2, 3), time.process_time()
    row, part = x[0], x[:, 1:]
    for _ in range(300):
        x.t_().add_(1)
        x.unsqueeze_(0).squeeze_(0)
        part.t_()
    assert row.tolist() == [301] * 3 and part.tolist() == [[301, 301]] * 2 and len(place_of(part.node).path) < 4
    assert len(place_of(row.node).path) == 1 and time.process_time() - started < 20
