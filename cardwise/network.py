"""A neural network as data: the operators that one sample passes through, their extents tied to the canvas. Frozen, no I/O.

Images, video and their text encoders are described so: a list that a reader derives from a configuration, a trace of the running
network writes down, and a pass prices at any size.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Canvas:
    """What is made: `width` x `height` pixels, `frames` pictures, after a prompt of `prompt_tokens` tokens."""

    width: int = 0
    height: int = 0
    frames: int = 1
    prompt_tokens: int = 0

    def positions(self, side: int, stride: int) -> float:
        """Positions of a grid with one every `side` pixels each way and every `stride` frames. A side of 0 leaves space out, a stride of
        0 time. The first frame stands alone, as in causal autoencoders: 1 + ceil((frames - 1) / stride).
        """
        area = math.ceil(self.width / side) * math.ceil(self.height / side) if side else 1
        return float(area * (1 + math.ceil((self.frames - 1) / stride)) if stride else area)


@dataclass(frozen=True, slots=True)
class Extent:
    """A number of rows or keys: `fixed` + `prompt` x prompt tokens + `share` x positions of the grid of `side` and `stride`.

    `later`: of that grid only what comes after the first frame, which some causal networks let pass.
    """

    fixed: float = 0.0
    prompt: float = 0.0
    share: float = 0.0
    side: int = 0
    stride: int = 0
    later: bool = False

    def at(self, canvas: Canvas) -> float:
        """The number on a canvas."""
        positions = canvas.positions(self.side, self.stride) if self.share else 0.0
        if self.later:
            positions -= canvas.positions(self.side, 0)
        return self.fixed + self.prompt * canvas.prompt_tokens + self.share * positions

    def __add__(self, other: Extent) -> Extent:
        """Tokens of both, one after the other. Two grids must be the same grid."""
        grids = [(e.side, e.stride, e.later) for e in (self, other) if e.share]
        if len(set(grids)) > 1:
            raise ValueError(f"extents over two grids cannot be one: {grids}")
        side, stride, later = grids[0] if grids else (0, 0, False)
        return Extent(self.fixed + other.fixed, self.prompt + other.prompt, self.share + other.share, side, stride, later)


ONE = Extent(fixed=1.0)
PROMPT = Extent(prompt=1.0)


def grid(side: int, stride: int = 0, share: float = 1.0) -> Extent:
    """Positions every `side` pixels each way and every `stride` frames (0: of one frame)."""
    return Extent(share=share, side=side, stride=stride)


@dataclass(frozen=True, slots=True)
class Linear:
    """`count` dense products, each of `rows` vectors of `inputs` with a matrix of `inputs` x `outputs`.

    `stored` is False where the matrix is another operator's (tied or used twice). `name`: what explains it, e.g. "feed-forward".
    `experts`: matrices kept of which `rows` use one each (mixture of experts).
    """

    name: str
    rows: Extent
    inputs: int
    outputs: int
    count: int = 1
    bias: bool = True
    stored: bool = True
    experts: int = 1

    @property
    def parameters(self) -> int:
        """Elements of all its matrices and biases."""
        return self.count * self.experts * (self.inputs + self.bias) * self.outputs if self.stored else 0


@dataclass(frozen=True, slots=True)
class Convolution:
    """`count` convolutions of `taps` elements (9 for 3 x 3, 27 for 3 x 3 x 3) from `inputs` to `outputs` channels at `positions` outputs.

    `groups`: as in grouped convolution (= inputs: depthwise). `scale`: input positions per output position (4: stride 2 each way).
    """

    name: str
    positions: Extent
    inputs: int
    outputs: int
    taps: int
    count: int = 1
    groups: int = 1
    bias: bool = True
    scale: float = 1.0
    stored: bool = True

    @property
    def parameters(self) -> int:
        """Elements of all its filters and biases."""
        return self.count * (self.inputs // self.groups * self.taps + self.bias) * self.outputs if self.stored else 0


@dataclass(frozen=True, slots=True)
class Attention:
    """`count` attentions: `sequences` independent ones of `queries` over `keys`, `heads` heads of `head_dim` (keys) and `value_dim`.

    Bidirectional unless `causal`. Linear attention of head size d is one over d keys. `value_dim` 0: like `head_dim`.
    """

    name: str
    queries: Extent
    keys: Extent
    heads: int
    head_dim: int
    count: int = 1
    sequences: Extent = ONE
    value_dim: int = 0
    causal: bool = False

    @property
    def parameters(self) -> int:
        """None: its products are operators of their own."""
        return 0


@dataclass(frozen=True, slots=True)
class Pointwise:
    """`count` kernels that only move data: norms, activations, modulation, residual adds, embeddings, resampling, rotary embeddings.

    Each goes `passes` times (reads plus writes) over a tensor of `positions` x `width`, in `launches` kernels when run eagerly.
    `parameters_each`: elements that it stores (a norm's weights, an embedding table).
    """

    name: str
    positions: Extent
    width: int
    count: int = 1
    passes: float = 2.0
    launches: int = 1
    parameters_each: int = 0

    @property
    def parameters(self) -> int:
        """Elements of all its weights."""
        return self.count * self.parameters_each


Op = Linear | Convolution | Attention | Pointwise


@dataclass(frozen=True, slots=True)
class Held:
    """A tensor kept while later operators run, as the skip connections of a UNet: `positions` x `width` elements."""

    positions: Extent
    width: int


@dataclass(frozen=True, slots=True)
class Network:
    """One network: `name` is its class as its library calls it, `ops` what one sample passes through once.

    `blocks`: equal blocks that offloading can move one at a time. `held`: tensors alive at the peak besides an operator's own.
    `window`: frames of the video that it takes at a time (0: all), so that its peak is that of a canvas of so many frames, the whole
    output apart. `step`: frames from one window to the next, what they share is computed twice; 0: windows follow each other and hand
    on what the next one needs, so that their work is that of the whole.
    """

    name: str
    ops: tuple[Op, ...]
    blocks: int = 1
    held: tuple[Held, ...] = ()
    window: int = 0
    step: int = 0

    @property
    def parameters(self) -> int:
        """Elements of all weights."""
        return sum(op.parameters for op in self.ops)


@dataclass(frozen=True, slots=True)
class Autoencoder:
    """Between pixels and latents: `side` pixels each way and `stride` frames a latent position (0: pictures only), `channels` deep.

    `upcast`: half-precision runs decode in 32 bit (diffusers' force_upcast: the activations overflow FP16). `tile`: pixels of width and
    height that a decoder told to tile works on at once, as its class sets them; 0 where nothing states it. `tiles`: its class can
    decode in tiles.
    """

    encoder: Network
    decoder: Network
    side: int
    stride: int
    channels: int
    upcast: bool = False
    tile: tuple[int, int] = (0, 0)
    tiles: bool = True

    @property
    def parameters(self) -> int:
        """Elements of the weights of both halves."""
        return self.encoder.parameters + self.decoder.parameters
