"""What is asked of dtypes and shapes without a tensor: which comes out of two, what one can hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from gradcli.errors import GradcliError
from gradcli.graph import infer
from gradcli.graph.arguments import as_int, as_node
from gradcli.graph.dtypes import CATEGORY, DEFAULT_DTYPE
from gradcli.graph.node import constant
from gradcli.ops.family import to_dtype
from gradcli.tensors.elements import lower


@dataclass(frozen=True)
class FloatLimits:
    """What a floating-point type can hold."""

    bits: int
    eps: float
    max: float
    min: float
    tiny: float
    smallest_normal: float
    resolution: float
    dtype: str

    def __repr__(self) -> str:
        names = ("resolution", "min", "max", "eps", "smallest_normal", "tiny")
        return f"finfo({', '.join(f'{name}={getattr(self, name):g}' for name in names)}, dtype={self.dtype})"


@dataclass(frozen=True)
class IntLimits:
    """What an integer type can hold."""

    bits: int
    max: int
    min: int
    dtype: str

    def __repr__(self) -> str:
        return f"iinfo(min={self.min}, max={self.max}, dtype={self.dtype})"


def _known(dtype: Any, name: str) -> np.dtype:
    target = to_dtype(dtype)
    if target is None:
        raise GradcliError(f"{name}() needs a dtype", hint="for example, float32")
    return target


def result_type(tensor1: Any, tensor2: Any) -> np.dtype:
    """The dtype of what is computed from two tensors or numbers.

    >>> import gradcli as gc
    >>> gc.result_type(gc.ones(2, dtype=gc.int64), 0.5)
    dtype('float32')
    """
    return infer.promote([as_node(lower(tensor1)), as_node(lower(tensor2))])


def promote_types(type1: Any, type2: Any) -> np.dtype:
    """The dtype of what is computed from tensors of two dtypes."""
    return infer.promote([constant(np.zeros(1, _known(dtype, "promote_types"))) for dtype in (type1, type2)])


def can_cast(from_: Any, to: Any) -> bool:
    """Whether numbers of a dtype may be written over those of another: floats not over integers, only booleans over
    booleans."""
    return CATEGORY[_known(from_, "can_cast").kind] <= CATEGORY[_known(to, "can_cast").kind]


def broadcast_shapes(*shapes: Any) -> tuple[int, ...]:
    """The shape in which tensors of several shapes are computed with each other.

    >>> import gradcli as gc
    >>> gc.broadcast_shapes((2, 1), (3,))
    (2, 3)
    """
    lengths = [tuple(as_int(n, "a length") for n in (s if isinstance(s, list | tuple) else (s,))) for s in shapes]
    if any(n < 0 for s in lengths for n in s):
        raise GradcliError(f"a shape has no negative lengths, got {', '.join(map(str, lengths))}")
    return infer.broadcast_shapes(lengths or [()])


def finfo(dtype: Any = None) -> FloatLimits:
    """What a floating-point type can hold: `eps`, `max`, `min`, `tiny`, `bits` and so on; the default one's if none is
    given.

    >>> import gradcli as gc
    >>> gc.finfo(gc.float64).eps
    2.220446049250313e-16
    """
    target = DEFAULT_DTYPE.get() if dtype is None else _known(dtype, "finfo")
    if target.kind != "f":
        raise GradcliError(f"finfo() takes a floating-point type, not {target}", hint="iinfo has those of integers")
    found = np.finfo(target)
    tiny = float(found.tiny)
    eps, most, least = (float(n) for n in (found.eps, found.max, found.min))
    return FloatLimits(found.bits, eps, most, least, tiny, tiny, 10.0**-found.precision, str(target))


def iinfo(dtype: Any) -> IntLimits:
    """What an integer type can hold: `max`, `min` and `bits`."""
    target = _known(dtype, "iinfo")
    if target.kind not in "iu":
        raise GradcliError(f"iinfo() takes an integer type, not {target}", hint="finfo has those of floats")
    found = np.iinfo(target)
    return IntLimits(found.bits, int(found.max), int(found.min), str(target))
