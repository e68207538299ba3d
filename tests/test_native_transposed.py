"""Columns of rows of all widths, taken apart and put together again in native code, at the very end of memory."""

from __future__ import annotations

import ctypes
import re

import numpy as np
import pytest

from gradcli.engine.native.builder import VectorBuilder
from gradcli.engine.native.loops import address
from gradcli.engine.native.processor import MachineCode, missing, object_code
from gradcli.engine.native.transpose import pack, pack_to, unpack, unpack_from
from tests.native_support import with_registers
from tests.test_native_bounds import SMALL, modules
from tests.test_native_passes import planned
from tests.test_native_small import at_the_end_of_memory

pytestmark = pytest.mark.skipif(missing() is not None, reason="llvmlite is not installed")


def check_reversed(v: VectorBuilder, width: int, dtype: str) -> None:
    """What a builder has written takes rows at the end of memory apart, and puts them together in reverse: nothing
    beyond the last row is looked at, nor written."""
    text = "define void @turn(ptr %from, ptr %to) {\nentry:\n" + "\n".join(v.lines) + "\n  ret void\n}\n"
    code = MachineCode(object_code("\n".join([*v.declarations.values(), text])))
    x = at_the_end_of_memory(np.empty((v.lanes, width), dtype))
    out = at_the_end_of_memory(np.empty((v.lanes + 1, width), dtype))
    x[:], out[:] = np.arange(x.size).reshape(x.shape) % 127, -1
    turn = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)(code.address("turn"))
    turn(x.ctypes.data, out[1:].ctypes.data)
    np.testing.assert_array_equal(out[1:], x[:, ::-1])
    np.testing.assert_array_equal(out[0], -1)


@pytest.mark.parametrize(
    ("dtype", "lanes"), [("float32", 16), ("float64", 8), ("float64", 16), ("int32", 32), ("int8", 16)]
)
@pytest.mark.parametrize("wide", [True, False], ids=["wide", "narrow"])
@pytest.mark.parametrize("width", range(1, 36))
def test_columns_in_reverse(width: int, wide: bool, dtype: str, lanes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever registers there are."""
    with_registers(monkeypatch, wide)
    v = VectorBuilder(lanes, block="entry")
    unpack(v, "%to", "0", pack(v, "%from", "0", np.dtype(dtype), width)[::-1])
    check_reversed(v, width, dtype)


@pytest.mark.parametrize(
    ("dtype", "lanes", "rows"),
    [("float32", 32, 16), ("float32", 16, 16), ("float64", 32, 8), ("int64", 32, 16), ("int8", 32, 16)],
)
@pytest.mark.parametrize("wide", [True, False], ids=["wide", "narrow"])
@pytest.mark.parametrize("width", [2, 3, 4, 8, 9, 16, 17, 22, 24, 25, 33])
def test_columns_by_way_of_memory(
    width: int, wide: bool, dtype: str, lanes: int, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Squares of fewer rows than there are lanes, and of fewer than columns."""
    with_registers(monkeypatch, wide)
    v, element = VectorBuilder(lanes, block="entry"), np.dtype(dtype)
    size = lanes * element.itemsize
    v.lines += [f"  %{name} = alloca i8, i64 {width * size}, align 64" for name in ("kept", "turned")]
    pack_to(v, "%from", "0", element, width, "%kept", rows)
    for k in range(width):
        v.store(v.load(address(v, "%kept", k * size), element), address(v, "%turned", (width - 1 - k) * size))
    unpack_from(v, "%to", "0", element, width, "%turned", rows, past=False)
    check_reversed(v, width, dtype)


@pytest.mark.parametrize("expression", ["sum(softmax(X, 1)**2)", "mean(logsumexp(X, 1))", "sum(cumsum(exp(X), 1)*X)"])
def test_places_of_long_code_are_looped(expression: str) -> None:
    """What a place computes is written once for rows of 12 and of 24 elements."""
    found = [modules(planned(expression, {"X": np.ones((300, width), "float32")}, SMALL)[1]) for width in (12, 24)]
    few, more = (sum(len(re.findall(r"call .*@llvm\.fma", text)) for text in texts) for texts in found)
    assert 0 < few == more
