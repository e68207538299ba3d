"""Functions of vectors as functions of arrays, for the tests and the benchmark of them."""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from gradcli.engine.native import lookups, processor, row_pieces, transpose
from gradcli.engine.native.builder import VectorBuilder
from gradcli.engine.native.processor import MachineCode, Processor, host, object_code
from gradcli.engine.native.vectors import Vector

Body = Callable[..., Vector]
AVX2 = Processor("haswell", "+avx2,+fma")
AVX512 = Processor("skylake-avx512", "+avx512f,+avx512vl,+avx512dq,+avx512bw,+avx512cd,+fma")
BASELINE = Processor("x86-64-v2")


def other_processors() -> list[Processor]:
    """Those whose code runs on this machine too."""
    if platform.machine() not in ("x86_64", "AMD64"):
        return [Processor("generic")]
    features = set(host().features.split(","))
    wanted = {AVX2: {"+avx2", "+fma"}, AVX512: {"+avx512vl", "+avx512dq", "+avx512bw"}}
    return [BASELINE, *(one for one, needed in wanted.items() if needed <= features)]


def module_text(body: Body, operands: Sequence[Any], lanes: int) -> tuple[str, np.dtype]:
    """A function `loop(operands..., result, n)`, and the dtype of its result."""
    v = VectorBuilder(lanes, block="loop")
    dtypes = [np.dtype(dtype) for dtype in operands]
    result = body(v, *(v.load(f"%p{i}", dtype) for i, dtype in enumerate(dtypes)))
    v.store(result, "%p")
    names = [*(f"{i}" for i in range(len(dtypes))), ""]
    places = [
        f"  %p{name} = getelementptr i8, ptr %a{name}, i64 %o{name}\n"
        for name, dtype in zip(names, [*dtypes, result.dtype], strict=True)
    ]
    offsets = [
        f"  %o{name} = mul i64 %i, {dtype.itemsize}\n"
        for name, dtype in zip(names, [*dtypes, result.dtype], strict=True)
    ]
    text = (
        f"define void @loop({', '.join(f'ptr %a{name}' for name in names)}, i64 %n) {{\n"
        f"entry:\n  br label %loop\nloop:\n  %i = phi i64 [0, %entry], [%next, %{v.block}]\n"
        + "".join(offsets + places)
        + "\n".join(v.lines)
        + f"\n  %next = add i64 %i, {lanes}\n  %more = icmp ult i64 %next, %n\n"
        "  br i1 %more, label %loop, label %done\ndone:\n  ret void\n}\n"
    )
    return "\n".join([*v.declarations.values(), text]), result.dtype


class ArrayFunction:
    """The body, compiled, on arrays of the same length; those that are no whole number of vectors are padded."""

    def __init__(self, body: Body, *operands: Any, lanes: int = 16, processor: Processor | None = None) -> None:
        text, self.dtype = module_text(body, operands, lanes)
        self.lanes, self.operands = lanes, [np.dtype(dtype) for dtype in operands]
        self._code = MachineCode(object_code(text, processor))
        self.call = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * (len(operands) + 1), ctypes.c_int64)(
            self._code.address("loop")
        )

    def __call__(self, *arrays: Any) -> np.ndarray:
        count = len(arrays[0])
        padded = -(-count // self.lanes) * self.lanes
        given = [np.zeros(padded, dtype) for dtype in self.operands]
        for array, place in zip(arrays, given, strict=True):
            place[:count] = array
        out = np.empty(padded, self.dtype)
        self.call(*(array.ctypes.data for array in given), out.ctypes.data, padded)
        return out[:count]


def same_bits(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether all elements agree to the bit, but for what a NaN has in it."""
    if a.dtype != b.dtype:
        return False
    if a.dtype.kind != "f":
        return bool(np.array_equal(a, b))
    nan = np.isnan(a)
    bits = f"u{a.dtype.itemsize}"
    return bool(np.array_equal(nan, np.isnan(b)) and np.array_equal(a.view(bits)[~nan], b.view(bits)[~nan]))


def with_registers(monkeypatch: pytest.MonkeyPatch, wide: bool) -> None:
    """Code is laid out for registers of 64 bytes, or for shorter ones, whatever this processor has."""
    for module in (lookups, processor, row_pieces, transpose):
        monkeypatch.setattr(module, "has_wide_vectors", lambda: wide)
