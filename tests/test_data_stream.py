"""`gradcli stream` with rows of tables as records."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.command import Done, process
from tests.storage_support import own_directory

__all__ = ["own_directory"]


def answers(done: Done) -> list[dict[str, object]]:
    return [json.loads(line) for line in done.out.splitlines()]


def test_columns_are_fields_and_the_others_pass_through() -> None:
    rows = b'id,x,name,note\n007,1.5,"Ann, B",\n8,2,"C ""D""\nE",0.25\n'
    done = process("stream", "sum(x**2)", "--format", "csv", stdin=rows)
    assert (done.code, done.err) == (0, "")
    assert answers(done) == [
        {"id": "007", "name": "Ann, B", "note": None, "value": 2.25, "grads": {"x": 3.0}},
        {"id": 8, "name": 'C "D"\nE', "note": 0.25, "value": 4.0, "grads": {"x": 4.0}},
    ]


def test_files_by_their_endings() -> None:
    Path("a.csv").write_text("y,x\n1,2\n3,4\n")
    Path("b.tsv").write_text("x\ty\n5\t\n6\t7\n")
    done = process("stream", "2*x", "a.csv", "b.tsv", "--no-grad")
    assert [answer["value"] for answer in answers(done)] == [4, 8, 10, 12] and done.code == 0
    assert answers(done)[2] == {"y": None, "value": 10.0, "grads": None}


@pytest.mark.parametrize("rows", ["1,2\n3,4\n", "1,2\r\n3,4\r\n", "\ufeff1,2\n\n3,4", '"1","2"\n3,4\n', "1;2\n3;4\n"])
def test_rows_without_a_header_give_the_inputs_in_turn(rows: str) -> None:
    done = process("stream", "b - a", "--name", "a,b", "--no-grad", "--format", "csv", stdin=rows.encode())
    assert [answer["value"] for answer in answers(done)] == [1, 1] and done.code == 0
    done = process("stream", "sum(v**2)", "--format", "csv", stdin=rows.encode())
    assert [answer["grads"] for answer in answers(done)] == [{"v": [2, 4]}, {"v": [6, 8]}]


def test_rows_that_are_wrong_are_answered_in_their_place() -> None:
    rows = b'x,y\n1,2\nq,3\n,4\n5\n6,7,8\n\xff,1\n"9,1\n'
    done = process("stream", "x*2", "--format", "csv", "--no-grad", stdin=rows)
    assert done.code == 1
    told = [(a.get("line"), a.get("value") or a["error"]["message"]) for a in answers(done)]  # type: ignore[index]
    assert told == [
        (None, 2.0),
        (3, "in the field x: the text 'q' is not a number"),
        (4, "in the field x: a value is missing"),
        (5, "the row has 1 cell, and the first has 2"),
        (6, "the row has 3 cells, and the first has 2"),
        (7, "the line is not UTF-8 text (byte 1)"),
        (8, "the quote that begins here is not closed"),
    ]
    assert done.err.startswith("gradcli: 6 of 7 records failed; the first, line 3: in the field x")
    done = process("stream", "x*2", "--format", "csv", "--no-grad", "--missing", "nan", stdin=b"x,y\n,1\nNA,2\nnan,3\n")
    assert [answer["value"] for answer in answers(done)] == ["NaN"] * 3


def test_null_is_nan_when_asked_for() -> None:
    done = process("stream", "x*2", "--no-grad", "--missing", "nan", stdin=b'{"x": null}\n{"x": [1, null]}\n')
    assert [answer["value"] for answer in answers(done)] == ["NaN", [2, "NaN"]]


def test_columns_that_an_answer_has_itself_are_told_of_once() -> None:
    rows = b"x,value,grads\n1,2,3\n4,5,6\n"
    done = process("stream", "x*2", "--format", "csv", "--no-grad", stdin=rows)
    reason = "answers have a field of this name"
    told = [f"note: standard input: left out {name!r}: {reason}\n" for name in ("value", "grads")]
    assert done == (0, '{"value": 2.0, "grads": null}\n{"value": 8.0, "grads": null}\n', "".join(told))
    assert process("stream", "x*2", "--format", "csv", "--no-grad", "-q", stdin=rows).err == ""
    # What is an input is not left out.
    assert process("stream", "value*2", "--format", "csv", "--no-grad", stdin=b"value\n2\n").err == ""


def test_columns_that_are_not_there() -> None:
    done = process("stream", "hight*2", "--format", "csv", stdin=b"height,y\n1,2\n")
    wanted = "gradcli: standard input has no column 'hight'; there are height, y\nhint: did you mean 'height'?\n"
    assert done == (2, "", wanted)
    done = process("stream", "x*2", "--format", "csv", stdin=b"x,x\n1,2\n")
    assert done == (2, "", "gradcli: standard input has 2 columns called 'x'\n")
    done = process("stream", "a*b", "--format", "csv", stdin=b"1,2,3\n")
    assert "the row has 3 cells for 2 inputs: a, b" in done.out and done.code == 1


def test_shared_inputs_come_from_tables_too() -> None:
    Path("w.csv").write_text("w\n2\n3\n")
    done = process("stream", "sum(w*x)", "w=w.csv:w", "--wrt", "x", "--format", "csv", stdin=b"x\n1\n")
    assert answers(done) == [{"value": 5.0, "grads": {"x": 5.0}}] and done.code == 0
