"""The blocks that decoders are built of, as matrices with exact shapes. Widths and counts in elements; nothing is guessed here.

Matrices are fused as serving engines load them (q, k and v in one, gate and up in one), so a product has the shape that runs.
"""

from __future__ import annotations

from collections.abc import Iterable

from cardwise.model import FeedForward, KeyValueCache, LatentCache, Layer, Matrix, Mixer, Part, StateCache

NO_FEED_FORWARD = FeedForward("none", ())
# A layer without a mixer keeps nothing. Not a StateCache: the model does not become recurrent by skipping attention.
NO_MIXER = Mixer("none", (), KeyValueCache(0, 0, 0), heads=0, score_dim=0, value_dim=0)


def attention(
    hidden: int,
    heads: int,
    kv_heads: int,
    head_dim: int,
    *,
    value_dim: int | None = None,
    kind: str = "full",
    window: int | None = None,
    qkv_bias: bool = False,
    o_bias: bool = False,
    gate_width: int = 0,
    norm_elements: int = 0,
    shared: bool = False,
    keys_are_values: bool = False,
    top_k: int | None = None,
) -> Mixer:
    """Multi-head, grouped or multi-query attention.

    `gate_width`: outputs of a gate on the attention's output, computed from the layer's input. `norm_elements`: norms of q and k, sinks.
    `shared`: the layer reads another layer's keys and values and has no projections for them. `keys_are_values`: no projection of values.
    """
    values = head_dim if value_dim is None else value_dim
    width = heads * head_dim
    if not shared:
        width += kv_heads * (head_dim + (0 if keys_are_values else values))
    matrices = [Matrix("qkv_proj", hidden, width, "attention"), Matrix("o_proj", heads * values, hidden, "attention", "row")]
    if gate_width:
        matrices.append(Matrix("attention_gate", hidden, gate_width, "attention"))
    vectors = norm_elements + (width if qkv_bias else 0) + (hidden if o_bias else 0)
    cache = KeyValueCache(kv_heads, head_dim, values, window, shared)
    return Mixer(kind, tuple(matrices), cache, heads, head_dim, values, vectors, top_k)


def latent(
    hidden: int,
    heads: int,
    *,
    q_rank: int,
    kv_rank: int,
    nope_dim: int,
    rope_dim: int,
    value_dim: int,
    norm_elements: int | None = None,
    gate_width: int = 0,
    bias: bool = False,
    index: tuple[int, int, int] | None = None,
    index_projections: bool = True,
) -> Mixer:
    """Multi-head latent attention (DeepSeek-V2, section 2.1). `q_rank` 0: queries are not compressed.

    `index`: (heads, width, top-k) of the lightning indexer of sparse attention (DeepSeek-V3.2); layers that share another layer's choice
    of keys have no `index_projections`. The scores' width is that of the unabsorbed form.
    """
    down = (q_rank or 0) + kv_rank + rope_dim
    matrices = [Matrix("qkv_a_proj", hidden, down, "attention", "none")]
    queries = heads * (nope_dim + rope_dim)
    matrices.append(Matrix("q_b_proj", q_rank, queries, "attention") if q_rank else Matrix("q_proj", hidden, queries, "attention"))
    matrices.append(Matrix("kv_b_proj", kv_rank, heads * (nope_dim + value_dim), "attention"))
    matrices.append(Matrix("o_proj", heads * value_dim, hidden, "attention", "row"))
    if gate_width:
        matrices.append(Matrix("attention_gate", hidden, gate_width, "attention"))
    vectors = (q_rank + kv_rank) if norm_elements is None else norm_elements
    if bias:
        vectors += (q_rank or 0) + kv_rank + rope_dim + hidden
    index_dim, top_k = 0, None
    if index is not None:
        index_heads, index_dim, top_k = index
        if index_projections:
            matrices.append(Matrix("index_q_proj", q_rank or hidden, index_heads * index_dim, "attention", "none"))
            matrices.append(Matrix("index_k_proj", hidden, index_dim, "attention", "none"))
            matrices.append(Matrix("index_weights_proj", hidden, index_heads, "attention", "none"))
            vectors += 2 * index_dim  # layer norm of the index keys
        else:
            index_dim = 0
    cache = LatentCache(kv_rank, rope_dim, index_dim, index_heads=index[0] if index else 0)
    kind = "latent" if index is None else "sparse-latent"
    return Mixer(kind, tuple(matrices), cache, heads, nope_dim + rope_dim, value_dim, vectors, top_k)


def mamba2(
    hidden: int,
    heads: int,
    head_dim: int,
    groups: int,
    state: int,
    kernel: int,
    *,
    proj_bias: bool = False,
    conv_bias: bool = True,
    norm: bool = True,
    state_bits: int | None = None,
) -> Mixer:
    """Mamba-2 (state space duality): one input projection to z, x, B, C, dt; a depthwise convolution over x, B, C; one state per head."""
    inner, convolved = heads * head_dim, heads * head_dim + 2 * groups * state
    width = inner + convolved + heads
    matrices = (Matrix("in_proj", hidden, width, "attention"), Matrix("out_proj", inner, hidden, "attention", "row"))
    vectors = convolved * (kernel + (1 if conv_bias else 0)) + 3 * heads + (inner if norm else 0)
    vectors += (width + hidden) if proj_bias else 0
    cache = StateCache(heads * head_dim * state, convolved * (kernel - 1), state_bits)
    return Mixer("mamba2", matrices, cache, heads, state, head_dim, vectors)


