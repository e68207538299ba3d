"""The type stub of the package, `gradcli/__init__.pyi`: what the registry says of the operations, and what the classes
and functions written by hand say of themselves. `python docs/generate.py` writes it."""

from __future__ import annotations

import ast
import builtins
import dataclasses
import inspect
import json
import re
import sys
import typing
from collections.abc import Iterable, Iterator
from typing import Any

import gradcli
from gradcli.graph.dtypes import DTYPES
from gradcli.graph.op import OPS, Op
from gradcli.language.constants import CONSTANTS
from gradcli.tensors.callable import Annotation, CallForm, forms, kinds_of
from gradcli.tensors.elements import Elements
from gradcli.tensors.grad_fn import GradFn
from gradcli.tensors.tensor import Tensor

HEADER = '''"""The public names of gradcli, with their types: written by docs/generate.py from the registry."""

import builtins
{imports}
_F = TypeVar("_F", bound=Callable[..., Any])
_Bool: TypeAlias = builtins.bool
_Number: TypeAlias = builtins.float
_Int: TypeAlias = builtins.int | np.integer[Any]
_Ints: TypeAlias = list[builtins.int] | tuple[_Int, ...]
_DType: TypeAlias = (
    np.dtype[Any]
    | type[Any]
    | Literal[
{dtypes}
    ]
)
_TensorLike: TypeAlias = Tensor | np.ndarray | np.generic | builtins.float | list[Any] | tuple[Any, ...] | range
_Format: TypeAlias = Literal["preserve_format", "contiguous_format", "channels_last", "channels_last_3d"]
_Tensors: TypeAlias = list[Any] | tuple[_TensorLike, ...]
_Index: TypeAlias = Tensor | np.ndarray | _Int | slice | EllipsisType | list[Any] | tuple[Any, ...] | range | None

__version__: str
'''

_WIDTH = 120
_FROM = {
    "collections.abc": ("Callable", "Iterable", "Iterator", "Mapping", "Sequence"),
    "os": ("PathLike",),
    "types": ("EllipsisType",),
    "typing": ("Any", "Literal", "NamedTuple", "Never", "Self", "TypeAlias", "TypeVar", "overload"),
}
# What arguments hold that the code takes as they come, by their names.
_MEANT = {
    "other": "_TensorLike",
    "index": "_Index",
    "dtype": "_DType",
    "value": "_TensorLike",
    "source": "_TensorLike",
    "gradient": "_TensorLike",
    "grad_output": "_TensorLike",
}
# What the language makes of a class by itself.
_SKIPPED = {"__module__", "__slots__", "__doc__", "__weakref__", "__dict__", "__getattr__", "__dir__", "__reduce__"}
_STATED = "from gradcli.errors import GradcliError as GradcliError\n"


