"""All results or none: whoever stops the command, whatever fails, and what a killed process leaves behind."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import stat
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

from gradcli.errors import GradcliError
from gradcli.machine import temporary
from gradcli.machine.temporary import create_temporary, sweep, temporary_name
from gradcli.machine.undisturbed import undisturbed
from gradcli.storage import save, save_all, streaming
from tests.command import COMMAND, call, ended_by, environment, leftovers, process, shell
from tests.storage_support import failure, run, same
from tests.storage_support import own_directory as own_directory

RESULTS = ["out", "out/value.npy", "out/x.grad.npy"]


def main(words: list[str], before: str) -> subprocess.CompletedProcess[str]:
    """The command in a process that something is done to first."""
    start = f"import sys\nfrom gradcli.__main__ import main\nsys.argv = {['gradcli', *words]}\nmain()"
    code = f"{textwrap.dedent(before)}\n{start}"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, env=environment())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_wait_while_names_are_given(number: int) -> None:
    done = main(
        ["eval", "sum(x**2)", "x=ones(5)", "-o", "out/"],
        f"""
        import os
        replace = os.replace
        def signalling(old, new):
            replace(old, new)
            os.kill(os.getpid(), {int(number)})
        os.replace = signalling
        """,
    )
    assert (done.returncode, done.stdout, done.stderr) == (ended_by(number), "", "")
    assert leftovers() == RESULTS and same(np.load("out/x.grad.npy"), np.full(5, 2, np.float32))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_before_that_leave_nothing(number: int) -> None:
    done = main(
        ["eval", "sum(x**2)", "x=ones(20000000)", "-o", "out/", "-q"],
        f"""
        import os
        sync, calls = os.fsync, []
        def signalling(descriptor):
            sync(descriptor)
            calls.append(descriptor)
            if len(calls) == 2:
                # The second one does not disturb the cleaning up after the first.
                os.kill(os.getpid(), {int(number)})
                os.kill(os.getpid(), {int(number)})
        os.fsync = signalling
        """,
    )
    assert (done.returncode, done.stdout, done.stderr) == (ended_by(number), "", "")
    assert leftovers() == []


def test_signals_wait_for_the_end_of_a_block() -> None:
    came: list[str] = []

    def handle(signum: int, frame: object) -> None:
        came.append(signal.Signals(signum).name)

    old = signal.signal(signal.SIGTERM, handle)
    try:
        with undisturbed():
            os.kill(os.getpid(), signal.SIGTERM)
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.01)
            assert came == []
        assert came == ["SIGTERM"] and signal.getsignal(signal.SIGTERM) is handle
        with pytest.raises(KeyboardInterrupt), undisturbed():
            os.kill(os.getpid(), signal.SIGINT)
            came.append("later")
        assert came == ["SIGTERM", "later"]
    finally:
        signal.signal(signal.SIGTERM, old)


def test_large_results_are_on_the_disk_before_small_ones_have_names() -> None:
    done = main(
        ["eval", "sum(x**2)", "x=ones(20000000)", "-o", "out/", "-q"],
        """
        import os
        sync, replace = os.fsync, os.replace
        def telling(descriptor):
            print("sync", flush=True)
            sync(descriptor)
        def naming(old, new):
            print("name", os.path.basename(new), flush=True)
            replace(old, new)
        os.fsync, os.replace = telling, naming
        """,
    )
    words = done.stdout.split("\n")
    assert done.returncode == 0 and words[:2] == ["sync", "sync"], done
    assert sorted(words[2:4]) == ["name value.npy", "name x.grad.npy"] and leftovers() == RESULTS


def test_a_large_result_that_fails_at_last_leaves_no_small_one() -> None:
    save("old.npy", np.zeros(2))
    done = main(
        ["eval", "sum(x**2)", "x=ones(20000000)", "-o", "value=old.npy", "-o", "out/", "-q"],
        """
        import os
        sync = os.fsync
        def failing(descriptor):
            if os.fstat(descriptor).st_size > 1000000:
                raise OSError(28, "No space left on device")
            sync(descriptor)
        os.fsync = failing
        """,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "gradcli: cannot write out/x.grad.npy: No space left on device\n"
    assert leftovers() == ["old.npy"] and same(np.load("old.npy"), np.zeros(2))


@pytest.mark.parametrize("linked", [True, False])
def test_a_name_that_cannot_be_given_takes_the_others_back(linked: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    save("old.npy", np.zeros(2))
    replace = os.replace

    def broken(old: str, new: str) -> None:
        if new.endswith("last.npy"):
            # What a file that is a mount point of its own does.
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
        replace(old, new)

    def no_links(old: str, new: str) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "replace", broken)
    if not linked:
        monkeypatch.setattr(os, "link", no_links)
    items = [(name, np.ones(2)) for name in ("old.npy", "new.npy", "last.npy")]
    hint = "a file that is mounted by itself cannot be replaced: mount its folder"
    assert failure(lambda: save_all(items)) == f"cannot write last.npy: Device or resource busy\nhint: {hint}"
    assert os.listdir() == ["old.npy"]
    # A file system without links loses what was there, but holds no half of anything.
    assert same(np.load("old.npy"), np.zeros(2) if linked else np.ones(2))


# What is left behind -------------------------------------------------------------------------------------------------


def killed(size: int = 1000) -> None:
    """Leave what a killed process leaves."""
    run(
        f"""
        with streaming([("s.npy", ({size},), np.dtype("float32"))]) as (sink,):
            os.kill(os.getpid(), 9)
        """
    )


def hidden(folder: str = ".") -> list[str]:
    return [name for name in os.listdir(folder) if name.startswith(".gradcli-")]


def test_what_a_killed_run_leaves_is_removed_by_the_next() -> None:
    killed(size=1_000_000)
    assert len(hidden()) == 1
    run("""
        os.replace = lambda old, new: os.kill(os.getpid(), 9)
        save_all([("a.npy", np.ones(2)), ("b.npy", np.ones(2))])
        """)
    left = set(hidden())
    assert len(left) == 2 and os.path.getsize(max(left, key=os.path.getsize)) < 1000
    for name in (".gradcli-x.tmp", ".gradcli-0123abcd-1-0123456789ab.npy", "gradcli-0123abcd-1-0123456789ab.tmp"):
        Path(name).write_text("not ours")
    os.mkfifo(temporary_name("."))
    os.symlink("precious", temporary_name("."))
    os.mkdir(temporary_name("."))
    Path("precious").write_text("mine")
    others = sorted(set(os.listdir()) - left)
    assert process("eval", "x", "x=ones(3)", "--no-grad", "-o", "value=v.npy", "-q").code == 0
    assert sorted(os.listdir()) == sorted([*others, "v.npy"])


@pytest.mark.parametrize("words", [["graph", "x*x", "x=1", "-o", "g.dot"], ["repl"]])
def test_whatever_writes_files_removes_it(words: list[str]) -> None:
    killed()
    done = process(*words, stdin=b":save r.npy ones(2)\n")
    assert done.code == 0 and hidden() == [], done


def test_what_a_live_run_writes_stays() -> None:
    work = subprocess.Popen(
        [*COMMAND, "eval", "x", "x=ones(3)", "--no-grad", "-o", "value=v.npy", "-o", "value=w.npy"],
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    assert "written twice" in work.communicate(timeout=300)[1]
    os.mkfifo("pipe")
    work = subprocess.Popen(
        [*COMMAND, "eval", "x**2", "x=ones(100000)", "--grad-output", "1", "-o", "value=v.npy", "-o", "x.grad=pipe"],
        stdout=subprocess.PIPE,
        env=environment(),
    )
    with open("pipe", "rb") as reader:
        reader.read(100)
        first = hidden()
        assert len(first) == 1
        assert process("eval", "x", "x=ones(3)", "--no-grad", "-o", "value=other.npy", "-q").code == 0
        assert hidden() == first
        reader.read()
    work.communicate(timeout=300)
    assert work.returncode == 0 and leftovers() == ["other.npy", "pipe", "v.npy"] and len(np.load("v.npy")) == 100000


def test_locks_decide_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    path = temporary_name(".")
    descriptor = create_temporary(path, None)
    sweep(".")
    assert os.path.exists(path)
    os.close(descriptor)
    monkeypatch.setattr(temporary, "_host", lambda: "0" * 8)
    # Of another machine, whose locks may not be seen here.
    sweep(".")
    assert os.path.exists(path)
    os.utime(path, (1, time.time() - 100_000))
    with monkeypatch.context() as patch:
        patch.setattr(os, "geteuid", lambda: os.getuid() + 1)
        sweep(".")
        assert os.path.exists(path)

    def no_locks(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    with monkeypatch.context() as patch:
        patch.setattr(fcntl, "flock", no_locks)
        sweep(".")
        assert os.path.exists(path)
        save("a.npy", np.ones(2))
    sweep(".")
    assert os.listdir() == ["a.npy"] and same(np.load("a.npy"), np.ones(2))


def test_a_file_that_is_removed_before_it_is_locked_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    flock, calls = fcntl.flock, []

    def late(descriptor: int, operation: int) -> None:
        if not calls:
            calls.append(descriptor)
            # Another run comes between the two steps.
            sweep(".")
        flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", late)
    save("a.npy", np.ones(2))
    assert calls and os.listdir() == ["a.npy"] and same(np.load("a.npy"), np.ones(2))


def test_runs_side_by_side_leave_each_other_alone() -> None:
    code = """
        names = [f"{sys.argv[1]}.npy", f"{sys.argv[1]}.grad.npy"]
        for k in range(150): save_all([(name, np.full(9, k)) for name in names])
        """
    text = "import sys, os, numpy as np\nfrom gradcli.storage import *\n" + textwrap.dedent(code)
    runs = [subprocess.Popen([sys.executable, "-c", text, str(k)], env=environment()) for k in range(3)]
    assert [one.wait(timeout=300) for one in runs] == [0, 0, 0]
    assert sorted(os.listdir()) == sorted(f"{k}{end}" for k in range(3) for end in (".npy", ".grad.npy"))


def test_more_results_than_files_may_be_open() -> None:
    names = [f"x{k}" for k in range(60)]
    words = " ".join([f"{name}=1" for name in names])
    done = shell(f"ulimit -Sn 48; $G eval '{'*'.join(names)}' {words} -o out/ -q")
    assert done == (0, "", "") and len(os.listdir("out")) == 61


# Targets -------------------------------------------------------------------------------------------------------------


def test_a_file_that_is_replaced_does_not_run_as_its_owner() -> None:
    save("a.npy", np.zeros(2))
    for mode, kept in ((0o6755, 0o755), (0o2640, 0o640), (0o1600, 0o600)):
        os.chmod("a.npy", mode)
        save("a.npy", np.ones(2))
        assert stat.S_IMODE(os.stat("a.npy").st_mode) == kept
    os.chmod("a.npy", 0o4711)
    with streaming([("a.npy", (2,), np.dtype("float32"))]):
        pass
    assert stat.S_IMODE(os.stat("a.npy").st_mode) == 0o711


@pytest.mark.parametrize(
    "name", ["g.csv.gz", "g.JSONL", "g.txt", "g.npy.gz", "g.feather", "g.pt", "g.h5", "g.mat", "g.xlsx", "g.png"]
)
def test_endings_of_other_formats(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    written = ".npy, .npz, .csv, .tsv, .json, .parquet or .safetensors"
    stem = "g.csv" if name == "g.csv.gz" else "g"
    told = f"cannot write {name}: arrays are written as {written}\nhint: name it {stem}.npy"
    done = call(monkeypatch, "eval", "sum(x)", "x=ones(3)", "-o", f"x.grad={name}")
    assert done == (2, "", f"gradcli: {told}\n")
    assert failure(lambda: save(name, np.ones(2)), GradcliError) == told
    done = call(monkeypatch, "batch", "sum(x)", "x=@@list", "-o", name)
    assert done.code == 2 and done.err.startswith(f"gradcli: -o names the folder for the results, and {name} looks")
    assert call(monkeypatch, "repl", stdin=f":save {name} 1\n".encode()).code == 1 and os.listdir() == []


@pytest.mark.parametrize("name", ["g", "g.grad", "tmp.Xk29dLqPz1", ".csv", "g.npy", "g.csv.d/g"])
def test_endings_that_promise_nothing(name: str) -> None:
    os.mkdir("g.csv.d")
    save(name, np.ones(2))
    assert same(np.load(name), np.ones(2))


def test_two_results_for_one_place_are_refused_before_anything_is_computed() -> None:
    os.mkdir("out")
    os.symlink("out", "link")
    np.save("x.npy", np.ones(20_000_000, np.float32))
    # The second is written while it is computed, which would not fit into this memory.
    for target, rest in (("out/value.npy", "x=[1, 2]"), ("link/value.npy", "x=x.npy")):
        words = ["cumsum(x, 0)", rest, "--no-grad", "-o", "out/", "-o", f"value={target}", "--memory-limit", "1MB"]
        told = "gradcli: two arrays cannot both be written to out/value.npy\n"
        assert process("eval", *words) == (2, "", told)
    assert os.listdir("out") == []


@pytest.mark.parametrize("size", [10, 20_000_000])
def test_a_reader_who_leaves_keeps_no_file_from_being_written(size: int) -> None:
    os.mkfifo("pipe")
    line = f"$G eval x**2 'x=ones({size})' --grad-output 1 -o value=- -o x.grad=g.npy | head -c 10 >head"
    assert shell(line).code == 0 and len(np.load("g.npy")) == size and hidden() == []
    line = f"$G eval x**2 'x=ones({size})' --grad-output 1 -o value=pipe -o x.grad=h.npy -q"
    assert shell(f"head -c 10 pipe >head & {line}; wait") == (0, "", "")
    assert len(np.load("h.npy")) == size and hidden() == []
