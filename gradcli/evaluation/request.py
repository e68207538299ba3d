"""One request, answered: the value of an expression and the gradients of its inputs, planned and computed together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from gradcli.autodiff.vjp import vjp
from gradcli.engine.execute.run import Progress, execute, run
from gradcli.engine.plan.planner import plan
from gradcli.engine.plan.program import Program as Plan
from gradcli.errors import GradcliError, did_you_mean, quoted
from gradcli.evaluation.interpret import Evaluator
from gradcli.graph.arguments import as_function, as_node, kind_of, list_array
from gradcli.graph.dtypes import DEFAULT_DTYPE, DTYPES
from gradcli.graph.infer import cast
from gradcli.graph.node import INPUT, Node, constant, fitted, input_node, toposort
from gradcli.language.parse import Program, parse
from gradcli.language.unused import unused_input
from gradcli.tensors.tensor import GradFn, Tensor

# Longer expressions are planned anew each time: keeping them would cost more memory than it saves time.
_LONGEST_KEPT = 20_000
_MOST_KEPT = 128


#: What the vector of the vector-Jacobian product is called.
VECTOR = "--grad-output"


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
    #: Whether there is a vector, or what it is like in its file.
    vector: bool | tuple[str, tuple[int, ...], str, bool]
    default: str

    def prepare(self) -> Request:
        """The request, in a context whose default dtype this sets."""
        DEFAULT_DTYPE.set(np.dtype(self.default))
        forms = [Form(name, shape, np.dtype(dtype), packed) for name, shape, dtype, packed in self.forms]
        vector: bool | Form = self.vector is True
        if not isinstance(self.vector, bool):
            name, shape, dtype, packed = self.vector
            vector = Form(name, shape, np.dtype(dtype), packed)
        return prepare(parse(self.source), forms, self.wrt, vector)


class Request:
    """An expression and the forms of its inputs, built and differentiated; nothing is computed.

    `roots` are the value and the gradients of the inputs named in `wanted`; `names` are those that were asked for,
    `vector` the leaf for the vector of the vector-Jacobian product, and `note` says why there are no gradients.
    `derivatives` names the roots that come after these: see `gradcli.evaluation.derivatives`; `given` has the data of
    leaves that came with it.
    """

    __slots__ = ("source", "leaves", "vector", "roots", "names", "wanted", "note", "derivatives", "given", "_plan")

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
        self.given: dict[Node, Any] = {}
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
        vector: Any = self.vector is not None
        if self.vector is not None and self.vector.params["name"] is not None:
            leaf = self.vector
            vector = (VECTOR, leaf.shape, str(leaf.dtype), leaf.params["packed"])
        return Recipe(self.source, forms, wanted, vector, str(DEFAULT_DTYPE.get()))

    def leaf(self, name: str) -> Node:
        """The leaf of an input, or of the vector where that lies in a file."""
        return self.vector if name == VECTOR and self.vector is not None else self.leaves[name]

    def _data(self, inputs: Mapping[str, Any], vector: Any) -> dict[Node, Any]:
        """What is given for each leaf."""
        found = {self.leaves[name]: array for name, array in inputs.items()}
        found.update(self.given)
        if self.vector is not None:
            found[self.vector] = vector
        return found

    def files(self, inputs: Mapping[str, Any], vector: Any = None) -> frozenset[Node]:
        """The leaves whose data is read block by block."""
        return frozenset(leaf for leaf, data in self._data(inputs, vector).items() if getattr(data, "streams", False))

    def arrays_for(self, program: Plan, inputs: Mapping[str, Any], vector: Any) -> list[Any]:
        """The data of a program's leaves."""
        by_node = self._data(inputs, vector)
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

    `inputs` maps names to arrays, tensors, numbers or lists; numbers and lists become float32. There may be more than
    the expression uses: their gradient is None. `wrt` names the inputs to differentiate (default: every floating-point
    one; empty: none). `grad_output` is the vector of the vector-Jacobian product for a value that is no scalar; a
    number is broadcast. `progress(done, total)` is told of the bytes gone through. The plan is kept, and used again for
    the same expression and the same shapes and dtypes.
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
            request = prepare(program, forms, wanted, grad_output is not None, spare=True)
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
    # Asking for a mapping of another kind takes longer than all the rest.
    if type(inputs) is not dict and not isinstance(inputs, Mapping):
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
    return prepare(parse(source), forms, wrt, explicit, spare=True)


