"""One request as graphs: the value of an expression and the gradients of its inputs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

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

if TYPE_CHECKING:
    from gradcli.evaluation.per_row import PerRow

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
    per_row: tuple[str, ...] = ()
    jacobian: bool = False

    def prepare(self) -> Request:
        """The request, in a context whose default dtype this sets."""
        DEFAULT_DTYPE.set(self.default)
        script, rows, jacobian = parse(self.source), self.per_row, self.jacobian
        return prepare(script, self.forms, self.wrt, self.vector, per_row=rows, jacobian=jacobian)


@dataclass(eq=False)
class Request:
    """An expression and the forms of its inputs, built and differentiated; nothing is computed.

    `roots` are the value and the gradients of the inputs named in `wanted`; `names` are those that were asked for,
    `vector` the leaf for the vector of the vector-Jacobian product, and `note` says why there are no gradients.
    `derivatives` names the roots that come after these: see `gradcli.evaluation.derivatives`; `given` has the data of
    leaves that came with it; `measured` says that shapes were measured of the data, so that it is for no other.

    Where there are results for each row of some inputs, `rows` has stand-ins for these.
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
    rows: PerRow | None = None

    @property
    def targets(self) -> list[str]:
        """The names of the roots."""
        return ["value", *(f"{name}.grad" for name in self.wanted), *self.derivatives]

    @property
    def value(self) -> Node:
        """What the expression gives, for one row where there are such."""
        return self.roots[0] if self.rows is None or self.rows.value is None else self.rows.value

    def argument(self, name: str) -> Node:
        """What the expression was built on: an input, or the stand-in for a row of it."""
        return self.leaves[name] if self.rows is None else self.rows.rows.get(name, self.leaves[name])

    def add(self, results: Mapping[str, Node]) -> None:
        """Let further derivatives be computed, which are built on the arguments."""
        further = {name: node for name, node in results.items() if name not in self.derivatives}
        self.derivatives += further
        self.roots += further.values() if self.rows is None else self.rows.lift(list(further.values()))

    def recipe(self, wrt: Iterable[str] | None) -> Recipe:
        """What this request was built from, `wrt` being what was asked for."""
        if self.measured:
            hint = "where(mask, x, 0) has the shape of x, with 0 for what the mask leaves out"
            raise GradcliError("on a cluster, shapes must not depend on the data", hint=hint)
        forms = tuple([_spec_of(name, leaf) for name, leaf in self.leaves.items()])
        vector = self.vector
        filed = vector is not None and vector.params["name"] is not None
        given = _spec_of(VECTOR, vector) if vector is not None and filed else vector is not None
        wanted = None if wrt is None else tuple(wrt)
        rows = () if self.rows is None else tuple(self.rows.rows)
        jacobian = any(name.endswith(".jacobian") for name in self.derivatives)
        return Recipe(self.source, forms, wanted, given, DEFAULT_DTYPE.get(), rows, jacobian)

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
    per_row: Sequence[str] = (),
    jacobian: bool = False,
    interpreter: Callable[[str, Mapping[str, Node]], Interpreter] = Interpreter,
) -> Request:
    """Build the value of an expression and its gradients as graphs; `vector` says that a grad-output will be given,
    in the shape and dtype of the value unless it is a form.

    Where a vector would be needed, inputs named in `wrt` without one are an error, if the gradients are needed. So are
    inputs that the expression does not use, unless there may be some to `spare`. Errors know the expression.

    With `per_row` the expression is a function of a row of each of these inputs: there is a value for each row, and a
    gradient of every input. Where the value of a row is no scalar and there is no vector, or `jacobian` asks for it,
    there are Jacobians.

    `interpreter` makes what carries the script out.
    """
    with written_in(script.source):
        names = _differentiated(forms, wrt)
        leaves = {form.name: leaf_of(form, form.name in names) for form in forms}
        refuse_imported(leaves, script)
        rows = _rows(per_row, leaves)
        arguments = leaves if rows is None else leaves | rows.rows
        carrying_out = interpreter(script.source, arguments)
        if spare:
            # Only calls in Python have such.
            carrying_out.asking = "add it to the inputs: {{'{}': ...}}"
        value = carrying_out.run(script)
        if not spare:
            refuse_unused(leaves, carrying_out.used, script)
        explicit = wrt is not None and bool(names) and gradients_needed and rows is None
        seed, note, given = _seed(value, vector, explicit, rows)
        gradients = vjp([value], [seed], [arguments[n] for n in names]) if seed is not None else {}
        wanted = [name for name in names if arguments[name] in gradients]
        roots = [value, *(gradients[arguments[name]] for name in wanted)]
        if rows is None:
            return Request(script.source, leaves, given, roots, names, wanted, note)
        rows.value = value
        request = Request(script.source, leaves, given, rows.lift(roots), names, wanted, note, rows=rows)
        if jacobian or note is not None:
            request.add(rows.jacobians({name: arguments[name] for name in names}))
        return request


def _rows(names: Sequence[str], leaves: Mapping[str, Node]) -> PerRow | None:
    if not names:
        return None
    for name in names:
        check_wanted(name, list(leaves), "evaluate row by row")
    # Imported here: few requests have rows.
    from gradcli.evaluation.per_row import PerRow

    return PerRow(names, leaves)


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
            _check_vector(array.shape, value.shape)
    if filed:
        return array
    with np.errstate(all="ignore"):
        return np.broadcast_to(array.astype(value.dtype, copy=False), value.shape)


def _check_vector(shape: tuple[int, ...], of_value: tuple[int, ...]) -> None:
    if shape != of_value:
        raise GradcliError(f"the upstream gradient has shape {shape}, the value {of_value}: they must be equal")


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


def check_wanted(name: str, known: list[str], what: str = "differentiate") -> None:
    """Refuse to do something with what is no input: to differentiate by it, say."""
    if name not in known:
        hint = did_you_mean(name, known) or f"the inputs are {', '.join(known) or 'none'}"
        raise GradcliError(f"there is no input {quoted(name)} to {what}", hint=hint)


def _seed(
    value: Node, given: bool | InputSpec, explicit: bool, rows: PerRow | None
) -> tuple[Node | None, str | None, Node | None]:
    """What the backward pass starts with (or None), a note on why there is no gradient, and the leaf that is given."""
    if given:
        if not value.is_floating:
            raise GradcliError(f"the value is {value.dtype} and has no gradient")
        whole = value.shape if rows is None else (rows.count, *value.shape)
        if isinstance(given, InputSpec):
            _check_vector(given.shape, whole)
            vector = leaf_of(given, False)
        else:
            vector = Node(INPUT, (), {"data": None, "name": None}, whole, value.dtype, False)
        seed = cast(vector if rows is None else rows.row_of(vector), value.dtype)
        return (seed if value.requires_grad else None), None, vector
    if not value.requires_grad:
        return None, None, None
    if value.size == 1:
        return constant(np.ones(value.shape, value.dtype)), None, None
    if explicit:
        raise _needs_vector(value)
    if rows is not None:
        return None, f"the value of a row has shape {value.shape}: it has a Jacobian instead of a gradient", None
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
