"""Arguments for the operations of networks, by the inputs of `test_every_operation`: w has 4 dimensions, r 3, x 2."""

from __future__ import annotations

PLACES = {1: "r", 2: "w", 3: "w[:, :, None]"}

#: What is required, where it is not the usual.
SPECIAL: dict[str, dict[str, str]] = {
    "conv1d": {"input": "x", "weight": "r", "bias": "v[:2]"},
    "conv2d": {"input": "r", "weight": "w", "bias": "v[:1]"},
    "conv3d": {"input": "w", "weight": "ones(2, 1, 1, 2, 1)", "bias": "v[:2]"},
    "conv_transpose1d": {"input": "x", "weight": "r", "bias": "v[:2]"},
    "conv_transpose2d": {"input": "r", "weight": "w.transpose(0, 1)", "bias": "v[:1]"},
    "conv_transpose3d": {"input": "w", "weight": "ones(1, 2, 2, 2, 2)", "bias": "v[:2]"},
    **{f"{kind}_pool{n}d": {"input": x} for kind in ("avg", "max", "lp") for n, x in PLACES.items()},
    **{f"adaptive_{kind}_pool{n}d": {"input": x} for kind in ("avg", "max") for n, x in PLACES.items()},
    **{f"max_unpool{n}d": {"input": x, "indices": f"({x} > 9).long()"} for n, x in PLACES.items()},
    "interpolate": {"input": "w"},
    "upsample_nearest": {"input": "w"},
    "upsample_bilinear": {"input": "w"},
    "im2col": {"input": "w"},
    "fold": {"input": "m[:, :1]", "output_size": "(3, 3)", "kernel_size": "(3, 1)"},
}
SPECIAL |= {
    "batch_norm": {"running_mean": "None", "running_var": "None"},
    "group_norm": {"num_groups": "1"},
    "instance_norm": {"input": "r"},
    "local_response_norm": {"input": "r", "size": "2"},
    "linear": {"weight": "m", "bias": "v"},
    "bilinear": {"input1": "x", "input2": "x[:, :2]", "weight": "p.reshape(1, 3, 2)"},
    "scaled_dot_product_attention": {"query": "x", "key": "m", "value": "p"},
    "linear_cross_entropy": {"linear_weight": "m", "target": "i"},
    "grid_sample": {"input": "w", "grid": "w/4"},
    "affine_grid": {"theta": "x[None]", "size": "(1, 1, 2, 2)"},
    "pixel_shuffle": {"input": "p.reshape(1, 1, 3, 2)", "upscale_factor": "1"},
    "pixel_unshuffle": {"input": "w", "downscale_factor": "2"},
    "channel_shuffle": {"input": "r"},
    "ctc_loss": {
        "log_probs": "log_softmax(x, 1)",
        "targets": "i[1:]",
        "input_lengths": "(2,)",
        "target_lengths": "(1,)",
    },
    "multi_margin_loss": {"target": "i"},
    "multilabel_margin_loss": {"target": "(x > 1).long()"},
    "cosine_embedding_loss": {"input1": "x", "input2": "y", "target": "i"},
    "margin_ranking_loss": {"input1": "x", "input2": "y"},
    "binary_cross_entropy": {"input": "x/3", "target": "y/3"},
    "soft_margin_loss": {},
    "gaussian_nll_loss": {"var": "z"},
    "pairwise_distance": {"x1": "x", "x2": "y"},
    "cosine_similarity": {"x1": "x", "x2": "y"},
    **{
        f"triplet_margin_{name}": {"anchor": "x", "positive": "y", "negative": "z"}
        for name in ("loss", "with_distance_loss")
    },
    "multi_head_attention_forward": {
        "query": "r",
        "key": "r",
        "value": "r",
        "embed_dim_to_check": "2",
        "num_heads": "1",
        "in_proj_weight": "cat([p, p])",
        "in_proj_bias": "None",
        "bias_k": "None",
        "bias_v": "None",
        "add_zero_attn": "False",
        "dropout_p": "0.0",
        "out_proj_weight": "p[:2]",
        "out_proj_bias": "None",
    },
}

