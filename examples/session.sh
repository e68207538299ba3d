#!/bin/sh
# A session of gradcli repl as a script: names stay, gradients go through them, mistakes do not end it.
set -e

gradcli repl <<'END' 2>&1 || echo "exit code $?"
X = [[1, 1], [1, 2], [1, 3]]
y = [2, 2.9, 4.1]
w = zeros(2)
:wrt w
residual = X@w - y
:grad mean(residual**2)

# The minimum, from the normal equations; the gradient there is zero but for rounding.
best = solve(X.T@X, X.T@y)
:value best
loss(v) = mean((X@v - y)**2)
:value loss(best)
w = detach(best)
:wrt w
:value abs(loss(w)) < 0.01

# A mistake: the session goes on, and the exit code says so at the end.
loss(X)
:names
:value loss(zeros(2))
END
