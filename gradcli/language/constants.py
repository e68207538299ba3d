"""The numbers that have names in the language, the names of its loops, and those of other libraries."""

from __future__ import annotations

import math

CONSTANTS: dict[str, float] = {"pi": math.pi, "π": math.pi, "e": math.e, "inf": math.inf, "nan": math.nan}

#: Functions whose first argument is a function.
LOOPS = ("iterate", "fold", "scan", "each")
#: What others call them.
LOOP_WORDS = {
    "vmap": "each",
    "vectorize": "each",
    "map": "each",
    "reduce": "fold",
    "accumulate": "scan",
    "fori_loop": "iterate",
}

#: What code of other libraries begins with, and the library that is meant: `np.std(x)`.
PREFIXES = {
    "torch": "torch",
    "nn": "torch.nn",
    "F": "torch.nn.functional",
    "np": "numpy",
    "numpy": "numpy",
    "jax": "jax",
    "jnp": "jax.numpy",
    "jsp": "jax.scipy",
    "scipy": "scipy",
    "math": "math",
}
