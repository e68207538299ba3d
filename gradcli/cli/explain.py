"""`gradcli explain`: how an expression would be computed, without computing it."""

from __future__ import annotations

import click

from gradcli.cli import options
from gradcli.cli.asked import Asked
from gradcli.cli.options import CommonOptions
from gradcli.cli.output_files import Outputs
from gradcli.cli.printing import write_text
from gradcli.render.marks import Heading, Marked

HELP = """Show how EXPR and its gradients would be computed.

Prints the passes over the data, the dimension that each goes along in blocks, every step with its kernel and its
buffer, and the bytes read, written and held. Inputs and files for results are given as to `gradcli eval`, whose plan
it is; of files only the headers are read, and nothing is computed or written.

\b
Examples:
  gradcli explain 'mean(2*(3*x+7)**2)' 'x=zeros(1000000)'
  gradcli explain 'mean(log1p(exp(-y*(X@w))))' X=X.npy y=y.npy 'w=zeros(20)' --wrt w --json
  gradcli explain 'sum(exp(x))' x=x.npy -o x.grad=g.npy --memory-limit 1GB
  gradcli explain 'sum(exp(x))' 'x=zeros(1000000)' --engine native --ir
"""


@options.command("explain", HELP)
@options.gradients
@options.per_row
@options.source
@options.outputs("Where `gradcli eval` is to write results.", "TARGET=PATH")
@options.json()
@click.option("--ir", is_flag=True, help="The code of native passes too, in LLVM's language.")
@options.dtype()
@options.threads()
@options.memory_limit
@options.gathered
def explain_command(common: CommonOptions, ir: bool, outputs: tuple[str, ...]) -> None:
    asked = Asked(common)
    names = [value.name for value in asked.values]
    targets = Outputs(outputs, names, asked.wanted, [])
    from gradcli.engine.execute.threads import get_num_threads
    from gradcli.engine.plan_report import native_code, plan_json, plan_text
    from gradcli.evaluation.compiled import Compiled
    from gradcli.render.json import to_json

    request, files = asked.look()
    forms = {name: (root.shape, root.dtype) for name, root in zip(request.targets, request.roots, strict=True)}
    pieces = targets.in_pieces(forms)
    streamed = frozenset(k for k, name in enumerate(forms) if name in pieces)
    program = Compiled(request, files, streamed=streamed).program
    told = program, request.targets, get_num_threads(), frozenset(program.roots[k] for k in streamed)
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
