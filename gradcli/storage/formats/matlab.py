"""MATLAB's files, with SciPy; those of version 7.3 are HDF5. Arrays have at least two dimensions there.

Numbers may be stored as a smaller type than they have: only reading tells it.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from gradcli.errors import WorkError
from gradcli.storage.formats import hdf5
from gradcli.storage.formats.source import Source, as_array, decoding, package, refuse_large
from gradcli.storage.header import Array, choose, printable

_HDF5 = b"\x89HDF\r\n\x1a\n"
# What scipy.io.whosmat calls the kinds of variables that are numbers.
_KINDS = {"logical": "bool", "single": "float32", "double": "float64"}
_KINDS |= {f"{sign}int{bits}": f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)}


def names(source: Source) -> list[str]:
    """The variables."""
    if _is_hdf5(source):
        return hdf5.names(source)
    scipy = package("scipy.io", "mat", source.path)
    with decoding(source):
        return [name for name, _, kind in scipy.whosmat(source.file) if kind in _KINDS]


def load(source: Source) -> Array:
    """The variable with the key, or the only one."""
    if _is_hdf5(source):
        # Columns come first there.
        return np.asarray(hdf5.load(source).T, order="C")
    scipy = package("scipy.io", "mat", source.path)
    with decoding(source), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found: Any = scipy.whosmat(source.file)
        kinds = {name: (shape, kind) for name, shape, kind in found}
        key = choose(source.name, list(kinds), source.key, "variable")
        shape, kind = kinds[key]
        if kind not in _KINDS:
            hint = {"sparse": "full(x) makes it dense", "cell": "cell2mat(x) makes an array"}.get(kind)
            message = f"{source.name}: {printable(key)!r} is {kind}; supported are {', '.join(_KINDS)}"
            raise WorkError(message, hint=hint)
        refuse_large(source, (tuple(shape), np.dtype(_KINDS[kind])))
        source.file.seek(0)
        array = scipy.loadmat(source.file, variable_names=[key])[key]
    found_array = as_array(source._replace(key=key), array)
    return found_array.astype(np.bool_) if kind == "logical" else found_array


def _is_hdf5(source: Source) -> bool:
    # MATLAB puts a page of its own before it.
    head = source.file.read(1024)
    source.file.seek(0)
    return _HDF5 in head
