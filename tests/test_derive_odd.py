"""`derive` of every operation with odd arguments: an answer in all formats, or a sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import gradcli as gc
from gradcli.errors import GradcliError, WorkError
from gradcli.evaluation.names import free_names
from gradcli.formula.derivation import Derived, derive
from gradcli.formula.formats import as_json, formatted
from gradcli.formula.lengths import Given, Wanted, with_rank
from gradcli.formula.write.forms import text
from gradcli.graph.dtypes import DTYPES, FLOAT64
from gradcli.graph.node import Node, make
from gradcli.graph.op import OPS, Op, Params, Shape
from gradcli.language.parse import parse
from gradcli.ops.family import composite, primitive
from gradcli.reference.formulas import _DIMENSIONS
from gradcli.render.json import to_json
from tests.command import call

PUBLIC = sorted({op.name: op for op in OPS.values() if op.public}.items())
#: Sums over paths and over distances, whose formulas take half a second each.
LONG = ("ctc_loss", "triplet_margin_loss", "triplet_margin_with_distance_loss")
#: A number, lists, the input itself, nothing at all, and wrong kinds.
ODD = ["2", "-1", "[1, 2]", "[]", "{x}", "zeros(0)", "None", "'abc'", "True", "{x}.shape"]


def usual(op: Op) -> tuple[str, list[str], str, dict[str, tuple[int, str]]]:
    """A usual call in pieces: its name, its arguments, what follows, and the inputs with rank and dtype."""
    names = op.signature.required
    plain = f"{op.name}({', '.join(names)})", " ".join(f"{name}:{_DIMENSIONS.get(op.family, 2)}" for name in names)
    line, tensors = op.example or plain
    inputs = {}
    for word in tensors.split():
        name, rank, *dtype = word.split(":")
        count = len(rank.strip("x").split("x")) if "x" in rank else int(rank)
        inputs[name] = count, (dtype or ["float64"])[0]
    match = re.fullmatch(rf"{op.name}\((.*)\)(.*)", line)
    if match is None:
        return "", [line], "", inputs
    return op.name, re.split(r",\s*(?![^\[]*\])", match[1]) if match[1] else [], match[2], inputs


def attempt(expression: str, inputs: dict[str, tuple[int, str]], wanted: Wanted) -> Derived | None:
    """The formula in all formats, or None where there was a sentence instead."""
    try:
        script = parse(expression)
        used = [name for name in free_names(script) if name in inputs]
        givens = [Given(n, with_rank(n, inputs[n][0]), DTYPES.get(inputs[n][1], FLOAT64)) for n in used]
        derived = derive(script, givens, wanted)
    except GradcliError as error:
        assert not isinstance(error, WorkError) and "mistake in gradcli" not in error.render(), error.render()
        return None
    to_json(as_json(script, derived, wanted))
    for form in ("text", "latex", "python"):
        try:
            shown = formatted(form, script, [(derived, wanted)])
        except GradcliError as error:
            assert form == "python" and error.message.startswith("there is no NumPy code"), error.render()
        else:
            parse(shown) if form == "text" else form == "python" and compile(shown, "formula.py", "exec")
    return derived


def written(name: str, args: list[str], tail: str) -> str:
    return f"{name}({', '.join(args)}){tail}" if name else args[0]


@pytest.mark.slow
@pytest.mark.parametrize("op", [op for _, op in PUBLIC], ids=lambda op: op.name)
def test_every_operation(op: Op) -> None:
    name, args, tail, inputs = usual(op)
    usual_call = written(name, args, tail)
    for wrt in inputs or {"x": (0, "float64")}:
        kinds = [inputs, *({n: (rank, d) for n, (_, d) in inputs.items()} for rank in (1, 0))]
        for ranks in [kind for k, kind in enumerate(kinds) if kind not in kinds[:k]]:
            attempt(usual_call, ranks, Wanted(wrt, vector="V"))
            attempt(f"sum({usual_call})", ranks, Wanted(wrt, 2))
            attempt(usual_call, ranks, Wanted(wrt, jacobian=True))


@pytest.mark.parametrize(
    "op", [pytest.param(op, marks=pytest.mark.slow) if n in LONG else op for n, op in PUBLIC], ids=lambda op: op.name
)
@pytest.mark.parametrize("part", ["some", pytest.param("others", marks=pytest.mark.slow)])
def test_odd_arguments(op: Op, part: str) -> None:
    """Every seventh call is tried at once: one or two odd values for each argument, and others for the next one."""
    name, args, tail, inputs = usual(op)
    wrt = next(iter(inputs), "x")
    calls = [[*args[:k], odd, *args[k + 1 :]] for k in range(len(args)) for odd in ODD]
    calls += [[*args, f"{key}={odd}"] for key in op.signature.defaults for odd in ODD]
    for call_ in [c for k, c in enumerate(calls) if (k % 7 == 0) == (part == "some")] if name else []:
        filled = [a.replace("{x}", wrt) for a in call_]
        attempt(written(name, filled, tail), inputs, Wanted(wrt, vector="V"))


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["sum(x[[]])"], 0, "zeros_like(x)"),
        (["sum(x[i])", "i=arange(2)", "x:1,"], 0, "sum((i%1)[:, None] == arange(1), 0)"),
        (["--jacobian", "norm(t,0,1)"], 0, "full((t.shape[0], t.shape[0], t.shape[1]), 0, dtype=t.dtype)"),
        (["--jacobian", "mean(x - mean(x)).expand(x.shape)", "x:1"], 0, "zeros_like(x)"),
        (["logdet(X.T@X)", "X:n,k"], 0, "M = inv(X.T@X); X@(M + M.T)"),
        (["sum(x**0*y)", "x:1", "y:1", "--wrt", "y"], 0, "ones_like(y)"),
        (["sum(masked_fill(x, True, 0))", "x:0"], 0, "0"),
        (["sum(clamp(x, [], m))", "x:0", "m:0", "--wrt", "x"], 0, "0"),
        (["sum(x[i])", "x:1", "i:1"], 2, "an index must hold integers, not float64"),
        (["sum(repeat_interleave(x, i))", "x:1", "i:1"], 2, "repeats must hold integers, not float64"),
        (["sum(x*y.shape)", "x:1", "y:1", "--wrt", "x"], 2, "a constant of the expression depends on the lengths"),
    ],
)
def test_what_was_an_internal_error(monkeypatch: pytest.MonkeyPatch, words: list[str], code: int, told: str) -> None:
    done = call(monkeypatch, "derive", *words)
    assert done.code == code and "mistake in gradcli" not in done.err, done.err
    assert done.out == f"{told}\n" if code == 0 else told in done.err, (done.out, done.err)


def test_hessians_of_sums_of_differences(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sum over what does not vary counts its places, also where a product is multiplied out."""
    done = call(monkeypatch, "derive", "sum((x - mean(x))*mean(x))", "x:1", "--order", "2", "--jacobian")
    assert (done.code, done.out) == (0, "zeros_like(x)\n"), done.err
    assert "the Jacobian is diagonal: this is its diagonal" in done.err


