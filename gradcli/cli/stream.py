"""`gradcli stream`: record after record through an expression, as JSON Lines or .npy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from gradcli.cli import options
from gradcli.cli.asked import Asked, names_of, settle
from gradcli.cli.inputs import STANDARD_INPUT
from gradcli.cli.options import CommonOptions
from gradcli.cli.printing import note, standard_output
from gradcli.cli.shown import Shown
from gradcli.errors import GradcliError, WorkError, did_you_mean
from gradcli.evaluation.input_value import InputValue

if TYPE_CHECKING:
    from gradcli.stream.loop import StreamSummary

HELP = """Evaluate EXPR and its gradients for each record of a stream.

Reads JSON Lines from FILEs or standard input, such as {"x": [1, 2], "id": 7}, and writes a line for each record, in the
same order: {"id": 7, "value": 5.0, "grads": {"x": [2.0, 4.0]}}. Fields that are not inputs of EXPR are passed through.
Answers are written as soon as there is nothing more to read. An invalid record is answered with "error", and the run
continues.

An input given as NAME=VALUE is the same for all records. In .csv and .tsv files each row is a record and each column a
field; without a header, each column is an input. A .npy file holds arrays one after the other, an .npz file one array
for each input; with --format npz, standard input lists .npz files, one per line.

