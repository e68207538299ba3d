"""The public names of gradcli, with their types: written by docs/generate.py from the registry."""

import builtins
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from os import PathLike
from types import EllipsisType
from typing import Any, Literal, NamedTuple, Self, TypeAlias, TypeVar, overload

import numpy as np

from gradcli.errors import GradcliError as GradcliError
from gradcli.evaluation.request import Request as _Request
from gradcli.graph.node import Node as _Node
from gradcli.language.instructions import Script as _Script
from gradcli.optimize.iterate import Iterate as _Iterate
from gradcli.optimize.model import Model as _Model
from gradcli.optimize.statistics import Statistics as _Statistics
from gradcli.plotting.curves import Curves as _Curves
from gradcli.render.marks import Marked as _Marked
from gradcli.tensors.dtype_rules import FloatLimits as _FloatLimits
from gradcli.tensors.dtype_rules import IntLimits as _IntLimits
from gradcli.tensors.hooks import RemovableHandle as _RemovableHandle
from gradcli.walkthrough.step_types import Arrival as _Arrival
from gradcli.walkthrough.step_types import BackwardStep as _BackwardStep
from gradcli.walkthrough.step_types import ForwardStep as _ForwardStep

_F = TypeVar("_F", bound=Callable[..., Any])
_Bool: TypeAlias = builtins.bool
_Number: TypeAlias = builtins.float
_Int: TypeAlias = builtins.int | np.integer[Any]
_Ints: TypeAlias = list[builtins.int] | tuple[_Int, ...]
_DType: TypeAlias = (
    np.dtype[Any]
    | type[Any]
    | Literal[
        "bool",
        "uint8",
        "uint16",
        "uint32",
        "uint64",
        "int8",
        "int16",
        "short",
        "int32",
        "int",
        "int64",
        "long",
        "float16",
        "half",
        "float32",
        "float",
        "float64",
        "double",
    ]
)
_TensorLike: TypeAlias = Tensor | np.ndarray | np.generic | builtins.float | list[Any] | tuple[Any, ...] | range
_Format: TypeAlias = Literal["preserve_format", "contiguous_format", "channels_last", "channels_last_3d"]
_Tensors: TypeAlias = list[Any] | tuple[_TensorLike, ...]
_Index: TypeAlias = Tensor | np.ndarray | _Int | slice | EllipsisType | list[Any] | tuple[Any, ...] | range | None

__version__: str

class _frexp(NamedTuple):
    mantissa: Tensor
    exponent: Tensor

class _max(NamedTuple):
    values: Tensor
    indices: Tensor

class _min(NamedTuple):
    values: Tensor
    indices: Tensor

class _cummax(NamedTuple):
    values: Tensor
    indices: Tensor

class _cummin(NamedTuple):
    values: Tensor
    indices: Tensor

class _sort(NamedTuple):
    values: Tensor
    indices: Tensor

class _topk(NamedTuple):
    values: Tensor
    indices: Tensor

class _kthvalue(NamedTuple):
    values: Tensor
    indices: Tensor

class _median(NamedTuple):
    values: Tensor
    indices: Tensor

class _nanmedian(NamedTuple):
    values: Tensor
    indices: Tensor

class _mode(NamedTuple):
    values: Tensor
    indices: Tensor

class _aminmax(NamedTuple):
    min: Tensor
    max: Tensor

class _var_mean(NamedTuple):
    var: Tensor
    mean: Tensor

class _std_mean(NamedTuple):
    std: Tensor
    mean: Tensor

class _slogdet(NamedTuple):
    sign: Tensor
    logabsdet: Tensor

class _triangular_solve(NamedTuple):
    solution: Tensor
    cloned_coefficient: Tensor

class _inv_ex(NamedTuple):
    inverse: Tensor
    info: Tensor

class _solve_ex(NamedTuple):
    result: Tensor
    info: Tensor

class _cholesky_ex(NamedTuple):
    L: Tensor
    info: Tensor

class _linalg_svd(NamedTuple):
    U: Tensor
    S: Tensor
    Vh: Tensor

class _svd(NamedTuple):
    U: Tensor
    S: Tensor
    V: Tensor

class _eigh(NamedTuple):
    eigenvalues: Tensor
    eigenvectors: Tensor

class _linalg_qr(NamedTuple):
    Q: Tensor
    R: Tensor

class _qr(NamedTuple):
    Q: Tensor
    R: Tensor

class _lu_factor_ex(NamedTuple):
    LU: Tensor
    pivots: Tensor
    info: Tensor

class _lu_factor(NamedTuple):
    LU: Tensor
    pivots: Tensor

class _linalg_lu(NamedTuple):
    P: Tensor
    L: Tensor
    U: Tensor

class _lu_unpack(NamedTuple):
    P: Tensor
    L: Tensor
    U: Tensor

class _lstsq(NamedTuple):
    solution: Tensor
    residuals: Tensor
    rank: Tensor
    singular_values: Tensor

pi: builtins.float
π: builtins.float
e: builtins.float
inf: builtins.float
nan: builtins.float
bool: np.dtype[np.bool]
uint8: np.dtype[np.uint8]
uint16: np.dtype[np.uint16]
uint32: np.dtype[np.uint32]
uint64: np.dtype[np.uint64]
int8: np.dtype[np.int8]
int16: np.dtype[np.int16]
short: np.dtype[np.int16]
int32: np.dtype[np.int32]
int: np.dtype[np.int32]
int64: np.dtype[np.int64]
long: np.dtype[np.int64]
float16: np.dtype[np.float16]
half: np.dtype[np.float16]
float32: np.dtype[np.float32]
float: np.dtype[np.float32]
float64: np.dtype[np.float64]
double: np.dtype[np.float64]

class _GradFn:
    """A step of the chain of backward functions, as PyTorch's grad_fn shows it."""
    def __init__(self, node: _Node, tensor_of: Callable[[_Node], Tensor]) -> None: ...
    def name(self) -> str:
        """PyTorch's name of the backward function, such as MulBackward0."""
    @property
    def next_functions(self) -> tuple[tuple[_GradFn | None, builtins.int], ...]:
        """The backward functions that come next, None for an operand that is not tracked."""
    @property
    def variable(self) -> Tensor:
        """The leaf tensor whose .grad an AccumulateGrad adds to."""
    @property
    def label(self) -> str | None:
        """The name of the input that an AccumulateGrad belongs to, where it has one."""
    def __eq__(self, other: object) -> builtins.bool: ...
    def __hash__(self) -> builtins.int: ...
    def __repr__(self) -> str: ...