def test_lengths_with_another_form_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    told = "note: the formula does not hold for dimensions of length"
    assert call(monkeypatch, "derive", "squeeze(X)", "X:2", "--grad-output", "V").err.startswith(f"{told} 1;")
    assert told not in call(monkeypatch, "derive", "squeeze(X)", "X:2,1", "--grad-output", "V").err
    assert call(monkeypatch, "derive", "sum(X*Y)", "X:2", "Y:2", "--wrt", "X").err == ""


def test_an_identity_matrix_times_a_number_keeps_its_digits() -> None:
    """eye(n) alone is float32, and so is its product with a number."""
    derived = attempt("(x@x)*x", {"x": (1, "float64")}, Wanted("x", jacobian=True))
    assert derived is not None
    x = np.array([0.1, 0.7, 0.3])
    found = gc.evaluate(text(derived.formula), {"x": x}, wrt=()).value.numpy()
    np.testing.assert_allclose(found, (x @ x) * np.eye(3) + 2 * np.outer(x, x), rtol=1e-15)


def test_the_note_on_shapes_names_another_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    for expression, shape, other in (
        ("x**2", "x as a number", "x:1 for a vector"),
        ("sum(x)", "x as a vector", "x:0 for a number"),
        ("sum(X)", "X as a matrix", "X:1 for a vector"),
    ):
        done = call(monkeypatch, "derive", expression)
        assert done.err == f"note: taking {shape}; NAME:SHAPE says otherwise, as {other}\n"


