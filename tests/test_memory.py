"""What a command takes of memory: the peak of real processes, beside what Python and its libraries take."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from gradcli.engine.native.choice import COMPILER
from tests.command import COMMAND, environment
from tests.peak import measured


class Spent(NamedTuple):
    """What a process left behind, and the most memory that it had, in MB, beside what the smallest command takes."""

    code: int
    out: Path
    err: str
    peak: int


Spend = Callable[..., Spent]


def _peak(*words: str, out: Path) -> tuple[int, str, int]:
    with open(out, "wb") as stdout:
        done = measured([*COMMAND, *words], environment(), stdout)
    return done.code, done.err, done.peak >> 20


@pytest.fixture(scope="module")
def least(tmp_path_factory: pytest.TempPathFactory) -> int:
    """What any evaluation takes, in MB."""
    return _peak("eval", "sum(x**2)", "x=ones(3)", out=tmp_path_factory.mktemp("least") / "out")[2]


@pytest.fixture
def spend(least: int, tmp_path: Path) -> Spend:
    def spend(*words: str) -> Spent:
        code, err, peak = _peak(*words, out=tmp_path / "out")
        return Spent(code, tmp_path / "out", err, peak - least)

    return spend


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A file of 68 MB, the smallest that is not read at once."""
    path = tmp_path_factory.mktemp("large") / "x.npy"
    np.save(path, np.arange(17_000_000, dtype=np.int32).view(np.float32))
    return str(path)


def test_json_takes_no_memory(spend: Spend, tmp_path: Path) -> None:
    """Of a result in memory, and of one that lies in a file."""
    np.save(tmp_path / "i.npy", np.arange(3_000_000, dtype=np.uint32).reshape(3, -1))
    done = spend("eval", "x[:, 1:]", f"x={tmp_path}/i.npy", "--json", "--no-grad")
    assert (done.code, done.err) == (0, "")
    assert done.peak < 60
    data = done.out.read_bytes()
    assert data.startswith(b'{"value": [[1, 2, 3, ') and data.count(b"\n") == 1 and data.count(b", ") > 2_999_990


def test_a_streamed_result_is_printed_from_its_file(spend: Spend, large: str, tmp_path: Path) -> None:
    limit = ("--memory-limit", "20MB", "--no-grad", "-o", f"value={tmp_path}/v.npy")
    done = spend("eval", "x.bool()", f"x={large}", "--json", *limit)
    assert (done.code, done.err) == (0, "")
    assert done.peak < 40
    assert done.out.read_bytes().startswith(b'{"value": [false, true, true, ')


def test_text_takes_no_memory(spend: Spend) -> None:
    """All elements of many short dimensions are shown."""
    done = spend("eval", f"zeros({', '.join(['2'] * 19)})")
    assert done.code == 0
    assert done.peak < 20
    assert done.out.stat().st_size > 8_000_000


@pytest.mark.parametrize("form", ["f4", "f2"])
@pytest.mark.parametrize("option", ["--grad-output", "--jvp", "--hvp"])
def test_vectors_in_files_are_read_in_blocks(spend: Spend, large: str, tmp_path: Path, option: str, form: str) -> None:
    """Also those of another dtype than that of the value; small files, too, where little memory may be used."""
    x, v = tmp_path / "x.npy", tmp_path / "v.npy"
    np.save(x, np.linspace(0, 1, 4_000_000, dtype=np.float32))
    np.save(v, np.linspace(1, 2, 4_000_000).astype(form))
    vector, target, expression = {
        "--grad-output": (f"@{v}", "x.grad", "x**2"),
        "--jvp": (f"x=@{v}", "jvp", "x**2"),
        "--hvp": (f"x=@{v}", "x.hvp", "sum(x**3)/3"),
    }[option]
    words = ("eval", expression, f"x={x}", option, vector, "--threads", "2")
    done = spend(*words, "--memory-limit", "7MB", "-q")
    assert (done.code, done.err) == (0, "")
    assert done.peak < 14
    free = spend(*words, "-o", f"{target}={tmp_path}/g.npy")
    assert free.code == 0
    expected = 2 * np.load(x) * np.load(v).astype(np.float32)
    np.testing.assert_allclose(np.load(tmp_path / "g.npy"), expected, rtol=1e-6)


def test_a_large_file_is_a_vector_like_any_other(spend: Spend, large: str) -> None:
    done = spend("eval", "2*x.bool()*x", f"x={large}", "--grad-output", f"@{large}", "--memory-limit", "20MB", "-q")
    assert (done.code, done.err) == (0, "")
    assert done.peak < 30
    wrong = spend("eval", "2*x[1:]", f"x={large}", "--grad-output", f"@{large}")
    assert wrong.err.startswith("gradcli: the upstream gradient has shape (17000000,), the value (16999999,)")


