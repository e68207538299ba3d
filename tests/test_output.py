"""What is printed: parts of the answer, one tensor alone, notes on what is not finite."""

from __future__ import annotations

import io
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.command import COMMAND, call, environment, leftovers, process, shell

CUBE = ("eval", "sum(x**3)", "x=[1, 2]")
CHAIN = "SumBackward0\n└─ PowBackward0\n   └─ AccumulateGrad x\n"
WHO_KNOWS = "`gradcli check` names the operation"


@pytest.fixture(autouse=True)
def own_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


# One tensor, or some parts --------------------------------------------------------------------------------------------

SHOWN = [
    (("--only", "x.grad"), "tensor([ 3., 12.])\n"),
    (("--only", "value"), "tensor(9., grad_fn=<SumBackward0>)\n"),
    (("--only", "x.hessian"), "tensor([[ 6.,  0.],\n        [ 0., 12.]])\n"),
    (("--only", "x,x.hessian", "--format", "json"), "[[6.0, 0.0], [0.0, 12.0]]\n"),
    (("--only", "x.jacobian"), "tensor([ 3., 12.])\n"),
    (("--only", "x.hvp", "--hvp", "x=[1, 0]"), "tensor([6., 0.])\n"),
    (("--only", "jvp", "--jvp", "x=1"), "tensor(15.)\n"),
    (("--only", "x.grad", "--json"), "[3.0, 12.0]\n"),
    (("--only", "x.grad", "--format", "csv"), "3.0\n12.0\n"),
    (("--only", "x.hessian", "--format", "csv"), "6.0,0.0\n0.0,12.0\n"),
    (("--only", "value", "--format", "csv"), "9.0\n"),
    (("--only", "x.grad", "--precision", "1", "--dtype", "float64"), "tensor([ 3., 12.], dtype=float64)\n"),
    (("--show", "value"), "tensor(9., grad_fn=<SumBackward0>)\n"),
    (("--show", "graph"), CHAIN),
    (("--show", "grads"), "x.grad\ntensor([ 3., 12.])\n"),
    (("--show", "grads, value"), "tensor(9., grad_fn=<SumBackward0>)\n\nx.grad\ntensor([ 3., 12.])\n"),
    (("--show", "hessian"), "x,x.hessian\ntensor([[ 6.,  0.],\n        [ 0., 12.]])\n"),
    (("--show", "value", "--json"), '{"value": 9.0, "shape": [], "dtype": "float32"}\n'),
    (("--show", "grads", "--format", "json"), '{"grads": {"x": [3.0, 12.0]}}\n'),
    (("-q",), "tensor(9., grad_fn=<SumBackward0>)\n\nx.grad\ntensor([ 3., 12.])\n"),
    (("-q", "--show", "graph"), CHAIN),
    ((), f"tensor(9., grad_fn=<SumBackward0>)\n\n{CHAIN}\nx.grad\ntensor([ 3., 12.])\n"),
    (("--show", "value,graph,grads"), f"tensor(9., grad_fn=<SumBackward0>)\n\n{CHAIN}\nx.grad\ntensor([ 3., 12.])\n"),
]


@pytest.mark.parametrize(("words", "out"), SHOWN)
def test_shown(words: tuple[str, ...], out: str) -> None:
    assert process(*CUBE, *words) == (0, out, "")


def test_what_there_is_none_of_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("eval", "sum(x)*i", "x=[1, 2]", "i=arange(3)[2]")
    note = "note: i is int64: only floating-point inputs have gradients\n"
    assert call(monkeypatch, *words, "--only", "i.grad") == (0, "None\n", note)
    assert call(monkeypatch, *words, "--only", "i.grad", "-q") == (0, "None\n", "")
    assert call(monkeypatch, *words, "--only", "i.grad", "--json") == (0, "null\n", note)
    assert call(monkeypatch, *words, "--show", "grads") == (0, "x.grad\ntensor([2., 2.])\n\ni.grad\nNone\n", "")
    assert call(monkeypatch, "eval", "i*2", "i=arange(2)", "--show", "graph,grads") == (0, "None\n\nNone\n", note)
    found = json.loads(call(monkeypatch, "eval", "i*2", "i=arange(2)", "--show", "graph,grads", "--json").out)
    assert found == {"grad_fn": None, "graph": [], "grads": None}


