"""Writes gradcli/engine/native/functions/coefficients.py: the polynomials and tables of the elementary functions.

`python benchmarks/native_coefficients.py` fits them anew with mpmath, in a minute or two, and prints how close each is.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import mpmath as mp
import numpy as np

HOME = Path(__file__).parents[1] / "gradcli/engine/native/functions/coefficients.py"
BITS = 200
#: Instead of 64, for float64 numbers whose result is rounded to float32.
SHORT = 48
#: Below this, what would cancel is replaced by the value at 0.
NOTHING = 1e-15

Real = Any
Function = Callable[[Real], Real]


class Fit(NamedTuple):
    """A polynomial in `variable(x)` near `function`; the error times `weight` is made as small as can be.

    The weight is what makes the error relative to the last digit of the result that the polynomial is a part of.
    `degrees` has one for each size of floats in bits.
    """

    function: Function
    low: Real
    high: Real
    weight: Function
    degrees: dict[int, int]
    variable: Function = lambda x: x
    carried: int = 0
    #: Whether the first coefficient is given as two floats.
    paired: bool = False


def _near_zero(function: Function, at_zero: Real) -> Function:
    return lambda x: function(x) if abs(x) > NOTHING else mp.mpf(at_zero)


def _square(x: Real) -> Real:
    return x * x


def _erfcx_times(x: Real) -> Real:
    """`(1 + 2x) exp(x^2) erfc(x)`, between 1 and 1.3 for all positive x."""
    return (1 + 2 * x) * mp.exp(x * x) * mp.erfc(x)


def fits() -> dict[str, Fit]:
    half_log2, quarter_pi = mp.log(2) / 2 * mp.mpf("1.01"), mp.pi / 4 * mp.mpf("1.03")
    low, high = 1 / mp.sqrt(2) - 1, mp.sqrt(2) - 1
    tiny = mp.mpf(2) ** -10
    return {
        # e^r = 1 + r + r^2 p(r)
        "exp": Fit(
            _near_zero(lambda r: (mp.expm1(r) - r) / r**2, 0.5),
            -half_log2,
            half_log2,
            lambda r: (r * r + 0.003) / mp.exp(r),
            {32: 4, 64: 9},
        ),
        "expm1": Fit(
            _near_zero(lambda r: (mp.expm1(r) - r) / r**2, 0.5),
            -half_log2,
            half_log2,
            lambda r: abs(r) + 0.03,
            {32: 5, 64: 10},
        ),
        # log(1 + f) = f + f^2 p(f) = f - f^2/2 + f^3 p(f)
        "log": Fit(
            _near_zero(lambda f: (mp.log1p(f) - f) / f**2, -0.5), low, high, lambda f: abs(f) + 0.03, {32: 9, 64: 20}
        ),
        "log_cubic": Fit(
            _near_zero(lambda f: (mp.log1p(f) - f + f * f / 2) / f**3, mp.mpf(1) / 3),
            low,
            high,
            lambda f: f * f + 0.003,
            {32: 7, 64: 18},
        ),
        # For float32 in float64: log2(1 + f) = f p(f), and 2**r
        "log2": Fit(
            _near_zero(lambda f: mp.log1p(f) / f / mp.log(2), 1 / mp.log(2)),
            low,
            high,
            _near_zero(lambda f: f / mp.log1p(f), 1),
            {SHORT: 13},
        ),
        "exp2": Fit(lambda r: mp.mpf(2) ** r, -0.5, 0.5, lambda r: mp.mpf(2) ** -r, {SHORT: 6}),
        # atanh(s) = s (1 + s^2/3 + s^4 p(s^2))
        "atanh": Fit(
            lambda s: ((mp.atanh(s) / s - 1) / s**2 - mp.mpf(1) / 3) / s**2,
            tiny,
            3 - 2 * mp.sqrt(2),
            lambda s: 1,
            {64: 7},
            _square,
        ),
        "sin": Fit(lambda r: (mp.sin(r) - r) / r**3, tiny, quarter_pi, lambda r: r * r + 0.01, {32: 2, 64: 5}, _square),
        "cos": Fit(
            lambda r: (mp.cos(r) - 1 + r * r / 2) / r**4,
            tiny,
            quarter_pi,
            lambda r: r**4 + 0.003,
            {32: 2, 64: 5},
            _square,
        ),
        "tanh": Fit(
            lambda x: (mp.tanh(x) - x) / x**3, tiny, TANH_POLYNOMIAL, lambda x: x * x + 0.001, {32: 6, 64: 12}, _square
        ),
        "sinh": Fit(
            lambda x: (mp.sinh(x) - x) / x**3, tiny, SINH_POLYNOMIAL, lambda x: x * x + 0.001, {32: 3, 64: 6}, _square
        ),
        "asin": Fit(
            lambda r: (mp.asin(r) - r) / r**3, tiny, mp.mpf(1) / 2, lambda r: r * r + 0.001, {32: 4, 64: 12}, _square
        ),
        "atan": Fit(
            lambda r: (mp.atan(r) - r) / r**3, tiny, mp.mpf("0.4377"), lambda r: r * r + 0.001, {32: 4, 64: 11}, _square
        ),
        # erf(x) = x + x p(x^2) up to 1
        "erf": Fit(lambda x: mp.erf(x) / x - 1, tiny, 1, lambda x: x / mp.erf(x), {32: 6, 64: 12}, _square, carried=3),
        "erfc": Fit(mp.erfc, 1, 4, lambda x: 1, {32: 15}, lambda x: x - 2.25),
        "erfcx_short": Fit(
            _erfcx_times, mp.mpf("0.49"), 11, lambda x: 1, {SHORT: 10}, lambda x: (x - ERFCX_SHIFT) / (x + ERFCX_SHIFT)
        ),
        "erfcx": Fit(
            _erfcx_times,
            mp.mpf("0.49"),
            28,
            lambda x: 1,
            {64: 21},
            lambda x: (x - ERFCX_SHIFT) / (x + ERFCX_SHIFT),
            paired=True,
        ),
        "rcbrt": Fit(lambda m: mp.cbrt(1 / m), 1, 8, mp.cbrt, {32: 6, 64: 6}),
    }


ERFCX_SHIFT = 3.75
#: Up to here they are polynomials.
TANH_POLYNOMIAL = 0.8125
SINH_POLYNOMIAL = 1.0


def _polynomial(coefficients: list[Real], t: Real) -> Real:
    """Its value; the constant comes first."""
    total = mp.mpf(0)
    for coefficient in reversed(coefficients):
        total = total * t + coefficient
    return total


def fit(wanted: Fit, degree: int, rounds: int = 6) -> tuple[list[Real], Real]:
    """Remez's algorithm on a grid: the coefficients, lowest first, and the largest weighted error."""
    function, low, high, weight, variable = (wanted.function, wanted.low, wanted.high, wanted.weight, wanted.variable)
    low, high, count = mp.mpf(low), mp.mpf(high), degree + 2
    first, last = variable(low), variable(high)

    def place(t: Real) -> Real:
        return (low + high) / 2 - (high - low) / 2 * mp.cos(mp.pi * t)

    grid = [place(mp.mpf(i) / (24 * count)) for i in range(24 * count + 1)]
    known = [(function(x), weight(x), variable(x)) for x in grid]
    # The first guess: where Chebyshev's polynomial of the variable turns.
    turns = [(first + last) / 2 - (last - first) / 2 * mp.cos(mp.pi * i / (count - 1)) for i in range(count)]
    chosen = [min(range(len(grid)), key=lambda j: abs(known[j][2] - turn)) for turn in turns]
    best: tuple[Real, list[Real]] | None = None
    for _ in range(rounds):
        matrix, right = mp.matrix(count, count), mp.matrix(count, 1)
        for row, j in enumerate(chosen):
            value, scale, t = known[j]
            right[row], matrix[row, count - 1] = value, (-1) ** row / scale
            for column in range(degree + 1):
                matrix[row, column] = t**column
        solution = mp.lu_solve(matrix, right)
        coefficients = [solution[j] for j in range(degree + 1)]
        errors = [(_polynomial(coefficients, t) - value) * scale for value, scale, t in known]
        largest = max(map(abs, errors))
        if best is None or largest < best[0]:
            best = (largest, coefficients)
        chosen = _extremes(errors, count)
        if len(chosen) < count:
            break
    assert best is not None
    return best[1], best[0]


