"""From graphs to terms, by the rules of a textbook.

Read `textbook_rules` (derivatives as people write them), `convert` (operations to terms), then `handlers` and `places`,
which have the operations that are more than a function of their name.
"""
