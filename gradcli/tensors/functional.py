"""Jacobians, Hessians and products with them for functions of tensors, with the conventions of
torch.autograd.functional: `func` takes the inputs one by one, a tuple of inputs gives a tuple of results."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gradcli.autodiff.jacobian import curvature, filled, hessians, jacobians, pushed
from gradcli.autodiff.vjp import vjp as pull
from gradcli.errors import GradcliError
from gradcli.graph.arguments import as_choice, as_flag, as_function, as_node, kind_of
from gradcli.graph.infer import cast
from gradcli.graph.node import Node, constant, input_node, make
from gradcli.graph.op import OPS
from gradcli.ops.each import Rows
from gradcli.tensors.elements import lower
from gradcli.tensors.modes import enable_grad
from gradcli.tensors.tensor import Tensor, as_leaves, tensor_of

Function = Callable[..., Any]
_STRATEGIES = ("reverse-mode", "forward-mode")


class Call:
    """A function called with tracked copies of its inputs: what went in and what came out, as nodes."""

    def __init__(self, func: Function, inputs: Any, create_graph: bool, strict: bool) -> None:
        self.one_input = not isinstance(inputs, list | tuple)
        self.create_graph = as_flag(create_graph, "create_graph")
        self.inputs = [_entered(x, create_graph) for x in ([inputs] if self.one_input else inputs)]
        self.strict = as_flag(strict, "strict")
        if not self.inputs:
            raise GradcliError("there are no inputs to differentiate with respect to")
        with enable_grad():
            result = as_function(func)(*(tensor_of(node) for node in self.inputs))
        self.one_output = not isinstance(result, list | tuple)
        self.outputs = [_node_of(y) for y in ([result] if self.one_output else result)]
        if strict:
            for k, node in enumerate(self.outputs):
                if not node.requires_grad:
                    raise GradcliError(f"output {k} of the function does not depend on the inputs (strict=True)")

    def scalar(self, name: str) -> Node:
        """The only element of the only output."""
        if len(self.outputs) != 1 or self.outputs[0].size != 1:
            shapes = ", ".join(str(node.shape) for node in self.outputs)
            raise GradcliError(
                f"{name}() needs a function with one result of one element, got shapes {shapes}",
                hint="reduce it, as in .sum()",
            )
        output = self.outputs[0]
        if not output.is_floating:
            raise GradcliError(f"{name}() needs a floating-point result, got {output.dtype}")
        return output

    def zeros(self, node: Node | None, like: Node, what: str) -> Node:
        """`node`, or zeros where nothing depends on an input, which `strict` refuses."""
        if node is None and self.strict:
            raise GradcliError(f"{what} (strict=True)")
        return filled(like.shape, like.dtype) if node is None else node

    def finish(self, nodes: Sequence[Node]) -> list[Tensor]:
        """Results as tensors, computed together and cut off from their graphs unless those were asked for."""
        tensors = [tensor_of(node) for node in nodes]
        return tensors if self.create_graph else as_leaves(tensors)

    def rows(self, nodes: Sequence[Node]) -> list[Any]:
        """Results for each input in turn, again and again."""
        tensors, count = self.finish(nodes), len(self.inputs)
        return [self.of_inputs(tensors[k : k + count]) for k in range(0, len(tensors), count)]

    def of_outputs(self, tensors: Sequence[Tensor]) -> Any:
        return tensors[0] if self.one_output else tuple(tensors)

    def of_inputs(self, tensors: Sequence[Any]) -> Any:
        return tensors[0] if self.one_input else tuple(tensors)


def _entered(value: Any, create_graph: bool) -> Node:
    """An input as the function gets it: tracked, and apart from the caller's tensor unless graphs are wanted."""
    node = _node_of(value)
    if not node.is_floating:
        hint = "convert them first, as in x.float(), or leave them to the function"
        raise GradcliError(f"a function is differentiated for floating-point inputs, not for {node.dtype}", hint=hint)
    if create_graph and node.requires_grad:
        return make(OPS["_alias"], (node,))
    return input_node(tensor_of(node).value(), requires_grad=True)


