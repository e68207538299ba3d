"""Indices that are data, masks, and operations at places: from the command, in Python, and wherever graphs are kept."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gradcli as gc
from gradcli.evaluation import evaluate as evaluation
from gradcli.ops.kernels import orders
from tests.cases import CHOSEN, Case
from tests.command import call
from tests.oracle import torch
from tests.torch_side import chain, evaluate, tensors

pytestmark = pytest.mark.oracle

ARRAY = np.arange(24.0).reshape(2, 3, 4)
INDEX = np.array([[1, 0], [-1, 1]])
MASKS = [ARRAY[0] > 3, ARRAY[:, :, 0] > 3]
ITEMS: list[Any] = [None, ..., slice(None), slice(1, None), 1, INDEX, INDEX[0], np.array(1), *MASKS]


def _dims(item: Any) -> int:
    return item.ndim if isinstance(item, np.ndarray) and item.dtype == bool else item is not None and item is not ...


@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_dimensions_of_several_indices_stand_where_pytorch_has_them(count: int) -> None:
    tried = 0
    for items in product(ITEMS, repeat=count):
        if sum(map(_dims, items)) > 3 or sum(item is ... for item in items) > 1:
            continue
        theirs = tuple(torch.tensor(item) if isinstance(item, np.ndarray) else item for item in items)
        x = torch.tensor(ARRAY, requires_grad=True)
        try:
            expected = x[theirs]
        except (IndexError, RuntimeError):
            with pytest.raises(gc.GradcliError):
                gc.tensor(ARRAY)[items].value()
            continue
        tried += 1
        y = gc.tensor(ARRAY, requires_grad=True)
        ours = y[items]
        np.testing.assert_array_equal(ours.detach().numpy(), expected.detach().numpy(), err_msg=str(items))
        weights = np.arange(1.0, 1 + expected.numel()).reshape(tuple(expected.shape))
        (wanted,) = torch.autograd.grad((expected * torch.tensor(weights)).sum(), x)
        (found,) = gc.grad((ours * weights).sum(), y)
        np.testing.assert_array_equal(found.numpy(), wanted.numpy(), err_msg=str(items))
    assert tried > 5


@pytest.mark.parametrize("case", CHOSEN, ids=str)
def test_what_masks_choose(case: Case) -> None:
    arrays = case.arrays()
    inputs = tensors(arrays)
    expected = evaluate(case.expression, inputs)
    for _ in range(2):
        # Other data of the same form has other masks.
        result = gc.evaluate(case.expression, arrays, grad_output=None)
        np.testing.assert_array_equal(result.value.detach().numpy(), expected.numpy(force=True))
        if "unique" not in case.expression:
            assert chain(result.value.grad_fn) == chain(expected.grad_fn)
        elif expected.requires_grad:
            # PyTorch flattens within the operation, and has no derivative.
            assert result.value.grad_fn.name() == expected.grad_fn.name()
        if expected.requires_grad and "unique" not in case.expression:
            (wanted,) = torch.autograd.grad((expected**2).sum(), inputs["x"])
            found = gc.evaluate(f"sum(({case.expression})**2)", arrays).grads["x"]
            np.testing.assert_allclose(found.numpy(), wanted.numpy(), rtol=1e-12)
        arrays = {name: -array for name, array in arrays.items()}
        inputs = tensors(arrays)
        expected = evaluate(case.expression, inputs)


def test_a_plan_is_kept_for_each_number_of_chosen_elements() -> None:
    evaluation._kept.clear()
    for x in ([1, -1, 2], [-1, 1, 2], [3, 4, -5], [1, 1, 1], [2, 2, 2]):
        assert gc.evaluate("sum(x[x > 0])", {"x": x}).value.item() == sum(v for v in x if v > 0)
    kept = len(evaluation._kept._found)
    # One for the mask, one for two elements, one for three.
    assert kept == 3


def test_masks_of_masks_and_random_ones() -> None:
    x = np.array([3.0, -1.0, 5.0, 2.0, 0.5])
    found = gc.evaluate("y = x[x > 0]; z = y[y > 1]; sum(z[z < 4]**2)", {"x": x})
    assert found.value.item() == 13
    assert found.grads["x"].tolist() == [6, 0, 0, 4, 0]
    gc.manual_seed(0)
    one = gc.evaluate("x[rand(5) > 0.5] + rand(1)", {"x": x}).value.tolist()
    gc.manual_seed(0)
    mask, more = gc.rand(5) > 0.5, gc.rand(1)
    assert one == pytest.approx((gc.tensor(x)[mask] + more).tolist())


def test_second_derivatives_take_the_mask_as_it_is() -> None:
    x = gc.tensor([1.0, -2.0, 3.0], requires_grad=True)
    (first,) = gc.grad((x[x > 0] ** 3).sum(), x, create_graph=True)
    (second,) = gc.grad(first.sum(), x)
    assert second.tolist() == [6, 0, 18]
    assert gc.hessian(lambda t: (t[t > 0] ** 3).sum(), x).tolist() == np.diag([6.0, 0, 18]).tolist()


def test_masks_in_every_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    items = ["x=[1,-2,3]"]
    for words in (["eval"], ["explain"], ["check"], ["graph"]):
        assert call(monkeypatch, words[0], "sum(x[x > 0]**2)", *items).code == 0, words
    assert json.loads(call(monkeypatch, "eval", "sum(x[x > 0]**2)", *items, "--json", "--hessian").out)["hessian"]["x"][
        "x"
    ] == [[2, 0, 0], [0, 0, 0], [0, 0, 2]]
    done = call(monkeypatch, "minimize", "sum((w - x[x > 0])**2)", *items, "w=0", "--wrt", "w", "--json")
    assert json.loads(done.out)["parameters"]["w"] == pytest.approx(2)
    done = call(monkeypatch, "fit", "y[y > 0] = a*t[y > 0]", "t=[1,2,3]", "y=[2,-1,6]", "--params", "a=1", "--json")
    assert json.loads(done.out)["parameters"]["a"] == pytest.approx(2)
    for name, data in (("a", [1.0, -2.0]), ("b", [3.0, 4.0]), ("c", [-5.0, 6.0])):
        np.save(tmp_path / f"{name}.npy", data)
    done = call(monkeypatch, "batch", "sum(x[x > 0]**2)", f"x={tmp_path}/*.npy", "-o", str(tmp_path / "out"))
    assert done.code == 0, done.err
    grads = [np.load(tmp_path / "out" / f"{name}.x.grad.npy").tolist() for name in "abc"]
    assert grads == [[2, 0], [6, 8], [0, 12]]


def test_records_of_a_stream_have_masks_of_their_own() -> None:
    from gradcli.evaluation.values import specs_of
    from gradcli.language.parse import parse
    from gradcli.stream.plan_cache import Plans, RecordJob

    assert specs_of({}) == []
    plans = Plans(RecordJob(parse("sum(x[x > 0]**2)"), {}, None, None))
    for data, expected in (([1.0, -1.0], 1), ([-1.0, 3.0], 9), ([1.0, 2.0], 5)):
        lines: list[Any] = []
        plan, given = plans.find({"x": np.array(data)})
        plan.answer("{", given, lines.append)
        assert json.loads(b"".join(lines) if isinstance(lines[0], bytes) else "".join(lines))["value"] == expected


REFUSED = [
    (["derive", "sum(x[x > 0])", "x:1"], "the shape of x[mask] depends on the data, which is not known here"),
    (["minimize", "sum(w[w > 0]**2)", "w=[1,2]", "--wrt", "w"], "depends on w, which is another at every step"),
    (["plot", "x[x > 0]", "x=linspace(0,1,5)"], "depends on x, which is another at every point"),
    (["eval", "x[x > 0, 0]", "x=ones(2,2)"], "too many indices"),
    (["eval", "x[y > 0]", "x=ones(3)", "y=ones(2)"], "a mask of shape (2,) does not fit dimensions of shape (3,)"),
    (["eval", "masked_select(x, x)", "x=ones(3)"], "a mask holds booleans, not float32"),
    (["eval", "gather(x, 0, i)", "x=ones(3)", "i=[0,3]"], "index 3 is out of range for dimension 0 of length 3"),
    (["eval", "gather(x, 0, i)", "x=ones(3)", "i=[0,-1]"], "index -1 is out of range for dimension 0 of length 3"),
    (["eval", "scatter_add(x, 0, i, x)", "x=ones(3)", "i=[0,1,3]"], "index 3 is out of range"),
    (["eval", "take(x, i)", "x=ones(3)", "i=[0,-4]"], "index -4 is out of range"),
    (["eval", "x[:, i]", "x=ones(3,2)", "i=[0,2]"], "index 2 is out of range for dimension 1 of length 2"),
    (["eval", "topk(x, 4).values", "x=ones(3)"], "topk() takes 4 of the 3 elements"),
    (["eval", "masked_scatter(x, x > 0, y)", "x=ones(3)", "y=ones(2)"], "the mask is true at 3 places"),
]


@pytest.mark.parametrize(("words", "message"), REFUSED)
def test_what_cannot_be_done_is_told_with_its_place(
    words: list[str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = call(monkeypatch, *words)
    assert done.code == 2
    assert message in done.err
    assert "^" in done.err


def test_of_equal_indices_the_last_counts_and_has_the_gradient() -> None:
    inputs = {"x": [1.0, 2.0, 3.0], "s": [4.0, 5.0, 6.0], "i": np.array([1, 1, 2])}
    for expression in ("scatter(x, 0, i, s)", "index_copy(x, 0, i, s)", "index_put(x, (i,), s)", "put(x, i, s)"):
        found = gc.evaluate(f"sum(({expression})*[1., 10., 100.])", inputs)
        assert gc.evaluate(expression, inputs).value.tolist() == [1, 5, 6]
        assert found.grads["x"].tolist() == [1, 0, 0], expression
        assert found.grads["s"].tolist() == [0, 10, 100], expression


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int8", "int32", "int64", "uint8", "bool"])
@pytest.mark.parametrize("descending", [False, True])
def test_sorting_is_stable_and_puts_nan_last(dtype: str, descending: bool) -> None:
    rng = np.random.default_rng(3)
    x = rng.integers(-3 if dtype[0] in "if" else 0, 4, (5, 40)).astype(dtype)
    if dtype[0] == "f":
        x[x == 2] = np.nan
        x[0] = -x[0] * 0.0
        x[1, ::3], x[1, 1::3] = np.inf, -np.inf
    expected = torch.sort(torch.tensor(x), dim=1, descending=descending, stable=True)
    found = gc.sort(gc.tensor(x), 1, descending)
    np.testing.assert_array_equal(found.indices.numpy(), expected.indices.numpy())
    np.testing.assert_array_equal(found.values.numpy(), expected.values.numpy())
    assert np.array_equal(np.signbit(found.values.numpy()), np.signbit(expected.values.numpy()))
    alone = gc.sort(gc.tensor(x), 1, descending).values.numpy()
    assert np.array_equal(np.signbit(alone), np.signbit(expected.values.numpy()))


def test_long_rows_with_few_different_elements_are_in_a_stable_order() -> None:
    x = np.random.default_rng(0).integers(0, 50, 20_000).astype(float)
    assert np.array_equal(orders.order(x), np.argsort(x, kind="stable"))
    for count in (1, 7, 400):
        assert np.array_equal(orders.first(x, count), np.argsort(-x, kind="stable")[:count])


@pytest.mark.parametrize("odd", [[], [np.nan, -0.0, 0.0], [np.nan] * 99, [np.inf, -np.inf] * 30])
def test_few_of_many_are_those_of_the_whole_order(odd: list[float]) -> None:
    """Long rows are looked at in parts: numbers that are all different, many equal ones, all equal, in order."""
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.standard_normal((2, 70_001)), rng.integers(0, 9, (1, 70_001)), np.ones((1, 70_001))])
    x = np.concatenate([x, np.sort(x[:1])])
    x[:, rng.integers(0, 70_001, len(odd))] = odd
    for dtype, count, largest in (("f4", 1, True), ("f8", 60, True), ("f8", 7, False), ("f2", 60, False)):
        rows = x.astype(dtype)
        expected = orders.order(rows, largest)[:, :count]
        assert np.array_equal(orders.first(rows, count, largest), expected)


def test_few_of_many_in_no_rows() -> None:
    places = orders.first(np.ones((2, 0, 70_001)), 3)
    assert places.shape == (2, 0, 3) and places.dtype == np.int64


@pytest.mark.parametrize("expression", ["median(x, 1)", "nanmedian(x, 1)", "sort(x, 1)", "topk(x, 3)"])
def test_nan_is_where_pytorch_has_it(expression: str) -> None:
    nan = np.nan
    x = np.array([[nan, nan, 1, 2, 3], [5, nan, 4, 4, 0], [1, 2, 2, 3, 3], [nan, nan, nan, nan, nan]])
    expected = evaluate(expression, tensors({"x": x}))
    found = gc.evaluate(f"({expression}).values", {"x": x}).value.detach().numpy()
    np.testing.assert_array_equal(found, expected.values.numpy(force=True))
    if expression[0] not in "nt":
        places = gc.evaluate(f"({expression}).indices", {"x": x}).value.numpy()
        np.testing.assert_array_equal(places, expected.indices.numpy())


def test_duplicates_add_up_in_the_order_of_the_places() -> None:
    rng = np.random.default_rng(1)
    table, index = rng.normal(size=(7, 3)).astype("f4"), rng.integers(0, 7, 5000)
    weights = rng.normal(size=(5000, 3)).astype("f4")
    found = gc.evaluate("sum(embedding(i, t)*w)", {"i": index, "t": table, "w": weights}, wrt="t").grads["t"]
    exact = np.zeros((7, 3))
    np.add.at(exact, index, weights.astype(float))
    np.testing.assert_allclose(found.numpy(), exact, rtol=1e-5, atol=1e-4)
    for threads in (1, 2, 3):
        gc.set_num_threads(threads)
        again = gc.evaluate("sum(embedding(i, t)*w)", {"i": index, "t": table, "w": weights}, wrt="t").grads["t"]
        assert np.array_equal(again.numpy(), found.numpy())
    gc.set_num_threads(2)


@pytest.mark.parametrize("zeros", [0, 1, 2, 3])
def test_products_at_places_have_derivatives_where_factors_are_zero(zeros: int) -> None:
    from gradcli.check.compare import check

    s = np.array([0.5, 2.0, -1.5, 3.0])
    s[:zeros] = 0
    inputs = {"x": np.array([2.0, 0.0, 1.5]), "s": s, "i": np.array([0, 0, 0, 1])}
    for include in ("True", "False"):
        for order in (1, 2, 3):
            report = check(f"scatter_reduce(x, 0, i, s, 'prod', include_self={include})", inputs, order=order)
            assert report.ok, (include, order, report)


@pytest.mark.parametrize("engine", ["numpy", "native"])
@pytest.mark.parametrize(
    ("name", "more"), [("gather", "i"), ("scatter_add", "ix"), ("cumprod", ""), ("logcumsumexp", ""), ("cumsum", "")]
)
def test_what_has_no_dimension_has_one_place(name: str, more: str, engine: str) -> None:
    x, i = torch.tensor(3.0, requires_grad=True), torch.tensor(0)
    y = getattr(torch, name)(x, 0, *({"i": i, "x": x}[one] for one in more)) * x
    y.backward()
    gc.set_engine(engine)
    text = f"{name}({', '.join(['x', '0', *more])})*x"
    found = gc.evaluate(text, {"x": 3.0, **({"i": 0} if more else {})})
    assert (float(found.value), float(found.grads["x"])) == (float(y.detach()), float(x.grad))


@pytest.mark.parametrize(("dtype", "length"), [("int8", 120), ("int8", 300), ("uint64", 250)])
def test_indices_of_few_bits_count_further_than_they_reach(dtype: str, length: int) -> None:
    x, i = np.ones((length, 3)), np.array([100, 3, 100], dtype)
    for expression in ("x[i]", "index_select(x, 0, i)", "take_along_dim(x, i[:, None], 0)"):
        found = gc.evaluate(f"sum({expression})", {"x": x, "i": i}, wrt="x").grads["x"].numpy()
        assert (found.sum(), found[100].tolist(), found[3].tolist()) == (9, [2, 2, 2], [1, 1, 1])


def test_a_running_product_of_nothing_has_a_gradient() -> None:
    assert gc.evaluate("sum(cumprod(x, 0))", {"x": np.zeros((0, 3))}).grads["x"].numpy().shape == (0, 3)


@pytest.mark.filterwarnings("ignore:index_reduce")
@pytest.mark.parametrize("engine", ["numpy", "native"])
@pytest.mark.parametrize(
    "call",
    [
        "gather(x, {d}, i)",
        "scatter(x, {d}, i, y)",
        "scatter(x, {d}, i, 2.0)",
        "scatter(x, {d}, i, y, reduce='add')",
        "scatter(x, {d}, i, y, reduce='multiply')",
        "scatter(x, {d}, i, 2.0, reduce='multiply')",
        "scatter_add(x, {d}, i, y)",
        "scatter_reduce(x, {d}, i, y, 'prod', include_self=False)",
        "index_reduce(x, {d}, i, y, 'prod')",
    ],
)
def test_an_index_of_any_shape_is_used_as_in_pytorch_or_refused(call: str, engine: str) -> None:
    gc.set_engine(engine)
    used = 0
    shapes = [(5,), (2, 2), (4, 4), (3, 1), (0, 4), (3, 0), (0,), (1, 1, 1)]
    for x_shape, i_shape, d in product([(3, 4), (5,), (0, 4), (4, 0), (2, 3, 2)], shapes, (0, 1, -1, -2)):
        by_vector = call.startswith("index") and len(i_shape) == 1 and -len(x_shape) <= d < len(x_shape)
        own = [*x_shape[: d % len(x_shape)], i_shape[0], *x_shape[d % len(x_shape) + 1 :]] if by_vector else i_shape
        arrays = {"x": np.ones(x_shape) * 2, "y": np.ones(own) * 3, "i": np.zeros(i_shape, np.int64)}
        arrays = {name: array for name, array in arrays.items() if name != "y" or "y" in call}
        text, theirs = call.format(d=d), tensors(arrays)
        try:
            # It has no derivative of those that reduce.
            expected = evaluate(text, {name: one.detach() for name, one in theirs.items()})
        except (IndexError, RuntimeError):
            with pytest.raises(gc.GradcliError):
                gc.evaluate(text, arrays, wrt="x", grad_output=1)
            continue
        used += 1
        found = gc.evaluate(text, arrays, wrt="x", grad_output=1)
        ours = found.value.detach().numpy()
        np.testing.assert_array_equal(ours, expected.numpy(), err_msg=f"{text} {x_shape} {i_shape}")
        assert found.grads["x"].numpy().shape == x_shape
    assert used > 5
