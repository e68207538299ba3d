"""Shapes that depend on data, such as how many elements a mask chooses: what decides is computed first.

Where a graph is built for data that is there, its values are constants of the graph. Where it is kept for all data of
one form, they are inputs of their own, and it is kept for each number of them that occurs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple, TypeVar

import numpy as np

from gradcli.errors import GradcliError
from gradcli.evaluation.compiled import Compiled, Kept
from gradcli.evaluation.request import Request, leaf_of
from gradcli.evaluation.values import InputSpec
from gradcli.graph.dtypes import INT64
from gradcli.graph.measured import MEASURED, WAY, Measure, UnmeasuredError
from gradcli.graph.node import INPUT, Node, constant, toposort
from gradcli.graph.op import Shape
from gradcli.machine.limits import having

T = TypeVar("T")
Shapes = tuple[Shape, ...]


@contextmanager
def at_hand(
    source: str, inputs: Mapping[str, Any], why: str = "the data of {}, which is not known here"
) -> Iterator[list[Node]]:
    """Within this block graphs are built for the data of inputs; what they were measured for is gathered.

    `why` says of an input without data what is the matter.
    """
    found: list[Node] = []

    def way(node: Node, measure: Measure) -> Node:
        leaves = [leaf for leaf in toposort([node]) if leaf.op is INPUT]
        given = {leaf: inputs.get(leaf.params["name"], leaf.params["data"]) for leaf in leaves}
        for leaf, data in given.items():
            if not isinstance(data, np.ndarray) and not hasattr(data, "load"):
                raise UnmeasuredError(why.format(leaf.params["name"]))
        _refuse_large(given)
        found.append(node)
        program = Compiled(Request(source, {}, None, [node], [], [], None, given=given), files_among(given))
        return constant(_measured(program, {}, measure))

    with having(WAY, way):
        yield found


def files_among(given: Mapping[Node, Any]) -> frozenset[Node]:
    return frozenset(leaf for leaf, data in given.items() if getattr(data, "streams", False))


def _refuse_large(given: Mapping[Node, Any]) -> None:
    """Refuse files that are too large to be chosen from, for which they are needed whole."""
    from gradcli.engine.execute.bounds import check_free

    for leaf in files_among(given):
        name = leaf.params["name"]
        try:
            check_free(leaf.nbytes, name)
        except GradcliError:
            raise UnmeasuredError(f"{name}, which is too large to be read as a whole") from None


def _measured(program: Compiled, inputs: Mapping[str, Any], measure: Measure) -> np.ndarray:
    from gradcli.engine.execute.bounds import check_free

    (array,) = program.run(inputs)
    check_free(
        int(np.count_nonzero(array)) * max(array.ndim, 1) * INT64.itemsize, "where the elements are that a mask chooses"
    )
    return measure(array)


class _WaitingError(Exception):
    """A graph that cannot be built further before a tensor has been computed."""

    def __init__(self, node: Node, measure: Measure) -> None:
        super().__init__()
        self.node = node
        self.measure = measure


class Preliminary(NamedTuple):
    """What comes before a plan: a tensor that is computed, and what is made of its values."""

    program: Compiled
    measure: Measure


def _built(source: str, inputs: Mapping[str, Any], build: Callable[[], T], shapes: Shapes) -> T | Preliminary:
    """What `build` makes of graphs for inputs of a form where what is measured has these shapes, or the next stage."""
    given = iter(enumerate(shapes))

    def way(node: Node, measure: Measure) -> Node:
        for number, shape in given:
            return leaf_of(InputSpec(f"{MEASURED}{number}", shape, INT64), False)
        raise _WaitingError(node, measure)

    try:
        with having(WAY, way):
            return build()
    except _WaitingError as waiting:
        leaves = {leaf.params["name"]: leaf for leaf in toposort([waiting.node]) if leaf.op is INPUT}
        request = Request(source, leaves, None, [waiting.node], [], [], None)
        files = request.files({name: inputs[name] for name in leaves if name in inputs})
        return Preliminary(Compiled(request, files), waiting.measure)


def settled(
    kept: Kept[T | Preliminary], key: Sequence[Any], source: str, inputs: Mapping[str, Any], build: Callable[[], T]
) -> tuple[T, dict[str, np.ndarray]]:
    """The plan that is kept for inputs of a kind, or that `build` makes for them now, and the values of what is
    measured of them: it takes these, too."""
    shapes: Shapes = ()
    values: dict[str, np.ndarray] = {}
    while isinstance(found := kept.find([*key, *shapes], partial(_built, source, inputs, build, shapes)), Preliminary):
        array = _measured(found.program, {**inputs, **values}, found.measure)
        values[f"{MEASURED}{len(shapes)}"] = array
        shapes = (*shapes, array.shape)
    return found, values
