"""`gradcli stream`: record after record through an expression, as JSON Lines or .npy."""

from __future__ import annotations

import sys
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

import click

from gradcli.cli.asked import Asked
from gradcli.cli.inputs import STANDARD_INPUT, InputValue
from gradcli.cli.options import DTYPES, ExpressionCommand, Size, yes_option
from gradcli.cli.printing import note
from gradcli.errors import GradcliError, WorkError, did_you_mean

if TYPE_CHECKING:
    from gradcli.stream.loop import StreamSummary

HELP = """Evaluate EXPR and differentiate it for each record that comes in.

Reads JSON Lines from FILEs or standard input, as in {"x": [1, 2], "id": 7}, and writes a line for each, in the same
order: {"id": 7, "value": 5.0, "grads": {"x": [2.0, 4.0]}}. Fields that EXPR does not name pass through. Answers are
never held back while there is nothing to read. A line that is wrong gives a line with "error", and the run goes on.

Inputs given as NAME=VALUE are the same for all records. FILEs that end in .npy hold arrays one after the other, those
that end in .npz an array for each name. With --format npz, standard input names archives, one a line.

\b
Examples:
  producer | gradcli stream 'sum(x**2)' --wrt x | jq .grads.x
  gradcli stream 'mean((X@w - y)**2)' w=w.npy days/*.npz
  gradcli stream 'x/norm(x)' --format npy --output-format npy -o value < in.npy > out.npy
"""


@click.command("stream", cls=ExpressionCommand, help=HELP, no_args_is_help=False)
@click.argument("items", metavar="EXPR [NAME=VALUE]... [FILE]...", nargs=-1)
@click.option("--wrt", metavar="NAMES", help="Inputs to differentiate, as in x,y [default: every floating-point one].")
@click.option("--no-grad", is_flag=True, help="Only the value.")
@click.option(
    "--grad-output", metavar="VALUE", help="The vector of the vector-Jacobian product, for a value that is no scalar."
)
@click.option(
    "--name",
    "names",
    metavar="NAMES",
    help="Inputs that the records give, arrays in this order [default: every name of EXPR that has no VALUE].",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["json", "npy", "npz"]),
    help="What comes in [default: as the file's name ends, else json].",
)
@click.option(
    "--output-format",
    type=click.Choice(["json", "npy"]),
    default="json",
    show_default=True,
    help="What goes out: lines, or arrays one after the other.",
)
@click.option(
    "-o",
    "--output",
    "targets",
    metavar="NAMES",
    help="The arrays of each record of --output-format npy, as in value,x.grad [default: all of them].",
)
@click.option("--strict", is_flag=True, help="Stop at the first record that is wrong.")
@click.option(
    "-f", "--file", "source", metavar="FILE", type=click.Path(), help="Read the expression from FILE; leave EXPR out."
)
@click.option(
    "--dtype",
    type=click.Choice(DTYPES),
    help="Element type of JSON and literals [default: float32]; arrays in files keep theirs.",
)
@click.option("--seed", type=int, help="Seed of rand() and randn(), which go on from record to record.")
@click.option(
    "--threads",
    type=click.IntRange(1, 1024),
    metavar="N",
    help="Threads for large records [default: $GRADCLI_THREADS, or all processors]; any number gives the same bits.",
)
@click.option(
    "--memory-limit",
    type=Size(),
    metavar="SIZE",
    help="Refuse records that would need more memory, as in 2GB [default: 80 % of what is free].",
)
@yes_option
@click.option("--json", "_as_json", is_flag=True, help="The last report on standard error as JSON, too.")
@click.option("-q", "--quiet", is_flag=True, help="No notes.")
def stream_command(
    items: tuple[str, ...],
    wrt: str | None,
    no_grad: bool,
    grad_output: str | None,
    names: str | None,
    form: str | None,
    output_format: str,
    targets: str | None,
    strict: bool,
    source: str | None,
    dtype: str | None,
    seed: int | None,
    threads: int | None,
    memory_limit: int | None,
    time_limit: float | None,
    _as_json: bool,
    quiet: bool,
) -> None:
    words, paths = _sorted(items, source is None)
    reserved = STANDARD_INPUT in paths
    if source == STANDARD_INPUT and reserved:
        raise _taken()
    asked = Asked(words, source, wrt, no_grad, grad_output, dtype, seed)
    given = [value.path for value in (*asked.values, asked.vector) if value is not None]
    if reserved and (STANDARD_INPUT in given or paths.count(STANDARD_INPUT) > 1):
        raise _taken()
    if targets is not None and output_format != "npy":
        raise GradcliError("-o chooses arrays for --output-format npy; lines have all results")
    # Of its own context, so that the default dtype and the seed are this command's alone.
    summary = copy_context().run(
        _stream,
        asked,
        paths,
        _list("--name", names),
        form,
        _list("-o", targets),
        output_format == "npy",
        strict,
        threads,
        memory_limit,
        time_limit,
        quiet,
    )
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
    return GradcliError("the records come from standard input: nothing else can", hint="name files instead")


