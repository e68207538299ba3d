"""`gradcli batch` through real processes: what it writes, what it refuses, and what is left when something fails."""

from __future__ import annotations

import contextlib
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gradcli.batch.items import Pattern, find_items, pattern_of
from gradcli.batch.job import Job, Task
from gradcli.batch.journal import UNFINISHED, Folder
from gradcli.batch.work import Common, Worker
from gradcli.errors import GradcliError
from tests.command import COMMAND, Done, ended_by, environment, leftovers, process
from tests.peak import measured

HEADLINE = "mean(2*(3*x+7)**2)"


@pytest.fixture(autouse=True)
def own_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def make(folder: str, count: int, size: int | tuple[int, ...] = 6, seed: int = 0) -> list[np.ndarray]:
    os.mkdir(folder)
    rng = np.random.default_rng(seed)
    arrays = [rng.standard_normal(size).astype(np.float32) for _ in range(count)]
    for k, array in enumerate(arrays):
        np.save(f"{folder}/i{k:03}.npy", array)
    return arrays


def batch(*words: str, **variables: str) -> Done:
    return process("batch", *words, **variables)


def lines(folder: str = "out") -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(folder, "results.jsonl").read_text().splitlines()]


def contents(folder: str) -> dict[str, Any]:
    """Every result by its name: the bytes of arrays, and the lines without the times that they took."""
    found: dict[str, Any] = {p.name: p.read_bytes() for p in Path(folder).glob("*.npy")}
    found["results"] = [{k: v for k, v in line.items() if k != "seconds"} for line in lines(folder)]
    return found


# What it writes ------------------------------------------------------------------------------------------------------


def test_values_and_gradients_are_those_of_eval() -> None:
    arrays = make("data", 5)
    assert batch(HEADLINE, "x=data/*.npy", "-o", "out", "--save", "both") == (0, "5 items: 5 done\n", "")
    assert sorted(os.listdir("out")) == sorted(
        [".gradcli", "results.jsonl", *(f"i{k:03}.{w}.npy" for k in range(5) for w in ("value", "x.grad"))]
    )
    for k, (array, line) in enumerate(zip(arrays, lines(), strict=True)):
        one = json.loads(process("eval", HEADLINE, f"x=data/i{k:03}.npy", "--json", "-o", "x.grad=g.npy").out)
        assert line["item"] == f"i{k:03}" and line["value"] == one["value"]
        assert line["shapes"] == {"value": [], "x.grad": [6]} and line["dtype"] == "float32" and line["seconds"] > 0
        assert line["inputs"]["x"]["path"] == f"data/i{k:03}.npy"
        assert Path(f"out/i{k:03}.x.grad.npy").read_bytes() == Path("g.npy").read_bytes()
        np.testing.assert_allclose(np.load(f"out/i{k:03}.x.grad.npy"), 12 * (3 * array + 7) / 6, rtol=1e-6)
        assert np.load(f"out/i{k:03}.value.npy") == np.float32(line["value"])


@pytest.mark.parametrize(
    "given", ["x=data/*.npy", "x=data/", "x=data", "x=@@list.txt", "x=@data/i*.np[xy]", "x=@data/**", "x=@data/*"]
)
def test_patterns_folders_and_lists(given: str) -> None:
    make("data", 3)
    os.mkdir("data/none")
    # Windows begins texts with a mark.
    Path("list.txt").write_text("".join(f"data/i{k:03}.npy\n\n" for k in (2, 0, 1)), "utf-8-sig")
    assert batch("sum(x)", given, "-o", "out").code == 0
    order = [2, 0, 1] if "@@" in given else [0, 1, 2]
    assert [line["item"] for line in lines()] == [f"i{k:03}" for k in order]


