"""The reference of the operations, for `gradcli ops` and docs/operations.md: rows go in, entries come out.

Read `formulas` (the derivative of each operation as a formula), and `entries`, which has them as text and JSON too.
"""
