"""The type stub, `inspect.signature` and `help`: one truth about each function, and what calls accept."""

from __future__ import annotations

import ast
import doctest
import inspect
import os
import pickle
import pydoc
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gradcli as gc
from gradcli.errors import GradcliError
from gradcli.graph.measured import WAY
from gradcli.graph.node import Node, constant
from gradcli.graph.op import OPS, Op
from gradcli.graph.signature import Signature
from gradcli.machine.limits import having
from gradcli.tensors import callable as described
from gradcli.tensors.elements import measured_now

TREE = ast.parse((Path(__file__).parents[1] / "gradcli/__init__.pyi").read_text(encoding="utf-8"))
FUNCTIONS = [name for name, op in OPS.items() if op.public and callable(getattr(gc, name)) and name not in gc._HOMES]
NAMES = [name for name, op in OPS.items() if op.public and name == op.name and name not in gc._HOMES]

#: What is given for arguments of a kind: all that the stub says they take.
GIVEN: dict[str, list[Any]] = {
    "dim": [0, -1, np.int64(0)],
    "dims": [0, [0], (0,), np.int64(0), (np.int32(0),)],
    "order": [[0], (0,), [1, 0], (1, 0), (np.int64(0),)],
    "int": [1, np.int64(1)],
    "number": [1, 0.5, np.float64(0.5)],
    "norm": [1, 0.5, "fro", float("inf")],
    "matrix_order": [1, -2.0, "fro", "nuc", float("inf")],
    "columns": [2, np.int64(3)],
    "triangle": ["L", "U"],
    "qr_mode": ["reduced", "complete", "r"],
    "driver": ["gels", "gelsd"],
    "distance": ["use_mm_for_euclid_dist"],
    "bound": [0, 0.5, np.float64(0.5), gc.tensor(0.5).node, np.array(0.5)],
    "flag": [True, False],
    "repeats": [[2], (2, 1), [2, np.int64(1)]],
    "shape": [[-1], (-1,), (np.int64(-1),)],
    "lengths": [[2], (2,), (np.int64(2),)],
    "pairs": [1, ([0], [0]), [[0], 0]],
    "kind": ["float64", "cpu", np.float32, [np.float32, True], ["cpu", "float64", False, True], gc.ones(1).node],
    "device": ["cpu"],
    "format": ["preserve_format", "contiguous_format"],
    "scalar": [1, 0.5, gc.tensor(0.5).node],
    "dtype": ["float64", "half", np.float32, np.dtype("f8"), gc.float64, float],
    "data": [1, 0.5, True, [1, 2], ((1, 2), (3, 4)), np.ones(2), np.float32(1), constant(np.ones(2))],
    "index": [0, -1, slice(0, 1), ..., None, [0], (0,), np.array([0]), np.int64(0), constant(np.array(0))],
    "equation": ["ij,jk->ik"],
    "reduction": ["mean", "sum", "none"],
    "rounding": ["floor", "trunc"],
    "approximation": ["none", "tanh"],
    "padding": [1, (0,), [np.int64(1)], "same", "valid"],
    "operand": [constant(np.ones(2)), np.ones(2)],
    "pieces": [1, [2], (2,), np.int64(2)],
    "sections": [1, [1], (0, 1), np.int64(1)],
    "ends": [[1, 1], (0, np.int64(2))],
    "spacing": [1, 0.5, [2.0], ([0.0, 1.0],)],
    "levels": [1, 0.25, [0.5, 0.75], np.float64(0.5)],
    "between": ["linear", "lower", "higher", "midpoint", "nearest"],
    "plane": [[0, 1], (1, np.int64(0))],
    "indexing": ["ij", "xy"],
    "mode": ["constant"],
    "tensors": [[np.ones(2), [1.0, 2.0]], (constant(np.ones(2)),)],
}
#: Values that no function takes for arguments of these kinds.
REFUSED: dict[str, list[Any]] = {
    "dim": ["0", 0.5, [0, 0], [0, 1]],
    "dims": ["0", 0.5, [0.5]],
    "int": ["1", 1.5, [1]],
    "flag": ["yes", 1, 0.0],
    "dtype": ["flot64", 64, [1]],
    "reduction": ["median", 1, None],
    "rounding": ["up", 1],
    "indexing": ["yx", 1, None],
    "mode": ["mirror", 1, None],
    "between": ["cubic", 1, None],
    "levels": [2, -0.5],
    "plane": [0, [0], [0, 0]],
    "approximation": ["exact", 1],
    "triangle": ["lower", 1, None],
    "qr_mode": ["full", 1, None],
    "driver": ["gesv", 1],
}