def test_inputs_are_matched_by_stem_and_plain_ones_shared() -> None:
    xs, ys = make("a", 3, (4, 2)), make("b", 3, 4, seed=1)
    np.save("w.npy", np.array([1.5, -2], np.float32))
    done = batch("mean((x@w - y)**2)", "x=a/", "y=b/*.npy", "w=w.npy", "-o", "out", "--wrt", "w")
    assert done.code == 0, done
    for k, line in enumerate(lines()):
        error = xs[k] @ np.float32([1.5, -2]) - ys[k]
        assert line["value"] == pytest.approx(np.mean(error**2), rel=1e-5)
        np.testing.assert_allclose(np.load(f"out/i{k:03}.w.grad.npy"), xs[k].T @ error / 2, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("save", "expected"),
    [("none", []), ("values", ["value"]), ("value,y.grad", ["value", "y.grad"]), ("x.grad", ["x.grad"])],
)
def test_save(save: str, expected: list[str]) -> None:
    make("data", 1)
    assert batch("x*y", "x=data/", "y=3", "--grad-output", "ones(6)", "--save", save, "-o", "out").code == 0
    assert sorted(p.name for p in Path("out").glob("*.npy")) == [f"i000.{name}.npy" for name in expected]


def test_gradients_of_shared_inputs_are_added_up() -> None:
    arrays = make("data", 300, 20)
    words = ["sum(tanh(x*w))", "x=data/", "w=linspace(0, 1, 20)", "--wrt", "w", "--accumulate", "--json"]
    results = []
    for jobs in ("1", "2", "5"):
        done = batch(*words, "-o", f"out{jobs}", "--jobs", jobs)
        assert done.code == 0
        results.append(contents(f"out{jobs}"))
    assert results[0] == results[1] == results[2] and list(results[0]) == ["w.grad.npy", "results"]
    w = np.linspace(0, 1, 20)
    expected = sum((1 - np.tanh(a.astype(float) * w) ** 2) * a for a in arrays)
    np.testing.assert_allclose(np.load("out1/w.grad.npy"), expected, rtol=1e-5, atol=1e-4)
    summary = json.loads(done.out)
    total = sum(line["value"] for line in lines("out1"))
    assert summary["value"]["sum"] == pytest.approx(total) and summary["value"]["mean"] == pytest.approx(total / 300)
    assert summary["grads"] == {"w": "out5/w.grad.npy"} and summary["done"] == summary["items"] == 300


def test_any_number_of_jobs_gives_the_same_bytes() -> None:
    make("small", 40, 300)
    for jobs in ("1", "2", "7"):
        assert batch("sum(sigmoid(x)*x)", "x=small/", "--save", "both", "-o", f"o{jobs}", "--jobs", jobs).code == 0
    assert contents("o1") == contents("o2") == contents("o7")
    assert batch("sum(sigmoid(x)*x)", "x=small/", "--save", "both", "-o", "o", GRADCLI_THREADS="3").code == 0
    assert contents("o") == contents("o1")


def test_the_memory_that_items_share() -> None:
    os.mkdir("data")
    for name in "ab":
        np.save(f"data/{name}.npy", np.ones(100_000))
    words = ("sum(cumsum(x, 0))", "x=data/", "-o", "out", "--overwrite", "--memory-limit")
    assert batch(*words, "3.5MB", "--threads", "1").code == 0
    for threads, hint in [("2", "fewer --threads leave more to each item; "), ("1", "")]:
        done = batch(*words, "3.5MB" if threads == "2" else "1MB", "--threads", threads)
        assert done.code == 2 and done.err.endswith(f"hint: {hint}--memory-limit sets another limit\n")


def test_items_of_several_forms_and_large_files() -> None:
    os.mkdir("data")
    np.save("data/a.npy", np.float64([1, 2]))
    np.save("data/b.npy", np.asfortranarray(np.ones((3, 4), np.float32)))
    np.save("data/c.npy", np.full(20_000_000, 0.5, np.float32))
    np.savez("data/d.npz", np.float32([3]))
    assert batch("mean(x*x)", "x=data/", "-o", "out", "--memory-limit", "60MB").code == 0
    assert [line["value"] for line in lines()] == [2.5, 1.0, 0.25, 9.0]
    assert np.load("out/c.x.grad.npy", mmap_mode="r")[-1] == np.float32(5e-8)
    assert np.load("out/b.x.grad.npy").shape == (3, 4) and np.load("out/a.x.grad.npy").dtype == np.float64


def test_random_numbers_are_those_of_the_seed() -> None:
    make("data", 3)
    refused = batch("sum(x*rand(6))", "x=data/", "-o", "out")
    assert refused.code == 2 and "--seed" in refused.err
    assert batch("sum(x*rand(6))", "x=data/", "-o", "out", "--seed", "4", "--jobs", "2").code == 0
    one = json.loads(process("eval", "sum(x*rand(6))", "x=data/i002.npy", "--seed", "4", "--json").out)
    assert lines()[2]["value"] == one["value"]


