"""Options and kinds of commands that several commands share."""

from __future__ import annotations

import re
from typing import Any

import click

from gradcli.errors import GradcliError
from gradcli.machine.limits import HOUR

DTYPES = ["float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "bool"]
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}
# Where the words of the command line are kept: what was taken for an option may have been meant as the expression.
_WORDS = "gradcli.words"
#: What is expected to take longer than an hour is refused without it.
yes_option = click.option(
    "--yes",
    "time_limit",
    is_flag=True,
    callback=lambda context, option, yes: None if yes else HOUR,
    help="Compute also what is expected to take over an hour.",
)


class ExpressionCommand(click.Command):
    """A command whose expression may begin with a minus sign."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta[_WORDS] = list(args)
        flags: set[str] = {"h"}
        valued: set[str] = set()
        for param in self.params:
            letters = {o[1] for o in param.opts if o.startswith("-") and len(o) == 2}
            (flags if getattr(param, "is_flag", False) else valued).update(letters)
        words = []
        for k, word in enumerate(args):
            if word == "--":
                words += args[k:]
                break
            # A leading space means nothing to the expression and tells click that this is no option.
            words.append(word if _is_option(word, flags, valued) else f" {word}")
        return super().parse_args(ctx, words)


def _is_option(word: str, flags: set[str], valued: set[str]) -> bool:
    """Whether a word is written like one of the short options, or not like one at all."""
    if not word.startswith("-") or word == "-" or word.startswith("--"):
        return True
    for letter in word[1:]:
        if letter in valued:
            return True
        if letter not in flags:
            return False
    return True


class Size(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """A number of bytes, such as 500MB or 2GiB."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        found = re.fullmatch(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*([kmgt]?i?)b?\s*", str(value).lower())
        # More than this is no limit, whatever it is.
        count = min(float(found[1]) * _UNITS[found[2]], 2.0**63) if found is not None and found[2] in _UNITS else 0
        if count < 1:
            # A minus sign may have been given a space in front: see `ExpressionCommand`.
            raise GradcliError(f"{str(value).strip()!r} is not a size", hint="write it as 500MB, 2GB or 1.5GiB")
        return int(count)
