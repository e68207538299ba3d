"""What commands that take an expression and inputs have in common: reading both, and building the request."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, TypeVar

import click

from gradcli.cli.command_kinds import WORDS
from gradcli.cli.inputs import (
    STANDARD_INPUT,
    Written,
    derived_targets,
    load_all,
    option_inputs,
    parse_inputs,
    refuse_sharing,
)
from gradcli.cli.options import CommonOptions
from gradcli.errors import GradcliError, WorkError, unable_to, utf8_text
from gradcli.evaluation.input_value import InputValue
from gradcli.language.parse import parse
from gradcli.machine.limits import tell

if TYPE_CHECKING:
    from gradcli.evaluation.request import Request
    from gradcli.graph.node import Node
    from gradcli.language.instructions import Script
    from gradcli.walkthrough.recording import Recorded

_T = TypeVar("_T")

# A file larger than this is no expression, but data or /dev/zero.
_LONGEST_SOURCE = 64 << 20
_LONGEST_SHOWN = 60
_TRACKED = re.compile(r"\brequires_grad\s*=\s*True\b")


class Asked:
    """The words of a command line: the expression, its inputs, what to differentiate."""

    def __init__(
        self,
        common: CommonOptions,
        derivatives: Derivatives | None = None,
        written: Written = InputValue.written,
        nearby: bool = True,
    ) -> None:
        words, source = list(common.items), common.source
        script = expression_of(words, common, nearby) if source is None else None
        self.values = parse_inputs(words, written)
        vector = common.grad_output
        self.vector = None if vector is None else InputValue.written("--grad-output", vector)
        self.derivatives = derivatives
        given = [*self.values, *self._vectors()]
        refuse_sharing([source, *(value.path for value in given)])
        self.script: Script = expression_of(words, common, nearby) if script is None else script
        self.wanted = wanted_names(common.wrt, common.no_grad, common.grad_output)
        rows = common.per_row
        self.per_row = [] if rows is None else names_of(rows, "--per-row", "for example, --per-row x,y")
        self.common = common

    @property
    def sources(self) -> list[str | None]:
        """The paths of the files that are read, None for an input that is none."""
        return [self.common.source, *(value.path for value in self.values)]

    def _vectors(self) -> list[InputValue]:
        """The vector of the vector-Jacobian product, and those of other products."""
        return [*([self.vector] if self.vector else []), *(self.derivatives.vectors if self.derivatives else [])]

    def load(self, **building: Any) -> tuple[Request, dict[str, Any], Any]:
        """The request built, the data of its inputs (files are opened, not read) and the vector, None if not given.

        `building` is what `prepare` takes beside what is asked for.
        """
        return self._requested(load_all, **building)

    def recorded(self) -> Recorded:
        """The same with the record of how the request was built."""
        from gradcli.walkthrough.recording import Recorded, Recorders

        recorders = Recorders()
        request, inputs, vector = self.load(interpreter=recorders.make)
        return Recorded(self.script, request, recorders.last, inputs, vector)

    def look(self) -> tuple[Request, frozenset[Node]]:
        """The request built from what is known of its inputs without reading them, and the leaves of large files."""
        from gradcli.graph.measured import UnmeasuredError

        try:
            request, inputs, vector = self._requested(lambda values: [value.look(dtype) for value, dtype in values])
        except UnmeasuredError:
            request, inputs, vector = self._requested(load_all)
        return request, request.files(inputs, vector)

    def _requested(self, load: Callable[[Any], list[Any]], **building: Any) -> tuple[Request, dict[str, Any], Any]:
        """The request, its inputs as `load` gives them, and the vector."""
        from gradcli.evaluation.measuring import at_hand
        from gradcli.evaluation.request import prepare, vector_for, vector_form
        from gradcli.evaluation.values import specs_of

        settle(self.common)
        # Vectors in float64: the value decides later what they are rounded to.
        loaded = load([*((v, self.common.dtype) for v in self.values), *((v, "float64") for v in self._vectors())])
        inputs = {value.name: array for value, array in zip(self.values, loaded, strict=False)}
        vectors = loaded[len(inputs) :]
        given = vectors.pop(0) if self.vector is not None else None
        with at_hand(self.script.source, inputs) as measured:
            request = prepare(
                self.script,
                specs_of(inputs),
                self.wanted,
                vector_form(given),
                not self.derivatives,
                per_row=self.per_row,
                jacobian=self.derivatives is not None and self.derivatives.jacobian,
                **building,
            )
        request.measured = bool(measured)
        if self.derivatives is not None:
            self.derivatives.add_to(request, vectors)
        return request, inputs, None if given is None else vector_for(request, given)

    def opened(self) -> dict[str, Any]:
        """The inputs as arrays, or as files that are opened where they are large."""
        settle(self.common)
        opened = load_all([(value, self.common.dtype) for value in self.values])
        return {value.name: array for value, array in zip(self.values, opened, strict=True)}

    def arrays(self) -> dict[str, Any]:
        """The inputs as arrays, wholly read."""
        from gradcli.storage.file_array import in_memory

        return {name: in_memory(array) for name, array in self.opened().items()}


def settle(common: CommonOptions) -> None:
    """Set what all is computed with in this context, the values of inputs as well."""
    from gradcli.engine.execute.threads import get_num_threads, set_num_threads
    from gradcli.engine.native.choice import get_engine
    from gradcli.evaluation import values

    # A bad GRADCLI_ENGINE is refused here: at a point beside, in a record or on a line a failure is no error.
    get_engine()
    set_num_threads(common.threads or get_num_threads())
    values.settle(common.dtype, common.seed)


def expression_of(words: list[str], common: CommonOptions, nearby: bool = True) -> Script:
    """The expression of a command: from its file, or else the first of `words`, which is taken off them.

    `nearby` says that it may import files from its own folder.
    """
    script = first_of(words, common, parse, nearby)
    calls = (step for statement in script.statements for step in statement.code if step.op in ("call", "method"))
    if _TRACKED.search(script.source) and any("requires_grad" in call.arg[2] for call in calls):
        tell("what is made with requires_grad=True is no input and has no gradient: give it as one, as in x=ones(2,2)")
    return script


def first_of(words: list[str], common: CommonOptions, read: Callable[[str], _T], nearby: bool = True) -> _T:
    """What `read` makes of the text that a command begins with: that of a file, or the first word."""
    source = common.source
    if source is None and not words:
        hint = _negated_name()
        metavar = next(param.metavar for param in click.get_current_context().command.params if param.name == "items")
        missing = f"missing argument '{(metavar or '').split()[0]}'"
        if hint is not None:
            raise GradcliError(missing, hint=hint)
        raise click.UsageError(missing)
    try:
        text = words.pop(0).lstrip(" ") if source is None else read_source(source)
        with _importing(common, nearby) if "import" in text else nullcontext():
            found = read(text)
    except GradcliError as error:
        error.hint = _negated_name() or error.hint
        raise
    if source is None and _follows_option(text):
        raise GradcliError("missing argument 'EXPR'", hint=_negated_name())
    return found


def _follows_option(text: str) -> bool:
    """Whether a text is the input q=3 of an expression -q that was taken for an option, and no assignment."""
    given: list[str] = click.get_current_context().meta[WORDS]
    return f"-{text.partition('=')[0]}" in given[: given.index(text)] if "=" in text and text in given else False


def _importing(common: CommonOptions, nearby: bool) -> AbstractContextManager[None]:
    """Within a block of this the command's own expression imports files: beside its own, or in the current folder."""
    from gradcli.language.importing import importing

    folder = shown = ""
    # A pipe lies nowhere.
    if common.source is not None and os.path.isfile(common.source):
        folder, shown = os.path.dirname(os.path.realpath(common.source)), os.path.dirname(common.source)
    return importing(folder, common.allow_import, shown=shown, nearby=nearby)