# What is done before, later or not at all ----------------------------------------------------------------------------


def test_a_dry_run_writes_nothing() -> None:
    make("data", 2)
    done = batch("sum(x)", "x=data/", "-o", "out", "--dry-run")
    assert done.code == 0 and done.out == (
        "i000  x=data/i000.npy\ni001  x=data/i001.npy\n2 of 2 items to do, 0 finished before\n"
    )
    make("one", 1)
    assert batch("sum(x)", "x=one/", "-o", "single").out == "1 item: 1 done\n"
    shutil.rmtree("one"), shutil.rmtree("single")
    assert leftovers() == ["data", "data/i000.npy", "data/i001.npy"]
    listed = json.loads(batch("sum(x)", "x=data/", "-o", "out", "--dry-run", "--json").out)
    assert listed == {"items": 2, "skipped": 0, "todo": ["i000", "i001"]}


def test_resume_does_what_is_new_or_changed() -> None:
    make("data", 4)
    words = [HEADLINE, "x=data/", "-o", "out", "--resume"]
    assert batch(*words).out == "4 items: 4 done\n"
    before = os.stat("out/i000.x.grad.npy").st_mtime_ns
    np.save("data/i001.npy", np.ones(6, np.float32))
    np.save("data/i009.npy", np.ones(6, np.float32))
    os.unlink("out/i003.x.grad.npy")
    assert batch(*words).out == "5 items: 3 done, 2 finished before\n"
    assert os.stat("out/i000.x.grad.npy").st_mtime_ns == before
    assert [line["item"] for line in lines()] == ["i000", "i001", "i002", "i003", "i009"]
    assert lines()[1]["value"] == 200.0 and os.path.exists("out/i003.x.grad.npy")
    # Options that do not matter to the results may be others.
    assert batch(*words, "--jobs", "1").out == "5 items: 0 done, 5 finished before\n"


def test_two_runs_are_not_mixed() -> None:
    make("data", 3)
    words = [HEADLINE, "x=data/", "-o", "out"]
    assert batch(*words).out == "3 items: 3 done\n"
    os.unlink("data/i002.npy")
    before = contents("out")
    choice = "--overwrite removes its results first; or choose another folder"
    again = f"gradcli: out holds the results of another run\nhint: --resume continues it, {choice}\n"
    for more in ([], ["--dry-run"], ["--save", "both"]):
        assert batch(*words, *more) == (2, "", again)
    for changed, told in (
        (["sum(x)", *words[1:]], "another expression"),
        ([*words, "--save", "both"], "another --save"),
        (["sum(x)", *words[1:], "--dtype", "float64"], "another expression and another --dtype"),
        (["sum(x*w)", *words[1:], "w=2"], "another expression and other shared inputs"),
    ):
        report = f"gradcli: the run in out had {told}\nhint: {choice}\n"
        assert batch(*changed, "--resume") == (2, "", report)
    assert contents("out") == before
    # Nothing of the other run is left, but what was never its own.
    Path("out/i002.notes.npy").write_text("mine")
    assert batch("sum(x)", *words[1:], "--overwrite", "--resume").out == "2 items: 2 done\n"
    kept = [".gradcli", "i000.x.grad.npy", "i001.x.grad.npy", "i002.notes.npy", "results.jsonl"]
    assert sorted(os.listdir("out")) == kept
    sums = [float(np.load(f"data/i00{k}.npy").sum()) for k in range(2)]
    assert np.allclose([line["value"] for line in lines()], sums)
    # The same once more, which --resume and --overwrite together go on with.
    assert batch("sum(x)", *words[1:], "--overwrite", "--resume").out == "2 items: 0 done, 2 finished before\n"
    assert batch("sum(x)", *words[1:], "--overwrite").out == "2 items: 2 done\n"
    shutil.rmtree("out/.gradcli")
    told = f"gradcli: out holds results, and it is unknown which run they belong to\nhint: {choice}\n"
    assert batch("sum(x)", *words[1:], "--resume") == (2, "", told)


