"""Random expressions, run by the engine and op by op: is any of them slower by the engine?

An expression is a chain of statements, each applied to the last result or to an earlier one: elementwise operations,
broadcasting, reductions, softmax and its like, matrix products, indexing, reshapes. Sizes are log-uniform from one
element to ten million.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from engine_measure import Options, Run, median, print_table, warm

from gradcli.engine.execute.run import op_by_op
from gradcli.evaluation.compiled import Compiled
from gradcli.evaluation.request import prepare
from gradcli.evaluation.values import InputSpec
from gradcli.language.parse import parse

Array = np.ndarray
Shape = tuple[int, ...]

LARGEST = 10_000_000
#: Multiplications that a matrix product may cost.
_DEAREST = 1 << 30
_MOST_STATEMENTS = 10
#: A timing lasts at least so many seconds, of as many calls as that takes.
_SHORTEST = 2e-3
_ROUNDS = 5
#: Rounds for those that seem slower by the engine: most were disturbed.
_MORE_ROUNDS = 25
_SUSPICIOUS = 1.1
_SHOWN = 10

UNARY = (
    "tanh({})",
    "sigmoid({})",
    "sin({})",
    "cos({})",
    "exp(-abs({}))",
    "log1p({}**2)",
    "sqrt({}**2 + 1)",
    "relu({})",
    "abs({})",
    "{}**2",
    "{}**3",
    "1/(1 + {}**2)",
    "-{}",
    "2*{} + 3",
    "clamp({}, -1, 1)",
    "softplus({})",
    "where({} > 0, {}, 0.1*{})",
    "logsigmoid({})",
    "{}/3",
)
BINARY = ("{} + {}", "{} - {}", "{}*{}", "{}/(1 + abs({}))", "maximum({}, {})", "where({} > {}, 1.5, 0.5)*{}")
ALONG = (
    "softmax({}, {})",
    "log_softmax({}, {})",
    "{} - mean({}, {}, keepdim=True)",
    "{} - amax({}, {}, keepdim=True)",
    "{} - logsumexp({}, {}, keepdim=True)",
    "{}/(1 + sum(abs({}), {}, keepdim=True))",
    "cumsum({}, {})",
    "flip({}, {})",
)
REDUCTIONS = ("sum({}, {})", "mean({}, {})", "amax({}, {})", "logsumexp({}, {})", "sum({}**2, {})")
INDICES = {
    "[1:]": np.s_[1:],
    "[::2]": np.s_[::2],
    "[..., :1]": np.s_[..., :1],
    "[None]": None,
    "[-1:]": np.s_[-1:],
    "[..., 0]": np.s_[..., 0],
    "[[0, 0]]": [0, 0],
}


class Expression(NamedTuple):
    source: str
    inputs: dict[str, Array]

    @property
    def elements(self) -> int:
        return max(array.size for array in self.inputs.values())

    def __str__(self) -> str:
        shapes = ", ".join(f"{name} {array.shape}" for name, array in self.inputs.items())
        return f"{self.source}  [{next(iter(self.inputs.values())).dtype}: {shapes}]"


class _Growing:
    """An expression in the making: its statements, the shapes of its names, its inputs."""

    __slots__ = ("rng", "dtype", "inputs", "statements", "shapes")

    def __init__(self, rng: np.random.Generator, largest: int) -> None:
        self.rng = rng
        self.dtype = np.float32 if rng.random() < 0.6 else np.float64
        self.inputs: dict[str, Array] = {}
        self.statements: list[str] = []
        shape = self._first_shape(largest)
        self.shapes: list[tuple[str, Shape]] = [(self.new_input(shape), shape)]

    def _first_shape(self, largest: int) -> Shape:
        size = int(math.exp(self.rng.uniform(0, math.log(largest))))
        dims = int(self.rng.choice([1, 2, 2, 2, 3]))
        shape: list[int] = []
        for _ in range(dims - 1):
            length = int(math.exp(self.rng.uniform(0, math.log(max(2, min(300, size))))))
            shape.append(length)
            size = max(1, size // length)
        shape.insert(int(self.rng.integers(dims)), size)
        return tuple(shape)

    def new_input(self, shape: Shape) -> str:
        name = f"x{len(self.inputs)}"
        self.inputs[name] = self.rng.standard_normal(shape).astype(self.dtype)
        return name

    def state(self, text: str, shape: Shape) -> None:
        name = f"t{len(self.statements)}"
        self.statements.append(f"{name} = {text}")
        self.shapes.append((name, shape))

    def pick(self, choices: tuple[str, ...]) -> str:
        return choices[int(self.rng.integers(len(choices)))]

    def grow(self) -> None:
        """One more statement, mostly on the last result."""
        last = len(self.shapes) - 1
        name, shape = self.shapes[last if self.rng.random() < 0.8 else int(self.rng.integers(last + 1))]
        steps: list[Callable[[str, Shape], None]] = [self._unary] * 5 + [self._binary] * 4
        if shape:
            steps += [self._along, self._along, self._reduction, self._index, self._reshape]
        if len(shape) >= 2:
            steps += [self._product, self._transpose]
        steps[int(self.rng.integers(len(steps)))](name, shape)

    def _unary(self, name: str, shape: Shape) -> None:
        self.state(_fill(self.pick(UNARY), name), shape)

    def _binary(self, name: str, shape: Shape) -> None:
        """With an earlier result of the same shape, or with a new input of that shape, a row, a column or a scalar."""
        same = [other for other, known in self.shapes if known == shape]
        kind = self.rng.random()
        if kind < 0.4:
            other = same[int(self.rng.integers(len(same)))]
        elif kind < 0.6:
            other = self.new_input(shape)
        else:
            other = self.new_input(tuple(n if self.rng.random() < 0.5 else 1 for n in shape))
        self.state(_fill(self.pick(BINARY), name, other), shape)

    def _along(self, name: str, shape: Shape) -> None:
        dim = int(self.rng.integers(len(shape)))
        self.state(_with_dim(self.pick(ALONG), name, dim), shape)

    def _reduction(self, name: str, shape: Shape) -> None:
        dim = int(self.rng.integers(len(shape)))
        self.state(_with_dim(self.pick(REDUCTIONS), name, dim), shape[:dim] + shape[dim + 1 :])

    def _index(self, name: str, shape: Shape) -> None:
        index = self.pick(tuple(INDICES))
        result = np.broadcast_to(np.float32(0), shape)[INDICES[index]].shape
        if 0 not in result:
            self.state(name + index, result)

    def _reshape(self, name: str, shape: Shape) -> None:
        if self.rng.random() < 0.5:
            self.state(f"{name}.reshape(-1)", (math.prod(shape),))
        else:
            self.state(f"{name}.unsqueeze(-1)", (*shape, 1))

    def _transpose(self, name: str, shape: Shape) -> None:
        self.state(f"{name}.mT", (*shape[:-2], shape[-1], shape[-2]))

    def _product(self, name: str, shape: Shape) -> None:
        columns = int(self.rng.choice([1, 3, 16, 64]))
        if math.prod(shape) * columns <= _DEAREST and math.prod(shape[:-1]) * columns <= 2 * LARGEST:
            weights = self.new_input((shape[-1], columns))
            self.state(f"{name} @ {weights}/{max(1, math.isqrt(shape[-1]))}", (*shape[:-1], columns))

    def finished(self) -> Expression:
        name, shape = self.shapes[-1]
        final = name if not shape else f"{self.pick(('mean', 'sum'))}({name})"
        return Expression("; ".join([*self.statements, final]), self.inputs)


def _fill(pattern: str, *names: str) -> str:
    """The names in turn, the last one as often as there are places left."""
    places = pattern.count("{}")
    return pattern.format(*names[:places], *(names[-1],) * (places - len(names)))


def _with_dim(pattern: str, name: str, dim: int) -> str:
    """The last place is the dimension's."""
    return pattern.format(*(name,) * (pattern.count("{}") - 1), dim)


