"""The header of a .npy file: parsed as data, and checked before anything else of the file is read."""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Sequence
from typing import IO, Any, NamedTuple

import numpy as np

from gradcli.errors import GradcliError, WorkError, did_you_mean, quoted
from gradcli.machine.composed import composed
from gradcli.storage.pipes import take

DType = np.dtype[Any]
Array = np.ndarray[Any, DType]

DTYPE_NAMES = ("bool", *(f"{u}int{n}" for u in ("", "u") for n in (8, 16, 32, 64)), "float16", "float32", "float64")
# As headers spell them: "f4" (always, when NumPy wrote the file), "f" or "float32".
_DTYPE_CODES = {spelling: d.name for d in map(np.dtype, DTYPE_NAMES) for spelling in (d.str[1:], d.char, d.name)}
# What NumPy also writes, by the first letters of its codes, and what to do about it.
_FOREIGN_KINDS = (
    ("O", "Python objects, which are never unpickled", "array.astype('float64') makes numbers"),
    ("c", "complex numbers", "save array.real and array.imag as two arrays"),
    ("SUaT", "text", None),
    ("Mm", "dates or times", "save array.astype('int64')"),
    ("V", "raw bytes", "for bfloat16, save array.astype('float32')"),
)
#: How every .npy file begins.
MAGIC = b"\x93NUMPY"
ARCHIVE_MAGICS = (b"PK\x03\x04", b"PK\x05\x06")
# NumPy writes 128 bytes, and refuses more than 10,000 when it reads.
_MAX_HEADER = 1 << 16
MAX_DIMENSIONS = 64
_MAX_BYTES = 2**63 - 1
_ENTRY = re.compile(
    r"""\s* (['"]) (?P<key>descr|fortran_order|shape) \1 \s* : \s*
    (?: (['"]) (?P<text>[^'"]*) \3 | (?P<flag>True|False) | \( (?P<tuple>[-0-9L,\s]*) \) | (?P<nested>[\[(]) )
    \s* (?: , | (?=\}) | (?<=[\[(]) )""",
    re.VERBOSE,
)
_DIMENSION = re.compile(r"\s*(-?(?:0|[1-9][0-9]*))L?\s*")


class Header(NamedTuple):
    """Where an array lies and what it is: dtype as in the file (any byte order); data from byte `offset` on."""

    path: str
    shape: tuple[int, ...]
    dtype: DType
    fortran_order: bool
    offset: int

    @property
    def nbytes(self) -> int:
        """The size of the data in bytes."""
        return math.prod(self.shape) * self.dtype.itemsize


def shown(path: str) -> str:
    """A path that is read, as it may appear in a message; never empty."""
    return "standard input" if path == "-" else printable(path) or "''"


def listed(names: Sequence[str]) -> str:
    """What a file holds, for messages: of many the first."""
    return ", ".join(map(printable, names[:20])) + (f" … ({len(names)} in all)" if len(names) > 20 else "")


def choose(name: str, names: Sequence[str], key: str | None, what: str) -> str:
    """The one of the `names` of things in a file that the key means, or the only one there is."""
    if not names:
        raise WorkError(f"{name} holds no {what}s")
    if key is None:
        if len(names) > 1:
            hint = f"name one of them: {name}:{printable(names[0])}"
            raise GradcliError(f"{name} holds several {what}s: {listed(names)}", hint=hint)
        return names[0]
    if key not in names:
        # What is written in another way is the same name.
        alike = [other for other in names if composed(other) == composed(key)]
        if len(alike) != 1:
            raise unknown_key(name, what, key, names)
        return alike[0]
    return key


def unknown_key(name: str, what: str, key: str, names: Sequence[str], holds: str = "it holds") -> GradcliError:
    """The error for a key that none of the `names` in a file is, in all formats."""
    if not key:
        hint = f"for example, {name}:{printable(names[0])}" if names else None
        return GradcliError(f"{name}: a key is missing after the colon; {holds} {listed(names)}", hint=hint)
    hint = did_you_mean(key, [printable(known) for known in names[:1000]])
    return GradcliError(f"{name} has no {what} {quoted(printable(key))}; {holds} {listed(names)}", hint=hint)


def printable(text: str) -> str:
    """A text without control characters and undecodable bytes, which could not be shown or would fool a terminal."""
    return "".join(c if c.isprintable() else "?" for c in text)


