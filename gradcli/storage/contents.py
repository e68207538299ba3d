"""The names of what a file holds, for whoever types them: arrays of an archive."""

from __future__ import annotations

import os

from gradcli.errors import GradcliError
from gradcli.storage.spec import is_url

_MOST = 1000


def names_in(path: str) -> list[str]:
    """What can follow the path of a file and a colon, at most a thousand names; none where it cannot be told."""
    # Nothing else than a file: a pipe would wait for its writer.
    if is_url(path) or not path.lower().endswith(".npz") or not os.path.isfile(path):
        return []
    from gradcli.storage.archive import names_of

    try:
        with open(path, "rb") as file:
            return names_of(file, path)[:_MOST]
    except (OSError, ValueError, GradcliError):
        return []
