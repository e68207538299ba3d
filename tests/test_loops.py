"""Long loops, which are one operation, against the same loops unrolled; and what is told of them."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

import gradcli as gc
from gradcli.autodiff.vjp import gradients_of
from gradcli.engine.execute.run import execute
from gradcli.errors import GradcliError
from gradcli.evaluation import rest_of_loop, unrolling
from gradcli.evaluation.interpret import Interpreter
from gradcli.evaluation.looped import LOOP
from gradcli.graph.node import Node, input_node, toposort
from gradcli.graph.op import OPS
from gradcli.language.parse import parse
from tests.command import call

X, S = np.array([0.6, -1.3, 0.9]), np.array(0.7)
A = np.array([[0.2, -0.4, 0.1], [0.5, 0.3, -0.2], [0.1, 0.6, 0.4]])
ROWS = np.linspace(-1, 1, 15).reshape(5, 3) ** 3

#: Loops that are one operation from some turn on.
AT_ONCE = [
    "f(y) = tanh(A@y)*sigmoid(s) + y/3; sum(iterate(f, x, 6)**2)",
    # A number becomes a tensor, what is not tracked is, and the first rows are kept from before.
    "f(c, r) = sin(c)*r + c*s; l, ys = scan(f, 1, rows); sum(ys[:3]**2) + sum(l)",
    "f(m, n, r) = (n, m*r + sin(n), m*n, r, 2*m); m, n, p, q, t = scan(f, (x, 0*x), rows); sum(p) + sum(q*t)*s",
    "f(c, a, b) = c*0.9 + a@b; sum(fold(f, s, (rows, rows**2)))",
    # One loop in another, either long; both are.
    "f(y) = iterate(g, y*s, 3) + x; g(z) = cos(z*s)*x; sum(iterate(f, x, 4))",
    # Of several results one is looked at, and what is carried on beside has no gradient.
    "f(a, i) = {v, j = sort(a*s); (v + x, j)}; a, i = iterate(f, (x, [0, 1, 2].long()), 5); sum(a*i)",
    "f(a, n) = (detach(a)*s + sin(a), n + 1); a, n = iterate(f, (x, zeros(2)), 5); sum(a)*sum(n)",
    # What is the same at every turn, the function's own and others'.
    "c = [1, s]; f(y, h=s/2) = y*c[1] + h*sin(s)*c[0]; sum(iterate(f, x, 5)**2)",
    "f(y) = y.T@A; sum(iterate(f, A, 5)*A)",
    "sum(iterate(sin, x, 6))",
    # Numbers of which each turn has another: time, and a count that is kept as well.
    "f(y, t) = (y + sin(s*t)*(t + 1)**y - y**t, 0.5 - t/3); y, t = iterate(f, (x, 0), 6); sum(y)*t",
    "f(y, t, n, r) = (y*t - r*sin(t), t + n, n*2); y, t, n, k, ts, ns = scan(f, (x, 0., 1), rows); "
    "sum(k*ts[:, None]*n)*s + sum(ns)",
]
#: Loops whose turns are not alike.
ONE_BY_ONE = [
    "f(y) = y[y > 0.5]*s; sum(iterate(f, x, 3))",
    "f(y) = cat((y, y[:1]*s)); sum(iterate(f, x, 4))",
    "f(y, t) = (y + (s if t > 1 else t), t + 1); sum(iterate(f, (x, 0), 4)[0])",
    "f(y, t) = (lerp(y, x, t/10) + x[t - 1], t + 1); sum(iterate(f, (x, 0), 3)[0])",
    "f(y) = y*s + randn(3); manual = iterate(f, x, 3); sum(manual*x)",
]


def built(text: str, long: int, monkeypatch: pytest.MonkeyPatch) -> tuple[Node, list[Node]]:
    """The value of an expression, and its inputs."""
    monkeypatch.setattr(unrolling, "LONG", long)
    data = {"x": X, "s": S, "A": A, "rows": ROWS}
    leaves = {name: input_node(array, requires_grad=True, name=name) for name, array in data.items()}
    return Interpreter(text, leaves).run(parse(text)), list(leaves.values())


def computed(text: str, long: int, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The value, its gradients, and those of the sum of their squares; None where there is none."""
    value, leaves = built(text, long, monkeypatch)
    first = gradients_of(value, leaves)
    total = sum((OPS["sum"](g * g) for g in first.values()), value * 0)
    second = gradients_of(total, leaves)
    wanted = [value, *(first.get(leaf) for leaf in leaves), *(second.get(leaf) for leaf in leaves)]
    arrays = iter(execute([node for node in wanted if node is not None]))
    return [None if node is None else next(arrays) for node in wanted]


