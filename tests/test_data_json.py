"""JSON as data: numbers, nested lists, fields, records."""

from __future__ import annotations

import gzip
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gradcli.errors import GradcliError, WorkError
from gradcli.machine.limits import limited, missing_as_nan
from gradcli.storage import load, look_at
from tests.command import process
from tests.storage_support import failure, own_directory, same

__all__ = ["own_directory"]


def written(value: Any, name: str = "a.json") -> str:
    Path(name).write_text(value if isinstance(value, str) else json.dumps(value))
    return name


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (3, np.array(3)),
        (2.5, np.array(2.5)),
        (True, np.array(True)),
        ([], np.array([], np.float64)),
        ([[], []], np.empty((2, 0))),
        ([1, 2], np.array([1, 2])),
        ([1, 2.5], np.array([1, 2.5])),
        ([[1, 2], [3, 4]], np.array([[1, 2], [3, 4]])),
        ([[True, False]], np.array([[True, False]])),
        ([2**63, 1], np.array([2.0**63, 1])),
        ([9007199254740993], np.array([9007199254740993])),
        (["NaN", "Infinity", "-Infinity", 1], np.array([math.nan, math.inf, -math.inf, 1])),
        ([math.nan, math.inf], np.array([math.nan, math.inf])),
        ([[[0.1]]], np.array([[[0.1]]])),
    ],
)
def test_values(value: Any, wanted: np.ndarray) -> None:
    written(value)
    found = load("a.json")
    assert (
        found.dtype == wanted.dtype
        and found.shape == wanted.shape
        and np.array_equal(found, wanted, equal_nan=wanted.dtype == np.float64)
    )
    Path("a.json.gz").write_bytes(gzip.compress(Path("a.json").read_bytes()))
    assert load("a.json.gz").tobytes() == found.tobytes()
    assert look_at("a.json").shape == wanted.shape


def test_fields() -> None:
    written({"x": [1, 2], "grads": {"w": [0.5], "a.b": 7}, "a.b": {"c": 3}})
    assert same(load("a.json:x"), np.array([1, 2]))
    assert same(load("a.json:grads.w"), np.array([0.5]))
    assert same(load("a.json:grads.a.b"), np.array(7))
    assert same(load("a.json:a.b.c"), np.array(3))


def test_what_the_command_prints_is_read_again() -> None:
    printed = process("eval", "sum(x**2)", "x=[1, 2]", "--json")
    written(printed.out)
    done = process("eval", "sum(g)", "g=@a.json:grads.x", "--no-grad")
    assert done == (0, "tensor(6., dtype=float64)\n", "")


RECORDS = [{"x": 1, "y": 0.5, "v": [1, 2], "name": "a"}, {"x": 2, "y": 1.5, "v": [3, 4], "name": "b"}]


@pytest.mark.parametrize("ending", [".json", ".jsonl", ".ndjson"])
def test_records(ending: str) -> None:
    text = json.dumps(RECORDS) if ending == ".json" else "\n\n".join(map(json.dumps, RECORDS)) + "\n"
    name = written(text, f"a{ending}")
    assert same(load(f"{name}:x"), np.array([1, 2]))
    assert same(load(f"{name}:v"), np.array([[1, 2], [3, 4]]))
    assert same(load(f"{name}:y,x"), np.array([[0.5, 1], [1.5, 2]]))
    assert same(load(name), np.array([[1, 0.5], [2, 1.5]]))
    assert failure(lambda: load(f"{name}:name"), GradcliError) == f"{name}: the column 'name' holds the text 'a'"
    assert failure(lambda: load(f"{name}:z"), GradcliError).startswith(
        f"{name} has no column 'z'; there are x, y, v, name"
    )
    message = failure(lambda: load(f"{name}:x,v"), GradcliError)
    assert message == f"{name}: the field 'v' holds lists and is chosen alone"
    written({"rows": RECORDS})
    assert same(load("a.json:rows"), np.array([[1, 0.5], [2, 1.5]]))


def test_lines_of_numbers_and_lists() -> None:
    written("1\n2\n", "a.jsonl")
    assert same(load("a.jsonl"), np.array([1, 2]))
    written("[1, 2]\n[3, 4.5]\n", "a.jsonl")
    assert same(load("a.jsonl"), np.array([[1, 2], [3, 4.5]]))


