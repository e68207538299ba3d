"""Elementary functions of vectors, float32 and float64, as they are computed: vectors go in, a vector comes out.

Read `floats` (what both precisions share, and pairs of numbers that are exact together), then `exponential`,
`logarithmic`, `hyperbolic`, `trigonometric`, `inverse_trigonometric`, `error_function`, `gamma_function` and `powers`;
`coefficients` has their numbers. A function takes its precision from its operand. What is said of errors is in units of
the last place.
"""
