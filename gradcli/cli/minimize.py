"""`gradcli minimize`: an expression and a start in, the parameters that make it smallest out."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gradcli.cli import options
from gradcli.cli.asked import Asked, wanted_names
from gradcli.cli.inputs import bounds_of
from gradcli.cli.method_options import METHODS_HERE, MethodCommand, dashed
from gradcli.cli.options import CommonOptions
from gradcli.cli.output_files import Outputs, created
from gradcli.cli.plot import plot_of
from gradcli.cli.printing import note, write_pieces
from gradcli.cli.progress import ProgressLine, progress_line
from gradcli.cli.search import Recording, Search, check_places, save
from gradcli.cli.signals import Stopped, stopping_cleanly
from gradcli.errors import GradcliError

if TYPE_CHECKING:
    from gradcli.optimize.iterate import Iterate
    from gradcli.optimize.logbook import Logbook
    from gradcli.optimize.minimum import Minimum
    from gradcli.plotting.curves import Curves

HELP = f"""Find the parameters that minimize EXPR.

EXPR must be a single number. Its parameters are the inputs named in --wrt, and their values are the starting point;
the other inputs are constant. Prints the value, the parameters, and why the search ended. A search that reaches its
limit of steps without converging is not an error.

{METHODS_HERE}

With --checkpoint, a run that was interrupted continues with --resume and gives the same bytes as an uninterrupted
one.

\b
Examples:
  gradcli minimize '(1 - x)**2 + 100*(y - x**2)**2' x=-1.2 y=1 --wrt x,y
  gradcli minimize 'sum((a*exp(-b*t) - y)**2)' t=d.csv:t y=d.csv:y a=1 b=1 --wrt a,b --method l-bfgs-b --bounds b=0:
  gradcli minimize -f net.txt X=X.npy y=y.npy W=@W.npy v=@v.npy --wrt W,v --method adam --lr 0.01 --steps 5000 \\
    --batch-size 256 --rows X,y --checkpoint net.ck --resume --trace net.jsonl -o net/