@pytest.mark.parametrize("left", ["i000.x.grad.npy", "w.grad.npy", "z.value.npy"])
def test_results_whose_record_is_gone_are_results(left: str) -> None:
    make("data", 2)
    os.makedirs("out")
    Path("out", left).write_bytes(b"an earlier run's")
    words = ["sum(x)", "x=data/", "-o", "out"]
    for more in ([], ["--dry-run"], ["--resume"]):
        done = batch(*words, *more)
        assert (done.code, done.out) == (2, "") and "--overwrite" in done.err and os.listdir("out") == [left]
    assert batch(*words, "--overwrite").out == "2 items: 2 done\n"
    # What is no result is in nobody's way.
    os.makedirs("other")
    Path("other", "notes.npy").write_text("mine")
    assert batch("sum(x)", "x=data/", "-o", "other").out == "2 items: 2 done\n"


def test_overwriting_removes_sums_and_only_what_lies_in_the_folder() -> None:
    make("data", 2)
    words = ["x=data/", "w=2", "-o", "out", "--wrt", "w"]
    assert batch("sum(x*w)", *words, "--accumulate").code == 0 and os.path.exists("out/w.grad.npy")
    for path in ("precious.x.grad.npy", "out/other.npy", "out/a.txt"):
        Path(path).write_text("mine")
    crafted = [("../precious", "x.grad"), ("", "precious"), ("other", ""), ("a", "../../precious.grad")]
    with open("out/results.jsonl", "a") as file:
        for item, result in crafted:
            file.write(json.dumps({"item": item, "outputs": {result: {"path": "a.txt"}}}) + "\n")
        file.write('{"item": "c", "outputs": [1]}\n{"item": "d", "outputs": 1}\n')
    assert batch("sum(x + w)", *words, "--overwrite").code == 0
    results = ["i000.w.grad.npy", "i001.w.grad.npy", "results.jsonl"]
    assert sorted(os.listdir("out")) == sorted([".gradcli", "a.txt", "other.npy", *results])
    assert Path("precious.x.grad.npy").read_text() == Path("out/other.npy").read_text() == "mine"


def test_a_folder_without_results_is_free() -> None:
    make("data", 2)
    os.makedirs("out/i000.x.grad.npy")
    assert batch("sum(x)", "x=data/", "-o", "out").code == 1 and os.listdir("out/.gradcli")
    os.rmdir("out/i000.x.grad.npy")
    assert batch("sum(2*x)", "x=data/", "-o", "out").code == 0 and len(lines()) == 2


@pytest.mark.parametrize(
    "name", ["results.jsonl", *(f".gradcli/{name}" for name in ("run.json", "lock", "more.jsonl", "sums"))]
)
@pytest.mark.parametrize("kind", ["pipe", "link"])
def test_what_stands_in_the_place_of_a_journal_hangs_nobody(name: str, kind: str) -> None:
    make("data", 2)
    words = ["sum(x*w)", "x=data/", "w=2", "-o", "out", "--wrt", "w", "--accumulate"]
    assert batch(*words).code == 0
    with contextlib.suppress(FileNotFoundError):
        os.unlink(f"out/{name}")
    Path("precious").write_text("mine")
    if kind == "pipe":
        os.mkfifo(f"out/{name}")
    else:
        os.symlink(os.path.abspath("precious"), f"out/{name}")
    for more in ("--resume", "--overwrite"):
        done = batch(*words, more)
        assert done.code in (0, 1, 2) and "Traceback" not in done.err and "internal" not in done.err, done
        if name in ("results.jsonl", ".gradcli/lock"):
            what = "it is not a regular file" if kind == "pipe" else "it is a symbolic link"
            assert done.code == 1 and done.err.startswith("gradcli: cannot ") and what in done.err, done
    assert Path("precious").read_text() == "mine"


def test_what_fails_stops_the_run_or_is_skipped() -> None:
    make("data", 6)
    Path("data/i003.npy").write_bytes(Path("data/i003.npy").read_bytes()[:-5])
    done = batch("sum(x)", "x=data/", "-o", "out", "--jobs", "1")
    assert (done.code, done.out) == (1, "") and done.err.startswith("gradcli: data/i003.npy is truncated"), done
    assert [line["item"] for line in lines()] == ["i000", "i001", "i002"]
    done = batch("sum(x)", "x=data/", "-o", "out", "--on-error", "skip", "--resume")
    assert done.code == 1 and done.out == "6 items: 2 done, 3 finished before, 1 failed\n"
    assert done.err.startswith("gradcli: 1 of 6 items failed; the first: data/i003.npy is truncated")
    assert "truncated" in lines()[3]["error"]["message"] and not os.path.exists("out/i003.x.grad.npy")
    np.save("data/i003.npy", np.ones(6, np.float32))
    assert batch("sum(x)", "x=data/", "-o", "out", "--on-error", "skip", "--resume").code == 0
    assert [line["value"] for line in lines()][3] == 6.0 and len(lines()) == 6


