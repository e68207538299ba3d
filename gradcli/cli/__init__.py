"""The command line: parse, call one function of the library, print. Only this package knows click."""

from __future__ import annotations

import sys
from typing import IO

import click

from gradcli import __version__
from gradcli.cli.evaluate import eval_command
from gradcli.errors import GradcliError

EXAMPLES = """\b
Examples:
  gradcli eval 'mean(2*(3*x+7)**2)' 'x=ones(2,2)'
  gradcli eval 'sum((X@w - y)**2)' X=data.npy y=labels.npy 'w=zeros(3)' --wrt w
  gradcli eval 'softmax(x, 0)[1]' 'x=[1, 2, 3]' --json
"""


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    help=f"Evaluate tensor expressions and differentiate them, with PyTorch's semantics.\n\n{EXAMPLES}",
    epilog="\b\nShell completion, for bash (also zsh, fish):\n"
    '  eval "$(_GRADCLI_COMPLETE=bash_source gradcli)"',
)
@click.version_option(__version__, message="gradcli %(version)s")
def cli() -> None:
    """All commands hang here."""


cli.add_command(eval_command)


def run(arguments: list[str]) -> int:
    """Run the command and give its exit code; whatever goes wrong ends as one plain report on standard error."""
    json_errors = "--json" in arguments
    try:
        for stream in (sys.stdout, sys.stderr):
            # A terminal that cannot show a character gets a mark for it instead of an exception.
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
        code = _run_click(arguments or ["--help"])
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # Whoever read the output has seen enough.
        return 0
    except GradcliError as error:
        return _report(error.render(), error, json_errors)
    except OSError as error:
        return _report(f"cannot write the output: {error.strerror}", None, json_errors, 1)
    except MemoryError:
        return _report("not enough memory for this", None, json_errors, 1)
    except KeyboardInterrupt:
        return 130


def _run_click(arguments: list[str]) -> int:
    try:
        code = cli.main(args=arguments, prog_name="gradcli", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.Abort:
        raise KeyboardInterrupt from None
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "gradcli"
        raise GradcliError(error.format_message(), hint=f"`{command} --help` shows what it takes") from None
    except click.ClickException as error:
        raise GradcliError(error.format_message()) from None


def _report(text: str, error: GradcliError | None, as_json: bool, code: int | None = None) -> int:
    """Write an error to standard error, in JSON if the results were asked for in JSON."""
    if code is None:
        code = error.exit_code if error is not None else 1
    if as_json:
        from gradcli.render.json import to_json

        known = error if error is not None else GradcliError(text)
        span = list(known.span) if known.span is not None else None
        text = to_json({"error": {"message": known.message, "span": span, "hint": known.hint}})
    else:
        text = f"gradcli: {text}"
    stream: IO[str] = sys.stderr
    try:
        stream.write(text + "\n")
        stream.flush()
    except OSError:
        # Nobody is listening to errors either.
        pass
    return code
