"""From terms to text: of the language, LaTeX, or NumPy code.

How an operation is written says its row; here is what all share. Read `forms` (formulas as they are written), `arrange`
(terms to forms) with `dimensions` (lengths, shapes), `term_products` and `contraction` (sums over labels), `naming`
(parts that occur several times, and formulas as text), then `latex` and `numpy_code`.
"""