def random_expressions(count: int, seed: int, largest: int) -> Iterator[Expression]:
    """Expressions of one to ten statements; the same ones for the same seed."""
    for k in range(count):
        rng = np.random.default_rng([seed, k])
        growing = _Growing(rng, largest)
        for _ in range(int(rng.integers(1, _MOST_STATEMENTS + 1))):
            growing.grow()
        yield growing.finished()


class Ways(NamedTuple):
    """Two functions that compute the same value and gradients."""

    engine: Run
    single: Run


def ways(expression: Expression) -> Ways:
    """The engine with its plan, and op by op on whole arrays. The graph of value and gradients is built for both."""
    forms = [InputSpec(name, array.shape, array.dtype) for name, array in expression.inputs.items()]
    request = prepare(parse(expression.source), forms)
    for name, leaf in request.leaves.items():
        leaf.params["data"] = expression.inputs[name]

    compiled = Compiled(request)

    def engine() -> list[Array]:
        return compiled.run(expression.inputs)

    return Ways(engine, lambda: op_by_op(request.roots))


class Compared(NamedTuple):
    """Time op by op over time by the engine: with the plan kept, and at the first call, from the text on."""

    kept: float
    first: float
    expression: Expression


def compare(expression: Expression) -> Compared:
    both = ways(expression)
    _report_difference(expression, both.engine(), both.single())
    first = _clock(lambda: ways(expression).single(), 1) / _clock(lambda: ways(expression).engine(), 1)
    calls = max(1, int(_SHORTEST / max(1e-7, _clock(both.engine, 1))))
    engine, single = [], []
    for done in range(1, _MORE_ROUNDS + 1):
        engine.append(_clock(both.engine, calls))
        single.append(_clock(both.single, calls))
        if done >= _ROUNDS and min(single) / min(engine) >= _SUSPICIOUS:
            break
    return Compared(min(single) / min(engine), first, expression)