class Tensor:
    """A multidimensional array that can track the operations applied to it."""
    def __init__(self, node: _Node) -> None: ...
    @property
    def requires_grad(self) -> builtins.bool:
        """Whether gradients flow back to or through this tensor."""
    @requires_grad.setter
    def requires_grad(self, value: builtins.bool) -> None: ...
    @property
    def grad(self) -> Tensor | None:
        """The sum of the gradients of all backward passes, None before the first."""
    @grad.setter
    def grad(self, value: Tensor | None) -> None: ...
    @property
    def is_leaf(self) -> builtins.bool:
        """Whether no tracked operation made this tensor."""
    @property
    def grad_fn(self) -> _GradFn | None:
        """The backward function of the operation that made this tensor; None for a leaf."""
    @property
    def T(self) -> Tensor:
        """All dimensions in reverse order."""
    @property
    def mT(self) -> Tensor:
        """The last two dimensions exchanged."""
    @property
    def H(self) -> Tensor:
        """The dimensions of a matrix exchanged."""
    @property
    def mH(self) -> Tensor:
        """The last two dimensions exchanged."""
    @property
    def data(self) -> Tensor:
        """The same values, untracked; changing them in place changes this tensor too."""
    @data.setter
    def data(self, new: Tensor) -> None: ...
    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any: ...
    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any: ...
    def __iter__(self) -> Iterator[Tensor]: ...
    def __repr__(self) -> str: ...
    def backward(
        self,
        gradient: _TensorLike | None = None,
        retain_graph: builtins.bool | None = None,
        create_graph: builtins.bool = False,
        inputs: Any = None,
    ) -> None:
        """Add the gradient of this tensor to the .grad of the leaves behind it, and of tensors that retain theirs."""
    def detach(self) -> Tensor:
        """The same values, untracked; changing them in place changes this tensor too."""
    def requires_grad_(self, requires_grad: builtins.bool = True) -> Tensor:
        """Start or stop tracking operations on this leaf; returns the tensor itself."""
    def retain_grad(self) -> None:
        """Let backward() set the .grad of this tensor, which is not a leaf."""
    @property
    def retains_grad(self) -> builtins.bool:
        """Whether backward() sets the .grad of this tensor although it is not a leaf."""
    def copy_(self, source: _TensorLike, non_blocking: builtins.bool = False) -> Tensor:
        """Copy the elements of another tensor, broadcast and converted; returns the tensor itself."""
    def __getitem__(self, index: _Index) -> Tensor: ...
    def __setitem__(self, index: _Index, value: _TensorLike) -> None: ...
    def __eq__(self, other: object) -> Tensor: ...  # type: ignore[override]
    def __ne__(self, other: object) -> Tensor: ...  # type: ignore[override]
    def __iadd__(self, other: _TensorLike) -> Tensor: ...
    def __isub__(self, other: _TensorLike) -> Tensor: ...
    def __imul__(self, other: _TensorLike) -> Tensor: ...
    def __itruediv__(self, other: _TensorLike) -> Tensor: ...
    def __ipow__(self, other: _TensorLike) -> Tensor: ...
    def __ifloordiv__(self, other: _TensorLike) -> Tensor: ...
    def __imod__(self, other: _TensorLike) -> Tensor: ...
    def __iand__(self, other: _TensorLike) -> Tensor: ...
    def __ior__(self, other: _TensorLike) -> Tensor: ...
    def __ixor__(self, other: _TensorLike) -> Tensor: ...
    def __ilshift__(self, other: _TensorLike) -> Tensor: ...
    def __irshift__(self, other: _TensorLike) -> Tensor: ...
    def __hash__(self) -> builtins.int: ...
    def zero_(self) -> Self:
        """Set every element to 0, as in x.grad.zero_(); returns the tensor itself."""
    def fill_(self, value: _TensorLike) -> Self:
        """Set every element to a number or a 0-dim tensor; returns the tensor itself."""
    def fill_diagonal_(self, fill_value: builtins.float, wrap: builtins.bool = False) -> Self:
        """Set the diagonal to a number, with wrap anew below the square part of a tall matrix; returns the tensor."""
    def uniform_(self, low: builtins.float = 0.0, high: builtins.float = 1.0) -> Self:
        """Draw uniform numbers from low up to high; returns the tensor itself."""
    def normal_(self, mean: builtins.float = 0.0, std: builtins.float = 1.0) -> Self:
        """Draw normal numbers of a mean and a standard deviation; returns the tensor itself."""
    @overload
    def random_(self) -> Self:
        """Draw whole numbers from the first bound, or 0, up to but not including the last; returns the tensor …"""
    @overload
    def random_(self, to: builtins.int) -> Self: ...
    @overload
    def random_(self, low: builtins.int, high: builtins.int | None) -> Self: ...
    def exponential_(self, lambd: builtins.float = 1.0) -> Self:
        """Draw exponential numbers of a rate; returns the tensor itself."""
    def geometric_(self, p: builtins.float) -> Self:
        """Draw how many trials of a probability it takes to the first success; returns the tensor itself."""
    def cauchy_(self, median: builtins.float = 0.0, sigma: builtins.float = 1.0) -> Self:
        """Draw numbers of Cauchy's distribution with a median and a half width; returns the tensor itself."""
    def log_normal_(self, mean: builtins.float = 1.0, std: builtins.float = 2.0) -> Self:
        """Draw numbers whose logarithms are normal, of a mean and a standard deviation; returns the tensor itself."""
    def bernoulli_(self, p: Any = 0.5) -> Self:
        """Draw 1 with a probability, or with one for each element, else 0; returns the tensor itself."""
    def register_hook(self, hook: Callable[[Any], Any]) -> _RemovableHandle:
        """Call a function with the gradient of this tensor in each backward pass that computes it."""
    def register_post_accumulate_grad_hook(self, hook: Callable[[Any], Any]) -> _RemovableHandle:
        """Call a function with this leaf whenever a backward pass has added to its .grad."""
    def __copy__(self) -> Self: ...
    def __deepcopy__(self, memo: dict[builtins.int, Any]) -> Self: ...
    @property
    def shape(self) -> tuple[builtins.int, ...]:
        """The lengths of the dimensions."""
    @property
    def ndim(self) -> builtins.int:
        """The number of dimensions."""
    @property
    def dtype(self) -> np.dtype:
        """The element type, as NumPy's dtype."""
    @overload
    def size(self, dim: None = None) -> tuple[builtins.int, ...]:
        """The shape, or the length of one dimension."""
    @overload
    def size(self, dim: builtins.int) -> builtins.int: ...
    def dim(self) -> builtins.int:
        """The number of dimensions."""
    def numel(self) -> builtins.int:
        """The number of elements."""
    def nelement(self) -> builtins.int:
        """The number of elements, as numel."""
    def ndimension(self) -> builtins.int:
        """The number of dimensions, as dim."""
    def is_contiguous(self) -> builtins.bool:
        """Whether PyTorch would have the elements in memory in the order of their indices."""
    def element_size(self) -> builtins.int:
        """The bytes of an element."""
    @property
    def itemsize(self) -> builtins.int:
        """The bytes of an element."""
    @property
    def nbytes(self) -> builtins.int:
        """The bytes of all elements."""
    def is_floating_point(self) -> builtins.bool:
        """Whether the elements are floating-point numbers."""
    def value(self) -> np.ndarray:
        """The elements as a read-only array, whether tracked or not."""
    def numpy(self) -> np.ndarray:
        """The elements as a read-only NumPy array; refused for a tracked tensor, which would lose its gradient."""
    def item(self) -> builtins.bool | builtins.int | builtins.float:
        """The only element as a Python number."""
    def equal(self, other: _TensorLike) -> builtins.bool:
        """Whether another tensor has the same shape and the same elements."""
    def tolist(self) -> Any:
        """The elements as nested lists of Python numbers."""
    def __array__(
        self, dtype: _DType | None = None, copy: builtins.bool | None = None
    ) -> np.ndarray[Any, np.dtype[np.generic]]: ...
    def __dlpack__(self, **kwargs: Any) -> Any: ...
    def __dlpack_device__(self) -> tuple[builtins.int, builtins.int]: ...
    def __bool__(self) -> builtins.bool: ...
    def __int__(self) -> builtins.int: ...
    def __float__(self) -> builtins.float: ...
    def __index__(self) -> builtins.int: ...
    def __len__(self) -> builtins.int: ...
    def __format__(self, spec: str) -> str: ...
    def __add__(self, other: _TensorLike) -> Self: ...
    def __radd__(self, other: _TensorLike) -> Self: ...
    def __sub__(self, other: _TensorLike) -> Self: ...
    def __rsub__(self, other: _TensorLike) -> Self: ...
    def __mul__(self, other: _TensorLike) -> Self: ...
    def __rmul__(self, other: _TensorLike) -> Self: ...
    def __truediv__(self, other: _TensorLike) -> Self: ...
    def __rtruediv__(self, other: _TensorLike) -> Self: ...
    def __floordiv__(self, other: _TensorLike) -> Self: ...
    def __rfloordiv__(self, other: _TensorLike) -> Self: ...
    def __mod__(self, other: _TensorLike) -> Self: ...
    def __rmod__(self, other: _TensorLike) -> Self: ...
    def __pow__(self, other: _TensorLike) -> Self: ...
    def __rpow__(self, other: _TensorLike) -> Self: ...
    def __matmul__(self, other: _TensorLike) -> Self: ...
    def __rmatmul__(self, other: _TensorLike) -> Self: ...
    def __and__(self, other: _TensorLike) -> Self: ...
    def __rand__(self, other: _TensorLike) -> Self: ...
    def __or__(self, other: _TensorLike) -> Self: ...
    def __ror__(self, other: _TensorLike) -> Self: ...
    def __xor__(self, other: _TensorLike) -> Self: ...
    def __rxor__(self, other: _TensorLike) -> Self: ...
    def __lshift__(self, other: _TensorLike) -> Self: ...
    def __rlshift__(self, other: _TensorLike) -> Self: ...
    def __rshift__(self, other: _TensorLike) -> Self: ...
    def __rrshift__(self, other: _TensorLike) -> Self: ...
    def __lt__(self, other: _TensorLike) -> Self: ...
    def __le__(self, other: _TensorLike) -> Self: ...
    def __gt__(self, other: _TensorLike) -> Self: ...
    def __ge__(self, other: _TensorLike) -> Self: ...
    def __neg__(self) -> Self: ...
    def __abs__(self) -> Self: ...
    def __invert__(self) -> Self: ...
    def __pos__(self) -> Self: ...
    @overload
    def to(
        self,
        *kind: _DType | Tensor | _Bool,
        dtype: _DType | None = None,
        device: Literal["cpu"] | None = None,
        other: Tensor | np.ndarray | None = None,
        non_blocking: _Bool = False,
        copy: _Bool = False,
        memory_format: _Format | None = None,
    ) -> Tensor:
        """The tensor in another dtype, such as float64, or in that of another tensor; the only device is 'cpu'."""
    @overload
    def to(
        self,
        *,
        kind: _Tensors,
        dtype: _DType | None = None,
        device: Literal["cpu"] | None = None,
        other: Tensor | np.ndarray | None = None,
        non_blocking: _Bool = False,
        copy: _Bool = False,
        memory_format: _Format | None = None,
    ) -> Tensor: ...
    def type_as(self, other: _TensorLike) -> Tensor:
        """The tensor in the dtype of another."""
    def float(self, *, memory_format: _Format | None = None) -> Tensor:
        """The tensor as float32."""
    def double(self, *, memory_format: _Format | None = None) -> Tensor:
        """The tensor as float64."""
    def half(self, *, memory_format: _Format | None = None) -> Tensor:
        """The tensor as float16."""
    def long(self, *, memory_format: _Format | None = None) -> Tensor:
        """The tensor as int64."""
    def int(self, *, memory_format: _Format | None = None) -> Tensor:
        """The tensor as int32."""
    def short(self, *, memory_format: _Format | None = None) -> Tensor:
        """The tensor as int16."""
    def byte(self, *, memory_format: _Format | None = None) -> Tensor:
        """The tensor as uint8."""
    def char(self, *, memory_format: _Format | None = None) -> Tensor:
        """The tensor as int8."""
    def bool(self) -> Tensor:
        """The tensor as booleans: true where it is not zero."""
    def clone(self) -> Tensor:
        """A copy of the tensor."""
    def contiguous(self, *, memory_format: _Format = "contiguous_format") -> Tensor:
        """The tensor in row-major order: itself when it already is."""
    def no_grad(self) -> Tensor:
        """The same values, no longer tracked: no gradient flows through."""
    def add(self, other: _TensorLike, *, alpha: _Number = 1) -> Tensor:
        """Sum, input + alpha*other."""
    def sub(self, other: _TensorLike, *, alpha: _Number = 1) -> Tensor:
        """Difference, input - alpha*other."""
    subtract = sub
    def rsub(self, other: _TensorLike, *, alpha: _Number = 1) -> Tensor:
        """Difference, other - alpha*input."""
    def mul(self, other: _TensorLike) -> Tensor:
        """Product, input * other."""
    multiply = mul
    def div(self, other: _TensorLike, *, rounding_mode: Literal["floor", "trunc"] | None = None) -> Tensor:
        """Quotient, input / other."""
    divide = div
    true_divide = div
    def floor_divide(self, other: _TensorLike) -> Tensor:
        """Quotient rounded down, input // other."""
    def remainder(self, other: _TensorLike) -> Tensor:
        """Remainder with the sign of the divisor, input % other."""
    def fmod(self, other: _TensorLike) -> Tensor:
        """Remainder with the sign of the dividend."""
    def neg(self) -> Tensor:
        """Negation, -input."""
    negative = neg
    def abs(self) -> Tensor:
        """Absolute value; the gradient at 0 is 0."""
    absolute = abs
    def sign(self) -> Tensor:
        """-1, 0 or 1 by the sign of the input."""
    def lerp(self, end: _TensorLike, weight: _TensorLike) -> Tensor:
        """Linear interpolation, input + weight*(end - input)."""
    def xlogy(self, other: _TensorLike) -> Tensor:
        """input * log(other), and 0 where the input is 0."""
    def hypot(self, other: _TensorLike) -> Tensor:
        """Hypotenuse, sqrt(input**2 + other**2), without overflow."""
    def eq(self, other: _TensorLike) -> Tensor:
        """True where input == other."""
    def ne(self, other: _TensorLike) -> Tensor:
        """True where input != other."""
    not_equal = ne
    def lt(self, other: _TensorLike) -> Tensor:
        """True where input < other."""
    less = lt
    def le(self, other: _TensorLike) -> Tensor:
        """True where input <= other."""
    less_equal = le
    def gt(self, other: _TensorLike) -> Tensor:
        """True where input > other."""
    greater = gt
    def ge(self, other: _TensorLike) -> Tensor:
        """True where input >= other."""
    greater_equal = ge
    def bitwise_and(self, other: _TensorLike) -> Tensor:
        """Logical and, input & other; bitwise for integers."""
    def bitwise_or(self, other: _TensorLike) -> Tensor:
        """Logical or, input | other; bitwise for integers."""
    def bitwise_not(self) -> Tensor:
        """Logical not, ~input; bitwise for integers."""
    def logical_and(self, other: _TensorLike) -> Tensor:
        """True where both are nonzero."""
    def logical_or(self, other: _TensorLike) -> Tensor:
        """True where one is not zero."""
    def logical_xor(self, other: _TensorLike) -> Tensor:
        """True where exactly one is nonzero."""
    def logical_not(self) -> Tensor:
        """True where the input is zero."""
    def isnan(self) -> Tensor:
        """True where the input is not a number."""
    def isinf(self) -> Tensor:
        """True where the input is infinite."""
    def isfinite(self) -> Tensor:
        """True where the input is neither infinite nor NaN."""
    def pow(self, exponent: _TensorLike) -> Tensor:
        """Power, input ** exponent."""
    def square(self) -> Tensor:
        """Square, input ** 2."""
    def sqrt(self) -> Tensor:
        """Square root."""
    def rsqrt(self) -> Tensor:
        """Reciprocal square root, 1/sqrt(input)."""
    def reciprocal(self) -> Tensor:
        """Reciprocal, 1/input."""
    def exp(self) -> Tensor:
        """Exponential."""
    def exp2(self) -> Tensor:
        """Power of 2."""
    def expm1(self) -> Tensor:
        """exp(input) - 1, exact near 0."""
    def log(self) -> Tensor:
        """Natural logarithm."""
    def log2(self) -> Tensor:
        """Logarithm to base 2."""
    def log10(self) -> Tensor:
        """Logarithm to base 10."""
    def log1p(self) -> Tensor:
        """log(1 + input), exact near 0."""
    def logaddexp(self, other: _TensorLike) -> Tensor:
        """log(exp(input) + exp(other)) without overflow."""
    def floor(self) -> Tensor:
        """Round down."""
    def ceil(self) -> Tensor:
        """Round up."""
    def trunc(self) -> Tensor:
        """Round towards zero."""
    fix = trunc
    def round(self, *, decimals: _Int = 0) -> Tensor:
        """Round to the nearest, halves to even, with so many decimals."""
    def frac(self) -> Tensor:
        """Fractional part."""
    def where(self, condition: _TensorLike, other: _TensorLike) -> Tensor:
        """The tensor where the condition holds, else other."""
    def maximum(self, other: _TensorLike) -> Tensor:
        """The greater of two, NaN if either is; equal elements get half of the gradient each."""
    def minimum(self, other: _TensorLike) -> Tensor:
        """The smaller of two, NaN if either is; equal elements get half of the gradient each."""
    def clamp(self, min: _TensorLike | None = None, max: _TensorLike | None = None) -> Tensor:
        """The input clamped between two bounds, either of which may be left out."""
    clip = clamp
    def clamp_min(self, min: _TensorLike) -> Tensor:
        """The input clamped from below."""
    def clamp_max(self, max: _TensorLike) -> Tensor:
        """The input clamped from above."""
    def sin(self) -> Tensor:
        """Sine."""
    def cos(self) -> Tensor:
        """Cosine."""
    def tan(self) -> Tensor:
        """Tangent."""
    def asin(self) -> Tensor:
        """Inverse sine."""
    arcsin = asin
    def acos(self) -> Tensor:
        """Inverse cosine."""
    arccos = acos
    def atan(self) -> Tensor:
        """Inverse tangent."""
    arctan = atan
    def sinh(self) -> Tensor:
        """Hyperbolic sine."""
    def cosh(self) -> Tensor:
        """Hyperbolic cosine."""
    def tanh(self) -> Tensor:
        """Hyperbolic tangent."""
    def asinh(self) -> Tensor:
        """Inverse hyperbolic sine."""
    arcsinh = asinh
    def acosh(self) -> Tensor:
        """Inverse hyperbolic cosine."""
    arccosh = acosh
    def atanh(self) -> Tensor:
        """Inverse hyperbolic tangent."""
    arctanh = atanh
    def atan2(self, other: _TensorLike) -> Tensor:
        """Angle of the point (other, input)."""
    arctan2 = atan2
    def i0(self) -> Tensor:
        """Modified Bessel function of the first kind, of order 0."""
    def i0e(self) -> Tensor:
        """exp(-abs(input))*i0(input), without overflow."""
    def i1(self) -> Tensor:
        """Modified Bessel function of the first kind, of order 1."""
    def i1e(self) -> Tensor:
        """exp(-abs(input))*i1(input), without overflow."""
    def positive(self) -> Tensor:
        """The input, +input."""
    def conj(self) -> Tensor:
        """The conjugate: the tensor itself, as there are only real numbers."""
    conj_physical = conj
    def resolve_conj(self) -> Tensor:
        """The tensor itself; in PyTorch, a conjugate that is written out."""
    def sgn(self) -> Tensor:
        """-1, 0 or 1 by the sign of the input."""
    def copysign(self, other: _TensorLike) -> Tensor:
        """The magnitude of input with the sign of other; the gradient at 0 is 0."""
    def angle(self) -> Tensor:
        """The angle of a number: 0, and pi for a negative one."""
    def heaviside(self, values: _TensorLike) -> Tensor:
        """0 below 0, 1 above, values at 0."""
    def signbit(self) -> Tensor:
        """True where the sign bit is set: for negative numbers, and -0."""
    def isposinf(self) -> Tensor:
        """True where the input is inf."""
    def isneginf(self) -> Tensor:
        """True where the input is -inf."""
    def deg2rad(self) -> Tensor:
        """Degrees as radians."""
    def rad2deg(self) -> Tensor:
        """Radians as degrees."""
    def float_power(self, exponent: _TensorLike) -> Tensor:
        """A power in float64."""
    def ldexp(self, other: _TensorLike) -> Tensor:
        """input * 2**other."""
    def frexp(self) -> _frexp:
        """The mantissa, at least 1/2 and below 1, and the exponent."""
    def logaddexp2(self, other: _TensorLike) -> Tensor:
        """log2(2**input + 2**other) without overflow."""
    def fmax(self, other: _TensorLike) -> Tensor:
        """The greater of two, ignoring NaN; of equal elements the first."""
    def fmin(self, other: _TensorLike) -> Tensor:
        """The smaller of two, ignoring NaN; of equal elements the first."""
    def nextafter(self, other: _TensorLike) -> Tensor:
        """The next number after input towards other."""
    def nan_to_num(
        self, nan: _Number | None = None, posinf: _Number | None = None, neginf: _Number | None = None
    ) -> Tensor:
        """NaN replaced by 0 or another number, infinities by the largest numbers of the dtype or others."""
    def isclose(
        self, other: _TensorLike, rtol: _Number = 1e-05, atol: _Number = 1e-08, equal_nan: _Bool = False
    ) -> Tensor:
        """True where abs(input - other) <= atol + rtol*abs(other)."""
    def allclose(
        self, other: _TensorLike, rtol: _Number = 1e-05, atol: _Number = 1e-08, equal_nan: _Bool = False
    ) -> Tensor:
        """Whether isclose is true everywhere."""
    def addcmul(self, tensor1: _TensorLike, tensor2: _TensorLike, *, value: _Number = 1) -> Tensor:
        """input + value*tensor1*tensor2."""
    def addcdiv(self, tensor1: _TensorLike, tensor2: _TensorLike, *, value: _Number = 1) -> Tensor:
        """input + value*tensor1/tensor2."""
    def bitwise_xor(self, other: _TensorLike) -> Tensor:
        """Exclusive or, input ^ other; bitwise for integers."""
    def bitwise_left_shift(self, other: _TensorLike) -> Tensor:
        """The bits shifted left by other, input << other."""
    def bitwise_right_shift(self, other: _TensorLike) -> Tensor:
        """The bits shifted right by other, input >> other."""
    def gcd(self, other: _TensorLike) -> Tensor:
        """The greatest common divisor of two integers."""
    def lcm(self, other: _TensorLike) -> Tensor:
        """The least common multiple of two integers."""
    def sinc(self) -> Tensor:
        """sin(pi*input)/(pi*input), and 1 at 0."""
    @overload
    def view(self, *shape: _Int | _Ints) -> Tensor:
        """The elements in another shape, without copying; one length may be -1."""
    @overload
    def view(self, *, shape: _Ints) -> Tensor: ...
    @overload
    def reshape(self, *shape: _Int | _Ints) -> Tensor:
        """The elements in another shape; one length may be -1."""
    @overload
    def reshape(self, *, shape: _Ints) -> Tensor: ...
    def flatten(self, start_dim: _Int = 0, end_dim: _Int = -1) -> Tensor:
        """Several dimensions merged into one."""
    @overload
    def squeeze(self, dim: _Int | _Ints | None = None) -> Tensor:
        """The tensor without its dimensions of length 1, or without the named ones where they have length 1."""
    @overload
    def squeeze(self, *, axis: _Int | _Ints | None) -> Tensor: ...
    @overload
    def unsqueeze(self, dim: _Int) -> Tensor:
        """The tensor with a new dimension of length 1."""
    @overload
    def unsqueeze(self, *, axis: _Int) -> Tensor: ...
    @overload
    def permute(self, *dims: _Int | _Ints) -> Tensor:
        """The dimensions in another order."""
    @overload
    def permute(self, *, dims: _Ints) -> Tensor: ...
    def transpose(self, dim0: _Int | None = None, dim1: _Int | None = None) -> Tensor:
        """Two dimensions swapped; those of a matrix need not be named."""
    swapaxes = transpose
    swapdims = transpose
    def movedim(self, source: _Int | _Ints, destination: _Int | _Ints) -> Tensor:
        """Dimensions moved to other positions."""
    moveaxis = movedim
    def t(self) -> Tensor:
        """Transpose of a matrix; a vector is unchanged."""
    @overload
    def expand(self, *shape: _Int | _Ints) -> Tensor:
        """Dimensions of length 1 expanded, without copying; -1 keeps a length."""
    @overload
    def expand(self, *, shape: _Ints) -> Tensor: ...
    broadcast_to = expand
    @overload
    def repeat(self, *repeats: _Int | _Ints) -> Tensor:
        """The tensor repeated along each dimension."""
    @overload
    def repeat(self, *, repeats: _Ints) -> Tensor: ...
    @overload
    def tile(self, *dims: _Int | _Ints) -> Tensor:
        """The tensor repeated; dimensions without a count are repeated once."""
    @overload
    def tile(self, *, dims: _Ints) -> Tensor: ...
    @overload
    def flip(self, *dims: _Int | _Ints) -> Tensor:
        """The order reversed along dimensions."""
    @overload
    def flip(self, *, dims: _Ints) -> Tensor: ...
    def roll(self, shifts: _Int | _Ints, dims: _Int | _Ints | None = None) -> Tensor:
        """Elements shifted cyclically along dimensions; without dims, in flattened order."""
    def erf(self) -> Tensor:
        """Error function."""
    def erfc(self) -> Tensor:
        """Complementary error function, 1 - erf(input)."""
    def lgamma(self) -> Tensor:
        """Logarithm of the absolute value of the gamma function."""
    def digamma(self) -> Tensor:
        """Derivative of lgamma."""
    def polygamma(self, n: _Int) -> Tensor:
        """The n-th derivative of digamma."""
    def ones_like(self, *, dtype: _DType | None = None, requires_grad: _Bool = False) -> Tensor:
        """Ones in the shape of a tensor."""
    def zeros_like(self, *, dtype: _DType | None = None, requires_grad: _Bool = False) -> Tensor:
        """Zeros in the shape of a tensor."""
    def full_like(self, fill_value: _Number, *, dtype: _DType | None = None, requires_grad: _Bool = False) -> Tensor:
        """One number in the shape of a tensor."""
    def rand_like(self, *, dtype: _DType | None = None, requires_grad: _Bool = False) -> Tensor:
        """Uniform random numbers in [0, 1) in the shape of a tensor."""
    def randn_like(self, *, dtype: _DType | None = None, requires_grad: _Bool = False) -> Tensor:
        """Standard normal random numbers in the shape of a tensor."""
    def diagonal(self, offset: _Int = 0, dim1: _Int = 0, dim2: _Int = 1) -> Tensor:
        """The diagonal of two dimensions, as a new last dimension; offset moves it right, or down if negative."""
    def diag_embed(self, offset: _Int = 0, dim1: _Int = -2, dim2: _Int = -1) -> Tensor:
        """Matrices with the last dimension as their diagonal, zeros elsewhere."""
    def diag(self, diagonal: _Int = 0) -> Tensor:
        """The diagonal of a matrix, or a matrix with the vector as its diagonal."""
    def tril(self, diagonal: _Int = 0) -> Tensor:
        """The lower triangle, up to a diagonal; zeros above."""
    def triu(self, diagonal: _Int = 0) -> Tensor:
        """The upper triangle, from a diagonal on; zeros below."""
    def trace(self) -> Tensor:
        """Sum of the diagonal of a matrix."""
    @overload
    def select(self, dim: _Int, index: _Int) -> Tensor:
        """One index of a dimension, which is dropped."""
    @overload
    def select(self, *, axis: _Int, index: _Int) -> Tensor: ...
    @overload
    def index_select(self, dim: _Int, index: _TensorLike) -> Tensor:
        """The slices at a list of indices along a dimension."""
    @overload
    def index_select(self, *, axis: _Int, index: _TensorLike) -> Tensor: ...
    def getitem(self, index: _Index) -> Tensor:
        """Indexing, written x[...]: integers, slices, ..., None, lists and tensors of integers, and masks."""
    def constant_pad_nd(self, pad: _Int | _Ints, value: _Number = 0) -> Tensor:
        """A number around the tensor, for each dimension from the last one on so often before and after it; …"""
    def pad(
        self,
        pad: _Int | _Ints,
        mode: Literal["constant", "reflect", "replicate", "circular"] = "constant",
        value: _Number | None = None,
    ) -> Tensor:
        """A number around the tensor, or in the modes 'reflect', 'replicate' and 'circular' its own elements; pad …"""
    @overload
    def sum(self, dim: _Int | _Ints | None = None, keepdim: _Bool = False, *, dtype: _DType | None = None) -> Tensor:
        """Sum."""
    @overload
    def sum(self, *, axis: _Int | _Ints | None, keepdim: _Bool = False, dtype: _DType | None = None) -> Tensor: ...
    @overload
    def sum(self, dim: _Int | _Ints | None = None, *, keepdims: _Bool, dtype: _DType | None = None) -> Tensor: ...
    @overload
    def sum(self, *, axis: _Int | _Ints | None, keepdims: _Bool, dtype: _DType | None = None) -> Tensor: ...
    @overload
    def mean(self, dim: _Int | _Ints | None = None, keepdim: _Bool = False, *, dtype: _DType | None = None) -> Tensor:
        """Mean."""
    @overload
    def mean(self, *, axis: _Int | _Ints | None, keepdim: _Bool = False, dtype: _DType | None = None) -> Tensor: ...
    @overload
    def mean(self, dim: _Int | _Ints | None = None, *, keepdims: _Bool, dtype: _DType | None = None) -> Tensor: ...
    @overload
    def mean(self, *, axis: _Int | _Ints | None, keepdims: _Bool, dtype: _DType | None = None) -> Tensor: ...
    @overload
    def prod(self, dim: _Int | _Ints | None = None, keepdim: _Bool = False, *, dtype: _DType | None = None) -> Tensor:
        """Product."""
    @overload
    def prod(self, *, axis: _Int | _Ints | None, keepdim: _Bool = False, dtype: _DType | None = None) -> Tensor: ...
    @overload
    def prod(self, dim: _Int | _Ints | None = None, *, keepdims: _Bool, dtype: _DType | None = None) -> Tensor: ...
    @overload
    def prod(self, *, axis: _Int | _Ints | None, keepdims: _Bool, dtype: _DType | None = None) -> Tensor: ...
    @overload
    def amax(self, dim: _Int | _Ints | None = None, keepdim: _Bool = False) -> Tensor:
        """Maximum; equal elements share the gradient evenly."""
    @overload
    def amax(self, *, axis: _Int | _Ints | None, keepdim: _Bool = False) -> Tensor: ...
    @overload
    def amax(self, dim: _Int | _Ints | None = None, *, keepdims: _Bool) -> Tensor: ...
    @overload
    def amax(self, *, axis: _Int | _Ints | None, keepdims: _Bool) -> Tensor: ...
    @overload
    def amin(self, dim: _Int | _Ints | None = None, keepdim: _Bool = False) -> Tensor:
        """Minimum; equal elements share the gradient evenly."""
    @overload
    def amin(self, *, axis: _Int | _Ints | None, keepdim: _Bool = False) -> Tensor: ...
    @overload
    def amin(self, dim: _Int | _Ints | None = None, *, keepdims: _Bool) -> Tensor: ...
    @overload
    def amin(self, *, axis: _Int | _Ints | None, keepdims: _Bool) -> Tensor: ...
    @overload
    def logsumexp(self, dim: _Int | _Ints | None = None, keepdim: _Bool = False) -> Tensor:
        """log(sum(exp(input))) without overflow."""
    @overload
    def logsumexp(self, *, axis: _Int | _Ints | None, keepdim: _Bool = False) -> Tensor: ...
    @overload
    def logsumexp(self, dim: _Int | _Ints | None = None, *, keepdims: _Bool) -> Tensor: ...
    @overload
    def logsumexp(self, *, axis: _Int | _Ints | None, keepdims: _Bool) -> Tensor: ...
    @overload
    def var(
        self,
        dim: _Int | _Ints | None = None,
        unbiased: _Bool | None = None,
        keepdim: _Bool = False,
        *,
        correction: _Number | None = None,
    ) -> Tensor:
        """Variance, with n - correction (1 unless given) in the denominator."""
    @overload
    def var(
        self,
        *,
        axis: _Int | _Ints | None,
        unbiased: _Bool | None = None,
        keepdim: _Bool = False,
        correction: _Number | None = None,
    ) -> Tensor: ...
    @overload
    def var(
        self,
        dim: _Int | _Ints | None = None,
        unbiased: _Bool | None = None,
        *,
        keepdims: _Bool,
        correction: _Number | None = None,
    ) -> Tensor: ...
    @overload
    def var(
        self,
        *,
        axis: _Int | _Ints | None,
        unbiased: _Bool | None = None,
        keepdims: _Bool,
        correction: _Number | None = None,
    ) -> Tensor: ...
    @overload
    def std(
        self,
        dim: _Int | _Ints | None = None,
        unbiased: _Bool | None = None,
        keepdim: _Bool = False,
        *,
        correction: _Number | None = None,
    ) -> Tensor:
        """Standard deviation, the root of var; its gradient at 0 is 0."""
    @overload
    def std(
        self,
        *,
        axis: _Int | _Ints | None,
        unbiased: _Bool | None = None,
        keepdim: _Bool = False,
        correction: _Number | None = None,
    ) -> Tensor: ...
    @overload
    def std(
        self,
        dim: _Int | _Ints | None = None,
        unbiased: _Bool | None = None,
        *,
        keepdims: _Bool,
        correction: _Number | None = None,
    ) -> Tensor: ...
    @overload
    def std(
        self,
        *,
        axis: _Int | _Ints | None,
        unbiased: _Bool | None = None,
        keepdims: _Bool,
        correction: _Number | None = None,
    ) -> Tensor: ...
    @overload
    def norm(
        self, p: _Number | Literal["fro", "nuc"] = 2, dim: _Int | _Ints | None = None, keepdim: _Bool = False
    ) -> Tensor:
        """Vector p-norm; p may be inf, -inf or 0."""
    @overload
    def norm(
        self, p: _Number | Literal["fro", "nuc"] = 2, *, axis: _Int | _Ints | None, keepdim: _Bool = False
    ) -> Tensor: ...
    @overload
    def norm(
        self, p: _Number | Literal["fro", "nuc"] = 2, dim: _Int | _Ints | None = None, *, keepdims: _Bool
    ) -> Tensor: ...
    @overload
    def norm(self, p: _Number | Literal["fro", "nuc"] = 2, *, axis: _Int | _Ints | None, keepdims: _Bool) -> Tensor: ...
    @overload
    def all(self, dim: _Int | _Ints | None = None, keepdim: _Bool = False) -> Tensor:
        """True if all elements are nonzero."""
    @overload
    def all(self, *, axis: _Int | _Ints | None, keepdim: _Bool = False) -> Tensor: ...
    @overload
    def all(self, dim: _Int | _Ints | None = None, *, keepdims: _Bool) -> Tensor: ...
    @overload
    def all(self, *, axis: _Int | _Ints | None, keepdims: _Bool) -> Tensor: ...
    @overload
    def any(self, dim: _Int | _Ints | None = None, keepdim: _Bool = False) -> Tensor:
        """True where one is not zero."""
    @overload
    def any(self, *, axis: _Int | _Ints | None, keepdim: _Bool = False) -> Tensor: ...
    @overload
    def any(self, dim: _Int | _Ints | None = None, *, keepdims: _Bool) -> Tensor: ...
    @overload
    def any(self, *, axis: _Int | _Ints | None, keepdims: _Bool) -> Tensor: ...
    @overload
    def count_nonzero(self, dim: _Int | _Ints | None = None) -> Tensor:
        """Number of nonzero elements."""
    @overload
    def count_nonzero(self, *, axis: _Int | _Ints | None) -> Tensor: ...
    @overload
    def argmax(self, dim: _Int | None = None, keepdim: _Bool = False) -> Tensor:
        """Index of the maximum, the first of equal ones; in the flattened tensor without dim."""
    @overload
    def argmax(self, *, axis: _Int | None, keepdim: _Bool = False) -> Tensor: ...
    @overload
    def argmax(self, dim: _Int | None = None, *, keepdims: _Bool) -> Tensor: ...
    @overload
    def argmax(self, *, axis: _Int | None, keepdims: _Bool) -> Tensor: ...
    @overload
    def argmin(self, dim: _Int | None = None, keepdim: _Bool = False) -> Tensor:
        """Index of the minimum, the first of equal ones; in the flattened tensor without dim."""
    @overload
    def argmin(self, *, axis: _Int | None, keepdim: _Bool = False) -> Tensor: ...
    @overload
    def argmin(self, dim: _Int | None = None, *, keepdims: _Bool) -> Tensor: ...
    @overload
    def argmin(self, *, axis: _Int | None, keepdims: _Bool) -> Tensor: ...
    @overload
    def max(self, dim: None = None, keepdim: _Bool = False) -> Tensor:
        """The maximum of all (equal elements share the gradient evenly); with dim, the pair (values, indices); …"""
    @overload
    def max(self, dim: _Int, keepdim: _Bool = False) -> _max: ...
    @overload
    def max(self, dim: Tensor | np.ndarray, keepdim: _Bool = False) -> Tensor: ...
    @overload
    def max(self, *, axis: _Int, keepdim: _Bool = False) -> _max: ...
    @overload
    def max(self, *, axis: Tensor | np.ndarray, keepdim: _Bool = False) -> Tensor: ...
    @overload
    def max(self, dim: None = None, *, keepdims: _Bool) -> Tensor: ...
    @overload
    def max(self, dim: _Int, *, keepdims: _Bool) -> _max: ...
    @overload
    def max(self, dim: Tensor | np.ndarray, *, keepdims: _Bool) -> Tensor: ...
    @overload
    def max(self, *, axis: _Int, keepdims: _Bool) -> _max: ...
    @overload
    def max(self, *, axis: Tensor | np.ndarray, keepdims: _Bool) -> Tensor: ...
    @overload
    def min(self, dim: None = None, keepdim: _Bool = False) -> Tensor:
        """The minimum of all (equal elements share the gradient evenly); with dim, the pair (values, indices); …"""
    @overload
    def min(self, dim: _Int, keepdim: _Bool = False) -> _min: ...
    @overload
    def min(self, dim: Tensor | np.ndarray, keepdim: _Bool = False) -> Tensor: ...
    @overload
    def min(self, *, axis: _Int, keepdim: _Bool = False) -> _min: ...
    @overload
    def min(self, *, axis: Tensor | np.ndarray, keepdim: _Bool = False) -> Tensor: ...
    @overload
    def min(self, dim: None = None, *, keepdims: _Bool) -> Tensor: ...
    @overload
    def min(self, dim: _Int, *, keepdims: _Bool) -> _min: ...
    @overload
    def min(self, dim: Tensor | np.ndarray, *, keepdims: _Bool) -> Tensor: ...
    @overload
    def min(self, *, axis: _Int, keepdims: _Bool) -> _min: ...
    @overload
    def min(self, *, axis: Tensor | np.ndarray, keepdims: _Bool) -> Tensor: ...
    @overload
    def cumsum(self, dim: _Int, *, dtype: _DType | None = None) -> Tensor:
        """Running sum along a dimension."""
    @overload
    def cumsum(self, *, axis: _Int, dtype: _DType | None = None) -> Tensor: ...
    @overload
    def cumprod(self, dim: _Int, *, dtype: _DType | None = None) -> Tensor:
        """Running product along a dimension."""
    @overload
    def cumprod(self, *, axis: _Int, dtype: _DType | None = None) -> Tensor: ...
    def dropout(self, p: _Number = 0.5, training: _Bool = True) -> Tensor:
        """Elements set to 0 with probability p, the others divided by 1 - p."""
    def alpha_dropout(self, p: _Number = 0.5, training: _Bool = False) -> Tensor:
        """Dropout for selu, which preserves mean and variance."""
    def feature_alpha_dropout(self, p: _Number = 0.5, training: _Bool = False) -> Tensor:
        """alpha_dropout of whole channels."""
    def dropout1d(self, p: _Number = 0.5, training: _Bool = True) -> Tensor:
        """Whole channels set to 0 with probability p, the others divided by 1 - p."""
    def dropout2d(self, p: _Number = 0.5, training: _Bool = True) -> Tensor:
        """Whole channels set to 0 with probability p, the others divided by 1 - p."""
    def dropout3d(self, p: _Number = 0.5, training: _Bool = True) -> Tensor:
        """Whole channels set to 0 with probability p, the others divided by 1 - p."""
    @overload
    def new_zeros(self, *size: _Int | _Ints, dtype: _DType | None = None, requires_grad: _Bool = False) -> Tensor:
        """Zeros in the dtype of a tensor."""
    @overload
    def new_zeros(self, *, size: _Ints, dtype: _DType | None = None, requires_grad: _Bool = False) -> Tensor: ...
    @overload
    def new_ones(self, *size: _Int | _Ints, dtype: _DType | None = None, requires_grad: _Bool = False) -> Tensor:
        """Ones in the dtype of a tensor."""
    @overload
    def new_ones(self, *, size: _Ints, dtype: _DType | None = None, requires_grad: _Bool = False) -> Tensor: ...
    @overload
    def new_empty(self, *size: _Int | _Ints, dtype: _DType | None = None, requires_grad: _Bool = False) -> Tensor:
        """Elements in the dtype of a tensor: PyTorch leaves them as they happen to be in memory, here they are …"""
    @overload
    def new_empty(self, *, size: _Ints, dtype: _DType | None = None, requires_grad: _Bool = False) -> Tensor: ...
    def new_full(
        self, size: _Int | _Ints, fill_value: _Number, *, dtype: _DType | None = None, requires_grad: _Bool = False
    ) -> Tensor:
        """One number in the dtype of a tensor."""
    def new_tensor(self, data: _TensorLike, *, dtype: _DType | None = None, requires_grad: _Bool = False) -> Tensor:
        """A tensor from a list or a number in the dtype of another, or an untracked copy of one in this dtype."""
    def empty_like(self, *, dtype: _DType | None = None, requires_grad: _Bool = False) -> Tensor:
        """Elements in the shape of a tensor: PyTorch leaves them as they happen to be in memory, here they are …"""
    def fill(self, value: _Number | Tensor | np.ndarray) -> Tensor:
        """One number in the shape and dtype of a tensor."""
    @overload
    def gather(self, dim: _Int, index: _TensorLike, *, sparse_grad: _Bool = False) -> Tensor:
        """The element at each index along a dimension, at the same position along the others."""
    @overload
    def gather(self, *, axis: _Int, index: _TensorLike, sparse_grad: _Bool = False) -> Tensor: ...
    @overload
    def take_along_dim(self, indices: _TensorLike, dim: _Int | None = None) -> Tensor:
        """gather with the other dimensions broadcast; without dim, from the flattened tensor."""
    @overload
    def take_along_dim(self, indices: _TensorLike, *, axis: _Int | None) -> Tensor: ...
    def take(self, index: _TensorLike) -> Tensor:
        """The elements at indices into the flattened tensor."""
    @overload
    def repeat_interleave(
        self, repeats: _Int | _TensorLike, dim: _Int | None = None, *, output_size: _Int | None = None
    ) -> Tensor:
        """Each slice along a dimension repeated, so many times or by a count for each; without dim, each element."""
    @overload
    def repeat_interleave(
        self, repeats: _Int | _TensorLike, *, axis: _Int | None, output_size: _Int | None = None
    ) -> Tensor: ...
    def masked_select(self, mask: _TensorLike) -> Tensor:
        """The elements where a mask is true, as a vector: a constant choice for derivatives."""
    def nonzero(self, *, as_tuple: _Bool = False) -> Tensor:
        """The indices of the nonzero elements, one per row; with as_tuple, a vector for each dimension."""
    def argwhere(self) -> Tensor:
        """The indices of the nonzero elements, one per row."""
    @overload
    def unique(
        self, sorted: _Bool = True, return_inverse: _Bool = False, return_counts: _Bool = False, dim: _Int | None = None
    ) -> Tensor:
        """Each element once, in order, or with dim each place along it; with return_inverse also where each has …"""
    @overload
    def unique(
        self, sorted: _Bool = True, return_inverse: _Bool = False, return_counts: _Bool = False, *, axis: _Int | None
    ) -> Tensor: ...
    @overload
    def unique_consecutive(
        self, return_inverse: _Bool = False, return_counts: _Bool = False, dim: _Int | None = None
    ) -> Tensor:
        """Each element that is not the same as the one before, or with dim each place along it; with …"""
    @overload
    def unique_consecutive(
        self, return_inverse: _Bool = False, return_counts: _Bool = False, *, axis: _Int | None
    ) -> Tensor: ...
    def bincount(self, weights: _TensorLike | None = None, minlength: _Int = 0) -> Tensor:
        """How often each number from 0 on is in a vector of integers, or the sums of their weights."""
    @overload
    def split(self, split_size_or_sections: _Int | _Ints, dim: _Int = 0) -> tuple[Tensor, ...]:
        """Pieces of a length, the last one perhaps shorter, or of the lengths of a list."""
    @overload
    def split(self, split_size_or_sections: _Int | _Ints, *, axis: _Int) -> tuple[Tensor, ...]: ...
    @overload
    def unsafe_split(self, split_size: _Int | _Ints, dim: _Int = 0) -> tuple[Tensor, ...]:
        """split, by PyTorch's name for pieces that may be changed in place."""
    @overload
    def unsafe_split(self, split_size: _Int | _Ints, *, axis: _Int) -> tuple[Tensor, ...]: ...
    @overload
    def split_with_sizes(self, split_sizes: _Int | _Ints, dim: _Int = 0) -> tuple[Tensor, ...]:
        """Pieces of the given lengths, which have to add up to the length of the dimension."""
    @overload
    def split_with_sizes(self, split_sizes: _Int | _Ints, *, axis: _Int) -> tuple[Tensor, ...]: ...
    @overload
    def chunk(self, chunks: _Int, dim: _Int = 0) -> tuple[Tensor, ...]:
        """At most so many pieces of one length, the last one perhaps shorter."""
    @overload
    def chunk(self, chunks: _Int, *, axis: _Int) -> tuple[Tensor, ...]: ...
    @overload
    def unsafe_chunk(self, chunks: _Int, dim: _Int = 0) -> tuple[Tensor, ...]:
        """chunk, by PyTorch's name for pieces that may be changed in place."""
    @overload
    def unsafe_chunk(self, chunks: _Int, *, axis: _Int) -> tuple[Tensor, ...]: ...
    @overload
    def tensor_split(self, indices_or_sections: _Int | _Ints, dim: _Int = 0) -> tuple[Tensor, ...]:
        """So many pieces whose lengths differ by one at most, or the pieces between the indices of a list."""
    @overload
    def tensor_split(self, indices_or_sections: _Int | _Ints, *, axis: _Int) -> tuple[Tensor, ...]: ...
    def hsplit(self, indices_or_sections: _Int | _Ints) -> tuple[Tensor, ...]:
        """Equal pieces, so many of them or between the indices of a list, side by side: along dimension 1, or 0 …"""
    def vsplit(self, indices_or_sections: _Int | _Ints) -> tuple[Tensor, ...]:
        """Equal pieces, so many of them or between the indices of a list, one below the other: along dimension 0."""
    def dsplit(self, indices_or_sections: _Int | _Ints) -> tuple[Tensor, ...]:
        """Equal pieces, so many of them or between the indices of a list, one behind the other: along dimension 2."""
    @overload
    def unbind(self, dim: _Int = 0) -> tuple[Tensor, ...]:
        """The tensors along a dimension, one by one."""
    @overload
    def unbind(self, *, axis: _Int) -> tuple[Tensor, ...]: ...
    def sigmoid(self) -> Tensor:
        """1/(1 + exp(-input))."""
    expit = sigmoid
    def logsigmoid(self) -> Tensor:
        """log(sigmoid(input)) without overflow."""
    def relu(self) -> Tensor:
        """max(input, 0); the gradient at 0 is 0."""
    def leaky_relu(self, negative_slope: _Number = 0.01) -> Tensor:
        """The input where positive, negative_slope*input elsewhere."""
    def elu(self, alpha: _Number = 1.0) -> Tensor:
        """The input where positive, alpha*(exp(input) - 1) elsewhere."""
    def selu(self) -> Tensor:
        """elu with the constants that preserve mean and variance."""
    def hardtanh(self, min_val: _Number = -1.0, max_val: _Number = 1.0) -> Tensor:
        """The input clamped between two numbers; the gradient at them is 0."""
    def relu6(self) -> Tensor:
        """The input clamped between 0 and 6."""
    def silu(self) -> Tensor:
        """input * sigmoid(input)."""
    def softplus(self, beta: _Number = 1.0, threshold: _Number = 20.0) -> Tensor:
        """log(1 + exp(beta*input))/beta, and the input itself above threshold/beta."""
    def softsign(self) -> Tensor:
        """input/(1 + abs(input))."""
    def mish(self) -> Tensor:
        """input * tanh(softplus(input))."""
    def gelu(self, *, approximate: Literal["none", "tanh"] = "none") -> Tensor:
        """The input times its standard normal distribution function, or an approximation with tanh."""
    @overload
    def softmax(self, dim: _Int, dtype: _DType | None = None) -> Tensor:
        """exp(input) divided by its sum along a dimension, without overflow."""
    @overload
    def softmax(self, *, axis: _Int, dtype: _DType | None = None) -> Tensor: ...
    @overload
    def log_softmax(self, dim: _Int, dtype: _DType | None = None) -> Tensor:
        """The logarithm of softmax, without overflow."""
    @overload
    def log_softmax(self, *, axis: _Int, dtype: _DType | None = None) -> Tensor: ...
    def dist(self, other: _TensorLike, p: _Number = 2) -> Tensor:
        """Norm of the difference of two tensors."""
    def cdist(
        self, x2: _TensorLike, p: _Number = 2, compute_mode: str = "use_mm_for_euclid_dist_if_necessary"
    ) -> Tensor:
        """Distance of each row of x1 to each row of x2."""
    def pdist(self, p: _Number = 2) -> Tensor:
        """Distances of all pairs of rows."""
    def mse_loss(self, target: _TensorLike, reduction: Literal["mean", "sum", "none"] = "mean") -> Tensor:
        """Squared difference."""
    def huber_loss(
        self, target: _TensorLike, reduction: Literal["mean", "sum", "none"] = "mean", delta: _Number = 1.0
    ) -> Tensor:
        """Half the squared difference up to delta, linear beyond."""
    def smooth_l1_loss(
        self, target: _TensorLike, reduction: Literal["mean", "sum", "none"] = "mean", beta: _Number = 1.0
    ) -> Tensor:
        """The Huber loss divided by beta."""
    def l1_loss(self, target: _TensorLike, reduction: Literal["mean", "sum", "none"] = "mean") -> Tensor:
        """Absolute difference."""
    def binary_cross_entropy_with_logits(
        self,
        target: _TensorLike,
        weight: _TensorLike | None = None,
        pos_weight: _TensorLike | None = None,
        reduction: Literal["mean", "sum", "none"] = "mean",
    ) -> Tensor:
        """Cross-entropy of probabilities (target) and the sigmoid of the input."""
    def masked_fill(self, mask: _TensorLike, value: _Number | Tensor | np.ndarray) -> Tensor:
        """The input with a number where the mask is true."""
    def nll_loss(
        self,
        target: _TensorLike,
        weight: _TensorLike | None = None,
        ignore_index: _Int = -100,
        reduction: Literal["mean", "sum", "none"] = "mean",
    ) -> Tensor:
        """Minus the log-probability (input) of each target class."""
    def cross_entropy(
        self,
        target: _TensorLike,
        weight: _TensorLike | None = None,
        ignore_index: _Int = -100,
        reduction: Literal["mean", "sum", "none"] = "mean",
        label_smoothing: _Number = 0.0,
    ) -> Tensor:
        """Cross-entropy of the softmax of the input and target classes, given as indices or as probabilities."""
    def layer_norm(
        self,
        normalized_shape: _Int | _Ints,
        weight: _TensorLike | None = None,
        bias: _TensorLike | None = None,
        eps: _Number = 1e-05,
    ) -> Tensor:
        """The last dimensions normalized to mean 0 and variance 1, then scaled and shifted."""
    def mm(self, mat2: _TensorLike) -> Tensor:
        """Product of two matrices."""
    def mv(self, vec: _TensorLike) -> Tensor:
        """Product of a matrix and a vector."""
    def bmm(self, mat2: _TensorLike) -> Tensor:
        """Products of two batches of matrices."""
    def dot(self, tensor: _TensorLike) -> Tensor:
        """Sum of the products of two vectors."""
    def vdot(self, other: _TensorLike) -> Tensor:
        """Sum of the products of two vectors, as dot for real numbers."""
    def matmul(self, other: _TensorLike) -> Tensor:
        """Matrix product, input @ other, of vectors, matrices and batches of matrices, whose batches broadcast."""
    def outer(self, vec2: _TensorLike) -> Tensor:
        """Every product of an element of one vector with one of another."""
    ger = outer
    def inner(self, other: _TensorLike) -> Tensor:
        """Sum of products over the last dimensions of both tensors."""
    def tensordot(self, b: _TensorLike, dims: _Int | list[Any] | tuple[Any, Any] = 2) -> Tensor:
        """Sum of products over pairs of dimensions: the last ones of a with the first ones of b, or as listed."""
    def expand_as(self, other: _TensorLike) -> Tensor:
        """The tensor broadcast to the shape of another, without copying."""
    def reshape_as(self, other: _TensorLike) -> Tensor:
        """The elements in the shape of another tensor."""
    def view_as(self, other: _TensorLike) -> Tensor:
        """The elements in the shape of another tensor, without copying."""
    @overload
    def unflatten(self, dim: _Int, sizes: _Int | _Ints) -> Tensor:
        """A dimension split into several; one length may be -1."""
    @overload
    def unflatten(self, *, axis: _Int, sizes: _Int | _Ints) -> Tensor: ...
    def ravel(self) -> Tensor:
        """All elements in one dimension."""
    @overload
    def sum_to_size(self, *size: _Int | _Ints) -> Tensor:
        """Sums over the dimensions along which the given shape would be broadcast to that of the tensor."""
    @overload
    def sum_to_size(self, *, size: _Ints) -> Tensor: ...
    def adjoint(self) -> Tensor:
        """The last two dimensions swapped; all numbers are real."""
    def real(self) -> Tensor:
        """The tensor itself: all numbers are real."""
    def resolve_neg(self) -> Tensor:
        """The tensor itself; in PyTorch, a negation that was delayed is carried out."""
    def flipud(self) -> Tensor:
        """The rows in reverse order."""
    def fliplr(self) -> Tensor:
        """The columns in reverse order."""
    def rot90(self, k: _Int = 1, dims: _Ints | None = None) -> Tensor:
        """Rotation by k times 90 degrees in the plane of two dimensions, the first two unless given."""
    def diagflat(self, offset: _Int = 0) -> Tensor:
        """A matrix of zeros with the elements as its diagonal."""
    def unfold(self, dimension: _Int, size: _Int, step: _Int) -> Tensor:
        """Sliding windows along a dimension, their elements along a new last dimension."""
    def as_strided(self, size: _Int | _Ints, stride: _Int | _Ints, storage_offset: _Int | None = None) -> Tensor:
        """The elements at the given strides through a tensor in row-major order."""
    def randint_like(
        self, low: _Int, high: _Int | None = None, *, dtype: _DType | None = None, requires_grad: _Bool = False
    ) -> Tensor:
        """Random integers in the shape and dtype of a tensor."""
    def normal(
        self,
        std: _TensorLike = 1.0,
        size: _Int | _Ints | None = None,
        *,
        dtype: _DType | None = None,
        requires_grad: _Bool = False,
    ) -> Tensor:
        """Normal random numbers of a mean and a standard deviation, which are tensors, or two numbers with …"""
    def bernoulli(self, p: _Number | None = None, *, requires_grad: _Bool = False) -> Tensor:
        """1 with the probability that each element is, or with p in the shape of a tensor, else 0. For a seed …"""
    def multinomial(self, num_samples: _Int, replacement: _Bool = False, *, requires_grad: _Bool = False) -> Tensor:
        """Indices of the last dimension, drawn with the probabilities that its weights have, each once or with …"""
    def combinations(self, r: _Int = 2, with_replacement: _Bool = False) -> Tensor:
        """All combinations of r elements of a vector in their order, one per row, with or without repetition."""
    @overload
    def cummax(self, dim: _Int) -> _cummax:
        """The maximum up to each position, and its index, the last of equal ones."""
    @overload
    def cummax(self, *, axis: _Int) -> _cummax: ...
    @overload
    def cummin(self, dim: _Int) -> _cummin:
        """The minimum up to each position, and its index, the last of equal ones."""
    @overload
    def cummin(self, *, axis: _Int) -> _cummin: ...
    @overload
    def logcumsumexp(self, dim: _Int) -> Tensor:
        """log(cumsum(exp(input))) without overflow."""
    @overload
    def logcumsumexp(self, *, axis: _Int) -> Tensor: ...
    @overload
    def diff(
        self, n: _Int = 1, dim: _Int = -1, prepend: _TensorLike | None = None, append: _TensorLike | None = None
    ) -> Tensor:
        """Differences of neighbours along a dimension, n times; prepend and append are joined to its ends first."""
    @overload
    def diff(
        self, n: _Int = 1, *, axis: _Int, prepend: _TensorLike | None = None, append: _TensorLike | None = None
    ) -> Tensor: ...
    @overload
    def gradient(
        self,
        *,
        spacing: _Number | list[Any] | tuple[Any, ...] | None = None,
        dim: _Int | _Ints | None = None,
        edge_order: _Int = 1,
    ) -> tuple[Tensor, ...]:
        """Slopes along each dimension by differences of neighbours, with an even spacing or at given coordinates, …"""
    @overload
    def gradient(
        self,
        *,
        spacing: _Number | list[Any] | tuple[Any, ...] | None = None,
        axis: _Int | _Ints | None,
        edge_order: _Int = 1,
    ) -> tuple[Tensor, ...]: ...
    @overload
    def trapezoid(self, x: Tensor | np.ndarray | None = None, *, dx: _Number | None = None, dim: _Int = -1) -> Tensor:
        """The integral along a dimension by the trapezoidal rule, at coordinates x or with spacing dx."""
    @overload
    def trapezoid(self, x: Tensor | np.ndarray | None = None, *, dx: _Number | None = None, axis: _Int) -> Tensor: ...
    trapz = trapezoid
    @overload
    def cumulative_trapezoid(
        self, x: Tensor | np.ndarray | None = None, *, dx: _Number | None = None, dim: _Int = -1
    ) -> Tensor:
        """The integral up to each point after the first by the trapezoidal rule."""
    @overload
    def cumulative_trapezoid(
        self, x: Tensor | np.ndarray | None = None, *, dx: _Number | None = None, axis: _Int
    ) -> Tensor: ...
    def grid_sample(
        self,
        grid: _TensorLike,
        mode: Literal["bilinear", "nearest", "bicubic"] = "bilinear",
        padding_mode: Literal["zeros", "border", "reflection"] = "zeros",
        align_corners: _Bool | None = None,
    ) -> Tensor:
        """Images sampled at the coordinates of a grid, from -1 to 1 along each dimension, the last one first."""
    def affine_grid(self, size: _Ints, align_corners: _Bool | None = None) -> Tensor:
        """The grid for grid_sample of affine maps, a matrix for each member of the batch."""
    def pixel_shuffle(self, upscale_factor: _Int) -> Tensor:
        """Groups of channels rearranged into squares of elements."""
    def pixel_unshuffle(self, downscale_factor: _Int) -> Tensor:
        """Squares of elements rearranged into groups of channels."""
    def channel_shuffle(self, groups: _Int) -> Tensor:
        """The channels of several groups interleaved."""
    @overload
    def scatter(
        self,
        dim: _Int,
        index: _TensorLike,
        src: _TensorLike | None = None,
        value: _Number | None = None,
        *,
        reduce: Literal["add", "multiply"] | None = None,
    ) -> Tensor:
        """The tensor with a source or a value put at each index along a dimension; of equal indices the last one …"""
    @overload
    def scatter(
        self,
        *,
        axis: _Int,
        index: _TensorLike,
        src: _TensorLike | None = None,
        value: _Number | None = None,
        reduce: Literal["add", "multiply"] | None = None,
    ) -> Tensor: ...
    @overload
    def scatter_add(self, dim: _Int, index: _TensorLike, src: _TensorLike) -> Tensor:
        """The tensor with a source added at each index along a dimension, one after the other."""
    @overload
    def scatter_add(self, *, axis: _Int, index: _TensorLike, src: _TensorLike) -> Tensor: ...
    @overload
    def index_add(self, dim: _Int, index: _TensorLike, source: _TensorLike, *, alpha: _Number = 1) -> Tensor:
        """The tensor with alpha times the slices of a source added at a list of indices of a dimension."""
    @overload
    def index_add(self, *, axis: _Int, index: _TensorLike, source: _TensorLike, alpha: _Number = 1) -> Tensor: ...
    @overload
    def index_copy(self, dim: _Int, index: _TensorLike, source: _TensorLike) -> Tensor:
        """The tensor with the slices of a source at a list of indices of a dimension."""
    @overload
    def index_copy(self, *, axis: _Int, index: _TensorLike, source: _TensorLike) -> Tensor: ...
    @overload
    def index_fill(self, dim: _Int, index: _TensorLike, value: _Number | _TensorLike) -> Tensor:
        """The tensor with a number at a list of indices of a dimension."""
    @overload
    def index_fill(self, *, axis: _Int, index: _TensorLike, value: _Number | _TensorLike) -> Tensor: ...
    @overload
    def scatter_reduce(
        self,
        dim: _Int,
        index: _TensorLike,
        src: _TensorLike,
        reduce: Literal["sum", "prod", "mean", "amax", "amin"],
        *,
        include_self: _Bool = True,
    ) -> Tensor:
        """The tensor with elements of a source taken together at each index along a dimension: their sum, prod, …"""
    @overload
    def scatter_reduce(
        self,
        *,
        axis: _Int,
        index: _TensorLike,
        src: _TensorLike,
        reduce: Literal["sum", "prod", "mean", "amax", "amin"],
        include_self: _Bool = True,
    ) -> Tensor: ...
    @overload
    def index_reduce(
        self,
        dim: _Int,
        index: _TensorLike,
        source: _TensorLike,
        reduce: Literal["sum", "prod", "mean", "amax", "amin"],
        *,
        include_self: _Bool = True,
    ) -> Tensor:
        """The tensor with the places of a source taken together at a list of places of a dimension: their sum, …"""
    @overload
    def index_reduce(
        self,
        *,
        axis: _Int,
        index: _TensorLike,
        source: _TensorLike,
        reduce: Literal["sum", "prod", "mean", "amax", "amin"],
        include_self: _Bool = True,
    ) -> Tensor: ...
    @overload
    def sort(self, dim: _Int = -1, descending: _Bool = False, stable: _Bool | None = None) -> _sort:
        """The pair (values, indices) of the elements in order along a dimension. Equal ones stay in their order, …"""
    @overload
    def sort(self, *, axis: _Int, descending: _Bool = False, stable: _Bool | None = None) -> _sort: ...
    @overload
    def topk(self, k: _Int, dim: _Int = -1, largest: _Bool = True, sorted: _Bool = True) -> _topk:
        """The pair (values, indices) of the k largest elements along a dimension, or the smallest."""
    @overload
    def topk(self, k: _Int, *, axis: _Int, largest: _Bool = True, sorted: _Bool = True) -> _topk: ...
    def msort(self) -> Tensor:
        """The elements in order along the first dimension."""
    @overload
    def argsort(self, dim: _Int = -1, descending: _Bool = False, stable: _Bool | None = None) -> Tensor:
        """The indices that put the elements in order along a dimension."""
    @overload
    def argsort(self, *, axis: _Int, descending: _Bool = False, stable: _Bool | None = None) -> Tensor: ...
    @overload
    def kthvalue(self, k: _Int, dim: _Int = -1, keepdim: _Bool = False) -> _kthvalue:
        """The pair (values, indices) of the k-th smallest elements along a dimension, counted from 1; of equal …"""
    @overload
    def kthvalue(self, k: _Int, *, axis: _Int, keepdim: _Bool = False) -> _kthvalue: ...
    @overload
    def kthvalue(self, k: _Int, dim: _Int = -1, *, keepdims: _Bool) -> _kthvalue: ...
    @overload
    def kthvalue(self, k: _Int, *, axis: _Int, keepdims: _Bool) -> _kthvalue: ...
    @overload
    def median(self, dim: None = None, keepdim: _Bool = False) -> Tensor:
        """The median, the lower one of two in the middle; equal elements share the gradient evenly. With dim the …"""
    @overload
    def median(self, dim: _Int, keepdim: _Bool = False) -> _median: ...
    @overload
    def median(self, *, axis: _Int, keepdim: _Bool = False) -> _median: ...
    @overload
    def median(self, dim: None = None, *, keepdims: _Bool) -> Tensor: ...
    @overload
    def median(self, dim: _Int, *, keepdims: _Bool) -> _median: ...
    @overload
    def median(self, *, axis: _Int, keepdims: _Bool) -> _median: ...
    @overload
    def nanmedian(self, dim: None = None, keepdim: _Bool = False) -> Tensor:
        """The median of the elements that are not NaN; with dim the pair (values, indices)."""
    @overload
    def nanmedian(self, dim: _Int, keepdim: _Bool = False) -> _nanmedian: ...
    @overload
    def nanmedian(self, *, axis: _Int, keepdim: _Bool = False) -> _nanmedian: ...
    @overload
    def nanmedian(self, dim: None = None, *, keepdims: _Bool) -> Tensor: ...
    @overload
    def nanmedian(self, dim: _Int, *, keepdims: _Bool) -> _nanmedian: ...
    @overload
    def nanmedian(self, *, axis: _Int, keepdims: _Bool) -> _nanmedian: ...
    @overload
    def mode(self, dim: _Int = -1, keepdim: _Bool = False) -> _mode:
        """The pair (values, indices) of the most frequent elements along a dimension, the smallest of equally …"""
    @overload
    def mode(self, *, axis: _Int, keepdim: _Bool = False) -> _mode: ...
    @overload
    def mode(self, dim: _Int = -1, *, keepdims: _Bool) -> _mode: ...
    @overload
    def mode(self, *, axis: _Int, keepdims: _Bool) -> _mode: ...
    def searchsorted(
        self,
        values: _TensorLike,
        *,
        out_int32: _Bool = False,
        right: _Bool = False,
        side: Literal["left", "right"] | None = None,
        sorter: _TensorLike | None = None,
    ) -> Tensor:
        """Where values belong in a sorted sequence, or in one for each row: the index of the first element that …"""
    def bucketize(self, boundaries: _TensorLike, *, out_int32: _Bool = False, right: _Bool = False) -> Tensor:
        """The bucket of each element between sorted boundaries."""
    def isin(self, test_elements: _TensorLike, *, assume_unique: _Bool = False, invert: _Bool = False) -> Tensor:
        """Whether each element is among others; with invert, whether it is not."""
    def histc(self, bins: _Int = 100, min: _Number = 0, max: _Number = 0) -> Tensor:
        """How many elements lie in each of so many bins between min and max, or between the smallest and the …"""
    def hardsigmoid(self) -> Tensor:
        """relu6(input + 3)/6; the gradient at the corners is 0."""
    def hardswish(self) -> Tensor:
        """input*relu6(input + 3)/6."""
    def celu(self, alpha: _Number = 1.0) -> Tensor:
        """The input where positive, alpha*(exp(input/alpha) - 1) elsewhere."""
    def softshrink(self, lambd: _Number = 0.5) -> Tensor:
        """The input moved towards 0 by lambd, and 0 where it is smaller."""
    def hardshrink(self, lambd: _Number = 0.5) -> Tensor:
        """The input, and 0 where it is no larger than lambd."""
    def tanhshrink(self) -> Tensor:
        """input - tanh(input)."""
    def threshold(self, threshold: _Number, value: _Number) -> Tensor:
        """The input where it is greater than the threshold, value elsewhere."""
    def prelu(self, weight: _TensorLike) -> Tensor:
        """The input where positive, a weight times it elsewhere: one, or one for each channel, which is dimension 1."""
    def rrelu(self, lower: _Number = 0.125, upper: _Number = 0.3333333333333333) -> Tensor:
        """leaky_relu with the mean of two slopes; PyTorch's training with random slopes is not supported."""
    @overload
    def glu(self, dim: _Int = -1) -> Tensor:
        """The first half along a dimension times the sigmoid of the second."""
    @overload
    def glu(self, *, axis: _Int) -> Tensor: ...
    def binary_cross_entropy(
        self, target: _TensorLike, weight: _TensorLike | None = None, reduction: Literal["mean", "sum", "none"] = "mean"
    ) -> Tensor:
        """Cross-entropy of probabilities: minus the logarithm of the input where the target is 1."""
    def kl_div(
        self,
        target: _TensorLike,
        reduction: Literal["mean", "sum", "none", "batchmean"] = "mean",
        log_target: _Bool = False,
    ) -> Tensor:
        """Kullback-Leibler divergence of the target from the input, which are logarithms of probabilities."""
    def poisson_nll_loss(
        self,
        target: _TensorLike,
        log_input: _Bool = True,
        full: _Bool = False,
        eps: _Number = 1e-08,
        reduction: Literal["mean", "sum", "none"] = "mean",
    ) -> Tensor:
        """Minus the log-probability of a count (target) that is Poisson distributed; the input is the logarithm …"""
    def gaussian_nll_loss(
        self,
        target: _TensorLike,
        var: _TensorLike,
        full: _Bool = False,
        eps: _Number = 1e-06,
        reduction: Literal["mean", "sum", "none"] = "mean",
    ) -> Tensor:
        """Minus the logarithm of the density of a normal variable (target) with mean input and variance var."""
    @overload
    def pairwise_distance(
        self, x2: _TensorLike, p: _Number = 2.0, eps: _Number = 1e-06, keepdim: _Bool = False
    ) -> Tensor:
        """The norms of the differences of two lists of vectors."""
    @overload
    def pairwise_distance(
        self, x2: _TensorLike, p: _Number = 2.0, eps: _Number = 1e-06, *, keepdims: _Bool
    ) -> Tensor: ...
    @overload
    def cosine_similarity(self, x2: _TensorLike, dim: _Int = 1, eps: _Number = 1e-08) -> Tensor:
        """The cosines of the angles between vectors along a dimension."""
    @overload
    def cosine_similarity(self, x2: _TensorLike, *, axis: _Int, eps: _Number = 1e-08) -> Tensor: ...
    @overload
    def normalize(self, p: _Number = 2.0, dim: _Int | _Ints = 1, eps: _Number = 1e-12) -> Tensor:
        """Vectors along a dimension divided by their norm."""
    @overload
    def normalize(self, p: _Number = 2.0, *, axis: _Int | _Ints, eps: _Number = 1e-12) -> Tensor: ...
    def hinge_embedding_loss(
        self, target: _TensorLike, margin: _Number = 1.0, reduction: Literal["mean", "sum", "none"] = "mean"
    ) -> Tensor:
        """The input, a distance, where the target is 1, and max(0, margin - input) where it is -1."""
    def cosine_embedding_loss(
        self,
        input2: _TensorLike,
        target: _TensorLike,
        margin: _Number = 0.0,
        reduction: Literal["mean", "sum", "none"] = "mean",
    ) -> Tensor:
        """1 minus the cosine of two vectors where the target is 1, max(0, cosine - margin) where it is -1."""
    def margin_ranking_loss(
        self,
        input2: _TensorLike,
        target: _TensorLike,
        margin: _Number = 0.0,
        reduction: Literal["mean", "sum", "none"] = "mean",
    ) -> Tensor:
        """max(0, -target*(input1 - input2) + margin) for a target of 1 or -1."""
    def multi_margin_loss(
        self,
        target: _TensorLike,
        p: _Int = 1,
        margin: _Number = 1.0,
        weight: _TensorLike | None = None,
        reduction: Literal["mean", "sum", "none"] = "mean",
    ) -> Tensor:
        """By how much the scores of other classes come within margin of that of the target, a class index."""
    def multilabel_margin_loss(self, target: _TensorLike, reduction: Literal["mean", "sum", "none"] = "mean") -> Tensor:
        """By how much the scores of other classes come within 1 of those of the targets, a list that ends at a …"""
    def multilabel_soft_margin_loss(
        self, target: _TensorLike, weight: _TensorLike | None = None, reduction: Literal["mean", "sum", "none"] = "mean"
    ) -> Tensor:
        """The mean over the classes of the cross-entropy of the target and the sigmoid of the input."""
    def soft_margin_loss(self, target: _TensorLike, reduction: Literal["mean", "sum", "none"] = "mean") -> Tensor:
        """log(1 + exp(-target*input)) for a target of 1 or -1."""
    def triplet_margin_loss(
        self,
        positive: _TensorLike,
        negative: _TensorLike,
        margin: _Number = 1.0,
        p: _Number = 2,
        eps: _Number = 1e-06,
        swap: _Bool = False,
        reduction: Literal["mean", "sum", "none"] = "mean",
    ) -> Tensor:
        """max(0, d(anchor, positive) - d(anchor, negative) + margin) for a distance d."""
    def triplet_margin_with_distance_loss(
        self,
        positive: _TensorLike,
        negative: _TensorLike,
        *,
        distance_function: Callable[[Tensor, Tensor], Tensor] | None = None,
        margin: _Number = 1.0,
        swap: _Bool = False,
        reduction: Literal["mean", "sum", "none"] = "mean",
    ) -> Tensor:
        """triplet_margin_loss with a custom distance, in Python a function of two tensors."""
    def batch_norm(
        self,
        running_mean: _TensorLike,
        running_var: _TensorLike,
        weight: _TensorLike | None = None,
        bias: _TensorLike | None = None,
        training: _Bool = False,
        momentum: _Number = 0.1,
        eps: _Number = 1e-05,
    ) -> Tensor:
        """Each channel normalized to mean 0 and variance 1, with the running ones unless training; in Python …"""
    def group_norm(
        self, num_groups: _Int, weight: _TensorLike | None = None, bias: _TensorLike | None = None, eps: _Number = 1e-05
    ) -> Tensor:
        """Each group of neighbouring channels normalized to mean 0 and variance 1, for each member of the batch."""
    def instance_norm(
        self,
        running_mean: _TensorLike | None = None,
        running_var: _TensorLike | None = None,
        weight: _TensorLike | None = None,
        bias: _TensorLike | None = None,
        use_input_stats: _Bool = True,
        momentum: _Number = 0.1,
        eps: _Number = 1e-05,
    ) -> Tensor:
        """Each channel of each member of the batch normalized to mean 0 and variance 1."""
    def rms_norm(
        self, normalized_shape: _Int | _Ints, weight: _TensorLike | None = None, eps: _Number | None = None
    ) -> Tensor:
        """The last dimensions divided by the root of their mean square, then scaled."""
    def local_response_norm(
        self, size: _Int, alpha: _Number = 0.0001, beta: _Number = 0.75, k: _Number = 1.0
    ) -> Tensor:
        """Each element divided by a power of the mean square of its neighbours in nearby channels."""
    def erfcx(self) -> Tensor:
        """exp(input**2)*erfc(input), without overflow for large numbers."""
    def ndtr(self) -> Tensor:
        """The probability that a standard normal number is at most the input."""
    def log_ndtr(self) -> Tensor:
        """The logarithm of ndtr, exact also where that is next to 0 or 1."""
    def ndtri(self) -> Tensor:
        """The inverse of ndtr."""
    def erfinv(self) -> Tensor:
        """The inverse of erf."""
    def entr(self) -> Tensor:
        """-input*log(input), 0 at 0 and -inf below."""
    def xlog1py(self, other: _TensorLike) -> Tensor:
        """input*log(1 + other), and 0 where the input is 0."""
    def logit(self, eps: _Number | None = None) -> Tensor:
        """log(input/(1 - input)), of the input held between eps and 1 - eps where that is given."""
    def mvlgamma(self, p: _Int) -> Tensor:
        """The logarithm of the gamma function of matrices with p rows."""
    multigammaln = mvlgamma
    def ctc_loss(
        self,
        targets: _TensorLike,
        input_lengths: _TensorLike | _Ints,
        target_lengths: _TensorLike | _Ints,
        blank: _Int = 0,
        reduction: Literal["mean", "sum", "none"] = "mean",
        zero_infinity: _Bool = False,
    ) -> Tensor:
        """Minus the log-probability that a sequence of (time, batch, classes) spells the targets; the gradient is …"""
    def linear(self, weight: _TensorLike, bias: _TensorLike | None = None) -> Tensor:
        """input @ weight.T + bias."""
    def bilinear(self, input2: _TensorLike, weight: _TensorLike, bias: _TensorLike | None = None) -> Tensor:
        """Weighted products of all pairs of elements of two vectors: input1 @ weight[k] @ input2 + bias[k]."""
    def scaled_dot_product_attention(
        self,
        key: _TensorLike,
        value: _TensorLike,
        attn_mask: _TensorLike | None = None,
        dropout_p: _Number = 0.0,
        is_causal: _Bool = False,
        scale: _Number | None = None,
        enable_gqa: _Bool = False,
    ) -> Tensor:
        """softmax(query @ key.mT * scale + attn_mask) @ value; fully masked rows give zeros."""
    def linear_cross_entropy(
        self,
        linear_weight: _TensorLike,
        target: _TensorLike,
        *,
        linear_bias: _TensorLike | None = None,
        weight: _TensorLike | None = None,
        reduction: Literal["mean", "sum", "none"] = "mean",
        ignore_index: _Int | None = None,
        label_smoothing: _Number = 0.0,
        options: _TensorLike | None = None,
    ) -> Tensor:
        """Cross-entropy of a linear map of the input and target classes; options is PyTorch's and changes nothing."""
    @overload
    def softmin(self, dim: _Int, dtype: _DType | None = None) -> Tensor:
        """softmax of minus the input."""
    @overload
    def softmin(self, *, axis: _Int, dtype: _DType | None = None) -> Tensor: ...
    def conv1d(
        self,
        weight: _TensorLike,
        bias: _TensorLike | None = None,
        stride: _Int | _Ints = 1,
        padding: _Int | _Ints | Literal["same", "valid"] = 0,
        dilation: _Int | _Ints = 1,
        groups: _Int = 1,
    ) -> Tensor:
        """Sum of the products of a kernel and each window of the input, (batch, channels, length)."""
    def conv2d(
        self,
        weight: _TensorLike,
        bias: _TensorLike | None = None,
        stride: _Int | _Ints = 1,
        padding: _Int | _Ints | Literal["same", "valid"] = 0,
        dilation: _Int | _Ints = 1,
        groups: _Int = 1,
    ) -> Tensor:
        """Sum of the products of a kernel and each window of the input, (batch, channels, height, width)."""
    def conv3d(
        self,
        weight: _TensorLike,
        bias: _TensorLike | None = None,
        stride: _Int | _Ints = 1,
        padding: _Int | _Ints | Literal["same", "valid"] = 0,
        dilation: _Int | _Ints = 1,
        groups: _Int = 1,
    ) -> Tensor:
        """Sum of the products of a kernel and each window of the input, (batch, channels, depth, height, width)."""
    def conv_transpose1d(
        self,
        weight: _TensorLike,
        bias: _TensorLike | None = None,
        stride: _Int | _Ints = 1,
        padding: _Int | _Ints = 0,
        output_padding: _Int | _Ints = 0,
        groups: _Int = 1,
        dilation: _Int | _Ints = 1,
    ) -> Tensor:
        """The adjoint of conv1d: each element of the input, (batch, channels, length), spread by a kernel."""
    def conv_transpose2d(
        self,
        weight: _TensorLike,
        bias: _TensorLike | None = None,
        stride: _Int | _Ints = 1,
        padding: _Int | _Ints = 0,
        output_padding: _Int | _Ints = 0,
        groups: _Int = 1,
        dilation: _Int | _Ints = 1,
    ) -> Tensor:
        """The adjoint of conv2d: each element of the input, (batch, channels, height, width), spread by a kernel."""
    def conv_transpose3d(
        self,
        weight: _TensorLike,
        bias: _TensorLike | None = None,
        stride: _Int | _Ints = 1,
        padding: _Int | _Ints = 0,
        output_padding: _Int | _Ints = 0,
        groups: _Int = 1,
        dilation: _Int | _Ints = 1,
    ) -> Tensor:
        """The adjoint of conv3d: each element of the input, (batch, channels, depth, height, width), spread by a …"""
    @overload
    def nansum(self, dim: _Int | _Ints | None = None, keepdim: _Bool = False, *, dtype: _DType | None = None) -> Tensor:
        """Sum of the elements that are not NaN."""
    @overload
    def nansum(self, *, axis: _Int | _Ints | None, keepdim: _Bool = False, dtype: _DType | None = None) -> Tensor: ...
    @overload
    def nansum(self, dim: _Int | _Ints | None = None, *, keepdims: _Bool, dtype: _DType | None = None) -> Tensor: ...
    @overload
    def nansum(self, *, axis: _Int | _Ints | None, keepdims: _Bool, dtype: _DType | None = None) -> Tensor: ...
    @overload
    def nanmean(
        self, dim: _Int | _Ints | None = None, keepdim: _Bool = False, *, dtype: _DType | None = None
    ) -> Tensor:
        """Mean of the elements that are not NaN."""
    @overload
    def nanmean(self, *, axis: _Int | _Ints | None, keepdim: _Bool = False, dtype: _DType | None = None) -> Tensor: ...
    @overload
    def nanmean(self, dim: _Int | _Ints | None = None, *, keepdims: _Bool, dtype: _DType | None = None) -> Tensor: ...
    @overload
    def nanmean(self, *, axis: _Int | _Ints | None, keepdims: _Bool, dtype: _DType | None = None) -> Tensor: ...
    @overload
    def aminmax(self, *, dim: _Int | None = None, keepdim: _Bool = False) -> _aminmax:
        """Minimum and maximum; equal elements share the gradient evenly."""
    @overload
    def aminmax(self, *, axis: _Int | None, keepdim: _Bool = False) -> _aminmax: ...
    @overload
    def aminmax(self, *, dim: _Int | None = None, keepdims: _Bool) -> _aminmax: ...
    @overload
    def aminmax(self, *, axis: _Int | None, keepdims: _Bool) -> _aminmax: ...
    @overload
    def var_mean(
        self,
        dim: _Int | _Ints | None = None,
        unbiased: _Bool | None = None,
        keepdim: _Bool = False,
        *,
        correction: _Number | None = None,
    ) -> _var_mean:
        """Variance and mean."""
    @overload
    def var_mean(
        self,
        *,
        axis: _Int | _Ints | None,
        unbiased: _Bool | None = None,
        keepdim: _Bool = False,
        correction: _Number | None = None,
    ) -> _var_mean: ...
    @overload
    def var_mean(
        self,
        dim: _Int | _Ints | None = None,
        unbiased: _Bool | None = None,
        *,
        keepdims: _Bool,
        correction: _Number | None = None,
    ) -> _var_mean: ...
    @overload
    def var_mean(
        self,
        *,
        axis: _Int | _Ints | None,
        unbiased: _Bool | None = None,
        keepdims: _Bool,
        correction: _Number | None = None,
    ) -> _var_mean: ...
    @overload
    def std_mean(
        self,
        dim: _Int | _Ints | None = None,
        unbiased: _Bool | None = None,
        keepdim: _Bool = False,
        *,
        correction: _Number | None = None,
    ) -> _std_mean:
        """Standard deviation and mean."""
    @overload
    def std_mean(
        self,
        *,
        axis: _Int | _Ints | None,
        unbiased: _Bool | None = None,
        keepdim: _Bool = False,
        correction: _Number | None = None,
    ) -> _std_mean: ...
    @overload
    def std_mean(
        self,
        dim: _Int | _Ints | None = None,
        unbiased: _Bool | None = None,
        *,
        keepdims: _Bool,
        correction: _Number | None = None,
    ) -> _std_mean: ...
    @overload
    def std_mean(
        self,
        *,
        axis: _Int | _Ints | None,
        unbiased: _Bool | None = None,
        keepdims: _Bool,
        correction: _Number | None = None,
    ) -> _std_mean: ...
    def cov(
        self,
        *,
        correction: _Int = 1,
        fweights: Tensor | np.ndarray | list[builtins.int] | None = None,
        aweights: Tensor | np.ndarray | None = None,
    ) -> Tensor:
        """Covariances of the rows, each a variable; observations may be repeated (fweights) or weighted (aweights)."""
    def corrcoef(self) -> Tensor:
        """Correlations of the rows, each a variable."""
    def inv(self) -> Tensor:
        """Inverse of a square matrix."""
    inverse = inv
    def det(self) -> Tensor:
        """Determinant of a square matrix."""
    def slogdet(self) -> _slogdet:
        """The pair (sign, logabsdet) of the determinant, without its overflow; 0 and -inf for a singular matrix."""
    def logdet(self) -> Tensor:
        """Logarithm of the determinant: -inf for a singular matrix, NaN where the determinant is negative."""
    def solve(self, B: _TensorLike, *, left: _Bool = True) -> Tensor:
        """The X for which A @ X = B (X @ A = B with left=False); B holds vectors or matrices."""
    def cholesky(self, upper: _Bool = False) -> Tensor:
        """The triangular L of a positive definite matrix L @ L.T; U of U.T @ U with upper."""
    def index_put(self, indices: list[Any] | tuple[Any, ...], values: _TensorLike, accumulate: _Bool = False) -> Tensor:
        """The tensor with values put at indices, a tuple of them as in x[indices], or with accumulate added there."""
    def put(self, index: _TensorLike, source: _TensorLike, accumulate: _Bool = False) -> Tensor:
        """The tensor with a source put at indices into the flattened tensor, or with accumulate added there."""
    @overload
    def slice_scatter(
        self, src: _TensorLike, dim: _Int = 0, start: _Int | None = None, end: _Int | None = None, step: _Int = 1
    ) -> Tensor:
        """The tensor with a range of a dimension replaced by a source."""
    @overload
    def slice_scatter(
        self, src: _TensorLike, *, axis: _Int, start: _Int | None = None, end: _Int | None = None, step: _Int = 1
    ) -> Tensor: ...
    @overload
    def select_scatter(self, src: _TensorLike, dim: _Int, index: _Int) -> Tensor:
        """The tensor with one index of a dimension replaced by a source."""
    @overload
    def select_scatter(self, src: _TensorLike, *, axis: _Int, index: _Int) -> Tensor: ...
    def diagonal_scatter(self, src: _TensorLike, offset: _Int = 0, dim1: _Int = 0, dim2: _Int = 1) -> Tensor:
        """The tensor with the diagonal of two dimensions replaced by a source."""
    @overload
    def narrow(self, dim: _Int, start: _Int | _TensorLike, length: _Int) -> Tensor:
        """A range of a dimension of the given length, from start on."""
    @overload
    def narrow(self, *, axis: _Int, start: _Int | _TensorLike, length: _Int) -> Tensor: ...
    def masked_scatter(self, mask: _TensorLike, source: _TensorLike) -> Tensor:
        """The tensor with the elements of a source, one after the other, where a mask is true."""
    @overload
    def quantile(
        self,
        q: _Number | Tensor | np.ndarray | list[builtins.float],
        dim: _Int | None = None,
        keepdim: _Bool = False,
        *,
        interpolation: Literal["linear", "lower", "higher", "midpoint", "nearest"] = "linear",
    ) -> Tensor:
        """The q-quantile, between neighbours as interpolation says; NaN if any element is."""
    @overload
    def quantile(
        self,
        q: _Number | Tensor | np.ndarray | list[builtins.float],
        *,
        axis: _Int | None,
        keepdim: _Bool = False,
        interpolation: Literal["linear", "lower", "higher", "midpoint", "nearest"] = "linear",
    ) -> Tensor: ...
    @overload
    def quantile(
        self,
        q: _Number | Tensor | np.ndarray | list[builtins.float],
        dim: _Int | None = None,
        *,
        keepdims: _Bool,
        interpolation: Literal["linear", "lower", "higher", "midpoint", "nearest"] = "linear",
    ) -> Tensor: ...
    @overload
    def quantile(
        self,
        q: _Number | Tensor | np.ndarray | list[builtins.float],
        *,
        axis: _Int | None,
        keepdims: _Bool,
        interpolation: Literal["linear", "lower", "higher", "midpoint", "nearest"] = "linear",
    ) -> Tensor: ...
    @overload
    def nanquantile(
        self,
        q: _Number | Tensor | np.ndarray | list[builtins.float],
        dim: _Int | None = None,
        keepdim: _Bool = False,
        *,
        interpolation: Literal["linear", "lower", "higher", "midpoint", "nearest"] = "linear",
    ) -> Tensor:
        """The q-quantile of the elements that are not NaN."""
    @overload
    def nanquantile(
        self,
        q: _Number | Tensor | np.ndarray | list[builtins.float],
        *,
        axis: _Int | None,
        keepdim: _Bool = False,
        interpolation: Literal["linear", "lower", "higher", "midpoint", "nearest"] = "linear",
    ) -> Tensor: ...
    @overload
    def nanquantile(
        self,
        q: _Number | Tensor | np.ndarray | list[builtins.float],
        dim: _Int | None = None,
        *,
        keepdims: _Bool,
        interpolation: Literal["linear", "lower", "higher", "midpoint", "nearest"] = "linear",
    ) -> Tensor: ...
    @overload
    def nanquantile(
        self,
        q: _Number | Tensor | np.ndarray | list[builtins.float],
        *,
        axis: _Int | None,
        keepdims: _Bool,
        interpolation: Literal["linear", "lower", "higher", "midpoint", "nearest"] = "linear",
    ) -> Tensor: ...
    def multi_head_attention_forward(
        self,
        key: _TensorLike,
        value: _TensorLike,
        embed_dim_to_check: _Int,
        num_heads: _Int,
        in_proj_weight: _TensorLike,
        in_proj_bias: _TensorLike,
        bias_k: _TensorLike,
        bias_v: _TensorLike,
        add_zero_attn: _Bool,
        dropout_p: _Number,
        out_proj_weight: _TensorLike,
        out_proj_bias: _TensorLike,
        training: _Bool = True,
        key_padding_mask: _TensorLike | None = None,
        need_weights: _Bool = True,
        attn_mask: _TensorLike | None = None,
        use_separate_proj_weight: _Bool = False,
        q_proj_weight: _TensorLike | None = None,
        k_proj_weight: _TensorLike | None = None,
        v_proj_weight: _TensorLike | None = None,
        static_k: _TensorLike | None = None,
        static_v: _TensorLike | None = None,
        average_attn_weights: _Bool = True,
        is_causal: _Bool = False,
    ) -> tuple[Tensor, ...]:
        """Multi-head attention of (length, batch, size), with its projections; gives the result and the mean …"""
    def avg_pool1d(
        self,
        kernel_size: _Int | _Ints,
        stride: _Int | _Ints | None = None,
        padding: _Int | _Ints = 0,
        ceil_mode: _Bool = False,
        count_include_pad: _Bool = True,
    ) -> Tensor:
        """The mean of each window, along length."""
    def adaptive_avg_pool1d(self, output_size: _Int | _Ints) -> Tensor:
        """The mean of each of output_size windows of about equal length, along length."""
    def lp_pool1d(
        self,
        norm_type: _Number,
        kernel_size: _Int | _Ints,
        stride: _Int | _Ints | None = None,
        ceil_mode: _Bool = False,
    ) -> Tensor:
        """The norm of each window, along length."""
    def avg_pool2d(
        self,
        kernel_size: _Int | _Ints,
        stride: _Int | _Ints | None = None,
        padding: _Int | _Ints = 0,
        ceil_mode: _Bool = False,
        count_include_pad: _Bool = True,
        divisor_override: _Int | None = None,
    ) -> Tensor:
        """The mean of each window, along height, width."""
    def adaptive_avg_pool2d(self, output_size: _Int | _Ints) -> Tensor:
        """The mean of each of output_size windows of about equal length, along height, width."""
    def lp_pool2d(
        self,
        norm_type: _Number,
        kernel_size: _Int | _Ints,
        stride: _Int | _Ints | None = None,
        ceil_mode: _Bool = False,
    ) -> Tensor:
        """The norm of each window, along height, width."""
    def avg_pool3d(
        self,
        kernel_size: _Int | _Ints,
        stride: _Int | _Ints | None = None,
        padding: _Int | _Ints = 0,
        ceil_mode: _Bool = False,
        count_include_pad: _Bool = True,
        divisor_override: _Int | None = None,
    ) -> Tensor:
        """The mean of each window, along depth, height, width."""
    def adaptive_avg_pool3d(self, output_size: _Int | _Ints) -> Tensor:
        """The mean of each of output_size windows of about equal length, along depth, height, width."""
    def lp_pool3d(
        self,
        norm_type: _Number,
        kernel_size: _Int | _Ints,
        stride: _Int | _Ints | None = None,
        ceil_mode: _Bool = False,
    ) -> Tensor:
        """The norm of each window, along depth, height, width."""
    def interpolate(
        self,
        size: _Int | _Ints | None = None,
        scale_factor: _Number | list[_Number] | tuple[_Number, ...] | None = None,
        mode: Literal["nearest", "nearest-exact", "linear", "bilinear", "bicubic", "trilinear", "area"] = "nearest",
        align_corners: _Bool | None = None,
        recompute_scale_factor: _Bool | None = None,
    ) -> Tensor:
        """Resized along all dimensions but batch and channels: nearest, linear, bilinear, bicubic, …"""
    def upsample_nearest(
        self,
        size: _Int | _Ints | None = None,
        scale_factor: _Number | list[_Number] | tuple[_Number, ...] | None = None,
    ) -> Tensor:
        """Resized by nearest elements."""
    def upsample_bilinear(
        self,
        size: _Int | _Ints | None = None,
        scale_factor: _Number | list[_Number] | tuple[_Number, ...] | None = None,
    ) -> Tensor:
        """Resized bilinearly, with aligned corners."""
    def addmm(self, mat1: _TensorLike, mat2: _TensorLike, *, beta: _Number = 1, alpha: _Number = 1) -> Tensor:
        """beta*input + alpha*(mat1 @ mat2), of matrices."""
    def addmv(self, mat: _TensorLike, vec: _TensorLike, *, beta: _Number = 1, alpha: _Number = 1) -> Tensor:
        """beta*input + alpha*(mat @ vec), of a matrix and a vector."""
    def addr(self, vec1: _TensorLike, vec2: _TensorLike, *, beta: _Number = 1, alpha: _Number = 1) -> Tensor:
        """beta*input + alpha*outer(vec1, vec2)."""
    def baddbmm(self, batch1: _TensorLike, batch2: _TensorLike, *, beta: _Number = 1, alpha: _Number = 1) -> Tensor:
        """beta*input + alpha*(batch1 @ batch2), of batches of matrices."""
    def addbmm(self, batch1: _TensorLike, batch2: _TensorLike, *, beta: _Number = 1, alpha: _Number = 1) -> Tensor:
        """beta*input + alpha*sum(batch1 @ batch2, 0), of batches of matrices."""
    @overload
    def linalg_cross(self, other: _TensorLike, *, dim: _Int = -1) -> Tensor:
        """Cross product of vectors of 3 elements along a dimension."""
    @overload
    def linalg_cross(self, other: _TensorLike, *, axis: _Int) -> Tensor: ...
    @overload
    def cross(self, other: _TensorLike, dim: _Int | None = None) -> Tensor:
        """Cross product of vectors of 3 elements, without dim along the first dimension of length 3."""
    @overload
    def cross(self, other: _TensorLike, *, axis: _Int | None) -> Tensor: ...
    @overload
    def vecdot(self, y: _TensorLike, *, dim: _Int = -1) -> Tensor:
        """Dot products of the vectors along a dimension."""
    @overload
    def vecdot(self, y: _TensorLike, *, axis: _Int) -> Tensor: ...
    def kron(self, other: _TensorLike) -> Tensor:
        """Kronecker product: the second tensor times each element of the first, side by side."""
    def matrix_power(self, n: _Int) -> Tensor:
        """A matrix to an integer power; negative powers are those of its inverse."""
    def linalg_vander(self, *, N: _Int | None = None) -> Tensor:
        """The powers of each element, from 0 on, along a new last dimension."""
    def vander(self, N: _Int | None = None, increasing: _Bool = False) -> Tensor:
        """The powers of the elements of a vector, the highest first unless increasing."""
    def solve_triangular(
        self, B: _TensorLike, *, upper: _Bool, left: _Bool = True, unitriangular: _Bool = False
    ) -> Tensor:
        """The X for which A @ X = B (X @ A = B with left=False), where A is triangular; the other triangle is not …"""
    def triangular_solve(
        self, A: _TensorLike, upper: _Bool = True, transpose: _Bool = False, unitriangular: _Bool = False
    ) -> _triangular_solve:
        """The X for which A @ X = b, where A is triangular, or its transpose; and A (solution, cloned_coefficient)."""
    def cholesky_solve(self, L: _TensorLike, upper: _Bool = False) -> Tensor:
        """The X for which L @ L.T @ X = B (L.T @ L @ X = B with upper), where L is triangular."""
    def cholesky_inverse(self, upper: _Bool = False) -> Tensor:
        """Inverse of L @ L.T (of L.T @ L with upper), where L is triangular."""
    def max_pool1d(
        self,
        kernel_size: _Int | _Ints,
        stride: _Int | _Ints | None = None,
        padding: _Int | _Ints = 0,
        dilation: _Int | _Ints = 1,
        ceil_mode: _Bool = False,
        return_indices: _Bool = False,
    ) -> Tensor:
        """The largest element of each window, along length, and its index in the flattened input if asked for."""
    def adaptive_max_pool1d(self, output_size: _Int | _Ints, return_indices: _Bool = False) -> Tensor:
        """The largest element of each of output_size windows of about equal length, along length."""
    def max_unpool1d(
        self,
        indices: _TensorLike,
        kernel_size: _Int | _Ints,
        stride: _Int | _Ints | None = None,
        padding: _Int | _Ints = 0,
        output_size: _Int | _Ints | None = None,
    ) -> Tensor:
        """The largest elements put back to where max_pool1d found them, zeros elsewhere."""
    def max_pool2d(
        self,
        kernel_size: _Int | _Ints,
        stride: _Int | _Ints | None = None,
        padding: _Int | _Ints = 0,
        dilation: _Int | _Ints = 1,
        ceil_mode: _Bool = False,
        return_indices: _Bool = False,
    ) -> Tensor:
        """The largest element of each window, along height, width, and its index in the flattened input if asked …"""
    def adaptive_max_pool2d(self, output_size: _Int | _Ints, return_indices: _Bool = False) -> Tensor:
        """The largest element of each of output_size windows of about equal length, along height, width."""
    def max_unpool2d(
        self,
        indices: _TensorLike,
        kernel_size: _Int | _Ints,
        stride: _Int | _Ints | None = None,
        padding: _Int | _Ints = 0,
        output_size: _Int | _Ints | None = None,
    ) -> Tensor:
        """The largest elements put back to where max_pool2d found them, zeros elsewhere."""
    def max_pool3d(
        self,
        kernel_size: _Int | _Ints,
        stride: _Int | _Ints | None = None,
        padding: _Int | _Ints = 0,
        dilation: _Int | _Ints = 1,
        ceil_mode: _Bool = False,
        return_indices: _Bool = False,
    ) -> Tensor:
        """The largest element of each window, along depth, height, width, and its index in the flattened input if …"""
    def adaptive_max_pool3d(self, output_size: _Int | _Ints, return_indices: _Bool = False) -> Tensor:
        """The largest element of each of output_size windows of about equal length, along depth, height, width."""
    def max_unpool3d(
        self,
        indices: _TensorLike,
        kernel_size: _Int | _Ints,
        stride: _Int | _Ints | None = None,
        padding: _Int | _Ints = 0,
        output_size: _Int | _Ints | None = None,
    ) -> Tensor:
        """The largest elements put back to where max_pool3d found them, zeros elsewhere."""
    def im2col(
        self, kernel_size: _Int | _Ints, dilation: _Int | _Ints = 1, padding: _Int | _Ints = 0, stride: _Int | _Ints = 1
    ) -> Tensor:
        """The windows of images as columns; in PyTorch, nn.functional.unfold."""
    def fold(
        self,
        output_size: _Int | _Ints,
        kernel_size: _Int | _Ints,
        dilation: _Int | _Ints = 1,
        padding: _Int | _Ints = 0,
        stride: _Int | _Ints = 1,
    ) -> Tensor:
        """Columns summed into images: the adjoint of im2col."""
    def inv_ex(self, *, check_errors: _Bool = False) -> _inv_ex:
        """Inverse, and 0 or, for a singular matrix, the position of the first zero pivot (inverse, info)."""
    def solve_ex(self, B: _TensorLike, *, left: _Bool = True, check_errors: _Bool = False) -> _solve_ex:
        """The X for which A @ X = B, and 0 or the position of the first zero pivot of a singular matrix (result, …"""
    def cholesky_ex(self, *, upper: _Bool = False, check_errors: _Bool = False) -> _cholesky_ex:
        """The triangular L of L @ L.T, and 0 or the order of the first minor that is not positive (L, info)."""
    def linalg_svd(self, full_matrices: _Bool = True) -> _linalg_svd:
        """The singular value decomposition A = U @ diag(S) @ Vh (U, S, Vh)."""
    def svd(self, some: _Bool = True, compute_uv: _Bool = True) -> _svd:
        """The singular value decomposition input = U @ diag(S) @ V.mT (U, S, V); linalg_svd gives the transpose …"""
    def svdvals(self) -> Tensor:
        """The singular values, the largest first."""
    def eigh(self, UPLO: Literal["L", "U"] = "L") -> _eigh:
        """Eigenvalues, the smallest first, and eigenvectors of a symmetric matrix, of which one triangle is read."""
    def eigvalsh(self, UPLO: Literal["L", "U"] = "L") -> Tensor:
        """Eigenvalues of a symmetric matrix, the smallest first; one triangle is read."""
    def linalg_qr(self, mode: Literal["reduced", "complete", "r"] = "reduced") -> _linalg_qr:
        """The decomposition A = Q @ R into orthonormal columns and an upper triangular matrix (Q, R)."""
    def qr(self, some: _Bool = True) -> _qr:
        """The decomposition input = Q @ R into orthonormal columns and an upper triangular matrix (Q, R)."""
    def lu_factor_ex(self, *, pivot: _Bool = True, check_errors: _Bool = False) -> _lu_factor_ex:
        """Both triangles of an LU decomposition in one matrix, the row exchanges, and the position of a zero …"""
    def lu_factor(self, *, pivot: _Bool = True) -> _lu_factor:
        """Both triangles of an LU decomposition in one matrix, and the row exchanges (LU, pivots)."""
    def lu(self, pivot: _Bool = True, get_infos: _Bool = False) -> _lu_factor:
        """As lu_factor, for singular matrices, too; get_infos adds where they are; linalg_lu gives (P, L, U)."""
    def linalg_lu(self, *, pivot: _Bool = True) -> _linalg_lu:
        """The decomposition A = P @ L @ U into a permutation, a lower and an upper triangular matrix (P, L, U)."""
    def lu_unpack(self, LU_pivots: _TensorLike, unpack_data: _Bool = True, unpack_pivots: _Bool = True) -> _lu_unpack:
        """P, L and U from the result of lu_factor."""
    def linalg_lu_solve(
        self, pivots: _TensorLike, B: _TensorLike, *, left: _Bool = True, adjoint: _Bool = False
    ) -> Tensor:
        """The X for which A @ X = B by the LU decomposition of A (X @ A with left=False, A.T with adjoint)."""
    def lu_solve(self, LU_data: _TensorLike, LU_pivots: _TensorLike) -> Tensor:
        """The X for which A @ X = b by the LU decomposition of A."""
    def matrix_exp(self) -> Tensor:
        """Exponential of a square matrix."""
    def pinv(
        self,
        *,
        atol: _Number | Tensor | np.ndarray | None = None,
        rtol: _Number | Tensor | np.ndarray | None = None,
        hermitian: _Bool = False,
    ) -> Tensor:
        """Pseudo-inverse: singular values up to max(atol, rtol*the largest) count as 0."""
    def pinverse(self, rcond: _Number = 1e-15) -> Tensor:
        """Pseudo-inverse: singular values up to rcond times the largest count as 0."""
    def lstsq(
        self,
        B: _TensorLike,
        rcond: _Number | None = None,
        *,
        driver: Literal["gelsy", "gels", "gelsd", "gelss"] = "gelsy",
    ) -> _lstsq:
        """The X of least norm for which A @ X is nearest to B (solution, residuals, rank, singular_values)."""
    def householder_product(self, tau: _TensorLike) -> Tensor:
        """The first columns of a product of Householder reflections, given by the elements below the diagonal and …"""
    orgqr = householder_product
    def ormqr(self, tau: _TensorLike, other: _TensorLike, left: _Bool = True, transpose: _Bool = False) -> Tensor:
        """A product of reflections, given as for householder_product, times a matrix."""
    def linalg_diagonal(self, *, offset: _Int = 0, dim1: _Int = -2, dim2: _Int = -1) -> Tensor:
        """The diagonals of the matrices along two dimensions, the last ones unless given."""
    def tensorsolve(self, B: _TensorLike, dims: _Int | _Ints | None = None) -> Tensor:
        """The X for which tensordot(A, X, X.ndim) is B."""
    def tensorinv(self, ind: _Int = 2) -> Tensor:
        """The inverse for tensordot: its first dimensions are the last ones of A, from ind on."""
    @overload
    def vector_norm(
        self, ord: _Number = 2, dim: _Int | _Ints | None = None, keepdim: _Bool = False, *, dtype: _DType | None = None
    ) -> Tensor:
        """Norm of all elements, or of those along dimensions, as of one vector."""
    @overload
    def vector_norm(
        self, ord: _Number = 2, *, axis: _Int | _Ints | None, keepdim: _Bool = False, dtype: _DType | None = None
    ) -> Tensor: ...
    @overload
    def vector_norm(
        self, ord: _Number = 2, dim: _Int | _Ints | None = None, *, keepdims: _Bool, dtype: _DType | None = None
    ) -> Tensor: ...
    @overload
    def vector_norm(
        self, ord: _Number = 2, *, axis: _Int | _Ints | None, keepdims: _Bool, dtype: _DType | None = None
    ) -> Tensor: ...
    @overload
    def matrix_norm(
        self,
        ord: _Number | Literal["fro", "nuc"] = "fro",
        dim: _Ints | None = None,
        keepdim: _Bool = False,
        *,
        dtype: _DType | None = None,
    ) -> Tensor:
        """Norm of the matrices along two dimensions, the last ones without dim."""
    @overload
    def matrix_norm(
        self,
        ord: _Number | Literal["fro", "nuc"] = "fro",
        *,
        axis: _Ints | None,
        keepdim: _Bool = False,
        dtype: _DType | None = None,
    ) -> Tensor: ...
    @overload
    def matrix_norm(
        self,
        ord: _Number | Literal["fro", "nuc"] = "fro",
        dim: _Ints | None = None,
        *,
        keepdims: _Bool,
        dtype: _DType | None = None,
    ) -> Tensor: ...
    @overload
    def matrix_norm(
        self,
        ord: _Number | Literal["fro", "nuc"] = "fro",
        *,
        axis: _Ints | None,
        keepdims: _Bool,
        dtype: _DType | None = None,
    ) -> Tensor: ...
    @overload
    def linalg_norm(
        self,
        ord: _Number | Literal["fro", "nuc"] | None = None,
        dim: _Int | _Ints | None = None,
        keepdim: _Bool = False,
        *,
        dtype: _DType | None = None,
    ) -> Tensor:
        """Norm of a vector, or of a matrix if ord is given and there are two dimensions."""
    @overload
    def linalg_norm(
        self,
        ord: _Number | Literal["fro", "nuc"] | None = None,
        *,
        axis: _Int | _Ints | None,
        keepdim: _Bool = False,
        dtype: _DType | None = None,
    ) -> Tensor: ...
    @overload
    def linalg_norm(
        self,
        ord: _Number | Literal["fro", "nuc"] | None = None,
        dim: _Int | _Ints | None = None,
        *,
        keepdims: _Bool,
        dtype: _DType | None = None,
    ) -> Tensor: ...
    @overload
    def linalg_norm(
        self,
        ord: _Number | Literal["fro", "nuc"] | None = None,
        *,
        axis: _Int | _Ints | None,
        keepdims: _Bool,
        dtype: _DType | None = None,
    ) -> Tensor: ...
    def cond(self, p: _Number | Literal["fro", "nuc"] | None = None) -> Tensor:
        """Condition number: the norm of a matrix times that of its inverse; by singular values without p."""
    def matrix_rank(
        self,
        *,
        atol: _Number | Tensor | np.ndarray | None = None,
        rtol: _Number | Tensor | np.ndarray | None = None,
        hermitian: _Bool = False,
    ) -> Tensor:
        """Number of singular values above max(atol, rtol*the largest)."""
    @overload
    def renorm(self, p: _Number, dim: _Int, maxnorm: _Number) -> Tensor:
        """The slices along a dimension, those with a norm above maxnorm scaled down to it."""
    @overload
    def renorm(self, p: _Number, *, axis: _Int, maxnorm: _Number) -> Tensor: ...
    def to_(
        self,
        *kind: _DType | Tensor | _Bool,
        dtype: _DType | None = None,
        device: Literal["cpu"] | None = None,
        other: Tensor | np.ndarray | None = None,
        non_blocking: _Bool = False,
        copy: _Bool = False,
        memory_format: _Format | None = None,
    ) -> Tensor: ...
    def type_as_(self, other: _TensorLike) -> Tensor: ...
    def float_(self, *, memory_format: _Format | None = None) -> Tensor: ...
    def double_(self, *, memory_format: _Format | None = None) -> Tensor: ...
    def half_(self, *, memory_format: _Format | None = None) -> Tensor: ...
    def long_(self, *, memory_format: _Format | None = None) -> Tensor: ...
    def int_(self, *, memory_format: _Format | None = None) -> Tensor: ...
    def short_(self, *, memory_format: _Format | None = None) -> Tensor: ...
    def byte_(self, *, memory_format: _Format | None = None) -> Tensor: ...
    def char_(self, *, memory_format: _Format | None = None) -> Tensor: ...
    def bool_(self) -> Tensor: ...
    def clone_(self) -> Tensor: ...
    def contiguous_(self, *, memory_format: _Format = "contiguous_format") -> Tensor: ...
    def no_grad_(self) -> Tensor: ...
    def add_(self, other: _TensorLike, *, alpha: _Number = 1) -> Tensor: ...
    def sub_(self, other: _TensorLike, *, alpha: _Number = 1) -> Tensor: ...
    subtract_ = sub_
    def rsub_(self, other: _TensorLike, *, alpha: _Number = 1) -> Tensor: ...
    def mul_(self, other: _TensorLike) -> Tensor: ...
    multiply_ = mul_
    def div_(self, other: _TensorLike, *, rounding_mode: Literal["floor", "trunc"] | None = None) -> Tensor: ...
    divide_ = div_
    true_divide_ = div_
    def floor_divide_(self, other: _TensorLike) -> Tensor: ...
    def remainder_(self, other: _TensorLike) -> Tensor: ...
    def fmod_(self, other: _TensorLike) -> Tensor: ...
    def neg_(self) -> Tensor: ...
    negative_ = neg_
    def abs_(self) -> Tensor: ...
    absolute_ = abs_
    def sign_(self) -> Tensor: ...
    def lerp_(self, end: _TensorLike, weight: _TensorLike) -> Tensor: ...
    def xlogy_(self, other: _TensorLike) -> Tensor: ...
    def hypot_(self, other: _TensorLike) -> Tensor: ...
    def eq_(self, other: _TensorLike) -> Tensor: ...
    def ne_(self, other: _TensorLike) -> Tensor: ...
    not_equal_ = ne_
    def lt_(self, other: _TensorLike) -> Tensor: ...
    less_ = lt_
    def le_(self, other: _TensorLike) -> Tensor: ...
    less_equal_ = le_
    def gt_(self, other: _TensorLike) -> Tensor: ...
    greater_ = gt_
    def ge_(self, other: _TensorLike) -> Tensor: ...
    greater_equal_ = ge_
    def bitwise_and_(self, other: _TensorLike) -> Tensor: ...
    def bitwise_or_(self, other: _TensorLike) -> Tensor: ...
    def bitwise_not_(self) -> Tensor: ...
    def logical_and_(self, other: _TensorLike) -> Tensor: ...
    def logical_or_(self, other: _TensorLike) -> Tensor: ...
    def logical_xor_(self, other: _TensorLike) -> Tensor: ...
    def logical_not_(self) -> Tensor: ...
    def isnan_(self) -> Tensor: ...
    def isinf_(self) -> Tensor: ...
    def isfinite_(self) -> Tensor: ...
    def pow_(self, exponent: _TensorLike) -> Tensor: ...
    def square_(self) -> Tensor: ...
    def sqrt_(self) -> Tensor: ...
    def rsqrt_(self) -> Tensor: ...
    def reciprocal_(self) -> Tensor: ...
    def exp_(self) -> Tensor: ...
    def exp2_(self) -> Tensor: ...
    def expm1_(self) -> Tensor: ...
    def log_(self) -> Tensor: ...
    def log2_(self) -> Tensor: ...
    def log10_(self) -> Tensor: ...
    def log1p_(self) -> Tensor: ...
    def logaddexp_(self, other: _TensorLike) -> Tensor: ...
    def floor_(self) -> Tensor: ...
    def ceil_(self) -> Tensor: ...
    def trunc_(self) -> Tensor: ...
    fix_ = trunc_
    def round_(self, *, decimals: _Int = 0) -> Tensor: ...
    def frac_(self) -> Tensor: ...
    def where_(self, condition: _TensorLike, other: _TensorLike) -> Tensor: ...
    def maximum_(self, other: _TensorLike) -> Tensor: ...
    def minimum_(self, other: _TensorLike) -> Tensor: ...
    def clamp_(self, min: _TensorLike | None = None, max: _TensorLike | None = None) -> Tensor: ...
    clip_ = clamp_
    def clamp_min_(self, min: _TensorLike) -> Tensor: ...
    def clamp_max_(self, max: _TensorLike) -> Tensor: ...
    def sin_(self) -> Tensor: ...
    def cos_(self) -> Tensor: ...
    def tan_(self) -> Tensor: ...
    def asin_(self) -> Tensor: ...
    arcsin_ = asin_
    def acos_(self) -> Tensor: ...
    arccos_ = acos_
    def atan_(self) -> Tensor: ...
    arctan_ = atan_
    def sinh_(self) -> Tensor: ...
    def cosh_(self) -> Tensor: ...
    def tanh_(self) -> Tensor: ...
    def asinh_(self) -> Tensor: ...
    arcsinh_ = asinh_
    def acosh_(self) -> Tensor: ...
    arccosh_ = acosh_
    def atanh_(self) -> Tensor: ...
    arctanh_ = atanh_
    def atan2_(self, other: _TensorLike) -> Tensor: ...
    arctan2_ = atan2_
    def i0_(self) -> Tensor: ...
    def i0e_(self) -> Tensor: ...
    def i1_(self) -> Tensor: ...
    def i1e_(self) -> Tensor: ...
    def positive_(self) -> Tensor: ...
    def conj_(self) -> Tensor: ...
    conj_physical_ = conj_
    def resolve_conj_(self) -> Tensor: ...
    def sgn_(self) -> Tensor: ...
    def copysign_(self, other: _TensorLike) -> Tensor: ...
    def angle_(self) -> Tensor: ...
    def heaviside_(self, values: _TensorLike) -> Tensor: ...
    def signbit_(self) -> Tensor: ...
    def isposinf_(self) -> Tensor: ...
    def isneginf_(self) -> Tensor: ...
    def deg2rad_(self) -> Tensor: ...
    def rad2deg_(self) -> Tensor: ...
    def float_power_(self, exponent: _TensorLike) -> Tensor: ...
    def ldexp_(self, other: _TensorLike) -> Tensor: ...
    def frexp_(self) -> Tensor: ...
    def logaddexp2_(self, other: _TensorLike) -> Tensor: ...
    def fmax_(self, other: _TensorLike) -> Tensor: ...
    def fmin_(self, other: _TensorLike) -> Tensor: ...
    def nextafter_(self, other: _TensorLike) -> Tensor: ...
    def nan_to_num_(
        self, nan: _Number | None = None, posinf: _Number | None = None, neginf: _Number | None = None
    ) -> Tensor: ...
    def isclose_(
        self, other: _TensorLike, rtol: _Number = 1e-05, atol: _Number = 1e-08, equal_nan: _Bool = False
    ) -> Tensor: ...
    def allclose_(
        self, other: _TensorLike, rtol: _Number = 1e-05, atol: _Number = 1e-08, equal_nan: _Bool = False
    ) -> Tensor: ...
    def addcmul_(self, tensor1: _TensorLike, tensor2: _TensorLike, *, value: _Number = 1) -> Tensor: ...
    def addcdiv_(self, tensor1: _TensorLike, tensor2: _TensorLike, *, value: _Number = 1) -> Tensor: ...
    def bitwise_xor_(self, other: _TensorLike) -> Tensor: ...
    def bitwise_left_shift_(self, other: _TensorLike) -> Tensor: ...
    def bitwise_right_shift_(self, other: _TensorLike) -> Tensor: ...
    def gcd_(self, other: _TensorLike) -> Tensor: ...
    def lcm_(self, other: _TensorLike) -> Tensor: ...
    def sinc_(self) -> Tensor: ...
    def squeeze_(self, dim: _Int | _Ints | None = None) -> Tensor: ...
    def unsqueeze_(self, dim: _Int) -> Tensor: ...
    def transpose_(self, dim0: _Int | None = None, dim1: _Int | None = None) -> Tensor: ...
    swapaxes_ = transpose_
    swapdims_ = transpose_
    def t_(self) -> Tensor: ...
    def erf_(self) -> Tensor: ...
    def erfc_(self) -> Tensor: ...
    def lgamma_(self) -> Tensor: ...
    def digamma_(self) -> Tensor: ...
    def polygamma_(self, n: _Int) -> Tensor: ...
    def tril_(self, diagonal: _Int = 0) -> Tensor: ...
    def triu_(self, diagonal: _Int = 0) -> Tensor: ...
    def cumsum_(self, dim: _Int, *, dtype: _DType | None = None) -> Tensor: ...
    def cumprod_(self, dim: _Int, *, dtype: _DType | None = None) -> Tensor: ...
    def sigmoid_(self) -> Tensor: ...
    expit_ = sigmoid_
    def logsigmoid_(self) -> Tensor: ...
    def relu_(self) -> Tensor: ...
    def leaky_relu_(self, negative_slope: _Number = 0.01) -> Tensor: ...
    def elu_(self, alpha: _Number = 1.0) -> Tensor: ...
    def selu_(self) -> Tensor: ...
    def hardtanh_(self, min_val: _Number = -1.0, max_val: _Number = 1.0) -> Tensor: ...
    def relu6_(self) -> Tensor: ...
    def silu_(self) -> Tensor: ...
    def softplus_(self, beta: _Number = 1.0, threshold: _Number = 20.0) -> Tensor: ...
    def softsign_(self) -> Tensor: ...
    def mish_(self) -> Tensor: ...
    def gelu_(self, *, approximate: Literal["none", "tanh"] = "none") -> Tensor: ...
    def masked_fill_(self, mask: _TensorLike, value: _Number | Tensor | np.ndarray) -> Tensor: ...
    def scatter_(
        self,
        dim: _Int,
        index: _TensorLike,
        src: _TensorLike | None = None,
        value: _Number | None = None,
        *,
        reduce: Literal["add", "multiply"] | None = None,
    ) -> Tensor: ...
    def scatter_add_(self, dim: _Int, index: _TensorLike, src: _TensorLike) -> Tensor: ...
    def index_add_(self, dim: _Int, index: _TensorLike, source: _TensorLike, *, alpha: _Number = 1) -> Tensor: ...
    def index_copy_(self, dim: _Int, index: _TensorLike, source: _TensorLike) -> Tensor: ...
    def index_fill_(self, dim: _Int, index: _TensorLike, value: _Number | _TensorLike) -> Tensor: ...
    def scatter_reduce_(
        self,
        dim: _Int,
        index: _TensorLike,
        src: _TensorLike,
        reduce: Literal["sum", "prod", "mean", "amax", "amin"],
        *,
        include_self: _Bool = True,
    ) -> Tensor: ...
    def index_reduce_(
        self,
        dim: _Int,
        index: _TensorLike,
        source: _TensorLike,
        reduce: Literal["sum", "prod", "mean", "amax", "amin"],
        *,
        include_self: _Bool = True,
    ) -> Tensor: ...
    def hardsigmoid_(self) -> Tensor: ...
    def hardswish_(self) -> Tensor: ...
    def celu_(self, alpha: _Number = 1.0) -> Tensor: ...
    def softshrink_(self, lambd: _Number = 0.5) -> Tensor: ...
    def hardshrink_(self, lambd: _Number = 0.5) -> Tensor: ...
    def tanhshrink_(self) -> Tensor: ...
    def threshold_(self, threshold: _Number, value: _Number) -> Tensor: ...
    def rrelu_(self, lower: _Number = 0.125, upper: _Number = 0.3333333333333333) -> Tensor: ...
    def erfcx_(self) -> Tensor: ...
    def ndtr_(self) -> Tensor: ...
    def log_ndtr_(self) -> Tensor: ...
    def ndtri_(self) -> Tensor: ...
    def erfinv_(self) -> Tensor: ...
    def entr_(self) -> Tensor: ...
    def xlog1py_(self, other: _TensorLike) -> Tensor: ...
    def logit_(self, eps: _Number | None = None) -> Tensor: ...
    def mvlgamma_(self, p: _Int) -> Tensor: ...
    multigammaln_ = mvlgamma_
    def index_put_(
        self, indices: list[Any] | tuple[Any, ...], values: _TensorLike, accumulate: _Bool = False
    ) -> Tensor: ...
    def put_(self, index: _TensorLike, source: _TensorLike, accumulate: _Bool = False) -> Tensor: ...
    def masked_scatter_(self, mask: _TensorLike, source: _TensorLike) -> Tensor: ...
    def addmm_(self, mat1: _TensorLike, mat2: _TensorLike, *, beta: _Number = 1, alpha: _Number = 1) -> Tensor: ...
    def addmv_(self, mat: _TensorLike, vec: _TensorLike, *, beta: _Number = 1, alpha: _Number = 1) -> Tensor: ...
    def addr_(self, vec1: _TensorLike, vec2: _TensorLike, *, beta: _Number = 1, alpha: _Number = 1) -> Tensor: ...
    def baddbmm_(
        self, batch1: _TensorLike, batch2: _TensorLike, *, beta: _Number = 1, alpha: _Number = 1
    ) -> Tensor: ...
    def addbmm_(self, batch1: _TensorLike, batch2: _TensorLike, *, beta: _Number = 1, alpha: _Number = 1) -> Tensor: ...
    def renorm_(self, p: _Number, dim: _Int, maxnorm: _Number) -> Tensor: ...

