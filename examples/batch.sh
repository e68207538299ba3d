#!/bin/sh
# The gradient of a loss over a dataset in many files, summed over the files, with the same bits for any number of jobs.
set -e
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT
cd "$work"

python3 - <<'END'
import os
import numpy as np

rng = np.random.default_rng(0)
os.makedirs("X"), os.makedirs("y")
for part in range(8):
    X = rng.normal(size=(500, 3))
    np.save(f"X/{part}.npy", X)
    np.save(f"y/{part}.npy", X @ [1.0, -2.0, 0.5])
np.save("w.npy", np.zeros(3))
END

# Five steps of gradient descent; -q prints only the results.
for step in 1 2 3 4 5; do
    gradcli batch 'mean((X@w - y)**2)' X=X/ y=y/ w=w.npy --wrt w --accumulate -o fit --overwrite -q
    gradcli eval 'w - 0.4*g/8' w=w.npy g=fit/w.grad.npy --no-grad -q -o value=w.npy
done
gradcli eval 'w' w=w.npy --no-grad --precision 2

# --resume does not repeat finished items.
gradcli batch 'sum(X**2)' X=X/ -o squares
rm squares/3.X.grad.npy
gradcli batch 'sum(X**2)' X=X/ -o squares --resume
