"""A computation as one HTML file to share: a request, its record and its inputs go in, the page comes out.

Read `gathering` (all that is told), `origins` (what made NaN and infinities) and `distribution`; then `markup` (the
only module that makes elements), `mathml`, `charts`, `layered_layout` and `graph_picture`; `tensors` and `sections` put
the parts together, `page` the whole, with report.css and report.js. For what runs have left behind, `run_records` and
`run_sections` take the place of `gathering` and `sections`. `reports` is what Python calls.
"""
