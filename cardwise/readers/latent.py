"""Decoders with multi-head latent attention: DeepSeek-V2/V3/V3.2, Kimi K2, GLM-5, LongCat; Kimi Linear mixes it with a recurrence."""

from __future__ import annotations

from cardwise.model import FeedForward, Layer, Matrix, Mixer, StateCache
from cardwise.readers import blocks
from cardwise.readers.family import Traits
from cardwise.readers.fields import MAX_LAYERS, MAX_POSITIONS, Fields
from cardwise.readers.transformer import POSITIONS, Decoder, Shape, expert_count, feed_forward, finish, says, top_k


def shape_of(fields: Fields) -> Shape:
    """Dimensions; `head_dim` is that of the unabsorbed queries, whatever the field of that name says."""
    heads = fields.integer("num_attention_heads")
    return Shape(
        fields.integer("hidden_size"),
        fields.integer("num_hidden_layers", "num_layers", high=MAX_LAYERS),
        heads,
        fields.integer("num_key_value_heads", default=heads),
        fields.integer("qk_nope_head_dim") + fields.integer("qk_rope_head_dim"),
        fields.integer("vocab_size"),
        fields.integer(*POSITIONS, default=0, high=MAX_POSITIONS),
        fields,
    )


def mixer(fields: Fields, traits: Traits, shape: Shape, i: int = 0) -> Mixer:
    """Latent attention of layer `i`, with an indexer where the family has one."""
    index = None
    if traits.indexer:
        index = fields.integer("index_n_heads"), fields.integer("index_head_dim"), fields.integer("index_topk")
    return blocks.latent(
        shape.hidden, shape.heads,
        q_rank=fields.integer("q_lora_rank", default=0, low=0), kv_rank=fields.integer("kv_lora_rank"),
        nope_dim=fields.integer("qk_nope_head_dim"), rope_dim=fields.integer("qk_rope_head_dim"), value_dim=fields.integer("v_head_dim"),
        bias=fields.flag("attention_bias"), index=index, index_projections=_chooses_keys(fields, i),
        gate_width=shape.heads * fields.integer("v_head_dim") if fields.flag("mla_use_output_gate") else 0,
    )  # fmt: skip


def _chooses_keys(fields: Fields, i: int) -> bool:
    """Whether layer `i` has an indexer of its own; some layers share the choice of the layer before (GLM-5.2)."""
    types = fields.texts("indexer_types")
    if types is None:
        return True
    fields.per_layer(types, "indexer_types", i + 1)
    return types[i] != "shared"


def build(fields: Fields, traits: Traits) -> Decoder:
    """DeepSeek-V2 and its descendants."""
    shape = shape_of(fields)
    layers = [
        Layer(mixer(fields, traits, shape, i), feed_forward(fields, traits, shape.hidden, i), 1, traits.norms * shape.hidden)
        for i in range(shape.layers)
    ]
    return finish(fields, traits, shape, layers)


def build_longcat(fields: Fields, traits: Traits) -> Decoder:
    """LongCat-Flash: a block is two attentions and two dense parts, and experts that run beside the second half ("shortcut").

    Each block is written as two layers, the second with the experts and its dense part as a shared expert. Of the experts that a token
    chooses, the identity ones cost nothing: `top_k` is the mean number of the real ones at even routing.
    """
    shape = shape_of(fields)
    real, identity, chosen = expert_count(fields), fields.integer("zero_expert_num", default=0, low=0), top_k(fields)
    width = fields.integer("ffn_hidden_size")
    norm = 2 * shape.hidden
    attention = mixer(fields, traits, shape)
    routed = blocks.experts(
        shape.hidden, fields.integer("expert_ffn_hidden_size"), real, max(1, round(chosen * real / (real + identity))),
        shared_width=width, extra=(Matrix("identity_router", shape.hidden, identity, "router", "none"),) if identity else (),
        extra_vectors=real + identity,
    )  # fmt: skip
    layers = [Layer(attention, blocks.dense(shape.hidden, width), shape.layers, norm), Layer(attention, routed, shape.layers, norm)]
    return finish(fields, traits, shape, layers)


def build_kimi_linear(fields: Fields, traits: Traits) -> Decoder:
    """Kimi Linear and Kimi K3: most layers are a gated delta rule with one decay per channel (KDA), the others latent attention."""
    shape = shape_of(fields)
    linear = fields.sub("linear_attn_config")
    if linear is None:
        raise fields.bad("field linear_attn_config is missing")
    full = set(linear.integers("full_attn_layers", low=1) or ())
    recurrent = set(linear.integers("kda_layers", low=1) or ())
    if full | recurrent != set(range(1, shape.layers + 1)) or full & recurrent:
        raise fields.bad("full_attn_layers and kda_layers must name each layer once")
    delta, attention = _kda(linear, shape.hidden), mixer(fields, traits, shape)
    layers = [
        Layer(attention if i + 1 in full else delta, _latent_experts(fields, traits, shape.hidden, i), 1, 2 * shape.hidden)
        for i in range(shape.layers)
    ]
    return finish(fields, traits, shape, layers)


KDA_STATE_BITS = 32
"""vLLM keeps the state of Kimi's delta attention in fp32 whatever the model's type (layers/mamba/mamba_utils.py, kda_state_dtype)."""


def _kda(linear: Fields, hidden: int) -> Mixer:
    heads, head_dim, kernel = linear.integer("num_heads"), linear.integer("head_dim"), linear.integer("short_conv_kernel_size")
    width = heads * head_dim
    matrices = [
        Matrix("qkv_proj", hidden, 3 * width, "attention"),
        Matrix("decay_a_proj", hidden, head_dim, "attention", "none"),
        Matrix("decay_b_proj", head_dim, width, "attention"),
        Matrix("beta_proj", hidden, heads, "attention"),
        Matrix("o_proj", width, hidden, "attention", "row"),
    ]
    if linear.flag("use_full_rank_gate"):
        matrices.append(Matrix("gate_proj", hidden, width, "attention"))
    else:
        matrices += [Matrix("gate_a_proj", hidden, head_dim, "attention", "none"), Matrix("gate_b_proj", head_dim, width, "attention")]
    vectors = 3 * width * kernel + width + heads + head_dim
    cache = StateCache(heads * head_dim * head_dim, 3 * width * (kernel - 1), KDA_STATE_BITS)
    return Mixer("kda", tuple(matrices), cache, heads, head_dim, head_dim, vectors)


def _latent_experts(fields: Fields, traits: Traits, hidden: int, i: int) -> FeedForward:
    """Experts that work in a narrower space when `routed_expert_hidden_size` says so (Kimi K3)."""
    part = feed_forward(fields, traits, hidden, i)
    width = fields.integer("routed_expert_hidden_size", default=0, low=0)
    if part.kind != "experts" or not width or traits.experts is None:
        return part
    one = fields.integer("moe_intermediate_size")
    return blocks.experts(
        hidden, one, part.routed, part.top_k, shared_width=one * fields.integer("num_shared_experts", default=0, low=0),
        router_bias=says(fields, traits.experts.router_bias), latent_width=width,
        extra_vectors=width if fields.flag("latent_moe_use_norm") else 0,
    )  # fmt: skip
