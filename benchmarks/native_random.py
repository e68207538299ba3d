"""Random expressions in native code beside blocks of NumPy: how many are slower, and which.

    python benchmarks/native_random.py [--count 300] [--seed 0] [--smallest 1] [--largest 1e7] [--rounds 9]

Each expression has its value and all gradients computed by both engines in turn, warm; a ratio is NumPy's median
divided by that of native code, so above 1 native code is ahead. Requests that both compute alike, operation by
operation, are told apart: they say nothing.
"""

from __future__ import annotations

import argparse
import math
import random
import re
import statistics
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
from record import Record, add_option, summary

import gradcli as gc
from gradcli.engine.execute.run import run
from gradcli.engine.native.choice import chosen
from gradcli.engine.native.step import NativeStep
from gradcli.engine.native.whole import functions_of
from gradcli.engine.plan.planner import plan
from gradcli.engine.plan.program import Program
from gradcli.errors import GradcliError
from gradcli.evaluation.request import prepare
from gradcli.evaluation.values import InputSpec
from gradcli.language.parse import parse

ONE = [
    "exp(-abs({}))",
    "log1p({}**2)",
    "tanh({})",
    "sigmoid({})",
    "sin({})",
    "cos({})",
    "sqrt({}**2 + 1)",
    "abs({})",
    "{}**2",
    "{}**3",
    "relu({})",
    "gelu({})",
    "silu({})",
    "softplus({})",
    "erf({})",
    "clamp({}, -1, 1)",
    "atan({})",
    "where({0} > 0, {0}, {0}*0.1)",
    "1/({}**2 + 2)",
    "floor({})",
    "expm1({}*0.1)",
    "-{}",
    "{} > 0.5",
    "round({}*3)",
]
TWO = [
    "{} + {}",
    "{} - {}",
    "{}*{}",
    "{}/({}**2 + 1)",
    "maximum({}, {})",
    "where({} > {}, 1.5, -0.5)",
    "hypot({}, {})",
    "{} + 2*{}",
    "atan2({}, {})",
]
#: Along the last dimension of a matrix.
ROWS = [
    "softmax({}, 1)",
    "log_softmax({}, 1)",
    "{0} - mean({0}, 1, keepdim=True)",
    "sum({}, 1, keepdim=True)",
    "amax({}, 1, keepdim=True)",
    "cumsum({}, 1)",
    "({0} - mean({0}, 0))/(std({0}, 0) + 1)",
    "logsumexp({}, 1, keepdim=True)",
    "norm({}, 2, 1, keepdim=True)",
    "var({}, 1, keepdim=True)",
    "flip({}, 1)",
    "mean({}, 0)",
    "{} @ W",
]
WHOLE = ["sum({})", "mean({})", "mean({}**2)", "var({})", "amax({})", "sum(abs({}))", "norm({})"]
WIDTHS = (1, 2, 3, 4, 7, 8, 10, 16, 20, 31, 32, 33, 50, 64, 100, 256, 300, 1000)


class Case(NamedTuple):
    """An expression and its inputs."""

    expression: str
    inputs: dict[str, Any]

    def __str__(self) -> str:
        shapes = ", ".join(f"{name} {'x'.join(map(str, a.shape))} {a.dtype}" for name, a in self.inputs.items())
        return f"{self.expression}  [{shapes}]"


class Timing(NamedTuple):
    """Seconds of each round, the first native call with its compilation, and how many steps of how many are native."""

    case: Case
    numpy_rounds: list[float]
    native_rounds: list[float]
    first: float
    steps: tuple[int, int]

    @property
    def numpy(self) -> float:
        """The median."""
        return statistics.median(self.numpy_rounds)

    @property
    def native(self) -> float:
        return statistics.median(self.native_rounds)

    @property
    def ratio(self) -> float:
        return self.numpy / self.native


