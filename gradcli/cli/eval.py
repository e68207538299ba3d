"""`gradcli eval`: an expression and its inputs in; value, chain and gradients out."""

from __future__ import annotations

from contextlib import nullcontext
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

import click

from gradcli.cli.asked import Asked
from gradcli.cli.derivative_options import Derivatives
from gradcli.cli.options import DTYPES, ExpressionCommand, Size, yes_option
from gradcli.cli.output_files import Outputs
from gradcli.cli.printing import note, write_pieces
from gradcli.cli.progress import progress_line
from gradcli.cli.scheduler_option import Elsewhere
from gradcli.errors import GradcliError

if TYPE_CHECKING:
    from gradcli.evaluation.result import Result

HELP = """Evaluate EXPR and differentiate it.

Prints the value, the chain of backward functions and the gradient of every floating-point input.

\b
A VALUE is a file (@PATH, anything ending in .npy, file.npz:KEY; @- is a .npy on standard input),
a URL such as s3://bucket/x.npy, or an expression without names: 3, [[1, 2], [3, 4]], ones(2,2), randn(3).

\b
Examples:
  gradcli eval 'mean(2*(3*x+7)**2)' 'x=ones(2,2)'
  gradcli eval 'log1p(exp(-y*(X@w)))' X=X.npy y=y.npy 'w=zeros(20)' --wrt w --grad-output 1
  gradcli eval 'x**2' x=@a.npy --grad-output 1 -o x.grad=- | gradcli eval 'sum(g)' g=@-
  gradcli eval 'sum(log(1 + exp(A@x)))' A=A.npy 'x=zeros(3)' --wrt x --hessian
  gradcli eval -f loss.txt x=@x.npy -o results/
  gradcli eval 'sum(x**2)' x=s3://bucket/x.npy --scheduler tcp://host:8786 -o x.grad=s3://bucket/g.npy
"""


@click.command("eval", cls=ExpressionCommand, help=HELP, no_args_is_help=False)
@click.argument("items", metavar="EXPR [NAME=VALUE]...", nargs=-1)
@click.option("--wrt", metavar="NAMES", help="Inputs to differentiate, as in x,y [default: every floating-point one].")
@click.option("--no-grad", is_flag=True, help="Only the value.")
@click.option(
    "--grad-output", metavar="VALUE", help="The vector of the vector-Jacobian product, for a value that is no scalar."
)
@click.option("--jacobian", is_flag=True, help="The Jacobian of the value for each input.")
@click.option("--hessian", is_flag=True, help="The Hessian of a scalar, a block for each pair of inputs.")
@click.option(
    "--jvp",
    multiple=True,
    metavar="NAME=VALUE",
    help="The product of the Jacobian with a vector; inputs that are not named do not move.",
)
@click.option("--hvp", multiple=True, metavar="NAME=VALUE", help="The product of the Hessian with a vector.")
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
    help="Write value, x.grad or x.jacobian as .npy to PATH (- is standard output), or all results into a folder: "
    "-o DIR/.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on one line.")
