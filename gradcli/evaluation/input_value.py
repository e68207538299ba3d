"""The value of an input as it is written on a command line: a file, or an expression without names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from gradcli.errors import UnknownNameError, told_of
from gradcli.language.parse import parse

if TYPE_CHECKING:
    from gradcli.storage import Look

# No expression begins like this. Also in gradcli.storage.spec, which would load NumPy.
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_HINT = "a value is a number, a list, a call such as ones(2,2), or a file: @PATH, or a name ending in .npy"


class InputValue(NamedTuple):
    """The value of an input: a file (`path`) or an expression without free names (`text`)."""

    name: str
    path: str | None
    text: str | None

    @classmethod
    def written(cls, name: str, value: str) -> InputValue:
        """What a VALUE stands for; mistakes in it are reported before anything is read or computed."""
        if value.startswith("@"):
            return cls(name, value[1:], None)
        if _URL.match(value) or value.endswith((".npy", ".npz")) or ".npz:" in value:
            return cls(name, value, None)
        with _value_of(name):
            parse(value)
        return cls(name, None, value)

    def load(self, dtype: str | None) -> Any:
        """The array, read or computed, or the file opened when it is large; literals take `dtype` when one is given."""
        if self.path is not None:
            from gradcli.storage import open_array

            return open_array(self.path)
        from gradcli.evaluation.values import literal_array

        assert self.text is not None
        with _value_of(self.name):
            return literal_array(self.text, dtype)

    def look(self, dtype: str | None) -> Look:
        """What `load` would give, without its elements: of a file, only the header is read."""
        from gradcli.storage import Look, look_at

        if self.path is not None:
            return look_at(self.path)
        from gradcli.evaluation.values import literal_node

        assert self.text is not None
        with _value_of(self.name):
            node = literal_node(self.text, dtype)
        return Look(node.shape, node.dtype, node.strides is None, False)


@contextmanager
def _value_of(name: str) -> Iterator[None]:
    """Within this block errors are about the value of an input."""
    with told_of(f"in the value of {name}"):
        try:
            yield
        except UnknownNameError as error:
            error.hint = _HINT
            raise
