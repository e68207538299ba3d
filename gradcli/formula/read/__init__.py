"""formula.read."""
