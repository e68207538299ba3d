"""From programs to arrays: a program and the arrays of its leaves go in, the arrays of its roots come out.

Read `run`, then `run_pass` (blocks) and `threads`; `closure` runs programs of a few small operations, `bounds`
refuses what does not fit.
"""
