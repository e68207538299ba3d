"""What a fit computes at every step: a model's values and their Jacobian, for parameters that stand in one vector."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import numpy as np

from gradcli.autodiff.jacobian import jacobians
from gradcli.engine.execute.bounds import check_free
from gradcli.errors import GradcliError, written_in
from gradcli.evaluation.compiled import Compiled
from gradcli.evaluation.interpret import Interpreter
from gradcli.evaluation.measuring import at_hand
from gradcli.evaluation.request import Request, leaf_of
from gradcli.evaluation.values import InputSpec
from gradcli.graph.node import Node
from gradcli.language.parse import unused_input
from gradcli.optimize.model import Model
from gradcli.optimize.packing import OF_STEPS, Packing

# So many matrices of the Jacobian's size are there at once: itself, a scaled copy, factors and their workspace.
_COPIES = 5

Arrays = Mapping[str, np.ndarray]


def labels_of(packing: Packing) -> list[str]:
    """A name for each element of the parameters: a, or a[0] and a[1]."""
    return [
        f"{name}[{','.join(map(str, place))}]" if place else name
        for name, shape in packing.shapes.items()
        for place in np.ndindex(*shape)
    ]


class Predictor:
    """The values of a model and their Jacobian as functions of the vector of parameters: one plan for all steps."""

    def __init__(self, model: Model, inputs: Arrays, params: Arrays) -> None:
        self.packing = Packing.of(params)
        leaves = _leaves(inputs, params)
        interpreter = _interpreter(model, leaves)
        with written_in(model.source), at_hand(model.source, inputs, OF_STEPS):
            value = interpreter.run(model.predicted)
            for name in params:
                if name not in interpreter.used:
                    error = unused_input(name, model.predicted)
                    error.message = f"the parameter {name!r} is never used"
                    raise error
            if not value.requires_grad:
                raise GradcliError("the model has no derivatives with respect to its parameters", span=model.right)
            check_free(_COPIES * 8 * value.size * self.packing.size, "the Jacobian of the model, with its factors,")
            blocks = jacobians(value, [leaves[name] for name in params])
        #: The inputs and parameters that the model reads.
        self.used = interpreter.used
        self.value, self.leaves, self.shape = value, leaves, value.shape
        self._present = [block is not None for block in blocks]
        roots = [value, *(block for block in blocks if block is not None)]
        self._compiled = Compiled(Request(model.source, leaves, None, roots, list(params), [], None))
        self._compiled.hold(inputs)
        self._compiled.settle(params, 0)

    def __call__(self, vector: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The values, one after the other, and the matrix of their derivatives, a row for each value."""
        params = self.packing.unpack(vector)
        with np.errstate(all="ignore"):
            value, *found = self._compiled.run(params)
        blocks = iter(found)
        slopes = np.zeros((math.prod(self.shape), self.packing.size))
        start = 0
        for array, present in zip(params.values(), self._present, strict=True):
            if present:
                slopes[:, start : start + array.size] = np.reshape(next(blocks), (-1, array.size))
            start += array.size
        return np.asarray(value, np.float64).reshape(-1), slopes


def observed(model: Model, inputs: Arrays, params: Arrays) -> tuple[np.ndarray, set[str]]:
    """What stands left of =, and the inputs that it is made of. GradcliError where a parameter is among them."""
    leaves = _leaves(inputs, params)
    interpreter = _interpreter(model, leaves)
    with written_in(model.source), at_hand(model.source, inputs, OF_STEPS):
        node = interpreter.run(model.observed)
        if node.requires_grad:
            name = next(name for name in params if name in interpreter.used)
            hint = "write what is observed left of =, and the model with its parameters right of it"
            raise GradcliError(f"the observed values depend on the parameter {name!r}", span=model.left, hint=hint)
    compiled = Compiled(Request(model.source, leaves, None, [node], [], [], None))
    (array,) = compiled.run({**inputs, **params})
    return np.asarray(array, np.float64), interpreter.used


def in_floats(model: Model, inputs: Arrays, params: Arrays, dtype: str) -> dict[str, np.ndarray]:
    """The inputs with integers as floating-point numbers, which do not wrap around: but for those that the model can
    only take as they are, as an index."""
    found = dict(inputs)
    for name, array in inputs.items():
        if array.dtype.kind in "iu":
            tried = {**found, name: array.astype(dtype)}
            with suppress(GradcliError), at_hand(model.source, tried, OF_STEPS):
                interpreter = _interpreter(model, _leaves(tried, params))
                interpreter.run(model.observed)
                interpreter.run(model.predicted)
                found = tried
    return found


def _leaves(inputs: Arrays, params: Arrays) -> dict[str, Node]:
    return {
        name: leaf_of(InputSpec.of(name, array), name in params) for name, array in (*inputs.items(), *params.items())
    }


def _interpreter(model: Model, leaves: Mapping[str, Node]) -> Interpreter:
    interpreter = Interpreter(model.source, leaves)
    interpreter.asking = "give it a value, as an input or as a parameter, as in {}=ones(2,2)"
    return interpreter


def check_names(inputs: Mapping[str, Any], params: Mapping[str, Any]) -> None:
    """Refuse parameters that are inputs as well, and models without any."""
    if not params:
        raise GradcliError("there is no parameter to fit", hint="give the parameters starting values, as in a=1,b=1")
    for name in params:
        if name in inputs:
            hint = "an input is given by the data, a parameter is what the fit finds"
            raise GradcliError(f"{name!r} is both an input and a parameter", hint=hint)
