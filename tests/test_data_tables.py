"""Tables as text: what they hold, which columns are meant, and where they are wrong. numpy.loadtxt and Python are the
independent reference."""

from __future__ import annotations

import csv
import gzip
import io
import random
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradcli.errors import GradcliError, WorkError
from gradcli.machine.limits import TELL, limited, missing_as_nan
from gradcli.storage import load, look_at, save
from gradcli.storage.formats import cells, pieces, tokenizer
from gradcli.storage.opening import names_in
from tests.command import call, process
from tests.storage_support import failure, own_directory, same

__all__ = ["own_directory"]

PEOPLE = b"name,age,height,label\nAnn,30,1.75,0\nBob,41,1.8,2\n"


def written(data: bytes | str, name: str = "data.csv") -> str:
    Path(name).write_bytes(data if isinstance(data, bytes) else data.encode())
    return name


def told(spec: str) -> list[str]:
    """The notes that come of reading."""
    notes: list[str] = []
    token = TELL.set(notes.append)
    try:
        load(spec)
    finally:
        TELL.reset(token)
    return notes


def test_the_whole_is_a_matrix_of_the_numeric_columns_with_a_note() -> None:
    written(PEOPLE)
    assert same(load("data.csv"), np.array([[30, 1.75, 0], [41, 1.8, 2]]))
    assert told("data.csv") == ["data.csv: left out 'name', which is not numeric"]
    assert told("data.csv:age,label") == []


def test_columns_by_name_and_number() -> None:
    written(PEOPLE)
    assert same(load("data.csv:age"), np.array([30, 41]))
    assert same(load("data.csv:label,age"), np.array([[0, 30], [2, 41]]))
    assert same(load("data.csv:height,age"), np.array([[1.75, 30], [1.8, 41]]))
    assert same(load("data.csv:2"), np.array([1.75, 1.8]))
    written("1,2\n3,4\n")
    assert same(load("data.csv:1"), np.array([2, 4]))
    assert same(load("data.csv:1,0"), np.array([[2, 1], [4, 3]]))
    assert same(load("data.csv"), np.array([[1, 2], [3, 4]]))


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("a,b", "a,b"),
        ("a,b", '"a,b"'),
        ("a:b", "a:b"),
        (" padded ", "padded"),
        ("größe", "größe"),
        ("1.5x", "1.5x"),
        ("-", "-"),
    ],
)
def test_odd_names(name: str, key: str) -> None:
    written(f'"{name}",other\n1,2\n3,4\n')
    assert same(load(f"data.csv:{key}"), np.array([1, 3]))
    if not key.startswith('"'):
        quoted = f'"{key}"' if "," in key else key
        assert same(load(f"data.csv:other,{quoted}"), np.array([[2, 1], [4, 3]]))


def test_a_file_of_that_very_name_goes_first() -> None:
    written("1\n2\n")
    written("a,b\n7,8\n", "data.csv:a")
    with pytest.raises(WorkError):
        # Its own name ends in nothing that is known: it is taken for a .npy.
        load("data.csv:a")


