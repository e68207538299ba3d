"""Lines of whole arrays added up at places: native code against NumPy and against sums one by one, for any number of
threads, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gradcli.engine.execute.bounds import memory_of
from gradcli.engine.execute.run import known_value, run
from gradcli.engine.native.choice import ENGINE, chosen_lines
from gradcli.engine.plan.planner import plan
from gradcli.engine.plan.program import Program, Sizes
from gradcli.errors import GradcliError
from tests.command import call
from tests.native_support import same_bits
from tests.test_engine_blocks import with_gradients

#: Nothing is small, and whole operations stay whole.
SIZES = Sizes(small=0, little=0)
#: Places, elements of each, and terms: single elements and lines that are no whole number of vectors, one range and
#: many, more places than terms, one place, and less of everything than a vector has lanes.
CASES = [
    *[(9001, 1, 4003), (300_001, 1, 5000), (3, 1, 2), (1, 1, 1)],
    *[(9001, 2, 4000), (5003, 3, 4001), (5000, 7, 3001), (2500, 8, 1), (701, 37, 1500), (90, 1000, 61), (1, 700, 3)],
    (4000, 64, 1025),
]
EXPRESSIONS = ["x[i]*y", "index_add(x, 0, i, y)", "embedding(i, x)*y", "scatter_add(x, 0, i, y)"]


def inputs_of(case: tuple[int, int, int], dtype: str, places: str = "anywhere") -> dict[str, Any]:
    length, width, count = case
    rng = np.random.default_rng(length + width)
    more = (width,) if width > 1 else ()
    x, y = (rng.standard_normal((n, *more)).astype(dtype) for n in (length, count))
    x[::7] = -0.0
    i = rng.integers(0, length, count)
    if places == "one":
        i[:] = length // 2
    if places == "last":
        # All in one range, and equal ones among them.
        i = length - 1 - i % min(length, 5)
    return {"x": x, "i": i, "y": y}


def lines_of(program: Program) -> list[str]:
    ENGINE.set("native")
    return [step.node.op.name for stage in program.stages for step in stage.whole if chosen_lines(program, step)]


def results(program: Program, leaves: list[Any], engine: str, threads: int) -> list[Any]:
    ENGINE.set(engine)
    return [array.copy() for array in run(program, leaves, threads=threads)]


@pytest.mark.parametrize("places", ["anywhere", "one", "last"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_lines_are_added_up_as_numpy_does_it_with_any_threads(expression: str, dtype: str, places: str) -> None:
    seen = 0
    for case in CASES:
        if (case[1] == 1) < expression.startswith("scatter") or (case[1] == 1) > ("embed" not in expression):
            continue
        inputs = inputs_of(case, dtype, places)
        program = plan(with_gradients(expression, inputs), sizes=SIZES)
        leaves = [known_value(leaf) for leaf in program.leaves]
        seen += bool(lines_of(program))
        expected, first = (results(program, leaves, engine, 1) for engine in ("numpy", "native"))
        assert all(same_bits(mine, theirs) for mine, theirs in zip(first, expected, strict=True)), case
        for threads in (2, 3):
            again = results(program, leaves, "native", threads)
            assert all(same_bits(a, b) for a, b in zip(first, again, strict=True)), (case, threads)
    assert seen >= 3


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("expression", ["index_add(x, 0, i, y)", "sum(x[i]*y)"])
def test_the_sums_are_made_one_by_one_in_the_order_of_the_data(expression: str, dtype: str) -> None:
    """What is added to a tensor is so in double precision, the gradient of a table in its own."""
    added = expression.startswith("index_add")
    inputs = inputs_of((2000, 33, 6000), dtype) | {"i": np.random.default_rng(0).integers(0, 2000, 6000)}
    inputs["y"][::50], inputs["y"][::70], inputs["y"][::90] = np.inf, 1e30, np.nan
    if not added:
        inputs["i"][::2] -= 2000
    program = plan(with_gradients(expression, inputs), sizes=SIZES)
    total = inputs["x"].astype(np.float64) if added else np.zeros((2000, 33), dtype)
    for place, line in zip(inputs["i"], inputs["y"].astype(total.dtype), strict=True):
        total[place] += line
    got = results(program, [known_value(leaf) for leaf in program.leaves], "native", 2)
    assert lines_of(program) == ["_lines_added" if added else "_index_add"]
    assert any(np.array_equal(array, total.astype(dtype), equal_nan=True) for array in got)


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_terms_come_some_at_a_time(monkeypatch: pytest.MonkeyPatch, expression: str) -> None:
    """So that Ctrl-C need not wait for all of them; how many come at once changes no bits."""
    inputs = inputs_of((3001, 1 if "scatter" in expression else 24, 5003), "float32")
    program = plan(with_gradients(expression, inputs), sizes=SIZES)
    leaves = [known_value(leaf) for leaf in program.leaves]
    whole = results(program, leaves, "native", 2)
    monkeypatch.setattr("gradcli.engine.native.added_lines._AT_ONCE", 1)
    (lines,) = {
        one.together for stage in program.stages for step in stage.whole if (one := chosen_lines(program, step))
    }
    assert 1 < lines < 5003 // 4
    for threads in (1, 2):
        again = results(program, leaves, "native", threads)
        assert all(same_bits(a, b) for a, b in zip(whole, again, strict=True))


def test_nobody_goes_on_after_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """As after Ctrl-C in one of the threads: no other call is begun by whoever sees it."""
    inputs = inputs_of((3001, 24, 5003), "float32")
    program = plan(with_gradients("index_add(x, 0, i, y)", inputs)[:1], sizes=SIZES)
    leaves = [known_value(leaf) for leaf in program.leaves]
    monkeypatch.setattr("gradcli.engine.native.added_lines._AT_ONCE", 1)
    calls = []

    def interrupted(*arguments: int) -> None:
        calls.append(arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr("gradcli.engine.execute.run_lines.loaded", lambda text: (None, interrupted))
    with pytest.raises(KeyboardInterrupt):
        results(program, leaves, "native", 2)
    assert 1 <= len(calls) <= 2


def test_what_has_no_such_form_does_not_load_the_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gradcli.engine.native.choice.why_not", lambda: pytest.fail("it was asked for"))
    ENGINE.set("auto")
    large = np.broadcast_to(np.float32(1), (9000, 9000))
    for expression in ("x @ x", "sort(x, 1).values"):
        program = plan([with_gradients(expression, {"x": large})[0]], sizes=SIZES._replace(little=1 << 60))
        assert {chosen_lines(program, step) for stage in program.stages for step in stage.whole} == {None}


def test_slices_that_are_long_come_in_blocks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """From files larger than the memory that may be used, as long as each slice is longer than there are many."""
    rng = np.random.default_rng(0)
    for name, count in (("x", 5), ("y", 14)):
        np.save(tmp_path / f"{name}.npy", rng.standard_normal((count, 500_000)).astype(np.float32))
    expected, i = np.load(tmp_path / "x.npy").astype(np.float64), rng.integers(0, 5, 14)
    np.add.at(expected, i, np.load(tmp_path / "y.npy").astype(np.float64))
    files = [f"{name}={tmp_path}/{name}.npy" for name in "xy"]
    text = f"index_add(x, 0, {i.tolist()}, y)"
    for engine, limit in (("numpy", "12MB"), ("native", "102MB")):
        words = ["eval", text, *files, "--no-grad", "--engine", engine, "--memory-limit", limit, "--threads", "1"]
        done = call(monkeypatch, *words, "-o", f"value={tmp_path}/out.npy", "--quiet")
        assert done.code == 0, done
        assert same_bits(np.load(tmp_path / "out.npy"), expected.astype(np.float32))


@pytest.mark.parametrize("expression", ["index_add(x, 0, i, y)", "x[i]*y", "sum(x[i])"])
@pytest.mark.parametrize("width", [1, 24])
def test_arrays_as_they_lie_in_memory(expression: str, width: int) -> None:
    """Strided and reversed ones, and those that do not begin where numbers do; a gradient that is the same all over."""
    plain = inputs_of((3001, width, 5000), "float32")
    odd: dict[str, Any] = {}
    for name, array in plain.items():
        memory = np.zeros(array.nbytes + 1, np.uint8)[1:].view(array.dtype).reshape(array.shape)
        memory[:] = array
        odd[name] = memory
    strided = {name: np.repeat(array, 2, 0)[::-2][::-1][::1] for name, array in plain.items()}
    back = {name: np.ascontiguousarray(array[::-1])[::-1] for name, array in plain.items()}
    wide = {name: np.asfortranarray(array) for name, array in plain.items()}
    found = []
    for inputs in (plain, odd, strided, back, wide):
        used = {name: array for name, array in inputs.items() if name in expression}
        program = plan(with_gradients(expression, used), sizes=SIZES)
        leaves = [used[leaf.params["name"]] for leaf in program.leaves if leaf.params.get("name") in used]
        if len(leaves) < len(program.leaves):
            leaves = [known_value(leaf) for leaf in program.leaves]
        assert lines_of(program) or width == 1
        found.append(results(program, leaves, "native", 2))
    for other in found[1:]:
        assert all(same_bits(a, b) for a, b in zip(found[0], other, strict=True))


@pytest.mark.parametrize("dtype", ["int32", "int64", "bool"])
def test_other_dtypes_are_left_to_numpy(dtype: str) -> None:
    rng = np.random.default_rng(0)
    x, y = (rng.integers(0, 2 if dtype == "bool" else 9, (n, 3)).astype(dtype) for n in (50, 80))
    i = rng.integers(0, 50, 80)
    program = plan(with_gradients("index_add(x, 0, i, y)", {"x": x, "i": i, "y": y}), sizes=SIZES)
    assert lines_of(program) == []
    expected = x.copy()
    np.add.at(expected, i, y)
    for engine in ("numpy", "native"):
        assert same_bits(results(program, [known_value(leaf) for leaf in program.leaves], engine, 2)[0], expected)


@pytest.mark.parametrize("index", ["int32", "int64"])
@pytest.mark.parametrize("width", [1, 24])
def test_places_from_the_end(index: str, width: int) -> None:
    inputs = inputs_of((3001, width, 5000), "float64")
    there = [inputs | {"i": (inputs["i"] - wrapped).astype(index)} for wrapped in (0, 3001)]
    found = []
    for each in there:
        program = plan(with_gradients("x[i]*y", each), sizes=SIZES)
        found.append(results(program, [known_value(leaf) for leaf in program.leaves], "native", 2))
    assert all(same_bits(a, b) for a, b in zip(*found, strict=True))


@pytest.mark.parametrize("expression", ["index_add(x, 0, i, y)", "x[i]*y", "scatter_add(x, 0, i, y)"])
@pytest.mark.parametrize("wrong", [3001, -3002, 10**12, -(2**63)])
def test_places_that_there_are_not(expression: str, wrong: int) -> None:
    inputs = inputs_of((3001, 1 if "scatter" in expression else 24, 5000), "float32")
    inputs["i"][4321] = wrong
    program = plan(with_gradients(expression, inputs), sizes=SIZES)
    words = []
    for engine in ("numpy", "native"):
        with pytest.raises(GradcliError, match=f"index {wrong} is out of range for dimension 0") as error:
            results(program, [known_value(leaf) for leaf in program.leaves], engine, 2)
        words.append((str(error.value), error.value.span))
    assert words[0] == words[1] and words[0][1] is not None


@pytest.mark.parametrize("shapes", [((0, 24), (0,)), ((0, 24), (3,)), ((5, 0), (3,)), ((5, 24), (0,))])
def test_nothing_at_all(shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    (length, width), (count,) = shapes
    inputs = {"x": np.ones((length, width)), "i": np.zeros(count, int), "y": np.ones((count, width))}
    for expression in ("index_add(x, 0, i, y)", "x[i]*y"):
        program = plan(with_gradients(expression, inputs), sizes=SIZES)
        leaves = [known_value(leaf) for leaf in program.leaves]
        if count and not length:
            with pytest.raises(GradcliError, match="index 0 is out of range for dimension 0 of length 0"):
                results(program, leaves, "native", 2)
            continue
        both = [results(program, leaves, engine, 2) for engine in ("numpy", "native")]
        assert all(same_bits(a, b) for a, b in zip(*both, strict=True))


@pytest.mark.parametrize("width", [1, 64])
def test_what_it_needs_is_counted(width: int) -> None:
    """Sums in double precision beside those of single precision, of a range in each thread."""
    held = []
    for dtype in ("float32", "float64"):
        inputs = inputs_of((9001, width, 4003), dtype)
        program = plan(with_gradients("index_add(x, 0, i, y)", inputs)[:1], sizes=SIZES)
        ENGINE.set("native")
        found = [chosen_lines(program, step) for stage in program.stages for step in stage.whole]
        held.append(memory_of(program, 2, frozenset()).held - program.memory(2))
        (lines,) = [one for one in found if one is not None]
        assert held[-1] == lines.memory(2) * min(2, lines.ranges(2))
        ENGINE.set("numpy")
        plain = memory_of(program, 2, frozenset()).held - program.memory(2)
        assert plain == (inputs["x"].size * 8 if dtype == "float32" else 0)
    assert held[0] > held[1]


def test_the_plan_names_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    arrays = inputs_of((60_000, 64, 200_000), "float32")
    for name in "xi":
        np.save(tmp_path / f"{name}.npy", arrays[name])
    words = ["explain", "sum(exp(x)[i])", f"x={tmp_path}/x.npy", f"i={tmp_path}/i.npy"]
    native = call(monkeypatch, *words, "--engine", "native")
    plain = call(monkeypatch, *words, "--engine", "numpy")
    assert native.code == plain.code == 0
    assert "index_add" in plain.out and "native" not in plain.out
    assert any("index_add" in line and "native" in line for line in native.out.splitlines())
