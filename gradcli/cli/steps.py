"""`gradcli steps`: a computation step by step, forward and backward."""

from __future__ import annotations

import shutil

from gradcli.cli import options
from gradcli.cli.asked import Asked, names_of
from gradcli.cli.options import CommonOptions
from gradcli.cli.output_files import note_on
from gradcli.cli.printing import write_pages, write_text
from gradcli.errors import GradcliError

HELP = """Show step by step how EXPR and its gradients are computed.

Forward, each line is an operation with the tensor that it gives, as PyTorch prints it. Backward, from the value to the
inputs, each line is a backward function, its local derivative as a formula, and the gradient that it passes on.
Intermediate results that have no name in EXPR are given one.

\b
Examples:
  gradcli steps 'y = 3*x + 7; z = 2*y**2; w = mean(z)' 'x=ones(2,2)'
  gradcli steps 'sum(sin(x)*x)' 'x=[1, 2]' --format markdown
"""

FORMATS = ["text", "markdown", "latex"]
# A page of a book is no wider.
_WIDEST = 120


@options.command("steps", HELP)
@options.gradients
@options.source
@options.names(
    "--only", "Show only these inputs and steps, as in y,z, with all that adds to their gradients.", kind="steps"
)
@options.json()
@options.choice("--format", FORMATS, "Output format [default: text].", into="form")
@options.number("--width", "Width of the text in columns [default: that of the terminal, or 80].", 40, 1000)
@options.dtype()
@options.seed()
@options.threads()
@options.limits
@options.precision
@options.quiet()
def steps_command(common: CommonOptions, only: str | None, form: str | None, width: int | None) -> None:
    if common.as_json and form is not None:
        raise GradcliError(f"--json cannot be combined with --format {form}")
    names = None if only is None else names_of(only, "--only", "for example, --only y,z", "names of steps")
    asked = Asked(common)
    from gradcli.walkthrough.telling import told

    found = told(asked.recorded(), names)
    note_on(found.results(), common.quiet)
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