def _node_of(value: Any) -> Node:
    if not isinstance(value, Tensor | np.ndarray | np.generic):
        raise GradcliError(f"the inputs and results of a function must be tensors, not {kind_of(value)}")
    return as_node(lower(value))


def _vectors(given: Any, like: Sequence[Node], of: str, single: bool) -> list[Node]:
    """The vectors of a product: as many as there are inputs or outputs, of their shapes."""
    if given is None:
        if len(like) != 1 or like[0].size != 1:
            raise GradcliError(f"the vector v can be left out only for a function with one {of} of one element")
        return [constant(np.ones(like[0].shape, like[0].dtype))]
    vectors = [given] if single and not isinstance(given, list | tuple) else given
    if not isinstance(vectors, list | tuple) or len(vectors) != len(like):
        count = len(vectors) if isinstance(vectors, list | tuple) else 1
        raise GradcliError(f"v has {count} tensor{'s' * (count != 1)}, the function {len(like)} {of}s")
    nodes = []
    for k, (vector, node) in enumerate(zip(vectors, like, strict=True)):
        entry = as_node(lower(vector))
        if entry.shape != node.shape:
            raise GradcliError(f"v[{k}] has shape {entry.shape}, the {of} {node.shape}: they must be equal")
        nodes.append(cast(entry, node.dtype))
    return nodes


def each(func: Function, *xs: Any) -> Any:
    """Apply a function to every row of its arguments, and stack the results: one tensor, or a tuple of several.

    A row is one index of the first dimension, which has the same length in all tensors and arrays. Other arguments, and
    tensors that the function refers to, are the same for every row. The function is called once, with placeholders
    whose values are not known; then each of its operations is applied to all rows together. Raises GradcliError.

    >>> import gradcli as gc
    >>> gc.each(lambda row, y: (row @ row) * y, gc.tensor([[1.0, 2.0], [3.0, 4.0]]), gc.tensor([1.0, 10.0]))
    tensor([  5., 250.])
    """
    rows = Rows([lower(x) for x in xs])
    result = as_function(func)(*(tensor_of(x) if isinstance(x, Node) else x for x in rows.arguments))
    if not isinstance(result, list | tuple):
        return tensor_of(rows.stacked(lower(result)))
    found = [tensor_of(node) for node in rows.stacked(tuple([lower(part) for part in result]))]
    return type(result)(*found) if hasattr(result, "_fields") else tuple(found)


