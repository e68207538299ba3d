"""Steps as data for JSON."""

from __future__ import annotations

import math
from typing import Any

from gradcli.render.text import format_tensor
from gradcli.walkthrough import board_words as words
from gradcli.walkthrough.step_types import BackwardStep, Passed, Told

# Larger tensors are given by their print alone, which is a summary, as in PyTorch.
_MOST_ELEMENTS = 1000


def walkthrough_data(told: Told) -> dict[str, Any]:
    """The steps for `gradcli.render.json.to_json`: `forward` and `backward` in their order, each an object.

    A `value` of more than 1000 elements is null; `print` is there in any case.
    """
    return {
        "expression": told.source,
        "value": told.value,
        "forward": [
            {
                "name": step.name,
                "input": step.is_input,
                "expression": step.expression,
                "source": step.source,
                "span": step.span,
                "operands": list(step.operands),
                "call": words.call_of(step, told) or None,
                "grad_fn": step.grad_fn,
                "requires_grad": step.requires_grad,
                **_tensor(step.value, step.grad_fn, step.requires_grad),
            }
            for step in told.forward
        ],
        "backward": [
            {
                "function": item.name,
                "of": list(item.results),
                "passes": [_passed(passed, item.results[0]) for passed in item.passed],
            }
            if isinstance(item, BackwardStep)
            else {"arrives": item.target, "branches": item.branches, "input": item.is_input, **_tensor(item.total)}
            for item in told.backward
        ],
        "skipped": told.skipped,
        "note": told.note,
    }


def _passed(passed: Passed, result: str) -> dict[str, Any]:
    return {
        "to": passed.target,
        "derivative": words.derivative(passed, result) or None,
        "why": passed.why or None,
        **_tensor(passed.part),
    }


def _tensor(value: Any, grad_fn: str | None = None, requires_grad: bool = False) -> dict[str, Any]:
    large = math.prod(value.shape) > _MOST_ELEMENTS
    return {
        "shape": list(value.shape),
        "dtype": str(value.dtype),
        "value": None if large else value,
        "print": format_tensor(value, grad_fn=grad_fn, requires_grad=requires_grad),
    }
