"""Work dealt to a cluster: the same bytes as at home, also when workers die; clear errors for all that cannot be."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gradcli
from gradcli.cluster import Dealer, connected, scheduler
from gradcli.cluster.fingerprint import fingerprint
from gradcli.cluster.transfer import piece_of, placed
from gradcli.cluster.worker import Results, _Sent, facts, kept
from gradcli.engine.execute.run import run
from gradcli.engine.native.choice import engine_in_use
from gradcli.engine.plan.planner import plan
from gradcli.errors import GradcliError, WorkError
from gradcli.evaluation.compiled import Compiled
from gradcli.evaluation.request import Request, prepare
from gradcli.evaluation.values import InputSpec
from gradcli.graph.node import CONSTANT
from gradcli.language.parse import parse
from gradcli.storage import FileArray, open_array, streaming
from gradcli.storage.file_sink import SharedFile
from tests.cluster_support import Workers, cluster
from tests.command import COMMAND, PATIENCE, call, environment, leftovers, process, shell


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Arrays large enough to stay in their files, and small ones."""
    folder = tmp_path_factory.mktemp("files")
    random = np.random.default_rng(5)
    large = random.standard_normal(17_600_000, dtype=np.float32)
    np.save(folder / "x.npy", large)
    np.save(folder / "X.npy", large.reshape(1_100_000, 16))
    np.save(folder / "F.npy", np.asfortranarray(large.reshape(16, 1_100_000)))
    np.save(folder / "C.npy", large.reshape(16, 1_100_000))
    np.save(folder / "y.npy", np.sign(large[:1_100_000]))
    np.save(folder / "w.npy", large[:16])
    return folder


@pytest.fixture(scope="module")
def workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workers]:
    with cluster(tmp_path_factory.mktemp("cluster"), 2) as started:
        yield started


