"""Functions that NumPy lacks, as source for those who have NumPy alone: what rows give as `source`."""

SIGMOID = "def sigmoid(x):\n    return np.exp(np.minimum(x, 0))/(1 + np.exp(-np.abs(x)))"
LOG_SIGMOID = "def logsigmoid(x):\n    return np.minimum(x, 0) - np.log1p(np.exp(-np.abs(x)))"
SOFTPLUS = (
    "def softplus(x, beta=1.0, threshold=20.0):\n"
    "    return np.where(beta*x > threshold, x, np.logaddexp(0, beta*x)/beta)"
)
RELU = "def relu(x):\n    return np.maximum(x, 0)"
LEAKY_RELU = "def leaky_relu(x, negative_slope=0.01):\n    return np.where(x > 0, x, negative_slope*x)"
ELU = "def elu(x, alpha=1.0):\n    return np.where(x > 0, x, alpha*np.expm1(np.minimum(x, 0)))"
SELU = "def selu(x):\n    return 1.0507009873554805*np.where(x > 0, x, 1.6732632423543772*np.expm1(np.minimum(x, 0)))"
SILU = "def silu(x):\n    return x/(1 + np.exp(-x))"
MISH = "def mish(x):\n    return x*np.tanh(np.logaddexp(0, x))"
HARDTANH = "def hardtanh(x, min_val=-1.0, max_val=1.0):\n    return np.clip(x, min_val, max_val)"
CLAMP = "def clamp(x, low, high):\n    return np.minimum(np.maximum(x, low), high)"
CLAMP_MIN = "def clamp_min(x, low):\n    return np.maximum(x, low)"
CLAMP_MAX = "def clamp_max(x, high):\n    return np.minimum(x, high)"
GELU = (
    "def gelu(x, approximate='none'):\n"
    "    if approximate == 'tanh':\n"
    "        return 0.5*x*(1 + np.tanh(np.sqrt(2/np.pi)*(x + 0.044715*x**3)))\n"
    "    return 0.5*x*(1 + np.vectorize(math.erf, otypes=[float])(x/np.sqrt(2)))"
)
ERF = "def erf(x):\n    return np.vectorize(math.erf, otypes=[float])(x)"
ERFC = "def erfc(x):\n    return np.vectorize(math.erfc, otypes=[float])(x)"
LGAMMA = "def lgamma(x):\n    return np.vectorize(math.lgamma, otypes=[float])(x)"
FRAC = "def frac(x):\n    return x - np.trunc(x)"
XLOGY = "def xlogy(x, y):\n    return np.where(x == 0, 0, x*np.log(np.where(x == 0, 1, y)))"
LERP = "def lerp(a, b, weight):\n    return a + weight*(b - a)"
MASKED_FILL = "def masked_fill(x, mask, value):\n    return np.where(mask, value, x)"
SOFTMAX = (
    "def softmax(x, axis):\n"
    "    powers = np.exp(x - np.max(x, axis=axis, keepdims=True))\n"
    "    return powers/np.sum(powers, axis=axis, keepdims=True)"
)
LOG_SOFTMAX = (
    "def log_softmax(x, axis):\n"
    "    shifted = x - np.max(x, axis=axis, keepdims=True)\n"
    "    return shifted - np.log(np.sum(np.exp(shifted), axis=axis, keepdims=True))"
)
LOG_SUM_EXP = (
    "def logsumexp(x, axis=None):\n"
    "    high = np.max(x, axis=axis, keepdims=True)\n"
    "    total = np.log(np.sum(np.exp(x - high), axis=axis, keepdims=True)) + high\n"
    "    return np.squeeze(total, axis=axis)"
)
NORM = (
    "def norm(x, p=2, axis=None):\n"
    "    if p == 0:\n"
    "        return np.sum(x != 0, axis=axis)\n"
    "    if np.isinf(p):\n"
    "        return (np.max if p > 0 else np.min)(np.abs(x), axis=axis)\n"
    "    return np.sum(np.abs(x)**p, axis=axis)**(1/p)"
)
LOG_DET = "def logdet(x):\n    sign, logarithm = np.linalg.slogdet(x)\n    return np.where(sign < 0, np.nan, logarithm)"
CHOLESKY = "def cholesky(x, upper=False):\n    return np.linalg.cholesky(x, upper=upper)"
SOLVE = (
    "def solve(a, b, left=True):\n"
    "    if not left:\n"
    "        return np.swapaxes(np.linalg.solve(np.swapaxes(a, -1, -2), np.swapaxes(b, -1, -2)), -1, -2)\n"
    "    if b.ndim == 1 or b.shape == a.shape[:-1]:\n"
    "        return np.linalg.solve(a, b[..., None])[..., 0]\n"
    "    return np.linalg.solve(a, b)"
)
DIAG_EMBED = (
    "def diag_embed(x, offset=0, dim1=-2, dim2=-1):\n"
    "    n = x.shape[-1] + abs(offset)\n"
    "    result = np.zeros((*x.shape[:-1], n, n), x.dtype)\n"
    "    place = np.arange(x.shape[-1])\n"
    "    result[..., place + max(-offset, 0), place + max(offset, 0)] = x\n"
    "    return np.moveaxis(result, (-2, -1), (dim1, dim2))"
)
