"""One expression over many items: found, computed, written and recorded so that a run can be resumed.

Patterns of files go in, files of results and a line for each item come out. Read `items` and `job` (what is to be
done), `small_files`, `results` (the plan for an item) and `work` (one item), `local_executor` (many, in threads),
then `journal` and `manifest` (what is kept so that nothing is lost), `sums`, and `runner`, from beginning to end.
"""
