"""The names of what a file holds, for whoever types them: arrays of an archive, columns of a table."""

from __future__ import annotations

import os

from gradcli.errors import GradcliError
from gradcli.machine.endings import format_of
from gradcli.storage.archive import names_of
from gradcli.storage.formats.dispatch import codec_of
from gradcli.storage.formats.source import Source
from gradcli.storage.spec import is_url

_MOST = 1000


def names_in(path: str) -> list[str]:
    """What can follow the path of a file and a colon, at most a thousand names; none where it cannot be told."""
    row = None if is_url(path) else format_of(path)
    # Nothing else than a file: a pipe would wait for its writer.
    if row is None or not row.keys or not os.path.isfile(path):
        return []
    try:
        with open(path, "rb") as file:
            if row.module is None:
                found = names_of(file, path)
            else:
                found = codec_of(row).names(Source(file, path, None, os.fstat(file.fileno()).st_size))
            return found[:_MOST]
    except (OSError, ValueError, GradcliError):
        return []
