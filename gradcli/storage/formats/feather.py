"""Feather and Arrow files, with pyarrow: columns of a table. Only reading tells whether values are missing."""

from __future__ import annotations

from typing import Any

from gradcli.storage.formats.arrow import Table
from gradcli.storage.formats.source import Source, decoding, not_understood, package
from gradcli.storage.header import Array


def names(source: Source) -> list[str]:
    """The columns."""
    ipc = package("pyarrow.ipc", "parquet", source.path)
    with decoding(source):
        return list(ipc.open_file(source.file).schema.names)


def load(source: Source) -> Array:
    """The chosen columns."""
    ipc = package("pyarrow.ipc", "parquet", source.path)
    if source.file.read(4) == b"FEA1":
        not_understood(source, "is a Feather file of version 1", "pandas or pyarrow writes version 2")
    source.file.seek(0)
    with decoding(source):
        file = ipc.open_file(source.file)
        # Batches are looked at one after the other.
        rows = sum(file.get_batch(k).num_rows for k in range(file.num_record_batches))
        table = Table(source, file.schema, rows)

        def read(columns: list[int]) -> Any:
            kept = sorted(columns)
            options = ipc.IpcReadOptions(included_fields=kept)
            source.file.seek(0)
            found = ipc.open_file(source.file, options=options).read_all()
            return found.select([kept.index(j) for j in columns])

        return table.read(read)
