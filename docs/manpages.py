"""Man pages from the help of the commands: `generate.py` writes them to docs/man/, the wheel installs them."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click

from gradcli.cli.main import cli

_EXIT_STATUS = (
    ("0", "Done."),
    ("1", "A file or the machine failed, or a check has found something wrong."),
    ("2", "The request was wrong: syntax, unknown names, shapes, dtypes, options."),
    ("130", "Interrupted with Ctrl-C."),
)


def man_pages() -> Iterator[tuple[str, str]]:
    """The name of each file and its text: gradcli.1, and one for each command."""
    above = click.Context(cli, info_name="gradcli")
    yield "gradcli.1", _page(cli, above, sorted(cli.commands))
    for name in sorted(cli.commands):
        command = cli.commands[name]
        yield f"gradcli-{name}.1", _page(command, click.Context(command, above, name), [])


def _page(command: click.Command, context: click.Context, commands: list[str]) -> str:
    """A page; `commands` are those that it names."""
    name = context.command_path.replace(" ", "-")
    first, *rest = re.split(r"\n\s*\n", (command.help or "").strip())
    lines = [
        '.\\" Written by docs/generate.py from the help of the command.',
        f'.TH {name.upper()} 1 "" gradcli "gradcli manual"',
        ".SH NAME",
        f"{_text(name)} \\- {_text(_joined(first).rstrip('.'))}",
        ".SH SYNOPSIS",
        f".B {_text(context.command_path)}",
        _text(" ".join(command.collect_usage_pieces(context))),
        ".SH DESCRIPTION",
        *_paragraph(first),
    ]
    examples: list[str] = []
    for paragraph in rest:
        if paragraph.startswith("\b\nExamples:\n"):
            examples = [".SH EXAMPLES", *_verbatim(paragraph.splitlines()[2:])]
        else:
            lines += [".PP", *_paragraph(paragraph)]
    if command.epilog:
        lines += [".PP", *_paragraph(command.epilog)]
    if commands:
        lines.append(".SH COMMANDS")
        for one in commands:
            found = cli.commands[one]
            about = _joined(re.split(r"\n\s*\n", (found.help or "").strip())[0])
            lines += [".TP", f"\\fBgradcli\\-{_text(one)}\\fR(1)", _text(about)]
    lines += [".SH OPTIONS", *_options(command, context), *examples, ".SH EXIT STATUS"]
    for code, meaning in _EXIT_STATUS:
        lines += [".TP", f".B {code}", meaning]
    others = [f"\\fBgradcli\\-{_text(one)}\\fR(1)" for one in commands] or ["\\fBgradcli\\fR(1)"]
    return "\n".join([*lines, ".SH SEE ALSO", ", ".join(others)]) + "\n"


def _options(command: click.Command, context: click.Context) -> Iterator[str]:
    for param in command.get_params(context):
        record = param.get_help_record(context) if isinstance(param, click.Option) else None
        if record is not None:
            written, about = record
            yield from (".TP", f"\\fB{_text(written)}\\fR", _text(_joined(about)))


def _paragraph(text: str) -> list[str]:
    """A paragraph to fill, or one that stays as it is."""
    lines = text.splitlines()
    return _verbatim(lines[1:]) if lines[0] == "\b" else [_text(_joined(text))]


def _verbatim(lines: list[str]) -> list[str]:
    return [".nf", *[_text(line) for line in lines], ".fi"]


def _joined(text: str) -> str:
    return " ".join(text.split())


def _text(text: str) -> str:
    """Text in which nothing is a command of roff: minus signs stay minus signs, so that they can be copied."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("`", "\\(ga")
    escaped = escaped.replace("^", "\\(ha").replace("~", "\\(ti")
    # What is not ASCII has a name by its number.
    escaped = "".join([c if c.isascii() else f"\\[u{ord(c):04X}]" for c in escaped])
    return f"\\&{escaped}" if escaped.startswith(".") else escaped
