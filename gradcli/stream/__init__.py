"""Record after record: inputs come through a pipe or from files, answers go out in the same order, none held back.

Read `flow` (bytes in and out), `fields`, `rows` and `records` (what comes in), `plan_cache` (a plan for each kind of
record), `writers` (what goes out), then `loop`.
"""
