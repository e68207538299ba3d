"""What gradcli asks of the machine that it runs on: memory, kinds of files, signals, threads of the BLAS.

Knows nothing of arrays or graphs. Read `limits` (how much memory may be used, and how data is read), `memory` (how much
there is) and `kept_memory` (what is used again), then `endings` (what the name of a file says), `composed` (names with
accents), `regular` (files that cannot hang anybody), `temporary` (files that are being written), `own_cache` (files
that save time), `undisturbed` (work that no signal cuts in two) and `blas`.
"""
