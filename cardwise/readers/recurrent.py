"""Decoders with recurrent layers, alone or among attention: Qwen3-Next and 3.5, Mamba-2, Nemotron-H, Granite 4, Falcon-H1, LFM2."""

from __future__ import annotations

from dataclasses import replace

from cardwise.model import FeedForward, Layer, Mixer
from cardwise.readers import blocks
from cardwise.readers.family import Traits
from cardwise.readers.fields import MAX_LAYERS, MAX_POSITIONS, Fields
from cardwise.readers.transformer import POSITIONS, Decoder, Shape, attention, dense_width, feed_forward, finish, top_k, windows

STATE_BITS = {"float32": 32, "bfloat16": 16, "float16": 16}


def state_bits(fields: Fields) -> int | None:
    """Width of the recurrent state that the configuration states (Qwen3.5, Nemotron-H), None where it leaves it to the engine."""
    name = fields.text("mamba_ssm_dtype", "mamba_ssm_cache_dtype", default="auto")
    if name != "auto" and name not in STATE_BITS:
        raise fields.bad(f"field mamba_ssm_dtype is {name[:40]!r}; known are {', '.join(STATE_BITS)}")
    return STATE_BITS.get(name)


def build_gated_delta(fields: Fields, traits: Traits) -> Decoder:
    """Qwen3-Next, Qwen3.5, Qwen3.6: three of four layers are a gated delta rule, the fourth full attention with a gate on its output."""
    shape = Shape.read(fields, traits)
    delta = blocks.gated_delta(
        shape.hidden, fields.integer("linear_num_key_heads"), fields.integer("linear_num_value_heads"),
        fields.integer("linear_key_head_dim"), fields.integer("linear_value_head_dim"), fields.integer("linear_conv_kernel_dim", high=64),
        state_bits(fields),
    )  # fmt: skip
    full = attention(fields, traits, shape, "full", None)
    every = fields.integer("full_attention_interval", high=MAX_LAYERS)
    kinds = [kind for kind, _ in windows(fields, traits, shape.layers)] if fields.has("layer_types") else []
    recurrent = [kind == "linear_attention" for kind in kinds] or [(i + 1) % every != 0 for i in range(shape.layers)]
    layers = [
        Layer(delta if recurrent[i] else full, feed_forward(fields, traits, shape.hidden, i), 1, 2 * shape.hidden)
        for i in range(shape.layers)
    ]
    return finish(fields, traits, shape, layers)


def _mamba2(fields: Fields, hidden: int, prefix: str, *, proj_bias: str, norm: bool = True) -> Mixer:
    """The mixer from fields that families write with or without a prefix."""
    heads = fields.integer(f"{prefix}num_heads", f"{prefix}n_heads", "num_heads")
    head_dim = fields.integer(f"{prefix}head_dim", f"{prefix}d_head", "head_dim")
    return blocks.mamba2(
        hidden, heads, head_dim, fields.integer(f"{prefix}n_groups", "n_groups"),
        fields.integer(f"{prefix}d_state", "ssm_state_size", "state_size"), fields.integer(f"{prefix}d_conv", "conv_kernel", high=64),
        proj_bias=fields.flag(proj_bias), conv_bias=fields.flag("use_conv_bias", "mamba_conv_bias", default=True), norm=norm,
        state_bits=state_bits(fields),
    )  # fmt: skip


def _bare_shape(fields: Fields, heads: int = 0) -> Shape:
    """Dimensions of a decoder that may have no attention."""
    return Shape(
        fields.integer("hidden_size"), fields.integer("num_hidden_layers", default=0, low=0, high=MAX_LAYERS), heads, heads, 0,
        fields.integer("vocab_size"), fields.integer(*POSITIONS, default=0, high=MAX_POSITIONS), fields,
    )  # fmt: skip


