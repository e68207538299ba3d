"""How operations are written: functions for the fields `text` and `latex` of rows.

They get a writer, which has all that a formula is made of, and import nothing from where formulas are derived. Read
`spelling` (text of the language), then `typeset` (LaTeX) with its `latex_pieces`, which know of no operation.
`numpy_sources` has what NumPy lacks, as source.
"""
