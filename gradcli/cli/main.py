"""The group of all commands, and what becomes of whatever goes wrong in them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from contextvars import copy_context
from importlib import import_module
from itertools import chain

import click

from gradcli import __version__
from gradcli.cli.command_kinds import ExpressionCommand, hint_of_file, hint_of_no_option
from gradcli.cli.completion import VARIABLE
from gradcli.cli.help import GROUPS, NEVER_EVAL, Commands
from gradcli.cli.printing import note, report, standard_output, tell, write_text
from gradcli.errors import GradcliError, UnknownNameError, WorkError, did_you_mean, escaped
from gradcli.machine.limits import TELL

HELP = """Evaluate tensor expressions and differentiate them, with PyTorch's semantics.

`gradcli EXPR ...` is short for `gradcli eval EXPR ...`. `gradcli COMMAND --help` has the options of a command.

\b
Examples:
  gradcli 'mean(2*(3*x+7)**2)' 'x=ones(2,2)'
  gradcli eval 'mean(2*(3*x+7)**2)' 'x=ones(2,2)'
  gradcli eval 'sum((X@w - y)**2)' X=data.npy y=labels.npy 'w=zeros(3)' --wrt w
"""

EXIT_CODES = (
    "Exit codes: 0 if done; 1 if a file or the machine failed, a check found an error or a fit did not converge; 2 if "
    "the request was wrong; 130 after Ctrl-C."
)


class _Modules(Mapping[str, click.Command]):
    """The commands, each in the module of its name, which is imported when somebody asks for it."""

    def __getitem__(self, name: str) -> click.Command:
        if name not in set(self):
            raise KeyError(name)
        command: click.Command = getattr(import_module(f"gradcli.cli.{name}"), f"{name}_command")
        return command

    def __iter__(self) -> Iterator[str]:
        return chain(*GROUPS.values())

    def __len__(self) -> int:
        return sum(map(len, GROUPS.values()))


@click.group(
    cls=Commands,
    commands=_Modules(),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    help=HELP,
    epilog=EXIT_CODES,
)
@click.option(
    "-V",
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=lambda context, option, wanted: _show_version(context, wanted),
    help="Show the version and exit.",
)
def cli() -> None:
    """All commands hang here."""


def _show_version(context: click.Context, wanted: bool) -> None:
    # click's own says nothing where standard output is closed.
    if wanted and not context.resilient_parsing:
        write_text(f"gradcli {__version__}")
        context.exit()


def run(arguments: list[str]) -> int:
    """Run the command and give its exit code; whatever goes wrong ends as one plain report on standard error."""
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    # In a context of its own: the default dtype, the limits and the seed are this command's alone.
    context = copy_context()
    try:
        for stream in (sys.stdout, sys.stderr):
            # A terminal that cannot show a character gets a mark for it instead of an exception.
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="backslashreplace")
        code = context.run(_run_click, arguments or ["--help"])
        if sys.stdout is not None:
            sys.stdout.flush()
        return code
    except BrokenPipeError:
        # Whoever read the output has seen enough.
        return 0
    except KeyboardInterrupt as stopped:
        _flush()
        return getattr(stopped, "code", 130)
    except Exception as error:
        _flush()
        return context.run(_report, _as_error(error), "--json" in options)


def _flush() -> None:
    """What was written before an error is part of the answer, and comes before the report; that one came first."""
    with suppress(OSError):
        if sys.stdout is not None:
            sys.stdout.flush()


def _run_click(arguments: list[str]) -> int:
    """Run click without its own main(), which would answer a closed pipe or an interrupt in its own way."""
    TELL.set(note)
    if VARIABLE in os.environ:
        from gradcli.cli.complete import answer

        standard_output().write(answer(cli, os.environ, with_command))
        return 0
    arguments = with_command(arguments)
    try:
        with cli.make_context("gradcli", list(arguments)) as context:
            try:
                cli.invoke(context)
            except GradcliError as error:
                if isinstance(error, UnknownNameError):
                    error.hint = hint_of_no_option() or error.hint
                error.hint = hint_of_file(error.source or "") or error.hint
                raise
        return 0
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "gradcli"
        message, hint = error.format_message(), f"`{command} --help` shows what it takes"
        takes_expression = error.ctx is not None and isinstance(error.ctx.command, ExpressionCommand)
        if isinstance(error, click.NoSuchOption):
            message = error.message
            meant = _choice_named(error) or did_you_mean(error.option_name, list(error.possibilities or ()))
            if meant is not None:
                hint = meant
            elif takes_expression:
                hint += "; an expression that begins with -- must follow another --"
        raise GradcliError(_in_our_style(message), hint=hint) from None
    except click.ClickException as error:
        raise GradcliError(_in_our_style(error.format_message())) from None


def _choice_named(error: click.NoSuchOption) -> str | None:
    """A hint for an option that has the name of another one's choice, as --latex for --format latex."""
    name = error.option_name.lstrip("-")
    for option in error.ctx.command.params if error.ctx else ():
        if isinstance(option.type, click.Choice) and name in option.type.choices:
            return f"write {max(option.opts, key=len)} {name}"
    return None


