"""Properties of broadcasting: shapes as NumPy's, and gradients that have the shape and the sum that they must."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import mutually_broadcastable_shapes

import gradcli as gc
from gradcli.errors import GradcliError
from gradcli.graph.infer import broadcast_shapes

PAIRS = mutually_broadcastable_shapes(num_shapes=2, max_dims=4, max_side=3, min_side=0)
SHAPES = st.lists(st.integers(0, 3), max_size=4).map(tuple)


@given(PAIRS)
def test_shapes_broadcast_as_numpy_does(pair: object) -> None:
    shapes = pair.input_shapes  # type: ignore[attr-defined]
    assert broadcast_shapes(shapes) == np.broadcast_shapes(*shapes)


@given(SHAPES, SHAPES, SHAPES)
def test_what_numpy_refuses_is_refused(a: tuple[int, ...], b: tuple[int, ...], c: tuple[int, ...]) -> None:
    try:
        expected = np.broadcast_shapes(a, b, c)
    except ValueError:
        with pytest.raises(GradcliError):
            broadcast_shapes([a, b, c])
    else:
        assert broadcast_shapes([a, b, c]) == expected


@settings(deadline=None)
@given(PAIRS, st.sampled_from(["x*y", "x + y", "x/y", "x**y", "maximum(x, y)", "where(x > y, x, y)", "atan2(x, y)"]))
def test_gradients_come_back_in_the_shape_of_their_input(pair: object, expression: str) -> None:
    first, second = pair.input_shapes  # type: ignore[attr-defined]
    rng = np.random.default_rng(0)
    x, y = rng.uniform(0.5, 2, first), rng.uniform(0.5, 2, second)
    grads = gc.evaluate(expression, {"x": x, "y": y}, grad_output=1.0).grads
    assert grads is not None and grads["x"] is not None and grads["y"] is not None
    assert grads["x"].shape == first and grads["y"].shape == second
    full = np.broadcast_shapes(first, second)
    wide = gc.evaluate(
        expression, {"x": np.broadcast_to(x, full), "y": np.broadcast_to(y, full)}, grad_output=1.0
    ).grads
    assert wide is not None and wide["x"] is not None and wide["y"] is not None
    # The gradient of a stretched operand is that of its copies, added up.
    for name, shape in (("x", first), ("y", second)):
        whole = wide[name].value()  # type: ignore[union-attr]
        lead = whole.ndim - len(shape)
        axes = (*range(lead), *(lead + k for k, n in enumerate(shape) if n == 1))
        np.testing.assert_allclose(grads[name].value().reshape(-1), whole.sum(axis=axes).reshape(-1), rtol=1e-12)  # type: ignore[union-attr]
