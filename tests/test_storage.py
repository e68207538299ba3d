"""Reading .npy files: what NumPy writes, and every way in which a file can be wrong."""

from __future__ import annotations

import os
import random
import struct
import subprocess
import sys
import time
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest

from gradcli.errors import GradcliError
from gradcli.storage import load, save
from tests.storage_support import DTYPES, SHAPES, environment, failure, npy, numbers, read_header, same, with_header
from tests.storage_support import own_directory as own_directory


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("order", "<>=")
@pytest.mark.parametrize("layout", "CF")
def test_reads_what_numpy_writes(dtype: str, order: str, layout: str) -> None:
    for shape in SHAPES:
        array = numbers(shape, dtype)
        np.save("a.npy", np.asarray(array.astype(array.dtype.newbyteorder(order)), order=layout))
        loaded = load("a.npy")
        assert same(loaded, array)
        assert loaded.dtype.isnative and loaded.flags.aligned and loaded.flags.writeable
        header = read_header("a.npy")
        reference = np.load("a.npy", mmap_mode="r") if array.size else np.load("a.npy")
        assert (header.path, header.shape, header.dtype) == ("a.npy", shape, reference.dtype)
        assert header.nbytes == array.nbytes
        assert header.offset == os.path.getsize("a.npy") - array.nbytes


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_every_version_of_the_header(version: tuple[int, int]) -> None:
    array = numbers((3, 4), "float32")
    with open("a.npy", "wb") as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        np.lib.format.write_array(file, array, version=version)
    assert same(load("a.npy"), array)


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)}   ",
        '{"shape":(2,3),"fortran_order":False,"descr":"<f4"}',
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2L, 3L), }",
        "{'descr': 'float32', 'fortran_order': False, 'shape': (2, 3,), }",
    ],
)
def test_headers_by_other_writers(header: str) -> None:
    array = numbers((2, 3), "float32")
    Path("a.npy").write_bytes(with_header(header, array.tobytes()))
    assert same(load("a.npy"), array)


def test_bytes_after_the_array_are_ignored_in_a_file() -> None:
    array = numbers((5,), "int32")
    Path("a.npy").write_bytes(npy(array) + b"more")
    assert same(load("a.npy"), array)


@pytest.mark.parametrize("layout", "CF")
def test_a_large_file_is_mapped_read_only(layout: str) -> None:
    array = np.asarray(np.arange(9 << 20, dtype=np.float64).reshape(9, 1 << 10, 1 << 10), order=layout)
    np.save("a.npy", array)
    with open("a.npy", "r+b") as file:
        loaded = load("a.npy")
        assert same(loaded, array) and not loaded.flags.writeable
        assert type(loaded) is np.ndarray
        file.seek(read_header("a.npy").offset)
        file.write(struct.pack("d", -5.0))
    # What a mapped array shows is what the file holds.
    assert loaded[0, 0, 0] == -5


@pytest.mark.parametrize("offset", [0, 1])
def test_a_large_file_that_cannot_be_used_in_place(offset: int) -> None:
    array = np.arange(9 << 20, dtype=np.float64)
    stored = array.astype(">f8") if offset == 0 else array
    header = f"{{'descr': '{stored.dtype.str}', 'fortran_order': False, 'shape': ({array.size},), }}"
    Path("a.npy").write_bytes(with_header(header + " " * (22 + offset), stored.tobytes()))
    assert read_header("a.npy").offset % 8 == offset
    loaded = load("a.npy")
    assert same(loaded, array) and loaded.flags.aligned


def test_load_of_a_mapped_file_does_not_read_it() -> None:
    with open("a.npy", "wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<f8", "fortran_order": False, "shape": (1 << 37,)})
        # A sparse file of a terabyte.
        file.truncate(file.tell() + (1 << 40))
    loaded = load("a.npy")
    assert loaded.shape == (1 << 37,) and loaded[-1] == 0


def test_missing_file_names_its_neighbour() -> None:
    save("weights.npy", np.zeros(2))
    assert failure(lambda: load("wieghts.npy")) == (
        "cannot read wieghts.npy: No such file or directory\nhint: did you mean 'weights.npy'?"
    )
    assert failure(lambda: load("none/at/all.npy")) == "cannot read none/at/all.npy: No such file or directory"
    assert failure(lambda: read_header("none.npz:key")).startswith("cannot read none.npz:key")


def test_a_link_to_nothing_is_not_its_own_neighbour() -> None:
    os.symlink("gone.npy", "link.npy")
    assert failure(lambda: load("link.npy")) == (
        "cannot read link.npy: No such file or directory\nhint: it is a link to gone.npy, which does not exist"
    )