def defined(tree: ast.Module | ast.ClassDef) -> dict[str, list[ast.FunctionDef]]:
    """The definitions of each function, further names among them."""
    found: dict[str, list[ast.FunctionDef]] = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            found.setdefault(node.name, []).append(node)
        elif isinstance(node, ast.Assign):
            (target,), value = node.targets, node.value
            if isinstance(target, ast.Name) and isinstance(value, ast.Name):
                found[target.id] = found[value.id]
    return found


STATED = defined(TREE)
(TENSOR,) = (node for node in TREE.body if isinstance(node, ast.ClassDef) and node.name == "Tensor")
METHODS = defined(TENSOR)


def parameters(node: ast.FunctionDef) -> list[tuple[str, str, str, str]]:
    """Name, kind, default and type of each argument of a definition."""
    args = node.args
    plain = [*args.posonlyargs, *args.args]
    defaults = [None] * (len(plain) - len(args.defaults)) + list(args.defaults)
    found = [(a, "POSITIONAL_OR_KEYWORD", d) for a, d in zip(plain, defaults, strict=True)]
    found += [(args.vararg, "VAR_POSITIONAL", None)] if args.vararg else []
    found += [(a, "KEYWORD_ONLY", d) for a, d in zip(args.kwonlyargs, args.kw_defaults, strict=True)]
    return [(a.arg, kind, ast.unparse(d) if d else "", written(a.annotation)) for a, kind, d in found]


def written(annotation: ast.expr | None) -> str:
    return "" if annotation is None else ast.unparse(annotation)


def inspected(function: Any) -> list[tuple[str, str, str, str]]:
    found = []
    for p in inspect.signature(function).parameters.values():
        default = "" if p.default is p.empty else repr(p.default)
        found.append((p.name, p.kind.name, default, ast.unparse(ast.parse(str(p.annotation)))))
    return found


@pytest.mark.parametrize("name", FUNCTIONS)
def test_signature_and_help_say_what_the_stub_says(name: str) -> None:
    function = getattr(gc, name)
    ways = STATED[name]
    signature = inspect.signature(function)
    results = set(str(signature.return_annotation).split(" | "))
    assert results == {written(way.returns) for way in ways}
    stated, shown = parameters(ways[0]), inspected(function)
    assert [entry[:3] for entry in stated] == [entry[:3] for entry in shown]
    for (_, _, _, first), (_, _, _, whole) in zip(stated, shown, strict=True):
        assert set(first.split(" | ")) <= set(whole.split(" | "))
    if len(results) == 1:
        assert stated == shown
    text = pydoc.render_doc(function, renderer=pydoc.plaintext)
    op = OPS[name]
    assert f"{name}{signature}" in text and op.doc.replace("`", "") in text
    assert f"PyTorch: {described.torch_name(op)}\n" in text
    assert not isinstance(op.grad_fn, str) or f"grad_fn: {op.grad_fn}" in text
    assert all(f"\n    {parameter}: " in text for parameter in signature.parameters)


@pytest.mark.parametrize("name", NAMES)
def test_the_example_of_help_gives_what_it_shows(name: str) -> None:
    lines = described.example(OPS[name], gc.exp._call)
    assert lines
    session = "".join(f"{line or '<BLANKLINE>'}\n" for line in lines)
    test = doctest.DocTestParser().get_doctest(session, {"gc": gc}, name, None, 0)
    report: list[str] = []
    failed, tried = doctest.DocTestRunner().run(test, out=report.append)
    assert tried and not failed, "".join(report)


def test_every_form_of_a_call_is_understood() -> None:
    """Every overload finds its arguments, by position as far as it says so, and by name."""
    for name in FUNCTIONS:
        _every_form_is_understood(name)


