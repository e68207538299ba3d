"""The same bits for any number of threads, from Python and from the command, and however often it is asked."""

from __future__ import annotations

import itertools
import os
import signal
import threading
import time
import warnings
from collections.abc import Callable
from contextvars import copy_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gradcli as gc
from gradcli.engine.execute import run_pass
from gradcli.engine.execute import threads as kept_threads
from gradcli.engine.execute.threads import Failures, deal, in_vain, shares
from gradcli.engine.plan.passes import GROUPS_WAITING
from gradcli.errors import GradcliError, WorkError
from tests.command import call, leftovers, process, shell

ROWS, VECTOR = 60_000, 1_100_003
EXPRESSIONS = [
    "mean(2*(3*x + 7)**2)",
    "sum(sigmoid(x)*tanh(y))",
    "sum(x/sum(exp(x)))",
    "var(x) + norm(y) + x @ y",
    "logsumexp(x, 0) + amax(y) + prod(1 + y/1e6)",
    "mean(log1p(exp(-X @ w)))",
    "mean(logsumexp(X, 1) - sum(X*Y, 1))",
    "sum(((X - mean(X, 0))/std(X, 0))**2)",
    "sum((X.T @ Y)**2)",
    "sum(softmax(relu(X @ W), 1)[:, 0])",
    "sum(softmax(X, 0)*Y)",
    "sum(cumsum(x, 0)*y)",
]


def inputs_of(expression: str, dtype: str) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    shapes = {"x": VECTOR, "y": VECTOR, "X": (ROWS, 20), "Y": (ROWS, 20), "w": 20, "W": (20, 7)}
    plain = expression.replace("exp", "").replace("max", "")
    return {n: rng.standard_normal(s, np.float64).astype(dtype) for n, s in shapes.items() if n in plain}


def bits(expression: str, inputs: dict[str, np.ndarray], threads: int) -> list[bytes]:
    def computed() -> list[bytes]:
        gc.set_num_threads(threads)
        assert gc.get_num_threads() == threads
        result = gc.evaluate(expression, inputs)
        assert result.grads is not None
        return [t.detach().numpy().tobytes() for t in (result.value, *result.grads.values()) if t is not None]

    return copy_context().run(computed)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_any_number_of_threads_gives_the_same_bits(expression: str, dtype: str) -> None:
    inputs = inputs_of(expression, dtype)
    before = {name: array.copy() for name, array in inputs.items()}
    first = bits(expression, inputs, 1)
    assert len(first) == 1 + len(inputs)
    for threads in (2, 3, 8, 2):
        assert bits(expression, inputs, threads) == first, threads
    assert all(np.array_equal(inputs[name], before[name]) for name in inputs)


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    expression = "mean(logsumexp(X, 1) - sum(X*Y, 1))"
    for name, array in inputs_of(expression, "float32").items():
        np.save(f"{name}.npy", array)
    outputs = []
    for words, variables in [
        (("--threads", "1"), {}),
        (("--threads", "2"), {}),
        (("--threads", "3"), {"GRADCLI_THREADS": "no number"}),
        (("--threads", "8"), {}),
        ((), {"GRADCLI_THREADS": "1"}),
        ((), {"GRADCLI_THREADS": " 3 "}),
        ((), {}),
        ((), {"GRADCLI_THREADS": ""}),
    ]:
        done = process("eval", expression, "X=X.npy", "Y=Y.npy", "-o", "out/", "--precision", "12", *words, **variables)
        assert (done.code, done.err) == (0, ""), done
        outputs.append((done.out, *((tmp_path / "out" / name).read_bytes() for name in leftovers("out"))))
    assert len(outputs[0]) == 4 and all(output == outputs[0] for output in outputs)


def test_random_numbers_do_not_depend_on_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["eval", "sum(x*x)", "x=randn(500000)", "--seed", "7", "--precision", "12"]
    answers = {call(monkeypatch, *words, "--threads", n).out for n in ("1", "2", "5")}
    assert len(answers) == 1 and "SumBackward0" in answers.pop()


