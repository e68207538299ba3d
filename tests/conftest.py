"""Settings for all tests: properties are tried on the same examples at every run, so that a failure is no accident."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import settings

from gradcli.execute.threads import THREADS

settings.register_profile("repeatable", derandomize=True, deadline=None, database=None)
settings.load_profile("repeatable")


@pytest.fixture(autouse=True)
def no_threads_left_over() -> Iterator[None]:
    """A number of threads that a test sets is gone after it."""
    token = THREADS.set(None)
    yield
    THREADS.reset(token)
