"""What rows say to the simplifier: from an operation and its simplified operands to a simpler node, or None.

A rule, `simplify` in a row, is given what `simplifier` describes and asks it for every node that it makes. The values,
NaN and the sign of a zero among them, stay as they are; the shape is mended by the simplifier. Read `simplifier`, then
`shapes`, `numbers`, `sums_and_means` and `matrix_products`.

Some rules take small factors out of large products and sums, on the condition that they turn out to be ordinary
numbers: `sum(x/s)` is `sum(x)/s`, and `(x/s)/s` is `x/(s*s)`, as long as nothing is infinite, vanishes or overflows.
Whether that holds is known as soon as `s` is, long before the large tensor is gone through: each such step notes a
condition, and a program whose conditions fail is given up for one without these steps.
"""