@pytest.mark.parametrize("given", ["0", "-1", "two", "1.5", "1025", "9" * 30, "1e1", "0x2"])
def test_bad_numbers_in_the_environment(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    message = f"GRADCLI_THREADS must be an integer from 1 to 1024, got {given!r}"
    monkeypatch.setenv("GRADCLI_THREADS", given)
    for command in ("eval", "explain"):
        for value in ("x=1", "x=ones(100000)"):
            assert call(monkeypatch, command, "sum(x)", value) == (2, "", f"gradcli: {message}\n")
    # Who says how many asks nobody.
    assert call(monkeypatch, "eval", "sum(x)", "x=ones(100000)", "--threads", "2", "--no-grad").code == 0
    with pytest.raises(GradcliError) as caught:
        gc.evaluate("sum(x)", {"x": np.ones(100_000)})
    assert caught.value.message == message


def test_a_bad_number_in_a_process() -> None:
    report = "gradcli: GRADCLI_THREADS must be an integer from 1 to 1024, got 'many'\n"
    assert process("eval", "sum(x)", "x=ones(3)", GRADCLI_THREADS="many") == (2, "", report)
    # What computes nothing does not mind.
    assert process("--version", GRADCLI_THREADS="many").code == 0


@pytest.mark.parametrize("number", [0, -1, 1025, 1.0, True, "2", None])
def test_bad_numbers_from_python(number: object) -> None:
    before = gc.get_num_threads()
    with pytest.raises(GradcliError, match="the number of threads must be an integer from 1 to 1024"):
        gc.set_num_threads(number)  # type: ignore[arg-type]
    assert gc.get_num_threads() == before


def test_every_piece_is_done_once_and_by_one_worker() -> None:
    for count in (0, 1, 2, 5, 1000):
        for threads in (1, 2, 3, 8):
            done: list[int] = []
            started: list[int] = []

            def start(done: list[int] = done, started: list[int] = started):  # type: ignore[no-untyped-def]  # noqa: ANN202
                started.append(1)
                return done.append

            deal(count, threads, start)
            assert sorted(done) == list(range(count))
            assert len(started) == max(1, min(count, threads))


@pytest.mark.parametrize(("count", "threads", "least"), [(77, 2, 4), (77, 1, 4), (3, 2, 4), (0, 3, 2), (64, 3, 16)])
@pytest.mark.parametrize("most", [0, 1, 3, 8, 100])
def test_neighbours_go_together_until_the_end_is_near(count: int, threads: int, least: int, most: int) -> None:
    starts = shares(count, threads, least, most)
    sizes = [stop - start for start, stop in itertools.pairwise(starts)]
    assert (starts[0], starts[-1], sum(sizes)) == (0, count, count) and all(size > 0 for size in sizes)
    for start, size in zip(starts, sizes, strict=False):
        if start < least * (count // least - threads):
            assert least <= size <= max(least, most)
        else:
            # No thread has to wait for longer than for the others' share of what is left.
            assert size == 1 or size <= min(most, (count - start) // (2 * threads))


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_the_failure_of_the_first_piece_is_raised_and_nothing_is_begun_after_it(threads: int) -> None:
    done: list[int] = []

    def do(piece: int) -> None:
        done.append(piece)
        if piece >= 3:
            raise ValueError(piece)

    with pytest.raises(ValueError) as caught:
        deal(10_000, threads, lambda: do)
    assert caught.value.args == (3,) and len(done) < 10_000


def test_a_failure_does_not_hide_one_before_it() -> None:
    """Which failure is told does not depend on which thread is faster."""
    both = threading.Barrier(2)

    def do(piece: int) -> None:
        if piece in (0, 1):
            both.wait(60)
        if piece == 0:
            time.sleep(0.05)
        if piece in (0, 1):
            raise ValueError(piece)

    with pytest.raises(ValueError) as caught:
        deal(100, 2, lambda: do)
    assert caught.value.args == (0,)


def test_few_partial_results_wait_for_a_slow_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Large sums of groups that are done are kept until all before them are: others wait for whoever is slow."""
    gc.set_engine("numpy")
    x = np.random.default_rng(0).standard_normal((400, 30_000))
    gc.set_num_threads(1)
    expected = gc.evaluate("sum(exp(x), 0)", {"x": x}, wrt=()).value.numpy()
    kept: list[int] = []
    run, add = run_pass._Worker.run, run_pass._Joined.add

    def slow(self: run_pass._Worker, begin: int, end: int) -> list[Any]:
        if begin == 0:
            time.sleep(0.5)
        return run(self, begin, end)

    def counted(self: run_pass._Joined, k: int, state: Any) -> None:
        add(self, k, state)
        kept.append(len(self.waiting))

    monkeypatch.setattr(run_pass._Worker, "run", slow)
    monkeypatch.setattr(run_pass._Joined, "add", counted)
    gc.set_num_threads(2)
    value = gc.evaluate("sum(exp(x), 0)", {"x": x + 0}, wrt=()).value.numpy()
    assert value.tobytes() == expected.tobytes()
    assert len(kept) > 20 and 1 <= max(kept) <= 2 * GROUPS_WAITING + 1


def test_nobody_waits_for_a_thread_that_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    gc.set_num_threads(2)
    run = run_pass._Worker.run

    def fails(self: run_pass._Worker, begin: int, end: int) -> list[Any]:
        if begin == 0:
            time.sleep(0.2)
            raise WorkError("the first block fails")
        return run(self, begin, end)

    monkeypatch.setattr(run_pass._Worker, "run", fails)
    x = np.random.default_rng(0).standard_normal((400, 30_000))
    with pytest.raises(WorkError, match="the first block fails"):
        gc.evaluate("sum(exp(x), 0)", {"x": x}, wrt=()).value.numpy()


def both_threads(do: Callable[[], None]) -> None:
    """Do it once in each of two threads."""
    both = threading.Barrier(2)

    def piece(k: int) -> None:
        both.wait(60)
        do()

    deal(2, 2, lambda: piece)


def test_a_thread_waits_for_more_work_and_then_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    local, known = threading.local(), []

    def look() -> None:
        known.append(hasattr(local, "seen"))
        local.seen = True

    monkeypatch.setattr(kept_threads, "_WHILE", 60.0)
    both_threads(look)
    both_threads(look)
    assert known == [False, False, True, True]
    monkeypatch.setattr(kept_threads, "_WHILE", 0.0)
    # Those that waited longer take this up, and nothing after it.
    while kept_threads._waiting(os.getpid()):
        both_threads(look)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks here")
def test_a_forked_process_has_threads_of_its_own() -> None:
    both_threads(lambda: None)
    with warnings.catch_warnings(action="ignore"):
        child = os.fork()
    if not child:
        signal.alarm(60)
        both_threads(lambda: None)
        os._exit(7)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


def test_a_worker_that_cannot_start() -> None:
    def start() -> None:
        raise ValueError("no buffers")

    with pytest.raises(ValueError, match="no buffers"):
        deal(5, 3, start)  # type: ignore[arg-type]


def test_an_interrupt_between_pieces_stops_all_threads() -> None:
    order, both = iter(range(2)), threading.Barrier(2)
    done: list[int] = []

    def do(piece: int) -> None:
        time.sleep(0.001)
        done.append(piece)

    def start() -> Callable[[int], None]:
        first = next(order) == 0
        both.wait(60)
        if first:
            raise KeyboardInterrupt
        return do

    with pytest.raises(KeyboardInterrupt):
        deal(2000, 2, start)
    assert len(done) < 2000


@pytest.mark.parametrize("failure", [KeyboardInterrupt, ValueError])
def test_a_long_piece_is_left_off_when_it_is_in_vain(failure: type[BaseException]) -> None:
    failures: Failures = []
    both = threading.Barrier(2)

    def do(piece: int) -> None:
        both.wait(60)
        if piece == 0:
            raise failure
        end = time.monotonic() + 60
        while not in_vain(failures, piece):
            assert time.monotonic() < end

    with pytest.raises(failure):
        deal(2, 2, lambda: do, failures=failures)


def test_an_interrupt_does_not_wait_for_the_groups_of_other_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """A group of hours of work is a minute of it."""
    both, compute, done = threading.Barrier(2), run_pass._Worker.run, []

    def run(worker: run_pass._Worker, begin: int, end: int) -> list[object]:
        if threading.current_thread() is threading.main_thread():
            both.wait(60)
            raise KeyboardInterrupt
        if not done:
            both.wait(60)
        done.append(begin)
        time.sleep(0.01)
        return compute(worker, begin, end)

    monkeypatch.setattr(run_pass._Worker, "run", run)
    gc.set_num_threads(2)
    gc.set_engine("numpy")
    with pytest.raises(KeyboardInterrupt):
        gc.evaluate("sum(sin(arange(300000.)[:, None]*arange(1000000.)*x))", {"x": 1.0}, wrt=())
    assert 0 < len(done) < 100


def test_an_interrupt_while_others_are_waited_for_ends_them_too() -> None:
    failures: Failures = []
    begun, ended = threading.Barrier(2), threading.Event()

    def do(piece: int) -> None:
        begun.wait(60)
        if threading.current_thread() is threading.main_thread():
            # Comes when there is no piece left for this thread.
            signal.setitimer(signal.ITIMER_REAL, 0.3)
            return
        end = time.monotonic() + 60
        while not in_vain(failures, piece) and time.monotonic() < end:
            time.sleep(0.001)
        ended.set()

    def stop(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, stop)
    try:
        with pytest.raises(KeyboardInterrupt):
            deal(2, 2, lambda: do, failures=failures)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert ended.wait(30)


def test_an_error_in_a_block_has_its_place() -> None:
    """Also when another thread than the caller's met it."""
    index = np.zeros(200_000, np.int64)
    index[150_000] = 7
    x = np.ones((200_000, 5), np.float32)
    for threads in (1, 3):

        def failed(threads: int = threads) -> str:
            gc.set_num_threads(threads)
            with pytest.raises(GradcliError) as caught:
                gc.evaluate("1 + nll_loss(log_softmax(x, 1), i)", {"x": x, "i": index})
            return caught.value.render()

        report = copy_context().run(failed)
        assert "7" in report and "^" in report and "nll_loss" in report


# Stacks of 500 MB: of the threads that are asked for, the system starts three or four.
FEW_THREADS = "ulimit -s 500000; ulimit -v 2500000; "


def test_as_many_threads_as_the_system_allows_do_the_work(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.linspace(-1, 1, 17_000_000, dtype=np.float32))
    lines = [
        f"$G eval 'sum(exp(x)*x)' x={tmp_path}/x.npy -q --threads 64 -o x.grad={tmp_path}/{k}.npy -o value=-"
        for k in range(2)
    ]
    free, few = shell(lines[0]), shell(FEW_THREADS + lines[1])
    assert (few.code, few.err) == (0, "")
    assert few.out == free.out
    assert (tmp_path / "0.npy").read_bytes() == (tmp_path / "1.npy").read_bytes()


def test_a_batch_goes_on_with_the_threads_that_start(tmp_path: Path) -> None:
    for k in range(40):
        np.save(tmp_path / f"{k}.npy", np.arange(5.0))
    done = shell(f"{FEW_THREADS} $G batch 'sum(x)' 'x={tmp_path}/*.npy' --jobs 64 -q -o {tmp_path}/out/")
    assert (done.code, done.err) == (0, "")


def test_no_memory_for_a_thread_is_no_failure_while_another_one_has_some() -> None:
    starting = iter(range(100))
    done: list[int] = []

    def start() -> Callable[[int], None]:
        if next(starting) > 1:
            raise MemoryError

        def do(piece: int) -> None:
            time.sleep(0.001)
            done.append(piece)

        return do

    deal(20, 8, start)
    assert sorted(done) == list(range(20))


def test_no_memory_for_any_thread_is_a_sentence() -> None:
    def start() -> Callable[[int], None]:
        raise MemoryError

    with pytest.raises(WorkError, match="not enough memory for 8 threads"):
        deal(20, 8, start)
