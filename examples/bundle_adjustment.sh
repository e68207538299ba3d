#!/bin/sh
# Bundle adjustment: the error of a camera's projection of a point, and its Jacobian for each observation.
set -e

cat > projection.txt <<'END'
# A row p has a camera (rotation w, translation t, focal length, distortion k1, k2, centre u), a point X and a weight.
w = p[0:3]; t = p[3:6]; focal = p[6]; k1 = p[7]; k2 = p[8]; u = p[9:11]; X = p[11:14]; weight = p[14]
theta = sqrt(sum(w**2))
axis = w/theta
rotated = cos(theta)*X + sin(theta)*linalg_cross(axis, X) + (1 - cos(theta))*(axis@X)*axis
q = rotated + t
d = q[:2]/q[2]
r = sum(d**2)
weight*(focal*(1 + k1*r + k2*r**2)*d + u - seen)
END

python3 -c "
import numpy as np
rng = np.random.default_rng(0)
p = rng.normal(size=(1000, 15))*0.1 + [0.1, 0.2, 0.3, 0, 0, 5, 1, 0, 0, 0, 0, 0, 0, 0, 1]
np.save('p.npy', p)
np.save('seen.npy', rng.normal(size=(1000, 2))*0.1)"

gradcli eval -f projection.txt p=p.npy seen=seen.npy --per-row p,seen --wrt p -q -o value=r.npy -o p.jacobian=J.npy

echo "For each observation, 2 errors and their derivatives with respect to 15 numbers:"
python3 -c "import numpy as np; print(np.load('r.npy').shape, np.load('J.npy').shape)"

echo
echo "The derivatives of the first observation's errors with respect to its camera and point:"
gradcli eval 'J[0]' J=J.npy --no-grad

echo
echo "The sum of squares before and after one Gauss-Newton step for each observation by itself:"
gradcli eval 'step(J, r, p) = p - J.T@solve(J@J.T, r); each(step, J, r, p)' J=J.npy r=r.npy p=p.npy --no-grad -q -o value=p2.npy
for p in p.npy p2.npy; do
  gradcli eval -f projection.txt p=$p seen=seen.npy --per-row p,seen --no-grad -o value=- | gradcli eval 'sum(r**2)' r=@- --no-grad
done