def _every_form_is_understood(name: str) -> None:
    op = OPS[name]
    for way in STATED[name]:
        stated = [(word, kind) for word, kind, _, _ in parameters(way) if word != "requires_grad"]
        flags = {word for word, default in op.signature.defaults.items() if isinstance(default, bool)} | {"keepdims"}
        values = {word: (False if word in flags else f"<{word}>") for word, _ in stated}
        positional = [values[word] for word, kind in stated if kind != "KEYWORD_ONLY"]
        by_word = {word: values[word] for word, kind in stated if kind == "KEYWORD_ONLY"}
        bound = op.signature.bind(tuple(positional), by_word)
        known = dict(zip(op.signature.names, bound, strict=True))
        for word, value in values.items():
            assert known[op.signature.canonical(word)] in (value, (value,))
        if not any(kind == "VAR_POSITIONAL" for _, kind in stated):
            assert op.signature.bind((), values) == bound


def claims(name: str) -> Iterator[tuple[str, str]]:
    """The arguments of an operation, and of what kinds each is said to be; of one with a star the first."""
    for parameter in OPS[name].signature.parameters:
        kinds = described.kinds_of(parameter)
        if parameter.kind is not parameter.VAR_POSITIONAL:
            yield from ((parameter.name, kind) for kind in kinds if kind in GIVEN)
        elif kinds != ["tensor"]:
            yield parameter.name, kinds[0]


#: What else to give where an argument makes no sense alone.
MORE: list[dict[str, Any]] = [
    {},
    {"dim": 0, "min": 0},
    {"dim0": 0},
    {"dim1": 1},
    {"dim2": 0},
    {"shifts": [1, 2]},
    {"upper": 2},
    {"start": 0},
    {"dims": 0},
    {"stride": 3},
    {"kernel_size": 4, "padding": 2},
    {"size": 2, "mode": "bilinear"},
    {"scale_factor": 2},
    {"running_mean": np.ones(2), "running_var": np.ones(2), "weight": None, "bias": None},
    {"running_mean": np.ones(3), "running_var": np.ones(3), "weight": None, "bias": None},
    {"attn_mask": np.zeros((2, 2)), "dropout_p": 0.0},
    {f"{letter}_proj_weight": np.ones((1, 1)) for letter in "qkv"},
    {"src": [0.5, 1.5]},
    {"offsets": [0, 1]},
    {"low": 0, "high": 5, "mean": 0.0, "std": 1.0, "size": (2,)},
]


def answers(op: Op, word: str, kind: str, value: Any) -> bool:
    """Whether a call with a value for an argument has an answer, with one kind of tensors or another."""
    for values in described._samples(op):
        args, words = described._arguments(op, [described._tensor(v) for v in values], word, kind)
        names = op.signature.names
        given = dict(zip(names, args, strict=False)) | words
        if f"*{names[-1]}" in op.signature.text:
            given[names[-1]] = args[len(names) - 1 :]
        for more in MORE:
            known = {word: value for word, value in more.items() if word in names}
            try:
                with having(WAY, measured_now):
                    result = op(**{**given, **known, word: value})
            except GradcliError:
                continue
            assert isinstance(result, Node | tuple)
            return True
    return False


@pytest.mark.parametrize("name", [name for name in NAMES if any(claims(name))])
def test_arguments_take_what_the_stub_says_and_refuse_what_it_leaves_out(name: str) -> None:
    op = OPS[name]
    for word, kind in claims(name):
        optional = op.signature.defaults.get(word, ...) is None
        for value in [*GIVEN[kind], *([None] if optional else [])]:
            assert answers(op, word, kind, value), f"{name}({word}={value!r})"
        if len(described.kinds_of(next(p for p in op.signature.parameters if p.name == word))) == 1:
            for value in REFUSED.get(kind, []):
                if not (value is None and optional):
                    assert not answers(op, word, kind, value), f"{name}({word}={value!r})"


