"""Models as they were read: the catalogue's list, and one model in depth."""

from __future__ import annotations

from dataclasses import dataclass

from cardwise.catalogue.engines import engine_rules
from cardwise.catalogue.formats import cache_format, stored_format
from cardwise.catalogue.models import Listed, listed
from cardwise.errors import CardwiseError, UnknownName
from cardwise.laws.memory import kv_bytes_per_token
from cardwise.laws.memory_cache import kv_bytes_per_sequence
from cardwise.laws.memory_layout import valid_tensor_parallel
from cardwise.laws.memory_weights import weight_bytes_per_card
from cardwise.layout import Layout
from cardwise.model import Architecture, Layer, StateCache
from cardwise.passes.architectures import architecture

ENGINE = "vllm"
ONE_CARD = Layout("any card")


@dataclass(frozen=True, slots=True)
class KnownModel:
    """One model of the catalogue. `kv_bytes_per_token`: 16 bit, on one card, of a long sequence; layers with a window add nothing to it."""

    id: str
    aliases: tuple[str, ...]
    base: str
    parameters: int
    active_parameters: int
    kv_bytes_per_token: float
    layers: int
    max_positions: int
    weight_format: str


@dataclass(frozen=True, slots=True)
class LayerKind:
    """Layers that are alike: how many, the mixer and what it keeps, the feed-forward part, parameters of one of them."""

    count: int
    mixer: str
    heads: int
    cache: str
    feed_forward: str
    routed: int
    top_k: int
    parameters: int


@dataclass(frozen=True, slots=True)
class Shape:
    """One model in depth. Bytes are of the weight format named, on one card; FLOPs are of one token's products without attention.

    `sequence_bytes`: cache of one sequence of `max_positions` tokens. `state_bytes`: of it, what does not grow with the length.
    """

    architecture: Architecture
    weights: str
    kv: str
    parts: tuple[tuple[str, int], ...]
    weight_bytes: tuple[tuple[str, float], ...]
    flops_per_token: float
    kv_bytes_per_token: float
    sequence_bytes: float
    valid_tensor_parallel: tuple[int, ...]
    layers: tuple[LayerKind, ...]

    @property
    def total_bytes(self) -> float:
        return sum(value for _, value in self.weight_bytes)


def known_models(query: str = "", *, or_none: bool = False) -> tuple[KnownModel, ...]:
    """Models of the catalogue whose id or alias has every word of `query`. Raises UnknownName when none has, unless `or_none`."""
    words = query.lower().split()
    entries = [entry for entry in listed() if all(any(word in name.lower() for name in (entry.id, *entry.aliases)) for word in words)]
    if not entries and not or_none:
        raise UnknownName("model", query[:100], (), "cardwise models lists all")
    return tuple(known(entry) for entry in entries)


def known(entry: Listed) -> KnownModel:
    found = architecture(entry.id)
    kv = kv_bytes_per_token(found, cache_format("fp16"), ONE_CARD, engine_rules(ENGINE, memory_bytes=0.0))
    return KnownModel(
        id=entry.id,
        aliases=entry.aliases,
        base=entry.base,
        parameters=found.parameters,
        active_parameters=found.active_parameters,
        kv_bytes_per_token=kv,
        layers=found.layer_count,
        max_positions=found.max_positions,
        weight_format=found.weight_format,
    )


def shape(found: Architecture, weights: str = "auto", kv: str = "auto") -> Shape:
    """How a model was read, with bytes in a weight format (the checkpoint's own by default). Raises UnknownName for a format."""
    native = found.weight_format
    kept = stored_format("" if weights in ("", "auto") else weights, ENGINE, native, found.quantization)
    cache = cache_format("fp16" if kv in ("", "auto") else kv)
    rules = engine_rules(ENGINE, memory_bytes=0.0)
    try:
        degrees = valid_tensor_parallel(found, kept)
    except CardwiseError:
        degrees = (1,)
    return Shape(
        architecture=found,
        weights=kept.name,
        kv=cache.name,
        parts=tuple(found.parts.items()),
        weight_bytes=tuple(weight_bytes_per_card(found, kept, ONE_CARD).items()),
        flops_per_token=2.0 * found.active_parameters,
        kv_bytes_per_token=kv_bytes_per_token(found, cache, ONE_CARD, rules),
        sequence_bytes=kv_bytes_per_sequence(found, cache, ONE_CARD, rules, float(found.max_positions)),
        valid_tensor_parallel=degrees,
        layers=tuple(layer_kind(layer) for layer in found.layers),
    )


def layer_kind(layer: Layer) -> LayerKind:
    mixer, ff = layer.mixer, layer.feed_forward
    vectors = layer.vector_parameters + mixer.vector_parameters + ff.vector_parameters
    return LayerKind(
        count=layer.count,
        mixer=mixer.kind,
        heads=mixer.heads,
        cache=cache_text(layer),
        feed_forward=ff.kind,
        routed=ff.routed,
        top_k=ff.top_k,
        parameters=vectors + sum(matrix.parameters for matrix in (*mixer.matrices, *ff.matrices)),
    )


def cache_text(layer: Layer) -> str:
    """What a layer keeps: elements a token, of a window, or a state."""
    cache = layer.mixer.cache
    if isinstance(cache, StateCache):
        return f"state of {cache.state_elements:,} + {cache.conv_elements:,}"
    window = f", window {cache.window:,}" if cache.window else ""
    return f"{cache.elements_per_token:,.0f} a token{window}"
