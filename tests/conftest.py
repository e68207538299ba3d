"""Settings for all tests: properties are tried on the same examples at every run, so that a failure is no accident."""

from __future__ import annotations

from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

import pytest
from hypothesis import settings

import gradcli.plan
from gradcli.dtypes import DEFAULT_DTYPE, FLOAT32
from gradcli.evaluation import _kept_request
from gradcli.execute.memory import MEMORY_LIMIT
from gradcli.execute.threads import THREADS
from gradcli.ops.create import GENERATOR
from gradcli.plan.program import Sizes

settings.register_profile("repeatable", derandomize=True, deadline=None, database=None)
settings.load_profile("repeatable")

# What programs set for themselves, as it is in the beginning.
_SETTINGS: list[tuple[ContextVar[Any], Any]] = [
    (THREADS, None), (MEMORY_LIMIT, None), (GENERATOR, None), (DEFAULT_DTYPE, FLOAT32),
]  # fmt: skip


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
    monkeypatch.setattr(gradcli.plan, "DEFAULT_SIZES", Sizes(little=0))
    _kept_request.cache_clear()
    yield
    _kept_request.cache_clear()
