"""Write PyTorch's Jacobians, Hessians and products to `recorded_calculus.json`: `python -m tests.record_calculus`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.calculus_cases import FUNCTIONS, SCALARS, Function

RECORDED = Path(__file__).with_name("recorded_calculus.json")


def record() -> dict[str, Any]:
    """For each function what torch.autograd.functional gives, as nested lists of (shape, numbers)."""
    import torch

    def packed(values: list[Any], function: Function) -> Any:
        tensors = [torch.tensor(v) for v in values]
        return tensors[0] if len(tensors) == 1 else tuple(tensors)

    of = torch.autograd.functional
    figures: dict[str, Any] = {}
    for function in FUNCTIONS:
        inputs = packed(function.arrays(), function)

        def call(*tensors: Any, function: Function = function) -> Any:
            return function.call(torch, *tensors)

        outputs = call(*(inputs if isinstance(inputs, tuple) else (inputs,)))
        shapes = [tuple(y.shape) for y in (outputs if isinstance(outputs, tuple) else (outputs,))]
        entry = {
            "jacobian": of.jacobian(call, inputs),
            "vjp": of.vjp(call, inputs, packed(function.vectors(shapes), function)),
            "jvp": of.jvp(call, inputs, packed(function.vectors(function.shapes), function)),
        }
        if function in SCALARS:
            vector = packed(function.vectors(function.shapes), function)
            entry["hessian"] = of.hessian(call, inputs)
            entry["hvp"], entry["vhp"] = of.hvp(call, inputs, vector), of.vhp(call, inputs, vector)
        figures[function.name] = {name: plain(result) for name, result in entry.items()}
    return figures


def plain(result: Any) -> Any:
    """Nested tuples of tensors as lists; a tensor as its shape and its elements, rounded to what builds agree on."""
    if isinstance(result, tuple):
        return [plain(item) for item in result]
    flat = result.detach().reshape(-1).tolist()
    return {"shape": list(result.shape), "elements": [float(f"{number:.12g}") for number in flat]}


if __name__ == "__main__":
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(entry)}" for name, entry in record().items())
    RECORDED.write_text(f"{{\n{lines}\n}}\n")
