"""`gradcli batch`: one expression over many items; a line of results and files of gradients for each."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from gradcli.cli import options
from gradcli.cli.asked import expression_of, refuse_unseeded, wanted_names
from gradcli.cli.inputs import STANDARD_INPUT, split_inputs
from gradcli.cli.options import CommonOptions
from gradcli.cli.printing import note, standard_output
from gradcli.cli.progress import cluster_at, progress_line
from gradcli.cli.signals import Stopped, stopping_later
from gradcli.errors import GradcliError, WorkError, counted, escaped
from gradcli.evaluation.input_value import InputValue

if TYPE_CHECKING:
    from gradcli.batch.items import Pattern
    from gradcli.batch.job import Saved
    from gradcli.batch.local_executor import Executor
    from gradcli.batch.runner import Batch, BatchSummary

HELP = """Evaluate EXPR and its gradients for many files.

A PATTERN such as 'data/*.npy', a folder (data/) or a list of files (@@list.txt, one path per line) gives one file for
each item. The files of several inputs are matched by their names without the extension. A single file or a literal is
shared by all items.

Writes OUT/ITEM.NAME.grad.npy and OUT/ITEM.value.npy, as chosen with --save, and OUT/results.jsonl with a line for each
item.

\b
Examples:
  gradcli batch 'mean(2*(3*x+7)**2)' x='data/*.npy' -o out
  gradcli batch 'mean((X@w - y)**2)' X=days/ y=labels/ w=w.npy --wrt w --accumulate -o out