@pytest.mark.parametrize("kind", ["unreadable", "vanished", "corrupt", "misshapen", "folder", "pipe"])
def test_items_that_cannot_be_read(kind: str) -> None:
    make("data", 3)
    Path("list").write_text("data/i000.npy\ndata/i001.npy\ndata/i002.npy\n")
    bad = Path("data/i001.npy")
    if kind == "misshapen":
        np.save(bad, np.ones((2, 2), np.float32))
    else:
        bad.unlink()
    if kind == "unreadable":
        bad.symlink_to(bad.name)
    elif kind == "corrupt":
        bad.write_bytes(b"\x93NUMPY\x01\x00\xff\xff{'descr': __import__('os')}")
    elif kind == "folder":
        bad.mkdir()
    elif kind == "pipe":
        os.mkfifo(bad)
    done = batch("sum(x*y)", "x=@@list", "y=ones(6)", "-o", "out", "--on-error", "skip")
    assert done.code == 1 and "i001" in done.err and "Traceback" not in done.err and done.err.count("\n") <= 6, done.err
    assert [("error" in line, line["item"]) for line in lines()] == [(k == 1, f"i00{k}") for k in range(3)]
    assert not list(Path("out").glob("i001*")) and len(list(Path("out").glob("*.npy"))) == 4


# Nothing is lost -----------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("accumulate", [False, True])
def test_killed_at_any_moment(accumulate: bool) -> None:
    make("data", 120, 500)
    words = ["batch", "sum(tanh(x*w))", "x=data/", "w=linspace(0, 1, 500)", "--resume", "--jobs", "2"]
    words += ["--accumulate", "--wrt", "w"] if accumulate else ["--save", "both"]
    start = time.monotonic()
    # With the start of the interpreter, as those that are killed.
    subprocess.run([*COMMAND, *words, "-o", "whole", "-q"], env=environment(), check=True)
    whole, lasted = contents("whole"), time.monotonic() - start
    rng = random.Random(3)
    for number in range(10):
        out = f"out{number}"
        running = subprocess.Popen([*COMMAND, *words, "-o", out, "-q"], env=environment())
        time.sleep(rng.uniform(0.3, 1.0) * lasted)
        running.kill()
        running.wait()
        if os.path.exists(f"{out}/results.jsonl"):
            for line in Path(out, "results.jsonl").read_text().splitlines(keepends=True):
                # Whatever has a line is there, whole.
                for result in (json.loads(line)["outputs"] if line.endswith("\n") else {}).values():
                    assert os.stat(f"{out}/{result['path']}").st_size == result["size"]
        assert all(np.load(path).dtype == np.float32 for path in Path(out).glob("*.npy"))
        assert process(*words, "-o", out).code == 0
        assert contents(out) == whole, number
        assert sorted(os.listdir(f"{out}/.gradcli")) == sorted(os.listdir("whole/.gradcli"))


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupts_keep_what_is_done(number: int) -> None:
    make("data", 400, 20_000)
    words = ["batch", "sum(exp(sin(x)))", "x=data/", "-o", "out", "--jobs", "1"]
    code = """
        import os, signal, sys, time
        from gradcli.__main__ import main
        def hook(event, words):
            if event == "open" and "data/i" in str(words[0]):
                if words[0].endswith("i050.npy"):
                    os.kill(os.getpid(), signal.SIGSTOP)
                # Whoever sends a signal need not hurry to be heard before the end.
                time.sleep(0.02 if words[0] > "data/i050" else 0)
        sys.addaudithook(hook)
        main()
        """
    command = [sys.executable, "-c", textwrap.dedent(code), *words]
    running = subprocess.Popen(command, env=environment(), stderr=subprocess.PIPE, text=True)
    assert os.WIFSTOPPED(os.waitpid(running.pid, os.WUNTRACED)[1])
    running.send_signal(number)
    running.send_signal(signal.SIGCONT)
    _, told = running.communicate(timeout=300)
    assert running.returncode == ended_by(number) and "Traceback" not in told
    assert 0 < len(lines()) < 400 and f"{len(lines())} of 400 items finished; --resume continues" in told
    done = process(*words, "--resume")
    assert done.code == 0 and len(lines()) == 400
    assert [line["item"] for line in lines()] == sorted(line["item"] for line in lines())


