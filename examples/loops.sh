#!/bin/sh
# Loops: a root by Newton's iteration, a differential equation, a network over a sequence, a filter; and their gradients.
set -e

echo "The cube root of x = 2, and its derivative with respect to x:"
gradcli eval 'f(y) = y - (y**3 - x)/(3*y**2); iterate(f, x, 7)' x=2 | tail -2

echo
echo "Van der Pol's oscillator after 10,000 Runge-Kutta steps, and its derivative with respect to the parameter:"
gradcli eval '
slope(y) = [y[1], k*(1 - y[0]**2)*y[1] - y[0]]
step(y, h=0.001) = {
  a = slope(y)
  b = slope(y + h/2*a)
  c = slope(y + h/2*b)
  d = slope(y + h*c)
  y + h/6*(a + 2*b + 2*c + d)
}
iterate(step, y0, 10000)[0]' 'y0=[1, 0.2]' k=1.3 --wrt k --dtype float64 | tail -2

echo
echo "An LSTM over 100 steps: the gradient of its last state with respect to the input weights:"
gradcli eval '
step(h, c, x) = {
  i, f, g, o = chunk(W@h + U@x + b, 4)
  c = sigmoid(f)*c + sigmoid(i)*tanh(g)
  (sigmoid(o)*tanh(c), c)
}
h, c = fold(step, (zeros(2), zeros(2)), xs)
sum(h)' 'W=eye(8, 2)' 'U=linspace(-1, 1, 8).reshape(8, 1)' 'b=zeros(8)' 'xs=sin(arange(100)).reshape(100, 1)' \
  --wrt U | sed -n '/^U.grad/,/^$/p'

echo "The likelihood of a random walk observed with noise (a Kalman filter): its gradient with respect to both variances:"
gradcli eval '
step(m, P, total, z) = {
  P = P + q
  S = P + r
  total = total + (log(S) + (z - m)**2/S)/2
  K = P/S
  (m + K*(z - m), (1 - K)*P, total)
}
m, P, total = fold(step, (0, 1, 0), zs)
total' q=0.1 r=0.5 'zs=[0.3, -0.1, 0.8, 0.9, 1.4, 1.1]' --wrt q,r | sed -n '/^[qr].grad/,/^$/p'
