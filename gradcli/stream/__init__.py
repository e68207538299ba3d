"""Record after record: inputs come through a pipe or from files, answers go out in the same order, none held back.

Read `flow` (bytes in and out), `fields`, `rows`, `blocks` and `records` (what comes in), `writers` (what goes out),
`plan_cache` (a plan for each kind of record), `block_answers` (records that came together), then `loop`.
"""
