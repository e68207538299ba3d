"""Modules of PyTorch, and the functions that they call: there are functions here, and no objects with parameters."""

from __future__ import annotations

import re

# Those whose functions have names of their own.
_NAMED = {
    "ReLU": "relu",
    "ReLU6": "relu6",
    "LeakyReLU": "leaky_relu",
    "PReLU": "prelu",
    "RReLU": "rrelu",
    "SiLU": "silu",
    "CrossEntropyLoss": "cross_entropy",
    "BCELoss": "binary_cross_entropy",
    "BCEWithLogitsLoss": "binary_cross_entropy_with_logits",
    "KLDivLoss": "kl_div",
    "CosineSimilarity": "cosine_similarity",
    "PairwiseDistance": "pairwise_distance",
    "LogSigmoid": "logsigmoid",
    "MultiLabelMarginLoss": "multilabel_margin_loss",
    "MultiLabelSoftMarginLoss": "multilabel_soft_margin_loss",
    "MultiheadAttention": "multi_head_attention_forward",
    "Softmax2d": "softmax",
    "Upsample": "interpolate",
}
# Those that have none.
_WITHOUT = re.compile(r"(LSTM|GRU|RNN|Transformer|Sequential|Module|Parameter|Identity|Flatten|Unflatten)")
_DIMENSIONS = re.compile(r"(BatchNorm|InstanceNorm|Dropout|LazyBatchNorm)(?=[123]d$)")
_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
# The module as it is made, at the end of what has been read.
_MADE = re.compile(r"\bnn\s*\.\s*([A-Z]\w*)\s*\([^()]*\)\s*$")


def function_of(module: str) -> str:
    """The name that the function of a module would have.

    >>> function_of("LeakyReLU"), function_of("SmoothL1Loss"), function_of("BatchNorm1d"), function_of("Softmax")
    ('leaky_relu', 'smooth_l1_loss', 'batch_norm', 'softmax')
    """
    found = _DIMENSIONS.match(module)
    if re.fullmatch(r"[A-Z]\w*Pad[123]d", module):
        return "pad"
    return _NAMED.get(module) or _WORDS.sub("_", found[1] if found else module).lower()


def module_called(read: str) -> str | None:
    """What to write where a text ends with a module that is called at once, such as nn.ReLU()."""
    made = _MADE.search(read)
    if made is None or _WITHOUT.match(made[1]):
        return None
    return f"write its function, nn.functional.{function_of(made[1])}(…), with what the module would hold as arguments"
