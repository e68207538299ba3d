#!/bin/sh
# A file of 100 MB and its gradient of 100 MB, in 20 MB of memory: both stream in blocks, as `explain` shows.
set -e
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT
cd "$work"

# Ten sensors that drift, the later ones more, with 2.5 million readings of each: written piece by piece.
python3 - <<'END'
import numpy as np

X = np.lib.format.open_memmap("X.npy", "w+", np.float32, (2_500_000, 10))
for start in range(0, len(X), 100_000):
    row = np.arange(start, start + 100_000, dtype=np.float32)[:, None]
    X[start : start + 100_000] = 20 + np.sin(row / 1000) + np.arange(10) * row / len(X)
END

# How far the readings are from the mean of their sensor, by a measure that is robust against outliers.
cat > scatter.txt <<'END'
r = X - mean(X, 0)
mean(log1p(r**2), 0)
END

# The gradient needs the means, and the mean of a term that needs the means: three passes over the file.
gradcli explain -f scatter.txt X=X.npy --grad-output 1 -o X.grad=G.npy --threads 4 --memory-limit 20MB | grep pass

# The limit applies to the computation, without Python itself.
gradcli eval -f scatter.txt X=X.npy --grad-output 1 -o value=scatter.npy -o X.grad=G.npy --quiet \
    --threads 4 --memory-limit 20MB
echo
gradcli eval scatter scatter=scatter.npy --no-grad --precision 2

# The gradient is a file like any other. No reading changes its sensor's figure by more than 1/n, for n readings.
gradcli eval 'amax(abs(G), 0) * G.shape[0]' G=G.npy --no-grad --precision 2 --memory-limit 20MB --threads 4

# An operation that needs the whole file is refused before anything is computed.
echo
gradcli eval 'cumsum(X, 0)' X=X.npy --no-grad --memory-limit 20MB 2>&1 || echo "exit code $?"
