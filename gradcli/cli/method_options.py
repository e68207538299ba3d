"""The options of `gradcli minimize` that are those of its methods: as the rows of the methods have them."""

from __future__ import annotations

from functools import cache
from typing import Any

import click

from gradcli.cli.command_kinds import ExpressionCommand
from gradcli.errors import GradcliError, quoted

#: Where the list of methods stands in the help.
METHODS_HERE = "{methods}"


class MethodCommand(ExpressionCommand):
    """A command with the options of all methods after --method, and a help that lists the methods.

    Both are made when somebody asks for them, since the rows of the methods load NumPy.
    """

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        found = super().get_params(ctx)
        place = 1 + next(k for k, param in enumerate(found) if param.name == "method")
        return [*found[:place], *_options(), *found[place:]]

    @property
    def help(self) -> str | None:
        return None if self._help is None else self._help.replace(METHODS_HERE, _listed())

    @help.setter
    def help(self, text: str | None) -> None:
        self._help = text


class _Setting(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """A number, or several with commas between them; the row of the option decides whether it can be."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            found = [int(part) if part.strip("+- ").isdecimal() else float(part) for part in str(value).split(",")]
        except ValueError:
            from gradcli.optimize.methods import OPTIONS

            assert param is not None and param.name is not None
            wanted = OPTIONS[param.name].wanted
            raise GradcliError(f"{param.opts[0]} takes {wanted}, not {quoted(str(value).strip())}") from None
        return found[0] if len(found) == 1 else tuple(found)


@cache
def _options() -> list[click.Option]:
    """The options that any method has."""
    from gradcli.optimize.methods import METHODS, OPTIONS

    several = {name for method in METHODS.values() for name, usual in method.options.items() if _is_list(usual)}
    return [
        click.Option([dashed(name)], type=_Setting(), metavar="A,B" if name in several else "NUMBER", help=option.doc)
        for name, option in OPTIONS.items()
    ]


def _is_list(value: Any) -> bool:
    return isinstance(value, tuple | list)


def dashed(option: str) -> str:
    """An option of the methods as it is written on the command line."""
    return f"--{option.replace('_', '-')}"


def _listed() -> str:
    """The methods with their options, for the help."""
    from gradcli.optimize.methods import METHODS

    width = max(map(len, METHODS)) + 2
    lines = []
    for method in METHODS.values():
        lines.append(f"{method.name:{width}}{method.doc}")
        usual = [dashed(name) + ("" if v is None else f" {_shown(v)}") for name, v in method.options.items()]
        lines.append(f"{'':{width}}{', '.join(usual)}")
    return "\b\nMethods, with the defaults of their options:\n" + "\n".join([f"  {line}" for line in lines])


def _shown(value: Any) -> str:
    return ",".join([f"{part:g}" for part in value]) if _is_list(value) else f"{value:g}"
