"""What an interactive session remembers: inputs, values made from them, functions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from gradcli.engine.execute.run import run
from gradcli.engine.plan.planner import plan
from gradcli.errors import GradcliError, Place, Span, written_in
from gradcli.evaluation.expansion import check_expansion
from gradcli.evaluation.interpret import Interpreter
from gradcli.evaluation.measuring import at_hand
from gradcli.evaluation.names import may_draw
from gradcli.graph.arguments import Literal
from gradcli.graph.node import CONSTANT, INPUT, Node, Number, input_node, toposort
from gradcli.language.importing import importing
from gradcli.language.instructions import LOOKS_UP, Script, Statement
from gradcli.language.parse import ANYTHING, imports_first, parse, refuse_imported
from gradcli.storage import FileArray

_WORD = re.compile(r"[^\W\d]\w*")


class Evaluated(NamedTuple):
    """What a line came to: the value of its last statement if that is an expression, and where it stands.

    A line that only imports has no statement.
    """

    source: str
    value: Any
    statement: Statement | None
    interpreter: Interpreter

    @property
    def is_expression(self) -> bool:
        return self.statement is not None and self.statement.kind == "expression"

    def node(self) -> Node:
        """The value as a tensor."""
        assert self.statement is not None
        return self.interpreter.final(self.value, self.statement.span)


class Workspace:
    """The names of a session.

    A value through which no gradient flows becomes an input itself, differentiated where it is floating-point; others
    keep how they were made, so that gradients go through them. A number or list is an input too, and is used as it was
    written (in `plain`) where only a number or list can stand, as in `zeros(n)`. A line that fails changes nothing.
    """

    def __init__(self) -> None:
        self.names: dict[str, Any] = {}
        self.plain: dict[str, Any] = {}
        self.functions: dict[str, str] = {}
        #: What has been imported, as it was written, by its prefix or the name of the file.
        self.imports: dict[str, str] = {}
        self.offered: list[str] = []
        #: Folders below which files are imported, beside the current one.
        self.allowed: tuple[str, ...] = ()

    @contextmanager
    def kept_on_failure(self) -> Iterator[None]:
        """Whatever ends this block early changes nothing."""
        before = dict(self.names), dict(self.plain), dict(self.functions), dict(self.imports)
        inputs = {node: node.params["name"] for node in self.inputs().values()}
        try:
            yield
        except BaseException:
            self.names, self.plain, self.functions, self.imports = before
            for node, name in inputs.items():
                node.params["name"] = name
            raise

    def run(self, line: str) -> Evaluated:
        """Carry a line out and remember what it assigns and defines. Raises GradcliError with its source."""
        needed = self._functions_for(line)
        try:
            return self._run(needed, line)
        except GradcliError:
            if len(needed) == len(self.functions):
                raise
        # What a hint names may be any function of the session.
        return self._run(list(self.functions.values()), line)

    def _functions_for(self, line: str) -> list[str]:
        """The functions that a line names, or that those name: not all, or a session of many would become slow."""
        needed: set[str] = set()
        waiting = [line]
        while waiting:
            named = {word for word in _WORD.findall(waiting.pop()) if word in self.functions} - needed
            needed |= named
            waiting += [self.functions[name] for name in named]
        return [text for name, text in self.functions.items() if name in needed]

    def _run(self, functions: Sequence[str], line: str) -> Evaluated:
        with importing("", self.allowed):
            new, line = imports_first(line) if "import" in line else ({}, line)
            imports = {**self.imports, **new}
            script = parse("".join(f"{text}\n" for text in [*imports.values(), *functions]) + line, ANYTHING)
        source = script.source
        refuse_imported(self.names, script)
        substituted: set[str] = set()
        first: GradcliError | None = None
        while True:
            attempt = _Attempt(self, source, script, len(functions), substituted)
            try:
                with written_in(source):
                    outcome = attempt.run()
            except GradcliError as error:
                first = first or error
                more = self._to_substitute(script, error.span, attempt)
                if not more:
                    raise first from None
                substituted = substituted | more
                continue
            attempt.commit()
            self.imports, self.offered = imports, list(script.offered)
            return outcome

    def _to_substitute(self, script: Script, span: Span | None, attempt: _Attempt) -> set[str]:
        """Names of numbers that may be meant as numbers where an error was: those at its place, or else all others."""
        steps = [step for statement in script.statements for step in statement.code if step.op in LOOKS_UP]
        left = {step.arg for step in steps if step.arg in attempt.plain} - attempt.substituted
        inside = {s.arg for s in steps if span is not None and span[0] <= s.start and s.end <= span[1]}
        return (left & inside) or left

    def assign_input(self, name: str, array: Any) -> None:
        """Make an array, or an opened file, the input of a name."""
        self.retire(name)
        self.names[name] = input_node(array, requires_grad=array.dtype.kind == "f", name=name)
        self.plain.pop(name, None)

    def delete(self, name: str) -> None:
        """Forget a name, a function or an import."""
        self.retire(name)
        for place in (self.names, self.plain, self.functions, self.imports):
            place.pop(name, None)

    def inputs(self) -> dict[str, Node]:
        """The inputs by name."""
        return {name: value for name, value in self.names.items() if isinstance(value, Node) and value.op is INPUT}

    def retire(self, name: str) -> None:
        """Give the input that loses its name another one: values made from it may still need it."""
        old = self.names.get(name)
        if not isinstance(old, Node) or old.op is not INPUT or old.params["name"] != name:
            return
        others = [other for other, value in self.names.items() if value is old and other != name]
        taken = {leaf.params["name"] for value in self.names.values() for leaf in inputs_below(value)}
        number = 1
        while f"{name} (earlier {number})" in taken:
            number += 1
        old.params["name"] = others[0] if others else f"{name} (earlier {number})"


def inputs_below(value: Any) -> list[Node]:
    """The inputs that a value depends on."""
    return [node for node in toposort([value]) if node.op is INPUT] if isinstance(value, Node) else []


def files_below(roots: Sequence[Node]) -> frozenset[Node]:
    """The inputs that are read from files."""
    leaves = {leaf for root in roots for leaf in inputs_below(root)}
    return frozenset(leaf for leaf in leaves if isinstance(leaf.params["data"], FileArray))


def compute(roots: Sequence[Node]) -> list[Any]:
    """The arrays of some values; large files are read block by block."""
    program = plan(roots, files=files_below(roots))
    return run(program, [leaf.params["data" if leaf.op is INPUT else "value"] for leaf in program.leaves])


class _Attempt:
    """A line carried out beside a workspace, which it changes only once all has gone well."""

    def __init__(self, workspace: Workspace, source: str, script: Script, known: int, substituted: set[str]) -> None:
        self.workspace = workspace
        self.source = source
        self.script = script
        #: So many statements at the beginning are functions of earlier lines, those before them are imported.
        self.known = script.borrowed + known
        self.substituted = substituted
        self.plain = dict(workspace.plain)
        self.functions: dict[str, str] = {}
        self.kept: dict[str, Any] = {}
        self.interpreter = Interpreter(source, {})
        self.interpreter.asking = "give it a value, as in {}=ones(2,2)"
        self.interpreter.offered = script.offered
        self.interpreter.names.update(workspace.names)
        self.interpreter.names.update({name: self.plain[name] for name in substituted if name in self.plain})

    def run(self) -> Evaluated:
        value: Any = None
        with at_hand(self.source, {}):
            check_expansion(self.script.statements)
            for number, statement in enumerate(self.script.statements):
                assigned = statement.kind == "assign" and number >= self.known
                value = self._assign(statement) if assigned else self.interpreter.carry_out(statement)
                if statement.kind == "define" and number >= self.known:
                    start, end = statement.span
                    self.functions[statement.name] = self.source[start:end]
        last = self.script.statements[-1] if self.script.statements else None
        return Evaluated(self.source, value, last, self.interpreter)

    def _assign(self, statement: Statement) -> Any:
        value = self.interpreter.carry_out(statement)
        plain = self._plainly(statement)
        for name in statement.bound:
            raw = self.interpreter.names[name]
            written = plain.get(name, raw)
            self.plain.pop(name, None)
            self.kept[name] = self._input(name, raw)
            self.interpreter.names[name] = self.kept[name]
            if _is_plain(written):
                self.plain[name] = written
                if name in self.substituted:
                    self.interpreter.names[name] = written
        return value

    def _plainly(self, statement: Statement) -> dict[str, Any]:
        """What the names of an assignment stand for when numbers are taken as they were written."""
        used = {step.arg for step in statement.code if step.op in LOOKS_UP} & set(self.plain)
        if not used or any(step.op == "call" and may_draw(step.arg[0]) for step in statement.code):
            return {}
        other = Interpreter(self.source, {})
        other.names.update(self.interpreter.names)
        other.names.update(self.plain)
        other.functions.update(self.interpreter.functions)
        try:
            other.carry_out(statement)
        except GradcliError:
            return {}
        return {name: other.names[name] for name in statement.bound if _is_plain(other.names[name])}

    def _input(self, name: str, value: Any) -> Any:
        """A value through which no gradient flows as an input; any other as it is."""
        if isinstance(value, Number) and not isinstance(value, bool) or isinstance(value, Literal):
            value = self.interpreter.final(value, (0, 0))
        if not isinstance(value, Node) or value.op is INPUT or value.requires_grad:
            return value
        array = value.params["value"] if value.op is CONSTANT else compute([value])[0]
        return input_node(array, requires_grad=array.dtype.kind == "f", name=name)

    def commit(self) -> None:
        """Remember what the line has changed."""
        self._place()
        for name, value in self.kept.items():
            if self.workspace.names.get(name) is not value:
                self.workspace.retire(name)
            self.workspace.names[name] = value
        self.workspace.plain = self.plain
        self.workspace.functions.update(self.functions)

    def _place(self) -> None:
        """Let the nodes that are kept know their text: an error in a later line may be theirs."""
        stack = [value for value in self.kept.values() if isinstance(value, Node)]
        seen: set[Node] = set()
        while stack:
            node = stack.pop()
            if node in seen or isinstance(node.span, Place):
                continue
            seen.add(node)
            if node.span is not None:
                node.span = Place(node.span, self.source)
            stack += node.inputs


def _is_plain(value: Any) -> bool:
    """Whether a value is a number or list of the language, as it was written."""
    if isinstance(value, Literal):
        return all(isinstance(item, Number) or _is_plain(item) for item in value)
    return isinstance(value, Number) and not isinstance(value, bool)