def build_mamba2(fields: Fields, traits: Traits) -> Decoder:
    """Pure Mamba-2: no attention, no feed-forward part, one norm a layer."""
    shape = _bare_shape(fields)
    mixer = _mamba2(fields, shape.hidden, "", proj_bias="use_bias")
    return finish(fields, traits, shape, [Layer(mixer, blocks.NO_FEED_FORWARD, max(1, shape.layers), shape.hidden)])


KINDS = {"M": "mamba", "*": "attention", "E": "moe", "-": "mlp", "mamba": "mamba", "attention": "attention", "moe": "moe", "mlp": "mlp"}


def nemotron_kinds(fields: Fields, pattern: str, names: str) -> list[str]:
    """Layer kinds from a pattern such as `M-M*ME` or from a list of names."""
    text = fields.get(pattern)
    items = tuple(text) if isinstance(text, str) else fields.texts(names)
    if not items:
        raise fields.bad(f"field {pattern} or {names} is missing")
    unknown = [item for item in items if item not in KINDS]
    if unknown:
        raise fields.bad(f"field {pattern} has layers of kind {unknown[0][:20]!r}; known are M, *, E and -")
    if len(items) > MAX_LAYERS:
        raise fields.bad(f"field {pattern} has {len(items):,} layers; at most {MAX_LAYERS:,} are read")
    return [KINDS[item] for item in items]


def nemotron_layer(fields: Fields, traits: Traits, hidden: int, kind: str) -> Layer:
    """One layer of Nemotron-H: a mixer or a feed-forward part, never both, behind one norm."""
    mixer, part = blocks.NO_MIXER, blocks.NO_FEED_FORWARD
    if kind == "mamba":
        mixer = _mamba2(fields, hidden, "mamba_", proj_bias="use_bias")
    elif kind == "attention":
        heads = fields.integer("num_attention_heads")
        bias = fields.flag("attention_bias")
        mixer = blocks.attention(
            hidden, heads, fields.integer("num_key_value_heads", default=heads), fields.integer("head_dim", "attention_head_dim"),
            qkv_bias=bias, o_bias=bias,
        )  # fmt: skip
    elif kind == "mlp":
        part = blocks.dense(hidden, fields.integer("intermediate_size"), gated=False, bias=fields.flag("mlp_bias"))
    else:
        shared = fields.integer("n_shared_experts", default=1, low=0, high=4096)
        part = blocks.experts(
            hidden, fields.integer("moe_intermediate_size"), fields.integer("n_routed_experts", high=2**17), top_k(fields),
            shared_width=shared * fields.integer("moe_shared_expert_intermediate_size", low=0),
            gated=False, latent_width=fields.integer("moe_latent_size", default=0, low=0),
        )  # fmt: skip
    return Layer(mixer, part, 1, hidden)


def build_nemotron_h(fields: Fields, traits: Traits) -> Decoder:
    """Nemotron-H and Nemotron 3: single-purpose layers in a stated order. The balancing correction of the router is no weight of the file's
    index and is not counted."""
    kinds = nemotron_kinds(fields, "hybrid_override_pattern", "layers_block_type")
    heads = fields.integer("num_attention_heads")
    bare = _bare_shape(fields, heads)
    shape = replace(bare, kv_heads=fields.integer("num_key_value_heads", default=heads), layers=len(kinds))
    if bare.layers and bare.layers != len(kinds):
        raise fields.bad(f"num_hidden_layers is {bare.layers}, but the pattern has {len(kinds)} layers")
    layers = [nemotron_layer(fields, traits, shape.hidden, kind) for kind in kinds]
    further = fields.integer("num_nextn_predict_layers", default=0, low=0, high=64)
    extras: tuple[tuple[str, int], ...] = ()
    if further:
        inner = nemotron_kinds(fields, "mtp_hybrid_override_pattern", "mtp_layers_block_type")
        one = sum(blocks.layer_parameters(nemotron_layer(fields, traits, shape.hidden, kind)) for kind in inner)
        extras = (("mtp", further * (one + 2 * shape.hidden * shape.hidden + 3 * shape.hidden)),)
    return finish(fields, traits, shape, layers, extras)