def with_command(arguments: list[str]) -> list[str]:
    """Arguments that begin with a command: what is none is the expression of `eval`, or an option of it."""
    first = arguments[0]
    if first.partition("=")[0] == "--color":
        # It may stand before the command, too.
        count = 1 if "=" in first else 2
        return arguments[:count] + (with_command(arguments[count:]) if arguments[count:] else [])
    if first.isidentifier() or first in NEVER_EVAL:
        return arguments
    if first.startswith("--") and first != "--":
        options = {word for param in cli.commands["eval"].params for word in (*param.opts, *param.secondary_opts)}
        if first.partition("=")[0] not in options:
            return arguments
    return ["eval", *arguments]


def _in_our_style(message: str) -> str:
    """click's sentences as the lines that all other errors are."""
    message = message.replace("is not a valid integer range", "is not a valid integer")
    message = message.replace("is not a valid float range", "is not a valid number")
    return (message[:1].lower() + message[1:].rstrip(".")).replace("\n\t", " ")


def _as_error(error: Exception) -> GradcliError:
    """What is reported of an exception."""
    if isinstance(error, GradcliError):
        return error
    if isinstance(error, OSError) and isinstance(error.filename, str):
        # A module of ours or of a library, for which there is no descriptor left.
        return WorkError(f"cannot open {escaped(error.filename)}: {error.strerror}")
    if isinstance(error, FileNotFoundError) and error.filename is None:
        # Files are reported by name; what has none is the folder that relative paths begin at.
        return WorkError("the current folder does not exist any more", hint="change to another one")
    if isinstance(error, OSError):
        # Reading and writing files report for themselves; what is left is the text for standard output.
        return WorkError(f"cannot write standard output: {error.strerror or error}")
    if isinstance(error, MemoryError):
        return WorkError("not enough memory for this")
    if isinstance(error, ImportError):
        # Libraries of machine code that the system has no room to load, or that are installed wrongly.
        reason = " ".join(str(error).split()).rpartition("Original error was: ")[2][:200]
        return WorkError(f"cannot load the library {error.name or 'NumPy'}: {reason}")
    hint = "this is a bug in gradcli: please report it, with the command that led to it"
    return WorkError(f"internal error: {type(error).__name__}: {error}", hint=hint)


def _report(error: GradcliError, as_json: bool) -> int:
    """Write an error to standard error, in JSON if the results were asked for in JSON, and give the exit code."""
    if as_json:
        # Not gradcli.render.json, which needs NumPy.
        from json import dumps

        tell(dumps({"error": error.report()}))
    else:
        report("gradcli:", error.render())
    return error.exit_code
