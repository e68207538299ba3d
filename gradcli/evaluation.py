"""One request, answered: the value of an expression and the gradients of its inputs, planned and computed together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from gradcli.arguments import as_function, as_node, kind_of, list_array
from gradcli.autodiff import vjp
from gradcli.dtypes import DEFAULT_DTYPE, DTYPES
from gradcli.errors import GradcliError, did_you_mean
from gradcli.execute import Progress, execute, run
from gradcli.expression import Evaluator
from gradcli.node import INPUT, Node, constant, fitted, input_node, toposort
from gradcli.plan import plan
from gradcli.plan.program import Program as Plan
from gradcli.syntax import Program, parse
from gradcli.tensors import GradFn, Tensor

# Longer expressions are planned anew each time: keeping them would cost more memory than it saves time.
_LONGEST_KEPT = 20_000
_MOST_KEPT = 128


class Form(NamedTuple):
    """What is known of an input before its data is looked at."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype
    #: Whether the elements lie in row-major order, one after the other.
    packed: bool = True


class Recipe(NamedTuple):
    """What a request is built from, in plain words: another process builds the same one."""

    source: str
    #: Name, shape, dtype and whether the elements are packed, of each input.
    forms: tuple[tuple[str, tuple[int, ...], str, bool], ...]
    wrt: tuple[str, ...] | None
    vector: bool
    default: str

    def prepare(self) -> Request:
        """The request, in a context whose default dtype this sets."""
        DEFAULT_DTYPE.set(np.dtype(self.default))
        forms = [Form(name, shape, np.dtype(dtype), packed) for name, shape, dtype, packed in self.forms]
        return prepare(parse(self.source), forms, self.wrt, self.vector)


class Request:
    """An expression and the forms of its inputs, built and differentiated; nothing is computed.

    `roots` are the value and the gradients of the inputs named in `wanted`; `names` are those that were asked for,
    `vector` the leaf for the vector of the vector-Jacobian product, and `note` says why there are no gradients.
    `derivatives` names the roots that come after these: see `gradcli.calculus.request`.
    """

    __slots__ = ("source", "leaves", "vector", "roots", "names", "wanted", "note", "derivatives", "_plan")

    def __init__(
        self, source: str, leaves: dict[str, Node], vector: Node | None, roots: list[Node], names: list[str],
        wanted: list[str], note: str | None,
    ) -> None:  # fmt: skip
        self.source = source
        self.leaves = leaves
        self.vector = vector
        self.roots = roots
        self.names = names
        self.wanted = wanted
        self.note = note
        self.derivatives: list[str] = []
        self._plan: Plan | None = None

    @property
    def targets(self) -> list[str]:
        """The names of the roots."""
        return ["value", *(f"{name}.grad" for name in self.wanted), *self.derivatives]

    @property
    def plan(self) -> Plan:
        """The plan for inputs and results in memory, made once."""
        if self._plan is None:
            self._plan = plan(self.roots)
        return self._plan

    def recipe(self, wrt: Iterable[str] | None) -> Recipe:
        """What this request was built from, `wrt` being what was asked for."""
        leaves = self.leaves.items()
        forms = tuple([(name, leaf.shape, str(leaf.dtype), leaf.params["packed"]) for name, leaf in leaves])
        wanted = None if wrt is None else tuple(wrt)
        return Recipe(self.source, forms, wanted, self.vector is not None, str(DEFAULT_DTYPE.get()))

    def arrays_for(self, program: Plan, inputs: Mapping[str, Any], vector: Any) -> list[Any]:
        """The data of a program's leaves."""
        by_node = {self.leaves[name]: array for name, array in inputs.items()}
        if self.vector is not None:
            by_node[self.vector] = vector
        found = []
        for leaf in program.leaves:
            array = by_node.get(leaf)
            found.append(leaf.params["value"] if array is None else array)
        return found


class Result:
    """What `evaluate` answers.

    `value` is a Tensor; `grads` maps each input's name to the Tensor of its gradient, or to None where the value
    does not depend on it or it was not asked for; it is None itself when no gradient was possible, and `note` then
    says why. `grad_fn` is the backward function of the value, None when nothing was tracked. `derivatives` has what the
    command was asked for beyond gradients, under names such as `x.jacobian`.
    """

    __slots__ = ("grads", "note", "derivatives", "_value", "_make")

    def __init__(
        self, value: Callable[[], Tensor], grads: dict[str, Tensor | None] | None, note: str | None,
        derivatives: dict[str, Tensor],
    ) -> None:  # fmt: skip
        self.grads = grads
        self.note = note
        self.derivatives = derivatives
        self._make = value
        self._value: Tensor | None = None

    @property
    def value(self) -> Tensor:
        if self._value is None:
            # Its graph is built when it is first looked at: many only want the numbers.
            self._value = self._make()
        return self._value

    @property
    def grad_fn(self) -> GradFn | None:
        return self.value.grad_fn

    def __repr__(self) -> str:
        return f"Result(value={self.value!r}, grads={self.grads!r})"


