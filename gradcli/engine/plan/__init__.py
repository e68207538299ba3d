"""From graphs to a program: passes over the data, computed in blocks, between operations on whole arrays.

Read `program` and `passes` (the result), then `planner`, which calls the others in turn: `leaf_views` (views of
what is there), `flatten`, `merge`, `cheapest` (the choice between a few ways to cut the data: by `axes`, `schedule`
with `node_kinds`, and `compared`, values that have to be kept), `assemble`, and for each pass `pass_nodes` (what it
computes), `pass_builder`, `block_sizes` and `buffers`.
"""
