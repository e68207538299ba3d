"""`gradcli eval`: an expression and its inputs in; value, chain and gradients out."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from gradcli.cli.values import STANDARD_INPUT, Outputs, Value, parse_inputs
from gradcli.errors import GradcliError, WorkError
from gradcli.syntax import parse

if TYPE_CHECKING:
    from gradcli.expression import Result
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


class ExpressionCommand(click.Command):
    """A command whose expression may begin with a minus sign."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        short = {o[1] for p in self.params for o in p.opts if o.startswith("-") and len(o) == 2} | {"h"}
        for k, word in enumerate(args):
            if word == "--":
                break
            if len(word) > 1 and word[0] == "-" and word[1] != "-" and word[1] not in short:
                # A leading space means nothing to the expression and tells click that this is no option.
                args = [*args[:k], " " + word, *args[k + 1 :]]
        return super().parse_args(ctx, args)


@click.command("eval", cls=ExpressionCommand, help=HELP, no_args_is_help=False)
@click.argument("items", metavar="EXPR [NAME=VALUE]...", nargs=-1)
@click.option("--wrt", metavar="NAMES", help="Inputs to differentiate, as in x,y [default: every floating-point one].")
@click.option("--no-grad", is_flag=True, help="Only the value.")
@click.option("--grad-output", metavar="VALUE", help="The vector of the vector-Jacobian product, for a value that is no scalar.")
@click.option("-f", "--file", "source", metavar="FILE", help="Read the expression from FILE (- is standard input); leave EXPR out.")
@click.option("-o", "--output", "outputs", multiple=True, metavar="TARGET=PATH", help="Write value or x.grad as .npy to PATH (- is standard output), or all of them into a folder: -o DIR/.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on one line.")
@click.option("--dtype", type=click.Choice(DTYPES), help="Element type of literals [default: float32]; files keep theirs.")
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
    program = parse(_read_source(source) if source is not None else words.pop(0).lstrip(" "))
    values = parse_inputs(words)
    vector = Value("--grad-output", grad_output) if grad_output is not None else None
    names = [value.name for value in values]
    if [source, *(v.path for v in values), vector.path if vector else None].count(STANDARD_INPUT) > 1:
        raise GradcliError("only one thing can be read from standard input")
    targets = Outputs(outputs, names)
    if targets.standard_output and as_json:
        raise GradcliError("--json and an array cannot both go to standard output", hint="write the array to a file")
    wanted = [] if no_grad else [name.strip() for name in wrt.split(",")] if wrt is not None else None
    result = _evaluate(program, values, vector, wanted, dtype, seed, _progress_line(progress, quiet))
    if result.note and not quiet:
        click.echo(f"note: {result.note}", err=True)
    if targets:
        _write(result, targets)
    if not targets.standard_output and not (quiet and targets):
        _print(result, as_json, precision)


def _read_source(path: str) -> str:
    """The text of an expression file."""
    try:
        if path == STANDARD_INPUT:
            data = sys.stdin.buffer.read()
        else:
            with open(path, "rb") as file:
                data = file.read()
        return data.decode("utf-8")
    except OSError as error:
        raise WorkError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise WorkError(f"cannot read {path}: it is not UTF-8 text") from None


def _progress_line(progress: bool | None, quiet: bool) -> Any:
    """What is told of each step done, or None when nobody is watching."""
    if quiet or progress is False or (progress is None and not sys.stderr.isatty()):
        return None
    from gradcli.cli.progress import ProgressLine

    return ProgressLine(sys.stderr)


def _evaluate(
    program: Program, values: list[Value], vector: Value | None, wrt: list[str] | None, dtype: str | None,
    seed: int | None, progress: Any,
) -> Result:  # fmt: skip
    from gradcli.expression import evaluate
    from gradcli.functions import manual_seed, set_default_dtype

    if seed is not None:
        manual_seed(seed)
    if dtype is not None and dtype.startswith("float"):
        set_default_dtype(dtype)
    inputs = {value.name: value.load(dtype) for value in values}
    seed_vector = vector.load(None) if vector is not None else None
    try:
        return evaluate(program, inputs, wrt, seed_vector, progress=progress)
    finally:
        if progress is not None:
            progress.close()


def _write(result: Result, targets: Outputs) -> None:
    from gradcli.storage import save_all

    arrays: dict[str, Any] = {"value": result.value.value()}
    for name, gradient in (result.grads or {}).items():
        arrays[f"{name}.grad"] = None if gradient is None else gradient.value()
    save_all(targets.items(arrays))


def _print(result: Result, as_json: bool, precision: int) -> None:
    from gradcli.render.answer import answer_json, answer_text
    from gradcli.render.text import Style

    text = answer_json(result) if as_json else answer_text(result, Style(precision=precision))
    sys.stdout.write(text + "\n")
