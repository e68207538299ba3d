#!/bin/sh
# Two inputs, of which one is differentiated: the other prints None.
set -e

gradcli eval 'ab_sum = a + b; sum(ab_sum*8)' 'a=[3, 2]' 'b=[4, 7]' --wrt a
