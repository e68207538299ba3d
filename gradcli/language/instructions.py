"""What a text becomes: statements of flat postfix code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from gradcli.errors import Span

#: The name of a value that is unpacked and not needed.
THROWN_AWAY = "_"

#: The steps that look a name up.
LOOKS_UP = frozenset({"name", "prefix"})


class Instr(NamedTuple):
    """One step of a stack machine; `start` and `end` are its place in the source.

    op, arg and what it pops, before it pushes one value:
    number (int or float), name (str), string (str), ellipsis (None), function (a name, alone in a tuple), which stands
    as the first argument of a loop, prefix (str), a name before a dot, which is that of a library unless it has a
    value, library (the same), which is so whatever has its name: nothing;
    unary (operator): 1; binary (operator): 2, the place being the operator; attribute (name): 1;
    compare (the operators of a chain, two or more): one more than these; conditional (None): the value where the
    condition holds, the condition, the value elsewhere;
    call (name, positional, keyword names): the arguments, keywords last; method (the same): those and the receiver
    below them; list, tuple (length): the elements; slice (three flags: has start, stop, step): what is present;
    index (number of items, at least 1): the items and the receiver below them.

    In the body of a function there is also store (names), which pops what they are to stand for and pushes nothing.
    """

    op: str
    arg: Any
    start: int
    end: int


class Statement(NamedTuple):
    """`names = code`, `name(params) = code` or a final `code`, by `kind`: "assign", "define" or "expression".

    `name_spans` are the places of `names`, or of `name` and then `params`. The last of the parameters have a code each
    in `defaults`, which is carried out where the function is defined.
    """

    kind: str
    code: list[Instr]
    span: Span
    names: tuple[str, ...] = ()
    name: str = ""
    params: tuple[str, ...] = ()
    name_spans: tuple[Span, ...] = ()
    defaults: tuple[list[Instr], ...] = ()

    @property
    def at_once(self) -> list[Instr]:
        """The code that is carried out where the statement stands: of a definition, that of its defaults."""
        return [step for code in self.defaults for step in code] if self.kind == "define" else self.code

    @property
    def bound(self) -> tuple[str, ...]:
        """The names that stand for something afterwards: among several, `_` throws its value away."""
        return tuple([name for name in self.names if name != THROWN_AWAY or len(self.names) == 1])


class Import(NamedTuple):
    """`import "target"`, or `import "target" as prefix`; `place` is that of the target, `span` that of all."""

    target: str
    prefix: str
    place: Span
    span: Span


class Script(NamedTuple):
    """The statements of a source text, the last of them the expression to evaluate.

    Where it imports something, `source` has the texts of the files behind its own, and the first `borrowed` statements
    are theirs. `offered` are the names that may be used without having been defined, and what these are called in the
    statements.
    """

    source: str
    statements: list[Statement]
    imports: tuple[Import, ...] = ()
    borrowed: int = 0
    offered: Mapping[str, str] = {}