class Writer:
    """The lines of a stub, and the imports that they need."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.imports = {_STATED}
        self.pairs: dict[str, type] = {}
        homes = {name: getattr(gradcli, name) for name in gradcli._HOMES}
        self.classes: dict[type, str] = {v: name for name, v in homes.items() if isinstance(v, type)}
        self.classes |= {GradFn: "_GradFn", Elements: "Tensor"}

    def text(self) -> str:
        """The whole stub."""
        for name, value in CONSTANTS.items():
            self.lines.append(f"{name}: {type(value).__name__}".replace("float", "builtins.float"))
        self.lines += [f"{name}: np.dtype[np.{dtype.type.__name__}]" for name, dtype in DTYPES.items()]
        self.written_class(GradFn)
        self.tensor()
        for name in gradcli._HOMES:
            value = getattr(gradcli, name)
            if isinstance(value, type):
                if value not in (Tensor, gradcli.GradcliError):
                    self.written_class(value)
            else:
                if not re.match(r"def .*\.\.\.$", self.lines[-1]):
                    self.apart()
                self.function(name, value)
        taken = {*gradcli._HOMES, *DTYPES, *CONSTANTS}
        self.apart()
        self.operations([(name, op) for name, op in OPS.items() if op.public and name not in taken], "")
        dtypes = "\n".join(f'        "{name}",' for name in DTYPES)
        body = "\n".join([*self._named_results(), *self.lines]).rstrip() + "\n"
        standard = (_imported(module, names, HEADER + body) for module, names in _FROM.items())
        imports = f"{''.join(standard)}\nimport numpy as np\n\n{''.join(sorted(self.imports))}"
        return HEADER.format(imports=imports, dtypes=dtypes) + body

    def _named_results(self) -> Iterator[str]:
        """The classes of operations with several results."""
        used = dict.fromkeys(
            part
            for op in OPS.values()
            if op.public
            for form in forms(op)
            for part in form.result.split(" | ")
            if part.startswith("_")
        )
        known = {f"_{cls.__name__}": cls._fields for cls in _subclasses(tuple) if hasattr(cls, "_fields")}
        for name in used:
            yield from ("", f"class {name}(NamedTuple):", *(f"    {field}: Tensor" for field in known[name]))
        yield ""

    # Operations -------------------------------------------------------------------------------------------------------

    def operations(self, named: Iterable[tuple[str, Op]], indent: str, method: bool = False) -> None:
        """Each operation as a function or as a method; further names of it are the same."""
        first: dict[Op, str] = {}
        for name, op in named:
            if op in first:
                if not indent and " = " not in self.lines[-1]:
                    self.apart()
                self.lines.append(f"{indent}{name} = {first[op]}")
                continue
            if not indent and not self.lines[-1].endswith("..."):
                self.apart()
            first[op] = name
            found = [CallForm(_as_method(f.parameters), f.result) for f in all_forms(op)] if method else all_forms(op)
            self.overloaded(name, found, op.doc, indent)

    def overloaded(self, name: str, found: list[CallForm], doc: str, indent: str) -> None:
        """A definition for each form of a call."""
        for k, form in enumerate(found):
            if len(found) > 1:
                self.lines.append(f"{indent}@overload")
            text = inspect.Signature(form.parameters, return_annotation=Annotation(form.result))
            self.define(name, text, indent, doc.replace("`", "") if k == 0 else "")

    def define(self, name: str, signature: inspect.Signature, indent: str, doc: str = "", note: str = "") -> None:
        """A definition, in one line, with the arguments in one line of their own, or each in its own."""
        parts = list(_written(signature.parameters.values()))
        end = f" -> {signature.return_annotation}:" + ("" if doc else f" ...{note}")
        line = f"{indent}def {name}({', '.join(parts)}){end}"
        if len(line) <= _WIDTH:
            self.lines.append(line)
        else:
            inner = f"{indent}    {', '.join(parts)}"
            inside = [inner] if len(inner) <= _WIDTH else [f"{indent}    {part}," for part in parts]
            self.lines += [f"{indent}def {name}(", *inside, f"{indent}){end}"]
        if doc:
            self.lines.append(f'{indent}    """{_one_line(doc, _WIDTH - len(indent) - 10)}"""')
            if not indent:
                self.apart()

    def apart(self) -> None:
        """An empty line before what follows."""
        if self.lines and self.lines[-1]:
            self.lines.append("")

    # What is written by hand ------------------------------------------------------------------------------------------

    def tensor(self) -> None:
        """The class Tensor: its own members, the operations, and those that change it."""
        self.written_class(Tensor)
        own = set(dir(Tensor))
        rows = [(name, row) for name in OPS.functions() if name not in own and (row := OPS.method(name)) is not None]
        methods = [(name, row) for name, row in rows if _takes_tensor(row)]
        self.operations(methods, "    ", method=True)
        changing = [(f"{n}_", op) for n, op in methods if op.changes_in_place and f"{n}_" not in own]
        first: dict[Op, str] = {}
        for name, op in changing:
            if op in first:
                self.lines.append(f"    {name} = {first[op]}")
            else:
                first[op] = name
                self.overloaded(name, [CallForm(_as_method(f.parameters), "Tensor") for f in forms(op)], "", "    ")

    def written_class(self, cls: type) -> None:
        """A class with its public members, those that it inherits from a private class among them."""
        self.apart()
        base = "(str)" if issubclass(cls, str) else ""
        self.lines.append(f"class {self.classes.get(cls, cls.__name__)}{base}:")
        if cls.__doc__:
            self.lines.append(f'    """{_one_line(cls.__doc__, _WIDTH - 10)}"""')
        if dataclasses.is_dataclass(cls):
            # A field may come from a class in another module, which knows the names of its type.
            scope = {k: v for base in cls.__mro__[-2::-1] for k, v in vars(sys.modules[base.__module__]).items()}
            fields = [f for f in dataclasses.fields(cls) if not f.name.startswith("_")]
            self.apart()
            self.lines += [f"    {f.name}: {self.annotation(str(f.type), scope)}" for f in fields]
        slots = {n for base in cls.__mro__ for n in getattr(base, "__slots__", ())}
        hidden = slots - {"grads", "note", "derivatives"}
        seen: set[str] = set()
        for base in (c for c in cls.__mro__ if c is not object):
            members = [(name, member) for name, member in vars(base).items() if name not in seen]
            seen |= vars(base).keys()
            for name, member in members:
                private = name.startswith("_") and not name.startswith("__")
                made = dataclasses.is_dataclass(base) and name.startswith("__") and name != "__repr__"
                if private or made or name in _SKIPPED | hidden:
                    continue
                self.member(name, member, cls)

    def member(self, name: str, member: Any, cls: type) -> None:
        """A property, a method or an attribute."""
        if isinstance(member, property):
            self.lines.append("    @property")
            self.function(name, member.fget, "    ")
            if member.fset is not None:
                self.lines.append(f"    @{name}.setter")
                self.function(name, member.fset, "    ", documented=False)
        elif isinstance(member, staticmethod | classmethod) and inspect.isfunction(member.__func__):
            self.lines.append(f"    @{type(member).__name__}")
            self.function(name, member.__func__, "    ")
        elif inspect.isfunction(member):
            note = "  # type: ignore[override]" if name in ("__eq__", "__ne__") and cls is Tensor else ""
            self.function(name, member, "    ", note=note)
        elif inspect.ismemberdescriptor(member):
            annotations = inspect.signature(cls).parameters
            self.lines.append(f"    {name}: {self.annotation(annotations[name].annotation, cls.__init__.__globals__)}")

    def function(self, name: str, function: Any, indent: str = "", *, note: str = "", documented: bool = True) -> None:
        """A function as it is written, with the names in its annotations made those of the stub."""
        ways = typing.get_overloads(function) or [function]
        for k, way in enumerate(ways):
            signature = inspect.signature(way)
            changed = []
            for parameter in signature.parameters.values():
                text = parameter.empty if parameter.name in ("self", "cls") else parameter.annotation
                if text == "Any" and parameter.name in _MEANT:
                    text = _MEANT[parameter.name] + (" | None" if parameter.default is None else "")
                elif text is not parameter.empty:
                    text = self.annotation(text, way.__globals__)
                changed.append(parameter.replace(annotation=Annotation(text) if isinstance(text, str) else text))
            result = Annotation(self.annotation(signature.return_annotation, way.__globals__))
            if len(ways) > 1:
                self.lines.append(f"{indent}@overload")
            doc = (function.__doc__ or "") if documented and k == 0 and not name.startswith("__") else ""
            self.define(name, inspect.Signature(changed, return_annotation=result), indent, doc, note)

    def annotation(self, text: str, scope: dict[str, Any]) -> str:
        """An annotation of the code in the names of the stub."""
        names = {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}
        for name in names:
            text = _replaced(text, name, self._known(name, scope))
        return text

    def _known(self, name: str, scope: dict[str, Any]) -> str:
        """What a name in an annotation is called in the stub."""
        value = scope.get(name, getattr(builtins, name, None))
        if name == "F":
            return "_F"
        if name == "S":
            return "Self"
        if isinstance(value, type) and value in self.classes:
            return self.classes[value]
        if isinstance(value, type) and value.__module__.startswith("gradcli"):
            self.imports.add(f"from {value.__module__} import {name} as _{name}\n")
            return f"_{name}"
        if name not in scope and (name in DTYPES or name in OPS):
            return f"builtins.{name}"
        if name in scope and typing.get_origin(value) is not None:
            # An alias of the code is written out.
            text = repr(value).replace("collections.abc.", "").replace("typing.", "").replace("NoneType", "None")
            return self.annotation(text, {})
        return name


def all_forms(op: Op) -> list[CallForm]:
    """The ways to call an operation: also with NumPy's words, and with a list under the name of a starred argument."""
    found = forms(op)
    for parameter in op.signature.parameters:
        if parameter.kind is parameter.VAR_POSITIONAL:
            words = [parameter.name]
        else:
            words = [word for word, name in op.signature.synonyms.items() if name == parameter.name]
        # Those that take something else than None under this name.
        having = [f for f in found if any(p.name == parameter.name and p.annotation != "None" for p in f.parameters)]
        found += [_by_word(form, parameter.name, word) for word in words for form in having]
    return found


