"""Programs of a few small operations, run again and again: what can be looked up is looked up once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from gradcli.errors import GradcliError, WorkError
from gradcli.plan.program import Program


def bound(program: Program) -> Callable[[Sequence[Any]], list[Any]] | None:
    """A function from the arrays of the leaves to those of the roots, or None where a program needs more than that.

    It computes what `run` does. The caller has checked the memory, and silences NumPy's warnings.
    """
    if not program.direct or program.conditions or len(program.stages) != 1:
        return None
    steps: list[tuple[Any, tuple[int, ...]]] = []
    for step in program.stages[0].whole:
        kernel, params = step.node.op.kernel, step.node.params
        assert kernel is not None and step.out == len(program.leaves) + len(steps)
        steps.append((partial(kernel, **params) if params else kernel, step.inputs))
    nodes = [step.node for step in program.stages[0].whole]
    roots = list(zip(program.roots, program.shapes, strict=True))
    asarray, count = np.asarray, len(program.leaves)

    def compute(leaves: Sequence[Any]) -> list[Any]:
        values = list(leaves)
        add = values.append
        try:
            for kernel, places in steps:
                add(asarray(kernel(*[values[k] for k in places])))
        except GradcliError as error:
            if error.span is None:
                error.span = nodes[len(values) - count].span
            raise
        except MemoryError:
            raise WorkError("not enough memory for this", span=nodes[len(values) - count].span) from None
        return [values[k] if values[k].shape == shape else values[k].reshape(shape) for k, shape in roots]

    return compute
