"""`gradcli eval`: an expression and its inputs in; value, chain and gradients out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from gradcli.cli import options
from gradcli.cli.asked import Asked
from gradcli.cli.derivative_options import Derivatives
from gradcli.cli.on_cluster import cluster_at
from gradcli.cli.output_files import Outputs
from gradcli.cli.printing import note, write_pieces
from gradcli.cli.progress import ProgressLine, progress_line
from gradcli.errors import GradcliError

if TYPE_CHECKING:
    from gradcli.cluster import Dealer
    from gradcli.evaluation.compiled import Compiled
    from gradcli.evaluation.result import Result

HELP = """Evaluate EXPR and differentiate it.

Prints the value, the chain of backward functions and the gradient of every floating-point input.

\b
A VALUE is a file (@PATH, anything ending in .npy, file.npz:KEY; @- is a .npy on standard input),
a URL such as s3://bucket/x.npy, or an expression without names: 3, [[1, 2], [3, 4]], ones(2,2), randn(3).

\b
Examples:
  gradcli eval 'mean(2*(3*x+7)**2)' 'x=ones(2,2)'
  gradcli eval 'log1p(exp(-y*(X@w)))' X=X.npy y=y.npy 'w=zeros(20)' --wrt w --grad-output 1
  gradcli eval 'x**2' x=@a.npy --grad-output 1 -o x.grad=- | gradcli eval 'sum(g)' g=@-
  gradcli eval 'sum(log(1 + exp(A@x)))' A=A.npy 'x=zeros(3)' --wrt x --hessian
  gradcli eval -f loss.txt x=@x.npy -o results/
  gradcli eval 'sum(x**2)' x=s3://bucket/x.npy --scheduler tcp://host:8786 -o x.grad=s3://bucket/g.npy
"""


@options.command("eval", HELP)
@options.gradients
@click.option("--jacobian", is_flag=True, help="The Jacobian of the value for each input.")
@click.option("--hessian", is_flag=True, help="The Hessian of a scalar, a block for each pair of inputs.")
@click.option(
    "--jvp",
    multiple=True,
    metavar="NAME=VALUE",
    shell_complete=options.completed("inputs"),
    help="The product of the Jacobian with a vector; inputs that are not named do not move.",
)
@click.option(
    "--hvp",
    multiple=True,
    metavar="NAME=VALUE",
    shell_complete=options.completed("inputs"),
    help="The product of the Hessian with a vector.",
)
@options.source
@click.option(
    "-o",
    "--output",
    "outputs",
    multiple=True,
    metavar="TARGET=PATH",
    shell_complete=options.completed("targets"),
    help="Write value, x.grad or x.jacobian as .npy to PATH (- is standard output), or all results into a folder: "
    "-o DIR/.",
)
@options.json()
@options.dtype()
@options.seed()
@options.threads()
@options.scheduler
@options.limits
@click.option("--precision", type=click.IntRange(0, 30), default=4, help="Digits after the point in text [default: 4].")
@options.progress
@options.quiet("No notes and no progress; with -o, no text either.")
def eval_command(
    items: tuple[str, ...],
    wrt: str | None,
    no_grad: bool,
    grad_output: str | None,
    jacobian: bool,
    hessian: bool,
    jvp: tuple[str, ...],
    hvp: tuple[str, ...],
    source: str | None,
    outputs: tuple[str, ...],
    as_json: bool,
    dtype: str | None,
    seed: int | None,
    threads: int | None,
    scheduler: str | None,
    precision: int,
    progress: bool | None,
    quiet: bool,
) -> None:
    derivatives = Derivatives(jacobian, hessian, jvp, hvp, no_grad)
    if derivatives and scheduler is not None:
        hint = "without --scheduler, all processors of this machine compute"
        raise GradcliError("--scheduler deals out values and gradients, no other derivatives", hint=hint)
    asked = Asked(
        items, source, wrt, no_grad, grad_output, dtype=dtype, seed=seed, threads=threads, derivatives=derivatives
    )
    names = [value.name for value in asked.values]
    targets = Outputs(outputs, names, asked.wanted, derivatives.targets(names))
    if targets.standard_output and as_json:
        raise GradcliError("--json and an array cannot both go to standard output", hint="write the array to a file")
    targets.check()
    with progress_line(progress, quiet) as line:
        result = _evaluate(asked, targets, scheduler, not as_json, line, quiet)
    if result.note and not quiet and not derivatives:
        note(result.note)
    if not targets.standard_output and not (quiet and targets):
        from gradcli.evaluation.answer import answer_json, answer_text
        from gradcli.render.text import Style

        write_pieces(answer_json(result) if as_json else answer_text(result, Style(precision=precision)))


def _evaluate(
    asked: Asked, targets: Outputs, scheduler: str | None, summary: bool, line: ProgressLine | None, quiet: bool
) -> Result:
    """Compute what was asked for and write what goes to files; large results that are only shown are not kept."""
    from gradcli.evaluation.compiled import Compiled
    from gradcli.evaluation.request import VECTOR
    from gradcli.evaluation.result import answer

    request, inputs, vector = asked.load()
    names = request.targets
    forms = {name: (root.shape, root.dtype) for name, root in zip(names, request.roots, strict=True)}
    with targets.opened(forms, summary) as opened:
        sinks = {k: opened.sinks[name] for k, name in enumerate(names) if name in opened.sinks}
        compiled = Compiled(request, request.files(inputs, vector), streamed=frozenset(sinks))
        with _runner(scheduler, asked, compiled, {**inputs, VECTOR: vector}, frozenset(sinks), quiet) as runner:
            computed = compiled.run(inputs, vector, sinks=sinks, progress=line, runner=runner)
        opened.write(dict(zip(names, computed, strict=True)))
    return answer(request, inputs, computed, shared=False)


@contextmanager
def _runner(
    scheduler: str | None, asked: Asked, compiled: Compiled, data: dict[str, Any], streamed: frozenset[int], quiet: bool
) -> Iterator[Dealer | None]:
    """What runs the passes of the program elsewhere, within this block; None for the threads of this process."""
    if scheduler is None:
        yield None
        return
    from gradcli.cli.signals import stopping_cleanly
    from gradcli.cluster import Dealer

    # Workers that were started here end with the command, and what was dealt is taken back.
    with stopping_cleanly(), cluster_at(scheduler, asked.threads, quiet) as cluster:
        yield Dealer(cluster, compiled.request.recipe(asked.wanted), compiled.program, data, streamed)
