"""The flat Python API: gradients, and the functions and constants of the language, read from the registry."""

from __future__ import annotations

import operator
from collections.abc import Iterable
from typing import Any

import numpy as np

from gradcli.autodiff.vjp import vjp
from gradcli.errors import GradcliError, did_you_mean
from gradcli.graph.arguments import shown_value
from gradcli.graph.dtypes import DEFAULT_DTYPE, DTYPES
from gradcli.graph.op import OPS
from gradcli.language.constants import CONSTANTS
from gradcli.machine.limits import having
from gradcli.ops.create import GENERATOR, generator
from gradcli.ops.family import to_dtype
from gradcli.ops.random import Generator
from gradcli.tensors.backward_pass import seed_of
from gradcli.tensors.elements import lower, tensors_of
from gradcli.tensors.hooks import CREATING_GRAPH
from gradcli.tensors.tensor import Tensor, as_leaves, call, function_of, tensor_of

# What PyTorch has in modules, and gradcli in the package itself or not at all.
_FLAT = "its functions are in the package itself, such as gc.softplus and gc.linalg_svd"
_ELSEWHERE = {
    **dict.fromkeys(("nn", "linalg", "special", "functional"), _FLAT),
    **dict.fromkeys(("autograd", "func"), "its functions are in the package itself, such as gc.grad and gc.jacobian"),
    "vmap": "gc.each applies a function to every row",
    "optim": "gc.minimize has the methods; in a loop, update the parameters within gc.no_grad()",
    "compile": "nothing needs to be compiled: what is computed together is planned together",
    **dict.fromkeys(("device", "cuda"), "leave it out: everything is computed on the CPU"),
    "Parameter": "gc.tensor(data, requires_grad=True) is one",
    "Module": "write a function of tensors, which takes its parameters as arguments",
    **{
        name: f"`gradcli {name}` is a command only"
        for name in ("derive", "plot", "graph", "explain", "batch", "stream")
    },
    "eval": "gc.evaluate does that",
    "check": "gc.gradcheck does that",
    **dict.fromkeys(("save", "load"), "numpy.save and numpy.load do that, with x.detach().numpy()"),
}


def names() -> list[str]:
    """Every function, dtype and constant of the language."""
    return [*OPS.functions(), *DTYPES, *CONSTANTS]


def lookup(name: str) -> Any:
    """A function, dtype or constant by name, as an attribute of the package.

    Where a dtype and a conversion have one name (`float`, `long`, …), it is the dtype, as in PyTorch.
    """
    if name in DTYPES:
        return DTYPES[name]
    if name in CONSTANTS:
        return CONSTANTS[name]
    op = OPS.function(name)
    if op is None:
        hint = _ELSEWHERE.get(name) or did_you_mean(name, names())
        raise AttributeError(f"module 'gradcli' has no attribute {name!r}" + (f"; {hint}" if hint else ""))
    return function_of(op, name)


def manual_seed(seed: int) -> None:
    """Set the seed of the random numbers, which are PyTorch's for the same seed.

    >>> import gradcli as gc
    >>> gc.manual_seed(0)
    >>> gc.rand(2)
    tensor([0.4963, 0.7682])
    """
    try:
        number = operator.index(seed)
    except TypeError:
        raise GradcliError(f"the seed must be an integer, got {shown_value(seed)}") from None
    GENERATOR.set(Generator(number))


def initial_seed() -> int:
    """The seed of the random numbers, which `manual_seed` has set or the operating system has given."""
    return generator().seed % 2**64


def set_default_dtype(dtype: Any) -> None:
    """Set the floating-point dtype of literals, new tensors and real functions of integers (float32 by default)."""
    target = to_dtype(dtype)
    if target is None or target.kind != "f":
        raise GradcliError(f"the default dtype must be a floating-point type, not {target}")
    DEFAULT_DTYPE.set(target)


def get_default_dtype() -> np.dtype:
    """The dtype set with `set_default_dtype`, or float32."""
    return DEFAULT_DTYPE.get()


def from_numpy(array: np.ndarray) -> Tensor:
    """A tensor with the elements and dtype of an array."""
    return call(OPS["tensor"], array)


def is_tensor(obj: Any) -> bool:
    """Whether a value is a Tensor."""
    return isinstance(obj, Tensor)


def numel(input: Tensor) -> int:
    """The number of elements of a tensor."""
    return _tensor(input, "numel").numel()


def equal(input: Tensor, other: Tensor) -> bool:
    """Whether two tensors have the same shape and the same elements.

    >>> import gradcli as gc
    >>> gc.equal(gc.ones(2), gc.ones(3))
    False
    """
    return _tensor(input, "equal").equal(other)


def _tensor(value: Any, name: str) -> Tensor:
    if isinstance(value, Tensor):
        return value
    raise GradcliError(f"{name}() needs a tensor, got {shown_value(value)}", hint="gradcli.tensor(data) makes one")


def grad(
    outputs: Tensor | Iterable[Tensor],
    inputs: Tensor | Iterable[Tensor],
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    only_inputs: bool = True,
    allow_unused: bool | None = None,
    *,
    materialize_grads: bool = False,
) -> tuple[Tensor | None, ...]:
    """The gradients of `outputs` with respect to `inputs`; no `.grad` is changed.

    With `create_graph=True` they can be differentiated again. An input on which the outputs do not depend is an error,
    or has the gradient None with `allow_unused`, and zeros with `materialize_grads`. `retain_graph` and `only_inputs`
    are accepted for compatibility with PyTorch.

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
    with having(CREATING_GRAPH, create_graph):
        found = vjp([o.node for o in outs], nodes, [t.node for t in targets])
    if materialize_grads and allow_unused is False:
        raise GradcliError("materialize_grads needs allow_unused", hint="leave allow_unused out")
    if not (allow_unused or materialize_grads) and len(found) < len({t.node for t in targets}):
        raise GradcliError("an output does not depend on one of the inputs", hint="allow_unused=True gives None for it")
    gradients = {node: tensor_of(g) for node, g in found.items()}
    if not create_graph:
        gradients = dict(zip(gradients, as_leaves(list(gradients.values())), strict=True))
    if materialize_grads:
        return tuple(gradients[t.node] if t.node in gradients else call(OPS["zeros_like"], t) for t in targets)
    return tuple(gradients.get(t.node) for t in targets)
