"""`gradcli stream` on lines: answers, fields, errors, names, plans."""

from __future__ import annotations

import io
import json
import random
from contextvars import copy_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gradcli as gc
from gradcli.engine.execute.closure import bound
from gradcli.engine.execute.run import run
from gradcli.errors import GradcliError
from gradcli.evaluation.compiled import Compiled
from gradcli.evaluation.names import free_names
from gradcli.evaluation.request import prepare
from gradcli.evaluation.values import InputSpec
from gradcli.language.parse import parse
from gradcli.render.json import to_json
from gradcli.stream.fields import FieldReader
from gradcli.stream.flow import Inlet, lines
from gradcli.stream.plan_cache import Plans, RecordJob
from gradcli.stream.records import choose_names
from tests.command import Done, call, process


@pytest.fixture(autouse=True)
def own_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def text(*records: Any) -> bytes:
    return "".join(f"{r if isinstance(r, str) else json.dumps(r)}\n" for r in records).encode()


def rows(done: Done) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.out.splitlines()]


@pytest.fixture
def stream(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The command in this process, on records."""
    return lambda *words, stdin=b"": call(monkeypatch, "stream", *words, stdin=stdin)


# Answers --------------------------------------------------------------------------------------------------------------


def test_a_line_of_the_brief() -> None:
    done = process("stream", "sum(x**2)", "--wrt", "x", stdin=b'{"x": [1, 2], "id": 7}\n')
    assert done == (0, '{"id": 7, "value": 5.0, "grads": {"x": [2.0, 4.0]}}\n', "")


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize(
    "source",
    [
        "mean(2*(3*x+7)**2)",
        "sum(sigmoid(x)*tanh(x))",
        "logsumexp(x, 0)",
        "x[0]*x[1]",
        "sum(x, 0)",
        "norm(x)",
        "sum(x/0)",
    ],
)
def test_answers_are_those_of_evaluate(source: str, dtype: str, stream: Any) -> None:
    """The same digits, for numbers of all sizes."""
    numbers = random.Random(source)
    values = [[numbers.gauss(0, 1) * 10.0 ** numbers.randint(-9, 9) for _ in range(4)] for _ in range(60)]
    done = stream(source, "--dtype", dtype, "-q", stdin=text(*({"x": v} for v in values)))
    expected = []
    for value in values:
        with np.errstate(over="ignore"):
            result = gc.evaluate(source, {"x": np.array(value).astype(dtype)})
        assert result.grads is not None and result.grads["x"] is not None
        expected.append(to_json({"value": result.value.value(), "grads": {"x": result.grads["x"].value()}}))
    assert done.out.splitlines() == expected
    assert (done.code, done.err) == (0, "")


@pytest.mark.parametrize(
    ("line", "array", "dtype"),
    [
        ("[1, 2]", [1, 2], "float32"),
        ("3", 3, "float32"),
        ("[[1, 2], [3, 4.5]]", [[1, 2], [3, 4.5]], "float32"),
        ("[]", [], "float32"),
        ("[[], []]", [[], []], "float32"),
        ("[NaN, Infinity, -Infinity]", [np.nan, np.inf, -np.inf], "float32"),
        ('["NaN", "Infinity", "-Infinity", 1]', [np.nan, np.inf, -np.inf, 1], "float32"),
        ('"NaN"', np.nan, "float32"),
        ("[true, false]", [True, False], "bool"),
        ("true", True, "bool"),
        ("[true, 2]", [1, 2], "float32"),
        ("18446744073709551615", 18446744073709551615, "float32"),
        ("[1e300, 1e400]", [np.inf, np.inf], "float32"),
        ("[123456789012345678901234567890, 1]", [1.2345679e29, 1], "float32"),
    ],
)
def test_values_of_fields(line: str, array: Any, dtype: str) -> None:
    with np.errstate(over="ignore"):
        record = FieldReader(["x"], None).read(f'{{"x": {line}}}')
    assert record.error is None
    found = record.arrays["x"]
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, np.array(array, dtype))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("nope", "this is not JSON: expecting value (column 1)"),
        ('{"x": 1', "this is not JSON: expecting ',' delimiter (column 8)"),
        ('{"x": 1} {"x": 2}', "this is not JSON: more follows after the value (column 9)"),
        ('"text"', "this is the text 'text', not an object"),
        ("null", "this is null, not an object"),
        ("{}", "the field 'x' is missing"),
        (f'{{"x": {"9" * 400}}}', "in the field x: the number written here does not fit into float32"),
        ('{"X": 1}', "the field 'x' is missing"),
        ('{"x": null}', "in the field x: a value is missing"),
        ('{"x": [1, null]}', "in the field x: a value is missing"),
        ('{"x": {"y": 1}}', "in the field x: an object is not a number"),
        ('{"x": ["1"]}', "in the field x: the text '1' is not a number"),
        ('{"x": [1, [2]]}', "in the field x: ragged list: numbers and lists are mixed at one level"),
        ('{"x": [[1, 2], [3]]}', "in the field x: ragged list: rows of 1 and of 2 elements"),
        (f'{{"x": {"[" * 70}{"]" * 70}}}', "in the field x: a list is nested more than 64 levels deep"),
        ("[" * 1_000_000, "this is nested too deeply"),
        (f'{{"x": {"9" * 5000}}}', "an integer has more digits than can be read"),
    ],
)
def test_lines_that_are_wrong(line: str, message: str) -> None:
    record = FieldReader(["x"], None).read(line)
    assert record.error is not None and record.error.message == message


@pytest.mark.parametrize("count", [1, 9])
def test_letters_and_accents_of_fields_are_one_character(count: int, stream: Any) -> None:
    record = {"e\u0301": [1, 2], "o\u0301": 1}
    answer = {"o\u0301": 1, "value": 3.0, "grads": {"\u00e9": [1.0, 1.0]}}
    assert rows(stream("sum(\u00e9)", stdin=text(*[record] * count))) == [answer] * count
    # What has the name itself goes first.
    both = {"e\u0301": 1, "\u00e9": 2}
    assert rows(stream("\u00e9", "--no-grad", stdin=text(both))) == [{"e\u0301": 1, "value": 2.0, "grads": None}]
    table = "e\u0301,b\n1,2\n".encode()
    assert [row["value"] for row in rows(stream("\u00e9 + b", "--format", "csv", stdin=table))] == [3.0]
    arrays = {"e\u0301": np.ones(1), "b": np.ones(1)}
    np.savez("a.npz", **arrays)
    assert [row["value"] for row in rows(stream("sum(\u00e9 + b)", "a.npz"))] == [2.0]


def test_passing_through(stream: Any) -> None:
    """Other fields come out as they went in, in strict ASCII; those of an earlier answer give way."""
    fields = {"a": [1, {"b": None}], "é": "ü\u2028", "n": 10**30, "f": 0.1, "t": True, "none": None}
    done = stream("x", stdin=text({**fields, "value": 1, "grads": {}, "x": 2}))
    assert done.out.isascii()
    assert rows(done) == [{**fields, "value": 2.0, "grads": {"x": 1.0}}]
    assert list(rows(done)[0]) == [*fields, "value", "grads"]
    done = stream("x", stdin=b'{"x": 1, "n": NaN, "m": [-Infinity]}')
    assert done.out == '{"n": "NaN", "m": ["-Infinity"], "value": 1.0, "grads": {"x": 1.0}}\n'


def test_a_field_nested_too_deeply_to_pass(stream: Any) -> None:
    deep = "[" * 1_000_000 + "]" * 1_000_000
    found = rows(stream("x", "--no-grad", stdin=f'{{"x": 1, "m": {deep}}}\n{{"x": 2}}\n'.encode()))
    assert found[0]["error"]["message"] in ("this is nested too deeply", "the field 'm' is nested too deeply")
    assert found[1]["value"] == 2.0


def test_what_lines_may_look_like(stream: Any) -> None:
    data = b'\xef\xbb\xbf{"x": 1}\r\n\r\n  \n{"x": 2, "x": 3}\r\n[4, 5]\n6\n\xff\n\t{"x": 7}'
    done = stream("sum(x)", "--no-grad", stdin=data)
    assert [row.get("value") for row in rows(done)] == [1.0, 3.0, 9.0, 6.0, None, 7.0]
    assert rows(done)[4]["line"] == 7
    assert rows(done)[4]["error"]["message"] == "the line is not UTF-8 text (byte 1)"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("x".encode("utf-16"), "standard input is UTF-16 text"),
        (b"PK\x03\x04", "standard input is an archive"),
        (b"\x93NUMPY\x01\x00", "standard input is .npy data"),
        (b"\x1f\x8b\x08", "standard input is compressed"),
    ],
)
def test_what_is_no_lines_at_all(data: bytes, message: str, stream: Any) -> None:
    done = stream("x", stdin=data)
    assert (done.code, done.out) == (1, "") and done.err.startswith(f"gradcli: {message}")


def test_shared_inputs(stream: Any) -> None:
    np.save("w.npy", np.array([1.0, 2.0]))
    done = stream("sum(w*x) + b", "w=w.npy", "b=1", "--wrt", "w,x", stdin=text({"x": [3, 4]}, {"x": 5}))
    assert rows(done) == [
        {"value": 12.0, "grads": {"w": [3.0, 4.0], "x": [1.0, 2.0]}},
        {"value": 16.0, "grads": {"w": [5.0, 5.0], "x": 3.0}},
    ]


def test_options(stream: Any) -> None:
    Path("loss.txt").write_text("y = x*k\nsum(y)")
    one = text({"x": [1, 2], "k": 2})
    assert stream("-f", "loss.txt", "--wrt", "k", stdin=one).out == '{"value": 6.0, "grads": {"k": 3.0}}\n'
    assert stream("x*k", "--grad-output", "[1, 10]", "--wrt", "x", stdin=one).out == (
        '{"value": [2.0, 4.0], "grads": {"x": [2.0, 20.0]}}\n'
    )
    assert stream("-x", "--no-grad", stdin=b"3").out == '{"value": -3.0, "grads": null}\n'
    assert stream("x//2", "--dtype", "int64", stdin=b"[7, 9007199254740993]").out == (
        '{"value": [3, 4503599627370496], "grads": null}\n'
    )
    done = stream("x", "--dtype", "uint8", stdin=b"300")
    assert rows(done)[0]["error"]["message"] == "in the field x: the number 300 does not fit into uint8"
    assert stream("e*2", "--name", "e", stdin=b'{"e": 3}').out == '{"value": 6.0, "grads": {"e": 2.0}}\n'
    done = stream("2*x", stdin=b"[1]\n[2, 3]\n[4, 5]")
    assert (
        done.err == "note: the value has shape (2,), so no gradient was computed: reduce it or give --grad-output 1\n"
    )
    assert stream("2*x", "-q", stdin=b"[2, 3]").err == ""


def test_random_numbers_go_on(stream: Any) -> None:
    done = stream("x*rand(1)[0]", "--no-grad", "--seed", "0", stdin=b"1\n1\n1\n")

    def drawn() -> list[float]:
        gc.manual_seed(0)
        return [json.loads(to_json(gc.rand(1).value()[0])) for _ in range(3)]

    assert [row["value"] for row in rows(done)] == copy_context().run(drawn)


def test_a_large_record_is_computed_in_blocks(stream: Any) -> None:
    values = np.arange(200_000, dtype=np.float32) / 1000
    record = io.BytesIO()
    np.save(record, values)
    done = stream("mean(sin(x)**2)", "--format", "npy", "--no-grad", "--threads", "2", stdin=record.getvalue())
    assert rows(done)[0]["value"] == json.loads(to_json(gc.evaluate("mean(sin(x)**2)", {"x": values}).value.value()))


# Errors ---------------------------------------------------------------------------------------------------------------

MIXED = text({"x": [1, 2], "id": 1}, "nope", {"x": [1, 2, 3], "id": 3}, {"id": 4, "x": "a"}, {"x": [5, 6], "id": 5})


def test_the_run_goes_on_after_a_bad_record() -> None:
    done = process("stream", "sum(x*w)", "w=[1, 10]", "--wrt", "x", stdin=MIXED)
    found = rows(done)
    assert [row.get("id") for row in found] == [1, None, 3, 4, 5]
    assert [row.get("value") for row in found] == [21.0, None, None, None, 65.0]
    assert [row.get("line") for row in found] == [None, 2, 3, 4, None]
    # The place in the expression.
    assert found[2]["error"]["span"] == [5, 6]
    assert done.code == 1
    assert done.err.startswith("gradcli: 3 of 5 records failed; the first, line 2: this is not JSON: expecting value")
    assert not done.out.count("Traceback")


def test_strict_stops_with_the_answers_before_written() -> None:
    done = process("stream", "sum(x*w)", "w=[1, 10]", "--no-grad", "--strict", stdin=MIXED)
    assert (done.code, done.out) == (1, '{"id": 1, "value": 21.0, "grads": null}\n')
    assert done.err.startswith("gradcli: line 2: this is not JSON")
    later = MIXED.replace(b"nope\n", b"\n")
    done = process("stream", "sum(x*w)", "w=[1, 10]", "--no-grad", "--strict", stdin=later)
    assert done.code == 1 and done.err.startswith("gradcli: line 3: shapes (3,) and (2,)")
    assert "\n  sum(x*w)\n       ^\n" in done.err


def test_a_report_of_an_earlier_stream_passes(stream: Any) -> None:
    earlier = stream("sum(x)", stdin=text({"x": "a", "id": 1}))
    done = stream("sqrt(value)", "--name", "value", stdin=earlier.out.encode())
    assert (done.code, done.out) == (1, earlier.out)
    # But a field of this name is a field like others.
    assert rows(stream("x", stdin=text({"x": 1, "error": "mine"})))[0]["error"] == "mine"


def test_the_last_report_as_json(stream: Any) -> None:
    done = stream("x", "--json", stdin=b"a\n")
    assert json.loads(done.err)["error"]["message"].startswith("1 of 1 record failed")


def test_too_much_memory_for_one_record(stream: Any) -> None:
    done = stream("sum(ones(1000, x.numel()))*x[0]", "--memory-limit", "1MB", stdin=text([1], [1.0] * 1000, [2]))
    assert [row.get("value") for row in rows(done)] == [1000.0, None, 2000.0]
    assert "1 MB of memory may be used" in rows(done)[1]["error"]["message"]
    # Not even for a large answer, as `eval` does: nothing of a stream goes to files.
    done = stream("x + x[:, None]", "--memory-limit", "1MB", stdin=text([1.0] * 1000))
    assert rows(done)[0]["error"]["hint"] == "--memory-limit sets another limit"


def test_a_line_that_is_too_long() -> None:
    class Chunks(io.RawIOBase):
        parts = [b'{"x": [', *[b"1, " * 500] * 5, b"1]}\nshort\n", b"a" * 600, b"b" * 600, b"\n", b"end"]

        def read(self, size: int = -1) -> bytes:
            return self.parts.pop(0) if self.parts else b""

    found = [str(line)[:30] for line in lines(Inlet(Chunks(), "-", lambda: None), longest=1000)]
    assert found == ["the line is longer than 0 MB\nh", "short", "the line is longer than 0 MB\nh", "end"]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_lines_do_not_depend_on_how_bytes_come(size: int) -> None:
    data = '{"x": 1}\n\n"é"\r\n\n日本\nlast'.encode()

    class Slow(io.BytesIO):
        def read(self, count: int | None = -1) -> bytes:
            return super().read(size)

    assert list(lines(Inlet(Slow(data), "-", lambda: None))) == ['{"x": 1}', "", '"é"', "", "日本", "last"]


# Names ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("x + y*x", ["x", "y"]),
        ("a = x; b = a*y; b + a", ["x", "y"]),
        ("x = x + 1; x", ["x"]),
        ("f(t) = t*k; f(x) + f(y)", ["x", "k", "y"]),
        ("f(t) = t*k; k = x; f(2)", ["x"]),
        ("f(t) = g(t)*p; g(t) = t*q; f(1)", ["p", "q"]),
        ("f(t) = t*unused; x", ["x"]),
        ("x.sum(dim=0) + pi", ["x"]),
        ("zeros(2, dtype=float64) + e*x", ["x"]),
        ("f(n) = where(n, f(n), z); f(x)", ["x", "z"]),
    ],
)
def test_free_names(source: str, names: list[str]) -> None:
    assert sorted(free_names(parse(source))) == sorted(names)


def test_chosen_names_are_in_the_order_of_the_expression() -> None:
    assert choose_names(parse("b*a + c"), ["c"], None) == ["b", "a"]
    assert choose_names(parse("b*a + c"), ["c"], ["a", "b"]) == ["a", "b"]
    with pytest.raises(GradcliError, match="needs nothing"):
        choose_names(parse("e"), [], None)


# Plans ----------------------------------------------------------------------------------------------------------------


def test_plans_are_used_again_and_forgotten() -> None:
    plans = Plans(RecordJob(parse("sum(x)" + " " * 20_000), {}, None, None))
    small, other = {"x": np.ones(1)}, {"x": np.ones(2)}
    first, second = plans.find(small)[0], plans.find(other)[0]
    assert plans.find(small)[0] is first and plans.find({"x": np.zeros(2)})[0] is second
    assert plans.find({"x": np.ones(2, np.float32)})[0] is not second
    for length in range(3, 9):
        plans.find({"x": np.ones(length)})
    assert plans.find(small)[0] is not first


def test_layouts_have_plans_of_their_own() -> None:
    plans = Plans(RecordJob(parse("sum(x, 0)"), {}, None, None))
    assert plans.find({"x": np.ones((2, 3))})[0] is not plans.find({"x": np.ones((2, 3), order="F")})[0]


@pytest.mark.parametrize(
    "source", ["sum(x)", "x*2 + 1", "softmax(x, 0)", "x.T @ x", "reshape(sigmoid(x), [-1])", "x[0]", "var(x) + gelu(x)"]
)
@pytest.mark.parametrize("shape", [(3, 3), (1, 1), (2, 0)])
def test_bound_programs_compute_what_run_does(source: str, shape: tuple[int, int]) -> None:
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    request = prepare(parse(source), [InputSpec("x", x.shape, x.dtype)], None, True)
    vector = np.ones(request.roots[0].shape, np.float32)
    compiled = Compiled(request)
    program, leaves = compiled.program, compiled.leaves({"x": x}, vector)
    function = bound(program)
    assert function is not None
    with np.errstate(all="ignore"):
        for ours, theirs in zip(function(leaves), run(program, leaves), strict=True):
            assert isinstance(ours, np.ndarray) and ours.dtype == theirs.dtype and ours.shape == theirs.shape
            assert ours.tobytes() == theirs.tobytes()


# One key, one meaning ------------------------------------------------------------------------------------------------


def only_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = [key for key, _ in pairs]
    assert len(set(keys)) == len(keys), keys
    return dict(pairs)


def test_fields_that_reports_have_too() -> None:
    own = '"line": "L", "error": null, "file": "F", "record": 1, "value": 2, "grads": 3, "error": {"message": "m"}'
    own += ', "id": 7'
    Path("a.jsonl").write_text(
        "".join(
            f"{line}\n"
            for line in (
                f'{{"x": [1, 2], {own}}}',
                f'{{"x": [1, 2, 3], {own}}}',
                f'{{"x": [[1], 2], {own}}}',
                '{"x": [1, 2, 3], "meta": {"file": 1, "line": 2}}',
            )
        )
    )
    passing = {"line": "L", "error": {"message": "m"}, "file": "F", "record": 1, "id": 7}
    for words, stdin, file in (([], Path("a.jsonl").read_bytes(), {}), (["a.jsonl"], b"", {"file": "a.jsonl"})):
        done = process("stream", "sum(x + [1, 2])", "--no-grad", *words, stdin=stdin)
        found = [json.loads(line, object_pairs_hook=only_once) for line in done.out.splitlines()]
        assert found[0] == {**passing, "value": 6.0, "grads": None}
        for number in (2, 3):
            report = found[number - 1]
            assert report.pop("error")["message"] != "m"
            # Where the report says nothing of a file, the record's own is still true.
            assert report == {"record": 1, "id": 7, "file": "F", **file, "line": number}
        assert found[3].pop("error") and found[3] == {"meta": {"file": 1, "line": 2}, **file, "line": 4}


@pytest.mark.parametrize("name", ["line", "error", "file"])
def test_inputs_that_are_called_like_fields_of_reports(name: str) -> None:
    lines = f'{{"{name}": [1, 2], "id": 1}}\n{{"{name}": [1, 2, 3], "id": 2}}\n'
    done = process("stream", f"sum({name} + [1, 2])", "--no-grad", stdin=lines.encode())
    first, second = [json.loads(line, object_pairs_hook=only_once) for line in done.out.splitlines()]
    assert first == {"id": 1, "value": 6.0, "grads": None}
    assert list(second) == ["id", "line", "error"] and second["line"] == 2