def _by_word(form: CallForm, name: str, word: str) -> CallForm:
    """A form in which an argument has to be given by a word; those behind it can be given in no other way either."""
    before = True
    found = []
    for parameter in form.parameters:
        if parameter.name == name:
            before = False
            starred = parameter.kind is parameter.VAR_POSITIONAL
            kind = parameter.annotation
            if starred:
                kind = "_Ints" if "_Ints" in kind else "_Tensors"
            parameter = parameter.replace(
                name=word, kind=parameter.KEYWORD_ONLY, default=parameter.empty, annotation=Annotation(kind)
            )
        elif not before:
            parameter = parameter.replace(kind=parameter.KEYWORD_ONLY)
        found.append(parameter)
    return CallForm(found, form.result)


def _imported(module: str, names: tuple[str, ...], text: str) -> str:
    """The import of those names of a module that a text uses."""
    used = [name for name in names if re.search(rf"\b{name}\b", text)]
    return f"from {module} import {', '.join(used)}\n" if used else ""


def _subclasses(cls: type) -> Iterator[Any]:
    for sub in type.__subclasses__(cls):
        yield sub
        yield from _subclasses(sub)


def _takes_tensor(op: Op) -> bool:
    """Whether an operation can be a method: its first argument is a tensor, and one alone."""
    first = op.signature.parameters[0]
    return first.kind is first.POSITIONAL_OR_KEYWORD and kinds_of(first) == ["tensor"]


