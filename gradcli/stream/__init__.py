"""Record after record: inputs come through a pipe or from files, answers go out in the same order, none held back.

Read `inlet`, `fields` and `records` (what comes in), `record_inputs` (which inputs these are), `plan_cache` (a plan for
each kind of record), `writers` and `outlet` (what goes out), then `loop`.
"""
