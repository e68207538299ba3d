"""What was computed, written out: tensors as PyTorch prints them, and strict JSON.

Arrays go in, in memory or in files; pieces of text come out. Whatever else is printed belongs to the feature that
prints it. Read `marks` (what pieces are), `parts` (arrays piece by piece), `text`, `json` and `fast_json`, then
`table`.
"""
