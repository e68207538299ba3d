"""Formulas of derivatives: as a textbook writes them, and with the numbers of the gradient wherever it has any."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gradcli as gc
from gradcli.autodiff.vjp import vjp
from gradcli.engine.execute.run import execute
from gradcli.errors import GradcliError
from gradcli.formula.derivation import Derived, derive
from gradcli.formula.lengths import Given, Wanted
from gradcli.formula.write.forms import text
from gradcli.formula.write.latex import latex
from gradcli.graph.node import input_node
from gradcli.language.parse import parse
from tests.cases import Case, all_cases
from tests.command import call, process
from tests.gradients import build
from tests.latex_structure import LatexError
from tests.latex_structure import check as check_latex
from tests.sampling import sampled

TEXTBOOK = [
    line.split(" | ", 3) for line in (Path(__file__).parent / "textbook.txt").read_text().splitlines() if " | " in line
][1:]


def derived(expression: str, arrays: dict[str, np.ndarray], wrt: str, **wanted: Any) -> Derived:
    givens = [Given(name, array.shape, array.dtype) for name, array in arrays.items()]
    return derive(parse(expression), givens, Wanted(wrt, **wanted))


def printed(monkeypatch: pytest.MonkeyPatch, *words: str) -> str:
    done = call(monkeypatch, "derive", *words)
    assert done.code == 0, done.err
    return done.out.removesuffix("\n")


# As a person writes them ----------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("derived_once")
@pytest.mark.parametrize(("expression", "inputs", "wrt", "formula"), TEXTBOOK)
def test_textbook(monkeypatch: pytest.MonkeyPatch, expression: str, inputs: str, wrt: str, formula: str) -> None:
    """As text to the letter, as well-formed LaTeX, and as a function of NumPy with the same numbers."""
    words = [expression, *inputs.split(), "--wrt", wrt]
    assert printed(monkeypatch, *words) == formula
    check_latex(printed(monkeypatch, *words, "--format", "latex"))
    source = printed(monkeypatch, *words, "--format", "python")
    assert "gradcli" not in source and source.startswith("import numpy as np")
    names: dict[str, Any] = {}
    exec(compile(source, "formula.py", "exec"), names)
    rng = np.random.default_rng(2)
    arrays: dict[str, Any] = {}
    for word in inputs.split():
        name, rank = word.split(":")[0], int(word.split(":")[1])
        array = rng.uniform(0.2, 0.8, (3,) * rank)
        arrays[name] = array @ array.T + 3 * np.eye(3) if rank == 2 else np.arange(3) % 2 if "int" in word else array
    known = {name: a for name, a in arrays.items() if re.search(rf"\b{name}\b", formula)}
    wanted = gc.evaluate(formula, known, wrt=()).value.numpy()
    np.testing.assert_allclose(names["gradient"](**known), wanted, rtol=1e-9, atol=1e-12)


def test_the_textbook_is_long_enough() -> None:
    assert len(TEXTBOOK) >= 60


@pytest.mark.parametrize(
    ("words", "formula"),
    [
        (["sum(x**3)", "x:1", "--order", "2"], "6*x"),
        (["x@A@x", "--wrt", "x", "--order", "2", "--jacobian"], "A + A.T"),
        (["tanh(W@x)", "--wrt", "x", "--jacobian"], "W*(1 - tanh(W@x)**2)[:, None]"),
        (["sin(x)", "x:1", "--jacobian"], "cos(x)"),
        (["A@x", "--wrt", "x", "--jacobian"], "A"),
        (["A@x", "--wrt", "x", "--grad-output", "v"], "A.T@v"),
        (["exp(x)", "x:1", "--grad-output", "v"], "v*exp(x)"),
        (["sum(y)", "x:1", "y:1", "--wrt", "y"], None),
        (["y = x**2; sum(y*exp(y))", "x:1"], None),
    ],
)
def test_orders_jacobians_and_vectors(monkeypatch: pytest.MonkeyPatch, words: list[str], formula: str | None) -> None:
    if words[0] == "sum(y)":
        done = call(monkeypatch, "derive", *words)
        assert done.code == 2 and "the input 'x' is never used" in done.err
        return
    found = printed(monkeypatch, *words)
    assert formula is None or found == formula


def test_large_common_parts_are_named_once(monkeypatch: pytest.MonkeyPatch) -> None:
    found = printed(monkeypatch, "h = tanh(A@x + b); sum((h@W@h)**2*exp(-h@W@h))", "--wrt", "x")
    assert found.count("tanh") == 1 and found.count(";") + found.count("\n") >= 1, found


# The same numbers -----------------------------------------------------------------------------------------------------


def gradient(expression: str, arrays: dict[str, np.ndarray], wrt: str, vector: np.ndarray | None, order: int) -> Any:
    """The gradient by the engine; from the second order on, that of the sum of the one before."""
    node, leaves = build(expression, arrays)
    for k in range(order):
        if not node.requires_grad:
            return np.zeros(arrays[wrt].shape)
        seed = vector if k == 0 and vector is not None else np.ones(node.shape)
        found = vjp([node], [input_node(np.asarray(seed, node.dtype))], [leaves[wrt]]).get(leaves[wrt])
        if found is None:
            return np.zeros(arrays[wrt].shape)
        node = found
    return execute([node])[0]


def used(case: Case) -> dict[str, np.ndarray]:
    """The inputs that an expression mentions."""
    return {name: array for name, array in case.arrays().items() if re.search(rf"\b{name}\b", case.expression)}


def _differentiable(case: Case) -> bool:
    value, _ = build(case.expression, used(case))
    return value.dtype.kind == "f" and any(array.dtype.kind == "f" for array in used(case).values())


#: Cases whose derivative has no formula: what `derive` says instead, by a pattern of the expression.
NO_FORMULA = {
    r"groups=": "the gradient with respect to the kernel of a convolution with groups has no short formula",
    r"^(cosine|hinge)_embedding|^ctc_loss|^index_select\(x, 0, t\)-0d": "no formula was found that holds everywhere",
    r"^local_response|^(avg|lp)_pool|^interpolate|^upsample|adaptive_avg_pool\dd\(x, (2|\()": (
        "means of windows and interpolation have no short formula"
    ),
    r"max_(un)?pool": "where the largest elements of windows are has no short formula",
    r"^frexp\(x\)\.mantissa": "frexp() has no formula",
    r"^scatter_reduce.*'prod'": "there is no formula for the operation recurrence",
    r"^im2col|^fold": "windows as columns have no short formula",
}


def _refusal(case: Case) -> str | None:
    return next((sentence for part, sentence in NO_FORMULA.items() if re.search(part, str(case))), None)


@pytest.mark.parametrize("case", [case for case in all_cases() if _refusal(case) is not None], ids=str)
def test_what_has_no_formula_is_told(case: Case) -> None:
    arrays = used(case)
    vector = None if gc.evaluate(case.expression, arrays, wrt=()).value.numel() == 1 else "V"
    sentences = set()
    for wrt in [name for name in arrays if arrays[name].dtype.kind == "f"]:
        try:
            text(derived(case.expression, arrays, wrt, vector=vector).formula)
        except GradcliError as error:
            sentences.add(error.message)
    assert sentences == {_refusal(case)}


WITH_FORMULA = [case for case in all_cases() if _differentiable(case) and _refusal(case) is None]


@pytest.mark.parametrize("case", sampled(WITH_FORMULA, every=2), ids=str)
def test_formulas_give_the_gradient(case: Case) -> None:
    _formulas_hold(case, 1)


@pytest.mark.slow
@pytest.mark.parametrize("case", WITH_FORMULA, ids=str)
def test_formulas_give_the_second_derivative(case: Case) -> None:
    _formulas_hold(case, 2)


def _formulas_hold(case: Case, order: int) -> None:
    arrays = used(case)
    value = gc.evaluate(case.expression, arrays, wrt=()).value.numpy()
    vector = None if value.size == 1 else np.random.default_rng(1).uniform(0.5, 1.5, value.shape)
    for wrt in [name for name in arrays if arrays[name].dtype.kind == "f"][:2]:
        expected = gradient(case.expression, arrays, wrt, vector, order)
        name = None if vector is None else "V"
        found_formula = derived(case.expression, arrays, wrt, order=order, vector=name).formula
        formula = text(found_formula)
        check_latex(latex(found_formula, {n: a.ndim for n, a in arrays.items()}))
        known = {**arrays, **({} if vector is None else {"V": vector})}
        found = gc.evaluate(formula, {n: a for n, a in known.items() if re.search(rf"\b{n}\b", formula)}, wrt=())
        got = np.asarray(found.value.numpy(), np.float64)
        finite = np.isfinite(expected)
        assert got.shape == expected.shape, formula
        scale = np.abs(expected[finite]).max(initial=1.0)
        # The formula of this one divides ones of float32, which are what its conditions become.
        rtol = 1e-7 if case.expression.startswith("multilabel_margin") else 1e-9
        np.testing.assert_allclose(got[finite], expected[finite], rtol=rtol, atol=rtol * scale, err_msg=formula)


@pytest.mark.parametrize(("expression", "inputs", "wrt", "formula"), TEXTBOOK)
def test_formulas_hold_for_every_size(expression: str, inputs: str, wrt: str, formula: str) -> None:
    rng = np.random.default_rng(0)
    for n in (2, 5):
        shapes = {word.split(":")[0]: int(word.split(":")[1]) for word in inputs.split()}
        arrays: dict[str, np.ndarray] = {name: rng.uniform(0.2, 0.8, (n,) * rank) for name, rank in shapes.items()}
        for name, array in arrays.items():
            if array.ndim == 2:
                arrays[name] = array @ array.T + n * np.eye(n)
        if "int64" in inputs:
            arrays["t"] = np.arange(n) % 2
        expected = gc.evaluate(expression, arrays, wrt=wrt).grads
        assert expected is not None
        known = {name: array for name, array in arrays.items() if re.search(rf"\b{name}\b", formula)}
        got = gc.evaluate(formula, known, wrt=()).value.numpy()
        wanted = expected[wrt]
        assert wanted is not None
        np.testing.assert_allclose(got, wanted.numpy(), rtol=1e-9, atol=1e-12)


# Other formats --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["sum((A@x - b)**2)", "--wrt", "A"], r"2 \left(A x - b\right) x^{\top}"),
        (["trace(inv(X))"], r"-X^{-\top} X^{-\top}"),
        (["a@inv(X)@b", "--wrt", "X"], r"-X^{-\top} a b^{\top} X^{-\top}"),
        (["norm(A@x)", "--wrt", "x"], r"\frac{A^{\top} A x}{\left\lVert A x \right\rVert}"),
        (["sum(tanh(x))", "x:1"], r"1 - \tanh^{2}\left(x\right)"),
        (["sum(x@y*x)", "x:1", "y:1", "--wrt", "y"], r"\left(\mathbf{1}^{\top} x\right) x"),
        (["(x@y)**2", "x:1", "y:1", "--wrt", "x"], r"2 \left(y^{\top} x\right) y"),
        (["sum(exp(-x**2/2))", "x:1"], r"-x \odot e^{-x^{2}/2}"),
        (["sum(exp(X)*X**2)", "X:2"], r"X \odot \left(X + 2\right) \odot \exp\left(X\right)"),
        (["sum(X**3)", "X:2"], r"3 X^{\circ 2}"),
        (["sum(1/x)", "x:1"], r"-\frac{1}{x^{2}}"),
        (["mean(x)", "x:1"], r"\frac{1}{\operatorname{numel}\left(x\right)} \mathbf{1}"),
        (["sum(log(x)/x)", "x:1"], r"\frac{1 - \log\left(x\right)}{x^{2}}"),
        (["sum(relu(1 - y*(X@w)))", "--wrt", "w"], r"-X^{\top} \left(y \odot \left[y \odot X w < 1\right]\right)"),
        (["tanh(W@x)", "--wrt", "x", "--jacobian"], r"\operatorname{diag}\left(1 - \tanh^{2}\left(W x\right)\right) W"),
        (
            ["sum(log_softmax(X, 1)*T)", "X:2", "T:2", "--wrt", "X"],
            r"T - \operatorname{diag}\left(T \mathbf{1}\right) \operatorname{softmax}_{1}\left(X\right)",
        ),
        (["sum((X - v)**2)", "X:2", "v:1", "--wrt", "X"], r"2 \left(X - \mathbf{1} v^{\top}\right)"),
        (["sum((X - v[:, None])**2)", "X:2", "v:1", "--wrt", "X"], r"2 \left(X - v \mathbf{1}^{\top}\right)"),
        (
            ["nll_loss(x, t)", "x:2", "t:1:int64", "--wrt", "x"],
            r"-\frac{\operatorname{onehot}\left(t\right)}{\operatorname{numel}\left(t\right)}",
        ),
        (
            ["sum(sin(alpha*x_1 + w_out))", "alpha:0", "x_1:1", "w_out:0", "--wrt", "x_1"],
            r"\alpha \cos\left(\alpha x_{1} + w_{\mathrm{out}}\right)",
        ),
        (["sum(rate*x1[0]**2)", "rate:0", "x1:1", "--wrt", "rate"], r"x_{1, 0}^{2}"),
        (["prod(x)", "x:1"], r"\left(\prod_{j \neq i} x_{j}\right)_{i}"),
        (["sum(a**x)", "a:0", "x:0", "--wrt", "x"], r"a^{x} \log\left(a\right)"),
        (["sum(w*log1p(-x))", "w:1", "x:1", "--wrt", "w"], r"\log\left(1 - x\right)"),
        (
            ["sum(w*where(x > y, 1, exp(x)))", "w:1", "x:1", "y:1", "--wrt", "w"],
            r"\begin{cases} 1 & \text{if } x > y \\ e^{x} & \text{otherwise} \end{cases}",
        ),
        (
            ["h = tanh(A@x + a); (h@b)*exp(-h@b)", "A:2", "x:1", "a:1", "b:1", "--wrt", "b"],
            r"e^{-b^{\top} r} \left(1 - b^{\top} r\right) r \quad\text{where}\quad r = \tanh\left(A x + a\right)",
        ),
        (["tanh(x)", "x:1", "--grad-output", "v"], r"v \odot \left(1 - \tanh^{2}\left(x\right)\right)"),
    ],
)
def test_latex_as_it_is_typeset(monkeypatch: pytest.MonkeyPatch, words: list[str], wanted: str) -> None:
    found = printed(monkeypatch, *words, "--format", "latex")
    assert found == wanted
    check_latex(found)


@pytest.mark.parametrize(
    "broken",
    [
        "x^{2}^{3}",
        "x_{1}_{0}",
        "{x",
        "x}",
        r"\left(x",
        r"x\right)",
        r"\left(x\right]",
        r"\left x \right)",
        r"\frac{x}",
        r"\foo{x}",
        r"\frac{x}{}",
        "x & y",
        r"x \\ y",
        "x # y",
        "x % y",
        "x^2^",
        r"\sqrt",
        "$x$",
        r"\text{a_b}",
        "é",
        r"\text{x",
        r"\left(x\right",
        r"\operatorname f",
        "x\n\ny",
        r"\text{数}",
        r"\begin{foo} x \end{foo}",
        r"\begin{cases} x & y & z \end{cases}",
        r"\begin{cases} x",
        r"\begin{cases} x \end{pmatrix}",
    ],
)
def test_broken_latex_is_noticed(broken: str) -> None:
    with pytest.raises(LatexError):
        check_latex(broken)


def test_json(monkeypatch: pytest.MonkeyPatch) -> None:
    found = json.loads(printed(monkeypatch, "mean(2*(3*x+7)**2)", "x:2", "--format", "json"))
    assert found["formula"] == "12*(3*x + 7)/x.numel()" and found["wrt"] == "x" and found["order"] == 1
    assert [node["id"] for node in found["nodes"]] == list(range(len(found["nodes"])))
    assert all(k < node["id"] for node in found["nodes"] for k in node["inputs"])


# The command ----------------------------------------------------------------------------------------------------------


def test_through_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    formula = process("derive", "mean(log1p(exp(-y*(X@w))))", "--wrt", "w").out.strip()
    rng = np.random.default_rng(0)
    for name, array in {
        "X": rng.normal(size=(50, 4)),
        "y": rng.choice([-1.0, 1.0], 50),
        "w": rng.normal(size=4),
    }.items():
        np.save(f"{name}.npy", array)
    inputs = ("X=X.npy", "y=y.npy", "w=w.npy")
    assert process("eval", formula, *inputs, "--no-grad", "-q", "-o", "value=a.npy").code == 0
    assert process("eval", "mean(log1p(exp(-y*(X@w))))", *inputs, "-q", "-o", "w.grad=b.npy").code == 0
    np.testing.assert_allclose(np.load("a.npy"), np.load("b.npy"), rtol=1e-12)


def test_nobody_waits_for_the_check_of_a_formula(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "sum(sort((x[:, None] + x).expand(2**20, 200, 200)).values)"
    done = call(monkeypatch, "derive", text, "x=ones(200)")
    assert done.code == 0 and "the formula is not checked" in done.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["sum(x"], "'(' is never closed"),
        (["sum(x)", "--wrt", "z"], "there is no input 'z' to differentiate"),
        (["sum(x)", "x:9"], "in 'x:9': 9 is a number of dimensions, at most 6"),
        (["sum(x)", "x:1:int99"], "in 'x:1:int99': unknown dtype 'int99'"),
        (["sum(x)", "y"], "'y' is not an input"),
        (["x*2", "x:1"], "the value has 1 dimension: its gradient needs a vector to multiply with"),
        (["x > 0", "x:1", "--grad-output", "v"], "the value is bool and has no derivative"),
        (["sum(t)", "t:1:int64"], "the expression has no input to differentiate"),
        (["A@x", "A:3,4", "x:5,", "--wrt", "x", "--jacobian"], "shapes (3, 4) and (5,) do not fit for @"),
        (["sum(x)", "--grad-output", "1"], "--grad-output takes a name here, not '1'"),
    ],
)
def test_bad_requests(monkeypatch: pytest.MonkeyPatch, words: list[str], told: str) -> None:
    done = call(monkeypatch, "derive", *words)
    assert (done.code, done.out) == (2, "") and done.err.startswith(f"gradcli: {told}"), done.err


def test_long_and_deep_expressions(monkeypatch: pytest.MonkeyPatch) -> None:
    deep = printed(monkeypatch, "(" * 20_000 + "x" + ")" * 20_000, "x:0")
    assert deep == "1"
    assert printed(monkeypatch, "+".join(["x"] * 2_000), "x:0") == "2000"
    nested = "x"
    for _ in range(60):
        nested = f"tanh({nested})"
    assert "tanh" in printed(monkeypatch, nested, "x:0")


def test_a_mean_that_turns_out_to_be_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    assert call(monkeypatch, "derive", "sum(layer_norm(x, (3,)))", "x:2,3").out == "zeros_like(x)\n"


# All inputs -----------------------------------------------------------------------------------------------------------


def test_every_input_is_derived_unless_some_are_named() -> None:
    words = ("derive", "sum((A@x - b)**2)", "A:2", "x:1", "b:1")
    formulas = {"A": "2*outer(A@x - b, x)", "x": "2*A.T@(A@x - b)", "b": "2*(b - A@x)"}
    text = "\n\n".join(f"{name}.grad\n{formula}" for name, formula in formulas.items())
    assert process(*words) == (0, f"{text}\n", "")
    assert process(*words, "--wrt", "A,x,b,A") == process(*words)
    assert process(*words, "--wrt", "x").out == formulas["x"] + "\n"
    data = json.loads(process(*words, "--format", "json").out)["grads"]
    assert {name: one["formula"] for name, one in data.items()} == formulas
    assert data["x"] == json.loads(process(*words, "--wrt", "x", "--format", "json").out)
    latex = process(*words, "--format", "latex").out
    assert [line for line in latex.splitlines() if line[:1] == "%"] == ["% A.grad", "% x.grad", "% b.grad"]
    # Integers have no gradient, and are no reason not to derive the rest.
    assert process("derive", "cross_entropy(z, t)", "z:2", "t:1:int64") == process(
        "derive", "cross_entropy(z, t)", "z:2", "t:1:int64", "--wrt", "z"
    )


def test_a_module_for_every_input() -> None:
    code = process("derive", "sum(softplus(x)*softplus(y))", "x:1", "y:1", "--format", "python").out
    names: dict[str, Any] = {}
    exec(code, names)
    x, y = np.array([1.0, 2.0]), np.array([0.5, -3.0])
    sigmoid, softplus = lambda t: 1 / (1 + np.exp(-t)), lambda t: np.log1p(np.exp(t))
    assert np.allclose(names["gradient_x"](x, y), sigmoid(x) * softplus(y))
    assert np.allclose(names["gradient_y"](x, y), sigmoid(y) * softplus(x))
    assert code.count("def softplus") == code.count("def sigmoid") == 1


@pytest.mark.parametrize(
    "names", [("np", "np_"), ("np", "np__"), ("lambda_", "sigmoid"), ("pi", "e"), ("inf", "nan"), ("float32", "math")]
)
def test_inputs_with_names_that_mean_something_else_in_python(names: tuple[str, str]) -> None:
    first, second = names
    expression = f"sum(sigmoid({first})*{second}**2)"
    code = process("derive", expression, f"{first}:1", f"{second}:1", "--format", "python").out
    defined: dict[str, Any] = {}
    exec(code, defined)
    a, b = np.array([1.0, 2.0]), np.array([0.5, -3.0])
    p = 1 / (1 + np.exp(-a))
    assert np.allclose(defined[f"gradient_{first}"](a, b), p * (1 - p) * b**2)
    assert np.allclose(defined[f"gradient_{second}"](a, b), 2 * p * b)


@pytest.mark.parametrize("dtype", ["int64", "int16", "uint8", "bool", "float16", "half", "long"])
def test_dtypes_in_python(dtype: str) -> None:
    code = process("derive", f"sum(x.to({dtype}).double()*x)", "x:1", "--format", "python").out
    defined: dict[str, Any] = {}
    exec(code, defined)
    x = np.array([0.0, 1.25, 2.5])
    found = gc.evaluate(f"sum(x.to({dtype}).double()*x)", {"x": x}).grads["x"].numpy()
    assert np.allclose(defined["gradient"](x), found)


def test_headings_and_notes_of_several_inputs() -> None:
    done = process("derive", "x*y", "x:1", "y:1", "--jacobian")
    assert done.out == "x.jacobian\ny\n\ny.jacobian\nx\n"
    diagonal = "the Jacobian is diagonal: this is its diagonal"
    assert done.err == f"note: x: {diagonal}\nnote: y: {diagonal}\n"
    done = process("derive", "sum(x**3) + y", "x:1", "y:0", "--order", "2")
    assert done.out == "x.grad, order 2\n6*x\n\ny.grad, order 2\n0\n"
    assert done.err == "note: the value does not depend on y in this order\n"
    assert process("derive", "sum(x*y)", "--wrt", "x,,y").code == 2
    assert process("derive", "sum(x*y)", "x:1", "y:1", "--wrt", "x,z").err.startswith("gradcli: there is no input 'z'")