def test_unreadable_files() -> None:
    os.mkdir("d.npy")
    Path("file").write_bytes(b"")
    os.symlink("loop.npy", "loop.npy")
    assert failure(lambda: load("d.npy")) == (
        "cannot read d.npy: Is a directory\nhint: name a file in that folder; `gradcli batch` takes all of them"
    )
    assert failure(lambda: load("file/a.npy")) == "cannot read file/a.npy: Not a directory"
    assert failure(lambda: load("loop.npy")).startswith("cannot read loop.npy: Too many levels of symbolic links")
    assert "File name too long" in failure(lambda: load("x" * 300 + ".npy"))
    assert failure(lambda: load("a\0\x1b[31mb.npy")) == "cannot read a??[31mb.npy: no file can have this name"
    assert failure(lambda: load("\udfff\ud800.npy")) == "cannot read ??.npy: no file can have this name"
    assert failure(lambda: load("")) == "cannot read '': No such file or directory"
    assert failure(lambda: load("/dev/zero")) == "/dev/zero is not a .npy file\nhint: numpy.save writes one"


def test_permission_denied() -> None:
    save("a.npy", np.zeros(3))
    if os.geteuid():
        os.chmod("a.npy", 0)
        assert failure(lambda: load("a.npy")) == "cannot read a.npy: Permission denied"
        return
    # Nothing is forbidden to root: ask as somebody else.
    os.mkdir("closed", 0o700)
    code = "import os; os.setuid(65534)\ntry: load(sys.argv[1])\nexcept Exception as e: print(type(e).__name__, e)"
    code = "import sys\nfrom gradcli.storage import *\n" + code
    command = [sys.executable, "-c", code, os.path.abspath("closed/a.npy")]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), timeout=300)
    assert "WorkError cannot read" in done.stdout and "Permission denied" in done.stdout, done


def test_every_truncation_is_noticed() -> None:
    whole = npy(numbers((3, 4), "float64"))
    for size in range(len(whole)):
        Path("a.npy").write_bytes(whole[:size])
        line = failure(lambda: load("a.npy"))
        assert failure(lambda: read_header("a.npy")) == line
        if size == 0:
            assert line == "a.npy is empty"
        elif size < 128:
            assert line == "a.npy is truncated: it ends inside its header"
        else:
            promise = "its header declares (3, 4) float64 = 96 bytes"
            assert line == f"a.npy is truncated: {promise}, {size - 128} are there"


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"1 2 3\n4 5 6\n", "a.npy is not a .npy file\nhint: numpy.save writes one"),
        (b"\x80\x04cos\nsystem\n", "a.npy is not a .npy file: it looks like a pickle, and pickles are never opened"),
        (b"\x93NUMPY\x04\x00" + bytes(50), "a.npy has version 4.0 of the .npy format; 1.0, 2.0 and 3.0 are known"),
        (b"\x93NUMPY\x02\x00\xff\xff\xff\xff", "a.npy is corrupt: its header claims to be 4294967295 bytes long"),
        (b"\x93NUMPY\x03\x00\x02\x00\x00\x00\xff\xfe", "a.npy is corrupt: its header cannot be understood"),
    ],
)
def test_other_kinds_of_files(data: bytes, line: str) -> None:
    Path("a.npy").write_bytes(data)
    assert failure(lambda: load("a.npy")) == line
    assert failure(lambda: read_header("a.npy")) == line


@pytest.mark.parametrize(
    "header",
    [
        "",
        "{}",
        "[1, 2]",
        "{'descr': '<f4', 'fortran_order': False}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), 'more': 1}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)} + 1",
        "{'descr': '<f4', 'fortran_order': 0, 'shape': (2, 3)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (6)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': 6}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2.0, 3)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2,, 3)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2 3)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (0x2, 3)}",
        "{'descr': '<f4', 'fortran_order': __import__('os').system('touch owned'), 'shape': (2, 3)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': " + "(" * 5000 + ")" * 5000 + "}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': " + "-" * 20000 + "1}",
        "{" * 30000,
        "{'descr': " + " " * 60000,
    ],
)
@pytest.mark.parametrize("version", [1, 2, 3])
def test_malformed_headers(header: str, version: int) -> None:
    Path("a.npy").write_bytes(with_header(header, bytes(24), version))
    started = time.process_time()
    assert failure(lambda: load("a.npy")) == "a.npy is corrupt: its header cannot be understood"
    assert time.process_time() - started < 2
    assert not os.path.exists("owned")


@pytest.mark.parametrize(
    "shape",
    [
        "(-1,)",
        "(3, -4)",
        "(-1, -1)",
        "(9223372036854775808,)",
        "(4294967296, 4294967296)",
        "(0, 4611686018427387904, 4611686018427387904)",
        "(" + "9" * 5000 + ",)",
        "(-" + "9" * 5000 + ",)",
        "(" + "1, " * 65 + ")",
        "(" + "9" * 15 + ", " + "9" * 15 + ")",
        "(" + "99999, " * 9000 + ")",
    ],
)
def test_impossible_shapes(shape: str) -> None:
    data = with_header(f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}}}", bytes(64))
    Path("a.npy").write_bytes(data)
    line = failure(lambda: load("a.npy"))
    assert line.startswith("a.npy is corrupt: its header declares an impossible shape, (") and len(line) < 160
    with zipfile.ZipFile("a.npz", "w") as archive:
        archive.writestr("x.npy", data)
    assert failure(lambda: load("a.npz:x")).startswith("a.npz:x is corrupt: its header declares an impossible shape")


