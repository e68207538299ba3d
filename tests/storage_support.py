"""What the tests of gradcli.storage share; numpy.save and numpy.load are the independent reference."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
import textwrap
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from gradcli.errors import GradcliError, WorkError
from gradcli.storage.header import Header, check_size, parse_header
from gradcli.storage.loading import open_file, reading

ROOT = Path(__file__).resolve().parents[1]
DTYPES = ["bool"] + [f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)]
DTYPES += ["float16", "float32", "float64"]
SHAPES = [(), (0,), (1,), (7,), (3, 4), (2, 3, 4), (0, 5), (5, 0, 2), (1, 1, 1, 1)]


@pytest.fixture(autouse=True)
def own_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every test runs in an empty directory, and a warning fails it."""
    monkeypatch.chdir(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def numbers(shape: tuple[int, ...], dtype: str) -> np.ndarray:
    return np.random.default_rng(len(shape)).integers(0, 2 if dtype == "bool" else 100, shape).astype(dtype)


def same(left: np.ndarray, right: np.ndarray) -> bool:
    return left.shape == right.shape and left.dtype == right.dtype and np.array_equal(left, right)


def run(code: str, **options: object) -> subprocess.CompletedProcess[bytes]:
    """Run Python code that uses gradcli.storage in a process of its own."""
    code = "import sys, os, numpy as np\nfrom gradcli.storage import *\n" + textwrap.dedent(code)
    return subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=300, env=environment(), **options)


def environment() -> dict[str, str]:
    # A test may not depend on how this one's output is buffered.
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    return {**inherited, "PYTHONPATH": str(ROOT)}


def read_header(path: str) -> Header:
    """The header of a .npy file, checked against the file's size."""
    with reading(path), open_file(path) as file:
        header = parse_header(file, path)
        check_size(header, os.fstat(file.fileno()).st_size)
        return header


def npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=True)
    return stream.getvalue()


def with_header(header: str, data: bytes = b"", version: int = 1) -> bytes:
    """A .npy file with a header written by hand."""
    text = header.encode("utf-8" if version == 3 else "latin1") + b"\n"
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H" if version == 1 else "<I", len(text)) + text + data


def failure(action: Callable[[], object], kind: type[GradcliError] = WorkError) -> str:
    """The one line that `action` fails with."""
    with pytest.raises(GradcliError) as caught:
        action()
    assert (WorkError if isinstance(caught.value, WorkError) else GradcliError) is kind
    assert "\n" not in caught.value.message
    return caught.value.render()
