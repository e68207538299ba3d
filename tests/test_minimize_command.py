"""`gradcli minimize` as its users run it: what it prints and writes, how it goes on after a kill, what it refuses."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.command import COMMAND, Done, ended_by, environment, leftovers, process
from tests.talking import talk

ROSENBROCK = ("minimize", "(1 - x)**2 + 100*(y - x**2)**2", "x=-1.2", "y=1", "--wrt", "x,y", "--dtype", "float64")
# A regression in batches, the same bits every time.
BATCHES = ("minimize", "mean((X@w - y)**2)", "X=X.npy", "y=y.csv:y", "w=zeros(3)", "--wrt", "w", "--method", "adam")
BATCHES += ("--lr", "0.05", "--batch-size", "7", "--rows", "X,y", "--seed", "3")
LBFGS = ("minimize", "mean(log1p(exp(-sign(y)*(X@w)))) + 0.01*sum(w**2)", "X=X.npy", "y=y.csv:y", "w=zeros(3)")
LBFGS += ("--wrt", "w", "--dtype", "float64", "--tol", "0")


@pytest.fixture(autouse=True)
def own_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def data() -> tuple[np.ndarray, np.ndarray]:
    """X.npy and y.csv, and what they hold."""
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((40, 3))
    y = rows @ [1.0, -2.0, 0.5] + 0.1 * rng.standard_normal(40)
    np.save("X.npy", rows)
    Path("y.csv").write_text("y\n" + "".join([f"{float(v)!r}\n" for v in y]))
    return rows, y


def found(*words: str, stdin: bytes = b"") -> dict[str, Any]:
    done = process(*words, "--json", stdin=stdin)
    assert (done.code, done.err) == (0, ""), done
    assert done.out.count("\n") == 1
    return json.loads(done.out, parse_constant=pytest.fail)


def steps(path: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(path).read_text().splitlines()]


def fails(done: Done, code: int, message: str) -> None:
    assert (done.code, done.out) == (code, "") and done.err.startswith(f"gradcli: {message}"), done
    assert "Traceback" not in done.err and "internal error" not in done.err


# What comes out ------------------------------------------------------------------------------------------------------


def test_text() -> None:
    done = process("minimize", "sum((x - [1, 3])**2)", "x=zeros(2)")
    assert (done.code, done.err) == (0, "")
    value, parameter, ending = done.out.split("\n\n")
    assert (value, parameter) == ("tensor(0.)", "x\ntensor([1., 3.])")
    assert ending.startswith("lbfgs converged after 2 steps and 3 evaluations: ") and ending.count("\n") == 1
    assert process("minimize", "sum((x - [1, 3])**2)", "x=zeros(2)", "-q").out == f"{value}\n\n{parameter}\n"
    many = process("minimize", "sum((x - [1, 3])**2)", "x=zeros(2)", "--precision", "1", "-q")
    assert many.out == "tensor(0.)\n\nx\ntensor([1., 3.])\n"


@pytest.mark.parametrize("method", ["lbfgs", "l-bfgs-b", "bfgs", "newton-cg", "trust-ncg", "nelder-mead"])
def test_json(method: str) -> None:
    answer = found(*ROSENBROCK, "--method", method)
    keys = "value dtype parameters grads method converged reason steps evaluations gradient_norm"
    assert list(answer) == keys.split()
    x, y = answer["parameters"]["x"], answer["parameters"]["y"]
    assert abs(x - 1) < 1e-3 and abs(y - 1) < 1e-3
    assert abs(answer["value"] - ((1 - x) ** 2 + 100 * (y - x**2) ** 2)) < 1e-20
    assert (answer["method"], answer["dtype"], answer["converged"]) == (method, "float64", True)
    assert 0 < answer["steps"] < answer["evaluations"]
    if method == "nelder-mead":
        assert answer["grads"] is answer["gradient_norm"] is None
    else:
        grads = [-2 * (1 - x) - 400 * x * (y - x**2), 200 * (y - x**2)]
        assert np.allclose([answer["grads"]["x"], answer["grads"]["y"]], grads, rtol=1e-3, atol=1e-9)
        assert answer["gradient_norm"] == max(map(abs, answer["grads"].values()))


def test_inputs_of_every_kind() -> None:
    rows, y = data()
    Path("f.txt").write_text("r = X@w + b - y  # residuals\nmean(r**2)\n")
    words = (
        "minimize",
        "-f",
        "f.txt",
        "X=X.npy",
        "y=y.csv:y",
        "w=zeros(3)",
        "b=0",
        "--wrt",
        "w,b",
        "--dtype",
        "float64",
    )
    answer = found(*words)
    best = np.linalg.lstsq(np.column_stack([rows, np.ones(40)]), y, rcond=None)[0]
    assert np.allclose([*answer["parameters"]["w"], answer["parameters"]["b"]], best, atol=1e-6)
    # The start from standard input, the data in its file because there is little memory.
    np.save("start.npy", np.ones(3))
    words = ("minimize", "mean((X@w - y)**2)", "X=X.npy", "y=y.csv:y", "w=@-", "--wrt", "w")
    answer = found(*words, stdin=Path("start.npy").read_bytes())
    assert np.allclose(answer["parameters"]["w"], np.linalg.lstsq(rows, y, rcond=None)[0], atol=1e-6)


def test_a_large_file_is_not_loaded() -> None:
    big = np.tile(np.array([[1.0, 2.0], [3.0, 4.0]]), (200_000, 1))
    np.save("big.npy", big)
    np.save("sums.npy", big.sum(1))
    words = ("minimize", "mean((X@w - y)**2)", "X=big.npy", "y=sums.npy", "w=zeros(2)", "--wrt", "w", "--dtype")
    for more in ((), ("--memory-limit", "3MB")):
        assert np.allclose(found(*words, "float64", *more)["parameters"]["w"], 1, atol=1e-6)
    batches = ("--method", "adam", "--batch-size", "50", "--rows", "X,y", "--steps", "20", "--memory-limit", "9MB")
    little, whole = (found(*words, "float64", *more)["parameters"] for more in (batches, batches[:-2]))
    assert little == whole


def test_the_only_input_is_the_parameter() -> None:
    assert found("minimize", "(a - n)**2", "a=0.0", "n=arange(4)[3]")["parameters"] == {"a": 3.0}
    for words, which in ((("x=1", "y=2"), "x, y"), (("w=@w.npy", "b=0", "c=1"), "w, b, c")):
        np.save("w.npy", np.ones(2))
        done = process("minimize", "sum(x)" if "x=1" in words else "sum(w*b + c)", *words)
        fails(done, 2, f"several inputs could be the parameters: {which}")
    assert "--wrt b" in done.err


def test_any_number_of_threads_gives_the_same_bytes() -> None:
    data()
    one, three = (process(*LBFGS, "--json", "--threads", n) for n in ("1", "3"))
    assert one == three and one.code == 0


def test_bounds() -> None:
    words = ("minimize", "sum((x - [-1, 0.5, 9])**2) + (y - 7)**2", "x=ones(3)", "y=2", "--wrt", "x,y", "--method")
    answer = found(*words, "l-bfgs-b", "--bounds", "x=0:2*pi", "--bounds", "y=:6.5", "--dtype", "float64")
    assert np.allclose([*answer["parameters"]["x"], answer["parameters"]["y"]], [0, 0.5, 2 * np.pi, 6.5])
    answer = found(*words, "nelder-mead", "--bounds", " y = :6.5", "--dtype", "float64")
    assert np.allclose([*answer["parameters"]["x"], answer["parameters"]["y"]], [-1, 0.5, 9, 6.5], atol=1e-3)
    answer = found(*words, "l-bfgs-b", "--bounds", "x=[0,1,-5]:[1,2,3]")
    assert np.allclose(answer["parameters"]["x"], [0, 1, 3])


# Files ---------------------------------------------------------------------------------------------------------------


def test_results_in_files() -> None:
    data()
    done = process(*LBFGS, "-o", "w=w.csv", "-o", "value=v.json", "-o", "out/", "-q")
    assert done == Done(0, "", "")
    answer = found(*LBFGS)
    w = answer["parameters"]["w"]
    assert np.array_equal(np.loadtxt("w.csv"), w) and np.array_equal(np.load("out/w.npy"), w)
    assert json.loads(Path("v.json").read_text()) == answer["value"] == np.load("out/value.npy")
    assert leftovers("out") == [".gradcli", ".gradcli/run.json", "value.npy", "w.npy"]
    piped = subprocess.run([*COMMAND, *LBFGS, "-o", "w=-"], capture_output=True, env=environment(), check=True)
    assert piped.stdout == Path("out/w.npy").read_bytes()


def test_an_input_that_is_called_value() -> None:
    assert process("minimize", "(value - 2)**2", "value=1.0", "-o", "value=v.npy", "-q").code == 0
    assert np.load("v.npy") == 2


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("-o", "z=z.npy"), 2, "there is no result 'z' to write"),
        (("-o", "x"), 2, "cannot understand -o x\nhint: write -o x=FILE, -o value=FILE or -o FOLDER/"),
        (("-o", "x=x.mat"), 2, "cannot write x.mat: arrays are written as"),
        (("-o", "x=a.npy", "-o", "y=nowhere/b.npy"), 1, "cannot write nowhere/b.npy"),
        (("-o", "x=a.npy", "-o", "y=a.npy"), 2, "two arrays cannot both be written to a.npy"),
        (("-o", "x=-", "-o", "y=-"), 2, "only one result can go to standard output"),
        (("-o", "x=-", "--plot"), 2, "a plot and an array cannot both go to standard output"),
        (("-o", "nowhere/out/\0"), 1, "cannot create the folder"),
        (("--trace", "nowhere/t.jsonl"), 1, "cannot write nowhere/t.jsonl"),
        (("--trace", "-"), 2, "--trace cannot go to standard output"),
        (("--trace", "/dev/stdout"), 2, "--trace cannot go to standard output"),
        (("--trace", "s3://b/t"), 2, "'s3://b/t' is not a file of this machine"),
        (("--checkpoint", "nowhere/c"), 1, "cannot write nowhere/c"),
        (("--checkpoint", "-"), 2, "'-' is not a file of this machine"),
        (("--checkpoint", "/dev/null"), 2, "'/dev/null' is not a file of this machine"),
        (("--checkpoint", "c", "--trace", "/dev/null"), 2, "the trace of a resumed run must be a file"),
        (("--checkpoint", "c", "--trace", "c"), 2, "c is named twice"),
        (("--checkpoint", "c", "-o", "x=./c"), 2, "c is named twice"),
        (("-o", "d/", "--trace", "d/y.npy"), 2, "d/y.npy would be overwritten by -o d/"),
        (("-o", "d/", "--checkpoint", "d/value.npy"), 2, "d/value.npy would be overwritten by -o d/"),
        (("-o", "d/", "--trace", "d/.gradcli/run.json"), 2, "d/.gradcli/run.json would be overwritten by -o d/"),
        (("-o", "d/", "--trace", "d/.gradcli"), 2, "d/.gradcli would be overwritten by -o d/"),
        (("-o", "d/", "--checkpoint", "d"), 2, "d would be overwritten by -o d/"),
        (("--plot", "course.pdf"), 2, "'course.pdf' has no known extension"),
        (("--plot", "nowhere/c.svg"), 1, "cannot write nowhere/c.svg"),
    ],
)
def test_places_that_cannot_be_written(words: tuple[str, ...], code: int, message: str) -> None:
    if "\0" in "".join(words):
        words = ("-o", "file/out/")
        Path("file").write_text("")
    before = leftovers()
    fails(process(*ROSENBROCK, *words), code, message)
    assert leftovers() == before


def test_no_file_that_is_read_is_written_over_by_what_is_kept_of_the_steps() -> None:
    np.save("c.npy", np.ones(2))
    Path("e.txt").write_text("sum((x - c)**2)")
    os.symlink("c.npy", "link")
    words = ("minimize", "-f", "e.txt", "x=zeros(2)", "c=c.npy", "--wrt", "x", "--overwrite")
    before = leftovers()
    for option, path in [("--trace", "c.npy"), ("--trace", "link"), ("--checkpoint", "c.npy"), ("--trace", "e.txt")]:
        fails(process(*words, option, path), 2, f"{path} is an input of this command and would be overwritten")
    assert leftovers() == before and np.array_equal(np.load("c.npy"), np.ones(2))
    assert Path("e.txt").read_text() == "sum((x - c)**2)"


def test_all_results_or_none(monkeypatch: pytest.MonkeyPatch) -> None:
    code = """
        import os, sys
        from gradcli.__main__ import main
        replace = os.replace
        def failing(old, new):
            if new.endswith("y.npy"):
                raise OSError(28, "No space left on device")
            replace(old, new)
        os.replace = failing
        main()
        """
    words = [sys.executable, "-c", textwrap.dedent(code), *ROSENBROCK, "-o", "out/", "-o", "x=x.npy"]
    done = subprocess.run(words, env=environment(), capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "") and done.stderr.startswith(
        "gradcli: cannot write out/y.npy: No space"
    )
    assert leftovers() == []


def test_a_folder_with_results_of_another_run() -> None:
    assert process(*ROSENBROCK, "-o", "out/", "-q").code == 0
    hint = "\nhint: --resume continues it, --overwrite removes its results first; or choose another folder\n"
    # Whatever it is, the same run included: whoever wants to replace it says so.
    fails(process(*ROSENBROCK, "-o", "out"), 2, f"out holds the results of another run{hint}")
    other = ("minimize", "(z - 1)**2", "z=3", "-o", "out/", "-q")
    fails(process(*other), 2, f"out holds the results of another run{hint}")
    message = "the run in out had another expression and other inputs and another --wrt\nhint: --overwrite removes"
    fails(process(*other, "--dtype", "float64", "--checkpoint", "c", "--resume"), 2, message)
    assert process(*other, "--overwrite") == Done(0, "", "")
    assert leftovers("out") == [".gradcli", ".gradcli/run.json", "value.npy", "z.npy"]
    # Files of these names that nothing is known of.
    os.mkdir("plain")
    np.save("plain/z.npy", np.ones(3))
    fails(process("minimize", "(z - 1)**2", "z=3", "-o", "plain/"), 2, "plain holds the results of another run")
    # Those of a batch.
    os.mkdir("items")
    np.save("items/a.npy", np.ones(3))
    assert process("batch", "sum(x)", "x=items/", "-o", "batch", "-q").code == 0
    fails(process("minimize", "(z - 1)**2", "z=3", "-o", "batch/"), 2, "batch holds the results of another run")


def test_a_folder_for_everything() -> None:
    words = ("-o", "run/", "--trace", "run/t.jsonl", "--checkpoint", "run/c", "--plot", "run/course.svg", "-q")
    fails(process("minimize", "log(x)", "x=-1", *words), 1, "the value at the start is NaN")
    assert leftovers() == []
    assert process(*ROSENBROCK, *words) == Done(0, "", "")
    everything = [".gradcli", ".gradcli/run.json", "c", "course.svg", "t.jsonl", "value.npy", "x.npy", "y.npy"]
    assert leftovers("run") == everything
    assert process(*ROSENBROCK, *words, "--resume") == Done(0, "", "") and leftovers("run") == everything


# Trace and plot ------------------------------------------------------------------------------------------------------


def test_trace() -> None:
    answer = found(*ROSENBROCK, "--trace", "t.jsonl")
    lines = steps("t.jsonl")
    assert [line["step"] for line in lines] == list(range(1, answer["steps"] + 1))
    assert {tuple(line) for line in lines} == {("step", "value", "gradient_norm")}
    assert (lines[-1]["value"], lines[-1]["gradient_norm"]) == (answer["value"], answer["gradient_norm"])
    found(*ROSENBROCK, "--trace", "t.jsonl", "--method", "nelder-mead")
    assert {line["gradient_norm"] for line in steps("t.jsonl")} == {None}
    if os.path.exists("/dev/stderr"):
        done = process("minimize", "sum((x - [1, 3])**2)", "x=zeros(2)", "-q", "--trace", "/dev/stderr")
        assert [json.loads(line)["step"] for line in done.err.splitlines()] == [1, 2]


def test_a_trace_where_no_file_can_be_made() -> None:
    fails(process(*ROSENBROCK, "--trace", "/proc/trace"), 1, "cannot write /proc/trace: No such file or directory")


def test_a_trace_in_the_place_of_another_file() -> None:
    """The old file goes on to be there for those who read it, this very run included."""
    data()
    expected = found(*LBFGS)
    os.link("X.npy", "t.jsonl")
    assert found(*LBFGS, "--trace", "t.jsonl") == expected
    assert len(steps("t.jsonl")) == expected["steps"] and found(*LBFGS) == expected


def test_two_runs_with_one_trace() -> None:
    held = "import fcntl; file = open('t.jsonl', 'a'); fcntl.flock(file, fcntl.LOCK_EX); print(flush=True); input()"
    other = subprocess.Popen([sys.executable, "-c", held], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert other.stdout is not None and other.stdout.readline() == b"\n"
    fails(process(*ROSENBROCK, "--trace", "t.jsonl"), 1, "another run is writing to t.jsonl\nhint: wait for it")
    other.communicate(b"\n")
    assert process(*ROSENBROCK, "--trace", "t.jsonl").code == 0


def test_plot() -> None:
    done = process(*ROSENBROCK, "--plot", "-q")
    assert (
        "\n\n    log10 of the value\n" in done.out
        and "    log10 of the largest gradient element\n" in done.out
        and done.out.endswith("35\n")
    )
    # The expression may follow.
    assert process("minimize", "--plot", *ROSENBROCK[1:], "-q") == done
    falling = process("minimize", "(x - 1)**2 + 3", "x=0", "--plot", "-q", "--method", "nelder-mead").out
    assert "  value\n" in falling and "gradient" not in falling
    done = process("minimize", "x**2", "x=1", "--plot")
    assert done.err == "note: fewer than two steps were taken: there is nothing to plot\n" and done.code == 0


def test_plot_in_a_file() -> None:
    pytest.importorskip("matplotlib")
    for name in ("a.svg", "b.svg", "c.png"):
        assert process(*ROSENBROCK, "--plot", name, "-q", "-o", "x=x.npy") == Done(0, "", "")
    assert Path("a.svg").read_bytes() == Path("b.svg").read_bytes() and Path("c.png").read_bytes()[1:4] == b"PNG"
    assert process(*ROSENBROCK, f"--plot={os.path.abspath('d.svg')}", "--json").code == 0 and os.path.exists("d.svg")


def test_progress() -> None:
    words = ("minimize", "sum((x - 1)**2)", "x=zeros(10)", "--method", "sgd", "--steps", "900000", "--lr", "1e-9")
    with talk(*words) as terminal:
        shown = terminal.wait_for("s left")
        assert "/900000  value " in shown and "  gradient " in shown
        terminal.type("\x03")
        code, rest = terminal.end()
    assert code == 130 and "interrupted; this is the best so far" in rest


# Going on ------------------------------------------------------------------------------------------------------------


def results(out: str) -> dict[str, bytes]:
    """Every file of a run but its checkpoint."""
    paths = [f"{out}.jsonl", f"{out}.svg", *(f"{out}/{name}" for name in leftovers(out) if name != ".gradcli")]
    return {path.removeprefix(out): Path(path).read_bytes() for path in paths if os.path.exists(path)}


def keeping(out: str) -> tuple[str, ...]:
    return "--json", "--checkpoint", f"{out}.ck", "--trace", f"{out}.jsonl", "-o", f"{out}/", "--resume"


# What ends the process before it does something for the k-th time.
KILLED = """
    import os, signal, sys
    import gradcli.optimize.checkpoint as checkpoint
    from gradcli.__main__ import main
    checkpoint._SECONDS, checkpoint._SHARE = 0.0, float("inf")
    event, count = sys.argv[1], int(sys.argv[2])
    del sys.argv[1:3]
    def hook(name, words):
        global count
        # Files are opened by the imports as well.
        if name == event and (name != "open" or "out" in str(words[0]) or ".gradcli" in str(words[0])):
            count -= 1
            if not count:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(hook)
    main()
    """


@pytest.mark.parametrize("words", [(*BATCHES, "--steps", "30"), LBFGS], ids=["adam", "lbfgs"])
def test_a_run_that_is_killed_goes_on_to_the_same_bytes(words: tuple[str, ...]) -> None:
    data()
    whole = process(*words, *keeping("whole"))
    assert whole.code == 0 and whole.err == ""
    expected = results("whole")
    assert set(expected) == {".jsonl", "/.gradcli/run.json", "/value.npy", "/w.npy"}
    command = [sys.executable, "-c", textwrap.dedent(KILLED)]
    killed = 0
    for number, moments in enumerate([[("os.rename", 1)], [("os.rename", 4), ("open", 16)], [("open", 9)]]):
        out = f"out{number}"
        for event, count in moments:
            # Killed again while it goes on.
            done = subprocess.run([*command, event, str(count), *words, *keeping(out)], env=environment(), check=False)
            killed += done.returncode == -signal.SIGKILL
        assert process(*words, *keeping(out)) == whole
        assert results(out) == expected, moments
    assert killed == 4


@pytest.mark.slow
@pytest.mark.parametrize("words", [(*BATCHES, "--steps", "20000"), (*BATCHES[:8], "momentum", "--steps", "20000")])
def test_killed_at_any_moment(words: tuple[str, ...]) -> None:
    data()
    start = time.monotonic()
    subprocess.run([*COMMAND, *words, *keeping("whole"), "-q"], env=environment(), check=True)
    lasted = time.monotonic() - start
    expected = results("whole")
    rng = random.Random(5)
    for number in range(6):
        out = f"out{number}"
        for _ in range(3):
            running = subprocess.Popen([*COMMAND, *words, *keeping(out)], env=environment(), stdout=subprocess.DEVNULL)
            time.sleep(rng.uniform(0.2, 0.9) * lasted)
            running.kill()
            running.wait()
        assert process(*words, *keeping(out)).code == 0
        assert results(out) == expected, number


def test_a_run_that_begins_anew_and_is_killed() -> None:
    """What the run before it has kept is gone, as its trace is."""
    data()
    words = (*BATCHES, "--steps", "9")
    whole = process(*words, *keeping("out"))
    expected = results("out")
    command = [sys.executable, "-c", textwrap.dedent(KILLED), "os.rename", "1", *words, *keeping("out")[:-1]]
    done = subprocess.run([*command, "--overwrite"], env=environment(), check=False)
    assert done.returncode == -signal.SIGKILL and not os.path.exists("out.ck")
    assert process(*words, *keeping("out")) == whole and results("out") == expected


def test_more_steps_afterwards() -> None:
    pytest.importorskip("matplotlib")
    data()
    whole = process(*BATCHES, "--steps", "50", *keeping("whole"), "--plot", "whole.svg")
    assert whole.code == 0
    assert process(*BATCHES, "--steps", "20", *keeping("out"), "--plot", "out.svg").code == 0
    assert len(steps("out.jsonl")) == 20
    assert process(*BATCHES, "--steps", "50", *keeping("out"), "--plot", "out.svg") == whole
    assert results("out") == results("whole")
    # What has been finished is not computed again.
    again = process(*BATCHES, "--steps", "50", *keeping("out"), "--plot", "out.svg")
    assert again == whole and results("out") == results("whole")
    done = process(*BATCHES, "--steps", "20", *keeping("out"), "--plot", "out.svg")
    assert done.code == 2 and json.loads(done.err)["error"]["message"] == "out.ck is 50 steps on, and 20 are allowed"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("0.05", "0.06"), "the run in c had another --lr"),
        (("w=zeros(3)", "w=ones(3)"), "the run in c had other inputs"),
        (("mean((X@w - y)**2)", "sum((X@w - y)**2)"), "the run in c had another expression"),
        (("--seed=3", "--seed=4"), "the run in c had another --seed"),
        (("--seed=3", "-q"), "the run in c had another --seed"),
        (("7", "8"), "the run in c had another --batch-size"),
        (("adam", "adamw"), "the run in c had another --method and another --weight-decay"),
    ],
)
def test_a_checkpoint_of_another_run(change: tuple[str, str], message: str) -> None:
    data()
    words = [*BATCHES[:-2], "--seed=3", "--steps", "9", "--checkpoint", "c"]
    assert process(*words).code == 0
    other = [change[1] if word == change[0] else word for word in words]
    assert other != words
    fails(process(*other, "--resume"), 2, f"{message}\nhint: --overwrite starts over; or name another file")
    fails(process(*other), 2, "c holds the checkpoint of another run\nhint: --resume continues it, --overwrite")
    assert process(*other, "--overwrite").code == 0
    assert process(*other, "--resume").code == 0


def test_files_that_have_changed() -> None:
    data()
    words = (*BATCHES, "--steps", "9", "--checkpoint", "c")
    assert process(*words).code == 0
    np.save("X.npy", np.load("X.npy") + 1)
    fails(process(*words, "--resume"), 2, "the run in c had other inputs")
    # Data of standard input is known by what it holds.
    words = ("minimize", "sum((x - y)**2)", "x=@-", "y=[1,2,3]", "--wrt", "x", "--checkpoint", "s")
    np.save("x.npy", np.zeros(3))
    first = process(*words, stdin=Path("x.npy").read_bytes())
    assert first.code == 0 and process(*words, "--resume", stdin=Path("x.npy").read_bytes()) == first
    np.save("x.npy", np.ones(3))
    fails(process(*words, "--resume", stdin=Path("x.npy").read_bytes()), 2, "the run in s had other inputs")


def test_checkpoints_that_are_damaged() -> None:
    data()
    words = (*BATCHES, "--steps", "9", "--checkpoint", "c", "--resume")
    expected = process(*words)
    assert expected.code == 0
    good = Path("c").read_bytes()
    rng = random.Random(1)
    places = [rng.randrange(len(good)) for _ in range(25)]
    damaged = [b"", b"PK", b"nonsense" * 50, good[: len(good) // 2], good[:-30]]
    damaged += [good[:k] + bytes([good[k] ^ 0x55]) + good[k + 1 :] for k in places]
    for content in damaged:
        Path("c").write_bytes(content)
        done = process(*words)
        if done.code != 0:
            assert done.code in (1, 2) and done.err.startswith("gradcli: ") and "internal" not in done.err, done
            assert done.err.count("\n") <= 2 and done.out == ""
        else:
            # In what zip passes over.
            assert done == expected
    np.savez("c.npz", a=np.ones(3))
    os.replace("c.npz", "c")
    fails(process(*words), 1, "c is corrupt: contents is missing")
    np.savez("c.npz", contents=np.frombuffer(b'{"dict": {"run": 3}}', np.uint8))
    os.replace("c.npz", "c")
    fails(process(*words), 1, "c is not the checkpoint of a run")
    np.savez("c.npz", contents=np.frombuffer(b'{"array": "7"}', np.uint8))
    os.replace("c.npz", "c")
    fails(process(*words), 1, "c is corrupt: its parts do not fit together")
    os.unlink("c")
    os.mkdir("c")
    fails(process(*words), 1, "cannot write c: Is a directory")
    os.rmdir("c")
    os.mkfifo("c")
    fails(process(*words), 2, "'c' is not a file of this machine")


def test_a_trace_that_has_changed() -> None:
    data()
    words = (*BATCHES, "--steps", "9", "--checkpoint", "c", "--trace", "t.jsonl", "--resume")
    assert process(*words).code == 0
    whole = Path("t.jsonl").read_bytes()
    # What follows is cut off.
    Path("t.jsonl").write_bytes(whole + b'{"step": 10')
    assert process(*words).code == 0 and Path("t.jsonl").read_bytes() == whole
    message = "t.jsonl does not hold the first 9 steps of this run, which the checkpoint continues"
    for content in (whole[:-1], whole.replace(b"3", b"4", 1), b""):
        Path("t.jsonl").write_bytes(content)
        fails(process(*words), 1, message)
        assert Path("t.jsonl").read_bytes() == content
    os.unlink("t.jsonl")
    fails(process(*words), 1, message)
    assert process(*words[:-1], "--overwrite").code == 0 and Path("t.jsonl").read_bytes() == whole
    fails(process(*words[:-3], "--resume"), 2, "the run in c had another --trace")


def test_what_cannot_be_resumed() -> None:
    words = ("minimize", "sum((x - 1)**2)", "x=zeros(3)", "--checkpoint", "c")
    fails(
        process(*words, "--method", "bfgs"),
        2,
        "--checkpoint does not apply to bfgs, which is SciPy's\nhint: it applies to lbfgs",
    )
    fails(process(*words[:3], "--resume"), 2, "--resume needs --checkpoint")
    drawn = ("minimize", "sum((x - 1)**2)", "x=randn(3)", "--checkpoint", "c")
    fails(process(*drawn), 2, "random numbers need --seed here")
    assert process(*drawn, "--seed", "1", "-q") == process(*drawn, "--seed", "1", "-q", "--resume")
    assert leftovers() == ["c"]


# Interrupts ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "number"),
    [
        ("adam", signal.SIGINT),
        ("lbfgs", signal.SIGTERM),
        ("l-bfgs-b", signal.SIGINT),
        ("trust-ncg", signal.SIGINT),
        ("nelder-mead", signal.SIGINT),
    ],
)
def test_an_interrupt_shows_the_best_so_far(method: str, number: int) -> None:
    code = """
        import os, sys
        from gradcli.__main__ import main
        from gradcli.optimize.logbook import Logbook
        number, add = int(sys.argv.pop(1)), Logbook.add
        def added(logbook, step):
            add(logbook, step)
            if step.number == 5:
                os.kill(os.getpid(), number)
        Logbook.add = added
        main()
        """
    command = [sys.executable, "-c", textwrap.dedent(code), str(number), *ROSENBROCK, "--method", method]
    done = subprocess.run([*command, "--json", "--trace", "t", "-o", "out/"], env=environment(), capture_output=True)
    assert done.returncode == ended_by(number) and done.stderr == b"" and leftovers() == ["t"]
    answer = json.loads(done.stdout)
    assert (answer["converged"], answer["reason"]) == (False, "interrupted; this is the best so far")
    best = min(steps("t"), key=lambda line: (line["value"], -line["step"]))
    assert (answer["steps"], answer["value"]) == (best["step"], best["value"])
    x, y = answer["parameters"]["x"], answer["parameters"]["y"]
    assert abs((1 - x) ** 2 + 100 * (y - x**2) ** 2 - answer["value"]) < 1e-12


# What is refused -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ((), 2, "missing argument 'EXPR'"),
        (("x**2", "x=1", "--wrt", "z"), 2, "there is no input 'z' to differentiate\nhint: the inputs are x"),
        (("x**2", "x=1", "--wrt", ","), 2, "--wrt takes names of inputs"),
        (("x**2", "x=arange(3)[2]"), 2, "no input is a floating-point number: there is nothing to change"),
        (("x**2", "x=arange(3)[2]", "--wrt", "x"), 2, "the input 'x' is int64 and cannot be differentiated"),
        (("x**2", "x=[1,2]"), 2, "the value to minimize must be a single number, it has shape (2,)\n  x**2\n"),
        (("x > 1", "x=1"), 2, "the value is bool and has no gradient to follow\n  x > 1\n    ^\n"),
        (("x**2 + q", "x=1"), 2, "unknown name 'q'\n  x**2 + q\n         ^\n"),
        (("x**2", "x=1", "y=1", "--wrt", "x"), 2, "the input 'y' is never used"),
        (("x**2", "x=1", "--method", "adm"), 2, "there is no method 'adm'\nhint: did you mean 'adam'?"),
        (
            ("x**2", "x=1", "--steps", "10"),
            2,
            "lbfgs has no option --steps\nhint: its options are --lr, --history-size",
        ),
        (("x**2", "x=1", "--method", "adam", "--steps", "0"), 2, "--steps must be an integer from 1, got 0"),
        (("x**2", "x=1", "--method", "adam", "--steps", "1.5"), 2, "--steps must be an integer from 1, got 1.5"),
        (("x**2", "x=1", "--method", "adam", "--betas", "0.9"), 2, "--betas must be two numbers from 0 to below 1"),
        (("x**2", "x=1", "--method", "adam", "--betas", "0.9,1"), 2, "--betas must be two numbers from 0 to below 1"),
        (("x**2", "x=1", "--method", "adam", "--betas", "a,b"), 2, "--betas takes two numbers from 0 to below 1, not"),
        (("x**2", "x=1", "--lr", "nan"), 2, "--lr must be a number above 0, got nan"),
        (("x**2", "x=1", "--lr", "1e999"), 2, "--lr must be a number above 0, got inf"),
        (("x**2", "x=1", "--lr", ""), 2, "--lr takes a number above 0, not ''"),
        (
            ("x**2", "x=1", "--bounds", "x=0:"),
            2,
            "--bounds does not apply to lbfgs, which has none\nhint: it applies to l-bfgs-b",
        ),
        (("x**2", "x=1", "--batch-size", "2"), 2, "--batch-size and --rows must be given together"),
        (("x**2", "x=1", "--rows", "x"), 2, "--batch-size and --rows must be given together"),
        (("log(x)", "x=-1"), 1, "the value at the start is NaN"),
        (("sum(x)", "x=zeros(0)"), 2, "the parameter 'x' has no elements"),
        (("x**2", "x=@missing.npy"), 1, "cannot read missing.npy"),
        (("-exp(x)", "x=1", "--method", "sgd", "--lr", "9"), 1, "the value became minus infinity at step"),
        (("x**4", "x=9", "--method", "sgd", "--lr", "9", "--trace", "t"), 1, "the value became infinite at step"),
    ],
)
def test_requests_that_are_wrong(words: tuple[str, ...], code: int, message: str) -> None:
    fails(process("minimize", *words), code, message)
    told = process("minimize", *words, "--json")
    assert told.code == code and set(json.loads(told.err)["error"]) == {"message", "span", "hint"}


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        ("x=2:10", "x starts outside its bounds: 1 is not from 2 to 10"),
        ("x=:0", "x starts outside its bounds: 1 is not from -inf to 0"),
        ("x=3:1", "bounds of x: no number is from 3 to 1"),
        ("y=0:", "bounds: there is no parameter 'y'"),
        ("0:1", "'0:1' is not the bounds of a parameter"),
        ("x=1", "'x=1' is not the bounds of a parameter"),
        ("x=:", "'x=:' is not the bounds of a parameter"),
        ("x=0:1:2", "'x=0:1:2' is not the bounds of a parameter"),
        ("x=a:", "--bounds: in the value of x: unknown name 'a'"),
        ("x=0:1+", "--bounds: in the value of x: the expression is incomplete"),
        ("x=[0,0]:", "bounds of x have shape (2,), the parameter ()"),
    ],
)
def test_bounds_that_are_wrong(bounds: str, message: str) -> None:
    fails(process("minimize", "x**2", "x=1", "--method", "l-bfgs-b", "--bounds", bounds), 2, message)


def test_bounds_are_given_once() -> None:
    words = ("minimize", "x**2", "x=1", "--method", "l-bfgs-b", "--bounds", "x=0:2", "--bounds", "x=1:")
    fails(process(*words), 2, "x has bounds twice")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("--rows", "X,y", "--method", "lbfgs"),
            "--batch-size does not apply to lbfgs, which uses all rows in every step",
        ),
        (("--rows", "X,z", "--method", "adam"), "rows: there is no input 'z'"),
        (("--rows", "X,w", "--method", "adam"), "rows: 'w' is a parameter, and changes as a whole"),
        (("--rows", "X,y", "--method", "adam", "--seed", "-1"), "seed must be an integer from 0"),
    ],
)
def test_rows_that_cannot_be_dealt(words: tuple[str, ...], message: str) -> None:
    data()
    base = ("minimize", "mean((X@w - y)**2)", "X=X.npy", "y=y.csv:y", "w=zeros(3)", "--wrt", "w", "--batch-size", "5")
    fails(process(*base, *words), 2, message)
    assert leftovers() == ["X.npy", "y.csv"]


def test_a_limit_that_is_reached_is_no_failure() -> None:
    done = process(*ROSENBROCK, "--max-iter", "3")
    assert done.code == 0 and "lbfgs stopped after 3 steps and " in done.out and "limit of 3 steps" in done.out
    assert found(*ROSENBROCK, "--max-iter", "3")["converged"] is False
    assert found(*ROSENBROCK, "--method", "bfgs", "--max-iter", "3")["converged"] is False


def test_the_list_of_commands_loads_no_numpy() -> None:
    code = "import sys\nfrom gradcli.cli.main import run\nrun(['--help'])\nsys.exit('numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True)
    assert done.returncode == 0 and "minimize    Find the parameters that minimize EXPR." in done.stdout
