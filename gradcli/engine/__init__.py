"""From graphs to arrays: graphs go in, are made smaller and planned, and the arrays of their roots come out.

Read `simplify` (a smaller graph with the same values, by the rules of the rows), then `plan` (graphs to a program),
`execute` (a program to arrays), `native` (machine code), and `plan_report`, which shows a program to people.
"""