#: Sound calls, where one argument more than what is required is none.
SOUND = {
    **{f"avg_pool{n}d": [f"avg_pool{n}d({x}, 1, 2)"] for n, x in PLACES.items()},
    **{f"lp_pool{n}d": [f"lp_pool{n}d({x}, 2, 1)", f"lp_pool{n}d({x}, 3, 1, 2, True)"] for n, x in PLACES.items()},
    **{f"max_pool{n}d": [f"max_pool{n}d({x}, 1, 1, dilation=2)"] for n, x in PLACES.items()},
    **{
        f"adaptive_{kind}_pool{n}d": [f"adaptive_{kind}_pool{n}d({x}, {m})" for m in (1, 2)]
        for kind in ("avg", "max")
        for n, x in PLACES.items()
    },
    **{
        f"max_unpool{n}d": [f"max_unpool{n}d({x}, ({x} > 9).long(), {k})" for k in ("2", "1, 2")]
        for n, x in PLACES.items()
    },
    "interpolate": ["interpolate(w, 3)", "interpolate(w, scale_factor=2, mode='bicubic', align_corners=False)"],
    "upsample_nearest": ["upsample_nearest(w, 3)", "upsample_nearest(w, scale_factor=(1, 2))"],
    "upsample_bilinear": ["upsample_bilinear(w, 3)"],
    "im2col": ["im2col(w, 2)", "im2col(w, 1, 2, 1, (2, 1))"],
    "fold": ["fold(m[:, :1], (1, 1), (3, 1), padding=(1, 0))", "fold(m[:, :1], (3, 1), (3, 1))"],
    "batch_norm": ["batch_norm(x, None, None, training=True)", "batch_norm(x, v.detach(), v.detach(), v, v)"],
    "group_norm": ["group_norm(x, 1)", "group_norm(x, 3, v, v, 0.1)"],
    "instance_norm": ["instance_norm(r)", "instance_norm(r, weight=v[:2], bias=v[1:])"],
    "rms_norm": ["rms_norm(x, (3,))", "rms_norm(x, (3,), v, 0.1)"],
    "local_response_norm": ["local_response_norm(r, 2)", "local_response_norm(w, 3, 0.5, 0.5, 2.)"],
    "bilinear": ["bilinear(x, x[:, :2], p.reshape(1, 3, 2))", "bilinear(x, x[:, :2], p.reshape(1, 3, 2), v[:1])"],
    "scaled_dot_product_attention": [
        "scaled_dot_product_attention(x, m, p)",
        "scaled_dot_product_attention(x, m, p, x > 1, scale=0.3)",
        "scaled_dot_product_attention(x, m, p, is_causal=True)",
        "scaled_dot_product_attention(w, w, w)",
    ],
    "multi_head_attention_forward": [
        "multi_head_attention_forward(r, r, r, 2, 1, cat([p, p]), None, None, None, False, 0., p[:2], None)[0]",
        "multi_head_attention_forward(r, r, r, 2, 2, cat([p, p]), None, v[:2], v[1:], True, 0., p[:2], v[:2],"
        " need_weights=False)[0]",
    ],
    "linear_cross_entropy": [
        "linear_cross_entropy(x, m, i)",
        "linear_cross_entropy(x, m, i, linear_bias=v, label_smoothing=0.1)",
    ],
    "grid_sample": [
        "grid_sample(w, w/4)",
        "grid_sample(w, w - 0.6, 'nearest')",
        "grid_sample(w, w, 'bicubic', 'border')",
        "grid_sample(w, 3*w, padding_mode='reflection', align_corners=True)",
    ],
    "affine_grid": ["affine_grid(x[None], (1, 1, 2, 2))", "affine_grid(x[None], (1, 1, 1, 3), align_corners=True)"],
    "channel_shuffle": ["channel_shuffle(r, 2)"],
    "ctc_loss": [
        "ctc_loss(log_softmax(x, 1), i[1:], (2,), (1,))",
        "ctc_loss(log_softmax(r, 2), i[1:, None].expand(2, 1), [2, 1], [1, 1], 0, 'none', zero_infinity=True)",
    ],
    "cosine_embedding_loss": ["cosine_embedding_loss(x, y, 2*i - 1, 0.5, 'sum')"],
    "multi_margin_loss": ["multi_margin_loss(x, i)", "multi_margin_loss(x, i, 2, 0.5, v.detach(), 'sum')"],
    "binary_cross_entropy": ["binary_cross_entropy(x/3, y/3)", "binary_cross_entropy(x/3, y/3, v.detach(), 'none')"],
    "kl_div": ["kl_div(x, y)", "kl_div(x, y, 'batchmean')", "kl_div(x, y, log_target=True)"],
    **{
        f"triplet_margin_{name}": [f"triplet_margin_{name}(x, y, z)", f"triplet_margin_{name}(x, y, z, swap=True)"]
        for name in ("loss", "with_distance_loss")
    },
}
