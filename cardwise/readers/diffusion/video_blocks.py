"""Parts that the transformers and autoencoders of video share, as operators.

Passes are those of diffusers' eager kernels at two bytes an element: a kernel in float32 counts twice. Torch's own norms count as one
kernel, norms that diffusers writes out as all of theirs. Source: diffusers 0.42.1, embeddings.py, normalization.py, attention.py.
"""

from __future__ import annotations

from cardwise.network import ONE, Attention, Extent, Linear, Op, Pointwise
from cardwise.readers.fields import MAX_WIDTH, Fields

NORMS = "norms and activations"
MODULATION = "modulation"
EMBEDDINGS = "embeddings"
FEED_FORWARD = "feed-forward"
MAX_LEVELS = 16  # resolutions of an autoencoder; the largest known has five


def weights(name: str, elements: int, count: int = 1) -> Pointwise:
    """Weights that no kernel of their own reads."""
    return Pointwise(name, ONE, elements, count, passes=0, launches=0, parameters_each=elements)


def timestep_embedding(inputs: int, width: int, rows: Extent = ONE, kept: bool = True) -> tuple[Op, ...]:
    """Sines and cosines of a time, a projection to `width`, silu, and another (TimestepEmbedding). `kept`: with weights of its own."""
    return (
        Pointwise(EMBEDDINGS, rows, inputs, passes=16.0, launches=11),
        Linear(EMBEDDINGS, rows, inputs, width, stored=kept),
        Pointwise(EMBEDDINGS, rows, width),
        Linear(EMBEDDINGS, rows, width, width, stored=kept),
    )


def text_projection(rows: Extent, inputs: int, width: int) -> tuple[Op, ...]:
    """Two products with an activation between (PixArtAlphaTextProjection)."""
    return (
        Linear(EMBEDDINGS, rows, inputs, width),
        Pointwise(EMBEDDINGS, rows, width),
        Linear(EMBEDDINGS, rows, width, width),
    )


def feed_forward(rows: Extent, width: int, inner: int, count: int = 1, bias: bool = True) -> tuple[Op, ...]:
    """Two products with gelu between."""
    return (
        Linear(FEED_FORWARD, rows, width, inner, count, bias),
        Pointwise(FEED_FORWARD, rows, inner, count),
        Linear(FEED_FORWARD, rows, inner, width, count, bias),
    )


def gated_feed_forward(rows: Extent, width: int, inner: int, count: int = 1, bias: bool = True) -> tuple[Op, ...]:
    """SwiGLU: one product to twice `inner`, silu of one half, times the other, and back."""
    return (
        Linear(FEED_FORWARD, rows, width, 2 * inner, count, bias),
        Pointwise(FEED_FORWARD, rows, inner, count, passes=5.0, launches=2),
        Linear(FEED_FORWARD, rows, inner, width, count, bias),
    )


def modulation(inputs: int, outputs: int, count: int = 1, rows: Extent = ONE) -> tuple[Op, ...]:
    """silu of the conditioning vector and its product to shifts, scales and gates."""
    return (Pointwise(MODULATION, rows, inputs, count), Linear(MODULATION, rows, inputs, outputs, count))


def modulated_norm(positions: Extent, width: int, count: int = 1, parameters: int = 0) -> tuple[Op, ...]:
    """A layer norm, then x (1 + scale) + shift; 1 + scale is a small kernel too."""
    return (
        Pointwise(NORMS, positions, width, count, parameters_each=parameters),
        Pointwise(MODULATION, positions, width, count, passes=4.0, launches=3),
    )


def gated_residual(positions: Extent, width: int, count: int = 1) -> Pointwise:
    """x + gate y."""
    return Pointwise(MODULATION, positions, width, count, passes=5.0, launches=2)


def written_out_rms_norm(positions: Extent, width: int, elements: int, count: int = 1) -> Pointwise:
    """RMSNorm that diffusers writes out: to float32, squares, mean, + epsilon, 1 / root, product, back, and times the weights."""
    return Pointwise(NORMS, positions, width, count, passes=17.0, launches=8, parameters_each=elements)


def rotary(positions: Extent, width: int, count: int = 1) -> Pointwise:
    """Rotary embedding of one tensor by apply_rotary_emb: the turned copy, both to float32, times cos and sin, sum, back."""
    return Pointwise("rotary embeddings", positions, width, count, passes=26.0, launches=8)


def projections(name: str, rows: Extent, inputs: int, outputs: int, count: int = 3, bias: bool = True) -> Linear:
    """`count` products from the stream to queries, keys and values, or back."""
    return Linear(f"{name} projections", rows, inputs, outputs, count, bias)


def attention(name: str, queries: Extent, keys: Extent, heads: int, head_dim: int, count: int = 1) -> Attention:
    """`count` attentions of one sequence."""
    return Attention(name, queries, keys, heads, head_dim, count)


def levels(fields: Fields, name: str, default: tuple[int, ...], needed: int = 1, low: int = 0, high: int = MAX_WIDTH) -> tuple[int, ...]:
    """A list with a number (or flag) for each level of an autoencoder, of at least `needed` entries."""
    stated = fields.integers(name, low=low, high=high)
    values = default if stated is None else stated
    if not needed <= len(values) <= MAX_LEVELS:
        raise fields.bad(f"field {name} has {len(values)} entries; it must have {needed} to {MAX_LEVELS}")
    return values


def output_channels(fields: Fields, default: int, inputs: int) -> int:
    """out_channels: the library's default where it is absent, as many as the inputs where it is null."""
    return fields.integer("out_channels", default=inputs if "out_channels" in fields.values else default)
