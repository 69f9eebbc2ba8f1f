"""config.json -> Architecture. The one entry for the fields of a model's configuration, from whatever file they were read."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import cast

from cardwise.model import Architecture, Tower
from cardwise.readers import family, quantization
from cardwise.readers.family import Traits
from cardwise.readers.fields import Fields
from cardwise.readers.transformer import Decoder

# builder of layers -> module of this package and function; modules are loaded when a model needs them
BUILDERS: Mapping[str, tuple[str, str]] = {
    "transformer": ("transformer", "build"),
    "latent": ("latent", "build"),
    "longcat": ("latent", "build_longcat"),
    "kimi_linear": ("latent", "build_kimi_linear"),
    "deepseek_v4": ("compressed", "build"),
    "gated_delta": ("recurrent", "build_gated_delta"),
    "mamba2": ("recurrent", "build_mamba2"),
    "nemotron_h": ("recurrent", "build_nemotron_h"),
    "granite_hybrid": ("recurrent", "build_granite_hybrid"),
    "falcon_h1": ("recurrent", "build_falcon_h1"),
    "lfm2": ("recurrent", "build_lfm2"),
    "gemma3n": ("gemma", "build_gemma3n"),
    "gemma4": ("gemma", "build_gemma4"),
    "falcon": ("special", "build_falcon"),
    "llama4": ("mixed", "build_llama4"),
    "mllama": ("special", "build_mllama"),
    "nemotron_nas": ("special", "build_nemotron_nas"),
    "minimax_m3": ("mixed", "build_minimax_m3"),
    "mimo_v2": ("mixed", "build_mimo_v2"),
    "laguna": ("mixed", "build_laguna"),
    "step": ("mixed", "build_step"),
    "afmoe": ("mixed", "build_afmoe"),
}
# fields of the outer configuration that hold for the text model inside it
OUTER = ("tie_word_embeddings", "quantization_config", "torch_dtype", "dtype")


def read_config(
    fields: Mapping[str, object], *, name: str, source: str, quantization_file: Mapping[str, object] | None = None
) -> Architecture:
    """The architecture that a configuration describes, with exact parameter counts.

    `quantization_file`: the contents of hf_quant_config.json, when that file lies beside it; it then says how the weights are stored.
    Raises BadFile for a missing or absurd field, UnknownName for a family that no rule covers.
    """
    outer = Fields(fields, source)
    model_type = outer.text("model_type")
    outer_traits = family.traits(model_type)
    inner, traits = _text_model(outer, model_type, outer_traits)
    text = Fields(inner, source, traits.defaults)
    decoder = _builder(traits)(text, traits)
    extras = [*decoder.extras, *_towers(outer, outer_traits, decoder.hidden), *_further_tokens(text, traits, decoder)]
    stored = quantization.read(text, quantization_file)
    return Architecture(
        name=name,
        family=model_type,
        hidden=decoder.hidden,
        vocabulary=decoder.vocabulary,
        layers=decoder.layers,
        tied_embeddings=decoder.tied,
        max_positions=decoder.max_positions,
        heads=decoder.heads,
        kv_heads=decoder.kv_heads,
        source=source,
        embedding_parameters=decoder.embedding_parameters,
        final_vector_parameters=decoder.final_vectors,
        extra_parameters=tuple((part, count) for part, count in extras if count),
        weight_format=stored.weight_format,
        quantization=stored.parts,
        notes=decoder.notes,
        head_bias=decoder.head_bias,
        tower=_tower(outer, outer_traits),
    )


def _text_model(outer: Fields, model_type: str, traits: Traits) -> tuple[dict[str, object], Traits]:
    """The fields and traits of the text model: those of the nested configuration where there is one."""
    values = dict(outer.values)
    nested = outer.sub(traits.text or "text_config")
    if nested is None:
        if not traits.text:
            return values, traits
        # older files of the same family lay the text model's fields flat beside the vision tower
        return values, family.traits(f"{model_type}_text")
    merged: dict[str, object] = {key: values[key] for key in OUTER if values.get(key) is not None}
    merged.update({key: value for key, value in nested.values.items() if value is not None or key not in merged})
    inner_type = nested.text("model_type", default=f"{model_type}_text")
    if inner_type in family.names() and not family.traits(inner_type).text:
        return merged, family.traits(inner_type)
    return merged, family.traits(f"{model_type}_text")


def _builder(traits: Traits) -> Callable[[Fields, Traits], Decoder]:
    module, function = BUILDERS[traits.builder]
    return cast("Callable[[Fields, Traits], Decoder]", getattr(importlib.import_module(f"cardwise.readers.{module}"), function))


def _towers(outer: Fields, traits: Traits, hidden: int) -> list[tuple[str, int]]:
    if not traits.vision:
        return []
    from cardwise.readers import vision

    return vision.towers(outer, traits.vision, hidden)


def _tower(outer: Fields, traits: Traits) -> Tower | None:
    if not traits.vision:
        return None
    from cardwise.readers import vision

    return vision.tower(outer, traits.vision)


def _further_tokens(text: Fields, traits: Traits, decoder: Decoder) -> list[tuple[str, int]]:
    if not traits.mtp:
        return []
    from cardwise.readers import further_tokens

    return further_tokens.count(text, traits, decoder)
