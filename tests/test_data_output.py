"""Results in the format that the end of a path tells, whole or not at all; VALUES that are paths; pipes."""

from __future__ import annotations

import json
import os
import subprocess
import zipfile
from pathlib import Path

import numpy as np
import pytest

from gradcli.errors import GradcliError
from gradcli.machine.endings import FORMATS
from gradcli.storage import load, save, save_all, spooling
from tests.command import COMMAND, call, environment, leftovers, process
from tests.storage_support import DTYPES, SHAPES, failure, numbers, own_directory, same

__all__ = ["own_directory"]


def shell(script: str, **variables: str) -> tuple[int, str, str]:
    """What bash makes of a script in which `gradcli` is the command."""
    text = f'gradcli() {{ {" ".join(COMMAND)} "$@"; }}\n{script}'
    done = subprocess.run(
        ["bash", "-c", text], capture_output=True, timeout=300, env=environment(**variables), check=False
    )
    return done.returncode, done.stdout.decode(), done.stderr.decode()


@pytest.mark.parametrize("ending", [".npy", ".npz", ".json", ".csv", ".tsv"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_there_and_back(ending: str, dtype: str) -> None:
    for shape in SHAPES:
        array = numbers(shape, dtype)
        if ending in (".csv", ".tsv"):
            if len(shape) > 2:
                message = failure(lambda shape=shape: save(f"a{ending}", np.zeros(shape)), GradcliError)  # type: ignore[misc]
                assert message.startswith(f"value, which goes to a{ending}, has shape {shape}, and {ending} holds rows")
                continue
            save(f"a{ending}", array)
            if array.size:
                assert np.array_equal(load(f"a{ending}").reshape(shape), array)
            continue
        save(f"a{ending}", array)
        found = load(f"a{ending}")
        if ending == ".json":
            assert np.array_equal(found.reshape(shape), array)
        else:
            assert same(found, array)


@pytest.mark.parametrize("shape", [(0,), (0, 2), (2, 0)])
@pytest.mark.parametrize("ending", [".csv", ".tsv"])
def test_a_table_of_nothing_is_empty_and_says_so(shape: tuple[int, ...], ending: str) -> None:
    """As numpy.savetxt writes it; how many columns it had cannot be told."""
    np.save("x.npy", np.zeros(shape))
    assert process("eval", "x", "x=x.npy", "-q", "-o", f"value=a{ending}") == (0, "", "")
    np.savetxt("numpy", np.zeros(shape))
    assert Path(f"a{ending}").read_bytes() == Path("numpy").read_bytes()
    done = process("eval", "x", f"x=a{ending}")
    assert (done.code, done.out) == (1, "") and done.err.startswith(f"gradcli: a{ending} is empty\n")


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("ending", [".csv", ".tsv", ".json"])
def test_every_bit_comes_back(dtype: str, ending: str) -> None:
    bits = np.random.default_rng(3).integers(0, 256, 8000, np.uint8).tobytes()
    array = np.frombuffer(bits, dtype)
    array = np.concatenate([array[~np.isnan(array)], np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1, 1e-5], dtype)])
    save(f"a{ending}", array)
    found = load(f"a{ending}").reshape(-1).astype(dtype)
    assert np.array_equal(found, array, equal_nan=True) and np.array_equal(np.signbit(found), np.signbit(array))
    if ending == ".csv":
        assert np.loadtxt("a.csv").astype(dtype).tobytes() == found.tobytes()


def test_what_is_in_the_files() -> None:
    done = process(
        "eval",
        "sum(x**2)",
        "x=[[1, 2], [3, 0.1]]",
        "-q",
        *(w for e in ("csv", "tsv", "json", "npz") for w in ("-o", f"x.grad=g.{e}") if e == "csv"),
    )
    assert done == (0, "", "") and Path("g.csv").read_text() == "2.0,4.0\n6.0,0.2\n"
    for ending, text in (("tsv", "2.0\t4.0\n6.0\t0.2\n"), ("json", "[[2.0, 4.0], [6.0, 0.2]]\n")):
        assert process("eval", "sum(x**2)", "x=[[1, 2], [3, 0.1]]", "-q", "-o", f"x.grad=g.{ending}").code == 0
        assert Path(f"g.{ending}").read_text() == text
    assert process("eval", "sum(x**2)", "x=[[1, 2], [3, 0.1]]", "-q", "-o", "x.grad=g.npz").code == 0
    with np.load("g.npz") as archive:
        assert archive.files == ["x.grad"] and archive["x.grad"].tolist() == np.float32([[2, 4], [6, 0.2]]).tolist()
    assert zipfile.ZipFile("g.npz").testzip() is None
    save("v.csv", np.array([1, 2, 3]))
    assert Path("v.csv").read_text() == "1\n2\n3\n"
    save("b.csv", np.array([[True, False]]))
    assert Path("b.csv").read_text() == "1,0\n"


