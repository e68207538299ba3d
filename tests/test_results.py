"""Operations with several results, by rows of this file: each is one row, and all that gradcli does follows from it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import gradcli as gc
from gradcli.autodiff.vjp import vjp
from gradcli.engine.execute.run import execute, known_value, op_by_op, run
from gradcli.engine.plan.planner import plan
from gradcli.engine.plan.program import Program, Sizes
from gradcli.engine.simplify import simplify
from gradcli.errors import GradcliError
from gradcli.evaluation.interpret import Interpreter
from gradcli.graph.dtypes import INT64
from gradcli.graph.node import Node, SeveralResults, constant, input_node, make_results, toposort
from gradcli.graph.op import OPS, WHOLE, Blocking
from gradcli.language.parse import parse
from gradcli.ops.batching import dense, unit_vectors
from gradcli.ops.blocking import ALIGNED, kept
from gradcli.ops.family import primitive
from gradcli.ops.lifting import batch
from gradcli.render.json import graph_json
from gradcli.tensors.tensor import tensor_of
from tests.command import call
from tests.gradients import build, weighted

TINY = [Sizes(0, 24, 1, 1, little=0), Sizes(2, 56, 3, 2, little=0)]
RNG = np.random.default_rng(11)
X = RNG.uniform(0.3, 1.5, (7, 5))
SQUARE = RNG.uniform(-1, 1, (4, 3, 3))
told: list[Any] = []


def _sincos_vjp(g: Any, out: Any, x: Node) -> tuple[Any]:
    parts = [g.sine and g.sine * out.cosine, g.cosine and -g.cosine * out.sine]
    found = [part for part in parts if part is not None]
    return (found[0] + found[1] if len(found) == 2 else found[0],)


def _split_kernel(x: Any, dim: tuple[int, ...], keepdim: bool, wanted: tuple[bool, ...] = (True, True)) -> Any:
    told.append(wanted)
    return (np.ptp(x, axis=dim, keepdims=keepdim) if wanted[0] else None), (
        np.argmax(x, axis=dim[0], keepdims=keepdim) if wanted[1] else None
    )


def _split_infer(inputs: Any, params: Any) -> Any:
    shape = tuple(n for k, n in enumerate(inputs[0].shape) if k not in params["dim"])
    return (shape, inputs[0].dtype), (shape, INT64)


@pytest.fixture(scope="module", autouse=True)
def rows() -> Iterator[None]:
    before = set(OPS)
    primitive(
        "sincos",
        lambda x: (np.sin(x), np.cos(x)),
        lambda inputs, params: ((inputs[0].shape, inputs[0].dtype),) * 2,
        family="elementwise",
        results=("sine", "cosine"),
        vjp=_sincos_vjp,
        grad_fn="SincosBackward0",
        doc="Sine and cosine.",
        blocking=ALIGNED,
    )
    primitive(
        "range_and_place",
        _split_kernel,
        _split_infer,
        args="input, dim",
        family="reduction",
        skips=True,
        results=("range", "place"),
        doc="Largest minus smallest, and where the largest is.",
        blocking=Blocking(kept),
        build=lambda x, dim: make_results(OPS["range_and_place"], (x,), {"dim": (dim,), "keepdim": False}),
    )
    yield
    for name in set(OPS) - before:
        del OPS[name]


USES = {
    "first": "sincos(x).sine**2",
    "second": "exp(sincos(x)[1])",
    "both": "s, c = sincos(x); s*c**2 + s",
    "twice": "s, c = sincos(x); t, d = sincos(s*x); c*t + d",
    "again": "sincos(x).sine*sincos(x).sine",
}


def ran(program: Program, threads: int = 1) -> list[Any]:
    return run(program, [known_value(leaf) for leaf in program.leaves], threads=threads)


def to_second_order(expression: str) -> list[Node]:
    """The value, its gradient and the gradient of that."""
    value, leaves = build(expression, {"x": X})
    first = vjp([weighted(value, 1)], [constant(np.ones(()))], [leaves["x"]])[leaves["x"]]
    second = vjp([weighted(first, 2)], [constant(np.ones(()))], [leaves["x"]])[leaves["x"]]
    return [value, first, second]


def evaluated(expression: str, x: Any) -> Any:
    """The expression on a tensor, so that its graph goes on from that."""
    return tensor_of(Interpreter(expression, {"x": x.node}).run(parse(expression)))


@pytest.mark.parametrize("sizes", TINY, ids=str)
@pytest.mark.parametrize("name", USES)
def test_blocks_give_what_whole_arrays_do(name: str, sizes: Sizes) -> None:
    roots = to_second_order(USES[name])
    program = plan(roots, sizes=sizes)
    assert not any(step.node.op.results for stage in program.stages for step in stage.whole)
    for threads in (1, 3):
        for got, expected in zip(ran(program, threads), op_by_op(roots), strict=True):
            np.testing.assert_allclose(got, expected, rtol=1e-12)


@pytest.mark.parametrize(("blocking", "count"), [(ALIGNED, 0), (WHOLE, 1)], ids=["at-once", "one-by-one"])
def test_a_row_without_a_rule_for_batches(blocking: Blocking, count: int) -> None:
    seed = input_node(X[:3])
    sine, cosine = make_results(replace(OPS["sincos"], blocking=blocking), (seed * 2,))
    product = sine * cosine
    batches = batch([product], {seed: unit_vectors(seed.shape, constant(np.ones(seed.shape)))})
    (members,) = execute([dense(batches[product], seed.shape)])
    units = np.eye(seed.size).reshape(*seed.shape, *seed.shape)
    np.testing.assert_allclose(members, np.sin(2 * units) * np.cos(2 * units), atol=1e-15)
    assert sum(node.op.name == "_each" for node in toposort([batches[product].node])) == count


def test_all_results_come_from_one_node_and_are_the_same_nodes_as_long_as_anybody_has_them() -> None:
    x = input_node(X, requires_grad=True)
    pair = OPS["sincos"](x)
    several = pair.sine.inputs[0]
    assert isinstance(several, SeveralResults) and pair.cosine.inputs[0] is several
    assert several.results() == pair and several.size == 2 * X.size and several.nbytes == 2 * X.nbytes
    assert repr(gc.slogdet([[2.0]])) == "slogdet(sign=tensor(1.), logabsdet=tensor(0.6931))"
    roots = simplify([OPS["sincos"](x).sine + OPS["sincos"](x).cosine])
    assert sum(node.op.name == "sincos" for node in toposort(roots)) == 1


def test_what_nobody_uses_is_not_computed() -> None:
    x = input_node(X)
    for roots, wanted in (
        ([OPS["range_and_place"](x, 0).range], (True, False)),
        ([OPS["range_and_place"](x, 0).place], (False, True)),
        (list(OPS["range_and_place"](x, 0)), (True, True)),
    ):
        for compute in (lambda r: execute(r), lambda r: ran(plan(r)), lambda r: ran(plan(r, sizes=TINY[0]))):
            told.clear()
            got = compute(roots)
            assert set(told) == {wanted}
            for array, expected in zip(got, op_by_op(roots), strict=True):
                np.testing.assert_array_equal(array, expected)


@pytest.mark.parametrize("sizes", TINY, ids=str)
@pytest.mark.parametrize("dim", [0, 1])
def test_extremes_in_blocks(dim: int, sizes: Sizes) -> None:
    expression = f"v, i = max(x, {dim}, True); w, j = min(x, {dim}); sum((x - v)*i) + sum(w*j) + sum(v)"
    roots = to_second_order(f"{expression}*sum(max(x, {dim}).values**2)")
    for got, expected in zip(ran(plan(roots, sizes=sizes), 2), op_by_op(roots), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-13)
    found = toposort(simplify(roots))
    assert sorted(node.op.name for node in found if node.op.results) == ["_max", "_min"]


def test_edges_in_json_and_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    result = gc.evaluate("s, l = slogdet(A); s*exp(l)", {"A": np.eye(2)})
    assert result.grad_fn is not None
    numbers = {row["name"]: row.get("output_nr") for row in graph_json(result.grad_fn)}
    assert numbers == {
        "MulBackward0": None,
        "LinalgSlogdetBackward0": None,
        "AccumulateGrad": None,
        "ExpBackward0": [1],
    }
    for what in ("forward", "backward", "plan"):
        words = ("graph", "s, l = slogdet(A); s*exp(l)", "A=eye(2)", "--what", what, "--format")
        picture = json.loads(call(monkeypatch, *words, "json").out)
        labels = {edge["label"]: edge.get("output") for edge in picture["edges"]}
        assert labels["sign f32[]"] == 0 and labels["logabsdet f32[]"] == 1, what
        assert labels["f32[2, 2]"] is None and not any("result" in node["name"] for node in picture["nodes"])


def test_plans_name_the_results(monkeypatch: pytest.MonkeyPatch) -> None:
    text = call(monkeypatch, "explain", "v, i = max(x, 0); v*i", "x=ones(3,2)", "--no-grad").out
    assert "t1 = max(x)  (float32 2, int64 2" in text and "t1.values" in text and "t1.indices" in text


# The language --------------------------------------------------------------------------------------------------------


def test_unpacking() -> None:
    arrays = {"A": SQUARE[0], "x": X}
    det = gc.evaluate("s, l = slogdet(A); s*exp(l)", {"A": arrays["A"]}).value
    np.testing.assert_allclose(det.detach().numpy(), np.linalg.det(SQUARE[0]))
    for expression in ("v, _ = max(x, 1); v.sum()", "(v, i) = x.max(1); v.sum()", "max(x, 1)[0].sum()"):
        assert gc.evaluate(expression, {"x": X}).value.item() == pytest.approx(X.max(1).sum())
    assert gc.evaluate("_, _ = max(x, 1); x.sum()", {"x": X}).value.item() == pytest.approx(X.sum())
    assert gc.evaluate("f(t) = max(t, 0); _, i = f(x); i", {"x": X}).value.tolist() == X.argmax(0).tolist()


@pytest.mark.parametrize("command", ["eval", "explain", "graph", "check", "derive"])
def test_unpacking_in_every_command(monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    given = "A:2,2" if command == "derive" else "A=[[2, 1], [1, 3]]"
    done = call(monkeypatch, command, "s, l = slogdet(A); s*exp(l)", given)
    assert done.code == 0 and done.out and not done.err


@pytest.mark.parametrize(
    ("expression", "message", "place", "hint"),
    [
        ("a, b, c = slogdet(A); a", "3 names are assigned 2 values", "a, b, c", "write sign, logabsdet = …"),
        ("a, b = A; a", "2 names are assigned one value", "a, b", None),
        ("a, _ = slogdet(A); _", "unknown name '_'", "_", "are discarded"),
        ("a, *b = slogdet(A); a", "unexpected '*'", "*", "has no star"),
        ("*a, b = slogdet(A); a", "unexpected '*'", "*", "has no star"),
        ("a = slogdet(A); a", "the value of the expression is the pair .sign, .logabsdet", "a", "choose one"),
    ],
)
def test_mistakes(expression: str, message: str, place: str, hint: str | None) -> None:
    with pytest.raises(GradcliError, match="^" + message.replace("*", r"\*")) as caught:
        gc.evaluate(expression, {"A": np.eye(2)})
    assert caught.value.span is not None
    start, end = caught.value.span
    assert expression[start:end] == place
    assert (caught.value.hint is None) == (hint is None) and (hint or "") in (caught.value.hint or "")


def test_formulas_have_the_results_by_their_names(monkeypatch: pytest.MonkeyPatch) -> None:
    done = call(monkeypatch, "derive", "s, c = sincos(x); sum(s*c)", "x:1")
    assert done.code == 0, done.err
    assert "sincos(x).sine**2" in done.out and "sincos(x).cosine**2" in done.out
    done = call(monkeypatch, "derive", "sum(max(x, 0).values)", "x:3,2")
    assert done.code == 0 and "argmax(x, 0)" in done.out


def test_a_session_forgets_what_is_thrown_away(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = b"A = [[2.0, 1.0], [1.0, 3.0]]\nv, _ = max(A, 1)\n_\n_ = 3\nk, _ = max(A, 0)\n_\n:names\n"
    done = call(monkeypatch, "repl", stdin=lines)
    assert "unknown name '_'" in done.err and "internal" not in done.err
    assert "tensor(3.)" in done.out and "v  float32 (2,), value of max" in done.out