@pytest.mark.parametrize(
    ("text", "key", "message"),
    [
        (PEOPLE, ":ag", "data.csv has no column 'ag'; there are name, age, height, label\nhint: did you mean 'age'?"),
        (
            PEOPLE,
            ":",
            "data.csv: a key is missing after the colon; there are name, age, height, label\n"
            "hint: for example, data.csv:name",
        ),
        (PEOPLE, ":7", "data.csv has no column '7'; there are name, age, height, label"),
        (PEOPLE, ":name", "data.csv: the column 'name' holds text: 'Ann' in line 2"),
        (PEOPLE, ":age,name", "data.csv: the column 'name' holds text: 'Ann' in line 2"),
        (
            b"a,a,b\n1,2,3\n",
            ":a",
            "data.csv has 2 columns called 'a'\nhint: choose one by its number, as in data.csv:0",
        ),
    ],
)
def test_wrong_columns_are_wrong_requests(text: bytes, key: str, message: str) -> None:
    written(text)
    assert failure(lambda: load(f"data.csv{key}"), GradcliError) == message
    assert process("eval", "sum(x)", f"x=@data.csv{key}") == (2, "", f"gradcli: {message}\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,2\n3,x\n", "data.csv, line 2, column 2: 'x' is not a number"),
        ("a,b\n1,2\n3,4\n5,oops\n", "data.csv, line 4, column 2 ('b'): 'oops' is not a number"),
        ("a,b\n\n1,2\n\n3,4q\n", "data.csv, line 5, column 2 ('b'): '4q' is not a number"),
        ('a,b\n"1\n",2\n3,4q\n', "data.csv, line 4, column 2 ('b'): '4q' is not a number"),
        ("1,2\n3\n", "data.csv, line 2 has 1 cell, and the first has 2"),
        ("1,2\n3,4,5\n", "data.csv, line 2 has 3 cells, and the first has 2"),
        ("a,b\n1,2\n3,4,5\n", "data.csv, line 3 has 3 cells, and the first has 2"),
        ("1\n1_000\n", "data.csv, line 2, column 1: '1_000' is not a number"),
        ("1\n0x10\n", "data.csv, line 2, column 1: '0x10' is not a number"),
        ("1\n٣\n", "data.csv, line 2, column 1: '٣' is not a number"),
        ("1\nnan(1)\n", "data.csv, line 2, column 1: 'nan(1)' is not a number"),
        ("1\n1 2\n", "data.csv, line 2, column 1: '1 2' is not a number"),
        ("1\n1e\n", "data.csv, line 2, column 1: '1e' is not a number"),
        ("1\n1.5.2\n", "data.csv, line 2, column 1: '1.5.2' is not a number"),
        ("1\nTrue\n", "data.csv, line 2, column 1: 'True' is not a number"),
        (
            "a;b\n1;2\n1,5;2\n",
            "data.csv, line 3, column 1 ('a'): '1,5' is not a number\nhint: write decimals with a point, as in 0.5",
        ),
        ("", "data.csv is empty\nhint: a matrix without rows makes an empty table; .npy keeps its shape"),
        ("\n \n", "data.csv is empty"),
        ("a,b\n", "data.csv has a header and no rows"),
        ("a,b", "data.csv has a header and no rows"),
        ("a,b\nx,y\n", "data.csv has no numeric columns"),
        (
            "1,2\n3,\n",
            "data.csv, line 2, column 2: a value is missing\nhint: --missing nan reads missing values as NaN",
        ),
        (
            "a,b\n1,2\nNA,4\n",
            "data.csv, line 3, column 1 ('a'): a value is missing\nhint: --missing nan reads missing values as NaN",
        ),
        (
            '1,2\n"3,4\n',
            "data.csv, line 2: unexpected end of data\nhint: write a quote within a cell twice, and the cell in quotes",
        ),
        ("1,2\n3,\0\n", "data.csv is not text: line 2 holds a NUL byte"),
        ("1\n" + "9" * 200 + "x\n", f"data.csv, line 2, column 1: '{'9' * 60}…' is not a number"),
    ],
)
def test_what_is_wrong_and_where(text: str, message: str) -> None:
    written(text)
    assert failure(lambda: load("data.csv"), WorkError) == message
    done = process("eval", "sum(x)", "x=@data.csv")
    assert done == (1, "", f"gradcli: {message}\n")


def test_a_bad_cell_far_down_has_its_line() -> None:
    rows = [f"{k},{k / 7!r}" for k in range(200_000)]
    for bad in (3, 70_000, 199_999):
        changed = list(rows)
        changed[bad] = "1,?"
        written("a,b\n" + "\n".join(changed) + "\n")
        assert (
            failure(lambda: load("data.csv"), WorkError)
            == f"data.csv, line {bad + 2}, column 2 ('b'): '?' is not a number"
        )
    changed = list(rows)
    changed[150_000] = "1,2,3"
    written("\n".join(changed) + "\n")
    assert failure(lambda: load("data.csv"), WorkError) == "data.csv, line 150001 has 3 cells, and the first has 2"
    changed[150_000], changed[150_001] = "1", "1,2,3"
    written("\n".join(changed) + "\n")
    assert failure(lambda: load("data.csv"), WorkError) == "data.csv, line 150001 has 1 cell, and the first has 2"


