"""An interactive session: each line is a statement of the language or a command, and answers with text."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextvars import copy_context
from typing import Any, NamedTuple

import numpy as np

from gradcli.autodiff.vjp import vjp
from gradcli.errors import GradcliError, did_you_mean
from gradcli.evaluation.answer import answer_text
from gradcli.evaluation.request import Request
from gradcli.evaluation.result import Result, answer
from gradcli.graph.node import INPUT, OPS, Node, constant
from gradcli.language.constants import CONSTANTS
from gradcli.language.lalr import tables
from gradcli.language.tokens import open_brackets
from gradcli.plotting.terminal import Screen
from gradcli.render.text import Style, format_tensor
from gradcli.repl.workspace import Evaluated, Workspace, compute, inputs_below
from gradcli.storage import open_array

_FILE = re.compile(r"\s*(\w+)\s*=\s*@(.*)", re.DOTALL)
_LAST_WORD = re.compile(r"(?:(\.)\s*)?(\w*)$")
_LEAVE = frozenset({"exit", "quit", "exit()", "quit()"})


class Reply(NamedTuple):
    """What a line is answered with: text (maybe none), a note beside it, and whether the session is over."""

    text: str = ""
    note: str | None = None
    over: bool = False


class Typed:
    """Lines as they are typed, up to the one that closes all brackets; each is looked at once."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._depth = 0

    @property
    def is_open(self) -> bool:
        """Whether there are lines that wait for more."""
        return bool(self._lines)

    def add(self, line: str) -> str | None:
        """The whole text, once it can be run: no bracket is open. An empty line ends it all the same."""
        whole = not line.strip()
        if not self._lines:
            whole = whole or line.lstrip().startswith(":") or _FILE.fullmatch(line) is not None
        self._depth = 0 if whole else open_brackets(line, tables(), self._depth)
        self._lines.append(line)
        return None if self._depth else self.take()

    def take(self) -> str:
        """What has been typed, whether whole or not; the next line begins anew."""
        text = "\n".join(self._lines)
        self._lines, self._depth = [], 0
        return text