class no_grad:
    """Track nothing in a with block or a decorated function; results have requires_grad=False."""
    def __init__(self) -> None: ...
    def __enter__(self) -> None: ...
    def __exit__(self, *exception: object) -> None: ...
    def __call__(self, function: _F) -> _F: ...

class enable_grad:
    """Track operations in a with block or a decorated function, also inside no_grad."""
    def __init__(self) -> None: ...
    def __enter__(self) -> None: ...
    def __exit__(self, *exception: object) -> None: ...
    def __call__(self, function: _F) -> _F: ...

def is_grad_enabled() -> builtins.bool:
    """Whether operations are tracked at this point."""

class inference_mode:
    """Track nothing in a with block or a decorated function, as no_grad; with False as enable_grad."""
    def __init__(self, mode: builtins.bool = True) -> None: ...
    def __enter__(self) -> None: ...
    def __exit__(self, *exception: object) -> None: ...
    def __call__(self, function: _F) -> _F: ...

class set_grad_enabled:
    """Track operations from here on, or do not; in a with statement, until the end of its block."""
    def __init__(self, mode: builtins.bool) -> None: ...
    def __call__(self, function: _F) -> _F: ...
    def __enter__(self) -> None: ...
    def __exit__(self, *exception: object) -> None: ...

def grad(
    outputs: Tensor | Iterable[Tensor],
    inputs: Tensor | Iterable[Tensor],
    grad_outputs: Any = None,
    retain_graph: builtins.bool | None = None,
    create_graph: builtins.bool = False,
    only_inputs: builtins.bool = True,
    allow_unused: builtins.bool | None = None,
    *,
    materialize_grads: builtins.bool = False,
) -> tuple[Tensor | None, ...]:
    """The gradients of outputs with respect to inputs; no .grad is changed."""

