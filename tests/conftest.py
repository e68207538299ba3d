"""Settings for all tests: properties are tried on the same examples at every run, so that a failure is no accident.

What compares with PyTorch is left out where that is not installed, and mandatory with GRADCLI_ORACLE=1, as in CI.
"""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Generator, Iterator, Sequence
from contextvars import ContextVar
from importlib.util import find_spec
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

import gradcli.engine.plan.planner
from gradcli.engine.execute.threads import THREADS
from gradcli.engine.native.choice import ENGINE
from gradcli.engine.plan.program import Sizes
from gradcli.evaluation.evaluate import _kept
from gradcli.formula import derivation
from gradcli.formula.lengths import Given
from gradcli.graph.dtypes import DEFAULT_DTYPE, FLOAT32
from gradcli.language.instructions import Script
from gradcli.machine.limits import HAS_LIMIT, MEMORY_LIMIT
from gradcli.ops.create import GENERATOR

# How long it takes says more of what else a machine has to do.
_SLOW = (HealthCheck.too_slow,)
settings.register_profile("repeatable", derandomize=True, deadline=None, database=None, suppress_health_check=_SLOW)
settings.load_profile("repeatable")

WITH_PYTORCH = os.environ.get("GRADCLI_ORACLE") == "1" or find_spec("torch") is not None
# Modules, too, are collected: for their doctests.
collect_ignore_glob = ["typing/*", *([] if WITH_PYTORCH else ["oracle", "torch_side.py", "test_oracle*.py"])]

# Figures and plans in tests and docs are those of NumPy's engine, with llvmlite or without; native code is asked for.
os.environ.setdefault("GRADCLI_ENGINE", "numpy")

# A shell that runs tests in the background has them ignore Ctrl-C, and `nohup` the end of a terminal; so would all
# processes that they start.
for number, handler in (("SIGINT", signal.default_int_handler), ("SIGHUP", signal.SIG_DFL)):
    if hasattr(signal, number) and signal.getsignal(getattr(signal, number)) is signal.SIG_IGN:
        signal.signal(getattr(signal, number), handler)

# What programs set for themselves, as it is in the beginning.
_SETTINGS: list[tuple[ContextVar[Any], Any]] = [
    (THREADS, None),
    (ENGINE, None),
    (MEMORY_LIMIT, None),
    (HAS_LIMIT, False),
    (GENERATOR, None),
    (DEFAULT_DTYPE, FLOAT32),
]


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Thousands of tests are made and stay: no collection of garbage goes through them, now or later."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


def pytest_runtest_setup(item: pytest.Item) -> None:
    if not WITH_PYTORCH and item.get_closest_marker("oracle") is not None:
        pytest.skip("needs the extra `oracle`")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """How many entries of PyTorch's operator table hold: see tests/oracle."""
    counts = {
        outcome: sum(
            "oracle/test_operators.py::test_entry[" in r.nodeid for r in terminalreporter.stats.get(outcome, ())
        )
        for outcome in ("passed", "failed")
    }
    if any(counts.values()):
        from tests.oracle.entries import NAMES, PRESENT

        absent = len(NAMES) - len(PRESENT)
        terminalreporter.write_line(
            f"of {len(NAMES)} entries of PyTorch's operator table {counts['passed']} pass, {counts['failed']} fail, "
            f"{absent} are absent" + f", {len(PRESENT) - sum(counts.values())} were not run"
        )


@pytest.fixture(autouse=True)
def settings_of_its_own() -> Iterator[None]:
    """What a test sets is gone after it."""
    tokens = [(variable, variable.set(value)) for variable, value in _SETTINGS]
    yield
    for variable, token in tokens:
        variable.reset(token)


@pytest.fixture
def in_blocks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What is too large to be small goes through in blocks, however little there is to compute."""
    monkeypatch.setattr(gradcli.engine.plan.planner, "DEFAULT_SIZES", Sizes(little=0))
    _kept.clear()
    yield
    _kept.clear()


@pytest.fixture
def derived_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A formula that is asked for in several formats is derived once."""
    known: dict[Any, derivation.Derived] = {}
    derive = derivation.derive

    def remembered(script: Script, givens: Sequence[Given], wanted: derivation.Wanted) -> derivation.Derived:
        key = (script.source, tuple(givens), wanted)
        if key not in known:
            known[key] = derive(script, givens, wanted)
        return known[key]

    monkeypatch.setattr(derivation, "derive", remembered)
