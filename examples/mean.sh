#!/bin/sh
# The gradient of mean(2*(3*x + 7)**2), written three ways.
set -e

gradcli eval 'mean(2*(3*x+7)**2)' 'x=ones(2,2)'

echo
echo '--- step by step, as JSON'
gradcli eval 'y = 3*x + 7; z = 2*y**2; mean(z)' 'x=ones(2,2)' --json

echo
echo '--- with a function, from a file'
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT
cat > "$work/mean.txt" <<'END'
f(t) = 2*t**2     # applied to every element
mean(f(3*x + 7))
END
gradcli eval -f "$work/mean.txt" 'x=ones(2,2)'