def test_missing_values() -> None:
    written([{"x": 1}, {"x": None}, {}])
    message = "a.json, x, record 2: a value is missing\nhint: --missing nan reads missing values as NaN"
    assert failure(lambda: load("a.json:x"), WorkError) == message
    with missing_as_nan(True):
        assert np.array_equal(load("a.json:x"), [1, np.nan, np.nan], equal_nan=True)
    written([[1, 2], [3, None]])
    assert failure(lambda: load("a.json"), WorkError).startswith("a.json, element [1, 1]: a value is missing")
    assert process("eval", "sum(x)", "x=a.json", "--missing", "nan", "--no-grad").out == "tensor(nan, dtype=float64)\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a.json is empty"),
        ("[1, 2", "a.json is not JSON: expecting ',' delimiter (line 1, column 6)"),
        ("[1,\n2,\n,3]", "a.json is not JSON: expecting value (line 3, column 1)"),
        ("[1] 2", "a.json is not JSON: extra data (line 1, column 5)"),
        ("[" * 65 + "1" + "]" * 65, "a.json is nested too deeply: lists in lists are read to 64 levels"),
        ("[" * 200_000, "a.json is nested too deeply: lists in lists are read to 64 levels"),
        ("[[1, 2], [3]]", "a.json is ragged: element [1] is a list of 1, and the first is a list of 2"),
        ("[[1, 2], 3]", "a.json is ragged: element [1] is a number, and the first is a list of 2"),
        ('[1, "two"]', "a.json: element [1] is the text 'two', which is not a number"),
        ("[1, [2]]", "a.json: element [1] is a list, which is not a number"),
        ("[1, true]", "a.json: element [1] is a truth value, which is not a number"),
        ('[1, {"a": 1}]', "a.json: element [1] is an object, which is not a number"),
        ("[1" + "0" * 5000 + "]", "a.json: an integer has more digits than can be read"),
        ("[1" + "0" * 400 + "]", "a.json holds an integer that is larger than any float64"),
        ("\ufeff[1]\0", "a.json is not JSON: extra data (line 1, column 4)"),
    ],
)
def test_what_is_wrong(text: str, message: str) -> None:
    Path("a.json").write_text(text, encoding="utf-8")
    assert failure(lambda: load("a.json"), WorkError) == message
    assert process("eval", "sum(x)", "x=a.json") == (1, "", f"gradcli: {message}\n")


def test_wrong_fields() -> None:
    written({"weights": 1, "bias": 2})
    assert (
        failure(lambda: load("a.json"), GradcliError)
        == "a.json holds an object with weights, bias\nhint: name one of them: a.json:weights"
    )
    message = failure(lambda: load("a.json:weight"), GradcliError)
    assert message == "a.json has no field 'weight'; it has weights, bias\nhint: did you mean 'weights'?"
    assert failure(lambda: load("a.json:bias.x"), GradcliError) == "a.json has no field 'bias.x': a number has none"
    written({"grads": {"x": 1, "y": 2}, "": 3})
    message = failure(lambda: load("a.json:grads.z"), GradcliError)
    assert message.startswith("a.json has no field 'grads.z'; it has grads.x, grads.y\nhint: did you mean 'grads.")
    # An empty name is one where there is such a field.
    assert load("a.json:") == 3
    written({"x": 1})
    missing = "a.json: a key is missing after the colon"
    done = process("eval", "x", "x=@a.json:")
    assert done == (2, "", f"gradcli: {missing}; it has x\nhint: for example, a.json:x\n")
    written([1, 2])
    hint = "without the colon, the whole file is read"
    assert failure(lambda: load("a.json:"), GradcliError) == f"{missing}\nhint: {hint}"
    written("1\n{}\n", "a.jsonl")
    assert failure(lambda: load("a.jsonl"), WorkError) == "a.jsonl: record 2 is of another type than the first"
    written('{"x": 1}\n{"x": 2\n', "a.jsonl")
    assert failure(lambda: load("a.jsonl"), WorkError).startswith(
        "a.jsonl is not JSON: expecting ',' delimiter (line 2, column "
    )
    Path("a.json").write_bytes(b"[1,\n\xff]")
    assert failure(lambda: load("a.json"), WorkError) == "cannot read a.json: it is not UTF-8 text (line 2)"


def test_sizes_count_against_the_limit() -> None:
    written(list(range(100_000)))
    with limited(100_000):
        assert "of memory may be used" in failure(lambda: load("a.json"), GradcliError)
    with gzip.open("b.json.gz", "wb") as file:
        for _ in range(100):
            file.write(b" " * 1_000_000)
    assert process("eval", "sum(x)", "x=b.json.gz", "--memory-limit", "20MB").code == 2