def _as_method(parameters: list[inspect.Parameter]) -> list[inspect.Parameter]:
    first = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [first, *parameters[1:]]


def _written(parameters: Iterable[inspect.Parameter]) -> Iterator[str]:
    """Parameters as Python text."""
    starred = False
    for p in parameters:
        if p.kind is p.KEYWORD_ONLY and not starred:
            starred = True
            yield "*"
        starred = starred or p.kind is p.VAR_POSITIONAL
        stars = {p.VAR_POSITIONAL: "*", p.VAR_KEYWORD: "**"}.get(p.kind, "")
        annotation = "" if p.annotation is p.empty else f": {p.annotation}"
        default = json.dumps(p.default) if isinstance(p.default, str) else repr(p.default)
        yield stars + p.name + annotation + ("" if p.default is p.empty else f" = {default}" if annotation else "=...")


def _one_line(doc: str, width: int) -> str:
    """The first sentence or paragraph of a docstring."""
    first = " ".join(doc.strip().split("\n\n")[0].split()).replace("\\", "\\\\").replace("`", "")
    if len(first) > width:
        first = first[: first.rfind(" ", 0, width - 2)] + " …"
    return first


def _replaced(text: str, old: str, new: str) -> str:
    """A text with a name in it exchanged, where it stands alone."""
    return re.sub(rf"(?<![\w.]){old}(?!\w)", new.replace("\\", "\\\\"), text)


def stub() -> str:
    """The text of gradcli/__init__.pyi."""
    return Writer().text()
