"""Which module has the rows of which operations, so that it can be imported when they are asked for.

Written by docs/generate.py from the rows.
"""

HOMES = {
    "elementwise": """
        _cast _operand to type_as float double half long int short byte char bool clone _row_major contiguous
        detach no_grad _scaled add sub subtract rsub mul multiply div divide true_divide floor_divide _div_floor
        _div_trunc remainder fmod neg negative abs absolute sign lerp xlogy hypot eq ne not_equal lt less le
        less_equal gt greater ge greater_equal bitwise_and bitwise_or bitwise_not logical_and logical_or
        logical_xor logical_not isnan isinf isfinite pow square sqrt rsqrt reciprocal exp exp2 expm1 log log2
        log10 log1p logaddexp floor ceil trunc fix round frac where _where maximum minimum clamp clip _clamp_min
        clamp_min _clamp_max clamp_max sin cos tan asin arcsin acos arccos atan arctan sinh cosh tanh asinh
        arcsinh acosh arccosh atanh arctanh atan2 arctan2
    """,
    "bessel": """
        _bessel_i i0 i0e i1 i1e
    """,
    "more_elementwise": """
        positive conj conj_physical resolve_conj sgn copysign angle heaviside signbit isposinf isneginf deg2rad
        rad2deg float_power ldexp frexp logaddexp2 fmax fmin nextafter _next_half nan_to_num isclose allclose
        equal addcmul addcdiv bitwise_xor bitwise_left_shift bitwise_right_shift gcd lcm _sinc_slope sinc
    """,
    "shape": """
        view _unsafe_view _reshape_alias reshape flatten squeeze unsqueeze permute transpose swapaxes swapdims
        movedim moveaxis t T mT expand broadcast_to repeat tile flip roll cat concat concatenate stack _slice
        _embed
    """,
    "special": """
        erf erfc lgamma digamma polygamma _polygamma
    """,
    "create": """
        _filled _drawn tensor ones zeros full ones_like zeros_like full_like eye arange linspace rand randn
        rand_like randn_like
    """,
    "diagonal": """
        diagonal _diagonal_back diag_embed diag tril triu trace
    """,
    "index": """
        _whole_numbers _alias select _index _index_add index_select getitem
    """,
    "padding": """
        constant_pad_nd _pad_with_own _pad_with_own_back pad
    """,
    "reduce": """
        sum mean prod amax amin logsumexp var std norm all any count_nonzero argmax argmin _max max _min min
        _recurrence cumsum _cumsum_from_end cumprod _moments _about
    """,
    "dropout": """
        dropout alpha_dropout feature_alpha_dropout dropout1d dropout2d dropout3d
    """,
    "more_creation": """
        new_zeros new_ones new_empty new_full new_tensor empty empty_like scalar_tensor as_tensor asarray
    """,
    "one_step": """
        _one_step _again _apart _overwritten _custom fill _fill_within _zero _fill_diagonal_within
    """,
    "gather": """
        gather _placed take_along_dim take _embedding embedding _one_hot one_hot repeat_interleave
    """,
    "masks": """
        masked_select nonzero argwhere unique unique_consecutive bincount
    """,
    "splitting": """
        _split split unsafe_split split_with_sizes chunk unsafe_chunk tensor_split hsplit vsplit dsplit unbind
    """,
    "activation": """
        _threshold _leaky_relu _hardtanh sigmoid expit logsigmoid relu leaky_relu _elu_slope elu selu hardtanh
        relu6 silu softplus softsign mish _normal_cdf gelu softmax log_softmax
    """,
    "distances": """
        dist cdist pdist
    """,
    "loss": """
        mse_loss huber_loss smooth_l1_loss l1_loss binary_cross_entropy_with_logits _times _plus _over
        masked_fill _masked_fill_tensor _class_pick _class_put _class_factors nll_loss cross_entropy layer_norm
    """,
    "matmul": """
        mm mv bmm _gmm dot vdot matmul outer ger inner tensordot
    """,
    "one_by_one": """
        _each
    """,
    "arranging": """
        expand_as reshape_as view_as unflatten ravel sum_to_size H mH adjoint real resolve_neg flipud fliplr
        rot90 diagflat unfold _fold as_strided
    """,
    "draws": """
        randint randint_like randperm _checked normal _normal_within _uniform_within _random_within
        _exponential_within _geometric_within _cauchy_within _log_normal_within bernoulli _bernoulli_within
        _by_weight multinomial
    """,
    "joining": """
        atleast_1d atleast_2d atleast_3d hstack vstack row_stack dstack column_stack block_diag
        broadcast_tensors meshgrid cartesian_prod combinations
    """,
    "cumulative": """
        cummax cummin logcumsumexp diff gradient trapezoid trapz cumulative_trapezoid
    """,
    "sampling": """
        grid_sample affine_grid pixel_shuffle pixel_unshuffle channel_shuffle
    """,
    "scatter": """
        _last _put_along scatter scatter_add _lines_added index_add index_copy index_fill _scatter_reduced
        scatter_reduce index_reduce
    """,
    "sorting": """
        sort topk msort argsort kthvalue _median median _nanmedian nanmedian mode _searched searchsorted
        bucketize isin histc
    """,
    "gates": """
        hardsigmoid hardswish celu softshrink hardshrink tanhshrink threshold _prelu prelu rrelu glu
    """,
    "more_losses": """
        _minus _cross_entropies binary_cross_entropy kl_div poisson_nll_loss _floored gaussian_nll_loss
        pairwise_distance cosine_similarity normalize hinge_embedding_loss cosine_embedding_loss
        margin_ranking_loss multi_margin_loss multilabel_margin_loss multilabel_soft_margin_loss
        soft_margin_loss triplet_margin_loss triplet_margin_with_distance_loss
    """,
    "normalization": """
        batch_norm group_norm instance_norm rms_norm local_response_norm
    """,
    "probability": """
        _erfcx erfcx ndtr log_ndtr ndtri erfinv entr xlog1py logit mvlgamma multigammaln
    """,
    "sequence_loss": """
        ctc_loss
    """,
    "attention": """
        linear bilinear scaled_dot_product_attention linear_cross_entropy softmin
    """,
    "convolution": """
        _convolution _convolution_back _convolution_kernel conv1d conv2d conv3d conv_transpose1d
        conv_transpose2d conv_transpose3d
    """,
    "descriptive": """
        nansum nanmean aminmax var_mean std_mean cov corrcoef
    """,
    "einsum": """
        einsum
    """,
    "linalg": """
        inv inverse _inverse_limit det _cofactor _cofactor_slope _cofactor_slopes slogdet logdet solve cholesky
    """,
    "bags": """
        embedding_bag
    """,
    "overlay": """
        index_put put _slice_scatter _select_scatter _diagonal_scatter slice_scatter select_scatter
        diagonal_scatter narrow _masked_scatter masked_scatter
    """,
    "quantiles": """
        quantile nanquantile
    """,
    "many_heads": """
        multi_head_attention_forward
    """,
    "resampling": """
        _resample avg_pool1d adaptive_avg_pool1d lp_pool1d avg_pool2d adaptive_avg_pool2d lp_pool2d avg_pool3d
        adaptive_avg_pool3d lp_pool3d interpolate upsample_nearest upsample_bilinear
    """,
    "combined_products": """
        addmm addmv addr baddbmm addbmm linalg_cross cross vecdot kron multi_dot chain_matmul matrix_power
        linalg_vander vander
    """,
    "triangular": """
        solve_triangular triangular_solve cholesky_solve cholesky_inverse
    """,
    "signal_windows": """
        hann_window hamming_window blackman_window bartlett_window kaiser_window logspace tril_indices
        triu_indices
    """,
    "pooling": """
        _pool_picked _pool_added _max_pool _max_unpool max_pool1d adaptive_max_pool1d max_unpool1d max_pool2d
        adaptive_max_pool2d max_unpool2d max_pool3d adaptive_max_pool3d max_unpool3d _columns _from_columns
        im2col fold
    """,
    "checked_systems": """
        inv_ex solve_ex cholesky_ex
    """,
    "decompositions": """
        linalg_svd _svdvals svd svdvals eigh _eigvalsh eigvalsh linalg_qr qr
    """,
    "lu_factors": """
        lu_factor_ex lu_factor lu linalg_lu lu_unpack linalg_lu_solve lu_solve
    """,
    "matrix_functions": """
        matrix_exp pinv _pinv_within pinverse lstsq householder_product orgqr ormqr linalg_diagonal tensorsolve
        tensorinv
    """,
    "norms": """
        vector_norm matrix_norm linalg_norm cond matrix_rank renorm
    """,
}

#: The operation that each operator is, by its number of operands.
OPERATORS = {
    ("+", 2): "add",
    ("-", 2): "sub",
    ("*", 2): "mul",
    ("/", 2): "div",
    ("//", 2): "floor_divide",
    ("%", 2): "remainder",
    ("-", 1): "neg",
    ("==", 2): "eq",
    ("!=", 2): "ne",
    ("<", 2): "lt",
    ("<=", 2): "le",
    (">", 2): "gt",
    (">=", 2): "ge",
    ("&", 2): "bitwise_and",
    ("|", 2): "bitwise_or",
    ("~", 1): "bitwise_not",
    ("**", 2): "pow",
    ("^", 2): "bitwise_xor",
    ("<<", 2): "bitwise_left_shift",
    (">>", 2): "bitwise_right_shift",
    ("@", 2): "matmul",
}
