"""Derivatives as formulas: from graphs to terms, simplified, and written as text, LaTeX, NumPy code or JSON."""
