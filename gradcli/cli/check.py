"""`gradcli check`: gradients against central differences."""

from __future__ import annotations

import sys
from contextvars import copy_context
from typing import TYPE_CHECKING

import click

from gradcli.cli.asked import Asked
from gradcli.cli.options import ExpressionCommand, yes_option
from gradcli.cli.printing import write_text
from gradcli.errors import GradcliError

if TYPE_CHECKING:
    from gradcli.check.compare import Report

HELP = """Compare the gradients of EXPR with central differences.

Everything is computed in float64; inputs of other floating-point types are converted. A value that is no scalar is
weighted at random and added up. Each input is moved along one random direction, and small ones entry by entry. Where
a gradient differs, each operation is checked on its own, and the suspicious one is named. A point on a kink, such as
abs(x) at 0, is no failure: it is reported as one.

Ends with exit code 1 if a gradient is wrong.

\b
Examples:
  gradcli check 'sum(log1p(exp(-y*(X@w))))' 'X=randn(5,3)' 'y=ones(5)' 'w=randn(3)'
  gradcli check 'logdet(A@A.T)' 'A=randn(3,3)' --order 2 --json
"""


@click.command("check", cls=ExpressionCommand, help=HELP, no_args_is_help=False)
@click.argument("items", metavar="EXPR [NAME=VALUE]...", nargs=-1)
@click.option("--wrt", metavar="NAMES", help="Inputs to check, as in x,y [default: every floating-point one].")
@click.option(
    "--order",
    type=click.IntRange(1, 4),
    default=1,
    metavar="N",
    help="Check derivatives of this order, each of them a derivative of the one before [default: 1].",
)
@click.option("--atol", type=click.FloatRange(min=0), default=1e-7, help="Absolute tolerance [default: 1e-7].")
@click.option("--rtol", type=click.FloatRange(min=0), default=1e-5, help="Relative tolerance [default: 1e-5].")
@click.option(
    "-f",
    "--file",
    "source",
    metavar="FILE",
    type=click.Path(),
    help="Read the expression from FILE (- is standard input); leave EXPR out.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on one line.")
@click.option("--seed", type=int, help="Seed of rand() and randn(); gives PyTorch's numbers.")
@yes_option
def check_command(
    items: tuple[str, ...],
    wrt: str | None,
    order: int,
    atol: float,
    rtol: float,
    source: str | None,
    as_json: bool,
    seed: int | None,
    time_limit: float | None,
) -> None:
    asked = Asked(items, source, wrt, False, None, "float64", seed)
    report = copy_context().run(_check, asked, order, atol, rtol, time_limit)
    from gradcli.check.report import check_json, check_text

    write_text((check_json if as_json else check_text)(report, asked.script.source))
    if not report.ok:
        sys.stdout.flush()
        raise click.exceptions.Exit(1)


def _check(asked: Asked, order: int, atol: float, rtol: float, time_limit: float | None) -> Report:
    from gradcli.check.compare import check
    from gradcli.machine.limits import TIME_LIMIT

    TIME_LIMIT.set(time_limit)
    try:
        return check(asked.script, asked.arrays(), asked.wanted, order, atol, rtol)
    except GradcliError as error:
        error.source = asked.script.source if error.source is None else error.source
        raise