def test_many_dimensions_are_refused_before_anything_is_computed() -> None:
    words = ["x**2", "x=ones(2,2,2)", "--no-grad", "-o", "value=v.npy", "-o", "value=v.csv"]
    done = process("eval", *words)
    assert done.code == 2
    done = process("eval", "x**2", "x=ones(2,2,2)", "--grad-output", "1", "-o", "value=v.npy", "-o", "x.grad=g.csv")
    told = "x.grad, which goes to g.csv, has shape (2, 2, 2), and .csv holds rows and columns"
    assert done == (2, "", f"gradcli: {told}\nhint: name it .npy, .npz, .json or .safetensors\n") and leftovers() == []


def test_all_of_the_files_or_none() -> None:
    os.mkdir("taken.csv")
    done = process("eval", "sum(x)", "x=[1, 2]", "-o", "value=v.json", "-o", "x.grad=taken.csv")
    assert done.code == 1 and os.listdir() == ["taken.csv"]
    # A disk that is full when the second of them is written.
    script = (
        "ulimit -f 1; trap '' XFSZ; gradcli eval 'x*1' 'x=ones(100000)' --grad-output 1 -o value=v.npy -o x.grad=g.csv"
    )
    code, out, err = shell(script)
    assert (code, out) == (1, "") and "File too large" in err and os.listdir() == ["taken.csv"]


def test_large_results_in_other_formats_with_and_without_a_limit() -> None:
    np.save("x.npy", np.arange(20_000_000, dtype=np.float32))
    assert process("eval", "2*x", "x=x.npy", "--no-grad", "-q", "-o", "value=v.safetensors").code == 0
    assert np.array_equal(load("v.safetensors"), 2 * np.load("x.npy"))
    done = process("eval", "2*x", "x=x.npy", "--no-grad", "-q", "-o", "value=v.npz", "--memory-limit", "20MB")
    assert done.code == 0 and np.array_equal(load("v.npz"), 2 * np.load("x.npy"))


def test_an_ending_that_promises_nothing_is_npy() -> None:
    code, _, err = shell(
        "f=$(mktemp); gradcli eval 'sum(x)' 'x=[1, 2]' -q -o x.grad=$f; gradcli eval 'sum(g)' g=@$f --no-grad; rm $f"
    )
    assert (code, err) == (0, "")


@pytest.mark.parametrize("row", [row for row in FORMATS if not row.writes], ids=lambda row: row.endings[0])
def test_formats_that_are_not_written(row: object) -> None:
    for ending in row.endings:  # type: ignore[attr-defined]
        done = process("eval", "sum(x)", "x=[1, 2]", "-o", f"value=v{ending}")
        assert done.code == 2 and done.err.startswith(f"gradcli: cannot write v{ending}: arrays are written as .npy, ")
    assert os.listdir() == []


def test_repl_saves_in_formats(monkeypatch: pytest.MonkeyPatch) -> None:
    done = call(monkeypatch, "repl", stdin=b":save v.csv [1, 2]\nx = @v.csv:0\nsum(x)\n")
    assert done.code == 0 and Path("v.csv").read_text() == "1.0\n2.0\n" and "tensor(3., dtype=float64" in done.out


