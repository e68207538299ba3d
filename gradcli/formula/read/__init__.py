"""From graphs to terms, by the rules of a textbook.

Read `convert`: derivatives as people write them, and operations to terms. How an operation becomes a term,
and what its derivative is in a textbook, says its row.
"""