def _negated_name() -> str | None:
    """A hint where an expression such as -q, beside an input q, was taken for an option."""
    context = click.get_current_context()
    words: list[str] = context.meta[WORDS]
    if "--" in words:
        return None
    for word in words:
        if not re.fullmatch(r"-[^\W\d]\w*", word):
            continue
        given = [item for item in words if item.startswith(f"{word[1:]}=")]
        if given:
            # Imported here: hardly any command comes to this.
            import shlex

            shown = shlex.quote(given[0]) if len(given[0]) <= _LONGEST_SHOWN else f"{word[1:]}=..."
            return f"an expression that looks like an option follows --: {context.command_path} -- '{word}' {shown}"
    return None


def wanted_names(wrt: str | None, no_grad: bool, grad_output: str | None) -> list[str] | None:
    """The inputs to differentiate: None for every floating-point one."""
    if no_grad and (wrt is not None or grad_output is not None):
        option = "--wrt" if wrt is not None else "--grad-output"
        raise GradcliError(f"--no-grad cannot be combined with {option}")
    if wrt is None:
        return [] if no_grad else None
    return names_of(wrt, "--wrt", "for example, --wrt x,y; --no-grad differentiates nothing")


def names_of(given: str, option: str, hint: str, wanted: str = "names of inputs") -> list[str]:
    """The names that an option gives, with commas between them, each once."""
    names = [name.strip() for name in given.split(",")]
    if not all(names):
        raise GradcliError(f"{option} takes {wanted}", hint=hint)
    return list(dict.fromkeys(names))


