"""What the name of a file says: where it is, and the format that its end promises, read or not. Loads no NumPy."""

from __future__ import annotations

import os
import re
from typing import NamedTuple

# One letter would be a drive.
_SCHEME = r"[A-Za-z][A-Za-z0-9+.-]+://"
_LOCAL = ("file://", "local://")


def is_url(path: str) -> bool:
    """Whether `path` names an object somewhere else.

    >>> is_url("s3://bucket/x.npy"), is_url("data/x.npy")
    (True, False)
    """
    return re.match(_SCHEME, path) is not None


def local_path(path: str) -> str:
    """The path that a file:// URL stands for; everything else as it is.

    >>> local_path("file:///tmp/x.npy")
    '/tmp/x.npy'
    """
    for scheme in _LOCAL:
        if path.lower().startswith(scheme):
            rest = path[len(scheme) :]
            # Of hosts only this one can be meant.
            return rest.removeprefix("localhost") if rest.startswith("localhost/") else rest
    return path


class Format(NamedTuple):
    """A format of files.

    `module` of gradcli.storage.formats reads and writes it, None for .npy and .npz, which storage itself has, and for
    what is refused. `keys` says that a file holds several things, told apart behind a colon, `text` that it is text
    and may be compressed with gzip. `writes` is whether results can have it.
    """

    endings: tuple[str, ...]
    module: str | None
    keys: bool = True
    text: bool = False
    writes: bool = False


#: All that can be read.
FORMATS = (
    Format((".npy",), None, keys=False, writes=True),
    Format((".npz",), None, writes=True),
    Format((".csv", ".tsv"), "delimited", text=True, writes=True),
    Format((".txt",), "delimited", text=True),
    Format((".json",), "json_data", text=True, writes=True),
    Format((".jsonl", ".ndjson"), "json_data", text=True),
    Format((".parquet",), "parquet", writes=True),
    Format((".feather", ".arrow"), "feather"),
    Format((".safetensors",), "safetensors", writes=True),
    Format((".mat",), "matlab"),
    Format((".h5", ".hdf5"), "hdf5"),
    Format((".png", ".jpg", ".jpeg", ".gif", ".bmp", ".tif", ".tiff", ".webp"), "image", keys=False),
)
# What holds Python objects, or programs.
PICKLES = (".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib")
# Endings that promise yet another format. Whatever else a file is called (out, out.grad, /tmp/tmp.Xy1) is .npy.
_OTHERS = (
    " .md .tex .htm .html .xml .yml .yaml .toml .ipynb .py .orc .avro .nc .zarr .fits .onnx .hdf .rds .rda .tfrecord"
    " .sqlite .db .xls .xlsx .ods .doc .docx .pdf .svg .ps .eps .wav"
    " .gz .bz2 .xz .zst .lz4 .zip .tar .tgz .7z .rar "
)
# No ending is as long as this.
_LONGEST = 20
_BY_ENDING = {ending: row for row in FORMATS for ending in row.endings}


def ending_of(path: str) -> str:
    """The known ending of a path, in small letters and with what stands before a .gz; "" where there is none.

    >>> ending_of("data/x.CSV.gz"), ending_of("x.grad"), ending_of("x.npz")
    ('.csv.gz', '', '.npz')
    """
    stem, ending = os.path.splitext(path)
    if ending.lower() == ".gz":
        row = _BY_ENDING.get(os.path.splitext(stem)[1].lower())
        return f"{os.path.splitext(stem)[1]}{ending}".lower() if row is not None and row.text else ""
    # A name that consists of an ending alone has none.
    return ending.lower() if ending.lower() in _BY_ENDING else ""


def format_of(path: str) -> Format | None:
    """The format that a path promises, None where it promises none that is read."""
    return _BY_ENDING.get(ending_of(path).removesuffix(".gz"))


def foreign_ending(path: str) -> str | None:
    """The ending of a format that is known and not read, pickles included; None for any other name."""
    ending = os.path.splitext(path)[1].lower()
    return ending if ending and (ending in PICKLES or f" {ending} " in _OTHERS) else None


def split_key(spec: str) -> tuple[str, str | None]:
    """The path and the key of "file.npz:key" or "data.csv:age"; a file that really has such a name goes first.

    >>> split_key("no/data.csv:a:b"), split_key("no/x.npy:a")
    (('no/data.csv', 'a:b'), ('no/x.npy:a', None))
    """
    cuts = _cuts(spec) if ":" in spec else None
    if not cuts or os.path.exists(spec):
        return spec, None
    cut = next((cut for cut in cuts if os.path.isfile(spec[:cut])), cuts[0])
    return spec[:cut], spec[cut + 1 :]


def _cuts(spec: str) -> list[int]:
    """Where in a word a colon stands behind the name of a file that holds several things."""
    found = [k for k, character in enumerate(spec) if character == ":"]
    # An expression may be long, and have many colons.
    return [k for k in found if (row := format_of(spec[max(0, k - _LONGEST) : k])) is not None and row.keys]


def is_data(spec: str) -> bool:
    """Whether a word is the name of a file that can be read, with or without a key.

    >>> is_data("x.npy"), is_data("x.npz:a"), is_data("x.T")
    (True, True, False)
    """
    return ending_of(spec) != "" or bool(_cuts(spec))
