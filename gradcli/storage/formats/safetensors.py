"""Safetensors: named tensors as raw bytes behind a JSON header, read and written without any package."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np

from gradcli.errors import WorkError
from gradcli.storage.file_array import FileArray
from gradcli.storage.formats.source import Form, Source, not_understood, refuse_large
from gradcli.storage.header import MAX_DIMENSIONS, Array, DType, Header, brief, choose, printable
from gradcli.storage.loading import finish, receive
from gradcli.storage.pipes import take

_CODES = {"BOOL": "bool"}
_CODES |= {f"{kind.upper()}{bits}": f"<{kind}{bits // 8}" for kind in "iu" for bits in (8, 16, 32, 64)}
_CODES |= {f"F{bits}": f"<f{bits // 8}" for bits in (16, 32, 64)}
# A float32 without its last bits.
_BFLOAT = "BF16"
# The format itself allows no more.
_MAX_HEADER = 100_000_000


def look(source: Source) -> Form | Header | None:
    """By the header."""
    header, bfloat = _found(source)
    return (header.shape, np.dtype(np.float32)) if bfloat else header


def names(source: Source) -> list[str]:
    """The tensors."""
    return list(_entries_of(source)[0])


def load(source: Source) -> Array | Header:
    """The tensor with the key, or the only one; bfloat16 becomes float32, which has all its numbers."""
    header, bfloat = _found(source)
    if source.size is not None:
        source.file.seek(header.offset)
    else:
        not_understood(source, "is not a regular file, which .safetensors has to be")
    if not bfloat:
        return header
    refuse_large(source, (header.shape, np.dtype(np.float32)))
    bits = finish(receive(source.file, header), header)
    return (bits.astype(np.uint32) << 16).view(np.float32).reshape(header.shape)


def _entries_of(source: Source) -> tuple[dict[str, Any], int]:
    """What the header tells of each tensor, and how long it is."""
    start = take(source.file, 8)
    size = struct.unpack("<Q", start)[0] if len(start) == 8 else None
    if size is None or size > _MAX_HEADER or (source.size is not None and size > source.size - 8):
        not_understood(source, "is empty" if not start else "is not a safetensors file, or is truncated")
    text = take(source.file, size)
    if len(text) < size:
        not_understood(source, "is truncated: it ends inside its header")
    try:
        entries = json.loads(text)
    except (ValueError, RecursionError):
        entries = None
    if not isinstance(entries, dict):
        not_understood(source, "is corrupt: its header cannot be understood")
    entries.pop("__metadata__", None)
    return entries, size


def _found(source: Source) -> tuple[Header, bool]:
    """Where the tensor lies, and whether it is of bfloat16."""
    entries, size = _entries_of(source)
    key = choose(source.name, list(entries), source.key, "tensor")
    code, shape, begin, end = _entry(source, key, entries[key])
    dtype = np.dtype("<u2" if code == _BFLOAT else _CODES[code])
    if end - begin != math.prod(shape) * dtype.itemsize:
        not_understood(source, f"is corrupt: {printable(key)!r} has {end - begin} bytes, which is not its shape")
    start = 8 + size
    if source.size is not None and start + end > source.size:
        place = f"{printable(key)!r} ends at byte {start + end}, and there are {source.size}"
        not_understood(source, f"is truncated: {place}")
    return Header(f"{source.path}:{key}", shape, dtype, False, start + begin), code == _BFLOAT


def _entry(source: Source, key: str, entry: Any) -> tuple[str, tuple[int, ...], int, int]:
    """The dtype, the shape and the place that the header gives a tensor."""
    try:
        code, shape, (begin, end) = entry["dtype"], tuple(entry["shape"]), entry["data_offsets"]
        # Of negative or huge sizes, and what is no number, nothing is believed.
        good = len(shape) <= MAX_DIMENSIONS and all(type(n) is int and 0 <= n < 2**63 for n in (*shape, begin, end))
        good = good and type(code) is str and math.prod(n or 1 for n in shape) < 2**59
    except (TypeError, KeyError, ValueError):
        good = False
    if not good:
        not_understood(source, f"is corrupt: its header says nothing sensible of {printable(key)!r}")
    if code not in _CODES and code != _BFLOAT:
        known = ", ".join([*_CODES, _BFLOAT])
        raise WorkError(f"{source.name}: {printable(key)!r} is {brief(printable(str(code)))}; supported are {known}")
    return code, shape, begin, end


def encode(array: Array | FileArray, name: str, path: str) -> Iterator[memoryview]:
    """One tensor, called `name`."""
    dtype: DType = array.dtype.newbyteorder("<")
    code = next(code for code, known in _CODES.items() if np.dtype(known) == dtype)
    entry = {"dtype": code, "shape": list(array.shape), "data_offsets": [0, array.nbytes]}
    text = json.dumps({name: entry}).encode()
    # Data begins at a multiple of eight.
    text += b" " * (-len(text) % 8)
    yield memoryview(struct.pack("<Q", len(text)) + text)
    for block in array.blocks() if isinstance(array, FileArray) else [np.asarray(array, order="C").reshape(-1)]:
        yield block.astype(dtype, copy=False).view(np.uint8).data
