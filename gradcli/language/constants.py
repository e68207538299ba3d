"""The numbers that have names in the language."""

from __future__ import annotations

import math

CONSTANTS: dict[str, float] = {"pi": math.pi, "π": math.pi, "e": math.e, "inf": math.inf, "nan": math.nan}