def test_a_value_that_begins_like_a_path_is_one() -> None:
    os.mkdir("sub")
    np.save("sub/plain", np.arange(3.0))
    os.rename("sub/plain.npy", "sub/plain")
    Path("sub/t.csv").write_text("a,b\n1,2\n")
    here = os.getcwd()
    for value in ("./sub/plain", f"{here}/sub/plain", "../" + os.path.basename(here) + "/sub/plain", "@sub/plain"):
        assert process("eval", "sum(x)", f"x={value}", "--no-grad").out == "tensor(3., dtype=float64)\n"
    assert process("eval", "sum(x)", "x=./sub/t.csv:b", "--no-grad").out == "tensor(2)\n"
    for value in ("~/sub/plain", "@~/sub/plain"):
        done = process("eval", "sum(x)", f"x={value}", "--no-grad", HOME=here)
        assert done.out == "tensor(3., dtype=float64)\n"
    assert process("eval", "x", "x=./missing").err == "gradcli: cannot read ./missing: No such file or directory\n"
    assert process("eval", "x", "x=.5", "--no-grad").out == "tensor(0.5000)\n"


@pytest.mark.parametrize(
    ("script", "out"),
    [
        ("gradcli eval 'sum(g)' g=<(gradcli eval 'sum(x**2)' 'x=[1, 2]' -o x.grad=-) --no-grad", "tensor(6.)\n"),
        ("gradcli eval 'sum(g)' g=@<(gradcli eval 'sum(x**2)' 'x=[1, 2]' -o x.grad=-) --no-grad", "tensor(6.)\n"),
        ("gradcli eval 'sum(x)' x=<(seq 4) --no-grad", "tensor(10)\n"),
        ("gradcli eval 'sum(x)' x=<(printf 'a,b\\n1,2\\n') --no-grad", "tensor(3)\n"),
        ("gradcli eval 'sum(x)' x=<(printf '1.5 2\\n3 4\\n') --no-grad", "tensor(10.5000, dtype=float64)\n"),
        ("exec 7< <(seq 3); gradcli eval 'sum(x)' x=/dev/fd/7 --no-grad", "tensor(6)\n"),
        ("exec 7< x.npy; gradcli eval 'sum(x)' x=/dev/fd/7 --no-grad", "tensor(3., dtype=float64)\n"),
        ("gradcli eval 'sum(a*b)' a=<(seq 3) b=<(seq 3) --no-grad", "tensor(14)\n"),
        ("gzip -k t.csv; gradcli eval 'sum(x)' x=<(zcat t.csv.gz) --no-grad", "tensor(3)\n"),
        ("mkfifo p.csv; cat t.csv > p.csv & gradcli eval 'sum(x)' x=p.csv:b --no-grad", "tensor(2)\n"),
        (
            "gradcli eval '3*x' x=1 -q -o value=>(cat > v.npy); wait; sleep 0.2; gradcli eval x x=v.npy --no-grad",
            "tensor(3.)\n",
        ),
    ],
)
def test_pipes_of_the_shell(script: str, out: str) -> None:
    np.save("x.npy", np.arange(3.0))
    Path("t.csv").write_text("a,b\n1,2\n")
    assert shell(script) == (0, out, "")


@pytest.mark.parametrize("text", ["hello\n", '{"a": 1}\n', "\\x00\\x01", ""])
def test_pipes_with_something_else(text: str) -> None:
    code, out, err = shell(f"gradcli eval 'sum(x)' x=<(printf '{text}') --no-grad")
    assert (code, out) == (1, "") and err.count("\n") <= 2 and ("is not a .npy file" in err or "is empty" in err)


def test_binary_formats_need_a_file() -> None:
    code, _, err = shell("mkfifo p.parquet; printf abcd > p.parquet & gradcli eval 'sum(x)' x=p.parquet")
    assert (code, err) == (1, "gradcli: p.parquet is not a regular file, which .parquet has to be\n")


