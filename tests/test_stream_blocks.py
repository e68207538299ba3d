"""Lines that are answered together have the very answers that they have one by one."""

from __future__ import annotations

import io
import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gradcli as gc
from gradcli.engine.native.processor import missing
from gradcli.language.parse import parse
from gradcli.render import fast_json
from gradcli.render.json import to_json
from gradcli.stream import blocks, records, writers
from gradcli.stream.block_answers import BlockAnswers
from gradcli.stream.blocks import block_of
from gradcli.stream.fields import FieldReader
from gradcli.stream.flow import Outlet
from gradcli.stream.loop import run_stream
from gradcli.stream.plan_cache import Plans, RecordJob
from gradcli.stream.records import Inputs

ENGINES = ["numpy"] + ([] if missing() else ["native"])
#: With orjson, where it is installed, and without.
READERS = sorted({fast_json.fast_json() is not None, False})


class Kept(io.RawIOBase):
    """A stream that keeps what is written."""

    def __init__(self) -> None:
        self.data = b""

    def write(self, data: Any) -> int:
        self.data += bytes(data)
        return len(data)


def use_reader(fast: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not fast:
        for module in (fast_json, blocks):
            monkeypatch.setattr(module, "fast_json", lambda: None)


def answered(lines: list[bytes], expression: str, path: Path, together: bool, dtype: str | None = None) -> Any:
    """The answers to lines in a file, and what is told of the run."""
    path.write_bytes(b"\n".join(lines))
    sink, notes = Kept(), []
    with pytest.MonkeyPatch.context() as patch:
        if not together:
            patch.setattr(records, "block_of", lambda data: None)
        job = RecordJob(parse(expression), {}, None, None, remark=True)
        told = run_stream(job, Inputs([str(path)], ["x"], None, dtype), Outlet(sink), False, notes.append)
    first = None if told.first is None else told.first.message
    counted = (told.records, told.failed, first, told.place, told.remarked, told.first_remark)
    return sink.data, counted, notes


def plain(draw: random.Random, k: int) -> dict[str, Any]:
    return {"id": k, "x": [round(draw.gauss(0, 1), 4) for _ in range(3)]}


#: What may stand among plain lines.
ODD = [
    '{"id": %d, "x": [1, 2, 3]}',
    '{"id": %d, "x": [true, false, true]}',
    '{"id": %d, "x": [1.5, true, 2]}',
    '{"id": %d, "x": [[1.5, 2], [3, 4]]}',
    '{"id": %d, "x": 2.5}',
    '{"id": %d, "x": ["NaN", 1, 2]}',
    '{"id": %d, "x": [NaN, Infinity, 2]}',
    '{"id": %d, "x": [null, 1, 2]}',
    '{"id": %d, "x": [1e39, 1e-46, -0]}',
    '{"id": %d, "x": [1e999, 0, 1]}',
    '{"id": %d, "x": [9007199254740993, 0.5, 1]}',
    '{"id": %d, "x": [18446744073709551617, 0.5, 1]}',
    '{"id": %d, "x": [0.0, -0.0, 1e-7]}',
    '{"id": %d, "x": [123456789, 1e12, 3.5e15]}',
    '{"id": %d, "x": []}',
    '{"id": %d, "x": [1, [2, 3]]}',
    '{"id": %d, "x": "no"}',
    '{"id": %d}',
    '{"x": [1, 2, 3], "id": %d}',
    '{"id": %d, "x": [1, 2, 3], "more": {"a": [{"b": 1}, {"c": 2}]}}',
    '{"id": %d, "x": [1, 2, 3], "name": "é \\u00e9 \\n true"}',
    '{"id": %d, "x": [1, 2, 3], "name": "\\ud800"}',
    '{"id": %d, "x": [1, 2, 3], "value": 7, "grads": 8}',
    '{"id": %d, "x": [1, 2, 3], "x": [4, 5, 6]}',
    '{"id": 18446744073709551617, "x": [1, 2, %d]}',
    '{"id": -0, "x": [1, 2, %d]}',
    '{"id": 1.5e300, "x": [1, 2, %d]}',
    '{"id": 1e999, "x": [1, 2, %d]}',
    '{"id": true, "x": [1, 2, %d]}',
    '{"id": null, "x": [1, 2, %d]}',
    '{"id": "a", "x": [1, 2, %d]}',
    '{"id": [18446744073709551617], "x": [1, 2, %d]}',
    '{"error": "an earlier one %d"}',
    '{"id": %d, "x": [1, 2, 3]},{"id": 2, "x": [1, 2, 3]}',
    '{"id": %d, "x": [1, 2, 3]},',
    '{"id": %d, "x": [1, 2, 3]',
    '  {"id": %d, "x": [1, 2, 3]}  ',
    '{"id": %d, "x": [1, 2, 3]}\r',
    "[1, 2, %d]",
    "%d",
    "",
    "   ",
]


@pytest.mark.parametrize("fast", READERS)
@pytest.mark.parametrize(
    ("expression", "dtype", "engine"),
    [
        ("sum(log(x)*x)", None, ENGINES[-1]),
        ("mean(exp(x)*x)", "float64", "numpy"),
        ("sum(exp(x*40))", None, "numpy"),
        ("x*2 > 1", None, "numpy"),
    ],
)
def test_odd_lines_among_plain_ones(
    expression: str, dtype: str | None, engine: str, fast: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gc.set_engine(engine)
    use_reader(fast, monkeypatch)
    draw = random.Random(expression)
    lines: list[bytes] = []
    for odd in ODD:
        lines += [json.dumps(plain(draw, k)).encode() for k in range(5)]
        lines.append((odd % 5 if "%" in odd else odd).encode())
        one = answered(lines[-11:], expression, tmp_path / "x.jsonl", False, dtype)
        assert answered(lines[-11:], expression, tmp_path / "x.jsonl", True, dtype) == one


@pytest.mark.parametrize("fast", READERS)
@pytest.mark.parametrize("odd", ODD)
def test_odd_lines_alone(odd: str, fast: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All are alike, and none is as it should be."""
    use_reader(fast, monkeypatch)
    lines = [(odd % k if "%" in odd else odd).encode() for k in range(6)]
    one = answered(lines, "sum(x**2)", tmp_path / "x.jsonl", False)
    assert answered(lines, "sum(x**2)", tmp_path / "x.jsonl", True) == one


@pytest.mark.parametrize("fast", READERS)
@pytest.mark.parametrize(
    "lines",
    [
        ['{"a":[{"b":1}', '{"c":1}]}', '{"a":1},{"b":2}', '{"a":1}'],
        ['{"a":"}', '{"}', '{"a":1},{"b":2}', '{"c":1}'],
        ['{"x":[1', "2]}", '{"x":1},{"x":2}', '{"x":1}'],
        ['{"x":{"a":1}', '{"b":2}}', '{"x":1} , \t{"x":2}', '{"x":1}'],
        ['{"x":1}', "", '{"x":1},{"x":2}', '{"x":3}'],
        ['{"x":1}', '{"x":1}', '{"x":1}'],
        ['{"x":1}', '{"x":1}', "[1]", '{"x":1}'],
    ],
)
def test_lines_that_are_no_block(lines: list[str], fast: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many objects as lines, but not each in its own; and too few."""
    use_reader(fast, monkeypatch)
    assert block_of("\n".join(lines).encode()) is None


@pytest.mark.parametrize("engine", ENGINES)
def test_plain_lines_are_answered_together(engine: str) -> None:
    gc.set_engine(engine)
    draw = random.Random(0)
    for more in ({}, {"name": "a", "weight": 0.5}):
        block = block_of(b"\n".join(json.dumps({**plain(draw, k), **more}).encode() for k in range(200)))
        assert block is not None
        job = RecordJob(parse("sum(exp(x)*x)"), {}, None, None, remark=True)
        pieces = list(BlockAnswers(FieldReader(["x"], None), Plans(job)).pieces(block))
        assert [some for some, _ in pieces] == [slice(0, 64), slice(64, 200)]
        assert all(found is not None for _, found in pieces)


def test_whoever_waits_for_one_does_not_wait_for_many() -> None:
    """What takes longer is answered a few at a time."""
    gc.set_engine("numpy")
    block = block_of(b"\n".join(json.dumps(plain(random.Random(0), k)).encode() for k in range(200)))
    assert block is not None
    job = RecordJob(parse("sum(exp(x)*x) + sum(W*x)"), {"W": np.ones((20_000, 3), np.float32)}, ["x"], None)
    sizes = [some.stop - some.start for some, _ in BlockAnswers(FieldReader(["x"], None), Plans(job)).pieces(block)]
    assert sizes[0] == 64 and max(sizes[1:]) < 20 and sum(sizes) == 200


@pytest.mark.parametrize("fast", READERS)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int64"])
def test_texts_of_many_numbers(dtype: str, fast: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of all magnitudes, near powers of two and of ten, where notations change."""
    if not fast:
        monkeypatch.setattr(writers, "fast_text", lambda array: None)
    rng = np.random.default_rng(0)
    with np.errstate(all="ignore"):
        wide = rng.normal(size=4000) * 10.0 ** rng.integers(-8, 14, 4000)
        edges = np.concatenate([10.0 ** np.arange(-6, 14), 2.0 ** np.arange(-20, 44), [0.0, -0.0]])
        near = np.concatenate([np.nextafter(edges, 0), edges, np.nextafter(edges, np.inf), -edges])
        values = np.concatenate([wide, near]).astype(dtype)
    values = values[np.isfinite(values.astype(float))]
    seen = 0
    for start in range(0, len(values) // 4 * 4, 4):
        rows = values[start : start + 4].reshape(2, 2)
        column = writers._column(rows)
        if column is not None:
            seen += 1
            assert [f"[{text}]" for text in column] == [to_json(row) for row in rows]
        column = writers._column(rows.ravel())
        if column is not None:
            assert column == [to_json(one) for one in rows.ravel()]
    assert seen > len(values) // 32