def test_signals_wait_until_the_files_of_items_have_names_and_lines() -> None:
    make("data", 3)
    code = """
        import os, signal, sys
        from gradcli.__main__ import main
        replace = os.replace
        def signalling(old, new):
            replace(old, new)
            if new.endswith("i000.value.npy"):
                # Whoever asks twice does not want to wait.
                os.kill(os.getpid(), signal.SIGINT)
                os.kill(os.getpid(), signal.SIGTERM)
        os.replace = signalling
        sys.argv = ["gradcli", "batch", "sum(x)", "x=data/", "-o", "out", "--save", "both", "--jobs", "1"]
        main()
        """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True)
    assert done.returncode in (130, -signal.SIGTERM) and done.stderr == "", done
    assert len(lines()) == 3 and len(list(Path("out").glob("*.npy"))) == 6


def test_two_runs_into_one_folder() -> None:
    make("data", 3)
    script = "from gradcli.batch.journal import Folder; folder = Folder('out'); print(flush=True); input()"
    first = subprocess.Popen(
        [sys.executable, "-c", script], env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert first.stdout is not None and first.stdout.readline() == b"\n"
    report = "gradcli: another run is writing to out\nhint: wait for it to end, or choose another folder\n"
    assert batch("sum(x)", "x=data/", "-o", "out") == (1, "", report)
    first.kill()
    first.communicate()
    # The lock went with its owner.
    assert batch("sum(x)", "x=data/", "-o", "out").code == 0 and len(lines()) == 3


def test_a_full_disk() -> None:
    """A limit on the size of files stands in for the disk."""
    make("data", 3)
    np.save("data/i001.npy", np.ones(100_000, np.float32))

    def small_files() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))

    command = [*COMMAND, "batch", "sum(x)", "x=data/", "-o", "out", "--jobs", "1", "--on-error", "skip"]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, preexec_fn=small_files)
    assert done.returncode == 1 and done.stderr.startswith("gradcli: ") and "File too large" in done.stderr, done.stderr
    assert "out/i001.x.grad.npy" in done.stderr and [line["item"] for line in lines()] == ["i000"]
    assert [p.name for p in Path("out").glob("*.npy")] == ["i000.x.grad.npy"]
    assert subprocess.run([*command, "--resume", "-q"], env=environment()).returncode == 0 and len(lines()) == 3


def test_folders_that_cannot_be_written() -> None:
    make("data", 2)
    Path("file").write_text("mine")
    for out in ("file", "file/x", "/proc/gradcli"):
        done = batch("sum(x)", "x=data/", "-o", out)
        assert done.code == 1 and done.err.startswith("gradcli: cannot write into the folder"), done
    # A result whose place is taken by a folder.
    os.makedirs("out/i001.x.grad.npy/mine")
    done = batch("sum(x)", "x=data/", "-o", "out", "--save", "both")
    assert done.code == 1 and "cannot write out/i001.x.grad.npy" in done.err
    assert sorted(path.name for path in Path("out").glob("*.value.npy")) == ["i000.value.npy"]
    assert Path("file").read_text() == "mine" and os.path.exists("out/i001.x.grad.npy/mine")


def test_results_do_not_overwrite_inputs() -> None:
    os.mkdir("data")
    np.save("data/a.npy", np.ones(3))
    np.save("data/a.x.grad.npy", np.zeros(3))
    before = Path("data/a.x.grad.npy").read_bytes()
    done = batch("sum(x)", "x=data/*.npy", "-o", "data")
    assert done.code == 2 and done.err.startswith(
        "gradcli: the results cannot go into data, which holds the files of x"
    )
    assert Path("data/a.x.grad.npy").read_bytes() == before


