"""Long stretches of a row beside each other: gradients of slices, arrays that are joined, rolled or padded."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gradcli.engine.native.columns_across import ColumnsAcross
from gradcli.engine.native.processor import missing
from gradcli.engine.native.rows_looped import RowsLooped
from gradcli.graph.native_forms import spans_of
from tests.gradients import build
from tests.test_engine_blocks import agree, with_gradients
from tests.test_native_left import BLOCKS, TINY, both

pytestmark = pytest.mark.skipif(missing() is not None, reason="llvmlite is not installed")

Forms = dict[str, tuple[int, ...]]
#: Along the last dimension, whole vectors or not, and along others; with one number a row and with several operands;
#: lines that are gone through together, and such that look at each other.
EXPRESSIONS: list[tuple[str, Forms]] = [
    ("sum(tanh(X[:, 3:]*X[:, :-3])**2)", {"X": (300, 200)}),
    ("sum(tanh(X[:, 16:]*X[:, :-16])**2)", {"X": (300, 64)}),
    ("sum(diff(X, 2, 1)**2)", {"X": (300, 100)}),
    ("sum(cat([tanh(X), Y*2], 1)**2*Z)", {"X": (300, 40), "Y": (300, 33), "Z": (300, 73)}),
    ("sum(cat([X, sum(Y, 1, keepdim=True), Y], 1)**2*Z)", {"X": (300, 40), "Y": (300, 33), "Z": (300, 74)}),
    ("sum(cat([X, y, X], 1)**2*Z)", {"X": (300, 20, 2), "y": (300, 1, 2), "Z": (300, 41, 2)}),
    ("sum(cat([X, sum(X, 2, keepdim=True)], 2)**2*Z)", {"X": (300, 4, 40), "Z": (300, 4, 41)}),
    ("sum(roll(tanh(X), 3, 1)*X)", {"X": (300, 200)}),
    ("sum(roll(tanh(X), 3, 2)*X)", {"X": (30, 5, 61)}),
    ("sum(roll(tanh(X), 3, 1)*X)", {"X": (30, 51, 16)}),
    ("sum(roll(tanh(X), 3, 1)*X)", {"X": (30, 51, 3)}),
    ("sum(pad(tanh(X), (2, 3))**2)", {"X": (300, 50)}),
    ("sum(pad(tanh(X), (-2, 3))**2)", {"X": (300, 50)}),
    ("sum(pad(X, (0, 0, 2, 3))**2)", {"X": (30, 50, 20)}),
    ("sum(softmax(cat([X, Y], 1), 1)**2)", {"X": (300, 40), "Y": (300, 33)}),
    ("sum(std(cat([X, Y], 1), 1)**2)", {"X": (30, 40, 10), "Y": (30, 22, 10)}),
    ("sum(cumsum(cat([X, Y], 1), 1)**2)", {"X": (300, 40), "Y": (300, 33)}),
    ("sum(glu(X, -1)**2)", {"X": (20, 12, 256)}),
    ("mean(abs(X[:, :, 1:] - X[:, :, :-1])) + mean(abs(X[:, 1:] - X[:, :-1]))", {"X": (16, 40, 50)}),
    (
        "mean((X[:, 2:, 1:-1] + X[:, :-2, 1:-1] + X[:, 1:-1, 2:] + X[:, 1:-1, :-2] - 4*X[:, 1:-1, 1:-1])**2)",
        {"X": (16, 37, 50)},
    ),
    (
        "i, f, o, c = chunk(X@W, 4, 1); sum(sigmoid(o)*tanh(sigmoid(f)*C + sigmoid(i)*tanh(c)))",
        {"X": (600, 20), "W": (20, 80), "C": (600, 20)},
    ),
]


def drawn(forms: Forms, dtype: str) -> dict[str, Any]:
    rng = np.random.default_rng(len(forms))
    return {name: rng.normal(0, 1 if dtype[0] == "f" else 9, shape).astype(dtype) for name, shape in forms.items()}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("expression", "forms"), EXPRESSIONS)
def test_value_and_gradients(expression: str, forms: Forms, dtype: str) -> None:
    roots = with_gradients(expression, drawn(forms, dtype))
    for sizes in (BLOCKS, *TINY):
        got, expected, rest = both(roots, sizes)
        # The gradient of a shared matrix is a view of a sum.
        assert rest in ([], ["permute"])
        agree(got, expected, 1e-5 if dtype == "float32" else 1e-12)


@pytest.mark.parametrize("dtype", ["int32", "int64"])
@pytest.mark.parametrize("expression", ["cat([X, Y], 1)*2", "roll(X*3, 7, 1)", "pad(X + 1, (3, 40))"])
def test_whole_numbers_are_moved_as_they_are(expression: str, dtype: str) -> None:
    got, expected, rest = both([build(expression, drawn({"X": (300, 40), "Y": (300, 33)}, dtype))[0]])
    assert rest == []
    np.testing.assert_array_equal(got[0], expected[0])


def test_what_is_moved_keeps_its_bits() -> None:
    """A NaN, infinities, both zeros and numbers below the normal ones."""
    line = np.array([np.nan, np.inf, -np.inf, -0.0, 0.0, 5e-324, -3.0], "float64")
    data = {"X": np.tile(line, (300, 6)), "Y": np.tile(line, (300, 5))}
    (got, *_), (expected, *_), rest = both([build("cat([X, roll(Y, 3, 1)], 1)", data)[0]])
    assert rest == []
    assert got.tobytes() == expected.tobytes()


@pytest.mark.parametrize(
    ("expression", "shape", "way"),
    [
        ("sum(roll(tanh(X), 3, 1)*X)", (400, 50), ColumnsAcross),
        ("sum(roll(tanh(X), 3, 1)*X)", (400, 50, 3), ColumnsAcross),
        ("sum(softmax(roll(X, 3, 1), 1)**2)", (400, 50, 3), RowsLooped),
    ],
)
def test_both_ways_to_write_them(
    expression: str, shape: tuple[int, ...], way: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    write = way._put_together  # type: ignore[attr-defined]

    def put_together(self: Any, item: Any, *rest: Any) -> Any:
        seen.append(item.step.node.op.name)
        return write(self, item, *rest)

    monkeypatch.setattr(way, "_put_together", put_together)
    _, _, rest = both([build(expression, drawn({"X": shape}, "float32"))[0]])
    assert rest == []
    assert set(seen) == {"roll"}


def test_stretches() -> None:
    assert spans_of([(0, 3), (0, 4), None, (1, 0), (1, 1)], 8) == [(0, 2, 0, 3), (3, 5, 1, 0)]
    assert spans_of([None, None], 8) == []
    # Each is one for itself: these are many.
    assert spans_of([(0, -place) for place in range(9)], 8) is None
