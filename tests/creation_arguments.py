"""The arguments of operations that create tensors, for the tests that call every operation."""

from __future__ import annotations

SPECIAL: dict[str, dict[str, str]] = {
    "isin": {"elements": "x", "test_elements": "y", "assume_unique": "True", "invert": "True"},
    "scalar_tensor": {"s": "3"},
    "new_tensor": {"data": "[1, 2]"},
}
# Where one argument more than what is required is no sound call.
SOUND: dict[str, list[str]] = {}