def evaluate(
    expression: str | Program, inputs: Mapping[str, Any] | None = None, wrt: Iterable[str] | str | None = None,
    grad_output: Any = None, *, progress: Progress | None = None,
) -> Result:  # fmt: skip
    """The value of an expression and the gradients of its inputs, computed together.

    `inputs` maps names to arrays, tensors, numbers or lists; numbers and lists become float32. `wrt` names the inputs
    to differentiate (default: every floating-point one; empty: none). `grad_output` is the vector of the
    vector-Jacobian product for a value that is no scalar; a number is broadcast. `progress(done, total)` is told of
    the bytes gone through. The plan is kept, and used again for the same expression and the same shapes and dtypes.
    Raises GradcliError.

    >>> import gradcli as gc
    >>> result = gc.evaluate("mean(2*(3*x + 7)**2)", {"x": gc.ones(2, 2)})
    >>> result.value
    tensor(200., grad_fn=<MeanBackward0>)
    >>> result.grads["x"]
    tensor([[30., 30.],
            [30., 30.]])
    """
    if not isinstance(expression, str | Program):
        raise GradcliError(f"the expression must be a string, got {kind_of(expression)}")
    arrays = {name: to_array(value) for name, value in _named(inputs).items()}
    source = expression if isinstance(expression, str) else expression.source
    wanted = wrt if wrt is None or isinstance(wrt, str) else _names(wrt)
    if progress is not None:
        as_function(progress)
    forms = tuple([Form(name, array.shape, array.dtype, array.flags.c_contiguous) for name, array in arrays.items()])
    # Random numbers are drawn anew each time.
    kept = isinstance(expression, str) and len(source) <= _LONGEST_KEPT and "rand" not in source
    try:
        if kept:
            request = _kept_request(source, forms, wanted, grad_output is not None, DEFAULT_DTYPE.get())
        else:
            program = parse(expression) if isinstance(expression, str) else expression
            request = prepare(program, forms, wanted, grad_output is not None)
        vector = None if request.vector is None else vector_for(request, grad_output)
        computed = run(request.plan, request.arrays_for(request.plan, arrays, vector), progress=progress)
    except GradcliError as error:
        error.source = source if error.source is None else error.source
        raise
    return answer(request, arrays, computed, shared=kept)


def _named(inputs: Any) -> Mapping[str, Any]:
    """The inputs of a call, as a mapping from names."""
    if inputs is None:
        return {}
    if not isinstance(inputs, Mapping):
        raise GradcliError(f"inputs must be a dictionary from names to values, got {kind_of(inputs)}")
    for name in inputs:
        if not isinstance(name, str):
            raise GradcliError(f"the names of inputs must be strings, got {kind_of(name)}")
    return inputs


def _names(wrt: Any) -> tuple[str, ...]:
    """The names of the inputs to differentiate."""
    names = tuple(wrt) if isinstance(wrt, list | tuple | set | frozenset | Mapping | Iterator) else (wrt,)
    for name in names:
        if not isinstance(name, str):
            raise GradcliError(f"wrt must be the name of an input or a list of names, got {kind_of(name)}")
    return names


@lru_cache(maxsize=_MOST_KEPT)
def _kept_request(
    source: str, forms: tuple[Form, ...], wrt: str | tuple[str, ...] | None, explicit: bool, default: np.dtype
) -> Request:
    return prepare(parse(source), forms, wrt, explicit)


def prepare(
    program: Program, forms: Sequence[Form], wrt: str | Iterable[str] | None = None, vector: bool = False,
    gradients_needed: bool = True,
) -> Request:  # fmt: skip
    """Build the value of an expression and its gradients as graphs; `vector` says that a grad-output will be given.

    Where a vector would be needed, inputs named in `wrt` without one are an error, if the gradients are needed.
    """
    names = _differentiated(forms, wrt)
    leaves = {form.name: _leaf_of(form, form.name in names) for form in forms}
    evaluator = Evaluator(program.source, leaves)
    value = evaluator.run(program)
    for name in leaves:
        if name not in evaluator.used:
            hint = "leave it out, or use it in the expression"
            raise GradcliError(f"the input {name!r} is never used", hint=hint)
    explicit = wrt is not None and bool(names) and gradients_needed
    seed, note, given = _seed(value, vector, explicit)
    gradients = vjp([value], [seed], [leaves[n] for n in names]) if seed is not None else {}
    wanted = [name for name in names if leaves[name] in gradients]
    roots = [value, *(gradients[leaves[name]] for name in wanted)]
    return Request(program.source, leaves, given, roots, names, wanted, note)


def _leaf_of(form: Form, tracked: bool) -> Node:
    return Node(INPUT, (), {"data": None, "name": form.name, "packed": form.packed}, form.shape, form.dtype, tracked)


