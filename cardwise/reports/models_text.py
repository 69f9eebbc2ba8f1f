"""Models as text: the list, and one model in depth."""

from __future__ import annotations

from collections.abc import Sequence

from cardwise.planning.shapes import KnownModel, Shape
from cardwise.quantities import significant
from cardwise.reports.plan_text import section
from cardwise.reports.table import Column, table, wrapped
from cardwise.reports.words import UNKNOWN, Words, gibibytes, kibibytes, parameters, words


def models_text(query: str, models: Sequence[KnownModel], lang: str = "en", width: int = 120) -> str:
    """One line a model."""
    say = words(lang)
    columns = [
        Column(say("model"), tuple(model.id for model in models), "left", True),
        Column(say("parameters"), tuple(parameters(model.parameters) for model in models)),
        Column(say("active"), tuple(parameters(model.active_parameters) for model in models)),
        Column(say("kv_token"), tuple(kibibytes(model.kv_bytes_per_token) for model in models)),
        Column(say("layers"), tuple(str(model.layers) for model in models)),
        Column(say("context"), tuple(f"{model.max_positions:,}" for model in models)),
        Column(say("stored"), tuple(model.weight_format for model in models), "left"),
    ]
    if any(model.aliases for model in models):
        columns.append(Column(say("aliases"), tuple(" ".join(model.aliases[:2]) or UNKNOWN for model in models), "left"))
    key = "models_legend_query" if query else "models_legend"
    return f"{table(columns, width)}\n\n{wrapped(say(key, count=len(models), query=query), width)}\n"


def model_text(shape: Shape, lang: str = "en", width: int = 120) -> str:
    """How one model was read."""
    say = words(lang)
    found = shape.architecture
    facts = [
        say("model_family", family=found.family, source=say.said(found.source)),
        say(
            "model_parameters",
            all=f"{found.parameters:,}",
            active=f"{found.active_parameters:,}",
            share=f"{found.active_parameters / found.parameters:.0%}",
        ),
        say("model_bytes", bytes=gibibytes(shape.total_bytes), weights=shape.weights),
        say(
            "model_kv",
            token=kibibytes(shape.kv_bytes_per_token),
            kv=shape.kv,
            tokens=f"{found.max_positions:,}",
            bytes=gibibytes(shape.sequence_bytes),
        ),
        say("model_flops", flops=significant(shape.flops_per_token / 1e9)),
        say("model_tp", degrees=", ".join(str(degree) for degree in shape.valid_tensor_parallel)),
    ]
    if found.published_parameters is not None:
        facts.append(say("model_published", count=f"{found.published_parameters:,}"))
    if found.file_bytes is not None:
        facts.append(say("model_file", bytes=gibibytes(found.file_bytes)))
    blocks = [section(found.name, facts, width), table(layer_columns(shape, say), width), table(part_columns(shape, say), width)]
    if found.notes:
        blocks.append(wrapped(found.notes, width))
    return "\n\n".join(blocks) + "\n"


def layer_columns(shape: Shape, say: Words) -> list[Column]:
    kinds = shape.layers
    return [
        Column(say("layers"), tuple(str(kind.count) for kind in kinds), "right", True),
        Column(say("mixer"), tuple(kind.mixer for kind in kinds), "left"),
        Column(say("heads"), tuple(str(kind.heads) for kind in kinds)),
        Column(say("keeps"), tuple(kind.cache for kind in kinds), "left"),
        Column(say("feed_forward"), tuple(feed_forward(kind.feed_forward, kind.routed, kind.top_k) for kind in kinds), "left"),
        Column(say("layer_parameters"), tuple(f"{kind.parameters:,}" for kind in kinds)),
    ]


def feed_forward(kind: str, routed: int, top_k: int) -> str:
    return f"{routed} experts, {top_k} used" if kind == "experts" else kind


def part_columns(shape: Shape, say: Words) -> list[Column]:
    by_part = dict(shape.weight_bytes)
    counted = [(name, count) for name, count in shape.parts if count]
    return [
        Column(say("part"), tuple(name for name, _ in counted), "left", True),
        Column(say("parameters"), tuple(f"{count:,}" for _, count in counted)),
        Column(f"GiB, {shape.weights}", tuple(f"{by_part[name] / 2**30:,.3f}" if name in by_part else UNKNOWN for name, _ in counted)),
    ]
