"""Inputs: as arrays, and what is known of one before its data is looked at."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from gradcli.engine.execute.run import execute
from gradcli.errors import GradcliError
from gradcli.evaluation.interpret import Interpreter
from gradcli.graph.arguments import as_node, kind_of, list_array
from gradcli.graph.dtypes import DEFAULT_DTYPE, DTYPES
from gradcli.graph.node import fitted
from gradcli.language.parse import parse
from gradcli.tensors.tensor import Tensor


class InputSpec(NamedTuple):
    """What is known of an input before its data is looked at."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype
    #: Whether the elements lie in row-major order, one after the other.
    packed: bool = True


def literal_array(text: str, dtype: str | None = None) -> np.ndarray:
    """The array that an expression without free names stands for, such as `ones(2, 2)` or `[[1, 2], [3, 4]]`.

    With a `dtype`, numbers and lists are taken in it without a detour through another one.
    """
    script = parse(text)
    try:
        return execute([Interpreter(text, {}).run(script, DTYPES[dtype] if dtype is not None else None)])[0]
    except GradcliError as error:
        error.source = text if error.source is None else error.source
        raise


def literal_form(text: str, dtype: str | None = None) -> InputSpec:
    """What is known of the array that `literal_array` gives, which is not computed."""
    script = parse(text)
    try:
        root = Interpreter(text, {}).run(script, DTYPES[dtype] if dtype is not None else None)
    except GradcliError as error:
        error.source = text if error.source is None else error.source
        raise
    return InputSpec("", root.shape, root.dtype, root.strides is None)


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