"""


@options.command("minimize", HELP, cls=MethodCommand, short_help="Find the parameters that minimize EXPR.")
@options.wrt("The parameters, as in a,b [default: the floating-point input, if there is only one].")
@options.names("--method", "One of the methods above.", "METHOD", "methods", default="lbfgs", show_default=True)
@options.bounds("bounds")
@options.number("--batch-size", "Use a batch of N rows in each step.", 1)
@options.names("--rows", "Inputs whose rows are split into batches, as in X,y; --seed determines the order.")
@options.source
@options.outputs(
    "Write a parameter, or value, to PATH (- is standard output), in the format of its extension, or as .npy; "
    "-o DIR/ writes all of them into a folder."
)
@options.path("--trace", text="Write a line of JSON to FILE for each step.")
@options.picture(
    "--plot", "Plot the value and the norm of its gradient over the steps, in the terminal or to FILE.svg or FILE.png."
)
@options.path("--checkpoint", text="Save the state of the run to FILE about every second.")
@options.flag("--resume", "Continue from the checkpoint of an earlier run of the same command, if there is one.")
@options.flag("--overwrite", "Replace the checkpoint and the results of another run.")
@options.json()
@options.dtype()
@options.seed("also determines the order of rows")
@options.threads()
@options.limits
@options.precision
@options.progress
@options.quiet("Print no notes, no progress and no reason why the search ended; with -o, print nothing.")
def minimize_command(
    common: CommonOptions,
    method: str,
    limits: tuple[str, ...],
    batch_size: int | None,
    rows: str | None,
    outputs: tuple[str, ...],
    trace: str | None,
    plot: str | None,
    checkpoint: str | None,
    resume: bool,
    overwrite: bool,
    **given: Any,
) -> None:
    from gradcli.optimize.methods import chosen, refuse_unable

    if (batch_size is None) != (rows is None):
        hint = "for example, --batch-size 100 --rows X,y"
        raise GradcliError("--batch-size and --rows must be given together", hint=hint)
    asked = Asked(common)
    row, settings = chosen(method, given, dashed)
    for option, wanted, trait in (("--batch-size", batch_size, "batches"), ("--bounds", limits, "bounds")):
        if wanted:
            refuse_unable(row, trait, option)
    kept = Recording(trace, checkpoint, plot, resume, overwrite)
    kept.check(row, asked)
    inputs = asked.opened()
    parameters = _parameters(asked, inputs)
    batches = {"batch_size": batch_size, "rows": wanted_names(rows, False, None)}
    more = {"bounds": bounds_of(limits), **batches, "seed": common.seed}
    search = Search(asked, inputs, parameters, row, settings, more, limits)
    targets = Outputs(outputs, [], None, parameters)
    targets.refuse_beside(common.as_json, plot, "course.svg")
    check_places(search, targets, kept)
    silent = targets.standard_output or bool(common.quiet and targets and not common.as_json)
    # What is kept of the steps may lie beside the results.
    with progress_line(common.progress, common.quiet) as line, created(kept.folders(targets)):
        found, curves = _found(search, kept.logbook(search), line, silent)
    save(search, targets, plot, found, curves)
    if not silent:
        _show(found, common)
    if plot == "" and curves is not None:
        write_pieces(["\n", plot_of(curves)])
    if plot is not None and curves is None and not common.quiet:
        note("fewer than two steps were taken: there is nothing to plot")


def _parameters(asked: Asked, inputs: dict[str, Any]) -> list[str]:
    """The names of the parameters."""
    if asked.wanted is not None:
        from gradcli.evaluation.request import check_wanted

        for name in asked.wanted:
            check_wanted(name, list(inputs))
        return list(dict.fromkeys(asked.wanted))
    found = [name for name, array in inputs.items() if array.dtype.kind == "f"]
    if len(found) > 1:
        literal = next((v.name for v in asked.values if v.path is None and v.name in found), found[0])
        hint = f"name them with --wrt, as in --wrt {literal}; the other inputs stay constant"
        raise GradcliError(f"several inputs could be the parameters: {', '.join(found)}", hint=hint)
    if not found:
        raise GradcliError("no input is a floating-point number: there is nothing to change", hint="for example, a=1.0")
    return found


def _show(found: Minimum, common: CommonOptions) -> None:
    """Print a result."""
    from gradcli.optimize.minimum_report import minimum_json, minimum_text
    from gradcli.render.text import Style

    style = Style(precision=common.precision)
    write_pieces(minimum_json(found) if common.as_json else minimum_text(found, style, not common.quiet))


def _found(search: Search, logbook: Logbook, line: ProgressLine | None, silent: bool) -> tuple[Minimum, Curves | None]:
    """Where the search has come to, and its course; when it is interrupted, the best so far is shown."""
    common = search.asked.common
    watch = _Watch(logbook, line, search.more["batch_size"] is not None, search.method.steps == "steps")
    try:
        with stopping_cleanly(), closing(logbook):
            found = logbook.minimum or search.run(watch, logbook.resumed)
            logbook.finish(found)
        return found, logbook.course.curves() if logbook.course is not None else None
    except Stopped:
        if line is not None:
            line.close()
        if watch.best is not None and not silent:
            _show(_so_far(search, watch.best), common)
        if logbook.kept is not None and (silent or not common.quiet):
            note(f"--resume continues from step {logbook.kept:,}")
        raise


@dataclass
class _Watch:
    """Told of each step, it passes it on to those who want to know, and remembers the best.

    Of `batches` the last step counts as the best, since each has other rows; `counted` says that all steps are taken.
    """

    logbook: Logbook
    line: ProgressLine | None
    batches: bool
    counted: bool
    best: Iterate | None = None

    def __call__(self, step: Iterate) -> None:
        if self.batches or self.best is None or step.value <= self.best.value:
            self.best = step
        self.logbook.add(step)
        if self.line is not None:
            self.line.steps(step.number, step.total if self.counted else None, step.value, step.gradient_norm)


def _so_far(search: Search, step: Iterate) -> Minimum:
    """A step as a result."""
    import numpy as np

    from gradcli.evaluation.measuring import at_hand
    from gradcli.evaluation.request import prepare
    from gradcli.evaluation.values import specs_of
    from gradcli.optimize.minimum import Minimum
    from gradcli.tensors.functions import from_numpy

    with at_hand(search.asked.script.source, search.inputs):
        dtype = prepare(search.asked.script, specs_of(search.inputs), []).roots[0].dtype
    parameters = {name: from_numpy(array) for name, array in step.parameters.items()}
    more = (search.method.name, False, "interrupted; this is the best so far", step.number, step.evaluations)
    return Minimum(from_numpy(np.array(step.value, dtype)), parameters, None, *more, step.gradient_norm)
