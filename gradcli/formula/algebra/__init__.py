"""Terms, and the identities by which they become shorter.

Read `terms` (formulas over numbered axes, in one normal form), `identities` and `polynomials`; `jacobian_of_vjp` reads
a Jacobian off from a product with a vector.
"""
