"""What the command does for those who use it well: every form of value, every option, pipes, terminals."""

from __future__ import annotations

import io
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.command import Done, call, leftovers, process, shell
from tests.talking import watch

NON_FINITE = "`gradcli check` names the operation"
EXAMPLE = ("eval", "mean(2*(3*x+7)**2)", "x=ones(2,2)")
ANSWER = """\
tensor(200., grad_fn=<MeanBackward0>)

MeanBackward0
└─ MulBackward0
   └─ PowBackward0
      └─ AddBackward0
         └─ MulBackward0
            └─ AccumulateGrad x

x.grad
tensor([[30., 30.],
        [30., 30.]])
"""


@pytest.fixture(autouse=True)
def own_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def npy(array: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.asarray(array))
    return stream.getvalue()


def refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def answer(done: Done, told: str = "") -> dict[str, Any]:
    """The JSON that a command printed: one line, strictly by the standard, and nothing else; a note may be `told`."""
    assert done.code == 0 and done.err == (f"note: {told}: {NON_FINITE}\n" if told else ""), done
    assert done.out.count("\n") == 1 and done.out.endswith("\n") and done.out.isascii()
    parsed: dict[str, Any] = json.loads(done.out, parse_constant=refuse)
    return parsed


# The main job ---------------------------------------------------------------------------------------------------------


def test_the_example() -> None:
    assert process(*EXAMPLE) == (0, ANSWER, "")


def test_json() -> None:
    assert answer(process(*EXAMPLE, "--json")) == {
        "value": 200.0,
        "shape": [],
        "dtype": "float32",
        "grad_fn": "MeanBackward0",
        "graph": [
            {"id": 0, "name": "MeanBackward0", "next": [1]},
            {"id": 1, "name": "MulBackward0", "next": [2, None]},
            {"id": 2, "name": "PowBackward0", "next": [3]},
            {"id": 3, "name": "AddBackward0", "next": [4, None]},
            {"id": 4, "name": "MulBackward0", "next": [5, None]},
            {"id": 5, "name": "AccumulateGrad", "variable": "x", "next": []},
        ],
        "grads": {"x": [[30.0, 30.0], [30.0, 30.0]]},
    }


def test_version_and_help() -> None:
    version = process("--version")
    assert version.code == 0 and re.fullmatch(r"gradcli \d+\.\d+\S*\n", version.out) and not version.err
    for words in (["-h"], ["--help"], []):
        assert "gradcli eval 'mean(2*(3*x+7)**2)' 'x=ones(2,2)'" in process(*words).out
    text = process("eval", "--help").out
    options = "--wrt --no-grad --grad-output -f -o --json --dtype --seed --precision --progress --no-progress -q -h"
    for option in options.split():
        assert re.search(rf"(^|[ ,/]){option}\b", text, re.MULTILINE), option


@pytest.mark.parametrize("columns", ["20", "80", "500"])
def test_help_fits_its_terminal(columns: str) -> None:
    done = process("eval", "--help", COLUMNS=columns)
    assert done.code == 0 and "EXPR" in done.out and not done.err


@pytest.mark.parametrize("words", [("--version",), ("eval", "--help"), ("eval", "x +", "x=1"), ("eval", "x", "x=[1,")])
def test_no_numpy_where_nothing_is_computed(words: tuple[str, ...]) -> None:
    code = (
        "import sys\nfrom gradcli.cli.main import run\n"
        f"code = run({list(words)!r})\n"
        "sys.exit(99 if 'numpy' in sys.modules else code)\n"
    )
    done = shell(f'$PYTHON -c "{code}"')
    assert done.code == (0 if words[-1].startswith("--") else 2), done


# Values ---------------------------------------------------------------------------------------------------------------


def test_every_form_of_value(monkeypatch: pytest.MonkeyPatch) -> None:
    np.save("a.npy", np.array([1, 2, 4], np.float32))
    os.rename("a.npy", "plain")
    np.save("b.npy", np.array([1, 2, 4], np.float32))
    np.savez("c.npz", first=np.zeros(9), second=np.array([1, 2, 4], np.float32))
    np.savez("only.npz", np.array([1, 2, 4], np.float32))
    for value in (
        "@plain",
        "@b.npy",
        "b.npy",
        "c.npz:second",
        "@c.npz:second",
        "only.npz",
        "@-",
        "[1, 2, 4]",
        "2**arange(3.)",
    ):
        done = call(monkeypatch, "eval", "sum(x*x)", f"x={value}", "--json", stdin=npy(np.array([1, 2, 4], np.float32)))
        assert answer(done)["value"] == 21.0, value
        assert answer(done)["grads"] == {"x": [2.0, 4.0, 8.0]}, value


