"""What makes tensors like others and what asks for their form, as PyTorch 2.13 answers."""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
import pytest

import gradcli as gc
from gradcli.engine.native.choice import using
from gradcli.errors import GradcliError

FLOATS, WHOLE = gc.tensor([1.5, 2.0]), gc.tensor(np.array([1, 2]))


def test_a_new_tensor_has_the_dtype_of_another_and_no_gradient() -> None:
    tracked = gc.tensor([1.0, 2.0], requires_grad=True)
    assert str(WHOLE.new_full((2,), 1.7).tolist()) == "[1, 1]"
    assert WHOLE.new_tensor([1.5]).tolist() == [1] and WHOLE.new_tensor(True).dtype == np.int64
    assert FLOATS.new_tensor(WHOLE).dtype == np.float32
    assert FLOATS.new_ones(2, 3, dtype=gc.int64).dtype == np.int64
    assert not tracked.new_zeros(2).requires_grad and tracked.new_zeros((2,), requires_grad=True).requires_grad
    copy = tracked.detach().new_tensor(FLOATS)
    copy.zero_()
    assert FLOATS.tolist() == [1.5, 2.0]


def test_a_tensor_stays_what_it_is() -> None:
    tracked = gc.tensor([1.0, 2.0], requires_grad=True)
    assert gc.as_tensor(tracked) is tracked
    assert gc.as_tensor(tracked, dtype=gc.float64).grad_fn.name() == "ToCopyBackward0"  # type: ignore[union-attr]
    assert gc.asarray(np.array([1, 2])).dtype == np.int64


def test_a_tensor_of_a_tensor_is_a_leaf_of_its_own() -> None:
    tracked = gc.tensor([1.0, 2.0], requires_grad=True)
    for made in (gc.tensor(tracked), gc.tensor(data=tracked * 1, dtype=gc.float64)):
        made[0] = 9
        assert made.tolist() == [9.0, 2.0] and tracked.tolist() == [1.0, 2.0] and not made.requires_grad
    again = gc.tensor(tracked * 3, requires_grad=True)
    (again * again).sum().backward()
    assert again.is_leaf and again.grad.tolist() == [6.0, 12.0] and tracked.grad is None
    stacked = gc.tensor([tracked[0], tracked[1]], requires_grad=True)
    assert stacked.is_leaf and gc.tensor([tracked[0], 1.0]).requires_grad


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([1, np.float64(0.1)], "float64"),
        ([np.float32(1), 2.5], "float32"),
        ([np.int64(3), np.float32(0.1)], "float32"),
        ([[np.float16(1), 2]], "float16"),
        ([np.int8(1), 2.5], "float32"),
        ([True, np.int8(1)], "int8"),
        ([np.uint8(200), 300], "int64"),
        ([np.int16(1), np.int16(2)], "int16"),
    ],
)
def test_numbers_of_numpys_in_a_list_have_their_dtypes(values: list[Any], dtype: str) -> None:
    assert gc.tensor(values).dtype == dtype
    assert gc.tensor([np.float16(1), 70000], dtype=gc.float64).tolist() == [1.0, 70000.0]


def test_integers_that_are_needed_are_hinted_at() -> None:
    for call in (lambda: gc.gcd(FLOATS, FLOATS), lambda: gc.bincount(FLOATS)):
        with pytest.raises(GradcliError, match=r"x\.long\(\)"):
            call()


def test_copies() -> None:
    x = gc.tensor([1.0, 2.0], requires_grad=True)
    (x * x).sum().backward()
    deep, shallow = copy.deepcopy(x), copy.copy(x)
    assert deep.is_leaf and deep.requires_grad and deep.grad.tolist() == [2.0, 4.0]
    deep.grad.zero_()
    shallow.data[0] = 7
    assert x.grad.tolist() == [2.0, 4.0] and x.tolist() == [7.0, 2.0] and deep.tolist() == [1.0, 2.0]
    assert shallow.is_leaf and shallow.requires_grad and shallow.grad is None
    for copier in (copy.copy, copy.deepcopy):
        with pytest.raises(GradcliError, match="only leaf tensors can be copied"):
            copier(x * 2)


def test_unset_elements_are_zeros() -> None:
    assert gc.empty(2, 2).tolist() == [[0, 0], [0, 0]] and gc.empty_like(WHOLE).tolist() == [0, 0]


def test_equal_tells_it_in_python() -> None:
    assert gc.equal(WHOLE, WHOLE.float()) is True
    assert gc.equal(WHOLE, gc.tensor([1.0, 2.0, 3.0])) is False
    assert FLOATS.equal(gc.tensor([1.5, math.nan])) is False
    with pytest.raises(GradcliError, match="needs a tensor"):
        gc.numel(3)  # type: ignore[arg-type]