# Requests that are wrong ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["sum(x)", "x=data/*.npy"], "no folder for the results is given"),
        (["sum(x)", "x=ones(3)", "-o", "out"], "no input has a file for each item"),
        (["sum(x)", "x=none/*.npy", "-o", "out"], "no file matches none/*.npy"),
        (["sum(x)", "x=empty/", "-o", "out"], "the folder empty/ holds no .npy files"),
        (["sum(x)", "x=@@gone", "-o", "out"], "cannot read gone: No such file or directory"),
        (["sum(x*y)", "x=data/", "y=other/", "-o", "out"], "the inputs have different items: x has no file for z; "),
        (["sum(x)", "x=@data/**/*.npy", "-o", "out"], "x has several files for the item 'i000'"),
        (["sum(x", "x=data/", "-o", "out"], "'(' is never closed"),
        (["sum(y)", "x=data/", "-o", "out"], "item 'i000': unknown name 'y'"),
        (["sum(x)", "x=data/", "-o", "out", "--save", "y.grad"], "--save cannot write 'y.grad'"),
        (["sum(x)", "x=data/", "-o", "out", "--accumulate"], "--accumulate has nothing to add up"),
        (["x@ones(2)", "x=data/", "-o", "out"], "item 'i000': shapes (6,) and (2,) do not fit"),
        (["sum(x)", "x=data/", "-o", "-"], "-o names the folder for the results: they cannot go to standard output"),
        (["sum(x)", "x=@-", "-o", "out"], "x cannot come from standard input"),
    ],
)
def test_requests_that_cannot_be_carried_out(words: list[str], told: str) -> None:
    make("data", 2)
    os.makedirs("data/more")
    np.save("data/more/i000.npy", np.ones(6))
    os.mkdir("empty")
    make("other", 1)
    np.save("other/z.npy", np.ones(6))
    done = batch(*words)
    assert done.out == "" and done.code in (1, 2) and "Traceback" not in done.err
    assert done.err.startswith(f"gradcli: {told}"), done.err
    assert not os.path.exists("out")


def test_names_with_odd_characters() -> None:
    os.mkdir("data")
    for name in ("a b", "ä", "[1]", "-x", "$(touch pwned)", 'q"q'):
        np.save(f"data/{name}.npy", np.ones(2, np.float32))
    assert batch("sum(x)", "x=data/", "-o", "out").code == 0
    assert {line["item"] for line in lines()} == {"a b", "ä", "[1]", "-x", "$(touch pwned)", 'q"q'}
    assert all(os.path.exists(f"out/{line['outputs']['x.grad']['path']}") for line in lines())
    assert not os.path.exists("pwned")


def test_names_of_inputs_that_are_not_ascii() -> None:
    os.mkdir("data")
    np.save("data/a.npy", np.ones(2, np.float32))
    words = ("3*sum(\u00e9*\u03b1)", "e\u0301=data/", "\u03b1=2", "-o", "out", "--save", "e\u0301.grad")
    assert batch(*words, "--wrt", "e\u0301").out == "1 item: 1 done\n"
    (line,) = lines()
    assert list(line["inputs"]) == ["\u00e9"] and list(line["outputs"]) == ["\u00e9.grad"]
    assert np.load("out/a.\u00e9.grad.npy").tolist() == [6, 6]
    assert batch(*words, "--wrt", "e\u0301", "--resume").out == "1 item: 0 done, 1 finished before\n"


def test_names_that_a_terminal_would_obey() -> None:
    os.mkdir("data")
    names = [b"a\nb", b"c\x1b[2Jd", b"e\xff", "f\u202eg".encode(), "ä".encode()]
    for name in names:
        np.save(os.fsdecode(b"data/" + name + b".npy"), np.ones(2, np.float32))
    shown = ["a\\nb", "c\\x1b[2Jd", "e\\xff", "f\\u202eg", "ä"]
    done = batch("sum(x)", "x=data/", "-o", "out", "--dry-run")
    assert done.out.splitlines()[:-1] == [f"{n}  x=data/{n}.npy" for n in sorted(shown)], done
    assert batch("sum(x*w)", "x=data/", "w=1", "-o", "o\nut", "--accumulate", "--wrt", "w").out == (
        "5 items: 5 done\nvalues: sum 10, mean 2\nw.grad: o\\nut/w.grad.npy\n"
    )