def answer(request: Request, inputs: Mapping[str, Any], computed: Sequence[Any], shared: bool) -> Result:
    """The result of a request from the arrays of its roots; `shared` when the request will be used again."""
    grads: dict[str, Tensor | None] | None = None
    if request.names and request.note is None:
        by_name = dict(zip(request.wanted, computed[1:], strict=False))
        grads = {n: _leaf(by_name[n]) if n in by_name else None for n in request.leaves}

    def value() -> Tensor:
        graph = _instance(request, inputs) if shared else _filled_in(request, inputs)
        return _with_value(Tensor(graph), computed[0])

    further = computed[len(computed) - len(request.derivatives) :]
    derivatives = {name: _leaf(array) for name, array in zip(request.derivatives, further, strict=True)}
    return Result(value, grads, request.note, derivatives)


def _filled_in(request: Request, inputs: Mapping[str, Any]) -> Node:
    """The graph of the value, over the data."""
    for name, leaf in request.leaves.items():
        leaf.params["data"] = inputs[name]
    return request.roots[0]


def _instance(request: Request, inputs: Mapping[str, Any]) -> Node:
    """A copy of the graph of the value, over the data: the original is used again."""
    copies: dict[Node, Node] = {}
    for node in toposort([request.roots[0]]):
        params = node.params
        if node.op is INPUT:
            params = {"data": inputs[params["name"]], "name": params["name"]}
        inner = tuple([copies[child] for child in node.inputs])
        copy = Node(node.op, inner, params, node.shape, node.dtype, node.requires_grad, node.weak)
        copy.strides, copy.span = node.strides, node.span
        copies[node] = copy
    return copies[request.roots[0]]


def vector_for(request: Request, grad_output: Any) -> np.ndarray:
    """The vector of the vector-Jacobian product, in the value's shape and dtype."""
    value = request.roots[0]
    array = to_array(grad_output)
    if array.ndim and array.shape != value.shape:
        raise GradcliError(f"the grad-output has shape {array.shape}, the value {value.shape}: they must be equal")
    with np.errstate(all="ignore"):
        return np.broadcast_to(array.astype(value.dtype), value.shape)


def literal_array(text: str, dtype: str | None = None) -> np.ndarray:
    """The array that an expression without free names stands for, such as `ones(2, 2)` or `[[1, 2], [3, 4]]`.

    With a `dtype`, numbers and lists are taken in it without a detour through another one.
    """
    program = parse(text)
    try:
        return execute([Evaluator(text, {}).run(program, DTYPES[dtype] if dtype is not None else None)])[0]
    except GradcliError as error:
        error.source = text if error.source is None else error.source
        raise


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


def _differentiated(forms: Sequence[Form], wrt: Iterable[str] | str | None) -> list[str]:
    """The names of the inputs to differentiate."""
    if wrt is None:
        return [form.name for form in forms if form.dtype.kind == "f"]
    dtypes = {form.name: form.dtype for form in forms}
    names = [wrt] if isinstance(wrt, str) else list(dict.fromkeys(wrt))
    for name in names:
        if name not in dtypes:
            known = did_you_mean(name, list(dtypes)) or f"the inputs are {', '.join(dtypes) or 'none'}"
            raise GradcliError(f"there is no input {name!r} to differentiate", hint=known)
        if dtypes[name].kind != "f":
            raise GradcliError(
                f"the input {name!r} is {dtypes[name]} and cannot be differentiated",
                hint="only floating-point inputs have gradients; convert the file or literal to float32",
            )
    return names


def _seed(value: Node, given: bool, explicit: bool) -> tuple[Node | None, str | None, Node | None]:
    """What the backward pass starts with (or None), a note on why there is no gradient, and the leaf that is given."""
    if given:
        if not value.is_floating:
            raise GradcliError(f"the value is {value.dtype} and has no gradient")
        vector = Node(INPUT, (), {"data": None, "name": None}, value.shape, value.dtype, False)
        return (vector if value.requires_grad else None), None, vector
    if not value.requires_grad:
        return None, None, None
    if value.size == 1:
        return constant(np.ones(value.shape, value.dtype)), None, None
    if explicit:
        raise GradcliError(
            f"the value has shape {value.shape}: its gradient needs a vector to multiply with",
            hint="reduce it, as in sum(...), or give --grad-output (a number is broadcast)",
        )
    note = f"the value has shape {value.shape}, so no gradient was computed: reduce it or give --grad-output 1"
    return None, note, None


def _with_value(tensor: Tensor, array: np.ndarray) -> Tensor:
    if isinstance(array, np.ndarray):
        array = array.view()
        array.flags.writeable = False
    tensor.known_value = array
    return tensor


def _leaf(array: np.ndarray) -> Tensor:
    return _with_value(Tensor(input_node(array)), array)
