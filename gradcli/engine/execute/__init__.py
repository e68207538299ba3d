"""engine.execute."""