def test_missing_values_become_nan_when_asked_for() -> None:
    written("a,b,c\n1,,x\nNA,2.5,y\n3,n/a,\n")
    with missing_as_nan(True):
        found = load("data.csv")
    assert np.array_equal(found, [[1, np.nan], [np.nan, 2.5], [3, np.nan]], equal_nan=True)
    done = process("eval", "x", "x=@data.csv:a", "--missing", "nan", "--no-grad", "-q")
    assert done == (0, "tensor([1., nan, 3.], dtype=float64)\n", "")
    # What is not a number is wrong all the same, and not-a-number is one.
    written("1\nnan\n-inf\n")
    assert np.array_equal(load("data.csv:0"), [1, np.nan, -np.inf], equal_nan=True)
    written("1\nx\n")
    assert process("eval", "x", "x=@data.csv", "--missing", "nan").code == 1


@pytest.mark.parametrize("command", ["eval", "explain", "check", "graph", "plot"])
def test_every_command_knows_missing(command: str) -> None:
    written("1\n\n2\n3\n")
    written("a,b\n1,\n2,3\n", "gaps.csv")
    words = ["sum(x*x)", "x=gaps.csv"] if command != "plot" else ["sin(x)", "x=gaps.csv:a"]
    done = process(command, *words, "--missing", "nan")
    assert "missing" not in done.err and "Traceback" not in done.err
    if command != "plot":
        assert process(command, "sum(x*x)", "x=gaps.csv").code == 1


@pytest.mark.parametrize("first", ["1", "1.5", "-1e5", "inf", ".5", "1.", "+3", '"4"'])
def test_a_first_line_of_numbers_is_no_header(first: str) -> None:
    written(f"{first}\n2\n")
    assert load("data.csv").shape == (2, 1)


def test_integers_stay_integers_until_a_column_has_others() -> None:
    written("a,b\n1,2\n9007199254740993,-4\n")
    assert same(load("data.csv"), np.array([[1, 2], [9007199254740993, -4]]))
    written("a\n" + "1\n" * 100_000 + "2.5\n" + "9007199254740993\n")
    assert same(load("data.csv:a"), np.array([1.0] * 100_000 + [2.5, 9007199254740992.0]))
    # What int64 does not hold is the closest float64.
    written("1\n9223372036854775808\n")
    assert same(load("data.csv:0"), np.array([1.0, 2.0**63]))
    written("1\n1e400\n5e-324\n-0.0\n")
    assert load("data.csv:0").tobytes() == np.array([1, np.inf, 5e-324, -0.0]).tobytes()


def test_class_labels_just_work() -> None:
    written("x,y\n0.5,1\n1.5,0\n")
    done = process("eval", "sum(eye(2)[y]*x)", "x=@data.csv:x", "y=@data.csv:y", "--wrt", "x")
    assert done.code == 0 and "AccumulateGrad x" in done.out


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "1,2\n3,4\n"),
        ("a.csv", "1,2\r\n3,4\r\n"),
        ("a.csv", "1,2\r3,4\r"),
        ("a.csv", "1,2\n3,4"),
        ("a.csv", "\ufeff1,2\n3,4\n"),
        ("a.csv", "\n1,2\n\n3,4\n\n"),
        ("a.csv", ' 1 , 2\n"3","4"\n'),
        ("a.csv", "1;2\n3;4\n"),
        ("a.CSV", "a,b\n1,2\n3,4\n"),
        ("a.csv", '"a\nb","c ""d"""\n1,2\n3,4\n'),
        ("a.csv", "\ufeffa,b\r\n1,2\r\n3,4\r\n"),
        ("a.csv", "# a comment\n# a,b\n1,2\n3,4\n"),
        ("a.tsv", "1\t2\n3\t4\n"),
        ("a.tsv", "a\tb\n1\t2\n3\t4\n"),
        ("a.txt", "1 2\n3 4\n"),
        ("a.txt", "  1   2 \n 3\t4\n"),
        ("a.txt", "1\t2\n3\t4\n"),
        ("a.txt", "1,2\n3,4\n"),
        ("a.txt", "# x y\n1 2\n3 4\n"),
        ("a.txt", "x y\n1 2\n3 4\n"),
    ],
)
def test_ways_of_writing(name: str, text: str) -> None:
    written(text, name)
    assert same(load(name), np.array([[1, 2], [3, 4]]))
    written(gzip.compress(text.encode()), f"{name}.gz")
    assert same(load(f"{name}.gz"), np.array([[1, 2], [3, 4]]))
    look = look_at(name)
    assert (look.shape, look.dtype, look.streams) == ((2, 2), np.dtype(np.int64), False)