def test_the_form_of_a_tensor() -> None:
    assert (gc.numel(FLOATS), FLOATS.nelement(), FLOATS.ndimension()) == (2, 2, 1)
    assert (FLOATS.element_size(), FLOATS.itemsize, FLOATS.nbytes) == (4, 4, 8)
    table = gc.ones(2, 3)
    assert table.is_contiguous() and table[:1].T.is_contiguous() and table.T.contiguous().is_contiguous()
    assert not table.T.is_contiguous() and not table[:, ::2].is_contiguous()
    assert gc.evaluate("zeros(numel(x), x.element_size())", {"x": np.ones((2, 3))}).value.shape == (6, 8)


@pytest.mark.parametrize("engine", ["numpy", "native"])
def test_signs_and_infinities(engine: str) -> None:
    x = np.array([-0.0, 0.0, math.nan, -math.nan, math.inf, -math.inf, -3.0])
    with using(engine):
        for text, dtype, expected in (
            ("signbit(x)", "float32", [True, False, False, True, False, True, True]),
            ("isposinf(x)", "float64", [False, False, False, False, True, False, False]),
            ("isneginf(x)", "float16", [False, False, False, False, False, True, False]),
        ):
            assert gc.evaluate(text, {"x": x.astype(dtype)}, wrt=()).value.tolist() == expected


def test_isin_looks_up_what_equals_exactly() -> None:
    assert gc.isin(gc.tensor([1.0, math.nan]), gc.tensor([math.nan, 1.0])).tolist() == [True, False]
    assert gc.isin(WHOLE, gc.tensor([1.5, 2.0])).tolist() == [False, True]
    assert gc.isin(WHOLE, gc.zeros(0), invert=True).tolist() == [True, True]
    assert gc.isin(2, WHOLE).item() is True


def test_a_tensor_too_large_is_refused() -> None:
    with pytest.raises(GradcliError, match="memory|GB|bytes"):
        gc.empty(10**12).tolist()


def test_what_is_asked_of_dtypes_and_shapes() -> None:
    assert gc.result_type(WHOLE, 1.0) == np.float32 and gc.promote_types(gc.uint8, gc.int8) == np.int16
    casts = [("float32", "int64"), ("int64", "float16"), ("int64", "uint8"), ("int64", "bool")]
    assert [gc.can_cast(*pair) for pair in casts] == [False, True, True, False]
    assert gc.broadcast_shapes((2, 1), (3,), ()) == (2, 3) and gc.broadcast_shapes(3, (2, 1)) == (2, 3)
    assert gc.finfo(gc.float16).max == 65504 and gc.finfo().bits == 32 and gc.iinfo(gc.int8).min == -128
    assert [gc.finfo(d).resolution for d in (gc.float16, gc.float32, gc.float64)] == [1e-3, 1e-6, 1e-15]
    assert repr(gc.iinfo(gc.int8)) == "iinfo(min=-128, max=127, dtype=int8)"
    assert repr(gc.finfo(gc.float16)) == (
        "finfo(resolution=0.001, min=-65504, max=65504, eps=0.000976562, smallest_normal=6.10352e-05, "
        "tiny=6.10352e-05, dtype=float16)"
    )
    for call in (
        lambda: gc.finfo(gc.int8),
        lambda: gc.iinfo(gc.float32),
        lambda: gc.broadcast_shapes((2,), (3,)),
        lambda: gc.broadcast_shapes((-1,)),
    ):
        with pytest.raises(GradcliError):
            call()


def test_modes_of_tracking() -> None:
    x = gc.ones(2, requires_grad=True)
    with gc.inference_mode():
        assert not (x * 2).requires_grad
        with gc.inference_mode(False):
            assert (x * 2).requires_grad
    with gc.set_grad_enabled(False):
        assert not (x * 2).requires_grad
    assert gc.is_grad_enabled()

    @gc.set_grad_enabled(False)
    def doubled(x: gc.Tensor) -> gc.Tensor:
        return x * 2

    assert gc.is_grad_enabled() and not doubled(x).requires_grad
    assert gc.is_grad_enabled() and not gc.inference_mode()(lambda x: x * 2)(x).requires_grad
    gc.set_grad_enabled(False)
    assert not gc.is_grad_enabled()
    gc.set_grad_enabled(True)


def test_the_seed_is_told() -> None:
    gc.manual_seed(7)
    gc.rand(3)
    assert gc.initial_seed() == 7
