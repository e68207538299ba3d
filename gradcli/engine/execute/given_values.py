"""The arrays of a program by number: what is there from the start, which may lie in files, and what is needed of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gradcli.engine.execute.closure import packed
from gradcli.engine.plan.program import Program
from gradcli.graph.node import Node


def values_of(program: Program, leaves: Sequence[Any]) -> list[Any]:
    """The arrays of a program by number: those of the leaves, in the shapes that the plan gives them, and views of
    these; what is not there yet is None."""
    values: list[Any] = [*leaves, *(None for _ in program.values[len(leaves) :])]
    for k, leaf in enumerate(leaves):
        shape = program.values[k].shape
        if leaf is not None and leaf.shape != shape:
            values[k] = leaf.reshape(shape) if isinstance(leaf, np.ndarray) else leaf.view(shape)
    for view in program.views:
        if values[view.out] is None and values[view.inputs[0]] is not None:
            values[view.out] = _shown(view.node, [values[k] for k in view.inputs])
    return values


def _shown(node: Node, inputs: list[Any]) -> Any:
    """Another look at an array, or at a file."""
    first, kernel = inputs[0], node.op.kernel
    assert kernel is not None
    if isinstance(first, np.ndarray):
        return np.asarray(kernel(*inputs, **node.params))
    if node.op.same:
        return first
    return first.view(node.shape) if node.op.reshapes else first.part(node.shape, *node.op.native.rule(node))


def all_held(program: Program, values: list[Any]) -> list[Any]:
    """What is there from the start, as arrays, as far as a list of operations needs it."""
    for number in program.needed_whole():
        packed_value(program, values, number)
    return values[: program.given]


def loaded(values: list[Any], number: int) -> Any:
    """An array of the program in memory: a file is read as a whole where it is needed so."""
    value = values[number]
    if not isinstance(value, np.ndarray | tuple):
        value = values[number] = value.load()
    return value


def packed_value(program: Program, values: list[Any], number: int) -> Any:
    """An array of the program in memory, a part of what is there in row-major order."""
    value = loaded(values, number)
    if number in program.parts:
        value = values[number] = packed(value)
    return value
