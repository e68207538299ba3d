"""`gradcli.steps`: an expression and its inputs in, the steps of its computation out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from os import PathLike
from typing import Any

from gradcli.errors import GradcliError
from gradcli.evaluation.evaluate import named_inputs, named_wrt
from gradcli.evaluation.measuring import at_hand
from gradcli.evaluation.request import prepare, vector_for
from gradcli.evaluation.values import specs_of, to_array
from gradcli.graph.arguments import kind_of
from gradcli.language.importing import importing_from
from gradcli.language.parse import parse
from gradcli.walkthrough.recording import Recorded, Recorders
from gradcli.walkthrough.telling import told
from gradcli.walkthrough.told_walkthrough import Walkthrough


def steps(
    expression: str,
    inputs: Mapping[str, Any] | None = None,
    wrt: Iterable[str] | str | None = None,
    grad_output: Any = None,
    *,
    only: Iterable[str] | str | None = None,
    imports: str | PathLike[str] | None = None,
) -> Walkthrough:
    """The computation of an expression step by step: forward, then backward from the value to the inputs.

    The arguments are those of `evaluate`; `only` names the steps to show. `print` shows them as `gradcli steps` does.
    Raises GradcliError.

    >>> import gradcli as gc
    >>> print(gc.steps("w = sum(3*x)", {"x": [1, 2]}))
    forward
      x            tensor([1., 2.], requires_grad=True)
      a = 3*x      tensor([3., 6.], grad_fn=<MulBackward0>)
      w = sum(a)   tensor(9., grad_fn=<SumBackward0>)
    <BLANKLINE>
    backward
      start                              w.grad = tensor(1.)
      SumBackward0     d w/d a = 1       a.grad = tensor([1., 1.])
      MulBackward0     d a/d x = 3       x.grad = tensor([3., 3.])
      AccumulateGrad   added to x.grad
    """
    found = recorded(expression, inputs, wrt, grad_output, imports)
    return told(found, [only] if isinstance(only, str) else only)


def recorded(
    expression: str,
    inputs: Mapping[str, Any] | None,
    wrt: Iterable[str] | str | None,
    grad_output: Any,
    imports: str | PathLike[str] | None,
) -> Recorded:
    """What arguments as those of `evaluate` ask for."""
    if not isinstance(expression, str):
        raise GradcliError(f"the expression must be a string, got {kind_of(expression)}")
    arrays = {name: to_array(value) for name, value in named_inputs(inputs).items()}
    wanted = wrt if wrt is None or isinstance(wrt, str) else named_wrt(wrt)
    recorders = Recorders()
    with importing_from(imports):
        script = parse(expression)
    with at_hand(script.source, arrays):
        forms = specs_of(arrays)
        request = prepare(script, forms, wanted, grad_output is not None, spare=True, interpreter=recorders.make)
    vector = None if request.vector is None else vector_for(request, grad_output)
    return Recorded(script, request, recorders.last, arrays, vector)
