#!/bin/sh
# Track a computation: the value, its backward graph, and the gradient.
set -e

# A non-scalar value has a backward graph, but no gradient unless it is multiplied by a vector.
gradcli eval 'x + 2' 'x=ones(2,2)' --show value,graph

echo
echo '--- y*y*3, averaged'
gradcli eval 'y = x + 2; z = y*y*3; mean(z)' 'x=ones(2,2)'

echo
echo '--- the same without the mean: each element of z has the weight 1'
gradcli eval 'y = x + 2; y*y*3' 'x=ones(2,2)' --grad-output 1
