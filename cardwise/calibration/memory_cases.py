"""Predicts the numbers of start-up logs: weights, cache, activation peak, cache tokens, concurrency, whether it fits. Sees no value."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from cardwise.budget import MemoryBudget
from cardwise.catalogue.accelerators import accelerator
from cardwise.catalogue.engine_memory import memory_constants
from cardwise.catalogue.engines import engine_rules
from cardwise.catalogue.formats import cache_format, stored_format
from cardwise.errors import BadInput, CardwiseError
from cardwise.hardware import Accelerator
from cardwise.laws.memory import memory_budget, valid_split
from cardwise.layout import Layout
from cardwise.model import Architecture
from cardwise.passes.architectures import architecture
from cardwise.quantities import GIB

METRICS = ("weights_gib", "kv_gib", "activation_gib", "kv_tokens", "max_concurrency", "fits")
LAYER_SPLIT = ("llama.cpp", "ik_llama.cpp", "ollama", "exllamav2", "exllamav3")
_BRACKETS = re.compile(r"\s*\(.*\)")
_FORMAT = re.compile(r"(?i)([-_ .](?:gguf|ud|i?q\d_[a-z0-9_]+|autoround|awq|gptq|int[48]))+$")
_SIZE = re.compile(r"\b(\d{1,3}) ?GB\b")
_SPECULATIVE = re.compile(r"speculative, (\d+) tokens")
_FLASH = re.compile(r"flash_attn (\d)")


def predict(row: Mapping[str, str], configs: Path | None = None) -> tuple[float | None, str]:
    """The predicted number of one row of the published schema and '', or None and the reason why there is none."""
    metric = row.get("metric", "")
    if metric not in METRICS:
        return None, f"metric {metric!r} is not one of {', '.join(METRICS)}"
    try:
        budget, refused = budget_of(row, configs)
    except CardwiseError as error:
        return None, error.message
    if metric == "fits":
        return (0.0, "") if refused or not budget.fits else (1.0, "")
    length = _number(row, "max_model_len") or budget.max_model_len
    values = {
        "weights_gib": budget.weight_bytes / GIB,
        "kv_gib": budget.kv_bytes / GIB,
        "activation_gib": budget.activation_bytes / GIB,
        "kv_tokens": float(budget.kv_tokens),
        "max_concurrency": budget.max_concurrency(length) * max(1.0, _number(row, "dp") or 1.0),
    }
    return values[metric], ""


def budget_of(row: Mapping[str, str], configs: Path | None = None) -> tuple[MemoryBudget, str]:
    """The budget of the row's layout, and why the engine would refuse its split ('' when it accepts it). Raises CardwiseError."""
    card = _card(row)
    model = _model(row["model"], configs)
    layout = _layout(row, model)
    notes = row.get("notes", "").lower()
    reported = _number(row, "total_gpu_memory_gib")
    length, sequences = _whole(row, "max_model_len"), _whole(row, "max_num_seqs")
    rules = engine_rules(
        layout.engine,
        layout.engine_version,
        memory_bytes=reported * GIB if reported else card.memory_bytes,
        card=card.name,
        vendor=card.vendor,
        measured=row.get("measured", ""),
        tensor_parallel=layout.tensor_parallel,
        pipeline_parallel=layout.pipeline_parallel,
        max_model_len=length or model.max_positions,
        max_num_seqs=sequences,
    )
    block = _whole(row, "block_size")
    if block:
        rules = replace(rules, block_size=block)
    if layout.tensor_parallel > 1:
        rules = replace(rules, layer_split=False)
    weights = stored_format(row.get("weights", ""), layout.engine, model.weight_format, model.quantization)
    constants = memory_constants(rules)
    if "pooling" in notes:  # an embedding model samples nothing
        constants = replace(constants, bytes_per_logit=0.0)
    flash = _FLASH.search(notes)
    if flash:
        constants = replace(constants, attention_buffer=flash.group(1) == "0")
    used = (_whole(row, "input_tokens") or 0) + (_whole(row, "output_tokens") or 0)
    budget = memory_budget(
        model,
        layout,
        card,
        rules,
        weights,
        cache_format(row.get("kv", "") or "auto"),
        constants,
        max_model_len=length or (max(used, rules.max_model_len_default or 0) or None if constants.kv_at_start else None),
        max_num_seqs=sequences,
        max_num_batched_tokens=_whole(row, "max_num_batched_tokens"),
        memory_share=_number(row, "gpu_memory_utilization"),
        enforce_eager=bool(_number(row, "enforce_eager")),
        total_bytes=reported * GIB if reported else None,
        speculative_tokens=_speculative(notes),
        vision="limits 0" not in notes and "noviz" not in notes,
        host_parts=("experts", *_tables(model)) if "experts in host memory" in notes else (_tables(model) if "ple table" in notes else ()),
    )
    return budget, valid_split(model, weights, layout, rules) or ""


def _speculative(notes: str) -> int:
    found = _SPECULATIVE.search(notes)
    return int(found.group(1)) if found else int(any(word in notes for word in ("mtp", "speculative")) and "no speculative" not in notes)


def _card(row: Mapping[str, str]) -> Accelerator:
    """The row's card; a machine with unified memory may state its size in the notes."""
    card = accelerator(row["accelerator"], lenient=True)
    size = _SIZE.search(row.get("notes", "")) if card.unified_memory else None
    if size is None:
        return card
    try:
        return accelerator(f"{row['accelerator']} {size.group(1)}GB", lenient=True)
    except CardwiseError:
        return card


def _model(name: str, configs: Path | None) -> Architecture:
    """The model of a row. Logs name files and folders, too: what only says the format and the file type is dropped."""
    try:
        return architecture(name, configs=configs)
    except CardwiseError:
        plain = _FORMAT.sub("", _BRACKETS.sub("", name))
        if plain == name or not plain:
            raise
        return architecture(plain, configs=configs)


def _tables(model: Architecture) -> tuple[str, ...]:
    """Extras that are look-up tables and may lie outside the card."""
    return tuple(name for name, _ in model.extra_parameters if "per_layer" in name or "embed" in name)


def _layout(row: Mapping[str, str], model: Architecture) -> Layout:
    count = _whole(row, "count") or 1
    tensor, stages, groups, experts = (_whole(row, key) or 0 for key in ("tp", "pp", "dp", "ep"))
    engine = row.get("engine", "").lower()
    if engine in LAYER_SPLIT and not tensor:
        tensor, stages = 1, stages or count
    stages = stages or 1
    together = groups > 1 and model.has_experts and experts > 1
    if together:
        tensor = (tensor or 1) * groups
    tensor = tensor or max(1, count // stages // max(groups, 1))
    if tensor * stages > count:
        raise BadInput(f"tp {tensor} x pp {stages} needs {tensor * stages} cards, the row has {count}")
    return Layout(
        accelerator=row["accelerator"],
        tensor_parallel=tensor,
        pipeline_parallel=stages,
        expert_parallel=min(experts, tensor) if experts > 1 else 1,
        data_parallel=groups if together else 1,
        weights=row.get("weights", ""),
        kv=row.get("kv", "") or "auto",
        engine=engine,
        engine_version=row.get("engine_version", ""),
    )


def _number(row: Mapping[str, str], key: str) -> float | None:
    text = (row.get(key) or "").strip()
    try:
        return float(text) if text else None
    except ValueError:
        raise BadInput(f"{key} is {text[:40]!r}; it must be a number") from None


def _whole(row: Mapping[str, str], key: str) -> int | None:
    value = _number(row, key)
    return int(value) if value is not None else None
