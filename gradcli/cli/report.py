"""`gradcli report`: a computation as a page to share."""

from __future__ import annotations

import click

from gradcli.cli import options
from gradcli.cli.asked import Asked
from gradcli.cli.options import CommonOptions
from gradcli.cli.output_files import note_on
from gradcli.errors import GradcliError

HELP = """Write an HTML report of EXPR, its gradients and each step.

The page shows the value and the gradients with their distributions and formulas, the graph, the steps forward and
backward, the check against central differences, and the plan. NaN and infinities are marked, with the operation that
made them. The page is one file that loads nothing else; it works without JavaScript and can be printed.

With --from, it shows the results of an earlier run instead: the value over the steps of `gradcli minimize` and its
parameters, or the items of `gradcli batch`.

\b
Examples:
  gradcli report 'y = 3*x + 7; z = 2*y**2; w = mean(z)' 'x=ones(2,2)' -o report.html
  gradcli report --from fit.json --from steps.jsonl -o fit.html
"""

_WITH_RECORDS = ("output", "records", "precision", "quiet", "color")


@options.command("report", HELP)
@options.output("Write to FILE (- is standard output).", required=True)
@options.path(
    "--from",
    "records",
    text="Show results of minimize (--json or --trace) or batch (results.jsonl) instead; may be given several times.",
    multiple=True,
)
@options.gradients
@options.source
@options.dtype()
@options.seed()
@options.threads()
@options.limits
@options.precision
@options.quiet()
def report_command(common: CommonOptions, output: str, records: tuple[str, ...]) -> None:
    from gradcli.reporting.markup import check_ending

    if output != "-":
        check_ending(output, "name it report.html, or - for standard output")
    page = _of_records(records, common) if records else _of_computation(common)
    from gradcli.cli.signals import stopping_cleanly
    from gradcli.storage.writing import save_document

    with stopping_cleanly():
        save_document(output, page.encode())


def _of_records(records: tuple[str, ...], common: CommonOptions) -> str:
    """A page on what runs have left behind, for which nothing is computed."""
    context = click.get_current_context()
    for param in context.command.params:
        name = param.name or ""
        given = context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
        if given and (name != "items" or common.items) and name not in _WITH_RECORDS:
            what = "an expression" if name == "items" else param.opts[-1]
            hint = "--from shows the results of earlier runs"
            raise GradcliError(f"--from cannot be combined with {what}", hint=hint)
    from gradcli.reporting.page import records_page
    from gradcli.reporting.run_records import read_records

    return records_page(read_records(records), common.precision)


def _of_computation(common: CommonOptions) -> str:
    asked = Asked(common)
    from gradcli.reporting.gathering import findings
    from gradcli.reporting.page import report_page

    given = {value.name: value.path if value.path is not None else value.text or "" for value in asked.values}
    literals = [value.name for value in asked.values if value.path is None]
    found = findings(asked.recorded(), given, literals)
    note_on(found.told.results(), common.quiet)
    return report_page(found, common.precision)
