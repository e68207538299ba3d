"""`gradcli explain`: how an expression would be computed, without computing it."""

from __future__ import annotations

from gradcli.cli import options
from gradcli.cli.asked import Asked
from gradcli.cli.options import CommonOptions
from gradcli.cli.output_files import Outputs
from gradcli.cli.printing import note, write_text
from gradcli.render.marks import Heading, Marked

HELP = """Show the plan by which EXPR and its gradients would be computed.

A plan is a list of passes over the data, each in blocks along one dimension. It shows every step with its kernel and
its buffer, and the bytes read, written and held. The arguments are those of `gradcli eval`, whose plan it is. Only the
headers of files are read, and nothing is computed or written.

\b
Examples:
  gradcli explain 'mean(2*(3*x+7)**2)' 'x=zeros(1000000)'
  gradcli explain 'mean(log1p(exp(-y*(X@w))))' X=X.npy y=y.npy 'w=zeros(20)' --wrt w --json
  gradcli explain 'sum(exp(x))' x=x.npy -o x.grad=g.npy --memory-limit 1GB
"""


@options.command("explain", HELP)
@options.gradients
@options.per_row
@options.source
@options.outputs("Results that `gradcli eval` would write to files.", "TARGET=PATH")
@options.json()
@options.flag("--ir", "Show the LLVM IR of native passes, too.")
@options.dtype()
@options.threads()
@options.memory_limit
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
    if ir and not code and not common.quiet:
        note(f"no pass is native: {_why_no_code()}")
    if common.as_json:
        write_text(to_json(plan_json(*told) | ({"ir": code} if ir else {})))
    else:
        write_text(_headed("\n".join([plan_text(*told), *code])))


def _why_no_code() -> str:
    """Why a plan has no native pass."""
    from gradcli.engine.native.choice import get_engine, why_not

    chosen = get_engine() == "native"
    return why_not() or ("nothing here is large enough, or has a native form" if chosen else "see --engine native")


def _headed(text: str) -> Marked:
    """A plan in which the beginning of each pass is a heading."""
    pieces: list[str] = []
    for line in text.split("\n"):
        head, colon, rest = line.partition(":")
        pieces += ["\n", *((line,) if not colon or head.startswith(" ") else (Heading(f"{head}:"), rest))]
    return Marked(pieces[1:])