def vjp(func: Function, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> Any:
    """The outputs of a function, and the product of the vector `v` with its Jacobian.

    `v` has the shape of the output (a tuple for several outputs), and may be left out if that is one element. The
    product has the shapes of the inputs. It is zero for an input on which the outputs do not depend, or an error with
    `strict`. With `create_graph` the results can be differentiated. Raises GradcliError.

    >>> import gradcli as gc
    >>> gc.vjp(lambda x: x**2, gc.tensor([1.0, 2.0]), gc.tensor([1.0, 10.0]))
    (tensor([1., 4.]), tensor([ 2., 40.]))
    """
    call = Call(func, inputs, create_graph, strict)
    found = pull(call.outputs, _vectors(v, call.outputs, "output", call.one_output), call.inputs)
    products = [call.zeros(found.get(x), x, f"input {k} has no gradient") for k, x in enumerate(call.inputs)]
    tensors = call.finish([*call.outputs, *products])
    count = len(call.outputs)
    return call.of_outputs(tensors[:count]), call.of_inputs(tensors[count:])


def jvp(func: Function, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> Any:
    """The outputs of a function, and the product of its Jacobian with the vector `v`.

    `v` has the shape of the input (a tuple for several inputs), and may be left out if that is one element. The
    product has the shapes of the outputs. Raises GradcliError.

    >>> import gradcli as gc
    >>> gc.jvp(lambda x: x**2, gc.tensor([1.0, 2.0]), gc.tensor([1.0, 10.0]))
    (tensor([1., 4.]), tensor([ 2., 40.]))
    """
    call = Call(func, inputs, create_graph, strict)
    vectors = _vectors(v, call.inputs, "input", call.one_input)
    pairs = zip(pushed(call.outputs, call.inputs, vectors), call.outputs, strict=True)
    products = [call.zeros(p, y, f"output {k} has no gradient") for k, (p, y) in enumerate(pairs)]
    tensors = call.finish([*call.outputs, *products])
    count = len(call.outputs)
    return call.of_outputs(tensors[:count]), call.of_outputs(tensors[count:])


def hvp(func: Function, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> Any:
    """The value of a scalar function, and the product of its Hessian with the vector `v`.

    `v` and the product have the shapes of the inputs; `v` may be left out if there is one input with one element.
    Raises GradcliError.

    >>> import gradcli as gc
    >>> gc.hvp(lambda x: (x**3).sum(), gc.tensor([1.0, 2.0]), gc.tensor([1.0, 10.0]))
    (tensor(9.), tensor([  6., 120.]))
    """
    return _hessian_product("hvp", func, inputs, v, create_graph, strict)


def vhp(func: Function, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> Any:
    """The value of a scalar function, and the product of the vector `v` with its Hessian, which is symmetric.

    >>> import gradcli as gc
    >>> gc.vhp(lambda x: (x**3).sum(), gc.tensor([1.0, 2.0]), gc.tensor([1.0, 10.0]))
    (tensor(9.), tensor([  6., 120.]))
    """
    return _hessian_product("vhp", func, inputs, v, create_graph, strict)


def _hessian_product(name: str, func: Function, inputs: Any, v: Any, create_graph: bool, strict: bool) -> Any:
    call = Call(func, inputs, create_graph, strict)
    output = call.scalar(name)
    vectors = _vectors(v, call.inputs, "input", call.one_input)
    pairs = zip(curvature(output, call.inputs, vectors), call.inputs, strict=True)
    products = [call.zeros(p, x, f"input {k} has no Hessian") for k, (p, x) in enumerate(pairs)]
    value, *tensors = call.finish([output, *products])
    return call.of_outputs([value]), call.of_inputs(tensors)


def jacobian(
    func: Function,
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    strategy: str = "reverse-mode",
) -> Any:
    """The Jacobian of a function, of shape `output.shape + input.shape`.

    Several inputs give a tuple, one for each; several outputs a tuple of these, outputs first. All elements are
    computed together, in the cheaper direction, so `vectorize` and `strategy` have no effect. Raises GradcliError.

    >>> import gradcli as gc
    >>> gc.jacobian(lambda x: x**2, gc.tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]])
    """
    as_choice(strategy, "strategy", _STRATEGIES)
    call = Call(func, inputs, create_graph, strict)
    nodes: list[Node] = []
    for k, output in enumerate(call.outputs):
        for j, (found, x) in enumerate(zip(jacobians(output, call.inputs), call.inputs, strict=True)):
            like = filled((*output.shape, *x.shape), x.dtype)
            nodes.append(call.zeros(found, like, f"output {k} does not depend on input {j}"))
    rows = call.rows(nodes)
    return rows[0] if call.one_output else tuple(rows)


def hessian(
    func: Function,
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    outer_jacobian_strategy: str = "reverse-mode",
) -> Any:
    """The Hessian of a scalar function, of shape `input.shape + input.shape`.

    Several inputs give a tuple of tuples: `h[i][j]` has shape `inputs[i].shape + inputs[j].shape`. Raises
    GradcliError.

    >>> import gradcli as gc
    >>> gc.hessian(lambda x: (x**3).sum(), gc.tensor([1.0, 2.0]))
    tensor([[ 6.,  0.],
            [ 0., 12.]])
    """
    as_choice(outer_jacobian_strategy, "outer_jacobian_strategy", _STRATEGIES)
    call = Call(func, inputs, create_graph, strict)
    blocks = hessians(call.scalar("hessian"), call.inputs)
    nodes = []
    for i, x in enumerate(call.inputs):
        for j, y in enumerate(call.inputs):
            like = filled((*x.shape, *y.shape), x.dtype)
            nodes.append(call.zeros(blocks[i][j], like, f"the gradient of input {i} does not depend on input {j}"))
    return call.of_inputs(call.rows(nodes))
