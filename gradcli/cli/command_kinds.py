"""The kinds of command: one with headings in its help, and one whose expression may begin with a minus sign."""

from __future__ import annotations

import os
import re
from typing import Any

import click

from gradcli.cli.printing import COLOR, write_pages
from gradcli.errors import shortened
from gradcli.render.marks import Heading, Marked

_HEADINGS = ("Usage", "Example", "Examples")

# Where the words of the command line are kept: what was taken for an option may have been meant as the expression.
WORDS = "gradcli.words"
# What follows an option for a picture, and is neither an expression nor an input.
_IS_FILE = r"[^\s=()*-][^\s=()*]*\.\w{3,4}"
# The first word that begins with a minus sign and is no option.
_NO_OPTION = "gradcli.no option"


class HelpfulCommand(click.Command):
    """A command with --color, whose help has headings and goes through a pager where it is long."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.params.append(_color())

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            # click does not say whose option it is that lacks its value.
            error.ctx = error.ctx or ctx
            raise

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        option = super().get_help_option(ctx)
        if option is not None:
            option.callback = _show_help
        return option


def _color() -> click.Option:
    return click.Option(
        ["--color"],
        type=click.Choice(["auto", "always", "never"]),
        expose_value=False,
        is_eager=True,
        callback=lambda context, option, choice: COLOR.set(choice) if choice else None,
        help="Use colours [default: auto, on a terminal].",
    )


def _show_help(context: click.Context, option: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        write_pages(help_text(context))
        context.exit()


def help_text(context: click.Context) -> Marked:
    """The help of a command, its headings being such."""
    pieces: list[str] = []
    for line in context.get_help().split("\n"):
        heading, colon, rest = line.partition(":")
        is_heading = colon and (heading.strip() in _HEADINGS or not rest and heading[:1].isalpha())
        pieces += ["\n", *((Heading(f"{heading}:"), rest) if is_heading else (line,))]
    return Marked(pieces[1:])


class ExpressionCommand(HelpfulCommand):
    """A command whose expression may begin with a minus sign."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta[WORDS] = list(args)
        flags: set[str] = {"h"}
        valued: set[str] = set()
        for param in self.params:
            letters = {o[1] for o in param.opts if o.startswith("-") and len(o) == 2}
            (flags if getattr(param, "is_flag", False) else valued).update(letters)
        pictures = {word for param in self.params if isinstance(param, Picture) for word in param.opts}
        words = []
        for k, word in enumerate(args):
            if word == "--":
                words += args[k:]
                break
            if word in pictures and not re.fullmatch(_IS_FILE, " ".join(args[k + 1 : k + 2])):
                word = f"{word}="
            # A leading space means nothing to the expression and tells click that this is no option.
            if _is_option(word, flags, valued):
                words.append(word)
            else:
                words.append(f" {word}")
                ctx.meta.setdefault(_NO_OPTION, (word, ctx.command_path))
        if ctx.resilient_parsing and words and words[-1].startswith("-"):
            # An option whose value is being completed: click would leave out all that comes before it.
            words.pop()
        return super().parse_args(ctx, words)


class Picture(click.Option):
    """A picture: in the terminal where the option is given alone, and then "", else the file after it."""


def hint_of_no_option() -> str | None:
    """A hint where a word that is like an option was taken for the expression, or for an input."""
    context = click.get_current_context(silent=True)
    if context is None or _NO_OPTION not in context.meta:
        return None
    word, command = context.meta[_NO_OPTION]
    return (
        f"{shortened(word)} is not an option of `{command}` and was taken for an expression; "
        "one that begins with a minus sign must follow --"
    )


def hint_of_file(text: str) -> str | None:
    """A hint where an expression that is wrong is the name of a file, which may hold the one that is meant."""
    context = click.get_current_context(silent=True)
    words = [] if context is None else context.meta.get(WORDS, [])
    if text not in words or "\0" in text or any(word.startswith((f"{text}=", f"{text}:")) for word in words):
        # Also not where it is an input.
        return None
    if "".join(words[: words.index(text)][-1:]).startswith("-"):
        # The value of an option.
        return None
    path = text.removeprefix("@")
    return f"the expression in a file is read with -f {path}" if os.path.isfile(path) else None


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