class Function:
    """A function with a derivative of its own: a class with forward and backward, called by apply."""
    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        """Compute the results: ctx and the arguments, or the arguments alone where there is a setup_context."""
    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        """Keep what backward needs, apart from forward, which then takes the arguments alone."""
    @staticmethod
    def backward(*args: Any, **kwargs: Any) -> Any:
        """The gradients of the arguments, from ctx and those of the results."""
    @classmethod
    def apply(cls, *args: Any) -> Any:
        """Call the function; what it gives depends on those of its arguments that are tracked tensors."""

def jacobian(
    func: Callable[..., Any],
    inputs: Any,
    create_graph: builtins.bool = False,
    strict: builtins.bool = False,
    vectorize: builtins.bool = False,
    strategy: str = "reverse-mode",
) -> Any:
    """The Jacobian of a function, of shape output.shape + input.shape."""

def hessian(
    func: Callable[..., Any],
    inputs: Any,
    create_graph: builtins.bool = False,
    strict: builtins.bool = False,
    vectorize: builtins.bool = False,
    outer_jacobian_strategy: str = "reverse-mode",
) -> Any:
    """The Hessian of a scalar function, of shape input.shape + input.shape."""

def vjp(
    func: Callable[..., Any],
    inputs: Any,
    v: Any = None,
    create_graph: builtins.bool = False,
    strict: builtins.bool = False,
) -> Any:
    """The outputs of a function, and the product of the vector v with its Jacobian."""

