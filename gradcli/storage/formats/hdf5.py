"""HDF5, with h5py: a dataset by its path. Nothing outside the file is followed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from gradcli.errors import WorkError
from gradcli.storage.formats.source import Form, Source, decoding, numeric, package, refuse_large
from gradcli.storage.header import Array, choose, printable

_MOST_LISTED = 10_000


def look(source: Source) -> Form | None:
    """By what the file says of the dataset."""
    with _dataset(source) as (data, form):
        return form


def names(source: Source) -> list[str]:
    """The paths of the datasets."""
    h5py = package("h5py", "hdf5", source.path)
    with decoding(source), h5py.File(source.file, "r") as file:
        return _names(h5py, file)


def load(source: Source) -> Array:
    """The dataset."""
    with _dataset(source) as (data, form):
        refuse_large(source, form)
        out = np.empty(*form)
        if out.size:
            data.read_direct(out) if out.ndim else out.__setitem__((), data[()])
        return out


@contextlib.contextmanager
def _dataset(source: Source) -> Iterator[tuple[Any, Form]]:
    h5py = package("h5py", "hdf5", source.path)
    with decoding(source), h5py.File(source.file, "r") as file:
        names = _names(h5py, file)
        key = choose(source.name, names, None if source.key is None else source.key.strip("/"), "dataset")
        data = file[key]
        if data.external or data.is_virtual:
            raise WorkError(f"{source.name}: the data of {printable(key)!r} lies in other files, which are not read")
        yield data, (tuple(data.shape or ()), numeric(source._replace(key=key), data.dtype))


def _names(h5py: Any, file: Any) -> list[str]:
    """The paths of all datasets in the file. Links to other files are not followed."""
    found: list[str] = []

    def visit(name: str, item: Any) -> bool | None:
        # MATLAB keeps the parts of cells there.
        if isinstance(item, h5py.Dataset) and item.shape is not None and not name.startswith("#"):
            found.append(name)
        return True if len(found) >= _MOST_LISTED else None

    file.visititems(visit)
    return found
