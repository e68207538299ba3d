"""Every operation's gradient against central differences, at orders 1 and 2; wrong rules must be found out."""

from __future__ import annotations

from typing import Any

import pytest

from gradcli.graph.node import Node
from gradcli.graph.op import OPS, Op
from tests.cases import Case, all_cases, uncovered
from tests.gradients import build, errors

CASES = all_cases()


def test_every_operation_has_a_case() -> None:
    assert uncovered() == set()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_gradient(case: Case) -> None:
    assert [errors(case.expression, case.arrays(), order) for order in (1, 2)] == [[], []]


def _detached(op: Op) -> Any:
    """A rule that is right once and loses its own derivative: wrong at second order only."""
    rule = op.vjp
    assert rule is not None

    def wrong(g: Node, out: Node, *inputs: Node, **params: Any) -> tuple[Node | None, ...]:
        cut = OPS["detach"]
        shown = [cut(i) if i.requires_grad else i for i in inputs]
        return rule(g, cut(out), *shown, **params)

    return wrong


def _scaled(op: Op) -> Any:
    """A rule that is off by one percent."""
    rule = op.vjp
    assert rule is not None

    def wrong(g: Node, *rest: Any, **params: Any) -> tuple[Node | None, ...]:
        return tuple(None if r is None else r * 1.01 for r in rule(g, *rest, **params))

    return wrong


MUTANTS_FIRST = [
    "sin(x)",
    "exp(x)",
    "x * x",
    "x / 2",
    "sum(x)",
    "x[0]",
    "x.reshape(-1)",
    "cat([x, x])",
    "x @ x.T",
    "logsumexp(x, 0)",
    "cumsum(x, 0)",
    "x.expand(4, 2, 3)",
    "where(x > 0, x, 2.)",
    "x.permute(1, 0)",
    "softmax(x, 0)",
    "layer_norm(x, (3,))",
    "var(x)",
    "x[[0, 0, 1]]",
]


@pytest.mark.parametrize("expression", MUTANTS_FIRST)
def test_a_rule_off_by_a_percent_is_found(expression: str, monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case(expression, {"x": ((2, 3), (-2.0, 2.0))})
    value, _ = build(expression, case.arrays())
    monkeypatch.setattr(value.op, "vjp", _scaled(value.op))
    assert errors(expression, case.arrays(), 1) != []


@pytest.mark.parametrize(
    "expression",
    [
        "exp(x)",
        "sin(x)",
        "tanh(x)",
        "sigmoid(x)",
        "x**3",
        "softmax(x, 0)",
        "logsumexp(x, 0)",
        "norm(x)",
        "var(x)",
        "prod(x)",
        "log_softmax(x, 1)",
        "gelu(x)",
        "x * x",
        "atan2(x, x + 3)",
        "silu(x)",
    ],
)
def test_a_rule_wrong_only_at_second_order_is_found(expression: str, monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case(expression, {"x": ((2, 3), (-2.0, 2.0))})
    value, _ = build(expression, case.arrays())
    monkeypatch.setattr(value.op, "vjp", _detached(value.op))
    assert errors(expression, case.arrays(), 1) == []
    assert errors(expression, case.arrays(), 2) != []


def test_a_forgotten_operand_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    rule = OPS["mul"].vjp
    assert rule is not None
    monkeypatch.setattr(OPS["mul"], "vjp", lambda g, out, x, y: (rule(g, out, x, y)[0], None))
    case = Case("x * y", {"x": ((2, 3), (-2.0, 2.0)), "y": ((3,), (-2.0, 2.0))})
    assert errors(case.expression, case.arrays(), 1) != []
