"""An expression as a function of its parameters: a number, its gradient, and products with its Hessian."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from gradcli.autodiff.jacobian import curvature
from gradcli.autodiff.jacobian import filled as zeros
from gradcli.engine.execute.bounds import check_memory
from gradcli.engine.execute.given_values import values_of
from gradcli.engine.execute.threads import get_num_threads
from gradcli.engine.simplify import simplify
from gradcli.errors import GradcliError, written_in
from gradcli.evaluation.compiled import Compiled
from gradcli.evaluation.measuring import at_hand
from gradcli.evaluation.request import Request, leaf_of, prepare
from gradcli.evaluation.values import InputSpec
from gradcli.graph.node import Node
from gradcli.language.instructions import Script
from gradcli.ops.create import filled
from gradcli.optimize.packing import OF_STEPS, Packing, Reading
from gradcli.optimize.unchanging import computed_once, hold

# No input has such a name.
_VECTOR = "--vector "


class Objective:
    """The value of an expression over the vector of its parameters, planned once for all vectors.

    `inputs` are arrays in memory or in files, those of the parameters `wrt` among them; `pieces` are the forms of
    inputs of which another piece is given at every evaluation. What is computed is in the dtypes of the expression;
    vectors are in that of the packing. Without `smooth`, gradients need not exist. Random numbers are drawn once.
    `steps` is how often it is asked, as far as that is known.
    The caller silences NumPy's warnings.
    """

    def __init__(
        self,
        script: Script,
        inputs: Mapping[str, Any],
        wrt: Sequence[str],
        *,
        pieces: Mapping[str, InputSpec] | None = None,
        smooth: bool = True,
        steps: int = 0,
    ) -> None:
        forms = [(pieces or {}).get(name) or InputSpec.of(name, array) for name, array in inputs.items()]
        self.names = list(dict.fromkeys(wrt))
        fixed = {n: array for n, array in inputs.items() if n not in self.names and n not in (pieces or {})}
        with at_hand(script.source, fixed, OF_STEPS):
            self.request = prepare(script, forms, self.names, gradients_needed=False)
        if not self.names:
            raise GradcliError("there is nothing to change: no parameter is named", source=script.source)
        self.packing = Packing.of({name: inputs[name] for name in self.names})
        self.evaluations = 0
        self._held = fixed
        self._read = Reading(self.packing).of
        with written_in(script.source):
            _check(self.request, self.names, smooth)
        self._steps = steps
        dtypes = (self.request.roots[0].dtype, *self.packing.dtypes.values())
        #: How exact the numbers are that the value is made of.
        self.eps = max(float(np.finfo(dtype).eps) for dtype in dtypes if dtype.kind == "f")

    def value(self, vector: np.ndarray, data: Mapping[str, Any] | None = None) -> float:
        """The value alone."""
        self.evaluations += 1
        (found,) = self._value_only.run(self._given(vector, data))
        return float(found.item())

    def value_and_gradient(self, vector: np.ndarray, data: Mapping[str, Any] | None = None) -> tuple[float, np.ndarray]:
        """The value and its gradient, a new vector; `data` are the pieces."""
        self.evaluations += 1
        found = self._both.run(self._given(vector, data))
        return float(found[0].item()), self.packing.pack(found[1:])

    def product(self, vector: np.ndarray, direction: np.ndarray) -> np.ndarray:
        """The Hessian at `vector` times a direction."""
        given = {f"{_VECTOR}{n}": part for n, part in self.packing.unpack(direction).items()}
        return self.packing.pack(self._products.run({**self._given(vector, None), **given}))

    def plan(self) -> None:
        """Plan what a step computes, so that a lack of memory is told of before the first one."""
        _ = self._both

    def _given(self, vector: np.ndarray, data: Mapping[str, Any] | None) -> Mapping[str, Any]:
        given = self._read(vector)
        return given if data is None else {**given, **data}

    @cached_property
    def _both(self) -> Compiled:
        return self._compiled(self.request, self.request.roots)

    @cached_property
    def _value_only(self) -> Compiled:
        return self._compiled(self.request, self.request.roots[:1])

    @cached_property
    def _products(self) -> Compiled:
        request, packing = self.request, self.packing
        leaves = [request.leaves[name] for name in self.names]
        given = {
            f"{_VECTOR}{n}": leaf_of(InputSpec(n, packing.shapes[n], packing.dtypes[n]), False) for n in self.names
        }
        with written_in(request.source):
            found = curvature(request.roots[0], leaves, list(given.values()))
        roots = [zeros(x.shape, x.dtype) if node is None else node for x, node in zip(leaves, found, strict=True)]
        return self._compiled(replace(request, leaves=request.leaves | given), roots)

    def _compiled(self, request: Request, roots: Sequence[Node]) -> Compiled:
        request, roots = computed_once(request, roots, self._held)
        compiled = Compiled(request, request.files(self._held), roots=roots)
        hold(compiled, self._held)
        others = {n: leaf for n, leaf in request.leaves.items() if n not in self._held}
        forms = {n: np.broadcast_to(np.zeros((), leaf.dtype), leaf.shape) for n, leaf in others.items()}
        with written_in(request.source):
            values = values_of(compiled.program, compiled.leaves(forms))
            check_memory(compiled.program, values, get_num_threads(), frozenset())
        compiled.settle(forms, self._steps)
        return compiled


def _check(request: Request, names: Sequence[str], smooth: bool) -> None:
    """Refuse what has no minimum or no gradient, and parameters that do not matter."""
    value = request.roots[0]
    if value.size != 1:
        hint = "reduce it, as in sum(...) or mean(...)"
        message = f"the value to minimize must be a single number, it has shape {value.shape}"
        raise GradcliError(message, span=value.span, hint=hint)
    if not smooth:
        return
    if not value.is_floating:
        raise GradcliError(f"the value is {value.dtype} and has no gradient to follow", span=value.span)
    slopes = dict(zip(request.wanted, simplify(request.roots[1:]), strict=True))
    for name in names:
        slope = slopes.get(name)
        if slope is None or (slope.op is filled and slope.params["value"] == 0):
            hint = "its gradient is zero everywhere: leave it out, or choose nelder-mead"
            raise GradcliError(f"the value does not depend smoothly on the parameter {name!r}", hint=hint)
