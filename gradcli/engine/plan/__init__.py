"""engine.plan."""