def refuse_unseeded(text: str, values: list[InputValue], seed: int | None) -> None:
    """Refuse random numbers that a resumed run could not draw again."""
    from gradcli.evaluation.names import draws

    sources = [text, *(value.text for value in values if value.text is not None)]
    if seed is None and any(draws(source) for source in sources):
        raise GradcliError("random numbers need --seed here", hint="a resumed run has to draw the same numbers")


def read_source(path: str) -> str:
    """The text of an expression file."""
    name = "standard input" if path == STANDARD_INPUT else path or "''"
    with unable_to(f"read {name}"):
        try:
            if path != STANDARD_INPUT:
                with open(path, "rb") as file:
                    data = file.read(_LONGEST_SOURCE + 1)
            elif sys.stdin is None:
                raise WorkError("standard input is closed")
            else:
                # Imported here: it loads NumPy.
                from gradcli.storage.pipes import take

                data = take(sys.stdin.buffer, _LONGEST_SOURCE + 1)
        except FileNotFoundError as error:
            hint = "-f names the file with the expression; an expression that begins with a minus sign must follow --"
            raise WorkError(f"cannot read {name}: {error.strerror}", hint=hint) from None
    if len(data) > _LONGEST_SOURCE:
        raise WorkError(f"{name} is too long for an expression", hint=f"at most {_LONGEST_SOURCE >> 20} MB are read")
    return utf8_text(data, f"cannot read {name}")


# The options for derivatives beyond the gradient: --jacobian, --hessian, --jvp and --hvp ------------------------------


class Derivatives:
    """What is asked for beyond the gradient, with the vectors of the products."""

    def __init__(
        self, jacobian: bool, hessian: bool, jvp: tuple[str, ...], hvp: tuple[str, ...], no_grad: bool
    ) -> None:
        self.jacobian = jacobian
        self.hessian = hessian
        self.jvp = option_inputs("--jvp", jvp)
        self.hvp = option_inputs("--hvp", hvp)
        if no_grad and self:
            options = {"--jacobian": jacobian, "--hessian": hessian, "--jvp": jvp, "--hvp": hvp}
            option = next(name for name, given in options.items() if given)
            raise GradcliError(f"--no-grad cannot be combined with {option}")

    def __bool__(self) -> bool:
        return bool(self.jacobian or self.hessian or self.jvp or self.hvp)

    def dealt(self, per_row: bool) -> bool:
        """Whether a cluster computes them: Jacobians for each row, or none at all."""
        return not (self.hessian or self.jvp or self.hvp or (self.jacobian and not per_row))

    @property
    def vectors(self) -> list[InputValue]:
        """The vectors of all products."""
        return [*self.jvp, *self.hvp]

    def targets(self, names: list[str]) -> list[str]:
        """The names of the results for inputs of these names."""
        return derived_targets(names, self.jacobian, self.hessian, self.jvp, self.hvp)

    def add_to(self, request: Request, vectors: list[Any]) -> None:
        """Let a request compute them; `vectors` is what those of the products stand for."""
        if not self:
            return
        from gradcli.evaluation.derivatives import derive

        given = [(value.name, vector) for value, vector in zip(self.vectors, vectors, strict=True)]
        count = len(self.jvp)
        derive(request, self.jacobian, self.hessian, dict(given[:count]), dict(given[count:]))
