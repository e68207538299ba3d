"""One request, answered: the value of an expression and the gradients of its inputs, planned and computed together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from gradcli.autodiff.vjp import vjp
from gradcli.engine.plan.planner import plan
from gradcli.engine.plan.program import Program
from gradcli.errors import GradcliError, did_you_mean, quoted
from gradcli.evaluation.interpret import Interpreter
from gradcli.evaluation.values import InputSpec, to_array
from gradcli.graph.dtypes import DEFAULT_DTYPE
from gradcli.graph.infer import cast
from gradcli.graph.node import INPUT, Node, constant
from gradcli.language.parse import Script, parse
from gradcli.language.unused import unused_input

#: What the vector of the vector-Jacobian product is called.
VECTOR = "--grad-output"


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
        forms = [InputSpec(name, shape, np.dtype(dtype), packed) for name, shape, dtype, packed in self.forms]
        vector: bool | InputSpec = self.vector is True
        if not isinstance(self.vector, bool):
            name, shape, dtype, packed = self.vector
            vector = InputSpec(name, shape, np.dtype(dtype), packed)
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
        self,
        source: str,
        leaves: dict[str, Node],
        vector: Node | None,
        roots: list[Node],
        names: list[str],
        wanted: list[str],
        note: str | None,
    ) -> None:
        self.source = source
        self.leaves = leaves
        self.vector = vector
        self.roots = roots
        self.names = names
        self.wanted = wanted
        self.note = note
        self.derivatives: list[str] = []
        self.given: dict[Node, Any] = {}
        self._plan: Program | None = None

    @property
    def targets(self) -> list[str]:
        """The names of the roots."""
        return ["value", *(f"{name}.grad" for name in self.wanted), *self.derivatives]

    @property
    def plan(self) -> Program:
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

    def arrays_for(self, program: Program, inputs: Mapping[str, Any], vector: Any) -> list[Any]:
        """The data of a program's leaves."""
        by_node = self._data(inputs, vector)
        found = []
        for leaf in program.leaves:
            array = by_node.get(leaf)
            found.append(leaf.params["value"] if array is None else array)
        return found


def prepare(
    script: Script,
    forms: Sequence[InputSpec],
    wrt: str | Iterable[str] | None = None,
    vector: bool | InputSpec = False,
    gradients_needed: bool = True,
    spare: bool = False,
) -> Request:
    """Build the value of an expression and its gradients as graphs; `vector` says that a grad-output will be given,
    in the shape and dtype of the value unless it is a form.

    Where a vector would be needed, inputs named in `wrt` without one are an error, if the gradients are needed. So are
    inputs that the expression does not use, unless there may be some to `spare`.
    """
    names = _differentiated(forms, wrt)
    leaves = {form.name: _leaf_of(form, form.name in names) for form in forms}
    interpreter = Interpreter(script.source, leaves)
    value = interpreter.run(script)
    unused = [] if spare else [name for name in leaves if name not in interpreter.used]
    if unused:
        raise unused_input(unused[0], script)
    explicit = wrt is not None and bool(names) and gradients_needed
    seed, note, given = _seed(value, vector, explicit)
    gradients = vjp([value], [seed], [leaves[n] for n in names]) if seed is not None else {}
    wanted = [name for name in names if leaves[name] in gradients]
    roots = [value, *(gradients[leaves[name]] for name in wanted)]
    return Request(script.source, leaves, given, roots, names, wanted, note)


def _leaf_of(form: InputSpec, tracked: bool) -> Node:
    return Node(INPUT, (), {"data": None, "name": form.name, "packed": form.packed}, form.shape, form.dtype, tracked)


def vector_form(grad_output: Any) -> bool | InputSpec:
    """What `prepare` is told of a vector: the form of one that stays in its file, else whether there is one."""
    if not getattr(grad_output, "streams", False):
        return grad_output is not None
    return InputSpec(VECTOR, tuple(grad_output.shape), grad_output.dtype, grad_output.c_contiguous)


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


def _differentiated(forms: Sequence[InputSpec], wrt: Iterable[str] | str | None) -> list[str]:
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


def _seed(value: Node, given: bool | InputSpec, explicit: bool) -> tuple[Node | None, str | None, Node | None]:
    """What the backward pass starts with (or None), a note on why there is no gradient, and the leaf that is given."""
    if given:
        if not value.is_floating:
            raise GradcliError(f"the value is {value.dtype} and has no gradient")
        if isinstance(given, InputSpec):
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
