"""Derivatives as formulas: a script goes in, its derivative comes out as text, LaTeX, NumPy code or JSON.

Read `lengths` (shapes known in part or guessed, graphs for sample lengths), then `derivation`, which goes through the
rooms in turn: `read` (graphs to terms), `algebra` (terms to shorter terms), `write` (terms to text). `verify` compares
each formula with the gradient at the `probes`, `formats` puts it in the form that was asked for. `one_operation`
has the derivative of a single operation.
"""
