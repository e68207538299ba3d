"""What the lines of a session are answered with: values, chains and gradients of what its names stand for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from gradcli.autodiff.vjp import vjp
from gradcli.errors import GradcliError, LimitError, did_you_mean, written_in
from gradcli.evaluation.answer import answer_text
from gradcli.evaluation.request import Request
from gradcli.evaluation.result import Result
from gradcli.graph.node import INPUT, Node, constant
from gradcli.ops.shape import expand
from gradcli.plotting.terminal import Screen
from gradcli.render.marks import Heading, Marked
from gradcli.render.text import Style, format_tensor
from gradcli.repl.workspace import Evaluated, Workspace, compute, inputs_below

# The command that undoes :wrt.
_BY_ALL = "`:wrt all` differentiates with respect to all inputs"


class Reply(NamedTuple):
    """What a line is answered with: text (maybe none), a note beside it, and whether the session is over."""

    text: str = ""
    note: str | None = None
    over: bool = False


class Answers:
    """The names and settings of a session, and the answers that are made from them."""

    def __init__(self, screen: Callable[[], Screen] = Screen) -> None:
        #: What there is room for where answers are shown.
        self.screen = screen
        self.workspace = Workspace()
        #: The inputs to differentiate, None for all.
        self.wrt: list[str] | None = None
        self.style = Style()

    def shown(self, outcome: Evaluated) -> Reply:
        """The value of an expression with its chain and gradients; of a mere name, or of what is no tensor, itself."""
        if _is_small_talk(outcome.value) or outcome.node().op is INPUT:
            return self._value(outcome)
        result = self.evaluate(outcome, outcome.node())
        return Reply(Marked(answer_text(result, self.style)), result.note)

    def expression(self, text: str, what: str) -> Evaluated:
        """The outcome of a command's expression."""
        if not text.strip():
            raise GradcliError(f":{what} needs an expression", hint=f"for example, :{what} sum(x**2)")
        outcome = self.workspace.run(text)
        if not outcome.is_expression:
            raise GradcliError(f":{what} needs an expression, and this has no value", hint="leave the assignment out")
        return outcome

    def value(self, text: str) -> Reply:
        """Only the value of an expression."""
        return self._value(self.expression(text, "value"))

    def _value(self, outcome: Evaluated) -> Reply:
        if _is_small_talk(outcome.value):
            return Reply(str(outcome.value) if isinstance(outcome.value, np.dtype) else repr(outcome.value))
        return Reply(format_tensor(self.arrays(outcome, [outcome.node()])[0], style=self.style))

    def grad(self, text: str) -> Reply:
        """Only the gradients of an expression; of one that is no scalar, with a vector of ones."""
        outcome = self.expression(text, "grad")
        node = outcome.node()
        result = self.evaluate(outcome, node, ones=True)
        if not result.grads:
            raise GradcliError("there is nothing to differentiate with respect to", hint=self._no_inputs(node))
        note = None if node.size == 1 else f"the value has shape {node.shape}: its gradients are those of its sum"
        found = {name: gradient.value() for name, gradient in result.grads.items() if gradient is not None}
        lines: list[str] = []
        for name, array in found.items():
            lines += ["", Heading(f"{name}.grad"), format_tensor(array, style=self.style)]
        return Reply(Marked.of_lines(lines[1:]), note)

    def _no_inputs(self, node: Node) -> str:
        names = [leaf.params["name"] for leaf in inputs_below(node)]
        if not names:
            return "the value does not depend on an input; assign one, as in x = ones(2,2)"
        if self.wrt is not None:
            return f"the value depends on {', '.join(names)}; {_BY_ALL}"
        return "only floating-point inputs have gradients"

    # Computing --------------------------------------------------------------------------------------------------------

    def request(self, outcome: Evaluated, node: Node, ones: bool = False) -> Request:
        """The value and its gradients as graphs."""
        leaves = {leaf.params["name"]: leaf for leaf in inputs_below(node)}
        names = [n for n, leaf in leaves.items() if leaf.requires_grad and (self.wrt is None or n in self.wrt)]
        note = None
        gradients: dict[Node, Node] = {}
        if node.requires_grad and names:
            if node.size == 1 or ones:
                # Repeated, it takes no memory: the value need not fit.
                seed = expand(constant(np.ones((), node.dtype)), node.shape)
                gradients = vjp([node], [seed], [leaves[name] for name in names])
            else:
                note = f"the value has shape {node.shape}, so no gradient was computed: reduce it, or use :grad"
        elif node.requires_grad and self.wrt is not None:
            note = f"the value does not depend on {', '.join(self.wrt)}; {_BY_ALL}"
        wanted = [name for name in names if leaves[name] in gradients]
        roots = [node, *(gradients[leaves[name]] for name in wanted)]
        return Request(outcome.source, leaves, None, roots, names, wanted, note)

    def evaluate(self, outcome: Evaluated, node: Node, ones: bool = False) -> Result:
        """The value and its gradients, computed."""
        request = self.request(outcome, node, ones)
        computed = self.arrays(outcome, request.roots)
        inputs = {name: leaf.params["data"] for name, leaf in request.leaves.items()}
        return Result(request, inputs, computed, shared=False)

    def arrays(self, outcome: Evaluated, roots: Sequence[Node]) -> list[Any]:
        """The arrays of some roots."""
        try:
            with written_in(outcome.source):
                return compute(roots)
        except LimitError as error:
            if error.for_result:
                error.hint = "its sum or mean needs no memory; `gradcli eval -o` writes large results to files"
            raise

    def check_names(self, names: list[str]) -> None:
        """Refuse names that are no inputs."""
        known = self.workspace.inputs()
        for name in names:
            if name not in known:
                hint = did_you_mean(name, list(known)) or f"the inputs are {', '.join(known) or 'none'}"
                raise GradcliError(f"there is no input {name!r}", hint=hint)
            if not known[name].requires_grad:
                raise GradcliError(f"the input {name!r} is {known[name].dtype} and cannot be differentiated")


def _is_small_talk(value: Any) -> bool:
    """Whether a value is none that tensors are made of: a shape, a dtype, a string, a truth."""
    if isinstance(value, tuple):
        return all(isinstance(item, int) for item in value)
    return value is None or isinstance(value, str | bool | np.dtype)
