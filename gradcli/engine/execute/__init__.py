"""From programs to arrays: a program and the arrays of its leaves go in, the arrays of its roots come out.

Read `given_values` (leaves, views of them, files), `new_arrays` (memory for what passes write) and `run`, then
`run_pass` (blocks), `pass_frame` (what a thread does with one), `early_pages` (memory for results, while code is made),
`early_code` (code of the next pass, while one runs), `run_lines` (lines of whole arrays added up natively) and
`threads`; `small` says what computes programs of a few small operations, `closure` calls NumPy and `native_small`
machine code for them, with arrays as `native_memory` lays them out; `bounds` refuses what does not fit.
"""