def _extremes(errors: list[Real], count: int) -> list[int]:
    """The places of the largest errors of alternating sign, no more than are needed."""
    runs: list[int] = []
    for i, error in enumerate(errors):
        if not runs or (error > 0) != (errors[runs[-1]] > 0):
            runs.append(i)
        elif abs(error) > abs(errors[runs[-1]]):
            runs[-1] = i
    while len(runs) > count:
        runs.pop(0 if abs(errors[runs[0]]) < abs(errors[runs[-1]]) else -1)
    return runs


def rounded(value: Real, bits: int) -> float:
    return float(np.float32(float(value))) if bits == 32 else float(value)


def polynomial(name: str, bits: int) -> tuple[list[float], Real]:
    """The coefficients as floats of so many bits, and the largest error before they were rounded."""
    with mp.workprec(BITS):
        wanted = fits()[name]
        coefficients, error = fit(wanted, wanted.degrees[bits])
        # What rounding takes from the first ones goes into the next, and is right where the variable is 1.
        for i in range(wanted.carried):
            kept = mp.mpf(rounded(coefficients[i], bits))
            coefficients[i + 1] += coefficients[i] - kept
            coefficients[i] = kept
        if wanted.paired:
            coefficients.insert(1, coefficients[0] - mp.mpf(rounded(coefficients[0], bits)))
        return [rounded(c, bits) for c in coefficients], error


