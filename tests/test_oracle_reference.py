"""The names of PyTorch in the reference of operations are names that PyTorch has."""

from __future__ import annotations

import re
from functools import reduce

import pytest

from tests.oracle import torch
from tests.terminal import ROOT

pytestmark = pytest.mark.oracle

NAMES = re.findall(r"\| `(torch\.[\w.]+)` \|", (ROOT / "docs/operations.md").read_text(encoding="utf-8"))


def test_the_reference_was_read() -> None:
    assert len(NAMES) > 100


@pytest.mark.parametrize("name", NAMES)
def test_pytorch_has_the_name(name: str) -> None:
    assert reduce(getattr, name.split(".")[1:], torch) is not None
