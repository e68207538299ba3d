"""`each`: a function of a row becomes the graph for all rows, the same as a loop over them."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import pytest

import gradcli as gc
from gradcli.autodiff.vjp import vjp
from gradcli.engine.execute.run import execute
from gradcli.errors import GradcliError
from gradcli.evaluation.interpret import Interpreter
from gradcli.graph.node import Node, constant, input_node, toposort
from gradcli.language.parse import parse
from gradcli.ops.lifting import over_rows, row_of, rows_of
from tests.cases import Case, _draw, all_cases

ROWS = 3


def graphs(expression: str, leaves: dict[str, Node]) -> list[Node]:
    """The value of an expression, and its gradients for some vector."""
    value = Interpreter(expression, leaves).run(parse(expression))
    weights = constant(np.linspace(0.5, 1.5, max(value.size, 1))[: value.size].reshape(value.shape).astype(value.dtype))
    tracked = [leaf for leaf in leaves.values() if leaf.requires_grad]
    found = vjp([value], [weights], tracked) if value.requires_grad else {}
    return [value, *(found[leaf] for leaf in tracked if leaf in found)]


def differs(case: Case, mapped: list[str]) -> str | None:
    """What is wrong with a case over rows of some of its inputs, beside a loop over them."""
    rng = np.random.default_rng(zlib.crc32(str(case).encode()))
    data = {}
    for name, (shape, domain) in case.inputs.items():
        rows = [_draw(rng, shape, domain, "float64") for _ in range(ROWS)]
        data[name] = np.stack(rows) if name in mapped else rows[0]
    loop = []
    try:
        for k in range(ROWS):
            one = {name: array[k] if name in mapped else array for name, array in data.items()}
            leaves = {name: input_node(array, requires_grad=array.dtype.kind == "f") for name, array in one.items()}
            loop.append(execute(graphs(case.expression, leaves)))
    except GradcliError:
        # Lists that only PyTorch's side of the table takes for integers.
        return None
    whole = {name: input_node(array, requires_grad=array.dtype.kind == "f") for name, array in data.items()}
    leaves = {name: row_of(x, x.requires_grad) if name in mapped else x for name, x in whole.items()}
    given = {leaves[name]: rows_of(whole[name]) for name in mapped}
    found = execute(over_rows(graphs(case.expression, leaves), given, (ROWS,)))
    for array, rows in zip(found, zip(*loop, strict=True), strict=True):
        wanted = np.stack(rows)
        if array.shape != wanted.shape or array.dtype != wanted.dtype:
            return f"{case} over {mapped}: {array.dtype}{array.shape} for {wanted.dtype}{wanted.shape}"
        if not np.allclose(array, wanted, rtol=1e-9, atol=1e-11, equal_nan=True):
            return f"{case} over {mapped}: {array} for {wanted}"
    return None


def wrong(cases: list[Case]) -> list[str]:
    found = [differs(case, names) for case in cases for names in {tuple(case.inputs), tuple(case.inputs)[:1]}]
    return [text for text in found if text is not None]


def test_operations_and_their_gradients_are_those_of_a_loop() -> None:
    assert wrong(all_cases()[::8]) == []


@pytest.mark.slow
def test_all_operations_and_their_gradients_are_those_of_a_loop() -> None:
    assert wrong(all_cases()) == []


def value(expression: str, **inputs: Any) -> np.ndarray:
    return gc.evaluate(expression, inputs, wrt=()).value.numpy()


def test_factors_of_values_are_not_gathered() -> None:
    x = np.array([np.inf, -1.0, 3e38], "f4")
    np.testing.assert_array_equal(value("f(r) = where(r < 5, r, 0); each(f, x)", x=x), [0, -1, 0])
    np.testing.assert_array_equal(value("f(r) = r*1e30*1e30/1e30/1e30; each(f, x)", x=x[1:]), [-np.inf, np.inf])


def test_one_graph_whatever_the_number_of_rows() -> None:
    script = parse("f(r) = { s = sin(A@r)\n sum(s*s)/sum(r) }; sum(each(f, x))")

    def size(rows: int) -> int:
        leaves = {"A": input_node(np.ones((2, 2))), "x": input_node(np.ones((rows, 2)), requires_grad=True)}
        return len(toposort([Interpreter(script.source, leaves).run(script)]))

    assert size(2) == size(100_000)


def test_results_shared_arguments_and_nesting() -> None:
    x = np.arange(12.0).reshape(3, 2, 2)
    values, vectors = np.linalg.eigh(x[2] + x[2].T)
    np.testing.assert_allclose(value("f(w, V) = V@w; each(f, eigh(x + x.mT))", x=x)[2], vectors @ values)
    np.testing.assert_array_equal(value("each(sort, x, 0, True).values", x=x), x[:, ::-1])
    np.testing.assert_array_equal(
        value("f(r, s, k) = (k*r, s); a, b = each(f, x, y, 2); a + b", x=[1, 2], y=[3, 4]), [5, 8]
    )
    np.testing.assert_array_equal(value("g(s) = s - s[0]; f(r) = each(g, r); each(f, x)", x=x), x - x[..., :1])
    np.testing.assert_array_equal(
        value("f(r, i) = r[i, 1]; each(f, x, i)", x=x, i=[1, 0, 1]), x[[0, 1, 2], [1, 0, 1], 1]
    )
    assert value("f(r) = 7; each(f, x)", x=x).tolist() == [7, 7, 7]
    assert value("each(sum, x)", x=np.ones((0, 2))).shape == (0,)


def test_gradients_flow_through_rows_and_what_they_share() -> None:
    result = gc.evaluate(
        "f(r, t) = tanh(w@r)*t; sum(each(f, X, y)**2)", {"X": np.ones((4, 2)), "y": np.arange(4.0), "w": [0.1, 0.2]}
    )
    loop = gc.evaluate("sum((tanh(X@w)*y)**2)", {"X": np.ones((4, 2)), "y": np.arange(4.0), "w": [0.1, 0.2]})
    assert result.grads is not None and loop.grads is not None
    for name in ("X", "y", "w"):
        np.testing.assert_allclose(result.grads[name], loop.grads[name], rtol=1e-6)


LOOPS = [
    ("step(y) = y + 0.01*[y[1], -k*y[0]]; f(r) = sum(iterate(step, r, 300)**2); {}", {"k": (), "x": (ROWS, 2)}),
    (
        "step(c, y, z) = (0.9*c + y@z, tanh(W@y + z), c*y)\n"
        "f(r, zs) = { c, y, s = scan(step, (0, r), zs); sum(s*y) + c }; {}",
        {"W": (2, 2), "x": (ROWS, 2), "zs": (ROWS, 300, 2)},
    ),
]


@pytest.mark.parametrize(("text", "shapes"), LOOPS, ids=["iterate", "scan"])
def test_long_loops_are_one_loop_for_all_rows(text: str, shapes: dict[str, tuple[int, ...]]) -> None:
    rng = np.random.default_rng(3)
    data = {name: rng.uniform(0.2, 1, shape) for name, shape in shapes.items()}
    mapped = [name for name, shape in shapes.items() if shape[:1] == (ROWS,)]
    arguments = ", ".join(mapped)
    found = gc.evaluate(text.replace("{}", f"sum(each(f, {arguments})**2)"), data)
    assert {"_loop", "_each"} & {node.op.name for node in toposort([found.value.node])} == {"_loop"}
    loop = [
        gc.evaluate(text.replace("{}", f"f({arguments})**2"), {n: a[k] if n in mapped else a for n, a in data.items()})
        for k in range(ROWS)
    ]
    assert found.value.item() == pytest.approx(sum(one.value.item() for one in loop), rel=1e-12)
    for name in data:
        rows = [one.grads[name].numpy() for one in loop if one.grads is not None]
        wanted = np.stack(rows) if name in mapped else np.sum(rows, 0)
        np.testing.assert_allclose(found.grads[name], wanted, rtol=1e-9, atol=1e-12, err_msg=name)  # type: ignore[index]


NO_ROWS = "each() has no rows: there is nothing with dimensions among the arguments"
SAME_NUMBERS = "each() builds what is done with a row once, so that all rows would have the same random numbers"
ONE_SHAPE = "the shape of x[mask] depends on the row, and all rows have one shape"
BAD = [
    ("f(a, b) = a@b; each(f, x, y)", "the numbers of rows differ: 2 and 3", "y"),
    ("f(a) = a; each(f, 3)", NO_ROWS, "each(f, 3)"),
    ("f(a) = a; each(f)", "each() needs 'xs'", "each(f)"),
    ("f(a) = a; each(f, x, x)", "f() takes 1 argument, got 2", "each(f, x, x)"),
    ("f(a) = a@ones(3); each(f, x)", "shapes (2,) and (3,) do not fit for @: 2 against 3", "@"),
    ("f(a) = sum(a[a > 0]); each(f, x)", ONE_SHAPE, "[a > 0]"),
    ("f(a) = a*randn(2); each(f, x)", SAME_NUMBERS, "each(f, x)"),
    ("f(a) = a; vmap(f, x)", "unknown function 'vmap'", "vmap"),
    ("each(x, x)", "each() takes the name of a function first", "x"),
    ("f(a) = a; each(f, x, p=1)", "each() has no argument 'p'", "p"),
]


@pytest.mark.parametrize(("expression", "message", "place"), BAD, ids=[text for text, _, _ in BAD])
def test_mistakes_point_at_their_place(expression: str, message: str, place: str) -> None:
    with pytest.raises(GradcliError) as caught:
        gc.evaluate(expression, {"x": np.ones((2, 2)), "y": np.ones((3, 2))})
    assert caught.value.message == message
    assert caught.value.span is not None
    start, end = caught.value.span
    assert expression[start:end] == place


def test_in_python() -> None:
    x = gc.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    found = gc.each(lambda row, y: (row @ row) * y, x, np.array([1.0, 10.0]))
    found.sum().backward()
    assert found.tolist() == [5.0, 250.0]
    assert x.grad is not None and x.grad.tolist() == [[2.0, 4.0], [60.0, 80.0]]
    assert gc.each(gc.sort, x).indices.tolist() == [[0, 1], [0, 1]]
    assert isinstance(gc.each(lambda row: (row, row.sum()), x), tuple)
    with gc.no_grad():
        assert not gc.each(lambda row: row * 2, x).requires_grad
    with pytest.raises(GradcliError, match="there is no value of one to look at"):
        gc.each(lambda row: row if row.sum() > 0 else -row, x)


def test_what_has_no_derivative_has_none_over_rows() -> None:
    found = gc.evaluate("f(r) = histc(r); sum(each(f, x))", {"x": np.linspace(0, 1, 12).reshape(3, 4)})
    assert found.value.item() == 12 and not found.value.requires_grad and not found.grads.get("x")


def test_places_along_no_rows() -> None:
    data = {"x": np.zeros((0, 4)), "i": np.zeros(3, np.int64)}
    assert gc.evaluate("f(r) = gather(r, 0, i); each(f, x)", data).value.shape == (0, 3)
    found = gc.evaluate("f(r) = gather(r, 0, i); sum(each(f, x))", data)
    assert found.value.item() == 0 and np.shape(found.grads["x"]) == (0, 4)
