"""Formulas as a Python function that needs NumPy alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gradcli.errors import GradcliError
from gradcli.formula.write.as_text import code_of
from gradcli.formula.write.forms import Form, Forms, in_order
from gradcli.formula.write.naming import Named
from gradcli.language.kinds import NUMBER
from gradcli.language.unparse import written

_SAME_NAME = [
    "abs",
    "exp",
    "exp2",
    "expm1",
    "log",
    "log2",
    "log10",
    "log1p",
    "sqrt",
    "sin",
    "cos",
    "tan",
    "sinh",
    "cosh",
    "tanh",
    "sign",
    "floor",
    "ceil",
    "trunc",
    "where",
    "maximum",
    "minimum",
    "hypot",
    "logaddexp",
    "isnan",
    "isinf",
    "isfinite",
    "logical_and",
    "logical_or",
    "logical_xor",
    "logical_not",
    "outer",
    "trace",
    "einsum",
    "tril",
    "triu",
    "diagonal",
    "arange",
    "linspace",
    "zeros",
    "ones",
    "ones_like",
    "zeros_like",
    "full",
    "full_like",
    "eye",
    "fmod",
    "cumsum",
    "cumprod",
    "sum",
    "mean",
    "prod",
    "var",
    "std",
    "all",
    "any",
    "argmax",
    "argmin",
    "flip",
    "roll",
    "tile",
    "amax",
    "amin",
]
#: Functions that NumPy has, by NumPy's name.
_NUMPY = {
    **{name: name for name in _SAME_NAME},
    "asin": "arcsin",
    "acos": "arccos",
    "atan": "arctan",
    "asinh": "arcsinh",
    "acosh": "arccosh",
    "atanh": "arctanh",
    "atan2": "arctan2",
    "inv": "linalg.inv",
    "det": "linalg.det",
    "slogdet": "linalg.slogdet",
    "round": "round",
    "count_nonzero": "count_nonzero",
    "squeeze": "squeeze",
    "diag": "diag",
}

_REDUCING = frozenset(
    [
        "sum",
        "mean",
        "prod",
        "var",
        "std",
        "all",
        "any",
        "argmax",
        "argmin",
        "amax",
        "amin",
        "cumsum",
        "cumprod",
        "count_nonzero",
        "flip",
        "squeeze",
    ]
)

#: Functions that NumPy lacks: their source, and what else it needs.
_HELPERS = {
    "sigmoid": "def sigmoid(x):\n    return np.exp(np.minimum(x, 0))/(1 + np.exp(-np.abs(x)))",
    "logsigmoid": "def logsigmoid(x):\n    return np.minimum(x, 0) - np.log1p(np.exp(-np.abs(x)))",
    "softplus": (
        "def softplus(x, beta=1.0, threshold=20.0):\n"
        "    return np.where(beta*x > threshold, x, np.logaddexp(0, beta*x)/beta)"
    ),
    "relu": "def relu(x):\n    return np.maximum(x, 0)",
    "leaky_relu": "def leaky_relu(x, negative_slope=0.01):\n    return np.where(x > 0, x, negative_slope*x)",
    "elu": "def elu(x, alpha=1.0):\n    return np.where(x > 0, x, alpha*np.expm1(np.minimum(x, 0)))",
    "selu": (
        "def selu(x):\n    return 1.0507009873554805*np.where(x > 0, x, 1.6732632423543772*np.expm1(np.minimum(x, 0)))"
    ),
    "silu": "def silu(x):\n    return x/(1 + np.exp(-x))",
    "mish": "def mish(x):\n    return x*np.tanh(np.logaddexp(0, x))",
    "hardtanh": "def hardtanh(x, min_val=-1.0, max_val=1.0):\n    return np.clip(x, min_val, max_val)",
    "clamp": "def clamp(x, low, high):\n    return np.minimum(np.maximum(x, low), high)",
    "clamp_min": "def clamp_min(x, low):\n    return np.maximum(x, low)",
    "clamp_max": "def clamp_max(x, high):\n    return np.minimum(x, high)",
    "gelu": (
        "def gelu(x, approximate='none'):\n"
        "    if approximate == 'tanh':\n"
        "        return 0.5*x*(1 + np.tanh(np.sqrt(2/np.pi)*(x + 0.044715*x**3)))\n"
        "    return 0.5*x*(1 + np.vectorize(math.erf, otypes=[float])(x/np.sqrt(2)))"
    ),
    "erf": "def erf(x):\n    return np.vectorize(math.erf, otypes=[float])(x)",
    "erfc": "def erfc(x):\n    return np.vectorize(math.erfc, otypes=[float])(x)",
    "lgamma": "def lgamma(x):\n    return np.vectorize(math.lgamma, otypes=[float])(x)",
    "frac": "def frac(x):\n    return x - np.trunc(x)",
    "xlogy": "def xlogy(x, y):\n    return np.where(x == 0, 0, x*np.log(np.where(x == 0, 1, y)))",
    "lerp": "def lerp(a, b, weight):\n    return a + weight*(b - a)",
    "masked_fill": "def masked_fill(x, mask, value):\n    return np.where(mask, value, x)",
    "softmax": (
        "def softmax(x, axis):\n"
        "    powers = np.exp(x - np.max(x, axis=axis, keepdims=True))\n"
        "    return powers/np.sum(powers, axis=axis, keepdims=True)"
    ),
    "log_softmax": (
        "def log_softmax(x, axis):\n"
        "    shifted = x - np.max(x, axis=axis, keepdims=True)\n"
        "    return shifted - np.log(np.sum(np.exp(shifted), axis=axis, keepdims=True))"
    ),
    "logsumexp": (
        "def logsumexp(x, axis=None):\n"
        "    high = np.max(x, axis=axis, keepdims=True)\n"
        "    total = np.log(np.sum(np.exp(x - high), axis=axis, keepdims=True)) + high\n"
        "    return np.squeeze(total, axis=axis)"
    ),
    "norm": (
        "def norm(x, p=2, axis=None):\n"
        "    if p == 0:\n"
        "        return np.sum(x != 0, axis=axis)\n"
        "    if np.isinf(p):\n"
        "        return (np.max if p > 0 else np.min)(np.abs(x), axis=axis)\n"
        "    return np.sum(np.abs(x)**p, axis=axis)**(1/p)"
    ),
    "logdet": (
        "def logdet(x):\n    sign, logarithm = np.linalg.slogdet(x)\n    return np.where(sign < 0, np.nan, logarithm)"
    ),
    "cholesky": "def cholesky(x, upper=False):\n    return np.linalg.cholesky(x, upper=upper)",
    "solve": (
        "def solve(a, b, left=True):\n"
        "    if not left:\n"
        "        return np.swapaxes(np.linalg.solve(np.swapaxes(a, -1, -2), np.swapaxes(b, -1, -2)), -1, -2)\n"
        "    if b.ndim == 1 or b.shape == a.shape[:-1]:\n"
        "        return np.linalg.solve(a, b[..., None])[..., 0]\n"
        "    return np.linalg.solve(a, b)"
    ),
    "diag_embed": (
        "def diag_embed(x, offset=0, dim1=-2, dim2=-1):\n"
        "    n = x.shape[-1] + abs(offset)\n"
        "    result = np.zeros((*x.shape[:-1], n, n), x.dtype)\n"
        "    place = np.arange(x.shape[-1])\n"
        "    result[..., place + max(-offset, 0), place + max(offset, 0)] = x\n"
        "    return np.moveaxis(result, (-2, -1), (dim1, dim2))"
    ),
}
_MATH = frozenset({"erf", "erfc", "lgamma", "gelu"})


def function(formula: Named, title: str, parameters: Sequence[str]) -> str:
    """A module with one function, `gradient`, of the inputs that the formula reads."""
    writer = _CodeWriter()
    translated = writer.translate([*(form for _, form in formula.parts), formula.result])
    names = {form: _python_name(name) for form, name in zip(translated, (n for n, _ in formula.parts), strict=False)}
    body = [f"    {names[form]} = {written(code_of(form, names))}" for form in translated[:-1]]
    result = written(code_of(translated[-1], names))
    imports = ["import math"] if writer.helpers & _MATH else []
    helpers = [_HELPERS[name] for name in _HELPERS if name in writer.helpers]
    head = "\n".join([*imports, *(["", "import numpy as np"] if imports else ["import numpy as np"])])
    listed = ", ".join(_python_name(p) for p in parameters)
    main = "\n".join([f"# {title}", f"def gradient({listed}):", *body, f"    return {result}"])
    return "\n\n\n".join([head, *helpers, main])


def _python_name(name: str) -> str:
    from keyword import iskeyword

    return f"{name}_" if iskeyword(name) or name in ("np", "math", "gradient") or name in _HELPERS else name


class _CodeWriter:
    """Rewrites forms of the language as forms of NumPy."""

    def __init__(self) -> None:
        self.forms = Forms()
        self.helpers: set[str] = set()

    def translate(self, roots: Sequence[Form]) -> list[Form]:
        done: dict[Form, Form] = {}
        for form in in_order(roots):
            done[form] = self._one(form, [done[p] for p in form.parts], done)
        return [done[root] for root in roots]

    def _one(self, form: Form, parts: list[Form], done: dict[Form, Form]) -> Form:
        f = self.forms
        if form.op == "name":
            return f.name(_WORDS.get(form.arg) or _python_name(form.arg), form.kind)
        if form.op == "list" and form.kind != NUMBER:
            return f.call("np.array", [self._nested(form)], form.kind)
        if form.op == "method":
            return self._method(form, parts)
        if form.op == "call":
            name = form.arg[0]
            if name in ("cat", "stack"):
                inner = f.sequence([done[p] for p in form.parts[0].parts])
                return f.call("np.concatenate" if name == "cat" else "np.stack", [inner, *parts[1:]])
            return self._call(form, parts)
        return f.make(form.op, form.arg, parts, form.kind)

    def _nested(self, form: Form) -> Form:
        """A list of numbers as it stands; its depth is that of an array."""
        return self.forms.sequence([self._nested(p) if p.op == "list" else p for p in form.parts])

    def _method(self, form: Form, parts: list[Form]) -> Form:
        f, name = self.forms, form.arg[0]
        if name == "numel":
            return f.attribute(parts[0], "size", NUMBER)
        if name == "to":
            return f.method(parts[0], "astype", parts[1:])
        if name == "expand":
            shape = parts[1] if len(parts) == 2 and parts[1].op == "attribute" else f.sequence(parts[1:], "tuple")
            return f.call("np.broadcast_to", [parts[0], shape])
        if name == "permute":
            return f.method(parts[0], "transpose", parts[1:])
        return f.make("method", form.arg, parts, form.kind)

    def _call(self, form: Form, parts: list[Form]) -> Form:
        f = self.forms
        name, count, keywords = form.arg
        args, words = parts[:count], dict(zip(keywords, parts[count:], strict=True))
        if name in ("amax", "amin", "softmax", "log_softmax", "logsumexp") or name in _REDUCING:
            if len(args) > 1:
                words = {"axis": args[1], **words}
            args = args[:1]
        if name == "norm" and len(args) > 2:
            words = {"axis": args[2], **words}
            args = args[:2]
        renamed = {"keepdim": "keepdims", "correction": "ddof"}
        words = {renamed.get(key, key): value for key, value in words.items()}
        if name in ("var", "std") and "ddof" not in words:
            words["ddof"] = f.number(1)
        if name in ("zeros", "ones") and len(args) > 1:
            args = [f.sequence(args, "tuple")]
        if name == "roll" and len(args) > 2:
            words, args = {"axis": args[2]}, args[:2]
        if name == "tensor":
            return f.call("np.asarray", args, form.kind, **words)
        if name in _HELPERS:
            self.helpers.add(name)
            return f.call(name, args, form.kind, **words)
        if name not in _NUMPY:
            raise GradcliError(f"there is no NumPy code for {name}()", hint="--format text has the formula")
        return f.call(f"np.{_NUMPY[name]}", args, form.kind, **words)


_WORDS: dict[Any, str] = {
    "None": "None",
    "True": "True",
    "False": "False",
    "inf": "np.inf",
    "nan": "np.nan",
    "pi": "np.pi",
    "e": "np.e",
    "float16": "np.float16",
    "float32": "np.float32",
    "float64": "np.float64",
}
