"""Command-line items: NAME=VALUE inputs, with files or literals as values, and where results go."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from gradcli.errors import GradcliError
from gradcli.syntax import parse

if TYPE_CHECKING:
    from gradcli.storage.header import Array

STANDARD_INPUT = "-"


class Value:
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

    def load(self, dtype: str | None) -> Array:
        """The array, read or computed; literals take `dtype` when one is given."""
        if self.path is not None:
            from gradcli.storage import load

            return load(self.path)
        from gradcli.expression import literal_array

        assert self.text is not None
        try:
            array = literal_array(self.text)
        except GradcliError as error:
            raise _in_value(error, self.name) from None
        return array if dtype is None else array.astype(dtype)


def _in_value(error: GradcliError, name: str) -> GradcliError:
    error.message = f"in the value of {name}: {error.message}"
    return error


def _file_of(value: str) -> str | None:
    """The file that a VALUE names, or None when it is an expression."""
    if value.startswith("@"):
        return value[1:]
    if value.endswith((".npy", ".npz")) or ".npz:" in value:
        return value
    return None


def parse_inputs(items: list[str]) -> list[Value]:
    """The inputs of a command line, each name once and standard input for one of them at most."""
    values: list[Value] = []
    for item in items:
        name, equals, value = item.partition("=")
        if not equals or not name.strip().isidentifier():
            raise GradcliError(
                f"{item!r} is not an input", hint="inputs are written NAME=VALUE, as in x=data.npy or 'x=ones(2,2)'"
            )
        name = name.strip()
        if any(known.name == name for known in values):
            raise GradcliError(f"the input {name!r} is given twice")
        if not value.strip():
            raise GradcliError(f"the input {name!r} has no value", hint=f"as in {name}=3 or {name}=@{name}.npy")
        values.append(Value(name, value))
    if sum(value.path == STANDARD_INPUT for value in values) > 1:
        raise GradcliError("only one input can come from standard input")
    return values


class Outputs:
    """Where results are written: single targets, and folders that take all of them."""

    __slots__ = ("targets", "folders")

    def __init__(self, options: tuple[str, ...], names: list[str]) -> None:
        self.targets: dict[str, str] = {}
        self.folders: list[str] = []
        known = ["value", *(f"{name}.grad" for name in names)]
        for option in options:
            target, equals, path = option.partition("=")
            if not equals and (option.endswith(("/", os.sep)) or os.path.isdir(option)):
                self.folders.append(option)
            elif not equals or not path:
                raise GradcliError(f"cannot understand -o {option}", hint="write -o x.grad=FILE, -o value=FILE or -o FOLDER/")
            elif target not in known:
                raise GradcliError(f"there is no result {target!r} to write", hint=f"there are {', '.join(known)}")
            elif target in self.targets:
                raise GradcliError(f"{target} is written twice", hint="give each -o target once")
            else:
                self.targets[target] = path
        if sum(path == "-" for path in self.targets.values()) > 1:
            raise GradcliError("only one result can go to standard output")

    @property
    def standard_output(self) -> bool:
        """Whether standard output carries an array, and so no text."""
        return "-" in self.targets.values()

    def __bool__(self) -> bool:
        return bool(self.targets or self.folders)

    def items(self, results: dict[str, Array | None]) -> list[tuple[str, Array]]:
        """What to write where; asking by name for a result that there is not is an error."""
        items: list[tuple[str, Array]] = []
        for target, path in self.targets.items():
            array = results.get(target)
            if array is None:
                raise GradcliError(
                    f"{target} is None: there is no gradient to write",
                    hint="for a value that is no scalar give --grad-output 1; see also --wrt",
                )
            items.append((path, array))
        for folder in self.folders:
            if not os.path.isdir(folder):
                os.makedirs(folder)
            items += [(os.path.join(folder, f"{t}.npy"), array) for t, array in results.items() if array is not None]
        return items
