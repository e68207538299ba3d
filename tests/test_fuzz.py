"""Requests made of random pieces: whatever they ask for, they end in an answer or in a plain report."""

from __future__ import annotations

import json
import random
import re
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gradcli.errors import GradcliError
from gradcli.evaluation.answer import answer_json, answer_text
from gradcli.evaluation.evaluate import evaluate
from gradcli.evaluation.result import Result
from gradcli.graph.op import OPS
from gradcli.language.parse import parse
from tests.command import call, leftovers

INPUTS: dict[str, Any] = {
    "x": np.array([1, 2], np.float32),
    "m": np.arange(6.0).reshape(2, 3),
    "q": np.array([[2.0, 1.0], [1.0, 3.0]]),
    "z": np.zeros((0, 3), np.float32),
    "s": np.array(2, np.float32),
    "h": np.array([np.inf, np.nan], np.float16),
    "i": np.array([0, 1]),
    "d": np.array(3, np.int32),
    "u": np.array([1, 255], np.uint8),
    "b": np.array([True, False]),
}
ATOMS = [
    "x",
    "x",
    "x",
    "m",
    "m",
    "q",
    "z",
    "s",
    "h",
    "i",
    "d",
    "u",
    "b",
    "0",
    "1",
    "-1",
    "2",
    "3",
    "0.5",
    "-2.5",
    "1e300",
    "inf",
    "nan",
    "2**63",
    "10**400",
    "True",
    "False",
    "None",
    "'sum'",
    "'float32'",
    "''",
    "'fro'",
    "'ij->ji'",
    "'none'",
    "...",
    "[]",
    "[0]",
    "[0,1]",
    "[1,2]",
    "[0.5]",
    "[[1,2],[3,4]]",
    "[[]]",
    "[x,1]",
    "[x,x]",
    "[[x]]",
    "()",
    "(0,)",
    "(1,2)",
    "float16",
    "int64",
    "uint8",
    "pi",
    "x.shape",
    "m.T",
    "max(m,0)",
    "d.dtype",
]
INDICES = [
    "0",
    "-1",
    "5",
    ":",
    "1:",
    "::2",
    ":-1",
    "::0",
    "::-1",
    "...",
    "None",
    "[0,1]",
    "[0,5]",
    "[]",
    "i",
    "b",
    "x",
    "1.5",
    "True",
    "'a'",
    "x:",
    "10**30",
    ":10**30",
    "1:0",
    "[[0,1],[1,0]]",
]
OPERATORS = ["+", "-", "*", "/", "//", "%", "**", "@", "<", "<=", ">", ">=", "==", "!=", "&", "|", "^", "<<", ">>"]
ATTRIBUTES = ["shape", "ndim", "dtype", "T", "mT", "values", "indices", "__class__"]
NAMES = [name for name, op in OPS.items() if op.public]