def test_the_stub_has_all_names() -> None:
    stated = set(STATED) | {node.name for node in TREE.body if isinstance(node, ast.ClassDef)}
    stated |= {written(node.target) for node in TREE.body if isinstance(node, ast.AnnAssign)}
    stated |= {a.asname for node in TREE.body if isinstance(node, ast.ImportFrom) for a in node.names if a.asname}
    assert {name for name in stated if not name.startswith("_")} | {"__version__"} == set(dir(gc))
    assert not [name for name in FUNCTIONS for way in STATED[name] if written(way.returns) == "Any"]


def test_tensors_have_all_methods_of_the_stub() -> None:
    x = gc.tensor([[2.0, 1.0], [1.0, 3.0]])
    for name in METHODS:
        assert hasattr(x, name), name
    usual = {name for name in dir(x) if not name.startswith("_")} - {"node", "known_leaf", "above", "changes"}
    # The language has them as methods too, but what they take first is no tensor.
    for name in usual - METHODS.keys():
        first = OPS[name].signature.parameters[0]
        assert first.kind is first.VAR_POSITIONAL or described.kinds_of(first) != ["tensor"]
    for name in ("sum", "softmax", "add_", "max", "reshape"):
        assert [p[:3] for p in parameters(METHODS[name][0])[1:]] == [p[:3] for p in inspected(getattr(x, name))]


SCRATCH = """
from typing import Any, NamedTuple
import numpy as np
from gradcli.graph.op import OPS
from gradcli.ops.family import composite, elementwise

class Parts(NamedTuple):
    whole: Any
    rest: Any

def parts(input, times, rounded):
    return Parts(OPS["floor"](input), OPS["frac"](input))

elementwise("cbrt", np.cbrt, dtype="float", doc="Cube root.", aliases=("cube_root",), args="input, slope=0.5")
composite("parts", parts, args="input, times: int=None, *, rounded=False", doc="Both parts.", family="shape")
composite("both", lambda input: (input, input), args="input", doc="The tensor twice.", family="shape")

from stub import stub
print(stub())
"""
NEW = """
class _Parts(NamedTuple):
    whole: Tensor
    rest: Tensor
def cbrt(input: _TensorLike, slope: _Number = 0.5) -> Tensor:
cube_root = cbrt
def parts(input: _TensorLike, times: _Int | None = None, *, rounded: _Bool = False) -> _Parts:
def both(input: _TensorLike) -> tuple[Tensor, ...]:
    def cbrt(self, slope: _Number = 0.5) -> Tensor:
    cube_root = cbrt
    def cbrt_(self, slope: _Number = 0.5) -> Tensor: ...
    cube_root_ = cbrt_
    def parts(self, times: _Int | None = None, *, rounded: _Bool = False) -> _Parts:
    def both(self) -> tuple[Tensor, ...]:
"""


def test_a_new_row_is_in_the_stub() -> None:
    """Its function, its methods and the names of its results, with nothing said anywhere else."""
    docs = Path(__file__).parents[1] / "docs"
    done = subprocess.run(
        [sys.executable, "-c", SCRATCH],
        cwd=docs.parent,
        env={**os.environ, "PYTHONPATH": str(docs)},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert [line for line in NEW.splitlines() if line not in done.stdout.splitlines()] == []


def test_a_row_has_to_say_what_cannot_be_known() -> None:
    (parameter,) = Signature("new", "flavour=None").parameters
    with pytest.raises(ValueError, match="the row must say what flavour=None holds"):
        described.kinds_of(parameter)
    (parameter,) = Signature("new", "flavour: dim|flag=None").parameters
    assert described.kinds_of(parameter) == ["dim", "flag"]
    signature = Signature("new", "x, flavour: dim|flag=None, *, n: int = 2")
    assert signature.bind((1,), {}) == [1, None, 2]
    assert signature.text == "x, flavour=None, *, n=2"


def test_functions_are_one_object_and_can_be_pickled() -> None:
    assert gc.softmax is gc.softmax
    assert pickle.loads(pickle.dumps(gc.subtract)) is gc.subtract
    assert (gc.subtract.__name__, gc.subtract.__module__) == ("subtract", "gradcli")
    assert repr(gc.exp) == "<function gradcli.exp>"
    assert inspect.isroutine(gc.softmax)
