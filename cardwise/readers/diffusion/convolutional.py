"""Operators of convolutional networks of images and video: ResNet blocks, attention, gated feed-forward parts, resampling.

Kernels are those of an eager run of diffusers 0.42.1 with fused attention: a group norm and its activation are two, and the division by an
output scale of 1 is launched. Sources: diffusers/models/resnet.py, attention.py, attention_processor.py, activations.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from cardwise.network import ONE, PROMPT, Attention, Convolution, Extent, Held, Linear, Op, Pointwise, grid

NORMS = "norms and activations"
RESAMPLING = "resampling"


@dataclass(frozen=True, slots=True)
class Level:
    """One resolution: positions every `side` pixels each way, of one picture or (`video`) of every frame."""

    side: int
    video: bool = False

    @property
    def at(self) -> Extent:
        """All positions."""
        return grid(self.side, 1 if self.video else 0)

    @property
    def plane(self) -> Extent:
        """Positions of one picture."""
        return grid(self.side)

    @property
    def pictures(self) -> Extent:
        """One, or the frames."""
        return grid(0, 1) if self.video else ONE


@dataclass(frozen=True, slots=True)
class Piece:
    """Operators that run one after the other, and what is alive beside each one's own input and output where that takes the most."""

    ops: tuple[Op, ...]
    held: tuple[Held, ...] = ()


def pointwise(name: str, at: Extent, width: int, passes: float = 2.0, launches: int = 1, parameters: int = 0, count: int = 1) -> Pointwise:
    """`count` kernels that go `passes` times over `at` x `width`."""
    return Pointwise(name, at, width, count=count, passes=passes, launches=launches, parameters_each=parameters)


def times(ops: Sequence[Op], count: int) -> list[Op]:
    """The operators run `count` times, each time with weights of their own."""
    return [replace(op, count=count * op.count) for op in ops] if count else []


def group_norm(at: Extent, width: int) -> list[Op]:
    """One kernel that reads twice, since a group's statistics need all of it first, and writes once."""
    return [pointwise(NORMS, at, width, passes=1.0, launches=0), pointwise(NORMS, at, width, parameters=2 * width)]


def layer_norm(at: Extent, width: int) -> Op:
    return pointwise(NORMS, at, width, parameters=2 * width)


def activation(at: Extent, width: int) -> Op:
    return pointwise(NORMS, at, width)


def residual(at: Extent, width: int) -> Op:
    """The sum of two tensors."""
    return pointwise(NORMS, at, width, passes=3.0)


def copy(at: Extent, width: int) -> Op:
    """A transpose that must be written out."""
    return pointwise("transposes", at, width)


def convolution(at: Extent, inputs: int, outputs: int, taps: int = 9, *, name: str = "convolution", bias: bool = True) -> Convolution:
    return Convolution(name, at, inputs, outputs, taps, bias=bias)


def resnet(level: Level, inputs: int, outputs: int, time: int | None, *, scale_shift: bool = False) -> tuple[Piece, ...]:
    """ResnetBlock2D. `time`: width of the time embedding, None without; `scale_shift`: it scales and shifts the second norm."""
    at, pictures = level.at, level.pictures
    ops: list[Op] = [*group_norm(at, inputs), activation(at, inputs), convolution(at, inputs, outputs)]
    if time:
        ops.append(activation(pictures, time))
        ops.append(Linear("embeddings", pictures, time, 2 * outputs if scale_shift else outputs))
        if not scale_shift:
            ops.append(pointwise("embeddings", at, outputs))
    ops += group_norm(at, outputs)
    if scale_shift:
        ops += [pointwise("modulation", pictures, outputs), pointwise("modulation", at, outputs, count=2)]
    ops += [activation(at, outputs), convolution(at, outputs, outputs)]
    given = (Held(at, inputs),)
    if inputs == outputs:
        added = (*given, Held(at, outputs))
    else:
        ops.append(convolution(at, inputs, outputs, taps=1))
        added = (*given, Held(at, 2 * outputs))
    end = (residual(at, outputs), pointwise(NORMS, at, outputs))  # the sum, and it divided by the output scale, beside what was added
    return Piece(tuple(ops), given), Piece(end, added)