@pytest.mark.parametrize("text", AT_ONCE)
def test_a_loop_at_once_is_the_loop_unrolled(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADCLI_ENGINE", "numpy")
    unrolled, at_once = computed(text, 10**9, monkeypatch), computed(text, 1, monkeypatch)
    assert any(node.op is LOOP for node in toposort([built(text, 1, monkeypatch)[0]]))
    assert unrolled[0].tobytes() == at_once[0].tobytes()
    for expected, found in zip(unrolled, at_once, strict=True):
        assert (expected is None) == (found is None)
        if expected is not None:
            assert (expected.shape, expected.dtype) == (found.shape, found.dtype)
            np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("text", [AT_ONCE[0], AT_ONCE[4], AT_ONCE[6], AT_ONCE[7]])
def test_a_loop_that_would_keep_much_is_one_of_loops(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADCLI_ENGINE", "numpy")
    monkeypatch.setattr(rest_of_loop, "MUCH", 0)
    unrolled, in_pieces = computed(text, 10**9, monkeypatch), computed(text, 1, monkeypatch)
    turns = [n.params["turn"] for n in toposort([built(text, 1, monkeypatch)[0]]) if n.op is LOOP]
    assert any(node.op is LOOP for turn in turns for node in toposort(turn.given))
    for expected, found in zip(unrolled, in_pieces, strict=True):
        assert (expected is None) == (found is None)
        if expected is not None:
            np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)
    assert chain(text, 1, monkeypatch) == chain(text, 10**9, monkeypatch)


def chain(text: str, long: int, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(unrolling, "LONG", long)
    words = ["x=[0.6, -1.3, 0.9]", "s=0.7", "A=eye(3)", "rows=ones(5, 3)"]
    done = call(monkeypatch, "eval", text, *(word for word in words if word[: word.index("=")] in text), "--json")
    assert done.code == 0, done.err
    return json.loads(done.out)["graph"]


@pytest.mark.parametrize("text", [*AT_ONCE[1:5], *AT_ONCE[-2:]])
def test_its_chain_is_that_of_the_operations_that_it_stands_for(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert chain(text, 1, monkeypatch) == chain(text, 10**9, monkeypatch)


@pytest.mark.parametrize("text", ONE_BY_ONE)
def test_turns_that_are_not_alike_unroll(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for long in (1, 10**9):
        monkeypatch.setattr(unrolling, "LONG", long)
        gc.manual_seed(3)
        inputs = {"x": X, "s": S} if "s" in text else {"x": X}
        found.append(gc.evaluate(f"{text} + {long}*0", inputs))
    assert not any(node.op is LOOP for node in toposort([found[0].value.node]))
    assert found[0].value.item() == found[1].value.item()


def test_turns_cost_no_planning() -> None:
    text = "f(y) = tanh(A@y) + y/3; sum(iterate(f, x, {}))"
    sizes = {len(toposort([gc.evaluate(text.format(n), {"x": X, "A": A}).value.node])) for n in (500, 5000)}
    assert len(sizes) == 1


def test_errors_stand_where_they_do_in_loops_that_unroll() -> None:
    for text, place in (
        ("f(M) = inverse(M)*0; sum(iterate(f, A, 2000))", "inverse(M)"),
        ("f(y) = y + [1, 2]; sum(iterate(f, A, 2000))", "+"),
        ("f(y) = (y, y); iterate(f, A, 2000)", "iterate(f, A, 2000)"),
        ("g(z) = z*2; f(y) = iterate(g, y, 2000); iterate(f, A, 2000)", "iterate(f, A, 2000)"),
    ):
        with pytest.raises(GradcliError) as caught:
            gc.evaluate(text, {"A": A})
        assert caught.value.span is not None and text[slice(*caught.value.span)] == place


LONG = "f(y) = y + sin(y*k)/100; sum(iterate(f, x, 1000))"


def test_what_is_told_of_a_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    done = call(monkeypatch, "explain", LONG, "x=zeros(10)", "k=2")
    assert (
        "loop(x, k)  (float32 10, float32 1000x10; 1,000 iterations of 4 operations, 40 bytes kept of each)" in done.out
    )
    alone = call(monkeypatch, "explain", LONG, "x=zeros(10)", "k=2", "--no-grad", "--json")
    (loop,) = [step for step in json.loads(alone.out)["stages"][0]["whole"] if "repeated" in step]
    assert loop["repeated"] == {"iterations": 1000, "operations": 4, "kept": 0}
    assert "1,000 iterations" in call(monkeypatch, "graph", LONG, "x=zeros(10)", "k=2", "--format", "mermaid").out


def test_what_it_keeps_is_counted_before(monkeypatch: pytest.MonkeyPatch) -> None:
    words = [LONG, "x=linspace(0, 1, 100000)", "k=2", "--memory-limit", "10MB"]
    done = call(monkeypatch, "eval", *words)
    assert done.code == 2 and done.err.startswith(
        "gradcli: what a loop of 32 iterations keeps of each (400 kB) needs 13.2 MB"
    )
    assert "hint: fewer iterations need less" in done.err
    assert call(monkeypatch, "eval", *words, "--no-grad").code == 0


def test_it_has_no_formula(monkeypatch: pytest.MonkeyPatch) -> None:
    done = call(monkeypatch, "derive", LONG, "x:n", "k:0")
    assert done.code == 2 and done.err.startswith(
        "gradcli: a loop of 1,000 iterations has no formula\nhint: a loop of fewer"
    )


def test_a_number_that_is_used_twice_is_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    doublings = "; ".join(["a0 = k*0.5", *(f"a{i + 1} = a{i} + a{i}" for i in range(40))])
    for text in (
        f"f(y, k) = {{{doublings}; (y*0.99 + a40*0 + k, k + 1)}}; p, q = iterate(f, (x, 1), 60); sum(p)*q",
        f"f(y, k) = (y*0.99 + 1/(k{' + 1' * 1500}), k + 1); p, q = iterate(f, (x, 1), 3); sum(p)*q",
    ):
        at_once, unrolled = (built(text, long, monkeypatch)[0] for long in (1, 10**9))
        assert any(node.op is LOOP for node in toposort([at_once]))
        assert execute([at_once])[0] == execute([unrolled])[0]


def test_a_number_that_changes_its_kind_is_not_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    value = built("f(y, k) = (y + 2**k, k - 1); p, q = iterate(f, (0*s, 1), 4); p*x[:1]/x[:1]", 1, monkeypatch)[0]
    assert execute([value])[0].tolist() == [3.75]
