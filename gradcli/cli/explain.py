"""`gradcli explain`: how an expression would be computed, without computing it."""

from __future__ import annotations

import sys
from contextvars import copy_context

import click

from gradcli.cli.asked import Asked
from gradcli.cli.options import DTYPES, ExpressionCommand
from gradcli.errors import GradcliError

HELP = """Show how EXPR and its gradients would be computed.

Prints the passes over the data, the dimension that each goes along in blocks, every step with its kernel and its
buffer, and the bytes read, written and held. Inputs are given as to `gradcli eval`; of files only the headers are
read, and nothing is computed.

\b
Examples:
  gradcli explain 'mean(2*(3*x+7)**2)' 'x=zeros(1000000)'
  gradcli explain 'mean(log1p(exp(-y*(X@w))))' X=X.npy y=y.npy 'w=zeros(20)' --wrt w --json
"""


@click.command("explain", cls=ExpressionCommand, help=HELP, no_args_is_help=False)
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
@click.option("--json", "as_json", is_flag=True, help="One JSON object on one line.")
@click.option(
    "--dtype", type=click.Choice(DTYPES), help="Element type of literals [default: float32]; files keep theirs."
)
@click.option(
    "--threads",
    type=click.IntRange(1, 1024),
    metavar="N",
    help="Threads to compute with [default: $GRADCLI_THREADS, or all processors].",
)
def explain_command(
    items: tuple[str, ...],
    wrt: str | None,
    no_grad: bool,
    grad_output: str | None,
    source: str | None,
    as_json: bool,
    dtype: str | None,
    threads: int | None,
) -> None:
    asked = Asked(items, source, wrt, no_grad, grad_output, dtype, None)
    sys.stdout.write(copy_context().run(_explain, asked, as_json, threads) + "\n")


def _explain(asked: Asked, as_json: bool, threads: int | None) -> str:
    from gradcli.engine.execute.threads import get_num_threads, set_num_threads
    from gradcli.engine.plan.planner import plan
    from gradcli.engine.plan_report import plan_json, plan_text
    from gradcli.render.json import to_json

    count = threads or get_num_threads()
    # For the values of inputs as well.
    set_num_threads(count)
    request, files = asked.look()
    try:
        program = plan(request.roots, files=files)
    except GradcliError as error:
        error.source = asked.script.source if error.source is None else error.source
        raise
    roots = ["value", *(f"{name}.grad" for name in request.wanted)]
    return to_json(plan_json(program, roots, count)) if as_json else plan_text(program, roots, count)
