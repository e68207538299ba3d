"""`gradcli explain`: what it prints of a plan, as text and as JSON, through real processes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.command import call, leftovers, process

HEADLINE = ["explain", "mean(2*(3*x+7)**2)", "x=zeros(1000000)"]
HEADLINE_TEXT = """\
pass 1: 1,000,000 rows in 8 blocks of 131,072; reads 4 MB, writes 4 MB, scratch 0 bytes a thread
  b2 = mul(3, x[i:j])  (numpy.multiply, within x.grad[i:j])
  b4 = add(b2, 7)  (numpy.add, within x.grad[i:j])
  t6 += mean(b4, b4)  (partial results of products, combined in order)
  x.grad[i:j] = mul(b4, 1.2e-05)  (numpy.multiply, in place)
whole: value = mul(t6, 2)  (float32 0-dim)
in all: 4 MB read, 4 MB written, 4 MB held at the peak
"""


@pytest.fixture(autouse=True)
def own_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def sparse(path: str, shape: tuple[int, ...], dtype: str = "<f4", fortran: bool = False) -> None:
    """A .npy file of zeros that takes no space on the disk."""
    header = {"descr": dtype, "fortran_order": fortran, "shape": shape}
    with open(path, "wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        file.truncate(file.tell() + int(np.prod(shape, dtype=object)) * np.dtype(dtype).itemsize)


def strict(text: str) -> Any:
    """JSON without the words that are none of it, on one line."""

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    assert text.endswith("\n") and text.count("\n") == 1
    return json.loads(text, parse_constant=refuse)


def plan_of(*words: str) -> Any:
    done = process("explain", *words, "--threads", "2", "--json")
    assert (done.code, done.err) == (0, "")
    return strict(done.out)


def all_passes(plan: Any) -> list[Any]:
    return [one for stage in plan["stages"] for one in stage["passes"]]


def check_form(plan: Any) -> None:
    """Every field is there, of its type, and the sums are those of the parts."""
    assert sorted(plan) == ["compiler", "held", "parts", "read", "stages", "threads", "written"]
    for stage in plan["stages"]:
        assert sorted(stage) == ["passes", "whole"]
        for step in stage["whole"]:
            assert sorted(step) == ["dtype", "inputs", "kernel", "op", "out", "shape"]
            np.dtype(step["dtype"])
    for one in all_passes(plan):
        fields = ["block_rows", "blocks", "read", "rows", "scratch", "steps", "written"]
        assert sorted(one) == fields and all(isinstance(one[name], int) for name in fields if name != "steps")
        assert (one["blocks"] - 1) * one["block_rows"] < one["rows"] <= one["blocks"] * one["block_rows"]
        made = set()
        for step in one["steps"]:
            if "read" in step:
                assert sorted(step) == ["buffer", "out", "read"] and step["buffer"] >= 0
            elif "written" in step:
                assert sorted(step) == ["out", "written"] and step["written"] in made
            elif step.get("accumulates"):
                assert sorted(step) == ["accumulates", "inputs", "kernel", "op", "out"]
            else:
                assert sorted(step) == ["buffer", "inputs", "kernel", "op", "out", "within"]
                assert step["buffer"] is None or (step["buffer"] >= 0 and step["within"] is None)
            # What a step takes is there: another step has made it.
            taken = {name for name in step.get("inputs", ()) if name.startswith("b") and name[1:].isdigit()}
            assert taken <= made
            made.add(step["out"])
    assert plan["read"] == sum(one["read"] for one in all_passes(plan))
    assert plan["written"] == sum(one["written"] for one in all_passes(plan))


def test_the_headline() -> None:
    assert process(*HEADLINE, "--threads", "2") == (0, HEADLINE_TEXT, "")


def test_the_headline_as_json() -> None:
    plan = plan_of(*HEADLINE[1:])
    check_form(plan)
    (one,) = all_passes(plan)
    assert (one["rows"], one["blocks"], one["block_rows"]) == (1_000_000, 8, 131_072)
    assert (plan["read"], plan["written"], plan["threads"]) == (4_000_000, 4_000_000, 2)
    assert 4_000_000 + 2 * one["scratch"] <= plan["held"] < 5_100_000
    assert [step["op"] for step in one["steps"]] == ["mul", "add", "mean", "mul"]
    assert [step["kernel"] for step in one["steps"]] == ["numpy.multiply", "numpy.add", "mean kernel", "numpy.multiply"]
    assert [step.get("buffer") for step in one["steps"]] == [None] * 4
    assert [step.get("within") for step in one["steps"]] == ["x.grad[i:j]"] * 2 + [None] * 2
    assert one["steps"][-1]["out"] == "x.grad[i:j]" and one["steps"][-1]["inputs"] == ["b4", "1.2e-05"]
    assert [step["out"] for stage in plan["stages"] for step in stage["whole"]] == ["value"]


@pytest.mark.parametrize("fortran", [False, True])
def test_a_file_is_planned_from_its_header(fortran: bool) -> None:
    # More than any disk holds: whoever reads it does not come back.
    sparse("x.npy", (10**9, 400), fortran=fortran)
    plan = plan_of("sum(exp(x)*w)", "x=x.npy", "w=ones(400)")
    check_form(plan)
    one = all_passes(plan)[0]
    first = next(step for step in one["steps"] if "read" in step)
    assert first["read"] == "x" and plan["read"] >= 16 * 10**11 and plan["written"] == 16 * 10**11
    text = process("explain", "sum(exp(x)*w)", "x=x.npy", "w=ones(400)", "--threads", "2").out
    assert "x[i:j]  (read into buffer 0)" in text and "x.grad[i:j] = " in text and "1.6 TB" in text
    assert leftovers() == ["x.npy"]


def test_every_kind_of_step(monkeypatch: pytest.MonkeyPatch) -> None:
    sparse("X.npy", (200_000, 100))
    sparse("y.npy", (200_000,))
    for expression, names in {
        "mean(log1p(exp(-y*(X @ w))))": ["X=X.npy", "y=y.npy", "w=zeros(100)"],
        "sum(softmax(X, 1)[:, 0]*y)": ["X=X.npy", "y=y.npy"],
        "sum(((X - mean(X, 0))/std(X, 0))**2)": ["X=X.npy"],
        "sum(cumsum(y, 0)) + sum(y/sum(exp(y)))": ["y=y.npy"],
        "X*w": ["X=X.npy", "w=ones(100)", "--grad-output", "2"],
    }.items():
        plan = strict(call(monkeypatch, "explain", expression, *names, "--json").out)
        check_form(plan)
        written = {step["out"] for one in all_passes(plan) for step in one["steps"]}
        written |= {step["out"] for stage in plan["stages"] for step in stage["whole"]}
        assert any("value" in name for name in written), expression
        lines = call(monkeypatch, "explain", expression, *names).out.splitlines()
        assert sum(line.startswith("pass ") for line in lines) == len(all_passes(plan))
        whole = sum(len(stage["whole"]) for stage in plan["stages"])
        assert sum(line.startswith("whole: ") for line in lines) == whole
        assert lines[-1].startswith("in all: ")


def test_small_tensors(monkeypatch: pytest.MonkeyPatch) -> None:
    done = call(monkeypatch, "explain", "x*y", "x=2", "y=[1, 2]", "--no-grad")
    assert done == (
        0,
        "little to compute: one operation after the other, no blocks\n"
        "whole: value = mul(x, y)  (float32 2)\n"
        "in all: 0 bytes read, 0 bytes written, 8 bytes held at the peak\n",
        "",
    )
    plan = strict(call(monkeypatch, "explain", "x*y", "x=2", "y=[1, 2]", "--no-grad", "--json").out)
    check_form(plan)
    assert plan["stages"] == [
        {
            "whole": [
                {
                    "op": "mul",
                    "inputs": ["x", "y"],
                    "out": "value",
                    "shape": [2],
                    "dtype": "float32",
                    "kernel": "numpy.multiply",
                }
            ],
            "passes": [],
        }
    ]


def test_options(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("e.txt").write_text("y = x*x  # twice\nsum(y)\n")
    from_file = call(monkeypatch, "explain", "-f", "e.txt", "x=ones(100000)", "--threads", "3")
    assert (
        from_file.code == 0
        and from_file.out == call(monkeypatch, "explain", "y = x*x; sum(y)", "x=ones(100000)", "--threads", "3").out
    )
    both = ["sum(x*z)", "x=ones(100000)", "z=ones(100000)"]
    for words, grads in {(): {"x", "z"}, ("--wrt", "z"): {"z"}, ("--no-grad",): set()}.items():
        text = call(monkeypatch, "explain", *both, *words).out
        assert {name for name in ("x", "z") if f"{name}.grad" in text} == grads
    assert "float64" in call(monkeypatch, "explain", "x+1", "x=2", "--dtype", "float64").out
    text = call(monkeypatch, "explain", "x**2", "x=ones(100000)", "--grad-output", "ones(100000)").out
    assert "grad-output" in text and "x.grad" in text


@pytest.mark.parametrize("engine", ["numpy", "native"])
def test_what_is_needed_is_what_is_allowed(monkeypatch: pytest.MonkeyPatch, engine: str) -> None:
    """Explained as `eval` does it with the same words: a byte less than that is refused."""
    sparse("x.npy", (17_000_000,))
    words = ["p = exp(x); mean(x*p)/mean(p)", "x=x.npy", "-o", "x.grad=g.npy", "--threads", "1", "--engine", engine]
    # With a limit, nothing is kept that can be computed again.
    assert strict(call(monkeypatch, "explain", *words, "--json").out)["held"] > 68_000_000
    plan = strict(call(monkeypatch, "explain", *words, "--memory-limit", "1GB", "--json").out)
    assert 1_000_000 < plan["held"] < 5_000_000 and (plan["compiler"] > 0) == (engine == "native")
    needed = plan["held"] + plan["compiler"]
    assert not Path("g.npy").exists()
    refused = call(monkeypatch, "eval", *words, "--memory-limit", str(needed - 1))
    assert refused.code == 2 and "of memory may be used" in refused.err
    assert call(monkeypatch, "eval", *words, "-q", "--memory-limit", str(needed)).code == 0
    both = call(monkeypatch, "explain", *words, "--memory-limit", str(needed), "--json").out
    assert strict(both)["held"] == plan["held"]


def test_where_there_is_no_room_for_a_compiler_nobody_takes_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless it is asked for: it depends on the limit alone, not on what is held, as by each thread."""
    sparse("x.npy", (100_000_000,))
    words = ["explain", "sum(exp(x))", "x=x.npy", "--engine", "auto", "--json"]
    free, tight = (strict(call(monkeypatch, *words, *more).out) for more in ((), ("--memory-limit", "100MB")))
    assert free["compiler"] > 0 and tight["compiler"] == 0


