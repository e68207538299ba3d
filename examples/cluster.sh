#!/bin/sh
# Work distributed over a cluster, here two processes on this machine: the same bits as without it.
set -e
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT
cd "$work"

python3 - <<'END'
import os
import numpy as np

rng = np.random.default_rng(0)
np.save("X.npy", rng.normal(size=(700_000, 14)))
np.save("y.npy", np.sign(rng.normal(size=700_000)))
os.makedirs("days")
for day in range(30):
    np.save(f"days/{day:02}.npy", rng.normal(size=1000))
END

echo '--- the blocks of one large evaluation'
loss='mean(log1p(exp(-y*(X@w))))'
gradcli eval "$loss" X=X.npy y=y.npy 'w=zeros(14)' --wrt w -q -o w.grad=here.npy
gradcli eval "$loss" X=X.npy y=y.npy 'w=zeros(14)' --wrt w -q -o w.grad=there.npy --scheduler local:2
cmp here.npy there.npy && echo the same

echo '--- the items of a batch'
gradcli batch 'sum(tanh(x)**2)' x=days/ -o here -q
gradcli batch 'sum(tanh(x)**2)' x=days/ -o there --scheduler local:2
for file in here/*.npy; do
    cmp "$file" "there/${file#here/}"
done
echo the same