def test_patterns() -> None:
    assert pattern_of("3") is pattern_of("ones(2, 2)") is pattern_of("w.npy") is None
    assert pattern_of("@a*b") == Pattern("glob", "a*b") and pattern_of("2*x") is None
    with pytest.raises(GradcliError, match="has no file for b"):
        os.makedirs("p")
        os.makedirs("q")
        for path in ("p/a.npy", "p/b.npy", "q/a.npy"):
            np.save(path, np.ones(1))
        find_items({"x": Pattern("folder", "p"), "y": Pattern("folder", "q")})


@pytest.mark.parametrize("pattern", ["p/*/*.npy", "p/**/*.npy", "p/**/b.npy", "p/*/a.npy", "p/closed/*.npy", "p/**"])
def test_a_pattern_leaves_out_no_folder_that_cannot_be_read(pattern: str) -> None:
    for folder in ("p/open", "p/closed"):
        os.makedirs(folder)
    np.save("p/open/a.npy", np.ones(1))
    np.save("p/closed/b.npy", np.ones(1))
    os.chmod("p/closed", 0)
    os.chmod(".", 0o755)
    # Nothing is forbidden to root: as somebody else, all is imported before.
    code = """
import glob, os, sys
from gradcli.batch.items import Pattern, find_items
os.geteuid() or os.setuid(65534)
for asked in ("p/open/*.npy", sys.argv[1]):
    try:
        print(find_items({"x": Pattern("glob", asked)}).stems)
    except Exception as error:
        print(type(error).__name__, error)
"""
    command = [sys.executable, "-c", code, pattern]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), timeout=300)
    os.chmod("p/closed", 0o700)
    first, second = done.stdout.splitlines()[:2]
    assert first == "['a']" and second in [
        f"WorkError cannot read the folder p/closed{end}: Permission denied" for end in ("", "/")
    ], done


def test_a_wrong_number_of_threads_is_refused_before_the_first_item() -> None:
    make("data", 2)
    words = ("batch", "sum(x)", "x=data/", "-o", "out", "--on-error", "skip")
    told = "gradcli: GRADCLI_THREADS must be an integer from 1 to 1024, got 'many'\n"
    assert process(*words, GRADCLI_THREADS="many") == (2, "", told)
    assert process(*words, "--dry-run", GRADCLI_THREADS="many") == (2, "", told)
    assert not os.path.exists("out")
    assert process(*words, "--jobs", "2", GRADCLI_THREADS="many").code == 0


def test_items_done_again_by_the_same_worker() -> None:
    # As on a cluster that lost what came of them, while their files wait for their names.
    make("data", 2)
    os.makedirs(os.path.join("out", UNFINISHED))
    job = Job("sum(x**2)", ("x",), ("x",), {}, "out")
    worker = Worker(job, Common(job))
    tasks = [Task(k, f"i{k:03}", (f"data/i{k:03}.npy",)) for k in range(2)]
    parts = [worker.do(tasks, lambda: False) for _ in range(2)]
    assert [(part.complete, part.failure) for part in parts] == [(True, None)] * 2
    names = [temporary for part in parts for outcome in part.outcomes for temporary, _ in outcome.files]
    assert sorted(os.listdir(os.path.join("out", UNFINISHED))) == sorted(set(names)) and len(names) == 4


def test_a_folder_is_emptied_while_workers_that_have_not_heard_of_the_end_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = Folder("out")
    remove, made = os.rmdir, ["late", "later"]

    def removed(path: str) -> None:
        if made:
            Path(path, made.pop()).touch()
        remove(path)

    Path(folder.unfinished, "first").touch()
    monkeypatch.setattr(os, "rmdir", removed)
    folder.close()
    assert made == [] and os.listdir(folder.hidden) == ["lock"]


@pytest.mark.slow
def test_memory_does_not_grow_with_the_items() -> None:
    make("data", 1)
    peaks = []
    for count in (200, 4000):
        Path("list").write_text("".join(f"links/{k:05}.npy\n" for k in range(count)))
        os.makedirs("links", exist_ok=True)
        for k in range(count):
            if not os.path.lexists(f"links/{k:05}.npy"):
                os.link("data/i000.npy", f"links/{k:05}.npy")
        words = ["batch", "sum(x)", "x=@@list", "-o", f"out{count}", "-q", "--save", "none", "--jobs", "2"]
        done = measured([*COMMAND, *words], environment())
        assert done.code == 0, done.err
        peaks.append(done.peak)
    # Names and paths are kept, results are not.
    assert peaks[1] - peaks[0] < 8_000_000