def test_integers_of_a_file_have_no_gradient(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text("a\n1\n3\n")
    note = "note: i is int64: only floating-point inputs have gradients\n"
    assert call(monkeypatch, "eval", "sum(i**2)", f"i={path}:a") == (0, "tensor(10)\n", note)
    # Nobody asks for gradients, another input has one, or nothing could have one.
    for words in (
        ("sum(i)", "-q"),
        ("sum(i)", "--no-grad"),
        ("sum(i)", "--show", "value"),
        ("sum(i)", "-o", f"value={tmp_path / 'sum.npy'}"),
        ("sum(i*w)", "w=2"),
        ("any(i > 2)",),
    ):
        assert call(monkeypatch, "eval", *words, f"i={path}:a").err == ""
    # Those that are written out are meant to be integers.
    assert call(monkeypatch, "eval", "sum(i)", "i=arange(3)").err == ""


def test_npy(monkeypatch: pytest.MonkeyPatch) -> None:
    done = subprocess.run(
        [*COMMAND, *CUBE, "--only", "x.hessian", "--format", "npy"], capture_output=True, env=environment(), check=True
    )
    found = np.load(io.BytesIO(done.stdout))
    assert found.dtype == np.float32 and found.tolist() == [[6.0, 0.0], [0.0, 12.0]] and not done.stderr
    line = "$G eval 'x**2' x='[1, 2]' --grad-output 1 --only x.grad --format npy | $G eval 'sum(g)' g=@- --only value"
    assert shell(line) == (0, "tensor(6., grad_fn=<SumBackward0>)\n", "")


def test_only_what_is_shown_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    # The Hessian of so many inputs would need 40 TB, their gradient fits.
    words = ("eval", "sum(x**2)", "x=ones(3000000)", "--memory-limit", "100MB")
    assert call(monkeypatch, *words, "--hessian").code == 2
    assert call(monkeypatch, *words, "--hessian", "--only", "value").code == 0
    ran: list[int] = []
    from gradcli.evaluation import compiled

    kept = compiled.plan
    monkeypatch.setattr(compiled, "plan", lambda roots, **more: ran.append(len(roots)) or kept(roots, **more))
    assert call(monkeypatch, *CUBE, "--only", "value").code == 0
    assert call(monkeypatch, *CUBE, "--only", "x.grad", "-o", "value=v.npy").code == 0
    assert call(monkeypatch, *CUBE, "--show", "graph").code == 0
    assert call(monkeypatch, *CUBE).code == 0
    assert ran == [1, 2, 2] and np.load("v.npy") == 9


def test_files_besides(monkeypatch: pytest.MonkeyPatch) -> None:
    done = call(monkeypatch, *CUBE, "--only", "value", "-o", "results/", "-q")
    assert done == (0, "tensor(9., grad_fn=<SumBackward0>)\n", "")
    assert leftovers("results") == ["value.npy", "x.grad.npy"]
    assert call(monkeypatch, *CUBE, "--show", "value", "-o", "x.grad=g.npy").code == 0
    assert np.load("g.npy").tolist() == [3.0, 12.0]


def test_no_gradient_is_no_news_where_none_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("eval", "x**2", "x=[1, 2]")
    assert call(monkeypatch, *words, "--only", "value") == (0, "tensor([1., 4.], grad_fn=<PowBackward0>)\n", "")
    for more in (("--only", "x.grad"), ("--show", "value,grads")):
        done = call(monkeypatch, *words, *more)
        assert (done.code, done.out) == (2, "") and "needs a vector to multiply with" in done.err
    assert call(monkeypatch, *words, "--only", "x.grad", "--grad-output", "1").out == "tensor([2., 4.])\n"


REFUSED = [
    (("--only", "x.gard"), "there is no result 'x.gard' to show\nhint: did you mean 'x.grad'?"),
    (("--only", "x.hesian"), "there is no result 'x.hesian' to show\nhint: did you mean 'x.hessian'?"),
    (("--only", "zzz"), "there is no result 'zzz' to show\nhint: choose from value, x.grad, x.jacobian, x.hessian"),
    (("--only", ""), "there is no result '' to show"),
    (("--show", "valeu"), "--show has no part 'valeu'\nhint: did you mean 'value'?"),
    (("--show", "value,"), "--show has no part ''"),
    (("--show", "value", "--only", "value"), "--show cannot be combined with --only"),
    (("--only", "x.grad", "--no-grad"), "x.grad is not computed\nhint: --no-grad differentiates nothing"),
    (("--show", "grads", "--no-grad"), "--no-grad cannot be combined with --show grads"),
    (("--only", "x.hessian", "--no-grad"), "--no-grad cannot be combined with --hessian"),
    (("--only", "jvp"), "there is no jvp to show\nhint: give its vector with --jvp NAME=VALUE"),
    (("--only", "x.hvp"), "there is no hvp to show\nhint: give its vector with --hvp NAME=VALUE"),
    (("--show", "jvp"), "there is no jvp to show"),
    (("--format", "csv"), "--format csv is for one tensor\nhint: name it, as in --only x.grad"),
    (("--format", "npy", "--show", "value"), "--format npy is for one tensor"),
    (("--only", "value", "--format", "xml"), "invalid value for '--format'"),
    (("--only", "value", "--format", "csv", "--json"), "--json cannot be combined with --format csv"),
    (("--only", "value", "-o", "x.grad=-"), "--only and an array cannot both go to standard output"),
    (("--show", "value", "-o", "x.grad=-"), "--show and an array cannot both go to standard output"),
]


@pytest.mark.parametrize(("words", "message"), REFUSED)
def test_refused(words: tuple[str, ...], message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    done = call(monkeypatch, *CUBE, *words)
    assert (done.code, done.out) == (2, "") and message in done.err, done
    # Before anything is read.
    assert "missing.npy" not in call(monkeypatch, "eval", "sum(x**3)", "x=missing.npy", *words).err


def test_refused_by_what_the_inputs_are(monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("eval", "sum(x)*i", "x=[1, 2]", "i=arange(3)[2]")
    assert "i.grad is not computed" in call(monkeypatch, *words, "--wrt", "x", "--only", "i.grad").err
    for form in ("csv", "npy"):
        done = call(monkeypatch, *words, "--only", "i.grad", "--format", form)
        assert done.code == 2 and "i.grad is None: there is no gradient to write" in done.err
    done = call(monkeypatch, "eval", "x", "x=ones(2,2,2)", "--only", "value", "--format", "csv")
    assert (done.code, done.out) == (2, "") and "a table has two dimensions" in done.err


def test_large_tensors_one_by_one() -> None:
    done = process("eval", "x + 1", "x=zeros(3000,2)", "--only", "value", "--format", "csv", "-q")
    assert done.code == 0 and done.out == "1.0,1.0\n" * 3000
    done = process("eval", "x*1", "x=ones(20000000)", "--only", "value", "-o", "value=v.npy", "-q", "--no-grad")
    assert done == (0, "tensor([1., 1., 1.,  ..., 1., 1., 1.])\n", "")


# NaN and infinities ---------------------------------------------------------------------------------------------------

NOTED = [
    (("sum(log(x))", "x=[0, 2]"), "value is infinite; x.grad holds 1 infinity among 2 elements"),
    (("x/x", "x=[0, 0, 1]", "--no-grad"), "value holds 2 NaN among 3 elements"),
    (("log(x)", "x=[0, 0, -1]", "--no-grad"), "value holds 1 NaN and 2 infinities among 3 elements"),
    (("sum(x)/0", "x=[0, 0]", "--no-grad"), "value is NaN"),
    (("sum(sqrt(x))", "x=[0, 4]", "--only", "x.grad"), "x.grad holds 1 infinity among 2 elements"),
    (("sum(sqrt(x))", "x=[0, 4]", "--only", "value"), None),
    (("sum(x*y)", "x=[1, 2]", "y=[3, inf]", "--wrt", "x", "--json"), "value is infinite; x.grad holds 1 infinity"),
    (("x**1.5", "x=0", "--hessian"), "x,x.hessian is infinite"),
]


@pytest.mark.parametrize(("words", "told"), NOTED)
def test_a_note(words: tuple[str, ...], told: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    done = call(monkeypatch, "eval", *words)
    assert done.code == 0 and done.out
    assert done.err.startswith(f"note: {told}") and done.err.endswith(f": {WHO_KNOWS}\n") if told else not done.err
    quiet = call(monkeypatch, "eval", *words, "-q")
    assert (quiet.code, quiet.err) == (0, "")
    failed = call(monkeypatch, "eval", *words, "--fail-on-nan", "-o", "out/")
    if told:
        assert (failed.code, failed.out) == (1, "") and told in failed.err and WHO_KNOWS in failed.err
        assert leftovers() == []
        silent = call(monkeypatch, "eval", *words, "--fail-on-nan", "-q")
        assert (silent.code, silent.out) == (1, "")


def test_files_written_block_by_block_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    np.save("x.npy", np.arange(20_000_000, dtype=np.float32) - 5)
    words = ("eval", "1/x", "x=x.npy", "--no-grad", "-o", "value=v.npy", "-q")
    assert process(*words) == (0, "", "")
    done = process(*words[:-1])
    assert done.err == f"note: value holds 1 infinity among 20,000,000 elements: {WHO_KNOWS}\n"
    Path("v.npy").unlink()
    done = process(*words, "--fail-on-nan")
    assert done.code == 1 and "value holds 1 infinity among 20,000,000 elements" in done.err
    assert leftovers() == ["x.npy"]
    # Of what is only shown, all is computed for it.
    words = ("eval", "1/x", "x=x.npy", "--no-grad")
    shown = process(*words)
    assert shown.code == 0 and not shown.err
    assert process(*words, "--fail-on-nan").code == 1
    done = process("eval", "x", "x=x.npy", "--no-grad", "--fail-on-nan")
    assert (done.code, done.err) == (0, "") and done.out.startswith("tensor([-5.0000e+00, -4.0000e+00, ")


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_every_way_of_counting_gives_the_same(dtype: Any) -> None:
    from gradcli.evaluation.finite import NonFinite, Tally, count

    rng = np.random.default_rng(0)
    for shape in ((), (7,), (40_000,), (300, 200), (0, 3)):
        array = np.asarray(rng.normal(size=shape)).astype(dtype)
        array[...] = np.where(rng.random(shape) < 0.1, np.inf, array)
        array[...] = np.where(rng.random(shape) < 0.1, np.nan, array)
        expected = NonFinite(int(np.isnan(array).sum()), int(np.isinf(array).sum()), array.size)
        assert count(array) == expected
        tally = Tally()
        for _ in range(2):
            # All blocks come again.
            tally.restart()
            for block in np.array_split(np.atleast_1d(array), 3):
                tally.add(block)
        assert tally.of(array) == expected and bool(expected) == (not np.isfinite(array).all())
    assert count(np.arange(3)) == (0, 0, 3)


def test_an_item_fails() -> None:
    Path("data").mkdir()
    for name, values in {"a": [1.0, 2], "b": [0.0, 2], "c": [-1.0, 2]}.items():
        np.save(f"data/{name}.npy", values)
    words = ("batch", "sum(log(x))", "x=data/", "--save", "both")
    done = process(*words, "-o", "all")
    assert done.code == 0 and done.err == (
        "note: 2 of 3 items hold NaN or infinities; the first, 'b': value is infinite; x.grad holds 1 infinity among "
        "2 elements: `gradcli check` names the operation\n"
    )
    done = process(*words, "-o", "some", "--fail-on-nan", "--on-error", "skip")
    assert done.code == 1 and "2 of 3 items failed; the first: item 'b': value is infinite" in done.err
    assert [name for name in leftovers("some") if name.endswith(".npy")] == ["a.value.npy", "a.x.grad.npy"]
    lines = [json.loads(line) for line in Path("some/results.jsonl").read_text().splitlines()]
    assert [line.get("error", {}).get("message") for line in lines] == [
        None,
        "value is infinite; x.grad holds 1 infinity among 2 elements",
        "value is NaN",
    ]
    done = process(*words, "-o", "first", "--fail-on-nan")
    assert done.code == 1 and done.err.startswith("gradcli: item 'b': value is infinite")
    assert [name for name in leftovers("first") if name.endswith(".npy")] == ["a.value.npy", "a.x.grad.npy"]
    done = process(*words, "-o", "all", "--fail-on-nan", "--resume")
    assert done.code == 2 and "the run in all had another --fail-on-nan" in done.err


RECORDS = b'{"x": [1, 2], "id": 7}\n{"x": [0, 4]}\n'
STREAMED = [
    (("--show", "value"), '{"id": 7, "value": 0.6931472}\n{"value": "-Infinity"}\n'),
    (("--show", "grads"), '{"id": 7, "grads": {"x": [1.0, 0.5]}}\n{"grads": {"x": ["Infinity", 0.25]}}\n'),
    (("--only", "x.grad"), '[1.0, 0.5]\n["Infinity", 0.25]\n'),
    (("--only", "value"), '0.6931472\n"-Infinity"\n'),
]


@pytest.mark.parametrize(("words", "out"), STREAMED)
def test_parts_of_records(words: tuple[str, ...], out: str) -> None:
    assert process("stream", "sum(log(x))", *words, "-q", stdin=RECORDS) == (0, out, "")


def test_a_note_at_the_end_of_a_stream() -> None:
    done = process("stream", "sum(log(x))", stdin=RECORDS * 3)
    told = (
        "note: 3 of 6 records hold NaN or infinities; the first, line 2: value is infinite; x.grad holds 1 infinity "
        "among 2 elements: `gradcli check` names the operation\n"
    )
    assert (done.code, len(done.out.splitlines()), done.err) == (0, 6, told)
    Path("a.jsonl").write_bytes(RECORDS)
    done = process("stream", "sum(x/x)", "--only", "value", "a.jsonl")
    assert done.err == (
        "note: 1 of 2 records holds NaN or infinities; the first, line 2 of a.jsonl: value is NaN: `gradcli check` "
        "names the operation\n"
    )
    # What is not shown is not told of, and what is large is counted.
    assert process("stream", "sum(sqrt(x))", "--show", "value", stdin=RECORDS).err == ""
    done = process("stream", "x*ones(5000)/zeros(5000)", "--no-grad", stdin=b"1\n2\n")
    assert "2 of 2 records hold NaN or infinities; the first, line 1: value holds 5,000 infinities among" in done.err
    assert process("stream", "x*ones(5000)", "--no-grad", stdin=b"1\n").err == ""
    assert process("stream", "x*ones(5000, dtype=int64)", "--no-grad", "--dtype", "int64", stdin=b"1\n").err == ""


def test_a_record_fails() -> None:
    done = process("stream", "sum(log(x))", "--fail-on-nan", stdin=RECORDS)
    first, second = map(json.loads, done.out.splitlines())
    assert done.code == 1 and first == {"id": 7, "value": 0.6931472, "grads": {"x": [1.0, 0.5]}}
    assert second["line"] == 2 and second["error"]["message"].startswith("value is infinite; x.grad holds 1 infinity")
    assert process("stream", "sum(log(x))", "--fail-on-nan", "--only", "value", "--strict", stdin=RECORDS).code == 1
    # What is not shown is not computed, and so cannot fail.
    assert process("stream", "sum(sqrt(x))", "--fail-on-nan", "--show", "value", stdin=RECORDS).code == 0
    done = process("stream", "log(x)", "--only", "x.grad", stdin=RECORDS)
    assert done.code == 1 and done.out.count("needs a vector to multiply with") == 2
    assert process("stream", "sum(i)", "--only", "i.grad", "--dtype", "int64", stdin=b"[1]\n").out == "null\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--only", "x.gard"), "there is no result 'x.gard' to show\nhint: did you mean 'x.grad'?"),
        (("--show", "graph"), "--show has no part 'graph'"),
        (("--only", "value", "--output-format", "npy"), "--only chooses what the lines hold"),
        (("--only", "value", "--show", "value"), "--show cannot be combined with --only"),
    ],
)
def test_refused_by_stream(words: tuple[str, ...], message: str) -> None:
    done = process("stream", "sum(x)", *words, stdin=RECORDS)
    assert (done.code, done.out) == (2, "") and message in done.err