def build_granite_hybrid(fields: Fields, traits: Traits) -> Decoder:
    """Granite 4: layers of Mamba-2 or attention; a dense part that is always used, and experts beside it when there are any."""
    shape = Shape.read(fields, traits)
    kinds = fields.texts("layer_types", "layers_block_type")
    if kinds is None:
        raise fields.bad("field layer_types is missing")
    fields.per_layer(kinds, "layer_types", shape.layers)
    experts = fields.integer("num_local_experts", default=0, low=0)
    width = fields.integer("shared_intermediate_size")
    part = blocks.dense(shape.hidden, width)
    if experts:
        part = blocks.experts(shape.hidden, fields.integer("intermediate_size"), experts, top_k(fields), shared_width=width)
    layers = []
    for kind in kinds[: shape.layers]:
        if kind not in ("mamba", "attention", "full_attention"):
            raise fields.bad(f"layer_types has {kind[:40]!r}; known are mamba and attention")
        bias = fields.flag("attention_bias")
        mixer = (
            _mamba2(fields, shape.hidden, "mamba_", proj_bias="mamba_proj_bias")
            if kind == "mamba"
            else blocks.attention(shape.hidden, shape.heads, shape.kv_heads, shape.head_dim, qkv_bias=bias, o_bias=bias)
        )
        layers.append(Layer(mixer, part, 1, 2 * shape.hidden))
    return finish(fields, traits, shape, layers)


def build_falcon_h1(fields: Fields, traits: Traits) -> Decoder:
    """Falcon-H1: every block runs attention and Mamba-2 side by side. Written as two layers a block: the recurrence alone, then attention
    with the feed-forward part; the shared norm is counted once."""
    shape = Shape.read(fields, traits)
    mamba = _mamba2(fields, shape.hidden, "mamba_", proj_bias="mamba_proj_bias", norm=fields.flag("mamba_rms_norm", default=False))
    bias = fields.flag("attention_bias")
    full = blocks.attention(shape.hidden, shape.heads, shape.kv_heads, shape.head_dim, qkv_bias=bias, o_bias=bias)
    part = blocks.dense(shape.hidden, dense_width(fields, traits, shape.hidden), bias=fields.flag("mlp_bias"))
    layers = [Layer(mamba, blocks.NO_FEED_FORWARD, shape.layers), Layer(full, part, shape.layers, 2 * shape.hidden)]
    return finish(fields, traits, shape, layers)


def build_lfm2(fields: Fields, traits: Traits) -> Decoder:
    """LFM2: gated short convolutions with a few layers of attention; experts in LFM2-MoE."""
    shape = Shape.read(fields, traits)
    kinds = fields.texts("layer_types")
    if kinds is not None:
        fields.per_layer(kinds, "layer_types", shape.layers)
        full = {i for i, kind in enumerate(kinds[: shape.layers]) if kind == "full_attention"}
    else:
        full = set(fields.integers("full_attn_idxs") or range(shape.layers))
    convolution = blocks.short_convolution(shape.hidden, fields.integer("conv_L_cache", high=64), bias=fields.flag("conv_bias"))
    attended = blocks.attention(shape.hidden, shape.heads, shape.kv_heads, shape.head_dim, norm_elements=2 * shape.head_dim)
    layers = [
        Layer(attended if i in full else convolution, _lfm2_part(fields, traits, shape.hidden, i), 1, 2 * shape.hidden)
        for i in range(shape.layers)
    ]
    return finish(fields, traits, shape, layers)


def _lfm2_part(fields: Fields, traits: Traits, hidden: int, i: int) -> FeedForward:
    if traits.experts is not None:
        return feed_forward(fields, traits, hidden, i)
    width = fields.integer("intermediate_size", "block_ff_dim")
    if fields.flag("block_auto_adjust_ff_dim", default=True):
        width = int(fields.number("block_ffn_dim_multiplier", default=1.0, high=64) * (2 * width // 3))
        step = fields.integer("block_multiple_of", default=256)
        width = -(-width // step) * step
    return blocks.dense(hidden, width)
