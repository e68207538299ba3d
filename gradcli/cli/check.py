"""`gradcli check`: gradients against central differences."""

from __future__ import annotations

import sys

import click

from gradcli.cli import options
from gradcli.cli.asked import Asked
from gradcli.cli.printing import write_text

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


@options.command("check", HELP)
@click.option(
    "--wrt",
    shell_complete=options.completed("names"),
    metavar="NAMES",
    help="Inputs to check, as in x,y [default: every floating-point one].",
)
@click.option(
    "--order",
    type=click.IntRange(1, 4),
    default=1,
    metavar="N",
    help="Check derivatives of this order, each of them a derivative of the one before [default: 1].",
)
@click.option("--atol", type=click.FloatRange(min=0), default=1e-7, help="Absolute tolerance [default: 1e-7].")
@click.option("--rtol", type=click.FloatRange(min=0), default=1e-5, help="Relative tolerance [default: 1e-5].")
@options.source
@options.json()
@options.seed()
@options.yes
def check_command(
    items: tuple[str, ...],
    wrt: str | None,
    order: int,
    atol: float,
    rtol: float,
    source: str | None,
    as_json: bool,
    seed: int | None,
) -> None:
    asked = Asked(items, source, wrt, dtype="float64", seed=seed)
    from gradcli.check.compare import check
    from gradcli.check.report import check_json, check_text

    report = check(asked.script, asked.arrays(), asked.wanted, order, atol, rtol)
    write_text((check_json if as_json else check_text)(report, asked.script.source))
    if not report.ok:
        sys.stdout.flush()
        raise click.exceptions.Exit(1)