class TestBatch:
    def test_items_of_all_formats(self) -> None:
        os.mkdir("days")
        for k, day in enumerate(("mon", "tue")):
            Path(f"days/{day}.csv").write_text(f"x,y\n{k},2\n3,\n")
        for value in ("days/*.csv:x", "./days/*.csv:x", "@days/*.csv:x"):
            done = process("batch", "sum(x*2)", f"x={value}", "-o", "out", "--overwrite", "--save", "values")
            assert done == (0, "2 items: 2 done\n", "")
            lines = [json.loads(line) for line in Path("out/results.jsonl").read_text().splitlines()]
            assert [(line["item"], line["value"]) for line in lines] == [("mon", 6), ("tue", 8)]
        done = process("batch", "sum(x)", "x=days/*.csv:y", "-o", "out2")
        assert done.code == 1 and "days/mon.csv, line 3, column 2 ('y'): a value is missing" in done.err
        done = process(
            "batch", "sum(x)", "x=days/*.csv:y", "-o", "out2", "--missing", "nan", "--overwrite", "--jobs", "2"
        )
        told = (
            "note: 2 of 2 items hold NaN or infinities; the first, 'mon': value is NaN: `gradcli check` names the "
            "operation\n"
        )
        assert done == (0, "2 items: 2 done\n", told)
        assert np.load("out2/mon.x.grad.npy").tolist() == [1, 1]

    def test_a_folder_of_tables_and_a_shared_one(self) -> None:
        os.mkdir("days")
        for k, day in enumerate(("mon", "tue")):
            Path(f"days/{day}.csv").write_text(f"{k + 0.5}\n2\n")
        Path("w.json").write_text("[1.5, 2]")
        done = process("batch", "sum(x[:, 0]*w)", "x=days/", "w=w.json", "-o", "out", "--wrt", "w", "--accumulate")
        assert (done.code, done.err) == (0, "") and np.load("out/w.grad.npy").tolist() == [2, 4]


@pytest.mark.parametrize("path", ["o.npz:key", "o.json:key", "o.csv:key"])
def test_a_result_is_no_entry_of_a_file(path: str) -> None:
    done = process("eval", "sum(x)", "x=[1., 2.]", "-o", f"x.grad={path}")
    assert done.code == 2 and f"cannot write {path}: a result is a file of its own" in done.err
    assert os.listdir() == []


# Larger than memory ---------------------------------------------------------------------------------------------------

ENDINGS = [".csv", ".tsv", ".json", ".npz", ".safetensors", ".parquet"]


@pytest.mark.parametrize("ending", ENDINGS)
def test_results_larger_than_memory_are_written_in_all_formats(ending: str) -> None:
    if ending == ".parquet":
        pytest.importorskip("pyarrow")
    array = np.random.default_rng(0).standard_normal((150_000, 4))
    np.save("x.npy", array)
    words = ("eval", "x*2", "x=x.npy", "--no-grad", "-q", "--memory-limit", "4MB")
    assert process(*words, "-o", f"value=a{ending}") == (0, "", "")
    assert leftovers() == sorted([f"a{ending}", "x.npy"]) and same(load(f"a{ending}"), array * 2)
    # Into a folder, too, where the .npy is read for the other.
    assert process(*words, "-o", f"value=a{ending}", "-o", "out/") == (0, "", "")
    assert same(np.load("out/value.npy"), array * 2) and same(load(f"a{ending}"), array * 2)
    assert leftovers() == sorted([f"a{ending}", "out", "out/value.npy", "x.npy"])


def test_of_results_larger_than_memory_that_fail_nothing_remains() -> None:
    np.save("x.npy", np.r_[np.ones(800_000), 0.0])
    words = ("eval", "1/x", "x=x.npy", "--no-grad", "--memory-limit", "4MB")
    done = process(*words, "-o", "value=a.csv", "--fail-on-nan")
    assert (done.code, done.out) == (1, "") and "value holds 1 infinity among 800,001 elements" in done.err
    assert leftovers() == ["x.npy"]
    # What cannot be gone back to is held, or refused before anything is computed.
    done = process(*words, "-o", "value=-")
    assert (done.code, done.out) == (2, "") and "of memory may be used" in done.err


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_arrays_in_files_are_written_as_those_in_memory(ending: str, dtype: str) -> None:
    if ending == ".parquet":
        pytest.importorskip("pyarrow")
    for shape in SHAPES:
        if len(shape) > 2 and ending in (".csv", ".tsv", ".parquet"):
            continue
        array = numbers(shape, dtype)
        save(f"a{ending}", array)
        with spooling([("spool", shape, np.dtype(dtype))]) as (sink,):
            sink.write(0, 0, np.asarray(array))
            save_all([(f"b{ending}", sink)])
        if ending == ".npz":
            # The archive has the time in it.
            assert same(load("a.npz"), load("b.npz"))
        else:
            assert Path(f"a{ending}").read_bytes() == Path(f"b{ending}").read_bytes()
    assert leftovers() == [f"a{ending}", f"b{ending}"]
