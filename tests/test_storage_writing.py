"""Writing .npy files: whole or not at all."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from gradcli.errors import GradcliError
from gradcli.storage import load, save, save_all
from tests.storage_support import DTYPES, SHAPES, environment, failure, npy, numbers, run, same
from tests.storage_support import own_directory as own_directory


@pytest.mark.parametrize("dtype", DTYPES)
def test_numpy_reads_what_is_written(dtype: str) -> None:
    for shape in SHAPES:
        array = numbers(shape, dtype)
        for variant in [array, np.asfortranarray(array), array.astype(array.dtype.newbyteorder(">")), array.T]:
            save("a.npy", variant)
            read = np.load("a.npy", allow_pickle=False)
            assert np.array_equal(read, variant) and read.dtype == variant.dtype and read.shape == variant.shape
            assert Path("a.npy").read_bytes() == npy(variant)


def test_strided_arrays() -> None:
    array = np.arange(600_000, dtype=np.float32).reshape(100, 60, 100)
    for view in [
        array[::2, :, ::-3],
        array.transpose(2, 0, 1),
        np.broadcast_to(array[:, :1], array.shape),
        array[:, 5],
    ]:
        save("a.npy", view)
        assert same(np.load("a.npy"), view)
    save("a.npy", array[3, 4, 5])
    assert np.load("a.npy") == array[3, 4, 5]


def test_an_array_can_replace_the_file_it_is_mapped_from() -> None:
    save("a.npy", np.arange(9 << 20, dtype=np.float64))
    mapped = load("a.npy")
    save("a.npy", mapped[::-1])
    assert mapped[0] == 0 and load("a.npy")[0] == mapped[-1]


def test_dtypes_that_are_not_written() -> None:
    for array in [np.zeros(2, complex), np.array([None]), np.array(["a"]), np.zeros(2, np.longdouble)]:
        failure(lambda array=array: save("a.npy", array), GradcliError)
    assert os.listdir() == []


def test_permissions() -> None:
    old = os.umask(0o027)
    try:
        save("new.npy", np.zeros(2))
        assert stat.S_IMODE(os.stat("new.npy").st_mode) == 0o640
        os.chmod("new.npy", 0o600)
        save("new.npy", np.ones(2))
        assert stat.S_IMODE(os.stat("new.npy").st_mode) == 0o600
    finally:
        os.umask(old)


def test_links_are_followed() -> None:
    os.mkdir("there")
    os.symlink("there/real.npy", "link.npy")
    for value in (1.0, 2.0):
        save("link.npy", np.array(value))
        assert os.path.islink("link.npy") and np.load("there/real.npy") == value
    assert os.listdir("there") == ["real.npy"]


def test_long_names() -> None:
    name = "x" * 251 + ".npy"
    save(name, np.ones(2))
    assert same(np.load(name), np.ones(2))


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("dir", "cannot write dir: Is a directory\nhint: name a file in that folder"),
        ("new/", "cannot write new/: Is a directory\nhint: name a file in that folder"),
        ("none/a.npy", "cannot write none/a.npy: No such file or directory\nhint: the folder none does not exist"),
        ("file/a.npy", "cannot write file/a.npy: Not a directory"),
        ("a\0b", "cannot write a?b: no file can have this name"),
        ("x" * 300, f"cannot write {'x' * 300}: File name too long"),
        ("/dev/full", "cannot write /dev/full: No space left on device"),
    ],
)
def test_places_that_cannot_be_written(path: str, line: str) -> None:
    os.mkdir("dir")
    Path("file").write_bytes(b"")
    save("a.npy", np.zeros(2))
    assert failure(lambda: save(path, np.ones(2))) == line
    # Together with others: none of them is new.
    items = [("a.npy", np.ones(2)), ("b.npy", np.ones(2)), (path, np.ones(2))]
    assert failure(lambda: save_all(items)) == line
    assert failure(lambda: save_all(items[::-1])) == line
    assert sorted(os.listdir()) == ["a.npy", "dir", "file"] and os.listdir("dir") == []
    assert same(np.load("a.npy"), np.zeros(2))


def test_read_only_places() -> None:
    if os.geteuid():
        os.mkdir("closed", 0o500)
        line = "cannot write closed/a.npy: Permission denied\nhint: the folder closed is not writable"
        assert failure(lambda: save("closed/a.npy", np.ones(2))) == line
        save("a.npy", np.zeros(2))
        os.chmod("a.npy", 0o400)
        assert failure(lambda: save("a.npy", np.ones(2))) == "cannot write a.npy: Permission denied"
    else:
        # Not even root creates files here.
        assert failure(lambda: save("/proc/a.npy", np.ones(2))).startswith("cannot write /proc/a.npy: ")
        assert failure(lambda: save("/proc/version", np.ones(2))).startswith("cannot write /proc/version: ")


def test_requests_that_cannot_be_meant() -> None:
    assert failure(lambda: save("", np.ones(2)), GradcliError) == "a file name is empty"
    os.symlink("a.npy", "link.npy")
    pair = [("a.npy", np.ones(2)), ("./link.npy", np.ones(2))]
    assert failure(lambda: save_all(pair), GradcliError) == "two arrays cannot both be written to ./link.npy"
    pair = [("-", np.ones(2)), ("-", np.ones(2))]
    assert failure(lambda: save_all(pair), GradcliError) == "two arrays cannot both be written to standard output"
    assert os.listdir() == ["link.npy"]


def test_devices_and_pipes_are_written_in_place() -> None:
    save_all([("/dev/null", np.ones(2)), ("/dev/null", np.ones(2))])
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    os.mkfifo("pipe.npy")
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(Path("pipe.npy").read_bytes()))
    reader.start()
    save("pipe.npy", np.ones(50_000))
    reader.join()
    assert read == [npy(np.ones(50_000))] and os.listdir() == ["pipe.npy"]


def test_an_open_file_without_a_name() -> None:
    with open("a.npy", "w+b") as file:
        os.unlink("a.npy")
        save(f"/dev/fd/{file.fileno()}", np.ones(3))
        assert os.listdir() == [] and file.read() == npy(np.ones(3))
        # What the system calls such a file, another file may be called by its owner.
        save("a.npy (deleted)", np.zeros(3))
        save(f"/dev/fd/{file.fileno()}", np.full(3, 7.0))
        file.seek(0)
        assert file.read() == npy(np.full(3, 7.0)) and same(np.load("a.npy (deleted)"), np.zeros(3))


def test_a_full_disk() -> None:
    """The limit on the size of files fails as a full disk does: in the middle of the data."""
    save("a.npy", np.zeros(2))
    done = run(
        """
        import resource, signal
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        try: save_all([("a.npy", np.ones(10)), ("b.npy", np.ones(100_000))])
        except Exception as error: print(type(error).__name__, error)
        """
    )
    assert done.stdout == b"UnwritableError cannot write b.npy: File too large\n", done
    assert os.listdir() == ["a.npy"] and same(np.load("a.npy"), np.zeros(2))


@pytest.mark.parametrize("number", [signal.SIGINT])
def test_interrupted_between_writing_and_renaming(number: int) -> None:
    save("a.npy", np.zeros(2))
    os.mkfifo("pipe")
    code = "import numpy as np\nfrom gradcli.storage import *\nsave_all([('a.npy', np.ones(2)), ('pipe', np.ones(2))])"
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, env=environment())
    # The pipe has no reader: the process waits there, with its temporary file complete.
    deadline = time.monotonic() + 300
    while not (found := [name for name in os.listdir() if name.endswith(".tmp")]) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert found and found[0].startswith(".gradcli-")
    time.sleep(0.2)
    process.send_signal(number)
    assert b"KeyboardInterrupt" in process.communicate(timeout=300)[1]
    assert sorted(os.listdir()) == ["a.npy", "pipe"] and same(np.load("a.npy"), np.zeros(2))
