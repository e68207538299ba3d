"""Names as expressions have them: a letter and its accent are one character."""

from __future__ import annotations


def composed(name: str) -> str:
    """A name whose accents are part of their letters; in what is pasted, and in names of files, they may follow them.

    >>> composed("e\\u0301") == "é"
    True
    """
    if name.isascii():
        return name
    # Imported here: most names need it not.
    from unicodedata import normalize

    return normalize("NFC", name)
