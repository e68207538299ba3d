"""Records a second through `gradcli stream`, beside the same loop written in PyTorch and in HIPS autograd, and beside
loops that only read and write the same JSON.

    python benchmarks/stream.py [--records 50000] [--repeat 5]

Each contender is a process of its own that reads JSON Lines from a file and writes JSON Lines to a pipe: read a line,
compute, go backward, write a line, on one thread. They run in turn. The clock runs from the first answer to the last,
so that no start-up counts, and the answers are compared. `json` and `orjson` are bare loops of `loads` and `dumps`;
gradcli uses orjson in the runs of that name only. Whoever is not installed is left out.
"""

import argparse
import importlib.util
import json
import math
import os
import random
import subprocess
import sys
import tempfile
import time

from record import Record, add_option, summary

EXPRESSIONS = ("mean(2*(3*x+7)**2)", "sum(sigmoid(x)*tanh(x))")

PYTORCH = """
import json, sys, torch
torch.set_num_threads(1)
{function}
for line in sys.stdin:
    record = json.loads(line)
    x = torch.tensor(record.pop("x"), requires_grad=True)
    value = f(x)
    value.backward()
    record["value"], record["grads"] = value.item(), {{"x": x.grad.tolist()}}
    sys.stdout.write(json.dumps(record) + "\\n")
"""
AUTOGRAD = """
import json, sys, autograd, autograd.numpy as np
{function}
both = autograd.value_and_grad(f)
for line in sys.stdin:
    record = json.loads(line)
    value, gradient = both(np.array(record.pop("x"), np.float32))
    record["value"], record["grads"] = float(value), {{"x": gradient.tolist()}}
    sys.stdout.write(json.dumps(record) + "\\n")
"""
BARE = {
    "json": "import json, sys\nfor line in sys.stdin: sys.stdout.write(json.dumps(json.loads(line)) + '\\n')",
    "orjson": (
        "import orjson, sys\nwrite = sys.stdout.buffer.write\n"
        "for line in sys.stdin.buffer: write(orjson.dumps(orjson.loads(line)) + b'\\n')"
    ),
}
#: In front of the command, so that it finds no orjson.
WITHOUT = "import sys; sys.modules['orjson'] = None; from gradcli.__main__ import main; main()"
FUNCTIONS = {
    "PyTorch": ("f = lambda x: (2*(3*x + 7)**2).mean()", "f = lambda x: (torch.sigmoid(x)*torch.tanh(x)).sum()"),
    "autograd": ("f = lambda x: np.mean(2*(3*x + 7)**2)", "f = lambda x: np.sum(1/(1 + np.exp(-x))*np.tanh(x))"),
}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--records", type=int, default=50_000)
    options.add_argument("--repeat", type=int, default=5)
    add_option(options)
    given = options.parse_args()
    record = Record(given.json, len(EXPRESSIONS))
    rates: dict[tuple[int, str], list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "records.jsonl")
        write_records(path, given.records)
        for k, expression in enumerate(EXPRESSIONS):
            for _ in range(given.repeat):
                answers = {}
                for name, command in contenders(k).items():
                    rate, answers[name] = run(command, path)
                    rates.setdefault((k, name), []).append(rate)
                compare({name: text for name, text in answers.items() if name not in BARE}, given.records)
            measured = {name: rate_summary(rates[k, name]) for name in contenders(k)}
            record.add(measured, expression=expression, records=given.records)
    print(f"{given.records} records of 4 numbers, {given.repeat} interleaved repetitions; records a second")
    ours = [name for name in contenders(0) if name.startswith("gradcli")]
    heads = "".join(f"{name:>24s}" for name in ours)
    print(f"{'':26s} {'':24s} {'best':>8s} {'median':>8s}   over it, best and median:\n{'':77s}{heads}")
    for k, expression in enumerate(EXPRESSIONS):
        for name in contenders(k):
            theirs = sorted(rates[k, name])
            middle = len(theirs) // 2
            ratios = ""
            for one in ours:
                own = sorted(rates[k, one])
                ratios += f"{own[-1] / theirs[-1]:17.2f} {own[middle] / theirs[middle]:6.2f}"
            print(f"{expression:26s} {name:24s} {theirs[-1]:8.0f} {theirs[middle]:8.0f}          {ratios}")


def contenders(k: int) -> dict[str, list[str]]:
    """The commands for an expression."""
    found = {}
    for engine in ("numpy", "native"):
        words = ["stream", EXPRESSIONS[k], "--engine", engine]
        if engine == "numpy" or is_there("llvmlite"):
            found[f"gradcli {engine}"] = [sys.executable, "-c", WITHOUT, *words]
            if is_there("orjson"):
                found[f"gradcli {engine}, orjson"] = [sys.executable, "-m", "gradcli", *words]
    for name, text in BARE.items():
        if is_there(name):
            found[name] = [sys.executable, "-c", text]
    for name, text, package in (("PyTorch", PYTORCH, "torch"), ("autograd", AUTOGRAD, "autograd")):
        if is_there(package):
            found[name] = [sys.executable, "-c", text.format(function=FUNCTIONS[name][k])]
    return found


def rate_summary(rates: list[float]) -> dict[str, float]:
    """The highest rate is the best one."""
    found = summary([-rate for rate in rates])
    return {"max": -found["min"], "median": -found["median"], "rounds": found["rounds"]}


def is_there(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def write_records(path: str, count: int) -> None:
    numbers = random.Random(0)
    with open(path, "w", encoding="ascii") as file:
        for k in range(count):
            file.write(json.dumps({"id": k, "x": [round(numbers.gauss(0, 1), 4) for _ in range(4)]}) + "\n")


def run(command: list[str], path: str) -> tuple[float, bytes]:
    """Records a second between the first answer and the last, and all answers."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "GRADCLI_THREADS": "1"}
    with open(path, "rb") as records:
        child = subprocess.Popen(command, stdin=records, stdout=subprocess.PIPE, env=environment)
    assert child.stdout is not None
    parts = [os.read(child.stdout.fileno(), 1 << 16)]
    start = end = time.perf_counter()
    while data := os.read(child.stdout.fileno(), 1 << 16):
        parts.append(data)
        end = time.perf_counter()
    if child.wait():
        raise SystemExit(f"{command[:4]} failed")
    answers = b"".join(parts)
    return (answers.count(b"\n") - parts[0].count(b"\n")) / (end - start), answers


def compare(answers: dict[str, bytes], count: int) -> None:
    """Stop where the contenders do not agree."""
    rows = [[json.loads(line) for line in text.splitlines()] for text in answers.values()]
    for records in zip(*rows, strict=True):
        first = records[0]
        for other in records[1:]:
            pairs = zip([first["value"], *first["grads"]["x"]], [other["value"], *other["grads"]["x"]], strict=True)
            assert first["id"] == other["id"]
            assert all(math.isclose(a, b, rel_tol=1e-4, abs_tol=1e-5) for a, b in pairs), records
    assert len(rows[0]) == count


if __name__ == "__main__":
    main()
