"""The methods, a row each, and their options: nothing else knows one by its name."""
# fmt: off

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradcli.errors import GradcliError, did_you_mean, quoted
from gradcli.graph.arguments import shown_value
from gradcli.optimize import updates
from gradcli.optimize.lbfgs import LBFGS
from gradcli.optimize.point import Point, Stepper


@dataclass(frozen=True)
class Option:
    """What an option of methods means, and what it may be: `wanted` says it in words, `allows` decides."""

    doc: str
    wanted: str
    allows: Callable[[Any], bool]


@dataclass(frozen=True)
class Method:
    """A way to a minimum: `options` are those it knows, with what they are unless given.

    `start(options, point, eps)` begins it; SciPy's methods have none. `steps` is the option that ends it in any case.
    `batches` says that it may look at some of the rows at a time; `memory` is how many numbers it holds, for so many
    parameters.
    """

    name: str
    doc: str
    options: Mapping[str, Any]
    start: Callable[[Mapping[str, Any], Point, float], Stepper] | None = None
    bounds: bool = False
    gradients: bool = True
    hvp: bool = False
    batches: bool = False
    steps: str = "max_iter"
    memory: Callable[[int, Mapping[str, Any]], int] = lambda n, options: 20 * n

    @property
    def scipy(self) -> bool:
        """Whether it is SciPy's."""
        return self.start is None


def _history(n: int, options: Mapping[str, Any]) -> int:
    return 2 * n * min(options["history_size"], options["max_iter"])


def _matrix(n: int, options: Mapping[str, Any]) -> int:
    return 2 * n * n


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _share(value: Any) -> bool:
    return _number(value) and 0 <= value < 1


OPTIONS = {
    "lr": Option("Learning rate.", "a number above 0", lambda v: _number(v) and v > 0),
    "betas": Option("Decay rates of the running means of gradients and of their squares.",
                    "two numbers from 0 to below 1",
                    lambda v: isinstance(v, tuple | list) and len(v) == 2 and all(_share(b) for b in v)),
    "momentum": Option("Share of the last update that each step keeps.", "a number from 0 to below 1", _share),
    "alpha": Option("Decay rate of the running mean of squared gradients.", "a number from 0 to below 1", _share),
    "eps": Option("Number added to denominators for numerical stability.", "a number from 0",
                  lambda v: _number(v) and v >= 0),
    "weight_decay": Option("Weight decay of the parameters.", "a number from 0", lambda v: _number(v) and v >= 0),
    "history_size": Option("Number of steps from which the curvature is estimated.", "an integer from 1", _whole),
    "tol": Option("Stop when no element of the gradient is larger than this.", "a number from 0",
                  lambda v: v is None or _number(v) and v >= 0),
    "max_iter": Option("Largest number of steps.", "an integer from 1", lambda v: v is None or _whole(v)),
    "steps": Option("Number of steps.", "an integer from 1", _whole),
}


def _update(name: str, start: Any, doc: str, **options: Any) -> Method:
    known = {**options, "weight_decay": options.get("weight_decay", 0.0), "steps": 1000, "tol": None}
    return Method(name, doc, known, start, batches=True, steps="steps")


def _scipy(name: str, doc: str, **more: Any) -> Method:
    return Method(name, doc, {"max_iter": None, "tol": None}, **more)


METHODS = {method.name: method for method in (
    Method("lbfgs", "L-BFGS with a strong Wolfe line search, as in PyTorch, for smooth objectives of any size.",
           {"lr": 1.0, "history_size": 100, "max_iter": 10_000, "tol": None}, LBFGS, memory=_history),
    _update("sgd", updates.Descent, "Gradient descent.", lr=1e-3),
    _update("momentum", updates.Momentum, "Gradient descent with momentum.",
            lr=1e-3, momentum=0.9),
    _update("adam", updates.Adam, "Adam: steps scaled by running means of gradients and of their squares.",
            lr=1e-3, betas=(0.9, 0.999), eps=1e-8),
    _update("adamw", updates.AdamW, "Adam with decoupled weight decay.",
            lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2),
    _update("rmsprop", updates.RMSprop, "Steps scaled by a running mean of squared gradients.",
            lr=1e-2, alpha=0.99, eps=1e-8, momentum=0.0),
    _update("adagrad", updates.Adagrad, "Steps scaled by the sum of squared gradients.", lr=1e-2, eps=1e-10),
    _scipy("l-bfgs-b", "L-BFGS within bounds.", bounds=True),
    _scipy("bfgs", "BFGS, which stores a dense matrix, for few parameters.", memory=_matrix),
    _scipy("newton-cg", "Newton's method with exact Hessian-vector products and a line search.", hvp=True),
    _scipy("trust-ncg", "Newton's method with exact Hessian-vector products in a trust region.", hvp=True),
    _scipy("nelder-mead", "Simplex method without gradients, for few parameters; within bounds.",
           bounds=True, gradients=False, memory=_matrix),
)}


# What a method does that cannot do something.
_INSTEAD = {"batches": "uses all rows in every step", "bounds": "has none"}


def refuse_unable(row: Method, trait: str, option: str) -> None:
    """Refuse an option that only other methods can do something with."""
    if not getattr(row, trait):
        able = ", ".join(name for name, other in METHODS.items() if getattr(other, trait))
        message = f"{option} does not apply to {row.name}, which {_INSTEAD[trait]}"
        raise GradcliError(message, hint=f"it applies to {able}")


def chosen(
    name: str, given: Mapping[str, Any], spelled: Callable[[str], str] = str
) -> tuple[Method, dict[str, Any]]:
    """The method of this name, and all its options; `given` are those that are set, None for those that are not.

    `spelled` is how whoever has set them writes an option.
    """
    if not isinstance(name, str) or name not in METHODS:
        meant = isinstance(name, str) and did_you_mean(name.lower(), list(METHODS))
        hint = meant or f"choose from {', '.join(METHODS)}"
        raise GradcliError(f"there is no method {quoted(str(name))}", hint=hint)
    method = METHODS[name]
    options = dict(method.options)
    for option, value in given.items():
        if value is None:
            continue
        value = value.item() if isinstance(value, np.generic) else value
        if option not in options:
            hint = f"its options are {', '.join(map(spelled, method.options))}"
            raise GradcliError(f"{name} has no option {spelled(option)}", hint=hint)
        if not OPTIONS[option].allows(value):
            raise GradcliError(f"{spelled(option)} must be {OPTIONS[option].wanted}, got {_shown(value)}")
        options[option] = value
    return method, options


def _shown(value: Any) -> str:
    """A value that an option cannot have; the numbers of a pair one by one."""
    return ", ".join(map(shown_value, value)) if isinstance(value, tuple | list) else shown_value(value)
