"""URLs in the place of paths: what is one, and which of them are files of this machine."""

from __future__ import annotations

import re

# One letter would be a drive.
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_LOCAL = ("file://", "local://")


def is_url(path: str) -> bool:
    """Whether `path` names an object somewhere else.

    >>> is_url("s3://bucket/x.npy"), is_url("data/x.npy")
    (True, False)
    """
    return _SCHEME.match(path) is not None


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
