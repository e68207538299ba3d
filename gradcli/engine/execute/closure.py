"""Programs of a few small operations, run again and again: what can be looked up is looked up once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np

from gradcli.engine.plan.program import Program, WholeStep
from gradcli.errors import GradcliError, WorkError
from gradcli.graph.node import RESULT

#: From the arrays of a program's leaves to those of its roots.
Compute = Callable[[Sequence[Any]], list[Any]]


class Computing(NamedTuple):
    """What computes a small program: `once` from the arrays of the leaves those of the roots; `many`, where there is
    such a function, from arrays of so many of each (None for leaves that are the same for all) as many of each."""

    once: Compute
    many: Callable[[Sequence[Any], int], list[Any]] | None = None


# In place of the first operand: what the kernel gives is a tuple, and stays one.
_SEVERAL = -2


def bound(program: Program) -> Compute | None:
    """A function from the arrays of the leaves, and the views of them, to those of the roots, or None where a program
    needs more than that.

    It computes what `run` does. The caller has checked the memory, and silences NumPy's warnings.
    """
    if not program.direct or program.conditions or len(program.stages) != 1:
        return None
    whole = program.stages[0].whole
    assert all(step.out == program.given + k for k, step in enumerate(whole))
    steps = [_bound(step, step.out in program.parts) for step in whole]
    roots = list(zip(program.roots, program.shapes, strict=True))
    same = all(program.values[k].shape == shape for k, shape in roots)
    asarray, count = np.asarray, program.given

    def compute(leaves: Sequence[Any]) -> list[Any]:
        values = list(leaves)
        add = values.append
        try:
            for kernel, first, second, places in steps:
                if second >= 0:
                    add(kernel(values[first], values[second]))
                elif first >= 0:
                    add(kernel(values[first]))
                elif first == _SEVERAL:
                    add(kernel(*[values[k] for k in places]))
                else:
                    add(asarray(kernel(*[values[k] for k in places])))
        except GradcliError as error:
            if error.span is None:
                error.span = whole[len(values) - count].node.span
            raise
        except MemoryError:
            raise WorkError("not enough memory for this", span=whole[len(values) - count].node.span) from None
        if same:
            return [values[k] for k, _ in roots]
        return [values[k] if values[k].shape == shape else values[k].reshape(shape) for k, shape in roots]

    return compute


def _bound(step: WholeStep, is_part: bool) -> tuple[Any, int, int, tuple[int, ...]]:
    """The kernel of a step, its first and second operand (negative for none or any number), and all of them."""
    op, kernel = step.node.op, _kernel(step, is_part)
    if op.results:
        return kernel, _SEVERAL, -1, step.inputs
    if op is RESULT:
        return kernel, step.inputs[0], -1, step.inputs
    # A ufunc gives an array, unless it is a single number.
    if isinstance(kernel, np.ufunc) and step.node.ndim and 0 < len(step.inputs) <= 2:
        return kernel, step.inputs[0], step.inputs[1] if len(step.inputs) == 2 else -1, step.inputs
    return kernel, -1, -1, step.inputs


def _kernel(step: WholeStep, is_part: bool) -> Any:
    op, params = step.node.op, step.node.params
    if op is RESULT:
        return itemgetter(params["index"])
    assert op.kernel is not None
    kernel = partial(op.kernel, **params) if params else op.kernel
    return (lambda *arrays: packed(np.asarray(kernel(*arrays)))) if is_part else kernel


def packed(array: Any) -> Any:
    """A part of an array in row-major order, as that of a file is: NumPy adds up in the order of the memory."""
    return array if array.flags.c_contiguous else array.copy()


def caller(step: WholeStep, is_part: bool) -> Callable[..., Any]:
    """A function from the arrays of an operation to its result; a part of what is there is packed."""
    kernel = _kernel(step, is_part)
    return kernel if step.node.op.results else lambda *arrays: np.asarray(kernel(*arrays))
