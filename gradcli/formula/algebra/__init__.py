"""formula.algebra."""
