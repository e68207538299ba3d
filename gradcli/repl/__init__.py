"""Interactive sessions, without any terminal: a line goes in, text comes out."""
