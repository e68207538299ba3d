#!/bin/sh
# An enzyme's reaction rates at several concentrations: a fit of the Michaelis-Menten model, and of another.
set -e

work=$(mktemp -d)
trap 'rm -r "$work"' EXIT
cat > "$work/rates.csv" <<'END'
c,v
0.02,76
0.02,47
0.06,97
0.06,107
0.11,123
0.11,139
0.22,159
0.22,152
0.56,191
0.56,201
1.10,207
1.10,200
END
data="v=$work/rates.csv:v c=$work/rates.csv:c"

echo '--- Michaelis-Menten'
gradcli fit 'v = V*c/(K + c)' $data --params V=200,K=0.1

echo
echo '--- the rate at other concentrations, with its standard error'
gradcli fit 'v = V*c/(K + c)' $data --params V=200,K=0.1 --at 'c=[0.5, 2, 10]' | tail -5

echo
echo '--- an exponential model: its AIC is higher, so the one above is better'
gradcli fit 'v = V*(1 - exp(-k*c))' $data --params V=200,k=10 | grep -e AIC -e '±'
