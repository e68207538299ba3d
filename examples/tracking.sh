#!/bin/sh
# Track a computation: the value, the chain of backward functions behind it, and the gradient.
set -e

# A value that is no scalar has a chain, but no gradient until it is told what to multiply it with.
gradcli eval 'x + 2' 'x=ones(2,2)' --show value,graph

echo
echo '--- y*y*3, averaged'
gradcli eval 'y = x + 2; z = y*y*3; mean(z)' 'x=ones(2,2)'

echo
echo '--- the same without an average: each element of z weighs 1'
gradcli eval 'y = x + 2; y*y*3' 'x=ones(2,2)' --grad-output 1
