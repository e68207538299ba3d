"""NIST's reference problems of nonlinear regression, read from the files as NIST writes them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

FOLDER = Path(__file__).parent / "data" / "nist"
NAMES = sorted(path.stem for path in FOLDER.glob("*.dat"))
_PARAMETER = re.compile(r"\s*(b\d+) *= *(\S+) +(\S+) +(\S+) +(\S+)")


class Problem(NamedTuple):
    """A model in gradcli's language, its data, two starts, and what is certified of its solution."""

    model: str
    data: dict[str, np.ndarray]
    starts: tuple[dict[str, float], dict[str, float]]
    params: dict[str, float]
    errors: dict[str, float]
    sum_of_squares: float
    residual_std: float


def problem(name: str) -> Problem:
    """The problem of a name."""
    lines = (FOLDER / f"{name}.dat").read_text(encoding="ascii").splitlines()
    head = [line.split(":")[0] for line in lines]
    begin = head.index("Model")
    rows = [found.groups() for line in lines[begin:] if (found := _PARAMETER.match(line))]
    columns = [{row[0]: float(row[k]) for row in rows} for k in range(1, 5)]
    table = len(head) - 1 - head[::-1].index("Data")
    numbers = np.array([line.split() for line in lines[table + 1 :] if line], np.float64)
    return Problem(
        _model(lines[begin:table]),
        dict(zip(lines[table].split()[1:], numbers.T, strict=True)),
        (columns[0], columns[1]),
        columns[2],
        columns[3],
        float(lines[head.index("Residual Sum of Squares")].split()[-1]),
        float(lines[head.index("Residual Standard Deviation")].split()[-1]),
    )


def _model(lines: list[str]) -> str:
    """The formula, which goes on until the starts begin: `log[y] = b1 - ... + e`."""
    end = next(k for k, line in enumerate(lines) if line.strip().lower().startswith("starting"))
    text = " ".join(line.strip() for line in lines[1:end])
    text = text[re.search(r"\by *=|log\[y\] *=", text).start() :]  # type: ignore[union-attr]
    text = re.sub(r"\+ *e *$", "", text.strip())
    return text.replace("[", "(").replace("]", ")").replace("arctan", "atan").strip()
