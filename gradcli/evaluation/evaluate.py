"""`gradcli.evaluate`: a request built, planned and computed in one call, its plan kept for the next."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from os import PathLike
from typing import Any

from gradcli.engine.execute.run import Progress
from gradcli.errors import GradcliError
from gradcli.evaluation.compiled import Compiled, Kept
from gradcli.evaluation.measuring import Preliminary, at_hand, settled
from gradcli.evaluation.names import may_draw
from gradcli.evaluation.request import prepare, vector_for
from gradcli.evaluation.result import Result
from gradcli.evaluation.values import specs_of, to_array
from gradcli.graph.arguments import as_function, kind_of
from gradcli.graph.dtypes import DEFAULT_DTYPE
from gradcli.language.importing import importing_from
from gradcli.language.instructions import Script
from gradcli.language.parse import parse

# Longer expressions are planned anew each time: keeping them would cost more memory than it saves time.
_LONGEST_KEPT = 20_000
_MOST_KEPT = 128


def evaluate(
    expression: str | Script,
    inputs: Mapping[str, Any] | None = None,
    wrt: Iterable[str] | str | None = None,
    grad_output: Any = None,
    *,
    per_row: Iterable[str] | str = (),
    imports: str | PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Result:
    """Compute the value of an expression and the gradients of its inputs together.

    `inputs` maps names to arrays, tensors, numbers or lists; numbers and lists become float32. There may be more inputs
    than the expression uses; their gradient is None. `wrt` names the inputs to differentiate, by default all
    floating-point ones; an empty list is none. `grad_output` is the vector of the vector-Jacobian product for a
    non-scalar value; a number is broadcast. With `per_row`, the expression is a function of one row of the inputs that
    it names, and there is a value and a gradient for each row, stacked. If the value of a row is not a scalar,
    `derivatives` has Jacobians, under names such as `x.jacobian`. `imports` is a folder whose files the expression may
    import. `progress(done, total)` is called with numbers of bytes. The plan is kept, and used again for the same
    expression with the same shapes and dtypes. Raises GradcliError.

    >>> import gradcli as gc
    >>> result = gc.evaluate("mean(2*(3*x + 7)**2)", {"x": gc.ones(2, 2)})
    >>> result.value
    tensor(200., grad_fn=<MeanBackward0>)
    >>> result.grads["x"]
    tensor([[30., 30.],
            [30., 30.]])
    """
    if not isinstance(expression, str | Script):
        raise GradcliError(f"the expression must be a string, got {kind_of(expression)}")
    if imports is not None and isinstance(expression, str):
        with importing_from(imports):
            # With the texts of the files: a plan that is kept is for these.
            expression = parse(expression).source
    arrays = {name: to_array(value) for name, value in named_inputs(inputs).items()}
    wanted = wrt if wrt is None or isinstance(wrt, str) else named_wrt(wrt)
    rows = named_wrt(per_row)
    if progress is not None:
        as_function(progress)
    explicit = grad_output is not None
    # Random numbers are drawn anew each time.
    kept = isinstance(expression, str) and len(expression) <= _LONGEST_KEPT and not _draws(expression)
    measured: Mapping[str, Any] = {}
    source = expression if isinstance(expression, str) else expression.source

    def compiling() -> Compiled:
        script = parse(expression) if isinstance(expression, str) else expression
        return Compiled(prepare(script, specs_of(arrays), wanted, explicit, spare=True, per_row=rows))

    if kept:
        # A text with those of files is another than one that reads the same.
        key: list[Any] = [expression, getattr(expression, "parts", None), wanted, explicit, rows, DEFAULT_DTYPE.get()]
        for name, array in arrays.items():
            key += name, array.shape, array.dtype, array.flags.c_contiguous
        compiled, measured = settled(_kept, key, source, arrays, compiling)
    else:
        with at_hand(source, arrays):
            compiled = compiling()
    given = {**arrays, **measured} if measured else arrays
    vector = None if compiled.request.vector is None else vector_for(compiled.request, grad_output)
    computed = compiled.run(given, vector, progress=progress)
    return Result(compiled.request, given, computed, shared=kept)


_draws = lru_cache(maxsize=_MOST_KEPT)(may_draw)


def named_inputs(inputs: Any) -> Mapping[str, Any]:
    """The inputs of a call, as a mapping from names."""
    if inputs is None:
        return {}
    # Asking for a mapping of another kind takes longer than all the rest.
    if type(inputs) is not dict and not isinstance(inputs, Mapping):
        raise GradcliError(f"inputs must be a dictionary from names to values, got {kind_of(inputs)}")
    for name in inputs:
        if not isinstance(name, str):
            raise GradcliError(f"the names of inputs must be strings, got {kind_of(name)}")
    return inputs


def named_wrt(wrt: Any) -> tuple[str, ...]:
    """The names of the inputs to differentiate."""
    names = tuple(wrt) if isinstance(wrt, list | tuple | set | frozenset | Mapping | Iterator) else (wrt,)
    for name in names:
        if not isinstance(name, str):
            raise GradcliError(f"wrt must be the name of an input or a list of names, got {kind_of(name)}")
    return names


#: The plans that are kept, in all threads.
_kept: Kept[Compiled | Preliminary] = Kept(_MOST_KEPT)
