"""What a run leaves of its steps while it goes: lines of its trace, a checkpoint now and then, the course to plot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gradcli.machine.undisturbed import undisturbed
from gradcli.optimize.checkpoint import Checkpoint, packed, unpacked
from gradcli.optimize.course import Course
from gradcli.optimize.iterate import Iterate
from gradcli.optimize.minimum import Minimum
from gradcli.optimize.trace import Beginning, Trace


@dataclass
class Logbook:
    """Told of each step, it leaves what there is a place for."""

    trace: Trace | None
    checkpoint: Checkpoint | None
    course: Course | None
    #: What to go on from, and what an earlier run has already come to.
    resumed: dict[str, Any] | None = None
    minimum: Minimum | None = None
    _state: dict[str, Any] | None = None
    _opened: bool = False

    @property
    def kept(self) -> int | None:
        """The step that a checkpoint was written after, None where there is none."""
        return None if self._state is None else self._state["step"]

    def look_back(self, resume: bool, overwrite: bool) -> None:
        """Take over what an earlier run has kept, where this one goes on with it."""
        kept = self.checkpoint.earlier(resume, overwrite) if self.checkpoint is not None else None
        if kept is None:
            return
        self.resumed = self._state = kept["state"]
        if self.course is not None:
            self.course.restore(kept["course"])
        if kept["minimum"] is not None:
            self.minimum = unpacked(kept["minimum"])
        if self.trace is not None:
            step = kept["minimum"]["steps"] if self.resumed is None else self.resumed["step"]
            self._begin(Beginning(*kept["trace"]), step)

    def _begin(self, kept: Beginning | None = None, step: int = 0) -> None:
        self._opened = True
        if self.checkpoint is not None and self.resumed is None and self.minimum is None:
            self.checkpoint.discard()
        if self.trace is not None:
            self.trace.open(kept, step)

    def add(self, step: Iterate) -> None:
        """Take in a step."""
        if not self._opened:
            self._begin()
        if self.course is not None:
            self.course.add(step.number, step.value, step.gradient_norm)
        if self.trace is not None:
            self.trace.add({"step": step.number, "value": step.value, "gradient_norm": step.gradient_norm})
        if self.checkpoint is not None and self.checkpoint.is_due(step):
            with self.checkpoint.paced():
                self._state = step.state()
                self._keep(None)

    def finish(self, found: Minimum) -> None:
        """Keep what the run has come to."""
        if not self._opened:
            self._begin()
        if self.checkpoint is not None and self.minimum is None:
            if self._state is not None and self._state["step"] != found.steps:
                # The trace goes on behind it.
                self._state = None
            self._keep(found)

    def _keep(self, found: Minimum | None) -> None:
        assert self.checkpoint is not None
        # A checkpoint and the trace up to there belong together.
        with undisturbed():
            self.checkpoint.write(
                state=self._state,
                trace=None if self.trace is None else list(self.trace.kept()),
                course=None if self.course is None else self.course.state(),
                minimum=None if found is None else packed(found),
            )

    def close(self) -> None:
        """Nothing more comes."""
        if self.trace is not None and self._opened:
            self.trace.close()
