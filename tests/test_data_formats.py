"""Formats of other programs; their own packages are the independent reference."""

from __future__ import annotations

import os
import pickle
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gradcli.errors import GradcliError, WorkError
from gradcli.machine.limits import TELL, limited, missing_as_nan
from gradcli.storage import FileArray, load, look_at, open_array, save
from tests.command import process
from tests.storage_support import DTYPES, SHAPES, failure, numbers, own_directory, same

__all__ = ["own_directory"]


def looked(spec: str, wanted: np.ndarray) -> None:
    look = look_at(spec)
    assert (look.shape, look.dtype) == (wanted.shape, wanted.dtype)


class TestSafetensors:
    @pytest.mark.parametrize("dtype", DTYPES)
    @pytest.mark.parametrize("shape", SHAPES)
    def test_there_and_back(self, shape: tuple[int, ...], dtype: str) -> None:
        array = numbers(shape, dtype)
        save("a.safetensors", array)
        assert same(load("a.safetensors:value"), array) and same(load("a.safetensors"), array)
        looked("a.safetensors:value", array)

    def test_the_package_reads_and_writes_the_same(self) -> None:
        safetensors = pytest.importorskip("safetensors.numpy")
        arrays = {name: numbers((3, 4), name) for name in DTYPES}
        safetensors.save_file(arrays, "a.safetensors")
        for name, array in arrays.items():
            assert same(load(f"a.safetensors:{name}"), array)
            save("b.safetensors", array)
            assert same(safetensors.load_file("b.safetensors")["value"], array)

    def test_bfloat16_becomes_float32(self) -> None:
        bits = np.array([0x3F80, 0xC000, 0x7F80, 0x0001], np.uint16)
        self.make({"w": ("BF16", [2, 2], 0, 8)}, bits.tobytes())
        wanted = (bits.astype(np.uint32) << 16).view(np.float32).reshape(2, 2)
        assert same(load("a.safetensors"), wanted) and wanted[0, 0] == 1
        looked("a.safetensors:w", wanted)

    def make(self, entries: dict[str, Any], data: bytes) -> None:
        import json

        header = {k: {"dtype": d, "shape": s, "data_offsets": [b, e]} for k, (d, s, b, e) in entries.items()}
        text = json.dumps({"__metadata__": {"format": "pt"}, **header}).encode()
        Path("a.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + data)

    def test_large_ones_stay_in_the_file(self) -> None:
        save("a.safetensors", np.arange(20_000_000, dtype=np.float64))
        opened = open_array("a.safetensors:value")
        assert isinstance(opened, FileArray) and opened[19_999_999] == 19_999_999
        done = process("eval", "sum(x)", "x=a.safetensors", "--no-grad", "--memory-limit", "40MB")
        assert done == (0, "tensor(2.0000e+14, dtype=float64)\n", "")

    @pytest.mark.parametrize(
        ("entry", "message"),
        [
            (("F32", [3], 0, 8), "a.safetensors is corrupt: 'w' has 8 bytes, which is not its shape"),
            (("F32", [2**62, 4], 0, 8), "a.safetensors is corrupt: its header says nothing sensible of 'w'"),
            (("F32", [-2], 0, 8), "a.safetensors is corrupt: its header says nothing sensible of 'w'"),
            (("F32", [True, 2], 0, 8), "a.safetensors is corrupt: its header says nothing sensible of 'w'"),
            (("F32", "ab", 0, 8), "a.safetensors is corrupt: its header says nothing sensible of 'w'"),
            (("F32", [4], 0, 16), "a.safetensors is truncated: 'w' ends at byte 103, and there are 95"),
            (("F8_E4M3", [8], 0, 8), "a.safetensors: 'w' is F8_E4M3; supported are "),
            (([], [8], 0, 8), "a.safetensors is corrupt: its header says nothing sensible of 'w'"),
        ],
    )
    def test_wrong_entries(self, entry: Any, message: str) -> None:
        self.make({"w": entry}, b"\0" * 8)
        found = failure(lambda: load("a.safetensors"), WorkError)
        assert found.startswith(
            message.rstrip("0123456789").rpartition(" at byte")[0] if "truncated" in message else message
        )

    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"1234",
            struct.pack("<Q", 2**60) + b"{}",
            struct.pack("<Q", 9) + b"{}",
            struct.pack("<Q", 2) + b"[]",
            struct.pack("<Q", 9) + b"[" * 9,
        ],
    )
    def test_damaged_headers(self, data: bytes) -> None:
        Path("a.safetensors").write_bytes(data)
        assert failure(lambda: load("a.safetensors"), WorkError).startswith("a.safetensors is ")

    def test_names(self) -> None:
        self.make({"w": ("F32", [1], 0, 4), "b": ("F32", [1], 4, 8)}, struct.pack("<ff", 1, 2))
        assert load("a.safetensors:b").tolist() == [2]
        assert failure(lambda: load("a.safetensors"), GradcliError).startswith(
            "a.safetensors holds several tensors: w, b"
        )
        assert failure(lambda: load("a.safetensors:c"), GradcliError).startswith(
            "a.safetensors has no tensor 'c'; it holds w, b"
        )