def gated_delta(
    hidden: int, key_heads: int, value_heads: int, key_dim: int, value_dim: int, kernel: int, state_bits: int | None = None
) -> Mixer:
    """Gated delta rule (Qwen3-Next, Qwen3.5): projections to q, k, v, z and to beta, alpha; a convolution over q, k, v."""
    keys, values = key_heads * key_dim, value_heads * value_dim
    matrices = (
        Matrix("in_proj_qkvz", hidden, 2 * keys + 2 * values, "attention"),
        Matrix("in_proj_ba", hidden, 2 * value_heads, "attention"),
        Matrix("out_proj", values, hidden, "attention", "row"),
    )
    convolved = 2 * keys + values
    vectors = convolved * kernel + 2 * value_heads + value_dim
    cache = StateCache(value_heads * key_dim * value_dim, convolved * (kernel - 1), state_bits)
    return Mixer("gated-delta", matrices, cache, value_heads, key_dim, value_dim, vectors)


def short_convolution(hidden: int, kernel: int, *, bias: bool = False) -> Mixer:
    """Gated short convolution (LFM2): projection to B, C, x; a depthwise convolution of `kernel` taps; projection back."""
    matrices = (Matrix("in_proj", hidden, 3 * hidden, "attention"), Matrix("out_proj", hidden, hidden, "attention", "row"))
    vectors = hidden * kernel + (5 * hidden if bias else 0)
    return Mixer("short-conv", matrices, StateCache(0, hidden * (kernel - 1)), 0, 0, 0, vectors)


def mlp_matrices(hidden: int, width: int, part: Part, *, gated: bool = True, copies: int = 1, prefix: str = "") -> tuple[Matrix, Matrix]:
    """Up (with the gate, when there is one) and down."""
    name = "gate_up_proj" if gated else "up_proj"
    up = Matrix(prefix + name, hidden, (2 if gated else 1) * width, part, "column", copies)
    return up, Matrix(prefix + "down_proj", width, hidden, part, "row", copies)


def dense(hidden: int, width: int, *, gated: bool = True, bias: bool = False, extra: Iterable[Matrix] = ()) -> FeedForward:
    vectors = ((2 if gated else 1) * width + hidden) if bias else 0
    return FeedForward("dense", (*mlp_matrices(hidden, width, "dense", gated=gated), *extra), vector_parameters=vectors, gated=gated)


def experts(
    hidden: int,
    width: int,
    routed: int,
    top_k: int,
    *,
    shared_width: int = 0,
    shared_gate: bool = False,
    gated: bool = True,
    bias: bool = False,
    router_bias: bool = False,
    latent_width: int = 0,
    extra: Iterable[Matrix] = (),
    extra_vectors: int = 0,
) -> FeedForward:
    """A mixture of experts. `shared_width`: all shared experts together, 0 without. `latent_width`: the routed experts work in a narrower
    space, between one projection down and one up. `router_bias`: one value an expert (a bias, or the balancing correction)."""
    inner = latent_width or hidden
    matrices = [
        Matrix("router", hidden, routed, "router", "none"),
        *mlp_matrices(inner, width, "experts", gated=gated, copies=routed, prefix="experts."),
    ]
    if latent_width:
        matrices.append(Matrix("latent_down_proj", hidden, latent_width, "shared", "none"))
        matrices.append(Matrix("latent_up_proj", latent_width, hidden, "shared", "none"))
    if shared_width:
        matrices.extend(mlp_matrices(hidden, shared_width, "shared", gated=gated, prefix="shared."))
    if shared_gate:
        matrices.append(Matrix("shared_gate", hidden, 1, "router", "none"))
    vectors = extra_vectors + (routed if router_bias else 0)
    vectors += routed * ((2 if gated else 1) * width + inner) if bias else 0
    return FeedForward("experts", (*matrices, *extra), routed, top_k, vectors, gated)


def gather(layers: Iterable[Layer]) -> tuple[Layer, ...]:
    """Layers of one kind as one entry with a count, in the order of their first occurrence."""
    counts: dict[tuple[Mixer, FeedForward, int], int] = {}
    for layer in layers:
        key = (layer.mixer, layer.feed_forward, layer.vector_parameters)
        counts[key] = counts.get(key, 0) + layer.count
    return tuple(Layer(mixer, feed_forward, count, vectors) for (mixer, feed_forward, vectors), count in counts.items())


def layer_parameters(layer: Layer) -> int:
    """Every parameter of one layer of this kind."""
    matrices = sum(m.parameters for m in (*layer.mixer.matrices, *layer.feed_forward.matrices))
    return matrices + layer.mixer.vector_parameters + layer.feed_forward.vector_parameters + layer.vector_parameters