def _eval(monkeypatch: pytest.MonkeyPatch, folder: str, *words: str) -> dict[str, bytes]:
    """What `gradcli eval` writes into a folder."""
    done = call(monkeypatch, "eval", *words, "-o", f"{folder}/", "-q")
    assert done.code == 0, done.err
    assert not done.err
    return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        # Files in blocks, an array in memory in slices, one that all parts need, sums in groups.
        ["mean(log1p(exp(-y*(X@w))))", "X=X.npy", "y=y.npy", "w=w.npy"],
        # Results that workers write into the files.
        ["tanh(x)*x", "x=x.npy", "--grad-output", "1"],
        # Several passes, and a file in Fortran order.
        ["sum((F - mean(F, 0))**2 / (1 + var(F)))", "F=F.npy"],
        ["sum(exp(F[:, 1:])/mean(exp(F[:, 0])))", "F=F.npy"],
        # Blocks of columns, each of which goes to many places in the file.
        ["cumsum(C, 0)", "C=C.npy", "--no-grad"],
        # What is kept between passes comes and goes in slices, of blocks that are longer where they are native.
        ["sum(tanh(X)/std(X, 0))", "X=X.npy", "--engine", "native"],
        # Everything in the memory of the client, strides and all.
        ["sum(relu(r.t()*y)**2)", "r=randn(1100000, 3)", "y=y.npy", "--seed", "3"],
        # Numbers that the plan with conditions cannot take.
        ["sum(x/s)", "x=x.npy", "s=1e-40"],
    ],
    ids=["logistic", "streamed", "passes", "parts", "columns", "kept", "memory", "fallback"],
)
def test_same_bytes(
    words: list[str], files: Path, workers: Workers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(files)
    home = _eval(monkeypatch, str(tmp_path / "home"), *words)
    away = _eval(monkeypatch, str(tmp_path / "away"), *words, "--scheduler", workers.address)
    assert home.keys() == away.keys() and len(home) >= 1
    assert all(home[name] == away[name] for name in home)


@pytest.mark.slow
def test_a_summary_and_json_are_the_same(files: Path, workers: Workers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(files)
    # What is not asked for is computed and counted nowhere.
    only = ["sum(x/0*x)", "x=x.npy", "--only"]
    for words in (
        ["x*sum(x)", "x=x.npy", "--no-grad"],
        ["sum(x*x)", "x=x.npy", "--no-grad", "--json"],
        [*only, "value"],
        [*only, "x.grad"],
        ["sum(x/0*x)", "x=x.npy", "--show", "graph"],
    ):
        here = call(monkeypatch, "eval", *words)
        there = call(monkeypatch, "eval", *words, "--scheduler", workers.address.removeprefix("tcp://"))
        assert here.code == 0 and there == here


@pytest.mark.slow
@pytest.mark.parametrize(
    "more", [(), ("--fail-on-nan",), ("-o", "value=v.npy"), ("-o", "value=v.npy", "--fail-on-nan")]
)
def test_infinities_are_counted_there_too(
    more: tuple[str, ...], files: Path, workers: Workers, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ("eval", "x/0", f"x={files / 'x.npy'}", "--no-grad", *more)
    done = call(monkeypatch, *words, "--scheduler", workers.address)
    assert done == call(monkeypatch, *words)
    assert "value holds " in done.err if more else done.code == 0
    assert Path("v.npy").exists() == (more == ("-o", "value=v.npy"))


@pytest.mark.slow
def test_standard_input_and_processes_of_its_own(files: Path, tmp_path: Path) -> None:
    """What only the client can read is sent; `local:2` needs no cluster."""
    for name, more in (("home", ""), ("away", "--scheduler local:2")):
        done = shell(f"$G eval 'sum(x*x)' x=@- {more} -q -o {tmp_path / name}/ < {files / 'x.npy'}")
        assert (done.code, done.err) == (0, "")
    for name in ("value.npy", "x.grad.npy"):
        assert (tmp_path / "home" / name).read_bytes() == (tmp_path / "away" / name).read_bytes()


def _request(path: Path) -> tuple[Request, dict[str, FileArray]]:
    opened = open_array(str(path))
    assert isinstance(opened, FileArray)
    form = InputSpec("x", opened.shape, opened.dtype)
    return prepare(parse("sum(exp(-x*x)*tanh(x))"), [form], None, False), {"x": opened}


def _run(address: str, path: Path, out: Path, told: Any, patience: float = 15.0) -> bytes:
    """The value, and the gradient in a file, through the library; `told` is called after each part."""
    request, inputs = _request(path)
    compiled = Compiled(request, frozenset(request.leaves.values()), streamed=frozenset([1]))
    with connected(address, patience=patience) as met, streaming([(str(out), *_form(request))]) as sinks:
        dealer = Dealer(met, request.recipe(None), compiled.program, inputs, frozenset([1]))
        value = compiled.run(inputs, sinks={1: sinks[0]}, progress=told, runner=dealer)[0]
    return bytes(value.tobytes())


def _form(request: Request) -> Any:
    return request.roots[1].shape, request.roots[1].dtype


@pytest.mark.slow
def test_a_killed_worker_costs_a_retry(files: Path, tmp_path: Path) -> None:
    with cluster(tmp_path / "cluster", 2) as workers:
        killed: list[int] = []

        def told(done: int, total: int) -> None:
            if not killed and done < total:
                victim = workers.processes[1]
                killed.append(victim.pid)
                victim.kill()

        value = _run(workers.address, files / "x.npy", tmp_path / "away.npy", told)
        assert killed
    request, inputs = _request(files / "x.npy")
    expected = Compiled(request).run({"x": inputs["x"].load()})
    assert value == expected[0].tobytes()
    assert np.load(tmp_path / "away.npy").tobytes() == expected[1].tobytes()


@pytest.mark.slow
def test_when_all_workers_are_gone(files: Path, tmp_path: Path) -> None:
    with cluster(tmp_path / "cluster", 1) as workers:
        with pytest.raises(WorkError, match="all workers of .* are gone"):
            _run(workers.address, files / "x.npy", tmp_path / "x.npy", lambda *_: workers.processes[1].kill(), 0.5)
        assert not (tmp_path / "x.npy").exists() and not list(tmp_path.glob(".gradcli*"))


@pytest.mark.slow
def test_when_the_scheduler_is_gone(files: Path, tmp_path: Path) -> None:
    with cluster(tmp_path / "cluster", 1) as workers:
        with pytest.raises(WorkError, match="the connection to the scheduler .* is lost"):
            _run(workers.address, files / "x.npy", tmp_path / "x.npy", lambda *_: workers.processes[0].kill(), 0.5)
        assert not list(tmp_path.glob("*.npy")) and not list(tmp_path.glob(".gradcli*"))


@pytest.mark.slow
def test_another_version_is_an_error(files: Path, tmp_path: Path) -> None:
    home = tmp_path / "other"
    shutil.copytree(Path(gradcli.__file__).parent, home / "gradcli", ignore=shutil.ignore_patterns("__pycache__"))
    module = home / "gradcli" / "__init__.py"
    module.write_text(module.read_text().replace(f'__version__ = "{gradcli.__version__}"', '__version__ = "9.9"'))
    with cluster(tmp_path / "cluster", 0) as workers:
        workers.add(home)
        workers.wait()
        with pytest.raises(WorkError, match=f"has gradcli 9.9, the client has gradcli {gradcli.__version__}"):
            _run(workers.address, files / "x.npy", tmp_path / "x.npy", None)


@pytest.mark.slow
def test_a_file_that_changes_is_an_error(files: Path, workers: Workers, tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    np.save(path, np.zeros(17_600_000, np.float32))
    request, inputs = _request(path)
    program = plan(request.roots, files=frozenset(request.leaves.values()))
    leaves = [leaf.params["value"] if leaf.op is CONSTANT else inputs["x"] for leaf in program.leaves]
    with connected(workers.address) as met:
        dealer = Dealer(met, request.recipe(None), program, inputs, frozenset())
        os.utime(path, ns=(1, 1))
        with pytest.raises(WorkError, match="a worker sees another file at"):
            run(program, leaves, runner=dealer)
        # Under its name is another one before the run: the data comes from the file that was opened.
        np.save(tmp_path / "other.npy", np.ones(3))
        os.replace(tmp_path / "other.npy", path)
        dealer = Dealer(met, request.recipe(None), program, inputs, frozenset())
        assert dealer.origins == {}
        assert run(program, leaves, runner=dealer)[0] == 0


@pytest.mark.parametrize(
    ("address", "code", "message"),
    [
        ("local:0", 2, "there cannot be 0 worker processes"),
        ("local:many", 2, "'local:many' is not the address of a scheduler"),
        ("here", 2, "'here' is not the address of a scheduler"),
        ("", 2, "'' is not the address of a scheduler"),
        ("local:99999999999", 2, "'local:99999999999' is not the address of a scheduler"),
        ("ws://127.0.0.1:{port}", 1, "cannot reach the scheduler ws://127.0.0.1:{port}: Connection refused"),
        ("http://127.0.0.1:{port}", 2, "'http://127.0.0.1:{port}' is not the address of a scheduler"),
        ("inproc://127.0.0.1:1", 2, "'inproc://127.0.0.1:1' is not the address of a scheduler"),
        ("tcp://127.0.0.1:65536", 2, "'tcp://127.0.0.1:65536' is not the address of a scheduler"),
        ("tcp://\udcff:1", 1, "cannot reach the scheduler tcp://?:1: no machine can have this name"),
        ("tcp://127.0.0.1:{port}", 1, "cannot reach the scheduler tcp://127.0.0.1:{port}: Connection refused"),
        ("nowhere.invalid:8786", 1, "cannot reach the scheduler tcp://nowhere.invalid:8786"),
    ],
)
def test_bad_addresses(address: str, code: int, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # A port that nobody listens at, nor can meanwhile.
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = str(bound.getsockname()[1])
        done = call(monkeypatch, "eval", "sum(x)", "x=ones(3)", "--scheduler", address.replace("{port}", port))
    assert (done.code, done.out) == (code, "")
    assert done.err.startswith(f"gradcli: {message.replace('{port}', port)}") and "hint: " in done.err


@contextmanager
def _peer(greeting: bytes | None) -> Iterator[str]:
    """Somebody who accepts connections: says so much to each, or ends it with None."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        taken: list[socket.socket] = []

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    taken.append(listener.accept()[0])
                    if greeting is None:
                        taken.pop().close()
                    else:
                        taken[-1].sendall(greeting)

        thread = threading.Thread(target=accept)
        thread.start()
        yield f"tcp://127.0.0.1:{listener.getsockname()[1]}"
        # Closing alone would leave the thread waiting.
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
        for one in taken:
            one.close()


@pytest.mark.parametrize(
    ("greeting", "seconds", "reason"),
    [
        (b"", 1, "it does not answer within 1 seconds"),
        # Those that answer have time to: on a busy machine the client itself may need a second to begin.
        (
            b"HTTP/1.1 400 Bad Request\r\n\r\n" * 9,
            60,
            "what answers there is not a Dask scheduler of a compatible version",
        ),
        (None, 60, "it closed the connection"),
    ],
    ids=["silent", "foreign", "closing"],
)
def test_peers_that_are_no_scheduler(greeting: bytes | None, seconds: int, reason: str, tmp_path: Path) -> None:
    program = f"import sys, gradcli.cluster.scheduler as s; s._CONNECT = {seconds}.0\n"
    program += "from gradcli.cli.main import run; run(sys.argv[1:])"
    with _peer(greeting) as address:
        words = ["eval", "sum(x)", "x=1", "--scheduler", address]
        command = [sys.executable, "-c", program, *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment(), check=False)
    assert done.stdout == ""
    assert done.stderr.splitlines()[0] == f"gradcli: cannot reach the scheduler {address}: {reason}"
    assert len(done.stderr.splitlines()) == 2


@pytest.mark.slow
def test_a_scheduler_that_dies_is_told_in_two_lines(files: Path, tmp_path: Path) -> None:
    with cluster(tmp_path / "cluster", 1) as workers:
        # Far from done when its first numbers are there.
        words = ["eval", f"y = x; {'y = erf(y); ' * 60}sum(y)", f"x={files / 'x.npy'}", "-o", "x.grad=out.npy"]
        running = subprocess.Popen(
            [*COMMAND, *words, "--scheduler", workers.address], cwd=tmp_path, env=environment(), stdout=-1, stderr=-1
        )
        _await_numbers(running, tmp_path)
        # It computes, and is not done before it is missed.
        workers.processes[1].send_signal(signal.SIGSTOP)
        assert running.poll() is None
        workers.processes[0].kill()
        out, err = running.communicate(timeout=PATIENCE)
    assert (running.returncode, out) == (1, b"")
    assert err.decode() == (
        f"gradcli: the connection to the scheduler {workers.address} is lost\nhint: nothing has been written\n"
    )
    assert not (tmp_path / "out.npy").exists()


def _await_numbers(running: subprocess.Popen[bytes], folder: Path) -> None:
    """Wait until the first results are in a temporary file."""
    end = time.monotonic() + PATIENCE
    while not any(_number_in(path) not in (b"", bytes(4)) for path in folder.rglob(".gradcli-*.tmp")):
        assert running.poll() is None and time.monotonic() < end, running.communicate()
        time.sleep(0.002)


def _number_in(path: Path) -> bytes:
    with open(path, "rb") as file:
        file.seek(1024)
        return file.read(4)


def test_certificates_that_are_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import dask

    done = call(monkeypatch, "eval", "sum(x)", "x=1", "--scheduler", "tls://127.0.0.1:8786")
    assert (done.code, done.out) == (2, "")
    assert "tls://127.0.0.1:8786 needs certificates" in done.err and "DASK_DISTRIBUTED__COMM__TLS__CA_FILE" in done.err
    (tmp_path / "broken.pem").write_text("no certificate")
    for name in ("missing.pem", "broken.pem"):
        path = str(tmp_path / name)
        settings = {f"distributed.comm.tls.{name}": path for name in ("ca-file", "client.cert", "client.key")}
        with dask.config.set(settings):
            done = call(monkeypatch, "eval", "sum(x)", "x=1", "--scheduler", "tls://127.0.0.1:8786")
        assert done.code == 1 and "cannot read the certificates for tls://127.0.0.1:8786" in done.err


@pytest.mark.slow
def test_local_workers_are_for_nobody_else() -> None:
    """Loopback only, no HTTP, and who has no key of this run is turned away."""
    import psutil
    from distributed import Client
    from distributed.security import Security

    before = set(_listening(psutil.Process()))
    with connected("local:2") as met:
        # Other tests have workers of their own.
        module = "gradcli.cluster.local_worker"
        children = [each for each in psutil.Process().children() if module in each.cmdline()]
        addresses = [set(_listening(child)) for child in children]
        assert len(children) == 2 and all(len(found) == 1 for found in addresses)
        scheduler = set(_listening(psutil.Process())) - before
        assert len(scheduler) == 1
        everyone = set.union(scheduler, *addresses)
        assert {host for host, _ in everyone} == {"127.0.0.1"}
        for _, port in everyone:
            for address, keys in ((f"tcp://127.0.0.1:{port}", None), (f"tls://127.0.0.1:{port}", Security.temporary())):
                with pytest.raises(OSError):
                    Client(address, security=keys, timeout=2, set_as_default=False)
        assert met.client.submit(sum, (1, 2)).result() == 3


def _listening(process: Any) -> list[tuple[str, int]]:
    return [tuple(each.laddr) for each in process.net_connections("inet") if each.status == "LISTEN"]


@pytest.mark.slow
def test_local_workers_end_with_the_command(files: Path, tmp_path: Path) -> None:
    import psutil

    words = ["eval", "sum(sin(exp(x))*erf(x))", f"x={files / 'x.npy'}", "--scheduler", "local:1"]
    running = subprocess.Popen([*COMMAND, *words], cwd=tmp_path, env=environment(), stdout=-1, stderr=-1)
    end = time.monotonic() + PATIENCE
    while not (children := psutil.Process(running.pid).children()) and time.monotonic() < end:
        time.sleep(0.01)
    running.kill()
    running.communicate()
    assert children and not psutil.wait_procs(children, timeout=PATIENCE)[1]


@pytest.mark.slow
def test_an_interrupt_leaves_nothing_behind(files: Path, tmp_path: Path) -> None:
    words = ["eval", "sin(exp(x))*erf(x)", f"x={files / 'x.npy'}", "--grad-output", "1", "-o", "out/"]
    words += ["--scheduler", "local:1", "--no-progress"]
    running = subprocess.Popen(
        [*COMMAND, *words], cwd=tmp_path, env=environment(), stdout=-1, stderr=-1, start_new_session=True
    )
    # The folder is there as soon as the work begins.
    end = time.monotonic() + PATIENCE
    while not any("tmp" in name for name in leftovers(tmp_path)) and time.monotonic() < end:
        time.sleep(0.01)
    time.sleep(0.5)
    os.killpg(running.pid, signal.SIGINT)
    out, err = running.communicate(timeout=PATIENCE)
    assert (running.returncode, out, err) == (130, b"", b"")
    assert leftovers(tmp_path) == []


def test_an_interrupt_while_dask_is_loaded_waits_for_that(files: Path, tmp_path: Path) -> None:
    modules = tmp_path / "modules"
    modules.mkdir()
    text = "import os, signal\nos.kill(os.getpid(), signal.SIGINT)\nopen('loaded', 'x').close()\n"
    (modules / "distributed.py").write_text(text)
    words = ["eval", "exp(x)", f"x={files / 'x.npy'}", "-o", "out/", "--scheduler", "local:1"]
    path = os.pathsep.join([str(modules), environment()["PYTHONPATH"]])
    done = subprocess.run(
        [*COMMAND, *words], cwd=tmp_path, env=environment(PYTHONPATH=path), capture_output=True, timeout=PATIENCE
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["loaded", "modules"]


@pytest.mark.parametrize(
    "array",
    [
        np.arange(24.0).reshape(4, 6),
        np.arange(24.0).reshape(4, 6).T,
        np.broadcast_to(np.arange(6.0), (4, 6)),
        np.arange(24.0).reshape(4, 6)[::-1, ::2],
        np.asfortranarray(np.arange(24, dtype=np.int8).reshape(2, 3, 4)),
        np.array(3.0),
        np.zeros((0, 3)),
    ],
    ids=["rows", "transposed", "broadcast", "reversed", "Fortran", "number", "empty"],
)
def test_pieces_keep_their_layout(array: Any) -> None:
    whole = placed(piece_of(array))
    assert whole.strides == array.strides and whole.dtype == array.dtype and np.array_equal(whole, array)
    for axis in range(array.ndim):
        n = array.shape[axis]
        piece = piece_of(array, axis, n // 3, n - n // 3)
        part = (slice(None),) * axis + (slice(n // 3, n - n // 3),)
        assert placed(piece).strides == array.strides
        assert np.array_equal(placed(piece)[part], array[part])


def test_plans_are_told_apart() -> None:
    def digest(text: str, size: int = 100_000, packed: bool = True) -> str:
        form = InputSpec("x", (size, 2), np.dtype("float32"), packed)
        return fingerprint(plan(prepare(parse(text), [form], None, False).roots))

    assert digest("sum(x*2)") == digest("sum(x*2)")
    others = [digest("sum(x*3)"), digest("sum(x*2, 0)[0]"), digest("sum(x*2)", 100_001), digest("mean(x*2)")]
    assert len({digest("sum(x*2)"), *others}) == 5


def test_results_of_a_folder_out_of_sight_are_sent(tmp_path: Path) -> None:
    sent: list[Any] = []
    place = SharedFile(str(tmp_path / "missing"), 40, 0, (10,), "float32")
    _Sent(7, Results((place,)), sent).write(0, 2, np.ones(3, np.float32))
    assert [(number, axis, start, block.tolist()) for number, axis, start, block in sent] == [(7, 0, 2, [1, 1, 1])]


def test_narrow_columns_are_sent(tmp_path: Path) -> None:
    """Between them lies what other workers write: only the client can put them in their places."""
    sent: list[Any] = []
    with streaming([(str(tmp_path / "x.npy"), (4, 6), np.dtype("float32"))]) as (sink,):
        away = _Sent(1, Results((sink.place,)), sent)
        away.write(1, 2, np.ones((4, 3), np.float32))
        assert [(axis, start, block.shape) for _, axis, start, block in sent] == [(1, 2, (4, 3))]
        away.write(0, 1, np.full((2, 6), 7, np.float32))
        assert len(sent) == 1
        sink.write(1, 2, sent[0][3])
    written = np.load(tmp_path / "x.npy")
    assert written[1].tolist() == [7, 7, 1, 1, 1, 7] and written[0].tolist() == [0, 0, 1, 1, 1, 0]


class Later:
    """A result that takes so many seconds to be fetched, each time anew."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.given: list[float] = []

    def result(self, timeout: float) -> str:
        self.given.append(timeout)
        if timeout < self.seconds:
            raise TimeoutError
        return "done"

    def release(self) -> None:
        pass


class Client:
    """As much of Dask's as is asked for."""

    status = "running"

    def __init__(self, *futures: Later) -> None:
        self.workers: dict[str, int] = {"tcp://worker": 1}
        self._futures = list(futures)

    def nthreads(self, callback_timeout: float) -> dict[str, int]:
        return self.workers

    def submit(self, *words: Any, pure: bool) -> Later:
        return self._futures.pop(0)


def test_a_result_that_takes_its_time_to_be_fetched_is_given_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduler, "_finished", lambda cluster, running: running)
    slow, fast = Later(3.0), Later(0.5)
    held = scheduler.Cluster(Client(slow, fast), "here", 15.0, "nothing")
    work = iter([("slow", (sum,)), ("fast", (sum,))])
    assert list(scheduler.dealt(held, work, lambda: 1, lambda: False)) == [("slow", "done"), ("fast", "done")]
    assert (slow.given, fast.given) == ([1.0, 2.0, 4.0], [1.0])


def test_workers_are_given_up_when_they_have_been_missed_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(scheduler.time, "monotonic", lambda: now[0])
    client = Client()
    held = scheduler.Cluster(client, "here", 15.0, "two items are kept")
    assert held.threads() == 1
    # Nobody has asked meanwhile, and the only one has just gone.
    client.workers = {}
    now[0] += 60
    assert held.threads() == 0
    client.workers = {"tcp://another": 2}
    now[0] += 14
    assert held.threads() == 2
    client.workers = {}
    now[0] += 14
    assert held.threads() == 0
    now[0] += 16
    with pytest.raises(WorkError, match="all workers of here are gone") as caught:
        held.threads()
    assert caught.value.hint == "lack of memory is the usual reason; two items are kept"
    client.status = "connecting"
    with pytest.raises(WorkError, match="the connection to the scheduler here is lost") as caught:
        held.threads()
    assert caught.value.hint == "two items are kept"


def test_where_only_the_engine_is_another_one_there_is_a_way_out() -> None:
    ours, machine = facts(engine_in_use(), False)
    client, way_out = Client(), "or compute with --engine numpy"
    for found, helps in (((*ours[:-1], ("the engine", "none")), True), ((("gradcli", "9"), *ours[1:]), False)):
        client.run = lambda *words, found=found, **options: {"tcp://a": (found, machine)}  # type: ignore[attr-defined]
        with pytest.raises(WorkError, match="the worker tcp://a has ") as caught:
            scheduler.Cluster(client, "here", 15.0, "nothing").check()
        assert (way_out in str(caught.value.hint)) == helps


def test_whoever_is_stopped_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that does nothing keeps its connections: nothing but time tells."""
    with cluster(tmp_path, 1) as there, connected(there.address) as held:
        monkeypatch.setattr(scheduler, "_SILENCE", 1.0)
        for process, message in zip(there.processes[::-1], ("not all workers of .* answer", "lost"), strict=True):
            process.send_signal(signal.SIGSTOP)
            with pytest.raises(WorkError, match=message):
                _ = held.check() if process is not there.processes[0] else held.threads()
            process.send_signal(signal.SIGCONT)


def test_a_worker_that_dies_before_it_has_answered_is_not_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    from distributed.comm import CommClosedError

    there = facts(scheduler.engine_in_use(), True)
    answers = [{"tcp://a": there, "tcp://b": CommClosedError("Stream is closed")}, {"tcp://a": there}]
    client = Client()
    client.run = lambda question, *words, on_error, callback_timeout: answers.pop(0)  # type: ignore[attr-defined]
    scheduler.Cluster(client, "here", 15.0, "nothing").check()
    assert answers == []
    answers += [{"tcp://a": there, "tcp://b": CommClosedError("Stream is closed")}]
    with pytest.raises(WorkError, match="the worker tcp://b: CommClosedError: Stream is closed"):
        scheduler.Cluster(client, "here", 0.0, "nothing").check()


def test_what_several_threads_ask_for_at_once_is_made_once() -> None:
    made: list[int] = []
    all_here = threading.Barrier(4)

    def make(asked: int) -> list[int]:
        made.append(asked)
        time.sleep(0.02)
        return [asked]

    def ask(_: int) -> list[int]:
        all_here.wait()
        return once(7)

    once = kept(2, make)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(ask, range(4)))
    assert made == [7] and all(each is found[0] for each in found)


def test_settings_that_dask_cannot_read_are_told(tmp_path: Path) -> None:
    (tmp_path / "dask.yaml").write_text("{{{")
    done = process("eval", "sum(x)", "x=ones(3)", "--scheduler", "local:1", DASK_CONFIG=str(tmp_path))
    assert (done.code, done.out) == (1, "") and done.err.startswith("gradcli: cannot load Dask: A dask config file at ")
    assert done.err.count("\n") == 1


def test_dask_is_named_when_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "distributed", None)
    with pytest.raises(GradcliError) as caught, connected("local:2"):
        pass
    assert caught.value.hint == 'pip install "gradcli[dask]"'