def test_what_numpy_writes_is_read_with_its_names() -> None:
    array = np.random.default_rng(1).standard_normal((50, 3))
    np.savetxt("a.txt", array, header="x y z")
    assert same(load("a.txt"), np.loadtxt("a.txt")) and same(load("a.txt:y"), np.loadtxt("a.txt")[:, 1])
    np.savetxt("a.csv", array, delimiter=",", header="x,y,z")
    assert same(load("a.csv:z,x"), np.loadtxt("a.csv", delimiter=",")[:, [2, 0]])


def test_text_of_any_encoding_in_columns_that_are_left_out() -> None:
    written("name,x\nJos\xe9,1\n".encode("latin1") + b"B\x85b,2\n")
    assert same(load("data.csv:x"), np.array([1, 2]))
    assert same(load("data.csv"), np.array([[1], [2]]))
    written(b"x\n1\n\x852\n")
    assert (
        failure(lambda: load("data.csv"), WorkError) == "data.csv, line 3, column 1 ('x'): '\\udc852' is not a number"
    )


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            "a,b\n1,2\n".encode("utf-16"),
            "data.csv is UTF-16 text, not lines of UTF-8 text\nhint: convert it, as in iconv -f UTF-16 -t UTF-8",
        ),
        (
            b"PK\x03\x04rest",
            "data.csv is an archive, not lines of UTF-8 text\nhint: unpack it first; a spreadsheet is saved as CSV",
        ),
        (
            b"BZh91AY",
            "data.csv is compressed with bzip2, not lines of UTF-8 text\n"
            "hint: unpack it on the way, as in x=<(bzcat FILE)",
        ),
    ],
)
def test_what_is_no_text(data: bytes, message: str) -> None:
    written(data)
    assert failure(lambda: load("data.csv"), WorkError) == message


def test_a_npy_of_this_name_is_one_all_the_same() -> None:
    np.save("a.npy", np.arange(3.0))
    Path("a.npy").rename("a.csv")
    assert same(load("a.csv"), np.arange(3.0))


class TestGzip:
    def test_truncated_and_corrupt(self) -> None:
        packed = gzip.compress(b"1,2\n" * 50_000)
        written(packed[:-9], "a.csv.gz")
        assert (
            failure(lambda: load("a.csv.gz"), WorkError) == "a.csv.gz is truncated: it ends inside what is compressed"
        )
        written(packed[:40] + b"\xff" * 20 + packed[60:], "a.csv.gz")
        assert failure(lambda: load("a.csv.gz"), WorkError).startswith("a.csv.gz is corrupt: ")
        written(packed[:-8] + struct.pack("<II", 0, 200_000), "a.csv.gz")
        assert failure(lambda: load("a.csv.gz"), WorkError).startswith("a.csv.gz is corrupt: incorrect data check")

    def test_several_members_and_another_name(self) -> None:
        written(gzip.compress(b"1\n2\n") + gzip.compress(b"3\n"), "a.csv")
        assert same(load("a.csv:0"), np.array([1, 2, 3]))
        # As dd and tapes fill up what they write.
        written(gzip.compress(b"1\n2\n") + gzip.compress(b"") + gzip.compress(b"3\n") + bytes(100_000), "a.csv")
        assert same(load("a.csv:0"), np.array([1, 2, 3]))
        written(gzip.compress(b"1\n2\n") + b"more", "a.csv")
        assert failure(lambda: load("a.csv"), WorkError) == "a.csv is corrupt: incorrect header check"

    def test_what_inflates_counts_against_the_limit(self) -> None:
        with gzip.open("bomb.csv.gz", "wb") as file:
            for _ in range(200):
                file.write(b"1\n" * 500_000)
        assert Path("bomb.csv.gz").stat().st_size < 1_000_000
        with limited(4_000_000):
            message = failure(lambda: load("bomb.csv.gz"), GradcliError)
        assert message.startswith("bomb.csv.gz needs ") and "4 MB of memory may be used" in message
        done = process("eval", "sum(x)", "x=bomb.csv.gz", "--memory-limit", "4MB")
        assert (done.code, done.out) == (2, "") and "--memory-limit sets another limit" in done.err

    @pytest.mark.parametrize("filling", [b"9", b'"', b" "])
    def test_a_row_without_end(self, filling: bytes) -> None:
        with gzip.open("bomb.csv.gz", "wb") as file:
            for _ in range(150):
                file.write(filling * 1_000_000)
        message = failure(lambda: load("bomb.csv.gz"), WorkError)
        assert message.startswith("bomb.csv.gz has a row of more than 64 MB")


