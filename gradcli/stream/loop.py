"""Records in, answers out, until there are no more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gradcli.errors import GradcliError, WorkError
from gradcli.render.json import to_json
from gradcli.stream.block_answers import BlockAnswers
from gradcli.stream.blocks import Block
from gradcli.stream.fields import FieldReader, Record
from gradcli.stream.flow import Outlet
from gradcli.stream.plan_cache import Plans, RecordJob
from gradcli.stream.records import STANDARD_INPUT, Inputs, RecordPlace, records


@dataclass
class StreamSummary:
    """How many records there were, how many of them failed, and the first that did; of how many the results are not
    finite, and what the first of them is."""

    records: int = 0
    failed: int = 0
    first: GradcliError | None = None
    place: RecordPlace | None = None
    remarked: int = 0
    first_remark: str | None = None


def run_stream(
    job: RecordJob, inputs: Inputs, sink: Outlet, strict: bool, note: Callable[[str], None]
) -> StreamSummary:
    """Answer every record; one that fails has a report in place of its answer, and with `strict` ends the run.

    `note` is told once why there are no gradients. WorkError where the run cannot go on; OSError where an answer
    cannot be written. All answers are written in any case.
    """
    try:
        with np.errstate(all="ignore"):
            answering = _Answering(job, inputs, sink, strict, note)
            for place, found in records(inputs, answering.fields, sink.flush, answering.blocks is not None):
                if isinstance(found, Block):
                    answering.block(place, found)
                else:
                    answering.one(place, found)
    except GradcliError:
        sink.flush()
        raise
    sink.flush()
    return answering.summary


class _Answering:
    """Answers records one by one, or those of a block together."""

    def __init__(self, job: RecordJob, inputs: Inputs, sink: Outlet, strict: bool, note: Callable[[str], None]) -> None:
        self.job, self.sink, self.strict, self.note = job, sink, strict, note
        self.summary, self.plans = StreamSummary(), Plans(job)
        self.fields = FieldReader(inputs.names, inputs.dtype)
        objects = job.targets is None and job.only is None
        self.blocks = BlockAnswers(self.fields, self.plans) if objects else None
        self.noted = False

    def block(self, place: RecordPlace, block: Block) -> None:
        assert self.blocks is not None
        for some, answered in self.blocks.pieces(block):
            if answered is not None:
                plan, answers = answered
                self.summary.records += some.stop - some.start
                self.sink.add(answers)
                self._tell(plan.note)
                continue
            for number, line in enumerate(block.lines[some], place.number + some.start):
                self.one(place._replace(number=number), self.fields.read(line))

    def one(self, place: RecordPlace, record: Record) -> None:
        summary = self.summary
        summary.records += 1
        error = record.error
        if error is None:
            try:
                prepared, given = self.plans.find(record.arrays)
                remark = prepared.answer(record.head, given, self.sink.add)
                if remark:
                    summary.remarked += 1
                    summary.first_remark = summary.first_remark or place.told_at(remark)
                self._tell(prepared.note)
                return
            except GradcliError as failure:
                error = failure
            except MemoryError:
                error = WorkError("not enough memory for this")
        if self.strict:
            source = error.source or self.job.script.source
            raise WorkError(place.told(error), source=source, span=error.span, hint=error.hint)
        if summary.first is None:
            summary.first, summary.place = error, place
        summary.failed += 1
        self.sink.add(_report(place, record, error))

    def _tell(self, text: str | None) -> None:
        if text is not None and not self.noted:
            self.noted = True
            self.note(text)


def _report(place: RecordPlace, record: Record, error: GradcliError) -> bytes:
    """The line of a record that failed."""
    if record.whole is not None:
        return f"{record.whole}\n".encode("ascii")
    number = f'"{place.kind}": {place.number}, ' if place.number else ""
    # Answers to lines do not tell where these come from; reports do.
    with_file = place.kind == "line" and place.path != STANDARD_INPUT
    if with_file:
        number = f'"file": {to_json(place.path)}, {number}'
    return f'{record.report_head(with_file)}{number}"error": {to_json(error.report())}}}\n'.encode("ascii")
