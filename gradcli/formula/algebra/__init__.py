"""Terms, and the identities by which they become shorter.

Read `terms` (formulas over numbered axes, in one normal form), `factors` and `algebra` (how they are made), then
`functions_of_terms`, `identities` and `polynomials`; `jacobian_of_vjp` reads a Jacobian off from a product with a
vector.
"""
