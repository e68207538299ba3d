"""From the name of a file to the module of its format, and what is said of formats that are not read."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from typing import Protocol

from gradcli.errors import GradcliError, WorkError
from gradcli.machine.endings import PICKLES, Format, foreign_ending, format_of
from gradcli.storage.file_array import FileArray
from gradcli.storage.formats.source import Source
from gradcli.storage.header import Array, DType, Header, shown


class Codec(Protocol):
    """What a module of this folder has: `names` where files hold several things, `encode` where the table says that it
    writes; and maybe `look` and `check`."""

    def load(self, source: Source) -> Array | Header: ...
    def names(self, source: Source) -> list[str]: ...
    def encode(self, array: Array | FileArray, name: str, path: str) -> Iterator[memoryview]: ...


def codec_of(row: Format) -> Codec:
    """The module of a format, imported once it is needed."""
    return importlib.import_module(f"gradcli.storage.formats.{row.module}")


def reader_of(path: str) -> Codec | None:
    """What reads a file of this name; None for .npy and .npz, and for a name that promises nothing.

    GradcliError for the name of a format that is known and not read.
    """
    row = format_of(path)
    if row is not None:
        return codec_of(row) if row.module is not None else None
    ending = foreign_ending(path)
    if ending in PICKLES:
        raise WorkError(f"{shown(path)} is not opened: {ending} files can run code", hint=_conversion(path, ending))
    if ending is not None and os.path.basename(path).lower() != ending:
        raise WorkError(f"{shown(path)} is not opened: {ending} is not a supported format", hint=_HINTS.get(ending))
    return None


_HINTS = {
    ".xlsx": "save the sheet as CSV",
    ".xls": "save the sheet as CSV",
    ".ods": "save the sheet as CSV",
    ".gz": "compressed with gzip are read .csv.gz, .tsv.gz, .txt.gz and .json.gz",
    ".zip": "unpack it first",
    ".nc": "h5py and xarray read it, and numpy.save writes .npy",
}


def _conversion(path: str, ending: str) -> str:
    """The line that makes a .npy of a pickle, for those who trust it."""
    # Imported here: hardly anything comes to this.
    import shlex

    found, made = repr(path), repr(f"{os.path.splitext(path)[0]}.npy")
    if ending in (".pt", ".pth", ".ckpt"):
        code = f"import numpy, torch; numpy.save({made}, torch.load({found}, weights_only=True).numpy(force=True))"
    elif ending == ".joblib":
        code = f"import joblib, numpy; numpy.save({made}, joblib.load({found}))"
    else:
        code = f"import numpy, pickle; numpy.save({made}, pickle.load(open({found}, 'rb')))"
    return f"if you trust it: python3 -c {shlex.quote(code)}"


def check_encodable(path: str, name: str, shape: tuple[int, ...], dtype: DType) -> None:
    """Refuse, before anything is computed, a result that the format of `path` cannot hold."""
    row = format_of(path)
    if row is not None and row.module is not None and (check := getattr(codec_of(row), "check", None)) is not None:
        check((shape, dtype), name, path)


def encoder_of(path: str) -> Codec | None:
    """What writes a file of this name; None where that is .npy or .npz. GradcliError for a format not written."""
    row = format_of(path)
    if row is None or row.module is None:
        return None
    if not row.writes:
        raise GradcliError(f"{shown(path)} cannot be written")
    return codec_of(row)
