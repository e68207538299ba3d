#!/bin/sh
# Pictures: the graph of a gradient for a Markdown page, its plan for Graphviz, and a function with its derivative.
set -e
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT
cd "$work"

# GitHub and many editors draw Mermaid: here the gradient of a ridge regression, to be pasted into a page.
echo '--- the gradient as Mermaid'
gradcli graph 'mean((X@w - y)**2) + 0.1*sum(w**2)' 'X=ones(8,3)' 'y=ones(8)' 'w=ones(3)' --wrt w --what grad --format mermaid

# DOT is written to a file, from which Graphviz makes a picture: dot -Tsvg plan.dot -o plan.svg
gradcli graph 'mean((X@w - y)**2)' 'X=zeros(2000000,3)' 'y=zeros(2000000)' 'w=ones(3)' --wrt w --what plan -o plan.dot
echo
echo "--- the plan as DOT: $(grep -c -e '->' plan.dot) arrows"

# JSON is for programs: which operations does the gradient of an attention consist of, and how many of each?
cat > attention.txt <<'END'
a = softmax(Q@K.T/sqrt(8.), dim=1)
sum((a@V - Y)**2)
END
echo
echo '--- the operations of a gradient'
gradcli graph -f attention.txt 'Q=ones(6,8)' 'K=ones(6,8)' 'V=ones(6,4)' 'Y=ones(6,4)' --wrt Q,K,V --what grad --json |
    python3 -c "
import collections, json, sys
nodes = json.load(sys.stdin)['nodes']
count = collections.Counter(node['name'] for node in nodes if node['kind'] in ('op', 'gradient'))
print(*(f'{name} {number}' for name, number in sorted(count.items())), sep=', ')"

echo
echo '--- a function and its derivative'
gradcli plot 'x*exp(-x**2/2)' 'x=linspace(-3,3,300)' --width 60 --height 16