class TestParquet:
    @pytest.fixture(autouse=True)
    def package(self) -> None:
        self.arrow = pytest.importorskip("pyarrow")
        self.parquet = pytest.importorskip("pyarrow.parquet")
        self.feather = pytest.importorskip("pyarrow.feather")

    def make(self, columns: dict[str, Any], ending: str, **options: Any) -> str:
        table = self.arrow.table(columns)
        if ending == ".parquet":
            self.parquet.write_table(table, "a.parquet", **options)
        else:
            self.feather.write_feather(table, f"a{ending}", **options)
        return f"a{ending}"

    @pytest.mark.parametrize("ending", [".parquet", ".feather", ".arrow"])
    def test_columns(self, ending: str) -> None:
        name = self.make({"age": [30, 41], "name": ["Ann", "Bob"], "height": [1.75, 1.8], "ok": [True, False]}, ending)
        assert same(load(f"{name}:age"), np.array([30, 41]))
        assert same(load(f"{name}:ok"), np.array([True, False]))
        assert same(load(f"{name}:height,age"), np.array([[1.75, 30], [1.8, 41]]))
        notes: list[str] = []
        TELL.set(notes.append)
        assert same(load(name), np.array([[30, 1.75, 1], [41, 1.8, 0]]))
        TELL.set(None)
        assert notes == [f"{name}: left out 'name', which is not numeric"]
        message = failure(lambda: load(f"{name}:name"), GradcliError)
        assert message.startswith(f"{name}: the column 'name' holds ") and message.endswith("string, no numbers")
        assert failure(lambda: load(f"{name}:agee"), GradcliError).endswith("did you mean 'age'?")
        looked(f"{name}:height,age", load(f"{name}:height,age"))

    @pytest.mark.parametrize("ending", [".parquet", ".feather"])
    @pytest.mark.parametrize("dtype", DTYPES)
    def test_dtypes_stay(self, dtype: str, ending: str) -> None:
        array = numbers((5,), dtype)
        name = self.make({"x": self.arrow.array(array)}, ending)
        assert same(load(name), array[:, None]) and same(load(f"{name}:x"), array)

    @pytest.mark.parametrize("ending", [".parquet", ".feather"])
    def test_missing_values(self, ending: str) -> None:
        name = self.make({"x": [1, 2, None, 4], "b": [True, None, False, True]}, ending)
        message = failure(lambda: load(f"{name}:x"), WorkError)
        assert message.startswith(f"{name}, row 3, column 'x': a value is missing\nhint: --missing nan")
        with missing_as_nan(True):
            assert np.array_equal(load(f"{name}:x"), [1, 2, np.nan, 4], equal_nan=True)
            assert np.array_equal(load(f"{name}:b"), [1, np.nan, 0, 1], equal_nan=True)
            assert look_at(f"{name}:x").dtype == np.float64

    def test_sizes_count_against_the_limit_before_anything_is_read(self) -> None:
        # A million equal numbers take next to nothing in the file.
        self.make({"x": np.zeros(10_000_000)}, ".parquet")
        assert os.path.getsize("a.parquet") < 100_000
        with limited(1_000_000):
            assert failure(lambda: load("a.parquet"), GradcliError).startswith("a.parquet needs 80 MB")

    @pytest.mark.parametrize("ending", [".parquet", ".feather"])
    def test_damaged(self, ending: str) -> None:
        name = self.make({"x": np.arange(1000.0)}, ending)
        data = Path(name).read_bytes()
        for bad in (b"", b"nothing", data[: len(data) // 2], data[:-200] + b"\xff" * 180 + data[-20:]):
            Path(name).write_bytes(bad)
            done = process("eval", "sum(x)", f"x={name}")
            assert done.code == 1 and done.err.startswith(f"gradcli: {name} is ") and done.err.count("\n") <= 2

    def test_written_ones_are_read_by_others(self) -> None:
        done = process(
            "eval", "sum(x**2)", "x=[[1, 2], [3, 4]]", "-o", "x.grad=g.parquet", "-o", "value=v.parquet", "-q"
        )
        assert done == (0, "", "")
        table = self.parquet.read_table("g.parquet")
        assert table.column_names == ["0", "1"] and table.to_pydict() == {"0": [2, 6], "1": [4, 8]}
        assert self.parquet.read_table("v.parquet").to_pydict() == {"value": [30]}
        assert same(load("g.parquet"), np.array([[2, 4], [6, 8]], np.float32))

    def test_several_row_groups(self) -> None:
        array = np.arange(100_000.0)
        self.make({"x": array, "y": -array}, ".parquet", row_group_size=999)
        assert same(load("a.parquet:y"), -array)


class TestMatlab:
    @pytest.fixture(autouse=True)
    def package(self) -> None:
        self.scipy = pytest.importorskip("scipy.io")

    def test_variables(self) -> None:
        matrix = np.arange(6.0).reshape(2, 3)
        self.scipy.savemat("a.mat", {"A": matrix, "k": np.int32(7), "b": np.array([True, False]), "s": "text"})
        assert same(load("a.mat:A"), matrix) and same(load("a.mat:k"), np.array([[7]], np.int32))
        assert same(load("a.mat:b"), np.array([[True, False]]))
        assert failure(lambda: load("a.mat:s"), WorkError).startswith("a.mat: 's' is char; supported are ")
        assert failure(lambda: load("a.mat:B"), GradcliError).startswith(
            "a.mat has no variable 'B'; it holds A, k, b, s"
        )
        assert failure(lambda: load("a.mat"), GradcliError).startswith("a.mat holds several variables: A, k, b, s")
        looked("a.mat:A", matrix)
        done = process("eval", "sum(A@x)", "A=a.mat:A", "x=ones(3)", "--no-grad")
        assert done == (0, "tensor(15., dtype=float64)\n", "")

    def test_what_is_refused(self) -> None:
        objects = np.empty(1, object)
        objects[0] = {"a": 1}
        self.scipy.savemat("a.mat", {"cell": objects, "struct": {"x": 1}, "z": np.array([1j])})
        assert failure(lambda: load("a.mat:cell"), WorkError).startswith("a.mat: 'cell' is cell; ")
        assert failure(lambda: load("a.mat:struct"), WorkError).startswith("a.mat: 'struct' is struct; ")
        assert failure(lambda: load("a.mat:z"), WorkError).startswith("a.mat:z holds complex numbers; ")

    def test_damaged_and_large(self) -> None:
        self.scipy.savemat("a.mat", {"A": np.zeros((1000, 1000))}, do_compression=True)
        with limited(1_000_000):
            assert failure(lambda: load("a.mat"), GradcliError).startswith("a.mat needs 8 MB")
        data = Path("a.mat").read_bytes()
        for bad in (b"", b"x" * 300, data[:200], data[:300] + b"\xff" * 100 + data[400:]):
            Path("a.mat").write_bytes(bad)
            done = process("eval", "sum(x)", "x=a.mat")
            assert done.code == 1 and done.err.startswith("gradcli: a.mat ") and done.err.count("\n") == 1, done.err

    def test_those_of_version_7_3(self) -> None:
        h5py = pytest.importorskip("h5py")
        with h5py.File("a.mat", "w", userblock_size=512) as file:
            file["A"] = np.arange(6.0).reshape(2, 3).T
        assert same(load("a.mat:A"), np.arange(6.0).reshape(2, 3))


class TestHdf5:
    @pytest.fixture(autouse=True)
    def package(self) -> None:
        self.h5py = pytest.importorskip("h5py")

    def test_datasets(self) -> None:
        arrays = {f"group/{dtype}": numbers((3, 4), dtype) for dtype in DTYPES}
        with self.h5py.File("a.h5", "w") as file:
            for name, array in arrays.items():
                file[name] = array
            file["big"] = np.arange(4, dtype=">f8")
            file["scalar"] = 2.5
            file["empty"] = np.empty((0, 3))
            file.create_dataset("packed", data=np.arange(1000), compression="gzip")
        for name, array in arrays.items():
            assert same(load(f"a.h5:{name}"), array) and same(load(f"a.h5:/{name}"), array)
            looked(f"a.h5:{name}", array)
        assert same(load("a.h5:big"), np.arange(4.0)) and same(load("a.h5:scalar"), np.array(2.5))
        assert same(load("a.h5:empty"), np.empty((0, 3))) and same(load("a.h5:packed"), np.arange(1000))
        assert failure(lambda: load("a.h5"), GradcliError).startswith("a.h5 holds several datasets: ")
        assert "did you mean 'group/float32'?" in failure(lambda: load("a.h5:group/float33"), GradcliError)

    def test_what_is_refused(self) -> None:
        np.save("secret.npy", np.arange(3.0))
        with self.h5py.File("other.h5", "w") as file:
            file["x"] = np.arange(3.0)
        with self.h5py.File("a.h5", "w") as file:
            file["text"] = "abc"
            file["table"] = np.zeros(2, [("a", "f4"), ("b", "i4")])
            file["z"] = np.array([1j])
            file["link"] = self.h5py.ExternalLink("other.h5", "/x")
            file.create_dataset("raw", (3,), "f8", external=[("secret.npy", 128, 24)])
        for name, message in (
            ("text", "holds objects or text"),
            ("table", "holds records"),
            ("z", "holds complex numbers"),
        ):
            assert failure(lambda name=name: load(f"a.h5:{name}"), WorkError).startswith(f"a.h5:{name} {message}")  # type: ignore[misc]
        assert failure(lambda: load("a.h5:link"), GradcliError).startswith("a.h5 has no dataset 'link'")
        assert failure(lambda: load("a.h5:raw"), WorkError).endswith("lies in other files, which are not read")

    def test_damaged_and_large(self) -> None:
        with self.h5py.File("a.h5", "w") as file:
            file.create_dataset("x", (10**6, 10**6), "f8", chunks=True, compression="gzip")
        assert process("eval", "sum(x)", "x=a.h5").code == 1
        with limited(1_000_000):
            assert failure(lambda: load("a.h5"), GradcliError).startswith("a.h5 needs 8 TB")
        data = Path("a.h5").read_bytes()
        for bad in (b"", b"x" * 300, data[:600]):
            Path("a.h5").write_bytes(bad)
            done = process("eval", "sum(x)", "x=a.h5")
            assert done.code == 1 and done.err.startswith("gradcli: a.h5 ") and done.err.count("\n") == 1


class TestPictures:
    @pytest.fixture(autouse=True)
    def package(self) -> None:
        self.pillow = pytest.importorskip("PIL.Image")

    @pytest.mark.parametrize("ending", [".png", ".bmp", ".tif", ".tiff", ".webp", ".gif", ".jpg"])
    def test_formats(self, ending: str) -> None:
        array = np.zeros((8, 9, 3), np.uint8) + np.array([255, 0, 0], np.uint8)
        self.pillow.fromarray(array).save(f"a{ending}", **({"lossless": True} if ending == ".webp" else {}))
        found = load(f"a{ending}")
        assert found.shape == array.shape and found.dtype == np.uint8
        assert np.abs(found.astype(int) - array).max() <= (2 if ending == ".jpg" else 0)
        looked(f"a{ending}", found)

    def test_modes(self) -> None:
        grey = np.arange(12, dtype=np.uint8).reshape(3, 4)
        for mode, wanted in (("L", grey), ("1", grey > 127), ("RGBA", None), ("LA", None)):
            self.pillow.fromarray(grey).convert(mode).save("a.png")
            found = load("a.png")
            if wanted is not None:
                assert same(found, wanted)
            else:
                assert found.shape == (3, 4, len(mode)) and np.array_equal(found[..., 0], grey)
            looked("a.png", found)
        deep = (np.arange(12, dtype=np.uint16) * 5000).reshape(3, 4)
        self.pillow.fromarray(deep).save("a.png")
        assert same(load("a.png"), deep)
        self.pillow.fromarray(deep.astype(np.float32)).save("a.tif")
        assert same(load("a.tif"), deep.astype(np.float32))
        done = process("eval", "mean(x/255)", "x=a.png", "--no-grad")
        assert done.code == 0 and done.err == ""

    def test_several_pictures(self) -> None:
        frames = [self.pillow.new("L", (3, 2), k * 50) for k in range(3)]
        frames[0].save("a.gif", save_all=True, append_images=frames[1:])
        done = process("eval", "x.shape", "x=a.gif")
        assert done.err == "note: a.gif holds 3 images, of which the first is read\n" or done.code != 0
        assert load("a.gif").shape[:2] == (2, 3)

    def test_damaged_and_large(self) -> None:
        self.pillow.new("L", (3, 2)).save("a.png")
        data = Path("a.png").read_bytes()

        def claim(side: int) -> None:
            head = b"IHDR" + struct.pack(">II", side, side) + data[24:29]
            Path("a.png").write_bytes(data[:12] + head + struct.pack(">I", zlib.crc32(head)) + data[33:])

        claim(20_000)
        assert failure(lambda: load("a.png"), WorkError) == "a.png declares more pixels than pillow decodes"
        claim(10_000)
        with limited(1_000_000):
            assert failure(lambda: load("a.png"), GradcliError).startswith("a.png needs 100 MB")
        self.pillow.new("RGB", (30, 20), 7).save("b.png")
        data = Path("b.png").read_bytes()
        for bad in (b"", b"no picture", data[:60], data[:40] + b"\xff" * 30 + data[70:]):
            Path("b.png").write_bytes(bad)
            done = process("eval", "sum(x)", "x=b.png")
            assert done.code == 1 and done.err.startswith("gradcli: b.png ") and done.err.count("\n") == 1, done.err


class Trap:
    """Anything that unpickles this leaves a file behind."""

    def __reduce__(self) -> Any:
        return os.mkdir, ("unpickled",)


@pytest.mark.parametrize("name", ["a.pt", "a.pth", "a.ckpt", "a.pkl", "a.pickle", "a.joblib", "A.PT"])
def test_pickles_are_refused_with_the_line_that_converts_them(name: str) -> None:
    Path(name).write_bytes(pickle.dumps(Trap()))
    done = process("eval", "sum(x)", f"x=@{name}")
    assert process("eval", "sum(x)", f"x={name}") == done
    ending = os.path.splitext(name)[1].lower()
    assert done.code == 1
    first, hint = done.err.splitlines()
    assert first == f"gradcli: {name} is not opened: {ending} files can run code"
    assert hint.startswith("hint: if you trust it: python3 -c ") and name in hint
    assert not os.path.exists("unpickled")


def test_the_line_converts() -> None:
    np.save("b.npy", np.arange(3))
    Path("it's a.pkl").write_bytes(pickle.dumps(np.load("b.npy")))
    hint = process("eval", "sum(x)", "x=@it's a.pkl").err.partition("if you trust it: ")[2].strip()
    subprocess.run(["bash", "-c", hint.replace("python3", sys.executable, 1)], check=True)
    assert same(np.load("it's a.npy"), np.arange(3))


@pytest.mark.parametrize("name", ["a.xlsx", "a.nc", "a.zip", "a.xyz.gz"])
def test_formats_that_are_known_and_not_read(name: str) -> None:
    Path(name).write_bytes(b"anything")
    done = process("eval", "sum(x)", f"x=@{name}")
    assert done.code == 1 and done.err.startswith(f"gradcli: {name} is not opened: ")


def _without(package: str) -> dict[str, str]:
    """Variables for a process in which a package cannot be imported."""
    os.makedirs("hidden", exist_ok=True)
    Path(f"hidden/{package}.py").write_text("raise ImportError('hidden')\n")
    return {"PYTHONPATH": os.pathsep.join(["hidden", os.environ.get("PYTHONPATH", "")])}


@pytest.mark.parametrize(
    ("name", "package", "extra"),
    [
        ("a.parquet", "pyarrow", "parquet"),
        ("a.feather", "pyarrow", "parquet"),
        ("a.mat", "scipy", "mat"),
        ("a.h5", "h5py", "hdf5"),
        ("a.png", "PIL", "image"),
    ],
)
def test_a_package_that_is_missing_is_named_with_its_extra(name: str, package: str, extra: str) -> None:
    Path(name).write_bytes(b"MATLAB 5.0 and so on")
    done = process("eval", "sum(x)", f"x={name}", **_without(package))
    wanted = f'gradcli: {name} needs {package}, which is not installed\nhint: pip install "gradcli[{extra}]"\n'
    assert done == (2, "", wanted)


def test_writing_parquet_without_the_package_is_refused_before_anything_is_computed() -> None:
    done = process("eval", "sum(x)", "x=[1, 2]", "-o", "value=a.parquet", **_without("pyarrow"))
    assert done.code == 2 and 'pip install "gradcli[parquet]"' in done.err and not os.path.exists("a.parquet")
