"""An operation as Python sees it: a function with a name, a signature and a help text, all read from its row."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextvars import copy_context
from types import MethodType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from gradcli.errors import GradcliError
from gradcli.graph.arguments import list_node
from gradcli.graph.dtypes import DEFAULT_DTYPE, DTYPES, FLOAT32
from gradcli.graph.measured import WAY
from gradcli.graph.node import Node, constant, input_node
from gradcli.graph.op import Op
from gradcli.machine.limits import having
from gradcli.ops.create import GENERATOR
from gradcli.ops.random import Generator
from gradcli.tensors.argument_kinds import BY_NAME, KINDS
from gradcli.tensors.elements import measured_now

if TYPE_CHECKING:
    from inspect import Parameter, Signature

#: How an operation is called with tensors, and gives tensors.
Call = Callable[..., Any]


class Annotation(str):
    """A type as the stub writes it, shown without quotes."""

    __slots__ = ()
    __repr__ = str.__str__


def kinds_of(parameter: Parameter) -> list[str]:
    """The kinds of an argument: of those that its row names, or by its name, or its default."""
    if parameter.annotation is not parameter.empty:
        return str(parameter.annotation).split("|")
    if parameter.name == "dim" and parameter.default is not None:
        return ["dim"]
    if parameter.name in BY_NAME:
        return [BY_NAME[parameter.name]]
    if parameter.default is parameter.empty:
        return ["tensor"]
    known = {bool: "flag", int: "int", float: "number"}.get(type(parameter.default))
    if known is None:
        raise ValueError(f"the row must say what {parameter} holds, as in {parameter.name}: int|dims=None")
    return [known]


def annotated(parameter: Parameter, kinds: Sequence[str] | None = None) -> Parameter:
    """A parameter with the type that the stub gives for it."""
    texts = [KINDS[kind].annotation for kind in (kinds_of(parameter) if kinds is None else kinds)]
    if parameter.default is None:
        texts.append("None")
    return parameter.replace(annotation=Annotation(" | ".join(dict.fromkeys(texts))))


def parameters(op: Op) -> list[Parameter]:
    """The arguments of an operation, with the words of its row on what they hold."""
    found = op.signature.parameters
    if op.family == "create":
        from inspect import Parameter

        found.append(Parameter("requires_grad", Parameter.KEYWORD_ONLY, default=False))
    return found


def signature(op: Op) -> Signature:
    """The arguments and the result of an operation, for `inspect.signature`."""
    from inspect import Signature

    results = dict.fromkeys(form.result for form in forms(op))
    return Signature([annotated(p) for p in parameters(op)], return_annotation=Annotation(" | ".join(results)))


class CallForm(NamedTuple):
    """A way to call an operation: its arguments with their types, and what the result is."""

    parameters: list[Parameter]
    result: str


def forms(op: Op) -> list[CallForm]:
    """The ways to call an operation in PyTorch's words: one, or as many as there are kinds of results.

    What the result is has been found by trying.
    """
    given = parameters(op)
    base = [annotated(p) for p in given]
    usual = result_of(op)
    for at, parameter in enumerate(given):
        kinds = kinds_of(parameter)
        if parameter.default is None and (len(kinds) > 1 or parameter.name == "dim"):
            results = {kind: result_of(op, parameter.name, kind) for kind in kinds}
            if set(results.values()) != {usual}:
                split = [CallForm([*base[:at], annotated(parameter, []), *base[at + 1 :]], usual)]
                for kind, result in results.items():
                    needed = annotated(parameter.replace(default=parameter.empty), [kind])
                    split.append(CallForm([*base[:at], needed, *base[at + 1 :]], result))
                return split
    return [CallForm(base, usual)]


def result_of(op: Op, name: str | None = None, kind: str | None = None) -> str:
    """What a call gives, with one argument more than what is needed: Tensor, or several with their names."""
    for values, more in _tries(op, name):
        args, words = _arguments(op, [_tensor(value) for value in values], more, kind)
        try:
            with having(WAY, measured_now):
                answer = op(*args, **words)
        except GradcliError:
            continue
        if not isinstance(answer, tuple):
            return "Tensor"
        named = hasattr(answer, "_fields")
        return f"_{type(answer).__name__}" if named else "tuple[Tensor, ...]"
    return "Any"


# Examples -------------------------------------------------------------------------------------------------------------

_MATRICES = ([[2.0, 1.0], [1.0, 3.0]], [[1.0, 0.5], [-1.0, 2.0]], [[0.5, 2.0], [1.0, 1.5]])
_VECTORS = ([1.0, 2.0], [3.0, -1.0], [0.5, 1.5])


def _samples(op: Op) -> Iterator[list[Any]]:
    """Values for the tensors of an operation, of the kinds that it may take."""
    if op.domain != Op.domain:
        low, high = op.domain if isinstance(op.domain[0], float) else op.domain[0]
        yield [[low + (high - low) * (1 + (k + j) % 3) / 4 for k in range(3)] for j in range(3)]
    if op.family == "elementwise":
        domains = op.domain if isinstance(op.domain[0], tuple) else (op.domain,) * 3
        floats = [[a + (b - a) * (1 + (k + j) % 3) / 4 for k in range(3)] for j, (a, b) in enumerate(domains)]
        yield floats
        yield [floats[0], [True, False, True], 0.5]
        yield [[1, 2, 3], [3, 2, 1]]
        return
    yield list(_MATRICES)
    yield list(_VECTORS)
    yield [_MATRICES[0], _VECTORS[1]]
    yield [_MATRICES[0], [1, 0]]
    yield [[_MATRICES[0], _MATRICES[1]], [_MATRICES[1], _MATRICES[2]]]
    yield [_MATRICES[0], [_MATRICES[0], _MATRICES[1]], [_MATRICES[1], _MATRICES[2]]]
    yield [[1.0, 2.0, 3.0], [3.0, -1.0, 0.5]]
    yield [_MATRICES[0], [1, 2], _MATRICES[1]]
    yield [_MATRICES[0], _MATRICES[1], [1, 2]]
    if op.example is not None:
        for first in (3, 2):
            yield [_of_rank(k, first, *word.split(":")[1:]) for k, word in enumerate(op.example[1].split())]


def _of_rank(number: int, first: int, rank: str, dtype: str = "") -> Any:
    """The values of a tensor of so many dimensions, of length 2 or, those of the first tensor, of another.

    From three on the first two are batch and channels, of length 1. Lengths may be given, as in 2x3 and 2x.
    """
    lengths = [int(n) for n in rank.split("x") if n]
    count, length = lengths[0], first if number == 0 or dtype else 2
    shape = (1, 1, *(length,) * (count - 2)) if count > 2 else (length,) * count
    shape = tuple(lengths) if "x" in rank else shape
    values = (np.arange(math.prod(shape)) * 3 + number) % 5
    # Whole numbers may be places.
    return (values % 2 if dtype else values).reshape(shape).astype(dtype or "float64").tolist()


def _tries(op: Op, name: str | None) -> Iterator[tuple[list[Any], str | None]]:
    """Values for the tensors, with the argument to give beside what is needed; if that does not do, with any other."""
    yield from ((values, name) for values in _samples(op))
    if name is None:
        optional = [p.name for p in op.signature.parameters if p.default is not p.empty]
        yield from ((values, other) for other in optional for values in _samples(op))


def _tensor(value: Any, requires_grad: bool = False) -> Node:
    array = list_node(value) if isinstance(value, list) else constant(value, FLOAT32)
    return input_node(array.params["value"], requires_grad=requires_grad and array.is_floating)


def _arguments(op: Op, tensors: Sequence[Any], name: str | None, kind: str | None) -> tuple[list[Any], dict[str, Any]]:
    """The arguments of a call with what is needed and one argument more, by position as far as they go."""
    rest = iter(tensors)
    args: list[Any] = []
    words: dict[str, Any] = {}
    left_out = False
    for parameter in op.signature.parameters:
        starred = parameter.kind is parameter.VAR_POSITIONAL
        if not starred and parameter.default is not parameter.empty and parameter.name != name:
            left_out = True
            continue
        word = kind if kind is not None and parameter.name == name else kinds_of(parameter)[0]
        value = KINDS[word].sample
        if value is None:
            many = starred or word == "tensors"
            value = [next(rest, None), next(rest, None)] if many else next(rest, None)
        if left_out or parameter.kind is parameter.KEYWORD_ONLY:
            words[parameter.name] = value
        else:
            args += value if starred and isinstance(value, list | tuple) else [value]
    return args, words


def example(op: Op, call: Call) -> list[str]:
    """A session with a call of an operation and what it gives; nothing where there are no values to show it with."""
    return copy_context().run(_example, op, call)


def _example(op: Op, call: Call) -> list[str]:
    DEFAULT_DTYPE.set(FLOAT32)
    for values, more in _tries(op, None):
        GENERATOR.set(Generator(0))
        tensors = [_tensor(value, requires_grad=k == 0) for k, value in enumerate(values)]
        args, words = _arguments(op, tensors, more, None)
        try:
            answer = call(op, *args, **words)
            printed, again = repr(answer), repr(call(op, *args, **words))
        except GradcliError:
            continue
        names = {id(tensor): letter for tensor, letter in zip(tensors, "xyzuvwabc", strict=False)}
        lines = [">>> gc.manual_seed(0)"] if op.draws or printed != again else []
        given = [a for v in (*args, *words.values()) for a in (v if isinstance(v, list | tuple) else [v])]
        used = [k for k, tensor in enumerate(tensors) if any(tensor is a for a in given)]
        for k in used:
            tracked = any(x.requires_grad for x in (answer if isinstance(answer, tuple) else (answer,)))
            flag = ", requires_grad=True" if k == 0 and tracked else ""
            lines.append(f">>> {names[id(tensors[k])]} = gc.tensor({values[k]}{flag})")
        texts = [_written(value, names) for value in args]
        texts += [f"{word}={_written(value, names)}" for word, value in words.items()]
        # A dtype goes before the conversion of its name, and a method may have a row of its own.
        method = op.name in DTYPES or not op.public
        call_text = (
            f"{texts[0]}.{op.plain_name}({', '.join(texts[1:])})" if method else f"gc.{op.name}({', '.join(texts)})"
        )
        return [*lines, f">>> {call_text}", *printed.split("\n")]
    return []


def _written(value: Any, names: dict[int, str]) -> str:
    if isinstance(value, list) and any(isinstance(item, Node) for item in value):
        return f"[{', '.join(_written(item, names) for item in value)}]"
    return names.get(id(value)) or repr(value)


# The function ---------------------------------------------------------------------------------------------------------


def torch_name(op: Op) -> str:
    """What PyTorch calls an operation."""
    name = op.torch or op.name
    return name if name.startswith("torch.") else f"torch.{name}"


def help_text(op: Op, call: Call) -> str:
    """What `help` shows of an operation below its signature."""
    lines = [op.doc.replace("`", ""), ""]
    synonyms = {name: word for word, name in op.signature.synonyms.items()}
    for parameter in parameters(op):
        meaning = " or ".join(KINDS[kind].meaning for kind in kinds_of(parameter))
        left_out = "" if parameter.default is parameter.empty else f" ({parameter.default!r} unless given)"
        also = f"; {synonyms[parameter.name]} means the same" if parameter.name in synonyms else ""
        lines.append(f"{parameter.name}: {meaning}{left_out}{also}")
    lines += ["", f"PyTorch: {torch_name(op)}"]
    if isinstance(op.grad_fn, str):
        lines.append(f"grad_fn: {op.grad_fn}")
    if op.aliases:
        lines.append(f"Also: {', '.join(op.aliases)}")
    shown = example(op, call)
    return "\n".join([*lines, "", *shown] if shown else lines)


class OperationFunction:
    # An operation as a function of the package, and bound to a tensor as its method. `__doc__` below is its help.

    def __init__(self, op: Op, name: str, call: Call) -> None:
        self.op = op
        self.__name__ = self.__qualname__ = name
        self.__module__ = "gradcli"
        self._call = call

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._call(self.op, *args, **kwargs)

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else MethodType(self, instance)

    def __repr__(self) -> str:
        return f"<function {self.__module__}.{self.__name__}>"

    def __reduce__(self) -> str:
        return self.__name__

    @property
    def __signature__(self) -> Signature:
        return signature(self.op)

    @property
    def __doc__(self) -> str:  # type: ignore[override]
        return help_text(self.op, self._call)
