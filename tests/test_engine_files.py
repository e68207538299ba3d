"""Files in and files out, block by block: the bits of arrays in memory, little memory, and no half of a file ever."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

import gradcli as gc
from gradcli.engine.native.choice import chosen, using
from gradcli.engine.native.step import NativeStep
from gradcli.engine.plan.passes import Step, Sum
from gradcli.engine.plan.planner import plan
from gradcli.engine.plan.program import Program, Sizes
from gradcli.evaluation.request import prepare
from gradcli.evaluation.values import InputSpec
from gradcli.graph.node import Node
from gradcli.language.parse import parse
from gradcli.machine.limits import LARGE
from gradcli.storage import FileArray, FileSink, loading, open_array, opening
from gradcli.storage.file_array import Descriptor
from tests.command import COMMAND, call, ended_by, environment, leftovers, shell
from tests.peak import measured
from tests.test_explain import sparse, strict

# Beyond what the interpreter with NumPy takes.
SPARE = 250 << 20


@pytest.fixture(autouse=True)
def own_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def everything_is_large(monkeypatch: pytest.MonkeyPatch, in_blocks: None) -> None:
    """Files and results of any size are read and written in blocks."""
    monkeypatch.setattr(opening, "LARGE", 0)
    monkeypatch.setattr(loading, "LARGE", 0)
    monkeypatch.setattr("gradcli.cli.output_files._LARGE", 0)


# The same bits --------------------------------------------------------------------------------------------------------

# Rows that are no multiple of any block, long and short ones, one dimension and three.
SHAPES = {"x": (150_007,), "X": (20_011, 9), "Y": (307, 1_009), "T": (31, 71, 53), "A": (6, 101, 133)}
EXPRESSIONS = {
    "mean(2*(3*x + 7)**2)": "x",
    "x*sum(exp(x)) + 1": "x",
    "sum(((X - mean(X, 0))/std(X, 0))**2)": "X",
    "softmax(X, 1)": "X",
    "logsumexp(X, 0)": "X",
    "X.T @ X": "X",
    "Y.T*2 - sum(Y, 1)": "Y",
    "relu(Y @ Y.T)": "Y",
    "sum(T**2, (0, 2)) + 1": "T",
    "T.permute(2, 0, 1) + 1": "T",
    "softmax(A*2, 2) + sum(A)": "A",
    "cumsum(x, 0)*x": "x",
    # Of what is kept between passes nothing may end up in the file of a result of the same shape.
    "p = exp(Y); sort(p, 0)[0]*p": "Y",
}
# Parts of a file, of which no more is read, and what several passes need, which is kept or computed again.
PARTS = {
    "sum(X[:, 2:5])": "X",
    "mean(X[:, ::2]*exp(X[:, 3:8]), 0)": "X",
    "sum(X[7:, 4]**2) + mean(X[::3])": "X",
    "sum(relu(Y[:, 5:900] @ Y[:300, 5:900].T))": "Y",
    "sum(T[3]*T[:, :, 5:30].sum(0).sum(1)[:, None])": "T",
    "T[:, 4:60][2:].view(29, -1).std(1)": "T",
    "sum(softmax(X, 0)**2) + var(X[:, 1])": "X",
    "t = tanh(X@X[:9]); sum(t/sum(t, 0)) + amax(t)": "X",
    "p = exp(x); mean(p*x[5:].sum())/mean(p)": "x",
}


@pytest.mark.parametrize("engine", ["numpy", "native"])
@pytest.mark.parametrize("dtype", ["<f2", "<f4", "<f8", ">f4"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_the_bits_of_arrays_in_memory(
    order: str, dtype: str, engine: str, everything_is_large: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    gc.set_engine(engine)
    rng = np.random.default_rng(4)
    for name, shape in SHAPES.items():
        np.save(f"{name}.npy", np.asarray(rng.normal(0, 0.5, shape).astype(dtype), order=order))  # type: ignore[call-overload]
    for expression, name in {**EXPRESSIONS, **PARTS}.items():
        assert isinstance(open_array(f"{name}.npy"), FileArray)
        array = np.load(f"{name}.npy")
        inputs = {name: array.astype(array.dtype.newbyteorder("="), order="K")}
        expected = gc.evaluate(expression, inputs, grad_output=0.5)
        words = [
            "eval",
            expression,
            f"{name}={name}.npy",
            "--grad-output",
            "0.5",
            "-o",
            "out/",
            "-q",
            "--engine",
            engine,
        ]
        assert call(monkeypatch, *words) == (0, "", ""), expression
        assert expected.grads is not None
        for file, tensor in {"value": expected.value, f"{name}.grad": expected.grads[name]}.items():
            assert tensor is not None
            got, wanted = np.load(f"out/{file}.npy"), tensor.detach().numpy()
            assert (got.shape, got.dtype) == (wanted.shape, wanted.dtype), (expression, file)
            assert got.tobytes() == wanted.tobytes(), (expression, file)
    written = ["out/value.npy", *(f"out/{name}.grad.npy" for name in SHAPES)]
    assert leftovers() == sorted(["out", *written, *(f"{name}.npy" for name in SHAPES)])


# What is little is computed operation by operation, as in these that look at few elements.
LITTLE = {
    "exp(X[:, :3]).sum(1)": "X",
    "mean(tanh(X[:, 1:4]), 0)": "X",
    "logsumexp(Y[4:9, 2:700], 1)": "Y",
    "Y.T[:5, :3]*2": "Y",
    "sum(T[5, 3:9]**2) + T[1, 2, 3]": "T",
    "exp(x[:70000]).sum().expand(5000000)": "x",
}


@pytest.mark.parametrize("engine", ["numpy", "native"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_the_bits_of_what_is_little(order: str, engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "LARGE", 0)
    monkeypatch.setattr("gradcli.cli.output_files._LARGE", 0)
    gc.set_engine(engine)
    rng = np.random.default_rng(4)
    for name, shape in SHAPES.items():
        np.save(f"{name}.npy", np.asarray(rng.normal(0, 0.5, shape), order=order))  # type: ignore[call-overload]
    for expression, name in LITTLE.items():
        expected = gc.evaluate(expression, {name: np.load(f"{name}.npy")}, wrt=())
        words = ["eval", expression, f"{name}={name}.npy", "--no-grad", "-o", "out/", "-q", "--engine", engine]
        assert call(monkeypatch, *words) == (0, "", ""), expression
        assert np.load("out/value.npy").tobytes() == expected.value.numpy().tobytes(), expression


def test_the_bits_of_a_small_part_of_a_large_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is little is one native function: of the same part, whether it is of a file or of an array as large."""
    array = np.lib.format.open_memmap("X.npy", "w+", np.float64, (LARGE // 72 + 1, 9))
    array[:50] = np.random.default_rng(5).standard_normal((50, 9))
    array.flush()
    gc.set_engine("native")
    for expression in ("sum(exp(X[:7])*X[3:10], 0)", "mean(tanh(X[3:50])**2)", "r = X[:40, :3]; var(r.T*exp(r.T), 1)"):
        expected = gc.evaluate(expression, {"X": np.load("X.npy")}, wrt=())
        words = ["eval", expression, "X=X.npy", "--no-grad", "-o", "out/", "-q", "--engine", "native"]
        assert call(monkeypatch, *words) == (0, "", ""), expression
        assert np.load("out/value.npy").tobytes() == expected.value.numpy().tobytes(), expression


def test_a_small_part_of_a_large_array_again_and_again() -> None:
    """What is prepared once for many runs takes the part at each."""
    array = np.zeros((LARGE // 72 + 1, 9))
    array[:50] = np.random.default_rng(5).standard_normal((50, 9))
    loss, start = "mean((X[:50]@w - X[:50, 3])**2) + 0.1*sum(w*w)", np.ones(9)
    loop = "step(w) = w - 0.01*X[:50].T@(X[:50]@w - 1); sum(iterate(step, w, 300))"
    for engine in ("numpy", "native"):
        gc.set_engine(engine)
        found, expected = (
            [
                gc.minimize(loss, {"X": data, "w": start}, wrt="w").value.item(),
                gc.evaluate(loop, {"X": data, "w": start}, wrt="w").value.item(),
            ]
            for data in (array, array[:50].copy())
        )
        np.testing.assert_allclose(found, expected, rtol=1e-9)


def _walk(program: Program) -> list[tuple[object, ...]]:
    """What a program computes, in which order, apart from where that lies."""
    steps = [step for stage in program.stages for step in stage.whole]
    whole = [step.node.op.name for step in steps if step.out not in program.parts]
    found: list[tuple[object, ...]] = [(program.direct, program.calls, whole)]
    for one in program.passes:
        now = chosen(program, one)
        native = [[covered.node.op.name for covered in s.covers] for s in now.steps if isinstance(s, NativeStep)]
        plain = [step.node.op.name for step in now.steps if isinstance(step, Step | Sum)]
        found.append((now.length, now.rows, one.transposed, [s.node.op.name for s in now.sums], native, plain))
    return found


ALIKE = {
    **{text: {name: SHAPES[name]} for text, name in {**EXPRESSIONS, **PARTS, **LITTLE}.items()},
    "p = exp(B); q = p/sum(p); q@q": {"B": (64, 40, 40)},
    "p = exp(B); q = p/sum(p); q@q.mT": {"B": (128, 40, 40)},
    "v = exp(C)/sum(exp(C), 0); v.sum(1)[:, None].expand(20000, 1000)": {"C": (20_000, 100)},
    "h = tanh(C); sum(h/sum(h, 0)*max(h, 1).values[:, None]) + sum(C[:, 5])": {"C": (20_000, 100)},
    "take_along_dim(exp(Y)/sum(exp(Y)), i, 0)": {"Y": (3_001, 1_009), "i": (3_001, 1_009)},
}


@pytest.mark.parametrize("sizes", [Sizes(), Sizes(small=300, little=0), Sizes(small=300, little=0, kept=1 << 20)])
@pytest.mark.parametrize("engine", ["numpy", "native"])
@pytest.mark.parametrize("text", ALIKE)
def test_the_plan_does_not_depend_on_where_anything_lies(text: str, engine: str, sizes: Sizes) -> None:
    forms = [InputSpec(n, shape, np.dtype("i8" if n == "i" else "f8")) for n, shape in ALIKE[text].items()]
    request = prepare(parse(text), forms, None, True)
    leaves, roots = frozenset(request.leaves.values()), range(len(request.roots))
    with using(engine):
        plain = _walk(plan(request.roots, sizes=sizes))
        for files in (frozenset[Node](), leaves):
            for streamed in (frozenset[int](), *(frozenset([k]) for k in roots), frozenset(roots)):
                other = plan(request.roots, files=files, streamed=streamed, sizes=sizes)
                assert _walk(other) == plain, streamed


@pytest.fixture
def bytes_read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many bytes of files that stay where they are have been read, each time."""
    found: list[int] = []
    read = Descriptor.read

    def counted(self: Descriptor, data: memoryview, position: int) -> None:
        found.append(len(data))
        read(self, data, position)

    monkeypatch.setattr(Descriptor, "read", counted)
    return found


def test_of_a_part_no_more_is_read_than_it_takes(monkeypatch: pytest.MonkeyPatch, bytes_read: list[int]) -> None:
    monkeypatch.setattr(loading, "LARGE", 0)
    np.save("X.npy", np.random.default_rng(0).normal(size=(500_000, 20)))
    rows = 1000 * 20 * 8
    for expression, most in {"mean(X[:1000])": rows, "sum(X[7, :3]*X[8, 5])": 100, "X[4:6][1]*2": 500}.items():
        bytes_read.clear()
        assert call(monkeypatch, "eval", expression, "X=X.npy", "--no-grad", "--memory-limit", "1MB").code == 0
        assert 0 < sum(bytes_read) <= most, expression
    bytes_read.clear()
    assert call(monkeypatch, "eval", "X[:300000]", "X=X.npy", "--no-grad", "-o", "value=v.npy", "-q").code == 0
    assert sum(bytes_read) == 300_000 * 20 * 8 and len(bytes_read) < 1000


def test_a_search_reads_parts_of_files_once(monkeypatch: pytest.MonkeyPatch, bytes_read: list[int]) -> None:
    np.save("X.npy", np.random.default_rng(0).normal(size=(3_000, 20)))
    words = ["minimize", "mean((X[:1000, :5]@w[:5] - X[:1000, 7])**2)", "X=X.npy", "w=zeros(6)", "--wrt", "w", "--json"]
    in_memory = call(monkeypatch, *words)
    monkeypatch.setattr(loading, "LARGE", 0)
    from_file = call(monkeypatch, *words)
    assert in_memory.code == from_file.code == 0
    assert json.loads(in_memory.out)["parameters"] == json.loads(from_file.out)["parameters"]
    assert sum(bytes_read) < 3 * 3_000 * 20 * 8


def test_inputs_of_many_kinds_together(everything_is_large: None, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=(5_003, 40)), np.asfortranarray(rng.normal(size=(5_003, 40)).astype(np.float32))
    i = rng.integers(0, 5_003, 7_001)
    for name, array in {"x": x, "y": y.astype(">f4"), "i": i, "b": x > 0}.items():
        np.save(f"{name}.npy", array)
    expression = "where(b, x, 2*y) * sum(y, 0) + x[i][:5003]"
    expected = gc.evaluate(expression, {"x": x, "y": y, "i": i, "b": x > 0}, grad_output=1)
    words = ["x=x.npy", "y=y.npy", "i=i.npy", "b=b.npy", "--grad-output", "1", "-o", "out/", "-q"]
    assert call(monkeypatch, "eval", expression, *words) == (0, "", "")
    assert np.load("out/value.npy").tobytes() == expected.value.detach().numpy().tobytes()
    for name in "xy":
        assert np.load(f"out/{name}.grad.npy").tobytes() == expected.grads[name].numpy().tobytes()  # type: ignore[index, union-attr]


@pytest.mark.parametrize("engine", ["numpy", "native"])
def test_little_that_is_repeated_often(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is computed as it is where the result stays in memory, and takes none where it goes to a file."""
    monkeypatch.setattr("gradcli.cli.output_files._LARGE", 0)
    gc.set_engine(engine)
    x = np.random.default_rng(0).normal(size=(100_003, 3)).astype(np.float32)
    np.save("x.npy", x)
    for expression in ["expand(mean(tanh(x)*x), 5000000)", "expand(exp(mean(sin(x)*x, 0)), 3000000, 3).T"]:
        expected = gc.evaluate(expression, {"x": x}, wrt=()).value.numpy()
        words = [expression, "x=x.npy", "--no-grad", "-o", "value=v.npy", "--engine", engine]
        assert call(monkeypatch, "eval", *words, "-q") == (0, "", "")
        assert np.array_equal(np.load("v.npy"), expected), expression
        words[0] = expression.replace("000000", "0000000")
        assert strict(call(monkeypatch, "explain", *words, "--json").out)["held"] < 10_000_000


def test_a_result_may_take_the_name_of_its_input(everything_is_large: None, monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.random.default_rng(0).normal(size=200_003)
    np.save("x.npy", x)
    done = call(monkeypatch, "eval", "x - mean(x)", "x=x.npy", "--no-grad", "-o", "value=x.npy", "-q")
    assert done == (0, "", "")
    expected = gc.evaluate("x - mean(x)", {"x": x}, wrt=()).value.numpy()
    assert np.load("x.npy").tobytes() == expected.tobytes() and leftovers() == ["x.npy"]


@pytest.mark.parametrize("engine", ["numpy", "native"])
def test_results_that_are_the_same(engine: str, everything_is_large: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """One value is the gradient of two inputs: both get it, in files, as what is shown, or one each way."""
    x, u = np.random.default_rng(0).normal(size=(2, 300, 500))
    np.save("x.npy", x)
    np.save("u.npy", u)
    words = ["eval", "sum(sin(x + u))", "x=x.npy", "u=u.npy", "--engine", engine]
    grads = ["-o", "x.grad=x.grad.npy", "-o", "u.grad=u.grad.npy", "-q"]
    assert call(monkeypatch, *words, *grads) == (0, "", "")
    for name in ("x.grad.npy", "u.grad.npy"):
        np.testing.assert_allclose(np.load(name), np.cos(x + u), rtol=1e-12)
    both = call(monkeypatch, *words, "--show", "grads").out
    shown = f"{gc.tensor(np.load('x.grad.npy'))}\n"
    assert both == f"x.grad\n{shown}\nu.grad\n{shown}"
    # What a later pass looks at is in memory, too.
    np.save("T.npy", np.stack([x, u])[:, :100, :64])
    later = ["eval", "logsumexp(norm(T, 3, 0, True), (0, 1))", "T=T.npy", "--grad-output", "1", "--engine", engine]
    assert call(monkeypatch, *later).code == 0
    one = call(monkeypatch, *words, "-o", "x.grad=again.npy", "--json")
    assert np.load("again.npy").tobytes() == np.load("x.grad.npy").tobytes()
    assert np.array_equal(json.loads(one.out)["grads"]["u"], np.load("u.grad.npy"))


def test_one_result_for_several_files(everything_is_large: None, monkeypatch: pytest.MonkeyPatch) -> None:
    np.save("x.npy", np.arange(150_001.0))
    words = ["-o", "value=a.npy", "-o", "one/", "-o", "two/", "--no-grad"]
    done = call(monkeypatch, "eval", "x*2", "x=x.npy", *words)
    # It is printed as well, from one of them.
    assert done == (0, f"{gc.tensor(np.arange(150_001.0) * 2)}\n", "")
    for name in ("a.npy", "one/value.npy", "two/value.npy"):
        assert np.load(name).tobytes() == (np.arange(150_001.0) * 2).tobytes()


def test_what_is_printed_of_a_large_result(everything_is_large: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is kept only in part, and prints as all of it would."""
    rng = np.random.default_rng(0)
    for shape in [(150_001,), (300, 700), (40, 50, 60), (2, 70_001), (70_001, 2), (3, 333), (10_007,)]:
        x = np.exp(rng.normal(0, 3, shape))
        np.save("x.npy", x)
        small = gc.evaluate("x*2", {"x": x}, wrt=()).value
        assert call(monkeypatch, "eval", "x*2", "x=x.npy", "--no-grad").out == f"{small}\n"
        both = call(monkeypatch, "eval", "x*x", "x=x.npy", "--grad-output", "1").out
        assert both.endswith(f"\nx.grad\n{small}\n")
        flat = call(monkeypatch, "eval", "x.T*2" if x.ndim == 2 else "x.flatten()*2", "x=x.npy", "--no-grad").out
        again = gc.evaluate("x.T*2" if x.ndim == 2 else "x.flatten()*2", {"x": x}, wrt=()).value
        assert flat == f"{again}\n"


# Memory ---------------------------------------------------------------------------------------------------------------


def peak(*words: str) -> tuple[int, str, int]:
    """Exit code, all output and the most resident memory of the command in a process of its own."""
    done = measured([*COMMAND, *words], environment())
    return done.code, (done.out + done.err).removesuffix("\n"), done.peak


@pytest.fixture(scope="module")
def bare() -> int:
    """The memory that the command takes for nothing."""
    code, _, size = peak("eval", "x", "x=1")
    assert code == 0
    return size


def test_memory_over_a_file_of_400_megabytes(bare: int) -> None:
    sparse("x.npy", (100_000_000,))
    sparse("X.npy", (4_000_000, 25), fortran=True)
    for words in [("sum(x/sum(exp(x)))", "x=x.npy"), ("sum(((X - mean(X, 0))*w)**2)", "X=X.npy", "w=ones(25)")]:
        code, out, size = peak("eval", *words, "--threads", "2")
        assert code == 0 and "tensor" in out and size < bare + SPARE, (words, size - bare)


def test_memory_when_results_go_to_files(bare: int) -> None:
    sparse("x.npy", (100_000_000,))
    code, _, size = peak("eval", "cos(x)*sum(x)", "x=x.npy", "--no-grad", "-o", "value=v.npy", "-q", "--threads", "2")
    assert code == 0 and size < bare + SPARE, size - bare
    assert os.path.getsize("v.npy") == os.path.getsize("x.npy") and leftovers() == ["v.npy", "x.npy"]


def test_two_gigabytes_are_printed_without_being_held(bare: int) -> None:
    code, out, size = peak("eval", "x[:, None] + x", "x=arange(22400.)", "--no-grad")
    assert code == 0 and size < bare + SPARE, size - bare
    assert out.splitlines()[0].endswith("...,  2.2397e+04, 2.2398e+04,") or "..." in out
    assert re.search(r"4\.479[78]e\+04\]\]\)$", out), out


def test_a_file_that_is_the_value_is_not_read_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    sparse("huge.npy", (10, 10**11))
    limit = ("--no-grad", "--memory-limit", "4MB")
    code, out, err = call(monkeypatch, "eval", "x", "x=huge.npy", *limit)
    assert (code, err) == (0, "") and out.startswith("tensor([[0., 0., 0.,  ..., 0., 0., 0.],")
    for name, x in {"c": np.arange(2_000_003.0), "f": np.asfortranarray(np.arange(2_100_000.0).reshape(3, -1))}.items():
        np.save(f"{name}.npy", x)
        assert call(monkeypatch, "eval", "x", f"x={name}.npy", *limit, "-o", f"value={name}2.npy", "-q")[0] == 0
        np.testing.assert_array_equal(np.load(f"{name}2.npy"), x)


def test_what_does_not_fit_is_refused_before_it_is_read() -> None:
    sparse("x.npy", (100_000_000,))
    sparse("huge.npy", (10**12,))
    hint = "hint: --memory-limit sets another limit\n"
    for words, report in [
        (
            # A compiler's memory would count as well.
            ("sum(cumprod(x, 0))", "x=x.npy", "--no-grad", "--memory-limit", "500MB", "--engine", "numpy"),
            "gradcli: this needs 800 MB at once, 500 MB of memory may be used; the largest parts are x.npy, which is "
            "needed whole (400 MB) and a float32 tensor of shape (100000000,) (400 MB)\n"
            "  sum(cumprod(x, 0))\n      ^^^^^^^^^^^^^\n",
        ),
        (
            ("flip(x, 0)", "x=huge.npy", "--no-grad", "--memory-limit", "1.5TiB", "--json"),
            "huge.npy, which is needed whole, needs 4 TB, 1.65 TB of memory may be used",
        ),
        (
            ("det(x[:, None]*x)", "x=huge.npy", "--no-grad", "--memory-limit", "500MB"),
            "gradcli: a float32 tensor of shape (1000000000000, 1000000000000) needs 4e+03 ZB",
        ),
    ]:
        code, out, size = peak("eval", *words)
        if "--json" in words:
            assert json.loads(out)["error"]["message"] == report
        elif report.endswith("\n"):
            assert out + "\n" == report + hint
        assert code == 2 and size < SPARE


@pytest.mark.parametrize("size", ["500MB", "1.5GiB", "450 mb", "0.5GB", "5000000k", "2t", "99999999", "9" * 400])
def test_sizes(size: str, monkeypatch: pytest.MonkeyPatch) -> None:
    done = call(monkeypatch, "eval", "sum(x)", "x=ones(1000000)", "--no-grad", "--memory-limit", size)
    assert done == (0, "tensor(1000000.)\n", "")


# Ends that nobody wished for ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_interrupted(number: signal.Signals) -> None:
    sparse("x.npy", (100_000_000,))
    Path("e.txt").write_text("y = x; " + "y = cos(y); " * 60 + "y")
    np.save("v.npy", np.arange(3.0))
    work = subprocess.Popen(
        [*COMMAND, "eval", "-f", "e.txt", "x=x.npy", "--grad-output", "1", "-o", "value=v.npy", "-o", "new/"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        env=environment(),
    )
    assert blocks_are_written(work)
    work.send_signal(number)
    out, err = work.communicate(timeout=300)
    assert (work.returncode, out, err) == (ended_by(number), "", "")
    assert leftovers() == ["e.txt", "v.npy", "x.npy"] and np.load("v.npy").tolist() == [0, 1, 2]


def blocks_are_written(work: subprocess.Popen[str]) -> bool:
    """Wait until a temporary file has numbers in it."""
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        assert work.poll() is None, work.communicate()
        for path in Path().rglob(".gradcli-*.tmp"):
            with open(path, "rb") as file:
                file.seek(1024)
                if file.read(4) not in (b"", bytes(4)):
                    return True
        time.sleep(0.01)
    return False


def test_an_input_that_is_cut_off_while_it_is_read() -> None:
    sparse("x.npy", (30_000_000,))
    np.save("old.npy", np.arange(3.0))
    os.mkfifo("pipe")
    np.save("y.npy", np.array(1.0))
    work = subprocess.Popen(
        [*COMMAND, "eval", "x*y", "x=x.npy", "y=@pipe", "--grad-output", "1", "-o", "value=old.npy", "-o", "new/"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        env=environment(),
    )
    with open("pipe", "wb") as pipe:
        # The command has opened and checked x.npy, and now waits for y.
        os.truncate("x.npy", 50_000_000)
        pipe.write(Path("y.npy").read_bytes())
    out, err = work.communicate(timeout=300)
    assert (work.returncode, out) == (1, "")
    assert err == (
        "gradcli: x.npy is truncated: its header declares (30000000,) float32 = 120000000 bytes, 49999872 are there\n"
    )
    assert leftovers() == ["old.npy", "pipe", "x.npy", "y.npy"] and np.load("old.npy").tolist() == [0, 1, 2]


def test_a_disk_that_is_too_small() -> None:
    sparse("x.npy", (30_000_000,))
    done = shell("ulimit -f 20000; $G eval x*x x=x.npy --grad-output 1 -o value=v.npy -o new/")
    assert done == (1, "", "gradcli: cannot write v.npy: File too large\n")
    assert leftovers() == ["x.npy"]


def test_a_disk_that_fails_halfway(everything_is_large: None, monkeypatch: pytest.MonkeyPatch) -> None:
    np.save("x.npy", np.arange(1_000_000.0))
    np.save("v.npy", np.arange(3.0))
    write = FileSink.write

    def failing(sink: FileSink, axis: int, start: int, block: np.ndarray) -> None:
        if start > 500_000:
            # What the operating system says then.
            monkeypatch.setattr(os, "pwrite", broken)
        write(sink, axis, start, block)

    def broken(descriptor: int, data: memoryview, position: int) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(FileSink, "write", failing)
    words = ["x=x.npy", "--grad-output", "1", "-o", "value=v.npy", "-o", "new/", "--threads", "3"]
    done = call(monkeypatch, "eval", "exp(-x)*x", *words)
    assert (done.code, done.out) == (1, "")
    assert re.fullmatch(r"gradcli: cannot write (v|new/value|new/x\.grad)\.npy: No space left on device\n", done.err)
    assert leftovers() == ["v.npy", "x.npy"] and np.load("v.npy").tolist() == [0, 1, 2]


def test_an_error_in_a_block(everything_is_large: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A class that does not exist is found when half of the result is written."""
    index = np.zeros(200_000, np.int64)
    index[170_000] = 9
    np.save("i.npy", index)
    np.save("x.npy", np.ones((200_000, 5)))
    words = ["x=x.npy", "i=i.npy", "-o", "value=v.npy", "-o", "g/", "--grad-output", "1"]
    done = call(monkeypatch, "eval", "nll_loss(log_softmax(x, 1), i, reduction='none')", *words)
    assert done.code == 2 and done.err.startswith("gradcli: class 9 is out of range") and "  nll_loss(" in done.err
    assert leftovers() == ["i.npy", "x.npy"]


def test_the_limit_on_the_size_of_files_of_this_process() -> None:
    # The tests above rely on it being none.
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
