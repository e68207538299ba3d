"""Dropout: elements set to 0 at random, by PyTorch's numbers for a seed."""

# Rows are laid out by hand.
# fmt: off

from __future__ import annotations

import math
from typing import Any

from gradcli.errors import GradcliError, SizeError
from gradcli.graph.arguments import as_flag, as_number
from gradcli.graph.dtypes import FLOAT64
from gradcli.graph.infer import cast
from gradcli.graph.node import Node
from gradcli.graph.op import Op, Shape
from gradcli.ops.create import rand, zeros_like
from gradcli.ops.family import composite, float_node
from gradcli.ops.shape import permute, squeeze, unsqueeze

# Klambauer et al., Self-Normalizing Neural Networks (2017): minus the value that SELU tends to below 0.
_ALPHA = 1.7580993408473766


def _kept(x: Node, shape: Shape, p: float) -> Node:
    """1 with the probability 1 - p, else 0, in the order in which the elements lie in memory, as PyTorch draws them."""
    if shape != x.shape or x.strides is None:
        return cast(rand(shape, dtype=FLOAT64) < 1 - p, x.dtype)
    strides = x.strides
    order = sorted(range(x.ndim), key=lambda d: -strides[d])
    drawn = rand([shape[d] for d in order], dtype=FLOAT64)
    return cast(permute(drawn, [order.index(d) for d in range(x.ndim)]) < 1 - p, x.dtype)


def _plain(x: Node, shape: Shape, p: float) -> Node:
    return x * (_kept(x, shape, p) / (1 - p))


def _alpha(x: Node, shape: Shape, p: float) -> Node:
    """What is dropped becomes -alpha; then mean and variance are those of before."""
    kept, scale = _kept(x, shape, p), 1 / math.sqrt((_ALPHA**2 * p + 1) * (1 - p))
    return x * (kept * scale) + ((kept - 1) * (_ALPHA * scale) + _ALPHA * scale * p)


def _features(x: Node, name: str) -> Shape:
    """One element for each channel of each sample."""
    if x.ndim < 2:
        raise SizeError(f"{name}() needs at least two dimensions, samples and channels, got shape {{}}", x.shape)
    return (*x.shape[:2], *(1,) * (x.ndim - 2))


def _applied(name: str, rule: Any, x: Node, shape: Shape, p: Any, training: Any) -> Node:
    probability = as_number(p, "p")
    if not 0 <= probability <= 1:
        raise GradcliError(f"p is a probability, from 0 to 1, got {probability:g}", argument="p")
    if not as_flag(training, "training") or probability == 0 or not x.size:
        return x
    return x * zeros_like(x) if probability == 1 else rule(x, shape, probability)


def _row(name: str, rule: Any, doc: str, features: bool = False, training: bool = True) -> Op:
    def build(input: Any, p: Any, training: Any) -> Node:
        x = float_node(input, name)
        return _applied(name, rule, x, _features(x, name) if features else x.shape, p, training)

    return composite(
        name, build, args=f"input, p: number=0.5, training={training}", family="activation", draws=True, doc=doc,
        example="input:2",
    )


def _of_images(count: int) -> Op:
    name, ranks = f"dropout{count}d", {1: (2, 3), 2: (3, 4), 3: (4, 5)}[count]

    def build(input: Any, p: Any, training: Any) -> Node:
        x = float_node(input, name)
        if x.ndim not in ranks:
            raise SizeError(f"{name}() takes {ranks[0]} or {ranks[1]} dimensions, got shape {{}}", x.shape)
        # PyTorch takes three dimensions of dropout2d() for samples, channels and places.
        lone = x.ndim == ranks[0] and count != 2
        batch = unsqueeze(x, 0) if lone else x
        result = _applied(name, _plain, batch, _features(batch, name), p, training)
        return squeeze(result, 0) if lone else result

    return composite(
        name, build, args="input, p: number=0.5, training=True", family="activation", draws=True,
        doc="Whole channels set to 0 with probability p, the others divided by 1 - p.",
        example=(f"{name}(input)", f"input:{count + 2}"),
    )


dropout = _row("dropout", _plain, "Elements set to 0 with probability p, the others divided by 1 - p.")
alpha_dropout = _row("alpha_dropout", _alpha, "Dropout for selu, which preserves mean and variance.", training=False)
feature_alpha_dropout = _row(
    "feature_alpha_dropout", _alpha, "alpha_dropout of whole channels.", features=True, training=False,
)
dropout1d, dropout2d, dropout3d = map(_of_images, (1, 2, 3))
