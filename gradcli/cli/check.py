"""`gradcli check`: gradients against central differences."""

from __future__ import annotations

import sys

import click

from gradcli.cli import options
from gradcli.cli.asked import Asked
from gradcli.cli.options import CommonOptions
from gradcli.cli.printing import write_text
from gradcli.errors import GradcliError, told_of
from gradcli.language.instructions import Script
from gradcli.language.parse import parse

HELP = """Compare the gradients of EXPR with central differences.

Everything is computed in float64: literals are read as such, and files of other floating-point types converted; a note
tells where something is not finite in the types that eval computes in. A value that is no scalar is weighted at random
and added up. Each input is moved along one random direction, and small ones entry by entry. Where
a gradient differs, each operation is checked on its own, and the suspicious one is named. A point on a kink, such as
abs(x) at 0, is no failure: it is reported as one.

With --against, derivatives that you have worked out are compared with those of EXPR instead: an expression of the same
inputs, for each of them or as x=FORMULA for x. Of a value that is no scalar it is the gradient of its sum.

Ends with exit code 1 if a gradient, or a formula, is wrong.

\b
Examples:
  gradcli check 'sum(log1p(exp(-y*(X@w))))' 'X=randn(5,3)' 'y=ones(5)' 'w=randn(3)'
  gradcli check 'logdet(A@A.T)' 'A=randn(3,3)' --order 2 --json
  gradcli check 'sum((X@w)**2)' 'X=randn(5,3)' 'w=randn(3)' --against 'w=2*X.T@X@w'
"""


@options.command("check", HELP)
@options.wrt("Inputs to check, as in x,y [default: every floating-point one].")
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
    "--against",
    multiple=True,
    metavar="FORMULA",
    shell_complete=options.completed("inputs"),
    help="Compare with this derivative, for each input, or with x=FORMULA for x; may be given several times.",
)
@options.source
@options.json()
@options.seed()
@options.yes
@options.gathered
def check_command(common: CommonOptions, order: int, atol: float, rtol: float, against: tuple[str, ...]) -> None:
    asked = Asked(common._replace(dtype="float64"))
    ok = (_against if against else _differences)(asked, order, atol, rtol, against, common.as_json)
    if not ok:
        sys.stdout.flush()
        raise click.exceptions.Exit(1)


def _differences(asked: Asked, order: int, atol: float, rtol: float, against: tuple[str, ...], as_json: bool) -> bool:
    """Compare with central differences; whether all is right."""
    from gradcli.check.check_report import check_json, check_text
    from gradcli.check.compare import check

    literals = [value.name for value in asked.values if value.path is None]
    report = check(asked.script, asked.arrays(), asked.wanted, order, atol, rtol, literals)
    write_text((check_json if as_json else check_text)(report, asked.script.source))
    return report.ok


def _against(asked: Asked, order: int, atol: float, rtol: float, against: tuple[str, ...], as_json: bool) -> bool:
    """Compare with formulas; whether all is right."""
    formulas = _formulas(against, [value.name for value in asked.values])
    from gradcli.check import against as comparison

    report = comparison.against(asked.script, formulas, asked.arrays(), asked.wanted, order, atol, rtol)
    write_text((comparison.against_json if as_json else comparison.against_text)(report))
    return report.ok


def _formulas(words: tuple[str, ...], names: list[str]) -> dict[str | None, Script]:
    """The formulas by the name of the input, None for that of all others."""
    found: dict[str | None, Script] = {}
    for word in words:
        before, equals, after = word.partition("=")
        name = before.strip() if equals and before.strip() in names and not after.startswith("=") else None
        if name in found:
            what = "for all inputs" if name is None else f"for {name}"
            raise GradcliError(f"--against gives two formulas {what}", hint="as in --against x=FORMULA")
        with told_of("--against" if name is None else f"--against for {name}"):
            try:
                found[name] = parse(word if name is None else after)
            except GradcliError as error:
                if name is None and equals and before.strip().isidentifier() and error.hint is None:
                    error.hint = f"there is no input {before.strip()!r}; the inputs are {', '.join(names) or 'none'}"
                raise
    return found
