"""`gradcli eval`: an expression and its inputs in; value, chain and gradients out."""

from __future__ import annotations

import sys
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

import click

from gradcli.cli.outputs import Outputs
from gradcli.cli.values import STANDARD_INPUT, Value, parse_inputs
from gradcli.errors import GradcliError, WorkError
from gradcli.syntax import parse

if TYPE_CHECKING:
    from gradcli.evaluation import Result
    from gradcli.syntax import Program

HELP = """Evaluate EXPR and differentiate it.

Prints the value, the chain of backward functions and the gradient of every floating-point input.

\b
A VALUE is a file (@PATH, anything ending in .npy, file.npz:KEY; @- is a .npy on standard input)
or an expression without names: 3, [[1, 2], [3, 4]], ones(2,2), randn(3).

\b
Examples:
  gradcli eval 'mean(2*(3*x+7)**2)' 'x=ones(2,2)'
  gradcli eval 'log1p(exp(-y*(X@w)))' X=X.npy y=y.npy 'w=zeros(20)' --wrt w --grad-output 1
  gradcli eval 'x**2' x=@a.npy --grad-output 1 -o x.grad=- | gradcli eval 'sum(g)' g=@-
  gradcli eval -f loss.txt x=@x.npy -o results/
"""

DTYPES = ["float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "bool"]

# A file larger than this is no expression, but data or /dev/zero.
_LONGEST_SOURCE = 64 << 20
# For terminals and pipes that know no more than ASCII.
_PLAIN = str.maketrans({"└": "`", "├": "|", "│": "|", "─": "-", "↑": "^", "…": "..."})


class ExpressionCommand(click.Command):
    """A command whose expression may begin with a minus sign."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
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


@click.command("eval", cls=ExpressionCommand, help=HELP, no_args_is_help=False)
@click.argument("items", metavar="EXPR [NAME=VALUE]...", nargs=-1)
@click.option("--wrt", metavar="NAMES", help="Inputs to differentiate, as in x,y [default: every floating-point one].")
@click.option("--no-grad", is_flag=True, help="Only the value.")
@click.option(
    "--grad-output", metavar="VALUE", help="The vector of the vector-Jacobian product, for a value that is no scalar."
)
@click.option(
    "-f",
    "--file",
    "source",
    metavar="FILE",
    type=click.Path(),
    help="Read the expression from FILE (- is standard input); leave EXPR out.",
)
@click.option(
    "-o",
    "--output",
    "outputs",
    multiple=True,
    metavar="TARGET=PATH",
    help="Write value or x.grad as .npy to PATH (- is standard output), or all of them into a folder: -o DIR/.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on one line.")
@click.option(
    "--dtype", type=click.Choice(DTYPES), help="Element type of literals [default: float32]; files keep theirs."
)
@click.option("--seed", type=int, help="Seed of rand() and randn(); gives PyTorch's numbers.")
@click.option("--precision", type=click.IntRange(0, 30), default=4, help="Digits after the point in text [default: 4].")
@click.option("--progress/--no-progress", default=None, help="Progress on standard error [default: on a terminal].")
@click.option("-q", "--quiet", is_flag=True, help="No notes and no progress; with -o, no text either.")
def eval_command(
    items: tuple[str, ...], wrt: str | None, no_grad: bool, grad_output: str | None, source: str | None,
    outputs: tuple[str, ...], as_json: bool, dtype: str | None, seed: int | None, precision: int,
    progress: bool | None, quiet: bool,
) -> None:  # fmt: skip
    words = list(items)
    if source is None and not words:
        raise click.UsageError("Missing argument 'EXPR'.")
    program = parse(words.pop(0).lstrip(" ")) if source is None else None
    values = parse_inputs(words)
    vector = Value("--grad-output", grad_output) if grad_output is not None else None
    if [source, *(v.path for v in values), vector.path if vector else None].count(STANDARD_INPUT) > 1:
        raise GradcliError("only one thing can be read from standard input")
    if program is None:
        assert source is not None
        program = parse(_read_source(source))
    wanted = _wanted(wrt, no_grad, grad_output)
    targets = Outputs(outputs, [value.name for value in values], wanted)
    if targets.standard_output and as_json:
        raise GradcliError("--json and an array cannot both go to standard output", hint="write the array to a file")
    targets.check()
    # Of its own context, so that the default dtype and the seed are this command's alone.
    result = copy_context().run(
        _evaluate, program, values, vector, wanted, dtype, seed, _progress_line(progress, quiet)
    )
    if targets:
        targets.write(result)
    if result.note and not quiet:
        _note(result.note)
    if not targets.standard_output and not (quiet and targets):
        _print(result, as_json, precision)


def _wanted(wrt: str | None, no_grad: bool, grad_output: str | None) -> list[str] | None:
    """The inputs to differentiate: None for every floating-point one."""
    if no_grad and (wrt is not None or grad_output is not None):
        option = "--wrt" if wrt is not None else "--grad-output"
        raise GradcliError(f"--no-grad and {option} contradict each other")
    if wrt is None:
        return [] if no_grad else None
    names = [name.strip() for name in wrt.split(",")]
    if not all(names):
        raise GradcliError("--wrt takes names of inputs", hint="as in --wrt x,y; --no-grad differentiates nothing")
    return names


def _read_source(path: str) -> str:
    """The text of an expression file."""
    name = "standard input" if path == STANDARD_INPUT else path or "''"
    try:
        if path != STANDARD_INPUT:
            with open(path, "rb") as file:
                data = file.read(_LONGEST_SOURCE + 1)
        elif sys.stdin is None:
            raise WorkError("standard input is closed")
        else:
            data = sys.stdin.buffer.read(_LONGEST_SOURCE + 1)
    except FileNotFoundError as error:
        hint = "-f names the file with the expression; an expression that begins with a minus sign can follow --"
        raise WorkError(f"cannot read {name}: {error.strerror}", hint=hint) from None
    except OSError as error:
        raise WorkError(f"cannot read {name}: {error.strerror or error}") from None
    except ValueError:
        raise WorkError(f"cannot read {name}: no file can have this name") from None
    if len(data) > _LONGEST_SOURCE:
        raise WorkError(f"{name} is too long for an expression", hint=f"at most {_LONGEST_SOURCE >> 20} MB are read")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise WorkError(f"cannot read {name}: it is not UTF-8 text (line {line})") from None


def _progress_line(progress: bool | None, quiet: bool) -> Any:
    """What is told of each step done, or None when nobody is watching."""
    stream = sys.stderr
    if quiet or progress is False or stream is None or (progress is None and not stream.isatty()):
        return None
    from gradcli.cli.progress import ProgressLine

    return ProgressLine(stream)


def _evaluate(
    program: Program, values: list[Value], vector: Value | None, wrt: list[str] | None, dtype: str | None,
    seed: int | None, progress: Any,
) -> Result:  # fmt: skip
    from gradcli.evaluation import evaluate
    from gradcli.functions import manual_seed, set_default_dtype

    if seed is not None:
        manual_seed(seed)
    if dtype is not None and dtype.startswith("float"):
        set_default_dtype(dtype)
    inputs = {value.name: value.load(dtype) for value in values}
    # In float64: the value decides later what it is rounded to.
    grad_output = vector.load("float64") if vector is not None else None
    try:
        return evaluate(program, inputs, wrt, grad_output, progress=progress)
    finally:
        if progress is not None:
            progress.close()


def _note(text: str) -> None:
    if sys.stderr is None:
        return
    try:
        sys.stderr.write(f"note: {text}\n")
        sys.stderr.flush()
    except OSError:
        # The answer matters more than a note that nobody reads.
        return


def _print(result: Result, as_json: bool, precision: int) -> None:
    from gradcli.render.answer import answer_json, answer_text
    from gradcli.render.text import Style

    text = answer_json(result) if as_json else answer_text(result, Style(precision=precision))
    if sys.stdout is None:
        raise WorkError("standard output is closed")
    try:
        text.encode(sys.stdout.encoding)
    except UnicodeEncodeError:
        text = text.translate(_PLAIN)
    sys.stdout.write(text + "\n")
