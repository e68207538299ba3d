"""One request as graphs: the value of an expression and the gradients of its inputs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from gradcli.autodiff.vjp import vjp
from gradcli.errors import GradcliError, did_you_mean, quoted, written_in
from gradcli.evaluation.interpret import Interpreter
from gradcli.evaluation.values import InputSpec, to_array
from gradcli.graph.dtypes import DEFAULT_DTYPE
from gradcli.graph.infer import cast
from gradcli.graph.node import INPUT, Node, constant
from gradcli.language.instructions import Script
from gradcli.language.parse import parse, refuse_imported, refuse_unused

#: What the vector of the vector-Jacobian product is called.
VECTOR = "--grad-output"


class Recipe(NamedTuple):
    """What a request is built from: another process builds the same one.

    `vector` says whether there is one, or what it is like in its file; `default` is the default dtype.
    """

    source: str
    forms: tuple[InputSpec, ...]
    wrt: tuple[str, ...] | None
    vector: bool | InputSpec
    default: np.dtype

    def prepare(self) -> Request:
        """The request, in a context whose default dtype this sets."""
        DEFAULT_DTYPE.set(self.default)
        return prepare(parse(self.source), self.forms, self.wrt, self.vector)


@dataclass(eq=False)
class Request:
    """An expression and the forms of its inputs, built and differentiated; nothing is computed.

    `roots` are the value and the gradients of the inputs named in `wanted`; `names` are those that were asked for,
    `vector` the leaf for the vector of the vector-Jacobian product, and `note` says why there are no gradients.
    `derivatives` names the roots that come after these: see `gradcli.evaluation.derivatives`; `given` has the data of
    leaves that came with it; `measured` says that shapes were measured of the data, so that it is for no other.
    """

    source: str
    leaves: dict[str, Node]
    vector: Node | None
    roots: list[Node]
    names: list[str]
    wanted: list[str]
    note: str | None
    derivatives: list[str] = field(default_factory=list)
    given: dict[Node, Any] = field(default_factory=dict)
    measured: bool = False

    @property
    def targets(self) -> list[str]:
        """The names of the roots."""
        return ["value", *(f"{name}.grad" for name in self.wanted), *self.derivatives]

    def recipe(self, wrt: Iterable[str] | None) -> Recipe:
        """What this request was built from, `wrt` being what was asked for."""
        if self.measured:
            hint = "where(mask, x, 0) has the shape of x, with 0 for what the mask leaves out"
            raise GradcliError("what is dealt to a cluster has shapes that do not depend on the data", hint=hint)
        forms = tuple([_spec_of(name, leaf) for name, leaf in self.leaves.items()])
        vector = self.vector
        filed = vector is not None and vector.params["name"] is not None
        given = _spec_of(VECTOR, vector) if vector is not None and filed else vector is not None
        return Recipe(self.source, forms, None if wrt is None else tuple(wrt), given, DEFAULT_DTYPE.get())

    def leaf(self, name: str) -> Node:
        """The leaf of an input, or of the vector where that lies in a file."""
        return self.vector if name == VECTOR and self.vector is not None else self.leaves[name]

    def files(self, inputs: Mapping[str, Any], vector: Any = None) -> frozenset[Node]:
        """The leaves whose data is read block by block."""
        found = {self.leaves[name]: array for name, array in inputs.items()} | self.given
        if self.vector is not None:
            found[self.vector] = vector
        return frozenset(leaf for leaf, data in found.items() if getattr(data, "streams", False))


def _spec_of(name: str, leaf: Node) -> InputSpec:
    return InputSpec(name, leaf.shape, leaf.dtype, leaf.params["packed"])


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
    inputs that the expression does not use, unless there may be some to `spare`. Errors know the expression.
    """
    with written_in(script.source):
        names = _differentiated(forms, wrt)
        leaves = {form.name: leaf_of(form, form.name in names) for form in forms}
        refuse_imported(leaves, script)
        interpreter = Interpreter(script.source, leaves)
        value = interpreter.run(script)
        if not spare:
            refuse_unused(leaves, interpreter.used, script)
        explicit = wrt is not None and bool(names) and gradients_needed
        seed, note, given = _seed(value, vector, explicit)
        gradients = vjp([value], [seed], [leaves[n] for n in names]) if seed is not None else {}
        wanted = [name for name in names if leaves[name] in gradients]
        roots = [value, *(gradients[leaves[name]] for name in wanted)]
        return Request(script.source, leaves, given, roots, names, wanted, note)


def leaf_of(form: InputSpec, tracked: bool) -> Node:
    """The node of an input whose data comes later."""
    return Node(INPUT, (), {"data": None, "name": form.name, "packed": form.packed}, form.shape, form.dtype, tracked)


def vector_form(grad_output: Any) -> bool | InputSpec:
    """What `prepare` is told of a vector: the form of one that stays in its file, else whether there is one."""
    return InputSpec.of(VECTOR, grad_output) if getattr(grad_output, "streams", False) else grad_output is not None


def vector_for(request: Request, grad_output: Any) -> Any:
    """The vector of the vector-Jacobian product, in the value's shape and dtype; one in a file as it is."""
    value = request.roots[0]
    filed = hasattr(grad_output, "streams")
    array = grad_output if filed else to_array(grad_output)
    if array.shape:
        with written_in(request.source):
            _check_vector(array.shape, value)
    if filed:
        return array
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
        check_wanted(name, list(dtypes))
        if dtypes[name].kind != "f":
            hint = "only floating-point inputs have gradients; convert the file or literal to float32"
            raise GradcliError(f"the input {name!r} is {dtypes[name]} and cannot be differentiated", hint=hint)
    return names


def check_wanted(name: str, known: list[str]) -> None:
    """Refuse to differentiate by what is no input."""
    if name not in known:
        hint = did_you_mean(name, known) or f"the inputs are {', '.join(known) or 'none'}"
        raise GradcliError(f"there is no input {quoted(name)} to differentiate", hint=hint)


def _seed(value: Node, given: bool | InputSpec, explicit: bool) -> tuple[Node | None, str | None, Node | None]:
    """What the backward pass starts with (or None), a note on why there is no gradient, and the leaf that is given."""
    if given:
        if not value.is_floating:
            raise GradcliError(f"the value is {value.dtype} and has no gradient")
        if isinstance(given, InputSpec):
            _check_vector(given.shape, value)
            vector = leaf_of(given, False)
            seed = cast(vector, value.dtype)
        else:
            vector = seed = Node(INPUT, (), {"data": None, "name": None}, value.shape, value.dtype, False)
        return (seed if value.requires_grad else None), None, vector
    if not value.requires_grad:
        return None, None, None
    if value.size == 1:
        return constant(np.ones(value.shape, value.dtype)), None, None
    if explicit:
        raise _needs_vector(value)
    note = f"the value has shape {value.shape}, so no gradient was computed: reduce it or give --grad-output 1"
    return None, note, None


def refuse_no_vector(request: Request) -> None:
    """Fail where gradients are wanted by name, and there is no vector that they would need."""
    if request.note is not None:
        with written_in(request.source):
            raise _needs_vector(request.roots[0])


def _needs_vector(value: Node) -> GradcliError:
    hint = "reduce it, as in sum(...), or give --grad-output (a number is broadcast)"
    return GradcliError(f"the value has shape {value.shape}: its gradient needs a vector to multiply with", hint=hint)