def test_items_of_a_batch_share_one_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine is that of the whole limit, of which each thread has a part: their number changes no bits."""
    Path("d").mkdir()
    for k in range(3):
        np.save(f"d/{k}.npy", np.ones(100))
    for threads in ("1", "4"):
        words = ["sum(sin(x))", "x=d/*.npy", "-o", f"r{threads}", "--memory-limit", "200MB", "--jobs", threads]
        assert call(monkeypatch, "batch", *words, "--engine", "native").code == 0


def test_the_plan_is_that_of_any_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    plans = [call(monkeypatch, *HEADLINE, "--json", "--threads", str(n)).out for n in (1, 2, 7)]
    first, *others = [strict(text)["stages"] for text in plans]
    assert all(other == first for other in others)
    assert strict(process(*HEADLINE, "--json", GRADCLI_THREADS="5").out)["threads"] == 5


def test_values_from_standard_input() -> None:
    np.save("a.npy", np.arange(4.0))
    done = process("explain", "sum(x)", "x=@-", "--no-grad", stdin=Path("a.npy").read_bytes())
    assert done.code == 0 and "whole: value = sum(x)  (float64 0-dim)" in done.out


def test_control_characters_of_a_name_are_not_shown() -> None:
    done = process("explain", "sum(x)", "x=\x1b[31m.npy")
    assert done.code == 1 and "\x1b" not in done.err + done.out
