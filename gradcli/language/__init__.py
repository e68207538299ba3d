"""The language of expressions: text goes in, a script of flat postfix code comes out, and the way back.

Knows no graph, and loads neither NumPy nor, once its tables are made, Lark. The grammar is `grammar/expression.lark`.
Read `instructions` (what comes out), `lalr` (the tables of the grammar), `tokens`, `script_builder` and `parse`, then
`importing` and `linking`, for scripts that import others, and `unparse`; `constants` has the numbers with names,
`modules` the functions that PyTorch's modules call, and `kinds` says what parts of a formula evaluate to.
"""