\b
Examples:
  producer | gradcli stream 'sum(x**2)' --wrt x | jq .grads.x
  gradcli stream 'mean((X@w - y)**2)' w=w.npy days/*.npz
  tail -f log.csv | gradcli stream 'height/age' --format csv
"""


@options.command("stream", HELP, "EXPR [NAME=VALUE]... [FILE]...")
@options.gradients
@options.names(
    "--name", "Inputs that a record holds, in the order of its arrays [default: all without a VALUE].", into="names"
)
@options.choice(
    "--format",
    ["json", "csv", "tsv", "npy", "npz"],
    "Input format [default: from the extension of FILE, or json].",
    into="form",
)
@options.choice(
    "--output-format",
    ["json", "npy"],
    "Output format: JSON Lines, or .npy arrays one after the other.",
    "json",
    shown=True,
)
@click.option(
    "-o",
    "--output",
    "targets",
    metavar="NAMES",
    help="Arrays to write with --output-format npy, as in value,x.grad [default: all].",
)
@options.show("Write only these parts of each answer: value or grads.")
@options.only("Write a single tensor for each record: value or x.grad.")
@options.per_row
@options.fail_on_nan("Answer a record with an error if a result holds NaN or infinity.")
@options.flag("--strict", "Stop at the first invalid record.")
@options.source
@options.dtype("JSON and literals")
@options.seed("the sequence continues from record to record")
@options.threads()
@options.limits
@options.json("Write the final error report as JSON, too.")
@options.quiet()
def stream_command(
    common: CommonOptions,
    names: str | None,
    form: str | None,
    output_format: str,
    targets: str | None,
    show: str | None,
    only: str | None,
    strict: bool,
) -> None:
    words, paths = _sorted(common.items, common.source is None)
    reserved = STANDARD_INPUT in paths
    if common.source == STANDARD_INPUT and reserved:
        raise _taken()
    asked = Asked(common._replace(items=words), nearby=False)
    given = [value.path for value in (*asked.values, asked.vector) if value is not None]
    if reserved and (STANDARD_INPUT in given or paths.count(STANDARD_INPUT) > 1):
        raise _taken()
    if targets is not None and output_format != "npy":
        raise GradcliError("-o chooses arrays for --output-format npy; lines have all results")
    if output_format == "npy" and (show is not None or only is not None):
        option = "--only" if show is None else "--show"
        raise GradcliError(f"{option} chooses what the lines hold; -o chooses arrays for --output-format npy")
    shown = Shown(show, only, None, common.as_json, known=("value", "grads"))
    chosen = _listed("--name", names), _listed("-o", targets)
    summary = _stream(asked, paths, chosen, shown, form, output_format == "npy", strict)
    if summary.failed:
        _fail(asked, summary)


def _sorted(items: tuple[str, ...], has_expression: bool) -> tuple[tuple[str, ...], list[str]]:
    """The words for the expression and the shared inputs, and the paths of files."""
    words = list(items[:1]) if has_expression else []
    paths = []
    for word in items[len(words) :]:
        name, equals, _ = word.partition("=")
        if equals and name.strip().isidentifier():
            words.append(word)
        else:
            # What begins with a minus sign has been given a space in front: see `ExpressionCommand`.
            paths.append(word[1:] if word.startswith(" -") else word)
    return tuple(words), paths or [STANDARD_INPUT]


def _taken() -> GradcliError:
    return GradcliError("the records come from standard input, so nothing else can", hint="name files instead")


def _listed(option: str, text: str | None) -> list[str] | None:
    hint = f"for example, {option} x,y"
    return None if text is None else names_of(text, option, hint, "names separated by commas")


def _stream(
    asked: Asked,
    paths: list[str],
    chosen: tuple[list[str] | None, list[str] | None],
    shown: Shown,
    form: str | None,
    arrays: bool,
    strict: bool,
) -> StreamSummary:
    """Load what all records share, and go through the records; `chosen` are the names of inputs and of results."""
    from gradcli.evaluation.finite import told_of_several
    from gradcli.evaluation.request import check_wanted
    from gradcli.storage.opening import standard_input
    from gradcli.stream.flow import Outlet
    from gradcli.stream.loop import run_stream
    from gradcli.stream.plan_cache import RecordJob, results_of
    from gradcli.stream.records import Inputs, choose_names

    common = asked.common
    settle(common)
    names, targets = chosen
    shared = [value.name for value in asked.values]
    names = choose_names(asked.script, shared, names)
    for name in asked.wanted or ():
        check_wanted(name, [*names, *shared])
    for name in asked.per_row:
        check_wanted(name, [*names, *shared], "evaluate row by row")
    # In float64: the value decides later what it is rounded to.
    vector = None if asked.vector is None else _loaded(asked.vector, "float64")
    given = {value.name: _loaded(value, common.dtype) for value in asked.values}
    files = (targets or []) if arrays else None
    parts = shown.parts or ("value", "grads")
    more = common.fail_on_nan, not common.quiet
    job = RecordJob(asked.script, given, asked.wanted, vector, files, parts, shown.only, *more, asked.per_row)
    known = results_of(job, names)
    for target in targets or ([shown.only] if shown.only else []):
        if target not in known:
            hint = did_you_mean(target, known) or f"choose from {', '.join(known)}"
            raise GradcliError(f"there is no result {target!r} to {'write' if arrays else 'show'}", hint=hint)
    if STANDARD_INPUT in paths:
        standard_input(form == "npy")
    _collect_garbage()
    sink, tell = Outlet(_binary_output(arrays)), (lambda text: None) if common.quiet else note
    # Without a place for a report, the order of what goes out would be lost at the first failure.
    summary = run_stream(job, Inputs(paths, names, form, common.dtype), sink, strict or arrays, tell)
    if summary.remarked:
        tell(told_of_several(summary.remarked, summary.records, "record", summary.first_remark or ""))
    return summary


def _loaded(value: InputValue, dtype: str | None) -> Any:
    """A shared input in memory: it is needed again and again."""
    if value.path is None:
        return value.load(dtype)
    from gradcli.storage import load

    return load(value.path)


def _collect_garbage() -> None:
    """Undo what `gradcli.__main__` does for commands that soon end."""
    import gc

    gc.freeze()
    gc.enable()


def _binary_output(arrays: bool) -> Any:
    stdout = standard_output()
    if arrays and stdout.isatty():
        hint = "redirect it with >, or pipe it"
        raise GradcliError("standard output is a terminal, and a .npy is not text", hint=hint)
    stdout.flush()
    return stdout.buffer


def _fail(asked: Asked, summary: StreamSummary) -> None:
    """Say how many records failed, and why the first did."""
    error, place = summary.first, summary.place
    assert error is not None and place is not None
    counted = f"{summary.failed} of {summary.records} record{'s' if summary.records != 1 else ''} failed"
    told = f"{counted}; the first, {place.told(error)}"
    raise WorkError(told, source=error.source or asked.script.source, span=error.span, hint=error.hint)
