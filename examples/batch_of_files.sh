#!/bin/sh
# One expression over many files: a loop in the shell, with a folder of results and a line of output for each file.
set -e
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT
cd "$work"

python3 - <<'END'
import numpy as np

rng = np.random.default_rng(0)
for day in ("mon", "tue", "wed"):
    np.save(f"{day}.npy", rng.normal(loc=5.0, size=200))
END

for file in *.npy; do
    day=${file%.npy}
    gradcli eval 'mean((x - mean(x))**4) / var(x)**2' x="$file" --quiet -o "results/$day/"
    printf '%s  kurtosis ' "$day"
    gradcli eval 'k' k="results/$day/value.npy" --no-grad --precision 3
done

echo
ls results/mon

# The point with the largest influence on Monday's kurtosis.
echo
gradcli eval 'x[argmax(abs(g))]' x=mon.npy g=results/mon/x.grad.npy --no-grad