"""


@options.command("batch", HELP, "EXPR NAME=PATTERN...")
@options.path("-o", "--output", "folder", metavar="OUT", text="Folder for the results.")
@click.option(
    "--save",
    type=options.Names(),
    default="grads",
    metavar="WHAT",
    show_default=True,
    help="Results to write: grads, values, both, none, or names such as value,x.grad.",
)
@options.flag("--accumulate", "Sum the gradients of shared inputs over all items, into OUT/NAME.grad.npy.")
@options.flag("--resume", "Skip the items that an earlier run of the same command has finished.")
@options.flag("--overwrite", "Replace the results of another run in OUT.")
@options.choice(
    "--on-error", ["stop", "skip"], "When an item fails, stop, or record the error and continue.", "stop", shown=True
)
@options.fail_on_nan("Count an item as failed if one of its results holds NaN or infinity.")
@options.flag("--dry-run", "List the items that would be computed, and write nothing.")
@options.gradients
@options.source
@options.json("Print the summary as one JSON object on one line.")
@options.dtype()
@options.seed("every item gets the same numbers")
@options.threads("--jobs")
@options.scheduler
@options.limits
@click.option(
    "--sync/--no-sync",
    "durable",
    default=True,
    help="Record an item only when its results are safely on disk [default: --sync].",
)
@options.progress
@options.quiet("Print no notes, no progress and no summary.")
def batch_command(
    common: CommonOptions,
    folder: str | None,
    save: str,
    accumulate: bool,
    resume: bool,
    overwrite: bool,
    on_error: str,
    dry_run: bool,
    durable: bool,
) -> None:
    if not folder:
        raise GradcliError("no folder for the results is given", hint="for example, -o results")
    words, grad_output = list(common.items), common.grad_output
    text = expression_of(words, common).source
    _refuse_file(folder)
    patterns, shared = _inputs(words)
    from gradcli.batch.items import find_items
    from gradcli.batch.job import Job, Saved
    from gradcli.batch.runner import Batch
    from gradcli.engine.execute.threads import check_num_threads, set_num_threads
    from gradcli.engine.native.choice import engine_in_use
    from gradcli.machine.limits import MEMORY_LIMIT, MISSING_AS_NAN, TIME_LIMIT

    # A bad GRADCLI_THREADS is refused here, not in each item; where the option is given, nobody asks for it.
    if common.threads is not None:
        set_num_threads(common.threads)
    check_num_threads()
    names = tuple(name for name, _ in split_inputs(words))
    saved = Saved.parse(save.strip(), names)
    wanted = _differentiated(common, saved, accumulate, list(shared))
    vector = _shared("--grad-output", grad_output) if grad_output is not None else None
    refuse_unseeded(text, [*shared.values(), *([vector] if vector else [])], common.seed)
    limits = common.fail_on_nan, MEMORY_LIMIT.get(), TIME_LIMIT.get(), MISSING_AS_NAN.get(), engine_in_use()
    given = wanted, vector, common.dtype, common.seed, saved, accumulate
    job = Job(text, names, tuple(patterns), shared, folder, *given, *limits)
    batch = Batch(job, find_items(patterns), resume, overwrite, on_error == "skip", durable)
    if (told := batch.check()) and not common.quiet:
        note(told)
    (_list if dry_run else _run)(batch, common)


def _refuse_file(folder: str) -> None:
    """Refuse a folder whose name is rather that of a file which was meant to hold all results."""
    from gradcli.storage.target import promises_other_format

    if folder == STANDARD_INPUT:
        hint = "write ./- for a folder of this name"
        raise GradcliError("-o names the folder for the results: they cannot go to standard output", hint=hint)
    if promises_other_format(folder) and not os.path.isdir(folder):
        hint = "write a / at the end if it is a folder"
        raise GradcliError(f"-o names the folder for the results, and {folder} looks like a file", hint=hint)


def _inputs(words: list[str]) -> tuple[dict[str, Pattern], dict[str, InputValue]]:
    """The inputs that have a file for each item, and those that all items share."""
    from gradcli.batch.items import pattern_of

    patterns: dict[str, Pattern] = {}
    shared: dict[str, InputValue] = {}
    for name, value in split_inputs(words):
        pattern = pattern_of(value)
        if pattern is not None:
            patterns[name] = pattern
        else:
            try:
                shared[name] = _shared(name, value)
            except GradcliError as error:
                if "*" in value and "/" in value:
                    error.hint = f"a pattern that does not end in .npy begins with @, as in {name}='@{value}'"
                raise
    if not patterns:
        hint = "for example, x='data/*.npy', x=data/ or x=@@list.txt; `gradcli eval` computes a single one"
        raise GradcliError("no input has a file for each item", hint=hint)
    return patterns, shared


def _shared(name: str, value: str) -> InputValue:
    found = InputValue.written(name, value)
    if found.path == STANDARD_INPUT:
        raise GradcliError(f"{name} cannot come from standard input", hint="a resumed run needs a file")
    return found


def _differentiated(common: CommonOptions, saved: Saved, accumulate: bool, shared: list[str]) -> tuple[str, ...] | None:
    """The inputs to differentiate: None for every floating-point one; none where no gradient goes anywhere."""
    wanted = wanted_names(common.wrt, common.no_grad, common.grad_output)
    if accumulate and common.no_grad:
        raise GradcliError("--accumulate cannot be combined with --no-grad")
    if accumulate and not any(wanted is None or name in wanted for name in shared):
        hint = "give an input as a plain file or a literal, and name it in --wrt"
        raise GradcliError("--accumulate has nothing to add up: no shared input is differentiated", hint=hint)
    for name in saved.names:
        if wanted is not None and name not in wanted:
            raise GradcliError(f"{name}.grad is not computed", hint="--wrt names the inputs to differentiate")
    if not saved.grads and not saved.names and not accumulate and common.wrt is None:
        return ()
    return None if wanted is None else tuple(wanted)


def _run(batch: Batch, common: CommonOptions) -> None:
    """Do the items and print the summary."""
    stop = threading.Event()
    with (
        progress_line(common.progress, common.quiet) as line,
        stopping_later(stop.set) as came,
        _executor(common) as executor,
    ):
        summary = batch.run(executor, stop, None if line is None else line.items)
    folder = batch.job.folder
    if not common.quiet or common.as_json:
        _print(*([_summary_json(summary, folder)] if common.as_json else _summary_lines(summary)))
    if summary.remarked and not common.quiet:
        from gradcli.evaluation.finite import told_of_several

        note(told_of_several(summary.remarked, summary.done, "item", summary.first_remark or ""))
    if came and summary.stopped:
        if not common.quiet:
            note(f"{summary.skipped + summary.done} of {counted(summary.items, 'item')} finished; --resume continues")
        raise Stopped(came[0])
    if summary.failed:
        first = summary.first_error.message if summary.first_error else ""
        message = f"{summary.failed} of {counted(summary.items, 'item')} failed; the first: {first}"
        raise WorkError(message, hint=f"{folder}/results.jsonl has each error; --resume tries them again")


@contextlib.contextmanager
def _executor(common: CommonOptions) -> Iterator[Executor]:
    """Whoever does the items: threads of this process, or the workers of a cluster."""
    if common.scheduler is None:
        from gradcli.batch.local_executor import Threads
        from gradcli.engine.execute.threads import get_num_threads

        yield Threads(common.threads or get_num_threads())
        return
    from gradcli.cluster.dask_executor import Workers

    with cluster_at(common, "the finished items are kept: --resume continues") as cluster:
        yield Workers(cluster)


def _list(batch: Batch, common: CommonOptions) -> None:
    """Print what would be done."""
    from gradcli.render.json import to_json

    kept = batch.kept()
    todo = [task for chunk in batch.chunks(kept) for task in chunk]
    count, skipped = len(batch.items.stems), kept.total()
    if common.as_json:
        _print(to_json({"items": count, "skipped": skipped, "todo": [task.stem for task in todo]}))
        return
    for task in todo:
        paths = zip(batch.job.varying, task.paths, strict=True)
        _print("  ".join([task.stem, *(f"{name}={path}" for name, path in paths)]))
    _print(f"{count - skipped} of {counted(count, 'item')} to do, {skipped} finished before")


def _summary_json(summary: BatchSummary, folder: str) -> str:
    from gradcli.render.json import to_json

    counts = {name: getattr(summary, name) for name in ("items", "done", "skipped", "failed")}
    cost = {"bytes": summary.nbytes, "seconds": round(summary.seconds, 6), "results": f"{folder}/results.jsonl"}
    value = None if summary.total is None else {"sum": summary.total, "mean": summary.mean}
    return to_json({**counts, **cost, "value": value, "grads": summary.sums})


def _summary_lines(summary: BatchSummary) -> list[str]:
    counts = [f"{summary.done} done"]
    counts += [f"{summary.skipped} finished before"] if summary.skipped else []
    counts += [f"{summary.failed} failed"] if summary.failed else []
    lines = [f"{counted(summary.items, 'item')}: {', '.join(counts)}"]
    if summary.total is not None:
        lines.append(f"values: sum {summary.total:.6g}, mean {summary.mean:.6g}")
    lines += [f"{name}.grad: {path}" for name, path in (summary.sums or {}).items()]
    return lines


def _print(*lines: str) -> None:
    standard_output().write("".join([f"{escaped(line)}\n" for line in lines]))