@click.option(
    "--dtype", type=click.Choice(DTYPES), help="Element type of literals [default: float32]; files keep theirs."
)
@click.option("--seed", type=int, help="Seed of rand() and randn(); gives PyTorch's numbers.")
@click.option(
    "--threads",
    type=click.IntRange(1, 1024),
    metavar="N",
    help="Threads to compute with [default: $GRADCLI_THREADS, or all processors]; any number gives the same bits.",
)
@click.option(
    "--scheduler",
    metavar="ADDRESS",
    help="Deal the work to a Dask cluster: tcp://host:8786, or local:4 for four processes here; gives the same bits.",
)
@click.option(
    "--memory-limit",
    type=Size(),
    metavar="SIZE",
    help="Refuse what would need more memory, as in 2GB [default: 80 % of what is free].",
)
@yes_option
@click.option("--precision", type=click.IntRange(0, 30), default=4, help="Digits after the point in text [default: 4].")
@click.option("--progress/--no-progress", default=None, help="Progress on standard error [default: on a terminal].")
@click.option("-q", "--quiet", is_flag=True, help="No notes and no progress; with -o, no text either.")
def eval_command(
    items: tuple[str, ...],
    wrt: str | None,
    no_grad: bool,
    grad_output: str | None,
    jacobian: bool,
    hessian: bool,
    jvp: tuple[str, ...],
    hvp: tuple[str, ...],
    source: str | None,
    outputs: tuple[str, ...],
    as_json: bool,
    dtype: str | None,
    seed: int | None,
    threads: int | None,
    scheduler: str | None,
    memory_limit: int | None,
    time_limit: float | None,
    precision: int,
    progress: bool | None,
    quiet: bool,
) -> None:
    derivatives = Derivatives(jacobian, hessian, jvp, hvp, no_grad)
    if derivatives and scheduler is not None:
        hint = "without --scheduler, all processors of this machine compute"
        raise GradcliError("--scheduler deals out values and gradients, no other derivatives", hint=hint)
    asked = Asked(items, source, wrt, no_grad, grad_output, dtype, seed, derivatives)
    names = [value.name for value in asked.values]
    targets = Outputs(outputs, names, asked.wanted, derivatives.targets(names))
    if targets.standard_output and as_json:
        raise GradcliError("--json and an array cannot both go to standard output", hint="write the array to a file")
    targets.check()
    silent = targets.standard_output or (quiet and bool(targets))
    line = progress_line(progress, quiet)
    elsewhere = None if scheduler is None else Elsewhere(scheduler, threads, quiet)
    try:
        # Of its own context, so that the default dtype and the seed are this command's alone.
        result = copy_context().run(
            _evaluate, asked, targets, as_json, threads, memory_limit, time_limit, line, elsewhere
        )
    finally:
        if line is not None:
            line.close()
    if result.note and not quiet and not derivatives:
        note(result.note)
    if not silent:
        _print(result, as_json, precision)


def _evaluate(
    asked: Asked,
    targets: Outputs,
    as_json: bool,
    threads: int | None,
    limit: int | None,
    time_limit: float | None,
    progress: Any,
    elsewhere: Elsewhere | None,
) -> Result:
    """Compute what was asked for and write what goes to files; large results that are only shown are not kept."""
    from gradcli.engine.execute.run import run
    from gradcli.engine.execute.threads import get_num_threads, set_num_threads
    from gradcli.engine.plan.planner import plan
    from gradcli.evaluation.request import VECTOR
    from gradcli.evaluation.result import answer
    from gradcli.machine.limits import MEMORY_LIMIT, TIME_LIMIT

    # For the values of inputs as well.
    set_num_threads(threads or get_num_threads())
    MEMORY_LIMIT.set(limit)
    TIME_LIMIT.set(time_limit)
    request, inputs, vector = asked.load()
    names = request.targets
    forms = {name: (root.shape, root.dtype) for name, root in zip(names, request.roots, strict=True)}
    with targets.opened(forms, summary=not as_json) as opened:
        sinks = {k: opened.sinks[name] for k, name in enumerate(names) if name in opened.sinks}
        files = request.files(inputs, vector)
        try:
            program = plan(request.roots, files=files, streamed=frozenset(sinks))
            leaves = request.arrays_for(program, inputs, vector)
            with (
                nullcontext()
                if elsewhere is None
                else elsewhere.dealer(request, asked, program, {**inputs, VECTOR: vector}, sinks) as runner
            ):
                computed = run(program, leaves, sinks=sinks, progress=progress, runner=runner)
        except GradcliError as error:
            error.source = asked.script.source if error.source is None else error.source
            raise
        opened.write(dict(zip(names, computed, strict=True)))
    return answer(request, inputs, computed, shared=False)


def _print(result: Result, as_json: bool, precision: int) -> None:
    from gradcli.evaluation.answer import answer_json, answer_text
    from gradcli.render.text import Style

    write_pieces(answer_json(result) if as_json else answer_text(result, Style(precision=precision)))