def jvp(
    func: Callable[..., Any],
    inputs: Any,
    v: Any = None,
    create_graph: builtins.bool = False,
    strict: builtins.bool = False,
) -> Any:
    """The outputs of a function, and the product of its Jacobian with the vector v."""

def hvp(
    func: Callable[..., Any],
    inputs: Any,
    v: Any = None,
    create_graph: builtins.bool = False,
    strict: builtins.bool = False,
) -> Any:
    """The value of a scalar function, and the product of its Hessian with the vector v."""

def vhp(
    func: Callable[..., Any],
    inputs: Any,
    v: Any = None,
    create_graph: builtins.bool = False,
    strict: builtins.bool = False,
) -> Any:
    """The value of a scalar function, and the product of the vector v with its Hessian, which is symmetric."""

def each(func: Callable[..., Any], *xs: Any) -> Any:
    """Apply a function to every row of its arguments, and stack the results: one tensor, or a tuple of several."""

def gradcheck(
    func: Callable[..., Any],
    inputs: Any,
    *,
    eps: builtins.float = 1e-06,
    atol: builtins.float = 1e-05,
    rtol: builtins.float = 0.001,
    raise_exception: builtins.bool = True,
    nondet_tol: builtins.float = 0.0,
    check_batched_grad: builtins.bool = False,
    check_forward_ad: builtins.bool = False,
    check_backward_ad: builtins.bool = True,
    fast_mode: builtins.bool = False,
) -> builtins.bool:
    """Whether the gradients of a function agree with central differences, for every input that requires grad."""

def gradgradcheck(
    func: Callable[..., Any],
    inputs: Any,
    grad_outputs: Any = None,
    *,
    eps: builtins.float = 1e-06,
    atol: builtins.float = 1e-05,
    rtol: builtins.float = 0.001,
    raise_exception: builtins.bool = True,
    nondet_tol: builtins.float = 0.0,
    check_batched_grad: builtins.bool = False,
    check_forward_ad: builtins.bool = False,
    fast_mode: builtins.bool = False,
) -> builtins.bool:
    """Whether second derivatives agree with central differences; see gradcheck."""

def manual_seed(seed: builtins.int) -> None:
    """Set the seed of the random numbers, which are PyTorch's for the same seed."""

def initial_seed() -> builtins.int:
    """The seed of the random numbers, which manual_seed has set or the operating system has given."""

def set_default_dtype(dtype: _DType) -> None:
    """Set the floating-point dtype of literals, new tensors and real functions of integers (float32 by default)."""

def get_default_dtype() -> np.dtype:
    """The dtype set with set_default_dtype, or float32."""

def from_numpy(array: np.ndarray) -> Tensor:
    """A tensor with the elements and dtype of an array."""

def is_tensor(obj: Any) -> builtins.bool:
    """Whether a value is a Tensor."""

def numel(input: Tensor) -> builtins.int:
    """The number of elements of a tensor."""

def equal(input: Tensor, other: Tensor) -> builtins.bool:
    """Whether two tensors have the same shape and the same elements."""

def result_type(tensor1: Any, tensor2: Any) -> np.dtype:
    """The dtype of what is computed from two tensors or numbers."""

def promote_types(type1: Any, type2: Any) -> np.dtype:
    """The dtype of what is computed from tensors of two dtypes."""

def can_cast(from_: Any, to: Any) -> builtins.bool:
    """Whether numbers of a dtype may be written over those of another: floats not over integers, only booleans …"""

def broadcast_shapes(*shapes: Any) -> tuple[builtins.int, ...]:
    """The shape in which tensors of several shapes are computed with each other."""

def finfo(dtype: _DType | None = None) -> _FloatLimits:
    """What a floating-point type can hold: eps, max, min, tiny, bits and so on; the default one's if none is given."""

def iinfo(dtype: _DType) -> _IntLimits:
    """What an integer type can hold: max, min and bits."""

def set_num_threads(number: builtins.int) -> None:
    """Set the number of threads; results are the same, bit for bit, for any number."""

def get_num_threads() -> builtins.int:
    """The number of threads, set with set_num_threads or GRADCLI_THREADS, or one for each processor."""

def set_engine(name: str) -> None:
    """Choose the engine for large tensors: "numpy", "native" (compiled loops) or "auto" (native if available)."""

def get_engine() -> str:
    """The engine set with set_engine, or with GRADCLI_ENGINE, or "auto"."""

def evaluate(
    expression: str | _Script,
    inputs: Mapping[str, Any] | None = None,
    wrt: Iterable[str] | str | None = None,
    grad_output: _TensorLike | None = None,
    *,
    per_row: Iterable[str] | str = (),
    imports: str | PathLike[str] | None = None,
    progress: Callable[[builtins.int, builtins.int], None] | None = None,
) -> Result:
    """Compute the value of an expression and the gradients of its inputs together."""

class Result:
    """The result of evaluate."""
    def __init__(
        self, request: _Request, inputs: Mapping[str, Any], computed: Sequence[Any], shared: builtins.bool
    ) -> None: ...
    @property
    def value(self) -> Tensor: ...
    @property
    def grads(self) -> dict[str, Tensor | None] | None: ...
    @property
    def note(self) -> str | None: ...
    @property
    def derivatives(self) -> dict[str, Tensor]: ...
    @property
    def grad_fn(self) -> _GradFn | None: ...
    def __repr__(self) -> str: ...

def steps(
    expression: str,
    inputs: Mapping[str, Any] | None = None,
    wrt: Iterable[str] | str | None = None,
    grad_output: _TensorLike | None = None,
    *,
    only: Iterable[str] | str | None = None,
    imports: str | PathLike[str] | None = None,
) -> Walkthrough:
    """The computation of an expression step by step: forward, then backward from the value to the inputs."""

class Walkthrough:
    """A computation step by step; print shows it as gradcli steps does."""

    source: str
    value: str
    forward: list[_ForwardStep]
    backward: list[_BackwardStep | _Arrival]
    note: str | None
    unreached: tuple[str, ...]
    skipped: builtins.int
    gap: builtins.int
    calls: Mapping[str, builtins.int]
    ranks: Mapping[str, builtins.int]
    def __repr__(self) -> str: ...
    def markdown(self, precision: builtins.int = 4) -> str:
        """The steps as Markdown, with precision digits after the point."""
    def latex(self) -> str:
        """The steps as formulas in LaTeX."""
    def results(self) -> dict[str, Any]:
        """The value and the gradients of the inputs, as far as they are told of, by name."""
    def leaves_out_after(self, place: builtins.int) -> builtins.bool:
        """Whether it is told after the step at a place of forward that some are left out."""

def report(
    expression: str | None = None,
    inputs: Mapping[str, Any] | None = None,
    wrt: Iterable[str] | str | None = None,
    grad_output: _TensorLike | None = None,
    *,
    runs: Any = None,
    path: str | PathLike[str] | None = None,
    precision: builtins.int = 4,
    imports: str | PathLike[str] | None = None,
) -> Page:
    """Show a computation as one HTML page, as gradcli report does."""

class Page(str):
    """An HTML file as a string; it loads nothing from elsewhere."""
    def __repr__(self) -> str: ...

def minimize(
    expression: str | _Script,
    inputs: Mapping[str, Any],
    wrt: Iterable[str] | str,
    *,
    method: str = "lbfgs",
    bounds: Mapping[str, Any] | None = None,
    max_iter: builtins.int | None = None,
    tol: builtins.float | None = None,
    lr: builtins.float | None = None,
    betas: Sequence[builtins.float] | None = None,
    momentum: builtins.float | None = None,
    alpha: builtins.float | None = None,
    eps: builtins.float | None = None,
    weight_decay: builtins.float | None = None,
    history_size: builtins.int | None = None,
    steps: builtins.int | None = None,
    batch_size: builtins.int | None = None,
    rows: Iterable[str] | str = (),
    seed: builtins.int = 0,
    watch: Callable[[_Iterate], Any] | None = None,
    resume: Mapping[str, Any] | None = None,
    imports: str | PathLike[str] | None = None,
) -> Minimum:
    """Find the values of the inputs named in wrt, the parameters, at which an expression is smallest."""

class Minimum:
    """The result of minimize: the value, the parameters and their gradients, and how the search ended."""

    value: Tensor
    parameters: dict[str, Tensor]
    grads: dict[str, Tensor] | None
    method: str
    converged: builtins.bool
    reason: str
    steps: builtins.int
    evaluations: builtins.int
    gradient_norm: builtins.float | None
    def __repr__(self) -> str: ...

def fit(
    model: str | _Model,
    inputs: Mapping[str, Any],
    params: Mapping[str, Any],
    *,
    sigma: Any = None,
    absolute_sigma: builtins.bool = False,
    loss: str = "linear",
    f_scale: builtins.float = 1.0,
    bounds: Mapping[str, tuple[Any, Any]] | None = None,
    dtype: str = "float64",
    max_evaluations: builtins.int = 10000,
    imports: str | PathLike[str] | None = None,
) -> Fit:
    """Fit a model observed = predicted to data by nonlinear least squares."""

class Fit:
    """The result of fit; all tensors are float64."""

    model: str
    parameters: dict[str, Tensor]
    errors: dict[str, Tensor]
    start: dict[str, Tensor]
    labels: list[str]
    covariance: Tensor
    correlation: Tensor
    residuals: Tensor
    statistics: _Statistics
    evaluations: builtins.int
    reason: str
    notes: tuple[str, ...]
    def predict(self, inputs: Mapping[str, Any] | None = None) -> Tensor:
        """The model with the fitted parameters, at the data or with other values for some inputs."""
    def prediction_errors(self, inputs: Mapping[str, Any] | None = None) -> Tensor:
        """The standard errors of the predictions, in their shape, from those of the parameters."""
    def band(self, inputs: Mapping[str, Any] | None = None, level: builtins.float = 0.95) -> tuple[Tensor, Tensor]:
        """The lower and upper limits of the model's confidence band at this level: by Student's distribution, or …"""
    def curves(self) -> _Curves:
        """The data, the model and its band of 95 %, and the residuals, as gradcli.plotting draws them."""
    def report(self) -> dict[str, Any]:
        """All of it as plain data, for JSON."""
    def text(self) -> _Marked:
        """What the command prints of it."""
    def __repr__(self) -> str: ...

@overload
def to(
    input: _TensorLike,
    *kind: _DType | Tensor | _Bool,
    dtype: _DType | None = None,
    device: Literal["cpu"] | None = None,
    other: Tensor | np.ndarray | None = None,
    non_blocking: _Bool = False,
    copy: _Bool = False,
    memory_format: _Format | None = None,
) -> Tensor:
    """The tensor in another dtype, such as float64, or in that of another tensor; the only device is 'cpu'."""

@overload
def to(
    input: _TensorLike,
    *,
    kind: _Tensors,
    dtype: _DType | None = None,
    device: Literal["cpu"] | None = None,
    other: Tensor | np.ndarray | None = None,
    non_blocking: _Bool = False,
    copy: _Bool = False,
    memory_format: _Format | None = None,
) -> Tensor: ...
def type_as(input: _TensorLike, other: _TensorLike) -> Tensor:
    """The tensor in the dtype of another."""

def byte(input: _TensorLike, *, memory_format: _Format | None = None) -> Tensor:
    """The tensor as uint8."""

def char(input: _TensorLike, *, memory_format: _Format | None = None) -> Tensor:
    """The tensor as int8."""

def clone(input: _TensorLike) -> Tensor:
    """A copy of the tensor."""

def contiguous(input: _TensorLike, *, memory_format: _Format = "contiguous_format") -> Tensor:
    """The tensor in row-major order: itself when it already is."""

def detach(input: _TensorLike) -> Tensor:
    """The same values, no longer tracked: no gradient flows through."""

def add(input: _TensorLike, other: _TensorLike, *, alpha: _Number = 1) -> Tensor:
    """Sum, input + alpha*other."""

def sub(input: _TensorLike, other: _TensorLike, *, alpha: _Number = 1) -> Tensor:
    """Difference, input - alpha*other."""

subtract = sub

def rsub(input: _TensorLike, other: _TensorLike, *, alpha: _Number = 1) -> Tensor:
    """Difference, other - alpha*input."""

def mul(input: _TensorLike, other: _TensorLike) -> Tensor:
    """Product, input * other."""

multiply = mul

def div(input: _TensorLike, other: _TensorLike, *, rounding_mode: Literal["floor", "trunc"] | None = None) -> Tensor:
    """Quotient, input / other."""

divide = div
true_divide = div

def floor_divide(input: _TensorLike, other: _TensorLike) -> Tensor:
    """Quotient rounded down, input // other."""

def remainder(input: _TensorLike, other: _TensorLike) -> Tensor:
    """Remainder with the sign of the divisor, input % other."""

def fmod(input: _TensorLike, other: _TensorLike) -> Tensor:
    """Remainder with the sign of the dividend."""

def neg(input: _TensorLike) -> Tensor:
    """Negation, -input."""

negative = neg

def abs(input: _TensorLike) -> Tensor:
    """Absolute value; the gradient at 0 is 0."""

absolute = abs

def sign(input: _TensorLike) -> Tensor:
    """-1, 0 or 1 by the sign of the input."""

def lerp(input: _TensorLike, end: _TensorLike, weight: _TensorLike) -> Tensor:
    """Linear interpolation, input + weight*(end - input)."""

def xlogy(input: _TensorLike, other: _TensorLike) -> Tensor:
    """input * log(other), and 0 where the input is 0."""

def hypot(input: _TensorLike, other: _TensorLike) -> Tensor:
    """Hypotenuse, sqrt(input**2 + other**2), without overflow."""

def eq(input: _TensorLike, other: _TensorLike) -> Tensor:
    """True where input == other."""

def ne(input: _TensorLike, other: _TensorLike) -> Tensor:
    """True where input != other."""

not_equal = ne

def lt(input: _TensorLike, other: _TensorLike) -> Tensor:
    """True where input < other."""

less = lt

def le(input: _TensorLike, other: _TensorLike) -> Tensor:
    """True where input <= other."""

less_equal = le

def gt(input: _TensorLike, other: _TensorLike) -> Tensor:
    """True where input > other."""

greater = gt

def ge(input: _TensorLike, other: _TensorLike) -> Tensor:
    """True where input >= other."""

greater_equal = ge

def bitwise_and(input: _TensorLike, other: _TensorLike) -> Tensor:
    """Logical and, input & other; bitwise for integers."""

def bitwise_or(input: _TensorLike, other: _TensorLike) -> Tensor:
    """Logical or, input | other; bitwise for integers."""

def bitwise_not(input: _TensorLike) -> Tensor:
    """Logical not, ~input; bitwise for integers."""

def logical_and(input: _TensorLike, other: _TensorLike) -> Tensor:
    """True where both are nonzero."""

def logical_or(input: _TensorLike, other: _TensorLike) -> Tensor:
    """True where one is not zero."""

def logical_xor(input: _TensorLike, other: _TensorLike) -> Tensor:
    """True where exactly one is nonzero."""

def logical_not(input: _TensorLike) -> Tensor:
    """True where the input is zero."""

def isnan(input: _TensorLike) -> Tensor:
    """True where the input is not a number."""

def isinf(input: _TensorLike) -> Tensor:
    """True where the input is infinite."""

def isfinite(input: _TensorLike) -> Tensor:
    """True where the input is neither infinite nor NaN."""

def pow(input: _TensorLike, exponent: _TensorLike) -> Tensor:
    """Power, input ** exponent."""

def square(input: _TensorLike) -> Tensor:
    """Square, input ** 2."""

def sqrt(input: _TensorLike) -> Tensor:
    """Square root."""

def rsqrt(input: _TensorLike) -> Tensor:
    """Reciprocal square root, 1/sqrt(input)."""

def reciprocal(input: _TensorLike) -> Tensor:
    """Reciprocal, 1/input."""

def exp(input: _TensorLike) -> Tensor:
    """Exponential."""

def exp2(input: _TensorLike) -> Tensor:
    """Power of 2."""

def expm1(input: _TensorLike) -> Tensor:
    """exp(input) - 1, exact near 0."""

def log(input: _TensorLike) -> Tensor:
    """Natural logarithm."""

def log2(input: _TensorLike) -> Tensor:
    """Logarithm to base 2."""

def log10(input: _TensorLike) -> Tensor:
    """Logarithm to base 10."""

def log1p(input: _TensorLike) -> Tensor:
    """log(1 + input), exact near 0."""

def logaddexp(input: _TensorLike, other: _TensorLike) -> Tensor:
    """log(exp(input) + exp(other)) without overflow."""

def floor(input: _TensorLike) -> Tensor:
    """Round down."""

def ceil(input: _TensorLike) -> Tensor:
    """Round up."""

def trunc(input: _TensorLike) -> Tensor:
    """Round towards zero."""

fix = trunc

def round(input: _TensorLike, *, decimals: _Int = 0) -> Tensor:
    """Round to the nearest, halves to even, with so many decimals."""

def frac(input: _TensorLike) -> Tensor:
    """Fractional part."""

def where(condition: _TensorLike, input: _TensorLike, other: _TensorLike) -> Tensor:
    """input where the condition holds, else other."""

def maximum(input: _TensorLike, other: _TensorLike) -> Tensor:
    """The greater of two, NaN if either is; equal elements get half of the gradient each."""

def minimum(input: _TensorLike, other: _TensorLike) -> Tensor:
    """The smaller of two, NaN if either is; equal elements get half of the gradient each."""

def clamp(input: _TensorLike, min: _TensorLike | None = None, max: _TensorLike | None = None) -> Tensor:
    """The input clamped between two bounds, either of which may be left out."""

clip = clamp

def clamp_min(input: _TensorLike, min: _TensorLike) -> Tensor:
    """The input clamped from below."""

def clamp_max(input: _TensorLike, max: _TensorLike) -> Tensor:
    """The input clamped from above."""

def sin(input: _TensorLike) -> Tensor:
    """Sine."""

def cos(input: _TensorLike) -> Tensor:
    """Cosine."""

def tan(input: _TensorLike) -> Tensor:
    """Tangent."""

def asin(input: _TensorLike) -> Tensor:
    """Inverse sine."""

arcsin = asin

def acos(input: _TensorLike) -> Tensor:
    """Inverse cosine."""

arccos = acos

def atan(input: _TensorLike) -> Tensor:
    """Inverse tangent."""

arctan = atan

def sinh(input: _TensorLike) -> Tensor:
    """Hyperbolic sine."""

def cosh(input: _TensorLike) -> Tensor:
    """Hyperbolic cosine."""

def tanh(input: _TensorLike) -> Tensor:
    """Hyperbolic tangent."""

def asinh(input: _TensorLike) -> Tensor:
    """Inverse hyperbolic sine."""

arcsinh = asinh

def acosh(input: _TensorLike) -> Tensor:
    """Inverse hyperbolic cosine."""

arccosh = acosh

def atanh(input: _TensorLike) -> Tensor:
    """Inverse hyperbolic tangent."""

arctanh = atanh

def atan2(input: _TensorLike, other: _TensorLike) -> Tensor:
    """Angle of the point (other, input)."""

arctan2 = atan2

def i0(input: _TensorLike) -> Tensor:
    """Modified Bessel function of the first kind, of order 0."""

def i0e(input: _TensorLike) -> Tensor:
    """exp(-abs(input))*i0(input), without overflow."""

def i1(input: _TensorLike) -> Tensor:
    """Modified Bessel function of the first kind, of order 1."""

def i1e(input: _TensorLike) -> Tensor:
    """exp(-abs(input))*i1(input), without overflow."""

def positive(input: _TensorLike) -> Tensor:
    """The input, +input."""

def conj(input: _TensorLike) -> Tensor:
    """The conjugate: the tensor itself, as there are only real numbers."""

conj_physical = conj

def resolve_conj(input: _TensorLike) -> Tensor:
    """The tensor itself; in PyTorch, a conjugate that is written out."""

def sgn(input: _TensorLike) -> Tensor:
    """-1, 0 or 1 by the sign of the input."""

def copysign(input: _TensorLike, other: _TensorLike) -> Tensor:
    """The magnitude of input with the sign of other; the gradient at 0 is 0."""

def angle(input: _TensorLike) -> Tensor:
    """The angle of a number: 0, and pi for a negative one."""

def heaviside(input: _TensorLike, values: _TensorLike) -> Tensor:
    """0 below 0, 1 above, values at 0."""

def signbit(input: _TensorLike) -> Tensor:
    """True where the sign bit is set: for negative numbers, and -0."""

def isposinf(input: _TensorLike) -> Tensor:
    """True where the input is inf."""

def isneginf(input: _TensorLike) -> Tensor:
    """True where the input is -inf."""

def deg2rad(input: _TensorLike) -> Tensor:
    """Degrees as radians."""

def rad2deg(input: _TensorLike) -> Tensor:
    """Radians as degrees."""

def float_power(input: _TensorLike, exponent: _TensorLike) -> Tensor:
    """A power in float64."""

def ldexp(input: _TensorLike, other: _TensorLike) -> Tensor:
    """input * 2**other."""

def frexp(input: _TensorLike) -> _frexp:
    """The mantissa, at least 1/2 and below 1, and the exponent."""

def logaddexp2(input: _TensorLike, other: _TensorLike) -> Tensor:
    """log2(2**input + 2**other) without overflow."""

def fmax(input: _TensorLike, other: _TensorLike) -> Tensor:
    """The greater of two, ignoring NaN; of equal elements the first."""

def fmin(input: _TensorLike, other: _TensorLike) -> Tensor:
    """The smaller of two, ignoring NaN; of equal elements the first."""

def nextafter(input: _TensorLike, other: _TensorLike) -> Tensor:
    """The next number after input towards other."""

def nan_to_num(
    input: _TensorLike, nan: _Number | None = None, posinf: _Number | None = None, neginf: _Number | None = None
) -> Tensor:
    """NaN replaced by 0 or another number, infinities by the largest numbers of the dtype or others."""

def isclose(
    input: _TensorLike, other: _TensorLike, rtol: _Number = 1e-05, atol: _Number = 1e-08, equal_nan: _Bool = False
) -> Tensor:
    """True where abs(input - other) <= atol + rtol*abs(other)."""

def allclose(
    input: _TensorLike, other: _TensorLike, rtol: _Number = 1e-05, atol: _Number = 1e-08, equal_nan: _Bool = False
) -> Tensor:
    """Whether isclose is true everywhere."""

def addcmul(input: _TensorLike, tensor1: _TensorLike, tensor2: _TensorLike, *, value: _Number = 1) -> Tensor:
    """input + value*tensor1*tensor2."""

def addcdiv(input: _TensorLike, tensor1: _TensorLike, tensor2: _TensorLike, *, value: _Number = 1) -> Tensor:
    """input + value*tensor1/tensor2."""

def bitwise_xor(input: _TensorLike, other: _TensorLike) -> Tensor:
    """Exclusive or, input ^ other; bitwise for integers."""

def bitwise_left_shift(input: _TensorLike, other: _TensorLike) -> Tensor:
    """The bits shifted left by other, input << other."""

def bitwise_right_shift(input: _TensorLike, other: _TensorLike) -> Tensor:
    """The bits shifted right by other, input >> other."""

def gcd(input: _TensorLike, other: _TensorLike) -> Tensor:
    """The greatest common divisor of two integers."""

def lcm(input: _TensorLike, other: _TensorLike) -> Tensor:
    """The least common multiple of two integers."""

def sinc(input: _TensorLike) -> Tensor:
    """sin(pi*input)/(pi*input), and 1 at 0."""

@overload
def view(input: _TensorLike, *shape: _Int | _Ints) -> Tensor:
    """The elements in another shape, without copying; one length may be -1."""

@overload
def view(input: _TensorLike, *, shape: _Ints) -> Tensor: ...
@overload
def reshape(input: _TensorLike, *shape: _Int | _Ints) -> Tensor:
    """The elements in another shape; one length may be -1."""

@overload
def reshape(input: _TensorLike, *, shape: _Ints) -> Tensor: ...
def flatten(input: _TensorLike, start_dim: _Int = 0, end_dim: _Int = -1) -> Tensor:
    """Several dimensions merged into one."""

@overload
def squeeze(input: _TensorLike, dim: _Int | _Ints | None = None) -> Tensor:
    """The tensor without its dimensions of length 1, or without the named ones where they have length 1."""

@overload
def squeeze(input: _TensorLike, *, axis: _Int | _Ints | None) -> Tensor: ...
@overload
def unsqueeze(input: _TensorLike, dim: _Int) -> Tensor:
    """The tensor with a new dimension of length 1."""

@overload
def unsqueeze(input: _TensorLike, *, axis: _Int) -> Tensor: ...
@overload
def permute(input: _TensorLike, *dims: _Int | _Ints) -> Tensor:
    """The dimensions in another order."""

@overload
def permute(input: _TensorLike, *, dims: _Ints) -> Tensor: ...
def transpose(input: _TensorLike, dim0: _Int | None = None, dim1: _Int | None = None) -> Tensor:
    """Two dimensions swapped; those of a matrix need not be named."""

swapaxes = transpose
swapdims = transpose

def movedim(input: _TensorLike, source: _Int | _Ints, destination: _Int | _Ints) -> Tensor:
    """Dimensions moved to other positions."""

moveaxis = movedim

def t(input: _TensorLike) -> Tensor:
    """Transpose of a matrix; a vector is unchanged."""

def T(input: _TensorLike) -> Tensor:
    """All dimensions in reverse order, written x.T."""

def mT(input: _TensorLike) -> Tensor:
    """The last two dimensions swapped, written x.mT."""

@overload
def expand(input: _TensorLike, *shape: _Int | _Ints) -> Tensor:
    """Dimensions of length 1 expanded, without copying; -1 keeps a length."""

@overload
def expand(input: _TensorLike, *, shape: _Ints) -> Tensor: ...

broadcast_to = expand

@overload
def repeat(input: _TensorLike, *repeats: _Int | _Ints) -> Tensor:
    """The tensor repeated along each dimension."""

@overload
def repeat(input: _TensorLike, *, repeats: _Ints) -> Tensor: ...
@overload
def tile(input: _TensorLike, *dims: _Int | _Ints) -> Tensor:
    """The tensor repeated; dimensions without a count are repeated once."""

@overload
def tile(input: _TensorLike, *, dims: _Ints) -> Tensor: ...
@overload
def flip(input: _TensorLike, *dims: _Int | _Ints) -> Tensor:
    """The order reversed along dimensions."""

@overload
def flip(input: _TensorLike, *, dims: _Ints) -> Tensor: ...
def roll(input: _TensorLike, shifts: _Int | _Ints, dims: _Int | _Ints | None = None) -> Tensor:
    """Elements shifted cyclically along dimensions; without dims, in flattened order."""

@overload
def cat(tensors: _Tensors, dim: _Int = 0) -> Tensor:
    """Tensors joined along a dimension."""

@overload
def cat(tensors: _Tensors, *, axis: _Int) -> Tensor: ...

concat = cat
concatenate = cat

@overload
def stack(tensors: _Tensors, dim: _Int = 0) -> Tensor:
    """Tensors of one shape joined along a new dimension."""

@overload
def stack(tensors: _Tensors, *, axis: _Int) -> Tensor: ...
def erf(input: _TensorLike) -> Tensor:
    """Error function."""

def erfc(input: _TensorLike) -> Tensor:
    """Complementary error function, 1 - erf(input)."""

def lgamma(input: _TensorLike) -> Tensor:
    """Logarithm of the absolute value of the gamma function."""

def digamma(input: _TensorLike) -> Tensor:
    """Derivative of lgamma."""

def polygamma(n: _Int, input: _TensorLike) -> Tensor:
    """The n-th derivative of digamma."""

def tensor(data: _TensorLike, dtype: _DType | None = None, *, requires_grad: _Bool = False) -> Tensor:
    """A tensor from a list or a number. In an expression integers become float32 too (or what --dtype says): …"""

@overload
def ones(*size: _Int | _Ints, dtype: _DType | None = None, requires_grad: _Bool = False) -> Tensor:
    """Ones."""

@overload
def ones(*, size: _Ints, dtype: _DType | None = None, requires_grad: _Bool = False) -> Tensor: ...
@overload
def zeros(*size: _Int | _Ints, dtype: _DType | None = None, requires_grad: _Bool = False) -> Tensor:
    """Zeros."""

@overload
def zeros(*, size: _Ints, dtype: _DType | None = None, requires_grad: _Bool = False) -> Tensor: ...
def full(
    size: _Int | _Ints, fill_value: _Number, *, dtype: _DType | None = None, requires_grad: _Bool = False
) -> Tensor:
    """A tensor filled with one number."""

def ones_like(input: _TensorLike, *, dtype: _DType | None = None, requires_grad: _Bool = False) -> Tensor:
    """Ones in the shape of a tensor."""

def zeros_like(input: _TensorLike, *, dtype: _DType | None = None, requires_grad: _Bool = False) -> Tensor:
    """Zeros in the shape of a tensor."""

def full_like(
    input: _TensorLike, fill_value: _Number, *, dtype: _DType | None = None, requires_grad: _Bool = False
) -> Tensor:
    """One number in the shape of a tensor."""

def eye(n: _Int, m: _Int | None = None, *, dtype: _DType | None = None, requires_grad: _Bool = False) -> Tensor:
    """Ones on the diagonal, zeros elsewhere."""

def arange(
    start: _Number,
    end: _Number | None = None,
    step: _Number = 1,
    *,
    dtype: _DType | None = None,
    requires_grad: _Bool = False,
) -> Tensor:
    """Numbers from start up to but not including end; from 0 if one number is given. Integers are int64."""

def linspace(
    start: _Number, end: _Number, steps: _Int, *, dtype: _DType | None = None, requires_grad: _Bool = False
) -> Tensor:
    """Evenly spaced numbers, both ends included."""

@overload
def rand(*size: _Int | _Ints, dtype: _DType | None = None, requires_grad: _Bool = False) -> Tensor:
    """Uniform random numbers in [0, 1), for a seed the same as PyTorch's."""

