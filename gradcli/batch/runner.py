"""A batch from beginning to end: items dealt to an executor, outcomes recorded in order, what is left is resumed."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, NamedTuple

from gradcli.batch import manifest
from gradcli.batch.items import Items
from gradcli.batch.job import Chunks, Job, Outcome, Part, Task
from gradcli.batch.journal import Folder, Journal
from gradcli.batch.local_executor import Executor
from gradcli.batch.manifest import Finished
from gradcli.batch.sums import SUMS, Sums, stored, sum_of_values, write_sums
from gradcli.batch.work import Common, Worker
from gradcli.errors import GradcliError, WorkError
from gradcli.evaluation.identity import size_of
from gradcli.machine.undisturbed import undisturbed

# Items are dealt in chunks of so many, or of fewer where their files hold more bytes than that together.
_CHUNK = 64
_CHUNK_BYTES = 4 << 20
# What is finished is recorded when it is this much.
_GROUP = 4096
_GROUP_BYTES = 1 << 28
_GROUP_SECONDS = 1.0
# Sums are kept so seldom that it takes no more than this share of the time.
_STORE_SHARE = 0.05

Progress = Callable[[int, int, int], None]


class BatchSummary(NamedTuple):
    """What a batch came to: how many items there are, were done, were finished before, failed.

    `total` and `mean` are of the values, where gradients were accumulated and every value is a number; `sums` maps
    shared inputs to the files with their gradients. Of items whose results are not all finite there are `remarked`,
    and `first_remark` tells of the first. `stopped` says that items are left since somebody asked to stop.
    """

    items: int
    done: int
    skipped: int
    failed: int
    nbytes: int
    seconds: float
    first_error: GradcliError | None
    stopped: bool
    total: float | None = None
    mean: float | None = None
    sums: dict[str, str] | None = None
    remarked: int = 0
    first_remark: str | None = None


@dataclass
class Batch:
    """A job and the items that it is done for.

    `resume` keeps what an earlier run has finished in the same way, `overwrite` removes what another one has, `skip`
    goes on after items that fail, `durable` records results only once they are on the disk.
    """

    job: Job
    items: Items
    resume: bool = False
    overwrite: bool = False
    skip: bool = False
    durable: bool = True

    def __post_init__(self) -> None:
        manifest.refuse_own_inputs(self.items, self.job)
        self.job = self.job._replace(repeats=manifest.repeats_of(self.job.folder, self.items, self.resume))

    def kept(self) -> Finished:
        """What an earlier run has finished. GradcliError where its results would be mixed with those of this one."""
        return manifest.finished(self.job.folder, self.job, self.items) if self.is_continued() else Finished(0, 0, None)

    def is_continued(self) -> bool:
        """Whether an earlier run of the same kind goes on. GradcliError as for `kept`."""
        return manifest.is_continued(self.job.folder, self.job, self.resume, self.overwrite)

    def check(self) -> str | None:
        """Try the expression on the form of an item, so that mistakes are found before anything is written.

        GradcliError when no item can be right; gives a note on why there are no gradients.
        """
        self.is_continued()
        worker = Worker(self.job, Common(self.job))
        try:
            return worker.try_on(self._task(0))
        except GradcliError as error:
            if not self.skip:
                raise self._of_item(0, error) from None
            try:
                return worker.try_on(self._task(len(self.items.stems) - 1))
            except GradcliError as other:
                # The same for the first item and the last: it is not the items' fault.
                if other.message == error.message and not isinstance(error, WorkError):
                    raise error from None
        return None

    def run(self, executor: Executor, stopped: threading.Event, progress: Progress | None = None) -> BatchSummary:
        """Do what is left to do; `progress` is told (items finished, items in all, bytes gone through).

        The first error of an item, or the last, ends the run unless errors are skipped; what is finished before it is
        recorded.
        """
        return _Run(self, executor, stopped, progress).go()

    def _task(self, index: int) -> Task:
        return Task(index, self.items.stems[index], self.items.paths(index))

    def chunks(self, kept: Finished) -> Chunks:
        """What is left to do, in pieces of neighbours."""
        start = kept.first
        for end in self.ends(start):
            tasks = [self._task(index) for index in range(start, end) if not kept.has(index)]
            start = end
            if tasks:
                yield tasks

    def ends(self, start: int = 0) -> Iterator[int]:
        """Where the chunks end, of which the first begins at `start`.

        It decides in which order gradients are added up, so it depends on nothing but the sizes of the files.
        """
        count = len(self.items.stems)
        size = 0
        for index in range(start, count):
            own = sum(map(size_of, self.items.paths(index)))
            if index - start == _CHUNK or (index > start and size + own > _CHUNK_BYTES):
                yield index
                start, size = index, 0
            size += own
        if count > start:
            yield count

    def _of_item(self, index: int, error: GradcliError) -> GradcliError:
        stem = self.items.stems[index]
        if stem not in error.message:
            error.message = f"item {stem!r}: {error.message}"
        return error


class _Run:
    """One run: what is not yet recorded, and the counts."""

    def __init__(self, batch: Batch, executor: Executor, stopped: threading.Event, progress: Progress | None) -> None:
        self.batch = batch
        self.executor = executor
        self.stopped = stopped
        self.progress = progress
        self.start = self.recorded = self.stored = time.monotonic()
        self.sums = Sums()
        self.finished: list[Outcome] = []
        self.pending = self.lines = self.done = self.failed = self.skipped = self.nbytes = self.remarked = 0
        self.first_remark: str | None = None
        self.error: GradcliError | None = None

    def go(self) -> BatchSummary:
        """Open the folder, do the items, close it."""
        with contextlib.closing(Folder(self.batch.job.folder)) as self.folder:
            kept = self._begin()
            self.skipped = self.lines = kept.total()
            self._tell()
            try:
                self._items(kept)
            finally:
                self.journal.finish()
            return self._end()

    def _begin(self) -> Finished:
        """What is kept of an earlier run; a run of another kind is forgotten before this one is written down."""
        batch, folder = self.batch, self.folder
        kept = batch.kept()
        if batch.overwrite and not batch.is_continued():
            manifest.remove_results(folder.path)
        if batch.job.accumulate:
            self.sums = stored(folder.path)
            kept = self._up_to(kept, self.sums.items)
            if not kept.first:
                self.sums = Sums()
        self.journal = Journal(folder, kept.length, kept.places)
        if not kept.total():
            with contextlib.suppress(FileNotFoundError):
                os.unlink(folder.file(SUMS))
            manifest.record(folder, batch.job)
        return kept

    def _up_to(self, kept: Finished, items: int) -> Finished:
        """The first `items` of what is kept, whose sums are known; nothing when one of those has to be done again.

        Nor when no chunk ends there any more, since the last one has grown: it would be added up in another order.
        """
        if kept.first < items or not items or items not in takewhile(lambda end: end <= items, self.batch.ends()):
            return Finished(0, 0, None)
        return Finished(items, manifest.length_of(self.folder.path, items), None)

    def _items(self, kept: Finished) -> None:
        parts = self.executor.parts(self.batch.job, self.batch.chunks(kept), self.stopped)
        with contextlib.closing(parts):
            try:
                for part in parts:
                    self._take(part)
                    if not part.complete:
                        break
            finally:
                # Also when something fails: what is finished is not lost.
                self._record()
                self._store()

    def _take(self, part: Part) -> None:
        """Take in what a chunk has come to."""
        batch = self.batch
        # Sums are those of all items of a chunk or of none.
        for outcome in part.outcomes if part.complete or not batch.job.accumulate else ():
            if outcome.error is not None:
                error = batch._of_item(outcome.number, outcome.error)
                if not batch.skip:
                    raise error
                self.error = self.error or error
                self.failed += 1
            else:
                self.done += 1
                if outcome.remark is not None:
                    self.remarked += 1
                    stem = batch.items.stems[outcome.number]
                    self.first_remark = self.first_remark or f"{stem!r}: {outcome.remark}"
            self.finished.append(outcome)
            self.pending += outcome.nbytes
            self.nbytes += outcome.nbytes
        if part.failure is not None:
            raise part.failure
        if batch.job.accumulate and part.complete:
            self.sums.add(part.sums, part.outcomes[-1].number + 1)
        late = time.monotonic() - self.recorded > _GROUP_SECONDS
        if late or len(self.finished) >= _GROUP or self.pending >= _GROUP_BYTES:
            self._record()
            if time.monotonic() - self.stored > _GROUP_SECONDS:
                self._store()
        self._tell()

    def _record(self) -> None:
        """Give finished files their names, and then write their lines; up to the first that cannot have its name."""
        finished, self.finished, self.pending = self.finished, [], 0
        settled = 0
        if self.batch.durable and any(outcome.files for outcome in finished):
            self.folder.sync([temporary for outcome in finished for temporary, _ in outcome.files])
        with undisturbed():
            try:
                for outcome in finished:
                    self.folder.settle(outcome.files)
                    settled += 1
            finally:
                if settled:
                    self.journal.append([(outcome.number, outcome.line) for outcome in finished[:settled]])
                    self.lines += settled
        self.recorded = time.monotonic()

    def _store(self) -> None:
        """Keep the sums, where the items in them are those that are recorded."""
        if self.batch.job.accumulate and self.sums.items and self.sums.items == self.lines:
            start = time.monotonic()
            self.sums.store(self.folder)
            now = time.monotonic()
            self.stored = now + (now - start) / _STORE_SHARE

    def _tell(self) -> None:
        if self.progress is not None:
            finished = self.done + self.failed + self.skipped
            self.progress(finished, len(self.batch.items.stems), self.nbytes)

    def _end(self) -> BatchSummary:
        batch = self.batch
        count = len(batch.items.stems)
        left = self.done + self.failed + self.skipped < count
        more: dict[str, Any] = {}
        if batch.job.accumulate and not left:
            found = sum_of_values(batch.job.folder)
            if found is not None and found[1]:
                more = {"total": found[0], "mean": found[0] / found[1]}
            more["sums"] = write_sums(self.folder, self.sums)
        seconds = time.monotonic() - self.start
        more |= {"remarked": self.remarked, "first_remark": self.first_remark}
        return BatchSummary(count, self.done, self.skipped, self.failed, self.nbytes, seconds, self.error, left, **more)