def _list(option: str, text: str | None) -> list[str] | None:
    """Names with commas between them."""
    if text is None:
        return None
    names = list(dict.fromkeys(name.strip() for name in text.split(",")))
    if not all(names):
        raise GradcliError(f"{option} takes names with commas between them", hint=f"as in {option} x,y")
    return names


def _stream(
    asked: Asked,
    paths: list[str],
    names: list[str] | None,
    form: str | None,
    targets: list[str] | None,
    arrays: bool,
    strict: bool,
    threads: int | None,
    limit: int | None,
    time_limit: float | None,
    quiet: bool,
) -> StreamSummary:
    """Load what all records share, and go through the records."""
    from gradcli.engine.execute.threads import get_num_threads, set_num_threads
    from gradcli.machine.limits import MEMORY_LIMIT, TIME_LIMIT
    from gradcli.stream.loop import run_stream
    from gradcli.stream.outlet import Outlet
    from gradcli.stream.plan_cache import RecordJob, results_of
    from gradcli.stream.record_inputs import check_wanted, choose_names
    from gradcli.stream.records import Inputs, standard_input
    from gradcli.tensors.functions import manual_seed, set_default_dtype

    set_num_threads(threads or get_num_threads())
    MEMORY_LIMIT.set(limit)
    TIME_LIMIT.set(time_limit)
    if asked.seed is not None:
        manual_seed(asked.seed)
    if asked.dtype is not None and asked.dtype.startswith("float"):
        set_default_dtype(asked.dtype)
    shared = [value.name for value in asked.values]
    chosen = choose_names(asked.script, shared, names)
    check_wanted(asked.wanted or (), [*chosen, *shared])
    # In float64: the value decides later what it is rounded to.
    vector = None if asked.vector is None else _loaded(asked.vector, "float64")
    given = {value.name: _loaded(value, asked.dtype) for value in asked.values}
    job = RecordJob(asked.script, given, asked.wanted, vector, (targets or []) if arrays else None)
    for target in targets or ():
        known = results_of(job, chosen)
        if target not in known:
            hint = did_you_mean(target, known) or f"there are {', '.join(known)}"
            raise GradcliError(f"there is no result {target!r} to write", hint=hint)
    if STANDARD_INPUT in paths:
        standard_input(form)
    _collect_garbage()
    sink = Outlet(_standard_output(arrays))
    # Without a place for a report, the order of what goes out would be lost at the first failure.
    return run_stream(job, Inputs(paths, chosen, form, asked.dtype), sink, strict or arrays, _note(quiet))


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


def _standard_output(arrays: bool) -> Any:
    if sys.stdout is None or sys.stdout.closed:
        raise WorkError("standard output is closed")
    if arrays and sys.stdout.isatty():
        hint = "redirect it with >, or pipe it on"
        raise GradcliError("standard output is a terminal, and a .npy is not text", hint=hint)
    sys.stdout.flush()
    return sys.stdout.buffer


def _note(quiet: bool) -> Any:
    return (lambda text: None) if quiet else note


def _fail(asked: Asked, summary: StreamSummary) -> None:
    """Say how many records failed, and why the first did."""
    error, place = summary.first, summary.place
    assert error is not None and place is not None
    counted = f"{summary.failed} of {summary.records} record{'s' if summary.records != 1 else ''} failed"
    told = f"{counted}; the first, {place.told(error)}"
    raise WorkError(told, source=error.source or asked.script.source, span=error.span, hint=error.hint)
