"""`gradcli steps`: a computation step by step, forward and backward."""

from __future__ import annotations

import shutil

import click

from gradcli.cli import options
from gradcli.cli.asked import Asked
from gradcli.cli.options import CommonOptions
from gradcli.cli.printing import write_pages, write_text
from gradcli.errors import GradcliError
from gradcli.language.parse import computation

HELP = """Tell how EXPR is computed and differentiated, step by step.

Forward, a line for each operation, with what PyTorch prints of its result; then backward, from the value to the inputs:
each backward function, its local derivative as a formula, and the gradient that it passes on. Inputs are given as to
`gradcli eval`; EXPR may end with an assignment. What has no name gets one.

\b
Examples:
  gradcli steps 'y = 3*x + 7; z = 2*y**2; w = mean(z)' 'x=ones(2,2)'
  gradcli steps 'mean((X@w - y)**2)' X=X.npy y=y.npy 'w=zeros(2)' --wrt w --only w
  gradcli steps 'sum(sin(x)*x)' 'x=[1, 2]' --format markdown
"""

FORMATS = ["text", "markdown", "latex"]
# A page of a book is no wider.
_WIDEST = 120


@options.command("steps", HELP)
@options.gradients
@options.source
@click.option(
    "--only",
    metavar="NAMES",
    shell_complete=options.completed("steps"),
    help="Only these steps, as in y,z, with what made them and what leads to them.",
)
@options.json()
@click.option("--format", "form", type=click.Choice(FORMATS), help="How it is written [default: text].")
@click.option(
    "--width", type=click.IntRange(40, 1000), metavar="N", help="Columns of text [default: the terminal's, or 80]."
)
@options.dtype()
@options.seed()
@options.threads()
@options.limits
@options.precision
@options.gathered
def steps_command(common: CommonOptions, only: str | None, form: str | None, width: int | None) -> None:
    if common.as_json and form is not None:
        raise GradcliError(f"--json and --format {form} contradict each other")
    names = None if only is None else [name.strip() for name in only.split(",")]
    if names is not None and not all(names):
        raise GradcliError("--only takes names of steps", hint="as in --only y,z")
    asked = Asked(common, read=computation)
    from gradcli.walkthrough.computation_steps import Recorders
    from gradcli.walkthrough.telling import told

    recorders = Recorders()
    request, inputs, vector = asked.load(interpreter=recorders.make)
    found = told(request, recorders.last, inputs, vector, names)
    if common.as_json:
        from gradcli.render.json import to_json
        from gradcli.walkthrough.board_data import walkthrough_data

        write_text(to_json(walkthrough_data(found)))
    elif form == "markdown":
        from gradcli.walkthrough.board_markdown import walkthrough_markdown

        write_text(walkthrough_markdown(found, common.precision))
    elif form == "latex":
        from gradcli.walkthrough.board_latex import walkthrough_latex

        write_text(walkthrough_latex(found))
    else:
        from gradcli.walkthrough.board_text import walkthrough_text

        columns = width or min(shutil.get_terminal_size((80, 24)).columns, _WIDEST)
        write_pages(walkthrough_text(found, columns, common.precision))
