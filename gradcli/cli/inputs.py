"""Command-line items: NAME=VALUE inputs, with files or literals as values."""

from __future__ import annotations

import re
from typing import Any

from gradcli.errors import GradcliError
from gradcli.language.parse import parse

STANDARD_INPUT = "-"
# No expression begins like this. Also in gradcli.storage.spec, which would load NumPy.
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")


class InputValue:
    """The value of an input: a file (`path`) or an expression without free names (`text`)."""

    __slots__ = ("name", "path", "text")

    def __init__(self, name: str, value: str) -> None:
        self.name = name
        self.path = _file_of(value)
        self.text = value if self.path is None else None
        if self.text is not None:
            try:
                # Mistakes are reported before anything is read or computed.
                parse(self.text)
            except GradcliError as error:
                raise _in_value(error, name) from None

    def load(self, dtype: str | None) -> Any:
        """The array, read or computed, or the file opened when it is large; literals take `dtype` when one is given."""
        if self.path is not None:
            from gradcli.storage import open_array

            return open_array(self.path)
        from gradcli.evaluation.values import literal_array

        assert self.text is not None
        try:
            return literal_array(self.text, dtype)
        except GradcliError as error:
            raise _in_value(error, self.name) from None

    def look(self, dtype: str | None) -> Any:
        """What `load` would give, without its elements: of a file, only the header is read."""
        if self.path is not None:
            from gradcli.storage import look_at

            return look_at(self.path)
        from gradcli.evaluation.values import literal_form
        from gradcli.storage import Look

        assert self.text is not None
        try:
            form = literal_form(self.text, dtype)
            return Look(form.shape, form.dtype, form.packed, False)
        except GradcliError as error:
            raise _in_value(error, self.name) from None


def load_all(values: list[tuple[InputValue, str | None]]) -> list[Any]:
    """What several values stand for, each with the dtype that its literals take. They share the memory that may be
    used: what does not fit any more beside those before stays in its file."""
    from gradcli.machine.limits import MEMORY_LIMIT, limited

    limit = MEMORY_LIMIT.get()
    found = []
    for value, dtype in values:
        with limited(limit):
            array = value.load(dtype)
        if limit is not None and not getattr(array, "streams", False):
            limit = max(1, limit - array.nbytes)
        found.append(array)
    return found


def _in_value(error: GradcliError, name: str) -> GradcliError:
    if error.message.startswith("unknown name"):
        error.hint = "a value is a number, a list, a call such as ones(2,2), or a file: @PATH, or a name ending in .npy"
    error.message = f"in the value of {name}: {error.message}"
    return error


def _file_of(value: str) -> str | None:
    """The file that a VALUE names, or None when it is an expression."""
    if value.startswith("@"):
        return value[1:]
    if _URL.match(value):
        return value
    if value.endswith((".npy", ".npz")) or ".npz:" in value:
        return value
    return None


def parse_inputs(items: list[str]) -> list[InputValue]:
    """The inputs of a command line, each name once."""
    return [InputValue(name, value) for name, value in split_inputs(items)]


def split_inputs(items: list[str]) -> list[tuple[str, str]]:
    """The names and values of a command line, each name once."""
    values: dict[str, str] = {}
    for item in items:
        name, equals, value = item.partition("=")
        if not equals or not name.strip().isidentifier():
            raise GradcliError(
                # What begins with a minus sign may have been given a space in front: see `ExpressionCommand`.
                f"{item.strip()!r} is not an input",
                hint="inputs are written NAME=VALUE, as in x=data.npy or 'x=ones(2,2)'",
            )
        name = name.strip()
        if name in ("None", "True", "False"):
            hint = "choose another name"
            raise GradcliError(f"{name} is a constant of the language and cannot be an input", hint=hint)
        if name in values:
            raise GradcliError(f"the input {name!r} is given twice")
        if not value.strip():
            raise GradcliError(f"the input {name!r} has no value", hint=f"as in {name}=3 or {name}=@{name}.npy")
        values[name] = value
    return list(values.items())