@overload
def rand(*, size: _Ints, dtype: _DType | None = None, requires_grad: _Bool = False) -> Tensor: ...
@overload
def randn(*size: _Int | _Ints, dtype: _DType | None = None, requires_grad: _Bool = False) -> Tensor:
    """Standard normal random numbers, for a seed the same as PyTorch's."""

@overload
def randn(*, size: _Ints, dtype: _DType | None = None, requires_grad: _Bool = False) -> Tensor: ...
def rand_like(input: _TensorLike, *, dtype: _DType | None = None, requires_grad: _Bool = False) -> Tensor:
    """Uniform random numbers in [0, 1) in the shape of a tensor."""

def randn_like(input: _TensorLike, *, dtype: _DType | None = None, requires_grad: _Bool = False) -> Tensor:
    """Standard normal random numbers in the shape of a tensor."""

def diagonal(input: _TensorLike, offset: _Int = 0, dim1: _Int = 0, dim2: _Int = 1) -> Tensor:
    """The diagonal of two dimensions, as a new last dimension; offset moves it right, or down if negative."""

def diag_embed(input: _TensorLike, offset: _Int = 0, dim1: _Int = -2, dim2: _Int = -1) -> Tensor:
    """Matrices with the last dimension as their diagonal, zeros elsewhere."""

def diag(input: _TensorLike, diagonal: _Int = 0) -> Tensor:
    """The diagonal of a matrix, or a matrix with the vector as its diagonal."""

def tril(input: _TensorLike, diagonal: _Int = 0) -> Tensor:
    """The lower triangle, up to a diagonal; zeros above."""

def triu(input: _TensorLike, diagonal: _Int = 0) -> Tensor:
    """The upper triangle, from a diagonal on; zeros below."""

def trace(input: _TensorLike) -> Tensor:
    """Sum of the diagonal of a matrix."""

@overload
def select(input: _TensorLike, dim: _Int, index: _Int) -> Tensor:
    """One index of a dimension, which is dropped."""

@overload
def select(input: _TensorLike, *, axis: _Int, index: _Int) -> Tensor: ...
@overload
def index_select(input: _TensorLike, dim: _Int, index: _TensorLike) -> Tensor:
    """The slices at a list of indices along a dimension."""

@overload
def index_select(input: _TensorLike, *, axis: _Int, index: _TensorLike) -> Tensor: ...
def getitem(input: _TensorLike, index: _Index) -> Tensor:
    """Indexing, written x[...]: integers, slices, ..., None, lists and tensors of integers, and masks."""

def constant_pad_nd(input: _TensorLike, pad: _Int | _Ints, value: _Number = 0) -> Tensor:
    """A number around the tensor, for each dimension from the last one on so often before and after it; negative …"""

def pad(
    input: _TensorLike,
    pad: _Int | _Ints,
    mode: Literal["constant", "reflect", "replicate", "circular"] = "constant",
    value: _Number | None = None,
) -> Tensor:
    """A number around the tensor, or in the modes 'reflect', 'replicate' and 'circular' its own elements; pad has …"""

@overload
def sum(
    input: _TensorLike, dim: _Int | _Ints | None = None, keepdim: _Bool = False, *, dtype: _DType | None = None
) -> Tensor:
    """Sum."""

@overload
def sum(
    input: _TensorLike, *, axis: _Int | _Ints | None, keepdim: _Bool = False, dtype: _DType | None = None
) -> Tensor: ...
@overload
def sum(
    input: _TensorLike, dim: _Int | _Ints | None = None, *, keepdims: _Bool, dtype: _DType | None = None
) -> Tensor: ...
@overload
def sum(input: _TensorLike, *, axis: _Int | _Ints | None, keepdims: _Bool, dtype: _DType | None = None) -> Tensor: ...
@overload
def mean(
    input: _TensorLike, dim: _Int | _Ints | None = None, keepdim: _Bool = False, *, dtype: _DType | None = None
) -> Tensor:
    """Mean."""

@overload
def mean(
    input: _TensorLike, *, axis: _Int | _Ints | None, keepdim: _Bool = False, dtype: _DType | None = None
) -> Tensor: ...
@overload
def mean(
    input: _TensorLike, dim: _Int | _Ints | None = None, *, keepdims: _Bool, dtype: _DType | None = None
) -> Tensor: ...
@overload
def mean(input: _TensorLike, *, axis: _Int | _Ints | None, keepdims: _Bool, dtype: _DType | None = None) -> Tensor: ...
@overload
def prod(
    input: _TensorLike, dim: _Int | _Ints | None = None, keepdim: _Bool = False, *, dtype: _DType | None = None
) -> Tensor:
    """Product."""

@overload
def prod(
    input: _TensorLike, *, axis: _Int | _Ints | None, keepdim: _Bool = False, dtype: _DType | None = None
) -> Tensor: ...
@overload
def prod(
    input: _TensorLike, dim: _Int | _Ints | None = None, *, keepdims: _Bool, dtype: _DType | None = None
) -> Tensor: ...
@overload
def prod(input: _TensorLike, *, axis: _Int | _Ints | None, keepdims: _Bool, dtype: _DType | None = None) -> Tensor: ...
@overload
def amax(input: _TensorLike, dim: _Int | _Ints | None = None, keepdim: _Bool = False) -> Tensor:
    """Maximum; equal elements share the gradient evenly."""

@overload
def amax(input: _TensorLike, *, axis: _Int | _Ints | None, keepdim: _Bool = False) -> Tensor: ...
@overload
def amax(input: _TensorLike, dim: _Int | _Ints | None = None, *, keepdims: _Bool) -> Tensor: ...
@overload
def amax(input: _TensorLike, *, axis: _Int | _Ints | None, keepdims: _Bool) -> Tensor: ...
@overload
def amin(input: _TensorLike, dim: _Int | _Ints | None = None, keepdim: _Bool = False) -> Tensor:
    """Minimum; equal elements share the gradient evenly."""

@overload
def amin(input: _TensorLike, *, axis: _Int | _Ints | None, keepdim: _Bool = False) -> Tensor: ...
@overload
def amin(input: _TensorLike, dim: _Int | _Ints | None = None, *, keepdims: _Bool) -> Tensor: ...
@overload
def amin(input: _TensorLike, *, axis: _Int | _Ints | None, keepdims: _Bool) -> Tensor: ...
@overload
def logsumexp(input: _TensorLike, dim: _Int | _Ints | None = None, keepdim: _Bool = False) -> Tensor:
    """log(sum(exp(input))) without overflow."""

@overload
def logsumexp(input: _TensorLike, *, axis: _Int | _Ints | None, keepdim: _Bool = False) -> Tensor: ...
@overload
def logsumexp(input: _TensorLike, dim: _Int | _Ints | None = None, *, keepdims: _Bool) -> Tensor: ...
@overload
def logsumexp(input: _TensorLike, *, axis: _Int | _Ints | None, keepdims: _Bool) -> Tensor: ...
@overload
def var(
    input: _TensorLike,
    dim: _Int | _Ints | None = None,
    unbiased: _Bool | None = None,
    keepdim: _Bool = False,
    *,
    correction: _Number | None = None,
) -> Tensor:
    """Variance, with n - correction (1 unless given) in the denominator."""

@overload
def var(
    input: _TensorLike,
    *,
    axis: _Int | _Ints | None,
    unbiased: _Bool | None = None,
    keepdim: _Bool = False,
    correction: _Number | None = None,
) -> Tensor: ...
@overload
def var(
    input: _TensorLike,
    dim: _Int | _Ints | None = None,
    unbiased: _Bool | None = None,
    *,
    keepdims: _Bool,
    correction: _Number | None = None,
) -> Tensor: ...
@overload
def var(
    input: _TensorLike,
    *,
    axis: _Int | _Ints | None,
    unbiased: _Bool | None = None,
    keepdims: _Bool,
    correction: _Number | None = None,
) -> Tensor: ...
@overload
def std(
    input: _TensorLike,
    dim: _Int | _Ints | None = None,
    unbiased: _Bool | None = None,
    keepdim: _Bool = False,
    *,
    correction: _Number | None = None,
) -> Tensor:
    """Standard deviation, the root of var; its gradient at 0 is 0."""

@overload
def std(
    input: _TensorLike,
    *,
    axis: _Int | _Ints | None,
    unbiased: _Bool | None = None,
    keepdim: _Bool = False,
    correction: _Number | None = None,
) -> Tensor: ...
@overload
def std(
    input: _TensorLike,
    dim: _Int | _Ints | None = None,
    unbiased: _Bool | None = None,
    *,
    keepdims: _Bool,
    correction: _Number | None = None,
) -> Tensor: ...
@overload
def std(
    input: _TensorLike,
    *,
    axis: _Int | _Ints | None,
    unbiased: _Bool | None = None,
    keepdims: _Bool,
    correction: _Number | None = None,
) -> Tensor: ...
@overload
def norm(
    input: _TensorLike, p: _Number | Literal["fro", "nuc"] = 2, dim: _Int | _Ints | None = None, keepdim: _Bool = False
) -> Tensor:
    """Vector p-norm; p may be inf, -inf or 0."""

@overload
def norm(
    input: _TensorLike, p: _Number | Literal["fro", "nuc"] = 2, *, axis: _Int | _Ints | None, keepdim: _Bool = False
) -> Tensor: ...
@overload
def norm(
    input: _TensorLike, p: _Number | Literal["fro", "nuc"] = 2, dim: _Int | _Ints | None = None, *, keepdims: _Bool
) -> Tensor: ...
@overload
def norm(
    input: _TensorLike, p: _Number | Literal["fro", "nuc"] = 2, *, axis: _Int | _Ints | None, keepdims: _Bool
) -> Tensor: ...
@overload
def all(input: _TensorLike, dim: _Int | _Ints | None = None, keepdim: _Bool = False) -> Tensor:
    """True if all elements are nonzero."""

@overload
def all(input: _TensorLike, *, axis: _Int | _Ints | None, keepdim: _Bool = False) -> Tensor: ...
@overload
def all(input: _TensorLike, dim: _Int | _Ints | None = None, *, keepdims: _Bool) -> Tensor: ...
@overload
def all(input: _TensorLike, *, axis: _Int | _Ints | None, keepdims: _Bool) -> Tensor: ...
@overload
def any(input: _TensorLike, dim: _Int | _Ints | None = None, keepdim: _Bool = False) -> Tensor:
    """True where one is not zero."""

@overload
def any(input: _TensorLike, *, axis: _Int | _Ints | None, keepdim: _Bool = False) -> Tensor: ...
@overload
def any(input: _TensorLike, dim: _Int | _Ints | None = None, *, keepdims: _Bool) -> Tensor: ...
@overload
def any(input: _TensorLike, *, axis: _Int | _Ints | None, keepdims: _Bool) -> Tensor: ...
@overload
def count_nonzero(input: _TensorLike, dim: _Int | _Ints | None = None) -> Tensor:
    """Number of nonzero elements."""

@overload
def count_nonzero(input: _TensorLike, *, axis: _Int | _Ints | None) -> Tensor: ...
@overload
def argmax(input: _TensorLike, dim: _Int | None = None, keepdim: _Bool = False) -> Tensor:
    """Index of the maximum, the first of equal ones; in the flattened tensor without dim."""

@overload
def argmax(input: _TensorLike, *, axis: _Int | None, keepdim: _Bool = False) -> Tensor: ...
@overload
def argmax(input: _TensorLike, dim: _Int | None = None, *, keepdims: _Bool) -> Tensor: ...
@overload
def argmax(input: _TensorLike, *, axis: _Int | None, keepdims: _Bool) -> Tensor: ...
@overload
def argmin(input: _TensorLike, dim: _Int | None = None, keepdim: _Bool = False) -> Tensor:
    """Index of the minimum, the first of equal ones; in the flattened tensor without dim."""

@overload
def argmin(input: _TensorLike, *, axis: _Int | None, keepdim: _Bool = False) -> Tensor: ...
@overload
def argmin(input: _TensorLike, dim: _Int | None = None, *, keepdims: _Bool) -> Tensor: ...
@overload
def argmin(input: _TensorLike, *, axis: _Int | None, keepdims: _Bool) -> Tensor: ...
@overload
def max(input: _TensorLike, dim: None = None, keepdim: _Bool = False) -> Tensor:
    """The maximum of all (equal elements share the gradient evenly); with dim, the pair (values, indices); with a …"""

@overload
def max(input: _TensorLike, dim: _Int, keepdim: _Bool = False) -> _max: ...
@overload
def max(input: _TensorLike, dim: Tensor | np.ndarray, keepdim: _Bool = False) -> Tensor: ...
@overload
def max(input: _TensorLike, *, axis: _Int, keepdim: _Bool = False) -> _max: ...
@overload
def max(input: _TensorLike, *, axis: Tensor | np.ndarray, keepdim: _Bool = False) -> Tensor: ...
@overload
def max(input: _TensorLike, dim: None = None, *, keepdims: _Bool) -> Tensor: ...
@overload
def max(input: _TensorLike, dim: _Int, *, keepdims: _Bool) -> _max: ...
@overload
def max(input: _TensorLike, dim: Tensor | np.ndarray, *, keepdims: _Bool) -> Tensor: ...
@overload
def max(input: _TensorLike, *, axis: _Int, keepdims: _Bool) -> _max: ...
@overload
def max(input: _TensorLike, *, axis: Tensor | np.ndarray, keepdims: _Bool) -> Tensor: ...
@overload
def min(input: _TensorLike, dim: None = None, keepdim: _Bool = False) -> Tensor:
    """The minimum of all (equal elements share the gradient evenly); with dim, the pair (values, indices); with a …"""

@overload
def min(input: _TensorLike, dim: _Int, keepdim: _Bool = False) -> _min: ...
@overload
def min(input: _TensorLike, dim: Tensor | np.ndarray, keepdim: _Bool = False) -> Tensor: ...
@overload
def min(input: _TensorLike, *, axis: _Int, keepdim: _Bool = False) -> _min: ...
@overload
def min(input: _TensorLike, *, axis: Tensor | np.ndarray, keepdim: _Bool = False) -> Tensor: ...
@overload
def min(input: _TensorLike, dim: None = None, *, keepdims: _Bool) -> Tensor: ...
@overload
def min(input: _TensorLike, dim: _Int, *, keepdims: _Bool) -> _min: ...
@overload
def min(input: _TensorLike, dim: Tensor | np.ndarray, *, keepdims: _Bool) -> Tensor: ...
@overload
def min(input: _TensorLike, *, axis: _Int, keepdims: _Bool) -> _min: ...
@overload
def min(input: _TensorLike, *, axis: Tensor | np.ndarray, keepdims: _Bool) -> Tensor: ...
@overload
def cumsum(input: _TensorLike, dim: _Int, *, dtype: _DType | None = None) -> Tensor:
    """Running sum along a dimension."""

@overload
def cumsum(input: _TensorLike, *, axis: _Int, dtype: _DType | None = None) -> Tensor: ...
@overload
def cumprod(input: _TensorLike, dim: _Int, *, dtype: _DType | None = None) -> Tensor:
    """Running product along a dimension."""

@overload
def cumprod(input: _TensorLike, *, axis: _Int, dtype: _DType | None = None) -> Tensor: ...
def dropout(input: _TensorLike, p: _Number = 0.5, training: _Bool = True) -> Tensor:
    """Elements set to 0 with probability p, the others divided by 1 - p."""

def alpha_dropout(input: _TensorLike, p: _Number = 0.5, training: _Bool = False) -> Tensor:
    """Dropout for selu, which preserves mean and variance."""

def feature_alpha_dropout(input: _TensorLike, p: _Number = 0.5, training: _Bool = False) -> Tensor:
    """alpha_dropout of whole channels."""

def dropout1d(input: _TensorLike, p: _Number = 0.5, training: _Bool = True) -> Tensor:
    """Whole channels set to 0 with probability p, the others divided by 1 - p."""

def dropout2d(input: _TensorLike, p: _Number = 0.5, training: _Bool = True) -> Tensor:
    """Whole channels set to 0 with probability p, the others divided by 1 - p."""

def dropout3d(input: _TensorLike, p: _Number = 0.5, training: _Bool = True) -> Tensor:
    """Whole channels set to 0 with probability p, the others divided by 1 - p."""

@overload
def new_zeros(
    input: _TensorLike, *size: _Int | _Ints, dtype: _DType | None = None, requires_grad: _Bool = False
) -> Tensor:
    """Zeros in the dtype of a tensor."""

@overload
def new_zeros(
    input: _TensorLike, *, size: _Ints, dtype: _DType | None = None, requires_grad: _Bool = False
) -> Tensor: ...
@overload
def new_ones(
    input: _TensorLike, *size: _Int | _Ints, dtype: _DType | None = None, requires_grad: _Bool = False
) -> Tensor:
    """Ones in the dtype of a tensor."""

@overload
def new_ones(
    input: _TensorLike, *, size: _Ints, dtype: _DType | None = None, requires_grad: _Bool = False
) -> Tensor: ...
@overload
def new_empty(
    input: _TensorLike, *size: _Int | _Ints, dtype: _DType | None = None, requires_grad: _Bool = False
) -> Tensor:
    """Elements in the dtype of a tensor: PyTorch leaves them as they happen to be in memory, here they are zeros."""

@overload
def new_empty(
    input: _TensorLike, *, size: _Ints, dtype: _DType | None = None, requires_grad: _Bool = False
) -> Tensor: ...
def new_full(
    input: _TensorLike,
    size: _Int | _Ints,
    fill_value: _Number,
    *,
    dtype: _DType | None = None,
    requires_grad: _Bool = False,
) -> Tensor:
    """One number in the dtype of a tensor."""

def new_tensor(
    input: _TensorLike, data: _TensorLike, *, dtype: _DType | None = None, requires_grad: _Bool = False
) -> Tensor:
    """A tensor from a list or a number in the dtype of another, or an untracked copy of one in this dtype."""

@overload
def empty(*size: _Int | _Ints, dtype: _DType | None = None, requires_grad: _Bool = False) -> Tensor:
    """Elements to be filled: PyTorch leaves them as they happen to be in memory, here they are zeros."""

@overload
def empty(*, size: _Ints, dtype: _DType | None = None, requires_grad: _Bool = False) -> Tensor: ...
def empty_like(input: _TensorLike, *, dtype: _DType | None = None, requires_grad: _Bool = False) -> Tensor:
    """Elements in the shape of a tensor: PyTorch leaves them as they happen to be in memory, here they are zeros."""

def scalar_tensor(s: _Number, *, dtype: _DType | None = None, requires_grad: _Bool = False) -> Tensor:
    """A number as a 0-dim tensor of the default dtype, whatever kind of number it is."""

def as_tensor(data: _TensorLike, dtype: _DType | None = None, *, requires_grad: _Bool = False) -> Tensor:
    """A tensor from a list, a number or an array; a tensor stays what it is, with its gradient."""

asarray = as_tensor

def fill(input: _TensorLike, value: _Number | Tensor | np.ndarray) -> Tensor:
    """One number in the shape and dtype of a tensor."""

@overload
def gather(input: _TensorLike, dim: _Int, index: _TensorLike, *, sparse_grad: _Bool = False) -> Tensor:
    """The element at each index along a dimension, at the same position along the others."""

@overload
def gather(input: _TensorLike, *, axis: _Int, index: _TensorLike, sparse_grad: _Bool = False) -> Tensor: ...
@overload
def take_along_dim(input: _TensorLike, indices: _TensorLike, dim: _Int | None = None) -> Tensor:
    """gather with the other dimensions broadcast; without dim, from the flattened tensor."""

@overload
def take_along_dim(input: _TensorLike, indices: _TensorLike, *, axis: _Int | None) -> Tensor: ...
def take(input: _TensorLike, index: _TensorLike) -> Tensor:
    """The elements at indices into the flattened tensor."""

def embedding(
    input: _TensorLike,
    weight: _TensorLike,
    padding_idx: _Int | None = None,
    max_norm: _Number | None = None,
    norm_type: _Number = 2.0,
    scale_grad_by_freq: _Bool = False,
    sparse: _Bool = False,
) -> Tensor:
    """The rows of a table, weight, at indices."""

def one_hot(tensor: _TensorLike, num_classes: _Int = -1) -> Tensor:
    """1 at each index along a new last dimension, 0 elsewhere; num_classes is its length, by default the largest …"""

@overload
def repeat_interleave(
    input: _TensorLike, repeats: _Int | _TensorLike, dim: _Int | None = None, *, output_size: _Int | None = None
) -> Tensor:
    """Each slice along a dimension repeated, so many times or by a count for each; without dim, each element."""

@overload
def repeat_interleave(
    input: _TensorLike, repeats: _Int | _TensorLike, *, axis: _Int | None, output_size: _Int | None = None
) -> Tensor: ...
def masked_select(input: _TensorLike, mask: _TensorLike) -> Tensor:
    """The elements where a mask is true, as a vector: a constant choice for derivatives."""

def nonzero(input: _TensorLike, *, as_tuple: _Bool = False) -> Tensor:
    """The indices of the nonzero elements, one per row; with as_tuple, a vector for each dimension."""

def argwhere(input: _TensorLike) -> Tensor:
    """The indices of the nonzero elements, one per row."""

@overload
def unique(
    input: _TensorLike,
    sorted: _Bool = True,
    return_inverse: _Bool = False,
    return_counts: _Bool = False,
    dim: _Int | None = None,
) -> Tensor:
    """Each element once, in order, or with dim each place along it; with return_inverse also where each has gone, …"""

@overload
def unique(
    input: _TensorLike,
    sorted: _Bool = True,
    return_inverse: _Bool = False,
    return_counts: _Bool = False,
    *,
    axis: _Int | None,
) -> Tensor: ...
@overload
def unique_consecutive(
    input: _TensorLike, return_inverse: _Bool = False, return_counts: _Bool = False, dim: _Int | None = None
) -> Tensor:
    """Each element that is not the same as the one before, or with dim each place along it; with return_inverse …"""

@overload
def unique_consecutive(
    input: _TensorLike, return_inverse: _Bool = False, return_counts: _Bool = False, *, axis: _Int | None
) -> Tensor: ...
def bincount(input: _TensorLike, weights: _TensorLike | None = None, minlength: _Int = 0) -> Tensor:
    """How often each number from 0 on is in a vector of integers, or the sums of their weights."""

@overload
def split(tensor: _TensorLike, split_size_or_sections: _Int | _Ints, dim: _Int = 0) -> tuple[Tensor, ...]:
    """Pieces of a length, the last one perhaps shorter, or of the lengths of a list."""

@overload
def split(tensor: _TensorLike, split_size_or_sections: _Int | _Ints, *, axis: _Int) -> tuple[Tensor, ...]: ...
@overload
def unsafe_split(tensor: _TensorLike, split_size: _Int | _Ints, dim: _Int = 0) -> tuple[Tensor, ...]:
    """split, by PyTorch's name for pieces that may be changed in place."""

@overload
def unsafe_split(tensor: _TensorLike, split_size: _Int | _Ints, *, axis: _Int) -> tuple[Tensor, ...]: ...
@overload
def split_with_sizes(input: _TensorLike, split_sizes: _Int | _Ints, dim: _Int = 0) -> tuple[Tensor, ...]:
    """Pieces of the given lengths, which have to add up to the length of the dimension."""

@overload
def split_with_sizes(input: _TensorLike, split_sizes: _Int | _Ints, *, axis: _Int) -> tuple[Tensor, ...]: ...
@overload
def chunk(input: _TensorLike, chunks: _Int, dim: _Int = 0) -> tuple[Tensor, ...]:
    """At most so many pieces of one length, the last one perhaps shorter."""

@overload
def chunk(input: _TensorLike, chunks: _Int, *, axis: _Int) -> tuple[Tensor, ...]: ...
@overload
def unsafe_chunk(input: _TensorLike, chunks: _Int, dim: _Int = 0) -> tuple[Tensor, ...]:
    """chunk, by PyTorch's name for pieces that may be changed in place."""

@overload
def unsafe_chunk(input: _TensorLike, chunks: _Int, *, axis: _Int) -> tuple[Tensor, ...]: ...
@overload
def tensor_split(input: _TensorLike, indices_or_sections: _Int | _Ints, dim: _Int = 0) -> tuple[Tensor, ...]:
    """So many pieces whose lengths differ by one at most, or the pieces between the indices of a list."""

@overload
def tensor_split(input: _TensorLike, indices_or_sections: _Int | _Ints, *, axis: _Int) -> tuple[Tensor, ...]: ...
def hsplit(input: _TensorLike, indices_or_sections: _Int | _Ints) -> tuple[Tensor, ...]:
    """Equal pieces, so many of them or between the indices of a list, side by side: along dimension 1, or 0 of a …"""

def vsplit(input: _TensorLike, indices_or_sections: _Int | _Ints) -> tuple[Tensor, ...]:
    """Equal pieces, so many of them or between the indices of a list, one below the other: along dimension 0."""

def dsplit(input: _TensorLike, indices_or_sections: _Int | _Ints) -> tuple[Tensor, ...]:
    """Equal pieces, so many of them or between the indices of a list, one behind the other: along dimension 2."""

@overload
def unbind(input: _TensorLike, dim: _Int = 0) -> tuple[Tensor, ...]:
    """The tensors along a dimension, one by one."""

@overload
def unbind(input: _TensorLike, *, axis: _Int) -> tuple[Tensor, ...]: ...
def sigmoid(input: _TensorLike) -> Tensor:
    """1/(1 + exp(-input))."""

expit = sigmoid

def logsigmoid(input: _TensorLike) -> Tensor:
    """log(sigmoid(input)) without overflow."""

def relu(input: _TensorLike) -> Tensor:
    """max(input, 0); the gradient at 0 is 0."""

def leaky_relu(input: _TensorLike, negative_slope: _Number = 0.01) -> Tensor:
    """The input where positive, negative_slope*input elsewhere."""

def elu(input: _TensorLike, alpha: _Number = 1.0) -> Tensor:
    """The input where positive, alpha*(exp(input) - 1) elsewhere."""

def selu(input: _TensorLike) -> Tensor:
    """elu with the constants that preserve mean and variance."""

def hardtanh(input: _TensorLike, min_val: _Number = -1.0, max_val: _Number = 1.0) -> Tensor:
    """The input clamped between two numbers; the gradient at them is 0."""

def relu6(input: _TensorLike) -> Tensor:
    """The input clamped between 0 and 6."""

def silu(input: _TensorLike) -> Tensor:
    """input * sigmoid(input)."""

def softplus(input: _TensorLike, beta: _Number = 1.0, threshold: _Number = 20.0) -> Tensor:
    """log(1 + exp(beta*input))/beta, and the input itself above threshold/beta."""

def softsign(input: _TensorLike) -> Tensor:
    """input/(1 + abs(input))."""

def mish(input: _TensorLike) -> Tensor:
    """input * tanh(softplus(input))."""

def gelu(input: _TensorLike, *, approximate: Literal["none", "tanh"] = "none") -> Tensor:
    """The input times its standard normal distribution function, or an approximation with tanh."""

@overload
def softmax(input: _TensorLike, dim: _Int, dtype: _DType | None = None) -> Tensor:
    """exp(input) divided by its sum along a dimension, without overflow."""

@overload
def softmax(input: _TensorLike, *, axis: _Int, dtype: _DType | None = None) -> Tensor: ...
@overload
def log_softmax(input: _TensorLike, dim: _Int, dtype: _DType | None = None) -> Tensor:
    """The logarithm of softmax, without overflow."""

@overload
def log_softmax(input: _TensorLike, *, axis: _Int, dtype: _DType | None = None) -> Tensor: ...
def dist(input: _TensorLike, other: _TensorLike, p: _Number = 2) -> Tensor:
    """Norm of the difference of two tensors."""

def cdist(
    x1: _TensorLike, x2: _TensorLike, p: _Number = 2, compute_mode: str = "use_mm_for_euclid_dist_if_necessary"
) -> Tensor:
    """Distance of each row of x1 to each row of x2."""

def pdist(input: _TensorLike, p: _Number = 2) -> Tensor:
    """Distances of all pairs of rows."""

def mse_loss(input: _TensorLike, target: _TensorLike, reduction: Literal["mean", "sum", "none"] = "mean") -> Tensor:
    """Squared difference."""

def huber_loss(
    input: _TensorLike, target: _TensorLike, reduction: Literal["mean", "sum", "none"] = "mean", delta: _Number = 1.0
) -> Tensor:
    """Half the squared difference up to delta, linear beyond."""

def smooth_l1_loss(
    input: _TensorLike, target: _TensorLike, reduction: Literal["mean", "sum", "none"] = "mean", beta: _Number = 1.0
) -> Tensor:
    """The Huber loss divided by beta."""

def l1_loss(input: _TensorLike, target: _TensorLike, reduction: Literal["mean", "sum", "none"] = "mean") -> Tensor:
    """Absolute difference."""

def binary_cross_entropy_with_logits(
    input: _TensorLike,
    target: _TensorLike,
    weight: _TensorLike | None = None,
    pos_weight: _TensorLike | None = None,
    reduction: Literal["mean", "sum", "none"] = "mean",
) -> Tensor:
    """Cross-entropy of probabilities (target) and the sigmoid of the input."""

def masked_fill(input: _TensorLike, mask: _TensorLike, value: _Number | Tensor | np.ndarray) -> Tensor:
    """The input with a number where the mask is true."""

def nll_loss(
    input: _TensorLike,
    target: _TensorLike,
    weight: _TensorLike | None = None,
    ignore_index: _Int = -100,
    reduction: Literal["mean", "sum", "none"] = "mean",
) -> Tensor:
    """Minus the log-probability (input) of each target class."""

def cross_entropy(
    input: _TensorLike,
    target: _TensorLike,
    weight: _TensorLike | None = None,
    ignore_index: _Int = -100,
    reduction: Literal["mean", "sum", "none"] = "mean",
    label_smoothing: _Number = 0.0,
) -> Tensor:
    """Cross-entropy of the softmax of the input and target classes, given as indices or as probabilities."""

def layer_norm(
    input: _TensorLike,
    normalized_shape: _Int | _Ints,
    weight: _TensorLike | None = None,
    bias: _TensorLike | None = None,
    eps: _Number = 1e-05,
) -> Tensor:
    """The last dimensions normalized to mean 0 and variance 1, then scaled and shifted."""

def mm(input: _TensorLike, mat2: _TensorLike) -> Tensor:
    """Product of two matrices."""

def mv(input: _TensorLike, vec: _TensorLike) -> Tensor:
    """Product of a matrix and a vector."""

def bmm(input: _TensorLike, mat2: _TensorLike) -> Tensor:
    """Products of two batches of matrices."""

def dot(input: _TensorLike, tensor: _TensorLike) -> Tensor:
    """Sum of the products of two vectors."""

def vdot(input: _TensorLike, other: _TensorLike) -> Tensor:
    """Sum of the products of two vectors, as dot for real numbers."""

def matmul(input: _TensorLike, other: _TensorLike) -> Tensor:
    """Matrix product, input @ other, of vectors, matrices and batches of matrices, whose batches broadcast."""

def outer(input: _TensorLike, vec2: _TensorLike) -> Tensor:
    """Every product of an element of one vector with one of another."""

ger = outer

def inner(input: _TensorLike, other: _TensorLike) -> Tensor:
    """Sum of products over the last dimensions of both tensors."""

def tensordot(a: _TensorLike, b: _TensorLike, dims: _Int | list[Any] | tuple[Any, Any] = 2) -> Tensor:
    """Sum of products over pairs of dimensions: the last ones of a with the first ones of b, or as listed."""

def expand_as(input: _TensorLike, other: _TensorLike) -> Tensor:
    """The tensor broadcast to the shape of another, without copying."""

def reshape_as(input: _TensorLike, other: _TensorLike) -> Tensor:
    """The elements in the shape of another tensor."""

def view_as(input: _TensorLike, other: _TensorLike) -> Tensor:
    """The elements in the shape of another tensor, without copying."""

@overload
def unflatten(input: _TensorLike, dim: _Int, sizes: _Int | _Ints) -> Tensor:
    """A dimension split into several; one length may be -1."""

@overload
def unflatten(input: _TensorLike, *, axis: _Int, sizes: _Int | _Ints) -> Tensor: ...
def ravel(input: _TensorLike) -> Tensor:
    """All elements in one dimension."""

@overload
def sum_to_size(input: _TensorLike, *size: _Int | _Ints) -> Tensor:
    """Sums over the dimensions along which the given shape would be broadcast to that of the tensor."""

@overload
def sum_to_size(input: _TensorLike, *, size: _Ints) -> Tensor: ...
def H(input: _TensorLike) -> Tensor:
    """Transpose of a matrix, written x.H; all numbers are real."""

