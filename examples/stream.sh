#!/bin/sh
# Record after record: JSON Lines through an expression, wrong records, one stream feeding another, arrays.
set -e
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT
cd "$work"

cat > sensors.jsonl <<'END'
{"sensor": "north", "x": [1, 2, 3]}
{"sensor": "south", "x": [4, 0]}
{"sensor": "west", "x": [2, null]}
END

echo '--- a value and a gradient for each line; other fields pass through'
head -n 2 sensors.jsonl | gradcli stream 'sum(x**2)'

echo
echo '--- a wrong line gives a line with an error, and the exit code is 1'
gradcli stream 'mean(x)' --no-grad < sensors.jsonl 2> report.txt || echo "exit code $?"
cat report.txt

echo
echo '--- inputs that all records share are on the command line'
printf '%s\n' '[1, 1]' '[2, 0]' | gradcli stream 'sum((x - c)**2)' 'c=[0, 2]' --wrt c

echo
echo '--- the value of one stream is the input of the next'
head -n 2 sensors.jsonl | gradcli stream 'sum(x**2)' --no-grad | gradcli stream 'sqrt(value)' --name value

echo
echo '--- arrays, one after another, in and out'
# Without -u, NumPy would ask for the position in the file, which a pipe does not have.
python3 -u -c '
import sys, numpy as np
for k in range(3):
    np.save(sys.stdout.buffer, np.full((2, 2), float(k)))
' | gradcli stream 'x**3' --format npy --grad-output 1 --output-format npy -o x.grad |
    gradcli stream 'g' --format npy --no-grad
