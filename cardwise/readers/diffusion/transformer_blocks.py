"""Parts that diffusion transformers share, as operators: norms, modulation, embeddings, rotary embeddings, feed-forward.

Passes and launches are those of diffusers 0.42 run eagerly in a 16-bit type: a kernel that reads one tensor and writes one has 2 passes,
one that works in float32 counts double. They were checked against the operators that torch dispatches, one by one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from cardwise.network import ONE, Attention, Convolution, Extent, Linear, Op, Pointwise

NORM = "norms and activations"
MODULATION = "modulation"
EMBEDDINGS = "embeddings"
ROTARY = "rotary embeddings"
CONCATENATION = "concatenation"
FEED_FORWARD = "feed-forward"
JOINT = "joint attention"
SELF = "self-attention"
CROSS = "cross-attention"
TIME_FREQUENCIES = 256  # channels of the sinusoid of a timestep before its two products, fixed in diffusers
TIME_LAUNCHES = 12  # arange, scale, divide, exp, cast, 2 products, sin, cos, 2 concatenations, cast


def repeated(ops: Iterable[Op], times: int) -> tuple[Op, ...]:
    """The operators of a block as those of `times` equal blocks."""
    return tuple(replace(op, count=op.count * times) for op in ops) if times else ()


def weights(name: str, elements: int) -> Pointwise:
    """Parameters that no kernel of their own reads: tables, tokens of padding."""
    return Pointwise(name, ONE, 1, passes=0, launches=0, parameters_each=elements)


def kernel(name: str, rows: Extent, width: int, passes: float = 2.0, launches: int = 1) -> Pointwise:
    """Kernels without weights."""
    return Pointwise(name, rows, width, passes=passes, launches=launches)


def activation(rows: Extent, width: int) -> Pointwise:
    """SiLU, GELU and their like: one kernel."""
    return kernel(NORM, rows, width)


def residual(rows: Extent, width: int) -> Pointwise:
    """Adds a branch to its residual stream."""
    return kernel(NORM, rows, width, passes=3)


def layer_norm(rows: Extent, width: int, affine: bool = False, bias: bool = True) -> Pointwise:
    """One kernel; weights only where it is affine."""
    return Pointwise(NORM, rows, width, parameters_each=width * (1 + bias) if affine else 0)


def fused_rms_norm(rows: Extent, width: int, elements: int, count: int = 1) -> Pointwise:
    """torch.nn.RMSNorm of `elements` weights: one kernel on an accelerator."""
    return Pointwise(NORM, rows, width, count, parameters_each=elements)


def rms_norm(rows: Extent, width: int, elements: int, count: int = 1) -> Pointwise:
    """RMSNorm as diffusers writes it out: cast, square, mean, add, rsqrt, product, cast, product; float32 up to the second cast."""
    return Pointwise(NORM, rows, width, count, passes=17, launches=8, parameters_each=elements)


def adaptive_norm(rows: Extent, width: int) -> tuple[Op, ...]:
    """LayerNorm without weights, then x (1 + scale) + shift: 1 + scale is a kernel over one row."""
    return layer_norm(rows, width), kernel(MODULATION, rows, width, passes=4, launches=3)


def gated_residual(rows: Extent, width: int) -> tuple[Op, ...]:
    """A branch times its gate, added to the residual stream."""
    return kernel(MODULATION, rows, width), residual(rows, width)


def modulation(width: int, outputs: int, bias: bool = True) -> tuple[Op, ...]:
    """Scales, shifts and gates of a block from the embedding of the timestep: SiLU and one product of one row."""
    return kernel(MODULATION, ONE, width), Linear(MODULATION, ONE, width, outputs, bias=bias)


def embedder(rows: Extent, inputs: int, hidden: int, outputs: int, bias: bool = True) -> tuple[Op, ...]:
    """Two products with an activation between: TimestepEmbedding, PixArtAlphaTextProjection."""
    return (
        Linear(EMBEDDINGS, rows, inputs, hidden, bias=bias),
        kernel(EMBEDDINGS, rows, hidden),
        Linear(EMBEDDINGS, rows, hidden, outputs, bias=bias),
    )


def sinusoid(channels: int = TIME_FREQUENCIES, launches: int = TIME_LAUNCHES) -> Pointwise:
    """Sines and cosines of a timestep (or a size): many kernels over one short row."""
    return kernel(EMBEDDINGS, ONE, channels, passes=2.0 * launches, launches=launches)


def timestep(width: int, channels: int = TIME_FREQUENCIES, bias: bool = True) -> tuple[Op, ...]:
    """Embedding of the timestep, or of the guidance of a distilled model."""
    return sinusoid(channels), *embedder(ONE, channels, width, width, bias)


def patches(rows: Extent, channels: int, patch: int, width: int) -> Convolution:
    """Patch embedding by a convolution whose stride is its size."""
    return Convolution(EMBEDDINGS, rows, channels, width, taps=patch * patch, scale=float(patch * patch))


def feed_forward(rows: Extent, width: int, hidden: int, bias: bool = True) -> tuple[Op, ...]:
    """Product, GELU, product."""
    return (
        Linear(FEED_FORWARD, rows, width, hidden, bias=bias),
        activation(rows, hidden),
        Linear(FEED_FORWARD, rows, hidden, width, bias=bias),
    )


def gate_product(rows: Extent, hidden: int) -> Pointwise:
    """SwiGLU's SiLU of one half and its product with the other: two kernels."""
    return kernel(NORM, rows, hidden, passes=5, launches=2)


def projections(name: str, rows: Extent, width: int, inner: int, count: int = 3, bias: bool = True) -> Linear:
    """Queries, keys and values of an attention, each a product of its own."""
    return Linear(f"{name} projections", rows, width, inner, count, bias)


def output(name: str, rows: Extent, inner: int, width: int, bias: bool = True) -> Linear:
    """Projection of an attention's heads back to the stream."""
    return Linear(f"{name} projections", rows, inner, width, bias=bias)


def attention(name: str, queries: Extent, keys: Extent, heads: int, head_dim: int) -> Attention:
    """One fused bidirectional attention of one sequence."""
    return Attention(name, queries, keys, heads, head_dim)


def rotary(rows: Extent, width: int) -> Pointwise:
    """Rotary embedding of one tensor by cosines and sines in float32: negate, stack, 2 casts, 2 products, add, cast."""
    return kernel(ROTARY, rows, width, passes=26, launches=8)


def complex_rotary(rows: Extent, width: int) -> Pointwise:
    """Rotary embedding of one tensor by a complex product: cast, product, cast."""
    return kernel(ROTARY, rows, width, passes=10, launches=3)


def rotary_tables(rows: Extent, axes: int, head_dim: int) -> Pointwise:
    """Cosines and sines of all positions on `axes` axes, which FLUX computes in float64 at every pass."""
    return kernel(ROTARY, rows, head_dim, passes=42, launches=13 * axes + 3)


def unpatched(rows: Extent, values: int) -> Pointwise:
    """Patches of `values` numbers laid out as a picture."""
    return kernel(EMBEDDINGS, rows, values)
