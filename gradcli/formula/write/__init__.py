"""formula.write."""
