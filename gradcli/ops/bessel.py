"""Modified Bessel functions of the first kind."""

# Rows are laid out by hand.
# fmt: off

from __future__ import annotations

from typing import Any

from gradcli.graph.node import Node
from gradcli.graph.op import Op
from gradcli.ops.elementwise import sign
from gradcli.ops.family import apply, elementwise
from gradcli.ops.formulas import arithmetic
from gradcli.ops.kernels.bessel_series import bessel_i_into
from gradcli.ops.kernels.inplace import whole

_bessel_i = whole(bessel_i_into)


def _order(x: Node, n: int, scaled: bool) -> Node:
    """The function of any order, by its public name where it has one."""
    if n < 2:
        return apply({(0, False): i0, (0, True): i0e, (1, False): i1, (1, True): i1e}[n, scaled], x)
    return apply(higher, x, n=n, scaled=scaled)


def _slope(x: Node, out: Node, n: int, scaled: bool) -> Node:
    """The derivative, which has no quotient that would break at 0: the mean of the orders beside it."""
    plain = _order(x, 1, scaled) if n == 0 else (_order(x, n - 1, scaled) + _order(x, n + 1, scaled)) * 0.5
    return plain - sign(x) * out if scaled else plain


def _row(name: str, n: int, scaled: bool, doc: str, textbook: Any = None) -> Op:
    return elementwise(
        name, lambda x: _bessel_i(x, n=n, scaled=scaled), dtype="float", doc=doc,
        torch=None if name == "i0" else f"special.{name}",
        grad_fn="I0Backward0" if name == "i0" else f"Special{name.title()}Backward0", cost=200.0,
        vjp=lambda g, out, x: (g * _slope(x, out, n, scaled),), textbook=textbook, tame=scaled,
        parity="odd" if n else "even",
    )


higher: Op = elementwise(
    "_bessel_i", _bessel_i, args="input, n=2, scaled=False", dtype="float", cost=200.0, grad_fn="BesselBackward0",
    doc="A modified Bessel function of higher order.",
    formula=arithmetic.none("Bessel functions of higher order have no name in formulas"),
    vjp=lambda g, out, x, n, scaled: (g * _slope(x, out, n, scaled),),
)
i0 = _row("i0", 0, False, "Modified Bessel function of the first kind, of order 0.")
i0e = _row("i0e", 0, True, "`exp(-abs(input))*i0(input)`, without overflow.")
i1 = _row(
    "i1", 1, False, "Modified Bessel function of the first kind, of order 1.",
    lambda g, out, x: (g * (i0(x) - out / x),),
)
i1e = _row(
    "i1e", 1, True, "`exp(-abs(input))*i1(input)`, without overflow.",
    lambda g, out, x: (g * (i0e(x) - out / x - sign(x) * out),),
)
