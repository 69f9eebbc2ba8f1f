"""What is known as JSON: cards, models, accuracy, claims (docs/json.md)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cardwise.hardware import Accelerator, Link
from cardwise.reports.records import Record, document, option, workload

if TYPE_CHECKING:  # what one record is made of need not be loaded for another
    from cardwise.calibration.groups import Group
    from cardwise.catalogue.prices import Market
    from cardwise.catalogue.rendering import RenderingScore
    from cardwise.planning.article.claim import Claim
    from cardwise.planning.article.essay import EssayCase
    from cardwise.planning.compare import CardRow, Comparison
    from cardwise.planning.runs.shapes import KnownPipeline
    from cardwise.planning.shapes import KnownModel, Shape
    from cardwise.planning.shipped import Accuracy


def cards_record(c: Comparison) -> Record:
    """cardwise.cards/1"""
    body = {"rank": c.rank, "unit": c.unit, "model": c.model, "workload": workload(c.workload), "cards": [card(row) for row in c.rows]}
    return document("cards", 1, body)


def card(row: CardRow) -> Record:
    one: Accelerator = row.card
    return {
        "name": one.name,
        "vendor": one.vendor,
        "generation": one.generation,
        "form_factor": one.form_factor,
        "launch": one.launch,
        "memory_bytes": one.memory_bytes,
        "usable_bytes": one.usable_bytes,
        "memory_type": one.memory_type,
        "bandwidth_bytes_per_s": one.bandwidth_bytes_per_s,
        "peak_flops_per_s": dict(one.peaks),
        "l2_bytes": one.l2_bytes,
        "units": one.units,
        "boost_hz": one.boost_hz,
        "interconnect": one.interconnect,
        "interconnect_bytes_per_s": one.interconnect_bytes_per_s,
        "pcie": one.pcie,
        "p2p_over_pcie": one.p2p_over_pcie,
        "link_of_two": link(row.pair),
        "link_of_machine": link(row.full),
        "cards_of_machine": row.cards,
        "tdp_w": one.tdp_w,
        "msrp_usd": one.msrp_usd,
        "rent": price(row.rent),
        "purchase": price(row.buy),
        "source": one.source,
        "sources": {name: {"kind": source.kind, "text": source.text, "rule": source.rule} for name, source in one.sources.items()},
        "notes": one.notes,
        "value": row.value,
        "value_note": row.why,
        "predicted": None if row.predicted is None else option(row.predicted),
        "rendering_scores": [rendering(score) for score in row.scores],
    }


def rendering(score: RenderingScore) -> Record:
    return {
        "benchmark": score.benchmark,
        "version": score.version or None,
        "score": score.score,
        "ratio_to": score.ratio_to or None,
        "said_of": score.accelerator,
        "measured": score.measured or None,
        "source": score.source,
        "notes": score.notes,
    }


def link(value: Link | None) -> Record | None:
    if value is None:
        return None
    return {
        "name": value.name,
        "kind": value.kind,
        "bytes_per_s": value.bytes_per_s,
        "peer_to_peer": value.peer_to_peer,
        "source": value.source,
    }


def price(value: Market | None) -> Record | None:
    if value is None:
        return None
    found = value.price
    return {
        "kind": found.kind,
        "usd": found.amount,
        "unit": found.unit,
        "low_usd": value.low,
        "high_usd": value.high,
        "offers": len(value.rows),
        "date": found.date,
        "source": found.source,
    }


def models_record(query: str, models: Sequence[KnownModel], pipelines: Sequence[KnownPipeline] = ()) -> Record:
    """cardwise.models/1"""
    found = [
        {
            "id": model.id,
            "aliases": list(model.aliases),
            "base": model.base,
            "parameters": model.parameters,
            "active_parameters": model.active_parameters,
            "kv_bytes_per_token": model.kv_bytes_per_token,
            "layers": model.layers,
            "max_positions": model.max_positions,
            "weight_format": model.weight_format,
        }
        for model in models
    ]
    makers = [
        {
            "id": one.id,
            "aliases": list(one.aliases),
            "task": one.task,
            "parameters": one.parameters,
            "width": one.width,
            "height": one.height,
            "frames": one.frames,
            "steps": one.steps,
        }
        for one in pipelines
    ]
    return document("models", 1, {"query": query, "models": found, "pipelines": makers})


def model_record(shape: Shape) -> Record:
    """cardwise.model/1"""
    found = shape.architecture
    names = ("count", "mixer", "heads", "cache", "feed_forward", "routed", "top_k", "parameters")
    body = {
        "name": found.name,
        "family": found.family,
        "source": found.source,
        "parameters": found.parameters,
        "published_parameters": found.published_parameters,
        "active_parameters": found.active_parameters,
        "parameters_by_part": dict(shape.parts),
        "weights": shape.weights,
        "weight_bytes": shape.total_bytes,
        "weights_by_part_bytes": dict(shape.weight_bytes),
        "file_bytes": found.file_bytes,
        "kv": shape.kv,
        "kv_bytes_per_token": shape.kv_bytes_per_token,
        "max_positions": found.max_positions,
        "longest_sequence_bytes": shape.sequence_bytes,
        "flops_per_token": shape.flops_per_token,
        "valid_tensor_parallel": list(shape.valid_tensor_parallel),
        "layers": [{name: getattr(kind, name) for name in names} for kind in shape.layers],
        "notes": found.notes,
    }
    return document("model", 1, body)


def accuracy_record(accuracy: Accuracy) -> Record:
    """cardwise.accuracy/1"""
    rows = [group(accuracy.by, row) for row in accuracy.rows]
    return document("accuracy", 1, {"fit": dict(accuracy.fit), "rows": rows, "by": list(accuracy.by)})


def group(by: Sequence[str], found: Group) -> Record:
    """What the cases share under the names of `by` (a source as `source_id`), then the group's figures."""
    errors = {f"error_{kind}": value for kind, value in found.errors.items() if kind != "fitted"}
    return {
        **{"source_id" if name == "source" else name: value for name, value in zip(by, found.names, strict=True)},
        "cases": found.cases,
        "error": found.errors["fitted"],
        "factor": found.factor,
        **errors,
        **{f"coverage_{kind}": value for kind, value in found.coverage.items()},
        "interval_width": found.width,
    }


def article_record(claims: Sequence[Claim], cases: Sequence[EssayCase]) -> Record:
    """cardwise.article/1"""
    names = ("id", "name", "name_zh", "unit", "printed", "recomputed", "right", "note", "note_zh")
    essay = [{name: getattr(case, name) for name in names} for case in cases]
    return document("article", 1, {"claims": [claim(one) for one in claims], "essay": essay})


def claim(one: Claim) -> Record:
    texts = (
        "id",
        "claim",
        "claim_zh",
        "article",
        "article_zh",
        "recomputed",
        "right",
        "right_zh",
        "verdict",
        "verdict_zh",
        "reason",
        "reason_zh",
    )
    tables = [
        {
            "title": t.title,
            "title_zh": t.title_zh,
            "header": list(t.header),
            "header_zh": list(t.header_zh),
            "rows": [list(row) for row in t.rows],
        }
        for t in one.tables
    ]
    return {**{name: getattr(one, name) for name in texts}, "figures": dict(one.figures), "sources": list(one.sources), "tables": tables}
