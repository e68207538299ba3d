"""How the language scales: parse, build, differentiate and run, in microseconds a node, and relative to short inputs.

    python benchmarks/language.py

A time a node that stays the same from a thousand to a hundred thousand terms means that nothing is quadratic.
"""

import time

import numpy as np

import gradcli
from gradcli.autodiff.vjp import vjp
from gradcli.engine.execute.run import execute
from gradcli.evaluation.interpret import Interpreter
from gradcli.graph.node import constant, input_node, toposort
from gradcli.language.parse import parse

REPETITIONS = 3


def measure(source: str) -> tuple[int, dict[str, float]]:
    """The number of nodes, and the best time of each stage over the repetitions."""
    best: dict[str, float] = {}
    nodes = 0
    for _ in range(REPETITIONS):
        marks = [time.perf_counter()]
        script = parse(source)
        marks.append(time.perf_counter())
        x = input_node(np.ones((), np.float32), requires_grad=True, name="x")
        value = Interpreter(source, {"x": x}).run(script)
        marks.append(time.perf_counter())
        gradient = vjp([value], [constant(np.float32(1))], [x])[x]
        marks.append(time.perf_counter())
        execute([value, gradient])
        marks.append(time.perf_counter())
        nodes = len(toposort([value, gradient]))
        for stage, start, end in zip(("parse", "build", "differentiate", "run"), marks, marks[1:], strict=False):
            best[stage] = min(best.get(stage, 1e9), end - start)
    return nodes, best


def main() -> None:
    gradcli.evaluate("x + x", {"x": 1})
    stages = " ".join(f"{stage:>7s}" for stage in ("parse", "build", "differ.", "run", "sum"))
    print(f"{'':34s} {'nodes':>8s} {stages}  {'a node':>8s}  ratio")
    for name, make, sizes in (
        ("x + x + … of so many terms", lambda n: "+".join(["x"] * n), (1_000, 10_000, 100_000)),
        ("sin(x)*2 + … of so many terms", lambda n: "+".join(["sin(x)*2"] * n), (1_000, 10_000, 50_000)),
        ("((…x…)) nested so deep", lambda n: "(" * n + "x" + ")" * n, (200, 2_000, 20_000)),
        ("sin(sin(…x…)) nested so deep", lambda n: "sin(" * n + "x" + ")" * n, (200, 2_000, 20_000)),
    ):
        first = 0.0
        for size in sizes:
            nodes, times = measure(make(size))
            total = sum(times.values())
            # Parentheses make no nodes: their cost is told a parenthesis.
            unit = total / (nodes if nodes > 2 else size) * 1e6
            first = first or unit
            stages = " ".join(f"{t:6.3f}s" for t in times.values())
            print(
                f"{name + ', ' + str(size):34s} {nodes:8d} {stages} {total:6.3f}s  {unit:5.1f} µs  {unit / first:5.2f}"
            )


if __name__ == "__main__":
    main()