class Writer:
    """Expressions made of random pieces; most of them make no sense, a good part of them does."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def expression(self, depth: int) -> str:
        pick = self.random.choice
        kind = self.random.random()
        if depth <= 0 or kind < 0.25:
            return pick(ATOMS)
        if kind < 0.65:
            return self.call(depth)
        if kind < 0.8:
            return f"({self.expression(depth - 1)} {pick(OPERATORS)} {self.expression(depth - 1)})"
        if kind < 0.84:
            return f"({pick('-+~')}{self.expression(depth - 1)})"
        if kind < 0.88:
            return f"({self.expression(depth - 1)}).{pick(ATTRIBUTES)}"
        if kind < 0.96:
            items = [pick(INDICES) for _ in range(pick([1, 1, 2, 3]))]
            return f"({self.expression(depth - 1)})[{', '.join(items)}]"
        body, argument = self.expression(depth - 1), self.expression(depth - 1)
        return pick(
            [f"f(x) = {body}; f({argument})", f"y = {body}; y + x", f"y, w = {body}; w", f"[{body}, {argument}]"]
        )

    def call(self, depth: int) -> str:
        pick = self.random.choice
        name = pick(NAMES)
        arguments = [
            self.expression(depth - 1) if self.random.random() < 0.4 else pick(ATOMS)
            for _ in range(pick([0, 1, 1, 1, 2, 2, 2, 3, 3, 4, 5]))
        ]
        method = arguments and self.random.random() < 0.25
        receiver = f"({arguments.pop(0)})." if method else ""
        words = OPS[name].signature.names
        if words and self.random.random() < 0.25:
            arguments.append(f"{pick(words)}={pick(ATOMS)}")
        return f"{receiver}{name}({', '.join(arguments)})"


def used(source: str) -> dict[str, Any]:
    return {name: array for name, array in INPUTS.items() if re.search(rf"\b{name}\b", source)}


def check(result: Result, inputs: dict[str, Any]) -> None:
    """What was computed has the shape and dtype that was promised before, and it can be printed."""
    value = result.value.value()
    assert (value.shape, value.dtype) == (result.value.shape, result.value.dtype)
    for name, gradient in (result.grads or {}).items():
        if gradient is not None:
            array = gradient.value()
            assert (array.shape, array.dtype) == (inputs[name].shape, inputs[name].dtype)
    "".join(answer_text(result))
    json.loads("".join(answer_json(result)))


@pytest.mark.parametrize("seed", range(4))
def test_expressions(seed: int) -> None:
    writer = Writer(seed)
    answers = 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for number in range(2500):
            source = writer.expression(number % 4)
            inputs = used(source)
            try:
                result = evaluate(source, inputs, None, [None, 1.0][number % 2])
                answers += 1
                check(result, inputs)
            except GradcliError as error:
                report(error)
            except Exception as error:
                raise AssertionError(f"{source}: {error!r}") from error
    # Requests that all fail would test little.
    assert answers > 300


def report(error: GradcliError) -> None:
    """An error says what is wrong itself, in lines that can be read."""
    assert "cannot be computed" not in error.message, error
    for line in error.render().splitlines():
        assert line.isprintable() and len(line) < 500, error


def test_every_function_with_every_kind_of_argument() -> None:
    choose = random.Random(0).choice
    for name in NAMES:
        words = OPS[name].signature.names
        sources = [
            f"{name}({', '.join(choose(ATOMS) for _ in range(k))})" for k in range(len(words) + 2) for _ in range(4)
        ]
        sources += [f"{name}({first}, {word}={choose(ATOMS)})" for first in ("x", "m", "q, q") for word in words]
        for source in sources:
            inputs = used(source)
            try:
                check(evaluate(source, inputs, None, 1.0), inputs)
            except GradcliError as error:
                report(error)
            except Exception as error:
                raise AssertionError(f"{source}: {error!r}") from error


def test_damaged_text() -> None:
    """The parser on text in which characters were lost, doubled or exchanged."""
    chance = random.Random(0)
    good = "f(t) = t**2 + 1; y = [1, 2.5e-3, x[0, ..., 1:2]]; # note\n z = -f(3*x).sum(dim=0) @ w; mean(z, 'a') < e"
    alphabet = good + "\\\"'{}`$?!^~|&:\t\r\n\0\x1b\udcffδ²😀"
    for _ in range(3000):
        text = list(good)
        for _ in range(chance.choice([1, 1, 2, 3, 10])):
            at = chance.randrange(len(text))
            text[at : at + chance.choice([0, 1, 1, 2])] = chance.choices(alphabet, k=chance.choice([0, 1, 1, 2]))
        source = "".join(text)
        try:
            parse(source)
        except GradcliError as error:
            assert error.source == source or error.span is None
            report(error)


def test_words_of_the_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Options and values in any order: an exit code of the contract, and a report exactly when something is wrong."""
    monkeypatch.chdir(tmp_path)
    np.save("a.npy", np.array([1.0, 2.0]))
    Path("e.txt").write_text("sum(x)")
    chance = random.Random(0)
    pieces = [
        "x",
        "sum(x)",
        "x*y",
        "-x",
        "--x",
        "-q",
        "-h",
        "--",
        "--json",
        "--no-grad",
        "--wrt",
        "x",
        "y",
        "x,y",
        "--grad-output",
        "1",
        "[1,2]",
        "-f",
        "e.txt",
        "-",
        "-o",
        "value=v.npy",
        "x.grad=-",
        "value=-",
        "x.grad=g.npy",
        "out/",
        "a.npy/",
        "--dtype",
        "float64",
        "int8",
        "bool",
        "--seed",
        "0",
        "--precision",
        "2",
        "--progress",
        "--no-progress",
        "x=1",
        "x=[1,2]",
        "x=a.npy",
        "x=@a.npy",
        "x=@-",
        "x=a.npz:b",
        "x=missing.npy",
        "y=2",
        "y=x",
        "y=[[1,2],[3]]",
        "=1",
        "x=",
        "1=2",
        "...",
        "--frob",
        "-z",
    ]
    begun = time.process_time()
    codes = set()
    for _ in range(1500):
        words = chance.choices(pieces, k=chance.choice([0, 1, 2, 3, 4, 5, 6]))
        if chance.random() < 0.7:
            words = [chance.choice(["x", "sum(x)", "x*y"]), chance.choice(["x=1", "x=a.npy", "x=[1,2]"]), *words]
        done = call(monkeypatch, "eval", *words)
        codes.add(done.code)
        assert done.code in (0, 1, 2) and "internal error" not in done.err, (words, done)
        wrong = done.err.startswith(("gradcli: ", '{"error": '))
        assert wrong == (done.code != 0) and not (wrong and done.out), (words, done)
    assert codes == {0, 1, 2} and time.process_time() - begun < 60
    assert set(leftovers()) <= {
        "a.npy",
        "e.txt",
        "v.npy",
        "g.npy",
        "out",
        "out/value.npy",
        "out/x.grad.npy",
        "out/y.grad.npy",
    }
