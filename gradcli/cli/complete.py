"""Completion: the line as the shell has it goes in, what its last word may become comes out as the shell wants it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

import click
from click.shell_completion import CompletionItem, ShellComplete

from gradcli.cli import candidates
from gradcli.cli.completion import SCRIPTS, VARIABLE
from gradcli.errors import GradcliError

# What a word that is not finished ends with.
_OPEN = ("=", ":", "/", ",", "@", "(")
_SEPARATORS = "|&;\n"
_PLAIN = re.compile(r"[^\w@%+=:,./~-]", re.ASCII)


class Line(NamedTuple):
    """A command line up to the cursor: the words before the last, and the last as far as it goes.

    `quote` is the one that is open in it, if any; `broken` is how much of it comes before the text that the shell
    itself replaces.
    """

    words: list[str]
    last: str
    quote: str
    broken: int


def answer(cli: click.Group, environ: Mapping[str, str], with_command: Callable[[list[str]], list[str]]) -> str:
    """The text that answers the shell that has set the variable for completion."""
    shell, _, what = environ[VARIABLE].partition("_")
    if shell not in SCRIPTS or what not in ("source", "complete"):
        hint = "`gradcli completion --help` shows how to set up completion"
        raise GradcliError(f"{VARIABLE} is for the shell itself", hint=hint)
    if what == "source":
        return SCRIPTS[shell]
    if "COMP_LINE" not in environ:
        raise GradcliError("the line to complete is missing", hint="the shell itself asks for completions")
    line = split(environ["COMP_LINE"], environ.get("COMP_WORDBREAKS", "") if shell == "bash" else "")

    def find(last: str) -> list[CompletionItem]:
        words = line.words[1:]
        if words or not (last.isidentifier() or last.startswith("-") or not last):
            words = with_command([*words, last])[:-1]
        return completions(cli, words, last)

    found = find(line.last)
    if shell == "bash":
        return "".join([f"{word}\n" for word in _for_bash([item.value for item in found], line, find)])
    if shell == "fish" and len(found) == 1 and found[0].value.endswith("("):
        # After a single word fish would close the quote, but for some signs at its end.
        found.append(CompletionItem(_more(found[0].value)))
    return "".join([f"{item.value}\t{item.help}\n" if item.help else f"{item.value}\n" for item in found])


def completions(cli: click.Group, words: list[str], last: str) -> list[CompletionItem]:
    """What the last word of a command may become, after other words."""
    finder = ShellComplete(cli, {}, "gradcli", VARIABLE)
    # An option and its value may be one word.
    option = last[: last.index("=") + 1] if last.startswith("--") and "=" in last else ""
    found: list[CompletionItem] = []
    for item in finder.get_completions(list(words), last):
        found += candidates.files(item.value) if item.type in ("file", "dir") else [item]
    shown = [CompletionItem(option + item.value, help=item.help) for item in found]
    # One word a line.
    return [item for item in shown if item.value.isprintable()]


def split(text: str, breaks: str = "") -> Line:
    """The last command of a line in words without their quotes. Outside of quotes the shell breaks words at `breaks`.

    >>> split("ls | gradcli eval 'mean(x' x=da", "=")
    Line(words=['gradcli', 'eval', 'mean(x'], last='x=da', quote='', broken=2)
    """
    words: list[str] = []
    last, quote, begun, broken = "", "", False, 0
    at = 0
    while at < len(text):
        character = text[at]
        at += 1
        if quote:
            if character == quote:
                quote = ""
            elif character == "\\" and quote == '"' and text[at : at + 1] in ('"', "\\", "$", "`"):
                last += text[at]
                at += 1
            else:
                last += character
        elif character in "'\"":
            quote, begun, broken = character, True, len(last) if breaks else 0
        elif character == "\\":
            last += text[at : at + 1]
            at += 1
        elif character in _SEPARATORS:
            words, last, begun, broken = [], "", False, 0
        elif character.isspace():
            if last or begun:
                words.append(last)
            last, begun, broken = "", False, 0
        else:
            last += character
            if character in breaks:
                # readline keeps the sign by which bash knows a host's name.
                broken = len(last) - (character == "@")
    return Line(words, last, quote, broken)


def _for_bash(found: list[str], line: Line, find: Callable[[str], list[CompletionItem]]) -> list[str]:
    """Words as readline inserts them: from where it breaks words on, quoted, with a space after what is finished."""
    if len(found) == 1 and line.quote and found[0].endswith(_OPEN):
        # readline would close the quote after a single word: it gets those that follow, or several.
        found = [item.value for item in find(found[0])] or found
        if found[0].endswith(_OPEN) and len(found) == 1:
            found = [found[0], _more(found[0])]
    return [
        _quoted(word[line.broken :], line.quote) + ("" if line.quote or word.endswith(_OPEN) else " ") for word in found
    ]


def _more(word: str) -> str:
    """A second candidate, beside which the shell takes a word for one that goes on."""
    return f"{word}…"


def _quoted(word: str, quote: str) -> str:
    if quote == "'":
        return word.replace("'", "'\\''")
    if quote:
        return re.sub(r'(["\\$`])', r"\\\1", word)
    return _PLAIN.sub(lambda found: f"\\{found[0]}", word)
