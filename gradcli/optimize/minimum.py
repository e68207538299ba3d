"""`gradcli.minimize`: a start is checked, a method is driven, the minimum is told."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from os import PathLike
from typing import Any

import numpy as np

from gradcli.engine.execute.bounds import check_free
from gradcli.errors import GradcliError
from gradcli.evaluation.evaluate import named_inputs, named_wrt
from gradcli.evaluation.values import to_array
from gradcli.graph.arguments import as_function, kind_of
from gradcli.language.importing import importing_from
from gradcli.language.instructions import Script
from gradcli.language.parse import parse
from gradcli.optimize.batches import Batches, check_batches
from gradcli.optimize.driver import Driver
from gradcli.optimize.iterate import Iterate, Reached
from gradcli.optimize.methods import METHODS, Method, chosen, refuse_unable
from gradcli.optimize.objective import Objective
from gradcli.optimize.packing import Packing
from gradcli.optimize.parameter_bounds import bounds_of
from gradcli.optimize.point import largest
from gradcli.optimize.scipy_methods import run_scipy
from gradcli.tensors.functions import from_numpy
from gradcli.tensors.tensor import Tensor


@dataclass(repr=False)
class Minimum:
    """The result of `minimize`: the value, the parameters and their gradients, and how the search ended.

    The value has no dimensions and the dtype of the expression; parameters and gradients have the dtypes of the
    parameters. `converged` says whether the method has converged by its own criterion, and `reason` why it stopped.
    `gradient_norm` is the largest element of the gradient, in absolute value; it and the gradients are None if the
    value has no gradient.
    """

    value: Tensor
    parameters: dict[str, Tensor]
    grads: dict[str, Tensor] | None
    method: str
    converged: bool
    reason: str
    steps: int
    evaluations: int
    gradient_norm: float | None

    def __repr__(self) -> str:
        rows = [f"  {field.name}={getattr(self, field.name)!r}," for field in fields(self) if field.name != "grads"]
        return "\n".join(["Minimum(", *rows, ")"])


def minimize(
    expression: str | Script,
    inputs: Mapping[str, Any],
    wrt: Iterable[str] | str,
    *,
    method: str = "lbfgs",
    bounds: Mapping[str, Any] | None = None,
    max_iter: int | None = None,
    tol: float | None = None,
    lr: float | None = None,
    betas: Sequence[float] | None = None,
    momentum: float | None = None,
    alpha: float | None = None,
    eps: float | None = None,
    weight_decay: float | None = None,
    history_size: int | None = None,
    steps: int | None = None,
    batch_size: int | None = None,
    rows: Iterable[str] | str = (),
    seed: int = 0,
    watch: Callable[[Iterate], Any] | None = None,
    resume: Mapping[str, Any] | None = None,
    imports: str | PathLike[str] | None = None,
) -> Minimum:
    """Find the values of the inputs named in `wrt`, the parameters, at which an expression is smallest.

    `inputs` maps names to arrays, tensors, numbers or lists, as for `evaluate`; the search starts from the values of
    the parameters, which keep their dtypes. The expression is planned once for all steps, and random numbers in it are
    drawn once.

    `method` is "lbfgs", "sgd", "momentum", "adam", "adamw", "rmsprop" or "adagrad", with PyTorch's update rules, or one
    of SciPy's "l-bfgs-b", "bfgs", "newton-cg", "trust-ncg" and "nelder-mead". `bounds` maps parameters to pairs of
    their lowest and highest values (None: no limit), for "l-bfgs-b" and "nelder-mead". The options of a method have
    PyTorch's names and meanings; others are refused. "lbfgs" and SciPy's methods stop after at most `max_iter` steps,
    the others after `steps`. A method has converged when no element of the gradient is larger than `tol`. The default
    for "lbfgs" is 1e-7, multiplied by the gradient at the start if that is below 1; it also stops when the value
    changes only in its last digits. SciPy's methods have their own criteria, and the others none.

    With `batch_size`, each step uses that many rows of the inputs named in `rows`. Every epoch shuffles the rows, in an
    order that `seed` determines. The result is computed over all rows.

    `watch(iterate)` is called after every step with an `Iterate`: `number`, `total`, `value`, `gradient_norm`,
    `evaluations`, `parameters` and, for gradcli's own methods, `state()`, from which `resume` continues with the same
    bits. `imports` is a folder whose files the expression may import.
    Raises GradcliError, and its subclass WorkError if the value or its gradient is not finite at the start, or becomes
    so later.

    >>> import gradcli as gc
    >>> data = {"x": [0, 1, 2, 3], "y": [1.1, 2.9, 5.2, 7.1], "a": 1, "b": 0}
    >>> found = gc.minimize("mean((a*x + b - y)**2)", data, ["a", "b"])
    >>> found.converged, found.parameters
    (True, {'a': tensor(2.0300), 'b': tensor(1.0300)})
    """
    given = {
        "max_iter": max_iter,
        "tol": tol,
        "lr": lr,
        "betas": betas,
        "momentum": momentum,
        "alpha": alpha,
        "eps": eps,
        "weight_decay": weight_decay,
        "history_size": history_size,
        "steps": steps,
    }
    row, options = chosen(method, given)
    if not isinstance(expression, str | Script):
        raise GradcliError(f"the expression must be a string, got {kind_of(expression)}")
    with importing_from(imports):
        script = parse(expression) if isinstance(expression, str) else expression
    names = list(dict.fromkeys(named_wrt(wrt)))
    dealt = list(dict.fromkeys(named_wrt(rows)))
    data = {n: _data(value, n in names) for n, value in named_inputs(inputs).items()}
    if watch is not None:
        as_function(watch)
    if bounds is not None:
        refuse_unable(row, "bounds", "bounds")
    if dealt or batch_size is not None:
        refuse_unable(row, "batches", "batch_size")
        check_batches(dealt, batch_size, seed, data, names)
        if tol is not None:
            raise GradcliError("tol is for the gradient over all rows, not over batches", hint="steps ends a run")
    with np.errstate(all="ignore"):
        # The others end when they have arrived.
        steps = options[row.steps] if row.steps == "steps" and batch_size is None else 0
        objective = Objective(script, data, names, smooth=row.gradients, steps=steps)
        start = objective.packing.pack([data[name] for name in names])
        limits = None if bounds is None else bounds_of(bounds, objective.packing, start)
        size = row.memory(start.size, options) * start.itemsize
        check_free(size, f"the method {row.name} with {start.size:,} parameters")
        if row.scipy:
            _refuse_resumed(row, resume)
            return _minimum(row, objective, run_scipy(row, options, objective, start, limits, watch))
        if batch_size is None:
            return _minimum(row, objective, Driver(row, options, objective, None, watch).run(start, resume))
        # What is told at the end is over all rows.
        objective.plan()
        batches = Batches(script, data, names, dealt, batch_size, seed, options[row.steps])
        reached = Driver(row, options, objective, batches, watch).run(start, resume)
        value, gradient = objective.value_and_gradient(reached.vector)
        return _minimum(row, objective, reached._replace(value=value, gradient=gradient))


def _refuse_resumed(row: Method, resume: Mapping[str, Any] | None) -> None:
    """SciPy's methods do not tell what they remember."""
    if resume is not None:
        own = ", ".join([name for name, other in METHODS.items() if not other.scipy])
        raise GradcliError(f"{row.name} cannot be resumed", hint=f"these can: {own}")


def _data(value: Any, parameter: bool) -> Any:
    """An input as an array; one in a file stays there, unless it is a parameter."""
    if getattr(value, "streams", False):
        return value.load() if parameter else value
    return to_array(value)


def _minimum(row: Method, objective: Objective, reached: Reached) -> Minimum:
    packing = objective.packing
    gradient = reached.gradient
    dtype = objective.request.roots[0].dtype
    return Minimum(
        from_numpy(np.array(reached.value, dtype)),
        _tensors(packing, reached.vector),
        None if gradient is None else _tensors(packing, gradient),
        row.name,
        *reached.stop,
        reached.steps,
        reached.evaluations,
        None if gradient is None else largest(gradient),
    )


def _tensors(packing: Packing, vector: np.ndarray) -> dict[str, Tensor]:
    return {name: from_numpy(array) for name, array in packing.unpack(vector).items()}
