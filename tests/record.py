"""Write what PyTorch says of every case to `recorded.json`, for those who do not have it: `python -m tests.record`."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from tests.cases import all_cases, detached_cases

RECORDED = Path(__file__).with_name("recorded.json")


def record() -> dict[str, Any]:
    """Value, print, chain and gradients of each case in float64, in PyTorch's words."""
    import torch

    from tests.torch_side import chain, evaluate, tensors

    figures: dict[str, Any] = {"torch": torch.__version__.split("+")[0], "cases": {}}
    for case in [*all_cases(), *detached_cases()]:
        inputs = tensors(case.arrays())
        value = evaluate(case.expression, inputs)
        entry: dict[str, Any] = {
            "dtype": str(value.dtype).removeprefix("torch."),
            "shape": list(value.shape),
            "value": _plain(value),
            "chain": chain(value.grad_fn),
        }
        if value.requires_grad and "//" not in case.expression and "floor_divide" not in case.expression:
            weights = np.random.default_rng(1).uniform(0.5, 1.5, tuple(value.shape))
            tracked = [name for name, tensor in inputs.items() if tensor.requires_grad]
            found = torch.autograd.grad(
                (value * torch.tensor(weights)).sum(), [inputs[n] for n in tracked], allow_unused=True
            )
            entry["grads"] = {n: None if g is None else _plain(g) for n, g in zip(tracked, found, strict=True)}
        figures["cases"][str(case)] = entry
    return figures


def _plain(tensor: Any) -> Any:
    """Numbers as text, so that the last bits of two builds of PyTorch do not change the file."""
    flat = tensor.numpy(force=True).astype("float64").ravel().tolist()
    return [float(f"{number:.12g}") for number in flat]


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rows = record()
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(entry)}" for name, entry in sorted(rows["cases"].items()))
    RECORDED.write_text(f'{{"torch": {json.dumps(rows["torch"])}, "cases": {{\n{lines}\n}}}}\n')