def test_a_file_that_promises_more_than_it_has_takes_no_memory() -> None:
    data = with_header("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000, 1000000)}", bytes(64))
    Path("a.npy").write_bytes(data)
    line = "is truncated: its header declares (1000000, 1000000) float64 = 8000000000000 bytes, 64 are there"
    assert failure(lambda: load("a.npy")) == f"a.npy {line}"
    with zipfile.ZipFile("a.npz", "w") as archive:
        archive.writestr("x.npy", data)
    assert failure(lambda: load("a.npz:x")) == f"a.npz:x {line}"


class Trap:
    """Anything that unpickles this leaves a file behind."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("unpickled",)


@pytest.mark.parametrize(
    ("array", "what", "hint"),
    [
        (np.array([Trap(), 1], dtype=object), "Python objects, which are never unpickled", "astype('float64')"),
        (np.zeros(2, [("a", "<f4"), ("b", "<i8", (2, 2))]), "a structured dtype", "each field"),
        (np.zeros(2, np.complex64), "complex numbers", "array.real and array.imag"),
        (np.zeros(2, np.complex128), "complex numbers", "array.real and array.imag"),
        (np.zeros(2, np.longdouble), "long double numbers", "astype('float64')"),
        (np.array(["a", "bc"]), "text", None),
        (np.array([b"a", b"bc"]), "text", None),
        (np.zeros(2, "M8[ns]"), "dates or times", "astype('int64')"),
        (np.zeros(2, "m8"), "dates or times", "astype('int64')"),
        (np.zeros(2, "V2"), "raw bytes", "bfloat16"),
    ],
)
def test_dtypes_that_are_refused(array: np.ndarray, what: str, hint: str | None) -> None:
    Path("a.npy").write_bytes(npy(array))
    np.savez("a.npz", x=array)
    for action, name in [
        (lambda: load("a.npy"), "a.npy"),
        (lambda: read_header("a.npy"), "a.npy"),
        (lambda: load("a.npz:x"), "a.npz:x"),
    ]:
        line, _, rest = failure(action).partition("\nhint: ")
        assert line == f"{name} holds {what}; supported are {', '.join(DTYPES)}"
        assert hint in rest if hint else not rest
    assert not os.path.exists("unpickled")


@pytest.mark.parametrize("descr", ["", "<", "f3", "<b2", "<i16", "float33", "\x1b[2J", "<f4,<f4", "3f4", "x" * 500])
def test_unknown_dtypes(descr: str) -> None:
    Path("a.npy").write_bytes(with_header(f"{{'descr': '{descr}', 'fortran_order': False, 'shape': (2,)}}", bytes(8)))
    line = failure(lambda: load("a.npy"))
    assert line.startswith("a.npy holds an unknown dtype, ") and line.isprintable() and len(line) < 250


@pytest.mark.parametrize("size", [3, 70 << 20])
def test_booleans_that_are_neither(size: int) -> None:
    data = np.zeros(size, np.uint8)
    data[-1] = 2
    header = f"{{'descr': '|b1', 'fortran_order': False, 'shape': ({size},)}}"
    Path("a.npy").write_bytes(with_header(header, data.tobytes()))
    assert failure(lambda: load("a.npy")) == "a.npy is corrupt: its booleans are neither 0 nor 1"


@pytest.mark.parametrize("compressed", [False, True])
def test_random_damage_never_escapes(compressed: bool) -> None:
    """Whatever happens to the bytes, either an array comes out or a GradcliError."""
    chance = random.Random(5)
    np.savez_compressed("good.npz", x=numbers((30, 4), "float64"), y=numbers((3,), "int8"))
    good = Path("good.npz").read_bytes() if compressed else npy(numbers((30, 4), "float32"))
    outcomes = set()
    for _ in range(3000):
        data = bytearray(good)
        for _ in range(chance.randrange(1, 6)):
            # Mostly where the structure is: the first header, or the directory at the end.
            place = chance.choice([chance.randrange(len(data)), chance.randrange(128), -chance.randrange(1, 130)])
            data[place] = chance.choice([0, 0xFF, chance.randrange(256), data[place] ^ (1 << chance.randrange(8))])
        if chance.random() < 0.2:
            del data[chance.randrange(len(data)) :]
        Path("bad.npz" if compressed else "bad.npy").write_bytes(data)
        try:
            array = load("bad.npz:x" if compressed else "bad.npy")
            assert array.dtype.name in DTYPES
            outcomes.add("array")
        except GradcliError as error:
            assert "\n" not in error.message and error.message.isprintable()
            outcomes.add(type(error).__name__)
    assert {"array", "WorkError"} <= outcomes


def test_header_fuzz_agrees_with_numpy() -> None:
    """One changed character of the header: no array that NumPy refuses, and never other values than NumPy's."""
    chance = random.Random(9)
    good = npy(numbers((6,), "int16"))
    both = 0
    for _ in range(3000):
        data = bytearray(good)
        data[chance.randrange(10, 75)] = chance.randrange(32, 127)
        Path("a.npy").write_bytes(data)
        try:
            mine = load("a.npy")
        except GradcliError:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert np.array_equal(np.load("a.npy", allow_pickle=False), mine)
        both += 1
    assert both
