"""Inputs: as arrays, and what is known of one before its data is looked at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from gradcli.engine.execute.run import execute
from gradcli.errors import GradcliError, written_in
from gradcli.evaluation.interpret import Interpreter
from gradcli.graph.arguments import array_hint, as_node, kind_of, list_array
from gradcli.graph.dtypes import DEFAULT_DTYPE, DTYPES, check_dtype
from gradcli.graph.measured import WAY, Measure
from gradcli.graph.node import Node, constant, fitted
from gradcli.language.parse import EXPRESSION, parse
from gradcli.machine.limits import having
from gradcli.tensors.tensor import Tensor


class InputSpec(NamedTuple):
    """What is known of an input before its data is looked at."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype
    #: Whether the elements lie in row-major order, one after the other.
    packed: bool = True

    @classmethod
    def of(cls, name: str, array: Any) -> InputSpec:
        """What is known of an array, in memory or in a file."""
        packed = array.flags.c_contiguous if hasattr(array, "flags") else array.c_contiguous
        return cls(name, array.shape, array.dtype, packed)


def specs_of(inputs: Mapping[str, Any]) -> list[InputSpec]:
    """What is known of arrays by name."""
    return [InputSpec.of(name, array) for name, array in inputs.items()]


def literal_array(text: str, dtype: str | None = None) -> np.ndarray:
    """The array that an expression without free names stands for, such as `ones(2, 2)` or `[[1, 2], [3, 4]]`.

    With a `dtype`, numbers and lists are taken in it without a detour through another one.
    """
    with written_in(text):
        return execute([literal_node(text, dtype)])[0]


def literal_node(text: str, dtype: str | None = None) -> Node:
    """What `literal_array` gives, not yet computed."""
    with written_in(text), having(WAY, _of_constants):
        return Interpreter(text, {}).run(parse(text, EXPRESSION), None if dtype is None else DTYPES[dtype])


def _of_constants(node: Node, measure: Measure) -> Node:
    return constant(measure(execute([node])[0]))


def settle(dtype: str | None, seed: int | None) -> None:
    """Set what literals and random numbers are computed with in this context."""
    if dtype is None and seed is None:
        return
    from gradcli.tensors.functions import manual_seed, set_default_dtype

    if dtype is not None and dtype.startswith("float"):
        set_default_dtype(dtype)
    if seed is not None:
        manual_seed(seed)


def to_array(value: Any) -> np.ndarray:
    """An input as an array: arrays in this machine's byte order, tensors as they are, numbers and lists as float32."""
    if type(value) is np.ndarray:
        check_dtype(value.dtype)
        return value if value.dtype.isnative else value.astype(value.dtype.newbyteorder("="))
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
    message = f"an input must be an array, a tensor, a number or a list, not {kind_of(value)}"
    is_path = isinstance(value, str) or hasattr(value, "__fspath__")
    raise GradcliError(message, hint="numpy.load reads a .npy file" if is_path else array_hint(value))
