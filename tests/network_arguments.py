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
}
