"""From terms to text: of the language, LaTeX, or NumPy code.

Read `forms` (formulas as they are written), `arrange` (terms to forms) and `spellings` (how functions are written),
`naming` (parts that occur several times), then `as_text`, `latex` with its `latex_pieces`, and `numpy_code`.
"""
