"""Arrays out of .npz archives."""

from __future__ import annotations

import math
import os
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gradcli.errors import GradcliError
from gradcli.storage import load
from gradcli.storage.bundle import load_bundle, save_bundle
from tests.storage_support import SHAPES, failure, npy, numbers, read_header, run, same, with_header
from tests.storage_support import own_directory as own_directory


@pytest.fixture
def archive() -> str:
    np.savez("many.npz", weight=numbers((3, 4), "float32"), bias=numbers((4,), "float64"))
    return "many.npz"


@pytest.mark.parametrize("write", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("dtype", [">f8", "<f4", "bool", ">i2"])
def test_reads_archives(write: Callable[..., None], dtype: str) -> None:
    arrays = {f"s{len(shape)}{i}": numbers(shape, "bool").astype(dtype) for i, shape in enumerate(SHAPES)}
    arrays["f"] = np.asfortranarray(arrays["s24"])
    arrays["layer.0/weight:x"] = arrays["s24"]
    write("a.npz", **arrays)
    for key, array in arrays.items():
        loaded = load(f"a.npz:{key}")
        assert same(loaded, array.astype(array.dtype.newbyteorder("="))) and loaded.dtype.isnative
    assert same(load("a.npz:f.npy"), load("a.npz:f"))


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compressions(method: int) -> None:
    with zipfile.ZipFile("a.npz", "w", method) as archive:
        archive.writestr("x.npy", npy(numbers((3, 4), "float32")))
        archive.writestr("readme.txt", "not an array")
    assert same(load("a.npz"), numbers((3, 4), "float32"))


def test_large_members() -> None:
    array = np.arange(20 << 20, dtype=np.int64) // 1000
    np.savez_compressed("a.npz", array)
    assert same(load("a.npz"), array)


def test_keys(archive: str) -> None:
    assert same(load("many.npz:bias"), numbers((4,), "float64"))
    assert failure(lambda: load("many.npz"), GradcliError) == (
        "many.npz holds several arrays: weight, bias\nhint: name one of them: many.npz:weight"
    )
    assert failure(lambda: load("many.npz:weigth"), GradcliError) == (
        "many.npz has no array 'weigth'; it holds weight, bias\nhint: did you mean 'weight'?"
    )
    assert (
        failure(lambda: load("many.npz:"), GradcliError)
        == "many.npz: a key is missing after the colon; it holds weight, bias\nhint: for example, many.npz:weight"
    )
    assert failure(lambda: load("many.npz:-"), GradcliError) == "many.npz has no array '-'; it holds weight, bias"
    np.savez("one.npz", numbers((2,), "uint8"))
    assert same(load("one.npz"), numbers((2,), "uint8"))


def test_many_keys_are_not_all_listed() -> None:
    np.savez("a.npz", **{f"key{i}": np.zeros(1) for i in range(200)})
    assert "key19 … (200 in all)" in failure(lambda: load("a.npz"), GradcliError)


def test_names_with_colons(archive: str) -> None:
    os.mkdir("dir.npz:old")
    os.rename(archive, "dir.npz:old/many.npz")
    assert same(load("dir.npz:old/many.npz:bias"), numbers((4,), "float64"))
    np.save("odd.npz:name.npy", np.ones(3))
    assert same(load("odd.npz:name.npy"), np.ones(3))
    os.rename("odd.npz:name.npy", "odd.npz")
    assert same(load("odd.npz"), np.ones(3))
    assert failure(lambda: load("odd.npz:x")) == "odd.npz is not an .npz archive"
    assert failure(lambda: load("lost:x")) == "cannot read lost:x: No such file or directory"
    assert failure(lambda: load("missing.npz:x")) == "cannot read missing.npz: No such file or directory"


def test_archives_without_arrays() -> None:
    np.savez("a.npz")
    assert failure(lambda: load("a.npz")) == "a.npz holds no arrays"
    with zipfile.ZipFile("a.npz", "w") as archive:
        archive.writestr("x.txt", "text")
    assert failure(lambda: load("a.npz:x")) == "a.npz holds no arrays"


def test_archive_where_an_array_is_needed(archive: str) -> None:
    line = "many.npz is an .npz archive, not a .npy file\nhint: name one array of a file: file.npz:key"
    assert failure(lambda: read_header(archive)) == line


def test_encrypted_archive() -> None:
    np.savez("a.npz", x=np.zeros(100))
    data = bytearray(Path("a.npz").read_bytes())
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    Path("a.npz").write_bytes(data)
    assert failure(lambda: load("a.npz:x")) == "a.npz:x is encrypted"


@pytest.mark.parametrize("write", [np.savez, np.savez_compressed])
def test_bad_checksum(write: Callable[..., None]) -> None:
    array = np.random.default_rng(0).random(1000)
    write("a.npz", x=array)
    data = bytearray(Path("a.npz").read_bytes())
    data[len(data) // 2] ^= 0x10
    Path("a.npz").write_bytes(data)
    assert failure(lambda: load("a.npz:x")).startswith("a.npz is corrupt: ")


def test_cut_archive(archive: str) -> None:
    data = Path(archive).read_bytes()
    for size in [4, 30, 100, len(data) // 2, len(data) - 1]:
        Path("a.npz").write_bytes(data[:size])
        assert failure(lambda: load("a.npz:bias")).startswith("a.npz is corrupt: ")


def test_member_longer_than_its_header() -> None:
    with zipfile.ZipFile("a.npz", "w") as archive:
        archive.writestr("x.npy", npy(np.zeros(2)) + b"more")
    assert failure(lambda: load("a.npz")) == (
        "a.npz:x is corrupt: its header declares (2,) float64 = 16 bytes, 20 are there"
    )


def bomb(shape: int, claimed: int) -> bytes:
    """An archive whose member claims `claimed` bytes and is little more than a header."""
    member = with_header(f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({shape},)}}")
    claimed += len(member)
    packed = zlib.compressobj(wbits=-15)
    body = packed.compress(member) + packed.flush()
    sizes = struct.pack("<IIIHH", zlib.crc32(member), len(body), claimed, 5, 0)
    local = b"PK\x03\x04" + struct.pack("<HHHHH", 20, 0, 8, 0, 0x21) + sizes + b"x.npy" + body
    central = b"PK\x01\x02" + struct.pack("<HHHHHH", 20, 20, 0, 8, 0, 0x21) + sizes
    central += struct.pack("<HHHII", 0, 0, 0, 0, 0) + b"x.npy"
    return local + central + b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(central), len(local), 0)


def test_archive_that_lies_about_its_size_takes_no_memory() -> None:
    Path("a.npz").write_bytes(bomb(3 << 30, 3 << 30))
    done = run(
        """
        import resource
        from tests.peak import own_peak
        try: load("a.npz")
        except Exception as error: print(type(error).__name__, error)
        print(own_peak())
        resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
        try: load("a.npz")
        except Exception as error: print(type(error).__name__, error)
        """
    )
    alone, peak, limited = done.stdout.decode().splitlines()[:3]
    assert alone.startswith("WorkError a.npz:x is truncated: its header declares (3221225472,)"), done
    assert int(peak) < 1 << 30
    assert limited.startswith("WorkError a.npz:x does not fit into memory: its header declares (3221225472,)"), done


def test_numbers_and_arrays_in_one_file(tmp_path: Path) -> None:
    path = str(tmp_path / "bundle")
    arrays = {"a": np.arange(6.0).reshape(2, 3).T, "none": np.zeros((0, 2), np.float32), "n": np.array(3)}
    plain = {
        "large": 2**100,
        "tiny": 5e-324,
        "inf": -math.inf,
        "yes": True,
        "nothing": None,
        "text": "ü\n",
        "list": [1, [2.5]],
    }
    save_bundle(path, {"arrays": arrays, "plain": plain, "half": np.float16(0.1)})
    found = load_bundle(path)
    assert found["plain"] == plain and type(found["half"]) is np.float16 and found["half"] == np.float16(0.1)
    for name, array in arrays.items():
        assert np.array_equal(found["arrays"][name], array) and found["arrays"][name].dtype == array.dtype
    # Others read it too.
    assert set(np.load(path)) == {"contents", "0", "1", "2", "3"}
    with pytest.raises(FileNotFoundError):
        load_bundle(f"{path}2")
    os.symlink("nowhere", f"{path}3")
    with pytest.raises(FileNotFoundError):
        load_bundle(f"{path}3")