def test_sizes_count_against_the_limit() -> None:
    written("1.5,2\n" * 100_000)
    with limited(1_000_000):
        assert failure(lambda: load("data.csv"), GradcliError).startswith("data.csv needs ")
    with limited(1_600_000):
        assert load("data.csv").nbytes == 1_600_000


NUMBERS = st.one_of(
    st.floats(allow_nan=False).map(repr),
    st.integers(-(10**19), 10**19).map(str),
    st.floats(allow_nan=False, width=32).map(lambda v: f"{v:.6g}"),
    st.from_regex(r"[+-]?(?:[0-9]{1,25}\.?[0-9]{0,25}|\.[0-9]{1,25})(?:[eE][+-]?[0-9]{1,3})?", fullmatch=True).filter(
        str.isascii
    ),
)


@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=20))
@settings(max_examples=150, deadline=None)
def test_numbers_are_those_of_python(rows: list[tuple[str, str]]) -> None:
    written("".join(f"{a},{b}\n" for a, b in rows))
    found = load("data.csv")
    wanted = np.array([[float(a), float(b)] for a, b in rows])
    assert np.array_equal(found.astype(np.float64), wanted)
    if found.dtype == np.int64:
        assert found.tolist() == [[int(a), int(b)] for a, b in rows]


def _readers(monkeypatch: pytest.MonkeyPatch) -> dict[str, Callable[[str], Any]]:
    """Reading with all that is there, without Arrow, and cell by cell only."""

    def plain(spec: str) -> Any:
        with monkeypatch.context() as patch:
            patch.setattr(cells, "_WORTH_ARROW", 1 << 40)
            return load(spec)

    def careful(spec: str) -> Any:
        with monkeypatch.context() as patch:
            patch.setattr(cells.Reader, "_by_arrow", lambda self, piece: None)
            patch.setattr(cells.Reader, "_by_numpy", lambda self, piece: None)
            return load(spec)

    def eager(spec: str) -> Any:
        with monkeypatch.context() as patch:
            patch.setattr(cells, "_WORTH_ARROW", 0)
            patch.setattr(pieces, "_FIRST", 100)
            patch.setattr(pieces, "IN_CACHE", 1000)
            patch.setattr(cells.Reader, "at_once", lambda self: 1000)
            return load(spec)

    def by_lines(spec: str) -> Any:
        with monkeypatch.context() as patch:
            patch.setattr(tokenizer, "_reader", lambda: None)
            return plain(spec)

    return {"usual": load, "plain": plain, "careful": careful, "lines": by_lines, "eager": eager}


def _outcome(read: Callable[[str], Any], spec: str) -> Any:
    try:
        found = read(spec)
    except GradcliError as error:
        return str(error)
    return found.shape, found.dtype, found.tobytes()


ODD = [
    "x",
    "",
    "NA",
    "1_0",
    "0x1",
    "nan",
    "inf",
    "-Infinity",
    "nan(1)",
    "+1",
    " 7 ",
    '"8"',
    "1e400",
    "9" * 30,
    "٣",
    "1,2",
    '"a,b"',
    "\x85",
    "(",
    "5\0",
    "- 5",
    "-nan",
    "-0",
    "1\v",
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
]


