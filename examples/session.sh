#!/bin/sh
# A session of gradcli repl as a script: names are kept, gradients pass through them, errors do not end it.
set -e

gradcli repl <<'END' 2>&1 || echo "exit code $?"
X = [[1, 1], [1, 2], [1, 3]]
y = [2, 2.9, 4.1]
w = zeros(2)
:wrt w
residual = X@w - y
:grad mean(residual**2)

# The minimum, from the normal equations; the gradient there is zero up to rounding.
best = solve(X.T@X, X.T@y)
:value best
loss(v) = mean((X@v - y)**2)
:value loss(best)
w = detach(best)
:wrt w
:value abs(loss(w)) < 0.01

# An error: the session continues, and its exit code is 1 at the end.
loss(X)
:names
:value loss(zeros(2))
END