class Session:
    """The state of an interactive session. `run` takes a line and gives a `Reply`, or raises GradcliError.

    A line that fails, or is interrupted, changes nothing. Settings are the session's own.

    >>> session = Session()
    >>> session.run("x = [1, 2]").text
    ''
    >>> print(session.run(":grad sum(x**2)").text)
    x.grad
    tensor([2., 4.])
    """

    def __init__(self, screen: Callable[[], Screen] = Screen) -> None:
        #: What there is room for where answers are shown.
        self.screen = screen
        self.workspace = Workspace()
        #: The inputs to differentiate, None for all.
        self.wrt: list[str] | None = None
        self.style = Style()
        self._context = copy_context()

    def run(self, line: str) -> Reply:
        """Carry out a line: statements, or a command that begins with a colon."""
        return self._context.run(self._run, line)

    def _run(self, line: str) -> Reply:
        before = self.workspace.state()
        try:
            return self._answer(line)
        except BaseException:
            self.workspace.restore(before)
            raise

    def _answer(self, line: str) -> Reply:
        text = line.strip()
        if not text or text.startswith("#"):
            return Reply()
        if text in _LEAVE and text not in self.workspace.names:
            return Reply(over=True)
        if text == "help" and text not in self.workspace.names:
            text = ":help"
        if text.startswith(":"):
            from gradcli.repl.commands import command

            return command(self, text[1:])
        found = _FILE.fullmatch(line)
        if found is not None:
            return self._assign_file(found[1], found[2].strip())
        outcome = self.workspace.run(line)
        return self.shown(outcome) if outcome.is_expression else Reply()

    def _assign_file(self, name: str, path: str) -> Reply:
        if not name.isidentifier() or name in ("None", "True", "False"):
            raise GradcliError(f"{name!r} is not a name")
        if not path:
            raise GradcliError("the name of the file is missing", hint=f"as in {name} = @{name}.npy")
        self.workspace.assign_input(name, open_array(path))
        return Reply()

    # Answers ----------------------------------------------------------------------------------------------------------

    def shown(self, outcome: Evaluated) -> Reply:
        """The value of an expression with its chain and gradients; of a mere name, or of what is no tensor, itself."""
        value = outcome.value
        if _is_small_talk(value):
            return Reply(_written(value))
        node = outcome.node()
        if node.op is INPUT:
            return Reply(self._value_text(outcome, node))
        result = self.evaluate(outcome, node)
        return Reply("".join(answer_text(result, self.style)), result.note)

    def expression(self, text: str, what: str) -> Evaluated:
        """The outcome of a command's expression."""
        if not text.strip():
            raise GradcliError(f":{what} needs an expression", hint=f"as in :{what} sum(x**2)")
        outcome = self.workspace.run(text)
        if not outcome.is_expression:
            raise GradcliError(f":{what} needs an expression, and this has no value", hint="leave the assignment out")
        return outcome

    def value_text(self, outcome: Evaluated) -> str:
        """Only the value of an expression."""
        return _written(outcome.value) if _is_small_talk(outcome.value) else self._value_text(outcome, outcome.node())

    def _value_text(self, outcome: Evaluated, node: Node) -> str:
        array = self.arrays(outcome, [node])[0]
        return format_tensor(array, style=self.style)

    def gradient_text(self, outcome: Evaluated) -> Reply:
        """Only the gradients of an expression; of one that is no scalar, with a vector of ones."""
        node = outcome.node()
        result = self.evaluate(outcome, node, ones=True)
        if not result.grads:
            raise GradcliError("there is nothing to differentiate by", hint=self._no_inputs(node))
        note = None if node.size == 1 else f"the value has shape {node.shape}: its gradients are those of its sum"
        parts = []
        for name, gradient in result.grads.items():
            if gradient is not None:
                parts.append(f"{name}.grad\n{format_tensor(gradient.value(), style=self.style)}")
        return Reply("\n\n".join(parts), note)

    def _no_inputs(self, node: Node) -> str:
        names = [leaf.params["name"] for leaf in inputs_below(node)]
        if not names:
            return "the value depends on no input; assign one, as in x = ones(2,2)"
        if self.wrt is not None:
            return f"the value depends on {', '.join(names)}; `:wrt all` differentiates by all inputs"
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
                seed = constant(np.ones(node.shape, node.dtype))
                gradients = vjp([node], [seed], [leaves[name] for name in names])
            else:
                note = f"the value has shape {node.shape}, so no gradient was computed: reduce it, or use :grad"
        elif node.requires_grad and self.wrt is not None:
            note = f"the value does not depend on {', '.join(self.wrt)}; `:wrt all` differentiates by all inputs"
        wanted = [name for name in names if leaves[name] in gradients]
        roots = [node, *(gradients[leaves[name]] for name in wanted)]
        return Request(outcome.source, leaves, None, roots, names, wanted, note)

    def evaluate(self, outcome: Evaluated, node: Node, ones: bool = False) -> Result:
        """The value and its gradients, computed."""
        request = self.request(outcome, node, ones)
        computed = self.arrays(outcome, request.roots)
        inputs = {name: leaf.params["data"] for name, leaf in request.leaves.items()}
        return answer(request, inputs, computed, shared=False)

    def arrays(self, outcome: Evaluated, roots: Sequence[Node]) -> list[Any]:
        """The arrays of some roots."""
        try:
            return compute(roots)
        except GradcliError as error:
            error.source = outcome.source if error.source is None else error.source
            if error.hint and "--memory-limit" in error.hint:
                error.hint = "a sum or mean of it needs no memory; `gradcli eval -o` writes large results to files"
            raise

    # Completion -------------------------------------------------------------------------------------------------------

    def completions(self, before: str) -> tuple[int, list[str]]:
        """What the last word of a line may become, and how many of its characters that replaces."""
        from gradcli.repl.commands import COMMANDS

        stripped = before.lstrip()
        if stripped.startswith(":") and " " not in stripped:
            return len(stripped), [f":{name}" for name in COMMANDS if f":{name}".startswith(stripped)]
        found = _LAST_WORD.search(before)
        assert found is not None
        after_dot, word = found[1], found[2]
        if word[:1].isdigit() or (not word and not after_dot):
            return 0, []
        operations = [name for name, op in OPS.items() if op.public]
        names = [*operations] if after_dot else [*self.workspace.names, *self.workspace.functions, *operations]
        names += [] if after_dot else CONSTANTS
        return len(word), sorted({name for name in names if name.startswith(word)})

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


def _written(value: Any) -> str:
    return str(value) if isinstance(value, np.dtype) else repr(value)
