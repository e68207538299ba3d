"""What gradcli asks of the machine that it runs on: memory, files of its own, signals, threads of the BLAS.

Knows nothing of arrays or graphs. Read `limits` (how much memory may be used) and `memory` (how much there is), then
`regular` (files that cannot hang anybody), `undisturbed` (work that no signal cuts in two) and `blas`.
"""
