"""Modules of PyTorch, and the functions that they call: there are functions here, and no objects with parameters."""

from __future__ import annotations

import re
from itertools import accumulate

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
# Those that are written as formulas.
_WRITTEN = {
    "Linear": "write x@W.T + b",
    "Flatten": "write x.flatten(1)",
    "Unflatten": "write x.unflatten(1, (2, 3))",
    "Identity": "leave it out",
    "Sequential": "write the calls one within the other, as in relu(x@W.T + b)",
    "Parameter": "it is an input: give it a name and a value",
}
_HOLDING = "modules hold parameters, which are inputs here: write the formula"
# The functions that there are.
_FUNCTIONS = """
    adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d adaptive_max_pool1d adaptive_max_pool2d
    adaptive_max_pool3d alpha_dropout avg_pool1d avg_pool2d avg_pool3d batch_norm bilinear binary_cross_entropy
    binary_cross_entropy_with_logits celu channel_shuffle conv1d conv2d conv3d conv_transpose1d conv_transpose2d
    conv_transpose3d cosine_embedding_loss cosine_similarity cross_entropy ctc_loss dropout elu embedding embedding_bag
    feature_alpha_dropout fold gaussian_nll_loss gelu glu group_norm hardshrink hardsigmoid hardswish hardtanh
    hinge_embedding_loss huber_loss instance_norm interpolate kl_div l1_loss layer_norm leaky_relu local_response_norm
    log_softmax logsigmoid lp_pool1d lp_pool2d lp_pool3d margin_ranking_loss max_pool1d max_pool2d max_pool3d
    max_unpool1d max_unpool2d max_unpool3d mish mse_loss multi_head_attention_forward multi_margin_loss
    multilabel_margin_loss multilabel_soft_margin_loss nll_loss pad pairwise_distance pixel_shuffle pixel_unshuffle
    poisson_nll_loss prelu relu relu6 rms_norm rrelu selu sigmoid silu smooth_l1_loss soft_margin_loss softmax softmin
    softplus softshrink softsign tanh tanhshrink threshold triplet_margin_loss triplet_margin_with_distance_loss unfold
"""
_DIMENSIONS = re.compile(r"(BatchNorm|InstanceNorm|Dropout|LazyBatchNorm)(?=[123]d$)")
_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
# The module at the end of what has been read.
_MADE = re.compile(r"\bnn\s*\.\s*([A-Z]\w*)\s*$")


def function_of(module: str) -> str:
    """The name that the function of a module would have.

    >>> function_of("LeakyReLU"), function_of("SmoothL1Loss"), function_of("BatchNorm1d"), function_of("Softmax")
    ('leaky_relu', 'smooth_l1_loss', 'batch_norm', 'softmax')
    """
    found = _DIMENSIONS.match(module)
    if re.fullmatch(r"[A-Z]\w*Pad[123]d", module):
        return "pad"
    return _NAMED.get(module) or _WORDS.sub("_", found[1] if found else module).lower()


def module_meant(module: str) -> str:
    """What to write instead of a module.

    >>> module_meant("Mish"), module_meant("Linear")
    ('write its function, nn.functional.mish(…)', 'write x@W.T + b')
    """
    function = function_of(module)
    known = function in _FUNCTIONS.split()
    return _WRITTEN.get(module) or (f"write its function, nn.functional.{function}(…)" if known else _HOLDING)


def module_called(read: str) -> str | None:
    """What to write where a text ends with a module that is called at once, such as nn.ReLU()."""
    read = read.rstrip()
    depths = accumulate((c == ")") - (c == "(") for c in reversed(read))
    opening = next((k for k, depth in enumerate(depths, 1) if not depth), len(read))
    made = _MADE.search(read[: len(read) - opening])
    if made is None:
        return None
    meant = module_meant(made[1])
    return f"{meant}, with what the module would hold as arguments" if "its function" in meant else meant
