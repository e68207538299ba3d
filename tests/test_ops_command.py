"""The reference of the operations on the command line, and that it and the docs have one source."""

from __future__ import annotations

import ast
import functools
import inspect
import json
import re
from importlib import import_module

import pytest

from gradcli.graph.op import OPS, Op
from gradcli.language.constants import LOOPS
from gradcli.ops.homes import HOMES
from gradcli.reference import formulas
from gradcli.reference.entries import TITLES, entry, find, gradient_of, tables
from tests.command import call, process
from tests.terminal import ROOT

PUBLIC = [op for name, op in OPS.items() if op.public and name == op.name]

FORMULAS = functools.cache(formulas.formulas)


@pytest.fixture(autouse=True)
def derived_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The derivatives of all operations, which most of these tests ask for, are derived once."""
    monkeypatch.setattr(formulas, "formulas", FORMULAS)


def test_one_operation() -> None:
    assert process("ops", "softplus") == (
        0,
        "softplus(input, beta=1.0, threshold=20.0)\n"
        "\n"
        "log(1 + exp(beta*input))/beta, and the input itself above threshold/beta.\n"
        "\n"
        "family      Activations\n"
        "PyTorch     torch.nn.functional.softplus\n"
        "backward    SoftplusBackward0\n"
        "gradient    yes, to any order\n"
        "derivative  sigmoid(input)\n"
        "method      x.softplus(beta=1.0, threshold=20.0)\n",
        "",
    )


def test_some_operations(monkeypatch: pytest.MonkeyPatch) -> None:
    """tests/test_docs.py sees to it that the page is what the rows say now."""
    _shown_and_on_the_page(PUBLIC[::5], monkeypatch)


@pytest.mark.slow
def test_every_operation(monkeypatch: pytest.MonkeyPatch) -> None:
    """One test, as all derivatives take their time."""
    _shown_and_on_the_page(PUBLIC, monkeypatch)
    _stands_in_json(monkeypatch)


def _shown_and_on_the_page(ops: list[Op], monkeypatch: pytest.MonkeyPatch) -> None:
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    for op in ops:
        _can_be_shown(op, monkeypatch)
        _is_on_the_page_as_the_command_shows_it(op, page)
        gradient, formula = gradient_of(op), entry(op).derivative
        assert formula == gradient if gradient != "yes" else formula not in (None, "", "yes"), op.name


def _can_be_shown(op: Op, monkeypatch: pytest.MonkeyPatch) -> None:
    done = call(monkeypatch, "ops", op.name)
    # What is called like a loop of the language stands behind that.
    assert (done.code, done.err) == (0, "") and f"\n\n{op.name}({op.signature.text})\n\n" in f"\n\n{done.out}"
    assert op.doc.replace("`", "") in done.out and (op.torch or f"torch.{op.name}") in done.out
    for alias in op.aliases:
        assert call(monkeypatch, "ops", alias) == done


def test_the_list(monkeypatch: pytest.MonkeyPatch) -> None:
    done = call(monkeypatch, "ops")
    assert (done.code, done.err) == (0, "")
    listed = re.findall(r"^  (\w+)\(", done.out, re.M)
    assert sorted(listed) == sorted(op.name for op in PUBLIC)
    assert [line for line in done.out.splitlines() if line in TITLES.values()] == list(TITLES.values())
    for columns in ("60", "100", "300"):
        monkeypatch.setenv("COLUMNS", columns)
        lines = call(monkeypatch, "ops").out.splitlines()
        assert all(len(line) <= 120 for line in lines)
        # Only a signature may be longer than the screen.
        assert all(len(line) <= int(columns) or line.startswith("  ") and "(" in line for line in lines)


def test_one_family(monkeypatch: pytest.MonkeyPatch) -> None:
    done = call(monkeypatch, "ops", "linalg")
    assert done.out.startswith("Linear algebra\n  inv(input)") and "softplus" not in done.out
    # Where an operation has the same name, the title's first word means the family.
    assert call(monkeypatch, "ops", "diagonal").out.startswith("diagonal(input, offset")
    assert call(monkeypatch, "ops", "Products") == call(monkeypatch, "ops", "products")
    assert call(monkeypatch, "ops", "diagonals").out.startswith("Diagonals and triangles\n")
    assert {row["family"] for row in json.loads(call(monkeypatch, "ops", "products", "--json").out)} == {"matmul"}


def _stands_in_json(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = json.loads(call(monkeypatch, "ops", "--json").out)
    assert sorted(row["name"] for row in rows) == sorted(op.name for op in PUBLIC)
    one = json.loads(call(monkeypatch, "ops", "clip", "--json").out)
    assert one in rows and (one["name"], one["aliases"], one["torch"]) == ("clamp", ["clip"], "torch.clamp")
    by_name = {row["name"]: row for row in rows}
    assert (by_name["floor"]["gradient"], by_name["floor"]["derivative"]) == ("0", "0")
    assert (by_name["isnan"]["gradient"], by_name["sin"]["gradient"]) == (None, "yes")


def test_errors_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    done = call(monkeypatch, "ops", "sinus", "--json")
    assert json.loads(done.err)["error"]["message"] == "there is no operation 'sinus'"


# One source -----------------------------------------------------------------------------------------------------------


def test_operations_stand_in_the_table_of_the_module_that_defines_them() -> None:
    homes: dict[Op, str] = {}
    for module in (import_module(f"gradcli.ops.{name}") for name in HOMES):
        imports = [n for n in ast.walk(ast.parse(inspect.getsource(module))) if isinstance(n, ast.ImportFrom)]
        borrowed = {alias.asname or alias.name for node in imports for alias in node.names}
        for name, value in vars(module).items():
            if isinstance(value, Op) and name not in borrowed:
                homes[value] = module.__name__.rpartition(".")[2]
    found = {op: table for table, ops in tables().items() for op in ops}
    assert found == {op: homes[op] for op in PUBLIC}
    assert set(found.values()) == set(TITLES)


def _is_on_the_page_as_the_command_shows_it(op: Op, page: str) -> None:
    (line,) = [line for line in page.splitlines() if line.startswith(f"| `{op.name}(")]
    formula = entry(op).derivative
    shown = gradient_of(op) or "–" if formula in (None, "0") else f"`{formula}`".replace("\n", "`<br>`")
    shown = shown.replace("|", "\\|")
    assert line.endswith(f"| {shown} |") and f"`{entry(op).torch}`" in line


def test_gradients_have_their_formulas(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {
        "exp": "exp(input)",
        "neg": "-1",
        "mm": "input: g@mat2.T\nmat2: input.T@g",
        "det": "input: g*det(input)*inv(input).T",
        "softmax": "input: softmax(input, 0)*(g - g@softmax(input, 0))",
        "stack": "a: g[0]\nb: g[1]",
    }
    assert {name: entry(find(name)).derivative for name in known} == known
    assert (entry(find("softmax")).call, entry(find("mm")).call) == ("softmax(input, 0)", None)
    shown = call(monkeypatch, "ops", "stack").out
    assert "derivative  of stack([a, b]), for the gradient g of the result:\n            a: g[0]\n" in shown
    assert "derivative  for the gradient g of the result:\n            input: g@" in call(monkeypatch, "ops", "mm").out


def test_gradients() -> None:
    known = {"exp": "yes", "sign": "0", "eq": None, "mse_loss": "yes", "zeros": None, "det": "yes"}
    for name, gradient in known.items():
        assert gradient_of(find(name)) == gradient, name
    assert (entry(find("sign")).derivative, entry(find("eq")).derivative) == ("0", None)
    assert entry(find("matmul")).derivative == "input: g@other.T\nother: input.T@g"
    assert entry(find("log")).derivative == "1/input" and entry(find("logdet")).derivative == "input: g*inv(input).T"


@pytest.mark.parametrize("name", LOOPS)
def test_loops(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    done = call(monkeypatch, "ops", name)
    assert done.code == 0 and done.out.startswith(f"{name}(f, ") and "family      Loops" in done.out
    # One is an operation, too.
    assert (f"\n{name}(input" in done.out) == (name in OPS) == ("PyTorch  " in done.out)


@pytest.mark.parametrize(
    ("name", "signature", "operation"),
    [
        ("np.std", "a, axis=None, dtype=None, out=None, ddof=0", "these arguments and defaults; the operation is std"),
        ("torch.std", "input, dim=None, unbiased=None", "is std"),
        ("F.relu", "input)", "is relu"),
        ("nn.functional.gelu", "input, *, approximate='none')", "is gelu"),
        ("torch.linalg.norm", "A, ord=None", "linalg_norm"),
        ("jnp.exp", "x", "the operation is exp, whose own are"),
    ],
)
def test_functions_of_other_libraries(
    name: str, signature: str, operation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = call(monkeypatch, "ops", name)
    assert done.out.startswith(f"{name}({signature}") and f"In expressions, {name} " in done.out
    assert operation in done.out and "\ngradient    yes, to any order\n" in done.out
    assert json.loads(call(monkeypatch, "ops", name, "--json").out)["operation"]["gradient"] == "yes"


def test_the_derivative_is_that_of_the_defaults_of_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    own, other = (call(monkeypatch, "ops", name).out for name in ("std", "np.std"))
    assert "derivative  for the gradient g" in own and "((input.numel() - 1)*std(input))" in own
    assert "derivative  of np.std(a), for the gradient g" in other
    assert "a: g*(a - mean(a))/(a.numel()*std(a, correction=0))\n" in other
    # Of a median of other ranks the formula is long: the one that is shown says whose it is.
    assert "derivative  of median(input), for" in call(monkeypatch, "ops", "np.median").out


@pytest.mark.parametrize(
    ("sign", "name"), [("@", "matmul"), ("+", "add"), ("**", "pow"), ("-", "sub"), ("~", "bitwise_not")]
)
def test_signs_of_the_language(sign: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert call(monkeypatch, "ops", sign) == call(monkeypatch, "ops", name)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("vmap", "it is called 'each' here"),
        ("x.std", "leave the prefix out: std"),
        ("tf.nn.relu", "leave the prefix out: relu"),
        ("a.b.c", "`gradcli ops` lists them all"),
        (".", "`gradcli ops` lists them all"),
        ("sec", "write 1/cos(x)"),
        ("np.flor", "did you mean numpy.floor?"),
        ("activatoin", "did you mean 'activation'?"),
    ],
)
def test_words_of_others(name: str, hint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    done = call(monkeypatch, "ops", name)
    assert done.code == 2 and done.err.endswith(f"hint: {hint}\n")
