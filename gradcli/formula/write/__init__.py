"""From terms to text: of the language, LaTeX, or NumPy code.

How an operation is written says its row; here is what all share. Read `forms` (formulas as they are written, with
names for parts that occur several times), `arrange` (terms to forms) with `dimensions` (lengths, shapes),
`term_products` and `contraction` (sums over labels), then `latex` and `numpy_code`.
"""
