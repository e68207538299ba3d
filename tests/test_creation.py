"""What makes tensors like others and what asks for their form, as PyTorch 2.13 answers."""

from __future__ import annotations

import math

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
    for call in (lambda: gc.finfo(gc.int8), lambda: gc.iinfo(gc.float32), lambda: gc.broadcast_shapes((2,), (3,))):
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
