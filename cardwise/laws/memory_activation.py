"""What a running engine needs besides weights and cache: the activation peak, CUDA graphs, buffers of the ranks. Pure; bytes per card."""

from __future__ import annotations

from cardwise.budget import MemoryConstants
from cardwise.layout import Layout
from cardwise.model import Architecture, Layer, Tower

ACTIVATION_BYTES = 2.0
PIXEL_BYTES = 4.0
COMPUTE_BUFFER_BYTES = 4.0
"""llama.cpp keeps scores, masks, hidden states and logits of a micro-batch in fp32."""
PIPELINE_COPIES = 4
"""llama.cpp keeps this many copies of the graph's inputs when several cards work in a pipeline (GGML_SCHED_MAX_COPIES)."""


def activation_bytes(
    architecture: Architecture,
    layout: Layout,
    constants: MemoryConstants,
    *,
    tokens: int,
    sequences: int,
    max_model_len: int,
    vision: bool = True,
) -> float:
    """Peak of the profile run.

    `sampler`: the larger of a forward pass over `tokens` and of sampling one token for each of `sequences` over the whole vocabulary
    (logits in 32 bit, sorted with their indices). `forward`: the first alone, with one row of logits a sequence. `compute-buffer`: see
    below.
    `reserved`: none, the engine leaves it room outside its share.
    """
    if constants.profile == "reserved":
        return 0.0
    if constants.profile == "compute-buffer":
        return compute_buffer_bytes(architecture, layout, constants, tokens, max_model_len)
    forward = tokens * token_bytes(architecture, layout, constants.hidden_copies)
    logits = sequences * architecture.vocabulary * constants.bytes_per_logit
    hidden = tokens * architecture.hidden * ACTIVATION_BYTES
    encoder, kept = encoder_bytes(architecture, layout, constants, max_model_len) if vision else (0.0, 0.0)
    return max(max(forward, logits + hidden) + kept, encoder)


def token_bytes(architecture: Architecture, layout: Layout, hidden_copies: float) -> float:
    """Bytes that one token of a prefill takes at the widest operator: `hidden_copies` hidden states, inputs and outputs of the layer."""
    return ACTIVATION_BYTES * (hidden_copies * architecture.hidden + max(_width(layer, layout) for layer in architecture.layers))


def _width(layer: Layer, layout: Layout) -> float:
    """Elements per token of the widest block of a layer on one card."""
    attention = sum(m.outputs for m in layer.mixer.matrices if m.shard == "column") / layout.attention_tensor_parallel
    attention += sum(m.inputs for m in layer.mixer.matrices if m.shard == "row") / layout.attention_tensor_parallel
    if layer.feed_forward.kind == "experts":
        up = sum(m.outputs for m in layer.feed_forward.matrices if m.part == "experts" and m.shard == "column")
        down = sum(
            m.inputs + m.outputs * layout.tensor_parallel for m in layer.feed_forward.matrices if m.part == "experts" and m.shard == "row"
        )
        fed = layer.feed_forward.top_k * (up + down) / layout.tensor_parallel
        if layout.expert_parallel > 1:
            fed /= min(layout.expert_parallel, layout.tensor_parallel) / layout.data_parallel
    else:
        fed = sum(m.outputs for m in layer.feed_forward.matrices if m.shard == "column") / layout.attention_tensor_parallel
        fed += sum(m.inputs for m in layer.feed_forward.matrices if m.shard == "row") / layout.attention_tensor_parallel
    return max(attention, fed)


def encoder_bytes(architecture: Architecture, layout: Layout, constants: MemoryConstants, max_model_len: int) -> tuple[float, float]:
    """Peak of a vision tower's run on its longest item, `encoder_tokens` or a video as long as the context, and what it hands over, which
    is kept while the decoder runs (counted where the peak is computed from the tower's widths)."""
    if not any("vision" in name for name, _ in architecture.extra_parameters):
        return 0.0, 0.0
    if constants.encoder_by_shape and architecture.tower is not None:
        tokens = constants.encoder_tokens
        return tokens * tower_token_bytes(architecture.tower, layout), tokens * architecture.hidden * ACTIVATION_BYTES
    tokens = max(constants.encoder_tokens, max_model_len if constants.encoder_whole_length else 0)
    return constants.encoder_bytes_per_token * tokens, 0.0


def tower_token_bytes(tower: Tower, layout: Layout) -> float:
    """Bytes on one rank of one token's patches inside a tower's feed-forward part, its widest point.

    A patch keeps its pixels in fp32 and in 16 bit, the stream and its normed copy, and what goes into and comes out of the activation
    function (two inputs when gated), which the ranks share.
    """
    pixels = tower.pixels * (PIXEL_BYTES + ACTIVATION_BYTES)
    inner = (3 if tower.gated else 2) * tower.width / layout.attention_tensor_parallel
    return tower.patches * (pixels + ACTIVATION_BYTES * (2 * tower.hidden + inner))


def compute_buffer_bytes(architecture: Architecture, layout: Layout, constants: MemoryConstants, micro_batch: int, context: int) -> float:
    """llama.cpp reserves the worst graph of a micro-batch: scores and mask over the whole context, or the logits of every row.

    Without flash attention heads x context x rows scores and a mask in fp32; with it a mask in 16 bit. A pipeline keeps copies of the mask.
    """
    rows = min(micro_batch, context)
    hidden = rows * architecture.hidden * COMPUTE_BUFFER_BYTES
    mask = rows * context * (COMPUTE_BUFFER_BYTES if constants.attention_buffer else ACTIVATION_BYTES)
    scores = architecture.heads * rows * context * COMPUTE_BUFFER_BYTES if constants.attention_buffer else 0.0
    copies = PIPELINE_COPIES if layout.pipeline_parallel > 1 else 0
    attention = scores + mask + constants.hidden_copies * hidden
    logits = rows * architecture.vocabulary * COMPUTE_BUFFER_BYTES + hidden
    return max(attention + copies * mask + (mask if copies else 0.0), logits + copies * mask)


def graph_sizes(graph_max_batch: int) -> int:
    """Batch sizes captured up to the largest: 1, 2, 4, then every eighth."""
    return 0 if graph_max_batch <= 0 else min(3, graph_max_batch) + graph_max_batch // 8


def graph_bytes(architecture: Architecture, layout: Layout, constants: MemoryConstants, graph_max_batch: int) -> float:
    """Captured graphs: a cost per size and layer of the stage."""
    return graph_sizes(graph_max_batch) * architecture.layer_count / layout.pipeline_parallel * constants.graph_bytes


def communication_bytes(layout: Layout, constants: MemoryConstants) -> float:
    """Buffers of the collectives as soon as ranks talk, and more per further rank."""
    ranks = layout.tensor_parallel * layout.pipeline_parallel
    return 0.0 if ranks < 2 else constants.peer_bytes + (ranks - 2) * constants.rank_bytes