def parse_header(stream: IO[bytes], path: str, start: int = 0) -> Header:
    """Read and check the header at the current position, which is byte `start` of the file."""
    name = shown(path)
    prefix = take(stream, 8)
    if not prefix:
        raise WorkError(f"{name} is empty")
    if not prefix.startswith(MAGIC[: len(prefix)]):
        raise _foreign(prefix, name)
    version = prefix[6:]
    if len(version) == 2 and version not in (b"\x01\x00", b"\x02\x00", b"\x03\x00"):
        raise WorkError(f"{name} has version {version[0]}.{version[1]} of the .npy format; 1.0, 2.0 and 3.0 are known")
    width = 2 if version == b"\x01\x00" else 4
    field = take(stream, width)
    if len(field) < width:
        raise WorkError(f"{name} is truncated: it ends inside its header")
    size = struct.unpack("<H" if width == 2 else "<I", field)[0]
    if size > _MAX_HEADER:
        raise WorkError(f"{name} is corrupt: its header claims to be {size} bytes long")
    text = take(stream, size)
    if len(text) < size:
        raise WorkError(f"{name} is truncated: it ends inside its header")
    try:
        entries = _entries(text.decode("utf-8" if version == b"\x03\x00" else "latin1"), name)
    except UnicodeDecodeError:
        entries = {}
    return _checked_header(entries, path, start + len(prefix) + width + size)


def _foreign(prefix: bytes, name: str) -> WorkError:
    """The error for something that does not begin like a .npy file."""
    if prefix[:4] in ARCHIVE_MAGICS:
        return WorkError(f"{name} is an .npz archive, not a .npy file", hint="name one array of a file: file.npz:key")
    if prefix[:1] == b"\x80":
        return WorkError(f"{name} is not a .npy file: it looks like a pickle, and pickles are never opened")
    return WorkError(f"{name} is not a .npy file", hint="numpy.save writes one")


def _entries(text: str, name: str) -> dict[str, Any]:
    """The dictionary a header holds: parsed as data, without Python's own parser; empty when it is malformed."""
    text = text.strip()
    entries: dict[str, Any] = {}
    position = 1 if text.startswith("{") else len(text)
    while match := _ENTRY.match(text, position):
        key = match["key"]
        if key == "descr" and match["nested"]:
            raise _unsupported(name, "a structured dtype", "save each field as an array of its own")
        wanted = {"descr": "text", "fortran_order": "flag", "shape": "tuple"}[key]
        if match[wanted] is None:
            return {}
        entries[key] = match[wanted]
        position = match.end()
    return entries if text[position:].strip() == "}" else {}


def _checked_header(entries: dict[str, Any], path: str, offset: int) -> Header:
    name = shown(path)
    if len(entries) != 3:
        raise WorkError(f"{name} is corrupt: its header cannot be understood")
    dtype = _dtype(entries["descr"], name)
    shape = _shape(entries["shape"], name)
    # NumPy cannot describe (0, 2**62, 2**62) either, although it has no elements.
    if len(shape) > MAX_DIMENSIONS or math.prod(size or 1 for size in shape) * dtype.itemsize > _MAX_BYTES:
        raise WorkError(f"{name} is corrupt: its header declares an impossible shape, {brief(str(shape))}")
    display = "standard input" if path == "-" else path
    return Header(display, shape, dtype, entries["fortran_order"] == "True", offset)


def _dtype(code: str, name: str) -> DType:
    order, letters = (code[0], code[1:]) if code[:1] in tuple("<>=|") else ("=", code)
    if letters in _DTYPE_CODES:
        return np.dtype(_DTYPE_CODES[letters]).newbyteorder(order)  # type: ignore[arg-type]
    if letters in ("f16", "f12", "g", "longdouble"):
        raise _unsupported(name, "long double numbers", "save array.astype('float64')")
    for kinds, what, hint in _FOREIGN_KINDS:
        if letters[:1] and letters[0] in kinds:
            raise _unsupported(name, what, hint)
    raise _unsupported(name, f"an unknown dtype, {brief(printable(code))}", None)


def _unsupported(name: str, what: str, hint: str | None) -> WorkError:
    return WorkError(f"{name} holds {what}; supported are {', '.join(DTYPE_NAMES)}", hint=hint)


def _shape(text: str, name: str) -> tuple[int, ...]:
    parts = text.split(",")
    if not parts[-1].strip():
        parts.pop()
    elif len(parts) == 1:
        parts = ["not a tuple without a comma"]
    sizes = []
    for part in parts:
        match = _DIMENSION.fullmatch(part)
        if match is None:
            raise WorkError(f"{name} is corrupt: its header cannot be understood")
        # int() refuses thousands of digits; 20 are too many for any dimension already.
        size = int(match[1][:21])
        if size < 0 or size > _MAX_BYTES:
            raise WorkError(f"{name} is corrupt: its header declares an impossible shape, {brief(f'({text})')}")
        sizes.append(size)
    return tuple(sizes)


def brief(text: str) -> str:
    """A text short enough for one line."""
    return text if len(text) <= 80 else f"{text[:79]}…"


def promise(header: Header) -> str:
    """What a header says, for messages."""
    return f"its header declares {brief(str(header.shape))} {header.dtype.newbyteorder('=')} = {header.nbytes} bytes"


def check_size(header: Header, size: int) -> None:
    """Compare the header with a file of `size` bytes."""
    if size - header.offset < header.nbytes:
        raise truncated(header, max(0, size - header.offset))


def truncated(header: Header, found: int) -> WorkError:
    """The error for an array of which only `found` bytes exist."""
    return WorkError(f"{shown(header.path)} is truncated: {promise(header)}, {found} are there")
