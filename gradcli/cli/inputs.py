"""Command-line items: NAME=VALUE inputs, with files or literals as values, and results that are named after them."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import zip_longest
from typing import Any

from gradcli.cli.command_kinds import hint_of_no_option
from gradcli.errors import GradcliError, quoted, told_of
from gradcli.evaluation.input_value import InputValue, split_outside
from gradcli.machine.composed import composed
from gradcli.machine.endings import is_data, split_key

STANDARD_INPUT = "-"

_LATE = "only the expression and its inputs follow --: put options before it"

#: What the value of a named input stands for.
Written = Callable[[str, str], InputValue]


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


def refuse_sharing(paths: Sequence[str | None]) -> None:
    """Refuse to read two things from standard input, or from one pipe: who opens that again waits for ever."""
    seen = set()
    for path in paths:
        pipe = None if path is None else _pipe(path)
        if pipe in seen:
            name = "standard input" if path == STANDARD_INPUT else f"the pipe {path}"
            raise GradcliError(f"only one thing can be read from {name}")
        if pipe is not None:
            seen.add(pipe)


def _pipe(path: str) -> object:
    """What tells a pipe, or standard input, from all others; None for anything else."""
    file = 0 if path == STANDARD_INPUT else split_key(path)[0]
    with suppress(OSError, ValueError):
        status = os.stat(file)
        if stat.S_ISFIFO(status.st_mode):
            return status.st_dev, status.st_ino
    return path if path == STANDARD_INPUT else None


def parse_inputs(items: list[str], written: Written = InputValue.written, what: str = "input") -> list[InputValue]:
    """The inputs of a command line, or `what` is written like them, each name once; `written` says what a VALUE stands
    for."""
    return [written(name, value) for name, value in split_inputs(items, what)]


def option_inputs(option: str, items: Sequence[str], written: Written = InputValue.written) -> list[InputValue]:
    """The inputs that an option gives, which errors in them are told of."""
    with told_of(option):
        return parse_inputs(list(items), written)


def split_inputs(items: list[str], what: str = "input") -> list[tuple[str, str]]:
    """The names and values of a command line, each name once."""
    values: dict[str, str] = {}
    for item, following in zip_longest(items, items[1:], fillvalue=""):
        name, equals, value = item.partition("=")
        if not equals or not name.strip().isidentifier():
            raise GradcliError(
                # What begins with a minus sign may have been given a space in front: see `ExpressionCommand`.
                f"{item.strip()!r} is not an input",
                hint=hint_of_no_option() or (_LATE if item.startswith("-") else _written(item, following)),
            )
        name = composed(name.strip())
        if name in ("None", "True", "False"):
            hint = "choose another name"
            raise GradcliError(f"{name} is a constant of the language and cannot be an input", hint=hint)
        if name in values:
            raise GradcliError(f"the {what} {name!r} is given twice")
        if not value.strip() or value == "@":
            raise GradcliError(f"the {what} {name!r} has no value", hint=f"for example, {name}=3 or {name}=@{name}.npy")
        values[name] = value
    return list(values.items())


def _written(item: str, following: str) -> str:
    """How inputs are written, which what stands there and after it may have been meant as."""
    if following.startswith("="):
        return f"no spaces stand around =, as in {item}=3"
    example = f"x={item}" if is_data(item) and "=" not in item else "x=data.npy or 'x=ones(2,2)'"
    return f"inputs are written NAME=VALUE, as in {example}"


def bounds_of(limits: tuple[str, ...]) -> dict[str, Any] | None:
    """The least and the most of parameters by name, None for a side that is open; None where there are no bounds."""
    found: dict[str, Any] = {}
    for limit in limits:
        name, equals, text = (part.strip() for part in composed(limit).partition("="))
        pair = split_outside(text)
        if not equals or not name.isidentifier() or len(pair) != 2 or not any(part.strip() for part in pair):
            hint = "for example, --bounds a=0:10, or a=0: and a=:10 for one side"
            raise GradcliError(f"{quoted(limit)} is not the bounds of a parameter", hint=hint)
        if name in found:
            raise GradcliError(f"{name} has bounds twice", hint="give --bounds once for each parameter")
        with told_of("--bounds"):
            found[name] = tuple([_limit(name, part) if part.strip() else None for part in pair])
    return found or None


def _limit(name: str, text: str) -> Any:
    array = InputValue(name, None, text).load("float64")
    return array if array.shape else float(array)


def derived_targets(names: list[str], jacobian: Any, hessian: Any, jvp: Any, hvp: Any) -> list[str]:
    """The names of the results for inputs of these names, of those kinds that are asked for."""
    found = [f"{name}.jacobian" for name in names] if jacobian else []
    found += [f"{name},{other}.hessian" for name in names for other in names] if hessian else []
    found += ["jvp"] if jvp else []
    return found + ([f"{name}.hvp" for name in names] if hvp else [])
