"""What arguments hold: tensors, dimensions, lengths ... by the words that rows use, and by the names of arguments."""

from __future__ import annotations

import json
from typing import Any, NamedTuple


class Kind(NamedTuple):
    """What an argument can hold: the type in the stub, in words, and a value for examples (None for tensors)."""

    annotation: str
    meaning: str
    sample: Any = None


def _choice(*words: str, sample: str | None = None) -> Kind:
    """One of several words."""
    *first, last = map(repr, words)
    return Kind(f"Literal[{', '.join(map(json.dumps, words))}]", f"{', '.join(first)} or {last}", sample or words[0])


_TENSOR = "a tensor, or a number, an array or a list that becomes a tensor"

#: By the words that rows use after a colon.
KINDS = {
    "tensor": Kind("_TensorLike", _TENSOR),
    "operand": Kind("Tensor | np.ndarray", "a tensor"),
    "tensors": Kind("_Tensors", "a list of tensors"),
    "dim": Kind("_Int", "a dimension; a negative one counts from the end", 0),
    "dims": Kind("_Int | _Ints", "one dimension or a list of them", 0),
    "order": Kind("_Int | _Ints", "dimensions, one by one or as a list", (1, 0)),
    "pairs": Kind("_Int | list[Any] | tuple[Any, Any]", "a number of dimensions, or a pair of lists of them", 1),
    "int": Kind("_Int", "an integer", 1),
    "place": Kind("_Int", "an integer", 0),
    "behind": Kind("_Int", "the index after the last one", 2),
    "limit": Kind("_Int", "an integer", 2),
    "classes": Kind("_Int", "an integer", 3),
    "low": Kind("_Number", "a number", -1),
    "places": Kind("_TensorLike", "a tensor or a list of integers", [1, 0]),
    "each": Kind("list[Any] | tuple[Any, ...]", "a tuple with a tensor or a list of integers for each", ([1, 0],)),
    "mask": Kind("_TensorLike", "a tensor or a list of booleans", [True, False]),
    "repeats": Kind("_Int | _Ints", "the number of repetitions of each dimension", 2),
    "shape": Kind("_Int | _Ints", "lengths, one by one or as a list; -1 for the remaining one", (-1,)),
    "lengths": Kind("_Int | _Ints", "lengths, one by one or as a list", (2,)),
    "number": Kind("_Number", "a number", 1),
    "scalar": Kind("_Number | Tensor | np.ndarray", "a number or a 0-dim tensor", 1),
    "pieces": Kind("_Int | _Ints", "a length, or a list of lengths", 2),
    "sections": Kind("_Int | _Ints", "a number of pieces, or a list of indices", [1]),
    "ends": Kind("_Int | _Ints", "lengths before and after each dimension, starting with the last", (1, 1)),
    "counts": Kind("Tensor | np.ndarray | list[builtins.int]", "integers, one for each observation", [1, 2]),
    "spacing": Kind(
        "_Number | list[Any] | tuple[Any, ...]",
        "a spacing, or for each dimension a spacing or a vector of positions",
        1.0,
    ),
    "between": _choice("linear", "lower", "higher", "midpoint", "nearest"),
    "levels": Kind("_Number | Tensor | np.ndarray | list[builtins.float]", "a number from 0 to 1, or several", 0.5),
    "plane": Kind("_Ints", "two dimensions", (0, 1)),
    "indexing": _choice("ij", "xy"),
    "mode": _choice("constant", "reflect", "replicate", "circular"),
    "norm": Kind('_Number | Literal["fro", "nuc"]', "a number, inf and -inf among them, 'fro' or 'nuc'", 2),
    "matrix_order": Kind('_Number | Literal["fro", "nuc"]', "1, 2, inf, their negatives, 'fro' or 'nuc'", 2),
    "columns": Kind("_Int", "an integer of at least 2", 2),
    "triangle": Kind('Literal["L", "U"]', "'L' or 'U', the triangle that is read", "L"),
    "qr_mode": _choice("reduced", "complete", "r"),
    "driver": Kind('Literal["gelsy", "gels", "gelsd", "gelss"]', "LAPACK's function: 'gels' for full rank", "gelsy"),
    "distance": Kind("str", "how PyTorch would compute it; accepted and ignored", "donot_use_mm_for_euclid_dist"),
    "bound": Kind("_Number | Tensor | np.ndarray", "a number, or a tensor with one for each matrix", 0.1),
    "flag": Kind("_Bool", "True or False", True),
    "dtype": Kind("_DType", "a dtype or its name", "float64"),
    "data": Kind("_TensorLike", "a number, a nested list of numbers, an array or a tensor", [1.0, 2.0]),
    "index": Kind("_Index", "integers, slices, ..., None, lists of integers and integer tensors", 0),
    "kind": Kind("_DType | Tensor | _Bool", "a dtype, a device or a tensor, then non_blocking and copy", "cpu"),
    "device": Kind('Literal["cpu"]', "'cpu'", "cpu"),
    "format": Kind(
        "_Format", "'preserve_format', 'contiguous_format', 'channels_last' or 'channels_last_3d'", "preserve_format"
    ),
    "equation": Kind("str", "the letters of the dimensions", "ij,jk->ik"),
    "reduction": _choice("mean", "sum", "none"),
    "bag": _choice("mean", "sum", "max", sample="sum"),
    "side": _choice("left", "right", sample="right"),
    "scattering": _choice("add", "multiply"),
    "scattered": _choice("sum", "prod", "mean", "amax", "amin"),
    "rounding": _choice("floor", "trunc"),
    "padding": Kind('_Int | _Ints | Literal["same", "valid"]', "lengths, 'same' or 'valid'", 0),
    "durations": Kind("_TensorLike | _Ints", "integers, or a tensor of them", (1,)),
    "function": Kind("Callable[[Tensor, Tensor], Tensor]", "a function of two tensors"),
    "kl_reduction": _choice("mean", "sum", "none", "batchmean", sample="batchmean"),
    "sampling": _choice("bilinear", "nearest", "bicubic", sample="bicubic"),
    "beyond": _choice("zeros", "border", "reflection", sample="border"),
    "canvas": Kind("_Ints", "the lengths of batch, channels and space", (1, 1, 2, 2)),
    "width": Kind("_Int", "an integer", 1),
    "sides": Kind("_Int | _Ints", "a length, or one for each side", 1),
    "picture": Kind("_Int | _Ints", "height and width", (1, 3)),
    "scale": Kind("_Number | list[_Number] | tuple[_Number, ...]", "a factor, or one for each dimension", 2),
    "interpolation": _choice("nearest", "nearest-exact", "linear", "bilinear", "bicubic", "trilinear", "area"),
    "approximation": _choice("none", "tanh", sample="tanh"),
}

#: What arguments hold by their names, as PyTorch uses them, unless a row says otherwise. Others hold what their default
#: is, and tensors where there is none.
_NAMES = {
    "number": "alpha correction end fill_value start step",
    "approximation": "approximate",
    "tensor": "bias max min pos_weight weight",
    "data": "data",
    "dims": "destination dim shifts source",
    "dim": "dim0 dim1 dim2 end_dim start_dim",
    "order": "dims",
    "device": "device",
    "dtype": "dtype",
    "equation": "equation",
    "format": "memory_format",
    "int": "m n steps",
    "lengths": "normalized_shape size",
    "norm": "p",
    "reduction": "reduction",
    "repeats": "repeats",
    "rounding": "rounding_mode",
    "shape": "shape",
    "kind": "kind",
    "tensors": "tensors",
    "triangle": "UPLO",
    "flag": "unbiased",
}
BY_NAME = {name: kind for kind, names in _NAMES.items() for name in names.split()}