@pytest.mark.parametrize("dtype", ["<f2", ">f2", "<f4", ">f4", "<f8", ">f8", "<i2", ">i8", "|u1", "|i1", ">u4", "|b1"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_files_of_any_dtype_and_order(dtype: str, order: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    array = np.asarray([[1, 0, 1], [0, 0, 1]], dtype, order=order)
    np.save("a.npy", array)
    found = answer(
        call(monkeypatch, "eval", "x[0] * 1", "x=a.npy", "--json", "--grad-output", "1")
        if array.dtype.kind == "f"
        else call(monkeypatch, "eval", "x[0] * 1", "x=a.npy", "--json", "-q")
    )
    assert found["value"] == [1, 0, 1] and found["shape"] == [3]
    if array.dtype.kind == "f":
        assert found["dtype"] == array.dtype.newbyteorder("=").name
        assert found["grads"] == {"x": [[1.0, 1.0, 1.0], [0.0, 0.0, 0.0]]}
    else:
        assert found["grads"] is None


@pytest.mark.parametrize(
    ("expression", "value"),
    [("-x", -3.0), ("-3*x", -9.0), ("-(x)", -3.0), ("-.5*x", -1.5), ("-q*1", -3.0), ("-h", None), ("- x", -3.0)],
)
def test_expressions_that_begin_with_a_minus_sign(
    expression: str, value: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "q" if "q" in expression else "x"
    done = call(monkeypatch, "eval", expression, f"{name}=3", "--json")
    if value is None:
        # This is the option.
        assert done.out.startswith("Usage:")
    else:
        assert answer(done)["value"] == value
        assert answer(call(monkeypatch, "eval", "--json", "--", expression, f"{name}=3"))["value"] == value


def test_names_of_inputs(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("sum", "e", "pi", "float32", "δ", "_", "__class__", "lambda", "x1"):
        found = answer(call(monkeypatch, "eval", f"{name} * 2 + sum({name})", f"{name}=3", "--json"))
        assert found["value"] == 9.0 and found["grads"] == {name: 3.0}, name


def test_literals_and_dtypes(monkeypatch: pytest.MonkeyPatch) -> None:
    def value(*words: str, told: str = "") -> tuple[Any, str]:
        found = answer(call(monkeypatch, "eval", "x", "--json", *words), told)
        return found["value"], found["dtype"]

    assert value("x=3") == (3.0, "float32")
    assert value("x=0.1", "--dtype", "float64") == (0.1, "float64")
    assert value("x=[0.1]", "--dtype", "float64") == ([0.1], "float64")
    assert value("x=16777217", "--dtype", "int32") == (16777217, "int32")
    assert value("x=[9007199254740993]", "--dtype", "int64") == ([9007199254740993], "int64")
    assert value("x=2.7", "--dtype", "int8") == (2, "int8")
    assert value("x=[0, 2]", "--dtype", "bool") == ([False, True], "bool")
    assert value("x=1e300", told="value is infinite") == ("Infinity", "float32")
    assert value("x=1e30", "--dtype", "float16", told="value is infinite") == ("Infinity", "float16")
    assert value("x=arange(3)") == ([0, 1, 2], "int64")
    assert value("x=True") == (True, "bool")
    np.save("a.npy", np.array(0.5, np.float16))
    assert value("x=a.npy", "--dtype", "float64") == (0.5, "float16")
    # Nothing of this stays behind for the next command.
    assert value("x=3") == (3.0, "float32")


def test_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    first, again, other = (
        answer(call(monkeypatch, "eval", "rand(3) + x", "x=randn(3)", "--seed", seed, "--json", "--no-grad"))["value"]
        for seed in ("0", "0", "1")
    )
    assert first == again != other
    # PyTorch: torch.manual_seed(0); torch.rand(2)
    assert process("eval", "rand(2)", "--seed", "0").out == "tensor([0.4963, 0.7682])\n"


# Options --------------------------------------------------------------------------------------------------------------


def test_wrt(monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("eval", "sum(x*y*i)", "x=[1, 2]", "y=[3, 4]", "i=arange(2)", "--json")
    assert answer(call(monkeypatch, *words))["grads"] == {"x": [0.0, 4.0], "y": [0.0, 2.0], "i": None}
    assert answer(call(monkeypatch, *words, "--wrt", "y"))["grads"] == {"x": None, "y": [0.0, 2.0], "i": None}
    assert answer(call(monkeypatch, *words, "--wrt", " y , x "))["grads"]["x"] == [0.0, 4.0]
    found = answer(call(monkeypatch, *words, "--no-grad"))
    assert (found["value"], found["grad_fn"], found["graph"], found["grads"]) == (8.0, None, [], None)
    assert "y.grad\nNone\n" in call(monkeypatch, "eval", "x*1 + 0*detach(y)", "x=1", "y=2").out


def test_grad_output(monkeypatch: pytest.MonkeyPatch) -> None:
    np.save("v.npy", np.array([1, 10], np.float64))
    for vector, gradient in {
        "1": [2.0, 4.0],
        "[1, 10]": [2.0, 40.0],
        "v.npy": [2.0, 40.0],
        "-0.5": [-1.0, -2.0],
    }.items():
        done = call(monkeypatch, "eval", "x**2", "x=[1, 2]", "--grad-output", vector, "--json")
        assert answer(done)["grads"] == {"x": gradient}, vector
    done = call(monkeypatch, "eval", "x**2", "x=[1, 2]", "--grad-output", "@-", "--json", stdin=npy([1.0, 10.0]))
    assert answer(done)["grads"] == {"x": [2.0, 40.0]}
    done = call(monkeypatch, "eval", "x*1", "x=2", "--dtype", "float64", "--grad-output", "0.1", "--json")
    assert answer(done)["grads"] == {"x": 0.1}
    done = call(monkeypatch, "eval", "x*1", "x=2", "--grad-output", "1e300", "--json")
    assert answer(done, "x.grad is infinite")["grads"] == {"x": "Infinity"}


def test_a_value_that_is_no_scalar(monkeypatch: pytest.MonkeyPatch) -> None:
    done = call(monkeypatch, "eval", "x*2", "x=[1, 2]")
    assert done.code == 0 and done.out.endswith("AccumulateGrad x\n")
    assert (
        done.err == "note: the value has shape (2,), so no gradient was computed: reduce it or give --grad-output 1\n"
    )
    assert call(monkeypatch, "eval", "x*2", "x=[1, 2]", "-q").err == ""
    assert call(monkeypatch, "eval", "x*2", "x=[1, 2]", "--no-grad") == (0, "tensor([2., 4.])\n", "")


def test_expression_files(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "# a loss\ny = 3*x + 7  # linear\nz = 2*y**2\nmean(z)\n"
    for content in (text.encode(), text.replace("\n", "\r\n").encode(), b"\xef\xbb\xbf" + text.encode()):
        Path("loss.txt").write_bytes(content)
        for words in (("-f", "loss.txt"), ("-floss.txt",), ("--file", "loss.txt"), ("--file=loss.txt",)):
            assert call(monkeypatch, "eval", *words, "x=ones(2,2)") == (0, ANSWER, ""), words
    assert call(monkeypatch, "eval", "-f", "-", "x=ones(2,2)", stdin=text.encode()) == (0, ANSWER, "")


def test_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    assert call(monkeypatch, "eval", "x", "x=1/3", "--no-grad", "--precision", "2").out == "tensor(0.33)\n"
    assert call(monkeypatch, "eval", "x", "x=1/3", "--no-grad", "--precision", "0").out == "tensor(0)\n"


# Output ---------------------------------------------------------------------------------------------------------------


def test_output_files(monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("eval", "sum(x**2)", "x=[1, 2]", "i=2")
    words = ("eval", "sum(x**2)*i", "x=[1, 2]", "i=2", "-o", "x.grad=g.npy", "--output", "value=v.npy")
    assert "x.grad\n" in call(monkeypatch, *words).out
    assert np.load("g.npy").tolist() == [4, 8] and np.load("g.npy").dtype == np.float32
    assert np.load("v.npy").tolist() == 10 and np.load("v.npy").shape == ()
    assert call(monkeypatch, *words, "-q") == (0, "", "")
    assert answer(call(monkeypatch, *words, "--json"))["value"] == 10.0
    assert leftovers() == ["g.npy", "v.npy"]


def test_output_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("eval", "sum(x**2)*i", "x=[1, 2]", "i=arange(3)[2]", "-q")
    assert call(monkeypatch, *words, "-o", "new/deep/") == (0, "", "")
    assert leftovers() == ["new", "new/deep", "new/deep/value.npy", "new/deep/x.grad.npy"]
    assert np.load("new/deep/x.grad.npy").tolist() == [4, 8]
    # An existing folder needs no slash.
    assert call(monkeypatch, *words, "-o", "new", "-o", "value=v.npy") == (0, "", "")
    assert {"new/value.npy", "new/x.grad.npy", "v.npy"} <= set(leftovers())


def test_a_file_can_be_replaced_by_its_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    np.save("x.npy", np.array([1.0, 2.0]))
    assert call(monkeypatch, "eval", "sum(x**2)", "x=x.npy", "-o", "x.grad=x.npy", "-q").code == 0
    assert np.load("x.npy").tolist() == [2, 4] and leftovers() == ["x.npy"]


def test_pipes() -> None:
    np.save("a.npy", np.array([1.0, 2.0, 3.0]))
    done = shell("$G eval 'x**2' x=@a.npy --grad-output 1 -o x.grad=- | $G eval 'sum(g)' g=@- --no-grad")
    assert done == (0, "tensor(12., dtype=float64)\n", "")
    done = shell("$G eval 'exp(x)' x=@- --no-grad -o value=- <a.npy | $G eval 'log(y)' y=@- --no-grad | cat")
    assert done == (0, "tensor([1., 2., 3.], dtype=float64)\n", "")
    done = shell("echo 'sum(x)' | $G eval -f - x=a.npy --no-grad")
    assert done == (0, "tensor(6., dtype=float64)\n", "")


@pytest.mark.parametrize("name", ["-", "/dev/stdout", "/dev/fd/1"])
def test_what_stands_on_standard_output_is_a_whole_npy_file(name: str) -> None:
    done = shell(f"$G eval 'sum(x)' 'x=ones(300,300)' -o x.grad={name} -o value=v.npy >g.npy")
    assert done == (0, "", "")
    assert np.array_equal(np.load("g.npy"), np.ones((300, 300))) and np.load("v.npy") == 90000
    assert os.path.getsize("g.npy") == 128 + 4 * 90000


def test_terminals_that_know_only_ascii() -> None:
    for variables in (
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "ascii:strict"},
        {"PYTHONIOENCODING": "latin-1"},
    ):
        done = process(*EXAMPLE, **variables)
        assert done == (0, ANSWER.replace("└", "`").replace("─", "-"), ""), variables
    done = process("eval", "δ*2", "δ=3", PYTHONIOENCODING="ascii")
    assert (done.code, done.err) == (0, "") and "`- AccumulateGrad \\u03b4\n" in done.out
    assert process(*EXAMPLE, PYTHONIOENCODING="", LC_ALL="C", LANG="C").code == 0
    done = process("eval", "x + " * 200 + "δδ", "x=1", PYTHONIOENCODING="ascii")
    assert done.code == 2 and "\n  ~x + x" not in done.out and done.err.splitlines()[1].startswith("  ~")


def test_a_large_value_is_summarized_and_json_has_all(monkeypatch: pytest.MonkeyPatch) -> None:
    assert call(monkeypatch, "eval", "x", "x=arange(2000.)", "--no-grad").out == (
        "tensor([0.0000e+00, 1.0000e+00, 2.0000e+00,  ..., 1.9970e+03, 1.9980e+03,\n        1.9990e+03])\n"
    )
    done = call(monkeypatch, "eval", "x/0", "x=arange(2000.) - 1", "--json", "--no-grad")
    found = answer(done, "value holds 1 NaN and 1,999 infinities among 2,000 elements")
    assert found["value"][:3] == ["-Infinity", "NaN", "Infinity"] and len(found["value"]) == 2000


# Terminals ------------------------------------------------------------------------------------------------------------

LONG = "+".join(f"sin(x*{k})" for k in range(1, 120))


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")
def test_on_a_terminal() -> None:
    code, shown = watch(*EXAMPLE, NO_COLOR="1")
    # On a busy machine it may take a second, after which a line tells how far it is, and is wiped.
    assert (code, re.sub(r"(\r *\d+%[^\r\n]*)+\r +\r", "", shown)) == (0, ANSWER)
    code, shown = watch("eval", "x", "x=@-", NO_COLOR="1")
    assert code == 2 and shown.startswith("gradcli: standard input is a terminal")
    code, shown = watch("eval", "x", "x=1", "-o", "value=-", NO_COLOR="1")
    assert code == 2 and shown.startswith("gradcli: standard output is a terminal")


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")
def test_progress_on_a_terminal() -> None:
    work = ("eval", f"sum({LONG})", "x=ones(3000000)", "--no-grad", "--dtype", "float64")
    code, shown = watch(*work, NO_COLOR="1")
    lines = shown.split("\r")
    assert code == 0 and len(lines) > 2, shown
    assert all(re.fullmatch(r" *\d+%  \d+\.\d\d GB/s  \d+ s left *", line) for line in lines[1:-2])
    # Wiped at the end, before the answer.
    assert not lines[-2].strip() and re.fullmatch(r"tensor\(.*\)\n", lines[-1])


def test_progress_where_nobody_watches(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 10**6, 3))
    monkeypatch.setattr("gradcli.cli.progress.time.monotonic", lambda: next(clock))
    words = ("eval", "sum(sin(x)*2)", "x=[1, 2]", "--no-grad")
    assert call(monkeypatch, *words).err == ""
    shown = call(monkeypatch, *words, "--progress").err
    assert re.fullmatch(r"(\r *\d+%  0\.00 GB/s  \d+ s left *)+\r +\r", shown)
    assert call(monkeypatch, *words, "--progress", "-q").err == ""
    assert call(monkeypatch, *words, "--no-progress").err == ""
    # What is over within a second.
    monkeypatch.setattr("gradcli.cli.progress.time.monotonic", lambda: 0.0)
    assert call(monkeypatch, *words, "--progress").err == ""
