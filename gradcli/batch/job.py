"""What a batch computes for every item, as plain data that can be sent to wherever an item is computed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from gradcli.errors import GradcliError, did_you_mean
from gradcli.evaluation.input_value import InputValue


class Saved(NamedTuple):
    """Which results become files: the value, every gradient, or gradients by name."""

    value: bool
    grads: bool
    names: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str, inputs: Sequence[str]) -> Saved:
        """What `--save` says: grads, values, both, none, or targets such as value,x.grad.

        >>> Saved.parse("value,x.grad", ["x", "y"])
        Saved(value=True, grads=False, names=('x',))
        """
        words = {"grads": cls(False, True), "values": cls(True, False), "both": cls(True, True)}
        words["none"] = cls(False, False)
        if text in words:
            return words[text]
        known = ["value", *(f"{name}.grad" for name in inputs)]
        targets = list(dict.fromkeys(part.strip() for part in text.split(",")))
        for target in targets:
            if target not in known:
                hint = did_you_mean(target, [*known, *words]) or f"choose from {', '.join([*words, *known])}"
                raise GradcliError(f"--save cannot write {target!r}", hint=hint)
        names = [target.removesuffix(".grad") for target in targets if target != "value"]
        return cls("value" in targets, False, tuple(names))


class Job(NamedTuple):
    """The work on an item. `names` are all inputs in the order given, `varying` those that have a file for each item.

    `wrt` is None for every floating-point input; with `accumulate` the gradients of shared inputs are summed over the
    items instead of written for each, with `fail_on_nan` an item fails whose results are not finite. `folder` takes the
    results, `limit` is the memory that may be used, `time_limit` the seconds that an item may be expected to take,
    `missing` whether missing values are read as NaN, `engine` what computes, small items as if there were `repeats`.
    """

    source: str
    names: tuple[str, ...]
    varying: tuple[str, ...]
    shared: dict[str, InputValue]
    folder: str
    wrt: tuple[str, ...] | None = None
    grad_output: InputValue | None = None
    dtype: str | None = None
    seed: int | None = None
    saved: Saved = Saved(False, True)
    accumulate: bool = False
    fail_on_nan: bool = False
    limit: int | None = None
    time_limit: float | None = None
    missing: bool = False
    engine: str = "numpy"
    repeats: int = 0


class Task(NamedTuple):
    """One item: its place in the batch, its name, and its files in the order of `Job.varying`."""

    number: int
    stem: str
    paths: tuple[str, ...]


#: Items in pieces of neighbours.
Chunks = Iterator[Sequence[Task]]


class Outcome(NamedTuple):
    """What became of an item: its line of results, and its files as (temporary name, name).

    The temporary files lie in the folder's place for what is unfinished. `nbytes` were read and written; `remark` says
    which results hold NaN or infinities, if any do.
    """

    number: int
    line: str
    files: tuple[tuple[str, str], ...]
    nbytes: int
    error: GradcliError | None = None
    remark: str | None = None


class Part(NamedTuple):
    """The outcomes of some neighbouring items; `sums` has the gradients of shared inputs, added up in float64.

    `complete` is false where the work ended in between: somebody stopped it, or `failure` says why no result can be
    written.
    """

    outcomes: list[Outcome]
    sums: dict[str, Any]
    complete: bool = True
    failure: GradcliError | None = None
