"""Operations as formulas, where they are more than a function of their name: what the field `formula` of a row says.

Such a function gets a converter and the application of the operation, and gives a value. Read `interface`, which says
what values are and what the converter does, then `arithmetic`, `reductions` (and other sums of products), `reshapes`
and `places`.
"""
