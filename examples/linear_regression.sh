#!/bin/sh
# Linear regression on files: the gradient of the squared error, then steps of gradient descent from file to file.
set -e
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT
cd "$work"

python3 - <<'END'
import numpy as np

rng = np.random.default_rng(0)
X = rng.normal(size=(1000, 3))
np.save("X.npy", X)
np.save("y.npy", X @ [2.0, -1.0, 0.5] + 3.0 + 0.1 * rng.normal(size=1000))
END

# Only the parameters are differentiated; X and y are data.
gradcli eval 'mean((X@w + b - y)**2)' X=X.npy y=y.npy 'w=zeros(3)' b=0 --wrt w,b

# An expression can take the step itself: its value is the new w, written to a file for the next round.
python3 -c 'import numpy as np; np.save("w.npy", np.zeros(3)); np.save("b.npy", np.zeros(()))'
for round in 1 2 3 4 5 6 7 8; do
    gradcli eval 'mean((X@w + b - y)**2)' X=X.npy y=y.npy w=w.npy b=b.npy --wrt w,b -o grads/ --quiet
    gradcli eval 'w - 0.4*g' w=w.npy g=grads/w.grad.npy --no-grad -o value=w.npy --quiet
    gradcli eval 'b - 0.4*g' b=b.npy g=grads/b.grad.npy --no-grad -o value=b.npy --quiet
done
echo
echo '--- after eight steps'
gradcli eval w w=w.npy --no-grad --precision 2
gradcli eval b b=b.npy --no-grad --precision 2
