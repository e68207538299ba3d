"""Long loops with all gradients, beside the same loop in PyTorch: processor time, planning, time and memory a turn.

    python benchmarks/loops.py

Everything is on one thread, built and planned anew each time. `plan` is all that comes before the first turn: parse,
build, differentiate, simplify, plan; `first` the first run, which compiles what is worth it and no earlier process has
compiled, `again` the best of some more; `kept` what is kept of each turn for the gradient. The ratios are PyTorch's
time over `first` and `again`.
"""

import argparse
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from record import Record, add_option, summary

import gradcli as gc
from gradcli.engine.plan.program import Program
from gradcli.evaluation.compiled import Compiled
from gradcli.evaluation.request import prepare
from gradcli.evaluation.values import specs_of
from gradcli.language.parse import parse

REPETITIONS = 3
TURNS = (100, 1_000, 10_000)
RNG = np.random.default_rng(0)

STEP = """
step(y, h=0.001) = {
  a = slope(y)
  b = slope(y + h/2*a)
  c = slope(y + h/2*b)
  d = slope(y + h*c)
  y + h/6*(a + 2*b + 2*c + d)
}
sum(iterate(step, y0, TURNS)**2)
"""
LSTM = """
step(h, c, x) = {
  i, f, g, o = chunk(W@h + U@x + b, 4)
  c = sigmoid(f)*c + sigmoid(i)*tanh(g)
  h = sigmoid(o)*tanh(c)
  (h, c, h)
}
h, c, hs = scan(step, (zeros(8).double(), zeros(8).double()), xs[:TURNS])
sum(hs**2) + sum(c)
"""


def runge_kutta(slope: Callable[..., Any], y: Any, turns: int, h: float = 0.001) -> Any:
    for _ in range(turns):
        a = slope(y)
        b = slope(y + h / 2 * a)
        c = slope(y + h / 2 * b)
        d = slope(y + h * c)
        y = y + h / 6 * (a + 2 * b + 2 * c + d)
    return (y**2).sum()


def oscillator(turns: int, y0: Any, k: Any) -> Any:
    return runge_kutta(lambda y: torch.stack([y[1], k * (1 - y[0] ** 2) * y[1] - y[0]]), y0, turns)


def network(turns: int, y0: Any, A: Any) -> Any:
    return runge_kutta(lambda y: torch.tanh(A @ y), y0, turns)


def lstm(turns: int, W: Any, U: Any, b: Any, xs: Any) -> Any:
    h, c, outputs = torch.zeros(8, dtype=W.dtype), torch.zeros(8, dtype=W.dtype), []
    for x in xs[:turns]:
        i, f, g, o = (W @ h + U @ x + b).chunk(4)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        outputs.append(h)
    return (torch.stack(outputs) ** 2).sum() + c.sum()


class Case(NamedTuple):
    name: str
    text: str
    theirs: Callable[..., Any]
    inputs: dict[str, np.ndarray]


CASES = [
    Case(
        "van der Pol, Runge and Kutta",
        "slope(y) = [y[1], k*(1 - y[0]**2)*y[1] - y[0]]" + STEP,
        oscillator,
        {"y0": np.array([1.0, 0.2]), "k": np.array(1.3)},
    ),
    Case(
        "tanh(A@y), Runge and Kutta",
        "slope(y) = tanh(A@y)" + STEP,
        network,
        {"y0": np.array([1.0, 0.2, 0.3]), "A": np.eye(3)},
    ),
    Case(
        "scan of an LSTM",
        LSTM,
        lstm,
        {
            "W": 0.3 * RNG.normal(size=(32, 8)),
            "U": RNG.normal(size=(32, 3)),
            "b": RNG.normal(size=32),
            "xs": RNG.normal(size=(10_000, 3)),
        },
    ),
]


def kept(program: Program) -> int:
    steps = [step.node for stage in program.stages for step in stage.whole if step.node.op.repeated is not None]
    return sum(node.op.repeated(node).kept for node in steps)


def ours(case: Case, turns: int) -> tuple[float, float, int]:
    """Seconds of planning and in all, and the bytes that each turn keeps."""
    start = time.process_time()
    request = prepare(parse(case.text.replace("TURNS", str(turns))), specs_of(case.inputs))
    compiled = Compiled(request)
    planned = time.process_time()
    compiled.run(case.inputs, threads=1)
    return planned - start, time.process_time() - start, kept(compiled.program)


def theirs(case: Case, turns: int) -> float:
    leaves = {name: torch.tensor(array, requires_grad=True) for name, array in case.inputs.items()}
    start = time.process_time()
    case.theirs(turns, **leaves).backward()
    return time.process_time() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_option(parser)
    record = Record(parser.parse_args().json, len(CASES) * len(TURNS))
    torch.set_num_threads(1)
    gc.evaluate("x + x", {"x": 1})
    columns = " ".join(f"{name:>8s}" for name in ("plan", "first", "again", "a turn", "kept", "PyTorch"))
    print(f"{'':28s} {'turns':>6s} {columns}  ratios")
    for turns in TURNS:
        for case in CASES:
            _, first, size = ours(case, turns)
            again, others = [], []
            for _ in range(REPETITIONS):
                again.append(ours(case, turns)[:2])
                others.append(theirs(case, turns))
            plan, total = min(again, key=lambda found: found[1])
            other = min(others)
            measured = {"gradcli": [one for _, one in again], "PyTorch": others}
            measured |= {"gradcli, first run": [first], "planning": [one for one, _ in again]}
            measured = {name: summary(values) for name, values in measured.items()}
            record.add(measured, loop=case.name, turns=turns, kept=size)
            print(
                f"{case.name:28s} {turns:6,d} {plan * 1e3:5.1f} ms {first * 1e3:5.0f} ms {total * 1e3:5.0f} ms "
                f"{total / turns * 1e6:5.0f} µs {size:6d} B {other * 1e3:5.0f} ms  ",
                f"{other / first:.1f} {other / total:.1f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
