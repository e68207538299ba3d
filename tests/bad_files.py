"""The files of tests/bad_requests.txt: one of each kind is good, the others are wrong in one way each."""

from __future__ import annotations

import os
import struct
import zipfile
from pathlib import Path

import numpy as np


def make() -> None:
    """Create them in the current directory."""
    np.save("good.npy", np.arange(3.0))
    np.savez("good.npz", first=np.arange(3.0), second=np.zeros(2))
    os.mkdir("folder")
    whole = Path("good.npy").read_bytes()
    contents = {
        "empty.npy": b"",
        "text.npy": b"1 2 3\n",
        "pickle.npy": b"\x80\x04K\x01.",
        "short.npy": whole[:-1],
        "header.npy": whole[:40],
        "lies.npy": _npy("<f8", "(9,)", bytes(16)),
        "huge.npy": _npy("<f8", "(1000000, 1000000)", bytes(16)),
        "negative.npy": _npy("<f8", "(-3,)"),
        "bools.npy": _npy("|b1", "(2,)", b"\x01\x02"),
        "binary.txt": b"x +\n\xff\xfe",
        "lines.txt": b"y = x + 1\nz = y *\nz\n",
        "expr.txt": b"x",
    }
    for name, content in contents.items():
        Path(name).write_bytes(content)
    np.save("objects.npy", np.array([{}, 1], object), allow_pickle=True)
    np.save("records.npy", np.zeros(2, [("a", "f4"), ("b", "i4")]))
    np.save("complex.npy", np.zeros(2, complex))
    np.save("strings.npy", np.array(["a", "b"]))
    np.save("dates.npy", np.array(["2020-01-01"], "M8[D]"))
    with zipfile.ZipFile("corrupt.npz", "w") as archive:
        archive.writestr("x.npy", whole)
    data = bytearray(Path("corrupt.npz").read_bytes())
    data[data.index(b"NUMPY") + 125] ^= 0xFF
    Path("corrupt.npz").write_bytes(data)
    Path("cut.npz").write_bytes(bytes(data[:100]))


def _npy(dtype: str, shape: str, data: bytes = b"") -> bytes:
    """A .npy file with a header that may say anything."""
    header = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}\n".encode("latin1")
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + data
