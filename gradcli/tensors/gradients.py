"""`gradcli.grad`: gradients of tensors, without touching any `.grad`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gradcli.autodiff.vjp import vjp
from gradcli.errors import GradcliError
from gradcli.tensors.backward_pass import seed_of
from gradcli.tensors.elements import lower, tensors_of
from gradcli.tensors.tensor import Tensor, as_leaves, tensor_of


def grad(
    outputs: Tensor | Iterable[Tensor],
    inputs: Tensor | Iterable[Tensor],
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    allow_unused: bool | None = None,
) -> tuple[Tensor | None, ...]:
    """The gradients of `outputs` with respect to `inputs`, without touching any `.grad`.

    With `create_graph=True` they can be differentiated again. An input that the outputs do not depend on is an error
    unless `allow_unused`; its gradient is then None.

    >>> import gradcli as gc
    >>> x = gc.tensor(3.0, requires_grad=True)
    >>> (first,) = gc.grad(x**3, x, create_graph=True)
    >>> gc.grad(first, x)
    (tensor(18.),)
    """
    outs, targets = tensors_of(outputs, "outputs"), tensors_of(inputs, "inputs")
    seeds = [None] * len(outs) if grad_outputs is None else grad_outputs
    seeds = list(seeds) if isinstance(seeds, list | tuple) else [seeds]
    if len(seeds) != len(outs):
        raise GradcliError(f"{len(outs)} outputs need as many grad_outputs, got {len(seeds)}")
    for target in targets:
        if not target.requires_grad:
            raise GradcliError("one of the inputs does not require grad", hint="call x.requires_grad_() on it")
    nodes = [seed_of(o.node, lower(s)) for o, s in zip(outs, seeds, strict=True)]
    found = vjp([o.node for o in outs], nodes, [t.node for t in targets])
    if not allow_unused and len(found) < len({t.node for t in targets}):
        raise GradcliError("an output does not depend on one of the inputs", hint="allow_unused=True gives None for it")
    gradients = {node: tensor_of(g) for node, g in found.items()}
    if not create_graph:
        gradients = dict(zip(gradients, as_leaves(list(gradients.values())), strict=True))
    return tuple(gradients.get(t.node) for t in targets)
