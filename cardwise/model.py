"""A model as layers of kinds, each made of matrices and a cache. Frozen, no I/O, no names of files.

A layer is a mixer (attention of some kind, or a recurrence) and a feed-forward part. Both list their weight matrices with shapes,
so that parameters, bytes and FLOPs all follow from the same list and nothing is counted by a formula of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

Part = Literal["attention", "dense", "experts", "shared", "router", "embedding", "head", "vision", "other"]
Shard = Literal["column", "row", "none"]


@dataclass(frozen=True, slots=True)
class Matrix:
    """`copies` weight matrices of `inputs` x `outputs`. `shard`: how tensor parallelism splits it (`none`: every rank holds it whole)."""

    name: str
    inputs: int
    outputs: int
    part: Part
    shard: Shard = "column"
    copies: int = 1

    @property
    def parameters(self) -> int:
        return self.inputs * self.outputs * self.copies


@dataclass(frozen=True, slots=True)
class KeyValueCache:
    """What full, windowed or chunked attention keeps: `kv_heads` x (`key_dim` + `value_dim`) per token, of at most `window` tokens."""

    kv_heads: int
    key_dim: int
    value_dim: int
    window: int | None = None
    shared: bool = False  # the layer reads another layer's cache (gemma-3n, gemma-4 E models) and stores none

    @property
    def elements_per_token(self) -> int:
        return 0 if self.shared else self.kv_heads * (self.key_dim + self.value_dim)


@dataclass(frozen=True, slots=True)
class LatentCache:
    """Multi-head latent attention: one vector of `rank` + `rope_dim` per token, the same for all heads, replicated over TP.

    `index_dim`: width of the index keys of sparse attention (DeepSeek-V3.2 and later), 0 without; `index_heads`: its query heads.
    `compression`: tokens per kept entry.
    """

    rank: int
    rope_dim: int
    index_dim: int = 0
    compression: float = 1.0
    window: int | None = None
    index_heads: int = 0

    @property
    def elements_per_token(self) -> float:
        return (self.rank + self.rope_dim + self.index_dim) / self.compression


@dataclass(frozen=True, slots=True)
class StateCache:
    """A recurrence keeps a fixed state per sequence: `state_elements`, and `conv_elements` in 16 bit. `state_bits`: the width of the state
    that the checkpoint or the kernels demand, None where the engine chooses."""

    state_elements: int
    conv_elements: int
    state_bits: int | None = None

    @property
    def elements_per_token(self) -> int:
        return 0


Cache = KeyValueCache | LatentCache | StateCache


@dataclass(frozen=True, slots=True)
class Mixer:
    """How tokens look at each other.

    `kind`: full, window, chunked, latent, sparse-latent, mamba1, mamba2, gated-delta, kda, short-conv.
    `heads`, `score_dim`, `value_dim`: the scores' heads and widths (for latent attention those of the unabsorbed form).
    `top_k`: keys that sparse attention looks at, None without. `vector_parameters`: biases, norms, decay vectors, convolutions.
    """

    kind: str
    matrices: tuple[Matrix, ...]
    cache: Cache
    heads: int
    score_dim: int
    value_dim: int
    vector_parameters: int = 0
    top_k: int | None = None


@dataclass(frozen=True, slots=True)
class FeedForward:
    """`kind`: dense, experts, or none. For experts: `routed` experts of which `top_k` are used, matrices with copies = routed;
    `groups` the number of shared experts.
    """

    kind: Literal["dense", "experts", "none"]
    matrices: tuple[Matrix, ...]
    routed: int = 0
    top_k: int = 0
    vector_parameters: int = 0
    gated: bool = True


@dataclass(frozen=True, slots=True)
class Layer:
    """One decoder layer, `count` times. Layers of one kind are gathered; their order is not kept."""

    mixer: Mixer
    feed_forward: FeedForward
    count: int
    vector_parameters: int = 0


@dataclass(frozen=True, slots=True)
class Tower:
    """A vision tower that takes images of any size, as an engine's profile run sees it.

    One token of the decoder is `patches` patches of `pixels` values each, `hidden` wide in the tower, whose feed-forward part is `width`
    wide and `gated` or not.
    """

    patches: int
    pixels: int
    hidden: int
    width: int
    gated: bool


@dataclass(frozen=True)
class Architecture:
    """A language model as read from a config, a catalogue entry or a file header.

    `extra_parameters`: parameters outside the decoder layers that are loaded but used once or never per token (vision tower, projector,
    multi-token-prediction head, learned positions, per-layer embeddings). `published_parameters`: what its authors' file states, None if
    unknown.
    `weight_format`: how the checkpoint itself is stored (`bf16`, `fp8`, `mxfp4` ...). `source`: where the fields are from.
    """

    name: str
    family: str
    hidden: int
    vocabulary: int
    layers: tuple[Layer, ...]
    tied_embeddings: bool
    max_positions: int
    heads: int
    kv_heads: int
    source: str
    embedding_parameters: int = 0
    final_vector_parameters: int = 0
    extra_parameters: tuple[tuple[str, int], ...] = ()
    weight_format: str = "bf16"
    quantization: tuple[tuple[str, str], ...] = ()
    published_parameters: int | None = None
    file_bytes: float | None = None
    notes: str = ""
    head_bias: bool = field(default=False)
    tower: Tower | None = None

    @cached_property
    def layer_count(self) -> int:
        return sum(layer.count for layer in self.layers)

    def matrices(self) -> Iterator[tuple[Matrix, int]]:
        """All weight matrices of the decoder layers with the number of layers that have them."""
        for layer in self.layers:
            for matrix in (*layer.mixer.matrices, *layer.feed_forward.matrices):
                yield matrix, layer.count

    @cached_property
    def parts(self) -> dict[str, int]:
        """Parameters by part: attention, dense, experts, shared, router, embedding, head, vectors and each extra by name."""
        total: dict[str, int] = {}
        for matrix, count in self.matrices():
            total[matrix.part] = total.get(matrix.part, 0) + matrix.parameters * count
        vectors = self.final_vector_parameters
        for layer in self.layers:
            vectors += layer.count * (layer.vector_parameters + layer.mixer.vector_parameters + layer.feed_forward.vector_parameters)
        total["vectors"] = vectors
        total["embedding"] = self.embedding_parameters or self.vocabulary * self.hidden
        total["head"] = 0 if self.tied_embeddings else self.vocabulary * self.hidden + (self.vocabulary if self.head_bias else 0)
        for name, count in self.extra_parameters:
            total[name] = total.get(name, 0) + count
        return total

    @cached_property
    def parameters(self) -> int:
        """Every parameter of the checkpoint, each stored tensor once."""
        return sum(self.parts.values())

    @cached_property
    def language_parameters(self) -> int:
        """Parameters of the decoder with embedding and head, without the extras."""
        extras = {name for name, _ in self.extra_parameters}
        return sum(count for name, count in self.parts.items() if name not in extras)

    @cached_property
    def active_parameters(self) -> int:
        """Parameters that one token multiplies with: top-k of the experts; the embedding is a look-up and not counted."""
        active = self.vocabulary * self.hidden  # the head
        for layer in self.layers:
            for matrix in layer.mixer.matrices:
                active += layer.count * matrix.parameters
            ff = layer.feed_forward
            for matrix in ff.matrices:
                share = ff.top_k / matrix.copies if matrix.part == "experts" else 1
                active += round(layer.count * matrix.parameters * share)
        return active

    @cached_property
    def has_experts(self) -> bool:
        return any(layer.feed_forward.kind == "experts" for layer in self.layers)

    @cached_property
    def has_state(self) -> bool:
        return any(isinstance(layer.mixer.cache, StateCache) for layer in self.layers)
