"""`gradcli explain`: how an expression would be computed, without computing it."""

from __future__ import annotations

import click

from gradcli.cli import options
from gradcli.cli.asked import Asked
from gradcli.cli.options import CommonOptions
from gradcli.cli.printing import write_text
from gradcli.render.marks import Heading, Marked

HELP = """Show how EXPR and its gradients would be computed.

Prints the passes over the data, the dimension that each goes along in blocks, every step with its kernel and its
buffer, and the bytes read, written and held. Inputs are given as to `gradcli eval`; of files only the headers are
read, and nothing is computed.

\b
Examples:
  gradcli explain 'mean(2*(3*x+7)**2)' 'x=zeros(1000000)'
  gradcli explain 'mean(log1p(exp(-y*(X@w))))' X=X.npy y=y.npy 'w=zeros(20)' --wrt w --json
  gradcli explain 'sum(exp(x))' 'x=zeros(1000000)' --engine native --ir
"""


@options.command("explain", HELP)
@options.gradients
@options.per_row
@options.source
@options.json()
@click.option("--ir", is_flag=True, help="The code of native passes too, in LLVM's language.")
@options.dtype()
@options.threads()
@options.gathered
def explain_command(common: CommonOptions, ir: bool) -> None:
    asked = Asked(common)
    from gradcli.engine.execute.threads import get_num_threads
    from gradcli.engine.plan_report import native_code, plan_json, plan_text
    from gradcli.evaluation.compiled import Compiled
    from gradcli.render.json import to_json

    request, files = asked.look()
    told = Compiled(request, files).program, request.targets, get_num_threads()
    code = native_code(told[0]) if ir else []
    if common.as_json:
        write_text(to_json(plan_json(*told) | ({"ir": code} if ir else {})))
    else:
        write_text(_headed("\n".join([plan_text(*told), *code])))


def _headed(text: str) -> Marked:
    """A plan in which the beginning of each pass is a heading."""
    pieces: list[str] = []
    for line in text.split("\n"):
        head, colon, rest = line.partition(":")
        pieces += ["\n", *((line,) if not colon or head.startswith(" ") else (Heading(f"{head}:"), rest))]
    return Marked(pieces[1:])
