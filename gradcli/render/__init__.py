"""Renderers: what was computed, as text for people and as JSON for programs."""