def mH(input: _TensorLike) -> Tensor:
    """The last two dimensions swapped, written x.mH; all numbers are real."""

def adjoint(input: _TensorLike) -> Tensor:
    """The last two dimensions swapped; all numbers are real."""

def real(input: _TensorLike) -> Tensor:
    """The tensor itself: all numbers are real."""

def resolve_neg(input: _TensorLike) -> Tensor:
    """The tensor itself; in PyTorch, a negation that was delayed is carried out."""

def flipud(input: _TensorLike) -> Tensor:
    """The rows in reverse order."""

def fliplr(input: _TensorLike) -> Tensor:
    """The columns in reverse order."""

def rot90(input: _TensorLike, k: _Int = 1, dims: _Ints | None = None) -> Tensor:
    """Rotation by k times 90 degrees in the plane of two dimensions, the first two unless given."""

def diagflat(input: _TensorLike, offset: _Int = 0) -> Tensor:
    """A matrix of zeros with the elements as its diagonal."""

def unfold(input: _TensorLike, dimension: _Int, size: _Int, step: _Int) -> Tensor:
    """Sliding windows along a dimension, their elements along a new last dimension."""

def as_strided(
    input: _TensorLike, size: _Int | _Ints, stride: _Int | _Ints, storage_offset: _Int | None = None
) -> Tensor:
    """The elements at the given strides through a tensor in row-major order."""

def randint(
    low: _Int,
    high: _Int | _Ints | _Int,
    size: _Int | _Ints | None = None,
    *,
    dtype: _DType | None = None,
    requires_grad: _Bool = False,
) -> Tensor:
    """Random integers from low up to but not including high, or below the only one given: randint(10, (3,)). For …"""

def randint_like(
    input: _TensorLike,
    low: _Int,
    high: _Int | None = None,
    *,
    dtype: _DType | None = None,
    requires_grad: _Bool = False,
) -> Tensor:
    """Random integers in the shape and dtype of a tensor."""

def randperm(n: _Int, *, dtype: _DType | None = None, requires_grad: _Bool = False) -> Tensor:
    """0 to n - 1 in a random order, for a seed the same as PyTorch's."""

def normal(
    mean: _TensorLike,
    std: _TensorLike = 1.0,
    size: _Int | _Ints | None = None,
    *,
    dtype: _DType | None = None,
    requires_grad: _Bool = False,
) -> Tensor:
    """Normal random numbers of a mean and a standard deviation, which are tensors, or two numbers with lengths: …"""

def bernoulli(input: _TensorLike, p: _Number | None = None, *, requires_grad: _Bool = False) -> Tensor:
    """1 with the probability that each element is, or with p in the shape of a tensor, else 0. For a seed they …"""

def multinomial(
    input: _TensorLike, num_samples: _Int, replacement: _Bool = False, *, requires_grad: _Bool = False
) -> Tensor:
    """Indices of the last dimension, drawn with the probabilities that its weights have, each once or with …"""

@overload
def atleast_1d(*tensors: _TensorLike) -> tuple[Tensor, ...]:
    """The tensor with new dimensions of length 1, so that there are at least 1; several tensors give as many."""

@overload
def atleast_1d(*, tensors: _Tensors) -> tuple[Tensor, ...]: ...
@overload
def atleast_2d(*tensors: _TensorLike) -> tuple[Tensor, ...]:
    """The tensor with new dimensions of length 1, so that there are at least 2; several tensors give as many."""

@overload
def atleast_2d(*, tensors: _Tensors) -> tuple[Tensor, ...]: ...
@overload
def atleast_3d(*tensors: _TensorLike) -> tuple[Tensor, ...]:
    """The tensor with new dimensions of length 1, so that there are at least 3; several tensors give as many."""

@overload
def atleast_3d(*, tensors: _Tensors) -> tuple[Tensor, ...]: ...
def hstack(tensors: _Tensors) -> Tensor:
    """Side by side: along dimension 1, or 0 of vectors."""

def vstack(tensors: _Tensors) -> Tensor:
    """One below the other: along dimension 0, vectors as rows."""

row_stack = vstack

def dstack(tensors: _Tensors) -> Tensor:
    """One behind the other: along dimension 2."""

def column_stack(tensors: _Tensors) -> Tensor:
    """Side by side, vectors as columns."""

@overload
def block_diag(*tensors: _TensorLike) -> Tensor:
    """A block-diagonal matrix of matrices; vectors are rows."""

@overload
def block_diag(*, tensors: _Tensors) -> Tensor: ...
@overload
def broadcast_tensors(*tensors: _TensorLike) -> tuple[Tensor, ...]:
    """The tensors broadcast to their common shape, without copying."""

@overload
def broadcast_tensors(*, tensors: _Tensors) -> tuple[Tensor, ...]: ...
@overload
def meshgrid(*tensors: _TensorLike, indexing: Literal["ij", "xy"] = "ij") -> tuple[Tensor, ...]:
    """Grids of vectors, each along a dimension of its own; 'xy' swaps the first two dimensions."""

@overload
def meshgrid(*, tensors: _Tensors, indexing: Literal["ij", "xy"] = "ij") -> tuple[Tensor, ...]: ...
@overload
def cartesian_prod(*tensors: _TensorLike) -> Tensor:
    """All combinations of an element of each vector, one per row."""

@overload
def cartesian_prod(*, tensors: _Tensors) -> Tensor: ...
def combinations(input: _TensorLike, r: _Int = 2, with_replacement: _Bool = False) -> Tensor:
    """All combinations of r elements of a vector in their order, one per row, with or without repetition."""

@overload
def cummax(input: _TensorLike, dim: _Int) -> _cummax:
    """The maximum up to each position, and its index, the last of equal ones."""

@overload
def cummax(input: _TensorLike, *, axis: _Int) -> _cummax: ...
@overload
def cummin(input: _TensorLike, dim: _Int) -> _cummin:
    """The minimum up to each position, and its index, the last of equal ones."""

@overload
def cummin(input: _TensorLike, *, axis: _Int) -> _cummin: ...
@overload
def logcumsumexp(input: _TensorLike, dim: _Int) -> Tensor:
    """log(cumsum(exp(input))) without overflow."""

@overload
def logcumsumexp(input: _TensorLike, *, axis: _Int) -> Tensor: ...
@overload
def diff(
    input: _TensorLike,
    n: _Int = 1,
    dim: _Int = -1,
    prepend: _TensorLike | None = None,
    append: _TensorLike | None = None,
) -> Tensor:
    """Differences of neighbours along a dimension, n times; prepend and append are joined to its ends first."""

@overload
def diff(
    input: _TensorLike,
    n: _Int = 1,
    *,
    axis: _Int,
    prepend: _TensorLike | None = None,
    append: _TensorLike | None = None,
) -> Tensor: ...
@overload
def gradient(
    input: _TensorLike,
    *,
    spacing: _Number | list[Any] | tuple[Any, ...] | None = None,
    dim: _Int | _Ints | None = None,
    edge_order: _Int = 1,
) -> tuple[Tensor, ...]:
    """Slopes along each dimension by differences of neighbours, with an even spacing or at given coordinates, a …"""

@overload
def gradient(
    input: _TensorLike,
    *,
    spacing: _Number | list[Any] | tuple[Any, ...] | None = None,
    axis: _Int | _Ints | None,
    edge_order: _Int = 1,
) -> tuple[Tensor, ...]: ...
@overload
def trapezoid(
    y: _TensorLike, x: Tensor | np.ndarray | None = None, *, dx: _Number | None = None, dim: _Int = -1
) -> Tensor:
    """The integral along a dimension by the trapezoidal rule, at coordinates x or with spacing dx."""

@overload
def trapezoid(
    y: _TensorLike, x: Tensor | np.ndarray | None = None, *, dx: _Number | None = None, axis: _Int
) -> Tensor: ...

trapz = trapezoid

@overload
def cumulative_trapezoid(
    y: _TensorLike, x: Tensor | np.ndarray | None = None, *, dx: _Number | None = None, dim: _Int = -1
) -> Tensor:
    """The integral up to each point after the first by the trapezoidal rule."""

@overload
def cumulative_trapezoid(
    y: _TensorLike, x: Tensor | np.ndarray | None = None, *, dx: _Number | None = None, axis: _Int
) -> Tensor: ...
def grid_sample(
    input: _TensorLike,
    grid: _TensorLike,
    mode: Literal["bilinear", "nearest", "bicubic"] = "bilinear",
    padding_mode: Literal["zeros", "border", "reflection"] = "zeros",
    align_corners: _Bool | None = None,
) -> Tensor:
    """Images sampled at the coordinates of a grid, from -1 to 1 along each dimension, the last one first."""

def affine_grid(theta: _TensorLike, size: _Ints, align_corners: _Bool | None = None) -> Tensor:
    """The grid for grid_sample of affine maps, a matrix for each member of the batch."""

def pixel_shuffle(input: _TensorLike, upscale_factor: _Int) -> Tensor:
    """Groups of channels rearranged into squares of elements."""

def pixel_unshuffle(input: _TensorLike, downscale_factor: _Int) -> Tensor:
    """Squares of elements rearranged into groups of channels."""

def channel_shuffle(input: _TensorLike, groups: _Int) -> Tensor:
    """The channels of several groups interleaved."""

@overload
def scatter(
    input: _TensorLike,
    dim: _Int,
    index: _TensorLike,
    src: _TensorLike | None = None,
    value: _Number | None = None,
    *,
    reduce: Literal["add", "multiply"] | None = None,
) -> Tensor:
    """The tensor with a source or a value put at each index along a dimension; of equal indices the last one …"""

@overload
def scatter(
    input: _TensorLike,
    *,
    axis: _Int,
    index: _TensorLike,
    src: _TensorLike | None = None,
    value: _Number | None = None,
    reduce: Literal["add", "multiply"] | None = None,
) -> Tensor: ...
@overload
def scatter_add(input: _TensorLike, dim: _Int, index: _TensorLike, src: _TensorLike) -> Tensor:
    """The tensor with a source added at each index along a dimension, one after the other."""

@overload
def scatter_add(input: _TensorLike, *, axis: _Int, index: _TensorLike, src: _TensorLike) -> Tensor: ...
@overload
def index_add(input: _TensorLike, dim: _Int, index: _TensorLike, source: _TensorLike, *, alpha: _Number = 1) -> Tensor:
    """The tensor with alpha times the slices of a source added at a list of indices of a dimension."""

@overload
def index_add(
    input: _TensorLike, *, axis: _Int, index: _TensorLike, source: _TensorLike, alpha: _Number = 1
) -> Tensor: ...
@overload
def index_copy(input: _TensorLike, dim: _Int, index: _TensorLike, source: _TensorLike) -> Tensor:
    """The tensor with the slices of a source at a list of indices of a dimension."""

@overload
def index_copy(input: _TensorLike, *, axis: _Int, index: _TensorLike, source: _TensorLike) -> Tensor: ...
@overload
def index_fill(input: _TensorLike, dim: _Int, index: _TensorLike, value: _Number | _TensorLike) -> Tensor:
    """The tensor with a number at a list of indices of a dimension."""

@overload
def index_fill(input: _TensorLike, *, axis: _Int, index: _TensorLike, value: _Number | _TensorLike) -> Tensor: ...
@overload
def scatter_reduce(
    input: _TensorLike,
    dim: _Int,
    index: _TensorLike,
    src: _TensorLike,
    reduce: Literal["sum", "prod", "mean", "amax", "amin"],
    *,
    include_self: _Bool = True,
) -> Tensor:
    """The tensor with elements of a source taken together at each index along a dimension: their sum, prod, mean, …"""

@overload
def scatter_reduce(
    input: _TensorLike,
    *,
    axis: _Int,
    index: _TensorLike,
    src: _TensorLike,
    reduce: Literal["sum", "prod", "mean", "amax", "amin"],
    include_self: _Bool = True,
) -> Tensor: ...
@overload
def index_reduce(
    input: _TensorLike,
    dim: _Int,
    index: _TensorLike,
    source: _TensorLike,
    reduce: Literal["sum", "prod", "mean", "amax", "amin"],
    *,
    include_self: _Bool = True,
) -> Tensor:
    """The tensor with the places of a source taken together at a list of places of a dimension: their sum, prod, …"""

@overload
def index_reduce(
    input: _TensorLike,
    *,
    axis: _Int,
    index: _TensorLike,
    source: _TensorLike,
    reduce: Literal["sum", "prod", "mean", "amax", "amin"],
    include_self: _Bool = True,
) -> Tensor: ...
@overload
def sort(input: _TensorLike, dim: _Int = -1, descending: _Bool = False, stable: _Bool | None = None) -> _sort:
    """The pair (values, indices) of the elements in order along a dimension. Equal ones stay in their order, NaN …"""

@overload
def sort(input: _TensorLike, *, axis: _Int, descending: _Bool = False, stable: _Bool | None = None) -> _sort: ...
@overload
def topk(input: _TensorLike, k: _Int, dim: _Int = -1, largest: _Bool = True, sorted: _Bool = True) -> _topk:
    """The pair (values, indices) of the k largest elements along a dimension, or the smallest."""

@overload
def topk(input: _TensorLike, k: _Int, *, axis: _Int, largest: _Bool = True, sorted: _Bool = True) -> _topk: ...
def msort(input: _TensorLike) -> Tensor:
    """The elements in order along the first dimension."""

@overload
def argsort(input: _TensorLike, dim: _Int = -1, descending: _Bool = False, stable: _Bool | None = None) -> Tensor:
    """The indices that put the elements in order along a dimension."""

@overload
def argsort(input: _TensorLike, *, axis: _Int, descending: _Bool = False, stable: _Bool | None = None) -> Tensor: ...
@overload
def kthvalue(input: _TensorLike, k: _Int, dim: _Int = -1, keepdim: _Bool = False) -> _kthvalue:
    """The pair (values, indices) of the k-th smallest elements along a dimension, counted from 1; of equal ones …"""

@overload
def kthvalue(input: _TensorLike, k: _Int, *, axis: _Int, keepdim: _Bool = False) -> _kthvalue: ...
@overload
def kthvalue(input: _TensorLike, k: _Int, dim: _Int = -1, *, keepdims: _Bool) -> _kthvalue: ...
@overload
def kthvalue(input: _TensorLike, k: _Int, *, axis: _Int, keepdims: _Bool) -> _kthvalue: ...
@overload
def median(input: _TensorLike, dim: None = None, keepdim: _Bool = False) -> Tensor:
    """The median, the lower one of two in the middle; equal elements share the gradient evenly. With dim the pair …"""

@overload
def median(input: _TensorLike, dim: _Int, keepdim: _Bool = False) -> _median: ...
@overload
def median(input: _TensorLike, *, axis: _Int, keepdim: _Bool = False) -> _median: ...
@overload
def median(input: _TensorLike, dim: None = None, *, keepdims: _Bool) -> Tensor: ...
@overload
def median(input: _TensorLike, dim: _Int, *, keepdims: _Bool) -> _median: ...
@overload
def median(input: _TensorLike, *, axis: _Int, keepdims: _Bool) -> _median: ...
@overload
def nanmedian(input: _TensorLike, dim: None = None, keepdim: _Bool = False) -> Tensor:
    """The median of the elements that are not NaN; with dim the pair (values, indices)."""

@overload
def nanmedian(input: _TensorLike, dim: _Int, keepdim: _Bool = False) -> _nanmedian: ...
@overload
def nanmedian(input: _TensorLike, *, axis: _Int, keepdim: _Bool = False) -> _nanmedian: ...
@overload
def nanmedian(input: _TensorLike, dim: None = None, *, keepdims: _Bool) -> Tensor: ...
@overload
def nanmedian(input: _TensorLike, dim: _Int, *, keepdims: _Bool) -> _nanmedian: ...
@overload
def nanmedian(input: _TensorLike, *, axis: _Int, keepdims: _Bool) -> _nanmedian: ...
@overload
def mode(input: _TensorLike, dim: _Int = -1, keepdim: _Bool = False) -> _mode:
    """The pair (values, indices) of the most frequent elements along a dimension, the smallest of equally …"""

@overload
def mode(input: _TensorLike, *, axis: _Int, keepdim: _Bool = False) -> _mode: ...
@overload
def mode(input: _TensorLike, dim: _Int = -1, *, keepdims: _Bool) -> _mode: ...
@overload
def mode(input: _TensorLike, *, axis: _Int, keepdims: _Bool) -> _mode: ...
def searchsorted(
    sorted_sequence: _TensorLike,
    values: _TensorLike,
    *,
    out_int32: _Bool = False,
    right: _Bool = False,
    side: Literal["left", "right"] | None = None,
    sorter: _TensorLike | None = None,
) -> Tensor:
    """Where values belong in a sorted sequence, or in one for each row: the index of the first element that is …"""

def bucketize(input: _TensorLike, boundaries: _TensorLike, *, out_int32: _Bool = False, right: _Bool = False) -> Tensor:
    """The bucket of each element between sorted boundaries."""

def isin(
    elements: _TensorLike, test_elements: _TensorLike, *, assume_unique: _Bool = False, invert: _Bool = False
) -> Tensor:
    """Whether each element is among others; with invert, whether it is not."""

def histc(input: _TensorLike, bins: _Int = 100, min: _Number = 0, max: _Number = 0) -> Tensor:
    """How many elements lie in each of so many bins between min and max, or between the smallest and the largest."""

def hardsigmoid(input: _TensorLike) -> Tensor:
    """relu6(input + 3)/6; the gradient at the corners is 0."""

def hardswish(input: _TensorLike) -> Tensor:
    """input*relu6(input + 3)/6."""

def celu(input: _TensorLike, alpha: _Number = 1.0) -> Tensor:
    """The input where positive, alpha*(exp(input/alpha) - 1) elsewhere."""

def softshrink(input: _TensorLike, lambd: _Number = 0.5) -> Tensor:
    """The input moved towards 0 by lambd, and 0 where it is smaller."""

def hardshrink(input: _TensorLike, lambd: _Number = 0.5) -> Tensor:
    """The input, and 0 where it is no larger than lambd."""

def tanhshrink(input: _TensorLike) -> Tensor:
    """input - tanh(input)."""

def threshold(input: _TensorLike, threshold: _Number, value: _Number) -> Tensor:
    """The input where it is greater than the threshold, value elsewhere."""

def prelu(input: _TensorLike, weight: _TensorLike) -> Tensor:
    """The input where positive, a weight times it elsewhere: one, or one for each channel, which is dimension 1."""

def rrelu(input: _TensorLike, lower: _Number = 0.125, upper: _Number = 0.3333333333333333) -> Tensor:
    """leaky_relu with the mean of two slopes; PyTorch's training with random slopes is not supported."""

@overload
def glu(input: _TensorLike, dim: _Int = -1) -> Tensor:
    """The first half along a dimension times the sigmoid of the second."""

@overload
def glu(input: _TensorLike, *, axis: _Int) -> Tensor: ...
def binary_cross_entropy(
    input: _TensorLike,
    target: _TensorLike,
    weight: _TensorLike | None = None,
    reduction: Literal["mean", "sum", "none"] = "mean",
) -> Tensor:
    """Cross-entropy of probabilities: minus the logarithm of the input where the target is 1."""

def kl_div(
    input: _TensorLike,
    target: _TensorLike,
    reduction: Literal["mean", "sum", "none", "batchmean"] = "mean",
    log_target: _Bool = False,
) -> Tensor:
    """Kullback-Leibler divergence of the target from the input, which are logarithms of probabilities."""

def poisson_nll_loss(
    input: _TensorLike,
    target: _TensorLike,
    log_input: _Bool = True,
    full: _Bool = False,
    eps: _Number = 1e-08,
    reduction: Literal["mean", "sum", "none"] = "mean",
) -> Tensor:
    """Minus the log-probability of a count (target) that is Poisson distributed; the input is the logarithm of …"""

def gaussian_nll_loss(
    input: _TensorLike,
    target: _TensorLike,
    var: _TensorLike,
    full: _Bool = False,
    eps: _Number = 1e-06,
    reduction: Literal["mean", "sum", "none"] = "mean",
) -> Tensor:
    """Minus the logarithm of the density of a normal variable (target) with mean input and variance var."""

@overload
def pairwise_distance(
    x1: _TensorLike, x2: _TensorLike, p: _Number = 2.0, eps: _Number = 1e-06, keepdim: _Bool = False
) -> Tensor:
    """The norms of the differences of two lists of vectors."""

@overload
def pairwise_distance(
    x1: _TensorLike, x2: _TensorLike, p: _Number = 2.0, eps: _Number = 1e-06, *, keepdims: _Bool
) -> Tensor: ...
@overload
def cosine_similarity(x1: _TensorLike, x2: _TensorLike, dim: _Int = 1, eps: _Number = 1e-08) -> Tensor:
    """The cosines of the angles between vectors along a dimension."""

@overload
def cosine_similarity(x1: _TensorLike, x2: _TensorLike, *, axis: _Int, eps: _Number = 1e-08) -> Tensor: ...
@overload
def normalize(input: _TensorLike, p: _Number = 2.0, dim: _Int | _Ints = 1, eps: _Number = 1e-12) -> Tensor:
    """Vectors along a dimension divided by their norm."""

@overload
def normalize(input: _TensorLike, p: _Number = 2.0, *, axis: _Int | _Ints, eps: _Number = 1e-12) -> Tensor: ...
def hinge_embedding_loss(
    input: _TensorLike, target: _TensorLike, margin: _Number = 1.0, reduction: Literal["mean", "sum", "none"] = "mean"
) -> Tensor:
    """The input, a distance, where the target is 1, and max(0, margin - input) where it is -1."""

def cosine_embedding_loss(
    input1: _TensorLike,
    input2: _TensorLike,
    target: _TensorLike,
    margin: _Number = 0.0,
    reduction: Literal["mean", "sum", "none"] = "mean",
) -> Tensor:
    """1 minus the cosine of two vectors where the target is 1, max(0, cosine - margin) where it is -1."""

def margin_ranking_loss(
    input1: _TensorLike,
    input2: _TensorLike,
    target: _TensorLike,
    margin: _Number = 0.0,
    reduction: Literal["mean", "sum", "none"] = "mean",
) -> Tensor:
    """max(0, -target*(input1 - input2) + margin) for a target of 1 or -1."""

def multi_margin_loss(
    input: _TensorLike,
    target: _TensorLike,
    p: _Int = 1,
    margin: _Number = 1.0,
    weight: _TensorLike | None = None,
    reduction: Literal["mean", "sum", "none"] = "mean",
) -> Tensor:
    """By how much the scores of other classes come within margin of that of the target, a class index."""

def multilabel_margin_loss(
    input: _TensorLike, target: _TensorLike, reduction: Literal["mean", "sum", "none"] = "mean"
) -> Tensor:
    """By how much the scores of other classes come within 1 of those of the targets, a list that ends at a …"""

def multilabel_soft_margin_loss(
    input: _TensorLike,
    target: _TensorLike,
    weight: _TensorLike | None = None,
    reduction: Literal["mean", "sum", "none"] = "mean",
) -> Tensor:
    """The mean over the classes of the cross-entropy of the target and the sigmoid of the input."""

def soft_margin_loss(
    input: _TensorLike, target: _TensorLike, reduction: Literal["mean", "sum", "none"] = "mean"
) -> Tensor:
    """log(1 + exp(-target*input)) for a target of 1 or -1."""

def triplet_margin_loss(
    anchor: _TensorLike,
    positive: _TensorLike,
    negative: _TensorLike,
    margin: _Number = 1.0,
    p: _Number = 2,
    eps: _Number = 1e-06,
    swap: _Bool = False,
    reduction: Literal["mean", "sum", "none"] = "mean",
) -> Tensor:
    """max(0, d(anchor, positive) - d(anchor, negative) + margin) for a distance d."""

def triplet_margin_with_distance_loss(
    anchor: _TensorLike,
    positive: _TensorLike,
    negative: _TensorLike,
    *,
    distance_function: Callable[[Tensor, Tensor], Tensor] | None = None,
    margin: _Number = 1.0,
    swap: _Bool = False,
    reduction: Literal["mean", "sum", "none"] = "mean",
) -> Tensor:
    """triplet_margin_loss with a custom distance, in Python a function of two tensors."""

def batch_norm(
    input: _TensorLike,
    running_mean: _TensorLike,
    running_var: _TensorLike,
    weight: _TensorLike | None = None,
    bias: _TensorLike | None = None,
    training: _Bool = False,
    momentum: _Number = 0.1,
    eps: _Number = 1e-05,
) -> Tensor:
    """Each channel normalized to mean 0 and variance 1, with the running ones unless training; in Python training …"""

def group_norm(
    input: _TensorLike,
    num_groups: _Int,
    weight: _TensorLike | None = None,
    bias: _TensorLike | None = None,
    eps: _Number = 1e-05,
) -> Tensor:
    """Each group of neighbouring channels normalized to mean 0 and variance 1, for each member of the batch."""

def instance_norm(
    input: _TensorLike,
    running_mean: _TensorLike | None = None,
    running_var: _TensorLike | None = None,
    weight: _TensorLike | None = None,
    bias: _TensorLike | None = None,
    use_input_stats: _Bool = True,
    momentum: _Number = 0.1,
    eps: _Number = 1e-05,
) -> Tensor:
    """Each channel of each member of the batch normalized to mean 0 and variance 1."""

def rms_norm(
    input: _TensorLike, normalized_shape: _Int | _Ints, weight: _TensorLike | None = None, eps: _Number | None = None
) -> Tensor:
    """The last dimensions divided by the root of their mean square, then scaled."""

def local_response_norm(
    input: _TensorLike, size: _Int, alpha: _Number = 0.0001, beta: _Number = 0.75, k: _Number = 1.0
) -> Tensor:
    """Each element divided by a power of the mean square of its neighbours in nearby channels."""

def erfcx(input: _TensorLike) -> Tensor:
    """exp(input**2)*erfc(input), without overflow for large numbers."""

def ndtr(input: _TensorLike) -> Tensor:
    """The probability that a standard normal number is at most the input."""

def log_ndtr(input: _TensorLike) -> Tensor:
    """The logarithm of ndtr, exact also where that is next to 0 or 1."""

def ndtri(input: _TensorLike) -> Tensor:
    """The inverse of ndtr."""

def erfinv(input: _TensorLike) -> Tensor:
    """The inverse of erf."""

def entr(input: _TensorLike) -> Tensor:
    """-input*log(input), 0 at 0 and -inf below."""

def xlog1py(input: _TensorLike, other: _TensorLike) -> Tensor:
    """input*log(1 + other), and 0 where the input is 0."""

def logit(input: _TensorLike, eps: _Number | None = None) -> Tensor:
    """log(input/(1 - input)), of the input held between eps and 1 - eps where that is given."""

def mvlgamma(input: _TensorLike, p: _Int) -> Tensor:
    """The logarithm of the gamma function of matrices with p rows."""

multigammaln = mvlgamma

def ctc_loss(
    log_probs: _TensorLike,
    targets: _TensorLike,
    input_lengths: _TensorLike | _Ints,
    target_lengths: _TensorLike | _Ints,
    blank: _Int = 0,
    reduction: Literal["mean", "sum", "none"] = "mean",
    zero_infinity: _Bool = False,
) -> Tensor:
    """Minus the log-probability that a sequence of (time, batch, classes) spells the targets; the gradient is …"""

def linear(input: _TensorLike, weight: _TensorLike, bias: _TensorLike | None = None) -> Tensor:
    """input @ weight.T + bias."""

def bilinear(input1: _TensorLike, input2: _TensorLike, weight: _TensorLike, bias: _TensorLike | None = None) -> Tensor:
    """Weighted products of all pairs of elements of two vectors: input1 @ weight[k] @ input2 + bias[k]."""

def scaled_dot_product_attention(
    query: _TensorLike,
    key: _TensorLike,
    value: _TensorLike,
    attn_mask: _TensorLike | None = None,
    dropout_p: _Number = 0.0,
    is_causal: _Bool = False,
    scale: _Number | None = None,
    enable_gqa: _Bool = False,
) -> Tensor:
    """softmax(query @ key.mT * scale + attn_mask) @ value; fully masked rows give zeros."""

def linear_cross_entropy(
    input: _TensorLike,
    linear_weight: _TensorLike,
    target: _TensorLike,
    *,
    linear_bias: _TensorLike | None = None,
    weight: _TensorLike | None = None,
    reduction: Literal["mean", "sum", "none"] = "mean",
    ignore_index: _Int | None = None,
    label_smoothing: _Number = 0.0,
    options: _TensorLike | None = None,
) -> Tensor:
    """Cross-entropy of a linear map of the input and target classes; options is PyTorch's and changes nothing."""

@overload
def softmin(input: _TensorLike, dim: _Int, dtype: _DType | None = None) -> Tensor:
    """softmax of minus the input."""

@overload
def softmin(input: _TensorLike, *, axis: _Int, dtype: _DType | None = None) -> Tensor: ...
def conv1d(
    input: _TensorLike,
    weight: _TensorLike,
    bias: _TensorLike | None = None,
    stride: _Int | _Ints = 1,
    padding: _Int | _Ints | Literal["same", "valid"] = 0,
    dilation: _Int | _Ints = 1,
    groups: _Int = 1,
) -> Tensor:
    """Sum of the products of a kernel and each window of the input, (batch, channels, length)."""

def conv2d(
    input: _TensorLike,
    weight: _TensorLike,
    bias: _TensorLike | None = None,
    stride: _Int | _Ints = 1,
    padding: _Int | _Ints | Literal["same", "valid"] = 0,
    dilation: _Int | _Ints = 1,
    groups: _Int = 1,
) -> Tensor:
    """Sum of the products of a kernel and each window of the input, (batch, channels, height, width)."""

def conv3d(
    input: _TensorLike,
    weight: _TensorLike,
    bias: _TensorLike | None = None,
    stride: _Int | _Ints = 1,
    padding: _Int | _Ints | Literal["same", "valid"] = 0,
    dilation: _Int | _Ints = 1,
    groups: _Int = 1,
) -> Tensor:
    """Sum of the products of a kernel and each window of the input, (batch, channels, depth, height, width)."""

def conv_transpose1d(
    input: _TensorLike,
    weight: _TensorLike,
    bias: _TensorLike | None = None,
    stride: _Int | _Ints = 1,
    padding: _Int | _Ints = 0,
    output_padding: _Int | _Ints = 0,
    groups: _Int = 1,
    dilation: _Int | _Ints = 1,
) -> Tensor:
    """The adjoint of conv1d: each element of the input, (batch, channels, length), spread by a kernel."""

def conv_transpose2d(
    input: _TensorLike,
    weight: _TensorLike,
    bias: _TensorLike | None = None,
    stride: _Int | _Ints = 1,
    padding: _Int | _Ints = 0,
    output_padding: _Int | _Ints = 0,
    groups: _Int = 1,
    dilation: _Int | _Ints = 1,
) -> Tensor:
    """The adjoint of conv2d: each element of the input, (batch, channels, height, width), spread by a kernel."""

def conv_transpose3d(
    input: _TensorLike,
    weight: _TensorLike,
    bias: _TensorLike | None = None,
    stride: _Int | _Ints = 1,
    padding: _Int | _Ints = 0,
    output_padding: _Int | _Ints = 0,
    groups: _Int = 1,
    dilation: _Int | _Ints = 1,
) -> Tensor:
    """The adjoint of conv3d: each element of the input, (batch, channels, depth, height, width), spread by a kernel."""

@overload
def nansum(
    input: _TensorLike, dim: _Int | _Ints | None = None, keepdim: _Bool = False, *, dtype: _DType | None = None
) -> Tensor:
    """Sum of the elements that are not NaN."""

@overload
def nansum(
    input: _TensorLike, *, axis: _Int | _Ints | None, keepdim: _Bool = False, dtype: _DType | None = None
) -> Tensor: ...
@overload
def nansum(
    input: _TensorLike, dim: _Int | _Ints | None = None, *, keepdims: _Bool, dtype: _DType | None = None
) -> Tensor: ...
@overload
def nansum(
    input: _TensorLike, *, axis: _Int | _Ints | None, keepdims: _Bool, dtype: _DType | None = None
) -> Tensor: ...
@overload
def nanmean(
    input: _TensorLike, dim: _Int | _Ints | None = None, keepdim: _Bool = False, *, dtype: _DType | None = None
) -> Tensor:
    """Mean of the elements that are not NaN."""

@overload
def nanmean(
    input: _TensorLike, *, axis: _Int | _Ints | None, keepdim: _Bool = False, dtype: _DType | None = None
) -> Tensor: ...
@overload
def nanmean(
    input: _TensorLike, dim: _Int | _Ints | None = None, *, keepdims: _Bool, dtype: _DType | None = None
) -> Tensor: ...
@overload
def nanmean(
    input: _TensorLike, *, axis: _Int | _Ints | None, keepdims: _Bool, dtype: _DType | None = None
) -> Tensor: ...
@overload
def aminmax(input: _TensorLike, *, dim: _Int | None = None, keepdim: _Bool = False) -> _aminmax:
    """Minimum and maximum; equal elements share the gradient evenly."""

