"""Arrays behind URLs: read by ranges, written whole or not at all."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from gradcli.errors import GradcliError, WorkError
from gradcli.storage import FileArray, load, look_at, open_array, save_all, streaming
from gradcli.storage.remote import RemoteFile
from tests.command import call, leftovers, process


@pytest.fixture
def store() -> Iterator[Any]:
    """fsspec's file system in memory, emptied afterwards."""
    system = fsspec.filesystem("memory")
    yield system
    for name in system.find("/"):
        system.rm_file(name)


def _put(store: Any, name: str, array: Any) -> None:
    with store.open(name, "wb") as file:
        np.save(file, array)


def _get(store: Any, name: str) -> Any:
    with store.open(name, "rb") as file:
        return np.load(file)


@pytest.mark.parametrize("dtype", ["<f4", ">f8", "<i2", "|b1"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_are_read(store: Any, dtype: str, order: Any) -> None:
    array = np.asarray(np.arange(60).reshape(4, 15) % 7, dtype, order=order)
    _put(store, "a/x.npy", array)
    read = load("memory://a/x.npy")
    assert np.array_equal(read, array) and read.dtype == array.dtype.newbyteorder("=")
    assert look_at("memory://a/x.npy").shape == (4, 15)


def test_archives_are_read(store: Any) -> None:
    with store.open("a/z.npz", "wb") as file:
        np.savez_compressed(file, x=np.arange(5), y=np.ones(2))
    assert load("memory://a/z.npz:x").tolist() == [0, 1, 2, 3, 4]
    with pytest.raises(GradcliError, match="holds several arrays: x, y"):
        load("memory://a/z.npz")


def test_other_formats_are_read_and_written(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """URLs are no different from paths, but that what lies in a safetensors file is fetched as a whole."""
    array = np.arange(12.0).reshape(4, 3) / 8
    for name in ("x.csv", "x.json", "x.safetensors", "x.npz"):
        save_all([(f"memory://a/{name}", array)])
        assert np.array_equal(load(f"memory://a/{name}"), array)
        assert look_at(f"memory://a/{name}").shape == (4, 3)
    assert load("memory://a/x.csv:1").tolist() == array[:, 1].tolist()
    store.pipe("a/x.csv.gz", gzip.compress(b"u,v\n1,2\n3,4\n"))
    done = call(monkeypatch, "eval", "sum(x)", "x=memory://a/x.csv.gz:v", "--no-grad")
    assert (done.code, done.out, done.err) == (0, "tensor(6)\n", "")
    store.pipe("a/bad.csv", b"1\nx\n")
    done = call(monkeypatch, "eval", "sum(x)", "x=memory://a/bad.csv")
    assert done.err == "gradcli: memory://a/bad.csv, line 2, column 1: 'x' is not a number\n"
    assert call(monkeypatch, "eval", "x", "x=memory://a/x.pkl").code == 1


def test_large_arrays_stay_where_they_are(store: Any) -> None:
    array = np.arange(18_000_000, dtype=np.float32).reshape(3000, 6000)
    _put(store, "x.npy", array)
    opened = open_array("memory://x.npy")
    assert isinstance(opened, FileArray)
    out = np.empty((3000, 7), np.float32)
    opened.read(1, 5990, 5997, out)
    assert np.array_equal(out, array[:, 5990:5997])
    assert np.array_equal(opened[2990:, 3], array[2990:, 3])
    threads = [
        threading.Thread(target=lambda k=k: results.append(opened[k * 300 : k * 300 + 300].sum())) for k in range(10)
    ]
    results: list[Any] = []
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == sorted(array[k * 300 : k * 300 + 300].sum() for k in range(10))
    origin = opened.origin()
    assert origin is not None and origin.path == "memory://x.npy" and origin.stamp[0] == array.nbytes + 128


def test_neighbours_are_fetched_together() -> None:
    """A request is made for a segment, not for each block, and only once by threads that need the same one."""

    class Counting(MemoryFileSystem):  # type: ignore[misc]
        requests = 0
        cachable = False

        def cat_file(self, *args: Any, **keywords: Any) -> bytes:
            type(self).requests += 1
            return bytes(super().cat_file(*args, **keywords))

    system = Counting()
    system.pipe_file("/counted", bytes(range(256)) * 50_000)
    file = RemoteFile(system, "/counted")
    block = bytearray(1000)
    for position in range(0, 12_000_000, 100_000):
        file.read(memoryview(block), position)
        assert block[0] == position % 256
    assert Counting.requests == 2
    with pytest.raises(EOFError):
        file.read(memoryview(block), 256 * 50_000 - 10)
    system.rm_file("/counted")


def test_an_object_that_shrinks(store: Any) -> None:
    _put(store, "x.npy", np.zeros(18_000_000, np.float32))
    opened = open_array("memory://x.npy")
    _put(store, "x.npy", np.zeros(10, np.float32))
    with pytest.raises(WorkError, match="is truncated"):
        opened[17_000_000:]


def test_the_command_reads_and_writes(store: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _put(store, "in/x.npy", np.arange(4, dtype=np.float32))
    words = ["eval", "sum(x**2)", "x=memory://in/x.npy", "-o", "x.grad=memory://out/g.npy", "-o", f"file://{tmp_path}/"]
    done = call(monkeypatch, *words)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("tensor(14., grad_fn=<SumBackward0>)")
    assert _get(store, "out/g.npy").tolist() == [0, 2, 4, 6]
    assert leftovers(tmp_path) == ["value.npy", "x.grad.npy"]
    assert call(monkeypatch, "eval", "x+1", f"x=file://{tmp_path}/value.npy", "--no-grad").out == "tensor(15.)\n"


def test_large_results_are_sent(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    array = np.linspace(-1, 1, 18_000_000, dtype=np.float32)
    _put(store, "x.npy", array)
    done = call(monkeypatch, "eval", "x*2", "x=memory://x.npy", "--no-grad", "-q", "-o", "memory://results/")
    assert (done.code, done.out, done.err) == (0, "", "")
    assert np.array_equal(_get(store, "results/value.npy"), array * 2)


class _Failing(MemoryFileSystem):  # type: ignore[misc]
    """A store that breaks down when the object `bad` is written."""

    protocol = "failing"
    store: dict[str, Any] = {}
    pseudo_dirs: list[str] = [""]

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return str(super()._strip_protocol(path.removeprefix("failing://")))

    def _open(self, path: str, mode: str = "rb", **keywords: Any) -> Any:
        if mode == "wb" and "bad" in path:
            raise RuntimeError("the store is on fire\nreally")
        return super()._open(path, mode, **keywords)


def test_all_or_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "spool"))
    monkeypatch.setattr("tempfile.tempdir", None)
    (tmp_path / "spool").mkdir()
    fsspec.register_implementation("failing", _Failing, clobber=True)
    local = tmp_path / "local.npy"
    array = np.ones(3)
    with pytest.raises(WorkError, match="cannot write failing://bad.npy: the store is on fire") as caught:
        save_all([(str(local), array), ("failing://good.npy", array), ("failing://bad.npy", array)])
    assert "\n" not in caught.value.message
    assert not _Failing.store and leftovers(tmp_path) == ["spool"]
    with pytest.raises(KeyboardInterrupt), streaming([("failing://good.npy", (3,), np.dtype("f4"))]):
        raise KeyboardInterrupt
    assert not _Failing.store and leftovers(tmp_path) == ["spool"]
    save_all([(str(local), array), ("failing://good.npy", array)])
    assert list(_Failing.store) == ["/good.npy"] and leftovers(tmp_path) == ["local.npy", "spool"]


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["x=memory://none/x.npy"], 1, "cannot read memory://none/x.npy: no such object"),
        (["x=memory://"], 2, "memory:// is not the URL of one object"),
        (["x=what://a/x.npy"], 2, "what:// is not a scheme that fsspec knows"),
        (["x=zip://a.npy::memory://x.zip"], 2, "zip://a.npy::memory://x.zip is not the URL of one object"),
        (["x=ones(3)", "-o", "value=what://a/x.npy"], 2, "what:// is not a scheme that fsspec knows"),
        (["x=ones(3)", "-o", "value=memory://a/"], 2, "memory://a/ names a folder"),
        (["x=@memory://junk"], 1, "memory://junk is not a .npy file"),
        (["x=@memory://short"], 1, "memory://short is truncated: "),
    ],
)
def test_bad_urls(words: list[str], code: int, message: str, store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    store.pipe_file("/junk", b"something else")
    _put(store, "/short", np.arange(100))
    store.pipe_file("/short", store.cat_file("/short")[:-1])
    done = call(monkeypatch, "eval", "sum(x)", *words)
    assert (done.code, done.out) == (code, "")
    assert done.err.startswith(f"gradcli: {message}")


def test_fsspec_is_named_when_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "fsspec.core", None)
    done = call(monkeypatch, "eval", "x", "x=s3://bucket/x.npy")
    assert done.code == 2
    assert done.err.splitlines()[-1] == 'hint: pip install "gradcli[remote]"'


def test_a_url_that_nobody_answers(tmp_path: Path) -> None:
    """A process of its own, which has not loaded fsspec before."""
    done = process("eval", "sum(x)", "x=memory://nothing.npy")
    assert (done.code, done.out, done.err) == (1, "", "gradcli: cannot read memory://nothing.npy: no such object\n")
