"""What a run leaves of its steps while it goes: lines of its trace, a checkpoint now and then, the course to plot."""

from __future__ import annotations

from typing import Any

from gradcli.machine.undisturbed import undisturbed
from gradcli.optimize.checkpoint import Checkpoint, packed, unpacked
from gradcli.optimize.course import Course
from gradcli.optimize.iterate import Iterate
from gradcli.optimize.minimum import Minimum
from gradcli.optimize.trace import Beginning, Trace


class Logbook:
    """Told of each step, it leaves what there is a place for."""

    def __init__(self, trace: Trace | None, checkpoint: Checkpoint | None, course: Course | None) -> None:
        self._trace = trace
        self._checkpoint = checkpoint
        self.course = course
        self._state: dict[str, Any] | None = None
        self._opened = False
        #: What to go on from, and what an earlier run has already come to.
        self.resumed: dict[str, Any] | None = None
        self.minimum: Minimum | None = None

    @property
    def kept(self) -> int | None:
        """The step that a checkpoint was written after, None where there is none."""
        return None if self._state is None else self._state["step"]

    def look_back(self, resume: bool, overwrite: bool) -> None:
        """Take over what an earlier run has kept, where this one goes on with it."""
        kept = self._checkpoint.earlier(resume, overwrite) if self._checkpoint is not None else None
        if kept is None:
            return
        self.resumed = self._state = kept["state"]
        if self.course is not None:
            self.course.restore(kept["course"])
        if kept["minimum"] is not None:
            self.minimum = unpacked(kept["minimum"])
        if self._trace is not None:
            step = kept["minimum"]["steps"] if self.resumed is None else self.resumed["step"]
            self._begin(Beginning(*kept["trace"]), step)

    def _begin(self, kept: Beginning | None = None, step: int = 0) -> None:
        self._opened = True
        if self._checkpoint is not None and self.resumed is None and self.minimum is None:
            self._checkpoint.discard()
        if self._trace is not None:
            self._trace.open(kept, step)

    def add(self, step: Iterate) -> None:
        """Take in a step."""
        if not self._opened:
            self._begin()
        if self.course is not None:
            self.course.add(step.number, step.value, step.gradient_norm)
        if self._trace is not None:
            self._trace.add({"step": step.number, "value": step.value, "gradient_norm": step.gradient_norm})
        if self._checkpoint is not None and self._checkpoint.is_due(step):
            with self._checkpoint.paced():
                self._state = step.state()
                self._keep(None)

    def finish(self, found: Minimum) -> None:
        """Keep what the run has come to."""
        if not self._opened:
            self._begin()
        if self._checkpoint is not None and self.minimum is None:
            if self._state is not None and self._state["step"] != found.steps:
                # The trace goes on behind it.
                self._state = None
            self._keep(found)

    def _keep(self, found: Minimum | None) -> None:
        assert self._checkpoint is not None
        # A checkpoint and the trace up to there belong together.
        with undisturbed():
            self._checkpoint.write(
                state=self._state,
                trace=None if self._trace is None else list(self._trace.kept()),
                course=None if self.course is None else self.course.state(),
                minimum=None if found is None else packed(found),
            )

    def close(self) -> None:
        """Nothing more comes."""
        if self._trace is not None and self._opened:
            self._trace.close()