def tables() -> dict[str, list[float]]:
    """`erfc` and the slope of `erf` at multiples of 1/64."""
    with mp.workprec(BITS):
        places = [mp.mpf(i) / 64 for i in range(512)]
        return {
            "erfc_at": [float(mp.erfc(x)) for x in places],
            "erf_slope": [float(2 / mp.sqrt(mp.pi) * mp.exp(-x * x)) for x in places],
        }


def numbers() -> dict[str, Real]:
    """What is split into several floats, to 240 bits."""
    return {
        "log2": mp.log(2),
        "one_over_log2": 1 / mp.log(2),
        "two_over_log2": 2 / mp.log(2),
        "log10_of_2": mp.log(2, 10),
        "one_over_log10": 1 / mp.log(10),
        "pi": mp.pi,
        "half_pi": mp.pi / 2,
        "two_over_pi": 2 / mp.pi,
        "third": mp.mpf(1) / 3,
        **{f"atan_{name}": mp.atan(x) for name, x in (("half", 0.5), ("one", 1), ("three_halves", 1.5))},
    }


def _hex(values: list[float]) -> str:
    return " ".join(value.hex() for value in values)


def _lines(text: str) -> str:
    """A long string in lines of the usual length."""
    lines, words = [], text.split()
    while words:
        line = words.pop(0)
        while words and len(line) + len(words[0]) < 105:
            line += f" {words.pop(0)}"
        lines.append(line)
    return '"""\n' + "\n".join(lines) + '\n"""'


def source() -> str:
    parts = []
    for name, wanted in fits().items():
        for bits in wanted.degrees:
            coefficients, error = polynomial(name, bits)
            print(f"{name:>10} {bits}: degree {wanted.degrees[bits]:2}, 2**{float(mp.log(error, 2)):.1f}", flush=True)
            parts.append(f'    ("{name}", {bits}): {_lines(_hex(coefficients))},\n')
    long = [f'    ("{name}", 64): {_lines(_hex(values))},\n' for name, values in tables().items()]
    with mp.workprec(1500):
        digits = [f'    "{name}": 0x{int(mp.floor(mp.ldexp(x, 240))):x},\n' for name, x in numbers().items()]
        two_over_pi = f"{int(mp.floor(mp.ldexp(2 / mp.pi, 1400))):x}"
    split = "\n".join(f'    "{two_over_pi[i : i + 100]}"' for i in range(0, len(two_over_pi), 100))
    return (
        '"""Coefficients, lowest first, and tables; benchmarks/native_coefficients.py writes this file."""\n\n'
        "# fmt: off\n"
        f"POLYNOMIALS = {{\n{''.join(parts)}}}\n"
        f"TABLES = {{\n{''.join(long)}}}\n"
        f"#: Times 2**240, rounded down.\nNUMBERS = {{\n{''.join(digits)}}}\n"
        f"#: 2 / pi times 2**1400, rounded down: hexadecimal digits.\nTWO_OVER_PI = (\n{split}\n)\n"
        f"ERFCX_SHIFT = {ERFCX_SHIFT}\nTANH_POLYNOMIAL = {TANH_POLYNOMIAL}\nSINH_POLYNOMIAL = {SINH_POLYNOMIAL}\n"
    )


if __name__ == "__main__":
    text = source()
    if "--print" not in sys.argv[1:]:
        HOME.write_text(text, encoding="utf-8")