def drawn(seed: int, smallest: float, largest: float) -> Case:
    """The expression of a seed."""
    draw = random.Random(seed)
    elements = int(10 ** draw.uniform(math.log10(smallest), math.log10(largest)))
    wide = draw.random() < 0.5
    width = min(draw.choice(WIDTHS), elements) if wide else 1
    rows = max(1, elements // width)
    shapes = {"x": (rows, width), "y": (rows, width), "r": (width,), "c": (rows, 1), "W": (width, min(width, 8))}
    if not wide:
        shapes = {"x": (rows,), "y": (rows,), "s": ()}
    terms = [name for name in shapes if name != "W"]
    for _ in range(draw.randint(1, 8)):
        kind = draw.random()
        form = draw.choice(ONE if kind < 0.4 else TWO if kind < 0.75 or not wide else ROWS)
        # A product with a matrix of many columns is the BLAS's alone, and ends what can be combined with the rest.
        form = form.replace("{} @ W", "sum({} @ W, 1, keepdim=True)")
        a, b = draw.choice([*terms[:2], *terms[-3:]]), draw.choice(terms)
        if form in ROWS or "@" in form:
            # What was made may be a row or a column.
            a = f"({a} + x)"
        terms.append(f"({form.format(a, b)})")
    expression = draw.choice([*WHOLE, "{}*1.5"]).format(f"({terms[-1]}*x)")
    dtype = draw.choice(["float32", "float64"])
    rng = np.random.default_rng(seed)
    used = {name: shape for name, shape in shapes.items() if re.search(rf"\b{name}\b", expression)}
    return Case(expression, {name: rng.standard_normal(shape).astype(dtype) for name, shape in used.items()})


def steps_of(program: Program) -> tuple[int, int]:
    """How many of a plan's steps are native, and how many there are: those of passes, or of a small request."""
    if program.direct:
        steps = len(program.stages[0].whole)
        return sum(len(part.covers) for part in functions_of(program)), steps
    native = total = 0
    for one in [one for stage in program.stages for one in stage.passes]:
        for step in chosen(program, one).steps:
            count = len(step.covers) if isinstance(step, NativeStep) else 1
            total += count
            native += count if isinstance(step, NativeStep) else 0
    return native, total


def timed(case: Case, rounds: int) -> Timing:
    """Both engines in turn, warm."""
    specs = tuple(InputSpec(name, a.shape, a.dtype, True) for name, a in case.inputs.items())
    request = prepare(parse(case.expression), specs, None, case.expression.endswith("1.5"))
    names = {leaf: name for name, leaf in request.leaves.items()}
    program = plan(request.roots)

    def given(leaf: Any) -> Any:
        if leaf in names and names[leaf] in case.inputs:
            return case.inputs[names[leaf]]
        value = leaf.params.get("value")
        return np.ones(leaf.shape, leaf.dtype) if value is None else value

    leaves = [given(leaf) for leaf in program.leaves]

    def call(engine: str) -> float:
        gc.set_engine(engine)
        start = time.perf_counter()
        run(program, leaves)
        return time.perf_counter() - start

    first = call("native")
    steps = steps_of(program)
    call("numpy"), call("native")
    if not steps[0]:
        return Timing(case, [1.0], [1.0], first, steps)
    times = [(call("numpy"), call("native")) for _ in range(rounds)]
    numpy, native = (list(column) for column in zip(*times, strict=True))
    return Timing(case, numpy, native, first, steps)


def report(timings: list[Timing], worst: int) -> None:
    """The distribution of the ratios, and the worst ones."""
    native = [one for one in timings if one.steps[0]]
    ratios = sorted(one.ratio for one in native)
    print(f"{len(timings)} expressions, {len(native)} of them with native steps")
    if not native:
        return
    places = (0, 0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 1)
    print("quantiles: " + ", ".join(f"{q:.0%} {ratios[round(q * (len(ratios) - 1))]:.2f}" for q in places))
    for bound in (0.8, 0.95, 1.0):
        slower = sum(ratio < bound for ratio in ratios)
        print(f"below {bound}: {slower} ({slower / len(ratios):.1%})")
    print(f"geometric mean {statistics.geometric_mean(ratios):.2f}")
    print(f"first native call: median {statistics.median(one.first for one in native) * 1e3:.0f} ms, ", end="")
    print(f"longest {max(one.first for one in native) * 1e3:.0f} ms")
    for one in sorted(native, key=lambda one: one.ratio)[:worst]:
        part = f"{one.steps[0]}/{one.steps[1]} native"
        print(f"{one.ratio:5.2f}  {one.numpy * 1e3:8.2f} {one.native * 1e3:8.2f} ms  {part}  {one.case}")


def main() -> None:
    """Draw, measure and print."""
    parser = argparse.ArgumentParser(description="Random expressions: native code beside blocks of NumPy.")
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--smallest", type=float, default=1)
    parser.add_argument("--largest", type=float, default=1e7)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--worst", type=int, default=20)
    add_option(parser)
    options = parser.parse_args()
    if options.threads:
        gc.set_num_threads(options.threads)
    record = Record(options.json)
    seeds = range(options.seed, options.seed + options.count)
    timings = []
    for seed in seeds:
        try:
            one = timed(drawn(seed, options.smallest, options.largest), options.rounds)
        except GradcliError as refused:
            # Such as the difference of booleans.
            print(f"seed {seed}: {str(refused).splitlines()[0]}")
            continue
        timings.append(one)
        # What has no native step is computed once, and says nothing.
        both = {"native": one.native_rounds, "NumPy": one.numpy_rounds} if one.steps[0] else {}
        about = {"seed": seed, "case": str(one.case), "native": one.steps[0], "steps": one.steps[1]}
        record.add({name: summary(rounds) for name, rounds in both.items()}, **about, first=float(f"{one.first:.3g}"))
    report(timings, options.worst)


if __name__ == "__main__":
    main()