@pytest.mark.parametrize("seed", range(80))
def test_all_ways_of_reading_agree(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Same bits, or the same complaint with the same place."""
    draw = random.Random(seed)
    width = draw.randint(1, 4)
    kinds = [
        draw.choice(
            [lambda: str(draw.randint(-9, 10**6)), lambda: repr(draw.gauss(0, 1)), lambda: "t" + str(draw.random())]
        )
        for _ in range(width)
    ]
    rows = [[kind() for kind in kinds] for _ in range(draw.randint(1, 400))]
    if draw.random() < 0.7:
        draw.choice(rows)[draw.randrange(width)] = draw.choice(ODD)
    if draw.random() < 0.1:
        draw.choice(rows).append("1")
    end = draw.choice(["\n", "\r\n"])
    text = "".join(",".join(row) + end for row in rows)
    if draw.random() < 0.5:
        text = ",".join(f"c{k}" for k in range(width)) + end + text
    written(text)
    outcomes = {name: _outcome(read, "data.csv") for name, read in _readers(monkeypatch).items()}
    # Pieces of other sizes look at fewer rows for what a column holds.
    assert outcomes["usual"] == outcomes["plain"] == outcomes["careful"] == outcomes["lines"]
    if not isinstance(outcomes["usual"], str):
        assert outcomes["eager"] == outcomes["usual"]
        plain = list(csv.reader(io.StringIO(text, newline="")))
        assert len(outcomes["usual"]) and outcomes["usual"][0][0] in (len(plain), len(plain) - 1)


def test_pyarrow_gives_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pyarrow")
    rng = np.random.default_rng(2)
    array = rng.standard_normal((60_000, 4)) * 10.0 ** rng.integers(-300, 300, (60_000, 4))
    written("a,b,c,d,text\n" + "\n".join(",".join(map(repr, row)) + ",héy" for row in array.tolist()) + "\n")
    used: list[bool] = []
    by_arrow = cells.Reader._by_arrow

    def watched(self: cells.Reader, piece: bytes) -> Any:
        found = by_arrow(self, piece)
        used.append(found is not None)
        return found

    monkeypatch.setattr(cells.Reader, "_by_arrow", watched)
    assert same(load("data.csv"), array) and True in used and False not in used
    assert same(load("data.csv:c,a"), np.ascontiguousarray(array[:, [2, 0]]))


@pytest.mark.parametrize(("columns", "form"), [(1, "%.6g"), (8, "%.6g"), (4, "%.18e"), (8, "%d")])
def test_reads_what_loadtxt_reads(columns: int, form: str) -> None:
    array = np.random.default_rng(0).standard_normal((4_000 // columns, columns)) * 1e4
    np.savetxt("data.csv", array, form, ",")
    dtype = np.int64 if form == "%d" else np.float64
    assert same(load("data.csv"), np.loadtxt("data.csv", dtype, delimiter=",", ndmin=2))


def test_empty_cells_between_tabs_are_missing_values() -> None:
    written("1\t\n\t2\n", "data.tsv")
    assert failure(lambda: load("data.tsv"), WorkError).startswith("data.tsv, line 2, column 1: a value is missing")


def test_a_column_that_is_whole_only_at_first() -> None:
    """Numbers that were read as integers before stay what they are."""
    large = 2**53 + 1
    written(f"{large}\n" * 100_000 + "0.5\n")
    expected = np.full((100_001, 1), float(large))
    expected[-1] = 0.5
    assert same(load("data.csv"), expected)


def test_notes_go_to_standard_error_unless_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    written(PEOPLE)
    done = process("eval", "sum(x)", "x=data.csv", "--no-grad")
    assert done == (0, "tensor(76.5500, dtype=float64)\n", "note: data.csv: left out 'name', which is not numeric\n")
    assert process("eval", "sum(x)", "x=data.csv", "--no-grad", "-q").err == ""
    assert call(monkeypatch, "eval", "sum(x)", "x=data.csv", "--no-grad", "-q").err == ""


def test_names_are_completed() -> None:
    written(PEOPLE)
    assert names_in("data.csv") == ["age", "height", "label"]
    written(gzip.compress(b"a,b\n1,2\n"), "data.tsv.gz")
    assert names_in("data.tsv.gz") == []
    written(gzip.compress(b"a\tb\n1\t2\n"), "data.tsv.gz")
    assert names_in("data.tsv.gz") == ["a", "b"]
    written('{"x": [1], "grads": {"x": 1}}', "a.json")
    assert names_in("a.json") == ["x", "grads"]
    written('{"x": 1, "y": 2}\n{"z": 2}\n', "a.jsonl")
    assert names_in("a.jsonl") == ["x", "y"]
    save("a.safetensors", np.zeros(2))
    assert names_in("a.safetensors") == ["value"]
    for name in ("bad.json", "bad.jsonl", "bad.csv", "bad.safetensors", "bad.parquet", "bad.h5", "bad.mat"):
        written(b"\x93[\0", name)
        assert names_in(name) == []
