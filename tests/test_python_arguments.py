"""Python's side with arguments of all kinds: a GradcliError says what is wrong, never an error from inside."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import gradcli as gc
from gradcli.engine.execute.bounds import MEMORY_LIMIT
from gradcli.errors import GradcliError
from gradcli.graph.op import OPS
from gradcli.tensors.tensor import call as operation
from tests.sampling import sampled
from tests.test_every_operation import PYTHON

pytestmark = pytest.mark.filterwarnings("error")


def x() -> gc.Tensor:
    return gc.tensor([[0.7, 1.1, 1.6], [0.9, 1.4, 0.6]], dtype=gc.float64, requires_grad=True)


ODD: dict[str, Callable[[], Any]] = {
    "None": lambda: None,
    "a string": lambda: "abc",
    "an object": object,
    "a dict": lambda: {"a": 1},
    "a set": lambda: {1, 2},
    "a slice": lambda: slice(0, 1),
    "a complex number": lambda: 1j,
    "bytes": lambda: b"ab",
    "strings": lambda: np.array(["a", "b"]),
    "objects": lambda: np.array([None, 1], dtype=object),
    "complex numbers": lambda: np.array([1j, 2]),
    "dates": lambda: np.array(["2020-01-01"], "M8[D]"),
    "records": lambda: np.zeros(2, dtype=[("a", "f4")]),
    "unsigned": lambda: np.uint64(2**63),
    "a type": lambda: int,
    "a generator": lambda: iter([1]),
    "a large number": lambda: 10**400,
    "minus one": lambda: -1,
    "a dtype": lambda: np.dtype("complex64"),
    "ragged": lambda: [[1], [2, 3]],
    "nothing": list,
    "None in a list": lambda: [None],
    "a tensor in a list": lambda: [x(), "a"],
    "ragged arrays": lambda: [np.ones(2), [1]],
    "a tensor": x,
    "a whole tensor": lambda: gc.tensor([0, 1]),
    "an empty tensor": lambda: gc.zeros(0, 3),
}

CALLS: dict[str, Callable[[Any], Any]] = {
    "grad": lambda o: gc.grad(o, x()),
    "grad of": lambda o: gc.grad(x().sum(), o),
    "grad with": lambda o: (lambda t: gc.grad(t * 2, t, o))(x()),
    "grad among": lambda o: gc.grad(x().sum(), [o]),
    "backward": lambda o: (x() * 2).backward(o),
    "backward to": lambda o: x().sum().backward(inputs=o),
    "set grad": lambda o: setattr(x(), "grad", o),
    "requires_grad": lambda o: x().requires_grad_(o),
    "size": lambda o: x().size(o),
    "in place": lambda o: x().detach().__iadd__(o),
    "index": lambda o: x()[o],
    "list index": lambda o: x()[[o]],
    "tensor": gc.tensor,
    "dtype": lambda o: gc.tensor(1.0, dtype=o),
    "flag": lambda o: gc.tensor(1.0, requires_grad=o),
    "from_numpy": gc.from_numpy,
    "seed": gc.manual_seed,
    "threads": gc.set_num_threads,
    "default dtype": gc.set_default_dtype,
    "evaluate": lambda o: gc.evaluate(o, {"x": x()}),
    "evaluate with": lambda o: gc.evaluate("x", o),
    "evaluate at": lambda o: gc.evaluate("sum(x)", {"x": o}),
    "named": lambda o: gc.evaluate("x", {str: 1, "x": o}),
    "wrt": lambda o: gc.evaluate("sum(x)", {"x": x()}, o),
    "wrt among": lambda o: gc.evaluate("sum(x)", {"x": x()}, [o]),
    "grad_output": lambda o: gc.evaluate("x*2", {"x": x()}, grad_output=o),
}
DERIVED = ("jacobian", "hessian", "vjp", "jvp", "hvp", "vhp", "gradcheck", "gradgradcheck")


def tried(call: Callable[..., Any], *arguments: Any, **words: Any) -> None:
    """The call gives something that can be looked at, or says what is wrong."""
    MEMORY_LIMIT.set(200_000_000)
    try:
        result = call(*arguments, **words)
        for part in result if isinstance(result, list | tuple) else [result]:
            if isinstance(part, gc.Tensor):
                repr(part)
    except GradcliError as error:
        assert not PYTHON.search(error.message), error.message


def total(*tensors: Any) -> Any:
    return tensors[0].sum() if tensors else x().sum()


@pytest.mark.parametrize("kind", ODD)
def test_functions_of_the_package(kind: str) -> None:
    make = ODD[kind]
    for call in CALLS.values():
        tried(call, make())
    for name in DERIVED:
        derive = getattr(gc, name)
        if not isinstance(make(), type):
            tried(derive, make(), x())
        tried(derive, total, make())
        tried(derive, total, (x(), make()))
        tried(derive, lambda t: make(), x())
        tried(derive, lambda t: (t, make()), x())
        if name in ("vjp", "jvp", "hvp", "vhp"):
            tried(derive, total, x(), make())


@pytest.mark.parametrize("name", sampled([n for n, op in OPS.items() if op.public and n == op.name], every=2))
def test_operations(name: str) -> None:
    op = OPS[name]
    for make in ODD.values():
        for word in op.signature.names:
            given = {k: x() for k in op.signature.names if k not in op.signature.defaults}
            tried(operation, op, **{**given, word: make()})
        if name != "detach" and not op.attribute:
            tried(getattr(x(), name), make())
