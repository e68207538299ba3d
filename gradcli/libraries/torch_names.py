"""PyTorch's functions by their places: `nn.functional.gelu` is the row that says so, with PyTorch's own arguments."""

from __future__ import annotations

from typing import Any

import gradcli.ops  # noqa: F401
from gradcli.graph.op import OPS, Op
from gradcli.libraries.foreign_function import Harmless, drop_harmless, names_and_rows

#: What else stands in a folder than the rows that say so: the same functions again, under these names or others.
_AGAIN = {
    "torch": """
        broadcast_to celu selu inverse det slogdet matrix_exp matrix_power pairwise_distance cosine_similarity
        pdist conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d max_pool1d max_pool2d max_pool3d
        avg_pool1d adaptive_avg_pool1d hardshrink threshold rrelu group_norm layer_norm rms_norm bilinear orgqr
    """,
    "torch.nn.functional": "relu sigmoid tanh softmax log_softmax prelu channel_shuffle pixel_shuffle pixel_unshuffle"
    " unfold=im2col",
    "torch.linalg": "matmul",
    "torch.special": """
        digamma psi=digamma erf erfc erfinv exp2 expit expm1 i0 log1p log_softmax logit logsumexp multigammaln polygamma
        round sinc softmax xlogy gammaln=lgamma
    """,
}
#: Aliases of rows that PyTorch does not have there.
_NOT_THERE = frozenset(
    {"torch.no_grad", "torch.expit", "torch.multigammaln", "torch.linalg.inverse", "torch.linalg.orgqr"}
)
# Where a name of `torch.linalg` means another row than that of `torch`, the row is called so.
_LINALG = "linalg_"

#: Arguments that say where and how something is stored: what they change is no value and no gradient.
_STORED: Harmless = {
    "out": (None,),
    "device": (None, "cpu"),
    "requires_grad": (True, False),
    "inplace": (True, False),
    "layout": (None,),
    "pin_memory": (False,),
    "memory_format": (None,),
    "generator": (None,),
}


class TorchFunction:
    """A row as PyTorch calls it: under its place, and with arguments that a row does not have since they change
    nothing."""

    def __init__(self, place: str, op: Op) -> None:
        self.name = place
        self.op = op
        self.family = op.family
        self.signature = op.signature

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        harmless = {word: values for word, values in _STORED.items() if word not in self.signature.names}
        drop_harmless(kwargs, harmless, f"{self.name} takes no {{}}= here", "leave it out")
        return self.op(*args, **kwargs)


def torch_function(place: str) -> TorchFunction | None:
    """The function of this place, such as `torch.linalg.norm`; None where there is none."""
    folder, _, name = place.rpartition(".")
    row = names_and_rows(_AGAIN.get(folder, "")).get(name)
    if row is None and folder == "torch.linalg" and _LINALG + name in OPS:
        row = _LINALG + name
    op = OPS.function(row or name)
    if op is None or (row is None and not _stands_at(op, name, place)):
        return None
    return TorchFunction(place, op)


def torch_names(folder: str) -> list[str]:
    """All names of a folder, for hints."""
    names = [*names_and_rows(_AGAIN.get(folder, "")), *OPS.functions()]
    places = [(op.torch or "").rpartition(".")[2] for op in OPS.functions().values()]
    return [name for name in dict.fromkeys([*names, *places]) if name and torch_function(f"{folder}.{name}")]


def _stands_at(op: Op, name: str, place: str) -> bool:
    folder, _, last = f"torch.{op.torch or op.name}".rpartition(".")
    return place not in _NOT_THERE and place == f"{folder}.{name}" and (name in op.aliases or name == last)
