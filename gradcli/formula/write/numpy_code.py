"""Formulas as a Python function that needs NumPy alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from keyword import iskeyword
from typing import Any

from gradcli.errors import GradcliError
from gradcli.formula.write.forms import Form, Forms, Named, code_of, in_order
from gradcli.graph.dtypes import DTYPES
from gradcli.graph.op import OPS, Op
from gradcli.language.kinds import NUMBER
from gradcli.language.unparse import written

#: NumPy's words for arguments that PyTorch names otherwise.
_RENAMED = {"dim": "axis", "dims": "axis", "keepdim": "keepdims", "correction": "ddof"}


def function(formula: Named, title: str, parameters: Sequence[str], name: str = "gradient") -> str:
    """A module with one function of the inputs that the formula reads."""
    python = _python_names([*parameters, *(part for part, _ in formula.parts)])
    writer = _CodeWriter(python)
    translated = writer.translate([*(form for _, form in formula.parts), formula.result])
    names = {form: python[part] for form, (part, _) in zip(translated, formula.parts, strict=False)}
    body = [f"    {names[form]} = {written(code_of(form, names))}" for form in translated[:-1]]
    result = written(code_of(translated[-1], names))
    sources = [op.source for key, op in OPS.items() if op.source and key == op.name and op in writer.helpers]
    standard = "import math\n\n" if any("math." in source for source in sources) else ""
    listed = ", ".join(python[p] for p in parameters)
    main = "\n".join([f"# {title}", f"def {name}({listed}):", *body, f"    return {result}"])
    return "\n\n\n".join([f"{standard}import numpy as np", *sources, main])


def _python_names(names: Sequence[str]) -> dict[str, str]:
    """The names in the function: with underscores after those that mean something else there, as many as none has."""
    python: dict[str, str] = {}
    for name in names:
        defined = name in ("np", "math", "gradient") or (name in OPS and OPS[name].source is not None)
        word = f"{name}_" if iskeyword(name) or defined else name
        while word != name and (word in names or word in python.values()):
            word += "_"
        python[name] = word
    return python


class _CodeWriter:
    """Rewrites forms of the language as forms of NumPy, with the `names` that they have there.

    `helpers` are the operations that have to be defined.
    """

    def __init__(self, names: Mapping[str, str]) -> None:
        self.names = names
        self.forms = Forms()
        self.helpers: set[Op] = set()

    def translate(self, roots: Sequence[Form]) -> list[Form]:
        done: dict[Form, Form] = {}
        for form in in_order(roots):
            done[form] = self._one(form, [done[p] for p in form.parts], done)
        return [done[root] for root in roots]

    def _one(self, form: Form, parts: list[Form], done: dict[Form, Form]) -> Form:
        f = self.forms
        if form.op == "name":
            word = self.names.get(form.arg) or _WORDS.get(form.arg)
            if word is None:
                raise GradcliError(f"there is no NumPy code for {form.arg}", hint="--format text has the formula")
            return f.name(word, form.kind)
        if form.op == "list" and form.kind != NUMBER:
            return f.call("np.array", [self._nested(form)], form.kind)
        if form.op == "method":
            return self._method(form, parts)
        if form.op == "call":
            op = OPS[form.arg[0]]
            if op.signature.names[0] == "tensors":
                # A list of arrays is no array.
                parts = [f.sequence([done[p] for p in form.parts[0].parts]), *parts[1:]]
            return self._call(op, form, parts)
        return f.make(form.op, form.arg, parts, form.kind)

    def _nested(self, form: Form) -> Form:
        """A list of numbers as it stands; its depth is that of an array."""
        return self.forms.sequence([self._nested(p) if p.op == "list" else p for p in form.parts])

    def _method(self, form: Form, parts: list[Form]) -> Form:
        f, name = self.forms, form.arg[0]
        if name == "numel":
            return f.attribute(parts[0], "size", NUMBER)
        target = OPS[name].numpy
        if target is None:
            return f.make("method", form.arg, parts, form.kind)
        if target.startswith("."):
            return f.method(parts[0], target[1:], parts[1:])
        shape = parts[1] if len(parts) == 2 and parts[1].op == "attribute" else f.sequence(parts[1:], "tuple")
        return f.call(f"np.{target}", [parts[0], shape])

    def _call(self, op: Op, form: Form, parts: list[Form]) -> Form:
        """A call with NumPy's words, in which axes are named unless they follow a list of arrays."""
        _, count, keywords = form.arg
        args, words = parts[:count], dict(zip(keywords, parts[count:], strict=True))
        names = op.signature.names
        for place, name in enumerate(names[:count]):
            if name.startswith("dim") and name in _RENAMED and names[0] != "tensors":
                args, words = args[:place], {name: args[place], **words}
                break
        words = {_RENAMED.get(key, key): value for key, value in words.items()}
        if "correction" in names and "ddof" not in words:
            words["ddof"] = self.forms.number(1)
        if len(args) > 1 and names[0] == op.signature.star:
            args = [self.forms.sequence(args, "tuple")]
        return self.forms.call(self._name(op, form.arg[0]), args, form.kind, **words)

    def _name(self, op: Op, name: str) -> str:
        if op.source is not None:
            self.helpers.add(op)
            return op.name
        if op.numpy is None:
            raise GradcliError(f"there is no NumPy code for {name}()", hint="--format text has the formula")
        return f"np.{op.numpy}"


_WORDS: dict[Any, str] = {word: word for word in ("None", "True", "False")}
_WORDS |= {word: f"np.{word}" for word in ("inf", "nan", "pi", "e")}
_WORDS |= {word: "np.bool_" if dtype.kind == "b" else f"np.{dtype.name}" for word, dtype in DTYPES.items()}
