"""The entries of PyTorch's operator table, and the function of gradcli that each is about."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradcli as gc
import gradcli.ops  # noqa: F401
from gradcli.graph.op import OPS

NAMES = Path(__file__).with_name("operators.txt").read_text(encoding="utf-8").splitlines()[1:]


def _of_tensor(name: str) -> Callable[..., Any]:
    return lambda x, *args, **words: getattr(x, name)(*args, **words)


def _sliced(x: Any, dim: int = 0, start: Any = None, end: Any = None, step: int = 1) -> Any:
    return x[(slice(None),) * (dim % x.ndim) + (slice(start, end, step),)]


def _seeded(f: Callable[..., Any], *args: Any, **words: Any) -> Any:
    # PyTorch's table does so before it calls what draws random numbers.
    gc.manual_seed(42)
    return f(*args, **words)


#: How PyTorch's documentation spells what its table writes in another way, with gradcli's function as `f`.
SPELLINGS: dict[str, Callable[..., Any]] = {
    "T": lambda f, x: x.T,
    "H": lambda f, x: x.H,
    "mT": lambda f, x: x.mT,
    "mH": lambda f, x: x.mH,
    "einsum": lambda f, tensors, equation: f(equation, *tensors),
    "linalg.lstsq/grad_oriented": lambda f, a, b, driver: tuple(f(a, b, driver=driver))[:2],
    "linalg.pinv/singular": lambda f, a, b: f(a @ b.mT),
    "nn.functional.embedding": lambda f, weight, indices, **words: f(indices, weight, **words),
    "nn.functional.embedding_bag": lambda f, weight, indices, **words: f(indices, weight, **words),
    # PyTorch's own function takes PyTorch's tensors.
    "nn.functional.triplet_margin_with_distance_loss": lambda f, *tensors, distance_function, **words: f(
        *tensors, distance_function=gc.pairwise_distance, **words
    ),
    "nn.functional.multi_head_attention_forward": _seeded,
    "nn.functional.scaled_dot_product_attention": _seeded,
    "polygamma": lambda f, x, n: f(n, x),
    "special.polygamma": lambda f, x, n: f(n, x),
    "where": lambda f, x, condition, other: f(condition, x, other),
    "zero_": lambda f, x: x.clone().zero_(),
}

#: Samples about memory that a tensor is only a part of: tensors here have no other elements than their own.
_BEYOND = {"as_strided/partial_views"}

#: What PyTorch has as methods only.
_METHODS = {
    "bfloat16",
    "contiguous",
    "double",
    "expand",
    "expand_as",
    "float",
    "half",
    "repeat",
    "reshape_as",
    "sum_to_size",
    "to",
    "unfold",
    "view",
    "view_as",
    "zero_",
}


def function(entry: str) -> Callable[..., Any] | None:
    """What gradcli has for an entry, called as its samples are; None where it has nothing.

    That is the row that names PyTorch's function as its own, or has its name: nn.functional.relu is relu.
    """
    name = entry.split("/")[0]
    found = _found(name)
    spelling = SPELLINGS.get(entry) or SPELLINGS.get(name)
    if entry in _BEYOND:
        return None
    if found is None or spelling is None:
        return found
    return lambda *args, **words: spelling(found, *args, **words)


def _found(name: str) -> Callable[..., Any] | None:
    if name == "slice":
        return _sliced
    if name in _METHODS:
        return _of_tensor(name) if name in OPS or hasattr(gc.Tensor, name) else None
    short = name.rpartition(".")[2]
    op = _BY_TORCH.get(name) or OPS.get(name.replace(".", "_")) or OPS.get(short)
    # A method of PyTorch's tensors may have the name of another function of it.
    if op is None or not op.public or ("." in name and (op.torch or "").startswith("Tensor.")):
        return None
    return getattr(gc, op.name)


_BY_TORCH = {op.torch: op for op in OPS.values() if op.torch is not None}

PRESENT = {name: found for name in NAMES if (found := function(name)) is not None}
