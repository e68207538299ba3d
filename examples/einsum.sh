#!/bin/sh
# Contractions in Einstein's notation, and their gradients: attention scores of a batch of queries and keys.
set -e
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT
cd "$work"

python3 - <<'END'
import numpy as np

rng = np.random.default_rng(0)
np.save("q.npy", rng.normal(size=(2, 3, 4)).astype(np.float32))  # batch, query, feature
np.save("k.npy", rng.normal(size=(2, 5, 4)).astype(np.float32))  # batch, key, feature
END

echo '--- weights of the five keys for each query: they sum to 1'
gradcli eval "softmax(einsum('bqf,bkf->bqk', q, k)/2, -1)" q=q.npy k=k.npy --no-grad

echo
echo '--- the gradient of one score reaches one query only'
gradcli eval "s = einsum('bqf,bkf->bqk', q, k); s[0, 1, 2]" q=q.npy k=k.npy --wrt q

echo
echo '--- the same contraction as a matrix product'
gradcli eval "max(abs(einsum('bqf,bkf->bqk', q, k) - q@k.mT)) < 1e-5" q=q.npy k=k.npy --no-grad