def prepare(
    program: Program, forms: Sequence[Form], wrt: str | Iterable[str] | None = None, vector: bool | Form = False,
    gradients_needed: bool = True, spare: bool = False,
) -> Request:  # fmt: skip
    """Build the value of an expression and its gradients as graphs; `vector` says that a grad-output will be given,
    in the shape and dtype of the value unless it is a form.

    Where a vector would be needed, inputs named in `wrt` without one are an error, if the gradients are needed. So are
    inputs that the expression does not use, unless there may be some to `spare`.
    """
    names = _differentiated(forms, wrt)
    leaves = {form.name: _leaf_of(form, form.name in names) for form in forms}
    evaluator = Evaluator(program.source, leaves)
    value = evaluator.run(program)
    unused = [] if spare else [name for name in leaves if name not in evaluator.used]
    if unused:
        raise unused_input(unused[0], program)
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


def vector_form(grad_output: Any) -> bool | Form:
    """What `prepare` is told of a vector: the form of one that stays in its file, else whether there is one."""
    if not getattr(grad_output, "streams", False):
        return grad_output is not None
    return Form(VECTOR, tuple(grad_output.shape), grad_output.dtype, grad_output.c_contiguous)


def vector_for(request: Request, grad_output: Any) -> Any:
    """The vector of the vector-Jacobian product, in the value's shape and dtype; one in a file as it is."""
    value = request.roots[0]
    if hasattr(grad_output, "streams"):
        if grad_output.shape:
            _check_vector(grad_output.shape, value)
        return grad_output
    array = to_array(grad_output)
    if array.ndim:
        _check_vector(array.shape, value)
    with np.errstate(all="ignore"):
        return np.broadcast_to(array.astype(value.dtype, copy=False), value.shape)


def _check_vector(shape: tuple[int, ...], value: Node) -> None:
    if shape != value.shape:
        raise GradcliError(f"the grad-output has shape {shape}, the value {value.shape}: they must be equal")


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


def literal_form(text: str, dtype: str | None = None) -> Form:
    """What is known of the array that `literal_array` gives, which is not computed."""
    program = parse(text)
    try:
        root = Evaluator(text, {}).run(program, DTYPES[dtype] if dtype is not None else None)
    except GradcliError as error:
        error.source = text if error.source is None else error.source
        raise
    return Form("", root.shape, root.dtype, root.strides is None)


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
            raise GradcliError(f"there is no input {quoted(name)} to differentiate", hint=known)
        if dtypes[name].kind != "f":
            raise GradcliError(
                f"the input {name!r} is {dtypes[name]} and cannot be differentiated",
                hint="only floating-point inputs have gradients; convert the file or literal to float32",
            )
    return names


def _seed(value: Node, given: bool | Form, explicit: bool) -> tuple[Node | None, str | None, Node | None]:
    """What the backward pass starts with (or None), a note on why there is no gradient, and the leaf that is given."""
    if given:
        if not value.is_floating:
            raise GradcliError(f"the value is {value.dtype} and has no gradient")
        if isinstance(given, Form):
            _check_vector(given.shape, value)
            vector = _leaf_of(given, False)
            seed = cast(vector, value.dtype)
        else:
            vector = seed = Node(INPUT, (), {"data": None, "name": None}, value.shape, value.dtype, False)
        return (seed if value.requires_grad else None), None, vector
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
