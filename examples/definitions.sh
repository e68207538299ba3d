#!/bin/sh
# Definitions in a file that several commands import: a pendulum, its motion, and the push for a given angle.
set -e

cat > pendulum.grad <<'END'
# A pendulum of this length; its state is the angle and the angular velocity.
gravity = 9.81
length = 0.5

slope(y) = [y[1], -gravity/length*sin(y[0])]

_step(y, h=0.01) = {
  a = slope(y)
  b = slope(y + h/2*a)
  c = slope(y + h/2*b)
  d = slope(y + h*c)
  y + h/6*(a + 2*b + 2*c + d)
}

# The state after n hundredths of a second.
after(y, n) = iterate(_step, y, n)
energy(y) = (length*y[1])**2/2 + gravity*length*(1 - cos(y[0]))
END

echo "The angle after 0.6 s, and its derivative with respect to the push:"
gradcli eval 'import "pendulum.grad"; after([0, push], 60)[0]' push=3 | tail -2

echo
echo "The energy that a fourth-order method loses:"
gradcli eval 'import "pendulum.grad" as p; p.energy(p.after(y, 60)) - p.energy(y)' 'y=[0, 3]' \
  --dtype float64 --no-grad --precision 2

echo
echo "The push for an angle of 0.4 at that time, with a loss of the library std:"
gradcli minimize 'import std; import "pendulum.grad"; log_cosh_loss(after([0, push], 60)[0], 0.4)' push=-1 --wrt push \
  --dtype float64 | sed -n '/^push/,/^$/p'

echo "An error is shown in its file:"
sed 's/\*sin/*sine/' pendulum.grad > broken.grad
gradcli eval 'import "broken.grad"; energy(after([0, push], 60))' push=3 2>&1 || true