def _clock(run: Run, calls: int) -> float:
    start = time.perf_counter()
    for _ in range(calls):
        run()
    return (time.perf_counter() - start) / calls


def _report_difference(expression: Expression, engine: list[Array], single: list[Array]) -> None:
    """Tell of results further apart than rounding explains."""
    tolerance = 1e-3 if single[0].dtype == np.float32 else 1e-9
    for a, b in zip(engine, single, strict=True):
        # A gradient whose terms cancel is measured by the value's share of an element.
        scale = max(_largest(b), _largest(single[0]) / b.size)
        if not np.allclose(a, b, rtol=tolerance, atol=tolerance * scale, equal_nan=True):
            print(f"differs: {expression}", flush=True)
            return


def _largest(x: Array) -> float:
    return float(np.max(np.abs(x), initial=0, where=np.isfinite(x)))


def print_random(options: Options) -> None:
    """The worst ratios with their expressions, and a table by size."""
    largest = options.size(LARGEST)
    warm(largest * 160)
    found = [compare(expression) for expression in random_expressions(options.count, options.seed, largest)]
    found.sort(key=lambda item: item.kept)
    decades: dict[int, list[Compared]] = {}
    for item in found:
        decades.setdefault(int(math.log10(item.expression.elements)), []).append(item)
    rows = []
    for decade, items in sorted(decades.items()):
        kept, first = [item.kept for item in items], [item.first for item in items]
        ratios = [f"{value:.2f}" for value in (kept[0], median(kept), median(first))]
        rows.append([f"from 1e{decade}", str(len(items)), *ratios])
    print_table(["elements", "expressions", "worst", "median", "median at the first call"], rows)
    print(f"Slowest beside op by op, of {len(found)}:\n")
    for item in found[:_SHOWN]:
        print(f"- {item.kept:.2f}: `{item.expression}`", flush=True)
