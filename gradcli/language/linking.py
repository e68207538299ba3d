"""A script put together with the files that it imports: each file's names are its own, only what is used comes along.

A file sees what it defines and imports, and beside that operations and inputs; nothing of whoever imports it. So that
no two are mixed up, what `defs.grad` calls f is called defs.f in the statements, wherever it is used.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Container, Iterable
from typing import NamedTuple

from gradcli.errors import GradcliError, Span, Texts, did_you_mean, written_in
from gradcli.language.constants import CONSTANTS, LOOPS, PREFIXES
from gradcli.language.importing import STANDARD_TEXT, gathered
from gradcli.language.instructions import LOOKS_UP, Instr, Script, Statement

#: The names that mean the same in every file.
_FIXED: dict[str, Container[str]] = {"name": CONSTANTS, "prefix": PREFIXES}


def linked(source: str, script: Script, read: Callable[[str], Script]) -> Script:
    """A script with what it imports in front; the files are read unless `source` has their texts. `read` parses one."""
    if isinstance(source, Texts):
        texts, scripts = source, [script, *(read(source.text(k)) for k in range(1, len(source.parts)))]
    else:
        texts, scripts = gathered(script, read)
    with written_in(texts):
        return _Linker(texts, scripts).script()


class _Module(NamedTuple):
    """One of the texts: its statements, where it starts, and what the names are called that it sees."""

    name: str
    start: int
    script: Script
    #: What it defines itself, and which of its statements does.
    own: dict[str, int]
    #: What its own names are called in the whole.
    prefix: str
    seen: dict[str, str]
    #: Names that mean several things here, and the files that define them.
    ambiguous: dict[str, list[str]]
    #: Prefixes of imports, and the names of their files with what these define.
    prefixes: dict[str, tuple[str, list[str]]]


class _Linker:
    def __init__(self, texts: Texts, scripts: list[Script]) -> None:
        self.texts = texts
        self.modules: list[_Module] = []
        #: Where each name is defined: the module, and the number of its statement.
        self.homes: dict[str, tuple[int, int]] = {}
        self.functions: set[str] = set()
        #: What files read and nobody defines, and the file: values, and functions.
        self.free: dict[tuple[str, bool], str] = {}
        self.waiting: list[str] = []
        for number, script in enumerate(scripts):
            self.modules.append(self._module(number, script))
        for module, part in zip(self.modules, texts.parts, strict=True):
            self._let_see(module, part.imports)

    def script(self) -> Script:
        """The whole: of files, what is needed."""
        main = self.modules[0]
        own = [self._renamed(statement, main) for statement in main.script.statements]
        found: dict[tuple[int, int], Statement] = {}
        while self.waiting:
            home = self.homes[self.waiting.pop()]
            if home not in found:
                module = self.modules[home[0]]
                found[home] = self._renamed(module.script.statements[home[1]], module)
        self._refuse_captured(main)
        offered = {name: called for name, called in main.seen.items() if name not in main.ambiguous}
        statements = [found[home] for home in sorted(found)]
        return Script(self.texts, [*statements, *own], main.script.imports, len(statements), offered)

    def _module(self, number: int, script: Script) -> _Module:
        part = self.texts.parts[number]
        own: dict[str, int] = {}
        for k, statement in enumerate(script.statements):
            for name in _names_of(statement):
                if number and (name in own or name in LOOPS):
                    why = "is defined twice" if name in own else "is a loop of the language"
                    place = _shifted(_place_of(name, statement), part.start)
                    raise GradcliError(f"{name!r} {why}", span=place, hint="give one of them another name")
                own[name] = k
        prefix = self._prefix(part.name) if number else ""
        if number:
            for name, k in own.items():
                self.homes[prefix + name] = number, k
                if script.statements[k].kind == "define":
                    self.functions.add(prefix + name)
        return _Module(part.name, part.start, script, own, prefix, {}, {}, {})

    def _prefix(self, name: str) -> str:
        """What stands before the names of a file: no other has the same."""
        stem = re.sub(r"\W", "_", os.path.basename(name).rpartition(".")[0]) or "_"
        taken = {module.prefix for module in self.modules}
        number, found = 1, f"{stem}."
        while found in taken:
            number += 1
            found = f"{stem}{number}."
        return found

    def _let_see(self, module: _Module, imports: Iterable[int]) -> None:
        for one, number in zip(module.script.imports, imports, strict=True):
            other = self.modules[number]
            names = [name for name in other.own if not name.startswith("_")]
            if one.prefix:
                module.prefixes[one.prefix] = other.name, names
            for name in names:
                shown, called = f"{one.prefix}.{name}" if one.prefix else name, other.prefix + name
                before = module.seen.setdefault(shown, called)
                if before != called:
                    first = self.modules[self.homes[before][0]].name
                    module.ambiguous.setdefault(shown, [first]).append(other.name)
        for name in module.own:
            module.ambiguous.pop(name, None)
            if module.prefix:
                module.seen[name] = module.prefix + name
            else:
                module.seen.pop(name, None)

    def _renamed(self, statement: Statement, module: _Module) -> Statement:
        """A statement of a module with the names that are used in the whole, and its places there."""
        start, prefix = module.start, module.prefix
        defaults = tuple(self._code(code, module, set()) for code in statement.defaults)
        return statement._replace(
            code=self._code(statement.code, module, set(statement.params)),
            span=_shifted(statement.span, start),
            names=tuple(prefix + name if name in statement.bound else name for name in statement.names),
            name=prefix + statement.name if statement.name else "",
            name_spans=tuple(_shifted(span, start) for span in statement.name_spans),
            defaults=defaults,
        )

    def _code(self, code: list[Instr], module: _Module, local: set[str]) -> list[Instr]:
        found = []
        for step in code:
            op, arg, start, end = step
            if op == "store":
                local.update(arg)
            elif op in LOOKS_UP and module.prefix and arg not in local and arg not in module.seen and arg in _FIXED[op]:
                # Whatever input has the name: the file means what everybody means by it.
                step = step._replace(op="library") if op == "prefix" else step._replace(op="number", arg=CONSTANTS[arg])
            elif op in LOOKS_UP and arg not in local:
                name = self._name(arg, module, (start, end), False)
                step = step._replace(op=op if name == arg else "name", arg=name)
            elif op == "function" and (arg[0] not in local or module.seen.get(arg[0]) in self.functions):
                step = step._replace(arg=(self._name(arg[0], module, (start, end), True),))
            elif op == "call":
                name = self._name(arg[0], module, (start, start + len(arg[0])), True)
                step = step._replace(arg=(name, *arg[1:]))
            found.append(step._replace(start=start + module.start, end=end + module.start))
        return found

    def _name(self, name: str, module: _Module, place: Span, called: bool) -> str:
        """What a name of a module is called in the whole."""
        if name in module.ambiguous:
            files = " and ".join(dict.fromkeys(module.ambiguous[name]))
            hint = f'name one of them: import "{module.ambiguous[name][0]}" as a; a.{name}'
            raise GradcliError(f"{name!r} is defined by {files}", span=_shifted(place, module.start), hint=hint)
        if name in module.seen:
            self.waiting += [module.seen[name]] if module.seen[name] in self.homes else []
            return module.seen[name]
        before, dot, rest = name.partition(".")
        if dot and before in module.prefixes:
            file, names = module.prefixes[before]
            where = _shifted(place, module.start)
            all_of_it = f"`gradcli ops {file}` lists what there is" if file == STANDARD_TEXT else None
            meant = did_you_mean(rest, names) or all_of_it
            raise GradcliError(f"{file} does not define {rest!r}", span=where, hint=meant)
        if module.prefix:
            self.free.setdefault((name, called), module.name)
        return name

    def _refuse_captured(self, main: _Module) -> None:
        """Refuse a name of the expression's own that a file would take for its own, which means something else."""
        for statement in main.script.statements:
            called = statement.kind == "define"
            for name in _names_of(statement):
                if (name, called) in self.free:
                    message = f"{self.free[name, called]} uses a {name!r} that is not this one"
                    hint = "give it another name; what a file needs it is given as an argument"
                    raise GradcliError(message, span=_place_of(name, statement), hint=hint)


def _shifted(place: Span, by: int) -> Span:
    return place[0] + by, place[1] + by


def _names_of(statement: Statement) -> tuple[str, ...]:
    """The names to which a statement gives a meaning."""
    return (statement.name,) if statement.kind == "define" else statement.bound


def _place_of(name: str, statement: Statement) -> Span:
    """Where a statement gives a name its meaning."""
    return statement.name_spans[0 if statement.kind == "define" else statement.names.index(name)]
