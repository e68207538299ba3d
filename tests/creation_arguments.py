"""The arguments of operations that create tensors, for the tests that call every operation."""

from __future__ import annotations

SPECIAL: dict[str, dict[str, str]] = {
    "isin": {"elements": "x", "test_elements": "y", "assume_unique": "True", "invert": "True"},
    "scalar_tensor": {"s": "3"},
    "new_tensor": {"data": "[1, 2]"},
    "randint": {"low": "0", "high": "5", "size": "(3,)"},
    "randint_like": {"low": "3", "high": "5"},
    "normal": {"mean": "x", "std": "y"},
    "gcd": {"input": "i", "other": "i"},
    "lcm": {"input": "i", "other": "i"},
    "unique_consecutive": {"return_inverse": "False", "return_counts": "False"},
    "bincount": {"input": "i", "weights": "v[:2]", "minlength": "4"},
    **{
        f"{name}_window": {"window_length": "5", "periodic": "False", "alpha": "0.5", "beta": "0.4"}
        for name in ("hann", "hamming", "blackman", "bartlett", "kaiser")
    },
    "logspace": {"base": "2.0", "start": "0", "end": "2"},
    "tril_indices": {"row": "3", "col": "4", "offset": "1"},
    "triu_indices": {"row": "3", "col": "4", "offset": "1"},
    "bernoulli": {"input": "x/3", "p": "0.3"},
    "multinomial": {"input": "x*x", "num_samples": "2", "replacement": "True"},
}
# Where one argument more than what is required is no sound call.
SOUND: dict[str, list[str]] = {
    "randint": ["randint(5, (3,))", "randint(2, 5, (3,))", "randint(2, 5, (3,), dtype=float64)"],
    "normal": ["normal(0, 1, (3,))", "normal(x)", "normal(x, 2.)", "normal(0, y)", "normal(x, y)"],
}
