"""Arrays in files, block by block: read by FileArray, written by Sink, and what Edges keeps of a result."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gradcli.errors import GradcliError, WorkError
from gradcli.machine.limits import LARGE
from gradcli.storage import Edges, FileArray, can_stream, load, open_array, save, streaming
from gradcli.storage import boxes as boxes_module
from gradcli.storage import file_array as file_array_module
from gradcli.storage import file_sink as sink_module
from gradcli.storage.file_array import Descriptor
from gradcli.storage.header import parse_header
from tests.storage_support import DTYPES, SHAPES, failure, npy, numbers, run, same
from tests.storage_support import own_directory as own_directory

ANY = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
FORMS = st.tuples(
    st.lists(st.integers(0, 7), max_size=4).map(tuple),
    st.sampled_from(DTYPES),
    st.sampled_from("CF"),
    st.sampled_from("<>"),
)


def opened(path: str) -> FileArray:
    """A file in blocks however small it is."""
    with open(path, "rb") as file:
        return FileArray(Descriptor(os.dup(file.fileno())), parse_header(file, path))


def stored(shape: tuple[int, ...], dtype: str, order: str = "C", endian: str = "<") -> tuple[np.ndarray, FileArray]:
    """An array, and the same in a file."""
    array = numbers(shape, dtype)
    np.save("a.npy", np.asarray(array, order=order).astype(np.dtype(dtype).newbyteorder(endian)))  # type: ignore[call-overload]
    return array, opened("a.npy")


def part(array: np.ndarray, axis: int, start: int, stop: int) -> np.ndarray:
    return array[(slice(None),) * axis + (slice(start, stop),)] if array.ndim else array


def cuts(draw: st.DrawFn, length: int) -> list[tuple[int, int]]:
    """A dimension cut into consecutive ranges."""
    places = sorted(draw(st.lists(st.integers(0, length), max_size=4)))
    return list(zip([0, *places], [*places, length], strict=True))


@pytest.fixture
def small_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    """Transfers so small that every way of moving data is taken by tensors of a few elements."""
    for name, size in {"_CHUNK": 64, "_STAGE": 48, "NEAR": 16, "_PACKED": 96, "_FEW": 2}.items():
        monkeypatch.setattr(boxes_module, name, size)
    for name, size in {"NEAR": 16, "_MOST_AT_ONCE": 48}.items():
        monkeypatch.setattr(file_array_module, name, size)


# FileArray ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("endian", ["<", ">"])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_what_a_file_array_is(dtype: str, order: str, endian: str) -> None:
    for shape in SHAPES:
        array, file = stored(shape, dtype, order, endian)
        assert (file.shape, file.dtype, file.ndim, file.size) == (shape, array.dtype, array.ndim, array.size)
        assert (file.nbytes, file.path, file.dtype.isnative) == (array.nbytes, "a.npy", True)
        assert file.c_contiguous == np.load("a.npy").flags.c_contiguous
        assert same(file.load(), array) and same(file[...], array)
        assert repr(file) == f"FileArray('a.npy', shape={shape}, dtype={dtype})"
        if file.c_contiguous:
            assert same(file.flat()[:], array.reshape(-1))
            assert same(file.view((array.size, 1))[:, 0], array.reshape(-1))


@ANY
@given(FORMS, st.data())
def test_blocks_along_any_axis(small_stage: None, form: tuple, data: st.DataObject) -> None:
    array, file = stored(*form)
    axis = data.draw(st.integers(0, max(0, array.ndim - 1)))
    for start, stop in cuts(data.draw, array.shape[axis] if array.ndim else 1):
        expected = part(array, axis, start, stop)
        if array.ndim == 0 and start == stop:
            continue
        # Rows innermost, as the engine lays out narrow blocks, is a layout of its own.
        layouts = [np.empty(expected.shape, array.dtype, order=order) for order in "CF"]  # type: ignore[call-overload]
        if array.ndim:
            turned = (*expected.shape[1:], expected.shape[0])
            layouts.append(np.moveaxis(np.empty(turned, array.dtype), -1, 0))
            layouts.append(np.empty((*expected.shape[:-1], 2 * expected.shape[-1]), array.dtype)[..., ::2])
        for out in layouts:
            file.read(axis, start, stop, out)
            assert same(out, expected)


@ANY
@given(FORMS, st.data())
def test_rows_here_and_there(small_stage: None, form: tuple, data: st.DataObject) -> None:
    array, file = stored(*form)
    if array.ndim:
        most = array.shape[0]
        chosen = np.array(sorted(data.draw(st.sets(st.integers(0, most - 1)) if most else st.just(set()))), np.int64)
        assert same(file.rows(chosen), array[chosen])


def test_of_a_large_file_only_the_rows_that_are_asked_for_are_read() -> None:
    array, file = stored((4096, 1024), "float32")
    read: list[int] = []

    class Counting(Descriptor):
        def read(self, data: memoryview, position: int) -> None:
            read.append(data.nbytes)
            super().read(data, position)

    with open("a.npy", "rb") as source:
        file._source = Counting(os.dup(source.fileno()))
    chosen = np.array([0, 1, 2000, 2002, 4095])
    assert same(file.rows(chosen), array[chosen])
    # Row 2001 comes along with its neighbours.
    assert read == [2 * 4096, 3 * 4096, 4096]


@ANY
@given(FORMS, st.data())
def test_indices(small_stage: None, form: tuple, data: st.DataObject) -> None:
    array, file = stored(*form)
    key: list[object] = []
    for n in array.shape[: data.draw(st.integers(0, array.ndim))]:
        low, high = sorted(data.draw(st.lists(st.integers(-n - 1, n + 1), min_size=2, max_size=2)))
        choices: list[object] = [slice(low, high), slice(None, high), slice(None)]
        key.append(data.draw(st.sampled_from([*choices, *range(-n, n)])))
    if data.draw(st.booleans()):
        key.insert(data.draw(st.integers(0, len(key))), ...)
        if len(key) - 1 < array.ndim:
            key = key[: key.index(...) + 1]
    assert same(np.asarray(file[tuple(key)]), np.asarray(array[tuple(key)]))


@given(form=FORMS, data=st.data())
@ANY
def test_parts_and_parts_of_these(small_stage: None, form: tuple, data: st.DataObject) -> None:
    """What steps and single places show, in blocks along any axis and as a whole."""
    array, file = stored(*form)
    for _ in range(data.draw(st.integers(1, 3))):
        dims: list[tuple[int, int, int]] = []
        places: list[tuple[int, int]] = []
        index: list[int | slice] = []
        for d, n in enumerate(array.shape):
            if n and data.draw(st.booleans()):
                places.append((d, data.draw(st.integers(0, n - 1))))
                index.append(places[-1][1])
                continue
            start, step = data.draw(st.integers(0, n)), data.draw(st.integers(1, 3))
            dims.append((d, start, step))
            index.append(slice(start, data.draw(st.integers(start, n)), step))
        array = array[(*index, ...)]
        file = file.part(array.shape, dims, places)
        assert (file.shape, file.nbytes) == (array.shape, array.nbytes)
    same(file.load(), array)
    for axis in range(max(1, array.ndim)):
        for start, stop in cuts(data.draw, array.shape[axis]) if array.ndim else [(0, 1)]:
            wanted = part(array, axis, start, stop)
            out = np.empty(wanted.shape, wanted.dtype)
            file.read(axis, start, stop, out)
            same(out, wanted)
    wider = (1, *array.shape, 1)
    same(file.view(wider).load(), array.reshape(wider))
    if file.c_contiguous:
        same(file.view((array.size,)).load(), array.reshape(-1))
    elif array.ndim > 1:
        with pytest.raises(ValueError, match="has no view"):
            file.view((array.size,))


def test_parts_that_lie_beside_each_other_are_read_together(monkeypatch: pytest.MonkeyPatch) -> None:
    array, file = stored((1_000, 12), "float32")
    turned, other = stored((12, 1_000), "float32", "F")
    far = stored((40, 9_000), "float64")[1]
    parts = {
        # Neighbours, columns between each other, and all with some.
        "columns": [(file.part((1_000,), [(0, 0, 1)], [(1, k)]), 0, array[:, k]) for k in (4, 3)],
        "steps": [(file.part((1_000, 3), [(0, 0, 1), (1, k, 2)], []), 0, array[:, k : k + 5 : 2]) for k in (2, 1)],
        "whole": [(file, 0, array), (file.part((1_000, 2), [(0, 0, 1), (1, 4, 1)], []), 0, array[:, 4:6])],
        "turned": [(other.part((1_000,), [(1, 0, 1)], [(0, k)]), 0, turned[k]) for k in (1, 2)],
        "alone": [(far.part((40, 2), [(0, 0, 1), (1, k, 1)], []), 0, None) for k in (0, 8_000)],
        "rows": [(file.part((990, 12), [(0, k, 1), (1, 0, 1)], []), 0, array[k : 990 + k]) for k in (0, 10)],
    }
    read: list[int] = []
    plain = Descriptor.read
    monkeypatch.setattr(Descriptor, "read", lambda s, data, at: (read.append(len(data)), plain(s, data, at))[1])
    for name, items in parts.items():
        read.clear()
        readers = file.readers([(part, axis) for part, axis, _ in items])
        for start, stop in ((0, 7), (7, 8), (8, min(part.shape[0] for part, _, _ in items))):
            for reader, (part, _, expected) in zip(readers, items, strict=True):
                out = np.empty((stop - start, *part.shape[1:]), part.dtype)
                reader(start, stop, out)
                if expected is not None:
                    same(out, expected[start:stop])
        size = 48_000 if name != "alone" else 0
        assert name in ("alone", "rows") or sum(read) <= size, name


def test_places_that_are_not_there() -> None:
    _, file = stored((4, 5), "float32")
    out = np.empty((2, 5), np.float32)
    for axis, start, stop in [(2, 0, 2), (-1, 0, 2), (0, -1, 1), (0, 3, 5), (0, 3, 1)]:
        with pytest.raises(ValueError, match="has no block"):
            file.read(axis, start, stop, out)
    for wrong in (np.empty((2, 4), np.float32), np.empty((2, 5)), np.empty((5, 2), np.float32)):
        with pytest.raises(ValueError, match="is no"):
            file.read(0, 0, 2, wrong)
    for key in [4, -5, (0, 5), (0, 0, 0), (..., ...), slice(0, 4, 2), slice(None, None, -1)]:
        with pytest.raises(IndexError):
            file[key]  # type: ignore[index]
    with pytest.raises(ValueError, match="has no view of shape"):
        file.view((3, 7))
    _, turned = stored((4, 5), "float32", "F")
    with pytest.raises(ValueError, match="has no view of shape"):
        turned.flat()


def test_large_files_stay_where_they_are_and_others_do_not() -> None:
    save("small.npy", np.zeros(LARGE // 8))
    assert isinstance(open_array("small.npy"), np.ndarray)
    save("large.npy", np.zeros(LARGE // 8 + 1))
    file = open_array("large.npy")
    assert isinstance(file, FileArray) and file.size == LARGE // 8 + 1
    # Another file may take the name: what is open is read on.
    save("large.npy", np.ones(LARGE // 8 + 1))
    assert file[3] == 0 and np.count_nonzero(file.load()) == 0
    os.unlink("large.npy")
    assert file[LARGE // 8] == 0


def test_standard_input_that_is_a_large_file() -> None:
    save("x.npy", np.arange(LARGE // 8 + 1, dtype=np.float64))
    save("y.npy", np.arange(3.0))
    Path("both").write_bytes(Path("x.npy").read_bytes() + Path("y.npy").read_bytes())
    code = "x = open_array('-'); y = open_array('-'); print(type(x).__name__, x[-1], y)"
    with open("both", "rb") as both:
        done = run(code, stdin=both)
    assert (done.returncode, done.stdout) == (0, b"FileArray 8388608.0 [0. 1. 2.]\n"), done.stderr


@pytest.mark.parametrize("order", ["C", "F"])
def test_a_file_that_becomes_shorter(order: str) -> None:
    array, file = stored((100, 30), "float64", order)
    os.truncate("a.npy", 128 + 20_000)
    line = "a.npy is truncated: its header declares (100, 30) float64 = 24000 bytes, 20000 are there"
    assert failure(file.load) == line
    assert failure(lambda: file.read(0, 90, 100, np.empty((10, 30)))) == line
    # What is still there can be read.
    axis = 0 if order == "C" else 1
    out = np.empty((10, 30) if axis == 0 else (100, 10))
    file.read(axis, 0, 10, out)
    assert same(out, part(array, axis, 0, 10))
    os.truncate("a.npy", 50)
    assert failure(file.load).endswith("24000 bytes, 0 are there")


def test_a_file_that_cannot_be_read_any_more() -> None:
    _, file = stored((100,), "float64")
    number = os.open("/proc/self/mem", os.O_RDONLY)
    os.dup2(number, file._source.number)
    os.close(number)
    assert failure(lambda: file[:10]).startswith("cannot read a.npy: ")


def test_booleans_of_other_bytes() -> None:
    array = np.zeros(1000, bool)
    data = bytearray(npy(array))
    data[-10] = 2
    Path("a.npy").write_bytes(data)
    file = opened("a.npy")
    out = np.empty(100, bool)
    file.read(0, 0, 100, out)
    assert not out.any()
    assert failure(lambda: file.read(0, 900, 1000, out)) == "a.npy is corrupt: its booleans are neither 0 nor 1"


def test_many_threads_read_at_once() -> None:
    array, file = stored((64, 50, 7), "float32", "F", ">")
    wrong: list[int] = []

    def work(start: int) -> None:
        for k in range(start, 64, 4):
            out = np.empty((1, 50, 7), np.float32)
            file.read(0, k, k + 1, out)
            if not same(out, array[k : k + 1]):
                wrong.append(k)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


# Sink -----------------------------------------------------------------------------------------------------------------


@ANY
@given(FORMS, st.data())
def test_blocks_are_written_in_any_order(small_stage: None, form: tuple, data: st.DataObject) -> None:
    shape, dtype, order, _ = form
    array = numbers(shape, dtype)
    axis = data.draw(st.integers(0, max(0, array.ndim - 1)))
    ranges = cuts(data.draw, shape[axis] if shape else 1)
    ranges = [r for r in ranges if shape or r == (0, 1)]
    with streaming([("s.npy", shape, array.dtype)]) as (sink,):
        assert (sink.shape, sink.dtype, sink.size, sink.nbytes) == (shape, array.dtype, array.size, array.nbytes)
        assert (sink.ndim, sink.path) == (array.ndim, "s.npy")
        for start, stop in data.draw(st.permutations(ranges)):
            sink.write(axis, start, np.asarray(part(array, axis, start, stop), order=order))  # type: ignore[call-overload]
        out = np.empty(shape, dtype)
        sink.read(0, 0, shape[0] if shape else 1, out)
        assert same(out, array)
    assert Path("s.npy").read_bytes() == npy(array)
    assert same(sink[...], array)


def test_flat_sinks_and_views_of_them() -> None:
    array = numbers((6, 5, 4), "float32")
    with streaming([("s.npy", array.shape, array.dtype)]) as (sink,):
        flat = sink.flat()
        assert (flat.shape, flat.path) == ((120,), "s.npy")
        for start in range(0, 120, 50):
            flat.write(0, start, array.reshape(-1)[start : start + 50])
    assert same(np.load("s.npy"), array) and same(sink[2], array[2])
    assert sorted(os.listdir()) == ["s.npy"]


def test_several_files_at_once_by_several_threads() -> None:
    first, second = numbers((40, 30, 3), "float64"), numbers((30, 40), "int16")
    targets = [("a.npy", first.shape, first.dtype), ("b.npy", second.shape, second.dtype)]
    with streaming(targets) as (a, b):

        def work(start: int) -> None:
            for k in range(start, 30, 3):
                # Along the middle dimension: the pieces of a block lie apart and share pages with those of others.
                a.write(1, k, first[:, k : k + 1])
                b.write(0, k, second[k : k + 1])

        threads = [threading.Thread(target=work, args=(k,)) for k in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert same(np.load("a.npy"), first) and same(np.load("b.npy"), second)
    assert sorted(os.listdir()) == ["a.npy", "b.npy"]


def test_what_a_sink_refuses() -> None:
    block = np.zeros((2, 3), np.float32)
    with streaming([("s.npy", (4, 3), np.dtype("float32"))]) as (sink,):
        for axis, start, wrong in [
            (0, 3, block),
            (0, -1, block),
            (2, 0, block),
            (0, 0, block.astype(np.float64)),
            (0, 0, block.T),
            (1, 0, block),
            (0, 0, block[:, :2]),
            (0, 0, block[0]),
        ]:
            with pytest.raises(ValueError):
                sink.write(axis, start, wrong)
        sink.write(0, 0, block)
        sink.write(0, 2, block)
    with pytest.raises(ValueError, match="is not being written any more"):
        sink.write(0, 0, block)
    assert same(np.load("s.npy"), np.zeros((4, 3), np.float32))


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit, WorkError])
def test_a_failure_leaves_nothing(error: type[BaseException]) -> None:
    save("old.npy", np.ones(3))
    targets = [(name, (1000,), np.dtype("float32")) for name in ("new.npy", "old.npy")]
    with pytest.raises(error), streaming(targets) as sinks:
        sinks[0].write(0, 0, np.ones(1000, np.float32))
        assert sum(name.endswith(".tmp") for name in os.listdir()) == 2
        raise error("stop")
    assert os.listdir() == ["old.npy"] and same(np.load("old.npy"), np.ones(3))
    with pytest.raises(ValueError, match="is not being written any more"):
        sinks[0].write(0, 0, np.ones(1000, np.float32))


@pytest.mark.parametrize(
    ("path", "shape", "line"),
    [
        ("none/a", (3,), "cannot write none/a: No such file or directory\nhint: the folder none does not exist"),
        ("dir", (3,), "cannot write dir: Is a directory\nhint: name a file in that folder"),
        ("a.npy", (2**59,), "cannot write a.npy: No space left on device"),
        ("a.npy", (2**62,), "cannot write a.npy: File too large"),
        ("/dev/null", (3,), "cannot write /dev/null in blocks: it is not a regular file"),
        ("-", (3,), "cannot write - in blocks: it is not a regular file"),
    ],
)
def test_places_that_cannot_be_written(path: str, shape: tuple[int, ...], line: str) -> None:
    os.mkdir("dir")
    good = ("good.npy", (3,), np.dtype("float32"))

    def stream() -> None:
        with streaming([good, (path, shape, np.dtype("float64"))]):
            raise AssertionError("it was opened")

    assert failure(stream) == line
    assert os.listdir() == ["dir"]


def test_one_place_for_two_and_dtypes_of_nobody() -> None:
    def stream(*targets: tuple[str, tuple[int, ...], str]) -> None:
        with streaming([(path, shape, np.dtype(dtype)) for path, shape, dtype in targets]):
            raise AssertionError("it was opened")

    os.symlink("a.npy", "link.npy")
    both = [("a.npy", (3,), "float32"), ("link.npy", (3,), "float32")]
    assert failure(lambda: stream(*both), GradcliError) == "two arrays cannot both be written to link.npy"
    assert "cannot be written" in failure(lambda: stream(("a.npy", (3,), "complex64")), GradcliError)
    assert os.listdir() == ["link.npy"]


def test_what_can_be_streamed() -> None:
    os.mkfifo("pipe")
    save("old.npy", np.ones(3))
    assert can_stream("new.npy") and can_stream("old.npy")
    assert not can_stream("pipe") and not can_stream("-") and not can_stream("/dev/null")
    os.mkdir("dir")
    assert failure(lambda: can_stream("dir")).startswith("cannot write dir: Is a directory")


def test_a_disk_that_fails_while_it_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.pwrite
    calls = 0

    def failing(descriptor: int, data: memoryview, position: int) -> int:
        nonlocal calls
        calls += 1
        if calls > 3:
            raise OSError(5, "Input/output error")
        # Short writes happen as well.
        return write(descriptor, data[: max(1, len(data) // 2)], position)

    def stream() -> None:
        with streaming([("s.npy", (1000,), np.dtype("float32"))]) as (sink,):
            monkeypatch.setattr(os, "pwrite", failing)
            sink.write(0, 0, np.ones(1000, np.float32))

    assert failure(stream) == "cannot write s.npy: Input/output error"
    assert os.listdir() == [] and calls == 4


def test_large_files_reach_the_disk_while_they_are_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sink_module, "_EARLY", 0)
    monkeypatch.setattr(sink_module, "_PAUSE", 0.001)
    flushed, flush = threading.Event(), os.fdatasync
    # Other tests may have left some that are not ours.
    others = set(threading.enumerate())

    def told(descriptor: int) -> None:
        flush(descriptor)
        flushed.set()

    monkeypatch.setattr(os, "fdatasync", told)
    with streaming([("s.npy", (1000,), np.dtype("float32"))]) as (sink,):
        assert not flushed.wait(0.05)
        sink.write(0, 0, np.ones(500, np.float32))
        assert flushed.wait(20)
        sink.write(0, 500, np.ones(500, np.float32))
    assert np.array_equal(np.load("s.npy"), np.ones(1000)) and set(threading.enumerate()) <= others

    def failing(descriptor: int) -> None:
        flushed.set()
        raise OSError(5, "Input/output error")

    def stream() -> None:
        with streaming([("t.npy", (1000,), np.dtype("float32"))]) as (sink,):
            sink.write(0, 0, np.ones(1000, np.float32))
            assert flushed.wait(20)

    # The system tells of a failure once, here not to whoever asks at the end.
    flushed.clear()
    monkeypatch.setattr(os, "fdatasync", failing)
    assert failure(stream) == "cannot write t.npy: Input/output error"
    assert os.listdir() == ["s.npy"] and set(threading.enumerate()) <= others


def test_a_process_that_is_stopped_leaves_nothing() -> None:
    done = run(
        """
        from gradcli.cli.signals import stopping_cleanly
        with stopping_cleanly(), streaming([("s.npy", (1000,), np.dtype("float32"))]) as (sink,):
            os.kill(os.getpid(), 15)
        """
    )
    assert done.returncode != 0 and os.listdir() == []
    # Nobody can clean up after this one; what it leaves has no final name.
    done = run(
        f"""
        with streaming([("s.npy", (1000,), np.dtype("float32"))]) as (sink,):
            os.kill(os.getpid(), {int(signal.SIGKILL)})
        """
    )
    assert done.returncode == -signal.SIGKILL and not os.path.exists("s.npy")


# Edges ----------------------------------------------------------------------------------------------------------------

SIDES = st.lists(st.integers(0, 13), min_size=0, max_size=4).map(tuple)


@ANY
@given(SIDES, st.integers(0, 4), st.integers(0, 60), st.data())
def test_edges_keep_what_is_printed(shape: tuple[int, ...], ends: int, threshold: int, data: st.DataObject) -> None:
    array = np.arange(1, np.prod(shape, dtype=int) + 1, dtype=np.float64).reshape(shape)
    axis = data.draw(st.integers(0, max(0, array.ndim - 1)))
    merged = data.draw(st.integers(0, array.ndim))
    edges = Edges(shape, array.dtype, ends, threshold)
    source = array.reshape((-1, *shape[merged:])) if merged and array.size else array
    sink = edges.view(source.shape)
    axis = min(axis, max(0, source.ndim - 1))
    length = source.shape[axis] if source.ndim else 1
    wanted = set(np.asarray(sink.indices(axis)).tolist())
    for start, stop in data.draw(st.permutations(cuts(data.draw, length))):
        if source.ndim == 0 and start == stop:
            continue
        inside = bool(wanted & set(range(start, stop)))
        if inside or data.draw(st.booleans()):
            sink.write(axis, start, part(source, axis, start, stop))
    near = [
        [k for k in range(n) if array.size <= threshold or n <= 2 * ends or k < ends or k >= n - ends] for n in shape
    ]
    for index in np.ndindex(*shape):
        if all(k in kept for k, kept in zip(index, near, strict=True)):
            assert edges[index] == array[index]
    # Slices as the printing takes them.
    if array.size and (ends or array.size <= threshold):
        heads = tuple(slice(0, n if array.size <= threshold else min(n, ends)) for n in shape)
        tails = tuple(slice(0 if array.size <= threshold else max(0, n - ends), n) for n in shape)
        assert same(np.asarray(edges[heads]), array[heads]) and same(np.asarray(edges[tails]), array[tails])


def test_edges_know_what_they_do_not_have() -> None:
    edges = Edges((100, 3000), np.dtype("float32"))
    for key in [(50, 0), (0, 1500), (slice(0, 4), 0), (slice(None), 0), 3]:
        with pytest.raises(IndexError, match="only the first and last 3 are kept"):
            edges[key]
    assert edges[0, 0] == 0 and edges[-1, -3:].shape == (3,)
    assert edges.indices(0).tolist() == [0, 1, 2, 97, 98, 99]
    for axis, start, block in [
        (0, 99, np.zeros((2, 3000), np.float32)),
        (0, 0, np.zeros((2, 3000))),
        (0, 0, np.zeros((2, 2999), np.float32)),
    ]:
        with pytest.raises(ValueError):
            edges.write(axis, start, block)
    with pytest.raises(ValueError):
        edges.view((edges.size,)).write(0, 0, np.zeros((2, 2), np.float32))
    for other in ((100, 3000, 1), (3000, 100), (299_999,)):
        with pytest.raises(ValueError, match="has no view of shape"):
            edges.view(other)
    assert Edges((1, 1), np.dtype("float32")).view(()).kept.shape == ()


def test_edges_of_the_largest_shapes_take_no_memory() -> None:
    edges = Edges((10**6, 10**6, 10**6), np.dtype("float64"))
    assert edges.size == 10**18 and edges[0, 0, :3].tolist() == [0, 0, 0]
    edges.view((edges.size,)).write(0, 10**18 - 3, np.array([1.0, 2.0, 3.0]))
    assert edges[-1, -1, -3:].tolist() == [1, 2, 3]
    empty = Edges((0, 10**9), np.dtype("float32"))
    assert empty.indices(1).size == 0
    empty.write(1, 5, np.zeros((0, 7), np.float32))


def test_reading_back_what_was_loaded_in_blocks() -> None:
    """The whole way: a file is read in blocks, written in blocks, and loaded."""
    array, file = stored((50, 40), "float16", "F", ">")
    with streaming([("s.npy", (50, 40), np.dtype("float16"))]) as (sink,):
        for start in range(0, 50, 7):
            block = np.empty((min(7, 50 - start), 40), np.float16)
            file.read(0, start, start + len(block), block)
            sink.write(0, start, block)
    assert same(load("s.npy"), array)