def test_archives_and_pipes_are_refused_by_their_headers(spend: Spend, tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "a.npz", x=np.zeros(30_000_000, np.float32))
    limited = spend("eval", "sum(x)", f"x={tmp_path}/a.npz", "--memory-limit", "100MB")
    assert limited.err.startswith(f"gradcli: {tmp_path}/a.npz:x needs 120 MB, 100 MB of memory may be used\n")
    assert limited.peak < 20
    explained = spend("explain", "sum(x)", f"x={tmp_path}/a.npz")
    assert explained.code == 0
    assert explained.peak < 20


def test_inputs_share_the_memory_that_may_be_used(spend: Spend, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros(5_000_000, np.float32))
    inputs = [f"{name}={tmp_path}/x.npy" for name in "abcd"]
    done = spend("eval", "sum(a*b*c*d)", *inputs, "--memory-limit", "30MB", "--no-grad", "--threads", "1")
    assert (done.code, done.err) == (0, "")
    assert done.peak < 40
    literals = spend("eval", "sum(a*b)", "a=ones(5000000)", "b=ones(5000000)", "--memory-limit", "30MB")
    assert "b: a float32 tensor of shape (5000000,) needs 20 MB, 10 MB of memory may be used" in literals.err


def test_the_compiler_takes_what_is_counted(spend: Spend, tmp_path: Path) -> None:
    chain = "t = tanh(1.1*sin(t) + 0.2); " * 8
    words = ("eval", f"t = x; {chain} sum(t*erf(x)*softplus(x))", "x=ones(100000)", "-q", "--engine", "native")
    done = spend(*words, "--threads", "1")
    assert (done.code, done.err) == (0, "")
    assert COMPILER / 3 < done.peak * 2**20 < COMPILER + 10_000_000


def test_explaining_computes_nothing(spend: Spend) -> None:
    done = spend("explain", "sum(x)", "x=ones(2**40)")
    assert done.code == 0
    assert done.peak < 10


def test_the_array_that_is_too_large_is_named(spend: Spend) -> None:
    """Also a result that is not kept, where an operation gives it in one piece."""
    done = spend("eval", "x**2", "x=ones(20000)", "--jacobian", "--memory-limit", "100MB")
    assert done.err.startswith("gradcli: a float32 tensor of shape (20000, 20000) needs 1.6 GB, 100 MB of memory may")
    assert done.peak < 20


def test_a_batch_refuses_archives_by_their_headers(spend: Spend, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    np.savez_compressed(tmp_path / "data" / "a.npz", x=np.zeros(30_000_000, np.float32))
    done = spend("batch", "sum(x)", f"x={tmp_path}/data/", "-o", f"{tmp_path}/out", "--memory-limit", "100MB")
    assert done.err.startswith("gradcli: ") and "a.npz:x needs 120 MB" in done.err
    assert done.peak < 20


def test_a_stream_of_large_arrays_is_written_in_pieces(spend: Spend, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.ones((2, 1_000_000), np.float32))
    done = spend("stream", "x*2", f"{tmp_path}/x.npy", "--name", "x", "--no-grad")
    assert (done.code, done.err) == (0, "")
    assert done.peak < 50
    row = b"[2.0" + b", 2.0" * 999_999 + b"]"
    assert done.out.read_bytes().endswith(b'"value": [' + row + b", " + row + b'], "grads": null}\n')


def test_what_is_shown_of_many_dimensions_counts(spend: Spend) -> None:
    dims = ", ".join(["2"] * 26)
    done = spend("eval", f"expand(x, {dims}) + 1", "x=1", "--no-grad", "--memory-limit", "100MB")
    assert done.code == 2 and "needs 268 MB, 100 MB of memory may be used" in done.err
    assert done.peak < 20


@pytest.mark.parametrize(
    "expression",
    [
        "interpolate(x[None, None], size=3*2**22, mode='linear')",
        "interpolate(x[None, None], scale_factor=2**22)",
        "avg_pool1d(x.repeat(2**22)[None], 2)",
        "max_pool1d(x.repeat(2**22)[None], 2)",
    ],
)
def test_tables_count(expression: str, spend: Spend) -> None:
    """Those along one long dimension take many times what the result does."""
    done = spend("eval", expression, "x=[1, 2, 3]", "--no-grad", "--engine", "numpy", "--memory-limit", "300MB")
    assert done.code == 2 and "300 MB of memory may be used" in done.err and done.peak < 60