# Where they come from -------------------------------------------------------------------------------------------------

ORIGINS = [
    (("sum(log(x))", "x=[0, 2]"), 2, "  sum(log(x))\n      ^^^^^^\nhint: log gives an infinity in float32"),
    (("y = x - x; sum(x/y)", "x=[0, 2]"), 2, "sum(x/y)\n                  ^\nhint: div gives NaN in float32"),
    (("sum(sqrt(x))", "x=[0, 2]"), 0, "note: the derivative of sqrt gives an infinity in float32: sqrt(x)"),
    # In float64, which the check computes in, it is finite.
    (("sum(exp(x))", "x=[100, 2]"), 1, "note: exp gives an infinity in float32: exp(x)"),
    (("sum(x*y)", "x=[1, 2]", "y=[1, inf]"), 2, "hint: the input y holds an infinity"),
    (("sum(abs(x)**0.5*2)", "x=[0, 2]"), 1, "the derivative of pow gives an infinity in float32, at character 11"),
    (("sum(max(sqrt(x), 0)[0])", "x=[[0, 2], [1, -1]]"), 2, "hint: sqrt gives NaN in float32"),
]


@pytest.mark.parametrize(("words", "code", "told"), ORIGINS)
def test_check_names_the_operation(words: tuple[str, ...], code: int, told: str) -> None:
    done = process("check", *words)
    assert done.code == code and told in done.out + done.err, done


