"""Functions on arrays that NumPy lacks, or has slower: they know no graph.

Arrays go in, and the result is written into one that is given, `into(out, *arrays, **params)`. Read `inplace` (what all
share), then `pointwise`, `division`, `power`, `erf`, `gamma` and `nn`. `native` has the same functions of vectors, for
machine code, and `one_text` makes one function serve both. `sinc`, `bessel_series` and `normal` are special functions.

Running sums are written by `running`. Those of networks give new arrays: `windows`, `taps`; so do `picking` and
`orders`, of places and of sorting, and `substitution` and `matrix_kernels`, of matrices. `drawn_numbers` and `fused`
make random numbers.
"""
