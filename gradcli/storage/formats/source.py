"""What a format is given to read, and what formats have in common."""

from __future__ import annotations

import contextlib
import importlib
import math
from collections.abc import Iterator
from typing import IO, Any, NamedTuple, NoReturn

import numpy as np

from gradcli.errors import GradcliError, WorkError
from gradcli.machine.limits import MISSING_AS_NAN
from gradcli.storage.header import DTYPE_NAMES, Array, DType, Header, brief, printable, shown
from gradcli.storage.loading import check_memory

#: Shape and dtype.
Form = tuple[tuple[int, ...], DType]


class Source(NamedTuple):
    """A file opened for reading, at its beginning: `path` is what users call it, `key` what of it is meant, and
    `size` how many bytes it has, None of a pipe."""

    file: IO[bytes]
    path: str
    key: str | None
    size: int | None

    @property
    def name(self) -> str:
        """The file, for messages."""
        return shown(self.path)


def package(name: str, extra: str, path: str) -> Any:
    """A package that need not be installed; GradcliError names the extra that brings it."""
    try:
        return importlib.import_module(name)
    except ImportError:
        top = name.partition(".")[0]
        hint = f'pip install "gradcli[{extra}]"'
        raise GradcliError(f"{shown(path)} needs {top}, which is not installed", hint=hint) from None


@contextlib.contextmanager
def decoding(source: Source) -> Iterator[None]:
    """Within this block whatever a library says is damage to the file; what the system says is passed on."""
    try:
        yield
    except (GradcliError, MemoryError):
        raise
    # Each library has exceptions of its own for damaged files, few of them documented.
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        reason = " ".join(str(error).split()) or type(error).__name__
        raise WorkError(f"{source.name} is corrupt: {brief(printable(reason))}") from None


def refuse_large(source: Source, form: Form) -> None:
    """Refuse an array that cannot be held in memory, before any of it is read."""
    check_memory(Header(source.path, form[0], form[1], False, 0))


def numeric(source: Source, dtype: DType) -> DType:
    """A dtype in native byte order; WorkError for what is no supported number."""
    found = dtype.newbyteorder("=")
    if found.name not in DTYPE_NAMES:
        kinds = {"c": "complex numbers", "O": "objects or text", "S": "text", "U": "text", "V": "records"}
        what = kinds.get(found.kind, str(found))
        where = source.name if source.key is None else f"{source.name}:{printable(source.key)}"
        raise WorkError(f"{where} holds {what}; supported are {', '.join(DTYPE_NAMES)}")
    return found


def as_array(source: Source, array: Any) -> Array:
    """What a library has read, as an array of ours: numbers in native byte order and row-major order."""
    found = np.asarray(array)
    return np.asarray(found, numeric(source, found.dtype), order="C")


def missing_value(place: str = "") -> float:
    """NaN for a value that is missing at this place; WorkError unless that is what missing values become."""
    if MISSING_AS_NAN.get():
        return math.nan
    hint = "--missing nan reads missing values as NaN"
    raise WorkError(f"{place}: a value is missing" if place else "a value is missing", hint=hint)


def refuse_dimensions(form: Form, name: str, ending: str) -> None:
    """Refuse to write as a table what has more dimensions than rows and columns."""
    if len(form[0]) > 2:
        hint = "name it .npy, .npz, .json or .safetensors"
        raise GradcliError(f"{name} has shape {form[0]}, and {ending} holds rows and columns", hint=hint)


def not_understood(source: Source, reason: str, hint: str | None = None) -> NoReturn:
    """Refuse a file that is not what its name says."""
    raise WorkError(f"{source.name} {reason}", hint=hint)
