"""`gradcli check`: gradients against central differences."""

from __future__ import annotations

import sys
from typing import Any

import click

from gradcli.cli import options
from gradcli.cli.asked import Asked
from gradcli.cli.options import CommonOptions
from gradcli.cli.printing import write_text
from gradcli.errors import GradcliError, told_of
from gradcli.language.instructions import Script
from gradcli.language.parse import EXPRESSION, parse

HELP = """Check the gradients of EXPR against central differences.

Everything is computed in float64. A non-scalar value is reduced to a scalar with random weights. Each input is
checked along a random direction, small ones element by element. If a gradient is wrong, each operation is checked on
its own, and the suspicious one is named. A point on a kink, such as abs(x) at 0, is reported as such and is not an
error. A note says where a result would not be finite in the dtypes that `gradcli eval` computes in.

--against checks a derivative that you have worked out: FORMULA is an expression of the same inputs that is compared
with the gradient of every input, or with that of x if written x=FORMULA. The gradient of a non-scalar value is that
of its sum.

\b
Examples:
  gradcli check 'sum(log1p(exp(-y*(X@w))))' 'X=randn(5,3)' 'y=ones(5)' 'w=randn(3)'
  gradcli check 'sum((X@w)**2)' 'X=randn(5,3)' 'w=randn(3)' --against 'w=2*X.T@X@w'
"""


class _Tolerance(click.FloatRange):
    """A number from 0, infinity as well."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number: float = super().convert(value, param, ctx)
        if number != number:
            # No error is below NaN: everything would be wrong.
            self.fail(f"{value} is not a valid number", param, ctx)
        return number


@options.command("check", HELP)
@options.wrt("Inputs to check, as in x,y [default: all floating-point inputs].")
@options.number(
    "--order", "Order of the derivatives to check; each is the derivative of the one before [default: 1].", 1, 4, 1
)
@click.option("--atol", type=_Tolerance(min=0), metavar="X", default=1e-7, help="Absolute tolerance [default: 1e-7].")
@click.option("--rtol", type=_Tolerance(min=0), metavar="X", default=1e-5, help="Relative tolerance [default: 1e-5].")
@options.values(
    "--against",
    "Compare the gradients with FORMULA, or that of x with x=FORMULA; may be given several times.",
    "FORMULA",
)
@options.source
@options.json()
@options.seed()
@options.yes
def check_command(common: CommonOptions, order: int, atol: float, rtol: float, against: tuple[str, ...]) -> None:
    options.tell_of_engine()
    asked = Asked(common._replace(dtype="float64"))
    if against:
        formulas = _formulas(against, [value.name for value in asked.values])
        from gradcli.check import against as comparison

        compared = comparison.against(asked.script, formulas, asked.arrays(), asked.wanted, order, atol, rtol)
        write_text((comparison.against_json if common.as_json else comparison.against_text)(compared))
        ok = compared.ok
    else:
        from gradcli.check.check_report import check_json, check_text
        from gradcli.check.compare import check

        literals = [value.name for value in asked.values if value.path is None]
        report = check(asked.script, asked.arrays(), asked.wanted, order, atol, rtol, literals)
        write_text((check_json if common.as_json else check_text)(report, asked.script.source))
        ok = report.ok
    if not ok:
        sys.stdout.flush()
        raise click.exceptions.Exit(1)


def _formulas(words: tuple[str, ...], names: list[str]) -> dict[str | None, Script]:
    """The formulas by the name of the input, None for that of all others."""
    found: dict[str | None, Script] = {}
    for word in words:
        before, equals, after = word.partition("=")
        # Elsewhere gradients are called x.grad.
        meant = before.strip().removesuffix(".grad")
        name = meant if equals and meant in names and not after.startswith("=") else None
        if name in found:
            what = "for all inputs" if name is None else f"for {name}"
            raise GradcliError(f"--against gives two formulas {what}", hint="for example, --against x=FORMULA")
        with told_of("--against" if name is None else f"--against for {name}"):
            try:
                found[name] = parse(word if name is None else after, EXPRESSION)
            except GradcliError as error:
                if name is None and equals and before.strip().isidentifier() and error.hint is None:
                    error.hint = f"there is no input {before.strip()!r}; the inputs are {', '.join(names) or 'none'}"
                raise
    return found
