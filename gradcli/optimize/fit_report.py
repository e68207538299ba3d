"""What a fit has found, as text."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from gradcli.optimize.statistics import Statistics
from gradcli.render.marks import Heading, Marked

# Digits of a standard error that mean something.
_ERROR_DIGITS = 2
_DIGITS = 6
# A standard error is told as a share of its parameter up to this one.
_LARGEST_SHARE = 10
# More elements than these are not shown one by one in matrices that have them twice.
_MOST_CORRELATED = 20

_TITLES = {
    "observations": "observations",
    "degrees_of_freedom": "degrees of freedom",
    "chi_square": "χ²",
    "reduced_chi_square": "reduced χ²",
    "residual_std": "residual standard deviation",
    "r_squared": "R²",
    "aic": "AIC",
}


def fit_text(
    labels: Sequence[str], values: Sequence[float], errors: Sequence[float], correlation: Any, quality: Statistics
) -> Marked:
    """The parameters with their standard errors, how they are correlated, and how good the fit is."""
    lines = [*_parameters(labels, values, errors), ""]
    if 1 < len(labels) <= _MOST_CORRELATED:
        lines += [Heading("correlation"), *_correlation(labels, correlation.tolist()), ""]
    found = {title: getattr(quality, key) for key, title in _TITLES.items()}
    width = max(map(len, found))
    lines += [f"{title:{width}}  {_number(value)}" for title, value in found.items()]
    return Marked.of_lines(lines)


def _parameters(labels: Sequence[str], values: Sequence[float], errors: Sequence[float]) -> Iterator[str]:
    texts = [_with_error(value, error) for value, error in zip(values, errors, strict=True)]
    name = max(map(len, labels))
    left, right = (max(map(len, column)) for column in zip(*texts, strict=True))
    for label, (value, error), x, e in zip(labels, texts, values, errors, strict=True):
        share = f"  ({_percent(e / abs(x))})" if 0 < e < _LARGEST_SHARE * abs(x) else ""
        yield f"{label:{name}}  {value:>{left}} ± {error:{right}}{share}".rstrip()


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 1 else f"{100 * share:.2g} %"


def _with_error(value: float, error: float) -> tuple[str, str]:
    """A value and its standard error, both to the last digit of the error that means something.

    >>> _with_error(2.50166, 0.01234), _with_error(238.94212918, 2.7070075241), _with_error(0.00055015, 7.2668688e-06)
    (('2.502', '0.012'), ('238.9', '2.7'), ('0.0005502', '0.0000073'))
    >>> _with_error(-1812.3, 246.0), _with_error(1.5e9, 1234.0), _with_error(2.0, 0.0)
    (('-1810', '250'), ('1.5000000e+09', '1.2e+03'), ('2', '0'))
    """
    if not (math.isfinite(error) and error > 0 and math.isfinite(value)):
        return f"{value:.{_DIGITS}g}", f"{error:g}"
    # What rounds up to a power of ten has its last digit one place higher.
    place = int(f"{error:.{_ERROR_DIGITS - 1}e}".partition("e")[2]) - (_ERROR_DIGITS - 1)
    largest = math.floor(math.log10(max(abs(value), error)))
    if -_DIGITS < largest <= _DIGITS and place >= -2 * _DIGITS:
        value, error = round(value, -place) + 0, round(error, -place)
        return f"{value:.{max(-place, 0)}f}", f"{error:.{max(-place, 0)}f}"
    digits = min(max(largest - place, 0), 16)
    return f"{value:.{digits}e}", f"{error:.{_ERROR_DIGITS - 1}e}"


def _correlation(labels: Sequence[str], matrix: list[list[float]]) -> Iterator[str]:
    """The part below the diagonal: the other one is the same, and each element is wholly correlated with itself."""
    name = max(map(len, labels[1:]))
    width = max(6, *map(len, labels[:-1]))
    yield f"{'':{name}}  {'  '.join(f'{label:>{width}}' for label in labels[:-1])}"
    for k, label in enumerate(labels[1:], 1):
        yield f"{label:{name}}  {'  '.join(f'{round(x, 3) + 0:>{width}.3f}' for x in matrix[k][:k])}"


def _number(value: float) -> str:
    return "undefined" if math.isnan(value) else str(value) if isinstance(value, int) else f"{value:.{_DIGITS}g}"
