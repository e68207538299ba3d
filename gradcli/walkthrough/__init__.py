"""A computation told step by step: a request and the record of how it was built go in, its steps come out.

Read `recording` (which node each step of the source made, and how it is written), `outline` (which nodes are steps, and
what they are called; `calls_in_words` writes those that the source has no words for), `step_types` (the steps forward
and backward, which is all that others need), `local_formulas` and `telling`, which makes them; then the forms that they
are written in: `board_words` (what is said in all of them), `board_text`, `board_markdown`, `board_latex` and
`board_data`. `told_walkthrough` and `computation_steps` are the face in Python.
"""
