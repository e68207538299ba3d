"""One request, answered: the value of an expression and the gradients of its inputs, computed together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from gradcli.arguments import as_node, kind_of, list_array
from gradcli.autodiff import vjp
from gradcli.dtypes import DEFAULT_DTYPE, DTYPES
from gradcli.errors import GradcliError, did_you_mean
from gradcli.execute import Progress, execute
from gradcli.expression import Evaluator
from gradcli.node import Node, constant, fitted, input_node
from gradcli.syntax import Program, parse
from gradcli.tensors import GradFn, Tensor


class Result:
    """What `evaluate` answers.

    `value` is a Tensor; `grads` maps each input's name to the Tensor of its gradient, or to None where the value
    does not depend on it or it was not asked for; it is None itself when no gradient was possible, and `note` then
    says why. `grad_fn` is the backward function of the value, None when nothing was tracked.
    """

    __slots__ = ("value", "grads", "note")

    def __init__(self, value: Tensor, grads: dict[str, Tensor | None] | None, note: str | None) -> None:
        self.value = value
        self.grads = grads
        self.note = note

    @property
    def grad_fn(self) -> GradFn | None:
        return self.value.grad_fn

    def __repr__(self) -> str:
        return f"Result(value={self.value!r}, grads={self.grads!r})"


def evaluate(
    expression: str | Program, inputs: Mapping[str, Any] | None = None, wrt: Iterable[str] | str | None = None,
    grad_output: Any = None, *, progress: Progress | None = None,
) -> Result:  # fmt: skip
    """The value of an expression and the gradients of its inputs, computed together.

    `inputs` maps names to arrays, tensors, numbers or lists; numbers and lists become float32. `wrt` names the inputs
    to differentiate (default: every floating-point one; empty: none). `grad_output` is the vector of the
    vector-Jacobian product for a value that is no scalar; a number is broadcast. `progress(done, total)` is told of
    the bytes computed. Raises GradcliError.

    >>> import gradcli as gc
    >>> result = gc.evaluate("mean(2*(3*x + 7)**2)", {"x": gc.ones(2, 2)})
    >>> result.value
    tensor(200., grad_fn=<MeanBackward0>)
    >>> result.grads["x"]
    tensor([[30., 30.],
            [30., 30.]])
    """
    program = parse(expression) if isinstance(expression, str) else expression
    arrays = {name: to_array(value) for name, value in (inputs or {}).items()}
    names = _differentiated(arrays, wrt)
    leaves = {name: input_node(array, requires_grad=name in names, name=name) for name, array in arrays.items()}
    evaluator = Evaluator(program.source, leaves)
    try:
        value = evaluator.run(program)
        for name in leaves:
            if name not in evaluator.used:
                hint = "leave it out, or use it in the expression"
                raise GradcliError(f"the input {name!r} is never used", hint=hint)
        seed, note = _seed(value, grad_output, explicit=wrt is not None and bool(names))
        gradients = vjp([value], [seed], [leaves[n] for n in names]) if seed is not None else {}
        wanted = [leaves[n] for n in names if leaves[n] in gradients]
        computed = execute([value, *(gradients[leaf] for leaf in wanted)], progress)
    except GradcliError as error:
        error.source = program.source if error.source is None else error.source
        raise
    grads: dict[str, Tensor | None] | None = None
    if names and note is None:
        by_leaf = dict(zip(wanted, computed[1:], strict=True))
        grads = {n: _leaf(by_leaf[leaf]) if leaf in by_leaf else None for n, leaf in leaves.items()}
    return Result(_with_value(Tensor(value), computed[0]), grads, note)


def literal_array(text: str, dtype: str | None = None) -> np.ndarray:
    """The array that an expression without free names stands for, such as `ones(2, 2)` or `[[1, 2], [3, 4]]`.

    With a `dtype`, numbers and lists are taken in it without a detour through another one.
    """
    program = parse(text)
    try:
        return execute([Evaluator(text, {}).run(program, DTYPES[dtype] if dtype is not None else None)])[0]
    except GradcliError as error:
        error.source = text if error.source is None else error.source
        raise


def to_array(value: Any) -> np.ndarray:
    """An input as an array: arrays and tensors as they are, numbers and lists as float32."""
    if isinstance(value, Tensor):
        return value.value()
    if isinstance(value, np.ndarray | np.generic):
        return as_node(np.asarray(value)).params["value"]
    if isinstance(value, bool):
        return np.asarray(value)
    if isinstance(value, int | float):
        return fitted(value, DEFAULT_DTYPE.get())
    if isinstance(value, list | tuple):
        array = list_array(value)
        return array if array.dtype.kind in "bf" else array.astype(DEFAULT_DTYPE.get())
    raise GradcliError(f"an input must be an array, a tensor, a number or a list, not {kind_of(value)}")


def _differentiated(arrays: Mapping[str, np.ndarray], wrt: Iterable[str] | str | None) -> list[str]:
    """The names of the inputs to differentiate."""
    if wrt is None:
        return [name for name, array in arrays.items() if array.dtype.kind == "f"]
    names = [wrt] if isinstance(wrt, str) else list(dict.fromkeys(wrt))
    for name in names:
        if name not in arrays:
            known = did_you_mean(name, list(arrays)) or f"the inputs are {', '.join(arrays) or 'none'}"
            raise GradcliError(f"there is no input {name!r} to differentiate", hint=known)
        if arrays[name].dtype.kind != "f":
            raise GradcliError(
                f"the input {name!r} is {arrays[name].dtype} and cannot be differentiated",
                hint="only floating-point inputs have gradients; convert the file or literal to float32",
            )
    return names


def _seed(value: Node, grad_output: Any, explicit: bool) -> tuple[Node | None, str | None]:
    """What the backward pass starts with, or None and a note on why there is no gradient."""
    if grad_output is not None:
        array = to_array(grad_output)
        if not value.is_floating:
            raise GradcliError(f"the value is {value.dtype} and has no gradient")
        if array.ndim and array.shape != value.shape:
            raise GradcliError(f"the grad-output has shape {array.shape}, the value {value.shape}: they must be equal")
        with np.errstate(all="ignore"):
            seed = constant(np.broadcast_to(array.astype(value.dtype), value.shape))
        return (seed if value.requires_grad else None), None
    if not value.requires_grad:
        return None, None
    if value.size == 1:
        return constant(np.ones(value.shape, value.dtype)), None
    if explicit:
        raise GradcliError(
            f"the value has shape {value.shape}: its gradient needs a vector to multiply with",
            hint="reduce it, as in sum(...), or give --grad-output (a number is broadcast)",
        )
    return None, f"the value has shape {value.shape}, so no gradient was computed: reduce it or give --grad-output 1"


def _with_value(tensor: Tensor, array: np.ndarray) -> Tensor:
    view = array.view()
    view.flags.writeable = False
    tensor.known_value = view
    return tensor


def _leaf(array: np.ndarray) -> Tensor:
    return _with_value(Tensor(input_node(array)), array)