def test_numbers_that_are_none_do_not_depend_on_lengths(monkeypatch: pytest.MonkeyPatch) -> None:
    done = call(monkeypatch, "derive", "sum((-1)**1.5*x)", "x:1", "-q")
    assert (done.code, done.out) == (0, "full_like(x, nan)\n")


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("expression", ["norm(atan2(x, 0.5) + 1)", "sum(gelu(-1/x) + 1)"])
def test_the_search_for_roots_says_nothing_of_numpys(monkeypatch: pytest.MonkeyPatch, expression: str) -> None:
    """Newton's method runs off to 1e300 where there is no root."""
    done = call(monkeypatch, "derive", expression, "x:1")
    assert done.code == 0 and "Warning" not in done.err


@pytest.fixture(params=[False, True], ids=["private", "public"])
def nanmean(request: pytest.FixtureRequest) -> Iterator[bool]:
    """An operation whose row says how it is computed and differentiated, and nothing of formulas; is it public?"""

    def infer(inputs: tuple[Node, ...], params: Params) -> tuple[Shape, np.dtype]:
        shape, dim = inputs[0].shape, params["dim"]
        return shape[:dim] + shape[dim + 1 :], inputs[0].dtype

    def vjp(g: Node, out: Node, x: Node, dim: int) -> tuple[Node]:
        there = OPS["to"](OPS["eq"](x, x), x.dtype)
        return (there * OPS["unsqueeze"](g, dim) / OPS["sum"](there, dim, True),)

    def kernel(x: Any, dim: int) -> Any:
        return np.nanmean(x, dim)

    public = request.param
    row: dict[str, Any] = {"args": "input, dim", "family": "reduction", "doc": "Mean of what is a number."}
    build = {"build": lambda x, dim: make(op, (x,), {"dim": dim})}
    op = primitive("numbersmean" if public else "_numbersmean", kernel, infer, public=public, vjp=vjp, **row, **build)
    if not public:
        composite("numbersmean", **row, **build)
    yield public
    for name in ("numbersmean", "_numbersmean"):
        OPS.pop(name, None)


@pytest.mark.parametrize("form", ["text", "latex", "python", "json"])
@pytest.mark.parametrize("order", ["1", "2"])
def test_an_operation_without_a_formula(monkeypatch: pytest.MonkeyPatch, nanmean: bool, form: str, order: str) -> None:
    """A public one is a call, of which there is no NumPy code; a private one stands in no formula."""
    done = call(monkeypatch, "derive", "sum(log(numbersmean(x, 0)))", "x:5,3", "--format", form, "--order", order)
    if nanmean and form != "python":
        assert done.code == 0 and "numbersmean" in done.out and not done.err
        return
    told, advice = done.err.splitlines()
    assert (done.code, done.out) == (2, "")
    if nanmean:
        assert told == "gradcli: there is no NumPy code for numbersmean()" and "--format text" in advice
    else:
        assert told == "gradcli: there is no formula for the operation numbersmean"
        assert "`gradcli eval`" in advice and "in numbers" in advice


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["sum(cat([a, x]))", "a:n,k", "x:1"], "cat() cannot join shapes (n, k) and (x.shape[0],) along dimension 0"),
        (["sum(x.view(7, -1))", "x:n,k"], "n*k elements of shape (n, k) do not divide into shape (7, -1)"),
        (["sum(layer_norm(x, y.shape))", "x:n", "y:m,k"], "normalized_shape (m, k) are not the last dimensions"),
    ],
)
def test_errors_name_the_lengths(monkeypatch: pytest.MonkeyPatch, words: list[str], told: str) -> None:
    done = call(monkeypatch, "derive", *words, "--wrt", "x")
    assert done.code == 2 and told in done.err and "give shapes in numbers" in done.err, done.err
