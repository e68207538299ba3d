"""`gradcli eval --jacobian --hessian --jvp --hvp`: text, JSON, files, and requests that make no sense."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.command import Done, call, shell

W = "w=[[1,2],[3,4],[5,6]]"


def _eval(monkeypatch: pytest.MonkeyPatch, *words: str) -> Done:
    return call(monkeypatch, "eval", *words)


def test_text(monkeypatch: pytest.MonkeyPatch) -> None:
    done = _eval(monkeypatch, "(w@x)**2", W, "x=[1,2]", "--wrt", "x", "--jacobian", "--jvp", "x=[1,0]")
    assert (done.code, done.err) == (0, "")
    parts = done.out.split("\n\n")
    assert parts[0] == "tensor([ 25., 121., 289.], grad_fn=<PowBackward0>)"
    assert parts[2:] == [
        "x.jacobian\ntensor([[ 10.,  20.],\n        [ 66.,  88.],\n        [170., 204.]])",
        "jvp\ntensor([ 10.,  66., 170.])\n",
    ]


def test_json(monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("sum(x*x*y)", "x=[1,2]", "y=[3,4]", "--jacobian", "--hessian", "--jvp", "x=1", "--hvp", "x=1", "--json")
    found = json.loads(_eval(monkeypatch, *words).out)
    assert found["grads"] == found["jacobian"] == {"x": [6.0, 16.0], "y": [1.0, 4.0]}
    assert found["hessian"] == {
        "x": {"x": [[6.0, 0.0], [0.0, 8.0]], "y": [[2.0, 0.0], [0.0, 4.0]]},
        "y": {"x": [[2.0, 0.0], [0.0, 4.0]], "y": [[0.0, 0.0], [0.0, 0.0]]},
    }
    assert found["jvp"] == 22.0
    assert found["hvp"] == {"x": [6.0, 8.0], "y": [2.0, 4.0]}


def test_fields_are_there_only_when_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(json.loads(_eval(monkeypatch, "sum(x)", "x=1", "--json").out)) == {
        "value",
        "shape",
        "dtype",
        "grad_fn",
        "graph",
        "grads",
    }


def test_several_vectors_move_together(monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("x*y", "x=[1,2]", "y=[3,4]", "--jvp", "x=[1,0]", "--jvp", "y=[0,1]", "--json")
    assert json.loads(_eval(monkeypatch, *words).out)["jvp"] == [3.0, 2.0]


def test_vectors_keep_their_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("x*1", "x=[1,2]", "--dtype", "float64", "--jvp", "x=[0.1,0.2]", "--json")
    assert json.loads(_eval(monkeypatch, *words).out)["jvp"] == [0.1, 0.2]


def test_what_does_not_depend_is_zeros(monkeypatch: pytest.MonkeyPatch) -> None:
    found = json.loads(_eval(monkeypatch, "detach(x)*y", "x=[1,2]", "y=[3,4]", "--jacobian", "--json").out)
    assert found["jacobian"] == {"x": [[0.0, 0.0], [0.0, 0.0]], "y": [[1.0, 0.0], [0.0, 2.0]]}
    assert _eval(monkeypatch, "detach(x)", "x=[1,2]", "--jacobian", "--json").code == 0


def test_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("v.npy", np.array([0.0, 1.0]))
    words = ("sum(x*x*y)", "x=[1,2]", "y=[3,4]", "--hessian", "--jvp", "x=v.npy", "-q")
    done = _eval(monkeypatch, *words, "-o", "x,y.hessian=h.npy", "-o", "jvp=p.npy")
    assert (done.code, done.out, done.err) == (0, "", "")
    np.testing.assert_array_equal(np.load("h.npy"), [[2, 0], [0, 4]])
    assert np.load("p.npy") == 16
    # The block of an input with itself has its name alone, as for --only.
    assert _eval(monkeypatch, *words, "-o", "x.hessian=x.npy").code == 0
    np.testing.assert_array_equal(np.load("x.npy"), [[6, 0], [0, 8]])
    assert "is written twice" in _eval(monkeypatch, *words, "-o", "x.hessian=x.npy", "-o", "x,x.hessian=y.npy").err
    assert _eval(monkeypatch, *words, "--jacobian", "-o", "all/").code == 0
    names = {"value", "x.grad", "y.grad", "x.jacobian", "y.jacobian", "jvp"}
    names |= {f"{a},{b}.hessian" for a in "xy" for b in "xy"}
    assert {p.stem for p in Path("all").iterdir()} == names


def test_a_jacobian_goes_to_standard_output() -> None:
    done = shell("$G eval 'x**2' 'x=[1,2]' --jacobian -o x.jacobian=- | $G eval 'sum(j, 0)' j=@- --no-grad")
    assert (done.code, done.out) == (0, "tensor([2., 4.])\n")


def test_a_file_of_many_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((5000, 20)), rng.standard_normal(20)
    np.save("x.npy", x), np.save("w.npy", w)
    done = _eval(
        monkeypatch,
        "mean(log1p(exp(x@w)))",
        "x=x.npy",
        "w=w.npy",
        "--wrt",
        "w",
        "--hessian",
        "-qo",
        "w,w.hessian=h.npy",
    )
    assert done.code == 0
    s = 1 / (1 + np.exp(-(x @ w)))
    np.testing.assert_allclose(np.load("h.npy"), (x.T * (s * (1 - s))) @ x / 5000, rtol=1e-9, atol=1e-12)


REFUSED = [
    (("x*2", "x=[1,2]", "--hessian"), "the Hessian needs a scalar, the value has shape (2,)"),
    (("x*2", "x=[1,2]", "--hvp", "x=1"), "the Hessian needs a scalar, the value has shape (2,)"),
    (("x*2", "x=[1,2]", "--jvp", "z=1"), "--jvp: there is no input 'z' that is differentiated"),
    (("x*2", "x=[1,2]", "--jvp", "x=ones(3)"), "--jvp: the vector for x has shape (3,), the input (2,)"),
    (("x*2", "x=[1,2]", "--jvp", "3"), "--jvp: '3' is not an input"),
    (("x*2", "x=[1,2]", "--jvp", "x=1", "--jvp", "x=2"), "--jvp: the input 'x' is given twice"),
    (("x*2", "x=[1,2]", "--no-grad", "--jacobian"), "--no-grad cannot be combined with --jacobian"),
    (("argmax(x)", "x=[1,2]", "--jacobian"), "the value is int64 and has no derivatives"),
    (("x*2", "x=[1,2]", "--dtype", "int64", "--jacobian"), "no input can be differentiated"),
    (("x*y", "x=1", "y=2", "--wrt", "x", "--jvp", "y=1"), "--jvp: there is no input 'y' that is differentiated"),
    (("x*y", "x=1", "y=2", "--wrt", "x", "--jacobian", "-o", "y.jacobian=y.npy"), "y.jacobian is not computed"),
    (("x*2", "x=1", "-o", "x.jacobian=y.npy"), "there is no result 'x.jacobian' to write"),
    (("x*2", "x=@-", "--jvp", "x=@-"), "only one thing can be read from standard input"),
    (("sin(x)", "x=randn(300000)", "--jacobian"), "needs 360 GB"),
]


@pytest.mark.parametrize(("words", "message"), REFUSED)
def test_refused(words: tuple[str, ...], message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    done = _eval(monkeypatch, *words)
    assert done.code == 2 and not done.out
    assert message in done.err
