"""`gradcli eval`: an expression and its inputs in; value, chain and gradients out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from gradcli.cli import options
from gradcli.cli.asked import Asked, Derivatives
from gradcli.cli.options import CommonOptions
from gradcli.cli.output_files import Outputs, Tallies
from gradcli.cli.printing import note
from gradcli.cli.progress import ProgressLine, cluster_at, progress_line
from gradcli.cli.shown import FORMATS, Shown
from gradcli.errors import GradcliError, LimitError
from gradcli.machine.limits import HINT_OF_LIMIT

if TYPE_CHECKING:
    from gradcli.cluster import Dealer
    from gradcli.evaluation.compiled import Compiled
    from gradcli.evaluation.result import Result

HELP = """Evaluate EXPR and its gradients.

Prints the value, the backward graph and the gradient of every floating-point input.

\b
A VALUE is one of
  a literal          3, [[1, 2], [3, 4]], ones(2,2), randn(3)
  a file             x.npy, file.npz:KEY, data.csv:age,height, x.json, ./PATH, @PATH
  standard input     @-, which holds a .npy file
  a URL              s3://bucket/x.npy

\b
Examples:
  gradcli eval 'mean(2*(3*x+7)**2)' 'x=ones(2,2)'
  gradcli eval 'mean((X@w - y)**2)' X=data.csv:age,height y=data.csv:y 'w=zeros(2)' --wrt w -o w.grad=g.csv
  gradcli eval 'x**2' x=@a.npy --grad-output 1 -o x.grad=- | gradcli eval 'sum(g)' g=@-
  gradcli eval '(x@w - y)**2' x=X.npy y=y.npy 'w=zeros(20)' --per-row x,y --wrt w -o w.grad=each.npy
  gradcli eval 'sum(x**3)' 'x=[1, 2]' --only x.grad --format csv
"""


@options.command("eval", HELP)
@options.gradients
@options.flag("--jacobian", "Compute the Jacobian of the value for each input.")
@options.flag("--hessian", "Compute the Hessian of a scalar value, for each pair of inputs.")
@options.values("--jvp", "Multiply the Jacobian by a vector; the vector of an input that is not named is zero.")
@options.values("--hvp", "Multiply the Hessian of a scalar value by a vector.")
@options.per_row
@options.source
@options.outputs(
    "Write value, x.grad or x.jacobian to PATH (- is standard output), in the format of its extension, or as .npy; "
    "-o DIR/ writes all results into a folder.",
    "TARGET=PATH",
)
@options.show("Print only these parts: value, graph, grads, jacobian, hessian, jvp or hvp; several as in value,grads.")
@options.only("Print a single tensor: value, x.grad, x.jacobian, x.hessian, x,y.hessian, jvp or x.hvp.")
@options.json()
@options.choice("--format", FORMATS, "Output format; csv and npy need --only [default: text].", into="form")
@options.fail_on_nan()
@options.dtype()
@options.seed()
@options.threads()
@options.scheduler
@options.limits
@options.precision
@options.progress
@options.quiet("Print no notes, no progress and no backward graph; with -o, print nothing.")
def eval_command(
    common: CommonOptions,
    jacobian: bool,
    hessian: bool,
    jvp: tuple[str, ...],
    hvp: tuple[str, ...],
    outputs: tuple[str, ...],
    show: str | None,
    only: str | None,
    form: str | None,
) -> None:
    shown = Shown(show, only, form, common.as_json)
    per_row = common.per_row is not None
    written = per_row and any(target.partition("=")[0].endswith(".jacobian") for target in outputs)
    jacobian, hessian = jacobian or written or shown.asks_for("jacobian"), hessian or shown.asks_for("hessian")
    derivatives = Derivatives(jacobian, hessian, jvp, hvp, common.no_grad)
    if common.scheduler is not None and not derivatives.dealt(per_row):
        hint = "without --scheduler, all processors of this machine are used"
        raise GradcliError("--scheduler computes values and gradients, no other derivatives", hint=hint)
    asked = Asked(common, derivatives)
    names = [value.name for value in asked.values]
    shown.check(names, asked.wanted, derivatives, common.no_grad)
    targets = Outputs(shown.outputs(outputs), names, asked.wanted, derivatives.targets(names))
    if targets.standard_output and shown.is_text_too():
        option = "--json" if shown.format == "json" else "--only" if only else "--show"
        raise GradcliError(f"{option} and an array cannot both go to standard output", hint="write the array to a file")
    targets.check()
    tallies = Tallies(common.quiet, common.fail_on_nan, common.scheduler is not None)
    with progress_line(common.progress, common.quiet) as line:
        result, remarks = _evaluate(asked, targets, shown, tallies, line)
    for text in () if common.quiet else (None if result.derivatives or shown else result.note, *remarks):
        if text:
            note(text)
    if not targets.standard_output and not (common.quiet and targets and not shown):
        shown.write(result, common.precision, common.quiet)


def _evaluate(
    asked: Asked, targets: Outputs, shown: Shown, tallies: Tallies, line: ProgressLine | None
) -> tuple[Result, list[str | None]]:
    """Compute what was asked for and write what goes to files; large results that are only shown are not kept.

    The other thing given are notes, on what has no gradient and on what is not finite.
    """
    from gradcli.evaluation.request import VECTOR
    from gradcli.evaluation.result import Result

    request, inputs, vector = asked.load()
    names = request.targets
    computed: dict[str, Any] = dict.fromkeys(names)
    if shown and not targets.folders and targets.targets.keys() <= set(names):
        wanted = {*shown.chosen(request), *targets.targets}
        names = [name for name in names if name in wanted]
    else:
        shown.chosen(request)
    places = [k for k, name in enumerate(request.targets) if name in names]
    roots = [request.roots[k] for k in places]
    forms = {name: (root.shape, root.dtype) for name, root in zip(names, roots, strict=True)}
    with targets.opened(forms, shown.format == "text", tallies) as opened:
        sinks = {k: opened.sinks[name] for k, name in enumerate(names) if name in opened.sinks}
        if names:
            from gradcli.evaluation.compiled import Compiled

            compiled = Compiled(request, request.files(inputs, vector), roots=roots, streamed=frozenset(sinks))
            with _runner(asked, compiled, {**inputs, VECTOR: vector}, places, frozenset(sinks)) as runner:
                try:
                    found = compiled.run(inputs, vector, sinks=sinks, progress=line, runner=runner)
                except LimitError as error:
                    if error.for_result:
                        error.hint = f"write large results to files with -o; {HINT_OF_LIMIT}"
                    raise
            computed.update(zip(names, found, strict=True))
        filed = [value.name for value in asked.values if value.path is not None]
        silent = targets or request.derivatives or asked.wanted is not None
        untracked = None if silent else shown.untracked(request, filed)
        remarks = [untracked, tallies.note({name: computed[name] for name in names})]
        opened.write(computed)
    return Result(request, inputs, list(computed.values()), shared=False), remarks


@contextmanager
def _runner(
    asked: Asked, compiled: Compiled, data: dict[str, Any], roots: Sequence[int], streamed: frozenset[int]
) -> Iterator[Dealer | None]:
    """What runs the passes of the program elsewhere, within this block; None for the threads of this process."""
    if asked.common.scheduler is None:
        yield None
        return
    from gradcli.cli.signals import stopping_cleanly
    from gradcli.cluster import Dealer

    # Workers that were started here end with the command, and what was dealt is taken back.
    with stopping_cleanly(), cluster_at(asked.common) as cluster:
        yield Dealer(cluster, compiled.request.recipe(asked.wanted), compiled.program, data, streamed, roots)
