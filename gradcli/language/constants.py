"""The numbers that have names in the language, and the names of its loops."""

from __future__ import annotations

import math

CONSTANTS: dict[str, float] = {"pi": math.pi, "π": math.pi, "e": math.e, "inf": math.inf, "nan": math.nan}

#: Functions whose first argument is a function.
LOOPS = ("iterate", "fold", "scan", "each")
