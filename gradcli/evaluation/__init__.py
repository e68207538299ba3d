"""An expression and its inputs, evaluated: a script and arrays go in, a value and gradients come out.

Read `expansion`, `calculate`, `stack_machine` and `interpret` (a script carried out on nodes, `unrolling` having its
loops, `rest_of_loop` the turns that are done at once, `turn_number` the numbers in which these differ, `turn` and
`looped` the operation that does them), `input_value` and `values` (inputs as they are written, and as arrays), then
`request` (what is asked for, as graphs), `derivatives` (more of it) and `per_row` (all of it for each row), `compiled`
(its plan, kept), `measuring` (shapes that depend on data), `result`, `evaluate` (all in one call), `answer` (the result
as text and JSON) and `finite` (what is told of NaN in it); `names` finds the inputs that a script needs,
`other_words` says what is meant by names that it does not have, `identity` tells whether a run is the same as another.
"""
