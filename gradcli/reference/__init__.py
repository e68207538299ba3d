"""The reference of the operations, for `gradcli ops` and docs/operations.md: rows go in, entries come out.

Read `formulas` (the derivative of each operation as a formula), `entries`, which has them as text and JSON too, and
`standard`, which has what the library in the language itself defines; `other_names` has the loops, and the functions
of other libraries.
"""