def downsample(coarse: Level, width: int, *, pad: bool = False) -> Piece:
    """Downsample2D: a 3 x 3 convolution of stride 2. `pad`: right and bottom are padded in a kernel of their own, as autoencoders do."""
    padding: list[Op] = [pointwise(RESAMPLING, grid(coarse.side // 2, coarse.at.stride), width)] if pad else []
    return Piece((*padding, Convolution("convolution", coarse.at, width, width, 9, scale=4.0)))


def upsample(fine: Level, width: int) -> Piece:
    """Upsample2D: the nearest neighbour, which reads a quarter of what it writes, and a 3 x 3 convolution."""
    return Piece((pointwise(RESAMPLING, fine.at, width, passes=1.25), convolution(fine.at, width, width)))


def geglu(at: Extent, width: int, inner: int) -> list[Op]:
    """FeedForward with GEGLU: one product for values and gates, gelu of the gates, their product, the way back.

    The two kernels between go 2 and 3 times over half of the first product's output, which is alive as a whole.
    """
    name = "feed-forward"
    gate = pointwise(name, at, 2 * inner, passes=2.5, launches=2)
    return [Linear(name, at, width, 2 * inner), gate, Linear(name, at, inner, width)]


def self_attention(rows: Extent, attention: Attention, width: int, *, bias: bool = False) -> list[Op]:
    """Attention of diffusers over `rows` tokens of `width`: three projections, the fused kernel, the way out, a division by its scale.

    `attention`: the kernel itself; a bias on queries, keys and values only with `bias`.
    """
    name, inner = f"{attention.name} projections", attention.heads * attention.head_dim
    return [
        Linear(name, rows, width, inner, count=3, bias=bias),
        attention,
        Linear(name, rows, inner, width),
        pointwise(NORMS, rows, width),
    ]


def cross_attention(rows: Extent, states: Extent, attention: Attention, width: int, context: int) -> list[Op]:
    """The same over `states` other tokens of `context`."""
    name, inner = f"{attention.name} projections", attention.heads * attention.head_dim
    return [
        Linear(name, rows, width, inner, bias=False),
        Linear(name, states, context, inner, count=2, bias=False),
        attention,
        Linear(name, rows, inner, width),
        pointwise(NORMS, rows, width),
    ]


def transformer_block(level: Level, heads: int, head_dim: int, context: int, states: Extent = PROMPT, keys: Extent = PROMPT) -> list[Op]:
    """BasicTransformerBlock: self-attention within each picture, cross-attention to `keys` tokens of `context`, GEGLU, each behind a norm.

    `states`: tokens that are projected to keys and values, `keys` of them for each picture.
    """
    at, width = level.at, heads * head_dim
    own = Attention("self-attention", level.plane, level.plane, heads, head_dim, sequences=level.pictures)
    other = Attention("cross-attention", level.plane, keys, heads, head_dim, sequences=level.pictures)
    return [
        layer_norm(at, width),
        *self_attention(at, own, width),
        residual(at, width),
        layer_norm(at, width),
        *cross_attention(at, states, other, width, context),
        residual(at, width),
        layer_norm(at, width),
        *geglu(at, width, 4 * width),
        residual(at, width),
    ]


def transformer_held(at: Extent, width: int) -> tuple[Held, ...]:
    """Alive in a transformer while a feed-forward part applies its gate: the skip around the transformer, what its block was given, hidden
    states, the last attention's output, the normed input.
    """
    return (Held(at, 5 * width),)


def spatial_transformer(level: Level, channels: int, heads: int, layers: int, context: int, *, linear: bool) -> Piece:
    """Transformer2DModel between convolutions. `linear`: its way in and out are dense products, else 1 x 1 convolutions."""
    at, head_dim, name = level.at, channels // heads, "projections in and out"
    inner = heads * head_dim
    ways: list[Op] = [Linear(name, at, channels, inner), Linear(name, at, inner, channels)]
    if not linear:
        ways = [convolution(at, channels, inner, 1, name=name), convolution(at, inner, channels, 1, name=name)]
    blocks = times(transformer_block(level, heads, head_dim, context), layers)
    ops = [*group_norm(at, channels), ways[0], *blocks, ways[1], copy(at, inner), residual(at, channels)]
    return Piece(tuple(ops), transformer_held(at, inner))


def time_embedding(rows: Extent, inputs: int, hidden: int, outputs: int | None = None) -> list[Op]:
    """TimestepEmbedding: two products with an activation between them."""
    name = "embeddings"
    return [Linear(name, rows, inputs, hidden), activation(rows, hidden), Linear(name, rows, hidden, outputs or hidden)]


def sinusoids(rows: Extent, width: int) -> Op:
    """Timesteps: sines and cosines of numbers in small kernels (range, scale, exponential, products, sine, cosine, joins, cast)."""
    return pointwise("embeddings", rows, width, passes=16.0, launches=11)
