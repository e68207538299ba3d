"""`gradcli graph`: a picture of an expression, of its backward pass, or of how it would be computed."""

from __future__ import annotations

import sys

import click

from gradcli.cli import options
from gradcli.cli.asked import Asked
from gradcli.cli.options import CommonOptions
from gradcli.cli.output_files import refuse_read
from gradcli.cli.printing import note
from gradcli.errors import GradcliError

HELP = """Draw the graph of EXPR.

Nothing is computed, and only the headers of files are read. SVG and PNG need Graphviz and pip install "gradcli[graph]";
DOT, Mermaid and JSON need nothing.

\b
--what forward   the expression, operation by operation (the default)
--what backward  the backward graph, under PyTorch's names
--what grad      the gradients, with what they use of the expression
--what plan      the passes over the data and their steps, as in gradcli explain

\b
Examples:
  gradcli graph 'mean(2*(3*x+7)**2)' 'x=ones(2,2)' -o mean.svg
  gradcli graph 'sum(softmax(X@w, 0)*y)' X=X.npy y=y.npy 'w=zeros(20)' --what grad --format mermaid
"""

FORMATS = ["dot", "mermaid", "svg", "png", "json"]


@options.command("graph", HELP)
@options.choice("--what", ["forward", "backward", "grad", "plan"], "What to draw [default: forward].", "forward")
@options.choice("--format", FORMATS, "Output format [default: from the extension of FILE, or dot].", into="form")
@options.json("The same as --format json.")
@options.output("Write to FILE [default: -, standard output].", default="-")
@options.choice("--direction", ["down", "right"], "Direction of the arrows [default: down].", "down")
@click.option(
    "--simplify/--no-simplify",
    "simplified",
    default=None,
    help="Draw the graph as simplified for the engine, or as built [default: simplified for grad].",
)
@options.gradients
@options.per_row
@options.source
@options.dtype()
@options.quiet()
def graph_command(
    common: CommonOptions, what: str, form: str | None, output: str, direction: str, simplified: bool | None
) -> None:
    asked = Asked(common)
    _check_simplified(what, simplified)
    form = _form(form, common.as_json, output)
    refuse_read([output], asked.sources)
    if form == "png" and output == "-" and sys.stdout is not None and sys.stdout.isatty():
        raise GradcliError("standard output is a terminal, and a PNG is not text", hint="name a file: -o FILE.png")
    from gradcli.cli.signals import stopping_cleanly
    from gradcli.drawing.picture import draw, picture
    from gradcli.storage.writing import save_document

    request, files = asked.look()
    drawing = draw(request, what, simplified, files)
    data, remark = picture(drawing, form, "TB" if direction == "down" else "LR")
    with stopping_cleanly():
        save_document(output, data, text=form != "png")
    if remark and not common.quiet:
        note(remark)


def _check_simplified(what: str, simplified: bool | None) -> None:
    if simplified is None or what in ("forward", "grad"):
        return
    option = "--simplify" if simplified else "--no-simplify"
    why = "a plan is always simplified" if what == "plan" else "the backward graph is never simplified"
    raise GradcliError(f"{option} cannot be combined with --what {what}", hint=why)


def _form(form: str | None, as_json: bool, output: str) -> str:
    """The format that is asked for by name, or by the ending of the file."""
    if as_json:
        if form not in (None, "json"):
            raise GradcliError(f"--json cannot be combined with --format {form}")
        return "json"
    if form is not None:
        return form
    from gradcli.drawing.picture import format_of

    return format_of(output)
