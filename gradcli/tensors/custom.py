"""Functions whose derivative a program states itself: `gc.Function`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from gradcli.errors import GradcliError, SizeError, counted
from gradcli.graph.arguments import as_flag, kind_of
from gradcli.graph.node import Node, make_results
from gradcli.graph.op import OPS
from gradcli.tensors.elements import Elements
from gradcli.tensors.hooks import CREATING_GRAPH
from gradcli.tensors.modes import enable_grad, is_grad_enabled, no_grad
from gradcli.tensors.tensor import Tensor, tensor_of


class FunctionContext:
    """What `forward` keeps for `backward`: tensors by `save_for_backward`, all else as attributes.

    `needs_input_grad` says for each argument whether its gradient is wanted.
    """

    def __init__(self, needs: tuple[bool, ...]) -> None:
        self.needs_input_grad = needs
        self.saved_tensors: tuple[Tensor | None, ...] = ()
        self._constant: list[Tensor] = []
        self._materializes = True

    def save_for_backward(self, *tensors: Tensor | None) -> None:
        """Keep arguments or results of `forward`: `backward` finds them in `saved_tensors`, as they are now."""
        for tensor in tensors:
            if tensor is not None and not isinstance(tensor, Elements):
                hint = "keep it as an attribute: ctx.name = value"
                raise GradcliError(f"save_for_backward() takes tensors, got {kind_of(tensor)}", hint=hint)
        self.saved_tensors = tensors

    def mark_non_differentiable(self, *results: Tensor) -> None:
        """Say that these results have no gradient."""
        self._constant = list(results)

    def set_materialize_grads(self, value: bool) -> None:
        """With False, `backward` gets None and no zeros for a result that nothing depends on."""
        self._materializes = as_flag(value, "value")

    def mark_dirty(self, *tensors: Tensor) -> None:
        """Refused: `forward` gives new tensors and changes none."""
        raise GradcliError("forward() cannot change its arguments", hint="return a new tensor")


class Function:
    """A function with a derivative of its own: a class with `forward` and `backward`, called by `apply`.

    `forward(ctx, *arguments)` computes with untracked tensors, and may call NumPy. `backward(ctx, *gradients)` has the
    gradient of each result, and returns that of each argument, None where there is none. Where it is written with
    operations of tensors, it can be differentiated again.

    >>> import gradcli as gc
    >>> class Straight(gc.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         return x.round()
    ...     @staticmethod
    ...     def backward(ctx, gradient):
    ...         return gradient
    >>> x = gc.tensor([0.4, 1.6], requires_grad=True)
    >>> y = Straight.apply(x)
    >>> y
    tensor([0., 2.], grad_fn=<StraightBackward>)
    >>> y.sum().backward()
    >>> x.grad
    tensor([1., 1.])
    """

    # Whatever arguments: each subclass has its own.
    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        """Compute the results: `ctx` and the arguments, or the arguments alone where there is a `setup_context`."""
        raise GradcliError("a Function needs a forward()")

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        """Keep what `backward` needs, apart from `forward`, which then takes the arguments alone."""

    @staticmethod
    def backward(*args: Any, **kwargs: Any) -> Any:
        """The gradients of the arguments, from `ctx` and those of the results."""
        raise GradcliError("a Function that is differentiated needs a backward()")

    @classmethod
    def apply(cls, *args: Any) -> Any:
        """Call the function; what it gives depends on those of its arguments that are tracked tensors."""
        needs = tuple([is_grad_enabled() and isinstance(arg, Elements) and arg.node.requires_grad for arg in args])
        inputs = {k: arg.node for k, arg in enumerate(args) if isinstance(arg, Elements)}
        ctx = FunctionContext(needs)
        with no_grad():
            if cls.setup_context is Function.setup_context:
                output = cls.forward(ctx, *args)
            else:
                output = cls.forward(*args)
                cls.setup_context(ctx, args, output)
        if not any(needs):
            return output
        several = isinstance(output, tuple | list)
        results = _Call(cls, ctx, inputs, len(args)).results(output if several else (output,))
        return tuple(results) if several else results[0]


class _Call(NamedTuple):
    """One call of a function: its arguments that are tensors, by their places, and how many arguments there are."""

    function: type[Function]
    ctx: FunctionContext
    inputs: dict[int, Node]
    length: int

    def results(self, plain: Sequence[Any]) -> list[Any]:
        """What `forward` gave, depending on the arguments."""
        name = f"{self.function.__name__}.forward()"
        for one in plain:
            if not isinstance(one, Elements):
                raise GradcliError(f"{name} returns tensors, got {kind_of(one)}")
        ctx, made = self.ctx, list(plain)
        differentiable = [
            k for k, one in enumerate(plain) if one.is_floating_point() and not any(one is c for c in ctx._constant)
        ]
        # By numbers: results that their own step holds would live until the garbage is collected.
        saved = [next((k for k in differentiable if plain[k] is one), _node(one)) for one in ctx.saved_tensors]
        ctx.saved_tensors = ()

        def backward(gradients: Sequence[Node | None], out: Sequence[Node]) -> list[Node | None]:
            nodes = [out[kept] if isinstance(kept, int) else kept for kept in saved]
            ctx.saved_tensors = tuple([None if node is None else tensor_of(node) for node in nodes])
            try:
                return self._pulled([gradients[k] if k in differentiable else None for k in range(len(out))], out)
            finally:
                ctx.saved_tensors = ()

        # Values of their own, even where the function gives an argument back.
        values = tuple([OPS["detach"](one.node) for one in plain])
        params = {"name": f"{self.function.__name__}Backward", "count": len(values), "backward": backward}
        nodes = make_results(OPS["_custom"], (*values, *self.inputs.values()), params)
        for k in differentiable:
            made[k] = Tensor(nodes[k])
        return made

    def _pulled(self, gradients: Sequence[Node | None], out: Sequence[Node]) -> list[Node | None]:
        """The gradients of the tensors among the arguments."""
        creating = CREATING_GRAPH.get()
        given: list[Tensor | None] = []
        for gradient, result in zip(gradients, out, strict=True):
            if gradient is None and self.ctx._materializes:
                gradient = OPS["zeros_like"](OPS["detach"](result))
            if gradient is not None and not creating:
                gradient = OPS["detach"](gradient)
            given.append(None if gradient is None else tensor_of(gradient))
        with enable_grad() if creating else no_grad():
            answer = self.function.backward(self.ctx, *given)
        answers = list(answer) if isinstance(answer, tuple | list) else [answer]
        while len(answers) > self.length and answers[-1] is None:
            answers.pop()
        if len(answers) != self.length:
            got, wanted = counted(len(answers), "gradient"), counted(self.length, "argument")
            raise GradcliError(f"{self.function.__name__}.backward() returned {got} for {wanted}")
        return [self._checked(k, answers[k]) for k in self.inputs]

    def _checked(self, place: int, answer: Any) -> Node | None:
        name, shape = f"{self.function.__name__}.backward()", self.inputs[place].shape
        if answer is None or not self.ctx.needs_input_grad[place]:
            return None
        if not isinstance(answer, Elements):
            raise GradcliError(f"{name} returns tensors or None, got {kind_of(answer)}")
        lengths = zip(shape[::-1], answer.shape[::-1], strict=False)
        # What was broadcast is summed, as everywhere.
        if len(answer.shape) < len(shape) or any(own not in (1, length) for own, length in lengths):
            raise SizeError("{} returned a gradient of shape {} for an argument of shape {}", name, answer.shape, shape)
        return answer.node


def _node(tensor: Tensor | None) -> Node | None:
    return None if tensor is None else tensor.node
