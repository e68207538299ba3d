"""`gradcli report`: a computation as a page to share."""

from __future__ import annotations

import click

from gradcli.cli import options
from gradcli.cli.asked import Asked
from gradcli.cli.options import CommonOptions
from gradcli.language.parse import computation

HELP = """Write a report of EXPR as one HTML file.

The page has the value and the gradients with their distributions and formulas, the graph, the computation step by step,
forward and backward, the check against differences, and how it would be planned. NaN and infinities are marked, with
what made them. Nothing is loaded from elsewhere; it can be read without JavaScript, and printed.

\b
Examples:
  gradcli report 'y = 3*x + 7; z = 2*y**2; w = mean(z)' 'x=ones(2,2)' -o report.html
  gradcli report 'mean((X@w - y)**2)' X=X.npy y=y.npy 'w=zeros(2)' --wrt w -o loss.html
"""


@options.command("report", HELP)
@click.option(
    "-o", "--output", metavar="FILE", type=click.Path(), required=True, help="Write to FILE (- is standard output)."
)
@options.gradients
@options.source
@options.dtype()
@options.seed()
@options.threads()
@options.limits
@options.precision
@options.gathered
def report_command(common: CommonOptions, output: str) -> None:
    asked = Asked(common, read=computation)
    from gradcli.cli.signals import stopping_cleanly
    from gradcli.report.gathering import findings
    from gradcli.report.page import report_page
    from gradcli.storage.writing import save_document
    from gradcli.walkthrough.computation_steps import Recorders

    recorders = Recorders()
    request, inputs, vector = asked.load(interpreter=recorders.make)
    given = {value.name: value.path if value.path is not None else value.text or "" for value in asked.values}
    literals = [value.name for value in asked.values if value.path is None]
    found = findings(asked.script, request, recorders.last, inputs, vector, given, literals)
    page = report_page(found, common.precision)
    with stopping_cleanly():
        save_document(output, page.encode())