@overload
def aminmax(input: _TensorLike, *, axis: _Int | None, keepdim: _Bool = False) -> _aminmax: ...
@overload
def aminmax(input: _TensorLike, *, dim: _Int | None = None, keepdims: _Bool) -> _aminmax: ...
@overload
def aminmax(input: _TensorLike, *, axis: _Int | None, keepdims: _Bool) -> _aminmax: ...
@overload
def var_mean(
    input: _TensorLike,
    dim: _Int | _Ints | None = None,
    unbiased: _Bool | None = None,
    keepdim: _Bool = False,
    *,
    correction: _Number | None = None,
) -> _var_mean:
    """Variance and mean."""

@overload
def var_mean(
    input: _TensorLike,
    *,
    axis: _Int | _Ints | None,
    unbiased: _Bool | None = None,
    keepdim: _Bool = False,
    correction: _Number | None = None,
) -> _var_mean: ...
@overload
def var_mean(
    input: _TensorLike,
    dim: _Int | _Ints | None = None,
    unbiased: _Bool | None = None,
    *,
    keepdims: _Bool,
    correction: _Number | None = None,
) -> _var_mean: ...
@overload
def var_mean(
    input: _TensorLike,
    *,
    axis: _Int | _Ints | None,
    unbiased: _Bool | None = None,
    keepdims: _Bool,
    correction: _Number | None = None,
) -> _var_mean: ...
@overload
def std_mean(
    input: _TensorLike,
    dim: _Int | _Ints | None = None,
    unbiased: _Bool | None = None,
    keepdim: _Bool = False,
    *,
    correction: _Number | None = None,
) -> _std_mean:
    """Standard deviation and mean."""

@overload
def std_mean(
    input: _TensorLike,
    *,
    axis: _Int | _Ints | None,
    unbiased: _Bool | None = None,
    keepdim: _Bool = False,
    correction: _Number | None = None,
) -> _std_mean: ...
@overload
def std_mean(
    input: _TensorLike,
    dim: _Int | _Ints | None = None,
    unbiased: _Bool | None = None,
    *,
    keepdims: _Bool,
    correction: _Number | None = None,
) -> _std_mean: ...
@overload
def std_mean(
    input: _TensorLike,
    *,
    axis: _Int | _Ints | None,
    unbiased: _Bool | None = None,
    keepdims: _Bool,
    correction: _Number | None = None,
) -> _std_mean: ...
def cov(
    input: _TensorLike,
    *,
    correction: _Int = 1,
    fweights: Tensor | np.ndarray | list[builtins.int] | None = None,
    aweights: Tensor | np.ndarray | None = None,
) -> Tensor:
    """Covariances of the rows, each a variable; observations may be repeated (fweights) or weighted (aweights)."""

def corrcoef(input: _TensorLike) -> Tensor:
    """Correlations of the rows, each a variable."""

@overload
def einsum(equation: str, *operands: _TensorLike) -> Tensor:
    """Sums of products over the dimensions named by letters, as in 'ij,jk->ik'; ... stands for any dimensions."""

@overload
def einsum(equation: str, *, operands: _Tensors) -> Tensor: ...
def inv(input: _TensorLike) -> Tensor:
    """Inverse of a square matrix."""

inverse = inv

def det(input: _TensorLike) -> Tensor:
    """Determinant of a square matrix."""

def slogdet(input: _TensorLike) -> _slogdet:
    """The pair (sign, logabsdet) of the determinant, without its overflow; 0 and -inf for a singular matrix."""

def logdet(input: _TensorLike) -> Tensor:
    """Logarithm of the determinant: -inf for a singular matrix, NaN where the determinant is negative."""

def solve(A: _TensorLike, B: _TensorLike, *, left: _Bool = True) -> Tensor:
    """The X for which A @ X = B (X @ A = B with left=False); B holds vectors or matrices."""

def cholesky(input: _TensorLike, upper: _Bool = False) -> Tensor:
    """The triangular L of a positive definite matrix L @ L.T; U of U.T @ U with upper."""

def embedding_bag(
    input: _TensorLike,
    weight: _TensorLike,
    offsets: _TensorLike | None = None,
    max_norm: _Number | None = None,
    norm_type: _Number = 2.0,
    scale_grad_by_freq: _Bool = False,
    mode: Literal["mean", "sum", "max"] = "mean",
    sparse: _Bool = False,
    per_sample_weights: _TensorLike | None = None,
    include_last_offset: _Bool = False,
    padding_idx: _Int | None = None,
) -> Tensor:
    """The mean, sum or max of the rows of a table in each bag: a row of indices is one, or what comes after each …"""

def index_put(
    input: _TensorLike, indices: list[Any] | tuple[Any, ...], values: _TensorLike, accumulate: _Bool = False
) -> Tensor:
    """The tensor with values put at indices, a tuple of them as in x[indices], or with accumulate added there."""

def put(input: _TensorLike, index: _TensorLike, source: _TensorLike, accumulate: _Bool = False) -> Tensor:
    """The tensor with a source put at indices into the flattened tensor, or with accumulate added there."""

@overload
def slice_scatter(
    input: _TensorLike,
    src: _TensorLike,
    dim: _Int = 0,
    start: _Int | None = None,
    end: _Int | None = None,
    step: _Int = 1,
) -> Tensor:
    """The tensor with a range of a dimension replaced by a source."""

@overload
def slice_scatter(
    input: _TensorLike,
    src: _TensorLike,
    *,
    axis: _Int,
    start: _Int | None = None,
    end: _Int | None = None,
    step: _Int = 1,
) -> Tensor: ...
@overload
def select_scatter(input: _TensorLike, src: _TensorLike, dim: _Int, index: _Int) -> Tensor:
    """The tensor with one index of a dimension replaced by a source."""

@overload
def select_scatter(input: _TensorLike, src: _TensorLike, *, axis: _Int, index: _Int) -> Tensor: ...
def diagonal_scatter(input: _TensorLike, src: _TensorLike, offset: _Int = 0, dim1: _Int = 0, dim2: _Int = 1) -> Tensor:
    """The tensor with the diagonal of two dimensions replaced by a source."""

@overload
def narrow(input: _TensorLike, dim: _Int, start: _Int | _TensorLike, length: _Int) -> Tensor:
    """A range of a dimension of the given length, from start on."""

@overload
def narrow(input: _TensorLike, *, axis: _Int, start: _Int | _TensorLike, length: _Int) -> Tensor: ...
def masked_scatter(input: _TensorLike, mask: _TensorLike, source: _TensorLike) -> Tensor:
    """The tensor with the elements of a source, one after the other, where a mask is true."""

@overload
def quantile(
    input: _TensorLike,
    q: _Number | Tensor | np.ndarray | list[builtins.float],
    dim: _Int | None = None,
    keepdim: _Bool = False,
    *,
    interpolation: Literal["linear", "lower", "higher", "midpoint", "nearest"] = "linear",
) -> Tensor:
    """The q-quantile, between neighbours as interpolation says; NaN if any element is."""

@overload
def quantile(
    input: _TensorLike,
    q: _Number | Tensor | np.ndarray | list[builtins.float],
    *,
    axis: _Int | None,
    keepdim: _Bool = False,
    interpolation: Literal["linear", "lower", "higher", "midpoint", "nearest"] = "linear",
) -> Tensor: ...
@overload
def quantile(
    input: _TensorLike,
    q: _Number | Tensor | np.ndarray | list[builtins.float],
    dim: _Int | None = None,
    *,
    keepdims: _Bool,
    interpolation: Literal["linear", "lower", "higher", "midpoint", "nearest"] = "linear",
) -> Tensor: ...
@overload
def quantile(
    input: _TensorLike,
    q: _Number | Tensor | np.ndarray | list[builtins.float],
    *,
    axis: _Int | None,
    keepdims: _Bool,
    interpolation: Literal["linear", "lower", "higher", "midpoint", "nearest"] = "linear",
) -> Tensor: ...
@overload
def nanquantile(
    input: _TensorLike,
    q: _Number | Tensor | np.ndarray | list[builtins.float],
    dim: _Int | None = None,
    keepdim: _Bool = False,
    *,
    interpolation: Literal["linear", "lower", "higher", "midpoint", "nearest"] = "linear",
) -> Tensor:
    """The q-quantile of the elements that are not NaN."""

@overload
def nanquantile(
    input: _TensorLike,
    q: _Number | Tensor | np.ndarray | list[builtins.float],
    *,
    axis: _Int | None,
    keepdim: _Bool = False,
    interpolation: Literal["linear", "lower", "higher", "midpoint", "nearest"] = "linear",
) -> Tensor: ...
@overload
def nanquantile(
    input: _TensorLike,
    q: _Number | Tensor | np.ndarray | list[builtins.float],
    dim: _Int | None = None,
    *,
    keepdims: _Bool,
    interpolation: Literal["linear", "lower", "higher", "midpoint", "nearest"] = "linear",
) -> Tensor: ...
@overload
def nanquantile(
    input: _TensorLike,
    q: _Number | Tensor | np.ndarray | list[builtins.float],
    *,
    axis: _Int | None,
    keepdims: _Bool,
    interpolation: Literal["linear", "lower", "higher", "midpoint", "nearest"] = "linear",
) -> Tensor: ...
def multi_head_attention_forward(
    query: _TensorLike,
    key: _TensorLike,
    value: _TensorLike,
    embed_dim_to_check: _Int,
    num_heads: _Int,
    in_proj_weight: _TensorLike,
    in_proj_bias: _TensorLike,
    bias_k: _TensorLike,
    bias_v: _TensorLike,
    add_zero_attn: _Bool,
    dropout_p: _Number,
    out_proj_weight: _TensorLike,
    out_proj_bias: _TensorLike,
    training: _Bool = True,
    key_padding_mask: _TensorLike | None = None,
    need_weights: _Bool = True,
    attn_mask: _TensorLike | None = None,
    use_separate_proj_weight: _Bool = False,
    q_proj_weight: _TensorLike | None = None,
    k_proj_weight: _TensorLike | None = None,
    v_proj_weight: _TensorLike | None = None,
    static_k: _TensorLike | None = None,
    static_v: _TensorLike | None = None,
    average_attn_weights: _Bool = True,
    is_causal: _Bool = False,
) -> tuple[Tensor, ...]:
    """Multi-head attention of (length, batch, size), with its projections; gives the result and the mean weights."""

def avg_pool1d(
    input: _TensorLike,
    kernel_size: _Int | _Ints,
    stride: _Int | _Ints | None = None,
    padding: _Int | _Ints = 0,
    ceil_mode: _Bool = False,
    count_include_pad: _Bool = True,
) -> Tensor:
    """The mean of each window, along length."""

def adaptive_avg_pool1d(input: _TensorLike, output_size: _Int | _Ints) -> Tensor:
    """The mean of each of output_size windows of about equal length, along length."""

def lp_pool1d(
    input: _TensorLike,
    norm_type: _Number,
    kernel_size: _Int | _Ints,
    stride: _Int | _Ints | None = None,
    ceil_mode: _Bool = False,
) -> Tensor:
    """The norm of each window, along length."""

def avg_pool2d(
    input: _TensorLike,
    kernel_size: _Int | _Ints,
    stride: _Int | _Ints | None = None,
    padding: _Int | _Ints = 0,
    ceil_mode: _Bool = False,
    count_include_pad: _Bool = True,
    divisor_override: _Int | None = None,
) -> Tensor:
    """The mean of each window, along height, width."""

def adaptive_avg_pool2d(input: _TensorLike, output_size: _Int | _Ints) -> Tensor:
    """The mean of each of output_size windows of about equal length, along height, width."""

def lp_pool2d(
    input: _TensorLike,
    norm_type: _Number,
    kernel_size: _Int | _Ints,
    stride: _Int | _Ints | None = None,
    ceil_mode: _Bool = False,
) -> Tensor:
    """The norm of each window, along height, width."""

def avg_pool3d(
    input: _TensorLike,
    kernel_size: _Int | _Ints,
    stride: _Int | _Ints | None = None,
    padding: _Int | _Ints = 0,
    ceil_mode: _Bool = False,
    count_include_pad: _Bool = True,
    divisor_override: _Int | None = None,
) -> Tensor:
    """The mean of each window, along depth, height, width."""

def adaptive_avg_pool3d(input: _TensorLike, output_size: _Int | _Ints) -> Tensor:
    """The mean of each of output_size windows of about equal length, along depth, height, width."""

def lp_pool3d(
    input: _TensorLike,
    norm_type: _Number,
    kernel_size: _Int | _Ints,
    stride: _Int | _Ints | None = None,
    ceil_mode: _Bool = False,
) -> Tensor:
    """The norm of each window, along depth, height, width."""

def interpolate(
    input: _TensorLike,
    size: _Int | _Ints | None = None,
    scale_factor: _Number | list[_Number] | tuple[_Number, ...] | None = None,
    mode: Literal["nearest", "nearest-exact", "linear", "bilinear", "bicubic", "trilinear", "area"] = "nearest",
    align_corners: _Bool | None = None,
    recompute_scale_factor: _Bool | None = None,
) -> Tensor:
    """Resized along all dimensions but batch and channels: nearest, linear, bilinear, bicubic, …"""

def upsample_nearest(
    input: _TensorLike,
    size: _Int | _Ints | None = None,
    scale_factor: _Number | list[_Number] | tuple[_Number, ...] | None = None,
) -> Tensor:
    """Resized by nearest elements."""

def upsample_bilinear(
    input: _TensorLike,
    size: _Int | _Ints | None = None,
    scale_factor: _Number | list[_Number] | tuple[_Number, ...] | None = None,
) -> Tensor:
    """Resized bilinearly, with aligned corners."""

def addmm(input: _TensorLike, mat1: _TensorLike, mat2: _TensorLike, *, beta: _Number = 1, alpha: _Number = 1) -> Tensor:
    """beta*input + alpha*(mat1 @ mat2), of matrices."""

def addmv(input: _TensorLike, mat: _TensorLike, vec: _TensorLike, *, beta: _Number = 1, alpha: _Number = 1) -> Tensor:
    """beta*input + alpha*(mat @ vec), of a matrix and a vector."""

def addr(input: _TensorLike, vec1: _TensorLike, vec2: _TensorLike, *, beta: _Number = 1, alpha: _Number = 1) -> Tensor:
    """beta*input + alpha*outer(vec1, vec2)."""

def baddbmm(
    input: _TensorLike, batch1: _TensorLike, batch2: _TensorLike, *, beta: _Number = 1, alpha: _Number = 1
) -> Tensor:
    """beta*input + alpha*(batch1 @ batch2), of batches of matrices."""

def addbmm(
    input: _TensorLike, batch1: _TensorLike, batch2: _TensorLike, *, beta: _Number = 1, alpha: _Number = 1
) -> Tensor:
    """beta*input + alpha*sum(batch1 @ batch2, 0), of batches of matrices."""

@overload
def linalg_cross(input: _TensorLike, other: _TensorLike, *, dim: _Int = -1) -> Tensor:
    """Cross product of vectors of 3 elements along a dimension."""

@overload
def linalg_cross(input: _TensorLike, other: _TensorLike, *, axis: _Int) -> Tensor: ...
@overload
def cross(input: _TensorLike, other: _TensorLike, dim: _Int | None = None) -> Tensor:
    """Cross product of vectors of 3 elements, without dim along the first dimension of length 3."""

@overload
def cross(input: _TensorLike, other: _TensorLike, *, axis: _Int | None) -> Tensor: ...
@overload
def vecdot(x: _TensorLike, y: _TensorLike, *, dim: _Int = -1) -> Tensor:
    """Dot products of the vectors along a dimension."""

@overload
def vecdot(x: _TensorLike, y: _TensorLike, *, axis: _Int) -> Tensor: ...
def kron(input: _TensorLike, other: _TensorLike) -> Tensor:
    """Kronecker product: the second tensor times each element of the first, side by side."""

def multi_dot(tensors: _Tensors) -> Tensor:
    """Product of several matrices, in the order with the fewest multiplications; the first and the last may be …"""

@overload
def chain_matmul(*matrices: _TensorLike) -> Tensor:
    """Product of several matrices, in the order with the fewest multiplications."""

@overload
def chain_matmul(*, matrices: _Tensors) -> Tensor: ...
def matrix_power(input: _TensorLike, n: _Int) -> Tensor:
    """A matrix to an integer power; negative powers are those of its inverse."""

def linalg_vander(x: _TensorLike, *, N: _Int | None = None) -> Tensor:
    """The powers of each element, from 0 on, along a new last dimension."""

def vander(x: _TensorLike, N: _Int | None = None, increasing: _Bool = False) -> Tensor:
    """The powers of the elements of a vector, the highest first unless increasing."""

def solve_triangular(
    A: _TensorLike, B: _TensorLike, *, upper: _Bool, left: _Bool = True, unitriangular: _Bool = False
) -> Tensor:
    """The X for which A @ X = B (X @ A = B with left=False), where A is triangular; the other triangle is not read."""

def triangular_solve(
    b: _TensorLike, A: _TensorLike, upper: _Bool = True, transpose: _Bool = False, unitriangular: _Bool = False
) -> _triangular_solve:
    """The X for which A @ X = b, where A is triangular, or its transpose; and A (solution, cloned_coefficient)."""

def cholesky_solve(B: _TensorLike, L: _TensorLike, upper: _Bool = False) -> Tensor:
    """The X for which L @ L.T @ X = B (L.T @ L @ X = B with upper), where L is triangular."""

def cholesky_inverse(L: _TensorLike, upper: _Bool = False) -> Tensor:
    """Inverse of L @ L.T (of L.T @ L with upper), where L is triangular."""

def hann_window(
    window_length: _Int, periodic: _Bool = True, *, dtype: _DType | None = None, requires_grad: _Bool = False
) -> Tensor:
    """Hann's window, a raised cosine. With periodic it is one of a period, else symmetrical."""

def hamming_window(
    window_length: _Int,
    periodic: _Bool = True,
    alpha: _Number = 0.54,
    beta: _Number = 0.46,
    *,
    dtype: _DType | None = None,
    requires_grad: _Bool = False,
) -> Tensor:
    """Hamming's window, alpha - beta*cos(…). With periodic it is one of a period, else symmetrical."""

def blackman_window(
    window_length: _Int, periodic: _Bool = True, *, dtype: _DType | None = None, requires_grad: _Bool = False
) -> Tensor:
    """Blackman's window, of two cosines. With periodic it is one of a period, else symmetrical."""

def bartlett_window(
    window_length: _Int, periodic: _Bool = True, *, dtype: _DType | None = None, requires_grad: _Bool = False
) -> Tensor:
    """Bartlett's window, a triangle. With periodic it is one of a period, else symmetrical."""

def kaiser_window(
    window_length: _Int,
    periodic: _Bool = True,
    beta: _Number = 12.0,
    *,
    dtype: _DType | None = None,
    requires_grad: _Bool = False,
) -> Tensor:
    """Kaiser's window, of Bessel functions. With periodic it is one of a period, else symmetrical."""

def logspace(
    start: _Number,
    end: _Number,
    steps: _Int,
    base: _Number = 10.0,
    *,
    dtype: _DType | None = None,
    requires_grad: _Bool = False,
) -> Tensor:
    """Numbers whose logarithms are evenly spaced: base**start to base**end, both included."""

def tril_indices(
    row: _Int, col: _Int, offset: _Int = 0, *, dtype: _DType | None = None, requires_grad: _Bool = False
) -> Tensor:
    """The indices of the lower triangle of a matrix, rows above columns, row by row."""

def triu_indices(
    row: _Int, col: _Int, offset: _Int = 0, *, dtype: _DType | None = None, requires_grad: _Bool = False
) -> Tensor:
    """The indices of the upper triangle of a matrix, rows above columns, row by row."""

def max_pool1d(
    input: _TensorLike,
    kernel_size: _Int | _Ints,
    stride: _Int | _Ints | None = None,
    padding: _Int | _Ints = 0,
    dilation: _Int | _Ints = 1,
    ceil_mode: _Bool = False,
    return_indices: _Bool = False,
) -> Tensor:
    """The largest element of each window, along length, and its index in the flattened input if asked for."""

def adaptive_max_pool1d(input: _TensorLike, output_size: _Int | _Ints, return_indices: _Bool = False) -> Tensor:
    """The largest element of each of output_size windows of about equal length, along length."""

def max_unpool1d(
    input: _TensorLike,
    indices: _TensorLike,
    kernel_size: _Int | _Ints,
    stride: _Int | _Ints | None = None,
    padding: _Int | _Ints = 0,
    output_size: _Int | _Ints | None = None,
) -> Tensor:
    """The largest elements put back to where max_pool1d found them, zeros elsewhere."""

def max_pool2d(
    input: _TensorLike,
    kernel_size: _Int | _Ints,
    stride: _Int | _Ints | None = None,
    padding: _Int | _Ints = 0,
    dilation: _Int | _Ints = 1,
    ceil_mode: _Bool = False,
    return_indices: _Bool = False,
) -> Tensor:
    """The largest element of each window, along height, width, and its index in the flattened input if asked for."""

def adaptive_max_pool2d(input: _TensorLike, output_size: _Int | _Ints, return_indices: _Bool = False) -> Tensor:
    """The largest element of each of output_size windows of about equal length, along height, width."""

def max_unpool2d(
    input: _TensorLike,
    indices: _TensorLike,
    kernel_size: _Int | _Ints,
    stride: _Int | _Ints | None = None,
    padding: _Int | _Ints = 0,
    output_size: _Int | _Ints | None = None,
) -> Tensor:
    """The largest elements put back to where max_pool2d found them, zeros elsewhere."""

def max_pool3d(
    input: _TensorLike,
    kernel_size: _Int | _Ints,
    stride: _Int | _Ints | None = None,
    padding: _Int | _Ints = 0,
    dilation: _Int | _Ints = 1,
    ceil_mode: _Bool = False,
    return_indices: _Bool = False,
) -> Tensor:
    """The largest element of each window, along depth, height, width, and its index in the flattened input if …"""

def adaptive_max_pool3d(input: _TensorLike, output_size: _Int | _Ints, return_indices: _Bool = False) -> Tensor:
    """The largest element of each of output_size windows of about equal length, along depth, height, width."""

def max_unpool3d(
    input: _TensorLike,
    indices: _TensorLike,
    kernel_size: _Int | _Ints,
    stride: _Int | _Ints | None = None,
    padding: _Int | _Ints = 0,
    output_size: _Int | _Ints | None = None,
) -> Tensor:
    """The largest elements put back to where max_pool3d found them, zeros elsewhere."""

def im2col(
    input: _TensorLike,
    kernel_size: _Int | _Ints,
    dilation: _Int | _Ints = 1,
    padding: _Int | _Ints = 0,
    stride: _Int | _Ints = 1,
) -> Tensor:
    """The windows of images as columns; in PyTorch, nn.functional.unfold."""

def fold(
    input: _TensorLike,
    output_size: _Int | _Ints,
    kernel_size: _Int | _Ints,
    dilation: _Int | _Ints = 1,
    padding: _Int | _Ints = 0,
    stride: _Int | _Ints = 1,
) -> Tensor:
    """Columns summed into images: the adjoint of im2col."""

def inv_ex(A: _TensorLike, *, check_errors: _Bool = False) -> _inv_ex:
    """Inverse, and 0 or, for a singular matrix, the position of the first zero pivot (inverse, info)."""

def solve_ex(A: _TensorLike, B: _TensorLike, *, left: _Bool = True, check_errors: _Bool = False) -> _solve_ex:
    """The X for which A @ X = B, and 0 or the position of the first zero pivot of a singular matrix (result, info)."""

def cholesky_ex(A: _TensorLike, *, upper: _Bool = False, check_errors: _Bool = False) -> _cholesky_ex:
    """The triangular L of L @ L.T, and 0 or the order of the first minor that is not positive (L, info)."""

def linalg_svd(A: _TensorLike, full_matrices: _Bool = True) -> _linalg_svd:
    """The singular value decomposition A = U @ diag(S) @ Vh (U, S, Vh)."""

def svd(input: _TensorLike, some: _Bool = True, compute_uv: _Bool = True) -> _svd:
    """The singular value decomposition input = U @ diag(S) @ V.mT (U, S, V); linalg_svd gives the transpose of V."""

def svdvals(A: _TensorLike) -> Tensor:
    """The singular values, the largest first."""

def eigh(A: _TensorLike, UPLO: Literal["L", "U"] = "L") -> _eigh:
    """Eigenvalues, the smallest first, and eigenvectors of a symmetric matrix, of which one triangle is read."""

def eigvalsh(A: _TensorLike, UPLO: Literal["L", "U"] = "L") -> Tensor:
    """Eigenvalues of a symmetric matrix, the smallest first; one triangle is read."""

def linalg_qr(A: _TensorLike, mode: Literal["reduced", "complete", "r"] = "reduced") -> _linalg_qr:
    """The decomposition A = Q @ R into orthonormal columns and an upper triangular matrix (Q, R)."""

def qr(input: _TensorLike, some: _Bool = True) -> _qr:
    """The decomposition input = Q @ R into orthonormal columns and an upper triangular matrix (Q, R)."""

def lu_factor_ex(A: _TensorLike, *, pivot: _Bool = True, check_errors: _Bool = False) -> _lu_factor_ex:
    """Both triangles of an LU decomposition in one matrix, the row exchanges, and the position of a zero pivot …"""

def lu_factor(A: _TensorLike, *, pivot: _Bool = True) -> _lu_factor:
    """Both triangles of an LU decomposition in one matrix, and the row exchanges (LU, pivots)."""

def lu(A: _TensorLike, pivot: _Bool = True, get_infos: _Bool = False) -> _lu_factor:
    """As lu_factor, for singular matrices, too; get_infos adds where they are; linalg_lu gives (P, L, U)."""

def linalg_lu(A: _TensorLike, *, pivot: _Bool = True) -> _linalg_lu:
    """The decomposition A = P @ L @ U into a permutation, a lower and an upper triangular matrix (P, L, U)."""

def lu_unpack(
    LU_data: _TensorLike, LU_pivots: _TensorLike, unpack_data: _Bool = True, unpack_pivots: _Bool = True
) -> _lu_unpack:
    """P, L and U from the result of lu_factor."""

def linalg_lu_solve(
    LU: _TensorLike, pivots: _TensorLike, B: _TensorLike, *, left: _Bool = True, adjoint: _Bool = False
) -> Tensor:
    """The X for which A @ X = B by the LU decomposition of A (X @ A with left=False, A.T with adjoint)."""

def lu_solve(b: _TensorLike, LU_data: _TensorLike, LU_pivots: _TensorLike) -> Tensor:
    """The X for which A @ X = b by the LU decomposition of A."""

def matrix_exp(input: _TensorLike) -> Tensor:
    """Exponential of a square matrix."""

def pinv(
    A: _TensorLike,
    *,
    atol: _Number | Tensor | np.ndarray | None = None,
    rtol: _Number | Tensor | np.ndarray | None = None,
    hermitian: _Bool = False,
) -> Tensor:
    """Pseudo-inverse: singular values up to max(atol, rtol*the largest) count as 0."""

def pinverse(input: _TensorLike, rcond: _Number = 1e-15) -> Tensor:
    """Pseudo-inverse: singular values up to rcond times the largest count as 0."""

def lstsq(
    A: _TensorLike,
    B: _TensorLike,
    rcond: _Number | None = None,
    *,
    driver: Literal["gelsy", "gels", "gelsd", "gelss"] = "gelsy",
) -> _lstsq:
    """The X of least norm for which A @ X is nearest to B (solution, residuals, rank, singular_values)."""

def householder_product(A: _TensorLike, tau: _TensorLike) -> Tensor:
    """The first columns of a product of Householder reflections, given by the elements below the diagonal and …"""

orgqr = householder_product

def ormqr(
    input: _TensorLike, tau: _TensorLike, other: _TensorLike, left: _Bool = True, transpose: _Bool = False
) -> Tensor:
    """A product of reflections, given as for householder_product, times a matrix."""

def linalg_diagonal(A: _TensorLike, *, offset: _Int = 0, dim1: _Int = -2, dim2: _Int = -1) -> Tensor:
    """The diagonals of the matrices along two dimensions, the last ones unless given."""

def tensorsolve(A: _TensorLike, B: _TensorLike, dims: _Int | _Ints | None = None) -> Tensor:
    """The X for which tensordot(A, X, X.ndim) is B."""

def tensorinv(A: _TensorLike, ind: _Int = 2) -> Tensor:
    """The inverse for tensordot: its first dimensions are the last ones of A, from ind on."""

@overload
def vector_norm(
    x: _TensorLike,
    ord: _Number = 2,
    dim: _Int | _Ints | None = None,
    keepdim: _Bool = False,
    *,
    dtype: _DType | None = None,
) -> Tensor:
    """Norm of all elements, or of those along dimensions, as of one vector."""

@overload
def vector_norm(
    x: _TensorLike, ord: _Number = 2, *, axis: _Int | _Ints | None, keepdim: _Bool = False, dtype: _DType | None = None
) -> Tensor: ...
@overload
def vector_norm(
    x: _TensorLike, ord: _Number = 2, dim: _Int | _Ints | None = None, *, keepdims: _Bool, dtype: _DType | None = None
) -> Tensor: ...
@overload
def vector_norm(
    x: _TensorLike, ord: _Number = 2, *, axis: _Int | _Ints | None, keepdims: _Bool, dtype: _DType | None = None
) -> Tensor: ...
@overload
def matrix_norm(
    A: _TensorLike,
    ord: _Number | Literal["fro", "nuc"] = "fro",
    dim: _Ints | None = None,
    keepdim: _Bool = False,
    *,
    dtype: _DType | None = None,
) -> Tensor:
    """Norm of the matrices along two dimensions, the last ones without dim."""

@overload
def matrix_norm(
    A: _TensorLike,
    ord: _Number | Literal["fro", "nuc"] = "fro",
    *,
    axis: _Ints | None,
    keepdim: _Bool = False,
    dtype: _DType | None = None,
) -> Tensor: ...
@overload
def matrix_norm(
    A: _TensorLike,
    ord: _Number | Literal["fro", "nuc"] = "fro",
    dim: _Ints | None = None,
    *,
    keepdims: _Bool,
    dtype: _DType | None = None,
) -> Tensor: ...
@overload
def matrix_norm(
    A: _TensorLike,
    ord: _Number | Literal["fro", "nuc"] = "fro",
    *,
    axis: _Ints | None,
    keepdims: _Bool,
    dtype: _DType | None = None,
) -> Tensor: ...
@overload
def linalg_norm(
    A: _TensorLike,
    ord: _Number | Literal["fro", "nuc"] | None = None,
    dim: _Int | _Ints | None = None,
    keepdim: _Bool = False,
    *,
    dtype: _DType | None = None,
) -> Tensor:
    """Norm of a vector, or of a matrix if ord is given and there are two dimensions."""

@overload
def linalg_norm(
    A: _TensorLike,
    ord: _Number | Literal["fro", "nuc"] | None = None,
    *,
    axis: _Int | _Ints | None,
    keepdim: _Bool = False,
    dtype: _DType | None = None,
) -> Tensor: ...
@overload
def linalg_norm(
    A: _TensorLike,
    ord: _Number | Literal["fro", "nuc"] | None = None,
    dim: _Int | _Ints | None = None,
    *,
    keepdims: _Bool,
    dtype: _DType | None = None,
) -> Tensor: ...
@overload
def linalg_norm(
    A: _TensorLike,
    ord: _Number | Literal["fro", "nuc"] | None = None,
    *,
    axis: _Int | _Ints | None,
    keepdims: _Bool,
    dtype: _DType | None = None,
) -> Tensor: ...
def cond(A: _TensorLike, p: _Number | Literal["fro", "nuc"] | None = None) -> Tensor:
    """Condition number: the norm of a matrix times that of its inverse; by singular values without p."""

def matrix_rank(
    A: _TensorLike,
    *,
    atol: _Number | Tensor | np.ndarray | None = None,
    rtol: _Number | Tensor | np.ndarray | None = None,
    hermitian: _Bool = False,
) -> Tensor:
    """Number of singular values above max(atol, rtol*the largest)."""

@overload
def renorm(input: _TensorLike, p: _Number, dim: _Int, maxnorm: _Number) -> Tensor:
    """The slices along a dimension, those with a norm above maxnorm scaled down to it."""

@overload
def renorm(input: _TensorLike, p: _Number, *, axis: _Int, maxnorm: _Number) -> Tensor: ...