def test_in_the_dtype_of_the_file() -> None:
    np.save("narrow.npy", np.array([100.0], np.float32))
    np.save("wide.npy", np.array([100.0]))
    assert "exp gives an infinity in float32" in process("check", "sum(exp(x))", "x=narrow.npy").out
    assert "gives" not in process("check", "sum(exp(x))", "x=wide.npy").out


def test_what_completes_is_taken() -> None:
    from gradcli.cli import candidates
    from gradcli.cli.eval import eval_command
    from gradcli.cli.shown import PARTS

    with eval_command.make_context("eval", ["sum(x**3)", "x=[1, 2]"]) as context:
        assert {item.value for item in candidates.parts(context, "")} == set(PARTS)
        assert [item.value for item in candidates.tensors(context, "x.")] == ["x.grad", "x.jacobian", "x.hessian"]


@pytest.mark.parametrize(
    "words",
    [
        ("graph", "sum(x)", "x=x.npy", "--format", "dot", "-o", "x.npy"),
        ("graph", "sum(x)", "x=x.npy", "--format", "dot", "-o", "link"),
        ("plot", "sin(x)", "x=x.npy", "--format", "svg", "-o", "x.npy"),
        ("fit", "y = a*x", "x=x.npy", "y=x.npy", "--params", "a=1", "--predict", "x.npy"),
    ],
)
def test_no_picture_takes_the_place_of_an_input(words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    np.save("x.npy", np.arange(4.0))
    os.symlink("x.npy", "link")
    done = call(monkeypatch, *words)
    assert (done.code, done.out) == (2, "")
    assert f"{words[-1]} is an input of this command and would be overwritten\nhint: name another file\n" in done.err
    assert np.array_equal(np.load("x.npy"), np.arange(4.0))
