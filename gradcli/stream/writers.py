"""Answers as lines of JSON and as .npy records; what a kind of record has in common is written out once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from json.encoder import encode_basestring_ascii as quoted
from typing import Any

import numpy as np

from gradcli.errors import GradcliError
from gradcli.evaluation.request import Request
from gradcli.graph.node import Node
from gradcli.render.fast_json import fast_text
from gradcli.render.json import json_pieces, to_json
from gradcli.render.parts import parts_of
from gradcli.storage.writing import header_bytes

# Beyond so many numbers there is nothing to gain.
_FEW = 1000
# More numbers are written in pieces.
_MANY = 1 << 16
# Wide enough for every float that NumPy writes out.
_WORD = np.dtype("S32")

#: Takes the bytes of an answer.
Add = Callable[[bytes], None]


class JsonWriter:
    """Writes `"value": …, "grads": {…}` for the arrays of a request's roots, or one of the two."""

    def __init__(self, request: Request, parts: Sequence[str]) -> None:
        """`parts` are "value", "grads" or both."""
        #: What stands before an array, its place among the roots, and how it is written.
        self._parts: list[tuple[str, int, Callable[[Any], str] | None]] = []
        between = ""
        if "value" in parts:
            self._parts.append(('"value": ', 0, _writer(request.roots[0])))
            between = ", "
        if "grads" in parts:
            between = self._add_gradients(request, between)
        self._end = f"{between.removesuffix(', ')}}}\n"

    def _add_gradients(self, request: Request, between: str) -> str:
        """Add the gradients after `between`; what stands after the last one."""
        if not request.names or request.note is not None:
            return f'{between}"grads": null'
        between += '"grads": {'
        for k, name in enumerate(request.names):
            between += f"{', ' if k else ''}{quoted(name)}: "
            if name in request.wanted:
                place = 1 + request.wanted.index(name)
                self._parts.append((between, place, _writer(request.roots[place])))
                between = ""
            else:
                between += "null"
        return f"{between}}}"

    @property
    def takes_many(self) -> bool:
        """Whether `lines` writes these: none is written in pieces."""
        return all(text is not None for _, _, text in self._parts)

    def lines(self, heads: Sequence[str | list[str]], computed: Sequence[Any], count: int) -> bytes | None:
        """The lines of so many records whose arrays lie one after the other, the same as `write` hands out; None where
        it cannot be told at once. `heads` are what all begin with and what each does, by turns."""
        pieces = list(heads)
        for before, place, text in self._parts:
            array = computed[place]
            assert text is not None
            column = _column(array) if text in (_short_number, _short_numbers, _numbers) else list(map(text, array))
            if column is None:
                return None
            brackets = ("[", "]") if array.ndim > 1 and text is not to_json else ("", "")
            pieces += [before + brackets[0], column, brackets[1]]
        pieces.append(self._end)
        parts: list[str] = [""] * (len(pieces) * count)
        for k, piece in enumerate(pieces):
            parts[k :: len(pieces)] = [piece] * count if isinstance(piece, str) else piece
        return "".join(parts).encode("ascii")

    def write(self, head: str, computed: Sequence[Any], add: Add) -> None:
        """Hand the line of a record to `add`; `head` is its beginning."""
        line = head
        for before, place, text in self._parts:
            if text is None:
                add(f"{line}{before}".encode("ascii"))
                for piece in json_pieces(computed[place]):
                    add(piece.encode("ascii"))
                line = ""
            else:
                line += before + text(computed[place])
        add(f"{line}{self._end}".encode("ascii"))


class TensorWriter:
    """Writes one tensor of each record on a line of its own, and nothing else."""

    def __init__(self, request: Request, target: str) -> None:
        self._place = request.targets.index(target) if target in request.targets else None

    def write(self, head: str, computed: Sequence[Any], add: Add) -> None:
        """Hand the line of a record to `add`; its other fields are left out."""
        if self._place is None:
            add(b"null\n")
            return
        for piece in json_pieces(computed[self._place]):
            add(piece.encode("ascii"))
        add(b"\n")


class NpyWriter:
    """Writes some of a request's roots as .npy records."""

    def __init__(self, roots: Sequence[Node], results: Sequence[str], targets: Sequence[str]) -> None:
        """`results` are the names of the roots, `targets` those to write."""
        for target in targets:
            if target not in results:
                hint = "the value does not depend on it, or is not a scalar, or it is not a floating-point input"
                raise GradcliError(f"{target} is None: there is no gradient to write", hint=hint)
        self._places = [results.index(target) for target in targets or results]
        self._heads = [header_bytes(roots[k].shape, roots[k].dtype) for k in self._places]

    def write(self, head: str, computed: Sequence[Any], add: Add) -> None:
        """Hand the records to `add`, one after the other; there is no place for a head."""
        for start, place in zip(self._heads, self._places, strict=True):
            array = computed[place]
            if array.size > _MANY:
                add(start)
                for _, part in parts_of(array):
                    add(part.tobytes())
            else:
                add(start + array.tobytes())


def _writer(root: Node) -> Callable[[Any], str] | None:
    """What writes arrays of this kind: the text of `to_json`, by shortcuts where they give the same; None in pieces."""
    if root.size > _MANY:
        return None
    if root.dtype.kind == "b" or root.size > _FEW or root.ndim > 1:
        return to_json
    if root.dtype.kind == "f" and root.dtype.itemsize < 8:
        return _short_number if not root.ndim else _short_numbers
    return _numbers


def _column(array: Any) -> list[str] | None:
    """The texts of numbers, or of rows of them without their brackets; None for those in other notations."""
    rows = array.ndim > 1
    fast = fast_text(array)
    if fast is not None:
        return fast[2:-2].replace(",", ", ").split("], [") if rows else fast[1:-1].split(",")
    if array.dtype.kind != "f" or array.dtype.itemsize == 8:
        text = repr(array.tolist())
        if "n" in text:
            return None
        return text[2:-2].split("], [") if rows else text[1:-1].split(", ")
    words = array.astype(_WORD).tolist()
    text = b"\n".join([b", ".join(row) for row in words] if rows else words).decode("ascii")
    return None if _differs(text) else text.split("\n")


def _numbers(array: Any) -> str:
    """Integers or doubles, as Python writes them."""
    text = repr(array.tolist())
    # NaN and infinities, as words.
    return to_json(array) if "n" in text else text


def _short_number(array: Any) -> str:
    """A number of less than double precision, in the fewest digits."""
    text = str(array[()])
    return to_json(array) if _differs(text) else text


def _short_numbers(array: Any) -> str:
    """A vector of them."""
    text = b", ".join(array.astype(_WORD).tolist()).decode("ascii")
    return to_json(array) if _differs(text) else f"[{text}]"


def _differs(text: str) -> bool:
    """Whether JSON writes otherwise what NumPy writes so: words, large numbers, and 0.0001, which float32 is just below
    of."""
    return "n" in text or "e+" in text or "e-04" in text
