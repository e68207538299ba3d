#!/bin/sh
# Arrays through pipes: `-o TARGET=-` writes .npy to standard output, `@-` reads it from standard input.
set -e
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT
cd "$work"

python3 -c 'import numpy as np; np.save("a.npy", np.array([[1.0, 2.0], [3.0, 4.0]]))'

echo '--- the gradient of one expression is the input of the next'
gradcli eval 'x**3' x=@a.npy --grad-output 1 -o x.grad=- | gradcli eval 'sum(g)/2' g=@-

echo
echo '--- any program that reads or writes .npy can be in the pipe'
gradcli eval 'exp(x)' x=@a.npy --no-grad -o value=- |
    python3 -c 'import sys, io, numpy as np; print(np.load(io.BytesIO(sys.stdin.buffer.read())).round(2))'

echo
echo '--- JSON for other programs'
gradcli eval 'sum(x**3)' x=@a.npy --json |
    python3 -c 'import sys, json; print(json.load(sys.stdin)["grads"]["x"])'
