"""The items of a batch dealt to a cluster: the same bytes as at home, also when a worker dies."""

from __future__ import annotations

import json
import pickle
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gradcli.batch.job import Outcome, Part
from gradcli.errors import WorkError
from tests.cluster_support import Workers, cluster
from tests.command import COMMAND, PATIENCE, Done, environment, process

# A scheduler and workers, as processes of their own.
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workers]:
    with cluster(tmp_path_factory.mktemp("cluster"), 2) as started:
        yield started


@pytest.fixture(autouse=True)
def own_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    make("data", 150, 400)


def make(folder: str, count: int, size: int) -> None:
    Path(folder).mkdir()
    rng = np.random.default_rng(2)
    for k in range(count):
        np.save(f"{folder}/i{k:03}.npy", rng.standard_normal(size).astype(np.float32))


def batch(out: str, *words: str) -> Done:
    return process("batch", "sum(tanh(x*w))", "x=data/", "w=linspace(0, 1, 400)", "-o", out, *words)


def contents(folder: str) -> dict[str, Any]:
    found: dict[str, Any] = {p.name: p.read_bytes() for p in Path(folder).glob("*.npy")}
    lines = [json.loads(line) for line in Path(folder, "results.jsonl").read_text().splitlines()]
    found["results"] = [{k: v for k, v in line.items() if k != "seconds"} for line in lines]
    return found


@pytest.mark.parametrize("words", [("--save", "both"), ("--accumulate", "--wrt", "w")])
def test_same_bytes(workers: Workers, words: tuple[str, ...]) -> None:
    here, there = batch("here", *words), batch("there", *words, "--scheduler", workers.address)
    assert here.code == there.code == 0, there
    assert here.out.replace("here", "") == there.out.replace("there", "") and not there.err
    assert contents("here") == contents("there")
    assert sorted(p.name for p in Path("there/.gradcli").iterdir()) == sorted(
        p.name for p in Path("here/.gradcli").iterdir()
    )


def test_items_that_fail_and_a_run_that_is_resumed(workers: Workers) -> None:
    Path("data/i070.npy").write_bytes(b"no array")
    words = ("--on-error", "skip", "--scheduler", workers.address)
    failed = batch("out", *words)
    assert failed.code == 1 and "150 items: 149 done, 1 failed" in failed.out
    assert failed.err.startswith("gradcli: 1 of 150 items failed; the first: data/i070.npy is not a .npy file")
    np.save("data/i070.npy", np.ones(400, np.float32))
    assert batch("out", *words, "--resume").out == "150 items: 1 done, 149 finished before\n"
    assert batch("here").code == 0 and contents("out") == contents("here")


def test_files_that_only_the_client_sees(workers: Workers) -> None:
    # The current folder of whoever asks.
    if not Path("/proc/self/cwd/data").is_dir():
        pytest.skip("the system names no process's folder")
    unseen, hint = (
        "/proc/self/cwd/data/i000.npy",
        "hint: workers must see the same files at the same paths as the client",
    )
    words = ("-o", "out", "--scheduler", workers.address)
    done = process("batch", "sum(x)", f"x=@@{_list(unseen)}", *words)
    assert done.code == 1 and done.err.endswith(f"cannot read {unseen}: No such file or directory\n{hint}\n")
    done = process("batch", "sum(x*w)", "x=data/", f"w={unseen}", "-o", "other", "--scheduler", workers.address)
    assert done.code == 1 and f"on a worker: cannot read {unseen}: No such file or directory\n{hint}\n" in done.err


def _list(*paths: str) -> str:
    Path("list.txt").write_text("".join(f"{path}\n" for path in paths))
    return "list.txt"


def test_a_killed_worker_costs_a_retry(tmp_path: Path) -> None:
    make("more", 1500, 20_000)
    words = [*COMMAND, "batch", "sum(exp(sin(x)))", "x=more/"]
    with cluster(tmp_path / "cluster", 2) as started:
        running = subprocess.Popen([*words, "-o", "there", "-q", "--scheduler", started.address], env=environment())
        while not any(Path("there").glob(".gradcli/unfinished/*")):
            assert running.poll() is None, "it was over too soon"
            time.sleep(0.005)
        started.processes[1].kill()
        assert running.wait(timeout=PATIENCE) == 0
    assert subprocess.run([*words, "-o", "here", "-q"], env=environment()).returncode == 0
    assert contents("here") == contents("there")
    assert not list(Path("there/.gradcli").glob("unfinished/*"))


def test_what_goes_between_processes() -> None:
    error = WorkError("it is gone", span=(1, 2), hint="look elsewhere")
    part = pickle.loads(pickle.dumps(Part([Outcome(0, "{}", (), 0, error)], {"w": (np.ones(2), "float32")})))
    again = part.outcomes[0].error
    assert (type(again), again.message, again.span, again.hint) == (WorkError, "it is gone", (1, 2), "look elsewhere")
